//! Turns an active segment into a sealed one, and opens sealed ones.

use std::path::Path;
use std::sync::Arc;

use crate::disk::{Disk, Open};
use crate::error::{Error, Result};
use crate::format::LogId;
use crate::format::catalog_body::Sealed;
use crate::format::footer::{self, SegmentFooter, TimeRange, Waypoint};
use crate::hash::Hash;
use crate::segment::bytes::{Scratch, SegmentFile};
use crate::segment::locate::Waypoints;
use crate::segment::scan::Position;
use crate::seq::TreeSize;
use crate::time::Timestamp;

/// What the footer says beside the place of things.
#[derive(Clone, Debug)]
pub struct SealFacts {
    /// Times of its records.
    pub times: TimeRange,
    /// Root of the tree at its end.
    pub end_root: Hash,
    /// Root of the logical index; zeros: none.
    pub index_root: Hash,
    /// Size of the newest tree that ends in an anchor; 0: none.
    pub last_anchor: TreeSize,
    /// Not to be dropped before; 0: no policy.
    pub keep_until: Timestamp,
    /// Now.
    pub sealed_at: Timestamp,
}

/// Writes table and footer behind the last frame, cuts off the unused rest and syncs.
///
/// Done again after a crash in the middle, it gives the same segment.
///
/// # Errors
/// `DiskFull` (the records are safe; try again), I/O.
pub fn seal(
    segment: &SegmentFile,
    end: Position,
    waypoints: &[Waypoint],
    facts: &SealFacts,
) -> Result<SegmentFooter> {
    let header = &segment.header;
    let table = Waypoint::encode_table(waypoints);
    let footer = SegmentFooter {
        log_id: header.log_id,
        ordinal: header.ordinal,
        first: header.first,
        count: end.size.get() - header.first.get(),
        frames_end: end.offset,
        table_offset: end.offset,
        table_count: u32::try_from(waypoints.len()).unwrap_or(u32::MAX),
        table_crc: crc32fast::hash(&table),
        times: facts.times,
        end_root: facts.end_root,
        index_root: facts.index_root,
        last_anchor: facts.last_anchor,
        keep_until: facts.keep_until,
        sealed_at: facts.sealed_at,
    };
    let mut block = table;
    block.extend_from_slice(&footer.encode());
    let file = segment.file();
    let sealed_len = end.offset + block.len() as u64;
    let written = file
        .write_at(&block, end.offset)
        .and_then(|()| file.set_len(sealed_len))
        .and_then(|()| file.sync_data());
    // Also if the sync failed: the frames were durable before, and all else is written again.
    written.map_err(Error::growing("seal", &segment.path, block.len() as u64))?;
    Ok(footer)
}

/// What the catalog records of a sealed segment.
pub fn catalog_entry(segment: &SegmentFile, footer: &SegmentFooter, bytes: u64) -> Sealed {
    let (recorded, occurred) = (footer.times.recorded, footer.times.occurred);
    Sealed {
        ordinal: footer.ordinal,
        first: footer.first.get(),
        count: footer.count,
        bytes,
        times: [recorded.0, recorded.1, occurred.0, occurred.1].map(Timestamp::as_nanos),
        end_root: *footer.end_root.as_bytes(),
        header: *segment.header.digest().as_bytes(),
        index_root: *footer.index_root.as_bytes(),
        keep_until: footer.keep_until.as_nanos(),
        status: 0,
    }
}

/// A sealed segment, open for reading.
#[derive(Debug)]
pub struct SealedSegment {
    /// The file, mapped if that was asked for and possible.
    pub segment: Arc<SegmentFile>,
    /// Its footer.
    pub footer: SegmentFooter,
    /// Where its records stand.
    pub waypoints: Waypoints,
    /// Size of the file in bytes.
    pub bytes: u64,
}

impl SealedSegment {
    /// Opens a sealed segment; `None` if the file has no footer.
    ///
    /// # Errors
    /// I/O; damage of header or footer.
    pub fn open(disk: &dyn Disk, path: &Path, map: bool) -> Result<Option<Self>> {
        let Some(mut segment) = SegmentFile::open(disk, path, Open::Read)? else {
            return Ok(None);
        };
        let bytes = segment.file_len()?;
        let Some(footer) = read_footer(&segment, bytes)? else { return Ok(None) };
        if map {
            segment.map(bytes)?;
        }
        let mut scratch = Scratch::new();
        let table_len = bytes - footer::LEN as u64 - footer.table_offset;
        let table_len = usize::try_from(table_len).unwrap_or(usize::MAX);
        let table = segment.read(footer.table_offset, table_len, &mut scratch)?;
        let waypoints = if crc32fast::hash(table) == footer.table_crc {
            Waypoints::from_table(Waypoint::decode_table(table))
        } else {
            // Derived from the frames: made again from them when it is first needed.
            let end = Position { offset: footer.frames_end, size: footer.end() };
            Waypoints::above(footer.count, Some(end))
        };
        Ok(Some(SealedSegment { segment: Arc::new(segment), footer, waypoints, bytes }))
    }
}

/// The footer of a segment; `None` if its last bytes are not one.
///
/// # Errors
/// I/O; a footer that is not of this segment, or of a newer version.
pub fn read_footer(segment: &SegmentFile, len: u64) -> Result<Option<SegmentFooter>> {
    let Some(at) = len.checked_sub(footer::LEN as u64) else { return Ok(None) };
    let mut scratch = Scratch::new();
    let bytes = segment.read(at, footer::LEN, &mut scratch)?;
    let Some(bytes) = bytes.first_chunk::<{ footer::LEN }>() else { return Ok(None) };
    let footer = match SegmentFooter::decode(bytes, len) {
        Ok(footer) => footer,
        Err(newer @ crate::format::FormatError::Newer { .. }) => {
            return Err(Error::format(&segment.path, at)(newer));
        }
        Err(_) => return Ok(None),
    };
    let header = &segment.header;
    let own = (header.log_id, header.ordinal, header.first);
    if (footer.log_id, footer.ordinal, footer.first) == own {
        return Ok(Some(footer));
    }
    let name = |(log_id, ordinal, first): (LogId, u64, TreeSize)| {
        format!("the footer of segment {ordinal} from record {first}, of log {log_id}")
    };
    let (expected, found) = (name(own), name((footer.log_id, footer.ordinal, footer.first)));
    Err(Error::corrupt(&segment.path, at, expected, found))
}
