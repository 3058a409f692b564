//! The on-disk format: pure encoders and decoders, no files.
//!
//! `docs/format.md` is the contract; this module is its mirror. Decoders accept any
//! bytes and answer with a [`FormatError`] that says what was expected and found.

pub mod body;
pub mod catalog_body;
pub mod digests;
pub mod encrypted;
pub mod footer;
pub mod frame;
pub mod header;
pub mod index_header;
pub mod key_store;
pub mod layout;
pub mod lock;
pub mod mark;
pub mod names;
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
    #[error("{what} {found}, newest known here is {newest}: upgrade bulla")]
    Newer {
        /// The structure and the number that tells its versions apart, e.g.
        /// `segment header version`.
        what: &'static str,
        /// The number found.
        found: u16,
        /// The newest one of this structure that is known here.
        newest: u16,
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

/// What each version of a structure carries at the same place: magic, version and CRC.
struct Envelope {
    /// The structure, in messages.
    what: &'static str,
    /// Its version, in messages.
    version_name: &'static str,
    magic: (layout::Field, &'static [u8]),
    version: layout::Field,
    /// The newest version of this structure that is known here.
    newest: u16,
    /// The last field: the CRC-32 of all bytes before it.
    crc: layout::Field,
}

impl Envelope {
    /// Checks magic, CRC and version, in the order that tells damage from a newer version; gives
    /// the version.
    fn check(&self, buf: &[u8]) -> Result<u16, FormatError> {
        let (magic, expected) = self.magic;
        if magic.bytes(buf) != expected {
            let found = text(magic.bytes(buf));
            return Err(FormatError::mismatch(self.what, text(expected), found));
        }
        let (stored, computed) = (self.crc.uint(buf), layout::trailing_crc(buf, self.crc));
        if stored != u64::from(computed) {
            let expected = format!("crc {computed:08x}");
            return Err(FormatError::mismatch(self.what, expected, format!("{stored:08x}")));
        }
        let newest = self.newest;
        match u16::try_from(self.version.uint(buf)).unwrap_or(u16::MAX) {
            0 => Err(FormatError::mismatch(self.what, "format version 1", 0)),
            found if found <= newest => Ok(found),
            found => Err(FormatError::Newer { what: self.version_name, found, newest }),
        }
    }
}

fn text(bytes: &[u8]) -> String {
    format!("magic {:?}", String::from_utf8_lossy(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_structure_names_itself_and_its_own_newest_version() {
        let envelopes = [
            header::ENVELOPE,
            footer::ENVELOPE,
            index_header::ENVELOPE,
            mark::ENVELOPE,
            lock::ENVELOPE,
            key_store::ENVELOPE,
            catalog_body::SNAPSHOT,
        ];
        for (n, envelope) in envelopes.iter().enumerate() {
            assert_eq!(envelope.version_name, format!("{} version", envelope.what));
            assert!(envelopes[..n].iter().all(|other| other.what != envelope.what));
            let mut bytes = vec![0; envelope.crc.offset + envelope.crc.size];
            envelope.magic.0.set(&mut bytes, envelope.magic.1);
            let newest = if envelope.what == "segment header" { 3 } else { 1 };
            for version in 0..=newest + 1 {
                envelope.version.set_uint(&mut bytes, version.into());
                assert!(matches!(envelope.check(&bytes), Err(FormatError::Mismatch { .. })));
                let crc = layout::trailing_crc(&bytes, envelope.crc);
                envelope.crc.set_uint(&mut bytes, crc.into());
                let checked = envelope.check(&bytes);
                if version > newest {
                    let what = envelope.version_name;
                    assert_eq!(checked, Err(FormatError::Newer { what, found: version, newest }));
                } else if version > 0 {
                    assert_eq!(checked, Ok(version));
                } else {
                    assert!(matches!(checked, Err(FormatError::Mismatch { .. })));
                }
                envelope.crc.set_uint(&mut bytes, 0);
            }
        }
    }
}
