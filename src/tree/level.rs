//! One stored level: a file of hashes, and those that are not in it yet.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{self, Disk, DiskFile, Open, read_exact_at};
use crate::error::{Error, Result};
use crate::format::mark::{LEVEL_HEADER_LEN, encode_level_header};
use crate::format::{LogId, names};
use crate::hash::{Hash, HashAlgorithm};

/// A level is stored if it is a multiple of this.
pub const STORED_EVERY: u8 = 4;

/// A longer file is not made anew when its mark was lost: its name is older than a sync that
/// may just have failed. Bounds what a file that somebody made huge can cost.
const COPIED_MAX: u64 = 1 << 30;

/// The path of a level's file.
pub fn path(dir: &Path, level: u8) -> PathBuf {
    dir.join(names::tree_level(level))
}

/// Whether this is the name of a level's file that is not in its place.
pub(super) fn is_unfinished(name: &str) -> bool {
    name.strip_suffix(".tmp").is_some_and(|name| names::parse_tree_level(name).is_some())
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
    /// All is made anew: the file stands beside its place until it is whole.
    anew: bool,
}

/// The hashes of a level that a file has, whatever else is wrong with it.
pub(super) fn read_file(
    file: &dyn DiskFile,
    first: u64,
    count: u64,
) -> std::io::Result<Option<Vec<Hash>>> {
    let len = usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(Hash::LEN);
    let mut bytes = vec![0; len];
    match read_exact_at(file, &mut bytes, offset(first)) {
        Ok(()) => Ok(Some(bytes.chunks_exact(Hash::LEN).filter_map(Hash::from_slice).collect())),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

impl Level {
    /// One that is made anew from its first hash on. What its file has stays until
    /// [`Level::put_in_place`].
    pub(super) fn rebuilt(dir: &Path, level: u8) -> Self {
        let path = path(dir, level);
        Level { level, path, file: None, in_file: 0, pending: Vec::new(), anew: true }
    }

    pub(super) fn open(
        disk: &dyn Disk,
        dir: &Path,
        level: u8,
        of: (LogId, HashAlgorithm),
        count: u64,
    ) -> Result<Self> {
        let mut opened = Level { in_file: count, anew: false, ..Level::rebuilt(dir, level) };
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

    /// Takes the first `count` hashes, all of which are pending, to be those in the file, if they
    /// are.
    pub(super) fn adopt_file(
        &mut self,
        disk: &dyn Disk,
        of: (LogId, HashAlgorithm),
        count: u64,
    ) -> Result<()> {
        let pending = usize::try_from(count).ok().and_then(|count| self.pending.get(..count));
        let Some(pending) = pending.filter(|_| count > 0 && self.in_file == 0) else {
            return Ok(());
        };
        let dir = self.path.parent().unwrap_or(&self.path);
        let file = match Level::open(disk, dir, self.level, of, count) {
            Ok(level) => level.file,
            Err(Error::Corrupt { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        let Some(file) = file else { return Ok(()) };
        let found = read_file(&*file, 0, count).map_err(Error::io("read", &self.path))?;
        if found.as_deref() == Some(pending) {
            self.pending.drain(..pending.len());
            (self.in_file, self.file) = (count, Some(file));
        }
        Ok(())
    }

    pub(super) fn push(&mut self, hash: Hash) {
        self.pending.push(hash);
    }

    pub(super) fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// `count` (at most eight) hashes from `first` on.
    pub(super) fn range(&self, first: u64, count: u64) -> Result<Vec<Hash>> {
        self.read(first, usize::try_from(count).unwrap_or(8).min(8), &mut [0; 8 * Hash::LEN])
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
        let (level, file, anew) = (self.level, self.file.clone(), self.anew);
        Batch { level, first: self.in_file, hashes: self.pending.clone(), file, anew }
    }

    /// Forgets what a batch wrote.
    pub(super) fn flushed(&mut self, batch: &Batch, file: Option<Arc<dyn DiskFile>>) {
        self.pending.drain(..batch.hashes.len());
        self.in_file += batch.hashes.len() as u64;
        self.file = file;
    }

    pub(super) fn is_anew(&self) -> bool {
        self.anew
    }

    /// The file that was made anew takes the place of the old one. All is flushed.
    pub(super) fn put_in_place(&mut self, disk: &dyn Disk) -> Result<()> {
        if self.anew && self.file.is_some() {
            disk::put_in_place(disk, &self.path).map_err(Error::io("replace", &self.path))?;
        }
        self.anew = false;
        Ok(())
    }

    /// What stands where a node of this level that is not known should be.
    pub(super) fn no_hash(&self, index: u64) -> Error {
        let expected = format!("hash {index} of level {}", self.level);
        Error::corrupt(&self.path, offset(index), expected, "zeros")
    }
}

/// Writes hashes over those in a file, and syncs them.
pub(super) fn overwrite(disk: &dyn Disk, path: &Path, first: u64, hashes: &[Hash]) -> Result<()> {
    let file = disk.open(path, Open::ReadWrite).map_err(Error::io("open", path))?;
    let bytes: Vec<u8> = hashes.iter().flat_map(|hash| *hash.as_bytes()).collect();
    file.write_at(&bytes, offset(first)).map_err(Error::io("write", path))?;
    file.sync_data().map_err(Error::sync(path))
}

/// Hashes on their way to a file.
pub(super) struct Batch {
    level: u8,
    first: u64,
    hashes: Vec<Hash>,
    file: Option<Arc<dyn DiskFile>>,
    anew: bool,
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
        let written = self.write_to(disk, &path, of);
        if written.is_err() && self.anew && self.file.is_none() {
            disk::remove_beside(disk, &path); // else the next attempt does it
        }
        written.map(Some)
    }

    fn write_to(
        &self,
        disk: &dyn Disk,
        path: &Path,
        of: (LogId, HashAlgorithm),
    ) -> Result<Arc<dyn DiskFile>> {
        let file = self.open_for_writing(disk, path, of)?;
        let bytes: Vec<u8> = self.hashes.iter().flat_map(|hash| *hash.as_bytes()).collect();
        file.write_at(&bytes, offset(self.first)).map_err(Error::io("write", path))?;
        file.sync_data().map_err(Error::sync(path))?;
        Ok(file)
    }

    fn open_for_writing(
        &self,
        disk: &dyn Disk,
        path: &Path,
        of: (LogId, HashAlgorithm),
    ) -> Result<Arc<dyn DiskFile>> {
        let header = encode_level_header(of.0, of.1, self.level);
        match &self.file {
            Some(begun) if self.anew => return Ok(Arc::clone(begun)),
            None if self.anew => {
                let begun = disk::create_beside(disk, path, Open::CreateNew);
                let begun = begun.map_err(Error::io("create", path))?;
                begun.write_at(&header, 0).map_err(Error::io("write", path))?;
                return Ok(begun);
            }
            _ => {}
        }
        if self.first > 0 {
            return disk.open(path, Open::ReadWrite).map_err(Error::io("open", path));
        }
        let exists = disk.exists(path).map_err(Error::io("look for", path))?;
        let old = exists.then(|| disk.open(path, Open::ReadWrite)).transpose();
        let old = old.map_err(Error::io("open", path))?;
        let len = old.as_ref().map_or(Ok(0), |old| old.len()).map_err(Error::io("stat", path))?;
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
