//! What a segment's index says of a query, within a window of its positions.

use std::ops::Range;

use crate::index::{CHUNK, CommittedIndex, Damaged, PostingList};
use crate::proof::answer::AskedTerms;
use crate::terms::{Axis, Clause, TimeEntry, Wanted, chunk_count};
use crate::time::Timestamp;

/// The index of a segment, and the part of it that is asked for.
pub(super) struct Segment<'a, P> {
    pub(super) places: &'a P,
    pub(super) asked: &'a AskedTerms,
    /// Positions; not empty.
    pub(super) window: Range<u32>,
}

/// Consecutive chunks of a list, read.
pub(super) struct Read<T> {
    pub(super) chunks: Range<T>,
    pub(super) positions: Vec<u32>,
}

/// Consecutive chunks of an axis, read.
pub(super) struct ReadTimes {
    pub(super) chunks: Range<u64>,
    pub(super) entries: Vec<TimeEntry>,
}

/// The chunks that have all positions in the window, and show that they do: the first begins
/// at or before it, or is the first of the list, and the last ends behind it, or is the last.
pub(super) fn read_list(list: PostingList<'_>, window: &Range<u32>) -> Result<Read<u32>, Damaged> {
    let (mut first, mut behind) = (0, list.chunks());
    while behind - first > 1 {
        let middle = first + (behind - first) / 2;
        match list.first_of(middle)? <= window.start {
            true => first = middle,
            false => behind = middle,
        }
    }
    let (mut positions, mut chunk, mut end) = (Vec::new(), [0; CHUNK], first);
    while end < list.chunks() {
        let len = list.read(end, &mut chunk)?;
        positions.extend_from_slice(chunk.get(..len).unwrap_or_default());
        end += 1;
        if positions.last().is_some_and(|last| last.saturating_add(1) >= window.end) {
            break;
        }
    }
    Ok(Read { chunks: first..end, positions })
}

impl<P: CommittedIndex> Segment<'_, P> {
    /// The places of the terms that are wanted.
    pub(super) fn run(&self, wanted: &Wanted) -> Result<Range<u64>, Damaged> {
        let start = self.places.place_of(&wanted.key)?;
        let (mut end, terms) = (start, self.places.head().terms);
        while end < terms {
            let (key, _) = self.places.term_at(end)?;
            if !wanted.means_key(&key) {
                break;
            }
            end += 1;
        }
        Ok(start..end)
    }

    /// The positions in the window that have one of the terms, ascending.
    pub(super) fn positions<'w>(
        &self,
        wanted: impl IntoIterator<Item = &'w Wanted>,
    ) -> Result<Vec<u32>, Damaged> {
        let mut positions = Vec::new();
        for wanted in wanted {
            for place in self.run(wanted)? {
                let (_, list) = self.places.term_at(place)?;
                positions.extend(read_list(list, &self.window)?.positions);
            }
        }
        positions.retain(|position| self.window.contains(position));
        positions.sort_unstable();
        // One may be in two lists: by type, and by type and id.
        positions.dedup();
        Ok(positions)
    }

    /// As [`Segment::positions`], of a part of the query.
    pub(super) fn of_clause(&self, clause: &Clause) -> Result<Vec<u32>, Damaged> {
        self.positions(&clause.wanted)
    }

    /// The anchors in the window.
    pub(super) fn anchors(&self) -> Result<Vec<u32>, Damaged> {
        self.positions([&self.asked.anchors])
    }

    /// The chunks that have all entries in the range of an axis, and show that they do.
    pub(super) fn read_times(&self, axis: Axis) -> Result<ReadTimes, Damaged> {
        let range = self.asked.range(axis);
        let total = chunk_count(self.places.head().events);
        let time = |entry: &TimeEntry| Timestamp::from_nanos(entry.time);
        let (mut first, mut behind) = (0, total);
        while behind - first > 1 {
            let middle = first + (behind - first) / 2;
            let chunk = self.places.times_chunk(axis, middle)?;
            let begins_before = |first| range.since.is_some_and(|since| time(first) < since);
            match chunk.first().is_some_and(begins_before) {
                true => first = middle,
                false => behind = middle,
            }
        }
        let (mut entries, mut end) = (Vec::new(), first);
        while end < total {
            entries.extend(self.places.times_chunk(axis, end)?);
            end += 1;
            let ends_behind = |last| range.until.is_some_and(|until| time(last) >= until);
            if entries.last().is_some_and(ends_behind) {
                break;
            }
        }
        Ok(ReadTimes { chunks: first..end, entries })
    }

    /// The positions in the window whose events have a time in the range, ascending.
    pub(super) fn in_range(&self, axis: Axis, read: &ReadTimes) -> Vec<u32> {
        let range = self.asked.range(axis);
        let is_in = |entry: &&TimeEntry| range.contains(Timestamp::from_nanos(entry.time));
        let found = read.entries.iter().filter(is_in).map(|entry| entry.position);
        let mut found: Vec<u32> = found.filter(|at| self.window.contains(at)).collect();
        found.sort_unstable();
        found
    }

    /// The positions in the window that may match by all that the index says, ascending.
    pub(super) fn candidates(&self) -> Result<Vec<u32>, Damaged> {
        let mut found: Option<Vec<u32>> = None;
        for clause in &self.asked.clauses {
            found = Some(both(found, self.of_clause(clause)?));
        }
        for axis in [Axis::Occurred, Axis::Recorded] {
            if self.asked.range(axis) != crate::query::TimeRange::default() {
                found = Some(both(found, self.in_range(axis, &self.read_times(axis)?)));
            }
        }
        let (Some(mut events), true) = (found.clone(), self.asked.anchors_may_match) else {
            return Ok(found.unwrap_or_else(|| self.window.clone().collect()));
        };
        events.extend(self.anchors()?);
        events.sort_unstable();
        Ok(events)
    }
}

/// Those in both lists, which ascend; `None` stands for all positions.
pub(super) fn both(one: Option<Vec<u32>>, other: Vec<u32>) -> Vec<u32> {
    match one {
        None => other,
        Some(mut one) => {
            one.retain(|position| other.binary_search(position).is_ok());
            one
        }
    }
}
