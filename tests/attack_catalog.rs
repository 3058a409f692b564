//! Attacks on the catalog while several processes have it open, and on erasing beside drops that were
//! cut short.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, clippy::cast_possible_truncation, missing_docs)]

#[path = "attack_catalog/beside.rs"]
mod beside;
mod support;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bulla::archive::DirectoryStore;
use bulla::disk::sim::SimDisk;
use bulla::disk::{Disk, DiskFile, Open, Protection};
use bulla::time::ManualClock;
use bulla::{
    Actor, Asked, Error, Event, ExpireOptions, Finding, Hold, HoldScope, KeyStore, Log, LogOptions,
    PayloadState, Period, Policy, Resource, Seq, Signer, VerifyOptions, WrappingKey, verify,
};
use std::sync::atomic::{AtomicBool, Ordering};
use support::{Shape, dir};

type Hook = Box<dyn FnOnce() + Send>;

/// A simulated disk that does something at the moment when a path is first touched.
struct Hooked {
    disk: SimDisk,
    /// How that path begins.
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
    fn on(disk: &SimDisk, at: &str, hook: impl FnOnce() + Send + 'static) -> Arc<Self> {
        let hook: Mutex<Option<Hook>> = Mutex::new(Some(Box::new(hook)));
        let (disk, at, keeps) = (disk.clone(), dir().join(at), AtomicBool::new(false));
        Arc::new(Hooked { disk, at, hook, keeps })
    }

    fn has_run(&self) -> bool {
        self.hook.lock().unwrap().is_none()
    }

    fn touch(&self, path: &Path) {
        if path.to_string_lossy().starts_with(&*self.at.to_string_lossy()) {
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

fn asked() -> Asked {
    Asked::by("carol").because("litigation")
}

fn options(disk: &SimDisk, clock: &Arc<ManualClock>) -> LogOptions {
    Shape::PLAIN.options(disk, clock)
}

fn event(n: u64) -> Event {
    Event::new(Actor::new("user", "alice"), "file.read", Resource::new("file", format!("{n}")))
}

/// What a crash in the middle of a record leaves at the end of the copy of the catalog that is
/// written first.
fn tear_catalog(disk: &SimDisk) {
    let path = dir().join("catalog/a/00000001.seg");
    let mut bytes = disk.read_file(&path).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    for (n, byte) in bytes[end + 40..end + 90].iter_mut().enumerate() {
        *byte = n as u8 | 1;
    }
    disk.write_file(&path, &bytes).unwrap();
}

fn cases(log: &Log) -> Vec<String> {
    log.holds().unwrap().into_iter().map(|placed| placed.hold.case).collect()
}

fn case_7() -> Hold {
    Hold::new("case-7", HoldScope::new().actor("alice"))
}

fn findings(disk: &SimDisk) -> Vec<Finding> {
    let options = VerifyOptions::new().disk(Arc::new(disk.clone()));
    verify(&dir(), &options, &mut |_| ()).unwrap().findings
}

/// A log with a sealed segment of alice's records, which a policy of a day lets go, and one more
/// record three days later.
fn aged(disk: &SimDisk, clock: &Arc<ManualClock>) -> Log {
    let log = options(disk, clock).create(dir()).unwrap();
    log.set_policy(&Policy::keep(Period::from_days(1)), &asked()).unwrap();
    for n in 0..20 {
        log.append(&event(n)).unwrap();
    }
    log.rotate().unwrap();
    clock.advance(DAY * 3);
    log.append(&event(99)).unwrap();
    log
}

/// Opening a log whose catalog ends in a torn record goes on in a new catalog segment, with the
/// next record. In between, and before the log has read its records, another process, which was
/// open all the time or is opened then, places a hold.
fn a_hold_beside_an_opening(early: bool, snapshot: bool) {
    let (disk, clock) = (SimDisk::new(1), support::clock());
    drop(aged(&disk, &clock));
    let open_admin = {
        let (disk, clock) = (disk.clone(), Arc::clone(&clock));
        move || options(&disk, &clock).administer(dir()).unwrap()
    };
    let open = early.then(&open_admin);
    tear_catalog(&disk);
    if !snapshot {
        let _ = disk.remove_file(&dir().join("catalog/snapshot")); // if one was written
    }
    let hooked = Hooked::on(&disk, "tree/mark", move || {
        let mut admin = open.unwrap_or_else(open_admin);
        admin.place_hold(&case_7(), &asked()).unwrap();
        assert_eq!(admin.holds().unwrap().len(), 1);
    });
    let log = options(&disk, &clock).disk(Arc::clone(&hooked) as _).open(dir()).unwrap();
    assert!(hooked.has_run());
    assert_eq!(cases(&log), ["case-7"]);
    let expiry = log.expire(&ExpireOptions::new(), &asked()).unwrap();
    assert!(expiry.dropped.is_empty(), "{:?}", expiry.dropped);
    log.get(Seq::new(3)).unwrap();
    drop(log);
    assert!(findings(&disk).is_empty(), "{:#?}", findings(&disk));
    let _ = disk.remove_file(&dir().join("catalog/snapshot"));
    let log = options(&disk, &clock).open(dir()).unwrap();
    assert_eq!((cases(&log), &log.recovery().catalog_damage), (vec!["case-7".to_owned()], &None));
}

#[test]
fn a_hold_placed_while_a_torn_catalog_is_opened_is_in_force() {
    a_hold_beside_an_opening(false, true);
    a_hold_beside_an_opening(false, false);
}

#[test]
fn a_hold_placed_meanwhile_by_an_admin_that_was_open_before_is_in_force() {
    a_hold_beside_an_opening(true, true);
    a_hold_beside_an_opening(true, false);
}

/// An administrator was killed while it wrote to the catalog; another one opens it beside a
/// service that goes on.
#[test]
fn a_service_and_an_admin_that_mends_do_not_fork_the_catalog() {
    let (disk, clock) = (SimDisk::new(1), support::clock());
    let log = Arc::new(aged(&disk, &clock));
    tear_catalog(&disk);
    let service = Arc::clone(&log);
    let hooked = Hooked::on(&disk, "quarantine/catalog-00000001-", move || {
        service.place_hold(&case_7(), &asked()).unwrap();
    });
    let mut admin =
        options(&disk, &clock).disk(Arc::clone(&hooked) as _).administer(dir()).unwrap();
    assert!(hooked.has_run() && admin.set_aside().len() == 1);
    assert_eq!((cases(&log), admin.holds().unwrap().len()), (vec!["case-7".to_owned()], 1));
    drop((admin, hooked, log));
    assert!(findings(&disk).is_empty(), "{:#?}", findings(&disk));
}

/// A verification has read the catalog when another process hands over to a new key and signs.
/// Whoever gives the first key is led to the new one.
#[test]
fn a_key_that_comes_while_a_log_is_verified_is_a_key_of_the_log() {
    for given in [false, true] {
        let (disk, clock) = (SimDisk::new(1), support::clock());
        let log = options(&disk, &clock).create(dir()).unwrap();
        let signer = |path: &str| {
            let (disk, algorithm) = (Arc::new(disk.clone()), Shape::PLAIN.algorithm);
            Signer::generate_on(disk, Path::new(path), support::ORIGIN, algorithm).unwrap()
        };
        let (first, second) = (signer("/first"), signer("/second"));
        let key = first.verifying_key().clone();
        log.append(&event(0)).unwrap();
        log.checkpoint(&first).unwrap();
        log.append(&event(1)).unwrap();
        let hooked = Hooked::on(&disk, "checkpoints", move || {
            log.rotate_key(&first, &second).unwrap();
            log.checkpoint(&second).unwrap();
        });
        let options = VerifyOptions::new().disk(Arc::clone(&hooked) as _);
        let options = if given { options.key(key) } else { options };
        let report = verify(&dir(), &options, &mut |_| ()).unwrap();
        assert!(hooked.has_run() && report.checkpoints > 1);
        assert!(report.is_clean(), "{given}: {:#?}", report.findings);
    }
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

fn secret(n: u64, subject: &str) -> Event {
    event(n).reason("secret").subject(subject)
}

/// A drop of segment 1 that could not unlink its file, one byte of which is damaged since: its
/// place. Of bob there is a record in a segment that stays.
fn cut_short(damage: impl Fn(&[u8]) -> usize, held: bool) -> (SimDisk, Arc<ManualClock>, Log, u64) {
    let (disk, clock) = (SimDisk::new(1), support::clock());
    let hooked = Hooked::on(&disk, "nothing", || ());
    let with = options(&disk, &clock).disk(Arc::clone(&hooked) as _).key_store(keys(&disk));
    let log = with.create(dir()).unwrap();
    log.set_policy(&Policy::keep(Period::from_days(1)), &asked()).unwrap();
    for n in 0..20 {
        log.append(&secret(n, ALICE)).unwrap();
    }
    log.rotate().unwrap();
    clock.advance(DAY * 3);
    log.append(&secret(99, "user:bob")).unwrap();
    hooked.keeps.store(true, Ordering::Relaxed);
    let cut = log.expire(&ExpireOptions::new(), &asked());
    assert!(matches!(cut, Err(Error::Io { .. })), "{cut:?}");
    hooked.keeps.store(false, Ordering::Relaxed);
    if held {
        let mut admin = options(&disk, &clock).administer(dir()).unwrap();
        admin.place_hold(&Hold::new("case-7", HoldScope::new()), &asked()).unwrap();
    }
    let at = damage(&disk.read_file(&segment_1()).unwrap()) as u64;
    disk.flip_byte(&segment_1(), at, 1).unwrap();
    (disk, clock, log, at)
}

fn segment_1() -> PathBuf {
    dir().join("segments/00000001.seg")
}

#[test]
fn a_damaged_footer_does_not_let_a_held_subject_be_erased() {
    let (disk, clock, log, at) = cut_short(|bytes| bytes.len() - 5, true);
    let erased = log.erase(ALICE, &asked());
    assert!(matches!(erased, Err(Error::Corrupt { .. })), "{erased:?}");
    // The byte is mended, as from a backup: the hold matches, and the drop is called off.
    disk.flip_byte(&segment_1(), at, 1).unwrap();
    let erased = log.erase(ALICE, &asked());
    assert!(matches!(erased, Err(Error::Held { .. })), "{erased:?}");
    drop(log);
    let log = options(&disk, &clock).key_store(keys(&disk)).open(dir()).unwrap();
    assert_eq!(log.get(Seq::new(3)).unwrap().payload, PayloadState::Decrypted);
}

#[test]
fn a_damaged_segment_that_is_being_dropped_blocks_no_erasure() {
    let (.., log, _) = cut_short(|bytes| bytes.len() / 3, false);
    assert_eq!(log.erase("user:bob", &asked()).unwrap().records, 1);
}

#[test]
fn a_restored_segment_whose_file_was_taken_away_is_not_called_expired() {
    let (disk, clock) = (SimDisk::new(1), support::clock());
    let log = aged(&disk, &clock);
    let store = DirectoryStore::open_or_create_on(Arc::new(disk.clone()), Path::new("/archive"));
    let store = store.unwrap();
    let copy = log.archive(1, &store, &asked()).unwrap();
    assert_eq!(log.expire(&ExpireOptions::new(), &asked()).unwrap().dropped.len(), 1);
    log.restore(&store, &copy.folder, &asked()).unwrap();
    let reader = options(&disk, &clock).open_read_only(dir()).unwrap();
    disk.remove_file(&segment_1()).unwrap();
    drop(log);
    let log = options(&disk, &clock).open(dir()).unwrap();
    assert_eq!(log.recovery().missing_segments, [1]);
    for found in [reader.get(Seq::new(3)), log.get(Seq::new(3))] {
        assert!(matches!(found, Err(Error::Corrupt { .. })), "{found:.200?}");
    }
}

/// The catalog that certificates are read from stays open, once.
#[test]
fn who_asks_for_what_expired_holds_one_file_more() {
    let (disk, clock) = (SimDisk::new(1), support::clock());
    let log = aged(&disk, &clock);
    log.expire(&ExpireOptions::new(), &asked()).unwrap();
    let reader = options(&disk, &clock).open_read_only(dir()).unwrap();
    let before = disk.open_files();
    for _ in 0..3 {
        assert!(matches!(log.get(Seq::new(0)), Err(Error::Expired { .. })));
        assert!(matches!(reader.get(Seq::new(0)), Err(Error::Expired { .. })));
    }
    assert!(disk.open_files() <= before + 2, "{before}, then {}", disk.open_files());
}
