//! [`Snapshot`]: everything that can be read of a log, as it was at one moment.
//!
//! Reading and searching are here, proving in `prove`, what the catalog says in
//! `catalog_view`.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::directory::certificates;
use crate::error::{Error, Result};
use crate::event::Record;
use crate::merkle::{Frontier, TreeHead};
use crate::query::Query;
use crate::read::records::{Records, SegmentSnapshot};
use crate::read::search::{Bucket, CancelToken, Explain, Extent, Group, GroupBy, Matches};
use crate::read::segment_set::SegmentSet;
use crate::read::shared::Shared;
use crate::seq::{Seq, TreeSize};
use crate::tree::TreeStore;
use crate::tree::mark::RecoveryPointFile;

/// The log as it was at one moment: everything that is read or proved of a log, is read or proved of
/// one of these. Cheap to take; later appends do not show in it.
///
/// [`Log::snapshot`](crate::Log::snapshot) gives one of an open log,
/// [`LogReader::snapshot`](crate::LogReader::snapshot) one of a log that another process writes.
/// Queries and proofs of it are of the same records, however many are appended meanwhile. What the
/// [catalog](Snapshot::catalog) says, and [`segments`](Snapshot::segments) and
/// [`stats`](Snapshot::stats), are as of the call.
///
/// ```
/// use bulla::{Actor, Event, Log, Query, Resource};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// let log = Log::create(dir.path().join("audit"))?;
/// log.append(&Event::new(Actor::new("user", "alice"), "login", Resource::new("app", "web")))?;
/// let snapshot = log.snapshot();
/// log.append(&Event::new(Actor::new("user", "alice"), "logout", Resource::new("app", "web")))?;
/// assert_eq!(snapshot.count(&Query::new().actor("alice"))?, 1);
/// assert_eq!(log.snapshot().count(&Query::new().actor("alice"))?, 2);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Snapshot {
    segments: SegmentSnapshot,
    shared: Arc<Shared>,
    /// Of an open log from the beginning; of a reader computed when the first proof needs it.
    tree: OnceLock<Arc<TreeStore>>,
}

impl Snapshot {
    pub(crate) fn of_log(
        view: &Arc<SegmentSet>,
        shared: &Arc<Shared>,
        tree: &Arc<TreeStore>,
    ) -> Self {
        let tree = OnceLock::from(Arc::clone(tree));
        Snapshot { segments: view.snapshot(), shared: Arc::clone(shared), tree }
    }

    pub(crate) fn of_reader(view: &Arc<SegmentSet>, shared: &Arc<Shared>) -> Self {
        let tree = OnceLock::new();
        Snapshot { segments: view.snapshot(), shared: Arc::clone(shared), tree }
    }

    /// Records in it.
    pub fn size(&self) -> TreeSize {
        self.segments.size()
    }

    /// Its tree head: size and root.
    ///
    /// # Errors
    /// I/O, damaged hash files.
    pub fn head(&self) -> Result<TreeHead> {
        Ok(TreeHead { size: self.size(), root: self.tree()?.root_at(self.size())? })
    }

    /// The record with this Seq.
    ///
    /// # Errors
    /// `NotWritten` beyond the end; `Expired` if it was dropped; `Corrupt` if it is damaged; I/O.
    pub fn get(&self, seq: Seq) -> Result<Record> {
        self.segments.get(seq)
    }

    /// All records from this one on, oldest first.
    pub fn records_from(&self, seq: Seq) -> Records {
        self.segments.records_from(seq)
    }

    /// The records that a query asks for.
    ///
    /// # Errors
    /// A cursor that belongs to another query.
    pub fn query(&self, query: &Query) -> Result<Matches> {
        self.segments.query(query)
    }

    /// How many records match. Order, limit and cursor are not looked at.
    ///
    /// # Errors
    /// Damage, I/O, [`Cancelled`](crate::Error::Cancelled).
    pub fn count(&self, query: &Query) -> Result<u64> {
        self.segments.count(query)
    }

    /// How many records match, by the values of a field; the most frequent first, then by
    /// name. Order, limit and cursor are not looked at.
    ///
    /// # Errors
    /// As [`Snapshot::count`].
    pub fn count_by(&self, query: &Query, by: GroupBy) -> Result<Vec<Group>> {
        self.segments.count_by(query, by)
    }

    /// How many records that match occurred in each step of this width; steps without records
    /// are left out. Order, limit and cursor are not looked at.
    ///
    /// # Errors
    /// As [`Snapshot::count`]; a width of 0 or above 292 years, or more than a million steps.
    pub fn histogram(&self, query: &Query, width: Duration) -> Result<Vec<Bucket>> {
        self.segments.histogram(query, width)
    }

    /// The first and the last record that match, by Seq; `None` if none does. Order, limit
    /// and cursor are not looked at.
    ///
    /// # Errors
    /// As [`Snapshot::count`].
    pub fn extent(&self, query: &Query) -> Result<Option<Extent>> {
        self.segments.extent(query)
    }

    /// What [`Snapshot::count`] would do to find the number.
    ///
    /// # Errors
    /// As [`Snapshot::count`].
    pub fn explain_count(&self, query: &Query) -> Result<Explain> {
        self.segments.explain_count(query)
    }

    /// The same snapshot, whose searches end when the token is cancelled.
    #[must_use]
    pub fn cancelled_by(self, token: &CancelToken) -> Self {
        Snapshot { segments: self.segments.cancelled_by(token), ..self }
    }

    pub(crate) fn records(&self) -> &SegmentSnapshot {
        &self.segments
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Its tree. That of a reader is computed here, from the newest recovery point on.
    pub(crate) fn tree(&self) -> Result<&Arc<TreeStore>> {
        if let Some(tree) = self.tree.get() {
            return Ok(tree);
        }
        let tree = Arc::new(self.compute_tree()?);
        // Another thread may have been quicker: then its tree is taken, which is the same.
        Ok(self.tree.get_or_init(|| tree))
    }

    fn compute_tree(&self) -> Result<TreeStore> {
        match self.marked_tree().map(|tree| self.extended(tree)) {
            Some(Ok(tree)) => Ok(tree),
            // Hash files are derived: all hashes are computed again, in memory.
            _ => self.extended(self.open_tree(Frontier::new(self.shared.algorithm))?),
        }
    }

    /// Puts the records that a tree lacks on it, and what was dropped among them.
    fn extended(&self, tree: TreeStore) -> Result<TreeStore> {
        while tree.size() < self.size() {
            let seq = tree.size().next_seq();
            let leaf = |_, record: crate::format::record::CheckedRecord<'_>| {
                record.leaf(self.shared.algorithm)
            };
            match self.segments.with_record(seq, leaf) {
                Ok(leaf) => tree.extend(&[leaf]),
                Err(Error::Expired { certificate, .. }) => {
                    tree.cross(&certificate)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(tree)
    }

    /// The tree as of the newest mark, if there is one that fits.
    fn marked_tree(&self) -> Option<TreeStore> {
        let Shared { dir, algorithm, .. } = &*self.shared;
        let frontier = RecoveryPointFile::read(dir.disk(), &dir.tree(), dir.log_id())?.frontier;
        let fits = frontier.size() <= self.size() && frontier.algorithm() == *algorithm;
        self.open_tree(frontier).ok().filter(|_| fits)
    }

    fn open_tree(&self, frontier: Frontier) -> Result<TreeStore> {
        let dir = &self.shared.dir;
        let certificates = certificates::certified(dir);
        let (disk, tree) = (dir.shared_disk(), dir.tree());
        TreeStore::open(disk, &tree, dir.log_id(), frontier, true, Some(certificates))
    }
}
