//! Law: no text makes reading a mapping panic, and with any mapping that can be read it is as
//! `shared/import.rs` says. The input is a mapping, a line of `=`, and what is mapped.
#![no_main]

#[path = "../shared/import.rs"]
mod shared;

use bulla_cli::import::Mapping;
use libfuzzer_sys::fuzz_target;
use shared::Rules;

fuzz_target!(|bytes: &[u8]| {
    let Some(at) = bytes.windows(3).position(|part| part == b"\n=\n") else { return };
    let Ok(text) = std::str::from_utf8(&bytes[..at]) else { return };
    // A tag of the importer's own, which the law looks at.
    if text.contains("mended") {
        return;
    }
    if let Ok(mapping) = Mapping::parse(text) {
        shared::json(&Rules::of_mapping(text, mapping), &bytes[at + 3..]);
    }
});
