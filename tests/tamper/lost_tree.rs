//! The promise: whatever becomes of `tree/`, a log with gaps is written on. What the drop
//! certificates have is made anew from them; what nobody knows any more is refused, and said to
//! be unknown; nothing is proved wrongly.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, clippy::print_stderr)]

mod crashes;
mod forged;
pub(crate) mod scene;

use crate::support;
use crate::support::dir;
use bulla::disk::Disk;
use bulla::disk::sim::SimDisk;
use bulla::{Disclosure, Error, HashAlgorithm, LogOptions, Seq};
use scene::{Lost, Scene};

/// Days that a hold keeps, of ten: what is dropped lies between them.
const HELD: [&[u64]; 5] = [&[], &[1], &[3], &[2, 5, 6], &[1, 3, 5, 7]];

const ALL_LOST: [Lost; 4] = [Lost::Tree, Lost::Level(0), Lost::LevelAndMark(0), Lost::Levels];

#[test]
fn a_log_with_gaps_is_written_on_without_what_the_hash_files_had() {
    for (n, held) in HELD.into_iter().enumerate() {
        let algorithm = [HashAlgorithm::Sha256, HashAlgorithm::Blake3][n % 2];
        let made = Scene::new(1, algorithm, held);
        for lost in ALL_LOST {
            let scene = made.fork(1);
            lost.from(&scene.disk);
            let log = scene.open();
            assert_eq!(log.recovery().lost_hashes, scene.dropped, "{lost:?}, held {held:?}");
            // But for one that ends where a subtree of a certificate does.
            let good = scene.check(&log, &scene.dropped);
            assert!(good < scene.dropped.len() / 2, "{lost:?}, held {held:?}: {good}");
            let lacking = scene.dropped.clone();
            scene.goes_on(log, &lacking);
        }
    }
}

#[test]
fn what_one_level_has_and_another_lost_is_made_anew_from_it() {
    let mut some_lost = false;
    for held in [HELD[0], HELD[3]] {
        let made = Scene::new(2, HashAlgorithm::Sha256, held);
        for lost in [
            Lost::RecoveryPoint,
            Lost::Level(4),
            Lost::Level(8),
            Lost::LevelAndMark(4),
            Lost::Cut(4),
            Lost::Flipped(4, 100),
            Lost::Flipped(8, 70),
            Lost::Flipped(4, 3),
            Lost::Flipped(0, 3),
        ] {
            let scene = made.fork(2);
            lost.from(&scene.disk);
            let log = scene.open();
            assert!(log.recovery().lost_hashes.is_empty(), "{lost:?}, held {held:?}");
            let all = scene.check(&log, &[]);
            assert!(all > 0, "checkpoints lie in what was dropped");
            scene.goes_on(log, &[]);
        }
        for lost in [Lost::Cut(0), Lost::Flipped(0, 1_000), Lost::Flipped(0, 4_000)] {
            let scene = made.fork(3);
            lost.from(&scene.disk);
            let log = scene.open();
            let lacking = log.recovery().lost_hashes.clone();
            assert!(lacking.len() <= scene.dropped.len());
            some_lost |= !lacking.is_empty() && lacking.len() < scene.dropped.len();
            scene.check(&log, &lacking);
            scene.goes_on(log, &lacking);
        }
    }
    assert!(some_lost, "some leaves of some segments are lost");
}

#[test]
fn a_reader_proves_the_same_before_anybody_wrote() {
    for held in HELD {
        let made = Scene::new(4, HashAlgorithm::Sha256, held);
        for lost in ALL_LOST {
            let scene = made.fork(4);
            lost.from(&scene.disk);
            scene.check_reader();
            scene.open().close().unwrap();
            scene.check_reader();
        }
    }
}

#[test]
fn a_restored_segment_brings_its_hashes_back() {
    for held in HELD {
        let scene = Scene::new(5, HashAlgorithm::Sha256, held);
        Lost::Tree.from(&scene.disk);
        let log = scene.open();
        let mut lacking = scene.dropped.clone();
        while let Some(ordinal) = lacking.pop() {
            scene.restore(&log, ordinal);
            scene.check(&log, &lacking);
        }
        log.close().unwrap();
        drop(log);
        let log = scene.open();
        assert!(log.recovery().lost_hashes.is_empty());
        scene.check(&log, &[]);
        log.close().unwrap();
        drop(log);
        // Dropped once more they are known, and so they are when the tree is lost again.
        Lost::Tree.from(&scene.disk);
        let log = scene.open();
        assert!(log.recovery().lost_hashes.is_empty());
        scene.check(&log, &[]);
    }
}

#[test]
fn what_is_refused_says_why_and_what_to_do() {
    let scene = Scene::new(6, HashAlgorithm::Sha256, &[1]);
    Lost::Tree.from(&scene.disk);
    let log = scene.open();
    let (inside, newest) = (&scene.checkpoints[2].1, &scene.checkpoints.last().unwrap().1);
    assert_eq!(scene.checkpoints[2].0, Some(2), "in the middle of a day that went");
    let told = |error: Error| match error {
        Error::HashesLost { reason } => reason,
        other => panic!("{other:?}"),
    };
    let first = told(log.snapshot().prove_consistency(inside, newest).unwrap_err());
    for part in ["segment 2 with records", "was dropped", "a copy is in", "restore the segment"] {
        assert!(first.contains(part), "{part}: {first}");
    }
    // A record that is there, under a checkpoint that nobody can compare any more.
    let seq = scene.seqs(1).next().unwrap();
    assert_eq!(told(log.snapshot().prove(seq, inside, Disclosure::Whole).unwrap_err()), first);
    let tile = bulla::tiles::TileId::new(0, 0, 100).unwrap();
    let tile = log.snapshot().tiles(log.size()).unwrap().tile(tile);
    assert!(told(tile.unwrap_err()).contains("segment 2"));
}

#[test]
fn without_the_catalog_what_was_made_anew_is_read_and_written_on() {
    let scene = Scene::new(7, HashAlgorithm::Sha256, &[3]);
    Lost::Tree.from(&scene.disk);
    scene.open().close().unwrap();
    for copy in ["a", "b"] {
        let path = dir().join("catalog").join(copy).join("00000001.seg");
        let mut bytes = scene.disk.read_file(&path).unwrap();
        bytes[600] ^= 0x80;
        scene.put(&path, &bytes);
    }
    let _ = scene.disk.remove_file(&dir().join("catalog/snapshot"));
    let log = scene.open();
    log.append(&support::event(1)).unwrap();
    let seq = scene.seqs(3).next().unwrap();
    assert!(log.snapshot().get(seq).is_ok());
    let newest = &scene.checkpoints.last().unwrap().1;
    let refused = log.snapshot().prove(seq, newest, Disclosure::Whole);
    assert!(matches!(refused, Err(Error::CatalogDamaged { .. })), "{refused:?}");
    log.close().unwrap();
    drop(log);
    let log = scene.open();
    assert!(log.snapshot().get(Seq::new(log.size().get() - 1)).is_ok());
}

#[test]
fn a_newest_signed_head_that_nobody_can_compare_does_not_keep_the_log_shut() {
    let scene = Scene::signed_long_ago(8);
    Lost::Tree.from(&scene.disk);
    let log = scene.open();
    assert_eq!(log.recovery().lost_hashes, scene.dropped);
    log.append(&support::event(1)).unwrap();
    let refused = log.checkpoint(&scene.signer).unwrap_err();
    assert!(refused.to_string().contains("restore the segment"), "{refused}");
    log.close().unwrap();
    drop(log);
    let log = scene.open();
    assert!(log.recovery().rebuilt.is_none(), "{:?}", log.recovery());
    assert_eq!(log.recovery().replayed, 0, "it is opened from its mark");
    for ordinal in scene.dropped.clone() {
        scene.restore(&log, ordinal);
    }
    log.checkpoint(&scene.signer).unwrap();
    log.close().unwrap();
}

#[test]
fn a_log_without_gaps_is_made_anew_as_ever() {
    let scene = Scene::new(9, HashAlgorithm::Sha256, &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert!(scene.dropped.is_empty());
    let files = |disk: &SimDisk| {
        let level = |level: u8| disk.read_file(&Lost::level(level)).unwrap();
        [level(0), level(4)]
    };
    let before = files(&scene.disk);
    Lost::Tree.from(&scene.disk);
    let log = scene.open();
    scene.check(&log, &[]);
    log.close().unwrap();
    drop(log);
    for (before, after) in before.iter().zip(&files(&scene.disk)) {
        assert_eq!(before.get(..before.len().min(after.len())), after.get(..before.len()));
    }
    let names = scene.disk.list(&dir().join("tree")).unwrap();
    assert!(names.iter().all(|name| !name.ends_with(".tmp")), "{names:?}");
}

/// Options of all these logs.
fn options(disk: &SimDisk, clock: &std::sync::Arc<bulla::time::ManualClock>) -> LogOptions {
    support::Shape::PLAIN.options(disk, clock).segment_age(scene::DAY * 10_000)
}
