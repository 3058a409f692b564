//! Proofs of single records.

use super::does_not_hold;
use crate::checkpoint::UnverifiedCheckpoint;
use crate::error::{Error, Result};
use crate::merkle::{ProofPlan, TreeHead};
use crate::proof::Disclosure;
use crate::proof::{InclusionProof, TlogProof};
use crate::read::snapshot::Snapshot;
use crate::seq::{Seq, TreeSize};
use crate::tree::proof_error;

impl Snapshot {
    /// Proves that a record is under a checkpoint of this log, for somebody who has only
    /// the log's public key: the one in force, or an older one together with the statements about its changes
    /// ([`CatalogView::key_chain`](crate::log::CatalogView::key_chain) for
    /// [`Trust::with_key_chain`](crate::Trust::with_key_chain)). The result verifies with [`TlogProof::verify_record`].
    ///
    /// # Errors
    /// The checkpoint does not cover the record, or is not of this log; damage; I/O.
    pub fn prove(
        &self,
        seq: Seq,
        checkpoint: &UnverifiedCheckpoint,
        disclosure: Disclosure,
    ) -> Result<TlogProof> {
        let head = checkpoint.dangerously_unverified().head();
        let (inclusion, extra) = self.prove_under(seq, &head, disclosure)?;
        let (algorithm, extra) = (self.tree()?.algorithm(), Some(extra));
        Ok(TlogProof { algorithm, extra, inclusion, checkpoint: checkpoint.clone() })
    }

    /// The path from a record to a tree head of this log that somebody else vouches for, such
    /// as a vault, and the record as it stands in a proof.
    ///
    /// # Errors
    /// As [`Snapshot::prove`].
    pub fn prove_under(
        &self,
        seq: Seq,
        head: &TreeHead,
        disclosure: Disclosure,
    ) -> Result<(InclusionProof, Vec<u8>)> {
        self.check_own(head)?;
        let inclusion = self.inclusion(seq, head.size)?;
        let algorithm = self.tree()?.algorithm();
        let (leaf, extra) = self.records().with_record(seq, |_, record| {
            Ok::<_, Error>((record.leaf(algorithm), self.shown(&record, disclosure)?))
        })??;
        inclusion.verify(algorithm, &leaf, head).map_err(|error| {
            does_not_hold(
                format!("record {seq} against the tree of {} records", head.size),
                head,
                error,
            )
        })?;
        Ok((inclusion, extra))
    }

    /// The path from a record to the root over the first `size` records.
    ///
    /// # Errors
    /// The tree does not cover the record; I/O.
    pub fn inclusion(&self, seq: Seq, size: TreeSize) -> Result<InclusionProof> {
        let plan = ProofPlan::inclusion(seq, size).map_err(proof_error)?;
        let hashes = self.nodes(plan.nodes())?;
        let hashes = plan.assemble(self.tree()?.algorithm(), &hashes).map_err(proof_error)?;
        Ok(InclusionProof { seq, hashes })
    }
}
