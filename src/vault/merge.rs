//! One answer from all logs of a vault, in the order of time.
//!
//! Each log is read a few records at a time and let go in between, so that a question to a
//! thousand logs needs no more open files than one to the logs that may be open. A closed log
//! whose newest record is known is opened only when the answer has come down to it.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use super::cursor::{Place, VaultCursor};
use super::log_pool::LogPool;
use super::runs::{self, Run};
use crate::error::{Error, Result};
use crate::event::Record;
use crate::query::{Order, Query};
use crate::seq::Seq;
use crate::time::Timestamp;

/// Records that are kept ready, of all logs together.
const READY: usize = 4096;
/// Of one log: few at first, as most answers are short.
const FIRST_CHUNK: u64 = 16;
const LAST_CHUNK: u64 = 256;
/// A log is not read on when what is ready of it is about so large.
const CHUNK_BYTES: usize = 256 << 10;

/// A record of a log of a vault.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VaultRecord {
    /// The log's name in the vault.
    pub log: Arc<str>,
    /// The record.
    pub record: Record,
}

/// The answer to a query over all logs of a vault: an iterator of records.
///
/// Records come by `recorded_at`, then by the name of the log, then by Seq. What a log gets
/// after the answer has begun to read it does not show.
pub struct VaultMatches {
    shelf: Arc<LogPool>,
    query: Query,
    fingerprint: [u8; 8],
    after: Option<Place>,
    /// Logs that were not read yet, the most urgent last.
    waiting: Vec<Waiting>,
    streams: Vec<Stream>,
    /// The streams that have a record ready, by its place.
    ready: BTreeMap<Place, usize>,
    left: u64,
    last: Option<Place>,
    failed: bool,
}

impl fmt::Debug for VaultMatches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VaultMatches").field("query", &self.query).finish_non_exhaustive()
    }
}

/// A log that was not read yet.
struct Waiting {
    log: Arc<str>,
    /// The time of the first record that it can have in the answer's order; `None`: any.
    from: Option<Timestamp>,
}

/// A run of a log that is being read.
struct Stream {
    log: Arc<str>,
    run: Run,
    /// The filters, the order, and the times that are left.
    query: Query,
    /// The record that was read last, and when it was recorded.
    at: Option<Seq>,
    recorded_at: Option<Timestamp>,
    records: VecDeque<Record>,
    chunk: u64,
    ended: bool,
}

impl VaultMatches {
    pub(super) fn new(
        shelf: Arc<LogPool>,
        logs: Vec<Arc<str>>,
        query: &Query,
        fingerprint: [u8; 8],
        after: Option<Place>,
    ) -> Self {
        let order = query.order;
        let waiting = |log: Arc<str>| match shelf.seen(&log).map(|seen| seen.recorded) {
            Some(None) => None, // it is empty, and closed
            Some(Some((oldest, newest))) => {
                let from = if order == Order::NewestFirst { newest } else { oldest };
                Some(Waiting { log, from: Some(from) })
            }
            None => Some(Waiting { log, from: None }),
        };
        let mut waiting: Vec<_> = logs.into_iter().filter_map(waiting).collect();
        waiting.sort_by(|a, b| match order {
            Order::NewestFirst => urgency(a.from).cmp(&urgency(b.from)),
            Order::OldestFirst => a.from.cmp(&b.from).reverse(),
        });
        VaultMatches {
            shelf,
            query: query.clone(),
            fingerprint,
            after,
            waiting,
            streams: Vec::new(),
            ready: BTreeMap::new(),
            left: query.limit.unwrap_or(u64::MAX),
            last: None,
            failed: false,
        }
    }

    /// Where the same query goes on after the records that were given so far; `None` if none
    /// was given.
    pub fn cursor(&self) -> Option<VaultCursor> {
        let last = self.last.as_ref().or(self.after.as_ref())?;
        Some(VaultCursor::new(self.query.order, self.fingerprint, last.clone()))
    }

    fn step(&mut self) -> Result<Option<VaultRecord>> {
        while self.waiting.last().is_some_and(|waiting| self.may_be_next(waiting)) {
            if let Some(waiting) = self.waiting.pop() {
                self.begin(&waiting.log)?;
            }
        }
        let next = match self.query.order {
            Order::NewestFirst => self.ready.pop_last(),
            Order::OldestFirst => self.ready.pop_first(),
        };
        let Some((place, at)) = next else { return Ok(None) };
        let Some(stream) = self.streams.get_mut(at) else { return Ok(None) };
        let Some(record) = stream.records.pop_front() else { return Ok(None) };
        self.make_ready(at)?;
        let log = Arc::clone(&place.log);
        self.last = Some(place);
        Ok(Some(VaultRecord { log, record }))
    }

    /// Whether a log that was not read yet can have the next record of the answer.
    fn may_be_next(&self, waiting: &Waiting) -> bool {
        let Some(from) = waiting.from else { return true };
        match self.query.order {
            Order::NewestFirst => {
                self.ready.last_key_value().is_none_or(|(best, _)| from >= best.recorded_at)
            }
            Order::OldestFirst => {
                self.ready.first_key_value().is_none_or(|(best, _)| from <= best.recorded_at)
            }
        }
    }

    /// Begins to read a log.
    fn begin(&mut self, name: &Arc<str>) -> Result<()> {
        let runs = runs::of(&*self.shelf.acquire(name)?)?;
        for run in runs {
            let Some(stream) = self.stream(name, run) else { continue };
            self.streams.push(stream);
            self.make_ready(self.streams.len() - 1)?;
        }
        Ok(())
    }

    /// What of a run comes after the cursor; `None` if nothing does.
    fn stream(&self, name: &Arc<str>, run: Run) -> Option<Stream> {
        let query = Query { limit: None, after: None, ..self.query.clone() };
        let (log, records) = (Arc::clone(name), VecDeque::new());
        let mut stream = Stream {
            log,
            run,
            query,
            at: None,
            recorded_at: None,
            records,
            chunk: FIRST_CHUNK,
            ended: false,
        };
        let Some(last) = &self.after else { return Some(stream) };
        let same = *stream.log == *last.log;
        if same && (run.first..run.end).contains(&last.seq) {
            stream.at = Some(last.seq);
            return Some(stream);
        }
        // Of the records of the very same time, those whose log and Seq come after.
        let (before, time) = ((&stream.log, run.first) < (&last.log, last.seq), last.recorded_at);
        let nanos = |by: i64| time.as_nanos().checked_add(by).map(Timestamp::from_nanos);
        stream.query = match self.query.order {
            Order::NewestFirst if !before => stream.query.recorded_until(time),
            Order::NewestFirst => match nanos(1) {
                Some(next) => stream.query.recorded_until(next),
                None => stream.query,
            },
            Order::OldestFirst if before => stream.query.recorded_since(nanos(1)?),
            Order::OldestFirst => stream.query.recorded_since(time),
        };
        Some(stream)
    }

    /// Sees to a stream having a record ready, unless it has ended.
    fn make_ready(&mut self, at: usize) -> Result<()> {
        let share = READY / (self.streams.len() + self.waiting.len()).max(1);
        let most = u64::try_from(share).unwrap_or(LAST_CHUNK).clamp(1, LAST_CHUNK).min(self.left);
        let Some(stream) = self.streams.get_mut(at) else { return Ok(()) };
        if stream.records.is_empty() && !stream.ended {
            stream.read_on(&self.shelf, most.max(1))?;
        }
        if let Some(record) = stream.records.front() {
            let log = Arc::clone(&stream.log);
            let place = Place { recorded_at: record.recorded_at, log, seq: record.seq };
            self.ready.insert(place, at);
        }
        Ok(())
    }
}

/// What of newest first is the most urgent: an unknown time, then the newest.
fn urgency(from: Option<Timestamp>) -> (bool, Option<Timestamp>) {
    (from.is_none(), from)
}

impl Stream {
    /// Reads the next records of the run.
    fn read_on(&mut self, shelf: &Arc<LogPool>, most: u64) -> Result<()> {
        let chunk = self.chunk.min(most);
        self.chunk = (chunk * 4).min(LAST_CHUNK);
        let log = shelf.acquire(&self.log)?;
        let mut query = self.query.clone().limit(chunk);
        match self.from(&query) {
            From::Start => {}
            From::After(seq) => match query.cursor_after(seq) {
                Some(cursor) => query = query.after(cursor),
                None => {
                    self.ended = true;
                    return Ok(());
                }
            },
        }
        let (mut read, mut bytes) = (0, 0);
        for record in log.snapshot().query(&query)? {
            let record = record?;
            read += 1;
            if !(self.run.first..self.run.end).contains(&record.seq) {
                self.ended = true;
                return Ok(());
            }
            self.check_order(&record)?;
            bytes += weight(&record);
            self.at = Some(record.seq);
            self.records.push_back(record);
            if bytes > CHUNK_BYTES {
                return Ok(());
            }
        }
        self.ended = read < chunk;
        Ok(())
    }

    /// In a run time does not go back, or no answer is in the order of time, and a page of one
    /// may leave records out.
    fn check_order(&mut self, record: &Record) -> Result<()> {
        let at = record.recorded_at;
        let Some(before) = self.recorded_at.replace(at) else { return Ok(()) };
        let ordered = match self.query.order {
            Order::NewestFirst => at <= before,
            Order::OldestFirst => at >= before,
        };
        if ordered {
            return Ok(());
        }
        let what = format!("recorded_at of record {} of log {}", record.seq, self.log);
        let expected = format!("a time in the order of the records, beside {before}");
        Err(Error::tampered(what, expected, format!("{at}; run `bulla verify` on that log")))
    }

    fn from(&self, query: &Query) -> From {
        match (self.at, query.order) {
            (Some(seq), _) => From::After(seq),
            (None, Order::NewestFirst) => From::After(self.run.end),
            (None, Order::OldestFirst) => match self.run.first.get().checked_sub(1) {
                Some(before) => From::After(Seq::new(before)),
                None => From::Start,
            },
        }
    }
}

/// Where reading begins.
enum From {
    Start,
    After(Seq),
}

/// About how many bytes a record takes in memory.
fn weight(record: &Record) -> usize {
    let event = &record.event;
    let jsons = [&event.old_values, &event.new_values, &event.details];
    let jsons: usize = jsons.into_iter().flatten().map(|json| json.as_str().len()).sum();
    let texts = [&event.reason, &event.user_agent, &event.resource.id];
    let texts: usize = texts.into_iter().flatten().map(String::len).sum();
    512 + jsons + texts + event.tags.len() * 64 + event.actor.id.len()
}

impl Iterator for VaultMatches {
    type Item = Result<VaultRecord>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.left == 0 {
            return None;
        }
        let step = self.step();
        self.failed = step.is_err();
        if matches!(step, Ok(Some(_))) {
            self.left -= 1;
        }
        step.transpose()
    }
}

/// What a query to a vault may not have.
pub(super) fn check(query: &Query) -> Result<()> {
    if query.after.is_none() {
        return Ok(());
    }
    let reason = "expected none in a query to a vault, found one of a single log: use the cursor \
                  of the vault's answer";
    Err(Error::InvalidOption { name: "cursor", reason: reason.to_owned() })
}
