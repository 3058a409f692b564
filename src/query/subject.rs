//! [`Subject`]: what a query looks at in a record.

use crate::event::{Anchor, Event, EventId, Outcome, Record};
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
}

impl<'a> Subject<'a> {
    /// What a query sees of an event; one without a time happened at `recorded_at`.
    pub fn of_event(event: &'a Event, recorded_at: Timestamp) -> Self {
        Subject {
            id: event.id,
            occurred_at: event.occurred_at.unwrap_or(recorded_at),
            tenant: event.tenant.as_deref(),
            actor_type: &event.actor.kind,
            actor_id: &event.actor.id,
            action: &event.action,
            resource_type: &event.resource.kind,
            resource_id: event.resource.id.as_deref(),
            outcome: event.outcome,
            request_id: event.request_id.as_deref(),
            correlation_id: event.correlation_id.as_deref(),
        }
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
            action: Anchor::ACTION,
            resource_type: Anchor::RESOURCE_KIND,
            resource_id: None,
            outcome: Outcome::Success,
            request_id: None,
            correlation_id: None,
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
