//! Many logs in one directory: routing, one checkpoint, one query, tenants apart.
//!
//! A [`Vault`] is for different policies (each log has one) and for many customers (each may
//! have a log). It has a log of its own, in which it records what logs there are, who changed
//! the routing and why, and the heads of all logs, so that one signature covers them all.
//!
//! - `options`, `open`: create and open; `shelf`: the logs, few of them open at a time;
//! - `routing`, `append`: which log an event goes to; `name`: what logs may be called;
//! - `control`: what the vault's own log says;
//! - `runs`, `merge`, `cursor`: queries over all logs;
//! - `heads`: checkpoints and proofs;
//! - `tenant`, `opaque`: what a tenant sees;
//! - `reading`: reading that leaves a trace.

mod append;
mod control;
mod cursor;
mod heads;
mod merge;
mod name;
mod opaque;
mod open;
mod options;
mod reading;
mod routing;
mod runs;
mod shelf;
mod tenant;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};

use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::log::Log;
use crate::proof::VAULT_LOGS_MAX;
use crate::query::{CursorError, Query};
use crate::retention::Asked;
use crate::seq::TreeSize;
use control::Added;
use opaque::Opaque;
use shelf::Shelf;

pub use append::{BatchPart, PartialBatch, VaultReceipt};
pub use cursor::VaultCursor;
pub use heads::VaultCheckpoint;
pub use merge::{VaultMatches, VaultRecord};
pub use options::{LogSpec, VaultOptions};
pub use reading::VaultReading;
pub use routing::{RULES_MAX, Routing, Rule, RuleTarget};
pub use shelf::VaultLog;
pub use tenant::{
    Reference, TenantCursor, TenantError, TenantMatches, TenantReceipt, TenantRecord, TenantVault,
};

/// Many logs in one directory. Cheap to clone; all clones are the same vault, from any thread.
///
/// It is closed by [`Vault::close`], or when the last clone is dropped.
///
/// ```
/// use bulla::vault::{LogSpec, Routing, Rule};
/// use bulla::{Actor, Asked, Event, Query, Resource, Vault};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// let vault = Vault::create(dir.path().join("vault"))?;
/// let asked = Asked::by("user:carol").because("logins are kept for ten years");
/// vault.add_log("logins", LogSpec::new(), &asked)?;
/// vault.set_routing(Routing::to("main").rule(Rule::to("logins").action_prefix("user.log")), &asked)?;
///
/// let login = Event::new(Actor::new("user", "alice"), "user.login", Resource::kind_only("session"));
/// let pay = Event::new(Actor::new("user", "alice"), "invoice.pay", Resource::new("invoice", "42"));
/// assert_eq!(&*vault.append(&login)?.log, "logins");
/// assert_eq!(&*vault.append(&pay)?.log, "main");
/// assert_eq!(vault.query(&Query::new().actor("alice"))?.count(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Vault {
    inner: Arc<Inner>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("dir", &self.inner.dir).finish_non_exhaustive()
    }
}

/// Fields are dropped in this order: the lock of the vault is in the shelf.
struct Inner {
    dir: PathBuf,
    control: Log,
    routing: RwLock<Arc<Routing>>,
    /// Held while logs are added, the routing is changed, or heads are listed.
    changing: Mutex<()>,
    /// When an append sweeps again, by the monotonic clock.
    next_sweep: Mutex<Duration>,
    opaque: Opaque,
    shelf: Arc<Shelf>,
}

impl Vault {
    /// Options to create or open a vault with.
    pub fn options() -> VaultOptions {
        VaultOptions::new()
    }

    /// Creates a vault with default options; see [`VaultOptions::create`].
    ///
    /// # Errors
    /// `Exists` if there is one; I/O.
    pub fn create(path: impl AsRef<Path>) -> Result<Vault> {
        VaultOptions::new().create(path)
    }

    /// Opens a vault with default options; see [`VaultOptions::open`].
    ///
    /// # Errors
    /// `NotALog` if there is none, `Locked`; what opening its own log says.
    pub fn open(path: impl AsRef<Path>) -> Result<Vault> {
        VaultOptions::new().open(path)
    }

    /// Opens the vault at this path, or creates it.
    ///
    /// # Errors
    /// As [`Vault::open`] and [`Vault::create`].
    pub fn open_or_create(path: impl AsRef<Path>) -> Result<Vault> {
        VaultOptions::new().open_or_create(path)
    }

    /// The public name of the vault: the origin of its own log, which its checkpoints have.
    pub fn origin(&self) -> &str {
        self.inner.control.origin()
    }

    /// The vault's own log: to give it a policy, to change its keys, to prove what it says.
    /// What is in it is the vault's; append nothing to it.
    pub fn control(&self) -> &Log {
        &self.inner.control
    }

    /// The names of the logs.
    pub fn logs(&self) -> Vec<Arc<str>> {
        self.inner.shelf.all().into_iter().map(|(name, _)| name).collect()
    }

    /// Directories beside those of the logs that the vault does not know: what a crash left of
    /// adding a log, or a sign that the vault's own log is an old copy.
    ///
    /// # Errors
    /// I/O.
    pub fn unknown_directories(&self) -> Result<Vec<String>> {
        let dir = self.inner.dir.join(open::LOGS);
        let names =
            self.inner.shelf.options.log.disk.list(&dir).map_err(Error::io("list", &dir))?;
        Ok(names.into_iter().filter(|name| self.inner.shelf.added(name).is_none()).collect())
    }

    /// A log, opened if it is closed. It stays open for as long as this is held, and counts
    /// among those that may be open at a time.
    ///
    /// # Errors
    /// There is no such log; `TooManyOpenLogs`; what opening it says.
    pub fn log(&self, name: &str) -> Result<VaultLog> {
        self.inner.shelf.acquire(name)
    }

    /// Adds a log. When it returns, that is recorded with who asked and why.
    ///
    /// # Errors
    /// There is such a log, or one may not be called so; the vault has 4,096 logs; a directory
    /// with records is in its place; I/O.
    pub fn add_log(&self, name: &str, spec: LogSpec<'_>, asked: &Asked) -> Result<()> {
        let _one_at_a_time = self.inner.changing.lock();
        self.add(name, spec, None, asked)
    }

    /// The caller has the lock.
    fn add(
        &self,
        name: &str,
        spec: LogSpec<'_>,
        tenant: Option<Hash>,
        asked: &Asked,
    ) -> Result<()> {
        name::check(name)?;
        if self.inner.shelf.added(name).is_some() {
            return Err(Error::Exists { path: self.inner.shelf.path(name) });
        }
        if self.inner.shelf.len() >= VAULT_LOGS_MAX {
            return Err(shelf::too_many());
        }
        let log = self.make_log(name, &spec)?;
        if let Some(first) = spec.first {
            first(&log)?;
        }
        let added = Added { log_id: log.log_id(), algorithm: log.algorithm(), tenant };
        log.close()?;
        control::log_added(&self.inner.control, name, &added, asked)?;
        self.inner.shelf.add(name, added)
    }

    /// Makes the files of a log, or takes those that a crash left: there are no records then.
    fn make_log(&self, name: &str, spec: &LogSpec<'_>) -> Result<Log> {
        let origin = control::origin_of(self.origin(), name);
        let path = self.inner.shelf.path(name);
        let mut options = self.inner.shelf.options.of_log(name)?.origin(&origin);
        if let Some(algorithm) = spec.algorithm {
            options = options.hash(algorithm);
        }
        let algorithm = options.algorithm;
        let log = options.open_or_create(&path)?;
        let whole =
            log.size() == TreeSize::ZERO && log.origin() == origin && log.algorithm() == algorithm;
        if whole {
            return Ok(log);
        }
        let reason = format!(
            "there is a log at {} that this vault does not know, with {} records: move it away, or \
             bring back the newest state of the vault's own log",
            path.display(),
            log.size()
        );
        Err(Error::InvalidOption { name: "log", reason })
    }

    /// The routing in force.
    pub fn routing(&self) -> Arc<Routing> {
        Arc::clone(&self.inner.routing.read())
    }

    /// Changes the routing. When it returns, it is recorded with who asked and why, and in
    /// force for every append that begins afterwards.
    ///
    /// # Errors
    /// It names a log that is not in the vault, or is that of one tenant; I/O.
    pub fn set_routing(&self, routing: Routing, asked: &Asked) -> Result<()> {
        let _one_at_a_time = self.inner.changing.lock();
        routing.check(|log| self.inner.shelf.added(log).map(|added| added.tenant.is_none()))?;
        control::routing_changed(&self.inner.control, &routing, asked)?;
        *self.inner.routing.write() = Arc::new(routing);
        Ok(())
    }

    /// The records of all logs that a query asks for, by `recorded_at`, then by the name of the
    /// log, then by Seq; newest first, or oldest first.
    ///
    /// # Errors
    /// The query has a cursor of a single log.
    pub fn query(&self, query: &Query) -> Result<VaultMatches> {
        self.matches(query, None, None)
    }

    /// The same, going on where a cursor of the same question stopped.
    ///
    /// # Errors
    /// The cursor belongs to another question or another vault.
    pub fn query_after(&self, query: &Query, cursor: &VaultCursor) -> Result<VaultMatches> {
        self.matches(query, Some(cursor), None)
    }

    /// Without the log that is named, if one is.
    fn matches(
        &self,
        query: &Query,
        cursor: Option<&VaultCursor>,
        without: Option<&str>,
    ) -> Result<VaultMatches> {
        merge::check(query)?;
        let fingerprint = cursor::fingerprint(self.inner.control.log_id(), query);
        let refused =
            |error: CursorError| Error::InvalidOption { name: "cursor", reason: error.to_string() };
        let after = cursor.map(|cursor| cursor.open(query.order, fingerprint).cloned());
        let after = after.transpose().map_err(refused)?;
        let mut logs = self.logs_for(query);
        logs.retain(|log| without.is_none_or(|without| **log != *without));
        let shelf = Arc::clone(&self.inner.shelf);
        Ok(VaultMatches::new(shelf, logs, query, fingerprint, after))
    }

    /// How many records of all logs match. Order, limit and cursor play no part.
    ///
    /// # Errors
    /// Damage, I/O, `TooManyOpenLogs`.
    pub fn count(&self, query: &Query) -> Result<u64> {
        self.count_without(query, None)
    }

    fn count_without(&self, query: &Query, without: Option<&str>) -> Result<u64> {
        merge::check(query)?;
        let mut count = 0_u64;
        for log in self.logs_for(query) {
            if without.is_none_or(|without| *log != *without) {
                let of_log = self.log(&log)?.snapshot().count(query)?;
                count = count.saturating_add(of_log);
            }
        }
        Ok(count)
    }

    /// The logs that can have records a query asks for: not those of other tenants.
    fn logs_for(&self, query: &Query) -> Vec<Arc<str>> {
        let asked: Vec<Hash> =
            query.filters.tenants.iter().map(|tenant| name::tenant_digest(tenant)).collect();
        let all = self.inner.shelf.all().into_iter();
        let may_have = |tenant: Option<Hash>| {
            asked.is_empty() || tenant.is_none_or(|tenant| asked.contains(&tenant))
        };
        all.filter(|(_, added)| may_have(added.tenant)).map(|(name, _)| name).collect()
    }

    /// Opens each log that was closed for so long that its active segment may have come of
    /// age, which seals it; how many. Appends do this for one log at a time; a vault that is
    /// only read or stands idle needs somebody to call it.
    ///
    /// # Errors
    /// What opening a log says; the others are looked at all the same.
    pub fn sweep(&self) -> Result<usize> {
        let (mut swept, mut result) = (0, Ok(()));
        for name in self.overdue() {
            match self.look_at(&name) {
                Ok(()) => swept += 1,
                Err(error) => result = result.and(Err(error)),
            }
        }
        result.map(|()| swept)
    }

    fn overdue(&self) -> Vec<Arc<str>> {
        let options = &self.inner.shelf.options;
        self.inner.shelf.overdue(options.log.clock.monotonic(), options.sweep_every)
    }

    fn look_at(&self, name: &str) -> Result<()> {
        drop(self.inner.shelf.acquire(name)?);
        self.inner.shelf.leave_first(name);
        Ok(())
    }

    /// Looks at one closed log that is overdue, if it is time: so that each has its turn in
    /// `sweep_every`.
    fn sweep_one(&self) {
        let options = &self.inner.shelf.options;
        let now = options.log.clock.monotonic();
        let Some(mut next) = self.inner.next_sweep.try_lock() else { return };
        if now < *next {
            return;
        }
        let logs = u32::try_from(self.inner.shelf.len()).unwrap_or(u32::MAX).max(1);
        *next = now.saturating_add(options.sweep_every / logs);
        drop(next);
        if let Some(name) = self.overdue().first() {
            // Whoever opens it next is told what is wrong with it.
            let _ = self.look_at(name);
        }
    }

    /// Closes the vault for all its clones, with all its logs.
    ///
    /// # Errors
    /// I/O. What was acknowledged is safe in any case.
    pub fn close(&self) -> Result<()> {
        let _one_at_a_time = self.inner.changing.lock();
        let control = self.inner.control.close();
        control.and(self.inner.shelf.close())
    }
}
