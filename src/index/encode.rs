//! [`encode`]: the bytes of an index file.

use super::file::MAX_LEN;
use super::id_field::IdField;
use super::packed::put_list;
use super::pages;
use super::sections::{IdShape, Sections, id_tables};
use super::tail::Tail;
use super::times;
use crate::format::index_header::{self, FIELDS, IndexHeader};
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::Frontier;
use crate::terms::{
    CHUNK, Field, IndexHead, Logical, LogicalTerm, Scope, TimeEntry, put_varint, time_chunk_leaf,
};

/// Level of the tree over the terms at which a node is the root of a group of 16.
const GROUP_LEVEL: u8 = super::chunk::GROUP.trailing_zeros().to_le_bytes()[0];

/// The head of a segment's logical index, whose root goes into the seal, and the bytes of
/// its index file; `None` if they would be more than [`MAX_LEN`]. The same for the same
/// records, always.
pub fn encode(tail: &Tail, scope: Scope, ordinal: u64) -> (IndexHead, Option<Vec<u8>>) {
    let logical = tail.collected().logical(scope);
    let (head, groups) = hash(&logical);
    let records = tail.collected().records();
    let (terms, heap) = terms_and_heap(&logical.terms, records);
    let ids = IdField::ALL.map(|which| Ids::sorted(tail.ids(which).collect(), records));
    let times = [times::pack(&logical.occurred), times::pack(&logical.recorded)];
    let header = IndexHeader {
        spec: head.spec,
        log_id: scope.log_id,
        ordinal,
        first: scope.first,
        records,
        events: narrow(logical.occurred.len()),
        field_starts: field_starts(&logical.terms),
        terms_root: head.terms_root,
        occurred_root: head.occurred_root,
        recorded_root: head.recorded_root,
        id_counts: ids.each_ref().map(|ids| narrow(ids.entries.len())),
        times_lens: [0, 1].map(|n: usize| narrow(times[n].bodies.len())),
        heap_len: narrow(heap.len()),
        pages_crc: 0,
    };
    let len = Sections::of(&header).end;
    if len > MAX_LEN {
        return (head, None);
    }
    let mut out = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
    out.resize(index_header::LEN, 0);
    out.extend_from_slice(&terms);
    groups.iter().for_each(|root| out.extend_from_slice(root.as_bytes()));
    ids.iter().take(id_tables(head.spec)).for_each(|ids| ids.put(&mut out));
    for packed in times {
        out.extend_from_slice(&packed.firsts);
        out.extend_from_slice(&packed.bodies);
    }
    out.extend_from_slice(&heap);
    seal(&mut out, header);
    (head, Some(out))
}

/// Appends the table of pages, and puts the header in front.
pub(super) fn seal(out: &mut Vec<u8>, header: IndexHeader) {
    let table = pages::table(out);
    let header = IndexHeader { pages_crc: crc32fast::hash(&table), ..header };
    out[..index_header::LEN].copy_from_slice(&header.encode());
    out.extend_from_slice(&table);
}

/// The head, and the roots of the whole groups; each leaf is hashed once.
fn hash(logical: &Logical<'_>) -> (IndexHead, Vec<Hash>) {
    let mut groups = Vec::new();
    let mut frontier = Frontier::new(HashAlgorithm::Sha256);
    for term in &logical.terms {
        frontier.push(term.leaf().hash(), |node, root| {
            if node.level == GROUP_LEVEL {
                groups.push(root);
            }
        });
    }
    let head = IndexHead {
        spec: logical.spec,
        scope: logical.scope,
        records: logical.records,
        events: logical.occurred.len() as u64,
        terms: logical.terms.len() as u64,
        terms_root: frontier.root(),
        occurred_root: times_root(&logical.occurred),
        recorded_root: times_root(&logical.recorded),
    };
    (head, groups)
}

fn times_root(entries: &[TimeEntry]) -> Hash {
    let mut frontier = Frontier::new(HashAlgorithm::Sha256);
    entries.chunks(CHUNK).for_each(|chunk| frontier.push(time_chunk_leaf(chunk), |_, _| ()));
    frontier.root()
}

/// Of what exceeds 32 bits no file is made; see [`encode`].
fn narrow(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

fn field_starts(terms: &[LogicalTerm<'_>]) -> [u32; FIELDS + 1] {
    let mut starts = [narrow(terms.len()); FIELDS + 1];
    for (start, field) in starts.iter_mut().zip(Field::ALL) {
        *start = narrow(terms.partition_point(|term| term.term.field < field));
    }
    starts
}

/// The table of terms, and the heap.
fn terms_and_heap(terms: &[LogicalTerm<'_>], records: u32) -> (Vec<u8>, Vec<u8>) {
    let (mut table, mut heap) = (Vec::with_capacity(terms.len() * 8), Vec::new());
    let mut spelling = Vec::new();
    for term in terms {
        table.extend_from_slice(&fingerprint(term.term.field, &term.key).to_le_bytes());
        table.extend_from_slice(&narrow(heap.len()).to_le_bytes());
        spelling.clear();
        term.term.spell(&mut spelling);
        put_varint(&mut heap, spelling.len() as u64);
        heap.extend_from_slice(&spelling);
        put_list(&mut heap, term.positions, records);
    }
    (table, heap)
}

/// What the table of terms has of a key: the first four bytes of its hash, so that the
/// numbers are in the order of the keys; 0 of a key without hash.
pub(super) fn fingerprint(field: Field, key: &[u8]) -> u32 {
    match key {
        [_, a, b, c, d, ..] if field.is_hashed() => u32::from_le_bytes([*d, *c, *b, *a]),
        _ => 0,
    }
}

/// The identifiers of one kind, sorted.
struct Ids {
    shape: IdShape,
    /// The number of the first entry of each bucket, and of them all.
    starts: Vec<u32>,
    /// Fingerprints and positions, ascending.
    entries: Vec<(u64, u32)>,
}

impl Ids {
    fn sorted(ids: Vec<(u64, u32)>, records: u32) -> Self {
        let shape = IdShape::of(narrow(ids.len()), records);
        let bucket = |id: u64| usize::try_from(shape.bucket(id)).unwrap_or(0);
        let mut starts = vec![0; bucket(u64::MAX) + 2];
        ids.iter().for_each(|(id, _)| starts[bucket(*id) + 1] += 1);
        for n in 1..starts.len() {
            starts[n] += starts[n - 1];
        }
        // Into the buckets first: within one there is little left to sort.
        let (mut ends, mut entries) = (starts.clone(), vec![(0, 0); ids.len()]);
        for entry in ids {
            let end = &mut ends[bucket(entry.0)];
            entries[*end as usize] = entry;
            *end += 1;
        }
        for pair in starts.windows(2) {
            entries[pair[0] as usize..pair[1] as usize].sort_unstable();
        }
        Ids { shape, starts, entries }
    }

    /// Appends the table.
    fn put(&self, out: &mut Vec<u8>) {
        self.starts.iter().for_each(|start| out.extend_from_slice(&start.to_le_bytes()));
        for (id, position) in &self.entries {
            out.extend_from_slice(&self.shape.further(*id));
            out.extend_from_slice(&position.to_le_bytes()[..self.shape.wide]);
        }
    }
}
