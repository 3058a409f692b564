//! Law: with a mapping that comes with the tool as with any other, lines read = imported +
//! rejected, nothing panics, every event is valid, and a JSON object is rejected only for a
//! reason that docs/importers.md lists. No text makes reading a mapping panic.
#![no_main]

#[path = "../shared/import.rs"]
mod shared;

use std::sync::Arc;

use bulla_cli::import::{Format, Mapping};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let [choice, bytes @ ..] = bytes else { return };
    let names: Vec<_> = Mapping::names().collect();
    match names.get(usize::from(*choice)) {
        Some(name) => {
            let mapping = Mapping::open(name).expect("it comes with the tool");
            shared::law(&Format::Json(Arc::new(mapping)), bytes);
        }
        // A mapping, a line of `=`, and what is mapped.
        None => {
            let Some(at) = bytes.windows(3).position(|part| part == b"\n=\n") else { return };
            let Ok(text) = std::str::from_utf8(&bytes[..at]) else { return };
            if let Ok(mapping) = Mapping::parse(text) {
                shared::law(&Format::Json(Arc::new(mapping)), &bytes[at + 3..]);
            }
        }
    }
});
