//! The promise: a cosignature that was published with a checkpoint stays with it, whoever
//! writes at the same time, and wherever a crash strikes.

// Lints know test functions as tests, but not the functions those call.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;

use crate::support::{Shape, clock, dir, event};
use bulla::checkpoint::{NoteSignature, SignatureKind, SigningKey};
use bulla::disk::Disk;
use bulla::disk::sim::SimDisk;
use bulla::{Error, HashAlgorithm, Log, LogOptions, LogReader, Signer, UnverifiedCheckpoint};

const CHECKPOINT: &str = "/audit/checkpoints/0000000000000003.checkpoint";

fn options(disk: &SimDisk) -> LogOptions {
    Shape::PLAIN.options(disk, &clock())
}

/// A log of two records and an anchor, and its first checkpoint.
fn signed_log(disk: &SimDisk) -> (Log, Signer, UnverifiedCheckpoint) {
    let log = options(disk).create(dir()).unwrap();
    log.append_batch(&[event(0), event(1)]).unwrap();
    let key = Path::new("/key");
    let signer =
        Signer::generate_on(Arc::new(disk.clone()), key, log.origin(), HashAlgorithm::Sha256);
    let signer = signer.unwrap();
    let checkpoint = log.checkpoint(&signer).unwrap().into_unverified();
    (log, signer, checkpoint)
}

/// One line by each of the witnesses with these seeds.
fn lines(
    signer: &Signer,
    checkpoint: &UnverifiedCheckpoint,
    seeds: std::ops::Range<u8>,
) -> Vec<NoteSignature> {
    let verified = checkpoint.verify(&[signer.verifying_key().clone()]).unwrap();
    let cosign = |seed: u8| {
        let name = format!("w.example/{seed}");
        let key = SigningKey::new(&name, SignatureKind::Ed25519Cosignature, &[seed; 32]).unwrap();
        verified.cosign(&key, 7).unwrap()
    };
    seeds.map(cosign).collect()
}

fn published(disk: &SimDisk) -> UnverifiedCheckpoint {
    UnverifiedCheckpoint::parse(&disk.read_file(Path::new(CHECKPOINT)).unwrap()).unwrap()
}

fn reader(disk: &SimDisk) -> LogReader {
    options(disk).open_read_only(dir()).unwrap()
}

#[test]
fn a_process_that_only_reads_the_log_adds_cosignatures_while_another_writes_it() {
    let disk = SimDisk::new(1);
    let (log, signer, checkpoint) = signed_log(&disk);
    let [a, b] = &lines(&signer, &checkpoint, 0..2)[..] else { panic!("two lines") };
    let once =
        reader(&disk).checkpoints().add_cosignatures(&checkpoint, std::slice::from_ref(a)).unwrap();
    // The second does not know of the first.
    let both = log.checkpoints().add_cosignatures(&checkpoint, &[b.clone(), a.clone()]).unwrap();
    assert_eq!(once.note().signatures().len(), 2);
    assert_eq!(both.note().signatures()[1..], [a.clone(), b.clone()]);
    assert_eq!(published(&disk), both);
    assert_eq!(log.checkpoints().latest().unwrap().unwrap(), both);
    assert!(both.to_text().starts_with(&checkpoint.to_text()));
    // Nothing new: it is written all the same, as nobody knows whether it is durable.
    let operations = disk.operations();
    assert_eq!(
        log.checkpoints().add_cosignatures(&checkpoint, std::slice::from_ref(a)).unwrap(),
        both
    );
    assert!(disk.operations() > operations);
    assert_eq!(published(&disk), both);
}

#[test]
fn signing_the_same_head_again_keeps_its_cosignatures() {
    let disk = SimDisk::new(1);
    let (log, signer, checkpoint) = signed_log(&disk);
    let both = log
        .checkpoints()
        .add_cosignatures(&checkpoint, &lines(&signer, &checkpoint, 0..2))
        .unwrap();
    let again = log.checkpoint(&signer).unwrap();
    assert_eq!(again.to_text(), checkpoint.to_text());
    assert_eq!(published(&disk), both);
}

#[test]
fn a_damaged_checkpoint_is_replaced_when_the_head_is_signed_again() {
    let disk = SimDisk::new(1);
    let (log, signer, checkpoint) = signed_log(&disk);
    let file = disk.open(Path::new(CHECKPOINT), bulla::disk::Open::ReadWrite).unwrap();
    file.write_at(&[0], 3).unwrap();
    assert!(matches!(
        log.checkpoints().add_cosignatures(&checkpoint, &lines(&signer, &checkpoint, 0..1)),
        Err(Error::Corrupt { .. })
    ));
    log.checkpoint(&signer).unwrap();
    assert_eq!(published(&disk), checkpoint);
}

#[test]
fn only_lines_for_a_text_that_is_published_are_added() {
    let disk = SimDisk::new(1);
    let (log, signer, checkpoint) = signed_log(&disk);
    let added = lines(&signer, &checkpoint, 0..1);
    let another = |from: &str, to: &str| {
        let text = checkpoint.to_text().replacen(from, to, 1);
        UnverifiedCheckpoint::parse(text.as_bytes()).unwrap()
    };
    let root = checkpoint.to_text().lines().nth(2).unwrap().to_owned();
    for other in [
        another("\n3\n", "\n2\n"),
        another("example.com/audit", "example.com/other"),
        another("example.com/audit", "example.com/audit/catalog"),
        another(&root, "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="),
        another(&root, &format!("{root}\nextension")),
    ] {
        let refused = log.checkpoints().add_cosignatures(&other, &added);
        assert!(matches!(refused, Err(Error::Proof { .. })), "{refused:?}");
    }
    let too_many: Vec<_> = lines(&signer, &checkpoint, 0..64);
    let refused = log.checkpoints().add_cosignatures(&checkpoint, &too_many).unwrap_err();
    assert!(matches!(refused, Error::TooLarge { limit: 64, found: 65, .. }), "{refused:?}");
    assert_eq!(published(&disk), checkpoint);
}

#[test]
fn a_blake3_log_takes_no_cosignatures_and_says_that_a_sha256_log_is_needed() {
    let disk = SimDisk::new(1);
    let shape = Shape { algorithm: HashAlgorithm::Blake3, ..Shape::PLAIN };
    let log = shape.options(&disk, &clock()).create(dir()).unwrap();
    log.append(&event(0)).unwrap();
    let key = Path::new("/key");
    let signer =
        Signer::generate_on(Arc::new(disk.clone()), key, log.origin(), HashAlgorithm::Blake3);
    let signer = signer.unwrap();
    let checkpoint = log.checkpoint(&signer).unwrap().into_unverified();
    let verified = checkpoint.verify(&[signer.verifying_key().clone()]).unwrap();
    let kind = SignatureKind::Ed25519Cosignature;
    let witness = SigningKey::new("w.example/1", kind, &[1; 32]).unwrap();
    assert!(verified.cosign(&witness, 7).is_err());
    let line = checkpoint.note().signatures().to_vec();
    let reader = shape.options(&disk, &clock()).open_read_only(dir()).unwrap();
    let refused = [
        log.checkpoints().add_cosignatures(&checkpoint, &line),
        reader.checkpoints().add_cosignatures(&checkpoint, &line),
    ];
    for refused in refused {
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("/audit: expected the head of a SHA-256 log"), "{refused}");
        assert!(refused.contains("found one of a blake3 log"), "{refused}");
    }
    assert_eq!(log.checkpoints().latest().unwrap(), Some(checkpoint));
}

#[test]
fn writers_at_the_same_time_lose_no_line() {
    let disk = SimDisk::new(1);
    let (log, signer, checkpoint) = signed_log(&disk);
    std::thread::scope(|scope| {
        for writer in 0..4u8 {
            let (disk, log, signer, checkpoint) = (&disk, &log, &signer, &checkpoint);
            scope.spawn(move || {
                let reader = reader(disk);
                for line in lines(signer, checkpoint, writer * 10..writer * 10 + 10) {
                    match writer {
                        0 => log.checkpoints().add_cosignatures(checkpoint, &[line]).unwrap(),
                        _ => reader.checkpoints().add_cosignatures(checkpoint, &[line]).unwrap(),
                    };
                    log.checkpoint(signer).unwrap();
                }
            });
        }
    });
    assert_eq!(published(&disk).note().signatures().len(), 41);
}

#[test]
fn a_crash_at_any_step_leaves_the_checkpoint_with_the_old_or_the_new_lines() {
    let before = SimDisk::new(1);
    let (log, signer, checkpoint) = signed_log(&before);
    let added = lines(&signer, &checkpoint, 0..2);
    log.checkpoints().add_cosignatures(&checkpoint, &added[..1]).unwrap();
    let old = published(&before);
    let new = old.with_signatures(&added).unwrap();
    log.close().unwrap();
    let mut both = [false; 2];
    for stop in 0..8 {
        for seed in 0..20 {
            let disk = before.fork(seed);
            let reader = reader(&disk);
            disk.crash_after(stop);
            let done = reader.checkpoints().add_cosignatures(&checkpoint, &added);
            assert_eq!(done.is_ok(), !disk.stopped());
            disk.crash();
            let found = published(&disk);
            assert!(found == old || found == new, "after {stop} operations: {}", found.to_text());
            assert!(done.is_err() || found == new, "what was acknowledged is durable");
            both[usize::from(found == new)] = true;
            // And it works again, whatever was left behind.
            let again = options(&disk).open_read_only(dir()).unwrap();
            assert_eq!(again.checkpoints().add_cosignatures(&checkpoint, &added).unwrap(), new);
            assert_eq!(published(&disk), new);
        }
    }
    assert_eq!(both, [true; 2], "both were seen");
}
