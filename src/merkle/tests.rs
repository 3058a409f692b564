use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::hash::{Hash, HashAlgorithm};
use crate::seq::{Seq, TreeSize};

const ALGORITHMS: [HashAlgorithm; 2] = [HashAlgorithm::Sha256, HashAlgorithm::Blake3];
const SIZE_MAX: usize = 130;

fn leaves(algorithm: HashAlgorithm, count: usize) -> Vec<Hash> {
    (0..count).map(|i| algorithm.leaf(&[b"record ", &i.to_le_bytes()])).collect()
}

fn size(count: usize) -> TreeSize {
    TreeSize::new(count as u64)
}

/// A tree with all its complete nodes, as storage would keep them.
struct Stored {
    leaves: Vec<Hash>,
    nodes: HashMap<NodeId, Hash>,
    frontier: Frontier,
}

impl Stored {
    fn new(algorithm: HashAlgorithm, count: usize) -> Self {
        let mut nodes = HashMap::new();
        let mut frontier = Frontier::new(algorithm);
        let leaves = leaves(algorithm, count);
        for &leaf in &leaves {
            frontier.push(leaf, |node, hash| {
                assert_eq!(nodes.insert(node, hash), None, "{node} was reported twice");
            });
        }
        Stored { leaves, nodes, frontier }
    }

    fn read(&self, nodes: &[NodeId]) -> Vec<Hash> {
        nodes.iter().map(|node| self.nodes[node]).collect()
    }

    fn prove(&self, plan: &ProofPlan) -> Vec<Hash> {
        plan.assemble(self.frontier.algorithm(), &self.read(plan.nodes())).unwrap()
    }

    fn head(&self, count: usize) -> TreeHead {
        let root = reference::root(self.frontier.algorithm(), &self.leaves[..count]);
        TreeHead { size: size(count), root }
    }
}

#[test]
fn roots_of_every_size_are_those_of_the_rfc() {
    for algorithm in ALGORITHMS {
        let stored = Stored::new(algorithm, SIZE_MAX);
        let mut growing = Frontier::new(algorithm);
        for count in 0..=SIZE_MAX {
            let expected = stored.head(count);
            assert_eq!(growing.head(), expected, "frontier of {count}");
            let hashes = stored.read(&root_nodes(size(count)));
            assert_eq!(root_from(algorithm, size(count), &hashes), Ok(expected.root));
            assert_eq!(Frontier::from_parts(algorithm, size(count), &hashes), Ok(growing.clone()));
            if let Some(&leaf) = stored.leaves.get(count) {
                growing.push(leaf, |_, _| ());
            }
        }
    }
}

#[test]
fn nodes_reported_are_exactly_the_complete_subtrees_with_their_hashes() {
    let stored = Stored::new(HashAlgorithm::Sha256, SIZE_MAX);
    let mut complete = 0;
    for level in 0..8 {
        for (index, leaves) in stored.leaves.chunks_exact(1 << level).enumerate() {
            let node = NodeId { level, index: index as u64 };
            let expected = reference::root(HashAlgorithm::Sha256, leaves);
            assert_eq!(stored.nodes.get(&node), Some(&expected), "{node}");
            complete += 1;
        }
    }
    assert_eq!(stored.nodes.len(), complete);
}

#[test]
fn every_inclusion_proof_is_that_of_the_rfc_and_verifies() {
    for algorithm in ALGORITHMS {
        let stored = Stored::new(algorithm, SIZE_MAX);
        for count in 1..=SIZE_MAX {
            let head = stored.head(count);
            for (index, leaf) in stored.leaves[..count].iter().enumerate() {
                let seq = Seq::new(index as u64);
                let plan = ProofPlan::inclusion(seq, size(count)).unwrap();
                let proof = stored.prove(&plan);
                assert_eq!(proof, reference::path(algorithm, index, &stored.leaves[..count]));
                assert_eq!(proof.len(), plan.proof_len());
                assert_eq!(verify_inclusion(algorithm, leaf, seq, &head, &proof), Ok(()));
            }
        }
    }
}

#[test]
fn every_consistency_proof_is_that_of_the_rfc_and_verifies() {
    for algorithm in ALGORITHMS {
        let stored = Stored::new(algorithm, SIZE_MAX);
        for new in 1..=SIZE_MAX {
            for old in 1..=new {
                let plan = ProofPlan::consistency(size(old), size(new)).unwrap();
                let proof = stored.prove(&plan);
                assert_eq!(proof, reference::proof(algorithm, old, &stored.leaves[..new]));
                assert_eq!(proof.len(), plan.proof_len());
                let (old, new) = (stored.head(old), stored.head(new));
                assert_eq!(verify_consistency(algorithm, &old, &new, &proof), Ok(()));
            }
        }
    }
}

#[test]
fn the_empty_tree_is_a_prefix_of_every_tree_by_an_empty_proof() {
    let algorithm = HashAlgorithm::Sha256;
    let stored = Stored::new(algorithm, 5);
    let (empty, five) = (TreeHead::empty(algorithm), stored.head(5));
    assert_eq!(verify_consistency(algorithm, &empty, &five, &[]), Ok(()));
    assert_eq!(verify_consistency(algorithm, &empty, &empty, &[]), Ok(()));
    assert_eq!(
        verify_consistency(algorithm, &empty, &five, &[five.root]),
        Err(ProofError::Length { expected: 0, found: 1 })
    );
    let forged = TreeHead { root: five.root, ..empty };
    assert!(verify_consistency(algorithm, &forged, &five, &[]).is_err());
    assert!(verify_consistency(algorithm, &forged, &forged, &[]).is_err());
}

#[test]
fn a_smaller_new_tree_and_an_uncovered_record_are_named() {
    let (two, five) = (size(2), size(5));
    assert_eq!(ProofPlan::consistency(five, two), Err(ProofError::Shrunk { old: five, new: two }));
    assert_eq!(
        ProofPlan::inclusion(Seq::new(2), two),
        Err(ProofError::NotCovered { seq: Seq::new(2), size: two })
    );
}

#[test]
fn a_frontier_with_the_wrong_number_of_peaks_is_refused() {
    let algorithm = HashAlgorithm::Sha256;
    let peaks = [Hash::ZERO; 65];
    for (size, wrong) in [(0, 1), (1, 0), (7, 2), (7, 4), (8, 3), (1 << 63, 65)] {
        let size = TreeSize::new(size);
        assert_eq!(
            Frontier::from_parts(algorithm, size, &peaks[..wrong]),
            Err(FrontierError::PeakCount { size, found: wrong })
        );
    }
    let size = TreeSize::new(u64::MAX);
    let refused = Frontier::from_parts(algorithm, size, &peaks[..64]);
    assert_eq!(refused, Err(FrontierError::TooLarge { size }));
}

#[test]
fn an_executor_given_too_few_hashes_says_so() {
    let plan = ProofPlan::inclusion(Seq::new(2), size(7)).unwrap();
    let refused = plan.assemble(HashAlgorithm::Sha256, &[Hash::ZERO]);
    assert_eq!(refused, Err(WrongHashCount { expected: plan.nodes().len(), found: 1 }));
    let refused = root_from(HashAlgorithm::Sha256, size(7), &[]);
    assert_eq!(refused, Err(WrongHashCount { expected: 3, found: 0 }));
}

proptest! {
    #[test]
    fn any_sizes_plan_and_verify_without_a_panic(
        seq: u64, a: u64, b: u64, shift in 0u32..64, count in 0usize..140, root: [u8; 32],
    ) {
        let root = Hash::from_bytes(root);
        let head = |size: u64| TreeHead { size: TreeSize::new(size), root };
        let (a, b) = (head(a >> shift), head(b));
        let proof = vec![root; count];
        for algorithm in ALGORITHMS {
            for head in [&a, &b] {
                let seq = Seq::new(seq >> shift);
                prop_assert!(verify_inclusion(algorithm, &root, seq, head, &proof).is_err()
                    || proof.is_empty());
                if let Ok(plan) = ProofPlan::inclusion(seq, head.size) {
                    prop_assert!(plan.nodes().len() <= 128 && plan.proof_len() <= 64);
                }
            }
            for (old, new) in [(&a, &b), (&b, &a)] {
                let verdict = verify_consistency(algorithm, old, new, &proof);
                prop_assert!(verdict.is_err() || old.size == new.size);
                if let Ok(plan) = ProofPlan::consistency(old.size, new.size) {
                    prop_assert!(plan.nodes().len() <= 128 && plan.proof_len() <= 65);
                }
            }
        }
    }

    #[test]
    fn inclusion_with_anything_changed_does_not_verify(
        count in 1usize..=SIZE_MAX, pick: prop::sample::Index, place: prop::sample::Index,
        bit in 0usize..256, other_seq: u64, other_size in 0u64..300,
    ) {
        let algorithm = HashAlgorithm::Sha256;
        let stored = Stored::new(algorithm, count);
        let index = pick.index(count);
        let (leaf, seq, head) = (stored.leaves[index], Seq::new(index as u64), stored.head(count));
        let proof = stored.prove(&ProofPlan::inclusion(seq, head.size).unwrap());
        let holds = |leaf, seq, head, proof: &[Hash]| {
            verify_inclusion(algorithm, &leaf, seq, &head, proof).is_ok()
        };
        prop_assert!(holds(leaf, seq, head, &proof));
        prop_assert!(!holds(flip(leaf, bit), seq, head, &proof));
        let forged = TreeHead { root: flip(head.root, bit), ..head };
        prop_assert!(!holds(leaf, seq, forged, &proof));
        for wrong in [other_seq, other_seq % 300] {
            prop_assert!(wrong == seq.get() || !holds(leaf, Seq::new(wrong), head, &proof));
        }
        // A path alone does not pin the size (position 0 of 3 and of 4 look alike);
        // with another length it cannot be the same statement.
        let wrong = TreeHead { size: TreeSize::new(other_size), ..head };
        let same_len = ProofPlan::inclusion(seq, wrong.size)
            .is_ok_and(|plan| plan.proof_len() == proof.len());
        prop_assert!(same_len || !holds(leaf, seq, wrong, &proof));
        for changed in tampered(&proof, place, bit) {
            prop_assert!(!holds(leaf, seq, head, &changed));
        }
    }

    #[test]
    fn consistency_with_anything_changed_does_not_verify(
        new in 2usize..=SIZE_MAX, pick: prop::sample::Index, place: prop::sample::Index,
        bit in 0usize..256,
    ) {
        let algorithm = HashAlgorithm::Blake3;
        let stored = Stored::new(algorithm, new);
        let (old, new) = (stored.head(1 + pick.index(new - 1)), stored.head(new));
        let proof = stored.prove(&ProofPlan::consistency(old.size, new.size).unwrap());
        let holds = |old: &TreeHead, new: &TreeHead, proof: &[Hash]| {
            verify_consistency(algorithm, old, new, proof).is_ok()
        };
        prop_assert!(holds(&old, &new, &proof));
        let forged = |head: &TreeHead| TreeHead { root: flip(head.root, bit), ..*head };
        prop_assert!(!holds(&forged(&old), &new, &proof));
        prop_assert!(!holds(&old, &forged(&new), &proof));
        for size in (0..300).map(TreeSize::new).filter(|&size| size != old.size) {
            let forged = TreeHead { size, ..old };
            prop_assert!(!holds(&forged, &new, &proof), "old size {}", size);
        }
        for changed in tampered(&proof, place, bit) {
            prop_assert!(!holds(&old, &new, &changed));
        }
    }
}

fn flip(hash: Hash, bit: usize) -> Hash {
    let mut bytes = *hash.as_bytes();
    bytes[bit / 8] ^= 1 << (bit % 8);
    Hash::from_bytes(bytes)
}

/// The proof with a bit flipped, a hash more, and a hash less.
fn tampered(proof: &[Hash], place: prop::sample::Index, bit: usize) -> Vec<Vec<Hash>> {
    let longer = [proof, &[Hash::ZERO]].concat();
    let mut all = vec![longer];
    if !proof.is_empty() {
        let at = place.index(proof.len());
        let mut flipped = proof.to_vec();
        flipped[at] = flip(flipped[at], bit);
        let mut shorter = proof.to_vec();
        shorter.remove(at);
        all.extend([flipped, shorter]);
    }
    all
}

#[test]
fn subtrees_lead_to_the_same_tree_as_their_leaves() {
    let leaf = |n: u64| HashAlgorithm::Sha256.leaf(&[&n.to_le_bytes()]);
    let root_of = |from: u64, level: u8| {
        let mut tree = Frontier::new(HashAlgorithm::Sha256);
        (from..from + (1 << level)).for_each(|n| tree.push(leaf(n), |_, _| ()));
        tree.root()
    };
    let (mut one, mut other) =
        (Frontier::new(HashAlgorithm::Sha256), Frontier::new(HashAlgorithm::Sha256));
    for level in [3, 3, 2, 1, 0, 0, 3, 5, 4] {
        let from = one.size().get();
        let mut nodes = Vec::new();
        let taken = one.push_subtree(level, root_of(from, level), |node, _| nodes.push(node));
        assert_eq!(taken, from % (1 << level) == 0, "{level} at {from}");
        if !taken {
            assert!(nodes.is_empty());
            continue;
        }
        let mut expected = Vec::new();
        for n in from..from + (1 << level) {
            other.push(leaf(n), |node, _| expected.push(node));
        }
        expected.retain(|node| node.level >= level);
        assert_eq!(nodes, expected);
        assert_eq!(one, other);
    }
    assert!(!one.push_subtree(64, Hash::ZERO, |_, _| ()));
}
