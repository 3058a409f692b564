//! Reads a segment before it is dropped: every record is compared with every hold, and the
//! hashes that proofs will need of it are computed from the records and compared with those
//! that stay.

use std::sync::Arc;

use crate::engine::core::Core;
use crate::error::{Error, Result};
use crate::event::RecordKind;
use crate::format::body;
use crate::format::catalog_body::{Sealed, status};
use crate::format::record::CheckedRecord;
use crate::hash::Hash;
use crate::merkle::{Frontier, NodeId, range_nodes, root_nodes};
use crate::query::Subject;
use crate::read::entry;
use crate::retention::Hold;
use crate::segment::locate::RecordCursor;
use crate::segment::seal::SealedSegment;
use crate::seq::TreeSize;
use crate::tree::{STORED_EVERY, TreeStore};

/// So many hashes of a level are compared at once.
const COMPARED_AT_ONCE: usize = 1_024;

/// What was found in a segment that may go.
#[derive(Clone, Debug)]
pub(crate) struct Scanned {
    /// Records, all of which were compared with the holds.
    pub(crate) records: u64,
    /// Root of the tree before it.
    pub(crate) start_root: Hash,
    /// Roots of the complete subtrees that its leaves make up.
    pub(crate) range: Vec<Hash>,
}

/// Reads a segment whose file is there.
///
/// # Errors
/// `Held` if a hold matches a record; `Corrupt`, `Tampered` if it is not what was sealed, or
/// the hashes that would stay are not its own: nothing may be deleted then.
pub(crate) fn scan(core: &Core, sealed: &Sealed, holds: &[Hold]) -> Result<Scanned> {
    let path = core.shared.dir.segment(sealed.ordinal);
    // By positional reads: what is deleted is not worth a map.
    let opened = match SealedSegment::open(core.shared.dir.disk(), &path, false) {
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::corrupt(&path, 0, "the file of a live segment", "no file"));
        }
        opened => opened?,
    };
    let missing = || Error::corrupt(&path, 0, "the footer of a sealed segment", "none");
    let opened = opened.ok_or_else(missing)?;
    entry::check_sealed(sealed, &opened)?;
    let (first, end) = (TreeSize::new(sealed.first), end_of(sealed));
    let mut hashes = Hashes::new(&core.tree, first)?;
    hashes.may_lack = sealed.status == status::DROPPED;
    let start_root = hashes.frontier.root();
    let from = first.next_seq();
    let mut cursor = RecordCursor::at(Arc::clone(&opened.segment), &opened.waypoints, from, end)?;
    let what = format!("segment {}", sealed.ordinal);
    while let Some((_, record)) = cursor.next_record()? {
        check_holds(&record, holds, &what)?;
        hashes.push(record.leaf(core.shared.algorithm))?;
    }
    hashes.compare()?;
    let (size, root) = (hashes.frontier.size(), hashes.frontier.root());
    if size != end || root.as_bytes() != &sealed.end_root {
        let what = format!("segment {}", sealed.ordinal);
        let expected = format!("{end} records, root {}", Hash::from_bytes(sealed.end_root));
        return Err(Error::tampered(what, expected, format!("{size} records, root {root}")));
    }
    let nodes = range_nodes(first.get(), end.get());
    let range: Result<Vec<Hash>> = nodes.iter().map(|node| core.tree.node(*node)).collect();
    Ok(Scanned { records: sealed.count, start_root, range: range? })
}

fn end_of(sealed: &Sealed) -> TreeSize {
    TreeSize::new(sealed.first.saturating_add(sealed.count))
}

/// That no hold matches a record.
///
/// # Errors
/// `Held` with the cases of those that do, and what is not to go.
pub(crate) fn check_holds(record: &CheckedRecord<'_>, holds: &[Hold], what: &str) -> Result<()> {
    if holds.is_empty() {
        return Ok(());
    }
    let (seq, recorded_at) = (record.head.seq, record.head.recorded_at);
    let damaged = |reason: String| crate::read::decode::damaged(seq, reason);
    let envelope;
    let (kind, subject) = match RecordKind::from_code(record.head.kind) {
        Some(kind @ RecordKind::Event) => {
            let decoded = body::decode_envelope(record.head.schema, record.envelope);
            envelope = decoded.map_err(|error| damaged(error.to_string()))?;
            (kind, envelope.subject())
        }
        Some(kind @ RecordKind::Anchor) => (kind, Subject::of_anchor(recorded_at)),
        None => return Err(damaged(format!("record kind {}", record.head.kind))),
    };
    let pinning = holds.iter().filter(|hold| hold.scope.matches(recorded_at, kind, &subject));
    let mut under_alias = "";
    let pinning = pinning.inspect(|hold| {
        if hold.scope.hidden(&subject) != (false, false) {
            under_alias = ", under an alias: whether it is meant, only the key store can tell";
        }
    });
    let cases: Vec<String> = pinning.map(|hold| hold.case.clone()).collect();
    match cases.is_empty() {
        true => Ok(()),
        false => Err(Error::Held { what: format!("{what} (record {seq}{under_alias})"), cases }),
    }
}

/// Hashes of a segment as they come out of its records, compared with those that stay.
struct Hashes<'a> {
    tree: &'a TreeStore,
    frontier: Frontier,
    /// Complete subtrees of the stored levels, not yet compared.
    waiting: Vec<(NodeId, Hash)>,
    /// Whether those that stay may have been lost: of what was dropped before.
    may_lack: bool,
}

impl<'a> Hashes<'a> {
    fn new(tree: &'a TreeStore, first: TreeSize) -> Result<Self> {
        let peaks: Result<Vec<Hash>> =
            root_nodes(first).iter().map(|node| tree.node(*node)).collect();
        let frontier = Frontier::from_parts(tree.algorithm(), first, &peaks?);
        let frontier = frontier.map_err(crate::tree::proof_error)?;
        Ok(Hashes { tree, frontier, waiting: Vec::new(), may_lack: false })
    }

    fn push(&mut self, leaf: Hash) -> Result<()> {
        let waiting = &mut self.waiting;
        self.frontier.push(leaf, |node, hash| {
            if node.level.is_multiple_of(STORED_EVERY) {
                waiting.push((node, hash));
            }
        });
        match self.waiting.len() >= COMPARED_AT_ONCE {
            true => self.compare(),
            false => Ok(()),
        }
    }

    /// Compares what waits, level by level in runs.
    fn compare(&mut self) -> Result<()> {
        self.waiting.sort_unstable_by_key(|(node, _)| *node);
        for run in self
            .waiting
            .chunk_by(|a, b| a.0.level == b.0.level && a.0.index.checked_add(1) == Some(b.0.index))
        {
            let Some((first, _)) = run.first() else { continue };
            let count = u16::try_from(run.len()).unwrap_or(u16::MAX);
            let stored = self.tree.run_as_stored(*first, count)?;
            let lacks = |stored: &Hash| self.may_lack && *stored == Hash::ZERO;
            let differing = run
                .iter()
                .zip(&stored)
                .find(|((_, hash), stored)| hash != *stored && !lacks(stored));
            if let Some(((node, hash), stored)) = differing {
                return Err(self.tree.contradiction(*node, *stored, *hash));
            }
        }
        self.waiting.clear();
        Ok(())
    }
}
