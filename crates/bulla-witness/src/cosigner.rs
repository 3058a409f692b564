//! The key of a witness, in a file.

use std::io;
use std::path::{Path, PathBuf};

use bulla::checkpoint::{KeyError, NoteSigner, SignError, SignatureKind, SigningKey, VerifyingKey};
use bulla::disk::{self, Disk, Open, RealDisk};

/// Key files are small.
const FILE_LEN_MAX: u64 = 64 * 1024;

/// The key with which a witness cosigns. `Debug` shows no secret.
#[derive(Debug)]
pub struct Cosigner {
    key: SigningKey,
}

impl Cosigner {
    /// Draws a new key of this name and writes it to a new file, readable by its owner
    /// alone. By convention the name is a URL without its scheme: `witness.example/w1`.
    ///
    /// # Errors
    /// The file exists; not a key name; I/O.
    pub fn generate(path: &Path, name: &str) -> Result<Self, CosignerError> {
        let key = SigningKey::generate(name, SignatureKind::Ed25519Cosignature);
        let key = key.map_err(CosignerError::Key)?;
        let io = CosignerError::io(path);
        let text = format!("{}\n", *key.to_secret_text());
        let file = RealDisk.open(path, Open::CreateNewPrivate).map_err(&io)?;
        file.write_at(text.as_bytes(), 0).map_err(&io)?;
        file.sync_data().map_err(&io)?;
        RealDisk.sync_dir(disk::parent(path)).map_err(&io)?;
        Ok(Cosigner { key })
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// Others than its owner can read it; it holds no key of a witness; I/O.
    pub fn load(path: &Path) -> Result<Self, CosignerError> {
        let io = CosignerError::io(path);
        let bytes = disk::read_file(&RealDisk, path, FILE_LEN_MAX).map_err(&io)?;
        if disk::exposes_private_key(&RealDisk, path, &bytes).map_err(&io)? {
            return Err(CosignerError::Exposed { path: path.to_owned() });
        }
        let text = String::from_utf8_lossy(&bytes);
        let key = SigningKey::from_secret_text(text.trim());
        let key = key.map_err(|error| CosignerError::NotAKey { path: path.to_owned(), error })?;
        Cosigner::new(key)
    }

    /// With a key that the caller has.
    ///
    /// # Errors
    /// Not a key for cosignatures.
    pub fn new(key: SigningKey) -> Result<Self, CosignerError> {
        let public = key.verifying_key();
        if public.kind() != SignatureKind::Ed25519Cosignature {
            return Err(CosignerError::NotOfAWitness { name: public.name().to_string() });
        }
        Ok(Cosigner { key })
    }

    /// The public half.
    pub fn verifying_key(&self) -> &VerifyingKey {
        self.key.verifying_key()
    }
}

impl NoteSigner for Cosigner {
    fn verifying_key(&self) -> &VerifyingKey {
        self.key.verifying_key()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        NoteSigner::sign(&self.key, message)
    }
}

/// A key of a witness that cannot be used. Never quotes secrets.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CosignerError {
    /// Others than its owner can read the file.
    #[error(
        "{path} can be read by others than its owner: chmod 600 it, and think about whether \
         somebody did"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// The key is one of a log.
    #[error(
        "expected the key of a witness (`bulla keygen --witness` makes them), found {name}, the \
         key of a log"
    )]
    NotOfAWitness {
        /// The key's name.
        name: String,
    },
    /// The text is not a signing key.
    #[error(transparent)]
    Key(KeyError),
    /// What is in the file is not a signing key.
    #[error("{path}: {error}")]
    NotAKey {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        error: KeyError,
    },
    /// The file system refused.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

impl CosignerError {
    fn io(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| CosignerError::Io { path: path.to_owned(), source }
    }
}
