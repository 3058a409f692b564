//! Random operations against a list in memory: the log says the same as the list.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::sync::Arc;
use std::time::Duration;

use crate::support;
use crate::support::{Shape, clock, dir};
use bulla::disk::sim::SimDisk;
use bulla::time::{Clock as _, ManualClock};
use bulla::{Actor, Error, Event, Log, Outcome, Query, Record, Resource, Seq, Timestamp};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Append(u8),
    Batch(Vec<u8>),
    Rotate,
    Reopen,
    Advance(u32),
    /// Seconds that the wall clock alone jumps.
    Jump(i16),
    Get(u16),
    Ask {
        actor: Option<u8>,
        denied: bool,
        limit: u8,
        newest_first: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => any::<u8>().prop_map(Step::Append),
        3 => prop::collection::vec(any::<u8>(), 1..60).prop_map(Step::Batch),
        1 => Just(Step::Rotate),
        1 => Just(Step::Reopen),
        2 => (0..3_000_u32).prop_map(Step::Advance),
        1 => prop_oneof![-4..=4_i16, -3_000..3_000_i16].prop_map(Step::Jump),
        2 => any::<u16>().prop_map(Step::Get),
        3 => (prop::option::of(0..5_u8), any::<bool>(), 1..40_u8, any::<bool>()).prop_map(
            |(actor, denied, limit, newest_first)| Step::Ask { actor, denied, limit, newest_first }
        ),
    ]
}

fn event(n: u8) -> Event {
    let outcome = if n.is_multiple_of(3) { Outcome::Denied } else { Outcome::Success };
    let filling = "y".repeat(usize::from(n) * 9);
    Event::new(Actor::new("user", format!("u{}", n % 5)), "a.b", Resource::new("r", n.to_string()))
        .outcome(outcome)
        .details_json(&format!("\"{filling}\""))
        .unwrap()
}

/// The list, and how far the clock has jumped.
struct Model {
    given: Vec<u8>,
    times: Vec<Timestamp>,
    jumps: usize,
    clock: Arc<ManualClock>,
}

fn check_record(model: &Model, record: &Record) {
    let at = usize::try_from(record.seq.get()).unwrap();
    let given = event(model.given[at]);
    assert_eq!(record.event.actor, given.actor);
    assert_eq!(record.event.resource, given.resource);
    assert_eq!(record.event.details, given.details);
    assert_eq!(record.event.outcome, given.outcome);
    assert_eq!(record.recorded_at, model.times[at]);
}

fn ask(
    log: &Log,
    model: &Model,
    query: Query,
    limit: u64,
    wanted: impl Fn(u8) -> bool,
    down: bool,
) {
    let query = if down { query.newest_first() } else { query.oldest_first() };
    let mut expected: Vec<u64> =
        (0..model.given.len()).filter(|at| wanted(model.given[*at])).map(|at| at as u64).collect();
    if down {
        expected.reverse();
    }
    let whole: Vec<u64> =
        log.snapshot().query(&query).unwrap().map(|r| r.unwrap().seq.get()).collect();
    assert_eq!(whole, expected);
    let (mut paged, mut page) = (Vec::new(), query.limit(limit));
    loop {
        let found: Vec<Record> = log.snapshot().query(&page).unwrap().map(Result::unwrap).collect();
        assert!(found.len() as u64 <= limit);
        found.iter().for_each(|record| check_record(model, record));
        let Some(last) = found.last() else { break };
        paged.extend(found.iter().map(|record| record.seq.get()));
        let Some(cursor) = page.cursor_after(last.seq) else { break };
        page = page.after(cursor);
    }
    assert_eq!(paged, expected, "page by page, nothing twice and nothing left out");
}

fn run(steps: Vec<Step>) {
    let disk = SimDisk::new(1);
    let mut model = Model { given: Vec::new(), times: Vec::new(), jumps: 0, clock: clock() };
    let options = || Shape::PLAIN.options(&disk, &model_clock(&model.clock));
    let mut log = options().create(dir()).unwrap();
    let mut drift = 0_i64;
    // The latest time of a seal, and whether the next record begins a segment: then the log may note
    // that the clock is behind that seal, and how often it may have.
    let (mut latest_seal, mut begins, mut behind_seals) = (Timestamp::MIN, false, 0);
    for step in steps {
        if let Step::Rotate | Step::Reopen = step {
            (latest_seal, begins) = (latest_seal.max(model.clock.now()), true);
        }
        let batch = match step {
            Step::Append(n) => vec![n],
            Step::Batch(batch) => batch,
            Step::Rotate => {
                log.rotate().unwrap();
                continue;
            }
            Step::Reopen => {
                log.close().unwrap();
                log = Shape::PLAIN.options(&disk, &model.clock).open(dir()).unwrap();
                assert_eq!(log.recovery().replayed, 0);
                drift = 0; // what the clock did while the log was closed only shows if it went back
                continue;
            }
            Step::Advance(millis) => {
                model.clock.advance(Duration::from_millis(millis.into()));
                continue;
            }
            Step::Jump(seconds) => {
                let now = model.clock.now().as_nanos() + i64::from(seconds) * 1_000_000_000;
                model.clock.set(Timestamp::from_nanos(now));
                drift += i64::from(seconds);
                continue;
            }
            Step::Get(n) => {
                let seq = Seq::new(n.into());
                match log.snapshot().get(seq) {
                    Ok(record) => check_record(&model, &record),
                    Err(Error::NotWritten { .. }) => assert!(usize::from(n) >= model.given.len()),
                    Err(other) => panic!("{other}"),
                }
                continue;
            }
            Step::Ask { actor, denied, limit, newest_first } => {
                let mut query = Query::new();
                if let Some(actor) = actor {
                    query = query.actor(format!("u{actor}"));
                }
                if denied {
                    query = query.outcome(Outcome::Denied);
                }
                let wanted = |n: u8| {
                    actor.is_none_or(|actor| n % 5 == actor) && (!denied || n.is_multiple_of(3))
                };
                ask(&log, &model, query, limit.into(), wanted, newest_first);
                continue;
            }
        };
        let now = model.clock.now();
        let last = model.times.last().copied().unwrap_or(Timestamp::MIN);
        let back = last.saturating_since(now) > Duration::from_secs(5);
        let stepped = back || drift.abs() > 5;
        model.jumps += usize::from(stepped);
        let behind = latest_seal.saturating_since(now) > Duration::from_secs(5);
        behind_seals += usize::from(std::mem::take(&mut begins) && behind && !stepped);
        drift = 0; // compared from commit to commit
        let expected = if stepped { now } else { now.max(last) };
        let events: Vec<Event> = batch.iter().copied().map(event).collect();
        let first = log.append_batch(&events).unwrap().first;
        assert_eq!(first.get(), model.given.len() as u64);
        model.times.extend(batch.iter().map(|_| expected));
        model.given.extend(batch);
    }
    log.close().unwrap();
    let log = Shape::PLAIN.options(&disk, &model.clock).open(dir()).unwrap();
    let records: Vec<Record> =
        log.snapshot().records_from(Seq::new(0)).map(Result::unwrap).collect();
    assert_eq!(records.len(), model.given.len());
    records.iter().for_each(|record| check_record(&model, record));
    for segment in log.snapshot().segments().unwrap() {
        let first = usize::try_from(segment.first.get()).unwrap();
        let count = usize::try_from(segment.count).unwrap();
        assert!(
            model.times[first..first + count].is_sorted(),
            "within a segment time never steps back"
        );
    }
    let history = log.snapshot().catalog().history().unwrap();
    let steps = history.iter().filter(|entry| entry.what == "clock stepped").count();
    let expected = model.jumps..=model.jumps + behind_seals;
    assert!(
        expected.contains(&steps),
        "every step of the clock is on record: {steps}, {expected:?}"
    );
    log.close().unwrap();
    support::verify_clean(&disk);
}

fn model_clock(clock: &Arc<ManualClock>) -> Arc<ManualClock> {
    Arc::clone(clock)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_log_says_the_same_as_a_list(steps in prop::collection::vec(step(), 1..60)) {
        run(steps);
    }
}
