//! The published checkpoints: files in `checkpoints/`, each replaced whole.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::checkpoint::{NOTE_LEN_MAX, UnverifiedCheckpoint};
use crate::directory::LogDir;
use crate::disk::{self, Disk, DiskFile, Open};
use crate::error::{Error, Result};
use crate::format::names;
use crate::hash::HashAlgorithm;
use crate::seq::TreeSize;

/// Checkpoints are small.
const MAX_FILE: u64 = 1 << 20;

/// The paths of the published checkpoints, by size, ascending.
pub(crate) fn list(dir: &LogDir) -> Result<Vec<(u64, PathBuf)>> {
    let (disk, dir) = (dir.disk(), dir.checkpoints());
    if !disk.exists(&dir).map_err(Error::io("look for", &dir))? {
        return Ok(Vec::new());
    }
    let names = disk.list(&dir).map_err(Error::io("list", &dir))?;
    let published = names.iter().filter_map(|name| {
        let (_, size) = names::parse_checkpoint(name)?;
        Some((size.get(), dir.join(name)))
    });
    let mut files: Vec<(u64, PathBuf)> = published.collect();
    files.sort_unstable();
    Ok(files)
}

/// The newest published checkpoint of the log in a directory.
pub(crate) fn latest(dir: &LogDir) -> Result<Option<UnverifiedCheckpoint>> {
    match list(dir)?.pop() {
        Some((_, path)) => read(dir.disk(), &path).map(Some),
        None => Ok(None),
    }
}

/// The text of a published checkpoint.
pub(crate) fn read_text(disk: &dyn Disk, path: &Path) -> Result<String> {
    let bytes = disk::read_file(disk, path, MAX_FILE).map_err(Error::io("read", path))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

pub(crate) fn read(disk: &dyn Disk, path: &Path) -> Result<UnverifiedCheckpoint> {
    let bytes = disk::read_file(disk, path, MAX_FILE).map_err(Error::io("read", path))?;
    UnverifiedCheckpoint::parse(&bytes).map_err(|error| {
        let found = format!("a file that is not one ({error})");
        Error::corrupt(path, 0, "a signed checkpoint", found)
    })
}

/// Puts a checkpoint into `checkpoints/`, durably. If one with the same text is there,
/// its signatures are kept: signing a head again loses no cosignature.
///
/// # Errors
/// `DiskFull`, I/O: what was published stands.
pub(crate) fn publish(
    dir: &LogDir,
    algorithm: HashAlgorithm,
    size: TreeSize,
    note: &str,
) -> Result<()> {
    let path = dir.checkpoint(algorithm, size);
    let published = merge_and_replace(dir, &path, note);
    published.map_err(Error::growing("publish", &path, note.len() as u64))
}

fn merge_and_replace(dir: &LogDir, path: &Path, note: &str) -> io::Result<()> {
    let _lock = CheckpointsLock::take(dir)?;
    let disk = dir.disk();
    match disk.exists(path)? {
        true => replace(disk, path, &merged_with_published(disk, path, note)?),
        false => replace(disk, path, note),
    }
}

/// What is there is damaged, or says something else: then it is replaced, as the catalog
/// knows better. Where it cannot be read, or has no room for more, nothing is lost either.
fn merged_with_published(disk: &dyn Disk, path: &Path, note: &str) -> io::Result<String> {
    let found = disk::read_file(disk, path, NOTE_LEN_MAX as u64);
    let published = match found.map(|bytes| UnverifiedCheckpoint::parse(&bytes)) {
        Ok(Ok(published)) => published,
        Ok(Err(_)) => return Ok(note.to_owned()),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return Ok(note.to_owned()),
        Err(error) => return Err(error),
    };
    let new = UnverifiedCheckpoint::parse(note.as_bytes()).map_err(io::Error::other)?;
    if published.dangerously_unverified() != new.dangerously_unverified() {
        return Ok(note.to_owned());
    }
    let merged = new.with_signatures(published.note().signatures()).map_err(io::Error::other)?;
    Ok(merged.to_text())
}

pub(crate) fn replace(disk: &dyn Disk, path: &Path, text: &str) -> io::Result<()> {
    disk::replace_file(disk, path, text.as_bytes())
}

/// Excludes every other writer of published checkpoints until it is dropped. It is the lock under
/// which the catalog is appended to: do not append to the catalog while it is held.
pub(crate) struct CheckpointsLock {
    file: Arc<dyn DiskFile>,
}

impl CheckpointsLock {
    pub(crate) fn take(dir: &LogDir) -> io::Result<Self> {
        let (disk, path) = (dir.disk(), dir.catalog().join(names::LOCK));
        let file = disk::open_lock_file(disk, &path, Open::CreateNew)?;
        file.lock()?;
        Ok(CheckpointsLock { file })
    }
}

impl Drop for CheckpointsLock {
    fn drop(&mut self) {
        // It goes with the file handle in any case.
        let _ = self.file.unlock();
    }
}
