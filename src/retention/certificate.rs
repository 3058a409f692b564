//! [`DropCertificate`]: what a log says of records that it no longer has.

use std::fmt;

#[cfg(feature = "engine")]
use crate::format::catalog_body::{ArchivedAt, DropStarted};
use crate::hash::Hash;
use crate::merkle::{Frontier, TreeHead, range_nodes};
use crate::seq::Seq;
#[cfg(feature = "engine")]
use crate::seq::TreeSize;
use crate::time::Timestamp;

/// What a log says of a segment that it dropped. It is a record of the catalog, durable
/// before anything was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DropCertificate {
    /// Where it stands in the catalog.
    pub catalog_seq: Seq,
    /// When it was written, by the log's clock.
    pub recorded_at: Timestamp,
    /// The segment.
    pub ordinal: u64,
    /// The tree before its first record.
    pub start: TreeHead,
    /// The tree with its last record.
    pub end: TreeHead,
    /// Roots of the largest complete subtrees that its leaves make up, from the left: what
    /// proofs of other records need of it.
    pub range: Vec<Hash>,
    /// Size of its file in bytes.
    pub bytes: u64,
    /// Smallest and largest `recorded_at`.
    pub recorded: (Timestamp, Timestamp),
    /// Smallest and largest `occurred_at`.
    pub occurred: (Timestamp, Timestamp),
    /// Root of its logical index.
    pub index_root: Hash,
    /// It was not to be dropped before.
    pub keep_until: Timestamp,
    /// The catalog record that set the policy.
    pub policy: Seq,
    /// The time that this was compared with, and whether a witness gave it.
    pub now: (Timestamp, NowFrom),
    /// Holds that were in force; none of them matched.
    pub holds: u64,
    /// Records that were compared with them.
    pub scanned: u64,
    /// Where its copy is: location, and digest of the folder's manifest.
    pub archived: Option<(String, Hash)>,
    /// Who asked; `None`: not said, or erased.
    pub who: Option<String>,
    /// Why.
    pub why: Option<String>,
}

/// Where the time of an expiry came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NowFrom {
    /// The log's clock.
    Clock,
    /// The newest cosignature on a published checkpoint, because it was earlier.
    Cosignature,
}

#[cfg(feature = "engine")]
impl NowFrom {
    pub(crate) fn code(self) -> u8 {
        match self {
            NowFrom::Clock => 0,
            NowFrom::Cosignature => 1,
        }
    }

    fn from_code(code: u8) -> Self {
        if code == 1 { NowFrom::Cosignature } else { NowFrom::Clock }
    }
}

impl DropCertificate {
    /// Reads it from a record of the catalog.
    #[cfg(feature = "engine")]
    pub(crate) fn of(
        body: &DropStarted<'_>,
        at: (Seq, Timestamp),
        asked: (Option<&str>, Option<&str>),
    ) -> Self {
        let time = Timestamp::from_nanos;
        let [recorded_min, recorded_max, occurred_min, occurred_max] = body.times.map(time);
        let head =
            |size, root| TreeHead { size: TreeSize::new(size), root: Hash::from_bytes(root) };
        let archived = body.archived.as_ref();
        let archived = archived.map(|ArchivedAt { location, digest }| {
            ((*location).to_owned(), Hash::from_bytes(*digest))
        });
        DropCertificate {
            catalog_seq: at.0,
            recorded_at: at.1,
            ordinal: body.ordinal,
            start: head(body.first, body.start_root),
            end: head(body.first.saturating_add(body.count), body.end_root),
            range: body.range.iter().copied().map(Hash::from_bytes).collect(),
            bytes: body.bytes,
            recorded: (recorded_min, recorded_max),
            occurred: (occurred_min, occurred_max),
            index_root: Hash::from_bytes(body.index_root),
            keep_until: time(body.keep_until),
            policy: Seq::new(body.policy),
            now: (time(body.now), NowFrom::from_code(body.now_from)),
            holds: body.holds,
            scanned: body.scanned,
            archived,
            who: asked.0.map(str::to_owned),
            why: asked.1.map(str::to_owned),
        }
    }

    /// Records that went.
    pub fn count(&self) -> u64 {
        self.end.size.get().saturating_sub(self.start.size.get())
    }

    /// Puts the dropped leaves on the tree before them: the tree after them, if the
    /// certificate's hashes lead from the one head to the other.
    ///
    /// # Errors
    /// What does not fit.
    pub fn extend(&self, before: &Frontier) -> Result<Frontier, GapError> {
        let fits = |what, expected: TreeHead, found: TreeHead| match expected == found {
            true => Ok(()),
            false => Err(GapError { what, expected, found }),
        };
        fits("the tree before it", self.start, before.head())?;
        let mut frontier = before.clone();
        let nodes = range_nodes(self.start.size.get(), self.end.size.get());
        for (node, hash) in nodes.iter().zip(&self.range) {
            if !frontier.push_subtree(node.level, *hash, |_, _| ()) {
                break; // the sizes differ below
            }
        }
        fits("the tree with it", self.end, frontier.head())?;
        match nodes.len() == self.range.len() {
            true => Ok(frontier),
            false => Err(GapError { what: "its hashes", expected: self.end, found: self.start }),
        }
    }
}

impl fmt::Display for DropCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, end) = (self.start.size.get(), self.end.size.get());
        write!(
            f,
            "segment {} with records {first} to {} was dropped on {}",
            self.ordinal,
            end.saturating_sub(1),
            self.recorded_at
        )?;
        if let Some((location, _)) = &self.archived {
            write!(f, "; a copy is in {location}")?;
        }
        Ok(())
    }
}

/// A certificate whose hashes do not lead from the tree before to the tree after.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{what}: expected {} with root {}, found {} with root {}",
    .expected.size.in_words(), .expected.root, .found.size, .found.root
)]
pub struct GapError {
    /// What does not fit.
    pub what: &'static str,
    /// What the certificate says.
    pub expected: TreeHead,
    /// What was computed.
    pub found: TreeHead,
}
