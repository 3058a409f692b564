//! [`Event`]: its members.

use std::collections::BTreeMap;

use super::entity::{Actor, Resource};
use super::id::EventId;
use super::json_text::Json;
use super::outcome::Outcome;
use super::target::Target;
use super::trace::{SpanId, TraceId};
use crate::time::Timestamp;

/// Who did what to which resource, when, from where, with what result.
///
/// Only the actor, the action and the resource type are required. The fields are
/// public and plain; [`Event::new`] and the chained setters read better.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// Identifies the event for its caller; a UUIDv7 is made at append if absent.
    pub id: Option<EventId>,
    /// When it happened, by the caller's clock; the time of append if absent.
    /// May be out of order.
    pub occurred_at: Option<Timestamp>,
    /// The customer or realm on whose behalf it happened.
    pub tenant: Option<String>,
    /// Who did it.
    pub actor: Actor,
    /// For whom the actor did it, if not for itself: the user whom an administrator
    /// impersonates, who assumed a role, or for whom an agent acts.
    pub on_behalf_of: Option<Actor>,
    /// What was done, as `noun.verb`, e.g. `user.login`.
    pub action: String,
    /// To what it was done.
    pub resource: Resource,
    /// To what else it was done: up to [`TARGETS_MAX`](super::limits::TARGETS_MAX) further
    /// resources. A query for a resource finds them all.
    pub targets: Vec<Target>,
    /// With what result.
    pub outcome: Outcome,
    /// Why, in words.
    pub reason: Option<String>,
    /// Which service or channel it came through, e.g. `api`.
    pub source: Option<String>,
    /// Network address of the actor, or the name of a service that acted.
    pub ip: Option<String>,
    /// The actor's user agent.
    pub user_agent: Option<String>,
    /// The actor's session.
    pub session_id: Option<String>,
    /// The request that caused it; need not be unique.
    pub request_id: Option<String>,
    /// Groups several requests into one operation.
    pub correlation_id: Option<String>,
    /// The distributed trace that it belongs to (W3C Trace Context, `trace-id`).
    pub trace_id: Option<TraceId>,
    /// The operation within the trace (W3C Trace Context, `parent-id`).
    pub span_id: Option<SpanId>,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<u64>,
    /// Names of the fields that the action changed.
    pub changed_fields: Vec<String>,
    /// State before, as JSON.
    pub old_values: Option<Json>,
    /// State after, as JSON.
    pub new_values: Option<Json>,
    /// Labels.
    pub tags: BTreeMap<String, String>,
    /// Anything else, as JSON; kept byte for byte.
    pub details: Option<Json>,
    /// What was taken out of the event before a log took it, if anything was; set by
    /// [`Redactor::apply`](crate::redact::Redactor::apply).
    pub redacted: Option<Redacted>,
    /// Whose personal data the event holds, e.g. `user:alice`: with a
    /// [key store](crate::LogOptions) the payload is encrypted with that subject's key,
    /// and can be erased with it. Tells the log what to do and is not part of the
    /// record: read back, it is absent.
    pub subject: Option<String>,
}

/// What was taken out of an event before it was hashed or written: where, and by
/// which rules. Never what: no digest of it either, because who can guess a password
/// could check the guess.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Redacted {
    /// Name and version of the rules, e.g. `bulla/1`; up to
    /// [`REDACTED_RULES_LEN_MAX`](super::limits::REDACTED_RULES_LEN_MAX) bytes.
    pub rules: String,
    /// Where something was taken out, e.g. `details/users/0/password`: the field of the
    /// event, then names, and numbers from 0 in arrays. In a name `~` is written `~0`,
    /// `/` `~1`, a control character as in `\u{1b}`; a path that would be longer than
    /// [`REDACTED_PATH_LEN_MAX`](super::limits::REDACTED_PATH_LEN_MAX) bytes ends in `…`.
    pub paths: Vec<String>,
    /// In how many places besides; more than 0 only if there are
    /// [`REDACTED_PATHS_MAX`](super::limits::REDACTED_PATHS_MAX) paths.
    pub more: u64,
}
