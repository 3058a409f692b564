//! Where the sections of an index file stand: they follow from the counts in its header.

use super::id_field::IdField;
use crate::format::index_header::{self, IndexHeader};
use crate::terms::{Axis, SPEC_ADDED, chunk_count};

/// Bytes that one CRC of an index file covers.
pub(super) const PAGE: u64 = 4096;
/// Bytes of a CRC.
pub(super) const CRC: u64 = 4;
/// Bytes of an entry of the table of terms: fingerprint, offset.
pub(super) const TERM: u64 = 8;
/// Bytes of the root of a group.
pub(super) const ROOT: u64 = 32;
/// Bytes of what the table of times has of a chunk: time, position, offset.
pub(super) const FIRST_TIME: u64 = 16;
/// Bytes of a bucket of identifiers: the number of its first entry.
pub(super) const BUCKET: u64 = 4;
/// Entries that a bucket of identifiers has at most on average.
const BUCKET_ENTRIES: u32 = 16;

/// The sections, by the offsets where they begin.
#[derive(Clone, Debug)]
pub(super) struct Sections {
    pub(super) terms: u64,
    pub(super) groups: u64,
    pub(super) group_count: u64,
    ids: [IdTable; IdField::ALL.len()],
    times: [TimeTable; 2],
    pub(super) heap: u64,
    pub(super) heap_end: u64,
    /// The table of pages.
    pub(super) pages: u64,
    /// Length of the file.
    pub(super) end: u64,
}

/// How many kinds of identifiers have a table: those of traces came with specification 2.
pub(super) fn id_tables(spec: u8) -> usize {
    if spec >= SPEC_ADDED { IdField::ALL.len() } else { IdField::ALL.len() - 1 }
}

/// The table of one kind of identifier. One that is not written has no entries.
#[derive(Clone, Copy, Debug)]
pub(super) struct IdTable {
    /// Where the buckets begin.
    pub(super) buckets: u64,
    /// Where the entries begin.
    pub(super) entries: u64,
    /// How many entries there are.
    pub(super) count: u32,
    pub(super) shape: IdShape,
}

/// How identifiers are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct IdShape {
    /// Bits of a fingerprint that say which bucket it is in.
    bits: u32,
    /// Bytes of a position.
    pub(super) wide: usize,
}

/// The table of one list of times.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeTable {
    /// Where the first entries of the chunks begin.
    pub(super) firsts: u64,
    /// Where the bodies begin.
    pub(super) bodies: u64,
    /// Bytes of the bodies.
    pub(super) bodies_len: u32,
    /// Entries of the list.
    pub(super) entries: u32,
}

impl Sections {
    /// The sections that a header tells of. No sum of its counts exceeds 64 bits.
    pub(super) fn of(header: &IndexHeader) -> Self {
        let terms_len = u64::from(header.terms()) * TERM;
        let terms = index_header::LEN as u64;
        let groups = terms + terms_len;
        let group_count = u64::from(header.terms()) / super::chunk::GROUP;
        let mut at = groups + group_count * ROOT;
        let written = id_tables(header.spec);
        let mut tables = 0;
        let ids = header.id_counts.map(|count| {
            let shape = IdShape::of(count, header.records);
            let entries = at + (shape.buckets() + 1) * BUCKET;
            let table = IdTable { buckets: at, entries, count, shape };
            tables += 1;
            if tables <= written {
                at = entries + u64::from(count) * shape.entry_len();
            }
            table
        });
        let times = header.times_lens.map(|bodies_len| {
            let bodies = at + chunk_count(header.events.into()) * FIRST_TIME;
            let table = TimeTable { firsts: at, bodies, bodies_len, entries: header.events };
            at = bodies + u64::from(bodies_len);
            table
        });
        let heap = at;
        let pages = heap + u64::from(header.heap_len);
        let end = pages + pages.div_ceil(PAGE) * CRC;
        Sections { terms, groups, group_count, ids, times, heap, heap_end: pages, pages, end }
    }

    pub(super) fn ids(&self, which: IdField) -> &IdTable {
        &self.ids[usize::from(which.code()) - 1]
    }

    pub(super) fn times(&self, axis: Axis) -> &TimeTable {
        match axis {
            Axis::Occurred => &self.times[0],
            Axis::Recorded => &self.times[1],
        }
    }
}

impl IdShape {
    /// How so many identifiers of a segment with so many records are written.
    pub(super) fn of(count: u32, records: u32) -> Self {
        let bits = count.div_ceil(BUCKET_ENTRIES).next_power_of_two().trailing_zeros();
        IdShape { bits, wide: if records > 1 << 24 { 4 } else { 3 } }
    }

    /// How many buckets there are.
    pub(super) fn buckets(self) -> u64 {
        1 << self.bits
    }

    /// Bytes of an entry.
    pub(super) fn entry_len(self) -> u64 {
        2 + self.wide as u64
    }

    /// The bucket of a fingerprint.
    pub(super) fn bucket(self, fingerprint: u64) -> u64 {
        fingerprint.checked_shr(u64::BITS - self.bits).unwrap_or(0)
    }

    /// The bits of a fingerprint that its entry holds.
    pub(super) fn further(self, fingerprint: u64) -> [u8; 2] {
        let [.., low, high] = (fingerprint << self.bits).to_le_bytes();
        [low, high]
    }
}
