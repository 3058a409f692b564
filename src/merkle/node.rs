//! [`NodeId`]: the address of a complete subtree.

use std::fmt;

/// A complete subtree: the one over the 2^`level` records from `index` · 2^`level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId {
    /// Height above the leaves, 0 to 63; a leaf has level 0.
    pub level: u8,
    /// Position among the subtrees of this level, from 0.
    pub index: u64,
}

impl NodeId {
    /// The node over a single record.
    pub const fn leaf(position: u64) -> Self {
        NodeId { level: 0, index: position }
    }

    /// The node above this one and its sibling.
    pub(super) const fn parent(self) -> Self {
        NodeId { level: self.level + 1, index: self.index >> 1 }
    }

    /// The other node with the same parent.
    pub const fn sibling(self) -> Self {
        NodeId { level: self.level, index: self.index ^ 1 }
    }

    /// The peak that stands for this set bit of a tree's size.
    ///
    /// The bits above it are the leaves to its left, (size >> (level+1)) · 2
    /// nodes of this level; since the bit is set that is (size >> level) - 1.
    pub(super) const fn peak(size: u64, level: u8) -> Self {
        NodeId { level, index: (size >> level) ^ 1 }
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {} of level {}", self.index, self.level)
    }
}
