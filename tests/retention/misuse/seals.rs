//! Seals that are made at a wrong time, of records that are not of that time.

use std::sync::Arc;
use std::time::Duration;

use bulla::retention::{LateSeal, Verdict};
use bulla::time::ManualClock;
use bulla::{ExpireOptions, Finding, Log, Period, Policy, Timestamp, VerifyOptions, verify};

use crate::misuse::{DAY, World, asked, event};

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn steps(log: &Log) -> Vec<String> {
    let history = log.snapshot().catalog().history().unwrap().into_iter();
    history.filter(|entry| entry.what == "clock stepped").map(|entry| entry.detail).collect()
}

fn late_seals(log: &Log) -> Vec<Option<LateSeal>> {
    let options = ExpireOptions::new().clock_lead(Period::from_days(1_000));
    let plan = log.snapshot().plan_expiry(&options).unwrap();
    plan.steps.iter().map(|step| step.segment.late_seal).collect()
}

/// What a verification by a clock says of times of seals.
fn warned(world: &World, now: Timestamp) -> Vec<Finding> {
    let options = VerifyOptions::new().clock(Arc::new(ManualClock::at(now)));
    let report = verify(&world.path(), &options, &mut |_| ()).unwrap();
    assert!(report.is_clean(), "{:#?}", report.findings);
    let of_seals = |warning: &Finding| warning.what == "time of the seal";
    report.warnings.into_iter().filter(of_seals).collect()
}

/// A log with one event a segment, whose second segment is sealed in 2200 by another process.
fn sealed_in_2200(world: &World) -> Log {
    let log = world.options().create(world.path()).unwrap();
    log.retention().set_policy(&Policy::keep(Period::from_days(1)), &asked()).unwrap();
    log.append(&event("a", 0)).unwrap();
    log.rotate().unwrap();
    world.clock.advance(Duration::from_secs(60));
    log.append(&event("a", 0)).unwrap();
    log.close().unwrap();
    world.clock.set(time("2200-01-01T00:00:00Z"));
    let log = world.options().open(world.path()).unwrap();
    log.rotate().unwrap();
    log.close().unwrap();
    world.clock.set(time("2020-01-01T00:02:00Z"));
    world.options().open(world.path()).unwrap()
}

#[test]
fn a_seal_by_a_clock_that_was_ahead_is_recorded_named_in_the_plan_and_warned_of() {
    let world = World::new();
    let log = sealed_in_2200(&world);
    let now = world.clock_now();
    assert!(steps(&log).is_empty());
    assert!(matches!(&warned(&world, now)[..], [one] if one.segment == Some(2)));
    let late = late_seals(&log);
    assert_eq!(late[0], None);
    assert_eq!(late[1].unwrap().latest, now, "nothing is behind it");
    // By whatever process goes on, once.
    for n in 1..=3 {
        log.append(&event("a", n)).unwrap();
        log.rotate().unwrap();
        let sealed_at = time("2200-01-01T00:00:00Z");
        assert_eq!(steps(&log), [format!("from {sealed_at} to {now}")]);
    }
    log.close().unwrap();
    let log = world.options().open(world.path()).unwrap();
    log.append(&event("a", 4)).unwrap();
    log.rotate().unwrap();
    assert_eq!(steps(&log).len(), 1);
    world.clock.advance(DAY * 3);
    log.append(&event("a", 5)).unwrap();
    let late = late_seals(&log);
    let said = late[1].map(|late| (late.ordinal, late.sealed_at, late.latest));
    assert_eq!(said, Some((2, time("2200-01-01T00:00:00Z"), world.clock_now())));
    assert_eq!(late, [None, late[1], late[1], late[1], late[1], late[1]]);
    let plan = log.snapshot().plan_expiry(&ExpireOptions::new()).unwrap();
    for step in &plan.steps[1..] {
        assert!(matches!(step.verdict, Verdict::TooYoung { .. }), "{step}");
        let said = step.to_string();
        assert!(said.starts_with("too young: kept until 2200-01-02T00:00:00.000000000Z: segment 2 was sealed at 2200-01-01"), "{said}");
    }
    log.close().unwrap();
    let warned = warned(&world, world.clock_now());
    assert!(matches!(&warned[..], [one] if one.segment == Some(2)), "{warned:#?}");
}

#[test]
fn a_clock_that_is_put_right_in_one_process_after_a_seal_is_recorded() {
    let world = World::new();
    let log = world.options().create(world.path()).unwrap();
    log.append(&event("a", 0)).unwrap();
    let here = world.clock_now();
    let there = here.saturating_add(DAY * 400);
    world.clock.set(there);
    log.rotate().unwrap();
    world.clock.set(here);
    log.append(&event("a", 1)).unwrap();
    log.rotate().unwrap();
    assert_eq!(steps(&log), [format!("from {there} to {here}")]);
    log.close().unwrap();
}

#[test]
fn a_log_that_is_sealed_long_after_its_records_has_no_late_seal() {
    let world = World::new();
    let log = world.log(3);
    log.retention().set_policy(&Policy::keep(Period::from_days(1)), &asked()).unwrap();
    log.append(&event("a", 3)).unwrap();
    world.clock.advance(DAY * 40);
    log.rotate().unwrap();
    assert_eq!(late_seals(&log), [None; 4]);
    assert!(warned(&world, world.clock_now()).is_empty());
    log.append(&event("a", 4)).unwrap();
    log.rotate().unwrap();
    assert_eq!(late_seals(&log), [None; 5]);
    assert!(steps(&log).is_empty());
    assert!(warned(&world, world.clock_now()).is_empty());
    log.close().unwrap();
}
