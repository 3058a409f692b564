//! What a liar could show who makes all hashes anew: every choice of what is left out is
//! tried, with proofs that lead to the true roots.

mod lists;
mod terms;

use crate::format::LogId;
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::reference;

const SHA256: HashAlgorithm = HashAlgorithm::Sha256;
const LOG: LogId = LogId([7; 16]);

/// The batch proof of these leaves of a tree.
fn batch(leaves: &[Hash], shown: &[u64]) -> Vec<Hash> {
    match shown {
        [] => Vec::new(),
        shown => reference::batch(SHA256, shown, leaves, 0),
    }
}
