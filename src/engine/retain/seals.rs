//! The times of seals: as the catalog records them, and by a clock that was ahead, which is why a
//! plan keeps segments longer than their records ask for.

use std::collections::BTreeMap;

use crate::catalog::Catalog;
use crate::error::{Error, Result};
use crate::format::catalog_body::{CatalogBody, Sealed};
use crate::read::entry::SegmentEntry;
use crate::read::records::SegmentSnapshot;
use crate::retention::{Candidate, LATE_BY, LateSeal, Policy, keep_until};
use crate::time::Timestamp;

/// When the catalog recorded the seal of each segment: by the clock, and no earlier than it was made.
/// Signed heads bind these times, and not those in footers.
#[derive(Default)]
pub(crate) struct RecordedSeals(BTreeMap<u64, Timestamp>);

impl RecordedSeals {
    /// Reads the catalog if it does not know of a segment yet.
    ///
    /// # Errors
    /// `Tampered` if no seal of it is recorded; damage, I/O.
    pub(crate) fn of(&mut self, catalog: &Catalog, ordinal: u64) -> Result<Timestamp> {
        if !self.0.contains_key(&ordinal) {
            catalog.each_record(|record| {
                if let Ok((_, CatalogBody::Sealed(sealed))) =
                    CatalogBody::decode(record.head.kind, record.envelope)
                {
                    self.0.insert(sealed.ordinal, record.head.recorded_at);
                }
            })?;
        }
        self.0.get(&ordinal).copied().ok_or_else(|| {
            let what = format!("the seal of segment {ordinal}");
            Error::tampered(what, "a record of it in the catalog", "none")
        })
    }
}

/// Finds late seals, for segments in ascending order.
pub(crate) struct LateSeals<'a> {
    snapshot: &'a SegmentSnapshot,
    policy: Option<&'a Policy>,
    /// The latest time behind each sealed segment.
    behind: BTreeMap<u64, Timestamp>,
    now: Timestamp,
    /// The last one that was asked for, the time of its seal, and where this came from.
    last: Option<(u64, Timestamp, u64)>,
}

impl<'a> LateSeals<'a> {
    /// `sealed`: all segments, ascending; `active`: the newest time that is in none of them.
    pub(crate) fn new(
        snapshot: &'a SegmentSnapshot,
        policy: Option<&'a Policy>,
        (sealed, active): (&[Sealed], Option<Timestamp>),
        now: Timestamp,
    ) -> Self {
        let mut latest = active;
        let mut behind = BTreeMap::new();
        for sealed in sealed.iter().rev() {
            behind.extend(latest.map(|latest| (sealed.ordinal, latest)));
            latest = latest.max(Some(Timestamp::from_nanos(sealed.times[1])));
        }
        LateSeals { snapshot, policy, behind, now, last: None }
    }

    /// The late seal that keeps a segment; `up_to`: the latest time up to its end.
    pub(crate) fn of(
        &mut self,
        entry: &SegmentEntry,
        candidate: &Candidate,
        up_to: Timestamp,
    ) -> Option<LateSeal> {
        let recorded = Candidate { keep_until: None, counted_from: up_to, ..candidate.clone() };
        let kept = keep_until(candidate, self.policy?);
        // Few are kept much longer than their records ask for: only of those the seals are read.
        if kept.saturating_since(keep_until(&recorded, self.policy?)) <= LATE_BY {
            return None;
        }
        let sealed_at = self.sealed_at(entry)?;
        let from = self.came_from(entry, sealed_at);
        self.last = Some((entry.ordinal, sealed_at, from));
        let behind = self.behind.get(&entry.ordinal).copied();
        let behind = if from < entry.ordinal { behind.max(Some(up_to)) } else { behind };
        LateSeal::find((from, sealed_at), up_to, behind, self.now)
    }

    /// The first segment whose seal has this time: those behind it took it over.
    fn came_from(&self, entry: &SegmentEntry, sealed_at: Timestamp) -> u64 {
        let entries = self.snapshot.entries().iter().rev();
        let before = entries.filter(|before| before.ordinal < entry.ordinal);
        let mut from = entry.ordinal;
        for before in before.filter(|before| before.is_sealed_and_there()) {
            match self.last {
                Some((last, at, from)) if last == before.ordinal && at == sealed_at => return from,
                _ if self.sealed_at(before) == Some(sealed_at) => from = before.ordinal,
                _ => break,
            }
        }
        from
    }

    /// What cannot be read is found elsewhere.
    fn sealed_at(&self, entry: &SegmentEntry) -> Option<Timestamp> {
        let open = self.snapshot.segment_set().open_sealed(entry).ok()?;
        Some(open.footer.sealed_at)
    }
}
