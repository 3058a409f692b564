//! [`Query`]: how one is put together.

use super::action::InvalidActionGlob;
use super::cursor::{Cursor, CursorError};
use super::filters::{Filters, IdFilter, Order};
use crate::event::{EventId, Outcome, TraceId};
use crate::seq::Seq;
#[cfg(feature = "engine")]
use crate::seq::TreeSize;
use crate::time::Timestamp;

/// Which records, in which order.
///
/// ```
/// use bulla::event::Outcome;
/// use bulla::query::Query;
///
/// let query = Query::new().actor("alice").action("invoice.*")?.outcome(Outcome::Denied).limit(10);
/// # Ok::<(), bulla::query::InvalidActionGlob>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[must_use]
pub struct Query {
    pub(crate) filters: Filters,
    pub(crate) order: Order,
    pub(crate) limit: Option<u64>,
    pub(crate) after: Option<Cursor>,
}

impl Query {
    /// All events, newest first.
    pub fn new() -> Self {
        Query::default()
    }

    /// Events by the actor with this id, of whatever type.
    pub fn actor(mut self, id: impl Into<String>) -> Self {
        self.filters.actors.push(IdFilter { kind: None, id: Some(id.into()) });
        self
    }

    /// Events by the actor of this type with this id.
    pub fn actor_type_id(mut self, kind: impl Into<String>, id: impl Into<String>) -> Self {
        self.filters.actors.push(IdFilter { kind: Some(kind.into()), id: Some(id.into()) });
        self
    }

    /// Events that were done on behalf of the actor with this id, of whatever type.
    pub fn on_behalf_of(mut self, id: impl Into<String>) -> Self {
        self.filters.on_behalf_of.push(IdFilter { kind: None, id: Some(id.into()) });
        self
    }

    /// Events that were done on behalf of the actor of this type with this id.
    pub fn on_behalf_of_type_id(mut self, kind: impl Into<String>, id: impl Into<String>) -> Self {
        self.filters.on_behalf_of.push(IdFilter { kind: Some(kind.into()), id: Some(id.into()) });
        self
    }

    /// Events whose resource, or one of whose targets, is of this type.
    pub fn resource_type(mut self, kind: impl Into<String>) -> Self {
        self.filters.resources.push(IdFilter { kind: Some(kind.into()), id: None });
        self
    }

    /// Events whose resource, or one of whose targets, is the one of this type with this id.
    pub fn resource(mut self, kind: impl Into<String>, id: impl Into<String>) -> Self {
        self.filters.resources.push(IdFilter { kind: Some(kind.into()), id: Some(id.into()) });
        self
    }

    /// Events on behalf of this tenant.
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.filters.tenants.push(tenant.into());
        self
    }

    /// Events with this action, or with one that starts with what stands before a
    /// final `*`.
    ///
    /// # Errors
    /// The glob is empty, or has a `*` before its end.
    pub fn action(mut self, glob: &str) -> Result<Self, InvalidActionGlob> {
        self.filters.actions.push(glob.parse()?);
        Ok(self)
    }

    /// Events with this outcome.
    pub fn outcome(mut self, outcome: Outcome) -> Self {
        self.filters.outcomes |= 1 << outcome.code();
        self
    }

    /// Events with any other outcome; stronger than [`Query::outcome`].
    pub fn not_outcome(mut self, outcome: Outcome) -> Self {
        self.filters.refused_outcomes |= 1 << outcome.code();
        self
    }

    /// Events caused by this request.
    pub fn request_id(mut self, id: impl Into<String>) -> Self {
        self.filters.request_ids.push(id.into());
        self
    }

    /// Events of this operation.
    pub fn correlation_id(mut self, id: impl Into<String>) -> Self {
        self.filters.correlation_ids.push(id.into());
        self
    }

    /// Events of this distributed trace.
    pub fn trace_id(mut self, id: TraceId) -> Self {
        self.filters.trace_ids.push(id);
        self
    }

    /// The event with this identifier.
    pub fn event_id(mut self, id: EventId) -> Self {
        self.filters.event_ids.push(id);
        self
    }

    /// Events that happened at this time or later. Given twice, the later time counts.
    pub fn occurred_since(mut self, time: Timestamp) -> Self {
        self.filters.occurred.raise_since(time);
        self
    }

    /// Events that happened before this time. Given twice, the earlier time counts.
    pub fn occurred_until(mut self, time: Timestamp) -> Self {
        self.filters.occurred.lower_until(time);
        self
    }

    /// Events recorded at this time or later. Given twice, the later time counts.
    pub fn recorded_since(mut self, time: Timestamp) -> Self {
        self.filters.recorded.raise_since(time);
        self
    }

    /// Events recorded before this time. Given twice, the earlier time counts.
    pub fn recorded_until(mut self, time: Timestamp) -> Self {
        self.filters.recorded.lower_until(time);
        self
    }

    /// By descending Seq: the default.
    pub fn newest_first(mut self) -> Self {
        self.order = Order::NewestFirst;
        self
    }

    /// By ascending Seq.
    pub fn oldest_first(mut self) -> Self {
        self.order = Order::OldestFirst;
        self
    }

    /// At most this many records.
    pub fn limit(mut self, records: u64) -> Self {
        self.limit = Some(records);
        self
    }

    /// Whether the log's own records (anchors) come too; by default they do not.
    pub fn system(mut self, included: bool) -> Self {
        self.filters.system = included;
        self
    }

    /// Goes on where the cursor stopped. It must come from the same question in the
    /// same order; the limit may differ. That is checked when the query is run.
    pub fn after(mut self, cursor: Cursor) -> Self {
        self.after = Some(cursor);
        self
    }

    /// The cursor with which the same query goes on after this record; `None` when
    /// nothing can follow (newest first, and this was the first record).
    pub fn cursor_after(&self, last: Seq) -> Option<Cursor> {
        let next = match self.order {
            Order::NewestFirst => last.get().checked_sub(1),
            Order::OldestFirst => last.get().checked_add(1),
        };
        next.map(|next| Cursor::new(self.order, Seq::new(next), self.filters.fingerprint()))
    }

    /// The cursor with which the same query, the oldest first, goes on at this size.
    #[cfg(feature = "engine")]
    pub(crate) fn cursor_at(&self, size: TreeSize) -> Cursor {
        Cursor::new(Order::OldestFirst, size.next_seq(), self.filters.fingerprint())
    }

    /// The first Seq to look at, inclusive, in the query's direction; `None` for
    /// the end of the log that the order begins with.
    ///
    /// # Errors
    /// The cursor given to [`Query::after`] comes from another query.
    pub fn start(&self) -> Result<Option<Seq>, CursorError> {
        match &self.after {
            None => Ok(None),
            Some(cursor) => cursor.open(self.order, self.filters.fingerprint()).map(Some),
        }
    }
}
