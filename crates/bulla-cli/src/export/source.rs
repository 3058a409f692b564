//! What can be exported: a tree, its entries and its signed heads.

use std::path::{Path, PathBuf};

use bulla::checkpoint::UnverifiedCheckpoint;
use bulla::{Error, Log, LogReader, TileReader, TreeSize};

/// A tree with entries and published checkpoints.
pub trait Source {
    /// The directory of the log, which is never served.
    fn dir(&self) -> &Path;

    /// The origin of its checkpoints.
    fn origin(&self) -> &str;

    /// The sizes of its published checkpoints, smallest first.
    ///
    /// # Errors
    /// I/O.
    fn checkpoint_sizes(&self) -> Result<Vec<TreeSize>, Error>;

    /// A published checkpoint.
    ///
    /// # Errors
    /// There is none of this size; a file that is not a checkpoint; I/O.
    fn checkpoint(&self, size: TreeSize) -> Result<UnverifiedCheckpoint, Error>;

    /// Its hashes and entries, under the head of this size.
    ///
    /// # Errors
    /// It has fewer records; damage; I/O.
    fn tiles(&self, size: TreeSize) -> Result<TileReader, Error>;
}

/// The records of a log.
#[derive(Debug)]
pub struct MainLog {
    dir: PathBuf,
    reader: LogReader,
}

impl MainLog {
    /// Opens a log for reading, also while a service writes to it.
    ///
    /// # Errors
    /// As [`Log::open_read_only`].
    pub fn open(dir: &Path) -> Result<Self, Error> {
        Ok(MainLog { dir: dir.to_owned(), reader: Log::open_read_only(dir)? })
    }
}

impl Source for MainLog {
    fn dir(&self) -> &Path {
        &self.dir
    }

    fn origin(&self) -> &str {
        self.reader.origin()
    }

    fn checkpoint_sizes(&self) -> Result<Vec<TreeSize>, Error> {
        self.reader.checkpoint_sizes()
    }

    fn checkpoint(&self, size: TreeSize) -> Result<UnverifiedCheckpoint, Error> {
        self.reader.checkpoint_of(size)?.ok_or_else(|| no_checkpoint(size))
    }

    fn tiles(&self, size: TreeSize) -> Result<TileReader, Error> {
        // The checkpoint may be newer than what was read when the log was opened.
        self.reader.refresh()?;
        self.reader.snapshot_with_tree()?.tiles(size)
    }
}

fn no_checkpoint(size: TreeSize) -> Error {
    Error::Proof { reason: format!("expected a published checkpoint of size {size}, found none") }
}
