//! Merkle arithmetic of RFC 6962 §2.1: which hashes a root or a proof needs, how
//! they fold together, and how a stranger checks the result. No files, no clock.
//!
//! A complete subtree of 2^level leaves is a [`NodeId`]; the tree over seven
//! records, with its three *peaks* in brackets (the largest complete subtrees,
//! left to right, one for every set bit of the size):
//!
//! ```text
//! level 2        [2,0]
//!               /     \
//! level 1    1,0       1,1       [1,2]
//!           /   \     /   \     /     \
//! level 0  0,0 0,1   0,2 0,3   0,4   0,5  [0,6]
//! ```
//!
//! A complete node never changes once its last leaf is there, so a node computed
//! for one size serves every larger one: storage keeps the complete nodes, and
//! everything else (roots, the ragged right border of a proof) is folded from
//! them when it is asked for.
//!
//! Each algorithm comes in two steps. The planner says which nodes are needed
//! ([`root_nodes`], [`ProofPlan`], [`BatchPlan`]), storage reads them in one batch, and the
//! executor folds them ([`root_from`], [`ProofPlan::assemble`]).

mod batch;
mod frontier;
mod node;
mod plan;
mod proof_error;
#[cfg(test)]
pub(crate) mod reference;
mod subtree;
#[cfg(test)]
mod tests;
mod tree_head;
mod verify;
pub use batch::{BatchPlan, verify_batch_inclusion};
pub use frontier::{Frontier, FrontierError};
pub use node::NodeId;
pub use plan::{ProofPlan, WrongHashCount, range_nodes, root_from, root_nodes};
pub use proof_error::{ProofError, TreeSide};
pub use subtree::{verify_subtree_consistency, verify_subtree_inclusion};
pub use tree_head::TreeHead;
pub use verify::{verify_consistency, verify_inclusion};
