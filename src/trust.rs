//! What a verifier trusts, given from outside and never by the log it checks.

use crate::checkpoint::{
    CheckpointError, Cosignature, KeyName, UnverifiedCheckpoint, VerifiedCheckpoint, VerifyingKey,
};
use crate::hash::HashAlgorithm;
use crate::keys::{Epochs, KeyChain, KeyChainError, OutsideEpoch};
use crate::witness::{Policy, PolicyLog, Witness};

/// Whom a verifier believes: keys of logs that were pinned beforehand, what the log's
/// own key chain makes of them, and the witnesses without whom it does not believe the
/// log alone.
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
    recovery: Option<VerifyingKey>,
    known: Option<(KeyChain, Epochs)>,
    witnesses: Option<Policy>,
}

impl Trust {
    /// Trust in these keys of logs. Without a key chain each counts for every size.
    pub fn in_keys(keys: impl IntoIterator<Item = VerifyingKey>) -> Self {
        Trust { keys: keys.into_iter().collect(), ..Trust::default() }
    }

    /// Pins the recovery key, which can revoke others. Without it, the one counts that the
    /// key chain names.
    #[must_use]
    pub fn with_recovery(mut self, key: VerifyingKey) -> Self {
        self.recovery = Some(key);
        self
    }

    /// Learns a log's key chain: which keys came after the pinned ones, and for which
    /// sizes each of them counts. A chain that goes on from one that is known replaces
    /// it, and one that ends earlier adds nothing.
    ///
    /// # Errors
    /// The chain does not hold, is about no pinned key, or is another one than is known:
    /// then the error shows the evidence, if one key signed both.
    pub fn with_key_chain(mut self, chain: &KeyChain) -> Result<Self, KeyChainError> {
        if chain.is_empty() {
            return Ok(self);
        }
        let learned = match &self.known {
            None => chain.clone(),
            Some((known, _)) => match known.joined(chain) {
                Some(joined) => joined,
                None if chain.revokes_against(known) => chain.clone(),
                None => {
                    let evidence = known.conflict_with(chain).map(KeyChainError::TwoSuccessors);
                    return Err(evidence.unwrap_or(KeyChainError::OtherChain));
                }
            },
        };
        let epochs = learned.verify(&self.keys, self.recovery.as_ref())?;
        self.check_names(&learned, &epochs)?;
        self.known = Some((learned, epochs));
        Ok(self)
    }

    /// A successor's origin is not that of another log whose key is pinned.
    fn check_names(&self, chain: &KeyChain, epochs: &Epochs) -> Result<(), KeyChainError> {
        let own = epochs.epochs().first().map(|epoch| epoch.key().name());
        let others = epochs.epochs().iter().map(|epoch| epoch.key().name());
        for name in others.filter(|name| Some(*name) != own) {
            let taken = |key: &VerifyingKey| key.name() == name && !names(chain, key);
            if self.keys.iter().any(taken) {
                return Err(KeyChainError::OthersOrigin { name: name.to_string() });
            }
        }
        Ok(())
    }

    /// Trust in the logs of a policy, as far as its quorum of witnesses cosigned.
    pub fn in_policy(policy: Policy) -> Self {
        Trust::in_keys(policy.logs().iter().map(PolicyLog::key).cloned()).with_witnesses(policy)
    }

    /// The same, but a checkpoint counts only if besides the log the policy's quorum of
    /// witnesses signed it. The policy's logs do not matter here: the keys are pinned.
    ///
    /// Witnesses cosign SHA-256 heads only: with a policy whose quorum requires any, no head of
    /// a BLAKE3 log counts.
    #[must_use]
    pub fn with_witnesses(mut self, policy: Policy) -> Self {
        self.witnesses = Some(policy);
        self
    }

    /// Which key counts for which sizes, if a key chain is known.
    pub fn epochs(&self) -> Option<&Epochs> {
        self.known.as_ref().map(|(_, epochs)| epochs)
    }

    /// Whether a key is one of the log that signed a checkpoint, or shares its secret with one,
    /// whatever its name and kind: a signer of that checkpoint, a key that was pinned under the
    /// log's name, or one that the log's key chain names.
    pub fn is_key_of(&self, checkpoint: &VerifiedCheckpoint, key: &VerifyingKey) -> bool {
        self.keys_of(checkpoint).iter().any(|own| own.has_same_secret(key))
    }

    /// All keys of the log that signed a checkpoint, as far as they are known.
    pub(crate) fn keys_of(&self, checkpoint: &VerifiedCheckpoint) -> Vec<VerifyingKey> {
        let origin = checkpoint.origin();
        let is_named_so = |key: &&VerifyingKey| key.name().as_str() == origin;
        let known = checkpoint.signers().iter().chain(&self.keys).filter(is_named_so);
        let chain = self.known.iter().map(|(chain, _)| chain).filter(|chain| {
            let mut statements = chain.dangerously_unverified();
            statements.any(|statement| {
                [&statement.key, statement.change.introduced()].iter().any(is_named_so)
            })
        });
        let statements = chain.flat_map(KeyChain::dangerously_unverified);
        let changed =
            statements.flat_map(|statement| [&statement.key, statement.change.introduced()]);
        known.chain(changed).chain(&self.recovery).cloned().collect()
    }

    /// Whether a log goes on under the second origin: it is the first one, or the key chain
    /// says that the first one was retired for it.
    pub(crate) fn is_succeeded_by(&self, origin: &str, successor: &str) -> bool {
        let named = |name: &str| {
            let mut epochs = self.epochs()?.epochs().iter();
            epochs.position(|epoch| epoch.key().name().as_str() == name)
        };
        origin == successor
            || matches!((named(origin), named(successor)), (Some(old), Some(new)) if old < new)
    }

    /// Checks that a trusted key of the log signed the checkpoint, that it counts for that
    /// size, and that the quorum of witnesses cosigned it, if there is one.
    ///
    /// # Errors
    /// Says which of this does not hold.
    pub fn verify(
        &self,
        checkpoint: &UnverifiedCheckpoint,
    ) -> Result<VerifiedCheckpoint, TrustError> {
        let verified = self.verify_without_quorum(checkpoint)?;
        self.check_witnesses(&verified)?;
        Ok(verified)
    }

    /// The same, whether or not the quorum cosigned: for a checkpoint that a cosigned one
    /// vouches for.
    pub(crate) fn verify_without_quorum(
        &self,
        checkpoint: &UnverifiedCheckpoint,
    ) -> Result<VerifiedCheckpoint, TrustError> {
        let witnesses = self.witnesses.iter().flat_map(Policy::witnesses).map(Witness::key);
        let keys: Vec<_> = self.believed().into_iter().chain(witnesses.cloned()).collect();
        let verified = checkpoint.verify(&keys).map_err(TrustError::Checkpoint)?;
        if let Some(epochs) = self.epochs() {
            epochs.check(&verified).map_err(TrustError::OutsideEpoch)?;
        }
        Ok(verified)
    }

    fn check_witnesses(&self, verified: &VerifiedCheckpoint) -> Result<(), TrustError> {
        let Some(policy) = &self.witnesses else { return Ok(()) };
        let cosigners = verified.cosignatures().iter().map(Cosignature::key);
        let quorum = policy.quorum(&cosigners.cloned().collect::<Vec<_>>());
        if quorum.is_reached() {
            return Ok(());
        }
        if verified.algorithm() != HashAlgorithm::Sha256 {
            return Err(TrustError::NotWitnessed { found: verified.algorithm() });
        }
        let names = |witnesses: &[&Witness]| {
            witnesses.iter().map(|witness| witness.key().name().clone()).collect()
        };
        let (found, missing) = (names(quorum.cosigned()), names(quorum.missing()));
        Err(TrustError::TooFewWitnesses { found, missing })
    }

    /// Whether the chain says for which sizes a key counts: for none, if its epoch was made
    /// void by a revocation, or if the chain is about keys of the same name and not about it.
    fn is_bound_by_chain(&self, key: &VerifyingKey) -> bool {
        self.known.as_ref().is_some_and(|(chain, epochs)| {
            names(chain, key)
                || epochs.epochs().iter().any(|epoch| epoch.key().name() == key.name())
        })
    }

    /// The pinned keys that sign heads, and those that the chain adds.
    fn believed(&self) -> Vec<VerifyingKey> {
        let signs_heads = |key: &&VerifyingKey| key.kind().head_algorithm().is_some();
        let pinned = self.keys.iter().filter(|key| !self.is_bound_by_chain(key));
        let learned = self.epochs().into_iter().flat_map(Epochs::keys);
        let mut believed: Vec<VerifyingKey> = Vec::new();
        for key in pinned.chain(learned).filter(signs_heads) {
            if !believed.contains(key) {
                believed.push(key.clone());
            }
        }
        believed
    }
}

/// Whether a statement of the chain closes the key or introduces it.
fn names(chain: &KeyChain, key: &VerifyingKey) -> bool {
    let mut statements = chain.dangerously_unverified();
    statements.any(|statement| statement.key == *key || statement.change.next() == Some(key))
}

/// A checkpoint is not one that the verifier trusts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// No trusted key signed it, or one that did not.
    #[error(transparent)]
    Checkpoint(CheckpointError),
    /// A key signed it that does not count for this size.
    #[error(transparent)]
    OutsideEpoch(OutsideEpoch),
    /// The log signed, but too few of the trusted witnesses cosigned.
    #[error(
        "expected cosignatures by the quorum of the policy, found those by {}; the quorum can be \
         reached with {}",
        listed(.found), listed(.missing)
    )]
    TooFewWitnesses {
        /// The trusted witnesses that did.
        found: Vec<KeyName>,
        /// Those that count and did not; not all of them need to.
        missing: Vec<KeyName>,
    },
    /// The log signed, and the policy requires witnesses, who cosign no heads of this hash.
    #[error(
        "expected the head of a SHA-256 log with cosignatures by the quorum of the policy, found \
         the head of a {found} log, which witnesses do not cosign; verify it by the log's key \
         alone, or keep a log that needs witnesses in SHA-256"
    )]
    NotWitnessed {
        /// The hash of the log's tree.
        found: HashAlgorithm,
    },
}

fn listed(names: &[KeyName]) -> String {
    match names {
        [] => "nobody".to_owned(),
        names => names.iter().map(KeyName::as_str).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::{Checkpoint, SignatureKind, SigningKey};
    use crate::hash::Hash;
    use crate::keys::{Change, Statement, recovery_name};
    use crate::merkle::TreeHead;
    use crate::seq::TreeSize;

    const ORIGIN: &str = "example.com/audit";

    fn key(seed: u8) -> SigningKey {
        SigningKey::new(ORIGIN, SignatureKind::Ed25519, &[seed; 32]).unwrap()
    }

    fn head(size: u64) -> TreeHead {
        TreeHead { size: TreeSize::new(size), root: Hash::from_bytes([7; 32]) }
    }

    /// `seed` hands over to `seed` + 1 at each of these sizes.
    fn chain(mut seed: u8, sizes: &[u64]) -> KeyChain {
        let mut chain = KeyChain::default();
        for &size in sizes {
            let (old, next) = (key(seed), key(seed + 1));
            let statement = Statement {
                origin: ORIGIN.to_owned(),
                number: chain.last().map_or(1, |last| last.number + 1),
                previous: chain.last().map_or(Hash::ZERO, Statement::digest),
                key: old.verifying_key().clone(),
                main: head(size),
                catalog: head(1),
                change: Change::Rotate { next: next.verifying_key().clone() },
            };
            let note = statement.sign(&[&old, &next]).unwrap();
            chain.push_note(note.to_string().as_bytes()).unwrap();
            seed += 1;
        }
        chain
    }

    fn signed(seed: u8, size: u64) -> UnverifiedCheckpoint {
        Checkpoint::new(ORIGIN, head(size)).unwrap().sign(&key(seed)).unwrap().into_unverified()
    }

    #[test]
    fn a_chain_adds_keys_and_bounds_the_pinned_one() {
        let trust = Trust::in_keys([key(1).verifying_key().clone()]);
        assert!(trust.verify(&signed(1, 11)).is_ok());
        assert!(trust.verify(&signed(2, 11)).is_err());
        let learned = trust.with_key_chain(&chain(1, &[10])).unwrap();
        assert!(learned.verify(&signed(2, 11)).is_ok());
        let refused = learned.verify(&signed(1, 11));
        assert!(matches!(refused, Err(TrustError::OutsideEpoch(_))), "{refused:?}");
    }

    #[test]
    fn what_is_known_is_not_forgotten_for_a_shorter_or_another_chain() {
        let trust = Trust::in_keys([key(1).verifying_key().clone()]);
        let learned = trust.with_key_chain(&chain(1, &[10, 20])).unwrap();
        let same = learned.clone().with_key_chain(&chain(1, &[10])).unwrap();
        assert!(same.verify(&signed(3, 21)).is_ok());
        let longer = learned.clone().with_key_chain(&chain(1, &[10, 20, 30])).unwrap();
        assert!(longer.verify(&signed(4, 31)).is_ok());
        let fork = learned.clone().with_key_chain(&chain(1, &[15]));
        assert!(matches!(fork, Err(KeyChainError::TwoSuccessors(_))), "{fork:?}");
        let stranger = learned.with_key_chain(&chain(5, &[10]));
        assert_eq!(stranger.unwrap_err(), KeyChainError::OtherChain);
    }

    #[test]
    fn a_pinned_key_that_was_revoked_from_its_beginning_counts_for_nothing() {
        let recovery_key =
            SigningKey::new(&recovery_name(ORIGIN), SignatureKind::Ed25519, &[9; 32]).unwrap();
        let mut stolen = chain(1, &[10, 20]);
        let statement = Statement {
            origin: ORIGIN.to_owned(),
            number: 3,
            previous: stolen.last().unwrap().digest(),
            key: key(2).verifying_key().clone(),
            main: head(15),
            catalog: head(1),
            change: Change::Revoke { next: key(4).verifying_key().clone() },
        };
        let note = statement.sign(&[&recovery_key, &key(4)]).unwrap();
        stolen.push_note(note.to_string().as_bytes()).unwrap();
        let pinned = [1, 3].map(|seed| key(seed).verifying_key().clone());
        let trust = Trust::in_keys(pinned).with_recovery(recovery_key.verifying_key().clone());
        assert!(trust.verify(&signed(3, 25)).is_ok(), "before the revocation is known");
        let learned = trust.with_key_chain(&stolen).unwrap();
        assert!(learned.verify(&signed(4, 25)).is_ok());
        assert!(learned.verify(&signed(3, 25)).is_err());
    }

    #[test]
    fn a_revocation_wins_over_what_the_thief_made_of_the_key() {
        let recovery_key =
            SigningKey::new(&recovery_name(ORIGIN), SignatureKind::Ed25519, &[9; 32]).unwrap();
        let statement = Statement {
            origin: ORIGIN.to_owned(),
            number: 1,
            previous: Hash::ZERO,
            key: key(1).verifying_key().clone(),
            main: head(5),
            catalog: head(1),
            change: Change::Revoke { next: key(4).verifying_key().clone() },
        };
        let mut owners = KeyChain::default();
        let note = statement.sign(&[&recovery_key, &key(4)]).unwrap();
        owners.push_note(note.to_string().as_bytes()).unwrap();
        let pinned = Trust::in_keys([key(1).verifying_key().clone()])
            .with_recovery(recovery_key.verifying_key().clone());
        let misled = pinned.clone().with_key_chain(&chain(1, &[10])).unwrap();
        assert!(misled.verify(&signed(2, 11)).is_ok());
        let told = misled.with_key_chain(&owners).unwrap();
        assert!(told.verify(&signed(4, 11)).is_ok() && told.verify(&signed(2, 11)).is_err());
        // And not the other way round.
        assert!(told.with_key_chain(&chain(1, &[10])).is_err());
        let unpinned = Trust::in_keys([key(1).verifying_key().clone()]);
        let misled = unpinned.with_key_chain(&chain(1, &[10])).unwrap();
        assert!(misled.with_key_chain(&owners).is_err(), "nobody named that recovery key");
    }

    #[test]
    fn one_logs_chain_says_nothing_of_another_log() {
        let other = "b.example/log";
        let key_of = |seed| SigningKey::new(other, SignatureKind::Ed25519, &[seed; 32]).unwrap();
        let statement = Statement {
            origin: ORIGIN.to_owned(),
            number: 1,
            previous: Hash::ZERO,
            key: key(1).verifying_key().clone(),
            main: head(5),
            catalog: head(1),
            change: Change::Retire { kept: head(3), next: key_of(66).verifying_key().clone() },
        };
        let mut taking_over = KeyChain::default();
        let note = statement.sign(&[&key(1), &key_of(66)]).unwrap();
        taking_over.push_note(note.to_string().as_bytes()).unwrap();
        let both = [key(1).verifying_key().clone(), key_of(2).verifying_key().clone()];
        let refused = Trust::in_keys(both).with_key_chain(&taking_over).unwrap_err();
        assert_eq!(refused, KeyChainError::OthersOrigin { name: other.to_owned() });
        let alone = Trust::in_keys([key(1).verifying_key().clone()]);
        assert!(alone.with_key_chain(&taking_over).is_ok());
    }

    #[test]
    fn a_witness_signs_no_heads() {
        let witness =
            SigningKey::new("w.example", SignatureKind::Ed25519Cosignature, &[5; 32]).unwrap();
        let trust =
            Trust::in_keys([key(1).verifying_key().clone(), witness.verifying_key().clone()]);
        for name in ["w.example", "w.example/catalog"] {
            let same_secret = SigningKey::new(name, SignatureKind::Ed25519, &[5; 32]).unwrap();
            let signed = Checkpoint::new(name, head(4)).unwrap().sign(&same_secret).unwrap();
            assert!(trust.verify(&signed.into_unverified()).is_err(), "{name}");
        }
    }

    /// Early BLAKE3 logs signed heads of their catalog with the same secret.
    #[test]
    fn the_key_of_a_blake3_log_vouches_for_no_head_under_another_name() {
        let name = format!("{ORIGIN}/catalog");
        let catalog = SigningKey::new(&name, SignatureKind::Ed25519, &[1; 32]).unwrap();
        let signed = Checkpoint::new(&name, head(4)).unwrap().sign(&catalog).unwrap();
        let blake3 = SigningKey::new(ORIGIN, SignatureKind::Ed25519Blake3Head, &[1; 32]).unwrap();
        let trust = Trust::in_keys([blake3.verifying_key().clone()]);
        assert!(trust.verify(&signed.into_unverified()).is_err());
    }

    #[test]
    fn a_quorum_of_witnesses_is_never_reached_for_a_blake3_head_and_the_error_says_why() {
        let blake3 = SigningKey::new(ORIGIN, SignatureKind::Ed25519Blake3Head, &[1; 32]).unwrap();
        let signed = Checkpoint::new(ORIGIN, head(4)).unwrap().sign(&blake3).unwrap();
        let signed = signed.into_unverified();
        let witness =
            SigningKey::new("w.example", SignatureKind::Ed25519Cosignature, &[5; 32]).unwrap();
        let key = blake3.verifying_key();
        let policy = |quorum: &str| {
            let text =
                format!("log {key}\nwitness w {}\nquorum {quorum}\n", witness.verifying_key());
            Trust::in_policy(Policy::parse(text.as_bytes()).unwrap())
        };
        let refused = policy("w").verify(&signed).unwrap_err();
        assert_eq!(refused, TrustError::NotWitnessed { found: HashAlgorithm::Blake3 });
        assert!(refused.to_string().contains("expected the head of a SHA-256 log"), "{refused}");
        assert!(policy("none").verify(&signed).is_ok());
        assert!(Trust::in_keys([key.clone()]).verify(&signed).is_ok());
    }
}
