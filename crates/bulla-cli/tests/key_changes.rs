//! Changes of keys on the command line: who believes whom afterwards, and where keys may be.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

mod running;

use std::path::Path;

use running::{at, fine, refused, signed_log};
use tempfile::TempDir;

fn append(log: &str) {
    fine(&["append", log, "--actor", "user:eve", "--action", "x.y", "--resource", "r/1"]);
}

/// A log that was signed by `audit.key`, then by `audit-2.key`, then by `audit-3.key`.
fn rotated() -> (TempDir, String) {
    let (dir, log) = signed_log();
    let key = |name: &str| at(dir.path(), name);
    for (old, next) in [("audit.key", "audit-2.key"), ("audit-2.key", "audit-3.key")] {
        append(&log);
        fine(&["key", "rotate", &log, "--key", &key(old), "--next", &key(next)]);
    }
    append(&log);
    fine(&["checkpoint", &log, "--key", &key("audit-3.key")]);
    (dir, log)
}

#[test]
fn the_first_key_is_enough_for_proofs_of_records_after_rotations() {
    let (dir, log) = rotated();
    let file = at(dir.path(), "proof");
    for seqs in [&["7"][..], &["7", "9"]] {
        fine(&[&["prove", &log, "-o", &file], seqs].concat());
        for key in ["audit.key.pub", "audit-2.key.pub", "audit-3.key.pub"] {
            fine(&["verify-proof", &file, "--pubkey", &at(dir.path(), key)]);
        }
    }
}

#[test]
fn other_proofs_need_the_key_chain_and_say_so() {
    let (dir, log) = rotated();
    let (file, chain) = (at(dir.path(), "proof"), at(dir.path(), "audit.keys"));
    let (first, kept) = (at(dir.path(), "audit.key.pub"), at(dir.path(), "kept.checkpoint"));
    fine(&["key", "chain", &log, "-o", &chain]);
    for what in [["--from", &kept], ["--state", "log"], ["--catalog", "0"]] {
        fine(&[&["prove", &log, "-o", &file], &what[..]].concat());
        let told = refused(1, &["verify-proof", &file, "--pubkey", &first]);
        assert!(told.contains("--keys (`bulla key chain DIR`)"), "{told}");
        fine(&["verify-proof", &file, "--pubkey", &first, "--keys", &chain]);
    }
    // A chain of another log adds nothing, and a file that is none is told.
    let (other_dir, other) = rotated();
    let others = at(other_dir.path(), "audit.keys");
    fine(&["key", "chain", &other, "-o", &others]);
    let told = refused(1, &["verify-proof", &file, "--pubkey", &first, "--keys", &others]);
    assert!(told.contains("audit.keys"), "{told}");
    refused(2, &["verify-proof", &file, "--pubkey", &first, "--keys", &kept]);
}

#[test]
fn a_proof_by_an_unknown_key_is_told_with_what_may_help() {
    let (dir, log) = signed_log();
    let (other_dir, _other) = signed_log();
    let file = at(dir.path(), "proof");
    for seqs in [&["7"][..], &["7", "9"]] {
        fine(&[&["prove", &log, "-o", &file], seqs].concat());
        let other = at(other_dir.path(), "audit.key.pub");
        let told = refused(1, &["verify-proof", &file, "--pubkey", &other]);
        assert!(told.contains("--keys"), "{told}");
    }
}

#[test]
fn an_export_counts_the_keys_before_and_after_the_given_one() {
    let (dir, log) = rotated();
    for (out, key) in [("a", "audit.key.pub"), ("b", "audit-3.key.pub")] {
        let key = at(dir.path(), key);
        fine(&["export-tiles", &log, &at(dir.path(), out), "--pubkey", &key]);
    }
    let (dir, log) = signed_log();
    let (other_dir, _other) = signed_log();
    let other = at(other_dir.path(), "audit.key.pub");
    let told = refused(1, &["export-tiles", &log, &at(dir.path(), "c"), "--pubkey", &other]);
    assert!(told.contains("expected a signature by a given key, found only"), "{told}");
    assert_eq!(told.matches("expected").count(), 1, "{told}");
    let (_dir, log) = rotated();
    refused(1, &["export-tiles", &log, &at(dir.path(), "d"), "--pubkey", &other]);
    assert!(!Path::new(&at(dir.path(), "d/checkpoint")).exists());
}
