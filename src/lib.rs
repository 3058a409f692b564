#![doc = include_str!("../README.md")]
#[cfg(feature = "engine")]
pub mod access;
#[cfg(feature = "engine")]
pub mod archive;
#[cfg(feature = "engine")]
pub mod catalog;
pub mod checkpoint;
#[cfg(feature = "engine")]
pub mod cipher;
#[cfg(feature = "engine")]
mod directory;
#[cfg(feature = "engine")]
pub mod disk;
#[cfg(doc)]
pub mod docs;
#[cfg(feature = "engine")]
mod engine;
#[cfg(feature = "engine")]
pub mod error;
pub mod event;
pub mod format;
pub mod hash;
#[cfg(feature = "engine")]
pub mod index;
pub mod keys;
#[cfg(feature = "engine")]
pub mod keystore;
#[cfg(feature = "engine")]
pub mod log;
pub mod merkle;
#[cfg(feature = "engine")]
mod options;
pub mod proof;
#[cfg(feature = "engine")]
mod prove;
pub mod query;
#[cfg(feature = "engine")]
pub mod random;
#[cfg(feature = "engine")]
mod ranked;
#[cfg(feature = "engine")]
mod read;
#[cfg(feature = "engine")]
mod recover;
pub mod redact;
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
#[cfg(feature = "engine")]
pub mod vault;
#[cfg(feature = "engine")]
mod verify;
pub mod witness;
#[cfg(feature = "engine")]
mod write;

#[cfg(feature = "engine")]
pub use access::{AccessLog, Accessor};
pub use checkpoint::{SigningKey, UnverifiedCheckpoint, VerifiedCheckpoint, VerifyingKey};
#[cfg(feature = "engine")]
pub use error::{Error, Result};
pub use event::{
    Actor, Event, EventId, InvalidEvent, Json, Outcome, PayloadState, Record, Resource, SpanId,
    Target, TraceId,
};
pub use hash::{Hash, HashAlgorithm};
#[cfg(feature = "engine")]
pub use keystore::{KeyStore, WrappingKey};
#[cfg(feature = "engine")]
pub use log::{
    ArchivedCopy, BatchReceipt, CancelToken, Durability, ErasureCertificate, ExpireOptions, Expiry,
    Explain, Finding, Gap, GapVerdict, GroupBy, Housekeeping, Log, LogAdmin, LogOptions, LogReader,
    Matches, NotRead, OnceReceipt, Progress, Receipt, RecordView, RecordedProtection, Recovery,
    Report, Restoration, SegmentInfo, SegmentStatus, Signer, Snapshot, Stats, SubjectRule,
    Subscription, Ticket, TileReader, VerifyOptions, generate_recovery_key, load_recovery_key,
    verify,
};
pub use merkle::TreeHead;
pub use proof::{Disclosure, TlogProof, VerifiedRecord};
pub use query::{Cursor, Query};
pub use redact::Redactor;
pub use retention::{Asked, DropCertificate, Hold, HoldScope, Period, Policy, Preset};
pub use seq::{Seq, TreeSize};
pub use time::Timestamp;
pub use trust::Trust;
#[cfg(feature = "engine")]
pub use vault::{Vault, VaultOptions};
