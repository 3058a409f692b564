//! An archived segment can be verified without its log, and says what it shows; nothing that
//! is damaged, of something else or half stored passes for one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::support;
use crate::support::{ORIGIN, Shape, clock, event, files_below, signer, verify_clean};
use bulla::archive::{
    self, ArchiveReport, ArchiveStore, DirectoryStore, Shown, VerifyArchiveOptions,
};
use bulla::disk::Disk;
use bulla::disk::sim::{self, FaultKind, SimDisk};
use bulla::retention::Attribution;
use bulla::{ArchivedCopy, Error, Hash, HashAlgorithm, Log, Signer, Trust};

const BLAKE3: Shape = Shape { algorithm: HashAlgorithm::Blake3, ..Shape::PLAIN };

fn log_on(disk: &SimDisk, shape: Shape) -> Log {
    shape.options(disk, &clock()).create(support::dir()).unwrap()
}

/// A log with so many sealed segments of a few records, and a key.
fn sealed(disk: &SimDisk, shape: Shape, segments: u64) -> (Log, Signer) {
    let log = log_on(disk, shape);
    for segment in 0..segments {
        for n in 0..4 {
            log.append(&event(segment * 4 + n)).unwrap();
        }
        log.rotate().unwrap();
    }
    (log, signer(disk, shape.algorithm).unwrap())
}

fn store(disk: &SimDisk) -> DirectoryStore {
    DirectoryStore::open_or_create_on(Arc::new(disk.clone()), Path::new("/archive")).unwrap()
}

fn asked() -> Attribution {
    Attribution::by("alice").because("a test")
}

fn archived(log: &Log, ordinal: u64, store: &dyn ArchiveStore) -> ArchivedCopy {
    log.archive().copy(ordinal, store, &asked()).unwrap()
}

fn plain(store: &dyn ArchiveStore, folder: &str) -> ArchiveReport {
    archive::verify(store, folder, &VerifyArchiveOptions::new()).unwrap()
}

fn trusting(signer: &Signer) -> VerifyArchiveOptions {
    VerifyArchiveOptions::new().trust(Trust::in_keys([signer.verifying_key().clone()]))
}

/// The files of an archive, by name.
fn objects(disk: &SimDisk) -> Vec<(PathBuf, Vec<u8>)> {
    files_below(disk, Path::new("/archive"))
}

#[test]
fn a_folder_shows_what_it_holds_and_no_more() {
    for shape in [Shape::PLAIN, BLAKE3] {
        let (disk, shelf) = (SimDisk::new(1), SimDisk::new(2));
        let (log, signer) = sealed(&disk, shape, 2);
        let store = store(&shelf);
        let unsigned = archived(&log, 1, &store);
        let report = plain(&store, &unsigned.folder);
        assert_eq!((report.findings.as_slice(), &report.shown), (&[][..], &Shown::DigestsOnly));
        assert_eq!((report.records, report.bytes), (4, unsigned.bytes));
        // Who gives a key wants a signature.
        let report = archive::verify(&store, &unsigned.folder, &trusting(&signer)).unwrap();
        assert_eq!(report.findings.len(), 1, "{:?}", report.findings);

        log.checkpoint(&signer).unwrap();
        let signed = archived(&log, 2, &store);
        let head = log.checkpoints().latest().unwrap().unwrap().dangerously_unverified().head();
        match plain(&store, &signed.folder).shown {
            Shown::UnderCheckpoint { origin, head: under, in_force } => {
                assert_eq!((origin.as_str(), under, in_force), (ORIGIN, head, true));
            }
            other => panic!("{other:?}"),
        }
        let report = archive::verify(&store, &signed.folder, &trusting(&signer)).unwrap();
        match report.shown {
            Shown::Signed { signers, head: under, in_force: true, .. } => {
                assert_eq!((signers, under), (vec![signer.verifying_key().clone()], head));
            }
            other => panic!("{other:?}: {:?}", report.findings),
        }
        let stranger = SimDisk::new(3);
        let stranger = support::signer(&stranger, shape.algorithm).unwrap();
        let report = archive::verify(&store, &signed.folder, &trusting(&stranger)).unwrap();
        assert_eq!(report.shown, Shown::Nothing);
        assert_eq!(report.findings.len(), 1, "{:?}", report.findings);
        let history = log.snapshot().catalog().history().unwrap();
        let told = history.iter().filter(|entry| entry.what == "segment archived").count();
        assert_eq!((told, history.last().unwrap().who.as_deref()), (2, Some("alice")));
        log.close().unwrap();
        verify_clean(&disk);
    }
}

#[test]
fn a_head_that_was_signed_before_the_seal_covers_the_records_alone() {
    let (disk, shelf) = (SimDisk::new(1), SimDisk::new(2));
    let (log, signer) =
        (log_on(&disk, Shape::PLAIN), signer(&disk, Shape::PLAIN.algorithm).unwrap());
    log.append(&event(0)).unwrap();
    log.checkpoint(&signer).unwrap();
    log.rotate().unwrap();
    let store = store(&shelf);
    let copy = archived(&log, 1, &store);
    let report = archive::verify(&store, &copy.folder, &trusting(&signer)).unwrap();
    assert!(matches!(report.shown, Shown::Signed { in_force: false, .. }), "{report:?}");
    // And one that ends before the segment does covers nothing.
    log.append(&event(1)).unwrap();
    log.rotate().unwrap();
    let copy = archived(&log, 2, &store);
    assert_eq!(plain(&store, &copy.folder).shown, Shown::DigestsOnly);
}

#[test]
fn a_pinned_key_that_handed_over_is_followed_to_the_one_that_signed() {
    let (disk, shelf) = (SimDisk::new(1), SimDisk::new(2));
    let (log, first) = sealed(&disk, Shape::PLAIN, 1);
    log.checkpoint(&first).unwrap();
    let next = Signer::generate_on(
        Arc::new(disk.clone()),
        Path::new("/next"),
        ORIGIN,
        HashAlgorithm::Sha256,
    );
    let next = next.unwrap();
    log.keys().rotate(&first, &next).unwrap();
    log.append(&event(9)).unwrap();
    log.checkpoint(&next).unwrap();
    let store = store(&shelf);
    let copy = archived(&log, 1, &store);
    for key in [&first, &next] {
        let report = archive::verify(&store, &copy.folder, &trusting(key)).unwrap();
        assert!(matches!(report.shown, Shown::Signed { .. }), "{:?}", report.findings);
    }
}

#[test]
fn every_flipped_byte_of_every_file_is_found() {
    let (disk, shelf) = (SimDisk::new(1), SimDisk::new(2));
    let log = log_on(&disk, Shape::PLAIN);
    let signer = signer(&disk, HashAlgorithm::Sha256).unwrap();
    log.append(&event(0)).unwrap();
    log.append(&event(1)).unwrap();
    log.rotate().unwrap();
    log.checkpoint(&signer).unwrap();
    let store = store(&shelf);
    let copy = archived(&log, 1, &store);
    let names: Vec<_> =
        objects(&shelf).iter().map(|(path, _)| path.file_name().unwrap().to_owned()).collect();
    assert_eq!(names.len(), 5, "{names:?}");
    for (path, bytes) in objects(&shelf) {
        for at in 0..bytes.len() as u64 {
            let mask = 1 << (at % 8);
            shelf.flip_byte(&path, at, mask).unwrap();
            let report = plain(&store, &copy.folder);
            assert!(!report.is_clean(), "byte {at} of {}", path.display());
            assert_eq!(report.shown, Shown::Nothing);
            shelf.flip_byte(&path, at, mask).unwrap();
        }
    }
    assert!(plain(&store, &copy.folder).is_clean());
}

#[test]
fn what_is_cut_short_too_long_or_gone_is_found() {
    let (disk, shelf) = (SimDisk::new(1), SimDisk::new(2));
    let (log, signer) = sealed(&disk, Shape::PLAIN, 1);
    log.checkpoint(&signer).unwrap();
    let store = store(&shelf);
    let copy = archived(&log, 1, &store);
    for (path, bytes) in objects(&shelf) {
        let longer = [bytes.as_slice(), b"x"].concat();
        let half = &bytes[..bytes.len() / 2];
        for other in [&bytes[..bytes.len() - 1], half, &[], &longer] {
            shelf.write_file(&path, other).unwrap();
            assert!(!plain(&store, &copy.folder).is_clean(), "{}", path.display());
        }
        shelf.remove_file(&path).unwrap();
        assert!(!plain(&store, &copy.folder).is_clean(), "{}", path.display());
        shelf.write_file(&path, &bytes).unwrap();
    }
    assert!(plain(&store, &copy.folder).is_clean());
}

#[test]
fn a_manifest_of_other_bytes_is_told_by_the_digest_that_the_catalog_has() {
    let (disk, shelf) = (SimDisk::new(1), SimDisk::new(2));
    let (log, _) = sealed(&disk, Shape::PLAIN, 1);
    let store = store(&shelf);
    let copy = archived(&log, 1, &store);
    let digest = |digest| VerifyArchiveOptions::new().digest(digest);
    let good = archive::verify(&store, &copy.folder, &digest(copy.digest)).unwrap();
    assert!(good.is_clean());
    let other = archive::verify(&store, &copy.folder, &digest(Hash::ZERO)).unwrap();
    assert_eq!(other.findings.len(), 1);
}

#[test]
fn a_folder_of_another_segment_or_log_is_refused() {
    let (disk, other_disk, shelf) = (SimDisk::new(1), SimDisk::new(2), SimDisk::new(3));
    let (log, _) = sealed(&disk, Shape::PLAIN, 2);
    let (other, _) = sealed(&other_disk, Shape::PLAIN, 1);
    let store = store(&shelf);
    let (first, second) = (archived(&log, 1, &store), archived(&log, 2, &store));
    let foreign = archived(&other, 1, &store);
    let of = |folder: &str| -> Vec<(PathBuf, Vec<u8>)> {
        let files = files_below(&shelf, &Path::new("/archive").join(folder));
        files.into_iter().map(|(path, bytes)| (path.file_name().unwrap().into(), bytes)).collect()
    };
    let originals = of(&first.folder);
    for folder in [&second.folder, &foreign.folder] {
        for (name, bytes) in of(folder) {
            shelf
                .write_file(&Path::new("/archive").join(&first.folder).join(name), &bytes)
                .unwrap();
        }
        let report = plain(&store, &first.folder);
        assert!(!report.is_clean(), "{folder} passed for {}", first.folder);
        assert!(log.archive().copy(1, &store, &asked()).is_err());
    }
    for (name, bytes) in originals {
        shelf.write_file(&Path::new("/archive").join(&first.folder).join(name), &bytes).unwrap();
    }
    assert!(plain(&store, &first.folder).is_clean());
    // Copied elsewhere as it is, it needs no name.
    let alone = Path::new("/archive").join(&first.folder);
    let alone = DirectoryStore::open_on(Arc::new(shelf.clone()), &alone).unwrap();
    assert!(plain(&alone, "").is_clean());
    assert_eq!(archive::folders(&alone).unwrap(), [""]);
    assert_eq!(archive::folders(&store).unwrap().len(), 3);
}

#[test]
fn to_archive_again_changes_nothing() {
    let (disk, shelf) = (SimDisk::new(1), SimDisk::new(2));
    let (log, signer) = sealed(&disk, Shape::PLAIN, 1);
    log.checkpoint(&signer).unwrap();
    let store = store(&shelf);
    let first = archived(&log, 1, &store);
    let (before, records) = (objects(&shelf), log.snapshot().catalog().history().unwrap().len());
    log.append(&event(8)).unwrap();
    log.checkpoint(&signer).unwrap();
    let signed = log.snapshot().catalog().history().unwrap().len();
    assert_eq!(archived(&log, 1, &store), first);
    assert_eq!(
        (objects(&shelf), log.snapshot().catalog().history().unwrap().len()),
        (before, signed)
    );
    assert!(records < signed);
}

#[test]
fn an_unfinished_folder_is_finished_at_whatever_point_it_stopped() {
    let mut stopped = 0;
    for count in 0.. {
        let (disk, shelf) = (SimDisk::new(1), SimDisk::new(count));
        let (log, signer) = sealed(&disk, Shape::PLAIN, 1);
        log.checkpoint(&signer).unwrap();
        let store = store(&shelf);
        shelf.crash_after(count);
        let attempt = log.archive().copy(1, &store, &asked());
        let done = !shelf.stopped();
        assert_eq!(attempt.is_ok(), done, "{attempt:?}");
        shelf.crash();
        let folder = archive::folder_of(ORIGIN, log.snapshot().stats().unwrap().log_id, 1);
        let report = plain(&store, &folder);
        assert_eq!(report.is_clean(), report.manifest.is_some(), "whole, or not there at all");
        // Meanwhile the log went on, with a newer head.
        log.append(&event(8)).unwrap();
        log.checkpoint(&signer).unwrap();
        let copy = archived(&log, 1, &store);
        let report = archive::verify(&store, &copy.folder, &trusting(&signer)).unwrap();
        assert!(matches!(report.shown, Shown::Signed { in_force: true, .. }), "{report:?}");
        shelf.crash();
        assert!(plain(&store, &copy.folder).is_clean(), "durable when it was said to be");
        if done {
            break;
        }
        stopped += 1;
    }
    assert!(stopped > 15, "{stopped} crashes");
}

#[test]
fn what_a_failed_sync_forgot_is_durable_when_the_next_attempt_says_so() {
    let mut struck = 0;
    for at in 0.. {
        let (disk, shelf) = (SimDisk::new(1), SimDisk::new(at));
        let (log, _) = sealed(&disk, Shape::PLAIN, 1);
        let store = store(&shelf);
        shelf.plan(sim::Fault { at, kind: FaultKind::SyncFailed, stored: false });
        let attempt = log.archive().copy(1, &store, &asked());
        if shelf.faults_outstanding() > 0 {
            break;
        }
        assert!(attempt.is_err(), "a failed sync is not passed over");
        let copy = archived(&log, 1, &store);
        let place = shelf.trace();
        shelf.crash();
        assert!(plain(&store, &copy.folder).is_clean(), "operation {at} of {place:#?}");
        struck += 1;
    }
    assert!(struck > 15, "{struck} failed syncs");
}

#[test]
fn other_bytes_in_an_unfinished_folder_are_not_replaced() {
    let (disk, shelf) = (SimDisk::new(1), SimDisk::new(2));
    let (log, signer) = sealed(&disk, Shape::PLAIN, 1);
    log.checkpoint(&signer).unwrap();
    let store = store(&shelf);
    let copy = archived(&log, 1, &store);
    for name in ["segment.seg", "segment.idx", "checkpoint", "state.bulla-catalog-proof"] {
        let folder = Path::new("/archive").join(&copy.folder);
        let good = shelf.read_file(&folder.join(name)).unwrap();
        let manifest = shelf.read_file(&folder.join("MANIFEST.json")).unwrap();
        shelf.remove_file(&folder.join("MANIFEST.json")).unwrap();
        shelf.flip_byte(&folder.join(name), 9, 1).unwrap();
        let error = log.archive().copy(1, &store, &asked()).unwrap_err();
        assert!(error.to_string().contains(name) || name == "checkpoint", "{name}: {error}");
        assert_ne!(shelf.read_file(&folder.join(name)).unwrap(), good, "it stays");
        shelf.write_file(&folder.join(name), &good).unwrap();
        shelf.write_file(&folder.join("MANIFEST.json"), &manifest).unwrap();
    }
    assert_eq!(archived(&log, 1, &store), copy);
}

#[test]
fn a_damaged_segment_is_not_archived() {
    let (disk, shelf) = (SimDisk::new(1), SimDisk::new(2));
    let (log, _) = sealed(&disk, Shape::PLAIN, 1);
    let path = support::dir().join("segments/00000001.seg");
    let len = disk.read_file(&path).unwrap().len() as u64;
    for at in [40, 300, 600, len / 2, len - 400, len - 100] {
        disk.flip_byte(&path, at, 4).unwrap();
        let error = log.archive().copy(1, &store(&shelf), &asked()).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "byte {at}: {error}");
        assert!(objects(&shelf).is_empty());
        disk.flip_byte(&path, at, 4).unwrap();
    }
    // The index is derived: the archive gets a good one.
    let index = support::dir().join("segments/00000001.idx");
    disk.flip_byte(&index, 300, 4).unwrap();
    let copy = archived(&log, 1, &store(&shelf));
    assert!(plain(&store(&shelf), &copy.folder).is_clean());
}

#[test]
fn an_archive_in_its_log_or_around_it_is_refused() {
    let disk = SimDisk::new(1);
    let (log, _) = sealed(&disk, Shape::PLAIN, 1);
    for path in ["/audit/archive", "/audit", "/", "/audit/segments/a"] {
        let inside = DirectoryStore::open_or_create_on(Arc::new(disk.clone()), Path::new(path));
        let error = log.archive().copy(1, &inside.unwrap(), &asked()).unwrap_err();
        assert!(matches!(error, Error::InvalidOption { name: "archive", .. }), "{error}");
    }
    let beside = store(&disk);
    assert!(log.archive().copy(1, &beside, &asked()).is_ok());
}

#[test]
fn only_what_is_sealed_is_archived_and_only_what_is_gone_restored() {
    let (disk, shelf) = (SimDisk::new(1), SimDisk::new(2));
    let (log, _) = sealed(&disk, Shape::PLAIN, 1);
    let store = store(&shelf);
    log.append(&event(4)).unwrap();
    for ordinal in [0, 2, 77] {
        let refused = log.archive().copy(ordinal, &store, &asked());
        assert!(matches!(refused, Err(Error::InvalidOption { name: "segment", .. })));
    }
    let copy = archived(&log, 1, &store);
    let error = log.archive().restore(&store, &copy.folder, &asked()).unwrap_err();
    assert!(error.to_string().contains("here already"), "{error}");
    assert_eq!(log.archive().restorable_in(&store).unwrap(), []);
    assert!(log.archive().restore(&store, "nothing/00000001", &asked()).is_err());
}

/// What a faulty store does with the object number `at` that is put, or read, from now on.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    NotStored,
    StoredButReportedFailed,
    /// Says that it is stored, and it is not.
    Forgotten,
    /// Gives other bytes when it is read.
    ReadsOther,
    /// Gives no bytes when it is read.
    ReadsNothing,
}

#[derive(Debug)]
struct FaultyStore {
    inner: DirectoryStore,
    fault: Fault,
    at: u64,
    done: AtomicU64,
}

impl FaultyStore {
    fn strikes(&self, on_put: bool) -> bool {
        let reads = matches!(self.fault, Fault::ReadsOther | Fault::ReadsNothing);
        reads != on_put && self.done.fetch_add(1, Ordering::Relaxed) == self.at
    }
}

impl ArchiveStore for FaultyStore {
    fn put(&self, key: &str, len: u64, bytes: &mut dyn Read) -> io::Result<()> {
        match self.strikes(true).then_some(self.fault) {
            Some(Fault::NotStored) => Err(io::Error::other("not stored")),
            Some(Fault::StoredButReportedFailed) => {
                self.inner.put(key, len, bytes)?;
                Err(io::Error::other("stored"))
            }
            Some(Fault::Forgotten) => Ok(()),
            _ => self.inner.put(key, len, bytes),
        }
    }

    fn len(&self, key: &str) -> io::Result<Option<u64>> {
        self.inner.len(key)
    }

    fn read_at(&self, key: &str, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = self.inner.read_at(key, buf, offset)?;
        if read > 0 && self.strikes(false) {
            match self.fault {
                Fault::ReadsNothing => return Ok(0),
                _ => buf[read / 2] ^= 0x10,
            }
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
fn no_copy_is_counted_on_that_the_store_does_not_give_back() {
    use Fault::*;
    for fault in [NotStored, StoredButReportedFailed, Forgotten, ReadsOther, ReadsNothing] {
        for at in 0.. {
            let (disk, shelf) = (SimDisk::new(1), SimDisk::new(2));
            let (log, signer) = sealed(&disk, Shape::PLAIN, 1);
            log.checkpoint(&signer).unwrap();
            let inner = store(&shelf);
            let faulty = FaultyStore { inner, fault, at, done: AtomicU64::new(0) };
            let attempt = log.archive().copy(1, &faulty, &asked());
            if faulty.done.load(Ordering::Relaxed) <= at {
                assert!(attempt.is_ok() && at >= 5, "{fault:?} {at}: {attempt:?}");
                break;
            }
            assert!(attempt.is_err(), "{fault:?} at {at}");
            let recorded = log.snapshot().catalog().history().unwrap();
            assert!(recorded.iter().all(|entry| entry.what != "segment archived"));
            // The store is in order again.
            match log.archive().copy(1, &faulty.inner, &asked()) {
                Ok(copy) => assert!(plain(&faulty.inner, &copy.folder).is_clean()),
                // It said that a file is there which is not, and then got the manifest.
                Err(error) => assert!(fault == Forgotten, "{fault:?} at {at}: {error}"),
            }
            assert!(log.append(&event(70)).is_ok(), "the log is untouched");
        }
    }
}

#[test]
fn a_directory_store_keeps_the_promises_of_a_store() {
    let shelf = SimDisk::new(1);
    let store = store(&shelf);
    store.put("a/b", 3, &mut &b"abc"[..]).unwrap();
    store.put("a/b", 3, &mut &b"abc"[..]).unwrap();
    for (len, other) in [(3, "abd"), (2, "ab"), (4, "abcd")] {
        let refused = store.put("a/b", len, &mut other.as_bytes()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
    }
    assert!(store.put("c", 3, &mut &b"ab"[..]).is_err());
    assert!(store.put("c", 1, &mut &b"ab"[..]).is_err());
    assert_eq!(store.len("c").unwrap(), None, "not at all");
    assert_eq!(store.len("a/b").unwrap(), Some(3));
    let mut buf = [0; 8];
    assert_eq!(store.read_at("a/b", &mut buf, 1).unwrap(), 2);
    assert_eq!(&buf[..2], b"bc");
    assert_eq!(store.read_at("a/b", &mut buf, 9).unwrap(), 0);
    store.put("a/a", 0, &mut io::empty()).unwrap();
    assert_eq!(store.list("").unwrap(), ["a/a", "a/b"]);
    assert_eq!(store.list("a/b").unwrap(), ["a/b"]);
    for bad in ["", "/a", "a/", "a//b", "..", "a/../b", ".", "a b", "a.tmp", "ü", "a\\b"] {
        let refused = store.put(bad, 0, &mut io::empty()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput, "{bad:?}");
    }
    shelf.crash();
    assert_eq!(store.list("").unwrap(), ["a/a", "a/b"], "durable when it returned");
}
