//! RFC 6962 §2.1 word for word: slow, recursive, obvious. The clever code is
//! compared with it.

use crate::hash::{Hash, HashAlgorithm};

/// MTH(D[n]) over leaf hashes.
pub(crate) fn root(algorithm: HashAlgorithm, leaves: &[Hash]) -> Hash {
    match leaves {
        [] => algorithm.empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            algorithm.node(&root(algorithm, left), &root(algorithm, right))
        }
    }
}

/// PATH(m, D[n]).
pub(crate) fn path(algorithm: HashAlgorithm, m: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let k = split(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut proof, other) = if m < k {
        (path(algorithm, m, left), right)
    } else {
        (path(algorithm, m - k, right), left)
    };
    proof.push(root(algorithm, other));
    proof
}

/// PROOF(m, D[n]) for 0 < m < n; empty for m = n.
pub(crate) fn proof(algorithm: HashAlgorithm, m: usize, leaves: &[Hash]) -> Vec<Hash> {
    subproof(algorithm, m, leaves, true)
}

/// SUBPROOF(m, D[n], b).
fn subproof(algorithm: HashAlgorithm, m: usize, leaves: &[Hash], b: bool) -> Vec<Hash> {
    if m == leaves.len() {
        return if b { Vec::new() } else { vec![root(algorithm, leaves)] };
    }
    let k = split(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut proof, other) = if m <= k {
        (subproof(algorithm, m, left, b), right)
    } else {
        (subproof(algorithm, m - k, right, false), left)
    };
    proof.push(root(algorithm, other));
    proof
}

/// "The largest power of two smaller than n": k < n <= 2k.
fn split(n: usize) -> usize {
    n.next_power_of_two() / 2
}
