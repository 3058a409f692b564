//! Changes of keys on the command line: who believes whom afterwards, and where keys may be.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::running::{at, fine, refused, run, signed_log};
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
        // A key makes known those after it, not those before.
        let kept = at(dir.path(), "kept.checkpoint");
        fine(&[&["prove", &log, "-o", &file, "--checkpoint", &kept], seqs].concat());
        fine(&["verify-proof", &file, "--pubkey", &at(dir.path(), "audit.key.pub")]);
        let last = at(dir.path(), "audit-3.key.pub");
        let told = refused(1, &["verify-proof", &file, "--pubkey", &last]);
        assert!(told.contains("give an earlier key") && !told.contains("--keys"), "{told}");
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

#[test]
fn a_key_does_not_get_into_a_log_by_a_detour() {
    let (dir, log) = signed_log();
    let key = at(dir.path(), "audit.key");
    symlink(&log, dir.path().join("link")).unwrap();
    symlink(Path::new(&log).join("dangling"), dir.path().join("to-be")).unwrap();
    fs::create_dir(dir.path().join("beside")).unwrap();
    for place in ["beside/../audit/k", "link/k", "link/checkpoints/../k", "to-be"] {
        let next = at(dir.path(), place);
        let told = refused(2, &["keygen", &next, "--log", &log]);
        assert!(told.contains("inside the log"), "{place}: {told}");
        let told = refused(2, &["key", "rotate", &log, "--key", &key, "--next", &next]);
        assert!(told.contains("inside the log"), "{place}: {told}");
        refused(2, &["keygen", &next, "--origin", "example.com/other"]);
    }
    // The log itself is named by a detour.
    let link = at(dir.path(), "link");
    refused(2, &["keygen", &at(Path::new(&log), "k"), "--log", &link]);
    assert!(!Path::new(&log).join("k").exists() && !Path::new(&log).join("dangling").exists());
    fine(&["keygen", &at(dir.path(), "audit/../other.key"), "--log", &link]);
}

#[test]
fn results_overwrite_no_key_and_go_into_no_log() {
    let (dir, log) = signed_log();
    let (key, link) = (at(dir.path(), "audit.key"), at(dir.path(), "link"));
    symlink(&log, &link).unwrap();
    let before = fs::read(&key).unwrap();
    let inside = at(Path::new(&link), "checkpoints/mine");
    append(&log);
    for (file, told) in [(&key, "private key"), (&inside, "inside the log")] {
        for command in [
            &["prove", &log, "7"][..],
            &["prove", &log, "--state", "log"],
            &["checkpoint", &log, "--key", &key],
            &["key", "chain", &log],
        ] {
            let stderr = refused(2, &[command, &["-o", file]].concat());
            assert!(stderr.contains(told), "{command:?}: {stderr}");
        }
    }
    assert_eq!(fs::read(&key).unwrap(), before);
    assert!(!Path::new(&inside).exists());
    let signed = fs::read_dir(Path::new(&log).join("checkpoints")).unwrap().count();
    assert_eq!(signed, 1, "nothing was signed");
    fine(&["prove", &log, "7", "-o", "/dev/null"]);
}

#[test]
fn a_retirement_says_what_was_abandoned_and_wants_a_key_of_the_new_origin() {
    let (dir, log) = signed_log();
    let key = |name: &str| at(dir.path(), name);
    // An old backup is restored: the key signed more than the log holds then.
    let backup = key("backup");
    assert!(
        std::process::Command::new("cp").args(["-r", &log, &backup]).status().unwrap().success()
    );
    append(&log);
    let lost = fine(&["checkpoint", &log, "--key", &key("audit.key")]);
    fs::rename(&log, key("lost")).unwrap();
    fs::rename(&backup, &log).unwrap();
    fine(&["keygen", &key("other.key"), "--origin", "example.com/other"]);
    let retire = |next: &str| {
        let (key, next) = (key("audit.key"), key(next));
        let new = ["--origin", "example.com/audit-2", "--next", &next];
        run(&[&["key", "retire", &log, "--key", &key], &new[..]].concat())
    };
    let ran = retire("other.key");
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("expected a key of example.com/audit-2"), "{}", ran.stderr);
    let ran = retire("audit-2.key");
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let kept = fs::read_to_string(at(dir.path(), "kept.checkpoint")).unwrap();
    for (note, told) in [
        (&lost, "abandoned is its head of 45 records, root "),
        (&kept, "kept, of 43 records, root "),
    ] {
        let checkpoint = bulla::UnverifiedCheckpoint::parse(note.as_bytes()).unwrap();
        let root = checkpoint.dangerously_unverified().head().root;
        assert!(ran.stderr.contains(&format!("{told}{root}")), "{}", ran.stderr);
    }
    // A checkpoint of the former origin is still one of this log.
    fine(&["checkpoint", &log, "--key", &key("audit-2.key")]);
    let old = key("kept.checkpoint");
    let (since, chain) = (key("since"), key("chain"));
    let (first, second) = (key("audit.key.pub"), key("audit-2.key.pub"));
    fine(&["prove", &log, "--from", &old, "-o", &since]);
    fine(&["key", "chain", &log, "-o", &chain]);
    let told = fine(&["verify-proof", &since, "--keys", &chain, "--pubkey", &first]);
    assert!(told.contains("PROVED"), "{told}");
    // Without the chain nobody knows that the one origin follows the other.
    let ran = run(&["verify-proof", &since, "--pubkey", &first, "--pubkey", &second]);
    assert_eq!(ran.status, 1, "{}", ran.stderr);
}

#[test]
fn a_chain_without_changes_is_shown_as_that() {
    let (dir, log) = signed_log();
    let chain = at(dir.path(), "audit.keys");
    fine(&["key", "chain", &log, "-o", &chain]);
    let told = fine(&["key", "show", &chain, "--pubkey", &at(dir.path(), "audit.key.pub")]);
    assert!(told.contains("no change of keys yet"), "{told}");
    let help = fine(&["key", "--help"]);
    assert!(["epoch", "key chain", "recovery key"].iter().all(|word| help.contains(word)));
}
