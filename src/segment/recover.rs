//! Finds the end of a segment that was not sealed.
//!
//! Only the last segment may end in a torn frame, and only above what later frames
//! say was durable. Everything else that does not check is damage (`Corrupt`).

use std::path::Path;

use crate::disk::{Disk, DiskFile, read_exact_at, read_file, replace_file};
use crate::error::{Error, Result};
use crate::format::FormatError;
use crate::format::frame::{self, FrameHeader};
use crate::format::record::CheckedRecord;
use crate::segment::bytes::{Scratch, SegmentFile, used_bytes};
use crate::segment::scan::{self, FrameAt, Position};
use crate::seq::TreeSize;

/// How the last segment of a stream ends.
#[derive(Clone, Debug)]
pub struct Tail {
    /// Where the next frame goes.
    pub end: Position,
    /// Bytes behind the last whole frame that are not zeros, if there are any.
    pub torn: Option<Torn>,
}

/// What a crash left of frames that were never acknowledged.
#[derive(Clone, Debug)]
pub struct Torn {
    /// Length in bytes, up to the last one that is not zero.
    pub len: u64,
    /// Why it is not a frame.
    pub reason: FormatError,
}

const CHUNK: usize = 1 << 18;
/// Bytes of one quarantine file.
const PART: u64 = 32 << 20;

/// Walks the last segment from a position to its end, giving each record.
///
/// # Errors
/// I/O; `Corrupt` if what does not check was durable once.
pub fn last(
    segment: &SegmentFile,
    from: Position,
    mut each: impl FnMut(&FrameAt, u64, CheckedRecord<'_>),
) -> Result<Tail> {
    let (mut at, mut head, mut scratch) = (from, Scratch::new(), Scratch::new());
    let len = segment.file_len()?;
    let reason = loop {
        let frame = match scan::frame_at(segment, at, &mut head)? {
            Ok(frame) if frame.offset + frame.header.frame_len() <= len => frame,
            Ok(frame) => {
                let what = "frame body";
                let expected = format!("{} bytes", frame.header.body_len);
                break FormatError::mismatch(what, expected, "the end of the file");
            }
            // A crash tears frames; it does not write headers that contradict what they follow.
            Err(reason) if scan::is_written_header(segment, at.offset)? => {
                return Err(Error::format(&segment.path, at.offset)(reason));
            }
            Err(reason) => break reason,
        };
        let body = scan::body(segment, &frame, &mut scratch)?;
        // First a pass that only checks: a frame counts whole or not at all.
        if let Err(bad) = scan::records(segment, &frame, body, |_, _| ()) {
            if let newer @ FormatError::Newer { .. } = bad.error {
                return Err(Error::format(&segment.path, bad.offset)(newer));
            }
            break bad.error;
        }
        scan::records(segment, &frame, body, |offset, record| each(&frame, offset, record))
            .map_err(|bad| Error::format(&segment.path, bad.offset)(bad.error))?;
        at = frame.next(segment.header.frame_align);
    };
    let used = used_bytes(&**segment.file(), &segment.path, at.offset)?;
    if used == 0 {
        return Ok(Tail { end: at, torn: None });
    }
    refuse_if_durable(segment, at, used, &reason)?;
    Ok(Tail { end: at, torn: Some(Torn { len: used, reason }) })
}

/// Walks a segment that has a successor: it must hold exactly the records up to
/// `size`. Gives the end of its frames.
///
/// # Errors
/// I/O; `Corrupt` at the first byte that is not as written.
pub fn complete(
    segment: &SegmentFile,
    from: Position,
    size: TreeSize,
    mut each: impl FnMut(&FrameAt, u64, CheckedRecord<'_>),
) -> Result<Position> {
    let mut at = from;
    let mut head = Scratch::new();
    while at.size < size {
        let frame = scan::frame_at(segment, at, &mut head)?
            .map_err(Error::format(&segment.path, at.offset))?;
        let next = frame.next(segment.header.frame_align);
        at = scan::walk(segment, at, next.offset, &mut each)?;
    }
    // Watermarks may follow.
    while let Ok(frame) = scan::frame_at(segment, at, &mut head)? {
        at = frame.next(segment.header.frame_align);
    }
    if at.size == size {
        return Ok(at);
    }
    let expected = format!("records up to {size}, where the next segment begins");
    Err(Error::corrupt(&segment.path, at.offset, expected, format!("records up to {}", at.size)))
}

/// A later frame of this segment that was written when the bytes at `at` were
/// already durable shows that they are damaged, not torn.
fn refuse_if_durable(
    segment: &SegmentFile,
    at: Position,
    used: u64,
    reason: &FormatError,
) -> Result<()> {
    let mut scratch = Scratch::new();
    let end = at.offset + used;
    let mut from = at.offset + 1;
    while from < end {
        let bytes = segment.read_up_to(from, CHUNK + frame::LEN, &mut scratch)?;
        for start in magic_positions(bytes).take_while(|start| *start < CHUNK) {
            let offset = from + start as u64;
            let Some(header) = decode_at(segment, bytes.get(start..), offset) else { continue };
            if header.durable > at.size {
                return Err(Error::corrupt(
                    &segment.path,
                    at.offset,
                    format!(
                        "the frame of record {}, which was durable before the frame at {offset}",
                        at.size
                    ),
                    reason.to_string(),
                ));
            }
        }
        from += CHUNK as u64;
    }
    Ok(())
}

fn magic_positions(bytes: &[u8]) -> impl Iterator<Item = usize> + '_ {
    let candidates = bytes.windows(frame::MAGIC.len()).enumerate();
    candidates.filter(|(_, window)| *window == frame::MAGIC).map(|(start, _)| start)
}

fn decode_at(segment: &SegmentFile, bytes: Option<&[u8]>, offset: u64) -> Option<FrameHeader> {
    let bytes = bytes?.first_chunk::<{ frame::LEN }>()?;
    FrameHeader::decode(bytes, &segment.header.nonce, offset).ok()
}

/// Copies bytes of a file (offset and length) to a new file in the quarantine, durably;
/// gives its name: `name`, or one made of it if that holds other bytes.
///
/// Done again after a crash in the middle, it gives the same result.
///
/// # Errors
/// I/O.
pub fn copy_aside(
    disk: &dyn Disk,
    quarantine: &Path,
    name: &str,
    from: (&dyn DiskFile, &Path),
    place: (u64, u64),
) -> Result<String> {
    let ((file, path), (at, len)) = (from, place);
    let part_len = len.min(PART);
    let mut bytes = vec![0; usize::try_from(part_len).unwrap_or(0)];
    read_exact_at(file, &mut bytes, at).map_err(Error::io("read", path))?;
    let first = keep(disk, quarantine, name, &bytes)?;
    // A file that somebody made huge is kept in parts, without its holes.
    let mut done = part_len;
    while done < len {
        bytes.truncate(usize::try_from(len - done).unwrap_or(bytes.len()));
        read_exact_at(file, &mut bytes, at + done).map_err(Error::io("read", path))?;
        if bytes.iter().any(|byte| *byte != 0) {
            keep(disk, quarantine, &format!("{name}+{done}"), &bytes)?;
        }
        done += bytes.len() as u64;
    }
    Ok(first)
}

/// Puts bytes into a new file in the quarantine; as [`copy_aside`].
///
/// # Errors
/// I/O.
pub fn keep(disk: &dyn Disk, quarantine: &Path, name: &str, bytes: &[u8]) -> Result<String> {
    let mut file = name.to_owned();
    for n in 2_u64.. {
        let to = quarantine.join(&file);
        let exists = disk.exists(&to).map_err(Error::io("look for", &to))?;
        // The same bytes may be there and not be durable: they are written again.
        if !exists || read_file(disk, &to, bytes.len() as u64).is_ok_and(|kept| kept == bytes) {
            replace_file(disk, &to, bytes).map_err(Error::io("set aside to", &to))?;
            break;
        }
        file = format!("{name}.{n}");
    }
    Ok(file)
}

/// Syncs a file and drops the system's cache of it from an offset on: recovery reads what
/// the device holds, not what memory pretends after a failed sync.
///
/// # Errors
/// I/O.
pub fn sync_and_forget(file: &dyn DiskFile, path: &Path, from: u64) -> Result<()> {
    file.sync_data().map_err(Error::sync(path))?;
    let len = file.len().map_err(Error::io("stat", path))?.saturating_sub(from);
    file.drop_cache(from, len).map_err(Error::io("drop the cache of", path))
}
