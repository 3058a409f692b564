//! What a verifier trusts, given from outside and never by the log it checks.

use crate::checkpoint::{CheckpointError, UnverifiedCheckpoint, VerifiedCheckpoint, VerifyingKey};

/// Whom a verifier believes: the keys of the log, pinned beforehand.
///
/// ```
/// # use bulla::Trust;
/// # use bulla::checkpoint::{SignatureKind, SigningKey};
/// # let key = SigningKey::new("example.com/audit", SignatureKind::Ed25519, &[7; 32])?;
/// let trust = Trust::in_keys([key.verifying_key().clone()]);
/// # Ok::<(), bulla::checkpoint::KeyError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Trust {
    keys: Vec<VerifyingKey>,
}

impl Trust {
    /// Trust in these keys of logs.
    pub fn in_keys(keys: impl IntoIterator<Item = VerifyingKey>) -> Self {
        Trust { keys: keys.into_iter().collect() }
    }

    /// Checks that a trusted key of the log signed the checkpoint.
    ///
    /// # Errors
    /// As [`UnverifiedCheckpoint::verify`].
    pub fn verify(
        &self,
        checkpoint: &UnverifiedCheckpoint,
    ) -> Result<VerifiedCheckpoint, CheckpointError> {
        checkpoint.verify(&self.keys)
    }
}
