//! Encoding and decoding the bodies of events.

use super::error::{Body, BodyError};
use super::fields::Schema;
use super::parts::{Envelope, Payload, Pseudonyms};
use super::schema::{ENVELOPE_LEN_MAX, PAYLOAD_LEN_MAX, SALT_LEN};
use super::wire;
use crate::event::fields::{Part, fields_of, text_len_max};
use crate::event::limits::{self, Problem, TextLengths};
use crate::event::{Event, EventId, InvalidEvent};
use crate::time::Timestamp;

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
    check_target_aliases(&envelope, bytes.len())?;
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

/// There is no alias of a target that is not there.
fn check_target_aliases(envelope: &Envelope<'_>, offset: usize) -> Result<(), BodyError> {
    let (bits, targets) = (envelope.target_aliases.value, envelope.targets.value.0.len());
    let beyond = u32::try_from(targets).ok().and_then(|targets| bits.checked_shr(targets));
    if beyond.unwrap_or(0) == 0 {
        return Ok(());
    }
    let expected = format!("aliases of {targets} targets, a bit for each");
    Err(BodyError::Unexpected {
        body: Body::Envelope,
        offset,
        expected,
        found: format!("{bits:#b}"),
    })
}
