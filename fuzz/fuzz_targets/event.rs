//! Law: an event that is read from JSON is valid or refused by name, and comes back the
//! same through JSON and through the bodies on disk.
#![no_main]

use bulla::internals::format::body;
use bulla::{Event, Timestamp};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(event) = Event::from_json(text) else { return };
    assert_eq!(Event::from_json(&event.to_json()).unwrap().to_json(), event.to_json());
    let now = Timestamp::from_nanos(0);
    let mut bytes = Vec::new();
    let Ok(lengths) = body::encode_event(&event, now, [1; 16], [2; 16], &mut bytes) else { return };
    let (envelope, rest) = bytes.split_at(lengths.envelope);
    let envelope = body::decode_envelope_strict(body::schema_of(&event), envelope).unwrap();
    let payload = body::decode_payload_strict(body::schema_of(&event), &rest[16..]).unwrap();
    let read = body::to_event(&envelope, Some(&payload));
    assert_eq!((read.actor, read.details), (event.actor, event.details));
    assert_eq!(read.redacted, event.redacted);
});
