//! Bodies of catalog records, the state they add up to, and the snapshot of both.
//!
//! The envelope of a catalog record is its state root and its fields; the payload is
//! who asked and why, which can be erased without touching a proof.

mod body;
mod codec;
mod entries;
mod erased;
mod kinds;
mod latest;
mod map;
mod protection;
mod retention;
mod rules;
mod snapshot;
mod state;

pub use body::CatalogBody;
pub use erased::Erased;
pub use kinds::{
    ClockStepped, Created, HeadSigned, KeyAdded, KeysChanged, KeysInForce, Quarantined,
    RecordedAttribution, Sealed, Unknown, kind,
};
pub use map::{Changes, StateMap};
pub use protection::ProtectionSet;
pub use retention::{
    Archived, ArchivedAt, DropAborted, DropCompleted, DropStarted, HoldPlaced, HoldReleased,
    PolicyInForce, PolicySet, Restored, status,
};
#[cfg(test)]
pub(super) use snapshot::SNAPSHOT;
pub use snapshot::Snapshot;

#[cfg(test)]
mod tests;
