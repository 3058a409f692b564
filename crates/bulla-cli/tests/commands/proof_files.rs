//! Every kind of proof file on the command line, written and checked by strangers.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

use std::fs;

use crate::running::{at, fine, jsonl, refused, run, sample, signed_log};

/// A log with two checkpoints: of 43 records, kept as `kept.checkpoint`, and a newer one.
fn twice_signed() -> (tempfile::TempDir, String, String) {
    let (dir, log) = signed_log();
    for _ in 0..3 {
        fine(&["append", &log, "--actor", "user:eve", "--action", "x.y", "--resource", "r/1"]);
    }
    fine(&["checkpoint", &log, "--key", &at(dir.path(), "audit.key")]);
    let public = at(dir.path(), "audit.key.pub");
    (dir, log, public)
}

#[test]
fn several_records_make_a_bundle_that_a_stranger_checks() {
    let (dir, log, public) = twice_signed();
    let file = at(dir.path(), "some.bulla-bundle");
    fine(&["prove", &log, "44", "7", "9", "-o", &file, "--withhold-payload"]);
    let told = fine(&["verify-proof", &file, "--pubkey", &public]);
    assert!(told.starts_with("PROVED: the log holds these 3 records"), "{told}");
    assert!(told.contains("user:eve did x.y to r/1: success."), "{told}");
    assert!(told.contains("withheld of 3") && told.contains("NOT PROVED"), "{told}");
    assert!(told.contains("cosigned by nobody you trust"), "{told}");
    let lines = jsonl(&fine(&["verify-proof", &file, "--pubkey", &public, "--output", "jsonl"]));
    assert_eq!((lines.len(), &lines[0]["kind"]), (4, &serde_json::json!("bundle")));
    let seqs: Vec<u64> =
        lines[1..].iter().map(|line| line["record"]["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, [7, 9, 44]);
    // A record exchanged for another.
    let whole = fs::read_to_string(&file).unwrap();
    fs::write(&file, whole.replace("record 9 ", "record 10 ")).unwrap();
    assert!(refused(1, &["verify-proof", &file, "--pubkey", &public]).contains("not proved"));
    assert!(refused(2, &["prove", &log, "7", "99", "-o", &file]).contains("47 records"));
}

#[test]
fn nothing_was_altered_since_a_checkpoint_that_was_kept() {
    let (dir, log, public) = twice_signed();
    let kept = at(dir.path(), "kept.checkpoint");
    let file = at(dir.path(), "since.bulla-consistency");
    for from in [kept.as_str(), "43"] {
        fine(&["prove", &log, "--from", from, "-o", &file]);
        let told = fine(&["verify-proof", &file, "--pubkey", &public]);
        assert!(told.starts_with("PROVED: between the two checkpoints"), "{told}");
        assert!(told.contains("first 43 records are unaltered"), "{told}");
    }
    let verdict = fine(&["verify-proof", &file, "--pubkey", &public, "--output", "jsonl"]);
    let verdict = jsonl(&verdict).remove(0);
    assert_eq!((&verdict["old"]["size"], &verdict["kind"]), (&43.into(), &"consistency".into()));
    assert!(refused(2, &["prove", &log, "--from", "12", "-o", &file]).contains("no checkpoint"));
    // Another log with the same name and key did not grow from that checkpoint.
    let forged = at(dir.path(), "forged");
    fine(&["init", &forged, "--origin", "example.com/audit"]);
    fine(&["import", &forged, &sample("k8s.jsonl"), "--format", "k8s"]);
    let other = at(dir.path(), "other.key");
    fine(&["keygen", &other, "--log", &forged]);
    fine(&["import", &forged, &sample("cloudtrail.jsonl"), "--format", "cloudtrail"]);
    fine(&["checkpoint", &forged, "--key", &other]);
    refused(1, &["prove", &forged, "--from", &kept, "-o", &file]);
}

#[test]
fn a_record_is_shown_to_come_after_a_checkpoint() {
    let (dir, log, public) = twice_signed();
    let (kept, file) = (at(dir.path(), "kept.checkpoint"), at(dir.path(), "late.tlog-proof"));
    fine(&["prove", &log, "44", "--after", &kept, "-o", &file]);
    let told = fine(&["verify-proof", &file, "--pubkey", &public]);
    let line = told.lines().find(|line| line.starts_with("appended after")).unwrap();
    assert!(line.contains("the checkpoint of size 43"), "{told}");
    let verdict = fine(&["verify-proof", &file, "--pubkey", &public, "--output", "jsonl"]);
    assert_eq!(jsonl(&verdict)[0]["appended_after"]["size"], 43);
    let early = refused(2, &["prove", &log, "7", "--after", &kept, "-o", &file]);
    assert!(early.contains("covers record 7 already"), "{early}");
}

#[test]
fn the_catalog_and_what_is_in_force_are_shown_under_a_checkpoint() {
    let (dir, log, public) = twice_signed();
    let file = at(dir.path(), "catalog.bulla-catalog-proof");
    let tell = |arguments: &[&str]| {
        fine(&[&["prove", &log, "-o", &file], arguments].concat());
        fine(&["verify-proof", &file, "--pubkey", &public])
    };
    let told = tell(&["--catalog", "0"]);
    assert!(told.contains("log example.com/audit created"), "{told}");
    let told = tell(&["--state", "log"]);
    assert!(told.starts_with("PROVED: this was in force"), "{told}");
    let told = tell(&["--state", "hold/none"]);
    assert!(told.starts_with("PROVED: nothing was in force under this key"), "{told}");
    let verdict = fine(&["verify-proof", &file, "--pubkey", &public, "--output", "jsonl"]);
    assert_eq!(jsonl(&verdict)[0]["catalog"]["shown"], "not in force");
}

#[test]
fn proofs_of_a_blake3_log_are_verified_by_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let (log, key) = (at(dir.path(), "audit"), at(dir.path(), "audit.key"));
    fine(&["init", &log, "--origin", "example.com/audit", "--hash", "blake3"]);
    fine(&["import", &log, &sample("cloudtrail.jsonl"), "--format", "cloudtrail"]);
    fine(&["keygen", &key, "--log", &log]);
    fine(&["checkpoint", &log, "--key", &key]);
    for seqs in [&["7"][..], &["7", "9"]] {
        let file = at(dir.path(), "proof");
        fine(&[&["prove", &log, "-o", &file], seqs].concat());
        let told = fine(&["verify-proof", &file, "--pubkey", &format!("{key}.pub")]);
        assert!(told.contains("(blake3)") && !told.contains("/catalog"), "{told}");
    }
}

#[test]
fn a_checkpoint_of_another_log_or_beyond_this_one_is_told_as_that() {
    let (dir, log, _public) = twice_signed();
    let (kept, file) = (at(dir.path(), "kept.checkpoint"), at(dir.path(), "proof"));
    let (other, short) = (at(dir.path(), "other"), at(dir.path(), "short"));
    for (log, origin) in [(&other, "example.com/other"), (&short, "example.com/audit")] {
        fine(&["init", log, "--origin", origin]);
        fine(&["append", log, "--actor", "u:a", "--action", "x.y", "--resource", "r"]);
        fine(&["keygen", &format!("{log}.key"), "--log", log]);
        fine(&["checkpoint", log, "--key", &format!("{log}.key")]);
    }
    for option in [&["--from"][..], &["0", "--after"], &["0", "--checkpoint"]] {
        let prove = |log: &str, status| {
            let arguments = [&["prove", log, "-o", &file], option, &[&kept]].concat();
            refused(status, &arguments)
        };
        let told = prove(&other, 2);
        assert!(told.contains("a checkpoint of example.com/audit, this log is"), "{told}");
        let told = prove(&short, 1);
        assert!(told.contains("covers 43 records, the log holds 2: rolled back"), "{told}");
    }
    assert!(!std::path::Path::new(&file).exists());
    fine(&["prove", &log, "--from", &kept, "-o", &file]);
}

#[test]
fn the_same_head_and_an_absence_are_told_as_that() {
    let (dir, log, public) = twice_signed();
    let file = at(dir.path(), "proof");
    fine(&["prove", &log, "--from", "47", "-o", &file]);
    let told = fine(&["verify-proof", &file, "--pubkey", &public]);
    assert!(told.contains("the same head: nothing was added"), "{told}");
    let said = |key: &str| run(&["prove", &log, "--state", key, "-o", &file]).stderr;
    assert!(said("hold/none").contains("proved that nothing is in force under"));
    assert!(said("log").contains("proved what is in force under"));
}

#[test]
fn files_that_are_no_proofs_are_named() {
    let (dir, log, public) = twice_signed();
    let file = at(dir.path(), "file");
    fine(&["prove", &log, "7", "-o", &file]);
    let crlf = fs::read_to_string(&file).unwrap().replace('\n', "\r\n");
    let key = fs::read_to_string(at(dir.path(), "audit.key")).unwrap();
    let chain = fine(&["key", "chain", &log]);
    let kept = fs::read_to_string(at(dir.path(), "kept.checkpoint")).unwrap();
    let verifying = fs::read_to_string(&public).unwrap();
    for (status, text, told) in [
        (1, crlf.as_str(), "CRLF"),
        // It is not read at all.
        (2, &key, "a private key"),
        (1, &chain, "a key chain"),
        (1, &kept, "a checkpoint"),
        (1, &verifying, "a verifying key"),
        (1, "", "an empty file"),
    ] {
        fs::write(&file, text).unwrap();
        let stderr = refused(status, &["verify-proof", &file, "--pubkey", &public]);
        assert!(stderr.contains(told), "{stderr}");
    }
}

#[test]
fn a_policy_says_whose_proofs_are_believed() {
    let (dir, log, public) = twice_signed();
    let (file, policy) = (at(dir.path(), "proof"), at(dir.path(), "policy"));
    fine(&["prove", &log, "7", "-o", &file]);
    let vkey = fs::read_to_string(&public).unwrap();
    fs::write(&policy, format!("log {vkey}quorum none\n")).unwrap();
    fine(&["verify-proof", &file, "--policy", &policy]);
    let (other_dir, ..) = twice_signed();
    let vkey = fs::read_to_string(at(other_dir.path(), "audit.key.pub")).unwrap();
    fs::write(&policy, format!("log {vkey}quorum none\n")).unwrap();
    refused(1, &["verify-proof", &file, "--policy", &policy]);
    fs::write(&policy, "quorum none\n").unwrap();
    assert!(refused(2, &["verify-proof", &file, "--policy", &policy]).contains("names no log"));
}
