//! Law: as `shared/import.rs` says.
#![no_main]

#[path = "../shared/import.rs"]
mod shared;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    shared::auditd(bytes);
});
