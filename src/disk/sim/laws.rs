//! What the simulated disk promises of crashes.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::SimDisk;
use crate::disk::files::{Disk, DiskFile, Open};

pub(super) const SECTOR: usize = 512;

/// A file whose name is durable.
pub(super) fn created(disk: &SimDisk, path: &str) -> Arc<dyn DiskFile> {
    let file = disk.open(Path::new(path), Open::CreateNew).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    file
}

pub(super) fn read(disk: &SimDisk, path: &str) -> Option<Vec<u8>> {
    disk.read_file(Path::new(path)).ok()
}

/// What becomes of a file in each of many crashes.
pub(super) fn after_crashes(disk: &SimDisk, path: &str) -> Vec<Option<Vec<u8>>> {
    let crashed = (0..200).map(|seed| {
        let fork = disk.fork(seed);
        fork.crash();
        read(&fork, path)
    });
    crashed.collect()
}

pub(super) fn names_after_crashes(disk: &SimDisk) -> Vec<String> {
    let crashed = (0..200).map(|seed| {
        let fork = disk.fork(seed);
        fork.crash();
        fork.list(Path::new("/")).unwrap().join(" ")
    });
    let mut seen: Vec<String> = crashed.collect();
    seen.sort();
    seen.dedup();
    seen
}

/// A random step of a workload on one file: what, where, how much.
fn steps() -> impl Strategy<Value = Vec<(u8, u16, u16)>> {
    prop::collection::vec((0_u8..5, 0_u16..6_000, 0_u16..3_000), 1..25)
}

/// What a file must hold: each byte, and whether it was written (reserved and
/// skipped bytes share their sector's fate).
#[derive(Default)]
struct Model {
    content: Vec<(u8, bool)>,
    /// What the device must hold; `None` for a byte that a crash may change.
    synced: Vec<Option<u8>>,
}

impl Model {
    fn run(&mut self, file: &dyn DiskFile, step: (u8, u16, u16), mark: u8) {
        let what = step.0;
        let (at, len) = (u64::from(step.1), u64::from(step.2));
        let (from, to) = (usize::from(step.1), usize::from(step.1) + usize::from(step.2));
        match what {
            0 | 1 => {
                file.write_at(&vec![mark; to - from], at).unwrap();
                self.grow(len, to);
                self.content.iter_mut().take(to).skip(from).for_each(|byte| {
                    *byte = (mark, true);
                });
                self.synced.iter_mut().take(to).skip(from).for_each(|byte| *byte = None);
            }
            2 => {
                file.set_len(at).unwrap();
                self.content.resize(from, (0, false));
                self.synced.iter_mut().skip(from).for_each(|byte| *byte = None);
            }
            3 => {
                file.allocate(at, len).unwrap();
                self.grow(len, to);
            }
            _ => {
                file.sync_data().unwrap();
                let certain = |&(byte, written): &(u8, bool)| written.then_some(byte);
                self.synced = self.content.iter().map(certain).collect();
            }
        }
    }

    fn grow(&mut self, len: u64, to: usize) {
        if len > 0 && to > self.content.len() {
            self.content.resize(to, (0, false));
        }
    }

    fn bytes(&self) -> Vec<u8> {
        self.content.iter().map(|(byte, _)| *byte).collect()
    }
}

proptest! {
    #[test]
    fn synced_bytes_survive_any_crash(steps in steps(), seed: u64) {
        let disk = SimDisk::new(seed);
        let file = created(&disk, "f");
        let mut model = Model::default();
        for (mark, step) in (1..).zip(steps) {
            model.run(&*file, step, mark);
            prop_assert_eq!(read(&disk, "f"), Some(model.bytes()));
        }
        disk.crash();
        let after = read(&disk, "f").unwrap();
        for (at, byte) in model.synced.iter().enumerate() {
            if let Some(byte) = byte {
                prop_assert_eq!(after.get(at), Some(byte), "byte {}", at);
            }
        }
        // And what is there now stays.
        disk.crash();
        prop_assert_eq!(read(&disk, "f"), Some(after));
    }

    #[test]
    fn the_same_seed_has_the_same_outcome(steps in steps(), seed: u64) {
        let outcome = || {
            let disk = SimDisk::new(seed);
            let file = created(&disk, "f");
            let mut model = Model::default();
            for (mark, step) in (1..).zip(steps.clone()) {
                model.run(&*file, step, mark);
            }
            disk.crash();
            (read(&disk, "f"), disk.operations(), disk.syncs(), disk.trace())
        };
        prop_assert_eq!(outcome(), outcome());
    }
}

#[test]
fn an_overwritten_sector_is_old_or_new_as_a_whole() {
    let disk = SimDisk::new(3);
    let file = created(&disk, "f");
    file.write_at(&[1; 4 * SECTOR], 0).unwrap();
    file.sync_data().unwrap();
    file.write_at(&[2; 4 * SECTOR], 0).unwrap();
    let outcomes = after_crashes(&disk, "f");
    let mut mixed = 0;
    for bytes in outcomes.iter().flatten() {
        assert_eq!(bytes.len(), 4 * SECTOR);
        for sector in bytes.chunks(SECTOR) {
            assert!(sector == [1; SECTOR] || sector == [2; SECTOR], "{sector:?}");
        }
        mixed += usize::from(bytes.contains(&1) && bytes.contains(&2));
    }
    assert!(mixed > 50, "sectors are decided one by one");
}

#[test]
fn a_sector_without_durable_bytes_may_become_anything() {
    let disk = SimDisk::new(3);
    let file = created(&disk, "f");
    file.allocate(0, 4096).unwrap();
    file.sync_data().unwrap();
    file.write_at(&[2; SECTOR], 0).unwrap();
    let outcomes = after_crashes(&disk, "f");
    let first: Vec<&[u8]> = outcomes.iter().flatten().map(|bytes| &bytes[..SECTOR]).collect();
    let garbage = |sector: &&&[u8]| **sector != [0; SECTOR] && **sector != [2; SECTOR];
    assert!(first.contains(&&[0; SECTOR][..]) && first.contains(&&[2; SECTOR][..]));
    assert!(first.iter().filter(garbage).count() > 10);
}

#[test]
fn durable_bytes_stay_when_their_sector_is_written_beside_them() {
    let disk = SimDisk::new(3);
    let file = created(&disk, "f");
    file.allocate(0, 4096).unwrap();
    file.write_at(&[1; 100], 0).unwrap();
    file.sync_data().unwrap();
    file.write_at(&[2; 100], 100).unwrap();
    let outcomes = after_crashes(&disk, "f");
    assert!(outcomes.iter().flatten().all(|bytes| bytes[..100] == [1; 100]));
    assert!(outcomes.iter().flatten().any(|bytes| bytes[100..200] != [2; 100]));
}

#[test]
fn unsynced_sizes_happen_or_do_not() {
    let disk = SimDisk::new(3);
    let file = created(&disk, "f");
    file.write_at(&[1; 300], 0).unwrap();
    file.sync_data().unwrap();
    file.set_len(10).unwrap();
    file.set_len(2000).unwrap();
    let mut sizes: Vec<usize> = after_crashes(&disk, "f").iter().flatten().map(Vec::len).collect();
    sizes.sort_unstable();
    sizes.dedup();
    assert_eq!(sizes, [10, 300, 2000]);
}

#[test]
fn unsynced_names_may_vanish_and_synced_ones_never() {
    let disk = SimDisk::new(3);
    drop(created(&disk, "kept"));
    let file = disk.open(Path::new("new"), Open::CreateNew).unwrap();
    file.write_at(b"x", 0).unwrap();
    file.sync_data().unwrap();
    assert_eq!(names_after_crashes(&disk), ["kept", "kept new"]);
    disk.remove_file(Path::new("kept")).unwrap();
    assert_eq!(names_after_crashes(&disk), ["", "kept", "kept new", "new"]);
    disk.sync_dir(Path::new("/")).unwrap();
    assert_eq!(names_after_crashes(&disk), ["new"]);
    assert!(after_crashes(&disk, "new").iter().all(|bytes| bytes.as_deref() == Some(b"x")));
}

#[test]
fn a_rename_happens_as_a_whole() {
    let disk = SimDisk::new(3);
    disk.write_file(Path::new("a"), b"new").unwrap();
    disk.write_file(Path::new("b"), b"old").unwrap();
    disk.rename(Path::new("a"), Path::new("b")).unwrap();
    let mut outcomes = Vec::new();
    for seed in 0..100 {
        let fork = disk.fork(seed);
        fork.crash();
        let found = (read(&fork, "a"), read(&fork, "b"));
        if !outcomes.contains(&found) {
            outcomes.push(found);
        }
    }
    outcomes.sort();
    let (old, new) = (Some(b"old".to_vec()), Some(b"new".to_vec()));
    assert_eq!(outcomes, [(None, new.clone()), (new, old)]);
}

#[test]
fn syncing_a_directory_keeps_a_rename_into_it_and_what_it_builds_on() {
    let disk = SimDisk::new(3);
    for dir in ["/x", "/y"] {
        disk.create_dir(Path::new(dir)).unwrap();
    }
    disk.sync_dir(Path::new("/")).unwrap();
    drop(disk.open(Path::new("/x/tmp"), Open::CreateNew).unwrap());
    drop(disk.open(Path::new("/x/other"), Open::CreateNew).unwrap());
    disk.rename(Path::new("/x/tmp"), Path::new("/y/f")).unwrap();
    disk.sync_dir(Path::new("/y")).unwrap();
    let mut other = 0;
    for seed in 0..100 {
        let fork = disk.fork(seed);
        fork.crash();
        assert_eq!(fork.list(Path::new("/y")).unwrap(), ["f"]);
        assert!(!fork.exists(Path::new("/x/tmp")).unwrap());
        other += u32::from(fork.exists(Path::new("/x/other")).unwrap());
    }
    assert!(0 < other && other < 100);
}

#[test]
fn a_directory_that_vanishes_takes_its_files_along() {
    let disk = SimDisk::new(3);
    disk.create_dir(Path::new("d")).unwrap();
    drop(disk.open(Path::new("d/f"), Open::CreateNew).unwrap());
    disk.sync_dir(Path::new("d")).unwrap();
    assert_eq!(names_after_crashes(&disk), ["", "d"]);
    disk.sync_dir(Path::new("/")).unwrap();
    disk.crash();
    assert_eq!(disk.list(Path::new("d")).unwrap(), ["f"]);
}

#[test]
fn a_crash_ends_open_files_and_frees_locks() {
    let disk = SimDisk::new(3);
    let file = created(&disk, "f");
    assert!(file.try_lock().unwrap());
    disk.crash();
    assert!(file.read_at(&mut [0], 0).is_err() && file.write_at(b"x", 0).is_err());
    assert!(file.len().is_err() && file.sync_data().is_err() && file.try_lock().is_err());
    let again = disk.open(Path::new("f"), Open::ReadWrite).unwrap();
    assert!(again.try_lock().unwrap());
    drop(file);
    let third = disk.open(Path::new("f"), Open::ReadWrite).unwrap();
    assert!(!third.try_lock().unwrap(), "dropping a dead handle frees nothing");
}

#[test]
fn waiting_for_a_lock_ends_with_an_error_when_the_machine_crashes() {
    let disk = SimDisk::new(3);
    let holder = created(&disk, "f");
    holder.lock().unwrap();
    let waiter = disk.open(Path::new("f"), Open::ReadWrite).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || waiter.lock());
        disk.crash();
        assert!(waiting.join().unwrap().is_err());
    });
}

#[test]
fn tampering_is_durable() {
    let disk = SimDisk::new(3);
    disk.write_file(Path::new("f"), b"abc").unwrap();
    disk.flip_byte(Path::new("f"), 1, 0x20).unwrap();
    disk.crash();
    assert_eq!(read(&disk, "f").unwrap(), b"aBc");
    let past = disk.flip_byte(Path::new("f"), 3, 1).unwrap_err();
    assert_eq!(past.kind(), ErrorKind::UnexpectedEof);
    assert_eq!(disk.operations(), 0);
    let missing = disk.write_file(Path::new("no/f"), b"").unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}

#[test]
fn a_fork_goes_its_own_way() {
    let disk = SimDisk::new(3);
    let file = created(&disk, "f");
    file.write_at(b"both", 0).unwrap();
    let fork = disk.fork(4);
    file.write_at(b"here", 0).unwrap();
    let there = fork.open(Path::new("f"), Open::ReadWrite).unwrap();
    there.write_at(b"fork", 0).unwrap();
    fork.crash();
    assert_eq!(read(&disk, "f").unwrap(), b"here");
    file.sync_data().unwrap();
}

#[test]
fn bytes_of_removed_files_turn_up_as_garbage() {
    let disk = SimDisk::new(3);
    disk.write_file(Path::new("old"), &[0xaa; 8 * SECTOR]).unwrap();
    disk.remove_file(Path::new("old")).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    let file = created(&disk, "f");
    file.write_at(&[2; 8 * SECTOR], 0).unwrap();
    let stale = |bytes: &Vec<u8>| bytes.chunks(SECTOR).any(|sector| sector == [0xaa; SECTOR]);
    assert!(after_crashes(&disk, "f").iter().flatten().any(stale));
}
