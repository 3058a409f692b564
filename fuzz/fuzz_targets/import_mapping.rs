//! Law: no text makes reading a mapping panic, and with any mapping that can be read it is as
//! `shared/import.rs` says. The input is a mapping, a line of `=`, and what is mapped.
#![no_main]

#[path = "../shared/import.rs"]
mod shared;

use std::sync::Arc;

use bulla_cli::import::{Format, Mapping};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some(at) = bytes.windows(3).position(|part| part == b"\n=\n") else { return };
    let Ok(text) = std::str::from_utf8(&bytes[..at]) else { return };
    // A tag of the importer's own, which the law looks at.
    if text.contains("mended") {
        return;
    }
    if let Ok(mapping) = Mapping::parse(text) {
        let lists = lists(text);
        let lists: Vec<&str> = lists.iter().map(String::as_str).collect();
        shared::json(&Format::Json(Arc::new(mapping)), &lists, &bytes[at + 3..]);
    }
});

/// The names under `lists`.
fn lists(mapping: &str) -> Vec<String> {
    let text = mapping.strip_prefix('\u{feff}').unwrap_or(mapping);
    let value: serde_json::Value = serde_json::from_str(text).expect("it was read");
    let names = value["lists"].as_array().into_iter().flatten();
    names.filter_map(|name| name.as_str()).map(str::to_owned).collect()
}
