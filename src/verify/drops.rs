//! Drops and anchors: nothing goes before an anchor binds its certificate.

use super::records::{Drop, KnownRecords};
use super::report::Gap;
use super::verifier::{MetAnchor, Verifier};
use crate::seq::{Seq, TreeSize};

/// The anchors in a segment that is gone: how many records of the catalog they can have bound.
struct GoneAnchors {
    ordinal: u64,
    least: u64,
    most: u64,
}

impl GoneAnchors {
    /// Whether the anchor of a drop may have been one of them. It is appended behind the segment
    /// that is dropped.
    fn may_bind(&self, drop: &Drop, done: Seq) -> bool {
        let (least, most) = (drop.begun.get().saturating_add(1), done.get());
        self.ordinal > drop.ordinal && self.least <= most && self.most >= least
    }
}

impl Verifier<'_> {
    /// Nothing of a segment is unlinked before an anchor binds its certificate: without one, an
    /// older catalog could be put back, and the records would be missing without a trace.
    pub(super) fn check_drops_anchored(&mut self) {
        // Such an anchor may be among the records that were not met.
        if self.tree_lost || !self.lossy.is_empty() || self.not_read.is_some() {
            return;
        }
        let Some(catalog) = &self.catalog else { return };
        let known = &catalog.facts.known;
        let gone: Vec<GoneAnchors> =
            self.gaps.iter().filter_map(|gap| self.gone_anchors(gap, known)).collect();
        let missing = |drop: &&Drop| {
            let Some(done) = drop.done else { return false };
            let binds = |size: u64| size > drop.begun.get() && size <= done.get();
            let mut sizes = self.anchors.iter().map(|met| met.anchor.catalog_size.get());
            let mut gone = gone.iter();
            !sizes.any(binds) && !gone.any(|gone| gone.may_bind(drop, done))
        };
        let drops: Vec<(u64, Seq)> =
            known.drops.iter().filter(missing).map(|drop| (drop.ordinal, drop.begun)).collect();
        let path = self.dir.catalog();
        for (ordinal, begun) in drops {
            let expected = format!("an anchor behind the drop certificate of segment {ordinal}");
            let place = (Some(ordinal), None, Some(begun));
            self.finding(&path, place, "drop", expected, "none before the drop was done");
        }
        self.check_followed();
    }

    /// What the anchors in a dropped segment can have bound; `None` if it had none. Anchors bind
    /// ever more of the catalog, one after the other, and none binds the seal of its own segment.
    fn gone_anchors(&self, gap: &Gap, known: &KnownRecords) -> Option<GoneAnchors> {
        let sealed = known.sealed.get(&gap.ordinal)?.get();
        // The header behind the gap says how far the newest anchor before it is.
        let mut behind = self.newest_anchors.range(gap.ordinal.saturating_add(1)..);
        if behind.next().is_some_and(|(_, newest)| *newest <= TreeSize::new(gap.first.get())) {
            return None;
        }
        let at = self.anchors.partition_point(|met| met.seq < gap.first);
        let (before, behind) = self.anchors.split_at_checked(at)?;
        let size_of = |met: &MetAnchor| met.anchor.catalog_size.get();
        let least = before.iter().map(size_of).max().unwrap_or(0);
        let most = behind.iter().map(size_of).min().map_or(sealed, |behind| behind.min(sealed));
        Some(GoneAnchors { ordinal: gap.ordinal, least, most })
    }

    /// The newest records of a log are never dropped: at least an anchor stands behind them.
    fn check_followed(&mut self) {
        let size = self.frontier.size().get();
        let last = self.gaps.last().filter(|gap| gap.first.get().saturating_add(gap.count) >= size);
        let Some((ordinal, first)) = last.map(|gap| (gap.ordinal, gap.first)) else { return };
        let path = self.dir.segment(ordinal);
        let expected = "a segment behind the one that was dropped";
        self.finding(&path, (Some(ordinal), None, Some(first)), "drop", expected, "none");
    }

    /// No anchor binds less of the catalog than one before it.
    pub(super) fn check_anchors_ascend(&mut self) {
        let fell = self.anchors.windows(2).filter_map(|pair| match pair {
            [before, met] if met.anchor.catalog_size < before.anchor.catalog_size => {
                Some((*met, before.anchor.catalog_size))
            }
            _ => None,
        });
        for (met, before) in fell.collect::<Vec<_>>() {
            let path = self.dir.segment(met.ordinal);
            let place = (Some(met.ordinal), None, Some(met.seq));
            let expected = format!("{before} catalog records or more, as the anchor before it has");
            let found = met.anchor.catalog_size.to_string();
            self.finding(&path, place, "anchor", expected, found);
        }
    }
}
