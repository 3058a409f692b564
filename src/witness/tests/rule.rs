use proptest::prelude::*;

use super::super::*;
use super::{ORIGIN, log_key, witness_key};
use crate::checkpoint::{
    Checkpoint, CheckpointError, SignatureKind, SigningKey, UnverifiedCheckpoint, VerifyingKey,
};
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::{Frontier, TreeHead, reference};
use crate::seq::TreeSize;

const SHA256: HashAlgorithm = HashAlgorithm::Sha256;

fn leaf(history: u8, seq: u64) -> Hash {
    SHA256.leaf(&[&[history], seq.to_string().as_bytes()])
}

/// The first records of a history; histories share none.
fn leaves(history: u8, size: u64) -> Vec<Hash> {
    (0..size).map(|seq| leaf(history, seq)).collect()
}

fn head(history: u8, size: u64) -> TreeHead {
    let mut frontier = Frontier::new(SHA256);
    leaves(history, size).into_iter().for_each(|leaf| frontier.push(leaf, |_, _| ()));
    frontier.head()
}

fn signed_by(key: &SigningKey, head: TreeHead) -> UnverifiedCheckpoint {
    Checkpoint::new(ORIGIN, head).unwrap().sign(key).unwrap().into_unverified()
}

fn request(old: u64, history: u8, size: u64) -> AddCheckpoint {
    let proof = match old == 0 || old >= size {
        true => Vec::new(),
        false => reference::proof(SHA256, usize::try_from(old).unwrap(), &leaves(history, size)),
    };
    AddCheckpoint::new(TreeSize::new(old), proof, signed_by(&log_key(1), head(history, size)))
        .unwrap()
}

fn keys() -> Vec<VerifyingKey> {
    vec![log_key(1).verifying_key().clone()]
}

fn answer(request: &AddCheckpoint, noted: &TreeHead) -> (u16, String) {
    match check(request, &keys(), noted) {
        Ok(accepted) => (200, accepted.head().size.to_string()),
        Err(refusal) => (refusal.status(), refusal.body()),
    }
}

fn empty() -> TreeHead {
    TreeHead::empty(SHA256)
}

#[test]
fn a_first_checkpoint_is_accepted_without_a_proof() {
    for size in [0, 1, 5] {
        let accepted = check(&request(0, 1, size), &keys(), &empty()).unwrap();
        assert_eq!((accepted.origin(), accepted.head()), (ORIGIN, head(1, size)));
    }
    let superfluous =
        AddCheckpoint::new(TreeSize::ZERO, vec![leaf(1, 0)], signed_by(&log_key(1), head(1, 5)));
    assert_eq!(answer(&superfluous.unwrap(), &empty()).0, 422);
}

#[test]
fn what_extends_the_noted_head_is_accepted_and_may_be_cosigned() {
    let accepted = check(&request(3, 1, 7), &keys(), &head(1, 3)).unwrap();
    let witness = witness_key("w.example/1", 9);
    let line = accepted.cosign(&witness, 77).unwrap();
    let cosigned = signed_by(&log_key(1), head(1, 7)).with_signatures(&[line]).unwrap();
    let known = [keys(), vec![witness.verifying_key().clone()]].concat();
    assert_eq!(cosigned.verify(&known).unwrap().cosignatures()[0].unix_seconds(), 77);
    // The same again, as after a lost answer.
    assert_eq!(answer(&request(7, 1, 7), &head(1, 7)).0, 200);
}

#[test]
fn an_old_size_that_is_not_the_noted_one_is_answered_with_the_noted_one() {
    for (old, noted) in [(0, 3), (2, 3), (4, 3), (1, 0)] {
        let refusal = check(&request(old, 1, 7), &keys(), &head(1, noted)).unwrap_err();
        assert_eq!((refusal.status(), refusal.content_type()), (409, "text/x.tlog.size"));
        assert_eq!(refusal.body(), format!("{noted}\n"));
    }
}

#[test]
fn an_old_size_beyond_the_checkpoint_is_a_bad_request_before_a_conflict() {
    let beyond = AddCheckpoint::new(TreeSize::new(8), vec![], signed_by(&log_key(1), head(1, 7)));
    let beyond = beyond.unwrap();
    assert_eq!(answer(&beyond, &head(1, 3)).0, 400);
    assert_eq!(answer(&beyond, &head(1, 8)).0, 400);
}

#[test]
fn a_smaller_checkpoint_than_the_noted_one_is_never_accepted() {
    for old in 0..=5 {
        assert_eq!(answer(&request(old, 1, 5), &head(1, 7)), (409, "7\n".to_owned()));
    }
}

#[test]
fn another_history_is_refused_whatever_its_size_and_proof() {
    // At the same size: 409, and not to be tried again.
    let refusal = check(&request(7, 2, 7), &keys(), &head(1, 7)).unwrap_err();
    assert!(matches!(refusal, Refusal::Fork { .. }));
    assert_eq!(refusal.status(), 409);
    assert_ne!(refusal.content_type(), "text/x.tlog.size");
    // Larger, with a proof that is right for the other history.
    assert_eq!(answer(&request(7, 2, 12), &head(1, 7)).0, 422);
    // With the proof of the true history.
    let proof = request(7, 1, 12).proof().to_vec();
    let mixed = AddCheckpoint::new(TreeSize::new(7), proof, signed_by(&log_key(1), head(2, 12)));
    assert_eq!(answer(&mixed.unwrap(), &head(1, 7)).0, 422);
}

#[test]
fn a_proof_that_is_short_long_or_altered_is_refused() {
    let good = request(3, 1, 7);
    let with = |proof: Vec<Hash>| {
        AddCheckpoint::new(TreeSize::new(3), proof, good.checkpoint().clone()).unwrap()
    };
    assert_eq!(answer(&with(good.proof().to_vec()), &head(1, 3)).0, 200);
    let mut proofs = vec![vec![], good.proof()[1..].to_vec()];
    proofs.push([good.proof(), &[leaf(1, 0)]].concat());
    for place in 0..good.proof().len() {
        let mut altered = good.proof().to_vec();
        altered[place] = leaf(9, 9);
        proofs.push(altered);
    }
    for proof in proofs {
        assert_eq!(answer(&with(proof), &head(1, 3)).0, 422);
    }
    // Same size, same root, but a proof.
    let superfluous =
        AddCheckpoint::new(TreeSize::new(7), vec![leaf(1, 0)], good.checkpoint().clone());
    assert_eq!(answer(&superfluous.unwrap(), &head(1, 7)).0, 422);
}

#[test]
fn only_known_logs_and_their_keys_are_listened_to() {
    let from = |key: &SigningKey, origin: &str| {
        let unsigned = Checkpoint::new(origin, head(1, 3)).unwrap();
        let text = unsigned.to_text();
        let note = crate::checkpoint::Note::sign(&text, &[key]).unwrap();
        let checkpoint = UnverifiedCheckpoint::parse(note.to_string().as_bytes()).unwrap();
        let request = AddCheckpoint::new(TreeSize::ZERO, vec![], checkpoint).unwrap();
        check(&request, &keys(), &empty()).map(|accepted| accepted.head())
    };
    assert_eq!(from(&log_key(1), ORIGIN), Ok(head(1, 3)));
    assert_eq!(from(&log_key(1), "example.com/other").unwrap_err().status(), 404);
    // Another key of that name, and another log's.
    assert_eq!(from(&log_key(2), ORIGIN).unwrap_err().status(), 403);
    let other = SigningKey::new("example.com/other", SignatureKind::Ed25519, &[1; 32]).unwrap();
    assert_eq!(from(&other, ORIGIN).unwrap_err().status(), 403);
    // A witness of the log's name, known to us, is not the log.
    let impostor = witness_key(ORIGIN, 5);
    let checkpoint = signed_by(&log_key(1), head(1, 3));
    let line = checkpoint.verify(&keys()).unwrap().cosign(&impostor, 7).unwrap();
    let text = checkpoint.note().dangerously_unverified_text();
    let cosigned = UnverifiedCheckpoint::parse(format!("{text}\n{line}\n").as_bytes()).unwrap();
    let request = AddCheckpoint::new(TreeSize::ZERO, vec![], cosigned).unwrap();
    let known = [impostor.verifying_key().clone()];
    assert_eq!(check(&request, &known, &empty()).unwrap_err().status(), 403);
}

#[test]
fn a_blake3_head_is_refused() {
    let key = SigningKey::new(ORIGIN, SignatureKind::Ed25519Blake3Head, &[1; 32]).unwrap();
    let request = AddCheckpoint::new(TreeSize::ZERO, vec![], signed_by(&key, head(1, 3))).unwrap();
    let refused = check(&request, &[key.verifying_key().clone()], &empty()).unwrap_err();
    assert!(matches!(refused, Refusal::NotSigned(CheckpointError::NotForWitnesses { .. })));
}

#[test]
fn requests_that_are_not_exactly_right_are_refused() {
    let good = request(3, 1, 7).to_text();
    assert_eq!(AddCheckpoint::parse(good.as_bytes()).unwrap(), request(3, 1, 7));
    let parse = |text: String| AddCheckpoint::parse(text.as_bytes()).unwrap_err();
    for bad in ["old 03", "old -3", "old  3", "old 3 ", "old", "Old 3", "old 18446744073709551616"]
    {
        assert_eq!(parse(good.replacen("old 3", bad, 1)), RequestError::OldSize, "{bad}");
    }
    assert_eq!(parse(String::new()), RequestError::OldSize);
    assert_eq!(parse("old 3".to_owned()), RequestError::OldSize);
    assert_eq!(parse("old 3\n".to_owned()), RequestError::Hash { number: 1 });
    let first = good.lines().nth(1).unwrap();
    for bad in ["AQ==", &first[1..], &first.replace('=', ""), &format!("{first} ")] {
        let refused = parse(good.replacen(first, bad, 1));
        assert_eq!(refused, RequestError::Hash { number: 1 }, "{bad}");
    }
    assert!(matches!(parse(good.replacen("\n\n", "\n", 1)), RequestError::Hash { .. }));
    assert!(matches!(parse(good.replacen("\n\n", "\n\n\n", 1)), RequestError::Checkpoint(_)));
    assert!(matches!(parse(good[..good.len() - 1].to_owned()), RequestError::Checkpoint(_)));
    assert!(matches!(parse(good.clone() + "\n"), RequestError::Checkpoint(_)));
    let hashes = |count| good.replacen(first, &vec![first; count].join("\n"), 1);
    let has = request(3, 1, 7).proof().len() - 1;
    assert!(AddCheckpoint::parse(hashes(PROOF_HASHES_MAX - has).as_bytes()).is_ok());
    assert_eq!(parse(hashes(PROOF_HASHES_MAX + 1 - has)), RequestError::TooManyHashes);
    let long = good.clone() + &"x".repeat(REQUEST_LEN_MAX);
    assert_eq!(parse(long.clone()), RequestError::TooLong { found: long.len() });
    let proof = vec![leaf(1, 1); PROOF_HASHES_MAX + 1];
    let checkpoint = signed_by(&log_key(1), head(1, 3));
    let refused = AddCheckpoint::new(TreeSize::ZERO, proof, checkpoint);
    assert_eq!(refused, Err(RequestError::TooManyHashes));
}

#[test]
fn the_example_of_the_specification_is_read() {
    let text = "old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

\u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q\
1gGzGku9nTo+zyWE+xeMcTOAYQ8=
\u{2014} example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V626\
7UEjw6QUXTS5Rovnzv++qbSzm9Q=
";
    let request = AddCheckpoint::parse(text.as_bytes()).unwrap();
    assert_eq!((request.old_size(), request.proof().len()), (TreeSize::new(20_852_014), 4));
    assert_eq!(request.to_text(), text);
}

/// A witness with a memory.
struct Remembering {
    noted: TreeHead,
    /// Root by size of all that it cosigned.
    cosigned: std::collections::BTreeMap<u64, Hash>,
}

proptest! {
    /// Whatever it is sent, and whether or not the sender follows its answers: all that
    /// a witness cosigns is one history, and sizes do not go down.
    #[test]
    fn a_witness_cosigns_one_history_only(
        sent in prop::collection::vec((0u64..12, 1u8..3, 0u64..12, any::<bool>()), 1..30),
    ) {
        let mut witness = Remembering { noted: empty(), cosigned: Default::default() };
        for (old, history, size, follow) in sent {
            let old = if follow { witness.noted.size.get() } else { old };
            let request = request(old, history, size);
            if let Ok(accepted) = check(&request, &keys(), &witness.noted) {
                prop_assert!(accepted.head().size >= witness.noted.size);
                witness.noted = accepted.head();
                witness.cosigned.insert(size, accepted.head().root);
            } else {
                // An honest log that follows is never refused, if it is not behind.
                let honest = witness.noted == head(history, witness.noted.size.get());
                prop_assert!(!(follow && honest && size >= old));
            }
        }
        let one = (1..3).any(|history| {
            witness.cosigned.iter().all(|(size, root)| head(history, *size).root == *root)
        });
        prop_assert!(one);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic_and_a_request_writes_itself(
        text in "old [0-9]{1,3}\n([A-Za-z0-9+/]{43}=\n){0,2}\no\n1\n[A-Za-z0-9+/]{43}=\n\n\u{2014} o [A-Za-z0-9+/]{8}\n",
        bytes: Vec<u8>,
    ) {
        for input in [text.as_bytes(), &bytes] {
            if let Ok(request) = AddCheckpoint::parse(input) {
                prop_assert_eq!(request.to_text().into_bytes(), input);
            }
        }
    }
}
