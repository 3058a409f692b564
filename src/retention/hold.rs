//! Legal holds: what they are for, and which records they pin.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::event::RecordKind;
use crate::query::{IdFilter, InvalidActionGlob, Query, Subject, TimeRange};
use crate::time::Timestamp;

/// The longest case id, in bytes.
pub const CASE_LEN_MAX: usize = 256;
/// The longest scope, in bytes: it must fit a record of the catalog.
pub const SCOPE_LEN_MAX: usize = 48 << 10;

/// Which records a hold pins: its conditions are joined with AND, the values given for one
/// of them with OR. It applies to records that are there and to those still to come.
///
/// ```
/// use bulla::retention::HoldScope;
/// let scope = HoldScope::new().actor("alice").actor("bob").action("invoice.*")?;
/// assert!(!scope.is_everything());
/// # Ok::<(), bulla::query::InvalidActionGlob>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[must_use]
pub struct HoldScope {
    /// Without times, order, limit and cursor.
    question: Query,
    times: TimeRange,
    /// Which aliases it pins because they may be those of what it names. Not recorded.
    aliases: Option<Aliases>,
}

/// What aliases start with, and the ones that a key store knows.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Aliases {
    prefix: &'static str,
    known: Arc<BTreeSet<String>>,
}

impl HoldScope {
    /// Everything, until it is narrowed.
    pub fn new() -> Self {
        HoldScope::default()
    }

    /// Records on behalf of this tenant.
    pub fn tenant(self, tenant: impl Into<String>) -> Self {
        HoldScope { question: self.question.tenant(tenant), ..self }
    }

    /// Records of the actor with this id, of whatever type. An actor that is recorded under
    /// an alias is held by the alias. What others did on its behalf is not held.
    pub fn actor(self, id: impl Into<String>) -> Self {
        HoldScope { question: self.question.actor(id), ..self }
    }

    /// Records of the actor of this type with this id.
    pub fn actor_type_id(self, kind: impl Into<String>, id: impl Into<String>) -> Self {
        HoldScope { question: self.question.actor_type_id(kind, id), ..self }
    }

    /// Records whose resource, or one of whose targets, is of this type.
    pub fn resource_type(self, kind: impl Into<String>) -> Self {
        HoldScope { question: self.question.resource_type(kind), ..self }
    }

    /// Records whose resource, or one of whose targets, is the one of this type with this id.
    pub fn resource(self, kind: impl Into<String>, id: impl Into<String>) -> Self {
        HoldScope { question: self.question.resource(kind, id), ..self }
    }

    /// Records with this action, or one that starts with what stands before a final `*`.
    ///
    /// # Errors
    /// The glob is empty, or has a `*` before its end.
    pub fn action(self, glob: &str) -> Result<Self, InvalidActionGlob> {
        Ok(HoldScope { question: self.question.action(glob)?, ..self })
    }

    /// Records of this time or later: by the time they happened or were recorded, whichever
    /// holds more.
    pub fn since(mut self, time: Timestamp) -> Self {
        self.times.since = self.times.since.max(Some(time));
        self
    }

    /// Records before this time, by either of their times.
    pub fn until(mut self, time: Timestamp) -> Self {
        self.times.until = Some(self.times.until.map_or(time, |until| until.min(time)));
        self
    }

    /// Whether it holds the whole log.
    pub fn is_everything(&self) -> bool {
        *self == HoldScope::default()
    }

    /// Whether it pins a record. The log's own records are pinned by a hold on everything, or
    /// on a time alone.
    pub fn matches(&self, recorded_at: Timestamp, kind: RecordKind, subject: &Subject<'_>) -> bool {
        let own = kind != RecordKind::Event;
        let asked = match own {
            true => self.question == Query::new(),
            false => {
                self.question.matches(recorded_at, kind, subject)
                    || self.may_be_meant(recorded_at, kind, subject)
            }
        };
        asked && (self.times.contains(recorded_at) || self.times.contains(subject.occurred_at))
    }

    /// Whether it may pin records whose times lie in these ranges, in nanoseconds: smallest
    /// and largest `recorded_at`, then `occurred_at`.
    pub fn may_pin(&self, times: [i64; 4]) -> bool {
        let [recorded_min, recorded_max, occurred_min, occurred_max] =
            times.map(Timestamp::from_nanos);
        self.times.meets(recorded_min, recorded_max) || self.times.meets(occurred_min, occurred_max)
    }

    /// The same, which also pins what the actors and resources that it names did under other
    /// identifiers: `aliases` gives those, with their types, for a type (`None`: any) and an id.
    #[cfg(feature = "engine")]
    pub(crate) fn with_aliases(
        &self,
        aliases: impl Fn(Named, Option<&str>, &str) -> Vec<(String, String)>,
    ) -> Self {
        let mut scope = self.clone();
        let filters = &self.question.filters;
        let more = |which, filters: &[IdFilter]| -> Vec<(String, String)> {
            let named =
                filters.iter().filter_map(|filter| Some((&filter.kind, filter.id.as_ref()?)));
            named.flat_map(|(kind, id)| aliases(which, kind.as_deref(), id)).collect()
        };
        for (kind, alias) in more(Named::Actor, &filters.actors) {
            scope = scope.actor_type_id(kind, alias);
        }
        for (kind, alias) in more(Named::Resource, &filters.resources) {
            scope = scope.resource(kind, alias);
        }
        scope
    }

    /// The same, which also pins records under aliases that are not in `known`, if it names actors or
    /// resources: such an alias may be one of theirs. `prefix` is what aliases start with.
    #[cfg(feature = "engine")]
    pub(crate) fn with_unknown_aliases(
        &self,
        prefix: &'static str,
        known: Arc<BTreeSet<String>>,
    ) -> Self {
        let aliases = self.names_ids().then_some(Aliases { prefix, known });
        HoldScope { aliases, ..self.clone() }
    }

    /// Whether it pins aliases that are not known.
    #[cfg(feature = "engine")]
    pub(crate) fn pins_unknown_aliases(&self) -> bool {
        self.aliases.is_some()
    }

    /// Whether this identifier is an alias that may be one of those it names.
    pub(crate) fn is_unknown_alias(&self, id: &str) -> bool {
        let unknown = |of: &Aliases| id.starts_with(of.prefix) && !of.known.contains(id);
        self.aliases.as_ref().is_some_and(unknown)
    }

    /// The same, which pins what it names only.
    #[cfg(feature = "engine")]
    pub(crate) fn without_aliases(&self) -> Self {
        HoldScope { aliases: None, ..self.clone() }
    }

    /// Whether it names actors or resources, and not types of resources alone.
    #[cfg(feature = "engine")]
    pub(crate) fn names_ids(&self) -> bool {
        let filters = &self.question.filters;
        filters.actors.iter().chain(&filters.resources).any(|filter| filter.id.is_some())
    }

    /// Whether a record would be pinned if its aliases were those of what is named.
    fn may_be_meant(&self, at: Timestamp, kind: RecordKind, subject: &Subject<'_>) -> bool {
        let (actor, resource) = self.hidden(subject);
        (actor || resource) && self.whoever(actor, resource).matches(at, kind, subject)
    }

    /// Whether actor and resource stand under an alias, and nobody can tell whose it is.
    pub(crate) fn hidden(&self, subject: &Subject<'_>) -> (bool, bool) {
        let mut ids = subject.resources().filter_map(|(_, id)| id);
        let resource = ids.any(|id| self.is_unknown_alias(id));
        (self.is_unknown_alias(subject.actor_id), resource)
    }

    /// The question, whatever the identifiers of actors, or of resources, are.
    fn whoever(&self, actors: bool, resources: bool) -> Query {
        let mut question = self.question.clone();
        if actors {
            of_any_id(&mut question.filters.actors);
        }
        if resources {
            of_any_id(&mut question.filters.resources);
        }
        question
    }

    /// Its conditions as a question without times, the oldest records first: a superset of
    /// what it pins.
    pub fn question(&self) -> Query {
        let mut question = self.question.clone().oldest_first();
        if self.aliases.is_some() {
            // The indexes know neither aliases as such nor a type of actors without an id.
            for named in [&mut question.filters.actors, &mut question.filters.resources] {
                if named.iter().any(|filter| filter.id.is_some()) {
                    named.clear();
                }
            }
        }
        question
    }

    /// The bytes that the catalog records: those of a question whose both ranges of time are
    /// the scope's.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut question = self.question.clone();
        (question.filters.occurred, question.filters.recorded) = (self.times, self.times);
        question.to_bytes()
    }

    /// Reads them.
    ///
    /// # Errors
    /// No question in its only spelling, or one that is no scope: with two different ranges,
    /// an order, a limit, outcomes or identifiers of events.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidScope> {
        let mut question =
            Query::from_bytes(bytes).map_err(|error| InvalidScope { reason: error.to_string() })?;
        let times = question.filters.recorded;
        let one_range = times == question.filters.occurred;
        (question.filters.occurred, question.filters.recorded) = Default::default();
        let scope = HoldScope { question, times, aliases: None };
        let filters = &scope.question.filters;
        let plain = filters.outcomes == 0
            && filters.refused_outcomes == 0
            && !filters.system
            && filters.request_ids.is_empty()
            && filters.correlation_ids.is_empty()
            && filters.event_ids.is_empty()
            && filters.on_behalf_of.is_empty()
            && filters.trace_ids.is_empty();
        let ordered = scope.question.order != Default::default() || scope.question.limit.is_some();
        match one_range && plain && !ordered && scope.to_bytes() == bytes {
            true => Ok(scope),
            false => {
                let reason = "expected tenants, actors, resources, actions and one range of time";
                Err(InvalidScope { reason: reason.to_owned() })
            }
        }
    }

    /// Conditions that nothing can meet are refused: nobody means them, and who placed such a
    /// hold believes that something is held.
    fn check_meaning(&self) -> Result<(), InvalidScope> {
        let refused = |reason: &str| Err(InvalidScope { reason: reason.to_owned() });
        let filters = &self.question.filters;
        let ids = filters.actors.iter().chain(&filters.resources);
        let empty = |text: &Option<String>| text.as_ref().is_some_and(String::is_empty);
        if ids.into_iter().any(|filter| empty(&filter.kind) || empty(&filter.id)) {
            return refused("expected names of actors and resources, found an empty one");
        }
        if filters.tenants.iter().any(String::is_empty) {
            return refused("expected names of tenants, found an empty one");
        }
        match (self.times.since, self.times.until) {
            (Some(since), Some(until)) if since >= until => {
                let reason = format!("expected a time until after {since}, found {until}");
                Err(InvalidScope { reason })
            }
            _ => Ok(()),
        }
    }

    /// The scope in words: the name of each condition with what it holds.
    pub fn in_words(&self) -> Vec<(&'static str, String)> {
        let mut words = self.question.in_words();
        words.retain(|(name, _)| ["actor", "resource", "tenant", "action"].contains(name));
        let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
        words.extend(time(self.times.since).map(|since| ("since", since)));
        words.extend(time(self.times.until).map(|until| ("until", until)));
        if words.is_empty() {
            words.push(("everything", "the whole log".to_owned()));
        }
        words
    }
}

fn of_any_id(filters: &mut Vec<IdFilter>) {
    filters.iter_mut().for_each(|filter| filter.id = None);
    if filters.iter().any(|filter| filter.kind.is_none()) {
        filters.clear();
    }
}

impl fmt::Display for HoldScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.in_words().into_iter().map(|(name, value)| format!("{name} {value}"));
        write!(f, "{}", words.collect::<Vec<_>>().join("; "))
    }
}

/// What a condition of a hold names.
#[cfg(feature = "engine")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Actor,
    Resource,
}

/// The bytes or the case are not those of a hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the scope of a hold: {reason}")]
pub struct InvalidScope {
    /// What was expected.
    pub reason: String,
}

/// A legal hold that is to be placed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hold {
    /// What it is for: 1 to 256 bytes, one line. Two holds in force never share it.
    pub case: String,
    /// What it pins.
    pub scope: HoldScope,
    /// Who answers for what it pins.
    pub custodian: Option<String>,
    /// When somebody means to look at it again. It stays in force after that.
    pub review_by: Option<Timestamp>,
}

impl Hold {
    /// A hold for a case.
    pub fn new(case: impl Into<String>, scope: HoldScope) -> Self {
        Hold { case: case.into(), scope, custodian: None, review_by: None }
    }

    /// Names who answers for it.
    #[must_use]
    pub fn custodian(self, custodian: impl Into<String>) -> Self {
        Hold { custodian: Some(custodian.into()), ..self }
    }

    /// Sets the date of review.
    #[must_use]
    pub fn review_by(self, time: Timestamp) -> Self {
        Hold { review_by: Some(time), ..self }
    }

    /// Whether it can be recorded.
    ///
    /// # Errors
    /// What was expected of its case or scope.
    pub fn check(&self) -> Result<(), InvalidScope> {
        let fits = (1..=CASE_LEN_MAX).contains(&self.case.len());
        if !fits || self.case.chars().any(char::is_control) {
            let found = self.case.len();
            let reason =
                format!("expected a case of 1 to {CASE_LEN_MAX} bytes in one line, found {found}");
            return Err(InvalidScope { reason });
        }
        let scope = self.scope.to_bytes();
        if scope.len() > SCOPE_LEN_MAX {
            let reason = format!(
                "expected at most {SCOPE_LEN_MAX} bytes of conditions, found {}: place several \
                 holds",
                scope.len()
            );
            return Err(InvalidScope { reason });
        }
        self.scope.check_meaning()?;
        // What is recorded must be read again, also by who places it.
        HoldScope::from_bytes(&scope).map(|_| ())
    }
}
