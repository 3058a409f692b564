//! [`Record`]: an event that the log has sealed, or one of the log's own leaves.

use super::entity::{Actor, Resource};
use super::json_text::Json;
use super::members::Event;
use crate::hash::Hash;
use crate::seq::{Seq, TreeSize};
use crate::time::Timestamp;

/// An event that the log has sealed with a Seq and a time of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its position in the log.
    pub seq: Seq,
    /// When the log took it, by the log's clock: the log's claim.
    pub recorded_at: Timestamp,
    /// Its leaf in the log's tree.
    pub leaf_hash: Hash,
    /// Whose record it is.
    pub kind: RecordKind,
    /// The event, with `id` and `occurred_at` filled in; for an anchor a view of it
    /// as an event.
    pub event: Event,
    /// What it binds, if it is an anchor.
    pub anchor: Option<Anchor>,
    /// Whether its payload could be read: if not, the event has only what stands in the
    /// envelope.
    pub payload: PayloadState,
}

/// Whether the payload of a record could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PayloadState {
    /// It is stored as it is.
    Plain,
    /// It is stored encrypted, and was decrypted.
    Decrypted,
    /// It is stored encrypted, and its key is not at hand: there is no key store here, or
    /// none that has the key.
    Sealed,
    /// It is stored encrypted, and its key was destroyed: the catalog has the certificate.
    Erased,
    /// The proof that the record comes from does not show it.
    Withheld,
}

impl PayloadState {
    /// Whether the payload's fields are in the event.
    pub const fn is_shown(self) -> bool {
        matches!(self, PayloadState::Plain | PayloadState::Decrypted)
    }

    /// `sealed`, `erased` or `withheld`, as in JSON, if the payload's fields are not in the
    /// event.
    pub const fn absence(self) -> Option<&'static str> {
        match self {
            PayloadState::Sealed => Some("sealed"),
            PayloadState::Erased => Some("erased"),
            PayloadState::Withheld => Some("withheld"),
            PayloadState::Plain | PayloadState::Decrypted => None,
        }
    }
}

/// Whose record it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordKind {
    /// An event that a caller gave.
    Event,
    /// The log's own leaf that binds the catalog to a signed head.
    Anchor,
}

/// What binds the catalog to the main tree: the last leaf under every signed head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// Records in the catalog.
    pub catalog_size: TreeSize,
    /// Root of the catalog's tree at that size.
    pub catalog_root: Hash,
    /// Root of the Merkle map of what the catalog says is in force.
    pub state_root: Hash,
}

impl RecordKind {
    /// The code on disk: 1 event, 2 anchor.
    pub const fn code(self) -> u8 {
        match self {
            RecordKind::Event => 1,
            RecordKind::Anchor => 2,
        }
    }

    /// The kind with this code, if there is one.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(RecordKind::Event),
            2 => Some(RecordKind::Anchor),
            _ => None,
        }
    }
}

impl Record {
    /// The record of a caller's event.
    pub fn of_event(seq: Seq, recorded_at: Timestamp, leaf_hash: Hash, event: Event) -> Self {
        let kind = RecordKind::Event;
        let payload = PayloadState::Plain;
        Record { seq, recorded_at, leaf_hash, kind, event, anchor: None, payload }
    }

    /// The same, with another state of its payload.
    #[must_use]
    pub fn with_payload(mut self, state: PayloadState) -> Self {
        self.payload = state;
        self
    }

    /// The record of an anchor. Its event is a view for listings: done by the actor
    /// `system`/`bulla` when it was recorded, with the anchor in its details.
    pub fn of_anchor(seq: Seq, recorded_at: Timestamp, leaf_hash: Hash, anchor: Anchor) -> Self {
        // As text: the order of a map's members depends on how serde_json was built.
        let details = format!(
            r#"{{"catalog_root":"{}","catalog_size":{},"state_root":"{}"}}"#,
            anchor.catalog_root,
            anchor.catalog_size.get(),
            anchor.state_root
        );
        let actor = Actor::new(Anchor::ACTOR_KIND, Anchor::ACTOR_ID);
        let event = Event::new(actor, Anchor::ACTION, Resource::kind_only(Anchor::RESOURCE_KIND))
            .occurred_at(recorded_at)
            .details(Json::from_checked(&details));
        let kind = RecordKind::Anchor;
        let payload = PayloadState::Plain;
        Record { seq, recorded_at, leaf_hash, kind, event, anchor: Some(anchor), payload }
    }
}

impl Anchor {
    /// `actor.type` of an anchor seen as an event.
    pub const ACTOR_KIND: &str = "system";
    /// `actor.id` of an anchor seen as an event.
    pub const ACTOR_ID: &str = "bulla";
    /// `action` of an anchor seen as an event.
    pub const ACTION: &str = "bulla.anchor";
    /// `resource.type` of an anchor seen as an event.
    pub const RESOURCE_KIND: &str = "catalog";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_is_seen_as_an_event_that_no_caller_can_give() {
        let anchor = Anchor {
            catalog_size: TreeSize::new(9),
            catalog_root: Hash::from_bytes([1; 32]),
            state_root: Hash::from_bytes([2; 32]),
        };
        let time = Timestamp::from_nanos(5);
        let record = Record::of_anchor(Seq::new(3), time, Hash::ZERO, anchor);
        assert_eq!(record.event.occurred_at, Some(time));
        assert_eq!(record.event.validate().map_err(|invalid| invalid.field), Err("action"));
        let details = record.event.details.unwrap().to_value().unwrap();
        assert_eq!(details["catalog_size"], 9);
        assert_eq!(details["state_root"], "02".repeat(32));
    }

    #[test]
    fn kinds_have_codes() {
        for kind in [RecordKind::Event, RecordKind::Anchor] {
            assert_eq!(RecordKind::from_code(kind.code()), Some(kind));
        }
        assert_eq!(RecordKind::from_code(0), None);
        assert_eq!(RecordKind::from_code(3), None);
    }
}
