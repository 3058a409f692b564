//! Which records of a segment may match, by what is shown of it.

use std::ops::Range;

use super::agreement::ShownTerms;
use super::chunks::{AxisOf, Window};
use super::error::VerifyAnswerError;
use super::evidence::{IndexEvidence, TermEvidence};
use crate::event::RecordKind;
use crate::format::LogId;
use crate::format::catalog_body::Sealed;
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::{TreeHead, verify_batch_inclusion};
use crate::query::{Query, Subject, TimeRange};
use crate::seq::{Seq, TreeSize};
use crate::terms::{Axis, Clause, IndexHead, SPEC, SPEC_ADDED, Scope, Wanted, anchors, clauses};
use crate::time::Timestamp;

/// What is asked of the index of every segment.
pub(crate) struct AskedTerms {
    pub(crate) log_id: LogId,
    /// What the index answers of the question.
    pub(crate) clauses: Vec<Clause>,
    /// The anchors, as a term.
    pub(crate) anchors: Wanted,
    /// Whether an anchor can match.
    pub(crate) anchors_may_match: bool,
    occurred: TimeRange,
    recorded: TimeRange,
}

impl AskedTerms {
    pub(crate) fn of(query: &Query, log_id: LogId) -> Self {
        // All anchors look alike but for their times.
        let mut timeless = query.clone();
        (timeless.filters.occurred, timeless.filters.recorded) = Default::default();
        let time = Timestamp::from_nanos(0);
        let anchors_may_match =
            timeless.matches(time, RecordKind::Anchor, &Subject::of_anchor(time));
        let (occurred, recorded) = (query.filters.occurred, query.filters.recorded);
        let clauses = clauses(query, log_id);
        AskedTerms { log_id, clauses, anchors: anchors(), anchors_may_match, occurred, recorded }
    }

    pub(crate) fn range(&self, axis: Axis) -> TimeRange {
        match axis {
            Axis::Occurred => self.occurred,
            Axis::Recorded => self.recorded,
        }
    }

    /// Whether no record of a segment can match, because of its times.
    pub(crate) fn is_excluded(&self, sealed: &Sealed) -> bool {
        let [recorded_min, recorded_max, occurred_min, occurred_max] =
            sealed.times.map(Timestamp::from_nanos);
        !self.recorded.meets(recorded_min, recorded_max)
            || !self.occurred.meets(occurred_min, occurred_max)
    }
}

/// The records of a segment that must be disclosed.
pub(super) enum Candidates {
    /// All of the window.
    All,
    /// All of the window but these, which ascend.
    AllBut(Vec<u32>),
    /// These, which ascend.
    Only(Vec<u32>),
}

/// What is read from the index of a segment.
pub(super) struct Reading<'a> {
    pub(super) candidates: Candidates,
    pub(super) terms: ShownTerms<'a>,
}

impl IndexEvidence {
    /// The positions in the window that may match, each once and ascending: whatever is not
    /// among them does not.
    ///
    /// # Errors
    /// What is shown is not of the index that the segment's entry names, or it has a gap.
    pub(super) fn read<'a>(
        &self,
        asked: &'a AskedTerms,
        sealed: &Sealed,
        window: Window,
    ) -> Result<Reading<'a>, VerifyAnswerError> {
        self.check_head(asked.log_id, sealed)?;
        self.check_leaves(sealed)?;
        let mut read = Reader { index: self, sealed, window, asked_for: Vec::new() };
        let mut found: Option<Vec<u32>> = None;
        let mut shown = self.clauses;
        let mut clauses = Vec::new();
        for clause in &asked.clauses {
            if shown & 1 == 1 {
                found = Some(both(found, read.clause(clause)?));
                clauses.push(clause);
            }
            shown >>= 1;
        }
        if shown != 0 {
            let expected = format!("lists of {} clauses", asked.clauses.len());
            return Err(VerifyAnswerError::other("what is shown", expected, "more"));
        }
        for axis in [Axis::Occurred, Axis::Recorded] {
            if let Some(positions) = self.times(axis, asked, sealed, window)? {
                found = Some(both(found, positions));
            }
        }
        let anchors = match self.anchors {
            true => Some(read.anchors(&asked.anchors)?),
            false => None,
        };
        read.check_nothing_else()?;
        let terms = ShownTerms { clauses, anchors: anchors.clone(), by_list: found.is_some() };
        let candidates = combine(found, anchors, asked.anchors_may_match)?;
        Ok(Reading { candidates, terms })
    }

    fn check_head(&self, log_id: LogId, sealed: &Sealed) -> Result<(), VerifyAnswerError> {
        let head = |spec| IndexHead {
            spec,
            scope: Scope { log_id, first: TreeSize::new(sealed.first) },
            records: sealed.count,
            events: self.events,
            terms: self.terms,
            terms_root: self.terms_root,
            occurred_root: self.occurred_root,
            recorded_root: self.recorded_root,
        };
        // Which specification the index follows, its root says.
        let expected = Hash::from_bytes(sealed.index_root);
        let roots = [SPEC, SPEC_ADDED].map(|spec| head(spec).root());
        if expected == Hash::ZERO || !roots.contains(&expected) {
            let found = format!("{} or {}", roots[0], roots[1]);
            return Err(VerifyAnswerError::other("the root of the index", expected, found));
        }
        if self.events > sealed.count {
            let expected = format!("at most {} events, as there are records", sealed.count);
            return Err(VerifyAnswerError::other("the index", expected, self.events));
        }
        Ok(())
    }

    fn check_leaves(&self, sealed: &Sealed) -> Result<(), VerifyAnswerError> {
        let what = "the terms of the index";
        let is_long = |shown: &&TermEvidence| !(1..=sealed.count).contains(&shown.leaf.count);
        if let Some(long) = self.leaves.iter().find(is_long) {
            let expected = format!("a term of 1 to {} records", sealed.count);
            return Err(VerifyAnswerError::other(what, expected, long.leaf.count));
        }
        let head = TreeHead { size: TreeSize::new(self.terms), root: self.terms_root };
        let leaf = |shown: &TermEvidence| (Seq::new(shown.place), shown.leaf.hash());
        let leaves: Vec<_> = self.leaves.iter().map(leaf).collect();
        verify_batch_inclusion(HashAlgorithm::Sha256, &leaves, &head, &self.leaf_hashes)
            .map_err(VerifyAnswerError::index("the terms of the index"))?;
        match self.leaves.is_sorted_by(|before, after| before.leaf.key < after.leaf.key) {
            true => Ok(()),
            false => Err(VerifyAnswerError::other(what, "ascending keys", "others")),
        }
    }

    fn times(
        &self,
        axis: Axis,
        asked: &AskedTerms,
        sealed: &Sealed,
        window: Window,
    ) -> Result<Option<Vec<u32>>, VerifyAnswerError> {
        let (shown, root) = match axis {
            Axis::Occurred => (&self.occurred, self.occurred_root),
            Axis::Recorded => (&self.recorded, self.recorded_root),
        };
        let Some(shown) = shown else { return Ok(None) };
        if asked.range(axis) == TimeRange::default() {
            let what = "what is shown";
            return Err(VerifyAnswerError::other(what, "times that the query asks for", "others"));
        }
        let whole = AxisOf { records: sealed.count, events: self.events, root };
        shown.check_times(axis, sealed)?;
        let mut found: Vec<u32> = shown.in_range(&whole, asked.range(axis), window)?.collect();
        found.sort_unstable();
        found.dedup();
        Ok(Some(found))
    }

    /// The leaves of all terms that are wanted, shown to be all: from the leaf before them
    /// (or the first place) to the leaf behind them (or the last place) none is missing.
    fn run(&self, wanted: &Wanted) -> Result<Range<usize>, VerifyAnswerError> {
        let start = self.leaves.partition_point(|shown| wanted.is_behind(&shown.leaf.key));
        let (before, rest) = self.leaves.split_at(start);
        let is_meant = |shown: &&TermEvidence| wanted.means_key(&shown.leaf.key);
        let len = rest.iter().take_while(is_meant).count();
        let behind = rest.get(len).map_or(self.terms, |shown| shown.place);
        let mut next = before.last().map_or(0, |shown| shown.place.saturating_add(1));
        for shown in rest.iter().take(len) {
            check_next(next, shown.place)?;
            next = next.saturating_add(1);
        }
        check_next(next, behind)?;
        Ok(start..start + len)
    }
}

fn check_next(expected: u64, found: u64) -> Result<(), VerifyAnswerError> {
    match expected == found {
        true => Ok(()),
        false => {
            let what = "neighbouring terms of the index";
            let expected = format!("the term at place {expected}");
            Err(VerifyAnswerError::other(what, expected, format!("the one at {found}")))
        }
    }
}

/// Reads the lists of the terms that are shown.
struct Reader<'a> {
    index: &'a IndexEvidence,
    sealed: &'a Sealed,
    window: Window,
    /// Numbers of the leaves whose lists were read.
    asked_for: Vec<usize>,
}

impl Reader<'_> {
    fn clause(&mut self, clause: &Clause) -> Result<Vec<u32>, VerifyAnswerError> {
        self.positions(&clause.wanted)
    }

    /// The anchors in the window. All records are anchors or events.
    fn anchors(&mut self, wanted: &Wanted) -> Result<Vec<u32>, VerifyAnswerError> {
        let positions = self.positions([wanted])?;
        let run = self.index.leaves.get(self.index.run(wanted)?).unwrap_or_default();
        let anchors = run.iter().fold(0_u64, |sum, shown| sum.saturating_add(shown.leaf.count));
        let found = self.index.events.saturating_add(anchors);
        if found == self.sealed.count {
            return Ok(positions);
        }
        let expected = format!("{} events and anchors, as there are records", self.sealed.count);
        Err(VerifyAnswerError::other("the index", expected, found))
    }

    /// The positions in the window that have one of the terms, ascending.
    fn positions<'w>(
        &mut self,
        wanted: impl IntoIterator<Item = &'w Wanted>,
    ) -> Result<Vec<u32>, VerifyAnswerError> {
        let mut positions = Vec::new();
        for wanted in wanted {
            let run = self.index.run(wanted)?;
            for shown in self.index.leaves.get(run.clone()).unwrap_or_default() {
                let Some(list) = &shown.list else {
                    let what = "the list of a term";
                    return Err(VerifyAnswerError::other(what, "its chunks", "none"));
                };
                positions.extend(list.in_window(&shown.leaf, self.sealed.count, self.window)?);
            }
            self.asked_for.extend(run);
        }
        positions.sort_unstable();
        positions.dedup();
        Ok(positions)
    }

    /// A list that nothing asks for was not looked at.
    fn check_nothing_else(mut self) -> Result<(), VerifyAnswerError> {
        self.asked_for.sort_unstable();
        let leaves = self.index.leaves.iter().enumerate();
        let mut unread = leaves
            .filter(|(n, shown)| shown.list.is_some() && self.asked_for.binary_search(n).is_err());
        match unread.next() {
            None => Ok(()),
            Some((_, shown)) => {
                let found = format!("that of the term at place {}", shown.place);
                let what = "the lists that are shown";
                Err(VerifyAnswerError::other(what, "those that the query asks for", found))
            }
        }
    }
}

/// Those in both lists, which ascend; `None` stands for all positions.
fn both(one: Option<Vec<u32>>, other: Vec<u32>) -> Vec<u32> {
    let Some(mut one) = one else { return other };
    let mut others = other.iter().peekable();
    one.retain(|position| {
        while others.next_if(|other| *other < position).is_some() {}
        others.peek() == Some(&position)
    });
    one
}

/// Events have terms and times, anchors have only their own term: the two are looked for
/// apart. Without anything to tell events by, whatever is no anchor is an event.
fn combine(
    events: Option<Vec<u32>>,
    anchors: Option<Vec<u32>>,
    anchors_may_match: bool,
) -> Result<Candidates, VerifyAnswerError> {
    match (events, anchors, anchors_may_match) {
        (None, None, _) | (None, _, true) => Ok(Candidates::All),
        (None, Some(anchors), false) => Ok(Candidates::AllBut(anchors)),
        (Some(events), _, false) => Ok(Candidates::Only(events)),
        (Some(mut events), Some(anchors), true) => {
            events.extend(anchors);
            events.sort_unstable();
            events.dedup();
            Ok(Candidates::Only(events))
        }
        (Some(_), None, true) => {
            let what = "what is shown";
            Err(VerifyAnswerError::other(what, "the list of the anchors too", "none"))
        }
    }
}
