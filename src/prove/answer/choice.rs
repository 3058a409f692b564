//! What is shown of a segment: as few bytes as will do.

use std::collections::BTreeMap;

use super::places::{Segment, both, read_list};
use super::trees::{list_hashes, term_hashes, term_leaf, times_hashes};
use crate::format::catalog_body::Sealed;
use crate::hash::Hash;
use crate::index::{CommittedIndex, Damaged};
use crate::proof::{IndexEvidence, SegmentEvidence, ShownList, TermEvidence, TimeEvidence};
use crate::query::TimeRange;
use crate::terms::{Axis, Wanted};

/// About what a record takes that is disclosed, with its hashes.
const RECORD_BYTES: usize = 400;
/// About what a term takes that is shown, with its neighbours and their hashes.
const TERM_BYTES: usize = 700;
const POSITION_BYTES: usize = 2;
const TIME_BYTES: usize = 6;
/// About what the head of an index takes.
const HEAD_BYTES: usize = 150;

/// A part of the question that the index answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Clause(usize),
    Axis(Axis),
}

/// A part with the positions that it leaves over, and about what it takes to show them.
struct Priced {
    part: Part,
    positions: Vec<u32>,
    bytes: usize,
}

/// Evidence of a segment, and the positions that must be disclosed, ascending.
pub(super) fn evidence<P: CommittedIndex>(
    segment: &Segment<'_, P>,
    sealed: &Sealed,
) -> Result<(SegmentEvidence, Vec<u32>), Damaged> {
    let all = || segment.window.clone().collect::<Vec<u32>>();
    if Hash::from_bytes(sealed.index_root) == Hash::ZERO {
        return Ok((SegmentEvidence::Disclosed, all()));
    }
    let anchors = segment.anchors()?;
    let (chosen, events) = choose(segment)?;
    let Some(mut positions) = events else {
        let hides_much = anchors.len() * RECORD_BYTES > TERM_BYTES + HEAD_BYTES;
        if segment.asked.anchors_may_match || !hides_much {
            return Ok((SegmentEvidence::Disclosed, all()));
        }
        let mut others = all();
        others.retain(|position| anchors.binary_search(position).is_err());
        return Ok((show(segment, &[], true)?, others));
    };
    if segment.asked.anchors_may_match {
        positions.extend(anchors);
        positions.sort_unstable();
    }
    Ok((show(segment, &chosen, segment.asked.anchors_may_match)?, positions))
}

/// The parts to show, and the positions that they leave over; `None` if none is to be shown.
/// One after the other is taken, as long as it saves more than it takes.
fn choose<P: CommittedIndex>(
    segment: &Segment<'_, P>,
) -> Result<(Vec<Part>, Option<Vec<u32>>), Damaged> {
    let mut parts = priced(segment)?;
    let (mut chosen, mut left): (Vec<Part>, Option<Vec<u32>>) = (Vec::new(), None);
    let mut bytes = segment.window.len() * RECORD_BYTES;
    loop {
        let mut best: Option<(usize, usize, Vec<u32>)> = None;
        for (n, priced) in parts.iter().enumerate() {
            let positions = both(left.clone(), priced.positions.clone());
            let head = if chosen.is_empty() { HEAD_BYTES } else { 0 };
            let with = head + priced.bytes + positions.len() * RECORD_BYTES;
            if with < best.as_ref().map_or(bytes, |(best, ..)| *best) {
                best = Some((with, n, positions));
            }
        }
        let Some((_, n, positions)) = best else { return Ok((chosen, left)) };
        // What was taken before is paid for: only what is saved by the next one counts.
        bytes = positions.len() * RECORD_BYTES;
        chosen.push(parts.swap_remove(n).part);
        left = Some(positions);
    }
}

fn priced<P: CommittedIndex>(segment: &Segment<'_, P>) -> Result<Vec<Priced>, Damaged> {
    let mut parts = Vec::new();
    for (n, clause) in segment.asked.clauses.iter().enumerate() {
        let (mut bytes, positions) = (0, segment.of_clause(clause)?);
        for wanted in &clause.wanted {
            let run = segment.run(wanted)?;
            let terms = usize::try_from(run.end - run.start).unwrap_or(usize::MAX);
            bytes += TERM_BYTES + terms.saturating_mul(TERM_BYTES / 4);
        }
        bytes += positions.len() * POSITION_BYTES;
        parts.push(Priced { part: Part::Clause(n), positions, bytes });
    }
    for axis in [Axis::Occurred, Axis::Recorded] {
        if segment.asked.range(axis) != TimeRange::default() {
            let read = segment.read_times(axis)?;
            let bytes = TERM_BYTES + read.entries.len() * TIME_BYTES;
            let positions = segment.in_range(axis, &read);
            parts.push(Priced { part: Part::Axis(axis), positions, bytes });
        }
    }
    Ok(parts)
}

/// Shows these parts.
fn show<P: CommittedIndex>(
    segment: &Segment<'_, P>,
    chosen: &[Part],
    anchors: bool,
) -> Result<SegmentEvidence, Damaged> {
    let mut leaves = Leaves { segment, shown: BTreeMap::new() };
    let mut clauses = 0;
    for (n, clause) in segment.asked.clauses.iter().enumerate() {
        if chosen.contains(&Part::Clause(n)) {
            clauses |= 1 << n;
            clause.wanted.iter().try_for_each(|wanted| leaves.add(wanted))?;
        }
    }
    if anchors {
        leaves.add(&segment.asked.anchors)?;
    }
    let (head, places) = (segment.places.head(), leaves.shown.keys().copied());
    let leaf_hashes = match leaves.shown.is_empty() {
        true => Vec::new(),
        false => term_hashes(segment.places, places)?,
    };
    let times = |axis| match chosen.contains(&Part::Axis(axis)) {
        true => show_times(segment, axis).map(Some),
        false => Ok(None),
    };
    let (occurred, recorded) = (times(Axis::Occurred)?, times(Axis::Recorded)?);
    Ok(SegmentEvidence::Index(Box::new(IndexEvidence {
        events: head.events,
        terms: head.terms,
        terms_root: head.terms_root,
        occurred_root: head.occurred_root,
        recorded_root: head.recorded_root,
        clauses,
        anchors,
        leaves: leaves.shown.into_values().collect(),
        leaf_hashes,
        occurred,
        recorded,
    })))
}

fn show_times<P: CommittedIndex>(
    segment: &Segment<'_, P>,
    axis: Axis,
) -> Result<TimeEvidence, Damaged> {
    let read = segment.read_times(axis)?;
    let first_chunk = read.chunks.start;
    let hashes = times_hashes(segment.places, axis, read.chunks)?;
    Ok(TimeEvidence { first_chunk, entries: read.entries, hashes })
}

/// The leaves that are shown, by place.
struct Leaves<'a, 's, P> {
    segment: &'s Segment<'a, P>,
    shown: BTreeMap<u64, TermEvidence>,
}

impl<P: CommittedIndex> Leaves<'_, '_, P> {
    /// The terms that are wanted with their lists, and the neighbours that show that these
    /// are all.
    fn add(&mut self, wanted: &Wanted) -> Result<(), Damaged> {
        let run = self.segment.run(wanted)?;
        let behind = Some(run.end).filter(|end| *end < self.segment.places.head().terms);
        for place in [run.start.checked_sub(1), behind].into_iter().flatten() {
            if !self.shown.contains_key(&place) {
                let neighbour = self.term(place, false)?;
                self.shown.insert(place, neighbour);
            }
        }
        for place in run {
            let term = self.term(place, true)?;
            self.shown.insert(place, term);
        }
        Ok(())
    }

    fn term(&self, place: u64, with_list: bool) -> Result<TermEvidence, Damaged> {
        let (key, list) = self.segment.places.term_at(place)?;
        let shown = match with_list {
            true => {
                let read = read_list(list, &self.segment.window)?;
                let first_chunk = read.chunks.start.into();
                let hashes = list_hashes(list, read.chunks)?;
                Some(ShownList { first_chunk, positions: read.positions, hashes })
            }
            false => None,
        };
        Ok(TermEvidence { place, leaf: term_leaf(key, list)?, list: shown })
    }
}
