//! Cosignatures: what witnesses say of a checkpoint (c2sp.org/tlog-cosignature).
//!
//! ```text
//! signature = time in 8 bytes, big-endian ‖ 64 bytes of Ed25519 over
//!
//! cosignature/v1
//! time 1679315147                                 seconds since 1970
//! example.com/behind-the-sofa                     the note's text
//! 20852163
//! CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
//! ```
//!
//! Keys of other kinds of cosignature (ML-DSA-44, type 0x06) are unknown here, so what
//! they sign is ignored.

use super::key::{NoteSigner, SignError, SignatureKind, VerifyingKey};

/// "It MUST NOT exceed 2^63 - 1."
const SECONDS_MAX: u64 = i64::MAX as u64;
/// Length of the time in front of the signature.
const TIME_LEN: usize = 8;
/// Length of the Ed25519 signature behind it.
const SIGNATURE_LEN: usize = 64;

/// A witness says: at this time, this was the largest consistent head that I had seen
/// of this log. Its signature has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosignature {
    key: VerifyingKey,
    unix_seconds: u64,
}

impl Cosignature {
    /// The key of the witness.
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// When, by the clock of the witness: seconds since 1970, below 2⁶³.
    pub fn unix_seconds(&self) -> u64 {
        self.unix_seconds
    }

    /// Puts it among others, in which each witness appears once, with its earliest.
    pub(super) fn join(self, others: &mut Vec<Cosignature>) {
        match others.iter_mut().find(|other| other.key == self.key) {
            Some(other) => other.unix_seconds = other.unix_seconds.min(self.unix_seconds),
            None => others.push(self),
        }
    }
}

/// The cosignature in these bytes, if the key, which is that of a witness, made it
/// for this text.
pub(super) fn check(key: &VerifyingKey, text: &str, signature: &[u8]) -> Option<Cosignature> {
    let (time, signature) = signature.split_first_chunk::<TIME_LEN>()?;
    let unix_seconds = from_big_endian(*time);
    let good = unix_seconds <= SECONDS_MAX
        && key.signed(message(text, unix_seconds).as_bytes(), signature);
    good.then(|| Cosignature { key: key.clone(), unix_seconds })
}

/// The time in the bytes of a signature, if they have the form of a cosignature. Nobody has
/// checked it.
pub(super) fn claimed_time(signature: &[u8]) -> Option<u64> {
    let (time, signature) = signature.split_first_chunk::<TIME_LEN>()?;
    let unix_seconds = from_big_endian(*time);
    (signature.len() == SIGNATURE_LEN && unix_seconds <= SECONDS_MAX).then_some(unix_seconds)
}

/// The bytes of a cosignature of a text.
pub(super) fn sign(
    cosigner: &dyn NoteSigner,
    text: &str,
    unix_seconds: u64,
) -> Result<Vec<u8>, SignError> {
    let key = cosigner.verifying_key();
    if key.kind() != SignatureKind::Ed25519Cosignature {
        return Err(SignError(format!("{} is not the key of a witness", key.name())));
    }
    if unix_seconds > SECONDS_MAX {
        return Err(SignError(format!("{unix_seconds} seconds since 1970 is not a time")));
    }
    let signature = key.signed_by(cosigner, message(text, unix_seconds).as_bytes())?;
    Ok([&big_endian(unix_seconds)[..], &signature[..]].concat())
}

/// What the Ed25519 signature covers.
fn message(text: &str, unix_seconds: u64) -> String {
    format!("cosignature/v1\ntime {unix_seconds}\n{text}")
}

/// Alone among our formats this one is big-endian: it is not ours.
#[allow(clippy::big_endian_bytes)]
fn big_endian(unix_seconds: u64) -> [u8; TIME_LEN] {
    unix_seconds.to_be_bytes()
}

#[allow(clippy::big_endian_bytes)]
fn from_big_endian(bytes: [u8; TIME_LEN]) -> u64 {
    u64::from_be_bytes(bytes)
}
