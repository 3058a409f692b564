//! [`LogAdmin`]: the policy and the holds of a log that another process may have open.

use std::path::Path;

use crate::catalog::Catalog;
use crate::directory::identity::{check_is_log, identity};
use crate::directory::quarantine::{QuarantinedBytes, record_set_aside};
use crate::engine::retain::record;
use crate::error::Result;
use crate::log::follow::LogReader;
use crate::options::LogOptions;
use crate::read::catalog_state::CatalogState;
use crate::read::catalog_view::CatalogView;
use crate::read::shared::Shared;
use crate::retention::{Attribution, Hold, Policy};

/// The policy and the holds of a log, without its write lock: a service may have the log
/// open meanwhile, and sees what is recorded here before it deletes anything.
///
/// ```
/// use bulla::{Attribution, Hold, HoldScope, Log};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("audit");
/// let service = Log::create(&path)?;
/// // Elsewhere, while the service runs:
/// let admin = Log::options().administer(&path)?;
/// let hold = Hold::new("2026-117", HoldScope::new().actor("alice")).custodian("legal@example.com");
/// admin.place_hold(&hold, &Attribution::by("carol").because("litigation"))?;
/// assert_eq!(service.snapshot().catalog().holds()?[0].hold.case, "2026-117");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct LogAdmin {
    shared: Shared,
    set_aside: Vec<QuarantinedBytes>,
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
        let set_aside: Vec<QuarantinedBytes> =
            mended.into_iter().map(QuarantinedBytes::of_catalog).collect();
        record_set_aside(&dir, &mut catalog, &set_aside)?;
        let identity = identity(&dir, Some(&catalog))?;
        let catalog = CatalogState::Good(Box::new(catalog));
        Ok(LogAdmin { shared: Shared::new(dir, self, identity, catalog), set_aside })
    }
}

impl LogAdmin {
    /// What opening had to mend in the catalog, and recorded in it: a torn end, or a copy that
    /// was damaged. Show it to somebody.
    pub fn set_aside(&self) -> &[QuarantinedBytes] {
        &self.set_aside
    }

    /// What is in force, and the history of it.
    pub fn catalog(&self) -> CatalogView<'_> {
        CatalogView::new(&self.shared)
    }

    /// Opens the log for reading, with the same options: what a hold pins, for example.
    ///
    /// # Errors
    /// As [`LogOptions::open_read_only`].
    pub fn reader(&self) -> Result<LogReader> {
        self.shared.options.clone().open_read_only(self.shared.dir.path())
    }

    /// As [`Retention::set_policy`](crate::log::Retention::set_policy).
    ///
    /// # Errors
    /// As there.
    pub fn set_policy(&self, policy: &Policy, asked: &Attribution) -> Result<()> {
        record::set_policy(
            self.shared.catalog.lock().good()?,
            policy,
            asked,
            self.shared.options.clock.now(),
        )
    }

    /// As [`Retention::place_hold`](crate::log::Retention::place_hold).
    ///
    /// # Errors
    /// As there.
    pub fn place_hold(&self, hold: &Hold, asked: &Attribution) -> Result<()> {
        record::place_hold(
            self.shared.catalog.lock().good()?,
            hold,
            asked,
            self.shared.options.clock.now(),
        )
    }

    /// As [`Retention::release_hold`](crate::log::Retention::release_hold).
    ///
    /// # Errors
    /// As there.
    pub fn release_hold(&self, case: &str, asked: &Attribution) -> Result<()> {
        record::release_hold(
            self.shared.catalog.lock().good()?,
            case,
            asked,
            self.shared.options.clock.now(),
        )
    }
}
