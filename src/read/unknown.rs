//! Records of which a log without its catalog cannot tell what became of them.
//!
//! Segments say themselves where they begin. What lies between two of them was dropped, or
//! somebody removed it: only the catalog knows.

use crate::directory::LogDir;
use crate::disk::Open;
use crate::error::{Error, Result};
use crate::format::names;
use crate::read::entry::SegmentEntry;
use crate::segment::bytes::SegmentFile;
use crate::seq::{Seq, TreeSize};

/// Puts an entry of its own wherever records are missing before, between or behind segments, so
/// that whoever asks for one of them is told that it is unknown.
pub(crate) fn with_unknown(mut entries: Vec<SegmentEntry>, end: TreeSize) -> Vec<SegmentEntry> {
    entries.sort_unstable_by_key(|entry| entry.ordinal);
    let (mut all, mut next) = (Vec::with_capacity(entries.len()), (1, TreeSize::ZERO));
    for entry in entries {
        all.extend((entry.first > next.1).then(|| unknown(next)));
        // What is not sealed goes as far as the next one.
        let sealed = entry.sealed.as_ref();
        let size = sealed.map(|s| TreeSize::new(s.first.saturating_add(s.count)));
        next = (entry.ordinal.saturating_add(1), size.unwrap_or(TreeSize::new(u64::MAX)));
        all.push(entry);
    }
    all.extend((end > next.1).then(|| unknown(next)));
    all
}

fn unknown((ordinal, first): (u64, TreeSize)) -> SegmentEntry {
    SegmentEntry { ordinal, first, open: None, sealed: None }
}

/// Number and first record of the first segment behind an ordinal that has a header.
///
/// # Errors
/// I/O; a header that is damaged.
pub(crate) fn next_begun(dir: &LogDir, after: u64) -> Result<Option<(u64, TreeSize)>> {
    let segments = dir.segments();
    let names = dir.disk().list(&segments).map_err(Error::io("list", &segments))?;
    let ordinals = names.iter().filter_map(|name| names::parse_segment(name));
    let mut ordinals: Vec<u64> = ordinals.filter(|ordinal| *ordinal > after).collect();
    ordinals.sort_unstable();
    for ordinal in ordinals {
        let path = dir.segment(ordinal);
        if let Some(segment) = SegmentFile::open(dir.disk(), &path, Open::Read)? {
            return Ok(Some((ordinal, segment.header.first)));
        }
    }
    Ok(None)
}

/// That nobody can tell whether this record was dropped or lost.
pub(crate) fn cannot_tell(seq: Seq) -> Error {
    let reason = format!(
        "nobody can tell whether record {seq} was dropped or lost, as no segment that is there \
         holds it; run `bulla verify`, and restore a copy of the catalog from a backup"
    );
    Error::CatalogDamaged { reason }
}
