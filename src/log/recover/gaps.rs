//! Rebuilding across segments that were dropped.

use super::Failure;
use super::Walk;
use crate::error::Error;
use crate::format::catalog_body::{Sealed, status};
use crate::hash::Hash;
use crate::log::core::CatalogState;
use crate::log::retain;
use crate::retention::DropCertificate;
use crate::seq::TreeSize;
use crate::time::Timestamp;

impl Walk<'_> {
    /// Puts what was dropped before a segment on the tree: the certificate has what the
    /// following records need of it, and the hash files have the rest, unless they were lost.
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
            check_speaks_of(&certificate, sealed)?;
            self.previous = Some(Hash::from_bytes(sealed.header));
            self.last_recorded_at = Timestamp::from_nanos(sealed.times[1]);
            let ordinal = sealed.ordinal;
            if self.tree.cross(&certificate)? {
                continue;
            }
            // A file that is written on is not written over with less than it may have.
            if self.marked {
                let why = format!("the hashes of dropped segment {ordinal} are not those it had");
                return Err(Failure::NotFitting(why));
            }
            self.recovery.lost_hashes.push(ordinal);
        }
        Ok(())
    }
}

/// The certificate must speak of the segment that was sealed.
fn check_speaks_of(certificate: &DropCertificate, sealed: &Sealed) -> Result<(), Error> {
    let (start, end) = (certificate.start.size.get(), certificate.end);
    let said = (certificate.ordinal, start, end.size.get(), end.root);
    let size = sealed.first.saturating_add(sealed.count);
    if said == (sealed.ordinal, sealed.first, size, Hash::from_bytes(sealed.end_root)) {
        return Ok(());
    }
    let what = format!("the drop certificate of segment {}", sealed.ordinal);
    let root = Hash::from_bytes(sealed.end_root);
    let expected = format!("records {} to {size} and root {root}, as it was sealed", sealed.first);
    let found = format!("segment {}, records {start} to {}, root {}", said.0, said.2, said.3);
    Err(Error::tampered(what, expected, found))
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
