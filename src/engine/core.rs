//! What all parts of an open log share.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::disk::DiskFile;
use crate::engine::once::ids::Once;
use crate::error::Error;
use crate::ranked::{Mutex, RwLock};
use crate::read::segment_set::SegmentSet;
use crate::read::shared::Shared;
use crate::read::snapshot::Snapshot;
use crate::recover::recovery::Recovery;
use crate::tree::TreeStore;
use crate::tree::mark::RecoveryPointFile;
use crate::write::group_commit::GroupCommit;
use crate::write::housekeeper::Nudge;
use crate::write::writer::{Ahead, Writer};

/// An open log. Its locks are taken in the order of [`Rank`](crate::ranked::Rank).
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) shared: Arc<Shared>,
    /// The LOCK file, locked for as long as the log is open.
    pub(crate) lock: Arc<dyn DiskFile>,
    pub(crate) view: Arc<SegmentSet>,
    pub(crate) tree: Arc<TreeStore>,
    /// Callers.
    pub(crate) commits: GroupCommit,
    /// The leader.
    pub(crate) writer: Mutex<Writer>,
    /// Leader and housekeeper.
    pub(crate) ahead: Arc<Mutex<Ahead>>,
    /// The housekeeper; one at a time.
    pub(crate) upkeep: Mutex<Upkeep>,
    /// Held while a head is signed.
    pub(crate) signing: Mutex<()>,
    /// In a log with a key store: shared by who encrypts until that is queued, taken whole by
    /// who erases.
    pub(crate) encrypting: RwLock<()>,
    pub(crate) nudge: Arc<Nudge>,
    /// Which event ids the newest records have.
    pub(crate) once: Arc<Once>,
    pub(crate) committer: Mutex<Option<JoinHandle<()>>>,
    pub(crate) recovery: Recovery,
}

impl Core {
    /// The log as it is now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot::of_log(&self.view, &self.shared, &self.tree)
    }
}

/// What the housekeeper owns.
#[derive(Debug)]
pub(crate) struct Upkeep {
    pub(crate) marks: RecoveryPointFile,
    /// Records at the last look, and when that was, by the monotonic clock.
    pub(crate) seen: (u64, Duration),
    pub(crate) synced_at: Duration,
    /// Why the last round left a full segment unsealed, if it did.
    pub(crate) not_sealed: Option<Error>,
}
