//! Attacks on hashes that are lost: zeros at odd places never prove anything wrong. See
//! `lost_tree.rs` for the promise.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code)]
#![allow(clippy::cast_possible_truncation, clippy::cast_lossless)]
#![allow(clippy::indexing_slicing, clippy::print_stderr, missing_docs)]

mod crashes;

use std::path::PathBuf;

use crate::lost_tree::scene::{self, Lost, Scene};
use crate::support;
use crate::support::dir;
use crate::support::random::Random;
use bulla::disk::sim::SimDisk;
use bulla::disk::{Disk, Open};
use bulla::{Disclosure, HashAlgorithm, LogOptions, Seq};

fn options(disk: &SimDisk, clock: &std::sync::Arc<bulla::time::ManualClock>) -> LogOptions {
    support::Shape::PLAIN.options(disk, clock).segment_age(scene::DAY * 10_000)
}

fn zero(disk: &SimDisk, level: u8, from: u64, count: u64) {
    let file = disk.open(&Lost::level(level), Open::ReadWrite).unwrap();
    let len = file.len().unwrap();
    let at = (64 + 32 * from).min(len);
    let end = (64 + 32 * (from + count)).min(len);
    file.write_at(&vec![0; (end - at) as usize], at).unwrap();
    file.sync_data().unwrap();
}

fn tree_files(disk: &SimDisk) -> Vec<(PathBuf, Vec<u8>)> {
    let tree = dir().join("tree");
    let names = disk.list(&tree).unwrap();
    names.iter().map(|n| (tree.join(n), disk.read_file(&tree.join(n)).unwrap())).collect()
}

/// a log without gaps and without signed heads whose stored peaks are zeros (a lost sector):
/// other bytes there are made anew at opening. Zeros?
fn plain(seed: u64, byte: u8) {
    let disk = SimDisk::new(seed);
    let clock = support::clock();
    let log = options(&disk, &clock).create(dir()).unwrap();
    for n in 0..300 {
        log.append(&support::event(n)).unwrap();
    }
    log.close().unwrap();
    drop(log);
    let path = Lost::level(0);
    let file = disk.open(&path, Open::ReadWrite).unwrap();
    let len = file.len().unwrap();
    file.write_at(&vec![byte; (len - 64) as usize], 64).unwrap();
    file.sync_data().unwrap();
    let log = options(&disk, &clock).open(dir()).unwrap();
    let rebuilt = log.recovery().rebuilt.clone();
    let root = log.snapshot().tiles(log.size()).unwrap().head_at(bulla::TreeSize::new(101));
    assert!(rebuilt.is_some() && root.is_ok(), "not made anew: {root:?}");
}

#[test]
fn plain_noise_at_peaks() {
    plain(1, 0x55);
}

#[test]
fn plain_zeros_at_peaks() {
    plain(1, 0);
}

/// a newest signed head within a restored segment, whose stored hashes are zeros.
#[test]
fn zeros_in_a_restored_segment_are_damage() {
    for byte in [0x55_u8, 0] {
        let scene = Scene::signed_long_ago(2);
        let log = scene.open();
        scene.restore(&log, 2);
        assert_eq!(scene.checkpoints.last().unwrap().0, Some(2), "the newest head is inside it");
        log.close().unwrap();
        drop(log);
        let seqs: Vec<u64> = scene.seqs(2).map(Seq::get).collect();
        let file = scene.disk.open(&Lost::level(0), Open::ReadWrite).unwrap();
        file.write_at(&vec![byte; 32 * seqs.len()], 64 + 32 * seqs[0]).unwrap();
        file.sync_data().unwrap();
        let log = scene.open();
        let proved = log.snapshot().prove(Seq::new(seqs[3]), &scene.inside(2), Disclosure::Whole);
        let signed = log.checkpoint(&scene.signer).map(|_| ()).map_err(|e| e.to_string());
        assert!(proved.is_ok() && signed.is_ok(), "byte {byte}: {proved:?}, {signed:?}");
    }
}

/// random zero runs anywhere: whatever is handed out is right.
#[test]
fn random_zeros_never_prove_wrongly() {
    use bulla::TreeSize;
    let mut random = Random::new(88_172_645_463_325_252);
    let mut rnd = move |n: u64| random.below(n);
    for held in [&[1_u64][..], &[], &[2, 5, 6]] {
        for algorithm in [HashAlgorithm::Sha256, HashAlgorithm::Blake3] {
            let made = Scene::new(6, algorithm, held);
            let log = made.open();
            let size = log.size();
            let truth: Vec<_> = (0..=size.get())
                .map(|n| {
                    log.snapshot().tiles(size).unwrap().head_at(TreeSize::new(n)).unwrap().root
                })
                .collect();
            let paths = |log: &bulla::Log| -> Vec<Option<Vec<bulla::Hash>>> {
                let snapshot = log.snapshot();
                (1..size.get())
                    .step_by(3)
                    .map(|n| {
                        let tiles = snapshot.tiles(size).unwrap();
                        tiles.consistency_from(TreeSize::new(n)).ok()
                    })
                    .collect()
            };
            let all = paths(&log);
            log.close().unwrap();
            drop(log);
            for round in 0..25 {
                let scene = made.fork(100 + round);
                for _ in 0..=rnd(3) {
                    let level = 4 * rnd(3) as u8;
                    let entries = size.get() >> level;
                    let from = rnd(entries);
                    let part = 1 + rnd(6);
                    zero(&scene.disk, level, from, 1 + rnd(entries / part));
                }
                if round % 2 == 0 {
                    Lost::RecoveryPoint.from(&scene.disk);
                }
                for step in 0..2 {
                    let log = match scene.options().open(dir()) {
                        Ok(log) => log,
                        Err(error) => panic!("round {round} step {step}: {error}"),
                    };
                    let tiles = log.snapshot();
                    let tiles = tiles.tiles(size).unwrap();
                    for n in 0..=size.get() {
                        if let Ok(head) = tiles.head_at(TreeSize::new(n)) {
                            assert_eq!(head.root, truth[n as usize], "round {round} size {n}");
                        }
                    }
                    for (found, right) in paths(&log).iter().zip(&all) {
                        if let Some(found) = found {
                            assert_eq!(Some(found), right.as_ref(), "round {round}");
                        }
                    }
                    log.append(&support::event(1)).unwrap();
                    log.close().unwrap();
                    drop(log);
                    let reader = scene.options().open_read_only(dir()).unwrap();
                    let snapshot = reader.snapshot();
                    let tiles = snapshot.tiles(size).unwrap();
                    for n in 0..=size.get() {
                        if let Ok(head) = tiles.head_at(TreeSize::new(n)) {
                            assert_eq!(head.root, truth[n as usize], "reader {round} size {n}");
                        }
                    }
                    Lost::RecoveryPoint.from(&scene.disk);
                }
            }
        }
    }
}

/// Larger segments: 3 days of 150 events; the second and the first go, the third stays.
mod large {
    use std::path::Path;
    use std::sync::Arc;

    use bulla::archive::DirectoryStore;
    use bulla::disk::sim::SimDisk;
    use bulla::time::ManualClock;
    use bulla::{Error, ExpireOptions, Hash, Log, LogOptions, Period, Policy, Report, TreeSize};
    use bulla::{VerifyOptions, verify};

    use crate::lost_hashes::scene::{DAY, asked};
    use crate::support::{clock, dir, event, signer};

    pub(crate) struct Large {
        pub(crate) disk: SimDisk,
        pub(crate) clock: Arc<ManualClock>,
        pub(crate) truth: Vec<Hash>,
    }

    impl Large {
        pub(crate) fn new(seed: u64, events: u64, days: u64) -> Self {
            let (disk, clock) = (SimDisk::new(seed), clock());
            let mut made = Large { disk, clock, truth: Vec::new() };
            let log = made.options().create(dir()).unwrap();
            for day in 1..=days {
                for n in 0..events {
                    log.append(&event(8 * n)).unwrap();
                }
                log.rotate().unwrap();
                log.archive().copy(day, &made.store(), &asked()).unwrap();
                made.clock.advance(DAY);
            }
            log.append(&event(0)).unwrap();
            log.checkpoint(&signer(&made.disk, bulla::HashAlgorithm::Sha256).unwrap()).unwrap();
            log.retention().set_policy(&Policy::keep(Period::from_days(1)), &asked()).unwrap();
            let expiry = log.retention().expire(&ExpireOptions::new(), &asked()).unwrap();
            assert!(!expiry.dropped.is_empty());
            let size = log.size();
            made.truth = roots(&log, size);
            log.close().unwrap();
            made
        }

        pub(crate) fn fork(&self, seed: u64) -> Self {
            Large {
                disk: self.disk.fork(seed),
                clock: Arc::clone(&self.clock),
                truth: self.truth.clone(),
            }
        }

        pub(crate) fn options(&self) -> LogOptions {
            crate::lost_hashes::options(&self.disk, &self.clock).segment_bytes(8 << 20)
        }

        pub(crate) fn open(&self) -> Log {
            self.options().open(dir()).unwrap()
        }

        pub(crate) fn store(&self) -> DirectoryStore {
            DirectoryStore::open_or_create_on(Arc::new(self.disk.clone()), Path::new("/archive"))
                .unwrap()
        }

        pub(crate) fn restore(&self, log: &Log, ordinal: u64) -> Result<(), Error> {
            let store = self.store();
            let dropped = log.archive().restorable_in(&store)?;
            let (_, folder) = dropped.into_iter().find(|(n, _)| *n == ordinal).unwrap();
            log.archive().restore(&store, &folder, &asked()).map(|_| ())
        }

        pub(crate) fn verify(&self) -> Report {
            let options = VerifyOptions::new().disk(Arc::new(self.disk.clone()));
            verify(&dir(), &options, &mut |_| ()).unwrap()
        }

        /// Sizes whose root is refused; all others are right.
        pub(crate) fn refused(&self, log: &Log) -> usize {
            let snapshot = log.snapshot();
            let tiles = snapshot.tiles(log.size()).unwrap();
            let mut refused = 0;
            for (n, root) in (0..).zip(&self.truth) {
                match tiles.head_at(TreeSize::new(n)) {
                    Ok(head) => assert_eq!(head.root, *root, "size {n}"),
                    Err(Error::HashesLost { .. }) => refused += 1,
                    Err(error) => panic!("size {n}: {error}"),
                }
            }
            refused
        }
    }

    pub(crate) fn roots(log: &Log, size: TreeSize) -> Vec<Hash> {
        let snapshot = log.snapshot();
        let tiles = snapshot.tiles(size).unwrap();
        (0..=size.get()).map(|n| tiles.head_at(TreeSize::new(n)).unwrap().root).collect()
    }
}

/// random zeros and cuts in larger logs.
#[test]
fn random_zeros_in_larger_segments() {
    let mut random = Random::new(88_172_645_463_325_252);
    let mut rnd = move |n: u64| random.below(n);
    for (events, days) in [(150, 4), (700, 3), (61, 9)] {
        let made = large::Large::new(9, events, days);
        let size = made.truth.len() as u64 - 1;
        for round in 0..20 {
            let scene = made.fork(100 + round);
            for _ in 0..=rnd(3) {
                let level = 4 * rnd(3) as u8;
                let entries = size >> level;
                let from = rnd(entries);
                let part = 1 + rnd(6);
                zero(&scene.disk, level, from, 1 + rnd(entries / part));
            }
            Lost::RecoveryPoint.from(&scene.disk);
            let log = scene.options().open(dir());
            let log = log.unwrap_or_else(|error| panic!("round {round}: {error}"));
            let refused = scene.refused(&log);
            let lost = log.recovery().lost_hashes.clone();
            log.close().unwrap();
            drop(log);
            let report = scene.verify();
            assert!(report.findings.is_empty(), "{events} round {round} {:#?}", report.findings);
            assert_eq!(refused == 0, lost.is_empty(), "round {round} {refused} {lost:?}");
            let log = scene.open();
            for ordinal in lost {
                scene.restore(&log, ordinal).unwrap();
            }
            assert_eq!(scene.refused(&log), 0);
            log.close().unwrap();
            drop(log);
            assert!(scene.verify().findings.is_empty());
        }
    }
}

/// tiles over random zeros are right or refused.
#[test]
fn tiles_over_zeros() {
    use bulla::tiles::TileId;
    let mut random = Random::new(99_991);
    let mut rnd = move |n: u64| random.below(n);
    let made = large::Large::new(22, 300, 4);
    let size = made.truth.len() as u64 - 1;
    let mut ids = Vec::new();
    for (level, entries) in [(0_u8, size), (1, size >> 8)] {
        for index in 0..=entries / 256 {
            let width = (entries - index * 256).min(256) as u16;
            for width in [width, width / 2, 1] {
                if width > 0
                    && let Ok(id) = TileId::new(level, index, width)
                {
                    ids.push(id);
                }
            }
        }
    }
    let tiles = |log: &bulla::Log| -> Vec<Option<Vec<u8>>> {
        let snapshot = log.snapshot();
        let tiles = snapshot.tiles(bulla::TreeSize::new(size)).unwrap();
        ids.iter().map(|id| tiles.tile(*id).ok()).collect()
    };
    let log = made.open();
    let truth = tiles(&log);
    assert!(truth.iter().all(Option::is_some));
    log.close().unwrap();
    drop(log);
    let (mut right, mut refused) = (0, 0);
    for round in 0..60 {
        let scene = made.fork(round);
        for _ in 0..=rnd(3) {
            let level = 4 * rnd(3) as u8;
            let entries = size >> level;
            let (from, part) = (rnd(entries), 1 + rnd(9));
            zero(&scene.disk, level, from, 1 + rnd(entries / part));
        }
        for step in 0..2 {
            let log = scene.open();
            for (found, truth) in tiles(&log).iter().zip(&truth) {
                match found {
                    Some(_) => {
                        right += 1;
                        assert_eq!(found, truth, "round {round} step {step}");
                    }
                    None => refused += 1,
                }
            }
            log.close().unwrap();
            drop(log);
            Lost::RecoveryPoint.from(&scene.disk);
        }
    }
    assert!(right > 0 && refused > 0, "{right} tiles were right, {refused} refused");
}

/// the zeros of a1 in a log whose newest records are behind the newest signed head.
#[test]
fn zeros_behind_the_newest_signed_head() {
    for byte in [0x55_u8, 0] {
        let disk = SimDisk::new(23);
        let clock = support::clock();
        let signer = support::signer(&disk, HashAlgorithm::Sha256).unwrap();
        let log = options(&disk, &clock).create(dir()).unwrap();
        (0..200).for_each(|n| assert!(log.append(&support::event(n)).is_ok()));
        log.checkpoint(&signer).unwrap();
        (0..30).for_each(|n| assert!(log.append(&support::event(n)).is_ok()));
        log.close().unwrap();
        drop(log);
        // The last sector of the leaves.
        let file = disk.open(&Lost::level(0), Open::ReadWrite).unwrap();
        let len = file.len().unwrap();
        file.write_at(&vec![byte; 512], len - 512).unwrap();
        file.sync_data().unwrap();
        let log = options(&disk, &clock).open(dir()).unwrap();
        let healed = log.recovery().rebuilt.is_some();
        let head = log.checkpoint(&signer).unwrap().into_unverified();
        let proved = log.snapshot().prove(Seq::new(225), &head, Disclosure::Whole);
        log.close().unwrap();
        drop(log);
        let log = options(&disk, &clock).open(dir()).unwrap();
        let again = log.snapshot().prove(Seq::new(225), &head, Disclosure::Whole).map(|_| ());
        let rotated = log.rotate().map(|_| ());
        let proved = proved.map(|_| ());
        assert!(healed && proved.is_ok(), "byte {byte}: {proved:?}, then {again:?}, {rotated:?}");
    }
}

/// after a lawful rebuild with zeros, each hash that is still there is missed if it is zeroed.
#[test]
fn every_other_zero_is_a_finding() {
    for (events, days) in [(40, 3), (150, 3)] {
        let made = large::Large::new(26, events, days);
        Lost::Tree.from(&made.disk);
        made.open().close().unwrap();
        assert!(made.verify().findings.is_empty());
        let size = made.truth.len() as u64 - 1;
        for level in [0_u8, 4, 8] {
            let bytes = made.disk.read_file(&Lost::level(level)).unwrap_or_default();
            for index in 0..size >> level {
                let at = 64 + 32 * usize::try_from(index).unwrap();
                if bytes[at..at + 32] == [0; 32] {
                    continue;
                }
                let scene = made.fork(index);
                zero(&scene.disk, level, index, 1);
                let report = scene.verify();
                assert!(
                    !report.findings.is_empty(),
                    "{events}: hash {level}/{index} is not missed"
                );
            }
        }
    }
}

/// A backup that is older than a restore is put back as the documents say: without its mark.
#[test]
fn an_older_backup_without_its_mark_is_made_whole() {
    let scene = Scene::new(3, HashAlgorithm::Sha256, &[1]);
    Lost::Tree.from(&scene.disk);
    scene.open().close().unwrap();
    let backup = tree_files(&scene.disk);
    let log = scene.open();
    scene.restore(&log, 3);
    let seq = scene.seqs(3).nth(4).unwrap();
    log.close().unwrap();
    drop(log);
    for (path, bytes) in backup.iter().filter(|(path, _)| !path.ends_with("mark")) {
        scene.put(path, bytes);
    }
    scene.disk.remove_file(&dir().join("tree/mark")).unwrap();
    let log = scene.open();
    log.snapshot().prove(seq, &scene.newest(), Disclosure::Whole).unwrap();
    let report = scene.verify();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}
