//! Reading: snapshots, single records and walks.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::event::{Anchor, Record, RecordKind};
use crate::format::body;
use crate::format::record::CheckedRecord;
use crate::log::search::{CancelToken, Matches};
use crate::log::view::{Entry, View};
use crate::merkle::TreeHead;
use crate::query::{Order, Query};
use crate::segment::locate::RecordCursor;
use crate::seq::{Seq, TreeSize};
use crate::time::Timestamp;
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
        self.with_record(seq, |_, record| self.decode(&record))?
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

    /// The records that a query asks for.
    ///
    /// # Errors
    /// A cursor that belongs to another query.
    pub fn query(&self, query: &Query) -> Result<Matches> {
        Matches::of(self, query)
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

    /// Decodes a record with its event.
    pub(crate) fn decode(&self, record: &CheckedRecord<'_>) -> Result<Record> {
        decode(&self.view, record).map_err(|reason| damaged(record.head.seq, reason))
    }
}

/// Where a query begins, by its cursor: not behind the end, or records would be skipped that
/// come later.
pub(crate) fn start_of(query: &Query, size: TreeSize) -> Result<Option<Seq>> {
    let refused = |reason: String| Error::InvalidOption { name: "cursor", reason };
    let start = query.start().map_err(|error| refused(error.to_string()))?;
    let end = match query.order {
        Order::NewestFirst => start.is_none_or(|seq| size.covers(seq)),
        Order::OldestFirst => start.is_none_or(|seq| seq.get() <= size.get()),
    };
    if end {
        return Ok(start);
    }
    let found = start.map_or(0, Seq::get);
    Err(refused(format!(
        "expected one within the {size} records of this log, found one that goes on at record \
         {found}: it is of another log, or of records that this one has lost or not read yet"
    )))
}

/// A record whose CRC is right and whose body is none: it was written so.
pub(crate) fn damaged(seq: Seq, reason: String) -> Error {
    Error::tampered(format!("record {seq}"), "a body of its schema", reason)
}

/// What to do about a segment that is being written and has a record that goes back.
pub(crate) const NOT_SEALED: &str = "the segment is not sealed and the log not written on; it can be read (read-only) and \
     verified: keep a copy of its directory, and restore it from a backup or begin another log";

/// A record whose `recorded_at` is before that of the record in front of it, in one segment: no
/// log writes that.
pub(crate) fn goes_back(seq: Seq, times: [Timestamp; 2], then: &str) -> Error {
    let [before, found] = times;
    let expected = format!("a time not before that of the record in front of it, {before}");
    let found = format!("{found}; {then}");
    Error::tampered(format!("recorded_at of record {seq}"), expected, found)
}

/// Decodes a checked record.
pub(crate) fn decode(
    view: &View,
    record: &CheckedRecord<'_>,
) -> std::result::Result<Record, String> {
    let (seq, recorded_at) = (record.head.seq, record.head.recorded_at);
    let leaf = record.leaf(view.algorithm);
    match RecordKind::from_code(record.head.kind) {
        Some(RecordKind::Event) => {
            let envelope = body::decode_envelope(record.head.schema, record.envelope)
                .map_err(|e| e.to_string())?;
            let opened = view.opener().open(record)?;
            let payload = opened.payload();
            let payload = payload.map(|bytes| body::decode_payload(record.head.schema, bytes));
            let payload = payload.transpose();
            let payload = payload.map_err(|e| e.to_string())?;
            let event = body::to_event(&envelope, payload.as_ref());
            let state = opened.state();
            Ok(Record::of_event(seq, recorded_at, leaf, event).with_payload(state))
        }
        Some(RecordKind::Anchor) => {
            let anchor = decode_anchor(record)?;
            Ok(Record::of_anchor(seq, recorded_at, leaf, anchor))
        }
        None => Err(format!("record kind {}", record.head.kind)),
    }
}

/// An anchor, in the one spelling that it has: it has no payload.
pub(crate) fn decode_anchor(record: &CheckedRecord<'_>) -> std::result::Result<Anchor, String> {
    match record.payload().len() {
        0 => body::decode_anchor_strict(record.envelope).map_err(|error| error.to_string()),
        len => Err(format!("an anchor: expected no payload, found one of {len} bytes")),
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
                let decoded = decode(&self.snapshot.view, &record)
                    .map_err(|reason| damaged(record.head.seq, reason))?;
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
