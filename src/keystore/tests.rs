//! The store on a disk that crashes, tears and rots.

use super::*;
use crate::disk::sim::{Fault, FaultKind, SimDisk};

const PATH: &str = "/keys";

fn wrapping(n: u8) -> WrappingKey {
    WrappingKey::from_bytes([n; 32])
}

fn create(disk: &SimDisk) -> Result<KeyStore> {
    KeyStore::create_on(Arc::new(disk.clone()), Path::new(PATH), &wrapping(1))
}

fn open_with(disk: &SimDisk, key: u8) -> Result<KeyStore> {
    KeyStore::open_on(Arc::new(disk.clone()), Path::new(PATH), &wrapping(key))
}

fn open(disk: &SimDisk) -> Result<KeyStore> {
    open_with(disk, 1)
}

fn names(store: &KeyStore) -> Vec<String> {
    store.subjects().into_iter().map(|stored| stored.subject).collect()
}

fn bytes(disk: &SimDisk) -> Vec<u8> {
    crate::disk::read_file(disk, Path::new(PATH), u64::MAX).unwrap()
}

fn put(disk: &SimDisk, bytes: &[u8]) {
    crate::disk::replace_file(disk, Path::new(PATH), bytes).unwrap();
}

#[test]
fn keys_are_the_same_when_the_store_is_opened_again() {
    let disk = SimDisk::new(1);
    let store = create(&disk).unwrap();
    let alice = store.draw("user:alice").unwrap();
    store.prepare(["user:bob", "user:carol", "user:bob"].into_iter()).unwrap();
    assert_eq!(store.known("user:alice").unwrap(), alice);
    let id = store.store_id();
    drop(store);
    disk.crash();
    let store = open(&disk).unwrap();
    assert_eq!(store.store_id(), id);
    assert_eq!(store.known("user:alice").unwrap(), alice);
    assert_eq!(store.key(alice.key_id).unwrap(), alice);
    assert_eq!(names(&store), ["user:alice", "user:bob", "user:carol"]);
    assert_eq!(store.subject("user:dave"), None);
    assert!(create(&disk).is_err(), "a store is never overwritten");
}

#[test]
fn nothing_of_a_subject_can_be_read_without_the_wrapping_key() {
    let disk = SimDisk::new(2);
    let store = create(&disk).unwrap();
    let keys = store.draw("user:alice").unwrap();
    let stored = bytes(&disk);
    let secrets: [&[u8]; 4] = [b"user:alice", &keys.key_id.0, &keys.payload_key, &keys.alias_key];
    for secret in secrets {
        assert!(!stored.windows(secret.len()).any(|part| part == secret));
    }
    assert!(!format!("{store:?} {keys:?} {:?}", wrapping(1)).contains("alice"));
}

#[test]
fn a_wrong_wrapping_key_is_told_from_damage() {
    let disk = SimDisk::new(3);
    drop(create(&disk).unwrap());
    assert!(matches!(open_with(&disk, 2), Err(Error::KeyStore { .. })));
    assert!(open(&disk).is_ok());
}

#[test]
fn a_rewrapped_store_opens_with_the_new_key_only() {
    let disk = SimDisk::new(4);
    let store = create(&disk).unwrap();
    let alice = store.draw("user:alice").unwrap();
    store.rewrap(&wrapping(9)).unwrap();
    let bob = store.draw("user:bob").unwrap();
    drop(store);
    disk.crash();
    assert!(matches!(open(&disk), Err(Error::KeyStore { .. })));
    let store = open_with(&disk, 9).unwrap();
    assert_eq!(store.known("user:alice"), Some(alice));
    assert_eq!(store.known("user:bob"), Some(bob));
}

#[test]
fn one_process_at_a_time_writes_and_any_number_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys");
    let store = KeyStore::create(&path, &wrapping(1)).unwrap();
    store.draw("user:alice").unwrap();
    assert!(matches!(KeyStore::open(&path, &wrapping(1)), Err(Error::KeyStore { .. })));
    let reader = KeyStore::open_read_only(&path, &wrapping(1)).unwrap();
    assert_eq!(names(&reader), ["user:alice"]);
    assert!(matches!(reader.draw("user:bob"), Err(Error::KeyStore { .. })));
    assert!(matches!(reader.rewrap(&wrapping(2)), Err(Error::KeyStore { .. })));
    drop(store);
    assert_eq!(names(&KeyStore::open(&path, &wrapping(1)).unwrap()), ["user:alice"]);
}

#[test]
fn a_store_inside_a_log_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("audit");
    drop(crate::log::Log::create(&log).unwrap());
    for inside in [log.join("keys"), log.join("quarantine").join("keys")] {
        let refused = KeyStore::create(&inside, &wrapping(1)).unwrap_err().to_string();
        assert!(refused.contains("backups"), "{refused}");
    }
    KeyStore::create(&dir.path().join("keys"), &wrapping(1)).unwrap();
}

#[test]
fn a_destroyed_key_is_gone_from_memory_file_and_old_blocks() {
    let disk = SimDisk::new(5);
    let store = create(&disk).unwrap();
    let (alice, bob) = (store.draw("user:alice").unwrap(), store.draw("user:bob").unwrap());
    let old = disk.open(Path::new(PATH), Open::Read).unwrap();
    store.erasing().unwrap().destroy(&[alice.key_id]).unwrap();
    assert_eq!(store.key(alice.key_id), None);
    assert_eq!(store.known("user:alice"), None);
    let mut blocks = vec![1; usize::try_from(old.len().unwrap()).unwrap()];
    crate::disk::read_exact_at(&*old, &mut blocks, 0).unwrap();
    assert!(blocks.iter().all(|byte| *byte == 0), "the old file was overwritten");
    // It comes back as somebody else, as far as records go.
    let again = store.draw("user:alice").unwrap();
    assert_ne!(again.key_id, alice.key_id);
    assert_ne!(again.payload_key, alice.payload_key);
    drop(store);
    disk.crash();
    let store = open(&disk).unwrap();
    assert_eq!(store.known("user:bob"), Some(bob));
    assert_eq!(store.known("user:alice"), Some(again));
    assert_eq!(store.key(alice.key_id), None);
}

#[test]
fn damage_anywhere_is_an_error_or_changes_nothing() {
    let disk = SimDisk::new(6);
    let store = create(&disk).unwrap();
    store.prepare(["user:alice", "user:bob"].into_iter()).unwrap();
    store.draw("user:carol").unwrap();
    let all = names(&store);
    drop(store);
    let good = bytes(&disk);
    let (mut refused, mut same) = (0, 0);
    // Between header, slots and entries there is nothing; a few of those will do.
    let empty = [128..4096, 4160..8192, 8256..12_288];
    let worth_it =
        |at: &usize| at.is_multiple_of(512) || !empty.iter().any(|between| between.contains(at));
    for at in (0..good.len()).filter(worth_it) {
        let mut bad = good.clone();
        bad[at] ^= 0x41;
        put(&disk, &bad);
        match open(&disk) {
            Ok(store) => {
                assert_eq!(names(&store), all, "byte {at}");
                same += 1;
            }
            Err(Error::Corrupt { .. } | Error::KeyStore { .. }) => refused += 1,
            Err(other) => panic!("byte {at}: {other}"),
        }
    }
    assert!(refused > 300 && same > 60, "{refused} {same}");
    for cut in (0..good.len()).filter(worth_it) {
        put(&disk, &good[..cut]);
        assert!(matches!(open(&disk), Err(Error::Corrupt { .. })), "cut at {cut}");
    }
}

#[test]
fn what_was_being_written_is_set_aside_and_written_over() {
    let disk = SimDisk::new(7);
    let store = create(&disk).unwrap();
    store.draw("user:alice").unwrap();
    drop(store);
    let mut torn = bytes(&disk);
    torn.extend_from_slice(&[6, 0, 1, 2, 3]);
    torn.extend_from_slice(&[0x55; 300]);
    put(&disk, &torn);
    let store = open(&disk).unwrap();
    assert_eq!(names(&store), ["user:alice"]);
    store.draw("user:bob").unwrap();
    drop(store);
    assert_eq!(names(&open(&disk).unwrap()), ["user:alice", "user:bob"]);
}

#[test]
fn the_whole_end_of_a_batch_that_was_cut_short_does_not_come_back() {
    let disk = SimDisk::new(8);
    let store = create(&disk).unwrap();
    let before = bytes(&disk);
    store.prepare(["user:a", "user:b", "user:c"].into_iter()).unwrap();
    drop(store);
    // The slot was not written, and of the three entries the first was not.
    let mut torn = bytes(&disk);
    let entries = usize::try_from(crate::format::key_store::ENTRIES_OFFSET).unwrap();
    torn[..entries].copy_from_slice(&before[..entries]);
    torn[entries + 40] ^= 1;
    put(&disk, &torn);
    let store = open(&disk).unwrap();
    assert_eq!(names(&store), Vec::<String>::new());
    let c = store.draw("user:c").unwrap();
    drop(store);
    let store = open(&disk).unwrap();
    assert_eq!(names(&store), ["user:c"]);
    assert_eq!(store.known("user:c"), Some(c));
}

#[test]
fn no_crash_takes_keys_that_were_given_out_or_brings_back_destroyed_ones() {
    let work = |disk: &SimDisk| -> (Vec<String>, Vec<KeyId>) {
        let (mut given, mut destroyed) = (Vec::new(), Vec::new());
        let done = (|| {
            let store = create(disk)?;
            for n in 0..4 {
                let name = format!("user:{n}");
                store.draw(&name)?;
                given.push(name);
            }
            let gone = store.draw("user:gone")?.key_id;
            store.erasing()?.destroy(&[gone])?;
            destroyed.push(gone);
            store.draw("user:after")?;
            given.push("user:after".to_owned());
            store.rewrap(&wrapping(2))
        })();
        // To overwrite the blocks of the file before is an attempt: it fails unseen.
        assert!(done.is_ok() || disk.stopped(), "{done:?}");
        (given, destroyed)
    };
    let whole = SimDisk::new(0);
    work(&whole);
    for count in 1..=whole.operations() {
        for seed in 0..3 {
            let disk = SimDisk::new(seed);
            disk.crash_after(count);
            let (given, destroyed) = work(&disk);
            disk.crash();
            let opened = match open(&disk) {
                Err(Error::KeyStore { .. }) => open_with(&disk, 2),
                opened => opened,
            };
            let place = format!("crash after {count}, seed {seed}");
            let store = match opened {
                Ok(store) => store,
                Err(_) if given.is_empty() => continue,
                Err(error) => panic!("{place}: {error}"),
            };
            let names = names(&store);
            assert!(given.iter().all(|name| names.contains(name)), "{place}: {names:?}");
            assert!(destroyed.iter().all(|id| store.key(*id).is_none()), "{place}");
            store.draw("user:later").unwrap();
        }
    }
}

#[test]
fn what_a_failed_sync_forgot_takes_no_later_keys_with_it() {
    let mut struck = 0;
    for at in 0.. {
        for seed in 0..4 {
            let disk = SimDisk::new(seed);
            let store = create(&disk).unwrap();
            store.draw("user:before").unwrap();
            let gone = store.draw("user:gone").unwrap().key_id;
            disk.plan(Fault { at, kind: FaultKind::SyncFailed, stored: false });
            let destroyed = store.erasing().unwrap().destroy(&[gone]);
            if disk.faults_outstanding() > 0 {
                assert!(struck > 4, "{struck} failed syncs");
                return;
            }
            drop(store);
            let store = open(&disk).unwrap();
            let was_destroyed = store.key(gone).is_none();
            assert!(was_destroyed || destroyed.is_err());
            store.draw("user:after").unwrap();
            drop(store);
            disk.crash();
            let store = open(&disk).unwrap();
            let names = names(&store);
            for name in ["user:before", "user:after"] {
                assert!(names.contains(&name.to_owned()), "{name} of {names:?}, failed at {at}");
            }
            assert!(store.key(gone).is_none() || !was_destroyed, "back, failed at {at}");
            struck += 1;
        }
    }
}
