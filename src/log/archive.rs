//! [`Archive`]: segments to an archive, and back.

use crate::archive::ArchiveStore;
use crate::engine::archiving::ArchivedCopy;
use crate::engine::restoring::RestoredSegment;
use crate::error::Result;
use crate::log::handle::Log;
use crate::retention::Attribution;

/// Copies segments of a log to an archive, and brings them back. How an expiry archives what it
/// drops: [`ExpireOptions::archive_to`](crate::ExpireOptions::archive_to).
#[derive(Clone, Copy, Debug)]
pub struct Archive<'a> {
    log: &'a Log,
}

impl<'a> Archive<'a> {
    pub(crate) fn new(log: &'a Log) -> Self {
        Archive { log }
    }

    /// Copies a sealed segment into an archive, reads the copy back, verifies it, and records
    /// in the catalog where it is. The segment stays.
    ///
    /// Sign a checkpoint before ([`Log::checkpoint`](crate::Log::checkpoint)): then the folder shows, by itself and to
    /// anybody with the log's key, that its records are the log's. To archive again what is
    /// there already verifies it again.
    ///
    /// # Errors
    /// No such sealed segment, or it was dropped; the archive lies in the log's directory, or
    /// has other bytes in the folder; `Corrupt` if the segment or its copy is damaged;
    /// `CatalogDamaged`, `DiskFull`, I/O.
    pub fn copy(
        &self,
        ordinal: u64,
        store: &dyn ArchiveStore,
        asked: &Attribution,
    ) -> Result<ArchivedCopy> {
        self.log.core().archive(ordinal, store, asked)
    }

    /// Brings a dropped segment back from a folder of an archive: verifies the folder, compares
    /// it with what the catalog says of the segment and of its copy, copies it, records that,
    /// and from then on queries see its records again. It is not dropped again by itself.
    ///
    /// # Errors
    /// `Corrupt` if the folder does not hold; `Tampered` if it is not of the segment that was
    /// dropped; the segment is here already, or is none of this log; the archive lies in the
    /// log's directory; `CatalogDamaged`, `DiskFull`, I/O. After an I/O error the segment may
    /// come back when the log is opened.
    pub fn restore(
        &self,
        store: &dyn ArchiveStore,
        folder: &str,
        asked: &Attribution,
    ) -> Result<RestoredSegment> {
        self.log.core().restore(store, folder, asked)
    }

    /// The dropped segments of this log that an archive has, ascending, each with its folder
    /// there: what [`Archive::restore`] can bring back. What is in the folders is not verified.
    ///
    /// # Errors
    /// A manifest that is none; `CatalogDamaged`; I/O.
    pub fn restorable_in(&self, store: &dyn ArchiveStore) -> Result<Vec<(u64, String)>> {
        self.log.core().restorable_in(store)
    }
}
