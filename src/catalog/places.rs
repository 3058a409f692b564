//! [`Places`]: where records of the catalog stand in its segments.

use std::collections::BTreeMap;

use crate::ranked::{Mutex, Rank};
use crate::segment::scan::Position;
use crate::seq::Seq;

/// Of so many records the place of one is kept.
const PLACE_EVERY: u64 = 32;

/// Where records stand, of some in each segment that was walked: from there on, what comes next
/// is found without reading all that is before it.
#[derive(Debug)]
pub(super) struct Places(Mutex<BTreeMap<u64, Vec<Position>>>);

impl Default for Places {
    fn default() -> Self {
        Places(Mutex::new(Rank::CatalogPlaces, BTreeMap::new()))
    }
}

impl Places {
    /// The place that is known of the last record at or before this one.
    pub(super) fn before(&self, ordinal: u64, seq: Seq) -> Option<Position> {
        let places = self.0.lock();
        let places = places.get(&ordinal)?;
        let behind = places.partition_point(|place| place.size.get() <= seq.get());
        places.get(behind.checked_sub(1)?).copied()
    }

    pub(super) fn note(&self, ordinal: u64, place: Position) {
        let mut places = self.0.lock();
        let places = places.entry(ordinal).or_default();
        let next = places.last().map_or(0, |last| last.size.get().saturating_add(PLACE_EVERY));
        if place.size.get() >= next {
            places.push(place);
        }
    }

    /// Makes all of them wrong.
    #[cfg(test)]
    pub(super) fn shift(&self, by: u64) {
        let mut places = self.0.lock();
        places.values_mut().flatten().for_each(|place| place.offset += by);
    }
}
