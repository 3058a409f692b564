//! Law: what parses as a key chain writes itself again byte for byte, and is never believed
//! unless a pinned key signed it. The input is tried as it is, and as one statement that
//! the pinned keys really sign.
#![no_main]

use std::sync::LazyLock;

use bulla::checkpoint::{Note, SignatureKind, SigningKey};
use bulla::keys::{KeyChain, Statement};
use libfuzzer_sys::fuzz_target;

const ORIGIN: &str = "example.com/audit";

static KEYS: LazyLock<[SigningKey; 2]> = LazyLock::new(|| {
    [1, 2].map(|seed| SigningKey::new(ORIGIN, SignatureKind::Ed25519, &[seed; 32]).unwrap())
});

fuzz_target!(|bytes: &[u8]| {
    let pinned = [KEYS[0].verifying_key().clone()];
    if let Ok(chain) = KeyChain::parse(bytes) {
        assert_eq!(chain.to_text().as_bytes(), bytes);
        assert!(chain.verify(&pinned, None).is_err(), "nobody signed it");
        assert_eq!(chain.conflict_with(&chain), None);
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(note) = Note::sign(text, &[&KEYS[0], &KEYS[1]]) else { return };
    if let Ok(statement) = Statement::parse(&note) {
        assert_eq!(statement.to_text(), text);
        let mut chain = KeyChain::default();
        if chain.push_note(note.to_string().as_bytes()).is_ok() {
            assert_eq!(KeyChain::parse(chain.to_text().as_bytes()).unwrap(), chain);
            let _ = chain.verify(&pinned, None);
        }
    }
});
