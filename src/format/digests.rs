//! What a leaf covers of a payload.

use crate::hash::{Hash, tag, tagged};

/// Length of the salt at the start of every payload.
pub const SALT_LEN: usize = 16;

/// `C`: the commitment to a salted payload (salt ‖ payload).
pub fn payload_commitment(salted_payload: &[u8]) -> Hash {
    tagged(tag::PAYLOAD, &[salted_payload])
}

/// What a leaf covers of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digests {
    /// `C`, see [`payload_commitment`].
    pub payload: Hash,
    /// `D`, of one that is stored encrypted; see [`EncryptedPayload`](super::encrypted::EncryptedPayload).
    pub encrypted: Option<Hash>,
}

impl Digests {
    /// Of a salted payload that is stored as it is.
    pub fn of_plain(salted_payload: &[u8]) -> Self {
        Digests { payload: payload_commitment(salted_payload), encrypted: None }
    }

    /// The bytes of `D`; none of a payload that is stored as it is.
    pub(super) fn encrypted_bytes(&self) -> &[u8] {
        self.encrypted.as_ref().map_or(&[], |digest| digest.as_bytes())
    }
}
