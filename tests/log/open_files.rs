//! The promise: how many files are open does not grow with the log. Six years of daily segments
//! are two thousand, the usual limit of open files is 1,024.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failure of this program is a failed test

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::support;
use crate::support::{Shape, dir};
use bulla::archive::DirectoryStore;
use bulla::disk::Disk;
use bulla::disk::sim::SimDisk;
use bulla::time::ManualClock;
use bulla::{
    Actor, Attribution, Error, Event, ExpireOptions, Hold, HoldScope, Log, LogOptions, Period,
    Policy, Query, Resource, Seq, Snapshot, VerifyOptions, verify,
};

const DAY: Duration = Duration::from_secs(24 * 3600);
const SEGMENTS: u64 = 300;
const EACH: u64 = 3;
/// For the locks, the tail, the catalog, and what is done at the moment.
const LIMIT: u64 = 40;
/// Where files are not mapped: those segments that a writer and a reader keep open, too.
const LIMIT_UNMAPPED: u64 = 2 * 64 + LIMIT;

struct World {
    disk: SimDisk,
    clock: Arc<ManualClock>,
    mmap: bool,
}

impl World {
    /// A log of many segments on a disk where only so many files can be open.
    fn new() -> (Self, Log) {
        World::with(true, LIMIT)
    }

    fn with(mmap: bool, limit: u64) -> (Self, Log) {
        let world = World { disk: SimDisk::new(7), clock: support::clock(), mmap };
        let log = world.options().create(dir()).unwrap();
        world.disk.set_open_limit(limit);
        world.fill(&log, SEGMENTS);
        (world, log)
    }

    fn options(&self) -> LogOptions {
        Shape::PLAIN.options(&self.disk, &self.clock).mmap(self.mmap)
    }

    fn fill(&self, log: &Log, segments: u64) {
        for _ in 0..segments {
            for n in 0..EACH {
                let actor = Actor::new("user", format!("u{n}"));
                log.append(&Event::new(actor, "file.read", Resource::new("file", "f"))).unwrap();
            }
            log.rotate().unwrap();
            self.clock.advance(DAY);
        }
    }

    /// What a reader that is not indexed yet, or the writer, is asked.
    fn ask(&self, count: u64, of: impl Fn(&Query) -> (u64, u64)) {
        for query in [Query::new().actor("u1"), Query::new().actor("u1").oldest_first()] {
            assert_eq!(of(&query), (count, count));
        }
        assert_eq!(of(&Query::new().actor("nobody")), (0, 0));
    }

    fn check(&self, log: &Log, segments: u64) {
        let snapshot = log.snapshot();
        self.ask(segments, |query| (found(&snapshot, query), snapshot.count(query).unwrap()));
        for seq in (0..log.size().get()).step_by(7) {
            assert!(matches!(
                log.snapshot().get(Seq::new(seq)),
                Ok(_) | Err(Error::Expired { .. })
            ));
        }
        let reader = self.options().open_read_only(dir()).unwrap();
        let snapshot = reader.snapshot();
        self.ask(segments, |query| (found(&snapshot, query), snapshot.count(query).unwrap()));
    }

    fn verify(&self) {
        let options = VerifyOptions::new().disk(Arc::new(self.disk.clone()));
        let report = verify(&dir(), &options, &mut |_| ()).unwrap();
        assert!(report.is_clean(), "{report:?}");
    }

    fn remove(&self, name: &str) {
        self.disk.remove_file(&dir().join(name)).unwrap();
    }

    fn archive(&self) -> DirectoryStore {
        DirectoryStore::open_or_create_on(Arc::new(self.disk.clone()), Path::new("/archive"))
            .unwrap()
    }
}

/// How many records a list has.
fn found(snapshot: &Snapshot, query: &Query) -> u64 {
    let mut matches = snapshot.query(query).unwrap();
    matches.try_fold(0, |count, found| found.map(|_| count + 1)).unwrap()
}

fn asked() -> Attribution {
    Attribution::by("carol").because("retention")
}

#[test]
fn writing_reading_and_verifying() {
    let (world, log) = World::new();
    world.check(&log, SEGMENTS);
    log.close().unwrap();
    drop(log);
    world.verify();
    let log = world.options().open(dir()).unwrap();
    world.check(&log, SEGMENTS);
}

#[test]
fn without_maps() {
    let (world, log) = World::with(false, LIMIT_UNMAPPED);
    world.check(&log, SEGMENTS);
    drop(log);
    world.remove("tree/mark");
    let log = world.options().open(dir()).unwrap();
    world.check(&log, SEGMENTS);
    drop(log);
    world.verify();
}

#[test]
fn without_what_can_be_made_anew() {
    let (world, log) = World::new();
    log.close().unwrap();
    drop(log);
    world.remove("tree/mark");
    for name in world.disk.list(&dir().join("segments")).unwrap() {
        if name.ends_with(".idx") {
            world.remove(&PathBuf::from("segments").join(name).to_string_lossy());
        }
    }
    let reader = world.options().open_read_only(dir()).unwrap();
    assert_eq!(reader.snapshot().count(&Query::new()).unwrap(), SEGMENTS * EACH);
    drop(reader);
    let log = world.options().open(dir()).unwrap();
    assert!(log.recovery().replayed >= SEGMENTS * EACH);
    world.check(&log, SEGMENTS);
    drop(log);
    world.verify();
}

#[test]
fn with_a_catalog_that_cannot_be_read() {
    let (world, log) = World::new();
    log.close().unwrap();
    drop(log);
    for copy in ["a", "b"] {
        let path = dir().join("catalog").join(copy).join("00000001.seg");
        world.disk.flip_byte(&path, 600, 0x80).unwrap();
    }
    let _ = world.disk.remove_file(&dir().join("catalog/snapshot"));
    let reader = world.options().open_read_only(dir()).unwrap();
    assert!(reader.catalog_damage().is_some());
    assert_eq!(reader.snapshot().count(&Query::new()).unwrap(), SEGMENTS * EACH);
    drop(reader);
    world.remove("tree/mark");
    let log = world.options().open(dir()).unwrap();
    assert_eq!(log.snapshot().count(&Query::new()).unwrap(), SEGMENTS * EACH);
}

#[test]
fn a_reader_that_follows_for_years() {
    let (world, log) = World::new();
    let reader = world.options().open_read_only(dir()).unwrap();
    for _ in 0..SEGMENTS / 10 {
        world.fill(&log, 10);
        reader.refresh().unwrap();
    }
    assert_eq!(reader.snapshot().count(&Query::new()).unwrap(), 2 * SEGMENTS * EACH);
    drop(reader);
    world.check(&log, 2 * SEGMENTS);
}

#[test]
fn expiry_with_an_archive_and_restoring() {
    let (world, log) = World::new();
    let hold = Hold::new("case", HoldScope::new().actor("nobody"));
    log.retention().place_hold(&hold, &asked()).unwrap();
    log.retention()
        .set_policy(&Policy::keep(Period::from_days(200)).archive(true), &asked())
        .unwrap();
    let archive = Arc::new(world.archive());
    let options = ExpireOptions::new().archive_to(Arc::clone(&archive) as _);
    let expiry = log.retention().expire(&options, &asked()).unwrap();
    let gone = expiry.dropped.len() as u64;
    assert!(gone > 90 && expiry.stopped.is_none(), "{gone} {:?}", expiry.stopped);
    world.check(&log, SEGMENTS - gone);
    for (_, folder) in log.archive().restorable_in(&*archive).unwrap() {
        log.archive().restore(&*archive, &folder, &asked()).unwrap();
    }
    world.check(&log, SEGMENTS);
    log.close().unwrap();
    drop(log);
    world.verify();
}
