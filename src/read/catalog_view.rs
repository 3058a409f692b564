//! [`CatalogView`]: what the log's own log says.

use crate::catalog::certificates::certificates;
use crate::catalog::{Catalog, HistoryEntry};
use crate::error::Result;
use crate::format::catalog_body::status;
use crate::keys::KeyChain;
use crate::merkle::TreeHead;
use crate::read::keys::key_chain;
use crate::read::protection::RecordedProtection;
use crate::read::recorded::{self, RecordedHold, RecordedPolicy};
use crate::read::shared::Shared;
use crate::read::snapshot::Snapshot;
use crate::retention::DropCertificate;

/// What the catalog, the log's own log, says now: policy, holds, keys, what was dropped, and the
/// history of all that.
///
/// Every call sees what other processes have recorded until then. `CatalogDamaged` is the error when
/// both copies of the catalog are damaged.
///
/// ```
/// use bulla::{Attribution, Hold, HoldScope, Log};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// let log = Log::create(dir.path().join("audit"))?;
/// let hold = Hold::new("2026-117", HoldScope::new().actor("alice"));
/// log.retention().place_hold(&hold, &Attribution::by("carol").because("litigation"))?;
/// assert_eq!(log.snapshot().catalog().holds()?[0].hold.case, "2026-117");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct CatalogView<'a> {
    shared: &'a Shared,
}

impl Snapshot {
    /// What the catalog says, as of each call.
    pub fn catalog(&self) -> CatalogView<'_> {
        CatalogView { shared: self.shared() }
    }
}

impl<'a> CatalogView<'a> {
    pub(crate) fn new(shared: &'a Shared) -> Self {
        CatalogView { shared }
    }

    fn read<T>(&self, read: impl FnOnce(&Catalog) -> Result<T>) -> Result<T> {
        self.shared.with_catalog(read)
    }

    /// The records of the catalog, oldest first.
    ///
    /// # Errors
    /// `CatalogDamaged`, I/O.
    pub fn history(&self) -> Result<Vec<HistoryEntry>> {
        self.read(Catalog::history)
    }

    /// The tree head of the catalog.
    ///
    /// # Errors
    /// `CatalogDamaged`, I/O.
    pub fn head(&self) -> Result<TreeHead> {
        self.read(|catalog| catalog.head())
    }

    /// The retention policy in force; `None`: nothing expires.
    ///
    /// # Errors
    /// `CatalogDamaged`, I/O.
    pub fn policy(&self) -> Result<Option<RecordedPolicy>> {
        self.read(recorded::policy)
    }

    /// The holds in force, in the order they were placed, also those that another process
    /// placed.
    ///
    /// # Errors
    /// `CatalogDamaged`, I/O.
    pub fn holds(&self) -> Result<Vec<RecordedHold>> {
        self.read(recorded::holds_in_force)
    }

    /// All holds that were ever placed, with who released them.
    ///
    /// # Errors
    /// `CatalogDamaged`, I/O.
    pub fn hold_history(&self) -> Result<Vec<RecordedHold>> {
        self.read(recorded::hold_history)
    }

    /// The certificates of the segments that are gone, or were and came back.
    ///
    /// # Errors
    /// `CatalogDamaged`, I/O.
    pub fn drop_certificates(&self) -> Result<Vec<DropCertificate>> {
        self.read(|catalog| certificates(catalog, |found| found != status::LIVE))
    }

    /// The statements about this log's keys, for verifiers: empty as long as it has had one
    /// key.
    ///
    /// # Errors
    /// `CatalogDamaged`; I/O.
    pub fn key_chain(&self) -> Result<KeyChain> {
        self.read(key_chain)
    }

    /// How what is appended is protected; `None`: there was never anything to protect.
    ///
    /// # Errors
    /// `CatalogDamaged`, I/O.
    pub fn protection(&self) -> Result<Option<RecordedProtection>> {
        self.read(|catalog| Ok(catalog.state().protection().map(RecordedProtection::of)))
    }
}
