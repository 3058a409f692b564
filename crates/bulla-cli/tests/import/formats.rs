//! Every line of a trail is in an event or rejected, and what is imported gives the
//! original back.
//!
//! With `BULLA_REAL_DATA` set the trails are the real ones in that directory (data
//! that are missing there fail the test), else the samples of this package.

// Clippy lets tests panic, but does not count the functions they share as tests.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bulla::event::{Event, Outcome};
use bulla_cli::import::{self, Counts, Format, Item, Mapping, UNIT_BYTES_MAX};
use flate2::Compression;
use flate2::write::GzEncoder;

/// A file, its format, and how many of its lines are rejected.
struct Trail {
    path: PathBuf,
    format: Format,
    rejected: u64,
}

/// Of the real lines, the rejected ones are: `type=UNKNOWN[1329] msg=?`; four GitHub
/// times such as `2024-12-17 00:00:00000000`; Okta and Google times `redacted` and
/// `...`; and vendors' enrichment fragments that name no action.
const REAL: [(&str, &str, u64); 12] = [
    ("cloudtrail/invictus.jsonl", "cloudtrail", 0),
    ("cloudtrail/stratus.jsonl", "cloudtrail", 0),
    ("k8s/perfspec.jsonl", "k8s", 0),
    ("k8s/falco.jsonl", "k8s", 0),
    ("auditd/auparse_testdata_audit-rhel7.log", "auditd", 1),
    ("auditd/auparse_testdata_test2.log", "auditd", 0),
    ("auditd/testdata_normal.log", "auditd", 0),
    ("auditd/testdata_out_of_order.log", "auditd", 0),
    ("vendor/GitHub_Audit.jsonl", "json:github", 4),
    ("vendor/Okta_SystemLog.jsonl", "json:okta", 5),
    ("vendor/GCP_AuditLog.jsonl", "json:gcp", 3),
    ("vendor/GSuite_ActivityEvent.jsonl", "json:gworkspace", 7),
];

const SAMPLES: [(&str, &str, u64); 8] = [
    ("cloudtrail.jsonl", "cloudtrail", 0),
    ("k8s.jsonl", "k8s", 0),
    ("auditd.log", "auditd", 1),
    ("events.jsonl", "jsonl", 1),
    ("github.jsonl", "json:github", 1),
    ("okta.jsonl", "json:okta", 0),
    ("gcp.jsonl", "json:gcp", 0),
    ("gworkspace.jsonl", "json:gworkspace", 0),
];

fn format(name: &str) -> Format {
    match name.strip_prefix("json:") {
        Some(mapping) => Format::Json(Arc::new(Mapping::open(mapping).unwrap())),
        None => name.parse().unwrap(),
    }
}

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples")
}

fn trails() -> Vec<Trail> {
    let real = std::env::var_os("BULLA_REAL_DATA").map(PathBuf::from);
    let (directory, list) = match &real {
        // Tests run in the directory of their package, CI sets a path from the root.
        Some(given) if given.is_relative() => {
            (Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(given), REAL.as_slice())
        }
        Some(given) => (given.clone(), REAL.as_slice()),
        None => (samples(), SAMPLES.as_slice()),
    };
    list.iter()
        .map(|(file, name, rejected)| Trail {
            path: directory.join(file),
            format: format(name),
            rejected: *rejected,
        })
        .collect()
}

fn read(path: &Path, format: &Format) -> (Vec<Item>, Counts) {
    let mut import = import::read(path, format).unwrap();
    let items = import.by_ref().map(Result::unwrap).collect();
    (items, import.counts())
}

fn events(items: &[Item]) -> Vec<(u64, &Event)> {
    let event = |item| match item {
        &Item::Event { ref event, line, .. } => Some((line, event)),
        Item::Rejected { .. } => None,
    };
    items.iter().filter_map(event).collect()
}

/// The lines of a file that are not blank, by number from 1, read by other means.
fn lines(path: &Path) -> BTreeMap<u64, String> {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let numbered = (1..).zip(text.lines().map(str::trim));
    numbered.filter(|(_, line)| !line.is_empty()).map(|(at, line)| (at, line.to_owned())).collect()
}

#[test]
fn every_line_is_imported_or_rejected() {
    for trail in trails() {
        let name = trail.path.display();
        let expected = lines(&trail.path);
        let (items, counts) = read(&trail.path, &trail.format);
        assert_eq!(counts.lines, expected.len() as u64, "{name}");
        assert_eq!(counts.imported + counts.rejected, counts.lines, "{name}");
        assert_eq!(counts.events, events(&items).len() as u64, "{name}");
        assert_eq!(counts.rejected, trail.rejected, "{name}: {items:#?}");
        for item in &items {
            let (Item::Event { line, .. } | Item::Rejected { line, .. }) = item;
            assert!(expected.contains_key(line), "{name}:{line}");
            if let Item::Rejected { reason, .. } = item {
                assert!(
                    !reason.is_empty() && !reason.contains(char::is_control),
                    "{name}: {reason:?}"
                );
            }
        }
    }
}

#[test]
fn details_give_the_original_back_byte_for_byte() {
    for trail in trails() {
        let mut originals = lines(&trail.path);
        let (items, _) = read(&trail.path, &trail.format);
        let mut recovered = Vec::new();
        for (line, event) in events(&items) {
            match trail.format {
                Format::Jsonl => continue,
                Format::Auditd => {
                    let details = event.details.as_ref().unwrap().to_value().unwrap();
                    let records = details["records"].as_array().unwrap();
                    recovered
                        .extend(records.iter().map(|record| record.as_str().unwrap().to_owned()));
                }
                _ => assert_eq!(event.details.as_ref().unwrap().as_str(), originals[&line]),
            }
        }
        if matches!(trail.format, Format::Auditd) {
            for item in &items {
                if let Item::Rejected { line, .. } = item {
                    originals.remove(line);
                }
            }
            let mut expected: Vec<String> = originals.into_values().collect();
            expected.sort();
            recovered.sort();
            assert_eq!(recovered, expected, "{}", trail.path.display());
        }
    }
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

#[test]
fn a_packed_file_is_read_like_a_plain_one() {
    let directory = tempfile::tempdir().unwrap();
    for trail in trails() {
        let plain = fs::read(&trail.path).unwrap();
        // Two members in one file, under a name that does not tell.
        let (first, second) = plain.split_at(plain.len() / 3);
        let path = directory.path().join("trail");
        fs::write(&path, [packed(first), packed(second)].concat()).unwrap();
        assert_eq!(read(&path, &trail.format), read(&trail.path, &trail.format));
    }
}

#[test]
fn a_packed_file_that_is_cut_short_is_an_error_that_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let whole = packed(&fs::read(samples().join("cloudtrail.jsonl")).unwrap());
    let path = directory.path().join("cut.gz");
    for length in [0, 1, 2, 5, 18, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        let failure = match import::read(&path, &Format::CloudTrail) {
            Err(error) => error,
            Ok(mut import) => {
                let failure = import.find_map(Result::err);
                assert!(import.next().is_none(), "{length}: goes on after an error");
                failure.unwrap_or_else(|| panic!("{length}: no error"))
            }
        };
        assert!(failure.to_string().contains("cut.gz"), "{failure}");
    }
    let missing = import::read(&directory.path().join("missing"), &Format::K8s).err().unwrap();
    assert!(missing.to_string().contains("missing"), "{missing}");
}

#[test]
fn files_as_aws_delivers_them_give_the_same_events() {
    let sample = samples().join("cloudtrail.jsonl");
    let records: Vec<String> = lines(&sample).into_values().collect();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("delivered.json.gz");
    fs::write(&path, packed(format!("{{\"Records\":[{}]}}", records.join(",")).as_bytes()))
        .unwrap();
    let (delivered, counts) = read(&path, &Format::CloudTrail);
    let (expected, _) = read(&sample, &Format::CloudTrail);
    let only_events = |items: &[Item]| {
        events(items).into_iter().map(|(_, event)| event.clone()).collect::<Vec<_>>()
    };
    assert_eq!(only_events(&delivered), only_events(&expected));
    assert_eq!((counts.lines, counts.imported), (42, 42));
}

/// Lines that must each be rejected, and must not stop the good line after them.
fn hostile() -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = [
        "{",
        "null",
        "[1]",
        "\u{0}x",
        "{\"eventTime\":",
        "{}{}",
        "\u{1b}[31mred",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":1e999}",
    ]
    .map(|line| line.as_bytes().to_vec())
    .into();
    lines.push(b"\xff\xfe".to_vec());
    lines.push(b"{\"a\":".repeat(100_000));
    lines.push(vec![b'x'; UNIT_BYTES_MAX + 1]);
    lines.push(format!("{{\"a\":\"{}\"}}", "y".repeat(2 << 20)).into_bytes());
    lines
}

#[test]
fn hostile_lines_are_rejected_and_the_good_ones_among_them_imported() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hostile");
    for (sample, name, _) in SAMPLES {
        let format = format(name);
        let good = lines(&samples().join(sample)).into_values().next().unwrap();
        let bad = hostile();
        let mut file = Vec::new();
        for line in &bad {
            file.extend_from_slice(line);
            file.extend_from_slice(format!("\n{good}\n").as_bytes());
        }
        fs::write(&path, file).unwrap();
        let (items, counts) = read(&path, &format);
        // Two values on one line are two, where lines hold JSON.
        let more = u64::from(name != "auditd");
        assert_eq!(counts.lines, 2 * bad.len() as u64 + more, "{name}");
        assert_eq!(counts.rejected, bad.len() as u64 + more, "{name}: {items:#?}");
        assert_eq!(counts.imported, bad.len() as u64, "{name}");
        for item in items {
            if let Item::Rejected { reason, .. } = item {
                assert!(!reason.contains(char::is_control) && reason.len() < 600, "{reason}");
            }
        }
    }
}

#[test]
fn control_characters_keep_no_event_out_of_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control");
    let good = lines(&samples().join("k8s.jsonl")).into_values().next().unwrap();
    let in_name = good.replace("alice@example.com", "alice\\u001b[2J");
    let in_agent = good.replace("kubectl/", "kubectl\\u0007/");
    fs::write(&path, format!("{in_name}\n{in_agent}\n")).unwrap();
    let (items, _) = read(&path, &Format::K8s);
    let Item::Event { event, .. } = &items[0] else { panic!("{items:?}") };
    assert_eq!(event.actor.id, "alice\\u{1b}[2J");
    assert_eq!(event.details.as_ref().unwrap().as_str(), in_name);
    let Item::Event { event, .. } = &items[1] else { panic!("{items:?}") };
    assert!(event.user_agent.as_ref().unwrap().starts_with("kubectl\\u{7}/"));
    assert_eq!(event.details.as_ref().unwrap().as_str(), in_agent);
}

#[test]
fn only_our_own_json_lines_are_strict_about_control_characters() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control");
    for (sample, name, _) in
        SAMPLES.iter().filter(|(_, name, _)| !["auditd", "jsonl"].contains(name))
    {
        let original = lines(&samples().join(sample)).into_values().next().unwrap();
        let mut hostile: serde_json::Value = serde_json::from_str(&original).unwrap();
        spoil(&mut hostile);
        fs::write(&path, format!("{hostile}\n")).unwrap();
        let (items, _) = read(&path, &format(name));
        let Item::Event { event, .. } = &items[0] else { panic!("{name}: {items:?}") };
        assert!(event.actor.id.ends_with("\\u{9b}"), "{name}: {}", event.actor.id);
        assert_eq!(event.details.as_ref().unwrap().as_str(), hostile.to_string());
    }
    let record = "type=USER_LOGIN msg=audit(1.000:1): auid=a\u{9b} acct=\"b\u{1b}\" res=success";
    fs::write(&path, record).unwrap();
    let (items, _) = read(&path, &Format::Auditd);
    let found = events(&items)[0].1;
    assert_eq!(found.actor.id, "a\\u{9b}");
    assert_eq!(found.resource.id.as_deref(), Some("b\\u{1b}"));
    let ours = r#"{"actor":{"type":"u","id":"a\u001b"},"action":"x.y","resource":{"type":"r"}}"#;
    fs::write(&path, ours).unwrap();
    let (items, _) = read(&path, &Format::Jsonl);
    let Item::Rejected { reason, .. } = &items[0] else { panic!("{items:?}") };
    assert!(reason.starts_with("actor.id holds the control character U+001B"), "{reason}");
}

/// Puts a control character at the end of every text, but for those that must have a
/// form of their own.
fn spoil(value: &mut serde_json::Value) {
    const KEPT: [&str; 8] =
        ["time", "timestamp", "published", "created", "version", "kind", "outcome", "verb"];
    match value {
        serde_json::Value::String(text) => text.push('\u{9b}'),
        serde_json::Value::Array(items) => items.iter_mut().for_each(spoil),
        serde_json::Value::Object(members) => {
            for (name, member) in members {
                if !KEPT.iter().any(|kept| name.to_lowercase().contains(kept)) {
                    spoil(member);
                }
            }
        }
        _ => {}
    }
}

#[test]
fn the_cloudtrail_sample_tells_its_story() {
    let (items, _) = read(&samples().join("cloudtrail.jsonl"), &Format::CloudTrail);
    let found = events(&items);
    let count = |outcome| found.iter().filter(|(_, event)| event.outcome == outcome).count();
    let counts = [Outcome::Success, Outcome::Failure, Outcome::Denied].map(count);
    assert_eq!(counts, [29, 5, 8]);
    let by = |id: &str| found.iter().filter(|(_, event)| event.actor.id.ends_with(id)).count();
    assert_eq!((by("user/mallory"), by("assumed-role/ops-admin/carol@example.com")), (6, 9));
    let logins = found.iter().filter(|(_, event)| event.action == "signin.ConsoleLogin").count();
    assert_eq!(logins, 4);
}

#[test]
fn the_other_samples_are_mapped_as_documented() {
    let one = |file: &str, name: &str, at: usize| {
        let (items, _) = read(&samples().join(file), &format(name));
        let mut event = events(&items)[at].1.clone();
        event.details = None;
        event.to_json()
    };
    let shown = [
        one("k8s.jsonl", "k8s", 1),
        one("auditd.log", "auditd", 3),
        one("github.jsonl", "json:github", 2),
        one("okta.jsonl", "json:okta", 1),
        one("gcp.jsonl", "json:gcp", 1),
        one("gworkspace.jsonl", "json:gworkspace", 0),
    ];
    for (found, expected) in shown.iter().zip(include_str!("mapped.jsonl").lines()) {
        assert_eq!(found, expected);
    }
}

#[test]
fn the_example_of_the_manual_works_as_printed() {
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/importers.md");
    let manual = fs::read_to_string(manual).unwrap();
    let blocks: Vec<&str> = manual
        .split("```json\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap().trim())
        .collect();
    let [line, mapping, expected] = blocks.as_slice() else { panic!("{blocks:?}") };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("doors.jsonl");
    fs::write(&path, line).unwrap();
    let format = Format::Json(Arc::new(Mapping::parse(mapping).unwrap()));
    let (items, _) = read(&path, &format);
    let found = events(&items)[0].1.to_json();
    assert_eq!(found, *expected);
    for field in import::mapping::FIELDS {
        assert!(manual.contains(&format!("`{field}`")), "{field} is not in the manual");
    }
}
