//! The body of an anchor record.

use bincode::{BorrowDecode, Encode};

use super::error::{Body, BodyError};
use super::wire;
use crate::event::Anchor;
use crate::hash::Hash;
use crate::seq::TreeSize;

/// Longest body of an anchor: an integer and two digests.
pub const ANCHOR_LEN_MAX: usize = 9 + 2 * Hash::LEN;

#[derive(Encode, BorrowDecode)]
struct AnchorBody {
    catalog_size: u64,
    catalog_root: [u8; Hash::LEN],
    state_root: [u8; Hash::LEN],
}

/// Appends the body of an anchor to `out` and returns its length.
///
/// # Errors
/// None that can occur: an anchor always fits into [`ANCHOR_LEN_MAX`].
pub fn encode_anchor(anchor: &Anchor, out: &mut Vec<u8>) -> Result<usize, BodyError> {
    wire::append(Body::Anchor, ANCHOR_LEN_MAX, &AnchorBody::from(anchor), out)
}

/// Reads the body of an anchor: all of `bytes`.
///
/// # Errors
/// The bytes are not an anchor, or more than one.
pub fn decode_anchor(bytes: &[u8]) -> Result<Anchor, BodyError> {
    wire::decode(Body::Anchor, ANCHOR_LEN_MAX, bytes, ())
        .map(|body: AnchorBody| Anchor::from(&body))
}

/// Reads the body of an anchor and refuses integers written longer than necessary.
///
/// # Errors
/// The bytes are not the one spelling of an anchor.
pub fn decode_anchor_strict(bytes: &[u8]) -> Result<Anchor, BodyError> {
    let anchor = decode_anchor(bytes)?;
    wire::strict(Body::Anchor, bytes, AnchorBody::from(&anchor)).map(|_| anchor)
}

impl From<&Anchor> for AnchorBody {
    fn from(anchor: &Anchor) -> Self {
        AnchorBody {
            catalog_size: anchor.catalog_size.get(),
            catalog_root: *anchor.catalog_root.as_bytes(),
            state_root: *anchor.state_root.as_bytes(),
        }
    }
}

impl From<&AnchorBody> for Anchor {
    fn from(body: &AnchorBody) -> Self {
        Anchor {
            catalog_size: TreeSize::new(body.catalog_size),
            catalog_root: Hash::from_bytes(body.catalog_root),
            state_root: Hash::from_bytes(body.state_root),
        }
    }
}
