//! Keys, checkpoints, proofs and verification on the command line; and what an alteration
//! looks like.

// Clippy lets tests panic, but does not count the functions they share as tests.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use crate::running::{
    at, bulla, fine, jsonl, new_log, refused, run, sample, sample_log, signed_log,
};
use bulla::disk::{RealDisk, replace_file};

#[test]
fn a_key_is_private_and_never_overwritten() {
    let (dir, log) = new_log();
    let key = at(dir.path(), "audit.key");
    let vkey = fine(&["keygen", &key, "--log", &log]);
    assert!(vkey.starts_with("example.com/audit+"), "{vkey}");
    assert_eq!(fs::read_to_string(format!("{key}.pub")).unwrap(), vkey);
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let before = fs::read(&key).unwrap();
    refused(2, &["keygen", &key, "--log", &log]);
    fs::remove_file(format!("{key}.pub")).unwrap();
    refused(2, &["keygen", &key, "--log", &log]);
    assert_eq!(fs::read(&key).unwrap(), before);
    assert!(refused(2, &["keygen", &at(Path::new(&log), "key"), "--log", &log]).contains("inside"));
    // A key of another origin signs nothing here.
    let other = at(dir.path(), "other.key");
    fine(&["keygen", &other, "--origin", "example.com/other"]);
    assert!(refused(2, &["checkpoint", &log, "--key", &other]).contains("example.com/other"));
}

#[test]
fn a_record_is_proved_to_a_stranger_with_its_payload_shown_or_withheld() {
    let (dir, log) = signed_log();
    let public = at(dir.path(), "audit.key.pub");
    let vkey = fs::read_to_string(&public).unwrap();
    for (withheld, key) in [(false, public.as_str()), (true, vkey.trim())] {
        let file = at(dir.path(), "record.tlog-proof");
        let mut arguments = vec!["prove", &log, "7", "-o", &file];
        arguments.extend(withheld.then_some("--withhold-payload"));
        fine(&arguments);
        let record = jsonl(&fine(&["get", &log, "7", "--output", "jsonl"])).remove(0);
        let told = fine(&["verify-proof", &file, "--pubkey", key]);
        assert!(told.starts_with("PROVED"), "{told}");
        assert!(told.contains("record 7 of the first 43 records"), "{told}");
        assert_eq!(told.contains("sourceIPAddress"), !withheld, "{told}");
        let proved = fine(&["verify-proof", &file, "--pubkey", key, "--output", "jsonl"]);
        let proved = jsonl(&proved).remove(0);
        assert_eq!(proved["record"]["leaf_hash"], record["leaf_hash"]);
        assert_eq!(proved["record"]["actor"]["id"], record["actor"]["id"]);
        assert_eq!(proved["record"] == record, !withheld);
        assert_eq!(proved["record"]["payload"] == "withheld", withheld, "{proved}");
    }
}

#[test]
fn a_proof_that_was_altered_or_is_of_another_log_proves_nothing() {
    let (dir, log) = signed_log();
    let (other_dir, _other) = signed_log();
    let file = at(dir.path(), "record.tlog-proof");
    fine(&["prove", &log, "7", "-o", &file]);
    let public = at(dir.path(), "audit.key.pub");
    let other = at(other_dir.path(), "audit.key.pub");
    assert!(refused(1, &["verify-proof", &file, "--pubkey", &other]).contains("not proved"));
    let whole = fs::read_to_string(&file).unwrap();
    let altered = whole.replace("index 7", "index 8");
    assert_ne!(altered, whole);
    for bad in [altered.as_str(), &whole[..whole.len() / 2], "", "\u{0}"] {
        fs::write(&file, bad).unwrap();
        let stderr = refused(1, &["verify-proof", &file, "--pubkey", &public]);
        assert!(stderr.contains("not proved"), "{stderr}");
    }
    refused(2, &["verify-proof", &at(dir.path(), "none"), "--pubkey", &public]);
    refused(2, &["verify-proof", &file, "--pubkey", "nonsense"]);
    let private = at(dir.path(), "audit.key");
    assert!(refused(2, &["verify-proof", &file, "--pubkey", &private]).contains("private"));
}

#[test]
fn files_in_the_present_directory_need_no_path() {
    let (dir, log) = sample_log();
    let here = |arguments: &[&str]| {
        let output = bulla(arguments).current_dir(dir.path()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {stderr}");
    };
    assert!(Path::new(&log).ends_with("audit"));
    here(&["keygen", "audit.key", "--log", "audit"]);
    here(&["checkpoint", "audit", "--key", "audit.key", "-o", "kept"]);
    here(&["prove", "audit", "0", "-o", "proof", "--checkpoint", "kept"]);
    here(&["verify-proof", "proof", "--pubkey", "audit.key.pub"]);
    here(&["verify", "audit", "--checkpoint", "kept", "--pubkey", "audit.key.pub"]);
}

#[test]
fn a_record_without_a_checkpoint_over_it_says_what_to_do() {
    let (dir, log) = sample_log();
    let file = at(dir.path(), "record.tlog-proof");
    assert!(refused(2, &["prove", &log, "7", "-o", &file]).contains("bulla checkpoint"));
    assert!(refused(2, &["prove", &log, "99", "-o", &file]).contains("42 records"));
    assert!(!Path::new(&file).exists());
    let (dir, log) = signed_log();
    fine(&["append", &log, "--actor", "u:a", "--action", "x.y", "--resource", "r"]);
    let file = at(dir.path(), "record.tlog-proof");
    assert!(refused(2, &["prove", &log, "43", "-o", &file]).contains("bulla checkpoint"));
    let kept = at(dir.path(), "kept.checkpoint");
    fine(&["prove", &log, "7", "-o", &file, "--checkpoint", &kept]);
}

#[test]
fn an_altered_byte_is_named_with_its_file_offset_and_record() {
    let (dir, log) = signed_log();
    bulla::Log::open(&log).unwrap().rotate().unwrap();
    fine(&["verify", &log]);
    let kept = at(dir.path(), "kept.checkpoint");
    let public = at(dir.path(), "audit.key.pub");
    assert!(fine(&["verify", &log, "--checkpoint", &kept, "--pubkey", &public]).contains("clean"));
    let segment = &jsonl(&fine(&["segments", &log, "--output", "jsonl"]))[0];
    let path = segment["path"].as_str().unwrap();
    let mut records = fs::read(path).unwrap();
    let place = records.windows(8).position(|window| window == b"mallory\"").unwrap();
    records[place] = b'M';
    replace_file(&RealDisk, Path::new(path), &records).unwrap(); // it is read-only
    let ran = run(&["verify", &log]);
    assert_eq!(ran.status, 1, "{}", ran.stdout);
    assert!(ran.stdout.contains("00000001.seg") && ran.stdout.contains("NOT CLEAN"));
    let findings = jsonl(&run(&["verify", &log, "--output", "jsonl"]).stdout);
    let found = findings.iter().find(|finding| finding["seq"].is_number()).unwrap();
    assert_eq!(found["segment"], 1);
    let offset = found["offset"].as_u64().unwrap();
    assert!(offset <= place as u64 && place as u64 - offset < 8_000, "{found}");
    // Reading that record is refused as well; others are still there.
    let seq = found["seq"].as_u64().unwrap();
    refused(1, &["get", &log, &seq.to_string()]);
    fine(&["get", &log, "0"]);
}

#[test]
fn a_log_that_was_rewritten_is_caught_by_a_checkpoint_kept_elsewhere() {
    let (dir, _log) = signed_log();
    let kept = at(dir.path(), "kept.checkpoint");
    let public = at(dir.path(), "audit.key.pub");
    let forged = at(dir.path(), "forged");
    fine(&["init", &forged, "--origin", "example.com/audit"]);
    fine(&["import", &forged, &sample("k8s.jsonl"), "--format", "k8s"]);
    fine(&["verify", &forged]);
    let ran = run(&["verify", &forged, "--checkpoint", &kept, "--pubkey", &public]);
    assert_eq!(ran.status, 1, "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn reading_works_while_another_process_writes_and_writing_says_who_does() {
    let (dir, log) = signed_log();
    let mut writer = bulla(&["append", &log, "--stdin", "--output", "jsonl"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = writer.stdin.take().unwrap();
    let event = r#"{"actor":{"type":"u","id":"a"},"action":"x.y","resource":{"type":"r"}}"#;
    writeln!(stdin, "{event}").unwrap();
    let mut ack = String::new();
    BufReader::new(writer.stdout.as_mut().unwrap()).read_line(&mut ack).unwrap();
    for arguments in [
        vec!["query", &log],
        vec!["get", &log, "43"],
        vec!["tail", &log],
        vec!["segments", &log],
        vec!["stats", &log],
        vec!["history", &log],
        vec!["verify", &log],
        vec!["prove", &log, "3", "-o", &at(dir.path(), "p")],
    ] {
        fine(&arguments);
    }
    let stderr =
        refused(2, &["append", &log, "--actor", "u:a", "--action", "x.y", "--resource", "r"]);
    assert!(stderr.contains(&writer.id().to_string()), "{stderr}");
    drop(stdin);
    assert!(writer.wait().unwrap().success());
}
