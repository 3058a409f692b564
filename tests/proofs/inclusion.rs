//! The promise: whatever the log proves, a stranger can check offline, and a proof that was
//! altered shows nothing else.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

use std::path::PathBuf;

use bulla::checkpoint::{Checkpoint, SignatureKind, SigningKey};
use bulla::internals::format::catalog_body::{CatalogBody, kind};
use bulla::keys::{Change, KeyChain, Statement};
use bulla::merkle::TreeHead;
use bulla::proof::{
    BUNDLE_RECORDS_MAX, Bundle, CatalogProof, ConsistencyProof, Extra, MalformedProof, ProvenClaim,
    VerifyBundleError, VerifyProofError,
};
use bulla::{
    Actor, Disclosure, Error, Event, Hash, HashAlgorithm, Housekeeping, Log, Resource, Seq, Signer,
    TlogProof, TreeSize, Trust, UnverifiedCheckpoint, VerifiedCheckpoint, VerifyingKey,
};

mod catalog;

const ALGORITHMS: [HashAlgorithm; 2] = [HashAlgorithm::Sha256, HashAlgorithm::Blake3];
const ORIGIN: &str = "example.com/audit";

/// A log with records and checkpoints between them.
struct Signed {
    dir: tempfile::TempDir,
    log: Log,
    signer: Signer,
    checkpoints: Vec<UnverifiedCheckpoint>,
}

fn key_of(algorithm: HashAlgorithm, seed: u8) -> SigningKey {
    SigningKey::new(ORIGIN, SignatureKind::for_heads_of(algorithm), &[seed; 32]).unwrap()
}

fn event(n: u64) -> Event {
    let actor = Actor::new("user", format!("user-{}", n % 7)).email("someone@example.com");
    Event::new(actor, "invoice.read", Resource::new("invoice", n.to_string()))
}

impl Signed {
    /// Records in runs of these lengths, each with a checkpoint behind it.
    fn new(algorithm: HashAlgorithm, runs: &[u64]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join("key");
        std::fs::write(&key, &**key_of(algorithm, 5).to_secret_text()).unwrap();
        make_private(&key);
        let signer = Signer::load(&key).unwrap();
        let options = Log::options().origin(ORIGIN).hash(algorithm);
        let options = options.housekeeping(Housekeeping::Inline);
        let log = options.create(dir.path().join("log")).unwrap();
        let mut signed = Signed { dir, log, signer, checkpoints: Vec::new() };
        for run in runs {
            for _ in 0..*run {
                signed.log.append(&event(signed.log.size().get())).unwrap();
            }
            signed.log.rotate().unwrap();
            signed.sign();
        }
        signed
    }

    fn sign(&mut self) {
        self.checkpoints.push(self.log.checkpoint(&self.signer).unwrap().into_unverified());
    }

    fn newest(&self) -> &UnverifiedCheckpoint {
        self.checkpoints.last().unwrap()
    }

    fn trust(&self) -> Trust {
        Trust::in_keys([self.signer.verifying_key().clone()])
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("log")
    }
}

fn make_private(path: &std::path::Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    #[cfg(not(unix))]
    let _ = path;
}

fn seqs(positions: &[u64]) -> Vec<Seq> {
    positions.iter().copied().map(Seq::new).collect()
}

/// What a checkpoint says and who vouches for it: not in which lines.
fn what(checkpoint: &VerifiedCheckpoint) -> (Checkpoint, Vec<VerifyingKey>) {
    (checkpoint.checkpoint().clone(), checkpoint.signers().to_vec())
}

/// Gives each text that differs from a good one in a byte, a line that is missing or twice,
/// or two lines that changed places.
fn altered(good: &str, mut check: impl FnMut(&[u8])) {
    for at in 0..good.len() {
        for bit in [0x01, 0x02, 0x20, 0x80] {
            let mut bad = good.as_bytes().to_vec();
            bad[at] ^= bit;
            check(&bad);
        }
        check(&good.as_bytes()[..at]);
    }
    let lines: Vec<&str> = good.split_inclusive('\n').collect();
    for at in 0..lines.len() {
        let mut fewer = lines.clone();
        fewer.remove(at);
        check(fewer.concat().as_bytes());
        let mut more = lines.clone();
        more.insert(at, lines[at]);
        check(more.concat().as_bytes());
        for other in at + 1..lines.len() {
            let mut swapped = lines.clone();
            swapped.swap(at, other);
            if swapped != lines {
                check(swapped.concat().as_bytes());
            }
        }
    }
    check(format!("{good}\n").as_bytes());
}

#[test]
fn heads_of_every_size_and_consistency_between_them_are_those_of_the_tree() {
    for algorithm in ALGORITHMS {
        let signed = Signed::new(algorithm, &[5, 9, 3]);
        let (log, size) = (&signed.log, signed.log.size().get());
        let reader = Log::open_read_only(signed.path()).unwrap();
        for checkpoint in &signed.checkpoints {
            let head = checkpoint.dangerously_unverified().head();
            assert_eq!(log.snapshot().head_at(head.size).unwrap(), head);
            assert_eq!(reader.snapshot().head_at(head.size).unwrap(), head);
        }
        for old in 0..=size {
            let (old, new) = (TreeSize::new(old), TreeSize::new(size));
            let hashes = log.snapshot().consistency(old, new).unwrap();
            let (old, new) =
                (log.snapshot().head_at(old).unwrap(), log.snapshot().head_at(new).unwrap());
            bulla::merkle::verify_consistency(algorithm, &old, &new, &hashes).unwrap();
        }
        let beyond = TreeSize::new(size + 1);
        assert!(matches!(log.snapshot().head_at(beyond), Err(Error::NotWritten { .. })));
        assert!(log.snapshot().consistency(TreeSize::new(3), TreeSize::new(2)).is_err());
        assert!(log.snapshot().consistency(TreeSize::new(3), beyond).is_err());
    }
}

#[test]
fn a_later_checkpoint_is_proved_to_extend_an_earlier_one() {
    for algorithm in ALGORITHMS {
        let signed = Signed::new(algorithm, &[5, 9, 3]);
        let [first, second, third] = signed.checkpoints.as_slice() else { panic!() };
        let reader = Log::open_read_only(signed.path()).unwrap();
        for (old, new) in [(first, second), (first, third), (second, third), (third, third)] {
            let text = signed.log.snapshot().prove_consistency(old, new).unwrap().to_text();
            assert_eq!(reader.snapshot().prove_consistency(old, new).unwrap().to_text(), text);
            let read = ConsistencyProof::parse(text.as_bytes()).unwrap();
            assert_eq!(read.to_text(), text);
            let verified = read.verify(&signed.trust()).unwrap();
            assert_eq!(verified.older().to_text(), old.to_text());
            assert_eq!(verified.newer().to_text(), new.to_text());
            assert!(read.verify(&Trust::default()).is_err());
        }
        assert!(signed.log.snapshot().prove_consistency(third, first).is_err());
        // The log is asked about somebody else's head.
        let head =
            TreeHead { root: algorithm.empty_root(), ..first.dangerously_unverified().head() };
        let forged = Checkpoint::new(ORIGIN, head).unwrap().sign(&key_of(algorithm, 5)).unwrap();
        let forged = forged.into_unverified();
        let refused = signed.log.snapshot().prove_consistency(&forged, third);
        assert!(matches!(refused, Err(Error::Tampered { .. })), "{refused:?}");
        // It is signed by the right key, but the newer one does not extend it.
        let good = signed.log.snapshot().prove_consistency(first, third).unwrap();
        let refused = ConsistencyProof { old: forged, ..good }.verify(&signed.trust());
        assert!(matches!(refused, Err(VerifyProofError::Consistency(_))), "{refused:?}");
    }
}

#[test]
fn an_altered_consistency_proof_is_refused_or_says_the_same() {
    let signed = Signed::new(HashAlgorithm::Sha256, &[5, 9]);
    let [old, new] = signed.checkpoints.as_slice() else { panic!() };
    let good = signed.log.snapshot().prove_consistency(old, new).unwrap();
    let (trust, verified) = (signed.trust(), good.verify(&signed.trust()).unwrap());
    altered(&good.to_text(), |bad| {
        let Ok(read) = ConsistencyProof::parse(bad) else { return };
        assert_eq!(read.to_text().as_bytes(), bad);
        if let Ok(found) = read.verify(&trust) {
            assert_eq!(what(found.older()), what(verified.older()));
            assert_eq!(what(found.newer()), what(verified.newer()));
        }
    });
}

#[test]
fn many_records_are_proved_by_one_bundle() {
    for algorithm in ALGORITHMS {
        let signed = Signed::new(algorithm, &[20, 17]);
        let reader = Log::open_read_only(signed.path()).unwrap();
        let all: Vec<u64> = (0..signed.log.size().get()).collect();
        for positions in [&[][..], &[3], &[30, 3, 4, 3], &all] {
            for disclosure in [Disclosure::Whole, Disclosure::WithholdPayload] {
                let asked = seqs(positions);
                let mut bundle =
                    signed.log.snapshot().prove_many(&asked, signed.newest(), disclosure).unwrap();
                let theirs =
                    reader.snapshot().prove_many(&asked, signed.newest(), disclosure).unwrap();
                assert_eq!(bundle, theirs);
                bundle.note = Some("all that\tactor \\ did\n".to_owned());
                let text = bundle.to_text();
                let read = Bundle::parse(text.as_bytes()).unwrap();
                assert_eq!((&read, read.to_text()), (&bundle, text));
                let verified = read.verify(&signed.trust()).unwrap();
                let mut expected = asked.clone();
                expected.sort();
                expected.dedup();
                let found: Vec<Seq> = verified.records().map(|r| r.record().seq).collect();
                assert_eq!(found, expected);
                for proved in verified.records() {
                    let record = signed.log.snapshot().get(proved.record().seq).unwrap();
                    assert_eq!(proved.record().leaf_hash, record.leaf_hash);
                    assert_eq!(proved.disclosure(), disclosure);
                    assert_eq!(proved.record().event.resource, record.event.resource);
                    let shown = proved.record().event.actor.email.is_some();
                    assert_eq!(shown, disclosure == Disclosure::Whole && record.anchor.is_none());
                }
                assert!(read.verify(&Trust::default()).is_err());
            }
        }
        // The hashes that the paths share are there once.
        let bundle = signed
            .log
            .snapshot()
            .prove_many(&seqs(&[3, 4, 30]), signed.newest(), Disclosure::Whole)
            .unwrap();
        let singly = |seq| {
            let proof =
                signed.log.snapshot().prove(Seq::new(seq), signed.newest(), Disclosure::Whole);
            proof.unwrap().inclusion.hashes.len()
        };
        assert!(bundle.hashes.len() < singly(3) + singly(4) + singly(30));
        let refused = signed.log.snapshot().prove_many(
            &seqs(&[3, 30]),
            &signed.checkpoints[0],
            Disclosure::Whole,
        );
        assert!(matches!(refused, Err(Error::Proof { .. })), "{refused:?}");
    }
}

#[test]
fn an_altered_bundle_is_refused_or_says_the_same() {
    let signed = Signed::new(HashAlgorithm::Blake3, &[6, 5]);
    let (log, newest) = (&signed.log, signed.newest());
    let mut good = log.snapshot().prove_many(&seqs(&[3, 8]), newest, Disclosure::Whole).unwrap();
    good.note = Some("everything".to_owned());
    let withheld =
        log.snapshot().prove_many(&seqs(&[8]), newest, Disclosure::WithholdPayload).unwrap();
    good.records[1] = withheld.records[0].clone();
    let trust = signed.trust();
    let said = |bundle: &Bundle| {
        let verified = bundle.verify(&trust).ok()?;
        let records: Vec<_> = verified.records().cloned().collect();
        Some((records, what(verified.checkpoint()), verified.log_id()))
    };
    let expected = said(&good).unwrap();
    altered(&good.to_text(), |bad| {
        let Ok(read) = Bundle::parse(bad) else { return };
        assert_eq!(read.to_text().as_bytes(), bad);
        if let Some(found) = said(&read) {
            assert_eq!(found, expected, "{}", String::from_utf8_lossy(bad));
        }
    });
}

#[test]
fn a_bundle_with_a_record_exchanged_left_out_or_added_is_refused() {
    let signed = Signed::new(HashAlgorithm::Sha256, &[9]);
    let prove = |positions: &[u64]| {
        signed
            .log
            .snapshot()
            .prove_many(&seqs(positions), signed.newest(), Disclosure::Whole)
            .unwrap()
    };
    let (good, other) = (prove(&[2, 5]), prove(&[2, 6]));
    let refused = |bundle: Bundle| bundle.verify(&signed.trust()).unwrap_err();
    let mut renamed = good.clone();
    renamed.records[1].bytes = other.records[1].bytes.clone();
    assert!(matches!(refused(renamed), VerifyBundleError::Record { .. }));
    let records = vec![good.records[0].clone(), other.records[1].clone()];
    let error = refused(Bundle { records, ..good.clone() });
    assert!(matches!(error, VerifyBundleError::Proof(VerifyProofError::Inclusion(_))));
    for records in [&good.records[..1], &[], &prove(&[2, 5, 6]).records] {
        let error = refused(Bundle { records: records.to_vec(), ..good.clone() });
        assert!(matches!(error, VerifyBundleError::Proof(VerifyProofError::Inclusion(_))));
    }
}

#[test]
fn a_bundle_in_another_spelling_is_refused() {
    let signed = Signed::new(HashAlgorithm::Sha256, &[9]);
    let mut good = signed
        .log
        .snapshot()
        .prove_many(&seqs(&[2, 5]), signed.newest(), Disclosure::Whole)
        .unwrap();
    good.note = Some("a\\b\u{7}".to_owned());
    let good = good.to_text();
    assert!(good.contains("\nnote a\\\\b\\x07\n"), "{good}");
    let parse = |from: &str, to: &str| {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good);
        Bundle::parse(text.as_bytes()).unwrap_err()
    };
    let line = |number| move |error| matches!(error, MalformedProof::Line { number: n, .. } if n == number);
    assert!(matches!(parse("/v1", "/v2"), MalformedProof::FirstLine { .. }));
    for bad in
        ["note a\\b\n", "note \n", "note a\\x41\n", "note a\\X07\n", "note a\\x\n", "note a\x07\n"]
    {
        assert!(line(2)(parse("note a\\\\b\\x07\n", bad)), "{bad:?}");
    }
    assert!(line(3)(parse("record 2 ", "record 02 ")));
    assert!(line(3)(parse("record 2 ", "record 2  ")));
    assert!(line(4)(parse("record 2 ", "record 5 ")), "not ascending");
    assert!(line(4)(parse("record 5 ", "note 5 ")), "out of place");
    let long = vec![b'a'; bulla::proof::BUNDLE_LEN_MAX + 1];
    assert!(matches!(Bundle::parse(&long), Err(MalformedProof::TooLong { .. })));
    assert_eq!(Bundle::parse(b"bulla.dev/bundle/v1\n"), Err(MalformedProof::NoCheckpoint));
}

#[test]
fn a_record_is_shown_to_come_after_an_earlier_checkpoint() {
    for algorithm in ALGORITHMS {
        let signed = Signed::new(algorithm, &[5, 9]);
        let [earlier, newest] = signed.checkpoints.as_slice() else { panic!() };
        let snapshot = signed.log.snapshot();
        let carry = |seq: u64, earlier: &UnverifiedCheckpoint| {
            let mut proof = snapshot.prove(Seq::new(seq), newest, Disclosure::Whole).unwrap();
            let mut extra = proof.read_extra().unwrap();
            extra.appended_after = Some(snapshot.appended_after(earlier, newest).unwrap());
            proof.set_extra(&extra);
            assert_eq!(proof.read_extra().unwrap(), extra);
            TlogProof::parse(proof.to_text().as_bytes()).unwrap()
        };
        let proof = carry(7, earlier);
        let verified = proof.verify_record(&signed.trust()).unwrap();
        assert_eq!(verified.appended_after().unwrap().to_text(), earlier.to_text());
        let plain = snapshot.prove(Seq::new(7), newest, Disclosure::Whole).unwrap();
        assert!(plain.verify_record(&signed.trust()).unwrap().appended_after().is_none());
        // The checkpoint of five records and their anchor covers record 5, but not 6.
        assert!(carry(6, earlier).verify_record(&signed.trust()).is_ok());
        for (seq, earlier) in [(5, earlier), (7, newest)] {
            let refused = carry(seq, earlier).verify_record(&signed.trust()).unwrap_err();
            assert!(refused.to_string().contains("without record"), "{refused}");
        }
        // An earlier checkpoint that somebody else signed shows nothing.
        let mut extra = proof.read_extra().unwrap();
        let head = earlier.dangerously_unverified().head();
        let stranger = Checkpoint::new(ORIGIN, head).unwrap().sign(&key_of(algorithm, 6)).unwrap();
        extra.appended_after.as_mut().unwrap().checkpoint = stranger.into_unverified();
        let mut forged = proof.clone();
        forged.set_extra(&extra);
        assert!(forged.verify_record(&signed.trust()).is_err());
    }
}

#[test]
fn an_altered_extra_line_is_refused_or_says_the_same() {
    let signed = Signed::new(HashAlgorithm::Blake3, &[3, 4]);
    let [earlier, newest] = signed.checkpoints.as_slice() else { panic!() };
    let snapshot = signed.log.snapshot();
    let mut good = snapshot.prove(Seq::new(5), newest, Disclosure::WithholdPayload).unwrap();
    let mut extra = good.read_extra().unwrap();
    extra.appended_after = Some(snapshot.appended_after(earlier, newest).unwrap());
    extra.statement =
        Some(signed.log.snapshot().prove_state_entry("log", newest).unwrap().statement);
    let bytes = extra.to_bytes();
    good.set_extra(&extra);
    let trust = signed.trust();
    let said = |bytes: Vec<u8>| {
        let verified =
            TlogProof { extra: Some(bytes), ..good.clone() }.verify_record(&trust).ok()?;
        let after = verified.appended_after().map(what);
        Some((verified.record().clone(), after, verified.statement().cloned()))
    };
    let expected = said(bytes.clone()).unwrap();
    assert!(expected.1.is_some() && expected.2.is_some());
    for at in 0..bytes.len() {
        for bit in [0x01, 0x80] {
            let mut bad = bytes.clone();
            bad[at] ^= bit;
            if let Ok(read) = Extra::parse(&bad) {
                assert_eq!(read.to_bytes(), bad);
            }
            if let Some(found) = said(bad) {
                // Signatures by keys that nobody trusts may be anything: here are none.
                assert_eq!(found, expected, "byte {at}");
            }
        }
        // A section less is less that is shown.
        if let Some((record, after, statement)) = said(bytes[..at].to_vec()) {
            assert!(record == expected.0 && statement.is_none());
            assert!(after.is_none() || after == expected.1);
        }
    }
}

#[test]
fn a_proof_carries_the_key_chain_from_the_pinned_key_to_the_one_that_signed() {
    let algorithm = HashAlgorithm::Sha256;
    let signed = Signed::new(algorithm, &[5]);
    let catalog = signed.log.snapshot().catalog().head().unwrap();
    let (old, next) = (key_of(algorithm, 5), key_of(algorithm, 6));
    let statement = Statement {
        origin: ORIGIN.to_owned(),
        number: 1,
        previous: Hash::ZERO,
        key: old.verifying_key().clone(),
        main: signed.newest().dangerously_unverified().head(),
        catalog,
        change: Change::Rotate { next: next.verifying_key().clone() },
    };
    let note = statement.sign(&[&old, &next]).unwrap();
    let mut chain = KeyChain::default();
    chain.push_note(note.to_string().as_bytes()).unwrap();
    for _ in 0..4 {
        signed.log.append(&event(1)).unwrap();
    }
    let head = signed.log.snapshot().head().unwrap();
    let newest = Checkpoint::new(ORIGIN, head).unwrap().sign(&next).unwrap().into_unverified();
    let prove = |chain: Option<&[u8]>| {
        let mut proof =
            signed.log.snapshot().prove(Seq::new(7), &newest, Disclosure::Whole).unwrap();
        let mut bundle =
            signed.log.snapshot().prove_many(&seqs(&[2, 7]), &newest, Disclosure::Whole).unwrap();
        let mut extra = proof.read_extra().unwrap();
        extra.key_chain = chain.map(<[u8]>::to_vec);
        proof.set_extra(&extra);
        bundle.extra.key_chain = extra.key_chain;
        let bundle = Bundle::parse(bundle.to_text().as_bytes()).unwrap();
        let trust = signed.trust();
        (proof.verify_record(&trust).is_ok(), bundle.verify(&trust).is_ok())
    };
    let text = chain.to_text();
    assert_eq!(prove(Some(text.as_bytes())), (true, true));
    assert_eq!(prove(None), (false, false));
    let forged = text.replacen(&head.size.to_string(), "0", 1);
    for bad in [b"no chain".as_slice(), &text.as_bytes()[1..], b"", forged.as_bytes()] {
        assert!(bad == text.as_bytes() || prove(Some(bad)) == (false, false));
    }
}

/// `Error::Proof` is for what cannot be proved, or does not hold: not for what is asked wrongly.
#[test]
fn what_is_no_matter_of_a_proof_is_refused_as_what_it_is() {
    let signed = Signed::new(HashAlgorithm::Sha256, &[5]);
    let many: Vec<Seq> = (0..=BUNDLE_RECORDS_MAX as u64).map(Seq::new).collect();
    let refused =
        signed.log.snapshot().prove_many(&many, signed.newest(), Disclosure::Whole).unwrap_err();
    assert!(matches!(&refused, Error::TooLarge { limit: 1_000_000, found: 1_000_001, .. }));
    let expected = "expected at most 1000000 records in a bundle, found 1000001: make several";
    assert_eq!(refused.to_string(), expected);

    // A snapshot of a reader has a tree, too: it is computed when it is first needed.
    let of_reader = Log::open_read_only(signed.path()).unwrap().snapshot();
    assert_eq!(of_reader.head().unwrap(), signed.log.snapshot().head().unwrap());

    let witness = SigningKey::new(ORIGIN, SignatureKind::Ed25519Cosignature, &[6; 32]).unwrap();
    let memory = signed.dir.path().join("witness");
    let witness = Signer::external(Box::new(witness), &memory).unwrap();
    let refused = signed.log.checkpoint(&witness).unwrap_err();
    assert!(matches!(refused, Error::Key { .. }), "{refused:?}");

    let bundle = |index, width| bulla::tiles::BundleId::new(index, width).unwrap();
    let tiles = signed.log.snapshot().tiles(TreeSize::new(5)).unwrap();
    let whole = tiles.entry_bundle(bundle(0, 4)).unwrap();
    assert!(tiles.entry_bundle_onto((bundle(0, 4), &whole), bundle(0, 5)).is_ok());
    for (earlier, bytes) in [(bundle(0, 5), &whole[..]), (bundle(0, 4), &whole[1..])] {
        let refused = tiles.entry_bundle_onto((earlier, bytes), bundle(0, 4)).unwrap_err();
        assert!(matches!(refused, Error::InvalidOption { .. }), "{refused:?}");
    }
}
