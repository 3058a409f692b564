//! [`TenantRecord`]: a record as its tenant sees it.

use super::Reference;
use crate::event::{Event, Record};
use crate::time::Timestamp;

/// A record as its tenant sees it: without its place in a log that others may share.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TenantRecord {
    /// What to get it with again.
    pub reference: Reference,
    /// When the vault took it.
    pub recorded_at: Timestamp,
    /// The event, with `id` and `occurred_at` filled in.
    pub event: Event,
}

impl TenantRecord {
    pub(super) fn of(record: Record, reference: Reference) -> Self {
        TenantRecord { reference, recorded_at: record.recorded_at, event: record.event }
    }

    /// The JSON shape of a record, on one line, with `reference` in place of `seq` and
    /// `leaf_hash`.
    pub fn to_json(&self) -> String {
        let event = self.event.to_json();
        let fields = event.strip_prefix('{').unwrap_or(&event);
        // Neither holds a character that JSON escapes.
        let (reference, at) = (&self.reference, self.recorded_at);
        format!("{{\"reference\":\"{reference}\",\"recorded_at\":\"{at}\",{fields}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Actor, Resource};

    #[test]
    fn the_json_is_json_without_a_place() {
        let event = Event::new(Actor::new("user", "a"), "x.y", Resource::kind_only("r"));
        let reference = "abc".parse().unwrap();
        let record = TenantRecord { reference, recorded_at: Timestamp::from_nanos(1), event };
        let json: serde_json::Value = serde_json::from_str(&record.to_json()).unwrap();
        assert_eq!(json["reference"], "abc");
        assert_eq!(json["action"], "x.y");
        assert!(json.get("seq").is_none() && json.get("leaf_hash").is_none());
    }
}
