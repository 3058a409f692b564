//! The statements of a log, one after the other, as a text.
//!
//! ```text
//! bulla.dev/key-chain/v1
//!
//! bulla.dev/key-statement/v1              the first statement, a signed note
//! …
//!
//! — example.com/audit Az3grlgtzPICa5OS8…
//! — example.com/audit 4pXnu0mc8rN…
//!
//! bulla.dev/key-statement/v1              the next one, after an empty line
//! …
//! ```

use std::collections::BTreeMap;

use super::epochs::Epochs;
use super::statement::{ChangeKind, Statement, StatementError};
use crate::checkpoint::{Note, VerifyingKey};
use crate::hash::Hash;

/// The longest chain text that is read, in bytes: 16 MiB.
pub const KEY_CHAIN_LEN_MAX: usize = 16 << 20;
/// The most statements a chain has: weekly rotations for almost two centuries.
pub const KEY_STATEMENTS_MAX: usize = 10_000;

const FIRST_LINE: &str = "bulla.dev/key-chain/v1";

/// The statements of a log's keys as they were read: **nobody has checked their
/// signatures** until [`KeyChain::verify`] does. Each names the one before it by its
/// hash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyChain {
    links: Vec<Link>,
}

/// A statement and the note it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) note: Note,
    pub(super) statement: Statement,
}

impl KeyChain {
    /// Reads a chain, strictly: what is read is written again byte for byte. It may
    /// begin at any statement.
    ///
    /// # Errors
    /// Says which statement is not one, or does not follow the one before it.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeyChainError> {
        if bytes.len() > KEY_CHAIN_LEN_MAX {
            return Err(KeyChainError::TooLong { found: bytes.len() });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| KeyChainError::Shape)?;
        let rest = text.strip_prefix(FIRST_LINE).ok_or(KeyChainError::Shape)?;
        let mut chain = KeyChain::default();
        if rest == "\n" {
            return Ok(chain);
        }
        let rest = rest.strip_prefix("\n\n").ok_or(KeyChainError::Shape)?;
        // Neither the text of a statement nor its signatures have an empty line.
        let mut blocks = rest.split("\n\n");
        while let Some(body) = blocks.next() {
            let signatures = blocks.next().ok_or(KeyChainError::Shape)?;
            let note = format!("{body}\n\n{}\n", signatures.trim_end_matches('\n'));
            chain.push_note(note.as_bytes())?;
        }
        if chain.to_text() != text {
            return Err(KeyChainError::Shape);
        }
        Ok(chain)
    }

    /// Adds a statement, as its signed note.
    ///
    /// # Errors
    /// It is none, does not follow the last one, or the chain is full.
    pub fn push_note(&mut self, note: &[u8]) -> Result<(), KeyChainError> {
        let number = self.last().map_or(1, |last| last.number.saturating_add(1));
        let wrong = |error| KeyChainError::Statement { number, error };
        let note = Note::parse(note).map_err(|error| wrong(StatementError::Note(error)))?;
        let statement = Statement::parse(&note).map_err(wrong)?;
        let follows = match self.last() {
            Some(last) => statement.number == number && statement.previous == last.digest(),
            None => (statement.number == 1) == (statement.previous == Hash::ZERO),
        };
        if !follows {
            return Err(KeyChainError::DoesNotFollow { number: statement.number });
        }
        if self.links.len() == KEY_STATEMENTS_MAX {
            return Err(KeyChainError::Full);
        }
        self.links.push(Link { note, statement });
        Ok(())
    }

    /// The text, to be kept in a file.
    pub fn to_text(&self) -> String {
        let notes = self.links.iter().map(|link| format!("\n{}", link.note));
        std::iter::once(format!("{FIRST_LINE}\n")).chain(notes).collect()
    }

    /// The last statement.
    pub fn last(&self) -> Option<&Statement> {
        self.links.last().map(|link| &link.statement)
    }

    /// The statements, oldest first; nobody has checked who signed them.
    pub fn dangerously_unverified(&self) -> impl ExactSizeIterator<Item = &Statement> {
        self.links.iter().map(|link| &link.statement)
    }

    /// Whether there is no statement: the log has had one key.
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// Both chains in one, if they are parts of one chain that overlap or adjoin.
    pub fn joined(&self, other: &KeyChain) -> Option<KeyChain> {
        let (Some(mine), Some(theirs)) = (self.links.first(), other.links.first()) else {
            return Some(if self.is_empty() { other.clone() } else { self.clone() });
        };
        if mine.statement.number > theirs.statement.number {
            return other.joined(self);
        }
        let mut joined = self.clone();
        for link in &other.links {
            match self.link(link.statement.number) {
                Some(own) if own.statement == link.statement => {}
                Some(_) => return None,
                None => joined.push_note(link.note.to_string().as_bytes()).ok()?,
            }
        }
        Some(joined)
    }

    /// Whether this chain differs from another one first by a revocation that the other
    /// lacks: it is then the one to believe, if it holds.
    pub(crate) fn revokes_against(&self, other: &KeyChain) -> bool {
        let differs = |link: &&Link| {
            let theirs = other.link(link.statement.number);
            theirs.is_some_and(|theirs| theirs.statement != link.statement)
        };
        let revokes = |link: &Link| link.statement.change.kind() == ChangeKind::Revoke;
        let first = self.links.iter().find(differs);
        let theirs = first.and_then(|link| other.link(link.statement.number));
        first.is_some_and(revokes) && !theirs.is_some_and(revokes)
    }

    /// The statement of this number; they are numbered without a gap.
    fn link(&self, number: u64) -> Option<&Link> {
        let first = self.links.first()?.statement.number;
        self.links.get(usize::try_from(number.checked_sub(first)?).ok()?)
    }

    /// Checks who signed, from the first statement about a pinned key on, and gives the
    /// sizes for which each key counts. A recovery key that is pinned must be the one in
    /// force before the first change of it that the chain shows.
    ///
    /// # Errors
    /// Says which statement does not hold.
    pub fn verify(
        &self,
        pinned: &[VerifyingKey],
        recovery: Option<&VerifyingKey>,
    ) -> Result<Epochs, KeyChainError> {
        Epochs::of(&self.links, pinned, recovery)
    }

    /// Two statements by which one key names different successors: somebody else had
    /// that key. Both are checked to be signed by it.
    pub fn conflict_with(&self, other: &KeyChain) -> Option<Box<TwoSuccessors>> {
        let handing_over = |link: &&Link| {
            let own =
                matches!(link.statement.change.kind(), ChangeKind::Rotate | ChangeKind::Retire);
            own && link.signed_by(&[&link.statement.key])
        };
        let mine: BTreeMap<String, &Link> = self
            .links
            .iter()
            .filter(handing_over)
            .map(|link| (link.statement.key.to_string(), link))
            .collect();
        other.links.iter().filter(handing_over).find_map(|link| {
            let first = mine.get(&link.statement.key.to_string())?;
            (first.statement != link.statement).then(|| {
                Box::new(TwoSuccessors {
                    key: link.statement.key.clone(),
                    first: first.note.clone(),
                    second: link.note.clone(),
                })
            })
        })
    }
}

impl Link {
    /// Whether all of these keys signed, and none of them wrongly.
    pub(super) fn signed_by(&self, keys: &[&VerifyingKey]) -> bool {
        let wanted: Vec<VerifyingKey> = keys.iter().map(|key| (*key).clone()).collect();
        let verified = self.note.verify(&wanted);
        verified.is_ok_and(|note| keys.iter().all(|key| note.signers().contains(key)))
    }
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
