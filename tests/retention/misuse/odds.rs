//! Policies, holds and times at their edges.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bulla::{
    Error, ExpireOptions, Hold, HoldScope, Housekeeping, Period, Policy, Seq, Timestamp,
    VerifyOptions, verify,
};

use crate::misuse::{DAY, World, asked, event};
use crate::support::hang::{EndOnDrop, Turns, Watchdog, wait_until};

#[test]
fn the_newest_records_that_a_policy_keeps_are_events() {
    let world = World::new();
    let log = world.log(3); // 30 events
    let policy = Policy::keep(Period::from_days(1)).min_records(20).compliance(true);
    log.retention().set_policy(&policy, &asked()).unwrap();
    // Nothing but the paperwork of holds.
    for n in 0..20 {
        let hold = Hold::new(format!("case {n}"), HoldScope::new().actor("nobody"));
        log.retention().place_hold(&hold, &asked()).unwrap();
        log.retention().release_hold(&format!("case {n}"), &asked()).unwrap();
    }
    world.clock.advance(DAY);
    let expiry = log.retention().expire(&ExpireOptions::new(), &asked()).unwrap();
    let gone: Vec<u64> = expiry.dropped.iter().map(|c| c.ordinal).collect();
    let left = log.snapshot().count(&bulla::Query::new()).unwrap();
    log.close().unwrap();
    assert!(
        left >= 20,
        "{left} events are left of the newest 20 that stay in any case; {gone:?} went"
    );
}

#[test]
fn a_hold_that_no_time_can_meet_is_refused() {
    let world = World::new();
    let log = world.log(2);
    let time = |text: &str| -> Timestamp { text.parse().unwrap() };
    let scope =
        HoldScope::new().since(time("2021-01-01T00:00:00Z")).until(time("2019-01-01T00:00:00Z"));
    let placed = log.retention().place_hold(&Hold::new("inverted", scope), &asked());
    let pinned = log.snapshot().segments_held_by("inverted").map(|p| p.records);
    log.close().unwrap();
    assert!(placed.is_err(), "placed, in force, pins {pinned:?} records");
}

#[test]
fn odd_scopes_pin_by_records_what_they_pin_by_indexes() {
    let world = World::new();
    let log = world.log(4);
    let policy = Policy::keep(Period::ZERO);
    log.retention().set_policy(&policy, &asked()).unwrap();
    let start: Timestamp = "2020-01-01T00:00:00Z".parse().unwrap();
    let scopes = [
        HoldScope::new().actor("actor-0"),
        HoldScope::new().resource_type("file"),
        HoldScope::new().action("file.*").unwrap(),
        HoldScope::new().action("*").unwrap_or_default(),
        HoldScope::new().action("f*").unwrap(),
        HoldScope::new().actor_type_id("user", "actor-9"),
        HoldScope::new().until(Timestamp::from_nanos(start.as_nanos() + 1)),
        HoldScope::new().since(Timestamp::MIN),
        HoldScope::new().until(Timestamp::MAX),
        HoldScope::new(),
    ];
    for (n, scope) in scopes.into_iter().enumerate() {
        let pins_all = n != 6;
        log.retention().place_hold(&Hold::new(format!("c{n}"), scope), &asked()).unwrap();
        let pinned = log.snapshot().segments_held_by(&format!("c{n}")).unwrap();
        let plan = log.snapshot().plan_expiry(&ExpireOptions::new()).unwrap();
        let going: Vec<u64> = plan.going().map(|s| s.segment.ordinal).collect();
        assert!(pinned.segments.contains(&1), "{n}: {pinned:?}");
        if pins_all {
            assert!(going.is_empty(), "{n}: {going:?}");
            let expiry = log.retention().expire(&ExpireOptions::new(), &asked()).unwrap();
            assert!(expiry.dropped.is_empty(), "{n}");
        }
        log.retention().release_hold(&format!("c{n}"), &asked()).unwrap();
    }
    log.close().unwrap();
}

#[test]
fn empty_and_unicode_conditions_are_refused_or_pin() {
    let world = World::new();
    let log = world.options().create(world.path()).unwrap();
    log.append(&event("Ünïcode-\u{202e}x", 1).tenant("té")).unwrap();
    log.rotate().unwrap();
    log.append(&event("b", 2)).unwrap();
    log.retention().set_policy(&Policy::keep(Period::ZERO), &asked()).unwrap();
    for (n, scope) in [
        HoldScope::new().actor("Ünïcode-\u{202e}x"),
        HoldScope::new().tenant("té"),
        HoldScope::new().tenant("té").actor("Ünïcode-\u{202e}x").resource("file", "f1"),
    ]
    .into_iter()
    .enumerate()
    {
        log.retention().place_hold(&Hold::new(format!("{n}/hold/../é"), scope), &asked()).unwrap();
        assert!(
            log.retention().expire(&ExpireOptions::new(), &asked()).unwrap().dropped.is_empty()
        );
        log.retention().release_hold(&format!("{n}/hold/../é"), &asked()).unwrap();
    }
    for (n, scope) in [
        HoldScope::new().actor(""),
        HoldScope::new().tenant(""),
        HoldScope::new().resource("file", ""),
        HoldScope::new().actor("x".repeat(40_000)),
    ]
    .into_iter()
    .enumerate()
    {
        let _ = log.retention().place_hold(&Hold::new(format!("empty {n}"), scope), &asked());
    }
    log.close().unwrap();
    world.options().open(world.path()).unwrap().close().unwrap();
}

#[test]
fn extreme_policies_neither_panic_nor_lose() {
    for (keep, min_age, min_records) in [
        (Period::ZERO, Period::ZERO, u64::MAX),
        (Period::from_years(250), Period::from_years(250), u64::MAX),
        (Period::from_years(250), Period::ZERO, 0),
    ] {
        let world = World::new();
        let log = world.log(3);
        let policy = Policy::keep(keep).min_age(min_age).min_records(min_records);
        log.retention().set_policy(&policy, &asked()).unwrap();
        world.day(&log, 4);
        assert!(
            log.retention().expire(&ExpireOptions::new(), &asked()).unwrap().dropped.is_empty()
        );
        log.close().unwrap();
        world.options().open(world.path()).unwrap().close().unwrap();
    }
}

#[test]
fn at_the_end_of_time_nothing_is_old() {
    let start = Timestamp::from_nanos(i64::MAX - 30 * 86_400 * 1_000_000_000);
    let world = World::at(start);
    let log = world.options().create(world.path()).unwrap();
    log.retention().set_policy(&Policy::keep(Period::from_years(10)), &asked()).unwrap();
    log.append(&event("a", 1)).unwrap();
    log.rotate().unwrap();
    for _ in 0..8 {
        world.clock.advance(DAY * 4); // beyond the end
        let _ = log.append(&event("b", 2));
    }
    let expired = log.retention().expire(&ExpireOptions::new(), &asked());
    let gone = expired.map(|e| e.dropped.len());
    let _ = log.close();
    assert_eq!(gone.unwrap_or(0), 0, "after 32 days, of 10 years");
}

#[test]
fn a_keep_until_of_1970_is_no_shorter_than_the_policy() {
    // The newest record is one day before 1970, kept for a day: fixed at the seal as 0.
    let world = World::at(Timestamp::from_nanos(-86_400_000_000_000 * 10));
    let log = world.options().create(world.path()).unwrap();
    log.retention().set_policy(&Policy::keep(Period::from_days(10)), &asked()).unwrap();
    log.append(&event("a", 1)).unwrap();
    log.rotate().unwrap();
    log.append(&event("b", 1)).unwrap();
    log.retention().set_policy(&Policy::keep(Period::ZERO), &asked()).unwrap();
    world.clock.advance(DAY);
    let gone = log.retention().expire(&ExpireOptions::new(), &asked()).unwrap().dropped.len();
    log.close().unwrap();
    assert_eq!(gone, 0, "what a seal fixed is not shortened");
}

#[test]
fn expiry_seals_checkpoints_and_holds_from_several_threads_end() {
    for housekeeping in [Housekeeping::Background, Housekeeping::Inline] {
        let world = World::new();
        let log = world
            .options()
            .housekeeping(housekeeping)
            .segment_bytes(64 << 10)
            .create(world.path())
            .unwrap();
        log.retention().set_policy(&Policy::keep(Period::ZERO), &asked()).unwrap();
        let key = world.dir.path().join("key");
        let signer =
            bulla::Signer::generate(&key, log.origin(), bulla::HashAlgorithm::default()).unwrap();
        let watched = Watchdog::over(format!("{housekeeping:?}"));
        let over = AtomicBool::new(false);
        let [rotated, expired, signed, held] = <[Turns; 4]>::default();
        let go = || !over.load(Ordering::SeqCst);
        std::thread::scope(|scope| {
            let _end = EndOnDrop(&over);
            scope.spawn(|| {
                let _end = EndOnDrop(&over);
                let mut n = 0;
                while go() {
                    let filling = "x".repeat(3_000);
                    log.append(&event(&format!("a{}", n % 5), n).reason(filling)).unwrap();
                    n += 1;
                    // Else segments come faster than they can go, and an expiry never ends.
                    if n % 100 == 0 {
                        let round = expired.count();
                        wait_until(|| !go() || expired.count() > round);
                    }
                }
            });
            scope.spawn(|| {
                let _end = EndOnDrop(&over);
                while go() {
                    log.rotate().unwrap();
                    rotated.took();
                    let round = rotated.count();
                    // The others have a turn between two seals.
                    wait_until(|| !go() || expired.count() >= round);
                }
            });
            scope.spawn(|| {
                let _end = EndOnDrop(&over);
                while go() {
                    log.retention()
                        .expire(&ExpireOptions::new().clock_lead(Period::from_years(1)), &asked())
                        .unwrap();
                    world.clock.advance(Duration::from_secs(1));
                    expired.took();
                }
            });
            scope.spawn(|| {
                let _end = EndOnDrop(&over);
                while go() {
                    log.checkpoint(&signer).unwrap();
                    signed.took();
                }
            });
            scope.spawn(|| {
                let _end = EndOnDrop(&over);
                let mut n = 0;
                while go() {
                    let hold = Hold::new(format!("h{n}"), HoldScope::new().actor("a3"));
                    log.retention().place_hold(&hold, &asked()).unwrap();
                    let pinned = log.snapshot().segments_held_by(&format!("h{n}"));
                    if let Err(error) = pinned {
                        assert!(matches!(error, Error::Expired { .. }), "{error}");
                    }
                    log.retention().release_hold(&format!("h{n}"), &asked()).unwrap();
                    n += 1;
                    held.took();
                }
            });
            let all = [&rotated, &expired, &signed, &held];
            wait_until(|| !go() || all.iter().all(|times| times.count() > 30));
            over.store(true, Ordering::SeqCst);
        });
        log.close().unwrap();
        drop(log);
        drop(watched);
        let report = verify(&world.path(), &VerifyOptions::new(), &mut |_| ()).unwrap();
        assert!(report.findings.is_empty(), "{:#?}", report.findings);
        std::fs::remove_file(world.path().join("tree/mark")).unwrap();
        let log = world.options().open(world.path()).unwrap();
        let size = log.snapshot().size();
        assert!(
            matches!(log.snapshot().get(Seq::new(0)), Ok(_) | Err(Error::Expired { .. })),
            "{size}"
        );
        log.close().unwrap();
    }
}
