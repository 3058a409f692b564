//! Imports that are refused whole, made anew, or gone on with.

use std::fs;
use std::path::Path;

use bulla::{Durability, Event, Log};

use super::{EVENT, count, events_file};
use crate::running::{at, bulla, fine, new_log, refused, run, sample};

#[test]
fn strict_imports_nothing_that_redaction_makes_too_long() {
    let (dir, log) = new_log();
    let event = |extra: &str| {
        format!(
            r#"{{"eventVersion":"1.08","userIdentity":{{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/ann"}},"eventTime":"2026-01-02T03:04:05Z","eventSource":"s3.amazonaws.com","eventName":"GetObject"{extra}}}"#
        )
    };
    let many: Vec<String> = (0..45_000).map(|n| format!("\"{n}password\":1")).collect();
    let long = event(&format!(",\"requestParameters\":{{{}}}", many.join(",")));
    let file = at(dir.path(), "in.jsonl");
    fs::write(&file, [event(""), long, event("")].join("\n")).unwrap();
    // Of a foreign event its size, digest and beginning are kept then: no line is lost.
    fine(&["import", &log, &file, "--format", "cloudtrail", "--strict"]);
    assert_eq!(count(&log), 3);
    // Our own form is strict.
    let (dir, log) = new_log();
    let file = at(dir.path(), "in.jsonl");
    let long = format!("{},\"details\":{{{}}}}}", &EVENT[..EVENT.len() - 1], many.join(","));
    fs::write(&file, [EVENT, &long, EVENT].join("\n")).unwrap();
    let told = refused(1, &["import", &log, &file, "--format", "jsonl", "--strict"]);
    assert!(told.contains("nothing was imported") && told.contains(":2: "), "{told}");
    assert_eq!(count(&log), 0);
    // Nor of an event whose subject there is no key for.
    let named = format!("{},\"subject\":\"user:a\"}}", &EVENT[..EVENT.len() - 1]);
    fs::write(&file, [EVENT, &named, EVENT].join("\n")).unwrap();
    let told = refused(1, &["import", &log, &file, "--format", "jsonl", "--strict"]);
    assert!(told.contains(":2: ") && told.contains("--key-store"), "{told}");
    assert_eq!(count(&log), 0);
    fine(&["import", &log, &file, "--format", "jsonl"]);
    assert_eq!(count(&log), 2);
}

#[test]
fn a_log_is_made_in_an_empty_directory() {
    let dir = tempfile::tempdir().unwrap();
    let events = events_file(dir.path(), "in.jsonl", 1);
    let log = at(dir.path(), "log");
    fs::create_dir(&log).unwrap();
    fine(&["import", &log, &events, "--create", "--format", "jsonl"]);
    assert_eq!(count(&log), 1);
    fine(&["import", &log, &events, "--create", "--format", "jsonl"]);
    assert_eq!(count(&log), 2, "the log that is there is taken");
    // What a creation leaves that was interrupted.
    let begun = at(dir.path(), "begun");
    fs::create_dir_all(at(Path::new(&begun), "catalog")).unwrap();
    fs::create_dir(at(Path::new(&begun), "segments")).unwrap();
    fs::write(at(Path::new(&begun), "LOCK"), "").unwrap();
    fine(&["import", &begun, &events, "--create", "--resume", "--format", "jsonl"]);
    assert_eq!(count(&begun), 1);
    let other = at(dir.path(), "other");
    fs::create_dir(&other).unwrap();
    fs::write(at(Path::new(&other), "x"), "x").unwrap();
    refused(2, &["import", &other, &events, "--create", "--format", "jsonl"]);
}

#[test]
fn a_file_that_cannot_be_read_is_named_before_anything_is_imported() {
    let (dir, log) = new_log();
    let events = events_file(dir.path(), "in.jsonl", 1);
    let (none, folder) = (at(dir.path(), "none"), at(dir.path(), "folder"));
    fs::create_dir(&folder).unwrap();
    let told = refused(2, &["import", &log, &events, &none, &folder, "--format", "jsonl"]);
    assert!(told.contains("none") && told.contains("folder"), "{told}");
    assert_eq!(count(&log), 0);
    let new = at(dir.path(), "new");
    refused(2, &["import", &new, &events, &none, "--create", "--format", "jsonl"]);
    assert!(!Path::new(&new).exists(), "no log was made either");
}

/// Goes on with the import of these files, and says how many events came in.
fn resume(log: &str, arguments: &[&str]) -> u64 {
    let before = count(log);
    let mut all = vec!["import", log, "--resume"];
    all.extend(arguments);
    fine(&all);
    count(log) - before
}

#[test]
fn an_import_goes_on_where_it_stopped() {
    let (dir, log) = new_log();
    let file = events_file(dir.path(), "in.jsonl", 2_500);
    let text = fs::read_to_string(&file).unwrap();
    let part = at(dir.path(), "part.jsonl");
    for lines in [0, 1, 1_000, 2_499, 2_500] {
        let log = at(dir.path(), &format!("log-{lines}"));
        let begun: String = text.split_inclusive('\n').take(lines).collect();
        fs::write(&part, begun).unwrap();
        fine(&["import", &log, &part, "--create", "--format", "jsonl"]);
        assert_eq!(resume(&log, &[&file, "--format", "jsonl"]), 2_500 - lines as u64);
        assert_eq!(resume(&log, &[&file, "--format", "jsonl"]), 0, "once more");
        fine(&["verify", &log]);
    }
    // Behind other events, of several files, with lines that are rejected, and lines that are alike.
    fine(&["append", &log, "--actor", "u:1", "--action", "x.y", "--resource", "r"]);
    let alike = at(dir.path(), "alike.jsonl");
    fs::write(&alike, format!("{EVENT}\nno event\n").repeat(3_000)).unwrap();
    fine(&["import", &log, &part, "--format", "jsonl"]);
    let begun = format!("{EVENT}\n").repeat(1_234);
    fs::write(at(dir.path(), "begun.jsonl"), begun).unwrap();
    fine(&["import", &log, &at(dir.path(), "begun.jsonl"), "--format", "jsonl"]);
    let rejects = at(dir.path(), "rejects");
    let files = [&*part, &alike, "--format", "jsonl", "--rejects", &rejects];
    assert_eq!(resume(&log, &files), 3_000 - 1_234);
    assert_eq!(fs::read_to_string(&rejects).unwrap().lines().count(), 3_000, "all of them");
    // The next file is another one.
    let next = at(dir.path(), "next.jsonl");
    fs::write(&next, EVENT.replace("a.b", "c.d")).unwrap();
    assert_eq!(resume(&log, &[&next, "--format", "jsonl"]), 1);
    // What stands in the log, but not at its end, is for a person to decide.
    let told = refused(2, &["import", &log, "--resume", &file, "--format", "jsonl"]);
    assert!(told.contains("does not end with them"), "{told}");
}

#[test]
fn every_format_is_known_again() {
    let dir = tempfile::tempdir().unwrap();
    let formats: [(&str, &[&str]); 3] = [
        ("cloudtrail.jsonl", &["cloudtrail"]),
        ("k8s.jsonl", &["k8s"]),
        ("auditd.log", &["auditd"]),
    ];
    for (name, format) in formats {
        let file = sample(name);
        if !Path::new(&file).exists() {
            continue;
        }
        let log = at(dir.path(), name);
        fine(&["import", &log, &file, "--create", "--format", format[0]]);
        assert_eq!(resume(&log, &[&file, "--format", format[0]]), 0, "{name}");
    }
    // Encrypted, with aliases for the actors.
    let (wrapping, keys) = (at(dir.path(), "wrapping"), at(dir.path(), "keys"));
    fine(&["keygen", &wrapping, "--wrapping"]);
    fine(&["keystore", "create", &keys, "--wrapping-key", &wrapping]);
    let secrets =
        ["--key-store", &keys, "--wrapping-key", &wrapping, "--actor-is-subject", "--alias-actors"];
    let (log, file) = (at(dir.path(), "sealed"), sample("cloudtrail.jsonl"));
    fine(&[&["import", &log, &file, "--create", "--format", "cloudtrail"], &secrets[..]].concat());
    let again = [&[&*file, "--format", "cloudtrail"], &secrets[..]].concat();
    assert_eq!(resume(&log, &again), 0);
}

/// What is in the file and not yet synced no reader shows, and the next opening keeps.
#[test]
fn what_only_an_opening_finds_is_not_imported_twice() {
    let dir = tempfile::tempdir().unwrap();
    let file = events_file(dir.path(), "in.jsonl", 30);
    let running = dir.path().join("running");
    let log = Log::options().durability(Durability::Os).create(&running).unwrap();
    for line in fs::read_to_string(&file).unwrap().lines().take(20) {
        log.append(&Event::from_json(line).unwrap()).unwrap();
    }
    // As a kill leaves it.
    let killed = dir.path().join("killed");
    copy(&running, &killed);
    let killed = killed.display().to_string();
    assert!(count(&killed) < 20, "a reader shows what was synced: {}", count(&killed));
    fine(&["import", &killed, &file, "--resume", "--format", "jsonl"]);
    assert_eq!(count(&killed), 30);
    fine(&["verify", &killed]);
    drop(log);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy(&path, &to),
            false => drop(fs::copy(&path, &to).unwrap()),
        }
    }
}

/// However often an import is killed, it ends with every event once.
#[test]
fn an_import_that_is_killed_again_and_again_has_every_event_once() {
    let (dir, log) = new_log();
    let file = events_file(dir.path(), "in.jsonl", 20_000);
    for kill_at in [1_000, 5_000, 12_000] {
        let mut child = bulla(&["import", &log, &file, "--resume", "--format", "jsonl"])
            .stderr(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // Until so much of it is there, or it has ended.
        while count(&log) < kill_at && child.try_wait().unwrap().is_none() {}
        let _ = child.kill();
        child.wait().unwrap();
    }
    let ran = run(&["import", &log, &file, "--resume", "--format", "jsonl"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let seen = fine(&["query", &log, "--oldest-first", "--output", "jsonl"]);
    let ids: Vec<String> = crate::running::jsonl(&seen)
        .iter()
        .map(|record| record["request_id"].as_str().unwrap().to_owned())
        .collect();
    let expected: Vec<String> = (1..=20_000).map(|number| format!("r{number}")).collect();
    assert!(ids == expected, "{} records", ids.len());
}

/// The command that an error gives to go on, run as a shell does.
fn go_on(told: &str) -> Vec<String> {
    let command = told.split("to go on: bulla ").nth(1).unwrap().trim_end();
    let words = std::process::Command::new("sh")
        .args(["-c", &format!("for word in {command}; do printf '%s\\n' \"$word\"; done")])
        .output()
        .unwrap();
    String::from_utf8(words.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn an_import_whose_output_finds_no_space_says_what_is_in_the_log_and_how_to_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let log = at(dir.path(), "the log");
    let file = events_file(dir.path(), "it's.jsonl", 2_500);
    let text = fs::read_to_string(&file).unwrap() + "no event\n" + EVENT + "\n";
    fs::write(&file, text).unwrap();
    let import = ["import", &log, &file, "--format", "jsonl", "--create"];
    let told = refused(2, &[&import[..], &["--rejects", "/dev/full"]].concat());
    assert!(told.contains("/dev/full: No space left on device"), "{told}");
    assert!(
        told.contains("the first 2,000 events of these files are in the log, durably"),
        "{told}"
    );
    assert_eq!(count(&log), 2_000, "as it says");
    let command = go_on(&told);
    assert!(command.contains(&"--resume".to_owned()), "{command:?}");
    // With space the import completes, and lists what was rejected.
    let rejects = at(dir.path(), "rejects");
    let command: Vec<&str> = command
        .iter()
        .map(|word| if word == "/dev/full" { rejects.as_str() } else { word })
        .collect();
    fine(&command);
    assert_eq!(count(&log), 2_501);
    assert!(fs::read_to_string(&rejects).unwrap().contains("it's.jsonl:2501: "));
}

#[test]
fn an_import_whose_reports_find_no_space_says_what_is_in_the_log() {
    let (dir, log) = new_log();
    let (one, two) = (events_file(dir.path(), "one", 3), events_file(dir.path(), "two", 5));
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let import = ["import", &log, &one, &two, "--format", "jsonl"];
    let ran = bulla(&import).stdout(full()).output().unwrap();
    let told = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(2), "{told}");
    assert!(told.contains("standard output: No space left"), "{told}");
    assert!(told.contains("the first 3 events of these files are in the log"), "{told}");
    let command = go_on(&told);
    assert_eq!(command[..2], ["import", "--resume"]);
    fine(&command.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(count(&log), 8);
    // Of events on standard input, the line behind which to go on.
    let input = fs::File::open(&two).unwrap();
    let ran = bulla(&["append", &log, "--stdin"]).stdin(input).stdout(full()).output().unwrap();
    let told = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(2), "{told}");
    assert!(told.contains("every event up to line 1 of standard input is in the log"), "{told}");
    assert!(told.contains("`tail -n +2`"), "{told}");
    assert_eq!(count(&log), 9);
    let one = ["append", &log, "--actor", "u:a", "--action", "a.b", "--resource", "r"];
    let ran = bulla(&one).stdout(full()).output().unwrap();
    let told = String::from_utf8(ran.stderr).unwrap();
    assert!(told.contains("the event is in the log, record "), "{told}");
}
