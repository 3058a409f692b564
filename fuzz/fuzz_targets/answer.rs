//! Law: an answer that parses is written back as the same bytes, and so are its evidence and
//! its query; it proves nothing to somebody who trusts another key. Evidence alone, too.
#![no_main]

use bulla::Trust;
use bulla::checkpoint::{Note, SignatureKind, SigningKey};
use bulla::proof::{Answer, Evidence, IndexAudit};
use bulla::query::Query;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(query) = Query::from_bytes(bytes) {
        assert_eq!(query.to_bytes(), bytes);
    }
    if let Ok(evidence) = Evidence::parse(bytes) {
        assert_eq!(evidence.to_bytes(), bytes);
    }
    if let Ok(note) = Note::parse(bytes)
        && let Ok(audit) = IndexAudit::parse(&note)
    {
        assert_eq!(audit.to_text(), note.dangerously_unverified_text());
    }
    let Ok(answer) = Answer::parse(bytes) else { return };
    assert_eq!(answer.to_text().as_bytes(), bytes);
    let name = answer.bundle.checkpoint.dangerously_unverified().origin().to_owned();
    if let Ok(stranger) = SigningKey::new(&name, SignatureKind::Ed25519, &[7; 32]) {
        assert!(answer.verify(&Trust::in_keys([stranger.verifying_key().clone()])).is_err());
    }
});
