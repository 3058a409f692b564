//! Law: lines read = imported + rejected, nothing panics, every event is valid, and a JSON
//! object is rejected only for a reason that docs/importers.md lists.
#![no_main]

#[path = "../shared/import.rs"]
mod shared;

use bulla_cli::import::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    shared::law(&Format::CloudTrail, bytes);
});
