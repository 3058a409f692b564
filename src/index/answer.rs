//! What an index file answers.

use std::cmp::Ordering;
use std::ops::Range;

use super::chunk::CHUNK_U32;
use super::damaged::Damaged;
use super::encode::fingerprint;
use super::file::{Entry, IndexFile, numbers};
use super::id_field::IdField;
use super::packed::PackedPostings;
use super::posting_list::PostingList;
use super::sections::{BUCKET, ROOT};
use super::segment_index::CommittedIndex;
use super::segment_index::EachTerm;
use super::segment_index::SegmentIndex;
use crate::hash::Hash;
use crate::query::TimeRange;
use crate::terms::{Axis, Field, IndexHead, Reach, TimeEntry, Wanted};

impl SegmentIndex for IndexFile {
    fn records(&self) -> u32 {
        self.header().records
    }

    fn spec(&self) -> u8 {
        self.header().spec
    }

    fn wanted<'a>(
        &'a self,
        wanted: &Wanted,
        found: &mut Vec<PostingList<'a>>,
    ) -> Result<(), Damaged> {
        let places = self.places_of(wanted.field);
        match (wanted.field.is_hashed(), wanted.reach) {
            (true, Reach::Exact | Reach::AnyType) => self.by_fingerprint(places, wanted, found),
            (true, Reach::Prefix) => {
                for place in places {
                    self.add_if_meant(place, wanted, found)?;
                }
                Ok(())
            }
            (false, _) => self.by_name(places, wanted, found),
        }
    }

    fn terms(&self, field: Field, each: &mut EachTerm<'_>) -> Result<(), Damaged> {
        for place in self.places_of(field) {
            let (term, entry) = self.term(field, place)?;
            each(&term, self.list(&entry)?)?;
        }
        Ok(())
    }

    fn with_id(
        &self,
        which: IdField,
        fingerprint: u64,
        found: &mut Vec<u32>,
    ) -> Result<(), Damaged> {
        let table = self.sections().ids(which);
        if table.count == 0 {
            return Ok(()); // the table may not be there at all
        }
        let shape = table.shape;
        let at = table.buckets + shape.bucket(fingerprint) * BUCKET;
        let bounds = self.pages().slice(at, 2 * BUCKET)?.first_chunk();
        let (first, end) = numbers(bounds.unwrap_or(&[0; 8]));
        if first > end || end > table.count {
            return Err(Damaged { offset: at, expected: "buckets that follow one another" });
        }
        let offset = table.entries + u64::from(first) * shape.entry_len();
        let entries = self.pages().slice(offset, u64::from(end - first) * shape.entry_len())?;
        let further = shape.further(fingerprint);
        for entry in entries.chunks_exact(2 + shape.wide) {
            let Some(position) = entry.strip_prefix(&further) else { continue };
            let mut wide = [0; 4];
            wide[..shape.wide].copy_from_slice(position);
            let position = u32::from_le_bytes(wide);
            if position >= self.records() {
                return Err(Damaged { offset, expected: "positions below the number of records" });
            }
            found.push(position);
        }
        Ok(())
    }

    fn count_times(&self, axis: Axis, times: TimeRange) -> Result<u32, Damaged> {
        let entries = self.time_entries(axis, times)?;
        Ok(entries.end - entries.start)
    }

    fn recorded_window(&self, times: TimeRange) -> Result<Option<Range<u32>>, Damaged> {
        if !self.recorded_ascends()? {
            return Ok(None);
        }
        let entries = self.time_entries(Axis::Recorded, times)?;
        let Some(last) = entries.end.checked_sub(1).filter(|last| *last >= entries.start) else {
            return Ok(Some(0..0));
        };
        let (first, last) = (self.recorded_at(entries.start)?, self.recorded_at(last)?);
        Ok(Some(first.position..last.position.saturating_add(1)))
    }

    fn times(
        &self,
        axis: Axis,
        times: TimeRange,
        each: &mut dyn FnMut(TimeEntry),
    ) -> Result<(), Damaged> {
        let entries = self.time_entries(axis, times)?;
        if entries.is_empty() {
            return Ok(());
        }
        for chunk in entries.start / CHUNK_U32..entries.end.div_ceil(CHUNK_U32) {
            let first = chunk * CHUNK_U32;
            let of_chunk = self.time_chunk(axis, chunk)?;
            let of_chunk = (first..).zip(of_chunk.as_slice());
            of_chunk.filter(|(n, _)| entries.contains(n)).for_each(|(_, entry)| each(*entry));
        }
        Ok(())
    }

    fn count_steps(
        &self,
        axis: Axis,
        times: TimeRange,
        width: i64,
        each: &mut dyn FnMut(i64, u64),
    ) -> Result<(), Damaged> {
        let entries = self.time_entries(axis, times)?;
        for chunk in entries.start / CHUNK_U32..entries.end.div_ceil(CHUNK_U32) {
            let (first, end) = (chunk * CHUNK_U32, (chunk + 1) * CHUNK_U32);
            if entries.start <= first && end <= entries.end {
                self.chunk_steps(axis, chunk, width, each)?;
                continue;
            }
            let of_chunk = self.time_chunk(axis, chunk)?;
            for (_, entry) in
                (first..).zip(of_chunk.as_slice()).filter(|(n, _)| entries.contains(n))
            {
                each(entry.time.div_euclid(width), 1);
            }
        }
        Ok(())
    }
}

impl IndexFile {
    fn list(&self, entry: &Entry<'_>) -> Result<PostingList<'_>, Damaged> {
        PackedPostings::parse(self.pages(), entry.list, entry.end, self.header().records)
            .map(PostingList::Packed)
    }

    /// Adds the list of the term at this place, if it is meant; whether it is.
    fn add_if_meant<'a>(
        &'a self,
        place: u32,
        wanted: &Wanted,
        found: &mut Vec<PostingList<'a>>,
    ) -> Result<bool, Damaged> {
        let (term, entry) = self.term(wanted.field, place)?;
        let is_meant = wanted.means(&term);
        if is_meant {
            found.push(self.list(&entry)?);
        }
        Ok(is_meant)
    }

    fn by_fingerprint<'a>(
        &'a self,
        places: Range<u32>,
        wanted: &Wanted,
        found: &mut Vec<PostingList<'a>>,
    ) -> Result<(), Damaged> {
        let fingerprint = fingerprint(wanted.field, &wanted.key);
        for place in self.first_with(places.clone(), fingerprint)?..places.end {
            let slot = self.slots(place..place + 1)?;
            if slot.first().map(|slot| numbers(slot).0) != Some(fingerprint) {
                break;
            }
            self.add_if_meant(place, wanted, found)?;
        }
        Ok(())
    }

    /// The first of these places whose fingerprint is not below this one.
    fn first_with(&self, places: Range<u32>, fingerprint: u32) -> Result<u32, Damaged> {
        let len = places.end - places.start;
        // Hashes are spread evenly: it is likely within four standard deviations of its share.
        let share = (u64::from(fingerprint) * u64::from(len)) >> 32;
        let share = u32::try_from(share).unwrap_or(len);
        let reach = 2 * len.isqrt() + 8;
        let near = share.saturating_sub(reach)..share.saturating_add(reach).min(len);
        let found = self.first_within(&places, near.clone(), fingerprint)?;
        let is_inside =
            (found > near.start || near.start == 0) && (found < near.end || near.end == len);
        let found =
            if is_inside { found } else { self.first_within(&places, 0..len, fingerprint)? };
        Ok(places.start + found)
    }

    /// The same among a part of the places, which are counted from their first one.
    fn first_within(
        &self,
        places: &Range<u32>,
        part: Range<u32>,
        fingerprint: u32,
    ) -> Result<u32, Damaged> {
        let slots = self.slots(places.start + part.start..places.start + part.end)?;
        let below = slots.partition_point(|slot| numbers(slot).0 < fingerprint);
        Ok(part.start + u32::try_from(below).unwrap_or(0))
    }

    fn by_name<'a>(
        &'a self,
        places: Range<u32>,
        wanted: &Wanted,
        found: &mut Vec<PostingList<'a>>,
    ) -> Result<(), Damaged> {
        let is_before = |place| Ok(self.term(wanted.field, place)?.0.name < wanted.name.as_slice());
        for place in partition(places.clone(), is_before)?..places.end {
            if !self.add_if_meant(place, wanted, found)? {
                break;
            }
        }
        Ok(())
    }

    fn key_at(&self, field: Field, place: u32) -> Result<Vec<u8>, Damaged> {
        Ok(self.term(field, place)?.0.key(self.header().log_id))
    }

    /// Whether the key at a place of a field stands before another one of that field.
    fn is_key_before(&self, field: Field, place: u32, key: &[u8]) -> Result<bool, Damaged> {
        if field.is_hashed() && key.len() > 4 {
            let slot = self.slots(place..place + 1)?.first().map_or(0, |slot| numbers(slot).0);
            match slot.cmp(&fingerprint(field, key)) {
                Ordering::Equal => {}
                order => return Ok(order == Ordering::Less),
            }
        }
        Ok(self.key_at(field, place)?.as_slice() < key)
    }
}

impl CommittedIndex for IndexFile {
    fn head(&self) -> IndexHead {
        self.index_head()
    }

    fn place_of(&self, key: &[u8]) -> Result<u64, Damaged> {
        let Some(code) = key.first() else { return Ok(0) };
        let place = match Field::from_code(*code) {
            Some(field) => {
                let is_before = |place| self.is_key_before(field, place, key);
                partition(self.places_of(field), is_before)?
            }
            None if *code == 0 => 0,
            None => self.header().terms(),
        };
        Ok(place.into())
    }

    fn term_at(&self, place: u64) -> Result<(Vec<u8>, PostingList<'_>), Damaged> {
        let damaged = Damaged { offset: place, expected: "a term at this place" };
        let place = u32::try_from(place).map_err(|_| damaged.clone())?;
        let field = Field::ALL.into_iter().find(|field| self.places_of(*field).contains(&place));
        let (term, entry) = self.term(field.ok_or(damaged)?, place)?;
        Ok((term.key(self.header().log_id), self.list(&entry)?))
    }

    fn group_root(&self, group: u64) -> Result<Hash, Damaged> {
        if group >= self.sections().group_count {
            return Err(Damaged { offset: group, expected: "a whole group with this number" });
        }
        let root = self.pages().slice(self.sections().groups + group * ROOT, ROOT)?;
        Ok(Hash::from_bytes(*root.first_chunk().unwrap_or(&[0; 32])))
    }

    fn times_chunk(&self, axis: Axis, chunk: u64) -> Result<Vec<TimeEntry>, Damaged> {
        let chunk = u32::try_from(chunk).unwrap_or(u32::MAX);
        Ok(self.time_chunk(axis, chunk)?.as_slice().to_vec())
    }
}

/// The first of these places of which something does not hold, if it holds of none behind.
fn partition(
    places: Range<u32>,
    mut holds: impl FnMut(u32) -> Result<bool, Damaged>,
) -> Result<u32, Damaged> {
    let Range { start: mut low, end: mut high } = places;
    while low < high {
        let middle = low + (high - low) / 2;
        match holds(middle)? {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    Ok(low)
}
