//! How lists of positions and of times are hashed: in chunks, so that a part of a long list
//! can be shown without the rest.

use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::Frontier;

/// Entries of a chunk; only the last one of a list may have fewer.
pub const CHUNK: usize = 128;

const TAG_POSITIONS: &[u8] = b"bulla/index-positions/v1\0";
const TAG_TIMES: &[u8] = b"bulla/index-times/v1\0";

/// When an event happened, and its position. Ordered by time, then by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeEntry {
    /// Nanoseconds since 1970.
    pub time: i64,
    /// Number of the record in its segment.
    pub position: u32,
}

/// Chunks of a list with so many entries.
pub fn chunk_count(entries: u64) -> u64 {
    entries.div_ceil(CHUNK as u64)
}

/// The leaf of a chunk of positions, which ascend: each as 4 bytes.
pub fn position_chunk_leaf(positions: &[u32]) -> Hash {
    let bytes: Vec<u8> = positions.iter().flat_map(|position| position.to_le_bytes()).collect();
    HashAlgorithm::Sha256.leaf(&[TAG_POSITIONS, &bytes])
}

/// The leaf of a chunk of times, which ascend: each as 8 bytes, and its position as 4.
pub fn time_chunk_leaf(entries: &[TimeEntry]) -> Hash {
    let mut bytes = Vec::with_capacity(entries.len() * 12);
    for entry in entries {
        bytes.extend_from_slice(&entry.time.to_le_bytes());
        bytes.extend_from_slice(&entry.position.to_le_bytes());
    }
    HashAlgorithm::Sha256.leaf(&[TAG_TIMES, &bytes])
}

/// Root over the chunks of a list of positions.
pub(super) fn positions_root(positions: &[u32]) -> Hash {
    // Nearly all lists are short: their only leaf is the root.
    match positions.len() {
        1..=CHUNK => position_chunk_leaf(positions),
        _ => root(positions.chunks(CHUNK).map(position_chunk_leaf)),
    }
}

/// Root over the chunks of a list of times.
pub(super) fn times_root(entries: &[TimeEntry]) -> Hash {
    root(entries.chunks(CHUNK).map(time_chunk_leaf))
}

pub(super) fn root(leaves: impl Iterator<Item = Hash>) -> Hash {
    let mut frontier = Frontier::new(HashAlgorithm::Sha256);
    leaves.for_each(|leaf| frontier.push(leaf, |_, _| ()));
    frontier.root()
}
