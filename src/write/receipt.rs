//! What appends give.

use crate::hash::Hash;
use crate::seq::Seq;
use crate::time::Timestamp;
use crate::write::group_commit::Committed;

/// What an append gives: where the record stands, and its leaf in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// Its position in the log.
    pub seq: Seq,
    /// When the log took it, by the log's clock.
    pub recorded_at: Timestamp,
    /// Its leaf hash: keep it, and no later log can deny the record.
    pub leaf_hash: Hash,
}

/// What a batch gives: its records stand at `first` and after, without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchReceipt {
    /// Position of the first record.
    pub first: Seq,
    /// Number of records.
    pub count: u64,
    /// When the log took them.
    pub recorded_at: Timestamp,
}

impl From<Committed> for Receipt {
    fn from(committed: Committed) -> Self {
        let Committed { first, recorded_at, leaf } = committed;
        Receipt { seq: first, recorded_at, leaf_hash: leaf }
    }
}
