//! Single records of the catalog, and the state as it was: what proofs are made of.

use crate::catalog::{Catalog, load};
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
    /// of them (1 MiB) the frames up to the record.
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
        self.walk(&segment, |record| {
            if record.head.seq == seq {
                given = read.take().map(|read| read(record));
            }
            record.head.seq < seq
        })?;
        let missing = || Error::corrupt(&segment.path, 0, format!("catalog record {seq}"), "none");
        given.ok_or_else(missing)
    }

    /// Gives the checked bytes of `count` records from `first` on, at the cost of
    /// [`Catalog::with_record`] and of every further segment that they reach into.
    ///
    /// # Errors
    /// As [`Catalog::with_record`].
    pub(crate) fn with_records(
        &self,
        first: Seq,
        count: u16,
        mut read: impl FnMut(CheckedRecord<'_>),
    ) -> Result<()> {
        let past = first.get().saturating_add(count.into());
        let mut next = first;
        while next.get() < past {
            if !self.size().covers(next) {
                return Err(Error::NotWritten { seq: next, size: self.size() });
            }
            let (segment, wanted) = (self.segment_of(next)?, next.get());
            self.walk(&segment, |record| {
                if (wanted..past).contains(&record.head.seq.get()) {
                    next = Seq::new(record.head.seq.get() + 1);
                    read(record);
                }
                next.get() < past
            })?;
            if next.get() == wanted {
                let expected = format!("catalog record {next}");
                return Err(Error::corrupt(&segment.path, 0, expected, "none"));
            }
        }
        Ok(())
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
            self.walk(&segment, |record| {
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
    fn segment_of(&self, seq: Seq) -> Result<SegmentFile> {
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
        found.ok_or_else(missing)
    }

    /// Gives the records of a segment while they are asked for, up to its end or that of
    /// the catalog as it was read.
    fn walk(
        &self,
        segment: &SegmentFile,
        mut each: impl FnMut(CheckedRecord<'_>) -> bool,
    ) -> Result<()> {
        let header = &segment.header;
        let mut at = Position { offset: header.first_frame(), size: header.first };
        let (mut head, mut scratch, mut wanted) = (Scratch::new(), Scratch::new(), true);
        while wanted && at.size < self.size() {
            // The end of a segment that has a successor.
            let Ok(frame) = scan::frame_at(segment, at, &mut head)? else { return Ok(()) };
            let body = scan::body(segment, &frame, &mut scratch)?;
            scan::records(segment, &frame, body, |_, record| wanted = wanted && each(record))
                .map_err(|bad| Error::format(&segment.path, bad.offset)(bad.error))?;
            at = frame.next(header.frame_align);
        }
        Ok(())
    }
}
