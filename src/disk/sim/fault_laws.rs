//! What the simulated disk promises of planned faults, stops and limited space.

use std::io::ErrorKind;
use std::path::Path;

use super::laws::{SECTOR, after_crashes, created, names_after_crashes, read};
use super::{Fault, FaultKind, SimDisk};
use crate::disk::files::{Disk, Open};

#[test]
fn a_failed_write_is_stored_or_not_as_planned() {
    for kind in [FaultKind::Eio, FaultKind::Enospc, FaultKind::ShortWrite] {
        for stored in [false, true] {
            let disk = SimDisk::new(3);
            let file = created(&disk, "f");
            disk.plan(Fault { at: 1, kind, stored });
            file.write_at(b"first", 0).unwrap();
            let error = file.write_at(b"second", 5).unwrap_err();
            assert_eq!(error.kind() == ErrorKind::StorageFull, kind == FaultKind::Enospc);
            let bytes = read(&disk, "f").unwrap();
            match (kind, stored) {
                (_, true) => assert_eq!(bytes, b"firstsecond"),
                (FaultKind::ShortWrite, false) => assert!(bytes.len() < 11),
                (_, false) => assert_eq!(bytes, b"first"),
            }
            assert_eq!(disk.faults_outstanding(), 0);
            file.write_at(b"third", 0).unwrap();
        }
    }
}

#[test]
fn a_failed_change_of_names_or_size_is_stored_or_not_as_planned() {
    for kind in [FaultKind::Eio, FaultKind::Enospc] {
        for stored in [false, true] {
            let disk = SimDisk::new(3);
            let file = created(&disk, "f");
            let fail_next = || disk.plan(Fault { at: 0, kind, stored });
            fail_next();
            assert!(file.set_len(9).is_err());
            assert_eq!(file.len().unwrap(), if stored { 9 } else { 0 });
            fail_next();
            assert!(file.allocate(0, 20).is_err());
            assert_eq!(file.len().unwrap(), if stored { 20 } else { 0 });
            fail_next();
            assert!(disk.open(Path::new("g"), Open::CreateNew).is_err());
            assert_eq!(disk.exists(Path::new("g")).unwrap(), stored);
            fail_next();
            assert!(disk.create_dir(Path::new("d")).is_err());
            assert_eq!(disk.exists(Path::new("d")).unwrap(), stored);
            fail_next();
            assert!(disk.rename(Path::new("f"), Path::new("h")).is_err());
            assert_eq!(disk.exists(Path::new("h")).unwrap(), stored);
        }
    }
    for stored in [false, true] {
        let disk = SimDisk::new(3);
        drop(created(&disk, "f"));
        disk.plan(Fault { at: 0, kind: FaultKind::Eio, stored });
        assert!(disk.remove_file(Path::new("f")).is_err());
        assert_eq!(disk.exists(Path::new("f")).unwrap(), !stored);
    }
}

#[test]
fn a_failed_sync_that_stored_nothing_is_not_made_good_by_the_next_one() {
    let disk = SimDisk::new(3);
    let file = created(&disk, "f");
    disk.plan(Fault { at: 0, kind: FaultKind::SyncFailed, stored: false });
    file.write_at(&[5; SECTOR], 0).unwrap();
    assert!(file.sync_data().is_err());
    file.sync_data().unwrap();
    let whole = |bytes: &Option<Vec<u8>>| bytes.as_deref() == Some(&[5; SECTOR][..]);
    let outcomes = after_crashes(&disk, "f");
    assert!(outcomes.iter().any(whole) && !outcomes.iter().all(whole));
    // Writing the bytes again makes them dirty again.
    file.write_at(&[5; SECTOR], 0).unwrap();
    file.sync_data().unwrap();
    assert!(after_crashes(&disk, "f").iter().all(whole));
}

#[test]
fn a_failed_sync_that_stored_everything_did() {
    let disk = SimDisk::new(3);
    let file = created(&disk, "f");
    disk.plan(Fault { at: 0, kind: FaultKind::SyncFailed, stored: true });
    file.write_at(&[5; SECTOR], 0).unwrap();
    assert!(file.sync_data().is_err());
    assert!(after_crashes(&disk, "f").iter().all(|bytes| bytes == &Some(vec![5; SECTOR])));
}

#[test]
fn after_a_failed_sync_only_a_dropped_cache_shows_what_the_device_holds() {
    let mut changed = 0;
    for seed in 0..50 {
        let disk = SimDisk::new(seed);
        let file = created(&disk, "f");
        file.allocate(0, 4096).unwrap();
        file.sync_data().unwrap();
        disk.plan(Fault { at: 1, kind: FaultKind::SyncFailed, stored: false });
        file.write_at(&[5; 2000], 0).unwrap();
        assert!(file.sync_data().is_err());
        assert!(read(&disk, "f").unwrap().starts_with(&[5; 2000]));
        file.drop_cache(0, 4096).unwrap();
        let shown = read(&disk, "f").unwrap();
        changed += usize::from(!shown.starts_with(&[5; 2000]));
        assert!(after_crashes(&disk, "f").iter().all(|bytes| bytes.as_ref() == Some(&shown)));
    }
    assert!(changed > 25);
}

#[test]
fn a_failed_directory_sync_is_not_made_good_by_the_next_one() {
    for stored in [false, true] {
        let disk = SimDisk::new(3);
        drop(disk.open(Path::new("f"), Open::CreateNew).unwrap());
        disk.plan(Fault { at: 0, kind: FaultKind::SyncFailed, stored });
        assert!(disk.sync_dir(Path::new("/")).is_err());
        disk.rename(Path::new("f"), Path::new("g")).unwrap();
        disk.sync_dir(Path::new("/")).unwrap();
        let outcomes = names_after_crashes(&disk);
        assert_eq!(outcomes, if stored { vec!["g"] } else { vec!["", "f", "g"] });
    }
}

#[test]
fn a_name_that_is_given_anew_is_stored_though_the_removal_before_was_lost() {
    for seed in 0..50 {
        let disk = SimDisk::new(seed);
        let (root, temporary, name) = (Path::new("/"), Path::new("t"), Path::new("f"));
        let put = |byte: u8| {
            let file = created(&disk, "t");
            file.write_at(&[byte], 0).unwrap();
            file.sync_data().unwrap();
        };
        put(1);
        disk.sync_dir(root).unwrap();
        disk.remove_file(temporary).unwrap();
        disk.plan(Fault { at: 0, kind: FaultKind::SyncFailed, stored: false });
        assert!(disk.sync_dir(root).is_err());
        put(2);
        disk.rename(temporary, name).unwrap();
        disk.sync_dir(root).unwrap();
        disk.crash();
        assert_eq!(read(&disk, "f").unwrap(), [2]);
        assert!(!disk.exists(temporary).unwrap());
    }
}

#[test]
fn a_fault_waits_for_an_operation_that_it_can_befall() {
    let disk = SimDisk::new(3);
    let file = created(&disk, "f");
    disk.plan(Fault { at: 0, kind: FaultKind::SyncFailed, stored: false });
    file.write_at(b"x", 0).unwrap();
    assert_eq!(disk.faults_outstanding(), 1);
    assert!(file.sync_data().is_err());
    file.sync_data().unwrap();
}

#[test]
fn a_stopped_machine_does_nothing_until_it_restarts() {
    let mut lengths = Vec::new();
    for seed in 0..50 {
        let disk = SimDisk::new(seed);
        let file = created(&disk, "f");
        disk.crash_after(1);
        file.write_at(b"one", 0).unwrap();
        assert!(!disk.stopped());
        assert!(file.write_at(b"two", 3).is_err());
        assert!(disk.stopped());
        assert!(file.read_at(&mut [0], 0).is_err() && file.sync_data().is_err());
        assert!(file.len().is_err() && disk.list(Path::new("/")).is_err());
        assert!(disk.open(Path::new("f"), Open::Read).is_err());
        lengths.push(read(&disk, "f").unwrap().len());
        disk.crash();
        assert!(!disk.stopped() && disk.exists(Path::new("f")).unwrap());
    }
    lengths.sort_unstable();
    lengths.dedup();
    assert_eq!(lengths, [3, 4, 5, 6]);
}

#[test]
fn a_full_disk_takes_what_fits_and_works_again_when_there_is_room() {
    let disk = SimDisk::new(3);
    let file = created(&disk, "f");
    disk.set_capacity(4 * SECTOR as u64);
    file.allocate(0, 3 * SECTOR as u64).unwrap();
    let full = |outcome: std::io::Result<()>| outcome.unwrap_err().kind() == ErrorKind::StorageFull;
    assert!(full(file.allocate(0, 5 * SECTOR as u64)));
    assert_eq!(file.len().unwrap(), 3 * SECTOR as u64);
    let other = created(&disk, "g");
    assert!(full(other.write_at(&[1; 700], 100)));
    assert_eq!(other.len().unwrap(), SECTOR as u64);
    assert!(full(file.write_at(b"x", 3 * SECTOR as u64)));
    file.write_at(&[1; 3 * SECTOR], 0).unwrap();
    disk.set_capacity(6 * SECTOR as u64);
    other.write_at(&[1; 700], 100).unwrap();
    assert_eq!(disk.used_bytes(), 5 * SECTOR as u64);
    disk.remove_file(Path::new("f")).unwrap();
    assert_eq!(disk.used_bytes(), 5 * SECTOR as u64, "it is still open");
    drop(file);
    assert_eq!(disk.used_bytes(), 2 * SECTOR as u64);
    other.set_len(0).unwrap();
    assert_eq!(disk.used_bytes(), 0);
}
