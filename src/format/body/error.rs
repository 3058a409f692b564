//! What can be wrong with the bytes of a body.

use std::fmt;

/// Which body the bytes were to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// [`Envelope`](super::Envelope).
    Envelope,
    /// [`Payload`](super::Payload).
    Payload,
    /// [`Anchor`](crate::event::Anchor).
    Anchor,
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Body::Envelope => "envelope",
            Body::Payload => "payload",
            Body::Anchor => "anchor",
        })
    }
}

/// The bytes are not the body they should be. Offsets count from its first byte
/// and point behind the field that was being read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// There are more bytes than such a body may have.
    #[error("{body}: expected at most {max} bytes, found {found}")]
    TooLong {
        /// Which body.
        body: Body,
        /// Most bytes.
        max: usize,
        /// Bytes found, or at least so many.
        found: usize,
    },
    /// The bytes end within a field.
    #[error("{body}: expected {missing} bytes more at offset {offset}, found the end")]
    CutShort {
        /// Which body.
        body: Body,
        /// Where the last whole piece ends.
        offset: usize,
        /// How many bytes more the next piece claims to have.
        missing: usize,
    },
    /// Bytes follow after the last field.
    #[error("{body}: expected the end at offset {offset}, found {found} bytes more")]
    Trailing {
        /// Which body.
        body: Body,
        /// Where the body ends.
        offset: usize,
        /// How many bytes follow.
        found: usize,
    },
    /// A field has a value that it must not have.
    #[error("{body}: expected {expected} before offset {offset}, found {found}")]
    Unexpected {
        /// Which body.
        body: Body,
        /// Where the value ends.
        offset: usize,
        /// What must stand there.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// An integer is written in more bytes than it needs.
    #[error(
        "{body}: expected the shortest spelling of an integer at offset {offset}, found a longer \
         one"
    )]
    NotCanonical {
        /// Which body.
        body: Body,
        /// Where the one spelling differs.
        offset: usize,
    },
}
