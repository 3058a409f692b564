//! A writer of logs that must be refused.
//!
//! It takes a real log apart (without a check), lets anything in it be changed, and writes it
//! with all that follows from the change: lengths, CRCs, leaves, roots, digests of headers,
//! footers, seals in the catalog, state roots, anchors, statements about keys, and the signed
//! heads, signed again. What is *set* stays as it was set. It is made from docs/format.md and
//! uses nothing of the engine: where fields stand it reads in the tables of the document.
//!
//! A case looks like this:
//!
//! ```text
//! |mut forge| {
//!     forge.main[1].set("ordinal", 9_u64);                      // segment header
//!     forge.main[1].frames[0].set("count", 3_u64);              // frame header
//!     forge.main[1].record(0).set_prefix("flags", 2_u64);       // record prefix
//!     forge.main[1].record(0).set("outcome", vec![9]);          // field of the envelope
//!     forge.main[0].seal().set("count", 1_u64);                 // footer
//!     forge.sealed(1).set("status", vec![1]);                   // catalog record
//!     forge.append_catalog(36, &[("ordinal", uint(1)), ("done_at", int(0))]);
//!     forge.write()
//! }
//! ```

pub(crate) mod archive;
pub(crate) mod bytes;
pub(crate) mod document;
pub(crate) mod evidence;
pub(crate) mod files;
pub(crate) mod ground;
pub(crate) mod hashes;
pub(crate) mod index;
pub(crate) mod notes;
pub(crate) mod segment;
pub(crate) mod shown;
pub(crate) mod state;
pub(crate) mod statements;
pub(crate) mod store;
mod writer;

use std::collections::BTreeMap;

use bytes::{as_uint, number, part, put};
use files::Files;
use hashes::{Algorithm, Hash};
use notes::Key;
use segment::{FRAME, HEADER, Record, Segment};

/// Seed of the key that signs the logs which are forged.
pub(crate) const KEY_SEED: u8 = 11;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Forge {
    /// All files as they were; those that follow from the segments are made anew.
    pub(crate) files: Files,
    pub(crate) algorithm: Algorithm,
    pub(crate) log_id: [u8; 16],
    pub(crate) main: Vec<Segment>,
    pub(crate) catalog: Vec<Segment>,
    /// Keys that sign again what they had signed.
    pub(crate) keys: Vec<Key>,
    /// What the second copy of the catalog has instead of the first one's segments.
    pub(crate) second_copy: Option<Vec<Segment>>,
    /// Whether a snapshot of the whole catalog is written, or none.
    pub(crate) snapshot: bool,
}

impl Forge {
    /// Takes a log apart.
    pub(crate) fn read(files: &Files, keys: &[Key]) -> Self {
        let segments = |dir: &str| -> BTreeMap<u64, Segment> {
            let names = files.below(dir).filter_map(|path| {
                let name = path.strip_prefix(dir)?.strip_suffix(".seg")?;
                Some((name.parse().ok()?, files.get(path)))
            });
            let used = names.filter(|(_, bytes): &(u64, &[u8])| bytes.starts_with(b"BULLASEG"));
            used.map(|(ordinal, bytes)| (ordinal, Segment::read(ordinal, bytes))).collect()
        };
        let catalog: Vec<Segment> = segments("audit/catalog/a/").into_values().collect();
        let mut main = segments("audit/segments/");
        let records: Vec<&Record> = catalog.iter().flat_map(Segment::records).collect();
        for sealed in records.iter().filter(|record| record.kind() == 17) {
            let ordinal = as_uint(sealed.field("ordinal"));
            main.entry(ordinal).or_insert_with(|| {
                let (first, count) = (sealed.field("first"), sealed.field("count"));
                Segment::gone(ordinal, leaves_of(files, as_uint(first), as_uint(count)))
            });
        }
        let code = records.iter().find(|record| record.kind() == 16).expect("a first record");
        let algorithm = match code.field("hash_algorithm") {
            [2] => Algorithm::Blake3,
            _ => Algorithm::Sha256,
        };
        let log_id = part(HEADER, &catalog[0].header, "log_id").try_into().unwrap();
        Forge {
            files: files.clone(),
            algorithm,
            log_id,
            main: main.into_values().collect(),
            catalog,
            keys: keys.to_vec(),
            second_copy: None,
            snapshot: false,
        }
    }

    /// The files with all that follows from what was changed.
    pub(crate) fn write(&self) -> Files {
        writer::write(self.clone())
    }

    /// The snapshot that a log writes after the newest record of its catalog.
    pub(crate) fn snapshot_file(&self) -> Vec<u8> {
        writer::snapshot(self.clone())
    }

    /// Records of the catalog, in order.
    pub(crate) fn catalog_records(&self) -> impl Iterator<Item = &Record> {
        self.catalog.iter().flat_map(Segment::records)
    }

    /// The n-th record (from 0) of this kind in the catalog.
    pub(crate) fn catalog_record(&mut self, kind: u8, n: usize) -> &mut Record {
        let frames = self.catalog.iter_mut().flat_map(|segment| &mut segment.frames);
        let mut of_kind =
            frames.flat_map(|frame| &mut frame.records).filter(|record| record.kind() == kind);
        of_kind.nth(n).unwrap_or_else(|| panic!("no record {n} of kind {kind}"))
    }

    /// The record that sealed a segment.
    pub(crate) fn sealed(&mut self, ordinal: u64) -> &mut Record {
        let at = self
            .catalog_records()
            .filter(|record| record.kind() == 17)
            .position(|record| as_uint(record.field("ordinal")) == ordinal);
        self.catalog_record(17, at.expect("a sealed segment"))
    }

    /// A record behind all others of the catalog, in a frame of its own.
    pub(crate) fn append_catalog(&mut self, kind: u8, fields: &[(&str, Vec<u8>)]) -> &mut Record {
        let at = self.catalog_records().count();
        self.insert_catalog(at, kind, fields)
    }

    /// A record at this place of the catalog, in a frame of its own.
    pub(crate) fn insert_catalog(
        &mut self,
        at: usize,
        kind: u8,
        fields: &[(&str, Vec<u8>)],
    ) -> &mut Record {
        let before = self.catalog_records().take(at).last();
        let time = before.map_or(0, Record::recorded_at);
        let frame = segment::frame(vec![segment::catalog_record(kind, time, fields)], at as u64);
        let mut left = at;
        let last = self.catalog.len() - 1;
        for (n, segment) in self.catalog.iter_mut().enumerate() {
            let count = usize::try_from(segment.count()).unwrap();
            if left > count || left == count && n < last {
                left -= count;
                continue;
            }
            let mut place = 0;
            while left > 0 {
                left -= segment.frames[place].records.len();
                place += 1;
            }
            segment.frames.insert(place, frame);
            return &mut segment.frames[place].records[0];
        }
        panic!("no place {at} in the catalog")
    }

    /// Removes the record at this place of the catalog, and its frame.
    pub(crate) fn remove_catalog(&mut self, at: usize) {
        let (mut left, mut removed) = (at, false);
        for segment in &mut self.catalog {
            segment.frames.retain_mut(|frame| {
                if removed {
                    let durable = number(FRAME, &frame.header, "durable_size").saturating_sub(1);
                    put(FRAME, &mut frame.header, "durable_size", durable);
                    return true;
                }
                if left >= frame.records.len() {
                    left -= frame.records.len();
                    return true;
                }
                frame.records.remove(left);
                removed = true;
                !frame.records.is_empty()
            });
        }
        assert!(removed, "no record {at} in the catalog");
    }

    /// The segment of the main log that holds this record, and its number there.
    pub(crate) fn place_of(&self, seq: usize) -> (usize, usize) {
        let mut left = seq;
        for (at, segment) in self.main.iter().enumerate() {
            let count = usize::try_from(segment.count()).unwrap();
            if left < count {
                return (at, left);
            }
            left -= count;
        }
        panic!("no record {seq}")
    }

    /// A record of the main log.
    pub(crate) fn main_record(&mut self, seq: usize) -> &mut Record {
        let (segment, n) = self.place_of(seq);
        self.main[segment].record(n)
    }

    /// The n-th anchor of the main log.
    pub(crate) fn anchor(&mut self, n: usize) -> &mut Record {
        let frames = self.main.iter_mut().flat_map(|segment| &mut segment.frames);
        let mut anchors =
            frames.flat_map(|frame| &mut frame.records).filter(|record| record.kind() == 2);
        anchors.nth(n).unwrap_or_else(|| panic!("no anchor {n}"))
    }

    /// Leaves of all records of the main log, as they will be written.
    pub(crate) fn leaves(&self) -> Vec<Hash> {
        writer::leaves(self.clone())
    }

    /// Leaves and state roots of all records of the catalog, as they will be written.
    pub(crate) fn catalog_leaves(&self) -> (Vec<Hash>, Vec<Hash>) {
        writer::catalog_leaves(self.clone())
    }
}

/// The leaves of records whose segment is gone.
fn leaves_of(files: &Files, first: u64, count: u64) -> Vec<Hash> {
    let header = document::len("Hash file header");
    let hashes = &files.get("audit/tree/level-00.hashes")[header..];
    let at = usize::try_from(first).unwrap() * 32;
    let len = usize::try_from(count).unwrap() * 32;
    hashes[at..at + len].chunks_exact(32).map(|hash| hash.try_into().unwrap()).collect()
}

/// A field of the header of a segment, as a number.
pub(crate) fn header_number(segment: &Segment, field: &str) -> u64 {
    number(HEADER, &segment.header, field)
}
