//! The verbs of [`Log`] that are not of one room: opening, syncing, reading what is there now.

use std::path::Path;

use crate::checkpoint::SignedCheckpoint;
use crate::engine::signer::Signer;
use crate::error::Result;
use crate::format::LogId;
use crate::hash::HashAlgorithm;
use crate::log::archive::Archive;
use crate::log::follow::LogReader;
use crate::log::handle::Log;
use crate::log::keys::Keys;
use crate::log::retention::Retention;
use crate::options::LogOptions;
use crate::read::published::Checkpoints;
use crate::read::snapshot::Snapshot;
use crate::recover::recovery::Recovery;
use crate::seq::TreeSize;
use crate::write::writer::Writer;

impl Log {
    /// Options to create or open a log with.
    pub fn options() -> LogOptions {
        LogOptions::new()
    }

    /// Creates a log with default options; see [`LogOptions::create`].
    ///
    /// # Errors
    /// `Exists` if there is one; I/O.
    pub fn create(path: impl AsRef<Path>) -> Result<Log> {
        LogOptions::new().create(path)
    }

    /// Opens a log with default options; see [`LogOptions::open`].
    ///
    /// # Errors
    /// `NotALog` if there is none, `Locked`, `Corrupt`, `Tampered`, `Unsupported`; I/O.
    pub fn open(path: impl AsRef<Path>) -> Result<Log> {
        LogOptions::new().open(path)
    }

    /// Opens the log at this path, or creates it.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn open_or_create(path: impl AsRef<Path>) -> Result<Log> {
        LogOptions::new().open_or_create(path)
    }

    /// Opens a log for reading, also while another process writes it.
    ///
    /// # Errors
    /// As [`Log::open`], but never `Locked`.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<LogReader> {
        LogOptions::new().open_read_only(path)
    }

    /// Makes all that was appended durable, whatever the durability level.
    ///
    /// # Errors
    /// I/O: the log is poisoned then.
    pub fn sync(&self) -> Result<()> {
        self.core().with_writer(Writer::sync)
    }

    /// Ends the active segment, unless it is empty. It is sealed before this returns: a checkpoint that
    /// is signed then can prove [complete answers](crate::Snapshot::prove_query) over all its records.
    ///
    /// # Errors
    /// `DiskFull`, or `Io` if its records cannot be read now: the segment is ended, and sealed
    /// later (try again). Any other I/O error poisons the log.
    pub fn rotate(&self) -> Result<()> {
        self.core().with_writer(|writer| match &writer.active {
            Some(active) if active.count() > 0 => writer.retire(),
            _ => Ok(()),
        })?;
        self.core().keep_up_and_seal()
    }

    /// The log as it is now: what reads and proves.
    pub fn snapshot(&self) -> Snapshot {
        self.core().snapshot()
    }

    /// Number of records, the log's own included: anchors, which bind the catalog when a checkpoint is
    /// signed or a policy or hold is recorded. Queries and counts leave those out.
    pub fn size(&self) -> TreeSize {
        self.core().view.size()
    }

    /// The log's public name.
    pub fn origin(&self) -> &str {
        &self.core().shared.origin
    }

    /// The log's identity, drawn when it was created.
    pub fn log_id(&self) -> LogId {
        self.core().shared.dir.log_id()
    }

    /// The hash of its tree.
    pub fn algorithm(&self) -> HashAlgorithm {
        self.core().shared.algorithm
    }

    /// What opening it found.
    pub fn recovery(&self) -> &Recovery {
        &self.core().recovery
    }

    /// Signs the log as it is: appends an anchor that binds the catalog, makes everything
    /// durable, signs the head, records and publishes it in `checkpoints/`.
    ///
    /// If nothing happened since the last one, that one is signed again. Witnesses cosign
    /// the heads of SHA-256 logs only.
    ///
    /// # Errors
    /// `WouldFork` if the log does not extend what this key signed before (an old backup
    /// was restored?); a key of another origin or hash; `CatalogDamaged`; I/O.
    pub fn checkpoint(&self, signer: &Signer) -> Result<SignedCheckpoint> {
        self.core().checkpoint(signer)
    }

    /// Decides what may go and what must stay: policy, holds, expiry, erasure.
    pub fn retention(&self) -> Retention<'_> {
        Retention::new(self)
    }

    /// Changes the key that signs the log's heads.
    pub fn keys(&self) -> Keys<'_> {
        Keys::new(self)
    }

    /// The published checkpoints; [`Log::checkpoint`] makes one.
    pub fn checkpoints(&self) -> Checkpoints<'_> {
        Checkpoints::new(&self.core().shared)
    }

    /// Copies segments to an archive and brings them back.
    pub fn archive(&self) -> Archive<'_> {
        Archive::new(self)
    }

    /// Closes the log for all its clones: commits what is queued, seals what is full, and
    /// leaves a mark, so that the next opening is quick. Where the disk has no space for the last
    /// two, the next opening does them.
    ///
    /// # Errors
    /// I/O. What was acknowledged is safe in any case.
    pub fn close(&self) -> Result<()> {
        self.core().close()
    }
}
