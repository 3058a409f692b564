//! The promise: an answer that verifies has all records that match, and an answer that was
//! altered shows nothing that is not so.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bulla::checkpoint::{SignatureKind, SigningKey};
use bulla::event::Outcome;
use bulla::proof::{Answer, SegmentEvidence, VerifiedAnswer, VerifyAnswerError};
use bulla::query::Subject;
use bulla::time::ManualClock;
use bulla::{
    Actor, Disclosure, Event, HashAlgorithm, Housekeeping, Log, Query, Record, Resource, Seq,
    Signer, Target, Timestamp, TraceId, Trust, UnverifiedCheckpoint,
};

mod alterations;
mod audits;
mod forgeries;
mod mutations;
mod questions;

const ORIGIN: &str = "example.com/audit";
const ALGORITHMS: [HashAlgorithm; 2] = [HashAlgorithm::Sha256, HashAlgorithm::Blake3];
/// 2026-01-01, in nanoseconds.
const START: i64 = 1_767_225_600_000_000_000;
const SECOND: i64 = 1_000_000_000;

/// A log of several sealed segments, its checkpoint, and its records.
struct Sealed {
    dir: tempfile::TempDir,
    log: Log,
    signer: Signer,
    checkpoint: UnverifiedCheckpoint,
    records: Vec<Record>,
    /// Records in the sealed segments.
    end: u64,
}

/// A time that many seconds after the start.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_nanos(START + seconds * SECOND)
}

fn event(n: u64) -> Event {
    let kind = if n.is_multiple_of(11) { "service" } else { "user" };
    let actions = ["a", "invoice.read", "invoice.write", "invoice.writeback", "user.login", "zz"];
    let resource = match n % 5 {
        0 => Resource::kind_only("report"),
        _ => Resource::new("invoice", (n % 13).to_string()),
    };
    let action = actions[usize::try_from(n % 6).unwrap()];
    // Many events have one time, so that a time goes on over the border of a chunk.
    let occurred = i64::try_from(n * 7919 % 1000 / 250 + n / 100).unwrap();
    let outcomes = [Outcome::Denied, Outcome::Failure];
    let outcome = outcomes.get(usize::try_from(n % 9).unwrap()).copied();
    let event = Event::new(Actor::new(kind, format!("user-{}", n % 7)), action, resource)
        .occurred_at(at(occurred))
        .outcome(outcome.unwrap_or(Outcome::Success))
        .reason("because");
    let event = match n % 4 {
        0 => event,
        tenant => event.tenant(format!("tenant-{tenant}")),
    };
    if n.is_multiple_of(10) { event.request_id(format!("request-{}", n % 3)) } else { event }
}

/// The same with what records of schema 3 add, of every third one. Resources are named twice, and
/// as the main one and as a target.
fn richer(n: u64) -> Event {
    let event = event(n);
    if !n.is_multiple_of(3) {
        return event;
    }
    let target = |n: u64| Target::new("invoice", (n % 13).to_string());
    let mut event = event.target(target(n)).target(target(n / 2)).target(target(n));
    event = event.target(Target::new("user", format!("user-{}", n % 5)));
    if n.is_multiple_of(2) {
        event = event.on_behalf_of(Actor::new("user", format!("user-{}", n % 7)));
    }
    if n.is_multiple_of(9) { event.outcome(Outcome::Unknown) } else { event.trace_id(trace(n % 4)) }
}

fn trace(n: u64) -> TraceId {
    let mut bytes = [7; 16];
    bytes[..8].copy_from_slice(&n.to_le_bytes());
    TraceId::from_bytes(bytes).unwrap()
}

impl Sealed {
    /// Segments with so many events, in batches of at most 200, signed after each batch.
    fn new(algorithm: HashAlgorithm, segments: &[u64]) -> Self {
        Sealed::with(algorithm, segments, event)
    }

    fn with(algorithm: HashAlgorithm, segments: &[u64], event: impl Fn(u64) -> Event) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let kind = SignatureKind::for_heads_of(algorithm);
        let key = SigningKey::new(ORIGIN, kind, &[5; 32]).unwrap();
        let path = dir.path().join("key");
        std::fs::write(&path, &**key.to_secret_text()).unwrap();
        make_private(&path);
        let signer = Signer::load(&path).unwrap();
        let clock = Arc::new(ManualClock::at(at(0)));
        let options = Log::options().origin(ORIGIN).hash(algorithm);
        let options = options.housekeeping(Housekeeping::Inline).clock(Arc::clone(&clock) as _);
        let log = options.create(dir.path().join("log")).unwrap();
        let mut next = 0;
        for count in segments {
            let end = next + count;
            while next < end {
                let batch: Vec<Event> = (next..end.min(next + 200)).map(&event).collect();
                log.append_batch(&batch).unwrap();
                next += batch.len() as u64;
                clock.advance(Duration::from_secs(1));
                log.checkpoint(&signer).unwrap();
            }
            log.rotate().unwrap();
        }
        let end = log.size().get();
        let checkpoint = log.checkpoint(&signer).unwrap().into_unverified();
        let records = log.snapshot().records_from(Seq::new(0)).map(|r| r.unwrap()).collect();
        Sealed { dir, log, signer, checkpoint, records, end }
    }

    fn trust(&self) -> Trust {
        Trust::in_keys([self.signer.verifying_key().clone()])
    }

    fn prove(&self, query: &Query) -> Answer {
        self.log
            .snapshot()
            .prove_query(query, &self.checkpoint, Disclosure::WithholdPayload)
            .unwrap()
    }

    /// What a stranger sees who gets the answer as a file.
    fn verify(&self, answer: &Answer) -> Result<VerifiedAnswer, VerifyAnswerError> {
        let text = answer.to_text();
        let read = Answer::parse(text.as_bytes()).unwrap();
        assert_eq!(read.to_text(), text);
        assert_eq!(&read, answer);
        read.verify(&self.trust())
    }

    /// The Seqs of all records in the range that match, in the order of the query: by looking
    /// at each of them.
    fn matching(&self, query: &Query, range: Range<u64>) -> Vec<u64> {
        let in_range = self.records.iter().filter(|record| range.contains(&record.seq.get()));
        let is_asked_for = |record: &&Record| {
            query.matches(record.recorded_at, record.kind, &Subject::of_record(record))
        };
        let mut found: Vec<u64> = in_range.filter(is_asked_for).map(|r| r.seq.get()).collect();
        if is_newest_first(query) {
            found.reverse();
        }
        found
    }

    /// Proves, verifies and compares with what looking at every record gives.
    fn check(&self, query: &Query, limit: Option<u64>, from: Option<u64>) -> Answer {
        let (mut asked, mut range) = (query.clone(), 0..self.end);
        if let Some(limit) = limit {
            asked = asked.limit(limit);
        }
        if let Some(last) = from {
            // Goes on behind that record.
            asked = match asked.cursor_after(Seq::new(last)) {
                Some(cursor) => asked.after(cursor),
                None => asked,
            };
            range = match is_newest_first(query) {
                true => 0..last.min(self.end),
                false => (last + 1).min(self.end)..self.end,
            };
        }
        let mut expected = self.matching(query, range.clone());
        let is_limited = limit.is_some_and(|limit| expected.len() as u64 >= limit);
        if is_limited {
            expected.truncate(usize::try_from(limit.unwrap()).unwrap());
            range = match (expected.last(), is_newest_first(query)) {
                (Some(last), true) => *last..range.end,
                (Some(last), false) => range.start..last + 1,
                (None, true) => range.end..range.end,
                (None, false) => range.start..range.start,
            };
        }
        let answer = self.prove(&asked);
        let verified = self.verify(&answer).unwrap_or_else(|error| panic!("{query:?}: {error}"));
        assert_eq!(hits(&verified), expected, "{query:?}, limit {limit:?}, from {from:?}");
        let covers = verified.covers().start.get()..verified.covers().end.get();
        assert_eq!((covers, verified.is_limited()), (range, is_limited), "{query:?}");
        assert!(verified.answers(&asked) && verified.not_live().is_empty());
        let text = verified.to_string();
        assert!(text.starts_with(&format!("{} records match", expected.len())), "{text}");
        answer
    }
}

fn hits(answer: &VerifiedAnswer) -> Vec<u64> {
    answer.hits().map(|hit| hit.record().seq.get()).collect()
}

/// By the only thing of a query that shows it.
fn is_newest_first(query: &Query) -> bool {
    query.cursor_after(Seq::new(0)).is_none()
}

fn make_private(path: &std::path::Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    #[cfg(not(unix))]
    let _ = path;
}

#[test]
fn the_newest_records_of_an_actor_are_shown_to_be_all() {
    let sealed = Sealed::new(HashAlgorithm::Sha256, &[6, 330, 40]);
    let query = Query::new().actor("user-3");
    sealed.check(&query, Some(5), None);
    sealed.check(&query, None, None);
}
