//! Counting what matches, from the indexes alone where there are any.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::time::Duration;

use super::explain::Explain;
use super::matches::{Matches, Work, fall_back_to_scan};
use super::parts::{CompiledQuery, SegmentCursor, SegmentScan};
use super::positions::{Bits, Named, count_in};
use super::sources::{Conjunction, Exactness, PostingPlan, count_anchors};
use crate::error::{Error, Result};
use crate::event::{Outcome, RecordKind};
use crate::index::{Damaged, SegmentIndex};
use crate::query::{Query, Subject, TimeRange};
use crate::read::records::SegmentSnapshot;
use crate::seq::{Seq, TreeSize};
use crate::terms::{self, Axis, Field, SPEC_ADDED, Term};
use crate::time::Timestamp;

/// A histogram with more steps is refused: it would take more memory than its records.
const STEPS_MAX: usize = 1_000_000;

/// What to count by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GroupBy {
    /// Type and id of the actor.
    Actor,
    /// The action.
    Action,
    /// Type and id of the resource and of each target, so that a record counts once for each; the
    /// type alone of records that name no single resource of it.
    Resource,
    /// The type of the resource and of each target, likewise.
    ResourceType,
    /// The tenant.
    Tenant,
    /// The outcome, by its name.
    Outcome,
    /// Type and id of the actor on whose behalf it was done.
    OnBehalfOf,
}

/// Records that have something in common, and how many they are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Group {
    /// The id, action, type, tenant or outcome; `None`: they have none.
    pub name: Option<String>,
    /// The type, of an actor or a resource.
    pub kind: Option<String>,
    /// How many records.
    pub count: u64,
}

/// A step of a histogram that has records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bucket {
    /// Its beginning: a multiple of its width since 1970.
    pub from: Timestamp,
    /// How many records occurred in it; at least 1.
    pub count: u64,
}

/// The first and the last record that match, by Seq.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extent {
    /// Position and `recorded_at` of the first.
    pub first: (Seq, Timestamp),
    /// The same of the last.
    pub last: (Seq, Timestamp),
}

impl SegmentSnapshot {
    pub(crate) fn count(&self, query: &Query) -> Result<u64> {
        let mut total = 0;
        count_parts(self, query, &mut Total(&mut total))?;
        Ok(total)
    }

    /// How many events there are from a size of the log on.
    ///
    /// # Errors
    /// As [`Snapshot::count`].
    pub(crate) fn count_from(&self, first: TreeSize) -> Result<u64> {
        let everything = Query::new().oldest_first();
        let cursor = everything.cursor_at(first);
        let everything = everything.after(cursor);
        let mut total = 0;
        count_walk(SegmentCursor::of(self, &everything)?, &mut Total(&mut total))?;
        Ok(total)
    }

    pub(crate) fn count_by(&self, query: &Query, by: GroupBy) -> Result<Vec<Group>> {
        let mut groups = Groups::new(by);
        count_parts(self, query, &mut groups)?;
        Ok(groups.sorted())
    }

    pub(crate) fn histogram(&self, query: &Query, width: Duration) -> Result<Vec<Bucket>> {
        let refuse = |reason: String| Error::InvalidOption { name: "width", reason };
        let nanos = i64::try_from(width.as_nanos()).ok().filter(|nanos| *nanos > 0);
        let Some(nanos) = nanos else {
            return Err(refuse(format!("expected 1 ns to 292 years, found {width:?}")));
        };
        let mut steps = Buckets { width: nanos, counts: BTreeMap::new() };
        count_parts(self, query, &mut steps)?;
        if steps.is_full() {
            let expected = format!("expected a width that makes at most {STEPS_MAX} steps");
            return Err(refuse(format!("{expected}, found {width:?}, which makes more")));
        }
        let steps = steps.counts.into_iter().map(|(step, count)| Bucket {
            from: Timestamp::from_nanos(step.saturating_mul(nanos)),
            count,
        });
        Ok(steps.collect())
    }

    pub(crate) fn extent(&self, query: &Query) -> Result<Option<Extent>> {
        let ends = plain(query);
        let end = |query: Query| -> Result<Option<(Seq, Timestamp)>> {
            let mut found = None;
            Matches::of(self, &query.limit(1))?.visit(|view| {
                found = Some((view.seq(), view.recorded_at()));
                std::ops::ControlFlow::Break(())
            })?;
            Ok(found)
        };
        let first = end(ends.clone().oldest_first())?;
        let last = end(ends.newest_first())?;
        Ok(first.zip(last).map(|(first, last)| Extent { first, last }))
    }

    pub(crate) fn explain_count(&self, query: &Query) -> Result<Explain> {
        let mut total = 0;
        count_parts(self, query, &mut Total(&mut total))
    }
}

/// The same question, of all records.
fn plain(query: &Query) -> Query {
    let mut query = query.clone().oldest_first();
    (query.limit, query.after) = (None, None);
    query
}

/// Takes in what matches.
trait Aggregator {
    /// From an index in which every position of the sources counts; all or nothing.
    fn indexed(&mut self, found: &mut Selection<'_>) -> Result<(), Damaged>;

    /// A record that was read.
    fn record(&mut self, kind: RecordKind, subject: &Subject<'_>);

    /// Whether there is more than anybody takes: then it goes no further.
    fn is_full(&self) -> bool {
        false
    }
}

/// The positions of one part that match, as its index has them.
struct Selection<'a> {
    lookup: &'a dyn SegmentIndex,
    window: Range<u32>,
    occurred: TimeRange,
    /// Whether all events of the window match.
    everything: bool,
    sources: Conjunction<'a>,
}

fn count_parts(
    snapshot: &SegmentSnapshot,
    query: &Query,
    tally: &mut dyn Aggregator,
) -> Result<Explain> {
    count_walk(SegmentCursor::of(snapshot, &plain(query))?, tally)
}

fn count_walk(mut walk: SegmentCursor, tally: &mut dyn Aggregator) -> Result<Explain> {
    let query = walk.query.clone();
    while !tally.is_full()
        && let Some(mut part) = walk.next_part()?
    {
        let counted = part.how.with(|lookup| indexed(lookup, &walk.asked, &query, &part, tally));
        match counted {
            Some(Ok(Counted::Nothing)) => walk.has_nothing(),
            Some(Ok(Counted::Postings(postings))) => walk.explain.postings += postings,
            Some(Err(_)) => {
                fall_back_to_scan(&mut walk, &mut part);
                read_all(&mut walk, part, tally)?;
            }
            Some(Ok(Counted::NotExactly)) | None => read_all(&mut walk, part, tally)?,
        }
    }
    Ok(walk.explain)
}

/// What an index told.
enum Counted {
    /// Nothing matches.
    Nothing,
    /// All that matches was counted, by so many positions of the clauses' lists.
    Postings(u64),
    /// The records must be read.
    NotExactly,
}

/// Counts by an index, if it knows enough.
fn indexed(
    lookup: &dyn SegmentIndex,
    asked: &CompiledQuery,
    query: &Query,
    part: &SegmentScan,
    tally: &mut dyn Aggregator,
) -> Result<Counted, Damaged> {
    let place = (&part.window, part.times);
    let Some(prepared) = PostingPlan::of(lookup, asked, query, place, Exactness::Exact)? else {
        return Ok(Counted::Nothing);
    };
    if !prepared.exact {
        return Ok(Counted::NotExactly);
    }
    let sources = Conjunction::of(lookup, asked, &prepared)?;
    let (window, everything) = (part.window.clone(), prepared.is_everything());
    let occurred = part.times.occurred.unwrap_or_default();
    let mut found = Selection { lookup, window, occurred, everything, sources };
    tally.indexed(&mut found)?;
    Ok(Counted::Postings(found.sources.postings()))
}

/// Counts by reading the records that may match.
fn read_all(walk: &mut SegmentCursor, part: SegmentScan, tally: &mut dyn Aggregator) -> Result<()> {
    Work::each_of(walk, part, &mut |view| tally.record(view.kind(), &view.subject()))
}

struct Total<'a>(&'a mut u64);

impl Aggregator for Total<'_> {
    fn indexed(&mut self, found: &mut Selection<'_>) -> Result<(), Damaged> {
        let window = u64::from(found.window.end - found.window.start);
        let mut count = 0;
        if found.everything {
            count = window - count_anchors(found.lookup, &found.window)?;
        } else if let Some(whole) = found.only_list() {
            count = whole;
        } else {
            found.sources.each(found.window.clone(), |_| count += 1)?;
        }
        *self.0 += count;
        Ok(())
    }

    fn record(&mut self, _: RecordKind, _: &Subject<'_>) {
        *self.0 += 1;
    }
}

impl Selection<'_> {
    /// The length of the only list, if all of it lies in the window.
    fn only_list(&self) -> Option<u64> {
        let whole = 0..self.lookup.records();
        self.sources.only_len().filter(|_| self.window == whole)
    }

    /// The positions that match, as bits; `None`: all of the segment's events do.
    fn bits(&mut self) -> Result<Option<Bits>, Damaged> {
        if self.everything && self.window == (0..self.lookup.records()) {
            return Ok(None);
        }
        let mut bits = Bits::new(self.lookup.records());
        self.sources.each(self.window.clone(), |position| bits.set(position))?;
        Ok(Some(bits))
    }
}

/// Groups by the spelling of their terms, so that one that is known costs no allocation.
struct Groups {
    by: GroupBy,
    counts: HashMap<Box<[u8]>, u64>,
    /// Of the records that lack what is counted by; by the type of their resource.
    absent: HashMap<Box<[u8]>, u64>,
    spelling: Vec<u8>,
}

impl Groups {
    fn new(by: GroupBy) -> Self {
        Groups { by, counts: HashMap::new(), absent: HashMap::new(), spelling: Vec::new() }
    }

    fn sorted(self) -> Vec<Group> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let field = self.field();
        let present = self.counts.iter().filter_map(|(spelling, count)| {
            let term = Term::unspell(field, spelling)?;
            let name = match (field, term.name) {
                (Field::Outcome, [code]) => {
                    Outcome::from_code(*code).map_or_else(|| code.to_string(), |o| o.to_string())
                }
                (_, name) => text(name),
            };
            Some(Group { name: Some(name), kind: term.kind.map(text), count: *count })
        });
        let of_type = self.by == GroupBy::Resource;
        let absent = self.absent.iter().map(|(kind, count)| Group {
            name: None,
            kind: of_type.then(|| text(kind)),
            count: *count,
        });
        let mut groups: Vec<Group> =
            present.chain(absent).filter(|group| group.count > 0).collect();
        groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.cmp(b)));
        groups
    }

    fn field(&self) -> Field {
        match self.by {
            GroupBy::Actor => Field::Actor,
            GroupBy::Action => Field::Action,
            GroupBy::Resource => Field::Resource,
            GroupBy::ResourceType => Field::ResourceType,
            GroupBy::Tenant => Field::Tenant,
            GroupBy::Outcome => Field::Outcome,
            GroupBy::OnBehalfOf => Field::OnBehalfOf,
        }
    }

    fn add(&mut self, term: &Term<'_>, count: u64) {
        self.spelling.clear();
        term.spell(&mut self.spelling);
        add_to(&mut self.counts, &self.spelling, count);
    }

    /// What the records of a part lack is what is left of all.
    fn absent_in(
        &self,
        lookup: &dyn SegmentIndex,
        bits: Option<&Bits>,
        with: &HashMap<Box<[u8]>, u64>,
    ) -> Result<HashMap<Box<[u8]>, u64>, Damaged> {
        let mut absent = HashMap::new();
        match self.by {
            GroupBy::Resource => lookup.terms(Field::ResourceType, &mut |term, list| {
                let with_id = with.get(term.name).copied().unwrap_or(0);
                let left = count_in(list, bits)?.saturating_sub(with_id);
                add_to(&mut absent, term.name, left);
                Ok(())
            })?,
            GroupBy::Tenant | GroupBy::OnBehalfOf => {
                let mut all = 0; // every event has an outcome
                lookup.terms(Field::Outcome, &mut |_, list| {
                    all += count_in(list, bits)?;
                    Ok(())
                })?;
                let with: u64 = with.values().sum();
                add_to(&mut absent, &[], all.saturating_sub(with));
            }
            _ => {}
        }
        Ok(absent)
    }
}

fn add_to(counts: &mut HashMap<Box<[u8]>, u64>, key: &[u8], count: u64) {
    match counts.get_mut(key) {
        Some(before) => *before += count,
        None => drop(counts.insert(key.into(), count)),
    }
}

impl Aggregator for Groups {
    fn indexed(&mut self, found: &mut Selection<'_>) -> Result<(), Damaged> {
        let bits = found.bits()?;
        // A part counts wholly or not at all: it may turn out to be damaged on the way.
        let (mut spellings, mut ends) = (Vec::new(), Vec::new());
        let mut with = Named::new(found.lookup.spec() >= SPEC_ADDED);
        let by_type = self.by == GroupBy::Resource;
        let may_lack = by_type || matches!(self.by, GroupBy::Tenant | GroupBy::OnBehalfOf);
        found.lookup.terms(self.field(), &mut |term, list| {
            let count = count_in(list, bits.as_ref())?;
            if count > 0 {
                term.spell(&mut spellings);
                ends.push((spellings.len(), count));
                if may_lack {
                    let key = term.kind.filter(|_| by_type).unwrap_or_default();
                    with.add(key, list, bits.as_ref())?;
                }
            }
            Ok(())
        })?;
        let absent = self.absent_in(found.lookup, bits.as_ref(), &with.counts())?;
        let mut start = 0;
        for (end, count) in ends {
            add_to(&mut self.counts, spellings.get(start..end).unwrap_or_default(), count);
            start = end;
        }
        absent.iter().for_each(|(kind, count)| add_to(&mut self.absent, kind, *count));
        Ok(())
    }

    fn record(&mut self, _: RecordKind, subject: &Subject<'_>) {
        let field = self.field();
        let may_repeat = !subject.targets.is_empty();
        let (mut before, mut has_any) = (Vec::new(), false);
        // The log's own records are counted as the events that they are shown as.
        terms::each_term(RecordKind::Event, subject, |term| {
            if term.field == field && !before.contains(&term) {
                self.add(&term, 1);
                has_any = true;
                if may_repeat {
                    before.push(term);
                }
            }
        });
        let kind = subject.resource_type;
        let has_id = || subject.resources().any(|(of, id)| of == kind && id.is_some());
        match self.by {
            GroupBy::Resource if !has_id() => add_to(&mut self.absent, kind.as_bytes(), 1),
            GroupBy::Tenant | GroupBy::OnBehalfOf if !has_any => add_to(&mut self.absent, &[], 1),
            _ => {}
        }
    }
}

struct Buckets {
    width: i64,
    counts: BTreeMap<i64, u64>,
}

impl Buckets {
    fn add(&mut self, time: i64, count: u64) {
        *self.counts.entry(time.div_euclid(self.width)).or_default() += count;
    }
}

impl Aggregator for Buckets {
    fn indexed(&mut self, found: &mut Selection<'_>) -> Result<(), Damaged> {
        let bits = found.bits()?;
        let mut counts: HashMap<i64, u64> = HashMap::new();
        let (lookup, occurred, width) = (found.lookup, found.occurred, self.width);
        // Times come nearly in order, so most stay in the step of the one before.
        let (mut step, mut count) = (0, 0);
        let mut add = |of: i64, more: u64| {
            if of != step {
                let before = std::mem::replace(&mut step, of);
                *counts.entry(before).or_default() += std::mem::take(&mut count);
            }
            count += more;
        };
        match &bits {
            None => lookup.count_steps(Axis::Occurred, occurred, width, &mut add)?,
            Some(bits) => lookup.times(Axis::Occurred, occurred, &mut |entry| {
                if bits.has(entry.position) {
                    add(entry.time.div_euclid(width), 1);
                }
            })?,
        }
        *counts.entry(step).or_default() += count;
        let counted = counts.into_iter().filter(|(_, count)| *count > 0);
        counted.for_each(|(step, count)| *self.counts.entry(step).or_default() += count);
        Ok(())
    }

    fn record(&mut self, _: RecordKind, subject: &Subject<'_>) {
        if !self.is_full() {
            self.add(subject.occurred_at.as_nanos(), 1);
        }
    }

    fn is_full(&self) -> bool {
        self.counts.len() > STEPS_MAX
    }
}
