//! Appending to a log, in each way, and opening it again.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use bulla::Log;
use bulla::event::Event;
use bulla::time::Timestamp;
use bulla_cli::generate::Generator;

use super::{Bench, Measured};

/// How often a log is opened to measure opening.
const OPENINGS: usize = 9;

fn create(bench: &Bench, dir: &Path) -> Result<Log> {
    Ok(Log::options().origin("bulla.local/bench").hash(bench.hash.into()).create(dir)?)
}

/// The events of a seed.
pub(super) fn events(seed: u64) -> Generator {
    Generator::new(seed, Timestamp::from_nanos(1_795_219_200_000_000_000)) // 2026-11-21
}

/// One thread, one event a commit.
pub(super) fn single(bench: &Bench, dir: &Path) -> Result<Measured> {
    let log = create(bench, dir)?;
    let mut taken = Taken::default();
    for event in events(bench.seed).take(usize::try_from(bench.events)?) {
        taken.time(1, || Ok(log.append(&event).map(drop)?))?;
        if taken.total >= Duration::from_secs(bench.seconds) {
            break;
        }
    }
    log.close()?;
    Ok(taken.measured(None))
}

/// Many threads, each waiting for its own commit.
pub(super) fn threads(bench: &Bench, dir: &Path) -> Result<Measured> {
    let log = create(bench, dir)?;
    let each = usize::try_from(bench.events / bench.threads)?.max(1);
    let start = Instant::now();
    let end = start + Duration::from_secs(bench.seconds);
    let append = |thread: u64| -> Result<Taken> {
        let mut taken = Taken::default();
        for event in events(bench.seed + thread).take(each) {
            taken.time(1, || Ok(log.append(&event).map(drop)?))?;
            if Instant::now() >= end {
                break;
            }
        }
        Ok(taken)
    };
    let append = &append;
    let mut all = Taken::default();
    std::thread::scope(|scope| -> Result<()> {
        let threads: Vec<_> =
            (0..bench.threads).map(|thread| scope.spawn(move || append(thread))).collect();
        for thread in threads {
            match thread.join() {
                Ok(taken) => all.add(taken?),
                Err(_) => bail!("an appending thread ended early"),
            }
        }
        Ok(())
    })?;
    let wall = start.elapsed();
    log.close()?;
    Ok(all.measured(Some(wall)))
}

/// Batches in one commit each.
pub(super) fn batches(bench: &Bench, dir: &Path) -> Result<Measured> {
    let log = create(bench, dir)?;
    let mut taken = Taken::default();
    let mut source = events(bench.seed);
    let mut left = bench.events;
    while left > 0 {
        let size = left.min(bench.batch);
        let batch: Vec<Event> = source.by_ref().take(usize::try_from(size)?).collect();
        taken.time(size, || Ok(log.append_batch(&batch).map(drop)?))?;
        left -= size;
    }
    log.close()?;
    Ok(taken.measured(None))
}

/// Opens a log that was closed cleanly, several times.
pub(super) fn reopen(dir: &Path) -> Result<Measured> {
    let mut taken = Taken::default();
    let mut size = 0;
    for _ in 0..OPENINGS {
        let mut opened = None;
        taken.time(0, || {
            opened = Some(Log::open(dir)?);
            Ok(())
        })?;
        if let Some(log) = opened {
            size = log.size().get();
            log.close()?;
        }
    }
    taken.events = size;
    Ok(taken.measured(None))
}

/// How long commits took.
#[derive(Default)]
pub(super) struct Taken {
    events: u64,
    /// The time of all commits together.
    pub(super) total: Duration,
    each_ns: Vec<u32>,
}

impl Taken {
    /// Takes the time of a commit of so many events.
    pub(super) fn time(&mut self, events: u64, commit: impl FnOnce() -> Result<()>) -> Result<()> {
        let start = Instant::now();
        commit()?;
        let took = start.elapsed();
        self.events += events;
        self.total += took;
        self.each_ns.push(u32::try_from(took.as_nanos()).unwrap_or(u32::MAX));
        Ok(())
    }

    fn add(&mut self, other: Taken) {
        self.events += other.events;
        self.total += other.total;
        self.each_ns.extend(other.each_ns);
    }

    /// The figures; with a wall time if commits overlapped.
    pub(super) fn measured(mut self, wall: Option<Duration>) -> Measured {
        self.each_ns.sort_unstable();
        let at = |share: usize| {
            let last = self.each_ns.len().saturating_sub(1);
            let ns = self.each_ns.get(last * share / 100).copied().unwrap_or(0);
            f64::from(ns) / 1e3
        };
        Measured {
            events: self.events,
            seconds: wall.unwrap_or(self.total).as_secs_f64(),
            commit_us: [at(50), at(99), at(100)],
            peak_kib: peak_memory_kib(),
        }
    }
}

/// The most memory this process had, as Linux counts it; 0 where it does not tell.
fn peak_memory_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let figure = line.and_then(|line| line.split_whitespace().next());
    figure.and_then(|figure| figure.parse().ok()).unwrap_or(0)
}
