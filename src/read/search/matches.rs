//! [`Matches`]: the answer to a query, one record after the other.

use std::ops::ControlFlow;

use super::explain::Explain;
use super::parts::{AccessPath, SegmentCursor, SegmentScan};
use super::sources::{Conjunction, Exactness, PostingPlan};
use super::view::RecordView;
use crate::error::Result;
use crate::event::Record;
use crate::index::Damaged;
use crate::query::{Cursor, Order, Query};
use crate::read::records::SegmentSnapshot;
use crate::seq::Seq;

/// Positions that are looked up at once: few at first, as most answers are short.
const FIRST_BLOCK: usize = 64;
const LAST_BLOCK: usize = 4096;

/// The answer to a query; see [`Snapshot::query`](crate::Snapshot::query).
///
/// An iterator of records, which are copied. [`Matches::visit`] gives them borrowed.
#[derive(Debug)]
pub struct Matches {
    walk: SegmentCursor,
    left: u64,
    work: Option<Work>,
    last: Option<Seq>,
    failed: bool,
    /// All that matches was given.
    ended: bool,
}

/// A part that is being searched.
#[derive(Debug)]
pub(super) struct Work {
    part: SegmentScan,
    /// `None`: all positions are looked at.
    prepared: Option<PostingPlan>,
    /// Positions to be read, the next one last.
    block: Vec<u32>,
    block_len: usize,
}

impl SegmentSnapshot {
    pub(crate) fn query(&self, query: &Query) -> Result<Matches> {
        Matches::of(self, query)
    }
}

impl Matches {
    pub(crate) fn of(snapshot: &SegmentSnapshot, query: &Query) -> Result<Self> {
        let walk = SegmentCursor::of(snapshot, query)?;
        // A cursor behind the first record of the log leads nowhere.
        let exhausted = query.after.is_some() && query.start().is_ok_and(|start| start.is_none());
        let left = if exhausted { 0 } else { query.limit.unwrap_or(u64::MAX) };
        Ok(Matches { walk, left, work: None, last: None, failed: false, ended: false })
    }

    /// What was done so far to find the records.
    pub fn explain(&self) -> Explain {
        self.walk.explain
    }

    /// Where the same query goes on after the records that were given so far; `None` when nothing can
    /// follow: with the newest first, once all that matches was given. With the oldest first there is
    /// always a cursor, because records that are appended later follow.
    pub fn cursor(&self) -> Option<Cursor> {
        if self.ended && self.walk.query.order == Order::NewestFirst {
            return None;
        }
        match self.last {
            Some(last) => self.walk.query.cursor_after(last),
            None => self.walk.query.after,
        }
    }

    /// Gives each record that matches, borrowed, until `each` breaks.
    ///
    /// # Errors
    /// Damage, I/O, [`Cancelled`](crate::Error::Cancelled).
    pub fn visit(
        &mut self,
        mut each: impl FnMut(&RecordView<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        while let Some(flow) = self.advance(|view| Ok(each(view)))? {
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Finds the next record that matches.
    fn advance<T>(
        &mut self,
        visit: impl FnOnce(&RecordView<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        if self.failed || self.left == 0 {
            return Ok(None);
        }
        let found = self.find(visit);
        self.failed = found.is_err();
        self.ended = matches!(found, Ok(None));
        self.left -= 1;
        found
    }

    fn find<T>(&mut self, visit: impl FnOnce(&RecordView<'_>) -> Result<T>) -> Result<Option<T>> {
        loop {
            let Some(work) = &mut self.work else {
                let Some(part) = self.walk.next_part()? else { return Ok(None) };
                self.work = start(&mut self.walk, part);
                continue;
            };
            let Some(position) = work.block.pop() else {
                self.walk.snapshot.check_cancelled()?;
                if !work.refill(&mut self.walk) {
                    self.work = None;
                }
                continue;
            };
            let record = work.part.reader.record(position)?;
            let view = RecordView::of(record, self.walk.snapshot.segment_set())?;
            self.walk.explain.records += 1;
            if view.matches(&self.walk.query) {
                self.walk.explain.matched += 1;
                self.last = Some(view.seq());
                return visit(&view).map(Some);
            }
        }
    }
}

/// Begins with a part; `None` if its index has nothing that may match.
fn start(walk: &mut SegmentCursor, mut part: SegmentScan) -> Option<Work> {
    let prepared = match part.prepare(&walk.asked, &walk.query, Exactness::Candidates) {
        Some(Ok(Some(prepared))) => Some(prepared),
        Some(Ok(None)) => {
            walk.has_nothing();
            return None;
        }
        Some(Err(_)) => {
            fall_back_to_scan(walk, &mut part);
            None
        }
        None => None,
    };
    Some(Work { part, prepared, block: Vec::new(), block_len: FIRST_BLOCK })
}

/// From here on the part is scanned.
pub(super) fn fall_back_to_scan(walk: &mut SegmentCursor, part: &mut SegmentScan) {
    walk.snapshot.segment_set().note_unindexed(part.ordinal);
    walk.explain.scanned += 1;
    walk.explain.indexed = walk.explain.indexed.saturating_sub(1);
    part.how = AccessPath::Scan(None);
}

impl Work {
    /// Gives the records of a part that match, whatever its index can tell.
    pub(super) fn each_of(
        walk: &mut SegmentCursor,
        part: SegmentScan,
        each: &mut dyn FnMut(&RecordView<'_>),
    ) -> Result<()> {
        let Some(mut work) = start(walk, part) else { return Ok(()) };
        loop {
            walk.snapshot.check_cancelled()?;
            if !work.refill(walk) {
                return Ok(());
            }
            while let Some(position) = work.block.pop() {
                let record = work.part.reader.record(position)?;
                let view = RecordView::of(record, walk.snapshot.segment_set())?;
                walk.explain.records += 1;
                if view.matches(&walk.query) {
                    walk.explain.matched += 1;
                    each(&view);
                }
            }
        }
    }

    /// Looks up the next positions; whether there are any.
    fn refill(&mut self, walk: &mut SegmentCursor) -> bool {
        let block_len = self.block_len;
        self.block_len = (block_len * 2).min(LAST_BLOCK);
        let looked_up = self.prepared.as_ref().and_then(|prepared| {
            let (how, window, block) = (&self.part.how, self.part.window.clone(), &mut self.block);
            how.with(|lookup| {
                let mut sources = Conjunction::of(lookup, &walk.asked, prepared)?;
                match walk.newest_first {
                    true => sources.down(window, block_len, block)?,
                    false => sources.up(window, block_len, block)?,
                }
                walk.explain.postings += sources.postings();
                Ok::<(), Damaged>(())
            })
        });
        match looked_up {
            Some(Ok(())) => {}
            Some(Err(_)) => {
                self.block.clear();
                self.prepared = None;
                fall_back_to_scan(walk, &mut self.part);
                self.everything(walk.newest_first, block_len);
            }
            None => self.everything(walk.newest_first, block_len),
        }
        let Some(last) = self.block.last().copied() else { return false };
        match walk.newest_first {
            true => self.part.window.end = last,
            false => self.part.window.start = last + 1,
        }
        self.block.reverse();
        true
    }

    /// The next positions, whatever stands there.
    fn everything(&mut self, newest_first: bool, most: usize) {
        let window = self.part.window.clone();
        match newest_first {
            true => self.block.extend(window.rev().take(most)),
            false => self.block.extend(window.take(most)),
        }
        if let AccessPath::Scan(Some(open)) = &self.part.how {
            open.note_scanned(self.block.len() as u64);
        }
    }
}

impl Iterator for Matches {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance(|view| view.to_record()).transpose()
    }
}
