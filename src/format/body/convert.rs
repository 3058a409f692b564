//! Between events and their bodies.

use super::added::{Since3, TargetList};
use super::fields::{Aliases, JsonText, Names, Redaction, Tags};
use super::parts::{Envelope, Payload, Pseudonyms};
use super::schema::schema_of;
use crate::event::{Actor, ActorRef, Event, EventId, Resource, Target, TargetRef};
use crate::query::{Subject, SubjectTargets};
use crate::time::Timestamp;

impl<'a> Envelope<'a> {
    /// The envelope of an event that has this id and time.
    pub fn of(event: &'a Event, id: EventId, occurred_at: Timestamp) -> Self {
        let schema = schema_of(event);
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
            targets: Since3::of(schema, event.targets.iter().map(Target::as_target_ref).collect()),
            target_aliases: Since3::of(schema, 0),
            on_behalf_of: Since3::of(schema, event.on_behalf_of.as_ref().map(Actor::as_actor_ref)),
            trace_id: Since3::of(schema, event.trace_id),
        }
    }

    /// The same with aliases in place of identifiers.
    pub(super) fn under<'b>(self, pseudonyms: Pseudonyms<'b>) -> Envelope<'b>
    where
        'a: 'b,
    {
        let resource = self.resource_id.and(pseudonyms.resource_id);
        let behalf = self.on_behalf_of.value.and(pseudonyms.on_behalf_of_id);
        let behalf_of = self.on_behalf_of.with(|actor: Option<ActorRef<'b>>| {
            actor.map(|ActorRef { kind, id }| ActorRef { kind, id: behalf.unwrap_or(id) })
        });
        Envelope {
            actor_id: pseudonyms.actor_id.unwrap_or(self.actor_id),
            resource_id: resource.or(self.resource_id),
            aliases: Aliases::of(
                pseudonyms.actor_id.is_some(),
                resource.is_some(),
                behalf.is_some(),
            ),
            on_behalf_of: behalf_of,
            target_aliases: self.target_aliases.with(|_| bits_of(pseudonyms.target_ids)),
            targets: self.targets.with(|targets| targets.under(pseudonyms.target_ids)),
            ..self
        }
    }

    /// Whether the id of the nth target, from 0, is an alias.
    pub fn is_target_alias(&self, n: usize) -> bool {
        let bit = u32::try_from(n).ok().and_then(|n| self.target_aliases.value.checked_shr(n));
        bit.is_some_and(|bits| bits & 1 == 1)
    }

    /// What a query looks at.
    pub fn subject(&self) -> Subject<'_> {
        Subject {
            id: Some(self.id),
            occurred_at: self.occurred_at,
            tenant: self.tenant,
            actor_type: self.actor_type,
            actor_id: self.actor_id,
            on_behalf_of: self.on_behalf_of.value,
            action: self.action,
            resource_type: self.resource_type,
            resource_id: self.resource_id,
            targets: SubjectTargets::Read(self.targets.value.as_slice()),
            outcome: self.outcome,
            request_id: self.request_id,
            correlation_id: self.correlation_id,
            trace_id: self.trace_id.value,
        }
    }
}

/// Bit n: there is an alias of the nth target.
fn bits_of(aliases: &[Option<String>]) -> u64 {
    let set = aliases.iter().enumerate().filter(|(_, alias)| alias.is_some());
    set.filter_map(|(n, _)| 1_u64.checked_shl(u32::try_from(n).ok()?))
        .fold(0, |bits, bit| bits | bit)
}

impl<'a> TargetList<'a> {
    fn under(self, aliases: &'a [Option<String>]) -> Self {
        let alias = |n: usize| aliases.get(n).and_then(Option::as_deref);
        let targets = self.as_slice().iter().enumerate();
        targets
            .map(|(n, target)| TargetRef { id: alias(n).unwrap_or(target.id), ..*target })
            .collect()
    }
}

impl<'a> Payload<'a> {
    /// The payload of an event.
    pub fn of(event: &'a Event) -> Self {
        let schema = schema_of(event);
        let behalf = event.on_behalf_of.as_ref();
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
            redacted: Redaction::of(schema, event.redacted.as_ref()),
            on_behalf_of_email: Since3::of(schema, behalf.and_then(|of| of.email.as_deref())),
            on_behalf_of_role: Since3::of(schema, behalf.and_then(|of| of.role.as_deref())),
            span_id: Since3::of(schema, event.span_id),
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
    event.targets = envelope.targets.value.as_slice().iter().map(|of| of.to_target()).collect();
    event.on_behalf_of = envelope.on_behalf_of.value.map(|of| Actor::new(of.kind, of.id));
    event.trace_id = envelope.trace_id.value;
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
    if let Some(actor) = &mut event.on_behalf_of {
        actor.email = payload.on_behalf_of_email.value.map(str::to_owned);
        actor.role = payload.on_behalf_of_role.value.map(str::to_owned);
    }
    event.span_id = payload.span_id.value;
    event
}
