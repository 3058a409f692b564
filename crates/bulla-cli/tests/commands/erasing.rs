//! Encrypting and erasing on the command line.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

use crate::running::{at, fine, refused};
use tempfile::TempDir;

/// A log with a key store beside it; the options that name store and wrapping key.
fn encrypted_log() -> (TempDir, String, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let (log, store) = (at(dir.path(), "audit"), at(dir.path(), "audit.keys"));
    let wrapping = at(dir.path(), "wrapping.key");
    fine(&["init", &log]);
    assert_eq!(fine(&["keygen", &wrapping, "--wrapping"]), "");
    fine(&["keystore", "create", &store, "--wrapping-key", &wrapping]);
    let secrets = ["--key-store", &store, "--wrapping-key", &wrapping].map(str::to_owned);
    (dir, log, secrets.to_vec())
}

fn with<'a>(arguments: &[&'a str], secrets: &'a [String]) -> Vec<&'a str> {
    [arguments, &secrets.iter().map(String::as_str).collect::<Vec<_>>()].concat()
}

fn append(log: &str, secrets: &[String], more: &[&str]) {
    let event = ["append", log, "--actor", "user:alice", "--action", "profile.edit"];
    let event = [&event[..], &["--resource", "profile/1", "--ip", "203.0.113.9"], more].concat();
    fine(&with(&event, secrets));
}

#[test]
fn a_payload_is_read_with_the_store_sealed_without_and_erased_for_good() {
    let (dir, log, secrets) = encrypted_log();
    append(&log, &secrets, &["--subject", "user:alice"]);
    append(&log, &secrets, &["--actor-is-subject"]);
    append(&log, &secrets, &["--change-protection", "--who", "dpo"]);
    let get = |seq: &str, secrets: &[String]| {
        fine(&with(&["get", &log, seq, "--output", "jsonl"], secrets))
    };
    assert!(get("0", &secrets).contains("203.0.113.9"));
    assert!(get("1", &secrets).contains("203.0.113.9"));
    assert!(get("0", &[]).contains("\"payload\":\"sealed\""));
    assert!(get("2", &[]).contains("203.0.113.9"));
    assert!(fine(&["get", &log, "0"]).contains("sealed"));
    let listed = fine(&["keystore", "list", &secrets[1], "--wrapping-key", &secrets[3]]);
    assert!(listed.contains("user:alice"), "{listed}");

    let key = at(dir.path(), "audit.key");
    fine(&["keygen", &key, "--log", &log]);
    fine(&["checkpoint", &log, "--key", &key]);
    let proof = at(dir.path(), "proof");
    let told = refused(2, &["prove", &log, "0", "-o", &proof]);
    assert!(told.contains("key store") && told.contains("withhold"), "{told}");
    fine(&with(&["prove", &log, "0", "-o", &proof], &secrets));
    let shown = fine(&["verify-proof", &proof, "--pubkey", &format!("{key}.pub")]);
    assert!(shown.contains("203.0.113.9"), "{shown}");

    let erase = ["erase", &log, "user:alice", "--who", "dpo", "--why", "request 17"];
    refused(2, &erase);
    let told = fine(&with(&erase, &secrets));
    assert!(told.contains("erased 2 payloads"), "{told}");
    refused(2, &with(&erase, &secrets));
    for secrets in [&secrets[..], &[]] {
        let erased = get("0", secrets);
        assert!(erased.contains("\"payload\":\"erased\"") && erased.contains("alice"), "{erased}");
        fine(&with(&["verify", &log], secrets));
    }
    assert!(fine(&["history", &log, "--output", "jsonl"]).contains("request 17"));
    assert_eq!(fine(&["query", &log, "--actor", "alice", "--count"]).trim(), "3");
    fine(&with(&["prove", &log, "0", "-o", &proof], &secrets));
    let shown = fine(&["verify-proof", &proof, "--pubkey", &format!("{key}.pub")]);
    assert!(!shown.contains("203.0.113.9") && shown.contains("alice"), "{shown}");
}

#[test]
fn aliased_actors_are_found_by_their_names_with_the_store() {
    let (_dir, log, secrets) = encrypted_log();
    append(&log, &secrets, &["--actor-is-subject", "--alias-actors"]);
    let count = |actor: &str, secrets: &[String]| {
        let query = ["query", &log, "--actor", actor, "--count"];
        fine(&with(&query, secrets)).trim().to_owned()
    };
    assert_eq!(count("user:alice", &[]), "0");
    assert_eq!(count("user:alice", &secrets), "1");
    append(&log, &secrets, &["--change-protection", "--who", "dpo"]);
    // As a hold on `alice` does: recorded by that name, or under an alias of any type.
    for (actor, secrets, found) in [
        ("alice", &[][..], "1"),
        ("user:alice", &[], "1"),
        ("alice", &secrets, "2"),
        ("user:alice", &secrets, "2"),
        ("service:alice", &secrets, "0"),
    ] {
        assert_eq!(count(actor, secrets), found, "{actor}");
    }
    let typed = ["query", &log, "--actor", "alice", "--actor-type", "user", "--count"];
    assert_eq!(fine(&with(&typed, &secrets)).trim(), "2");
    let erase = ["erase", &log, "user:alice", "--who", "dpo", "--why", "request 17"];
    let told = fine(&with(&erase, &secrets));
    assert!(told.contains("in copies, such as archived segments, is unreadable"), "{told}");
}

#[test]
fn a_list_in_csv_says_what_became_of_each_payload() {
    let (_dir, log, secrets) = encrypted_log();
    append(&log, &secrets, &["--subject", "user:alice"]);
    append(&log, &secrets, &[]);
    let states = |secrets: &[String]| -> Vec<String> {
        let csv = fine(&with(&["query", &log, "--oldest-first", "--output", "csv"], secrets));
        csv.lines().map(|line| line.rsplit(',').next().unwrap().to_owned()).collect()
    };
    assert_eq!(states(&[]), ["payload", "sealed", "plain"]);
    assert_eq!(states(&secrets), ["payload", "decrypted", "plain"]);
    let erase = ["erase", &log, "user:alice", "--who", "dpo", "--why", "request 17"];
    fine(&with(&erase, &secrets));
    assert_eq!(states(&secrets), ["payload", "erased", "plain"]);
}

#[test]
fn a_hold_is_named_by_what_keeps_a_payload() {
    let (_dir, log, secrets) = encrypted_log();
    append(&log, &secrets, &["--actor-is-subject", "--alias-actors"]);
    let because = ["--who", "dpo", "--why", "request 17"];
    let place = ["hold", "place", &log, "case-7", "--actor", "alice"];
    fine(&with(&[&place[..], &because].concat(), &secrets));
    let erase = [&["erase", &log, "user:alice"][..], &because].concat();
    let told = refused(2, &with(&erase, &secrets));
    assert!(told.contains("(record 0): held by case-7"), "{told}");
    assert!(!fine(&["query", &log, "--output", "jsonl"]).contains("alice"));
}

#[test]
fn a_rewrapped_store_needs_the_new_key_and_what_is_missing_is_said() {
    let (dir, log, secrets) = encrypted_log();
    append(&log, &secrets, &["--subject", "user:alice"]);
    let (store, old) = (&secrets[1], &secrets[3]);
    let new = at(dir.path(), "new.key");
    fine(&["keygen", &new, "--wrapping"]);
    fine(&["keystore", "rewrap", store, "--wrapping-key", old, "--new-wrapping-key", &new]);
    let told = refused(2, &with(&["get", &log, "0"], &secrets));
    assert!(told.contains("wrapping key"), "{told}");
    fine(&["get", &log, "0", "--key-store", store, "--wrapping-key", &new]);
    let told = refused(
        2,
        &[
            "append",
            &log,
            "--actor",
            "user:a",
            "--action",
            "x.y",
            "--resource",
            "r",
            "--subject",
            "user:a",
        ],
    );
    assert!(told.contains("--key-store"), "{told}");
    let told = refused(2, &["keystore", "create", &format!("{log}/keys"), "--wrapping-key", &new]);
    assert!(told.contains("backups"), "{told}");
}

#[test]
fn a_wrapping_key_that_is_not_there_is_told_with_the_command_that_makes_one() {
    let (dir, log, secrets) = encrypted_log();
    let missing = at(dir.path(), "missing.key");
    for command in [
        vec!["keystore", "list", &secrets[1], "--wrapping-key", &missing],
        vec!["query", &log, "--key-store", &secrets[1], "--wrapping-key", &missing],
    ] {
        let told = refused(2, &command);
        assert!(told.contains(&format!("bulla keygen {missing} --wrapping")), "{told}");
    }
}

#[test]
fn what_was_encrypted_is_not_appended_to_in_plain_by_oversight() {
    let (dir, log, secrets) = encrypted_log();
    append(&log, &secrets, &["--actor-is-subject", "--alias-resources", "profile"]);
    let event = ["--actor", "user:alice", "--action", "a.b", "--resource", "profile/1"];
    let event = [&["append", &log][..], &event].concat();
    let file = at(dir.path(), "events.jsonl");
    let line = r#"{"actor":{"type":"user","id":"a"},"action":"a.b","resource":{"type":"r"}}"#;
    std::fs::write(&file, line).unwrap();
    for forgetful in [&event[..], &["import", &log, &file, "--format", "jsonl"]] {
        let told = refused(2, forgetful);
        let works = "--key-store FILE --wrapping-key FILE --actor-is-subject \
                     --alias-resources profile";
        assert!(told.contains(works) && told.contains("--allow-plaintext"), "{told}");
        let told = refused(2, &with(forgetful, &secrets));
        assert!(told.contains(works), "{told}");
    }
    let key = at(dir.path(), "audit.key");
    fine(&["keygen", &key, "--log", &log]);
    fine(&["checkpoint", &log, "--key", &key]);
    refused(2, &[&event[..], &["--allow-plaintext"]].concat());
    fine(&[&event[..], &["--allow-plaintext", "--who", "carol", "--why", "repair"]].concat());
    let history = fine(&["history", &log, "--output", "jsonl"]);
    let waived = history.lines().find(|line| line.contains("protection waived")).unwrap();
    assert!(waived.contains("carol") && waived.contains("repair"), "{waived}");
    refused(2, &event);
    fine(&["verify", &log]);
}

#[test]
fn a_subject_is_erased_with_each_key_store_that_the_log_had() {
    let (dir, log, secrets) = encrypted_log();
    append(&log, &secrets, &["--actor-is-subject"]);
    let other = at(dir.path(), "other.keys");
    fine(&["keystore", "create", &other, "--wrapping-key", &secrets[3]]);
    let mut newer = secrets.clone();
    newer[1] = other;
    // Another store is not taken this once, and that is not advised.
    let event = ["append", &log, "--actor", "user:alice", "--action", "a.b", "--resource", "r/1"];
    let event = [&event[..], &["--actor-is-subject"]].concat();
    let text = refused(2, &with(&event, &newer));
    assert!(!text.contains("--allow-plaintext") && text.contains("--change-protection"), "{text}");
    append(&log, &newer, &["--actor-is-subject", "--change-protection", "--who", "dpo"]);

    let erase = ["erase", &log, "user:alice", "--who", "dpo", "--why", "request 17"];
    let text = fine(&with(&erase, &newer));
    assert!(text.contains("erased 1 payload:") && text.contains("another store"), "{text}");
    let get = |seq: &str| fine(&with(&["get", &log, seq, "--output", "jsonl"], &secrets));
    assert!(get("0").contains("203.0.113.9"));
    let text = fine(&with(&erase, &secrets));
    assert!(text.contains("erased 1 payload:") && !text.contains("another store"), "{text}");
    for seq in ["0", "1"] {
        assert!(get(seq).contains("\"payload\":\"erased\""), "{seq}");
    }
    fine(&with(&["verify", &log], &secrets));
}
