//! Attacks on retention, holds, archives, erasure, redaction and vaults.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]
#![allow(clippy::indexing_slicing, missing_docs)]

#[path = "attack_retention/erasing.rs"]
mod erasing;
#[path = "attack_retention/forgery.rs"]
mod forgery;
#[path = "attack_retention/last.rs"]
mod last;
#[path = "attack_retention/later.rs"]
mod later;
#[path = "attack_retention/more.rs"]
mod more;
#[path = "attack_retention/odds.rs"]
mod odds;
mod support;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bulla::time::{Clock, ManualClock};
use bulla::{Actor, Asked, Event, Housekeeping, Log, LogOptions, Resource, Timestamp};

pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);

pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) clock: Arc<ManualClock>,
}

impl World {
    pub(crate) fn new() -> Self {
        World::at("2020-01-01T00:00:00Z".parse().unwrap())
    }

    pub(crate) fn at(start: Timestamp) -> Self {
        World { dir: tempfile::tempdir().unwrap(), clock: Arc::new(ManualClock::at(start)) }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("audit")
    }

    pub(crate) fn options(&self) -> LogOptions {
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        Log::options().clock(clock).housekeeping(Housekeeping::Inline)
    }

    /// A log with one segment a day, of ten records by ten actors each.
    pub(crate) fn log(&self, days: u64) -> Log {
        let log = self.options().create(self.path()).unwrap();
        for day in 0..days {
            self.day(&log, day);
        }
        log
    }

    pub(crate) fn day(&self, log: &Log, day: u64) {
        for n in 0..10 {
            log.append(&event(&format!("actor-{n}"), day)).unwrap();
        }
        log.rotate().unwrap();
        self.clock.advance(DAY);
    }
}

pub(crate) fn event(actor: &str, day: u64) -> Event {
    Event::new(Actor::new("user", actor), "file.read", Resource::new("file", format!("f{day}")))
}

pub(crate) fn asked() -> Asked {
    Asked::by("carol").because("retention")
}
