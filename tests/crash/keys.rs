//! Power loss at every operation of a change of keys: one successor, and a log that signs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::support::{Shape, clock, dir, event, verify_clean};
use bulla::disk::Disk;
use bulla::disk::sim::SimDisk;
use bulla::keys::KeyChain;
use bulla::{Error, HashAlgorithm, Log, Signer, Trust, VerifyOptions, VerifyingKey};

fn path(name: &str) -> PathBuf {
    Path::new("/keys").join(name)
}

fn load(disk: &SimDisk, name: &str) -> Result<Signer, Error> {
    Signer::load_on(Arc::new(disk.clone()), &path(name))
}

fn open(disk: &SimDisk, shape: Shape) -> Result<Log, Error> {
    shape.options(disk, &clock()).open(dir())
}

/// A log that its first key has signed, and the next key, all durable.
fn begin(seed: u64, shape: Shape) -> (SimDisk, VerifyingKey) {
    let disk = SimDisk::new(seed);
    disk.create_dir(Path::new("/keys")).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    let log = shape.options(&disk, &clock()).create(dir()).unwrap();
    log.append(&event(0)).unwrap();
    let origin = log.origin().to_owned();
    let make = |name| {
        let disk: Arc<dyn Disk> = Arc::new(disk.clone());
        Signer::generate_on(disk, &path(name), &origin, shape.algorithm).unwrap()
    };
    let (old, _next) = (make("old"), make("next"));
    log.checkpoint(&old).unwrap();
    log.append(&event(1)).unwrap();
    log.close().unwrap();
    (disk, old.verifying_key().clone())
}

/// Hands over, erases the old key, and signs with the next one: what an operator does, and
/// does again after a crash.
fn change(disk: &SimDisk, shape: Shape) -> Result<KeyChain, Error> {
    let log = open(disk, shape)?;
    let next = load(disk, "next")?;
    let chain = match load(disk, "old") {
        Ok(old) => {
            let chain = log.keys().rotate(&old, &next)?;
            old.erase()?;
            chain
        }
        // Overwritten, perhaps not yet removed: then the log knows who comes next.
        Err(_) => log.snapshot().catalog().key_chain()?,
    };
    log.append(&event(2))?;
    log.checkpoint(&next)?;
    log.close()?;
    Ok(chain)
}

fn crash_at(count: u64, seed: u64, shape: Shape) -> bool {
    let (disk, pinned) = begin(seed, shape);
    disk.crash_after(count);
    let changed = change(&disk, shape);
    let stopped = disk.stopped();
    disk.crash();
    let handed_over = disk.read_file(&path("old.handover")).ok();
    let chain = match (changed, stopped) {
        (Ok(chain), false) => chain,
        _ => change(&disk, shape).expect("the same again finishes it"),
    };
    let text = chain.to_text();
    assert_eq!(chain.dangerously_unverified().len(), 1, "one successor");
    if let Some(before) = handed_over {
        assert!(text.as_bytes().ends_with(&before), "the statement of before the crash");
    }
    assert!(load(&disk, "old").is_err(), "the old key is gone");
    let trust = Trust::in_keys([pinned.clone()]).with_key_chain(&chain).unwrap();
    let log = open(&disk, shape).unwrap();
    assert_eq!(log.snapshot().catalog().key_chain().unwrap(), chain);
    assert!(trust.verify(&log.checkpoints().latest().unwrap().unwrap()).is_ok());
    log.close().unwrap();
    verify_clean(&disk);
    let options = VerifyOptions::new().key(pinned).disk(Arc::new(disk.clone()));
    let report = bulla::verify(&dir(), &options, &mut |_| ()).unwrap();
    assert!(report.is_clean() && report.signatures == report.checkpoints, "{report:?}");
    stopped
}

fn crash_everywhere(shape: Shape, seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let mut count = 0;
        loop {
            let run = std::panic::AssertUnwindSafe(|| crash_at(count, seed, shape));
            match std::panic::catch_unwind(run) {
                Ok(true) => count += 1,
                Ok(false) => break, // the whole change, without a crash
                Err(panic) => {
                    eprintln!("crash after {count} operations, seed {seed}, {shape:?}");
                    std::panic::resume_unwind(panic);
                }
            }
        }
        assert!(count > 40, "a change of keys takes more than {count} operations");
    }
}

#[test]
fn a_change_of_keys_survives_every_crash() {
    crash_everywhere(Shape::PLAIN, 0..3);
}

#[test]
fn a_change_of_keys_of_a_blake3_log_survives_every_crash() {
    crash_everywhere(Shape { algorithm: HashAlgorithm::Blake3, ..Shape::PLAIN }, 3..5);
}
