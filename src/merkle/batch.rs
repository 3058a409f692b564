//! One proof for many records: every hash that their paths share stands in it once.
//!
//! Cut the tree of RFC 6962 into the largest subtrees that hold none of the records; their
//! roots, from left to right, are the proof. For a single record these are the hashes of
//! its ordinary inclusion proof, in another order.
//!
//! ```text
//!                  root                 records 1 and 2 of 5:
//!            /             \            the proof is 0,0  0,3  0,4
//!         2,0              [0,4]
//!       /     \
//!    1,0       1,1
//!   /   \     /   \
//! [0,0] 0,1  0,2 [0,3]
//! ```
//!
//! At most the last of those subtrees is not complete: it is the right border, and is folded
//! from its peaks.

use std::ops::Range;

use super::frontier::fold_peaks;
use super::plan::WrongHashCount;
use super::verify::{check_length, check_root};
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::node::NodeId;
use crate::merkle::proof_error::ProofError;
use crate::merkle::proof_error::TreeSide;
use crate::merkle::tree_head::TreeHead;
use crate::seq::{Seq, TreeSize};

/// Which nodes the proof of many records is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchPlan {
    nodes: Vec<NodeId>,
    /// The last nodes, if they are the peaks of the right border: they make one hash.
    folded: Range<usize>,
}

impl BatchPlan {
    /// Plans the proof that all these records are in the tree. Without records it is empty.
    ///
    /// # Errors
    /// [`ProofError::NotAscending`] if a record is named twice or out of order,
    /// [`ProofError::NotCovered`] if the tree ends before one.
    pub fn inclusion(seqs: &[Seq], size: TreeSize) -> Result<Self, ProofError> {
        check_positions(seqs.iter().copied(), size)?;
        let mut plan = BatchPlan { nodes: Vec::new(), folded: 0..0 };
        free_subtrees(seqs, &|seq| seq.get(), Subtree::whole(size), &mut |free| plan.read(free));
        Ok(plan)
    }

    fn read(&mut self, free: Subtree) {
        let first = self.nodes.len();
        self.nodes.extend(free.peaks());
        if self.nodes.len() > first + 1 {
            self.folded = first..self.nodes.len();
        }
    }

    /// The nodes to fetch, all complete in the tree of the proof, from left to right.
    pub fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    /// How many hashes the proof has: at most 64 for each record.
    pub fn proof_len(&self) -> usize {
        self.nodes.len() - self.folded.len().saturating_sub(1)
    }

    /// The proof from the hashes of [`BatchPlan::nodes`], in that order.
    ///
    /// # Errors
    /// There are more or fewer hashes than nodes.
    pub fn assemble(
        &self,
        algorithm: HashAlgorithm,
        hashes: &[Hash],
    ) -> Result<Vec<Hash>, WrongHashCount> {
        WrongHashCount::check(self.nodes.len(), hashes.len())?;
        if self.folded.is_empty() {
            return Ok(hashes.to_vec());
        }
        let (complete, border) = hashes.split_at(self.folded.start);
        let mut proof = complete.to_vec();
        proof.push(fold_peaks(algorithm, border));
        Ok(proof)
    }
}

/// Checks that the records with these leaf hashes are at these positions of the tree. The
/// positions ascend. Without records nothing is shown, and the proof must be empty.
///
/// # Errors
/// Says in which way the proof does not show it. The number of hashes is checked before any
/// of them is used.
pub fn verify_batch_inclusion(
    algorithm: HashAlgorithm,
    leaves: &[(Seq, Hash)],
    head: &TreeHead,
    proof: &[Hash],
) -> Result<(), ProofError> {
    check_positions(leaves.iter().map(|(seq, _)| *seq), head.size)?;
    let whole = Subtree::whole(head.size);
    let mut expected = 0;
    free_subtrees(leaves, &|(seq, _)| seq.get(), whole, &mut |_| expected += 1);
    check_length(expected, proof.len())?;
    if leaves.is_empty() {
        return Ok(());
    }
    let root = fold(algorithm, leaves, whole, &mut proof.iter().copied());
    // The length was right, so there was a hash wherever one was due.
    check_root(TreeSide::New, head.root, root.unwrap_or(Hash::ZERO))
}

/// Strictly ascending, and all below the size.
fn check_positions(seqs: impl IntoIterator<Item = Seq>, size: TreeSize) -> Result<(), ProofError> {
    let mut before = None;
    for seq in seqs {
        if before.is_some_and(|before| before >= seq) {
            return Err(ProofError::NotAscending { seq });
        }
        if !size.covers(seq) {
            return Err(ProofError::NotCovered { seq, size });
        }
        before = Some(seq);
    }
    Ok(())
}

/// A subtree that RFC 6962 splits the tree into: `len` leaves from `start` on.
#[derive(Clone, Copy)]
struct Subtree {
    start: u64,
    len: u64,
}

impl Subtree {
    fn whole(size: TreeSize) -> Self {
        Subtree { start: 0, len: size.get() }
    }

    /// Its two halves: the left one has k leaves, the largest power of two below its
    /// length, so that both together are at most 64 levels high. Requires two leaves.
    fn split(self) -> (Self, Self) {
        let k = 1 << (self.len - 1).ilog2();
        let right = Subtree { start: self.start + k, len: self.len - k };
        (Subtree { len: k, ..self }, right)
    }

    /// The complete subtrees side by side in it, largest first: one if it is complete.
    ///
    /// `start` is a multiple of the largest, as every split is at a power of two that is
    /// at least the length of what comes after it.
    #[allow(clippy::cast_possible_truncation)] // a level is below 64
    fn peaks(self) -> impl Iterator<Item = NodeId> {
        let end = self.start + self.len;
        let bits = (0..u64::BITS).rev().filter(move |bit| self.len >> bit & 1 == 1);
        // What lies behind a peak is the rest of the length, below its bit.
        bits.map(move |bit| {
            let behind = self.len & ((1 << bit) - 1);
            NodeId { level: bit as u8, index: ((end - behind) >> bit) - 1 }
        })
    }
}

/// Visits, from left to right, the largest subtrees without any of the positions, which
/// ascend and lie in `tree`. Without positions there is nothing to visit at the top.
fn free_subtrees<T>(
    taken: &[T],
    position: &impl Fn(&T) -> u64,
    tree: Subtree,
    visit: &mut impl FnMut(Subtree),
) {
    if taken.is_empty() || tree.len == 1 {
        return;
    }
    let (left, right) = tree.split();
    let middle = taken.partition_point(|item| position(item) < right.start);
    let (in_left, in_right) = taken.split_at(middle);
    for (taken, tree) in [(in_left, left), (in_right, right)] {
        match taken.is_empty() {
            true => visit(tree),
            false => free_subtrees(taken, position, tree, visit),
        }
    }
}

/// The root of a subtree, from the leaves in it and the next hashes of the proof. `None` if
/// they run out.
fn fold(
    algorithm: HashAlgorithm,
    leaves: &[(Seq, Hash)],
    tree: Subtree,
    proof: &mut impl Iterator<Item = Hash>,
) -> Option<Hash> {
    match leaves {
        [] => proof.next(),
        [(_, leaf)] if tree.len == 1 => Some(*leaf),
        _ => {
            let (left, right) = tree.split();
            let middle = leaves.partition_point(|(seq, _)| seq.get() < right.start);
            let (in_left, in_right) = leaves.split_at(middle);
            let left = fold(algorithm, in_left, left, proof)?;
            let right = fold(algorithm, in_right, right, proof)?;
            Some(algorithm.node(&left, &right))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::super::{Frontier, ProofPlan, reference};
    use super::*;

    const ALGORITHMS: [HashAlgorithm; 2] = [HashAlgorithm::Sha256, HashAlgorithm::Blake3];

    struct Tree {
        leaves: Vec<Hash>,
        nodes: HashMap<NodeId, Hash>,
        frontier: Frontier,
    }

    impl Tree {
        fn new(algorithm: HashAlgorithm, count: u64) -> Self {
            let mut tree = Tree {
                leaves: (0..count).map(|i| algorithm.leaf(&[&i.to_le_bytes()])).collect(),
                nodes: HashMap::new(),
                frontier: Frontier::new(algorithm),
            };
            for leaf in &tree.leaves {
                tree.frontier.push(*leaf, |node, hash| {
                    tree.nodes.insert(node, hash);
                });
            }
            tree
        }

        fn algorithm(&self) -> HashAlgorithm {
            self.frontier.algorithm()
        }

        fn prove(&self, seqs: &[u64]) -> Vec<Hash> {
            let seqs: Vec<Seq> = seqs.iter().copied().map(Seq::new).collect();
            let plan = BatchPlan::inclusion(&seqs, self.frontier.size()).unwrap();
            assert!(plan.nodes().is_sorted_by_key(|node| node.index << node.level));
            let hashes: Vec<Hash> = plan.nodes().iter().map(|node| self.nodes[node]).collect();
            let proof = plan.assemble(self.algorithm(), &hashes).unwrap();
            assert_eq!(proof.len(), plan.proof_len());
            proof
        }

        fn taken(&self, seqs: &[u64]) -> Vec<(Seq, Hash)> {
            let at = |seq: u64| self.leaves[usize::try_from(seq).unwrap()];
            seqs.iter().map(|seq| (Seq::new(*seq), at(*seq))).collect()
        }

        fn holds(&self, taken: &[(Seq, Hash)], proof: &[Hash]) -> bool {
            let head = self.frontier.head();
            verify_batch_inclusion(self.algorithm(), taken, &head, proof).is_ok()
        }

        fn check(&self, seqs: &[u64]) {
            let proof = self.prove(seqs);
            assert_eq!(proof, reference::batch(self.algorithm(), seqs, &self.leaves, 0));
            assert!(self.holds(&self.taken(seqs), &proof), "{seqs:?} of {}", self.leaves.len());
        }
    }

    #[test]
    fn all_sets_of_records_of_small_trees_prove_as_the_recursion_says() {
        for algorithm in ALGORITHMS {
            for count in 1..=10 {
                let tree = Tree::new(algorithm, count);
                for set in 1_u64..1 << count {
                    let seqs: Vec<u64> = (0..count).filter(|seq| set >> seq & 1 == 1).collect();
                    tree.check(&seqs);
                }
            }
        }
    }

    #[test]
    fn a_batch_of_one_has_the_hashes_of_its_inclusion_proof() {
        for count in 1..=70 {
            let tree = Tree::new(HashAlgorithm::Sha256, count);
            for seq in 0..count {
                let mut batch = tree.prove(&[seq]);
                let plan = ProofPlan::inclusion(Seq::new(seq), tree.frontier.size()).unwrap();
                let hashes: Vec<Hash> = plan.nodes().iter().map(|node| tree.nodes[node]).collect();
                let mut single = plan.assemble(tree.algorithm(), &hashes).unwrap();
                batch.sort();
                single.sort();
                assert_eq!(batch, single, "{seq} of {count}");
            }
        }
    }

    #[test]
    fn no_records_need_no_hashes_and_all_records_neither() {
        let tree = Tree::new(HashAlgorithm::Sha256, 6);
        assert!(tree.prove(&[]).is_empty() && tree.prove(&[0, 1, 2, 3, 4, 5]).is_empty());
        assert!(tree.holds(&[], &[]) && !tree.holds(&[], &[tree.frontier.root()]));
        let empty = TreeHead::empty(HashAlgorithm::Sha256);
        assert_eq!(verify_batch_inclusion(HashAlgorithm::Sha256, &[], &empty, &[]), Ok(()));
    }

    #[test]
    fn positions_out_of_order_twice_or_beyond_the_tree_are_named() {
        let size = TreeSize::new(5);
        let refused = |seqs: &[u64]| {
            let seqs: Vec<Seq> = seqs.iter().copied().map(Seq::new).collect();
            let leaves: Vec<_> = seqs.iter().map(|seq| (*seq, Hash::ZERO)).collect();
            let head = TreeHead { size, root: Hash::ZERO };
            let error = BatchPlan::inclusion(&seqs, size).unwrap_err();
            let algorithm = HashAlgorithm::Sha256;
            assert_eq!(verify_batch_inclusion(algorithm, &leaves, &head, &[]), Err(error.clone()));
            error
        };
        assert_eq!(refused(&[1, 1]), ProofError::NotAscending { seq: Seq::new(1) });
        assert_eq!(refused(&[3, 2]), ProofError::NotAscending { seq: Seq::new(2) });
        assert_eq!(refused(&[0, 5]), ProofError::NotCovered { seq: Seq::new(5), size });
    }

    proptest! {
        #[test]
        fn random_sets_of_larger_trees_prove_as_the_recursion_says(
            count in 1_u64..3_000, picked in prop::collection::btree_set(any::<u64>(), 1..60),
        ) {
            let mut seqs: Vec<u64> = picked.into_iter().map(|pick| pick % count).collect();
            seqs.sort_unstable();
            seqs.dedup();
            Tree::new(HashAlgorithm::Sha256, count).check(&seqs);
        }

        #[test]
        fn a_batch_with_anything_changed_does_not_verify(
            count in 2_u64..100, picked in prop::collection::btree_set(any::<u64>(), 1..10),
            place: prop::sample::Index, bit in 0_u8..8, byte in 0_usize..32,
        ) {
            let tree = Tree::new(HashAlgorithm::Blake3, count);
            let mut seqs: Vec<u64> = picked.into_iter().map(|pick| pick % count).collect();
            seqs.sort_unstable();
            seqs.dedup();
            let (taken, proof) = (tree.taken(&seqs), tree.prove(&seqs));
            let flip = |hash: Hash| {
                let mut bytes = *hash.as_bytes();
                bytes[byte] ^= 1 << bit;
                Hash::from_bytes(bytes)
            };
            let mut changed = taken.clone();
            let at = place.index(changed.len());
            changed[at].1 = flip(changed[at].1);
            prop_assert!(!tree.holds(&changed, &proof));
            let mut fewer = taken.clone();
            fewer.remove(at);
            prop_assert!(!tree.holds(&fewer, &proof) || (fewer.is_empty() && proof.is_empty()));
            let mut moved = taken.clone();
            moved[at].0 = Seq::new((moved[at].0.get() + 1) % count);
            prop_assert!(!tree.holds(&moved, &proof));
            prop_assert!(!tree.holds(&taken, &[proof.as_slice(), &[Hash::ZERO]].concat()));
            if !proof.is_empty() {
                let at = place.index(proof.len());
                let mut bad = proof.clone();
                bad[at] = flip(bad[at]);
                prop_assert!(!tree.holds(&taken, &bad));
                bad = proof.clone();
                bad.remove(at);
                prop_assert!(!tree.holds(&taken, &bad));
                bad = proof.clone();
                bad.rotate_left(1);
                prop_assert!(bad == proof || !tree.holds(&taken, &bad));
            }
        }

        #[test]
        fn any_positions_and_sizes_plan_and_verify_without_a_panic(
            seqs: Vec<u64>, size: u64, shift in 0_u32..64, count in 0_usize..80, ascending: bool,
        ) {
            let size = TreeSize::new(size >> shift);
            let mut seqs: Vec<Seq> = seqs.into_iter().map(|seq| Seq::new(seq >> shift)).collect();
            if ascending {
                seqs.sort();
                seqs.dedup();
            }
            let plan = BatchPlan::inclusion(&seqs, size);
            if let Ok(plan) = &plan {
                prop_assert!(plan.proof_len() <= 64 * seqs.len());
            }
            let leaves: Vec<_> = seqs.iter().map(|seq| (*seq, Hash::ZERO)).collect();
            let head = TreeHead { size, root: Hash::ZERO };
            let count = plan.map_or(count, |plan| plan.proof_len());
            let proof = vec![Hash::ZERO; count];
            let verdict = verify_batch_inclusion(HashAlgorithm::Sha256, &leaves, &head, &proof);
            prop_assert!(verdict.is_err() || leaves.is_empty() || size.get() == 1);
        }
    }
}
