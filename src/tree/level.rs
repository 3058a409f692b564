//! One stored level: a file of hashes, and those that are not in it yet.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{self, Disk, DiskFile, Open, read_exact_at};
use crate::error::{Error, Result};
use crate::format::LogId;
use crate::format::mark::{LEVEL_HEADER_LEN, encode_level_header};
use crate::hash::{Hash, HashAlgorithm};

/// A longer file is not made anew when its mark was lost: its name is older than a sync that
/// may just have failed. Bounds what a file that somebody made huge can cost.
const COPIED_MAX: u64 = 1 << 30;

/// The path of a level's file.
pub fn path(dir: &Path, level: u8) -> PathBuf {
    dir.join(format!("level-{level:02}.hashes"))
}

fn offset(index: u64) -> u64 {
    (LEVEL_HEADER_LEN as u64).saturating_add(index.saturating_mul(Hash::LEN as u64))
}

/// The hashes of one level: those below `in_file` are in the file, the others pending.
#[derive(Debug)]
pub(super) struct Level {
    level: u8,
    path: PathBuf,
    file: Option<Arc<dyn DiskFile>>,
    in_file: u64,
    pending: Vec<Hash>,
}

impl Level {
    pub(super) fn open(
        disk: &dyn Disk,
        dir: &Path,
        level: u8,
        of: (LogId, HashAlgorithm),
        count: u64,
    ) -> Result<Self> {
        let path = path(dir, level);
        let mut opened = Level { level, path, file: None, in_file: count, pending: Vec::new() };
        if count == 0 {
            return Ok(opened);
        }
        let path = &opened.path;
        let file = disk.open(path, Open::Read).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::corrupt(path, 0, "a hash file", "no file"),
            _ => Error::io("open", path)(error),
        })?;
        let len = file.len().map_err(Error::io("stat", path))?;
        if len < offset(count) {
            let expected = format!("{count} hashes, {} bytes", offset(count));
            return Err(Error::corrupt(path, 0, expected, format!("{len} bytes")));
        }
        let mut header = [0; LEVEL_HEADER_LEN];
        read_exact_at(&*file, &mut header, 0).map_err(Error::io("read", path))?;
        if header != encode_level_header(of.0, of.1, level) {
            return Err(Error::corrupt(path, 0, "the header of this log's level", "another"));
        }
        opened.file = Some(file);
        Ok(opened)
    }

    pub(super) fn push(&mut self, hash: Hash) {
        self.pending.push(hash);
    }

    pub(super) fn pending_len(&self) -> usize {
        self.pending.len()
    }

    pub(super) fn get(&self, index: u64) -> Result<Hash> {
        let mut one = self.range(index, 1)?;
        one.pop().ok_or_else(|| self.missing(index))
    }

    /// `count` (at most eight) hashes from `first` on.
    pub(super) fn range(&self, first: u64, count: usize) -> Result<Vec<Hash>> {
        self.read(first, count.min(8), &mut [0; 8 * Hash::LEN])
    }

    /// `count` hashes from `first` on, in one read.
    pub(super) fn run(&self, first: u64, count: u16) -> Result<Vec<Hash>> {
        let count = usize::from(count);
        self.read(first, count, &mut vec![0; count * Hash::LEN])
    }

    /// Reads through a buffer that has room for all of them.
    fn read(&self, first: u64, count: usize, bytes: &mut [u8]) -> Result<Vec<Hash>> {
        let mut hashes = Vec::with_capacity(count);
        let end = first.saturating_add(count as u64);
        let from_file = end.min(self.in_file).saturating_sub(first);
        if from_file > 0 {
            let Some(file) = &self.file else { return Err(self.missing(first)) };
            let len = usize::try_from(from_file).unwrap_or(count).min(count) * Hash::LEN;
            read_exact_at(&**file, &mut bytes[..len], offset(first))
                .map_err(Error::io("read", &self.path))?;
            hashes.extend(bytes[..len].chunks_exact(Hash::LEN).filter_map(Hash::from_slice));
        }
        for index in first.max(self.in_file)..end {
            let at = usize::try_from(index - self.in_file).unwrap_or(usize::MAX);
            let hash = self.pending.get(at).ok_or_else(|| self.missing(index))?;
            hashes.push(*hash);
        }
        Ok(hashes)
    }

    fn missing(&self, index: u64) -> Error {
        let found = format!("{} hashes", self.in_file + self.pending.len() as u64);
        Error::corrupt(&self.path, offset(index), format!("hash {index}"), found)
    }

    /// What is pending now.
    pub(super) fn batch(&self) -> Batch {
        let (level, file) = (self.level, self.file.clone());
        Batch { level, first: self.in_file, hashes: self.pending.clone(), file }
    }

    /// Forgets what a batch wrote.
    pub(super) fn flushed(&mut self, batch: &Batch, file: Option<Arc<dyn DiskFile>>) {
        self.pending.drain(..batch.hashes.len());
        self.in_file += batch.hashes.len() as u64;
        self.file = file;
    }
}

/// Hashes on their way to a file.
pub(super) struct Batch {
    level: u8,
    first: u64,
    hashes: Vec<Hash>,
    file: Option<Arc<dyn DiskFile>>,
}

impl Batch {
    /// Writes and syncs them; gives the file they are in.
    pub(super) fn write(
        &self,
        disk: &dyn Disk,
        dir: &Path,
        of: (LogId, HashAlgorithm),
    ) -> Result<Option<Arc<dyn DiskFile>>> {
        if self.hashes.is_empty() {
            return Ok(self.file.clone());
        }
        let path = path(dir, self.level);
        let file = self.open_for_writing(disk, &path, of)?;
        let bytes: Vec<u8> = self.hashes.iter().flat_map(|hash| *hash.as_bytes()).collect();
        file.write_at(&bytes, offset(self.first)).map_err(Error::io("write", &path))?;
        file.sync_data().map_err(Error::io("sync", &path))?;
        Ok(Some(file))
    }

    fn open_for_writing(
        &self,
        disk: &dyn Disk,
        path: &Path,
        of: (LogId, HashAlgorithm),
    ) -> Result<Arc<dyn DiskFile>> {
        if self.first > 0 {
            return disk.open(path, Open::ReadWrite).map_err(Error::io("open", path));
        }
        let exists = disk.exists(path).map_err(Error::io("look for", path))?;
        let old = exists.then(|| disk.open(path, Open::ReadWrite)).transpose();
        let old = old.map_err(Error::io("open", path))?;
        let len = old.as_ref().map_or(Ok(0), |old| old.len()).map_err(Error::io("stat", path))?;
        let header = encode_level_header(of.0, of.1, self.level);
        if let Some(old) = old.as_ref().filter(|_| len > COPIED_MAX) {
            old.write_at(&header, 0).map_err(Error::io("write", path))?;
            return Ok(Arc::clone(old));
        }
        // A file that is there although nothing of it counts: who made it may have failed to
        // make its name durable, and no later sync need store that name. So the file is made
        // anew, with what it has: those may be hashes of records that are gone.
        let made = disk::replace(disk, path, Open::CreateNew, |file| {
            file.write_at(&header, 0)?;
            let Some(old) = &old else { return Ok(()) };
            disk::copy_range(&**old, file, LEVEL_HEADER_LEN as u64..len)
        });
        made.map_err(Error::io("create", path))
    }
}
