//! The lists of times of an index file.

use super::chunk::CHUNK;
use super::chunk::CHUNK_U32;
use super::damaged::Damaged;
use super::file::IndexFile;
use super::sections::{FIRST_TIME, TimeTable};
use crate::query::TimeRange;
use crate::terms::{Axis, TimeEntry, put_varint, take_varint};

/// Nanoseconds of the units that differences of times are written in, by their codes.
const UNITS: [u64; 4] = [1, 1_000, 1_000_000, 1_000_000_000];
/// The bits of a body's first byte that tell the unit.
const UNIT_BITS: u8 = 0b011;
/// The bit of a body's first byte that leaves positions out.
const CONSECUTIVE: u8 = 0b100;
/// The longest body: a byte, and of each further entry ten bytes of time and five of position.
const BODY_MAX: u64 = 1 + 15 * (CHUNK as u64 - 1);

/// A list of times as it is written.
pub(super) struct PackedTimes {
    pub(super) firsts: Vec<u8>,
    pub(super) bodies: Vec<u8>,
}

/// Packs a list that ascends.
pub(super) fn pack(entries: &[TimeEntry]) -> PackedTimes {
    let (mut firsts, mut bodies) = (Vec::new(), Vec::with_capacity(entries.len() * 5));
    for chunk in entries.chunks(CHUNK) {
        let offset = u32::try_from(bodies.len()).unwrap_or(u32::MAX);
        firsts.extend_from_slice(&chunk[0].time.to_le_bytes());
        firsts.extend_from_slice(&chunk[0].position.to_le_bytes());
        firsts.extend_from_slice(&offset.to_le_bytes());
        put_body(&mut bodies, chunk);
    }
    PackedTimes { firsts, bodies }
}

fn put_body(out: &mut Vec<u8>, chunk: &[TimeEntry]) {
    let pairs = || chunk.iter().zip(chunk.iter().skip(1));
    let (mut unit, mut consecutive) = (UNITS.len() - 1, true);
    for (before, entry) in pairs() {
        let difference = entry.time.abs_diff(before.time);
        while !difference.is_multiple_of(UNITS[unit]) {
            unit -= 1;
        }
        consecutive &= before.position.checked_add(1) == Some(entry.position);
    }
    let flags = unit.to_le_bytes()[0] | if consecutive { CONSECUTIVE } else { 0 };
    out.push(flags);
    for (before, entry) in pairs() {
        put_varint(out, entry.time.abs_diff(before.time) / UNITS[unit]);
        if !consecutive {
            let step = i64::from(entry.position) - i64::from(before.position);
            put_varint(out, ((step << 1) ^ (step >> 63)).cast_unsigned());
        }
    }
}

/// The entries of a chunk.
pub(super) struct TimeChunk {
    entries: [TimeEntry; CHUNK],
    len: usize,
}

impl TimeChunk {
    pub(super) fn as_slice(&self) -> &[TimeEntry] {
        &self.entries[..self.len]
    }
}

impl TimeTable {
    fn chunks(&self) -> u32 {
        self.entries.div_ceil(CHUNK_U32)
    }
}

impl IndexFile {
    /// First entry of a chunk that there is, and where its body begins.
    fn first_time(&self, table: &TimeTable, chunk: u32) -> Result<(TimeEntry, u32), Damaged> {
        let at = table.firsts + u64::from(chunk) * FIRST_TIME;
        let bytes = self.pages().slice(at, FIRST_TIME)?;
        let [a, b, c, d, e, f, g, h, rest @ ..] = *bytes.first_chunk::<16>().unwrap_or(&[0; 16]);
        let [i, j, k, l, m, n, o, p] = rest;
        let time = i64::from_le_bytes([a, b, c, d, e, f, g, h]);
        let position = u32::from_le_bytes([i, j, k, l]);
        if position >= self.header().records {
            return Err(Damaged { offset: at, expected: "a position below the number of records" });
        }
        Ok((TimeEntry { time, position }, u32::from_le_bytes([m, n, o, p])))
    }

    /// The entries of a chunk; none beyond the last one.
    pub(super) fn time_chunk(&self, axis: Axis, chunk: u32) -> Result<TimeChunk, Damaged> {
        let table = self.sections().times(axis);
        let empty = TimeEntry { time: 0, position: 0 };
        let mut found = TimeChunk { entries: [empty; CHUNK], len: 0 };
        if chunk >= table.chunks() {
            return Ok(found);
        }
        let (first, start) = self.first_time(table, chunk)?;
        let (limit, stop) = match chunk + 1 < table.chunks() {
            true => self.first_time(table, chunk + 1).map(|(next, stop)| (Some(next), stop))?,
            false => (None, table.bodies_len),
        };
        let offset = table.bodies + u64::from(start);
        let damaged = |expected| Damaged { offset, expected };
        let body_len = stop.checked_sub(start).filter(|_| stop <= table.bodies_len);
        let body_len = body_len.map(u64::from).filter(|len| *len <= BODY_MAX);
        let body_len = body_len.ok_or(damaged("bodies of times that follow one another"))?;
        let body = self.pages().slice(offset, body_len)?;
        found.len = (table.entries - chunk * CHUNK_U32).min(CHUNK_U32) as usize;
        let records = self.header().records;
        let whole = read_body(body, first, records, &mut found.entries[..found.len]);
        let ascends = limit.is_none_or(|limit| found.as_slice().last() < Some(&limit));
        match whole.is_some() && ascends {
            true => Ok(found),
            false => Err(damaged("times that ascend, as many as the chunk has")),
        }
    }

    /// How many events have a time before this one.
    fn times_before(&self, axis: Axis, time: i64) -> Result<u32, Damaged> {
        let table = self.sections().times(axis);
        let (mut low, mut high) = (0, table.chunks());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.first_time(table, middle)?.0.time < time {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        // The chunks from here on begin at or behind the time; the one before may go past it.
        let Some(chunk) = low.checked_sub(1) else { return Ok(0) };
        let entries = self.time_chunk(axis, chunk)?;
        let before = entries.as_slice().partition_point(|entry| entry.time < time);
        Ok(chunk * CHUNK_U32 + u32::try_from(before).unwrap_or(0))
    }

    /// Gives the steps of a chunk. One that begins and ends in the same step is not read.
    pub(super) fn chunk_steps(
        &self,
        axis: Axis,
        chunk: u32,
        width: i64,
        each: &mut dyn FnMut(i64, u64),
    ) -> Result<(), Damaged> {
        let table = self.sections().times(axis);
        if chunk + 1 < table.chunks() {
            let step = self.first_time(table, chunk)?.0.time.div_euclid(width);
            if step == self.first_time(table, chunk + 1)?.0.time.div_euclid(width) {
                each(step, CHUNK as u64);
                return Ok(());
            }
        }
        let of_chunk = self.time_chunk(axis, chunk)?;
        of_chunk.as_slice().iter().for_each(|entry| each(entry.time.div_euclid(width), 1));
        Ok(())
    }

    /// Whether the events stand in the order in which they were recorded: looked at once, as
    /// long as the file is open.
    pub(super) fn recorded_ascends(&self) -> Result<bool, Damaged> {
        if let Some(known) = self.recorded_ascends.get() {
            return Ok(*known);
        }
        let (mut before, mut ascends) = (None, true);
        for chunk in 0..self.sections().times(Axis::Recorded).chunks() {
            for entry in self.time_chunk(Axis::Recorded, chunk)?.as_slice() {
                ascends &= before < Some(entry.position);
                before = Some(entry.position);
            }
        }
        Ok(*self.recorded_ascends.get_or_init(|| ascends))
    }

    /// An entry of the events by when they were recorded.
    pub(super) fn recorded_at(&self, number: u32) -> Result<TimeEntry, Damaged> {
        let offset = self.sections().times(Axis::Recorded).firsts;
        let chunk = self.time_chunk(Axis::Recorded, number / CHUNK_U32)?;
        let found = chunk.as_slice().get((number % CHUNK_U32) as usize).copied();
        found.ok_or(Damaged { offset, expected: "as many times as there are events" })
    }

    /// The smallest and the largest time of an axis; `None` if there is no event.
    fn extent(&self, axis: Axis) -> Result<Option<(i64, i64)>, Damaged> {
        let Some(last) = self.sections().times(axis).chunks().checked_sub(1) else {
            return Ok(None);
        };
        let (first, _) = self.first_time(self.sections().times(axis), 0)?;
        let last = self.time_chunk(axis, last)?;
        Ok(last.as_slice().last().map(|last| (first.time, last.time)))
    }

    /// Whether all its times lie between those that a seal names: smallest and largest
    /// `recorded_at`, then `occurred_at`.
    pub fn fits_times(&self, sealed: [i64; 4]) -> bool {
        let [recorded_min, recorded_max, occurred_min, occurred_max] = sealed;
        let fits = |axis, min, max| match self.extent(axis) {
            Ok(Some((first, last))) => min <= first && last <= max,
            Ok(None) => true,
            Err(_) => false,
        };
        fits(Axis::Recorded, recorded_min, recorded_max)
            && fits(Axis::Occurred, occurred_min, occurred_max)
    }

    /// The numbers of the entries that are in the range.
    pub(super) fn time_entries(
        &self,
        axis: Axis,
        times: TimeRange,
    ) -> Result<std::ops::Range<u32>, Damaged> {
        let before = |time: crate::time::Timestamp| self.times_before(axis, time.as_nanos());
        let start = times.since.map_or(Ok(0), before)?;
        let end = times.until.map_or(Ok(self.header().events), before)?;
        Ok(start..end.max(start))
    }
}

/// Fills `into` from the first entry on; `None` if the body is not that of so many entries.
fn read_body(
    mut body: &[u8],
    first: TimeEntry,
    records: u32,
    into: &mut [TimeEntry],
) -> Option<()> {
    let (flags, rest) = body.split_first()?;
    body = rest;
    let unit = *UNITS.get(usize::from(flags & UNIT_BITS))?;
    let mut before = first;
    let (place, places) = into.split_first_mut()?;
    *place = first;
    if flags & !(UNIT_BITS | CONSECUTIVE) != 0 {
        return None;
    }
    for place in places {
        let difference = take_varint(&mut body)?.checked_mul(unit)?;
        let time = before.time.checked_add_unsigned(difference)?;
        let position = match flags & CONSECUTIVE == 0 {
            true => {
                u32::try_from(take_step(&mut body)?.checked_add(before.position.into())?).ok()?
            }
            false => before.position.checked_add(1)?,
        };
        let entry = TimeEntry { time, position };
        if entry <= before || position >= records {
            return None;
        }
        (*place, before) = (entry, entry);
    }
    body.is_empty().then_some(())
}

/// Takes a difference of positions.
fn take_step(body: &mut &[u8]) -> Option<i64> {
    let zigzag = take_varint(body)?;
    Some((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
}
