//! The directory of a log: which log it is, and where each of its files is.
//!
//! - `lock`: the LOCK file, by which one process writes at a time;
//! - `identity`: whether there is a log, and which one;
//! - `checkpoints`: the signed heads that were published;
//! - `quarantine`: what recovery set aside.

pub(crate) mod certificates;
pub(crate) mod checkpoints;
pub(crate) mod identity;
pub(crate) mod lock;
pub(crate) mod quarantine;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::format::{LogId, names};
use crate::hash::HashAlgorithm;
use crate::seq::TreeSize;
use crate::time::Clock;

/// A log's directory, with what its files are read and timed by. [`names`] has the names.
#[derive(Clone, Debug)]
pub(crate) struct LogDir {
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    path: PathBuf,
    log_id: LogId,
}

impl LogDir {
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        path: &Path,
        log_id: LogId,
    ) -> Self {
        LogDir { disk, clock, path: path.to_owned(), log_id }
    }

    pub(crate) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    /// The disk, to be kept.
    pub(crate) fn shared_disk(&self) -> Arc<dyn Disk> {
        Arc::clone(&self.disk)
    }

    /// The clock, to be kept.
    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    pub(crate) fn shared_clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn log_id(&self) -> LogId {
        self.log_id
    }

    /// The directory of the main log.
    pub(crate) fn segments(&self) -> PathBuf {
        self.path.join(names::SEGMENTS)
    }

    pub(crate) fn segment(&self, ordinal: u64) -> PathBuf {
        self.segments().join(names::segment(ordinal))
    }

    pub(crate) fn index(&self, ordinal: u64) -> PathBuf {
        self.segments().join(names::index(ordinal))
    }

    /// Makes the names in the directory of the main log durable.
    pub(crate) fn sync_segments(&self) -> Result<()> {
        let dir = self.segments();
        self.disk.sync_dir(&dir).map_err(Error::sync(&dir))
    }

    pub(crate) fn catalog(&self) -> PathBuf {
        self.path.join(names::CATALOG)
    }

    pub(crate) fn tree(&self) -> PathBuf {
        self.path.join(names::TREE)
    }

    pub(crate) fn checkpoints(&self) -> PathBuf {
        self.path.join(names::CHECKPOINTS)
    }

    /// Where the checkpoint of this size is published.
    pub(crate) fn checkpoint(&self, algorithm: HashAlgorithm, size: TreeSize) -> PathBuf {
        self.checkpoints().join(names::checkpoint(algorithm, size))
    }

    pub(crate) fn quarantine(&self) -> PathBuf {
        self.path.join(names::QUARANTINE)
    }

    pub(crate) fn lock_file(&self) -> PathBuf {
        self.path.join(names::LOCK)
    }
}

/// Where the copy of a file that is restored is until it is in its place.
pub(crate) fn restoring(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(names::restoring(&name))
}
