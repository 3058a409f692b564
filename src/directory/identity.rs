//! Whether there is a log in a directory, and which one.

use std::io;
use std::path::Path;

use crate::catalog::Catalog;
use crate::directory::LogDir;
use crate::disk::{Disk, Open};
use crate::error::{Error, Result};
use crate::format::{LogId, names};
use crate::hash::HashAlgorithm;
use crate::segment;

/// What a log is, apart from its id.
pub(crate) struct Identity {
    pub(crate) algorithm: HashAlgorithm,
    pub(crate) origin: String,
}

/// There must be a log at this path.
pub(crate) fn check_is_log(disk: &dyn Disk, dir: &Path) -> Result<LogId> {
    let (catalog, segments) = (dir.join(names::CATALOG), dir.join(names::SEGMENTS));
    let missing = |missing: &str| Error::NotALog { path: dir.to_owned(), missing: missing.into() };
    if !disk.exists(dir).map_err(Error::io("look for", dir))? {
        return Err(missing("no such directory"));
    }
    if let Some(log_id) = Catalog::identify(disk, &catalog)? {
        return Ok(log_id);
    }
    match segment::identify(disk, &segments)? {
        Some(header) => Ok(header.log_id),
        None => {
            refuse_unreadable(disk, &catalog, 1)?;
            refuse_unreadable(disk, &segments, 0)?;
            Err(missing("no catalog and no segment (its creation was interrupted)"))
        }
    }
}

/// What may not be read is not missing: the segments here, or in the copies below.
fn refuse_unreadable(disk: &dyn Disk, dir: &Path, depth: usize) -> Result<()> {
    let names = match disk.list(dir) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Err(Error::io("list", dir)(error));
        }
        names => names.unwrap_or_default(),
    };
    for name in names {
        let path = dir.join(&name);
        if names::parse_segment(&name).is_none() {
            if depth > 0 {
                refuse_unreadable(disk, &path, depth - 1)?;
            }
        } else if let Err(error) = disk.open(&path, Open::Read)
            && error.kind() == io::ErrorKind::PermissionDenied
        {
            return Err(Error::io("open", &path)(error));
        }
    }
    Ok(())
}

/// What a log is, by its catalog or, where that is damaged, by its segments.
pub(crate) fn identity(dir: &LogDir, catalog: Option<&Catalog>) -> Result<Identity> {
    if let Some(catalog) = catalog {
        return catalog_identity(dir, catalog);
    }
    let header = segment::identify(dir.disk(), &dir.segments())?;
    let Some(header) = header else {
        let missing = "its catalog is damaged and there is no segment".to_owned();
        return Err(Error::NotALog { path: dir.path().to_owned(), missing });
    };
    Ok(Identity { algorithm: header.algorithm, origin: String::new() })
}

pub(crate) fn catalog_identity(dir: &LogDir, catalog: &Catalog) -> Result<Identity> {
    let created = catalog.state().created();
    let known = created.and_then(|created| {
        let algorithm = HashAlgorithm::from_code(created.hash_algorithm)?;
        let origin = catalog.state().origin()?.to_owned();
        Some(Identity { algorithm, origin })
    });
    known.ok_or_else(|| {
        let path = dir.catalog();
        Error::corrupt(&path, 0, "a record of the log's creation", "none")
    })
}
