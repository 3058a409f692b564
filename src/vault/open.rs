//! Creating and opening a vault.

use std::path::Path;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use zeroize::Zeroizing;

use super::control;
use super::handle::{Inner, Vault};
use super::log_pool::LogPool;
use super::name::LOGS;
use super::options::{LogSpec, VaultOptions};
use super::routing::Routing;
use super::token_sealer::{self, TokenSealer};
use crate::disk::{self, Disk, DiskFile, Open};
use crate::error::{Error, Result};
use crate::log::{Log, LogOptions};
use crate::proof::VAULT_ORIGIN_SUFFIX;
use crate::random;

const LOCK: &str = "LOCK";
const CONTROL: &str = "control";
const SECRET: &str = "secret";
const SECRET_UNFINISHED: &str = "secret.tmp";

/// The log of a new vault, which everything goes to.
const FIRST_LOG: &str = "main";

impl VaultOptions {
    /// Creates a vault in a new directory, with one log, `main`, which everything goes to.
    ///
    /// # Errors
    /// `Exists` if there is one; an option out of its range; I/O.
    pub fn create(self, path: impl AsRef<Path>) -> Result<Vault> {
        self.check()?;
        create(self, path.as_ref())
    }

    /// Opens a vault; creates none.
    ///
    /// # Errors
    /// `NotALog` if there is none, `Locked`; what opening its own log says.
    pub fn open(self, path: impl AsRef<Path>) -> Result<Vault> {
        self.check()?;
        open(self, path.as_ref())
    }

    /// Opens the vault at this path, or creates it.
    ///
    /// # Errors
    /// As [`VaultOptions::open`] and [`VaultOptions::create`].
    pub fn open_or_create(self, path: impl AsRef<Path>) -> Result<Vault> {
        match self.clone().open(path.as_ref()) {
            Err(Error::NotALog { .. }) => self.create(path),
            opened => opened,
        }
    }
}

fn create(options: VaultOptions, dir: &Path) -> Result<Vault> {
    let disk = Arc::clone(&options.log.disk);
    make_directory(&disk, dir)?;
    let lock = take_lock(&*disk, dir)?;
    refuse_existing(&disk, dir)?;
    make_missing(&*disk, dir, LOGS)?;
    let origin = match &options.origin {
        Some(origin) => origin.clone(),
        None => default_origin(dir),
    };
    let origin = format!("{origin}{VAULT_ORIGIN_SUFFIX}");
    let control = options.of_log(CONTROL)?.origin(&origin).create(dir.join(CONTROL))?;
    finish(options, dir, lock, control)
}

fn open(options: VaultOptions, dir: &Path) -> Result<Vault> {
    let disk = Arc::clone(&options.log.disk);
    let path = dir.join(CONTROL);
    if !disk.exists(&path).map_err(Error::io("look for", &path))? {
        let missing = format!("expected a vault, with {CONTROL}/ in it");
        return Err(Error::NotALog { path: dir.to_owned(), missing });
    }
    let lock = take_lock(&*disk, dir)?;
    let control = options.of_log(CONTROL)?.open(&path)?;
    if !control.origin().ends_with(VAULT_ORIGIN_SUFFIX) {
        let found = control.origin().to_owned();
        let missing =
            format!("expected an origin that ends in {VAULT_ORIGIN_SUFFIX}, found {found}");
        return Err(Error::NotALog { path, missing });
    }
    make_missing(&*disk, dir, LOGS)?;
    finish(options, dir, lock, control)
}

/// Reads what is in force, and finishes what a crash left of the creation.
fn finish(
    options: VaultOptions,
    dir: &Path,
    lock: Arc<dyn DiskFile>,
    control: Log,
) -> Result<Vault> {
    let disk = Arc::clone(&options.log.disk);
    let in_force = control::read(&control)?;
    let secret = read_or_make_secret(&*disk, dir)?;
    let shelf = LogPool::new(options, dir, lock);
    for (name, added) in in_force.logs {
        shelf.add(&name, added)?;
    }
    let known = in_force.routing.is_some();
    let routing = in_force.routing.unwrap_or_else(|| Routing::to(FIRST_LOG));
    let vault = Vault {
        inner: Arc::new(Inner {
            dir: dir.to_owned(),
            control,
            routing: RwLock::new(Arc::new(routing)),
            changing: Mutex::new(()),
            next_sweep: Mutex::new(std::time::Duration::ZERO),
            opaque: TokenSealer::new(secret),
            shelf,
        }),
    };
    if !known {
        let asked = control::of_itself("the vault was created");
        if vault.inner.shelf.added(FIRST_LOG).is_none() {
            vault.add_log(FIRST_LOG, LogSpec::new(), &asked)?;
        }
        vault.set_routing(Routing::to(FIRST_LOG), &asked)?;
    }
    Ok(vault)
}

fn make_directory(disk: &Arc<dyn Disk>, dir: &Path) -> Result<()> {
    if disk.exists(dir).map_err(Error::io("look for", dir))? {
        return refuse_existing(disk, dir);
    }
    disk::make_dir(&**disk, dir).map_err(Error::io("create", dir))
}

/// Nothing may be there but what an interrupted creation left.
fn refuse_existing(disk: &Arc<dyn Disk>, dir: &Path) -> Result<()> {
    let names = disk.list(dir).map_err(Error::io("list", dir))?;
    let known = [LOCK, CONTROL, SECRET, SECRET_UNFINISHED, LOGS];
    if let Some(found) = names.iter().find(|name| !known.contains(&name.as_str())) {
        let reason = format!("{} has {found:?} in it, which is no part of a vault", dir.display());
        return Err(Error::InvalidOption { name: "path", reason });
    }
    let control = dir.join(CONTROL);
    if !names.iter().any(|name| name == CONTROL) {
        return Ok(());
    }
    match LogOptions::new().disk(Arc::clone(disk)).open_read_only(&control) {
        Err(Error::NotALog { .. }) => Ok(()),
        Err(error @ Error::Io { .. }) => Err(error),
        _ => Err(Error::Exists { path: dir.to_owned() }),
    }
}

/// Makes a directory in the vault's, if it is not there.
fn make_missing(disk: &dyn Disk, dir: &Path, name: &str) -> Result<()> {
    disk::make_dirs(disk, dir, &[name]).map_err(Error::io("make directories in", dir))
}

/// `bulla.local/` and what of the directory's name may stand in a key name.
fn default_origin(dir: &Path) -> String {
    let name = dir.file_name().map(|name| name.to_string_lossy().into_owned());
    let kept = |c: &char| c.is_ascii_alphanumeric() || "-_.".contains(*c);
    let name: String = name.unwrap_or_default().chars().filter(kept).collect();
    format!("bulla.local/{}", if name.is_empty() { "logs" } else { &name })
}

/// One process writes a vault.
fn take_lock(disk: &dyn Disk, dir: &Path) -> Result<Arc<dyn DiskFile>> {
    let path = dir.join(LOCK);
    let opened = disk::open_lock_file(disk, &path, Open::CreateNew);
    let file = opened.map_err(Error::io("open", &path))?;
    match file.try_lock().map_err(Error::io("lock", &path))? {
        true => Ok(file),
        false => Err(Error::Locked { path: dir.to_owned(), pid: None }),
    }
}

/// What makes the cursors and references of tenants opaque. It is worth nothing but that:
/// where it is missing, another is drawn, and what was given out before is refused.
fn read_or_make_secret(
    disk: &dyn Disk,
    dir: &Path,
) -> Result<Zeroizing<[u8; token_sealer::KEY_LEN]>> {
    let path = dir.join(SECRET);
    if disk.exists(&path).map_err(Error::io("look for", &path))? {
        return read_secret(disk, &path);
    }
    let mut secret = Zeroizing::new([0; token_sealer::KEY_LEN]);
    random::fill(&mut *secret)
        .map_err(|error| Error::io("draw random bytes for", &path)(std::io::Error::other(error)))?;
    disk::replace(disk, &path, Open::CreateNewPrivate, |file| file.write_at(&*secret, 0))
        .map_err(Error::io("write", &path))?;
    Ok(secret)
}

fn read_secret(disk: &dyn Disk, path: &Path) -> Result<Zeroizing<[u8; token_sealer::KEY_LEN]>> {
    if !disk.is_private(path).map_err(Error::io("look at", path))? {
        let reason = format!(
            "expected {} to be readable by its owner alone: remove it, and another is made \
             (cursors that tenants have are refused then)",
            path.display()
        );
        return Err(Error::Key { reason });
    }
    let bytes = disk::read_file(disk, path, 1 << 10).map_err(Error::io("read", path))?;
    let bytes = Zeroizing::new(bytes);
    let secret = <[u8; token_sealer::KEY_LEN]>::try_from(bytes.as_slice());
    secret.map(Zeroizing::new).map_err(|_| {
        let found = format!("{} bytes; remove the file, and another is made", bytes.len());
        Error::corrupt(path, 0, format!("{} random bytes", token_sealer::KEY_LEN), found)
    })
}
