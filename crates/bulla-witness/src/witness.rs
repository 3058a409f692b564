//! A witness: key, watched logs and memory, behind one lock.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bulla::checkpoint::{
    CheckpointError, NoteSignature, NoteSigner, SignatureKind, UnverifiedCheckpoint, VerifyingKey,
};
use bulla::time::Clock;
use bulla::witness::{AddCheckpoint, check};

use crate::memory::{Memory, MemoryError};

const PLAIN_TEXT: &str = "text/plain; charset=utf-8";
const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// Cosigns what extends what it has noted, and notes it first.
pub struct Witness {
    cosigner: Box<dyn NoteSigner>,
    logs: Vec<VerifyingKey>,
    clock: Arc<dyn Clock>,
    /// Held from reading what is noted until the new head is noted: between the two
    /// nobody else cosigns.
    memory: Mutex<Memory>,
}

/// What a witness answers to a request, in the words of HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The media type of the body.
    pub content_type: &'static str,
    /// The body: a signature line, a tree size, or the reason.
    pub body: String,
    /// What happened, for the operator's eyes, in one line without control characters.
    pub told: String,
}

impl Answer {
    pub(crate) fn plain(status: u16, reason: &str) -> Self {
        let told = printable(reason);
        Answer { status, content_type: PLAIN_TEXT, body: format!("{reason}\n"), told }
    }
}

impl Witness {
    /// A witness with this key for the logs with these keys, each named as its log's
    /// origin.
    ///
    /// # Errors
    /// Not the key of a witness; a log's key that signs no SHA-256 heads; no logs.
    pub fn new(
        cosigner: impl NoteSigner + 'static,
        logs: Vec<VerifyingKey>,
        memory: Memory,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, WitnessError> {
        let own = cosigner.verifying_key();
        if own.kind() != SignatureKind::Ed25519Cosignature {
            return Err(WitnessError::NotOfAWitness { name: own.name().to_string() });
        }
        Witness::check_logs(&logs)?;
        Ok(Witness { cosigner: Box::new(cosigner), logs, clock, memory: Mutex::new(memory) })
    }

    /// Whether a witness can watch the logs with these keys, before its memory is made.
    ///
    /// # Errors
    /// A key that signs no SHA-256 heads; no keys.
    pub fn check_logs(logs: &[VerifyingKey]) -> Result<(), WitnessError> {
        if logs.is_empty() {
            return Err(WitnessError::NoLogs);
        }
        match logs.iter().find(|key| key.kind() != SignatureKind::Ed25519) {
            Some(other) => {
                let name = other.name().to_string();
                Err(WitnessError::NotOfALog { name, kind: other.kind() })
            }
            None => Ok(()),
        }
    }

    /// The key with which it cosigns.
    pub fn verifying_key(&self) -> &VerifyingKey {
        self.cosigner.verifying_key()
    }

    /// Answers the body of an `add-checkpoint` request.
    pub fn add_checkpoint(&self, body: &[u8]) -> Answer {
        let request = match AddCheckpoint::parse(body) {
            Ok(request) => request,
            Err(error) => return Answer::plain(400, &error.to_string()),
        };
        let claimed = request.checkpoint().dangerously_unverified();
        let about = format!("{} {}", printable(claimed.origin()), claimed.head().size);
        let mut answer = match self.cosign(&request) {
            Ok(answer) => answer,
            Err(error) => {
                // The reason is the operator's business, not the caller's.
                let told = printable(&error.to_string());
                Answer { told, ..Answer::plain(500, "this witness could not do its work") }
            }
        };
        answer.told = format!("{about}: {}", answer.told);
        answer
    }

    fn cosign(&self, request: &AddCheckpoint) -> Result<Answer, WitnessError> {
        let origin = request.checkpoint().dangerously_unverified().origin();
        // A panic of another request noted its head or did not: the file says which.
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        // Strangers do not make us look for files.
        let watched = self.logs.iter().any(|key| key.name().as_str() == origin);
        let noted = match watched {
            true => memory.noted(origin).map_err(WitnessError::Memory)?,
            false => bulla::TreeHead::empty(bulla::HashAlgorithm::Sha256),
        };
        let accepted = match check(request, &self.logs, &noted) {
            Ok(accepted) => accepted,
            Err(refusal) => {
                return Ok(Answer {
                    status: refusal.status(),
                    content_type: refusal.content_type(),
                    body: refusal.body(),
                    told: printable(&format!("refused: {refusal}")),
                });
            }
        };
        let line = accepted
            .cosign(&*self.cosigner, self.unix_seconds()?)
            .map_err(WitnessError::NotSigned)?;
        let cosigned = self.cosigned(request.checkpoint(), &line)?;
        // Nobody sees the cosignature before the head is noted for good.
        memory.note(&cosigned).map_err(WitnessError::Memory)?;
        drop(memory);
        let told = format!("cosigned root {}", accepted.head().root);
        Ok(Answer { status: 200, content_type: PLAIN_TEXT, body: format!("{line}\n"), told })
    }

    /// The checkpoint with this cosignature and those of its lines that are the log's: what
    /// others put under it is not ours to keep.
    fn cosigned(
        &self,
        checkpoint: &UnverifiedCheckpoint,
        line: &NoteSignature,
    ) -> Result<UnverifiedCheckpoint, WitnessError> {
        let note = checkpoint.note();
        let known = |line: &&NoteSignature| {
            self.logs.iter().any(|key| *key.name() == line.name && key.id() == line.id)
        };
        let mut text = format!("{}\n", note.dangerously_unverified_text());
        for line in note.signatures().iter().filter(known).chain([line]) {
            text.push_str(&format!("{line}\n"));
        }
        UnverifiedCheckpoint::parse(text.as_bytes()).map_err(WitnessError::NotSigned)
    }

    fn unix_seconds(&self) -> Result<u64, WitnessError> {
        let now = self.clock.now();
        u64::try_from(now.as_nanos().div_euclid(NANOS_PER_SECOND))
            .map_err(|_| WitnessError::Clock { now: now.to_string() })
    }
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Witness({}, {} keys of logs)", self.verifying_key(), self.logs.len())
    }
}

/// What strangers sent, for a terminal: without control characters, and not long.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(400).collect()
}

/// A witness cannot be set up, or could not do its work. It cosigned nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WitnessError {
    /// The witness's own key is one of a log.
    #[error("expected the key of a witness (`bulla keygen --witness` makes them), found {name}")]
    NotOfAWitness {
        /// The key's name.
        name: String,
    },
    /// A key that signs no heads of SHA-256 logs.
    #[error(
        "expected keys of logs, and of SHA-256 logs only, found {name}, {}; watch a log that was \
         created with `bulla init --hash sha256`",
        named(.kind)
    )]
    NotOfALog {
        /// The key's name.
        name: String,
        /// What it signs.
        kind: SignatureKind,
    },
    /// Nothing to watch.
    #[error("expected the key of a log to watch, found none")]
    NoLogs,
    /// The clock stands before 1970.
    #[error("expected a clock that is set, found {now}")]
    Clock {
        /// What it says.
        now: String,
    },
    /// The key did not sign.
    #[error(transparent)]
    NotSigned(CheckpointError),
    /// The memory failed.
    #[error(transparent)]
    Memory(MemoryError),
}

fn named(kind: &SignatureKind) -> &'static str {
    match kind {
        SignatureKind::Ed25519Cosignature => "the key of a witness",
        SignatureKind::Ed25519Blake3Head => "the key of a BLAKE3 log",
        _ => "another key",
    }
}
