//! Keys: losses, erasures, and where a store may lie.

use super::*;

/// A sync of the store fails while a new subject is added; the process opens the store again
/// (as the error says), adds another one, durably; then the power goes. The store must open and
/// have the keys of all that was acknowledged.
#[test]
fn a_failed_sync_while_adding_a_subject_loses_no_keys_later() {
    let (mut bad, mut struck) = (Vec::new(), 0);
    for at in 0..6 {
        for seed in 0..12 {
            let (keys, disk) = (SimDisk::new(seed), SimDisk::new(100 + seed));
            let store =
                KeyStore::create_on(Arc::new(keys.clone()), Path::new("/keys"), &wrapping());
            let log = log_options(&disk).key_store(store.unwrap()).create("/audit").unwrap();
            log.append(&about(0, &long("before"))).unwrap();
            keys.plan(Fault { at, kind: FaultKind::SyncFailed, stored: false });
            let failed = log.append(&about(1, &long("fails")));
            if keys.faults_outstanding() > 0 {
                continue;
            }
            assert!(failed.is_err());
            struck += 1;
            drop(log);
            let log = log_options(&disk).key_store(open_store(&keys).unwrap()).open("/audit");
            let log = log.unwrap();
            let acked = log.append(&about(2, &long("after"))).unwrap().seq;
            drop(log);
            keys.crash();
            let store = match open_store(&keys) {
                Ok(store) => store,
                Err(error) => {
                    bad.push(format!("at {at}, seed {seed}: the store is lost: {error}"));
                    continue;
                }
            };
            let log = log_options(&disk).key_store(store).open("/audit").unwrap();
            for seq in [Seq::new(0), acked] {
                let state = log.snapshot().get(seq).map(|record| record.payload);
                if !matches!(state, Ok(PayloadState::Decrypted)) {
                    bad.push(format!("at {at}, seed {seed}: record {seq}: {state:?}"));
                }
            }
        }
    }
    assert!(struck >= 24, "{struck}");
    assert!(bad.is_empty(), "{} of {struck}: {:#?}", bad.len(), &bad[..bad.len().min(5)]);
}

/// A subject of so many sectors that its entry shares none with the next but at its ends.
fn long(name: &str) -> String {
    format!("user:{name}{}", "x".repeat(3000))
}

/// A store that could not be made (the disk was full) can be made once there is space.
#[test]
fn a_store_that_a_full_disk_refused_can_be_made_again() {
    let disk = SimDisk::new(1);
    disk.set_capacity(2048);
    let make = || KeyStore::create_on(Arc::new(disk.clone()), Path::new("/keys"), &wrapping());
    assert!(make().is_err());
    disk.set_capacity(u64::MAX);
    let (again, opened) = (make().err(), open_store(&disk).err());
    assert!(again.is_none() || opened.is_none(), "create: {again:?}; open: {opened:?}");
}

/// A reader that is refreshed after an erasure gives nothing of what was erased, also if its
/// key store is older, and also if this is the first encrypted record that it meets.
#[test]
fn a_refreshed_reader_opens_nothing_erased() {
    for met in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let (keys, audit) = (dir.path().join("keys"), dir.path().join("audit"));
        let store = KeyStore::create(&keys, &wrapping()).unwrap();
        let log = LogOptions::new().key_store(store).create(&audit).unwrap();
        let seq = log.append(&about(0, "user:alice")).unwrap().seq;
        let old = KeyStore::open_read_only(&keys, &wrapping()).unwrap();
        let reader = LogOptions::new().key_store(old).open_read_only(&audit).unwrap();
        if met {
            assert_eq!(reader.snapshot().get(seq).unwrap().payload, PayloadState::Decrypted);
        }
        log.retention().erase("user:alice", &Attribution::by("dpo").because("request 17")).unwrap();
        reader.refresh().unwrap();
        let record = reader.snapshot().get(seq).unwrap();
        assert_eq!(record.payload, PayloadState::Erased, "met before: {met}");
        assert_eq!(record.event.ip, None);
    }
}

/// "One store is of one log": a second log with the same store is refused, or else an erasure
/// in the one silently takes payloads of the other, past its holds.
#[test]
fn one_store_serves_one_log() {
    let dir = tempfile::tempdir().unwrap();
    let store = KeyStore::create(&dir.path().join("keys"), &wrapping()).unwrap();
    let a = LogOptions::new().key_store(store.clone()).create(dir.path().join("a")).unwrap();
    let b = match LogOptions::new().key_store(store).create(dir.path().join("b")) {
        Ok(b) => b,
        Err(_) => return, // refused: as documented
    };
    a.append(&about(0, "user:alice")).unwrap();
    let seq = b.append(&about(0, "user:alice")).unwrap().seq;
    let hold = bulla::retention::Hold::new("case", bulla::retention::HoldScope::new());
    b.retention().place_hold(&hold, &Attribution::by("legal")).unwrap();
    a.retention().erase("user:alice", &Attribution::by("dpo")).unwrap();
    assert_eq!(b.snapshot().get(seq).unwrap().payload, PayloadState::Decrypted, "held in b");
}

/// A store that is read while another process erases is not called damaged.
#[test]
fn a_store_is_read_while_it_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys");
    let store = KeyStore::create(&path, &wrapping()).unwrap();
    let log = LogOptions::new().key_store(store.clone()).create(dir.path().join("audit")).unwrap();
    let events: Vec<Event> = (0..3000).map(|n| about(n, &format!("user:{n}"))).collect();
    log.append_batch(&events).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let bad = std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let (mut bad, mut read) = (Vec::new(), 0);
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                read += 1;
                if let Err(error) = KeyStore::open_read_only(&path, &wrapping()) {
                    bad.push(error.to_string());
                }
            }
            (read, bad)
        });
        for _ in 0..150 {
            store.rewrap(&wrapping()).unwrap();
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        reading.join().unwrap()
    });
    let (read, bad) = bad;
    assert!(bad.is_empty(), "{} of {read} readings: {:?}", bad.len(), bad.first());
}

fn crc_at_end(bytes: &mut [u8]) {
    let at = bytes.len() - 4;
    let crc = crc32(&bytes[..at]);
    bytes[at..].copy_from_slice(&crc.to_le_bytes());
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

/// A slot whose generation is the largest there is (its CRC is no secret) is no reason to panic.
#[test]
fn a_slot_of_the_last_generation_does_not_panic() {
    let disk = SimDisk::new(1);
    let path = Path::new("/keys");
    drop(KeyStore::create_on(Arc::new(disk.clone()), path, &wrapping()).unwrap());
    let mut bytes = disk.read_file(path).unwrap();
    // Generation 1 stands in the second slot; so does u64::MAX, which is odd.
    let slot = &mut bytes[8192..8256];
    assert_eq!(&slot[..8], b"BULLAKSL");
    let mut check = slot.to_vec();
    crc_at_end(&mut check);
    assert_eq!(check, slot, "the CRC is the last four bytes");
    slot[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
    crc_at_end(slot);
    disk.write_file(path, &bytes).unwrap();
    let Ok(store) = open_store(&disk) else { return };
    let audit = SimDisk::new(2);
    let log = log_options(&audit).key_store(store).create("/audit").unwrap();
    let seq = log.append(&about(0, "user:alice")).map(|receipt| receipt.seq);
    drop(log);
    if let Ok(seq) = seq {
        let log = log_options(&audit).key_store(open_store(&disk).unwrap()).open("/audit").unwrap();
        assert_eq!(log.snapshot().get(seq).unwrap().payload, PayloadState::Decrypted);
    }
}

/// A store in a vault's directory is in every backup of the vault, as one in a log's is.
#[test]
fn a_store_inside_a_vault_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let vault = dir.path().join("vault");
    drop(Vault::create(&vault).unwrap());
    let taken: Vec<_> = ["keys", "logs/keys", "control/keys", "logs/main/keys"]
        .into_iter()
        .filter(|inside| KeyStore::create(&vault.join(inside), &wrapping()).is_ok())
        .collect();
    assert!(taken.is_empty(), "{taken:?}");
}

/// A link to a store inside a log leads into its backups as well.
#[test]
#[cfg(unix)]
fn a_link_to_a_store_inside_a_log_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("audit");
    drop(Log::create(&log).unwrap());
    let outside = dir.path().join("keys");
    drop(KeyStore::create(&outside, &wrapping()).unwrap());
    let inside = log.join("quarantine").join("keys");
    std::fs::rename(&outside, &inside).unwrap();
    std::os::unix::fs::symlink(&inside, &outside).unwrap();
    assert!(KeyStore::open(&inside, &wrapping()).is_err());
    assert!(KeyStore::open(&outside, &wrapping()).is_err(), "opened through the link");
}

/// Erasing while others append, in batches and one by one: what the certificates count is what
/// reads as erased, and nothing of an erased key opens.
#[test]
fn erasures_count_what_they_erase_while_others_append() {
    let dir = tempfile::tempdir().unwrap();
    let store = KeyStore::create(&dir.path().join("keys"), &wrapping()).unwrap();
    let log = LogOptions::new().key_store(store.clone()).create(dir.path().join("audit")).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let counted: u64 = std::thread::scope(|scope| {
        for thread in 0..3 {
            let (log, stop) = (&log, &stop);
            scope.spawn(move || {
                let mut n = 0;
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    n += 1;
                    let batch: Vec<Event> =
                        (0..1 + n % 3).map(|n| about(n, "user:alice")).collect();
                    let _ = if thread == 0 {
                        ok(log.append_batch(&batch))
                    } else {
                        ok(log.append(&batch[0]))
                    };
                }
            });
        }
        let mut counted = 0;
        for _ in 0..8 {
            std::thread::sleep(std::time::Duration::from_millis(5));
            if let Ok(certificate) = log.retention().erase("user:alice", &who()) {
                counted += certificate.records;
            }
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        counted
    });
    let states = |log: &Log| {
        let all = log.snapshot().records_from(Seq::new(0));
        let (mut erased, mut sealed) = (0, 0);
        for record in all {
            match record.unwrap().payload {
                PayloadState::Erased => erased += 1,
                PayloadState::Sealed => sealed += 1,
                _ => {}
            }
        }
        (erased, sealed)
    };
    let (erased, sealed) = states(&log);
    assert_eq!((erased, sealed), (counted, 0));
}
