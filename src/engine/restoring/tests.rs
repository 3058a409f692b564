//! Restores, and the crashes and failures between their steps.

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::Log;
use crate::archive::DirectoryStore;
use crate::disk::sim::{Fault, FaultKind, SimDisk};
use crate::event::{Actor, Event, Resource};
use crate::format::LogId;
use crate::format::catalog_body::{ArchivedAt, DropCompleted, DropStarted, RecordedAttribution};
use crate::log::Snapshot;
use crate::log::{ArchivedCopy, Housekeeping, LogOptions};
use crate::retention::{Period, Policy};
use crate::time::{ManualClock, Timestamp};

fn dir() -> &'static Path {
    Path::new("/audit")
}

fn event(n: u64) -> Event {
    Event::new(Actor::new("user", "u"), "invoice.read", Resource::new("invoice", n.to_string()))
}

fn asked() -> Attribution {
    Attribution::by("bob").because("an auditor asks")
}

/// A log whose first segment was archived and dropped.
struct Scene {
    disk: SimDisk,
    shelf: SimDisk,
    clock: Arc<ManualClock>,
    log: Log,
    copy: ArchivedCopy,
    /// Segment and index, as they were.
    segment: Vec<u8>,
    index: Vec<u8>,
}

fn options(disk: &SimDisk, clock: &Arc<ManualClock>) -> LogOptions {
    LogOptions::new()
        .origin("example.com/audit")
        .housekeeping(Housekeeping::Inline)
        .disk(Arc::new(disk.clone()))
        .clock(Arc::clone(clock) as _)
}

fn store(shelf: &SimDisk) -> DirectoryStore {
    DirectoryStore::open_or_create_on(Arc::new(shelf.clone()), Path::new("/archive")).unwrap()
}

fn segments() -> PathBuf {
    dir().join(names::SEGMENTS)
}

fn segment_path() -> PathBuf {
    segments().join(names::segment(1))
}

fn index_path() -> PathBuf {
    segments().join(names::index(1))
}

impl Scene {
    fn new(seed: u64) -> Self {
        let (disk, shelf) = (SimDisk::new(seed), SimDisk::new(seed));
        let clock = Arc::new(ManualClock::at(Timestamp::from_nanos(1_767_225_600_000_000_000)));
        let log = options(&disk, &clock).create(dir()).unwrap();
        for n in 0..6 {
            log.append(&event(n)).unwrap();
            if n % 2 == 1 {
                log.rotate().unwrap();
            }
        }
        log.append(&event(6)).unwrap();
        let copy = log.archive().copy(1, &store(&shelf), &asked()).unwrap();
        let segment = disk.read_file(&segment_path()).unwrap();
        let index = disk.read_file(&index_path()).unwrap();
        let scene = Scene { disk, shelf, clock, log, copy, segment, index };
        scene.drop_segment();
        scene
    }

    /// What expiry does to a segment.
    fn drop_segment(&self) {
        let core = self.log.core();
        let sealed = core.sealed_segment(1).unwrap();
        let place = self.copy.place();
        let archived = ArchivedAt { location: &place, digest: *self.copy.digest.as_bytes() };
        if self.log.snapshot().catalog().policy().unwrap().is_none() {
            self.log.retention().set_policy(&Policy::keep(Period::ZERO), &asked()).unwrap();
        }
        let policy = self.log.snapshot().catalog().policy().unwrap().unwrap().catalog_seq.get();
        let begun = DropStarted {
            ordinal: sealed.ordinal,
            first: sealed.first,
            count: sealed.count,
            bytes: sealed.bytes,
            times: sealed.times,
            start_root: *core.shared.algorithm.empty_root().as_bytes(),
            end_root: sealed.end_root,
            range: vec![sealed.end_root],
            header: sealed.header,
            index_root: sealed.index_root,
            keep_until: sealed.keep_until.max(sealed.times[1]),
            policy,
            now: sealed.keep_until.max(sealed.times[1]),
            now_from: 0,
            holds: 0,
            scanned: sealed.count,
            archived: Some(archived),
        };
        let mut catalog = core.shared.catalog.lock();
        let catalog = catalog.good().unwrap();
        catalog.append(&CatalogBody::DropStarted(begun), &RecordedAttribution::default()).unwrap();
        self.disk.remove_file(&segment_path()).unwrap();
        self.disk.remove_file(&index_path()).unwrap();
        self.disk.sync_dir(&segments()).unwrap();
        let done = DropCompleted { ordinal: 1, done_at: 0 };
        catalog.append(&CatalogBody::DropCompleted(done), &RecordedAttribution::default()).unwrap();
        // A seal reads its segment, so the file may be open.
        core.view.sealed(Sealed { status: status::DROPPED, ..sealed });
    }

    fn restore(&self) -> Result<RestoredSegment> {
        self.log.archive().restore(&store(&self.shelf), &self.copy.folder, &asked())
    }

    fn status(&self) -> u8 {
        self.log.core().sealed_segment(1).unwrap().status
    }

    fn log_id(&self) -> LogId {
        self.log.core().shared.dir.log_id()
    }

    fn names(&self) -> Vec<String> {
        self.disk.list(&segments()).unwrap()
    }

    fn is_back(&self) -> bool {
        let back = self.disk.read_file(&segment_path()).is_ok_and(|bytes| bytes == self.segment);
        let index = self.disk.read_file(&index_path()).is_ok_and(|bytes| bytes == self.index);
        assert_eq!(back, index, "{:?}", self.names());
        back
    }

    /// Nothing came of an attempt.
    fn check_untouched(&self) {
        assert_eq!(self.status(), status::DROPPED);
        assert!(
            self.names().iter().all(|name| !name.starts_with("00000001")),
            "{:?}",
            self.names()
        );
    }

    /// What opening does after the process ended; the status that the catalog came to.
    fn settle(&self) -> Result<u8> {
        let of = options(&self.disk, &self.clock).dir(dir(), self.log_id());
        let (disk, clock) = (of.shared_disk(), of.shared_clock());
        let (catalog, _) =
            Catalog::open(disk, &of.catalog(), of.log_id(), clock, &of.quarantine())?;
        settle_restores(&of, catalog.state())?;
        Ok(catalog.state().segment(1).unwrap().status)
    }

    /// A record of the segment is there, or gone by its certificate, and never damaged: for the log, for a
    /// snapshot of before, and for another process.
    fn check_read(&self, before: &Snapshot) {
        let reader = options(&self.disk, &self.clock).open_read_only(dir());
        let of_reader = reader.map(|reader| reader.snapshot().get(Seq::new(1)));
        let of_log = self.log.snapshot().get(Seq::new(1));
        // A reader that cannot open the log, as its disk fails, says nothing of the segment.
        for found in of_reader.into_iter().chain([of_log, before.get(Seq::new(1))]) {
            assert!(matches!(found, Ok(_) | Err(Error::Expired { .. })), "{found:?}");
        }
    }

    /// After it: all is one or the other.
    fn check_settled(&self, status: u8) {
        assert!(
            !self.names().iter().any(|name| names::parse_restoring(name).is_some()),
            "{:?}",
            self.names()
        );
        match status {
            status::RESTORED => assert!(self.is_back()),
            status::DROPPED => {
                assert!(!self.names().iter().any(|name| name.starts_with("00000001")));
            }
            other => panic!("status {other}"),
        }
    }
}

#[test]
fn a_restored_segment_is_read_again_and_stays() {
    let scene = Scene::new(1);
    assert!(scene.log.snapshot().get(Seq::new(0)).is_err());
    let in_archive = scene.log.archive().restorable_in(&store(&scene.shelf)).unwrap();
    assert_eq!(in_archive, [(1, scene.copy.folder.clone())]);
    let restored = scene.restore().unwrap();
    assert_eq!((restored.ordinal, restored.first, restored.count), (1, Seq::new(0), 2));
    assert_eq!((restored.digest, restored.location), (scene.copy.digest, scene.copy.place()));
    assert_eq!(scene.status(), status::RESTORED);
    assert!(scene.is_back());
    assert_eq!(
        scene.log.snapshot().get(Seq::new(1)).unwrap().event.resource.id.as_deref(),
        Some("1")
    );
    assert_eq!(scene.log.snapshot().records_from(Seq::new(0)).filter(Result::is_ok).count(), 9);
    let told = scene.log.snapshot().catalog().history().unwrap().pop().unwrap();
    assert_eq!((told.what.as_str(), told.who.as_deref()), ("segment restored", Some("bob")));
    assert_eq!(told.why.as_deref(), Some("an auditor asks"));
    let error = scene.restore().unwrap_err();
    assert!(error.to_string().contains("here already"), "{error}");
    assert_eq!(scene.log.archive().restorable_in(&store(&scene.shelf)).unwrap(), []);
    scene.log.close().unwrap();
    let log = options(&scene.disk, &scene.clock).open(dir()).unwrap();
    assert_eq!(log.snapshot().records_from(Seq::new(0)).filter(Result::is_ok).count(), 9);
}

#[test]
fn a_segment_that_was_dropped_again_can_be_restored_again() {
    let scene = Scene::new(1);
    scene.restore().unwrap();
    scene.drop_segment();
    scene.restore().unwrap();
    assert!(scene.is_back());
}

#[test]
fn a_tampered_folder_is_not_restored() {
    let scene = Scene::new(1);
    let folder = Path::new("/archive").join(&scene.copy.folder);
    for name in scene.shelf.list(&folder).unwrap() {
        let path = folder.join(name);
        let len = scene.shelf.read_file(&path).unwrap().len() as u64;
        for at in [0, len / 3, len / 2, len - 1] {
            scene.shelf.flip_byte(&path, at, 1).unwrap();
            let error = scene.restore().unwrap_err();
            assert!(matches!(error, Error::Corrupt { .. }), "{error}");
            scene.check_untouched();
            scene.shelf.flip_byte(&path, at, 1).unwrap();
        }
    }
    scene.restore().unwrap();
}

#[test]
fn a_folder_of_another_log_or_segment_or_unknown_copy_is_not_restored() {
    let scene = Scene::new(1);
    let refused = |store: &DirectoryStore, folder: &str| {
        let error = scene.log.archive().restore(store, folder, &asked()).unwrap_err();
        scene.check_untouched();
        error
    };
    let stranger = Scene::new(2);
    let error = refused(&store(&stranger.shelf), &stranger.copy.folder);
    assert!(matches!(error, Error::Tampered { .. }), "{error}");
    // Of this log, but here.
    let second = scene.log.archive().copy(2, &store(&scene.shelf), &asked()).unwrap();
    let error = refused(&store(&scene.shelf), &second.folder);
    assert!(error.to_string().contains("segment 2 is here already"), "{error}");
    // The same segment, in a copy that the catalog has never heard of.
    scene.restore().unwrap();
    let unknown = SimDisk::new(9);
    scene.clock.advance(Duration::from_secs(1));
    let sealed = scene.log.core().sealed_segment(1).unwrap();
    let copy = scene.log.core().archive_segment(&sealed, &store(&unknown)).unwrap();
    scene.drop_segment();
    let error = refused(&store(&unknown), &copy.folder);
    assert!(matches!(error, Error::Tampered { .. }), "{error}");
    assert!(error.to_string().contains(&scene.copy.digest.to_string()), "{error}");
}

/// Gives other bytes when a segment is read for the second time.
#[derive(Debug)]
struct Fickle {
    inner: DirectoryStore,
    read: std::sync::atomic::AtomicU64,
}

impl ArchiveStore for Fickle {
    fn put(&self, key: &str, len: u64, bytes: &mut dyn Read) -> io::Result<()> {
        self.inner.put(key, len, bytes)
    }

    fn len(&self, key: &str) -> io::Result<Option<u64>> {
        self.inner.len(key)
    }

    fn read_at(&self, key: &str, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = self.inner.read_at(key, buf, offset)?;
        if key.ends_with(file::SEGMENT) && offset == 0 && read > 0 {
            let before = self.read.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            buf[read / 2] ^= u8::from(before > 0);
        }
        Ok(read)
    }

    fn list(&self, prefix: &str) -> io::Result<Vec<String>> {
        self.inner.list(prefix)
    }

    fn location(&self) -> String {
        self.inner.location()
    }
}

#[test]
fn what_is_copied_is_what_was_verified() {
    let scene = Scene::new(1);
    let fickle = Fickle { inner: store(&scene.shelf), read: Default::default() };
    let error = scene.log.archive().restore(&fickle, &scene.copy.folder, &asked()).unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    scene.check_untouched();
}

#[test]
fn a_full_disk_leaves_the_segment_dropped_and_can_be_retried() {
    let scene = Scene::new(1);
    scene.disk.set_capacity(scene.disk.used_bytes() + 512);
    let error = scene.restore().unwrap_err();
    assert!(matches!(error, Error::DiskFull { .. }), "{error}");
    scene.check_untouched();
    scene.disk.set_capacity(u64::MAX);
    scene.restore().unwrap();
}

#[test]
fn at_every_crash_the_segment_is_dropped_or_restored() {
    let mut met = [0, 0];
    for count in 0.. {
        let mut done = false;
        for seed in 0..4 {
            let scene = Scene::new(seed);
            scene.disk.crash_after(count);
            let attempt = scene.restore();
            done = !scene.disk.stopped();
            // Behind the last effect only the anchor is left, without which it is restored, too.
            assert!(attempt.is_ok() || !done, "{attempt:?}");
            scene.disk.crash();
            if seed % 2 == 1 {
                // Once more, while that is settled.
                scene.disk.crash_after(count % 5);
                let _ = scene.settle();
                scene.disk.crash();
            }
            let settled = scene.settle().unwrap();
            scene.check_settled(settled);
            assert!(!done || settled == status::RESTORED);
            met[usize::from(settled == status::RESTORED)] += 1;
            scene.disk.crash();
            scene.check_settled(settled);
            if settled == status::RESTORED {
                let log = options(&scene.disk, &scene.clock).open(dir()).unwrap();
                assert!(log.snapshot().get(Seq::new(0)).is_ok(), "and it is read again");
            }
        }
        if done {
            break;
        }
    }
    assert!(met[0] > 10 && met[1] > 10, "{met:?}");
}

#[test]
fn after_every_failure_the_segment_is_dropped_or_restored() {
    let kinds = [FaultKind::Eio, FaultKind::Enospc, FaultKind::ShortWrite, FaultKind::SyncFailed];
    for (kind, stored) in kinds.into_iter().flat_map(|kind| [(kind, false), (kind, true)]) {
        for at in 0.. {
            let scene = Scene::new(at);
            let before = scene.log.snapshot();
            scene.disk.plan(Fault { at, kind, stored });
            let attempt = scene.restore();
            scene.check_read(&before);
            if scene.disk.faults_outstanding() > 0 {
                assert!(attempt.is_ok(), "{attempt:?}");
                break;
            }
            // The same log goes on if it can: what was recorded is finished.
            let again = scene.restore();
            match (&attempt, &again) {
                (Ok(_), again) => assert!(again.is_err(), "{kind:?} at {at}: here already"),
                (Err(_), Ok(_)) => assert!(scene.is_back()),
                (Err(first), Err(Error::Poisoned { .. } | Error::CatalogDamaged { .. })) => {
                    assert!(matches!(first, Error::Io { .. } | Error::DiskFull { .. }), "{first}");
                }
                (Err(first), Err(second)) => {
                    // Only its report failed.
                    assert!(scene.is_back(), "{kind:?} at {at}: {first}, then {second}");
                }
            }
            let settled = scene.settle().unwrap();
            scene.check_settled(settled);
        }
    }
}

#[test]
fn nothing_else_is_settled() {
    let scene = Scene::new(1);
    let segments = segments();
    for name in ["00000002.seg.restoring", "00000077.seg.restoring", "x.restoring", "1.restoring"] {
        scene.disk.write_file(&segments.join(name), b"kept").unwrap();
    }
    let before = scene.names();
    assert_eq!(scene.settle().unwrap(), status::DROPPED);
    assert_eq!(scene.names(), before);
}
