//! Questions asked at the command line: counts, both ends, accounts of the search, going on,
//! being interrupted. And the counts of real events are those that another program finds in
//! the original files.

// Clippy lets tests panic, but does not count the functions they share as tests.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::running::{at, bulla, fine, jsonl, new_log, refused, run, sample, sample_log};
use bulla::log::GroupBy;
use bulla::query::Query;
use bulla::{Actor, Event, Log, LogOptions, Resource};
use serde_json::{Value, json};

// --- counts of real events -----------------------------------------------------------------

/// A format and the trails of it.
type Trails = (&'static str, &'static [&'static str]);

const REAL: [Trails; 3] = [
    ("cloudtrail", &["cloudtrail/invictus.jsonl", "cloudtrail/stratus.jsonl"]),
    ("k8s", &["k8s/perfspec.jsonl", "k8s/falco.jsonl"]),
    (
        "auditd",
        &[
            "auditd/auparse_testdata_audit-rhel7.log",
            "auditd/auparse_testdata_test2.log",
            "auditd/testdata_normal.log",
            "auditd/testdata_out_of_order.log",
        ],
    ),
];

const SAMPLES: [Trails; 3] =
    [("cloudtrail", &["cloudtrail.jsonl"]), ("k8s", &["k8s.jsonl"]), ("auditd", &["auditd.log"])];

/// The trails of `BULLA_REAL_DATA`, which must be there then; else the samples.
fn trails() -> (PathBuf, [Trails; 3]) {
    match std::env::var_os("BULLA_REAL_DATA").map(PathBuf::from) {
        // Tests run in the directory of their package, the variable is set at the root.
        Some(given) if given.is_relative() => {
            (Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(given), REAL)
        }
        Some(given) => (given, REAL),
        None => {
            let is_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
            assert!(!is_ci, "CI counts real events: set BULLA_REAL_DATA, as .ci/run does");
            (crate::running::samples(), SAMPLES)
        }
    }
}

/// What the other program counts in the files; `None` where there is no Python and nobody
/// insists.
fn counted_independently(format: &str, files: &[String]) -> Option<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/independent/count.py");
    let mut python = Command::new("python3");
    python.arg(script);
    for file in files {
        python.args([format, file]);
    }
    match python.output() {
        Ok(output) => {
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{told}");
            Some(serde_json::from_slice(&output.stdout).unwrap())
        }
        Err(error) => {
            let insisted = std::env::var("CI").is_ok_and(|ci| ci == "true")
                || std::env::var_os("BULLA_REAL_DATA").is_some();
            assert!(!insisted, "CI or BULLA_REAL_DATA is set, and python3: {error}; install it");
            eprintln!("NOT RUN: python3: {error}");
            None
        }
    }
}

fn counted(log: &str, field: &str, options: &[&str]) -> BTreeMap<String, u64> {
    let arguments = [&["query", log, "--count-by", field, "--output", "jsonl"], options].concat();
    let groups = jsonl(&fine(&arguments));
    let counts: BTreeMap<String, u64> = groups
        .iter()
        .map(|group| {
            (group["value"].as_str().unwrap().to_owned(), group["count"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(counts.len(), groups.len(), "{field}: every value stands once");
    counts
}

#[test]
fn counts_of_imported_events_are_those_of_another_program_that_reads_the_originals() {
    let (source, trails) = trails();
    for (format, names) in trails {
        let files: Vec<String> = names.iter().map(|name| at(&source, name)).collect();
        compare_counts(format, &files);
    }
}

/// Trails in which subjects chose texts that look like structure, and trails that are odd.
const FORGED: [Trails; 3] = [
    (
        "auditd",
        &[
            "01a-auditd-quote-hides-failure.log",
            "01b-auditd-quote-hides-sudo-command.log",
            "01c-auditd-quote-changes-actor.log",
            "01d-auditd-quote-cuts-name.log",
            "04a-auditd-deep-directory.log",
            "06-auditd-decimal-id-read-as-hex.log",
            "07-auditd-numeric-types.log",
            "25-auditd-small.log",
            "28-auditd-result-not-understood.log",
            "31-auditd-decisions.log",
            "32-auditd-record-without-result.log",
            "33-auditd-syslog-forged.log",
            "34-auditd-auxiliary-records.log",
            "35-auditd-terminal-forges-addr.log",
            "37-auditd-separator-stripped.log",
            "38-auditd-ausearch.log",
        ],
    ),
    (
        "cloudtrail",
        &["08-cloudtrail-failed-signin-counted-success.jsonl", "09-cloudtrail-no-identity.jsonl"],
    ),
    (
        "k8s",
        &[
            "03-k8s-failed-authentication.jsonl",
            "23-k8s-code-not-an-integer.jsonl",
            "24-k8s-zero-time.jsonl",
        ],
    ),
];

#[test]
fn counts_of_forged_events_are_those_of_another_program_too() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/inputs");
    for (format, names) in FORGED {
        // One by one, because their stamps are the same.
        for name in names {
            compare_counts(format, &[at(&source, name)]);
        }
    }
}

/// Imports the files and compares the counts with those of the other program.
fn compare_counts(format: &str, files: &[String]) {
    let Some(expected) = counted_independently(format, files) else { return };
    let (_dir, log) = new_log();
    for file in files {
        fine(&["import", &log, file, "--format", format, "--no-redact"]);
    }
    let events = expected["events"].as_u64().unwrap();
    assert!(events > 0, "{files:?}");
    let compare = |when: &str| {
        for field in ["actor", "action", "outcome"] {
            let theirs: BTreeMap<String, u64> =
                serde_json::from_value(expected[field].clone()).unwrap();
            assert_eq!(theirs.values().sum::<u64>(), events, "{files:?}");
            assert_eq!(counted(&log, field, &[]), theirs, "{files:?} by {field}, {when}");
        }
    };
    compare("in the log");
    assert_eq!(fine(&["query", &log, "--count"]).trim(), events.to_string());
    // And the same from the index file of a sealed segment.
    seal(&log);
    compare("sealed");
}

/// Seals the segment that is being written.
fn seal(log: &str) {
    let log = Log::open(log).unwrap();
    log.rotate().unwrap();
    log.close().unwrap();
}

// --- questions -----------------------------------------------------------------------------

/// Three sealed segments and an active one, of 4 × 25 events by two actors.
fn four_segments() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = at(dir.path(), "audit");
    let log = LogOptions::new().origin("example.com/audit").create(&path).unwrap();
    for segment in 0..4 {
        let event = |n: u64| {
            let actor = Actor::new("user", if n.is_multiple_of(5) { "bob" } else { "alice" });
            let id = format!("i-{segment}-{n}");
            let event =
                Event::new(actor, format!("invoice.part{segment}"), Resource::new("invoice", id));
            let event = if n.is_multiple_of(2) { event.ip("203.0.113.9") } else { event };
            if n.is_multiple_of(10) { event } else { event.tenant("acme") }
        };
        log.append_batch(&(0..25).map(event).collect::<Vec<_>>()).unwrap();
        if segment < 3 {
            log.rotate().unwrap();
        }
    }
    log.close().unwrap();
    (dir, path)
}

#[test]
fn a_count_is_the_number_of_records_that_a_listing_shows() {
    let (_dir, log) = sample_log();
    for options in [
        &[][..],
        &["--outcome", "denied"],
        &["--action", "s3.*", "--not-outcome", "success"],
        &["--tenant", "nobody"],
        &["--system"],
    ] {
        let ask = |more: &[&str]| fine(&[&["query", &log], options, more].concat());
        let listed = ask(&["--output", "jsonl"]).lines().count();
        assert_eq!(ask(&["--count"]), format!("{listed}\n"), "{options:?}");
        let expected = format!("{}\n", json!({"count": listed}));
        assert_eq!(ask(&["--count", "--output", "jsonl"]), expected, "{options:?}");
        let expected = format!("count\r\n{listed}\r\n");
        assert_eq!(ask(&["--count", "--output", "csv"]), expected, "{options:?}");
    }
}

#[test]
fn counts_by_every_field_are_those_of_the_records_listed() {
    let (_dir, log) = four_segments();
    fine(&["import", &log, &sample("k8s.jsonl"), "--format", "k8s"]);
    let records = jsonl(&fine(&["query", &log, "--output", "jsonl"]));
    let text = |value: &Value| value.as_str().map(str::to_owned);
    type Value1<'a> = Box<dyn Fn(&Value) -> Option<String> + 'a>;
    let joined = |value: &Value, between: &str| {
        let kind = text(&value["type"]).unwrap();
        text(&value["id"]).map_or(kind.clone(), |id| format!("{kind}{between}{id}"))
    };
    let fields: Vec<(&str, Value1<'_>)> = vec![
        ("actor", Box::new(|r| Some(joined(&r["actor"], ":")))),
        ("actor-type", Box::new(|r| text(&r["actor"]["type"]))),
        ("action", Box::new(|r| text(&r["action"]))),
        ("resource", Box::new(|r| Some(joined(&r["resource"], "/")))),
        ("resource-type", Box::new(|r| text(&r["resource"]["type"]))),
        ("tenant", Box::new(|r| text(&r["tenant"]))),
        ("outcome", Box::new(|r| text(&r["outcome"]))),
        ("source", Box::new(|r| text(&r["source"]))),
        ("ip", Box::new(|r| text(&r["ip"]))),
        ("user-agent", Box::new(|r| text(&r["user_agent"]))),
        ("role", Box::new(|r| text(&r["actor"]["role"]))),
    ];
    for (field, value) in &fields {
        let mut expected: BTreeMap<Option<String>, u64> = BTreeMap::new();
        for record in &records {
            *expected.entry(value(record)).or_default() += 1;
        }
        let groups = jsonl(&fine(&["query", &log, "--count-by", field, "--output", "jsonl"]));
        let found: Vec<(u64, Option<String>)> =
            groups.iter().map(|g| (g["count"].as_u64().unwrap(), text(&g["value"]))).collect();
        let mut sorted = found.clone();
        sorted.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        assert_eq!(found, sorted, "{field}: the most frequent first, then by value");
        let found: BTreeMap<_, _> =
            found.into_iter().map(|(count, value)| (value, count)).collect();
        assert_eq!(found, expected, "{field}");
    }
}

#[test]
fn a_histogram_counts_every_record_and_shows_empty_steps() {
    let (_dir, log) = sample_log();
    let steps = jsonl(&fine(&["query", &log, "--histogram", "15min", "--output", "jsonl"]));
    let counts: Vec<u64> = steps.iter().map(|step| step["count"].as_u64().unwrap()).collect();
    assert_eq!(counts.iter().sum::<u64>(), 42);
    assert!(counts.contains(&0), "{counts:?}");
    assert!(counts[0] > 0 && counts[counts.len() - 1] > 0, "{counts:?}");
    let csv = fine(&["query", &log, "--histogram", "15min", "--output", "csv"]);
    assert!(csv.starts_with("from,count\r\n") && csv.lines().count() == steps.len() + 1, "{csv}");
    assert_eq!(fine(&["query", &log, "--histogram", "1h", "--tenant", "nobody"]), "");
}

#[test]
fn the_first_and_the_last_record_are_shown_with_their_times() {
    let (_dir, log) = four_segments();
    let records = jsonl(&fine(&["query", &log, "--actor", "bob", "--output", "jsonl"]));
    let (last, first) = (&records[0], &records[records.len() - 1]);
    let ends = jsonl(&fine(&["query", &log, "--actor", "bob", "--seen", "--output", "jsonl"]));
    let end = |which: &str, record: &Value| json!({"which": which, "seq": record["seq"], "recorded_at": record["recorded_at"]});
    assert_eq!(ends, [end("first", first), end("last", last)]);
    let table = fine(&["query", &log, "--actor", "bob", "--seen"]);
    assert!(table.contains("first") && table.contains("95"), "{table}");
    let nobody = run(&["query", &log, "--actor", "nobody", "--seen"]);
    assert_eq!((nobody.status, nobody.stdout.as_str()), (0, ""));
    assert!(nobody.stderr.contains("no record matches"), "{}", nobody.stderr);
}

#[test]
fn an_account_of_the_search_is_told_after_the_answer() {
    let (_dir, log) = four_segments();
    let told = |options: &[&str]| {
        let ran = run(&[&["query", &log, "--output", "jsonl", "--explain"], options].concat());
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        ran.stderr
    };
    let only = told(&["--action", "invoice.part1"]);
    assert!(only.starts_with("bulla: 4 segments: "), "{only}");
    assert!(only.contains("2 ruled out by index, 1 answered from the index"), "{only}");
    assert!(only.contains("1 scanned") && only.contains("25 matched"), "{only}");
    // The segment that is not sealed has no times that anything was checked against.
    let later = told(&["--recorded-until", "365d"]);
    assert!(later.contains("3 ruled out by time, 1 scanned"), "{later}");
    let few = told(&["--oldest-first", "--limit", "1"]);
    assert!(few.contains("3 not looked at") && few.contains("1 record read"), "{few}");
    for options in [&["--count"][..], &["--histogram", "1h"], &["--count-by", "actor"]] {
        let counted = told(options);
        assert!(counted.contains("3 answered from the index"), "{options:?}: {counted}");
    }
    let read = told(&["--count-by", "ip"]);
    assert!(read.contains("100 records read, 100 matched"), "{read}");
    assert!(told(&["--seen"]).contains("2 records read, 2 matched"));
    let silent = run(&["query", &log, "--count"]);
    assert_eq!(silent.stderr, "", "only if it is asked for");
}

#[test]
fn an_answer_that_fits_exactly_leads_nowhere() {
    let (_dir, log) = sample_log();
    let rest = |limit: &str, more: &[&str]| {
        let ran = run(&[&["query", &log, "--limit", limit, "--output", "jsonl"], more].concat());
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        ran.stderr
    };
    assert_eq!(rest("42", &[]), "");
    assert_eq!(rest("43", &[]), "");
    assert!(rest("41", &[]).contains("--after "));
    assert_eq!(rest("8", &["--outcome", "denied"]), "", "the rest are not denied");
    assert!(rest("7", &["--outcome", "denied", "--oldest-first"]).contains("--after "));
}

#[test]
fn what_contradicts_is_refused() {
    for (arguments, told) in [
        (vec!["query", "x", "--count", "--count-by", "actor"], "cannot be used"),
        (vec!["query", "x", "--count", "--seen"], "cannot be used"),
        (vec!["query", "x", "--histogram", "1h", "--seen"], "cannot be used"),
        (vec!["query", "x", "--count-by", "colour"], "user-agent"),
    ] {
        let stderr = refused(2, &arguments);
        assert!(stderr.contains(told), "{arguments:?}: {stderr}");
    }
    let (_dir, log) = sample_log();
    let cut = run(&["query", &log, "--limit", "1"]).stderr;
    let cursor = cut.split_once("--after ").unwrap().1.trim().to_owned();
    for option in ["--count", "--seen"] {
        let stderr = refused(2, &["query", &log, option, "--after", &cursor]);
        assert!(stderr.contains("cannot be used"), "{stderr}");
    }
}

/// The same command, with interrupts as they are in a terminal: whoever runs the tests in the
/// background may have them ignored, and that is inherited.
fn interruptible(command: &Command) -> Command {
    let mut with_default = Command::new("env");
    with_default.arg("--default-signal=INT").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => with_default.env(name, value),
            None => with_default.env_remove(name),
        };
    }
    with_default
}

#[test]
fn an_interrupt_ends_a_search_at_once_and_quietly() {
    let (_dir, log) = new_log();
    for _ in 0..30 {
        fine(&["import", &log, &sample("cloudtrail.jsonl"), "--format", "cloudtrail"]);
    }
    // About 3 MB, more than any pipe holds: it is in the middle of its answer.
    let mut child = interruptible(&bulla(&["query", &log, "--output", "jsonl"]))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut first).unwrap();
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    drop(stdout); // one that did not end would wait here for ever
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.signal(), Some(2), "{}", output.status);
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "it ends quietly");
}

// --- the index files -----------------------------------------------------------------------

#[test]
fn segments_and_stats_show_the_index_files_and_those_that_are_missing() {
    let (_dir, log) = four_segments();
    let listed = || jsonl(&fine(&["segments", &log, "--output", "jsonl"]));
    let stats = || jsonl(&fine(&["stats", &log, "--output", "jsonl"])).remove(0);
    let segments = listed();
    let sizes: Vec<Option<u64>> = segments.iter().map(|s| s["index_bytes"].as_u64()).collect();
    assert!(sizes[..3].iter().all(|size| size.is_some_and(|size| size > 0)), "{sizes:?}");
    assert_eq!(sizes[3], None, "the active one has its index in memory");
    let path = |n: usize| Path::new(segments[n]["path"].as_str().unwrap()).with_extension("idx");
    assert_eq!(fs::metadata(path(1)).unwrap().len(), sizes[1].unwrap());
    let all: u64 = sizes.iter().flatten().sum();
    assert_eq!(
        (&stats()["index_bytes"], &stats()["segments_without_index"]),
        (&json!(all), &json!(0))
    );
    assert!(!fine(&["stats", &log]).contains("scanned"));

    fs::remove_file(path(1)).unwrap();
    assert_eq!(listed()[1]["index_bytes"], Value::Null);
    assert_eq!(stats()["segments_without_index"], 1);
    assert_eq!(stats()["index_bytes"], json!(all - sizes[1].unwrap()));
    assert!(fine(&["stats", &log]).contains("1 sealed segment has none"));
    assert!(fine(&["segments", &log]).contains("none"));
    let csv = fine(&["segments", &log, "--output", "csv"]);
    assert!(csv.lines().next().unwrap().contains(",index_bytes,"), "{csv}");
    // Nothing is missing from answers, and the account says what it took.
    let ran = run(&["query", &log, "--count", "--explain"]);
    assert_eq!(ran.stdout, "100\n");
    assert!(ran.stderr.contains("2 scanned"), "{}", ran.stderr);
    // Opened for writing, the log makes it anew.
    seal(&log);
    assert_eq!(stats()["segments_without_index"], 0);
    let groups = Log::open_read_only(&log).unwrap().snapshot();
    let by_actor = groups.count_by(&Query::new(), GroupBy::Actor).unwrap();
    assert_eq!(by_actor.iter().map(|group| group.count).collect::<Vec<_>>(), [80, 20]);
}
