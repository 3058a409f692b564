//! Every kind of failure at every operation: an error and a latched log, a full disk that
//! can be retried, or nothing at all; never an acknowledged record that is not there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod full_disk;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::support::{
    Book, Shape, Step, Worker, check_and_go_on, clock, dir, event, reopen, steps,
};
use bulla::disk::sim::{Fault, FaultKind, SimDisk};
use bulla::{Durability, Error, Log, Seq};

/// After a failed call the log is either latched, or as good as before.
fn check_latch(worker: &mut Worker, step: Step, error: &Error) {
    let Some(log) = worker.log.as_ref() else { return };
    let readable = log.snapshot().records_from(Seq::new(0)).map(Result::unwrap).count() as u64;
    assert_eq!(readable, log.size().get(), "reads go on");
    let next = log.append(&event(worker.book.submitted));
    match (step, &next) {
        (_, Err(Error::Poisoned { .. })) => {
            assert!(matches!(log.append_batch(&[event(0)]), Err(Error::Poisoned { .. })));
            assert!(matches!(log.sync(), Err(Error::Poisoned { .. })));
            assert!(log.close().is_err());
        }
        (Step::Append | Step::Batch(_) | Step::Rotate | Step::Sync, other) => {
            panic!("{step:?} failed with {error}, and then: {other:?}");
        }
        (Step::Checkpoint | Step::Key, Ok(receipt)) => {
            // The key's side failed, or publishing; the log is untouched.
            let n = worker.book.submitted;
            worker.book.submitted += 1;
            worker.book.frames.push(n + 1);
            worker.book.acked = worker.book.submitted;
            worker.book.receipts.push((n, *receipt));
        }
        (_, other) => panic!("{step:?} failed with {error}, and then: {other:?}"),
    }
}

/// Runs the workload into one fault; whether it struck.
fn run(fault: Fault, shape: Shape, seed: u64) -> bool {
    let disk = SimDisk::new(seed);
    disk.plan(fault);
    let mut worker = Worker::new(&disk, shape);
    let steps = steps().into_iter();
    for step in steps {
        let (size, struck) = (worker.log.as_ref().map(Log::size), disk.faults_outstanding() == 0);
        match worker.step(step) {
            Ok(()) => {}
            Err(Error::DiskFull { .. }) => {
                assert_eq!(fault.kind, FaultKind::Enospc);
                if step != Step::Checkpoint {
                    // An anchor may stand already; nothing else does.
                    assert_eq!(worker.log.as_ref().map(Log::size), size, "no Seq was used");
                }
                worker.book.refused();
                if worker.log.is_some() || !matches!(step, Step::Close) {
                    worker.step(step).unwrap(); // the very same log
                }
            }
            Err(error) => {
                // What fails in housekeeping is told to the next call.
                let told = matches!(error, Error::Poisoned { .. });
                assert!(told || !struck, "{step:?} failed long after the fault: {error}");
                check_latch(&mut worker, step, &error);
                break;
            }
        }
    }
    drop(worker.log.take());
    if !worker.book.created {
        // Of a creation that failed nothing is promised but that it can be done again.
        disk.crash();
    }
    if disk.faults_outstanding() > 0 {
        return false; // the workload was over before
    }
    let mut book = worker.book;
    // The process ended; the machine went on.
    let log = reopen(&disk, shape, &book).unwrap();
    book.created = true;
    // What is acknowledged now must survive the power loss that comes next.
    book.check(&log, shape.durability);
    book.append(&log).unwrap();
    log.sync().unwrap();
    book.all_synced();
    disk.crash();
    drop(log);
    check_and_go_on(&disk, shape, &mut book);
    true
}

fn all_faults(kind: FaultKind, shape: Shape, step: usize) {
    for stored in [false, true] {
        for at in (0..).step_by(step) {
            let fault = Fault { at, kind, stored };
            let ran = catch_unwind(AssertUnwindSafe(|| run(fault, shape, at)));
            match ran {
                Ok(true) => {}
                Ok(false) => break,
                Err(panic) => {
                    eprintln!("{fault:?} {shape:?}");
                    resume_unwind(panic);
                }
            }
        }
    }
}

#[test]
fn an_input_output_error_latches_the_log_and_loses_nothing() {
    all_faults(FaultKind::Eio, Shape::PLAIN, 1);
}

#[test]
fn a_full_disk_is_retried_or_latches_the_log_and_loses_nothing() {
    all_faults(FaultKind::Enospc, Shape::PLAIN, 1);
}

#[test]
fn a_short_write_latches_the_log_and_loses_nothing() {
    all_faults(FaultKind::ShortWrite, Shape::PLAIN, 1);
}

#[test]
fn no_acknowledgement_follows_a_failed_sync() {
    all_faults(FaultKind::SyncFailed, Shape::PLAIN, 1);
}

#[test]
fn failures_of_a_log_left_to_the_system_lose_only_its_end() {
    let shape = Shape { durability: Durability::Os, ..Shape::PLAIN };
    for kind in [FaultKind::SyncFailed, FaultKind::Enospc, FaultKind::Eio] {
        all_faults(kind, shape, 2);
    }
}

#[test]
fn a_full_disk_refuses_appends_until_there_is_space_again() {
    let disk = SimDisk::new(1);
    let log = Shape::PLAIN.options(&disk, &clock()).create(dir()).unwrap();
    let mut book = Book::default();
    let (mut full, mut rounds) = (0, 0);
    for _ in 0..12 {
        disk.set_capacity(disk.used_bytes() + 3_000);
        loop {
            match book.append(&log) {
                Ok(()) => {}
                Err(Error::DiskFull { .. }) => break,
                Err(other) => panic!("{other}"),
            }
            book.receipts.last().map(|(n, receipt)| assert_eq!(receipt.seq.get(), *n)).unwrap();
        }
        book.refused();
        for _ in 0..3 {
            assert!(matches!(log.append(&event(book.submitted)), Err(Error::DiskFull { .. })));
            full += 1;
        }
        assert_eq!(log.snapshot().get(Seq::new(0)).is_ok(), book.acked > 0);
        disk.set_capacity(disk.used_bytes() + 200_000);
        book.append(&log).unwrap();
        rounds += 1;
    }
    assert_eq!((full, rounds), (36, 12));
    disk.set_capacity(u64::MAX);
    log.rotate().unwrap();
    book.append(&log).unwrap();
    log.close().unwrap();
    book.created = true;
    disk.crash();
    check_and_go_on(&disk, Shape::PLAIN, &mut book);
}
