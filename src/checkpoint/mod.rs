//! Signed tree heads: keys, signed notes (c2sp.org/signed-note), checkpoints
//! (c2sp.org/tlog-checkpoint) and cosignatures of them (c2sp.org/tlog-cosignature).
//!
//! What was parsed and what was verified are different types. A [`Note`] becomes
//! a [`VerifiedNote`] only in [`Note::verify`], and an [`UnverifiedCheckpoint`] a
//! [`VerifiedCheckpoint`] only in [`UnverifiedCheckpoint::verify`].
//!
//! ```
//! use bulla::checkpoint::{
//!     Checkpoint, SignatureKind, SigningKey, UnverifiedCheckpoint, VerifyingKey,
//! };
//! use bulla::hash::HashAlgorithm;
//! use bulla::merkle::TreeHead;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = SigningKey::generate("example.com/audit", SignatureKind::Ed25519)?;
//! let head = TreeHead::empty(HashAlgorithm::Sha256);
//! let signed = Checkpoint::new("example.com/audit", head)?.sign(&key)?;
//!
//! // The auditor has the text of the checkpoint and the log's public key.
//! let trusted: VerifyingKey = key.verifying_key().to_string().parse()?;
//! let received = UnverifiedCheckpoint::parse(signed.to_text().as_bytes())?;
//! assert_eq!(received.verify(&[trusted])?.head(), head);
//! # Ok(())
//! # }
//! ```
//!
//! This is the only module that names `ed25519_dalek`.

mod cosignature;
#[cfg(test)]
mod cosignature_tests;
mod head;
mod key;
pub(crate) mod line;
mod note;
#[cfg(test)]
mod tests;

#[cfg(feature = "engine")]
pub use crate::random::RandomError;
pub use cosignature::Cosignature;
pub(crate) use head::checkpoint_of;
pub use head::{
    Checkpoint, CheckpointError, SignedCheckpoint, UnverifiedCheckpoint, VerifiedCheckpoint,
};
pub use key::{
    KeyError, KeyId, KeyName, NoteSigner, SignError, SignatureKind, SigningKey, VerifyingKey,
};
pub use note::{
    NOTE_LEN_MAX, NOTE_SIGNATURES_MAX, Note, NoteError, NoteSignature, VerifiedNote,
    VerifyNoteError,
};
