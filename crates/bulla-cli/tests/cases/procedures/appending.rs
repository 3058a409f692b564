//! Events on standard input.

use std::io::Write;
use std::process::{Output, Stdio};

use super::{EVENT, count};
use crate::running::{bulla, fine, jsonl, new_log};

/// What `bulla append --stdin` says of this input.
fn append(log: &str, input: &str) -> Output {
    let mut child = bulla(&["append", log, "--stdin", "--output", "jsonl"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_byte_order_mark_is_skipped_wherever_a_line_begins() {
    // First, where a file was joined to another, alone on a line, and before a line ended as
    // on Windows.
    let input =
        format!("\u{feff}{EVENT}\n{EVENT}\n\u{feff}{EVENT}\n\u{feff}\n\n\u{feff}{EVENT}\r\n");
    let (_dir, log) = new_log();
    let done = append(&log, &input);
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    let acknowledged = jsonl(&String::from_utf8(done.stdout).unwrap());
    assert_eq!((acknowledged.len(), count(&log)), (4, 4));
}

#[test]
fn only_one_mark_in_front_is_skipped_and_none_in_a_value() {
    let (_dir, log) = new_log();
    let named = EVENT.replace("\"id\":\"a\"", "\"id\":\"\u{feff}a\"");
    let done = append(&log, &format!("\u{feff}\u{feff}{EVENT}\n\u{feff}{named}\n"));
    let told = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(1), "{told}");
    assert!(told.contains("line 1") && !told.contains("line 2"), "{told}");
    assert_eq!(count(&log), 1, "the line behind the one that is refused");
    let shown = jsonl(&fine(&["query", &log, "--output", "jsonl"]));
    assert_eq!(shown[0]["actor"]["id"], "\u{feff}a");
}
