//! R-TILES of docs/format.md: exported tiles that must be refused, forged with all that follows:
//! tiles, roots and signatures.

#[path = "../../../../tests/refusals/elsewhere.rs"]
mod elsewhere;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use bulla::checkpoint::Checkpoint;
use bulla::{Hash, HashAlgorithm, TreeHead, TreeSize};
use tempfile::TempDir;

use super::procedures::events_file;
use crate::running::{at, fine, run};

const ORIGIN: &str = "ex.example/log";
const SHA256: HashAlgorithm = HashAlgorithm::Sha256;
/// Records below the checkpoint.
const SIZE: usize = 601;

/// A refusal: who, and what it says.
type Refusal = (&'static str, &'static str);

struct Case {
    id: &'static str,
    what: &'static str,
    forge: fn(&Exported),
    expect: &'static [Refusal],
}

const fn case(
    id: &'static str,
    what: &'static str,
    forge: fn(&Exported),
    expect: &'static [Refusal],
) -> Case {
    Case { id, what, forge, expect }
}

const CASES: &[Case] = &[
    case(
        "R-TILES-1",
        "a directory of other files",
        |export| fs::remove_file(export.file("bulla-export")).unwrap(),
        &[("export", "expected an empty directory or an earlier export of this log")],
    ),
    case(
        "R-TILES-1",
        "the export of another log",
        |export| export.edit("bulla-export", |text| text.replace(ORIGIN, "ex.example/other")),
        &[("export", "expected an export of ex.example/log, found one of ex.example/other")],
    ),
    case(
        "R-TILES-1",
        "an export of another version",
        |export| export.edit("bulla-export", |text| text.replace("version 1", "version 2")),
        &[("export", "bulla-export is not one that this version writes")],
    ),
    case(
        "R-TILES-2",
        "a checkpoint that is none",
        |export| export.edit("checkpoint", |_| "none\n".to_owned()),
        &[("audit", "checkpoint: expected"), ("export", "expected a checkpoint of this log")],
    ),
    case(
        "R-TILES-3",
        "a checkpoint without a signature of a trusted key",
        |export| {
            let stranger = at(export.dir.path(), "stranger");
            fine(&["keygen", &stranger, "--origin", ORIGIN]);
            let root = root(&export.leaves());
            fs::write(export.file("checkpoint"), signed(&stranger, ORIGIN, SIZE as u64, root))
                .unwrap();
        },
        &[("audit", "expected a signature by")],
    ),
    case(
        "R-TILES-4",
        "the checkpoint of another origin",
        |export| export.edit("checkpoint", |text| text.replacen(ORIGIN, "ex.example/other", 1)),
        &[("export", "expected the origin ex.example/log, found ex.example/other")],
    ),
    case(
        "R-TILES-4",
        "a checkpoint of more records than the log has signed",
        |export| export.serve_head(SIZE as u64 + 1, root(&export.leaves())),
        &[("export", "expected at most size 601, the newest checkpoint of the log")],
    ),
    case(
        "R-TILES-4",
        "the checkpoint of another tree",
        |export| export.serve_head(500, Hash::from_bytes([7; 32])),
        &[("export", "expected a tree that the log of size 601 extends")],
    ),
    case(
        "R-TILES-5",
        "a tile with another hash",
        |export| export.change("tile/0/001", |bytes| bytes[40] ^= 1),
        &[
            ("audit", "tile/0/001: expected the hashes that the entries lead to"),
            ("export", "tile/0/001: expected the 8192 bytes that the log has there"),
        ],
    ),
    case(
        "R-TILES-5",
        "a tile that is too short",
        |export| export.change("tile/1/000.p/2", |bytes| bytes.truncate(63)),
        &[("audit", "tile/1/000.p/2"), ("export", "tile/1/000.p/2: expected the 64 bytes")],
    ),
    case(
        "R-TILES-5",
        "a tile that is too long",
        |export| export.change("tile/0/000", |bytes| bytes.push(0)),
        &[("audit", "tile/0/000"), ("export", "tile/0/000: expected the 8192 bytes")],
    ),
    case(
        "R-TILES-6",
        "a tile that is missing",
        |export| fs::remove_file(export.file("tile/0/000")).unwrap(),
        &[("audit", "tile/0/000")],
    ),
    case(
        "R-TILES-6",
        "a bundle that is missing",
        |export| fs::remove_file(export.file("tile/entries/001")).unwrap(),
        &[("audit", "tile/entries/001")],
    ),
    case(
        "R-TILES-7",
        "a bundle with another entry",
        |export| export.change("tile/entries/001", |bytes| *bytes.last_mut().unwrap() ^= 1),
        &[
            ("audit", "record 511 is the first whose entry is not what its hash"),
            ("export", "tile/entries/001"),
        ],
    ),
    case(
        "R-TILES-7",
        "a bundle that is cut short",
        |export| export.change("tile/entries/001", |bytes| bytes.truncate(1000)),
        &[("audit", "tile/entries/001"), ("export", "tile/entries/001")],
    ),
    case(
        "R-TILES-7",
        "bytes behind the last entry",
        |export| export.change("tile/entries/001", |bytes| bytes.push(0)),
        &[("audit", "tile/entries/001"), ("export", "tile/entries/001")],
    ),
    case(
        "R-TILES-8",
        "entries and tiles of another tree than that of the checkpoint",
        |export| {
            let checkpoint = fs::read(export.file("checkpoint")).unwrap();
            export.alter(3, |entry| *entry.last_mut().unwrap() ^= 1);
            fs::write(export.file("checkpoint"), checkpoint).unwrap();
        },
        &[("audit", "entries and hashes were altered alike")],
    ),
    case(
        "R-TILES-9",
        "a kept checkpoint that is none",
        |export| export.edit("checkpoints/601", |_| "none\n".to_owned()),
        &[("audit", "checkpoints/601: "), ("export", "expected a checkpoint of this log")],
    ),
    case(
        "R-TILES-9",
        "the kept checkpoint of another head",
        |export| {
            let note = signed(&export.key, ORIGIN, SIZE as u64, Hash::from_bytes([7; 32]));
            export.edit("checkpoints/601", |_| note.clone());
        },
        &[
            ("audit", "checkpoints/601: expected root"),
            ("export", "checkpoints/601: expected size 601 with root"),
        ],
    ),
    case(
        "R-TILES-15",
        "a wrong signature under a kept checkpoint",
        |export| {
            export.edit("checkpoints/601", |text| {
                let at = text.len() - 20;
                let other = if text[at..].starts_with('A') { "B" } else { "A" };
                [&text[..at], other, &text[at + 1..]].concat()
            });
        },
        &[("audit", "checkpoints/601: ")],
    ),
    case(
        "R-TILES-10",
        "a list with another first line",
        |export| export.edit("segments", |text| text.replace("segments/v1", "segments/v2")),
        &[("audit", "segments: expected \"bulla.dev/segments/v1\" as line 1")],
    ),
    case(
        "R-TILES-10",
        "a list in another spelling",
        |export| export.edit("segments", |text| text.replace("segment 0 ", "segment 00 ")),
        &[("audit", "segments: expected each value in its only spelling")],
    ),
    case(
        "R-TILES-10",
        "segments that do not ascend",
        |export| {
            export.edit("segments", |text| {
                let segment = text.lines().last().unwrap();
                format!("{text}{segment}\n")
            })
        },
        &[("audit", "ascending as line 5")],
    ),
    case(
        "R-TILES-11",
        "the list of another origin",
        |export| export.edit("segments", |text| text.replace(ORIGIN, "ex.example/other")),
        &[("audit", "segments: expected the origin ex.example/log")],
    ),
    case(
        "R-TILES-11",
        "the list of another log",
        |export| {
            export.edit("segments", |text| {
                let mut lines: Vec<&str> = text.lines().collect();
                let other = format!("log {}", "07".repeat(16));
                lines[2] = &other;
                lines.join("\n") + "\n"
            })
        },
        &[("audit", "as in the entries, found log")],
    ),
    case(
        "R-TILES-11",
        "a segment that the checkpoint does not cover",
        |export| export.edit("segments", |text| text.replace("segment 0 600 ", "segment 0 602 ")),
        &[("audit", "expected segments below the checkpoint of 601 records")],
    ),
    case(
        "R-TILES-12",
        "another index root",
        |export| {
            export.edit("segments", |text| {
                let root = text.rsplit(' ').next().unwrap();
                text.replace(root, "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n")
            })
        },
        &[("audit", "expected the index root")],
    ),
    case(
        "R-TILES-13",
        "an entry with another tag",
        |export| export.alter(3, |entry| entry[0] = 0xb2),
        &[("audit", "record 3: ")],
    ),
    case(
        "R-TILES-13",
        "an entry of another kind",
        |export| export.alter(3, |entry| entry[2] = 9),
        &[("audit", "record 3: ")],
    ),
    case(
        "R-TILES-13",
        "the entry of another log",
        |export| export.alter(3, |entry| entry[4] ^= 1),
        &[("audit", "record 3: expected one log, found log")],
    ),
    case(
        "R-TILES-13",
        "an entry with another number",
        |export| export.alter(3, |entry| entry[20] = 4),
        &[("audit", "record 3: expected record 3, found record 4")],
    ),
    case(
        "R-TILES-13",
        "an envelope of another length",
        |export| export.alter(3, |entry| entry[36] ^= 1),
        &[("audit", "record 3: ")],
    ),
    case(
        "R-TILES-13",
        "an integer in more bytes than it needs",
        |export| {
            export.alter(3, |entry| {
                // The length of `actor_type` behind id (16), time (9) and tenant (1).
                let at = 40 + 16 + 9 + 1;
                let len = entry[at];
                entry.splice(at..=at, [251, len, 0]);
                entry[36] += 2;
            })
        },
        &[("audit", "record 3: ")],
    ),
    case(
        "R-TILES-14",
        "a time before that of the record in front",
        |export| export.alter(3, |entry| entry[28..36].copy_from_slice(&7_i64.to_le_bytes())),
        &[("audit", "record 3: expected it recorded no earlier than the record in front of it")],
    ),
];

/// An export of a sealed log of 600 events, in a directory of its own.
struct Exported {
    dir: TempDir,
    log: String,
    key: String,
    out: PathBuf,
}

impl Exported {
    /// One log for all cases: none of them writes to it.
    fn new() -> Self {
        static MADE: OnceLock<TempDir> = OnceLock::new();
        let made = MADE.get_or_init(|| {
            let dir = tempfile::tempdir().unwrap();
            let (log, key) = (at(dir.path(), "log"), at(dir.path(), "key"));
            let events = events_file(dir.path(), "in.jsonl", SIZE as u64 - 1);
            let origin = ["--create", "--format", "jsonl", "--origin", ORIGIN];
            fine(&[&["import", &log, &events][..], &origin].concat());
            fine(&["keygen", &key, "--log", &log]);
            fine(&["checkpoint", &log, "--key", &key, "--seal"]);
            fine(&["export-tiles", &log, &at(dir.path(), "pub")]);
            dir
        });
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("pub");
        copy(&made.path().join("pub"), &out);
        Exported { dir, log: at(made.path(), "log"), key: at(made.path(), "key"), out }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.out.join(name)
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(self.file(name)).unwrap();
        let before = bytes.clone();
        change(&mut bytes);
        assert!(bytes != before, "{name}");
        fs::write(self.file(name), bytes).unwrap();
    }

    fn edit(&self, name: &str, change: impl FnOnce(String) -> String) {
        self.change(name, |bytes| {
            *bytes = change(String::from_utf8(std::mem::take(bytes)).unwrap()).into_bytes();
        });
    }

    /// The entries, by the bundles of the log.
    fn entries(&self) -> Vec<Vec<u8>> {
        let mut entries = Vec::new();
        for name in bundles("tile/entries") {
            let bytes = fs::read(self.file(&name)).unwrap();
            let mut rest = &bytes[..];
            while let [high, low, behind @ ..] = rest {
                let (entry, behind) = behind.split_at(usize::from(*high) << 8 | usize::from(*low));
                entries.push(entry.to_vec());
                rest = behind;
            }
        }
        assert_eq!(entries.len(), SIZE);
        entries
    }

    fn leaves(&self) -> Vec<Hash> {
        self.entries().iter().map(|entry| SHA256.leaf(&[entry])).collect()
    }

    /// Changes an entry, and makes bundles, tiles and checkpoint of what it leads to.
    fn alter(&self, seq: usize, change: impl FnOnce(&mut Vec<u8>)) {
        let mut entries = self.entries();
        change(&mut entries[seq]);
        for (name, entries) in bundles("tile/entries").iter().zip(entries.chunks(256)) {
            let behind_len = |entry: &Vec<u8>| {
                let [low, high] = u16::try_from(entry.len()).unwrap().to_le_bytes();
                [&[high, low], entry.as_slice()].concat()
            };
            let bytes: Vec<u8> = entries.iter().flat_map(behind_len).collect();
            fs::write(self.file(name), bytes).unwrap();
        }
        let leaves: Vec<Hash> = entries.iter().map(|entry| SHA256.leaf(&[entry])).collect();
        let bytes = |hashes: &[Hash]| -> Vec<u8> {
            hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
        };
        for (name, hashes) in bundles("tile/0").iter().zip(leaves.chunks(256)) {
            fs::write(self.file(name), bytes(hashes)).unwrap();
        }
        let above: Vec<Hash> = leaves.chunks_exact(256).map(root).collect();
        fs::write(self.file("tile/1/000.p/2"), bytes(&above)).unwrap();
        self.serve_head(SIZE as u64, root(&leaves));
    }

    /// Serves the checkpoint of this head, which the log's key signed.
    fn serve_head(&self, size: u64, root: Hash) {
        fs::write(self.file("checkpoint"), signed(&self.key, ORIGIN, size, root)).unwrap();
    }

    /// What a command says to it; `None` if it is content.
    fn tried(&self, means: &str) -> Option<String> {
        let (out, public) = (self.out.display().to_string(), format!("{}.pub", self.key));
        let ran = match means {
            "audit" => run(&["audit", &out, "--pubkey", &public]),
            _ => run(&["export-tiles", &self.log, &out]),
        };
        (ran.status != 0).then_some(ran.stderr)
    }
}

fn bundles(dir: &str) -> [String; 3] {
    ["000", "001", "002.p/89"].map(|name| format!("{dir}/{name}"))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, to) = {
            let entry = entry.unwrap();
            (entry.path(), to.join(entry.file_name()))
        };
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(path, to).unwrap();
        }
    }
}

/// MTH of RFC 6962, 2.1.
fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            SHA256.node(&root(left), &root(right))
        }
    }
}

fn signed(key: &str, origin: &str, size: u64, root: Hash) -> String {
    let key = bulla::load_recovery_key(Path::new(key)).unwrap();
    let head = TreeHead { size: TreeSize::new(size), root };
    Checkpoint::new(origin, head).unwrap().sign(&key).unwrap().to_text()
}

#[test]
fn what_an_export_must_not_be_is_refused() {
    let mut failures = Vec::new();
    for Case { id, what, forge, expect } in CASES {
        for (means, says) in *expect {
            let export = Exported::new();
            forge(&export);
            match export.tried(means) {
                None => failures.push(format!("{id} ({what}): {means} was content")),
                Some(said) if !said.contains(says) => {
                    failures.push(format!("{id} ({what}): {means} said {said}; expected {says}"));
                }
                Some(_) => {}
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// What is forged begins with what is right, and what is written anew is as it was.
#[test]
fn an_export_that_is_not_forged_passes() {
    let export = Exported::new();
    let before = fs::read(export.file("tile/1/000.p/2")).unwrap();
    export.alter(3, |_| ());
    assert_eq!(fs::read(export.file("tile/1/000.p/2")).unwrap(), before);
    assert_eq!(export.tried("audit"), None);
    assert_eq!(export.tried("export"), None);
}

#[test]
fn these_are_the_refusals_that_the_library_counts() {
    let mut forged: BTreeMap<&str, (BTreeSet<&str>, usize)> = BTreeMap::new();
    for case in CASES {
        let (means, count) = forged.entry(case.id).or_default();
        means.extend(case.expect.iter().map(|(means, _)| means));
        *count += 1;
    }
    let listed: BTreeMap<&str, (BTreeSet<&str>, usize)> = elsewhere::TILES
        .iter()
        .map(|(id, means, count)| (*id, (means.iter().copied().collect(), *count)))
        .collect();
    assert_eq!(forged, listed);
}
