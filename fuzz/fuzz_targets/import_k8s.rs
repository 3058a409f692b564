//! Law: as `shared/import.rs` says.
#![no_main]

#[path = "../shared/import.rs"]
mod shared;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use shared::Rules;

static RULES: LazyLock<Rules> = LazyLock::new(Rules::k8s);

fuzz_target!(|bytes: &[u8]| {
    shared::json(&RULES, bytes);
});
