//! Why a proof does not show what it should.

use crate::hash::HashAlgorithm;
use crate::keys::KeyChainError;
use crate::merkle::ProofError;
use crate::seq::{Seq, TreeSize};
use crate::trust::TrustError;

/// A proof does not show that its record is in the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyProofError {
    /// The checkpoint is not one that the log signed.
    #[error("checkpoint not verified: {0}")]
    Checkpoint(#[source] TrustError),
    /// Checkpoint and proof are of trees with different hashes.
    #[error("expected a {expected} proof, as the checkpoint is, found {found}")]
    Algorithm {
        /// The hash of the checkpoint's tree.
        expected: HashAlgorithm,
        /// The hash that the proof's first line names.
        found: HashAlgorithm,
    },
    /// The hashes do not lead from the record to the checkpoint.
    #[error("inclusion not proved: {0}")]
    Inclusion(#[source] ProofError),
    /// The hashes do not lead from the older checkpoint to the newer one.
    #[error("consistency not proved: {0}")]
    Consistency(#[source] ProofError),
    /// A checkpoint is of another log.
    #[error("expected a checkpoint of {expected}, found one of {found}")]
    Origin {
        /// The origin it must have.
        expected: String,
        /// The origin it has.
        found: String,
    },
    /// The earlier checkpoint covers the record, so it does not show that the record came
    /// after it.
    #[error("expected an earlier checkpoint without record {seq}, found one of {size} records")]
    Covered {
        /// The record.
        seq: Seq,
        /// Size of the earlier tree.
        size: TreeSize,
    },
    /// The key chain that the proof carries does not hold.
    #[error("key chain: {0}")]
    KeyChain(#[source] Box<KeyChainError>),
    /// What should be a record is none.
    #[error("expected a record: {0}")]
    NotARecord(String),
    /// Something is another thing than it must be.
    #[error("{what}: expected {expected}, found {found}")]
    Other {
        /// What.
        what: &'static str,
        /// What it must be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// Something that the proof carries besides does not hold.
    #[error("{section}: {error}")]
    In {
        /// What.
        section: &'static str,
        /// Why not.
        #[source]
        error: Box<VerifyProofError>,
    },
}
