//! The worked example of `docs/format.md` is what the code writes, and what it reads.

#![allow(clippy::unwrap_used)] // a failure of this program is a failed test

mod answer;
mod catalog;
mod json;

use bulla::LogId;
use bulla::event::RecordKind;
use bulla::internals::format::Stream;
use bulla::internals::format::body;
use bulla::internals::format::footer::{SegmentFooter, TimeRange, Waypoint};
use bulla::internals::format::frame::FrameHeader;
use bulla::internals::format::header::SegmentHeader;
use bulla::internals::format::layout::{self, Layout};
use bulla::internals::format::record::{self, Head, PREFIX_LEN, SALT_LEN};
use bulla::internals::segment::locate::RecordCursor;
use bulla::internals::segment::seal::SealedSegment;
use bulla::internals::terms::{Collected, Scope};
use bulla::merkle::Frontier;
use bulla::query::Subject;
use bulla::{
    Actor, Event, EventId, Hash, HashAlgorithm, Outcome, Resource, Seq, Timestamp, TreeSize,
};

const DOCUMENT: &str = include_str!("../../docs/format.md");

/// Sixteen bytes that count up.
fn counting(from: u8) -> [u8; 16] {
    std::array::from_fn(|n| from + u8::try_from(n).unwrap())
}

fn time() -> Timestamp {
    "2026-01-02T03:04:05.000000006Z".parse().unwrap()
}

fn event() -> Event {
    Event::new(Actor::new("user", "alice"), "invoice.pay", Resource::new("invoice", "42"))
        .id(EventId(counting(0x40)))
        .occurred_at(time())
        .tenant("acme")
        .outcome(Outcome::Denied)
        .ip("203.0.113.9")
}

/// The parts of the example in their order; each with a title and named pieces.
#[derive(Clone)]
struct Part {
    title: String,
    bytes: Vec<u8>,
    pieces: Vec<(String, usize)>,
}

fn by_layout(title: &str, bytes: &[u8], layout: Layout) -> Part {
    assert_eq!(bytes.len(), layout.len);
    let pieces = layout.fields.iter().map(|field| (field.name.to_lowercase(), field.size));
    Part { title: title.to_owned(), bytes: bytes.to_vec(), pieces: pieces.collect() }
}

fn by_lengths(title: &str, bytes: &[u8], pieces: &[(&str, usize)]) -> Part {
    assert_eq!(bytes.len(), pieces.iter().map(|(_, len)| len).sum::<usize>(), "{title}");
    let pieces = pieces.iter().map(|(name, len)| ((*name).to_owned(), *len));
    Part { title: title.to_owned(), bytes: bytes.to_vec(), pieces: pieces.collect() }
}

const ENVELOPE: &[(&str, usize)] = &[
    ("id", 16),
    ("occurred_at", 9),
    ("tenant: present, 4 bytes", 6),
    ("actor_type: 4 bytes", 5),
    ("actor_id: 5 bytes", 6),
    ("action: 11 bytes", 12),
    ("resource_type: 7 bytes", 8),
    ("resource_id: present, 2 bytes", 4),
    ("outcome: denied", 1),
    ("request_id: absent", 1),
    ("correlation_id: absent", 1),
    ("aliases: none", 1),
];

const PAYLOAD: &[(&str, usize)] = &[
    ("salt", SALT_LEN),
    ("email, role, reason, source: absent", 4),
    ("ip: present, 11 bytes", 13),
    ("user_agent, session_id, duration_ms: absent", 3),
    ("changed_fields: none", 1),
    ("old_values, new_values: absent", 2),
    ("tags: none", 1),
    ("details: absent", 1),
];

/// The sealed segment of the example.
struct Example {
    parts: Vec<Part>,
    header: SegmentHeader,
    leaf: Hash,
    index_root: Hash,
}

/// The terms and times of its record.
fn collected() -> Collected {
    let mut collected = Collected::default();
    let event = event();
    collected.add(RecordKind::Event, time(), &Subject::of_event(&event, time()));
    collected
}

fn example() -> Example {
    let (log_id, nonce) = (LogId(counting(0x10)), counting(0x20));
    let algorithm = HashAlgorithm::Sha256;
    let header = SegmentHeader {
        format_version: bulla::internals::format::FORMAT_VERSION,
        stream: Stream::Main,
        algorithm,
        frame_align: 1,
        log_id,
        ordinal: 1,
        first: TreeSize::ZERO,
        created_at: time(),
        nonce,
        start_root: algorithm.empty_root(),
        previous: Hash::ZERO,
        last_anchor: TreeSize::ZERO,
    };
    let mut bodies = Vec::new();
    let lengths =
        body::encode_event(&event(), time(), [0; 16], counting(0x30), &mut bodies).unwrap();
    let (envelope, salted) = bodies.split_at(lengths.envelope);
    let head = Head {
        schema: record::SCHEMA,
        kind: 1,
        flags: 0,
        seq: Seq::new(0),
        recorded_at: time(),
        envelope_len: u16::try_from(envelope.len()).unwrap(),
    };
    let context = record::Context { log_id, nonce, algorithm };
    let payload_len = u32::try_from(salted.len()).unwrap();
    let digests = record::Digests::of_plain(salted);
    let sealed = (record::body_crc(&bodies), payload_len, &digests);
    let mut prefix = [0; PREFIX_LEN];
    let leaf = record::seal(&context, &head, sealed, &mut prefix, envelope);
    let offset = header.first_frame();
    let frame = FrameHeader {
        first: TreeSize::ZERO,
        durable: TreeSize::ZERO,
        body_len: u32::try_from(PREFIX_LEN + bodies.len()).unwrap(),
        count: 1,
    };
    let frames_end = offset + frame.frame_len();
    let waypoint = Waypoint { frame: 512, record: 512 + 32 };
    let table = Waypoint::encode_table(&[waypoint]);
    let mut times = TimeRange::EMPTY;
    times.add(time(), time());
    let mut tree = Frontier::new(algorithm);
    tree.push(leaf, |_, _| ());
    let index_root = collected().logical(Scope { log_id, first: TreeSize::ZERO }).head().root();
    let footer = SegmentFooter {
        log_id,
        ordinal: 1,
        first: TreeSize::ZERO,
        count: 1,
        frames_end,
        table_offset: frames_end,
        table_count: 1,
        table_crc: crc32fast::hash(&table),
        times,
        end_root: tree.root(),
        index_root,
        last_anchor: TreeSize::ZERO,
        keep_until: Timestamp::from_nanos(0),
        sealed_at: time(),
    };
    let parts = vec![
        by_layout("segment header", &header.encode(), layout::segment_header::LAYOUT),
        by_layout("frame header", &frame.encode(&nonce, offset), layout::frame_header::LAYOUT),
        by_layout("record prefix", &prefix, layout::record_prefix::LAYOUT),
        by_lengths("envelope", envelope, ENVELOPE),
        by_lengths("salt and payload", salted, PAYLOAD),
        by_layout("waypoint of record 0", &table, layout::waypoint::LAYOUT),
        by_layout("segment footer", &footer.encode(), layout::segment_footer::LAYOUT),
    ];
    Example { parts, header, leaf, index_root }
}

/// The parts as the document shows them: offset, from this one on, bytes, name of the field.
fn show(parts: &[Part], first: usize) -> String {
    let (mut text, mut offset) = (String::new(), first);
    for part in parts {
        text.push_str(&format!("-- {}\n", part.title));
        let mut rest = part.bytes.as_slice();
        for (name, len) in &part.pieces {
            let (piece, behind) = rest.split_at(*len);
            rest = behind;
            let zeros = piece.len() > 16 && piece.iter().all(|byte| *byte == 0);
            for (n, row) in piece.chunks(if zeros { usize::MAX } else { 16 }).enumerate() {
                let hex: Vec<String> = row.iter().map(|byte| format!("{byte:02x}")).collect();
                let bytes = if zeros { format!("00 × {len}") } else { hex.join(" ") };
                let name = if n == 0 { name.as_str() } else { "" };
                text.push_str(format!("{offset:04x}  {bytes:<47}  {name}").trim_end());
                text.push('\n');
                offset += row.len();
            }
        }
    }
    text
}

#[test]
fn the_worked_example_is_what_the_code_writes() {
    let Example { parts, leaf, .. } = example();
    let shown = format!("```text\n{}```\n", show(&parts, 0));
    assert!(DOCUMENT.contains(&shown), "docs/format.md should show:\n{shown}");
    let leaf = format!("`{leaf}`");
    assert!(DOCUMENT.contains(&leaf), "docs/format.md should name the leaf: {leaf}");
}

#[test]
fn the_worked_example_is_what_the_code_reads() {
    let Example { parts, leaf, .. } = example();
    let bytes: Vec<u8> = parts.into_iter().flat_map(|part| part.bytes).collect();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("00000001.seg");
    std::fs::write(&path, bytes).unwrap();
    let disk = bulla::disk::RealDisk;
    let SealedSegment { segment, footer, waypoints, .. } =
        SealedSegment::open(&disk, &path, false).unwrap().unwrap();
    assert_eq!((footer.count, footer.end_root), (1, leaf), "a tree of one record is its leaf");
    let mut cursor = RecordCursor::at(segment, &waypoints, Seq::new(0), footer.end()).unwrap();
    let (_, record) = cursor.next_record().unwrap().unwrap();
    assert_eq!(record.leaf(HashAlgorithm::Sha256), leaf);
    let envelope = body::decode_envelope_strict(record.head.schema, record.envelope).unwrap();
    let payload = body::decode_payload_strict(record.head.schema, record.payload()).unwrap();
    assert_eq!(body::to_event(&envelope, Some(&payload)), event());
}

/// The bodies about retention, by kind.
const RETENTION: &[(&str, &str)] = &[
    ("Kind 32,", "HoldPlaced"),
    ("Kind 33,", "HoldReleased"),
    ("Kind 34,", "PolicySet"),
    ("Kind 35,", "DropStarted"),
    ("Kind 36,", "DropCompleted"),
    ("Kind 37,", "Archived"),
    ("Kind 38,", "Restored"),
    ("Kind 40,", "DropAborted"),
];

#[test]
fn the_table_of_the_protection_names_the_fields_in_their_order() {
    let source = include_str!("../../src/format/catalog_body/protection.rs");
    assert_eq!(documented("Kind 41,"), coded(source, "ProtectionSet"));
}

#[test]
fn the_tables_of_retention_name_the_fields_in_their_order() {
    let source = include_str!("../../src/format/catalog_body/retention.rs");
    for (kind, name) in RETENTION {
        assert_eq!(documented(kind), coded(source, name), "{kind} {name}");
    }
}

/// The fields that the document gives a kind of catalog record.
fn documented(kind: &str) -> Vec<&'static str> {
    let table = DOCUMENT.split(kind).nth(1).unwrap().split("\nKind ").next().unwrap();
    let table = table.split("\nReserved kinds").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| ") && line.contains("| `"));
    rows.map(|row| row.split('`').nth(1).unwrap()).collect()
}

/// The fields of a body in the code.
fn coded<'a>(source: &'a str, name: &str) -> Vec<&'a str> {
    let from = |generics: &str| source.split(&format!("pub struct {name}{generics} {{")).nth(1);
    let body = from("<'a>").or_else(|| from("")).unwrap().split("\n}").next().unwrap();
    let fields = body.lines().filter_map(|line| line.strip_prefix("    pub "));
    fields.map(|field| field.split(':').next().unwrap()).collect()
}
