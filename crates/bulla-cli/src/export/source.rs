//! What can be exported: a tree, its entries and its signed heads.

use std::path::{Path, PathBuf};

use bulla::checkpoint::UnverifiedCheckpoint;
use bulla::proof::CATALOG_ORIGIN_SUFFIX;
use bulla::{Error, Log, LogReader, TileReader, TreeSize};

use super::{ListedSegment, SegmentList};

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

    /// The sealed segments that end at this size or before; `None`: no index is of them.
    ///
    /// # Errors
    /// I/O.
    fn segments(&self, size: TreeSize) -> Result<Option<SegmentList>, Error>;
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

    fn segments(&self, size: TreeSize) -> Result<Option<SegmentList>, Error> {
        let mut segments = Vec::new();
        for segment in self.reader.segments()? {
            let Some(index_root) = segment.index_root else { continue };
            let (first, count) = (segment.first.next_seq(), segment.count);
            let listed = ListedSegment { first, count, index_root };
            if count > 0 && listed.end() <= size {
                segments.push(listed);
            }
        }
        let log_id = self.reader.stats()?.log_id.to_string();
        Ok(Some(SegmentList { origin: self.reader.origin().to_owned(), log_id, segments }))
    }
}

/// The catalog of a log: what was created, sealed, signed and dropped, in a SHA-256 tree
/// whatever the hash of the log is. Only a BLAKE3 log signs its heads, for other people's
/// tools; a record of it binds every head of the log.
#[derive(Debug)]
pub struct CatalogLog {
    dir: PathBuf,
    origin: String,
    reader: LogReader,
}

impl CatalogLog {
    /// Opens the catalog of a log for reading, also while a service writes to it.
    ///
    /// # Errors
    /// As [`Log::open_read_only`].
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let reader = Log::open_read_only(dir)?;
        let origin = format!("{}{CATALOG_ORIGIN_SUFFIX}", reader.origin());
        Ok(CatalogLog { dir: dir.to_owned(), origin, reader })
    }
}

impl Source for CatalogLog {
    fn dir(&self) -> &Path {
        &self.dir
    }

    fn origin(&self) -> &str {
        &self.origin
    }

    fn checkpoint_sizes(&self) -> Result<Vec<TreeSize>, Error> {
        self.reader.catalog_checkpoint_sizes()
    }

    fn checkpoint(&self, size: TreeSize) -> Result<UnverifiedCheckpoint, Error> {
        self.reader.catalog_checkpoint_of(size)?.ok_or_else(|| no_checkpoint(size))
    }

    fn tiles(&self, size: TreeSize) -> Result<TileReader, Error> {
        self.reader.catalog_tiles(size)
    }

    fn segments(&self, _size: TreeSize) -> Result<Option<SegmentList>, Error> {
        Ok(None)
    }
}

fn no_checkpoint(size: TreeSize) -> Error {
    Error::Proof { reason: format!("expected a published checkpoint of size {size}, found none") }
}
