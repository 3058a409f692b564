//! [`VaultCursor`]: where a query over all logs goes on.
//!
//! A cursor needs no memory on the side of the vault. It is the place of the last record that
//! was given, in the order of all records of the vault: by `recorded_at`, then by the name of
//! the log, then by Seq. Its bytes are version (1 byte) ‖ order (1) ‖ `recorded_at` (8) ‖ Seq
//! (8) ‖ fingerprint of the vault and the filters (8) ‖ check over all other bytes (3) ‖ name.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::name;
use crate::format::LogId;
use crate::hash;
use crate::query::{CursorError, Order, Query};
use crate::seq::Seq;
use crate::time::Timestamp;

const VERSION: u8 = 1;
const FIXED_LEN: usize = 1 + 1 + 8 + 8 + 8 + 3;
/// The longest that the bytes of a cursor are.
pub(super) const LEN_MAX: usize = FIXED_LEN + name::NAME_LEN_MAX;

const TAG_CHECK: &[u8] = b"bulla/vault-cursor/v1\0";
const TAG_QUERY: &[u8] = b"bulla/vault-query/v1\0";

/// The place of a record among all records of a vault: the order is that of queries, oldest
/// first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) recorded_at: Timestamp,
    pub(super) log: Arc<str>,
    pub(super) seq: Seq,
}

/// Where a query over all logs goes on: an opaque token, made by
/// [`VaultMatches::cursor`](super::VaultMatches::cursor) and taken by
/// [`Vault::query_after`](super::Vault::query_after).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultCursor {
    order: Order,
    fingerprint: [u8; 8],
    pub(super) last: Place,
}

/// What a cursor is good for: this question, to this vault.
pub(super) fn fingerprint(vault: LogId, query: &Query) -> [u8; 8] {
    let digest = hash::tagged(TAG_QUERY, &[&vault.0, &query.filters.fingerprint()]);
    let [a, b, c, d, e, f, g, h, ..] = *digest.as_bytes();
    [a, b, c, d, e, f, g, h]
}

impl VaultCursor {
    pub(super) fn new(order: Order, fingerprint: [u8; 8], last: Place) -> Self {
        VaultCursor { order, fingerprint, last }
    }

    /// The last record that was given, if the cursor belongs to the query.
    pub(super) fn open(&self, order: Order, fingerprint: [u8; 8]) -> Result<&Place, CursorError> {
        if self.order != order {
            return Err(CursorError::OtherOrder);
        }
        if self.fingerprint != fingerprint {
            return Err(CursorError::OtherQuery);
        }
        Ok(&self.last)
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION, self.order.code()];
        bytes.extend_from_slice(&self.last.recorded_at.as_nanos().to_le_bytes());
        bytes.extend_from_slice(&self.last.seq.get().to_le_bytes());
        bytes.extend_from_slice(&self.fingerprint);
        let check = check(&bytes, &self.last.log);
        bytes.extend_from_slice(&check);
        bytes.extend_from_slice(self.last.log.as_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, CursorError> {
        let (fixed, log) = bytes.split_first_chunk::<FIXED_LEN>().ok_or(CursorError::Malformed)?;
        let log = std::str::from_utf8(log).map_err(|_| CursorError::Malformed)?;
        name::check(log).map_err(|_| CursorError::Malformed)?;
        let [version, order, rest @ ..] = *fixed;
        let (mut recorded_at, mut seq, mut fingerprint) = ([0; 8], [0; 8], [0; 8]);
        recorded_at.copy_from_slice(&rest[..8]);
        seq.copy_from_slice(&rest[8..16]);
        fingerprint.copy_from_slice(&rest[16..24]);
        if check(&fixed[..FIXED_LEN - 3], log) != rest[24..] {
            return Err(CursorError::Malformed);
        }
        if version != VERSION {
            return Err(CursorError::Unsupported { found: version });
        }
        let order = Order::from_code(order).ok_or(CursorError::Malformed)?;
        let last = Place {
            recorded_at: Timestamp::from_nanos(i64::from_le_bytes(recorded_at)),
            log: log.into(),
            seq: Seq::new(u64::from_le_bytes(seq)),
        };
        Ok(VaultCursor { order, fingerprint, last })
    }
}

fn check(bytes: &[u8], log: &str) -> [u8; 3] {
    let digest = hash::tagged(TAG_CHECK, &[bytes, log.as_bytes()]);
    let [a, b, c, ..] = *digest.as_bytes();
    [a, b, c]
}

impl fmt::Display for VaultCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.to_bytes()))
    }
}

impl FromStr for VaultCursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        if text.len() > 4 * LEN_MAX.div_ceil(3) {
            return Err(CursorError::Malformed);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError::Malformed)?;
        VaultCursor::from_bytes(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_round_trip_and_no_other_text_is_one() {
        let last = Place {
            recorded_at: Timestamp::from_nanos(-5),
            log: "main".into(),
            seq: Seq::new(u64::MAX),
        };
        let cursor = VaultCursor::new(Order::OldestFirst, [9; 8], last.clone());
        let text = cursor.to_string();
        assert_eq!(text.parse(), Ok(cursor.clone()));
        assert_eq!(cursor.open(Order::OldestFirst, [9; 8]), Ok(&last));
        assert_eq!(cursor.open(Order::NewestFirst, [9; 8]), Err(CursorError::OtherOrder));
        assert_eq!(cursor.open(Order::OldestFirst, [8; 8]), Err(CursorError::OtherQuery));
        for at in 0..text.len() {
            assert!(text[..at].parse::<VaultCursor>().is_err());
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(changed.parse::<VaultCursor>().is_err(), "{changed}");
        }
    }
}
