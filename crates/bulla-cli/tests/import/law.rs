//! The law of the fuzz targets of the importers, on samples that are altered at random, always
//! in the same way. `BULLA_LAW_ROUNDS` says how many times each sample is altered.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, clippy::print_stderr)] // tests

#[path = "../../../../fuzz/shared/import.rs"]
mod shared;

use std::fs;
use std::panic;
use std::path::Path;

use bulla_cli::import::{Format, Item};
use serde_json::json;

use crate::random::Random;
use shared::{Reading, Rules};

/// What importers look for.
const WORDS: [&[u8]; 44] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"'",
    b"\\",
    b"\\ud800",
    b"\\u0000",
    b",",
    b":",
    b"=",
    b"\n",
    b"\n{",
    b"\r\n",
    b"\n\n",
    b"~",
    b"^",
    b"null",
    b"1e400",
    b"\"\"",
    b"{}",
    b"[]",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xc2\x85",
    b"\x00",
    b"\x1d",
    b"#035",
    b"{\"message\":\"{",
    b"{\"message\":{",
    b"{\"detail\":",
    b"\"body\":\"[]\",",
    b"\"events\":[",
    b"\x1e{",
    b"\0{",
    b"\0type=",
    b"----\n",
    b"{\"items\":[",
    b"{\"Records\":[",
    b"\"password\":\"",
    b"4111111111111111",
    b" res=failed'",
    b"msg='",
];

fn range(random: &mut Random, len: usize) -> std::ops::Range<usize> {
    let start = random.index(len + 1);
    let most = if random.one_in(4) { len } else { 24 };
    start..(start + random.index(most)).min(len)
}

fn altered(bytes: &mut Vec<u8>, others: &[Vec<u8>], random: &mut Random) {
    let at = random.index(bytes.len() + 1);
    match random.index(8) {
        0 if !bytes.is_empty() => {
            let at = at.min(bytes.len() - 1);
            bytes[at] = u8::try_from(random.index(256)).unwrap();
        }
        1 => bytes.truncate(at),
        2 => drop(bytes.drain(range(random, bytes.len()))),
        3 => {
            let part = bytes[range(random, bytes.len())].to_vec();
            drop(bytes.splice(at..at, part));
        }
        4 => {
            let other = &others[random.index(others.len())];
            let part = other[range(random, other.len())].to_vec();
            drop(bytes.splice(at..at, part));
        }
        5 => {
            let other = &others[random.index(others.len())];
            bytes.truncate(at);
            bytes.extend_from_slice(&other[at.min(other.len())..]);
        }
        _ => {
            let word = WORDS[random.index(WORDS.len())];
            let replaced = if random.index(2) == 0 { 0 } else { word.len() };
            drop(bytes.splice(at..(at + replaced).min(bytes.len()), word.iter().copied()));
        }
    }
}

/// Lines and files as they are, and together in the ways of `docs/importers.md`.
fn seeds(files: &[&str]) -> Vec<Vec<u8>> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seeds = Vec::new();
    for file in files {
        let bytes = fs::read(package.join(file)).unwrap();
        let lines: Vec<&[u8]> =
            bytes.split(|byte| *byte == b'\n').filter(|line| line.len() > 1).collect();
        seeds.extend(lines.iter().take(12).map(|line| line.to_vec()));
        seeds.extend(lines.windows(2).take(4).map(|two| two.join(&b'\n')));
        seeds.extend(lines.windows(2).take(2).map(|two| [b"[", &*two.join(&b','), b"]"].concat()));
        seeds.extend(lines.iter().take(2).flat_map(|line| wrapped(line)));
        seeds.push(bytes);
    }
    seeds
}

/// A line in messages of several kinds, if it is JSON.
fn wrapped(line: &[u8]) -> Vec<Vec<u8>> {
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(line) else { return Vec::new() };
    let text = value.to_string();
    let around = [
        json!({ "message": text }),
        json!({ "source": "x", "detail": value, "message": "" }),
        json!({ "Message": json!({ "detail": value }).to_string(), "body": {} }),
        json!({ "records": [{ "properties": { "log": text } }, value], "data": text }),
        json!({ "body": format!("{text}\n{text} [{text},[]]") }),
        json!([{ "payload": { "items": { "Event": text } } }, { "Records": value }]),
    ];
    around.iter().map(|value| value.to_string().into_bytes()).collect()
}

fn hold(files: &[&str], law: impl Fn(&[u8]) + panic::RefUnwindSafe) {
    let seeds = seeds(files);
    let rounds = std::env::var("BULLA_LAW_ROUNDS").ok().and_then(|text| text.parse().ok());
    let mut random = Random::new(0x9e37_79b9_7f4a_7c15);
    for seed in &seeds {
        let rounds = rounds.unwrap_or(if seed.len() > 20_000 { 1 } else { 12 });
        for round in 0..=rounds {
            let mut bytes = seed.clone();
            for _ in 0..round.min(1 + random.index(6)) {
                altered(&mut bytes, &seeds, &mut random);
            }
            if let Err(payload) = panic::catch_unwind(|| law(&bytes)) {
                eprintln!("of this input: {}", String::from_utf8_lossy(&bytes));
                panic::resume_unwind(payload);
            }
        }
    }
}

#[test]
fn of_cloudtrail() {
    let rules = Rules::cloudtrail();
    hold(
        &[
            "samples/cloudtrail.jsonl",
            "tests/cases/inputs/29-cloudtrail-only-the-first.jsonl",
            "tests/cases/inputs/18b-cloudtrail-eventbridge.json",
            "tests/cases/inputs/18c-cloudtrail-lookup-events.json",
            "tests/cases/inputs/19b-zero-padded.json.gz",
        ],
        |bytes| shared::json(&rules, bytes),
    );
}

#[test]
fn of_kubernetes() {
    let rules = Rules::k8s();
    hold(&["samples/k8s.jsonl", "tests/cases/inputs/18a-k8s-eventlist.json"], |bytes| {
        shared::json(&rules, bytes)
    });
}

#[test]
fn of_mappings() {
    for name in ["github", "okta", "gcp", "gworkspace"] {
        let rules = shared::shipped(name);
        let sample = format!("samples/{name}.jsonl");
        let several = format!("tests/cases/inputs/29-{name}-only-the-first.jsonl");
        let is_there = Path::new(env!("CARGO_MANIFEST_DIR")).join(&several).is_file();
        let files = if is_there { vec![&*sample, &*several] } else { vec![&*sample] };
        hold(&files, |bytes| shared::json(&rules, bytes));
    }
}

#[test]
fn of_auditd() {
    hold(
        &[
            "samples/auditd.log",
            "tests/cases/inputs/01a-auditd-quote-hides-failure.log",
            "tests/cases/inputs/25-auditd-small.log",
        ],
        shared::auditd,
    );
}

#[test]
fn of_our_own_records() {
    hold(&["samples/events.jsonl"], shared::jsonl);
}

const RECORD: &str =
    r#"{"eventSource":"s3.amazonaws.com","eventName":"A","eventTime":"2026-01-02T03:04:05Z"}"#;

/// What is wrong with a reading, and how it is made so.
type Wrong<'a> = (&'a str, &'a dyn Fn(&mut Reading));

/// Does the law hold of this reading, altered so?
fn holds(law: impl Fn(&Reading) + panic::RefUnwindSafe, reading: &Reading) -> bool {
    panic::catch_unwind(panic::AssertUnwindSafe(|| law(reading))).is_ok()
}

fn details_of(item: &mut Item, text: &str) {
    if let Item::Event { event, .. } = item {
        event.details = Some(bulla::Json::parse(text).unwrap());
    }
}

/// A law that never fails says nothing: it does for each of these readings of wrapped events.
#[test]
fn the_law_fails_over_a_wrong_reading() {
    let rules = Rules::cloudtrail();
    let other = RECORD.replace("\"A\"", "\"B\"");
    let file = format!(
        "{}\n{}\n\n{}\n",
        json!({ "Message": json!({ "detail": RECORD }).to_string() }),
        json!({ "body": format!("[{RECORD},{other}]"), "detail": { "eventName": "C" } }),
        json!({ "message": "eventName" }),
    );
    let law = |reading: &Reading| shared::check_json(&rules, reading, file.as_bytes());
    let right = || shared::reading::of(&Format::CloudTrail, file.as_bytes()).unwrap();
    assert_eq!(right().items.len(), 4);
    assert!(holds(law, &right()));
    let wrong: [Wrong<'_>; 9] = [
        ("an event is lost", &|reading| drop(reading.items.remove(1))),
        ("an event is there twice", &|reading| reading.items.insert(1, reading.items[1].clone())),
        ("two are in the wrong order", &|reading| reading.items.swap(1, 2)),
        ("what is around it is the event", &|reading| {
            details_of(&mut reading.items[0], file.lines().next().unwrap());
        }),
        ("it is not as it was", &|reading| details_of(&mut reading.items[0], "{}")),
        ("it is of another line", &|reading| {
            if let Item::Event { line, .. } = &mut reading.items[0] {
                *line = 2;
            }
        }),
        ("an event is rejected as none", &|reading| reading.items[1] = reading.items[3].clone()),
        ("what is none is an event", &|reading| {
            reading.items[3] = reading.items[0].clone();
            details_of(&mut reading.items[3], r#"{"message":"eventName"}"#);
            if let Item::Event { line, .. } = &mut reading.items[3] {
                *line = 4;
            }
        }),
        ("a blank line is not counted", &|reading| reading.counts.blank = 0),
    ];
    for (what, alter) in wrong {
        let mut reading = right();
        alter(&mut reading);
        reading.counts.lines = reading.items.len() as u64;
        assert!(!holds(law, &reading), "{what}");
    }
}

#[test]
fn the_law_fails_over_a_wrong_reading_of_several_events_of_an_object() {
    let rules = shared::shipped("gworkspace");
    let file = json!({
        "id": { "time": "2026-01-02T03:04:05Z", "applicationName": "login" },
        "events": [{ "name": "a" }, { "type": "none" }, { "name": "b" }, { "name": "b" }],
        "ipAddress": "192.0.2.1",
    });
    let file = file.to_string();
    let law = |reading: &Reading| shared::check_json(&rules, reading, file.as_bytes());
    let right = || shared::reading::of(&rules.format, file.as_bytes()).unwrap();
    assert_eq!(right().items.len(), 4);
    assert!(holds(law, &right()));
    let wrong: [Wrong<'_>; 6] = [
        ("an event is lost", &|reading| drop(reading.items.remove(2))),
        ("an event is there twice", &|reading| reading.items.insert(1, reading.items[0].clone())),
        ("two are in the wrong order", &|reading| reading.items.swap(2, 3)),
        ("it has the others too", &|reading| details_of(&mut reading.items[0], &file)),
        ("it has not what they have in common", &|reading| {
            details_of(&mut reading.items[0], r#"{"events":[{"name":"a"}]}"#);
        }),
        ("an event is rejected as none", &|reading| reading.items[2] = reading.items[1].clone()),
    ];
    for (what, alter) in wrong {
        let mut reading = right();
        alter(&mut reading);
        reading.counts.lines = reading.items.len() as u64;
        assert!(!holds(law, &reading), "{what}");
    }
}

#[test]
fn the_law_of_auditd_fails_over_a_wrong_reading() {
    let record = "type=PATH msg=audit(1.000:1): name=";
    let file = format!("{record}1\n\0\n{record}2\0\0{record}3\n----\nx\0{record}4\n");
    let law = |reading: &Reading| shared::check_auditd(reading, file.as_bytes());
    let right = || shared::reading::of(&Format::Auditd, file.as_bytes()).unwrap();
    assert!(holds(law, &right()));
    let with_records = |reading: &mut Reading, names: &[&str]| {
        let lines: Vec<String> = names.iter().map(|name| format!("{record}{name}")).collect();
        let event = reading.items.iter_mut().find(|item| matches!(item, Item::Event { .. }));
        details_of(event.unwrap(), &json!({ "records": lines }).to_string());
    };
    let wrong: [Wrong<'_>; 4] = [
        ("a record is another's", &|reading| with_records(reading, &["1", "2", "3", "5"])),
        ("a record is lost, another there twice", &|reading| {
            with_records(reading, &["1", "1", "3", "4"]);
        }),
        ("a line is rejected that is not there", &|reading| {
            let rejected = reading.items.iter_mut().find_map(|item| match item {
                Item::Rejected { line, .. } => Some(line),
                Item::Event { .. } => None,
            });
            *rejected.unwrap() = 3;
        }),
        ("a blank line is not counted", &|reading| reading.counts.blank = 1),
    ];
    for (what, alter) in wrong {
        let mut reading = right();
        alter(&mut reading);
        assert!(!holds(law, &reading), "{what}");
    }
}
