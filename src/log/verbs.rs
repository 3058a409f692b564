//! The verbs of [`Log`] that are not of one room: opening, syncing, reading what is there now.

use std::path::Path;
use std::sync::Arc;

use crate::catalog::HistoryEntry;
use crate::error::Result;
use crate::event::Record;
use crate::format::LogId;
use crate::hash::HashAlgorithm;
use crate::log::follow::LogReader;
use crate::log::handle::Log;
use crate::log::options::LogOptions;
use crate::log::read::Snapshot;
use crate::log::recovery::Recovery;
use crate::log::search::Matches;
use crate::log::writer::Writer;
use crate::query::Query;
use crate::seq::{Seq, TreeSize};

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

    /// Ends the active segment, unless it is empty. It is sealed before this returns.
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

    /// The log as it is now, to read from.
    pub fn snapshot(&self) -> Snapshot {
        self.core().view.snapshot(Some(Arc::clone(&self.core().tree)))
    }

    /// The record with this Seq.
    ///
    /// # Errors
    /// `NotWritten` beyond the end; `Corrupt` if it is damaged; I/O.
    pub fn get(&self, seq: Seq) -> Result<Record> {
        self.snapshot().get(seq)
    }

    /// The records that a query asks for, as of now.
    ///
    /// # Errors
    /// A cursor that belongs to another query.
    pub fn query(&self, query: &Query) -> Result<Matches> {
        self.snapshot().query(query)
    }

    /// Number of records.
    pub fn size(&self) -> TreeSize {
        self.core().view.size()
    }

    /// The log's public name.
    pub fn origin(&self) -> &str {
        &self.core().origin
    }

    /// The log's identity, drawn when it was created.
    pub fn log_id(&self) -> LogId {
        self.core().dir.log_id()
    }

    /// The hash of its tree.
    pub fn algorithm(&self) -> HashAlgorithm {
        self.core().algorithm
    }

    /// What opening it found.
    pub fn recovery(&self) -> &Recovery {
        &self.core().recovery
    }

    /// The records of the log's own log, oldest first.
    ///
    /// # Errors
    /// `CatalogDamaged`, I/O.
    pub fn history(&self) -> Result<Vec<HistoryEntry>> {
        self.core().catalog.lock().good()?.history()
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
