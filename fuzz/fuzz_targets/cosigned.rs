//! Law: adding the signature lines that parse to a note changes neither its text nor the
//! lines it had; lines are written back as read; nobody's cosignature counts who did not
//! make it; and a right one counts, whatever stands around it.
#![no_main]

use bulla::checkpoint::{Checkpoint, NoteSignature, SignatureKind, SigningKey};
use bulla::hash::Hash;
use bulla::{TreeHead, TreeSize};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(lines) = NoteSignature::parse_lines(bytes) else { return };
    let written: String = lines.iter().map(|line| format!("{line}\n")).collect();
    assert_eq!(written.as_bytes(), bytes);
    let key = |name, kind, seed| SigningKey::new(name, kind, &[seed; 32]).unwrap();
    let log = key("example.com/audit", SignatureKind::Ed25519, 1);
    let witness = key("witness.example/w1", SignatureKind::Ed25519Cosignature, 2);
    let head = TreeHead { size: TreeSize::new(7), root: Hash::from_bytes([3; 32]) };
    let signed = Checkpoint::new("example.com/audit", head).unwrap().sign(&log).unwrap();
    let signed = signed.into_unverified();
    let Ok(with) = signed.with_signatures(&lines) else { return };
    assert!(with.to_text().starts_with(&signed.to_text()));
    let keys = [log.verifying_key().clone(), witness.verifying_key().clone()];
    if lines.iter().any(|line| line.id == keys[0].id() || line.id == keys[1].id()) {
        // A wrong line under a known name is refused; a right one cannot be guessed.
        if let Ok(verified) = with.verify(&keys) {
            assert!(verified.cosignatures().is_empty());
        }
        return;
    }
    let verified = with.verify(&keys).unwrap();
    assert!(verified.cosignatures().is_empty());
    let own = verified.cosign(&witness, 5).unwrap();
    if let Ok(cosigned) = with.with_signatures(&[own]) {
        assert_eq!(cosigned.verify(&keys).unwrap().cosignatures()[0].unix_seconds(), 5);
    }
});
