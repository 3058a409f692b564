//! Rebuilding across segments that were dropped.

use super::{FLUSH_BYTES, Failure, Walk};
use crate::catalog::certificates;
use crate::error::Error;
use crate::format::catalog_body::{Sealed, status};
use crate::format::header::SegmentHeader;
use crate::hash::Hash;
use crate::read::catalog_state::CatalogState;
use crate::retention::DropCertificate;
use crate::seq::TreeSize;
use crate::time::Timestamp;

impl Walk<'_> {
    /// Puts what was dropped before a segment on the tree: the certificate has what the
    /// following records need of it, and the hash files have the rest, unless they were lost.
    pub(super) fn cross_gaps(&mut self, header: &SegmentHeader) -> Result<(), Failure> {
        let first = header.first;
        if let CatalogState::Damaged(damage) = self.catalog
            && self.tree.size() < first
        {
            return Err(Failure::Failed(no_way_across(self.tree.size(), first, damage)));
        }
        let Some((certificates, last)) = self.certificates_up_to(header)? else { return Ok(()) };
        self.previous = Some(Hash::from_bytes(last.header));
        self.last_recorded_at = Timestamp::from_nanos(last.times[1]);
        for certificate in certificates {
            let ordinal = certificate.ordinal;
            let whole = self.tree.cross(&certificate)?;
            // A file that is written on is not written over with less than it may have.
            if !whole && !self.tree.is_anew() {
                let why = format!("the hashes of dropped segment {ordinal} are not those it had");
                return Err(Failure::NotFitting(why));
            }
            if !whole {
                self.recovery.lost_hashes.push(ordinal);
            }
            if self.tree.pending_bytes() > FLUSH_BYTES {
                self.tree.flush()?;
            }
        }
        Ok(())
    }

    /// The certificates that lead from the tree so far to the one that a segment continues, and
    /// the last of those segments. `None` if there is no gap, or none that the catalog explains.
    fn certificates_up_to(
        &self,
        header: &SegmentHeader,
    ) -> Result<Option<(Vec<DropCertificate>, Sealed)>, Failure> {
        let CatalogState::Good(catalog) = self.catalog else { return Ok(None) };
        let (mut frontier, mut certificates) = (self.tree.frontier(), Vec::new());
        let mut last = None;
        while frontier.size() < header.first {
            let at = frontier.size().get();
            let gone = |sealed: &&Sealed| sealed.first == at && !status::is_readable(sealed.status);
            let Some(sealed) = self.sealed.iter().find(gone) else { return Ok(None) };
            let certificate = certificates::certificate_for(catalog, sealed)?;
            frontier = certificate.extend(&frontier).map_err(|error| {
                let what = format!("the drop certificate of segment {}", sealed.ordinal);
                Error::tampered(what, "hashes that lead from one head to the other", error)
            })?;
            certificates.push(certificate);
            last = Some(*sealed);
        }
        // Only then is anything made of them.
        if let Some(last) = last
            && frontier.size() == header.first
            && frontier.root() != header.start_root
        {
            let what = format!("root at the start of segment {}", header.ordinal);
            let expected = format!("{}, after dropped segment {}", frontier.root(), last.ordinal);
            return Err(Error::tampered(what, expected, header.start_root).into());
        }
        Ok(last.map(|last| (certificates, last)))
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
