//! The whole line on a real file system: append, read, rotate, reopen, sign, prove, verify.

#![allow(clippy::unwrap_used)] // helpers of tests

use bulla::disk::{RealDisk, replace_file};
use bulla::{
    Actor, Disclosure, Error, Event, HashAlgorithm, Log, Outcome, Query, Resource, Seq, Signer,
    VerifyOptions, verify,
};

fn event(n: u64) -> Event {
    let actor = Actor::new("user", format!("user-{}", n % 7));
    Event::new(actor, "invoice.read", Resource::new("invoice", format!("{n}")))
        .outcome(if n.is_multiple_of(5) { Outcome::Denied } else { Outcome::Success })
        .ip("203.0.113.9")
        .details_json(&format!("{{ \"n\": {n} }}"))
        .unwrap()
}

#[test]
fn a_record_comes_back_as_it_was_given_also_after_reopening() {
    for algorithm in [HashAlgorithm::Sha256, HashAlgorithm::Blake3] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit");
        let log = Log::options().hash(algorithm).create(&path).unwrap();
        let mut receipts = Vec::new();
        for n in 0..100 {
            receipts.push(log.append(&event(n)).unwrap());
        }
        let batch: Vec<Event> = (100..1_000).map(event).collect();
        assert_eq!(log.append_batch(&batch).unwrap().first, Seq::new(100));
        log.rotate().unwrap();
        for n in 1_000..1_100 {
            receipts.push(log.append(&event(n)).unwrap());
        }
        let head = log.snapshot().head().unwrap();
        log.close().unwrap();
        assert!(matches!(log.append(&event(1)), Err(Error::Closed)));

        let log = Log::open(&path).unwrap();
        assert_eq!(log.recovery().replayed, 0, "a clean close leaves nothing to replay");
        assert_eq!(log.snapshot().head().unwrap(), head);
        for receipt in &receipts {
            let record = log.snapshot().get(receipt.seq).unwrap();
            assert_eq!(record.leaf_hash, receipt.leaf_hash);
            assert_eq!(record.recorded_at, receipt.recorded_at);
            let given = event(receipt.seq.get());
            assert_eq!(record.event.resource, given.resource);
            assert_eq!(record.event.details, given.details);
        }
        let all: Vec<_> = log.snapshot().records_from(Seq::new(0)).map(Result::unwrap).collect();
        assert_eq!(all.len(), 1_100);
        assert!(all.iter().enumerate().all(|(n, record)| record.seq.get() == n as u64));
        assert!(matches!(log.snapshot().get(Seq::new(1_100)), Err(Error::NotWritten { .. })));
    }
}

#[test]
fn queries_run_both_ways_and_go_on_at_a_cursor() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::create(dir.path().join("audit")).unwrap();
    for chunk in 0..4 {
        let batch: Vec<Event> = (chunk * 300..(chunk + 1) * 300).map(event).collect();
        log.append_batch(&batch).unwrap();
        log.rotate().unwrap();
    }
    let query = Query::new().actor("user-3").outcome(Outcome::Denied);
    let expected: Vec<u64> = (0..1_200).filter(|n| n % 7 == 3 && n % 5 == 0).collect();
    let up = log.snapshot().query(&query.clone().oldest_first()).unwrap();
    assert_eq!(up.map(|r| r.unwrap().seq.get()).collect::<Vec<_>>(), expected);
    let mut down: Vec<u64> =
        log.snapshot().query(&query).unwrap().map(|r| r.unwrap().seq.get()).collect();
    down.reverse();
    assert_eq!(down, expected);

    let (mut paged, mut page) = (Vec::new(), query.limit(4));
    loop {
        let found: Vec<u64> =
            log.snapshot().query(&page).unwrap().map(|r| r.unwrap().seq.get()).collect();
        let Some(last) = found.last() else { break };
        let after = page.cursor_after(Seq::new(*last)).unwrap();
        paged.extend(found);
        page = page.after(after);
    }
    paged.reverse();
    assert_eq!(paged, expected);
}

#[test]
fn a_record_is_proved_to_a_stranger() {
    for algorithm in [HashAlgorithm::Sha256, HashAlgorithm::Blake3] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit");
        let log = Log::options().origin("example.com/audit").hash(algorithm).create(&path).unwrap();
        let batch: Vec<Event> = (0..777).map(event).collect();
        log.append_batch(&batch).unwrap();
        let key = dir.path().join("key");
        let signer = Signer::generate(&key, "example.com/audit", algorithm).unwrap();
        let checkpoint = log.checkpoint(&signer).unwrap().into_unverified();
        assert_eq!(log.size().get(), 778, "the anchor is a record too");
        let again = log.checkpoint(&Signer::load(&key).unwrap()).unwrap().into_unverified();
        assert_eq!(again, checkpoint, "nothing happened since");

        for n in [0, 1, 500, 776, 777] {
            for disclosure in [Disclosure::Whole, Disclosure::WithholdPayload] {
                let proof = log.snapshot().prove(Seq::new(n), &checkpoint, disclosure).unwrap();
                let text = proof.to_text();
                let received = bulla::TlogProof::parse(text.as_bytes()).unwrap();
                let trust = bulla::Trust::in_keys([signer.verifying_key().clone()]);
                let verified = received.verify_record(&trust).unwrap();
                assert_eq!(verified.record().seq, Seq::new(n));
                if n < 777 {
                    let resource = verified.record().event.resource.id.clone().unwrap();
                    assert_eq!(resource, n.to_string());
                    let shown = disclosure == Disclosure::Whole;
                    assert_eq!(verified.record().event.details.is_some(), shown);
                }
            }
        }
        log.append(&event(5)).unwrap();
        let later = log.checkpoint(&signer).unwrap();
        assert_eq!(later.head().size.get(), 780);
        log.close().unwrap();
        let options =
            VerifyOptions::new().checkpoint(checkpoint).key(signer.verifying_key().clone());
        let report = verify(&path, &options, &mut |_| ()).unwrap();
        assert!(report.is_clean(), "{:?}", report.findings);
        // Two published ones and the given one.
        assert_eq!((report.records, report.checkpoints, report.anchors), (780, 3, 2));
    }
}

#[test]
fn a_flipped_byte_is_named_with_segment_offset_and_record() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit");
    let log = Log::create(&path).unwrap();
    for part in 0..3 {
        let batch: Vec<Event> = (part * 50..(part + 1) * 50).map(event).collect();
        log.append_batch(&batch).unwrap();
        log.rotate().unwrap();
    }
    log.close().unwrap();
    let file = path.join("segments/00000002.seg");
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    replace_file(&RealDisk, &file, &bytes).unwrap();
    let report = verify(&path, &VerifyOptions::new(), &mut |_| ()).unwrap();
    assert_eq!(report.findings.len(), 1, "{:?}", report.findings);
    let finding = &report.findings[0];
    assert_eq!(finding.segment, Some(2));
    let seq = finding.seq.unwrap().get();
    assert!((50..100).contains(&seq), "{finding}");
    assert!(finding.offset.unwrap() <= at as u64);
    let log = Log::open(&path).unwrap();
    assert!(matches!(log.snapshot().get(Seq::new(seq)), Err(Error::Corrupt { .. })));
    assert!(log.snapshot().get(Seq::new(149)).is_ok());
}
