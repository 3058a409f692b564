//! What holds for every importer:
//!
//! - each line of the file is imported or rejected, and nothing panics;
//! - whole or in small pieces, packed or not, it is the same;
//! - every event is one that a log takes and gives back, with its original byte for byte;
//! - an object that is JSON is rejected only for a reason that `docs/importers.md` lists for
//!   objects, and whatever else is in the file.

#![allow(dead_code)] // each target uses a part

#[path = "reading.rs"]
mod reading;
#[path = "units.rs"]
mod units;

use std::collections::BTreeMap;
use std::sync::Arc;

use bulla::{Event, Json};
use bulla_cli::import::{Format, Item, MENDED, Mapping, SHORTENED, reason_of};

use reading::Reading;
use units::{Stream, Unit};

/// A mapping that comes with the tool.
pub(crate) fn shipped(name: &str) -> Format {
    Format::Json(Arc::new(Mapping::open(name).expect("it comes with the tool")))
}

/// The law of the JSON of others; `lists` are the members that hold lists of events.
pub(crate) fn json(format: &Format, lists: &[&str], bytes: &[u8]) {
    json_of(format, lists, bytes);
    if let Some(bytes) = lengthened(bytes) {
        json_of(format, lists, &bytes);
    }
}

fn json_of(format: &Format, lists: &[&str], bytes: &[u8]) {
    let Some(found) = plain_reading(format, bytes) else { return };
    found.items.iter().for_each(check_reason);
    let stream = std::str::from_utf8(bytes).ok().and_then(|text| units::of_stream(text, lists));
    let Some(Stream { units, blank }) = stream else { return of_lines(&found, lists, bytes) };
    let lines: Vec<u64> = found.items.iter().map(line_of).collect();
    if units.iter().any(|unit| may_carry(unit.text)) {
        // A message may hold several events.
        assert!(lines.iter().all(|line| units.iter().any(|unit| unit.line == *line)));
        return;
    }
    assert_eq!(lines, units.iter().map(|unit| unit.line).collect::<Vec<_>>());
    assert_eq!((found.counts.lines, found.counts.blank), (units.len() as u64, blank));
    for (item, unit) in found.items.iter().zip(&units) {
        check_unit(item, unit);
    }
}

/// A line that is broken loses only itself.
fn of_lines(found: &Reading, lists: &[&str], bytes: &[u8]) {
    let units = units::of_lines(bytes, lists).into_iter().flatten();
    for unit in units.filter(|unit| !may_carry(unit.text)) {
        let mut here = found.items.iter().filter(|item| line_of(item) == unit.line);
        let item = here.next().expect("every line is read");
        assert!(here.next().is_none(), "one line is one event: {}", unit.text);
        check_unit(item, &unit);
    }
}

fn check_unit(item: &Item, unit: &Unit<'_>) {
    match item {
        Item::Event { event, .. } => {
            assert!(unit.is_object(), "{}", unit.text);
            check_original(event, unit.text);
        }
        Item::Rejected { reason, .. } => {
            let of_objects = reason_of(reason).is_some_and(|known| known.of_objects);
            assert!(of_objects || !unit.is_object(), "of a JSON object: {reason}");
        }
    }
}

fn check_reason(item: &Item) {
    if let Item::Rejected { reason, .. } = item {
        assert!(reason_of(reason).is_some(), "not in the list of reasons: {reason}");
    }
}

/// May it be an object around others?
fn may_carry(text: &str) -> bool {
    const CARRIERS: [&str; 26] = [
        "CloudTrailEvent",
        "eventJson",
        "detail",
        "Message",
        "Sns",
        "Body",
        "body",
        "message",
        "MESSAGE",
        "log",
        "properties",
        "data",
        "event",
        "Event",
        "payload",
        "jsonPayload",
        "record",
        "_raw",
        "Records",
        "Events",
        "logEvents",
        "Messages",
        "items",
        "records",
        "entries",
        "events",
    ];
    CARRIERS.iter().any(|name| text.contains(&format!("\"{name}\""))) || text.contains("\\u")
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
    // A record behind NULs is a line of its own.
    if [b"\0type=", b"\0node="].iter().any(|begin| bytes.windows(6).any(|at| at == *begin)) {
        return;
    }
    let Some(found) = plain_reading(&Format::Auditd, bytes) else { return };
    let ended = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let all = if bytes.is_empty() { 0 } else { ended.split(|byte| *byte == b'\n').count() };
    let mut lines: BTreeMap<u64, String> = (1..)
        .zip(ended.split(|byte| *byte == b'\n'))
        .filter(|(_, line)| !line.is_ascii_blank())
        .map(|(at, line)| (at, text_of(line)))
        .collect();
    assert_eq!(found.counts.lines, lines.len() as u64);
    assert_eq!(found.counts.blank, (all - lines.len()) as u64);
    let mut kept: Vec<String> = Vec::new();
    for item in &found.items {
        check_reason(item);
        match item {
            Item::Rejected { line, lines: 1, reason } => {
                let text = lines.remove(line).expect("a line that is there");
                assert!(!is_record(&text), "{reason}: {text}");
            }
            // Several of a time that no event can have.
            Item::Rejected { .. } => return,
            Item::Event { event, line, lines: count, .. } => {
                assert!(lines.contains_key(line));
                let details = event.details.as_ref().expect("the original");
                let value = details.to_value().expect("plain JSON");
                // What was shortened has no records any more.
                let Some(records) = value["records"].as_array() else { return };
                assert_eq!(records.len() as u64, *count);
                kept.extend(records.iter().filter_map(|record| record.as_str()).map(str::to_owned));
            }
        }
    }
    let mut lines: Vec<String> = lines.into_values().collect();
    lines.sort();
    kept.sort();
    assert_eq!(kept, lines);
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
