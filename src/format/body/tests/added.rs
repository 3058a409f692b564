//! What only schema 3 has.

use super::*;

/// What schema 3 adds, of [`added_event`]: behind the envelope.
pub(super) const GOLDEN_ADDED: [(&str, &str); 4] = [
    ("targets", "0207696e766f69636507323032362d313701066c6f6e65727304757365720362c3a900"),
    ("target_aliases", "00"),
    ("on_behalf_of", "0104757365720463617261"),
    ("trace_id", "014bf92f3577b34da6a3ce929d0e0e4736"),
];

/// … and behind the payload of schema 2.
pub(super) const GOLDEN_ADDED_PAYLOAD: [(&str, &str); 3] = [
    ("on_behalf_of_email", "010d63406578616d706c652e636f6d"),
    ("on_behalf_of_role", "00"),
    ("span_id", "0100f067aa0ba902b7"),
];

/// The full event with all that schema 3 adds.
fn added_event() -> Event {
    full_event()
        .outcome(Outcome::Unknown)
        .target(Target::new("invoice", "2026-17").role("loners"))
        .target(Target::new("user", "bé"))
        .on_behalf_of(Actor::new("user", "cara").email("c@example.com"))
        .trace_id("4bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap())
        .span_id("00f067aa0ba902b7".parse().unwrap())
}

#[test]
fn the_bytes_of_an_event_of_schema_3_do_not_change() {
    let event = added_event();
    let (envelope, payload) = encode(&event);
    let mut expected: String = golden_envelope().into_iter().map(|(_, hex)| hex).collect();
    // The outcome stands behind what is there of the resource.
    expected = expected.replace("323032362d313702", "323032362d313704");
    assert_eq!(hex(&envelope), expected + &GOLDEN_ADDED.map(|(_, hex)| hex).concat());
    let expected = GOLDEN_PAYLOAD.map(|(_, hex)| hex).concat() + "00";
    assert_eq!(hex(&payload), expected + &GOLDEN_ADDED_PAYLOAD.map(|(_, hex)| hex).concat());
    assert_eq!(schema_of(&event), SCHEMA_ADDED);
    let read = decode_envelope_strict(SCHEMA_ADDED, &envelope).unwrap();
    let decoded = decode_payload_strict(SCHEMA_ADDED, &payload).unwrap();
    assert_eq!(to_event(&read, Some(&decoded)), event);
    assert_eq!(read.subject(), crate::query::Subject::of_event(&event, NOW));
    for len in 0..envelope.len() {
        assert!(decode_envelope(SCHEMA_ADDED, &envelope[..len]).is_err(), "{len}");
    }
    for len in 0..payload.len() {
        assert!(decode_payload(SCHEMA_ADDED, &payload[..len]).is_err(), "{len}");
    }
    // A reader of lower schemas does not take it for one of them.
    assert!(decode_envelope(SCHEMA, &envelope).is_err());
    assert!(decode_payload(SCHEMA, &payload).is_err());
    assert!(decode_payload(SCHEMA_REDACTED, &payload).is_err());
    let redacted = Event { redacted: redacted_event().redacted, ..event };
    let (_, payload) = encode(&redacted);
    let decoded = decode_payload_strict(SCHEMA_ADDED, &payload).unwrap();
    assert_eq!(to_event(&read, Some(&decoded)), redacted);
}

#[test]
fn only_what_needs_it_is_of_schema_3() {
    let trace = TraceId::from_bytes([1; 16]).unwrap();
    let span = SpanId::from_bytes([1; 8]).unwrap();
    for event in [
        full_event().target(Target::new("t", "i")),
        full_event().on_behalf_of(Actor::new("t", "i")),
        full_event().trace_id(trace),
        full_event().span_id(span),
        full_event().outcome(Outcome::Unknown),
        redacted_event().trace_id(trace),
    ] {
        assert_eq!(schema_of(&event), SCHEMA_ADDED);
    }
    assert_eq!(schema_of(&redacted_event()), SCHEMA_REDACTED);
    assert_eq!(schema_of(&full_event()), SCHEMA);
}

/// The added fields of an envelope of schema 3, behind the smallest one.
fn smallest_envelope_and(added: &[u8]) -> Vec<u8> {
    [&smallest_envelope_with("", &[]), added].concat()
}

#[test]
fn added_fields_out_of_range_are_refused() {
    let none = [0, 0, 0, 0];
    let read = |added: &[u8]| {
        let bytes = smallest_envelope_and(added);
        decode_envelope(SCHEMA_ADDED, &bytes).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(read(&none), Ok(()));
    let one = b"\x01\x01t\x01i\x00";
    assert_eq!(read(&[&one[..], &[1, 0, 0]].concat()), Ok(()));
    let target = b"\x01t\x01i\x00";
    let many = |count: u8| [&[count][..], &target.repeat(usize::from(count)), &[0, 0, 0]].concat();
    assert_eq!(read(&many(64)), Ok(()));
    for (added, named) in [
        (many(65), "at most 64 targets"),
        (b"\xfd\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(), "at most 64 targets"),
        ([&one[..], &[2, 0, 0]].concat(), "aliases of 1 targets"),
        (vec![0, 1, 0, 0], "aliases of 0 targets"),
        ([&[0, 0, 0, 1][..], &[0; 16]].concat(), "a trace id that is not all zeros"),
        (vec![0, 0, 2, 0], "expected"),
        (vec![0, 0, 0, 2], "expected"),
    ] {
        let refused = read(&added).unwrap_err();
        assert!(refused.contains(named), "{named}: {refused}");
    }
    // All 64 bits may be set.
    let all = [&many(64)[..many(64).len() - 3], &[253], &[0xff; 8], &[0, 0]].concat();
    assert_eq!(read(&all), Ok(()));
    let outcome = |code| [&smallest_envelope_with("outcome", &[code])[..], &none].concat();
    assert!(decode_envelope(SCHEMA_ADDED, &outcome(4)).is_ok());
    assert!(decode_envelope(SCHEMA_ADDED, &outcome(5)).is_err());
    let aliases = |bits| [&smallest_envelope_with("aliases", &[bits])[..], &none].concat();
    let read = aliases(15);
    assert!(decode_envelope(SCHEMA_ADDED, &read).unwrap().aliases.on_behalf_of_id());
    assert!(decode_envelope(SCHEMA_ADDED, &aliases(16)).is_err());
    let payload = |added: &[u8]| [&empty_payload_with(99, &[])[..], added].concat();
    assert!(decode_payload_strict(SCHEMA_ADDED, &payload(&[0, 0, 0, 0])).is_ok());
    assert!(decode_payload(SCHEMA_ADDED, &payload(&[2, 0, 0, 0])).is_err());
    let zeros = payload(&[&[0, 0, 0, 1][..], &[0; 8]].concat());
    let refused = decode_payload(SCHEMA_ADDED, &zeros).unwrap_err();
    assert!(refused.to_string().contains("a span id that is not all zeros"), "{refused}");
}

#[test]
fn aliases_stand_in_place_of_identifiers_and_their_bits_say_so() {
    let event = added_event();
    let aliases = [None, Some("alias:2".to_owned())];
    let pseudonyms = Pseudonyms {
        actor_id: Some("alias:0"),
        resource_id: None,
        on_behalf_of_id: Some("alias:1"),
        target_ids: &aliases,
    };
    let mut out = Vec::new();
    let lengths = encode_event_as(&event, pseudonyms, NOW, [9; 16], SALT, &mut out).unwrap();
    let read = decode_envelope_strict(SCHEMA_ADDED, &out[..lengths.envelope]).unwrap();
    assert_eq!((read.actor_id, read.on_behalf_of.value.unwrap().id), ("alias:0", "alias:1"));
    let ids: Vec<&str> = read.targets.value.as_slice().iter().map(|target| target.id).collect();
    assert_eq!(ids, ["2026-17", "alias:2"]);
    assert_eq!(read.target_aliases.value, 0b10);
    assert!(read.aliases.actor_id() && read.aliases.on_behalf_of_id());
    assert!(!read.aliases.resource_id() && !read.aliases.tenant());
}
