//! What a log should answer: a naive filter over all records, which shares nothing with the
//! engine but the builder of the question.

#![allow(unreachable_pub)]

use crate::support::random::Random;
use bulla::event::EventId;
use bulla::query::Query;
use bulla::{Actor, Event, Outcome, Record, Resource, Seq, Target, Timestamp, TraceId};

/// Names that are alike, long, or not what one expects. Early ones are frequent.
pub const NAMES: &[&str] = &[
    "alice",
    "bob",
    "user:alice",
    "alic",
    "alicee",
    "ALICE",
    "a",
    "*",
    "user.",
    "日本",
    "é",
    "e\u{301}",
    "\u{202e}evil",
    "/",
    "acme/1",
    "\u{10ffff}",
    " ",
    "'; drop table",
    LONG,
];
const LONG: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
                    xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
                    xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
const KINDS: &[&str] = &["user", "service", "alice", "u"];
const ACTIONS: &[&str] = &[
    "user.login",
    "user.logout",
    "user.",
    "user",
    "users.list",
    "invoice.read",
    "invoice.pay",
    "a",
    "\u{10ffff}",
    "invoice.\u{10ffff}",
];
const GLOBS: &[&str] =
    &["user.*", "user*", "user.login", "*", "invoice.*", "zzz*", "a*", "\u{10ffff}*", "i*", "a"];
/// 2026-01-01.
pub const START: i64 = 1_767_225_600_000_000_000;

/// One of the first names more often than one of the last.
fn name(random: &mut Random) -> &'static str {
    let end = random.below(NAMES.len() as u64) + 1;
    NAMES[usize::try_from(random.below(end)).unwrap()]
}

fn event_id(n: u64) -> EventId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&(n % 1_000).to_le_bytes());
    EventId(id)
}

pub fn event(random: &mut Random, now: Timestamp) -> Event {
    let resource = match random.one_in(4) {
        true => Resource { kind: name(random).to_owned(), id: None },
        false => Resource::new(*random.pick(KINDS), name(random)),
    };
    let actor = Actor::new(*random.pick(KINDS), name(random));
    let mut event = Event::new(actor, *random.pick(ACTIONS), resource);
    event.id = Some(event_id(random.next()));
    event.outcome = *random.pick(&Outcome::ALL);
    // Often the same, sometimes long ago.
    let back = [0, 0, 1, 1_000_000, 60_000_000_000, 90_000_000_000_000];
    event.occurred_at = Some(Timestamp::from_nanos(now.as_nanos() - random.pick(&back)));
    event.tenant = (!random.one_in(3)).then(|| name(random).to_owned());
    event.request_id = (!random.one_in(3)).then(|| format!("r{}", random.below(300)));
    event.correlation_id = random.one_in(3).then(|| format!("c{}", random.below(20)));
    // Of half of the time none: then the index of a segment is of specification 1.
    if now.as_nanos() / 3_600_000_000_000 % 2 == 0 && random.one_in(4) {
        let targets = [0, 1, 2, 2, 5][usize::try_from(random.below(5)).unwrap()];
        event.targets =
            (0..targets).map(|_| Target::new(*random.pick(KINDS), name(random))).collect();
        event.on_behalf_of =
            random.one_in(2).then(|| Actor::new(*random.pick(KINDS), name(random)));
        event.trace_id = random.one_in(2).then(|| trace(random.below(20)));
    } else if event.outcome == Outcome::Unknown {
        event.outcome = Outcome::Success;
    }
    event
}

fn trace(n: u64) -> TraceId {
    let mut bytes = [1; 16];
    bytes[..8].copy_from_slice(&n.to_le_bytes());
    TraceId::from_bytes(bytes).unwrap()
}

/// All resources that an event names, each once, with the id of each that has one.
pub fn resources(event: &Event) -> Vec<(String, Option<String>)> {
    let targets = event.targets.iter().map(|of| (of.kind.clone(), Some(of.id.clone())));
    let main = (event.resource.kind.clone(), event.resource.id.clone());
    let mut all: Vec<_> = targets.chain([main]).collect();
    all.sort();
    all.dedup();
    all
}

/// A question, in a form that the engine does not know.
#[derive(Clone, Debug, Default)]
pub struct Question {
    actors: Vec<(Option<&'static str>, &'static str)>,
    behalf: Vec<(Option<&'static str>, &'static str)>,
    traces: Vec<TraceId>,
    resources: Vec<(&'static str, Option<&'static str>)>,
    tenants: Vec<&'static str>,
    globs: Vec<&'static str>,
    outcomes: Vec<Outcome>,
    not_outcomes: Vec<Outcome>,
    requests: Vec<String>,
    correlations: Vec<String>,
    ids: Vec<EventId>,
    occurred: [Option<i64>; 2],
    recorded: [Option<i64>; 2],
    system: bool,
    pub oldest_first: bool,
}

fn some<T>(random: &mut Random, one: impl Fn(&mut Random) -> T) -> Vec<T> {
    let count = [0, 0, 0, 0, 1, 1, 2, 12][usize::try_from(random.below(8)).unwrap()];
    (0..count).map(|_| one(random)).collect()
}

impl Question {
    pub fn random(random: &mut Random, now: Timestamp) -> Self {
        let time = |random: &mut Random| {
            let span = u64::try_from(now.as_nanos() - START).unwrap().max(1) + 2;
            let at = START + i64::try_from(random.below(span)).unwrap();
            (!random.one_in(3)).then_some(at)
        };
        let times = |random: &mut Random| match random.one_in(3) {
            true => [time(random), time(random)],
            false => [None, None],
        };
        Question {
            actors: some(random, |r| (r.one_in(2).then(|| *r.pick(KINDS)), name(r))),
            behalf: if random.one_in(6) {
                some(random, |r| (r.one_in(2).then(|| *r.pick(KINDS)), name(r)))
            } else {
                vec![]
            },
            traces: if random.one_in(12) { vec![trace(random.below(25))] } else { vec![] },
            resources: some(random, |r| match r.one_in(3) {
                true => (name(r), None),
                false => (*r.pick(KINDS), Some(name(r))),
            }),
            tenants: some(random, name),
            globs: some(random, |r| *r.pick(GLOBS)),
            outcomes: some(random, |r| *r.pick(&Outcome::ALL)),
            not_outcomes: match random.one_in(6) {
                true => vec![*random.pick(&Outcome::ALL)],
                false => vec![],
            },
            requests: if random.one_in(12) {
                vec![format!("r{}", random.below(310)), format!("r{}", random.below(310))]
            } else {
                vec![]
            },
            correlations: if random.one_in(12) {
                vec![format!("c{}", random.below(25))]
            } else {
                vec![]
            },
            ids: if random.one_in(12) { vec![event_id(random.next())] } else { vec![] },
            occurred: times(random),
            recorded: times(random),
            system: random.one_in(6),
            oldest_first: random.one_in(2),
        }
    }

    /// The same for the engine.
    pub fn query(&self) -> Query {
        let mut query = Query::new().system(self.system);
        for (kind, id) in &self.actors {
            query = match kind {
                Some(kind) => query.actor_type_id(*kind, *id),
                None => query.actor(*id),
            };
        }
        for (kind, id) in &self.behalf {
            query = match kind {
                Some(kind) => query.on_behalf_of_type_id(*kind, *id),
                None => query.on_behalf_of(*id),
            };
        }
        query = self.traces.iter().fold(query, |query, id| query.trace_id(*id));
        for (kind, id) in &self.resources {
            query = match id {
                Some(id) => query.resource(*kind, *id),
                None => query.resource_type(*kind),
            };
        }
        query = self.tenants.iter().fold(query, |query, tenant| query.tenant(*tenant));
        query = self.globs.iter().fold(query, |query, glob| query.action(glob).unwrap());
        query = self.outcomes.iter().fold(query, |query, outcome| query.outcome(*outcome));
        query = self.not_outcomes.iter().fold(query, |query, outcome| query.not_outcome(*outcome));
        query = self.requests.iter().fold(query, |query, id| query.request_id(id));
        query = self.correlations.iter().fold(query, |query, id| query.correlation_id(id));
        query = self.ids.iter().fold(query, |query, id| query.event_id(*id));
        let time = Timestamp::from_nanos;
        if let Some(since) = self.occurred[0] {
            query = query.occurred_since(time(since));
        }
        if let Some(until) = self.occurred[1] {
            query = query.occurred_until(time(until));
        }
        if let Some(since) = self.recorded[0] {
            query = query.recorded_since(time(since));
        }
        if let Some(until) = self.recorded[1] {
            query = query.recorded_until(time(until));
        }
        if self.oldest_first { query.oldest_first() } else { query }
    }

    /// The Seqs that match, in order.
    pub fn answer(&self, all: &[Record]) -> Vec<Seq> {
        let matching = all.iter().filter(|record| self.means(record)).map(|record| record.seq);
        let mut seqs: Vec<Seq> = matching.collect();
        if !self.oldest_first {
            seqs.reverse();
        }
        seqs
    }

    pub fn means(&self, record: &Record) -> bool {
        fn any<T>(of: &[T], holds: impl Fn(&T) -> bool) -> bool {
            of.is_empty() || of.iter().any(holds)
        }
        let within = |range: &[Option<i64>; 2], time: i64| {
            range[0].is_none_or(|since| time >= since) && range[1].is_none_or(|until| time < until)
        };
        let event = &record.event;
        let is_own = event.action.starts_with("bulla.");
        let text = |value: &Option<String>, wanted: &str| value.as_deref() == Some(wanted);
        (self.system || !is_own)
            && any(&self.actors, |(kind, id)| {
                event.actor.id == *id && kind.is_none_or(|kind| event.actor.kind == kind)
            })
            && any(&self.behalf, |(kind, id)| {
                let behalf = event.on_behalf_of.as_ref();
                behalf.is_some_and(|of| of.id == *id && kind.is_none_or(|kind| of.kind == kind))
            })
            && any(&self.traces, |id| event.trace_id == Some(*id))
            && any(&self.resources, |(kind, id)| {
                resources(event)
                    .iter()
                    .any(|(of, found)| of == kind && id.is_none_or(|id| text(found, id)))
            })
            && any(&self.tenants, |tenant| text(&event.tenant, tenant))
            && any(&self.globs, |glob| match glob.strip_suffix('*') {
                Some(prefix) => event.action.starts_with(prefix),
                None => event.action == *glob,
            })
            && any(&self.outcomes, |outcome| event.outcome == *outcome)
            && !self.not_outcomes.contains(&event.outcome)
            && any(&self.requests, |id| text(&event.request_id, id))
            && any(&self.correlations, |id| text(&event.correlation_id, id))
            && any(&self.ids, |id| event.id == Some(*id))
            && within(&self.occurred, event.occurred_at.unwrap_or(record.recorded_at).as_nanos())
            && within(&self.recorded, record.recorded_at.as_nanos())
    }
}
