//! Proofs: a record, the path to a root, and the checkpoint that signs the root.

use crate::checkpoint::UnverifiedCheckpoint;
use crate::error::{Error, Result};
use crate::log::Log;
use crate::log::read::Snapshot;
use crate::merkle::{ProofPlan, TreeHead};
use crate::proof::{InclusionProof, TlogProof, disclose};
use crate::seq::{Seq, TreeSize};
use crate::tree::proof_error;

pub use crate::proof::Disclosure;

impl Log {
    /// Proves that a record is under a checkpoint of this log, for somebody who has only
    /// the log's public key. The result verifies with [`TlogProof::verify_record`].
    ///
    /// # Errors
    /// The checkpoint does not cover the record, or is not of this log; damage; I/O.
    pub fn prove(
        &self,
        seq: Seq,
        checkpoint: &UnverifiedCheckpoint,
        disclosure: Disclosure,
    ) -> Result<TlogProof> {
        self.snapshot().prove(seq, checkpoint, disclosure)
    }
}

impl Snapshot {
    /// As [`Log::prove`].
    ///
    /// # Errors
    /// As [`Log::prove`].
    pub fn prove(
        &self,
        seq: Seq,
        checkpoint: &UnverifiedCheckpoint,
        disclosure: Disclosure,
    ) -> Result<TlogProof> {
        let head = checkpoint.dangerously_unverified().head();
        self.check_own(&head)?;
        let inclusion = self.inclusion(seq, head.size)?;
        let algorithm = self.tree()?.algorithm();
        let (leaf, extra) = self.with_record(seq, |_, record| {
            (record.leaf(algorithm), disclose(&record, disclosure))
        })?;
        // A damaged hash file must not make a proof that fails elsewhere.
        inclusion.verify(algorithm, &leaf, &head).map_err(|error| Error::Tampered {
            what: format!("record {seq} against the tree of {} records", head.size),
            expected: format!("a path to root {}", head.root),
            found: error.to_string(),
        })?;
        Ok(TlogProof { algorithm, extra: Some(extra), inclusion, checkpoint: checkpoint.clone() })
    }

    fn check_own(&self, head: &TreeHead) -> Result<()> {
        if head.size > self.size() {
            let size = head.size.last_seq().unwrap_or_default();
            return Err(Error::NotWritten { seq: size, size: self.size() });
        }
        let root = self.tree()?.root_at(head.size)?;
        if root == head.root {
            return Ok(());
        }
        let what = format!("the checkpoint of size {}", head.size);
        Err(Error::tampered(what, head.root, format!("root {root} in this log")))
    }

    /// The path from a record to the root over the first `size` records.
    ///
    /// # Errors
    /// The tree does not cover the record; I/O.
    pub fn inclusion(&self, seq: Seq, size: TreeSize) -> Result<InclusionProof> {
        let tree = self.tree()?;
        let plan = ProofPlan::inclusion(seq, size).map_err(proof_error)?;
        let hashes: Result<Vec<_>> = plan.nodes().iter().map(|node| tree.node(*node)).collect();
        let hashes = plan.assemble(tree.algorithm(), &hashes?).map_err(proof_error)?;
        Ok(InclusionProof { seq, hashes })
    }
}
