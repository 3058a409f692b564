//! The promise: our Merkle trees are everybody's RFC 6962 trees.
//!
//! Compared with an independent crate, and with published vectors (those of
//! transparency-dev/merkle, in the directory that `BULLA_VECTORS` names; without
//! it, the well-known ones written below).

// Lints know test functions as tests, but not the functions those call.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::support::random::Random;
use std::collections::HashMap;

use bulla::hash::{Hash, HashAlgorithm};
use bulla::merkle::{
    BatchPlan, Frontier, NodeId, ProofPlan, TreeHead, root_from, root_nodes,
    verify_batch_inclusion, verify_consistency, verify_inclusion, verify_subtree_consistency,
    verify_subtree_inclusion,
};
use bulla::seq::{Seq, TreeSize};
use ct_merkle::digest::array::Array;
use ct_merkle::digest::consts::U32;
use ct_merkle::digest::{Digest, FixedOutput, HashMarker, Output, OutputSizeUser, Reset, Update};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use serde_json::Value;

/// Our storage in miniature: every complete node.
struct Tree {
    frontier: Frontier,
    nodes: HashMap<NodeId, Hash>,
}

impl Tree {
    fn new<'e>(algorithm: HashAlgorithm, entries: impl IntoIterator<Item = &'e [u8]>) -> Self {
        let mut tree = Tree { frontier: Frontier::new(algorithm), nodes: HashMap::new() };
        for entry in entries {
            tree.frontier.push(algorithm.leaf(&[entry]), |node, hash| {
                tree.nodes.insert(node, hash);
            });
        }
        tree
    }

    fn read(&self, nodes: &[NodeId]) -> Vec<Hash> {
        nodes.iter().map(|node| self.nodes[node]).collect()
    }

    fn head(&self, size: u64) -> TreeHead {
        let size = TreeSize::new(size);
        let hashes = self.read(&root_nodes(size));
        TreeHead { size, root: root_from(self.frontier.algorithm(), size, &hashes).unwrap() }
    }

    fn prove(&self, plan: &ProofPlan) -> Vec<Hash> {
        plan.assemble(self.frontier.algorithm(), &self.read(plan.nodes())).unwrap()
    }

    fn inclusion(&self, seq: u64, size: u64) -> Vec<Hash> {
        self.prove(&ProofPlan::inclusion(Seq::new(seq), TreeSize::new(size)).unwrap())
    }

    fn consistency(&self, old: u64, new: u64) -> Vec<Hash> {
        self.prove(&ProofPlan::consistency(TreeSize::new(old), TreeSize::new(new)).unwrap())
    }
}

/// The independent crate takes hashes of a newer `digest` than ours are written for.
macro_rules! hasher {
    ($name:ident, $inner:ty, $update:expr, $finish:expr) => {
        #[derive(Clone, Default)]
        struct $name($inner);
        impl HashMarker for $name {}
        impl OutputSizeUser for $name {
            type OutputSize = U32;
        }
        impl Update for $name {
            fn update(&mut self, data: &[u8]) {
                $update(&mut self.0, data);
            }
        }
        impl FixedOutput for $name {
            fn finalize_into(self, out: &mut Output<Self>) {
                let bytes: [u8; 32] = $finish(self.0);
                *out = Array(bytes);
            }
        }
        impl Reset for $name {
            fn reset(&mut self) {
                *self = Self::default();
            }
        }
    };
}

hasher!(
    Sha256,
    sha2::Sha256,
    |inner: &mut sha2::Sha256, data| sha2::Digest::update(inner, data),
    |inner| sha2::Digest::finalize(inner).into()
);
hasher!(
    Blake3,
    blake3::Hasher,
    |inner: &mut blake3::Hasher, data: &[u8]| {
        inner.update(data);
    },
    |inner: blake3::Hasher| inner.finalize().into()
);

fn split(bytes: &[u8]) -> Vec<Hash> {
    bytes.chunks(32).map(|chunk| Hash::from_slice(chunk).unwrap()).collect()
}

fn join(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

fn compare_with_the_independent_crate<H: Digest + Clone>(algorithm: HashAlgorithm, seed: u64) {
    let mut seed = Random::new(seed);
    let size = 1 + seed.below(100_000);
    let entries: Vec<Vec<u8>> = (0..size).map(|i| i.to_le_bytes().to_vec()).collect();
    let ours = Tree::new(algorithm, entries.iter().map(Vec::as_slice));
    let mut theirs = MemoryBackedTree::<H, Vec<u8>>::new();
    let old_size = 1 + seed.below(size);
    let mut their_old_root = None;
    for entry in &entries {
        theirs.push(entry.clone());
        if theirs.len() == old_size {
            their_old_root = Some(theirs.root());
        }
    }
    let (old, new) = (ours.head(old_size), ours.head(size));
    let their_old_root: RootHash<H> = their_old_root.unwrap();
    assert_eq!(ours.frontier.head(), new);
    assert_eq!(new.root.as_bytes()[..], theirs.root().as_bytes()[..], "root of {size}");
    assert_eq!(old.root.as_bytes()[..], their_old_root.as_bytes()[..], "root of {old_size}");

    for _ in 0..50 {
        let seq = seed.below(size);
        let (index, leaf) = (usize::try_from(seq).unwrap(), seq.to_le_bytes());
        let proof = ours.inclusion(seq, size);
        assert_eq!(proof, split(theirs.prove_inclusion(index).as_bytes()), "{seq} in {size}");
        let given = InclusionProof::<H>::from_bytes(join(&proof));
        theirs.root().verify_inclusion(&leaf.to_vec(), seq, &given).unwrap();
        let leaf = algorithm.leaf(&[&leaf]);
        verify_inclusion(algorithm, &leaf, Seq::new(seq), &new, &proof).unwrap();
    }

    let proof = ours.consistency(old_size, size);
    let added = usize::try_from(size - old_size).unwrap();
    let expected = split(theirs.prove_consistency(added).as_bytes());
    assert_eq!(proof, expected, "{old_size} to {size}");
    let given = ConsistencyProof::<H>::try_from_bytes(join(&proof)).unwrap();
    theirs.root().verify_consistency(&their_old_root, &given).unwrap();
    verify_consistency(algorithm, &old, &new, &proof).unwrap();
}

#[test]
fn sha256_trees_of_random_sizes_are_those_of_an_independent_crate() {
    for seed in 0..8 {
        compare_with_the_independent_crate::<Sha256>(HashAlgorithm::Sha256, seed);
    }
}

#[test]
fn blake3_trees_of_random_sizes_are_those_of_an_independent_crate() {
    for seed in 100..106 {
        compare_with_the_independent_crate::<Blake3>(HashAlgorithm::Blake3, seed);
    }
}

/// The eight entries that the tests of Certificate Transparency use everywhere.
const ENTRIES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];

/// Roots over the first 0 to 8 of them.
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn unhex(text: &str) -> Vec<u8> {
    let pairs = (0..text.len()).step_by(2).map(|at| &text[at..at + 2]);
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

fn published_tree() -> Tree {
    let entries = ENTRIES.map(unhex);
    Tree::new(HashAlgorithm::Sha256, entries.iter().map(Vec::as_slice))
}

#[test]
fn the_well_known_roots_and_proofs_come_out() {
    let tree = published_tree();
    for (size, root) in (0..).zip(ROOTS) {
        assert_eq!(tree.head(size).root.to_string(), root, "size {size}");
    }
    let hex = |proof: Vec<Hash>| proof.iter().map(Hash::to_string).collect::<Vec<_>>();
    assert_eq!(
        hex(tree.inclusion(2, 3)),
        ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]
    );
    assert_eq!(
        hex(tree.consistency(1, 8)),
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ]
    );
}

/// A file of published vectors; `None` only if nobody said where they are.
fn vectors(name: &str) -> Option<Value> {
    let directory = std::env::var_os("BULLA_VECTORS")?;
    let path = std::path::Path::new(&directory).join(name);
    let bytes = std::fs::read(&path)
        .unwrap_or_else(|error| panic!("BULLA_VECTORS is set, but {}: {error}", path.display()));
    Some(serde_json::from_slice(&bytes).unwrap())
}

fn list<'v>(value: &'v Value, name: &str) -> &'v Vec<Value> {
    let list = value[name].as_array().unwrap_or_else(|| panic!("no list {name}"));
    assert!(!list.is_empty(), "{name} is empty");
    list
}

/// `None` where a probe deliberately has a hash of the wrong length.
fn hash(value: &Value) -> Option<Hash> {
    value.as_str().unwrap().parse().ok()
}

fn hashes(value: &Value) -> Option<Vec<Hash>> {
    value.as_array().unwrap().iter().map(hash).collect()
}

/// Some probes have short texts as roots, whose bytes do not matter: zeros fill them up.
fn head(size: &Value, root: &Value) -> TreeHead {
    let mut bytes = [0; 32];
    let root = unhex(root.as_str().unwrap());
    bytes[..root.len()].copy_from_slice(&root);
    TreeHead { size: TreeSize::new(size.as_u64().unwrap()), root: Hash::from_bytes(bytes) }
}

#[test]
fn published_inclusion_probes_are_judged_as_published() {
    let Some(file) = vectors("rfc6962_vectors.json") else { return inline_inclusion_probe() };
    for probe in list(&file, "inclusion_probes_copied") {
        let verdict = (|| {
            let leaf = hash(&probe["leafHash"])?;
            let seq = Seq::new(probe["leafIdx"].as_u64().unwrap());
            let head = head(&probe["treeSize"], &probe["root"]);
            let proof = hashes(&probe["proof"])?;
            verify_inclusion(HashAlgorithm::Sha256, &leaf, seq, &head, &proof).ok()
        })();
        assert_eq!(verdict.is_none(), probe["wantErr"].as_bool().unwrap(), "{probe}");
    }
}

fn inline_inclusion_probe() {
    let leaf: Hash =
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d".parse().unwrap();
    let head = TreeHead { size: TreeSize::new(1), root: leaf };
    let check = |seq, proof: &[Hash]| {
        verify_inclusion(HashAlgorithm::Sha256, &leaf, Seq::new(seq), &head, proof).is_ok()
    };
    assert!(check(0, &[]));
    assert!(!check(1, &[]) && !check(2, &[]) && !check(0, &[leaf]));
}

#[test]
fn published_consistency_probes_are_judged_as_published() {
    let Some(file) = vectors("rfc6962_vectors.json") else { return inline_consistency_probe() };
    for probe in list(&file, "consistency_probes_copied") {
        let verdict = (|| {
            let old = head(&probe["size1"], &probe["root1"]);
            let new = head(&probe["size2"], &probe["root2"]);
            let proof = hashes(&probe["proof"])?;
            verify_consistency(HashAlgorithm::Sha256, &old, &new, &proof).ok()
        })();
        // The one difference: that library refuses an old size of 0 as useless, here
        // it holds trivially if the old root really is that of the empty tree.
        let from_empty = probe["size1"] == 0
            && probe["root1"] == ROOTS[0]
            && probe["size2"] != 0
            && list_is_empty(&probe["proof"]);
        let expect_error = probe["wantErr"].as_bool().unwrap() && !from_empty;
        assert_eq!(verdict.is_none(), expect_error, "{probe}");
    }
}

fn list_is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}

fn inline_consistency_probe() {
    let tree = published_tree();
    let check = |old: &TreeHead, new: &TreeHead, proof: &[Hash]| {
        verify_consistency(HashAlgorithm::Sha256, old, new, proof).is_ok()
    };
    let (one, eight) = (tree.head(1), tree.head(8));
    assert!(check(&one, &eight, &tree.consistency(1, 8)));
    assert!(!check(&one, &eight, &[]) && !check(&eight, &one, &tree.consistency(1, 8)));
}

#[test]
fn published_paths_and_nodes_come_out() {
    let tree = published_tree();
    let Some(file) = vectors("rfc6962_vectors.json") else {
        assert_eq!(tree.frontier.root().to_string(), ROOTS[8]);
        return;
    };
    for (level, row) in (0..).zip(list(&file, "node_hashes_by_level_copied")) {
        for (index, expected) in (0..).zip(row.as_array().unwrap()) {
            assert_eq!(tree.nodes.get(&NodeId { level, index }).copied(), hash(expected));
        }
    }
    let number = |text: &str| text.parse::<u64>().unwrap();
    for (size, paths) in file["all_inclusion_paths_computed_here"].as_object().unwrap() {
        for (seq, path) in paths.as_object().unwrap() {
            assert_eq!(tree.inclusion(number(seq), number(size)), hashes(path).unwrap());
        }
    }
    for (sizes, proof) in file["all_consistency_proofs_computed_here"].as_object().unwrap() {
        let (old, new) = sizes.split_once('-').unwrap();
        assert_eq!(tree.consistency(number(old), number(new)), hashes(proof).unwrap(), "{sizes}");
    }
}

#[test]
fn a_proof_from_a_public_log_of_a_billion_entries_verifies() {
    let Some(file) = vectors("c2sp_vectors.json") else {
        // Nothing that large is written here; the sizes at least plan as they must.
        let plan = ProofPlan::inclusion(Seq::new(10_000), TreeSize::new(961_984_011)).unwrap();
        assert_eq!(plan.proof_len(), 30);
        return;
    };
    let log = &file["real_ct_argon2020"];
    let responses = log["responses"].as_object().unwrap();
    let response = |start: &str| {
        let mut with_parameters = responses.iter().filter(|(name, _)| name.starts_with(start));
        with_parameters.next().map(|(_, response)| response).unwrap()
    };
    let base64 = |value: &Value| {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap()).unwrap()
    };
    let base64_hash = |value: &Value| Hash::from_slice(&base64(value)).unwrap();
    let sth = &responses["get-sth"];
    let new = TreeHead {
        size: TreeSize::new(sth["tree_size"].as_u64().unwrap()),
        root: base64_hash(&sth["sha256_root_hash"]),
    };
    let entry = base64(&response("get-entries")["entries"][0]["leaf_input"]);
    let leaf = HashAlgorithm::Sha256.leaf(&[&entry]);
    let path: Vec<Hash> =
        list(response("get-proof"), "audit_path").iter().map(base64_hash).collect();
    verify_inclusion(HashAlgorithm::Sha256, &leaf, Seq::new(10_000), &new, &path).unwrap();

    let old = TreeHead {
        size: TreeSize::new(3_654_490),
        root: base64_hash(&log["old_root_size_3654490_b64"]),
    };
    let proof: Vec<Hash> =
        list(response("get-sth-consistency"), "consistency").iter().map(base64_hash).collect();
    verify_consistency(HashAlgorithm::Sha256, &old, &new, &proof).unwrap();
}

#[test]
fn published_subtree_probes_are_judged_as_published() {
    let Some(file) = vectors("rfc6962_vectors.json") else { return };
    let range = |probe: &Value| probe["start"].as_u64().unwrap()..probe["end"].as_u64().unwrap();
    for probe in list(&file, "subtree_inclusion_probes_copied") {
        let verdict = (|| {
            let (leaf, root) = (hash(&probe["leafHash"])?, hash(&probe["root"])?);
            let seq = Seq::new(probe["leafIdx"].as_u64().unwrap());
            let proof = hashes(&probe["proof"])?;
            let algorithm = HashAlgorithm::Sha256;
            verify_subtree_inclusion(algorithm, &leaf, seq, range(probe), root, &proof).ok()
        })();
        assert_eq!(verdict.is_none(), probe["wantErr"].as_bool().unwrap(), "{probe}");
    }
    for probe in list(&file, "subtree_consistency_probes_copied") {
        let verdict = (|| {
            let root = head(&probe["size"], &probe["root1"]).root;
            let head = head(&probe["size"], &probe["root2"]);
            let proof = hashes(&probe["proof"])?;
            let algorithm = HashAlgorithm::Sha256;
            verify_subtree_consistency(algorithm, range(probe), &root, &head, &proof).ok()
        })();
        assert_eq!(verdict.is_none(), probe["wantErr"].as_bool().unwrap(), "{probe}");
    }
}

#[test]
fn subtrees_of_the_well_known_tree_verify_and_others_do_not() {
    let tree = published_tree();
    let (eight, seven) = (tree.head(8), tree.head(7));
    let node = |level, index| tree.nodes[&NodeId { level, index }];
    let check = |range: std::ops::Range<u64>, root: Hash, head: &TreeHead, proof: &[Hash]| {
        verify_subtree_consistency(HashAlgorithm::Sha256, range, &root, head, proof).is_ok()
    };
    // [4,6) stands whole in the tree of seven: its path is leaf 6, then [0,4).
    let path = [node(0, 6), node(2, 0)];
    assert!(check(4..6, node(1, 2), &seven, &path));
    assert!(!check(4..6, node(1, 2), &eight, &path));
    assert!(!check(4..6, node(1, 2), &seven, &path[..1]));
    assert!(!check(4..6, node(1, 3), &seven, &path));
    assert!(!check(5..7, node(1, 2), &seven, &path));
    assert!(!check(4..4, node(1, 2), &seven, &path) && !check(8..9, node(1, 2), &seven, &path));
    let empty = HashAlgorithm::Sha256.empty_root();
    assert!(check(7..7, empty, &seven, &[]) && !check(8..8, empty, &seven, &[]));
    assert!(!check(7..7, node(0, 6), &seven, &[]) && !check(7..7, empty, &seven, &path));
    // [4,7) does not: in the tree of eight leaf 6 has a sibling.
    let border = HashAlgorithm::Sha256.node(&node(1, 2), &node(0, 6));
    assert!(check(4..7, border, &eight, &[node(0, 6), node(0, 7), node(1, 2), node(2, 0)]));
    assert!(check(4..7, border, &seven, &[node(2, 0)]));
    let include = |seq, range: std::ops::Range<u64>, proof: &[Hash]| {
        let algorithm = HashAlgorithm::Sha256;
        let leaf = node(0, seq);
        verify_subtree_inclusion(algorithm, &leaf, Seq::new(seq), range, border, proof).is_ok()
    };
    assert!(include(5, 4..7, &[node(0, 4), node(0, 6)]) && include(6, 4..7, &[node(1, 2)]));
    assert!(!include(3, 4..7, &[node(0, 4), node(0, 6)]) && !include(6, 5..8, &[node(1, 2)]));
}

#[test]
fn a_batch_proof_of_the_well_known_tree_is_made_of_its_published_nodes() {
    let tree = published_tree();
    let node = |level, index| tree.nodes[&NodeId { level, index }];
    let seqs = [1, 2, 6].map(Seq::new);
    let plan = BatchPlan::inclusion(&seqs, TreeSize::new(7)).unwrap();
    let proof = plan.assemble(HashAlgorithm::Sha256, &tree.read(plan.nodes())).unwrap();
    assert_eq!(proof, [node(0, 0), node(0, 3), node(1, 2)]);
    let leaves = seqs.map(|seq| (seq, node(0, seq.get())));
    let check = |head: &TreeHead, proof: &[Hash]| {
        verify_batch_inclusion(HashAlgorithm::Sha256, &leaves, head, proof).is_ok()
    };
    assert!(check(&tree.head(7), &proof));
    assert!(!check(&tree.head(8), &proof) && !check(&tree.head(7), &proof[..2]));
}
