//! [`Frontier`]: what must be remembered of a tree to let it grow.

use std::fmt;

use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::node::NodeId;
use crate::merkle::tree_head::TreeHead;
use crate::seq::TreeSize;

/// The peaks of a tree: enough to add records and to compute the root.
///
/// Holds at most 64 hashes in place, so neither adding a record nor copying a
/// frontier allocates.
#[derive(Clone)]
pub struct Frontier {
    algorithm: HashAlgorithm,
    size: TreeSize,
    /// The first popcount(size) are the peaks, largest (leftmost) first; the
    /// rest are left over from before and mean nothing.
    peaks: [Hash; PEAKS_MAX],
}

const PEAKS_MAX: usize = u64::BITS as usize;

/// The largest size a frontier is restored at, 2^63 records. From there 2^63
/// more can be pushed before the count overflows, which no machine lives to see.
const SIZE_MAX: u64 = 1 << 63;

impl Frontier {
    /// The frontier of the empty tree.
    pub fn new(algorithm: HashAlgorithm) -> Self {
        Frontier { algorithm, size: TreeSize::ZERO, peaks: [Hash::ZERO; PEAKS_MAX] }
    }

    /// A frontier as it was stored: the peaks, largest (leftmost) first.
    ///
    /// # Errors
    /// The number of peaks is not the number of set bits of the size, or the
    /// size is above 2^63.
    pub fn from_parts(
        algorithm: HashAlgorithm,
        size: TreeSize,
        peaks: &[Hash],
    ) -> Result<Self, FrontierError> {
        if size.get() > SIZE_MAX {
            return Err(FrontierError::TooLarge { size });
        }
        let mut frontier = Frontier { size, ..Frontier::new(algorithm) };
        match frontier.peaks.get_mut(..peak_count(size)) {
            Some(places) if places.len() == peaks.len() => places.copy_from_slice(peaks),
            _ => return Err(FrontierError::PeakCount { size, found: peaks.len() }),
        }
        Ok(frontier)
    }

    /// The hash that the tree is built with.
    pub fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// How many records the tree covers.
    pub fn size(&self) -> TreeSize {
        self.size
    }

    /// The peaks, largest (leftmost) first: one for every set bit of the size.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks[..peak_count(self.size)]
    }

    /// The root over all records so far (RFC 6962 §2.1, MTH).
    pub fn root(&self) -> Hash {
        fold_peaks(self.algorithm, self.peaks())
    }

    /// Size and root together.
    pub fn head(&self) -> TreeHead {
        TreeHead { size: self.size, root: self.root() }
    }

    /// Adds one record by its leaf hash.
    ///
    /// Every node that becomes complete is reported, the leaf first and then
    /// upwards, so that storage can keep them. On average that is two nodes a
    /// record, one of them hashed here.
    pub fn push(&mut self, leaf: Hash, on_node: impl FnMut(NodeId, Hash)) {
        // Every size is a multiple of one.
        let _ = self.push_subtree(0, leaf, on_node);
    }

    /// Adds a complete subtree of 2^`level` records by its root, and reports it and the
    /// nodes above it that become complete, upwards. The nodes inside it were hashed
    /// elsewhere.
    ///
    /// Returns false, and changes nothing, if no such subtree starts at this size.
    #[must_use]
    pub fn push_subtree(
        &mut self,
        level: u8,
        root: Hash,
        mut on_node: impl FnMut(NodeId, Hash),
    ) -> bool {
        let (size, Some(count_in)) = (self.size.get(), 1_u64.checked_shl(level.into())) else {
            return false;
        };
        let Some(grown) = size.checked_add(count_in).filter(|_| size % count_in == 0) else {
            return false;
        };
        let mut count = peak_count(self.size);
        let mut node = NodeId { level, index: size >> level };
        let mut hash = root;
        on_node(node, hash);
        // Adding one carries through the trailing ones of the size: each is a
        // peak of the same height as what was just completed to its right.
        for _ in 0..node.index.trailing_ones() {
            count -= 1;
            hash = self.algorithm.node(&self.peaks[count], &hash);
            node = node.parent();
            on_node(node, hash);
        }
        self.peaks[count] = hash;
        self.size = TreeSize::new(grown);
        true
    }
}

fn peak_count(size: TreeSize) -> usize {
    size.get().count_ones() as usize
}

/// The root over peaks that stand side by side, largest (leftmost) first.
///
/// RFC 6962 splits n leaves at the largest power of two below n, so the tree
/// leans to the left and its peaks fold from the right:
/// H(p0, H(p1, … H(pk-1, pk))).
pub(super) fn fold_peaks(algorithm: HashAlgorithm, peaks: &[Hash]) -> Hash {
    let mut from_right = peaks.iter().rev();
    match from_right.next() {
        Some(&last) => from_right.fold(last, |right, left| algorithm.node(left, &right)),
        None => algorithm.empty_root(),
    }
}

impl PartialEq for Frontier {
    fn eq(&self, other: &Self) -> bool {
        let parts = |f: &Frontier| (f.algorithm, f.size);
        parts(self) == parts(other) && self.peaks() == other.peaks()
    }
}

impl Eq for Frontier {}

impl fmt::Debug for Frontier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frontier")
            .field("algorithm", &self.algorithm)
            .field("size", &self.size)
            .field("peaks", &self.peaks())
            .finish()
    }
}

/// A stored frontier does not fit together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrontierError {
    /// A tree has as many peaks as its size has set bits.
    #[error("expected {} peaks for a tree of size {size}, found {found}", peak_count(*.size))]
    PeakCount {
        /// The size of the tree.
        size: TreeSize,
        /// How many peaks came with it.
        found: usize,
    },
    /// No log has more than 2^63 records.
    #[error("expected a tree of at most {SIZE_MAX} records, found one of size {size}")]
    TooLarge {
        /// The size claimed.
        size: TreeSize,
    },
}
