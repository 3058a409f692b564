//! Retention: what goes, what stays, and what is said of what went.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // a failure of this program is a failed test

use std::sync::Arc;
use std::time::Duration;

use bulla::retention::Verdict;
use bulla::time::{Clock, ManualClock};
use bulla::{
    Actor, Asked, Error, Event, ExpireOptions, Hold, HoldScope, Housekeeping, Log, LogOptions,
    Period, Policy, Query, Resource, Seq, Timestamp,
};

const DAY: Duration = Duration::from_secs(24 * 3600);

struct World {
    dir: tempfile::TempDir,
    clock: Arc<ManualClock>,
}

impl World {
    fn new() -> Self {
        let start: Timestamp = "2020-01-01T00:00:00Z".parse().unwrap();
        World { dir: tempfile::tempdir().unwrap(), clock: Arc::new(ManualClock::at(start)) }
    }

    fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("audit")
    }

    fn options(&self) -> LogOptions {
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        Log::options().clock(clock).housekeeping(Housekeeping::Inline)
    }

    /// A log with one segment a day, of ten records by ten actors each.
    fn log(&self, days: u64) -> Log {
        let log = self.options().create(self.path()).unwrap();
        for day in 0..days {
            self.day(&log, day);
        }
        log
    }

    fn day(&self, log: &Log, day: u64) {
        for n in 0..10 {
            log.append(&event(&format!("actor-{n}"), day)).unwrap();
        }
        log.rotate().unwrap();
        self.clock.advance(DAY);
    }
}

fn event(actor: &str, day: u64) -> Event {
    Event::new(Actor::new("user", actor), "file.read", Resource::new("file", format!("f{day}")))
}

fn asked() -> Asked {
    Asked::by("carol").because("retention")
}

#[test]
fn what_is_old_goes_and_leaves_a_certificate_and_everything_else_as_it_was() {
    let world = World::new();
    let log = world.log(6);
    let count = |log: &Log| log.snapshot().count(&Query::new()).unwrap();
    assert_eq!(count(&log), 60);
    assert_eq!(log.expire(&ExpireOptions::new(), &asked()).unwrap().dropped.len(), 0, "no policy");
    log.set_policy(&Policy::keep(Period::from_days(3)), &asked()).unwrap();
    let expiry = log.expire(&ExpireOptions::new(), &asked()).unwrap();
    let dropped: Vec<u64> = expiry.dropped.iter().map(|certificate| certificate.ordinal).collect();
    assert_eq!(dropped, [1, 2, 3, 4]);
    let Err(Error::Expired { certificate, .. }) = log.get(Seq::new(15)) else { panic!("no") };
    assert_eq!((certificate.ordinal, certificate.count()), (2, 10));
    assert_eq!(certificate.who.as_deref(), Some("carol"));
    assert!(log.get(Seq::new(40)).is_ok());
    let left = count(&log);
    // Anchors are no events.
    assert_eq!(left, 20);
    let records = log.query(&Query::new().oldest_first()).unwrap();
    assert_eq!(records.map(|record| record.unwrap()).count(), 20);
    log.close().unwrap();
    let log = world.options().open(world.path()).unwrap();
    assert_eq!(count(&log), 20);
    let report = bulla::verify(&world.path(), &bulla::VerifyOptions::new(), &mut |_| ()).unwrap();
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
    assert!(report.gaps.iter().all(|gap| gap.verdict == bulla::GapVerdict::Checked));
    assert_eq!(report.gaps.len(), 4);
    log.close().unwrap();
    // Without its mark everything that is left is read again, across the gap.
    std::fs::remove_file(world.path().join("tree/mark")).unwrap();
    let log = world.options().open(world.path()).unwrap();
    assert_eq!(count(&log), 20);
    log.close().unwrap();
    let report = bulla::verify(&world.path(), &bulla::VerifyOptions::new(), &mut |_| ()).unwrap();
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
}

#[test]
fn a_hold_pins_its_segments_whole_until_it_is_released() {
    let world = World::new();
    let log = world.log(6);
    log.set_policy(&Policy::keep(Period::from_days(2)), &asked()).unwrap();
    let mut admin = world.options().administer(world.path()).unwrap();
    let scope = HoldScope::new().resource("file", "f1");
    admin.place_hold(&Hold::new("case 7", scope), &asked()).unwrap();
    assert_eq!(log.pinned_by("case 7").unwrap().segments, [2]);
    let plan = log.plan_expiry(&ExpireOptions::new()).unwrap();
    let verdicts: Vec<&Verdict> = plan.steps.iter().map(|step| &step.verdict).collect();
    assert_eq!(verdicts[1], &Verdict::Held { cases: vec!["case 7".to_owned()] });
    let expiry = log.expire(&ExpireOptions::new(), &asked()).unwrap();
    assert_eq!(expiry.dropped.iter().map(|c| c.ordinal).collect::<Vec<_>>(), [1, 3, 4, 5]);
    assert!(log.get(Seq::new(11)).is_ok());
    admin.release_hold("case 7", &asked()).unwrap();
    let expiry = log.expire(&ExpireOptions::new(), &asked()).unwrap();
    assert_eq!(expiry.dropped.iter().map(|c| c.ordinal).collect::<Vec<_>>(), [2]);
}

#[test]
fn a_clock_that_jumped_ahead_lets_nothing_go() {
    let world = World::new();
    let log = world.log(3);
    log.set_policy(&Policy::keep(Period::from_days(30)), &asked()).unwrap();
    world.clock.set("2029-01-01T00:00:00Z".parse().unwrap());
    let refused = log.expire(&ExpireOptions::new(), &asked());
    assert!(matches!(refused, Err(Error::ClockAhead(_))), "{refused:?}");
    world.clock.set("2010-01-01T00:00:00Z".parse().unwrap());
    assert!(log.expire(&ExpireOptions::new(), &asked()).unwrap().dropped.is_empty());
}
