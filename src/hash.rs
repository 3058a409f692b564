//! Hashes: the 32-byte [`struct@Hash`], the two tree hashes, and the tagged digests.
//!
//! This is the only module that names `sha2` or `blake3`. Every kind of hash
//! input has a prefix of its own, so that no input of one kind can be mistaken
//! for one of another kind (RFC 6962 §2.1 for the tree, [`tag`] for the rest).

use std::fmt;
use std::str::FromStr;

use sha2::Digest as _;

/// Domain-separation tags of the BLAKE3 digests that are not tree hashes.
///
/// Each is the ASCII text hashed in front of the input, ending in a zero byte.
pub mod tag {
    /// `C`, the payload commitment: tag ‖ salt (16 bytes) ‖ payload.
    pub const PAYLOAD: &[u8] = b"bulla/payload/v1\0";
    /// `D`, the digest of an encrypted payload: tag ‖ key id ‖ nonce ‖ ciphertext.
    pub const ENCRYPTED: &[u8] = b"bulla/sealed/v1\0";
    /// The digest of the envelope that an encrypted payload belongs to.
    pub const ENCRYPTED_FOR: &[u8] = b"bulla/sealed-for/v1\0";
    /// Keyed with a subject's alias key: an alias of an identifier.
    pub const ALIAS: &[u8] = b"bulla/alias/v1\0";
    /// Keyed with a wrapping key: what tells it from another one.
    pub const KEY_STORE_CHECK: &[u8] = b"bulla/key-store-check/v1\0";
    /// Keyed with a wrapping key: the key of a key store's entries.
    pub const KEY_STORE_ENTRIES: &[u8] = b"bulla/key-store-entries/v1\0";
    /// The digest of a segment header, by which segments chain.
    pub const SEGMENT_HEADER: &[u8] = b"bulla/segment-header/v1\0";
    /// The digest of bytes that recovery set aside.
    pub const SET_ASIDE: &[u8] = b"bulla/set-aside/v1\0";
    /// The digest of a file in an archived folder.
    pub const ARCHIVE_FILE: &[u8] = b"bulla/archive-file/v1\0";
    /// The digest of an archived folder's manifest.
    pub const ARCHIVE_MANIFEST: &[u8] = b"bulla/archive-manifest/v1\0";
    /// The check inside an archived folder's manifest.
    pub const ARCHIVE_CHECK: &[u8] = b"bulla/archive-check/v1\0";
}

/// A 32-byte digest.
///
/// Displays and parses as 64 lower-case hexadecimal digits, and is ordered by its
/// bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash([u8; Hash::LEN]);

impl Hash {
    /// Length in bytes.
    pub const LEN: usize = 32;
    /// All zero bytes: stands for "no digest" where the format allows that.
    pub const ZERO: Hash = Hash([0; Hash::LEN]);

    /// Wraps 32 bytes.
    pub const fn from_bytes(bytes: [u8; Hash::LEN]) -> Self {
        Hash(bytes)
    }

    /// Reads a digest from a slice; `None` unless it is exactly 32 bytes long.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Hash)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; Hash::LEN] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

/// The text was not 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 hexadecimal digits, found {found_len} bytes that are not")]
pub struct ParseHashError {
    /// Number of bytes found, where 64 hexadecimal digits were expected.
    pub found_len: usize,
}

impl FromStr for Hash {
    type Err = ParseHashError;

    fn from_str(text: &str) -> Result<Self, ParseHashError> {
        let error = ParseHashError { found_len: text.len() };
        let digits = text.as_bytes();
        if digits.len() != 2 * Hash::LEN {
            return Err(error);
        }
        let mut bytes = [0; Hash::LEN];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let (Some(high), Some(low)) = (hex_value(pair[0]), hex_value(pair[1])) else {
                return Err(error);
            };
            *byte = high << 4 | low;
        }
        Ok(Hash(bytes))
    }
}

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// The hash of a log's main tree, chosen when the log is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum HashAlgorithm {
    /// SHA-256: what C2SP tools, witnesses and verifiers read (the default).
    #[default]
    Sha256,
    /// BLAKE3: faster where the processor has no SHA instructions.
    Blake3,
}

impl HashAlgorithm {
    /// The code written in headers: 1 for SHA-256, 2 for BLAKE3.
    pub const fn code(self) -> u8 {
        match self {
            HashAlgorithm::Sha256 => 1,
            HashAlgorithm::Blake3 => 2,
        }
    }

    /// The algorithm with this code, if there is one.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(HashAlgorithm::Sha256),
            2 => Some(HashAlgorithm::Blake3),
            _ => None,
        }
    }

    /// The name used on the command line: `sha256` or `blake3`.
    pub const fn name(self) -> &'static str {
        match self {
            HashAlgorithm::Sha256 => "sha256",
            HashAlgorithm::Blake3 => "blake3",
        }
    }

    /// Root of the empty tree: the hash of no bytes (RFC 6962 §2.1).
    pub fn empty_root(self) -> Hash {
        self.digest(&[])
    }

    /// Leaf hash: H(0x00 ‖ parts…) (RFC 6962 §2.1). The parts are hashed one
    /// after the other as if they were one slice.
    pub fn leaf(self, parts: &[&[u8]]) -> Hash {
        match self {
            HashAlgorithm::Sha256 => {
                let mut hasher = sha2::Sha256::new();
                hasher.update([0x00]);
                parts.iter().for_each(|part| hasher.update(part));
                Hash(hasher.finalize().into())
            }
            HashAlgorithm::Blake3 => {
                let mut hasher = blake3::Hasher::new();
                hasher.update(&[0x00]);
                parts.iter().for_each(|part| {
                    hasher.update(part);
                });
                Hash(hasher.finalize().into())
            }
        }
    }

    /// Interior node: H(0x01 ‖ left ‖ right) (RFC 6962 §2.1).
    pub fn node(self, left: &Hash, right: &Hash) -> Hash {
        let mut input = [0x01; 1 + 2 * Hash::LEN];
        input[1..33].copy_from_slice(&left.0);
        input[33..].copy_from_slice(&right.0);
        self.digest(&input)
    }

    fn digest(self, input: &[u8]) -> Hash {
        match self {
            HashAlgorithm::Sha256 => Hash(sha2::Sha256::digest(input).into()),
            HashAlgorithm::Blake3 => Hash(blake3::hash(input).into()),
        }
    }
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Plain SHA-256 of the parts, one after the other (key ids of C2SP signed notes).
pub fn sha256(parts: &[&[u8]]) -> Hash {
    let mut hasher = sha2::Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    Hash(hasher.finalize().into())
}

/// BLAKE3 of tag ‖ parts…; the tag is one of [`tag`].
pub fn tagged(tag: &[u8], parts: &[&[u8]]) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(tag);
    parts.iter().for_each(|part| {
        hasher.update(part);
    });
    Hash(hasher.finalize().into())
}

/// Keyed BLAKE3 of tag ‖ parts…; the tag is one of [`tag`].
pub fn keyed(key: &[u8; 32], tag: &[u8], parts: &[&[u8]]) -> Hash {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(tag);
    parts.iter().for_each(|part| {
        hasher.update(part);
    });
    Hash(hasher.finalize().into())
}

/// [`tagged`] of bytes that come in pieces.
#[derive(Clone, Debug)]
pub struct TaggedHasher(blake3::Hasher);

impl TaggedHasher {
    /// Begins with a tag, one of [`tag`].
    pub fn new(tag: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(tag);
        TaggedHasher(hasher)
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of tag and bytes so far.
    pub fn digest(&self) -> Hash {
        Hash(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_hash_as_their_concatenation() {
        let mut hasher = TaggedHasher::new(tag::ARCHIVE_FILE);
        hasher.update(b"ab");
        hasher.update(b"c");
        assert_eq!(hasher.digest(), tagged(tag::ARCHIVE_FILE, &[b"abc"]));
    }

    #[test]
    fn hash_round_trips_through_hex() {
        let hash = sha256(&[b"bulla"]);
        assert_eq!(hash.to_string().parse::<Hash>(), Ok(hash));
        assert!("zz".parse::<Hash>().is_err());
        assert!("g".repeat(64).parse::<Hash>().is_err());
    }

    #[test]
    fn empty_root_is_the_published_one() {
        assert_eq!(
            HashAlgorithm::Sha256.empty_root().to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(
            HashAlgorithm::Blake3.empty_root().to_string(),
            "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
        );
    }

    #[test]
    fn leaf_parts_hash_as_their_concatenation() {
        for algorithm in [HashAlgorithm::Sha256, HashAlgorithm::Blake3] {
            assert_eq!(algorithm.leaf(&[b"ab", b"c"]), algorithm.leaf(&[b"abc"]));
            assert_ne!(algorithm.leaf(&[b"abc"]), algorithm.digest(b"abc"));
        }
    }
}
