//! What holds for every importer:
//!
//! - each line of the file is imported or rejected, and nothing panics;
//! - whole or in small pieces, packed or not, it is the same;
//! - every event is one that a log takes and gives back, with its original byte for byte;
//! - an object that is JSON is rejected only for a reason that `docs/importers.md` lists for
//!   objects, and whatever else is in the file.

#![allow(dead_code)] // each target uses a part

#[path = "reading.rs"]
pub(crate) mod reading;
#[path = "units.rs"]
mod units;
#[path = "wrapped.rs"]
mod wrapped;

use std::collections::BTreeMap;

use bulla::{Event, Json};
use bulla_cli::import::{Format, Item, MENDED, Mapping, SHORTENED, reason_of};

pub(crate) use reading::Reading;
use units::Stream;
use wrapped::Follower;
pub(crate) use wrapped::Rules;

/// A mapping that comes with the tool.
pub(crate) fn shipped(name: &str) -> Rules {
    let mapping = Mapping::open(name).expect("it comes with the tool");
    let format = Format::Json(mapping.into());
    match name {
        "github" => Rules::github(format),
        "okta" => Rules::okta(format),
        "gcp" => Rules::gcp(format),
        _ => Rules::gworkspace(format),
    }
}

/// The law of the JSON of others.
pub(crate) fn json(rules: &Rules, bytes: &[u8]) {
    json_of(rules, bytes);
    if let Some(bytes) = lengthened(bytes) {
        json_of(rules, &bytes);
    }
}

fn json_of(rules: &Rules, bytes: &[u8]) {
    if let Some(found) = plain_reading(&rules.format, bytes) {
        check_json(rules, &found, bytes);
    }
}

/// Whether this is what stands in the file.
pub(crate) fn check_json(rules: &Rules, found: &Reading, bytes: &[u8]) {
    found.items.iter().for_each(check_reason);
    let stream = std::str::from_utf8(bytes).ok();
    let stream = stream.and_then(|text| units::of_stream(text, &rules.lists));
    let Some(Stream { units, blank }) = stream else { return of_lines(rules, found, bytes) };
    assert_eq!((found.counts.lines, found.counts.blank), (found.items.len() as u64, blank));
    Follower::new(rules, &found.items).whole(&units);
}

/// A line that is broken loses only itself.
fn of_lines(rules: &Rules, found: &Reading, bytes: &[u8]) {
    for (line, units) in units::of_lines(bytes, &rules.lists).into_iter().flatten() {
        let here = |item: &&Item| line_of(item) == line;
        let items: Vec<Item> = found.items.iter().filter(here).cloned().collect();
        Follower::new(rules, &items).whole(&units);
    }
}

/// A value was imported as it is, or rejected for a reason that it may have.
fn check_unit(item: &Item, text: &str) {
    let is_object = text.starts_with('{');
    match item {
        Item::Event { event, .. } => {
            assert!(is_object, "{text}");
            check_original(event, text);
        }
        Item::Rejected { reason, .. } => {
            let of_objects = reason_of(reason).is_some_and(|known| known.of_objects);
            assert!(of_objects || !is_object, "of a JSON object: {reason}");
        }
    }
}

fn check_reason(item: &Item) {
    if let Item::Rejected { reason, .. } = item {
        assert!(reason_of(reason).is_some(), "not in the list of reasons: {reason}");
    }
}

/// JSON is kept as it is, unless it was shortened.
fn check_original(event: &Event, text: &str) {
    let names = event.tags.get(SHORTENED).map_or("", String::as_str);
    if names.split(',').any(|name| name == "details") {
        return;
    }
    assert_eq!(event.details.as_ref().map(Json::as_str), Some(text));
    assert!(event.tags.get(MENDED).is_none_or(|kinds| kinds == "action"));
}

/// The law of our own records: what the library reads, and nothing else.
pub(crate) fn jsonl(bytes: &[u8]) {
    let Some(found) = plain_reading(&Format::Jsonl, bytes) else { return };
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some(Stream { units, blank }) = units::of_stream(text, &[]) else { return };
    assert_eq!((found.counts.lines, found.counts.blank), (units.len() as u64, blank));
    for (item, unit) in found.items.iter().zip(&units) {
        assert_eq!(line_of(item), unit.line);
        let read = Event::from_record_json(unit.text);
        match (item, read) {
            (Item::Event { event, .. }, Ok((read, None))) => assert_eq!(*event, read),
            (Item::Event { event, .. }, Ok((_, Some(absence)))) => {
                assert_eq!(event.tags.get("payload"), Some(&absence));
            }
            (Item::Event { .. }, Err(error)) => panic!("{error}: {}", unit.text),
            (Item::Rejected { reason, .. }, Ok((read, _))) => {
                let of_a_log = read.action.starts_with("bulla.");
                assert!(of_a_log || read.validate().is_err(), "{reason}: {}", unit.text);
            }
            (Item::Rejected { .. }, Err(_)) => {}
        }
    }
}

/// The law of auditd: every line is in one event, or rejected by its number.
pub(crate) fn auditd(bytes: &[u8]) {
    auditd_of(bytes);
    if let Some(bytes) = lengthened(bytes) {
        auditd_of(&bytes);
    }
}

fn auditd_of(bytes: &[u8]) {
    if let Some(found) = plain_reading(&Format::Auditd, bytes) {
        check_auditd(&found, bytes);
    }
}

/// Whether these are the lines of the file.
pub(crate) fn check_auditd(found: &Reading, bytes: &[u8]) {
    let Lines { lines, blank } = lines_of(bytes);
    assert_eq!((found.counts.lines, found.counts.blank), (lines.len() as u64, blank));
    let mut kept: BTreeMap<String, usize> = BTreeMap::new();
    let mut rejected = Vec::new();
    for item in &found.items {
        check_reason(item);
        match item {
            Item::Rejected { line, lines: 1, .. } => rejected.push(*line),
            // Several of a time that no event can have.
            Item::Rejected { .. } => return,
            Item::Event { event, line, lines: count, .. } => {
                assert!(lines.iter().any(|(at, _)| at == line));
                let details = event.details.as_ref().expect("the original");
                let value = details.to_value().expect("plain JSON");
                // What was shortened has no records any more.
                let Some(records) = value["records"].as_array() else { return };
                assert_eq!(records.len() as u64, *count);
                for record in records.iter().filter_map(|record| record.as_str()) {
                    *kept.entry(record.to_owned()).or_default() += 1;
                }
            }
        }
    }
    let mut left_over = Vec::new();
    for (line, text) in lines {
        match kept.get_mut(&text).filter(|count| **count > 0) {
            Some(count) => *count -= 1,
            None => {
                assert!(!is_record(&text), "rejected: {text}");
                left_over.push(line);
            }
        }
    }
    rejected.sort_unstable();
    assert_eq!(rejected, left_over);
    assert!(kept.values().all(|count| *count == 0), "these stand in no line: {kept:?}");
}

/// The lines of an auditd file.
struct Lines {
    /// With their numbers. A record behind NULs is a line of its own.
    lines: Vec<(u64, String)>,
    /// How many are blank or of `ausearch`.
    blank: u64,
}

fn lines_of(bytes: &[u8]) -> Lines {
    let mut found = Lines { lines: Vec::new(), blank: 0 };
    let ended = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let all = (1..).zip(ended.split(|byte| *byte == b'\n'));
    for (at, line) in all.filter(|_| !bytes.is_empty()) {
        if line.is_ascii_blank() {
            found.blank += 1;
            continue;
        }
        for text in parts_of(line).map(text_of).filter(|text| !text.is_empty()) {
            if text == "----" || text.starts_with("time->") && !text.contains("type=") {
                found.blank += 1;
            } else {
                found.lines.push((at, text));
            }
        }
    }
    found
}

/// A line, or what stands before the records behind NULs in it, and these.
fn parts_of(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let begins = |at: &usize| {
        let (before, behind) = line.split_at(*at);
        before.ends_with(b"\0") && (behind.starts_with(b"type=") || behind.starts_with(b"node="))
    };
    let begins: Vec<usize> = (1..line.len()).filter(begins).collect();
    let ends: Vec<usize> = begins.iter().copied().chain([line.len()]).collect();
    let begins = [0].into_iter().chain(begins);
    begins.zip(ends).map(|(begin, end)| &line[begin..end])
}

trait Blank {
    fn is_ascii_blank(&self) -> bool;
}

impl Blank for [u8] {
    fn is_ascii_blank(&self) -> bool {
        self.iter().all(|byte| byte.is_ascii_whitespace() || *byte == 0)
    }
}

/// A line of a log without a byte order mark, white space and NULs around it; bytes that are not
/// UTF-8 are `\xff`.
fn text_of(line: &[u8]) -> String {
    let mut line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    while let [rest @ .., 0 | b' ' | b'\t' | b'\r' | b'\n' | 0x0c] = line {
        line = rest;
    }
    while let [0 | b' ' | b'\t' | b'\r' | b'\n' | 0x0c, rest @ ..] = line {
        line = rest;
    }
    let mut text = String::new();
    for chunk in line.utf8_chunks() {
        text += chunk.valid();
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text
}

/// Certainly a record: `type=NAME msg=audit(S.MMM:N):`.
fn is_record(line: &str) -> bool {
    let stamp = || {
        let (kind, rest) = line.strip_prefix("type=")?.split_once(" msg=audit(")?;
        let (stamp, _) = rest.split_once("):")?;
        let (seconds, rest) = stamp.split_once('.')?;
        let (millis, serial) = rest.split_once(':')?;
        let name = !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_uppercase());
        let digits = |text: &str, most: usize| {
            (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        Some(name && digits(seconds, 9) && digits(millis, 3) && digits(serial, 20))
    };
    stamp().unwrap_or(false)
}

/// The bytes as a file in every way. `None` if they are refused, are packed, or end with an
/// error: then there is no text to compare with.
fn plain_reading(format: &Format, bytes: &[u8]) -> Option<Reading> {
    let found = reading::of(format, bytes)?;
    (!found.cut && !reading::is_packed(bytes)).then_some(found)
}

/// The same with long texts for each `~`, and with deep values for each `^`, which a fuzzer does
/// not find by itself.
fn lengthened(bytes: &[u8]) -> Option<Vec<u8>> {
    const MOST: usize = 8;
    if !bytes.iter().any(|byte| matches!(byte, b'~' | b'^')) {
        return None;
    }
    let (mut out, mut count) = (Vec::new(), 0);
    for &byte in bytes {
        let with = match byte {
            b'~' if count < MOST => "aé…😀".repeat(1_000),
            b'^' if count < MOST => format!("{}{}", "[".repeat(130), "]".repeat(130)),
            _ => {
                out.push(byte);
                continue;
            }
        };
        out.extend_from_slice(with.as_bytes());
        count += 1;
    }
    Some(out)
}

fn line_of(item: &Item) -> u64 {
    match item {
        Item::Event { line, .. } | Item::Rejected { line, .. } => *line,
    }
}
