//! [`IdField`]: identifiers that are looked for by their fingerprints.

use crate::format::index_header;
use crate::hash;

/// Which identifier of an event is looked for by its fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdField {
    /// The event's own.
    Event,
    /// That of the request.
    Request,
    /// That of the operation.
    Correlation,
    /// That of the distributed trace.
    Trace,
}

const TAG_FINGERPRINT: &[u8] = b"bulla/index-fingerprint/v1\0";

/// The fingerprint of an identifier: the first 8 bytes of its BLAKE3 under a tag of its own.
pub fn fingerprint(which: IdField, id: &[u8]) -> u64 {
    let digest = hash::tagged(TAG_FINGERPRINT, &[&[which.code()], id]);
    let [a, b, c, d, e, f, g, h, ..] = *digest.as_bytes();
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

impl IdField {
    /// All of them, in the order of their codes.
    pub const ALL: [IdField; index_header::IDS] =
        [IdField::Event, IdField::Request, IdField::Correlation, IdField::Trace];

    /// The code: 1 event, 2 request, 3 correlation, 4 trace.
    pub const fn code(self) -> u8 {
        match self {
            IdField::Event => 1,
            IdField::Request => 2,
            IdField::Correlation => 3,
            IdField::Trace => 4,
        }
    }
}
