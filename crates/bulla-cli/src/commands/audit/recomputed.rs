//! The indexes of an exported log, made anew from its entries.
//!
//! Entries are read a bundle at a time; in memory is the frontier of the tree, and the terms
//! of one segment.

use std::path::Path;

use anyhow::Result;
use bulla::event::RecordKind;
use bulla::internals::format::{LogId, body, record};
use bulla::internals::terms::{Collected, Scope};
use bulla::merkle::Frontier;
use bulla::proof::AuditedSegment;
use bulla::query::Subject;
use bulla::tiles::{BundleId, ENTRY_LEN_MAX, EntryBundle, TileHashes, WIDTH, new_bundles};
use bulla::{Hash, HashAlgorithm, Seq, TreeHead, TreeSize};
use bulla_cli::export::{ListedSegment, SegmentList};

use super::checkpoints::Checkpoints;
use super::tiles::Tiles;
use crate::failure::NotProved;
use crate::{open_log, text};

/// A full bundle of the longest entries, each behind its length.
const BUNDLE_LEN_MAX: u64 = (WIDTH as u64) * (ENTRY_LEN_MAX as u64 + 2);
pub(super) const TILE_LEN_MAX: u64 = (WIDTH as u64) * Hash::LEN as u64;

/// What the entries lead to: the same as what was listed.
pub(super) struct Recomputed {
    pub(super) log_id: LogId,
    pub(super) audited: Vec<AuditedSegment>,
}

/// Reads all entries below the head; they must lead to its root, and the index of each
/// segment to the one that is listed.
pub(super) fn recompute(
    dir: &Path,
    list: &SegmentList,
    head: TreeHead,
    mut checkpoints: Checkpoints,
    progress: &mut dyn FnMut(TreeSize),
) -> Result<Recomputed> {
    let mut tiles = Tiles::new(dir);
    let mut walk = Walk {
        frontier: Frontier::new(HashAlgorithm::Sha256),
        log_id: None,
        waiting: list.segments.iter(),
        open: None,
        audited: Vec::new(),
        wrong: 0,
        first_wrong: None,
    };
    for bundle in new_bundles(TreeSize::ZERO, head.size) {
        let bytes = open_log::read_small(&dir.join(bundle.to_string()), BUNDLE_LEN_MAX)?;
        for entry in entries(dir, bundle, &bytes)?.entries() {
            walk.entry(entry, &mut tiles);
            checkpoints.record(walk.frontier.size().get(), || walk.frontier.root());
        }
        progress(walk.frontier.size());
    }
    // First of all: what is wrong with an entry that is none of the log's matters nothing.
    if walk.frontier.head() != head {
        return Err(not_the_tree(dir, head, walk.frontier.root()).into());
    }
    if let Some(wrong) = tiles.finish(head.size) {
        return Err(NotProved(format!(
            "{wrong}; the entries are those of the checkpoint, so clients cannot verify what is \
             served: `bulla export-tiles` of the log restores it; nothing was signed"
        ))
        .into());
    }
    let place = dir.join(SegmentList::NAME);
    let refuse =
        |reason: String| NotProved(format!("{}: {reason}; nothing was signed", place.display()));
    if let Some(first) = &walk.first_wrong {
        let more = match walk.wrong {
            0 | 1 => String::new(),
            wrong => format!(" (and {} more)", text::counted(wrong - 1, "segment")),
        };
        return Err(refuse(format!("{first}{more}")).into());
    }
    if let Some(wrong) = checkpoints.finish() {
        return Err(NotProved(format!(
            "{wrong}; `bulla export-tiles --repair` of the log restores it; nothing was signed"
        ))
        .into());
    }
    let log_id = walk.log_id.filter(|log_id| log_id.to_string() == list.log_id);
    match log_id {
        Some(log_id) => Ok(Recomputed { log_id, audited: walk.audited }),
        None => {
            let found = walk.log_id.map_or("none".to_owned(), |log_id| log_id.to_string());
            let listed = &list.log_id;
            let reason = format!("expected log {found}, as in the entries, found log {listed:?}");
            Err(refuse(reason).into())
        }
    }
}

fn entries<'b>(
    dir: &Path,
    bundle: BundleId,
    bytes: &'b [u8],
) -> Result<EntryBundle<'b>, NotProved> {
    let place = dir.join(bundle.to_string());
    EntryBundle::parse(bundle, bytes)
        .map_err(|error| NotProved(format!("{}: {error}; nothing was signed", place.display())))
}

/// The walk through all entries.
struct Walk<'l> {
    frontier: Frontier,
    log_id: Option<LogId>,
    /// Segments that have not begun.
    waiting: std::slice::Iter<'l, ListedSegment>,
    open: Option<OpenSegment>,
    audited: Vec<AuditedSegment>,
    /// Segments that are not as listed, or cannot be read; what is wrong with the first.
    wrong: u64,
    first_wrong: Option<String>,
}

/// The segment that entries come in for.
struct OpenSegment {
    listed: ListedSegment,
    collected: Collected,
    /// Smallest and largest `recorded_at`, then `occurred_at`.
    times: [i64; 4],
}

impl Walk<'_> {
    fn entry(&mut self, entry: &[u8], tiles: &mut Tiles<'_>) {
        let seq = self.frontier.size().next_seq();
        let leaf = HashAlgorithm::Sha256.leaf(&[entry]);
        self.frontier.push(leaf, |node, hash| tiles.node(node, hash));
        if self.open.is_none()
            && let Some(listed) = self.waiting.as_slice().first().filter(|next| next.first == seq)
        {
            self.open = Some(OpenSegment::new(*listed));
            self.waiting.next();
        }
        let Some(mut open) = self.open.take() else { return };
        match open.take_in(entry, seq) {
            Err(reason) => {
                // The segment ends here: its index cannot be made.
                self.note(format!("record {seq}: {reason}"));
                return;
            }
            Ok(log_id) if *self.log_id.get_or_insert(log_id) != log_id => {
                self.note(format!("record {seq}: expected one log, found log {log_id} as well"));
                return;
            }
            Ok(_) => {}
        }
        match seq.covering_size() == Some(open.listed.end()) {
            true => self.close(&open),
            false => self.open = Some(open),
        }
    }

    fn close(&mut self, open: &OpenSegment) {
        let ListedSegment { first, count, index_root: listed } = open.listed;
        if let Some((position, [before, found])) = open.collected.goes_back() {
            let seq = first.get().saturating_add(position.into());
            return self.note(format!(
                "record {seq}: expected it recorded no earlier than the record in front of it in its \
                 segment, {before}, found {found}"
            ));
        }
        let Some(log_id) = self.log_id else { return };
        let scope = Scope { log_id, first: TreeSize::new(first.get()) };
        let index_root = open.collected.logical(scope).head().root();
        if index_root == listed {
            let times = open.times;
            return self.audited.push(AuditedSegment { first, count, index_root, times });
        }
        self.note(format!(
            "the segment of {} from record {first} on: expected the index root {index_root}, as \
             its entries lead to it, found {listed}",
            text::counted(count, "record")
        ));
    }

    fn note(&mut self, wrong: String) {
        self.wrong += 1;
        self.first_wrong.get_or_insert(wrong);
    }
}

impl OpenSegment {
    fn new(listed: ListedSegment) -> Self {
        let times = [i64::MAX, i64::MIN, i64::MAX, i64::MIN];
        OpenSegment { listed, collected: Collected::default(), times }
    }

    /// Takes in the terms of an entry. Gives the log that it names.
    fn take_in(&mut self, entry: &[u8], seq: Seq) -> Result<LogId, String> {
        let (head, log_id, envelope) =
            record::split_entry(entry).map_err(|error| error.to_string())?;
        if head.seq != seq {
            return Err(format!("expected record {seq}, found record {}", head.seq));
        }
        let at = head.recorded_at;
        let occurred = match RecordKind::from_code(head.kind) {
            Some(kind @ RecordKind::Event) => {
                let envelope = body::decode_envelope_strict(head.schema, envelope)
                    .map_err(|error| error.to_string())?;
                let subject = envelope.subject();
                self.collected.add(kind, at, &subject);
                subject.occurred_at
            }
            Some(kind) => {
                self.collected.add(kind, at, &Subject::of_anchor(at));
                at
            }
            None => {
                return Err(format!("expected an event or an anchor, found kind {}", head.kind));
            }
        };
        let (recorded, occurred) = (at.as_nanos(), occurred.as_nanos());
        let [a, b, c, d] = self.times;
        self.times = [a.min(recorded), b.max(recorded), c.min(occurred), d.max(occurred)];
        Ok(log_id)
    }
}

/// What to say of entries that do not lead to the root: which of them is another one than
/// the tiles say, if one is.
fn not_the_tree(dir: &Path, head: TreeHead, found: Hash) -> NotProved {
    let first = match first_other(dir, head.size) {
        Some(seq) => {
            format!("record {seq} is the first whose entry is not what its hash in tile/0 is of; ")
        }
        None => {
            "the entries are those of tile/0, so entries and hashes were altered alike; ".to_owned()
        }
    };
    NotProved(format!(
        "{}: expected entries that lead to root {} of the checkpoint of {}, found root {found}: \
         {first}nothing was signed",
        dir.display(),
        head.root,
        text::counted(head.size.get(), "record"),
    ))
}

/// The first entry that does not have the hash that stands in its tile.
fn first_other(dir: &Path, size: TreeSize) -> Option<Seq> {
    for bundle in new_bundles(TreeSize::ZERO, size) {
        let bytes = open_log::read_small(&dir.join(bundle.to_string()), BUNDLE_LEN_MAX).ok()?;
        let entries = EntryBundle::parse(bundle, &bytes).ok()?;
        let tile = open_log::read_small(&dir.join(bundle.tile().to_string()), TILE_LEN_MAX).ok()?;
        let tile = TileHashes::parse(bundle.tile(), &tile).ok()?;
        let leaves = entries.leaf_hashes(HashAlgorithm::Sha256);
        let other = leaves.iter().zip(tile.hashes()).position(|(leaf, hash)| leaf != hash);
        if let Some(other) = other {
            let first = bundle.index().saturating_mul(u64::from(WIDTH));
            return Some(Seq::new(first.saturating_add(other as u64)));
        }
    }
    None
}
