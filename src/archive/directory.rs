//! [`DirectoryStore`]: an archive in a directory.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::store::{ArchiveStore, check_key};
use crate::disk::{self, Disk, Open, RealDisk, parent};

/// Bytes that are copied or compared at a time.
const PIECE: usize = 256 << 10;
/// Names in a key that is listed, at most: ours have three.
const DEPTH_MAX: usize = 4;

/// An archive in a directory, best on another disk than the log.
///
/// An object is a file whose path from the directory is its key. It is written under a
/// temporary name (ending in `.tmp`), synced and renamed. What is in a directory that is a
/// symbolic link is not listed.
#[derive(Clone, Debug)]
pub struct DirectoryStore {
    disk: Arc<dyn Disk>,
    root: PathBuf,
}

impl DirectoryStore {
    /// The archive in a directory that is there.
    ///
    /// # Errors
    /// `NotFound`; what the file system says.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        DirectoryStore::open_on(Arc::new(RealDisk), path.as_ref())
    }

    /// The archive in a directory, which is made if it is not there; its parent must be.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open_or_create(path: impl AsRef<Path>) -> io::Result<Self> {
        DirectoryStore::open_or_create_on(Arc::new(RealDisk), path.as_ref())
    }

    /// As [`DirectoryStore::open`], on a disk.
    ///
    /// # Errors
    /// As [`DirectoryStore::open`].
    pub fn open_on(disk: Arc<dyn Disk>, path: &Path) -> io::Result<Self> {
        disk.list(path)?; // that it is a directory
        let root = disk.real_path(path)?;
        Ok(DirectoryStore { disk, root })
    }

    /// As [`DirectoryStore::open_or_create`], on a disk.
    ///
    /// # Errors
    /// As [`DirectoryStore::open_or_create`].
    pub fn open_or_create_on(disk: Arc<dyn Disk>, path: &Path) -> io::Result<Self> {
        if !disk.exists(path)? {
            disk::make_dir(&*disk, path)?;
        }
        DirectoryStore::open_on(disk, path)
    }

    fn path(&self, key: &str) -> io::Result<PathBuf> {
        check_key(key)?;
        Ok(key.split('/').fold(self.root.clone(), |path, name| path.join(name)))
    }

    /// Makes the directories of a key, durably. Those that are there are synced as well: who
    /// made them may have crashed before.
    fn make_dirs(&self, key: &str) -> io::Result<()> {
        let mut path = self.root.clone();
        let Some((folder, _)) = key.rsplit_once('/') else { return Ok(()) };
        for name in folder.split('/') {
            path.push(name);
            disk::make_dir(&*self.disk, &path)?;
        }
        Ok(())
    }

    /// Makes sure that the object that is there has these bytes, and is durable.
    fn same(&self, path: &Path, len: u64, bytes: &mut dyn Read) -> io::Result<()> {
        let file = self.disk.open(path, Open::Read)?;
        let other = || {
            let why = format!("{} is there already, with other bytes", path.display());
            io::Error::new(io::ErrorKind::AlreadyExists, why)
        };
        if file.len()? != len {
            return Err(other());
        }
        let mut found = vec![0; PIECE];
        pieces(len, bytes, |at, piece| {
            let found = found.get_mut(..piece.len()).unwrap_or_default();
            disk::read_exact_at(&*file, found, at)?;
            if found == piece { Ok(()) } else { Err(other()) }
        })?;
        file.sync_data()?;
        self.disk.sync_dir(parent(path))
    }

    fn write(&self, path: &Path, len: u64, bytes: &mut dyn Read) -> io::Result<()> {
        let disk = &*self.disk;
        let put = disk::replace(disk, path, Open::CreateNew, |file| {
            pieces(len, bytes, |at, piece| file.write_at(piece, at))
        });
        put.map(|_| ())
    }

    fn walk(&self, dir: &Path, key: &str, depth: usize, keys: &mut Vec<String>) -> io::Result<()> {
        for name in self.disk.list(dir)? {
            let (path, key) = (dir.join(&name), super::keys::key_of(key, &name));
            if check_key(&key).is_err() {
                continue; // not ours
            }
            match depth < DEPTH_MAX && self.has_names(&path)? {
                true if self.is_link(&path)? => {}
                true => self.walk(&path, &key, depth + 1, keys)?,
                false => keys.push(key),
            }
        }
        Ok(())
    }

    /// Whether a directory below the root is a symbolic link. Links are not followed: each
    /// could lead back to where it stands, and list the archive over and over.
    fn is_link(&self, path: &Path) -> io::Result<bool> {
        self.disk.real_path(path).map(|real| real != path)
    }

    /// Whether it is a directory.
    fn has_names(&self, path: &Path) -> io::Result<bool> {
        match self.disk.list(path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(false),
            // A link to nowhere.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Gives exactly `len` bytes piece by piece, each with its offset.
fn pieces(
    len: u64,
    bytes: &mut dyn Read,
    mut each: impl FnMut(u64, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let (mut at, mut piece) = (0, vec![0; PIECE]);
    while at < len {
        let wanted = usize::try_from(len - at).map_or(PIECE, |left| left.min(PIECE));
        let wanted = piece.get_mut(..wanted).unwrap_or_default();
        bytes.read_exact(wanted)?;
        each(at, wanted)?;
        at += wanted.len() as u64;
    }
    match bytes.read(&mut [0])? {
        0 => Ok(()),
        _ => {
            let why = format!("more than the {len} bytes that were announced");
            Err(io::Error::new(io::ErrorKind::InvalidData, why))
        }
    }
}

impl ArchiveStore for DirectoryStore {
    fn put(&self, key: &str, len: u64, bytes: &mut dyn Read) -> io::Result<()> {
        let path = self.path(key)?;
        self.make_dirs(key)?;
        match self.disk.exists(&path)? {
            true => self.same(&path, len, bytes),
            false => self.write(&path, len, bytes),
        }
    }

    fn len(&self, key: &str) -> io::Result<Option<u64>> {
        match self.disk.open(&self.path(key)?, Open::Read) {
            Ok(file) => file.len().map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn read_at(&self, key: &str, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.disk.open(&self.path(key)?, Open::Read)?.read_at(buf, offset)
    }

    fn list(&self, prefix: &str) -> io::Result<Vec<String>> {
        let mut keys = Vec::new();
        self.walk(&self.root, "", 1, &mut keys)?;
        keys.retain(|key| key.starts_with(prefix));
        keys.sort_unstable();
        Ok(keys)
    }

    fn location(&self) -> String {
        self.root.display().to_string()
    }

    fn check_apart(&self, log_dir: &Path) -> io::Result<()> {
        // A log on another disk, that this one does not know, is apart.
        let log = match self.disk.real_path(log_dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            real => real?,
        };
        if !self.root.starts_with(&log) && !log.starts_with(&self.root) {
            return Ok(());
        }
        let why = format!(
            "the archive {} and the log {} lie in each other; choose a directory elsewhere, \
             best on another disk",
            self.root.display(),
            log.display()
        );
        Err(io::Error::new(io::ErrorKind::InvalidInput, why))
    }
}
