//! What a witness remembers: for each log the largest checkpoint that it cosigned.
//!
//! One file per origin, named by a hash of it, with that checkpoint as the log signed it
//! and the witness's own cosignature, by which the witness knows its file again. Files are
//! replaced whole; a crash leaves the old one or the new one. There is no cache: what
//! counts is what is in the file.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bulla::checkpoint::{NOTE_LEN_MAX, Note, VerifyingKey};
use bulla::disk::{self, Disk, DiskFile, Open};
use bulla::{HashAlgorithm, TreeHead, UnverifiedCheckpoint};

/// The memory of a witness, in a directory that it alone uses.
#[derive(Debug)]
pub struct Memory {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    own: VerifyingKey,
    /// Locked for as long as this lives.
    _lock: Arc<dyn DiskFile>,
}

impl Memory {
    /// Opens the memory of the witness with this key in a directory, which is made if it
    /// is not there.
    ///
    /// # Errors
    /// Another process uses it; I/O.
    pub fn open(disk: Arc<dyn Disk>, dir: &Path, own: &VerifyingKey) -> Result<Self, MemoryError> {
        let io = MemoryError::io(dir);
        if !disk.exists(dir).map_err(&io)? {
            disk.create_dir(dir).map_err(&io)?;
            disk.sync_dir(disk::parent(dir)).map_err(&io)?;
        }
        let path = dir.join("LOCK");
        let lock = match disk.open(&path, Open::ReadWrite) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                disk.open(&path, Open::CreateNew)
            }
            found => found,
        };
        let lock = lock.map_err(&io)?;
        if !lock.try_lock().map_err(&io)? {
            return Err(MemoryError::InUse { dir: dir.to_owned() });
        }
        Ok(Memory { disk, dir: dir.to_owned(), own: own.clone(), _lock: lock })
    }

    /// The largest head that was noted for this origin; the empty tree's if none was.
    ///
    /// # Errors
    /// I/O; the file is not as this witness wrote it.
    pub fn noted(&self, origin: &str) -> Result<TreeHead, MemoryError> {
        let path = self.path(origin);
        let io = MemoryError::io(&path);
        if !self.disk.exists(&path).map_err(&io)? {
            return Ok(TreeHead::empty(HashAlgorithm::Sha256));
        }
        let bytes = disk::read_file(&*self.disk, &path, NOTE_LEN_MAX as u64).map_err(&io)?;
        let damaged = |found: String| MemoryError::Damaged { path: path.clone(), found };
        let note = Note::parse(&bytes).map_err(|error| damaged(error.to_string()))?;
        note.verify(std::slice::from_ref(&self.own)).map_err(|error| damaged(error.to_string()))?;
        let noted =
            UnverifiedCheckpoint::parse(&bytes).map_err(|error| damaged(error.to_string()))?;
        let noted = noted.dangerously_unverified();
        if noted.origin() != origin {
            return Err(damaged(format!("a checkpoint of {:?}", noted.origin())));
        }
        Ok(noted.head())
    }

    /// Notes a checkpoint with its cosignature, durably: when this returns, it is noted
    /// even if the machine stops.
    ///
    /// # Errors
    /// I/O, a full disk. The checkpoint may be noted or not; nobody may be given the
    /// cosignature.
    pub fn note(&self, cosigned: &UnverifiedCheckpoint) -> Result<(), MemoryError> {
        let path = self.path(cosigned.dangerously_unverified().origin());
        disk::replace_file(&*self.disk, &path, cosigned.to_text().as_bytes())
            .map_err(MemoryError::io(&path))
    }

    /// The file for an origin. Origins hold slashes and may be long: a hash does not.
    fn path(&self, origin: &str) -> PathBuf {
        let name = HashAlgorithm::Sha256.leaf(&[origin.as_bytes()]);
        self.dir.join(format!("{name}.checkpoint"))
    }
}

/// The memory of a witness failed it. It cosigns nothing then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryError {
    /// Another process uses the directory: two witnesses with one memory would each forget
    /// what the other cosigned.
    #[error("{dir} is in use by another witness process")]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// A file is not as this witness wrote it.
    #[error(
        "{path}: expected a checkpoint that this witness cosigned, found: {found}; bring back the \
         file, or start over with a new key (a witness that forgets cosigns two histories)"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
    },
    /// The file system refused.
    #[error("{path}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

impl MemoryError {
    fn io(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| MemoryError::Io { path: path.to_owned(), source }
    }
}
