//! The on-disk format: pure encoders and decoders, no files.
//!
//! `docs/format.md` is the contract; this module is its mirror. Decoders accept any
//! bytes and answer with a [`FormatError`] that says what was expected and found.

pub mod body;
pub mod catalog_body;
pub mod encrypted;
pub mod footer;
pub mod frame;
pub mod header;
pub mod index_header;
pub mod key_store;
pub mod layout;
pub mod lock;
pub mod mark;
pub mod record;

use std::fmt;

/// The format version this code writes, and the newest it reads.
pub const FORMAT_VERSION: u16 = 1;

/// The identity of a log: 16 random bytes drawn when it is created.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LogId(pub [u8; 16]);

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogId({self})")
    }
}

/// Which of a log's two streams a segment belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// The events.
    Main,
    /// The log's own log.
    Catalog,
}

impl Stream {
    /// The code in segment headers: 1 main, 2 catalog.
    pub const fn code(self) -> u8 {
        match self {
            Stream::Main => 1,
            Stream::Catalog => 2,
        }
    }

    /// The stream with this code.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Stream::Main),
            2 => Some(Stream::Catalog),
            _ => None,
        }
    }
}

/// Bytes that are not what the format says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// A field holds something else than it may.
    #[error("{what}: expected {expected}, found {found}")]
    Mismatch {
        /// The structure and field, e.g. `segment header: crc`.
        what: &'static str,
        /// What it may hold.
        expected: String,
        /// What it holds.
        found: String,
    },
    /// Written by a newer version of this crate, and otherwise intact.
    #[error("{what}: format version {found} is newer than any known here")]
    Newer {
        /// The structure, e.g. `segment header`.
        what: &'static str,
        /// The version found.
        found: u16,
    },
}

impl FormatError {
    pub(crate) fn mismatch(
        what: &'static str,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        FormatError::Mismatch { what, expected: expected.to_string(), found: found.to_string() }
    }
}

/// Checks magic, CRC and version of a structure that carries all three, in the
/// order that tells damage from a newer version: the CRC stands at the same place in
/// every version.
fn check_envelope(
    buf: &[u8],
    what: &'static str,
    magic: (layout::Field, &[u8]),
    version: layout::Field,
    crc: (layout::Field, u32),
) -> Result<(), FormatError> {
    check_versions(buf, what, magic, (version, FORMAT_VERSION), crc).map(|_| ())
}

/// The same of a structure that has had several versions; gives the one found.
fn check_versions(
    buf: &[u8],
    what: &'static str,
    magic: (layout::Field, &[u8]),
    (version, newest): (layout::Field, u16),
    crc: (layout::Field, u32),
) -> Result<u16, FormatError> {
    if magic.0.bytes(buf) != magic.1 {
        return Err(FormatError::mismatch(what, text(magic.1), text(magic.0.bytes(buf))));
    }
    let stored = crc.0.uint(buf);
    if stored != u64::from(crc.1) {
        let expected = format!("crc {:08x}", crc.1);
        return Err(FormatError::mismatch(what, expected, format!("{stored:08x}")));
    }
    let found = u16::try_from(version.uint(buf)).unwrap_or(u16::MAX);
    match found {
        1.. if found <= newest => Ok(found),
        0 => Err(FormatError::mismatch(what, "format version 1", 0)),
        _ => Err(FormatError::Newer { what, found }),
    }
}

fn text(bytes: &[u8]) -> String {
    format!("magic {:?}", String::from_utf8_lossy(bytes))
}
