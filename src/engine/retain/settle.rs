//! What a crash left of a drop: a certificate without the record that it is done.

use std::collections::BTreeSet;

use crate::catalog::CatalogTransaction;
use crate::catalog::certificates;
use crate::disk::Open;
use crate::engine::core::Core;
use crate::engine::retain::scan;
use crate::error::{Error, Result};
use crate::format::catalog_body::{CatalogBody, DropAborted, Sealed, status};
use crate::format::names;
use crate::read::catalog_state::CatalogState;
use crate::read::recorded;
use crate::retention::Hold;
use crate::segment::bytes::SegmentFile;
use crate::segment::{self};

/// Finishes the drops that were begun, or calls them off if a hold came in between that
/// matches a record whose file is still there. A damaged catalog deletes nothing.
///
/// # Errors
/// I/O, a full disk: the next call goes on.
pub(crate) fn finish_interrupted(core: &Core) -> Result<()> {
    let (begun, back) = match &*core.shared.catalog.lock() {
        CatalogState::Good(catalog) => {
            (dropping(catalog.state().segments()), came_back(core, catalog.state().segments())?)
        }
        CatalogState::Damaged(_) => return Ok(()),
    };
    if begun.is_empty() && back.is_empty() {
        return Ok(());
    }
    let _signing = core.signing.lock();
    let _upkeep = core.upkeep.lock();
    let mut catalog = core.shared.catalog.lock();
    catalog.good()?.transact(|catalog| {
        // Nothing is deleted on the word of a snapshot.
        catalog.check_whole()?;
        let holds = recorded::scopes(catalog.catalog(), core.shared.options.key_store.as_ref())?;
        for sealed in &back {
            // What a hold pins stays, whatever is said of it, and what cannot be read.
            if scan::scan(core, sealed, &holds).is_ok() {
                core.unlink(&certificates::certificate_for(catalog.catalog(), sealed)?)?;
            }
        }
        for sealed in dropping(catalog.state().segments()) {
            settle_one(core, catalog, sealed, &holds)?;
        }
        Ok(())
    })
}

/// Dropped segments whose own files are there: a power failure took back a removal that the
/// disk had only seemed to make durable. A file of that name with another header is none of
/// the log's, and left.
fn came_back(core: &Core, segments: impl Iterator<Item = Sealed>) -> Result<Vec<Sealed>> {
    let (disk, dir) = (core.shared.dir.disk(), core.shared.dir.segments());
    let names = disk.list(&dir).map_err(Error::io("list", &dir))?;
    let there: BTreeSet<u64> = names.iter().filter_map(|name| names::parse_segment(name)).collect();
    let dropped = segments
        .filter(|sealed| sealed.status == status::DROPPED && there.contains(&sealed.ordinal));
    let mut back = Vec::new();
    for sealed in dropped {
        let path = segment::path(&dir, sealed.ordinal);
        match SegmentFile::open(disk, &path, Open::Read) {
            Ok(Some(file)) if file.header.digest().as_bytes() == &sealed.header => {
                back.push(sealed);
            }
            Err(error @ Error::Io { .. }) => return Err(error),
            _ => {}
        }
    }
    Ok(back)
}

fn dropping(segments: impl Iterator<Item = Sealed>) -> Vec<Sealed> {
    segments.filter(|sealed| status::is_dropping(sealed.status)).collect()
}

/// While the file is there its records are compared with all holds once more: those that the
/// certificate speaks of too, as it may be somebody else's.
fn settle_one(
    core: &Core,
    catalog: &mut CatalogTransaction<'_>,
    sealed: Sealed,
    holds: &[Hold],
) -> Result<()> {
    let path = core.shared.dir.segment(sealed.ordinal);
    let there = core.shared.dir.disk().exists(&path).map_err(Error::io("look for", &path))?;
    if !there {
        return core.finish_drop(catalog, sealed);
    }
    match scan::scan(core, &sealed, holds) {
        Ok(_) => core.finish_drop(catalog, sealed),
        Err(Error::Held { cases, .. }) => {
            let case = cases.first().map_or("", String::as_str);
            let body = CatalogBody::DropAborted(DropAborted { ordinal: sealed.ordinal, case });
            catalog.append(&body, &Default::default())?;
            if let Some(sealed) = catalog.state().segment(sealed.ordinal) {
                core.view.sealed(sealed);
            }
            Ok(())
        }
        // Nobody can tell whether a hold pins it: it stays as it is.
        Err(Error::Corrupt { .. } | Error::Tampered { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}
