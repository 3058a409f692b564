//! One change of keys, as a signed note.
//!
//! ```text
//! bulla.dev/key-statement/v1
//! example.com/audit                       the origin
//! rotate 1                                what, and its number in the chain, from 1
//! previous AAAA…                          SHA-256 of the statement before, or zeros
//! key example.com/audit+…                 the key that signs heads until here
//! main 20852163 CsUYap…                   the last head of the log under that key
//! catalog 311 k2Xy…                       the catalog's head then
//! next example.com/audit+…                the key that signs from here on
//! ```
//!
//! | what | last lines | signed by |
//! |---|---|---|
//! | `rotate` | `next` | `key` and `next` |
//! | `recovery` | `recovery`, a key that stays offline | `key`, the new recovery key and the one before |
//! | `revoke` | `next` | the recovery key and `next` |
//! | `retire` | `kept`, `next` of a new origin | `key` (or the recovery key) and `next` |
//!
//! The first line is no origin that a log can have together with a second line that is
//! no number: no checkpoint is such a text, so a signature here is none of a head.

use crate::checkpoint::line::{base64_hash, decimal, to_base64};
use crate::checkpoint::{
    KeyError, KeyName, Note, NoteError, NoteSigner, SignatureKind, VerifyNoteError, VerifyingKey,
};
use crate::hash::{Hash, sha256};
use crate::merkle::TreeHead;
use crate::seq::TreeSize;

const FIRST_LINE: &str = "bulla.dev/key-statement/v1";

/// The name of a log's recovery key: never its origin, so that it signs no heads.
pub fn recovery_name(origin: &str) -> String {
    format!("{origin}/recovery")
}

/// What a statement changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The key hands over to its successor.
    Rotate {
        /// The successor.
        next: VerifyingKey,
    },
    /// Names the key that can revoke, and is kept offline.
    Recovery {
        /// That key.
        recovery: VerifyingKey,
    },
    /// The recovery key ends a key that was stolen or lost, and what that key signed
    /// beyond the head.
    Revoke {
        /// The key that counts from the head on.
        next: VerifyingKey,
    },
    /// The log goes on under another origin: an old copy was restored, and the head that
    /// was signed last is no longer in it.
    Retire {
        /// What the successor has of the log: where its own epoch begins.
        kept: TreeHead,
        /// The first key of the new origin, which is its name.
        next: VerifyingKey,
    },
}

/// The kinds of [`Change`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// See [`Change::Rotate`].
    Rotate,
    /// See [`Change::Recovery`].
    Recovery,
    /// See [`Change::Revoke`].
    Revoke,
    /// See [`Change::Retire`].
    Retire,
}

impl ChangeKind {
    const ALL: [ChangeKind; 4] =
        [ChangeKind::Rotate, ChangeKind::Recovery, ChangeKind::Revoke, ChangeKind::Retire];

    /// The word in a statement.
    pub fn name(self) -> &'static str {
        match self {
            ChangeKind::Rotate => "rotate",
            ChangeKind::Recovery => "recovery",
            ChangeKind::Revoke => "revoke",
            ChangeKind::Retire => "retire",
        }
    }
}

impl Change {
    /// Which kind.
    pub fn kind(&self) -> ChangeKind {
        match self {
            Change::Rotate { .. } => ChangeKind::Rotate,
            Change::Recovery { .. } => ChangeKind::Recovery,
            Change::Revoke { .. } => ChangeKind::Revoke,
            Change::Retire { .. } => ChangeKind::Retire,
        }
    }

    /// The key that signs heads after it, if it changes that.
    pub fn next(&self) -> Option<&VerifyingKey> {
        match self {
            Change::Rotate { next } | Change::Revoke { next } | Change::Retire { next, .. } => {
                Some(next)
            }
            Change::Recovery { .. } => None,
        }
    }

    /// The key that the statement introduces.
    pub fn introduced(&self) -> &VerifyingKey {
        match self {
            Change::Rotate { next } | Change::Revoke { next } | Change::Retire { next, .. } => next,
            Change::Recovery { recovery } => recovery,
        }
    }
}

/// What a change of keys says. By itself only a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The log, by the name it has before the statement.
    pub origin: String,
    /// Its position in the chain, from 1.
    pub number: u64,
    /// SHA-256 of the text of the statement before it; [`Hash::ZERO`] for the first.
    pub previous: Hash,
    /// The key that signs heads until here.
    pub key: VerifyingKey,
    /// The last head of the log that counts under that key.
    pub main: TreeHead,
    /// The head of the catalog when the statement was made.
    pub catalog: TreeHead,
    /// What changes.
    pub change: Change,
}

impl Statement {
    /// The text to be signed.
    pub fn to_text(&self) -> String {
        let Statement { origin, number, previous, key, main, catalog, change } = self;
        let head = |name: &str, head: &TreeHead| {
            format!("{name} {} {}\n", head.size, to_base64(head.root.as_bytes()))
        };
        let kind = change.kind().name();
        let mut text = format!("{FIRST_LINE}\n{origin}\n{kind} {number}\n");
        text += &format!("previous {}\nkey {key}\n", to_base64(previous.as_bytes()));
        text += &head("main", main);
        text += &head("catalog", catalog);
        match change {
            Change::Rotate { next } | Change::Revoke { next } => text += &format!("next {next}\n"),
            Change::Recovery { recovery } => text += &format!("recovery {recovery}\n"),
            Change::Retire { kept, next } => {
                text += &head("kept", kept);
                text += &format!("next {next}\n");
            }
        }
        text
    }

    /// By what the next statement names this one.
    pub fn digest(&self) -> Hash {
        sha256(&[self.to_text().as_bytes()])
    }

    /// Signs it: the caller gives those whom the change calls for.
    ///
    /// # Errors
    /// It is not one that a verifier would take, or a signer could not sign.
    pub fn sign(&self, signers: &[&dyn NoteSigner]) -> Result<Note, StatementError> {
        self.check()?;
        Ok(Note::sign(&self.to_text(), signers)?)
    }

    /// Reads the text of a note. Nobody has checked its signatures.
    ///
    /// # Errors
    /// Says what is not as it must be; whatever is read is written again byte for byte.
    pub fn parse(note: &Note) -> Result<Self, StatementError> {
        let text = note.dangerously_unverified_text();
        let statement = Lines::new(text).statement()?;
        if statement.to_text() != text {
            return Err(StatementError::Line { expected: "nothing after its last line" });
        }
        statement.check()?;
        Ok(statement)
    }

    /// What must hold whoever signed.
    fn check(&self) -> Result<(), StatementError> {
        let refused = |reason| Err(StatementError::Rule { number: self.number, reason });
        if self.key.name().as_str() != self.origin {
            return refused("the key that it closes is named as the origin");
        }
        if !matches!(self.key.kind(), SignatureKind::Ed25519 | SignatureKind::Ed25519Blake3Head) {
            return refused("the key that it closes signs heads");
        }
        self.check_introduced()
    }

    fn check_introduced(&self) -> Result<(), StatementError> {
        let refused = |reason| Err(StatementError::Rule { number: self.number, reason });
        let introduced = self.change.introduced();
        let name = introduced.name().as_str();
        match &self.change {
            Change::Recovery { .. } => {
                if name != recovery_name(&self.origin)
                    || introduced.kind() != SignatureKind::Ed25519
                {
                    return refused("a recovery key is an Ed25519 key named ORIGIN/recovery");
                }
            }
            Change::Rotate { .. } | Change::Revoke { .. } => {
                if name != self.origin || introduced.kind() != self.key.kind() {
                    return refused("the next key has the name and the kind of the one it follows");
                }
            }
            Change::Retire { kept, .. } => {
                if name == self.origin || introduced.kind() != self.key.kind() {
                    return refused("a successor has another origin and a key of the same kind");
                }
                if kept.size > self.main.size {
                    return refused("a successor keeps no more than was signed");
                }
            }
        }
        if introduced.has_same_secret(&self.key) {
            return refused("the key that it introduces is a new one");
        }
        Ok(())
    }
}

/// The lines of a statement, one after the other.
struct Lines<'t> {
    lines: std::str::Split<'t, char>,
}

impl<'t> Lines<'t> {
    fn new(text: &'t str) -> Self {
        Lines { lines: text.split('\n') }
    }

    fn next(&mut self, expected: &'static str) -> Result<&'t str, StatementError> {
        self.lines.next().ok_or(StatementError::Line { expected })
    }

    /// A line that begins with this word.
    fn after(&mut self, word: &'static str) -> Result<&'t str, StatementError> {
        let line = self.next(word)?;
        let rest = line.strip_prefix(word).and_then(|rest| rest.strip_prefix(' '));
        rest.ok_or(StatementError::Line { expected: word })
    }

    fn key(&mut self, word: &'static str) -> Result<VerifyingKey, StatementError> {
        self.after(word)?.parse().map_err(|error| StatementError::Key { line: word, error })
    }

    fn head(&mut self, word: &'static str) -> Result<TreeHead, StatementError> {
        let parsed = self.after(word)?.split_once(' ').and_then(|(size, root)| {
            Some(TreeHead { size: TreeSize::new(decimal(size)?), root: base64_hash(root)? })
        });
        parsed.ok_or(StatementError::Line { expected: word })
    }

    fn kind(&mut self) -> Result<(ChangeKind, u64), StatementError> {
        let expected = "rotate, recovery, revoke or retire, and a number from 1";
        let line = self.next(expected)?;
        let parsed = line.split_once(' ').and_then(|(word, number)| {
            let kind = ChangeKind::ALL.into_iter().find(|kind| kind.name() == word)?;
            Some((kind, decimal(number).filter(|&number| number > 0)?))
        });
        parsed.ok_or(StatementError::Line { expected })
    }

    fn statement(mut self) -> Result<Statement, StatementError> {
        if self.next(FIRST_LINE)? != FIRST_LINE {
            return Err(StatementError::Line { expected: FIRST_LINE });
        }
        let origin = self.next("an origin")?.to_owned();
        KeyName::new(&origin).map_err(|error| StatementError::Key { line: "origin", error })?;
        let (kind, number) = self.kind()?;
        let previous = self.after("previous")?;
        let previous =
            base64_hash(previous).ok_or(StatementError::Line { expected: "previous" })?;
        let key = self.key("key")?;
        let (main, catalog) = (self.head("main")?, self.head("catalog")?);
        let change = match kind {
            ChangeKind::Rotate => Change::Rotate { next: self.key("next")? },
            ChangeKind::Recovery => Change::Recovery { recovery: self.key("recovery")? },
            ChangeKind::Revoke => Change::Revoke { next: self.key("next")? },
            ChangeKind::Retire => {
                Change::Retire { kept: self.head("kept")?, next: self.key("next")? }
            }
        };
        Ok(Statement { origin, number, previous, key, main, catalog, change })
    }
}

/// Something is not a statement of keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// It is no signed note, or could not be signed.
    #[error("{0}")]
    Note(#[from] NoteError),
    /// Its signatures do not hold.
    #[error("{0}")]
    Signature(#[from] VerifyNoteError),
    /// A line is missing or is another one.
    #[error("expected in a key statement: {expected}; found something else")]
    Line {
        /// The line that should be there.
        expected: &'static str,
    },
    /// A key in it.
    #[error("the {line} line of a key statement: {error}")]
    Key {
        /// The line.
        line: &'static str,
        /// What is wrong with it.
        #[source]
        error: KeyError,
    },
    /// It breaks a rule.
    #[error("key statement {number} breaks a rule: {reason}")]
    Rule {
        /// The statement's number.
        number: u64,
        /// The rule.
        reason: &'static str,
    },
}
