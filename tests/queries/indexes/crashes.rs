//! Crashes, failures and a full disk while an index is written.

use super::*;

fn options(disk: &SimDisk) -> bulla::LogOptions {
    Shape::PLAIN.options(disk, &clock())
}

fn prepared(seed: u64) -> (SimDisk, Log) {
    let disk = SimDisk::new(seed);
    let log = options(&disk).create(dir()).unwrap();
    for first in (0..200).step_by(50) {
        let events: Vec<Event> = (first..first + 50)
            .map(|n| by(if n % 5 == 0 { "mallory" } else { "alice" }, n))
            .collect();
        log.append_batch(&events).unwrap();
    }
    (disk, log)
}

fn mallory(log: &Log) -> usize {
    log.snapshot().query(&Query::new().actor("mallory")).unwrap().map(Result::unwrap).count()
}

fn clean(disk: &SimDisk, what: &str) {
    let options = VerifyOptions::new().disk(Arc::new(disk.clone())).at_rest();
    let report = verify(&dir(), &options, &mut |_| ()).unwrap();
    assert!(report.is_clean(), "{what}: {:#?}", report.findings);
    assert!(report.warnings.is_empty(), "{what}: {:#?}", report.warnings);
}

fn has_index(disk: &SimDisk) -> bool {
    let names = disk.list(&dir().join("segments")).unwrap();
    names.iter().any(|name| name.ends_with(".idx"))
}

#[test]
fn power_loss_at_every_operation_of_a_seal() {
    let (disk, log) = prepared(1);
    let before = disk.operations();
    log.rotate().unwrap();
    let all = disk.operations() - before;
    assert!(all > 5 && has_index(&disk));
    let mut torn = Vec::new();
    for seed in 0..12 {
        for count in 0..=all {
            let (disk, log) = prepared(seed);
            disk.crash_after(count);
            let _ = log.rotate();
            drop(log);
            disk.crash();
            if seed % 3 == 2 {
                // and once more while that is made good
                disk.crash_after((count * 7 + seed) % 23);
                drop(options(&disk).open(dir()));
                disk.crash();
            }
            let what = format!("seed {seed}, crash after {count} of {all}");
            let log = options(&disk).open(dir()).unwrap_or_else(|e| panic!("{what}: {e}"));
            assert_eq!(mallory(&log), 40, "{what}");
            log.append(&by("mallory", 1)).unwrap();
            log.append(&by("alice", 1)).unwrap();
            log.rotate().unwrap();
            log.append(&by("alice", 1)).unwrap();
            assert_eq!(mallory(&log), 41, "{what}");
            log.close().unwrap();
            let options = VerifyOptions::new().disk(Arc::new(disk.clone())).at_rest();
            let report = verify(&dir(), &options, &mut |_| ()).unwrap();
            assert!(report.is_clean(), "{what}: {:#?}", report.findings);
            // What a second crash leaves of a copy that was set aside is told for ever.
            let is_copy = |path: &std::path::Path| {
                path.starts_with(dir().join("quarantine"))
                    || path.starts_with(dir().join("catalog"))
            };
            for warning in report.warnings.iter().filter(|warning| !is_copy(&warning.file)) {
                torn.push(format!("{what}: {}: {}", warning.what, warning.file.display()));
            }
        }
    }
    assert!(torn.is_empty(), "set aside and not told: {torn:#?}");
}

/// The index cannot be written twice in a row, and then the disk is good again.
#[test]
fn an_index_that_could_not_be_written_for_a_while_is_made_later() {
    let mut unindexed = Vec::new();
    for (first, second) in (0..6).flat_map(|a| (0..12).map(move |b| (a, b))) {
        let (disk, log) = prepared(5);
        for at in [first, first + 1 + second] {
            disk.plan(Fault { at, kind: FaultKind::Enospc, stored: false });
        }
        let rotated = log.rotate().map_err(|error| error.to_string());
        let appended: Vec<bool> = (0..20).map(|n| log.append(&by("mallory", n)).is_ok()).collect();
        if appended.last() == Some(&true) && disk.faults_outstanding() == 0 {
            for n in 0..20 {
                log.append(&by("alice", n)).unwrap();
                mallory(&log);
            }
            if !has_index(&disk) {
                unindexed.push(format!("full at {first} and {second} later: {rotated:?}"));
            }
        }
    }
    assert!(unindexed.is_empty(), "never made anew: {unindexed:#?}");
}

/// What is called during a search may append, rotate and search.
#[test]
fn a_visitor_may_do_anything_with_the_log() {
    within(|| {
        for housekeeping in [Housekeeping::Inline, Housekeeping::Background] {
            let dir = tempfile::tempdir().unwrap();
            let options = Log::options().housekeeping(housekeeping).durability(Durability::Os);
            let log = options.create(dir.path().join("log")).unwrap();
            for n in 0..300 {
                log.append(&by("a", n)).unwrap();
            }
            for query in
                [Query::new(), Query::new().actor("a"), Query::new().actor("a").oldest_first()]
            {
                for _ in 0..30 {
                    let mut count = 0_u64;
                    let snapshot = log.snapshot();
                    snapshot
                        .query(&query)
                        .unwrap()
                        .visit(|_| {
                            count += 1;
                            if count.is_multiple_of(100) {
                                log.append(&by("a", count)).unwrap();
                                log.rotate().unwrap();
                                log.snapshot().count(&Query::new().actor("a")).unwrap();
                            }
                            std::ops::ControlFlow::Continue(())
                        })
                        .unwrap();
                    assert_eq!(count, snapshot.size().get());
                }
            }
        }
    });
}

/// A fault at each operation of a seal. What is acknowledged stays; the index comes back in the
/// same process once the disk is good again, or the log says that it is poisoned.
#[test]
fn a_fault_at_every_operation_of_a_seal() {
    let (disk, log) = prepared(1);
    let before = disk.operations();
    log.rotate().unwrap();
    let all = disk.operations() - before;
    let (mut unindexed, mut poisoned) = (Vec::new(), Vec::new());
    for kind in [FaultKind::Eio, FaultKind::Enospc, FaultKind::ShortWrite, FaultKind::SyncFailed] {
        for at in 0..all {
            for stored in [false, true] {
                let (disk, log) = prepared(5);
                disk.plan(Fault { at, kind, stored });
                let rotated = log.rotate();
                let what = format!("{kind:?} at {at} of {all}, stored {stored}: {rotated:?}");
                assert_eq!(mallory(&log), 40, "{what}");
                let mut acked = 40;
                for n in 0..10 {
                    match log.append(&by("mallory", n)) {
                        Ok(_) => acked += 1,
                        Err(Error::Poisoned { .. }) => {}
                        Err(error) => eprintln!("{what}: append: {error}"),
                    }
                }
                if log.append(&by("alice", 0)).is_err() {
                    poisoned.push(what.clone());
                } else if !has_index(&disk) {
                    unindexed.push(what.clone());
                }
                assert_eq!(mallory(&log), acked, "{what}");
                drop(log);
                let log = options(&disk).open(dir()).unwrap_or_else(|e| panic!("{what}: {e}"));
                assert!(mallory(&log) >= acked, "{what}");
                log.append(&by("alice", 0)).unwrap();
                log.append(&by("alice", 0)).unwrap();
                log.close().unwrap();
                clean(&disk, &what);
            }
        }
    }
    assert!(unindexed.is_empty(), "not indexed in this process: {unindexed:#?}");
}
