//! Encryption of payloads, of key store entries and of a vault's tokens, and aliases: pure
//! functions of keys that are given. The only home of the cipher (XChaCha20-Poly1305).
//!
//! Nonces are 192 random bits, so that none needs to be counted: any number of records
//! may be encrypted with one key.

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::format::LogId;
use crate::format::encrypted::{self, EncryptedPayload, KeyId, NONCE_LEN, TAG_LEN};
use crate::format::key_store::{Entry, SubjectKeys};
use crate::format::record::{self, Digests};
use crate::hash::{Hash, keyed, tag, tagged};

/// How aliases begin.
pub const ALIAS_PREFIX: &str = "alias:";
/// Bytes of the keyed hash in an alias.
const ALIAS_LEN: usize = 20;

/// Why something does not decrypt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDecrypted {
    /// The key, the ciphertext or what it belongs to is another one.
    #[error("a ciphertext that its key does not authenticate")]
    Authentication,
    /// It decrypts, and to something else than the record commits to.
    #[error("a payload that is not the one committed to")]
    Commitment,
}

/// Which identifier an alias stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identifier {
    /// `actor.id`.
    Actor,
    /// `resource.id`.
    Resource,
}

/// The alias of an identifier of this type: the same for as long as the subject's keys
/// are the same, and tied to nothing once they are gone.
pub fn alias(alias_key: &[u8; 32], which: Identifier, kind: &str, id: &str) -> String {
    let which = match which {
        Identifier::Actor => 1,
        Identifier::Resource => 2,
    };
    let kind_len = u32::try_from(kind.len()).unwrap_or(u32::MAX).to_le_bytes();
    let parts: [&[u8]; 4] = [&[which], &kind_len, kind.as_bytes(), id.as_bytes()];
    let digest = keyed(alias_key, tag::ALIAS, &parts).to_string();
    let digits = digest.get(..2 * ALIAS_LEN).unwrap_or(&digest);
    format!("{ALIAS_PREFIX}{digits}")
}

/// What ties a ciphertext to the record it belongs to.
fn belongs_to(log_id: LogId, envelope: &[u8]) -> [u8; 48] {
    let mut data = [0; 48];
    let (id, digest) = data.split_at_mut(16);
    id.copy_from_slice(&log_id.0);
    digest.copy_from_slice(tagged(tag::ENCRYPTED_FOR, &[envelope]).as_bytes());
    data
}

/// Encrypts the salt and payload that stand at the end of `bodies`, behind an envelope of
/// `envelope_len` bytes that begins at `at`, in place. Gives what the leaf covers; `None`
/// if the cipher refuses (no plaintext of a valid length makes it do so).
pub fn encrypt_payload(
    keys: &SubjectKeys,
    log_id: LogId,
    nonce: &[u8; NONCE_LEN],
    bodies: &mut Vec<u8>,
    (at, envelope_len): (usize, usize),
) -> Option<Digests> {
    let start = at + envelope_len;
    let salted = bodies.get(start..)?;
    let commitment = record::payload_commitment(salted);
    let data = belongs_to(log_id, bodies.get(at..start)?);
    let plain_len = salted.len();
    let front = encrypted::front(&commitment, keys.key_id, nonce);
    bodies.resize(start + front.len() + plain_len + TAG_LEN, 0);
    bodies.copy_within(start..start + plain_len, start + front.len());
    let (written, rest) = bodies.get_mut(start..)?.split_at_mut(front.len());
    written.copy_from_slice(&front);
    let (text, tag) = rest.split_at_mut(plain_len);
    tag.copy_from_slice(&encrypt(&keys.payload_key, nonce, &data, text)?);
    EncryptedPayload::split(bodies.get(start..)?).map(|stored| stored.digests())
}

/// Decrypts a payload: its salt and payload, which are what the record commits to.
///
/// # Errors
/// They are not.
pub fn decrypt_payload(
    payload_key: &[u8; 32],
    log_id: LogId,
    envelope: &[u8],
    stored: &EncryptedPayload<'_>,
) -> Result<Zeroizing<Vec<u8>>, NotDecrypted> {
    let data = belongs_to(log_id, envelope);
    let salted = decrypt(payload_key, &stored.nonce, &data, stored.ciphertext, &stored.tag)?;
    match record::payload_commitment(&salted) == stored.commitment {
        true => Ok(salted),
        false => Err(NotDecrypted::Commitment),
    }
}

/// The key that encrypts the entries of a store, and the check that tells the wrapping
/// key from another one.
pub fn entries_key(wrapping_key: &[u8; 32], store_id: &[u8; 16]) -> (Zeroizing<[u8; 32]>, Hash) {
    let entries = keyed(wrapping_key, tag::KEY_STORE_ENTRIES, &[store_id]);
    let check = keyed(wrapping_key, tag::KEY_STORE_CHECK, &[store_id]);
    (Zeroizing::new(*entries.as_bytes()), check)
}

/// Appends the encrypted entry of a subject; `None` if the cipher refuses.
pub fn encrypt_entry(
    key: &[u8; 32],
    store_id: &[u8; 16],
    nonce: [u8; NONCE_LEN],
    keys: &SubjectKeys,
    out: &mut Vec<u8>,
) -> Option<()> {
    let mut text = keys.encode();
    let tag = encrypt(key, &nonce, store_id, text.as_mut_slice())?;
    Entry { nonce, ciphertext: &text, tag }.append_to(out);
    Some(())
}

/// Decrypts the entry of a subject; `None` if it is not one of this store.
pub fn decrypt_entry(
    key: &[u8; 32],
    store_id: &[u8; 16],
    entry: &Entry<'_>,
) -> Option<SubjectKeys> {
    let text = decrypt(key, &entry.nonce, store_id, entry.ciphertext, &entry.tag).ok()?;
    SubjectKeys::decode(&text)
}

/// Encrypts a text in place, and gives the tag that authenticates it and `data`; `None` if the
/// cipher refuses.
pub fn encrypt(
    key: &[u8; 32],
    nonce: &[u8; NONCE_LEN],
    data: &[u8],
    text: &mut [u8],
) -> Option<[u8; TAG_LEN]> {
    let cipher = XChaCha20Poly1305::new(&(*key).into());
    let tag = cipher.encrypt_inout_detached(&XNonce::from(*nonce), data, text.into());
    tag.ok().map(Into::into)
}

/// The text that was encrypted with this key, nonce and `data`.
///
/// # Errors
/// It was not.
pub fn decrypt(
    key: &[u8; 32],
    nonce: &[u8; NONCE_LEN],
    data: &[u8],
    ciphertext: &[u8],
    tag: &[u8; TAG_LEN],
) -> Result<Zeroizing<Vec<u8>>, NotDecrypted> {
    let mut text = Zeroizing::new(ciphertext.to_vec());
    let cipher = XChaCha20Poly1305::new(&(*key).into());
    let (nonce, tag) = (XNonce::from(*nonce), (*tag).into());
    cipher
        .decrypt_inout_detached(&nonce, data, text.as_mut_slice().into(), &tag)
        .map_err(|_| NotDecrypted::Authentication)?;
    Ok(text)
}

/// Names a key that was drawn: nothing is encrypted under one name with two keys.
pub fn new_keys(
    subject: &str,
    random: &Zeroizing<[u8; 80]>,
    created_at: crate::time::Timestamp,
) -> SubjectKeys {
    let (mut key_id, mut payload_key, mut alias_key) = ([0; 16], [0; 32], [0; 32]);
    key_id.copy_from_slice(&random[..16]);
    payload_key.copy_from_slice(&random[16..48]);
    alias_key.copy_from_slice(&random[48..]);
    let (key_id, subject) = (KeyId(key_id), subject.to_owned());
    SubjectKeys { key_id, payload_key, alias_key, created_at, subject }
}

#[cfg(test)]
mod tests;
