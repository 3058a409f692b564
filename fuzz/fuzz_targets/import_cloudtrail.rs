//! Law: as `shared/import.rs` says.
#![no_main]

#[path = "../shared/import.rs"]
mod shared;

use bulla_cli::import::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    shared::json(&Format::CloudTrail, &["Records", "Events", "logEvents"], bytes);
});
