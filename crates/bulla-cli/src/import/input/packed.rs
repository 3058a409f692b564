//! Unpacking gzip members and zstd frames, one after another, in bounded memory.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::{fill, invalid};

/// Largest window of a zstd frame, which is how much memory it takes: what `zstd --long`
/// makes, and what `zstd -d` takes without being asked to.
const ZSTD_WINDOW_MAX: u64 = 128 << 20;

/// The members of a gzip file as one text. Zeros after a member are padding.
pub(super) struct Gzip<R> {
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Gzip<R> {
    pub(super) fn new(input: R) -> Self {
        Gzip { member: Some(GzDecoder::new(input)) }
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(member) = &mut self.member else { return Ok(0) };
            let count = member.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let input = self.member.take().map(GzDecoder::into_inner);
            self.member = match input {
                Some(mut input) => next_after_zeros(&mut input)?.then(|| GzDecoder::new(input)),
                None => None,
            };
        }
    }
}

/// The frames of a zstd file as one text.
pub(super) struct Zstd<R> {
    input: R,
    decoder: FrameDecoder,
    within_frame: bool,
}

impl<R: BufRead> Zstd<R> {
    pub(super) fn new(input: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(ZSTD_WINDOW_MAX);
        Zstd { input, decoder, within_frame: false }
    }

    /// Begins the next frame; false if there is none.
    fn begin(&mut self) -> io::Result<bool> {
        while next_after_zeros(&mut self.input)? {
            match self.decoder.init(&mut self.input) {
                Ok(()) => {
                    self.within_frame = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => skip(&mut self.input, u64::from(length))?,
                Err(error) => return Err(invalid(format!("zstd: {error}"))),
            }
        }
        Ok(false)
    }

    fn check(&self) -> io::Result<()> {
        let (stored, found) =
            (self.decoder.get_checksum_from_data(), self.decoder.get_calculated_checksum());
        match (stored, found) {
            (Some(stored), Some(found)) if stored != found => Err(invalid(format!(
                "zstd: expected the checksum {stored:08x}, found {found:08x}: the file is damaged"
            ))),
            _ => Ok(()),
        }
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while self.within_frame || self.begin()? {
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                self.decoder
                    .decode_blocks(&mut self.input, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(|error| invalid(format!("zstd: {error}")))?;
            }
            let count = self.decoder.read(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            self.check()?;
            self.within_frame = false;
        }
        Ok(0)
    }
}

/// Passes padding; whether anything follows.
fn next_after_zeros(input: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let chunk = fill(input)?;
        let zeros = chunk.iter().take_while(|byte| **byte == 0).count();
        let (empty, all) = (chunk.is_empty(), zeros == chunk.len());
        input.consume(zeros);
        if empty || !all {
            return Ok(!empty);
        }
    }
}

fn skip(input: &mut impl Read, length: u64) -> io::Result<()> {
    let skipped = io::copy(&mut input.by_ref().take(length), &mut io::sink())?;
    if skipped < length {
        return Err(invalid("zstd: the file ends inside a skippable frame".to_owned()));
    }
    Ok(())
}
