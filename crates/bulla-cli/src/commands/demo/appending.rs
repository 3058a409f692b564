//! Appending generated events, and how fast it went.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use bulla::Log;
use bulla::event::Event;
use bulla::time::Timestamp;
use bulla_cli::generate::Generator;

use crate::{progress, text};

/// Events appended by one thread, each durable before the next.
const ONE_BY_ONE: usize = 1_000;
/// It stops after this time on a slow disk.
const ONE_BY_ONE_MAX: Duration = Duration::from_secs(2);
/// Events appended by all threads together.
const TOGETHER: usize = 4_000;
const THREADS: usize = 16;
const SEED: u64 = 2_026;

/// So many events, in so much time.
pub(super) struct Appended {
    count: u64,
    took: Duration,
    how: String,
}

impl Appended {
    /// In words.
    pub(super) fn render(&self) -> String {
        format!(
            "{} durably, {} events/s ({})",
            text::counted(self.count, "event"),
            text::count(text::per_second(self.count, self.took)),
            self.how
        )
    }
}

/// One thread; each event is durable before the next.
pub(super) fn one_by_one(log: &Log) -> Result<Appended> {
    let events: Vec<Event> = generated(SEED).take(ONE_BY_ONE).collect();
    let bar = progress::over_count("appending", ONE_BY_ONE as u64);
    let start = Instant::now();
    let mut count = 0;
    for event in &events {
        log.append(event)?;
        count += 1;
        bar.inc(1);
        if start.elapsed() > ONE_BY_ONE_MAX {
            break;
        }
    }
    let took = start.elapsed();
    bar.finish_and_clear();
    Ok(Appended { count, took, how: "one thread, each durable before the next".to_owned() })
}

/// Many threads, each waiting for its own event to be durable.
pub(super) fn together(log: &Log) -> Result<Appended> {
    let each = TOGETHER / THREADS;
    let mut events = generated(SEED + 1);
    let parts: Vec<Vec<Event>> =
        (0..THREADS).map(|_| events.by_ref().take(each).collect()).collect();
    let bar = progress::over_count("appending", TOGETHER as u64);
    let count = AtomicU64::new(0);
    let start = Instant::now();
    std::thread::scope(|scope| {
        let append = |events: &Vec<Event>| -> Result<()> {
            for event in events {
                log.append(event)?;
                bar.set_position(count.fetch_add(1, Ordering::Relaxed) + 1);
            }
            Ok(())
        };
        let threads: Vec<_> =
            parts.iter().map(|events| scope.spawn(move || append(events))).collect();
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(result) => result,
            Err(_) => bail!("an appending thread ended early"),
        })
    })?;
    let took = start.elapsed();
    bar.finish_and_clear();
    let how = format!("{THREADS} threads, each waiting for its own");
    Ok(Appended { count: count.into_inner(), took, how })
}

fn generated(seed: u64) -> Generator {
    Generator::new(seed, Timestamp::from_nanos(1_795_219_200_000_000_000)) // 2026-11-21
}
