//! Which segments a hold pins, as far as the indexes tell: for people and for plans. What
//! deletes looks at the records themselves, as is done here for drops that are not done.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::slice;

use crate::engine::retain::scan;
use crate::error::{Error, Result};
use crate::format::catalog_body::status;
use crate::keystore::KeyStore;
use crate::query::Query;
use crate::read::aliases;
use crate::read::entry::SegmentEntry;
use crate::read::recorded::RecordedHold;
use crate::read::records::SegmentSnapshot;
use crate::read::search::{Group, GroupBy};
use crate::read::snapshot::Snapshot;
use crate::retention::{Hold, HoldScope, Policy};

/// What a hold pins at present. A segment whose drop was begun and is not done counts while its
/// file is there: the next opening for writing compares its records with the holds, and calls the
/// drop off if one matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeldSegments {
    /// The segments that stay because of it, the active one included.
    pub segments: Vec<u64>,
    /// The records that it matches.
    pub records: u64,
    /// Bytes of those segments.
    pub bytes: u64,
}

impl Snapshot {
    /// What the hold of a case pins at present.
    ///
    /// # Errors
    /// `Retention` if no hold of this case is in force; damage, I/O.
    pub fn segments_held_by(&self, case: &str) -> Result<HeldSegments> {
        let hold = find(self.catalog().holds()?, case)?;
        pinned(self.records(), &hold, self.shared().options.key_store.as_ref())
    }
}

fn find(holds: Vec<RecordedHold>, case: &str) -> Result<Hold> {
    let found = holds.into_iter().find(|placed| placed.hold.case == case);
    let found = found.ok_or_else(|| Error::Retention {
        reason: format!("no hold of case {case:?} is in force: see `bulla hold list`"),
    })?;
    match found.unreadable {
        None => Ok(found.hold),
        Some(error) => Err(Error::Retention {
            reason: format!("what the hold of case {case:?} pins cannot be told: {error}"),
        }),
    }
}

fn pinned(
    snapshot: &SegmentSnapshot,
    hold: &Hold,
    store: Option<&KeyStore>,
) -> Result<HeldSegments> {
    let resolved = aliases::resolved(hold, store);
    let [Hold { scope, .. }] = as_found(snapshot, [resolved.clone()]);
    let mut pinned = HeldSegments::default();
    for entry in snapshot.entries() {
        let records = if entry.is_dropping() {
            matches_in_dropping(snapshot, entry, &resolved)?
        } else {
            matches_in(snapshot, entry, &scope)?
        };
        if records > 0 {
            pinned.records += records;
            pinned.segments.push(entry.ordinal);
            pinned.bytes += bytes_of(entry)?;
        }
    }
    Ok(pinned)
}

fn matches_in(snapshot: &SegmentSnapshot, entry: &SegmentEntry, scope: &HoldScope) -> Result<u64> {
    let mut records = 0;
    each_match(snapshot, entry, scope, || {
        records += 1;
        ControlFlow::Continue(())
    })?;
    Ok(records)
}

/// The matching records of a segment whose drop is not done. Searches leave these out, and the
/// index may be gone already: the records themselves are read, as by `settle`.
fn matches_in_dropping(
    snapshot: &SegmentSnapshot,
    entry: &SegmentEntry,
    hold: &Hold,
) -> Result<u64> {
    let Some(mut cursor) = snapshot.cursor_over(entry)? else { return Ok(0) };
    let mut records = 0;
    while let Some((_, record)) = cursor.next_record()? {
        match scan::check_holds(&record, slice::from_ref(hold), "a record") {
            Err(Error::Held { .. }) => records += 1,
            matched => matched?,
        }
    }
    Ok(records)
}

/// Holds that pin aliases that are not known pin none where there are none: then the indexes can be
/// asked for what they name. That there are none is told by the indexes too, or not at all.
pub(crate) fn as_found<H: AsMut<[Hold]>>(snapshot: &SegmentSnapshot, mut holds: H) -> H {
    let unsure = holds.as_mut().iter().find(|hold| hold.scope.pins_unknown_aliases());
    let Some(unsure) = unsure else { return holds };
    if !has_unknown_aliases(snapshot, &unsure.scope) {
        for hold in holds.as_mut() {
            hold.scope = hold.scope.without_aliases();
        }
    }
    holds
}

/// Which aliases are known is the same for all holds of a log.
fn has_unknown_aliases(snapshot: &SegmentSnapshot, scope: &HoldScope) -> bool {
    let is_unknown =
        |group: &Group| group.name.as_deref().is_some_and(|name| scope.is_unknown_alias(name));
    [GroupBy::Actor, GroupBy::Resource].into_iter().any(|by| {
        let groups = snapshot.count_by(&Query::new(), by);
        groups.map_or(true, |groups| groups.iter().any(is_unknown))
    })
}

/// The events in sealed segments, whose number never changes: they are counted once in an
/// expiry, and not again for each segment that goes.
#[derive(Debug, Default)]
pub(crate) struct Counted(BTreeMap<u64, u64>);

impl Counted {
    fn events(&mut self, snapshot: &SegmentSnapshot, entry: &SegmentEntry) -> Result<u64> {
        if let Some(known) = self.0.get(&entry.ordinal) {
            return Ok(*known);
        }
        let end = snapshot.end_of(entry);
        let events = snapshot.up_to(end).count_from(entry.first)?;
        let sealed = entry.sealed.as_ref();
        // A snapshot may have been taken before the last ones of a segment came.
        if sealed.is_some_and(|sealed| sealed.first.saturating_add(sealed.count) == end.get()) {
            self.0.insert(entry.ordinal, events);
        }
        Ok(events)
    }
}

/// From which record on a policy keeps the newest ones in any case; events count, not the
/// log's own records, of which every hold and every drop adds one.
pub(crate) fn kept_from(
    snapshot: &SegmentSnapshot,
    policy: Option<&Policy>,
    counted: &mut Counted,
) -> Result<u64> {
    let mut left = policy.map_or(0, |policy| policy.min_records);
    if left == 0 {
        return Ok(u64::MAX);
    }
    for entry in snapshot.entries().iter().rev().filter(|entry| !entry.is_gone()) {
        left = left.saturating_sub(counted.events(snapshot, entry)?);
        if left == 0 {
            return Ok(entry.first.get());
        }
    }
    Ok(0)
}

fn bytes_of(entry: &SegmentEntry) -> Result<u64> {
    match (&entry.open, &entry.sealed) {
        (Some(open), _) => open.segment.file_len(),
        (None, sealed) => Ok(sealed.as_ref().map_or(0, |sealed| sealed.bytes)),
    }
}

/// The cases of the holds that pin a segment.
pub(crate) fn held_by(
    snapshot: &SegmentSnapshot,
    entry: &SegmentEntry,
    holds: &[Hold],
) -> Result<Vec<String>> {
    let mut cases = Vec::new();
    for hold in holds {
        let mut pins = false;
        each_match(snapshot, entry, &hold.scope, || {
            pins = true;
            ControlFlow::Break(())
        })?;
        if pins {
            cases.push(hold.case.clone());
        }
    }
    Ok(cases)
}

/// Calls for each record of a segment that a hold matches.
fn each_match(
    snapshot: &SegmentSnapshot,
    entry: &SegmentEntry,
    scope: &HoldScope,
    mut each: impl FnMut() -> ControlFlow<()>,
) -> Result<()> {
    let sealed = entry.sealed.as_ref();
    let excluded = sealed
        .is_some_and(|sealed| !status::is_readable(sealed.status) || !scope.may_pin(sealed.times));
    let end = snapshot.end_of(entry);
    if excluded || entry.first >= end {
        return Ok(());
    }
    // The log's own records too: a hold on everything pins a segment with nothing else.
    let question = scope.question().system(true);
    let before = entry.first.last_seq().and_then(|last| question.cursor_after(last));
    let question = match before {
        Some(cursor) => question.after(cursor),
        None => question,
    };
    snapshot.up_to(end).query(&question)?.visit(|record| {
        match scope.matches(record.recorded_at(), record.kind(), &record.subject()) {
            true => each(),
            false => ControlFlow::Continue(()),
        }
    })
}
