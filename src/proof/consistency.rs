//! That one checkpoint extends another: nothing that the first covers was altered or removed.
//!
//! ```text
//! bulla.dev/consistency-proof/v1
//! gSKyXoYZUgZ6jduWYrkDOARin…      the hashes (RFC 6962 §2.1.2)
//!                                  an empty line
//! example.com/audit               the older checkpoint, verbatim
//! …
//!                                  an empty line
//! example.com/audit               the newer checkpoint, verbatim
//! …
//! ```
//!
//! A checkpoint has exactly one empty line, before its signatures, so this parts in one way.

use super::malformed;
use crate::checkpoint::{UnverifiedCheckpoint, VerifiedCheckpoint, line};
use crate::hash::Hash;
use crate::merkle::verify_consistency;
use crate::proof::malformed::MalformedProof;
use crate::proof::verify_error::VerifyProofError;
use crate::trust::Trust;

/// The most hashes a consistency proof has.
pub const CONSISTENCY_HASHES_MAX: usize = 65;
/// The longest consistency proof that is read, in bytes: 2 MiB.
pub const CONSISTENCY_PROOF_LEN_MAX: usize = 2 << 20;

/// Two checkpoints and the hashes that lead from the older to the newer: **nothing of it is
/// checked** until [`ConsistencyProof::verify`] says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// The older checkpoint.
    pub old: UnverifiedCheckpoint,
    /// The newer checkpoint.
    pub new: UnverifiedCheckpoint,
    /// At most 65 hashes (RFC 6962 §2.1.2).
    pub hashes: Vec<Hash>,
}

impl ConsistencyProof {
    /// The first line of the text.
    pub const FIRST_LINE: &str = "bulla.dev/consistency-proof/v1";
    /// The ending of files with it, without the dot.
    pub const FILE_EXTENSION: &str = "bulla-consistency";

    /// The text, to be kept in a file.
    pub fn to_text(&self) -> String {
        let mut text = format!("{}\n", Self::FIRST_LINE);
        for hash in &self.hashes {
            text += &line::to_base64(hash.as_bytes());
            text.push('\n');
        }
        text + &format!("\n{}\n{}", self.old.to_text(), self.new.to_text())
    }

    /// Reads the text, strictly: what is read is written again byte for byte.
    ///
    /// # Errors
    /// Says which line is not as it must be.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedProof> {
        let text = malformed::text(bytes, "a consistency proof", CONSISTENCY_PROOF_LEN_MAX)?;
        let (own, rest) = text.split_once("\n\n").ok_or(MalformedProof::NoCheckpoint)?;
        let mut lines = own.split('\n').zip(1..);
        malformed::check_first_line(lines.next().map(|(line, _)| line), Self::FIRST_LINE)?;
        let hashes = hashes(lines, CONSISTENCY_HASHES_MAX)?;
        // The older one ends at the second empty line from here: the first is its own.
        let mut parts = rest.match_indices("\n\n").map(|(at, _)| at);
        let end = parts.nth(1).ok_or(MalformedProof::NoCheckpoint)?;
        let (old, new) = rest.split_at(end + 1);
        let new = new.strip_prefix('\n').unwrap_or(new);
        let (old, new) = (malformed::checkpoint(old)?, malformed::checkpoint(new)?);
        Ok(ConsistencyProof { old, new, hashes })
    }

    /// Checks that the log signed both, and that the newer tree begins with the older one.
    ///
    /// # Errors
    /// Says what does not hold.
    pub fn verify(&self, trust: &Trust) -> Result<VerifiedConsistency, VerifyProofError> {
        let new = trust.verify(&self.new).map_err(VerifyProofError::Checkpoint)?;
        // Whoever vouches for the newer head vouches for all that it extends.
        let old = trust.verify_without_quorum(&self.old);
        let old = old.map_err(VerifyProofError::Checkpoint)?;
        check_extends(&old, &new, &self.hashes, trust)?;
        Ok(VerifiedConsistency { old, new })
    }
}

/// Hashes, one a line.
pub(super) fn hashes<'t>(
    lines: impl Iterator<Item = (&'t str, usize)>,
    max: usize,
) -> Result<Vec<Hash>, MalformedProof> {
    let mut hashes = Vec::new();
    for (text, number) in lines {
        if hashes.len() == max {
            return Err(MalformedProof::TooMany { what: "hashes", max });
        }
        let expected = "the base64 of 32 bytes";
        hashes.push(line::base64_hash(text).ok_or(MalformedProof::Line { number, expected })?);
    }
    Ok(hashes)
}

/// Checks that the newer checkpoint is of the same log, or of its successor under another
/// origin, and extends the older one.
pub(super) fn check_extends(
    old: &VerifiedCheckpoint,
    new: &VerifiedCheckpoint,
    hashes: &[Hash],
    trust: &Trust,
) -> Result<(), VerifyProofError> {
    if !trust.is_succeeded_by(old.origin(), new.origin()) {
        let (expected, found) = (new.origin().to_owned(), old.origin().to_owned());
        return Err(VerifyProofError::Origin { expected, found });
    }
    let (expected, found) = (new.algorithm(), old.algorithm());
    if expected != found {
        return Err(VerifyProofError::Algorithm { expected, found });
    }
    verify_consistency(expected, &old.head(), &new.head(), hashes)
        .map_err(VerifyProofError::Consistency)
}

/// The log signed both checkpoints, and the newer one extends the older. Only
/// [`ConsistencyProof::verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedConsistency {
    old: VerifiedCheckpoint,
    new: VerifiedCheckpoint,
}

impl VerifiedConsistency {
    /// The older checkpoint.
    pub fn older(&self) -> &VerifiedCheckpoint {
        &self.old
    }

    /// The newer checkpoint, of which the older one is the beginning.
    pub fn newer(&self) -> &VerifiedCheckpoint {
        &self.new
    }
}
