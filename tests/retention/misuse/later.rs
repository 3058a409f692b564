//! What comes after a drop: restores, drops that are called off, rotation of the catalog, crashes.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bulla::archive::{ArchiveStore, DirectoryStore, VerifyArchiveOptions};
use bulla::disk::Disk;
use bulla::disk::RealDisk;
use bulla::{
    Attribution, Error, ExpireOptions, GapVerdict, Hold, HoldScope, Housekeeping, Period, Policy,
    Query, Seq, VerifyOptions, verify,
};

use crate::misuse::forgery::{catalog, forge, there};
use crate::misuse::{DAY, World, asked, event};
use crate::support::hang::{EndOnDrop, Watchdog, wait_until, within};

pub(crate) fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
        }
    }
}

fn archive(world: &World) -> Arc<dyn ArchiveStore> {
    let store = DirectoryStore::open_or_create(world.dir.path().join("archive")).unwrap();
    Arc::new(store)
}

/// A log of 5 days whose segments 1 to 4 went, a copy of each in the archive.
fn expired(world: &World) -> (bulla::Log, Arc<dyn ArchiveStore>) {
    let log = world.log(5);
    log.append(&event("now", 5)).unwrap();
    log.retention().set_policy(&Policy::keep(Period::from_days(1)), &asked()).unwrap();
    let store = archive(world);
    let options = ExpireOptions::new().archive_to(Arc::clone(&store));
    assert!(log.retention().expire(&options, &asked()).unwrap().dropped.len() >= 4);
    (log, store)
}

fn folder_of(log: &bulla::Log, store: &dyn ArchiveStore, ordinal: u64) -> String {
    let all = log.archive().restorable_in(store).unwrap();
    all.into_iter().find(|found| found.0 == ordinal).unwrap().1
}

#[test]
fn a_catalog_of_before_a_restore_is_refused_or_deletes_nothing_that_is_held() {
    let world = World::new();
    let (log, store) = expired(&world);
    let hold = Hold::new("case 7", HoldScope::new().resource("file", "f1"));
    log.retention().place_hold(&hold, &asked()).unwrap(); // bound by an anchor
    log.sync().unwrap();
    let (from, old) = (world.path().join("catalog"), world.dir.path().join("old"));
    copy_dir(&from, &old);
    let folder = folder_of(&log, &*store, 2);
    log.archive().restore(&*store, &folder, &asked()).unwrap();
    assert_eq!(log.snapshot().segments_held_by("case 7").unwrap().segments, [2]);
    log.close().unwrap();
    drop(log);
    assert!(there(&world, 2));
    copy_dir(&old, &from);
    let _ = std::fs::remove_file(from.join("snapshot"));
    let opened = world.options().open(world.path());
    let opened = opened.map(|log| log.close().unwrap()).map_err(|e| e.to_string());
    let report = verify(&world.path(), &VerifyOptions::new(), &mut |_| ()).unwrap();
    assert!(
        there(&world, 2) || opened.is_err(),
        "opened: {opened:?}; a restored segment that a hold pins is gone; verify: {:?}",
        report.findings
    );
}

#[test]
fn a_segment_whose_drop_is_called_off_is_restored_again() {
    let world = World::new();
    let (log, store) = expired(&world);
    let folder = folder_of(&log, &*store, 2);
    log.archive().restore(&*store, &folder, &asked()).unwrap();
    log.close().unwrap();
    drop(log);
    // What a crash leaves right after the certificate of `expire(drop_restored(true))`.
    forge(&world, &mut catalog(&world), 2, false);
    let hold = Hold::new("case 7", HoldScope::new().resource("file", "f1"));
    world.options().administer(world.path()).unwrap().place_hold(&hold, &asked()).unwrap();
    let log = world.options().open(world.path()).unwrap();
    assert!(there(&world, 2));
    log.retention().release_hold("case 7", &asked()).unwrap();
    let gone = log.retention().expire(&ExpireOptions::new(), &asked()).unwrap().dropped.len();
    log.close().unwrap();
    assert!(
        there(&world, 2),
        "{gone} went: a restored segment is dropped again only with `drop_restored`"
    );
}

#[test]
fn two_processes_write_holds_across_rotations_of_the_catalog() {
    let world = World::new();
    let log = world.log(3);
    log.retention().set_policy(&Policy::keep(Period::ZERO), &asked()).unwrap();
    let admin = world.options().administer(world.path()).unwrap();
    let long = Attribution::by("c".repeat(4_000)).because("w".repeat(4_000));
    for n in 0..200 {
        let hold = Hold::new(format!("s{n}"), HoldScope::new().actor("actor-1"));
        log.retention().place_hold(&hold, &long).unwrap();
        let hold = Hold::new(format!("a{n}"), HoldScope::new().actor("actor-2"));
        admin.place_hold(&hold, &long).unwrap();
        if n > 0 {
            admin.release_hold(&format!("s{}", n - 1), &long).unwrap();
            log.retention().release_hold(&format!("a{}", n - 1), &long).unwrap();
        }
    }
    assert!(log.retention().expire(&ExpireOptions::new(), &asked()).unwrap().dropped.is_empty());
    log.retention().release_hold("a199", &asked()).unwrap();
    assert!(log.retention().expire(&ExpireOptions::new(), &asked()).unwrap().dropped.is_empty());
    admin.release_hold("s199", &asked()).unwrap();
    assert_eq!(log.retention().expire(&ExpireOptions::new(), &asked()).unwrap().dropped.len(), 3);
    drop(admin);
    log.close().unwrap();
    let report = verify(&world.path(), &VerifyOptions::new(), &mut |_| ()).unwrap();
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
    world.options().open(world.path()).unwrap().close().unwrap();
}

#[test]
fn a_log_with_gaps_opens_without_marks_indexes_and_snapshot() {
    let world = World::new();
    let (log, store) = expired(&world);
    let folder = folder_of(&log, &*store, 2);
    log.archive().restore(&*store, &folder, &asked()).unwrap();
    log.close().unwrap();
    drop(log);
    for gone in ["tree/mark", "catalog/snapshot"] {
        let _ = std::fs::remove_file(world.path().join(gone));
    }
    let segments = world.path().join("segments");
    for entry in std::fs::read_dir(&segments).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "idx") {
            RealDisk.unprotect(&path).unwrap();
            std::fs::remove_file(path).unwrap();
        }
    }
    std::fs::remove_dir_all(world.path().join("catalog/tree")).unwrap();
    std::fs::remove_dir_all(world.path().join("catalog/b")).unwrap();
    std::fs::create_dir(world.path().join("catalog/b")).unwrap();
    let log = world.options().open(world.path()).unwrap();
    assert!(log.snapshot().get(Seq::new(12)).is_ok());
    log.append(&event("x", 1)).unwrap();
    log.close().unwrap();
    let report = verify(&world.path(), &VerifyOptions::new(), &mut |_| ()).unwrap();
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
    assert!(report.gaps.iter().all(|gap| gap.verdict == GapVerdict::Checked));
}

/// The newest anchor must bind all that any anchor before it binds.
#[test]
fn the_newest_anchor_does_not_bind_less_of_the_catalog_than_one_before_it() {
    let world = World::new();
    let log = world.log(1);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let log = &log;
            scope.spawn(move || {
                for n in 0..60 {
                    let hold = Hold::new(format!("{thread} {n}"), HoldScope::new().actor("a"));
                    log.retention().place_hold(&hold, &asked()).unwrap();
                }
            });
        }
    });
    log.close().unwrap();
    let mut sizes = Vec::new();
    for ordinal in 1..=2 {
        let path = world.path().join(format!("segments/{ordinal:08}.seg"));
        let segment = bulla::internals::segment::bytes::SegmentFile::open(
            &RealDisk,
            &path,
            bulla::disk::Open::Read,
        );
        let Ok(Some(segment)) = segment else { continue };
        let start = bulla::internals::segment::scan::Position {
            offset: segment.header.first_frame(),
            size: segment.header.first,
        };
        bulla::internals::segment::recover::last(&segment, start, |_, _, record| {
            if record.head.kind == bulla::event::RecordKind::Anchor.code() {
                sizes.push(
                    bulla::internals::format::body::decode_anchor(record.envelope)
                        .unwrap()
                        .catalog_size,
                );
            }
        })
        .unwrap();
    }
    assert!(sizes.len() > 200, "{}", sizes.len());
    let back = sizes.windows(2).filter(|pair| pair[0] > pair[1]).count();
    assert_eq!(back, 0, "{back} of {} anchors bind less than the one before", sizes.len());
}

#[test]
fn a_fifo_in_an_archive_does_not_stop_its_verification() {
    let world = World::new();
    let (log, store) = expired(&world);
    let folder = folder_of(&log, &*store, 2);
    log.close().unwrap();
    let path = world.dir.path().join("archive").join(&folder).join("MANIFEST.json");
    RealDisk.unprotect(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    within(move || {
        assert!(bulla::archive::verify(&*store, &folder, &VerifyArchiveOptions::new()).is_err());
    });
}

#[test]
fn one_odd_folder_in_the_archive_keeps_its_segment_and_no_other() {
    let world = World::new();
    let log = world.log(5);
    log.append(&event("now", 5)).unwrap();
    log.retention()
        .set_policy(&Policy::keep(Period::from_days(1)).archive(true), &asked())
        .unwrap();
    let store = archive(&world);
    log.archive().copy(1, &*store, &asked()).unwrap();
    // Segment 2's folder has other bytes, half written by something else.
    let first = store.list("").unwrap()[0].clone();
    let of_log = first.split('/').next().unwrap();
    let odd = world.dir.path().join("archive").join(of_log).join("00000002");
    std::fs::create_dir(&odd).unwrap();
    std::fs::write(odd.join("segment.seg"), b"other").unwrap();
    let options = ExpireOptions::new().archive_to(Arc::clone(&store));
    let expiry = log.retention().expire(&options, &asked());
    let gone = expiry.as_ref().map(|e| e.dropped.len()).map_err(|e| e.to_string());
    log.close().unwrap();
    assert!(expiry.is_ok_and(|e| e.stayed.len() == 1 && e.dropped.len() >= 3), "{gone:?}");
}

#[test]
fn readers_and_admins_beside_an_expiry_see_holds_obeyed() {
    let world = World::new();
    let log = world
        .options()
        .housekeeping(Housekeeping::Background)
        .segment_bytes(64 << 10)
        .create(world.path())
        .unwrap();
    log.retention().set_policy(&Policy::keep(Period::ZERO), &asked()).unwrap();
    let _watched = Watchdog::over("readers and administrators beside an expiry");
    let over = AtomicBool::new(false);
    let [expiries, drops, obeyed] = [const { AtomicUsize::new(0) }; 3];
    let go = || !over.load(Ordering::SeqCst);
    std::thread::scope(|scope| {
        let _end = EndOnDrop(&over);
        scope.spawn(|| {
            let _end = EndOnDrop(&over);
            let mut n = 0;
            while go() {
                log.append(&event(&format!("a{}", n % 50), n)).unwrap();
                n += 1;
                if n % 20 == 0 {
                    log.rotate().unwrap();
                }
            }
        });
        scope.spawn(|| {
            let _end = EndOnDrop(&over);
            while go() {
                let options = ExpireOptions::new().clock_lead(Period::from_years(9));
                let dropped = log.retention().expire(&options, &asked()).unwrap().dropped.len();
                drops.fetch_add(dropped, Ordering::SeqCst);
                expiries.fetch_add(1, Ordering::SeqCst);
                world.clock.advance(Duration::from_secs(1));
            }
        });
        scope.spawn(|| {
            let _end = EndOnDrop(&over);
            let mut n = 0;
            while go() {
                let admin = world.options().administer(world.path()).unwrap();
                let case = format!("h{n}");
                let scope = HoldScope::new().actor("a7");
                admin.place_hold(&Hold::new(case.as_str(), scope), &asked()).unwrap();
                // From here on none of these may go.
                let snapshot = log.snapshot();
                let held: Vec<Seq> = snapshot
                    .query(&Query::new().actor("a7"))
                    .unwrap()
                    .filter_map(|record| record.ok().map(|record| record.seq))
                    .collect();
                // Expiries run meanwhile.
                let since = expiries.load(Ordering::SeqCst);
                wait_until(|| !go() || expiries.load(Ordering::SeqCst) > since + 1);
                for seq in &held {
                    let found = log.snapshot().get(*seq);
                    if let Err(Error::Expired { certificate, .. }) = &found {
                        let placed = log.snapshot().catalog().holds().unwrap()[0].catalog_seq;
                        assert!(certificate.catalog_seq < placed, "{seq}: {certificate:?}");
                    }
                }
                admin.release_hold(&case, &asked()).unwrap();
                n += 1;
                obeyed.fetch_add(held.len(), Ordering::SeqCst);
            }
        });
        wait_until(|| {
            !go() || drops.load(Ordering::SeqCst) > 20 && obeyed.load(Ordering::SeqCst) > 20
        });
        over.store(true, Ordering::SeqCst);
    });
    world.clock.advance(DAY);
    log.close().unwrap();
    let report = verify(&world.path(), &VerifyOptions::new(), &mut |_| ()).unwrap();
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
}
