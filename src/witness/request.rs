//! What a log sends to a witness (c2sp.org/tlog-witness, "add-checkpoint").
//!
//! ```text
//! old 20852014                                    the size that the witness knows
//! PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=    consistency proof from there
//! jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
//!
//! example.com/behind-the-sofa                     the new checkpoint
//! …
//! ```

use crate::checkpoint::{CheckpointError, UnverifiedCheckpoint, line};
use crate::hash::Hash;
use crate::seq::TreeSize;

/// "The client MUST NOT send more than 63 consistency proof lines."
pub const PROOF_HASHES_MAX: usize = 63;
/// The longest request that is read, in bytes: the longest proof and a checkpoint of
/// over 60 KiB.
pub const REQUEST_LEN_MAX: usize = 64 * 1024;

/// A request to cosign a checkpoint: **nobody has checked any of it**.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    old_size: TreeSize,
    proof: Vec<Hash>,
    checkpoint: UnverifiedCheckpoint,
}

impl AddCheckpoint {
    /// A request: the size that the witness knows (0 if none), the consistency proof
    /// from there, and the checkpoint.
    ///
    /// # Errors
    /// Too many hashes, or longer than [`REQUEST_LEN_MAX`].
    pub fn new(
        old_size: TreeSize,
        proof: Vec<Hash>,
        checkpoint: UnverifiedCheckpoint,
    ) -> Result<Self, RequestError> {
        check_proof_len(proof.len())?;
        let request = AddCheckpoint { old_size, proof, checkpoint };
        check_len(request.to_text().len())?;
        Ok(request)
    }

    /// Reads the body of a request, strictly: what is read is written the same again.
    ///
    /// # Errors
    /// Says what is not as the specification has it.
    pub fn parse(bytes: &[u8]) -> Result<Self, RequestError> {
        check_len(bytes.len())?;
        let (line, mut rest) = split_line(bytes).ok_or(RequestError::OldSize)?;
        let old_size = line.strip_prefix("old ").and_then(line::decimal);
        let old_size = old_size.map(TreeSize::new).ok_or(RequestError::OldSize)?;
        let mut proof = Vec::new();
        loop {
            let number = proof.len() + 1;
            let (line, after) = split_line(rest).ok_or(RequestError::Hash { number })?;
            rest = after;
            if line.is_empty() {
                break;
            }
            check_proof_len(number)?;
            proof.push(line::base64_hash(line).ok_or(RequestError::Hash { number })?);
        }
        let checkpoint = UnverifiedCheckpoint::parse(rest).map_err(RequestError::Checkpoint)?;
        Ok(AddCheckpoint { old_size, proof, checkpoint })
    }

    /// The size of the tree that the proof starts from.
    pub fn old_size(&self) -> TreeSize {
        self.old_size
    }

    /// The consistency proof (RFC 6962 §2.1.2).
    pub fn proof(&self) -> &[Hash] {
        &self.proof
    }

    /// The checkpoint to cosign.
    pub fn checkpoint(&self) -> &UnverifiedCheckpoint {
        &self.checkpoint
    }

    /// The body of the request.
    pub fn to_text(&self) -> String {
        let mut text = format!("old {}\n", self.old_size);
        for hash in &self.proof {
            text.push_str(&line::to_base64(hash.as_bytes()));
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.checkpoint.to_text());
        text
    }
}

/// The first line, if it is UTF-8 and ends in a newline, and what follows it.
fn split_line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (line, rest) = bytes.split_at_checked(end)?;
    Some((std::str::from_utf8(line).ok()?, rest.get(1..)?))
}

fn check_len(found: usize) -> Result<(), RequestError> {
    if found <= REQUEST_LEN_MAX { Ok(()) } else { Err(RequestError::TooLong { found }) }
}

fn check_proof_len(found: usize) -> Result<(), RequestError> {
    if found <= PROOF_HASHES_MAX { Ok(()) } else { Err(RequestError::TooManyHashes) }
}

/// The bytes are not an `add-checkpoint` request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Longer than [`REQUEST_LEN_MAX`].
    #[error("expected a request of at most {REQUEST_LEN_MAX} bytes, found {found}")]
    TooLong {
        /// Length in bytes.
        found: usize,
    },
    /// The first line is not `old` and a decimal number.
    #[error("expected `old` and a tree size in decimal in the first line, found another")]
    OldSize,
    /// Not the base64 of 32 bytes, and not the empty line after them.
    #[error(
        "expected hash {number} of the consistency proof as base64 of 32 bytes, or an empty line, \
         found another"
    )]
    Hash {
        /// Which hash of the proof, from 1.
        number: usize,
    },
    /// More than [`PROOF_HASHES_MAX`].
    #[error("expected at most {PROOF_HASHES_MAX} hashes in the consistency proof, found more")]
    TooManyHashes,
    /// What follows the empty line is not a signed checkpoint.
    #[error("{0}")]
    Checkpoint(#[source] CheckpointError),
}
