//! Why a proof of the tree shows nothing.

use crate::hash::Hash;
use crate::seq::{Seq, TreeSize};

/// A proof does not show what it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The tree ends before the record.
    #[error(
        "record {seq} is not covered by the tree of size {size}; take a checkpoint made after the \
         record"
    )]
    NotCovered {
        /// The record.
        seq: Seq,
        /// The size of the tree; it covers records below that.
        size: TreeSize,
    },
    /// The records of a batch are not named in ascending order, or one is named twice.
    #[error("expected records in ascending order, each once, found {seq} out of order")]
    NotAscending {
        /// The first record that does not come after the one before it.
        seq: Seq,
    },
    /// Not a range of leaves that a tree of its own could stand over.
    #[error(
        "expected leaves from a multiple of a power of two that is at least their number, found \
         {start} to {end}"
    )]
    NotASubtree {
        /// The first leaf.
        start: u64,
        /// One past the last.
        end: u64,
    },
    /// The tree that should be the newer one is the smaller one.
    #[error(
        "expected the newer tree to have at least the {old} records of the older one, found {new}: \
         a log never shrinks"
    )]
    Shrunk {
        /// Size of the older tree.
        old: TreeSize,
        /// Size of the newer tree.
        new: TreeSize,
    },
    /// The proof has more or fewer hashes than positions and sizes call for.
    #[error("expected a proof of {expected} hashes, found {found}")]
    Length {
        /// How many it must have.
        expected: usize,
        /// How many it has.
        found: usize,
    },
    /// The proof leads to a different root.
    #[error(
        "expected the {} to have root {expected}, the proof leads to {found}",
        tree_named(.side)
    )]
    Root {
        /// To whose root.
        side: TreeSide,
        /// The root in the tree head.
        expected: Hash,
        /// The root that the proof leads to.
        found: Hash,
    },
}

/// Which of the two trees of a consistency proof; inclusion has only the new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TreeSide {
    /// The smaller tree, which must be a prefix of the other.
    Old,
    /// The larger tree, or the only one.
    New,
}

fn tree_named(side: &TreeSide) -> &'static str {
    match side {
        TreeSide::Old => "older tree",
        TreeSide::New => "tree",
    }
}
