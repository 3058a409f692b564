//! Where the next record goes: the segment that is written, once in each copy.

use std::sync::Arc;

use super::begin::{begin, begin_header};
use super::store::Catalog;
use crate::error::Result;
use crate::format::header::{CATALOG_VERSION, SegmentHeader};
use crate::segment::active::Active;
use crate::segment::bytes::SegmentFile;
use crate::segment::scan::Position;

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
