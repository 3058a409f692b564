//! An archive is verified in place, and dropped segments come back from it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod running;

use std::path::Path;
use std::sync::Arc;

use bulla::Log;
use bulla::archive::DirectoryStore;
use bulla::catalog::Catalog;
use bulla::disk::RealDisk;
use bulla::format::catalog_body::{ArchivedAt, Because, CatalogBody, DropBegun, DropDone, Sealed};
use bulla::retention::Asked;
use bulla::time::SystemClock;
use running::{at, fine, refused, run};

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
        log.archive(ordinal, &store, &Asked::by("test")).unwrap();
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
    let summary: serde_json::Value = serde_json::from_str(told.trim()).unwrap();
    assert_eq!((&summary["clean"], &summary["segment"]), (&true.into(), &2.into()));

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
    let dir = Path::new(dir);
    let log = Log::open(dir).unwrap();
    let log_id = log.stats().unwrap().log_id;
    log.close().unwrap();
    let opened = Catalog::open(
        Arc::new(RealDisk),
        &dir.join("catalog"),
        log_id,
        Arc::new(SystemClock::default()),
        &dir.join("quarantine"),
    );
    let mut catalog = opened.unwrap().0;
    let sealed: Sealed = catalog.state().segment(1).unwrap();
    let archived = catalog.state().archived(1).unwrap();
    let (location, digest) = (archived.location.to_owned(), archived.digest);
    let begun = DropBegun {
        ordinal: 1,
        first: sealed.first,
        count: sealed.count,
        bytes: sealed.bytes,
        times: sealed.times,
        start_root: [0; 32],
        end_root: sealed.end_root,
        range: vec![sealed.end_root],
        header: sealed.header,
        index_root: sealed.index_root,
        keep_until: sealed.keep_until,
        policy: 0,
        now: 0,
        now_from: 0,
        holds: 0,
        scanned: sealed.count,
        archived: Some(ArchivedAt { location: &location, digest }),
    };
    catalog.append(&CatalogBody::DropBegun(begun), &Because::default()).unwrap();
    for name in ["00000001.seg", "00000001.idx"] {
        std::fs::remove_file(dir.join("segments").join(name)).unwrap();
    }
    let done = DropDone { ordinal: 1, done_at: 0 };
    catalog.append(&CatalogBody::DropDone(done), &Because::default()).unwrap();
}

#[test]
fn restore_brings_back_what_was_dropped() {
    let place = tempfile::tempdir().unwrap();
    let (dir, archive, _) = archived(place.path());
    let who = ["--who", "alice", "--why", "case 7"];
    let none = refused(2, &[&["restore", &dir, &archive], &who[..]].concat());
    assert!(none.contains("no dropped segment of this log"), "{none}");
    let segment = std::fs::read(Path::new(&dir).join("segments/00000001.seg")).unwrap();
    drop_first(&dir);
    let here = refused(2, &[&["restore", &dir, &archive, "--segment", "2"], &who[..]].concat());
    assert!(here.contains("segment 2"), "{here}");
    let told = fine(&[&["restore", &dir, &archive, "--segment", "1"], &who[..]].concat());
    assert!(told.contains("segment 1 is back, with records 0 to 1"), "{told}");
    assert_eq!(std::fs::read(Path::new(&dir).join("segments/00000001.seg")).unwrap(), segment);
    let found = fine(&["query", &dir, "--actor", "u0", "--output", "jsonl"]);
    assert_eq!(found.lines().count(), 1, "{found}");
    let history = fine(&["history", &dir, "--output", "jsonl"]);
    assert!(history.contains("segment restored") && history.contains("case 7"), "{history}");
    fine(&["verify", &dir]);
}
