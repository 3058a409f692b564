//! Single records of the catalog, and the state as it was: what proofs are made of.

use std::sync::Arc;

use super::load;
use super::store::Catalog;
use crate::disk::Open;
use crate::error::{Error, Result};
use crate::format::catalog_body::{CatalogBody, StateMap};
use crate::format::record::CheckedRecord;
use crate::merkle::TreeHead;
use crate::segment::bytes::{Scratch, SegmentFile};
use crate::segment::scan::{self, Position};
use crate::seq::{Seq, TreeSize};
use crate::tree::TreeStore;

impl Catalog {
    /// Its tree head: size and root.
    ///
    /// # Errors
    /// I/O.
    pub fn head(&self) -> Result<TreeHead> {
        Ok(TreeHead { size: self.size(), root: self.root_at(self.size())? })
    }

    /// Its tree, always SHA-256.
    pub(crate) fn tree(&self) -> &TreeStore {
        &self.tree
    }

    /// Gives the checked bytes of a record. Reads the headers of a few segments, and of one
    /// of them (1 MiB) the frames up to the record, from the last place that is known.
    ///
    /// # Errors
    /// `NotWritten` beyond the end; I/O, damage.
    pub(crate) fn with_record<T>(
        &self,
        seq: Seq,
        read: impl FnOnce(CheckedRecord<'_>) -> T,
    ) -> Result<T> {
        if !self.size().covers(seq) {
            return Err(Error::NotWritten { seq, size: self.size() });
        }
        let segment = self.segment_of(seq)?;
        let (mut read, mut given) = (Some(read), None);
        let mut look_from = |place| -> Result<Option<T>> {
            self.walk(&segment, place, |record| {
                if record.head.seq == seq {
                    given = read.take().map(|read| read(record));
                }
                record.head.seq < seq
            })?;
            Ok(given.take())
        };
        let start = start_of(&segment);
        let given = match self.places.before(segment.header.ordinal, seq) {
            // Only the bytes tell what stands at a place.
            Some(place) => match look_from(place) {
                Ok(Some(given)) => Ok(Some(given)),
                _ => look_from(start),
            },
            None => look_from(start),
        }?;
        let missing = || Error::corrupt(&segment.path, 0, format!("catalog record {seq}"), "none");
        given.ok_or_else(missing)
    }

    /// What was in force after the first `size` records. Replays them, unless none came
    /// after: time and reads grow with the catalog.
    ///
    /// # Errors
    /// I/O, damage.
    pub(crate) fn state_at(&self, size: TreeSize) -> Result<StateMap> {
        if size == self.size() {
            return Ok(self.state().clone());
        }
        let mut state = StateMap::default();
        for ordinal in self.ordinals()? {
            let Some(segment) = self.open_segment(ordinal)? else { break };
            if segment.header.first >= size {
                break;
            }
            let mut applied = Ok(());
            self.walk(&segment, start_of(&segment), |record| {
                let decoded = CatalogBody::decode(record.head.kind, record.envelope);
                if size.covers(record.head.seq) {
                    applied = decoded.and_then(|(_, body)| state.apply(record.head.seq, &body));
                }
                applied.is_ok() && record.head.seq.covering_size().is_some_and(|end| end < size)
            })?;
            applied.map_err(Error::format(&segment.path, 0))?;
        }
        Ok(state)
    }

    fn ordinals(&self) -> Result<Vec<u64>> {
        load::ordinals(&*self.disk, self.segment.path.parent().unwrap_or(&self.dir))
    }

    fn open_segment(&self, ordinal: u64) -> Result<Option<SegmentFile>> {
        let dir = self.segment.path.parent().unwrap_or(&self.dir);
        SegmentFile::open(&*self.disk, &crate::segment::path(dir, ordinal), Open::Read)
    }

    /// The segment with a record: the last that begins at or before it.
    fn segment_of(&self, seq: Seq) -> Result<Arc<SegmentFile>> {
        if self.segment.header.first.get() <= seq.get() {
            return Ok(Arc::clone(&self.segment));
        }
        let ordinals = self.ordinals()?;
        let (mut below, mut above, mut found) = (0, ordinals.len(), None);
        while below < above {
            let middle = below + (above - below) / 2;
            let opened = match ordinals.get(middle) {
                Some(ordinal) => self.open_segment(*ordinal)?,
                None => None,
            };
            // One that was made ahead and holds nothing stands behind all others.
            match opened.filter(|segment| segment.header.first.get() <= seq.get()) {
                Some(segment) => (below, found) = (middle + 1, Some(segment)),
                None => above = middle,
            }
        }
        let missing = || {
            let what = format!("a catalog segment with record {seq}");
            Error::corrupt(self.segment.path.parent().unwrap_or(&self.dir), 0, what, "none")
        };
        found.map(Arc::new).ok_or_else(missing)
    }

    /// Gives the records of a segment from a place on while they are asked for, up to its end
    /// or that of the catalog as it was read.
    fn walk(
        &self,
        segment: &SegmentFile,
        mut at: Position,
        mut each: impl FnMut(CheckedRecord<'_>) -> bool,
    ) -> Result<()> {
        let header = &segment.header;
        let (mut head, mut scratch, mut wanted) = (Scratch::new(), Scratch::new(), true);
        while wanted && at.size < self.size() {
            // The end of a segment that has a successor.
            let Ok(frame) = scan::frame_at(segment, at, &mut head)? else { return Ok(()) };
            let body = scan::body(segment, &frame, &mut scratch)?;
            scan::records(segment, &frame, body, |_, record| wanted = wanted && each(record))
                .map_err(|bad| Error::format(&segment.path, bad.offset)(bad.error))?;
            self.places.note(header.ordinal, at);
            at = frame.next(header.frame_align);
        }
        Ok(())
    }
}

/// Where the first record of a segment stands.
fn start_of(segment: &SegmentFile) -> Position {
    Position { offset: segment.header.first_frame(), size: segment.header.first }
}
