//! The seal of a segment: waypoints and the footer, its last 256 bytes.

use super::layout::{segment_footer as f, trailing_crc, waypoint as w};
use super::{Envelope, FORMAT_VERSION, FormatError, LogId};
use crate::hash::Hash;
use crate::seq::TreeSize;
use crate::time::Timestamp;

const MAGIC: &[u8; 8] = b"BULLAEND";

/// Length of the footer in bytes.
pub const LEN: usize = f::LEN;
/// A waypoint stands at every 32nd record of its segment.
pub const STRIDE: u64 = 32;

pub(super) const ENVELOPE: Envelope = Envelope {
    what: "segment footer",
    version_name: "segment footer version",
    magic: (f::MAGIC, MAGIC),
    version: f::FORMAT_VERSION,
    newest: FORMAT_VERSION,
    crc: f::CRC,
};

/// Where a record stands: its frame, and itself. Offsets in the segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waypoint {
    /// Offset of the frame header.
    pub frame: u32,
    /// Offset of the record prefix.
    pub record: u32,
}

impl Waypoint {
    /// A waypoint at these offsets; segments are smaller than 4 GiB, the options see to
    /// that.
    pub fn at(frame: u64, record: u64) -> Self {
        let narrow = |offset| u32::try_from(offset).unwrap_or(u32::MAX);
        Waypoint { frame: narrow(frame), record: narrow(record) }
    }

    /// The bytes of a table.
    pub fn encode_table(table: &[Waypoint]) -> Vec<u8> {
        let mut out = vec![0; table.len() * w::LEN];
        for (slot, waypoint) in out.chunks_exact_mut(w::LEN).zip(table) {
            w::FRAME_OFFSET.set_uint(slot, waypoint.frame.into());
            w::RECORD_OFFSET.set_uint(slot, waypoint.record.into());
        }
        out
    }

    /// Reads a table.
    pub fn decode_table(bytes: &[u8]) -> Vec<Waypoint> {
        let offset = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        bytes
            .chunks_exact(w::LEN)
            .map(|slot| Waypoint {
                frame: offset(w::FRAME_OFFSET.uint(slot)),
                record: offset(w::RECORD_OFFSET.uint(slot)),
            })
            .collect()
    }
}

/// Earliest and latest times of a segment's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// Smallest and largest `recorded_at`.
    pub recorded: (Timestamp, Timestamp),
    /// Smallest and largest `occurred_at`.
    pub occurred: (Timestamp, Timestamp),
}

impl TimeRange {
    /// The range of no records: takes any time that is added to it.
    pub const EMPTY: TimeRange = TimeRange {
        recorded: (Timestamp::MAX, Timestamp::MIN),
        occurred: (Timestamp::MAX, Timestamp::MIN),
    };

    /// Widens the range to a record.
    pub fn add(&mut self, recorded_at: Timestamp, occurred_at: Timestamp) {
        self.recorded = (self.recorded.0.min(recorded_at), self.recorded.1.max(recorded_at));
        self.occurred = (self.occurred.0.min(occurred_at), self.occurred.1.max(occurred_at));
    }

    /// Widens the range to another one.
    pub fn join(&mut self, other: &TimeRange) {
        self.add(other.recorded.0, other.occurred.0);
        self.add(other.recorded.1, other.occurred.1);
    }
}

/// What a sealed segment says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentFooter {
    /// The log it belongs to.
    pub log_id: LogId,
    /// Its number.
    pub ordinal: u64,
    /// Records before it.
    pub first: TreeSize,
    /// Records in it, at least 1.
    pub count: u64,
    /// Offset just behind its last frame.
    pub frames_end: u64,
    /// Offset of its waypoint table.
    pub table_offset: u64,
    /// Entries of the table.
    pub table_count: u32,
    /// CRC-32 of the table.
    pub table_crc: u32,
    /// Times of its records.
    pub times: TimeRange,
    /// Root of the tree over all records up to its last one.
    pub end_root: Hash,
    /// Root of its logical index; zero: none.
    pub index_root: Hash,
    /// Size of the newest tree that ends in an anchor, at its end; 0: none.
    pub last_anchor: TreeSize,
    /// Not to be dropped before this time; 0: no policy.
    pub keep_until: Timestamp,
    /// When it was sealed.
    pub sealed_at: Timestamp,
}

impl SegmentFooter {
    /// The bytes.
    pub fn encode(&self) -> [u8; LEN] {
        let mut buf = [0; LEN];
        f::MAGIC.set(&mut buf, MAGIC);
        f::FORMAT_VERSION.set_uint(&mut buf, FORMAT_VERSION.into());
        f::LOG_ID.set(&mut buf, &self.log_id.0);
        f::ORDINAL.set_uint(&mut buf, self.ordinal);
        f::FIRST_SEQ.set_uint(&mut buf, self.first.get());
        f::COUNT.set_uint(&mut buf, self.count);
        f::FRAMES_END.set_uint(&mut buf, self.frames_end);
        f::TABLE_OFFSET.set_uint(&mut buf, self.table_offset);
        f::TABLE_COUNT.set_uint(&mut buf, self.table_count.into());
        f::TABLE_STRIDE.set_uint(&mut buf, STRIDE);
        f::RECORDED_MIN.set_int(&mut buf, self.times.recorded.0.as_nanos());
        f::RECORDED_MAX.set_int(&mut buf, self.times.recorded.1.as_nanos());
        f::OCCURRED_MIN.set_int(&mut buf, self.times.occurred.0.as_nanos());
        f::OCCURRED_MAX.set_int(&mut buf, self.times.occurred.1.as_nanos());
        f::END_ROOT.set(&mut buf, self.end_root.as_bytes());
        f::INDEX_ROOT.set(&mut buf, self.index_root.as_bytes());
        f::LAST_ANCHOR.set_uint(&mut buf, self.last_anchor.get());
        f::KEEP_UNTIL.set_int(&mut buf, self.keep_until.as_nanos());
        f::SEALED_AT.set_int(&mut buf, self.sealed_at.as_nanos());
        f::TABLE_CRC.set_uint(&mut buf, self.table_crc.into());
        let crc = trailing_crc(&buf, f::CRC);
        f::CRC.set_uint(&mut buf, crc.into());
        buf
    }

    /// Reads a footer; `file_len` is the size of the sealed file.
    ///
    /// # Errors
    /// Damage, a newer version, or fields that contradict each other or the file.
    pub fn decode(buf: &[u8; LEN], file_len: u64) -> Result<Self, FormatError> {
        ENVELOPE.check(buf)?;
        let time = |field: super::layout::Field| Timestamp::from_nanos(field.int(buf));
        let narrow = |field: super::layout::Field| u32::try_from(field.uint(buf)).unwrap_or(0);
        let footer = SegmentFooter {
            log_id: LogId(f::LOG_ID.array_16(buf)),
            ordinal: f::ORDINAL.uint(buf),
            first: TreeSize::new(f::FIRST_SEQ.uint(buf)),
            count: f::COUNT.uint(buf),
            frames_end: f::FRAMES_END.uint(buf),
            table_offset: f::TABLE_OFFSET.uint(buf),
            table_count: narrow(f::TABLE_COUNT),
            table_crc: narrow(f::TABLE_CRC),
            times: TimeRange {
                recorded: (time(f::RECORDED_MIN), time(f::RECORDED_MAX)),
                occurred: (time(f::OCCURRED_MIN), time(f::OCCURRED_MAX)),
            },
            end_root: f::END_ROOT.hash(buf),
            index_root: f::INDEX_ROOT.hash(buf),
            last_anchor: TreeSize::new(f::LAST_ANCHOR.uint(buf)),
            keep_until: time(f::KEEP_UNTIL),
            sealed_at: time(f::SEALED_AT),
        };
        footer.check_ranges(f::TABLE_STRIDE.uint(buf), file_len)?;
        Ok(footer)
    }

    fn check_ranges(&self, stride: u64, file_len: u64) -> Result<(), FormatError> {
        let wrong = |field, expected: String, found: u64| {
            Err(FormatError::mismatch(field, expected, found))
        };
        if stride != STRIDE {
            return wrong("segment footer: table_stride", STRIDE.to_string(), stride);
        }
        if self.count == 0 || self.first.checked_add(self.count).is_none() {
            return wrong("segment footer: count", "1 or more records".into(), self.count);
        }
        if u64::from(self.table_count) != self.count.div_ceil(STRIDE) {
            let expected = self.count.div_ceil(STRIDE).to_string();
            return wrong("segment footer: table_count", expected, self.table_count.into());
        }
        if self.frames_end > self.table_offset {
            let expected = format!("at most table_offset {}", self.table_offset);
            return wrong("segment footer: frames_end", expected, self.frames_end);
        }
        let table_len = u64::from(self.table_count) * w::LEN as u64;
        let end = self.table_offset.checked_add(table_len + LEN as u64);
        if end != Some(file_len) {
            let expected = format!("a table that ends at the footer of a file of {file_len} bytes");
            return wrong("segment footer: table_offset", expected, self.table_offset);
        }
        Ok(())
    }

    /// The size of the log at the end of this segment.
    pub fn end(&self) -> TreeSize {
        TreeSize::new(self.first.get().saturating_add(self.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> SegmentFooter {
        let mut times = TimeRange::EMPTY;
        times.add(Timestamp::from_nanos(5), Timestamp::from_nanos(3));
        SegmentFooter {
            log_id: LogId([1; 16]),
            ordinal: 1,
            first: TreeSize::ZERO,
            count: 33,
            frames_end: 5_000,
            table_offset: 5_000,
            table_count: 2,
            table_crc: 1,
            times,
            end_root: Hash::ZERO,
            index_root: Hash::ZERO,
            last_anchor: TreeSize::ZERO,
            keep_until: Timestamp::from_nanos(0),
            sealed_at: Timestamp::from_nanos(9),
        }
    }

    #[test]
    fn a_footer_round_trips_and_every_flipped_bit_is_refused() {
        let good = sample().encode();
        assert_eq!(SegmentFooter::decode(&good, 5_272), Ok(sample()));
        assert!(SegmentFooter::decode(&good, 5_273).is_err());
        for bit in 0..LEN * 8 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(SegmentFooter::decode(&bad, 5_272).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_table_round_trips() {
        let table = vec![Waypoint { frame: 512, record: 544 }, Waypoint { frame: 9, record: 10 }];
        assert_eq!(Waypoint::decode_table(&Waypoint::encode_table(&table)), table);
    }
}
