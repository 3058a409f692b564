//! What a verification tells.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::merkle::TreeHead;
use crate::retention::DropCertificate;
use crate::seq::Seq;

/// How far a verification has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Bytes of segments read.
    pub bytes_done: u64,
    /// Bytes of segments there are.
    pub bytes_total: u64,
}

/// One thing that is not as it was written or committed to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The file.
    pub file: PathBuf,
    /// The segment, if it is in one.
    pub segment: Option<u64>,
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

/// Segment, offset and record of a finding, as far as they are known.
pub(super) type Place = (Option<u64>, Option<u64>, Option<Seq>);

/// Of a finding that is about a whole file.
pub(super) const NOWHERE: Place = (None, None, None);

impl Finding {
    pub(super) fn at(
        file: &Path,
        place: Place,
        what: &str,
        expected: String,
        found: String,
    ) -> Self {
        let (segment, offset, seq) = place;
        let (file, what) = (file.to_owned(), what.to_owned());
        Finding { file, segment, offset, seq, what, expected, found }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file.display())?;
        if let Some(segment) = self.segment {
            write!(f, "segment {segment}, ")?;
        }
        if let Some(offset) = self.offset {
            write!(f, "offset {offset}, ")?;
        }
        if let Some(seq) = self.seq {
            write!(f, "record {seq}, ")?;
        }
        write!(f, "{}: expected {}, found {}", self.what, self.expected, self.found)
    }
}

/// What a verification found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// Everything that is not as it should be; empty: the log is as it was written.
    pub findings: Vec<Finding>,
    /// What is odd and costs nothing: what a crash may have left as well, damage of derived
    /// files that the next opening makes anew, and files that are none of the log's.
    pub warnings: Vec<Finding>,
    /// Segments read.
    pub segments: u64,
    /// Records that were hashed again.
    pub records: u64,
    /// Bytes of segments read.
    pub bytes: u64,
    /// The tree head that the records lead to; of damaged ones the stored hash counts.
    pub head: TreeHead,
    /// Checkpoints that were compared with it, published and given ones.
    pub checkpoints: u64,
    /// Those of them that were given in the options.
    pub given: u64,
    /// Those of them whose signature by a given key was checked and is right.
    pub signatures: u64,
    /// Anchors that were compared with the catalog.
    pub anchors: u64,
    /// What was not read again, because only what came later was asked for.
    pub not_read: Option<NotRead>,
    /// Segments that were dropped, and whether their certificates explain it.
    pub gaps: Vec<Gap>,
}

/// What an incremental verification believes without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotRead {
    /// Whole segments, from the first one on.
    pub segments: u64,
    /// Records in them.
    pub records: u64,
}

impl Report {
    /// Whether nothing was found. Warnings do not count.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
}

/// An error as a finding.
pub(super) fn finding_of(dir: &Path, error: Error) -> Finding {
    let (file, offset, what, expected, found) = match error {
        Error::Corrupt { path, offset, expected, found } => {
            (path, Some(offset), "damage".to_owned(), expected, found)
        }
        Error::Tampered { what, expected, found } => (dir.to_owned(), None, what, expected, found),
        other => {
            (dir.to_owned(), None, "log".to_owned(), "to be readable".into(), other.to_string())
        }
    };
    Finding { file, segment: None, offset, seq: None, what, expected, found }
}

/// A range of records that the log no longer has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// The segment.
    pub ordinal: u64,
    /// Its first record.
    pub first: Seq,
    /// Records in it.
    pub count: u64,
    /// What is known of it.
    pub verdict: GapVerdict,
    /// What the log says of it; `None` if it says nothing.
    pub certificate: Option<DropCertificate>,
    /// Whether a checkpoint that was compared covers the certificate. Until one does, whoever can
    /// write the log's files could have made it.
    pub signed: bool,
}

/// What is known of records that are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GapVerdict {
    /// The certificate's hashes lead from the tree before the gap to the tree after it, and
    /// the stored hashes of the dropped records fold to them, as far as they are known.
    Checked,
    /// There is a certificate, and nothing to compare it with.
    Asserted,
    /// There is none that fits: somebody removed the records. Also a finding.
    Unexplained,
}

impl fmt::Display for GapVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            GapVerdict::Checked => "checked",
            GapVerdict::Asserted => "asserted",
            GapVerdict::Unexplained => "unexplained",
        })
    }
}
