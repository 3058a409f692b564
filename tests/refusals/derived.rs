//! R-IDX, R-TREE, R-MARK, R-SNAP, R-LOCK and R-ASIDE: files beside the segments. What is derived
//! is never believed where it is wrong, and made again.

use crate::bases::Base;
use crate::cases::{As, By, Case, case, run};
use crate::forge::bytes::{Sets, finish, number, put};
use crate::forge::document;
use crate::forge::files::Files;

use As::{Corrupt, Finding, Nothing};
use By::{Read, Rebuilt, Verify};

const INDEX: &str = "audit/segments/00000002.idx";
const LEAVES: &str = "audit/tree/level-00.hashes";
const MARK: &str = "audit/tree/mark";
const SNAPSHOT: &str = "audit/catalog/snapshot";
const LOCK: &str = "audit/LOCK";

/// Sets a field of a structure at the start of a file, and its CRC.
macro_rules! file {
    ($name:expr, $structure:literal, $field:literal, $value:expr) => {
        |forge| {
            let mut files = forge.files;
            files.set($name, $structure, 0, &vec![($field, $value.into())]);
            files
        }
    };
}

macro_rules! index {
    ($field:literal, $value:expr) => {
        file!(INDEX, "Index header", $field, $value)
    };
}

macro_rules! level {
    ($field:literal, $value:expr) => {
        file!(LEAVES, "Hash file header", $field, $value)
    };
}

macro_rules! snapshot {
    ($field:literal, $value:expr) => {
        file!(SNAPSHOT, "Snapshot header", $field, $value)
    };
}

macro_rules! lock {
    ($field:literal, $value:expr) => {
        file!(LOCK, "Lock file", $field, $value)
    };
}

/// Sets a field of both marks.
macro_rules! mark {
    ($field:literal, $value:expr) => {
        |forge| {
            let mut files = forge.files;
            let sets: Sets = vec![($field, $value.into())];
            for slot in [0, 4096] {
                if files.get(MARK)[slot] != 0 {
                    files.set(MARK, "Mark slot", slot, &sets);
                }
            }
            files
        }
    };
}

/// Changes the sections of an index file, and makes its CRCs again.
fn sections(mut files: Files, change: impl FnOnce(&mut Sections<'_>)) -> Files {
    let file = files.get_mut(INDEX);
    let header_len = document::len("Index header");
    let heap_len = usize::try_from(number("Index header", file, "heap_len")).unwrap();
    let pages = (1..).find(|pages| (file.len() - 4 * pages).div_ceil(4096) == *pages).unwrap();
    let end = file.len() - 4 * pages;
    change(&mut Sections { file, terms: header_len, heap: end - heap_len });
    let mut crcs = Vec::new();
    for page in 0..pages {
        let bytes = (4096 * page).max(header_len)..(4096 * (page + 1)).min(end);
        crcs.extend(crc32fast::hash(&file[bytes]).to_le_bytes());
    }
    file.truncate(end);
    let crc = u64::from(crc32fast::hash(&crcs));
    file.extend(crcs);
    put("Index header", file, "pages_crc", crc);
    finish("Index header", &mut file[..header_len], &Sets::new());
    files
}

/// An index file, and where two of its sections begin.
struct Sections<'a> {
    file: &'a mut Vec<u8>,
    terms: usize,
    heap: usize,
}

impl Sections<'_> {
    fn set_offset(&mut self, term: usize, offset: u32) {
        let at = self.terms + 8 * term + 4;
        self.file[at..at + 4].copy_from_slice(&offset.to_le_bytes());
    }
}

pub(crate) const CASES: &[Case] = &[
    case!(
        "R-IDX-1",
        "another magic",
        Plain,
        index!("magic", *b"BULLAIDY"),
        [(Rebuilt, Nothing, "")]
    ),
    case!("R-IDX-1", "another crc", Plain, index!("crc", 7_u64), [(Rebuilt, Nothing, "")]),
    case!("R-IDX-1", "version 0", Plain, index!("format_version", 0_u64), [(Rebuilt, Nothing, "")]),
    case!("R-IDX-1", "version 2", Plain, index!("format_version", 2_u64), [(Rebuilt, Nothing, "")]),
    case!(
        "R-IDX-1",
        "another specification",
        Plain,
        index!("spec", 3_u64),
        [(Rebuilt, Nothing, "")]
    ),
    case!("R-IDX-2", "another log", Plain, index!("log_id", [9; 16]), [(Rebuilt, Nothing, "")]),
    case!("R-IDX-2", "another segment", Plain, index!("ordinal", 1_u64), [(Rebuilt, Nothing, "")]),
    case!("R-IDX-2", "other records", Plain, index!("first_seq", 1_u64), [(Rebuilt, Nothing, "")]),
    case!(
        "R-IDX-3",
        "another number of records",
        Plain,
        index!("records", 40_u64),
        [(Rebuilt, Nothing, "")]
    ),
    case!(
        "R-IDX-3",
        "more events than records",
        Plain,
        index!("events", 42_u64),
        [(Rebuilt, Nothing, "")]
    ),
    case!(
        "R-IDX-3",
        "another root of the terms",
        Plain,
        index!("terms_root", [9; 32]),
        [(Rebuilt, Nothing, "")]
    ),
    case!(
        "R-IDX-3",
        "another root of the times",
        Plain,
        index!("occurred_root", [9; 32]),
        [(Rebuilt, Nothing, "")]
    ),
    case!(
        "R-IDX-4",
        "fields that descend",
        Plain,
        index!(
            "field_starts",
            vec![
                0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 0, 1, 0, 0, 0
            ]
        ),
        [(Rebuilt, Nothing, "")]
    ),
    case!(
        "R-IDX-4",
        "more identifiers than events",
        Plain,
        index!("id_counts", [255; 12]),
        [(Rebuilt, Nothing, "")]
    ),
    case!(
        "R-IDX-4",
        "further terms in specification 1",
        Plain,
        index!("further_terms", 1_u64),
        [(Rebuilt, Nothing, "")]
    ),
    case!(
        "R-IDX-4",
        "further identifiers in specification 1",
        Plain,
        index!("further_ids", 1_u64),
        [(Rebuilt, Nothing, "")]
    ),
    case!(
        "R-IDX-4",
        "a heap beyond the end",
        Plain,
        index!("heap_len", u64::from(u32::MAX)),
        [(Rebuilt, Nothing, "")]
    ),
    case!(
        "R-IDX-4",
        "times beyond the end",
        Plain,
        index!("times_lens", [255; 8]),
        [(Rebuilt, Nothing, "")]
    ),
    case!(
        "R-IDX-4",
        "bytes behind it",
        Plain,
        |forge| {
            let mut files = forge.files;
            files.get_mut(INDEX).push(0);
            files
        },
        [(Rebuilt, Nothing, "")]
    ),
    case!(
        "R-IDX-4",
        "half of it",
        Plain,
        |forge| {
            let mut files = forge.files;
            let half = files.get(INDEX).len() / 2;
            files.get_mut(INDEX).truncate(half);
            files
        },
        [(Rebuilt, Nothing, "")]
    ),
    case!(
        "R-IDX-5",
        "another CRC of the pages",
        Plain,
        index!("pages_crc", 7_u64),
        [(Rebuilt, Nothing, "")]
    ),
    case!(
        "R-IDX-5",
        "a page of another CRC",
        Plain,
        |forge| {
            let mut files = forge.files;
            files.get_mut(INDEX)[300] ^= 1;
            files
        },
        [(Rebuilt, Nothing, "")]
    ),
    case!(
        "R-IDX-6",
        "offsets that descend",
        Plain,
        |forge| { sections(forge.files, |index| index.set_offset(3, 1)) },
        [(Verify, Finding, "another intact index")]
    ),
    case!(
        "R-IDX-6",
        "an offset outside of the heap",
        Plain,
        |forge| { sections(forge.files, |index| index.set_offset(3, u32::MAX)) },
        [(Verify, Finding, "another intact index")]
    ),
    case!(
        "R-IDX-6",
        "a heap of other bytes",
        Plain,
        |forge| {
            sections(forge.files, |index| index.file[index.heap..index.heap + 40].fill(0xff))
        },
        [(Verify, Finding, "another intact index")]
    ),
    case!(
        "R-IDX-6",
        "another CRC of a page in a table that checks",
        Plain,
        |forge| {
            let mut files = sections(forge.files, |_| ());
            let file = files.get_mut(INDEX);
            let last = file.len() - 4;
            file[last] ^= 1;
            let pages = (1..).find(|n| (file.len() - 4 * n).div_ceil(4096) == *n).unwrap();
            let crc = crc32fast::hash(&file[file.len() - 4 * pages..]);
            put("Index header", file, "pages_crc", u64::from(crc));
            finish("Index header", &mut file[..document::len("Index header")], &Sets::new());
            files
        },
        [(Verify, Finding, "let pass, beside damage")]
    ),
    case!(
        "R-TREE-1",
        "another magic",
        Plain,
        level!("magic", *b"BULLATRX"),
        [(Rebuilt, Nothing, ""), (Verify, Finding, "hash file header")]
    ),
    case!(
        "R-TREE-1",
        "another crc",
        Plain,
        level!("crc", 7_u64),
        [(Rebuilt, Nothing, ""), (Verify, Finding, "hash file header")]
    ),
    case!(
        "R-TREE-1",
        "version 2",
        Plain,
        level!("format_version", 2_u64),
        [(Rebuilt, Nothing, ""), (Verify, Finding, "hash file header")]
    ),
    case!(
        "R-TREE-2",
        "another level",
        Plain,
        level!("level", 4_u64),
        [(Rebuilt, Nothing, ""), (Verify, Finding, "hash file header")]
    ),
    case!(
        "R-TREE-2",
        "another hash",
        Plain,
        level!("hash_algorithm", 2_u64),
        [(Rebuilt, Nothing, ""), (Verify, Finding, "hash file header")]
    ),
    case!(
        "R-TREE-2",
        "another log",
        Plain,
        level!("log_id", [9; 16]),
        [(Rebuilt, Nothing, ""), (Verify, Finding, "hash file header")]
    ),
    case!(
        "R-TREE-3",
        "another leaf",
        Plain,
        |forge| {
            let mut files = forge.files;
            files.get_mut(LEAVES)[64 + 32 * 5] ^= 1;
            files
        },
        [(Verify, Finding, "hash 0/")]
    ),
    case!(
        "R-TREE-3",
        "fewer hashes than the mark says",
        Plain,
        |forge| {
            let mut files = forge.files;
            files.get_mut(LEAVES).truncate(64 + 32 * 5);
            files
        },
        [(Rebuilt, Nothing, "")]
    ),
    case!(
        "R-TREE-3",
        "zeros in place of a hash that is known",
        Plain,
        |forge| {
            let mut files = forge.files;
            files.get_mut(LEAVES)[64..96].fill(0);
            files
        },
        [(Verify, Finding, "hash 0/")]
    ),
    case!(
        "R-MARK-1",
        "another magic",
        Plain,
        mark!("magic", *b"BULLAMRX"),
        [(Rebuilt, Nothing, "")]
    ),
    case!("R-MARK-1", "another crc", Plain, mark!("crc", 7_u64), [(Rebuilt, Nothing, "")]),
    case!("R-MARK-1", "version 2", Plain, mark!("format_version", 2_u64), [(Rebuilt, Nothing, "")]),
    case!("R-MARK-2", "hash 3", Plain, mark!("hash_algorithm", 3_u64), [(Rebuilt, Nothing, "")]),
    case!(
        "R-MARK-2",
        "another number of peaks",
        Plain,
        mark!("peak_count", 1_u64),
        [(Rebuilt, Nothing, "")]
    ),
    case!(
        "R-MARK-2",
        "a generation that was never reached",
        Plain,
        mark!("generation", u64::MAX),
        [(Rebuilt, Nothing, "")]
    ),
    case!("R-MARK-3", "another log", Plain, mark!("log_id", [9; 16]), [(Rebuilt, Nothing, "")]),
    case!(
        "R-MARK-3",
        "another nonce",
        Plain,
        mark!("nonce", [9; 16]),
        [(Rebuilt, Nothing, ""), (Verify, Finding, "mark")]
    ),
    case!(
        "R-MARK-3",
        "another segment",
        Plain,
        mark!("ordinal", 1_u64),
        [(Rebuilt, Nothing, ""), (Verify, Finding, "mark")]
    ),
    case!(
        "R-MARK-4",
        "another hash than the log's",
        Plain,
        mark!("hash_algorithm", 2_u64),
        [(Rebuilt, Nothing, ""), (Verify, Finding, "mark: size and peaks")]
    ),
    case!(
        "R-MARK-4",
        "other peaks",
        Plain,
        mark!("peaks", vec![9; 2048]),
        [(Rebuilt, Nothing, ""), (Verify, Finding, "mark")]
    ),
    case!(
        "R-MARK-4",
        "another place",
        Plain,
        mark!("offset", 600_u64),
        [(Rebuilt, Nothing, ""), (Verify, Finding, "mark")]
    ),
    case!(
        "R-MARK-4",
        "another anchor",
        Plain,
        mark!("last_anchor", 7_u64),
        [(Verify, Finding, "mark: newest anchor")]
    ),
    case!(
        "R-MARK-4",
        "another newest time",
        Plain,
        mark!("last_recorded_at", 7_u64),
        [(Verify, Finding, "mark: newest time")]
    ),
    case!(
        "R-SNAP-1",
        "another magic",
        Plain,
        snapshot!("magic", *b"BULLASNX"),
        [(Rebuilt, Nothing, "")]
    ),
    case!("R-SNAP-1", "another crc", Plain, snapshot!("crc", 7_u64), [(Rebuilt, Nothing, "")]),
    case!(
        "R-SNAP-1",
        "version 2",
        Plain,
        snapshot!("format_version", 2_u64),
        [(Rebuilt, Nothing, "")]
    ),
    case!("R-SNAP-2", "another log", Plain, snapshot!("log_id", [9; 16]), [(Rebuilt, Nothing, "")]),
    case!(
        "R-SNAP-3",
        "another length",
        Plain,
        snapshot!("body_len", 7_u64),
        [(Rebuilt, Nothing, "")]
    ),
    case!(
        "R-SNAP-3",
        "a length beyond all memory",
        Plain,
        snapshot!("body_len", u64::MAX),
        [(Rebuilt, Nothing, "")]
    ),
    case!(
        "R-SNAP-3",
        "another CRC of the body",
        Plain,
        snapshot!("body_crc", 7_u64),
        [(Rebuilt, Nothing, "")]
    ),
    case!(
        "R-SNAP-4",
        "another state",
        Plain,
        |forge| snapshot_body(forge.files, |body| {
            let at = body.windows(11).position(|bytes| bytes == b"example.com").unwrap();
            body[at] ^= 1;
        }),
        [(Rebuilt, Nothing, "")]
    ),
    case!(
        "R-SNAP-4",
        "another size",
        Plain,
        |forge| snapshot_body(forge.files, |body| body[0] -= 1),
        [(Rebuilt, Nothing, "")]
    ),
    case!(
        "R-LOCK-1",
        "another magic",
        Plain,
        lock!("magic", *b"BULLALCX"),
        [(Rebuilt, Nothing, "")]
    ),
    case!("R-LOCK-1", "another crc", Plain, lock!("crc", 7_u64), [(Rebuilt, Nothing, "")]),
    case!("R-LOCK-1", "version 2", Plain, lock!("format_version", 2_u64), [(Rebuilt, Nothing, "")]),
    case!("R-LOCK-2", "another log", Plain, lock!("log_id", [9; 16]), [(Rebuilt, Nothing, "")]),
    case!(
        "R-LOCK-3",
        "more is durable than there is",
        Plain,
        lock!("durable_size", 200_u64),
        [
            (Read, Corrupt, "200 records, which were durable"),
            (Verify, Finding, "records 96 to 199")
        ]
    ),
    case!(
        "R-ASIDE-1",
        "other bytes than were set aside",
        Torn,
        |forge| {
            let mut files = forge.files;
            let name = aside(&files);
            files.get_mut(&name)[0] ^= 1;
            files
        },
        [(Verify, Finding, "BLAKE3")]
    ),
    case!(
        "R-ASIDE-1",
        "fewer bytes than were set aside",
        Torn,
        |forge| {
            let mut files = forge.files;
            let name = aside(&files);
            files.get_mut(&name).pop();
            files
        },
        [(Verify, Finding, "bytes set aside")]
    ),
    case!(
        "R-ASIDE-1",
        "nothing",
        Torn,
        |forge| {
            let mut files = forge.files;
            let name = aside(&files);
            files.remove(&name);
            files
        },
        [(Verify, Finding, "bytes set aside")]
    ),
];

/// The file in the quarantine.
fn aside(files: &Files) -> String {
    files.below("audit/quarantine/").next().expect("what recovery set aside").to_owned()
}

/// Changes the body of the snapshot, and makes its CRCs again.
fn snapshot_body(mut files: Files, change: impl FnOnce(&mut [u8])) -> Files {
    let header_len = document::len("Snapshot header");
    let file = files.get_mut(SNAPSHOT);
    change(&mut file[header_len..]);
    let crc = u64::from(crc32fast::hash(&file[header_len..]));
    files.set(SNAPSHOT, "Snapshot header", 0, &vec![("body_crc", crc.into())]);
    files
}

#[test]
fn what_files_beside_the_segments_must_not_say_is_not_believed() {
    run(CASES);
}

/// Of an index that is another one, and whose checks are all right, a search believes what it
/// can read; what contradicts itself is left for a scan.
#[test]
fn an_index_that_contradicts_itself_makes_no_answer_wrong() {
    for case in CASES.iter().filter(|case| case.id == "R-IDX-6") {
        let forged = (case.forge)(Base::Plain.forge());
        if let Err((_, said)) = crate::cases::attempt(By::Read, Base::Plain, &forged) {
            panic!("{}: {said}", case.what);
        }
    }
}
