//! The key that a key store is encrypted under.

use std::fmt;
use std::path::Path;

use zeroize::Zeroizing;

use crate::checkpoint::{KeyError, SigningKey};
use crate::disk::{self, Disk, RealDisk};
use crate::error::{Error, Result};
use crate::random;

/// How a wrapping key begins as text: like every private key of this crate.
const TEXT_PREFIX: &str = "PRIVATE+KEY+wrapping+";
/// A file of one is small.
const MAX_FILE: u64 = 4096;

/// 32 bytes that a [`KeyStore`](super::KeyStore) is encrypted under. Overwritten when
/// dropped, and never shown.
///
/// Keep it where the store is not: in a key management service, a secret of the
/// deployment, a file that another backup holds. Who has store and key can read what was
/// not erased; who has neither can read nothing.
#[derive(Clone)]
pub struct WrappingKey(Zeroizing<[u8; 32]>);

impl fmt::Debug for WrappingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WrappingKey(…)")
    }
}

impl WrappingKey {
    /// Draws a new one.
    ///
    /// # Errors
    /// The operating system gives no random bytes.
    pub fn generate() -> Result<Self> {
        let mut key = Zeroizing::new([0; 32]);
        random::fill(&mut *key)?;
        Ok(WrappingKey(key))
    }

    /// These 32 bytes, e.g. as a key management service gave them. They must be as good as
    /// random: a password is none.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        WrappingKey(Zeroizing::new(bytes))
    }

    /// Reads the text form: `PRIVATE+KEY+wrapping+` and 64 hexadecimal digits.
    ///
    /// # Errors
    /// The text is not that; it is not repeated in the error.
    pub fn from_text(text: &str) -> Result<Self> {
        let digits = text.trim().strip_prefix(TEXT_PREFIX);
        let key = digits.and_then(|digits| digits.parse::<crate::hash::Hash>().ok());
        match key {
            Some(key) => Ok(WrappingKey::from_bytes(*key.as_bytes())),
            None => Err(Error::InvalidOption {
                name: "wrapping key",
                reason: format!("expected {TEXT_PREFIX} and 64 hexadecimal digits"),
            }),
        }
    }

    /// The text form. Guard it.
    pub fn to_secret_text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{TEXT_PREFIX}{}", crate::hash::Hash::from_bytes(*self.0)))
    }

    /// Reads a file of the text form.
    ///
    /// # Errors
    /// Others than its owner can read it; it holds no wrapping key; I/O.
    pub fn load(path: &Path) -> Result<Self> {
        WrappingKey::load_on(&RealDisk, path)
    }

    /// The same, from another disk.
    ///
    /// # Errors
    /// As [`WrappingKey::load`].
    pub fn load_on(disk: &dyn Disk, path: &Path) -> Result<Self> {
        let bytes = disk::read_file(disk, path, MAX_FILE).map_err(Error::io("read", path))?;
        let bytes = Zeroizing::new(bytes);
        if disk::exposes_private_key(disk, path, &bytes).map_err(Error::io("look at", path))? {
            let reason = format!(
                "{} can be read by others than its owner: chmod 600 it, and think about \
                 whether somebody did",
                path.display()
            );
            return Err(Error::InvalidOption { name: "wrapping key", reason });
        }
        let text = std::str::from_utf8(&bytes).unwrap_or_default();
        WrappingKey::from_text(text).map_err(|error| named(path, text, error))
    }

    /// Writes the text form to a new file, readable by its owner alone.
    ///
    /// # Errors
    /// The file exists; I/O.
    pub fn write_new(&self, path: &Path) -> Result<()> {
        let text = Zeroizing::new(format!("{}\n", *self.to_secret_text()));
        disk::create_private(&RealDisk, path, text.as_bytes()).map_err(Error::io("create", path))
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// What is wrong with the text of a file: what it is, if it is a key of another kind.
fn named(path: &Path, text: &str, error: Error) -> Error {
    let Error::InvalidOption { name, reason } = error else { return error };
    let found = match SigningKey::from_secret_text(text.trim()) {
        Ok(key) => Some(format!("the signing key of {}", key.verifying_key().name())),
        Err(KeyError::Public { key }) => Some(format!("the verifying key of {}", key.name())),
        Err(_) => None,
    };
    let reason = match found {
        Some(found) => {
            format!("expected one (`bulla keygen FILE --wrapping` makes them), found {found}")
        }
        None => reason,
    };
    Error::InvalidOption { name, reason: format!("{}: {reason}", path.display()) }
}
