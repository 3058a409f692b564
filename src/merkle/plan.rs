//! Planners (which complete nodes are needed) and executors (what they fold to).
//!
//! The path of a node upwards has three parts, told apart by the bits of the
//! tree size: siblings inside the peak that holds the node; the peaks to the
//! right, folded into a single hash (RFC 6962 has one subtree there, and it is
//! not complete); the peaks to the left, nearest first.

use std::ops::Range;

use super::frontier::fold_peaks;
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::node::NodeId;
use crate::merkle::proof_error::ProofError;
use crate::seq::{Seq, TreeSize};

/// The nodes that the root of a tree folds from: its peaks, largest (leftmost) first.
/// At most 64; none for the empty tree.
pub fn root_nodes(size: TreeSize) -> Vec<NodeId> {
    peaks(size.get(), set_bits(size.get()).rev()).collect()
}

/// The largest complete subtrees that the leaves from `start` up to `end` make up, left to
/// right: at most 126. None if `end` is not above `start`.
pub fn range_nodes(start: u64, end: u64) -> Vec<NodeId> {
    let (mut nodes, mut at) = (Vec::new(), start);
    while let Some(left) = end.checked_sub(at).filter(|left| *left > 0) {
        // As large as fits behind `at`, and starts there.
        let height = at.trailing_zeros().min(left.ilog2());
        nodes.push(NodeId { level: level(height), index: at >> height });
        at += 1 << height;
    }
    nodes
}

/// The root of a tree from the hashes of its [`root_nodes`], in that order.
///
/// # Errors
/// There are more or fewer hashes than [`root_nodes`] asked for.
pub fn root_from(
    algorithm: HashAlgorithm,
    size: TreeSize,
    hashes: &[Hash],
) -> Result<Hash, WrongHashCount> {
    let expected = size.get().count_ones() as usize;
    WrongHashCount::check(expected, hashes.len())?;
    Ok(fold_peaks(algorithm, hashes))
}

/// Which nodes a proof is made of, and which of them fold into one hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofPlan {
    nodes: Vec<NodeId>,
    /// Peaks to the right of the path, left to right: they make one proof hash.
    folded: Range<usize>,
}

impl ProofPlan {
    /// Plans the proof that the record is in the tree: `PATH(m, D[n])` of
    /// RFC 6962 §2.1.1.
    ///
    /// # Errors
    /// [`ProofError::NotCovered`] if the tree ends before the record.
    pub fn inclusion(seq: Seq, size: TreeSize) -> Result<Self, ProofError> {
        if !size.covers(seq) {
            return Err(ProofError::NotCovered { seq, size });
        }
        Ok(ProofPlan::above(NodeId::leaf(seq.get()), seq.get(), size.get()))
    }

    /// Plans the proof that the old tree is a prefix of the new one:
    /// `PROOF(m, D[n])` of RFC 6962 §2.1.2. Between equal sizes, and from the
    /// empty tree, the proof is empty.
    ///
    /// # Errors
    /// [`ProofError::Shrunk`] if the new tree is the smaller one.
    pub fn consistency(old: TreeSize, new: TreeSize) -> Result<Self, ProofError> {
        if new < old {
            return Err(ProofError::Shrunk { old, new });
        }
        let Some(last) = old.last_seq().filter(|_| old != new) else {
            return Ok(ProofPlan { nodes: Vec::new(), folded: 0..0 });
        };
        // The path starts at the last peak of the old tree. Everything to its left
        // is on the path too, and everything to its right is new.
        let lowest = old.get().trailing_zeros();
        let start = NodeId::peak(old.get(), level(lowest));
        let mut plan = ProofPlan::above(start, last.get(), new.get());
        // Is that peak the whole old tree, then the verifier has its hash already.
        if !old.get().is_power_of_two() {
            plan.nodes.insert(0, start);
            plan.folded = plan.folded.start + 1..plan.folded.end + 1;
        }
        Ok(plan)
    }

    /// The path upwards from `start`, which holds the leaf and is complete in a
    /// tree of this size. Requires leaf < size.
    fn above(start: NodeId, leaf: u64, size: u64) -> Self {
        // Leaf and size agree above the bit of the peak that holds the leaf; there
        // the size has a one (the peak exists) and the leaf a zero (it is inside).
        let top = (leaf ^ size).ilog2();
        let mut nodes = Vec::new();
        let mut node = start;
        while u32::from(node.level) < top {
            nodes.push(node.sibling());
            node = node.parent();
        }
        let right = nodes.len();
        nodes.extend(peaks(size, set_bits(size).filter(|&bit| bit < top).rev()));
        let left = nodes.len();
        nodes.extend(peaks(size, set_bits(size).filter(|&bit| bit > top)));
        ProofPlan { nodes, folded: right..left }
    }

    /// The nodes to fetch, at most 128, all complete in the tree of the proof.
    pub fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    /// How many hashes the proof has, at most 64 for inclusion and 65 for consistency.
    pub fn proof_len(&self) -> usize {
        self.nodes.len() - self.folded.len().saturating_sub(1)
    }

    /// The proof from the hashes of [`ProofPlan::nodes`], in that order.
    ///
    /// # Errors
    /// There are more or fewer hashes than nodes.
    pub fn assemble(
        &self,
        algorithm: HashAlgorithm,
        hashes: &[Hash],
    ) -> Result<Vec<Hash>, WrongHashCount> {
        WrongHashCount::check(self.nodes.len(), hashes.len())?;
        let (before, rest) = hashes.split_at(self.folded.start);
        let (folded, after) = rest.split_at(self.folded.len());
        let mut proof = Vec::with_capacity(self.proof_len());
        proof.extend_from_slice(before);
        if !folded.is_empty() {
            proof.push(fold_peaks(algorithm, folded));
        }
        proof.extend_from_slice(after);
        Ok(proof)
    }
}

/// The peaks of a tree of this size that stand for these bits of it.
fn peaks(size: u64, bits: impl Iterator<Item = u32>) -> impl Iterator<Item = NodeId> {
    bits.map(move |bit| NodeId::peak(size, level(bit)))
}

/// The set bits, lowest first.
fn set_bits(size: u64) -> impl DoubleEndedIterator<Item = u32> {
    (0..u64::BITS).filter(move |bit| size >> bit & 1 == 1)
}

/// A bit position as a level: both are 0 to 63.
#[allow(clippy::cast_possible_truncation)] // below 64
fn level(bit: u32) -> u8 {
    debug_assert!(bit < u64::BITS, "a tree has at most 64 levels");
    bit as u8
}

/// The hashes fetched are not as many as the plan has nodes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected the hashes of {expected} tree nodes, found {found}")]
pub struct WrongHashCount {
    /// How many the plan asked for.
    pub expected: usize,
    /// How many were given.
    pub found: usize,
}

impl WrongHashCount {
    pub(super) fn check(expected: usize, found: usize) -> Result<(), Self> {
        if expected == found { Ok(()) } else { Err(WrongHashCount { expected, found }) }
    }
}
