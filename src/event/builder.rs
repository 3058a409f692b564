//! Making an [`Event`]: constructors and chained setters.

use std::collections::BTreeMap;

use super::json::{InvalidJson, Json};
use super::{Actor, Event, EventId, Outcome, Resource, SpanId, Target, TraceId};
use crate::time::Timestamp;

impl Actor {
    /// The type of a person.
    pub const USER: &str = "user";
    /// The type of a program that acts for an organisation, not for a person.
    pub const SERVICE: &str = "service";
    /// The type of the system itself, e.g. a scheduler.
    pub const SYSTEM: &str = "system";
    /// The type of a program that acts for a person and decides for itself what to do, e.g. an
    /// AI agent; that person is [`Event::on_behalf_of`](struct@Event).
    pub const AGENT: &str = "agent";
    /// The type of somebody who did not say who they are.
    pub const ANONYMOUS: &str = "anonymous";

    /// An actor of this kind (`type` in JSON), e.g. `user`, with this id.
    pub fn new(kind: impl Into<String>, id: impl Into<String>) -> Self {
        Actor { kind: kind.into(), id: id.into(), email: None, role: None }
    }

    /// Sets the e-mail address.
    #[must_use]
    pub fn email(mut self, email: impl Into<String>) -> Self {
        self.email = Some(email.into());
        self
    }

    /// Sets the role in which the actor acted.
    #[must_use]
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.role = Some(role.into());
        self
    }
}

impl Resource {
    /// A single resource: its kind (`type` in JSON), e.g. `invoice`, and its id.
    pub fn new(kind: impl Into<String>, id: impl Into<String>) -> Self {
        Resource { kind: kind.into(), id: Some(id.into()) }
    }

    /// A kind of resource as a whole, e.g. the list of all invoices.
    pub fn kind_only(kind: impl Into<String>) -> Self {
        Resource { kind: kind.into(), id: None }
    }
}

impl Event {
    /// An event with the required fields; it succeeded, unless
    /// [`Event::outcome`] says otherwise.
    ///
    /// ```
    /// use bulla::event::{Actor, Event, Outcome, Resource};
    ///
    /// let event = Event::new(
    ///     Actor::new("user", "alice").role("clerk"),
    ///     "invoice.delete",
    ///     Resource::new("invoice", "2026-0017"),
    /// )
    /// .outcome(Outcome::Denied)
    /// .reason("already paid")
    /// .ip("10.0.0.1")
    /// .tag("region", "eu")
    /// .details(serde_json::json!({"attempt": 2}));
    /// assert_eq!(event.validate(), Ok(()));
    /// ```
    pub fn new(actor: Actor, action: impl Into<String>, resource: Resource) -> Self {
        Event {
            id: None,
            occurred_at: None,
            tenant: None,
            actor,
            on_behalf_of: None,
            action: action.into(),
            resource,
            targets: Vec::new(),
            outcome: Outcome::Success,
            reason: None,
            source: None,
            ip: None,
            user_agent: None,
            session_id: None,
            request_id: None,
            correlation_id: None,
            trace_id: None,
            span_id: None,
            duration_ms: None,
            changed_fields: Vec::new(),
            old_values: None,
            new_values: None,
            tags: BTreeMap::new(),
            details: None,
            redacted: None,
            subject: None,
        }
    }

    /// Sets the identifier.
    #[must_use]
    pub fn id(mut self, id: EventId) -> Self {
        self.id = Some(id);
        self
    }

    /// Sets when it happened, by the caller's clock.
    #[must_use]
    pub fn occurred_at(mut self, time: Timestamp) -> Self {
        self.occurred_at = Some(time);
        self
    }

    /// Sets for whom the actor did it.
    #[must_use]
    pub fn on_behalf_of(mut self, actor: Actor) -> Self {
        self.on_behalf_of = Some(actor);
        self
    }

    /// Adds a further resource to which it was done.
    #[must_use]
    pub fn target(mut self, target: Target) -> Self {
        self.targets.push(target);
        self
    }

    /// Sets the distributed trace that it belongs to.
    #[must_use]
    pub fn trace_id(mut self, id: TraceId) -> Self {
        self.trace_id = Some(id);
        self
    }

    /// Sets the operation within the trace.
    #[must_use]
    pub fn span_id(mut self, id: SpanId) -> Self {
        self.span_id = Some(id);
        self
    }

    /// Sets with what result.
    #[must_use]
    pub fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// Sets how long it took, in milliseconds.
    #[must_use]
    pub fn duration_ms(mut self, millis: u64) -> Self {
        self.duration_ms = Some(millis);
        self
    }

    /// Adds the names of fields that the action changed.
    #[must_use]
    pub fn changed_fields<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.changed_fields.extend(names.into_iter().map(Into::into));
        self
    }

    /// Adds a label; the last value given for a key counts.
    #[must_use]
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }

    /// Sets the details from JSON text, which is kept byte for byte.
    ///
    /// # Errors
    /// The text is not JSON.
    pub fn details_json(self, text: &str) -> Result<Self, InvalidJson> {
        Ok(self.details(Json::parse(text)?))
    }
}

macro_rules! text_setters {
    ($($(#[$doc:meta])* $field:ident)*) => {
        impl Event {$(
            $(#[$doc])*
            #[must_use]
            pub fn $field(mut self, $field: impl Into<String>) -> Self {
                self.$field = Some($field.into());
                self
            }
        )*}
    };
}

text_setters! {
    /// Sets the customer or realm on whose behalf it happened.
    tenant
    /// Sets why, in words.
    reason
    /// Sets which service or channel it came through.
    source
    /// Sets the network address of the actor, or the name of a service that acted.
    ip
    /// Sets the actor's user agent.
    user_agent
    /// Sets the actor's session.
    session_id
    /// Sets the request that caused it.
    request_id
    /// Sets what groups several requests into one operation.
    correlation_id
    /// Sets whose personal data the event holds; see [`Event::subject`](struct@Event).
    subject
}

macro_rules! json_setters {
    ($($(#[$doc:meta])* $field:ident)*) => {
        impl Event {$(
            $(#[$doc])*
            #[must_use]
            pub fn $field(mut self, $field: impl Into<Json>) -> Self {
                self.$field = Some($field.into());
                self
            }
        )*}
    };
}

json_setters! {
    /// Sets the state before.
    old_values
    /// Sets the state after.
    new_values
    /// Sets anything else.
    details
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setters_fill_the_fields_of_their_names() {
        let event =
            Event::new(Actor::new("user", "a").email("a@b"), "x.y", Resource::kind_only("r"))
                .id(EventId([1; 16]))
                .tenant("t")
                .changed_fields(["f", "g"])
                .duration_ms(3)
                .tag("k", "old")
                .tag("k", "v")
                .old_values(serde_json::json!(null))
                .details_json("{ }")
                .unwrap();
        assert_eq!(event.actor.email.as_deref(), Some("a@b"));
        assert_eq!(event.resource.id, None);
        assert_eq!(event.tenant.as_deref(), Some("t"));
        assert_eq!(event.changed_fields, ["f", "g"]);
        assert_eq!(event.tags["k"], "v");
        assert_eq!(event.old_values.as_ref().map(Json::as_str), Some("null"));
        assert_eq!(event.details.as_ref().map(Json::as_str), Some("{ }"));
        assert!(event.details_json("{").is_err());
    }
}
