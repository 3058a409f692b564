//! The drop certificates of a log, for a tree whose files lost hashes of dropped records.

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::catalog::certificates::certificates;
use crate::directory::LogDir;
use crate::error::{Error, Result};
use crate::format::catalog_body::status;
use crate::retention::DropCertificate;
use crate::tree::Certificates;

/// The certificates of a log, for a tree whose files lost what they had of dropped records. The
/// catalog is opened for it: it may be in use by whoever asks the tree.
#[derive(Debug)]
struct OfCatalog {
    dir: LogDir,
}

pub(crate) fn certified(dir: &LogDir) -> Arc<dyn Certificates> {
    Arc::new(OfCatalog { dir: dir.clone() })
}

impl Certificates for OfCatalog {
    fn all(&self) -> Result<Vec<DropCertificate>> {
        let (disk, clock) = (self.dir.shared_disk(), self.dir.shared_clock());
        let catalog = Catalog::open_read_only(disk, &self.dir.catalog(), self.dir.log_id(), clock);
        let catalog = catalog.map_err(|error| match error {
            Error::Corrupt { .. } | Error::NotALog { .. } => {
                let reason = format!(
                    "the hashes of dropped records in `tree/` were lost, and only their drop \
                     certificates have what a proof needs of them: {error}"
                );
                Error::CatalogDamaged { reason }
            }
            error => error,
        })?;
        // What was restored has its records: no hash of theirs is lost for good.
        certificates(&catalog, |found| !status::is_readable(found))
    }
}
