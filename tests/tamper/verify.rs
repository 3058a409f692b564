//! Deep verification: beside a writer it finds nothing, and what was forged it names.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use bulla::checkpoint::{Checkpoint, SigningKey};
use bulla::disk::{Open, RealDisk, replace_file};
use bulla::internals::format::footer::{self, SegmentFooter};
use bulla::internals::format::record::{HEAD_LEN, Head, PREFIX_LEN};
use bulla::internals::segment::bytes::SegmentFile;
use bulla::internals::segment::scan::{self, Position};
use bulla::merkle::TreeHead;
use bulla::{
    Actor, Event, HashAlgorithm, Log, Report, Resource, Signer, Target, Timestamp,
    UnverifiedCheckpoint, VerifyOptions, verify,
};

const ORIGIN: &str = "example.com/audit";

fn event(n: u64) -> Event {
    Event::new(Actor::new("user", "u"), "number.count", Resource::new("number", n.to_string()))
}

struct Place {
    _dir: tempfile::TempDir,
    log: PathBuf,
    key: PathBuf,
}

fn place() -> Place {
    let dir = tempfile::tempdir().unwrap();
    let (log, key) = (dir.path().join("audit"), dir.path().join("key"));
    Place { _dir: dir, log, key }
}

/// Three segments of which two are sealed, and two signed heads.
fn closed_log() -> (Place, Signer) {
    let place = place();
    let log = Log::options().origin(ORIGIN).create(&place.log).unwrap();
    let signer = Signer::generate(&place.key, ORIGIN, HashAlgorithm::Sha256).unwrap();
    for n in 0..40 {
        log.append(&event(n)).unwrap();
    }
    log.checkpoint(&signer).unwrap();
    log.rotate().unwrap();
    log.append_batch(&(40..70).map(event).collect::<Vec<_>>()).unwrap();
    log.rotate().unwrap();
    log.append(&event(70)).unwrap();
    log.checkpoint(&signer).unwrap();
    log.close().unwrap();
    let report = check(&place.log, &VerifyOptions::new());
    assert!(report.is_clean(), "{:#?}", report.findings);
    (place, signer)
}

fn check(log: &Path, options: &VerifyOptions) -> Report {
    verify(log, options, &mut |_| ()).unwrap()
}

fn found(report: &Report, what: &str) -> bool {
    report.findings.iter().any(|finding| finding.what.contains(what))
}

fn segment(place: &Place, ordinal: u64) -> PathBuf {
    bulla::internals::segment::path(&place.log.join("segments"), ordinal)
}

fn published(place: &Place) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(place.log.join("checkpoints")).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn nothing_is_found_beside_a_writer_that_seals_and_signs() {
    let place = place();
    let log = Log::options().segment_bytes(64 << 10).origin(ORIGIN).create(&place.log).unwrap();
    let signer = Signer::generate(&place.key, ORIGIN, HashAlgorithm::Sha256).unwrap();
    let (stop, signed) = (AtomicBool::new(false), AtomicBool::new(false));
    let verified = AtomicU64::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 0;
            while !stop.load(Ordering::SeqCst) {
                let batch: Vec<Event> = (n..n + 20).map(event).collect();
                log.append_batch(&batch).unwrap();
                n += 20;
                if n % 200 == 0 {
                    log.checkpoint(&signer).unwrap();
                    signed.store(true, Ordering::SeqCst);
                }
                // The log grows with the verifications, not with how long they take.
                while n > 2_000 + 100 * verified.load(Ordering::SeqCst)
                    && !stop.load(Ordering::SeqCst)
                {
                    thread::yield_now();
                }
            }
        });
        let reports: Vec<Report> = (0..40)
            .map(|_| {
                let report = check(&place.log, &VerifyOptions::new());
                verified.fetch_add(1, Ordering::SeqCst);
                report
            })
            .collect();
        while !signed.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        stop.store(true, Ordering::SeqCst);
        for report in reports {
            assert!(report.is_clean(), "{:#?}", report.findings);
        }
    });
    log.close().unwrap();
    let report = check(&place.log, &VerifyOptions::new());
    assert!(report.is_clean() && report.checkpoints > 0, "{:#?}", report.findings);
}

#[test]
fn a_record_altered_with_its_crc_is_named_and_not_every_hash_above_it() {
    let (place, _) = closed_log();
    let path = segment(&place, 1);
    let segment = SegmentFile::open(&RealDisk, &path, Open::Read).unwrap().unwrap();
    let start = Position { offset: segment.header.first_frame(), size: segment.header.first };
    let mut third = None;
    let len = segment.file_len().unwrap();
    let footer = footer_of(&path);
    assert!(footer.frames_end < len);
    scan::walk(&segment, start, footer.frames_end, |_, offset, record| {
        if record.head.seq.get() == 3 {
            third = Some((offset, record.head));
        }
    })
    .unwrap();
    let (offset, head) = third.unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let at = usize::try_from(offset).unwrap();
    reseal(&mut bytes[at..], &segment, head);
    replace_file(&RealDisk, &path, &bytes).unwrap();
    let report = check(&place.log, &VerifyOptions::new());
    let first = &report.findings[0];
    assert_eq!(first.what, "record altered since it was hashed");
    assert_eq!((&first.file, first.segment, first.offset), (&path, Some(1), Some(offset)));
    assert_eq!(first.seq.map(|seq| seq.get()), Some(3));
    assert!(!found(&report, "hash "), "{:#?}", report.findings);
    assert!(found(&report, "root over 41 records"), "{:#?}", report.findings);
}

/// Changes a byte of the action and computes the record's CRC again.
fn reseal(bytes: &mut [u8], segment: &SegmentFile, head: Head) {
    edit_record(bytes, segment, head, |bodies| {
        let at = bodies.windows(12).position(|w| w == b"number.count").unwrap();
        bodies[at] = b'N';
    });
}

/// Changes the bodies of the record at the start of `bytes` and computes its CRC again.
fn edit_record(bytes: &mut [u8], segment: &SegmentFile, head: Head, edit: impl FnOnce(&mut [u8])) {
    let len = bulla::internals::format::record::stored_len(bytes).unwrap();
    edit(&mut bytes[PREFIX_LEN..len]);
    let envelope_end = PREFIX_LEN + usize::from(head.envelope_len);
    let salted = &bytes[envelope_end..len];
    let crc = bulla::internals::format::record::body_crc(&bytes[PREFIX_LEN..len]);
    let digests = bulla::internals::format::record::Digests::of_plain(salted);
    let salted_len = u32::try_from(salted.len()).unwrap();
    let (slot, bodies) = bytes.split_at_mut(PREFIX_LEN);
    let envelope = &bodies[..usize::from(head.envelope_len)];
    let sealed = (crc, salted_len, &digests);
    bulla::internals::format::record::seal(&segment.context(), &head, sealed, slot, envelope);
    assert_eq!(HEAD_LEN, head.encode(&segment.header.log_id).len());
}

/// Offsets and heads of all records of a segment.
fn records_of(path: &Path) -> (SegmentFile, Vec<(usize, Head)>) {
    let segment = SegmentFile::open(&RealDisk, path, Open::Read).unwrap().unwrap();
    let start = Position { offset: segment.header.first_frame(), size: segment.header.first };
    let mut records = Vec::new();
    bulla::internals::segment::recover::last(&segment, start, |_, offset, record| {
        records.push((usize::try_from(offset).unwrap(), record.head));
    })
    .unwrap_or_else(|error| panic!("{error}"));
    (segment, records)
}

#[test]
fn two_records_exchanged_are_named_with_and_without_their_crcs() {
    for mend in [false, true] {
        let (place, _) = closed_log();
        let path = segment(&place, 1);
        let (opened, records) = records_of(&path);
        let mut bytes = std::fs::read(&path).unwrap();
        let [(one, first), (two, second)] = [records[3], records[5]];
        let len = bulla::internals::format::record::stored_len(&bytes[one..]).unwrap();
        assert_eq!(len, bulla::internals::format::record::stored_len(&bytes[two..]).unwrap());
        let (a, b) = (bytes[one..one + len].to_vec(), bytes[two..two + len].to_vec());
        bytes[one..one + len].copy_from_slice(&b);
        bytes[two..two + len].copy_from_slice(&a);
        if mend {
            edit_record(&mut bytes[one..], &opened, first, |_| ());
            edit_record(&mut bytes[two..], &opened, second, |_| ());
        }
        replace_file(&RealDisk, &path, &bytes).unwrap();
        let report = check(&place.log, &VerifyOptions::new());
        for seq in [3, 5] {
            let named = |finding: &&bulla::Finding| {
                finding.file == path && finding.seq.is_some_and(|found| found.get() == seq)
            };
            let found = report.findings.iter().find(named).expect("named");
            assert_eq!(found.what.contains("altered"), mend, "{found}");
        }
    }
}

#[test]
fn a_record_altered_with_its_crc_and_the_hash_files_is_caught_by_the_signed_head() {
    let (place, _) = closed_log();
    let path = segment(&place, 1);
    let (opened, records) = records_of(&path);
    let mut bytes = std::fs::read(&path).unwrap();
    let (at, head) = records[7];
    reseal(&mut bytes[at..], &opened, head);
    replace_file(&RealDisk, &path, &bytes).unwrap();
    // All hashes anew, over the altered record.
    let mut tree = bulla::merkle::Frontier::new(HashAlgorithm::Sha256);
    let mut levels = [Vec::new(), Vec::new()];
    for ordinal in 1..=3 {
        let opened = SegmentFile::open(&RealDisk, &segment(&place, ordinal), Open::Read);
        let opened = opened.unwrap().unwrap();
        let start = Position { offset: opened.header.first_frame(), size: opened.header.first };
        let mut leaves = Vec::new();
        let _ = bulla::internals::segment::recover::last(&opened, start, |_, _, record| {
            leaves.push(record.leaf(HashAlgorithm::Sha256));
        });
        for leaf in leaves {
            tree.push(leaf, |node, hash| match node.level {
                0 => levels[0].extend_from_slice(hash.as_bytes()),
                4 => levels[1].extend_from_slice(hash.as_bytes()),
                _ => {}
            });
        }
    }
    for (name, hashes) in ["level-00", "level-04"].iter().zip(&levels) {
        let path = place.log.join(format!("tree/{name}.hashes"));
        let mut bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes.len(), 64 + hashes.len());
        bytes[64..].copy_from_slice(hashes);
        replace_file(&RealDisk, &path, &bytes).unwrap();
    }
    let report = check(&place.log, &VerifyOptions::new());
    let signed = |finding: &bulla::Finding| {
        finding.what.starts_with("root over")
            && finding.file.starts_with(place.log.join("checkpoints"))
    };
    assert!(report.findings.iter().any(signed), "{:#?}", report.findings);
    assert!(!found(&report, "hash 0/"), "{:#?}", report.findings);
}

#[test]
fn both_copies_of_the_catalog_altered_alike_are_caught_by_the_anchor() {
    let (place, _) = closed_log();
    for copy in ["a", "b"] {
        let path = place.log.join(format!("catalog/{copy}/00000001.seg"));
        let (opened, records) = records_of(&path);
        let mut bytes = std::fs::read(&path).unwrap();
        let (at, head) = records[0];
        // A bit of the salt: neither state nor chain change.
        let salt = usize::from(head.envelope_len);
        edit_record(&mut bytes[at..], &opened, head, |bodies| bodies[salt] ^= 1);
        replace_file(&RealDisk, &path, &bytes).unwrap();
    }
    let report = check(&place.log, &VerifyOptions::new());
    assert!(found(&report, "anchored catalog"), "{:#?}", report.findings);
}

fn footer_of(path: &Path) -> SegmentFooter {
    let bytes = std::fs::read(path).unwrap();
    let footer = bytes.last_chunk::<{ footer::LEN }>().unwrap();
    SegmentFooter::decode(footer, bytes.len() as u64).unwrap()
}

#[test]
fn a_damaged_hash_file_is_not_blamed_on_the_records() {
    let (place, _) = closed_log();
    let path = place.log.join("tree/level-00.hashes");
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.len() - 32 * 60;
    bytes[at] ^= 1;
    replace_file(&RealDisk, &path, &bytes).unwrap();
    let report = check(&place.log, &VerifyOptions::new());
    assert_eq!(report.findings.len(), 1, "{:#?}", report.findings);
    assert_eq!(report.findings[0].file, path);
}

#[test]
fn forged_times_in_a_footer_are_found() {
    let (place, _) = closed_log();
    let path = segment(&place, 2);
    let mut footer = footer_of(&path);
    footer.times.occurred.1 = Timestamp::from_nanos(5);
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.len() - footer::LEN;
    bytes[at..].copy_from_slice(&footer.encode());
    replace_file(&RealDisk, &path, &bytes).unwrap();
    let report = check(&place.log, &VerifyOptions::new());
    assert!(found(&report, "times in the footer"), "{:#?}", report.findings);
}

#[test]
fn a_snapshot_is_not_believed() {
    let (place, _) = closed_log();
    let first = check(&place.log, &VerifyOptions::new());
    let path = place.log.join("catalog/snapshot");
    let identity = SegmentFile::open(&RealDisk, &segment(&place, 1), Open::Read).unwrap().unwrap();
    let catalog = place.log.join("catalog/a/00000001.seg");
    let catalog = SegmentFile::open(&RealDisk, &catalog, Open::Read).unwrap().unwrap();
    // With a right CRC, and a state without any segment: forged segments would pass.
    let hostile = bulla::internals::format::catalog_body::Snapshot {
        size: 0,
        peaks: Vec::new(),
        ordinal: 1,
        nonce: catalog.header.nonce,
        offset: catalog.file_len().unwrap() / 2,
        state: Vec::new(),
        signed: (7, [9; 32]),
    };
    let bytes = hostile.encode(identity.header.log_id).unwrap();
    replace_file(&RealDisk, &path, &bytes).unwrap();
    let report = check(&place.log, &VerifyOptions::new());
    let named: Vec<&str> = report.findings.iter().map(|finding| finding.what.as_str()).collect();
    assert_eq!(named, ["snapshot: size"], "{:#?}", report.findings);
    assert_eq!(report.anchors, first.anchors);
    // One that is ahead of the records was copied after them: that is no more than a warning.
    let ahead = bulla::internals::format::catalog_body::Snapshot { size: 1_000, ..hostile };
    replace_file(&RealDisk, &path, &ahead.encode(identity.header.log_id).unwrap()).unwrap();
    let report = check(&place.log, &VerifyOptions::new());
    assert!(report.is_clean(), "{:#?}", report.findings);
    assert_eq!(report.warnings.len(), 1, "{:#?}", report.warnings);
}

#[test]
fn a_checkpoint_of_another_log_a_wrong_name_and_a_missing_file_are_found() {
    let (place, signer) = closed_log();
    let files = published(&place);
    let text = std::fs::read(&files[0]).unwrap();
    let head = UnverifiedCheckpoint::parse(&text).unwrap().dangerously_unverified().head();
    let key = SigningKey::generate("example.com/other", signer.verifying_key().kind()).unwrap();
    let other = Checkpoint::new("example.com/other", head).unwrap().sign(&key).unwrap();
    let options = VerifyOptions::new().checkpoint(other.into_unverified());
    let report = check(&place.log, &options);
    assert!(found(&report, "origin of the checkpoint"), "{:#?}", report.findings);
    assert_eq!((report.given, report.checkpoints), (1, 3));

    let renamed = place.log.join("checkpoints/0000000000000039.checkpoint");
    std::fs::rename(&files[0], renamed).unwrap();
    let report = check(&place.log, &VerifyOptions::new());
    assert!(report.findings.iter().any(|finding| finding.expected.contains("as its name says")));
}

#[test]
fn an_empty_log_meets_the_checkpoint_of_size_0() {
    let place = place();
    let log = Log::options().origin(ORIGIN).create(&place.log).unwrap();
    let signer = Signer::generate(&place.key, ORIGIN, HashAlgorithm::Sha256).unwrap();
    log.close().unwrap();
    let key = SigningKey::generate(ORIGIN, signer.verifying_key().kind()).unwrap();
    let empty = TreeHead::empty(HashAlgorithm::Sha256);
    let signed = Checkpoint::new(ORIGIN, empty).unwrap().sign(&key).unwrap();
    let options = VerifyOptions::new().checkpoint(signed.into_unverified());
    let report = check(&place.log, &options);
    assert!(report.is_clean(), "{:#?}", report.findings);
}

#[test]
fn a_log_that_does_not_begin_with_segment_1_is_not_clean() {
    let (place, _) = closed_log();
    std::fs::remove_file(segment(&place, 1)).unwrap();
    let report = check(&place.log, &VerifyOptions::new());
    assert!(found(&report, "segment"), "{:#?}", report.findings);
    // Nor one whose newest segment was given another number.
    let (place, _) = closed_log();
    std::fs::rename(segment(&place, 3), segment(&place, 4)).unwrap();
    let report = check(&place.log, &VerifyOptions::new());
    let named = |finding: &&bulla::Finding| finding.found == "segment 4 as the next one";
    assert!(report.findings.iter().find(named).is_some(), "{:#?}", report.findings);
}

#[test]
fn after_a_change_of_keys_each_signature_is_checked_by_the_key_of_its_time() {
    let (place, signer) = closed_log();
    let newer = Signer::generate(&place.key.with_extension("2"), ORIGIN, HashAlgorithm::Sha256);
    let newer = newer.unwrap();
    let log = Log::open(&place.log).unwrap();
    log.append(&event(99)).unwrap();
    log.keys().rotate(&signer, &newer).unwrap();
    log.append(&event(100)).unwrap();
    log.checkpoint(&newer).unwrap();
    log.close().unwrap();
    // The later key says nothing of the earlier heads; the earlier one leads to the later.
    let options = VerifyOptions::new().key(newer.verifying_key().clone());
    let report = check(&place.log, &options);
    assert!(report.is_clean(), "{:#?}", report.findings);
    assert_eq!((report.checkpoints, report.signatures), (4, 1));
    let both = VerifyOptions::new().key(signer.verifying_key().clone());
    let report = check(&place.log, &both);
    assert!(report.is_clean(), "{:#?}", report.findings);
    assert_eq!((report.checkpoints, report.signatures), (4, 4));
    // A wrong signature by a given key, and one by a key that the log does not know.
    let file = &published(&place)[0];
    let head = UnverifiedCheckpoint::parse(&std::fs::read(file).unwrap()).unwrap();
    let head = head.dangerously_unverified().head();
    let stranger = SigningKey::generate(ORIGIN, signer.verifying_key().kind()).unwrap();
    let forged = Checkpoint::new(ORIGIN, head).unwrap().sign(&stranger).unwrap();
    std::fs::write(file, forged.to_text()).unwrap();
    let report = check(&place.log, &both);
    // By its signature, and because the catalog recorded another note.
    assert_eq!(report.findings.len(), 2, "{:#?}", report.findings);
    assert!(report.findings.iter().all(|finding| finding.file == *file));
    assert!(report.findings.iter().any(|finding| finding.found.starts_with("only those by")));
}

#[test]
fn a_log_that_others_signed_is_not_clean_for_who_gives_a_key() {
    let (place, signer) = closed_log();
    let stranger = SigningKey::generate(ORIGIN, signer.verifying_key().kind()).unwrap();
    let options = VerifyOptions::new().key(stranger.verifying_key().clone());
    let report = check(&place.log, &options);
    assert_eq!(report.findings.len(), 1, "{:#?}", report.findings);
    assert!(report.findings[0].found.contains("another key only"));
    // Nor is one that nobody signed.
    let dir = tempfile::tempdir().unwrap();
    let log = Log::options().origin(ORIGIN).create(dir.path().join("log")).unwrap();
    log.append(&event(1)).unwrap();
    log.close().unwrap();
    let report = check(&dir.path().join("log"), &options);
    assert_eq!(report.findings.len(), 1, "{:#?}", report.findings);
    assert_eq!(report.findings[0].found, "no published checkpoint");
    let report = check(&dir.path().join("log"), &VerifyOptions::new());
    assert!(report.is_clean(), "{:#?}", report.findings);
}

/// Seconds since 2026, in one segment; the fifth and the eighth record go back.
fn going_back() -> Vec<Timestamp> {
    let seconds = [1, 2, 1_000, 2_000, 10, 3_000, 3_000, 2_999, 4_000];
    seconds
        .map(|second| Timestamp::from_nanos(1_767_225_600_000_000_000 + second * 1_000_000_000))
        .into()
}

fn names_what_goes_back(report: &Report) {
    let found: Vec<_> =
        report.findings.iter().filter(|found| found.what == "recorded_at").collect();
    let places: Vec<_> = found.iter().map(|f| (f.segment, f.seq.map(|seq| seq.get()))).collect();
    assert_eq!(places, [(Some(1), Some(4)), (Some(1), Some(7))], "{:#?}", report.findings);
    assert!(found.iter().all(|found| found.offset.is_some()));
    assert!(found[0].expected.contains("00:33:20") && found[0].found.contains("00:00:10"));
}

#[test]
fn a_record_that_was_recorded_before_the_one_in_front_of_it_is_named() {
    let (times, place) = (going_back(), place());
    crate::support::backwards::sealed(
        crate::support::backwards::options(times[0]),
        &place.log,
        &times,
        event,
    );
    let report = check(&place.log, &VerifyOptions::new().at_rest());
    names_what_goes_back(&report);
    // Nothing else is wrong with it.
    assert_eq!(report.findings.len(), 2, "{:#?}", report.findings);
    names_what_goes_back(&check(&place.log, &VerifyOptions::new().threads(3)));
}

/// Who writes the files himself can seal a segment with an index that hides what was done to a
/// resource: an answer is complete relative to the index roots, and verification compares those with
/// the records.
#[test]
fn an_index_that_lacks_a_target_or_on_whose_behalf_is_named() {
    use bulla::query::{Subject, SubjectTargets};
    let times: Vec<Timestamp> = (1..6).map(Timestamp::from_nanos).collect();
    let rich = |n: u64| {
        let event = event(n).target(Target::new("user", "carol"));
        event.on_behalf_of(Actor::new("user", "dave"))
    };
    let honest: for<'a> fn(Subject<'a>) -> Subject<'a> = |subject| subject;
    let no_targets: for<'a> fn(Subject<'a>) -> Subject<'a> =
        |subject| Subject { targets: SubjectTargets::NONE, ..subject };
    let no_behalf: for<'a> fn(Subject<'a>) -> Subject<'a> =
        |subject| Subject { on_behalf_of: None, ..subject };
    for (seen, is_honest) in [(honest, true), (no_targets, false), (no_behalf, false)] {
        let place = place();
        let options = crate::support::backwards::options(times[0]);
        crate::support::backwards::sealed_as(options, &place.log, &times, rich, seen);
        let report = check(&place.log, &VerifyOptions::new().at_rest());
        let named = report.findings.iter().any(|found| found.what.contains("index"));
        assert_eq!(named, !is_honest, "{:#?}", report.findings);
    }
}

#[test]
fn a_segment_with_a_record_that_goes_back_is_never_sealed() {
    let (times, place) = (going_back(), place());
    crate::support::backwards::unsealed(
        crate::support::backwards::options(times[0]),
        &place.log,
        &times,
        event,
    );
    names_what_goes_back(&check(&place.log, &VerifyOptions::new().at_rest()));
    for _ in 0..2 {
        let refused =
            crate::support::backwards::options(times[8]).open(&place.log).unwrap_err().to_string();
        for told in ["recorded_at of record 4", "not sealed", "read-only", "backup"] {
            assert!(refused.contains(told), "{refused}");
        }
    }
    assert_eq!(
        bulla::internals::segment::seal::read_footer(
            &SegmentFile::open(&RealDisk, &segment(&place, 1), Open::Read).unwrap().unwrap(),
            std::fs::metadata(segment(&place, 1)).unwrap().len(),
        )
        .unwrap(),
        None
    );
    // It can still be read.
    let reader = crate::support::backwards::options(times[8]).open_read_only(&place.log).unwrap();
    assert_eq!(reader.snapshot().count(&bulla::Query::new()).unwrap(), 9);
}

#[test]
fn a_healthy_log_in_its_first_second_verifies_without_warnings() {
    let place = place();
    let options = || Log::options().housekeeping(bulla::Housekeeping::Inline);
    let log = options().create(&place.log).unwrap();
    let quiet = |when: &str| {
        let report = check(&place.log, &VerifyOptions::new());
        assert!(report.is_clean() && report.warnings.is_empty(), "{when}: {report:#?}");
    };
    quiet("empty");
    log.append(&event(0)).unwrap();
    quiet("with a record, and no mark yet");
    // As a file system shows it that was told of its size before its bytes.
    std::fs::write(place.log.join("tree/mark"), vec![0; 8192]).unwrap();
    quiet("with a mark file of zeros");
    log.rotate().unwrap();
    quiet("sealed");
    log.close().unwrap();
    quiet("closed");
    // Where hashes were written there was a mark.
    std::fs::write(place.log.join("tree/mark"), vec![0; 8192]).unwrap();
    assert!(!check(&place.log, &VerifyOptions::new()).warnings.is_empty());
}
