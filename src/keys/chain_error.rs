//! What a chain of keys is made of, and why one does not hold.

use super::statement::{Statement, StatementError};
use crate::checkpoint::{Note, VerifyingKey};

/// The longest chain text that is read, in bytes: 16 MiB.
pub const KEY_CHAIN_LEN_MAX: usize = 16 << 20;
/// The most statements a chain has: weekly rotations for almost two centuries.
pub const KEY_STATEMENTS_MAX: usize = 10_000;

pub(super) const FIRST_LINE: &str = "bulla.dev/key-chain/v1";

/// A statement and the note it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) note: Note,
    pub(super) statement: Statement,
}

/// Evidence that two parties had one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TwoSuccessors {
    /// The key.
    pub key: VerifyingKey,
    /// One statement that it signed.
    pub first: Note,
    /// Another one.
    pub second: Note,
}

/// A chain of keys does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyChainError {
    /// Longer than [`KEY_CHAIN_LEN_MAX`].
    #[error("expected a key chain of at most {KEY_CHAIN_LEN_MAX} bytes, found {found}")]
    TooLong {
        /// Length in bytes.
        found: usize,
    },
    /// More than [`KEY_STATEMENTS_MAX`] statements.
    #[error("expected at most {KEY_STATEMENTS_MAX} statements in a key chain, found more")]
    Full,
    /// No first line of a chain, or not statements with empty lines between them.
    #[error(
        "expected a key chain: {FIRST_LINE}, then signed statements with an empty line before each"
    )]
    Shape,
    /// A statement is none.
    #[error("statement {number}: {error}")]
    Statement {
        /// Its number.
        number: u64,
        /// What is wrong with it.
        #[source]
        error: StatementError,
    },
    /// A statement does not follow the one before it.
    #[error("key statement {number} does not follow the one before it")]
    DoesNotFollow {
        /// Its number.
        number: u64,
    },
    /// No statement is about a pinned key.
    #[error(
        "no statement of the key chain is about a key that you trust: give the log's first key, or \
         a later one, with --pubkey"
    )]
    NotPinned,
    /// A statement is not signed by all whom it calls for.
    #[error("expected key statement {number} to be signed by {expected}")]
    NotSigned {
        /// Its number.
        number: u64,
        /// Who must sign.
        expected: String,
    },
    /// A statement closes a key that was not the current one.
    #[error(
        "key statement {number} closes the key {} (key id {}), which is not the current one",
        .key.name(), .key.id()
    )]
    NotCurrent {
        /// Its number.
        number: u64,
        /// The key it closes.
        key: Box<VerifyingKey>,
    },
    /// A statement introduces a key that the log has had before.
    #[error("key statement {number} introduces a key that was in use before")]
    KeyReused {
        /// Its number.
        number: u64,
    },
    /// A statement retires an origin for one that the log had before.
    #[error("key statement {number} continues under an origin that the log had before")]
    OriginReused {
        /// Its number.
        number: u64,
    },
    /// A head in a statement is not consistent with those in the ones before.
    #[error("the heads in key statement {number} do not continue those before it")]
    Head {
        /// Its number.
        number: u64,
    },
    /// A statement calls for a recovery key, and there is none.
    #[error("key statement {number} is by a recovery key, and none was named before it")]
    NoRecoveryKey {
        /// Its number.
        number: u64,
    },
    /// The chain is another one than the verifier knows: one key has two successors.
    #[error(
        "the key {} (key id {}) signed two different successors: somebody else had it",
        .0.key.name(), .0.key.id()
    )]
    TwoSuccessors(Box<TwoSuccessors>),
    /// The chain is another one than the verifier knows.
    #[error("the key chain is not the one that is known, and does not continue it")]
    OtherChain,
    /// The chain goes on under the name of another log that the verifier pinned.
    #[error("the key chain continues as {name}, another log of which a key is trusted already")]
    OthersOrigin {
        /// That name.
        name: String,
    },
}
