//! The tamper matrix: every byte of every file of a small log flipped, every file cut at
//! every length, lengthened, deleted, exchanged and put back: `verify` names the file and the
//! place, each time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::support;
use crate::support::random::Random;
use crate::support::{Shape, clock, dir, files_below};
use bulla::disk::Disk;
use bulla::disk::sim::SimDisk;
use bulla::{Actor, Event, Finding, HashAlgorithm, Report, Resource, VerifyOptions, verify};

/// Zeros that are kept of what a file was prepared with.
const TAIL: usize = 40;

/// What is changed and may pass without a word: the file (a part of its path), and why.
///
/// Zeros that were prepared for frames to come are nobody's: how many there are is not
/// recorded anywhere, and fewer or more of them change nothing.
const EXEMPT: &[(&str, Change, &str)] = &[
    ("segments/00000004.seg", Change::Zeros, "space prepared for frames to come"),
    ("catalog/a/", Change::Zeros, "space prepared for frames to come"),
    ("catalog/b/", Change::Zeros, "space prepared for frames to come"),
    ("LOCK", Change::Emptied, "nothing was told yet: as a log that was just copied"),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// Only zeros at the end were added or taken away.
    Zeros,
    /// Cut to no bytes.
    Emptied,
    /// The whole file.
    Deleted,
}

struct Sample {
    disk: SimDisk,
    files: Vec<(PathBuf, Vec<u8>)>,
}

fn event(n: u64) -> Event {
    Event::new(Actor::new("user", "u"), "n.read", Resource::new("n", n.to_string()))
}

/// Three sealed segments and an active one, two signed heads, something in quarantine.
fn sample(algorithm: HashAlgorithm) -> Sample {
    let disk = SimDisk::new(11);
    let options = Shape { algorithm, ..Shape::PLAIN }.options(&disk, &clock());
    let log = options.clone().create(dir()).unwrap();
    let signer = support::signer(&disk, algorithm).unwrap();
    log.append(&event(0)).unwrap();
    log.append_batch(&[event(1), event(2)]).unwrap();
    log.checkpoint(&signer).unwrap();
    log.rotate().unwrap();
    log.append_batch(&[event(3), event(4)]).unwrap();
    log.rotate().unwrap();
    log.append(&event(5)).unwrap();
    log.close().unwrap();
    // A commit that was torn.
    let torn = dir().join("segments/00000003.seg");
    let mut bytes = disk.read_file(&torn).unwrap();
    let used = frames_end(&bytes);
    bytes[used..used + 50].fill(0x77);
    disk.write_file(&torn, &bytes).unwrap();
    let log = options.open(dir()).unwrap();
    assert_eq!(log.recovery().set_aside.len(), 1);
    log.append(&event(6)).unwrap();
    log.checkpoint(&signer).unwrap();
    log.append_batch(&[event(7), event(8)]).unwrap();
    log.close().unwrap();
    for (path, mut bytes) in files_below(&disk, &dir()) {
        if path.extension().is_some_and(|end| end == "seg") {
            let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            if bytes.len() > used + TAIL {
                bytes.truncate(used + TAIL);
                disk.write_file(&path, &bytes).unwrap();
            }
        }
    }
    let files = files_below(&disk, &dir());
    let report = check(&disk);
    assert!(named(&report).is_empty(), "{:#?}", named(&report));
    for family in ["segments/00000004", "quarantine/main", "tree/mark", "level-00", "0.", "/b/"] {
        let there = files.iter().any(|(path, _)| path.to_string_lossy().contains(family));
        assert!(there, "{family}: {:?}", files.iter().map(|(path, _)| path).collect::<Vec<_>>());
    }
    Sample { disk, files }
}

fn check(disk: &SimDisk) -> Report {
    let options = VerifyOptions::new().disk(Arc::new(disk.clone())).threads(1).at_rest();
    verify(&dir(), &options, &mut |_| ()).unwrap()
}

/// Findings and warnings.
fn named(report: &Report) -> Vec<Finding> {
    report.findings.iter().chain(&report.warnings).cloned().collect()
}

/// One change of one file.
#[derive(Clone, Debug)]
enum Case {
    Flip { at: usize, mask: u8 },
    Cut { len: usize },
    Longer { with: Vec<u8> },
    Deleted,
}

fn cases(path: &Path, bytes: &[u8]) -> Vec<Case> {
    let mut cases = vec![Case::Deleted];
    // All of a mark is under one CRC, and most of it zeros.
    let sparse = path.ends_with("mark");
    for at in 0..bytes.len() {
        cases.push(Case::Flip { at, mask: 0x01 });
        if !sparse || at % 32 == 0 {
            cases.push(Case::Flip { at, mask: 0xc8 });
        }
        if !sparse || at % 32 == 0 {
            cases.push(Case::Cut { len: at });
        }
    }
    for with in [vec![0; 1], vec![0x5a; 1], vec![0; 512], vec![0x5a; 32], vec![0xff; 5_000]] {
        cases.push(Case::Longer { with });
    }
    cases
}

/// The file after a change; `None` if it is gone.
fn changed(bytes: &[u8], case: &Case) -> Option<Vec<u8>> {
    let mut bytes = bytes.to_vec();
    match case {
        Case::Flip { at, mask } => bytes[*at] ^= mask,
        Case::Cut { len } => bytes.truncate(*len),
        Case::Longer { with } => bytes.extend_from_slice(with),
        Case::Deleted => return None,
    }
    Some(bytes)
}

fn exempt(path: &Path, before: &[u8], after: Option<&[u8]>) -> bool {
    let listed = |change| {
        let path = path.to_string_lossy();
        EXEMPT.iter().any(|(part, what, _)| path.contains(part) && *what == change)
    };
    let Some(after) = after else { return listed(Change::Deleted) };
    let used = |bytes: &[u8]| bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    // A frame may end in zeros: those are not prepared space.
    let zeros = before[..used(before)] == after[..used(after)] && after.len() >= frames_end(before);
    let change = match after.is_empty() {
        true => Change::Emptied,
        false if zeros => Change::Zeros,
        false => return false,
    };
    listed(change)
}

/// Where the last frame of an unsealed segment ends.
fn frames_end(bytes: &[u8]) -> usize {
    let Some(at) = bytes.windows(4).rposition(|four| four == b"BFRM") else { return usize::MAX };
    let len: [u8; 4] = bytes[at + 24..at + 28].try_into().unwrap();
    at + 32 + usize::try_from(u32::from_le_bytes(len)).unwrap()
}

/// Whether the report names the file, and the place if one byte was changed.
fn is_named(report: &Report, path: &Path, case: &Case) -> bool {
    let named = named(report);
    let mut of_file = named.iter().filter(|finding| finding.file == path);
    match case {
        // The structure in which it stands begins at most so much before.
        Case::Flip { at, .. } => of_file.any(|finding| {
            let at = *at as u64;
            finding.offset.is_none_or(|offset| offset <= at && at - offset < 4_096)
        }),
        Case::Deleted => {
            // A missing copy is told as such, too.
            of_file.next().is_some() || named.iter().any(|finding| path.starts_with(&finding.file))
        }
        _ => of_file.next().is_some(),
    }
}

#[test]
fn every_changed_byte_and_every_cut_is_named() {
    for algorithm in [HashAlgorithm::Sha256, HashAlgorithm::Blake3] {
        let sample = sample(algorithm);
        let mut all: Vec<(usize, Case)> = Vec::new();
        for (n, (path, bytes)) in sample.files.iter().enumerate() {
            let cases = cases(path, bytes);
            let thin = algorithm == HashAlgorithm::Blake3;
            let kept = |(at, _): &(usize, Case)| !thin || at % 9 == 0;
            all.extend(cases.into_iter().enumerate().filter(kept).map(|(_, case)| (n, case)));
        }
        let (next, silent) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let passed = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
                scope.spawn(|| {
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        let Some((n, case)) = all.get(at) else { return };
                        let (path, bytes) = &sample.files[*n];
                        let after = changed(bytes, case);
                        if exempt(path, bytes, after.as_deref()) {
                            passed.fetch_add(1, Ordering::Relaxed);
                            continue;
                        }
                        let disk = sample.disk.fork(at as u64);
                        match &after {
                            Some(after) => disk.write_file(path, after).unwrap(),
                            None => disk.remove_file(path).unwrap(),
                        }
                        let report = check(&disk);
                        if !is_named(&report, path, case) {
                            let text = format!("{} {case:?}: {:?}", path.display(), named(&report));
                            silent.lock().unwrap().push(text);
                        }
                    }
                });
            }
        });
        let silent = silent.into_inner().unwrap();
        let some: Vec<&String> = silent.iter().take(12).collect();
        assert!(silent.is_empty(), "{some:#?}");
    }
    // Whoever adds to the table looks here: it is short, and every line has a reason.
    assert!(EXEMPT.len() <= 4 && EXEMPT.iter().all(|(_, _, why)| !why.is_empty()));
}

/// Reports with other numbers of threads are the same, finding by finding.
fn same_with_any_threads(disk: &SimDisk, what: &str) -> Report {
    let report = check(disk);
    for threads in [2, 5] {
        let options = VerifyOptions::new().disk(Arc::new(disk.clone())).threads(threads).at_rest();
        let other = verify(&dir(), &options, &mut |_| ()).unwrap();
        assert_eq!(report.findings, other.findings, "{what}, {threads} threads");
        assert_eq!(report.warnings, other.warnings, "{what}, {threads} threads");
        let figures = |r: &Report| (r.head, r.segments, r.records, r.bytes, r.anchors);
        assert_eq!(figures(&report), figures(&other), "{what}, {threads} threads");
    }
    report
}

#[test]
fn the_report_is_the_same_with_any_number_of_threads() {
    // Segments that are large enough for many batches.
    let disk = SimDisk::new(3);
    let options = Shape::PLAIN.options(&disk, &clock()).segment_bytes(1 << 20);
    let log = options.create(dir()).unwrap();
    let signer = support::signer(&disk, HashAlgorithm::Sha256).unwrap();
    for n in 0..120 {
        let batch: Vec<Event> = (0..40).map(|m| support::event(n * 40 + m)).collect();
        log.append_batch(&batch).unwrap();
        if n % 17 == 0 {
            log.checkpoint(&signer).unwrap();
        }
    }
    log.close().unwrap();
    let whole = same_with_any_threads(&disk, "whole");
    assert!(whole.is_clean() && whole.warnings.is_empty() && whole.segments > 2);
    let files = files_below(&disk, &dir());
    let mut random = Random::new(7);
    let mut next = |below: usize| random.index(below);
    for round in 0..80 {
        let damaged = disk.fork(round);
        let mut what = String::new();
        for _ in 0..=next(4) {
            let (path, bytes) = &files[next(files.len())];
            let at = next(bytes.len());
            if next(5) == 0 {
                damaged.write_file(path, &bytes[..at]).unwrap();
            } else if damaged.flip_byte(path, at as u64, 0x40).is_err() {
                continue;
            }
            what += &format!("{} at {at}; ", path.display());
        }
        same_with_any_threads(&damaged, &what);
    }
}

fn write(disk: &SimDisk, name: &str, bytes: &[u8]) {
    disk.write_file(&dir().join(name), bytes).unwrap();
}

fn file<'a>(sample: &'a Sample, name: &str) -> &'a [u8] {
    let found = sample.files.iter().find(|(path, _)| *path == dir().join(name));
    &found.unwrap_or_else(|| panic!("{name}")).1
}

fn names(report: &Report, name: &str) -> bool {
    report.findings.iter().any(|finding| finding.file == dir().join(name))
}

#[test]
fn exchanged_segments_and_older_copies_are_named() {
    let sample = sample(HashAlgorithm::Sha256);
    let segment = |n: u64| format!("segments/{n:08}.seg");
    for (one, two) in [(1, 2), (1, 3), (2, 3), (1, 4), (3, 4)] {
        let disk = sample.disk.fork(1);
        write(&disk, &segment(one), file(&sample, &segment(two)));
        write(&disk, &segment(two), file(&sample, &segment(one)));
        let report = check(&disk);
        for n in [one, two] {
            assert!(names(&report, &segment(n)), "{one} and {two}: {:#?}", report.findings);
        }
    }
    // An older copy of a segment: as it was before its last frames were written.
    for n in 1..=4 {
        let name = segment(n);
        let bytes = file(&sample, &name);
        let frames: Vec<usize> =
            (0..bytes.len() - 4).filter(|at| &bytes[*at..at + 4] == b"BFRM").collect();
        for cut in frames {
            let disk = sample.disk.fork(1);
            let mut older = bytes[..cut].to_vec();
            older.resize(cut + 4_096, 0);
            write(&disk, &name, &older);
            let report = check(&disk);
            assert!(names(&report, &name), "{name} cut at {cut}: {:#?}", report.findings);
        }
    }
}

#[test]
fn a_catalog_segment_gone_from_both_copies_is_named() {
    let sample = sample(HashAlgorithm::Sha256);
    for copies in [["a", "b"].as_slice(), &["a"], &["b"]] {
        let disk = sample.disk.fork(1);
        for copy in copies {
            disk.remove_file(&dir().join(format!("catalog/{copy}/00000001.seg"))).unwrap();
        }
        let report = check(&disk);
        for copy in copies {
            let name = format!("catalog/{copy}/00000001.seg");
            assert!(names(&report, &name), "{:#?}", report.findings);
        }
    }
}

/// Puts all files back to what they were.
fn roll_back(disk: &SimDisk, to: &[(PathBuf, Vec<u8>)]) {
    for (path, _) in files_below(disk, &dir()) {
        if !to.iter().any(|(old, _)| *old == path) {
            disk.remove_file(&path).unwrap();
        }
    }
    to.iter().for_each(|(path, bytes)| disk.write_file(path, bytes).unwrap());
}

#[test]
fn a_directory_rolled_back_is_caught_exactly_when_a_later_checkpoint_was_kept() {
    for algorithm in [HashAlgorithm::Sha256, HashAlgorithm::Blake3] {
        let disk = SimDisk::new(21);
        let options = Shape { algorithm, ..Shape::PLAIN }.options(&disk, &clock());
        let log = options.clone().create(dir()).unwrap();
        let signer = support::signer(&disk, algorithm).unwrap();
        log.append_batch(&[event(0), event(1)]).unwrap();
        let earlier = log.checkpoint(&signer).unwrap().into_unverified();
        log.close().unwrap();
        let old = files_below(&disk, &dir());
        let log = options.open(dir()).unwrap();
        log.append(&event(2)).unwrap();
        let later = log.checkpoint(&signer).unwrap().into_unverified();
        log.close().unwrap();
        assert!(check(&disk).is_clean());
        roll_back(&disk, &old);
        let against = |checkpoint: &bulla::UnverifiedCheckpoint| {
            let options = VerifyOptions::new().disk(Arc::new(disk.clone())).at_rest();
            let options = options.key(signer.verifying_key().clone());
            verify(&dir(), &options.checkpoint(checkpoint.clone()), &mut |_| ()).unwrap()
        };
        assert!(named(&check(&disk)).is_empty());
        assert!(against(&earlier).is_clean());
        let report = against(&later);
        assert_eq!(report.findings.len(), 1, "{:#?}", report.findings);
        assert_eq!(report.findings[0].what, "signed head");
    }
}

#[test]
fn since_a_kept_checkpoint_only_what_came_later_is_read() {
    let disk = SimDisk::new(22);
    let options = Shape::PLAIN.options(&disk, &clock());
    let log = options.create(dir()).unwrap();
    let signer = support::signer(&disk, HashAlgorithm::Sha256).unwrap();
    let mut kept = Vec::new();
    for n in 0..9 {
        log.append_batch(&(n * 20..n * 20 + 20).map(event).collect::<Vec<_>>()).unwrap();
        kept.push(log.checkpoint(&signer).unwrap().into_unverified());
        if n % 2 == 0 {
            log.rotate().unwrap();
        }
    }
    log.close().unwrap();
    let since = |disk: &SimDisk, n: usize| {
        let options = VerifyOptions::new().disk(Arc::new(disk.clone())).at_rest();
        let options = options.key(signer.verifying_key().clone()).since(kept[n].clone());
        verify(&dir(), &options, &mut |_| ()).unwrap()
    };
    let full = check(&disk);
    assert!(full.is_clean() && full.not_read.is_none());
    for (n, checkpoint) in kept.iter().enumerate() {
        let report = since(&disk, n);
        assert!(named(&report).is_empty(), "{n}: {:#?}", named(&report));
        assert_eq!(report.head, full.head);
        let not_read =
            report.not_read.map_or((0, 0), |not_read| (not_read.segments, not_read.records));
        assert_eq!(not_read.0 + report.segments, full.segments, "{n}");
        assert_eq!(not_read.1 + report.records, full.records, "{n}");
        let covered = checkpoint.dangerously_unverified().head().size.get();
        assert!(not_read.1 <= covered && covered - not_read.1 <= 42, "{n}: {not_read:?}");
    }
    // Rot below is not looked at, above it is.
    let old = disk.fork(1);
    old.flip_byte(&dir().join("segments/00000001.seg"), 700, 1).unwrap();
    assert!(!check(&old).is_clean());
    assert!(since(&old, 4).is_clean());
    let new = disk.fork(2);
    new.flip_byte(&dir().join("segments/00000005.seg"), 700, 1).unwrap();
    assert!(!since(&new, 4).is_clean());
    // The stored hashes below are what ties the two together.
    for at in (64..64 + 32 * 20).step_by(7) {
        let tampered = disk.fork(at);
        tampered.flip_byte(&dir().join("tree/level-04.hashes"), at % (32 * 5) + 64, 1).unwrap();
        assert!(!since(&tampered, 4).is_clean(), "{at}");
    }
}
