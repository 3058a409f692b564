//! The mark file: two slots, written in turn.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, DiskFile, Open, read_exact_at};
use crate::error::{Error, Result};
use crate::format::mark::{RecoveryPoint, SLOT_LEN};
use crate::format::{LogId, names};

/// The marks of a log: the newest valid one is where recovery starts.
#[derive(Debug)]
pub struct RecoveryPointFile {
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    generation: u64,
}

fn path(dir: &Path) -> PathBuf {
    dir.join(names::MARK)
}

impl RecoveryPointFile {
    /// Makes the file, or opens it; gives the newest valid mark of this log, if any.
    ///
    /// # Errors
    /// I/O. Damage is not an error: a mark is derived.
    pub fn open_or_create(
        disk: &dyn Disk,
        dir: &Path,
        log_id: LogId,
    ) -> Result<(Self, Option<RecoveryPoint>)> {
        let path = path(dir);
        let exists = disk.exists(&path).map_err(Error::io("look for", &path))?;
        let how = if exists { Open::ReadWrite } else { Open::CreateNew };
        let file = disk.open(&path, how).map_err(Error::io("open", &path))?;
        if !exists {
            disk.sync_dir(dir).map_err(Error::sync(dir))?;
        }
        let newest = newest(&*file, log_id);
        let generation = newest.as_ref().map_or(0, |mark| mark.generation);
        Ok((RecoveryPointFile { path, file, generation }, newest))
    }

    /// The newest valid mark, for a process that only reads.
    pub fn read(disk: &dyn Disk, dir: &Path, log_id: LogId) -> Option<RecoveryPoint> {
        let file = disk.open(&path(dir), Open::Read).ok()?;
        newest(&*file, log_id)
    }

    /// Writes over both marks and syncs that: what comes is no longer what they stand for.
    ///
    /// # Errors
    /// I/O: either still holds, or not.
    pub fn forget(&self) -> Result<()> {
        // No more than there is: on a full disk a file without marks cannot grow, and need not.
        let len = self.file.len().map_err(Error::io("look at", &self.path))?;
        let none = vec![0; usize::try_from(len).unwrap_or(usize::MAX).min(2 * SLOT_LEN)];
        self.file.write_at(&none, 0).map_err(Error::io("write", &self.path))?;
        self.file.sync_data().map_err(Error::sync(&self.path))
    }

    /// Writes a mark over the older slot and syncs it. Everything below it is on disk.
    ///
    /// # Errors
    /// `DiskFull`, I/O: the other slot still holds, and the next attempt writes over this one.
    pub fn write(&mut self, mut mark: RecoveryPoint) -> Result<()> {
        mark.generation = self.generation.wrapping_add(1);
        let at = (mark.generation % 2) * SLOT_LEN as u64;
        self.file.write_at(&mark.encode(), at).map_err(Error::io("write", &self.path))?;
        self.file.sync_data().map_err(Error::sync(&self.path))?;
        self.generation = mark.generation;
        Ok(())
    }
}

fn newest(file: &dyn DiskFile, log_id: LogId) -> Option<RecoveryPoint> {
    let slots = [0, SLOT_LEN as u64].into_iter().filter_map(|at| {
        let mut buf = vec![0; SLOT_LEN];
        read_exact_at(file, &mut buf, at).ok()?;
        RecoveryPoint::decode(&buf).ok().filter(|mark| mark.log_id == log_id)
    });
    slots.max_by_key(|mark| mark.generation)
}
