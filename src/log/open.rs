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
use crate::log::core::{CatalogState, Core, Upkeep};
use crate::log::dir::LogDir;
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

pub(super) fn create(options: LogOptions, path: &Path) -> Result<Log> {
    let origin = options.origin.clone().unwrap_or_else(|| default_origin(path));
    KeyName::new(&origin)
        .map_err(|error| Error::InvalidOption { name: "origin", reason: error.to_string() })?;
    let dir = options.dir(path, LogId(random::random_16().map_err(random_error)?));
    make_directories(&dir)?;
    let lock = take_lock(&dir)?;
    // Somebody else may have been quicker.
    refuse_existing(&dir)?;
    let created_at = options.clock.now().as_nanos();
    let hash_algorithm = options.algorithm.code();
    let created = CatalogBody::Created(Created { origin: &origin, hash_algorithm, created_at });
    let (disk, clock) = (dir.shared_disk(), dir.shared_clock());
    let catalog = Catalog::create(disk, &dir.catalog(), dir.log_id(), clock, &created)?;
    let identity = Identity { algorithm: options.algorithm, origin };
    finish(options, dir, lock, identity, CatalogState::Good(Box::new(catalog)), Vec::new())
}

/// A creation that a crash interrupted is done again; anything else is refused.
fn make_directories(dir: &LogDir) -> Result<()> {
    let path = dir.path();
    if dir.disk().exists(path).map_err(Error::io("look for", path))? {
        refuse_existing(dir)?;
    } else {
        disk::make_dir(dir.disk(), path).map_err(Error::io("create", path))?;
    }
    make_missing(dir, &names::DIRECTORIES)
}

/// Nothing may be there but what an interrupted creation left.
fn refuse_existing(dir: &LogDir) -> Result<()> {
    let path = dir.path();
    let names = dir.disk().list(path).map_err(Error::io("list", path))?;
    let begun = Catalog::identify(dir.disk(), &dir.catalog())?.is_some()
        || segment::identify(dir.disk(), &dir.segments())?.is_some();
    if begun {
        return Err(Error::Exists { path: path.to_owned() });
    }
    if names.iter().any(|name| name != names::LOCK && !names::DIRECTORIES.contains(&name.as_str()))
    {
        let reason = format!("{} is not empty, and what is in it is no log", path.display());
        return Err(Error::InvalidOption { name: "path", reason });
    }
    Ok(())
}

/// Makes those of the directories that are not there.
fn make_missing(dir: &LogDir, names: &[&str]) -> Result<()> {
    let made = disk::make_dirs(dir.disk(), dir.path(), names);
    made.map_err(Error::io("make directories in", dir.path()))
}

/// `bulla.local/` and what of the directory's name may stand in a key name.
fn default_origin(dir: &Path) -> String {
    let name = dir.file_name().map(|name| name.to_string_lossy().into_owned());
    let kept = |c: &char| c.is_ascii_alphanumeric() || "-_.".contains(*c);
    let name: String = name.unwrap_or_default().chars().filter(kept).collect();
    format!("bulla.local/{}", if name.is_empty() { "log" } else { &name })
}

fn take_lock(dir: &LogDir) -> Result<Arc<dyn DiskFile>> {
    let (disk, path) = (dir.disk(), dir.lock_file());
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
    Err(Error::Locked { path: dir.path().to_owned(), pid: read_lock(&*file).map(|lock| lock.pid) })
}

/// What the writer published; `None` if it is half written or damaged.
pub(super) fn read_lock(file: &dyn DiskFile) -> Option<LockFile> {
    let mut buf = [0; lock::LEN];
    read_exact_at(file, &mut buf, 0).ok()?;
    LockFile::decode(&buf).ok()
}

/// What a log is, apart from its id.
pub(super) struct Identity {
    pub(super) algorithm: HashAlgorithm,
    pub(super) origin: String,
}

/// There must be a log at this path.
pub(in crate::log) fn check_is_log(disk: &dyn Disk, dir: &Path) -> Result<LogId> {
    let (catalog, segments) = (dir.join(names::CATALOG), dir.join(names::SEGMENTS));
    let missing = |missing: &str| Error::NotALog { path: dir.to_owned(), missing: missing.into() };
    if !disk.exists(dir).map_err(Error::io("look for", dir))? {
        return Err(missing("no such directory"));
    }
    if let Some(log_id) = Catalog::identify(disk, &catalog)? {
        return Ok(log_id);
    }
    match segment::identify(disk, &segments)? {
        Some(header) => Ok(header.log_id),
        None => {
            refuse_unreadable(disk, &catalog, 1)?;
            refuse_unreadable(disk, &segments, 0)?;
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

pub(super) fn open(options: LogOptions, path: &Path) -> Result<Log> {
    let dir = options.dir(path, check_is_log(&*options.disk, path)?);
    let lock = take_lock(&dir)?;
    let (catalog, mended) = open_catalog(&dir)?;
    let identity = identity(&dir, &catalog)?;
    let set_aside = mended.into_iter().map(SetAside::of_catalog).collect();
    finish(options, dir, lock, identity, catalog, set_aside)
}

fn open_catalog(dir: &LogDir) -> Result<(CatalogState, Vec<Mended>)> {
    let (disk, clock) = (dir.shared_disk(), dir.shared_clock());
    match Catalog::open(disk, &dir.catalog(), dir.log_id(), clock, &dir.quarantine()) {
        Ok((catalog, mended)) => Ok((CatalogState::Good(Box::new(catalog)), mended)),
        // Damaged in both copies: appending and reading go on without it.
        Err(error @ (Error::Corrupt { .. } | Error::NotALog { .. })) => {
            Ok((CatalogState::Damaged(error.to_string()), Vec::new()))
        }
        Err(error) => Err(error),
    }
}

fn identity(dir: &LogDir, catalog: &CatalogState) -> Result<Identity> {
    if let CatalogState::Good(catalog) = catalog {
        return catalog_identity(dir, catalog);
    }
    let header = segment::identify(dir.disk(), &dir.segments())?;
    let Some(header) = header else {
        let missing = "its catalog is damaged and there is no segment".to_owned();
        return Err(Error::NotALog { path: dir.path().to_owned(), missing });
    };
    Ok(Identity { algorithm: header.algorithm, origin: String::new() })
}

pub(super) fn catalog_identity(dir: &LogDir, catalog: &Catalog) -> Result<Identity> {
    let created = catalog.state().created();
    let known = created.and_then(|created| {
        let algorithm = HashAlgorithm::from_code(created.hash_algorithm)?;
        let origin = catalog.state().origin()?.to_owned();
        Some(Identity { algorithm, origin })
    });
    known.ok_or_else(|| {
        let path = dir.catalog();
        Error::corrupt(&path, 0, "a record of the log's creation", "none")
    })
}

/// Recovers the main log and puts the parts together.
fn finish(
    options: LogOptions,
    dir: LogDir,
    lock: Arc<dyn DiskFile>,
    identity: Identity,
    mut catalog: CatalogState,
    mut set_aside: Vec<SetAside>,
) -> Result<Log> {
    let Identity { algorithm, origin } = identity;
    make_missing(&dir, &DERIVED)?;
    let (marks, mark) = MarkFile::open_or_create(dir.disk(), &dir.tree(), dir.log_id())?;
    // A mark of another tree is none.
    let mark = mark.filter(|mark| mark.frontier.algorithm() == algorithm);
    let known = match &catalog {
        CatalogState::Good(catalog) => (catalog.state().segments().collect(), catalog.signed()),
        CatalogState::Damaged(_) => {
            (recover::sealed_by_footers(&dir)?, (TreeSize::ZERO, Hash::ZERO))
        }
    };
    let mut protection = Comparison::of(&options, &dir, &catalog)?;
    if let Some(store) = &options.key_store {
        store.bind(dir.log_id())?;
    }
    if let CatalogState::Good(catalog) = &catalog {
        restoring::settle_restores(&dir, catalog.state())?;
    }
    let Recovered { tree, entries, writer, ahead, mut recovery, leftovers } =
        recover::main_log(&options, &dir, algorithm, mark, known, &catalog)?;
    let view = Arc::new(make_view(&options, &dir, algorithm, entries));
    view.publish(writer.size);
    match &catalog {
        CatalogState::Good(catalog) => {
            settle::check_against_catalog(&view, &tree, writer.last_anchor, catalog)?;
            view.opener().note_erased(catalog.state());
        }
        CatalogState::Damaged(reason) => {
            settle::check_published(&dir, writer.size)?;
            recovery.catalog_damage = Some(reason.clone());
        }
    }
    protection.look_at(&options, &dir, &catalog, &view)?;
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
    set_aside.append(&mut settle::set_aside(&dir, &leftovers)?);
    if let Ok(catalog) = catalog.good() {
        record_set_aside(&dir, catalog, &set_aside)?;
    }
    protection.record(&mut catalog)?;
    settle::clear_away(&dir, &leftovers)?;
    erase::finish(options.key_store.as_ref(), &mut catalog)?;
    recovery.set_aside = set_aside;
    let now = options.clock.monotonic();
    let durable = AtomicU64::new(writer.size.get());
    let core = Arc::new(Core {
        dir,
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
    dir: &LogDir,
    algorithm: HashAlgorithm,
    entries: Vec<Entry>,
) -> View {
    View::new(dir.clone(), algorithm, options.mmap, entries, options.key_store.clone())
}

/// Puts on record what was set aside, with its digest.
pub(in crate::log) fn record_set_aside(
    dir: &LogDir,
    catalog: &mut Catalog,
    set_aside: &[SetAside],
) -> Result<()> {
    for bytes in set_aside {
        let path = dir.quarantine().join(&bytes.file);
        let kept =
            disk::read_file(dir.disk(), &path, u64::MAX).map_err(Error::io("read", &path))?;
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
pub(super) fn checkpoint_files(dir: &LogDir) -> Result<Vec<(u64, PathBuf)>> {
    let (disk, dir) = (dir.disk(), dir.checkpoints());
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
