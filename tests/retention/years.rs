//! Retention of a log with many segments: what one drop, or one record that went, costs does not
//! grow with them, and each drop still goes by what is in force at its own time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // a failure of this program is a failed test

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::support::aged::{DAY, World, asked, event};
use bulla::archive::{ArchiveStore, DirectoryStore};
use bulla::disk::{Disk, DiskFile, Open, Protection, RealDisk};
use bulla::{
    Durability, Error, Event, ExpireOptions, Hold, HoldScope, Log, LogAdmin, LogOptions, Period,
    Policy, Seq,
};

/// The real disk, and how often files were opened and looked for.
#[derive(Debug, Default)]
struct Counting {
    opened: AtomicU64,
    looked_for: AtomicU64,
}

impl Counting {
    /// Files opened and looked for while something was done.
    fn during(&self, act: impl FnOnce()) -> (u64, u64) {
        let now = || (self.opened.load(Ordering::Relaxed), self.looked_for.load(Ordering::Relaxed));
        let before = now();
        act();
        (now().0 - before.0, now().1 - before.1)
    }
}

impl Disk for Counting {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        RealDisk.open(path, how)
    }
    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.looked_for.fetch_add(1, Ordering::Relaxed);
        RealDisk.exists(path)
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_dir(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        RealDisk.list(dir)
    }
    fn real_path(&self, path: &Path) -> io::Result<PathBuf> {
        RealDisk.real_path(path)
    }
    fn is_private(&self, path: &Path) -> io::Result<bool> {
        RealDisk.is_private(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove_file(path)
    }
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove_dir(path)
    }
    fn protect(&self, path: &Path, wanted: Protection) -> io::Result<Protection> {
        RealDisk.protect(path, wanted)
    }
    fn unprotect(&self, path: &Path) -> io::Result<()> {
        RealDisk.unprotect(path)
    }
    fn protection(&self, path: &Path) -> io::Result<Protection> {
        RealDisk.protection(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.sync_dir(dir)
    }
}

fn options(world: &World) -> LogOptions {
    world.options().durability(Durability::Os)
}

/// One segment a day, of ten events each, and a policy by which all but the last three go.
fn log_of(options: LogOptions, world: &World, days: u64) -> Log {
    let log = options.create(world.path()).unwrap();
    for day in 0..days {
        let events: Vec<Event> = (0..10).map(|n| event(&format!("actor-{n}"), day)).collect();
        log.append_batch(&events).unwrap();
        log.rotate().unwrap();
        world.clock.advance(DAY);
    }
    log.retention()
        .set_policy(&Policy::keep(Period::from_days(3)).min_records(25), &asked())
        .unwrap();
    log
}

#[test]
fn a_drop_looks_at_its_own_segment_and_not_at_all_others() {
    let [few, many] = [20, 120].map(|days| {
        let (world, disk) = (World::new(), Arc::new(Counting::default()));
        let log = log_of(options(&world).disk(Arc::clone(&disk) as Arc<dyn Disk>), &world, days);
        // The first one replays the catalog, and fills what is kept.
        let expire = |most| {
            let expiry =
                log.retention().expire(&ExpireOptions::new().at_most(most), &asked()).unwrap();
            assert_eq!(expiry.dropped.len(), most);
        };
        expire(1);
        let (one, six) = (disk.during(|| expire(1)), disk.during(|| expire(6)));
        // The plan is made once: what the five more cost is theirs.
        (six.0.saturating_sub(one.0), six.1.saturating_sub(one.1))
    });
    assert!(many.0 <= few.0 + 20, "opened {few:?}, {many:?}");
    assert!(many.1 <= few.1 + 20, "looked for {few:?}, {many:?}");
}

#[test]
fn certificates_are_read_from_a_catalog_that_stays_open_and_new_ones_are_found() {
    let (world, disk) = (World::new(), Arc::new(Counting::default()));
    let log = log_of(options(&world), &world, 40);
    let at_most = |most| ExpireOptions::new().at_most(most);
    let certificate = |got: Result<_, Error>| match got {
        Err(Error::Expired { certificate, .. }) => certificate.ordinal,
        other => panic!("expected the certificate, found {other:?}"),
    };
    log.retention().expire(&at_most(10), &asked()).unwrap();
    let reader =
        options(&world).disk(Arc::clone(&disk) as Arc<dyn Disk>).open_read_only(world.path());
    let (reader, sees_none) = (reader.unwrap(), log.snapshot());
    let get = |seq| certificate(reader.snapshot().get(Seq::new(seq)));
    let first = disk.during(|| assert_eq!(get(3), 1)).0;
    assert!(first > 0, "the catalog is opened");
    let more = disk.during(|| (0..100).for_each(|seq| assert_eq!(get(seq), seq / 10 + 1))).0;
    assert_eq!(more, 0, "it stays open");
    // What another process dropped since has its certificate there as well.
    log.retention().expire(&at_most(10), &asked()).unwrap();
    for seq in (100..200).rev() {
        assert_eq!(get(seq), seq / 10 + 1);
        assert_eq!(certificate(sees_none.get(Seq::new(seq))), seq / 10 + 1);
    }
    assert!(reader.snapshot().get(Seq::new(200)).is_ok());
}

type Act = fn(&mut LogAdmin);

/// An archive; when a second segment comes into it, another process acts.
#[derive(Debug)]
struct Meddling {
    store: DirectoryStore,
    segments: AtomicU64,
    options: LogOptions,
    dir: PathBuf,
    act: Act,
}

impl ArchiveStore for Meddling {
    fn put(&self, key: &str, len: u64, bytes: &mut dyn io::Read) -> io::Result<()> {
        if key.ends_with(".seg") && self.segments.fetch_add(1, Ordering::Relaxed) == 1 {
            (self.act)(&mut self.options.clone().administer(&self.dir).unwrap());
        }
        self.store.put(key, len, bytes)
    }
    fn len(&self, key: &str) -> io::Result<Option<u64>> {
        self.store.len(key)
    }
    fn read_at(&self, key: &str, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.store.read_at(key, buf, offset)
    }
    fn list(&self, prefix: &str) -> io::Result<Vec<String>> {
        self.store.list(prefix)
    }
    fn location(&self) -> String {
        self.store.location()
    }
}

#[test]
fn what_is_recorded_between_two_drops_counts_for_the_second() {
    let keep = |days| Policy::keep(Period::from_days(days));
    let acts: [(Act, &str); 4] = [
        (
            |admin| {
                admin
                    .place_hold(&Hold::new("c", HoldScope::new().actor("actor-3")), &asked())
                    .unwrap()
            },
            "held",
        ),
        (
            |admin| admin.set_policy(&Policy::keep(Period::from_days(400)), &asked()).unwrap(),
            "too young",
        ),
        (
            |admin| {
                admin
                    .set_policy(&Policy::keep(Period::from_days(3)).min_records(185), &asked())
                    .unwrap()
            },
            "among the newest",
        ),
        (
            |admin| {
                admin
                    .set_policy(&Policy::keep(Period::from_days(3)).min_records(175), &asked())
                    .unwrap()
            },
            "nothing",
        ),
    ];
    for (act, why) in acts {
        let world = World::new();
        let log = log_of(options(&world), &world, 20);
        log.retention().set_policy(&keep(3), &asked()).unwrap();
        let (store, segments) = (
            DirectoryStore::open_or_create(world.dir.path().join("archive")).unwrap(),
            AtomicU64::new(0),
        );
        let (options, dir) = (options(&world), world.path());
        let store = Arc::new(Meddling { store, segments, options, dir, act });
        let expiry =
            log.retention().expire(&ExpireOptions::new().archive_to(store), &asked()).unwrap();
        assert_eq!(expiry.plan.going().count(), 18, "{why}");
        let dropped: Vec<u64> = expiry.dropped.iter().map(|dropped| dropped.ordinal).collect();
        if why == "nothing" {
            // The newest 175 events begin in segment 3.
            assert_eq!((dropped.as_slice(), expiry.stayed.len()), ([1, 2].as_slice(), 16));
            continue;
        }
        assert_eq!((dropped.as_slice(), expiry.stayed.len()), ([1].as_slice(), 17), "{why}");
        for (ordinal, error) in &expiry.stayed {
            let told = error.to_string();
            assert!(
                told.contains(why) || why == "held" && matches!(error, Error::Held { .. }),
                "{ordinal}: {told}"
            );
        }
        assert!(log.snapshot().get(Seq::new(10)).is_ok());
    }
}
