//! The command line, run as people and programs run it.

// Clippy lets tests panic, but does not count the functions they share as tests.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::Stdio;

use crate::running::{at, bulla, fine, jsonl, new_log, refused, run, sample, sample_log};

#[test]
fn help_names_every_command_and_a_typical_sequence() {
    let help = fine(&["--help"]);
    for word in ["demo", "init", "verify-proof", "A typical sequence", "Exit status"] {
        assert!(help.contains(word), "{word}: {help}");
    }
    assert!(fine(&["query", "--help"]).contains("--count-by actor"));
    assert!(fine(&["--version"]).starts_with("bulla 0."));
}

#[test]
fn wrong_arguments_end_with_status_2_and_say_what_was_expected() {
    for (arguments, told) in [
        (vec![], "Usage"),
        (vec!["frobnicate"], "frobnicate"),
        (vec!["get", "x"], "<SEQ>"),
        (vec!["get", "x", "minus-one"], "minus-one"),
        (vec!["append", "x", "--actor", "alice", "--action", "a", "--resource", "r"], "user:alice"),
        (vec!["append", "x", "--action", "a.b", "--resource", "r"], "--actor"),
        (vec!["query", "x", "--since", "yesterday"], "2026-11-21"),
        (vec!["query", "x", "--after", "nonsense"], "expected a cursor"),
        (vec!["query", "x", "--histogram", "0h"], "24h"),
        (vec!["query", "x", "--outcome", "ok"], "success, failure, denied, partial or unknown"),
        (vec!["query", "x", "--output", "xml"], "jsonl"),
        (vec!["import", "x", "f", "--format", "json"], "--map"),
        (vec!["keygen", "k"], "--origin"),
        (vec!["keygen", "k", "--origin", "a b"], "a b"),
        (vec!["verify", "x", "--checkpoint", "c"], "--pubkey"),
        (vec!["verify-proof", "p"], "--pubkey"),
    ] {
        let stderr = refused(2, &arguments);
        assert!(stderr.contains(told), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_log_that_is_not_there_is_told_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let missing = at(dir.path(), "missing");
    for command in ["query", "tail", "stats", "segments", "history"] {
        let stderr = refused(2, &[command, &missing]);
        assert!(stderr.starts_with("bulla: ") && stderr.contains("bulla init"), "{stderr}");
    }
    assert!(refused(2, &["verify", &missing]).contains("missing"));
    let events = sample("events.jsonl");
    assert!(refused(2, &["import", &missing, &events, "--format", "jsonl"]).contains("bulla init"));
    assert!(!Path::new(&missing).exists(), "a mistyped path starts no log");
}

#[test]
fn a_path_that_is_no_log_is_told_in_plain_words() {
    let dir = tempfile::tempdir().unwrap();
    let (here, file) = (dir.path().display().to_string(), at(dir.path(), "head.txt"));
    fs::write(&file, "x").unwrap();
    for path in [&here, &file] {
        let stderr = refused(2, &["get", path, "1"]);
        assert!(stderr.contains(&format!("{path} is not a log directory")), "{stderr}");
        let stderr = refused(2, &["import", path, &file, "--format", "k8s"]);
        assert!(stderr.contains(&format!("{path} is not a log directory")), "{stderr}");
    }
    for command in ["init", "demo"] {
        assert!(refused(2, &[command, &file]).contains("is a file"), "{command}");
    }
    assert!(refused(2, &["bench", "--dir", &at(dir.path(), "missing")]).contains("missing"));
    assert!(refused(2, &["bench", "--events", "0"]).contains("--events"));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing was made");
}

#[test]
fn an_actor_is_found_by_id_and_by_type_and_id() {
    let (_dir, log) = new_log();
    for actor in ["user:alice", "role:user:alice", "role:alice"] {
        fine(&["append", &log, "--actor", actor, "--action", "a.b", "--resource", "r"]);
    }
    let found = |options: &[&str]| {
        let arguments = [&["query", &log, "--output", "jsonl", "--actor"], options].concat();
        let found = jsonl(&fine(&arguments));
        found.iter().map(|record| record["seq"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(found(&["user:alice"]), [1, 0]);
    assert_eq!(found(&["alice"]), [2, 0]);
    assert_eq!(found(&["alice", "--actor-type", "role"]), [2]);
    let stderr = refused(2, &["query", &log, "--actor-type", "role"]);
    assert!(stderr.contains("--count-by actor"), "{stderr}");
}

#[test]
fn nothing_is_signed_for_a_file_that_cannot_be_written() {
    let (dir, log) = sample_log();
    let key = at(dir.path(), "audit.key");
    fine(&["keygen", &key, "--log", &log]);
    let nowhere = at(dir.path(), "missing/head");
    let stderr = refused(2, &["checkpoint", &log, "--key", &key, "-o", &nowhere]);
    assert!(stderr.contains("nothing was signed") && stderr.contains("missing"), "{stderr}");
    let stats = jsonl(&fine(&["stats", &log, "--output", "jsonl"]));
    assert_eq!((&stats[0]["records"], stats[0]["signed_records"].is_null()), (&42.into(), true));
    let head = at(dir.path(), "head");
    fs::write(&head, "x".repeat(4096)).unwrap();
    fine(&["checkpoint", &log, "--key", &key, "-o", &head]);
    assert!(fs::read_to_string(&head).unwrap().starts_with("example.com/audit\n43\n"));
    assert!(
        !fs::read_to_string(&head).unwrap().contains("xxxx"),
        "nothing is left of the old file"
    );
}

#[test]
fn a_log_is_made_once() {
    let (_dir, log) = new_log();
    assert!(refused(2, &["init", &log]).contains("already"));
    let stats = jsonl(&fine(&["stats", &log, "--output", "jsonl"]));
    assert_eq!(stats[0]["origin"], "example.com/audit");
    assert_eq!(stats[0]["hash"], "sha256");
    assert_eq!(stats[0]["records"], 0);
    assert_eq!(fine(&["query", &log]), "");
    assert_eq!(fine(&["tail", &log]), "");
}

#[test]
fn an_appended_event_comes_back_as_it_was_given() {
    let (_dir, log) = new_log();
    let details = r#"{"b": 1.0,  "a": [null]}"#;
    let ack = fine(&[
        "append",
        &log,
        "--actor",
        "user:alice",
        "--action",
        "user.login",
        "--resource",
        "session/s-1",
        "--outcome",
        "denied",
        "--tenant",
        "acme",
        "--details",
        details,
        "--ip",
        "203.0.113.9",
        "--tag",
        "k=v",
        "--occurred-at",
        "2026-11-21T20:56:01Z",
        "--output",
        "jsonl",
    ]);
    let record = fine(&["get", &log, "0", "--output", "jsonl"]);
    assert!(record.contains(details), "details are kept byte for byte: {record}");
    let (ack, record) = (&jsonl(&ack)[0], &jsonl(&record)[0]);
    for field in ["seq", "recorded_at", "leaf_hash"] {
        assert_eq!(ack[field], record[field]);
    }
    assert_eq!(record["actor"], serde_json::json!({"type": "user", "id": "alice"}));
    assert_eq!(record["resource"], serde_json::json!({"type": "session", "id": "s-1"}));
    assert_eq!(record["outcome"], "denied");
    assert_eq!(record["occurred_at"], "2026-11-21T20:56:01.000000000Z");
    assert_eq!(record["tags"]["k"], "v");
    assert!(fine(&["get", &log, "0"]).contains("user:alice"));
    assert!(refused(2, &["get", &log, "1"]).contains("1 record"));
}

#[test]
fn events_from_standard_input_are_acknowledged_line_by_line() {
    let (_dir, log) = new_log();
    let mut child = bulla(&["append", &log, "--stdin", "--output", "jsonl"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut acks = BufReader::new(child.stdout.take().unwrap()).lines();
    for seq in 0..3 {
        let event = r#"{"actor":{"type":"u","id":"a"},"action":"x.y","resource":{"type":"r"}}"#;
        writeln!(stdin, "{event}").unwrap();
        stdin.flush().unwrap();
        let ack = acks.next().unwrap().unwrap();
        assert_eq!(jsonl(&ack)[0]["seq"], seq);
    }
    writeln!(stdin, "{{\"akction\": 1}}").unwrap();
    drop(stdin);
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(stderr.contains("line 4") && stderr.contains("akction"), "{stderr}");
}

#[test]
fn an_import_accounts_for_every_line() {
    let (dir, log) = new_log();
    let rejects = at(dir.path(), "rejects");
    let events = sample("events.jsonl");
    let ran = run(&["import", &log, &events, "--format", "jsonl", "--rejects", &rejects]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("4 lines read, 3 imported, 1 rejected"), "{}", ran.stdout);
    assert!(ran.stderr.contains("events.jsonl:5: "), "{}", ran.stderr);
    let rejected = fs::read_to_string(&rejects).unwrap();
    assert!(rejected.lines().count() == 1 && rejected.contains("akction"), "{rejected}");
    let stdout = fine(&["import", &log, &sample("auditd.log"), "--format", "auditd"]);
    assert!(stdout.contains("(as "), "records of one serial are one event: {stdout}");
    let okta = sample("okta.jsonl");
    let nothing = run(&["import", &log, &okta, "--format", "cloudtrail"]);
    assert_eq!(nothing.status, 1, "{}", nothing.stdout);
    assert!(nothing.stderr.contains("every line was rejected"), "{}", nothing.stderr);
    fine(&["import", &log, &okta, "--format", "json", "--map", "okta", "--no-redact"]);
    assert!(
        refused(2, &["import", &log, &okta, "--format", "json", "--map", "nope"]).contains("okta")
    );
    assert!(
        refused(2, &["import", &log, "no-such-file", "--format", "k8s"]).contains("no-such-file")
    );
}

#[test]
fn events_are_redacted_unless_told_otherwise() {
    let (dir, log) = new_log();
    let secret = r#"{"password": "hunter2", "n": 1.0, "note": "card 4111-1111-1111-1111"}"#;
    let kept = r#"{"password": "[redacted]", "n": 1.0, "note": "card [redacted]"}"#;
    let given = ["--actor", "user:al", "--action", "user.create", "--resource", "user/7"];
    let with = |more: &[&str]| {
        let arguments = [&["append", &log], given.as_slice(), &["--details", secret], more];
        fine(&arguments.concat())
    };
    with(&[]);
    with(&["--no-redact"]);
    let file = at(dir.path(), "events.jsonl");
    let line = r#"{"actor":{"type":"user","id":"al"},"action":"user.create","resource":{"type":"user"},"details":"#;
    fs::write(&file, format!("{line}{secret}}}\n")).unwrap();
    let told = fine(&["import", &log, &file, "--format", "jsonl"]);
    assert!(told.ends_with("0 rejected, 1 event with values redacted\n"), "{told}");
    let told = fine(&["import", &log, &file, "--format", "jsonl", "--no-redact"]);
    assert!(told.ends_with("1 imported, 0 rejected\n"), "{told}");
    for (seq, expected) in [("0", kept), ("1", secret), ("2", kept), ("3", secret)] {
        let record = fine(&["get", &log, seq, "--output", "jsonl"]);
        assert!(record.contains(expected), "{record}");
        let rules = "bulla/1+card_numbers+bearer_tokens+private_keys";
        let redacted = format!(
            r#""redacted":{{"rules":"{rules}","paths":["details/password","details/note"]}}"#
        );
        assert_eq!(record.contains(&redacted), expected == kept, "{record}");
    }
    let shown = fine(&["get", &log, "0"]);
    assert!(shown.contains("details/password, details/note"), "{shown}");
}

#[test]
fn a_strict_import_imports_nothing_unless_all_can_be_mapped() {
    let (_dir, log) = new_log();
    let (good, bad) = (sample("cloudtrail.jsonl"), sample("events.jsonl"));
    let stderr = refused(1, &["import", &log, &bad, "--format", "jsonl", "--strict"]);
    assert!(stderr.contains("nothing was imported"), "{stderr}");
    assert_eq!(fine(&["query", &log]), "");
    fine(&["import", &log, &good, "--format", "cloudtrail", "--strict"]);
    assert_eq!(fine(&["query", &log, "--output", "jsonl"]).lines().count(), 42);
}

#[test]
fn an_import_makes_the_log_only_when_told_to() {
    let dir = tempfile::tempdir().unwrap();
    let log = at(dir.path(), "new");
    let file = sample("k8s.jsonl");
    refused(2, &["import", &log, &file, "--format", "k8s"]);
    fine(&["import", &log, &file, "--format", "k8s", "--create", "--hash", "blake3"]);
    assert_eq!(jsonl(&fine(&["stats", &log, "--output", "jsonl"]))[0]["hash"], "blake3");
}

#[test]
fn every_filter_narrows_the_answer() {
    let (_dir, log) = sample_log();
    let all = jsonl(&fine(&["query", &log, "--output", "jsonl"]));
    assert_eq!(all.len(), 42);
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let some = all.iter().find(|record| record["resource"]["id"].is_string()).unwrap();
    let resource = format!("{}/{}", text(&some["resource"]["type"]), text(&some["resource"]["id"]));
    let actor = text(&some["actor"]["id"]);
    type Holds<'a> = Box<dyn Fn(&serde_json::Value) -> bool + 'a>;
    let middle = text(&all[20]["occurred_at"]);
    let questions: Vec<(Vec<&str>, Holds<'_>)> = vec![
        (vec!["--actor", &actor], Box::new(|r| r["actor"]["id"] == actor.as_str())),
        (vec!["--resource", &resource], Box::new(|r| r["resource"] == some["resource"])),
        (vec!["--action", "signin.*"], Box::new(|r| text(&r["action"]).starts_with("signin."))),
        (vec!["--outcome", "denied"], Box::new(|r| r["outcome"] == "denied")),
        (vec!["--not-outcome", "success"], Box::new(|r| r["outcome"] != "success")),
        (
            vec!["--outcome", "denied", "--outcome", "failure"],
            Box::new(|r| r["outcome"] == "denied" || r["outcome"] == "failure"),
        ),
        (vec!["--since", &middle], Box::new(|r| text(&r["occurred_at"]) >= middle)),
        (vec!["--until", &middle], Box::new(|r| text(&r["occurred_at"]) < middle)),
        (vec!["--recorded-since", "1h"], Box::new(|_| true)),
        (vec!["--recorded-until", "1h"], Box::new(|_| false)),
        (vec!["--tenant", "111122223333"], Box::new(|r| r["tenant"] == "111122223333")),
        (vec!["--tenant", "nobody"], Box::new(|_| false)),
    ];
    for (options, holds) in questions {
        let mut arguments = vec!["query", &log, "--output", "jsonl"];
        arguments.extend(&options);
        let expected: Vec<_> = all.iter().filter(|record| holds(record)).cloned().collect();
        assert_eq!(jsonl(&fine(&arguments)), expected, "{options:?}");
    }
    let newest = fine(&["query", &log, "--output", "jsonl", "--limit", "1"]);
    let oldest = fine(&["query", &log, "--output", "jsonl", "--limit", "1", "--oldest-first"]);
    assert_eq!(jsonl(&newest)[0]["seq"], 41);
    assert_eq!(jsonl(&oldest)[0]["seq"], 0);
    assert!(refused(2, &["query", &log, "--prove", "f"]).contains("no checkpoint was published"));
}

#[test]
fn an_answer_that_was_cut_goes_on_with_its_cursor() {
    let (_dir, log) = sample_log();
    let mut seen = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let mut arguments = vec!["query", &log, "--output", "jsonl", "--limit", "10"];
        if let Some(cursor) = &after {
            arguments.extend(["--after", cursor]);
        }
        let ran = run(&arguments);
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        seen.extend(jsonl(&ran.stdout).iter().map(|record| record["seq"].as_u64().unwrap()));
        let cursor = ran.stderr.split_once("--after ").map(|(_, rest)| rest.trim().to_owned());
        after = cursor;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, (0..42).rev().collect::<Vec<u64>>());
    // A table stops at 50 by itself, and says so; here all fit.
    assert_eq!(fine(&["query", &log]).lines().count(), 43);
}

#[test]
fn counts_and_histograms_add_up() {
    let (_dir, log) = sample_log();
    // A record counts once for each type of resource that it names.
    let records = jsonl(&fine(&["query", &log, "--output", "jsonl"]));
    let types = records.iter().map(|record| {
        let targets = record["targets"].as_array().into_iter().flatten();
        let named = targets.chain([&record["resource"]]).map(|of| of["type"].as_str().unwrap());
        named.collect::<std::collections::BTreeSet<_>>().len() as u64
    });
    let types: u64 = types.sum();
    for (field, expected) in
        [("actor", 42), ("action", 42), ("outcome", 42), ("resource-type", types), ("ip", 42)]
    {
        let groups = jsonl(&fine(&["query", &log, "--count-by", field, "--output", "jsonl"]));
        let counts: Vec<u64> = groups.iter().map(|g| g["count"].as_u64().unwrap()).collect();
        assert_eq!(counts.iter().sum::<u64>(), expected, "{field}");
        assert!(counts.is_sorted_by(|a, b| a >= b), "{field}");
    }
    let steps = jsonl(&fine(&["query", &log, "--histogram", "1h", "--output", "jsonl"]));
    let total: u64 = steps.iter().map(|step| step["count"].as_u64().unwrap()).sum();
    assert_eq!(total, 42);
    assert!(refused(2, &["query", &log, "--histogram", "1s"]).contains("wider"));
    assert!(fine(&["query", &log, "--histogram", "1d"]).contains('█'));
}

#[test]
fn csv_has_a_header_and_as_many_values_in_every_row() {
    let (_dir, log) = sample_log();
    let csv = fine(&["query", &log, "--output", "csv", "--outcome", "denied"]);
    assert!(csv.starts_with("seq,recorded_at,leaf_hash,id,"), "{csv}");
    assert_eq!(csv.matches("\r\n").count(), 9);
    assert!(fine(&["segments", &log, "--output", "csv"]).starts_with("ordinal,path,"));
    assert!(fine(&["history", &log, "--output", "csv"]).contains("seq,recorded_at,what"));
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let (_dir, log) = new_log();
    for _ in 0..30 {
        fine(&["import", &log, &sample("cloudtrail.jsonl"), "--format", "cloudtrail"]);
    }
    // About 3 MB: more than any pipe holds.
    for format in ["jsonl", "csv"] {
        let mut child = bulla(&["query", &log, "--output", format])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut first).unwrap();
        drop(stdout);
        let output = child.wait_with_output().unwrap();
        assert!(!first.is_empty());
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "it ends quietly");
    }
}

#[test]
fn the_demo_ends_well_in_a_new_directory_only() {
    let dir = tempfile::tempdir().unwrap();
    let place = at(dir.path(), "demo");
    let story = fine(&["demo", &place]);
    for word in ["created", "events/s", "segments", "queried", "signed", "verified", "caught"] {
        assert!(story.contains(word), "{word}: {story}");
    }
    assert!(story.lines().count() <= 30, "{story}");
    assert!(story.contains("mallorx"), "{story}");
    assert!(story.contains("00000001.seg: segment 1, offset "), "{story}");
    assert!(refused(2, &["demo", &place]).contains("not empty"));
}

#[test]
fn a_measurement_prints_all_ways() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().display().to_string();
    let ran = run(&[
        "bench",
        "--events",
        "300",
        "--batch",
        "100",
        "--threads",
        "4",
        "--seconds",
        "1",
        "--rounds",
        "2",
        "--dir",
        &place,
        "--output",
        "jsonl",
    ]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let ways = jsonl(&ran.stdout);
    let names: Vec<_> = ways.iter().map(|way| way["mode"].as_str().unwrap()).collect();
    assert_eq!(names, ["raw", "single", "threads", "raw-batch", "batch", "reopen"]);
    for way in &ways {
        assert!(way["commit_us_p50"].as_f64().unwrap() > 0.0, "{way}");
        assert!(way["events"].as_u64().unwrap() > 0, "{way}");
    }
    assert!(ways[1]["times_raw"].as_f64().unwrap() > 0.0);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left behind");
}

#[cfg(unix)]
#[test]
fn what_may_not_be_read_is_not_told_as_missing() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;
    const NOBODY: u32 = 65_534;
    let (dir, log) = crate::running::sample_log();
    let allow = |path: &Path, mode: u32| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    allow(dir.path(), 0o755);
    let (as_root, tool) = (is_root(dir.path()), at(dir.path(), "bulla"));
    fs::copy(env!("CARGO_BIN_EXE_bulla"), &tool).unwrap();
    let told = |arguments: &[&str]| {
        let mut command = std::process::Command::new(&tool);
        command.args(arguments).current_dir("/");
        if as_root {
            command.uid(NOBODY);
        }
        let ran = command.output().unwrap();
        assert_eq!(ran.status.code(), Some(2), "{ran:?}");
        String::from_utf8(ran.stderr).unwrap()
    };
    let segments = Path::new(&log).join("segments");
    let catalog = Path::new(&log).join("catalog");
    for (locked, mode) in [(Path::new(&log), 0o755), (&catalog, 0o755)] {
        allow(locked, 0o000);
        for command in ["stats", "verify"] {
            let stderr = told(&[command, &log]);
            assert!(stderr.contains("ermission denied"), "{command}: {stderr}");
            assert!(stderr.contains(&log), "{command}: {stderr}");
            assert!(!stderr.contains("not a log"), "{command}: {stderr}");
        }
        allow(locked, mode);
    }
    // Only the files are locked: the one that is met first is named.
    let mut files = Vec::new();
    for dir in [&catalog.join("a"), &catalog.join("b"), &segments] {
        let there = fs::read_dir(dir).into_iter().flatten();
        files.extend(there.map(|entry| entry.unwrap().path()));
    }
    files.iter().for_each(|file| allow(file, 0o000));
    let stderr = told(&["stats", &log]);
    assert!(stderr.contains("ermission denied") && stderr.contains(&log), "{stderr}");
    files.iter().for_each(|file| allow(file, 0o644));
}

/// Whether permissions do not bind this process, as in many containers.
#[cfg(unix)]
fn is_root(dir: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata(dir).unwrap().uid() == 0
}
