//! The keys of a log over time: who may sign its heads, from which size to which.
//!
//! A log's heads are signed by one key at a time. Each change of keys is a
//! [`Statement`]: a signed note that closes the old key at a final head of the log and
//! of its catalog, names the next key, and is signed by both, so that the next key's
//! owner shows that they have it. The statements of a log, one after the other, are its
//! [`KeyChain`]. A verifier that pinned any key of it learns the later ones, and for
//! which tree sizes each of them counts ([`Epochs`]).
//!
//! When the private half of each key is erased after it signed its successor, somebody
//! who takes the machine finds only the current key, and cannot sign what a verifier
//! takes for an earlier epoch's head (forward security; Bellare and Yee 1997 for the
//! idea, with plain signatures in place of an evolving key).
//!
//! Two different statements by which one key names a successor are evidence that
//! somebody else had that key ([`KeyChain::conflict_with`]).

mod chain;
mod chain_error;
mod epochs;
mod statement;
#[cfg(test)]
mod tests;

pub use chain::KeyChain;
pub use chain_error::{KEY_CHAIN_LEN_MAX, KEY_STATEMENTS_MAX, KeyChainError, TwoSuccessors};
pub use epochs::{Ended, Epoch, Epochs, OutsideEpoch};
pub use statement::{Change, ChangeKind, Statement, StatementError, recovery_name};
