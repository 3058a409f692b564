//! What a stranger runs: a proof and a tree head in, yes or the reason why not out.
//!
//! The loops follow RFC 9162 step by step, independently of the planner that
//! makes the proofs; only the expected length is taken from the planner, and
//! checked first, so that a proof of the wrong shape is named as such.

use super::proof_error::{ProofError, TreeSide};
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::plan::ProofPlan;
use crate::merkle::tree_head::TreeHead;
use crate::seq::{Seq, TreeSize};

/// Checks that the record with this leaf hash is at this position of the tree
/// (RFC 9162 §2.1.3.2).
///
/// The proof goes from the leaf's sibling up to the root's child, and has
/// exactly the hashes that position and size call for.
///
/// # Errors
/// Says in which way the proof does not show it.
pub fn verify_inclusion(
    algorithm: HashAlgorithm,
    leaf: &Hash,
    seq: Seq,
    head: &TreeHead,
    proof: &[Hash],
) -> Result<(), ProofError> {
    let plan = ProofPlan::inclusion(seq, head.size)?;
    check_length(plan.proof_len(), proof.len())?;
    // Step 2; the plan exists, so the size is at least 1.
    let mut fnode = seq.get();
    let mut snode = head.size.get() - 1;
    let mut root = *leaf;
    for hash in proof {
        // Step 4.a is the length check above.
        if fnode & 1 == 1 || fnode == snode {
            root = algorithm.node(hash, &root);
            (fnode, snode) = skip_to_right_child(fnode, snode);
        } else {
            root = algorithm.node(&root, hash);
        }
        (fnode, snode) = (fnode >> 1, snode >> 1);
    }
    check_root(TreeSide::New, head.root, root)
}

/// Checks that the new tree only adds records to the old one (RFC 9162 §2.1.4.2).
///
/// Between trees of equal size the proof is empty and the roots are equal. The
/// RFC leaves an old size of 0 out; here it holds trivially, with an empty
/// proof, provided the old root is the root of the empty tree.
///
/// # Errors
/// Says in which way the proof does not show it.
pub fn verify_consistency(
    algorithm: HashAlgorithm,
    old: &TreeHead,
    new: &TreeHead,
    proof: &[Hash],
) -> Result<(), ProofError> {
    let plan = ProofPlan::consistency(old.size, new.size)?;
    check_length(plan.proof_len(), proof.len())?;
    for (side, head) in [(TreeSide::Old, old), (TreeSide::New, new)] {
        if head.size == TreeSize::ZERO {
            check_root(side, head.root, algorithm.empty_root())?;
        }
    }
    if old.size == new.size {
        return check_root(TreeSide::New, new.root, old.root);
    }
    if old.size == TreeSize::ZERO {
        return Ok(());
    }
    let (old_root, new_root) = fold_consistency(algorithm, old, new, proof);
    check_root(TreeSide::Old, old.root, old_root)?;
    check_root(TreeSide::New, new.root, new_root)
}

/// Steps 2 to 6 of RFC 9162 §2.1.4.2: the two roots that the proof leads to.
/// Requires 0 < old size < new size and a proof of the right length.
fn fold_consistency(
    algorithm: HashAlgorithm,
    old: &TreeHead,
    new: &TreeHead,
    proof: &[Hash],
) -> (Hash, Hash) {
    // Step 2: an old tree that is one peak starts the path with its own root.
    let (start, path) = match proof.split_first() {
        Some((first, rest)) if !old.size.get().is_power_of_two() => (*first, rest),
        _ => (old.root, proof),
    };
    // Steps 3 and 4: climb to the last peak of the old tree.
    let mut fnode = old.size.get() - 1;
    let mut snode = new.size.get() - 1;
    let climb = fnode.trailing_ones();
    (fnode, snode) = (shift(fnode, climb), shift(snode, climb));
    let (mut old_root, mut new_root) = (start, start);
    for hash in path {
        if fnode & 1 == 1 || fnode == snode {
            old_root = algorithm.node(hash, &old_root);
            new_root = algorithm.node(hash, &new_root);
            (fnode, snode) = skip_to_right_child(fnode, snode);
        } else {
            new_root = algorithm.node(&new_root, hash);
        }
        (fnode, snode) = (fnode >> 1, snode >> 1);
    }
    (old_root, new_root)
}

/// "If LSB(fn) is not set, right-shift both fn and sn equally until either LSB(fn)
/// is set or fn is 0": levels at which the right border has no sibling.
fn skip_to_right_child(fnode: u64, snode: u64) -> (u64, u64) {
    let levels = fnode.trailing_zeros();
    (shift(fnode, levels), shift(snode, levels))
}

/// A right shift that may shift everything out.
fn shift(value: u64, bits: u32) -> u64 {
    value.checked_shr(bits).unwrap_or(0)
}

pub(super) fn check_length(expected: usize, found: usize) -> Result<(), ProofError> {
    if expected == found { Ok(()) } else { Err(ProofError::Length { expected, found }) }
}

pub(super) fn check_root(side: TreeSide, expected: Hash, found: Hash) -> Result<(), ProofError> {
    if expected == found { Ok(()) } else { Err(ProofError::Root { side, expected, found }) }
}
