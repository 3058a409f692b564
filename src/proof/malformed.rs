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
    #[error("expected the first line {expected}, found {found:?}: {}", kind_of(.found, .expected))]
    FirstLine {
        /// What it must be.
        expected: &'static str,
        /// What it is (its beginning).
        found: String,
    },
    /// A line is not as it must be, or is missing.
    #[error("expected line {number} to be {expected}, found another")]
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
    #[error("expected at most {max} {what}, found more")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        max: usize,
    },
    /// No empty line with a checkpoint behind it.
    #[error("expected an empty line and a checkpoint, found none: the file is cut short")]
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

/// The beginning of a line, for a message.
pub(super) fn beginning(line: &str) -> String {
    line.chars().take(80).collect()
}

/// Checks the first line of a proof, which names its kind and version.
pub(super) fn check_first_line(
    found: Option<&str>,
    expected: &'static str,
) -> Result<(), MalformedProof> {
    let found = found.unwrap_or_default();
    if found == expected {
        return Ok(());
    }
    Err(MalformedProof::FirstLine { expected, found: beginning(found) })
}

/// Whether a file with this first line is a newer one of the expected kind, and what to do.
pub(super) fn kind_of(found: &str, expected: &str) -> String {
    let version = |line: &str| -> Option<(usize, u32)> {
        let at = line.rfind('v')?;
        Some((at, line.get(at + 1..)?.parse().ok()?))
    };
    match (version(found), version(expected)) {
        (Some((at, found_version)), Some((end, newest)))
            if found.get(..at) == expected.get(..end) && found_version > newest =>
        {
            format!("a newer version, newest known here is {newest}: upgrade bulla")
        }
        _ => "this is another file".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_line_of_a_newer_version_is_told_from_that_of_another_file() {
        let said = |found| check_first_line(Some(found), "bulla.dev/answer/v1").unwrap_err();
        let newer = "expected the first line bulla.dev/answer/v1, found \"bulla.dev/answer/v2\": a \
                     newer version, newest known here is 1: upgrade bulla";
        assert_eq!(said("bulla.dev/answer/v2").to_string(), newer);
        for other in ["bulla.dev/bundle/v2", "bulla.dev/answer/v0", "v2", "", "bulla.dev/answer/v"]
        {
            assert!(said(other).to_string().ends_with(": this is another file"), "{other}");
        }
        assert_eq!(check_first_line(Some("a/v1"), "a/v1"), Ok(()));
    }
}
