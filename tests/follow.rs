//! A reader in another process sees what the writer has made durable, once and in order.

#![allow(clippy::unwrap_used)] // helpers of tests

use bulla::{Actor, Error, Event, Log, Resource, Seq, Signer};

fn event(n: u64) -> Event {
    Event::new(Actor::new("user", "alice"), "file.read", Resource::new("file", n.to_string()))
}

#[test]
fn a_reader_follows_across_rotations_and_reopenings() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let options = || Log::options().segment_bytes(64 << 10);
    let mut log = options().create(&path).unwrap();
    let reader = Log::open_read_only(&path).unwrap();
    let (mut written, mut seen) = (0, 0);
    for round in 0..40u64 {
        for _ in 0..30 + round {
            log.append(&event(written)).unwrap();
            written += 1;
        }
        if round % 7 == 3 {
            log.rotate().unwrap();
        }
        if round % 9 == 4 {
            drop(log);
            log = options().open(&path).unwrap();
        }
        assert_eq!(reader.refresh().unwrap().get(), written, "round {round}");
        for record in reader.snapshot().records_from(Seq::new(seen)) {
            let record = record.unwrap();
            assert_eq!(record.seq.get(), seen);
            assert_eq!(record.event.resource.id.as_deref(), Some(seen.to_string().as_str()));
            seen += 1;
        }
        assert_eq!(seen, written);
    }
    assert!(log.segments().unwrap().len() > 4);
}

#[test]
fn a_reader_proves_what_the_writer_signed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let log = Log::options().origin("example.com/log").create(&path).unwrap();
    for n in 0..100 {
        log.append(&event(n)).unwrap();
    }
    let signer =
        Signer::generate(&dir.path().join("key"), "example.com/log", log.algorithm()).unwrap();
    log.checkpoint(&signer).unwrap();
    for n in 100..150 {
        log.append(&event(n)).unwrap();
    }
    let reader = Log::open_read_only(&path).unwrap();
    let checkpoint = reader.latest_checkpoint().unwrap().unwrap();
    let proof = reader.prove(Seq::new(41), &checkpoint, bulla::Disclosure::Whole).unwrap();
    let trust = bulla::Trust::in_keys([signer.verifying_key().clone()]);
    assert_eq!(proof.verify_record(&trust).unwrap().record().seq, Seq::new(41));
    let head = log.snapshot().head().unwrap();
    assert_eq!(reader.snapshot_with_tree().unwrap().head().unwrap(), head);
}

#[test]
fn a_second_writer_is_told_who_has_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let log = Log::create(&path).unwrap();
    match Log::open(&path) {
        Err(Error::Locked { pid, .. }) => assert_eq!(pid, Some(std::process::id())),
        other => panic!("expected Locked, found {other:?}"),
    }
    log.close().unwrap();
    Log::open(&path).unwrap();
}
