//! The bodies of records: envelope, payload and anchor, as bincode 2 writes them
//! in its standard configuration.
//!
//! This module and its parts are the only ones that name `bincode`.
//! `docs/format.md` spells the bytes out, so the format does not need that crate.
//! Each body is a struct whose fields stand in the order of the bytes; encoder and
//! decoder are derived from it.
//!
//! Decoding allocates no more than the bytes at hand deserve, and checks all that
//! the types promise. Only the strict functions also refuse integers written
//! longer than necessary, so that one body has one spelling.

mod anchor;
mod convert;
mod error;
mod fields;
mod wire;

use bincode::{BorrowDecode, Encode};

use crate::event::limits::{self, Problem};
use crate::event::{Event, EventId, InvalidEvent, Outcome};
use crate::time::Timestamp;

pub use anchor::{ANCHOR_LEN_MAX, decode_anchor, decode_anchor_strict, encode_anchor};
pub use convert::to_event;
pub use error::{Body, BodyError};
pub use fields::{Aliases, JsonText, Names, Tags};

/// Longest envelope: what a C2SP entry (65,535 bytes) leaves beside the head
/// (40 bytes) and two digests (64 bytes).
pub const ENVELOPE_LEN_MAX: usize = 65_535 - 40 - 64;

/// Longest payload, without its salt.
pub const PAYLOAD_LEN_MAX: usize = 4 << 20;

/// Length of the salt between envelope and payload.
pub const SALT_LEN: usize = 16;

/// What is indexed, and what identifies the event; stays readable when the payload
/// is withheld or erased. The fields are those of [`Event`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Envelope<'a> {
    /// Identifies the event.
    pub id: EventId,
    /// When it happened, by the caller's clock.
    pub occurred_at: Timestamp,
    /// On whose behalf.
    pub tenant: Option<&'a str>,
    /// `actor.type`.
    pub actor_type: &'a str,
    /// `actor.id`.
    pub actor_id: &'a str,
    /// What was done.
    pub action: &'a str,
    /// `resource.type`.
    pub resource_type: &'a str,
    /// `resource.id`.
    pub resource_id: Option<&'a str>,
    /// With what result.
    pub outcome: Outcome,
    /// The request that caused it.
    pub request_id: Option<&'a str>,
    /// Groups several requests.
    pub correlation_id: Option<&'a str>,
    /// Which identifiers are aliases.
    pub aliases: Aliases,
}

/// The rest of an event: what may be withheld or erased. The fields are those of
/// [`Event`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Payload<'a> {
    /// `actor.email`.
    pub email: Option<&'a str>,
    /// `actor.role`.
    pub role: Option<&'a str>,
    /// Why, in words.
    pub reason: Option<&'a str>,
    /// Through which service or channel.
    pub source: Option<&'a str>,
    /// Network address.
    pub ip: Option<&'a str>,
    /// The actor's user agent.
    pub user_agent: Option<&'a str>,
    /// The actor's session.
    pub session_id: Option<&'a str>,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<u64>,
    /// Names of the fields changed.
    pub changed_fields: Names<'a>,
    /// State before.
    pub old_values: Option<JsonText<'a>>,
    /// State after.
    pub new_values: Option<JsonText<'a>>,
    /// Labels, by ascending key.
    pub tags: Tags<'a>,
    /// Anything else.
    pub details: Option<JsonText<'a>>,
}

/// Lengths in bytes of the two bodies of an event; [`SALT_LEN`] bytes of salt
/// stand between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lengths {
    /// Of the envelope; at most [`ENVELOPE_LEN_MAX`].
    pub envelope: usize,
    /// Of the payload; at most [`PAYLOAD_LEN_MAX`].
    pub payload: usize,
}

/// Checks the event and appends envelope ‖ salt ‖ payload to `out`. An event
/// without a time gets `now`; one without an id gets a UUIDv7 of `now` and the
/// random bytes.
///
/// # Errors
/// The event breaks a limit; `out` is then as before.
pub fn encode_event(
    event: &Event,
    now: Timestamp,
    fallback_id_random: [u8; 16],
    salt: [u8; SALT_LEN],
    out: &mut Vec<u8>,
) -> Result<Lengths, InvalidEvent> {
    event.validate()?;
    let id = event.id.unwrap_or_else(|| EventId::v7(now, fallback_id_random));
    let envelope = Envelope::of(event, id, event.occurred_at.unwrap_or(now));
    let start = out.len();
    let appended = append_parts(&envelope, &Payload::of(event), salt, out);
    if appended.is_err() {
        out.truncate(start);
    }
    appended
}

fn append_parts(
    envelope: &Envelope<'_>,
    payload: &Payload<'_>,
    salt: [u8; SALT_LEN],
    out: &mut Vec<u8>,
) -> Result<Lengths, InvalidEvent> {
    // A valid event is never too long (asserted below); the bounds are a second net.
    let too_long = |field, error| match error {
        BodyError::TooLong { max, found, .. } => {
            InvalidEvent { field, problem: Problem::TooLong { max, found } }
        }
        _ => InvalidEvent { field, problem: Problem::TooLong { max: 0, found: 0 } },
    };
    let envelope = wire::append(Body::Envelope, ENVELOPE_LEN_MAX, envelope, out)
        .map_err(|error| too_long("envelope", error))?;
    out.extend_from_slice(&salt);
    let payload = wire::append(Body::Payload, PAYLOAD_LEN_MAX, payload, out)
        .map_err(|error| too_long("payload", error))?;
    Ok(Lengths { envelope, payload })
}

/// Reads an envelope: all of `bytes`.
///
/// # Errors
/// The bytes are not an envelope, or more than one.
pub fn decode_envelope(bytes: &[u8]) -> Result<Envelope<'_>, BodyError> {
    wire::decode(Body::Envelope, ENVELOPE_LEN_MAX, bytes)
}

/// Reads an envelope and refuses integers written longer than necessary.
///
/// # Errors
/// The bytes are not the one spelling of an envelope.
pub fn decode_envelope_strict(bytes: &[u8]) -> Result<Envelope<'_>, BodyError> {
    wire::strict(Body::Envelope, bytes, decode_envelope(bytes)?)
}

/// Reads a payload: all of `bytes` (the salt is not part of it).
///
/// # Errors
/// The bytes are not a payload, or more than one.
pub fn decode_payload(bytes: &[u8]) -> Result<Payload<'_>, BodyError> {
    wire::decode(Body::Payload, PAYLOAD_LEN_MAX, bytes)
}

/// Reads a payload and refuses integers written longer than necessary.
///
/// # Errors
/// The bytes are not the one spelling of a payload.
pub fn decode_payload_strict(bytes: &[u8]) -> Result<Payload<'_>, BodyError> {
    wire::strict(Body::Payload, bytes, decode_payload(bytes)?)
}

/// Bytes that a text up to this long takes: its length (1, 3 or 5 bytes), then it.
const fn text_len_max(len: usize) -> usize {
    len + match len {
        0..=250 => 1,
        251..=65_535 => 3,
        _ => 5,
    }
}

/// Longest envelope of a valid event.
const ENVELOPE_LEN_WORST: usize = 16 // id
    + 9 // occurred_at
    + 4 * text_len_max(limits::NAME_LEN_MAX) // tenant, actor.type, action, resource.type
    + 2 * text_len_max(limits::ID_LEN_MAX) // actor.id, resource.id
    + 2 * text_len_max(limits::LABEL_LEN_MAX) // request_id, correlation_id
    + 4 // marks of the optional fields
    + 2; // outcome, aliases

/// Most bytes of a payload that are not text.
const PAYLOAD_OVERHEAD_MAX: usize = 10 * (1 + 5) // optional texts
    + (1 + 9) // duration_ms
    + 3 + 3 * limits::CHANGED_FIELDS_MAX
    + 3 + 2 * 3 * limits::TAGS_MAX;

const _: () = assert!(ENVELOPE_LEN_WORST <= ENVELOPE_LEN_MAX);
const _: () = assert!(limits::PAYLOAD_TEXT_LEN_MAX + PAYLOAD_OVERHEAD_MAX <= PAYLOAD_LEN_MAX);

#[cfg(test)]
mod tests;
