//! Batch proofs in the trees of an index, none of which is stored whole.

use std::collections::HashMap;

use crate::hash::{Hash, HashAlgorithm};
use crate::index::{CHUNK, CommittedIndex, Damaged, GROUP, PostingList};
use crate::merkle::{BatchPlan, Frontier, NodeId};
use crate::seq::{Seq, TreeSize};
use crate::terms::{Axis, TermLeaf, chunk_count, position_chunk_leaf, time_chunk_leaf};

const ALGORITHM: HashAlgorithm = HashAlgorithm::Sha256;

/// The level of the root of a group of terms: 2⁴ of them.
const GROUP_LEVEL: u8 = 4;
const _: () = assert!(1 << GROUP_LEVEL == GROUP, "a group is a complete subtree");

/// The batch proof of these leaves.
fn batch(
    leaves: impl IntoIterator<Item = u64>,
    size: u64,
    mut node: impl FnMut(NodeId) -> Result<Hash, Damaged>,
) -> Result<Vec<Hash>, Damaged> {
    let seqs: Vec<Seq> = leaves.into_iter().map(Seq::new).collect();
    let plan = BatchPlan::inclusion(&seqs, TreeSize::new(size));
    let plan = plan.map_err(|_| other("places within its trees"))?;
    let hashes: Result<Vec<Hash>, Damaged> = plan.nodes().iter().map(|id| node(*id)).collect();
    plan.assemble(ALGORITHM, &hashes?).map_err(|_| other("the hashes of its trees"))
}

/// The index contradicts itself, at no one place.
fn other(expected: &'static str) -> Damaged {
    Damaged { offset: 0, expected }
}

/// All complete nodes of a tree.
struct Nodes {
    nodes: HashMap<NodeId, Hash>,
    frontier: Frontier,
}

impl Nodes {
    fn new() -> Self {
        Nodes { nodes: HashMap::new(), frontier: Frontier::new(ALGORITHM) }
    }

    fn push(&mut self, leaf: Hash) {
        self.frontier.push(leaf, |node, hash| {
            self.nodes.insert(node, hash);
        });
    }

    fn get(&self, node: NodeId) -> Result<Hash, Damaged> {
        let found = self.nodes.get(&node).copied();
        found.ok_or_else(|| other("all nodes of its trees"))
    }
}

fn list_nodes(list: PostingList<'_>) -> Result<Nodes, Damaged> {
    let (mut nodes, mut positions) = (Nodes::new(), [0; CHUNK]);
    for chunk in 0..list.chunks() {
        let len = list.read(chunk, &mut positions)?;
        nodes.push(position_chunk_leaf(positions.get(..len).unwrap_or_default()));
    }
    Ok(nodes)
}

/// The leaf of a term.
pub(super) fn term_leaf(key: Vec<u8>, list: PostingList<'_>) -> Result<TermLeaf, Damaged> {
    let list_root = list_nodes(list)?.frontier.root();
    Ok(TermLeaf { key, count: list.len().into(), list_root })
}

/// The batch proof of these chunks of a list.
pub(super) fn list_hashes(
    list: PostingList<'_>,
    chunks: std::ops::Range<u32>,
) -> Result<Vec<Hash>, Damaged> {
    let nodes = list_nodes(list)?;
    batch(chunks.map(u64::from), list.chunks().into(), |node| nodes.get(node))
}

/// The batch proof of these chunks of an axis.
pub(super) fn times_hashes(
    places: &impl CommittedIndex,
    axis: Axis,
    chunks: std::ops::Range<u64>,
) -> Result<Vec<Hash>, Damaged> {
    let (mut nodes, total) = (Nodes::new(), chunk_count(places.head().events));
    for chunk in 0..total {
        nodes.push(time_chunk_leaf(&places.times_chunk(axis, chunk)?));
    }
    batch(chunks, total, |node| nodes.get(node))
}

/// The batch proof of the terms at these places: the roots of groups stand for their terms,
/// but for the groups that the places are in.
pub(super) fn term_hashes(
    places: &impl CommittedIndex,
    leaves: impl IntoIterator<Item = u64>,
) -> Result<Vec<Hash>, Damaged> {
    let terms = places.head().terms;
    let mut groups = Nodes::new();
    for group in 0..terms / GROUP {
        groups.push(places.group_root(group)?);
    }
    batch(leaves, terms, |node| match node.level.checked_sub(GROUP_LEVEL) {
        Some(level) => groups.get(NodeId { level, ..node }),
        None => inside_group(places, node),
    })
}

/// A node below the roots of the groups: it has at most 8 terms.
fn inside_group(places: &impl CommittedIndex, node: NodeId) -> Result<Hash, Damaged> {
    let first = node.index.checked_shl(node.level.into());
    let first = first.ok_or_else(|| other("a node of its terms"))?;
    let mut frontier = Frontier::new(ALGORITHM);
    for place in first..first.saturating_add(1 << node.level) {
        let (key, list) = places.term_at(place)?;
        frontier.push(term_leaf(key, list)?.hash(), |_, _| ());
    }
    Ok(frontier.root())
}
