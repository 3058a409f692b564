use proptest::prelude::*;

use super::*;
use crate::event::{Actor, Event, EventId, Outcome, RecordKind, Resource, Target, TraceId};
use crate::seq::Seq;
use crate::time::Timestamp;

const KINDS: [RecordKind; 2] = [RecordKind::Event, RecordKind::Anchor];

fn time(nanos: i64) -> Timestamp {
    Timestamp::from_nanos(nanos)
}

fn event() -> Event {
    Event::new(Actor::new("user", "alice"), "user.login", Resource::new("session", "s-1"))
        .id(EventId([1; 16]))
        .tenant("acme")
        .outcome(Outcome::Denied)
        .request_id("q")
        .correlation_id("c")
        .occurred_at(time(50))
        .on_behalf_of(Actor::new("user", "bob"))
        .target(Target::new("host", "h-1"))
        .target(Target::new("host", "h-2"))
        .trace_id(trace(7))
}

fn trace(byte: u8) -> TraceId {
    TraceId::from_bytes([byte; 16]).unwrap()
}

fn matches(query: Query) -> bool {
    let event = event();
    query.matches(time(100), RecordKind::Event, &Subject::of_event(&event, time(100)))
}

#[test]
fn each_filter_lets_its_value_through_and_no_other() {
    let q = Query::new;
    for (wanted, other) in [
        (q().actor("alice"), q().actor("bob")),
        (q().actor_type_id("user", "alice"), q().actor_type_id("service", "alice")),
        (q().actor_type_id("user", "alice"), q().actor_type_id("user", "alic")),
        (q().resource_type("session"), q().resource_type("sessions")),
        (q().resource("session", "s-1"), q().resource("session", "s-2")),
        (q().resource("session", "s-1"), q().resource("cookie", "s-1")),
        (q().resource("host", "h-2"), q().resource("host", "s-1")),
        (q().resource_type("host"), q().resource_type("hosts")),
        (q().on_behalf_of("bob"), q().on_behalf_of("alice")),
        (q().on_behalf_of_type_id("user", "bob"), q().on_behalf_of_type_id("team", "bob")),
        (q().trace_id(trace(7)), q().trace_id(trace(8))),
        (q().tenant("acme"), q().tenant("")),
        (q().action("user.*").unwrap(), q().action("user.logi").unwrap()),
        (q().outcome(Outcome::Denied), q().outcome(Outcome::Success)),
        (q().not_outcome(Outcome::Success), q().not_outcome(Outcome::Denied)),
        (q().request_id("q"), q().request_id("c")),
        (q().correlation_id("c"), q().correlation_id("q")),
        (q().event_id(EventId([1; 16])), q().event_id(EventId([2; 16]))),
        (q().occurred_since(time(50)), q().occurred_since(time(51))),
        (q().occurred_until(time(51)), q().occurred_until(time(50))),
        (q().recorded_since(time(100)), q().recorded_since(time(101))),
        (q().recorded_until(time(101)), q().recorded_until(time(100))),
    ] {
        assert!(matches(wanted.clone()), "{wanted:?}");
        assert!(!matches(other.clone()), "{other:?}");
        assert_ne!(wanted.filters.fingerprint(), other.filters.fingerprint());
    }
    assert!(matches(q()));
}

#[test]
fn values_of_one_field_are_alternatives_and_fields_are_joined() {
    assert!(matches(Query::new().actor("bob").actor("alice").resource_type("session")));
    assert!(!matches(Query::new().actor("alice").resource_type("cookie")));
    assert!(matches(Query::new().outcome(Outcome::Denied).outcome(Outcome::Success)));
    assert!(!matches(Query::new().outcome(Outcome::Denied).not_outcome(Outcome::Denied)));
}

#[test]
fn times_given_twice_narrow_the_range() {
    let query = Query::new().occurred_since(time(5)).occurred_since(time(3));
    assert_eq!(query.filters.occurred.since, Some(time(5)));
    let query = Query::new().recorded_until(time(3)).recorded_until(time(5));
    assert_eq!(query.filters.recorded.until, Some(time(3)));
}

#[test]
fn records_of_the_log_come_only_when_asked_for() {
    let anchor = Subject::of_anchor(time(1));
    assert!(!Query::new().matches(time(1), RecordKind::Anchor, &anchor));
    assert!(Query::new().system(true).matches(time(1), RecordKind::Anchor, &anchor));
    let query = Query::new().system(true).action("bulla.*").unwrap();
    assert!(query.matches(time(1), RecordKind::Anchor, &anchor));
    let event = event();
    let subject = Subject::of_event(&event, time(1));
    assert!(Query::new().system(true).matches(time(1), RecordKind::Event, &subject));
}

#[test]
fn a_cursor_goes_on_where_its_query_stopped() {
    let query = Query::new().actor("alice").tenant("acme");
    assert_eq!(query.start(), Ok(None));
    let cursor = query.cursor_after(Seq::new(7)).unwrap();
    let read: Cursor = cursor.to_string().parse().unwrap();
    assert_eq!(read, cursor);
    assert_eq!(query.clone().limit(3).after(read).start(), Ok(Some(Seq::new(6))));
    assert_eq!(query.cursor_after(Seq::new(0)), None);

    let oldest = query.clone().oldest_first();
    let onward = oldest.cursor_after(Seq::new(7)).unwrap();
    assert_eq!(oldest.clone().after(onward).start(), Ok(Some(Seq::new(8))));
    assert_eq!(oldest.cursor_after(Seq::new(u64::MAX)), None);
    assert_eq!(query.after(onward).start(), Err(CursorError::OtherOrder));
    let other = Query::new().actor("alice").tenant("acmf").oldest_first();
    assert_eq!(other.after(onward).start(), Err(CursorError::OtherQuery));
}

#[test]
fn the_same_question_asked_in_another_order_takes_the_same_cursor() {
    let one = Query::new().actor("a").actor("b").tenant("t");
    let two = Query::new().tenant("t").actor("b").actor("a").actor("b");
    assert_eq!(one.cursor_after(Seq::new(5)), two.cursor_after(Seq::new(5)));
}

#[test]
fn values_cannot_flow_from_one_field_into_another() {
    let fingerprints = [
        Query::new(),
        Query::new().actor("a"),
        Query::new().actor("a").actor("b"),
        Query::new().actor("ab"),
        Query::new().actor_type_id("a", "b"),
        Query::new().actor_type_id("", "a"),
        Query::new().resource("a", "b"),
        Query::new().resource_type("a"),
        Query::new().tenant("a"),
        Query::new().request_id("a"),
        Query::new().correlation_id("a"),
        Query::new().on_behalf_of("a"),
        Query::new().trace_id(trace(1)),
        Query::new().action("a").unwrap(),
        Query::new().system(true),
        Query::new().outcome(Outcome::Success),
        Query::new().not_outcome(Outcome::Success),
        Query::new().occurred_since(time(1)),
        Query::new().occurred_until(time(1)),
        Query::new().recorded_since(time(1)),
        Query::new().recorded_until(time(1)),
    ]
    .map(|query| query.filters.fingerprint());
    for (i, a) in fingerprints.iter().enumerate() {
        assert!(!fingerprints[..i].contains(a), "{i}");
    }
}

/// Written once; a change of it breaks cursors that are under way.
#[test]
fn the_text_of_a_cursor_does_not_change() {
    let cursor = Query::new().actor("alice").cursor_after(Seq::new(42)).unwrap();
    assert_eq!(cursor.to_string(), "AQApAAAAAAAAAFOFjuHQZDelIa88");
}

#[test]
fn a_mistyped_cursor_is_refused() {
    let text = Query::new().cursor_after(Seq::new(1_000_000)).unwrap().to_string();
    for at in 0..text.len() {
        let mut typo = text.clone().into_bytes();
        typo[at] = if typo[at] == b'x' { b'y' } else { b'x' };
        let typo = String::from_utf8(typo).unwrap();
        assert_eq!(typo.parse::<Cursor>(), Err(CursorError::Malformed), "{typo}");
    }
    for bad in ["", "x", &text[1..], &format!("{text}A"), &format!("{text}="), &"é".repeat(14)] {
        assert_eq!(bad.parse::<Cursor>(), Err(CursorError::Malformed), "{bad}");
    }
}

/// One record of a small world in which everything collides often.
fn small_event() -> impl Strategy<Value = (Event, i64, usize)> {
    let word = || prop::sample::select(vec!["a", "b", "ab"]);
    let maybe = || prop::option::of(prop::sample::select(vec!["a", "b"]));
    let who = (word(), word(), word(), word(), maybe());
    let rest = (maybe(), maybe(), maybe(), 0..5_u8, 0..4_i64, 0..4_i64, 0..2_usize);
    let targets = prop::collection::vec((word(), word()), 0..3);
    let added = (targets, prop::option::of((word(), word())));
    let all = (who, rest, added);
    all.prop_map(|((ak, ai, action, rk, ri), (tenant, rq, co, code, at, rec, kind), added)| {
        let resource = Resource { kind: rk.to_owned(), id: ri.map(str::to_owned) };
        let mut event = Event::new(Actor::new(ak, ai), action, resource).occurred_at(time(at));
        event.tenant = tenant.map(str::to_owned);
        event.request_id = rq.map(str::to_owned);
        event.correlation_id = co.map(str::to_owned);
        event.outcome = Outcome::from_code(code).unwrap();
        event.targets = added.0.into_iter().map(|(kind, id)| Target::new(kind, id)).collect();
        event.on_behalf_of = added.1.map(|(kind, id)| Actor::new(kind, id));
        (event, rec, kind)
    })
}

/// One condition: how the query says it, and what it means, spelled out naively.
/// The number tells which conditions are alternatives of one field.
type Meaning = Box<dyn Fn(&Event, i64) -> bool>;

fn condition() -> impl Strategy<Value = (u8, String, String, i64)> {
    let word = || prop::sample::select(vec!["a", "b", "ab"]).prop_map(str::to_owned);
    (0..16_u8, word(), word(), 0..5_i64)
}

fn say(query: Query, (which, x, y, n): &(u8, String, String, i64)) -> (Query, u8, Meaning) {
    let (x, y, n) = (x.clone(), y.clone(), *n);
    let outcome = Outcome::from_code(u8::try_from(n).unwrap()).unwrap();
    let (a, b) = (x.clone(), y.clone());
    match which {
        0 => (query.actor(a), 0, Box::new(move |e, _| e.actor.id == x)),
        1 => {
            let meaning = move |e: &Event, _| e.actor.kind == x && e.actor.id == y;
            (query.actor_type_id(a, b), 0, Box::new(meaning))
        }
        2 => {
            let meaning = move |e: &Event, _| {
                e.resource.kind == x || e.targets.iter().any(|target| target.kind == x)
            };
            (query.resource_type(a), 1, Box::new(meaning))
        }
        3 => {
            let meaning = move |e: &Event, _| {
                e.resource.kind == x && e.resource.id.as_ref().is_some_and(|id| *id == y)
                    || e.targets.iter().any(|target| target.kind == x && target.id == y)
            };
            (query.resource(a, b), 1, Box::new(meaning))
        }
        4 => (query.tenant(a), 2, Box::new(move |e, _| e.tenant == Some(x.clone()))),
        5 => (query.action(&a).unwrap(), 3, Box::new(move |e, _| e.action == x)),
        6 => {
            let glob = format!("{a}*");
            (query.action(&glob).unwrap(), 3, Box::new(move |e, _| e.action.starts_with(&x)))
        }
        7 => (query.outcome(outcome), 4, Box::new(move |e, _| e.outcome == outcome)),
        8 => (query.request_id(a), 5, Box::new(move |e, _| e.request_id == Some(x.clone()))),
        9 => {
            (query.correlation_id(a), 6, Box::new(move |e, _| e.correlation_id == Some(x.clone())))
        }
        10 => {
            (query.occurred_since(time(n)), 7, Box::new(move |e, _| e.occurred_at >= Some(time(n))))
        }
        11 => {
            (query.occurred_until(time(n)), 8, Box::new(move |e, _| e.occurred_at < Some(time(n))))
        }
        13 => {
            let meaning =
                move |e: &Event, _| e.on_behalf_of.as_ref().is_some_and(|actor| actor.id == x);
            (query.on_behalf_of(a), 11, Box::new(meaning))
        }
        14 => {
            let wanted = Actor::new(x, y);
            let meaning = move |e: &Event, _| e.on_behalf_of.as_ref() == Some(&wanted);
            (query.on_behalf_of_type_id(a, b), 11, Box::new(meaning))
        }
        12 => (query.recorded_since(time(n)), 9, Box::new(move |_, recorded| recorded >= n)),
        _ => (query.recorded_until(time(n)), 10, Box::new(move |_, recorded| recorded < n)),
    }
}

proptest! {
    #[test]
    fn a_query_means_what_its_conditions_mean(
        (event, recorded, kind) in small_event(),
        conditions in prop::collection::vec(condition(), 0..5),
        refused in prop::collection::vec(0..5_u8, 0..2),
        system: bool,
    ) {
        let mut query = Query::new().system(system);
        let mut alternatives: std::collections::BTreeMap<u8, Vec<Meaning>> = Default::default();
        let mut all: Vec<Meaning> = Vec::new();
        for condition in &conditions {
            let (next, field, meaning) = say(query, condition);
            query = next;
            // Ends of time ranges narrow; all other values of a field are alternatives.
            if (7..=10).contains(&field) { all.push(meaning) } else { alternatives.entry(field).or_default().push(meaning) }
        }
        for code in refused {
            let outcome = Outcome::from_code(code).unwrap();
            query = query.not_outcome(outcome);
            all.push(Box::new(move |event, _| event.outcome != outcome));
        }
        let kind = KINDS[kind];
        let expected = (system || kind == RecordKind::Event)
            && all.iter().all(|meaning| meaning(&event, recorded))
            && alternatives.values().all(|of_one| of_one.iter().any(|meaning| meaning(&event, recorded)));
        let subject = Subject::of_event(&event, time(recorded));
        prop_assert_eq!(query.matches(time(recorded), kind, &subject), expected);
    }

    #[test]
    fn cursors_round_trip(seq in 1..u64::MAX, actor in ".*", oldest: bool) {
        let query = Query::new().actor(actor);
        let query = if oldest { query.oldest_first() } else { query };
        let cursor: Cursor = query.cursor_after(Seq::new(seq)).unwrap().to_string().parse().unwrap();
        let expected = if oldest { seq + 1 } else { seq - 1 };
        prop_assert_eq!(query.after(cursor).start(), Ok(Some(Seq::new(expected))));
    }

    #[test]
    fn hostile_cursors_never_panic(text in "\\PC{0,40}", token in "[A-Za-z0-9_-]{28}") {
        prop_assert!(text.parse::<Cursor>().is_err());
        let _ = token.parse::<Cursor>();
    }
}
