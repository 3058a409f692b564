//! Many callers with the same ids at once: one record each, and one receipt for all.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use bulla::disk::sim::{Fault, FaultKind, SimDisk};
use bulla::{Durability, Error, Housekeeping, Log, Receipt, Ticket};

use super::{all_different, conflict, event, in_dir, options};
use crate::support::{Shape, clock, dir};

const EVENTS: u64 = 300;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Awaits a ticket.
fn awaited(ticket: Ticket) -> Result<Receipt, Error> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut ticket = pin!(ticket);
    loop {
        match ticket.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(result) => return result,
            Poll::Pending => thread::park(),
        }
    }
}

/// One way to append an event once.
fn append(log: &Log, thread: u64, n: u64) -> Vec<(u64, Receipt)> {
    let one = |receipt| vec![(n, receipt)];
    match (thread + n) % 4 {
        0 => one(log.append_once(&event(n)).unwrap()),
        1 => one(log.enqueue_once(&event(n)).unwrap().wait().unwrap()),
        2 => one(awaited(log.enqueue_once(&event(n)).unwrap()).unwrap()),
        _ => {
            // In orders that cross those of other threads.
            let mut numbers: Vec<u64> = (n..(n + 5).min(EVENTS)).collect();
            if thread.is_multiple_of(2) {
                numbers.reverse();
            }
            let events: Vec<_> = numbers.iter().map(|n| event(*n)).collect();
            let receipts = log.append_batch_once(&events).unwrap();
            numbers.into_iter().zip(receipts.iter().map(|once| once.receipt)).collect()
        }
    }
}

#[test]
fn each_event_is_recorded_once_and_all_get_its_receipt() {
    for durability in [Durability::Os, Durability::Sync] {
        let place = tempfile::tempdir().unwrap();
        let log = options()
            .durability(durability)
            .housekeeping(Housekeeping::Background)
            .create(in_dir(&place))
            .unwrap();
        let given: Mutex<BTreeMap<u64, Receipt>> = Mutex::default();
        thread::scope(|scope| {
            for number in 0..6 {
                let (log, given) = (&log, &given);
                scope.spawn(move || {
                    for n in 0..EVENTS {
                        for (n, receipt) in append(log, number, n) {
                            let first = *given.lock().unwrap().entry(n).or_insert(receipt);
                            assert_eq!(first, receipt, "event {n}");
                        }
                    }
                });
            }
        });
        assert_eq!(log.size().get(), EVENTS);
        log.close().unwrap();
        assert_eq!(all_different(&in_dir(&place)) as u64, EVENTS);
    }
}

#[test]
fn a_ticket_waits_for_another_event_with_its_id_and_is_then_compared() {
    let place = tempfile::tempdir().unwrap();
    let log = options().durability(Durability::Sync).create(in_dir(&place)).unwrap();
    for n in 0..50 {
        let first = log.enqueue_once(&event(n)).unwrap();
        let same = log.enqueue_once(&event(n));
        let dropped = log.enqueue_once(&event(n));
        let other = log.enqueue_once(&event(n).reason("other"));
        drop(dropped);
        // Also without anybody who waits for the first.
        if n % 2 == 0 {
            drop(first);
            same.unwrap().wait().unwrap();
        } else {
            assert_eq!(awaited(same.unwrap()).unwrap(), first.wait().unwrap());
        }
        conflict(other.and_then(awaited));
    }
    assert_eq!(log.size().get(), 50);
}

#[test]
fn an_id_whose_commit_found_no_space_is_free_and_the_next_try_appends_it() {
    let disk = SimDisk::new(5);
    let log = Shape::PLAIN.options(&disk, &clock()).create(dir()).unwrap();
    log.append_once(&event(0)).unwrap();
    disk.set_capacity(disk.used_bytes() + 1_000);
    let mut appended = 1;
    let full = loop {
        match log.append_once(&event(appended)) {
            Ok(_) => appended += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(full, Error::DiskFull { .. }), "{full:?}");
    let ticket = log.enqueue_once(&event(appended)).unwrap();
    assert!(matches!(ticket.wait(), Err(Error::DiskFull { .. })));
    disk.set_capacity(u64::MAX);
    let receipt = log.append_once(&event(appended)).unwrap();
    assert_eq!(receipt.seq.get(), appended);
    assert_eq!(log.append_once(&event(appended)).unwrap(), receipt);
}

#[test]
fn after_a_failed_sync_nobody_is_told_that_an_event_is_there() {
    for stored in [false, true] {
        let disk = SimDisk::new(6);
        let log = Shape::PLAIN.options(&disk, &clock()).create(dir()).unwrap();
        log.append_once(&event(0)).unwrap();
        disk.plan(Fault { at: 0, kind: FaultKind::SyncFailed, stored });
        assert!(log.append_once(&event(1)).is_err());
        for n in [0, 1, 2] {
            let result = log.append_once(&event(n));
            assert!(matches!(result, Err(Error::Poisoned { .. })), "{result:?}");
            let result = log.enqueue_once(&event(n)).map(drop);
            assert!(matches!(result, Err(Error::Poisoned { .. })), "{result:?}");
        }
        drop(log);
        let log = Shape::PLAIN.options(&disk, &clock()).open(dir()).unwrap();
        for n in [0, 1, 2] {
            assert_eq!(log.append_once(&event(n)).unwrap().seq.get(), n);
        }
        assert_eq!(log.size().get(), 3);
    }
}
