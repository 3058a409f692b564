//! The root of the logical index, by docs/format.md.

use std::collections::BTreeMap;

use super::bytes::{as_int, as_text};
use super::hashes::{Algorithm, Hash, sha256};
use super::segment::{Record, Segment};

const TREE: Algorithm = Algorithm::Sha256;

/// The root of the index of a segment.
pub(crate) fn root(segment: &Segment, log_id: &[u8], first: u64) -> Hash {
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
    let leaves: Vec<Hash> = terms.iter().map(|(key, list)| term(key, list)).collect();
    let (terms_root, occurred, recorded) = (TREE.root(&leaves), times(occurred), times(recorded));
    TREE.leaf(&[
        b"bulla/index-head/v1\0",
        &[1],
        log_id,
        &first.to_le_bytes(),
        &records.to_le_bytes(),
        &events.to_le_bytes(),
        &(leaves.len() as u64).to_le_bytes(),
        &terms_root,
        &occurred,
        &recorded,
    ])
}

fn keys(record: &Record, log_id: &[u8]) -> Vec<Vec<u8>> {
    if record.kind() != 1 {
        return vec![vec![1, record.kind()]];
    }
    let private = |code: u8, part: u8, bytes: &[u8]| {
        sha256(&[b"bulla/index-name/v1\0", log_id, &[code, part], bytes])
    };
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

fn term(key: &[u8], list: &[u32]) -> Hash {
    let chunk = |chunk: &[u32]| {
        let bytes: Vec<u8> = chunk.iter().flat_map(|position| position.to_le_bytes()).collect();
        TREE.leaf(&[b"bulla/index-positions/v1\0", &bytes])
    };
    let chunks: Vec<Hash> = list.chunks(128).map(chunk).collect();
    let key_len = u32::try_from(key.len()).unwrap().to_le_bytes();
    let len = (list.len() as u64).to_le_bytes();
    TREE.leaf(&[b"bulla/index-term/v1\0", &key_len, key, &len, &TREE.root(&chunks)])
}

fn times(mut times: Vec<(i64, u32)>) -> Hash {
    times.sort_unstable();
    let chunk = |chunk: &[(i64, u32)]| {
        let entry = |(time, position): &(i64, u32)| {
            [&time.to_le_bytes()[..], &position.to_le_bytes()].concat()
        };
        let bytes: Vec<u8> = chunk.iter().flat_map(entry).collect();
        TREE.leaf(&[b"bulla/index-times/v1\0", &bytes])
    };
    TREE.root(&times.chunks(128).map(chunk).collect::<Vec<_>>())
}
