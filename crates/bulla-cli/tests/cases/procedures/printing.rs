//! Standard output that is full, or that nothing reads.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::running::{at, bulla, fine, signed_log};

/// Every command that prints, on a log with a key.
fn printing(dir: &std::path::Path, log: &str) -> Vec<Vec<String>> {
    let proof = at(dir, "proof");
    fine(&["prove", log, "0", "-o", &proof]);
    let (public, key) = (at(dir, "audit.key.pub"), at(dir, "audit.key"));
    let chain = at(dir, "chain");
    fine(&["key", "chain", log, "-o", &chain]);
    let new = at(dir, "made");
    let all: Vec<Vec<&str>> = vec![
        vec!["--help"],
        vec!["--version"],
        vec!["help", "query"],
        vec!["query", "--help"],
        vec!["query", log],
        vec!["query", log, "--output", "jsonl"],
        vec!["query", log, "--output", "csv"],
        vec!["query", log, "--count"],
        vec!["query", log, "--count-by", "actor"],
        vec!["query", log, "--histogram", "1h"],
        vec!["query", log, "--seen"],
        vec!["get", log, "0"],
        vec!["get", log, "0", "--output", "csv"],
        vec!["tail", log],
        vec!["tail", log, "-f"],
        vec!["stats", log],
        vec!["history", log],
        vec!["segments", log],
        vec!["verify", log],
        vec!["verify", log, "--output", "csv"],
        vec!["hold", "list", log, "--output", "csv"],
        vec!["retain", log, "--keep", "1y", "--dry-run"],
        vec!["verify-proof", &proof, "--pubkey", &public],
        vec!["checkpoint", log, "--key", &key],
        vec!["key", "show", &chain, "--pubkey", &public],
        vec!["append", log, "--actor", "u:a", "--action", "a.b", "--resource", "r"],
        vec!["keygen", &new, "--origin", "ex.example"],
    ];
    all.iter().map(|call| call.iter().map(ToString::to_string).collect()).collect()
}

#[test]
fn a_full_disk_behind_standard_output_is_said() {
    let (dir, log) = signed_log();
    for call in printing(dir.path(), &log) {
        let arguments: Vec<&str> = call.iter().map(String::as_str).collect();
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ran = bulla(&arguments).stdout(full).stderr(Stdio::piped()).output().unwrap();
        let told = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(told.contains("No space left"), "{arguments:?}: {told}");
    }
}

#[test]
fn what_was_done_is_said_when_it_cannot_be_shown() {
    let (dir, log) = signed_log();
    let place = |name: &str| at(dir.path(), name);
    let (store, wrapping) = (place("keys"), place("wrapping"));
    fine(&["keygen", &wrapping, "--wrapping"]);
    fine(&["keystore", "create", &store, "--wrapping-key", &wrapping]);
    let keys = ["--key-store", &store, "--wrapping-key", &wrapping];
    let event = ["append", &log, "--actor", "u:a", "--action", "a.b", "--resource", "r"];
    fine(&[&event[..], &keys, &["--subject", "u:a"]].concat());
    let who = ["--who", "a", "--why", "b"];
    let (key, next, recovery) = (place("audit.key"), place("next"), place("recovery"));
    for (call, done) in [
        ([&["hold", "place", &log, "case", "--everything"][..], &who].concat(), "is in force"),
        ([&["hold", "release", &log, "case"][..], &who].concat(), "the hold is released"),
        ([&["erase", &log, "u:a"][..], &who, &keys].concat(), "the keys are destroyed"),
        (vec!["keygen", &place("new"), "--origin", "ex.example"], "the key was made"),
        (
            vec!["key", "recovery", &log, "--key", &key, "--recovery", &recovery],
            "the change is made",
        ),
        (vec!["key", "rotate", &log, "--key", &key, "--next", &next], "the change is made"),
    ] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ran = bulla(&call).stdout(full).stderr(Stdio::piped()).output().unwrap();
        let told = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(2), "{call:?}: {told}");
        assert!(told.contains("No space left") && told.contains(done), "{call:?}: {told}");
    }
    let history = fine(&["history", &log]);
    for done in ["hold placed", "hold released", "subject erased", "recovery key named", "rotated"]
    {
        assert!(history.contains(done), "{done}: {history}");
    }
}

#[test]
fn a_reader_that_has_left_ends_every_command_in_silence() {
    let (dir, log) = signed_log();
    for call in printing(dir.path(), &log) {
        let arguments: Vec<&str> = call.iter().map(String::as_str).collect();
        let mut child =
            bulla(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let ran = child.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(0), "{arguments:?}: {told}");
        assert!(
            !told.contains("panicked") && !told.contains("roken pipe"),
            "{arguments:?}: {told}"
        );
    }
}

/// Without an event that comes there is no write that would tell.
#[test]
fn a_follower_ends_when_its_reader_does() {
    let (_dir, log) = signed_log();
    let mut child = bulla(&["tail", &log, "-n", "1", "-f", "--output", "jsonl"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert!(line.contains("\"seq\""), "{line}");
    drop(out);
    // It ends by itself: else this test never does.
    assert!(child.wait().unwrap().success());
}
