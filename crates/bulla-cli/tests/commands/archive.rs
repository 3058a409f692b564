//! An archive is verified in place, and dropped segments come back from it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use crate::running::{at, fine, jsonl, refused, run};
use bulla::archive::DirectoryStore;
use bulla::{Attribution, ExpireOptions, Log, Period, Policy};

/// A signed log with two sealed segments, and an archive of both.
fn archived(place: &Path) -> (String, String, String) {
    let (dir, archive, key) = (at(place, "audit"), at(place, "archive"), at(place, "key"));
    fine(&["init", &dir, "--origin", "example.com/audit"]);
    let log = Log::open(&dir).unwrap();
    for n in 0..4 {
        let event = bulla::Event::new(
            bulla::Actor::new("user", format!("u{n}")),
            "x.read",
            bulla::Resource::new("x", "1"),
        );
        log.append(&event).unwrap();
        if n % 2 == 1 {
            log.rotate().unwrap();
        }
    }
    log.close().unwrap();
    fine(&["keygen", &key, "--log", &dir]);
    fine(&["checkpoint", &dir, "--key", &key]);
    let log = Log::open(&dir).unwrap();
    let store = DirectoryStore::open_or_create(&archive).unwrap();
    for ordinal in [1, 2] {
        log.archive().copy(ordinal, &store, &Attribution::by("test")).unwrap();
    }
    log.close().unwrap();
    (dir, archive, format!("{key}.pub"))
}

#[test]
fn verify_says_what_an_archive_shows() {
    let place = tempfile::tempdir().unwrap();
    let (_, archive, key) = archived(place.path());
    let told = fine(&["verify", &archive]);
    assert!(told.contains("signatures not checked"), "{told}");
    assert!(told.contains("clean: 2 folders"), "{told}");
    let told = fine(&["verify", &archive, "--pubkey", &key]);
    assert!(told.contains("signed by example.com/audit, and in its catalog as sealed"), "{told}");
    let log = std::fs::read_dir(&archive).unwrap().next().unwrap().unwrap().path();
    let folder = log.join("00000002");
    // One folder, carried off.
    let alone = place.path().join("alone");
    std::fs::rename(&folder, &alone).unwrap();
    let told = fine(&["verify", &at(place.path(), "alone"), "--pubkey", &key, "--output", "jsonl"]);
    let lines = jsonl(&told);
    assert_eq!((&lines[0]["clean"], &lines[0]["segment"]), (&true.into(), &2.into()));
    let total = lines.last().unwrap();
    assert_eq!((&total["clean"], &total["folders"]), (&true.into(), &1.into()));

    let path = alone.join("segment.seg");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[700] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let ran = run(&["verify", &at(place.path(), "alone")]);
    assert_eq!(ran.status, 1, "{}", ran.stderr);
    assert!(
        ran.stdout.contains("segment.seg") && ran.stdout.contains("NOT CLEAN"),
        "{}",
        ran.stdout
    );
    std::fs::remove_file(log.join("00000001/MANIFEST.json")).unwrap();
    let ran = run(&["verify", &archive]);
    assert_eq!(ran.status, 1, "{}", ran.stdout);
    let said = refused(2, &["verify", &archive, "--since", &key, "--pubkey", &key]);
    assert!(said.contains("archive") || said.contains("checkpoint"), "{said}");
}

/// What expiry does.
fn drop_first(dir: &str) {
    let log = Log::open(dir).unwrap();
    log.retention().set_policy(&Policy::keep(Period::ZERO), &Attribution::by("test")).unwrap();
    let expiry =
        log.retention().expire(&ExpireOptions::new().at_most(1), &Attribution::by("test")).unwrap();
    assert_eq!(expiry.dropped.len(), 1, "{:?}", expiry.stayed);
    log.close().unwrap();
}

#[test]
fn restore_brings_back_what_was_dropped() {
    let place = tempfile::tempdir().unwrap();
    let (dir, archive, key) = archived(place.path());
    let who = ["--who", "alice", "--why", "case 7"];
    let none = refused(2, &[&["restore", &dir, &archive], &who[..]].concat());
    assert!(none.contains("no dropped segment of this log"), "{none}");
    let segment = std::fs::read(Path::new(&dir).join("segments/00000001.seg")).unwrap();
    drop_first(&dir);
    let here = refused(2, &[&["restore", &dir, &archive, "--segment", "2"], &who[..]].concat());
    assert!(here.contains("segment 2 is live"), "{here}");
    let none = refused(2, &[&["restore", &dir, &archive, "--segment", "9"], &who[..]].concat());
    assert!(none.contains("has no segment 9"), "{none}");
    // With a key the checkpoint in the folder must be signed by it, before anything changes.
    let (other, _) = (
        at(place.path(), "other"),
        fine(&["keygen", &at(place.path(), "other"), "--origin", "example.com/audit"]),
    );
    let restore = |key: &str| {
        run(&[&["restore", &dir, &archive, "--segment", "1", "--pubkey", key], &who[..]].concat())
    };
    let ran = restore(&format!("{other}.pub"));
    assert_eq!(ran.status, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("found only those by example.com/audit"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("found expected"), "{}", ran.stderr);
    let ran = restore(&key);
    assert!(ran.stdout.contains("signed by example.com/audit"), "{}{}", ran.stdout, ran.stderr);
    fine(&[&["retain", &dir, "--drop-restored", "--at-most", "1"], &who[..]].concat());
    let told = fine(&[&["restore", &dir, &archive, "--segment", "1"], &who[..]].concat());
    assert!(told.contains("segment 1 is back, with records 0 to 1"), "{told}");
    assert_eq!(std::fs::read(Path::new(&dir).join("segments/00000001.seg")).unwrap(), segment);
    let found = fine(&["query", &dir, "--actor", "u0", "--output", "jsonl"]);
    assert_eq!(found.lines().count(), 1, "{found}");
    let history = fine(&["history", &dir, "--output", "jsonl"]);
    assert!(history.contains("segment restored") && history.contains("case 7"), "{history}");
    fine(&["verify", &dir]);
}
