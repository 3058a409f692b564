//! Creating and opening a log.

use std::path::Path;
use std::sync::{Arc, Weak};

use crate::catalog::{Catalog, Mended};
use crate::checkpoint::KeyName;
use crate::directory::LogDir;
use crate::directory::identity::{Identity, check_is_log, identity};
use crate::directory::lock;
use crate::directory::quarantine::{QuarantinedBytes, record_set_aside};
use crate::disk::{self, DiskFile};
use crate::engine::core::{Core, Upkeep};
use crate::engine::erase;
use crate::engine::restoring;
use crate::engine::retain;
use crate::engine::sign;
use crate::engine::upkeep;
use crate::error::{Error, Result};
use crate::format::catalog_body::{CatalogBody, Created};
use crate::format::{LogId, names};
use crate::hash::Hash;
use crate::log::follow::LogReader;
use crate::log::handle::Log;
use crate::options::{Housekeeping, LogOptions};
use crate::random;
use crate::ranked::{Mutex, Rank, RwLock};
use crate::read::catalog_state::CatalogState;
use crate::read::segment_set::SegmentSet;
use crate::read::shared::Shared;
use crate::recover::main_log::{self, Recovered};
use crate::recover::protection::Comparison;
use crate::recover::settle;
use crate::segment;
use crate::seq::TreeSize;
use crate::tree::mark::RecoveryPointFile;
use crate::write::group_commit::GroupCommit;
use crate::write::housekeeper::{self, Nudge};
use crate::write::protect;
use crate::write::writer::{Outlet, Writer};

/// Directories whose content is derived, or published elsewhere too: made again if missing.
const DERIVED: [&str; 3] = [names::TREE, names::CHECKPOINTS, names::QUARANTINE];

impl LogOptions {
    /// Creates a log in a new directory.
    ///
    /// # Errors
    /// `Exists` if there is one; an option out of its range; `DiskFull`, I/O: after one of those the
    /// log may be there, and [`LogOptions::open_or_create`] goes on.
    pub fn create(self, path: impl AsRef<Path>) -> Result<Log> {
        check(&self)?;
        create(self, path.as_ref())
    }

    /// Opens a log for writing; creates none.
    ///
    /// # Errors
    /// `NotALog` if there is none, `Locked`, `Corrupt`, `Tampered`, `Unsupported`; `Unprotected` if
    /// the log's events are protected by more than these options have; I/O.
    pub fn open(self, path: impl AsRef<Path>) -> Result<Log> {
        check(&self)?;
        open(self, path.as_ref())
    }

    /// Opens the log at this path, or creates it.
    ///
    /// # Errors
    /// As [`LogOptions::open`] and [`LogOptions::create`].
    pub fn open_or_create(self, path: impl AsRef<Path>) -> Result<Log> {
        match self.clone().open(path.as_ref()) {
            Err(Error::NotALog { .. }) => match self.clone().create(path.as_ref()) {
                // Somebody else was quicker.
                Err(Error::Exists { .. }) => self.open(path),
                created => created,
            },
            opened => opened,
        }
    }

    /// Opens a log for reading, also while another process writes it.
    ///
    /// # Errors
    /// As [`LogOptions::open`], but never `Locked`; nothing is changed on disk.
    pub fn open_read_only(self, path: impl AsRef<Path>) -> Result<LogReader> {
        LogReader::open(self, path.as_ref())
    }
}

fn check(options: &LogOptions) -> Result<()> {
    options.check_ranges()?;
    protect::check(options)
}

fn create(options: LogOptions, path: &Path) -> Result<Log> {
    let origin = options.origin.clone().unwrap_or_else(|| default_origin(path));
    KeyName::new(&origin)
        .map_err(|error| Error::InvalidOption { name: "origin", reason: error.to_string() })?;
    let dir = options.dir(path, LogId(random::random_16()?));
    make_directories(&dir)?;
    let lock = lock::take(&dir)?;
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

fn open(options: LogOptions, path: &Path) -> Result<Log> {
    let dir = options.dir(path, check_is_log(&*options.disk, path)?);
    let lock = lock::take(&dir)?;
    let (catalog, mended) = open_catalog(&dir)?;
    let identity = identity(&dir, catalog.as_good())?;
    let set_aside = mended.into_iter().map(QuarantinedBytes::of_catalog).collect();
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

/// Recovers the main log and puts the parts together.
fn finish(
    options: LogOptions,
    dir: LogDir,
    lock: Arc<dyn DiskFile>,
    identity: Identity,
    mut catalog: CatalogState,
    mut set_aside: Vec<QuarantinedBytes>,
) -> Result<Log> {
    let Identity { algorithm, origin } = identity;
    make_missing(&dir, &DERIVED)?;
    let (marks, mark) = RecoveryPointFile::open_or_create(dir.disk(), &dir.tree(), dir.log_id())?;
    // A mark of another tree is none.
    let mark = mark.filter(|mark| mark.frontier.algorithm() == algorithm);
    let known = match &catalog {
        CatalogState::Good(catalog) => (catalog.state().segments().collect(), catalog.signed()),
        CatalogState::Damaged(_) => {
            (main_log::sealed_by_footers(&dir)?, (TreeSize::ZERO, Hash::ZERO))
        }
    };
    let mut protection = Comparison::of(&options, &dir, &catalog)?;
    if let Some(store) = &options.key_store {
        store.bind(dir.log_id())?;
    }
    if let CatalogState::Good(catalog) = &catalog {
        restoring::settle_restores(&dir, catalog.state())?;
    }
    let Recovered { tree, entries, start, ahead, mut recovery, leftovers } =
        main_log::main_log(&options, &dir, algorithm, mark, known, &catalog)?;
    let view = Arc::new(SegmentSet::with_options(&options, &dir, algorithm, entries));
    view.publish(start.size);
    match &catalog {
        CatalogState::Good(catalog) => {
            settle::check_against_catalog(&view, &tree, start.last_anchor, catalog)?;
            view.payload_reader().note_erased(catalog.state());
        }
        CatalogState::Damaged(reason) => {
            settle::check_published(&dir, start.size)?;
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
    let size = start.size;
    let (tree, ahead) = (Arc::new(tree), Arc::new(Mutex::new(Rank::Ahead, ahead)));
    let nudge = Arc::new(Nudge::new(options.housekeeping == Housekeeping::Background));
    let writer = Writer::new(
        start,
        Outlet {
            dir: dir.clone(),
            algorithm,
            durability: options.durability,
            clock_tolerance: options.clock_tolerance,
            segment_bytes: options.segment_bytes,
            frame_align: options.frame_align,
            lock: Arc::clone(&lock),
            view: Arc::clone(&view),
            tree: Arc::clone(&tree),
            ahead: Arc::clone(&ahead),
            upkeep: Arc::clone(&nudge),
        },
    );
    let queue_bytes = options.queue_bytes;
    let identity = Identity { algorithm, origin };
    let core = Arc::new(Core {
        shared: Arc::new(Shared::new(dir, options, identity, catalog)),
        lock,
        view,
        tree,
        commits: GroupCommit::new(queue_bytes),
        upkeep: Mutex::new(
            Rank::Upkeep,
            Upkeep { marks, seen: (size.get(), now), synced_at: now, not_sealed: None },
        ),
        writer: Mutex::new(Rank::Writer, writer),
        ahead,
        signing: Mutex::new(Rank::Signing, ()),
        encrypting: RwLock::new(Rank::Encrypting, ()),
        nudge,
        once: Default::default(),
        committer: Mutex::new(Rank::Committer, None),
        recovery,
    });
    sign::republish(&core)?;
    core.writer.lock().set_durable(size);
    core.upkeep_after_open()?;
    match retain::settle::finish_interrupted(&core) {
        // The next opening or expiry goes on.
        Err(Error::DiskFull { .. }) => {}
        settled => settled?,
    }
    if core.shared.options.housekeeping == Housekeeping::Background {
        let tended: Weak<Core> = Arc::downgrade(&core);
        let registered = housekeeper::register(tended);
        registered.map_err(Error::io("start a thread for", core.shared.dir.path()))?;
    }
    Ok(Log::new(core))
}
