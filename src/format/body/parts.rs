//! The two bodies of an event.

use bincode::{BorrowDecode, Encode};

use super::added::{Since3, TargetList};
use super::fields::{Aliases, JsonText, Names, Redaction, Schema, Tags};
use crate::event::{ActorRef, EventId, Outcome, SpanId, TraceId};
use crate::time::Timestamp;

/// What is indexed, and what identifies the event; stays readable when the payload
/// is withheld or erased. The fields are those of [`Event`](crate::event::Event).
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
/// [`Event`](crate::event::Event).
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
