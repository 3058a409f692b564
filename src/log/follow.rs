//! Reading a log that another process writes.
//!
//! A reader changes nothing on disk and takes no lock. It goes as far as what is known
//! to be durable: what the writer publishes in the LOCK file, or what later frames
//! vouch for.
//!
//! # Invariants
//!
//! 1. What was shown is not taken back: the size only grows, and fewer records than were vouched for
//!    (by LOCK, a mark or a signed head) is `Corrupt`.
//! 2. LOCK is read before the frames: what it says is durable is there when they are read.
//! 3. A frame is shown if LOCK covers it, or if a whole frame follows it, which the writer begins only
//!    after the first was durable. A torn frame at the end may be one that is being written.
//! 4. A file that is missing is looked up in the catalog before it counts as missing: the writer may have
//!    sealed and dropped the segment meanwhile.

use std::path::Path;
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::directory::checkpoints;
use crate::directory::identity::{Identity, catalog_identity, check_is_log};
use crate::directory::lock;
use crate::disk::Open;
use crate::error::{Error, Result};
use crate::format::LogId;
use crate::format::catalog_body::Sealed;
use crate::hash::HashAlgorithm;
use crate::options::LogOptions;
use crate::ranked::{Mutex, Rank};
use crate::read::catalog_state::CatalogState;
use crate::read::entry::{OpenSegment, SegmentEntry};
use crate::read::published::Checkpoints;
use crate::read::segment_set::SegmentSet;
use crate::read::shared::Shared;
use crate::read::snapshot::Snapshot;
use crate::read::unknown::{next_begun, with_unknown};
use crate::recover::main_log::sealed_by_footers;
use crate::recover::settle;
use crate::segment::bytes::{Scratch, SegmentFile};
use crate::segment::locate::Waypoints;
use crate::segment::scan::{self, Position};
use crate::segment::{self};
use crate::seq::TreeSize;
use crate::tree::mark::RecoveryPointFile;

/// A log opened for reading, by any number of processes, while one writes it.
///
/// [`Log::open_read_only`](crate::Log::open_read_only) opens one. What it shows moves on only with
/// [`LogReader::refresh`].
///
/// ```
/// use bulla::{Actor, Event, Log, Query, Resource};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("audit");
/// let log = Log::create(&path)?; // in the service
/// let reader = Log::open_read_only(&path)?; // elsewhere
/// log.append(&Event::new(Actor::new("user", "alice"), "login", Resource::new("app", "web")))?;
/// assert_eq!(reader.refresh()?.get(), 1);
/// assert_eq!(reader.snapshot().count(&Query::new().actor("alice"))?, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct LogReader {
    shared: Arc<Shared>,
    /// Why the catalog cannot be used, if both copies are damaged.
    damage: Option<String>,
    view: Arc<SegmentSet>,
    state: Mutex<Follow>,
}

/// How far the reader has come.
#[derive(Debug)]
struct Follow {
    /// Records of the catalog whose seals and drops were noted.
    noted: TreeSize,
    /// The segment that is being followed.
    tail: Option<Tail>,
    /// Ordinal and first record of the segment to look for when there is no tail.
    next: (u64, TreeSize),
    /// So many records were there before they were looked for: a mark or a signed head says so.
    vouched: TreeSize,
}

#[derive(Debug)]
struct Tail {
    segment: Arc<SegmentFile>,
    waypoints: Arc<Waypoints>,
    at: Position,
}

impl LogReader {
    pub(crate) fn open(options: LogOptions, path: &Path) -> Result<Self> {
        let dir = options.dir(path, check_is_log(&*options.disk, path)?);
        if let Some(store) = &options.key_store {
            store.bind(dir.log_id())?;
        }
        // Listed before the catalog is read: a writer may publish another head at any time.
        let published = checkpoints::list(&dir)?.pop();
        let (disk, clock) = (dir.shared_disk(), dir.shared_clock());
        let catalog = Catalog::open_read_only(disk, &dir.catalog(), dir.log_id(), clock);
        let (catalog, identity, sealed, damage) = match catalog {
            Ok(catalog) => {
                settle::check_not_older(&catalog, published)?;
                let identity = catalog_identity(&dir, &catalog)?;
                let sealed: Vec<Sealed> = catalog.state().segments().collect();
                (CatalogState::Good(Box::new(catalog)), identity, sealed, None)
            }
            Err(error @ (Error::Corrupt { .. } | Error::NotALog { .. })) => {
                let header = segment::identify(dir.disk(), &dir.segments())?;
                let algorithm = header.map_or(options.algorithm, |header| header.algorithm);
                let identity = Identity { algorithm, origin: String::new() };
                let damage = error.to_string();
                let catalog = CatalogState::Damaged(damage.clone());
                (catalog, identity, sealed_by_footers(&dir)?, Some(damage))
            }
            Err(error) => return Err(error),
        };
        let mut next = sealed.last().map_or((1, TreeSize::ZERO), |last| {
            (last.ordinal + 1, TreeSize::new(last.first.saturating_add(last.count)))
        });
        let mut entries = sealed.iter().map(entry_of).collect();
        if damage.is_some() {
            // What was between the sealed ones and this may have been dropped.
            let behind = sealed.last().map_or(0, |last| last.ordinal);
            next = next_begun(&dir, behind)?.unwrap_or(next);
            entries = with_unknown(entries, next.1);
        }
        let view = SegmentSet::with_options(&options, &dir, identity.algorithm, entries);
        view.publish(next.1);
        if let Some(catalog) = catalog.as_good() {
            view.payload_reader().note_erased(catalog.state());
        }
        let mark = RecoveryPointFile::read(dir.disk(), &dir.tree(), dir.log_id());
        let vouched = mark.map_or(TreeSize::ZERO, |mark| mark.frontier.size());
        let reader = LogReader {
            shared: Arc::new(Shared::new(dir, options, identity, catalog)),
            damage,
            view: Arc::new(view),
            state: Mutex::new(
                Rank::Follow,
                Follow { noted: TreeSize::ZERO, tail: None, next, vouched },
            ),
        };
        reader.refresh()?;
        reader.check_not_empty()?;
        Ok(reader)
    }

    /// Without catalog and segments nothing is known: that is not an empty log.
    fn check_not_empty(&self) -> Result<()> {
        let durable = self.published()?;
        match &self.damage {
            Some(damage) if self.size() == TreeSize::ZERO && durable > TreeSize::ZERO => {
                let reason = format!(
                    "{durable} records were durable, as LOCK says, and no segment is there to be \
                     read; keep the directory, and restore it from a backup: {damage}"
                );
                Err(Error::CatalogDamaged { reason })
            }
            _ => Ok(()),
        }
    }

    /// Looks for what the writer has made durable since, and gives the new size.
    ///
    /// # Errors
    /// `Replaced` if the log is no longer where it was opened; `Corrupt` if there are fewer records
    /// than LOCK, a mark or a signed head says; other damage, I/O.
    pub fn refresh(&self) -> Result<TreeSize> {
        let mut state = self.state.lock();
        // Read before the frames: what it says is durable is there to be read.
        let published = self.published()?;
        let signed = self.shared.catalog_sizes().map_or(TreeSize::ZERO, |sizes| sizes.signed);
        let vouched = state.vouched.max(published).max(signed);
        state.vouched = vouched;
        loop {
            let Some(tail) = &mut state.tail else {
                if self.enter_next(&mut state)? {
                    continue;
                }
                break;
            };
            if self.read_on(tail, vouched)? || self.replaced(tail)? {
                continue;
            }
            let (ordinal, size) = (tail.segment.header.ordinal + 1, tail.at.size);
            let behind = std::mem::replace(&mut state.next, (ordinal, size));
            if !self.enter_next(&mut state)? {
                state.next = behind;
                break;
            }
        }
        self.note_seals(&mut state)?;
        self.note_erasures()?;
        self.check_end(&state)?;
        Ok(self.view.size())
    }

    /// What was there is not missing at the end without a word.
    fn check_end(&self, state: &Follow) -> Result<()> {
        let size = self.view.size();
        if size >= state.vouched {
            return Ok(());
        }
        let expected = format!("{} records, which were durable", state.vouched);
        let (path, offset, found) = match &state.tail {
            Some(Tail { segment, at, .. }) => {
                let frame = scan::frame_at(segment, *at, &mut Scratch::new())?;
                let found = frame.map_or_else(|bad| bad.to_string(), |_| "one frame".to_owned());
                (segment.path.clone(), at.offset, found)
            }
            None => {
                let path = self.shared.dir.segment(state.next.0);
                (path, 0, "no segment that can be read".to_owned())
            }
        };
        Err(Error::corrupt(&path, offset, expected, format!("{size} records, then {found}")))
    }

    /// The durable size that the writer publishes.
    fn published(&self) -> Result<TreeSize> {
        let path = self.shared.dir.lock_file();
        if let Ok(file) = self.shared.dir.disk().open(&path, Open::Read) {
            // A read may meet a write half way.
            for _ in 0..8 {
                if let Some(lock) =
                    lock::read(&*file).filter(|lock| lock.log_id == self.shared.dir.log_id())
                {
                    return Ok(lock.durable);
                }
            }
        }
        self.check_in_place()?;
        Ok(TreeSize::ZERO)
    }

    /// Refuses to follow another log, or nothing: a directory may be moved away or deleted, and
    /// another log made in its place. A log whose LOCK is missing or damaged is still there.
    fn check_in_place(&self) -> Result<()> {
        let found = match check_is_log(self.shared.dir.disk(), self.shared.dir.path()) {
            Ok(log_id) if log_id == self.shared.dir.log_id() => return Ok(()),
            Ok(log_id) => {
                format!("expected the log {}, found the log {log_id}", self.shared.dir.log_id())
            }
            Err(Error::NotALog { missing, .. }) => {
                format!("expected the log {}, found {missing}", self.shared.dir.log_id())
            }
            Err(error) => return Err(error),
        };
        Err(Error::Replaced { path: self.shared.dir.path().to_owned(), found })
    }

    /// Takes up the next segment, if the writer has begun it.
    fn enter_next(&self, state: &mut Follow) -> Result<bool> {
        let (ordinal, first) = state.next;
        let path = self.shared.dir.segment(ordinal);
        let disk = self.shared.dir.disk();
        if !disk.exists(&path).map_err(Error::io("look for", &path))? {
            return self.pass_dropped(state);
        }
        // A header that is being written is taken up next time.
        let segment = match SegmentFile::open(disk, &path, Open::Read) {
            Ok(Some(segment)) if segment.header.log_id == self.shared.dir.log_id() => segment,
            Err(error @ Error::Unsupported { .. }) => return Err(error),
            _ => return Ok(false),
        };
        if segment.header.first != first {
            return Ok(false);
        }
        let at = Position { offset: segment.header.first_frame(), size: first };
        let (segment, waypoints) = (Arc::new(segment), Arc::new(Waypoints::new()));
        let open = OpenSegment::new(Arc::clone(&segment), Arc::clone(&waypoints));
        self.view.update(|entries| {
            entries.retain(|entry| entry.ordinal != ordinal);
            entries.push(SegmentEntry { ordinal, first, open: Some(open), sealed: None });
        });
        state.tail = Some(Tail { segment, waypoints, at });
        Ok(true)
    }

    /// Goes past the next segment, if it was sealed and dropped before it was taken up.
    fn pass_dropped(&self, state: &mut Follow) -> Result<bool> {
        let (ordinal, first) = state.next;
        let mut catalog = self.shared.catalog.lock();
        let Ok(catalog) = catalog.good() else { return Ok(false) };
        catalog.refresh()?;
        let Some(sealed) = catalog.state().segment(ordinal) else { return Ok(false) };
        let end = TreeSize::new(sealed.first.saturating_add(sealed.count));
        if sealed.first != first.get() {
            return Ok(false);
        }
        self.view.update(|entries| {
            entries.retain(|entry| entry.ordinal != ordinal);
            entries.push(entry_of(&sealed));
        });
        self.view.publish(end);
        (state.tail, state.next) = (None, (ordinal.saturating_add(1), end));
        Ok(true)
    }

    /// Takes up a segment that recovery began anew under the same ordinal, because no
    /// record of the first attempt was ever acknowledged.
    fn replaced(&self, tail: &mut Tail) -> Result<bool> {
        let old = &tail.segment.header;
        if tail.at.size > old.first {
            return Ok(false);
        }
        let disk = self.shared.dir.disk();
        match SegmentFile::open(disk, &tail.segment.path, Open::Read) {
            Ok(Some(new)) if new.header.nonce != old.nonce && new.header.first == old.first => {
                tail.at = Position { offset: new.header.first_frame(), size: new.header.first };
                tail.segment = Arc::new(new);
                let (ordinal, segment) = (tail.segment.header.ordinal, Arc::clone(&tail.segment));
                let open = Some(OpenSegment::new(segment, Arc::clone(&tail.waypoints)));
                self.view.update(|entries| {
                    entries
                        .iter_mut()
                        .filter(|e| e.ordinal == ordinal)
                        .for_each(|e| e.open = open.clone());
                });
                Ok(true)
            }
            Err(error @ Error::Unsupported { .. }) => Err(error),
            _ => Ok(false),
        }
    }

    /// Reads one more frame of the tail; whether there was one that may be shown.
    fn read_on(&self, tail: &mut Tail, vouched: TreeSize) -> Result<bool> {
        let (mut head, mut scratch) = (Scratch::new(), Scratch::new());
        let Ok(frame) = scan::frame_at(&tail.segment, tail.at, &mut head)? else {
            return Ok(false);
        };
        let segment = Arc::clone(&tail.segment);
        let next = frame.next(segment.header.frame_align);
        if frame.header.end() > vouched && frame.header.count > 0 {
            // After a power failure LOCK may be old; a later frame vouches as well.
            let durable = scan::frame_at(&segment, next, &mut head)?
                .is_ok_and(|later| later.header.durable >= frame.header.end());
            if !durable {
                return Ok(false);
            }
        }
        let body = scan::body(&segment, &frame, &mut scratch)?;
        let first = segment.header.first.get();
        let noted = scan::records(&segment, &frame, body, |offset, record| {
            tail.waypoints.note(record.head.seq.get() - first, frame.offset, offset);
        });
        noted.map_err(|bad| Error::format(&segment.path, bad.offset)(bad.error))?;
        tail.at = next;
        if tail.at.size > self.view.size() {
            self.view.publish(tail.at.size);
        }
        Ok(true)
    }

    /// Notes what was sealed, dropped and restored meanwhile, and lets go of those files.
    fn note_seals(&self, state: &mut Follow) -> Result<()> {
        let tail = state.tail.as_ref().map(|tail| tail.segment.header.ordinal);
        let mut catalog = self.shared.catalog.lock();
        let Ok(catalog) = catalog.good() else { return Ok(()) };
        catalog.refresh()?;
        let followed = |entry: &SegmentEntry| entry.open.is_some() && Some(entry.ordinal) != tail;
        if catalog.size() == state.noted && !self.view.entries().iter().any(followed) {
            return Ok(());
        }
        state.noted = catalog.size();
        let known = self.view.entries();
        for sealed in catalog.state().segments() {
            let at = known.binary_search_by_key(&sealed.ordinal, |entry| entry.ordinal);
            let Some(entry) = at.ok().and_then(|at| known.get(at)) else { continue };
            if followed(entry) || entry.sealed.is_some_and(|before| before != sealed) {
                self.view.sealed(sealed);
            }
        }
        Ok(())
    }

    /// What was erased meanwhile reads as erased, also with a copy of its key at hand.
    fn note_erasures(&self) -> Result<()> {
        let opener = self.view.payload_reader();
        if !opener.asks_for_erased() {
            return Ok(());
        }
        let mut catalog = self.shared.catalog.lock();
        let Ok(catalog) = catalog.good() else { return Ok(()) };
        catalog.refresh()?;
        opener.note_erased(catalog.state());
        Ok(())
    }

    /// The log as of the last refresh: what reads and proves.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of_reader(&self.view, &self.shared)
    }

    /// The published checkpoints.
    pub fn checkpoints(&self) -> Checkpoints<'_> {
        Checkpoints::new(&self.shared)
    }

    /// Why the catalog cannot be used, if both copies are damaged: then nothing is known of
    /// records that are in no segment, and [`SegmentStatus::Missing`](super::SegmentStatus) tells
    /// where they are.
    pub fn catalog_damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }

    /// Number of records as of the last refresh.
    pub fn size(&self) -> TreeSize {
        self.view.size()
    }

    /// The log's public name; empty if its catalog is damaged.
    pub fn origin(&self) -> &str {
        &self.shared.origin
    }

    /// The log's identity, drawn when it was created.
    pub fn log_id(&self) -> LogId {
        self.shared.dir.log_id()
    }

    /// The hash of its tree.
    pub fn algorithm(&self) -> HashAlgorithm {
        self.shared.algorithm
    }
}

fn entry_of(sealed: &Sealed) -> SegmentEntry {
    let first = TreeSize::new(sealed.first);
    SegmentEntry { ordinal: sealed.ordinal, first, open: None, sealed: Some(*sealed) }
}
