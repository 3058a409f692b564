//! The files of a catalog segment, begun or taken up again.

use std::path::Path;
use std::sync::Arc;

use super::files::copies;
use crate::disk::{Disk, Open};
use crate::error::{Error, Result};
use crate::format::header::{CATALOG_VERSION, SegmentHeader};
use crate::format::{LogId, Stream};
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::Frontier;
use crate::random;
use crate::segment::active::{Active, PreallocatedSegment};
use crate::segment::bytes::SegmentFile;
use crate::segment::scan::Position;
use crate::seq::TreeSize;
use crate::time::Timestamp;

pub(super) fn begin_header(
    log_id: LogId,
    frontier: &Frontier,
    ordinal: u64,
    previous: Hash,
    now: Timestamp,
) -> Result<SegmentHeader> {
    Ok(SegmentHeader {
        format_version: CATALOG_VERSION,
        stream: Stream::Catalog,
        algorithm: HashAlgorithm::Sha256,
        frame_align: 1,
        log_id,
        ordinal,
        first: frontier.size(),
        created_at: now,
        nonce: random::random_16()?,
        start_root: frontier.root(),
        previous,
        last_anchor: TreeSize::ZERO,
    })
}

pub(super) fn begin(disk: &dyn Disk, dir: &Path, header: &SegmentHeader) -> Result<Vec<Active>> {
    let begun = copies(dir).map(|copy| {
        PreallocatedSegment::create(disk, &copy, header.ordinal)
            .map(|ahead| Active::begin(ahead, header.clone()))
    });
    begun.into_iter().collect()
}

/// Opens the segment for writing in both copies, at the end that was read.
pub(super) fn resume(
    disk: &dyn Disk,
    dir: &Path,
    read: &SegmentFile,
    end: Position,
) -> Result<Vec<Active>> {
    let resumed = copies(dir).map(|copy| {
        let path = crate::segment::path(&copy, read.header.ordinal);
        let file = disk.open(&path, Open::ReadWrite).map_err(Error::io("open", &path))?;
        let segment = SegmentFile::begun(path, read.header.clone(), file);
        let times = crate::format::footer::TimeRange::EMPTY;
        Active::resume(Arc::new(segment), end, times, Arc::default())
    });
    resumed.into_iter().collect()
}
