//! The text of a proof (c2sp.org/tlog-proof@v1), written and read strictly.

use super::malformed;
use crate::checkpoint::{CheckpointError, UnverifiedCheckpoint, line};
use crate::hash::{Hash, HashAlgorithm};
use crate::proof::inclusion::{InclusionProof, TlogProof};
use crate::seq::Seq;

/// The longest proof text that is read, in bytes: 8 MiB.
pub const PROOF_LEN_MAX: usize = 8 * 1024 * 1024;
/// The most hashes an inclusion proof has: a tree of 64-bit size is 64 levels high.
pub const PROOF_HASHES_MAX: usize = 64;

const FIRST_LINE_SHA256: &str = "c2sp.org/tlog-proof@v1";
const FIRST_LINE_BLAKE3: &str = "bulla.dev/blake3-proof@v1";

fn first_line(algorithm: HashAlgorithm) -> &'static str {
    match algorithm {
        HashAlgorithm::Sha256 => FIRST_LINE_SHA256,
        HashAlgorithm::Blake3 => FIRST_LINE_BLAKE3,
    }
}

impl TlogProof {
    /// The ending that files with proofs of this hash have, without the dot.
    pub fn file_extension(algorithm: HashAlgorithm) -> &'static str {
        match algorithm {
            HashAlgorithm::Sha256 => "tlog-proof",
            HashAlgorithm::Blake3 => "bulla-proof",
        }
    }

    /// The text, to be kept in a file.
    pub fn to_text(&self) -> String {
        let mut text = format!("{}\n", first_line(self.algorithm));
        if let Some(extra) = self.extra.as_deref().filter(|extra| !extra.is_empty()) {
            text += &format!("extra {}\n", line::to_base64(extra));
        }
        text += &format!("index {}\n", self.inclusion.seq);
        for hash in &self.inclusion.hashes {
            text += &line::to_base64(hash.as_bytes());
            text.push('\n');
        }
        text.push('\n');
        text += &self.checkpoint.to_text();
        text
    }

    /// Reads a proof, strictly: what is read is written again byte for byte.
    ///
    /// # Errors
    /// Says which line is not as the specification has it.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseProofError> {
        if bytes.len() > PROOF_LEN_MAX {
            return Err(ParseProofError::TooLong { found: bytes.len() });
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|error| ParseProofError::NotUtf8 { offset: error.valid_up_to() })?;
        // The first empty line ends the proof's own lines; none of them is empty.
        let (head, checkpoint) = text.split_once("\n\n").ok_or(ParseProofError::NoCheckpoint)?;
        let mut lines = head.split('\n').zip(1..).peekable();
        let first = lines.next().map_or("", |(line, _)| line);
        let algorithm = parse_first_line(first);
        let other = || ParseProofError::FirstLine { found: malformed::beginning(first) };
        let algorithm = algorithm.ok_or_else(other)?;
        let extra = match lines.peek().and_then(|(line, _)| line.strip_prefix("extra ")) {
            Some(encoded) => Some(parse_extra(encoded)?),
            None => None,
        };
        if extra.is_some() {
            lines.next();
        }
        let seq = lines.next().and_then(|(line, _)| parse_index(line));
        let seq = seq.ok_or(ParseProofError::Index)?;
        let hashes = parse_hashes(lines)?;
        let checkpoint = UnverifiedCheckpoint::parse(checkpoint.as_bytes())
            .map_err(ParseProofError::Checkpoint)?;
        Ok(TlogProof { algorithm, extra, inclusion: InclusionProof { seq, hashes }, checkpoint })
    }
}

fn parse_first_line(line: &str) -> Option<HashAlgorithm> {
    let known = [HashAlgorithm::Sha256, HashAlgorithm::Blake3];
    known.into_iter().find(|&algorithm| first_line(algorithm) == line)
}

fn parse_extra(encoded: &str) -> Result<Vec<u8>, ParseProofError> {
    // "If no extra data is present, this line is omitted": so it is not empty.
    line::base64(encoded).filter(|extra| !extra.is_empty()).ok_or(ParseProofError::Extra)
}

fn parse_index(line: &str) -> Option<Seq> {
    line.strip_prefix("index ").and_then(line::decimal).map(Seq::new)
}

fn parse_hashes<'t>(
    lines: impl Iterator<Item = (&'t str, usize)>,
) -> Result<Vec<Hash>, ParseProofError> {
    let mut hashes = Vec::new();
    for (line, number) in lines {
        if hashes.len() == PROOF_HASHES_MAX {
            return Err(ParseProofError::TooManyHashes);
        }
        hashes.push(line::base64_hash(line).ok_or(ParseProofError::HashLine { number })?);
    }
    Ok(hashes)
}

/// The bytes are not a proof text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseProofError {
    /// Longer than [`PROOF_LEN_MAX`].
    #[error("expected a proof of at most {PROOF_LEN_MAX} bytes, found {found}")]
    TooLong {
        /// Length in bytes.
        found: usize,
    },
    /// Not UTF-8.
    #[error("expected a proof in UTF-8, found other bytes at offset {offset}")]
    NotUtf8 {
        /// Where, in bytes from the start.
        offset: usize,
    },
    /// The first line is neither of the two that are known.
    #[error(
        "expected the first line of a proof, {FIRST_LINE_SHA256} or {FIRST_LINE_BLAKE3}, found \
         {found:?}: {}",
        kind_of_proof(.found)
    )]
    FirstLine {
        /// What it is (its beginning).
        found: String,
    },
    /// The extra line is not base64 of at least one byte.
    #[error("expected \"extra \" and base64 of at least one byte on line 2, found another line")]
    Extra,
    /// No index line, or not with a plain decimal number.
    #[error("expected a line \"index \" with a plain decimal number, found another")]
    Index,
    /// A line is not the base64 of 32 bytes.
    #[error("expected line {number} of the proof to be the base64 of 32 bytes, found another")]
    HashLine {
        /// Which line of the text, from 1.
        number: usize,
    },
    /// More than [`PROOF_HASHES_MAX`] hashes.
    #[error("expected at most {PROOF_HASHES_MAX} hashes, found more: no tree is that high")]
    TooManyHashes,
    /// No empty line with a checkpoint after it.
    #[error(
        "expected an empty line and a checkpoint after the hashes, found none: the proof is cut short"
    )]
    NoCheckpoint,
    /// What follows the empty line is not a checkpoint.
    #[error("in the checkpoint: {0}")]
    Checkpoint(#[source] CheckpointError),
}

fn kind_of_proof(found: &str) -> String {
    let is_blake3 = found.starts_with("bulla.dev/");
    malformed::kind_of(found, if is_blake3 { FIRST_LINE_BLAKE3 } else { FIRST_LINE_SHA256 })
}
