//! Queries against a naive filter, across rotations, reopenings, clocks that go backwards,
//! and indexes that are missing or damaged.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

mod model;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::support::random::Random;
use bulla::log::{CancelToken, GroupBy};
use bulla::query::Query;
use bulla::time::{Clock, ManualClock};
use bulla::{
    Actor, Error, Event, HashAlgorithm, Housekeeping, Log, LogOptions, Record, Resource, Seq,
    Signer, Snapshot, Timestamp,
};
use model::{Question, START};

/// A log and the records that it should have.
struct World {
    random: Random,
    dir: tempfile::TempDir,
    clock: Arc<ManualClock>,
    housekeeping: Housekeeping,
    mmap: bool,
    log: Log,
    signer: Signer,
    records: Vec<Record>,
    queries: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp::from_nanos(START)));
        // A thread would see the clock move while the test moves it.
        let housekeeping = match random.one_in(4) {
            true => Housekeeping::Background,
            false => Housekeeping::Inline,
        };
        let mmap = random.one_in(2);
        let log = options(&clock, housekeeping, mmap).create(dir.path().join("log")).unwrap();
        let key = dir.path().join("key");
        let signer = Signer::generate(&key, log.origin(), HashAlgorithm::Sha256).unwrap();
        let (records, queries) = (Vec::new(), 0);
        World { random, dir, clock, housekeeping, mmap, log, signer, records, queries }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    fn append(&mut self) {
        let count = *self.random.pick(&[1, 3, 40, 150]);
        let events: Vec<Event> =
            (0..count).map(|_| model::event(&mut self.random, self.clock.now())).collect();
        let first = self.log.append_batch(&events).unwrap().first;
        assert_eq!(first.get(), self.records.len() as u64);
        self.note_new();
        let step = *self.random.pick(&[0, 1, 1_000_000, 60_000_000_000]);
        self.clock.advance(Duration::from_nanos(step));
    }

    /// Takes what the log has more into the model, record by record.
    fn note_new(&mut self) {
        for seq in self.records.len() as u64..self.log.size().get() {
            self.records.push(self.log.snapshot().get(Seq::new(seq)).unwrap());
        }
    }

    fn step(&mut self) {
        match self.random.below(14) {
            0..=6 => self.append(),
            7 => self.log.rotate().unwrap(),
            8 => self.reopen(),
            9 => self.damage(),
            10 => {
                let back = self.clock.now().as_nanos() - 3_600_000_000_000;
                self.clock.set(Timestamp::from_nanos(back.max(START)));
            }
            11 => {
                self.log.checkpoint(&self.signer).unwrap();
                self.note_new();
            }
            _ => self.ask(12),
        }
    }

    fn reopen(&mut self) {
        self.log.close().unwrap();
        self.mmap = self.random.one_in(2);
        if self.random.one_in(3) {
            self.damage();
        }
        self.log = options(&self.clock, self.housekeeping, self.mmap).open(self.path()).unwrap();
    }

    /// Removes, cuts or alters an index. A map must not be cut under its reader, and what is
    /// mapped need not be read again, so only the name is given to other bytes.
    fn damage(&mut self) {
        let indexes = indexes(&self.path());
        if indexes.is_empty() {
            return;
        }
        let path = self.random.pick(&indexes).clone();
        let mut bytes = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        match self.random.below(3) {
            0 => return,
            1 => bytes.truncate(usize::try_from(self.random.below(bytes.len() as u64)).unwrap()),
            _ => {
                for _ in 0..=self.random.below(20) {
                    let at = usize::try_from(self.random.below(bytes.len() as u64)).unwrap();
                    bytes[at] ^= 1 << self.random.below(8);
                }
            }
        }
        fs::write(&path, bytes).unwrap();
    }

    fn ask(&mut self, questions: u64) {
        let reader = options(&self.clock, Housekeeping::Inline, self.mmap)
            .open_read_only(self.path())
            .unwrap();
        for _ in 0..questions {
            let question = Question::random(&mut self.random, self.clock.now());
            let expected = question.answer(&self.records);
            let snapshot = match self.random.one_in(3) {
                true => reader.snapshot(),
                false => self.log.snapshot(),
            };
            if snapshot.size() == self.log.size() {
                self.compare(&snapshot, &question, &expected);
                self.queries += 1;
            }
        }
    }

    fn compare(&mut self, snapshot: &Snapshot, question: &Question, expected: &[Seq]) {
        let query = question.query();
        let found: Vec<Record> = snapshot.query(&query).unwrap().map(Result::unwrap).collect();
        let seqs: Vec<Seq> = found.iter().map(|record| record.seq).collect();
        assert_eq!(seqs, expected, "{question:?}");
        for record in &found {
            assert_eq!(record, &self.records[usize::try_from(record.seq.get()).unwrap()]);
        }
        assert_eq!(self.pages(snapshot, &query), expected, "by pages: {question:?}");
        let count = snapshot.count(&query).unwrap();
        assert_eq!(count, expected.len() as u64, "count: {question:?}");
        let ends = snapshot.extent(&query).unwrap().map(|seen| (seen.first.0, seen.last.0));
        let expected_ends = expected.iter().min().copied().zip(expected.iter().max().copied());
        assert_eq!(ends, expected_ends, "ends: {question:?}");
        self.compare_groups(snapshot, question, &query);
    }

    /// The answer, a few records at a time.
    fn pages(&mut self, snapshot: &Snapshot, query: &Query) -> Vec<Seq> {
        let mut seqs = Vec::new();
        let mut page = query.clone();
        loop {
            let limit = 1 + self.random.below(30) + seqs.len() as u64;
            let mut matches = snapshot.query(&page.clone().limit(limit)).unwrap();
            let mut count = 0;
            matches
                .visit(|view| {
                    seqs.push(view.seq());
                    count += 1;
                    ControlFlow::Continue(())
                })
                .unwrap();
            let Some(cursor) = matches.cursor().filter(|_| count == limit) else { return seqs };
            page = page.after(cursor.to_string().parse().unwrap());
        }
    }

    fn compare_groups(&mut self, snapshot: &Snapshot, question: &Question, query: &Query) {
        let by = *self.random.pick(&[
            GroupBy::Actor,
            GroupBy::Action,
            GroupBy::Resource,
            GroupBy::ResourceType,
            GroupBy::Tenant,
            GroupBy::Outcome,
            GroupBy::OnBehalfOf,
        ]);
        // A record is in one group, or in one for each resource that it names.
        let names = |record: &Record| {
            let event = &record.event;
            let resources = model::resources(event);
            let behalf = event.on_behalf_of.clone();
            match by {
                GroupBy::Actor => {
                    vec![(Some(event.actor.id.clone()), Some(event.actor.kind.clone()))]
                }
                GroupBy::OnBehalfOf => {
                    vec![behalf.map_or((None, None), |of| (Some(of.id), Some(of.kind)))]
                }
                GroupBy::Action => vec![(Some(event.action.clone()), None)],
                GroupBy::Resource => {
                    // The type alone only if no single resource of it is named.
                    let has_id =
                        |kind: &String| resources.iter().any(|(of, id)| of == kind && id.is_some());
                    let counted = resources.iter().filter(|(of, id)| id.is_some() || !has_id(of));
                    counted.map(|(kind, id)| (id.clone(), Some(kind.clone()))).collect()
                }
                GroupBy::ResourceType => {
                    let mut kinds: Vec<_> =
                        resources.into_iter().map(|(kind, _)| (Some(kind), None)).collect();
                    kinds.dedup();
                    kinds
                }
                GroupBy::Tenant => vec![(event.tenant.clone(), None)],
                _ => vec![(Some(event.outcome.to_string()), None)],
            }
        };
        let matching = || self.records.iter().filter(|record| question.means(record));
        let mut expected: HashMap<_, u64> = HashMap::new();
        for name in matching().flat_map(names) {
            *expected.entry(name).or_default() += 1;
        }
        let groups = snapshot.count_by(query, by).unwrap();
        assert!(groups.is_sorted_by(|a, b| a.count >= b.count));
        let found: HashMap<_, u64> =
            groups.into_iter().map(|group| ((group.name, group.kind), group.count)).collect();
        assert_eq!(found, expected, "{by:?}: {question:?}");
        let width = *[1_000_u64, 60_000_000_000, 3_600_000_000_000].get(by as usize % 3).unwrap();
        let mut expected: BTreeMap<i64, u64> = BTreeMap::new();
        for record in matching() {
            let time = record.event.occurred_at.unwrap_or(record.recorded_at).as_nanos();
            let width = i64::try_from(width).unwrap();
            *expected.entry(time.div_euclid(width) * width).or_default() += 1;
        }
        let steps = snapshot.histogram(query, Duration::from_nanos(width)).unwrap();
        let found: BTreeMap<i64, u64> =
            steps.iter().map(|step| (step.from.as_nanos(), step.count)).collect();
        assert_eq!(found, expected, "histogram: {question:?}");
    }
}

fn options(clock: &Arc<ManualClock>, housekeeping: Housekeeping, mmap: bool) -> LogOptions {
    Log::options()
        .clock(Arc::clone(clock) as Arc<dyn Clock>)
        .housekeeping(housekeeping)
        .mmap(mmap)
        .durability(bulla::Durability::Os)
        .segment_bytes(64 << 10)
}

fn indexes(log: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(log.join("segments")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut indexes: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "idx")).collect();
    indexes.sort();
    indexes
}

#[test]
fn any_query_answers_as_a_filter_over_all_records() {
    let (mut queries, mut segments) = (0, 0);
    for seed in 1..=26 {
        let mut world = World::new(seed);
        (0..60).for_each(|_| world.step());
        world.ask(120);
        queries += world.queries;
        segments += world.log.snapshot().segments().unwrap().len();
    }
    assert!(queries > 4_000, "{queries}");
    assert!(segments > 150, "{segments}");
}

#[test]
fn lists_of_one_and_of_a_hundred_thousand_positions() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::create(dir.path().join("log")).unwrap();
    let one = |n: u64| {
        let actor = if n == 70_000 { "rare" } else { "frequent" };
        Event::new(Actor::new("user", actor), "file.read", Resource::new("file", n.to_string()))
    };
    for first in (0..110_000).step_by(1_000) {
        let events: Vec<Event> = (first..first + 1_000).map(one).collect();
        log.append_batch(&events).unwrap();
    }
    let snapshots = [log.snapshot(), {
        log.rotate().unwrap();
        log.snapshot()
    }];
    for snapshot in snapshots {
        let seqs = |query: Query| -> Vec<u64> {
            let found = snapshot.query(&query).unwrap();
            found.map(|record| record.unwrap().seq.get()).collect()
        };
        let frequent = Query::new().actor("frequent");
        assert_eq!(seqs(Query::new().actor("rare")), [70_000]);
        assert_eq!(snapshot.count(&frequent).unwrap(), 109_999);
        assert_eq!(seqs(frequent.clone().limit(3)), [109_999, 109_998, 109_997]);
        let around =
            frequent.after(Query::new().actor("frequent").cursor_after(Seq::new(70_002)).unwrap());
        assert_eq!(seqs(around.limit(3)), [70_001, 69_999, 69_998]);
        assert_eq!(seqs(Query::new().resource("file", "70000")), [70_000]);
        let both = Query::new().actor("frequent").resource("file", "70000");
        assert_eq!(seqs(both), [] as [u64; 0]);
    }
}

#[test]
fn an_index_makes_a_search_read_only_what_it_gives() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(Timestamp::from_nanos(START)));
    let log = options(&clock, Housekeeping::Inline, true).create(dir.path().join("log")).unwrap();
    for n in 0..3_000_u64 {
        let actor = Actor::new("user", if n == 1_234 { "rare" } else { "frequent" });
        let resource = Resource::new("file", n.to_string());
        log.append(&Event::new(actor, "file.read", resource)).unwrap();
        clock.advance(Duration::from_secs(1));
    }
    log.rotate().unwrap();
    let snapshot = log.snapshot();
    let explain = |query: &Query| {
        let mut matches = snapshot.query(query).unwrap();
        assert!(matches.by_ref().all(|record| record.is_ok()));
        matches.explain()
    };
    let rare = explain(&Query::new().actor("rare"));
    assert!(rare.segments > 3, "{rare}");
    assert_eq!((rare.records, rare.matched, rare.scanned), (1, 1, 0), "{rare}");
    assert_eq!(rare.skipped_by_index, rare.segments - 1, "{rare}");
    let first_second = Query::new().recorded_until(Timestamp::from_nanos(START + 1_000_000_000));
    let early = explain(&first_second);
    assert_eq!((early.skipped_by_time, early.matched), (early.segments - 1, 1), "{early}");
    fs::remove_file(&indexes(&dir.path().join("log"))[0]).unwrap();
    // It is still open; another process finds it gone, and reads the records.
    assert_eq!(explain(&Query::new().actor("rare")).scanned, 0);
    let reader = Log::open_read_only(dir.path().join("log")).unwrap();
    let mut matches = reader.snapshot().query(&Query::new().actor("rare")).unwrap();
    assert_eq!(matches.by_ref().count(), 1);
    assert_eq!(matches.explain().scanned, 1);
}

#[test]
fn missing_and_damaged_indexes_are_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let clock = Arc::new(ManualClock::at(Timestamp::from_nanos(START)));
    let options = || options(&clock, Housekeeping::Inline, true);
    let log = options().create(&path).unwrap();
    let append = |log: &Log, n: u64| {
        let resource = Resource::new("file", n.to_string());
        log.append(&Event::new(Actor::new("user", "alice"), "file.read", resource)).unwrap();
    };
    (0..2_000).for_each(|n| append(&log, n));
    log.close().unwrap();
    let files = indexes(&path);
    assert!(files.len() > 2);
    let good: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    fs::remove_file(&files[0]).unwrap();
    fs::write(&files[1], &good[1][..100]).unwrap();
    let log = options().open(&path).unwrap();
    let query = Query::new().actor("alice");
    assert_eq!(log.snapshot().count(&query).unwrap(), 2_000);
    (0..4).for_each(|n| append(&log, n)); // each appending does what is due
    for (file, good) in files.iter().zip(&good) {
        assert_eq!(&fs::read(file).unwrap(), good, "{}", file.display());
    }
}

#[test]
fn a_search_can_be_cancelled() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::create(dir.path().join("log")).unwrap();
    let event = Event::new(Actor::new("user", "alice"), "file.read", Resource::new("file", "1"));
    log.append_batch(&vec![event; 5_000]).unwrap();
    let token = CancelToken::new();
    let snapshot = log.snapshot().cancelled_by(&token);
    let mut matches = snapshot.query(&Query::new()).unwrap();
    assert!(matches.next().unwrap().is_ok());
    token.cancel();
    let left: Vec<_> = matches.collect();
    assert!(left.len() < 5_000, "it went on");
    assert!(matches!(left.last(), Some(Err(Error::Cancelled))), "it ended without a word");
    assert!(matches!(snapshot.count(&Query::new()), Err(Error::Cancelled)));
}

/// Asks for every range of recorded time that begins and ends at a record: list, count, histogram
/// and groups are those of comparing each record.
fn ranges_agree(snapshot: &Snapshot, times: &[Timestamp]) {
    let mut ends: Vec<Option<Timestamp>> = times.iter().copied().map(Some).collect();
    ends.push(None);
    for (since, until) in ends.iter().flat_map(|since| ends.iter().map(move |until| (since, until)))
    {
        let mut query = Query::new().oldest_first();
        query = since.map_or(query.clone(), |since| query.recorded_since(since));
        query = until.map_or(query.clone(), |until| query.recorded_until(until));
        let is_in = |time: &Timestamp| {
            since.is_none_or(|since| since <= *time) && until.is_none_or(|until| *time < until)
        };
        let expected: Vec<u64> =
            (0..).zip(times).filter(|(_, time)| is_in(time)).map(|(n, _)| n).collect();
        for (query, expected) in [
            (query.clone(), expected.clone()),
            (query.clone().system(true), expected.clone()),
            (query.actor("user-1"), expected.into_iter().filter(|n| n % 3 == 1).collect()),
        ] {
            let matches = snapshot.query(&query).unwrap();
            let listed: Vec<u64> = matches
                .map(Result::unwrap)
                .filter(|record| record.kind == bulla::event::RecordKind::Event)
                .map(|record| record.seq.get())
                .collect();
            assert_eq!(listed, expected, "{query:?}");
            let query = query.system(false);
            assert_eq!(snapshot.count(&query).unwrap(), expected.len() as u64, "{query:?}");
            let groups = snapshot.count_by(&query, GroupBy::Action).unwrap();
            let grouped: u64 = groups.iter().map(|group| group.count).sum();
            let steps = snapshot.histogram(&query, Duration::from_secs(60)).unwrap();
            let stepped: u64 = steps.iter().map(|step| step.count).sum();
            assert_eq!(
                (grouped, stepped),
                (expected.len() as u64, expected.len() as u64),
                "{query:?}"
            );
        }
    }
}

#[test]
fn where_recorded_times_go_back_every_answer_is_that_of_comparing_each_record() {
    let seconds = [1, 2, 1_000, 2_000, 10, 3_000, 3_000, 2_999, 4_000];
    let times: Vec<Timestamp> =
        seconds.iter().map(|s| Timestamp::from_nanos(START + s * 1_000_000_000)).collect();
    let event = |n: u64| {
        Event::new(Actor::new("user", format!("user-{}", n % 3)), "a.b", Resource::kind_only("r"))
    };
    for sealed in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let options = || crate::support::backwards::options(times[8]);
        match sealed {
            true => drop(crate::support::backwards::sealed(options(), &path, &times, event)),
            false => crate::support::backwards::unsealed(options(), &path, &times, event),
        }
        let reader = options().open_read_only(&path).unwrap();
        // The first answers read the records of a segment that is being written; by and by they
        // pay for an index.
        for _ in 0..2 {
            ranges_agree(&reader.snapshot(), &times);
        }
        if !sealed {
            continue;
        }
        // Sealed, it is for `verify` to name: the log is written on.
        let log = options().open(&path).unwrap();
        ranges_agree(&log.snapshot(), &times);
        let index = path.join("segments/00000001.idx");
        fs::remove_file(&index).unwrap();
        ranges_agree(&options().open_read_only(&path).unwrap().snapshot(), &times);
        log.close().unwrap();
    }
}
