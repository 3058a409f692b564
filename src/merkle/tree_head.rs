//! [`TreeHead`]: size and root of a tree.

use crate::hash::{Hash, HashAlgorithm};
use crate::seq::TreeSize;

/// A tree in 40 bytes: how many records it covers and their root hash.
///
/// By itself it is only a claim; a signed one is a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TreeHead {
    /// How many records the tree covers.
    pub size: TreeSize,
    /// The root over them (RFC 6962 §2.1, MTH).
    pub root: Hash,
}

impl TreeHead {
    /// The head of the empty tree.
    pub fn empty(algorithm: HashAlgorithm) -> Self {
        TreeHead { size: TreeSize::ZERO, root: algorithm.empty_root() }
    }
}
