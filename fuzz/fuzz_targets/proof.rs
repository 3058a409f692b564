//! Law: a proof that parses is written back as the same bytes, and proves nothing to
//! somebody who trusts another key.
#![no_main]

use bulla::TlogProof;
use bulla::checkpoint::{SignatureKind, SigningKey};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(proof) = TlogProof::parse(bytes) else { return };
    assert_eq!(TlogProof::parse(proof.to_text().as_bytes()).as_ref(), Ok(&proof));
    let name = proof.checkpoint.dangerously_unverified().origin().to_owned();
    if let Ok(stranger) = SigningKey::new(&name, SignatureKind::Ed25519, &[7; 32]) {
        assert!(
            proof
                .verify_record(&bulla::Trust::in_keys([stranger.verifying_key().clone()]))
                .is_err()
        );
    }
});
