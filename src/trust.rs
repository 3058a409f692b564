//! What a verifier trusts, given from outside and never by the log it checks.

use crate::checkpoint::{
    CheckpointError, Cosignature, UnverifiedCheckpoint, VerifiedCheckpoint, VerifyingKey,
};
use crate::witness::{Policy, PolicyLog, Witness};

/// Whom a verifier believes: the keys of the log, pinned beforehand, and the witnesses
/// without which it does not believe the log alone.
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
    witnesses: Option<Policy>,
}

impl Trust {
    /// Trust in these keys of logs.
    pub fn in_keys(keys: impl IntoIterator<Item = VerifyingKey>) -> Self {
        Trust { keys: keys.into_iter().collect(), witnesses: None }
    }

    /// Trust in the logs of a policy, as far as its quorum of witnesses cosigned.
    pub fn in_policy(policy: Policy) -> Self {
        Trust::in_keys(policy.logs().iter().map(PolicyLog::key).cloned()).with_witnesses(policy)
    }

    /// The same, but a checkpoint counts only if besides the log the policy's quorum of
    /// witnesses signed it. The policy's logs do not matter here: the keys are pinned.
    pub fn with_witnesses(mut self, policy: Policy) -> Self {
        self.witnesses = Some(policy);
        self
    }

    /// Checks that a trusted key of the log signed the checkpoint, and that the quorum
    /// of witnesses cosigned it, if there is one.
    ///
    /// # Errors
    /// As [`UnverifiedCheckpoint::verify`]; [`CheckpointError::TooFewWitnesses`].
    pub fn verify(
        &self,
        checkpoint: &UnverifiedCheckpoint,
    ) -> Result<VerifiedCheckpoint, CheckpointError> {
        let Some(policy) = &self.witnesses else { return checkpoint.verify(&self.keys) };
        let witnesses = policy.witnesses().iter().map(Witness::key);
        let keys: Vec<_> = self.keys.iter().chain(witnesses).cloned().collect();
        let verified = checkpoint.verify(&keys)?;
        let cosigners: Vec<_> =
            verified.cosignatures().iter().map(Cosignature::key).cloned().collect();
        let quorum = policy.quorum(&cosigners);
        if quorum.is_reached() {
            return Ok(verified);
        }
        let names = |witnesses: &[&Witness]| {
            witnesses.iter().map(|witness| witness.key().name().clone()).collect()
        };
        let (found, missing) = (names(quorum.cosigned()), names(quorum.missing()));
        Err(CheckpointError::TooFewWitnesses { found, missing })
    }
}
