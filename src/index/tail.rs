//! [`Tail`]: the index of a segment that is being written, in memory.

use std::collections::HashMap;
use std::ops::Range;

use super::damaged::Damaged;
use super::id_field::IdField;
use super::id_field::fingerprint;
use super::posting_list::PostingList;
use super::segment_index::EachTerm;
use super::segment_index::SegmentIndex;
use crate::event::RecordKind;
use crate::query::{Subject, TimeRange};
use crate::terms::{Axis, Collected, Field, Reach, TimeEntry, Wanted};
use crate::time::Timestamp;

/// The index of a segment as far as its records were taken in. Takes about 100 bytes an
/// event, and the names of its terms.
#[derive(Debug, Default)]
pub struct Tail {
    collected: Collected,
    ids: [Ids; IdField::ALL.len()],
}

/// The positions of one kind of identifier, by fingerprint.
#[derive(Debug, Default)]
pub(super) struct Ids {
    /// The newest entry of each fingerprint.
    newest: HashMap<u64, u32>,
    /// Position, and the entry before it with the same fingerprint.
    entries: Vec<(u32, u32)>,
}

const NO_ENTRY: u32 = u32::MAX;

impl Tail {
    /// Takes in the next record.
    pub fn add(&mut self, kind: RecordKind, recorded_at: Timestamp, subject: &Subject<'_>) {
        let position = self.collected.records();
        self.collected.add(kind, recorded_at, subject);
        if kind != RecordKind::Event {
            return;
        }
        let ids = [
            (IdField::Event, subject.id.as_ref().map(|id| id.0.as_slice())),
            (IdField::Request, subject.request_id.map(str::as_bytes)),
            (IdField::Correlation, subject.correlation_id.map(str::as_bytes)),
            (IdField::Trace, subject.trace_id.as_ref().map(|id| id.as_bytes().as_slice())),
        ];
        for (which, id) in ids {
            if let Some(id) = id {
                self.ids_of_mut(which).add(fingerprint(which, id), position);
            }
        }
    }

    /// What the logical index is made of.
    pub fn collected(&self) -> &Collected {
        &self.collected
    }

    /// Fingerprints and positions of one kind of identifier, in no order.
    pub fn ids(&self, which: IdField) -> impl Iterator<Item = (u64, u32)> {
        let ids = self.ids_of(which);
        ids.newest.iter().flat_map(|(fingerprint, newest)| {
            ids.chain(*newest).map(|position| (*fingerprint, position))
        })
    }

    fn ids_of(&self, which: IdField) -> &Ids {
        &self.ids[usize::from(which.code()) - 1]
    }

    fn ids_of_mut(&mut self, which: IdField) -> &mut Ids {
        &mut self.ids[usize::from(which.code()) - 1]
    }
}

impl Ids {
    fn add(&mut self, fingerprint: u64, position: u32) {
        let Ok(entry) = u32::try_from(self.entries.len()) else { return };
        let before = self.newest.insert(fingerprint, entry);
        self.entries.push((position, before.unwrap_or(NO_ENTRY)));
    }

    /// The positions from an entry on, newest first.
    fn chain(&self, entry: u32) -> impl Iterator<Item = u32> {
        let mut next = entry;
        std::iter::from_fn(move || {
            let (position, before) = *self.entries.get(next as usize)?;
            next = before;
            Some(position)
        })
    }
}

impl SegmentIndex for Tail {
    fn records(&self) -> u32 {
        self.collected.records()
    }

    fn spec(&self) -> u8 {
        self.collected.spec()
    }

    fn wanted<'a>(
        &'a self,
        wanted: &Wanted,
        found: &mut Vec<PostingList<'a>>,
    ) -> Result<(), Damaged> {
        let field = wanted.field;
        match (wanted.reach, wanted.term()) {
            (_, Some(term)) => {
                let list = Some(self.collected.list(&term)).filter(|list| !list.is_empty());
                found.extend(list.map(PostingList::Plain));
            }
            (Reach::AnyType, None) => {
                found.extend(
                    self.collected.lists_of_name(field, &wanted.name).map(PostingList::Plain),
                );
            }
            _ => {
                let terms = self.collected.terms(field);
                let meant = terms.filter(|(term, _)| wanted.means(term));
                found.extend(meant.map(|(_, list)| PostingList::Plain(list)));
            }
        }
        Ok(())
    }

    fn terms(&self, field: Field, each: &mut EachTerm<'_>) -> Result<(), Damaged> {
        self.collected
            .terms(field)
            .try_for_each(|(term, list)| each(&term, PostingList::Plain(list)))
    }

    fn with_id(
        &self,
        which: IdField,
        fingerprint: u64,
        found: &mut Vec<u32>,
    ) -> Result<(), Damaged> {
        let ids = self.ids_of(which);
        found.extend(ids.newest.get(&fingerprint).into_iter().flat_map(|entry| ids.chain(*entry)));
        Ok(())
    }

    fn count_times(&self, axis: Axis, times: TimeRange) -> Result<u32, Damaged> {
        let mut count = 0;
        self.times(axis, times, &mut |_| count += 1)?;
        Ok(count)
    }

    fn recorded_window(&self, times: TimeRange) -> Result<Option<Range<u32>>, Damaged> {
        Ok(self.collected.recorded_window(times))
    }

    fn times(
        &self,
        axis: Axis,
        times: TimeRange,
        each: &mut dyn FnMut(TimeEntry),
    ) -> Result<(), Damaged> {
        let entries = self.collected.times(axis);
        entries.filter(|entry| times.contains(Timestamp::from_nanos(entry.time))).for_each(each);
        Ok(())
    }
}
