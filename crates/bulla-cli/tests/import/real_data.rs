//! Real audit events go in by the command line, are all accounted for, come back byte for
//! byte after reopening, and are proved to a stranger.
//!
//! With `BULLA_REAL_DATA` set the events are those in that directory, and missing ones fail
//! the test; else the samples of this package.

// Clippy lets tests panic, but does not count the functions they share as tests.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::running::{at, fine, run};
use bulla::Log;
use bulla::Trust;
use bulla::checkpoint::VerifyingKey;
use bulla::event::{Event, Record};
use bulla::proof::{Disclosure, TlogProof};
use bulla::seq::Seq;

/// A trail and the options that import it.
type Trail = (&'static str, &'static [&'static str]);

const REAL: [Trail; 12] = [
    ("cloudtrail/invictus.jsonl", &["cloudtrail"]),
    ("cloudtrail/stratus.jsonl", &["cloudtrail"]),
    ("k8s/perfspec.jsonl", &["k8s"]),
    ("k8s/falco.jsonl", &["k8s"]),
    ("auditd/auparse_testdata_audit-rhel7.log", &["auditd"]),
    ("auditd/auparse_testdata_test2.log", &["auditd"]),
    ("auditd/testdata_normal.log", &["auditd"]),
    ("auditd/testdata_out_of_order.log", &["auditd"]),
    ("vendor/GitHub_Audit.jsonl", &["json", "--map", "github"]),
    ("vendor/Okta_SystemLog.jsonl", &["json", "--map", "okta"]),
    ("vendor/GCP_AuditLog.jsonl", &["json", "--map", "gcp"]),
    ("vendor/GSuite_ActivityEvent.jsonl", &["json", "--map", "gworkspace"]),
];

const SAMPLES: [Trail; 8] = [
    ("cloudtrail.jsonl", &["cloudtrail"]),
    ("k8s.jsonl", &["k8s"]),
    ("auditd.log", &["auditd"]),
    ("events.jsonl", &["jsonl"]),
    ("github.jsonl", &["json", "--map", "github"]),
    ("okta.jsonl", &["json", "--map", "okta"]),
    ("gcp.jsonl", &["json", "--map", "gcp"]),
    ("gworkspace.jsonl", &["json", "--map", "gworkspace"]),
];

fn trails() -> (PathBuf, &'static [Trail]) {
    match std::env::var_os("BULLA_REAL_DATA").map(PathBuf::from) {
        // Tests run in the directory of their package, the variable is set at the root.
        Some(given) if given.is_relative() => {
            (Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(given), &REAL)
        }
        Some(given) => (given, &REAL),
        None => (crate::running::samples(), &SAMPLES),
    }
}

/// What an import said, and the lines it left out.
struct Imported {
    lines: u64,
    imported: u64,
    rejected: u64,
    rejected_lines: Vec<usize>,
}

fn import(log: &str, file: &Path, options: &[&str], rejects: &str) -> Imported {
    let file = file.display().to_string();
    let mut arguments = vec!["import", log, &file, "--no-redact", "--rejects", rejects, "--format"];
    arguments.extend(options);
    let told = fine(&arguments);
    let told = told.strip_prefix(&format!("{file}: ")).unwrap();
    let figures: Vec<u64> = told
        .split(", ")
        .map(|part| part.split(' ').next().unwrap().replace(',', "").parse().unwrap())
        .collect();
    let line_of = |reject: &str| {
        let rest = reject.strip_prefix(&format!("{file}:")).unwrap();
        rest.split(':').next().unwrap().parse().unwrap()
    };
    assert!(!told.contains("in the log already"), "no event of a trail is there twice: {told}");
    // A fourth figure counts events that share their id with another.
    let [lines, imported, rejected, ..] = figures[..] else { panic!("{told}") };
    // If nothing is rejected the file is not touched.
    let rejects = if rejected == 0 { String::new() } else { fs::read_to_string(rejects).unwrap() };
    let rejected_lines = rejects.lines().map(line_of).collect();
    Imported { lines, imported, rejected, rejected_lines }
}

/// The lines of a file that are neither blank nor rejected.
fn originals(file: &Path, done: &Imported) -> Vec<String> {
    let text =
        fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let lines: Vec<(usize, &str)> =
        (1..).zip(text.lines().map(str::trim)).filter(|(_, line)| !line.is_empty()).collect();
    assert_eq!(done.lines, lines.len() as u64, "{}", file.display());
    assert_eq!(done.imported + done.rejected, done.lines, "{}", file.display());
    let kept = lines.iter().filter(|(number, _)| !done.rejected_lines.contains(number));
    let kept: Vec<String> = kept.map(|(_, line)| (*line).to_owned()).collect();
    assert_eq!(kept.len() as u64, done.imported, "{}", file.display());
    kept
}

/// Every original is in a record, byte for byte.
fn check_details(records: &[Record], mut originals: Vec<String>, options: &[&str], name: &str) {
    let details = |record: &Record| record.event.details.clone().unwrap();
    match options[0] {
        "auditd" => {
            let mut found: Vec<String> = Vec::new();
            for record in records {
                let value = details(record).to_value().unwrap();
                let lines = value["records"].as_array().unwrap();
                found.extend(lines.iter().map(|line| line.as_str().unwrap().to_owned()));
            }
            found.sort();
            originals.sort();
            assert_eq!(found, originals, "{name}");
        }
        "jsonl" => {
            assert_eq!(records.len(), originals.len(), "{name}");
            for (record, original) in records.iter().zip(&originals) {
                let mut expected = Event::from_json(original).unwrap();
                expected.id = expected.id.or(record.event.id);
                expected.occurred_at = expected.occurred_at.or(record.event.occurred_at);
                assert_eq!(record.event, expected, "{name}");
            }
        }
        _ => {
            assert_eq!(records.len(), originals.len(), "{name}");
            for (record, original) in records.iter().zip(&originals) {
                assert_eq!(details(record).as_str(), original, "{name}: record {}", record.seq);
            }
        }
    }
}

#[test]
fn real_events_are_all_accounted_for_come_back_and_are_proved() {
    let dir = tempfile::tempdir().unwrap();
    let log = at(dir.path(), "audit");
    let rejects = at(dir.path(), "rejects");
    fine(&["init", &log, "--origin", "example.com/audit"]);
    let (source, trails) = trails();
    let mut parts: BTreeMap<&str, (usize, usize, Imported)> = BTreeMap::new();
    let mut size = 0;
    for (name, options) in trails {
        let done = import(&log, &source.join(name), options, &rejects);
        let now = usize::try_from(Log::open_read_only(&log).unwrap().size().get()).unwrap();
        parts.insert(name, (size, now, done));
        size = now;
    }
    // Reopened: everything is where it was, and the originals come back.
    let reader = Log::open_read_only(&log).unwrap();
    assert_eq!(reader.size().get(), size as u64);
    let records: Vec<Record> =
        reader.snapshot().records_from(Seq::new(0)).map(Result::unwrap).collect();
    assert_eq!(records.len(), size);
    for (name, options) in trails {
        let (from, to, done) = &parts[name];
        let kept = originals(&source.join(name), done);
        check_details(&records[*from..*to], kept, options, name);
    }
    let report = run(&["verify", &log]);
    assert_eq!(report.status, 0, "{}", report.stdout);
    prove_a_sample(dir.path(), &log, &records);
}

/// How many events of the real trails have values redacted, in the order of [`REAL`].
const REAL_REDACTED: [u64; 12] = [70, 17, 0, 11, 0, 0, 0, 0, 1, 0, 0, 0];

/// Ends of names that must not have a value left; found without the library's rules.
const SECRET_ENDS: [&str; 6] = ["password", "token", "secret", "apikey", "cookie", "authorization"];

/// Whether a value under such a name is there, and none that was not redacted.
fn only_redacted(value: &serde_json::Value, name: &str) -> bool {
    match value {
        // All of them are looked at, so no `any`.
        serde_json::Value::Object(members) => {
            members
                .iter()
                .filter(|(key, value)| {
                    let key: String = key.chars().filter(char::is_ascii_alphanumeric).collect();
                    let key = key.to_ascii_lowercase();
                    if SECRET_ENDS.iter().any(|end| key.ends_with(end)) {
                        assert_eq!(**value, *"[redacted]", "{name}: {key}");
                        return true;
                    }
                    only_redacted(value, name)
                })
                .count()
                > 0
        }
        serde_json::Value::Array(items) => {
            items.iter().filter(|item| only_redacted(item, name)).count() > 0
        }
        _ => false,
    }
}

#[test]
fn real_events_are_redacted_unless_told_otherwise() {
    let dir = tempfile::tempdir().unwrap();
    let log = at(dir.path(), "audit");
    fine(&["init", &log, "--origin", "example.com/audit"]);
    let (source, trails) = trails();
    let (mut size, mut all) = (0, 0);
    for (number, (name, options)) in trails.iter().enumerate() {
        let file = source.join(name).display().to_string();
        let mut arguments = vec!["import", log.as_str(), &file, "--format"];
        arguments.extend(*options);
        let told = fine(&arguments);
        let told = told.trim().strip_suffix(" with values redacted").unwrap();
        let told = told.rsplit(", ").next().unwrap().split(' ').next().unwrap();
        let told: u64 = told.parse().unwrap();
        if trails.len() == REAL_REDACTED.len() {
            assert_eq!(told, REAL_REDACTED[number], "{name}");
        }
        let reader = Log::open_read_only(&log).unwrap();
        let records: Vec<Record> =
            reader.snapshot().records_from(Seq::new(size)).map(Result::unwrap).collect();
        size = reader.size().get();
        let redacted = records.iter().filter(|record| record.event.redacted.is_some());
        assert_eq!(redacted.count() as u64, told, "{name}");
        for event in records.iter().map(|record| &record.event) {
            let details = event.details.as_ref().map(|json| json.to_value().unwrap());
            let found = details.is_some_and(|details| only_redacted(&details, name));
            assert!(!found || event.redacted.is_some(), "{name}: {}", event.to_json());
        }
        all += told;
    }
    // Our own samples have no secrets in them.
    let expected = std::env::var_os("BULLA_REAL_DATA").is_some();
    assert_eq!(all > 0, expected, "{all} redacted in {}", source.display());
    assert_eq!(run(&["verify", &log]).status, 0);
}

/// A hundred records drawn with a seed are proved, and verified from the texts alone.
fn prove_a_sample(dir: &Path, log: &str, records: &[Record]) {
    let key = at(dir, "audit.key");
    let trusted: VerifyingKey = fine(&["keygen", &key, "--log", log]).trim().parse().unwrap();
    let trusted = Trust::in_keys([trusted]);
    fine(&["checkpoint", log, "--key", &key]);
    let reader = Log::open_read_only(log).unwrap();
    let checkpoint = reader.checkpoints().latest().unwrap().unwrap();
    let mut seed = 2_026;
    for number in 0..100 {
        let drawn = crate::running::random(&mut seed) % records.len() as u64;
        let expected = &records[usize::try_from(drawn).unwrap()];
        let disclosure = match number % 2 {
            0 => Disclosure::Whole,
            _ => Disclosure::WithholdPayload,
        };
        let text =
            reader.snapshot().prove(expected.seq, &checkpoint, disclosure).unwrap().to_text();
        let proof = TlogProof::parse(text.as_bytes()).unwrap();
        let proved = proof.verify_record(&trusted).unwrap();
        assert_eq!(proved.record().leaf_hash, expected.leaf_hash);
        assert_eq!(proved.record().seq, expected.seq);
        match disclosure {
            Disclosure::Whole => assert_eq!(proved.record(), expected),
            Disclosure::WithholdPayload => {
                assert_eq!(proved.record().event.details, None);
                assert_eq!(proved.record().event.action, expected.event.action);
            }
        }
    }
    // And one of them as a stranger would, with the tool.
    let file = at(dir, "record.tlog-proof");
    fine(&["prove", log, &records[0].seq.to_string(), "-o", &file]);
    let told = fine(&["verify-proof", &file, "--pubkey", &format!("{key}.pub")]);
    assert!(told.starts_with("PROVED"), "{told}");
}
