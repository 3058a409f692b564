//! R-SEG: segment headers, and how segments follow on one another.

use crate::cases::{As, By, Case, case, run};
use crate::forge::Forge;
use crate::forge::files::Files;

use As::{Catalog, Corrupt, Finding, Tampered, Unsupported};
use By::{Open, Read, Verify};

/// Sets a field of the header of the second segment of the main log.
macro_rules! main {
    ($field:literal, $value:expr) => {
        |mut forge| {
            forge.main[1].set($field, $value);
            forge.write()
        }
    };
}

/// Sets a field of the header of the catalog's segment, in both copies.
macro_rules! catalog {
    ($field:literal, $value:expr) => {
        |mut forge| {
            forge.catalog[0].set($field, $value);
            forge.write()
        }
    };
}

/// A segment of version 3 and one of version 2 behind it, without records that need version 3.
fn fall_to_version_2(mut forge: Forge) -> Files {
    let at = forge.catalog_records().position(|record| record.kind() == 41).unwrap();
    forge.remove_catalog(at);
    forge.catalog[0].set("format_version", 3_u64);
    forge.catalog[1].set("format_version", 2_u64);
    forge.write()
}

pub(crate) const CASES: &[Case] = &[
    case!(
        "R-SEG-17",
        "version 2 behind version 3 in the catalog",
        Encrypted,
        fall_to_version_2,
        [
            (Open, Tampered, "version of catalog segment 2"),
            (Verify, Finding, "version of catalog segment 2"),
            (Read, Tampered, "version of catalog segment 2")
        ]
    ),
    case!(
        "R-SEG-1",
        "another magic",
        Plain,
        main!("magic", *b"BULLASEX"),
        [
            (Open, Corrupt, "segment header magic"),
            (Verify, Finding, "segment header magic"),
            (Read, Corrupt, "segment header magic")
        ]
    ),
    case!(
        "R-SEG-1",
        "another magic in the catalog",
        Plain,
        catalog!("magic", *b"BULLASEX"),
        [
            (Open, Catalog, "segment header magic"),
            (Verify, Finding, "segment header magic"),
            (Read, Catalog, "segment header magic")
        ]
    ),
    case!(
        "R-SEG-2",
        "another crc",
        Plain,
        main!("crc", 7_u64),
        [
            (Open, Corrupt, "segment header crc"),
            (Verify, Finding, "segment header crc"),
            (Read, Corrupt, "segment header crc")
        ]
    ),
    case!(
        "R-SEG-3",
        "version 0",
        Plain,
        main!("format_version", 0_u64),
        [
            (Open, Corrupt, "segment header format version"),
            (Verify, Finding, "segment header format version"),
            (Read, Corrupt, "segment header format version")
        ]
    ),
    case!(
        "R-SEG-4",
        "version 3",
        Plain,
        main!("format_version", 3_u64),
        [
            (Open, Unsupported, "segment header version 3, newest known here is 1"),
            (Verify, Finding, "segment header version 3, newest known here is 1"),
            (Read, Unsupported, "segment header version 3, newest known here is 1")
        ]
    ),
    case!(
        "R-SEG-4",
        "version 2 in the main log",
        Plain,
        main!("format_version", 2_u64),
        [
            (Open, Unsupported, "segment header version 2, newest known here is 1"),
            (Verify, Finding, "segment header version 2, newest known here is 1"),
            (Read, Unsupported, "segment header version 2, newest known here is 1")
        ]
    ),
    case!(
        "R-SEG-4",
        "version 4 in the catalog",
        Plain,
        catalog!("format_version", 4_u64),
        [
            (Open, Unsupported, "segment header version 4, newest known here is 3"),
            (Verify, Unsupported, "segment header version 4, newest known here is 3"),
            (Read, Unsupported, "segment header version 4, newest known here is 3")
        ]
    ),
    case!(
        "R-SEG-5",
        "stream 3",
        Plain,
        main!("stream", 3_u64),
        [
            (Open, Corrupt, "segment header: stream"),
            (Verify, Finding, "segment header: stream"),
            (Read, Corrupt, "segment header: stream")
        ]
    ),
    case!(
        "R-SEG-5",
        "the catalog's stream in the main log",
        Plain,
        main!("stream", 2_u64),
        [
            (Open, Corrupt, "segment header: last_anchor"),
            (Verify, Finding, "segment header: last_anchor"),
            (Read, Corrupt, "segment header: last_anchor")
        ]
    ),
    case!(
        "R-SEG-5",
        "the main log's stream in the catalog",
        Plain,
        catalog!("stream", 1_u64),
        [
            (Open, Unsupported, "segment header version 2, newest known here is 1"),
            (Verify, Unsupported, "segment header version 2, newest known here is 1"),
            (Read, Unsupported, "segment header version 2, newest known here is 1")
        ]
    ),
    case!(
        "R-SEG-6",
        "hash 3",
        Plain,
        main!("hash_algorithm", 3_u64),
        [
            (Open, Corrupt, "segment header hash algorithm"),
            (Verify, Finding, "segment header hash algorithm"),
            (Read, Corrupt, "segment header hash algorithm")
        ]
    ),
    case!(
        "R-SEG-6",
        "another hash than the log's",
        Plain,
        main!("hash_algorithm", 2_u64),
        [
            (Open, Corrupt, "a segment of a tree with sha"),
            (Verify, Finding, "blake"),
            (Read, Corrupt, "a segment of a tree with sha")
        ]
    ),
    case!(
        "R-SEG-6",
        "BLAKE3 in the catalog",
        Plain,
        catalog!("hash_algorithm", 2_u64),
        [
            (Open, Catalog, "segment header: hash_algorithm sha"),
            (Verify, Finding, "segment header: hash_algorithm sha"),
            (Read, Catalog, "segment header: hash_algorithm sha")
        ]
    ),
    case!(
        "R-SEG-7",
        "frames at multiples of 2",
        Plain,
        main!("frame_align", 2_u64),
        [
            (Open, Corrupt, "segment header: frame_align"),
            (Verify, Finding, "segment header: frame_align"),
            (Read, Corrupt, "segment header: frame_align")
        ]
    ),
    case!(
        "R-SEG-7",
        "frames at multiples of 0",
        Plain,
        main!("frame_align", 0_u64),
        [
            (Open, Corrupt, "segment header: frame_align"),
            (Verify, Finding, "segment header: frame_align"),
            (Read, Corrupt, "segment header: frame_align")
        ]
    ),
    case!(
        "R-SEG-7",
        "512 in the catalog",
        Plain,
        catalog!("frame_align", 512_u64),
        [
            (Open, Catalog, "segment header: frame_align"),
            (Verify, Finding, "segment header: frame_align"),
            (Read, Catalog, "segment header: frame_align")
        ]
    ),
    case!(
        "R-SEG-8",
        "another log",
        Plain,
        main!("log_id", [9; 16]),
        [(Open, Corrupt, "of log"), (Verify, Finding, "log id"), (Read, Corrupt, "of log")]
    ),
    case!(
        "R-SEG-8",
        "another log in the catalog",
        Retention,
        |mut forge| {
            forge.catalog[0].set("log_id", [9; 16]);
            forge.write()
        },
        [(Open, Corrupt, "segment"), (Verify, Finding, "log id"), (Read, Corrupt, "segment")]
    ),
    case!(
        "R-SEG-9",
        "another ordinal",
        Plain,
        main!("ordinal", 9_u64),
        [(Open, Corrupt, "of log"), (Verify, Finding, "ordinal"), (Read, Corrupt, "of log")]
    ),
    case!(
        "R-SEG-9",
        "ordinal 0",
        Plain,
        main!("ordinal", 0_u64),
        [
            (Open, Corrupt, "segment header: ordinal"),
            (Verify, Finding, "segment header: ordinal"),
            (Read, Corrupt, "segment header: ordinal")
        ]
    ),
    case!(
        "R-SEG-9",
        "an ordinal beyond 2^62",
        Plain,
        main!("ordinal", (1_u64 << 62) + 1),
        [
            (Open, Corrupt, "segment header: ordinal"),
            (Verify, Finding, "segment header: ordinal"),
            (Read, Corrupt, "segment header: ordinal")
        ]
    ),
    case!(
        "R-SEG-9",
        "another ordinal in the catalog",
        Plain,
        catalog!("ordinal", 2_u64),
        [
            (Open, Catalog, "catalog segment"),
            (Verify, Finding, "catalog segment"),
            (Read, Catalog, "catalog segment")
        ]
    ),
    case!(
        "R-SEG-10",
        "a record is left out",
        Plain,
        main!("first_seq", 42_u64),
        [
            (Open, Tampered, "first record of segment"),
            (Verify, Finding, "first record"),
            (Read, Corrupt, "the footer of segment")
        ]
    ),
    case!(
        "R-SEG-10",
        "a record comes twice",
        Plain,
        main!("first_seq", 40_u64),
        [
            (Open, Tampered, "first record of segment"),
            (Verify, Finding, "first record"),
            (Read, Corrupt, "the footer of segment")
        ]
    ),
    case!(
        "R-SEG-10",
        "records before the catalog",
        Plain,
        catalog!("first_seq", 1_u64),
        [
            (Open, Tampered, "start of catalog segment"),
            (Verify, Finding, "frame header: first_seq: expected"),
            (Read, Tampered, "start of catalog segment")
        ]
    ),
    case!(
        "R-SEG-11",
        "another root",
        Plain,
        main!("start_root", [9; 32]),
        [(Open, Tampered, "root at the start of segment"), (Verify, Finding, "root at the start")]
    ),
    case!(
        "R-SEG-11",
        "another root in the catalog",
        Plain,
        catalog!("start_root", [9; 32]),
        [
            (Open, Tampered, "start of catalog segment"),
            (Verify, Finding, "records"),
            (Read, Tampered, "start of catalog segment")
        ]
    ),
    case!(
        "R-SEG-12",
        "another predecessor",
        Plain,
        main!("previous", [9; 32]),
        [(Open, Tampered, "predecessor of segment"), (Verify, Finding, "predecessor")]
    ),
    case!(
        "R-SEG-12",
        "a predecessor of the first",
        Plain,
        |mut forge| {
            forge.main[0].set("previous", [9; 32]);
            forge.write()
        },
        [(Open, Tampered, "predecessor of segment"), (Verify, Finding, "predecessor")]
    ),
    case!(
        "R-SEG-12",
        "a predecessor in the catalog",
        Plain,
        catalog!("previous", [9; 32]),
        [
            (Open, Tampered, "chain of catalog segment"),
            (Verify, Finding, ""),
            (Read, Tampered, "chain of catalog segment")
        ]
    ),
    case!(
        "R-SEG-13",
        "an anchor beyond it",
        Plain,
        main!("last_anchor", 99_u64),
        [
            (Open, Corrupt, "segment header: last_anchor at most first_seq"),
            (Verify, Finding, "segment header: last_anchor at most first_seq"),
            (Read, Corrupt, "segment header: last_anchor at most first_seq")
        ]
    ),
    case!(
        "R-SEG-13",
        "an anchor that is none",
        Plain,
        main!("last_anchor", 7_u64),
        [(Open, Tampered, "newest anchor of segment"), (Verify, Finding, "newest anchor")]
    ),
    case!(
        "R-SEG-13",
        "no anchor",
        Plain,
        main!("last_anchor", 0_u64),
        [(Open, Tampered, "newest anchor of segment"), (Verify, Finding, "newest anchor")]
    ),
    case!(
        "R-SEG-13",
        "an anchor in the catalog",
        Plain,
        catalog!("last_anchor", 1_u64),
        [
            (Open, Catalog, "segment header: last_anchor at most first_seq"),
            (Verify, Finding, "segment header: last_anchor at most first_seq"),
            (Read, Catalog, "segment header: last_anchor at most first_seq")
        ]
    ),
    case!(
        "R-SEG-14",
        "bytes in reserved",
        Plain,
        main!("reserved", vec![1; 364]),
        [
            (Open, Corrupt, "segment header: reserved zeros"),
            (Verify, Finding, "segment header: reserved zeros"),
            (Read, Corrupt, "segment header: reserved zeros")
        ]
    ),
    case!(
        "R-SEG-15",
        "a sealed segment of zeros",
        Plain,
        |forge| {
            let mut files = forge.write();
            files.get_mut("audit/segments/00000002.seg").fill(0);
            files.remove("audit/tree/mark");
            files
        },
        [
            (Open, Corrupt, "the header of segment"),
            (Verify, Finding, "a header"),
            (Read, Corrupt, "the footer of sealed segment")
        ]
    ),
    case!(
        "R-SEG-15",
        "a segment of zeros before another",
        Plain,
        |forge| {
            let mut files = forge.write();
            let last = files.remove("audit/segments/00000003.seg");
            files.put("audit/segments/00000003.seg", vec![0; last.len()]);
            files.put("audit/segments/00000004.seg", last);
            files.remove("audit/tree/mark");
            files
        },
        [(Open, Corrupt, "the header of segment"), (Verify, Finding, "a header")]
    ),
    case!(
        "R-SEG-16",
        "a segment is missing",
        Plain,
        |forge| {
            let mut files = forge.write();
            files.remove("audit/segments/00000002.seg");
            files.remove("audit/tree/mark");
            files
        },
        [
            (Open, Tampered, "first record of segment"),
            (Verify, Finding, "and no drop certificate: the gap is unexplained"),
            (Read, Corrupt, "or a certificate that it was dropped")
        ]
    ),
];

#[test]
fn what_a_segment_header_must_not_say_is_refused() {
    run(CASES);
}
