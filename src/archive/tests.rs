//! Manifests: what is read is written again, and nothing else is read.

use proptest::prelude::*;

use super::*;
use std::path::PathBuf;

use crate::format::LogId;
use crate::hash::Hash;
use crate::hash::HashAlgorithm;
use crate::merkle::{Frontier, TreeHead};
use crate::seq::TreeSize;
use crate::time::Timestamp;

fn hash(byte: u8) -> Hash {
    Hash::from_bytes([byte; 32])
}

fn manifest(first: u64, algorithm: HashAlgorithm, signed: bool) -> Manifest {
    let peaks: Vec<Hash> = (0..first.count_ones()).map(|_| hash(7)).collect();
    let time = |nanos| Timestamp::from_nanos(nanos);
    let facts = SegmentFacts {
        log_id: LogId([0xab; 16]),
        ordinal: 3,
        count: 5,
        bytes: 4096,
        recorded: (time(i64::MIN), time(i64::MAX)),
        occurred: (time(-1), time(1_767_225_600_000_000_001)),
        keep_until: time(0),
        header: hash(1),
        index_root: hash(2),
        start: Frontier::from_parts(algorithm, TreeSize::new(first), &peaks).unwrap(),
        end_root: hash(3),
    };
    let size = TreeSize::new(first + 9);
    let under = ArchivedCheckpoint {
        head: TreeHead { size, root: hash(4) },
        consistency: vec![hash(5), hash(6)],
    };
    let named = |name: &str, bytes| ArchivedFile { name: name.to_owned(), bytes, blake3: hash(8) };
    let mut files = vec![named(file::SEGMENT, 4096), named(file::INDEX, 1)];
    files.extend(signed.then(|| named(file::CHECKPOINT, 200)));
    Manifest {
        origin: "example.com/\"a\u{e9}\n".to_owned(),
        facts,
        checkpoint: signed.then_some(under),
        archived_at: time(1_767_225_600_123_456_789),
        files,
    }
}

#[test]
fn a_manifest_round_trips() {
    for algorithm in [HashAlgorithm::Sha256, HashAlgorithm::Blake3] {
        for (first, signed) in [(0, false), (0, true), (11, true)] {
            let manifest = manifest(first, algorithm, signed);
            let bytes = manifest.to_bytes().unwrap();
            assert_eq!(Manifest::parse(&bytes), Ok(manifest));
        }
    }
}

#[test]
fn every_changed_bit_and_every_cut_of_a_manifest_is_refused() {
    let good = manifest(11, HashAlgorithm::Sha256, true).to_bytes().unwrap();
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(Manifest::parse(&bad).is_err(), "bit {bit}");
    }
    for cut in 0..good.len() {
        assert!(Manifest::parse(&good[..cut]).is_err(), "cut {cut}");
    }
    assert!(Manifest::parse(&[good.as_slice(), b" "].concat()).is_err());
}

#[test]
fn a_newer_manifest_is_told_from_damage() {
    let newer = br#"{"format": "bulla-archive", "version": 2, "anything": [1]}"#;
    let error = Manifest::parse(newer).unwrap_err();
    let newer = "archive manifest version 2, newest known here is 1: upgrade bulla";
    assert_eq!(error.to_string(), newer);
}

#[test]
fn what_contradicts_itself_is_refused() {
    type Change = fn(&mut Manifest);
    let changes: &[(&str, Change)] = &[
        ("ordinal", |m| m.facts.ordinal = 0),
        ("count", |m| m.facts.count = 0),
        ("size of the segment", |m| m.facts.bytes += 1),
        ("head below the end", |m| m.checkpoint.as_mut().unwrap().head.size = TreeSize::new(15)),
        ("checkpoint without file", |m| m.files.truncate(2)),
        ("file without checkpoint", |m| m.checkpoint = None),
        ("no segment", |m| drop(m.files.remove(0))),
        ("order", |m| m.files.swap(0, 1)),
        ("twice", |m| m.files.insert(1, m.files[1].clone())),
        ("unknown file", |m| m.files[1].name = "../x".to_owned()),
    ];
    for (what, change) in changes {
        let mut bad = manifest(11, HashAlgorithm::Sha256, true);
        change(&mut bad);
        assert!(Manifest::parse(&bad.to_bytes().unwrap()).is_err(), "{what}");
    }
}

#[test]
fn names_of_folders_are_keys() {
    let id = LogId([0x0f; 16]);
    assert_eq!(folder_of("example.com/audit", id, 12), "example.com_audit-0f0f0f0f/00000012");
    assert_eq!(folder_of("..", id, 1), "_.-0f0f0f0f/00000001");
    let long = "\u{e9} ".repeat(400);
    for origin in ["", ".", "a b", "x.tmp", &long] {
        check_key(&format!("{}/segment.seg", folder_of(origin, id, u64::MAX))).unwrap();
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_manifest_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(Manifest::parse(&bytes).is_err());
    }

    #[test]
    fn a_source_is_read_once_and_whole_however_it_is_asked(
        len in 0_usize..5000,
        step in 1_usize..700,
        asked in prop::collection::vec((0_u64..900, 0_usize..900), 0..12),
    ) {
        let bytes: Vec<u8> = (0..251).cycle().take(len).collect();
        let next = std::cell::Cell::new(0);
        let source = |buf: &mut [u8], offset: u64| {
            let from = usize::try_from(offset).unwrap();
            assert_eq!(from, next.get(), "in order, each byte once");
            let read = buf.len().min(step).min(len - from);
            buf[..read].copy_from_slice(&bytes[from..from + read]);
            next.set(from + read);
            Ok(read)
        };
        let mut reading = reading::Reading::new(&source, PathBuf::from("x"));
        let mut at = 0;
        for (skip, wanted) in asked {
            at += skip;
            let from = usize::try_from(at).unwrap().min(len);
            let expected = &bytes[from..(from + wanted).min(len)];
            prop_assert_eq!(reading.bytes(at, wanted).unwrap(), expected);
        }
        let digest = crate::hash::tagged(crate::hash::tag::ARCHIVE_FILE, &[&bytes]);
        prop_assert_eq!(reading.finish().unwrap(), (digest, len as u64));
    }
}
