//! What the handles, the snapshots and the parts of an open log have in common: who the log is, how it
//! was opened, and its catalog.

use crate::catalog::Catalog;
use crate::directory::LogDir;
use crate::directory::identity::Identity;
use crate::error::Result;
use crate::hash::HashAlgorithm;
use crate::options::LogOptions;
use crate::ranked::{Mutex, Rank};
use crate::read::catalog_state::CatalogState;
use crate::seq::TreeSize;

/// One per open log or reader.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) dir: LogDir,
    pub(crate) options: LogOptions,
    pub(crate) algorithm: HashAlgorithm,
    /// Empty when the catalog, which knows it, is damaged.
    pub(crate) origin: String,
    pub(crate) catalog: Mutex<CatalogState>,
}

impl Shared {
    pub(crate) fn new(
        dir: LogDir,
        options: LogOptions,
        Identity { algorithm, origin }: Identity,
        catalog: CatalogState,
    ) -> Self {
        Shared { dir, options, algorithm, origin, catalog: Mutex::new(Rank::Catalog, catalog) }
    }

    /// Gives the catalog with what other processes have recorded by now.
    ///
    /// # Errors
    /// `CatalogDamaged`, I/O.
    pub(crate) fn with_catalog<T>(&self, read: impl FnOnce(&Catalog) -> Result<T>) -> Result<T> {
        let mut catalog = self.catalog.lock();
        let catalog = catalog.good()?;
        catalog.refresh()?;
        read(catalog)
    }

    /// Records of the catalog, and records under the newest signed head; `None` if it is damaged.
    pub(crate) fn catalog_sizes(&self) -> Option<CatalogSizes> {
        let catalog = self.catalog.lock();
        let catalog = catalog.as_good()?;
        Some(CatalogSizes { records: catalog.size(), signed: catalog.signed().0 })
    }
}

/// Figures of a catalog.
pub(crate) struct CatalogSizes {
    /// Records in it.
    pub(crate) records: TreeSize,
    /// Records of the log under the newest signed head; zero if none was signed.
    pub(crate) signed: TreeSize,
}
