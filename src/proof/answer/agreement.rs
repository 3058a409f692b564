//! Whether the records of a segment agree with what is shown of its index.
//!
//! The log signed the root of an index, and the records. Where a file shows both, one that
//! contradicts the other shows that the index is not that of the records: then nothing is proved by
//! it.

use super::error::VerifyAnswerError;
use super::evidence::SegmentEvidence;
use super::times::TimesOf;
use crate::event::{Record, RecordKind};
use crate::format::catalog_body::Sealed;
use crate::query::Subject;
use crate::terms::Clause;

/// What the records of a segment are compared with, one after the other.
pub(super) struct Agreement<'a> {
    pub(super) times: TimesOf<'a>,
    pub(super) terms: ShownTerms<'a>,
}

impl<'a> Agreement<'a> {
    pub(super) fn of(sealed: &'a Sealed, shown: &'a SegmentEvidence) -> Self {
        Agreement { times: TimesOf::of(sealed, shown), terms: ShownTerms::default() }
    }

    /// The next record, by position.
    pub(super) fn check(
        &mut self,
        record: &Record,
        position: u64,
    ) -> Result<(), VerifyAnswerError> {
        self.times.check(record, position)?;
        self.terms.check(record, position)
    }
}

/// Whose lists are shown.
#[derive(Default)]
pub(super) struct ShownTerms<'a> {
    /// A record is disclosed because each of these has it, unless it is an anchor.
    pub(super) clauses: Vec<&'a Clause>,
    /// The anchors in the range, if their list is shown.
    pub(super) anchors: Option<Vec<u32>>,
    /// Whether records are disclosed for a clause or a time at all.
    pub(super) by_list: bool,
}

impl ShownTerms<'_> {
    fn check(&self, record: &Record, position: u64) -> Result<(), VerifyAnswerError> {
        let in_list = |anchors: &Vec<u32>| {
            u32::try_from(position).is_ok_and(|at| anchors.binary_search(&at).is_ok())
        };
        let listed = self.anchors.as_ref().map(in_list);
        let fits = match record.kind {
            RecordKind::Anchor => listed.unwrap_or(!self.by_list),
            _ => {
                let subject = Subject::of_record(record);
                let is_met = |clause: &&Clause| clause.is_met_by(record.kind, &subject);
                !listed.unwrap_or(false) && self.clauses.iter().all(is_met)
            }
        };
        if fits {
            return Ok(());
        }
        let expected = format!("record {} to have the terms whose lists have it", record.seq);
        Err(VerifyAnswerError::other("the lists of the terms", expected, "another record"))
    }
}
