//! Law: lines read = imported + rejected, nothing panics, every event is valid; what is
//! imported and shown again is imported as the same event.
#![no_main]

#[path = "../shared/import.rs"]
#[allow(dead_code)] // our own format is strict, and its reasons are the parser's
mod shared;

use bulla::Event;
use bulla_cli::import::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    shared::read(&Format::Jsonl, bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(event) = Event::from_json(text)
        && event.subject.is_none()
    {
        let (again, payload) = Event::from_record_json(&event.to_json()).expect("our own JSON");
        assert_eq!((again.validate(), payload), (event.validate(), None));
    }
});
