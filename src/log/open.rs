//! Creating and opening a log.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use crate::catalog::{Catalog, Mended};
use crate::checkpoint::KeyName;
use crate::disk::{self, Disk, DiskFile, Open, read_exact_at};
use crate::error::{Error, Result};
use crate::format::catalog_body::{Because, CatalogBody, Created, Quarantined};
use crate::format::lock::{self, LockFile};
use crate::format::{LogId, Stream, names};
use crate::hash::{Hash, HashAlgorithm};
use crate::log::core::{
    CatalogState, Core, Upkeep, catalog_dir, checkpoints_dir, lock_path, quarantine_dir,
    segments_dir, tree_dir,
};
use crate::log::encode::random_error;
use crate::log::options::{Housekeeping, LogOptions};
use crate::log::protection::Comparison;
use crate::log::recover::{self, Recovered};
use crate::log::verify::{DIGEST_MARK, digest_of};
use crate::log::view::{Entry, View};
use crate::log::{Log, erase, restoring, retain, settle, upkeep};
use crate::random;
use crate::ranked::{Mutex, Rank, RwLock};
use crate::segment;
use crate::seq::TreeSize;
use crate::tree::mark::MarkFile;

/// What opening a log found and did.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Recovery {
    /// Bytes that were not part of the log and were set aside.
    pub set_aside: Vec<SetAside>,
    /// Records above the newest mark, which were read and hashed again.
    pub replayed: u64,
    /// Why everything was hashed again, if there was no mark that fits.
    pub rebuilt: Option<String>,
    /// Segments that the catalog knows and whose file is missing.
    pub missing_segments: Vec<u64>,
    /// Dropped segments of which the hash files had lost hashes when they were made anew. What
    /// needs those is refused from now on: consistency with a checkpoint whose size lies within
    /// such a segment. Restoring the segment from an archive brings them back.
    pub lost_hashes: Vec<u64>,
    /// Why the catalog cannot be used, if both copies are damaged.
    pub catalog_damage: Option<String>,
}

/// Bytes that recovery moved to `quarantine/`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SetAside {
    /// Main log or catalog.
    pub stream: Stream,
    /// The segment they were cut from.
    pub ordinal: u64,
    /// Their offset in it.
    pub offset: u64,
    /// How many.
    pub len: u64,
    /// The file in `quarantine/`.
    pub file: String,
    /// Why they were not part of the log.
    pub reason: String,
    /// Whether they are a copy of the catalog's segment that was damaged, or behind, and was made
    /// equal to the other copy. Else they were cut off.
    pub mended: bool,
}

impl fmt::Display for SetAside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SetAside { ordinal, offset, len, file, reason, .. } = self;
        if self.mended {
            return write!(
                f,
                "a copy of catalog segment {ordinal} was not equal to the other copy, which took \
                 its place; its {len} bytes were set aside in {file}: {reason}; no record is lost"
            );
        }
        let of = if self.stream == Stream::Catalog { "catalog segment" } else { "segment" };
        write!(
            f,
            "{len} bytes at offset {offset} of {of} {ordinal} were not part of the log and were \
             set aside in {file}: {reason}; no acknowledged record is affected"
        )
    }
}

impl SetAside {
    /// What mending the catalog set aside.
    pub(in crate::log) fn of_catalog(mended: Mended) -> Self {
        SetAside {
            stream: Stream::Catalog,
            ordinal: mended.ordinal,
            offset: mended.offset,
            len: mended.len,
            file: mended.file,
            reason: mended.reason,
            mended: mended.is_copy,
        }
    }
}

/// Directories whose content is derived, or published elsewhere too: made again if missing.
const DERIVED: [&str; 3] = [names::TREE, names::CHECKPOINTS, names::QUARANTINE];

pub(super) fn create(options: LogOptions, dir: &Path) -> Result<Log> {
    let disk = Arc::clone(&options.disk);
    let origin = options.origin.clone().unwrap_or_else(|| default_origin(dir));
    KeyName::new(&origin)
        .map_err(|error| Error::InvalidOption { name: "origin", reason: error.to_string() })?;
    make_directories(&*disk, dir)?;
    let lock = take_lock(&*disk, dir)?;
    // Somebody else may have been quicker.
    refuse_existing(&*disk, dir)?;
    let log_id = LogId(random::random_16().map_err(random_error)?);
    let created_at = options.clock.now().as_nanos();
    let hash_algorithm = options.algorithm.code();
    let created = CatalogBody::Created(Created { origin: &origin, hash_algorithm, created_at });
    let clock = Arc::clone(&options.clock);
    let catalog = Catalog::create(Arc::clone(&disk), &catalog_dir(dir), log_id, clock, &created)?;
    let identity = Identity { log_id, algorithm: options.algorithm, origin };
    finish(options, dir, lock, identity, CatalogState::Good(Box::new(catalog)), Vec::new())
}

/// A creation that a crash interrupted is done again; anything else is refused.
fn make_directories(disk: &dyn Disk, dir: &Path) -> Result<()> {
    if disk.exists(dir).map_err(Error::io("look for", dir))? {
        refuse_existing(disk, dir)?;
    } else {
        disk::make_dir(disk, dir).map_err(Error::io("create", dir))?;
    }
    make_missing(disk, dir, &names::DIRECTORIES)
}

/// Nothing may be there but what an interrupted creation left.
fn refuse_existing(disk: &dyn Disk, dir: &Path) -> Result<()> {
    let names = disk.list(dir).map_err(Error::io("list", dir))?;
    let begun = Catalog::identify(disk, &catalog_dir(dir))?.is_some()
        || segment::identify(disk, &segments_dir(dir))?.is_some();
    if begun {
        return Err(Error::Exists { path: dir.to_owned() });
    }
    if names.iter().any(|name| name != names::LOCK && !names::DIRECTORIES.contains(&name.as_str()))
    {
        let reason = format!("{} is not empty, and what is in it is no log", dir.display());
        return Err(Error::InvalidOption { name: "path", reason });
    }
    Ok(())
}

/// Makes those of the directories that are not there.
fn make_missing(disk: &dyn Disk, dir: &Path, names: &[&str]) -> Result<()> {
    disk::make_dirs(disk, dir, names).map_err(Error::io("make directories in", dir))
}

/// `bulla.local/` and what of the directory's name may stand in a key name.
fn default_origin(dir: &Path) -> String {
    let name = dir.file_name().map(|name| name.to_string_lossy().into_owned());
    let kept = |c: &char| c.is_ascii_alphanumeric() || "-_.".contains(*c);
    let name: String = name.unwrap_or_default().chars().filter(kept).collect();
    format!("bulla.local/{}", if name.is_empty() { "log" } else { &name })
}

fn take_lock(disk: &dyn Disk, dir: &Path) -> Result<Arc<dyn DiskFile>> {
    let path = lock_path(dir);
    let opened = match disk.exists(&path).map_err(Error::io("look for", &path))? {
        true => disk.open(&path, Open::ReadWrite),
        // It holds nothing that is needed: a copy of a log may come without it.
        false => match disk.open(&path, Open::CreateNew) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                disk.open(&path, Open::ReadWrite)
            }
            created => created,
        },
    };
    let file = opened.map_err(Error::io("open", &path))?;
    if file.try_lock().map_err(Error::io("lock", &path))? {
        return Ok(file);
    }
    Err(Error::Locked { path: dir.to_owned(), pid: read_lock(&*file).map(|lock| lock.pid) })
}

/// What the writer published; `None` if it is half written or damaged.
pub(super) fn read_lock(file: &dyn DiskFile) -> Option<LockFile> {
    let mut buf = [0; lock::LEN];
    read_exact_at(file, &mut buf, 0).ok()?;
    LockFile::decode(&buf).ok()
}

/// Who a log is.
pub(super) struct Identity {
    pub(super) log_id: LogId,
    pub(super) algorithm: HashAlgorithm,
    pub(super) origin: String,
}

/// There must be a log at this path.
pub(in crate::log) fn check_is_log(disk: &dyn Disk, dir: &Path) -> Result<LogId> {
    let missing = |missing: &str| Error::NotALog { path: dir.to_owned(), missing: missing.into() };
    if !disk.exists(dir).map_err(Error::io("look for", dir))? {
        return Err(missing("no such directory"));
    }
    if let Some(log_id) = Catalog::identify(disk, &catalog_dir(dir))? {
        return Ok(log_id);
    }
    match segment::identify(disk, &segments_dir(dir))? {
        Some(header) => Ok(header.log_id),
        None => {
            refuse_unreadable(disk, &catalog_dir(dir), 1)?;
            refuse_unreadable(disk, &segments_dir(dir), 0)?;
            Err(missing("no catalog and no segment (its creation was interrupted)"))
        }
    }
}

/// What may not be read is not missing: the segments here, or in the copies below.
fn refuse_unreadable(disk: &dyn Disk, dir: &Path, depth: usize) -> Result<()> {
    let names = match disk.list(dir) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Err(Error::io("list", dir)(error));
        }
        names => names.unwrap_or_default(),
    };
    for name in names {
        let path = dir.join(&name);
        if names::parse_segment(&name).is_none() {
            if depth > 0 {
                refuse_unreadable(disk, &path, depth - 1)?;
            }
        } else if let Err(error) = disk.open(&path, Open::Read)
            && error.kind() == io::ErrorKind::PermissionDenied
        {
            return Err(Error::io("open", &path)(error));
        }
    }
    Ok(())
}

pub(super) fn open(options: LogOptions, dir: &Path) -> Result<Log> {
    let disk = Arc::clone(&options.disk);
    let log_id = check_is_log(&*disk, dir)?;
    let lock = take_lock(&*disk, dir)?;
    let (catalog, mended) = open_catalog(&options, dir, log_id)?;
    let identity = identity(&*disk, dir, log_id, &catalog)?;
    let set_aside = mended.into_iter().map(SetAside::of_catalog).collect();
    finish(options, dir, lock, identity, catalog, set_aside)
}

fn open_catalog(
    options: &LogOptions,
    dir: &Path,
    log_id: LogId,
) -> Result<(CatalogState, Vec<Mended>)> {
    let (disk, clock) = (Arc::clone(&options.disk), Arc::clone(&options.clock));
    match Catalog::open(disk, &catalog_dir(dir), log_id, clock, &quarantine_dir(dir)) {
        Ok((catalog, mended)) => Ok((CatalogState::Good(Box::new(catalog)), mended)),
        // Damaged in both copies: appending and reading go on without it.
        Err(error @ (Error::Corrupt { .. } | Error::NotALog { .. })) => {
            Ok((CatalogState::Damaged(error.to_string()), Vec::new()))
        }
        Err(error) => Err(error),
    }
}

fn identity(
    disk: &dyn Disk,
    dir: &Path,
    log_id: LogId,
    catalog: &CatalogState,
) -> Result<Identity> {
    if let CatalogState::Good(catalog) = catalog {
        return catalog_identity(dir, log_id, catalog);
    }
    let header = segment::identify(disk, &segments_dir(dir))?;
    let Some(header) = header else {
        let missing = "its catalog is damaged and there is no segment".to_owned();
        return Err(Error::NotALog { path: dir.to_owned(), missing });
    };
    Ok(Identity { log_id, algorithm: header.algorithm, origin: String::new() })
}

pub(super) fn catalog_identity(dir: &Path, log_id: LogId, catalog: &Catalog) -> Result<Identity> {
    let created = catalog.state().created();
    let known = created.and_then(|created| {
        let algorithm = HashAlgorithm::from_code(created.hash_algorithm)?;
        let origin = catalog.state().origin()?.to_owned();
        Some(Identity { log_id, algorithm, origin })
    });
    known.ok_or_else(|| {
        let path = catalog_dir(dir);
        Error::corrupt(&path, 0, "a record of the log's creation", "none")
    })
}

/// Recovers the main log and puts the parts together.
fn finish(
    options: LogOptions,
    dir: &Path,
    lock: Arc<dyn DiskFile>,
    identity: Identity,
    mut catalog: CatalogState,
    mut set_aside: Vec<SetAside>,
) -> Result<Log> {
    let disk = Arc::clone(&options.disk);
    let Identity { log_id, algorithm, origin } = identity;
    make_missing(&*disk, dir, &DERIVED)?;
    let (marks, mark) = MarkFile::open_or_create(&*disk, &tree_dir(dir), log_id)?;
    // A mark of another tree is none.
    let mark = mark.filter(|mark| mark.frontier.algorithm() == algorithm);
    let known = match &catalog {
        CatalogState::Good(catalog) => (catalog.state().segments().collect(), catalog.signed()),
        CatalogState::Damaged(_) => {
            (recover::sealed_by_footers(&options, dir)?, (TreeSize::ZERO, Hash::ZERO))
        }
    };
    let mut protection = Comparison::of(&options, dir, log_id, &catalog)?;
    if let Some(store) = &options.key_store {
        store.bind(log_id)?;
    }
    if let CatalogState::Good(catalog) = &catalog {
        restoring::settle_restores(&*disk, dir, catalog.state())?;
    }
    let Recovered { tree, entries, writer, ahead, mut recovery, leftovers } =
        recover::main_log(&options, dir, (log_id, algorithm), mark, known, &catalog)?;
    let view = Arc::new(make_view(&options, dir, (log_id, algorithm), entries));
    view.publish(writer.size);
    match &catalog {
        CatalogState::Good(catalog) => {
            settle::check_against_catalog(&view, dir, &tree, writer.last_anchor, catalog)?;
            view.opener().note_erased(catalog.state());
        }
        CatalogState::Damaged(reason) => {
            settle::check_published(&*disk, dir, writer.size)?;
            recovery.catalog_damage = Some(reason.clone());
        }
    }
    protection.look_at(&options, dir, &catalog, &view)?;
    if let (Some(damage), Some(unknown)) = (&mut recovery.catalog_damage, protection.unknown()) {
        *damage = format!("{damage}; {unknown}");
    }
    // Everything is in order: only now is anything changed.
    if tree.is_anew() {
        // Should the new files' names not last, the next opening makes them anew once more.
        marks.forget()?;
    }
    // Without space the hashes stay in memory: the first mark comes when they are on disk.
    upkeep::unless_full(tree.put_in_place())?;
    set_aside.append(&mut settle::set_aside(&*disk, dir, &leftovers)?);
    if let Ok(catalog) = catalog.good() {
        record_set_aside(&*disk, dir, catalog, &set_aside)?;
    }
    protection.record(&mut catalog)?;
    settle::clear_away(&*disk, dir, &leftovers)?;
    erase::finish(options.key_store.as_ref(), &mut catalog)?;
    recovery.set_aside = set_aside;
    let now = options.clock.monotonic();
    let durable = AtomicU64::new(writer.size.get());
    let core = Arc::new(Core {
        dir: dir.to_owned(),
        log_id,
        algorithm,
        origin,
        lock,
        view,
        tree: Arc::new(tree),
        queue: Default::default(),
        upkeep: Mutex::new(
            Rank::Upkeep,
            Upkeep { marks, seen: (writer.size.get(), now), synced_at: now, not_sealed: None },
        ),
        writer: Mutex::new(Rank::Writer, writer),
        ahead: Mutex::new(Rank::Ahead, ahead),
        catalog: Mutex::new(Rank::Catalog, catalog),
        signing: Mutex::new(Rank::Signing, ()),
        encrypting: RwLock::new(Rank::Encrypting, ()),
        wants_upkeep: AtomicBool::new(true),
        durable,
        committer: Mutex::new(Rank::Committer, None),
        recovery,
        options,
    });
    settle::republish(&core)?;
    core.writer.lock().set_durable(&core, core.view.size());
    core.upkeep_after_open()?;
    match retain::settle(&core) {
        // The next opening or expiry goes on.
        Err(Error::DiskFull { .. }) => {}
        settled => settled?,
    }
    if core.options.housekeeping == Housekeeping::Background {
        upkeep::register(&core)?;
    }
    Ok(Log::new(core))
}

pub(super) fn make_view(
    options: &LogOptions,
    dir: &Path,
    identity: (LogId, HashAlgorithm),
    entries: Vec<Entry>,
) -> View {
    let reading = (options.mmap, Arc::clone(&options.clock));
    let (disk, store) = (Arc::clone(&options.disk), options.key_store.clone());
    View::new(disk, segments_dir(dir), identity, reading, entries, store)
}

/// Puts on record what was set aside, with its digest.
pub(in crate::log) fn record_set_aside(
    disk: &dyn Disk,
    dir: &Path,
    catalog: &mut Catalog,
    set_aside: &[SetAside],
) -> Result<()> {
    for bytes in set_aside {
        let path = quarantine_dir(dir).join(&bytes.file);
        let kept = disk::read_file(disk, &path, u64::MAX).map_err(Error::io("read", &path))?;
        let why = format!("recovery; {DIGEST_MARK}{}", digest_of(&kept));
        let body = CatalogBody::Quarantined(Quarantined {
            stream: bytes.stream.code(),
            ordinal: bytes.ordinal,
            offset: bytes.offset,
            len: bytes.len,
            file: &bytes.file,
            reason: &bytes.reason,
        });
        catalog.append(&body, &Because { why: Some(&why), ..Because::default() })?;
    }
    Ok(())
}

/// The paths of the published checkpoints, by size, ascending.
pub(super) fn checkpoint_files(disk: &dyn Disk, dir: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let dir = checkpoints_dir(dir);
    if !disk.exists(&dir).map_err(Error::io("look for", &dir))? {
        return Ok(Vec::new());
    }
    let names = disk.list(&dir).map_err(Error::io("list", &dir))?;
    let published = names.iter().filter_map(|name| {
        let (_, size) = names::parse_checkpoint(name)?;
        Some((size.get(), dir.join(name)))
    });
    let mut files: Vec<(u64, PathBuf)> = published.collect();
    files.sort_unstable();
    Ok(files)
}
