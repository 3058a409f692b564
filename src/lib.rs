//! An embedded, append-only, tamper-evident storage engine for audit logs.
//!
//! A service links bulla in and appends who did what to which resource, when, from where, with what
//! result. When [`Log::append`] returns, the record is durable. Queries by actor, resource, action,
//! tenant, outcome and time are answered from indexes. Every record is a leaf of a Merkle tree
//! (RFC 6962), so that a signed checkpoint commits to the whole history: proofs of inclusion, of growth
//! and of completeness are small texts that anybody checks with the public key alone. Segments expire by
//! policy and never under a legal hold, and leave certificates in the proofs.
//!
//! # Append, read, prove, verify
//!
//! ```
//! use bulla::{Actor, Disclosure, Event, Log, Outcome, Query, Resource, Signer, TlogProof, Trust};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let dir = dir.path();
//! let log = Log::options().origin("example.com/audit").open_or_create(dir.join("audit"))?;
//! let event = Event::new(Actor::new("user", "alice"), "invoice.delete", Resource::new("invoice", "42"))
//!     .outcome(Outcome::Denied)
//!     .ip("203.0.113.9");
//! let receipt = log.append(&event)?; // durable when it returns
//!
//! // A snapshot is the log at one moment: what reads and proves.
//! for record in log.snapshot().query(&Query::new().actor("alice").limit(50))? {
//!     println!("{}", record?.to_json());
//! }
//!
//! // Sign what is there; the key lives outside the log's directory.
//! let signer = Signer::generate(&dir.join("audit.key"), log.origin(), log.algorithm())?;
//! let checkpoint = log.checkpoint(&signer)?.into_unverified();
//! let proof = log.snapshot().prove(receipt.seq, &checkpoint, Disclosure::Whole)?.to_text();
//!
//! // Elsewhere: somebody who has the proof and the public key, and neither files nor trust.
//! let trust = Trust::in_keys([signer.verifying_key().to_string().parse()?]);
//! let verified = TlogProof::parse(proof.as_bytes())?.verify_record(&trust)?;
//! assert_eq!(verified.record().seq, receipt.seq);
//! # Ok(())
//! # }
//! ```
//!
//! Answers that are proved complete cover sealed segments: call [`Log::rotate`], sign a checkpoint, then
//! [`Snapshot::prove_query`]. Name the origin when you create a log: it is part of every checkpoint and is
//! never changed.
//!
//! # What to look at
//!
//! | to | see |
//! |---|---|
//! | create and open a log | [`LogOptions`], [`Durability`], [`Recovery`] |
//! | append | [`Event`], [`Log::append`], [`Log::append_batch`], [`Log::enqueue`], [`Log::append_once`] |
//! | read and search | [`Snapshot`], [`Query`], [`Matches`], [`RecordView`]; as records come: [`Log::subscribe`] |
//! | read a log that another process writes | [`LogReader`] |
//! | know what was decided about the log | [`Snapshot::catalog`], [`log::CatalogView`] |
//! | sign, and change keys | [`Log::checkpoint`], [`Signer`], [`Log::keys`], [`Log::checkpoints`]; verify after a change: [`keys::KeyChain`], [`Trust::with_key_chain`] |
//! | prove | [`Snapshot::prove`], [`Snapshot::prove_query`], [`Snapshot::prove_consistency`] |
//! | verify what was handed over, without files | [`proof`], [`Trust`], [`mod@checkpoint`], [`witness`] |
//! | verify a whole log on disk | [`verify()`], [`VerifyOptions`], [`Report`] |
//! | keep, hold, expire, erase | [`Log::retention`], [`Policy`], [`Hold`], [`retention`] |
//! | encrypt for subjects, and use aliases | [`KeyStore`], [`LogOptions::key_store`], [`keystore`] |
//! | redact before recording | [`Redactor`], [`redact`] |
//! | archive and restore | [`Log::archive`], [`archive`] |
//! | export tiles for other tools | [`Snapshot::tiles`], [`tiles`] |
//! | keep many logs, for many tenants | [`Vault`], [`vault`] |
//! | record who reads | [`AccessLog`], [`access`] |
//! | give events ids, and times | [`EventId`], [`Timestamp`], [`time::Clock`] |
//! | act on a failure | [`Error`]: each says what was expected, what was found, where, and what to do |
//!
//! # Threads and processes
//!
//! [`Log`] is a cheap clone, `Send + Sync`, and one process at a time has a log open for writing; callers
//! of many threads share commits. Any number of processes read beside it. One background thread serves
//! all logs of a process ([`Housekeeping`]).
//!
//! # Features
//!
//! `engine` (default) is the storage engine: files, threads, the clock, randomness. Without it only the
//! words, the arithmetic and all verification of what was handed over are built, also for
//! `wasm32-unknown-unknown`. `internals` is for this repository's own tests and tools, and not stable.
//!
//! # Documents
//!
//! The documents of the repository's `docs/` stand in [`docs`]: the on-disk format, durability, queries,
//! retention, erasure, verification, the README with the command line, and others.
#![cfg_attr(not(feature = "internals"), allow(dead_code, unreachable_pub, unused_imports))] // see `internals`

#[cfg(feature = "engine")]
pub mod access;
#[cfg(feature = "engine")]
pub mod archive;
#[cfg(feature = "engine")]
mod catalog;
pub mod checkpoint;
#[cfg(feature = "engine")]
mod cipher;
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
mod format;
pub mod hash;
#[cfg(feature = "engine")]
mod index;
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
mod random;
#[cfg(feature = "engine")]
mod ranked;
#[cfg(feature = "engine")]
mod read;
#[cfg(feature = "engine")]
mod recover;
pub mod redact;
pub mod retention;
#[cfg(feature = "engine")]
mod segment;
pub mod seq;
mod terms;
pub mod tiles;
pub mod time;
#[cfg(feature = "engine")]
mod tree;
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
pub use format::{FormatError, LogId};
pub use hash::{Hash, HashAlgorithm};
#[cfg(feature = "engine")]
pub use keystore::{KeyStore, WrappingKey};
#[cfg(feature = "engine")]
pub use log::{
    ArchivedCopy, BatchReceipt, CancelToken, Durability, ErasureCertificate, ExpireOptions, Expiry,
    Explain, Finding, Gap, GapVerdict, GroupBy, Housekeeping, Log, LogAdmin, LogOptions, LogReader,
    Matches, NotRead, OnceReceipt, Progress, Receipt, RecordView, RecordedProtection, Recovery,
    Report, RestoredSegment, SegmentInfo, SegmentStatus, Signer, Snapshot, Stats, SubjectRule,
    Subscription, Ticket, TileReader, VerifyOptions, generate_recovery_key, load_recovery_key,
    verify,
};
pub use merkle::TreeHead;
pub use proof::{Disclosure, TlogProof, VerifiedRecord};
pub use query::{Cursor, Query};
pub use redact::Redactor;
pub use retention::{Attribution, DropCertificate, Hold, HoldScope, Period, Policy, Preset};
pub use seq::{Seq, TreeSize};
pub use time::Timestamp;
pub use trust::Trust;
#[cfg(feature = "engine")]
pub use vault::{Vault, VaultOptions};

/// What the tests, the fuzz targets and the tools of this repository reach besides the public API:
/// layouts, stored structures, the simulated disk. **Nothing here is stable**; names change without a
/// new version.
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod internals {
    #[cfg(feature = "engine")]
    pub mod catalog {
        pub use crate::catalog::*;
    }
    #[cfg(feature = "engine")]
    pub mod cipher {
        pub use crate::cipher::*;
    }

    pub mod format {
        pub use crate::format::*;
    }
    #[cfg(feature = "engine")]
    pub mod index {
        pub use crate::index::*;
    }
    #[cfg(feature = "engine")]
    pub mod segment {
        pub use crate::segment::*;
    }

    pub mod terms {
        pub use crate::terms::*;
    }
    #[cfg(feature = "engine")]
    pub mod tree {
        pub use crate::tree::*;
    }
}
