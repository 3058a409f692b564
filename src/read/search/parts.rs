//! What of a snapshot is to be looked at: part by part, each within one segment.

use std::ops::Range;
use std::sync::Arc;

use super::explain::Explain;
use super::open_index::OpenIndex;
use crate::error::{Error, Result};
use crate::format::record::{CheckedRecord, RawRecord};
use crate::index::{IdField, IndexFile, SegmentIndex, fingerprint};
use crate::query::{Order, Query, TimeRange};
use crate::read::entry::SegmentEntry;
use crate::read::records::SegmentSnapshot;
use crate::read::segment_set::SegmentSet;
use crate::segment::bytes::{Scratch, SegmentFile};
use crate::segment::locate::{RecordCursor, Waypoints};
use crate::segment::seal::SealedSegment;
use crate::seq::{Seq, TreeSize};
use crate::terms::{self, Clause};
use crate::time::Timestamp;

/// Walks the parts of a snapshot in the order of a query.
#[derive(Debug)]
pub(super) struct SegmentCursor {
    pub(super) snapshot: SegmentSnapshot,
    pub(super) query: Query,
    pub(super) asked: CompiledQuery,
    pub(super) newest_first: bool,
    pub(super) explain: Explain,
    /// Upwards: the next Seq to look at. Downwards: one past it.
    next: u64,
    /// The segment of the part before.
    before: Option<u64>,
}

/// What a query asks of an index.
#[derive(Debug)]
pub(super) struct CompiledQuery {
    pub(super) clauses: Vec<Clause>,
    /// Of each kind of identifier that is asked for, the fingerprints that will do.
    pub(super) ids: Vec<(IdField, Vec<u64>)>,
}

/// Records of one segment that are looked at in one way.
#[derive(Debug)]
pub(super) struct SegmentScan {
    pub(super) ordinal: u64,
    /// Where it stands in the log, whole.
    pub(super) range: Range<u64>,
    /// Positions in it that may match by their `recorded_at`.
    pub(super) window: Range<u32>,
    /// What of the query's times is left to look at.
    pub(super) times: LeftTimes,
    pub(super) how: AccessPath,
    pub(super) reader: Reader,
}

/// The query's ranges of time, but for those that all of a segment, or of a window, lies in.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LeftTimes {
    pub(super) occurred: Option<TimeRange>,
    pub(super) recorded: Option<TimeRange>,
}

/// What tells which positions may match.
#[derive(Clone, Debug)]
pub(super) enum AccessPath {
    /// The index file of a sealed segment.
    File(Arc<IndexFile>),
    /// The index of an open segment, of which the part is taken in.
    Open(Arc<OpenIndex>),
    /// Nothing does. If it is an open segment, the scan is noted there.
    Scan(Option<Arc<OpenIndex>>),
}

impl AccessPath {
    /// Gives the index, if there is one.
    pub(super) fn with<T>(&self, ask: impl FnOnce(&dyn SegmentIndex) -> T) -> Option<T> {
        match self {
            AccessPath::File(file) => Some(ask(&**file)),
            AccessPath::Open(open) => Some(ask(&*open.read())),
            AccessPath::Scan(_) => None,
        }
    }
}

impl CompiledQuery {
    fn of(query: &Query, snapshot: &SegmentSnapshot) -> Self {
        let filters = &query.filters;
        let events = filters.event_ids.iter().map(|id| id.0.as_slice());
        let requests = filters.request_ids.iter().map(String::as_bytes);
        let correlations = filters.correlation_ids.iter().map(String::as_bytes);
        let traces = filters.trace_ids.iter().map(|id| id.as_bytes().as_slice());
        let prints = |which, ids: &mut dyn Iterator<Item = &[u8]>| {
            let prints: Vec<u64> = ids.map(|id| fingerprint(which, id)).collect();
            (which, prints)
        };
        let ids = [
            prints(IdField::Event, &mut { events }),
            prints(IdField::Request, &mut { requests }),
            prints(IdField::Correlation, &mut { correlations }),
            prints(IdField::Trace, &mut { traces }),
        ];
        let ids = ids.into_iter().filter(|(_, prints)| !prints.is_empty()).collect();
        CompiledQuery { clauses: terms::clauses(query, snapshot.segment_set().dir.log_id()), ids }
    }
}

impl SegmentCursor {
    /// All parts of a snapshot in the order of a query, from its cursor on.
    pub(super) fn of(snapshot: &SegmentSnapshot, query: &Query) -> Result<Self> {
        let start = start_of(query, snapshot.size())?;
        let newest_first = query.order == Order::NewestFirst;
        let size = snapshot.size().get();
        let next = match (start, newest_first) {
            (Some(seq), true) => seq.get().saturating_add(1),
            (None, true) => size,
            (Some(seq), false) => seq.get(),
            (None, false) => 0,
        };
        Ok(SegmentCursor {
            asked: CompiledQuery::of(query, snapshot),
            snapshot: snapshot.clone(),
            query: query.clone(),
            newest_first,
            explain: Explain { segments: snapshot.entries().len() as u64, ..Explain::default() },
            next,
            before: None,
        })
    }

    /// The next part with records that may match by their times.
    pub(super) fn next_part(&mut self) -> Result<Option<SegmentScan>> {
        loop {
            self.snapshot.check_cancelled()?;
            let Some((entry, range)) = self.next_segment() else { return Ok(None) };
            // Its times are as they were when it was sealed, whatever became of it.
            if self.is_excluded(&entry) {
                self.explain.skipped_by_time += 1;
                self.leave(&range);
                continue;
            }
            if entry.is_unknown() {
                self.explain.unknown += 1;
                self.leave(&range);
                continue;
            }
            if entry.is_gone() {
                self.explain.expired += 1;
                self.leave(&range);
                continue;
            }
            let part = self.part(&entry, range);
            self.leave(&part.range);
            if part.window.is_empty() {
                self.explain.skipped_by_time += u64::from(self.is_new(&part));
                continue;
            }
            match part.how {
                AccessPath::Scan(_) => self.explain.scanned += 1,
                _ => self.explain.indexed += u64::from(self.is_new(&part)),
            }
            return Ok(Some(part));
        }
    }

    /// The index of the part that was given has nothing that matches.
    pub(super) fn has_nothing(&mut self) {
        self.explain.skipped_by_index += 1;
        self.explain.indexed = self.explain.indexed.saturating_sub(1);
    }

    fn leave(&mut self, range: &Range<u64>) {
        self.next = if self.newest_first { range.start } else { range.end };
    }

    /// Whether no part of its segment came before.
    fn is_new(&mut self, part: &SegmentScan) -> bool {
        self.before.replace(part.ordinal) != Some(part.ordinal)
    }

    /// The segment in which the walk goes on, and what is left of it.
    fn next_segment(&self) -> Option<(SegmentEntry, Range<u64>)> {
        let seq = if self.newest_first { self.next.checked_sub(1)? } else { self.next };
        let size = self.snapshot.size().get();
        if seq >= size {
            return None;
        }
        let entries = self.snapshot.entries();
        let at = entries.partition_point(|entry| entry.first.get() <= seq);
        let entry = entries.get(at.checked_sub(1)?)?;
        let end = entries.get(at).map_or(size, |next| next.first.get().min(size));
        let left = match self.newest_first {
            true => entry.first.get()..self.next,
            false => self.next..end,
        };
        Some((entry.clone(), left))
    }

    fn is_excluded(&self, entry: &SegmentEntry) -> bool {
        let sealed = entry.sealed.as_ref();
        sealed.is_some_and(|sealed| !self.query.may_match_times(sealed.times))
    }

    /// The next part of a segment: all that is left of it or, of an open one, what of that
    /// is in its index, or what is not.
    fn part(&self, entry: &SegmentEntry, left: Range<u64>) -> SegmentScan {
        let first = entry.first.get();
        let view = self.snapshot.segment_set();
        let mut range = left;
        let how = match &entry.open {
            None => view.index_of(entry).map_or(AccessPath::Scan(None), AccessPath::File),
            Some(open) => {
                let taken_in = first + open.taken_in(range.end);
                let end = if self.newest_first { range.end - 1 } else { range.start };
                if end < taken_in {
                    range.end = range.end.min(taken_in);
                    AccessPath::Open(Arc::clone(&open.index))
                } else {
                    range.start = range.start.max(taken_in);
                    AccessPath::Scan(Some(Arc::clone(&open.index)))
                }
            }
        };
        let reader = Reader::of(&self.snapshot, entry, &how);
        let (window, times) = self.window(entry, &range, &how);
        SegmentScan { ordinal: entry.ordinal, range, window, times, how, reader }
    }

    /// The positions of a range that were recorded in the times that are asked for, and which
    /// times are left to look at. Within a segment that time does not decrease, if the log wrote
    /// it: that is not taken for granted, but read from the index; else each record is compared.
    fn window(
        &self,
        entry: &SegmentEntry,
        range: &Range<u64>,
        how: &AccessPath,
    ) -> (Range<u32>, LeftTimes) {
        let position = |seq: u64| u32::try_from(seq - entry.first.get()).unwrap_or(u32::MAX);
        let mut window = position(range.start)..position(range.end);
        let filters = &self.query.filters;
        let [recorded_min, recorded_max, occurred_min, occurred_max] = times_of(entry);
        let left = |asked: TimeRange, min, max| Some(asked).filter(|asked| !asked.covers(min, max));
        let mut times = LeftTimes {
            occurred: left(filters.occurred, occurred_min, occurred_max),
            recorded: left(filters.recorded, recorded_min, recorded_max),
        };
        // The index has the times of events, and not those of the log's own records.
        let asked = times.recorded.filter(|_| !filters.system);
        let found = asked.and_then(|asked| how.with(|lookup| lookup.recorded_window(asked)));
        if let Some(Ok(Some(found))) = found {
            window = window.start.max(found.start)..window.end.min(found.end);
            times.recorded = None;
        }
        (window, times)
    }
}

/// The times of a segment's records, as far as they are known.
fn times_of(entry: &SegmentEntry) -> [Timestamp; 4] {
    let unknown = [Timestamp::MIN, Timestamp::MAX, Timestamp::MIN, Timestamp::MAX];
    entry.sealed.as_ref().map_or(unknown, |sealed| sealed.times.map(Timestamp::from_nanos))
}

/// Reads the records of one segment, in any order.
#[derive(Debug)]
pub(super) struct Reader {
    first: u64,
    end: TreeSize,
    of: Segment,
    cursor: Option<RecordCursor>,
    scratch: Scratch,
}

#[derive(Debug)]
enum Segment {
    Open(Arc<SegmentFile>, Arc<Waypoints>),
    /// An open one, whose index knows where each record stands.
    Taken(Arc<SegmentFile>, Arc<OpenIndex>),
    /// Opened when the first record is asked for: most segments have none.
    Sealed(Arc<SegmentSet>, Box<SegmentEntry>, Option<Arc<SealedSegment>>),
}

impl Reader {
    fn of(snapshot: &SegmentSnapshot, entry: &SegmentEntry, how: &AccessPath) -> Self {
        let of = match (&entry.open, how) {
            (Some(open), AccessPath::Open(index)) => {
                Segment::Taken(Arc::clone(&open.segment), Arc::clone(index))
            }
            (Some(open), _) => {
                Segment::Open(Arc::clone(&open.segment), Arc::clone(&open.waypoints))
            }
            (None, _) => {
                Segment::Sealed(Arc::clone(snapshot.segment_set()), Box::new(entry.clone()), None)
            }
        };
        let (first, end) = (entry.first.get(), snapshot.end_of(entry));
        Reader { first, end, of, cursor: None, scratch: Scratch::new() }
    }

    /// The record at a position.
    pub(super) fn record(&mut self, position: u32) -> Result<CheckedRecord<'_>> {
        let seq = Seq::new(self.first + u64::from(position));
        let (segment, waypoints) = match &mut self.of {
            Segment::Open(segment, waypoints) => (&*segment, &**waypoints),
            Segment::Sealed(view, entry, opened) => {
                let sealed = match opened {
                    Some(sealed) => &*sealed,
                    unopened @ None => &*unopened.insert(view.open_sealed(entry)?),
                };
                (&sealed.segment, &sealed.waypoints)
            }
            Segment::Taken(segment, index) => {
                let place = index.place(position);
                return read_at(segment, place.unwrap_or_default(), seq, &mut self.scratch);
            }
        };
        match &mut self.cursor {
            Some(cursor) => cursor.seek(waypoints, seq)?,
            empty @ None => {
                *empty = Some(RecordCursor::at(Arc::clone(segment), waypoints, seq, self.end)?);
            }
        }
        let path = &segment.path;
        let found = match &mut self.cursor {
            Some(cursor) => cursor.next_record()?,
            None => None,
        };
        let missing = || Error::corrupt(path, 0, format!("record {seq}"), "the end");
        found.map(|(_, record)| record).ok_or_else(missing)
    }
}

/// Reads a record whose place is known. That it is this record its own CRC says.
fn read_at<'a>(
    segment: &'a SegmentFile,
    place: (u64, usize),
    seq: Seq,
    scratch: &'a mut Scratch,
) -> Result<CheckedRecord<'a>> {
    let (offset, len) = place;
    let bytes = segment.read(offset, len, scratch)?;
    let checked = RawRecord::take(bytes).and_then(|raw| raw.check(&segment.context(), seq));
    checked.map_err(Error::format(&segment.path, offset))
}

/// Where a query begins, by its cursor: not behind the end, or records would be skipped that
/// come later.
pub(crate) fn start_of(query: &Query, size: TreeSize) -> Result<Option<Seq>> {
    let refused = |reason: String| Error::InvalidOption { name: "cursor", reason };
    let start = query.start().map_err(|error| refused(error.to_string()))?;
    let end = match query.order {
        Order::NewestFirst => start.is_none_or(|seq| size.covers(seq)),
        Order::OldestFirst => start.is_none_or(|seq| seq.get() <= size.get()),
    };
    if end {
        return Ok(start);
    }
    let found = start.map_or(0, Seq::get);
    Err(refused(format!(
        "expected one within the {size} records of this log, found one that goes on at record \
         {found}: it is of another log, or of records that this one has lost or not read yet"
    )))
}
