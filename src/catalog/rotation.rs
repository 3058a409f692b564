//! Where the next record goes: the segment that is written, once in each copy.

use std::path::Path;
use std::sync::Arc;

use super::{Catalog, copies};
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

/// Where the next record goes.
pub(super) struct Place {
    active: Vec<Active>,
    segment: Arc<SegmentFile>,
    end: Position,
    durable_until: (u64, u64),
}

impl Catalog {
    /// Begins a segment, for a record that is written under the same lock: its header comes
    /// with that, and until then nobody else knows of it. Gives the place before.
    pub(super) fn rotate(&mut self, version: u16) -> Result<Place> {
        let before = &self.segment.header;
        let (ordinal, digest) = (before.ordinal + 1, before.digest());
        let format_version = version.max(before.format_version).max(CATALOG_VERSION);
        let frontier = self.tree.frontier();
        let header = begin_header(self.log_id, &frontier, ordinal, digest, self.clock.now())?;
        let header = SegmentHeader { format_version, ..header };
        let active = begin(&*self.disk, &self.dir, &header)?;
        let (segment, end) = (Arc::clone(&active[0].segment), active[0].end);
        Ok(Place {
            active: std::mem::replace(&mut self.active, active),
            segment: std::mem::replace(&mut self.segment, segment),
            end: std::mem::replace(&mut self.end, end),
            durable_until: std::mem::replace(&mut self.durable_until, (ordinal, end.offset)),
        })
    }

    /// Nothing was written in the new segment: others may go on in the one before.
    pub(super) fn go_back(&mut self, place: Place) {
        let Place { active, segment, end, durable_until } = place;
        (self.active, self.segment) = (active, segment);
        (self.end, self.durable_until) = (end, durable_until);
    }
}

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
