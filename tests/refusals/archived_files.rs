//! R-ARCH: the files in a folder of an archive, against its manifest and the log.

use crate::archives::{made, manifest};
use crate::bases::Base;
use crate::cases::{As, By, Case, run};
use crate::forge::Forge;
use crate::forge::archive::{folder, quoted, remake, resegment};
use crate::forge::bytes::{long_uint, take_uint, text};
use crate::forge::files::Files;
use crate::forge::hashes::Algorithm;
use crate::forge::notes::{Key, base64, from_base64, sign};
use crate::forge::segment::Segment;
use crate::forge::state::State;
use crate::forge::statements::lines;
use crate::support::ORIGIN;

use As::{Corrupt, Finding, Tampered};
use By::{Restore, VerifyArchive};

const STATE: &str = "state.bulla-catalog-proof";

/// Who verifies a folder says it, and so who brings one back.
macro_rules! both {
    ($says:expr) => {
        &[(VerifyArchive, Finding, $says), (Restore, Corrupt, $says)]
    };
}

macro_rules! archived {
    ($id:literal, $what:literal, $forge:expr, $expect:expr) => {
        Case { id: $id, what: $what, base: Base::Archive, forge: $forge, expect: $expect }
    };
}

pub(crate) const CASES: &[Case] = &[
    archived!(
        "R-ARCH-11",
        "a segment of another ordinal",
        |forge| segment(&forge, |segment| segment.set("ordinal", 9_u64)),
        both!("ordinal")
    ),
    archived!(
        "R-ARCH-11",
        "a segment of another log",
        |forge| segment(&forge, |segment| segment.set("log_id", [7; 16])),
        both!("log id")
    ),
    archived!(
        "R-ARCH-11",
        "a header with another root at its start",
        |forge| segment(&forge, |segment| segment.set("start_root", [7; 32])),
        both!("root at the start")
    ),
    archived!(
        "R-ARCH-11",
        "a header that is not the one in the manifest",
        |forge| manifest(&forge, |lines| lines.set("header", &quoted(&[7; 32]))),
        both!("header")
    ),
    archived!(
        "R-ARCH-11",
        "a frame that does not follow on",
        |forge| segment(&forge, |segment| segment.frames[1].set("first_seq", 7_u64)),
        both!("frame: first_seq")
    ),
    archived!(
        "R-ARCH-11",
        "a record with another crc",
        |forge| segment(&forge, |segment| segment.record(3).set_prefix("crc", 7_u64)),
        both!("crc")
    ),
    archived!(
        "R-ARCH-11",
        "an integer in more bytes than it needs",
        |forge| {
            segment(&forge, |segment| {
                let record = segment.record(3);
                let time = take_uint(record.field("occurred_at")).0;
                record.set("occurred_at", long_uint(time / 2 * 2 % 251));
            })
        },
        both!("record: bodies")
    ),
    archived!(
        "R-ARCH-11",
        "a time before that of the record in front",
        |forge| {
            segment(&forge, |segment| {
                let before = segment.record(2).recorded_at();
                segment.record(3).set_prefix("recorded_at", before - 1);
            })
        },
        both!("recorded_at")
    ),
    archived!(
        "R-ARCH-11",
        "another record",
        |forge| segment(&forge, |segment| segment.record(3).set("action", text("other"))),
        both!("root at the end")
    ),
    archived!(
        "R-ARCH-11",
        "a table with another crc",
        |forge| segment(&forge, |segment| segment.seal().set("table_crc", 7_u64)),
        both!("waypoint table")
    ),
    archived!(
        "R-ARCH-11",
        "a place where its record does not stand",
        |forge| {
            segment(&forge, |segment| {
                segment.seal().waypoints.push((0, "record_offset", 7_u64.into()));
            })
        },
        both!("waypoint table")
    ),
    archived!(
        "R-ARCH-11",
        "another newest anchor in the footer",
        |forge| segment(&forge, |segment| segment.seal().set("last_anchor", 7_u64)),
        both!("newest anchor in the footer")
    ),
    archived!(
        "R-ARCH-11",
        "times that are not those of the records",
        |forge| {
            manifest(&forge, |lines| {
                let time = "    \"2026-01-01T00:00:00.000000007Z\"";
                let first = format!("{time},");
                lines.set_lines("recorded", &["[", &first, time, "  ],"]);
            })
        },
        both!("times in the footer")
    ),
    archived!(
        "R-ARCH-11",
        "another time to keep it",
        |forge| {
            let time = "\"2036-01-01T00:00:00.000000000Z\"";
            manifest(&forge, |lines| lines.set("keep_until", time))
        },
        both!("time to keep it in the footer")
    ),
    archived!(
        "R-ARCH-11",
        "another root at the end",
        |forge| manifest(&forge, |lines| lines.set("end_root", &quoted(&[7; 32]))),
        both!("root in the footer")
    ),
    archived!(
        "R-ARCH-11",
        "another index root",
        |forge| manifest(&forge, |lines| lines.set("index_root", &quoted(&[7; 32]))),
        both!("index root in the footer")
    ),
    archived!(
        "R-ARCH-11",
        "another number of records",
        |forge| manifest(&forge, |lines| lines.set("count", "20")),
        both!("records up to 20")
    ),
    archived!(
        "R-ARCH-12",
        "another index",
        |forge| {
            file(&forge, 1, "segment.idx", |mut bytes| {
                *bytes.last_mut().unwrap() ^= 1;
                bytes
            })
        },
        both!("what the records lead to")
    ),
    archived!(
        "R-ARCH-13",
        "a checkpoint that is none",
        |forge| file(&forge, 1, "checkpoint", |_| b"none\n".to_vec()),
        both!("a signed checkpoint")
    ),
    archived!(
        "R-ARCH-13",
        "the checkpoint of another head",
        |forge| signed(&forge, |lines| lines[2] = base64(&[7; 32]), &Base::Archive.key()),
        both!("head: ")
    ),
    archived!(
        "R-ARCH-14",
        "hashes that do not lead to the head",
        |forge| {
            manifest(&forge, |lines| {
                let all = &mut lines.0;
                let at = all.iter().position(|line| line == "    \"consistency\": [").unwrap();
                let end = if all[at + 1].ends_with(',') { "," } else { "" };
                all[at + 1] = format!("      {}{end}", quoted(&[7; 32]));
            })
        },
        both!("the segment's end under the checkpoint")
    ),
    archived!(
        "R-ARCH-15",
        "keys that are no chain",
        |forge| file(&forge, 2, "keys", |_| b"none\n".to_vec()),
        both!("a key chain")
    ),
    archived!(
        "R-ARCH-16",
        "a state proof that is none",
        |forge| file(&forge, 1, STATE, |_| b"none\n".to_vec()),
        both!("a catalog proof")
    ),
    archived!(
        "R-ARCH-16",
        "a state proof under another checkpoint",
        |forge| {
            let files = forge.write();
            let other = files.get(&format!("{}{STATE}", folder(&files, 2))).to_vec();
            file(&forge, 1, STATE, |_| other)
        },
        both!("one under the checkpoint in this folder")
    ),
    archived!(
        "R-ARCH-16",
        "a state proof that does not hold",
        |forge| {
            stated(&forge, |mut statement, _| {
                *statement.last_mut().unwrap() ^= 1;
                statement
            })
        },
        both!("one that holds")
    ),
    archived!(
        "R-ARCH-16",
        "a state proof of another entry",
        |forge| {
            stated(&forge, |statement, state| {
                let at = state.entries.keys().position(|key| key == b"log").unwrap();
                let value = state.entries[&b"log"[..]].clone();
                let anchor = 4 + number(&statement);
                let hashes = 1 + 32 * usize::from(statement[anchor]);
                [&statement[..anchor + hashes], &in_force(state, at, &value)].concat()
            })
        },
        both!("with what the manifest says")
    ),
    archived!(
        "R-ARCH-16",
        "a state proof of other facts",
        |forge| kept_longer(&forge).0,
        both!("with what the manifest says")
    ),
    archived!(
        "R-ARCH-17",
        "a checkpoint without a signature of a trusted key",
        |forge| signed(&forge, |_| (), &Key::new(ORIGIN, Algorithm::Sha256, 99)),
        &[(VerifyArchive, Finding, "a signature that is trusted")]
    ),
    archived!(
        "R-ARCH-17",
        "no checkpoint",
        |forge| without_checkpoint(forge.write(), "example.com/audit"),
        &[(VerifyArchive, Finding, "one that is trusted")]
    ),
    archived!(
        "R-ARCH-18",
        "a segment of another log",
        |forge| {
            let mut files = forge.write();
            let all: Vec<String> = files.below("archive/").map(str::to_owned).collect();
            all.iter().for_each(|name| drop(files.remove(name)));
            let other = Base::Retention.files();
            let folder = folder(other, 1);
            for name in other.below(&folder) {
                files.put(name, other.get(name).to_vec());
            }
            files
        },
        &[(Restore, Tampered, "log ")]
    ),
    archived!(
        "R-ARCH-18",
        "an origin that the log never had",
        |forge| {
            let files = without_checkpoint(forge.write(), "example.com/other");
            let to = folder(&files, 1).replace("example.com_audit-", "example.com_other-");
            let from = folder(&files, 1);
            Files(
                files
                    .0
                    .into_iter()
                    .map(|(name, bytes)| (name.replace(&from, &to), bytes))
                    .collect(),
            )
        },
        &[(Restore, Tampered, "origin \"example.com/audit\"")]
    ),
    archived!(
        "R-ARCH-18",
        "other facts than the seal in the catalog",
        |forge| {
            let (mut files, folder) = kept_longer(&forge);
            remake(&mut files, &folder, |lines| lines.remove_file(STATE));
            files
        },
        &[(Restore, Tampered, "segment 1 as the catalog recorded its seal")]
    ),
    archived!(
        "R-ARCH-18",
        "a copy that the catalog does not know",
        |forge| {
            let time = "\"2026-01-01T00:00:00.000000007Z\"";
            manifest(&forge, |lines| lines.set("archived_at", time))
        },
        &[(Restore, Tampered, "a manifest of digest")]
    ),
];

/// With another segment in the folder of the first one.
fn segment(forge: &Forge, change: impl FnOnce(&mut Segment)) -> Files {
    let (mut files, folder) = made(forge);
    resegment(&mut files, &folder, change);
    files
}

/// With another file in a folder.
fn file(forge: &Forge, ordinal: u64, name: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Files {
    let mut files = forge.write();
    let folder = folder(&files, ordinal);
    let name = format!("{folder}{name}");
    let bytes = files.remove(&name);
    files.put(name, change(bytes));
    remake(&mut files, &folder, |_| ());
    files
}

/// With another checkpoint in the folder of the first segment, which that key signed.
fn signed(forge: &Forge, change: impl FnOnce(&mut Vec<String>), by: &Key) -> Files {
    file(forge, 1, "checkpoint", |note| {
        let mut head = lines(std::str::from_utf8(&note).unwrap());
        change(&mut head);
        sign(&(head.join("\n") + "\n"), &[by]).into_bytes()
    })
}

/// With another statement in the state proof of the first segment.
fn stated(forge: &Forge, change: impl FnOnce(Vec<u8>, &State) -> Vec<u8>) -> Files {
    file(forge, 1, STATE, |text| {
        let text = String::from_utf8(text).unwrap();
        let mut parts = text.splitn(3, '\n');
        let (first, statement) = (parts.next().unwrap(), from_base64(parts.next().unwrap()));
        // Length, magic, form and head of the anchor stand before its first field.
        let size = take_uint(&statement[4 + 16 + 1 + 40..]).0;
        let mut state = State::default();
        let records = forge.catalog_records().take(usize::try_from(size).unwrap());
        records.zip(0..).for_each(|(record, seq)| state.apply(seq, record));
        let made = base64(&change(statement, &state));
        format!("{first}\n{made}\n{}", parts.next().unwrap()).into_bytes()
    })
}

/// Claim 2 of a catalog proof: that the entry at this place is in force.
fn in_force(state: &State, at: usize, value: &[u8]) -> Vec<u8> {
    let with_len =
        |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_le_bytes()[..], bytes].concat();
    let key = state.entries.keys().nth(at).unwrap();
    let place = [state.entries.len() as u64, at as u64].map(u64::to_le_bytes).concat();
    let hashes = Algorithm::Sha256.batch(&[at], 0, &state.leaves());
    let count = u8::try_from(hashes.len()).unwrap();
    [vec![2], place, with_len(key), with_len(value), vec![count], hashes.concat()].concat()
}

fn number(bytes: &[u8]) -> usize {
    usize::try_from(u32::from_le_bytes(bytes[..4].try_into().unwrap())).unwrap()
}

/// With another time to keep the first segment, in its footer and in its manifest.
fn kept_longer(forge: &Forge) -> (Files, String) {
    let (mut files, folder) = made(forge);
    let nanos = 2_082_758_400_000_000_000_i64;
    resegment(&mut files, &folder, |segment| segment.seal().set("keep_until", nanos));
    let time = "\"2036-01-01T00:00:00.000000000Z\"";
    remake(&mut files, &folder, |lines| lines.set("keep_until", time));
    (files, folder)
}

/// With a folder of the first segment that has no checkpoint, and this origin.
fn without_checkpoint(mut files: Files, origin: &str) -> Files {
    let folder = folder(&files, 1);
    remake(&mut files, &folder, |lines| {
        lines.remove_file("checkpoint");
        lines.remove_file(STATE);
        lines.set_lines("checkpoint", &["null,"]);
        lines.set("origin", &format!("\"{origin}\""));
    });
    files
}

#[test]
fn what_an_archived_file_must_not_be_is_refused() {
    run(CASES);
}
