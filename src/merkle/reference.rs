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

/// The roots of the largest subtrees without any of the records, which ascend; `start` is
/// the position of the first leaf. Not in the RFC: its recursion, for many records.
pub(crate) fn batch(
    algorithm: HashAlgorithm,
    seqs: &[u64],
    leaves: &[Hash],
    start: u64,
) -> Vec<Hash> {
    if seqs.is_empty() {
        return vec![root(algorithm, leaves)];
    }
    if leaves.len() == 1 {
        return Vec::new();
    }
    let k = split(leaves.len());
    let middle = start + k as u64;
    let below: Vec<u64> = seqs.iter().copied().filter(|seq| *seq < middle).collect();
    let above: Vec<u64> = seqs.iter().copied().filter(|seq| *seq >= middle).collect();
    let (left, right) = leaves.split_at(k);
    let mut proof = batch(algorithm, &below, left, start);
    proof.extend(batch(algorithm, &above, right, middle));
    proof
}
