//! Reading events from JSON, strictly, with errors that name the field.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Display;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use crate::event::{Actor, Event, EventId, Json, Outcome, Redacted, Resource};
use crate::hash::Hash;
use crate::time::Timestamp;

/// The JSON shape, read strictly; only with `serde_json`'s deserializers, because
/// of the JSON values that are kept as text.
impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_object::<EventFields, D>(deserializer)?.finish()
    }
}

/// An object whose fields are known by name.
trait Fields: Default {
    /// What the object is, for messages.
    const WHAT: &'static str;

    /// Reads the value of the field `name`; an unknown name is an error.
    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error>;
}

fn read_object<'de, F: Fields, D: Deserializer<'de>>(deserializer: D) -> Result<F, D::Error> {
    struct Object<F>(PhantomData<F>);

    impl<'de, F: Fields> Visitor<'de> for Object<F> {
        type Value = F;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{} as a JSON object", F::WHAT)
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<F, A::Error> {
            let mut fields = F::default();
            while let Some(name) = map.next_key::<Cow<'_, str>>()? {
                fields.read(&name, &mut map)?;
            }
            Ok(fields)
        }
    }

    deserializer.deserialize_map(Object(PhantomData))
}

/// A field: `None` until it has been read once.
type Slot<T> = Option<T>;

/// Reads one field into its slot; all errors name it.
fn fill<'de, A: MapAccess<'de>, T: Deserialize<'de>>(
    slot: &mut Slot<T>,
    name: &str,
    map: &mut A,
) -> Result<(), A::Error> {
    if slot.is_some() {
        return Err(A::Error::custom(format_args!("`{name}` is given twice")));
    }
    match map.next_value() {
        Ok(value) => *slot = Some(value),
        Err(error) => return Err(A::Error::custom(format_args!("`{name}`: {error}"))),
    }
    Ok(())
}

fn required<T, E: Error>(slot: Slot<T>, name: &str) -> Result<T, E> {
    slot.ok_or_else(|| E::custom(format_args!("`{name}` is missing: it is required")))
}

fn unknown<E: Error>(name: &str, prefix: &str) -> E {
    let name: String = name.chars().take(64).collect();
    E::custom(format_args!(
        "`{prefix}{name}` is not a field: correct its name, or put it into `details` or `tags`"
    ))
}

#[derive(Default)]
struct EventFields {
    id: Slot<Option<Text<EventId>>>,
    occurred_at: Slot<Option<Text<Timestamp>>>,
    tenant: Slot<Option<String>>,
    actor: Slot<Actor>,
    action: Slot<String>,
    resource: Slot<Resource>,
    outcome: Slot<Option<Text<Outcome>>>,
    reason: Slot<Option<String>>,
    source: Slot<Option<String>>,
    ip: Slot<Option<String>>,
    user_agent: Slot<Option<String>>,
    session_id: Slot<Option<String>>,
    request_id: Slot<Option<String>>,
    correlation_id: Slot<Option<String>>,
    duration_ms: Slot<Option<u64>>,
    changed_fields: Slot<Option<Vec<String>>>,
    old_values: Slot<Json>,
    new_values: Slot<Json>,
    tags: Slot<Option<Tags>>,
    details: Slot<Json>,
    redacted: Slot<Option<Redacted>>,
    subject: Slot<Option<String>>,
}

impl Fields for EventFields {
    const WHAT: &'static str = "an event";

    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "id" => fill(&mut self.id, name, map),
            "occurred_at" => fill(&mut self.occurred_at, name, map),
            "tenant" => fill(&mut self.tenant, name, map),
            "actor" => fill(&mut self.actor, name, map),
            "action" => fill(&mut self.action, name, map),
            "resource" => fill(&mut self.resource, name, map),
            "outcome" => fill(&mut self.outcome, name, map),
            "reason" => fill(&mut self.reason, name, map),
            "source" => fill(&mut self.source, name, map),
            "ip" => fill(&mut self.ip, name, map),
            "user_agent" => fill(&mut self.user_agent, name, map),
            "session_id" => fill(&mut self.session_id, name, map),
            "request_id" => fill(&mut self.request_id, name, map),
            "correlation_id" => fill(&mut self.correlation_id, name, map),
            "duration_ms" => fill(&mut self.duration_ms, name, map),
            "changed_fields" => fill(&mut self.changed_fields, name, map),
            "old_values" => fill(&mut self.old_values, name, map),
            "new_values" => fill(&mut self.new_values, name, map),
            "tags" => fill(&mut self.tags, name, map),
            "details" => fill(&mut self.details, name, map),
            "redacted" => fill(&mut self.redacted, name, map),
            "subject" => fill(&mut self.subject, name, map),
            "seq" | "recorded_at" | "leaf_hash" | "payload" => Err(A::Error::custom(format_args!(
                "`{name}` is given by the log to a record: leave it out of an event"
            ))),
            _ => Err(unknown(name, "")),
        }
    }
}

impl EventFields {
    fn finish<E: Error>(self) -> Result<Event, E> {
        Ok(Event {
            id: self.id.flatten().map(|text| text.0),
            occurred_at: self.occurred_at.flatten().map(|text| text.0),
            tenant: self.tenant.flatten(),
            actor: required(self.actor, "actor")?,
            action: required(self.action, "action")?,
            resource: required(self.resource, "resource")?,
            outcome: self.outcome.flatten().map_or(Outcome::default(), |text| text.0),
            reason: self.reason.flatten(),
            source: self.source.flatten(),
            ip: self.ip.flatten(),
            user_agent: self.user_agent.flatten(),
            session_id: self.session_id.flatten(),
            request_id: self.request_id.flatten(),
            correlation_id: self.correlation_id.flatten(),
            duration_ms: self.duration_ms.flatten(),
            changed_fields: self.changed_fields.flatten().unwrap_or_default(),
            old_values: self.old_values,
            new_values: self.new_values,
            tags: self.tags.flatten().unwrap_or_default().0,
            details: self.details,
            redacted: self.redacted.flatten(),
            subject: self.subject.flatten(),
        })
    }
}

/// An event with what a log gave to its record.
pub(super) struct Recorded {
    pub(super) event: Event,
    pub(super) payload: Option<String>,
}

#[derive(Default)]
struct RecordFields {
    event: EventFields,
    seq: Slot<u64>,
    recorded_at: Slot<Text<Timestamp>>,
    leaf_hash: Slot<Text<Hash>>,
    payload: Slot<String>,
}

impl Fields for RecordFields {
    const WHAT: &'static str = "an event";

    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "seq" => fill(&mut self.seq, name, map),
            "recorded_at" => fill(&mut self.recorded_at, name, map),
            "leaf_hash" => fill(&mut self.leaf_hash, name, map),
            "payload" => fill(&mut self.payload, name, map),
            _ => self.event.read(name, map),
        }
    }
}

impl<'de> Deserialize<'de> for Recorded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = read_object::<RecordFields, D>(deserializer)?;
        let payload = fields.payload;
        if let Some(state) = payload.as_deref()
            && !matches!(state, "sealed" | "erased" | "withheld")
        {
            return Err(D::Error::custom("`payload`: expected sealed, erased or withheld"));
        }
        Ok(Recorded { event: fields.event.finish()?, payload })
    }
}

#[derive(Default)]
struct ActorFields {
    kind: Slot<String>,
    id: Slot<String>,
    email: Slot<Option<String>>,
    role: Slot<Option<String>>,
}

impl Fields for ActorFields {
    const WHAT: &'static str = "an actor";

    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "type" => fill(&mut self.kind, name, map),
            "id" => fill(&mut self.id, name, map),
            "email" => fill(&mut self.email, name, map),
            "role" => fill(&mut self.role, name, map),
            _ => Err(unknown(name, "actor.")),
        }
    }
}

impl<'de> Deserialize<'de> for Actor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = read_object::<ActorFields, D>(deserializer)?;
        Ok(Actor {
            kind: required(fields.kind, "type")?,
            id: required(fields.id, "id")?,
            email: fields.email.flatten(),
            role: fields.role.flatten(),
        })
    }
}

#[derive(Default)]
struct ResourceFields {
    kind: Slot<String>,
    id: Slot<Option<String>>,
}

impl Fields for ResourceFields {
    const WHAT: &'static str = "a resource";

    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "type" => fill(&mut self.kind, name, map),
            "id" => fill(&mut self.id, name, map),
            _ => Err(unknown(name, "resource.")),
        }
    }
}

impl<'de> Deserialize<'de> for Resource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = read_object::<ResourceFields, D>(deserializer)?;
        Ok(Resource { kind: required(fields.kind, "type")?, id: fields.id.flatten() })
    }
}

#[derive(Default)]
struct RedactedFields {
    rules: Slot<String>,
    paths: Slot<Vec<String>>,
    more: Slot<Option<u64>>,
}

impl Fields for RedactedFields {
    const WHAT: &'static str = "what was redacted";

    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "rules" => fill(&mut self.rules, name, map),
            "paths" => fill(&mut self.paths, name, map),
            "more" => fill(&mut self.more, name, map),
            _ => Err(unknown(name, "redacted.")),
        }
    }
}

impl<'de> Deserialize<'de> for Redacted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = read_object::<RedactedFields, D>(deserializer)?;
        Ok(Redacted {
            rules: required(fields.rules, "rules")?,
            paths: required(fields.paths, "paths")?,
            more: fields.more.flatten().unwrap_or(0),
        })
    }
}

/// Tags; a repeated key is an error.
#[derive(Default)]
struct Tags(BTreeMap<String, String>);

impl Fields for Tags {
    const WHAT: &'static str = "tags";

    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        let mut slot = self.0.remove(name);
        fill(&mut slot, name, map)?;
        self.0.extend(slot.map(|value| (name.to_owned(), value)));
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_object(deserializer)
    }
}

/// Read from its text form.
struct Text<T>(T);

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Text).map_err(D::Error::custom)
    }
}
