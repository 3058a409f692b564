//! What reviewers broke once: each test is the attack, and what must happen instead.
#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers of tests

use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use crate::support::hang::within;

use bulla::internals::format::mark::RecoveryPoint;
use bulla::{
    Actor, Error, Event, HashAlgorithm, Log, Resource, Seq, Signer, VerifyOptions, verify,
};

fn event(n: u64) -> Event {
    Event::new(Actor::new("user", "alice"), "file.read", Resource::new("file", n.to_string()))
}

fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_closed_handle_touches_nothing_that_the_next_writer_owns() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let old = Log::options().origin("example.com/a").create(&path).unwrap();
    let key = dir.path().join("key");
    let signer = Signer::generate(&key, "example.com/a", HashAlgorithm::Sha256).unwrap();
    old.append(&event(0)).unwrap();
    old.close().unwrap();
    let new = Log::open(&path).unwrap();
    for n in 1..40 {
        new.append(&event(n)).unwrap();
    }
    assert!(matches!(old.rotate(), Err(Error::Closed)));
    assert!(matches!(old.sync(), Err(Error::Closed)));
    assert!(matches!(old.checkpoint(&signer), Err(Error::Closed)));
    drop(old);
    assert_eq!(new.append(&event(40)).unwrap().seq, Seq::new(40));
    new.close().unwrap();
    assert!(verify(&path, &VerifyOptions::new(), &mut |_| ()).unwrap().is_clean());
}

#[test]
fn many_who_create_at_once_get_one_log() {
    for _ in 0..20 {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let made = std::thread::scope(|scope| {
            let tries: Vec<_> = (0..4).map(|_| scope.spawn(|| Log::create(&path))).collect();
            tries.into_iter().filter_map(|made| made.join().unwrap().ok()).collect::<Vec<_>>()
        });
        assert!(made.len() <= 1);
        drop(made);
        let log = Log::open_or_create(&path).unwrap();
        log.append(&event(0)).unwrap();
        log.close().unwrap();
        assert!(verify(&path, &VerifyOptions::new(), &mut |_| ()).unwrap().is_clean());
    }
}

struct Act(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Wake for Act {
    fn wake(self: Arc<Self>) {
        let act = self.0.lock().unwrap().take();
        if let Some(act) = act {
            act();
        }
    }
}

/// Polls a ticket once with a waker that does something rash.
fn poll_with(log: &Log, act: impl FnOnce() + Send + 'static) {
    let waker = Waker::from(Arc::new(Act(Mutex::new(Some(Box::new(act))))));
    let mut ticket = pin!(log.enqueue(&event(0)).unwrap());
    if let Poll::Ready(done) = ticket.as_mut().poll(&mut Context::from_waker(&waker)) {
        done.unwrap();
    }
}

#[test]
fn a_waker_that_panics_or_closes_the_log_stops_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let log = Log::create(&path).unwrap();
    within(move || {
        for _ in 0..20 {
            poll_with(&log, || std::panic::resume_unwind(Box::new("a rash waker")));
            log.enqueue(&event(1)).unwrap().wait().unwrap();
        }
        let last = log.clone();
        poll_with(&log, move || last.close().unwrap());
        drop(log);
    });
    let log = within({
        let path = path.clone();
        move || loop {
            match Log::open(&path) {
                Err(Error::Locked { .. }) => std::thread::yield_now(),
                opened => return opened.unwrap(),
            }
        }
    });
    assert_eq!(log.size().get(), 41);
}

#[test]
fn a_key_without_its_heads_or_by_another_name_signs_no_second_history() {
    let dir = tempfile::tempdir().unwrap();
    let (path, old, key) = (dir.path().join("log"), dir.path().join("old"), dir.path().join("key"));
    let log = Log::options().origin("example.com/a").create(&path).unwrap();
    let signer = Signer::generate(&key, "example.com/a", HashAlgorithm::Sha256).unwrap();
    log.append(&event(0)).unwrap();
    log.checkpoint(&signer).unwrap();
    log.close().unwrap();
    copy_dir(&path, &old);
    let log = Log::open(&path).unwrap();
    log.append(&event(1)).unwrap();
    log.checkpoint(&signer).unwrap();
    log.close().unwrap();

    let restored = Log::open(&old).unwrap();
    restored.append(&event(7)).unwrap();
    let linked = dir.path().join("linked");
    std::os::unix::fs::symlink(&key, &linked).unwrap();
    let refused = restored.checkpoint(&Signer::load(&linked).unwrap());
    assert!(matches!(refused, Err(Error::WouldFork { .. })), "{refused:?}");
    let moved = dir.path().join("moved");
    std::fs::copy(&key, &moved).unwrap();
    let refused = restored.checkpoint(&Signer::load(&moved).unwrap());
    assert!(matches!(refused, Err(Error::WouldFork { .. })), "{refused:?}");
}

#[test]
fn two_copies_of_a_log_that_sign_at_once_never_sign_two_histories() {
    for round in 0..10 {
        let dir = tempfile::tempdir().unwrap();
        let (one, two, key) = (dir.path().join("1"), dir.path().join("2"), dir.path().join("key"));
        let log = Log::options().origin("example.com/a").create(&one).unwrap();
        Signer::generate(&key, "example.com/a", HashAlgorithm::Sha256).unwrap();
        log.append(&event(round)).unwrap();
        log.close().unwrap();
        copy_dir(&one, &two);
        let signed: Vec<_> = std::thread::scope(|scope| {
            let both = [(one, 1), (two, 2)].map(|(path, n)| {
                let key = &key;
                scope.spawn(move || {
                    let log = Log::open(path).unwrap();
                    log.append(&event(n)).unwrap();
                    log.checkpoint(&Signer::load(key).unwrap()).map(|signed| signed.head())
                })
            });
            both.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(signed.iter().filter(|signed| signed.is_ok()).count(), 1, "{signed:?}");
    }
}

#[test]
fn a_false_mark_cuts_nothing_off() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let log = Log::create(&path).unwrap();
    for n in 0..5 {
        log.append(&event(n)).unwrap();
    }
    let head = log.snapshot().head().unwrap();
    log.close().unwrap();
    let file = path.join("tree/mark");
    let bytes = std::fs::read(&file).unwrap();
    for offset in [512, 600, 1 << 40, u64::MAX] {
        let mut changed = Vec::new();
        for slot in bytes.chunks(bulla::internals::format::mark::SLOT_LEN) {
            match RecoveryPoint::decode(slot) {
                Ok(mark) => changed.extend(RecoveryPoint { offset, ..mark }.encode()),
                Err(_) => changed.extend_from_slice(slot),
            }
        }
        std::fs::write(&file, changed).unwrap();
        let log = Log::open(&path).unwrap();
        assert!(log.recovery().rebuilt.is_some(), "offset {offset}");
        assert!(log.recovery().set_aside.is_empty(), "offset {offset}");
        assert_eq!(log.snapshot().head().unwrap(), head);
        log.close().unwrap();
    }
}

#[test]
fn a_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["LOCK", "catalog/snapshot", "tree/mark", "segments/00000001.seg"] {
        let path = dir.path().join(name.replace('/', "-"));
        let log = Log::create(&path).unwrap();
        log.append(&event(0)).unwrap();
        log.close().unwrap();
        let file = path.join(name);
        std::fs::remove_file(&file).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&file).status().unwrap();
        assert!(made.success());
        within(move || {
            // Refused or done without; but answered.
            let _ = Log::open_read_only(&path);
            let _ = verify(&path, &VerifyOptions::new(), &mut |_| ());
            let _ = Log::open(&path);
        });
    }
}

#[test]
fn a_file_that_somebody_made_huge_is_set_aside_in_parts_and_not_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let log = Log::create(&path).unwrap();
    log.append(&event(0)).unwrap();
    log.close().unwrap();
    let file = std::fs::File::options().write(true).open(path.join("segments/00000001.seg"));
    let (file, end) = (file.unwrap(), 300 << 20);
    std::os::unix::fs::FileExt::write_all_at(&file, b"x", end).unwrap();
    let log = Log::open(&path).unwrap();
    assert_eq!(log.size().get(), 1);
    let kept: Vec<u64> = std::fs::read_dir(path.join("quarantine"))
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .collect();
    assert_eq!(kept.len(), 2, "the first part, and the one with the byte: {kept:?}");
    assert!(kept.iter().all(|len| *len <= 32 << 20), "{kept:?}");
}
