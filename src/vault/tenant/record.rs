//! [`TenantRecord`]: a record as its tenant sees it.

use super::token::Reference;
use crate::event::{Event, PayloadState, Record};
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
    /// Whether its payload could be read: if not, the event has only what stands in the
    /// envelope.
    pub payload: PayloadState,
}

impl TenantRecord {
    pub(super) fn of(record: Record, reference: Reference) -> Self {
        let Record { recorded_at, event, payload, .. } = record;
        TenantRecord { reference, recorded_at, event, payload }
    }

    /// The JSON shape of a record, on one line, with `reference` in place of `seq` and
    /// `leaf_hash`. As in every record, `payload` says why where it is not shown.
    pub fn to_json(&self) -> String {
        let event = self.event.to_json();
        let fields = event.strip_prefix('{').and_then(|fields| fields.strip_suffix('}'));
        let fields = fields.unwrap_or_default();
        let absence = self.payload.absence();
        let payload = absence.map_or(String::new(), |state| format!(",\"payload\":\"{state}\""));
        // None of these holds a character that JSON escapes.
        let (reference, at) = (&self.reference, self.recorded_at);
        format!("{{\"reference\":\"{reference}\",\"recorded_at\":\"{at}\",{fields}{payload}}}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Actor, Resource};

    #[test]
    fn the_json_is_json_without_a_place() {
        let event = Event::new(Actor::new("user", "a"), "x.y", Resource::kind_only("r"));
        let json = |payload| {
            let (reference, event) = ("abc".parse().unwrap(), event.clone());
            let recorded_at = Timestamp::from_nanos(1);
            let record = TenantRecord { reference, recorded_at, event, payload };
            serde_json::from_str::<serde_json::Value>(&record.to_json()).unwrap()
        };
        let plain = json(PayloadState::Plain);
        assert_eq!(plain["reference"], "abc");
        assert_eq!(plain["action"], "x.y");
        let absent = ["seq", "leaf_hash", "payload"];
        assert!(absent.iter().all(|field| plain.get(field).is_none()), "{plain}");
        assert_eq!(json(PayloadState::Sealed)["payload"], "sealed");
        assert_eq!(json(PayloadState::Erased)["payload"], "erased");
    }
}
