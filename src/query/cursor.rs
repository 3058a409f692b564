//! [`Cursor`]: where a query goes on.
//!
//! A cursor needs no memory on the side of the log. Its text is base64url of
//! version (1 byte) ‖ order (1) ‖ next Seq (8, little-endian) ‖ fingerprint of the
//! filters (8) ‖ check over the bytes before it (3). The fingerprint is there so
//! that a cursor used with another question is an error, not a wrong answer; the
//! check, so that a mistyped one is. Neither is a secret.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::action::ActionGlob;
use super::filters::{Filters, IdFilter, Order, TimeRange};
use crate::hash;
use crate::seq::Seq;

const VERSION: u8 = 1;
const CHECKED_LEN: usize = 1 + 1 + 8 + 8;
const CHECK_LEN: usize = 3;
const LEN: usize = CHECKED_LEN + CHECK_LEN;
const TEXT_LEN: usize = LEN / 3 * 4;

const TAG_FILTERS: &[u8] = b"bulla/query-filters/v1\0";
const TAG_CHECK: &[u8] = b"bulla/cursor/v1\0";

/// Where a query goes on: an opaque token, made by [`Query::cursor_after`] and taken
/// by [`Query::after`].
///
/// [`Query::cursor_after`]: super::Query::cursor_after
/// [`Query::after`]: super::Query::after
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    order: Order,
    next: Seq,
    fingerprint: [u8; 8],
}

/// The cursor cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CursorError {
    /// The text is not a cursor.
    #[error(
        "expected a cursor, found another text: give all characters of it, as the query gave them"
    )]
    Malformed,
    /// The cursor is of a newer version.
    #[error("expected a cursor of version {VERSION}, found {found}: start the query again")]
    Unsupported {
        /// The version found.
        found: u8,
    },
    /// The cursor comes from a query in the other order.
    #[error("the cursor comes from a query in the other order: use it with the same order")]
    OtherOrder,
    /// The cursor comes from a query with other filters.
    #[error("the cursor comes from a query with other filters: use it with the same filters")]
    OtherQuery,
}

impl Cursor {
    pub(super) fn new(order: Order, next: Seq, fingerprint: [u8; 8]) -> Self {
        Cursor { order, next, fingerprint }
    }

    /// The first Seq to look at, if the cursor belongs to the query.
    pub(super) fn open(&self, order: Order, fingerprint: [u8; 8]) -> Result<Seq, CursorError> {
        if self.order != order {
            return Err(CursorError::OtherOrder);
        }
        if self.fingerprint != fingerprint {
            return Err(CursorError::OtherQuery);
        }
        Ok(self.next)
    }

    fn to_bytes(self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        bytes[0] = VERSION;
        bytes[1] = self.order.code();
        bytes[2..10].copy_from_slice(&self.next.get().to_le_bytes());
        bytes[10..18].copy_from_slice(&self.fingerprint);
        let check = check(&bytes[..CHECKED_LEN]);
        bytes[CHECKED_LEN..].copy_from_slice(&check);
        bytes
    }

    fn from_bytes(bytes: &[u8; LEN]) -> Result<Self, CursorError> {
        if check(&bytes[..CHECKED_LEN]) != bytes[CHECKED_LEN..] {
            return Err(CursorError::Malformed);
        }
        if bytes[0] != VERSION {
            return Err(CursorError::Unsupported { found: bytes[0] });
        }
        let order = Order::from_code(bytes[1]).ok_or(CursorError::Malformed)?;
        let (mut next, mut fingerprint) = ([0; 8], [0; 8]);
        next.copy_from_slice(&bytes[2..10]);
        fingerprint.copy_from_slice(&bytes[10..18]);
        Ok(Cursor { order, next: Seq::new(u64::from_le_bytes(next)), fingerprint })
    }
}

fn check(bytes: &[u8]) -> [u8; CHECK_LEN] {
    let digest = hash::tagged(TAG_CHECK, &[bytes]);
    let [a, b, c, ..] = *digest.as_bytes();
    [a, b, c]
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.to_bytes()))
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        if text.len() != TEXT_LEN {
            return Err(CursorError::Malformed);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError::Malformed)?;
        let bytes: &[u8; LEN] = bytes.as_slice().try_into().map_err(|_| CursorError::Malformed)?;
        Cursor::from_bytes(bytes)
    }
}

impl Order {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Order::NewestFirst => 0,
            Order::OldestFirst => 1,
        }
    }

    pub(crate) const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Order::NewestFirst),
            1 => Some(Order::OldestFirst),
            _ => None,
        }
    }
}

impl Filters {
    /// The same for filters that ask the same, whatever the order they were given in.
    pub(crate) fn fingerprint(&self) -> [u8; 8] {
        let mut spelling = Spelling::default();
        spelling.ids(&self.actors);
        spelling.ids(&self.resources);
        spelling.texts(self.tenants.iter().map(String::as_str));
        spelling.texts(self.actions.iter().map(ActionGlob::as_str));
        spelling.0.extend([self.outcomes, self.refused_outcomes, u8::from(self.system)]);
        spelling.texts(self.request_ids.iter().map(String::as_str));
        spelling.texts(self.correlation_ids.iter().map(String::as_str));
        spelling.list(self.event_ids.iter().map(|id| id.0.to_vec()));
        spelling.range(self.occurred);
        spelling.range(self.recorded);
        // As if there were no such filters where none is given: cursors of earlier versions hold.
        if !self.on_behalf_of.is_empty() || !self.trace_ids.is_empty() {
            spelling.ids(&self.on_behalf_of);
            spelling.list(self.trace_ids.iter().map(|id| id.as_bytes().to_vec()));
        }
        let digest = hash::tagged(TAG_FILTERS, &[&spelling.0]);
        let [a, b, c, d, e, f, g, h, ..] = *digest.as_bytes();
        [a, b, c, d, e, f, g, h]
    }
}

/// An unambiguous spelling of filters: every list and every value with its length.
#[derive(Default)]
struct Spelling(Vec<u8>);

impl Spelling {
    fn list(&mut self, values: impl Iterator<Item = Vec<u8>>) {
        let mut values: Vec<_> = values.collect();
        values.sort_unstable();
        values.dedup();
        self.length(values.len());
        for value in values {
            self.bytes(&value);
        }
    }

    fn texts<'a>(&mut self, texts: impl Iterator<Item = &'a str>) {
        self.list(texts.map(|text| text.as_bytes().to_vec()));
    }

    fn ids(&mut self, filters: &[IdFilter]) {
        self.list(filters.iter().map(|IdFilter { kind, id }| {
            let mut value = Spelling::default();
            value.list(kind.iter().map(|kind| kind.as_bytes().to_vec()));
            value.list(id.iter().map(|id| id.as_bytes().to_vec()));
            value.0
        }));
    }

    fn range(&mut self, range: TimeRange) {
        for end in [range.since, range.until] {
            self.list(end.iter().map(|time| time.as_nanos().to_le_bytes().to_vec()));
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    fn length(&mut self, length: usize) {
        self.0.extend_from_slice(&(length as u64).to_le_bytes());
    }
}
