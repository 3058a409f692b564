//! Which positions of a segment may match: what its index says, joined with AND.

use std::ops::Range;

use super::parts::{CompiledQuery, LeftTimes, SegmentScan};
use crate::index::{Cursor, Damaged, PostingList, SegmentIndex};
use crate::query::Query;
use crate::terms::Axis;

/// More lists than this are merged before they are walked.
const LISTS_MAX: usize = 8;

/// So few candidates are read without asking the index for more.
const CANDIDATES_FEW_MAX: usize = 256;

/// What was worked out once for a part: the sources that are not lists of the index.
#[derive(Debug, Default)]
pub(super) struct PostingPlan {
    /// Positions by identifier, by time, and of clauses with many lists.
    sorted: Vec<Vec<u32>>,
    /// Clauses that the lists of the index answer.
    clauses: Vec<usize>,
    /// Whether the log's own records are asked for too, as they are in no list of a clause.
    anchors: bool,
    /// Whether every position that comes out matches, but for fingerprints and anchors.
    pub(super) exact: bool,
}

/// How exactly the times are to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exactness {
    /// Records are read and checked anyway.
    Candidates,
    /// Positions are only counted.
    Exact,
}

impl PostingPlan {
    /// Asks an index; `None` if it has nothing that may match.
    pub(super) fn of(
        lookup: &dyn SegmentIndex,
        asked: &CompiledQuery,
        query: &Query,
        part: (&Range<u32>, LeftTimes),
        need: Exactness,
    ) -> Result<Option<Self>, Damaged> {
        let (window, times) = part;
        let system = query.filters.system;
        let mut prepared = PostingPlan {
            anchors: system,
            exact: asked.ids.is_empty() && !system,
            ..PostingPlan::default()
        };
        let found = prepared.ask(lookup, asked, window, times, need)?;
        if found {
            return Ok(Some(prepared));
        }
        // Nothing but anchors, which are few, can match.
        prepared.sorted = vec![Vec::new()];
        prepared.clauses.clear();
        Ok(system.then_some(prepared))
    }

    /// Whether an event may match.
    fn ask(
        &mut self,
        lookup: &dyn SegmentIndex,
        asked: &CompiledQuery,
        window: &Range<u32>,
        times: LeftTimes,
        need: Exactness,
    ) -> Result<bool, Damaged> {
        let mut fewest = window.len();
        let mut lists = Vec::new();
        for (number, clause) in asked.clauses.iter().enumerate() {
            lists.clear();
            for wanted in &clause.wanted {
                lookup.wanted(wanted, &mut lists)?;
            }
            let count: usize = lists.iter().map(|list| list.len() as usize).sum();
            if count == 0 {
                return Ok(false);
            }
            fewest = fewest.min(count);
            match lists.len() > LISTS_MAX {
                true => self.sorted.push(merged(&lists)?),
                false => self.clauses.push(number),
            }
        }
        for (which, fingerprints) in &asked.ids {
            let mut positions = Vec::new();
            for fingerprint in fingerprints {
                lookup.with_id(*which, *fingerprint, &mut positions)?;
            }
            fewest = fewest.min(positions.len());
            if !self.take(positions) {
                return Ok(false);
            }
        }
        let axes = [(Axis::Occurred, times.occurred), (Axis::Recorded, times.recorded)];
        for (axis, times) in axes {
            let Some(times) = times else { continue };
            if fewest <= CANDIDATES_FEW_MAX && need == Exactness::Candidates {
                continue; // checked when the records are read
            }
            let count = lookup.count_times(axis, times)? as usize;
            if count > fewest && need == Exactness::Candidates {
                continue;
            }
            let mut positions = Vec::with_capacity(count.min(window.len()));
            lookup.times(axis, times, &mut |entry| positions.push(entry.position))?;
            fewest = fewest.min(positions.len());
            if !self.take(positions) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Takes positions in any order; whether there are any.
    fn take(&mut self, mut positions: Vec<u32>) -> bool {
        if !positions.is_sorted() {
            positions.sort_unstable();
        }
        positions.dedup();
        self.sorted.push(positions);
        self.sorted.last().is_some_and(|positions| !positions.is_empty())
    }

    /// Whether all positions of the part come out.
    pub(super) fn is_everything(&self) -> bool {
        self.sorted.is_empty() && self.clauses.is_empty()
    }
}

/// The positions of many lists, ascending.
fn merged(lists: &[PostingList<'_>]) -> Result<Vec<u32>, Damaged> {
    let mut merged = Vec::new();
    for list in lists {
        list.each(|position| merged.push(position))?;
    }
    merged.sort_unstable();
    merged.dedup();
    Ok(merged)
}

/// Positions that satisfy one condition.
#[derive(Debug)]
enum Source<'a> {
    One(Box<Cursor<'a>>),
    Any(Vec<Cursor<'a>>),
    Sorted(&'a [u32]),
}

impl<'a> Source<'a> {
    fn of(mut lists: Vec<Cursor<'a>>) -> Self {
        match (lists.len(), lists.pop()) {
            (1, Some(only)) => Source::One(Box::new(only)),
            (_, last) => {
                lists.extend(last);
                Source::Any(lists)
            }
        }
    }

    fn len(&self) -> u64 {
        match self {
            Source::One(cursor) => cursor.len().into(),
            Source::Any(cursors) => cursors.iter().map(|cursor| u64::from(cursor.len())).sum(),
            Source::Sorted(positions) => positions.len() as u64,
        }
    }

    fn at_most(&mut self, limit: u32) -> Result<Option<u32>, Damaged> {
        match self {
            Source::One(cursor) => cursor.at_most(limit),
            Source::Any(cursors) => cursors.iter_mut().try_fold(None, |most, cursor| {
                Ok(most.max(cursor.at_most(limit)?)) // None is less than any position
            }),
            Source::Sorted(positions) => {
                let above = positions.partition_point(|position| *position <= limit);
                Ok(above.checked_sub(1).and_then(|at| positions.get(at)).copied())
            }
        }
    }

    fn at_least(&mut self, limit: u32) -> Result<Option<u32>, Damaged> {
        match self {
            Source::One(cursor) => cursor.at_least(limit),
            Source::Any(cursors) => cursors.iter_mut().try_fold(None, |least, cursor| {
                let next = cursor.at_least(limit)?;
                Ok(least.into_iter().chain(next).min())
            }),
            Source::Sorted(positions) => {
                let below = positions.partition_point(|position| *position < limit);
                Ok(positions.get(below).copied())
            }
        }
    }

    fn postings(&self) -> u64 {
        match self {
            Source::One(cursor) => cursor.postings(),
            Source::Any(cursors) => cursors.iter().map(Cursor::postings).sum(),
            Source::Sorted(_) => 0,
        }
    }
}

/// The sources of a part, walked together.
#[derive(Debug)]
pub(super) struct Conjunction<'a> {
    /// All of them must have a position; none: all positions.
    all: Vec<Source<'a>>,
    /// Positions that come besides.
    also: Option<Source<'a>>,
}

impl<'a> Conjunction<'a> {
    pub(super) fn of(
        lookup: &'a dyn SegmentIndex,
        asked: &CompiledQuery,
        prepared: &'a PostingPlan,
    ) -> Result<Self, Damaged> {
        let sorted = prepared.sorted.iter().map(|positions| Source::Sorted(positions));
        let mut all: Vec<Source<'a>> = sorted.collect();
        for clause in prepared.clauses.iter().filter_map(|number| asked.clauses.get(*number)) {
            let mut lists = Vec::new();
            for wanted in &clause.wanted {
                lookup.wanted(wanted, &mut lists)?;
            }
            all.push(Source::of(lists.into_iter().map(PostingList::cursor).collect()));
        }
        // The choosiest leads.
        all.sort_by_key(Source::len);
        let also = match prepared.anchors && !all.is_empty() {
            true => anchors(lookup)?.map(|list| Source::One(Box::new(list.cursor()))),
            false => None,
        };
        Ok(Conjunction { all, also })
    }

    /// Adds up to `most` positions of the window, the largest first.
    pub(super) fn down(
        &mut self,
        window: Range<u32>,
        most: usize,
        into: &mut Vec<u32>,
    ) -> Result<(), Damaged> {
        let mut end = window.end;
        while into.len() < most
            && let Some(limit) = end.checked_sub(1).filter(|limit| *limit >= window.start)
        {
            let next = self.leap_down(limit)?;
            let also = self.also.as_mut().map(|also| also.at_most(limit)).transpose()?.flatten();
            let Some(found) = next.max(also).filter(|found| *found >= window.start) else { break };
            into.push(found);
            end = found;
        }
        Ok(())
    }

    /// Adds up to `most` positions of the window, the smallest first.
    pub(super) fn up(
        &mut self,
        window: Range<u32>,
        most: usize,
        into: &mut Vec<u32>,
    ) -> Result<(), Damaged> {
        let mut start = window.start;
        while into.len() < most && start < window.end {
            let next = self.leap_up(start)?;
            let also = self.also.as_mut().map(|also| also.at_least(start)).transpose()?.flatten();
            let found = next.into_iter().chain(also).min().filter(|found| *found < window.end);
            let Some(found) = found else { break };
            into.push(found);
            start = found + 1;
        }
        Ok(())
    }

    /// Gives all positions of the window, ascending.
    pub(super) fn each(
        &mut self,
        window: Range<u32>,
        mut each: impl FnMut(u32),
    ) -> Result<(), Damaged> {
        let mut start = window.start;
        while start < window.end
            && let Some(found) = self.leap_up(start)?.filter(|found| *found < window.end)
        {
            each(found);
            start = found + 1;
        }
        Ok(())
    }

    /// The largest position up to the limit that all sources have.
    fn leap_down(&mut self, limit: u32) -> Result<Option<u32>, Damaged> {
        let (mut candidate, mut agreed) = (limit, 0);
        while agreed < self.all.len() {
            for source in &mut self.all {
                match source.at_most(candidate)? {
                    None => return Ok(None),
                    Some(found) if found == candidate => agreed += 1,
                    Some(found) => (candidate, agreed) = (found, 1),
                }
            }
        }
        Ok(Some(candidate))
    }

    /// The smallest position from the limit on that all sources have.
    fn leap_up(&mut self, limit: u32) -> Result<Option<u32>, Damaged> {
        let (mut candidate, mut agreed) = (limit, 0);
        while agreed < self.all.len() {
            for source in &mut self.all {
                match source.at_least(candidate)? {
                    None => return Ok(None),
                    Some(found) if found == candidate => agreed += 1,
                    Some(found) => (candidate, agreed) = (found, 1),
                }
            }
        }
        Ok(Some(candidate))
    }

    /// The length of the only source, if that is a list.
    pub(super) fn only_len(&self) -> Option<u64> {
        match (&self.all[..], &self.also) {
            // Of several lists a position may be in two: by type, and by type and id.
            ([Source::One(only)], None) => Some(only.len().into()),
            _ => None,
        }
    }

    /// Positions read from lists so far.
    pub(super) fn postings(&self) -> u64 {
        self.all.iter().chain(&self.also).map(Source::postings).sum()
    }
}

/// The positions of the log's own records.
pub(super) fn anchors(lookup: &dyn SegmentIndex) -> Result<Option<PostingList<'_>>, Damaged> {
    let mut lists = Vec::new();
    lookup.wanted(&crate::terms::anchors(), &mut lists)?;
    Ok(lists.pop())
}

/// How many of the log's own records stand in a window.
pub(super) fn count_anchors(
    lookup: &dyn SegmentIndex,
    window: &Range<u32>,
) -> Result<u64, Damaged> {
    let Some(list) = anchors(lookup)? else { return Ok(0) };
    let mut count = 0;
    list.each(|position| count += u64::from(window.contains(&position)))?;
    Ok(count)
}

impl SegmentScan {
    /// Asks the index of the part; the outer `None`: it has none.
    pub(super) fn prepare(
        &self,
        asked: &CompiledQuery,
        query: &Query,
        need: Exactness,
    ) -> Option<Result<Option<PostingPlan>, Damaged>> {
        let place = (&self.window, self.times);
        self.how.with(|lookup| PostingPlan::of(lookup, asked, query, place, need))
    }
}
