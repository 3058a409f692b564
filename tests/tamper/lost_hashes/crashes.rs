//! Full disks, faults and power loss while hashes are made anew or come back.

use super::*;

/// the disk is full during a rebuild; with space, nothing is lost.
#[test]
fn disk_full_during_a_rebuild() {
    let made = large::Large::new(10, 700, 3);
    Lost::RecoveryPoint.from(&made.disk);
    let used = made.disk.used_bytes();
    for more in (0..160).map(|n| n * 1_024) {
        let scene = made.fork(more);
        scene.disk.set_capacity(used + more);
        // Hashes that find no space stay in memory.
        let log = scene.options().open(dir()).unwrap();
        assert_eq!(scene.refused(&log), 0);
        assert!(log.recovery().lost_hashes.is_empty());
        drop(log);
        scene.disk.set_capacity(u64::MAX);
        let log = scene.open();
        assert_eq!(scene.refused(&log), 0, "{more}");
        assert!(log.recovery().lost_hashes.is_empty());
        log.close().unwrap();
        drop(log);
        let names = scene.disk.list(&dir().join("tree")).unwrap();
        assert!(names.iter().all(|name| !name.ends_with(".tmp")), "{names:?}");
    }
}

/// one catalog copy lost, and the other; open limits; the gap at the log's very end.
#[test]
fn everything_sealed_is_gone_and_the_tree_too() {
    for events in [1_u64, 2, 15, 16, 17, 31, 32, 33, 255, 256, 257] {
        let made = large::Large::new(12, events, 3);
        for lost in
            [Lost::Tree, Lost::Levels, Lost::Level(0), Lost::Level(4), Lost::Cut(0), Lost::Cut(4)]
        {
            if matches!(lost, Lost::Cut(n) | Lost::Level(n) if !made.disk.exists(&Lost::level(n)).unwrap())
            {
                continue;
            }
            let scene = made.fork(1);
            lost.from(&scene.disk);
            let log = scene.options().open(dir()).unwrap();
            let refused = scene.refused(&log);
            let lost_hashes = log.recovery().lost_hashes.clone();
            log.close().unwrap();
            drop(log);
            let report = scene.verify();
            assert!(report.findings.is_empty(), "{events} {lost:?} {:#?}", report.findings);
            let log = scene.open();
            assert_eq!(scene.refused(&log), refused);
            for ordinal in lost_hashes {
                scene.restore(&log, ordinal).unwrap();
            }
            assert_eq!(scene.refused(&log), 0);
        }
    }
}

/// a sync fails while rebuilt files take their places, with a mark that stands; the log is
/// opened again, more is dropped, and the power fails.
#[test]
fn failed_sync_then_drop_then_power_loss() {
    interrupted(bulla::disk::sim::FaultKind::SyncFailed);
}

/// The same as if the process was ended between the renaming and the sync.
#[test]
fn no_sync_then_drop_then_power_loss() {
    interrupted(bulla::disk::sim::FaultKind::Eio);
}

fn interrupted(kind: bulla::disk::sim::FaultKind) {
    use bulla::disk::sim::Fault;
    use bulla::{ExpireOptions, Period, Policy};
    let made = large::Large::new(13, 150, 4);
    made.disk.flip_byte(&Lost::level(0), 3, 0x40).unwrap();
    let mut bad = Vec::new();
    let mut tried = 0;
    for (at, seed) in (0..40).flat_map(|at| (0..8).map(move |seed| (at, seed))) {
        let scene = made.fork(at * 100 + seed);
        scene.disk.plan(Fault { at, kind, stored: false });
        let first = scene.options().open(dir());
        if scene.disk.faults_outstanding() > 0 {
            break;
        }
        tried += 1;
        drop(first);
        let log = scene.open();
        assert_eq!(scene.refused(&log), 0);
        for n in 0..100 {
            log.append(&crate::support::event(8 * n)).unwrap();
        }
        log.rotate().unwrap();
        scene.clock.advance(scene::DAY * 3);
        log.append(&crate::support::event(1)).unwrap();
        let truth = large::roots(&log, log.size());
        log.retention().set_policy(&Policy::keep(Period::from_days(1)), &scene::asked()).unwrap();
        log.retention().expire(&ExpireOptions::new(), &scene::asked()).unwrap();
        log.close().unwrap();
        drop(log);
        scene.disk.crash();
        let scene = large::Large { truth, ..scene };
        let log = scene.open();
        let refused = scene.refused(&log);
        if refused > 0 || !log.recovery().lost_hashes.is_empty() {
            bad.push(at);
        }
    }
    assert!(tried > 0, "no fault struck");
    assert!(bad.is_empty(), "{bad:?}");
}

/// random damage, then power losses during the rebuild: no more is lost than without them.
#[test]
fn power_loss_loses_no_more_than_the_damage_did() {
    let mut random = Random::new(1_234_567_891);
    let mut rnd = move |n: u64| random.below(n);
    let made = large::Large::new(18, 300, 4);
    let size = made.truth.len() as u64 - 1;
    for round in 0..120 {
        let scene = made.fork(round);
        for _ in 0..=rnd(2) {
            let level = 4 * rnd(3) as u8;
            let entries = size >> level;
            let (from, part) = (rnd(entries), 1 + rnd(9));
            if rnd(2) == 0 {
                zero(&scene.disk, level, from, 1 + rnd(entries / part));
            } else {
                let at = 64 + 32 * from + rnd(32);
                scene.disk.flip_byte(&Lost::level(level), at, 1).unwrap();
            }
        }
        if rnd(3) > 0 {
            Lost::RecoveryPoint.from(&scene.disk);
        } else {
            scene.disk.flip_byte(&Lost::level(4 * rnd(2) as u8), 3, 1).unwrap();
        }
        let still = scene.fork(round);
        let log = still.open();
        let (refused, lost) = (still.refused(&log), log.recovery().lost_hashes.clone());
        drop(log);
        for _ in 0..=rnd(4) {
            scene.disk.crash_after(rnd(45));
            drop(scene.options().open(dir()));
            scene.disk.crash_after(0);
            scene.disk.crash();
        }
        let log = scene.open();
        assert_eq!(scene.refused(&log), refused, "round {round}, lost {lost:?}");
        log.close().unwrap();
        drop(log);
        let report = scene.verify();
        assert!(report.findings.is_empty(), "round {round}: {:#?}", report.findings);
    }
}

/// faults in a restore, then once more, dropped again, power loss, mark lost.
#[test]
fn faults_in_a_restore() {
    use bulla::disk::sim::{Fault, FaultKind};
    let made = large::Large::new(25, 60, 4);
    Lost::Tree.from(&made.disk);
    made.open().close().unwrap();
    for kind in [FaultKind::SyncFailed, FaultKind::Eio, FaultKind::ShortWrite, FaultKind::Enospc] {
        for at in 0..60 {
            let scene = made.fork(at);
            let log = scene.open();
            scene.disk.plan(Fault { at, kind, stored: false });
            let first = scene.restore(&log, 2);
            let struck = scene.disk.faults_outstanding() == 0;
            drop(log);
            if !struck {
                break;
            }
            let log = match scene.options().open(dir()) {
                Ok(log) => log,
                Err(_) => scene.open(),
            };
            if log.snapshot().get(Seq::new(62)).is_err() {
                scene.restore(&log, 2).unwrap_or_else(|e| panic!("{kind:?} {at}: {first:?} {e}"));
            }
            let before = scene.refused(&log);
            let _ = log.close();
            drop(log);
            scene.disk.crash();
            let log = scene.open();
            assert_eq!(scene.refused(&log), before, "{kind:?} {at}");
            assert!(log.snapshot().get(Seq::new(62)).is_ok());
            let expiry = log
                .retention()
                .expire(&bulla::ExpireOptions::new().drop_restored(true), &scene::asked())
                .unwrap();
            assert_eq!(expiry.dropped.len(), 1, "{kind:?} {at} {:?}", expiry.stayed);
            log.close().unwrap();
            drop(log);
            scene.disk.crash();
            Lost::RecoveryPoint.from(&scene.disk);
            let log = scene.open();
            assert_eq!(scene.refused(&log), before, "{kind:?} {at}");
            assert!(!log.recovery().lost_hashes.contains(&2));
            log.close().unwrap();
            drop(log);
            let report = scene.verify();
            assert!(report.findings.is_empty(), "{kind:?} {at}: {:#?}", report.findings);
        }
    }
}
