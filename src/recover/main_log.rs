//! Recovery of the main log: from the newest mark to its end.
//!
//! # Invariants
//!
//! 1. No durable record is dropped. A seal, a signed head or a mark says how many were durable; an end
//!    before that is `Corrupt`, never a shorter log.
//! 2. Behind the end only bytes are given up that no commit finished: a frame that is torn, or was not
//!    acknowledged. They are copied to `quarantine/` before their place is written to again.
//! 3. Nothing is changed on disk here. `log/open.rs` changes it after all checks have passed, so that an
//!    opening that fails leaves the evidence as it was.
//! 4. A crash during recovery is recovered from in the same way: each change is one that can be repeated.
//! 5. Hash files and the mark are derived: where they do not fit, the tree is computed from the records.

mod gaps;
mod listing;

use std::path::PathBuf;
use std::sync::Arc;

use crate::directory::LogDir;
use crate::directory::certificates;
use crate::disk::{Disk, DiskFile, Open};
use crate::error::{Error, Result};
use crate::event::RecordKind;
use crate::format::catalog_body::Sealed;
use crate::format::footer::TimeRange;
use crate::format::header::SegmentHeader;
use crate::format::mark::RecoveryPoint;
use crate::format::record::CheckedRecord;
use crate::format::{body, names};
use crate::hash::{Hash, HashAlgorithm};
use crate::options::LogOptions;
use crate::read::catalog_state::CatalogState;
use crate::read::decode;
use crate::read::entry::{OpenSegment, SegmentEntry};
use crate::read::unknown::with_unknown;
use crate::recover::recovery::Recovery;
use crate::segment::active::Active;
use crate::segment::bytes::SegmentFile;
use crate::segment::locate::Waypoints;
use crate::segment::recover::{self, Tail};
use crate::segment::scan::{FrameAt, Position};
use crate::segment::seal::{self, SealFacts};
use crate::segment::{self};
use crate::seq::TreeSize;
use crate::time::Timestamp;
use crate::tree::TreeStore;
use crate::write::writer::Ahead;
use crate::write::writer::{LogEnd, Start, UnsealedFull};

/// The parts of a recovered log.
pub(crate) struct Recovered {
    pub(crate) tree: TreeStore,
    pub(crate) entries: Vec<SegmentEntry>,
    pub(crate) start: Start,
    pub(crate) ahead: Ahead,
    pub(crate) recovery: Recovery,
    /// What is to be set aside, once everything else was found to be in order.
    pub(crate) leftovers: Vec<TornBytes>,
}

/// What is known of the records before they are read.
#[derive(Clone)]
struct Known<'a> {
    sealed: Vec<Sealed>,
    /// Size and root of the newest signed head; size 0: none.
    signed: (TreeSize, Hash),
    /// So many records were durable: a seal, a signed head or a mark says so.
    vouched: TreeSize,
    /// Has the certificates of what was dropped.
    catalog: &'a CatalogState,
}

/// Bytes that are not part of the log.
pub(crate) struct TornBytes {
    pub(crate) ordinal: u64,
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) offset: u64,
    /// Up to the last byte that is not zero; 0: nothing to keep.
    pub(crate) len: u64,
    pub(crate) reason: String,
    /// Whether the whole file goes.
    pub(crate) remove: bool,
}

/// Leaves are written to the hash files in portions of this many bytes.
const FLUSH_BYTES: usize = 16 << 20;

/// What is known so far while the segments are walked.
struct Walk<'a> {
    options: &'a LogOptions,
    dir: &'a LogDir,
    vouched: TreeSize,
    catalog: &'a CatalogState,
    tree: TreeStore,
    sealed: Vec<Sealed>,
    entries: Vec<SegmentEntry>,
    retired: Vec<UnsealedFull>,
    active: Option<Active>,
    previous: Option<Hash>,
    resting: Option<LogEnd>,
    last_anchor: TreeSize,
    last_recorded_at: Timestamp,
    recovery: Recovery,
    leftovers: Vec<TornBytes>,
    /// Where the last segment ends, and what is wrong with what follows.
    stopped: Option<(PathBuf, u64, String)>,
}

/// Reads the main log from its newest mark on; without one that fits, from its start.
/// Changes nothing but derived files.
pub(crate) fn main_log(
    options: &LogOptions,
    dir: &LogDir,
    algorithm: HashAlgorithm,
    mark: Option<RecoveryPoint>,
    known: (Vec<Sealed>, (TreeSize, Hash)),
    catalog: &CatalogState,
) -> Result<Recovered> {
    let (sealed, signed) = known;
    let ends = sealed.iter().map(|sealed| sealed.first.saturating_add(sealed.count));
    let marked = mark.as_ref().map_or(0, |mark| mark.frontier.size().get());
    let vouched = ends.chain([marked, signed.0.get()]).max().map_or(TreeSize::ZERO, TreeSize::new);
    let known = Known { sealed, signed, vouched, catalog };
    if let Some(mark) = mark {
        let place = (mark.ordinal, mark.offset);
        return match walk(options, dir, algorithm, Some(mark), known.clone()) {
            // Nothing but zeros, or frames, stands behind a true mark; what does not may be
            // whole when it is looked at from the start.
            Ok(recovered) if recovered.leftovers.iter().any(|left| left.is_at(&place)) => {
                rebuilt(options, dir, algorithm, known, "no frame stands at the mark".to_owned())
            }
            // A derived file is damaged or missing: make all of them anew.
            Err(NotFitting(why)) => rebuilt(options, dir, algorithm, known, why),
            // It may be the mark that is wrong.
            Err(Failed(first @ (Error::Corrupt { .. } | Error::Tampered { .. }))) => {
                let why = first.to_string();
                rebuilt(options, dir, algorithm, known, why).map_err(|_| first)
            }
            fits => whole(fits, dir),
        };
    }
    whole(walk(options, dir, algorithm, None, known), dir)
}

/// Reads everything from the start, because of what was wrong with the mark.
fn rebuilt(
    options: &LogOptions,
    dir: &LogDir,
    algorithm: HashAlgorithm,
    known: Known<'_>,
    why: String,
) -> Result<Recovered> {
    let mut recovered = whole(walk(options, dir, algorithm, None, known), dir)?;
    recovered.recovery.rebuilt = Some(why);
    Ok(recovered)
}

impl TornBytes {
    fn is_at(&self, place: &(u64, u64)) -> bool {
        self.len > 0 && !self.remove && (self.ordinal, self.offset) == *place
    }
}

use Failure::{Failed, NotFitting};

/// Why a walk ended early.
enum Failure {
    /// The mark or the hash files do not fit the segments.
    NotFitting(String),
    /// Anything else.
    Failed(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failed(error)
    }
}

fn whole(result: Result<Recovered, Failure>, dir: &LogDir) -> Result<Recovered> {
    result.map_err(|failure| match failure {
        Failed(error) => error,
        // A walk without a mark finds nothing that does not fit one.
        NotFitting(why) => Error::corrupt(dir.path(), 0, "a mark that fits the segments", why),
    })
}

fn walk(
    options: &LogOptions,
    dir: &LogDir,
    algorithm: HashAlgorithm,
    mark: Option<RecoveryPoint>,
    known: Known<'_>,
) -> Result<Recovered, Failure> {
    let Known { sealed, signed, vouched, catalog } = known;
    let (disk, in_dir, log_id) = (dir.shared_disk(), dir.tree(), dir.log_id());
    let gone = certificates::certified(dir);
    let tree = match mark.as_ref().map(|mark| mark.frontier.clone()) {
        None => TreeStore::rebuild(disk, &in_dir, log_id, algorithm, gone),
        Some(frontier) => {
            match TreeStore::open(disk, &in_dir, log_id, frontier, false, Some(gone)) {
                Err(damage @ Error::Corrupt { .. }) => return Err(NotFitting(damage.to_string())),
                tree => tree?,
            }
        }
    };
    let mut walk = Walk {
        options,
        dir,
        vouched,
        catalog,
        tree,
        entries: sealed.iter().map(entry_of).collect(),
        sealed,
        retired: Vec::new(),
        active: None,
        previous: None,
        resting: None,
        last_anchor: mark.as_ref().map_or(TreeSize::ZERO, |mark| mark.last_anchor),
        last_recorded_at: mark.as_ref().map_or(Timestamp::MIN, |mark| mark.last_recorded_at),
        recovery: Recovery::default(),
        leftovers: Vec::new(),
        stopped: None,
    };
    let ordinals = walk.ordinals()?;
    let headers = walk.headers(&ordinals, mark.as_ref())?;
    walk.segments(&headers, mark.as_ref())?;
    walk.check_end()?;
    if mark.is_some() && signed.0 > TreeSize::ZERO {
        // Below the mark the hashes are taken from their files: those may be damaged.
        let root = walk.tree.known_root_at(signed.0);
        if !root.is_ok_and(|root| root.is_none_or(|root| root == signed.1)) {
            let why = format!("the stored hashes do not give the signed root of size {}", signed.0);
            return Err(NotFitting(why));
        }
    }
    Ok(walk.finish())
}

fn entry_of(sealed: &Sealed) -> SegmentEntry {
    let first = TreeSize::new(sealed.first);
    SegmentEntry { ordinal: sealed.ordinal, first, open: None, sealed: Some(*sealed) }
}

impl Walk<'_> {
    fn disk(&self) -> &dyn Disk {
        self.dir.disk()
    }

    fn segments(
        &mut self,
        headers: &[SegmentHeader],
        mark: Option<&RecoveryPoint>,
    ) -> Result<(), Failure> {
        let mut headers = headers.iter().peekable();
        while let Some(header) = headers.next() {
            let mark = mark.filter(|mark| mark.ordinal == header.ordinal);
            self.check_chain(header, mark)?;
            let segment = self.open(header.ordinal)?.filter(|segment| segment.header == *header);
            let segment = segment.ok_or_else(|| changed(header, self.dir))?;
            let next = headers.peek().map(|next| (next.ordinal, next.first));
            self.segment(Arc::new(segment), next, mark)?;
            if self.tree.pending_bytes() > FLUSH_BYTES {
                self.tree.flush()?;
            }
        }
        Ok(())
    }

    /// A segment must begin where the one before it ended.
    fn check_chain(
        &mut self,
        header: &SegmentHeader,
        mark: Option<&RecoveryPoint>,
    ) -> Result<(), Failure> {
        if mark.is_some() {
            self.previous = Some(header.digest());
            return Ok(()); // the mark's nonce names it
        }
        let before = self.tree.size();
        self.cross_gaps(header)?;
        // What was an anchor in a segment that is gone only this header says.
        let crossed = self.tree.size() > before;
        let newest = if crossed { header.last_anchor } else { self.last_anchor };
        let first = if header.ordinal == 1 { Some(Hash::ZERO) } else { None };
        let previous = self.previous.replace(header.digest()).or(first);
        let wrong = |what: &str, expected: String, found: String| {
            let what = format!("{what} of segment {}", header.ordinal);
            Err(Failed(Error::tampered(what, expected, found)))
        };
        let size = self.tree.size();
        if header.first != size {
            return wrong("first record", size.to_string(), header.first.to_string());
        }
        let root = self.tree.root_at(size)?;
        if header.start_root != root {
            return wrong("root at the start", root.to_string(), header.start_root.to_string());
        }
        if let Some(previous) = previous.filter(|previous| *previous != header.previous) {
            return wrong("predecessor", previous.to_string(), header.previous.to_string());
        }
        if newest != header.last_anchor {
            return wrong("newest anchor", newest.to_string(), header.last_anchor.to_string());
        }
        self.last_anchor = newest;
        Ok(())
    }

    fn segment(
        &mut self,
        segment: Arc<SegmentFile>,
        next: Option<(u64, TreeSize)>,
        mark: Option<&RecoveryPoint>,
    ) -> Result<(), Failure> {
        let header = &segment.header;
        let from = match mark {
            Some(mark) => Position { offset: mark.offset, size: mark.frontier.size() },
            None => Position { offset: header.first_frame(), size: header.first },
        };
        let Some(skipped) = from.size.get().checked_sub(header.first.get()) else {
            return Err(NotFitting("the mark lies before its segment".to_owned()));
        };
        let sealed = self.sealed.iter().any(|sealed| sealed.ordinal == header.ordinal);
        let len = segment.file_len()?;
        if len < from.offset && !sealed {
            let expected = format!("{} bytes, which were durable", from.offset);
            return Err(Error::corrupt(&segment.path, len, expected, "the end of the file").into());
        }
        let waypoints = Arc::new(Waypoints::above(skipped, mark.map(|_| from)));
        let mut times = TimeRange::EMPTY;
        if let Some(mark) = mark.filter(|_| skipped > 0) {
            times.add(mark.recorded_min, mark.occurred.0);
            times.add(mark.last_recorded_at, mark.occurred.1);
        }
        let footer = seal::read_footer(&segment, len)?;
        let end_of_sealed = footer.as_ref().map(|footer| footer.end());
        // What follows it may have been dropped: then the next one begins further on.
        let recorded = self.sealed.iter().find(|sealed| sealed.ordinal == header.ordinal);
        let recorded = recorded.map(|s| TreeSize::new(s.first.saturating_add(s.count)));
        let known_end = recorded.or(next.map(|(_, first)| first)).or(end_of_sealed);
        let mut bad = None;
        // What is sealed already is for `verify` to name; what is not is not sealed with it.
        let mut newest = mark.filter(|_| skipped > 0).map(|mark| mark.last_recorded_at);
        let each = |frame: &FrameAt, offset: u64, record: CheckedRecord<'_>| {
            let index = record.head.seq.get() - segment.header.first.get();
            waypoints.note(index, frame.offset, offset);
            let recorded_at = record.head.recorded_at;
            if let Some(before) = newest.replace(recorded_at).filter(|before| recorded_at < *before)
                && !sealed
            {
                let times = [before, recorded_at];
                bad.get_or_insert(decode::goes_back(record.head.seq, times, decode::NOT_SEALED));
            }
            if let Err(reason) = self.add(&record, &mut times) {
                bad.get_or_insert(Error::tampered(
                    format!("record {}", record.head.seq),
                    "its schema",
                    reason,
                ));
            }
        };
        let tail = match known_end {
            Some(size) => {
                let end = recover::complete(&segment, from, size, each)?;
                Tail { end, torn: None }
            }
            None => recover::last(&segment, from, each)?,
        };
        if let Some(error) = bad {
            return Err(Failed(error));
        }
        if let Some(footer) = footer.filter(|footer| footer.frames_end != tail.end.offset) {
            let expected = format!("frames up to {}, as the footer says", footer.frames_end);
            let at = tail.end.offset;
            return Err(Error::corrupt(&segment.path, at, expected, "no whole frame").into());
        }
        self.take(segment, tail, (times, waypoints), known_end.is_some())
    }

    fn add(&mut self, record: &CheckedRecord<'_>, times: &mut TimeRange) -> Result<(), String> {
        self.tree.extend(&[record.leaf(self.tree.algorithm())]);
        self.recovery.replayed += 1;
        self.last_recorded_at = record.head.recorded_at;
        let occurred_at = match RecordKind::from_code(record.head.kind) {
            Some(RecordKind::Event) => {
                body::decode_envelope(record.head.schema, record.envelope)
                    .map_err(|e| e.to_string())?
                    .occurred_at
            }
            Some(RecordKind::Anchor) => {
                self.last_anchor = self.tree.size();
                record.head.recorded_at
            }
            None => return Err(format!("record kind {}", record.head.kind)),
        };
        times.add(record.head.recorded_at, occurred_at);
        Ok(())
    }

    /// Decides what becomes of a segment that was read to its end.
    fn take(
        &mut self,
        segment: Arc<SegmentFile>,
        tail: Tail,
        parts: (TimeRange, Arc<Waypoints>),
        complete: bool,
    ) -> Result<(), Failure> {
        let ordinal = segment.header.ordinal;
        let Tail { end, torn } = tail;
        let was_torn = torn.is_some();
        let count = end.size.get() - segment.header.first.get();
        if count > 0 {
            self.resting = Some(LogEnd::at_end_of(&segment, end, parts.0));
        }
        let found = torn.as_ref().map_or("zeros".to_owned(), |torn| torn.reason.to_string());
        self.stopped = Some((segment.path.clone(), end.offset, found));
        if let Some(sealed) = self.sealed.iter().find(|sealed| sealed.ordinal == ordinal) {
            return self.check_sealed(sealed, end);
        }
        if let Some(torn) = torn {
            self.leftovers.push(TornBytes {
                ordinal,
                path: segment.path.clone(),
                file: Arc::clone(segment.file()),
                offset: if count > 0 { end.offset } else { 0 },
                len: if count > 0 { torn.len } else { end.offset + torn.len },
                reason: torn.reason.to_string(),
                remove: count == 0,
            });
        }
        if was_torn && count == 0 {
            // Nothing of it was ever acknowledged: the ordinal begins anew.
            self.previous = Some(segment.header.previous);
            return Ok(());
        }
        let (times, waypoints) = parts;
        let open = Some(OpenSegment::new(Arc::clone(&segment), Arc::clone(&waypoints)));
        self.entries.push(SegmentEntry {
            ordinal,
            first: segment.header.first,
            open,
            sealed: None,
        });
        let active = Active::resume(segment, end, times, waypoints)?;
        if complete || was_torn {
            let facts = SealFacts {
                times,
                end_root: self.tree.root_at(end.size)?,
                index_root: Hash::ZERO,           // known when it is sealed
                keep_until: Timestamp::default(), // the same
                last_anchor: self.last_anchor,
                sealed_at: self.options.clock.now(),
            };
            self.retired.push(UnsealedFull { active, facts });
        } else {
            self.active = Some(active);
        }
        Ok(())
    }

    /// A sealed segment holds what the catalog recorded of it.
    fn check_sealed(&self, sealed: &Sealed, end: Position) -> Result<(), Failure> {
        let size = sealed.first.saturating_add(sealed.count);
        let root = self.tree.root_at(end.size)?;
        // Less is damage, which is found at the end; one that ends at the mark was not read.
        if end.size.get() < size || end.size.get() == size && root.as_bytes() == &sealed.end_root {
            return Ok(());
        }
        let what = format!("segment {}", sealed.ordinal);
        let expected = format!("{size} records, root {}", Hash::from_bytes(sealed.end_root));
        Err(Failed(Error::tampered(what, expected, format!("{} records, root {root}", end.size))))
    }

    /// What was durable is never torn.
    fn check_end(&self) -> Result<()> {
        let size = self.tree.size();
        if size >= self.vouched {
            return Ok(());
        }
        let expected = format!("{} records, which were durable", self.vouched);
        let dir = self.dir.segments();
        let nothing = (dir, 0, "no segment".to_owned());
        let (path, offset, found) = self.stopped.clone().unwrap_or(nothing);
        Err(Error::corrupt(&path, offset, expected, format!("{size} records, then {found}")))
    }

    fn finish(self) -> Recovered {
        let clock = &self.options.clock;
        let size = self.tree.size();
        let monotonic = clock.monotonic();
        let offset = i128::try_from(monotonic.as_nanos()).unwrap_or(i128::MAX);
        let newest = self.entries.iter().map(|entry| entry.ordinal).max().unwrap_or(0);
        let previous = self.previous.unwrap_or_else(|| {
            let last = self.sealed.iter().max_by_key(|sealed| sealed.ordinal);
            last.map_or(Hash::ZERO, |sealed| Hash::from_bytes(sealed.header))
        });
        let start = Start {
            active: self.active,
            resting: self.resting,
            retired: self.retired,
            previous,
            size,
            last_anchor: self.last_anchor,
            last_recorded_at: self.last_recorded_at,
            clock_offset: offset - i128::from(clock.now().as_nanos()),
            unwatermarked: self.recovery.replayed > 0,
        };
        let ahead = Ahead { next_ordinal: newest + 1, made: None };
        let (tree, recovery) = (self.tree, self.recovery);
        let entries = match self.catalog {
            CatalogState::Good(_) => self.entries,
            CatalogState::Damaged(_) => with_unknown(self.entries, size),
        };
        Recovered { tree, entries, start, ahead, recovery, leftovers: self.leftovers }
    }
}

fn changed(header: &SegmentHeader, dir: &LogDir) -> Error {
    let path = dir.segment(header.ordinal);
    Error::corrupt(&path, 0, "the header that was there a moment ago", "another one")
}

/// The sealed segments by their own footers, for when the catalog cannot tell.
pub(crate) fn sealed_by_footers(dir: &LogDir) -> Result<Vec<Sealed>> {
    let (disk, dir) = (dir.disk(), dir.segments());
    let names = disk.list(&dir).map_err(Error::io("list", &dir))?;
    let mut sealed = Vec::new();
    for ordinal in names.iter().filter_map(|name| names::parse_segment(name)) {
        let path = segment::path(&dir, ordinal);
        let Some(segment) = SegmentFile::open(disk, &path, Open::Read)? else { continue };
        let bytes = segment.file_len()?;
        if let Some(footer) = seal::read_footer(&segment, bytes)? {
            sealed.push(seal::catalog_entry(&segment, &footer, bytes));
        }
    }
    sealed.sort_unstable_by_key(|sealed| sealed.ordinal);
    Ok(sealed)
}
