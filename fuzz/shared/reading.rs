//! One file, read in every way that must come to the same.

use std::io::{self, Cursor, Read, Write};

use bulla::internals::format::body;
use bulla::redact::{Redactor, bearer_tokens, card_numbers, private_keys};
use bulla::{Event, Timestamp};
use bulla_cli::import::{self, Counts, Format, Item};
use flate2::Compression;
use flate2::write::GzEncoder;

/// What became of a file.
pub(crate) struct Reading {
    pub(crate) items: Vec<Item>,
    pub(crate) counts: Counts,
    /// Whether an error ended it.
    pub(crate) cut: bool,
}

/// Reads the bytes as a file: whole and in small pieces, packed or not, with redaction or
/// without. Every event is one that a log takes, encodes and gives back. None if the bytes are
/// refused as a file.
pub(crate) fn of(format: &Format, bytes: &[u8]) -> Option<Reading> {
    let whole = read(format, Cursor::new(bytes.to_vec()), None);
    let small = read(format, Trickle::new(bytes), None);
    same(whole.as_ref(), small.as_ref());
    let redacted = read(format, Cursor::new(bytes.to_vec()), Some(redactor()));
    same_places(whole.as_ref(), redacted.as_ref(), matches!(format, Format::Jsonl));
    let whole = whole?;
    if !is_packed(bytes) {
        let packed = read(format, Trickle::new(&gzip(bytes)), None);
        same(Some(&whole), packed.as_ref());
    }
    whole.items.iter().chain(redacted.iter().flat_map(|read| &read.items)).for_each(check);
    Some(whole)
}

fn read(
    format: &Format,
    bytes: impl Read + 'static,
    redactor: Option<Redactor>,
) -> Option<Reading> {
    let mut import = import::read_from("fuzz", bytes, format).ok()?.redacting(redactor);
    let mut reading = Reading { items: Vec::new(), counts: Counts::default(), cut: false };
    for item in import.by_ref() {
        match item {
            Ok(item) => reading.items.push(item),
            Err(_) => reading.cut = true,
        }
    }
    reading.counts = import.counts();
    check_counts(&reading);
    Some(reading)
}

/// What the tool says about lines is what it gave.
fn check_counts(Reading { items, counts, .. }: &Reading) {
    let mut found = Counts { blank: counts.blank, ..Counts::default() };
    for item in items {
        match item {
            Item::Event { lines, .. } => {
                found.events += 1;
                found.imported += lines;
            }
            Item::Rejected { lines, .. } => found.rejected += lines,
        }
    }
    found.lines = found.imported + found.rejected;
    assert_eq!(*counts, found);
}

fn same(one: Option<&Reading>, other: Option<&Reading>) {
    // Where a packed file is damaged, its beginning may be refused, or what follows.
    let ended_well = |read: Option<&Reading>| read.is_some_and(|read| !read.cut);
    assert_eq!(ended_well(one), ended_well(other));
    let (Some(one), Some(other)) = (one, other) else { return };
    if !one.cut {
        assert_eq!((&one.items, one.counts), (&other.items, other.counts));
    }
}

/// Redaction changes events, not which lines are events. (An event of ours, which is not
/// shortened, may be too long with the words that say what was redacted.)
fn same_places(one: Option<&Reading>, other: Option<&Reading>, strict: bool) {
    assert_eq!(one.is_some(), other.is_some());
    let (Some(one), Some(other)) = (one, other) else { return };
    let places = |reading: &Reading| reading.items.iter().map(place).collect::<Vec<_>>();
    if !strict {
        assert_eq!(places(one), places(other));
    }
}

fn place(item: &Item) -> (u64, u64, Option<String>) {
    match item {
        Item::Event { line, lines, .. } => (*line, *lines, None),
        Item::Rejected { line, lines, reason } => (*line, *lines, Some(reason.clone())),
    }
}

fn check(item: &Item) {
    match item {
        Item::Event { event, line, lines, .. } => {
            assert!(*line > 0 && *lines > 0);
            check_event(event);
        }
        Item::Rejected { line, lines, reason } => {
            assert!(*line > 0 && *lines > 0);
            assert!(!reason.is_empty() && !reason.contains(char::is_control), "{reason:?}");
        }
    }
}

fn check_event(event: &Event) {
    event.validate().expect("an event that a log takes");
    let shown = Event::from_json(&event.to_json()).expect("our own JSON").to_json();
    assert_eq!(shown, event.to_json());
    let (now, id) = (Timestamp::from_nanos(0), [1; 16]);
    let mut bytes = Vec::new();
    let lengths = body::encode_event(event, now, id, [2; 16], &mut bytes).expect("an encoding");
    let (envelope, rest) = bytes.split_at(lengths.envelope);
    let envelope =
        body::decode_envelope_strict(body::schema_of(event), envelope).expect("our own envelope");
    let payload = body::decode_payload_strict(body::schema_of(event), &rest[16..]);
    let mut read = body::to_event(&envelope, Some(&payload.expect("our own payload")));
    // What the log adds, and what it takes without keeping it.
    read.id = read.id.filter(|_| event.id.is_some());
    read.occurred_at = read.occurred_at.filter(|_| event.occurred_at.is_some());
    read.subject.clone_from(&event.subject);
    assert_eq!(read, *event);
}

/// As `bulla import` redacts.
fn redactor() -> Redactor {
    Redactor::standard()
        .pattern("card_numbers", card_numbers())
        .pattern("bearer_tokens", bearer_tokens())
        .pattern("private_keys", private_keys())
}

/// Whether the file is unpacked before it is read.
pub(crate) fn is_packed(bytes: &[u8]) -> bool {
    let zstd = matches!(bytes, [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]);
    zstd || bytes.starts_with(&[0x1f, 0x8b])
}

/// The bytes in two members, with padding behind.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let mut out = Vec::new();
    for (part, level) in [(first, Compression::fast()), (second, Compression::none())] {
        let mut encoder = GzEncoder::new(&mut out, level);
        encoder.write_all(part).and_then(|()| encoder.finish().map(drop)).expect("memory");
    }
    out.extend([0; 5]);
    out
}

/// A file that comes a few bytes at a time.
struct Trickle {
    bytes: Cursor<Vec<u8>>,
    count: usize,
}

impl Trickle {
    fn new(bytes: &[u8]) -> Self {
        Trickle { bytes: Cursor::new(bytes.to_vec()), count: bytes.len() }
    }
}

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.count += 1;
        let most = buffer.len().min(1 + self.count % 7);
        self.bytes.read(&mut buffer[..most])
    }
}
