//! Rebuilding across segments that were dropped.

use std::sync::Arc;

use super::Failure;
use super::Walk;
use crate::error::Error;
use crate::format::catalog_body::{Sealed, status};
use crate::hash::Hash;
use crate::log::core::{CatalogState, tree_dir};
use crate::log::retain;
use crate::seq::TreeSize;
use crate::time::Timestamp;
use crate::tree::TreeStore;

impl Walk<'_> {
    /// Puts what was dropped before a segment on the tree: the certificate has what the
    /// following records need of it, and the hash files have the rest.
    pub(super) fn cross_gaps(&mut self, first: TreeSize) -> Result<(), Failure> {
        if let CatalogState::Damaged(damage) = self.catalog
            && self.tree.size() < first
        {
            return Err(Failure::Failed(no_way_across(self.tree.size(), first, damage)));
        }
        while self.tree.size() < first {
            let at = self.tree.size().get();
            let gone = |sealed: &&Sealed| sealed.first == at && !status::is_readable(sealed.status);
            let Some(sealed) = self.sealed.iter().find(gone) else { return Ok(()) };
            let CatalogState::Good(catalog) = self.catalog else { return Ok(()) };
            let Some(seq) = catalog.state().certificate_of(sealed.ordinal) else { return Ok(()) };
            let certificate = retain::certificate_at(catalog, seq)?;
            let frontier = certificate.extend(&self.tree.frontier()).map_err(|error| {
                let what = format!("the drop certificate of segment {}", sealed.ordinal);
                Error::tampered(what, "hashes that lead from one head to the other", error)
            })?;
            self.previous = Some(Hash::from_bytes(sealed.header));
            self.last_recorded_at = Timestamp::from_nanos(sealed.times[1]);
            self.tree.flush()?;
            let (disk, dir) = (Arc::clone(&self.options.disk), tree_dir(self.dir));
            self.tree = TreeStore::open(disk, &dir, self.log_id, frontier, false)?;
        }
        Ok(())
    }
}

/// Only a certificate leads across a gap, and the catalog has those.
fn no_way_across(from: TreeSize, to: TreeSize, damage: &str) -> Error {
    let last = to.last_seq().unwrap_or_default();
    let reason = format!(
        "reading the log from its start, as there is no mark that fits; no segment holds records \
         {} to {last}, and only a drop certificate of the catalog leads across them: {damage}",
        from.next_seq()
    );
    Error::CatalogDamaged { reason }
}
