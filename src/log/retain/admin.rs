//! [`LogAdmin`]: the policy and the holds of a log that another process may have open.

use std::path::Path;

use crate::catalog::Catalog;
use crate::directory::LogDir;
use crate::directory::identity::check_is_log;
use crate::directory::quarantine::{SetAside, record_set_aside};
use crate::error::Result;
use crate::log::options::LogOptions;
use crate::log::retain::pins::Pinned;
use crate::log::retain::recorded::{RecordedHold, RecordedPolicy};
use crate::log::retain::{record, recorded};
use crate::retention::{Asked, Hold, Policy};

/// The policy and the holds of a log, without its write lock: a service may have the log
/// open meanwhile, and sees what is recorded here before it deletes anything.
///
/// ```
/// use bulla::{Asked, Hold, HoldScope, Log};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("audit");
/// let service = Log::create(&path)?;
/// // Elsewhere, while the service runs:
/// let mut admin = Log::options().administer(&path)?;
/// let hold = Hold::new("2026-117", HoldScope::new().actor("alice")).custodian("legal@example.com");
/// admin.place_hold(&hold, &Asked::by("carol").because("litigation"))?;
/// assert_eq!(service.holds()?[0].hold.case, "2026-117");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct LogAdmin {
    dir: LogDir,
    options: LogOptions,
    catalog: Catalog,
    set_aside: Vec<SetAside>,
}

impl LogOptions {
    /// Opens the policy and the holds of a log, also while another process writes it.
    ///
    /// # Errors
    /// `NotALog` if there is none; `Corrupt` if both copies of its catalog are damaged; I/O.
    pub fn administer(self, path: impl AsRef<Path>) -> Result<LogAdmin> {
        let path = path.as_ref();
        let dir = self.dir(path, check_is_log(&*self.disk, path)?);
        if let Some(store) = &self.key_store {
            store.bind(dir.log_id())?;
        }
        let (disk, clock) = (dir.shared_disk(), dir.shared_clock());
        let opened = Catalog::open(disk, &dir.catalog(), dir.log_id(), clock, &dir.quarantine());
        let (mut catalog, mended) = opened?;
        let set_aside: Vec<SetAside> = mended.into_iter().map(SetAside::of_catalog).collect();
        record_set_aside(&dir, &mut catalog, &set_aside)?;
        Ok(LogAdmin { dir, options: self, catalog, set_aside })
    }
}

impl LogAdmin {
    /// What opening had to mend in the catalog, and recorded in it: a torn end, or a copy that
    /// was damaged. Show it to somebody.
    pub fn set_aside(&self) -> &[SetAside] {
        &self.set_aside
    }

    /// As [`Log::set_policy`](crate::Log::set_policy).
    ///
    /// # Errors
    /// As there.
    pub fn set_policy(&mut self, policy: &Policy, asked: &Asked) -> Result<()> {
        record::set_policy(&mut self.catalog, policy, asked, self.options.clock.now())
    }

    /// As [`Log::policy`](crate::Log::policy).
    ///
    /// # Errors
    /// As there.
    pub fn policy(&mut self) -> Result<Option<RecordedPolicy>> {
        self.catalog.refresh()?;
        recorded::policy(&self.catalog)
    }

    /// As [`Log::place_hold`](crate::Log::place_hold).
    ///
    /// # Errors
    /// As there.
    pub fn place_hold(&mut self, hold: &Hold, asked: &Asked) -> Result<()> {
        record::place_hold(&mut self.catalog, hold, asked, self.options.clock.now())
    }

    /// As [`Log::release_hold`](crate::Log::release_hold).
    ///
    /// # Errors
    /// As there.
    pub fn release_hold(&mut self, case: &str, asked: &Asked) -> Result<()> {
        record::release_hold(&mut self.catalog, case, asked, self.options.clock.now())
    }

    /// As [`Log::holds`](crate::Log::holds).
    ///
    /// # Errors
    /// As there.
    pub fn holds(&mut self) -> Result<Vec<RecordedHold>> {
        self.catalog.refresh()?;
        recorded::holds_in_force(&self.catalog)
    }

    /// As [`Log::hold_history`](crate::Log::hold_history).
    ///
    /// # Errors
    /// As there.
    pub fn hold_history(&mut self) -> Result<Vec<RecordedHold>> {
        self.catalog.refresh()?;
        recorded::hold_history(&self.catalog)
    }

    /// As [`Log::pinned_by`](crate::Log::pinned_by).
    ///
    /// # Errors
    /// As there.
    pub fn pinned_by(&mut self, case: &str) -> Result<Pinned> {
        self.options.clone().open_read_only(self.dir.path())?.pinned_by(case)
    }
}
