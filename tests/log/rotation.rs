//! When segments end: by size, by age, by call, by a jump of the clock.

#![allow(clippy::unwrap_used)] // helpers of tests

use std::sync::Arc;
use std::time::Duration;

use bulla::time::{Clock, ManualClock};
use bulla::{Actor, Event, Housekeeping, Log, LogOptions, Resource, Seq, Timestamp};

fn event(n: u64) -> Event {
    Event::new(Actor::new("user", "alice"), "file.read", Resource::new("file", n.to_string()))
}

fn start() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn options(clock: &Arc<ManualClock>) -> LogOptions {
    let clock: Arc<dyn Clock> = Arc::clone(clock) as Arc<dyn Clock>;
    Log::options().clock(clock).housekeeping(Housekeeping::Inline)
}

fn sealed(log: &Log) -> u64 {
    log.snapshot().stats().unwrap().sealed_segments
}

#[test]
fn a_segment_ends_when_the_next_frame_would_exceed_its_size() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(start()));
    let log = options(&clock).segment_bytes(64 << 10).create(dir.path().join("log")).unwrap();
    for n in 0..2_000 {
        log.append(&event(n)).unwrap();
    }
    let segments = log.snapshot().segments().unwrap();
    assert!(segments.len() > 2, "{segments:?}");
    assert!(segments.iter().filter(|s| s.sealed).all(|s| s.bytes <= 66 << 10), "{segments:?}");
    let tiled: u64 = segments.iter().map(|segment| segment.count).sum();
    assert_eq!(tiled, 2_000);
}

#[test]
fn a_segment_ends_when_its_age_is_up_and_an_empty_one_never() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(start()));
    let age = Duration::from_secs(3_600);
    let log = options(&clock).segment_age(age).create(dir.path().join("log")).unwrap();
    log.append(&event(0)).unwrap();
    clock.advance(Duration::from_secs(3_000));
    log.append(&event(1)).unwrap();
    assert_eq!(sealed(&log), 0, "0.9 of the age is the earliest");
    clock.advance(Duration::from_secs(700));
    log.append(&event(2)).unwrap();
    assert_eq!(sealed(&log), 1);
    log.rotate().unwrap();
    log.rotate().unwrap();
    assert_eq!(log.snapshot().stats().unwrap().segments, sealed(&log), "no empty segment was made");
}

#[test]
fn a_jump_of_the_clock_begins_a_segment_and_is_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(start()));
    let log = options(&clock).create(dir.path().join("log")).unwrap();
    log.append(&event(0)).unwrap();
    clock.set("2026-11-21T11:00:00Z".parse().unwrap());
    log.append(&event(1)).unwrap();
    clock.set("2026-11-21T15:00:00Z".parse().unwrap());
    log.append(&event(2)).unwrap();
    clock.advance(Duration::from_secs(1));
    clock.set("2026-11-21T14:59:59Z".parse().unwrap()); // within the tolerance
    log.append(&event(3)).unwrap();
    let steps: Vec<String> = log
        .snapshot()
        .catalog()
        .history()
        .unwrap()
        .into_iter()
        .filter(|entry| entry.what == "clock stepped")
        .map(|entry| entry.detail)
        .collect();
    assert_eq!(steps.len(), 2, "{steps:?}");
    assert!(steps[0].contains("12:00:00") && steps[0].contains("11:00:00"), "{steps:?}");
    let times: Vec<_> =
        (0..4).map(|n| log.snapshot().get(Seq::new(n)).unwrap().recorded_at).collect();
    assert!(times[1] < times[0], "the log says what its clock said");
    assert!(times[3] >= times[2], "but never goes back within a segment");
    assert_eq!(log.snapshot().segments().unwrap().len(), 3);
}

/// What the catalog says of jumps of the clock: expected, found and segment, as text.
fn steps(log: &Log) -> Vec<String> {
    let history = log.snapshot().catalog().history().unwrap().into_iter();
    history.filter(|entry| entry.what == "clock stepped").map(|entry| entry.detail).collect()
}

#[test]
fn a_clock_set_back_between_two_runs_is_recorded_at_the_first_append_with_the_time_expected() {
    for sealed_before in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let clock = Arc::new(ManualClock::at(start()));
        let log = options(&clock).create(&path).unwrap();
        log.append(&event(0)).unwrap();
        if sealed_before {
            log.rotate().unwrap();
        }
        log.close().unwrap();
        drop(log);
        // Another process, whose monotonic clock begins anew, three days back.
        let clock = Arc::new(ManualClock::at("2026-11-18T12:00:00Z".parse().unwrap()));
        let log = options(&clock).open(&path).unwrap();
        assert_eq!(steps(&log).len(), 0);
        clock.advance(Duration::from_micros(3));
        log.append(&event(1)).unwrap();
        let found = steps(&log);
        assert_eq!(found.len(), 1, "{found:?}");
        for told in ["2026-11-21T12:00:00.000000000Z", "2026-11-18T12:00:00.000003000Z"] {
            assert!(found[0].contains(told), "{told}: {found:?}");
        }
        log.append(&event(2)).unwrap();
        log.close().unwrap();
        let log = options(&clock).open(&path).unwrap();
        assert_eq!(steps(&log), found, "once");
    }
}
