//! The times of seals: one that was made by a clock that was ahead keeps what comes later, too.

use std::collections::BTreeMap;

use super::report::Place;
use super::verifier::Verifier;
use crate::retention::LateSeal;
use crate::time::Timestamp;

impl Verifier<'_> {
    /// A seal that is later than all that the log recorded is no contradiction to anything that was
    /// signed: a warning.
    pub(super) fn warn_of_late_seals(&mut self) {
        for late in self.late_seals() {
            let LateSeal { ordinal, sealed_at, latest } = late;
            let path = self.dir.segment(ordinal);
            let place: Place = (Some(ordinal), None, None);
            let expected = format!("a time up to {latest}, or a day later");
            let found = format!(
                "{sealed_at}: the clock was ahead, and the retention of what is sealed later \
                 counts from this time, too"
            );
            self.warning(&path, place, "time of the seal", expected, found);
        }
    }

    fn late_seals(&self) -> Vec<LateSeal> {
        let now = self.options.clock.now();
        let mut newest = self.seals.newest.clone();
        let recorded = |times: [i64; 4]| Timestamp::from_nanos(times[1]);
        newest.extend(self.sealed.iter().map(|sealed| (sealed.ordinal, recorded(sealed.times))));
        let created = self.catalog.as_ref().and_then(|catalog| catalog.whole.state.created());
        let created = created.map(|created| Timestamp::from_nanos(created.created_at));
        let mut latest_from = BTreeMap::new();
        let mut latest = None;
        for (ordinal, time) in newest.iter().rev() {
            latest = latest.max(Some(*time));
            latest_from.insert(*ordinal, latest);
        }
        let (mut next, mut up_to, mut before) = (0, created, None);
        let mut late = Vec::new();
        for (ordinal, sealed_at) in &self.seals.sealed_at {
            up_to =
                newest.range(next..=*ordinal).map(|(_, time)| Some(*time)).fold(up_to, Ord::max);
            next = ordinal.saturating_add(1);
            // The seals behind it took its time over.
            if before.replace(*sealed_at) != Some(*sealed_at) {
                let behind = latest_from.range(next..).next().and_then(|(_, latest)| *latest);
                let seal = (*ordinal, *sealed_at);
                late.extend(LateSeal::find(seal, up_to.unwrap_or(Timestamp::MIN), behind, now));
            }
        }
        late
    }
}
