//! No message holds a private key, and no key is made where the notes of another belong.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::{EVENT, events_file};
use crate::running::{at, bulla, fine, new_log, refused, run};

/// A log with its key, the key of another log, a wrapping key and a key store.
fn place() -> (TempDir, String) {
    let (dir, log) = new_log();
    fine(&["keygen", &at(dir.path(), "a.key"), "--log", &log]);
    fine(&["keygen", &at(dir.path(), "b.key"), "--origin", "ex.example/b"]);
    fine(&["keygen", &at(dir.path(), "wrapping"), "--wrapping"]);
    let (keys, wrapping) = (at(dir.path(), "keys"), at(dir.path(), "wrapping"));
    fine(&["keystore", "create", &keys, "--wrapping-key", &wrapping]);
    (dir, log)
}

/// Whether a text holds a piece of a secret.
fn shows(text: &str, secret: &str) -> bool {
    // `PRIVATE+KEY+NAME+ID+BASE64`, or `PRIVATE+KEY+wrapping+HEX`.
    let digits = secret.trim().splitn(5, '+').last().unwrap();
    text.contains(&digits[..12])
}

#[test]
fn no_key_is_made_at_the_name_of_what_stands_beside_another() {
    let (dir, log) = place();
    let at = |name: &str| at(dir.path(), name);
    let (key, wrapping) = (at("a.key"), at("wrapping"));
    for ending in ["heads", "handover", "lock", "unsynced"] {
        for of in ["a.key", "wrapping", "keys"] {
            let taken = at(&format!("{of}.{ending}"));
            let calls: [&[&str]; 9] = [
                &["keygen", &taken, "--wrapping"],
                &["keygen", &taken, "--origin", "ex.example/c"],
                &["keygen", &taken, "--log", &log],
                &["keygen", &taken, "--witness", "--name", "ex.example/w"],
                &["keystore", "create", &taken, "--wrapping-key", &wrapping],
                &["key", "rotate", &log, "--key", &key, "--next", &taken],
                &["key", "recovery", &log, "--key", &key, "--recovery", &taken],
                &["init", &taken],
                &["export-tiles", &log, &taken],
            ];
            let there = Path::new(&taken).exists();
            for call in calls {
                let told = refused(2, call);
                let refuses = ["belongs to the key or key store", "is a file"];
                assert!(refuses.iter().any(|why| told.contains(why)), "{call:?}: {told}");
                assert_eq!(Path::new(&taken).exists(), there, "{call:?}");
            }
        }
    }
    fine(&["checkpoint", &log, "--key", &key]);
    // Nor where such notes are left of a key that is gone.
    fs::rename(&key, at("elsewhere")).unwrap();
    fs::remove_file(at("a.key.pub")).unwrap();
    for call in [&["keygen", &key, "--log", &log][..], &["keygen", &key, "--wrapping"]] {
        let told = refused(2, call);
        assert!(told.contains("a.key.heads") && told.contains("another name"), "{told}");
    }
}

#[test]
fn a_key_that_stands_in_place_of_notes_is_not_shown() {
    let (dir, log) = place();
    let key = at(dir.path(), "a.key");
    for (ending, secret) in [("heads", "wrapping"), ("heads", "b.key"), ("handover", "b.key")] {
        let notes = format!("{key}.{ending}");
        let text = fs::read_to_string(at(dir.path(), secret)).unwrap();
        fs::write(&notes, &text).unwrap();
        let told = refused(1, &["checkpoint", &log, "--key", &key]);
        assert!(!shows(&told, &text) && !told.contains("PRIVATE+KEY"), "{told}");
        assert!(told.contains(&format!("a.key.{ending}")), "{told}");
        fs::remove_file(&notes).unwrap();
    }
    fs::copy(at(dir.path(), "keys"), format!("{key}.heads")).unwrap();
    let told = refused(1, &["checkpoint", &log, "--key", &key]);
    assert!(told.len() < 1_000, "{told}");
}

#[test]
fn a_key_that_is_given_in_place_of_another_file_is_not_shown() {
    let (dir, log) = place();
    let at = |name: &str| at(dir.path(), name);
    let (key, head, proof) = (at("a.key"), at("head"), at("proof"));
    let events = events_file(dir.path(), "in.jsonl", 1);
    fine(&["import", &log, &events, "--format", "jsonl"]);
    fine(&["checkpoint", &log, "--key", &key, "-o", &head]);
    fine(&["prove", &log, "0", "-o", &proof]);
    let public = at("a.key.pub");
    let pem = at("pem");
    fs::write(&pem, "-----BEGIN PRIVATE KEY-----\nMIIEvgIBADANBgkqhkiG\n").unwrap();
    let behind_a_mark = at("behind-a-mark");
    let text = fs::read_to_string(at("b.key")).unwrap();
    fs::write(&behind_a_mark, format!("\u{feff}\r\n{text}")).unwrap();
    for secret in [at("b.key"), at("wrapping"), behind_a_mark, pem] {
        let text = fs::read_to_string(&secret).unwrap();
        let imported = at("imported");
        let mut calls: Vec<Vec<&str>> = vec![
            vec!["checkpoint", &log, "--policy", &secret],
            vec!["verify", &log, "--checkpoint", &secret, "--pubkey", &public],
            vec!["verify", &log, "--pubkey", &secret],
            vec!["verify-proof", &secret, "--pubkey", &public],
            vec!["verify-proof", &proof, "--pubkey", &secret],
            vec!["verify-proof", &proof, "--pubkey", &public, "--policy", &secret],
            vec!["verify-proof", &proof, "--pubkey", &public, "--keys", &secret],
            vec!["key", "show", &secret, "--pubkey", &public],
            vec!["prove", &log, "0", "--checkpoint", &secret, "-o", "/dev/null"],
            vec!["import", &log, &events, "--format", "json", "--map", &secret],
        ];
        for format in ["auditd", "jsonl", "k8s", "cloudtrail"] {
            calls.push(vec!["import", &imported, &secret, "--create", "--format", format]);
        }
        for call in calls {
            let ran = run(&call);
            assert_eq!(ran.status, 2, "{call:?}: {}", ran.stderr);
            let told = format!("{}{}", ran.stdout, ran.stderr);
            let body = text.trim().lines().last().unwrap();
            assert!(!shows(&told, body), "{call:?}: {told}");
            assert!(told.contains("key") && !told.contains("PRIVATE+KEY"), "{call:?}: {told}");
        }
        assert!(!Path::new(&imported).exists());
    }
    // Given as an argument, or where nothing can be looked at before.
    let text = text.trim();
    for call in [
        vec!["verify", &log, "--pubkey", text],
        vec!["query", &log, "--actor", "a", text],
        vec!["key", text],
        vec!["get", text, "0"],
    ] {
        let ran = run(&call);
        assert!(ran.status == 2 && !shows(&ran.stderr, text), "{}", ran.stderr);
    }
    let piped = at("piped");
    let shell = format!(
        "cat '{}' | \"$0\" import '{piped}' /dev/stdin --create --format auditd --rejects '{}'",
        at("b.key"),
        at("rejects")
    );
    let bulla = bulla(&[]).get_program().to_owned();
    let ran = std::process::Command::new("sh").args(["-c", &shell]).arg(bulla).output().unwrap();
    let told = String::from_utf8_lossy(&ran.stderr).into_owned();
    let rejects = fs::read_to_string(at("rejects")).unwrap();
    assert!(told.contains("rejected /dev/stdin:1: "), "{told}");
    assert!(!shows(&told, text) && !shows(&rejects, text), "{told}{rejects}");
}

#[test]
fn what_is_rejected_is_named_without_its_secrets() {
    let (dir, log) = new_log();
    let event = |code: &str, time: &str| {
        format!(
            r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"a","stage":"ResponseComplete","verb":"create","user":{{"username":"m"}},"objectRef":{{"resource":"configmaps","namespace":"d","name":"s"}},"responseStatus":{{"code":"{code}"}},"requestReceivedTimestamp":"{time}"}}"#
        )
    };
    let time = "2026-11-01T10:00:00Z";
    let bearer = "Bearer hunter2hunter2hunter2hunter2";
    let mut lines = vec![
        r#"{"a":1, "requestObject": {"password":"hunter2hunter2"}, broken"#.to_owned(),
        r#""password: hunter2hunter2""#.to_owned(),
        format!("\"{bearer}\""),
        r#"["Authorization: Basic hunter2hunter2"]"#.to_owned(),
        event("201", bearer),
        event(bearer, time),
    ];
    for at in 95..120 {
        lines.push(event(&format!("{} {bearer}", "x".repeat(at)), time));
        let pem = "-----BEGIN PRIVATE KEY-----hunter2hunter2";
        lines.push(event(&format!("{}{pem}{}", "x".repeat(at), "A".repeat(5_000)), time));
    }
    let (trail, rejects) = (at(dir.path(), "trail"), at(dir.path(), "rejects"));
    fs::write(&trail, lines.join("\n")).unwrap();
    for format in ["k8s", "jsonl", "auditd"] {
        let ran = run(&["import", &log, &trail, "--format", format, "--rejects", &rejects]);
        assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
        let listed = fs::read_to_string(&rejects).unwrap();
        assert!(listed.lines().count() > 3 && !listed.contains("hunter2"), "{listed}");
    }
    // Nor does the tag that holds what was not understood.
    let found = fine(&["query", &log, "--output", "jsonl"]);
    assert!(found.contains("outcome_not_understood") && !found.contains("hunter2"), "{found}");
    // What is appended line by line is quoted likewise.
    let mut child = bulla(&["append", &log, "--stdin"])
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let line = format!("{}\n", EVENT.replace("\"u\"", &format!("{{\"{bearer}\":1}}")));
    let odd = format!("{{\"actor\":\"{bearer}\"}}\n");
    let mut input = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, format!("{line}{odd}").as_bytes()).unwrap();
    drop(input);
    let ran = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&ran.stderr);
    assert!(told.contains("line 2") && !told.contains("hunter2"), "{told}");
}

#[test]
fn what_every_later_append_needs_is_said_once_when_it_is_recorded() {
    let (dir, log) = new_log();
    let (store, key) = (at(dir.path(), "keys"), at(dir.path(), "wrapping"));
    fine(&["keygen", &key, "--wrapping"]);
    fine(&["keystore", "create", &store, "--wrapping-key", &key]);
    let event = ["append", &log, "--actor", "u:a", "--action", "a.b", "--resource", "r"];
    let keys = ["--key-store", &store, "--wrapping-key", &key];
    let told = |more: &[&str]| {
        let ran = run(&[&event[..], more].concat());
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        let begins = "bulla: from now on appends to this log need ";
        let line = ran.stderr.lines().find_map(|line| line.strip_prefix(begins));
        line.map(str::to_owned)
    };
    assert_eq!(told(&[]), None);
    let needs = "--key-store FILE --wrapping-key FILE";
    let on_record = ": it is on record (`bulla history`)";
    assert_eq!(told(&keys), Some(format!("{needs}{on_record}")));
    assert_eq!(told(&keys), None, "said once");
    let subject = [&keys[..], &["--actor-is-subject"]].concat();
    assert_eq!(told(&subject), Some(format!("{needs} --actor-is-subject{on_record}")));
    assert_eq!(told(&subject), None);
    let aliases = [&subject[..], &["--alias-actors", "--alias-resources", "r"]].concat();
    let all = format!("{needs} --actor-is-subject --alias-actors --alias-resources r{on_record}");
    assert_eq!(told(&aliases), Some(all));
    // One opening with less changes nothing for those that follow.
    assert_eq!(told(&["--allow-plaintext", "--who", "a", "--why", "b"]), None);
    assert_eq!(told(&aliases), None);
    // An import that makes the log, too.
    let new = at(dir.path(), "new");
    let events = events_file(dir.path(), "events", 1);
    let store = at(dir.path(), "other");
    fine(&["keystore", "create", &store, "--wrapping-key", &key]);
    let import = ["import", &new, &events, "--format", "jsonl", "--create"];
    let ran = run(&[&import[..], &["--key-store", &store, "--wrapping-key", &key]].concat());
    assert!(ran.stderr.contains(&format!("need {needs}{on_record}")), "{}", ran.stderr);
}
