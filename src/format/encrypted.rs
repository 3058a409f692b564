//! A payload that is stored encrypted: its parts, and what a leaf covers of it.
//!
//! Nothing here decrypts. Where the key is gone, the record, its leaf and its proofs stay
//! what they were.

use std::fmt;

use super::digests::{Digests, SALT_LEN};
use super::layout::encrypted_payload as e;
use crate::hash::{Hash, tag, tagged};

/// Length of the nonce in bytes.
pub const NONCE_LEN: usize = 24;
/// Length of the authentication tag in bytes.
pub const TAG_LEN: usize = 16;
/// How much longer an encrypted payload is than its salt and payload, in bytes.
pub const OVERHEAD: usize = e::LEN + TAG_LEN;

/// Names a subject's key in the key store: 16 random bytes, which tell nothing of the
/// subject. Displays as 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub [u8; 16]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// The parts of an encrypted payload, as they are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncryptedPayload<'a> {
    /// `C`: what the salted payload must hash to once it is decrypted.
    pub commitment: Hash,
    /// The key it was encrypted with.
    pub key_id: KeyId,
    /// The nonce it was encrypted with.
    pub nonce: [u8; NONCE_LEN],
    /// Salt and payload, encrypted.
    pub ciphertext: &'a [u8],
    /// Authenticates the ciphertext, and the record that it belongs to.
    pub tag: [u8; TAG_LEN],
    /// All that stands behind the commitment.
    behind: &'a [u8],
}

impl<'a> EncryptedPayload<'a> {
    /// Splits the stored bytes; `None` if there are too few for a salt.
    pub fn split(stored: &'a [u8]) -> Option<Self> {
        if stored.len() < OVERHEAD + SALT_LEN {
            return None;
        }
        let (front, rest) = stored.split_first_chunk::<{ e::LEN }>()?;
        let (ciphertext, tag) = rest.split_last_chunk::<TAG_LEN>()?;
        Some(EncryptedPayload {
            commitment: e::COMMITMENT.hash(front),
            key_id: KeyId(e::KEY_ID.array_16(front)),
            nonce: e::NONCE.bytes(front).try_into().ok()?,
            ciphertext,
            tag: *tag,
            behind: stored.get(Hash::LEN..)?,
        })
    }

    /// What the record's leaf covers: `C` as stored, and `D` computed.
    pub fn digests(&self) -> Digests {
        let encrypted = Some(tagged(tag::ENCRYPTED, &[self.behind]));
        Digests { payload: self.commitment, encrypted }
    }
}

/// The bytes in front of the ciphertext.
pub fn front(commitment: &Hash, key_id: KeyId, nonce: &[u8; NONCE_LEN]) -> [u8; e::LEN] {
    let mut buf = [0; e::LEN];
    e::COMMITMENT.set(&mut buf, commitment.as_bytes());
    e::KEY_ID.set(&mut buf, &key_id.0);
    e::NONCE.set(&mut buf, nonce);
    buf
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_those_that_were_put_together_and_all_count() {
        let (commitment, key_id) = (Hash::from_bytes([1; 32]), KeyId([2; 16]));
        let mut stored = front(&commitment, key_id, &[3; NONCE_LEN]).to_vec();
        stored.extend_from_slice(&[4; SALT_LEN + 5]);
        stored.extend_from_slice(&[5; TAG_LEN]);
        assert_eq!(stored.len(), OVERHEAD + SALT_LEN + 5);
        let parts = EncryptedPayload::split(&stored).unwrap();
        assert_eq!((parts.commitment, parts.key_id, parts.nonce), (commitment, key_id, [3; 24]));
        assert_eq!((parts.ciphertext, parts.tag), ([4; 21].as_slice(), [5; 16]));
        for at in 0..stored.len() {
            let mut other = stored.clone();
            other[at] ^= 1;
            let other = EncryptedPayload::split(&other).unwrap().digests();
            assert_ne!(other, parts.digests(), "byte {at}");
        }
        assert_eq!(EncryptedPayload::split(&stored[..OVERHEAD + SALT_LEN - 1]), None);
    }
}
