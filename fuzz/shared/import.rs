//! What holds for every importer: lines read = imported + rejected, nothing panics, every
//! event is one that a log takes, and every rejection gives a reason that is documented.

use std::io::Cursor;

use bulla::Json;
use bulla_cli::import::{self, Format, Import, Item, reason_of};

/// The law of a format of others.
pub fn law(format: &Format, bytes: &[u8]) {
    let objects_only = is_object(bytes);
    for reason in read(format, bytes) {
        let known = reason_of(&reason);
        assert!(known.is_some(), "not in the list of reasons: {reason}");
        if objects_only && !matches!(format, Format::Auditd) {
            assert!(known.is_some_and(|known| known.of_objects), "of a JSON object: {reason}");
        }
    }
}

/// Reads all of it; the reasons of what is rejected.
pub fn read(format: &Format, bytes: &[u8]) -> Vec<String> {
    let Ok(mut import) = import::read_from("fuzz", Cursor::new(bytes.to_vec()), format) else {
        return Vec::new();
    };
    let reasons = import.by_ref().map_while(Result::ok).filter_map(checked).collect();
    check_counts(&import);
    reasons
}

fn checked(item: Item) -> Option<String> {
    match item {
        Item::Event { event, line, lines, .. } => {
            assert!(line > 0 && lines > 0);
            event.validate().expect("an event that a log takes");
            None
        }
        Item::Rejected { line, lines, reason } => {
            assert!(line > 0 && lines > 0);
            assert!(!reason.is_empty() && !reason.contains(char::is_control), "{reason:?}");
            Some(reason)
        }
    }
}

fn check_counts(import: &Import) {
    let counts = import.counts();
    assert_eq!(counts.lines, counts.imported + counts.rejected);
    assert!(counts.events <= counts.imported);
}

/// Is it one JSON object (RFC 8259)?
fn is_object(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    text.trim_ascii_start().starts_with('{') && Json::parse(text).is_ok()
}
