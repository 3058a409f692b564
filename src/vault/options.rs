//! How a vault is created and opened, and what is asked of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::hash::HashAlgorithm;
use crate::log::{Housekeeping, Log, LogOptions};
use crate::retention::{self, Policy};
use crate::time::Clock;

type Tune = Arc<dyn Fn(&str, LogOptions) -> Result<LogOptions> + Send + Sync>;
type Prepare = Arc<dyn Fn(&str, &Log) -> Result<()> + Send + Sync>;
type TenantErrors = Arc<dyn Fn(&str, &Error) + Send + Sync>;

/// Options of a vault; chained, like those of a log.
///
/// ```
/// use bulla::vault::VaultOptions;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("vault");
/// let vault = VaultOptions::new().origin("example.com/audit").max_open_logs(32).create(&path)?;
/// assert_eq!(vault.origin(), "example.com/audit/vault");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct VaultOptions {
    pub(super) log: LogOptions,
    pub(super) origin: Option<String>,
    pub(super) max_open_logs: usize,
    pub(super) acquire_timeout: Duration,
    pub(super) sweep_every: Duration,
    pub(super) tune: Option<Tune>,
    pub(super) prepare: Option<Prepare>,
    pub(super) tenant_errors: Option<TenantErrors>,
}

impl fmt::Debug for VaultOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VaultOptions")
            .field("log", &self.log)
            .field("origin", &self.origin)
            .field("max_open_logs", &self.max_open_logs)
            .field("acquire_timeout", &self.acquire_timeout)
            .field("sweep_every", &self.sweep_every)
            .finish_non_exhaustive()
    }
}

impl VaultOptions {
    /// The defaults: 64 open logs, each with the default options of a log.
    pub fn new() -> Self {
        VaultOptions {
            log: LogOptions::new(),
            origin: None,
            max_open_logs: 64,
            acquire_timeout: Duration::from_secs(30),
            sweep_every: Duration::from_secs(3600),
            tune: None,
            prepare: None,
            tenant_errors: None,
        }
    }

    /// The options of the vault's logs. Their origins are given by the vault, and their
    /// clock, disk and housekeeping are also its own.
    pub fn log(mut self, options: LogOptions) -> Self {
        self.log = options;
        self
    }

    /// Changes the options of single logs, by name: called whenever one is opened, also the
    /// vault's own (`control`). The place to give a log its key store. If it fails, the log is not
    /// opened, and what needed it fails with that error. What protects a log's events is on record
    /// in it, so one that is opened without is refused: `Unprotected`.
    pub fn tune(
        mut self,
        tune: impl Fn(&str, LogOptions) -> Result<LogOptions> + Send + Sync + 'static,
    ) -> Self {
        self.tune = Some(Arc::new(tune));
        self
    }

    /// The vault's public name. Its own log is `ORIGIN/vault`, and the log `NAME` in it is
    /// `ORIGIN/vault/NAME`. Fixed at creation. Default: `bulla.local/` and the name of the
    /// directory.
    pub fn origin(mut self, origin: &str) -> Self {
        self.origin = Some(origin.to_owned());
        self
    }

    /// How many logs are open at a time, besides the vault's own: 1 or more. The one that
    /// was not used for the longest time is closed for another. Default: 64.
    pub fn max_open_logs(mut self, logs: usize) -> Self {
        self.max_open_logs = logs;
        self
    }

    /// How long to wait for one of the open logs to be let go when all are in use. Default:
    /// 30 s.
    pub fn acquire_timeout(mut self, acquire_timeout: Duration) -> Self {
        self.acquire_timeout = acquire_timeout;
        self
    }

    /// A log that was closed for so long is opened once, so that its active segment is sealed
    /// when its age is up; see [`Vault::seal_aged`](crate::Vault::seal_aged). Default: an hour.
    pub fn sweep_every(mut self, every: Duration) -> Self {
        self.sweep_every = every;
        self
    }

    /// Called with each log that is made for a tenant, before anything is appended to it: the
    /// place to give it a policy. If it fails, there is no such log.
    pub fn on_tenant_log(
        mut self,
        prepare: impl Fn(&str, &Log) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.prepare = Some(Arc::new(prepare));
        self
    }

    /// Called with the tenant and the error whenever a tenant is told only that the vault is
    /// [unavailable](super::TenantError::Unavailable): what went wrong may name others.
    pub fn on_tenant_error(mut self, told: impl Fn(&str, &Error) + Send + Sync + 'static) -> Self {
        self.tenant_errors = Some(Arc::new(told));
        self
    }

    /// Where the vault and its logs get their time from. Default: the system.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.log = self.log.clock(clock);
        self
    }

    /// Where the vault lives. Default: the file system.
    pub fn disk(mut self, disk: Arc<dyn Disk>) -> Self {
        self.log = self.log.disk(disk);
        self
    }

    /// Who does the background work of the logs. Default: one thread for all.
    pub fn housekeeping(mut self, housekeeping: Housekeeping) -> Self {
        self.log = self.log.housekeeping(housekeeping);
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        if self.max_open_logs == 0 {
            let reason = "expected 1 or more, found 0".to_owned();
            return Err(Error::InvalidOption { name: "max_open_logs", reason });
        }
        Ok(())
    }

    /// The options of one log.
    pub(super) fn of_log(&self, name: &str) -> Result<LogOptions> {
        match &self.tune {
            Some(tune) => tune(name, self.log.clone()),
            None => Ok(self.log.clone()),
        }
    }
}

impl Default for VaultOptions {
    fn default() -> Self {
        VaultOptions::new()
    }
}

type First<'a> = Box<dyn FnOnce(&Log) -> Result<()> + 'a>;

/// What a new log is like.
#[derive(Default)]
#[must_use]
pub struct LogSpec<'a> {
    pub(super) algorithm: Option<HashAlgorithm>,
    pub(super) first: Option<First<'a>>,
}

impl fmt::Debug for LogSpec<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = &self.first.is_some();
        f.debug_struct("LogSpec").field("algorithm", &self.algorithm).field("first", first).finish()
    }
}

impl<'a> LogSpec<'a> {
    /// A log as the vault's options say.
    pub fn new() -> Self {
        LogSpec::default()
    }

    /// The hash of its tree, if it is not that of the vault's options.
    pub fn hash(mut self, algorithm: HashAlgorithm) -> Self {
        self.algorithm = Some(algorithm);
        self
    }

    /// The retention policy of the log, and who asked for it. Sets what
    /// [`LogSpec::prepare`] does.
    pub fn policy(self, policy: Policy, asked: retention::Attribution) -> Self {
        self.prepare(move |log| log.retention().set_policy(&policy, &asked))
    }

    /// Called with the new log before it is added to the vault: the place to give it holds
    /// besides a policy, not to append to it. If it fails, the log is not added. After a crash it may be
    /// called for the same log again.
    pub fn prepare(mut self, first: impl FnOnce(&Log) -> Result<()> + 'a) -> Self {
        self.first = Some(Box::new(first));
        self
    }
}
