//! A log on the real disk, years ago by a clock of the test's own.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bulla::time::{Clock, ManualClock};
use bulla::{Actor, Attribution, Event, Housekeeping, Log, LogOptions, Resource, Timestamp};

pub const DAY: Duration = Duration::from_secs(24 * 3600);

pub struct World {
    pub dir: tempfile::TempDir,
    pub clock: Arc<ManualClock>,
}

impl World {
    pub fn new() -> Self {
        World::at("2020-01-01T00:00:00Z".parse().unwrap())
    }

    pub fn at(start: Timestamp) -> Self {
        World { dir: tempfile::tempdir().unwrap(), clock: Arc::new(ManualClock::at(start)) }
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("audit")
    }

    pub fn options(&self) -> LogOptions {
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        Log::options().clock(clock).housekeeping(Housekeeping::Inline)
    }

    pub fn clock_now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A log with one segment a day, of ten records by ten actors each.
    pub fn log(&self, days: u64) -> Log {
        let log = self.options().create(self.path()).unwrap();
        for day in 0..days {
            self.day(&log, day);
        }
        log
    }

    pub fn day(&self, log: &Log, day: u64) {
        for n in 0..10 {
            log.append(&event(&format!("actor-{n}"), day)).unwrap();
        }
        log.rotate().unwrap();
        self.clock.advance(DAY);
    }
}

pub fn event(actor: &str, day: u64) -> Event {
    Event::new(Actor::new("user", actor), "file.read", Resource::new("file", format!("f{day}")))
}

pub fn asked() -> Attribution {
    Attribution::by("carol").because("retention")
}
