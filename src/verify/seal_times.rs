//! Times of segments, as they were met.

use std::collections::BTreeMap;

use crate::time::Timestamp;

/// What was met of the times of segments, by ordinal.
#[derive(Default)]
pub(super) struct SealTimes {
    pub(super) sealed_at: BTreeMap<u64, Timestamp>,
    pub(super) newest: BTreeMap<u64, Timestamp>,
}

impl SealTimes {
    /// Notes when a segment was sealed, if it is, and the time of its newest record.
    pub(super) fn note(
        &mut self,
        ordinal: u64,
        sealed_at: Option<Timestamp>,
        newest: Option<Timestamp>,
    ) {
        self.sealed_at.extend(sealed_at.map(|time| (ordinal, time)));
        self.newest.extend(newest.map(|time| (ordinal, time)));
    }
}
