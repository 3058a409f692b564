//! Walks the frames of a segment in order, checking every byte.

use crate::error::{Error, Result};
use crate::format::FormatError;
use crate::format::frame::{self, FrameHeader};
use crate::format::record::{CheckedRecord, RawRecord};
use crate::segment::bytes::{Scratch, SegmentFile};
use crate::seq::{Seq, TreeSize};

/// A position between two frames: where the next one starts, and its first record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Offset in the segment.
    pub offset: u64,
    /// Records before it.
    pub size: TreeSize,
}

/// A frame whose header checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameAt {
    /// Offset of its header.
    pub offset: u64,
    /// Its header.
    pub header: FrameHeader,
}

impl FrameAt {
    /// Where its first record stands.
    pub fn body(&self) -> u64 {
        self.offset + frame::LEN as u64
    }

    /// Where the next frame stands, given the segment's alignment.
    pub fn next(&self, align: u32) -> Position {
        let end = self.offset + self.header.frame_len();
        Position { offset: align_up(end, align), size: self.header.end() }
    }
}

/// The next multiple of `align`.
pub fn align_up(offset: u64, align: u32) -> u64 {
    offset.next_multiple_of(u64::from(align.max(1)))
}

/// Reads the header of the frame at a position.
///
/// # Errors
/// I/O. The inner error says why there is no frame here: the end, or damage.
pub fn frame_at(
    segment: &SegmentFile,
    at: Position,
    scratch: &mut Scratch,
) -> Result<Result<FrameAt, FormatError>> {
    let bytes = segment.read_up_to(at.offset, frame::LEN, scratch)?;
    let Ok(bytes) = <&[u8; frame::LEN]>::try_from(bytes) else {
        let found = format!("{} bytes before the end of the file", bytes.len());
        return Ok(Err(FormatError::mismatch("frame header", "32 bytes", found)));
    };
    let decoded = FrameHeader::decode(bytes, &segment.header.nonce, at.offset);
    Ok(decoded.and_then(|header| {
        if header.first == at.size {
            Ok(FrameAt { offset: at.offset, header })
        } else {
            Err(FormatError::mismatch("frame header: first_seq", at.size, header.first))
        }
    }))
}

/// Whether a frame header stands here that was written so, though it is none that can.
///
/// # Errors
/// I/O.
pub fn is_written_header(segment: &SegmentFile, offset: u64) -> Result<bool> {
    let mut scratch = Scratch::new();
    let bytes = segment.read_up_to(offset, frame::LEN, &mut scratch)?;
    let header = bytes.first_chunk::<{ frame::LEN }>();
    Ok(header.is_some_and(|bytes| FrameHeader::is_written(bytes, &segment.header.nonce, offset)))
}

/// A damaged record in a frame.
#[derive(Clone, Debug)]
pub struct BadRecord {
    /// Its Seq.
    pub seq: Seq,
    /// Where it stands.
    pub offset: u64,
    /// What is wrong.
    pub error: FormatError,
}

/// Gives each record of a frame, in order, with its offset in the segment; stops at
/// the first damaged one.
///
/// # Errors
/// The damaged record; or bytes left over behind the last one.
pub fn records<'a>(
    segment: &SegmentFile,
    frame: &FrameAt,
    body: &'a [u8],
    mut each: impl FnMut(u64, CheckedRecord<'a>),
) -> Result<(), BadRecord> {
    let context = segment.context();
    let mut at = 0;
    for n in 0..u64::from(frame.header.count) {
        // The frame header checked that its last Seq does not overflow.
        let seq = Seq::new(frame.header.first.get() + n);
        let offset = frame.body() + at as u64;
        let rest = body.get(at..).unwrap_or_default();
        let checked = RawRecord::take(rest)
            .and_then(|raw| raw.check(&context, seq).map(|record| (raw.stored_len(), record)));
        match checked {
            Ok((len, record)) => {
                each(offset, record);
                at += len;
            }
            Err(error) => return Err(BadRecord { seq, offset, error }),
        }
    }
    if at == body.len() {
        return Ok(());
    }
    let found = format!("{} more bytes", body.len() - at);
    Err(BadRecord {
        seq: Seq::new(frame.header.end().get()),
        offset: frame.body() + at as u64,
        error: FormatError::mismatch("frame body", "its end", found),
    })
}

/// Reads the body of a frame.
///
/// # Errors
/// I/O, or `Corrupt` if the file ends before.
pub fn body<'a>(
    segment: &'a SegmentFile,
    frame: &FrameAt,
    scratch: &'a mut Scratch,
) -> Result<&'a [u8]> {
    let len = usize::try_from(frame.header.body_len).unwrap_or(usize::MAX);
    segment.read(frame.body(), len, scratch)
}

/// Walks all frames of a part of a segment that must be whole: from a position to an
/// offset, giving each record.
///
/// # Errors
/// I/O, or `Corrupt` at the first byte that is not as written.
pub fn walk(
    segment: &SegmentFile,
    from: Position,
    to: u64,
    mut each: impl FnMut(&FrameAt, u64, CheckedRecord<'_>),
) -> Result<Position> {
    let (mut at, mut head, mut scratch) = (from, Scratch::new(), Scratch::new());
    while at.offset < to {
        let frame =
            frame_at(segment, at, &mut head)?.map_err(Error::format(&segment.path, at.offset))?;
        let body = body(segment, &frame, &mut scratch)?;
        records(segment, &frame, body, |offset, record| each(&frame, offset, record))
            .map_err(|bad| Error::format(&segment.path, bad.offset)(bad.error))?;
        at = frame.next(segment.header.frame_align);
    }
    Ok(at)
}

/// How far a damaged frame is searched for the next whole one, at a time.
const SEARCH: usize = 1 << 20;

/// The next whole frame header of this segment behind a damaged one, below `end`.
///
/// # Errors
/// I/O.
pub fn next_frame(segment: &SegmentFile, at: Position, end: u64) -> Result<Option<Position>> {
    let mut scratch = Scratch::new();
    let mut from = at.offset + 1;
    while from < end {
        let bytes = segment.read_up_to(from, SEARCH + frame::LEN, &mut scratch)?;
        for start in 0..bytes.len().min(SEARCH) {
            let Some(candidate) = bytes[start..].first_chunk::<{ frame::LEN }>() else { break };
            if !candidate.starts_with(&frame::MAGIC) {
                continue;
            }
            let offset = from + start as u64;
            let header = FrameHeader::decode(candidate, &segment.header.nonce, offset);
            if let Ok(header) = header.as_ref()
                && header.first >= at.size
                && offset < end
            {
                return Ok(Some(Position { offset, size: header.first }));
            }
        }
        from += SEARCH as u64;
    }
    Ok(None)
}
