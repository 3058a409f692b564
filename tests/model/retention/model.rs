//! What the log must say, as lists: records, segments, holds, the policy, and the heads that
//! were signed. Nothing of the log's own rules is used here.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use bulla::log::RecordedHold;
use bulla::{DropCertificate, Hash, Timestamp, UnverifiedCheckpoint};

use crate::retention::erase::{Erasing, Subject};
use crate::retention::steps::{Deed, Rules, Scope};

/// A record that is, or was, in the log.
#[derive(Clone, Debug)]
pub struct Row {
    /// The number of the event; `None`: the log's own.
    pub deed: Option<(u64, Deed)>,
    pub recorded: Timestamp,
    pub occurred: Timestamp,
    pub leaf: Hash,
    /// The keys of its actor were destroyed.
    pub erased: bool,
}

#[derive(Clone, Debug)]
pub struct Segment {
    pub rows: Range<usize>,
    pub sealed: bool,
    /// By the policy when it was sealed it is kept at least until then.
    pub floor: Timestamp,
    /// What its seal says, once it was seen.
    pub fixed: Option<Timestamp>,
    pub certificate: Option<DropCertificate>,
    /// That it be archived was asked for, and that the log says it is.
    pub archive_asked: bool,
    pub archived: bool,
    /// That it be restored was asked for, and that the log says it is.
    pub restore_asked: bool,
    pub restored: bool,
}

impl Segment {
    /// Whether its records cannot be read.
    pub fn is_gone(&self) -> bool {
        self.certificate.is_some() && !self.restored
    }
}

#[derive(Clone, Debug)]
pub struct Placed {
    pub case: u8,
    pub scope: Scope,
    pub at: Timestamp,
    pub why: String,
    /// Where it stands in the catalog, once it was seen.
    pub seq: Option<u64>,
    pub released: Option<(Timestamp, String)>,
}

impl Placed {
    pub fn in_force(&self) -> bool {
        self.released.is_none()
    }
}

/// A change of which nobody was told whether it happened.
#[derive(Clone, Debug)]
pub enum Doubt {
    Placed(Placed),
    /// The index of the hold.
    Released(usize, Timestamp, String),
    Rules {
        before: Option<Rules>,
        after: Rules,
    },
}

#[derive(Debug, Default)]
pub struct Model {
    pub rows: Vec<Row>,
    pub segments: BTreeMap<u64, Segment>,
    pub holds: Vec<Placed>,
    pub rules: Option<Rules>,
    pub checkpoints: Vec<UnverifiedCheckpoint>,
    /// Events that were given to the log and not yet seen in it.
    pub given: Vec<(u64, Deed, Timestamp)>,
    pub acked: bool,
    pub numbers: u64,
    /// When the log was made.
    pub created: Timestamp,
    /// Whether segments may go whose times contradict those of others.
    pub allowed: bool,
    pub doubt: Option<Doubt>,
    /// An erasure of which nobody was told whether it happened.
    pub erasing: Option<Erasing>,
    /// Those of whom events were given to the log since they were erased.
    pub subjects: BTreeSet<Subject>,
}

pub fn case(case: u8) -> String {
    format!("case {case}")
}

fn after(time: Timestamp, days: u8) -> Timestamp {
    time.saturating_add(Duration::from_secs(u64::from(days) * 86_400))
}

impl Model {
    pub fn in_force(&self, case: u8) -> Option<usize> {
        self.holds.iter().position(|placed| placed.case == case && placed.in_force())
    }

    pub fn pins(scope: &Scope, row: &Row) -> bool {
        scope.pins(row.deed.as_ref().map(|deed| &deed.1), row.recorded, row.occurred)
    }

    /// Whether a scope pins a record of a segment.
    pub fn pins_segment(&self, scope: &Scope, ordinal: u64) -> bool {
        self.rows_of(ordinal).iter().any(|row| Model::pins(scope, row))
    }

    pub fn is_held(&self, ordinal: u64) -> bool {
        let mut in_force = self.holds.iter().filter(|placed| placed.in_force());
        in_force.any(|placed| self.pins_segment(&placed.scope, ordinal))
    }

    pub fn rows_of(&self, ordinal: u64) -> &[Row] {
        &self.rows[self.segments[&ordinal].rows.clone()]
    }

    /// The time of a segment's newest record.
    pub fn newest_of(&self, ordinal: u64) -> Timestamp {
        self.rows_of(ordinal).iter().map(|row| row.recorded).max().unwrap()
    }

    /// The latest time of the records before a row, or of the creation of the log.
    fn latest_before(&self, row: usize) -> Timestamp {
        let recorded = self.rows[..row].iter().map(|row| row.recorded);
        recorded.max().map_or(self.created, |latest| latest.max(self.created))
    }

    /// The latest time up to the end of a segment: no record is older than one before it.
    pub fn latest_of(&self, ordinal: u64) -> Timestamp {
        self.latest_before(self.segments[&ordinal].rows.end)
    }

    /// Whether all of a segment is earlier than something before it, or its newest record later
    /// than all behind it.
    pub fn is_contradicted(&self, ordinal: u64) -> bool {
        let exceeds = |late: Timestamp, early: Timestamp| {
            late.saturating_since(early) > Duration::from_secs(5)
        };
        let newest = self.newest_of(ordinal);
        let behind = self.segments.range(ordinal + 1..).filter(|(_, next)| !next.rows.is_empty());
        let mut behind = behind.map(|(behind, segment)| match segment.sealed {
            true => self.newest_of(*behind),
            false => self.rows_of(*behind)[segment.rows.len() - 1].recorded,
        });
        let before = self.latest_before(self.segments[&ordinal].rows.start);
        let is_last = Some(ordinal) == self.newest_segment();
        exceeds(before, newest) || !is_last && behind.all(|behind| exceeds(newest, behind))
    }

    /// A segment never goes before this.
    pub fn keep_until(&self, ordinal: u64) -> Timestamp {
        let segment = &self.segments[&ordinal];
        let newest = self.latest_of(ordinal);
        let fixed = segment.fixed.unwrap_or(Timestamp::MIN).max(segment.floor);
        let Some(rules) = self.rules else { return fixed };
        fixed.max(after(newest, rules.keep_days)).max(after(newest, rules.min_age_days))
    }

    /// What a seal under these rules fixes at least.
    pub fn floor(&self, newest: Timestamp, rules: Option<Rules>) -> Timestamp {
        rules.map_or(Timestamp::MIN, |rules| after(newest, rules.keep_days))
    }

    /// The newest segment with records: it always stays.
    pub fn newest_segment(&self) -> Option<u64> {
        let with_rows = self.segments.iter().filter(|(_, segment)| !segment.rows.is_empty());
        with_rows.map(|(ordinal, _)| *ordinal).max()
    }

    /// From which row on the newest events stay in any case: whole segments of them.
    pub fn kept_from(&self, rules: Rules) -> usize {
        let mut left = usize::from(rules.min_records);
        if left == 0 {
            return usize::MAX;
        }
        for segment in self.segments.values().rev().filter(|segment| !segment.is_gone()) {
            let rows = &self.rows[segment.rows.clone()];
            left = left.saturating_sub(rows.iter().filter(|row| row.deed.is_some()).count());
            if left == 0 {
                return segment.rows.start;
            }
        }
        0
    }

    /// The segments that an expiry at this time lets go.
    pub fn going(&self, now: Timestamp) -> Vec<u64> {
        let Some(rules) = self.rules else { return Vec::new() };
        let kept = self.kept_from(rules);
        let goes = |ordinal: &u64| {
            let segment = &self.segments[ordinal];
            segment.sealed
                && segment.certificate.is_none() // also what was restored stays
                && Some(*ordinal) != self.newest_segment()
                && now >= self.keep_until(*ordinal)
                && segment.rows.end <= kept
                && !self.is_held(*ordinal)
                && (self.allowed || !self.is_contradicted(*ordinal))
        };
        self.segments.keys().copied().filter(goes).collect()
    }

    /// Whether an expiry must not believe the clock.
    pub fn is_ahead(&self, now: Timestamp, lead_days: u16) -> bool {
        let lead = Duration::from_secs(u64::from(lead_days) * 86_400);
        let there = self.segments.values().filter(|segment| !segment.is_gone());
        let rows = there.flat_map(|segment| &self.rows[segment.rows.clone()]);
        // In the order of the log: its clock may have been set back since.
        let event = rows.filter(|row| row.deed.is_some()).map(|row| row.recorded).next_back();
        let drops = self.segments.values().filter_map(|segment| segment.certificate.as_ref());
        let believed = drops.max_by_key(|drop| drop.catalog_seq).map(|drop| drop.now.0);
        let newest = event.max(believed);
        self.rules.is_some() && newest.is_some_and(|newest| now.saturating_since(newest) > lead)
    }

    /// The segment of a record.
    pub fn segment_of(&self, at: usize) -> (u64, &Segment) {
        let found = self.segments.iter().find(|(_, segment)| segment.rows.contains(&at));
        found.map(|(ordinal, segment)| (*ordinal, segment)).unwrap()
    }

    /// Those records that are there and about which something is asked, ascending.
    pub fn readable(&self, asked: impl Fn(&Deed) -> bool) -> Vec<u64> {
        let live = self.segments.values().filter(|segment| !segment.is_gone());
        live.flat_map(|segment| segment.rows.clone())
            .filter(|at| self.rows[*at].deed.as_ref().is_some_and(|deed| asked(&deed.1)))
            .map(|at| at as u64)
            .collect()
    }

    /// Learns what became of a change in doubt from what the log says now.
    pub fn resolve(&mut self, holds: &[RecordedHold], policy: Option<&bulla::Policy>) {
        match self.doubt.clone() {
            None => {}
            Some(Doubt::Placed(placed)) => {
                let known = self.holds.iter().position(|held| held.why == placed.why);
                let there = holds.iter().any(|held| held.why.as_ref() == Some(&placed.why));
                match (known, there) {
                    (None, true) => self.holds.push(placed),
                    (Some(at), false) => drop(self.holds.remove(at)),
                    _ => {}
                }
            }
            Some(Doubt::Released(at, time, why)) => {
                let released = holds.get(at).is_some_and(|held| held.released.is_some());
                self.holds[at].released = released.then_some((time, why));
            }
            Some(Doubt::Rules { before, after }) => {
                let changed = policy == Some(&after.to_policy());
                self.rules = if changed { Some(after) } else { before };
            }
        }
    }
}
