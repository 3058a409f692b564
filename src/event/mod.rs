//! Events (what a caller gives) and records (what the log has sealed).
//!
//! The JSON shape of both is in [`json`], the limits in [`limits`].

mod builder;
mod id;
pub mod json;
pub mod limits;
mod outcome;
mod record;

use std::collections::BTreeMap;

use crate::time::Timestamp;

pub use id::ParseEventIdError;
pub use json::Json;
pub use limits::InvalidEvent;
pub use outcome::ParseOutcomeError;
pub use record::{Anchor, PayloadState, Record, RecordKind};

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
    /// What was done, as `noun.verb`, e.g. `user.login`.
    pub action: String,
    /// To what it was done.
    pub resource: Resource,
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
    /// [`REDACTED_RULES_LEN_MAX`](limits::REDACTED_RULES_LEN_MAX) bytes.
    pub rules: String,
    /// Where something was taken out, e.g. `details/users/0/password`: the field of the
    /// event, then names, and numbers from 0 in arrays. In a name `~` is written `~0`,
    /// `/` `~1`, a control character as in `\u{1b}`; a path that would be longer than
    /// [`REDACTED_PATH_LEN_MAX`](limits::REDACTED_PATH_LEN_MAX) bytes ends in `…`.
    pub paths: Vec<String>,
    /// In how many places besides; more than 0 only if there are
    /// [`REDACTED_PATHS_MAX`](limits::REDACTED_PATHS_MAX) paths.
    pub more: u64,
}

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Actor {
    /// The kind of actor, e.g. `user`, `service`, `role` (`type` in JSON).
    pub kind: String,
    /// Identifies the actor within its kind.
    pub id: String,
    /// E-mail address.
    pub email: Option<String>,
    /// The role in which it acted.
    pub role: Option<String>,
}

/// To what it was done.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Resource {
    /// The kind of resource, e.g. `invoice` (`type` in JSON).
    pub kind: String,
    /// Identifies the resource within its kind, if it is a single one.
    pub id: Option<String>,
}

/// With what result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Outcome {
    /// It was done.
    #[default]
    Success,
    /// It was tried and went wrong.
    Failure,
    /// It was not allowed.
    Denied,
    /// Some of it was done.
    Partial,
}

/// A 128-bit event identifier, written as a UUID.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(pub [u8; 16]);
