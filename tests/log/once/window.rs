//! How far back ids are known: by age, by number, and as far as the records can be read.

use std::fs;
use std::time::Duration;

use bulla::{Error, ExpireOptions, Log, Period, Policy, Seq, Timestamp};

use super::{all_different, event, in_dir, options, with_clock};
use crate::support;
use crate::support::aged::{DAY, World, asked};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn the_newest_records_are_known_before_and_after_reopening() {
    for reopens in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let mut log = options().once_ids(5).segment_bytes(64 << 10).create(in_dir(&dir)).unwrap();
        for n in 0..20 {
            log.append_once(&event(n)).unwrap();
            if n % 3 == 2 {
                log.rotate().unwrap();
            }
        }
        if reopens {
            log.close().unwrap();
            log = options().once_ids(5).open(in_dir(&dir)).unwrap();
        }
        // Looking changes nothing.
        let known: Vec<u64> =
            (0..20).filter(|n| log.find_once(&event(*n)).unwrap().is_some()).collect();
        assert_eq!(known, [15, 16, 17, 18, 19], "reopened: {reopens}");
        assert_eq!(log.append_once(&event(15)).unwrap().seq, Seq::new(15));
        assert_eq!(log.append_once(&event(14)).unwrap().seq, Seq::new(20));
        assert_eq!(log.append_once(&event(14)).unwrap().seq, Seq::new(20));
        assert_eq!(log.append_once(&event(15)).unwrap().seq, Seq::new(21), "pushed out");
    }
}

#[test]
fn a_record_is_known_as_long_as_it_is_not_much_older_than_the_newest() {
    for reopens in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let clock = support::clock();
        let options = || with_clock(&clock).once_age(10 * HOUR);
        let mut log = options().create(in_dir(&dir)).unwrap();
        for n in 0..20 {
            log.append_once(&event(n)).unwrap();
            clock.advance(HOUR);
            if n % 4 == 0 {
                log.rotate().unwrap();
            }
        }
        // An idle log forgets nothing.
        clock.advance(100 * HOUR);
        if reopens {
            log.close().unwrap();
            log = options().open(in_dir(&dir)).unwrap();
        }
        let known: Vec<u64> =
            (0..20).filter(|n| log.find_once(&event(*n)).unwrap().is_some()).collect();
        assert_eq!(known, (9..20).collect::<Vec<_>>(), "reopened: {reopens}");
        assert_eq!(log.append_once(&event(8)).unwrap().seq, Seq::new(20));
        assert_eq!(log.find_once(&event(19)).unwrap(), None, "108 hours before the newest");
    }
}

#[test]
fn a_clock_that_is_set_back_makes_the_window_longer() {
    let dir = tempfile::tempdir().unwrap();
    let clock = support::clock();
    let options = || with_clock(&clock).once_age(10 * HOUR);
    let log = options().create(in_dir(&dir)).unwrap();
    let start = Timestamp::from_nanos(support::START);
    for (n, hours) in [(0, 0), (1, 40), (2, 41), (3, 5), (4, 6), (5, 42)] {
        clock.set(start.saturating_add(hours * HOUR));
        log.append_once(&event(n)).unwrap();
    }
    let known = |log: &Log| -> Vec<u64> {
        (0..6).filter(|n| log.find_once(&event(*n)).unwrap().is_some()).collect()
    };
    // By their own times, wherever they stand.
    assert_eq!(known(&log), [1, 2, 5]);
    clock.set(start.saturating_add(7 * HOUR));
    log.append_once(&event(6)).unwrap();
    assert_eq!(known(&log), [0, 1, 2, 3, 4, 5]);
    log.close().unwrap();
    assert_eq!(known(&options().open(in_dir(&dir)).unwrap()), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn an_id_whose_record_expired_is_free_again() {
    let world = World::new();
    let log = world.log(6);
    let given = |log: &Log, seq: u64| log.snapshot().get(Seq::new(seq)).unwrap().event;
    let (old, young) = (given(&log, 5), given(&log, 45));
    let options = || world.options().once_age(100 * DAY);
    log.close().unwrap();
    let log = options().open(world.path()).unwrap();
    assert_eq!(log.append_once(&old).unwrap().seq, Seq::new(5));
    log.retention().set_policy(&Policy::keep(Period::from_days(3)), &asked()).unwrap();
    log.retention().expire(&ExpireOptions::new(), &asked()).unwrap();
    assert!(matches!(log.snapshot().get(Seq::new(5)), Err(Error::Expired { .. })));
    assert_eq!(log.find_once(&old).unwrap(), None);
    assert_eq!(log.append_once(&young).unwrap().seq, Seq::new(45));
    log.close().unwrap();
    let log = options().open(world.path()).unwrap();
    assert_eq!(log.append_once(&young).unwrap().seq, Seq::new(45));
    let size = log.size().get();
    assert_eq!(log.append_once(&old).unwrap().seq, Seq::new(size));
    assert_eq!(log.append_once(&old).unwrap().seq, Seq::new(size));
}

#[test]
fn where_a_record_of_the_window_is_damaged_it_is_unknown_whether_the_id_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let log = options().create(in_dir(&dir)).unwrap();
    for n in 0..10 {
        log.append_once(&event(n)).unwrap();
    }
    log.rotate().unwrap();
    log.append_once(&event(10)).unwrap();
    log.close().unwrap();
    let segment = in_dir(&dir).join("segments/00000001.seg");
    let mut bytes = fs::read(&segment).unwrap();
    let at = bytes.windows(7).position(|found| found == b"{\"n\":5}").unwrap();
    bytes[at] ^= 1;
    let mut permissions = fs::metadata(&segment).unwrap().permissions();
    #[allow(clippy::permissions_set_readonly_false)]
    permissions.set_readonly(false);
    fs::set_permissions(&segment, permissions).unwrap();
    fs::write(&segment, bytes).unwrap();
    let log = options().open(in_dir(&dir)).unwrap();
    for _ in 0..2 {
        let refused = log.append_once(&event(11));
        assert!(matches!(refused, Err(Error::Corrupt { .. })), "{refused:?}");
    }
    log.append(&event(11)).unwrap();
    log.close().unwrap();
    // With a window that does not reach it all is well.
    let log = options().once_ids(2).open(in_dir(&dir)).unwrap();
    assert_eq!(log.append_once(&event(11)).unwrap().seq, Seq::new(11));
    assert_eq!(log.append_once(&event(12)).unwrap().seq, Seq::new(12));
}

#[test]
fn logs_do_not_share_their_windows_and_a_copy_knows_what_it_holds() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = options().create(in_dir(&one)).unwrap();
    first.append_once(&event(1)).unwrap();
    let second = options().create(in_dir(&other)).unwrap();
    assert_eq!(second.append_once(&event(2)).unwrap().seq, Seq::new(0));
    assert_eq!(second.append_once(&event(1)).unwrap().seq, Seq::new(1));
    first.close().unwrap();
    assert_eq!(all_different(&in_dir(&one)), 1);
}
