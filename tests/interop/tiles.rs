//! The promise: a log is handed out as tiles exactly as its tree has it, no further than
//! was asked for, and never when its files contradict each other.

// Lints know test functions as tests, but not the functions those call.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

use bulla::tiles::{BundleId, EntryBundle, TileHashes, TileId, new_bundles, new_tiles};
use bulla::{Actor, Error, Event, Hash, HashAlgorithm, Log, LogOptions, Resource, Seq, TreeSize};

fn options(algorithm: HashAlgorithm) -> LogOptions {
    Log::options().origin("example.com/log").hash(algorithm).segment_bytes(64 << 10)
}

fn fill(log: &Log, size: u64) {
    let event = |n: u64| {
        let (actor, resource) = (Actor::new("user", n.to_string()), Resource::new("doc", "d"));
        Event::new(actor, "doc.read", resource).user_agent("s".repeat(200))
    };
    let events: Vec<Event> = (log.size().get()..size).map(event).collect();
    events.chunks(70).for_each(|batch| {
        log.append_batch(batch).unwrap();
    });
}

/// The nodes of a level, from the leaves up.
fn nodes(log: &Log, algorithm: HashAlgorithm, level: u8) -> Vec<Hash> {
    let mut hashes: Vec<Hash> =
        log.snapshot().records_from(Seq::new(0)).map(|record| record.unwrap().leaf_hash).collect();
    for _ in 0..level {
        hashes = hashes.chunks_exact(2).map(|two| algorithm.node(&two[0], &two[1])).collect();
    }
    hashes
}

#[test]
fn tiles_and_bundles_are_those_of_the_tree_in_memory_on_disk_and_for_readers() {
    for algorithm in [HashAlgorithm::Sha256, HashAlgorithm::Blake3] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let log = options(algorithm).create(&path).unwrap();
        fill(&log, 700);
        let levels = [nodes(&log, algorithm, 0), nodes(&log, algorithm, 8)];
        let size = TreeSize::new(700);
        let reader = options(algorithm).open_read_only(&path).unwrap();
        let check = |snapshot: bulla::Snapshot| {
            let tiles = snapshot.tiles(size).unwrap();
            assert_eq!((tiles.size(), tiles.algorithm()), (size, algorithm));
            for id in new_tiles(TreeSize::ZERO, size) {
                let first = usize::try_from(id.index()).unwrap() * 256;
                let expected = &levels[usize::from(id.level())][first..][..id.width().into()];
                let bytes = tiles.tile(id).unwrap();
                assert_eq!(TileHashes::parse(id, &bytes).unwrap().hashes(), expected, "{id}");
            }
            for id in new_bundles(TreeSize::ZERO, size) {
                let first = usize::try_from(id.index()).unwrap() * 256;
                let bytes = tiles.entry_bundle(id).unwrap();
                let entries = EntryBundle::parse(id, &bytes).unwrap();
                let expected = &levels[0][first..][..id.width().into()];
                assert_eq!(entries.leaf_hashes(algorithm), expected, "{id}");
            }
        };
        check(log.snapshot());
        check(reader.snapshot());
        drop(reader);
        log.close().unwrap();
        drop(log);
        check(options(algorithm).open(&path).unwrap().snapshot());
        check(options(algorithm).open_read_only(&path).unwrap().snapshot());
    }
}

#[test]
fn nothing_beyond_the_size_that_was_asked_for_is_given_out() {
    let dir = tempfile::tempdir().unwrap();
    let log = options(HashAlgorithm::Sha256).create(dir.path().join("log")).unwrap();
    fill(&log, 600);
    let snapshot = log.snapshot();
    assert!(matches!(snapshot.tiles(TreeSize::new(601)), Err(Error::NotWritten { .. })));
    for size in [0, 1, 255, 256, 300, 511] {
        let tiles = snapshot.tiles(TreeSize::new(size)).unwrap();
        for (level, index) in [(0, 0), (0, 1), (1, 0), (7, 0)] {
            for width in [1, 44, 45, 255, 256] {
                let Ok(id) = TileId::new(level, index, width) else { continue };
                let covered = id.covering_size().get() <= size;
                assert_eq!(tiles.tile(id).is_ok(), covered, "{id} at {size}");
                if level == 0 {
                    let bundle = BundleId::new(index, width).unwrap();
                    assert_eq!(tiles.entry_bundle(bundle).is_ok(), covered, "{bundle} at {size}");
                }
            }
        }
        assert!(tiles.head_at(TreeSize::new(size + 1)).is_err());
        assert!(tiles.consistency_from(TreeSize::new(size + 1)).is_err());
        assert_eq!(tiles.head_at(TreeSize::new(size)).unwrap().size.get(), size);
    }
}

#[test]
fn a_hash_file_that_contradicts_itself_gives_no_tile_and_no_bundle() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let log = options(HashAlgorithm::Sha256).create(&path).unwrap();
    fill(&log, 1024);
    log.close().unwrap();
    drop(log);
    let hashes = |level: u8| path.join(format!("tree/level-{level:02}.hashes"));
    let flip = |file: &Path, at: u64| {
        let file = fs::OpenOptions::new().read(true).write(true).open(file).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 1], at).unwrap();
    };
    let header = fs::metadata(hashes(0)).unwrap().len() - 1024 * 32;
    let open = || options(HashAlgorithm::Sha256).open_read_only(&path).unwrap();
    let whole = |id: &str| {
        let tiles = open().snapshot().tiles(TreeSize::new(1024)).unwrap();
        let tile = id.parse::<TileId>().map(|id| tiles.tile(id));
        tile.unwrap_or_else(|_| tiles.entry_bundle(id.parse().unwrap()))
    };
    for id in ["tile/0/001", "tile/entries/001", "tile/1/000.p/4"] {
        whole(id).unwrap();
    }
    // Leaf 300, then the hash over the leaves 256 to 511.
    flip(&hashes(0), header + 300 * 32);
    assert!(matches!(whole("tile/0/001"), Err(Error::Corrupt { .. })));
    assert!(matches!(whole("tile/entries/001"), Err(Error::Tampered { .. })));
    whole("tile/0/002").unwrap();
    flip(&hashes(0), header + 300 * 32);
    // That one is needed for the root, so opening finds it and computes all hashes anew.
    let sound = whole("tile/0/001").unwrap();
    flip(&hashes(8), header + 32);
    assert_eq!(whole("tile/0/001").unwrap(), sound);
}
