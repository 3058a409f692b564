//! What the trace of a reading tells.

use bulla::{AccessLog, Accessor};

use super::*;

/// How an answer ended is told as it was: all records that are given are counted, and an
/// answer of which all was given is no partial one.
#[test]
fn a_trace_tells_what_was_given() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::create(dir.path().join("audit")).unwrap();
    for n in 0..3 {
        log.append(&event(n)).unwrap();
    }
    let to = Log::create(dir.path().join("access")).unwrap();
    let access = AccessLog::new(to.clone());
    let dana = Accessor::new(Actor::new("user", "dana"), "case");
    let reading = access.reading(&log, &dana).unwrap();
    let all: Vec<_> = reading.query(&Query::new().limit(3)).unwrap().take(3).collect();
    assert_eq!(all.len(), 3);
    let ended = to.snapshot().get(Seq::new(1)).unwrap();
    let details = ended.event.details.unwrap();
    assert!(details.as_str().contains("\"records\":3"), "{}", details.as_str());
    // One seq is asked for by its number, and nothing else may be hidden behind a proof of many.
    let signer = bulla::Signer::generate(
        &dir.path().join("key"),
        log.origin(),
        bulla::HashAlgorithm::Sha256,
    )
    .unwrap();
    let checkpoint = log.checkpoint(&signer).unwrap().into_unverified();
    let whole = bulla::Disclosure::Whole;
    reading.prove_many(&[Seq::new(0), Seq::new(2)], &checkpoint, whole).unwrap();
    reading.prove_many(&[Seq::new(0), Seq::new(1), Seq::new(2)], &checkpoint, whole).unwrap();
    reading.prove_many(&[Seq::new(0), Seq::new(2), Seq::new(3)], &checkpoint, whole).unwrap();
    let told = |seq: u64| {
        to.snapshot().get(Seq::new(seq)).unwrap().event.details.unwrap().as_str().to_owned()
    };
    assert!(told(2).contains("\"records\":2") && told(3).contains("\"records\":3"));
    reading.prove_many(&[Seq::new(0), Seq::new(1), Seq::new(3)], &checkpoint, whole).unwrap();
    assert_ne!(told(4), told(5), "two proofs of other records have the same trace");
}
