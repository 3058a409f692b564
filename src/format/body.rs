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

mod added;
mod anchor;
mod convert;
mod error;
mod fields;
mod wire;

use bincode::{BorrowDecode, Encode};

use crate::event::fields::{Part, fields_of, text_len_max};
use crate::event::limits::{self, Problem, TextLengths};
use crate::event::{ActorRef, Event, EventId, InvalidEvent, Outcome, SpanId, TraceId};
use crate::time::Timestamp;

pub use added::{Since3, TargetList};
pub use anchor::{ANCHOR_LEN_MAX, decode_anchor, decode_anchor_strict, encode_anchor};
pub use convert::to_event;
pub use error::{Body, BodyError};
pub use fields::{Aliases, JsonText, Names, Redaction, Tags};

use fields::Schema;

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

/// What is indexed, and what identifies the event; stays readable when the payload
/// is withheld or erased. The fields are those of [`Event`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
#[bincode(decode_context = "Schema")]
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
    /// To what else it was done.
    pub targets: Since3<TargetList<'a>>,
    /// Whose ids of them are aliases: bit n is of the nth target, from 0.
    pub target_aliases: Since3<u64>,
    /// `on_behalf_of.type` and `on_behalf_of.id`.
    pub on_behalf_of: Since3<Option<ActorRef<'a>>>,
    /// The distributed trace.
    pub trace_id: Since3<Option<TraceId>>,
}

/// The rest of an event: what may be withheld or erased. The fields are those of
/// [`Event`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, BorrowDecode)]
#[bincode(decode_context = "Schema")]
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
    /// What was redacted: never there in schema 1, always in schema 2.
    pub redacted: Redaction<'a>,
    /// `on_behalf_of.email`.
    pub on_behalf_of_email: Since3<Option<&'a str>>,
    /// `on_behalf_of.role`.
    pub on_behalf_of_role: Since3<Option<&'a str>>,
    /// The operation within the trace.
    pub span_id: Since3<Option<SpanId>>,
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
    encode_event_as(event, Pseudonyms::default(), now, fallback_id_random, salt, out)
}

/// What stands in an envelope in place of identifiers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pseudonyms<'a> {
    /// In place of `actor.id`.
    pub actor_id: Option<&'a str>,
    /// In place of `resource.id`, if there is one.
    pub resource_id: Option<&'a str>,
    /// In place of `on_behalf_of.id`, if there is one.
    pub on_behalf_of_id: Option<&'a str>,
    /// In place of the ids of the targets, in their order.
    pub target_ids: &'a [Option<String>],
}

/// As [`encode_event`], with aliases in place of identifiers.
///
/// # Errors
/// As [`encode_event`].
pub fn encode_event_as(
    event: &Event,
    pseudonyms: Pseudonyms<'_>,
    now: Timestamp,
    fallback_id_random: [u8; 16],
    salt: [u8; SALT_LEN],
    out: &mut Vec<u8>,
) -> Result<Lengths, InvalidEvent> {
    let texts = event.checked()?;
    let id = event.id.unwrap_or_else(|| EventId::v7(now, fallback_id_random));
    let envelope = Envelope::of(event, id, event.occurred_at.unwrap_or(now)).under(pseudonyms);
    let start = out.len();
    let appended = append_parts(&envelope, &Payload::of(event), Rooms::of(&texts), salt, out);
    if appended.is_err() {
        out.truncate(start);
    }
    appended
}

/// At least the lengths of the bodies of an event.
struct Rooms {
    envelope: usize,
    payload: usize,
}

impl Rooms {
    fn of(texts: &TextLengths) -> Self {
        let entries = texts.entries * ENTRY_OVERHEAD_MAX;
        // Each identifier may give way to an alias, which may be longer.
        let aliases = (3 + texts.targets) * ALIAS_LEN;
        let envelope = ENVELOPE_OVERHEAD_MAX + texts.envelope + entries + aliases;
        let payload = PAYLOAD_OVERHEAD_MAX + texts.payload + entries;
        Rooms { envelope: envelope.min(ENVELOPE_LEN_MAX), payload: payload.min(PAYLOAD_LEN_MAX) }
    }
}

fn append_parts(
    envelope: &Envelope<'_>,
    payload: &Payload<'_>,
    rooms: Rooms,
    salt: [u8; SALT_LEN],
    out: &mut Vec<u8>,
) -> Result<Lengths, InvalidEvent> {
    // The room is enough for every valid event (asserted below and tested); should
    // it not be, the event is refused rather than cut.
    let too_long =
        |field, max| InvalidEvent { field, problem: Problem::TooLong { max, found: max } };
    let envelope_len = wire::append(Body::Envelope, rooms.envelope, envelope, out)
        .map_err(|_| too_long("envelope", rooms.envelope))?;
    out.extend_from_slice(&salt);
    let payload_len = wire::append(Body::Payload, rooms.payload, payload, out)
        .map_err(|_| too_long("payload", rooms.payload))?;
    Ok(Lengths { envelope: envelope_len, payload: payload_len })
}

/// Reads an envelope of a record of this schema: all of `bytes`.
///
/// # Errors
/// The bytes are not an envelope, or more than one.
pub fn decode_envelope(schema: u8, bytes: &[u8]) -> Result<Envelope<'_>, BodyError> {
    let envelope: Envelope<'_> =
        wire::decode(Body::Envelope, ENVELOPE_LEN_MAX, bytes, Schema(schema))?;
    added::check_target_aliases(&envelope, bytes.len())?;
    Ok(envelope)
}

/// The event id that an envelope begins with; nothing else of it is looked at.
pub fn id_of(envelope: &[u8]) -> Option<EventId> {
    envelope.first_chunk().map(|id| EventId(*id))
}

/// Reads an envelope and refuses integers written longer than necessary.
///
/// # Errors
/// The bytes are not the one spelling of an envelope.
pub fn decode_envelope_strict(schema: u8, bytes: &[u8]) -> Result<Envelope<'_>, BodyError> {
    wire::strict(Body::Envelope, bytes, decode_envelope(schema, bytes)?)
}

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

/// Reads a payload of a record of this schema: all of `bytes` (the salt is not part of
/// it).
///
/// # Errors
/// The bytes are not a payload, or more than one.
pub fn decode_payload(schema: u8, bytes: &[u8]) -> Result<Payload<'_>, BodyError> {
    wire::decode(Body::Payload, PAYLOAD_LEN_MAX, bytes, Schema(schema))
}

/// Reads a payload and refuses integers written longer than necessary.
///
/// # Errors
/// The bytes are not the one spelling of a payload.
pub fn decode_payload_strict(schema: u8, bytes: &[u8]) -> Result<Payload<'_>, BodyError> {
    wire::strict(Body::Payload, bytes, decode_payload(schema, bytes)?)
}

/// Most bytes of a field beside its text: the mark of an optional one and an integer.
const FIELD_OVERHEAD_MAX: usize = 1 + 9;

/// Most bytes of an envelope that are not text: event id and trace id, a mark of the log's own,
/// and what each field needs.
const ENVELOPE_OVERHEAD_MAX: usize =
    2 * 16 + 2 * 9 + fields_of(Part::Envelope) * FIELD_OVERHEAD_MAX;

/// Most bytes of a payload, without its list entries, that are not text: what was redacted has
/// three parts.
const PAYLOAD_OVERHEAD_MAX: usize = 2 * 9 + fields_of(Part::Payload) * FIELD_OVERHEAD_MAX;

/// Most bytes of a text in a list beside the text itself, the mark of an optional one included:
/// no such text has more than 65,535 bytes.
const ENTRY_OVERHEAD_MAX: usize = 1 + 3;

/// Length of an alias: see `docs/format.md`, “Encrypted payload”.
const ALIAS_LEN: usize = "alias:".len() + 40;

// Whatever `Event::validate` lets through fits.
const _: () = assert!(
    ENVELOPE_OVERHEAD_MAX
        + text_len_max(Part::Envelope)
        + ENTRY_OVERHEAD_MAX * 3 * limits::TARGETS_MAX
        + ALIAS_LEN * (3 + limits::TARGETS_MAX)
        <= ENVELOPE_LEN_MAX
);
const _: () = assert!(
    limits::PAYLOAD_TEXT_LEN_MAX + PAYLOAD_OVERHEAD_MAX + ENTRY_OVERHEAD_MAX * limits::ENTRIES_MAX
        <= PAYLOAD_LEN_MAX
);

#[cfg(test)]
mod tests;
