//! The answer to a query with what shows that nothing was left out.
//!
//! ```text
//! bulla.dev/answer/v1
//! BASE64                          the evidence (see `evidence`)
//!                                 an empty line
//! bulla.dev/bundle/v1             a bundle, verbatim, to the end of the file: every record
//! …                               that was disclosed, under one checkpoint
//! ```
//!
//! # What it shows, and why
//!
//! Whoever makes an answer cannot change the signed head, and chooses all else. These hold
//! for him:
//!
//! 1. *Every Seq of the range is in one segment that is shown.* The head ends in an anchor,
//!    the anchor names the state root, and the entries of the segments lead to it; they have
//!    the keys of segments and tile the range without a gap. So no segment can be hidden, and
//!    none be shown that the log did not record when it sealed it.
//! 2. *Every record of a segment that may match is among the candidates.* The index root in
//!    the entry is the hash of the log, the segment, and the number and root of its terms.
//!    The terms ascend by key, so those that one alternative means stand side by side; the
//!    leaves shown have consecutive places from the one before them to the one behind them,
//!    so none is missing, and if there are none, that is shown. The leaf of a term names the
//!    number and root of its positions, whose number says which chunks are whole. The chunks
//!    shown are consecutive, and the borders of those left out show that nothing in the range
//!    stands in them. The same for the times, where several events may have one time.
//!    A clause or an axis that is not shown makes for more candidates, never for fewer; a
//!    segment of which nothing is shown has all its records as candidates, unless its
//!    smallest and largest times, which are part of its entry, let none match.
//! 3. *Every candidate is looked at.* The records of the bundle are the candidates, neither
//!    more nor fewer, each at its Seq under the head; whether one matches is decided from its
//!    envelope, by the code that answers queries.
//! 4. *The times do not contradict each other.* Within a segment `recorded_at` does not
//!    decrease; every time that is shown lies within those of the segment's entry; and a record
//!    has the times that the index shows for its position.
//! 5. *What is shown of an index does not contradict the records.* A record that is disclosed
//!    because lists of terms have it has these terms; the list of the anchors has anchors, and
//!    together with the events they are all records.
//!
//! So the verdict is relative to the index roots and the times in the segments' entries: the
//! log signed them, and that they are those of the records is what an auditor checks who has
//! the log, and says in an [`IndexAudit`](crate::proof::IndexAudit). It speaks about the range
//! of Seqs and of nothing behind it; a segment that is no longer live is named, and nothing is
//! said of its records. It answers the question that stands in the file: whoever asked another
//! one compares ([`VerifiedAnswer::answers`]).

mod agreement;
mod chunks;
mod error;
mod evidence;
mod judge;
pub(super) mod judged;
mod segment;
#[cfg(test)]
mod tests;
mod times;
mod verdict;

use super::bundle::Bundle;
use super::malformed::{self, MalformedProof};
use crate::checkpoint::line;
use crate::trust::Trust;

pub use error::VerifyAnswerError;
pub use evidence::{
    Evidence, IndexEvidence, SegmentEvidence, ShownList, TermEvidence, TimeEvidence,
};
pub use judged::{NotLive, RestsOn};
#[cfg(feature = "engine")]
pub(crate) use segment::AskedTerms;
pub use verdict::VerifiedAnswer;

/// The longest answer that is read, in bytes: 64 MiB.
pub const ANSWER_LEN_MAX: usize = 64 << 20;

/// The records that match a query, with what shows that they are all: **nothing of it is
/// checked** until [`Answer::verify`] says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The question, and what shows that nothing was left out.
    pub evidence: Evidence,
    /// The candidates: records that match, and those that might have.
    pub bundle: Bundle,
}

impl Answer {
    /// The first line of the text.
    pub const FIRST_LINE: &str = "bulla.dev/answer/v1";
    /// The ending of files with it, without the dot.
    pub const FILE_EXTENSION: &str = "bulla-answer";

    /// The text, to be kept in a file.
    pub fn to_text(&self) -> String {
        let evidence = line::to_base64(self.evidence.to_bytes());
        format!("{}\n{evidence}\n\n{}", Self::FIRST_LINE, self.bundle.to_text())
    }

    /// Reads the text, strictly: what is read is written again byte for byte.
    ///
    /// # Errors
    /// Says what is not as it must be.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedProof> {
        let text = malformed::text(bytes, "an answer", ANSWER_LEN_MAX)?;
        let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
        malformed::check_first_line(Some(first), Self::FIRST_LINE)?;
        let expected = "the base64 of evidence, then an empty line and a bundle";
        let wrong = MalformedProof::Line { number: 2, expected };
        let (evidence, bundle) = rest.split_once("\n\n").ok_or_else(|| wrong.clone())?;
        let evidence = Evidence::parse(&line::base64(evidence).ok_or(wrong)?)?;
        Ok(Answer { evidence, bundle: Bundle::parse(bundle.as_bytes())? })
    }

    /// Checks that the log signed the checkpoint, that each record is under it, and that
    /// these are all records in the range that match: see the module.
    ///
    /// # Errors
    /// Says what does not hold.
    pub fn verify(&self, trust: &Trust) -> Result<VerifiedAnswer, VerifyAnswerError> {
        let bundle = self.bundle.verify(trust).map_err(VerifyAnswerError::Bundle)?;
        let (algorithm, head) = (bundle.checkpoint().algorithm(), bundle.checkpoint().head());
        let records: Vec<_> = bundle.records().collect();
        let judged = judge::judge(&self.evidence, algorithm, &head, &records, bundle.log_id())?;
        Ok(VerifiedAnswer::new(self.evidence.query.clone(), judged, bundle))
    }

    /// The same under a head that the caller vouches for.
    #[cfg(feature = "engine")]
    pub(crate) fn check(
        &self,
        algorithm: crate::hash::HashAlgorithm,
        head: &crate::merkle::TreeHead,
    ) -> Result<(), VerifyAnswerError> {
        let opened = self.bundle.open(algorithm, head).map_err(VerifyAnswerError::Bundle)?;
        let records: Vec<_> = opened.0.iter().collect();
        judge::judge(&self.evidence, algorithm, head, &records, opened.1).map(|_| ())
    }
}
