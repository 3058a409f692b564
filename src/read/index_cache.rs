//! The index files of sealed segments that are open, and those that are to be made again.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::directory::LogDir;
use crate::format::LogId;
use crate::hash::Hash;
use crate::index::{CommittedIndex, IndexFile, SegmentIndex};
use crate::ranked::{Mutex, Rank};
use crate::read::entry::SegmentEntry;

/// Index files that are kept open at a time.
const OPEN_INDEXES: usize = 256;

/// The index files of a log.
#[derive(Debug)]
pub(crate) struct Indexes {
    /// Open ones, the most recently used last.
    open: Mutex<Vec<Arc<IndexFile>>>,
    /// Segments without a good one.
    wanted: Mutex<Wanted>,
    /// Segments whose files nobody has opened since the log was.
    unseen: Mutex<Vec<u64>>,
}

#[derive(Debug, Default)]
struct Wanted {
    ordinals: BTreeSet<u64>,
    /// Those whose records do not lead to the root in their seal: not tried again.
    refused: BTreeSet<u64>,
}

impl Default for Indexes {
    fn default() -> Self {
        Indexes {
            open: Mutex::new(Rank::IndexCache, Vec::new()),
            wanted: Mutex::new(Rank::IndexesWanted, Wanted::default()),
            unseen: Mutex::new(Rank::IndexesUnseen, Vec::new()),
        }
    }
}

impl Indexes {
    /// The index of a sealed segment, if there is a good one; else it is wanted.
    pub(crate) fn get(
        &self,
        dir: &LogDir,
        mmap: bool,
        entry: &SegmentEntry,
    ) -> Option<Arc<IndexFile>> {
        if let Some(open) = self.cached(entry.ordinal) {
            return Some(open);
        }
        let path = dir.index(entry.ordinal);
        let opened = match dir.disk().exists(&path) {
            Ok(true) => IndexFile::open(dir.disk(), &path, mmap).ok().flatten(),
            _ => None,
        };
        let Some(opened) = opened.filter(|opened| is_of(opened, dir.log_id(), entry)) else {
            self.want(entry.ordinal);
            return None;
        };
        let opened = Arc::new(opened);
        let mut open = self.open.lock();
        if open.len() >= OPEN_INDEXES {
            open.remove(0);
        }
        open.push(Arc::clone(&opened));
        Some(opened)
    }

    /// Notes that there is a file, which nobody has opened yet.
    pub(crate) fn note_unseen(&self, ordinal: u64) {
        self.unseen.lock().push(ordinal);
    }

    /// Takes up to `most` segments whose files nobody has opened yet; whether there are more.
    pub(crate) fn take_unseen(&self, most: usize) -> (Vec<u64>, bool) {
        let mut unseen = self.unseen.lock();
        let from = unseen.len().saturating_sub(most);
        let some = unseen.split_off(from);
        (some, !unseen.is_empty())
    }

    fn cached(&self, ordinal: u64) -> Option<Arc<IndexFile>> {
        let mut open = self.open.lock();
        let at = open.iter().position(|open| open.ordinal() == ordinal)?;
        let found = open.remove(at);
        open.push(Arc::clone(&found));
        Some(found)
    }

    /// Notes that the index of a segment is missing or of no use, and lets go of it.
    pub(crate) fn want(&self, ordinal: u64) {
        self.open.lock().retain(|open| open.ordinal() != ordinal);
        let mut wanted = self.wanted.lock();
        if !wanted.refused.contains(&ordinal) {
            wanted.ordinals.insert(ordinal);
        }
    }

    /// Lets go of the index of a segment that is gone.
    pub(crate) fn forget(&self, ordinal: u64) {
        self.open.lock().retain(|open| open.ordinal() != ordinal);
        let mut wanted = self.wanted.lock();
        wanted.ordinals.remove(&ordinal);
        wanted.refused.remove(&ordinal);
    }

    pub(crate) fn next_wanted(&self) -> Option<u64> {
        self.wanted.lock().ordinals.pop_first()
    }

    pub(crate) fn refuse(&self, ordinal: u64) {
        self.wanted.lock().refused.insert(ordinal);
    }
}

/// Whether an index says that it is of this segment.
fn is_of(index: &IndexFile, log_id: LogId, entry: &SegmentEntry) -> bool {
    let Some(sealed) = &entry.sealed else { return false };
    let head = index.head();
    let root = Hash::from_bytes(sealed.index_root);
    (index.ordinal(), head.scope.log_id, head.scope.first) == (entry.ordinal, log_id, entry.first)
        && u64::from(index.records()) == sealed.count
        // A segment that was sealed before there were indexes has no root.
        && (root == Hash::ZERO || root == head.root())
        // The times in the seal decide what is not looked at: they must be those of the records.
        && index.fits_times(sealed.times)
}
