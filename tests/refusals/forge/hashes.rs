//! Hashes and trees of RFC 6962, written without regard to speed.

use sha2::{Digest as _, Sha256};

pub(crate) type Hash = [u8; 32];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Sha256,
    Blake3,
}

pub(crate) fn sha256(parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().into()
}

pub(crate) fn blake3(parts: &[&[u8]]) -> Hash {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

impl Algorithm {
    pub(crate) fn hash(self, parts: &[&[u8]]) -> Hash {
        match self {
            Algorithm::Sha256 => sha256(parts),
            Algorithm::Blake3 => blake3(parts),
        }
    }

    pub(crate) fn leaf(self, parts: &[&[u8]]) -> Hash {
        self.hash(&[&[0], &parts.concat()])
    }

    pub(crate) fn node(self, left: &Hash, right: &Hash) -> Hash {
        self.hash(&[&[1], left, right])
    }

    /// MTH of RFC 6962, 2.1.
    pub(crate) fn root(self, leaves: &[Hash]) -> Hash {
        match leaves {
            [] => self.hash(&[]),
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(half(leaves.len()));
                self.node(&self.root(left), &self.root(right))
            }
        }
    }

    /// PATH of RFC 6962, 2.1.1: the sibling of the leaf first.
    pub(crate) fn path(self, at: usize, leaves: &[Hash]) -> Vec<Hash> {
        if leaves.len() < 2 {
            return Vec::new();
        }
        let (left, right) = leaves.split_at(half(leaves.len()));
        let (mut path, sibling) = if at < left.len() {
            (self.path(at, left), self.root(right))
        } else {
            (self.path(at - left.len(), right), self.root(left))
        };
        path.push(sibling);
        path
    }

    /// PROOF of RFC 6962, 2.1.2: from the tree of the first `old` leaves to that of all.
    pub(crate) fn consistency(self, old: usize, leaves: &[Hash]) -> Vec<Hash> {
        self.subproof(old, leaves, true)
    }

    fn subproof(self, old: usize, leaves: &[Hash], is_whole: bool) -> Vec<Hash> {
        if old == leaves.len() {
            return if is_whole { Vec::new() } else { vec![self.root(leaves)] };
        }
        let (left, right) = leaves.split_at(half(leaves.len()));
        let (mut proof, sibling) = if old <= left.len() {
            (self.subproof(old, left, is_whole), self.root(right))
        } else {
            (self.subproof(old - left.len(), right, false), self.root(left))
        };
        proof.push(sibling);
        proof
    }

    /// The batch proof of docs/format.md, “Bundles”.
    pub(crate) fn batch(self, wanted: &[usize], first: usize, leaves: &[Hash]) -> Vec<Hash> {
        let has = wanted.iter().any(|at| (first..first + leaves.len()).contains(at));
        if !has {
            return vec![self.root(leaves)];
        }
        if leaves.len() == 1 {
            return Vec::new();
        }
        let (left, right) = leaves.split_at(half(leaves.len()));
        let mut proof = self.batch(wanted, first, left);
        proof.extend(self.batch(wanted, first + left.len(), right));
        proof
    }

    /// The largest complete subtrees that records `start` to `end` are made of, from the left.
    pub(crate) fn range(self, leaves: &[Hash], start: usize, end: usize) -> Vec<Hash> {
        let (mut at, mut roots) = (start, Vec::new());
        while at < end {
            let mut size = 1;
            while at.is_multiple_of(size * 2) && at + size * 2 <= end {
                size *= 2;
            }
            roots.push(self.root(&leaves[at..at + size]));
            at += size;
        }
        roots
    }
}

/// The largest power of two below `len`, which is 2 or more.
fn half(len: usize) -> usize {
    len.next_power_of_two() / 2
}
