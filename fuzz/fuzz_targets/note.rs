//! Law: a note that parses is written back as the same bytes, and a checkpoint in it never
//! verifies by a key that did not sign it.
#![no_main]

use bulla::UnverifiedCheckpoint;
use bulla::checkpoint::{Note, SignatureKind, SigningKey};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(note) = Note::parse(bytes) {
        assert_eq!(note.to_string().as_bytes(), bytes);
    }
    if let Ok(checkpoint) = UnverifiedCheckpoint::parse(bytes) {
        assert_eq!(checkpoint.to_text().as_bytes(), bytes);
        let name = checkpoint.dangerously_unverified().origin().to_owned();
        if let Ok(stranger) = SigningKey::new(&name, SignatureKind::Ed25519, &[7; 32]) {
            assert!(checkpoint.verify(&[stranger.verifying_key().clone()]).is_err());
        }
    }
});
