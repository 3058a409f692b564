mod policy;
mod rule;

use crate::checkpoint::{SignatureKind, SigningKey};

const ORIGIN: &str = "example.com/audit";

fn log_key(seed: u8) -> SigningKey {
    SigningKey::new(ORIGIN, SignatureKind::Ed25519, &[seed; 32]).unwrap()
}

fn witness_key(name: &str, seed: u8) -> SigningKey {
    SigningKey::new(name, SignatureKind::Ed25519Cosignature, &[seed; 32]).unwrap()
}
