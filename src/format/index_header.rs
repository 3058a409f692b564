//! The first 256 bytes of an index file: what its sections hold, and how long they are.

use super::layout::{Field, index_header as f, trailing_crc};
use super::{Envelope, FORMAT_VERSION, FormatError, LogId};
use crate::hash::Hash;
use crate::seq::TreeSize;

const MAGIC: &[u8; 8] = b"BULLAIDX";

/// Length of the header in bytes.
pub const LEN: usize = f::LEN;
/// Fields that a term can be about.
pub const FIELDS: usize = 8;
/// Kinds of identifiers whose fingerprints it has.
pub const IDS: usize = 4;
/// The newest specification of the logical index that is read.
pub const SPEC: u8 = 2;

/// How many of the numbers in `field_starts` and in `id_counts` a specification has. Of the further
/// ones of specification 2 the header has room of its own, which is zeros in specification 1.
const FIRST_STARTS: usize = 8;
const FIRST_IDS: usize = 3;

pub(super) const ENVELOPE: Envelope = Envelope {
    what: "index header",
    version_name: "index header version",
    magic: (f::MAGIC, MAGIC),
    version: f::FORMAT_VERSION,
    newest: FORMAT_VERSION,
    crc: f::CRC,
};

/// What an index file says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexHeader {
    /// The specification of the logical index: 1 or 2.
    pub spec: u8,
    /// The log it belongs to.
    pub log_id: LogId,
    /// The number of the segment it is of.
    pub ordinal: u64,
    /// Records of the log before the segment.
    pub first: TreeSize,
    /// Records of the segment.
    pub records: u32,
    /// How many of them are events; at most `records`.
    pub events: u32,
    /// Terms before those of each field, in the order of the fields' codes, and of all of
    /// them; does not decrease, from 0.
    pub field_starts: [u32; FIELDS + 1],
    /// Root of the tree over the terms.
    pub terms_root: Hash,
    /// Root over the times when the events occurred.
    pub occurred_root: Hash,
    /// Root over the times when they were recorded.
    pub recorded_root: Hash,
    /// Identifiers of events, requests, correlations and traces; each at most `events`.
    pub id_counts: [u32; IDS],
    /// Bytes of the bodies of the times by `occurred_at`, and by `recorded_at`.
    pub times_lens: [u32; 2],
    /// Bytes of the heap.
    pub heap_len: u32,
    /// CRC-32 of the table of pages.
    pub pages_crc: u32,
}

impl IndexHeader {
    /// The bytes.
    pub fn encode(&self) -> [u8; LEN] {
        let mut buf = [0; LEN];
        f::MAGIC.set(&mut buf, MAGIC);
        f::FORMAT_VERSION.set_uint(&mut buf, FORMAT_VERSION.into());
        f::SPEC.set_uint(&mut buf, self.spec.into());
        f::LOG_ID.set(&mut buf, &self.log_id.0);
        f::ORDINAL.set_uint(&mut buf, self.ordinal);
        f::FIRST_SEQ.set_uint(&mut buf, self.first.get());
        f::RECORDS.set_uint(&mut buf, self.records.into());
        f::EVENTS.set_uint(&mut buf, self.events.into());
        let [starts @ .., terms] = &self.field_starts;
        set_numbers(f::FIELD_STARTS, &mut buf, starts);
        let further = terms.saturating_sub(starts[FIRST_STARTS - 1]);
        f::FURTHER_TERMS.set_uint(&mut buf, further.into());
        f::TERMS_ROOT.set(&mut buf, self.terms_root.as_bytes());
        f::OCCURRED_ROOT.set(&mut buf, self.occurred_root.as_bytes());
        f::RECORDED_ROOT.set(&mut buf, self.recorded_root.as_bytes());
        let [ids @ .., traces] = &self.id_counts;
        set_numbers(f::ID_COUNTS, &mut buf, ids);
        f::FURTHER_IDS.set_uint(&mut buf, (*traces).into());
        set_numbers(f::TIMES_LENS, &mut buf, &self.times_lens);
        f::HEAP_LEN.set_uint(&mut buf, self.heap_len.into());
        f::PAGES_CRC.set_uint(&mut buf, self.pages_crc.into());
        let crc = trailing_crc(&buf, f::CRC);
        f::CRC.set_uint(&mut buf, crc.into());
        buf
    }

    /// Reads a header.
    ///
    /// # Errors
    /// Damage, a newer version or specification, or counts that contradict each other.
    pub fn decode(buf: &[u8; LEN]) -> Result<Self, FormatError> {
        ENVELOPE.check(buf)?;
        let number = |field: Field| u32::try_from(field.uint(buf)).unwrap_or(u32::MAX);
        let spec = check_spec(number(f::SPEC))?;
        let starts: [u32; FIRST_STARTS] = numbers(f::FIELD_STARTS, buf);
        let ids: [u32; FIRST_IDS] = numbers(f::ID_COUNTS, buf);
        let (further, traces) = (number(f::FURTHER_TERMS), number(f::FURTHER_IDS));
        if spec < SPEC && (further, traces) != (0, 0) {
            let found = format!("{further} and {traces}");
            let what = "index header: further_terms and further_ids of specification 1";
            return Err(FormatError::mismatch(what, 0, found));
        }
        let terms = starts[FIRST_STARTS - 1].saturating_add(further);
        let header = IndexHeader {
            spec,
            log_id: LogId(f::LOG_ID.array_16(buf)),
            ordinal: f::ORDINAL.uint(buf),
            first: TreeSize::new(f::FIRST_SEQ.uint(buf)),
            records: number(f::RECORDS),
            events: number(f::EVENTS),
            field_starts: with_last(starts, terms),
            terms_root: f::TERMS_ROOT.hash(buf),
            occurred_root: f::OCCURRED_ROOT.hash(buf),
            recorded_root: f::RECORDED_ROOT.hash(buf),
            id_counts: with_last(ids, traces),
            times_lens: numbers(f::TIMES_LENS, buf),
            heap_len: number(f::HEAP_LEN),
            pages_crc: number(f::PAGES_CRC),
        };
        header.check_counts()?;
        Ok(header)
    }

    fn check_counts(&self) -> Result<(), FormatError> {
        if self.events > self.records {
            let expected = format!("at most the {} records", self.records);
            return Err(FormatError::mismatch("index header: events", expected, self.events));
        }
        if self.field_starts[0] != 0 || !self.field_starts.is_sorted() {
            let found = format!("{:?}", self.field_starts);
            let expected = "numbers from 0 that do not decrease";
            return Err(FormatError::mismatch("index header: field_starts", expected, found));
        }
        if let Some(count) = self.id_counts.iter().find(|count| **count > self.events) {
            let expected = format!("at most the {} events", self.events);
            return Err(FormatError::mismatch("index header: id_counts", expected, count));
        }
        Ok(())
    }

    /// How many terms there are.
    pub fn terms(&self) -> u32 {
        self.field_starts[FIELDS]
    }
}

/// The numbers, and one more.
fn with_last<const N: usize, const M: usize>(numbers: [u32; N], last: u32) -> [u32; M] {
    std::array::from_fn(|n| numbers.get(n).copied().unwrap_or(last))
}

fn check_spec(found: u32) -> Result<u8, FormatError> {
    match u8::try_from(found) {
        Ok(spec @ 1..=SPEC) => Ok(spec),
        Ok(newer) if newer > SPEC => {
            let (found, newest) = (newer.into(), SPEC.into());
            Err(FormatError::Newer { what: "index specification", found, newest })
        }
        _ => Err(FormatError::mismatch("index header: spec", "1 or 2", found)),
    }
}

fn set_numbers<const N: usize>(field: Field, buf: &mut [u8], numbers: &[u32; N]) {
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    field.set(buf, &bytes);
}

fn numbers<const N: usize>(field: Field, buf: &[u8]) -> [u32; N] {
    let (words, _) = field.bytes(buf).as_chunks::<4>();
    std::array::from_fn(|n| words.get(n).map_or(0, |word| u32::from_le_bytes(*word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> IndexHeader {
        IndexHeader {
            spec: 2,
            log_id: LogId([1; 16]),
            ordinal: 2,
            first: TreeSize::new(3),
            records: 40,
            events: 39,
            field_starts: [0, 1, 2, 3, 5, 5, 8, 9, 12],
            terms_root: Hash::from_bytes([4; 32]),
            occurred_root: Hash::from_bytes([5; 32]),
            recorded_root: Hash::from_bytes([6; 32]),
            id_counts: [39, 7, 8, 9],
            times_lens: [10, 11],
            heap_len: 12,
            pages_crc: 13,
        }
    }

    #[test]
    fn a_header_round_trips_and_every_flipped_bit_is_refused() {
        let good = sample().encode();
        assert_eq!(IndexHeader::decode(&good), Ok(sample()));
        for bit in 0..LEN * 8 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(IndexHeader::decode(&bad).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn counts_that_contradict_each_other_are_refused() {
        for (broken, field) in [
            (IndexHeader { events: 41, ..sample() }, "events"),
            (IndexHeader { field_starts: [1, 1, 2, 3, 5, 5, 8, 9, 9], ..sample() }, "field_starts"),
            (IndexHeader { field_starts: [0, 1, 2, 3, 5, 4, 8, 9, 9], ..sample() }, "field_starts"),
            (IndexHeader { id_counts: [0, 40, 0, 0], ..sample() }, "id_counts"),
            (IndexHeader { id_counts: [0, 0, 0, 40], ..sample() }, "id_counts"),
            (IndexHeader { spec: 1, ..sample() }, "further_terms"),
        ] {
            let error = IndexHeader::decode(&broken.encode()).unwrap_err();
            assert!(error.to_string().contains(field), "{error}");
        }
    }

    #[test]
    fn a_newer_specification_is_not_damage() {
        let mut bytes = sample().encode();
        f::SPEC.set_uint(&mut bytes, 3);
        let crc = trailing_crc(&bytes, f::CRC);
        f::CRC.set_uint(&mut bytes, crc.into());
        let error = IndexHeader::decode(&bytes).unwrap_err();
        assert_eq!(error, FormatError::Newer { what: "index specification", found: 3, newest: 2 });
    }
}
