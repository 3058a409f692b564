//! Writing events and records as JSON.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde::ser::{Serialize, Serializer};

use crate::event::{Actor, Event, EventId, Json, Outcome, Record, Redacted, Resource};
use crate::hash::Hash;
use crate::time::Timestamp;

/// An event or a record; the order of the fields is the order in the text.
#[derive(serde::Serialize)]
struct Shape<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded_at: Option<AsText<Timestamp>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    leaf_hash: Option<AsText<Hash>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<AsText<EventId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    occurred_at: Option<AsText<Timestamp>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a str>,
    actor: ActorShape<'a>,
    action: &'a str,
    resource: ResourceShape<'a>,
    outcome: AsText<Outcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    changed_fields: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    old_values: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new_values: Option<&'a Json>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redacted: Option<RedactedShape<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'static str>,
}

#[derive(serde::Serialize)]
struct RedactedShape<'a> {
    rules: &'a str,
    paths: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<u64>,
}

#[derive(serde::Serialize)]
struct ActorShape<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
}

#[derive(serde::Serialize)]
struct ResourceShape<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
}

/// Written as its text form.
struct AsText<T>(T);

impl<T: Display> Serialize for AsText<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'a> From<&'a Event> for Shape<'a> {
    fn from(event: &'a Event) -> Self {
        Shape {
            seq: None,
            recorded_at: None,
            leaf_hash: None,
            id: event.id.map(AsText),
            occurred_at: event.occurred_at.map(AsText),
            tenant: event.tenant.as_deref(),
            actor: ActorShape::from(&event.actor),
            action: &event.action,
            resource: ResourceShape::from(&event.resource),
            outcome: AsText(event.outcome),
            reason: event.reason.as_deref(),
            source: event.source.as_deref(),
            ip: event.ip.as_deref(),
            user_agent: event.user_agent.as_deref(),
            session_id: event.session_id.as_deref(),
            request_id: event.request_id.as_deref(),
            correlation_id: event.correlation_id.as_deref(),
            duration_ms: event.duration_ms,
            changed_fields: &event.changed_fields,
            old_values: event.old_values.as_ref(),
            new_values: event.new_values.as_ref(),
            tags: &event.tags,
            details: event.details.as_ref(),
            redacted: event.redacted.as_ref().map(RedactedShape::from),
            payload: None,
        }
    }
}

impl<'a> From<&'a Actor> for ActorShape<'a> {
    fn from(actor: &'a Actor) -> Self {
        let Actor { kind, id, email, role } = actor;
        ActorShape { kind, id, email: email.as_deref(), role: role.as_deref() }
    }
}

impl<'a> From<&'a Redacted> for RedactedShape<'a> {
    fn from(redacted: &'a Redacted) -> Self {
        let Redacted { rules, paths, more } = redacted;
        RedactedShape { rules, paths, more: Some(*more).filter(|more| *more > 0) }
    }
}

impl<'a> From<&'a Resource> for ResourceShape<'a> {
    fn from(resource: &'a Resource) -> Self {
        ResourceShape { kind: &resource.kind, id: resource.id.as_deref() }
    }
}

/// The JSON shape; only with `serde_json`'s serializers, because of the JSON values
/// that are kept as text.
impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Shape::from(self).serialize(serializer)
    }
}

/// The JSON shape; only with `serde_json`'s serializers, because of the JSON values
/// that are kept as text.
impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let shape = Shape {
            seq: Some(self.seq.get()),
            recorded_at: Some(AsText(self.recorded_at)),
            leaf_hash: Some(AsText(self.leaf_hash)),
            payload: self.payload.absence(),
            ..Shape::from(&self.event)
        };
        shape.serialize(serializer)
    }
}

/// Raw line breaks can only stand between tokens (in strings they are escaped), so
/// spaces in their place leave the value the same.
pub(super) fn one_line(value: &impl Serialize) -> String {
    // Cannot fail: all keys are text and every `Json` was checked when it was made.
    let text = serde_json::to_string(value);
    debug_assert!(text.is_ok(), "{text:?}");
    let text = text.unwrap_or_default();
    if text.contains(['\n', '\r']) { text.replace(['\n', '\r'], " ") } else { text }
}
