mod added;

use std::fmt::Debug;

use proptest::prelude::*;

use super::*;
use crate::event::{
    Actor, Anchor, Event, EventId, Json, Outcome, Redacted, Resource, SpanId, Target, TraceId,
    limits,
};
use crate::hash::Hash;
use crate::seq::TreeSize;
use crate::time::Timestamp;

const SALT: [u8; SALT_LEN] = [0x5a; SALT_LEN];
const NOW: Timestamp = Timestamp::from_nanos(1_763_758_561_999_999_999);

/// The bytes of [`full_event`], field by field, written by hand (by a script in
/// another language) from the description in the format document.
fn golden_envelope() -> Vec<(&'static str, String)> {
    [
        ("id", "000102030405060708090a0b0c0d0e0f"),
        ("occurred_at", "fd2aaea2122242f430"),
        ("tenant", "010461636d65"),
        ("actor_type", "0475736572"),
        ("actor_id", "05616c696365"),
        ("action", "0b696e766f6963652e706179"),
        ("resource_type", "07696e766f696365"),
        ("resource_id", "0107323032362d3137"),
        ("outcome", "02"),
        ("request_id", "01057265712d31"),
        ("correlation_id", "01fb2c01"), // and then 300 times the letter c
        ("aliases", "00"),
    ]
    .map(|(name, hex)| {
        let tail = if name == "correlation_id" { "63".repeat(300) } else { String::new() };
        (name, hex.to_owned() + &tail)
    })
    .to_vec()
}

const GOLDEN_PAYLOAD: [(&str, &str); 13] = [
    ("email", "010d61406578616d706c652e636f6d"),
    ("role", "0105636c65726b"),
    ("reason", "010c64c3a96ac3a020706179c3a9"),
    ("source", "0103617069"),
    ("ip", "010831302e302e302e31"),
    ("user_agent", "01066375726c2f38"),
    ("session_id", "0103732d31"),
    ("duration_ms", "01fc70110100"),
    ("changed_fields", "020470616964026174"),
    ("old_values", "010e7b2270616964223a66616c73657d"),
    ("new_values", "010d7b2270616964223a747275657d"),
    ("tags", "02016b017606726567696f6e026575"),
    ("details", "010a7b226e223a20312e307d"),
];

/// The fourteenth field, of schema 2 only, of [`redacted_event`].
const GOLDEN_REDACTED: (&str, &str) = ("redacted", "010762756c6c612f3102016104622f7e3105");

/// The full event with something redacted.
fn redacted_event() -> Event {
    let mut event = full_event();
    event.redacted = Some(Redacted {
        rules: "bulla/1".to_owned(),
        paths: vec!["a".to_owned(), "b/~1".to_owned()],
        more: 5,
    });
    event
}

fn full_event() -> Event {
    Event::new(
        Actor::new("user", "alice").email("a@example.com").role("clerk"),
        "invoice.pay",
        Resource::new("invoice", "2026-17"),
    )
    .id(EventId([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]))
    .occurred_at(Timestamp::from_nanos(1_763_758_561_123_456_789))
    .tenant("acme")
    .outcome(Outcome::Denied)
    .request_id("req-1")
    .correlation_id("c".repeat(300))
    .reason("déjà payé")
    .source("api")
    .ip("10.0.0.1")
    .user_agent("curl/8")
    .session_id("s-1")
    .duration_ms(70_000)
    .changed_fields(["paid", "at"])
    .old_values(serde_json::json!({"paid": false}))
    .new_values(serde_json::json!({"paid": true}))
    .tag("region", "eu")
    .tag("k", "v")
    .details_json(r#"{"n": 1.0}"#)
    .unwrap()
}

fn smallest_event() -> Event {
    Event::new(Actor::new("u", "a"), "x", Resource::kind_only("r"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Envelope and payload of an event.
fn encode(event: &Event) -> (Vec<u8>, Vec<u8>) {
    let mut out = b"before".to_vec();
    let lengths = encode_event(event, NOW, [9; 16], SALT, &mut out).unwrap();
    assert!(out.starts_with(b"before"));
    let mut envelope = out.split_off(6);
    let mut salt = envelope.split_off(lengths.envelope);
    let payload = salt.split_off(SALT_LEN);
    assert_eq!(salt, SALT);
    assert_eq!(payload.len(), lengths.payload);
    (envelope, payload)
}

/// Names of the fields of a struct in their order, from how it debugs.
fn field_names(value: &impl Debug) -> Vec<String> {
    let text = format!("{value:#?}");
    let fields = text.lines().filter_map(|line| line.strip_prefix("    "));
    let names = fields.filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()));
    names.map(|line| line.split(':').next().unwrap().to_owned()).collect()
}

#[test]
fn the_bytes_of_a_full_event_do_not_change() {
    let (envelope, payload) = encode(&full_event());
    let expected: String = golden_envelope().into_iter().map(|(_, hex)| hex).collect();
    assert_eq!(hex(&envelope), expected);
    assert_eq!(hex(&payload), GOLDEN_PAYLOAD.map(|(_, hex)| hex).concat());
}

#[test]
fn the_bytes_of_a_redacted_event_do_not_change() {
    let event = redacted_event();
    let (envelope, payload) = encode(&event);
    assert_eq!(encode(&full_event()).0, envelope);
    let expected = GOLDEN_PAYLOAD.map(|(_, hex)| hex).concat() + GOLDEN_REDACTED.1;
    assert_eq!(hex(&payload), expected);
    assert_eq!((schema_of(&full_event()), schema_of(&event)), (1, 2));
    let decoded = decode_payload_strict(SCHEMA_REDACTED, &payload).unwrap();
    assert_eq!(to_event(&decode_envelope(SCHEMA, &envelope).unwrap(), Some(&decoded)), event);
}

#[test]
fn a_payload_is_of_its_own_schema_only() {
    let (_, plain) = encode(&full_event());
    let (_, redacted) = encode(&redacted_event());
    let found = redacted.len() - plain.len();
    let expected = BodyError::Trailing { body: Body::Payload, offset: plain.len(), found };
    assert_eq!(decode_payload(SCHEMA, &redacted), Err(expected));
    for len in plain.len()..redacted.len() {
        assert!(decode_payload(SCHEMA_REDACTED, &redacted[..len]).is_err(), "{len}");
    }
    let absent = decode_payload(SCHEMA_REDACTED, &[plain.as_slice(), &[0]].concat()).unwrap_err();
    assert!(absent.to_string().contains("expected what was redacted"), "{absent}");
    let many = [plain.as_slice(), b"\x01\x01r\xfb\x01\x01", &[0; 257], &[0]].concat();
    let refused = decode_payload(SCHEMA_REDACTED, &many).unwrap_err();
    assert!(refused.to_string().contains("at most 256 paths"), "{refused}");
    let long = [plain.as_slice(), b"\x01\x01r\x00\xfb\x01\x00"].concat();
    assert!(decode_payload(SCHEMA_REDACTED, &long).is_ok());
    let refused = decode_payload_strict(SCHEMA_REDACTED, &long);
    assert!(matches!(refused, Err(BodyError::NotCanonical { .. })), "{refused:?}");
}

#[test]
fn the_bytes_of_the_smallest_event_do_not_change() {
    let event = smallest_event().id(EventId([0; 16])).occurred_at(Timestamp::from_nanos(-1));
    let (envelope, payload) = encode(&event);
    let fields = concat!("01", "00", "0175", "0161", "0178", "0172", "00", "00", "00", "00", "00");
    assert_eq!(hex(&envelope), "00".repeat(16) + fields);
    assert_eq!(hex(&payload), "00".repeat(13));
}

#[test]
fn the_bytes_of_an_anchor_do_not_change() {
    let anchor = Anchor {
        catalog_size: TreeSize::new(251),
        catalog_root: Hash::from_bytes([0xaa; 32]),
        state_root: Hash::from_bytes([0xbb; 32]),
    };
    let mut out = vec![1];
    assert_eq!(encode_anchor(&anchor, &mut out).unwrap(), 3 + 64);
    assert_eq!(hex(&out[1..]), "fbfb00".to_owned() + &"aa".repeat(32) + &"bb".repeat(32));
    assert_eq!(decode_anchor_strict(&out[1..]), Ok(anchor));
    assert!(matches!(decode_anchor(&out), Err(BodyError::Trailing { .. })));
    assert!(matches!(decode_anchor(&out[1..60]), Err(BodyError::CutShort { .. })));
    let long = [b"\xfc\xfb\0\0\0".as_slice(), &out[4..]].concat();
    assert_eq!(decode_anchor(&long), Ok(anchor));
    let offset = 0;
    let not_canonical = BodyError::NotCanonical { body: Body::Anchor, offset };
    assert_eq!(decode_anchor_strict(&long), Err(not_canonical));
}

#[test]
fn the_tables_of_the_document_name_the_fields_in_their_order() {
    let document = include_str!("../../../docs/format.md");
    let documented = |heading: &str| -> Vec<String> {
        let section = document.split("\n### ").find(|part| part.starts_with(heading)).unwrap();
        // Not the rows of its refusal list.
        let is_field = |line: &&str| line.contains("| `") && !line.starts_with("| R-");
        let rows = section.lines().filter(|line| line.starts_with("| ")).filter(is_field);
        rows.map(|row| row.split('`').nth(1).unwrap().to_owned()).collect()
    };
    let event = full_event();
    let envelope = Envelope::of(&event, EventId([0; 16]), NOW);
    let of_golden: Vec<_> = golden_envelope().iter().map(|(name, _)| name.to_string()).collect();
    let of_golden: Vec<_> =
        of_golden.into_iter().chain(added::GOLDEN_ADDED.map(|(name, _)| name.to_owned())).collect();
    assert_eq!(field_names(&envelope), of_golden);
    assert_eq!(documented("Envelope"), of_golden);
    let payload = Payload::of(&event);
    let names =
        [GOLDEN_PAYLOAD.as_slice(), &[GOLDEN_REDACTED], &added::GOLDEN_ADDED_PAYLOAD].concat();
    let names: Vec<_> = names.into_iter().map(|(name, _)| name).collect();
    assert_eq!(field_names(&payload), names);
    assert_eq!(documented("Payload"), names);
    let anchor = ["catalog_size", "catalog_root", "state_root"];
    assert_eq!(documented("Anchor"), anchor);
}

#[test]
fn an_event_comes_back_from_its_bodies() {
    let event = full_event();
    let (envelope, payload) = encode(&event);
    let envelope = decode_envelope_strict(SCHEMA, &envelope).unwrap();
    let payload = decode_payload_strict(SCHEMA, &payload).unwrap();
    assert_eq!(to_event(&envelope, Some(&payload)), event);
    assert_eq!(payload, Payload::of(&event));
    assert_eq!(envelope.subject(), crate::query::Subject::of_event(&event, NOW));

    let without = to_event(&envelope, None);
    assert_eq!(without.id, event.id);
    assert_eq!(without.correlation_id, event.correlation_id);
    let shown = without.to_json();
    for hidden in ["example.com", "clerk", "10.0.0.1", "paid", "region", "details"] {
        assert!(!shown.contains(hidden), "{hidden}");
    }
}

#[test]
fn id_and_time_are_filled_in() {
    let (envelope, _) = encode(&smallest_event());
    let envelope = decode_envelope(SCHEMA, &envelope).unwrap();
    assert_eq!(envelope.id, EventId::v7(NOW, [9; 16]));
    assert_eq!(envelope.occurred_at, NOW);
}

#[test]
fn a_refused_event_leaves_the_buffer_as_it_was() {
    let mut out = b"before".to_vec();
    let event = smallest_event().details(serde_json::json!("x".repeat(limits::JSON_LEN_MAX)));
    let refused = encode_event(&event, NOW, [0; 16], SALT, &mut out).unwrap_err();
    assert_eq!(refused.field, "details");
    assert_eq!(out, b"before");
}

#[test]
fn an_event_at_every_limit_fits_and_comes_back() {
    let text = |len: usize| "x".repeat(len);
    let label = || text(limits::LABEL_LEN_MAX);
    let json = |len: usize| Json::parse(&"1".repeat(len)).unwrap();
    let mut event = Event::new(
        Actor::new(text(256), text(4096)).email(label()).role(label()),
        text(256),
        Resource::new(text(256), text(4096)),
    )
    .occurred_at(limits::OCCURRED_AT_MIN)
    .tenant(text(256))
    .request_id(label())
    .correlation_id(label())
    .reason(text(limits::REASON_LEN_MAX))
    .source(label())
    .ip(text(limits::IP_LEN_MAX))
    .user_agent(text(limits::USER_AGENT_LEN_MAX))
    .session_id(label())
    .duration_ms(u64::MAX)
    .changed_fields(vec![text(256); 1024])
    .old_values(json(limits::JSON_LEN_MAX))
    .new_values(json(limits::JSON_LEN_MAX));
    event = (0..256).fold(event, |event, i| event.tag(format!("{i:0256}"), text(3000)));
    let used = Payload::of(&event).changed_fields.iter().map(str::len).sum::<usize>()
        + event.tags.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>()
        + 2 * limits::JSON_LEN_MAX
        + limits::REASON_LEN_MAX
        + limits::USER_AGENT_LEN_MAX
        + limits::IP_LEN_MAX
        + 4 * limits::LABEL_LEN_MAX;
    let redacted = Redacted {
        rules: text(limits::REDACTED_RULES_LEN_MAX),
        paths: vec![text(limits::REDACTED_PATH_LEN_MAX); limits::REDACTED_PATHS_MAX],
        more: u64::MAX,
    };
    event = event
        .outcome(Outcome::Unknown)
        .on_behalf_of(Actor::new(text(256), text(4096)).email(label()).role(label()))
        .trace_id(TraceId::from_bytes([1; 16]).unwrap())
        .span_id(SpanId::from_bytes([1; 8]).unwrap());
    event = (0..64).fold(event, |e, _| e.target(Target::new("t", text(510)).role("r")));
    let used = used
        + 2 * limits::LABEL_LEN_MAX
        + redacted.rules.len()
        + redacted.paths.iter().map(String::len).sum::<usize>();
    event.redacted = Some(redacted);
    event = event.details(json(limits::PAYLOAD_TEXT_LEN_MAX - used));
    let (envelope, payload) = encode(&event);
    assert!(envelope.len() <= ENVELOPE_LEN_MAX && payload.len() <= PAYLOAD_LEN_MAX);
    let payload = decode_payload_strict(SCHEMA_ADDED, &payload).unwrap();
    let read = decode_envelope_strict(SCHEMA_ADDED, &envelope).unwrap();
    let read = to_event(&read, Some(&payload));
    assert_eq!(Event { id: None, ..read }, event);
    // Short identifiers that give way to aliases, where all else is as long as it may be.
    event.targets = vec![Target::new(text(256), "i").role(text(255)); 64];
    assert_eq!(event.validate(), Ok(()));
    let aliases = vec![Some("a".repeat(46)); 64];
    let alias = Some(aliases[0].as_deref().unwrap());
    let pseudonyms = Pseudonyms {
        actor_id: alias,
        resource_id: alias,
        on_behalf_of_id: alias,
        target_ids: &aliases,
    };
    let mut out = Vec::new();
    assert!(encode_event_as(&event, pseudonyms, NOW, [9; 16], SALT, &mut out).is_ok());
}

#[test]
fn each_cut_is_an_error() {
    let (envelope, payload) = encode(&full_event());
    for len in 0..envelope.len() {
        assert!(decode_envelope(SCHEMA, &envelope[..len]).is_err(), "{len}");
    }
    for len in 0..payload.len() {
        assert!(decode_payload(SCHEMA, &payload[..len]).is_err(), "{len}");
    }
    let trailing = [payload.as_slice(), &[0]].concat();
    let expected = BodyError::Trailing { body: Body::Payload, offset: payload.len(), found: 1 };
    assert_eq!(decode_payload(SCHEMA, &trailing), Err(expected));
    let trailing = [envelope.as_slice(), &[0]].concat();
    let expected = BodyError::Trailing { body: Body::Envelope, offset: envelope.len(), found: 1 };
    assert_eq!(decode_envelope(SCHEMA, &trailing), Err(expected));
}

/// The envelope of the smallest event with one field replaced.
fn smallest_envelope_with(name: &str, bytes: &[u8]) -> Vec<u8> {
    let plain: [(&str, &[u8]); 12] = [
        ("id", &[0; 16]),
        ("occurred_at", &[2]),
        ("tenant", &[0]),
        ("actor_type", b"\x01u"),
        ("actor_id", b"\x01a"),
        ("action", b"\x01x"),
        ("resource_type", b"\x01r"),
        ("resource_id", &[0]),
        ("outcome", &[0]),
        ("request_id", &[0]),
        ("correlation_id", &[0]),
        ("aliases", &[0]),
    ];
    plain
        .iter()
        .flat_map(|(field, plain)| if *field == name { bytes } else { plain })
        .copied()
        .collect()
}

/// An empty payload with one field, by its number from 0, replaced.
fn empty_payload_with(field: usize, bytes: &[u8]) -> Vec<u8> {
    (0..13).flat_map(|at| if at == field { bytes } else { &[0] }).copied().collect()
}

#[test]
fn values_out_of_range_are_refused() {
    for (name, bytes) in [
        ("outcome", &[4_u8][..]),
        ("outcome", &[255]),
        ("aliases", &[8]),
        ("tenant", &[2]),
        ("actor_id", b"\x01\xff"),
        ("actor_id", b"\x02\xed\xa0"),
        ("actor_id", &[254]),
        ("actor_id", &[255]),
        ("actor_id", b"\xfd\xff\xff\xff\xff\xff\xff\xff\xff"),
        ("occurred_at", &[254; 17]),
    ] {
        let error = decode_envelope(SCHEMA, &smallest_envelope_with(name, bytes)).unwrap_err();
        assert!(error.to_string().starts_with("envelope: expected "), "{name}: {error}");
        assert!(!error.to_string().contains("a field of the body"), "{name}: {error}");
    }
    assert!(
        decode_envelope(SCHEMA, &smallest_envelope_with("aliases", &[7])).unwrap().aliases.tenant()
    );
    let bad = BodyError::Unexpected {
        body: Body::Envelope,
        offset: 28,
        expected: "outcome as a byte from 0 to 3".to_owned(),
        found: "4".to_owned(),
    };
    assert_eq!(decode_envelope(SCHEMA, &smallest_envelope_with("outcome", &[4])), Err(bad));
}

#[test]
fn integers_written_too_long_are_refused_by_the_strict_reader_only() {
    for (name, bytes, short) in [
        ("occurred_at", &b"\xfb\x02\0"[..], &b"\x02"[..]),
        ("occurred_at", b"\xfd\xff\xff\xff\xff\0\0\0\0", b"\xfc\xff\xff\xff\xff"),
        ("actor_id", b"\xfb\x01\0a", b"\x01a"),
        ("actor_id", b"\xfc\x01\0\0\0a", b"\x01a"),
        ("request_id", b"\x01\xfd\x01\0\0\0\0\0\0\0a", b"\x01\x01a"),
    ] {
        let long = smallest_envelope_with(name, bytes);
        let short = smallest_envelope_with(name, short);
        assert_eq!(decode_envelope(SCHEMA, &long), decode_envelope_strict(SCHEMA, &short));
        let refused = decode_envelope_strict(SCHEMA, &long);
        assert!(matches!(refused, Err(BodyError::NotCanonical { .. })), "{refused:?}");
    }
    let long = empty_payload_with(11, b"\xfb\x01\0\x01k\x01v");
    assert!(decode_payload(SCHEMA, &long).is_ok());
    let offset = 11;
    let refused = BodyError::NotCanonical { body: Body::Payload, offset };
    assert_eq!(decode_payload_strict(SCHEMA, &long), Err(refused));
}

#[test]
fn tags_must_ascend_and_json_must_be_json() {
    let tags =
        |bytes: &[u8]| decode_payload(SCHEMA, &empty_payload_with(11, bytes)).map(|p| p.tags.len());
    assert_eq!(tags(b"\x02\x01a\0\x01b\0"), Ok(2));
    assert!(tags(b"\x02\x01b\0\x01a\0").is_err());
    assert!(tags(b"\x02\x01a\0\x01a\0").is_err());
    for field in [9, 10, 12] {
        let json = |bytes: &[u8]| decode_payload(SCHEMA, &empty_payload_with(field, bytes)).is_ok();
        assert!(json(b"\x01\x02{}"));
        for bad in [&b"\x01\x00"[..], b"\x01\x01{", b"\x01\x02 1", b"\x01\x021 ", b"\x01\x05{},{}"]
        {
            assert!(!json(bad), "{bad:?}");
        }
    }
}

#[test]
fn claimed_numbers_are_not_believed() {
    for count in [1025, u64::from(u32::MAX), u64::MAX] {
        let claim = [&[253], count.to_le_bytes().as_slice()].concat();
        assert!(decode_payload(SCHEMA, &empty_payload_with(8, &claim)).is_err());
        assert!(decode_payload(SCHEMA, &empty_payload_with(11, &claim)).is_err());
        let text = [&[1], claim.as_slice()].concat();
        assert!(decode_payload(SCHEMA, &empty_payload_with(2, &text)).is_err());
    }
    let too_long = vec![0; PAYLOAD_LEN_MAX + 1];
    assert!(matches!(decode_payload(SCHEMA, &too_long), Err(BodyError::TooLong { .. })));
    let too_long = vec![0; ENVELOPE_LEN_MAX + 1];
    assert!(matches!(decode_envelope(SCHEMA, &too_long), Err(BodyError::TooLong { .. })));
}

fn any_event() -> impl Strategy<Value = Event> {
    let id = || "[^\\p{Cc}]{1,40}";
    let maybe = || prop::option::of("[^\\p{Cc}]{0,300}");
    let json = || prop::option::of(".*".prop_map(|text| Json::from(serde_json::json!([text]))));
    let who = (id(), id(), maybe(), maybe(), id(), id(), prop::option::of(id()));
    let texts = (maybe(), maybe(), maybe(), maybe(), maybe(), maybe());
    let rest = (
        any::<[u8; 16]>(),
        limits::OCCURRED_AT_MIN.as_nanos()..limits::OCCURRED_AT_MAX.as_nanos(),
        0..5_u8,
        prop::option::of(any::<u64>()),
        prop::collection::vec("[^\\p{Cc}]{0,20}", 0..5),
        prop::collection::btree_map("[^\\p{Cc}]{0,20}", "[^\\p{Cc}]{0,20}", 0..5),
        prop::option::of(("[^\\p{Cc}]{1,20}", prop::collection::vec("[^\\p{Cc}]{0,20}", 0..5))),
        any::<u64>(),
    );
    let target = (id(), id(), prop::option::of(id()));
    let target = target.prop_map(|(kind, id, role)| Target { kind, id, role });
    let behalf = (id(), id(), maybe(), maybe());
    let behalf = behalf.prop_map(|(kind, id, email, role)| Actor { kind, id, email, role });
    let trace = prop::option::of((any::<u8>(), any::<u8>()));
    let added =
        (prop::collection::vec(target, 0..4), prop::option::of(behalf), trace, any::<bool>());
    let all = (who, texts, rest, (json(), json(), json()), added);
    all.prop_map(|(who, texts, rest, json, added)| {
        let actor = Actor { kind: who.0, id: who.1, email: who.2, role: who.3 };
        let mut event = Event::new(actor, who.4, Resource { kind: who.5, id: who.6 });
        event.reason = texts.0;
        event.source = texts.1;
        event.user_agent = texts.2;
        event.session_id = texts.3;
        event.request_id = texts.4;
        event.correlation_id = texts.5;
        event.id = Some(EventId(rest.0));
        event.occurred_at = Some(Timestamp::from_nanos(rest.1));
        event.outcome = Outcome::from_code(rest.2).unwrap();
        event.duration_ms = rest.3;
        event.changed_fields = rest.4;
        event.tags = rest.5;
        event.redacted = rest.6.map(|(rules, paths)| Redacted { rules, paths, more: rest.7 });
        (event.old_values, event.new_values, event.details) = json;
        if added.3 {
            (event.targets, event.on_behalf_of) = (added.0, added.1);
            event.trace_id = added.2.and_then(|(byte, _)| TraceId::from_bytes([byte; 16]));
            event.span_id = added.2.and_then(|(_, byte)| SpanId::from_bytes([byte; 8]));
        }
        event
    })
}

proptest! {
    #[test]
    fn any_valid_event_comes_back(event in any_event()) {
        prop_assert_eq!(event.validate(), Ok(()));
        let (envelope, payload) = encode(&event);
        let read = to_event(
            &decode_envelope_strict(schema_of(&event), &envelope).unwrap(),
            Some(&decode_payload_strict(schema_of(&event), &payload).unwrap()),
        );
        prop_assert_eq!(&read, &event);
        prop_assert_eq!(Event::from_json(&event.to_json()).unwrap(), event);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = (decode_envelope_strict(SCHEMA, &bytes), decode_payload_strict(SCHEMA, &bytes));
        let _ = decode_payload_strict(SCHEMA_REDACTED, &bytes);
        let _ = decode_envelope_strict(SCHEMA_ADDED, &bytes);
        let _ = decode_payload_strict(SCHEMA_ADDED, &bytes);
        let _ = decode_anchor_strict(&bytes);
    }

    #[test]
    fn what_the_strict_reader_takes_is_what_would_be_written(
        event in any_event(),
        at in any::<prop::sample::Index>(),
        byte: u8,
    ) {
        let (mut envelope, mut payload) = encode(&event);
        let (in_envelope, in_payload) = (at.index(envelope.len()), at.index(payload.len()));
        envelope[in_envelope] = byte;
        payload[in_payload] = byte;
        if let Ok(read) = decode_envelope_strict(schema_of(&event), &envelope) {
            let mut again = Vec::new();
            wire::append(Body::Envelope, ENVELOPE_LEN_MAX, &read, &mut again).unwrap();
            prop_assert_eq!(again, envelope);
        }
        if let Ok(read) = decode_payload_strict(schema_of(&event), &payload) {
            let mut again = Vec::new();
            wire::append(Body::Payload, PAYLOAD_LEN_MAX, &read, &mut again).unwrap();
            prop_assert_eq!(again, payload);
        }
    }
}
