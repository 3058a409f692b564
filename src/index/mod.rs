//! Indexes of segments: what has a term, and at which positions.
//!
//! A sealed segment has its index in a file, `.idx`, which is written once and derived; a
//! segment that is being written has it in memory. Both answer through [`SegmentIndex`]. A
//! *position* is a record's number in its segment.

mod answer;
mod cursor;
mod encode;
mod file;
#[cfg(test)]
mod file_tests;
mod logical;
mod packed;
mod pages;
mod sections;
mod tail;
mod times;

use std::ops::Range;

use crate::format::index_header;
use crate::hash::{self, Hash};
use crate::query::TimeRange;
use crate::terms::{Axis, Field, IndexHead, Term, TimeEntry, Wanted};

pub use cursor::Cursor;
pub use encode::encode;
pub use file::{IndexFile, MAX_LEN};
pub use logical::Placed;
pub use packed::PackedPostings;
pub use tail::Tail;

/// Positions of a chunk, at most: lists are read by chunks.
pub const CHUNK: usize = crate::terms::CHUNK;
const CHUNK_U32: u32 = 128;

/// The bytes of an index are not what they must be. It is derived, so the segment is scanned
/// instead, and the index made anew.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("offset {offset}: expected {expected}")]
pub struct Damaged {
    /// Where in the file.
    pub offset: u64,
    /// What should be there.
    pub expected: &'static str,
}

/// Which identifier of an event is looked for by its fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdField {
    /// The event's own.
    Event,
    /// That of the request.
    Request,
    /// That of the operation.
    Correlation,
    /// That of the distributed trace.
    Trace,
}

/// The positions of the records that have a term, ascending, each once.
#[derive(Clone, Copy, Debug)]
pub enum PostingList<'a> {
    /// In memory.
    Plain(&'a [u32]),
    /// In an index file.
    PackedPostings(PackedPostings<'a>),
}

impl<'a> PostingList<'a> {
    /// How many positions there are; at least 1.
    pub fn len(&self) -> u32 {
        match self {
            PostingList::Plain(positions) => u32::try_from(positions.len()).unwrap_or(u32::MAX),
            PostingList::PackedPostings(packed) => packed.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many chunks there are. All but the last have [`CHUNK`] positions.
    pub fn chunks(&self) -> u32 {
        self.len().div_ceil(CHUNK_U32)
    }

    /// The first position of a chunk.
    pub fn first_of(&self, chunk: u32) -> Result<u32, Damaged> {
        match self {
            PostingList::Plain(positions) => {
                Ok(positions.get(chunk as usize * CHUNK).copied().unwrap_or(u32::MAX))
            }
            PostingList::PackedPostings(packed) => packed.first_of(chunk),
        }
    }

    /// Reads a chunk: how many positions it has. None beyond the last chunk.
    pub fn read(&self, chunk: u32, into: &mut [u32; CHUNK]) -> Result<usize, Damaged> {
        match self {
            PostingList::Plain(positions) => {
                let rest = positions.get(chunk as usize * CHUNK..).unwrap_or_default();
                let len = rest.len().min(CHUNK);
                into[..len].copy_from_slice(&rest[..len]);
                Ok(len)
            }
            PostingList::PackedPostings(packed) => packed.read(chunk, into),
        }
    }

    /// Gives all positions, ascending.
    pub fn each(&self, mut each: impl FnMut(u32)) -> Result<(), Damaged> {
        let mut positions = [0; CHUNK];
        for chunk in 0..self.chunks() {
            let len = self.read(chunk, &mut positions)?;
            positions[..len].iter().for_each(|position| each(*position));
        }
        Ok(())
    }

    /// A cursor on it.
    pub fn cursor(self) -> Cursor<'a> {
        Cursor::new(self)
    }
}

const TAG_FINGERPRINT: &[u8] = b"bulla/index-fingerprint/v1\0";

/// The fingerprint of an identifier: the first 8 bytes of its BLAKE3 under a tag of its own.
pub fn fingerprint(which: IdField, id: &[u8]) -> u64 {
    let digest = hash::tagged(TAG_FINGERPRINT, &[&[which.code()], id]);
    let [a, b, c, d, e, f, g, h, ..] = *digest.as_bytes();
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

impl IdField {
    /// All of them, in the order of their codes.
    pub const ALL: [IdField; index_header::IDS] =
        [IdField::Event, IdField::Request, IdField::Correlation, IdField::Trace];

    /// The code: 1 event, 2 request, 3 correlation, 4 trace.
    pub const fn code(self) -> u8 {
        match self {
            IdField::Event => 1,
            IdField::Request => 2,
            IdField::Correlation => 3,
            IdField::Trace => 4,
        }
    }
}

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
    /// there may be others among them. See [`fingerprint`].
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

/// Terms of a group: see [`CommittedIndex::group_root`].
pub const GROUP: u64 = 16;

/// Takes a term with its list.
pub type EachTerm<'a> = dyn FnMut(&Term<'_>, PostingList<'_>) -> Result<(), Damaged> + 'a;
