//! [`Catalog`]: an open catalog.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::begin::{begin, begin_header, resume};
use super::files::{copies, read_snapshot};
use super::load::{self, Replayed};
use super::mirror::{self, Mended};
use super::places::Places;
use super::rules;
use crate::disk::{self, Disk, DiskFile, Open};
use crate::error::{Error, Result};
use crate::format::catalog_body::{CatalogBody, RecordedAttribution, Snapshot, StateMap, kind};
use crate::format::record::{self, Head, PREFIX_LEN};
use crate::format::{LogId, frame, names};
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::Frontier;
use crate::random;
use crate::segment::active::Active;
use crate::segment::bytes::{Scratch, SegmentFile};
use crate::segment::scan::{self, Position};
use crate::seq::TreeSize;
use crate::time::Clock;
use crate::tree::TreeStore;

/// A catalog segment is rotated at this size, in bytes.
pub(super) const SEGMENT_BYTES: u64 = 1 << 20;
/// A snapshot is written after so many records.
pub(super) const SNAPSHOT_EVERY: u64 = 64;

/// The open catalog of a log.
#[derive(Debug)]
pub struct Catalog {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) dir: PathBuf,
    pub(super) log_id: LogId,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) lock: Option<Arc<dyn DiskFile>>,
    /// The segment being written, once in each copy. Empty in a process that only reads.
    pub(super) active: Vec<Active>,
    /// The same segment, in the copy that was read.
    pub(super) segment: Arc<SegmentFile>,
    pub(super) end: Position,
    pub(super) state: StateMap,
    pub(super) signed: (TreeSize, Hash),
    pub(super) signed_note: Option<String>,
    /// Where records stand, as far as they were looked up.
    pub(super) places: Places,
    /// Whether the next record begins a segment, because what stood in its place was torn.
    pub(super) rotate_before_append: bool,
    /// Kind of the newest record, if it was read or written since the snapshot.
    pub(super) last_kind: Option<u8>,
    pub(super) tree: TreeStore,
    pub(super) since_snapshot: u64,
    /// Ordinal and offset up to which both copies are known to be durable.
    pub(super) durable_until: (u64, u64),
    /// Whether all its records were replayed, and not only those behind a snapshot.
    pub(super) is_replayed: bool,
    /// After a failed write: what is on disk is unknown.
    pub(super) broken: Option<String>,
}

impl Catalog {
    /// Makes the catalog of a new log, whose first record is its creation.
    ///
    /// # Errors
    /// I/O, a full disk.
    pub fn create(
        disk: Arc<dyn Disk>,
        dir: &Path,
        log_id: LogId,
        clock: Arc<dyn Clock>,
        created: &CatalogBody<'_>,
    ) -> Result<Self> {
        let [a, b] = copies(dir);
        let [copy_a, copy_b] = names::CATALOG_COPIES;
        disk::make_dirs(&*disk, dir, &[names::TREE, copy_a, copy_b])
            .map_err(Error::io("create", dir))?;
        for path in [dir.join(names::TREE), a, b] {
            // What a creation left that a crash interrupted holds no record.
            for ordinal in load::ordinals(&*disk, &path)? {
                let left = crate::segment::path(&path, ordinal);
                refuse_records(&*disk, &left)?;
                disk.remove_file(&left).map_err(Error::io("remove", &left))?;
            }
        }
        let lock = open_or_create(&*disk, dir, &dir.join(names::LOCK))?;
        disk.sync_dir(dir).map_err(Error::sync(dir))?;
        let frontier = Frontier::new(HashAlgorithm::Sha256);
        let header = begin_header(log_id, &frontier, 1, Hash::ZERO, clock.now())?;
        let active = begin(&*disk, dir, &header)?;
        let tree_dir = dir.join(names::TREE);
        let tree = TreeStore::open(Arc::clone(&disk), &tree_dir, log_id, frontier, false, None)?;
        let mut catalog = Catalog {
            segment: Arc::clone(&active[0].segment),
            end: active[0].end,
            disk,
            dir: dir.to_owned(),
            log_id,
            clock,
            lock: Some(lock),
            active,
            state: StateMap::default(),
            signed: (TreeSize::ZERO, Hash::ZERO),
            signed_note: None,
            places: Places::default(),
            rotate_before_append: false,
            last_kind: None,
            tree,
            since_snapshot: 0,
            durable_until: (1, header.first_frame()),
            is_replayed: true,
            broken: None,
        };
        catalog.append(created, &RecordedAttribution::default())?;
        Ok(catalog)
    }

    /// The log whose catalog this is; `None` if there is no record in it yet.
    ///
    /// # Errors
    /// I/O, a newer version. Damage is met when the catalog is opened.
    pub fn identify(disk: &dyn Disk, dir: &Path) -> Result<Option<LogId>> {
        for copy in copies(dir) {
            if !disk.exists(&copy).map_err(Error::io("look for", &copy))? {
                continue;
            }
            let Some(&first) = load::ordinals(disk, &copy)?.first() else { continue };
            match SegmentFile::open(disk, &crate::segment::path(&copy, first), Open::Read) {
                Ok(Some(segment)) if has_record(&segment)? => {
                    return Ok(Some(segment.header.log_id));
                }
                Err(error @ Error::Unsupported { .. }) => return Err(error),
                _ => {}
            }
        }
        Ok(None)
    }

    /// The note of the newest signed head, if it was read since the snapshot.
    pub fn signed_note(&self) -> Option<&str> {
        self.signed_note.as_deref()
    }

    /// Whether the newest record is a signed head: nothing was recorded since.
    pub fn ends_in_signed_head(&self) -> bool {
        self.last_kind == Some(kind::HEAD_SIGNED)
    }

    /// Opens the catalog for writing: replays its tail, mends a copy from the other.
    ///
    /// # Errors
    /// `Corrupt` or `Tampered` if neither copy is good; I/O.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        log_id: LogId,
        clock: Arc<dyn Clock>,
        quarantine: &Path,
    ) -> Result<(Self, Vec<Mended>)> {
        let lock_path = dir.join(names::LOCK);
        let lock = open_or_create(&*disk, dir, &lock_path)?;
        lock.lock().map_err(Error::io("lock", &lock_path))?;
        let opened = Catalog::open_locked(disk, dir, log_id, clock, quarantine, &lock);
        lock.unlock().map_err(Error::io("unlock", &lock_path))?;
        opened
    }

    fn open_locked(
        disk: Arc<dyn Disk>,
        dir: &Path,
        log_id: LogId,
        clock: Arc<dyn Clock>,
        quarantine: &Path,
        lock: &Arc<dyn DiskFile>,
    ) -> Result<(Self, Vec<Mended>)> {
        let snapshot = read_snapshot(&*disk, dir, log_id);
        let copies = copies(dir);
        let (loaded, mended) =
            mirror::load_and_mend(&*disk, &copies, log_id, snapshot.as_ref(), quarantine)?;
        let tree_dir = dir.join(names::TREE);
        if !disk.exists(&tree_dir).map_err(Error::io("look for", &tree_dir))? {
            disk::make_dir(&*disk, &tree_dir).map_err(Error::io("create", &tree_dir))?;
        }
        let (loaded, tree) = open_tree(&disk, dir, log_id, (loaded, &copies[0]), false)?;
        let mut catalog =
            Catalog::assemble(disk, dir, log_id, clock, loaded, tree, Some(Arc::clone(lock)));
        // With its first record, under that lock: until then others write where they did.
        catalog.rotate_before_append = mended.iter().any(|mended| mended.rotate);
        catalog.active = resume(&*catalog.disk, dir, &catalog.segment, catalog.end)?;
        Ok((catalog, mended))
    }

    /// Opens the catalog for reading: the copy that is good, and of two the longer one. A
    /// writer may have died, or be, between the two.
    ///
    /// # Errors
    /// As [`Catalog::open`]; nothing is mended.
    pub fn open_read_only(
        disk: Arc<dyn Disk>,
        dir: &Path,
        log_id: LogId,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let snapshot = read_snapshot(&*disk, dir, log_id);
        let copies = copies(dir);
        let load = |copy: &PathBuf| load::load(&*disk, copy, log_id, snapshot.as_ref());
        let (loaded, copy) = match (load(&copies[0]), load(&copies[1])) {
            (Err(newer @ Error::Unsupported { .. }), _)
            | (_, Err(newer @ Error::Unsupported { .. })) => return Err(newer),
            (Ok(a), Ok(b)) if b.end.size > a.end.size => (b, &copies[1]),
            (Ok(a), _) => (a, &copies[0]),
            (Err(_), b) => (b?, &copies[1]),
        };
        let (loaded, tree) = open_tree(&disk, dir, log_id, (loaded, copy), true)?;
        Ok(Catalog::assemble(disk, dir, log_id, clock, loaded, tree, None))
    }

    fn assemble(
        disk: Arc<dyn Disk>,
        dir: &Path,
        log_id: LogId,
        clock: Arc<dyn Clock>,
        loaded: load::Loaded,
        tree: TreeStore,
        lock: Option<Arc<dyn DiskFile>>,
    ) -> Self {
        let in_snapshot = loaded.replayed.snapshot_size().get();
        Catalog {
            disk,
            dir: dir.to_owned(),
            log_id,
            clock,
            lock,
            active: Vec::new(),
            durable_until: (loaded.segment.header.ordinal, loaded.end.offset),
            is_replayed: loaded.replayed.from.size() == TreeSize::ZERO,
            segment: loaded.segment,
            end: loaded.end,
            state: loaded.replayed.state,
            signed: loaded.replayed.signed,
            signed_note: loaded.replayed.signed_note,
            places: Places::default(),
            rotate_before_append: false,
            last_kind: loaded.replayed.last_kind,
            tree,
            since_snapshot: loaded.end.size.get().saturating_sub(in_snapshot),
            broken: None,
        }
    }

    /// Records in the catalog.
    pub fn size(&self) -> TreeSize {
        self.end.size
    }

    /// What is in force.
    pub fn state(&self) -> &StateMap {
        &self.state
    }

    /// The newest signed head of the main log: size (0: none) and root.
    pub fn signed(&self) -> (TreeSize, Hash) {
        self.signed
    }

    /// Root over the first `size` records of the catalog.
    ///
    /// # Errors
    /// `NotWritten` beyond its size; I/O.
    pub fn root_at(&self, size: TreeSize) -> Result<Hash> {
        self.tree.root_at(size)
    }

    /// Appends a record to both copies, durably.
    ///
    /// # Errors
    /// `DiskFull` (nothing written, try again), I/O (the catalog must be opened again).
    pub fn append(
        &mut self,
        body: &CatalogBody<'_>,
        because: &RecordedAttribution<'_>,
    ) -> Result<()> {
        self.transact(|catalog| catalog.append(body, because))
    }

    pub(super) fn append_locked(
        &mut self,
        body: &CatalogBody<'_>,
        because: &RecordedAttribution<'_>,
    ) -> Result<()> {
        if let Some(cause) = &self.broken {
            return Err(Error::CatalogDamaged { reason: cause.clone() });
        }
        if rules::is_for_good(body) {
            self.check_whole()?;
        }
        let changes = self.state.changes(self.end.size.next_seq(), body);
        let changes = changes.map_err(rules::not_written)?;
        let version = kind::segment_version(body.kind());
        let newer = self.segment.header.format_version < version;
        let due = self.end.offset >= SEGMENT_BYTES || newer || self.rotate_before_append;
        let place = if due { Some(self.rotate(version)?) } else { None };
        let before = self.state.change(changes);
        let leaf = match self.write(body, because) {
            Ok(leaf) => leaf,
            Err(error) => {
                let _after = self.state.change(before);
                if self.broken.is_none()
                    && let Some(place) = place
                {
                    self.go_back(place);
                }
                return Err(error);
            }
        };
        self.rotate_before_append = false;
        self.end = self.active[0].end;
        self.durable_until = (self.segment.header.ordinal, self.end.offset);
        self.tree.extend(&[leaf]);
        if let CatalogBody::HeadSigned(head) = body {
            self.signed = (TreeSize::new(head.size), Hash::from_bytes(head.root));
            self.signed_note = Some(head.note.to_owned());
        }
        self.last_kind = Some(body.kind());
        self.since_snapshot += 1;
        if self.since_snapshot >= SNAPSHOT_EVERY {
            // Derived: the record is durable, and the next one tries again.
            let _ = self.write_snapshot();
        }
        Ok(())
    }

    /// Writes the record that led to the state as it is, and gives its leaf.
    fn write(&mut self, body: &CatalogBody<'_>, because: &RecordedAttribution<'_>) -> Result<Hash> {
        let (frame, header, leaf) = self.encode(body, because, &self.state.root())?;
        for active in &self.active {
            active.prepare(frame.len() as u64)?;
        }
        for copy in 0..self.active.len() {
            let (written, active) = self.active.split_at_mut(copy);
            let Some(active) = active.first_mut() else { break };
            let done = active.write(&frame, &header).and_then(|()| active.sync());
            // Nothing of it may stay when the caller hears that nothing was written.
            let done = match done {
                Err(full @ Error::DiskFull { .. }) => {
                    written.iter_mut().try_for_each(Active::take_back).and(Err(full))
                }
                done => done,
            };
            if let Err(error) = done {
                if !matches!(error, Error::DiskFull { .. }) {
                    self.broken = Some(error.to_string());
                }
                return Err(error);
            }
        }
        Ok(leaf)
    }

    /// One frame with one record; the two copies get the same bytes.
    fn encode(
        &self,
        body: &CatalogBody<'_>,
        because: &RecordedAttribution<'_>,
        state_root: &Hash,
    ) -> Result<(Vec<u8>, frame::FrameHeader, Hash)> {
        let envelope = body.encode(state_root).map_err(rules::not_written)?;
        let notes = because.encode(body.kind()).map_err(rules::not_written)?;
        rules::check_readable((state_root, body, because), &envelope, &notes)?;
        let mut salted = random::random_16()?.to_vec();
        salted.extend_from_slice(&notes);
        let head = Head {
            schema: record::SCHEMA,
            kind: body.kind(),
            flags: 0,
            seq: self.end.size.next_seq(),
            recorded_at: self.clock.now(),
            envelope_len: u16::try_from(envelope.len()).unwrap_or(u16::MAX),
        };
        let bodies = [envelope.as_slice(), salted.as_slice()].concat();
        let sealed = (
            record::body_crc(&bodies),
            u32::try_from(salted.len()).unwrap_or(u32::MAX),
            &record::Digests::of_plain(&salted),
        );
        let mut prefix = [0; PREFIX_LEN];
        let context = self.segment.context();
        let leaf = record::seal(&context, &head, sealed, &mut prefix, &envelope);
        let body_len = u32::try_from(PREFIX_LEN + bodies.len()).unwrap_or(u32::MAX);
        let header = self.active[0].frame_header(body_len, 1, self.end.size);
        let mut frame = header.encode(&context.nonce, self.end.offset).to_vec();
        frame.extend_from_slice(&prefix);
        frame.extend_from_slice(&bodies);
        Ok((frame, header, leaf))
    }

    /// Reads what other processes appended. A writer syncs that first, because what it appends
    /// follows on it.
    ///
    /// # Errors
    /// I/O, damage.
    pub fn refresh(&mut self) -> Result<()> {
        match self.lock {
            Some(_) if self.broken.is_none() => self.transact(|_| Ok(())),
            _ => self.read_new(),
        }
    }

    pub(super) fn read_new(&mut self) -> Result<()> {
        let from = self.tree.frontier();
        let state = std::mem::take(&mut self.state);
        let signed = (self.signed, self.signed_note.take());
        let mut replayed = Replayed::going_on(from, state, signed, self.last_kind);
        let read = self.read_on(&mut replayed);
        self.state = replayed.state;
        self.signed = replayed.signed;
        self.signed_note = replayed.signed_note;
        self.last_kind = replayed.last_kind;
        self.tree.extend(&replayed.leaves);
        read.map(|_| ())
    }

    fn read_on(&mut self, replayed: &mut Replayed) -> Result<bool> {
        let (mut moved, mut head, mut scratch) = (false, Scratch::new(), Scratch::new());
        let mut read_again = false;
        loop {
            while let Ok(frame) = scan::frame_at(&self.segment, self.end, &mut head)? {
                let segment = Arc::clone(&self.segment);
                let body = scan::body(&segment, &frame, &mut scratch)?;
                let mut applied = Ok(());
                let whole = scan::records(&segment, &frame, body, |at, record| {
                    if applied.is_ok() {
                        applied = replayed.apply(&segment, (&frame, at), &record);
                    }
                });
                if whole.is_err() {
                    break; // another process is writing it
                }
                applied?;
                self.end = frame.next(segment.header.frame_align);
                moved = true;
            }
            let dir = self.segment.path.parent().unwrap_or(&self.dir);
            let next = crate::segment::path(dir, self.segment.header.ordinal + 1);
            if !self.disk.exists(&next).map_err(Error::io("look for", &next))? {
                return Ok(moved);
            }
            let Some(segment) = SegmentFile::open(&*self.disk, &next, Open::Read)? else {
                return Ok(moved);
            };
            // A writer may have added a record before it began the next segment.
            if segment.header.first > self.end.size && !read_again {
                read_again = true;
                continue;
            }
            read_again = false;
            load::check_next(&segment, &self.segment, replayed)?;
            self.end =
                Position { offset: segment.header.first_frame(), size: segment.header.first };
            self.segment = Arc::new(segment);
            moved = true;
        }
    }

    /// Writes the snapshot that bounds the next replay. Derived: may fail without harm.
    ///
    /// # Errors
    /// I/O.
    pub fn write_snapshot(&mut self) -> Result<()> {
        let frontier = self.tree.flush()?;
        let snapshot = Snapshot {
            size: self.end.size.get(),
            peaks: frontier.peaks().iter().map(|peak| *peak.as_bytes()).collect(),
            ordinal: self.segment.header.ordinal,
            nonce: self.segment.header.nonce,
            offset: self.end.offset,
            state: Snapshot::entries_of(&self.state),
            signed: (self.signed.0.get(), *self.signed.1.as_bytes()),
        };
        let path = self.dir.join(names::SNAPSHOT);
        let bytes = snapshot.encode(self.log_id).map_err(Error::format(&path, 0))?;
        crate::disk::replace_file(&*self.disk, &path, &bytes).map_err(Error::io("write", &path))?;
        self.since_snapshot = 0;
        Ok(())
    }
}

/// An interrupted creation left one frame at most: a file with more is a catalog whose beginning
/// is damaged, and is not deleted.
fn refuse_records(disk: &dyn Disk, path: &Path) -> Result<()> {
    let bytes =
        disk::read_file(disk, path, mirror::MAX_SEGMENT).map_err(Error::io("read", path))?;
    let frames = bytes.windows(frame::MAGIC.len()).filter(|at| *at == frame::MAGIC).count();
    match frames {
        0 | 1 => Ok(()),
        _ => Err(Error::corrupt(path, 0, "the beginning of a catalog", "records behind damage")),
    }
}

fn has_record(segment: &SegmentFile) -> Result<bool> {
    let at = Position { offset: segment.header.first_frame(), size: segment.header.first };
    let (mut head, mut scratch) = (Scratch::new(), Scratch::new());
    let Ok(frame) = scan::frame_at(segment, at, &mut head)? else { return Ok(false) };
    let Ok(body) = scan::body(segment, &frame, &mut scratch) else { return Ok(false) };
    Ok(scan::records(segment, &frame, body, |_, _| ()).is_ok())
}

fn open_or_create(disk: &dyn Disk, dir: &Path, path: &Path) -> Result<Arc<dyn DiskFile>> {
    if disk.exists(path).map_err(Error::io("look for", path))? {
        return disk.open(path, Open::ReadWrite).map_err(Error::io("open", path));
    }
    let file = disk.open(path, Open::CreateNew).map_err(Error::io("create", path))?;
    disk.sync_dir(dir).map_err(Error::sync(dir))?;
    Ok(file)
}

/// The catalog's tree where the replay began, which after a replay of all records believes no file;
/// made anew from all records if its files
/// do not fit.
fn open_tree(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    log_id: LogId,
    read: (load::Loaded, &Path),
    read_only: bool,
) -> Result<(load::Loaded, TreeStore)> {
    let (loaded, copy) = read;
    let tree_dir = dir.join(names::TREE);
    let open = |loaded: &load::Loaded| {
        let from = loaded.replayed.from.clone();
        TreeStore::open(Arc::clone(disk), &tree_dir, log_id, from, read_only, None)
    };
    let (loaded, tree) = match open(&loaded) {
        Ok(tree) => (loaded, tree),
        Err(Error::Corrupt { .. }) => {
            let whole = load::load(&**disk, copy, log_id, None)?;
            let tree = open(&whole)?;
            (whole, tree)
        }
        Err(error) => return Err(error),
    };
    tree.extend(&loaded.replayed.leaves);
    if !read_only && loaded.replayed.from.size() == TreeSize::ZERO {
        // Written with the snapshot: what they have of it, if it is right, is not written again.
        tree.adopt_files(loaded.replayed.snapshot_size())?;
    }
    Ok((loaded, tree))
}
