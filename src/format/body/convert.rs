//! Between events and their bodies.

use super::{Aliases, Envelope, JsonText, Names, Payload, Pseudonyms, Redaction, Tags};
use crate::event::{Actor, Event, EventId, Resource};
use crate::query::Subject;
use crate::time::Timestamp;

impl<'a> Envelope<'a> {
    /// The envelope of an event that has this id and time.
    pub fn of(event: &'a Event, id: EventId, occurred_at: Timestamp) -> Self {
        Envelope {
            id,
            occurred_at,
            tenant: event.tenant.as_deref(),
            actor_type: &event.actor.kind,
            actor_id: &event.actor.id,
            action: &event.action,
            resource_type: &event.resource.kind,
            resource_id: event.resource.id.as_deref(),
            outcome: event.outcome,
            request_id: event.request_id.as_deref(),
            correlation_id: event.correlation_id.as_deref(),
            aliases: Aliases::NONE,
        }
    }

    /// The same with aliases in place of identifiers.
    pub(super) fn under<'b>(self, pseudonyms: Pseudonyms<'b>) -> Envelope<'b>
    where
        'a: 'b,
    {
        let resource = self.resource_id.and(pseudonyms.resource_id);
        Envelope {
            actor_id: pseudonyms.actor_id.unwrap_or(self.actor_id),
            resource_id: resource.or(self.resource_id),
            aliases: Aliases::of(pseudonyms.actor_id.is_some(), resource.is_some()),
            ..self
        }
    }

    /// What a query looks at.
    pub fn subject(&self) -> Subject<'a> {
        Subject {
            id: Some(self.id),
            occurred_at: self.occurred_at,
            tenant: self.tenant,
            actor_type: self.actor_type,
            actor_id: self.actor_id,
            action: self.action,
            resource_type: self.resource_type,
            resource_id: self.resource_id,
            outcome: self.outcome,
            request_id: self.request_id,
            correlation_id: self.correlation_id,
        }
    }
}

impl<'a> Payload<'a> {
    /// The payload of an event.
    pub fn of(event: &'a Event) -> Self {
        Payload {
            email: event.actor.email.as_deref(),
            role: event.actor.role.as_deref(),
            reason: event.reason.as_deref(),
            source: event.source.as_deref(),
            ip: event.ip.as_deref(),
            user_agent: event.user_agent.as_deref(),
            session_id: event.session_id.as_deref(),
            duration_ms: event.duration_ms,
            changed_fields: Names::from(event.changed_fields.as_slice()),
            old_values: event.old_values.as_ref().map(JsonText::from),
            new_values: event.new_values.as_ref().map(JsonText::from),
            tags: Tags::from(&event.tags),
            details: event.details.as_ref().map(JsonText::from),
            redacted: event.redacted.as_ref().map_or(Redaction::NONE, Redaction::from),
        }
    }
}

/// The event of an envelope and a payload, owned; without the payload's fields if
/// that is withheld or erased.
pub fn to_event(envelope: &Envelope<'_>, payload: Option<&Payload<'_>>) -> Event {
    let event = envelope_event(envelope);
    match payload {
        Some(payload) => with_payload(event, payload),
        None => event,
    }
}

fn envelope_event(envelope: &Envelope<'_>) -> Event {
    let resource = Resource {
        kind: envelope.resource_type.to_owned(),
        id: envelope.resource_id.map(str::to_owned),
    };
    let actor = Actor::new(envelope.actor_type, envelope.actor_id);
    let mut event = Event::new(actor, envelope.action, resource)
        .id(envelope.id)
        .occurred_at(envelope.occurred_at)
        .outcome(envelope.outcome);
    event.tenant = envelope.tenant.map(str::to_owned);
    event.request_id = envelope.request_id.map(str::to_owned);
    event.correlation_id = envelope.correlation_id.map(str::to_owned);
    event
}

fn with_payload(mut event: Event, payload: &Payload<'_>) -> Event {
    event.actor.email = payload.email.map(str::to_owned);
    event.actor.role = payload.role.map(str::to_owned);
    event.reason = payload.reason.map(str::to_owned);
    event.source = payload.source.map(str::to_owned);
    event.ip = payload.ip.map(str::to_owned);
    event.user_agent = payload.user_agent.map(str::to_owned);
    event.session_id = payload.session_id.map(str::to_owned);
    event.duration_ms = payload.duration_ms;
    event.changed_fields = payload.changed_fields.iter().map(str::to_owned).collect();
    event.old_values = payload.old_values.map(JsonText::to_json);
    event.new_values = payload.new_values.map(JsonText::to_json);
    event.tags = payload.tags.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    event.details = payload.details.map(JsonText::to_json);
    event.redacted = payload.redacted.to_redacted();
    event
}
