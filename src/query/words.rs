//! A query in words, for people who compare a question with the one that they asked.

use super::action::ActionGlob;
use super::builder::Query;
use super::filters::{IdFilter, Order, TimeRange};
use crate::event::Outcome;

impl Query {
    /// The question in words: the name of each condition with what it asks for, then which
    /// records, the order and the limit. Values stand in quotes with escapes, so that none
    /// can be mistaken for words; both ranges of time are always named. The cursor is left
    /// out: it is no part of the question.
    pub fn in_words(&self) -> Vec<(&'static str, String)> {
        let filters = &self.filters;
        let mut words = vec![
            ("actor", any_of(filters.actors.iter().map(actor))),
            ("on behalf of", any_of(filters.on_behalf_of.iter().map(actor))),
            ("resource", any_of(filters.resources.iter().map(resource))),
            ("tenant", any_of(filters.tenants.iter().map(quoted))),
            ("action", any_of(filters.actions.iter().map(action))),
            ("outcome", any_of(outcomes(filters.outcomes))),
            ("outcome not", any_of(outcomes(filters.refused_outcomes))),
            ("request", any_of(filters.request_ids.iter().map(quoted))),
            ("correlation", any_of(filters.correlation_ids.iter().map(quoted))),
            ("trace", any_of(filters.trace_ids.iter().map(ToString::to_string))),
            ("event id", any_of(filters.event_ids.iter().map(ToString::to_string))),
        ];
        words.retain(|(_, value)| !value.is_empty());
        words.push(("occurred", range(filters.occurred)));
        words.push(("recorded", range(filters.recorded)));
        let records = match filters.system {
            true => "events, and the log's own records",
            false => "events, not the log's own records",
        };
        words.push(("records", records.to_owned()));
        let order = match self.order {
            Order::NewestFirst => "newest first",
            Order::OldestFirst => "oldest first",
        };
        words.push(("order", order.to_owned()));
        let limit = self.limit.map_or("none".to_owned(), |limit| format!("at most {limit}"));
        words.push(("limit", limit));
        words
    }
}

fn any_of(values: impl Iterator<Item = String>) -> String {
    values.collect::<Vec<_>>().join(", or ")
}

fn quoted(text: impl AsRef<str>) -> String {
    format!("{:?}", text.as_ref())
}

fn actor(filter: &IdFilter) -> String {
    match (&filter.kind, &filter.id) {
        (Some(kind), Some(id)) => format!("{id:?} of type {kind:?}"),
        (None, Some(id)) => format!("{id:?} of any type"),
        (Some(kind), None) => format!("any of type {kind:?}"),
        (None, None) => "any".to_owned(),
    }
}

fn resource(filter: &IdFilter) -> String {
    actor(filter)
}

fn action(glob: &ActionGlob) -> String {
    match glob.prefix() {
        Some("") => "any".to_owned(),
        Some(prefix) => format!("all that begin with {prefix:?}"),
        None => quoted(glob.as_str()),
    }
}

/// Those whose bits are set, by code.
fn outcomes(bits: u8) -> impl Iterator<Item = String> {
    let is_set = move |outcome: &Outcome| bits & (1 << outcome.code()) != 0;
    Outcome::ALL.into_iter().filter(is_set).map(|outcome| outcome.to_string())
}

fn range(range: TimeRange) -> String {
    match (range.since, range.until) {
        (None, None) => "at any time".to_owned(),
        (Some(since), None) => format!("at {since} or later"),
        (None, Some(until)) => format!("before {until}"),
        (Some(since), Some(until)) => format!("at {since} or later, and before {until}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventId, TraceId};
    use crate::time::Timestamp;

    fn told(query: &Query) -> String {
        let words = query.in_words();
        words.iter().map(|(name, value)| format!("{name}: {value}\n")).collect()
    }

    #[test]
    fn every_condition_is_told() {
        let bare = told(&Query::new());
        assert!(bare.starts_with("occurred: at any time\nrecorded: at any time\n"), "{bare}");
        let time = Timestamp::from_nanos;
        let base = || Query::new().actor("a");
        let asked = [
            base(),
            base().actor("b"),
            base().actor_type_id("user", "a"),
            base().resource_type("doc"),
            base().resource("doc", "1"),
            base().tenant("t"),
            base().action("x.*").unwrap(),
            base().action("x.").unwrap(),
            base().outcome(Outcome::Denied),
            base().not_outcome(Outcome::Denied),
            base().request_id("r"),
            base().correlation_id("r"),
            base().event_id(EventId([1; 16])),
            base().on_behalf_of("a"),
            base().on_behalf_of_type_id("user", "a"),
            base().trace_id(TraceId::from_bytes([1; 16]).unwrap()),
            base().occurred_since(time(1)),
            base().occurred_until(time(1)),
            base().recorded_since(time(1)),
            base().recorded_until(time(1)),
            base().system(true),
            base().oldest_first(),
            base().limit(3),
        ];
        let words: std::collections::BTreeSet<String> = asked.iter().map(told).collect();
        assert_eq!(words.len(), asked.len(), "two questions have the same words");
    }

    #[test]
    fn a_value_cannot_pass_for_words() {
        let (one, two) = (Query::new().actor("a\" of any type, or \"b"), Query::new().actor("a"));
        assert_ne!(told(&one), told(&two.actor("b")));
    }
}
