//! What a query asks for: filters and order.

use super::action::ActionGlob;
use crate::event::{EventId, TraceId};
use crate::time::Timestamp;

/// In which order records come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Order {
    /// By descending Seq.
    #[default]
    NewestFirst,
    /// By ascending Seq.
    OldestFirst,
}

/// What a record must have. The values of one list are alternatives; an empty list
/// lets everything through.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Filters {
    pub(crate) actors: Vec<IdFilter>,
    pub(crate) resources: Vec<IdFilter>,
    pub(crate) tenants: Vec<String>,
    pub(crate) actions: Vec<ActionGlob>,
    /// Bit n: the outcome with code n may be; no bit: any.
    pub(crate) outcomes: u8,
    /// Bit n: the outcome with code n must not be.
    pub(crate) refused_outcomes: u8,
    pub(crate) request_ids: Vec<String>,
    pub(crate) correlation_ids: Vec<String>,
    pub(crate) event_ids: Vec<EventId>,
    pub(crate) on_behalf_of: Vec<IdFilter>,
    pub(crate) trace_ids: Vec<TraceId>,
    pub(crate) occurred: TimeRange,
    pub(crate) recorded: TimeRange,
    /// Whether the log's own records match too.
    pub(crate) system: bool,
}

/// A type, an id, or both.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct IdFilter {
    pub(crate) kind: Option<String>,
    pub(crate) id: Option<String>,
}

/// From `since` (inclusive) until `until` (exclusive).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TimeRange {
    /// The first time in it; `None`: from the beginning.
    pub since: Option<Timestamp>,
    /// The first time behind it; `None`: to the end.
    pub until: Option<Timestamp>,
}

impl TimeRange {
    pub(super) fn raise_since(&mut self, time: Timestamp) {
        self.since = self.since.max(Some(time));
    }

    pub(super) fn lower_until(&mut self, time: Timestamp) {
        self.until = Some(self.until.map_or(time, |until| until.min(time)));
    }
}
