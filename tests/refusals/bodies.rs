//! R-ENV, R-PAY and R-ENC: the bodies of events.

use crate::cases::{As, By, Case, case, run};
use crate::forge::bytes::{long_uint, some, split, text, uint};
use crate::forge::segment::Record;

use As::{Finding, Tampered};
use By::{Open, Read, Verify};

/// Changes an event in the second segment.
macro_rules! event {
    ($change:expr) => {
        |mut forge| {
            let change: fn(&mut Record) = $change;
            change(forge.main[1].record(3));
            forge.write()
        }
    };
}

/// Sets a field of the envelope of that event.
macro_rules! envelope {
    ($field:literal, $value:expr) => {
        event!(|record| record.set($field, $value))
    };
}

/// Sets a field of its payload.
macro_rules! payload {
    ($field:literal, $value:expr) => {
        event!(|record| set_payload(record, $field, $value))
    };
}

fn set_payload(record: &mut Record, field: &str, value: Vec<u8>) {
    let mut fields = split("Payload", record.payload());
    fields.iter_mut().find(|(name, _)| name == field).unwrap().1 = value;
    record.set_payload(&fields.concat_values());
}

trait ConcatValues {
    fn concat_values(&self) -> Vec<u8>;
}

impl ConcatValues for Vec<(String, Vec<u8>)> {
    fn concat_values(&self) -> Vec<u8> {
        self.iter().flat_map(|(_, value)| value.clone()).collect()
    }
}

fn tags(tags: &[(&str, &str)]) -> Vec<u8> {
    let entries = tags.iter().flat_map(|(key, value)| [text(key), text(value)].concat());
    [uint(tags.len() as u64), entries.collect()].concat()
}

/// A list of texts.
fn texts(count: usize) -> Vec<u8> {
    [uint(count as u64), text("x").repeat(count)].concat()
}

fn redacted(record: &mut Record, redacted: Vec<u8>) {
    let payload = [record.payload(), &redacted].concat();
    record.set_payload(&payload);
    record.set_prefix("schema", 2_u64);
}

/// Makes it an event of schema 3, with these bytes of what that adds behind envelope and payload.
fn added(record: &mut Record, envelope: Vec<u8>, payload: Vec<u8>) {
    record.trailing = envelope;
    let payload = [record.payload().to_vec(), payload].concat();
    record.set_payload(&payload);
    record.set_prefix("schema", 3_u64);
}

/// Neither targets nor anything else.
fn nothing() -> Vec<u8> {
    vec![0; 4]
}

pub(crate) const CASES: &[Case] = &[
    case!(
        "R-ENV-1",
        "a byte behind the last field",
        Plain,
        event!(|record| record.trailing = vec![0]),
        [
            (Open, Tampered, "envelope: expected the end at offset"),
            (Verify, Finding, "envelope: expected the end at offset"),
            (Read, Tampered, "envelope: expected the end at offset")
        ]
    ),
    case!(
        "R-ENV-2",
        "a length beyond the end",
        Plain,
        envelope!("actor_id", uint(60_000)),
        [
            (Open, Tampered, "bytes more at offset"),
            (Verify, Finding, "bytes more at offset"),
            (Read, Tampered, "a body of its schema")
        ]
    ),
    case!(
        "R-ENV-2",
        "a length beyond all memory",
        Plain,
        envelope!("actor_id", uint(u64::MAX)),
        [
            (Open, Tampered, "bytes more at offset"),
            (Verify, Finding, "bytes more at offset"),
            (Read, Tampered, "a body of its schema")
        ]
    ),
    case!(
        "R-ENV-2",
        "half of it",
        Plain,
        event!(|record| record.set("aliases", Vec::new())),
        [(Open, Tampered, "the end"), (Verify, Finding, "the end"), (Read, Tampered, "the end")]
    ),
    case!(
        "R-ENV-3",
        "a number that starts with 254",
        Plain,
        envelope!("occurred_at", [&[254][..], &[1; 16]].concat()),
        [
            (Open, Tampered, "envelope: expected an integer of at most"),
            (Verify, Finding, "envelope: expected an integer of at most"),
            (Read, Tampered, "envelope: expected an integer of at most")
        ]
    ),
    case!(
        "R-ENV-3",
        "a length that starts with 255",
        Plain,
        envelope!("action", vec![255, 1, 1, 1]),
        [
            (Open, Tampered, "envelope: expected an integer of at most"),
            (Verify, Finding, "envelope: expected an integer of at most"),
            (Read, Tampered, "envelope: expected an integer of at most")
        ]
    ),
    case!(
        "R-ENV-4",
        "a time in more bytes than it needs",
        Plain,
        envelope!("occurred_at", long_uint(2)),
        [(Verify, Finding, "envelope: expected the shortest spelling of an i")]
    ),
    case!(
        "R-ENV-4",
        "a length in more bytes than it needs",
        Plain,
        envelope!("action", [long_uint(1), vec![b'a']].concat()),
        [(Verify, Finding, "envelope: expected the shortest spelling of an i")]
    ),
    case!(
        "R-ENV-5",
        "an option that is neither there nor absent",
        Plain,
        envelope!("tenant", vec![2]),
        [
            (Open, Tampered, "envelope: expected core::option::Option"),
            (Verify, Finding, "envelope: expected core::option::Option"),
            (Read, Tampered, "envelope: expected core::option::Option")
        ]
    ),
    case!(
        "R-ENV-6",
        "a text that is not UTF-8",
        Plain,
        envelope!("action", text([0xff])),
        [
            (Open, Tampered, "envelope: expected UTF"),
            (Verify, Finding, "envelope: expected UTF"),
            (Read, Tampered, "envelope: expected UTF")
        ]
    ),
    case!(
        "R-ENV-7",
        "outcome 4",
        Plain,
        envelope!("outcome", vec![4]),
        [
            (Open, Tampered, "envelope: expected outcome as a byte from"),
            (Verify, Finding, "envelope: expected outcome as a byte from"),
            (Read, Tampered, "envelope: expected outcome as a byte from")
        ]
    ),
    case!(
        "R-ENV-7",
        "outcome 5 in schema 3",
        Plain,
        event!(|record| {
            record.set("outcome", vec![5]);
            added(record, nothing(), nothing());
        }),
        [
            (Open, Tampered, "envelope: expected outcome as a byte from"),
            (Verify, Finding, "envelope: expected outcome as a byte from"),
            (Read, Tampered, "envelope: expected outcome as a byte from")
        ]
    ),
    case!(
        "R-ENV-8",
        "a bit of the aliases that has no meaning in schema 3",
        Plain,
        event!(|record| {
            record.set("aliases", vec![16]);
            added(record, nothing(), nothing());
        }),
        [
            (Open, Tampered, "envelope: expected aliases as a byte from"),
            (Verify, Finding, "envelope: expected aliases as a byte from"),
            (Read, Tampered, "envelope: expected aliases as a byte from")
        ]
    ),
    case!(
        "R-ENV-9",
        "65 targets",
        Plain,
        event!(|record| {
            let target = [text("t"), text("i"), vec![0]].concat();
            let targets = [uint(65), target.repeat(65), vec![0; 3]].concat();
            added(record, targets, nothing());
        }),
        [
            (Open, Tampered, "envelope: expected at most 64 targets"),
            (Verify, Finding, "envelope: expected at most 64 targets"),
            (Read, Tampered, "envelope: expected at most 64 targets")
        ]
    ),
    case!(
        "R-ENV-9",
        "an alias of a target that is not there",
        Plain,
        event!(|record| added(record, vec![0, 1, 0, 0], nothing())),
        [
            (Open, Tampered, "envelope: expected aliases of 0 targets"),
            (Verify, Finding, "envelope: expected aliases of 0 targets"),
            (Read, Tampered, "envelope: expected aliases of 0 targets")
        ]
    ),
    case!(
        "R-ENV-9",
        "a trace id of zeros",
        Plain,
        event!(|record| added(record, [vec![0; 3], some(vec![0; 16])].concat(), nothing())),
        [
            (Open, Tampered, "envelope: expected a trace id that is not"),
            (Verify, Finding, "envelope: expected a trace id that is not"),
            (Read, Tampered, "envelope: expected a trace id that is not")
        ]
    ),
    case!(
        "R-PAY-11",
        "a span id of zeros",
        Plain,
        event!(|record| added(record, nothing(), [vec![0; 3], some(vec![0; 8])].concat())),
        [
            (Verify, Finding, "payload: expected a span id that is not"),
            (Read, Tampered, "payload: expected a span id that is not")
        ]
    ),
    case!(
        "R-ENV-8",
        "a bit of the aliases that has no meaning",
        Plain,
        envelope!("aliases", vec![8]),
        [
            (Open, Tampered, "envelope: expected aliases as a byte from"),
            (Verify, Finding, "envelope: expected aliases as a byte from"),
            (Read, Tampered, "envelope: expected aliases as a byte from")
        ]
    ),
    case!(
        "R-PAY-1",
        "a byte behind the last field",
        Plain,
        event!(|record| {
            let payload = [record.payload(), &[0]].concat();
            record.set_payload(&payload);
        }),
        [
            (Verify, Finding, "payload: expected the end at offset"),
            (Read, Tampered, "payload: expected the end at offset")
        ]
    ),
    case!(
        "R-PAY-1",
        "redacted in schema 1",
        Plain,
        event!(|record| {
            let payload =
                [record.payload().to_vec(), some([text("r"), uint(0), uint(0)].concat())].concat();
            record.set_payload(&payload);
        }),
        [
            (Verify, Finding, "payload: expected the end at offset"),
            (Read, Tampered, "payload: expected the end at offset")
        ]
    ),
    case!(
        "R-PAY-2",
        "a length beyond the end",
        Plain,
        payload!("reason", some(uint(1 << 40))),
        [(Verify, Finding, "bytes more at offset"), (Read, Tampered, "a body of its schema")]
    ),
    case!(
        "R-PAY-2",
        "a list longer than the rest",
        Plain,
        payload!("changed_fields", uint(1 << 60)),
        [
            (Verify, Finding, "changed fields before offset"),
            (Read, Tampered, "changed fields before offset")
        ]
    ),
    case!(
        "R-PAY-2",
        "nothing",
        Plain,
        event!(|record| record.set_payload(&[])),
        [(Verify, Finding, "bytes more at offset"), (Read, Tampered, "a body of its schema")]
    ),
    case!(
        "R-PAY-3",
        "a number that starts with 254",
        Plain,
        payload!("duration_ms", some([&[254][..], &[1; 16]].concat())),
        [
            (Verify, Finding, "payload: expected an integer of at most"),
            (Read, Tampered, "payload: expected an integer of at most")
        ]
    ),
    case!(
        "R-PAY-4",
        "a number in more bytes than it needs",
        Plain,
        payload!("duration_ms", some(long_uint(2))),
        [(Verify, Finding, "payload: expected the shortest spelling of an in")]
    ),
    case!(
        "R-PAY-5",
        "an option that is neither there nor absent",
        Plain,
        payload!("ip", vec![3]),
        [
            (Verify, Finding, "payload: expected core::option::Option"),
            (Read, Tampered, "payload: expected core::option::Option")
        ]
    ),
    case!(
        "R-PAY-6",
        "a text that is not UTF-8",
        Plain,
        payload!("ip", some(text([0xc0, 0x80]))),
        [(Verify, Finding, "payload: expected UTF"), (Read, Tampered, "payload: expected UTF")]
    ),
    case!(
        "R-PAY-7",
        "JSON that is none",
        Plain,
        payload!("details", some(text("{\"a\":}"))),
        [
            (Verify, Finding, "payload: expected one JSON value without space a"),
            (Read, Tampered, "payload: expected one JSON value without space a")
        ]
    ),
    case!(
        "R-PAY-7",
        "JSON with something behind it",
        Plain,
        payload!("details", some(text("{} {}"))),
        [
            (Verify, Finding, "payload: expected one JSON value without space a"),
            (Read, Tampered, "payload: expected one JSON value without space a")
        ]
    ),
    case!(
        "R-PAY-7",
        "JSON with white space around it",
        Plain,
        payload!("details", some(text(" {}"))),
        [
            (Verify, Finding, "payload: expected one JSON value without space a"),
            (Read, Tampered, "payload: expected one JSON value without space a")
        ]
    ),
    case!(
        "R-PAY-7",
        "no JSON",
        Plain,
        payload!("old_values", some(text(""))),
        [
            (Verify, Finding, "payload: expected one JSON value without space a"),
            (Read, Tampered, "payload: expected one JSON value without space a")
        ]
    ),
    case!(
        "R-PAY-8",
        "tags that descend",
        Plain,
        payload!("tags", tags(&[("b", "1"), ("a", "2")])),
        [
            (Verify, Finding, "payload: expected tags by ascending key"),
            (Read, Tampered, "payload: expected tags by ascending key")
        ]
    ),
    case!(
        "R-PAY-8",
        "a tag twice",
        Plain,
        payload!("tags", tags(&[("a", "1"), ("a", "2")])),
        [
            (Verify, Finding, "payload: expected tags by ascending key"),
            (Read, Tampered, "payload: expected tags by ascending key")
        ]
    ),
    case!(
        "R-PAY-9",
        "1,025 changed fields",
        Plain,
        payload!("changed_fields", texts(1_025)),
        [
            (Verify, Finding, "changed fields before offset"),
            (Read, Tampered, "changed fields before offset")
        ]
    ),
    case!(
        "R-PAY-9",
        "257 tags",
        Plain,
        payload!("tags", {
            let entry = |n: u64| [text(format!("{n:04}")), text("")].concat();
            [uint(257), (0..257).flat_map(entry).collect()].concat()
        }),
        [
            (Verify, Finding, "payload: expected at most"),
            (Read, Tampered, "payload: expected at most")
        ]
    ),
    case!(
        "R-PAY-9",
        "257 paths of redacted places",
        Plain,
        event!(|record| {
            redacted(record, some([text("r"), texts(257), uint(0)].concat()));
        }),
        [
            (Verify, Finding, "paths of redacted places before offset"),
            (Read, Tampered, "paths of redacted places before offset")
        ]
    ),
    case!(
        "R-PAY-10",
        "schema 2 without redacted",
        Plain,
        event!(|record| redacted(record, vec![0])),
        [
            (Verify, Finding, "payload: expected what was redacted"),
            (Read, Tampered, "payload: expected what was redacted")
        ]
    ),
    case!(
        "R-PAY-10",
        "schema 2 with 13 fields",
        Plain,
        event!(|record| redacted(record, Vec::new())),
        [(Verify, Finding, "bytes more at offset"), (Read, Tampered, "a body of its schema")]
    ),
    case!(
        "R-ENC-1",
        "another commitment than that of what was encrypted",
        Encrypted,
        event!(|record| record.stored[0] ^= 1),
        [
            (Verify, Finding, "a payload that is not the one committed to"),
            (Read, Tampered, "a payload that is not the one committed to")
        ]
    ),
    case!(
        "R-ENC-2",
        "a ciphertext that the key does not authenticate",
        Encrypted,
        event!(|record| record.stored[100] ^= 1),
        [
            (Verify, Finding, "a ciphertext that its key does not authenticate"),
            (Read, Tampered, "a ciphertext that its key does not authenticate")
        ]
    ),
    case!(
        "R-ENC-2",
        "another nonce",
        Encrypted,
        event!(|record| record.stored[50] ^= 1),
        [
            (Verify, Finding, "a ciphertext that its key does not authenticate"),
            (Read, Tampered, "a ciphertext that its key does not authenticate")
        ]
    ),
    case!(
        "R-ENC-2",
        "the ciphertext of another record",
        Encrypted,
        |mut forge| {
            forge.main[1].record(3).stored = forge.main[1].record(8).stored.clone();
            forge.write()
        },
        [
            (Verify, Finding, "a ciphertext that its key does not authenticate"),
            (Read, Tampered, "a ciphertext that its key does not authenticate")
        ]
    ),
    case!(
        "R-ENC-2",
        "another envelope",
        Encrypted,
        event!(|record| record.set("action", text("invoice.forged"))),
        [
            (Verify, Finding, "a ciphertext that its key does not authenticate"),
            (Read, Tampered, "a ciphertext that its key does not authenticate")
        ]
    ),
];

#[test]
fn what_bodies_must_not_say_is_refused() {
    run(CASES);
}
