//! Reading: snapshots, single records, walks and queries by scan.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::event::{Anchor, Record, RecordKind};
use crate::format::body;
use crate::format::record::CheckedRecord;
use crate::hash::HashAlgorithm;
use crate::log::view::{Entry, View};
use crate::merkle::TreeHead;
use crate::query::{Order, Query, Subject};
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
}

impl Snapshot {
    pub(crate) fn new(
        view: Arc<View>,
        entries: Arc<Vec<Entry>>,
        size: TreeSize,
        tree: Option<Arc<TreeStore>>,
    ) -> Self {
        Snapshot { view, entries, size, tree }
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
        self.tree.as_ref().ok_or_else(|| Error::Proof {
            reason: "this snapshot was taken without its tree".to_owned(),
        })
    }

    /// The record with this Seq.
    ///
    /// # Errors
    /// `NotWritten` beyond the end; `Corrupt` if it is damaged; I/O.
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

    /// The records that a query asks for, found by scanning.
    ///
    /// # Errors
    /// A cursor that belongs to another query.
    pub fn query(&self, query: &Query) -> Result<Matches> {
        let start = query
            .start()
            .map_err(|error| Error::InvalidOption { name: "cursor", reason: error.to_string() })?;
        let newest_first = query.order == Order::NewestFirst;
        let next = match (start, newest_first) {
            // Exclusive upper bound of what is still to be looked at.
            (Some(seq), true) => seq.get().saturating_add(1).min(self.size.get()),
            (None, true) => self.size.get(),
            (Some(seq), false) => seq.get(),
            (None, false) => 0,
        };
        let exhausted = start.is_none() && query.after.is_some();
        Ok(Matches {
            snapshot: self.clone(),
            left: if exhausted { 0 } else { query.limit.unwrap_or(u64::MAX) },
            query: query.clone(),
            newest_first,
            next,
            cursor: None,
            found: VecDeque::new(),
            failed: false,
        })
    }

    /// Decodes a record with its event.
    pub(crate) fn decode(&self, record: &CheckedRecord<'_>) -> Result<Record> {
        decode(self.view.algorithm, record).map_err(|reason| self.damaged(record.head.seq, reason))
    }

    fn damaged(&self, seq: Seq, reason: String) -> Error {
        // The CRC was right: these bytes were written so.
        Error::tampered(format!("record {seq}"), "a body of its schema", reason)
    }
}

/// Decodes a checked record.
pub(crate) fn decode(
    algorithm: HashAlgorithm,
    record: &CheckedRecord<'_>,
) -> std::result::Result<Record, String> {
    let (seq, recorded_at) = (record.head.seq, record.head.recorded_at);
    let leaf = record.leaf(algorithm);
    match RecordKind::from_code(record.head.kind) {
        Some(RecordKind::Event) => {
            let envelope = body::decode_envelope(record.envelope).map_err(|e| e.to_string())?;
            let payload = body::decode_payload(record.payload()).map_err(|e| e.to_string())?;
            let event = body::to_event(&envelope, Some(&payload));
            Ok(Record::of_event(seq, recorded_at, leaf, event))
        }
        Some(RecordKind::Anchor) => {
            let anchor = decode_anchor(record)?;
            Ok(Record::of_anchor(seq, recorded_at, leaf, anchor))
        }
        None => Err(format!("record kind {}", record.head.kind)),
    }
}

pub(crate) fn decode_anchor(record: &CheckedRecord<'_>) -> std::result::Result<Anchor, String> {
    body::decode_anchor(record.envelope).map_err(|error| error.to_string())
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
                let decoded = decode(self.snapshot.view.algorithm, &record)
                    .map_err(|reason| self.snapshot.damaged(record.head.seq, reason))?;
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

/// Records looked at in one go when a query runs downwards.
const BLOCK: u64 = 256;

/// The answer to a query; see [`Snapshot::query`].
#[derive(Debug)]
pub struct Matches {
    snapshot: Snapshot,
    query: Query,
    newest_first: bool,
    left: u64,
    /// Upwards: the next Seq to look at. Downwards: one past it.
    next: u64,
    cursor: Option<RecordCursor>,
    found: VecDeque<Record>,
    failed: bool,
}

impl Matches {
    fn step(&mut self) -> Result<Option<Record>> {
        loop {
            if let Some(record) = self.found.pop_front() {
                return Ok(Some(record));
            }
            let Some((from, to, excluded)) = self.next_block() else { return Ok(None) };
            if !excluded {
                self.scan(from, to)?;
            }
            self.next = if self.newest_first { from } else { to };
        }
    }

    /// The next range of Seqs to look at, within one segment, and whether the times of
    /// that segment show that nothing in it matches.
    fn next_block(&self) -> Option<(u64, u64, bool)> {
        let seq = if self.newest_first { self.next.checked_sub(1)? } else { self.next };
        let size = self.snapshot.size.get();
        if seq >= size {
            return None;
        }
        let entries = &self.snapshot.entries;
        let at = entries.partition_point(|entry| entry.first.get() <= seq);
        let entry = entries.get(at.checked_sub(1)?)?;
        let end = entries.get(at).map_or(size, |next| next.first.get().min(size));
        let sealed = entry.sealed.as_ref();
        let excluded = sealed.is_some_and(|sealed| !self.query.may_match_times(sealed.times));
        let reach = if excluded { u64::MAX } else { BLOCK };
        Some(if self.newest_first {
            (entry.first.get().max(self.next.saturating_sub(reach)), self.next, excluded)
        } else {
            (self.next, end.min(self.next.saturating_add(reach)), excluded)
        })
    }

    fn scan(&mut self, from: u64, to: u64) -> Result<()> {
        let Snapshot { view, entries, size, .. } = &self.snapshot;
        let mut cursor = match self.cursor.take() {
            Some(cursor) if cursor.is_at(Seq::new(from)) => cursor,
            _ => view.cursor(entries, Seq::new(from), *size)?,
        };
        while cursor.next_seq().get() < to {
            let Some((_, record)) = cursor.next_record()? else { break };
            if matches(&self.query, &record)
                .map_err(|r| self.snapshot.damaged(record.head.seq, r))?
            {
                let decoded = self.snapshot.decode(&record)?;
                self.found.push_back(decoded);
            }
        }
        if self.newest_first {
            self.found.make_contiguous().reverse();
        } else {
            self.cursor = Some(cursor);
        }
        Ok(())
    }
}

/// Whether the query asks for a record; only the envelope is decoded.
fn matches(query: &Query, record: &CheckedRecord<'_>) -> std::result::Result<bool, String> {
    let recorded_at = record.head.recorded_at;
    match RecordKind::from_code(record.head.kind) {
        Some(kind @ RecordKind::Event) => {
            let envelope = body::decode_envelope(record.envelope).map_err(|e| e.to_string())?;
            Ok(query.matches(recorded_at, kind, &envelope.subject()))
        }
        Some(kind) => Ok(query.matches(recorded_at, kind, &Subject::of_anchor(recorded_at))),
        None => Ok(false),
    }
}

impl Iterator for Matches {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.left == 0 {
            return None;
        }
        let step = self.step();
        self.failed = step.is_err();
        self.left -= 1;
        step.transpose()
    }
}
