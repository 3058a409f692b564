//! Events with ids are imported once, however often their file is.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use super::{EVENT, count};
use crate::running::{at, bulla, fine, jsonl, new_log, refused, run, sample};

/// What the command says of a file with so many lines that are all in the log.
fn all_there(lines: u64) -> String {
    format!("{lines} lines read, {lines} in the log already, 0 imported, 0 rejected")
}

fn import<'a>(log: &'a str, file: &'a str, format: &[&'a str]) -> Vec<&'a str> {
    [&["import", log, file], format].concat()
}

/// Lines with ids, as our own form has them.
fn with_ids(numbers: impl Iterator<Item = u64>) -> String {
    let line = |n: u64| {
        let id = format!("00000000-0000-8000-8000-{n:012x}");
        format!("{},\"id\":\"{id}\",\"request_id\":\"r{n}\"}}\n", &EVENT[..EVENT.len() - 1])
    };
    numbers.map(line).collect()
}

#[test]
fn a_file_of_events_with_ids_that_is_imported_again_adds_nothing() {
    let dir = tempfile::tempdir().unwrap();
    // How many events of the sample have no id in their source.
    let formats: [(&str, &[&str], u64); 6] = [
        ("cloudtrail.jsonl", &["--format", "cloudtrail"], 0),
        ("k8s.jsonl", &["--format", "k8s"], 0),
        ("okta.jsonl", &["--format", "json", "--map", "okta"], 0),
        ("gcp.jsonl", &["--format", "json", "--map", "gcp"], 0),
        ("github.jsonl", &["--format", "json", "--map", "github"], 1),
        ("gworkspace.jsonl", &["--format", "json", "--map", "gworkspace"], 1),
    ];
    for (name, format, without) in formats {
        let (log, file) = (at(dir.path(), name), sample(name));
        fine(&[&import(&log, &file, format)[..], &["--create"]].concat());
        let events = count(&log);
        let told = fine(&import(&log, &file, format));
        let expected = format!("{} in the log already, {without} imported", events - without);
        assert!(told.contains(&expected), "{name}: {told}");
        let events = events + without;
        assert_eq!(count(&log), events, "{name}");
        // Through a copy in our own form, which has the ids.
        let copy = at(dir.path(), &format!("{name}.copy"));
        fs::write(&copy, fine(&["query", &log, "--output", "jsonl"])).unwrap();
        let told = fine(&import(&log, &copy, &["--format", "jsonl"]));
        assert!(told.contains(&all_there(events)), "{name}: {told}");
        // Unless that is meant: the copies have the ids of the first.
        fine(&[&import(&log, &file, format)[..], &["--duplicates"]].concat());
        assert_eq!(count(&log), 2 * events - without, "{name}");
        let told = fine(&import(&log, &file, format));
        assert!(told.contains(&expected), "{name}: {told}");
    }
}

#[test]
fn of_a_file_that_has_grown_what_is_new_is_imported() {
    let (dir, log) = new_log();
    let file = at(dir.path(), "in.jsonl");
    for (lines, new) in [(100, 100), (2_500, 2_400), (2_500, 0), (2_501, 1)] {
        fs::write(&file, with_ids(0..lines)).unwrap();
        let told = fine(&import(&log, &file, &["--format", "jsonl"]));
        assert!(told.contains(&format!(" {} imported", crate_count(new))), "{told}");
        assert_eq!(count(&log), lines);
    }
    // In any order, with others between, and events without ids, which are not looked for.
    let mixed = with_ids((2_400..2_600).rev()) + EVENT + "\n" + &with_ids(0..3) + EVENT + "\n";
    fs::write(&file, mixed).unwrap();
    fine(&import(&log, &file, &["--format", "jsonl"]));
    assert_eq!(count(&log), 2_602);
    fine(&["verify", &log]);
}

/// A number as the summary shows it.
fn crate_count(number: u64) -> String {
    if number < 1_000 {
        number.to_string()
    } else {
        format!("{},{:03}", number / 1_000, number % 1_000)
    }
}

#[test]
fn an_import_that_is_killed_and_given_again_has_every_event_once() {
    let (dir, log) = new_log();
    let file = at(dir.path(), "in.jsonl");
    fs::write(&file, with_ids(0..20_000)).unwrap();
    for kill_at in [1_000, 5_000, 12_000] {
        let mut child = bulla(&import(&log, &file, &["--format", "jsonl"]))
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Until so much of it is there, or it has ended.
        while count(&log) < kill_at && child.try_wait().unwrap().is_none() {}
        let _ = child.kill();
        child.wait().unwrap();
    }
    fine(&import(&log, &file, &["--format", "jsonl"]));
    let seen = fine(&["query", &log, "--oldest-first", "--output", "jsonl"]);
    let requests: Vec<String> = jsonl(&seen)
        .iter()
        .map(|record| record["request_id"].as_str().unwrap().to_owned())
        .collect();
    let expected: Vec<String> = (0..20_000).map(|number| format!("r{number}")).collect();
    assert!(requests == expected, "{} records", requests.len());
    fine(&["verify", &log]);
}

/// A client may choose the `Audit-ID` of Kubernetes.
#[test]
fn an_event_that_shares_its_id_with_another_is_imported_all_the_same() {
    let (dir, log) = new_log();
    let event = |verb: &str| {
        format!(
            r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"mine","stage":"ResponseComplete","verb":"{verb}","user":{{"username":"eve"}},"requestURI":"/api/v1/namespaces/a/secrets/s","requestReceivedTimestamp":"2026-03-02T08:10:00.12Z","responseStatus":{{"code":200}}}}"#
        )
    };
    let format = ["--format", "k8s"];
    // Within one batch, and in batches of their own.
    let one = at(dir.path(), "one.jsonl");
    fs::write(&one, [event("get"), event("delete"), event("get")].join("\n")).unwrap();
    let told = fine(&import(&log, &one, &format));
    assert!(told.contains("3 lines read, 1 in the log already, 2 imported"), "{told}");
    assert!(told.contains("1 event with an id that another event has (tag shared_id)"), "{told}");
    let two = at(dir.path(), "two.jsonl");
    fs::write(&two, [event("patch"), event("delete")].join("\n")).unwrap();
    fine(&import(&log, &two, &format));
    assert_eq!(count(&log), 3);
    for file in [&one, &two, &one] {
        fine(&import(&log, file, &format));
    }
    assert_eq!(count(&log), 3, "each once");
    let records = jsonl(&fine(&["query", &log, "--oldest-first", "--output", "jsonl"]));
    let shared: Vec<bool> =
        records.iter().map(|record| record["tags"]["shared_id"] == records[0]["id"]).collect();
    assert_eq!(shared, [false, true, true]);
}

#[test]
fn a_line_of_ours_that_has_the_id_of_another_event_is_rejected() {
    let (dir, log) = new_log();
    let file = at(dir.path(), "in.jsonl");
    fs::write(&file, with_ids(0..3)).unwrap();
    fine(&import(&log, &file, &["--format", "jsonl"]));
    let others = with_ids(1..4).replace("a.b", "c.d");
    fs::write(&file, &others).unwrap();
    let rejects = at(dir.path(), "rejects");
    let told = run(&import(&log, &file, &["--format", "jsonl", "--rejects", &rejects]));
    assert_eq!(told.status, 0, "{}", told.stderr);
    assert!(told.stdout.contains("3 lines read, 1 imported, 2 rejected"), "{}", told.stdout);
    let listed = fs::read_to_string(&rejects).unwrap();
    assert!(listed.contains(":1: the log has another event with the id "), "{listed}");
    assert!(listed.contains("record 1") && listed.contains("--duplicates"), "{listed}");
    assert_eq!(count(&log), 4);
    refused(1, &import(&log, &file, &["--format", "jsonl", "--strict"]));
    fine(&import(&log, &file, &["--format", "jsonl", "--duplicates"]));
    assert_eq!(count(&log), 7);
    assert!(Path::new(&log).is_dir());
}

#[test]
fn what_has_no_ids_is_there_twice() {
    let (_dir, log) = new_log();
    let file = sample("auditd.log");
    fine(&import(&log, &file, &["--format", "auditd"]));
    let events = count(&log);
    fine(&import(&log, &file, &["--format", "auditd"]));
    assert_eq!(count(&log), 2 * events);
}
