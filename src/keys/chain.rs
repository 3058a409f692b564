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

use super::chain_error::{
    FIRST_LINE, KEY_CHAIN_LEN_MAX, KEY_STATEMENTS_MAX, KeyChainError, Link, TwoSuccessors,
};
use super::epochs::Epochs;
use super::statement::{ChangeKind, Statement, StatementError};
use crate::checkpoint::{Note, VerifyingKey};
use crate::hash::Hash;

/// The statements of a log's keys as they were read: **nobody has checked their
/// signatures** until [`KeyChain::verify`] does. Each names the one before it by its
/// hash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyChain {
    links: Vec<Link>,
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
