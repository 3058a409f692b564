//! Subtrees that stand alone: leaves [start, end) of a tree, where `start` is a multiple of
//! the smallest power of two that is at least their number (draft-ietf-plants-merkle-tree-certs,
//! "Subtrees"). Such a range has the shape of a tree of its own.

use super::verify::{check_length, check_root};
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::proof_error::ProofError;
use crate::merkle::proof_error::TreeSide;
use crate::merkle::tree_head::TreeHead;
use crate::merkle::verify::verify_inclusion;
use crate::seq::{Seq, TreeSize};

/// The length of a range that is a subtree.
fn length(leaves: &std::ops::Range<u64>) -> Result<u64, ProofError> {
    let (start, end) = (leaves.start, leaves.end);
    let no = ProofError::NotASubtree { start, end };
    let Some(len) = end.checked_sub(start) else { return Err(no) };
    // Above 2^63 leaves only a start of 0 will do: the power of two does not fit.
    match len.checked_next_power_of_two() {
        Some(unit) if start.is_multiple_of(unit) => Ok(len),
        None if start == 0 => Ok(len),
        _ => Err(no),
    }
}

/// Checks that the record with this leaf hash is at this position of the log, given the root
/// over the leaves in the range.
///
/// # Errors
/// The range is no subtree, does not hold the record, or the proof does not lead to its root.
pub fn verify_subtree_inclusion(
    algorithm: HashAlgorithm,
    leaf: &Hash,
    seq: Seq,
    leaves: std::ops::Range<u64>,
    root: Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    let size = TreeSize::new(length(&leaves)?);
    let Some(inside) = seq.get().checked_sub(leaves.start) else {
        return Err(ProofError::NotCovered { seq, size: TreeSize::new(leaves.end) });
    };
    verify_inclusion(algorithm, leaf, Seq::new(inside), &TreeHead { size, root }, proof)
}

/// Checks that the root over the leaves in the range is that of a subtree of the tree. An
/// empty range is in every tree that reaches it, by an empty proof.
///
/// # Errors
/// The range is no subtree or ends behind the tree, or the proof does not lead from its root
/// to the tree's.
pub fn verify_subtree_consistency(
    algorithm: HashAlgorithm,
    leaves: std::ops::Range<u64>,
    root: &Hash,
    head: &TreeHead,
    proof: &[Hash],
) -> Result<(), ProofError> {
    let len = length(&leaves)?;
    if leaves.end > head.size.get() {
        return Err(ProofError::Shrunk { old: TreeSize::new(leaves.end), new: head.size });
    }
    if len == 0 {
        check_length(0, proof.len())?;
        return check_root(TreeSide::Old, *root, algorithm.empty_root());
    }
    let mut at = Walk { first: leaves.start, last: leaves.end - 1, end: head.size.get() - 1 };
    let whole_border = at.last == at.end;
    while at.first != at.last && (whole_border || at.last & 1 == 1) {
        at.up();
    }
    let (start, path) = match (at.first == at.last, proof.split_first()) {
        (true, _) => (*root, proof),
        (false, Some((first, rest))) => (*first, rest),
        (false, None) => return check_length(1, 0),
    };
    let (mut own, mut whole) = (start, start);
    for (used, hash) in path.iter().enumerate() {
        if at.end == 0 {
            return check_length(proof.len() - (path.len() - used), proof.len());
        }
        if at.last & 1 == 1 || at.last == at.end {
            if at.first < at.last {
                own = algorithm.node(hash, &own);
            }
            whole = algorithm.node(hash, &whole);
            while at.last & 1 == 0 && at.last > 0 {
                at.up();
            }
        } else {
            whole = algorithm.node(&whole, hash);
        }
        at.up();
    }
    if at.end != 0 {
        return check_length(proof.len() + 1, proof.len());
    }
    check_root(TreeSide::Old, *root, own)?;
    check_root(TreeSide::New, head.root, whole)
}

/// Where the first leaf, the last leaf and the end of the tree stand at one level.
struct Walk {
    first: u64,
    last: u64,
    end: u64,
}

impl Walk {
    fn up(&mut self) {
        self.first >>= 1;
        self.last >>= 1;
        self.end >>= 1;
    }
}
