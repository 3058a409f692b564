//! [`VerifyAnswerError`]: why an answer does not show what it must.

use std::fmt;

use crate::merkle::ProofError;
use crate::proof::bundle::VerifyBundleError;
use crate::proof::verify_error::VerifyProofError;
use crate::seq::Seq;

/// Why an answer is not shown to be complete.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyAnswerError {
    /// The records, or the checkpoint they stand under.
    #[error("{0}")]
    Bundle(#[source] VerifyBundleError),
    /// What is said of the segments in force.
    #[error("the segments in force: {0}")]
    Statement(#[source] VerifyProofError),
    /// Hashes do not lead to a root of an index.
    #[error("{what}: {error}")]
    Index {
        /// From what.
        what: &'static str,
        /// Why not.
        #[source]
        error: ProofError,
    },
    /// Something is another thing than it must be.
    #[error("{what}: expected {expected}, found {found}")]
    Other {
        /// What.
        what: &'static str,
        /// What it must be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// What is shown of one segment.
    #[error("the segment from record {first} on: {error}")]
    InSegment {
        /// The segment's first record.
        first: Seq,
        /// What is wrong with it.
        #[source]
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
