//! Law: as `shared/import.rs` says; what the library reads as an event is imported as this
//! event, and nothing else is.
#![no_main]

#[path = "../shared/import.rs"]
mod shared;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    shared::jsonl(bytes);
});
