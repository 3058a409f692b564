//! Proofs of many records in one file.

use super::does_not_hold;
use crate::checkpoint::UnverifiedCheckpoint;
use crate::error::{Error, Result};
use crate::format::record::CheckedRecord;
use crate::merkle::{BatchPlan, verify_batch_inclusion};
use crate::proof::Disclosure;
use crate::proof::{BUNDLE_LEN_MAX, BUNDLE_RECORDS_MAX, Bundle, BundledRecord, Extra};
use crate::read::snapshot::Snapshot;
use crate::seq::Seq;
use crate::tree::proof_error;

impl Snapshot {
    /// Proves that these records are under a checkpoint of this log, in one file. They may be
    /// named in any order; one that is named twice is in it once. The result verifies with
    /// [`Bundle::verify`].
    ///
    /// # Errors
    /// The checkpoint does not cover one of them, or is not of this log; more than a bundle
    /// holds; damage; I/O.
    pub fn prove_many(
        &self,
        seqs: &[Seq],
        checkpoint: &UnverifiedCheckpoint,
        disclosure: Disclosure,
    ) -> Result<Bundle> {
        self.prove_each(seqs, checkpoint, |_| Ok(disclosure))
    }

    /// As [`Snapshot::prove_many`], with as much of each record as `disclosure` says.
    pub(super) fn prove_each(
        &self,
        seqs: &[Seq],
        checkpoint: &UnverifiedCheckpoint,
        disclosure: impl Fn(&CheckedRecord<'_>) -> Result<Disclosure>,
    ) -> Result<Bundle> {
        let head = checkpoint.dangerously_unverified().head();
        self.check_own(&head)?;
        let mut seqs = seqs.to_vec();
        seqs.sort_unstable();
        seqs.dedup();
        check_count(seqs.len())?;
        let plan = BatchPlan::inclusion(&seqs, head.size).map_err(proof_error)?;
        let (algorithm, hashes) = (self.tree()?.algorithm(), self.nodes(plan.nodes())?);
        let hashes = plan.assemble(algorithm, &hashes).map_err(proof_error)?;
        let mut len = 0;
        let mut records = Vec::new();
        let mut leaves = Vec::new();
        for seq in seqs {
            let (leaf, bytes) = self.records().with_record(seq, |_, record| {
                let disclosure = disclosure(&record)?;
                Ok::<_, Error>((record.leaf(algorithm), self.shown(&record, disclosure)?))
            })??;
            len += bytes.len();
            if len > BUNDLE_LEN_MAX {
                return Err(too_long(len));
            }
            leaves.push((seq, leaf));
            records.push(BundledRecord { seq, bytes });
        }
        verify_batch_inclusion(algorithm, &leaves, &head, &hashes).map_err(|error| {
            let what = format!("{} records against the tree of {}", leaves.len(), head.size);
            does_not_hold(what, &head, error)
        })?;
        let checkpoint = checkpoint.clone();
        Ok(Bundle { note: None, extra: Extra::default(), records, hashes, checkpoint })
    }
}

fn check_count(found: usize) -> Result<()> {
    if found <= BUNDLE_RECORDS_MAX {
        return Ok(());
    }
    Err(Error::TooLarge {
        what: "records in a bundle",
        limit: BUNDLE_RECORDS_MAX as u64,
        found: found as u64,
        advice: "make several",
    })
}

fn too_long(len: usize) -> Error {
    Error::TooLarge {
        what: "bytes of a bundle",
        limit: BUNDLE_LEN_MAX as u64,
        found: len as u64,
        advice: "make several, or withhold the payloads",
    }
}
