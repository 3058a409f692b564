//! The erasure of a subject: its certificate, and what it sets in the state.

use bincode::{Decode, Encode};

use super::codec::{encode, whole};
use super::map::{Changes, StateMap};
use crate::format::FormatError;
use crate::format::encrypted::KeyId;

/// A subject's keys are about to be destroyed: what they encrypt is erased.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Erased {
    /// When, in nanoseconds since 1970.
    pub erased_at: i64,
    /// The keys, ascending; 1 to [`Erased::KEYS_MAX`].
    pub key_ids: Vec<[u8; 16]>,
    /// Records of the main log that were looked through.
    pub size: u64,
    /// Those of them that one of the keys encrypts.
    pub records: u64,
}

/// Longest body of [`Erased`]: its key ids, four numbers.
const ERASED_LEN_MAX: usize = 16 * Erased::KEYS_MAX + 4 * 9;

impl Erased {
    /// Most keys of one record.
    pub const KEYS_MAX: usize = 1024;

    /// Reads one, which allocates no more than the most keys take.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let expected = || format!("1 to {} key ids, ascending", Erased::KEYS_MAX);
        let limited = bincode::config::standard().with_limit::<ERASED_LEN_MAX>();
        let erased: Erased = whole(bincode::decode_from_slice(bytes, limited), bytes)?;
        let ascending = erased.key_ids.is_sorted_by(|one, next| one < next);
        match (1..=Erased::KEYS_MAX).contains(&erased.key_ids.len()) && ascending {
            true => Ok(erased),
            false => Err(FormatError::mismatch("erased", expected(), "others")),
        }
    }
}

/// What an erasure changes.
pub(super) fn erase(erased: &Erased) -> Result<Changes, FormatError> {
    let at = encode(&erased.erased_at)?;
    let keys = erased.key_ids.iter().map(|id| (erased_key(KeyId(*id)), Some(at.clone())));
    Ok(Changes(keys.collect()))
}

impl StateMap {
    /// The keys that were erased, and are never used again.
    pub fn erased_keys(&self) -> impl Iterator<Item = KeyId> + '_ {
        let erased = self.entries.range(ERASED.."erased0"); // '0' follows '/'
        erased.filter_map(|(key, _)| parse_key_id(key.strip_prefix(ERASED)?))
    }
}

/// How the entries of erased keys begin.
const ERASED: &str = "erased/";

fn erased_key(id: KeyId) -> String {
    format!("{ERASED}{id}")
}

/// A number in hexadecimal is written with its highest digits first.
#[allow(clippy::big_endian_bytes)]
fn parse_key_id(text: &str) -> Option<KeyId> {
    u128::from_str_radix(text, 16).ok().map(|number| KeyId(number.to_be_bytes()))
}
