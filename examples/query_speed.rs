//! How fast queries are answered, warm and cold, and what the indexes take.
//!
//! ```text
//! cargo run --release --example query_speed -- [DIR EVENTS [SEGMENTS]]
//! ```
//!
//! Makes a log of so many events in so many segments (32), unless there is one in DIR, then
//! measures. Events look like those of an audit trail: 100 tenants, 10,000 actors and 100,000
//! resources drawn by Zipf's law, 50 actions, 86.4 ms apart, so that a million are a day; the
//! log's clock goes with them. What is asked for is drawn as the events draw it: from random
//! records. Without arguments a small log is made in a temporary directory and measured
//! briefly, which shows that everything works and nothing else.
//!
//! *Cold* is the first question after opening the log, with its files dropped from the page
//! cache by `posix_fadvise`; the disk of a virtual machine may still have them in memory.

#![allow(missing_docs, clippy::print_stdout, clippy::cast_precision_loss)]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bulla::event::{EventId, Outcome, Record};
use bulla::log::GroupBy;
use bulla::time::{Clock as _, ManualClock, Timestamp};
use bulla::{Actor, Durability, Event, Log, LogReader, Query, Resource, Seq, Snapshot};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const SEED: u64 = 2026;
const START: &str = "2026-03-01T00:00:00Z";
const BATCH: u64 = 100;
/// No measurement takes much longer.
const LONGEST: Duration = Duration::from_secs(20);
const WEEK_NANOS: i64 = 7 * 24 * 3_600 * 1_000_000_000;
const HOUR: Duration = Duration::from_secs(3_600);

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let given = arguments.next().map(PathBuf::from);
    let small = given.is_none();
    let events = arguments.next().map_or(Ok(20_000), |n| n.parse())?;
    let segments = arguments.next().map_or(Ok(if small { 8 } else { 32 }), |n| n.parse())?;
    let temporary = tempfile::tempdir()?;
    let dir = given.unwrap_or_else(|| temporary.path().to_owned()).join("log");
    if !dir.exists() {
        build(&dir, events, segments)?;
    }
    let (warm, cold) = if small { (50, 2) } else { (1_000, 32) };
    told_sizes(&dir)?;
    let is_reset = fs::write("/proc/self/clear_refs", "5").is_ok();
    let reader = Log::open_read_only(&dir)?;
    let draws = draws(&reader.snapshot(), warm)?;
    take_in_the_tail(&reader)?;
    println!(
        "\nwarm{:38} {:>6} {:>10} {:>10} {:>9} {:>9}",
        "", "runs", "p50 µs", "p99 µs", "found", "read"
    );
    for (what, ask) in questions() {
        let mut runs = Runs::default();
        // Once before, so that everything is mapped.
        ask(&reader.snapshot(), &draws[0])?;
        for draw in &draws {
            runs.add(|| ask(&reader.snapshot(), draw))?;
            if runs.took > LONGEST {
                break;
            }
        }
        runs.tell(what);
    }
    scans(&reader.snapshot(), &draws)?;
    println!(
        "\nmemory of this process{}, in KiB: {}",
        if is_reset { " since it began to measure" } else { ", building included" },
        memory().join(", ")
    );
    drop(reader);
    println!(
        "\ncold{:38} {:>6} {:>10} {:>10} {:>9} {:>9}",
        "", "runs", "p50 µs", "p99 µs", "found", "read"
    );
    for (number, (what, ask)) in questions().into_iter().enumerate() {
        let mut runs = Runs::default();
        // Others for each question: what was read for one may be in the memory of the host.
        for draw in draws.iter().cycle().skip(number * cold).take(cold) {
            let reader = Log::open_read_only(&dir)?;
            take_in_the_tail(&reader)?;
            forget_files(&dir)?;
            runs.add(|| ask(&reader.snapshot(), draw))?;
        }
        runs.tell(what);
    }
    Ok(())
}

// --- the log -------------------------------------------------------------------------------

/// Makes a log; the last part of its events is in a segment that is not sealed.
fn build(dir: &Path, events: u64, segments: u64) -> Result<()> {
    if let Some(parent) = dir.parent() {
        fs::create_dir_all(parent)?;
    }
    let start: Timestamp = START.parse()?;
    let clock = Arc::new(ManualClock::at(start));
    let options = Log::options().clock(clock.clone()).durability(Durability::Os);
    let log = options.segment_bytes(1 << 30).segment_age(HOUR * 24 * 3650).create(dir)?;
    let mut generator = Generator::new(SEED, start);
    let part = events.div_ceil(segments.max(1)).div_ceil(BATCH) * BATCH;
    let (mut seals, mut appending) = (Vec::new(), Duration::ZERO);
    for first in (0..events).step_by(BATCH as usize) {
        let count = BATCH.min(events - first);
        let batch: Vec<Event> = (0..count).map(|_| generator.event()).collect();
        let now = Timestamp::from_nanos(generator.now_nanos);
        clock.advance(now.saturating_since(clock.now()));
        let begun = Instant::now();
        log.append_batch(&batch)?;
        appending += begun.elapsed();
        if (first + count).is_multiple_of(part) && first + count < events {
            let begun = Instant::now();
            log.rotate()?;
            seals.push(begun.elapsed());
        }
    }
    let begun = Instant::now();
    log.close()?;
    println!(
        "made of {events} events: {:.2} µs an event to append, in batches of {BATCH}; {:.0} ms to close",
        appending.as_secs_f64() * 1e6 / events.max(1) as f64,
        begun.elapsed().as_secs_f64() * 1e3
    );
    let (p50, most) = (at(&mut seals, 0.5), at(&mut seals, 1.0));
    println!(
        "to seal and index a segment of {part} events: median {:.1} ms, most {:.1} ms, {:.2} µs an event",
        p50.as_secs_f64() * 1e3,
        most.as_secs_f64() * 1e3,
        p50.as_secs_f64() * 1e6 / part as f64
    );
    Ok(())
}

/// What the files take, of the sealed segments alone.
fn told_sizes(dir: &Path) -> Result<()> {
    let mut sealed: (u64, u64, u64) = (0, 0, 0);
    let infos = Log::open_read_only(dir)?.snapshot().segments()?;
    for segment in infos.iter().filter(|segment| segment.sealed) {
        let index = segment.path.with_extension("idx");
        let bytes = fs::metadata(index).map_or(0, |found| found.len());
        sealed = (sealed.0 + segment.count, sealed.1 + segment.bytes, sealed.2 + bytes);
    }
    let (count, bytes, index) = sealed;
    let each = |bytes: u64| bytes as f64 / count.max(1) as f64;
    println!(
        "{} segments; an event takes {:.1} bytes in a sealed segment and {:.2} in its index: {:.1} %",
        infos.len(),
        each(bytes),
        each(index),
        100.0 * index as f64 / bytes.max(1) as f64
    );
    Ok(())
}

/// Asks for what only the segment that is not sealed can have, until its index has it all: a
/// reader takes records in when reading them has cost as much as that.
fn take_in_the_tail(reader: &LogReader) -> Result<()> {
    let segments = reader.snapshot().segments()?;
    let Some(tail) = segments.last().filter(|last| !last.sealed && last.count > 0) else {
        return Ok(());
    };
    let snapshot = reader.snapshot();
    let since = snapshot.get(Seq::new(tail.first.get()))?.recorded_at;
    let query = Query::new().actor("nobody").recorded_since(since);
    for _ in 0..20 {
        let mut matches = snapshot.query(&query)?;
        matches.visit(|_| ControlFlow::Continue(()))?;
        if matches.explain().scanned == 0 {
            return Ok(());
        }
    }
    Err("the index of the last segment does not come".into())
}

/// Drops the files of the segments from the page cache; those that are mapped stay.
fn forget_files(dir: &Path) -> Result<()> {
    for entry in fs::read_dir(dir.join("segments"))? {
        let file = fs::File::open(entry?.path())?;
        file.sync_all()?; // what is not on the disk stays
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
    }
    Ok(())
}

fn memory() -> Vec<String> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let wanted = ["VmHWM", "RssAnon", "RssFile"];
    let lines = status.lines().filter(|line| wanted.iter().any(|name| line.starts_with(name)));
    lines.map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")).collect()
}

// --- the questions -------------------------------------------------------------------------

/// How many records came, and how many were read for them if that is known.
type Found = (u64, Option<u64>);
type Ask = fn(&Snapshot, &Draw) -> Result<Found>;

/// What is asked for: of a record that the log has.
struct Draw {
    number: u64,
    actor: Actor,
    resource: Resource,
    id: EventId,
    request: String,
    occurred: Timestamp,
}

fn draws(snapshot: &Snapshot, count: u64) -> Result<Vec<Draw>> {
    let mut random = Random(SEED + 1);
    let size = snapshot.size().get();
    (0..count)
        .map(|number| {
            let Record { event, recorded_at, .. } = snapshot.get(Seq::new(random.below(size)))?;
            Ok(Draw {
                number,
                occurred: event.occurred_at.unwrap_or(recorded_at),
                id: event.id.ok_or("an event without an id")?,
                request: event.request_id.ok_or("an event without a request")?,
                actor: event.actor,
                resource: event.resource,
            })
        })
        .collect()
}

fn questions() -> Vec<(&'static str, Ask)> {
    vec![
        ("newest 50 of an actor", |log, draw| visit(log, by_actor(draw).limit(50))),
        ("newest 50 of an actor, as owned records", |log, draw| {
            Ok((log.query(&by_actor(draw).limit(50))?.flatten().count() as u64, None))
        }),
        ("newest 50 of an actor id of any type", |log, draw| {
            visit(log, Query::new().actor(&draw.actor.id).limit(50))
        }),
        ("newest 50 of a resource", |log, draw| visit(log, on_resource(draw).limit(50))),
        ("actor and resource in a week", |log, draw| {
            let end = draw.occurred.as_nanos().saturating_add(1);
            let (kind, id) = of(&draw.resource);
            let query = by_actor(draw).resource(kind, id);
            let query = query.occurred_since(Timestamp::from_nanos(end - WEEK_NANOS));
            visit(log, query.occurred_until(Timestamp::from_nanos(end)).limit(50))
        }),
        ("an actor that there is not", |log, draw| {
            visit(log, Query::new().actor_type_id("user", format!("nobody-{}", draw.number)))
        }),
        ("an event by its id", |log, draw| visit(log, Query::new().event_id(draw.id))),
        ("the events of a request", |log, draw| visit(log, Query::new().request_id(&draw.request))),
        ("count of an actor", |log, draw| Ok((log.count(&by_actor(draw))?, None))),
        ("count by action", |log, _| grouped(log, &Query::new(), GroupBy::Action)),
        ("count by action, of an actor", |log, draw| {
            grouped(log, &by_actor(draw), GroupBy::Action)
        }),
        ("count by actor", |log, _| grouped(log, &Query::new(), GroupBy::Actor)),
        ("histogram by hour", |log, _| {
            Ok((log.histogram(&Query::new(), HOUR)?.len() as u64, None))
        }),
        ("first and last of an actor", |log, draw| {
            Ok((log.extent(&by_actor(draw))?.map_or(0, |_| 2), None))
        }),
    ]
}

fn by_actor(draw: &Draw) -> Query {
    Query::new().actor_type_id(&draw.actor.kind, &draw.actor.id)
}

fn on_resource(draw: &Draw) -> Query {
    let (kind, id) = of(&draw.resource);
    Query::new().resource(kind, id)
}

fn of(resource: &Resource) -> (&str, &str) {
    (&resource.kind, resource.id.as_deref().unwrap_or_default())
}

fn visit(log: &Snapshot, query: Query) -> Result<Found> {
    let (mut found, mut matches) = (0, log.query(&query)?);
    matches.visit(|view| {
        black_box(view.subject());
        found += 1;
        ControlFlow::Continue(())
    })?;
    Ok((found, Some(matches.explain().records)))
}

fn grouped(log: &Snapshot, query: &Query, by: GroupBy) -> Result<Found> {
    Ok((log.count_by(query, by)?.len() as u64, None))
}

/// What took how long.
#[derive(Default)]
struct Runs {
    times: Vec<Duration>,
    took: Duration,
    found: u64,
    read: Option<u64>,
}

impl Runs {
    fn add(&mut self, ask: impl FnOnce() -> Result<Found>) -> Result<()> {
        let begun = Instant::now();
        let (found, read) = black_box(ask()?);
        let time = begun.elapsed();
        self.times.push(time);
        self.took += time;
        self.found += found;
        self.read = read.map(|read| read + self.read.unwrap_or(0));
        Ok(())
    }

    fn tell(mut self, what: &str) {
        let runs = self.times.len();
        let mean = |sum: u64| format!("{:.1}", sum as f64 / runs.max(1) as f64);
        println!(
            "{what:42} {runs:>6} {:>10.1} {:>10.1} {:>9} {:>9}",
            at(&mut self.times, 0.5).as_secs_f64() * 1e6,
            at(&mut self.times, 0.99).as_secs_f64() * 1e6,
            mean(self.found),
            self.read.map_or(String::new(), mean)
        );
    }
}

/// The time that this share of the runs did not exceed.
fn at(times: &mut [Duration], share: f64) -> Duration {
    times.sort_unstable();
    let place = (times.len() as f64 * share) as usize;
    times.get(place.min(times.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// Rows a second, where many are read.
fn scans(log: &Snapshot, draws: &[Draw]) -> Result<()> {
    println!("\nrows a second, in one thread");
    let hours = |from: fn(Query, Timestamp) -> Query, until: fn(Query, Timestamp) -> Query| {
        draws.iter().take(50).map(move |draw| {
            let query = from(Query::new().oldest_first(), draw.occurred);
            until(query, draw.occurred.saturating_add(HOUR))
        })
    };
    let (rows, took) = rows_of(log, hours(Query::occurred_since, Query::occurred_until), false)?;
    tell_rate("an hour by occurred_at", rows, took);
    let (rows, took) = rows_of(log, hours(Query::recorded_since, Query::recorded_until), false)?;
    tell_rate("an hour by recorded_at", rows, took);
    let all = || std::iter::once(Query::new().oldest_first());
    let (rows, took) = rows_of(log, all(), false)?;
    tell_rate("all, envelopes", rows, took);
    let (rows, took) = rows_of(log, all(), true)?;
    tell_rate("all, envelopes and payloads", rows, took);
    let (rows, took) = rows_of(log, std::iter::once(Query::new()), false)?;
    tell_rate("all, envelopes, newest first", rows, took);
    let begun = Instant::now();
    let rows = log.query(&Query::new().oldest_first())?.flatten().map(black_box).count();
    tell_rate("all, as owned records", rows as u64, begun.elapsed());
    Ok(())
}

fn rows_of(
    log: &Snapshot,
    queries: impl Iterator<Item = Query>,
    payloads: bool,
) -> Result<(u64, Duration)> {
    let (mut rows, begun) = (0, Instant::now());
    for query in queries {
        log.query(&query)?.visit(|view| {
            black_box(view.subject());
            if payloads {
                let _ = black_box(view.payload());
            }
            rows += 1;
            ControlFlow::Continue(())
        })?;
        if begun.elapsed() > LONGEST {
            break;
        }
    }
    Ok((rows, begun.elapsed()))
}

fn tell_rate(what: &str, rows: u64, took: Duration) {
    println!("{what:42} {rows:>10} rows {:>12.0} /s", rows as f64 / took.as_secs_f64());
}

// --- the events ----------------------------------------------------------------------------

const NOUNS: [&str; 10] = [
    "user", "document", "invoice", "session", "report", "order", "customer", "file", "payment",
    "ticket",
];
const VERBS: [&str; 5] = ["read", "create", "update", "delete", "share"];
const KINDS: [&str; 20] = [
    "document", "invoice", "order", "customer", "payment", "session", "report", "file", "ticket",
    "comment", "user", "role", "token", "key", "secret", "webhook", "policy", "setting", "backup",
    "project",
];

struct Generator {
    random: Random,
    now_nanos: i64,
    actors: Zipf,
    actions: Zipf,
    resources: Zipf,
}

impl Generator {
    fn new(seed: u64, start: Timestamp) -> Self {
        Generator {
            random: Random(seed),
            now_nanos: start.as_nanos(),
            actors: Zipf::new(10_000, 1.0),
            actions: Zipf::new(NOUNS.len() * VERBS.len(), 0.8),
            resources: Zipf::new(100_000, 1.0),
        }
    }

    fn event(&mut self) -> Event {
        self.now_nanos += self.random.below(172_800_000) as i64; // 86.4 ms on average
        let time = Timestamp::from_nanos(self.now_nanos);
        let (who, what) =
            (self.actors.draw(&mut self.random), self.resources.draw(&mut self.random));
        let action = self.actions.draw(&mut self.random);
        let kind = if who % 20 == 7 { "service" } else { "user" };
        let mut event = Event::new(
            Actor::new(kind, format!("u-{who:06}")),
            format!("{}.{}", NOUNS[action % NOUNS.len()], VERBS[action / NOUNS.len()]),
            Resource::new(KINDS[what % KINDS.len()], format!("r-{what:08}")),
        );
        event.id = Some(EventId::v7(time, self.random.bytes()));
        event.occurred_at = Some(time);
        event.tenant = Some(format!("tenant-{:03}", self.random.below(100)));
        event.outcome = match self.random.below(100) {
            0..92 => Outcome::Success,
            92..97 => Outcome::Failure,
            _ => Outcome::Denied,
        };
        event.ip = Some(format!("10.{}.{}.{}", who % 256, who / 256 % 256, self.random.below(4)));
        let agent = self.random.below(40);
        event.user_agent =
            Some(format!("Mozilla/5.0 (X11; Linux x86_64) Chrome/{}.0", 100 + agent));
        let request = u128::from_le_bytes(self.random.bytes());
        event.request_id = Some(format!("{request:032x}"));
        event.source = Some(format!("service-{}", action % 12));
        event.details = bulla::event::Json::parse(&self.details()).ok();
        event
    }

    fn details(&mut self) -> String {
        let [a, b, c] = [2_000_000, 65_536, 1 << 20].map(|below| self.random.below(below));
        let trace = self.random.next();
        format!(
            "{{\"region\":\"eu-west-1\",\"status\":200,\"latency_us\":{a},\"request_bytes\":{b},\
             \"response_bytes\":{c},\"attempt\":1,\"mfa\":true,\"trace_id\":\"{trace:016x}\"}}"
        )
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(limit)) >> 64) as u64
    }

    fn bytes(&mut self) -> [u8; 16] {
        (u128::from(self.next()) << 64 | u128::from(self.next())).to_le_bytes()
    }
}

/// Zipf's law: the k-th of n things, from 1, has weight 1 / k^s.
struct Zipf(Vec<f64>);

impl Zipf {
    fn new(things: usize, exponent: f64) -> Self {
        let weights = (1..=things).map(|rank| (rank as f64).powf(-exponent));
        Zipf(
            weights
                .scan(0.0, |sum, weight| {
                    *sum += weight;
                    Some(*sum)
                })
                .collect(),
        )
    }

    fn draw(&self, random: &mut Random) -> usize {
        let unit = (random.next() >> 11) as f64 / (1_u64 << 53) as f64;
        let total = self.0.last().copied().unwrap_or(0.0);
        self.0.partition_point(|sum| *sum <= unit * total).min(self.0.len() - 1)
    }
}
