#![doc = include_str!("../README.md")]
#[cfg(feature = "engine")]
pub mod catalog;
pub mod checkpoint;
#[cfg(feature = "engine")]
pub mod disk;
#[cfg(doc)]
pub mod docs;
#[cfg(feature = "engine")]
pub mod error;
pub mod event;
pub mod format;
pub mod hash;
#[cfg(feature = "engine")]
pub mod index;
pub mod keys;
#[cfg(feature = "engine")]
pub mod log;
pub mod merkle;
pub mod proof;
pub mod query;
#[cfg(feature = "engine")]
pub mod random;
pub mod retention;
#[cfg(feature = "engine")]
pub mod segment;
pub mod seq;
pub mod terms;
pub mod tiles;
pub mod time;
#[cfg(feature = "engine")]
pub mod tree;
pub mod trust;
pub mod witness;

pub use checkpoint::{SigningKey, UnverifiedCheckpoint, VerifiedCheckpoint, VerifyingKey};
#[cfg(feature = "engine")]
pub use error::{Error, Result};
pub use event::{Actor, Event, EventId, InvalidEvent, Json, Outcome, Record, Resource};
pub use hash::{Hash, HashAlgorithm};
#[cfg(feature = "engine")]
pub use log::{
    BatchReceipt, CancelToken, Durability, ExpireOptions, Expiry, Explain, Finding, Gap,
    GapVerdict, GroupBy, Housekeeping, Log, LogAdmin, LogOptions, LogReader, Matches, NotRead,
    Progress, Receipt, RecordView, Recovery, Report, SegmentInfo, SegmentStatus, Signer, Snapshot,
    Stats, Subscription, Ticket, TileReader, VerifyOptions, generate_recovery_key,
    load_recovery_key, verify,
};
pub use merkle::TreeHead;
pub use proof::{Disclosure, TlogProof, VerifiedRecord};
pub use query::{Cursor, Query};
pub use retention::{Asked, DropCertificate, Hold, HoldScope, Period, Policy, Preset};
pub use seq::{Seq, TreeSize};
pub use time::Timestamp;
pub use trust::Trust;
