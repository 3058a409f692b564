//! Checkpoints: signed tree heads as text (c2sp.org/tlog-checkpoint).
//!
//! ```text
//! example.com/audit                               the origin
//! 20852163                                        the tree size
//! CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=    the root hash
//!
//! — example.com/audit Az3grlgtzPICa5OS8npVmf1M…   the log's own signature, others
//! ```

use super::cosignature::{self, Cosignature};
use super::key::{KeyError, KeyId, KeyName, NoteSigner, VerifyingKey};
use super::line;
use super::note::{Note, NoteError, NoteSignature, VerifiedNote, VerifyNoteError, signers};
use crate::format::FormatError;
use crate::format::catalog_body::HeadSigned;
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::TreeHead;
use crate::seq::TreeSize;

/// What a checkpoint says: this log had this tree head. By itself only a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    head: TreeHead,
    extensions: Vec<String>,
}

impl Checkpoint {
    /// A checkpoint to be signed. The origin is also the name of the log's key.
    ///
    /// # Errors
    /// The origin is not a key name.
    pub fn new(origin: &str, head: TreeHead) -> Result<Self, KeyError> {
        KeyName::new(origin)?;
        Ok(Checkpoint { origin: origin.to_owned(), head, extensions: Vec::new() })
    }

    /// Adds an extension line. Not recommended: no monitor can audit them.
    ///
    /// # Errors
    /// The line is empty, or contains a newline or another control character.
    pub fn with_extension(mut self, extension: &str) -> Result<Self, CheckpointError> {
        let fits = !extension.is_empty()
            && !extension.contains('\n')
            && line::control_character(extension).is_none();
        if !fits {
            return Err(CheckpointError::Extension { found: extension.to_owned() });
        }
        self.extensions.push(extension.to_owned());
        Ok(self)
    }

    /// Which log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Its tree head.
    pub fn head(&self) -> TreeHead {
        self.head
    }

    /// Extension lines: opaque, usually none.
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }

    /// The text that is signed.
    pub fn to_text(&self) -> String {
        let root = line::to_base64(self.head.root.as_bytes());
        let mut text = format!("{}\n{}\n{root}\n", self.origin, self.head.size);
        for extension in &self.extensions {
            text.push_str(extension);
            text.push('\n');
        }
        text
    }

    /// Signs as the log. The key's kind says which hash the tree has.
    ///
    /// # Errors
    /// The key is named otherwise than the origin, or the head is of the empty
    /// tree with a root that is not the one of this kind's hash.
    pub fn sign(&self, key: &dyn NoteSigner) -> Result<SignedCheckpoint, CheckpointError> {
        let public = key.verifying_key();
        if public.name().as_str() != self.origin {
            let (origin, found) = (self.origin.clone(), public.name().clone());
            return Err(CheckpointError::NotTheLogsKey { origin, found });
        }
        let Some(algorithm) = public.kind().head_algorithm() else {
            let found = public.name().clone();
            return Err(CheckpointError::WitnessKey { found });
        };
        check_empty_root(&self.head, algorithm)?;
        let note = Note::sign(&self.to_text(), &[key])?;
        Ok(SignedCheckpoint { checkpoint: self.clone(), algorithm, note })
    }

    fn parse(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.strip_suffix('\n').unwrap_or(text).split('\n');
        let mut next = |number| {
            let line = lines.next().filter(|line| !line.is_empty());
            line.ok_or(CheckpointError::EmptyLine { number })
        };
        let (origin, size, root) = (next(1)?, next(2)?, next(3)?);
        let size =
            line::decimal(size).ok_or_else(|| CheckpointError::Size { found: shortened(size) })?;
        let root = line::base64_hash(root)
            .ok_or_else(|| CheckpointError::Root { found: shortened(root) })?;
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        if let Some(empty) = extensions.iter().position(String::is_empty) {
            return Err(CheckpointError::EmptyLine { number: empty + 4 });
        }
        let head = TreeHead { size: TreeSize::new(size), root };
        Ok(Checkpoint { origin: origin.to_owned(), head, extensions })
    }
}

/// A checkpoint that this process has just signed as the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    algorithm: HashAlgorithm,
    note: Note,
}

impl SignedCheckpoint {
    /// What was signed.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The tree head that was signed.
    pub fn head(&self) -> TreeHead {
        self.checkpoint.head
    }

    /// The hash of the tree.
    pub fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// The signed note, to be published.
    pub fn to_text(&self) -> String {
        self.note.to_string()
    }

    /// As somebody else receives it.
    pub fn into_unverified(self) -> UnverifiedCheckpoint {
        UnverifiedCheckpoint { checkpoint: self.checkpoint, note: self.note }
    }
}

/// A checkpoint as it was read: **nobody has checked its signatures**.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnverifiedCheckpoint {
    checkpoint: Checkpoint,
    note: Note,
}

/// The checkpoint in the note of a head-signed record, which must be of the same size and root. Its
/// signatures are not checked.
///
/// # Errors
/// Says what no log writes.
pub(crate) fn checkpoint_of(signed: &HeadSigned<'_>) -> Result<UnverifiedCheckpoint, FormatError> {
    let head = TreeHead { size: TreeSize::new(signed.size), root: Hash::from_bytes(signed.root) };
    let said = |head: TreeHead| format!("a checkpoint of size {}, root {}", head.size, head.root);
    let wrong = |found| FormatError::mismatch("note of the signed head", said(head), found);
    let note = UnverifiedCheckpoint::parse(signed.note.as_bytes());
    let note = note.map_err(|error| wrong(error.to_string()))?;
    let found = note.dangerously_unverified().head();
    if found == head { Ok(note) } else { Err(wrong(said(found))) }
}

impl UnverifiedCheckpoint {
    /// Reads a signed checkpoint, strictly.
    ///
    /// # Errors
    /// Not a signed note, or its text is not a checkpoint.
    pub fn parse(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let note = Note::parse(bytes)?;
        let checkpoint = Checkpoint::parse(note.dangerously_unverified_text())?;
        Ok(UnverifiedCheckpoint { checkpoint, note })
    }

    /// What the checkpoint says, **which nobody has checked**: good for showing and
    /// for choosing the keys to verify with, not for believing.
    pub fn dangerously_unverified(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The note with its signature lines, **which nobody has checked**.
    pub fn note(&self) -> &Note {
        &self.note
    }

    /// The text it was read from, byte for byte.
    pub fn to_text(&self) -> String {
        self.note.to_string()
    }

    /// The same checkpoint with further signature lines, such as witnesses answer. Its
    /// text and the signatures it has stay as they are; **nobody checks the new ones**.
    ///
    /// # Errors
    /// As [`Note::with_signatures`].
    pub fn with_signatures(&self, more: &[NoteSignature]) -> Result<Self, CheckpointError> {
        let note = self.note.with_signatures(more)?;
        Ok(UnverifiedCheckpoint { checkpoint: self.checkpoint.clone(), note })
    }

    /// Checks the signatures. The log itself must have signed: one of the keys
    /// given is named as the origin and its signature is right. Signatures by
    /// other given keys (witnesses) must be right as well; those by unknown keys
    /// are ignored.
    ///
    /// # Errors
    /// A signature by a given key is wrong, the log's own is missing, or its keys
    /// disagree about the tree's hash.
    pub fn verify(&self, keys: &[VerifyingKey]) -> Result<VerifiedCheckpoint, CheckpointError> {
        let note = self.note.verify(keys)?;
        let origin = &self.checkpoint.origin;
        // Witnesses are not among the signers: no witness speaks for a log, whatever its name.
        let own = note.signers().iter().filter(|key| key.name().as_str() == origin);
        let mut algorithms = own.filter_map(|key| key.kind().head_algorithm());
        let Some(algorithm) = algorithms.next() else {
            let found = known_signers(&note).map(|key| (key.name().clone(), key.id())).collect();
            return Err(CheckpointError::LogDidNotSign { origin: origin.clone(), found });
        };
        // One root cannot be that of a SHA-256 tree and of a BLAKE3 tree.
        if algorithms.any(|other| other != algorithm) {
            return Err(CheckpointError::TwoHashes { origin: origin.clone() });
        }
        check_empty_root(&self.checkpoint.head, algorithm)?;
        Ok(VerifiedCheckpoint { checkpoint: self.checkpoint.clone(), algorithm, note })
    }
}

/// A checkpoint that the log has signed, as one of the trusted keys shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCheckpoint {
    checkpoint: Checkpoint,
    algorithm: HashAlgorithm,
    note: VerifiedNote,
}

impl VerifiedCheckpoint {
    /// Which log signed.
    pub fn origin(&self) -> &str {
        &self.checkpoint.origin
    }

    /// The tree head it signed.
    pub fn head(&self) -> TreeHead {
        self.checkpoint.head
    }

    /// The hash of the tree, as the kind of the log's key says.
    pub fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// What was signed.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Who signed: the log, and those of the other given keys that did. Witnesses
    /// are not among them.
    pub fn signers(&self) -> &[VerifyingKey] {
        self.note.signers()
    }

    /// Which of the given witnesses cosigned, and when: each once, with the earliest
    /// of its cosignatures.
    pub fn cosignatures(&self) -> &[Cosignature] {
        self.note.cosignatures()
    }

    /// Cosigns as a witness: says that at this time (seconds since 1970) this was the
    /// largest consistent head that the witness had seen of this log. Whether it is
    /// consistent the caller has checked: see the witness rule.
    ///
    /// # Errors
    /// Not the key of a witness; a BLAKE3 head, which witnesses do not know; a time
    /// of 2⁶³ or later; or the signer could not sign.
    pub fn cosign(
        &self,
        cosigner: &dyn NoteSigner,
        unix_seconds: u64,
    ) -> Result<NoteSignature, CheckpointError> {
        if self.algorithm != HashAlgorithm::Sha256 {
            return Err(CheckpointError::NotForWitnesses { found: self.algorithm });
        }
        let signature = cosignature::sign(cosigner, self.note.text(), unix_seconds);
        let signature = signature.map_err(NoteError::NotSigned)?;
        Ok(NoteSignature::by(cosigner.verifying_key(), signature))
    }

    /// As somebody else receives it.
    pub fn into_unverified(self) -> UnverifiedCheckpoint {
        UnverifiedCheckpoint { checkpoint: self.checkpoint, note: self.note.into_note() }
    }

    /// The signed note, with all signature lines.
    pub fn to_text(&self) -> String {
        self.note.note().to_string()
    }
}

/// Everybody whose signature was checked: signers and witnesses.
fn known_signers(note: &VerifiedNote) -> impl Iterator<Item = &VerifyingKey> {
    note.signers().iter().chain(note.cosignatures().iter().map(Cosignature::key))
}

fn check_empty_root(head: &TreeHead, algorithm: HashAlgorithm) -> Result<(), CheckpointError> {
    if head.size == TreeSize::ZERO && head.root != algorithm.empty_root() {
        return Err(CheckpointError::EmptyTreeRoot { algorithm, found: head.root });
    }
    Ok(())
}

/// The first characters of a hostile line, for an error.
fn shortened(line: &str) -> String {
    line.chars().take(80).collect()
}

/// Something is not a checkpoint, or not one that the log signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// Not a signed note.
    #[error("{0}")]
    Note(#[from] NoteError),
    /// The signatures do not hold.
    #[error("{0}")]
    Signature(#[from] VerifyNoteError),
    /// One of the first three lines is missing, or a line is empty.
    #[error(
        "expected origin, tree size and root hash in the first lines of the checkpoint, found line \
         {number} missing or empty"
    )]
    EmptyLine {
        /// Which line, from 1.
        number: usize,
    },
    /// The second line is not a decimal number without leading zeroes.
    #[error("expected the tree size as a plain decimal number, found {found:?}")]
    Size {
        /// What was found (its beginning).
        found: String,
    },
    /// The third line is not the base64 of 32 bytes.
    #[error("expected the root hash as base64 of 32 bytes, found {found:?}")]
    Root {
        /// What was found (its beginning).
        found: String,
    },
    /// Not an extension line: empty, or with control characters.
    #[error("expected one extension line without control characters, found {found:?}")]
    Extension {
        /// What was given.
        found: String,
    },
    /// A head of size 0 whose root is not the hash of no bytes.
    #[error(
        "expected an empty tree to have root {} ({algorithm}), found {found}",
        .algorithm.empty_root()
    )]
    EmptyTreeRoot {
        /// The hash of the tree.
        algorithm: HashAlgorithm,
        /// The root found.
        found: Hash,
    },
    /// A log signs with a key that is named as its origin.
    #[error("expected a signing key named {origin}, as the log, found {found}")]
    NotTheLogsKey {
        /// The origin.
        origin: String,
        /// The key's name.
        found: KeyName,
    },
    /// A log does not sign with the key of a witness.
    #[error("expected a key that signs heads, found {found}, the key of a witness")]
    WitnessKey {
        /// The key's name.
        found: KeyName,
    },
    /// Witnesses cosign heads of SHA-256 trees only: the C2SP protocols know no others.
    #[error(
        "expected the head of a SHA-256 log, found one of a {found} log, which witnesses do not \
         cosign; keep a log that needs witnesses in SHA-256"
    )]
    NotForWitnesses {
        /// The hash of the tree.
        found: HashAlgorithm,
    },
    /// Only keys of others signed.
    #[error(
        "expected a signature by {origin} itself, found only those by {}",
        signers(.found)
    )]
    LogDidNotSign {
        /// The origin.
        origin: String,
        /// Who signed.
        found: Vec<(KeyName, KeyId)>,
    },
    /// The log signed the head as one of two different hashes.
    #[error(
        "expected {origin} to sign a head for one hash, found it signed as that of a SHA-256 and of a \
         BLAKE3 tree"
    )]
    TwoHashes {
        /// The origin.
        origin: String,
    },
}
