//! What is asked of the index of a segment: the candidates of a query, and what a proof commits to.

use std::ops::Range;

use super::damaged::Damaged;
use super::id_field::IdField;
use super::posting_list::PostingList;
use crate::hash::Hash;
use crate::query::TimeRange;
use crate::terms::{Axis, Field, IndexHead, Term, TimeEntry, Wanted};

/// What the index of a segment answers.
pub trait SegmentIndex {
    /// Records that it covers: all positions are below.
    fn records(&self) -> u32;

    /// The specification of the index: see [`SPEC`](crate::terms::SPEC). From
    /// [`SPEC_ADDED`](crate::terms::SPEC_ADDED) on a position may be in the lists of several
    /// resources.
    fn spec(&self) -> u8;

    /// Adds the lists of the terms that are wanted. No position is in two of them.
    fn wanted<'a>(
        &'a self,
        wanted: &Wanted,
        found: &mut Vec<PostingList<'a>>,
    ) -> Result<(), Damaged>;

    /// Gives the terms of a field, each with its list, in any order.
    fn terms(&self, field: Field, each: &mut EachTerm<'_>) -> Result<(), Damaged>;

    /// Adds positions, in any order, at which an identifier with this fingerprint may stand;
    /// there may be others among them. See [`fingerprint`](super::fingerprint).
    fn with_id(
        &self,
        which: IdField,
        fingerprint: u64,
        found: &mut Vec<u32>,
    ) -> Result<(), Damaged>;

    /// How many events have a time of this axis in the range.
    fn count_times(&self, axis: Axis, times: TimeRange) -> Result<u32, Damaged>;

    /// Gives times and positions of the events with a time in the range, in any order.
    fn times(
        &self,
        axis: Axis,
        times: TimeRange,
        each: &mut dyn FnMut(TimeEntry),
    ) -> Result<(), Damaged>;

    /// Positions that hold the events recorded in the range, and no other events. `None` if the
    /// events of the segment do not stand in the order of `recorded_at`: no log writes them so,
    /// but whoever forges one may.
    fn recorded_window(&self, times: TimeRange) -> Result<Option<Range<u32>>, Damaged>;

    /// Gives how many events have a time in the range, by steps of a width in nanoseconds (1
    /// or more): the number of the step since 1970, and so many. A step may come in parts.
    fn count_steps(
        &self,
        axis: Axis,
        times: TimeRange,
        width: i64,
        each: &mut dyn FnMut(i64, u64),
    ) -> Result<(), Damaged> {
        self.times(axis, times, &mut |entry| each(entry.time.div_euclid(width), 1))
    }
}

/// The logical index by its places, which proofs are made from.
pub trait CommittedIndex {
    /// What its root is the hash of.
    fn head(&self) -> IndexHead;

    /// How many terms have smaller keys.
    fn place_of(&self, key: &[u8]) -> Result<u64, Damaged>;

    /// Key and list of the term at a place below `head().terms`.
    fn term_at(&self, place: u64) -> Result<(Vec<u8>, PostingList<'_>), Damaged>;

    /// Root over the 16 terms from place 16 · `group` on; only of whole groups.
    fn group_root(&self, group: u64) -> Result<Hash, Damaged>;

    /// The entries of a chunk of the times; none beyond the last chunk.
    fn times_chunk(&self, axis: Axis, chunk: u64) -> Result<Vec<TimeEntry>, Damaged>;
}

/// Takes a term with its list.
pub type EachTerm<'a> = dyn FnMut(&Term<'_>, PostingList<'_>) -> Result<(), Damaged> + 'a;
