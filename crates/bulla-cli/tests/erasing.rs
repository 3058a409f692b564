//! Encrypting and erasing on the command line.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

mod running;

use running::{at, fine, refused};
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
    append(&log, &secrets, &[]);
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
