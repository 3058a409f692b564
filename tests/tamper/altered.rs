//! Every file of a log damaged, cut, deleted, exchanged and put back: derived files are
//! rebuilt, damage is named, a rolled-back catalog is refused, and nothing panics.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::support;
use crate::support::random::Random;
use crate::support::{Book, Shape, Step, Worker, clock, dir, event, files_below};
use bulla::disk::Disk;
use bulla::disk::sim::SimDisk;
use bulla::{Error, Log, LogOptions, Record, Report, Seq, TreeHead, VerifyOptions, verify};

struct Built {
    disk: SimDisk,
    records: Vec<Record>,
    head: TreeHead,
    /// Catalog and checkpoints as they were before the newest head was signed.
    earlier: Vec<(PathBuf, Vec<u8>)>,
}

fn build() -> Built {
    use Step::*;
    let disk = SimDisk::new(5);
    let mut worker = Worker::new(&disk, Shape::PLAIN);
    let mut run = |steps: &[Step]| steps.iter().for_each(|step| worker.step(*step).unwrap());
    run(&[Create, Key, Append, Append, Batch(20), Rotate, Append, Batch(25), Checkpoint]);
    run(&[Append, Rotate, Batch(9), Close]);
    let earlier = files_below(&disk, &dir().join("catalog"));
    run(&[Open, Append, Batch(10), Rotate, Append, Batch(12), Append, Checkpoint, Append]);
    run(&[Append, Batch(3), Append, Close]);
    let log = open(&disk).unwrap();
    let records = log.snapshot().records_from(Seq::new(0)).map(Result::unwrap).collect();
    let head = log.snapshot().head().unwrap();
    log.close().unwrap();
    Built { disk, records, head, earlier }
}

fn built() -> &'static Built {
    static BUILT: OnceLock<Built> = OnceLock::new();
    BUILT.get_or_init(build)
}

fn copy() -> SimDisk {
    built().disk.fork(9)
}

fn open(disk: &SimDisk) -> Result<Log, Error> {
    Shape::PLAIN.options(disk, &clock()).open(dir())
}

fn path(name: &str) -> PathBuf {
    dir().join(name)
}

fn bytes(disk: &SimDisk, path: &Path) -> Vec<u8> {
    disk.read_file(path).unwrap()
}

fn bytes_or_none(disk: &SimDisk, path: &Path) -> Option<Vec<u8>> {
    disk.read_file(path).ok()
}

fn check(disk: &SimDisk) -> Report {
    let options = VerifyOptions::new().disk(Arc::new(disk.clone()));
    verify(&dir(), &options, &mut |_| ()).unwrap()
}

/// Names of the files below the log's directory that are like one of these.
fn files(like: &[&str]) -> Vec<PathBuf> {
    let all = files_below(&built().disk, &dir()).into_iter().map(|(path, _)| path);
    let wanted = |path: &PathBuf| like.iter().any(|part| path.to_string_lossy().contains(part));
    let found: Vec<PathBuf> = all.filter(wanted).collect();
    assert!(!found.is_empty(), "{like:?}");
    found
}

/// Offsets that hit all parts of a file, dense at both of its ends.
fn offsets(len: usize) -> Vec<u64> {
    let len = len as u64;
    let ends = (0..len.min(160)).step_by(3).chain((len.saturating_sub(260)..len).step_by(7));
    let mut all: Vec<u64> =
        ends.chain((0..len).step_by(usize::try_from(len / 40 + 1).unwrap())).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// What can be done to one file: a flipped byte, a cut, a deletion, garbage, emptiness.
fn damages(path: &Path) -> Vec<(String, SimDisk)> {
    let original = bytes(&built().disk, path);
    let mut all = Vec::new();
    for at in offsets(original.len()) {
        let disk = copy();
        disk.flip_byte(path, at, 0x20).unwrap();
        all.push((format!("{} flipped at {at}", path.display()), disk));
    }
    for keep in offsets(original.len()).into_iter().step_by(9) {
        let disk = copy();
        disk.write_file(path, &original[..usize::try_from(keep).unwrap()]).unwrap();
        all.push((format!("{} cut to {keep}", path.display()), disk));
    }
    let disk = copy();
    disk.remove_file(path).unwrap();
    all.push((format!("{} deleted", path.display()), disk));
    for (what, garbage) in [("noise", vec![0xa7; 3_000]), ("zeros", vec![0; original.len()])] {
        let disk = copy();
        disk.write_file(path, &garbage).unwrap();
        all.push((format!("{} replaced by {what}", path.display()), disk));
    }
    all
}

/// Every record is as it was, or an error that says where; gives the number of the latter.
fn damaged_records(log: &Log, what: &str) -> u64 {
    let mut damaged = 0;
    assert!(log.size().get() >= built().records.len() as u64, "{what}");
    for record in &built().records {
        match log.snapshot().get(record.seq) {
            Ok(found) => assert_eq!(found, *record, "{what}"),
            Err(Error::Corrupt { path, .. }) => {
                assert!(path.starts_with(dir()), "{what}");
                damaged += 1;
            }
            Err(Error::Tampered { .. } | Error::Io { .. }) => damaged += 1,
            Err(other) => panic!("{what}: {other}"),
        }
    }
    damaged
}

/// The log opens, tells all, and works on.
fn check_whole(disk: &SimDisk, what: &str) {
    let log = open(disk).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(damaged_records(&log, what), 0, "{what}");
    assert_eq!(log.snapshot().head().unwrap(), built().head, "{what}");
    log.append(&event(1)).unwrap();
    log.close().unwrap();
    let report = check(disk);
    assert!(report.is_clean(), "{what}: {:#?}", report.findings);
}

#[test]
fn derived_files_are_rebuilt_and_the_head_is_the_same() {
    for path in files(&["tree/mark", "catalog/snapshot", "LOCK"]) {
        for (what, disk) in damages(&path) {
            check_whole(&disk, &what);
        }
    }
}

#[test]
fn damaged_hash_files_never_give_a_wrong_root() {
    let disk = copy();
    let log = open(&disk).unwrap();
    let checkpoint = log.checkpoints().latest().unwrap().unwrap();
    drop(log);
    for path in files(&["tree/level"]) {
        for (what, disk) in damages(&path) {
            let log = open(&disk).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(damaged_records(&log, &what), 0);
            assert_eq!(log.snapshot().head().unwrap(), built().head, "{what}");
            for seq in [0, 5, 40] {
                let proof =
                    log.snapshot().prove(Seq::new(seq), &checkpoint, bulla::Disclosure::Whole);
                match proof {
                    Ok(proof) => {
                        let leaf = built().records[usize::try_from(seq).unwrap()].leaf_hash;
                        let head = checkpoint.dangerously_unverified().head();
                        proof.inclusion.verify(log.algorithm(), &leaf, &head).unwrap();
                    }
                    Err(Error::Tampered { .. } | Error::Corrupt { .. } | Error::Io { .. }) => {}
                    Err(other) => panic!("{what}: {other}"),
                }
            }
            log.append(&event(1)).unwrap();
            log.close().unwrap();
        }
    }
}

#[test]
fn a_damaged_sealed_segment_is_named_and_the_rest_stays_readable() {
    let sealed = ["segments/00000001.seg", "segments/00000002.seg", "segments/00000003.seg"];
    for path in files(&sealed) {
        for (what, disk) in damages(&path) {
            let report = check(&disk);
            assert!(!report.is_clean(), "{what}: not found");
            assert!(
                report.findings.iter().any(|finding| finding.file == path),
                "{what}: {report:#?}"
            );
            let log = open(&disk).unwrap_or_else(|error| panic!("{what}: {error}"));
            let damaged = damaged_records(&log, &what);
            if what.contains("deleted") {
                assert_eq!(log.recovery().missing_segments.len(), 1);
                assert!(damaged > 0);
            }
            log.append(&event(1)).unwrap();
            log.close().unwrap();
        }
    }
}

/// The segment that was being written when the log was closed.
fn newest() -> PathBuf {
    files(&["segments/"]).into_iter().max().unwrap()
}

#[test]
fn damage_below_the_mark_of_the_active_segment_is_met_by_readers_and_does_not_stop_the_log() {
    let path = newest();
    let whole = bytes(&built().disk, &path);
    let used = whole.iter().rposition(|byte| *byte != 0).unwrap();
    let last_frame = whole.windows(4).rposition(|four| four == b"BFRM").unwrap();
    let mut anchors = std::collections::BTreeSet::new();
    for at in offsets(used + 1).into_iter().filter(|at| *at >= 512) {
        let what = format!("flipped at {at} of {used}");
        let disk = copy();
        disk.flip_byte(&path, at, 1).unwrap();
        let report = check(&disk);
        let log = match open(&disk) {
            // The newest anchor, without which the catalog cannot be believed.
            Err(Error::Corrupt { path: found, offset, .. }) if found == path => {
                anchors.insert(offset);
                continue;
            }
            opened => opened.unwrap_or_else(|error| panic!("{what}: {error}")),
        };
        let damaged = damaged_records(&log, &what);
        // The watermark at the end holds no record; the mark behind it vouches for it.
        let watermark = usize::try_from(at).unwrap() >= last_frame;
        assert!(!report.is_clean(), "{what}");
        assert_eq!(damaged == 0, watermark, "{what}: {damaged} {:#?}", report.findings);
        let receipt = log.append(&event(1)).unwrap();
        assert_eq!(receipt.seq.get(), built().records.len() as u64);
        log.rotate().unwrap_or_else(|error| panic!("{what}: {error}"));
        log.append(&event(2)).unwrap();
        assert_eq!(damaged_records(&log, &what), damaged);
        // A damaged length hides what follows it up to the next waypoint, at most 32 records.
        assert!(damaged <= 32, "{what}: {damaged}");
        assert!(log.snapshot().get(Seq::new(receipt.seq.get() + 1)).is_ok());
        log.close().unwrap();
    }
    assert!(anchors.len() <= 1, "{anchors:?}");
}

#[test]
fn damage_that_recovery_meets_is_corrupt_and_changes_nothing() {
    let path = newest();
    let whole = bytes(&built().disk, &path);
    let used = whole.iter().rposition(|byte| *byte != 0).unwrap();
    // The watermark that the clean close wrote vouches for all before it, and nothing for it.
    let vouched = used + 1 - 32;
    for at in offsets(vouched).into_iter().chain([vouched as u64 - 1]) {
        let disk = copy();
        disk.remove_file(&self::path("tree/mark")).unwrap();
        disk.write_file(&self::path("tree/mark"), b"").unwrap();
        disk.flip_byte(&path, at, 4).unwrap();
        let before = files_below(&disk, &dir());
        match open(&disk) {
            Err(Error::Corrupt { path: found, .. }) => assert_eq!(found, path),
            Err(Error::Tampered { .. }) if at < 512 => {}
            other => panic!("flipped at {at} of {used}: {other:?}"),
        }
        let known = |files: Vec<(PathBuf, Vec<u8>)>| -> Vec<(PathBuf, Vec<u8>)> {
            let derived =
                |path: &Path| path.ends_with("LOCK") || path.starts_with(self::path("tree"));
            files.into_iter().filter(|(path, _)| !derived(path)).collect()
        };
        assert_eq!(known(before), known(files_below(&disk, &dir())), "flipped at {at}");
    }
    // The end itself looks like a torn frame: it is set aside, and no record is lost.
    let disk = copy();
    disk.write_file(&self::path("tree/mark"), b"").unwrap();
    disk.flip_byte(&path, used as u64, 4).unwrap();
    let log = open(&disk).unwrap();
    assert_eq!(log.recovery().set_aside.len(), 1);
    assert_eq!(damaged_records(&log, "the watermark"), 0);
    let history = log.snapshot().catalog().history().unwrap();
    assert!(history.iter().any(|entry| entry.what == "bytes set aside"));
}

#[test]
fn a_cut_or_missing_active_segment_is_corrupt_and_changes_nothing() {
    let path = newest();
    let whole = bytes(&built().disk, &path);
    let used = whole.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    for keep in [0, 100, 512, 600, used / 4, used - 40] {
        // Of the last frame alone, only the mark knows.
        for zeros in [false, true].into_iter().filter(|zeros| !zeros || keep < used / 2) {
            let disk = copy();
            let mut cut = whole[..keep].to_vec();
            if zeros {
                cut.resize(whole.len(), 0);
                disk.write_file(&self::path("tree/mark"), b"").unwrap();
            }
            disk.write_file(&path, &cut).unwrap();
            let before = disk.read_file(&path).unwrap();
            let opened = open(&disk);
            assert!(
                matches!(opened, Err(Error::Corrupt { .. } | Error::Tampered { .. })),
                "cut to {keep}, zeros {zeros}: {opened:?}"
            );
            assert_eq!(disk.read_file(&path).unwrap(), before);
            assert!(!check(&disk).is_clean(), "cut to {keep}, zeros {zeros}");
        }
    }
    let disk = copy();
    disk.remove_file(&path).unwrap();
    assert!(matches!(open(&disk), Err(Error::Corrupt { .. })), "{:?}", open(&disk));
}

#[test]
fn one_damaged_catalog_copy_is_mended_from_the_other_and_recorded() {
    for (good, bad) in [("catalog/a/", "catalog/b/"), ("catalog/b/", "catalog/a/")] {
        for path in files(&[bad]) {
            let good = path.to_string_lossy().replace(bad, good);
            let whole = bytes(&built().disk, &path);
            let used = whole.iter().rposition(|byte| *byte != 0).unwrap();
            for (what, disk) in damages(&path) {
                if bytes_or_none(&disk, &path).is_some_and(|b| b.get(..=used) == whole.get(..=used))
                {
                    check_whole(&disk, &what); // only unused space was cut
                    continue;
                }
                let log = open(&disk).unwrap_or_else(|error| panic!("{what}: {error}"));
                let set_aside = &log.recovery().set_aside;
                let recorded = log.snapshot().catalog().history().unwrap();
                let recorded = recorded.iter().filter(|entry| entry.what == "bytes set aside");
                assert_eq!(recorded.count(), set_aside.len(), "{what}");
                let nothing_left = ["deleted", "cut to 0", "zeros"];
                if !nothing_left.iter().any(|end| what.ends_with(end)) {
                    assert!(!set_aside.is_empty(), "{what}: mended without a word");
                }
                assert_eq!(bytes(&disk, &path), bytes(&disk, Path::new(&good)), "{what}");
                log.close().unwrap();
                check_whole(&disk, &what);
            }
        }
    }
}

#[test]
fn without_a_catalog_appending_and_reading_go_on_and_signing_refuses() {
    let copies = files(&["catalog/a/", "catalog/b/"]);
    for (at, delete) in [(0, false), (600, false), (0, true)] {
        let disk = copy();
        for path in &copies {
            if delete {
                disk.remove_file(path).unwrap();
            } else {
                disk.flip_byte(path, at, 0x80).unwrap();
            }
        }
        disk.remove_file(&path("catalog/snapshot")).unwrap();
        let before = files_below(&disk, &dir().join("catalog"));
        let log = open(&disk).unwrap();
        assert!(log.recovery().catalog_damage.is_some());
        assert_eq!(damaged_records(&log, "no catalog"), 0);
        let receipt = log.append(&event(7)).unwrap();
        log.rotate().unwrap();
        log.append(&event(8)).unwrap();
        assert!(log.snapshot().get(receipt.seq).is_ok());
        let signer = support::signer(&disk, log.algorithm()).unwrap();
        assert!(matches!(log.checkpoint(&signer), Err(Error::CatalogDamaged { .. })));
        assert!(matches!(log.snapshot().catalog().history(), Err(Error::CatalogDamaged { .. })));
        log.close().unwrap();
        let log = open(&disk).unwrap();
        assert_eq!(log.size().get(), built().records.len() as u64 + 2);
        assert_eq!(damaged_records(&log, "no catalog, reopened"), 0);
        log.close().unwrap();
        let after = files_below(&disk, &dir().join("catalog"));
        let segments = |files: Vec<(PathBuf, Vec<u8>)>| -> Vec<(PathBuf, Vec<u8>)> {
            files.into_iter().filter(|(path, _)| path.to_string_lossy().contains(".seg")).collect()
        };
        assert_eq!(segments(before), segments(after), "the evidence stays");
        assert!(!check(&disk).is_clean());
    }
}

#[test]
fn a_catalog_put_back_to_an_earlier_state_is_refused() {
    let roll_back = |disk: &SimDisk, which: &str| {
        for (path, old) in
            built().earlier.iter().filter(|(p, _)| p.to_string_lossy().contains(which))
        {
            disk.write_file(path, old).unwrap();
        }
    };
    let disk = copy();
    roll_back(&disk, "catalog/");
    for path in files_below(&disk, &dir().join("checkpoints")) {
        disk.remove_file(&path.0).unwrap();
    }
    let before = files_below(&disk, &dir());
    assert!(matches!(open(&disk), Err(Error::Tampered { .. })), "{:?}", open(&disk));
    let after = files_below(&disk, &dir());
    let unlocked = |files: Vec<(PathBuf, Vec<u8>)>| -> Vec<(PathBuf, Vec<u8>)> {
        files.into_iter().filter(|(path, _)| !path.ends_with("LOCK")).collect()
    };
    assert_eq!(unlocked(before), unlocked(after));
    assert!(!check(&disk).is_clean());

    // One copy alone is only behind: the other one mends it.
    for which in ["catalog/a", "catalog/b"] {
        let disk = copy();
        roll_back(&disk, which);
        check_whole(&disk, which);
    }
}

#[test]
fn files_of_another_log_and_exchanged_segments_are_refused() {
    let other = build();
    for path in files(&["segments/", "catalog/a/", "catalog/b/", "tree/", "checkpoints/"]) {
        let disk = copy();
        disk.write_file(&path, &bytes(&other.disk, &path)).unwrap();
        let what = format!("{} of another log", path.display());
        match open(&disk) {
            Ok(log) => {
                damaged_records(&log, &what);
                assert_eq!(log.snapshot().head().unwrap(), built().head, "{what}");
                log.close().unwrap();
            }
            Err(Error::Corrupt { .. } | Error::Tampered { .. }) => {}
            Err(error) => panic!("{what}: {error}"),
        }
    }
    for (one, two) in [(1, 2), (2, 3), (1, 3), (3, 4)] {
        let disk = copy();
        let [one, two] = [one, two].map(|n| path(&format!("segments/{n:08}.seg")));
        let (first, second) = (bytes(&disk, &one), bytes(&disk, &two));
        disk.write_file(&one, &second).unwrap();
        disk.write_file(&two, &first).unwrap();
        match open(&disk) {
            Ok(log) => assert!(damaged_records(&log, "exchanged") > 0),
            Err(Error::Corrupt { .. } | Error::Tampered { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        assert!(!check(&disk).is_clean());
    }
}

#[test]
fn damaged_checkpoints_are_found_and_do_not_stop_the_log() {
    for path in files(&["checkpoints/"]) {
        for (what, disk) in damages(&path) {
            let log = open(&disk).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(damaged_records(&log, &what), 0);
            log.close().unwrap();
        }
    }
}

#[test]
fn a_missing_newest_segment_is_reported_and_its_records_are_not_given_away() {
    use Step::*;
    let disk = SimDisk::new(6);
    let mut worker = Worker::new(&disk, Shape::PLAIN);
    let steps = [Create, Batch(5), Rotate, Batch(5), Rotate, Close];
    steps.iter().for_each(|step| worker.step(*step).unwrap());
    disk.remove_file(&path("segments/00000002.seg")).unwrap();
    // Without a mark nothing tells what its records were.
    let unmarked = disk.fork(7);
    unmarked.write_file(&path("tree/mark"), b"").unwrap();
    assert!(matches!(open(&unmarked), Err(Error::Corrupt { .. })), "{:?}", open(&unmarked));
    let log = open(&disk).unwrap();
    assert_eq!(log.recovery().missing_segments, [2]);
    assert_eq!(log.append(&event(9)).unwrap().seq.get(), 10);
    assert!(log.snapshot().get(Seq::new(4)).is_ok());
    assert!(log.snapshot().get(Seq::new(5)).is_err());
    log.close().unwrap();
    let report = check(&disk);
    assert!(report.findings.iter().any(|finding| finding.segment == Some(2)));
}

#[test]
fn a_signed_record_at_the_very_end_is_never_taken_for_a_torn_one() {
    use Step::*;
    let disk = SimDisk::new(8);
    let mut worker = Worker::new(&disk, Shape::PLAIN);
    let steps = [Create, Key, Batch(5), Append, Checkpoint];
    steps.iter().for_each(|step| worker.step(*step).unwrap());
    let path = path("segments/00000001.seg");
    let used = bytes(&disk, &path).iter().rposition(|byte| *byte != 0).unwrap() as u64;
    for at in (used - 150..=used).step_by(5) {
        // The process was killed; then the bytes rotted.
        let disk = disk.fork(at);
        disk.flip_byte(&path, at, 2).unwrap();
        let before = bytes(&disk, &path);
        match open(&disk) {
            Err(Error::Corrupt { path: found, offset, .. }) => {
                assert_eq!(found, path);
                assert!(offset <= at);
            }
            other => panic!("{at}: {other:?}"),
        }
        assert!(bytes(&disk, &path) == before);
        assert!(files_below(&disk, &dir().join("quarantine")).is_empty());
    }
}

/// Reads all there is of whatever opens; nothing may panic or run away.
fn read_everything(disk: &SimDisk) {
    let options = LogOptions::new().disk(Arc::new(disk.clone()));
    if let Ok(reader) = options.open_read_only(dir()) {
        let snapshot = reader.snapshot();
        let _ = snapshot.records_from(Seq::new(0)).count();
        let _ = reader.snapshot().query(&bulla::Query::new()).map(Iterator::count);
        for seq in 0..=reader.size().get().min(300) {
            let _ = reader.snapshot().get(Seq::new(seq));
        }
        let _ =
            (reader.checkpoints().latest().is_ok(), reader.snapshot().catalog().history().is_ok());
        let _ = (reader.snapshot().stats().is_ok(), reader.snapshot().segments().is_ok());
        let _ = reader.snapshot().head().is_ok();
    }
    let options = VerifyOptions::new().disk(Arc::new(disk.clone()));
    let _ = verify(&dir(), &options, &mut |_| ());
    let _ = open(disk).map(|log| log.append(&event(0)).is_ok());
}

#[test]
fn hostile_bytes_give_errors() {
    let paths: Vec<PathBuf> = files(&["/"]);
    let mut random = Random::new(1);
    let mut next = |below: usize| random.index(below);
    for _ in 0..400 {
        let disk = copy();
        for _ in 0..=next(3) {
            let path = &paths[next(paths.len())];
            let mut bytes = bytes(&disk, path);
            match next(4) {
                0 => bytes.truncate(next(bytes.len() + 1)),
                1 => {
                    let garbage: Vec<u8> =
                        (0..next(5_000)).map(|_| next(256).to_le_bytes()[0]).collect();
                    let at = next(bytes.len() + 1);
                    bytes.splice(at..(at + garbage.len()).min(bytes.len()), garbage);
                }
                2 => {
                    for _ in 0..=next(40) {
                        let at = next(bytes.len().min(900));
                        if let Some(byte) = bytes.get_mut(at) {
                            *byte = [0, 1, 0x7f, 0x80, 0xff][next(5)];
                        }
                    }
                }
                _ => {
                    let from = next(bytes.len() + 1);
                    let piece: Vec<u8> = bytes[from..].iter().copied().take(next(2_000)).collect();
                    let at = next(bytes.len() + 1);
                    bytes.splice(at..at, piece);
                }
            }
            disk.write_file(path, &bytes).unwrap();
        }
        read_everything(&disk);
    }
}

#[test]
fn a_book_of_the_sample_shows_what_the_tests_damage() {
    let book = Book::default();
    assert_eq!(book.submitted, 0);
    let segments = files(&["segments/"]);
    let are =
        |end: &str| segments.iter().filter(|file| file.to_string_lossy().ends_with(end)).count();
    assert_eq!((are(".seg"), are(".idx")), (4, 3));
    assert_eq!(files(&["checkpoints/"]).len(), 2);
    assert!(files(&["tree/level"]).len() >= 2);
}
