//! The verbs of [`Vault`]: its logs, its routing, its queries, and closing it.

use std::path::Path;
use std::sync::Arc;

use super::control::{self, Added};
use super::cursor::{self, VaultCursor};
use super::handle::Vault;
use super::log_pool::{self, VaultLog};
use super::merge::{self, VaultMatches};
use super::name;
use super::options::{LogSpec, VaultOptions};
use super::routing::Routing;
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::log::Log;
use crate::proof::VAULT_LOGS_MAX;
use crate::query::{CursorError, Query};
use crate::retention::Attribution;
use crate::seq::TreeSize;

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
        let dir = self.inner.dir.join(name::LOGS);
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
    pub fn add_log(&self, name: &str, spec: LogSpec<'_>, asked: &Attribution) -> Result<()> {
        let _one_at_a_time = self.inner.changing.lock();
        self.add(name, spec, None, asked)
    }

    /// The caller has the lock.
    pub(super) fn add(
        &self,
        name: &str,
        spec: LogSpec<'_>,
        tenant: Option<Hash>,
        asked: &Attribution,
    ) -> Result<()> {
        name::check(name)?;
        if self.inner.shelf.added(name).is_some() {
            return Err(Error::Exists { path: self.inner.shelf.path(name) });
        }
        if self.inner.shelf.len() >= VAULT_LOGS_MAX {
            return Err(log_pool::too_many());
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
    pub(super) fn make_log(&self, name: &str, spec: &LogSpec<'_>) -> Result<Log> {
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
    pub fn set_routing(&self, routing: Routing, asked: &Attribution) -> Result<()> {
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
    pub(super) fn matches(
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

    pub(super) fn count_without(&self, query: &Query, without: Option<&str>) -> Result<u64> {
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
    pub(super) fn logs_for(&self, query: &Query) -> Vec<Arc<str>> {
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
    pub fn seal_aged(&self) -> Result<usize> {
        let (mut swept, mut result) = (0, Ok(()));
        for name in self.overdue() {
            match self.look_at(&name) {
                Ok(()) => swept += 1,
                Err(error) => result = result.and(Err(error)),
            }
        }
        result.map(|()| swept)
    }

    pub(super) fn overdue(&self) -> Vec<Arc<str>> {
        let options = &self.inner.shelf.options;
        self.inner.shelf.overdue(options.log.clock.monotonic(), options.sweep_every)
    }

    pub(super) fn look_at(&self, name: &str) -> Result<()> {
        drop(self.inner.shelf.acquire(name)?);
        self.inner.shelf.leave_first(name);
        Ok(())
    }

    /// Looks at one closed log that is overdue, if it is time: so that each has its turn in
    /// `sweep_every`.
    pub(super) fn sweep_one(&self) {
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
