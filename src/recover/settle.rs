//! The last steps of opening: what was recovered is compared with what the log signed,
//! and only then is anything that is not part of it set aside.

use std::path::PathBuf;
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::directory::LogDir;
use crate::directory::checkpoints;
use crate::directory::quarantine::QuarantinedBytes;
use crate::error::{Error, Result};
use crate::format::{Stream, names};
use crate::read::decode;
use crate::read::segment_set::SegmentSet;
use crate::recover::main_log::TornBytes;
use crate::segment::recover;
use crate::seq::{Seq, TreeSize};
use crate::tree::TreeStore;

/// Copies what is not part of the log to `quarantine/`, durably.
pub(crate) fn set_aside(dir: &LogDir, leftovers: &[TornBytes]) -> Result<Vec<QuarantinedBytes>> {
    let kept = leftovers.iter().filter(|leftover| leftover.len > 0).map(|leftover| {
        let TornBytes { ordinal, offset, len, .. } = *leftover;
        let name = names::torn(Stream::Main, ordinal, offset);
        let from = (&*leftover.file, leftover.path.as_path());
        let file = recover::copy_aside(dir.disk(), &dir.quarantine(), &name, from, (offset, len))?;
        let reason = leftover.reason.clone();
        let (stream, mended) = (Stream::Main, false);
        Ok(QuarantinedBytes { stream, ordinal, offset, len, file, reason, mended })
    });
    kept.collect()
}

/// Takes away what was set aside.
pub(crate) fn clear_away(dir: &LogDir, leftovers: &[TornBytes]) -> Result<()> {
    let (disk, dir) = (dir.disk(), dir.segments());
    for TornBytes { path, file, offset, remove, .. } in leftovers {
        if *remove {
            disk.remove_file(path).map_err(Error::io("remove", path))?;
            disk.sync_dir(&dir).map_err(Error::sync(&dir))?;
        } else {
            file.set_len(*offset).map_err(Error::io("cut", path))?;
            file.sync_data().map_err(Error::sync(path))?;
        }
    }
    Ok(())
}

/// When the catalog cannot tell what was signed, the published heads do: what one covers is
/// never torn. A file that is no checkpoint of its size is left to `verify`.
pub(crate) fn check_published(dir: &LogDir, size: TreeSize) -> Result<()> {
    for (published, path) in checkpoints::list(dir)?.iter().rev() {
        let Ok(checkpoint) = checkpoints::read(dir.disk(), path) else { continue };
        let head = checkpoint.dangerously_unverified().head();
        if head.size.get() != *published || head.size <= size {
            continue;
        }
        let expected = format!("{} records, which {} covers", head.size, path.display());
        let found = format!("{size} records");
        return Err(Error::corrupt(&dir.segments(), 0, expected, found));
    }
    Ok(())
}

/// A head is recorded before it is published: a catalog without the newest published one was put
/// back.
pub(crate) fn check_not_older(catalog: &Catalog, newest: Option<(u64, PathBuf)>) -> Result<()> {
    let (signed, _) = catalog.signed();
    if let Some((published, path)) = newest.filter(|(published, _)| *published > signed.get()) {
        let what = format!("the catalog is older than {}", path.display());
        let found = format!("newest signed head {signed}");
        return Err(Error::tampered(what, format!("a signed head of size {published}"), found));
    }
    Ok(())
}

/// What the log signed and anchored must be what is there.
pub(crate) fn check_against_catalog(
    view: &Arc<SegmentSet>,
    tree: &TreeStore,
    last_anchor: TreeSize,
    catalog: &Catalog,
) -> Result<()> {
    let size = view.size();
    let (signed, root) = catalog.signed();
    if signed > size {
        let path = view.dir.segments();
        let expected = format!("{signed} records, which a signed head covers");
        return Err(Error::corrupt(&path, 0, expected, format!("{size} records")));
    }
    if signed > TreeSize::ZERO {
        // What nobody knows any more cannot be compared: signing another head finds that out.
        if let Some(found) = tree.known_root_at(signed)?
            && found != root
        {
            return Err(Error::tampered(format!("the tree of {signed} records"), root, found));
        }
    }
    check_not_older(catalog, checkpoints::list(&view.dir)?.pop())?;
    match last_anchor.last_seq() {
        Some(anchor) => check_anchor(view, anchor, catalog),
        None => Ok(()),
    }
}

/// The newest anchor binds a state of the catalog: the catalog must contain it.
fn check_anchor(view: &Arc<SegmentSet>, seq: Seq, catalog: &Catalog) -> Result<()> {
    let snapshot = view.snapshot();
    let anchor = match snapshot.with_record(seq, |_, record| decode::decode_anchor(&record)) {
        // A crash came between a certificate and the anchor that follows it: nothing is unlinked
        // before that is durable, so the file is there.
        Err(Error::Expired { .. }) => view.with_dropped_record(seq, decode::decode_anchor)?,
        anchor => anchor?,
    };
    let what = format!("the catalog, against the anchor in record {seq}");
    let anchor = anchor.map_err(|reason| Error::tampered(what.clone(), "an anchor", reason))?;
    if anchor.catalog_size > catalog.size() {
        let expected = format!("{} records or more", anchor.catalog_size);
        let found = format!("{} (was an older copy put back?)", catalog.size());
        return Err(Error::tampered(what, expected, found));
    }
    let root = catalog.root_at(anchor.catalog_size)?;
    if root != anchor.catalog_root {
        let expected = format!("root {} at size {}", anchor.catalog_root, anchor.catalog_size);
        return Err(Error::tampered(what, expected, root));
    }
    Ok(())
}
