//! From a leaf to a signed tree head.

use super::verify_error::VerifyProofError;
use crate::checkpoint::{UnverifiedCheckpoint, VerifiedCheckpoint};
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::{ProofError, TreeHead, verify_inclusion};
use crate::proof::extra::Extra;
use crate::seq::Seq;
use crate::trust::Trust;

/// The claim that a record is in a tree, with the hashes that show it.
///
/// Unverified: it is as good as the tree head it is checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionProof {
    /// Position of the record.
    pub seq: Seq,
    /// From the leaf's sibling up to the root's child, at most 64
    /// (RFC 6962 §2.1.1).
    pub hashes: Vec<Hash>,
}

impl InclusionProof {
    /// Checks that the record with this leaf hash is in the tree, at this position.
    ///
    /// # Errors
    /// Says in which way the proof does not show it.
    pub fn verify(
        &self,
        algorithm: HashAlgorithm,
        leaf: &Hash,
        head: &TreeHead,
    ) -> Result<(), ProofError> {
        verify_inclusion(algorithm, leaf, self.seq, head, &self.hashes)
    }
}

/// An inclusion proof with the checkpoint it leads to: **nothing of it is checked**
/// until [`TlogProof::verify`] says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// The hash of the tree, as the first line says.
    pub algorithm: HashAlgorithm,
    /// Anything that helps to rebuild the entry, and **not authenticated**: the
    /// verdict says nothing about it. An empty one is written as none.
    pub extra: Option<Vec<u8>>,
    /// Position and hashes.
    pub inclusion: InclusionProof,
    /// The checkpoint that covers the record.
    pub checkpoint: UnverifiedCheckpoint,
}

impl TlogProof {
    /// Checks that the log signed a tree with this entry at this position. The
    /// entry is the record's leaf as bytes, without the 0x00 of RFC 6962.
    ///
    /// # Errors
    /// As [`TlogProof::verify`].
    pub fn verify_entry(
        &self,
        entry: &[u8],
        trust: &Trust,
    ) -> Result<VerifiedInclusion, VerifyProofError> {
        self.verify(self.algorithm.leaf(&[entry]), trust)
    }

    /// Checks that the log signed a tree with this leaf hash at this position: first
    /// the signatures of the checkpoint, by whom the verifier trusts, then the hashes.
    ///
    /// # Errors
    /// The checkpoint is not signed by the log, its tree has another hash than the
    /// proof, or the hashes do not lead from the leaf to its root.
    pub fn verify(
        &self,
        leaf_hash: Hash,
        trust: &Trust,
    ) -> Result<VerifiedInclusion, VerifyProofError> {
        let checkpoint = trust.verify(&self.checkpoint).map_err(VerifyProofError::Checkpoint)?;
        self.verify_under(leaf_hash, checkpoint)
    }

    /// Checks the hashes, under the proof's checkpoint after that was verified.
    pub(super) fn verify_under(
        &self,
        leaf_hash: Hash,
        checkpoint: VerifiedCheckpoint,
    ) -> Result<VerifiedInclusion, VerifyProofError> {
        if checkpoint.algorithm() != self.algorithm {
            return Err(VerifyProofError::Algorithm {
                expected: checkpoint.algorithm(),
                found: self.algorithm,
            });
        }
        self.inclusion
            .verify(self.algorithm, &leaf_hash, &checkpoint.head())
            .map_err(VerifyProofError::Inclusion)?;
        Ok(VerifiedInclusion { seq: self.inclusion.seq, leaf_hash, checkpoint })
    }

    /// Replaces what the proof carries.
    pub fn set_extra(&mut self, extra: &Extra) {
        self.extra = Some(extra.to_bytes()).filter(|bytes| !bytes.is_empty());
    }
}

/// The log that signed the checkpoint has the record with this leaf hash at this
/// position. Only [`TlogProof::verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedInclusion {
    seq: Seq,
    leaf_hash: Hash,
    checkpoint: VerifiedCheckpoint,
}

impl VerifiedInclusion {
    /// Position of the record.
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// Leaf hash of the record.
    pub fn leaf_hash(&self) -> Hash {
        self.leaf_hash
    }

    /// The checkpoint that covers the record, and who signed it.
    pub fn checkpoint(&self) -> &VerifiedCheckpoint {
        &self.checkpoint
    }
}
