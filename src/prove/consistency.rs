//! Proofs that the log only grew.

use super::does_not_hold;
use crate::checkpoint::UnverifiedCheckpoint;
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::merkle::{ProofPlan, TreeHead, verify_consistency};
use crate::proof::{AppendedAfter, ConsistencyProof};
use crate::read::snapshot::Snapshot;
use crate::seq::TreeSize;
use crate::tree::proof_error;

impl Snapshot {
    /// The tree head at an earlier size, or at the present one.
    ///
    /// # Errors
    /// `NotWritten` beyond the present size; I/O.
    pub fn head_at(&self, size: TreeSize) -> Result<TreeHead> {
        if size > self.size() {
            let seq = size.last_seq().unwrap_or_default();
            return Err(Error::NotWritten { seq, size: self.size() });
        }
        Ok(TreeHead { size, root: self.tree()?.root_at(size)? })
    }

    /// The hashes that show that the tree of one size begins with that of another
    /// (RFC 6962 §2.1.2).
    ///
    /// # Errors
    /// The new size is below the old one, or beyond the present one; I/O.
    pub fn consistency(&self, old: TreeSize, new: TreeSize) -> Result<Vec<Hash>> {
        let (old, new) = (self.head_at(old)?, self.head_at(new)?);
        self.consistent(&old, &new)
    }

    /// Proves that a checkpoint of this log extends an older one, for somebody who has only
    /// the log's public key. The result verifies with [`ConsistencyProof::verify`].
    ///
    /// # Errors
    /// One of them is not of this log, or they are the wrong way round; damage; I/O.
    pub fn prove_consistency(
        &self,
        old: &UnverifiedCheckpoint,
        new: &UnverifiedCheckpoint,
    ) -> Result<ConsistencyProof> {
        let heads = [old, new].map(|checkpoint| checkpoint.dangerously_unverified().head());
        heads.iter().try_for_each(|head| self.check_own(head))?;
        let hashes = self.consistent(&heads[0], &heads[1])?;
        Ok(ConsistencyProof { old: old.clone(), new: new.clone(), hashes })
    }

    /// What a proof carries to show that its record came after an earlier checkpoint.
    ///
    /// # Errors
    /// As [`Snapshot::prove_consistency`].
    pub fn appended_after(
        &self,
        earlier: &UnverifiedCheckpoint,
        checkpoint: &UnverifiedCheckpoint,
    ) -> Result<AppendedAfter> {
        let proof = self.prove_consistency(earlier, checkpoint)?;
        Ok(AppendedAfter { checkpoint: proof.old, hashes: proof.hashes })
    }

    fn consistent(&self, old: &TreeHead, new: &TreeHead) -> Result<Vec<Hash>> {
        let algorithm = self.tree()?.algorithm();
        let plan = ProofPlan::consistency(old.size, new.size).map_err(proof_error)?;
        let hashes = self.nodes(plan.nodes())?;
        let hashes = plan.assemble(algorithm, &hashes).map_err(proof_error)?;
        verify_consistency(algorithm, old, new, &hashes).map_err(|error| {
            does_not_hold(format!("the trees of {} and {} records", old.size, new.size), new, error)
        })?;
        Ok(hashes)
    }
}
