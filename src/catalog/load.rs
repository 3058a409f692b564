//! Reads one copy of the catalog: replays its records from a snapshot or from the start.

use std::path::Path;
use std::sync::Arc;

use super::rules;
use crate::disk::{Disk, Open};
use crate::error::{Error, Result};
use crate::format::catalog_body::{CatalogBody, Snapshot, StateMap, status};
use crate::format::header::SegmentHeader;
use crate::format::record::CheckedRecord;
use crate::format::{LogId, Stream, names};
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::Frontier;
use crate::segment::bytes::SegmentFile;
use crate::segment::recover::{self, Torn};
use crate::segment::scan::{self, FrameAt, Position};
use crate::segment::{self};
use crate::seq::TreeSize;

/// A snapshot over at most so many records is not begun with: replaying them takes milliseconds, and
/// refuses whatever does not follow. Tests of the library meet snapshots sooner.
pub(super) const REPLAYED_WHOLE: u64 = if cfg!(test) { 128 } else { 4096 };

/// What the records of a catalog add up to.
#[derive(Clone, Debug)]
pub(super) struct Replayed {
    pub(super) frontier: Frontier,
    pub(super) state: StateMap,
    /// Newest signed head; size 0: none.
    pub(super) signed: (TreeSize, Hash),
    pub(super) signed_note: Option<String>,
    pub(super) last_kind: Option<u8>,
    /// Leaves above the point where the replay began.
    pub(super) leaves: Vec<Hash>,
    /// The frontier at that point.
    pub(super) from: Frontier,
    /// A snapshot on the way, and whether it is what the records lead to.
    met: Option<(Snapshot, bool)>,
}

impl Replayed {
    fn empty() -> Self {
        let frontier = Frontier::new(HashAlgorithm::Sha256);
        Replayed {
            from: frontier.clone(),
            frontier,
            state: StateMap::default(),
            signed: (TreeSize::ZERO, Hash::ZERO),
            signed_note: None,
            last_kind: None,
            leaves: Vec::new(),
            met: None,
        }
    }

    /// What follows from these parts on, read by a process that has the catalog open.
    pub(super) fn going_on(
        from: Frontier,
        state: StateMap,
        (signed, signed_note): ((TreeSize, Hash), Option<String>),
        last_kind: Option<u8>,
    ) -> Self {
        let (frontier, leaves) = (from.clone(), Vec::new());
        Replayed { frontier, state, signed, signed_note, last_kind, leaves, from, met: None }
    }

    fn from_snapshot(snapshot: &Snapshot) -> Option<Self> {
        let peaks: Vec<Hash> = snapshot.peaks.iter().copied().map(Hash::from_bytes).collect();
        let size = TreeSize::new(snapshot.size);
        let frontier = Frontier::from_parts(HashAlgorithm::Sha256, size, &peaks).ok()?;
        let signed = (TreeSize::new(snapshot.signed.0), Hash::from_bytes(snapshot.signed.1));
        let (from, state) = (frontier.clone(), snapshot.state_map());
        let met = Some((snapshot.clone(), true));
        Some(Replayed { met, ..Replayed::going_on(from, state, (signed, None), None) })
    }

    /// The size of the snapshot that was found to be right, or was begun with.
    pub(super) fn snapshot_size(&self) -> TreeSize {
        let right = self.met.as_ref().filter(|(_, is_right)| *is_right);
        TreeSize::new(right.map_or(0, |(snapshot, _)| snapshot.size))
    }

    /// Compares the snapshot that ends here, if there is one.
    fn meet(&mut self, segment: &SegmentFile, offset: u64) {
        let size = self.frontier.size();
        let Some((snapshot, is_right)) =
            self.met.as_mut().filter(|(met, _)| met.size == size.get())
        else {
            return;
        };
        let peaks = self.frontier.peaks().iter().map(|peak| *peak.as_bytes());
        let place = (segment.header.ordinal, segment.header.nonce, offset);
        *is_right = (snapshot.ordinal, snapshot.nonce, snapshot.offset) == place
            && snapshot.peaks.iter().copied().eq(peaks)
            && snapshot.signed == (self.signed.0.get(), *self.signed.1.as_bytes())
            && snapshot.state_map().root() == self.state.root();
    }

    /// Adds a record of a segment, which stands in this frame: it must follow from what is in
    /// force, and its state root be that of the state it leads to. Its bytes were found whole:
    /// what does not follow is no damage.
    pub(super) fn apply(
        &mut self,
        segment: &SegmentFile,
        (frame, at): (&FrameAt, u64),
        record: &CheckedRecord<'_>,
    ) -> Result<()> {
        let seq = record.head.seq;
        let refused = |error| rules::refused(&segment.path, at, seq, error);
        let decoded = CatalogBody::decode(record.head.kind, record.envelope);
        let (root, body) = decoded.map_err(refused)?;
        rules::check_place(segment.header.format_version, frame, record).map_err(refused)?;
        rules::check_signed(self.signed, &body).map_err(refused)?;
        let changes = self.state.changes(seq, &body).map_err(refused)?;
        let before = self.state.change(changes);
        let computed = self.state.root();
        if computed != root {
            let _refused = self.state.change(before);
            return Err(rules::other_root(&segment.path, seq, &body, (computed, root)));
        }
        if let CatalogBody::HeadSigned(head) = &body {
            self.signed = (TreeSize::new(head.size), Hash::from_bytes(head.root));
            self.signed_note = Some(head.note.to_owned());
        }
        self.last_kind = Some(record.head.kind);
        let leaf = record.leaf(HashAlgorithm::Sha256);
        self.frontier.push(leaf, |_, _| ());
        self.leaves.push(leaf);
        self.meet(segment, frame.next(segment.header.frame_align).offset);
        Ok(())
    }
}

/// One copy of a catalog, read to its end.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) replayed: Replayed,
    pub(super) segment: Arc<SegmentFile>,
    pub(super) end: Position,
    pub(super) torn: Option<Torn>,
}

/// Ordinals of the segments in a directory, ascending.
pub(super) fn ordinals(disk: &dyn Disk, dir: &Path) -> Result<Vec<u64>> {
    let names = disk.list(dir).map_err(Error::io("list", dir))?;
    let mut ordinals: Vec<u64> =
        names.iter().filter_map(|name| names::parse_segment(name)).collect();
    ordinals.sort_unstable();
    Ok(ordinals)
}

/// Reads a copy: whole, or from the snapshot if that is over many records and fits.
pub(super) fn load(
    disk: &dyn Disk,
    dir: &Path,
    log_id: LogId,
    snapshot: Option<&Snapshot>,
) -> Result<Loaded> {
    if let Some(snapshot) = snapshot.filter(|snapshot| snapshot.size > REPLAYED_WHOLE)
        && let Some(replayed) = Replayed::from_snapshot(snapshot)
        && let Ok(loaded) = load_from(disk, dir, log_id, replayed, Some(snapshot))
    {
        return Ok(loaded);
    }
    let met = snapshot.map(|snapshot| (snapshot.clone(), false));
    load_from(disk, dir, log_id, Replayed { met, ..Replayed::empty() }, None)
}

fn load_from(
    disk: &dyn Disk,
    dir: &Path,
    log_id: LogId,
    mut replayed: Replayed,
    snapshot: Option<&Snapshot>,
) -> Result<Loaded> {
    let first = snapshot.map_or(1, |snapshot| snapshot.ordinal);
    let mut segments = open_from(disk, dir, log_id, first)?.into_iter().peekable();
    let mut previous: Option<Arc<SegmentFile>> = None;
    while let Some(segment) = segments.next() {
        let segment = Arc::new(segment);
        check_chain(&segment, previous.as_deref(), &replayed, snapshot)?;
        let header = &segment.header;
        let start = match snapshot {
            Some(snapshot) if snapshot.ordinal == header.ordinal => {
                Position { offset: snapshot.offset, size: TreeSize::new(snapshot.size) }
            }
            _ => Position { offset: header.first_frame(), size: header.first },
        };
        if let Some(snapshot) = snapshot.filter(|snapshot| snapshot.ordinal == header.ordinal) {
            check_snapshot(&segment, snapshot, start, &mut replayed)?;
        }
        let mut failed = Ok(());
        let each = |frame: &FrameAt, at: u64, record: CheckedRecord<'_>| {
            if failed.is_ok() {
                failed = replayed.apply(&segment, (frame, at), &record);
            }
        };
        let (end, torn) = match segments.peek() {
            Some(next) => (recover::complete(&segment, start, next.header.first, each)?, None),
            None => {
                let tail = recover::last(&segment, start, each)?;
                (tail.end, tail.torn)
            }
        };
        failed?;
        if segments.peek().is_none() {
            return Ok(Loaded { replayed, segment, end, torn });
        }
        previous = Some(segment);
    }
    Err(Error::NotALog { path: dir.to_owned(), missing: "no catalog segment".to_owned() })
}

/// A snapshot must say what the records below it in its segment lead to. One at the very
/// start of a segment has none to compare with, and is not used. Nor is one over records that no
/// log writes, or in which a segment is left out without a certificate: a replay from the start
/// says what is wrong.
fn check_snapshot(
    segment: &SegmentFile,
    snapshot: &Snapshot,
    at: Position,
    replayed: &mut Replayed,
) -> Result<()> {
    let from = Position { offset: segment.header.first_frame(), size: segment.header.first };
    let (mut root, mut signed) = (None, None);
    let mut stands = replayed.state.segments().all(|sealed| {
        status::is_readable(sealed.status)
            || replayed.state.certificate_of(sealed.ordinal).is_some()
    });
    let version = segment.header.format_version;
    let end = scan::walk(segment, from, at.offset, |frame, _, record| {
        stands = stands && rules::stands_alone(version, frame, &record);
        if let Ok((state_root, body)) = CatalogBody::decode(record.head.kind, record.envelope) {
            root = Some(state_root);
            replayed.last_kind = Some(record.head.kind);
            if let CatalogBody::HeadSigned(head) = body {
                signed = Some((head.size, head.root));
                replayed.signed_note = Some(head.note.to_owned());
            }
        }
    })?;
    let state = Some(replayed.state.root());
    if stands && end == at && root == state && signed.is_none_or(|signed| signed == snapshot.signed)
    {
        return Ok(());
    }
    Err(Error::corrupt(&segment.path, at.offset, "what the snapshot says", "something else"))
}

/// Opens the segments from an ordinal on; files made ahead and unused are left out.
fn open_from(disk: &dyn Disk, dir: &Path, log_id: LogId, first: u64) -> Result<Vec<SegmentFile>> {
    let mut opened: Vec<SegmentFile> = Vec::new();
    for ordinal in ordinals(disk, dir)?.into_iter().filter(|ordinal| *ordinal >= first) {
        let path = segment::path(dir, ordinal);
        let Some(segment) = SegmentFile::open(disk, &path, Open::Read)? else { continue };
        let expected = opened.last().map_or(first, |before| before.header.ordinal + 1);
        segment.check_is((Stream::Catalog, log_id, expected), None)?;
        if ordinal != expected {
            let expected = format!("catalog segment {expected} of log {log_id}");
            return Err(Error::corrupt(&path, 0, expected, format!("a file of segment {ordinal}")));
        }
        opened.push(segment);
    }
    Ok(opened)
}

/// Versions never fall: a program that knows the last one knows all.
fn check_version(header: &SegmentHeader, previous: &SegmentHeader) -> Result<()> {
    let (found, before) = (header.format_version, previous.format_version);
    if found >= before {
        return Ok(());
    }
    let what = format!("version of catalog segment {}", header.ordinal);
    let expected = format!("{before} or above, as the segment before it has");
    Err(Error::tampered(what, expected, found))
}

/// A segment must be the one that follows on what was read, in a process that has the catalog open.
pub(super) fn check_next(
    segment: &SegmentFile,
    previous: &SegmentFile,
    replayed: &Replayed,
) -> Result<()> {
    let SegmentHeader { log_id, ordinal, .. } = previous.header;
    segment.check_is((Stream::Catalog, log_id, ordinal.saturating_add(1)), None)?;
    check_chain(segment, Some(previous), replayed, None)
}

/// A segment must name the one before it, and the root where it begins.
fn check_chain(
    segment: &SegmentFile,
    previous: Option<&SegmentFile>,
    replayed: &Replayed,
    snapshot: Option<&Snapshot>,
) -> Result<()> {
    let header = &segment.header;
    if snapshot.is_some_and(|snapshot| snapshot.ordinal == header.ordinal) {
        let nonce = snapshot.map(|snapshot| snapshot.nonce);
        return if nonce == Some(header.nonce) {
            Ok(())
        } else {
            Err(Error::corrupt(&segment.path, 0, "the snapshot's nonce", "another"))
        };
    }
    if let Some(previous) = previous {
        check_version(header, &previous.header)?;
    }
    let expected = previous.map_or(Hash::ZERO, |previous| previous.header.digest());
    if header.previous != expected {
        let what = format!("chain of catalog segment {}", header.ordinal);
        return Err(Error::tampered(what, expected, header.previous));
    }
    let (size, root) = (replayed.frontier.size(), replayed.frontier.root());
    if header.start_root != root || header.first != size {
        let what = format!("start of catalog segment {}", header.ordinal);
        let found = format!("{} records, root {}", header.first, header.start_root);
        return Err(Error::tampered(what, format!("{size} records, root {root}"), found));
    }
    Ok(())
}
