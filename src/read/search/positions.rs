//! Sets of positions, and how many positions of a set lists have.

use std::collections::HashMap;

use crate::index::{Damaged, PostingList};

/// A set of positions.
pub(super) struct Bits(Vec<u64>);

impl Bits {
    pub(super) fn new(positions: u32) -> Self {
        Bits(vec![0; positions.div_ceil(64) as usize])
    }

    pub(super) fn set(&mut self, position: u32) {
        if let Some(word) = self.0.get_mut((position / 64) as usize) {
            *word |= 1 << (position % 64);
        }
    }

    pub(super) fn has(&self, position: u32) -> bool {
        let word = self.0.get((position / 64) as usize);
        word.is_some_and(|word| word >> (position % 64) & 1 == 1)
    }
}

pub(super) fn count_in(list: PostingList<'_>, bits: Option<&Bits>) -> Result<u64, Damaged> {
    let Some(bits) = bits else { return Ok(list.len().into()) };
    let mut count = 0;
    list.each(|position| count += u64::from(bits.has(position)))?;
    Ok(count)
}

/// How many records of a part have a term with each key, e.g. name a single resource of each type.
pub(super) enum Named {
    /// No record has two terms with one key: the lists can be added up.
    Apart(HashMap<Box<[u8]>, u64>),
    /// A record may have several: the positions, of which each counts once.
    Shared(HashMap<Box<[u8]>, Vec<u32>>),
}

impl Named {
    pub(super) fn new(is_shared: bool) -> Self {
        if is_shared { Named::Shared(HashMap::new()) } else { Named::Apart(HashMap::new()) }
    }

    /// Adds the list of a term, of which only the positions in `bits` count.
    pub(super) fn add(
        &mut self,
        key: &[u8],
        list: PostingList<'_>,
        bits: Option<&Bits>,
    ) -> Result<(), Damaged> {
        match self {
            Named::Apart(counts) => {
                let count = count_in(list, bits)?;
                *entry(counts, key) += count;
                Ok(())
            }
            Named::Shared(positions) => {
                let positions = entry(positions, key);
                list.each(|position| {
                    if bits.is_none_or(|bits| bits.has(position)) {
                        positions.push(position);
                    }
                })
            }
        }
    }

    /// The number of records for each key.
    pub(super) fn counts(self) -> HashMap<Box<[u8]>, u64> {
        match self {
            Named::Apart(counts) => counts,
            Named::Shared(positions) => {
                let distinct = |mut positions: Vec<u32>| {
                    positions.sort_unstable();
                    positions.dedup();
                    positions.len() as u64
                };
                positions.into_iter().map(|(key, found)| (key, distinct(found))).collect()
            }
        }
    }
}

fn entry<'m, T: Default>(map: &'m mut HashMap<Box<[u8]>, T>, key: &[u8]) -> &'m mut T {
    map.entry(key.into()).or_default()
}
