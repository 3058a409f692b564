//! Whether a record is one that a query asks for.

use super::builder::Query;
use super::filters::{Filters, IdFilter, TimeRange};
use super::subject::Subject;
use crate::event::RecordKind;
use crate::time::Timestamp;

impl Query {
    /// Whether the filters let this record through. Order, limit and cursor are not
    /// looked at. Allocates nothing.
    pub fn matches(&self, recorded_at: Timestamp, kind: RecordKind, subject: &Subject<'_>) -> bool {
        self.filters.matches(recorded_at, kind, subject)
    }

    /// Whether records may match whose times, in nanoseconds, lie in these ranges:
    /// smallest and largest `recorded_at`, then `occurred_at`.
    #[cfg(feature = "engine")]
    pub(crate) fn may_match_times(&self, times: [i64; 4]) -> bool {
        let [recorded_min, recorded_max, occurred_min, occurred_max] =
            times.map(Timestamp::from_nanos);
        self.filters.recorded.meets(recorded_min, recorded_max)
            && self.filters.occurred.meets(occurred_min, occurred_max)
    }
}

impl Filters {
    fn matches(&self, recorded_at: Timestamp, kind: RecordKind, subject: &Subject<'_>) -> bool {
        // The cheap and the choosy ones first.
        (self.system || kind == RecordKind::Event)
            && self.recorded.contains(recorded_at)
            && self.occurred.contains(subject.occurred_at)
            && self.lets_outcome(subject.outcome.code())
            && any(&self.actors, |actor| actor.matches(subject.actor_type, Some(subject.actor_id)))
            && any(&self.resources, |filter| {
                subject.resources().any(|(kind, id)| filter.matches(kind, id))
            })
            && any(&self.on_behalf_of, |filter| {
                subject.on_behalf_of.is_some_and(|actor| filter.matches(actor.kind, Some(actor.id)))
            })
            && any(&self.event_ids, |id| subject.id == Some(*id))
            && any(&self.tenants, |tenant| subject.tenant == Some(tenant))
            && any(&self.request_ids, |id| subject.request_id == Some(id))
            && any(&self.correlation_ids, |id| subject.correlation_id == Some(id))
            && any(&self.trace_ids, |id| subject.trace_id == Some(*id))
            && any(&self.actions, |glob| glob.matches(subject.action))
    }

    pub(crate) fn lets_outcome(&self, code: u8) -> bool {
        let bit = 1 << code;
        (self.outcomes == 0 || self.outcomes & bit != 0) && self.refused_outcomes & bit == 0
    }
}

impl TimeRange {
    /// Whether a time from `min` to `max` may lie in it.
    pub(crate) fn meets(&self, min: Timestamp, max: Timestamp) -> bool {
        self.since.is_none_or(|since| since <= max) && self.until.is_none_or(|until| min < until)
    }

    /// Whether the range has both of these times, and so all between them.
    #[cfg(feature = "engine")]
    pub(crate) fn covers(&self, min: Timestamp, max: Timestamp) -> bool {
        self.contains(min) && self.contains(max)
    }

    /// Whether a time lies in it.
    pub fn contains(&self, time: Timestamp) -> bool {
        self.since.is_none_or(|since| since <= time) && self.until.is_none_or(|until| time < until)
    }
}

impl IdFilter {
    fn matches(&self, kind: &str, id: Option<&str>) -> bool {
        self.kind.as_deref().is_none_or(|wanted| wanted == kind)
            && self.id.as_deref().is_none_or(|wanted| Some(wanted) == id)
    }
}

/// One alternative holds, or there are none to choose from.
fn any<T>(alternatives: &[T], holds: impl Fn(&T) -> bool) -> bool {
    alternatives.is_empty() || alternatives.iter().any(holds)
}
