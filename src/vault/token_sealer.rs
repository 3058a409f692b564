//! Sealed tokens: what a tenant carries about and cannot look into.
//!
//! A token is nonce (24 bytes) ‖ ciphertext ‖ tag (16), by XChaCha20-Poly1305 under a secret
//! of the vault, bound to its purpose and its tenant. All tokens of one purpose are of one
//! length, and the same thing sealed twice gives two tokens, so they tell nothing apart.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::cipher;
use crate::format::encrypted::{NONCE_LEN, TAG_LEN};
use crate::random;

pub(super) const KEY_LEN: usize = 32;
/// What every token begins with in the additional data.
const DOMAIN: &[u8] = b"bulla/vault-token/v1\0";
/// The longest token that is looked at, in characters.
const TEXT_LEN_MAX: usize = 1024;

/// Seals tokens and opens them.
pub(super) struct TokenSealer {
    secret: Zeroizing<[u8; KEY_LEN]>,
}

impl TokenSealer {
    pub(super) fn new(secret: Zeroizing<[u8; KEY_LEN]>) -> Self {
        TokenSealer { secret }
    }

    /// A token of these bytes, in characters that may stand in a URL; `None` if the operating
    /// system gave no random bytes.
    pub(super) fn seal(&self, purpose: u8, tenant: &str, mut bytes: Vec<u8>) -> Option<String> {
        let mut nonce = [0; NONCE_LEN];
        random::fill(&mut nonce).ok()?;
        let bound = bound(purpose, tenant);
        let tag = cipher::encrypt(&self.secret, &nonce, &bound, &mut bytes)?;
        Some(URL_SAFE_NO_PAD.encode([&nonce, bytes.as_slice(), tag.as_slice()].concat()))
    }

    /// What was sealed for this purpose and this tenant; `None` for anything else.
    pub(super) fn open(&self, purpose: u8, tenant: &str, text: &str) -> Option<Vec<u8>> {
        if text.len() > TEXT_LEN_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, rest) = bytes.split_first_chunk::<NONCE_LEN>()?;
        let (sealed, tag) = rest.split_last_chunk::<TAG_LEN>()?;
        let bound = bound(purpose, tenant);
        let opened = cipher::decrypt(&self.secret, nonce, &bound, sealed, tag).ok()?;
        Some(opened.to_vec())
    }
}

fn bound(purpose: u8, tenant: &str) -> Vec<u8> {
    [DOMAIN, &[purpose], tenant.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_for_its_tenant_and_purpose_alone() {
        let opaque = TokenSealer::new(Zeroizing::new([7; KEY_LEN]));
        let token = opaque.seal(1, "acme", b"hidden".to_vec()).unwrap();
        assert_eq!(opaque.open(1, "acme", &token).as_deref(), Some(b"hidden".as_slice()));
        assert_eq!(opaque.open(2, "acme", &token), None);
        assert_eq!(opaque.open(1, "acm", &token), None);
        let other = TokenSealer::new(Zeroizing::new([8; KEY_LEN]));
        assert_eq!(other.open(1, "acme", &token), None);
        assert_ne!(opaque.seal(1, "acme", b"hidden".to_vec()).unwrap(), token);
    }

    #[test]
    fn no_changed_token_opens() {
        let opaque = TokenSealer::new(Zeroizing::new([7; KEY_LEN]));
        let token = opaque.seal(1, "acme", vec![0; 40]).unwrap();
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(opaque.open(1, "acme", &changed), None);
            assert_eq!(opaque.open(1, "acme", &token[..at]), None);
        }
        assert_eq!(opaque.open(1, "acme", &"A".repeat(100_000)), None);
    }
}
