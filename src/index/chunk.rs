//! How many positions and terms are read together.

/// Positions of a chunk, at most: lists are read by chunks.
pub const CHUNK: usize = crate::terms::CHUNK;
pub(super) const CHUNK_U32: u32 = 128;

/// Terms of a group: see [`CommittedIndex::group_root`](super::CommittedIndex::group_root).
pub const GROUP: u64 = 16;
