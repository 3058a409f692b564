//! Keys that sign and verify notes, and their one-line texts.
//!
//! The texts are those of C2SP and of Go's sumdb/note, so that keys can be
//! exchanged with their tools:
//!
//! ```text
//! NAME+ID+base64(TYPE ‖ public key)                 a verifying key ("vkey")
//! PRIVATE+KEY+NAME+ID+base64(TYPE ‖ seed)           a signing key
//! ID = SHA-256(NAME ‖ 0x0A ‖ TYPE ‖ public key)[:4], in hexadecimal
//! ```

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::Signer as _;
use zeroize::Zeroizing;

use super::line;
use crate::hash::{HashAlgorithm, sha256};
#[cfg(feature = "engine")]
use crate::random;

const PRIVATE_PREFIX: &str = "PRIVATE+KEY+";
/// Type byte of Ed25519 note signatures (signed-note, "Signature types").
const TYPE_ED25519: &[u8] = &[0x01];
/// Type byte of Ed25519 cosignatures (tlog-cosignature, "Format").
const TYPE_COSIGNATURE: &[u8] = &[0x04];
/// 0xff, "reserved for signature types without an identifier byte assigned",
/// followed, as recommended there, by an identifier that cannot collide.
const TYPE_BLAKE3_HEAD: &[u8] = b"\xffbulla.dev/ed25519-blake3-head/v1";
/// Signed in front of the text by keys for BLAKE3 heads. No note contains a zero
/// byte, so a signature of one kind never passes for one of the other, even when
/// somebody uses the same Ed25519 key for both.
const BLAKE3_HEAD_CONTEXT: &[u8] = b"bulla.dev/ed25519-blake3-head/v1\0";

/// What a key signs, and how: part of the key's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SignatureKind {
    /// Ed25519 over the note text (C2SP signature type 0x01): heads of SHA-256
    /// trees, and notes in general.
    Ed25519,
    /// Ed25519 over a context and the note text: heads of BLAKE3 trees. A type of
    /// its own, so that no tool takes such a head for a SHA-256 one.
    Ed25519Blake3Head,
    /// Ed25519 over a time and the note text (cosignature/v1, C2SP signature type 0x04):
    /// what a witness says of a log's heads. Never a log's own signature.
    Ed25519Cosignature,
}

impl SignatureKind {
    const ALL: [SignatureKind; 3] = [
        SignatureKind::Ed25519,
        SignatureKind::Ed25519Blake3Head,
        SignatureKind::Ed25519Cosignature,
    ];

    /// The kind that signs heads of trees built with this hash.
    pub fn for_heads_of(algorithm: HashAlgorithm) -> Self {
        match algorithm {
            HashAlgorithm::Sha256 => SignatureKind::Ed25519,
            HashAlgorithm::Blake3 => SignatureKind::Ed25519Blake3Head,
        }
    }

    /// The hash of the trees whose heads this kind signs as the log; `None` for the
    /// kind of witnesses, which no log signs with.
    pub fn head_algorithm(self) -> Option<HashAlgorithm> {
        match self {
            SignatureKind::Ed25519 => Some(HashAlgorithm::Sha256),
            SignatureKind::Ed25519Blake3Head => Some(HashAlgorithm::Blake3),
            SignatureKind::Ed25519Cosignature => None,
        }
    }

    fn type_bytes(self) -> &'static [u8] {
        match self {
            SignatureKind::Ed25519 => TYPE_ED25519,
            SignatureKind::Ed25519Blake3Head => TYPE_BLAKE3_HEAD,
            SignatureKind::Ed25519Cosignature => TYPE_COSIGNATURE,
        }
    }

    /// Takes the type off the front of an encoded key.
    fn split_type(encoded: &[u8]) -> Result<(Self, &[u8]), KeyError> {
        Self::ALL
            .into_iter()
            .find_map(|kind| Some((kind, encoded.strip_prefix(kind.type_bytes())?)))
            .ok_or(KeyError::UnknownType { found: encoded.first().copied() })
    }

    /// The bytes that a signature of this kind without a time covers; `None` for the
    /// kind that has one.
    pub(super) fn message(self, text: &str) -> Option<Vec<u8>> {
        let context = match self {
            SignatureKind::Ed25519 => &[],
            SignatureKind::Ed25519Blake3Head => BLAKE3_HEAD_CONTEXT,
            SignatureKind::Ed25519Cosignature => return None,
        };
        Some([context, text.as_bytes()].concat())
    }
}

/// The name of a key: not empty, without Unicode spaces, plus signs and ASCII
/// control characters. By convention a URL without its scheme, which for a log
/// is also its origin: `example.com/audit`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyName(String);

impl KeyName {
    /// Checks a name.
    ///
    /// # Errors
    /// [`KeyError::Name`]
    pub fn new(name: &str) -> Result<Self, KeyError> {
        let allowed = |c: char| !c.is_whitespace() && c != '+' && c >= ' ';
        if name.is_empty() || !name.chars().all(allowed) {
            return Err(KeyError::Name { found: name.to_owned() });
        }
        Ok(KeyName(name.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The short identifier of a key, shown as eight hexadecimal digits. It tells keys
/// of one name apart; it is too short to be trusted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId([u8; KeyId::LEN]);

impl KeyId {
    /// Length in bytes.
    pub const LEN: usize = 4;

    pub(super) const fn from_bytes(bytes: [u8; KeyId::LEN]) -> Self {
        KeyId(bytes)
    }

    /// The bytes as they stand in front of a signature.
    pub const fn as_bytes(&self) -> &[u8; KeyId::LEN] {
        &self.0
    }

    /// Reads the eight lower-case digits that it is shown as.
    fn from_hex(text: &str) -> Option<Self> {
        let number = u32::from_str_radix(text, 16).ok()?;
        let [d, c, b, a] = number.to_le_bytes();
        Some(KeyId([a, b, c, d])).filter(|id| id.to_string() == text)
    }

    fn of(name: &KeyName, kind: SignatureKind, public: &[u8]) -> Self {
        let digest = sha256(&[name.0.as_bytes(), b"\n", kind.type_bytes(), public]);
        let [a, b, c, d, ..] = *digest.as_bytes();
        KeyId([a, b, c, d])
    }
}

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

/// A public key. Displays and parses as one line (a C2SP "vkey").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyingKey {
    name: KeyName,
    kind: SignatureKind,
    id: KeyId,
    key: ed25519_dalek::VerifyingKey,
}

impl VerifyingKey {
    fn new(name: KeyName, kind: SignatureKind, public: &[u8]) -> Result<Self, KeyError> {
        let bytes: &[u8; 32] = public
            .try_into()
            .map_err(|_| KeyError::KeyLength { expected: 32, found: public.len() })?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(bytes)
            .ok()
            // A key of small order "verifies" signatures that nobody made.
            .filter(|key| !key.is_weak())
            .ok_or(KeyError::NotAPoint)?;
        Ok(VerifyingKey { id: KeyId::of(&name, kind, public), name, kind, key })
    }

    /// The key's name; for a log's own key, the log's origin.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The key's short identifier.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Whether both are the public half of one secret, whatever their names and kinds.
    pub fn has_same_secret(&self, other: &VerifyingKey) -> bool {
        self.key == other.key
    }

    /// What the key signs.
    pub fn kind(&self) -> SignatureKind {
        self.kind
    }

    /// The Ed25519 signature of the bytes by the signer, whose key this must be.
    pub(super) fn signed_by(
        &self,
        signer: &dyn NoteSigner,
        message: &[u8],
    ) -> Result<[u8; 64], SignError> {
        let signature = signer.sign(message)?;
        if !self.signed(message, &signature) {
            let reason = format!("what the signer gave is not a signature by {}", self.name);
            return Err(SignError(reason));
        }
        Ok(signature)
    }

    /// Whether this key signed the bytes. Strict: a signature has one valid form, and
    /// keys and points of small order are refused (RFC 8032 with the cofactorless
    /// equation).
    pub(super) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        ed25519_dalek::Signature::from_slice(signature)
            .is_ok_and(|signature| self.key.verify_strict(message, &signature).is_ok())
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoded = [self.kind.type_bytes(), self.key.as_bytes()].concat();
        write!(f, "{}+{}+{}", self.name, self.id, line::to_base64(encoded))
    }
}

impl FromStr for VerifyingKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, id, encoded) = split_key_text(text)?;
        let (kind, public) = SignatureKind::split_type(&encoded)?;
        let key = VerifyingKey::new(name, kind, public)?;
        check_id(&key, id)?;
        Ok(key)
    }
}

/// A secret key. Its memory is wiped when it is dropped, and `Debug` shows no secret.
pub struct SigningKey {
    secret: ed25519_dalek::SigningKey,
    public: VerifyingKey,
}

impl SigningKey {
    /// A key from 32 bytes that must be random and secret.
    ///
    /// # Errors
    /// The name is not a key name.
    pub fn new(name: &str, kind: SignatureKind, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let secret = ed25519_dalek::SigningKey::from_bytes(seed);
        let public =
            VerifyingKey::new(KeyName::new(name)?, kind, secret.verifying_key().as_bytes())?;
        Ok(SigningKey { secret, public })
    }

    /// A new key from the operating system's random bytes.
    ///
    /// # Errors
    /// The name is not a key name, or there were no random bytes.
    #[cfg(feature = "engine")]
    pub fn generate(name: &str, kind: SignatureKind) -> Result<Self, KeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        random::fill(&mut *seed).map_err(KeyError::Random)?;
        SigningKey::new(name, kind, &seed)
    }

    /// Reads the line that [`SigningKey::to_secret_text`] writes (also Go's note keys).
    ///
    /// # Errors
    /// What is wrong with the text, without quoting it: it is secret.
    pub fn from_secret_text(text: &str) -> Result<Self, KeyError> {
        let rest = text.strip_prefix(PRIVATE_PREFIX).ok_or_else(|| not_private(text))?;
        // What stands in the wrong place may be the secret: do not quote it.
        let (name, id, encoded) = split_key_text(rest).map_err(|error| match error {
            KeyError::Name { .. } => KeyError::NotASigningKey,
            other => other,
        })?;
        let (kind, seed) = SignatureKind::split_type(&encoded)?;
        let seed: &[u8; 32] =
            seed.try_into().map_err(|_| KeyError::KeyLength { expected: 32, found: seed.len() })?;
        let key = SigningKey::new(name.as_str(), kind, seed)?;
        check_id(&key.public, id)?;
        Ok(key)
    }

    /// The secret key as one line, `PRIVATE+KEY+…`, to be kept in a file only its
    /// owner can read. The text wipes itself when it is dropped.
    pub fn to_secret_text(&self) -> Zeroizing<String> {
        let VerifyingKey { name, kind, id, .. } = &self.public;
        let encoded = Zeroizing::new([kind.type_bytes(), self.secret.as_bytes()].concat());
        let encoded = Zeroizing::new(line::to_base64(&*encoded));
        Zeroizing::new(format!("{PRIVATE_PREFIX}{name}+{id}+{}", *encoded))
    }

    /// The public half.
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.public
    }
}

/// Something that signs with an Ed25519 key it does not show: a [`SigningKey`], or a
/// caller's own, such as one in a hardware security module.
pub trait NoteSigner: Send + Sync {
    /// The public half.
    fn verifying_key(&self) -> &VerifyingKey;

    /// The Ed25519 signature (RFC 8032, pure) of these bytes, in 64 bytes. The caller
    /// checks it against the public half before it uses it.
    ///
    /// # Errors
    /// Why it could not sign.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError>;
}

impl NoteSigner for SigningKey {
    fn verifying_key(&self) -> &VerifyingKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        Ok(self.secret.sign(message).to_bytes())
    }
}

/// A signer could not sign, or what it gave is no signature of its key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not signed: {0}")]
pub struct SignError(pub String);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("public", &self.public).finish_non_exhaustive()
    }
}

/// NAME+ID+base64, where only the base64 may contain further plus signs.
fn split_key_text(text: &str) -> Result<(KeyName, KeyId, Zeroizing<Vec<u8>>), KeyError> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(KeyError::Shape);
    };
    let id = KeyId::from_hex(id).ok_or(KeyError::Shape)?;
    let encoded = line::base64(encoded).map(Zeroizing::new).ok_or(KeyError::Base64)?;
    Ok((KeyName::new(name)?, id, encoded))
}

fn check_id(key: &VerifyingKey, found: KeyId) -> Result<(), KeyError> {
    let expected = key.id;
    if expected == found { Ok(()) } else { Err(KeyError::IdMismatch { expected, found }) }
}

/// Why a text that does not begin like a private key is none. A verifying key is no secret.
fn not_private(text: &str) -> KeyError {
    match text.parse::<VerifyingKey>() {
        Ok(key) => KeyError::Public { key: Box::new(key) },
        Err(_) => KeyError::NotASigningKey,
    }
}

/// A key, or a key's text, is not usable. Never quotes secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not a key name.
    #[error(
        "expected a key name without spaces, plus signs and control characters, such as \
         example.com/audit, found {found:?}"
    )]
    Name {
        /// What was found.
        found: String,
    },
    /// Not of the form `NAME+ID+BASE64` with an identifier of eight lower-case
    /// hexadecimal digits.
    #[error("expected a key as NAME+ID+BASE64, with 8 lower-case hex digits as ID")]
    Shape,
    /// Not of the form `PRIVATE+KEY+NAME+ID+BASE64`.
    #[error("expected a signing key as PRIVATE+KEY+NAME+ID+BASE64")]
    NotASigningKey,
    /// A verifying key, where the private key was expected.
    #[error(
        "expected a private key, found the verifying key of {} (key id {}), which is public and \
         signs nothing: give the file of the private key, the one without .pub",
        .key.name(), .key.id()
    )]
    Public {
        /// The verifying key.
        key: Box<VerifyingKey>,
    },
    /// The last part is not base64.
    #[error("expected standard base64 as the last part of the key, found other characters")]
    Base64,
    /// A signature type that this version does not know.
    #[error("{}", unknown_type(.found))]
    UnknownType {
        /// The type's first byte, if there was one.
        found: Option<u8>,
    },
    /// The key itself has the wrong length.
    #[error("expected a key of {expected} bytes, found {found}")]
    KeyLength {
        /// Bytes expected.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
    /// The bytes are no Ed25519 public key, or one of the few that verify anything.
    #[error("expected a usable Ed25519 public key, found other bytes")]
    NotAPoint,
    /// The identifier does not belong to this name and key: the text was altered.
    #[error(
        "expected key id {expected} for this name and key, found {found}; the key's text was \
         altered or mistyped"
    )]
    IdMismatch {
        /// The identifier of the name and key.
        expected: KeyId,
        /// The one in the text.
        found: KeyId,
    },
    /// No random bytes for a new key.
    #[cfg(feature = "engine")]
    #[error(transparent)]
    Random(random::RandomError),
}

fn unknown_type(found: &Option<u8>) -> String {
    match found {
        Some(byte) => {
            format!(
                "expected a type of signatures that is known here, found {byte:#04x}: upgrade bulla"
            )
        }
        None => "expected the bytes of a key, found none".to_owned(),
    }
}
