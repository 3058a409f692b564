mod carried;
mod state;

use proptest::prelude::*;

use super::*;
use crate::checkpoint::{Checkpoint, CheckpointError, SignatureKind, SigningKey, VerifyNoteError};
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::{Frontier, NodeId, ProofError, ProofPlan, TreeHead};
use crate::seq::{Seq, TreeSize};
use crate::trust::{Trust, TrustError};

const ORIGIN: &str = "example.com/audit";
const ALGORITHMS: [HashAlgorithm; 2] = [HashAlgorithm::Sha256, HashAlgorithm::Blake3];

fn key(algorithm: HashAlgorithm) -> SigningKey {
    SigningKey::new(ORIGIN, SignatureKind::for_heads_of(algorithm), &[9; 32]).unwrap()
}

fn trusted(algorithm: HashAlgorithm) -> Trust {
    Trust::in_keys([key(algorithm).verifying_key().clone()])
}

fn entry(seq: u64) -> Vec<u8> {
    format!("entry {seq}").into_bytes()
}

/// A proof as the engine makes it: of record `seq` in a log of `size` records.
fn proof(algorithm: HashAlgorithm, seq: u64, size: u64, extra: Option<Vec<u8>>) -> TlogProof {
    let mut nodes = std::collections::HashMap::<NodeId, Hash>::new();
    let mut frontier = Frontier::new(algorithm);
    for i in 0..size {
        frontier.push(algorithm.leaf(&[&entry(i)]), |node, hash| {
            nodes.insert(node, hash);
        });
    }
    let seq = Seq::new(seq);
    let plan = ProofPlan::inclusion(seq, frontier.size()).unwrap();
    let fetched: Vec<Hash> = plan.nodes().iter().map(|node| nodes[node]).collect();
    let inclusion = InclusionProof { seq, hashes: plan.assemble(algorithm, &fetched).unwrap() };
    let checkpoint = Checkpoint::new(ORIGIN, frontier.head()).unwrap();
    let checkpoint = checkpoint.sign(&key(algorithm)).unwrap().into_unverified();
    TlogProof { algorithm, extra, inclusion, checkpoint }
}

#[test]
fn a_proof_has_the_text_of_the_specification() {
    let proof = proof(HashAlgorithm::Sha256, 2, 5, Some(b"salt".to_vec()));
    let text = proof.to_text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..3], ["c2sp.org/tlog-proof@v1", "extra c2FsdA==", "index 2"]);
    assert!(lines[3..6].iter().all(|line| line.len() == 44), "{text}");
    assert_eq!(lines[6..9], ["", ORIGIN, "5"]);
    assert_eq!(TlogProof::file_extension(HashAlgorithm::Sha256), "tlog-proof");
}

#[test]
fn a_proof_verifies_offline_from_its_text_alone() {
    for algorithm in ALGORITHMS {
        let text = proof(algorithm, 2, 5, None).to_text();
        let read = TlogProof::parse(text.as_bytes()).unwrap();
        let verified = read.verify_entry(&entry(2), &trusted(algorithm)).unwrap();
        assert_eq!(verified.seq(), Seq::new(2));
        assert_eq!(verified.leaf_hash(), algorithm.leaf(&[&entry(2)]));
        assert_eq!(verified.checkpoint().head().size, TreeSize::new(5));
        assert_eq!(verified.checkpoint().algorithm(), algorithm);
    }
}

#[test]
fn the_only_record_of_a_log_has_a_proof_without_hashes() {
    let text = proof(HashAlgorithm::Sha256, 0, 1, None).to_text();
    assert!(text.starts_with("c2sp.org/tlog-proof@v1\nindex 0\n\nexample.com/audit\n1\n"));
    let read = TlogProof::parse(text.as_bytes()).unwrap();
    assert!(read.verify_entry(&entry(0), &trusted(HashAlgorithm::Sha256)).is_ok());
}

#[test]
fn a_proof_of_another_entry_or_by_another_key_is_refused() {
    let algorithm = HashAlgorithm::Sha256;
    let good = proof(algorithm, 2, 5, None);
    let refused = good.verify_entry(&entry(3), &trusted(algorithm));
    assert!(matches!(refused, Err(VerifyProofError::Inclusion(ProofError::Root { .. }))));
    let refused = good.verify_entry(&entry(2), &Trust::default());
    assert!(matches!(
        refused,
        Err(VerifyProofError::Checkpoint(TrustError::Checkpoint(CheckpointError::Signature(
            VerifyNoteError::NoKnownSigner { .. }
        ))))
    ));
    let uncovered = InclusionProof { seq: Seq::new(5), ..good.inclusion.clone() };
    let refused =
        TlogProof { inclusion: uncovered, ..good }.verify_entry(&entry(2), &trusted(algorithm));
    assert!(matches!(refused, Err(VerifyProofError::Inclusion(ProofError::NotCovered { .. }))));
}

#[test]
fn a_blake3_proof_under_the_sha256_first_line_is_refused() {
    let text = proof(HashAlgorithm::Blake3, 2, 5, None).to_text();
    let disguised = text.replacen("bulla.dev/blake3-proof@v1", "c2sp.org/tlog-proof@v1", 1);
    assert_ne!(text, disguised);
    let read = TlogProof::parse(disguised.as_bytes()).unwrap();
    let (expected, found) = (HashAlgorithm::Blake3, HashAlgorithm::Sha256);
    assert_eq!(
        read.verify_entry(&entry(2), &trusted(HashAlgorithm::Blake3)),
        Err(VerifyProofError::Algorithm { expected, found })
    );
}

#[test]
fn a_proof_cannot_start_from_an_interior_node() {
    // RFC 6962 §2.1: the prefixes keep a node from being presented as an entry.
    let algorithm = HashAlgorithm::Sha256;
    let good = proof(algorithm, 0, 4, None);
    let (own, sibling) = (algorithm.leaf(&[&entry(0)]), good.inclusion.hashes[0]);
    let node = [own.as_bytes().as_slice(), sibling.as_bytes()].concat();
    let hashes = good.inclusion.hashes[1..].to_vec();
    let inclusion = InclusionProof { seq: Seq::new(0), hashes };
    let refused = TlogProof { inclusion, ..good }.verify_entry(&node, &trusted(algorithm));
    assert!(matches!(refused, Err(VerifyProofError::Inclusion(ProofError::Length { .. }))));
}

#[test]
fn proof_texts_that_are_not_exactly_right_are_refused() {
    let good = proof(HashAlgorithm::Sha256, 2, 5, Some(b"salt".to_vec())).to_text();
    let hash = good.lines().nth(3).unwrap().to_owned();
    let parse = |from: &str, to: &str| {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good);
        TlogProof::parse(text.as_bytes()).unwrap_err()
    };
    let first_line = |from: &str, to: &str| match parse(from, to) {
        error @ ParseProofError::FirstLine { .. } => error.to_string(),
        error => panic!("{error:?}"),
    };
    assert!(first_line("@v1", "@v2").ends_with("newest known here is 1: upgrade bulla"));
    assert!(first_line("c2sp", " c2sp").ends_with("this is another file"));
    for bad in ["extra ", "extra c2FsdA", "extra c2FsdA== "] {
        assert_eq!(parse("extra c2FsdA==", bad), ParseProofError::Extra, "{bad:?}");
    }
    for bad in ["index 02", "index +2", "index", "Index 2", "index  2", "index 2 "] {
        assert_eq!(parse("index 2", bad), ParseProofError::Index, "{bad:?}");
    }
    assert_eq!(parse("extra c2FsdA==", "extra c2FsdA==\nextra c2FsdA=="), ParseProofError::Index);
    assert_eq!(parse("index 2\n", "index 2\nindex 2\n"), ParseProofError::HashLine { number: 4 });
    assert_eq!(parse(&hash, &hash[..40]), ParseProofError::HashLine { number: 4 });
    assert_eq!(parse(&hash, "AQ=="), ParseProofError::HashLine { number: 4 });
    assert_eq!(parse("\n\nexample", "\nexample"), ParseProofError::HashLine { number: 7 });
    let longer = format!("{hash}\n").repeat(65);
    assert_eq!(parse("index 2\n", &format!("index 2\n{longer}")), ParseProofError::TooManyHashes);
    let cut = good.split("\n\n").next().unwrap();
    assert_eq!(TlogProof::parse(cut.as_bytes()), Err(ParseProofError::NoCheckpoint));
    assert_eq!(TlogProof::parse(b"c2sp\xff"), Err(ParseProofError::NotUtf8 { offset: 4 }));
    let long = vec![b'a'; PROOF_LEN_MAX + 1];
    assert_eq!(TlogProof::parse(&long), Err(ParseProofError::TooLong { found: long.len() }));
    let refused = TlogProof::parse(&good.as_bytes()[..good.len() - 1]);
    assert!(matches!(refused, Err(ParseProofError::Checkpoint(_))));
}

proptest! {
    #[test]
    fn proofs_round_trip_through_their_text(
        blake3: bool, seq: u64, hashes in prop::collection::vec(any::<[u8; 32]>(), 0..=64),
        extra in prop::option::of(prop::collection::vec(any::<u8>(), 1..200)),
    ) {
        let algorithm = ALGORITHMS[usize::from(blake3)];
        let hashes = hashes.into_iter().map(Hash::from_bytes).collect();
        let inclusion = InclusionProof { seq: Seq::new(seq), hashes };
        let proof = TlogProof { inclusion, extra, ..proof(algorithm, 0, 1, None) };
        prop_assert_eq!(TlogProof::parse(proof.to_text().as_bytes()), Ok(proof));
    }

    #[test]
    fn any_bytes_parse_without_a_panic(
        bytes: Vec<u8>,
        lines in "c2sp.org/tlog-proof@v1\n(extra [A-Za-z=]{0,8}\n)?(index [0-9]{1,21}\n)?[A-Za-z0-9+/=\n]{0,90}",
    ) {
        prop_assert!(TlogProof::parse(&bytes).is_err());
        prop_assert!(TlogProof::parse(lines.as_bytes()).is_err());
        let with_checkpoint = lines + "\n" + &proof(HashAlgorithm::Sha256, 0, 1, None).checkpoint.to_text();
        if let Ok(read) = TlogProof::parse(with_checkpoint.as_bytes()) {
            prop_assert_eq!(read.to_text(), with_checkpoint);
        }
    }

    #[test]
    fn a_proof_with_any_byte_changed_never_verifies_as_a_different_statement(
        blake3: bool, seq in 0u64..11, place: prop::sample::Index, byte: u8, how in 0..3,
    ) {
        let algorithm = ALGORITHMS[usize::from(blake3)];
        let good = proof(algorithm, seq, 11, Some(b"salt".to_vec()));
        let mut bytes = good.to_text().into_bytes();
        let at = place.index(bytes.len());
        match how {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            _ => drop(bytes.remove(at)),
        }
        let Ok(read) = TlogProof::parse(&bytes) else { return Ok(()) };
        let leaf = algorithm.leaf(&[&entry(seq)]);
        let keys = trusted(algorithm);
        if let Ok(verified) = read.verify(leaf, &keys) {
            // Only the extra data may differ: it is no part of the statement.
            prop_assert_eq!(verified, good.verify(leaf, &keys).unwrap());
            prop_assert_eq!(TlogProof { extra: good.extra.clone(), ..read }, good);
        }
    }

    #[test]
    fn heads_of_any_size_verify_without_a_panic(
        seq: u64, size in 1u64.., root: [u8; 32], count in 0usize..=64,
    ) {
        let root = Hash::from_bytes(root);
        let head = TreeHead { size: TreeSize::new(size), root };
        let proof = InclusionProof { seq: Seq::new(seq), hashes: vec![root; count] };
        let verdict = proof.verify(HashAlgorithm::Sha256, &root, &head);
        prop_assert!(verdict.is_err() || size == 1);
    }
}
