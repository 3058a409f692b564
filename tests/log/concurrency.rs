//! Many threads on a real disk: every record exactly once, in each thread's order, whatever
//! else goes on.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use bulla::{
    Actor, Durability, Error, Event, Housekeeping, Log, LogReader, Query, Record, Resource, Seq,
    VerifyOptions, verify,
};

const THREADS: u64 = 16;

fn event(thread: u64, n: u64) -> Event {
    let actor = Actor::new("thread", thread.to_string());
    Event::new(actor, "count.up", Resource::new("number", n.to_string()))
}

fn whose(record: &Record) -> (u64, u64) {
    let number = record.event.resource.id.as_ref().unwrap();
    (record.event.actor.id.parse().unwrap(), number.parse().unwrap())
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The smallest runtime there is.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Each thread's records are 0, 1, 2, … in this order; gives how many each has.
fn counts(records: impl Iterator<Item = Record>) -> BTreeMap<u64, u64> {
    let mut counts = BTreeMap::new();
    for (at, record) in records.enumerate() {
        assert_eq!(record.seq.get(), at as u64);
        let (thread, n) = whose(&record);
        let next = counts.entry(thread).or_insert(0);
        assert_eq!(n, *next, "thread {thread}: once, and in its order");
        *next += 1;
    }
    counts
}

fn all(log: &Log) -> impl Iterator<Item = Record> + use<> {
    log.snapshot().records_from(Seq::new(0)).map(Result::unwrap)
}

fn verify_clean(path: &Path) {
    let report = verify(path, &VerifyOptions::new(), &mut |_| ()).unwrap();
    assert!(report.is_clean(), "{:#?}", report.findings);
}

/// One thread's share, given in every way there is.
fn give(log: &Log, thread: u64, rounds: u64) -> u64 {
    let mut n = 0;
    for round in 0..rounds {
        match (round + thread) % 4 {
            0 => {
                let receipt = log.append(&event(thread, n)).unwrap();
                assert_eq!(
                    whose(&log.snapshot().get(receipt.seq).unwrap()),
                    (thread, n),
                    "seen when acked"
                );
                n += 1;
            }
            1 => {
                let batch: Vec<Event> = (n..n + 7).map(|n| event(thread, n)).collect();
                let receipt = log.append_batch(&batch).unwrap();
                assert_eq!(receipt.count, 7);
                let last = Seq::new(receipt.first.get() + 6);
                assert_eq!(whose(&log.snapshot().get(last).unwrap()), (thread, n + 6));
                n += 7;
            }
            2 => {
                let ticket = log.enqueue(&event(thread, n)).unwrap();
                let dropped = log.enqueue(&event(thread, n + 1)).unwrap();
                drop(dropped);
                let receipt = ticket.wait().unwrap();
                assert_eq!(whose(&log.snapshot().get(receipt.seq).unwrap()), (thread, n));
                n += 2;
            }
            _ => {
                let receipt = block_on(log.enqueue(&event(thread, n)).unwrap()).unwrap();
                assert_eq!(whose(&log.snapshot().get(receipt.seq).unwrap()), (thread, n));
                n += 1;
            }
        }
    }
    n
}

/// Follows the log from another handle, as another process would.
fn follow(reader: &LogReader, done: &AtomicBool) -> u64 {
    let (mut next, mut counts) = (0, BTreeMap::new());
    loop {
        let last = done.load(Ordering::Acquire);
        let size = reader.refresh().unwrap().get();
        for record in reader.snapshot().records_from(Seq::new(next)) {
            let record = record.unwrap();
            assert_eq!(record.seq.get(), next);
            let (thread, n) = whose(&record);
            let expected = counts.entry(thread).or_insert(0);
            assert_eq!(n, *expected);
            *expected += 1;
            next += 1;
        }
        assert_eq!(next, size);
        if last {
            return next;
        }
    }
}

#[test]
fn every_record_of_many_threads_is_there_once_and_in_order() {
    for (durability, rounds) in [(Durability::Sync, 60), (Durability::Os, 200)] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit");
        let options = Log::options().segment_bytes(64 << 10).durability(durability);
        let log = options.create(&path).unwrap();
        let done = AtomicBool::new(false);
        let given = thread::scope(|scope| {
            let givers: Vec<_> = (0..THREADS)
                .map(|thread| {
                    scope.spawn({
                        let log = log.clone();
                        move || (thread, give(&log, thread, rounds))
                    })
                })
                .collect();
            let looks = scope.spawn(|| {
                let mut seen = 0;
                while !done.load(Ordering::Acquire) {
                    let snapshot = log.snapshot();
                    let size = snapshot.size().get();
                    assert!(size >= seen);
                    seen = size;
                    let newest = snapshot.query(&Query::new().limit(20)).unwrap();
                    let newest: Vec<u64> = newest.map(|r| r.unwrap().seq.get()).collect();
                    let expected: Vec<u64> = (size.saturating_sub(20)..size).rev().collect();
                    assert_eq!(newest, expected);
                    let own = Query::new().actor("3").oldest_first();
                    let own: Vec<u64> =
                        snapshot.query(&own).unwrap().map(|r| whose(&r.unwrap()).1).collect();
                    assert!(own.iter().enumerate().all(|(at, n)| at as u64 == *n));
                    snapshot.head().unwrap();
                }
            });
            let follower = scope.spawn(|| follow(&Log::open_read_only(&path).unwrap(), &done));
            let given: BTreeMap<u64, u64> = givers.into_iter().map(|t| t.join().unwrap()).collect();
            log.sync().unwrap();
            done.store(true, Ordering::Release);
            looks.join().unwrap();
            let followed = follower.join().unwrap();
            assert!(followed <= log.size().get());
            given
        });
        let total: u64 = given.values().sum();
        assert!(log.snapshot().segments().unwrap().len() > 2, "it was rotated");
        // Tickets that were dropped are committed, too.
        log.close().unwrap();
        assert_eq!(log.size().get(), total);
        assert_eq!(counts(all(&log)), given);
        drop(log);
        let log = Log::open(&path).unwrap();
        assert_eq!(log.recovery().replayed, 0);
        assert_eq!(counts(all(&log)), given);
        log.close().unwrap();
        verify_clean(&path);
    }
}

#[test]
fn a_reader_sees_everything_that_was_acknowledged_once_it_refreshes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit");
    let log = Log::options().segment_bytes(64 << 10).create(&path).unwrap();
    let reader = Log::open_read_only(&path).unwrap();
    for n in 0..600 {
        let batch: Vec<Event> = (n * 3..n * 3 + 3).map(|n| event(0, n)).collect();
        let receipt = log.append_batch(&batch).unwrap();
        if n % 7 == 0 {
            assert_eq!(reader.refresh().unwrap().get(), receipt.first.get() + 3);
            assert_eq!(whose(&reader.snapshot().get(receipt.first).unwrap()).1, n * 3);
        }
        if n % 150 == 149 {
            log.rotate().unwrap();
        }
    }
    reader.refresh().unwrap();
    let seen = reader.snapshot().records_from(Seq::new(0)).map(Result::unwrap);
    assert_eq!(counts(seen), BTreeMap::from([(0, 1_800)]));
}

#[test]
fn an_append_that_meets_the_close_is_either_acknowledged_or_refused() {
    for round in 0..6 {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit");
        let log = Log::options().segment_bytes(64 << 10).create(&path).unwrap();
        let acked = AtomicU64::new(0);
        let given: BTreeSet<(u64, u64, u64)> = thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|thread| {
                    let (log, acked) = (log.clone(), &acked);
                    scope.spawn(move || {
                        let (mut mine, mut n) = (Vec::new(), 0);
                        loop {
                            let answer = if (n + thread) % 3 == 0 {
                                log.enqueue(&event(thread, n)).and_then(bulla::Ticket::wait)
                            } else {
                                log.append(&event(thread, n))
                            };
                            match answer {
                                Ok(receipt) => mine.push((receipt.seq.get(), thread, n)),
                                Err(Error::Closed) => return mine,
                                Err(other) => panic!("{other}"),
                            }
                            acked.fetch_add(1, Ordering::AcqRel);
                            n += 1;
                        }
                    })
                })
                .collect();
            while acked.load(Ordering::Acquire) < 40 + round * 30 {
                thread::yield_now();
            }
            log.close().unwrap();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert!(matches!(log.append(&event(0, 0)), Err(Error::Closed)));
        assert!(matches!(log.enqueue(&event(0, 0)), Err(Error::Closed)));
        drop(log);
        let log = Log::open(&path).unwrap();
        assert_eq!(log.recovery().replayed, 0, "what was queued came before the mark");
        let there: BTreeSet<(u64, u64, u64)> = all(&log)
            .map(|record| {
                let (thread, n) = whose(&record);
                (record.seq.get(), thread, n)
            })
            .collect();
        assert_eq!(there, given, "acknowledged and there, or refused and not");
        counts(all(&log));
    }
}

#[test]
fn a_second_writer_is_refused_with_the_process_id_of_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit");
    let log = Log::create(&path).unwrap();
    assert!(matches!(Log::create(&path), Err(Error::Exists { .. })));
    match Log::open(&path) {
        Err(Error::Locked { pid, .. }) => assert_eq!(pid, Some(std::process::id())),
        other => panic!("{other:?}"),
    }
    log.append(&event(1, 0)).unwrap();
    let clone = log.clone();
    drop(log);
    assert!(matches!(Log::open(&path), Err(Error::Locked { .. })), "a clone holds it open");
    clone.append(&event(1, 1)).unwrap();
    drop(clone);
    let log = Log::open(&path).unwrap();
    assert_eq!(log.recovery().replayed, 0, "dropping the last clone closed it");
    assert_eq!(counts(all(&log)), BTreeMap::from([(1, 2)]));
}

#[test]
fn a_full_queue_refuses_tickets_and_makes_appends_wait() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::options().queue_bytes(600).create(dir.path().join("audit")).unwrap();
    let (mut busy, mut tickets, mut n) = (0, Vec::new(), 0);
    let _watched = crate::support::hang::Watchdog::over("a queue of 600 bytes that is never full");
    for tries in 0.. {
        if tries >= 3_000 && busy > 0 {
            break;
        }
        match log.enqueue(&event(0, n)) {
            Ok(ticket) => {
                tickets.push(ticket);
                n += 1;
            }
            Err(Error::Busy) => busy += 1,
            Err(other) => panic!("{other}"),
        }
    }
    for (at, ticket) in tickets.into_iter().enumerate() {
        assert_eq!(ticket.wait().unwrap().seq.get(), at as u64);
    }
    thread::scope(|scope| {
        for thread in 1..=8 {
            let log = &log;
            scope.spawn(move || {
                (0..40).for_each(|n| assert!(log.append(&event(thread, n)).is_ok()))
            });
        }
    });
    let counted = counts(all(&log));
    assert_eq!(counted.get(&0), Some(&n));
    assert!((1..=8).all(|thread| counted.get(&thread) == Some(&40)));
}

#[test]
fn inline_housekeeping_serves_many_threads_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit");
    let options = Log::options().segment_bytes(64 << 10).housekeeping(Housekeeping::Inline);
    let log = options.create(&path).unwrap();
    let given: BTreeMap<u64, u64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..6)
            .map(|thread| {
                (
                    thread,
                    scope.spawn({
                        let log = &log;
                        move || give(log, thread, 80)
                    }),
                )
            })
            .collect();
        threads.into_iter().map(|(thread, joined)| (thread, joined.join().unwrap())).collect()
    });
    log.close().unwrap();
    assert_eq!(counts(all(&log)), given);
    verify_clean(&path);
}

#[test]
fn a_ticket_taken_while_an_append_is_in_flight_is_committed() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..60 {
        let log = Log::create(dir.path().join(format!("audit-{round}"))).unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let appending = thread::spawn({
            let log = log.clone();
            move || (0..3).for_each(|n| assert!(log.append(&event(0, n)).is_ok()))
        });
        // Not scoped: it would hang together with what it tests.
        thread::spawn(move || {
            while log.size().get() < 1 {
                thread::yield_now();
            }
            let ticket = log.enqueue(&event(1, 0)).unwrap();
            tell.send(ticket.wait().is_ok()).unwrap();
        });
        let done = told.recv_timeout(crate::support::hang::HUNG_AFTER);
        assert_eq!(done, Ok(true), "round {round}: the ticket waits for ever");
        appending.join().unwrap();
    }
}
