//! [`Cursor`]: walks a list up or down, and leaps over what is not asked for.

use super::chunk::{CHUNK, CHUNK_U32};
use super::damaged::Damaged;
use super::packed::PackedPostings;

/// The positions of the records that have a term, ascending, each once.
#[derive(Clone, Copy, Debug)]
pub enum PostingList<'a> {
    /// In memory.
    Plain(&'a [u32]),
    /// In an index file.
    Packed(PackedPostings<'a>),
}

impl<'a> PostingList<'a> {
    /// How many positions there are; at least 1.
    pub fn len(&self) -> u32 {
        match self {
            PostingList::Plain(positions) => u32::try_from(positions.len()).unwrap_or(u32::MAX),
            PostingList::Packed(packed) => packed.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many chunks there are. All but the last have [`CHUNK`] positions.
    pub fn chunks(&self) -> u32 {
        self.len().div_ceil(CHUNK_U32)
    }

    /// The first position of a chunk.
    pub fn first_of(&self, chunk: u32) -> Result<u32, Damaged> {
        match self {
            PostingList::Plain(positions) => {
                Ok(positions.get(chunk as usize * CHUNK).copied().unwrap_or(u32::MAX))
            }
            PostingList::Packed(packed) => packed.first_of(chunk),
        }
    }

    /// Reads a chunk: how many positions it has. None beyond the last chunk.
    pub fn read(&self, chunk: u32, into: &mut [u32; CHUNK]) -> Result<usize, Damaged> {
        match self {
            PostingList::Plain(positions) => {
                let rest = positions.get(chunk as usize * CHUNK..).unwrap_or_default();
                let len = rest.len().min(CHUNK);
                into[..len].copy_from_slice(&rest[..len]);
                Ok(len)
            }
            PostingList::Packed(packed) => packed.read(chunk, into),
        }
    }

    /// Gives all positions, ascending.
    pub fn each(&self, mut each: impl FnMut(u32)) -> Result<(), Damaged> {
        let mut positions = [0; CHUNK];
        for chunk in 0..self.chunks() {
            let len = self.read(chunk, &mut positions)?;
            positions[..len].iter().for_each(|position| each(*position));
        }
        Ok(())
    }

    /// A cursor on it.
    pub fn cursor(self) -> Cursor<'a> {
        Cursor::new(self)
    }
}

/// A place in a list. Holds the chunk it is in, decoded.
#[derive(Debug)]
pub struct Cursor<'a> {
    list: PostingList<'a>,
    chunks: u32,
    /// The chunk that is decoded, and how many positions it has; 0: none is.
    chunk: u32,
    len: usize,
    positions: [u32; CHUNK],
    read: u64,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(list: PostingList<'a>) -> Self {
        Cursor { list, chunks: list.chunks(), chunk: 0, len: 0, positions: [0; CHUNK], read: 0 }
    }

    /// How many positions the list has.
    pub fn len(&self) -> u32 {
        self.list.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many positions were decoded so far.
    pub fn postings(&self) -> u64 {
        self.read
    }

    /// The largest position that is not above this one.
    pub fn at_most(&mut self, limit: u32) -> Result<Option<u32>, Damaged> {
        self.load_for(limit)?;
        let loaded = &self.positions[..self.len];
        let above = loaded.partition_point(|position| *position <= limit);
        // In the chunk that begins at or before the limit there is one, unless there is none.
        Ok(above.checked_sub(1).and_then(|at| loaded.get(at)).copied())
    }

    /// The smallest position that is not below this one.
    pub fn at_least(&mut self, limit: u32) -> Result<Option<u32>, Damaged> {
        self.load_for(limit)?;
        let loaded = &self.positions[..self.len];
        let below = loaded.partition_point(|position| *position < limit);
        if let Some(found) = loaded.get(below) {
            return Ok(Some(*found));
        }
        if self.chunk + 1 < self.chunks {
            self.load(self.chunk + 1)?;
            return Ok(self.positions[..self.len].first().copied());
        }
        Ok(None)
    }

    /// Decodes the last chunk that begins at or before the limit, or the first one.
    fn load_for(&mut self, limit: u32) -> Result<(), Damaged> {
        if self.len > 0 {
            let (first, last) = (self.positions[0], self.positions[self.len - 1]);
            let is_last = self.chunk + 1 == self.chunks;
            if first <= limit && (limit <= last || is_last) || limit < first && self.chunk == 0 {
                return Ok(());
            }
            // Most steps are short: the neighbour comes next.
            if limit > last && self.is_within_next(limit)? {
                return self.load(self.chunk + 1);
            }
        }
        let (mut low, mut high) = (0, self.chunks);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            match self.list.first_of(middle)? <= limit {
                true => low = middle,
                false => high = middle,
            }
        }
        if self.len == 0 || self.chunk != low {
            self.load(low)?;
        }
        Ok(())
    }

    /// Whether the limit lies from the beginning of the next chunk up to that of the one
    /// after it.
    fn is_within_next(&self, limit: u32) -> Result<bool, Damaged> {
        let (next, after) = (self.chunk + 1, self.chunk + 2);
        Ok(self.list.first_of(next)? <= limit
            && (after >= self.chunks || limit < self.list.first_of(after)?))
    }

    fn load(&mut self, chunk: u32) -> Result<(), Damaged> {
        self.len = self.list.read(chunk, &mut self.positions)?;
        self.chunk = chunk;
        self.read += self.len as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_walk_over_any_list_finds_what_a_search_finds(
            positions in prop::collection::btree_set(0_u32..2_000, 1..600),
            limits in prop::collection::vec((0_u32..2_100, any::<bool>()), 1..50),
        ) {
            let positions: Vec<u32> = positions.into_iter().collect();
            let mut cursor = PostingList::Plain(&positions).cursor();
            for (limit, up) in limits {
                let (found, expected) = match up {
                    true => (
                        cursor.at_least(limit),
                        positions.iter().find(|p| **p >= limit),
                    ),
                    false => (
                        cursor.at_most(limit),
                        positions.iter().rev().find(|p| **p <= limit),
                    ),
                };
                prop_assert_eq!(found.unwrap(), expected.copied());
            }
        }
    }
}
