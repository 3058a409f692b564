//! [`Explain`]: what a search did.

use std::fmt;

use crate::seq::counted;

/// What a search looked at, and how. The numbers grow while an answer is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explain {
    /// Segments that the snapshot has.
    pub segments: u64,
    /// Segments whose records have expired: nothing is said of them.
    pub expired: u64,
    /// Ranges of records of which a log whose catalog is damaged cannot tell whether they have
    /// expired or were lost: nothing is said of them.
    pub unknown: u64,
    /// Segments whose times show that nothing in them matches.
    pub skipped_by_time: u64,
    /// Segments whose index shows that nothing in them matches.
    pub skipped_by_index: u64,
    /// Segments whose index gave positions.
    pub indexed: u64,
    /// Segments, or ends of them, whose records were all read because there is no index.
    pub scanned: u64,
    /// Positions that were read of posting lists.
    pub postings: u64,
    /// Records that were read and checked.
    pub records: u64,
    /// Records that matched.
    pub matched: u64,
}

impl fmt::Display for Explain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} skipped by time, {} by index, {} searched by index, {} scanned; {} and {} read, \
             {} matched",
            counted(self.segments, "segment"),
            self.skipped_by_time,
            self.skipped_by_index,
            self.indexed,
            self.scanned,
            counted(self.postings, "posting"),
            counted(self.records, "record"),
            self.matched
        )?;
        if self.expired > 0 {
            write!(f, "; the records of {} have expired", counted(self.expired, "segment"))?;
        }
        match self.unknown {
            0 => Ok(()),
            unknown => write!(
                f,
                "; records are missing in {}, and the catalog, which is damaged, would tell why",
                counted(unknown, "place")
            ),
        }
    }
}
