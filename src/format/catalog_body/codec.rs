//! Values of catalog records as bytes: one spelling each.

use bincode::{BorrowDecode, Decode, Encode};

use crate::format::FormatError;

/// Largest snapshot body that is read, in bytes.
const MAX_SNAPSHOT: usize = 64 << 20;

pub(super) fn config() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<MAX_SNAPSHOT>()
}

pub(super) fn encode<T: Encode>(value: &T) -> Result<Vec<u8>, FormatError> {
    bincode::encode_to_vec(value, config())
        .map_err(|error| FormatError::mismatch("catalog body", "an encodable value", error))
}

/// Reads a value that owns no text and no list, so that nothing is allocated.
pub(super) fn decode<T: Decode<()> + Encode>(bytes: &[u8]) -> Result<T, FormatError> {
    whole(bincode::decode_from_slice(bytes, config()), bytes)
}

pub(super) fn borrow<'a, T: BorrowDecode<'a, ()> + Encode>(
    bytes: &'a [u8],
) -> Result<T, FormatError> {
    whole(bincode::borrow_decode_from_slice(bytes, config()), bytes)
}

/// A value must use all its bytes, and be spelt in the only way: what is hashed is what
/// is stored, so two spellings would be two records of one fact.
pub(super) fn whole<T: Encode>(
    decoded: Result<(T, usize), bincode::error::DecodeError>,
    bytes: &[u8],
) -> Result<T, FormatError> {
    let what = "catalog body";
    match decoded {
        Ok((value, used)) if used == bytes.len() => match encode(&value)? == bytes {
            true => Ok(value),
            false => Err(FormatError::mismatch(what, "the shortest integers", "longer ones")),
        },
        Ok((_, used)) => Err(FormatError::mismatch(what, format!("{used} bytes"), bytes.len())),
        Err(error) => Err(FormatError::mismatch(what, "its fields", error)),
    }
}
