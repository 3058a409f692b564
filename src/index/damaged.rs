//! [`Damaged`]: bytes of an index that are not what they must be.

/// The bytes of an index are not what they must be. It is derived, so the segment is scanned
/// instead, and the index made anew.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("offset {offset}: expected {expected}")]
pub struct Damaged {
    /// Where in the file.
    pub offset: u64,
    /// What should be there.
    pub expected: &'static str,
}
