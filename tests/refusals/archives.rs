//! R-ARCH: folders of an archive.

use crate::bases::Base;
use crate::cases::{As, By, Case, run};
use crate::forge::Forge;
use crate::forge::archive::{Manifest, folder, quoted, remake};
use crate::forge::files::Files;

use As::{Corrupt, Finding, Unsupported};
use By::{Restore, VerifyArchive};

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
        "R-ARCH-1",
        "no manifest",
        |forge| {
            let (mut files, folder) = made(&forge);
            files.remove(&format!("{folder}MANIFEST.json"));
            files
        },
        both!("a manifest")
    ),
    archived!(
        "R-ARCH-2",
        "more than 256 KiB",
        |forge| spelled(&forge, |text| text + &" ".repeat(256 << 10)),
        both!("at most 262144 bytes")
    ),
    archived!(
        "R-ARCH-2",
        "no JSON",
        |forge| spelled(&forge, |text| text.replacen('{', "[", 1)),
        both!("its members")
    ),
    archived!(
        "R-ARCH-2",
        "an unknown member",
        |forge| manifest(&forge, |lines| lines.0.insert(1, "  \"more\": 1,".to_owned())),
        both!("its members")
    ),
    archived!(
        "R-ARCH-2",
        "a member that is missing",
        |forge| manifest(&forge, |lines| lines.0.retain(|line| !line.contains("\"count\""))),
        both!("its members")
    ),
    archived!(
        "R-ARCH-2",
        "members in another order",
        |forge| manifest(&forge, |lines| lines.0.swap(6, 7)),
        both!("the one spelling that the format has")
    ),
    archived!(
        "R-ARCH-2",
        "another space",
        |forge| manifest(&forge, |lines| lines.0[3].push(' ')),
        both!("the one spelling that the format has")
    ),
    archived!(
        "R-ARCH-2",
        "a number with a zero in front",
        |forge| manifest(&forge, |lines| lines.set("count", "021")),
        both!("its members")
    ),
    archived!(
        "R-ARCH-2",
        "a hash in capital letters",
        |forge| {
            manifest(&forge, |lines| {
                let header = lines.get("header").to_uppercase();
                lines.set("header", &header);
            })
        },
        both!("the one spelling that the format has")
    ),
    archived!(
        "R-ARCH-2",
        "a time with fewer digits",
        |forge| manifest(&forge, |lines| lines.set("archived_at", "\"2026-01-01T00:00:00Z\"")),
        both!("the one spelling that the format has")
    ),
    archived!(
        "R-ARCH-3",
        "a newer version",
        |forge| manifest(&forge, |lines| lines.set("version", "2")),
        &[
            (VerifyArchive, Unsupported, "archive manifest version 2, newest known here is 1"),
            (Restore, Unsupported, "archive manifest version 2, newest known here is 1")
        ]
    ),
    archived!(
        "R-ARCH-4",
        "another format",
        |forge| manifest(&forge, |lines| lines.set("format", "\"other\"")),
        both!("bulla-archive version 1")
    ),
    archived!(
        "R-ARCH-4",
        "version 0",
        |forge| manifest(&forge, |lines| lines.set("version", "0")),
        both!("bulla-archive version 1")
    ),
    archived!(
        "R-ARCH-5",
        "another check",
        |forge| {
            spelled(&forge, |text| {
                let (before, check) = text.split_once("\"check\": \"").unwrap();
                format!("{before}\"check\": \"{}{}", "0".repeat(8), &check[8..])
            })
        },
        both!("check ")
    ),
    archived!(
        "R-ARCH-6",
        "an unknown hash",
        |forge| manifest(&forge, |lines| lines.set("hash", "\"md5\"")),
        both!("hash sha256 or blake3")
    ),
    archived!(
        "R-ARCH-6",
        "a log id that is too short",
        |forge| manifest(&forge, |lines| lines.set("log_id", "\"00\"")),
        both!("a log id of 32 hexadecimal digits")
    ),
    archived!(
        "R-ARCH-6",
        "the ordinal 0",
        |forge| manifest(&forge, |lines| lines.set("ordinal", "0")),
        both!("an ordinal from 1")
    ),
    archived!(
        "R-ARCH-6",
        "no record",
        |forge| manifest(&forge, |lines| lines.set("count", "0")),
        both!("a count of records, at least 1")
    ),
    archived!(
        "R-ARCH-6",
        "more records than there are numbers",
        |forge| {
            let mut files = forge.write();
            let folder = folder(&files, 2);
            remake(&mut files, &folder, |lines| lines.set("count", &u64::MAX.to_string()));
            files
        },
        both!("a count of records, at least 1")
    ),
    archived!(
        "R-ARCH-6",
        "a segment of more than 8 GiB",
        |forge| manifest(&forge, |lines| lines.set("bytes", "8589934593")),
        both!("a segment of at most 8 GiB")
    ),
    archived!(
        "R-ARCH-6",
        "peaks of another tree",
        |forge| manifest(&forge, |lines| {
            let peak = format!("    {}", quoted(&[7; 32]));
            lines.set_lines("start_peaks", &["[", &peak, "  ],"]);
        }),
        both!("peaks of the tree before")
    ),
    archived!(
        "R-ARCH-7",
        "an unknown file",
        |forge| {
            manifest(&forge, |lines| {
                let name = lines.0.iter_mut().find(|line| line.contains("segment.idx")).unwrap();
                *name = name.replace("segment.idx", "segment.xyz");
            })
        },
        both!("known files, each once and in their order")
    ),
    archived!(
        "R-ARCH-7",
        "no segment",
        |forge| manifest(&forge, |lines| lines.remove_file("segment.seg")),
        both!("a file segment.seg of the segment's size")
    ),
    archived!(
        "R-ARCH-7",
        "a segment of another size than the one it names",
        |forge| manifest(&forge, |lines| lines.set("bytes", "100")),
        both!("a file segment.seg of the segment's size")
    ),
    archived!(
        "R-ARCH-7",
        "a checkpoint without its file",
        |forge| manifest(&forge, |lines| lines.remove_file("checkpoint")),
        both!("a checkpoint and its file, or neither")
    ),
    archived!(
        "R-ARCH-7",
        "a state proof without a checkpoint",
        |forge| {
            manifest(&forge, |lines| {
                lines.remove_file("checkpoint");
                lines.set_lines("checkpoint", &["null,"]);
            })
        },
        both!("no keys and no state without a checkpoint")
    ),
    archived!(
        "R-ARCH-7",
        "a checkpoint that does not cover the segment",
        |forge| {
            manifest(&forge, |lines| {
                let size = lines.0.iter_mut().find(|line| line.starts_with("    \"size\": "));
                *size.unwrap() = "    \"size\": 5,".to_owned();
            })
        },
        both!("a checkpoint that covers the segment")
    ),
    archived!(
        "R-ARCH-7",
        "no index",
        |forge| {
            let (mut files, folder) = made(&forge);
            remake(&mut files, &folder, |lines| lines.remove_file("segment.idx"));
            files
        },
        both!("the index that the records lead to")
    ),
    archived!(
        "R-ARCH-8",
        "a file that is missing",
        |forge| {
            let (mut files, folder) = made(&forge);
            files.remove(&format!("{folder}segment.idx"));
            files
        },
        both!(" bytes, found no file")
    ),
    archived!(
        "R-ARCH-8",
        "a file that is longer",
        |forge| {
            let (mut files, folder) = made(&forge);
            files.get_mut(&format!("{folder}checkpoint")).push(b'\n');
            files
        },
        both!(" bytes")
    ),
    archived!(
        "R-ARCH-8",
        "a file with another digest",
        |forge| {
            let (mut files, folder) = made(&forge);
            files.get_mut(&format!("{folder}state.bulla-catalog-proof"))[40] ^= 1;
            files
        },
        both!("digest")
    ),
    archived!(
        "R-ARCH-9",
        "the folder of another segment",
        |forge| moved(&forge, |name| name.replace("/00000001/", "/00000002/")),
        &[(VerifyArchive, Finding, "folder: expected")]
    ),
    archived!(
        "R-ARCH-9",
        "the folder of another origin",
        |forge| moved(&forge, |name| name.replace("example.com_audit-", "other-")),
        &[(VerifyArchive, Finding, "folder: expected")]
    ),
    archived!(
        "R-ARCH-10",
        "another origin than that of the checkpoint",
        |forge| {
            let mut files =
                moved(&forge, |name| name.replace("example.com_audit-", "example.com_other-"));
            let folder = folder(&files, 1);
            remake(&mut files, &folder, |lines| lines.set("origin", "\"example.com/other\""));
            files
        },
        both!("\"example.com/other\", or one that was retired for it")
    ),
];

/// The log and its archive, and the folder of its first segment.
pub(crate) fn made(forge: &Forge) -> (Files, String) {
    let files = forge.write();
    let folder = folder(&files, 1);
    (files, folder)
}

/// With another manifest in that folder.
pub(crate) fn manifest(forge: &Forge, change: impl FnOnce(&mut Manifest)) -> Files {
    let (mut files, folder) = made(forge);
    remake(&mut files, &folder, change);
    files
}

/// With another text of the manifest.
fn spelled(forge: &Forge, change: impl FnOnce(String) -> String) -> Files {
    let (mut files, folder) = made(forge);
    let name = format!("{folder}MANIFEST.json");
    let text = String::from_utf8(files.get(&name).to_vec()).unwrap();
    files.put(name, change(text));
    files
}

/// With that folder under another name, and no other one.
fn moved(forge: &Forge, rename: impl Fn(&str) -> String) -> Files {
    let (mut files, folder) = made(forge);
    let kept: Vec<(String, Vec<u8>)> =
        files.below(&folder).map(|name| (rename(name), files.get(name).to_vec())).collect();
    files.retain(|name| !name.starts_with("archive/"));
    kept.into_iter().for_each(|(name, bytes)| files.put(name, bytes));
    files
}

#[test]
fn what_a_folder_of_an_archive_must_not_be_is_refused() {
    run(CASES);
}
