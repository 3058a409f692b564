//! Signed notes and keys.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};

use super::hashes::{Algorithm, sha256};

const BLAKE3_TYPE: &[u8] = b"\xffbulla.dev/ed25519-blake3-head/v1";
const BLAKE3_CONTEXT: &[u8] = b"bulla.dev/ed25519-blake3-head/v1\0";

pub(crate) fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

pub(crate) fn from_base64(text: &str) -> Vec<u8> {
    BASE64_STANDARD.decode(text).unwrap()
}

/// A key whose secret is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) name: String,
    /// Of the tree whose heads it signs.
    pub(crate) algorithm: Algorithm,
    pub(crate) seed: [u8; 32],
}

impl Key {
    pub(crate) fn new(name: &str, algorithm: Algorithm, seed: u8) -> Self {
        Key { name: name.to_owned(), algorithm, seed: [seed; 32] }
    }

    /// The same secret under the name by which early versions signed heads of the catalog of a
    /// BLAKE3 log.
    pub(crate) fn of_catalog(&self) -> Self {
        Key { name: format!("{}/catalog", self.name), algorithm: Algorithm::Sha256, ..*self }
    }

    fn secret(&self) -> SigningKey {
        SigningKey::from_bytes(&self.seed)
    }

    fn kind(&self) -> &'static [u8] {
        match self.algorithm {
            Algorithm::Sha256 => &[1],
            Algorithm::Blake3 => BLAKE3_TYPE,
        }
    }

    pub(crate) fn id(&self) -> [u8; 4] {
        let public = self.secret().verifying_key().to_bytes();
        let digest = sha256(&[self.name.as_bytes(), b"\n", self.kind(), &public]);
        [digest[0], digest[1], digest[2], digest[3]]
    }

    pub(crate) fn vkey(&self) -> String {
        self.line(&self.secret().verifying_key().to_bytes())
    }

    /// The same secret as the key of a witness (c2sp.org/tlog-cosignature).
    pub(crate) fn cosigner_vkey(&self) -> String {
        let public = self.secret().verifying_key().to_bytes();
        let digest = sha256(&[self.name.as_bytes(), b"\n", &[4], &public]);
        let id: String = digest[..4].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}+{id}+{}", self.name, base64(&[&[4][..], &public].concat()))
    }

    /// The line of a cosignature under this text.
    pub(crate) fn cosignature(&self, text: &str) -> String {
        let public = self.secret().verifying_key().to_bytes();
        let id = &sha256(&[self.name.as_bytes(), b"\n", &[4], &public])[..4];
        let time = 1_767_225_600_u64;
        let mut big_endian = time.to_le_bytes();
        big_endian.reverse();
        let signed = format!("cosignature/v1\ntime {time}\n{text}");
        let signature = self.secret().sign(signed.as_bytes()).to_bytes();
        format!("— {} {}\n", self.name, base64(&[id, &big_endian, &signature].concat()))
    }

    /// What a key file holds.
    pub(crate) fn secret_text(&self) -> String {
        format!("PRIVATE+KEY+{}", self.line(&self.seed))
    }

    fn line(&self, bytes: &[u8]) -> String {
        let id: String = self.id().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}+{id}+{}", self.name, base64(&[self.kind(), bytes].concat()))
    }

    /// The line `— NAME BASE64` under this text.
    pub(crate) fn signature(&self, text: &str) -> String {
        let context = if self.algorithm == Algorithm::Blake3 { BLAKE3_CONTEXT } else { &[] };
        let signed = [context, text.as_bytes()].concat();
        let signature = self.secret().sign(&signed).to_bytes();
        format!("— {} {}\n", self.name, base64(&[&self.id()[..], &signature].concat()))
    }
}

/// A note by these keys; `text` ends in a newline.
pub(crate) fn sign(text: &str, keys: &[&Key]) -> String {
    let lines: String = keys.iter().map(|key| key.signature(text)).collect();
    format!("{text}\n{lines}")
}

/// Changes the text of a note, and signs it by those of these keys that had signed it. One
/// whose text stays is left as it is, with the signatures of others.
pub(crate) fn resign(note: &str, keys: &[Key], change: impl FnOnce(&str) -> String) -> String {
    let (text, lines) = note.split_at(note.rfind("\n\n").unwrap() + 1);
    let changed = change(text);
    if changed == text {
        return note.to_owned();
    }
    let signed_by = |key: &&Key| {
        lines
            .lines()
            .filter_map(|line| line.strip_prefix(&format!("— {} ", key.name)))
            .any(|signature| from_base64(signature)[..4] == key.id())
    };
    sign(&changed, &keys.iter().filter(signed_by).collect::<Vec<_>>())
}
