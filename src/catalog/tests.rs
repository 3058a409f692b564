//! The catalog by itself: mirrored copies, chained segments, snapshots, two writers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::store::*;
use super::*;
use crate::disk::Disk;
use crate::disk::sim::SimDisk;
use crate::error::Error;
use crate::format::LogId;
use crate::format::catalog_body::{CatalogBody, RecordedAttribution, Snapshot};
use crate::format::catalog_body::{
    ClockStepped, Created, Erased, HoldPlaced, HoldReleased, KeyAdded, Sealed,
};
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::NodeId;
use crate::seq::Seq;
use crate::seq::TreeSize;
use crate::time::Clock;
use crate::time::ManualClock;
use crate::time::Timestamp;

const DIR: &str = "/catalog";
const ID: LogId = LogId([7; 16]);

fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::at(Timestamp::from_nanos(1)))
}

fn create(disk: &SimDisk) -> Catalog {
    for dir in [DIR, "/quarantine"] {
        disk.create_dir(Path::new(dir)).unwrap();
    }
    disk.sync_dir(Path::new("/")).unwrap();
    let created = CatalogBody::Created(Created { origin: "o", hash_algorithm: 1, created_at: 0 });
    Catalog::create(Arc::new(disk.clone()), Path::new(DIR), ID, clock(), &created).unwrap()
}

fn open(disk: &SimDisk) -> (Catalog, Vec<Mended>) {
    let shared = Arc::new(disk.clone());
    Catalog::open(shared, Path::new(DIR), ID, clock(), Path::new("/quarantine")).unwrap()
}

fn key(catalog: &mut Catalog, n: u64) {
    // Long, so that a segment is full soon; few keys, so that the state stays small.
    let vkey = format!("key-{}-{}", n % 9, "k".repeat(9_000));
    let body = CatalogBody::KeyAdded(KeyAdded { vkey: &vkey });
    catalog
        .append(
            &body,
            &RecordedAttribution { who: Some("somebody"), ..RecordedAttribution::default() },
        )
        .unwrap();
}

fn seal(catalog: &mut Catalog, ordinal: u64) {
    let body = CatalogBody::Sealed(Sealed {
        ordinal: ordinal + 1,
        first: ordinal * 10,
        count: 10,
        bytes: 1,
        times: [0; 4],
        end_root: [1; 32],
        header: [2; 32],
        index_root: [3; 32],
        keep_until: 0,
        status: 0,
    });
    catalog.append(&body, &RecordedAttribution::default()).unwrap();
}

/// Size, root of the tree, root of the state.
fn summary(catalog: &Catalog) -> (u64, Hash, Hash) {
    let size = catalog.size();
    (size.get(), catalog.root_at(size).unwrap(), catalog.state().root())
}

fn copy_path(copy: &str, ordinal: u64) -> PathBuf {
    crate::segment::path(&Path::new(DIR).join(copy), ordinal)
}

fn both(disk: &SimDisk, ordinal: u64) -> [Vec<u8>; 2] {
    ["a", "b"].map(|copy| disk.read_file(&copy_path(copy, ordinal)).unwrap())
}

#[test]
fn no_record_is_written_that_is_read_as_another_or_not_at_all() {
    let disk = SimDisk::new(77);
    let mut catalog = create(&disk);
    let size = catalog.size();
    let key_ids = (0..2000_u128).map(u128::to_le_bytes).collect();
    let erased = CatalogBody::Erased(Erased { erased_at: 0, key_ids, size: 0, records: 0 });
    let of_holds =
        RecordedAttribution { custodian: Some("carol"), ..RecordedAttribution::default() };
    let stepped = CatalogBody::ClockStepped(ClockStepped { expected: 0, found: 0, ordinal: 1 });
    for (body, because) in [(&erased, RecordedAttribution::default()), (&stepped, of_holds)] {
        let refused = catalog.append(body, &because);
        assert!(matches!(refused, Err(Error::InvalidOption { .. })), "{refused:?}");
    }
    assert_eq!(catalog.size(), size);
    drop(catalog);
    assert_eq!(open(&disk).0.size(), size);
}

#[test]
fn full_segments_are_followed_by_new_ones_that_chain_to_them() {
    let disk = SimDisk::new(1);
    let mut catalog = create(&disk);
    for n in 0..260 {
        key(&mut catalog, n);
    }
    assert!(catalog.segment.header.ordinal >= 3);
    let wrote = summary(&catalog);
    assert_eq!(wrote.0, 261);
    drop(catalog);
    let (catalog, mended) = open(&disk);
    assert!(mended.is_empty());
    assert_eq!(summary(&catalog), wrote);
    let history = catalog.history().unwrap();
    assert_eq!(history.len(), 261);
    assert!(history.iter().enumerate().all(|(at, entry)| entry.seq.get() == at as u64));
    for ordinal in 1..=catalog.segment.header.ordinal {
        let [a, b] = both(&disk, ordinal);
        assert_eq!(a, b);
    }
}

#[test]
fn a_snapshot_gives_what_a_full_replay_gives() {
    let disk = SimDisk::new(2);
    let mut catalog = create(&disk);
    for n in 0..150 {
        seal(&mut catalog, n);
        if n % 40 == 0 {
            key(&mut catalog, n);
        }
    }
    let wrote = summary(&catalog);
    let roots: Vec<Hash> =
        (0..=wrote.0).map(|size| catalog.root_at(TreeSize::new(size)).unwrap()).collect();
    drop(catalog);
    assert!(disk.exists(Path::new("/catalog/snapshot")).unwrap());
    let (with, _) = open(&disk);
    assert!(with.since_snapshot < SNAPSHOT_EVERY, "the replay was short");
    disk.remove_file(Path::new("/catalog/snapshot")).unwrap();
    let (without, _) = open(&disk);
    assert_eq!(without.since_snapshot, wrote.0);
    for catalog in [&with, &without] {
        assert_eq!(summary(catalog), wrote);
        for (size, root) in roots.iter().enumerate() {
            assert_eq!(catalog.root_at(TreeSize::new(size as u64)).unwrap(), *root);
        }
    }
}

#[test]
fn a_copy_that_is_missing_shorter_longer_or_damaged_is_mended() {
    let shorter = |disk: &SimDisk, path: &Path| {
        let mut bytes = disk.read_file(path).unwrap();
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
        bytes[used - 600..].fill(0);
        disk.write_file(path, &bytes).unwrap();
    };
    let longer = |disk: &SimDisk, path: &Path| {
        let mut bytes = disk.read_file(path).unwrap();
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
        bytes[used + 50..used + 90].fill(9);
        disk.write_file(path, &bytes).unwrap();
    };
    let damaged = |disk: &SimDisk, path: &Path| disk.flip_byte(path, 700, 1).unwrap();
    let missing = |disk: &SimDisk, path: &Path| disk.remove_file(path).unwrap();
    type Spoil<'a> = &'a dyn Fn(&SimDisk, &Path);
    let ways: [(&str, Spoil<'_>); 4] =
        [("shorter", &shorter), ("longer", &longer), ("damaged", &damaged), ("missing", &missing)];
    for (way, spoil) in ways {
        for copy in ["a", "b"] {
            let disk = SimDisk::new(3);
            let mut catalog = create(&disk);
            (0..20).for_each(|n| seal(&mut catalog, n));
            let wrote = summary(&catalog);
            drop(catalog);
            spoil(&disk, &copy_path(copy, 1));
            let (mut catalog, mended) = open(&disk);
            assert_eq!(summary(&catalog), wrote, "{way} {copy}");
            assert_eq!(mended.is_empty(), way == "missing", "{way} {copy}");
            for entry in &mended {
                assert!(disk.exists(&Path::new("/quarantine").join(&entry.file)).unwrap());
            }
            // The unused rest of a cut file may be gone.
            let used = |bytes: Vec<u8>| bytes.iter().rposition(|byte| *byte != 0);
            let [a, b] = both(&disk, 1);
            assert!(a.iter().zip(&b).all(|(a, b)| a == b), "{way} {copy}");
            assert_eq!(used(a), used(b), "{way} {copy}");
            seal(&mut catalog, 20);
            let wrote = summary(&catalog);
            drop(catalog);
            let (catalog, mended) = open(&disk);
            assert_eq!((summary(&catalog), mended.len()), (wrote, 0), "{way} {copy}");
        }
    }
}

#[test]
fn two_processes_append_in_turn_and_see_each_other() {
    let disk = SimDisk::new(4);
    let mut one = create(&disk);
    let (mut two, _) = open(&disk);
    for n in 0..300 {
        // Turns of different lengths, so that either meets the end of a segment.
        let writer = if n % 5 < 2 { &mut one } else { &mut two };
        key(writer, n);
        if n % 50 == 0 {
            one.refresh().unwrap();
            two.refresh().unwrap();
            assert_eq!(summary(&one), summary(&two));
        }
    }
    one.refresh().unwrap();
    two.refresh().unwrap();
    assert_eq!(summary(&one), summary(&two));
    assert_eq!(one.size().get(), 301);
    assert!(one.segment.header.ordinal >= 3);
    let wrote = summary(&one);
    drop((one, two));
    let (catalog, mended) = open(&disk);
    assert_eq!((summary(&catalog), mended.len()), (wrote, 0));
}

#[test]
fn a_full_disk_refuses_a_record_and_takes_it_later() {
    let disk = SimDisk::new(5);
    let mut catalog = create(&disk);
    let mut n = 0;
    for _ in 0..6 {
        disk.set_capacity(disk.used_bytes() + 20_000);
        let vkey = "k".repeat(9_000);
        let body = CatalogBody::KeyAdded(KeyAdded { vkey: &vkey });
        let refused = loop {
            match catalog.append(&body, &RecordedAttribution::default()) {
                Ok(()) => n += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(refused, Error::DiskFull { .. }), "{refused}");
        disk.set_capacity(u64::MAX);
        for _ in 0..40 {
            catalog.append(&body, &RecordedAttribution::default()).unwrap();
            n += 1;
        }
        assert_eq!(catalog.size().get(), n + 1);
    }
    drop(catalog);
    let (catalog, mended) = open(&disk);
    assert_eq!((catalog.size().get(), mended.len()), (n + 1, 0));
}

#[test]
fn a_record_that_is_refused_leaves_no_segment_that_only_one_process_knows() {
    let disk = SimDisk::new(8);
    let mut one = create(&disk);
    let (mut two, _) = open(&disk);
    while one.end.offset < SEGMENT_BYTES {
        key(&mut one, 0);
    }
    // Its segment would be the next one, and there is no room for it there.
    let vkey = "k".repeat(60_000);
    let large = CatalogBody::KeyAdded(KeyAdded { vkey: &vkey });
    disk.set_capacity(disk.used_bytes() + 100_000);
    let refused = one.append(&large, &RecordedAttribution::default());
    assert!(matches!(refused, Err(Error::DiskFull { .. })), "{refused:?}");
    assert!(
        one.append(
            &CatalogBody::HoldReleased(HoldReleased { case: "none", released_at: 0 }),
            &RecordedAttribution::default()
        )
        .is_err()
    );
    disk.set_capacity(u64::MAX);
    key(&mut two, 1);
    one.append(&large, &RecordedAttribution::default()).unwrap();
    key(&mut two, 2);
    one.refresh().unwrap();
    assert_eq!(summary(&one), summary(&two));
    drop((one, two));
    let (catalog, mended) = open(&disk);
    assert!(mended.is_empty() && catalog.segment.header.ordinal == 2, "{mended:?}");
}

#[test]
fn a_record_that_is_refused_leaves_what_is_in_force_as_it_was() {
    let disk = SimDisk::new(6);
    let mut catalog = create(&disk);
    let hold = HoldPlaced { case: "c", scope: b"all", placed_at: 1, review_by: None };
    disk.set_capacity(disk.used_bytes());
    let mut keys = 0;
    let before = loop {
        let (before, vkey) = (summary(&catalog), format!("{keys}-{}", "k".repeat(9_000)));
        let body = CatalogBody::KeyAdded(KeyAdded { vkey: &vkey });
        match catalog.append(&body, &RecordedAttribution::default()) {
            Ok(()) => keys += 1,
            Err(Error::DiskFull { .. }) => break before,
            Err(error) => panic!("expected a full disk, found {error}"),
        }
    };
    assert_eq!((summary(&catalog), catalog.state().keys().count()), (before, keys));
    disk.set_capacity(u64::MAX);
    catalog
        .append(&CatalogBody::HoldPlaced(hold.clone()), &RecordedAttribution::default())
        .unwrap();
    let placed = summary(&catalog);
    let twice = catalog.append(&CatalogBody::HoldPlaced(hold), &RecordedAttribution::default());
    assert!(twice.is_err());
    assert_eq!((summary(&catalog), catalog.state().holds().count()), (placed, 1));
    drop(catalog);
    assert_eq!(summary(&open(&disk).0), placed);
}

#[test]
fn a_record_is_found_from_the_nearest_place_and_also_from_a_wrong_one() {
    let disk = SimDisk::new(7);
    let mut catalog = create(&disk);
    for n in 0..260 {
        key(&mut catalog, n);
    }
    let catalog = Catalog::open_read_only(Arc::new(disk), Path::new(DIR), ID, clock()).unwrap();
    let check_all = || {
        for n in 0..261 {
            let seq = Seq::new(n * 97 % 261);
            let leaf = catalog.with_record(seq, |record| record.leaf(HashAlgorithm::Sha256));
            let stored = catalog.tree().run(NodeId::leaf(seq.get()), 1).unwrap();
            assert_eq!(leaf.unwrap(), stored[0], "{seq}");
        }
    };
    check_all();
    for n in 0..110 {
        let place = catalog.places.before(1, Seq::new(n)).unwrap();
        assert!((n.saturating_sub(32)..=n).contains(&place.size.get()), "{n}: {place:?}");
    }
    catalog.places.shift(3);
    check_all();
}

/// Snapshot and hash file agree with one another, and not with the records.
#[test]
fn nothing_is_recorded_or_bound_by_the_word_of_derived_files() {
    let disk = SimDisk::new(21);
    let mut catalog = create(&disk);
    for n in 0..load::REPLAYED_WHOLE + 2 {
        seal(&mut catalog, n);
    }
    catalog.write_snapshot().unwrap();
    let wrote = summary(&catalog);
    assert_eq!(wrote.0 % 2, 1, "the last peak is a leaf");
    drop(catalog);
    let path = Path::new("/catalog/snapshot");
    let good = Snapshot::decode(&disk.read_file(path).unwrap(), ID).unwrap();
    let mut forged = good.clone();
    *forged.peaks.last_mut().unwrap() = [9; 32];
    disk.write_file(path, &forged.encode(ID).unwrap()).unwrap();
    let leaves = Path::new("/catalog/tree/level-00.hashes");
    let mut bytes = disk.read_file(leaves).unwrap();
    let at = 64 + 32 * usize::try_from(wrote.0 - 1).unwrap();
    bytes[at..at + 32].fill(9);
    disk.write_file(leaves, &bytes).unwrap();
    let (mut catalog, _) = open(&disk);
    assert_ne!(summary(&catalog), wrote, "else nothing is tested");
    assert!(matches!(catalog.make_sure(), Err(Error::Tampered { .. })));
    let body = CatalogBody::KeyAdded(KeyAdded { vkey: "k" });
    let refused = catalog.append(&body, &RecordedAttribution::default());
    assert!(matches!(refused, Err(Error::Tampered { .. })), "{refused:?}");
    // A signed head that is another is no better.
    disk.write_file(path, &Snapshot { signed: (7, [7; 32]), ..good.clone() }.encode(ID).unwrap())
        .unwrap();
    bytes[at..at + 32].copy_from_slice(good.peaks.last().unwrap());
    disk.write_file(leaves, &bytes).unwrap();
    let (mut catalog, _) = open(&disk);
    assert!(matches!(catalog.make_sure(), Err(Error::Tampered { .. })));
    // And with the files as they were it goes on.
    disk.write_file(path, &good.encode(ID).unwrap()).unwrap();
    let (mut catalog, _) = open(&disk);
    assert!(!catalog.is_replayed);
    catalog.make_sure().unwrap();
    catalog.append(&body, &RecordedAttribution::default()).unwrap();
}

/// Of few records nothing derived is believed, and what is wrong is made anew.
#[test]
fn a_small_catalog_is_replayed_whole_and_its_hash_files_are_compared() {
    let disk = SimDisk::new(22);
    let mut catalog = create(&disk);
    for n in 0..70 {
        seal(&mut catalog, n);
    }
    catalog.write_snapshot().unwrap();
    let wrote = summary(&catalog);
    drop(catalog);
    let leaves = Path::new("/catalog/tree/level-00.hashes");
    let good = disk.read_file(leaves).unwrap();
    let (catalog, _) = open(&disk);
    assert_eq!((catalog.tree.pending_bytes(), catalog.since_snapshot), (0, 0));
    assert!(catalog.is_replayed);
    drop(catalog);
    let mut bytes = good.clone();
    bytes[64 + 32 * 5..64 + 32 * 6].fill(9);
    disk.write_file(leaves, &bytes).unwrap();
    let (mut catalog, _) = open(&disk);
    assert_eq!(summary(&catalog), wrote);
    catalog.write_snapshot().unwrap();
    assert_eq!(disk.read_file(leaves).unwrap(), good);
    assert_eq!(summary(&open(&disk).0), wrote);
}
