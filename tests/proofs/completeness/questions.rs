//! Answers to every kind of question.

use super::*;

/// Every part of a question, alone.
fn single(sealed: &Sealed) -> Vec<Query> {
    let recorded = |n: usize| sealed.records.get(n).map_or(at(0), |record| record.recorded_at);
    let event_id = sealed.records.iter().find_map(|record| record.event.id).unwrap();
    let action = |glob: &str| Query::new().action(glob).unwrap();
    vec![
        Query::new(),
        Query::new().actor("user-3"),
        Query::new().actor_type_id("service", "user-4"),
        Query::new().actor("user-1").actor_type_id("service", "user-1").actor("user-2"),
        Query::new().actor("nobody"),
        Query::new().actor("nobody").actor("user-6").actor_type_id("robot", "user-6"),
        Query::new().resource("invoice", "7"),
        Query::new().resource("invoice", "700"),
        Query::new().resource_type("report"),
        Query::new().resource_type("report").resource("invoice", "3"),
        Query::new().resource_type("nothing"),
        Query::new().tenant("tenant-2"),
        Query::new().tenant("tenant-1").tenant("tenant-3").tenant("tenant-9"),
        action("a"),
        action("zz"),
        action("zzz*"),
        action("0*"),
        action("*"),
        action("invoice.write"),
        action("invoice.write*"),
        action("invoice.*").action("invoice.write").unwrap().action("user.login").unwrap(),
        action("invoice.writ"),
        action("\u{10ffff}*"),
        Query::new().outcome(Outcome::Denied),
        Query::new().not_outcome(Outcome::Success),
        Query::new().outcome(Outcome::Denied).not_outcome(Outcome::Denied),
        Query::new().request_id("request-1"),
        Query::new().event_id(event_id),
        Query::new().occurred_since(at(2)).occurred_until(at(3)),
        Query::new().occurred_since(at(3)),
        Query::new().occurred_until(at(1)),
        Query::new().occurred_since(at(5)).occurred_until(at(5)),
        Query::new().occurred_since(at(1_000)),
        Query::new().recorded_since(recorded(100)).recorded_until(recorded(400)),
        Query::new().recorded_until(recorded(7)),
        Query::new().recorded_since(at(-5)).recorded_until(at(0)),
    ]
}

fn combined(sealed: &Sealed) -> Vec<Query> {
    let recorded = |n: usize| sealed.records.get(n).map_or(at(0), |record| record.recorded_at);
    vec![
        Query::new().actor("user-3").resource("invoice", "7"),
        Query::new().actor("user-3").action("invoice.*").unwrap().outcome(Outcome::Denied),
        Query::new().tenant("tenant-1").not_outcome(Outcome::Success).occurred_since(at(2)),
        Query::new()
            .actor("user-1")
            .actor("user-5")
            .resource_type("invoice")
            .tenant("tenant-2")
            .action("invoice.*")
            .unwrap()
            .outcome(Outcome::Success)
            .occurred_since(at(1))
            .occurred_until(at(6))
            .recorded_since(recorded(3))
            .recorded_until(recorded(600)),
        Query::new().occurred_since(at(3)).recorded_until(recorded(300)),
        Query::new().actor("user-2").request_id("request-2"),
        Query::new().action("user.login").unwrap().actor("nobody"),
    ]
}

/// Also the log's own records, which are no events.
fn with_system(sealed: &Sealed) -> Vec<Query> {
    let recorded = |n: usize| sealed.records.get(n).map_or(at(0), |record| record.recorded_at);
    let own = Query::new().actor("bulla").system(true);
    vec![
        Query::new().system(true),
        own.clone(),
        own.clone().recorded_since(recorded(30)).recorded_until(recorded(500)),
        own.actor("user-3"),
        Query::new().system(true).outcome(Outcome::Success).occurred_since(at(4)),
        Query::new().system(true).outcome(Outcome::Denied),
        Query::new().system(true).action("bulla.*").unwrap().action("zz").unwrap(),
        Query::new().system(true).tenant("tenant-1").recorded_since(recorded(10)),
    ]
}

fn all(sealed: &Sealed) -> Vec<Query> {
    [single(sealed), combined(sealed), with_system(sealed)].concat()
}

#[test]
fn every_kind_of_question_is_answered_wholly() {
    for algorithm in ALGORITHMS {
        let sealed = Sealed::new(algorithm, &[6, 330, 40, 450]);
        for query in all(&sealed) {
            for query in [query.clone().newest_first(), query.oldest_first()] {
                sealed.check(&query, None, None);
                for limit in [0, 1, 3, 50] {
                    sealed.check(&query, Some(limit), None);
                }
            }
        }
    }
}

#[test]
fn every_target_and_on_whose_behalf_is_answered_wholly() {
    let plain_then_richer = |n: u64| if n < 40 { event(n) } else { richer(n) };
    let sealed = Sealed::with(HashAlgorithm::Sha256, &[40, 330, 40], plain_then_richer);
    let asked = [
        Query::new().resource("invoice", "7"),
        Query::new().resource("invoice", "7").resource("user", "user-3").resource("user", "none"),
        Query::new().resource_type("user"),
        Query::new().resource_type("user").resource("invoice", "3"),
        Query::new().resource("user", "user-1").not_outcome(Outcome::Success),
        Query::new().on_behalf_of("user-4"),
        Query::new().on_behalf_of_type_id("user", "user-4").on_behalf_of("user-2"),
        Query::new().on_behalf_of_type_id("robot", "user-4"),
        Query::new().on_behalf_of("user-4").actor("user-4").resource("invoice", "3"),
        Query::new().outcome(Outcome::Unknown),
        Query::new().not_outcome(Outcome::Unknown),
        Query::new().not_outcome(Outcome::Success),
        Query::new().trace_id(trace(0)),
        Query::new().trace_id(trace(0)).on_behalf_of("user-0"),
        Query::new().system(true).on_behalf_of("user-4"),
    ];
    for query in asked {
        for query in [query.clone().newest_first(), query.oldest_first()] {
            for limit in [None, Some(3)] {
                let answer = sealed.check(&query, limit, None);
                let verified = sealed.verify(&answer).unwrap();
                assert!(verified.query().to_bytes() == answer.evidence.query.to_bytes());
            }
        }
    }
    let by_target = Query::new().resource("user", "user-1");
    let found = hits(&sealed.verify(&sealed.prove(&by_target)).unwrap());
    assert!(found.len() > 10 && found.iter().all(|seq| *seq >= 40), "{found:?}");
    // One that leaves a record out of the bundle shows nothing.
    let mut short = sealed.prove(&by_target);
    let seqs: Vec<Seq> = short.bundle.records.iter().skip(1).map(|record| record.seq).collect();
    short.bundle = sealed
        .log
        .snapshot()
        .prove_many(&seqs, &sealed.checkpoint, Disclosure::WithholdPayload)
        .unwrap();
    assert!(sealed.verify(&short).is_err());
    // Neither does one that calls what was done on another's behalf a question of version 1.
    let bytes = Query::new().on_behalf_of("user-4").to_bytes();
    assert!(Query::from_bytes(&[&[1], &bytes[1..]].concat()).is_err());
}

#[test]
fn cursors_lead_through_the_whole_answer() {
    let sealed = Sealed::new(HashAlgorithm::Sha256, &[6, 330, 40]);
    for query in combined(&sealed).into_iter().chain(with_system(&sealed)) {
        for query in [query.clone().newest_first(), query.oldest_first()] {
            let (mut from, mut pages) = (None, Vec::new());
            loop {
                let answer = sealed.check(&query, Some(17), from);
                let verified = sealed.verify(&answer).unwrap();
                pages.extend(hits(&verified));
                from = hits(&verified).last().copied();
                // Newest first, nothing can follow the first record.
                if !verified.is_limited() || from == Some(0) {
                    break;
                }
            }
            assert_eq!(pages, sealed.matching(&query, 0..sealed.end), "{query:?}");
        }
    }
}

#[test]
fn a_log_without_sealed_segments_has_an_answer_about_nothing() {
    let sealed = Sealed::new(HashAlgorithm::Sha256, &[]);
    assert_eq!(sealed.end, 0);
    for query in [Query::new(), Query::new().actor("a").oldest_first(), Query::new().limit(3)] {
        let verified = sealed.verify(&sealed.prove(&query)).unwrap();
        assert!(verified.covers().is_empty() && verified.hits().len() == 0);
    }
}

#[test]
fn an_answer_ends_where_the_sealed_segments_ended_under_its_checkpoint() {
    let sealed = Sealed::new(HashAlgorithm::Sha256, &[6, 30]);
    // What comes later does not show under an earlier checkpoint.
    sealed.log.append_batch(&[event(3), event(10)]).unwrap();
    sealed.log.rotate().unwrap();
    let query = Query::new().actor("user-3");
    sealed.check(&query, None, None);
    let later = sealed.log.checkpoint(&sealed.signer).unwrap().into_unverified();
    let answer = sealed.log.snapshot().prove_query(&query, &later, Disclosure::Whole).unwrap();
    let verified = sealed.verify(&answer).unwrap();
    assert!(verified.covers().end.get() > sealed.end);
    assert_eq!(hits(&verified).len(), sealed.matching(&query, 0..sealed.end).len() + 2);
}

#[test]
fn a_reader_makes_the_same_answer() {
    let sealed = Sealed::new(HashAlgorithm::Blake3, &[6, 30]);
    let query = Query::new().actor("user-3").limit(3);
    let reader = Log::open_read_only(sealed.dir.path().join("log")).unwrap();
    for disclosure in [Disclosure::Whole, Disclosure::WithholdPayload] {
        let own =
            sealed.log.snapshot().prove_query(&query, &sealed.checkpoint, disclosure).unwrap();
        let read = reader.snapshot().prove_query(&query, &sealed.checkpoint, disclosure).unwrap();
        assert_eq!(own, read);
        let verified = sealed.verify(&own).unwrap();
        assert!(verified.hits().all(|hit| hit.disclosure() == disclosure));
    }
}

#[test]
fn the_newest_of_many_ship_few_chunks() {
    let sealed = Sealed::new(HashAlgorithm::Sha256, &[6, 3_000]);
    let answer = sealed.check(&Query::new().tenant("tenant-1"), Some(5), None);
    let shown = |segment: &SegmentEvidence| match segment {
        SegmentEvidence::Index(index) => index
            .leaves
            .iter()
            .filter_map(|leaf| leaf.list.as_ref())
            .map(|list| list.positions.len())
            .sum(),
        _ => 0,
    };
    let positions: usize = answer.evidence.segments.iter().map(shown).sum();
    assert!(positions <= 256, "{positions} of 750 positions");
    assert_eq!(answer.bundle.records.len(), 5);
}

#[test]
fn a_stranger_s_key_and_another_question_are_told_apart() {
    let sealed = Sealed::new(HashAlgorithm::Sha256, &[6, 30]);
    let query = Query::new().actor("user-3").limit(3);
    let answer = sealed.prove(&query);
    let other = SigningKey::new(ORIGIN, SignatureKind::Ed25519, &[6; 32]).unwrap();
    let stranger = Trust::in_keys([other.verifying_key().clone()]);
    assert!(matches!(answer.verify(&stranger), Err(VerifyAnswerError::Bundle(_))));
    let verified = sealed.verify(&answer).unwrap();
    assert!(verified.answers(&query));
    for other in [query.clone().limit(4), query.clone().actor("b"), query.oldest_first()] {
        assert!(!verified.answers(&other));
    }
}

#[test]
fn what_was_not_asked_for_is_shown_without_its_payload() {
    let sealed = Sealed::new(HashAlgorithm::Sha256, &[300]);
    // No index root has request ids: all records are in the file, so that each is seen.
    let query = Query::new().request_id("request-1");
    let answer =
        sealed.log.snapshot().prove_query(&query, &sealed.checkpoint, Disclosure::Whole).unwrap();
    let verified = sealed.verify(&answer).unwrap();
    let hits: Vec<Seq> = verified.hits().map(|hit| hit.record().seq).collect();
    assert!(!hits.is_empty());
    let others = verified.bundle().records().filter(|it| !hits.contains(&it.record().seq));
    let others: Vec<Disclosure> = others.map(|it| it.disclosure()).collect();
    assert!(others.len() > 200, "{}", others.len());
    assert!(others.iter().all(|shown| *shown == Disclosure::WithholdPayload));
    assert!(verified.hits().all(|hit| hit.disclosure() == Disclosure::Whole));
}
