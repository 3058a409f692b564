//! Reading: snapshots, single records and walks.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::event::Record;
use crate::format::record::CheckedRecord;
use crate::log::entry::Entry;
use crate::log::search::cancel::CancelToken;
use crate::log::view::View;
use crate::merkle::TreeHead;
use crate::segment::locate::RecordCursor;
use crate::seq::{Seq, TreeSize};
use crate::tree::TreeStore;

/// The log as it was at one moment. Cheap to take; later appends do not show in it.
#[derive(Clone, Debug)]
pub struct Snapshot {
    view: Arc<View>,
    entries: Arc<Vec<Entry>>,
    size: TreeSize,
    tree: Option<Arc<TreeStore>>,
    cancel: Option<CancelToken>,
}

impl Snapshot {
    pub(crate) fn new(
        view: Arc<View>,
        entries: Arc<Vec<Entry>>,
        size: TreeSize,
        tree: Option<Arc<TreeStore>>,
    ) -> Self {
        Snapshot { view, entries, size, tree, cancel: None }
    }

    /// Records in it.
    pub fn size(&self) -> TreeSize {
        self.size
    }

    /// Its tree head: size and root.
    ///
    /// # Errors
    /// I/O, damaged hash files.
    pub fn head(&self) -> Result<TreeHead> {
        Ok(TreeHead { size: self.size, root: self.tree()?.root_at(self.size)? })
    }

    pub(crate) fn tree(&self) -> Result<&Arc<TreeStore>> {
        self.tree.as_ref().ok_or_else(|| Error::InvalidOption {
            name: "snapshot",
            reason: "expected one with its tree, found one without: take it with \
                     `snapshot_with_tree`"
                .to_owned(),
        })
    }

    /// The record with this Seq.
    ///
    /// # Errors
    /// `NotWritten` beyond the end; `Expired` if it was dropped; `Corrupt` if it is damaged; I/O.
    pub fn get(&self, seq: Seq) -> Result<Record> {
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

    /// All records from this one on, oldest first.
    pub fn records_from(&self, seq: Seq) -> Records {
        Records { snapshot: self.clone(), next: seq, cursor: None, failed: false }
    }

    /// The same snapshot, whose searches end when the token is cancelled.
    #[must_use]
    pub fn cancelled_by(mut self, token: &CancelToken) -> Self {
        self.cancel = Some(token.clone());
        self
    }

    /// The same, without the records from a size on.
    pub(crate) fn up_to(&self, size: TreeSize) -> Self {
        Snapshot { size: self.size.min(size), ..self.clone() }
    }

    pub(crate) fn check_cancelled(&self) -> Result<()> {
        self.cancel.as_ref().map_or(Ok(()), CancelToken::check)
    }

    pub(crate) fn view(&self) -> &Arc<View> {
        &self.view
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Size of the log at the end of a segment, as far as the snapshot goes.
    pub(crate) fn end_of(&self, entry: &Entry) -> TreeSize {
        let at = self.entries.partition_point(|other| other.first <= entry.first);
        self.entries.get(at).map_or(self.size, |next| next.first.min(self.size))
    }

    /// A cursor over all records of a segment; `None` if there are none left. A drop that was
    /// begun and is not done may be called off yet: what is still there of its segment counts.
    pub(crate) fn cursor_over(&self, entry: &Entry) -> Result<Option<RecordCursor>> {
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

impl View {
    /// The present state, to read from.
    pub(crate) fn snapshot(self: &Arc<Self>, tree: Option<Arc<TreeStore>>) -> Snapshot {
        // The size first: the list that is read after it covers it.
        let size = self.size();
        Snapshot::new(Arc::clone(self), self.entries(), size, tree)
    }

    /// The state at an earlier size, with a tree that was made for it.
    pub(crate) fn snapshot_at(self: &Arc<Self>, size: TreeSize, tree: Arc<TreeStore>) -> Snapshot {
        Snapshot::new(Arc::clone(self), self.entries(), size, Some(tree))
    }
}

/// Walks records upwards; see [`Snapshot::records_from`].
#[derive(Debug)]
pub struct Records {
    snapshot: Snapshot,
    next: Seq,
    cursor: Option<RecordCursor>,
    failed: bool,
}

impl Records {
    fn step(&mut self) -> Result<Option<Record>> {
        while self.snapshot.size.covers(self.next) {
            if self.cursor.is_none() {
                let Snapshot { view, entries, size, .. } = &self.snapshot;
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
