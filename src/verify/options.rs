//! What a verification is asked to do.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use crate::checkpoint::{UnverifiedCheckpoint, VerifyingKey};
use crate::directory::LogDir;
use crate::disk::{Disk, RealDisk};
use crate::format::LogId;
use crate::keystore::KeyStore;
use crate::time::{Clock, SystemClock};
use std::path::Path;

/// What changes under the reader is read so often at most.
const READINGS: u32 = 8;
/// Time for a writer to finish a write.
const WRITER_GRACE: Duration = Duration::from_millis(3);

/// What to compare the log with, and how.
#[derive(Clone, Debug)]
#[must_use]
pub struct VerifyOptions {
    pub(super) checkpoints: Vec<UnverifiedCheckpoint>,
    pub(super) since: Option<UnverifiedCheckpoint>,
    pub(super) keys: Vec<VerifyingKey>,
    pub(super) threads: Option<NonZeroUsize>,
    pub(super) at_rest: bool,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) key_store: Option<KeyStore>,
    pub(super) clock: Arc<dyn Clock>,
}

impl VerifyOptions {
    /// The directory of the log at this path.
    pub(super) fn dir(&self, path: &Path, log_id: LogId) -> LogDir {
        LogDir::new(Arc::clone(&self.disk), Arc::clone(&self.clock), path, log_id)
    }

    /// The log against itself: its own hashes, catalog and published checkpoints.
    pub fn new() -> Self {
        VerifyOptions {
            checkpoints: Vec::new(),
            since: None,
            keys: Vec::new(),
            threads: None,
            at_rest: false,
            disk: Arc::new(RealDisk),
            key_store: None,
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// Also against a checkpoint that was kept elsewhere: this is what shows that history
    /// was not rewritten by somebody who has the key.
    pub fn checkpoint(mut self, checkpoint: UnverifiedCheckpoint) -> Self {
        self.checkpoints.push(checkpoint);
        self
    }

    /// Only what came after a checkpoint that was kept since all before it was verified:
    /// whole segments below it are not read again. The stored hashes must still lead to its
    /// root, so what was appended since extends the log that was verified then; that the old
    /// bytes are still there, unrotten, is not looked at ([`Report::not_read`] says which).
    ///
    /// [`Report::not_read`]: super::Report::not_read
    pub fn since(mut self, checkpoint: UnverifiedCheckpoint) -> Self {
        self.since = Some(checkpoint);
        self
    }

    /// Checks the signatures of all checkpoints by this key, too.
    pub fn key(mut self, key: VerifyingKey) -> Self {
        self.keys.push(key);
        self
    }

    /// Checks and hashes in so many threads (1 or more; 0 counts as 1). By default as many
    /// as the machine runs at a time. The report is the same with any number.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = NonZeroUsize::new(threads.max(1));
        self
    }

    /// Nobody is writing this log: it is a copy, or its service is stopped. What looks
    /// wrong is then believed at once; otherwise it is read again, for a writer may have been
    /// in the middle of a write.
    pub fn at_rest(mut self) -> Self {
        self.at_rest = true;
        self
    }

    /// With the log's key store: encrypted payloads whose keys are in it are decrypted, and
    /// must be those that the log committed to. Without it all hashes are checked as well,
    /// but not that.
    pub fn key_store(mut self, store: KeyStore) -> Self {
        self.key_store = Some(store);
        self
    }

    /// By another clock than that of the system: it shows seals whose time is yet to come.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// On another disk than the file system.
    pub fn disk(mut self, disk: Arc<dyn Disk>) -> Self {
        self.disk = disk;
        self
    }

    /// How often what looks wrong is read before it is believed.
    pub(super) fn readings(&self) -> u32 {
        if self.at_rest { 1 } else { READINGS }
    }

    /// Gives a writer the time to finish a write.
    pub(super) fn wait_for_writer(&self) {
        if !self.at_rest {
            std::thread::sleep(WRITER_GRACE);
        }
    }

    pub(super) fn thread_count(&self) -> usize {
        let available = || std::thread::available_parallelism().ok();
        // More would only wait for the one that reads.
        self.threads.or_else(available).map_or(1, |threads| threads.get().min(64))
    }
}

impl Default for VerifyOptions {
    fn default() -> Self {
        VerifyOptions::new()
    }
}
