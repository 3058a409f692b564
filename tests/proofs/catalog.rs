//! Proofs of the catalog and of what is in force.

use super::*;

#[test]
fn a_head_is_shown_in_the_catalog_under_a_checkpoint_of_that() {
    let mut signed = Signed::new(HashAlgorithm::Blake3, &[5, 9]);
    let before = signed.catalog_checkpoint();
    signed.log.append(&event(1)).unwrap();
    signed.sign();
    let covering = signed.catalog_checkpoint();
    let reader = Log::open_read_only(signed.path()).unwrap();
    for checkpoint in &signed.checkpoints {
        let mut proof = signed.log.prove(Seq::new(2), checkpoint, Disclosure::Whole).unwrap();
        let mut extra = proof.read_extra().unwrap();
        let via = signed.log.via_catalog(checkpoint, &covering).unwrap();
        assert_eq!(reader.via_catalog(checkpoint, &covering).unwrap(), via);
        extra.via_catalog = Some(via);
        proof.set_extra(&extra);
        let verified = proof.verify_record(&signed.trust()).unwrap();
        let via = verified.via_catalog().unwrap();
        assert_eq!(via.checkpoint().to_text(), covering.to_text());
        assert_eq!(via.checkpoint().algorithm(), HashAlgorithm::Sha256);
    }
    // The head of one checkpoint is not that of another.
    let [first, second, third] = signed.checkpoints.as_slice() else { panic!() };
    let mut proof = signed.log.prove(Seq::new(2), second, Disclosure::Whole).unwrap();
    let mut extra = proof.read_extra().unwrap();
    extra.via_catalog = Some(signed.log.via_catalog(first, &covering).unwrap());
    proof.set_extra(&extra);
    let refused = proof.verify_record(&signed.trust()).unwrap_err();
    assert!(refused.to_string().contains("signed head"), "{refused}");
    // A checkpoint of the catalog that was made before shows nothing.
    assert!(signed.log.via_catalog(third, &before).is_err());
    // Nor does one of the main log in its place.
    let mut extra = proof.read_extra().unwrap();
    extra.via_catalog = Some(signed.log.via_catalog(second, &covering).unwrap());
    extra.via_catalog.as_mut().unwrap().checkpoint = second.clone();
    proof.set_extra(&extra);
    let refused = proof.verify_record(&signed.trust()).unwrap_err();
    assert!(refused.to_string().contains("example.com/audit/catalog"), "{refused}");
}

/// Witnesses read the heads of a SHA-256 log themselves: none is carried by the catalog.
#[test]
fn no_head_of_a_sha256_log_is_shown_in_the_catalog() {
    let signed = Signed::new(HashAlgorithm::Sha256, &[5, 9]);
    let refused = signed.log.via_catalog(signed.newest(), &signed.catalog_checkpoint());
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("expected a BLAKE3 log"), "{refused}");
}

#[test]
fn every_record_of_the_catalog_is_proved_under_every_head_that_covers_it() {
    for algorithm in ALGORITHMS {
        let signed = Signed::new(algorithm, &[5, 9, 3]);
        let reader = Log::open_read_only(signed.path()).unwrap();
        let history = signed.log.history().unwrap();
        let mut proved = 0;
        for checkpoint in &signed.checkpoints {
            let last = checkpoint.dangerously_unverified().head().size.last_seq().unwrap();
            let anchor = signed.log.get(last).unwrap().anchor.unwrap();
            for entry in &history {
                let seq = entry.seq;
                let proof = signed.log.prove_catalog_record(seq, checkpoint, Disclosure::Whole);
                if !anchor.catalog_size.covers(seq) {
                    assert!(proof.is_err());
                    continue;
                }
                let proof = proof.unwrap();
                let theirs = reader.prove_catalog_record(seq, checkpoint, Disclosure::Whole);
                assert_eq!(theirs.unwrap(), proof);
                let text = proof.to_text();
                let read = CatalogProof::parse(text.as_bytes()).unwrap();
                assert_eq!(read.to_text(), text);
                let verified = read.verify(&signed.trust()).unwrap();
                assert_eq!(*verified.statement().anchor(), anchor);
                let ShownOfCatalog::Record(record) = verified.statement().shown() else { panic!() };
                assert_eq!(record.recorded_at, entry.recorded_at);
                assert_eq!(record.body().unwrap().0, entry.state_root);
                assert!(record.because().is_some());
                proved += 1;
            }
        }
        assert!(proved > 10, "{proved}");
        let withheld = signed
            .log
            .prove_catalog_record(Seq::new(0), signed.newest(), Disclosure::WithholdPayload)
            .unwrap()
            .verify(&signed.trust())
            .unwrap();
        let ShownOfCatalog::Record(record) = withheld.statement().shown() else { panic!() };
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
                let proof = signed.log.prove_state_entry(key, checkpoint).unwrap();
                assert_eq!(reader.prove_state_entry(key, checkpoint).unwrap(), proof);
                let read = CatalogProof::parse(proof.to_text().as_bytes()).unwrap();
                let verified = read.verify(&signed.trust()).unwrap();
                match verified.statement().shown() {
                    ShownOfCatalog::InForce(entry) => assert!(entry.key == *key && *in_force),
                    ShownOfCatalog::NotInForce { key: shown } => {
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
        log.prove_state_entry("log", newest).unwrap(),
        log.prove_state_entry("m", newest).unwrap(),
        log.prove_catalog_record(Seq::new(1), newest, Disclosure::Whole).unwrap(),
    ] {
        let expected = proof.verify(&trust).unwrap();
        altered(&proof.to_text(), |bad| {
            let Ok(read) = CatalogProof::parse(bad) else { return };
            assert_eq!(read.to_text().as_bytes(), bad);
            let Ok(found) = read.verify(&trust) else { return };
            // A key that is not in force has other keys beside it that are not either.
            let key = |found: &ShownOfCatalog| matches!(found, ShownOfCatalog::NotInForce { .. });
            if key(found.statement().shown()) && key(expected.statement().shown()) {
                assert_eq!(what(found.checkpoint()), what(expected.checkpoint()));
                let ShownOfCatalog::NotInForce { key } = found.statement().shown() else { return };
                assert!(signed.log.prove_state_entry(key, newest).is_ok_and(|own| {
                    let own = own.verify(&trust).unwrap();
                    matches!(own.statement().shown(), ShownOfCatalog::NotInForce { .. })
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
    let good = signed.log.prove_state_entry("log", newest).unwrap();
    let refused =
        CatalogProof { checkpoint: first.clone(), ..good.clone() }.verify(&signed.trust());
    assert!(matches!(refused, Err(VerifyProofError::Other { what: "anchor", .. })), "{refused:?}");
    // An event in the anchor's place, with a path that holds.
    let head = signed.log.head_at(TreeSize::new(3)).unwrap();
    let key = key_of(HashAlgorithm::Sha256, 5);
    let unanchored = Checkpoint::new(ORIGIN, head).unwrap().sign(&key).unwrap().into_unverified();
    let proof = signed.log.prove(Seq::new(2), &unanchored, Disclosure::Whole).unwrap();
    let mut statement = good.statement;
    statement.anchor = proof.extra.unwrap();
    statement.anchor_hashes = proof.inclusion.hashes;
    let refused =
        CatalogProof { statement, checkpoint: unanchored.clone() }.verify(&signed.trust());
    let other = matches!(refused, Err(VerifyProofError::Other { what: "last record", .. }));
    assert!(other, "{refused:?}");
    assert!(signed.log.prove_state_entry("log", &unanchored).is_err());
}
