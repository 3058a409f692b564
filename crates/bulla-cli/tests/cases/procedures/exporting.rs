//! An exported log whose files are missing or altered.

use std::fs;
use std::path::Path;

use super::events_file;
use crate::running::{at, fine, refused};

/// A signed and sealed log of 600 events, with its export.
fn exported() -> (tempfile::TempDir, String, String) {
    let dir = tempfile::tempdir().unwrap();
    let (log, key) = (at(dir.path(), "log"), at(dir.path(), "key"));
    let events = events_file(dir.path(), "in.jsonl", 600);
    fine(&["import", &log, &events, "--create", "--format", "jsonl", "--origin", "ex.example/log"]);
    fine(&["keygen", &key, "--log", &log]);
    fine(&["checkpoint", &log, "--key", &key, "--seal"]);
    let out = at(dir.path(), "pub");
    fine(&["export-tiles", &log, &out]);
    (dir, log, out)
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn an_export_restores_what_is_missing_and_names_what_is_altered() {
    let (dir, log, out) = exported();
    let public = at(dir.path(), "key.pub");
    let file = |name: &str| Path::new(&out).join(name);
    let names =
        ["tile/0/000", "tile/0/001", "tile/1/000.p/2", "tile/entries/000", "tile/entries/001"];
    let whole: Vec<Vec<u8>> = names.iter().map(|name| fs::read(file(name)).unwrap()).collect();
    for (name, whole) in names.iter().zip(&whole) {
        fs::remove_file(file(name)).unwrap();
        refused_by_audit(&out, &public, name);
        let told = fine(&["export-tiles", &log, &out]);
        assert!(told.contains("1 of them had been there and were missing"), "{name}: {told}");
        assert_eq!(&fs::read(file(name)).unwrap(), whole);
        flip(&file(name), 3);
        refused_by_audit(&out, &public, name);
        let told = refused(1, &["export-tiles", &log, &out]);
        assert!(told.contains(name), "{name}: {told}");
        let told = fine(&["export-tiles", &log, &out, "--repair"]);
        assert!(told.contains("replaced") && told.contains(name), "{name}: {told}");
        assert_eq!(&fs::read(file(name)).unwrap(), whole);
    }
    // It is not looked at if that is not wanted.
    fs::remove_file(file("tile/0/000")).unwrap();
    fine(&["export-tiles", &log, &out, "--no-recheck"]);
    assert!(!file("tile/0/000").exists());
    fine(&["export-tiles", &log, &out]);
    // All of them at once.
    names.iter().for_each(|name| flip(&file(name), 40));
    let told = refused(1, &["export-tiles", &log, &out]);
    assert!(names.iter().all(|name| told.contains(name)), "{told}");
    fine(&["export-tiles", &log, &out, "--repair"]);
    let told = fine(&["audit", &out, "--pubkey", &public]);
    assert!(told.contains("clean: 601 records lead to the checkpoint"), "{told}");
}

fn refused_by_audit(out: &str, public: &str, name: &str) {
    let ran = crate::running::run(&["audit", out, "--pubkey", public]);
    assert_ne!(ran.status, 0, "{name}: {}", ran.stdout);
    assert!(ran.stderr.contains(name) || name.contains("entries"), "{name}: {}", ran.stderr);
}
