//! What is encrypted opens as what it was, for its own record, and as nothing else.

use proptest::prelude::*;

use super::*;
use crate::format::digests::SALT_LEN;
use crate::time::Timestamp;

fn keys(n: u8) -> SubjectKeys {
    let random = Zeroizing::new(std::array::from_fn(|at| n ^ u8::try_from(at).unwrap()));
    new_keys("user:alice", &random, Timestamp::from_nanos(1))
}

const LOG: LogId = LogId([7; 16]);
const ENVELOPE: &[u8] = b"envelope";

/// In front of it what stands in a frame; behind it the encrypted payload.
fn encrypted(salted: &[u8], nonce: [u8; NONCE_LEN]) -> (Vec<u8>, Digests) {
    let mut bodies = [b"before".as_slice(), ENVELOPE, salted].concat();
    let digests = encrypt_payload(&keys(1), LOG, &nonce, &mut bodies, (6, ENVELOPE.len())).unwrap();
    assert_eq!(&bodies[..6 + ENVELOPE.len()], [b"before".as_slice(), ENVELOPE].concat());
    (bodies.split_off(6 + ENVELOPE.len()), digests)
}

proptest! {
    #[test]
    fn a_payload_opens_as_what_it_was_and_nothing_else_opens(
        salted in prop::collection::vec(any::<u8>(), SALT_LEN..400),
        nonce in any::<[u8; NONCE_LEN]>(),
        flipped in any::<prop::sample::Index>(),
        bit in 0..8,
    ) {
        let (stored, digests) = encrypted(&salted, nonce);
        prop_assert_eq!(stored.len(), salted.len() + encrypted::OVERHEAD);
        let parts = EncryptedPayload::split(&stored).unwrap();
        prop_assert_eq!(parts.digests(), digests);
        prop_assert_eq!(digests.payload, record::payload_commitment(&salted));
        let key = &keys(1).payload_key;
        let opened = decrypt_payload(key, LOG, ENVELOPE, &parts).unwrap();
        prop_assert_eq!(&*opened, &salted);

        let refused = |key: &[u8; 32], log, envelope: &[u8]| {
            decrypt_payload(key, log, envelope, &parts).unwrap_err()
        };
        let other = NotDecrypted::Authentication;
        prop_assert_eq!(refused(&keys(2).payload_key, LOG, ENVELOPE), other);
        prop_assert_eq!(refused(key, LogId([8; 16]), ENVELOPE), other);
        prop_assert_eq!(refused(key, LOG, b"envelopes"), other);

        // All but the key's name, which says where to look, is authenticated or compared.
        let at = flipped.index(stored.len());
        let mut bad = stored.clone();
        bad[at] ^= 1_u8 << bit;
        let bad = EncryptedPayload::split(&bad).unwrap();
        prop_assert_ne!(bad.digests(), digests);
        let named = (32..48).contains(&at);
        prop_assert_eq!(decrypt_payload(key, LOG, ENVELOPE, &bad).is_ok(), named);
    }

    #[test]
    fn an_entry_opens_with_its_key_in_its_store(name in ".{1,40}", n in any::<u8>()) {
        let (key, check) = entries_key(&[n; 32], &[1; 16]);
        let random = Zeroizing::new([n; 80]);
        let given = new_keys(&name, &random, Timestamp::from_nanos(i64::from(n)));
        let mut bytes = Vec::new();
        encrypt_entry(&key, &[1; 16], [n; NONCE_LEN], &given, &mut bytes).unwrap();
        prop_assert!(!bytes.windows(name.len()).any(|part| part == name.as_bytes()) || name.len() < 4);
        let (entry, len) = Entry::take(&bytes).unwrap();
        prop_assert_eq!(len, bytes.len());
        prop_assert_eq!(decrypt_entry(&key, &[1; 16], &entry), Some(given));
        prop_assert_eq!(decrypt_entry(&key, &[2; 16], &entry), None);
        let (other_key, other_check) = entries_key(&[n ^ 1; 32], &[1; 16]);
        prop_assert_ne!(check, other_check);
        prop_assert_eq!(decrypt_entry(&other_key, &[1; 16], &entry), None);
    }
}

#[test]
fn two_keys_never_open_one_record_as_two_payloads() {
    // Somebody makes a ciphertext with another key under the same commitment: it decrypts,
    // and is not what was committed to.
    let (salted, other) = ([1; 40], [2; 40]);
    let (stored, _) = encrypted(&salted, [0; NONCE_LEN]);
    let (mut forged, _) = encrypted(&other, [0; NONCE_LEN]);
    forged[..32].copy_from_slice(&stored[..32]);
    let forged = EncryptedPayload::split(&forged).unwrap();
    let opened = decrypt_payload(&keys(1).payload_key, LOG, ENVELOPE, &forged);
    assert_eq!(opened, Err(NotDecrypted::Commitment));
}

#[test]
fn aliases_are_stable_and_tell_kinds_types_and_keys_apart() {
    let of = |n, which, kind, id| alias(&keys(n).alias_key, which, kind, id);
    let alice = of(1, Identifier::Actor, "user", "alice");
    assert_eq!(alice.len(), ALIAS_PREFIX.len() + 40);
    assert_eq!(alice, of(1, Identifier::Actor, "user", "alice"));
    let others = [
        of(2, Identifier::Actor, "user", "alice"),
        of(1, Identifier::Resource, "user", "alice"),
        of(1, Identifier::Actor, "use", "ralice"),
        of(1, Identifier::Actor, "user", "bob"),
    ];
    others.iter().for_each(|other| assert_ne!(*other, alice));
}
