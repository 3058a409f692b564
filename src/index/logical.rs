//! The logical index in memory, by its places.

use super::chunk::GROUP;
use super::damaged::Damaged;
use super::posting_list::PostingList;
use super::segment_index::CommittedIndex;
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::Frontier;
use crate::terms::{Axis, CHUNK, IndexHead, Logical, TimeEntry};

const GROUP_LEN: usize = 16;
const _: () = assert!(GROUP_LEN as u64 == GROUP, "one number");

/// A logical index with its head, from which proofs can be made.
#[derive(Debug)]
pub struct Placed<'a> {
    logical: Logical<'a>,
    head: IndexHead,
}

impl<'a> Placed<'a> {
    /// Hashes a logical index.
    pub fn new(logical: Logical<'a>) -> Self {
        let head = logical.head();
        Placed { logical, head }
    }
}

impl CommittedIndex for Placed<'_> {
    fn head(&self) -> IndexHead {
        self.head
    }

    fn place_of(&self, key: &[u8]) -> Result<u64, Damaged> {
        Ok(self.logical.terms.partition_point(|term| term.key.as_slice() < key) as u64)
    }

    fn term_at(&self, place: u64) -> Result<(Vec<u8>, PostingList<'_>), Damaged> {
        let term = usize::try_from(place).ok().and_then(|place| self.logical.terms.get(place));
        let term = term.ok_or(Damaged { offset: place, expected: "a term at this place" })?;
        Ok((term.key.clone(), PostingList::Plain(term.positions)))
    }

    fn group_root(&self, group: u64) -> Result<Hash, Damaged> {
        let mut frontier = Frontier::new(HashAlgorithm::Sha256);
        let first = usize::try_from(group.saturating_mul(GROUP)).unwrap_or(usize::MAX);
        let terms = self.logical.terms.iter().skip(first).take(GROUP_LEN);
        terms.for_each(|term| frontier.push(term.leaf().hash(), |_, _| ()));
        Ok(frontier.root())
    }

    fn times_chunk(&self, axis: Axis, chunk: u64) -> Result<Vec<TimeEntry>, Damaged> {
        let first = usize::try_from(chunk.saturating_mul(CHUNK as u64)).unwrap_or(usize::MAX);
        let rest = self.logical.times(axis).get(first..).unwrap_or_default();
        Ok(rest[..rest.len().min(CHUNK)].to_vec())
    }
}
