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
    assert!(log.snapshot().segments().unwrap().len() > 4);
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
    let checkpoint = reader.checkpoints().latest().unwrap().unwrap();
    let proof =
        reader.snapshot().prove(Seq::new(41), &checkpoint, bulla::Disclosure::Whole).unwrap();
    let trust = bulla::Trust::in_keys([signer.verifying_key().clone()]);
    assert_eq!(proof.verify_record(&trust).unwrap().record().seq, Seq::new(41));
    let head = log.snapshot().head().unwrap();
    assert_eq!(reader.snapshot().head().unwrap(), head);
}

/// A reader that comes to damage at the end of what was durable says so, whatever is damaged:
/// an end is only what LOCK, the mark and the signed heads know nothing behind.
#[test]
fn a_reader_does_not_take_damage_for_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let log = Log::options().origin("example.com/log").create(&path).unwrap();
    let signer =
        Signer::generate(&dir.path().join("key"), "example.com/log", log.algorithm()).unwrap();
    for n in 0..40 {
        if n == 20 {
            log.rotate().unwrap();
        }
        log.append(&event(n)).unwrap();
    }
    log.checkpoint(&signer).unwrap();
    // Before a clean end no later frame vouches for the last one: a signed head does.
    let lock = std::fs::read(path.join("LOCK")).unwrap();
    std::fs::write(path.join("LOCK"), b"").unwrap();
    assert_eq!(Log::open_read_only(&path).unwrap().size(), log.size());
    std::fs::write(path.join("LOCK"), lock).unwrap();
    log.close().unwrap();
    let (active, lock, mark) =
        (path.join("segments/00000002.seg"), path.join("LOCK"), path.join("tree/mark"));
    let whole = std::fs::read(&active).unwrap();
    let frames: Vec<usize> =
        (0..whole.len() - 4).filter(|at| &whole[*at..*at + 4] == b"BFRM").collect();
    assert!(frames.len() > 20, "{}", frames.len());
    let size = Log::open_read_only(&path).unwrap().size();
    let check = |what: &str| match Log::open_read_only(&path) {
        Err(Error::Corrupt { path: found, expected, .. }) => {
            assert_eq!(found, active, "{what}");
            assert!(expected.contains("which were durable"), "{what}: {expected}");
        }
        other => panic!("{what}: expected Corrupt, found {:?}", other.map(|reader| reader.size())),
    };
    // The frame of the newest anchor is the last one that LOCK, mark and head all speak of.
    for at in &frames[..21] {
        let mut bytes = whole.clone();
        bytes[at + 8] ^= 1;
        std::fs::write(&active, bytes).unwrap();
        check(&format!("frame at {at}"));
    }
    let mut cut = whole.clone();
    cut.truncate(frames[10]);
    std::fs::write(&active, &cut).unwrap();
    check("cut");
    // Each of the three says it by itself.
    for kept in [&lock, &mark] {
        let gone: Vec<_> = [&lock, &mark].into_iter().filter(|path| *path != kept).collect();
        let before: Vec<_> = gone.iter().map(|path| std::fs::read(path).unwrap()).collect();
        gone.iter().for_each(|path| std::fs::write(path, b"").unwrap());
        check(&format!("{} alone", kept.display()));
        gone.iter().zip(before).for_each(|(path, bytes)| std::fs::write(path, bytes).unwrap());
    }
    std::fs::write(&lock, b"").unwrap();
    std::fs::write(&mark, b"").unwrap();
    check("the signed head alone");
    std::fs::remove_file(&active).unwrap();
    check("no segment");
    std::fs::write(&active, &whole).unwrap();
    assert_eq!(Log::open_read_only(&path).unwrap().size(), size);
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
