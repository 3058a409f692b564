//! The promise: a log with gaps is never taken for a smaller one. What is there is read, what is
//! not known is said to be so, and what was mended is on record, whatever else is damaged.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // a failure of this program is a failed test

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;

use crate::support::aged::{DAY, World, asked};
use bulla::{
    Actor, Error, Event, ExpireOptions, Hold, HoldScope, Log, Period, Policy, Query, Report,
    Resource, Seq, VerifyOptions,
};

impl World {
    /// Drops what is older than so many days.
    fn expire(&self, log: &Log, days: u64) -> Vec<u64> {
        log.retention().set_policy(&Policy::keep(Period::from_days(days)), &asked()).unwrap();
        let expiry = log.retention().expire(&ExpireOptions::new(), &asked()).unwrap();
        expiry.dropped.iter().map(|certificate| certificate.ordinal).collect()
    }

    fn verify(&self) -> Report {
        bulla::verify(&self.path(), &VerifyOptions::new(), &mut |_| ()).unwrap()
    }

    fn damage_both_copies(&self) {
        for copy in ["a", "b"] {
            flip(&self.path().join("catalog").join(copy).join("00000001.seg"), 600);
        }
        let _ = fs::remove_file(self.path().join("catalog/snapshot"));
    }
}

fn fill(log: &Log, file: &str, count: u64) {
    for n in 0..count {
        let (actor, resource) = (Actor::new("user", n.to_string()), Resource::new("file", file));
        log.append(&Event::new(actor, "file.read", resource)).unwrap();
    }
}

fn flip(path: &Path, at: u64) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o640)).unwrap();
    let file = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x80], at).unwrap();
}

/// What a reader has of these records, in both directions, and what it must not say of others.
fn check_reader(world: &World, there: &[u64], unknown: &[u64]) {
    let reader = world.options().open_read_only(world.path()).unwrap();
    let count = u64::try_from(there.len()).unwrap();
    assert_eq!(reader.snapshot().count(&Query::new()).unwrap(), count);
    for query in [Query::new(), Query::new().oldest_first()] {
        let mut found: Vec<u64> = reader
            .snapshot()
            .query(&query)
            .unwrap()
            .map(|record| record.unwrap().seq.get())
            .collect();
        found.sort_unstable();
        assert_eq!(found, there);
    }
    for seq in there {
        assert_eq!(reader.snapshot().get(Seq::new(*seq)).unwrap().seq.get(), *seq);
    }
    for seq in unknown {
        let got = reader.snapshot().get(Seq::new(*seq));
        assert!(matches!(got, Err(Error::CatalogDamaged { .. })), "{seq}: {got:?}");
    }
    assert!(!reader.snapshot().segments().unwrap().is_empty());
}

#[test]
fn with_both_catalog_copies_damaged_a_log_whose_first_segments_went_is_read_on() {
    // Only the segment that is being written is left.
    let world = World::new();
    let log = world.log(4);
    world.clock.advance(30 * DAY);
    fill(&log, "new", 1);
    log.rotate().unwrap();
    world.clock.advance(DAY);
    fill(&log, "newest", 1);
    let dropped = world.expire(&log, 1);
    assert!(dropped.starts_with(&[1, 2, 3, 4]), "{dropped:?}");
    fill(&log, "after", 5);
    let query = Query::new();
    let there: Vec<u64> =
        log.snapshot().query(&query).unwrap().map(|r| r.unwrap().seq.get()).collect();
    let there: Vec<u64> = there.into_iter().rev().collect();
    log.close().unwrap();
    drop(log);
    world.damage_both_copies();
    check_reader(&world, &there, &[0, 9, 39]);
}

#[test]
fn with_both_catalog_copies_damaged_a_gap_in_the_middle_is_unknown_and_not_absent() {
    let world = World::new();
    let log = world.log(6);
    log.retention().set_policy(&Policy::keep(Period::from_days(2)), &asked()).unwrap();
    let scope = HoldScope::new().resource("file", "f0");
    log.retention().place_hold(&Hold::new("case 7", scope), &asked()).unwrap();
    let expiry = log.retention().expire(&ExpireOptions::new(), &asked()).unwrap();
    let dropped: Vec<u64> = expiry.dropped.iter().map(|c| c.ordinal).collect();
    assert_eq!(dropped, [2, 3, 4, 5]);
    fill(&log, "after", 5);
    let there = |log: &Log| -> Vec<u64> {
        let records = log.snapshot().query(&Query::new().oldest_first()).unwrap();
        records.map(|record| record.unwrap().seq.get()).collect()
    };
    let expected = there(&log);
    log.close().unwrap();
    drop(log);
    world.damage_both_copies();
    check_reader(&world, &expected, &[10, 25, 49]);
    // Writing goes on from the mark, and says the same.
    let log = world.options().open(world.path()).unwrap();
    assert_eq!(there(&log), expected);
    assert!(matches!(log.snapshot().get(Seq::new(25)), Err(Error::CatalogDamaged { .. })));
    log.close().unwrap();
    drop(log);
    // Without its mark nothing leads across the gap.
    fs::remove_file(world.path().join("tree/mark")).unwrap();
    let refused = world.options().open(world.path());
    assert!(matches!(refused, Err(Error::CatalogDamaged { .. })), "{refused:?}");
    check_reader(&world, &expected, &[10, 25, 49]);
}

#[test]
fn without_catalog_and_segments_a_log_is_not_taken_for_an_empty_one() {
    let world = World::new();
    world.log(2).close().unwrap();
    world.damage_both_copies();
    for ordinal in 1..=2 {
        fs::remove_file(world.path().join(format!("segments/{ordinal:08}.seg"))).unwrap();
    }
    let opened = world.options().open_read_only(world.path());
    let refused = matches!(opened, Err(Error::CatalogDamaged { .. } | Error::NotALog { .. }));
    assert!(refused, "{opened:?}");
}

#[test]
fn a_catalog_copy_that_an_administrator_mends_is_told_and_on_record_and_a_service_goes_on() {
    for copy in ["a", "b"] {
        let world = World::new();
        let service = world.log(3);
        flip(&world.path().join("catalog").join(copy).join("00000001.seg"), 600);
        let admin = world.options().administer(world.path()).unwrap();
        assert_eq!(admin.set_aside().len(), 1, "{copy}");
        let told = admin.set_aside()[0].to_string();
        assert!(told.contains("the other copy") && !told.contains("nothing was changed"), "{told}");
        let hold = Hold::new("case 7", HoldScope::new().resource("file", "f0"));
        admin.place_hold(&hold, &asked()).unwrap();
        // The service had the mended file open all the time.
        assert_eq!(service.snapshot().catalog().holds().unwrap().len(), 1, "{copy}");
        assert_eq!(world.expire(&service, 1), [2, 3], "{copy}: 1 is held");
        let history = service.snapshot().catalog().history().unwrap();
        let set_aside = history.iter().filter(|entry| entry.what == "bytes set aside");
        assert_eq!(set_aside.count(), 1, "{copy}");
        service.close().unwrap();
        drop(service);
        assert_eq!(fs::read_dir(world.path().join("quarantine")).unwrap().count(), 1);
        let [a, b] = ["a", "b"].map(|copy| {
            fs::read(world.path().join("catalog").join(copy).join("00000001.seg")).unwrap()
        });
        assert_eq!(a, b);
        let report = world.verify();
        assert!(report.findings.is_empty(), "{:#?}", report.findings);
        assert!(report.warnings.is_empty(), "{:#?}", report.warnings);
    }
}

#[test]
fn a_segment_whose_file_is_gone_is_listed_as_missing() {
    let world = World::new();
    let log = world.log(4);
    assert_eq!(world.expire(&log, 4), [1]);
    log.close().unwrap();
    drop(log);
    fs::remove_file(world.path().join("segments/00000002.seg")).unwrap();
    let reader = world.options().open_read_only(world.path()).unwrap();
    let listed = |segments: Vec<bulla::SegmentInfo>| -> Vec<String> {
        segments.iter().map(|segment| segment.status.to_string()).collect()
    };
    assert_eq!(
        listed(reader.snapshot().segments().unwrap())[..4],
        ["dropped", "missing", "live", "live"]
    );
    let stats = reader.snapshot().stats().unwrap();
    assert_eq!(stats.dropped_segments, 1);
    let log = world.options().open(world.path()).unwrap();
    assert_eq!(listed(log.snapshot().segments().unwrap())[1], "missing");
}

#[test]
fn lost_hashes_of_dropped_records_are_told_apart_from_others_with_what_helps() {
    let world = World::new();
    let log = world.log(4);
    assert_eq!(world.expire(&log, 3), [1, 2]);
    log.close().unwrap();
    drop(log);
    let tree = world.path().join("tree");
    let told = |report: Report| {
        let about = |finding: &&bulla::Finding| finding.to_string().contains("dropped records");
        let told: Vec<String> =
            report.findings.iter().filter(about).map(ToString::to_string).collect();
        assert!(!told.is_empty(), "{:#?}", report.findings);
        told.join("\n")
    };
    flip(&tree.join("level-00.hashes"), 300); // one of the first leaves
    let others = told(world.verify());
    assert!(others.contains("found others"), "{others}");
    fs::remove_dir_all(&tree).unwrap();
    let none = told(world.verify());
    assert!(none.contains("found none") && none.contains("restore `tree/`"), "{none}");
    // What is made anew without them says so, and is no damage.
    world.options().open(world.path()).unwrap().close().unwrap();
    let report = world.verify();
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
    let told = report.warnings.iter().filter(|warning| warning.to_string().contains("not known"));
    assert_eq!(told.count(), 2, "{:#?}", report.warnings);
}
