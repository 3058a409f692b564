//! Attempts to break indexes, queries and proofs of completeness.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod crashes;
mod prover;
mod races;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use crate::support;
use crate::support::hang::{HUNG_AFTER, within};
use crate::support::{Shape, clock, dir};
use bulla::disk::Disk;
use bulla::disk::sim::{Fault, FaultKind, SimDisk};
use bulla::query::Subject;
use bulla::time::ManualClock;
use bulla::{
    Actor, Disclosure, Durability, Error, Event, EventId, Housekeeping, Log, Outcome, Query,
    Record, Resource, Seq, Timestamp, TreeHead, Trust, VerifyOptions, verify,
};
use futures_core::Stream as _;

fn by(actor: &str, n: u64) -> Event {
    Event::new(Actor::new("user", actor), "file.read", Resource::new("file", n.to_string()))
}

/// Seqs of all records that match, by looking at each.
fn model(snapshot: &bulla::Snapshot, query: &Query, newest: bool) -> Vec<u64> {
    let all = snapshot.records_from(Seq::new(0)).map(Result::unwrap);
    let matches = |r: &Record| query.matches(r.recorded_at, r.kind, &Subject::of_record(r));
    let mut found: Vec<u64> = all.filter(matches).map(|r| r.seq.get()).collect();
    if newest {
        found.reverse();
    }
    found
}

fn asked(snapshot: &bulla::Snapshot, query: &Query) -> Vec<u64> {
    snapshot.query(query).unwrap().map(|r| r.unwrap().seq.get()).collect()
}

struct Noop;
impl Wake for Noop {
    fn wake(self: Arc<Self>) {}
}

/// Tasks that were dropped while nothing is appended must not stay in memory.
#[test]
fn wakers_of_dropped_subscriptions_are_let_go() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::create(dir.path().join("log")).unwrap();
    let mut tasks = Vec::new();
    for _ in 0..1000 {
        let task = Arc::new(Noop);
        let waker = Waker::from(Arc::clone(&task));
        let mut subscription = pin!(log.subscribe(&Query::new()).unwrap());
        assert!(subscription.as_mut().poll_next(&mut Context::from_waker(&waker)).is_pending());
        tasks.push(task);
    }
    let held = tasks.iter().filter(|task| Arc::strong_count(task) > 1).count();
    assert_eq!(held, 0, "wakers of subscriptions that are gone");
}

/// Same size, another root: a fork. The audit read other records than the answer stands on.
#[test]
fn an_audit_of_a_fork_of_the_same_size_vouches_for_nothing() {
    use bulla::checkpoint::{SignatureKind, SigningKey};
    use bulla::proof::{AuditedSegment, IndexAudit, RestsOn};
    let made = prover::Made::new(40);
    let answer = made.prove(&Query::new().actor("user-3"));
    let verified = answer.verify(&made.trust()).unwrap();
    let segments = verified.rests_on().iter().map(|rests_on| match rests_on {
        RestsOn::Index { first, count, root } => {
            AuditedSegment { first: *first, count: *count, index_root: *root, times: [0; 4] }
        }
        other => panic!("{other:?}"),
    });
    let segments: Vec<_> = segments.collect();
    assert!(!segments.is_empty());
    let head = made.checkpoint.dangerously_unverified().head();
    let main = TreeHead { size: head.size, root: bulla::Hash::from_bytes([7; 32]) };
    let audit =
        IndexAudit { origin: support::ORIGIN.into(), log_id: verified.log_id(), main, segments };
    let auditor = SigningKey::new("auditor.example", SignatureKind::Ed25519, &[9; 32]).unwrap();
    let note = audit.sign(&auditor).unwrap();
    let audit = IndexAudit::verify(&note, auditor.verifying_key()).unwrap();
    assert!(!verified.is_audited_by(&audit), "two heads of one size with two roots are a fork");
}

// ---- subtle wrong answers -----------------------------------------------------------------

fn extreme_world() -> (tempfile::TempDir, Log, Arc<ManualClock>) {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let log = Log::options()
        .housekeeping(Housekeeping::Inline)
        .durability(Durability::Os)
        .origin(support::ORIGIN)
        .clock(Arc::clone(&clock) as _)
        .create(dir.path().join("log"))
        .unwrap();
    let actions =
        ["user", "user.", "user.*", "user.a", "user.a*", "user/", "u", "*", "usér", "a b"];
    let times = [-9_000_000_000_000_000_000, -1, 0, 1, support::START, 9_000_000_000_000_000_000];
    for round in 0..6_i64 {
        for n in 0..60_u64 {
            let pick = |of: usize| usize::try_from(n).unwrap() % of;
            let resource = match n % 3 {
                0 => Resource::kind_only("file"),
                1 => Resource::new("file", "file"),
                _ => Resource::new("user", "file"),
            };
            let mut event = Event::new(
                Actor::new(["user", "file"][pick(2)], ["file", "user", "x"][pick(3)]),
                actions[pick(actions.len())],
                resource,
            );
            if n % 4 != 0 {
                event = event.occurred_at(Timestamp::from_nanos(times[pick(6)]));
            }
            if n % 5 == 0 {
                event = event.request_id("");
            }
            if n % 7 == 0 {
                event = event.tenant("file");
            }
            event = event.outcome(Outcome::ALL[pick(4)]);
            match log.append(&event) {
                Ok(_) => {}
                Err(error) => panic!("{error}"),
            }
            clock.advance(Duration::from_millis(700));
        }
        // Backwards by much, by little, or a rotation.
        let now = support::START + round * 10_000_000_000;
        match round % 3 {
            0 => clock.set(Timestamp::from_nanos(now - 3_600_000_000_000)),
            1 => clock.set(Timestamp::from_nanos(now)),
            _ => log.rotate().unwrap(),
        }
    }
    (dir, log, clock)
}

fn odd_queries() -> Vec<Query> {
    let t = Timestamp::from_nanos;
    let q = Query::new;
    let start = support::START;
    let mut queries = vec![
        q(),
        q().system(true),
        q().request_id(""),
        q().correlation_id(""),
        q().resource("file", ""),
        q().resource_type("file"),
        q().resource_type("file").resource("file", "file").resource("user", "file"),
        q().resource("user", "user"),
        q().tenant("file"),
        q().tenant(""),
        q().actor("file"),
        q().actor("file").actor_type_id("user", "file"),
        q().actor_type_id("file", "user"),
        q().not_outcome(Outcome::Success).outcome(Outcome::Success),
        q().not_outcome(Outcome::Success).system(true),
        q().event_id(EventId([0; 16])),
        q().limit(0),
        q().limit(0).oldest_first(),
        q().occurred_since(t(i64::MIN)).occurred_until(t(i64::MAX)),
        q().occurred_since(t(i64::MAX)),
        q().occurred_until(t(i64::MIN)),
        q().occurred_since(t(1)).occurred_until(t(0)),
        q().occurred_since(t(0)).occurred_until(t(1)),
        q().occurred_since(t(start - 5_000_000_000)).system(true),
        q().occurred_until(t(0)).system(true),
    ];
    for glob in ["user", "user.", "user.*", "user*", "*", "u", "u*", "usér*", "us\u{e9}", "bulla.*"]
    {
        queries.push(q().action(glob).unwrap());
        queries.push(q().action(glob).unwrap().system(true));
        queries.push(q().action(glob).unwrap().action("user.").unwrap().resource_type("file"));
    }
    for hours in [-2_i64, -1, 0, 1] {
        for seconds in [0_i64, 1, 20, 45] {
            let at = start + hours * 3_600_000_000_000 + seconds * 1_000_000_000;
            queries.push(q().recorded_since(t(at)).recorded_until(t(at + 15_000_000_000)));
            queries.push(q().recorded_since(t(at)).actor("file").system(true));
            queries.push(q().recorded_until(t(at)).occurred_since(t(0)));
        }
    }
    queries
}

fn compare(log: &Log, what: &str) {
    let snapshot = log.snapshot();
    for query in odd_queries() {
        let is_zero =
            query == Query::new().limit(0) || query == Query::new().limit(0).oldest_first();
        for oldest in [false, true] {
            let query =
                if oldest { query.clone().oldest_first() } else { query.clone().newest_first() };
            let expected = model(&snapshot, &query, !oldest);
            if is_zero {
                assert!(asked(&snapshot, &query).is_empty());
                assert_eq!(snapshot.count(&query).unwrap(), expected.len() as u64);
                continue;
            }
            assert_eq!(asked(&snapshot, &query), expected, "{what}: {query:?}");
            assert_eq!(snapshot.count(&query).unwrap(), expected.len() as u64, "{what}: {query:?}");
            let seen = snapshot.extent(&query).unwrap();
            let ends = (expected.iter().min().copied(), expected.iter().max().copied());
            assert_eq!(
                (seen.map(|s| s.first.0.get()), seen.map(|s| s.last.0.get())),
                ends,
                "{what}: {query:?}"
            );
            use bulla::GroupBy::*;
            for by in [Actor, Action, Resource, ResourceType, Tenant, Outcome] {
                let groups = snapshot.count_by(&query, by).unwrap();
                let total: u64 = groups.iter().map(|group| group.count).sum();
                assert_eq!(total, expected.len() as u64, "{what}: {by:?} {query:?}");
            }
            for width in [1, 1_000_000_000, i64::MAX as u64] {
                let steps = snapshot.histogram(&query, Duration::from_nanos(width)).unwrap();
                let total: u64 = steps.iter().map(|step| step.count).sum();
                assert_eq!(total, expected.len() as u64, "{what}: {width} {query:?}");
            }
            // pages of 7
            let (mut pages, mut next) = (Vec::new(), query.clone().limit(7));
            loop {
                let mut matches = snapshot.query(&next).unwrap();
                let page: Vec<u64> = matches.by_ref().map(|r| r.unwrap().seq.get()).collect();
                let is_empty = page.is_empty();
                pages.extend(page);
                let Some(cursor) = matches.cursor().filter(|_| !is_empty) else { break };
                next = query.clone().limit(7).after(cursor.to_string().parse().unwrap());
            }
            assert_eq!(pages, expected, "{what}: {query:?}");
        }
    }
}

#[test]
fn odd_names_times_and_clocks_are_answered_as_by_looking_at_each_record() {
    let (dir, log, clock) = extreme_world();
    compare(&log, "inline");
    log.rotate().unwrap();
    compare(&log, "sealed");
    prove_all(dir.path(), &log);
    log.close().unwrap();
    for entry in std::fs::read_dir(dir.path().join("log/segments")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "idx") {
            std::fs::remove_file(path).unwrap();
        }
    }
    // An hour back while it was closed.
    clock.set(Timestamp::from_nanos(support::START - 7_200_000_000_000));
    let log = Log::options()
        .housekeeping(Housekeeping::Inline)
        .clock(Arc::clone(&clock) as _)
        .open(dir.path().join("log"))
        .unwrap();
    log.append(&by("file", 3)).unwrap();
    compare(&log, "without indexes");
    for n in 0..30 {
        log.append(&by("file", n)).unwrap();
    }
    compare(&log, "made anew");
}

fn prove_all(dir: &std::path::Path, log: &Log) {
    let signer = prover::signer(dir);
    let checkpoint = log.checkpoint(&signer).unwrap().into_unverified();
    let trust = Trust::in_keys([signer.verifying_key().clone()]);
    let snapshot = log.snapshot();
    for query in odd_queries() {
        for (oldest, limit) in [(false, None), (true, None), (false, Some(3)), (true, Some(3))] {
            let query = if oldest { query.clone().oldest_first() } else { query.clone() };
            let zero = query.to_bytes()[2] == 1;
            let query = match limit {
                Some(limit) if !zero => query.limit(limit),
                _ => query,
            };
            let answer = log
                .snapshot()
                .prove_query(&query, &checkpoint, Disclosure::WithholdPayload)
                .unwrap();
            let verified = answer.verify(&trust).unwrap_or_else(|e| panic!("{query:?}: {e}"));
            let covers = verified.covers();
            let mut expected = model(&snapshot, &query, !oldest);
            expected.retain(|seq| covers.contains(&Seq::new(*seq)));
            let hits: Vec<u64> = verified.hits().map(|hit| hit.record().seq.get()).collect();
            assert_eq!(hits, expected, "{query:?} {covers:?}");
            let read = Query::from_bytes(&query.to_bytes()).unwrap();
            assert_eq!(model(&snapshot, &read, !oldest), model(&snapshot, &query, !oldest));
        }
    }
}

/// A cursor of a log that was longer (its end was lost, or it is another log).
#[test]
fn a_cursor_beyond_the_end_skips_nothing_silently() {
    let dir = tempfile::tempdir().unwrap();
    let longer = Log::create(dir.path().join("longer")).unwrap();
    for n in 0..10 {
        longer.append(&by("a", n)).unwrap();
    }
    let query = Query::new().actor("a").oldest_first();
    let cursor = longer.subscribe(&query).unwrap().cursor();
    let log = Log::create(dir.path().join("log")).unwrap();
    log.append(&by("a", 0)).unwrap();
    let Ok(mut subscription) = log.subscribe(&query.clone().after(cursor)) else { return };
    for n in 1..9 {
        log.append(&by("a", n)).unwrap();
    }
    let found = subscription.next_within(HUNG_AFTER).unwrap();
    assert!(found.is_some(), "8 records were appended since, and none was given");
}

#[test]
fn cursors_at_the_extremes_end() {
    let made = prover::Made::new(60);
    let snapshot = made.log.snapshot();
    for base in [Query::new(), Query::new().actor("user-1"), Query::new().system(true)] {
        for oldest in [false, true] {
            let base = if oldest { base.clone().oldest_first() } else { base.clone() };
            for last in [0, 1, 59, 60, 61, 62, 63, 64, 1 << 32, u64::MAX - 1, u64::MAX] {
                let Some(cursor) = base.cursor_after(Seq::new(last)) else { continue };
                let query = base.clone().after(cursor);
                let size = snapshot.size().get();
                let next = if oldest { last + 1 } else { last - 1 };
                if if oldest { next > size } else { next >= size } {
                    let refused =
                        |error| matches!(error, Error::InvalidOption { name: "cursor", .. });
                    assert!(snapshot.query(&query).is_err_and(refused), "{last}");
                    assert!(!oldest || made.log.subscribe(&query).is_err_and(refused), "{last}");
                    continue;
                }
                let mut expected = model(&snapshot, &base, !oldest);
                expected.retain(|seq| if oldest { *seq > last } else { *seq < last });
                assert_eq!(asked(&snapshot, &query), expected, "{last} {query:?}");
                for limit in [None, Some(0), Some(1), Some(1000)] {
                    let query = limit.map_or(query.clone(), |limit| query.clone().limit(limit));
                    let answer = made.log.snapshot().prove_query(
                        &query,
                        &made.checkpoint,
                        Disclosure::Whole,
                    );
                    let answer = answer.unwrap_or_else(|e| panic!("{last} {query:?}: {e}"));
                    let verified = answer.verify(&made.trust()).unwrap();
                    let covers = verified.covers();
                    let mut expected = expected.clone();
                    expected.retain(|seq| covers.contains(&Seq::new(*seq)));
                    let hits: Vec<u64> = verified.hits().map(|h| h.record().seq.get()).collect();
                    assert_eq!(hits, expected);
                }
                let _ = made.log.subscribe(&query).map(|mut s| s.next_within(Duration::ZERO));
            }
        }
    }
}

#[test]
fn waiting_for_a_while_ends_with_a_clock_that_stands_still() {
    within(|| {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::options().clock(clock() as _).create(dir.path().join("log")).unwrap();
        let mut subscription = log.subscribe(&Query::new()).unwrap();
        assert!(subscription.next_within(Duration::from_millis(10)).unwrap().is_none());
    });
}

#[test]
fn waiting_for_ever_is_woken() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::create(dir.path().join("log")).unwrap();
    let mut subscription = log.subscribe(&Query::new()).unwrap();
    thread::scope(|scope| {
        let waiter = scope.spawn(move || subscription.next_within(Duration::MAX).unwrap());
        log.append(&by("a", 0)).unwrap();
        assert!(waiter.join().unwrap().is_some());
    });
}

/// Searches with subscriptions that poll, while the log is closed and opened again.
#[test]
fn close_and_reopen_lose_no_record_of_a_resumed_subscription() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let options = || Log::options().durability(Durability::Os).segment_bytes(128 << 10);
    drop(options().create(&path).unwrap());
    let (mut cursor, mut seen) = (None::<bulla::Cursor>, Vec::new());
    for round in 0..30 {
        let log = options().open(&path).unwrap();
        let query = match cursor {
            Some(cursor) => Query::new().actor("a").oldest_first().after(cursor),
            None => Query::new().actor("a").oldest_first(),
        };
        let mut subscription = log.subscribe(&query).unwrap();
        if round % 7 == 3 {
            // taken up later, from the same place
            cursor = Some(subscription.cursor().to_string().parse().unwrap());
            log.append(&by("a", round)).unwrap();
            log.rotate().unwrap();
            log.close().unwrap();
            continue;
        }
        thread::scope(|scope| {
            let writer = log.clone();
            scope.spawn(move || {
                for n in 0..200 {
                    writer.append(&by(if n % 3 == 0 { "a" } else { "b" }, n)).unwrap();
                    if n % 90 == 0 {
                        writer.rotate().unwrap();
                    }
                }
                writer.close().unwrap();
            });
            // Sometimes stops in the middle.
            let take = if round % 2 == 0 { 20 } else { usize::MAX };
            seen.extend(subscription.by_ref().take(take).map(|r| r.unwrap().seq.get()));
        });
        cursor = Some(subscription.cursor().to_string().parse().unwrap());
    }
    let log = options().open(&path).unwrap();
    let query = Query::new().actor("a").oldest_first();
    let rest = log.snapshot().query(&query.clone().after(cursor.unwrap())).unwrap();
    seen.extend(rest.map(|r| r.unwrap().seq.get()));
    assert_eq!(seen, model(&log.snapshot(), &query, false));
}

/// Whoever verifies an answer pays records times alternatives.
/// Each disclosed record is compared with each alternative, so whoever reads an answer that a
/// stranger made limits them.
#[test]
fn a_question_with_very_many_alternatives_is_not_proved() {
    let made = prover::Made::new(40);
    let mut query = Query::new();
    for n in 0..5_000_u32 {
        query = query.request_id(format!("{n:x}"));
    }
    let made =
        made.log.snapshot().prove_query(&query, &made.checkpoint, Disclosure::WithholdPayload);
    assert!(matches!(made, Err(Error::InvalidOption { name: "query", .. })), "{made:?}");
}

#[test]
fn a_cursor_at_the_end_goes_on_with_new_records_over_seals() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::create(dir.path().join("log")).unwrap();
    let query = Query::new().actor("a").oldest_first();
    let (mut cursor, mut seen) = (None, Vec::new());
    for round in 0..40_u64 {
        for n in 0..round % 5 {
            log.append(&by(if n % 2 == 0 { "a" } else { "b" }, round)).unwrap();
        }
        if round % 3 == 0 {
            log.rotate().unwrap();
        }
        let q = match cursor {
            Some(cursor) => query.clone().after(cursor),
            None => query.clone(),
        };
        let snapshot = log.snapshot();
        let mut matches = snapshot.query(&q).unwrap();
        seen.extend(matches.by_ref().map(|r| r.unwrap().seq.get()));
        cursor = matches.cursor().or(cursor);
        assert_eq!(seen, model(&snapshot, &query, false), "round {round}");
    }
}

// ---- hostile questions --------------------------------------------------------------------

#[test]
fn many_alternatives_and_long_names_end() {
    let made = prover::Made::new(400);
    let mut many = Query::new();
    for n in 0..100_000 {
        many = many.actor(format!("nobody-{n}"));
    }
    many = many.actor("user-3");
    let snapshot = made.log.snapshot();
    let expected = model(&snapshot, &Query::new().actor("user-3"), true);
    assert_eq!(asked(&snapshot, &many), expected);
    assert_eq!(snapshot.count(&many).unwrap(), expected.len() as u64);
    let mut requests = Query::new();
    for n in 0..100_000 {
        requests = requests.request_id(format!("nobody-{n}"));
    }
    assert!(asked(&snapshot, &requests).is_empty());
    let mut globs = Query::new();
    for n in 0..100_000 {
        globs = globs.action(&format!("nothing-{n}*")).unwrap();
    }
    assert!(asked(&snapshot, &globs).is_empty());
    let mut few = Query::new();
    for n in 0..4_000 {
        few = few.actor(format!("nobody-{n}"));
    }
    let answer =
        made.log.snapshot().prove_query(&few, &made.checkpoint, Disclosure::WithholdPayload);
    let answer = answer.unwrap();
    let text = answer.to_text();
    assert_eq!(bulla::proof::Answer::parse(text.as_bytes()).unwrap(), answer);
    answer.verify(&made.trust()).unwrap();
    let long = "x".repeat(1 << 20);
    let long = Query::new().actor(&long).action(&format!("{long}*")).unwrap().tenant(long.clone());
    assert!(asked(&snapshot, &long).is_empty());
    match made.log.snapshot().prove_query(&long, &made.checkpoint, Disclosure::WithholdPayload) {
        Ok(answer) => {
            let text = answer.to_text();
            let read = bulla::proof::Answer::parse(text.as_bytes());
            assert!(read.is_ok(), "made, but cannot be read: {:?}", read.err());
        }
        Err(error) => assert!(matches!(error, Error::InvalidOption { .. }), "{error}"),
    }
}
