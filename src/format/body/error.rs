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
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyError {
    /// There are more bytes than such a body may have.
    TooLong {
        /// Which body.
        body: Body,
        /// Most bytes.
        max: usize,
        /// Bytes found, or at least so many.
        found: usize,
    },
    /// The bytes end within a field.
    CutShort {
        /// Which body.
        body: Body,
        /// Where the last whole piece ends.
        offset: usize,
        /// How many bytes more the next piece claims to have.
        missing: usize,
    },
    /// Bytes follow after the last field.
    Trailing {
        /// Which body.
        body: Body,
        /// Where the body ends.
        offset: usize,
        /// How many bytes follow.
        found: usize,
    },
    /// A field has a value that it must not have.
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
    NotCanonical {
        /// Which body.
        body: Body,
        /// Where the one spelling differs.
        offset: usize,
    },
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BodyError::TooLong { body, max, found } => {
                write!(f, "{body}: expected at most {max} bytes, found {found}")
            }
            BodyError::CutShort { body, offset, missing } => {
                write!(f, "{body}: expected {missing} bytes more at offset {offset}, found the end")
            }
            BodyError::Trailing { body, offset, found } => {
                write!(f, "{body}: expected the end at offset {offset}, found {found} bytes more")
            }
            BodyError::Unexpected { body, offset, expected, found } => {
                write!(f, "{body}: expected {expected} before offset {offset}, found {found}")
            }
            BodyError::NotCanonical { body, offset } => write!(
                f,
                "{body}: expected the shortest spelling of an integer at offset {offset}, found a \
                 longer one"
            ),
        }
    }
}

impl std::error::Error for BodyError {}
