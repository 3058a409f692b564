//! Proofs of the catalog and of what is in force.

use super::*;

#[test]
fn every_record_of_the_catalog_is_proved_under_every_head_that_covers_it() {
    for algorithm in ALGORITHMS {
        let signed = Signed::new(algorithm, &[5, 9, 3]);
        let reader = Log::open_read_only(signed.path()).unwrap();
        let history = signed.log.snapshot().catalog().history().unwrap();
        let mut proved = 0;
        for checkpoint in &signed.checkpoints {
            let last = checkpoint.dangerously_unverified().head().size.last_seq().unwrap();
            let anchor = signed.log.snapshot().get(last).unwrap().anchor.unwrap();
            for entry in &history {
                let seq = entry.seq;
                let proof =
                    signed.log.snapshot().prove_catalog_record(seq, checkpoint, Disclosure::Whole);
                if !anchor.catalog_size.covers(seq) {
                    assert!(proof.is_err());
                    continue;
                }
                let proof = proof.unwrap();
                let theirs =
                    reader.snapshot().prove_catalog_record(seq, checkpoint, Disclosure::Whole);
                assert_eq!(theirs.unwrap(), proof);
                let text = proof.to_text();
                let read = CatalogProof::parse(text.as_bytes()).unwrap();
                assert_eq!(read.to_text(), text);
                let verified = read.verify(&signed.trust()).unwrap();
                assert_eq!(*verified.statement().anchor(), anchor);
                let ProvenClaim::Record(record) = verified.statement().shown() else { panic!() };
                assert_eq!(record.recorded_at, entry.recorded_at);
                assert_eq!(record.body().unwrap().0, entry.state_root);
                assert!(record.because().is_some());
                proved += 1;
            }
        }
        assert!(proved > 10, "{proved}");
        let withheld = signed
            .log
            .snapshot()
            .prove_catalog_record(Seq::new(0), signed.newest(), Disclosure::WithholdPayload)
            .unwrap()
            .verify(&signed.trust())
            .unwrap();
        let ProvenClaim::Record(record) = withheld.statement().shown() else { panic!() };
        assert_eq!((record.kind, record.because()), (kind::CREATED, None));
        assert!(matches!(record.body().unwrap().1, CatalogBody::Created(_)));
    }
}

#[test]
fn what_is_in_force_and_what_is_not_is_proved_as_of_a_head() {
    for algorithm in ALGORITHMS {
        let signed = Signed::new(algorithm, &[5, 9, 3]);
        let reader = Log::open_read_only(signed.path()).unwrap();
        let vkey = format!("key/{}", signed.signer.verifying_key());
        let first_sealed = "segment/0000000000000001".to_owned();
        let third_sealed = "segment/0000000000000003".to_owned();
        // In force under the first and under the newest head?
        let keys = [
            ("log".to_owned(), true, true),
            (first_sealed, true, true),
            (third_sealed, false, true),
            (vkey, false, true),
            ("segment/0000000000000004".to_owned(), false, false),
            (String::new(), false, false),
            ("lof".to_owned(), false, false),
            ("zzz".to_owned(), false, false),
            ("\u{10ffff}".to_owned(), false, false),
        ];
        let heads = [signed.checkpoints.first().unwrap(), signed.newest()];
        for (key, at_first, at_newest) in &keys {
            for (checkpoint, in_force) in heads.iter().zip([at_first, at_newest]) {
                let proof = signed.log.snapshot().prove_state_entry(key, checkpoint).unwrap();
                assert_eq!(reader.snapshot().prove_state_entry(key, checkpoint).unwrap(), proof);
                let read = CatalogProof::parse(proof.to_text().as_bytes()).unwrap();
                let verified = read.verify(&signed.trust()).unwrap();
                match verified.statement().shown() {
                    ProvenClaim::InForce(entry) => assert!(entry.key == *key && *in_force),
                    ProvenClaim::NotInForce { key: shown } => {
                        assert!(shown == key && !*in_force);
                    }
                    other => panic!("{other:?}"),
                }
                assert!(read.verify(&Trust::default()).is_err());
            }
        }
    }
}

#[test]
fn an_altered_catalog_proof_is_refused_or_says_the_same() {
    let signed = Signed::new(HashAlgorithm::Sha256, &[2, 1]);
    let (log, newest, trust) = (&signed.log, signed.newest(), signed.trust());
    for proof in [
        log.snapshot().prove_state_entry("log", newest).unwrap(),
        log.snapshot().prove_state_entry("m", newest).unwrap(),
        log.snapshot().prove_catalog_record(Seq::new(1), newest, Disclosure::Whole).unwrap(),
    ] {
        let expected = proof.verify(&trust).unwrap();
        altered(&proof.to_text(), |bad| {
            let Ok(read) = CatalogProof::parse(bad) else { return };
            assert_eq!(read.to_text().as_bytes(), bad);
            let Ok(found) = read.verify(&trust) else { return };
            // A key that is not in force has other keys beside it that are not either.
            let key = |found: &ProvenClaim| matches!(found, ProvenClaim::NotInForce { .. });
            if key(found.statement().shown()) && key(expected.statement().shown()) {
                assert_eq!(what(found.checkpoint()), what(expected.checkpoint()));
                let ProvenClaim::NotInForce { key } = found.statement().shown() else { return };
                assert!(signed.log.snapshot().prove_state_entry(key, newest).is_ok_and(|own| {
                    let own = own.verify(&trust).unwrap();
                    matches!(own.statement().shown(), ProvenClaim::NotInForce { .. })
                }));
                return;
            }
            assert_eq!(what(found.checkpoint()), what(expected.checkpoint()));
            assert_eq!(found.statement(), expected.statement());
        });
    }
}

#[test]
fn a_statement_under_another_head_than_its_anchors_is_refused() {
    let signed = Signed::new(HashAlgorithm::Sha256, &[5, 9]);
    let [first, newest] = signed.checkpoints.as_slice() else { panic!() };
    let good = signed.log.snapshot().prove_state_entry("log", newest).unwrap();
    let refused =
        CatalogProof { checkpoint: first.clone(), ..good.clone() }.verify(&signed.trust());
    assert!(matches!(refused, Err(VerifyProofError::Other { what: "anchor", .. })), "{refused:?}");
    // An event in the anchor's place, with a path that holds.
    let head = signed.log.snapshot().head_at(TreeSize::new(3)).unwrap();
    let key = key_of(HashAlgorithm::Sha256, 5);
    let unanchored = Checkpoint::new(ORIGIN, head).unwrap().sign(&key).unwrap().into_unverified();
    let proof = signed.log.snapshot().prove(Seq::new(2), &unanchored, Disclosure::Whole).unwrap();
    let mut statement = good.statement;
    statement.anchor = proof.extra.unwrap();
    statement.anchor_hashes = proof.inclusion.hashes;
    let refused =
        CatalogProof { statement, checkpoint: unanchored.clone() }.verify(&signed.trust());
    let other = matches!(refused, Err(VerifyProofError::Other { what: "last record", .. }));
    assert!(other, "{refused:?}");
    assert!(signed.log.snapshot().prove_state_entry("log", &unanchored).is_err());
}
