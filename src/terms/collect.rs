//! [`Collected`]: the terms of a segment while its records come in, and [`Logical`]: the
//! same, in the order in which they are hashed.

use std::collections::HashMap;
use std::ops::Range;

use super::lists::{self, TimeEntry};
use crate::event::{Outcome, RecordKind};
use crate::query::{Subject, TimeRange};
use crate::terms::head::{IndexHead, Scope, TermLeaf};
use crate::terms::term::{Axis, Field, SPEC, SPEC_ADDED, Term};
use crate::time::Timestamp;

/// The two times of a record, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug)]
struct Moment {
    recorded: i64,
    occurred: i64,
}

/// The terms of the records of a segment, as they come in.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    fields: [Terms; Field::ALL.len()],
    /// Of each record, by position.
    moments: Vec<Moment>,
    /// The first record, by position, that was recorded before the one in front of it.
    goes_back: Option<u32>,
    /// Whether an event has something that is new in [`SPEC_ADDED`].
    has_added: bool,
    /// How a term is spelt while it is looked up.
    spelling: Vec<u8>,
}

/// The terms of one field.
#[derive(Clone, Debug, Default)]
struct Terms {
    lists: HashMap<Box<[u8]>, Vec<u32>>,
    /// The spellings of the terms with a name, whatever their types.
    of_name: HashMap<Box<[u8]>, Vec<Box<[u8]>>>,
}

impl Collected {
    /// Takes in the next record. There is room for 2³² of them; a segment holds far fewer.
    pub fn add(&mut self, kind: RecordKind, recorded_at: Timestamp, subject: &Subject<'_>) {
        let Ok(position) = u32::try_from(self.moments.len()) else { return };
        let (recorded, occurred) = (recorded_at.as_nanos(), subject.occurred_at.as_nanos());
        if self.moments.last().is_some_and(|before| recorded < before.recorded) {
            self.goes_back.get_or_insert(position);
        }
        self.moments.push(Moment { recorded, occurred });
        self.has_added |= kind == RecordKind::Event && has_added(subject);
        each_term(kind, subject, |term| self.note(&term, position));
    }

    fn note(&mut self, term: &Term<'_>, position: u32) {
        let terms = &mut self.fields[usize::from(term.field.code()) - 1];
        self.spelling.clear();
        term.spell(&mut self.spelling);
        if let Some(list) = terms.lists.get_mut(self.spelling.as_slice()) {
            // A record may name a resource twice.
            if list.last() != Some(&position) {
                list.push(position);
            }
            return;
        }
        let spelling: Box<[u8]> = self.spelling.as_slice().into();
        if term.field.has_type() {
            terms.of_name.entry(term.name.into()).or_default().push(spelling.clone());
        }
        terms.lists.insert(spelling, vec![position]);
    }

    /// Records taken in.
    pub fn records(&self) -> u32 {
        u32::try_from(self.moments.len()).unwrap_or(u32::MAX)
    }

    /// The specification of the index of these records.
    pub fn spec(&self) -> u8 {
        if self.has_added { SPEC_ADDED } else { SPEC }
    }

    /// The first record, by position, whose `recorded_at` is before that of the record in front
    /// of it, and both times. No log writes such a record.
    pub fn goes_back(&self) -> Option<(u32, [Timestamp; 2])> {
        let position = self.goes_back?;
        let time = |at: u32| self.moments.get(at as usize).map(|moment| moment.recorded);
        let times = [time(position.checked_sub(1)?)?, time(position)?];
        Some((position, times.map(Timestamp::from_nanos)))
    }

    /// The positions of the records that were recorded in a range; `None` if they do not stand
    /// in the order of `recorded_at`.
    pub fn recorded_window(&self, times: TimeRange) -> Option<Range<u32>> {
        let before = |time: Timestamp| {
            let found = self.moments.partition_point(|moment| moment.recorded < time.as_nanos());
            u32::try_from(found).unwrap_or(u32::MAX)
        };
        let start = times.since.map_or(0, before);
        let end = times.until.map_or(self.records(), before);
        self.goes_back.is_none().then_some(start..end.max(start))
    }

    /// The positions of a term, ascending; empty if no record has it.
    pub fn list(&self, term: &Term<'_>) -> &[u32] {
        let mut spelling = Vec::new();
        term.spell(&mut spelling);
        let found = self.terms_of(term.field).lists.get(spelling.as_slice());
        found.map(Vec::as_slice).unwrap_or_default()
    }

    /// The positions of each term with this name, one list a type.
    pub fn lists_of_name(&self, field: Field, name: &[u8]) -> impl Iterator<Item = &[u32]> {
        let terms = self.terms_of(field);
        let spellings = terms.of_name.get(name).map(Vec::as_slice).unwrap_or_default();
        spellings.iter().filter_map(|spelling| terms.lists.get(spelling).map(Vec::as_slice))
    }

    /// The positions of the anchors, ascending.
    pub fn anchors(&self) -> &[u32] {
        self.list(&Term::of(Field::Kind, ANCHOR))
    }

    /// The terms of a field with their positions, in no order.
    pub fn terms(&self, field: Field) -> impl Iterator<Item = (Term<'_>, &[u32])> {
        let lists = self.terms_of(field).lists.iter();
        lists.filter_map(move |(spelling, list)| Some((Term::unspell(field, spelling)?, &**list)))
    }

    /// The times of the events, by position.
    pub fn times(&self, axis: Axis) -> impl Iterator<Item = TimeEntry> {
        let mut anchors = self.anchors().iter().copied().peekable();
        (0_u32..).zip(&self.moments).filter_map(move |(position, moment)| {
            let time = match axis {
                Axis::Occurred => moment.occurred,
                Axis::Recorded => moment.recorded,
            };
            anchors.next_if_eq(&position).is_none().then_some(TimeEntry { time, position })
        })
    }

    fn terms_of(&self, field: Field) -> &Terms {
        &self.fields[usize::from(field.code()) - 1]
    }

    /// The same in the order in which it is hashed.
    pub fn logical(&self, scope: Scope) -> Logical<'_> {
        let terms = Field::ALL.into_iter().flat_map(|field| self.terms(field));
        let mut terms: Vec<LogicalTerm<'_>> = terms
            .map(|(term, positions)| LogicalTerm { key: term.key(scope.log_id), term, positions })
            .collect();
        terms.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        let sorted = |axis| {
            // Nearly sorted, which the stable sort makes use of.
            let mut times: Vec<TimeEntry> = self.times(axis).collect();
            times.sort();
            times
        };
        let (occurred, recorded) = (sorted(Axis::Occurred), sorted(Axis::Recorded));
        let (spec, records) = (self.spec(), self.records().into());
        Logical { spec, scope, records, terms, occurred, recorded }
    }
}

/// The name of the term that anchors have.
const ANCHOR: &[u8] = &[RecordKind::Anchor.code()];

/// Whether an event has something that is new in [`SPEC_ADDED`].
fn has_added(subject: &Subject<'_>) -> bool {
    !subject.targets.is_empty()
        || subject.on_behalf_of.is_some()
        || subject.trace_id.is_some()
        || subject.outcome == Outcome::Unknown
}

/// Gives the terms of a record. One that names a resource twice gives its term twice.
pub fn each_term<'a>(kind: RecordKind, subject: &Subject<'a>, mut each: impl FnMut(Term<'a>)) {
    if kind != RecordKind::Event {
        return each(Term::of(Field::Kind, ANCHOR));
    }
    each(Term::typed(Field::Actor, subject.actor_id.as_bytes(), subject.actor_type.as_bytes()));
    for (kind, id) in subject.resources() {
        each(Term::of(Field::ResourceType, kind.as_bytes()));
        if let Some(id) = id {
            each(Term::typed(Field::Resource, id.as_bytes(), kind.as_bytes()));
        }
    }
    if let Some(actor) = subject.on_behalf_of {
        each(Term::typed(Field::OnBehalfOf, actor.id.as_bytes(), actor.kind.as_bytes()));
    }
    if let Some(tenant) = subject.tenant {
        each(Term::of(Field::Tenant, tenant.as_bytes()));
    }
    each(Term::of(Field::Action, subject.action.as_bytes()));
    let code = usize::from(subject.outcome.code());
    each(Term::of(Field::Outcome, OUTCOMES.get(code..=code).unwrap_or_default()));
}

/// The codes of all outcomes, to borrow one from.
static OUTCOMES: [u8; Outcome::ALL.len()] = [0, 1, 2, 3, 4];

/// The logical index of a segment, in the order in which it is hashed.
#[derive(Clone, Debug)]
pub struct Logical<'a> {
    /// By which specification.
    pub spec: u8,
    /// Which records it is of.
    pub scope: Scope,
    /// How many there are.
    pub records: u64,
    /// The terms, ascending by key.
    pub terms: Vec<LogicalTerm<'a>>,
    /// When the events occurred, ascending.
    pub occurred: Vec<TimeEntry>,
    /// When they were recorded, ascending.
    pub recorded: Vec<TimeEntry>,
}

/// A term with its key and positions.
#[derive(Clone, Debug)]
pub struct LogicalTerm<'a> {
    /// See [`Term::key`].
    pub key: Vec<u8>,
    /// The term.
    pub term: Term<'a>,
    /// The positions of the records that have it, ascending.
    pub positions: &'a [u32],
}

impl LogicalTerm<'_> {
    /// The leaf in the tree over the terms.
    pub fn leaf(&self) -> TermLeaf {
        let list_root = lists::positions_root(self.positions);
        TermLeaf { key: self.key.clone(), count: self.positions.len() as u64, list_root }
    }
}

impl Logical<'_> {
    /// The times of an axis.
    pub fn times(&self, axis: Axis) -> &[TimeEntry] {
        match axis {
            Axis::Occurred => &self.occurred,
            Axis::Recorded => &self.recorded,
        }
    }

    /// What the index root is the hash of.
    pub fn head(&self) -> IndexHead {
        IndexHead {
            spec: self.spec,
            scope: self.scope,
            records: self.records,
            events: self.occurred.len() as u64,
            terms: self.terms.len() as u64,
            terms_root: lists::root(self.terms.iter().map(|term| term.leaf().hash())),
            occurred_root: lists::times_root(&self.occurred),
            recorded_root: lists::times_root(&self.recorded),
        }
    }
}
