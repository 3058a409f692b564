//! Law: a request that parses is written back as the same bytes, and a witness that does
//! not know the log's key never accepts it.
#![no_main]

use bulla::checkpoint::{SignatureKind, SigningKey};
use bulla::witness::{AddCheckpoint, check};
use bulla::{HashAlgorithm, TreeHead};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(request) = AddCheckpoint::parse(bytes) else { return };
    assert_eq!(request.to_text().as_bytes(), bytes);
    let origin = request.checkpoint().dangerously_unverified().origin();
    let noted = TreeHead::empty(HashAlgorithm::Sha256);
    let Ok(key) = SigningKey::new(origin, SignatureKind::Ed25519, &[7; 32]) else { return };
    let refused = check(&request, &[key.verifying_key().clone()], &noted);
    assert!(matches!(refused.map_err(|refusal| refusal.status()), Err(403)));
});
