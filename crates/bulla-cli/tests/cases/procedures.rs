//! Commands run one after the other: outputs, arguments, resuming.

mod again;
mod appending;
mod arguments;
mod exporting;
mod following;
mod importing;
mod manual;
mod mistaken;
mod outputs;
mod printing;
mod secrets;
mod showing;
mod statuses;

use std::fs;
use std::path::Path;

use crate::running::{at, fine};

/// An event as this tool's own JSON.
const EVENT: &str = r#"{"actor":{"type":"user","id":"a"},"action":"a.b","resource":{"type":"r"}}"#;

/// A file of so many events, each with a request id of its own: `r1`, `r2`, …
pub(crate) fn events_file(dir: &Path, name: &str, count: u64) -> String {
    let line =
        |number: u64| format!("{},\"request_id\":\"r{number}\"}}\n", &EVENT[..EVENT.len() - 1]);
    let path = at(dir, name);
    fs::write(&path, (1..=count).map(line).collect::<String>()).unwrap();
    path
}

/// A file of `inputs/`.
fn input(name: &str) -> String {
    at(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/inputs"), name)
}

/// How many records of events a log shows.
fn count(log: &str) -> u64 {
    fine(&["query", log, "--count"]).trim().parse().unwrap()
}
