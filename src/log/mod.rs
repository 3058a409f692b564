//! The engine: an open log, one verb a file.
//!
//! - `handle`, `verbs`: [`Log`]; `options`, `open`, `recover`, `settle`: how one is opened;
//!   `closing`: how it is closed;
//! - `append`, `receipt`, `ticket`: what callers do; `encode`: events as bytes; `once`: events that
//!   are appended once, by their id;
//! - `commit`: group commit, which knows no log; `writer`: what the leader of a commit does;
//!   `commits`: the one behind the other;
//! - `core`, `catalog_state`: what the parts of an open log share;
//! - `housekeeper`: the background thread of all logs; `upkeep`: what it does for one of them;
//! - `subscribe`, `watch`: records as they come;
//! - `search`: queries; `indexes`: index files, written and made again; `index_cache`: kept open;
//! - `entry`, `view`: the segments that readers know; `read`: snapshots; `decode`: records from their
//!   bytes; `follow`: readers in other processes; `unknown`: placeholders for records whose fate is
//!   unknown, because both catalog copies are damaged;
//! - `shared`, `snapshot`, `catalog_view`: everything that is read of a log; `prove`: proofs; `tiles`:
//!   the form that others read;
//! - `sign`, `published`, `keys`: checkpoints, cosignatures, changes of keys;
//! - `archiving`, `restoring`, `archive_handle`: segments to an archive, and back;
//! - `retain`: policy, legal holds, expiry;
//! - `protect`: encryption and aliases; `protection`: what of them is on record; `opener`: reading
//!   what is encrypted; `erase`;
//! - `verify`: re-reads everything;
//! - `stats`: what there is.
//!
//! A module names only modules below it, so this file, which names them all, is named by none.

mod append;
mod archive_handle;
mod archiving;
mod catalog_state;
mod catalog_view;
mod closing;
mod commit;
mod commits;
mod core;
mod decode;
mod encode;
mod entry;
mod erase;
mod follow;
mod handle;
mod housekeeper;
mod immutable;
mod index_cache;
mod indexes;
mod keys;
mod once;
mod open;
mod opener;
mod options;
mod protect;
mod protection;
mod prove;
mod published;
mod read;
mod receipt;
mod recover;
mod recovery;
mod restoring;
mod retain;
mod search;
mod settle;
mod shared;
mod sign;
mod signer;
mod snapshot;
mod stats;
mod subscribe;
mod ticket;
mod tiles;
mod unknown;
mod upkeep;
mod verbs;
mod verify;
mod view;
mod watch;
mod writer;

pub use crate::directory::quarantine::SetAside;
pub use archive_handle::Archive;
pub use archiving::ArchivedCopy;
pub use catalog_view::CatalogView;
pub use erase::ErasureCertificate;
pub use follow::LogReader;
pub use handle::Log;
pub use keys::Keys;
pub use once::OnceReceipt;
pub use options::{Durability, Housekeeping, LogOptions, SubjectRule};
pub use protection::RecordedProtection;
pub use prove::Disclosure;
pub use published::Checkpoints;
pub use read::Records;
pub use receipt::{BatchReceipt, Receipt};
pub use recovery::Recovery;
pub use restoring::Restoration;
pub use retain::{
    ExpireOptions, Expiry, LogAdmin, Pinned, RecordedHold, RecordedPolicy, Release, Retention,
};
pub use search::{CancelToken, Explain, Group, GroupBy, Matches, RecordView, Seen, Step};
pub use signer::{Signer, SignerError, generate_recovery_key, load_recovery_key};
pub use snapshot::Snapshot;
pub use stats::{SegmentInfo, SegmentStatus, Stats};
pub use subscribe::Subscription;
pub use ticket::Ticket;
pub use tiles::TileReader;
pub use verify::{Finding, Gap, GapVerdict, NotRead, Progress, Report, VerifyOptions, verify};
