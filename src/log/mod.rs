//! An open log, as callers see it: one handle, verbs, and what they give.
//!
//! What is read and proved, is read and proved of a [`Snapshot`].

// - `handle`, `verbs`: `Log`; `open`: how one is created and opened; `append`, `once`: appending;
//   `subscribe`: records as they come;
// - `follow`: `LogReader`, a log that another process writes; `admin`: `LogAdmin`;
// - `retention`, `keys`, `archive`: administration, each behind a handle.
mod admin;
mod append;
mod archive;
mod follow;
mod handle;
mod keys;
mod once;
mod open;
mod retention;
mod subscribe;
mod verbs;

pub use crate::catalog::HistoryEntry;
pub use crate::directory::quarantine::QuarantinedBytes;
pub use crate::engine::archiving::ArchivedCopy;
pub use crate::engine::erase::ErasureCertificate;
pub use crate::engine::restoring::RestoredSegment;
pub use crate::engine::retain::{ExpireOptions, Expiry, HeldSegments};
pub use crate::engine::signer::{Signer, generate_recovery_key, load_recovery_key};
pub use crate::engine::ticket::Ticket;
pub use crate::options::{Durability, Housekeeping, LogOptions, SubjectRule};
pub use crate::prove::Disclosure;
pub use crate::prove::tiles::TileReader;
pub use crate::read::catalog_view::CatalogView;
pub use crate::read::protection::RecordedProtection;
pub use crate::read::published::Checkpoints;
pub use crate::read::recorded::{RecordedHold, RecordedPolicy, Release};
pub use crate::read::records::Records;
pub use crate::read::search::{
    Bucket, CancelToken, Explain, Extent, Group, GroupBy, Matches, RecordView,
};
pub use crate::read::snapshot::Snapshot;
pub use crate::read::stats::{SegmentInfo, SegmentStatus, Stats};
pub use crate::recover::recovery::Recovery;
pub use crate::verify::{
    Finding, Gap, GapVerdict, NotRead, Progress, Report, VerifyOptions, verify,
};
pub use crate::write::receipt::{BatchReceipt, Receipt};
pub use admin::LogAdmin;
pub use archive::Archive;
pub use follow::LogReader;
pub use handle::Log;
pub use keys::Keys;
pub use once::OnceReceipt;
pub use retention::Retention;
pub use subscribe::Subscription;

/// The payload of a record, borrowed from its bytes: what [`RecordView::payload`] gives.
pub mod payload {
    pub use crate::format::body::{JsonText, Names, Payload, Redaction, Since3, Tags};
}
