//! Reading: the segments as they were at one moment, single records and walks.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::event::Record;
use crate::format::record::CheckedRecord;
use crate::read::entry::SegmentEntry;
use crate::read::search::cancel::CancelToken;
use crate::read::segment_set::SegmentSet;
use crate::segment::locate::RecordCursor;
use crate::seq::{Seq, TreeSize};

/// The segments as they were at one moment: the records that a [`Snapshot`](crate::Snapshot) reads.
/// Cheap to take; later appends do not show in it.
#[derive(Clone, Debug)]
pub(crate) struct SegmentSnapshot {
    view: Arc<SegmentSet>,
    entries: Arc<Vec<SegmentEntry>>,
    size: TreeSize,
    cancel: Option<CancelToken>,
}

impl SegmentSnapshot {
    /// Records in it.
    pub(crate) fn size(&self) -> TreeSize {
        self.size
    }

    pub(crate) fn get(&self, seq: Seq) -> Result<Record> {
        self.with_record(seq, |_, record| self.view.decode(&record))?
    }

    /// Gives the checked bytes of a record.
    pub(crate) fn with_record<T>(
        &self,
        seq: Seq,
        read: impl FnOnce(u64, CheckedRecord<'_>) -> T,
    ) -> Result<T> {
        if !self.size.covers(seq) {
            return Err(Error::NotWritten { seq, size: self.size });
        }
        let mut cursor = self.view.cursor(&self.entries, seq, self.size)?;
        match cursor.next_record()? {
            Some((offset, record)) => Ok(read(offset, record)),
            None => Err(Error::NotWritten { seq, size: self.size }),
        }
    }

    /// Gives the checked bytes of `count` records from `first` on.
    pub(crate) fn with_records(
        &self,
        first: Seq,
        count: u16,
        mut read: impl FnMut(CheckedRecord<'_>),
    ) -> Result<()> {
        let (mut left, mut next) = (count, first);
        while left > 0 {
            if !self.size.covers(next) {
                return Err(Error::NotWritten { seq: next, size: self.size });
            }
            // To the end of its segment, then on in the following one.
            let mut cursor = self.view.cursor(&self.entries, next, self.size)?;
            while left > 0
                && let Some((_, record)) = cursor.next_record()?
            {
                read(record);
                left -= 1;
            }
            next = cursor.next_seq();
        }
        Ok(())
    }

    pub(crate) fn records_from(&self, seq: Seq) -> Records {
        Records { snapshot: self.clone(), next: seq, cursor: None, failed: false }
    }

    /// The same, whose searches end when the token is cancelled.
    pub(crate) fn cancelled_by(mut self, token: &CancelToken) -> Self {
        self.cancel = Some(token.clone());
        self
    }

    /// The same, without the records from a size on.
    pub(crate) fn up_to(&self, size: TreeSize) -> Self {
        SegmentSnapshot { size: self.size.min(size), ..self.clone() }
    }

    pub(crate) fn check_cancelled(&self) -> Result<()> {
        self.cancel.as_ref().map_or(Ok(()), CancelToken::check)
    }

    pub(crate) fn segment_set(&self) -> &Arc<SegmentSet> {
        &self.view
    }

    pub(crate) fn entries(&self) -> &[SegmentEntry] {
        &self.entries
    }

    /// Size of the log at the end of a segment, as far as the snapshot goes.
    pub(crate) fn end_of(&self, entry: &SegmentEntry) -> TreeSize {
        let at = self.entries.partition_point(|other| other.first <= entry.first);
        self.entries.get(at).map_or(self.size, |next| next.first.min(self.size))
    }

    /// A cursor over all records of a segment; `None` if there are none left. A drop that was
    /// begun and is not done may be called off yet: what is still there of its segment counts.
    pub(crate) fn cursor_over(&self, entry: &SegmentEntry) -> Result<Option<RecordCursor>> {
        let (first, end) = (entry.first.next_seq(), self.end_of(entry));
        if entry.first >= end {
            return Ok(None);
        }
        if !entry.is_gone() {
            return self.view.cursor(&self.entries, first, end).map(Some);
        }
        if !entry.is_dropping() {
            return Ok(None);
        }
        match self.view.open_sealed(entry) {
            Ok(open) => {
                RecordCursor::at(Arc::clone(&open.segment), &open.waypoints, first, end).map(Some)
            }
            // The file is gone by now. One that is damaged may be mended, and the drop called off.
            Err(Error::Expired { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl SegmentSet {
    /// The segments as they are now.
    pub(crate) fn snapshot(self: &Arc<Self>) -> SegmentSnapshot {
        // The size first: the list that is read after it covers it.
        let size = self.size();
        SegmentSnapshot { view: Arc::clone(self), entries: self.entries(), size, cancel: None }
    }
}

/// Walks records upwards; see [`Snapshot::records_from`](crate::Snapshot::records_from).
#[derive(Debug)]
pub struct Records {
    snapshot: SegmentSnapshot,
    next: Seq,
    cursor: Option<RecordCursor>,
    failed: bool,
}

impl Records {
    fn step(&mut self) -> Result<Option<Record>> {
        while self.snapshot.size.covers(self.next) {
            if self.cursor.is_none() {
                let SegmentSnapshot { view, entries, size, .. } = &self.snapshot;
                self.cursor = Some(view.cursor(entries, self.next, *size)?);
            }
            let Some(cursor) = &mut self.cursor else { return Ok(None) };
            if let Some((_, record)) = cursor.next_record()? {
                let decoded = self.snapshot.view.decode(&record)?;
                self.next = cursor.next_seq();
                return Ok(Some(decoded));
            }
            self.cursor = None;
        }
        Ok(None)
    }
}

impl Iterator for Records {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let step = self.step();
        self.failed = step.is_err();
        step.transpose()
    }
}
