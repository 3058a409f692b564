//! Law: a proof of a vault that parses is written back as the same bytes, and proves nothing
//! to somebody who trusts another key.
#![no_main]

use bulla::Trust;
use bulla::checkpoint::{SignatureKind, SigningKey};
use bulla::proof::VaultProof;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(proof) = VaultProof::parse(bytes) else { return };
    assert_eq!(proof.to_text().as_bytes(), bytes);
    let name = proof.list.checkpoint.dangerously_unverified().origin().to_owned();
    if let Ok(stranger) = SigningKey::new(&name, SignatureKind::Ed25519, &[7; 32]) {
        assert!(proof.verify(&Trust::in_keys([stranger.verifying_key().clone()])).is_err());
    }
});
