//! Why a claimed number of entries may be a lie and harms nobody.

use super::super::catalog::{CatalogClaim, ProvenClaim, StateEntry, StatePlace};
use crate::event::Anchor;
use crate::format::LogId;
use crate::format::catalog_body::StateMap;
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::{BatchPlan, Frontier, NodeId, TreeHead};
use crate::seq::{Seq, TreeSize};

const ALGORITHM: HashAlgorithm = HashAlgorithm::Sha256;

/// A state with the keys b, d, f, … and all nodes of its tree, also those that are not
/// complete.
struct State {
    entries: Vec<StateEntry>,
    nodes: std::collections::HashMap<NodeId, Hash>,
    hashes: Vec<Hash>,
    head: TreeHead,
}

impl State {
    fn new(count: u8) -> Self {
        let key = |n: u8| char::from(b'b' + 2 * n).to_string();
        let entries: Vec<StateEntry> =
            (0..count).map(|n| StateEntry { key: key(n), value: vec![n] }).collect();
        let leaves: Vec<Hash> =
            entries.iter().map(|entry| StateMap::leaf(&entry.key, &entry.value)).collect();
        let (mut nodes, mut frontier) =
            (std::collections::HashMap::new(), Frontier::new(ALGORITHM));
        for leaf in &leaves {
            frontier.push(*leaf, |node, hash| {
                nodes.insert(node, hash);
            });
        }
        let mut hashes = Vec::new();
        subtrees(&leaves, &mut hashes);
        State { entries, nodes, hashes, head: frontier.head() }
    }

    fn anchor(&self) -> Anchor {
        let (catalog_size, catalog_root) = (TreeSize::ZERO, Hash::ZERO);
        Anchor { catalog_size, catalog_root, state_root: self.head.root }
    }

    fn shows(&self, claim: &CatalogClaim) -> Option<ProvenClaim> {
        claim.verify(&self.anchor(), LogId([0; 16])).ok()
    }

    fn batch(&self, seqs: &[u64]) -> Vec<Hash> {
        let seqs: Vec<Seq> = seqs.iter().copied().map(Seq::new).collect();
        let plan = BatchPlan::inclusion(&seqs, self.head.size).unwrap();
        let hashes: Vec<Hash> = plan.nodes().iter().map(|node| self.nodes[node]).collect();
        plan.assemble(ALGORITHM, &hashes).unwrap()
    }
}

/// The roots of all subtrees of RFC 6962.
fn subtrees(leaves: &[Hash], out: &mut Vec<Hash>) {
    out.push(crate::merkle::reference::root(ALGORITHM, leaves));
    if leaves.len() > 1 {
        let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
        subtrees(left, out);
        subtrees(right, out);
    }
}

/// All lists of this length made of the hashes.
fn lists(hashes: &[Hash], len: usize) -> Vec<Vec<Hash>> {
    (0..len).fold(vec![Vec::new()], |lists, _| {
        let longer = |list: &Vec<Hash>| {
            let list = list.clone();
            hashes.iter().map(move |hash| [list.as_slice(), &[*hash]].concat()).collect::<Vec<_>>()
        };
        lists.iter().flat_map(longer).collect()
    })
}

#[test]
fn keys_that_are_there_and_keys_that_are_not_are_shown_as_they_are() {
    for count in 1..=9 {
        let state = State::new(count);
        for (index, entry) in (0..).zip(&state.entries) {
            let place = StatePlace { entries: count.into(), index };
            let (entry, hashes) = (entry.clone(), state.batch(&[index]));
            let claim = CatalogClaim::InForce { place, entry: entry.clone(), hashes };
            assert_eq!(state.shows(&claim), Some(ProvenClaim::InForce(entry.clone())));
            let other = StateEntry { value: vec![99], ..entry };
            let CatalogClaim::InForce { hashes, .. } = claim else { return };
            assert_eq!(state.shows(&CatalogClaim::InForce { place, entry: other, hashes }), None);
        }
        for index in 0..=count {
            let place = StatePlace { entries: count.into(), index: index.into() };
            let around: Vec<u64> = [index.checked_sub(1), (index < count).then_some(index)]
                .into_iter()
                .flatten()
                .map(u64::from)
                .collect();
            let at = |at: &u64| state.entries[usize::try_from(*at).unwrap()].clone();
            let neighbours: Vec<StateEntry> = around.iter().map(at).collect();
            let hashes = state.batch(&around);
            for (key, absent) in [(b'a' + 2 * index, true), (b'b' + 2 * index, index == count)] {
                let key = char::from(key).to_string();
                let claim = CatalogClaim::NotInForce {
                    place,
                    key: key.clone(),
                    neighbours: neighbours.clone(),
                    hashes: hashes.clone(),
                };
                let shown = state.shows(&claim);
                assert_eq!(shown.is_some(), absent, "{key} in {count}: {shown:?}");
            }
        }
    }
}

#[test]
fn an_empty_state_holds_no_key_and_a_state_with_entries_is_not_empty() {
    let place = StatePlace { entries: 0, index: 0 };
    let (neighbours, hashes) = (Vec::new(), Vec::new());
    let claim = CatalogClaim::NotInForce { place, key: "b".to_owned(), neighbours, hashes };
    assert!(State::new(0).shows(&claim).is_some());
    for count in 1..5 {
        assert_eq!(State::new(count).shows(&claim), None);
    }
}

/// Whoever makes the proof may lie about the number of entries and the place, and has every
/// hash of the tree: no choice of them hides a key that is there.
#[test]
fn no_lie_about_the_number_of_entries_hides_a_key() {
    for count in 1..=4 {
        let state = State::new(count);
        let lists: Vec<_> = (0..=4).map(|len| lists(&state.hashes, len)).collect();
        for (hidden, key) in state.entries.iter().enumerate() {
            let (before, behind) = (&state.entries[..hidden], &state.entries[hidden + 1..]);
            for (entries, index) in (0..=6).flat_map(|n| (0..=n).map(move |at| (n, at))) {
                let place = StatePlace { entries, index };
                let left: Vec<Option<&StateEntry>> = match index {
                    0 => vec![None],
                    _ => before.iter().map(Some).collect(),
                };
                let right: Vec<Option<&StateEntry>> = match index == entries {
                    true => vec![None],
                    false => behind.iter().map(Some).collect(),
                };
                for (left, right) in left.iter().flat_map(|l| right.iter().map(move |r| (l, r))) {
                    let neighbours: Vec<StateEntry> =
                        [*left, *right].into_iter().flatten().cloned().collect();
                    for hashes in lists.iter().flatten() {
                        let (neighbours, hashes) = (neighbours.clone(), hashes.clone());
                        let key = key.key.clone();
                        let claim = CatalogClaim::NotInForce { place, key, neighbours, hashes };
                        assert_eq!(state.shows(&claim), None, "{claim:?}");
                    }
                }
            }
        }
    }
}
