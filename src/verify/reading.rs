//! Reading what another process may be writing: whatever looks wrong is read again before
//! it is believed.

use std::path::{Path, PathBuf};

use super::marks::MetMark;
use super::report::Progress;
use super::settled;
use super::verifier::{Counts, HashMismatch, Verifier};
use crate::disk::Open;
use crate::error::{Error, Result};
use crate::format::catalog_body::Sealed;
use crate::format::header::SegmentHeader;
use crate::hash::Hash;
use crate::merkle::{Frontier, NodeId};
use crate::read::stats;
use crate::segment::bytes;
use crate::segment::bytes::SegmentFile;
use crate::seq::TreeSize;

/// What a segment changes while it is read, to be put back before it is read again.
struct Before {
    findings: usize,
    anchors: usize,
    altered: Vec<NodeId>,
    doubts: Vec<HashMismatch>,
    heads_met: usize,
    marks: Vec<MetMark>,
    lossy: usize,
    warnings: usize,
    frontier: Frontier,
    tree_lost: bool,
    last_anchor: TreeSize,
    said_durable: TreeSize,
    anchor_unknown: bool,
    counts: Counts,
}

impl Verifier<'_> {
    /// Reads the catalog again if it had fewer records, or was not asked how many.
    pub(super) fn refresh_catalog(&mut self, size: TreeSize) {
        if self.catalog.as_ref().is_none_or(|catalog| catalog.whole.size() >= size) {
            return;
        }
        if let (Some(catalog), _) = settled::catalog(&self.dir, self.options) {
            self.sealed = catalog.whole.state.segments().collect();
            self.catalog = Some(catalog);
        }
    }

    pub(super) fn segments(&mut self) -> Result<()> {
        let mut files = self.settled_listing()?;
        self.leave_out_dropped(&mut files);
        self.check_ordinals(&files);
        let ordinals: Vec<u64> = files.iter().map(|(ordinal, ..)| *ordinal).collect();
        let there = |ordinal: u64| ordinals.binary_search(&ordinal).is_ok();
        let mut previous = self.skip_segments(&mut files);
        self.bytes_total = files.iter().map(|(_, _, bytes)| bytes).sum();
        // What is sealed and dropped by now stands before files that were listed after that.
        let sealed = self.sealed.last().map_or(0, |sealed| sealed.ordinal);
        for (at, (ordinal, path, bytes)) in files.iter().enumerate() {
            let last = at + 1 == files.len();
            previous = self.cross_gaps(*ordinal, &there).or(previous);
            let header = self.settled_segment((*ordinal, path), last, previous)?;
            previous = header.map(|header| header.digest());
            self.counts.bytes += bytes;
            (self.progress)(Progress {
                bytes_done: self.counts.bytes,
                bytes_total: self.bytes_total,
            });
        }
        self.cross_gaps(sealed.saturating_add(1), &there);
        Ok(())
    }

    /// A segment with findings is read until two readings agree.
    fn settled_segment(
        &mut self,
        file: (u64, &Path),
        last: bool,
        previous: Option<Hash>,
    ) -> Result<Option<SegmentHeader>> {
        let before = self.save();
        let mut earlier = Vec::new();
        for reading in 1.. {
            let header = self.segment(file, last, previous)?;
            let found = self.findings.get(before.findings..).unwrap_or_default();
            let warned = self.warnings.get(before.warnings..).unwrap_or_default();
            let found = [found, warned].concat();
            if found.is_empty() || found == earlier || reading >= self.options.readings() {
                return Ok(header);
            }
            earlier = found;
            self.options.wait_for_writer();
            self.put_back(&before);
            self.refresh_catalog(TreeSize::new(u64::MAX));
        }
        Ok(None)
    }

    fn save(&self) -> Before {
        Before {
            findings: self.findings.len(),
            anchors: self.anchors.len(),
            altered: self.altered.clone(),
            doubts: self.doubts.clone(),
            heads_met: self.heads_met,
            marks: self.marks.clone(),
            lossy: self.lossy.len(),
            warnings: self.warnings.len(),
            frontier: self.frontier.clone(),
            tree_lost: self.tree_lost,
            last_anchor: self.last_anchor,
            said_durable: self.said_durable,
            anchor_unknown: self.anchor_unknown,
            counts: self.counts,
        }
    }

    fn put_back(&mut self, before: &Before) {
        self.findings.truncate(before.findings);
        self.anchors.truncate(before.anchors);
        self.altered.clone_from(&before.altered);
        self.doubts.clone_from(&before.doubts);
        self.heads_met = before.heads_met;
        self.marks.clone_from(&before.marks);
        self.lossy.truncate(before.lossy);
        self.warnings.truncate(before.warnings);
        self.frontier.clone_from(&before.frontier);
        self.tree_lost = before.tree_lost;
        self.last_anchor = before.last_anchor;
        self.said_durable = before.said_durable;
        self.anchor_unknown = before.anchor_unknown;
        self.counts = before.counts;
    }

    /// The segments, without those at the end that were made ahead. A file may be missed in
    /// a directory that changes: a gap is looked at again.
    fn settled_listing(&mut self) -> Result<Vec<(u64, PathBuf, u64)>> {
        let mut files = stats::segment_files(&self.dir)?;
        for _ in 0..2 {
            if self.is_whole_listing(&files) {
                break;
            }
            self.options.wait_for_writer();
            files = stats::segment_files(&self.dir)?;
        }
        while let Some((ordinal, path, _)) = files.last().cloned() {
            let sealed = self.sealed.iter().any(|sealed| sealed.ordinal == ordinal);
            if sealed || !self.is_unused(ordinal, &path)? {
                break;
            }
            files.pop();
        }
        Ok(files)
    }

    /// Whether no file is missing but those of dropped segments.
    fn is_whole_listing(&self, files: &[(u64, PathBuf, u64)]) -> bool {
        let there = |ordinal: u64| files.iter().any(|(there, ..)| *there == ordinal);
        let newest = files.last().map_or(0, |(ordinal, ..)| *ordinal);
        let gaps = self.sealed.iter().filter(|sealed| Self::is_gap(sealed, &there)).count();
        (files.len() + gaps) as u64 >= newest
    }

    /// Whether a segment was made ahead and not used yet.
    fn is_unused(&mut self, ordinal: u64, path: &Path) -> Result<bool> {
        let disk = self.dir.disk();
        let unused = || {
            let opened = SegmentFile::open(&*disk, path, Open::Read);
            matches!(opened, Ok(None))
        };
        if !unused() {
            return Ok(false);
        }
        let file = disk.open(path, Open::Read).map_err(Error::io("open", path))?;
        let used = bytes::used_bytes(&*file, path, 0)?;
        // A writer may have begun it in between.
        if used > 0 && !unused() {
            return Ok(false);
        }
        if used > 0 {
            let place = (Some(ordinal), Some(0), None);
            let found = format!("{used} bytes that are none");
            self.warning(path, place, "header", "a header, or zeros", found);
        }
        Ok(true)
    }

    /// Segments are numbered from 1 on, and none is left out.
    fn check_ordinals(&mut self, files: &[(u64, PathBuf, u64)]) {
        let there = |ordinal: u64| files.iter().any(|(there, _, _)| *there == ordinal);
        let gone = |sealed: &&Sealed| !there(sealed.ordinal);
        let (gaps, missing): (Vec<&Sealed>, Vec<&Sealed>) =
            self.sealed.iter().filter(gone).partition(|sealed| Self::is_gap(sealed, &there));
        let ordinals = |of: Vec<&Sealed>| of.iter().map(|s| s.ordinal).collect::<Vec<u64>>();
        let (gaps, missing) = (ordinals(gaps), ordinals(missing));
        for ordinal in &missing {
            let path = self.dir.segment(*ordinal);
            let expected = "the segment, which the catalog says is live";
            let found = "no file, and no drop certificate: the gap is unexplained";
            self.finding(&path, (Some(*ordinal), None, None), "segment", expected, found);
        }
        let mut next = 1;
        for (ordinal, _, _) in files {
            let told = |gone: u64| missing.contains(&gone) || gaps.contains(&gone);
            let gap = *ordinal > next && !(next..*ordinal).all(told);
            if gap {
                let path = self.dir.segment(next);
                let found = format!("segment {ordinal} as the next one");
                let place = (Some(next), None, None);
                self.finding(&path, place, "segment", format!("segment {next}"), found);
            }
            next = ordinal.saturating_add(1);
        }
    }
}
