//! What both disks must do alike: one suite, run against each.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::RealDisk;
use super::sim::SimDisk;
use crate::disk::files::{Disk, DiskFile, Open, Protection, read_exact_at};

/// Runs a check in an empty directory of each disk.
fn on_both(check: impl Fn(&dyn Disk, &Path)) {
    let dir = tempfile::tempdir().unwrap();
    check(&RealDisk, dir.path());
    let sim = SimDisk::new(1);
    sim.create_dir(Path::new("/dir")).unwrap();
    check(&sim, Path::new("/dir"));
}

fn bytes_of(file: &dyn DiskFile) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    read_exact_at(file, &mut bytes, 0).unwrap();
    bytes
}

fn create(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Arc<dyn DiskFile> {
    let file = disk.open(path, Open::CreateNew).unwrap();
    file.write_at(bytes, 0).unwrap();
    file
}

#[test]
fn what_is_written_is_read_back_and_gaps_are_zeros() {
    on_both(|disk, dir| {
        let file = create(disk, &dir.join("f"), b"head");
        file.write_at(b"tail", 1000).unwrap();
        file.write_at(b"", 5000).unwrap();
        assert_eq!(file.len().unwrap(), 1004);
        let bytes = bytes_of(&*file);
        assert_eq!((&bytes[..4], &bytes[1000..]), (&b"head"[..], &b"tail"[..]));
        assert!(bytes[4..1000].iter().all(|byte| *byte == 0));
    });
}

#[test]
fn a_read_only_file_is_read_and_unlinked() {
    on_both(|disk, dir| {
        let path = dir.join("f");
        let file = create(disk, &path, b"sealed");
        assert_eq!(disk.protection(&path).unwrap(), Protection::None);
        assert_eq!(disk.protect(&path, Protection::ReadOnly).unwrap(), Protection::ReadOnly);
        assert_eq!(disk.protection(&path).unwrap(), Protection::ReadOnly);
        file.write_at(b"SEALED", 0).unwrap(); // it was open before
        assert_eq!(bytes_of(&*disk.open(&path, Open::Read).unwrap()), b"SEALED");
        disk.unprotect(&path).unwrap();
        disk.remove_file(&path).unwrap();
    });
}

#[test]
fn an_immutable_file_is_unlinked_only_when_the_attribute_is_taken_away() {
    on_both(|disk, dir| {
        let path = dir.join("f");
        drop(create(disk, &path, b"sealed"));
        // Not every file system has it, and not everybody may set it.
        let reached = disk.protect(&path, Protection::Immutable).unwrap();
        assert_eq!(disk.protection(&path).unwrap(), reached);
        if reached == Protection::Immutable {
            let refused = disk.remove_file(&path).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
            assert!(disk.open(&path, Open::ReadWrite).is_err());
        }
        disk.unprotect(&path).unwrap();
        disk.remove_file(&path).unwrap();
    });
}

#[test]
fn reads_are_short_only_at_the_end_of_the_file() {
    on_both(|disk, dir| {
        let file = create(disk, &dir.join("f"), b"0123456789");
        let mut buf = [9; 8];
        assert_eq!(file.read_at(&mut buf, 6).unwrap(), 4);
        assert_eq!(&buf, b"6789\x09\x09\x09\x09");
        assert_eq!(file.read_at(&mut buf, 10).unwrap(), 0);
        assert_eq!(file.read_at(&mut buf, 1 << 40).unwrap(), 0);
        let error = read_exact_at(&*file, &mut buf, 6).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    });
}

#[test]
fn a_file_cut_and_grown_again_reads_as_zeros() {
    on_both(|disk, dir| {
        let file = create(disk, &dir.join("f"), &[7; 2000]);
        file.sync_data().unwrap();
        file.set_len(700).unwrap();
        file.set_len(2000).unwrap();
        let bytes = bytes_of(&*file);
        assert!(bytes[..700].iter().all(|byte| *byte == 7));
        assert!(bytes[700..].iter().all(|byte| *byte == 0));
    });
}

#[test]
fn reserving_space_grows_the_file_and_keeps_what_is_there() {
    on_both(|disk, dir| {
        let file = create(disk, &dir.join("f"), b"kept");
        file.allocate(0, 2).unwrap();
        file.allocate(9, 0).unwrap();
        assert_eq!(file.len().unwrap(), 4);
        file.allocate(0, 100_000).unwrap();
        let bytes = bytes_of(&*file);
        assert_eq!(bytes.len(), 100_000);
        assert!(bytes.starts_with(b"kept\0") && bytes.ends_with(&[0]));
    });
}

#[test]
fn opening_says_what_is_wrong() {
    on_both(|disk, dir| {
        let kind = |path: &str, how| disk.open(&dir.join(path), how).unwrap_err().kind();
        drop(create(disk, &dir.join("f"), b""));
        assert_eq!(kind("none", Open::Read), ErrorKind::NotFound);
        assert_eq!(kind("none", Open::ReadWrite), ErrorKind::NotFound);
        assert_eq!(kind("no/f", Open::CreateNew), ErrorKind::NotFound);
        assert_eq!(kind("f", Open::CreateNew), ErrorKind::AlreadyExists);
        assert_eq!(kind("f", Open::CreateNewPrivate), ErrorKind::AlreadyExists);
        assert_eq!(kind("f/g", Open::Read), ErrorKind::NotADirectory);
        let reader = disk.open(&dir.join("f"), Open::Read).unwrap();
        assert!(reader.write_at(b"x", 0).is_err());
        assert!(reader.set_len(1).is_err());
        reader.sync_data().unwrap();
    });
}

#[test]
fn directories_are_made_once_and_list_their_names_in_order() {
    on_both(|disk, dir| {
        let sub = dir.join("sub");
        disk.create_dir(&sub).unwrap();
        assert_eq!(disk.create_dir(&sub).unwrap_err().kind(), ErrorKind::AlreadyExists);
        let orphan = disk.create_dir(&dir.join("no/sub")).unwrap_err();
        assert_eq!(orphan.kind(), ErrorKind::NotFound);
        for name in ["b", "a", "B", "é"] {
            drop(disk.open(&sub.join(name), Open::CreateNew).unwrap());
        }
        assert_eq!(disk.list(&sub).unwrap(), ["B", "a", "b", "é"]);
        assert_eq!(disk.list(dir).unwrap(), ["sub"]);
        assert_eq!(disk.list(&dir.join("no")).unwrap_err().kind(), ErrorKind::NotFound);
        assert!(disk.exists(&sub).unwrap() && disk.exists(&sub.join("a")).unwrap());
        assert!(!disk.exists(&sub.join("c")).unwrap());
        disk.sync_dir(&sub).unwrap();
        assert_eq!(disk.remove_dir(&sub).unwrap_err().kind(), ErrorKind::DirectoryNotEmpty);
        let file = disk.remove_dir(&sub.join("a")).unwrap_err();
        assert_eq!(file.kind(), ErrorKind::NotADirectory);
        disk.list(&sub).unwrap().iter().for_each(|n| disk.remove_file(&sub.join(n)).unwrap());
        disk.remove_dir(&sub).unwrap();
        assert_eq!(disk.remove_dir(&sub).unwrap_err().kind(), ErrorKind::NotFound);
        assert!(!disk.exists(&sub).unwrap());
        assert_eq!(disk.sync_dir(&dir.join("no")).unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn a_rename_replaces_what_was_there() {
    on_both(|disk, dir| {
        let (a, b) = (dir.join("a"), dir.join("b"));
        let old = create(disk, &b, b"old");
        drop(create(disk, &a, b"new"));
        disk.rename(&a, &b).unwrap();
        assert_eq!(disk.list(dir).unwrap(), ["b"]);
        assert_eq!(bytes_of(&*disk.open(&b, Open::Read).unwrap()), b"new");
        assert_eq!(bytes_of(&*old), b"old");
        assert_eq!(disk.rename(&a, &b).unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn a_removed_file_stays_with_those_who_have_it_open() {
    on_both(|disk, dir| {
        let path = dir.join("f");
        let (file, map) = {
            let file = create(disk, &path, b"still here");
            let map = file.map(5).unwrap();
            (file, map)
        };
        disk.remove_file(&path).unwrap();
        disk.sync_dir(dir).unwrap();
        assert!(!disk.exists(&path).unwrap());
        assert_eq!(disk.remove_file(&path).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(bytes_of(&*file), b"still here");
        file.write_at(b"STILL", 0).unwrap();
        assert_eq!(bytes_of(&*file), b"STILL here");
        assert_eq!(map.map(|map| map.len()), Some(5));
    });
}

#[test]
fn a_map_shows_the_first_bytes_and_never_more_than_there_are() {
    on_both(|disk, dir| {
        let file = create(disk, &dir.join("f"), b"sealed bytes");
        file.drop_cache(0, 12).unwrap();
        assert_eq!(&*file.map(6).unwrap().unwrap(), b"sealed");
        assert_eq!(file.map(0).unwrap().unwrap().len(), 0);
        assert_eq!(file.map(13).unwrap_err().kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn a_lock_has_one_holder_until_it_is_released_or_dropped() {
    on_both(|disk, dir| {
        let path = dir.join("LOCK");
        let first = create(disk, &path, b"");
        let second = disk.open(&path, Open::ReadWrite).unwrap();
        assert!(first.try_lock().unwrap());
        assert!(!second.try_lock().unwrap());
        first.unlock().unwrap();
        assert!(second.try_lock().unwrap());
        assert!(!first.try_lock().unwrap());
        second.unlock().unwrap();
        first.lock().unwrap();
        let shared = Arc::clone(&first);
        drop(first);
        assert!(!second.try_lock().unwrap(), "another handle of the holder is left");
        drop(shared);
        assert!(second.try_lock().unwrap());
    });
}

#[test]
fn waiting_for_a_lock_ends_when_its_holder_lets_go() {
    on_both(|disk, dir| {
        let path = dir.join("LOCK");
        let holder = create(disk, &path, b"");
        holder.lock().unwrap();
        let waiter = disk.open(&path, Open::ReadWrite).unwrap();
        let released = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                waiter.lock().unwrap();
                assert!(released.load(Ordering::SeqCst), "two held the lock");
            });
            std::thread::sleep(Duration::from_millis(20));
            released.store(true, Ordering::SeqCst);
            drop(holder);
            waiting.join().unwrap();
        });
    });
}
