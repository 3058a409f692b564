//! Law: as `shared/import.rs` says.
#![no_main]

#[path = "../shared/import.rs"]
mod shared;

use std::sync::LazyLock;

use bulla_cli::import::Format;
use libfuzzer_sys::fuzz_target;

static FORMAT: LazyLock<Format> = LazyLock::new(|| shared::shipped("gworkspace"));

fuzz_target!(|bytes: &[u8]| {
    shared::json(&FORMAT, &["items"], bytes);
});
