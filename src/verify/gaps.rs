//! Segments that were dropped: a gap is explained by its certificate, and checked by the
//! hashes that stay.

use std::path::PathBuf;

use super::report::Place;
use super::report::{Gap, GapVerdict};
use super::verifier::{MetAnchor, Verifier};
use crate::error::{Error, Result};
use crate::format::catalog_body::{Sealed, status};
use crate::hash::Hash;
use crate::merkle::{Frontier, NodeId, range_nodes};
use crate::retention::DropCertificate;
use crate::segment;
use crate::seq::{Seq, TreeSize};
use crate::tree::Below;

impl Verifier<'_> {
    /// Whether a segment was dropped, by the catalog, and its file is not there.
    pub(super) fn is_gap(sealed: &Sealed, there: &dyn Fn(u64) -> bool) -> bool {
        match sealed.status {
            status::DROPPED => true,
            dropping if status::is_dropping(dropping) => !there(sealed.ordinal),
            _ => false,
        }
    }

    /// Files of dropped segments are none of the log's.
    pub(super) fn leave_out_dropped(&mut self, files: &mut Vec<(u64, PathBuf, u64)>) {
        let dropped = |ordinal: u64| {
            let mut sealed = self.sealed.iter();
            sealed.any(|s| s.ordinal == ordinal && s.status == status::DROPPED)
        };
        let (back, kept) = std::mem::take(files).into_iter().partition(|file| dropped(file.0));
        *files = kept;
        let back: Vec<(u64, PathBuf, u64)> = back;
        for (ordinal, path, bytes) in back {
            let expected = "no file: the segment was dropped (`bulla restore` brings one back)";
            let place = (Some(ordinal), None, None);
            self.warning(&path, place, "segment", expected, format!("one of {bytes} bytes"));
        }
    }

    /// Warns of drops between the certificate and the end whose files are there: readers leave
    /// their records out. A writer may be in the middle of one, so what is found is read again.
    pub(super) fn warn_of_unfinished_drops(&mut self) -> Result<()> {
        for _ in 1..self.options.readings() {
            if self.unfinished_drops()?.is_empty() {
                return Ok(());
            }
            self.options.wait_for_writer();
            self.refresh_catalog(TreeSize::new(u64::MAX));
        }
        for (sealed, path) in self.unfinished_drops()? {
            let place = (Some(sealed.ordinal), None, Some(Seq::new(sealed.first)));
            let found = format!(
                "one with {} records that are left out by readers: the next opening for writing \
                 ends the drop, or calls it off if a hold matches one of them",
                sealed.count
            );
            self.warning(&path, place, "drop", "no file, as the drop was begun", found);
        }
        Ok(())
    }

    fn unfinished_drops(&self) -> Result<Vec<(Sealed, PathBuf)>> {
        let dir = self.dir.segments();
        let begun = self.sealed.iter().filter(|sealed| status::is_dropping(sealed.status));
        let mut found = Vec::new();
        for sealed in begun {
            let path = segment::path(&dir, sealed.ordinal);
            if self.dir.disk().exists(&path).map_err(Error::io("look for", &path))? {
                found.push((*sealed, path));
            }
        }
        Ok(found)
    }

    /// Goes over the dropped segments before one that is there; gives the digest of the last
    /// one's header, for the chain.
    pub(super) fn cross_gaps(&mut self, before: u64, there: &dyn Fn(u64) -> bool) -> Option<Hash> {
        let behind = self.gaps.last().map_or(0, |gap| gap.ordinal);
        let gone: Vec<Sealed> = self
            .sealed
            .iter()
            .filter(|sealed| sealed.ordinal < before && sealed.ordinal > behind)
            .filter(|sealed| sealed.first >= self.since.get() && Self::is_gap(sealed, there))
            .copied()
            .collect();
        for sealed in &gone {
            self.cross(sealed);
        }
        gone.last().map(|sealed| Hash::from_bytes(sealed.header))
    }

    fn cross(&mut self, sealed: &Sealed) {
        let certificate = self.certificate_of(sealed.ordinal);
        let end = TreeSize::new(sealed.first.saturating_add(sealed.count));
        self.anchor_unknown = true;
        let verdict = match &certificate {
            _ if self.tree_lost && certificate.is_some() => GapVerdict::Asserted,
            Some(certificate) => self.check_gap(certificate),
            None => {
                self.gap_finding(sealed.ordinal, sealed.first, "a drop certificate", "none");
                GapVerdict::Unexplained
            }
        };
        if self.frontier.size() < end {
            self.substitute(end);
        }
        self.gaps.push(Gap {
            ordinal: sealed.ordinal,
            first: Seq::new(sealed.first),
            count: sealed.count,
            verdict,
            certificate,
            signed: false, // known when all anchors were met
        });
    }

    /// Which certificates are under a head that was signed: its last record is an anchor, which
    /// binds the catalog.
    pub(super) fn sign_gaps(&mut self) {
        let ends_in = |met: &MetAnchor| {
            let end = met.seq.get().checked_add(1).map(TreeSize::new);
            self.heads.iter().any(|(_, head)| Some(head.size) == end)
        };
        let bound = self.anchors.iter().filter(|met| ends_in(met));
        let bound = bound.map(|met| met.anchor.catalog_size).max().unwrap_or(TreeSize::ZERO);
        for gap in &mut self.gaps {
            let at = gap.certificate.as_ref().map(|certificate| certificate.catalog_seq);
            gap.signed = at.is_some_and(|seq| bound.covers(seq));
        }
    }

    fn check_gap(&mut self, certificate: &DropCertificate) -> GapVerdict {
        let (ordinal, first) = (certificate.ordinal, certificate.start.size.get());
        let after = match certificate.extend(&self.frontier) {
            Ok(after) => after,
            Err(error) => {
                let expected = "a certificate that leads from the tree before to the tree after";
                self.gap_finding(ordinal, first, expected, &error.to_string());
                return GapVerdict::Unexplained;
            }
        };
        let leaves = match self.dropped_leaves(certificate, &after) {
            Ok(leaves) => leaves,
            Err(found) => {
                if let Some(unknown) = self.unknown_leaves(certificate) {
                    self.push_unknown(certificate, unknown);
                    return GapVerdict::Checked;
                }
                let expected = format!("hashes that fold to root {}", after.root());
                let place: Place = (Some(ordinal), None, Some(Seq::new(first)));
                let path = self.dir.tree();
                let found = format!(
                    "{found}: restore `tree/` from a backup; without one, opening the log for \
                     writing makes anew what the certificate has, and the rest is lost"
                );
                self.finding(&path, place, "stored hashes of dropped records", expected, found);
                self.frontier = after;
                self.meet_heads();
                return GapVerdict::Asserted;
            }
        };
        for leaf in leaves {
            self.push(leaf, None);
        }
        GapVerdict::Checked
    }

    /// The stored leaves of dropped records, if they fold to the tree after them; or what there
    /// is instead.
    fn dropped_leaves(
        &mut self,
        certificate: &DropCertificate,
        after: &Frontier,
    ) -> std::result::Result<Vec<Hash>, &'static str> {
        let (first, end) = (certificate.start.size.get(), certificate.end.size.get());
        let mut frontier = self.frontier.clone();
        let mut leaves = Vec::new();
        for seq in first..end {
            let leaf = self.stored.leaf(Seq::new(seq)).ok_or("none")?;
            frontier.push(leaf, |_, _| ());
            leaves.push(leaf);
        }
        if frontier == *after { Ok(leaves) } else { Err("others") }
    }

    /// How many leaves the files say are not known, if all else that they have of the dropped
    /// records leads to what the certificate has.
    fn unknown_leaves(&self, certificate: &DropCertificate) -> Option<u64> {
        let files = &self.stored.files;
        let stored = |first, count| Ok(files.run(first, count));
        let below = Below { algorithm: files.algorithm(), stored: &stored };
        let (mut unknown, mut others) = (0, false);
        let nodes = range_nodes(certificate.start.size.get(), certificate.end.size.get());
        for (node, hash) in nodes.into_iter().zip(&certificate.range) {
            let mut compare = |node: NodeId, proven: Hash| {
                others |= files.run(node, 1).is_none_or(|found| found != [proven]);
                unknown += u64::from(node.level == 0 && proven == Hash::ZERO);
                Ok(())
            };
            if node.level == 0 && files.run(node, 1).is_none_or(|found| found != [*hash]) {
                return None;
            }
            below.each(node, *hash, &mut compare).ok()?;
        }
        (!others && unknown > 0).then_some(unknown)
    }

    /// Goes over records of which no more is known than what the certificate has.
    fn push_unknown(&mut self, certificate: &DropCertificate, unknown: u64) {
        let (first, end) = (certificate.start.size, certificate.end.size);
        let place: Place = (Some(certificate.ordinal), None, Some(first.next_seq()));
        let within = self.heads.iter().filter(|(_, head)| head.size > first && head.size < end);
        let within = match within.count() {
            0 => String::new(),
            count => format!("; signed heads in between that are not compared: {count}"),
        };
        let what = "stored hashes of dropped records";
        let expected = format!("those of {} records", certificate.count());
        let found = format!(
            "{unknown} that are not known, since `tree/` was made anew without them{within}"
        );
        self.warning(&self.dir.tree(), place, what, expected, found);
        for (node, hash) in range_nodes(first.get(), end.get()).iter().zip(&certificate.range) {
            self.push_node(node.level, *hash, None);
        }
    }

    fn certificate_of(&self, ordinal: u64) -> Option<DropCertificate> {
        let catalog = self.catalog.as_ref()?;
        let at = catalog.whole.state.certificate_of(ordinal)?;
        let mut all = catalog.facts.certificates.iter();
        all.find(|certificate| certificate.catalog_seq == at).cloned()
    }

    /// Whether a record was in a segment that is gone.
    pub(super) fn is_dropped(&self, seq: Seq) -> bool {
        self.gaps.iter().any(|gap| {
            let end = gap.first.get().saturating_add(gap.count);
            (gap.first.get()..end).contains(&seq.get())
        })
    }

    fn gap_finding(&mut self, ordinal: u64, first: u64, expected: &str, found: &str) {
        let place: Place = (Some(ordinal), None, Some(Seq::new(first)));
        let path = match self.catalog {
            Some(_) => self.dir.catalog(),
            None => self.dir.segment(ordinal),
        };
        self.finding(&path, place, "gap", expected, found);
    }
}
