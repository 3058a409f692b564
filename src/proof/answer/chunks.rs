//! Chunks of lists: that they are of the list, and that nothing outside them is asked for.

use super::error::VerifyAnswerError;
use super::evidence::{ShownList, TimeEvidence};
use crate::format::catalog_body::Sealed;
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::{TreeHead, verify_batch_inclusion};
use crate::query::TimeRange;
use crate::seq::{Seq, TreeSize};
use crate::terms::{
    Axis, CHUNK, TermLeaf, TimeEntry, chunk_count, position_chunk_leaf, time_chunk_leaf,
};
use crate::time::Timestamp;

/// Positions of a segment that the answer speaks about: from `low` up to, not including,
/// `high`. Never empty.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) low: u64,
    pub(super) high: u64,
}

impl Window {
    fn holds(self, position: u32) -> bool {
        (self.low..self.high).contains(&u64::from(position))
    }
}

/// Which chunks of which list are shown.
struct Chunks {
    /// In the whole list.
    total: u64,
    starts_at_first: bool,
    ends_at_last: bool,
}

/// Only the last chunk of a list may be short, so the number of entries says which chunks
/// they are.
fn which_chunks(
    what: &'static str,
    first_chunk: u64,
    shown: usize,
    entries: u64,
) -> Result<Chunks, VerifyAnswerError> {
    let total = chunk_count(entries);
    let behind = first_chunk.checked_add(chunk_count(shown as u64)).filter(|end| *end <= total);
    let Some(behind) = behind else {
        let expected = format!("chunks of {total}");
        let found = format!("{shown} entries from chunk {first_chunk} on");
        return Err(VerifyAnswerError::other(what, expected, found));
    };
    let chunk = CHUNK as u64;
    // The product is at most the number of entries: the chunk exists, or is the end.
    let expected = match behind == total {
        true => entries.saturating_sub(first_chunk.saturating_mul(chunk)),
        false => (behind - first_chunk).saturating_mul(chunk),
    };
    match expected == shown as u64 && (shown > 0 || total == 0) {
        true => {
            Ok(Chunks { total, starts_at_first: first_chunk == 0, ends_at_last: behind == total })
        }
        false => {
            let expected = format!("{} or more entries in whole chunks", expected.max(1));
            Err(VerifyAnswerError::other(what, expected, shown))
        }
    }
}

fn check_root(
    what: &'static str,
    first_chunk: u64,
    leaves: impl Iterator<Item = Hash>,
    head: TreeHead,
    hashes: &[Hash],
) -> Result<(), VerifyAnswerError> {
    // It was checked that all these numbers are below that of the chunks.
    let leaves: Vec<(Seq, Hash)> = (first_chunk..).map(Seq::new).zip(leaves).collect();
    verify_batch_inclusion(HashAlgorithm::Sha256, &leaves, &head, hashes)
        .map_err(VerifyAnswerError::index(what))
}

fn ascend<T: Ord>(what: &'static str, entries: &[T]) -> Result<(), VerifyAnswerError> {
    match entries.is_sorted_by(|before, after| before < after) {
        true => Ok(()),
        false => Err(VerifyAnswerError::other(what, "ascending entries", "others")),
    }
}

impl ShownList {
    /// All positions in the window that have the term.
    ///
    /// # Errors
    /// The chunks are not of the list, or the list has positions in the window outside them.
    pub(super) fn in_window(
        &self,
        leaf: &TermLeaf,
        records: u64,
        window: Window,
    ) -> Result<impl Iterator<Item = u32>, VerifyAnswerError> {
        let what = "the list of a term";
        let chunks = which_chunks(what, self.first_chunk, self.positions.len(), leaf.count)?;
        ascend(what, &self.positions)?;
        let ends = (self.positions.first(), self.positions.last());
        let (Some(first), Some(last)) = (ends.0.copied(), ends.1.copied()) else {
            return Err(VerifyAnswerError::other(what, "1 position or more", "none"));
        };
        let (first, last) = (u64::from(first), u64::from(last));
        if last >= records {
            let expected = format!("positions below {records}");
            return Err(VerifyAnswerError::other(what, expected, last));
        }
        let head = TreeHead { size: TreeSize::new(chunks.total), root: leaf.list_root };
        let leaves = self.positions.chunks(CHUNK).map(position_chunk_leaf);
        check_root(what, self.first_chunk, leaves, head, &self.hashes)?;
        // Positions ascend, so those in earlier chunks are below the first that is shown,
        // and those in later chunks above the last.
        if !chunks.starts_at_first && first > window.low {
            let expected = format!("the chunk with the position at or before {}", window.low);
            return Err(VerifyAnswerError::other(what, expected, format!("none before {first}")));
        }
        if !chunks.ends_at_last && last.saturating_add(1) < window.high {
            let expected = format!("the chunks with the positions below {}", window.high);
            return Err(VerifyAnswerError::other(what, expected, format!("none above {last}")));
        }
        Ok(self.positions.iter().copied().filter(move |position| window.holds(*position)))
    }
}

/// The whole axis of a segment, of which chunks are shown.
pub(super) struct AxisOf {
    pub(super) records: u64,
    pub(super) events: u64,
    pub(super) root: Hash,
}

impl TimeEvidence {
    /// The times lie within those of the segment's entry, and events stand in the order in which
    /// they were recorded.
    ///
    /// # Errors
    /// The index, or the entry, contradicts itself.
    pub(super) fn check_times(&self, axis: Axis, sealed: &Sealed) -> Result<(), VerifyAnswerError> {
        let what = "the times of the events";
        let [recorded_min, recorded_max, occurred_min, occurred_max] = sealed.times;
        let (min, max) = match axis {
            Axis::Recorded => (recorded_min, recorded_max),
            Axis::Occurred => (occurred_min, occurred_max),
        };
        let outside = self.entries.iter().find(|entry| entry.time < min || max < entry.time);
        if let Some(outside) = outside {
            let [min, max, found] = [min, max, outside.time].map(Timestamp::from_nanos);
            let expected = format!("from {min} to {max}, as the segment's entry says");
            return Err(VerifyAnswerError::other(what, expected, found));
        }
        let mut pairs = self.entries.iter().zip(self.entries.iter().skip(1));
        let goes_back = pairs.find(|(before, next)| before.position >= next.position);
        match goes_back.filter(|_| axis == Axis::Recorded) {
            None => Ok(()),
            Some((later, _)) => {
                let seq = sealed.first.saturating_add(later.position.into());
                let expected = "events recorded in the order of their Seqs";
                let found = format!("record {seq}, of a time before that of a record before it");
                Err(VerifyAnswerError::other(what, expected, found))
            }
        }
    }

    /// All positions in the window whose events have a time in the range, in no order.
    ///
    /// # Errors
    /// The chunks are not of the axis, or it has times in the range outside them.
    pub(super) fn in_range(
        &self,
        axis: &AxisOf,
        range: TimeRange,
        window: Window,
    ) -> Result<impl Iterator<Item = u32>, VerifyAnswerError> {
        let what = "the times of the events";
        let chunks = which_chunks(what, self.first_chunk, self.entries.len(), axis.events)?;
        ascend(what, &self.entries)?;
        let below = |entry: &TimeEntry| u64::from(entry.position) < axis.records;
        if !self.entries.iter().all(below) {
            let expected = format!("positions below {}", axis.records);
            return Err(VerifyAnswerError::other(what, expected, "one above"));
        }
        let head = TreeHead { size: TreeSize::new(chunks.total), root: axis.root };
        let leaves = self.entries.chunks(CHUNK).map(time_chunk_leaf);
        check_root(what, self.first_chunk, leaves, head, &self.hashes)?;
        self.check_borders(&chunks, range)?;
        let time = |entry: &TimeEntry| Timestamp::from_nanos(entry.time);
        let found = self.entries.iter().filter(move |entry| range.contains(time(entry)));
        Ok(found.map(|entry| entry.position).filter(move |position| window.holds(*position)))
    }

    /// Several events may have one time, so an earlier chunk can end in the time that the
    /// first shown one begins with: that must lie before the range. A later chunk can begin
    /// with the time that the last shown one ends in: that must lie behind the range.
    fn check_borders(&self, chunks: &Chunks, range: TimeRange) -> Result<(), VerifyAnswerError> {
        let what = "the times of the events";
        let time = |entry: &TimeEntry| Timestamp::from_nanos(entry.time);
        let is_before = |first: &TimeEntry| range.since.is_some_and(|since| time(first) < since);
        if !chunks.starts_at_first && !self.entries.first().is_some_and(is_before) {
            let expected = "a first chunk that begins before the range";
            return Err(VerifyAnswerError::other(what, expected, "one that begins in it"));
        }
        let is_behind = |last: &TimeEntry| range.until.is_some_and(|until| time(last) >= until);
        if !chunks.ends_at_last && !self.entries.last().is_some_and(is_behind) {
            let expected = "a last chunk that ends behind the range";
            return Err(VerifyAnswerError::other(what, expected, "one that ends in it"));
        }
        Ok(())
    }
}
