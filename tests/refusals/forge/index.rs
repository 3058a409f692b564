//! The logical index, by docs/format.md.

use std::collections::BTreeMap;
use std::ops::Range;

use super::bytes::{as_int, as_text};
use super::hashes::{Algorithm, Hash, sha256};
use super::segment::{Record, Segment};

pub(crate) const TREE: Algorithm = Algorithm::Sha256;
/// Entries of a chunk.
pub(crate) const CHUNK: usize = 128;

/// The logical index of a segment, in the order in which it is hashed.
#[derive(Clone, Debug)]
pub(crate) struct Logical {
    pub(crate) log_id: Vec<u8>,
    pub(crate) first: u64,
    pub(crate) records: u64,
    pub(crate) events: u64,
    /// Keys with the positions that have them.
    pub(crate) terms: Vec<(Vec<u8>, Vec<u32>)>,
    pub(crate) occurred: Vec<(i64, u32)>,
    pub(crate) recorded: Vec<(i64, u32)>,
}

impl Logical {
    pub(crate) fn of(segment: &Segment, log_id: &[u8], first: u64) -> Self {
        let mut terms: BTreeMap<Vec<u8>, Vec<u32>> = BTreeMap::new();
        let (mut occurred, mut recorded) = (Vec::new(), Vec::new());
        let mut records = 0;
        for (record, position) in segment.records().zip(0_u32..) {
            records += 1_u64;
            for key in keys(record, log_id) {
                terms.entry(key).or_default().push(position);
            }
            if record.kind() == 1 {
                occurred.push((as_int(record.field("occurred_at")), position));
                recorded.push((record.recorded_at(), position));
            }
        }
        let events = occurred.len() as u64;
        occurred.sort_unstable();
        recorded.sort_unstable();
        let (log_id, terms) = (log_id.to_vec(), terms.into_iter().collect());
        Logical { log_id, first, records, events, terms, occurred, recorded }
    }

    /// The leaves of the terms.
    pub(crate) fn leaves(&self) -> Vec<Hash> {
        self.terms.iter().map(|(key, list)| term(key, list)).collect()
    }

    pub(crate) fn terms_root(&self) -> Hash {
        TREE.root(&self.leaves())
    }

    pub(crate) fn root(&self) -> Hash {
        TREE.leaf(&[
            b"bulla/index-head/v1\0",
            &[1],
            &self.log_id,
            &self.first.to_le_bytes(),
            &self.records.to_le_bytes(),
            &self.events.to_le_bytes(),
            &(self.terms.len() as u64).to_le_bytes(),
            &self.terms_root(),
            &TREE.root(&time_chunks(&self.occurred)),
            &TREE.root(&time_chunks(&self.recorded)),
        ])
    }

    /// The places of the terms whose keys begin so.
    pub(crate) fn run(&self, prefix: &[u8]) -> Range<usize> {
        let start = self.terms.partition_point(|(key, _)| key.as_slice() < prefix);
        let len = self.terms[start..].iter().take_while(|(key, _)| key.starts_with(prefix)).count();
        start..start + len
    }

    /// What stands in a key for a name (part 0) or a type (part 1).
    pub(crate) fn private(&self, code: u8, part: u8, bytes: &[u8]) -> Hash {
        private(&self.log_id, code, part, bytes)
    }
}

/// The root of the index of a segment.
pub(crate) fn root(segment: &Segment, log_id: &[u8], first: u64) -> Hash {
    Logical::of(segment, log_id, first).root()
}

fn private(log_id: &[u8], code: u8, part: u8, bytes: &[u8]) -> Hash {
    sha256(&[b"bulla/index-name/v1\0", log_id, &[code, part], bytes])
}

fn keys(record: &Record, log_id: &[u8]) -> Vec<Vec<u8>> {
    if record.kind() != 1 {
        return vec![vec![1, record.kind()]];
    }
    let private = |code: u8, part: u8, bytes: &[u8]| private(log_id, code, part, bytes);
    let typed = |code: u8, name: &[u8], kind: &[u8]| {
        [&[code][..], &private(code, 0, name), &private(code, 1, kind)].concat()
    };
    let named = |code: u8, name: &[u8]| [&[code][..], &private(code, 0, name)].concat();
    let of = |field| as_text(record.field(field));
    let there = |field| {
        let field = record.field(field);
        (field[0] == 1).then(|| as_text(&field[1..]))
    };
    let mut keys = vec![typed(2, of("actor_id"), of("actor_type"))];
    keys.push(named(3, of("resource_type")));
    keys.extend(there("resource_id").map(|id| typed(4, id, of("resource_type"))));
    keys.extend(there("tenant").map(|tenant| named(5, tenant)));
    keys.push([&[6], of("action")].concat());
    keys.push([&[7], record.field("outcome")].concat());
    keys
}

/// The leaves of the chunks of a list of positions.
pub(crate) fn position_chunks(list: &[u32]) -> Vec<Hash> {
    let chunk = |chunk: &[u32]| {
        let bytes: Vec<u8> = chunk.iter().flat_map(|position| position.to_le_bytes()).collect();
        TREE.leaf(&[b"bulla/index-positions/v1\0", &bytes])
    };
    list.chunks(CHUNK).map(chunk).collect()
}

/// The leaves of the chunks of a list of times.
pub(crate) fn time_chunks(times: &[(i64, u32)]) -> Vec<Hash> {
    let chunk = |chunk: &[(i64, u32)]| {
        let entry = |(time, position): &(i64, u32)| {
            [&time.to_le_bytes()[..], &position.to_le_bytes()].concat()
        };
        let bytes: Vec<u8> = chunk.iter().flat_map(entry).collect();
        TREE.leaf(&[b"bulla/index-times/v1\0", &bytes])
    };
    times.chunks(CHUNK).map(chunk).collect()
}

fn term(key: &[u8], list: &[u32]) -> Hash {
    let key_len = u32::try_from(key.len()).unwrap().to_le_bytes();
    let len = (list.len() as u64).to_le_bytes();
    let root = TREE.root(&position_chunks(list));
    TREE.leaf(&[b"bulla/index-term/v1\0", &key_len, key, &len, &root])
}
