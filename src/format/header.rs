//! The segment header.

use super::layout::{segment_header as f, trailing_crc};
use super::{Envelope, FORMAT_VERSION, FormatError, LogId, Stream};
use crate::hash::{Hash, HashAlgorithm, tag, tagged};
use crate::seq::TreeSize;
use crate::time::Timestamp;

const MAGIC: &[u8; 8] = b"BULLASEG";
const WHAT: &str = "segment header";

/// Length in bytes: one sector, so that it is written whole or not at all.
pub const LEN: usize = f::LEN;

/// The newest version of a segment. Version 2, of the catalog, may hold records of the kinds
/// from 32 on, which change what is in force.
pub const SEGMENT_VERSION: u16 = 3;
/// The format version that catalog segments are begun with, unless a record needs a newer one.
pub const CATALOG_VERSION: u16 = 2;

pub(super) const ENVELOPE: Envelope = Envelope {
    what: WHAT,
    version_name: "segment header version",
    magic: (f::MAGIC, MAGIC),
    version: f::FORMAT_VERSION,
    newest: SEGMENT_VERSION,
    crc: f::CRC,
};

/// Largest ordinal; no log comes near it, and counting on from it does not overflow.
pub const ORDINAL_MAX: u64 = 1 << 62;

/// What a segment says of itself before its first record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// 1, or [`SEGMENT_VERSION`] where that is needed to read it.
    pub format_version: u16,
    /// Main or catalog.
    pub stream: Stream,
    /// The hash of the stream's tree.
    pub algorithm: HashAlgorithm,
    /// Frames start at multiples of this: 1, 512 or 4096.
    pub frame_align: u32,
    /// The log it belongs to.
    pub log_id: LogId,
    /// Its number, from 1, without gaps.
    pub ordinal: u64,
    /// Records before it.
    pub first: TreeSize,
    /// When it was begun.
    pub created_at: Timestamp,
    /// Random; seeds every CRC in the segment, so that stale bytes never check.
    pub nonce: [u8; 16],
    /// Root of the tree over the `first` records before it.
    pub start_root: Hash,
    /// [`SegmentHeader::digest`] of the segment before; zero for the first.
    pub previous: Hash,
    /// Size of the newest tree that ends in an anchor, before this segment; 0: none.
    pub last_anchor: TreeSize,
}

impl SegmentHeader {
    /// Where the first frame starts.
    pub fn first_frame(&self) -> u64 {
        (LEN as u64).max(u64::from(self.frame_align))
    }

    /// The bytes.
    pub fn encode(&self) -> [u8; LEN] {
        let mut buf = [0; LEN];
        f::MAGIC.set(&mut buf, MAGIC);
        f::FORMAT_VERSION.set_uint(&mut buf, self.format_version.into());
        f::STREAM.set_uint(&mut buf, self.stream.code().into());
        f::HASH_ALGORITHM.set_uint(&mut buf, self.algorithm.code().into());
        f::FRAME_ALIGN.set_uint(&mut buf, self.frame_align.into());
        f::LOG_ID.set(&mut buf, &self.log_id.0);
        f::ORDINAL.set_uint(&mut buf, self.ordinal);
        f::FIRST_SEQ.set_uint(&mut buf, self.first.get());
        f::CREATED_AT.set_int(&mut buf, self.created_at.as_nanos());
        f::NONCE.set(&mut buf, &self.nonce);
        f::START_ROOT.set(&mut buf, self.start_root.as_bytes());
        f::PREVIOUS.set(&mut buf, self.previous.as_bytes());
        f::LAST_ANCHOR.set_uint(&mut buf, self.last_anchor.get());
        let crc = trailing_crc(&buf, f::CRC);
        f::CRC.set_uint(&mut buf, crc.into());
        buf
    }

    /// Reads a header.
    ///
    /// # Errors
    /// Damage, a newer version, or a field out of its range.
    pub fn decode(buf: &[u8; LEN]) -> Result<Self, FormatError> {
        // The later versions are those of the catalog's segments.
        let of_events = buf[f::STREAM.offset] == Stream::Main.code();
        let newest = if of_events { FORMAT_VERSION } else { SEGMENT_VERSION };
        let format_version = Envelope { newest, ..ENVELOPE }.check(buf)?;
        let header = SegmentHeader {
            format_version,
            stream: decode_stream(buf[f::STREAM.offset])?,
            algorithm: decode_algorithm(WHAT, buf[f::HASH_ALGORITHM.offset])?,
            frame_align: decode_align(f::FRAME_ALIGN.uint(buf))?,
            log_id: LogId(f::LOG_ID.array_16(buf)),
            ordinal: f::ORDINAL.uint(buf),
            first: TreeSize::new(f::FIRST_SEQ.uint(buf)),
            created_at: Timestamp::from_nanos(f::CREATED_AT.int(buf)),
            nonce: f::NONCE.array_16(buf),
            start_root: f::START_ROOT.hash(buf),
            previous: f::PREVIOUS.hash(buf),
            last_anchor: TreeSize::new(f::LAST_ANCHOR.uint(buf)),
        };
        if header.ordinal == 0 || header.ordinal > ORDINAL_MAX {
            let expected = format!("1 to {ORDINAL_MAX}");
            return Err(FormatError::mismatch("segment header: ordinal", expected, header.ordinal));
        }
        if header.last_anchor > header.first {
            let expected = format!("at most first_seq {}", header.first);
            let what = "segment header: last_anchor";
            return Err(FormatError::mismatch(what, expected, header.last_anchor));
        }
        if f::RESERVED.bytes(buf).iter().any(|byte| *byte != 0) {
            return Err(FormatError::mismatch("segment header: reserved", "zeros", "other bytes"));
        }
        header.check_stream()?;
        Ok(header)
    }

    /// What a segment of its stream cannot say.
    fn check_stream(&self) -> Result<(), FormatError> {
        let wrong = |what, expected: &str, found: &dyn std::fmt::Display| {
            Err(FormatError::mismatch(what, format!("{expected} in the catalog"), found))
        };
        match self.stream {
            Stream::Main => Ok(()),
            Stream::Catalog if self.algorithm != HashAlgorithm::Sha256 => {
                wrong("segment header: hash_algorithm", "sha256", &self.algorithm)
            }
            Stream::Catalog if self.frame_align != 1 => {
                wrong("segment header: frame_align", "1", &self.frame_align)
            }
            Stream::Catalog if self.last_anchor != TreeSize::ZERO => {
                wrong("segment header: last_anchor", "0", &self.last_anchor)
            }
            Stream::Catalog => Ok(()),
        }
    }

    /// The digest by which the next segment names this one.
    pub fn digest(&self) -> Hash {
        tagged(tag::SEGMENT_HEADER, &[&self.encode()])
    }
}

fn decode_stream(code: u8) -> Result<Stream, FormatError> {
    Stream::from_code(code)
        .ok_or_else(|| FormatError::mismatch("segment header: stream", "1 or 2", code))
}

pub(super) fn decode_algorithm(what: &'static str, code: u8) -> Result<HashAlgorithm, FormatError> {
    HashAlgorithm::from_code(code)
        .ok_or_else(|| FormatError::mismatch(what, "hash algorithm 1 or 2", code))
}

fn decode_align(found: u64) -> Result<u32, FormatError> {
    match found {
        1 => Ok(1),
        512 => Ok(512),
        4096 => Ok(4096),
        _ => Err(FormatError::mismatch("segment header: frame_align", "1, 512 or 4096", found)),
    }
}

/// Whether the bytes are those of a segment made ahead and not yet used.
pub fn is_unused(buf: &[u8]) -> bool {
    buf.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn sample() -> SegmentHeader {
        SegmentHeader {
            format_version: 1,
            stream: Stream::Main,
            algorithm: HashAlgorithm::Sha256,
            frame_align: 1,
            log_id: LogId([7; 16]),
            ordinal: 3,
            first: TreeSize::new(1_000),
            created_at: Timestamp::from_nanos(1_763_758_561_123_456_789),
            nonce: [9; 16],
            start_root: HashAlgorithm::Sha256.empty_root(),
            previous: Hash::ZERO,
            last_anchor: TreeSize::new(900),
        }
    }

    #[test]
    fn a_header_round_trips() {
        assert_eq!(SegmentHeader::decode(&sample().encode()), Ok(sample()));
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let good = sample().encode();
        for bit in 0..LEN * 8 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(SegmentHeader::decode(&bad).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_newer_version_is_told_from_damage() {
        let mut buf = sample().encode();
        f::FORMAT_VERSION.set_uint(&mut buf, 3);
        assert!(matches!(SegmentHeader::decode(&buf), Err(FormatError::Mismatch { .. })));
        let crc = trailing_crc(&buf, f::CRC);
        f::CRC.set_uint(&mut buf, crc.into());
        let newer = |found, newest| {
            Err(FormatError::Newer { what: "segment header version", found, newest })
        };
        assert_eq!(SegmentHeader::decode(&buf), newer(3, FORMAT_VERSION));
        f::FORMAT_VERSION.set_uint(&mut buf, 4);
        f::STREAM.set_uint(&mut buf, Stream::Catalog.code().into());
        let crc = trailing_crc(&buf, f::CRC);
        f::CRC.set_uint(&mut buf, crc.into());
        assert_eq!(SegmentHeader::decode(&buf), newer(4, SEGMENT_VERSION));
    }
}
