//! What is exported of a log: its tree, its entries and its signed heads.

use std::path::{Path, PathBuf};

use bulla::checkpoint::UnverifiedCheckpoint;
use bulla::{Error, HashAlgorithm, Log, LogReader, TileReader, TreeSize};

use super::{ListedSegment, SegmentList};

/// A log that is exported.
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

    /// The directory of the log, which is never served.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The origin of its checkpoints.
    pub fn origin(&self) -> &str {
        self.reader.origin()
    }

    /// The hash of its tree.
    pub fn algorithm(&self) -> HashAlgorithm {
        self.reader.algorithm()
    }

    /// The sizes of its published checkpoints, smallest first.
    ///
    /// # Errors
    /// I/O.
    pub fn checkpoint_sizes(&self) -> Result<Vec<TreeSize>, Error> {
        self.reader.checkpoints().sizes()
    }

    /// A published checkpoint.
    ///
    /// # Errors
    /// There is none of this size; a file that is not a checkpoint; I/O.
    pub fn checkpoint(&self, size: TreeSize) -> Result<UnverifiedCheckpoint, Error> {
        self.reader.checkpoints().of_size(size)?.ok_or_else(|| no_checkpoint(size))
    }

    /// Its hashes and entries, under the head of this size.
    ///
    /// # Errors
    /// It has fewer records; damage; I/O.
    pub fn tiles(&self, size: TreeSize) -> Result<TileReader, Error> {
        // The checkpoint may be newer than what was read when the log was opened.
        self.reader.refresh()?;
        self.reader.snapshot().tiles(size)
    }

    /// The sealed segments that end at this size or before.
    ///
    /// # Errors
    /// I/O.
    pub fn segments(&self, size: TreeSize) -> Result<SegmentList, Error> {
        let mut segments = Vec::new();
        for segment in self.reader.snapshot().segments()? {
            let Some(index_root) = segment.index_root else { continue };
            let (first, count) = (segment.first.next_seq(), segment.count);
            let listed = ListedSegment { first, count, index_root };
            if count > 0 && listed.end() <= size {
                segments.push(listed);
            }
        }
        let log_id = self.reader.snapshot().stats()?.log_id.to_string();
        Ok(SegmentList { origin: self.reader.origin().to_owned(), log_id, segments })
    }
}

fn no_checkpoint(size: TreeSize) -> Error {
    Error::Proof { reason: format!("expected a published checkpoint of size {size}, found none") }
}
