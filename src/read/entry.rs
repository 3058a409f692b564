//! One segment of a log, as readers know it.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::format::catalog_body::{Sealed, status};
use crate::index::SegmentIndex;
use crate::read::search::open_index::OpenIndex;
use crate::segment::bytes::SegmentFile;
use crate::segment::locate::Waypoints;
use crate::segment::seal::SealedSegment;
use crate::seq::TreeSize;

/// One segment of the log, as a reader knows it.
#[derive(Clone, Debug)]
pub(crate) struct SegmentEntry {
    pub(crate) ordinal: u64,
    pub(crate) first: TreeSize,
    /// While it is not sealed.
    pub(crate) open: Option<OpenSegment>,
    /// What the catalog says of it, once it is sealed.
    pub(crate) sealed: Option<Sealed>,
}

impl SegmentEntry {
    /// Whether its records went by the policy.
    pub(crate) fn is_gone(&self) -> bool {
        self.sealed.as_ref().is_some_and(|sealed| !status::is_readable(sealed.status))
    }

    /// Whether a drop of it was begun and is not done: its file may still be there.
    pub(crate) fn is_dropping(&self) -> bool {
        self.sealed.as_ref().is_some_and(|sealed| status::is_dropping(sealed.status))
    }

    /// Whether no segment is known for its records; see [`unknown`].
    pub(crate) fn is_unknown(&self) -> bool {
        self.open.is_none() && self.sealed.is_none()
    }

    /// Whether it is sealed, and its file should be there.
    pub(crate) fn is_sealed_and_there(&self) -> bool {
        self.sealed.is_some() && !self.is_gone()
    }
}

/// A segment that is being written: open for positional reads.
#[derive(Clone, Debug)]
pub(crate) struct OpenSegment {
    pub(crate) segment: Arc<SegmentFile>,
    pub(crate) waypoints: Arc<Waypoints>,
    pub(crate) index: Arc<OpenIndex>,
}

impl OpenSegment {
    /// With an index that has nothing yet.
    pub(crate) fn new(segment: Arc<SegmentFile>, waypoints: Arc<Waypoints>) -> Self {
        OpenSegment { segment, waypoints, index: Arc::default() }
    }

    /// How many records are in the index. Takes in those below `end` first, if that pays.
    pub(crate) fn taken_in(&self, end: u64) -> u64 {
        let records = || u64::from(self.index.read().records());
        let left = end.saturating_sub(self.segment.header.first.get()).saturating_sub(records());
        if left > 0 && self.index.pays(left) {
            // What is damaged is found by whoever reads it.
            let _ = self.take_in(TreeSize::new(end));
        }
        records()
    }

    /// Takes the records below a size, which are published, into the index.
    ///
    /// # Errors
    /// As [`OpenIndex::take_in`].
    pub(crate) fn take_in(&self, size: TreeSize) -> Result<()> {
        self.index.take_in(&self.segment, &self.waypoints, size)
    }
}

/// A file must be the segment that was sealed.
pub(crate) fn check_sealed(sealed: &Sealed, opened: &SealedSegment) -> Result<()> {
    let (header, footer) = (&opened.segment.header, &opened.footer);
    if header.digest().as_bytes() == &sealed.header
        && footer.end_root.as_bytes() == &sealed.end_root
        && footer.count == sealed.count
    {
        return Ok(());
    }
    let what = format!("segment {}", sealed.ordinal);
    let found = format!("{} records, root {}", footer.count, footer.end_root);
    let expected = format!(
        "{} records, root {}, as the catalog recorded when it was sealed",
        sealed.count,
        crate::hash::Hash::from_bytes(sealed.end_root)
    );
    Err(Error::tampered(what, expected, found))
}
