//! [`Subject`]: what a query looks at in a record.

use crate::event::{
    Actor, ActorRef, Anchor, Event, EventId, Outcome, Record, Target, TargetRef, TraceId,
};
use crate::time::Timestamp;

/// The fields of an event that queries filter by, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject<'a> {
    /// The event's identifier; the log's own records have none.
    pub id: Option<EventId>,
    /// When it happened, by the caller's clock.
    pub occurred_at: Timestamp,
    /// On whose behalf.
    pub tenant: Option<&'a str>,
    /// `actor.type`.
    pub actor_type: &'a str,
    /// `actor.id`.
    pub actor_id: &'a str,
    /// `on_behalf_of.type` and `on_behalf_of.id`.
    pub on_behalf_of: Option<ActorRef<'a>>,
    /// What was done.
    pub action: &'a str,
    /// `resource.type`.
    pub resource_type: &'a str,
    /// `resource.id`.
    pub resource_id: Option<&'a str>,
    /// To what else it was done.
    pub targets: SubjectTargets<'a>,
    /// With what result.
    pub outcome: Outcome,
    /// The request that caused it.
    pub request_id: Option<&'a str>,
    /// Groups several requests.
    pub correlation_id: Option<&'a str>,
    /// The distributed trace.
    pub trace_id: Option<TraceId>,
}

/// The targets of an event: those of an [`Event`], or as they were read from its envelope.
#[derive(Clone, Copy, Debug)]
pub enum SubjectTargets<'a> {
    /// Of an event.
    Given(&'a [Target]),
    /// Of an envelope.
    Read(&'a [TargetRef<'a>]),
}

impl<'a> SubjectTargets<'a> {
    /// There are none.
    pub const NONE: SubjectTargets<'static> = SubjectTargets::Read(&[]);

    /// The targets, in the order of the event.
    pub fn iter(self) -> impl Iterator<Item = TargetRef<'a>> {
        let (given, read): (&[Target], &[TargetRef<'a>]) = match self {
            SubjectTargets::Given(targets) => (targets, &[]),
            SubjectTargets::Read(targets) => (&[], targets),
        };
        given.iter().map(Target::as_target_ref).chain(read.iter().copied())
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.iter().next().is_none()
    }
}

impl PartialEq for SubjectTargets<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for SubjectTargets<'_> {}

impl<'a> Subject<'a> {
    /// What a query sees of an event; one without a time happened at `recorded_at`.
    pub fn of_event(event: &'a Event, recorded_at: Timestamp) -> Self {
        Subject {
            id: event.id,
            occurred_at: event.occurred_at.unwrap_or(recorded_at),
            tenant: event.tenant.as_deref(),
            actor_type: &event.actor.kind,
            actor_id: &event.actor.id,
            on_behalf_of: event.on_behalf_of.as_ref().map(Actor::as_actor_ref),
            action: &event.action,
            resource_type: &event.resource.kind,
            resource_id: event.resource.id.as_deref(),
            targets: SubjectTargets::Given(&event.targets),
            outcome: event.outcome,
            request_id: event.request_id.as_deref(),
            correlation_id: event.correlation_id.as_deref(),
            trace_id: event.trace_id,
        }
    }

    /// The resources that it names, each with its type and, if it has one, its id: the main one,
    /// then the targets. One may come twice.
    pub fn resources(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        let targets = self.targets.iter().map(|target| (target.kind, Some(target.id)));
        std::iter::once((self.resource_type, self.resource_id)).chain(targets)
    }

    /// What a query sees of a record.
    pub fn of_record(record: &'a Record) -> Self {
        Subject::of_event(&record.event, record.recorded_at)
    }
}

impl Subject<'static> {
    /// What a query sees of an anchor: the same as of the record that
    /// [`Record::of_anchor`] makes, without making it.
    pub fn of_anchor(recorded_at: Timestamp) -> Self {
        Subject {
            id: None,
            occurred_at: recorded_at,
            tenant: None,
            actor_type: Anchor::ACTOR_KIND,
            actor_id: Anchor::ACTOR_ID,
            on_behalf_of: None,
            action: Anchor::ACTION,
            resource_type: Anchor::RESOURCE_KIND,
            resource_id: None,
            targets: SubjectTargets::NONE,
            outcome: Outcome::Success,
            request_id: None,
            correlation_id: None,
            trace_id: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Hash;
    use crate::seq::{Seq, TreeSize};

    #[test]
    fn an_anchor_looks_the_same_with_and_without_its_record() {
        let time = Timestamp::from_nanos(7);
        let anchor = Anchor {
            catalog_size: TreeSize::ZERO,
            catalog_root: Hash::ZERO,
            state_root: Hash::ZERO,
        };
        let record = Record::of_anchor(Seq::new(0), time, Hash::ZERO, anchor);
        assert_eq!(Subject::of_anchor(time), Subject::of_record(&record));
    }
}
