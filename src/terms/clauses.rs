//! What a query asks of the index: clauses that must all hold, each of them alternatives.

use super::collect::each_term;
use super::term::name_key;
use crate::event::{Outcome, RecordKind};
use crate::format::LogId;
use crate::query::{ActionGlob, IdFilter, Query, Subject};
use crate::terms::term::{Field, Term};

/// A part of a query that the logical index answers: an event must have one of the terms.
///
/// Without a term nothing matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// The alternatives.
    pub wanted: Vec<Wanted>,
}

/// Which terms one alternative means: one, or all whose keys begin alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The field.
    pub field: Field,
    /// The name, or what it begins with.
    pub name: Vec<u8>,
    /// The type, if it is asked for.
    pub kind: Option<Vec<u8>>,
    /// Which terms are meant.
    pub reach: Reach,
    /// The key, or what the keys of all the terms, and of no other, begin with.
    pub key: Vec<u8>,
}

/// How far an alternative reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// One term.
    Exact,
    /// All with this name, of whatever type.
    AnyType,
    /// All whose names begin so.
    Prefix,
}

impl Clause {
    /// Whether a record has one of the terms.
    pub fn is_met_by(&self, kind: RecordKind, subject: &Subject<'_>) -> bool {
        let mut is_met = false;
        each_term(kind, subject, |term| {
            is_met |= self.wanted.iter().any(|wanted| wanted.means(&term));
        });
        is_met
    }
}

impl Wanted {
    fn exact(term: &Term<'_>, log_id: LogId) -> Self {
        Wanted {
            field: term.field,
            name: term.name.to_vec(),
            kind: term.kind.map(<[u8]>::to_vec),
            reach: Reach::Exact,
            key: term.key(log_id),
        }
    }

    fn named(field: Field, name: &[u8], reach: Reach, log_id: LogId) -> Self {
        let key = name_key(field, name, log_id);
        Wanted { field, name: name.to_vec(), kind: None, reach, key }
    }

    /// The term, if only one is meant.
    pub fn term(&self) -> Option<Term<'_>> {
        let term = Term { field: self.field, name: &self.name, kind: self.kind.as_deref() };
        (self.reach == Reach::Exact).then_some(term)
    }

    /// Whether a term is meant.
    pub fn means(&self, term: &Term<'_>) -> bool {
        self.field == term.field
            && match self.reach {
                Reach::Exact => term.name == self.name && term.kind == self.kind.as_deref(),
                Reach::AnyType => term.name == self.name,
                Reach::Prefix => term.name.starts_with(&self.name),
            }
    }

    /// Whether the term with this key is meant.
    pub fn means_key(&self, key: &[u8]) -> bool {
        match self.reach {
            Reach::Exact => key == self.key,
            Reach::AnyType | Reach::Prefix => key.starts_with(&self.key),
        }
    }

    /// Whether this key stands before those of all the terms that are meant.
    pub fn is_behind(&self, key: &[u8]) -> bool {
        key < self.key.as_slice()
    }
}

/// The term that the anchors have.
pub fn anchors() -> Wanted {
    let name = [RecordKind::Anchor.code()];
    let key = [Field::Kind.code(), RecordKind::Anchor.code()].to_vec();
    Wanted { field: Field::Kind, name: name.to_vec(), kind: None, reach: Reach::Exact, key }
}

/// The clauses of a query. What they do not ask for (times, request ids, …) is asked of the
/// records. None: every event is to be looked at.
pub fn clauses(query: &Query, log_id: LogId) -> Vec<Clause> {
    let filters = &query.filters;
    let mut clauses = Vec::new();
    let mut add = |wanted: Vec<Wanted>| clauses.push(Clause { wanted });
    if !filters.actors.is_empty() {
        add(filters.actors.iter().map(|actor| by_id(actor, Field::Actor, log_id)).collect());
    }
    if !filters.resources.is_empty() {
        add(filters.resources.iter().map(|by| by_id(by, Field::Resource, log_id)).collect());
    }
    if !filters.tenants.is_empty() {
        let tenants = filters.tenants.iter();
        add(tenants.map(|tenant| exact(Field::Tenant, tenant.as_bytes(), log_id)).collect());
    }
    if !filters.actions.is_empty() && !filters.actions.iter().any(|glob| glob.as_str() == "*") {
        add(filters.actions.iter().map(|glob| by_action(glob, log_id)).collect());
    }
    let let_through = |outcome: &Outcome| filters.lets_outcome(outcome.code());
    if !Outcome::ALL.iter().all(let_through) {
        let outcome = |outcome: Outcome| exact(Field::Outcome, &[outcome.code()], log_id);
        add(Outcome::ALL.into_iter().filter(let_through).map(outcome).collect());
    }
    if !filters.on_behalf_of.is_empty() {
        add(filters.on_behalf_of.iter().map(|by| by_id(by, Field::OnBehalfOf, log_id)).collect());
    }
    clauses.iter_mut().for_each(drop_repeated);
    clauses
}

/// An alternative that another one includes would count twice.
fn drop_repeated(clause: &mut Clause) {
    // The wider one first.
    let place = |wanted: &Wanted| (wanted.key.clone(), wanted.reach == Reach::Exact);
    clause.wanted.sort_by_cached_key(place);
    clause.wanted.dedup_by(|later, earlier| earlier.means_key(&later.key));
}

fn exact(field: Field, name: &[u8], log_id: LogId) -> Wanted {
    Wanted::exact(&Term::of(field, name), log_id)
}

fn by_id(filter: &IdFilter, field: Field, log_id: LogId) -> Wanted {
    let text = |text: &Option<String>| text.as_ref().map(|text| text.as_bytes().to_vec());
    match (text(&filter.id), text(&filter.kind)) {
        (Some(id), Some(kind)) => Wanted::exact(&Term::typed(field, &id, &kind), log_id),
        (Some(id), None) => Wanted::named(field, &id, Reach::AnyType, log_id),
        // Only resources are asked for by their type alone.
        (None, kind) => exact(Field::ResourceType, &kind.unwrap_or_default(), log_id),
    }
}

fn by_action(glob: &ActionGlob, log_id: LogId) -> Wanted {
    match glob.prefix() {
        Some(prefix) => Wanted::named(Field::Action, prefix.as_bytes(), Reach::Prefix, log_id),
        None => exact(Field::Action, glob.as_str().as_bytes(), log_id),
    }
}
