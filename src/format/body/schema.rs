//! Which schema the bodies of a record have, and how long they may be.

use crate::event::{Event, Outcome};

/// Longest envelope: what a C2SP entry (65,535 bytes) leaves beside the head
/// (40 bytes) and two digests (64 bytes).
pub const ENVELOPE_LEN_MAX: usize = 65_535 - 40 - 64;

/// Longest payload, without its salt.
pub const PAYLOAD_LEN_MAX: usize = 4 << 20;

/// The schema of the bodies of most records.
pub const SCHEMA: u8 = 1;

/// The schema of an event of which something was redacted, and that has nothing of
/// [`SCHEMA_ADDED`].
pub const SCHEMA_REDACTED: u8 = 2;

/// The schema of an event that has targets, an actor on whose behalf it was done, the identifier
/// of a trace or a span, or the outcome *unknown*.
pub const SCHEMA_ADDED: u8 = 3;

/// Length of the salt between envelope and payload.
pub const SALT_LEN: usize = 16;

/// The schema of the record of this event: the lowest that has all of its fields.
pub fn schema_of(event: &Event) -> u8 {
    let has_added = !event.targets.is_empty()
        || event.on_behalf_of.is_some()
        || event.trace_id.is_some()
        || event.span_id.is_some()
        || event.outcome == Outcome::Unknown;
    if has_added {
        SCHEMA_ADDED
    } else if event.redacted.is_some() {
        SCHEMA_REDACTED
    } else {
        SCHEMA
    }
}
