//! [`Disk`] and [`DiskFile`], and what is done with any of them.

use std::fmt::Debug;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::map::Map;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// For reading; it must exist.
    Read,
    /// For reading and writing; it must exist.
    ReadWrite,
    /// For reading and writing; it must not exist.
    CreateNew,
    /// The same, readable by its owner alone (mode 0600): for key files.
    CreateNewPrivate,
}

/// How the operating system keeps a file from being changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protection {
    /// Not at all.
    None,
    /// Nobody but root opens it for writing. It can be unlinked.
    ReadOnly,
    /// Nobody changes or unlinks it, until root takes the attribute away (Linux:
    /// `FS_IMMUTABLE_FL`).
    Immutable,
}

/// What the engine asks of a file system. Paths are as the caller gave them.
///
/// A created, renamed or removed name is durable only after [`Disk::sync_dir`] of
/// its directory. A full disk is `io::ErrorKind::StorageFull`.
pub trait Disk: Send + Sync + Debug {
    /// Makes a directory; its parent must exist, it must not.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// Opens a file.
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>>;
    /// Names in a directory, sorted by their bytes. Names that are not UTF-8 are left out.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Whether a file or directory is there.
    fn exists(&self, path: &Path) -> io::Result<bool>;
    /// The path of a file without symbolic links.
    fn real_path(&self, path: &Path) -> io::Result<PathBuf>;
    /// Whether only its owner can read a file.
    fn is_private(&self, path: &Path) -> io::Result<bool>;
    /// Renames a file, replacing what is at the new name. Atomic.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Unlinks a file. Readers that have it open keep it.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes a directory that is empty.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
    /// Keeps a file from being changed, as far as the system offers it and permits; gives
    /// what was reached. Handles that are open for writing go on writing.
    fn protect(&self, path: &Path, wanted: Protection) -> io::Result<Protection>;
    /// Takes that away again, as far as it keeps the file from being unlinked.
    fn unprotect(&self, path: &Path) -> io::Result<()>;
    /// How a file is protected now.
    fn protection(&self, path: &Path) -> io::Result<Protection>;
    /// Makes creations, renames and removals in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// An open file. Positional; there is no cursor, so it can be shared.
#[allow(clippy::len_without_is_empty)] // nobody asks that of a file, and `len` can fail
pub trait DiskFile: Send + Sync + Debug {
    /// Reads up to `buf.len()` bytes at `offset`; fewer only at the end of the file.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all the bytes at `offset`, growing the file if needed. An error
    /// leaves any part of them written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Size in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Cuts the file, or grows it with zeros (no space is reserved).
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Reserves space for `offset..offset + len`, growing the file; what was not
    /// written reads as zeros.
    fn allocate(&self, offset: u64, len: u64) -> io::Result<()>;
    /// Makes the data and the size durable (`fdatasync`).
    fn sync_data(&self) -> io::Result<()>;
    /// Asks the system to read `offset..offset + len` from the device next time, as far
    /// as it is clean. Advice: may do nothing.
    fn drop_cache(&self, offset: u64, len: u64) -> io::Result<()>;
    /// Maps the first `len` bytes for reading; `None` where that is not possible.
    /// The file must not shrink while it is mapped.
    fn map(&self, len: u64) -> io::Result<Option<Map>>;
    /// Takes the file's exclusive advisory lock if nobody holds it; whether it did.
    /// It is released when the last handle of this open file is dropped, or when the
    /// process ends.
    fn try_lock(&self) -> io::Result<bool>;
    /// The same, waiting for whoever holds it.
    fn lock(&self) -> io::Result<()>;
    /// Releases the lock.
    fn unlock(&self) -> io::Result<()>;
}

/// Reads exactly `buf.len()` bytes at `offset`.
///
/// # Errors
/// `UnexpectedEof` if the file ends before; else what [`DiskFile::read_at`] says.
pub fn read_exact_at(file: &dyn DiskFile, buf: &mut [u8], offset: u64) -> io::Result<()> {
    let mut filled = 0;
    while filled < buf.len() {
        match file.read_at(&mut buf[filled..], offset + filled as u64)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => filled += read,
        }
    }
    Ok(())
}

/// Opens a file that is only locked, or makes it (`create`) where it is missing. It holds nothing
/// that is needed, so its name is not synced: a name that a crash forgets is made again.
///
/// # Errors
/// I/O.
pub fn open_lock_file(disk: &dyn Disk, path: &Path, create: Open) -> io::Result<Arc<dyn DiskFile>> {
    match disk.open(path, Open::ReadWrite) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        found => return found,
    }
    match disk.open(path, create) {
        // Another process has made it since.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            disk.open(path, Open::ReadWrite)
        }
        made => made,
    }
}

/// Puts a file of these bytes at `path`, as [`replace`] does.
///
/// # Errors
/// As [`replace`].
pub fn replace_file(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(disk, path, Open::CreateNew, |file| file.write_at(bytes, 0)).map(|_| ())
}

/// Puts a new file at `path`, durably and whole or not at all: a temporary file beside it is
/// written by `fill`, synced and renamed over what is there. `how` is one of the ways to
/// create a file.
///
/// # Errors
/// What the file system says; the old file stands then, or the new one, but which of them a
/// power loss leaves is not known. A later sync of the directory need not store what a
/// failed one forgot: only to replace the file once more makes sure. That it is done, a new
/// file where none was is taken away again.
pub fn replace(
    disk: &dyn Disk,
    path: &Path,
    how: Open,
    fill: impl FnOnce(&dyn DiskFile) -> io::Result<()>,
) -> io::Result<Arc<dyn DiskFile>> {
    let file = fill_beside(disk, path, how, fill)?;
    put_in_place(disk, path)?;
    Ok(file)
}

/// Makes the temporary file beside `path` of these bytes, and syncs it; [`put_in_place`] follows.
///
/// # Errors
/// What the file system says; the file is taken away again.
pub fn write_beside(
    disk: &dyn Disk,
    path: &Path,
    how: Open,
    bytes: &[u8],
) -> io::Result<Arc<dyn DiskFile>> {
    fill_beside(disk, path, how, |file| file.write_at(bytes, 0))
}

fn fill_beside(
    disk: &dyn Disk,
    path: &Path,
    how: Open,
    fill: impl FnOnce(&dyn DiskFile) -> io::Result<()>,
) -> io::Result<Arc<dyn DiskFile>> {
    let file = create_beside(disk, path, how)?;
    if let Err(error) = fill(&*file).and_then(|()| file.sync_data()) {
        let _ = disk.remove_file(&beside(path)); // else the next attempt does it
        return Err(error);
    }
    Ok(file)
}

/// Makes the temporary file beside `path`, for what takes longer than one call: it is written
/// and synced, then [`put_in_place`] follows. What an earlier attempt left goes.
///
/// # Errors
/// What the file system says.
pub fn create_beside(disk: &dyn Disk, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
    let temporary = beside(path);
    if disk.exists(&temporary)? {
        disk.remove_file(&temporary)?;
    }
    disk.open(&temporary, how)
}

/// Renames the temporary file over what is at `path`, durably.
///
/// # Errors
/// As [`replace`].
pub fn put_in_place(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    let was_there = disk.exists(path)?;
    disk.rename(&beside(path), path)?;
    if let Err(error) = disk.sync_dir(parent(path)) {
        if !was_there {
            let _ = disk.remove_file(path); // whoever finds it would take it for durable
        }
        return Err(error);
    }
    Ok(())
}

/// Takes the temporary file beside `path` away, if it can be: the next attempt to make one does it
/// else.
pub fn remove_beside(disk: &dyn Disk, path: &Path) {
    let _ = disk.remove_file(&beside(path));
}

/// Where a file is until it is whole.
fn beside(path: &Path) -> PathBuf {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    PathBuf::from(temporary)
}

/// Makes a new file of these bytes, durably, that its owner alone can read. It is taken away
/// again if that fails: whoever finds it would take it for durable.
///
/// # Errors
/// `AlreadyExists`; what the file system says.
pub fn create_private(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = disk.open(path, Open::CreateNewPrivate)?;
    let written = file
        .write_at(bytes, 0)
        .and_then(|()| file.sync_data())
        .and_then(|()| disk.sync_dir(parent(path)));
    if written.is_err() {
        let _ = disk.remove_file(path);
    }
    written
}

/// Makes those of the directories in `dir` that are not there, durably. Those that were made
/// are taken away again if that fails: whoever finds them would take them for durable.
///
/// # Errors
/// What the file system says.
pub fn make_dirs(disk: &dyn Disk, dir: &Path, names: &[&str]) -> io::Result<()> {
    let paths: Vec<PathBuf> = names.iter().map(|name| dir.join(name)).collect();
    make_all(disk, dir, &paths)
}

/// The same of one directory.
///
/// # Errors
/// As [`make_dirs`].
pub fn make_dir(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    make_all(disk, parent(path), &[path.to_owned()])
}

fn make_all(disk: &dyn Disk, dir: &Path, paths: &[PathBuf]) -> io::Result<()> {
    let mut made = Vec::new();
    let all = paths.iter().try_for_each(|path| {
        if disk.exists(path)? {
            return Ok(());
        }
        match disk.create_dir(path) {
            Ok(()) => made.push(path),
            // Another process made it meanwhile. If this one failed for it, it would take away
            // the directories that the other found here and relies on.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        Ok(())
    });
    // Also when all are there: who made them may have crashed before.
    let synced = all.and_then(|()| disk.sync_dir(dir));
    if synced.is_err() {
        made.iter().for_each(|path| drop(disk.remove_dir(path)));
    }
    synced
}

/// Copies `range` of one file to the same place of another.
///
/// # Errors
/// `UnexpectedEof` if the file ends before; what the file system says.
pub fn copy_range(from: &dyn DiskFile, to: &dyn DiskFile, range: Range<u64>) -> io::Result<()> {
    let mut piece = vec![0; 256 << 10];
    let mut at = range.start;
    while at < range.end {
        let len = usize::try_from(range.end - at).unwrap_or(usize::MAX).min(piece.len());
        read_exact_at(from, &mut piece[..len], at)?;
        to.write_at(&piece[..len], at)?;
        at += len as u64;
    }
    Ok(())
}

/// The directory a file is in; of a bare name the current one.
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// What the text of a private key begins with, of whatever kind.
const PRIVATE_KEY: &[u8] = b"PRIVATE+KEY+";

/// Whether these bytes of a file are a private key, and others than its owner can read them. Of
/// a file that holds something else nothing is exposed: it is the wrong file.
///
/// # Errors
/// What the file system says.
pub fn exposes_private_key(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<bool> {
    Ok(bytes.trim_ascii_start().starts_with(PRIVATE_KEY) && !disk.is_private(path)?)
}

/// Reads a whole file of at most `max` bytes.
///
/// # Errors
/// `InvalidData` for a larger file; what the file system says.
pub fn read_file(disk: &dyn Disk, path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let file = disk.open(path, Open::Read)?;
    let len = file.len()?;
    if len > max {
        let why = format!("{len} bytes where at most {max} were expected");
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
    read_exact_at(&*file, &mut bytes, 0)?;
    Ok(bytes)
}
