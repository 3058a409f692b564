//! [`Reading`]: a log that is read with a trace.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::log::{AccessLog, Accessor};
use super::trail::{Access, Traced, Trail, question};
use crate::checkpoint::UnverifiedCheckpoint;
use crate::error::{Error, Result};
use crate::event::Record;
use crate::format::LogId;
use crate::hash::sha256;
use crate::log::{Disclosure, Log, LogReader, Matches, Records, Snapshot};
use crate::proof::{Answer, Bundle, TlogProof};
use crate::query::Query;
use crate::seq::Seq;

/// A log that can be read.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Readable<'a> {
    /// One that this process writes.
    Log(&'a Log),
    /// One that it only reads.
    Reader(&'a LogReader),
}

impl<'a> From<&'a Log> for Readable<'a> {
    fn from(log: &'a Log) -> Self {
        Readable::Log(log)
    }
}

impl<'a> From<&'a LogReader> for Readable<'a> {
    fn from(reader: &'a LogReader) -> Self {
        Readable::Reader(reader)
    }
}

impl Readable<'_> {
    pub(super) fn log_id(&self) -> LogId {
        match self {
            Readable::Log(log) => log.log_id(),
            Readable::Reader(reader) => reader.log_id(),
        }
    }

    fn origin(&self) -> &str {
        match self {
            Readable::Log(log) => log.origin(),
            Readable::Reader(reader) => reader.origin(),
        }
    }

    fn snapshot(&self) -> Snapshot {
        match self {
            Readable::Log(log) => log.snapshot(),
            Readable::Reader(reader) => reader.snapshot(),
        }
    }
}

impl AccessLog {
    /// A log to read from, with each reading recorded.
    ///
    /// # Errors
    /// It is the log that takes the access events: read that through another one.
    pub fn reading<'a>(
        &self,
        log: impl Into<Readable<'a>>,
        accessor: &Accessor,
    ) -> Result<Reading<'a>> {
        let log = log.into();
        if log.log_id() == self.log_id() {
            let reason = "expected another log to read, found the one that takes the access \
                          events: it would grow by being read; give it an access log of its own";
            return Err(Error::InvalidOption { name: "access log", reason: reason.to_owned() });
        }
        Ok(Reading::new(log, Access::new(self.clone(), accessor.clone())))
    }
}

/// A log to read from by one accessor: each reading appends access events; see
/// [`access`](crate::access).
#[derive(Debug)]
pub struct Reading<'a> {
    log: Readable<'a>,
    access: Access,
}

impl<'a> Reading<'a> {
    pub(super) fn new(log: Readable<'a>, access: Access) -> Self {
        Reading { log, access }
    }

    fn trail(&self, action: &'static str, what: Value) -> Trail {
        self.access.trail(action, self.log.origin(), what)
    }

    /// As [`Snapshot::query`](crate::Snapshot::query).
    ///
    /// # Errors
    /// As [`Snapshot::query`](crate::Snapshot::query); the access event cannot be appended.
    pub fn query(&self, query: &Query) -> Result<Traced<Matches>> {
        let what = json!({ "query": question(query) });
        self.trail("log.query", what).begin(|| self.log.snapshot().query(query))
    }

    /// As [`Snapshot::count`].
    ///
    /// # Errors
    /// As [`Snapshot::count`]; the access event cannot be appended.
    pub fn count(&self, query: &Query) -> Result<u64> {
        let what = json!({ "count": question(query) });
        self.trail("log.query", what).once(|| self.log.snapshot().count(query), |_| 0)
    }

    /// As [`Snapshot::get`](crate::Snapshot::get).
    ///
    /// # Errors
    /// As [`Snapshot::get`](crate::Snapshot::get); the access event cannot be appended.
    pub fn get(&self, seq: Seq) -> Result<Record> {
        let what = json!({ "record": seq.get() });
        self.trail("log.get", what).once(|| self.log.snapshot().get(seq), |_| 1)
    }

    /// All records from this one on, oldest first: as [`Snapshot::records_from`].
    ///
    /// # Errors
    /// The access event cannot be appended.
    pub fn export(&self, from: Seq) -> Result<Traced<Records>> {
        let what = json!({ "from": from.get() });
        self.trail("log.export", what).begin(|| Ok(self.log.snapshot().records_from(from)))
    }

    /// As [`Snapshot::prove`](crate::Snapshot::prove).
    ///
    /// # Errors
    /// As [`Snapshot::prove`](crate::Snapshot::prove); the access event cannot be appended.
    pub fn prove(
        &self,
        seq: Seq,
        checkpoint: &UnverifiedCheckpoint,
        disclosure: Disclosure,
    ) -> Result<TlogProof> {
        let what = json!({ "record": seq.get(), "disclosure": shown(disclosure) });
        let prove = || self.log.snapshot().prove(seq, checkpoint, disclosure);
        self.trail("log.prove", what).once(prove, |_| 1)
    }

    /// As [`Snapshot::prove_many`](crate::Snapshot::prove_many). The event lists the records that are asked for; of more than 256
    /// it tells the first, the last, how many, and a digest of the list.
    ///
    /// # Errors
    /// As [`Snapshot::prove_many`](crate::Snapshot::prove_many); the access event cannot be appended.
    pub fn prove_many(
        &self,
        seqs: &[Seq],
        checkpoint: &UnverifiedCheckpoint,
        disclosure: Disclosure,
    ) -> Result<Bundle> {
        let what = json!({ "records": numbers(seqs), "disclosure": shown(disclosure) });
        let prove = || self.log.snapshot().prove_many(seqs, checkpoint, disclosure);
        self.trail("log.prove", what).once(prove, |bundle| bundle.records.len() as u64)
    }

    /// As [`Snapshot::prove_query`](crate::Snapshot::prove_query).
    ///
    /// # Errors
    /// As [`Snapshot::prove_query`](crate::Snapshot::prove_query); the access event cannot be appended.
    pub fn prove_query(
        &self,
        query: &Query,
        checkpoint: &UnverifiedCheckpoint,
        disclosure: Disclosure,
    ) -> Result<Answer> {
        let what = json!({ "query": question(query), "disclosure": shown(disclosure) });
        let prove = || self.log.snapshot().prove_query(query, checkpoint, disclosure);
        self.trail("log.prove", what).once(prove, |answer| answer.bundle.records.len() as u64)
    }
}

/// So many records that are asked for at once are told one by one.
const RECORDS_TOLD_MAX: usize = 256;

/// Which records are asked for: their numbers, ascending, each once. Of more than
/// [`RECORDS_TOLD_MAX`] the first, the last, how many, and the SHA-256 of all of them in
/// decimal, each with a line feed behind it: whoever has a list can say whether it is this one.
fn numbers(seqs: &[Seq]) -> Value {
    let seqs: BTreeSet<u64> = seqs.iter().map(|seq| seq.get()).collect();
    if seqs.len() <= RECORDS_TOLD_MAX {
        return json!(seqs);
    }
    let lines: String = seqs.iter().map(|seq| format!("{seq}\n")).collect();
    json!({
        "first": seqs.first(),
        "last": seqs.last(),
        "count": seqs.len(),
        "sha256": sha256(&[lines.as_bytes()]).to_string(),
    })
}

/// How much of each record a proof shows.
pub(crate) fn shown(disclosure: Disclosure) -> &'static str {
    match disclosure {
        Disclosure::Whole => "whole",
        Disclosure::WithholdPayload => "payload withheld",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_numbers_are_told_by_their_digest() {
        let seqs = |from: u64, count: u64| (from..from + count).rev().map(Seq::new);
        let list: Vec<Seq> = seqs(0, 256).chain(seqs(9, 3)).collect();
        assert_eq!(numbers(&list), json!((0..256).collect::<Vec<u64>>()));
        let told = numbers(&seqs(1, 257).collect::<Vec<_>>());
        // `seq 1 257 | sha256sum`
        let digest = "cef70484e81e1da12204256306c2521b733ab0a3cd787c173c85f69463cf6807";
        assert_eq!(told, json!({"first": 1, "last": 257, "count": 257, "sha256": digest}));
        assert_eq!(numbers(&[]), json!([]));
    }
}
