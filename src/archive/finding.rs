//! What a verification of an archived segment finds.

use std::fmt;

use crate::seq::Seq;

/// One thing that is not as it was written or committed to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArchiveFinding {
    /// The name of the file in its folder.
    pub file: String,
    /// Where in the file.
    pub offset: Option<u64>,
    /// The record, if it is about one.
    pub seq: Option<Seq>,
    /// What was looked at.
    pub what: String,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl ArchiveFinding {
    pub(super) fn new(
        file: &str,
        what: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        ArchiveFinding {
            file: file.to_owned(),
            offset: None,
            seq: None,
            what: what.into(),
            expected: expected.into(),
            found: found.into(),
        }
    }
}

impl fmt::Display for ArchiveFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file)?;
        if let Some(offset) = self.offset {
            write!(f, "offset {offset}, ")?;
        }
        if let Some(seq) = self.seq {
            write!(f, "record {seq}, ")?;
        }
        write!(f, "{}: expected {}, found {}", self.what, self.expected, self.found)
    }
}
