//! Retention: what goes, what stays, and what is said of what went.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // a failure of this program is a failed test

use std::sync::Arc;

use crate::support;
use crate::support::aged::{DAY, World, asked, event};
use bulla::archive::{ArchiveStore, DirectoryStore};
use bulla::disk::{Disk, RealDisk};
use bulla::retention::Verdict;
use bulla::time::Clock;
use bulla::{
    Attribution, Error, ExpireOptions, Hold, HoldScope, KeyStore, Log, PayloadState, Period,
    Policy, Query, Seq, Signer, SubjectRule, Timestamp, WrappingKey,
};

/// Of a segment footer.
const FOOTER_LEN: usize = 256;

#[test]
fn what_is_old_goes_and_leaves_a_certificate_and_everything_else_as_it_was() {
    let world = World::new();
    let log = world.log(6);
    let count = |log: &Log| log.snapshot().count(&Query::new()).unwrap();
    assert_eq!(count(&log), 60);
    assert_eq!(
        log.retention().expire(&ExpireOptions::new(), &asked()).unwrap().dropped.len(),
        0,
        "no policy"
    );
    log.retention().set_policy(&Policy::keep(Period::from_days(3)), &asked()).unwrap();
    let expiry = log.retention().expire(&ExpireOptions::new(), &asked()).unwrap();
    let dropped: Vec<u64> = expiry.dropped.iter().map(|certificate| certificate.ordinal).collect();
    assert_eq!(dropped, [1, 2, 3, 4]);
    let Err(Error::Expired { certificate, .. }) = log.snapshot().get(Seq::new(15)) else {
        panic!("no")
    };
    assert_eq!((certificate.ordinal, certificate.count()), (2, 10));
    assert_eq!(certificate.who.as_deref(), Some("carol"));
    assert!(log.snapshot().get(Seq::new(40)).is_ok());
    let left = count(&log);
    // Anchors are no events.
    assert_eq!(left, 20);
    let records = log.snapshot().query(&Query::new().oldest_first()).unwrap();
    assert_eq!(records.collect::<Result<Vec<_>, _>>().unwrap().len(), 20);
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
    log.retention().set_policy(&Policy::keep(Period::from_days(2)), &asked()).unwrap();
    let admin = world.options().administer(world.path()).unwrap();
    let scope = HoldScope::new().resource("file", "f1");
    admin.place_hold(&Hold::new("case 7", scope), &asked()).unwrap();
    assert_eq!(log.snapshot().segments_held_by("case 7").unwrap().segments, [2]);
    let plan = log.snapshot().plan_expiry(&ExpireOptions::new()).unwrap();
    let verdicts: Vec<&Verdict> = plan.steps.iter().map(|step| &step.verdict).collect();
    assert_eq!(verdicts[1], &Verdict::Held { cases: vec!["case 7".to_owned()] });
    let expiry = log.retention().expire(&ExpireOptions::new(), &asked()).unwrap();
    assert_eq!(expiry.dropped.iter().map(|c| c.ordinal).collect::<Vec<_>>(), [1, 3, 4, 5]);
    assert!(log.snapshot().get(Seq::new(11)).is_ok());
    admin.release_hold("case 7", &asked()).unwrap();
    let expiry = log.retention().expire(&ExpireOptions::new(), &asked()).unwrap();
    assert_eq!(expiry.dropped.iter().map(|c| c.ordinal).collect::<Vec<_>>(), [2]);
}

#[test]
fn a_clock_that_jumped_ahead_lets_nothing_go() {
    let world = World::new();
    let log = world.log(3);
    log.retention().set_policy(&Policy::keep(Period::from_days(30)), &asked()).unwrap();
    world.clock.set("2029-01-01T00:00:00Z".parse().unwrap());
    let refused = log.retention().expire(&ExpireOptions::new(), &asked());
    assert!(matches!(refused, Err(Error::ClockAhead(_))), "{refused:?}");
    world.clock.set("2010-01-01T00:00:00Z".parse().unwrap());
    assert!(log.retention().expire(&ExpireOptions::new(), &asked()).unwrap().dropped.is_empty());
}

/// A machine whose clock begins at 1970, and is set while the log is open or after it.
#[test]
fn what_was_recorded_by_a_clock_that_was_not_set_is_as_young_as_its_seal() {
    let world = World::at(Timestamp::from_nanos(100_000_000_000));
    let log = world.options().create(world.path()).unwrap();
    world.day(&log, 0); // sealed in 1970
    log.append(&event("evil", 1)).unwrap();
    world.clock.set("2026-01-01T00:00:00Z".parse().unwrap());
    log.rotate().unwrap(); // recorded in 1970, sealed in 2026
    world.day(&log, 2);
    world.day(&log, 3);
    log.retention()
        .set_policy(&Policy::keep(Period::from_days(6 * 365)).compliance(true), &asked())
        .unwrap();
    for later in [0, 5 * 365] {
        world.clock.advance(DAY * later);
        log.append(&event("later", 9)).unwrap();
        let expiry = log.retention().expire(&ExpireOptions::new(), &asked()).unwrap();
        assert!(expiry.dropped.is_empty() && expiry.stayed.is_empty(), "{expiry:?}");
    }
    let all = ExpireOptions::new().allow_contradicting_times(1..3);
    assert!(matches!(
        log.snapshot().plan_expiry(&all).unwrap().steps[1].verdict,
        Verdict::TooYoung { .. }
    ));
    world.clock.advance(DAY * 365);
    log.append(&event("later", 9)).unwrap();
    let plan = log.snapshot().plan_expiry(&ExpireOptions::new()).unwrap();
    for step in &plan.steps[..2] {
        assert!(matches!(step.verdict, Verdict::ContradictingTimes { .. }), "{:?}", step.verdict);
        let told = step.verdict.to_string();
        assert!(told.contains("its newest record is of 1970-01-0"), "{told}");
    }
    let dropped = log.retention().expire(&all, &asked()).unwrap().dropped;
    assert_eq!(dropped.iter().map(|one| one.ordinal).collect::<Vec<_>>(), [1, 2, 3, 4]);
    log.close().unwrap();
    let report = bulla::verify(&world.path(), &bulla::VerifyOptions::new(), &mut |_| ()).unwrap();
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
}

#[test]
fn what_the_policy_wants_archived_goes_only_with_a_copy_and_comes_back_from_it() {
    let world = World::new();
    let log = world.log(4);
    log.retention()
        .set_policy(&Policy::keep(Period::from_days(1)).archive(true), &asked())
        .unwrap();
    let expiry = log.retention().expire(&ExpireOptions::new(), &asked()).unwrap();
    assert!(expiry.dropped.is_empty());
    assert_eq!(expiry.stayed.len(), 4, "{:?}", expiry.stayed);
    let store = DirectoryStore::open_or_create(world.dir.path().join("archive")).unwrap();
    let store: Arc<dyn ArchiveStore> = Arc::new(store);
    let to_archive = ExpireOptions::new().archive_to(Arc::clone(&store));
    let expiry = log.retention().expire(&to_archive, &asked()).unwrap();
    assert_eq!(expiry.dropped.len(), 4);
    assert!(expiry.dropped.iter().all(|certificate| certificate.archived.is_some()));
    assert!(matches!(log.snapshot().get(Seq::new(5)), Err(Error::Expired { .. })));
    let (ordinal, folder) = log.archive().restorable_in(&*store).unwrap().remove(0);
    assert_eq!(ordinal, 1);
    log.archive().restore(&*store, &folder, &asked()).unwrap();
    assert_eq!(log.snapshot().get(Seq::new(5)).unwrap().event.actor.id, "actor-5");
    // It is not dropped again by itself, also after the log was opened again.
    log.close().unwrap();
    let log = world.options().open(world.path()).unwrap();
    assert!(log.retention().expire(&to_archive, &asked()).unwrap().dropped.is_empty());
    assert!(log.snapshot().get(Seq::new(5)).is_ok());
    let again = to_archive.drop_restored(true);
    assert_eq!(log.retention().expire(&again, &asked()).unwrap().dropped.len(), 1);
    log.close().unwrap();
    let report = bulla::verify(&world.path(), &bulla::VerifyOptions::new(), &mut |_| ()).unwrap();
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
}

#[test]
fn what_a_hold_matches_is_not_erased() {
    let world = World::new();
    let (store, key) = (world.dir.path().join("keys"), WrappingKey::from_bytes([7; 32]));
    let store = KeyStore::create(&store, &key).unwrap();
    let options = world.options().key_store(store).subject_rule(SubjectRule::Actor);
    let log = options.create(world.path()).unwrap();
    world.day(&log, 0);
    world.day(&log, 1);
    let hold = Hold::new("case 9", HoldScope::new().resource("file", "f1"));
    log.retention().place_hold(&hold, &asked()).unwrap();
    let refused = log.retention().erase("user:actor-3", &Attribution::by("carol"));
    assert!(matches!(&refused, Err(Error::Held { cases, .. }) if cases == &["case 9"]));
    assert!(log.snapshot().get(Seq::new(13)).unwrap().payload == PayloadState::Decrypted);
    log.retention().release_hold("case 9", &asked()).unwrap();
    assert_eq!(
        log.retention().erase("user:actor-3", &Attribution::by("carol")).unwrap().records,
        2
    );
    assert!(log.snapshot().get(Seq::new(13)).unwrap().payload == PayloadState::Erased);
}

#[test]
fn a_dropped_file_that_comes_back_goes_again_and_anothers_is_left() {
    let world = World::new();
    let log = world.log(3);
    let file = |ordinal: u64| world.path().join(format!("segments/{ordinal:08}.seg"));
    let bytes = [1, 2].map(|ordinal| std::fs::read(file(ordinal)).unwrap());
    log.retention().set_policy(&Policy::keep(Period::from_days(1)), &asked()).unwrap();
    assert_eq!(log.retention().expire(&ExpireOptions::new(), &asked()).unwrap().dropped.len(), 3);
    log.close().unwrap();
    std::fs::write(file(1), &bytes[0]).unwrap();
    std::fs::write(file(2), &bytes[0]).unwrap();
    let log = world.options().open(world.path()).unwrap();
    assert!(!file(1).exists(), "its own");
    assert!(file(2).exists(), "the file of another segment");
    assert!(matches!(log.snapshot().get(Seq::new(5)), Err(Error::Expired { .. })));
}

#[test]
fn sealed_segments_are_read_only_and_the_figures_say_so() {
    let world = World::new();
    let log = world.log(3);
    let file = world.path().join("segments/00000001.seg");
    assert!(std::fs::metadata(&file).unwrap().permissions().readonly());
    assert_eq!(log.snapshot().stats().unwrap().protected, (3, 0));
    log.retention()
        .set_policy(&Policy::keep(Period::from_days(1)).compliance(true), &asked())
        .unwrap();
    // Where the attribute is not to be had, the figures say that instead.
    let (read_only, immutable) = log.snapshot().stats().unwrap().protected;
    assert_eq!(read_only, 3);
    assert!(immutable == 0 || immutable == 3);
    assert_eq!(log.retention().expire(&ExpireOptions::new(), &asked()).unwrap().dropped.len(), 3);
    assert!(!file.exists());
}

#[test]
fn in_compliance_mode_the_newest_cosignature_bounds_the_time() {
    let world = World::new();
    let log = world.log(3);
    let key = world.dir.path().join("key");
    let signer = Signer::generate(&key, log.origin(), log.algorithm()).unwrap();
    let signed = log.checkpoint(&signer).unwrap();
    let name = format!("checkpoints/{:016}.checkpoint", signed.head().size.get());
    // A line of the form of a cosignature, of three days ago.
    let seconds = u64::try_from(world.clock.now().as_nanos() / 1_000_000_000).unwrap() - 3 * 86_400;
    let mut line = vec![1, 2, 3, 4];
    line.extend((0..8).rev().map(|n| u8::try_from(seconds >> (8 * n) & 0xff).unwrap()));
    line.extend([9; 64]);
    let line = format!("\u{2014} witness.example {}\n", base64(&line));
    let path = world.path().join(name);
    let note = std::fs::read_to_string(&path).unwrap() + &line;
    std::fs::write(&path, note).unwrap();
    let expires = |compliance: bool| {
        let policy = Policy::keep(Period::from_days(1)).compliance(compliance);
        log.retention().set_policy(&policy, &asked()).unwrap();
        log.snapshot().plan_expiry(&ExpireOptions::new()).unwrap().going().count()
    };
    assert_eq!(expires(false), 3);
    assert_eq!(expires(true), 0);
    (1..=3).for_each(|n| {
        RealDisk.unprotect(&world.path().join(format!("segments/{n:08}.seg"))).unwrap();
    });
}

/// Two days as they should be, a day by a clock that stands at 1970, sealed by it too, and two
/// more days.
fn a_day_of_1970(world: &World, log: &Log) {
    (0..2).for_each(|day| world.day(log, day));
    let right = world.clock.now();
    world.clock.set("1970-01-01T00:01:40Z".parse().unwrap());
    world.day(log, 2);
    world.clock.set(right);
    (3..5).for_each(|day| world.day(log, day));
    log.append(&support::aged::event("last", 5)).unwrap();
}

fn dropped(expiry: &bulla::Expiry) -> Vec<u64> {
    expiry.dropped.iter().map(|certificate| certificate.ordinal).collect()
}

#[test]
fn a_segment_of_a_clock_at_1970_is_as_young_as_those_before_it() {
    for policy_first in [true, false] {
        let world = World::new();
        let log = world.options().create(world.path()).unwrap();
        let policy = Policy::keep(Period::from_days(30)).min_age(Period::from_days(40));
        let policy = policy.compliance(true);
        let set = || log.retention().set_policy(&policy, &asked()).unwrap();
        if policy_first {
            set();
        }
        a_day_of_1970(&world, &log);
        if !policy_first {
            set();
        }
        let everything = || ExpireOptions::new().allow_contradicting_times(0..9);
        assert_eq!(dropped(&log.retention().expire(&everything(), &asked()).unwrap()), [0; 0]);
        let plan = log.snapshot().plan_expiry(&ExpireOptions::new()).unwrap();
        let third =
            plan.steps.iter().find(|step| step.segment.newest.as_nanos() < 1_000_000_000_000_000);
        let (third, is_last) = (third.unwrap(), plan.steps.last().unwrap());
        let told = third.verdict.to_string();
        assert!(matches!(third.verdict, Verdict::ContradictingTimes { .. }), "{told}");
        for part in ["1970-01-01T00:01:40", "2020-01-02", "--allow-contradicting-times"] {
            assert!(told.contains(part), "{told}");
        }
        // The record before it is of 2 January.
        assert!(third.keep_until.unwrap() >= "2020-02-11T00:00:00Z".parse().unwrap());
        assert!(matches!(is_last.verdict, Verdict::TooYoung { .. }));
        let flagged = |plan: &bulla::retention::Plan| {
            let is_flagged = |step: &&bulla::retention::Step| {
                matches!(step.verdict, Verdict::ContradictingTimes { .. })
            };
            plan.steps
                .iter()
                .filter(is_flagged)
                .map(|step| step.segment.ordinal)
                .collect::<Vec<_>>()
        };
        assert_eq!(flagged(&plan), [third.segment.ordinal]);
        // When its time is over it stays until somebody says that it may go.
        world.clock.advance(100 * support::aged::DAY);
        log.append(&support::aged::event("later", 100)).unwrap();
        let gone = dropped(&log.retention().expire(&ExpireOptions::new(), &asked()).unwrap());
        assert_eq!(gone.len() + 1, plan.steps.len(), "{gone:?}");
        assert!(!gone.contains(&third.segment.ordinal));
        let reader = world.options().open_read_only(world.path()).unwrap();
        let left = reader.snapshot().plan_expiry(&ExpireOptions::new()).unwrap();
        assert!(flagged(&left).contains(&third.segment.ordinal));
        let this = ExpireOptions::new().allow_contradicting_times([third.segment.ordinal]);
        let expiry = log.retention().expire(&this, &asked()).unwrap();
        assert_eq!(dropped(&expiry), [third.segment.ordinal]);
        let why = expiry.dropped[0].why.as_deref().unwrap();
        assert!(why.starts_with("retention; ") && why.contains("1970-01-01T00:01:40"), "{why}");
        log.close().unwrap();
        let log = world.options().open(world.path()).unwrap();
        assert!(matches!(log.snapshot().get(Seq::new(25)), Err(Error::Expired { .. })));
        log.close().unwrap();
        (1..9).for_each(|n| {
            let path = world.path().join(format!("segments/{n:08}.seg"));
            if path.exists() {
                RealDisk.unprotect(&path).unwrap();
            }
        });
    }
}

#[test]
fn the_first_segment_is_no_older_than_the_log() {
    let world = World::new();
    let log = world.options().create(world.path()).unwrap();
    let right = world.clock.now();
    world.clock.set("1970-01-01T00:01:40Z".parse().unwrap());
    world.day(&log, 0);
    world.clock.set(right);
    world.day(&log, 1);
    log.retention().set_policy(&Policy::keep(Period::from_days(30)), &asked()).unwrap();
    let options = ExpireOptions::new().allow_contradicting_times([1]);
    let plan = log.snapshot().plan_expiry(&options).unwrap();
    let until = right.saturating_add(30 * support::aged::DAY);
    assert_eq!(plan.steps[0].verdict, Verdict::TooYoung { until });
    let plan = log.snapshot().plan_expiry(&ExpireOptions::new()).unwrap();
    assert!(matches!(plan.steps[0].verdict, Verdict::ContradictingTimes { .. }));
}

#[test]
fn a_clock_that_was_ahead_at_a_seal_keeps_what_follows_longer_and_nothing_shorter() {
    let world = World::new();
    let log = world.options().create(world.path()).unwrap();
    log.retention().set_policy(&Policy::keep(Period::from_days(30)), &asked()).unwrap();
    log.append(&support::aged::event("a", 0)).unwrap();
    let (right, ahead) = (world.clock.now(), "2025-01-01T00:00:00Z".parse().unwrap());
    world.clock.set(ahead);
    log.rotate().unwrap();
    world.clock.set(right);
    (1..3).for_each(|day| world.day(&log, day));
    log.close().unwrap();
    // Also by a process that did not see it.
    let log = world.options().open(world.path()).unwrap();
    (3..5).for_each(|day| world.day(&log, day));
    let plan = log.snapshot().plan_expiry(&ExpireOptions::new()).unwrap();
    assert!(plan.steps.len() >= 5);
    for step in &plan.steps {
        assert!(step.keep_until >= Some(ahead.saturating_add(30 * support::aged::DAY)), "{step:?}");
    }
}

/// No head binds the time of the seal that a footer tells: the catalog's record of the seal counts.
#[test]
fn a_footer_that_tells_of_an_earlier_seal_makes_nothing_older() {
    let world = World::at(Timestamp::from_nanos(100_000_000_000));
    let log = world.log(1); // sealed in 1970
    log.append(&event("later", 1)).unwrap();
    let right: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    world.clock.set(right);
    log.rotate().unwrap(); // recorded in 1970, sealed in 2026
    world.day(&log, 2);
    log.retention().set_policy(&Policy::keep(Period::from_days(365)), &asked()).unwrap();
    log.close().unwrap();
    let path = world.path().join("segments/00000002.seg");
    let mut bytes = std::fs::read(&path).unwrap();
    let told = right.as_nanos().to_le_bytes();
    let at = bytes.windows(8).rposition(|eight| eight == told).unwrap();
    bytes[at..at + 8].copy_from_slice(&0_i64.to_le_bytes());
    let footer = &mut bytes[at - 192..][..FOOTER_LEN];
    let crc = crc32fast::hash(&footer[..FOOTER_LEN - 4]);
    footer[FOOTER_LEN - 4..].copy_from_slice(&crc.to_le_bytes());
    std::fs::remove_file(&path).unwrap(); // it is read-only
    std::fs::write(&path, bytes).unwrap();
    let reader = world.options().open_read_only(world.path()).unwrap();
    let plan = reader.snapshot().plan_expiry(&ExpireOptions::new()).unwrap();
    let until = right.saturating_add(365 * DAY);
    assert_eq!(plan.steps[1].keep_until, Some(until), "{:?}", plan.steps[1]);
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - group.len()));
        for digit in 0..4 {
            let at = (bits >> (18 - 6 * digit) & 63) as usize;
            text.push(if digit <= group.len() { char::from(DIGITS[at]) } else { '=' });
        }
    }
    text
}

#[test]
fn a_reader_passes_what_was_dropped_before_it_came() {
    let world = World::new();
    let log = world.log(1);
    let reader = world.options().open_read_only(world.path()).unwrap();
    let before = reader.size();
    (1..6).for_each(|day| world.day(&log, day));
    log.retention().set_policy(&Policy::keep(Period::from_days(2)), &asked()).unwrap();
    let dropped = log.retention().expire(&ExpireOptions::new(), &asked()).unwrap().dropped;
    assert!(dropped.len() > 2, "{}", dropped.len());
    let size = reader.refresh().unwrap();
    assert_eq!(size, log.snapshot().size());
    for seq in (before.get()..size.get()).map(Seq::new) {
        match (log.snapshot().get(seq), reader.snapshot().get(seq)) {
            (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs),
            (Err(Error::Expired { .. }), Err(Error::Expired { .. })) => {}
            other => panic!("{seq}: {other:?}"),
        }
    }
}
