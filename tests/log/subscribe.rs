//! Subscriptions: what matches, as it is committed.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use bulla::{Actor, Error, Event, Log, Query, Resource};
use futures_core::Stream;

fn event(actor: &str, n: u64) -> Event {
    Event::new(Actor::new("user", actor), "file.read", Resource::new("file", n.to_string()))
}

fn log() -> (tempfile::TempDir, Log) {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::options().segment_bytes(64 << 10).create(dir.path().join("log")).unwrap();
    (dir, log)
}

fn file(record: &bulla::Record) -> u64 {
    record.event.resource.id.as_ref().unwrap().parse().unwrap()
}

#[test]
fn what_is_committed_later_comes_once_and_in_order() {
    let (_dir, log) = log();
    log.append(&event("alice", 999)).unwrap();
    let mut subscription = log.subscribe(&Query::new().actor("alice")).unwrap();
    let writer = thread::spawn({
        let log = log.clone();
        move || {
            for n in 0..2_000 {
                log.append(&event(if n % 3 == 0 { "alice" } else { "bob" }, n)).unwrap();
            }
        }
    });
    for n in (0..2_000).step_by(3) {
        assert_eq!(file(&subscription.next().unwrap().unwrap()), n);
    }
    writer.join().unwrap();
    assert!(subscription.next_within(Duration::ZERO).unwrap().is_none());
    assert!(!subscription.has_ended());
    log.close().unwrap();
    assert!(subscription.next().is_none() && subscription.has_ended());
}

#[test]
fn a_waiting_subscriber_is_woken_by_a_commit_and_by_the_end() {
    let (_dir, log) = log();
    let (send, receive) = mpsc::channel();
    let subscription = log.subscribe(&Query::new().actor("alice")).unwrap();
    let waiter = thread::spawn(move || {
        for record in subscription {
            send.send(file(&record.unwrap())).unwrap();
        }
    });
    for n in 0..50 {
        log.append(&event("bob", n)).unwrap();
        log.append(&event("alice", n)).unwrap();
        assert_eq!(receive.recv_timeout(crate::support::hang::HUNG_AFTER).unwrap(), n);
    }
    log.close().unwrap();
    waiter.join().unwrap();
}

#[test]
fn a_cursor_goes_on_after_a_restart_without_a_gap_or_a_repetition() {
    let (dir, log) = log();
    let query = || Query::new().actor("alice");
    let cursor = log.subscribe(&query()).unwrap().cursor();
    for n in 0..600 {
        log.append(&event(if n % 2 == 0 { "alice" } else { "bob" }, n)).unwrap();
    }
    log.close().unwrap();
    let log = Log::open(dir.path().join("log")).unwrap();
    let mut cursor = cursor.to_string();
    let mut found = Vec::new();
    loop {
        let after = query().oldest_first().after(cursor.parse().unwrap());
        let mut subscription = log.subscribe(&after).unwrap();
        for _ in 0..7 {
            found.extend(subscription.next_within(Duration::ZERO).unwrap().as_ref().map(file));
        }
        let next = subscription.cursor().to_string();
        if next == cursor {
            break;
        }
        cursor = next;
    }
    assert_eq!(found, (0..600).step_by(2).collect::<Vec<_>>());
    let other = Query::new().actor("bob").oldest_first().after(cursor.parse().unwrap());
    assert!(matches!(log.subscribe(&other), Err(Error::InvalidOption { name: "cursor", .. })));
}

#[test]
fn a_limit_ends_it() {
    let (_dir, log) = log();
    let mut subscription = log.subscribe(&Query::new().limit(2)).unwrap();
    for n in 0..5 {
        log.append(&event("alice", n)).unwrap();
    }
    assert_eq!(subscription.by_ref().count(), 2);
    assert!(subscription.has_ended());
}

/// Counts how often it was woken.
#[derive(Default)]
struct Count(AtomicU64);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn as_a_stream_it_is_pending_until_it_is_woken() {
    let (_dir, log) = log();
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut context = Context::from_waker(&waker);
    let mut subscription = pin!(log.subscribe(&Query::new().actor("alice")).unwrap());
    let woken = || count.0.load(Ordering::SeqCst);
    assert!(subscription.as_mut().poll_next(&mut context).is_pending());
    assert!(subscription.as_mut().poll_next(&mut context).is_pending());
    log.append(&event("bob", 0)).unwrap();
    assert_eq!(woken(), 1, "once, however often it was polled");
    assert!(subscription.as_mut().poll_next(&mut context).is_pending(), "bob is not asked for");
    log.append(&event("alice", 1)).unwrap();
    assert_eq!(woken(), 2);
    log.append(&event("alice", 2)).unwrap();
    assert_eq!(woken(), 2, "nobody waited");
    for n in [1, 2] {
        match subscription.as_mut().poll_next(&mut context) {
            Poll::Ready(Some(Ok(record))) => assert_eq!(file(&record), n),
            other => panic!("{other:?}"),
        }
    }
    assert!(subscription.as_mut().poll_next(&mut context).is_pending());
    log.close().unwrap();
    assert_eq!(woken(), 3);
    assert!(matches!(subscription.as_mut().poll_next(&mut context), Poll::Ready(None)));
}
