//! [`MalformedProof`]: bytes that are not one of the proof files of bulla.

use std::fmt;

use crate::checkpoint::{CheckpointError, UnverifiedCheckpoint};

/// The bytes are not a proof file, or not a part of one, in the only spelling it has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MalformedProof {
    /// Longer than what is read.
    #[error("expected {what} of at most {max} bytes, found {found}")]
    TooLong {
        /// What was read.
        what: &'static str,
        /// The limit in bytes.
        max: usize,
        /// The length in bytes.
        found: usize,
    },
    /// Not UTF-8.
    #[error("expected text, found no UTF-8 at byte {offset}")]
    NotUtf8 {
        /// Where, in bytes from the start.
        offset: usize,
    },
    /// The first line is another one.
    #[error("expected the first line {expected}; this is another file, or one of a newer version")]
    FirstLine {
        /// What it must be.
        expected: &'static str,
    },
    /// A line is not as it must be, or is missing.
    #[error("expected line {number} to be {expected}")]
    Line {
        /// Which line of the text, from 1.
        number: usize,
        /// What it must be.
        expected: &'static str,
    },
    /// A binary part is not as it must be.
    #[error("{what}: expected {expected}, found {found}")]
    Bytes {
        /// Of which part.
        what: &'static str,
        /// What must be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A section that this version does not know: it would be wrong to go on without it.
    #[error(
        "the proof has a section of kind {tag}, which this version does not know; check it with a \
         newer one"
    )]
    Newer {
        /// Its tag.
        tag: u8,
    },
    /// More than a file holds.
    #[error("expected at most {max} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        max: usize,
    },
    /// No empty line with a checkpoint behind it.
    #[error("expected an empty line and a checkpoint; the file is cut short")]
    NoCheckpoint,
    /// What stands where a checkpoint should is none.
    #[error("in the checkpoint: {0}")]
    Checkpoint(#[source] CheckpointError),
}

impl MalformedProof {
    pub(super) fn bytes(
        what: &'static str,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        MalformedProof::Bytes { what, expected: expected.to_string(), found: found.to_string() }
    }
}

/// A file as text, unless it is too long to be one.
pub(super) fn text<'t>(
    bytes: &'t [u8],
    what: &'static str,
    max: usize,
) -> Result<&'t str, MalformedProof> {
    if bytes.len() > max {
        return Err(MalformedProof::TooLong { what, max, found: bytes.len() });
    }
    std::str::from_utf8(bytes)
        .map_err(|error| MalformedProof::NotUtf8 { offset: error.valid_up_to() })
}

/// Reads the checkpoint in a proof.
pub(super) fn checkpoint(text: &str) -> Result<UnverifiedCheckpoint, MalformedProof> {
    UnverifiedCheckpoint::parse(text.as_bytes()).map_err(MalformedProof::Checkpoint)
}
