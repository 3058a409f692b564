//! Signing heads. A log never forks: it signs only what extends what it signed before.
//!
//! Order: sync what the head covers, note the head beside the key (outside the log's
//! directory, so that a restored directory does not forget it), sign, record in the
//! catalog, publish.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::checkpoint::{
    Checkpoint, SignatureKind, SignedCheckpoint, SigningKey, UnverifiedCheckpoint, VerifyingKey,
};
use crate::disk::{self, Disk, DiskFile, Open, RealDisk};
use crate::error::{Error, Result};
use crate::event::Anchor;
use crate::format::catalog_body::{Because, CatalogBody, HeadSigned, KeyAdded};
use crate::hash::{Hash, HashAlgorithm};
use crate::log::Log;
use crate::log::core::{Core, checkpoints_dir};
use crate::log::encode::with_scratch;
use crate::log::open::checkpoint_files;
use crate::merkle::TreeHead;
use crate::seq::TreeSize;

/// Key files and notes of heads are small.
const MAX_FILE: u64 = 1 << 20;

/// A signing key in a file, and the heads it set out to sign in a file beside it.
pub struct Signer {
    key: SigningKey,
    path: PathBuf,
    disk: Arc<dyn Disk>,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({}, {})", self.key.verifying_key(), self.path.display())
    }
}

/// A key file that cannot be used.
pub type SignerError = Error;

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
        let key = SigningKey::generate(origin, kind).map_err(proof_error)?;
        let file = disk.open(path, Open::CreateNewPrivate).map_err(Error::io("create", path))?;
        let text = format!("{}\n", *key.to_secret_text());
        file.write_at(text.as_bytes(), 0)
            .and_then(|()| file.sync_data())
            .and_then(|()| disk.sync_dir(disk::parent(path)))
            .map_err(Error::io("write", path))?;
        let path = disk.real_path(path).map_err(Error::io("look for", path))?;
        Ok(Signer { key, path, disk })
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
        if !disk.is_private(path).map_err(Error::io("look at", path))? {
            return Err(Error::InvalidOption {
                name: "key file",
                reason: format!(
                    "{} can be read by others than its owner: chmod 600 it, and think about \
                     whether somebody did",
                    path.display()
                ),
            });
        }
        let bytes = disk::read_file(&*disk, path, MAX_FILE).map_err(Error::io("read", path))?;
        let text = String::from_utf8_lossy(&bytes);
        let key = SigningKey::from_secret_text(text.trim()).map_err(proof_error)?;
        // By whatever name the key is reached, its heads stand beside the file itself.
        let path = disk.real_path(path).map_err(Error::io("look for", path))?;
        Ok(Signer { key, path, disk })
    }

    /// The public half.
    pub fn verifying_key(&self) -> &VerifyingKey {
        self.key.verifying_key()
    }

    /// Keeps others from signing with this key, until it is dropped.
    fn lock(&self) -> Result<KeyLock> {
        let file = self.disk.open(&self.path, Open::Read).map_err(Error::io("open", &self.path))?;
        file.lock().map_err(Error::io("lock", &self.path))?;
        Ok(KeyLock { file })
    }

    fn heads_path(&self) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(".heads");
        path.into()
    }

    /// The newest head that this key set out to sign.
    fn intended(&self) -> Result<Option<TreeHead>> {
        let path = self.heads_path();
        if !self.disk.exists(&path).map_err(Error::io("look for", &path))? {
            return Ok(None);
        }
        let bytes =
            disk::read_file(&*self.disk, &path, MAX_FILE).map_err(Error::io("read", &path))?;
        let text = String::from_utf8_lossy(&bytes);
        let mut words = text.split_whitespace();
        let head = (|| {
            let (size, root) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            Some(TreeHead { size, root })
        })();
        match head {
            Some(head) => Ok(Some(head)),
            None => Err(Error::corrupt(&path, 0, "a tree size and a root", format!("{text:?}"))),
        }
    }

    fn intend(&self, head: &TreeHead) -> Result<()> {
        let path = self.heads_path();
        let text = format!("{} {}\n", head.size, head.root);
        disk::replace_file(&*self.disk, &path, text.as_bytes()).map_err(Error::io("write", &path))
    }
}

/// The lock of a key file.
struct KeyLock {
    file: Arc<dyn DiskFile>,
}

impl Drop for KeyLock {
    fn drop(&mut self) {
        // It goes with the file handle in any case.
        let _ = self.file.unlock();
    }
}

fn proof_error(error: impl fmt::Display) -> Error {
    Error::Proof { reason: error.to_string() }
}

impl Log {
    /// Signs the log as it is: appends an anchor that binds the catalog, makes everything
    /// durable, signs the head, records and publishes it in `checkpoints/`.
    ///
    /// If nothing happened since the last one, that one is signed again.
    ///
    /// # Errors
    /// `WouldFork` if the log does not extend what this key signed before (an old backup
    /// was restored?); a key of another origin or hash; `CatalogDamaged`; I/O.
    pub fn checkpoint(&self, signer: &Signer) -> Result<SignedCheckpoint> {
        let core = self.core();
        core.check_key(signer)?;
        let _one_at_a_time = core.signing.lock();
        core.with_writer(|_, _| Ok(()))?;
        // Other processes may sign with this key, for another copy of this log.
        let _key = signer.lock()?;
        core.check_extends(signer)?;
        let head = match core.unchanged_head()? {
            Some(head) => head,
            None => core.append_anchor()?,
        };
        core.with_writer(|core, writer| writer.sync(core))?;
        signer.intend(&head)?;
        let checkpoint = Checkpoint::new(&core.origin, head).map_err(proof_error)?;
        let signed = checkpoint.sign(&signer.key).map_err(proof_error)?;
        if let Err(error) = core.record_head(signer, &signed) {
            if matches!(error, Error::Io { .. }) {
                core.poison(&error.to_string());
            }
            return Err(error);
        }
        publish(core, head.size, &signed.to_text())?;
        Ok(signed)
    }

    /// The newest published checkpoint.
    ///
    /// # Errors
    /// I/O; a file that is not a checkpoint.
    pub fn latest_checkpoint(&self) -> Result<Option<UnverifiedCheckpoint>> {
        latest(&*self.core().options.disk, &self.core().dir)
    }
}

/// The newest published checkpoint of the log in a directory.
pub(super) fn latest(disk: &dyn Disk, dir: &Path) -> Result<Option<UnverifiedCheckpoint>> {
    match checkpoint_files(disk, dir)?.pop() {
        Some((_, path)) => read(disk, &path).map(Some),
        None => Ok(None),
    }
}

/// The text of a published checkpoint.
pub(super) fn read_text(disk: &dyn Disk, path: &Path) -> Result<String> {
    let bytes = disk::read_file(disk, path, MAX_FILE).map_err(Error::io("read", path))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Where the checkpoint of this size is published.
pub(super) fn published_path(dir: &Path, algorithm: HashAlgorithm, size: u64) -> PathBuf {
    let ending = match algorithm {
        HashAlgorithm::Sha256 => "checkpoint",
        HashAlgorithm::Blake3 => "bulla-checkpoint",
    };
    checkpoints_dir(dir).join(format!("{size:016}.{ending}"))
}

pub(super) fn read(disk: &dyn Disk, path: &Path) -> Result<UnverifiedCheckpoint> {
    let bytes = disk::read_file(disk, path, MAX_FILE).map_err(Error::io("read", path))?;
    UnverifiedCheckpoint::parse(&bytes)
        .map_err(|error| Error::corrupt(path, 0, "a signed checkpoint", error.to_string()))
}

/// Puts a checkpoint into `checkpoints/`, durably.
pub(super) fn publish(core: &Core, size: TreeSize, note: &str) -> Result<()> {
    let path = published_path(&core.dir, core.algorithm, size.get());
    let published = disk::replace_file(&*core.options.disk, &path, note.as_bytes());
    published.map_err(|error| match error.kind() {
        std::io::ErrorKind::StorageFull => Error::DiskFull { path, needed: note.len() as u64 },
        _ => Error::io("publish", &path)(error),
    })
}

impl Core {
    fn check_key(&self, signer: &Signer) -> Result<()> {
        let key = signer.verifying_key();
        self.catalog.lock().good()?;
        if key.name().as_str() != self.origin {
            let reason = format!("expected a key of {}, found one of {}", self.origin, key.name());
            return Err(Error::Proof { reason });
        }
        let of = key.kind().head_algorithm();
        if of != self.algorithm {
            let reason = format!("expected a key for {} heads, found one for {of}", self.algorithm);
            return Err(Error::Proof { reason });
        }
        Ok(())
    }

    /// The log must contain what this key set out to sign before.
    fn check_extends(&self, signer: &Signer) -> Result<()> {
        let Some(before) = signer.intended()? else { return self.check_new_key(signer) };
        let size = self.view.size();
        let found = match size < before.size {
            true => format!("{size} records"),
            false => match self.tree.root_at(before.size)? {
                root if root == before.root => return Ok(()),
                root => format!("root {root} at that size"),
            },
        };
        Err(Error::WouldFork {
            reason: format!(
                "this key signed, or was about to sign, size {} with root {}; the log has {found}. \
                 If an old backup was restored, bring back the newer state; if that is lost, \
                 create a log of a new origin that names this head",
                before.size, before.root
            ),
        })
    }

    /// A key that has signed this log knows what it signed, or somebody lost it.
    fn check_new_key(&self, signer: &Signer) -> Result<()> {
        let vkey = signer.verifying_key().to_string();
        let mut catalog = self.catalog.lock();
        if !catalog.good()?.state().keys().any(|known| known == vkey) {
            return Ok(());
        }
        Err(Error::WouldFork {
            reason: format!(
                "this key has signed heads of this log, and {}, which says which, is missing: \
                 bring it back, it belongs beside the key",
                signer.heads_path().display()
            ),
        })
    }

    /// The signed head, if nothing was appended or recorded since.
    fn unchanged_head(&self) -> Result<Option<TreeHead>> {
        let mut catalog = self.catalog.lock();
        let catalog = catalog.good()?;
        let (size, root) = catalog.signed();
        let unchanged = size > TreeSize::ZERO && size == self.view.size();
        let recorded_since = !catalog.ends_in_signed_head();
        Ok((unchanged && !recorded_since).then_some(TreeHead { size, root }))
    }

    /// Appends the leaf that binds the catalog, and gives the head that ends in it.
    fn append_anchor(&self) -> Result<TreeHead> {
        let anchor = {
            let mut catalog = self.catalog.lock();
            let catalog = catalog.good()?;
            catalog.refresh()?;
            Anchor {
                catalog_size: catalog.size(),
                catalog_root: catalog.root_at(catalog.size())?,
                state_root: catalog.state().root(),
            }
        };
        let committed = with_scratch(|scratch| {
            scratch.push_anchor(&anchor, self.options.clock.now())?;
            self.commit(scratch)
        })?;
        let size = committed.first.covering_size();
        let Some(size) = size else { return Err(Error::Closed) }; // no log is that large
        // Others may have appended behind it: the head ends in the anchor.
        Ok(TreeHead { size, root: self.tree.root_at(size)? })
    }

    fn record_head(&self, signer: &Signer, signed: &SignedCheckpoint) -> Result<()> {
        let mut catalog = self.catalog.lock();
        let catalog = catalog.good()?;
        let head = signed.head();
        if catalog.signed() == (head.size, head.root) {
            return Ok(());
        }
        let vkey = signer.verifying_key().to_string();
        if !catalog.state().keys().any(|known| known == vkey) {
            let body = CatalogBody::KeyAdded(KeyAdded { vkey: &vkey });
            catalog.append(&body, &Because::default())?;
        }
        let note = signed.to_text();
        let (size, root) = (head.size.get(), *Hash::as_bytes(&head.root));
        let body = CatalogBody::HeadSigned(HeadSigned { size, root, note: &note });
        catalog.append(&body, &Because::default())
    }
}
