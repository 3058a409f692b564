//! The signer of a log, and what is remembered beside its key: the newest head that it
//! set out to sign, and the statement by which it handed over.
//!
//! That memory is outside the log's directory, so that a restored directory does not
//! forget what was signed.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::checkpoint::{Note, NoteSigner, SignatureKind, SigningKey, VerifyingKey};
use crate::disk::{self, Disk, DiskFile, Open, RealDisk};
use crate::error::{Error, Result};
use crate::hash::HashAlgorithm;
use crate::keystore::WrappingKey;
use crate::merkle::TreeHead;
use crate::read::keys::key_error;

/// Key files and what is remembered beside them are small.
const MAX_FILE: u64 = 1 << 20;

/// A key that signs heads, with what it set out to sign in files beside it: `KEY.heads`,
/// and `KEY.handover` once it named its successor.
///
/// The key is in a file, or behind a caller's own [`NoteSigner`].
pub struct Signer {
    key: Box<dyn NoteSigner>,
    path: PathBuf,
    disk: Arc<dyn Disk>,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({}, {})", self.key.verifying_key(), self.path.display())
    }
}

impl Signer {
    /// Draws a new key for the log of this origin and writes it to a new file, readable by
    /// its owner alone. Keep it outside the log's directory.
    ///
    /// # Errors
    /// The file exists; the origin may not be a key name; I/O.
    pub fn generate(path: &Path, origin: &str, algorithm: HashAlgorithm) -> Result<Self> {
        Signer::generate_on(Arc::new(RealDisk), path, origin, algorithm)
    }

    /// The same, on another disk.
    ///
    /// # Errors
    /// As [`Signer::generate`].
    pub fn generate_on(
        disk: Arc<dyn Disk>,
        path: &Path,
        origin: &str,
        algorithm: HashAlgorithm,
    ) -> Result<Self> {
        let kind = SignatureKind::for_heads_of(algorithm);
        let key = SigningKey::generate(origin, kind).map_err(key_error)?;
        write_key(&*disk, path, &key)?;
        let path = disk.real_path(path).map_err(Error::io("look for", path))?;
        Ok(Signer { key: Box::new(key), path, disk })
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// Others than its owner can read it; it holds no signing key; I/O.
    pub fn load(path: &Path) -> Result<Self> {
        Signer::load_on(Arc::new(RealDisk), path)
    }

    /// The same, from another disk.
    ///
    /// # Errors
    /// As [`Signer::load`].
    pub fn load_on(disk: Arc<dyn Disk>, path: &Path) -> Result<Self> {
        let key = Box::new(read_key(&*disk, path)?);
        // By whatever name the key is reached, its heads stand beside the file itself.
        let path = disk.real_path(path).map_err(Error::io("look for", path))?;
        Ok(Signer { key, path, disk })
    }

    /// A caller's own signer, such as a key in a hardware security module. `memory` is a
    /// file outside the log's directory, made if it is missing: what the key sets out to
    /// sign is remembered in files beside it. Every process that signs with the key uses
    /// the same one.
    ///
    /// # Errors
    /// I/O.
    pub fn external(key: Box<dyn NoteSigner>, memory: &Path) -> Result<Self> {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        if !disk.exists(memory).map_err(Error::io("look for", memory))? {
            let made = disk.open(memory, Open::CreateNewPrivate);
            made.and_then(|_| disk.sync_dir(disk::parent(memory)))
                .map_err(Error::io("create", memory))?;
        }
        let path = disk.real_path(memory).map_err(Error::io("look for", memory))?;
        Ok(Signer { key, path, disk })
    }

    /// The public half.
    pub fn verifying_key(&self) -> &VerifyingKey {
        self.key.verifying_key()
    }

    /// What signs.
    pub(crate) fn key(&self) -> &dyn NoteSigner {
        &*self.key
    }

    /// Overwrites the key file with zeros and removes it, once the key has handed over:
    /// whoever takes the machine from then on cannot sign as this key. What was
    /// remembered beside it stays. Copies elsewhere, and what a disk keeps of overwritten
    /// blocks, are beyond reach: see docs/threat-model.md.
    ///
    /// # Errors
    /// The key did not hand over; I/O.
    pub fn erase(self) -> Result<()> {
        if self.handover()?.is_none() {
            let reason = format!(
                "{} signed no successor: what it signs could then never be gone on from",
                self.path.display()
            );
            return Err(Error::Key { reason });
        }
        let io = |op| Error::io(op, &self.path);
        let file = self.disk.open(&self.path, Open::ReadWrite).map_err(io("open"))?;
        let len = usize::try_from(file.len().map_err(io("look at"))?).unwrap_or(0);
        file.write_at(&vec![0; len], 0).map_err(io("overwrite"))?;
        file.sync_data().map_err(io("sync"))?;
        self.disk.remove_file(&self.path).map_err(io("remove"))?;
        self.disk.sync_dir(disk::parent(&self.path)).map_err(io("sync"))
    }

    /// Keeps others from signing with this key, until it is dropped.
    pub(crate) fn lock(&self) -> Result<KeyLock> {
        let file = self.disk.open(&self.path, Open::Read).map_err(Error::io("open", &self.path))?;
        file.lock().map_err(Error::io("lock", &self.path))?;
        Ok(KeyLock { file })
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(ending);
        path.into()
    }

    pub(crate) fn heads_path(&self) -> PathBuf {
        self.beside(".heads")
    }

    fn remembered(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        if !self.disk.exists(path).map_err(Error::io("look for", path))? {
            return Ok(None);
        }
        disk::read_file(&*self.disk, path, MAX_FILE).map_err(Error::io("read", path)).map(Some)
    }

    /// The newest head that this key set out to sign.
    pub(crate) fn intended(&self) -> Result<Option<TreeHead>> {
        let path = self.heads_path();
        let Some(bytes) = self.remembered(&path)? else { return Ok(None) };
        let text = String::from_utf8_lossy(&bytes);
        match parse_intended(&text) {
            Some(head) => Ok(Some(head)),
            // Not quoted: it may be a key that was put there.
            None => {
                let found = format!("{} bytes of something else", bytes.len());
                Err(Error::corrupt(&path, 0, "a tree size and a root", found))
            }
        }
    }

    pub(crate) fn intend(&self, head: &TreeHead) -> Result<()> {
        let path = self.heads_path();
        let text = line(head);
        disk::replace_file(&*self.disk, &path, text.as_bytes()).map_err(Error::io("write", &path))
    }

    /// The statement by which this key handed over, if it did.
    pub(crate) fn handover(&self) -> Result<Option<Note>> {
        let path = self.beside(".handover");
        let Some(bytes) = self.remembered(&path)? else { return Ok(None) };
        let note = Note::parse(&bytes)
            .map_err(|error| Error::corrupt(&path, 0, "a signed statement", error.to_string()))?;
        Ok(Some(note))
    }

    pub(crate) fn hand_over(&self, statement: &Note) -> Result<()> {
        let path = self.beside(".handover");
        let text = statement.to_string();
        disk::replace_file(&*self.disk, &path, text.as_bytes()).map_err(Error::io("write", &path))
    }
}

fn line(head: &TreeHead) -> String {
    format!("{} {}\n", head.size, head.root)
}

/// Reads what [`line`] writes; `None` of anything else.
///
/// Early versions wrote a second line, `catalog` and a head of the catalog. It is checked, so
/// that a damaged file is noticed, and otherwise ignored: catalogs are not signed any more.
/// The next head that the key sets out to sign is written without it.
fn parse_intended(text: &str) -> Option<TreeHead> {
    let (first, rest) = text.split_at(text.find('\n')? + 1);
    let main = parse_line(first)?;
    if !rest.is_empty() {
        parse_line(rest.strip_prefix("catalog ")?)?;
    }
    Some(main)
}

fn parse_line(text: &str) -> Option<TreeHead> {
    let (size, root) = text.strip_suffix('\n')?.split_once(' ')?;
    let head = TreeHead { size: size.parse().ok()?, root: root.parse().ok()? };
    (line(&head) == text).then_some(head)
}

/// Draws a log's recovery key and writes it to a new file, readable by its owner alone:
/// keep it offline, apart from the log and its key.
///
/// # Errors
/// The file exists; the origin may not be a key name; I/O.
pub fn generate_recovery_key(path: &Path, origin: &str) -> Result<SigningKey> {
    let name = crate::keys::recovery_name(origin);
    let key = SigningKey::generate(&name, SignatureKind::Ed25519).map_err(key_error)?;
    write_key(&RealDisk, path, &key)?;
    Ok(key)
}

/// Reads a recovery key's file.
///
/// # Errors
/// Others than its owner can read it; it holds no signing key; I/O.
pub fn load_recovery_key(path: &Path) -> Result<SigningKey> {
    read_key(&RealDisk, path)
}

fn write_key(disk: &dyn Disk, path: &Path, key: &SigningKey) -> Result<()> {
    let text = Zeroizing::new(format!("{}\n", *key.to_secret_text()));
    disk::create_private(disk, path, text.as_bytes()).map_err(Error::io("create", path))
}

fn read_key(disk: &dyn Disk, path: &Path) -> Result<SigningKey> {
    let bytes = disk::read_file(disk, path, MAX_FILE).map_err(Error::io("read", path))?;
    let bytes = Zeroizing::new(bytes);
    if disk::exposes_private_key(disk, path, &bytes).map_err(Error::io("look at", path))? {
        return Err(Error::InvalidOption {
            name: "key file",
            reason: format!(
                "{} can be read by others than its owner: chmod 600 it, and think about \
                 whether somebody did",
                path.display()
            ),
        });
    }
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    if WrappingKey::from_text(text).is_ok() {
        return Err(named(path, "expected a signing key, found a wrapping key (of a key store)"));
    }
    SigningKey::from_secret_text(text.trim()).map_err(|error| named(path, error))
}

/// What is wrong with a key, and in which file it is.
fn named(path: &Path, what: impl fmt::Display) -> Error {
    Error::Key { reason: format!("{}: {what}", path.display()) }
}

/// The lock of a key file.
pub(crate) struct KeyLock {
    file: Arc<dyn DiskFile>,
}

impl Drop for KeyLock {
    fn drop(&mut self) {
        // It goes with the file handle in any case.
        let _ = self.file.unlock();
    }
}
