//! Unpacking gzip members and zstd frames, one after another, in bounded memory.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::{fill, invalid};

/// Largest window of a zstd frame, which is how much memory it takes: what `zstd --long`
/// makes, and what `zstd -d` takes without being asked to.
const ZSTD_WINDOW_MAX: u64 = 128 << 20;

/// Bytes of which the first may be looked at.
struct Ahead<R> {
    front: Vec<u8>,
    at: usize,
    input: R,
}

impl<R: BufRead> Ahead<R> {
    fn new(input: R) -> Self {
        Ahead { front: Vec::new(), at: 0, input }
    }

    /// So many bytes, or all that are left.
    fn look(&mut self, count: usize) -> io::Result<&[u8]> {
        self.front.drain(..self.at);
        self.at = 0;
        while self.front.len() < count {
            let chunk = fill(&mut self.input)?;
            let used = chunk.len().min(count - self.front.len());
            if used == 0 {
                break;
            }
            self.front.extend_from_slice(&chunk[..used]);
            self.input.consume(used);
        }
        Ok(&self.front[..count.min(self.front.len())])
    }

    /// Makes what follows a line of its own.
    fn begin_line(&mut self) {
        self.front.insert(self.at, b'\n');
    }
}

impl<R: BufRead> Read for Ahead<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Ahead<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at < self.front.len() { Ok(&self.front[self.at..]) } else { self.input.fill_buf() }
    }

    fn consume(&mut self, count: usize) {
        if self.at < self.front.len() {
            self.at += count;
        } else {
            self.input.consume(count);
        }
    }
}

/// The members of a gzip file as one text. Zeros after a member are padding; what follows and is
/// no member is text that was appended unpacked.
pub(super) struct Gzip<R> {
    member: Option<GzDecoder<Ahead<R>>>,
    text: Option<Ahead<R>>,
}

impl<R: BufRead> Gzip<R> {
    pub(super) fn new(input: R) -> Self {
        Gzip { member: Some(GzDecoder::new(Ahead::new(input))), text: None }
    }

    /// Continues after a member.
    fn begin(&mut self, mut input: Ahead<R>) -> io::Result<()> {
        if !next_after_zeros(&mut input)? {
            return Ok(());
        }
        // A member that was cut within these is damage.
        if b"\x1f\x8b".starts_with(input.look(2)?) {
            self.member = Some(GzDecoder::new(input));
        } else {
            input.begin_line();
            self.text = Some(input);
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let count = member.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            if let Some(member) = self.member.take() {
                self.begin(member.into_inner())?;
            }
        }
        self.text.as_mut().map_or(Ok(0), |text| text.read(buffer))
    }
}

/// The frames of a zstd file as one text; what follows as for [`Gzip`].
pub(super) struct Zstd<R> {
    input: Ahead<R>,
    in_text: bool,
    decoder: FrameDecoder,
    within_frame: bool,
}

impl<R: BufRead> Zstd<R> {
    pub(super) fn new(input: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(ZSTD_WINDOW_MAX);
        Zstd { input: Ahead::new(input), in_text: false, decoder, within_frame: false }
    }

    /// Begins the next frame; false if there is none.
    fn begin(&mut self) -> io::Result<bool> {
        while !self.in_text && next_after_zeros(&mut self.input)? {
            if !may_be_frame(self.input.look(4)?) {
                self.input.begin_line();
                self.in_text = true;
                break;
            }
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
        if self.in_text { self.input.read(buffer) } else { Ok(0) }
    }
}

/// Does a frame of zstd begin so, one that was cut or one to be skipped among them?
fn may_be_frame(start: &[u8]) -> bool {
    let skippable = |first: u8| (0x50..=0x5f).contains(&first);
    b"\x28\xb5\x2f\xfd".starts_with(start)
        || start.split_first().is_some_and(|(first, rest)| {
            skippable(*first) && rest.len() == 3 && rest == b"\x2a\x4d\x18"
        })
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
