//! Law: an `extra` container, a statement about the catalog and a catalog proof that parse are
//! written back as the same bytes; none of it shows anything under a key that signed nothing.
#![no_main]

use bulla::Trust;
use bulla::checkpoint::{SignatureKind, SigningKey};
use bulla::proof::{CatalogProof, CatalogStatement, Extra};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(extra) = Extra::parse(bytes) {
        assert_eq!(extra.to_bytes(), bytes);
    }
    if let Ok(statement) = CatalogStatement::parse(bytes) {
        assert_eq!(statement.to_bytes(), bytes);
    }
    let Ok(proof) = CatalogProof::parse(bytes) else { return };
    assert_eq!(proof.to_text().as_bytes(), bytes);
    let name = proof.checkpoint.dangerously_unverified().origin().to_owned();
    if let Ok(stranger) = SigningKey::new(&name, SignatureKind::Ed25519, &[7; 32]) {
        assert!(proof.verify(&Trust::in_keys([stranger.verifying_key().clone()])).is_err());
    }
});
