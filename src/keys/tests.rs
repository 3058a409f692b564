use super::*;
use crate::checkpoint::{
    Checkpoint, Note, NoteSigner, SignatureKind, SigningKey, UnverifiedCheckpoint, VerifyingKey,
};
use crate::hash::Hash;
use crate::merkle::TreeHead;
use crate::seq::TreeSize;

const ORIGIN: &str = "example.com/audit";

fn key(seed: u8) -> SigningKey {
    SigningKey::new(ORIGIN, SignatureKind::Ed25519, &[seed; 32]).unwrap()
}

fn recovery(seed: u8) -> SigningKey {
    SigningKey::new(&recovery_name(ORIGIN), SignatureKind::Ed25519, &[seed; 32]).unwrap()
}

fn public(key: &SigningKey) -> VerifyingKey {
    key.verifying_key().clone()
}

/// A head whose root belongs to its size.
fn head(size: u64) -> TreeHead {
    TreeHead { size: TreeSize::new(size), root: Hash::from_bytes([size.to_le_bytes()[0]; 32]) }
}

fn statement(chain: &KeyChain, key: &SigningKey, size: u64, change: Change) -> Statement {
    Statement {
        origin: key.verifying_key().name().to_string(),
        number: chain.last().map_or(1, |last| last.number + 1),
        previous: chain.last().map_or(Hash::ZERO, Statement::digest),
        key: public(key),
        main: head(size),
        catalog: head(size / 2),
        change,
    }
}

fn push(chain: &mut KeyChain, statement: &Statement, signers: &[&SigningKey]) {
    let signers: Vec<&dyn NoteSigner> = signers.iter().map(|key| *key as _).collect();
    chain.push_note(statement.sign(&signers).unwrap().to_string().as_bytes()).unwrap();
}

fn rotate(chain: &mut KeyChain, old: &SigningKey, new: &SigningKey, size: u64) {
    let change = Change::Rotate { next: public(new) };
    push(chain, &statement(chain, old, size, change), &[old, new]);
}

/// 1 → 2 at 100 → 3 at 200, with recovery key 9 named by 2.
fn three() -> KeyChain {
    let mut chain = KeyChain::default();
    rotate(&mut chain, &key(1), &key(2), 100);
    let change = Change::Recovery { recovery: public(&recovery(9)) };
    let named = statement(&chain, &key(2), 150, change);
    push(&mut chain, &named, &[&key(2), &recovery(9)]);
    rotate(&mut chain, &key(2), &key(3), 200);
    chain
}

fn epochs(chain: &KeyChain, pinned: u8) -> Result<Epochs, KeyChainError> {
    chain.verify(&[public(&key(pinned))], None)
}

/// Whether the epochs accept this head under this key.
fn accepts(epochs: &Epochs, signer: &SigningKey, at: TreeHead) -> bool {
    let name = signer.verifying_key().name().as_str();
    let signed = Checkpoint::new(name, at).unwrap().sign(signer).unwrap();
    let read = UnverifiedCheckpoint::parse(signed.to_text().as_bytes()).unwrap();
    let keys: Vec<VerifyingKey> = epochs.keys().cloned().collect();
    read.verify(&keys).is_ok_and(|verified| epochs.check(&verified).is_ok())
}

#[test]
fn a_chain_reads_back_as_it_was_written() {
    let chain = three();
    let text = chain.to_text();
    assert_eq!(KeyChain::parse(text.as_bytes()), Ok(chain));
    assert_eq!(KeyChain::parse(b"bulla.dev/key-chain/v1\n"), Ok(KeyChain::default()));
    assert_eq!(KeyChain::default().to_text(), "bulla.dev/key-chain/v1\n");
}

#[test]
fn every_altered_byte_of_a_chain_is_refused() {
    let text = three().to_text();
    for at in 0..text.len() {
        for mask in [1, 0x20, 0x80] {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= mask;
            let read = KeyChain::parse(&bytes);
            // An altered name of a signature's key makes it a stranger's, whom all ignore:
            // then the owner's own signature is missing.
            let verified = read.and_then(|chain| epochs(&chain, 1));
            assert!(verified.is_err(), "byte {at} ^ {mask:#x}: {verified:?}");
        }
    }
    for cut in 0..text.len() {
        let read = KeyChain::parse(&text.as_bytes()[..cut]);
        let shorter = read.is_ok_and(|chain| three().joined(&chain) == Some(three()));
        assert!(shorter || KeyChain::parse(&text.as_bytes()[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn each_key_counts_for_the_sizes_of_its_epoch_only() {
    let epochs = epochs(&three(), 1).unwrap();
    assert_eq!(epochs.epochs().len(), 3);
    assert_eq!(epochs.current(), Some(&public(&key(3))));
    assert_eq!(epochs.recovery(), Some(&public(&recovery(9))));
    for (seed, fine, refused) in [
        (1, vec![0, 50, 100], vec![101, 200]),
        (2, vec![100, 101, 200], vec![0, 99, 201]),
        (3, vec![200, 201, 9_999], vec![100, 199]),
    ] {
        for size in fine.into_iter().filter(|&size| size > 0) {
            assert!(accepts(&epochs, &key(seed), head(size)), "key {seed}, size {size}");
        }
        for size in refused.into_iter().filter(|&size| size > 0) {
            assert!(!accepts(&epochs, &key(seed), head(size)), "key {seed}, size {size}");
        }
        // At a border only the head that the statement names counts.
        let other = TreeHead { root: Hash::from_bytes([0xee; 32]), ..head(200) };
        assert!(!accepts(&epochs, &key(seed), other), "key {seed}");
    }
}

#[test]
fn a_stranger_who_names_a_recovery_key_of_their_own_revokes_nothing() {
    // Statement 1 is by a key that the verifier never saw, and names a recovery key; 2 is
    // the "revocation" of the pinned key by it.
    let mut forged = KeyChain::default();
    let named =
        statement(&forged, &key(66), 0, Change::Recovery { recovery: public(&recovery(67)) });
    push(&mut forged, &named, &[&key(66), &recovery(67)]);
    let revoke = statement(&forged, &key(1), 0, Change::Revoke { next: public(&key(68)) });
    push(&mut forged, &revoke, &[&recovery(67), &key(68)]);
    assert_eq!(epochs(&forged, 1), Err(KeyChainError::NoRecoveryKey { number: 2 }));
    // Nor does the recovery key of another log.
    let other = SigningKey::new(&recovery_name("other"), SignatureKind::Ed25519, &[9; 32]).unwrap();
    let mut chain = KeyChain::default();
    let revoke = statement(&chain, &key(1), 5, Change::Revoke { next: public(&key(2)) });
    push(&mut chain, &revoke, &[&other, &key(2)]);
    let pinned = chain.verify(&[public(&key(1))], Some(&public(&other)));
    assert_eq!(pinned, Err(KeyChainError::NoRecoveryKey { number: 1 }));
}

#[test]
fn a_replaced_recovery_key_comes_back_as_nothing() {
    let mut chain = three();
    let change = Change::Recovery { recovery: public(&recovery(8)) };
    let replaced = statement(&chain, &key(3), 210, change);
    push(&mut chain, &replaced, &[&key(3), &recovery(8), &recovery(9)]);
    rotate(&mut chain, &key(3), &key(9), 220);
    assert_eq!(epochs(&chain, 1), Err(KeyChainError::KeyReused { number: 5 }));
}

#[test]
fn parts_of_one_chain_are_joined_and_others_are_not() {
    let chain = three();
    let part = |numbers: std::ops::Range<usize>| {
        let text = chain.to_text();
        let mut blocks: Vec<&str> = text.split("\n\n").collect();
        let tail: Vec<&str> = blocks.split_off(1);
        let kept = tail[2 * numbers.start..2 * numbers.end].join("\n\n");
        let kept = format!("bulla.dev/key-chain/v1\n\n{}\n", kept.trim_end());
        KeyChain::parse(kept.as_bytes()).unwrap()
    };
    for (one, other) in [(0..1, 1..3), (0..2, 1..3), (1..3, 0..2), (0..3, 1..2)] {
        assert_eq!(part(one.clone()).joined(&part(other.clone())), Some(chain.clone()));
    }
    assert_eq!(part(0..1).joined(&part(2..3)), None, "a gap");
    let mut fork = KeyChain::default();
    rotate(&mut fork, &key(1), &key(66), 90);
    assert_eq!(chain.joined(&fork), None);
}

#[test]
fn a_verifier_may_pin_any_key_of_the_chain() {
    let chain = three();
    assert_eq!(epochs(&chain, 2).unwrap().epochs().len(), 2);
    let last = epochs(&chain, 3).unwrap();
    assert_eq!(last.epochs().len(), 1);
    assert_eq!(last.epochs()[0].from(), Some(head(200)));
    assert_eq!(last.recovery(), Some(&public(&recovery(9))), "bound by the hashes");
    assert_eq!(epochs(&chain, 4), Err(KeyChainError::NotPinned));
    assert_eq!(epochs(&KeyChain::default(), 1), Err(KeyChainError::NotPinned));
}

#[test]
fn a_statement_that_not_all_signed_is_refused() {
    let change = || Change::Rotate { next: public(&key(2)) };
    for signers in [vec![key(1)], vec![key(2)], vec![key(3), key(2)]] {
        let mut chain = KeyChain::default();
        let first = statement(&chain, &key(1), 100, change());
        push(&mut chain, &first, &signers.iter().collect::<Vec<_>>());
        let refused = epochs(&chain, 1);
        assert!(matches!(refused, Err(KeyChainError::NotSigned { number: 1, .. })), "{refused:?}");
    }
}

#[test]
fn only_the_current_key_hands_over_and_no_key_comes_twice() {
    let mut chain = three();
    rotate(&mut chain, &key(2), &key(4), 300);
    assert!(matches!(epochs(&chain, 1), Err(KeyChainError::NotCurrent { number: 4, .. })));
    let mut chain = three();
    rotate(&mut chain, &key(3), &key(1), 300);
    assert_eq!(epochs(&chain, 1), Err(KeyChainError::KeyReused { number: 4 }));
    let mut chain = three();
    rotate(&mut chain, &key(3), &key(4), 199);
    assert_eq!(epochs(&chain, 1), Err(KeyChainError::Head { number: 4 }));
}

#[test]
fn the_recovery_key_ends_a_stolen_key_and_what_the_thief_made_of_it() {
    let mut chain = three();
    // The thief of key 3 hands over to a key of their own.
    rotate(&mut chain, &key(3), &key(66), 300);
    let change = || Change::Revoke { next: public(&key(4)) };
    let revoke = statement(&chain, &key(3), 250, change());
    let mut forged = chain.clone();
    push(&mut forged, &revoke, &[&key(66), &key(4)]);
    assert!(matches!(epochs(&forged, 1), Err(KeyChainError::NotSigned { number: 5, .. })));
    push(&mut chain, &revoke, &[&recovery(9), &key(4)]);
    let epochs = epochs(&chain, 1).unwrap();
    assert_eq!(epochs.current(), Some(&public(&key(4))));
    assert!(accepts(&epochs, &key(3), head(250)) && !accepts(&epochs, &key(3), head(251)));
    assert!(!accepts(&epochs, &key(66), head(300)));
    assert!(accepts(&epochs, &key(4), head(300)));
    assert_eq!(epochs.epochs()[2].ended().unwrap().how, ChangeKind::Revoke);
    // Not later than the epoch was closed.
    let mut late = three();
    rotate(&mut late, &key(3), &key(66), 300);
    let revoke = statement(&late, &key(3), 301, change());
    push(&mut late, &revoke, &[&recovery(9), &key(4)]);
    assert_eq!(super::tests::epochs(&late, 1), Err(KeyChainError::Head { number: 5 }));
}

#[test]
fn a_recovery_key_is_replaced_only_with_its_own_consent() {
    let change = || Change::Recovery { recovery: public(&recovery(8)) };
    let mut taken = three();
    let by_thief = statement(&taken, &key(3), 210, change());
    push(&mut taken, &by_thief, &[&key(3), &recovery(8)]);
    assert!(matches!(epochs(&taken, 1), Err(KeyChainError::NotSigned { number: 4, .. })));
    let mut agreed = three();
    push(&mut agreed, &by_thief, &[&key(3), &recovery(8), &recovery(9)]);
    assert_eq!(epochs(&agreed, 1).unwrap().recovery(), Some(&public(&recovery(8))));
    // Without one there is nothing that revokes.
    let mut none = KeyChain::default();
    let revoke = statement(&none, &key(1), 10, Change::Revoke { next: public(&key(2)) });
    push(&mut none, &revoke, &[&recovery(9), &key(2)]);
    assert_eq!(epochs(&none, 1), Err(KeyChainError::NoRecoveryKey { number: 1 }));
    let pinned = none.verify(&[public(&key(1))], Some(&public(&recovery(9))));
    assert_eq!(pinned.unwrap().current(), Some(&public(&key(2))));
}

#[test]
fn a_retired_origin_names_its_successor() {
    let mut chain = three();
    let next = SigningKey::new("example.com/audit-2", SignatureKind::Ed25519, &[7; 32]).unwrap();
    let change = Change::Retire { kept: head(220), next: public(&next) };
    let retire = statement(&chain, &key(3), 300, change);
    push(&mut chain, &retire, &[&key(3), &next]);
    let epochs = epochs(&chain, 1).unwrap();
    assert!(accepts(&epochs, &key(3), head(300)) && !accepts(&epochs, &key(3), head(301)));
    assert!(accepts(&epochs, &next, head(220)) && !accepts(&epochs, &next, head(219)));
}

#[test]
fn two_successors_of_one_key_are_evidence() {
    let (honest, mut stolen) = (three(), KeyChain::default());
    rotate(&mut stolen, &key(1), &key(66), 90);
    let evidence = honest.conflict_with(&stolen).unwrap();
    assert_eq!(evidence.key, public(&key(1)));
    for note in [&evidence.first, &evidence.second] {
        assert!(note.verify(&[public(&key(1))]).is_ok());
    }
    assert_eq!(honest.conflict_with(&three()), None);
    // What the key did not sign is no evidence against it.
    let mut slander = KeyChain::default();
    let change = Change::Rotate { next: public(&key(66)) };
    let made_up = statement(&slander, &key(1), 90, change);
    push(&mut slander, &made_up, &[&key(66)]);
    assert_eq!(honest.conflict_with(&slander), None);
}

#[test]
fn rules_that_hold_whoever_signs() {
    let chain = KeyChain::default();
    let other = SigningKey::new("other", SignatureKind::Ed25519, &[2; 32]).unwrap();
    let blake3 = SigningKey::new(ORIGIN, SignatureKind::Ed25519Blake3Head, &[2; 32]).unwrap();
    let same = key(1);
    for next in [&other, &blake3, &same] {
        let refused = statement(&chain, &key(1), 5, Change::Rotate { next: public(next) });
        assert!(matches!(refused.sign(&[&key(1)]), Err(StatementError::Rule { .. })));
    }
    let change = Change::Recovery { recovery: public(&key(2)) };
    assert!(statement(&chain, &key(1), 5, change).sign(&[&key(1)]).is_err());
    let change = Change::Retire { kept: head(6), next: public(&other) };
    assert!(statement(&chain, &key(1), 5, change).sign(&[&key(1)]).is_err());
}

#[test]
fn a_statement_is_never_a_checkpoint() {
    let change = Change::Rotate { next: public(&key(2)) };
    let note: Note =
        statement(&KeyChain::default(), &key(1), 5, change).sign(&[&key(1), &key(2)]).unwrap();
    assert!(UnverifiedCheckpoint::parse(note.to_string().as_bytes()).is_err());
}
