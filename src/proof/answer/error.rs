//! [`VerifyAnswerError`]: why an answer does not show what it must.

use std::fmt;

use crate::merkle::ProofError;
use crate::proof::{VerifyBundleError, VerifyProofError};
use crate::seq::Seq;

/// Why an answer is not shown to be complete.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum VerifyAnswerError {
    /// The records, or the checkpoint they stand under.
    Bundle(VerifyBundleError),
    /// What is said of the segments in force.
    Statement(VerifyProofError),
    /// Hashes do not lead to a root of an index.
    Index {
        /// From what.
        what: &'static str,
        /// Why not.
        error: ProofError,
    },
    /// Something is another thing than it must be.
    Other {
        /// What.
        what: &'static str,
        /// What it must be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// What is shown of one segment.
    InSegment {
        /// The segment's first record.
        first: Seq,
        /// What is wrong with it.
        error: Box<VerifyAnswerError>,
    },
}

impl VerifyAnswerError {
    pub(super) fn other(
        what: &'static str,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        let (expected, found) = (expected.to_string(), found.to_string());
        VerifyAnswerError::Other { what, expected, found }
    }

    pub(super) fn index(what: &'static str) -> impl FnOnce(ProofError) -> Self {
        move |error| VerifyAnswerError::Index { what, error }
    }

    pub(super) fn in_segment(self, first: u64) -> Self {
        VerifyAnswerError::InSegment { first: Seq::new(first), error: Box::new(self) }
    }
}

impl fmt::Display for VerifyAnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            VerifyAnswerError::Bundle(error) => error.fmt(f),
            VerifyAnswerError::Statement(error) => write!(f, "the segments in force: {error}"),
            VerifyAnswerError::Index { what, error } => write!(f, "{what}: {error}"),
            VerifyAnswerError::Other { what, expected, found } => {
                write!(f, "{what}: expected {expected}, found {found}")
            }
            VerifyAnswerError::InSegment { first, error } => {
                write!(f, "the segment from record {first} on: {error}")
            }
        }
    }
}

impl std::error::Error for VerifyAnswerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            VerifyAnswerError::Bundle(error) => Some(error),
            VerifyAnswerError::Statement(error) => Some(error),
            VerifyAnswerError::Index { error, .. } => Some(error),
            VerifyAnswerError::InSegment { error, .. } => Some(error),
            VerifyAnswerError::Other { .. } => None,
        }
    }
}
