//! Attacks on the catalog while several processes have it open, and on erasing beside drops that were
//! cut short.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, missing_docs)]

mod beside;
mod sealing;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::support;
use crate::support::{Shape, dir};
use bulla::archive::DirectoryStore;
use bulla::disk::sim::SimDisk;
use bulla::disk::{Disk, DiskFile, Open, Protection};
use bulla::time::ManualClock;
use bulla::{
    Actor, Attribution, Error, Event, ExpireOptions, Hold, HoldScope, KeyStore, Log, LogOptions,
    Period, Policy, Resource, Seq, Signer, VerifyOptions, WrappingKey, verify,
};
use std::sync::atomic::{AtomicBool, Ordering};

type Hook = Box<dyn FnOnce() + Send>;

/// A simulated disk that does something at the moment when a path is first touched.
struct Hooked {
    disk: SimDisk,
    at: PathBuf,
    hook: Mutex<Option<Hook>>,
    /// Whether segments cannot be unlinked.
    keeps: AtomicBool,
}

impl fmt::Debug for Hooked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hooked")
    }
}

impl Hooked {
    fn touch(&self, path: &Path) {
        if path == self.at {
            let hook = self.hook.lock().unwrap().take();
            if let Some(hook) = hook {
                hook();
            }
        }
    }
}

impl Disk for Hooked {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        if path.extension().is_none_or(|end| end != "torn") || how == Open::Read {
            self.touch(path);
        }
        self.disk.open(path, how)
    }
    fn exists(&self, path: &Path) -> io::Result<bool> {
        if path.extension().is_none_or(|end| end != "torn") {
            self.touch(path);
        }
        self.disk.exists(path)
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.create_dir(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.disk.list(dir)
    }
    fn real_path(&self, path: &Path) -> io::Result<PathBuf> {
        self.disk.real_path(path)
    }
    fn is_private(&self, path: &Path) -> io::Result<bool> {
        self.disk.is_private(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        if self.keeps.load(Ordering::Relaxed) && path.extension().is_some_and(|end| end == "seg") {
            return Err(io::Error::other("kept"));
        }
        self.disk.remove_file(path)
    }
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_dir(path)
    }
    fn protect(&self, path: &Path, wanted: Protection) -> io::Result<Protection> {
        self.disk.protect(path, wanted)
    }
    fn unprotect(&self, path: &Path) -> io::Result<()> {
        self.disk.unprotect(path)
    }
    fn protection(&self, path: &Path) -> io::Result<Protection> {
        self.disk.protection(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.sync_dir(dir)
    }
}

fn asked() -> Attribution {
    Attribution::by("carol").because("litigation")
}

fn options(disk: &SimDisk, clock: &Arc<ManualClock>) -> LogOptions {
    Shape::PLAIN.options(disk, clock)
}

fn event(n: u64) -> Event {
    Event::new(Actor::new("user", "alice"), "file.read", Resource::new("file", format!("{n}")))
}

/// What a crash in the middle of a record leaves at the end of the copy of the catalog that is written first.
fn tear_catalog(disk: &SimDisk) {
    for copy in ["a"] {
        let path = dir().join("catalog").join(copy).join("00000001.seg");
        let mut bytes = disk.read_file(&path).unwrap();
        let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        for (n, byte) in bytes[end + 40..end + 90].iter_mut().enumerate() {
            *byte = n as u8 | 1;
        }
        disk.write_file(&path, &bytes).unwrap();
    }
}

fn cases(log: &Log) -> Vec<String> {
    log.snapshot().catalog().holds().unwrap().into_iter().map(|placed| placed.hold.case).collect()
}

/// Opening a log whose catalog ends in a torn record goes on in a new catalog segment, of which
/// nobody else knows until its first record is there. The lock is let go of in between.
fn a_hold_beside_an_opening(early: bool) {
    let (disk, clock) = (SimDisk::new(1), support::clock());
    let log = options(&disk, &clock).create(dir()).unwrap();
    for n in 0..20 {
        log.append(&event(n)).unwrap();
    }
    log.rotate().unwrap();
    drop(log);
    let open_admin = {
        let (disk, clock) = (disk.clone(), Arc::clone(&clock));
        move || options(&disk, &clock).administer(dir()).unwrap()
    };
    // One that was open all the time, or is opened meanwhile.
    let open = early.then(&open_admin);
    tear_catalog(&disk);
    let hook: Hook = Box::new(move || {
        let admin = open.unwrap_or_else(open_admin);
        admin.place_hold(&Hold::new("case-7", HoldScope::new().actor("alice")), &asked()).unwrap();
        assert_eq!(admin.catalog().holds().unwrap().len(), 1);
    });
    let hooked = Hooked {
        disk: disk.clone(),
        at: dir().join("tree/mark"),
        hook: Mutex::new(Some(hook)),
        keeps: AtomicBool::new(false),
    };
    let hooked = Arc::new(hooked);
    let opened = options(&disk, &clock).disk(Arc::clone(&hooked) as _).open(dir());
    assert!(hooked.hook.lock().unwrap().is_none(), "the hook ran");
    let log = opened.unwrap();
    let seen = cases(&log);
    drop(log);
    let again = options(&disk, &clock).open(dir()).unwrap();
    let after = cases(&again);
    drop(again);
    let report =
        verify(&dir(), &VerifyOptions::new().disk(Arc::new(disk.clone())), &mut |_| ()).unwrap();
    // What becomes of what the hold pins.
    clock.advance(DAY * 10);
    let log = options(&disk, &clock).open(dir()).unwrap();
    log.retention().set_policy(&Policy::keep(Period::from_days(1)), &asked()).unwrap();
    log.append(&event(99)).unwrap();
    let _ = log.retention().expire(&ExpireOptions::new(), &asked());
    drop(log);
    let _ = disk.remove_file(&dir().join("catalog/snapshot"));
    let log = options(&disk, &clock).open(dir());
    drop(log);
    assert_eq!((seen, after), (vec!["case-7".to_owned()], vec!["case-7".to_owned()]));
    assert!(report.is_clean());
}

#[test]
fn a_hold_placed_while_a_torn_catalog_is_opened_is_in_force() {
    a_hold_beside_an_opening(false);
}

#[test]
fn a_hold_placed_meanwhile_by_an_admin_that_was_open_before_is_in_force() {
    a_hold_beside_an_opening(true);
}

const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 3600);
const ALICE: &str = "user:alice";

fn keys(disk: &SimDisk) -> KeyStore {
    let key = WrappingKey::from_bytes([7; 32]);
    let (disk, path) = (Arc::new(disk.clone()), Path::new("/keys"));
    match disk.exists(path).unwrap() {
        true => KeyStore::open_on(disk, path, &key).unwrap(),
        false => KeyStore::create_on(disk, path, &key).unwrap(),
    }
}

fn secret(n: u64) -> Event {
    let mut event = event(n).reason("secret");
    event.subject = Some(ALICE.to_owned());
    event
}

/// A drop of segment 1 that could not unlink its file, and a byte of it that is damaged since.
fn cut_short(
    damage: impl Fn(&[u8]) -> usize,
    held: bool,
) -> (SimDisk, Arc<ManualClock>, Log, PathBuf, usize) {
    let (disk, clock) = (SimDisk::new(1), support::clock());
    let hooked = Arc::new(Hooked {
        disk: disk.clone(),
        at: PathBuf::new(),
        hook: Mutex::new(None),
        keeps: AtomicBool::new(false),
    });
    let with = options(&disk, &clock).disk(Arc::clone(&hooked) as _).key_store(keys(&disk));
    let log = with.create(dir()).unwrap();
    log.retention().set_policy(&Policy::keep(Period::from_days(1)), &asked()).unwrap();
    for n in 0..20 {
        log.append(&secret(n)).unwrap();
    }
    log.rotate().unwrap();
    clock.advance(DAY * 3);
    let mut other = event(0).reason("secret");
    other.subject = Some("user:bob".to_owned());
    log.append(&other).unwrap();
    hooked.keeps.store(true, Ordering::Relaxed);
    let cut = log.retention().expire(&ExpireOptions::new(), &asked());
    assert!(matches!(cut, Err(Error::Io { .. })), "{cut:?}");
    hooked.keeps.store(false, Ordering::Relaxed);
    let path = dir().join("segments/00000001.seg");
    if held {
        let admin = options(&disk, &clock).administer(dir()).unwrap();
        admin.place_hold(&Hold::new("case-7", HoldScope::new()), &asked()).unwrap();
    }
    let at = damage(&disk.read_file(&path).unwrap());
    disk.flip_byte(&path, at as u64, 1).unwrap();
    (disk, clock, log, path, at)
}

#[test]
fn a_damaged_footer_does_not_let_a_held_subject_be_erased() {
    let (disk, clock, log, path, at) = cut_short(|bytes| bytes.len() - 5, true);
    let erased = log.retention().erase(ALICE, &asked());
    drop(log);
    // The byte is mended, as from a backup: the drop is called off.
    disk.flip_byte(&path, at as u64, 1).unwrap();
    drop(options(&disk, &clock).key_store(keys(&disk)).open(dir()).unwrap());
    assert!(matches!(erased, Err(Error::Held { .. }) | Err(Error::Corrupt { .. })), "{erased:?}");
}

#[test]
fn without_damage_the_erasure_is_refused() {
    let (disk, _, log, path, at) = cut_short(|bytes| bytes.len() - 5, true);
    disk.flip_byte(&path, at as u64, 1).unwrap();
    let erased = log.retention().erase(ALICE, &asked());
    assert!(matches!(erased, Err(Error::Held { .. })), "{erased:?}");
}

#[test]
fn a_damaged_segment_that_is_being_dropped_blocks_no_erasure() {
    let (.., log, _, _) = cut_short(|bytes| bytes.len() / 3, false);
    let erased = log.retention().erase("user:bob", &asked());
    assert!(erased.is_ok(), "{erased:?}");
}

#[test]
fn a_restored_segment_whose_file_was_taken_away_is_not_called_expired() {
    let (disk, clock) = (SimDisk::new(1), support::clock());
    let log = options(&disk, &clock).create(dir()).unwrap();
    log.retention().set_policy(&Policy::keep(Period::from_days(1)), &asked()).unwrap();
    for n in 0..20 {
        log.append(&event(n)).unwrap();
    }
    log.rotate().unwrap();
    clock.advance(DAY * 3);
    log.append(&event(0)).unwrap();
    let store = DirectoryStore::open_or_create_on(Arc::new(disk.clone()), Path::new("/archive"));
    let store = store.unwrap();
    let copy = log.archive().copy(1, &store, &asked()).unwrap();
    assert_eq!(log.retention().expire(&ExpireOptions::new(), &asked()).unwrap().dropped.len(), 1);
    log.archive().restore(&store, &copy.folder, &asked()).unwrap();
    let reader = options(&disk, &clock).open_read_only(dir()).unwrap();
    disk.remove_file(&dir().join("segments/00000001.seg")).unwrap();
    let found = reader.snapshot().get(Seq::new(3)).map(|_| ());
    drop(log);
    let log = options(&disk, &clock).open(dir());
    let in_log = log.unwrap().snapshot().get(Seq::new(3)).map(|_| ());
    assert!(!matches!(found, Err(Error::Expired { .. })), "reader: {:.200}", format!("{found:?}"));
    assert!(!matches!(in_log, Err(Error::Expired { .. })), "log: {in_log:?}");
}

/// An administrator was killed while it wrote to the catalog; another one opens it beside a
/// service that goes on.
#[test]
fn a_service_and_an_admin_that_mends_do_not_fork_the_catalog() {
    let (disk, clock) = (SimDisk::new(1), support::clock());
    let log = Arc::new(options(&disk, &clock).create(dir()).unwrap());
    for n in 0..20 {
        log.append(&event(n)).unwrap();
    }
    log.rotate().unwrap();
    tear_catalog(&disk);
    let service = Arc::clone(&log);
    let hook: Hook = Box::new(move || {
        service.retention().place_hold(&Hold::new("case-7", HoldScope::new()), &asked()).unwrap();
    });
    let hooked = Arc::new(Hooked {
        disk: disk.clone(),
        at: dir().join("quarantine/catalog-00000001-888.torn"),
        hook: Mutex::new(None),
        keeps: AtomicBool::new(false),
    });
    *hooked.hook.lock().unwrap() = Some(hook);
    let admin = options(&disk, &clock).disk(Arc::clone(&hooked) as _).administer(dir());
    drop(admin);
    drop(log);
    let report =
        verify(&dir(), &VerifyOptions::new().disk(Arc::new(disk.clone())), &mut |_| ()).unwrap();
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
}

#[test]
fn open_files_of_one_log_after_a_record_that_went() {
    let (disk, clock) = (SimDisk::new(1), support::clock());
    let log = options(&disk, &clock).create(dir()).unwrap();
    log.retention().set_policy(&Policy::keep(Period::from_days(1)), &asked()).unwrap();
    for n in 0..20 {
        log.append(&event(n)).unwrap();
    }
    log.rotate().unwrap();
    clock.advance(DAY * 3);
    log.append(&event(0)).unwrap();
    log.retention().expire(&ExpireOptions::new(), &asked()).unwrap();
    let before = disk.open_files();
    assert!(matches!(log.snapshot().get(Seq::new(0)), Err(Error::Expired { .. })));
    let kept = disk.open_files() - before;
    assert!(kept <= 2, "{kept} more files are open: the catalog's may be");
    let reader = options(&disk, &clock).open_read_only(dir()).unwrap();
    let before = disk.open_files();
    assert!(matches!(reader.snapshot().get(Seq::new(0)), Err(Error::Expired { .. })));
    let kept = disk.open_files() - before;
    assert!(kept <= 2, "{kept} more files are open: the catalog's may be");
}

/// As above, and then the process that opened the log expires: what is held goes.
#[test]
fn what_a_hold_pins_is_not_dropped_by_the_log_that_was_being_opened() {
    let (disk, clock) = (SimDisk::new(1), support::clock());
    let log = options(&disk, &clock).create(dir()).unwrap();
    log.retention().set_policy(&Policy::keep(Period::from_days(1)), &asked()).unwrap();
    for n in 0..20 {
        log.append(&event(n)).unwrap();
    }
    log.rotate().unwrap();
    clock.advance(DAY * 3);
    log.append(&event(99)).unwrap();
    drop(log);
    tear_catalog(&disk);
    let beside = options(&disk, &clock);
    let hook: Hook = Box::new(move || {
        let admin = beside.administer(dir()).unwrap();
        admin.place_hold(&Hold::new("case-7", HoldScope::new()), &asked()).unwrap();
    });
    let hooked = Arc::new(Hooked {
        disk: disk.clone(),
        at: dir().join("tree/mark"),
        hook: Mutex::new(Some(hook)),
        keeps: AtomicBool::new(false),
    });
    if std::env::var("KEEP_SNAPSHOT").is_err() {
        let _ = disk.remove_file(&dir().join("catalog/snapshot"));
    }
    let log = options(&disk, &clock).disk(Arc::clone(&hooked) as _).open(dir()).unwrap();
    let _ = log.retention().expire(&ExpireOptions::new(), &asked());
    let held = log.snapshot().get(Seq::new(3)).map(|_| ());
    assert!(held.is_ok(), "{:.120}", format!("{held:?}"));
}

/// A verification has read the catalog when another process hands over to a new key and signs.
#[test]
fn a_key_that_comes_while_a_log_is_verified_is_a_key_of_the_log() {
    let (disk, clock) = (SimDisk::new(1), support::clock());
    let log = options(&disk, &clock).create(dir()).unwrap();
    let signer = |path: &str| {
        let algorithm = Shape::PLAIN.algorithm;
        Signer::generate_on(Arc::new(disk.clone()), Path::new(path), support::ORIGIN, algorithm)
    };
    let (first, second) = (signer("/first").unwrap(), signer("/second").unwrap());
    log.append(&event(0)).unwrap();
    log.checkpoint(&first).unwrap();
    log.append(&event(1)).unwrap();
    let hook: Hook = Box::new(move || {
        log.keys().rotate(&first, &second).unwrap();
        log.checkpoint(&second).unwrap();
    });
    let hooked = Arc::new(Hooked {
        disk: disk.clone(),
        at: dir().join("checkpoints"),
        hook: Mutex::new(Some(hook)),
        keeps: AtomicBool::new(false),
    });
    let options = VerifyOptions::new().disk(Arc::clone(&hooked) as _);
    let report = verify(&dir(), &options, &mut |_| ()).unwrap();
    assert!(hooked.hook.lock().unwrap().is_none());
    assert!(report.checkpoints > 1);
    assert!(report.is_clean(), "{:#?}", report.findings);
}
