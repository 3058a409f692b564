//! Finds a record in its segment by its Seq, and walks on from there.

use std::sync::{Arc, OnceLock};

use crate::error::{Error, Result};
use crate::format::footer::{STRIDE, Waypoint};
use crate::format::frame::{self, FrameHeader};
use crate::format::record::{self, CheckedRecord, RawRecord};
use crate::ranked::{Rank, RwLock};
use crate::segment::bytes::{Scratch, SegmentFile};
use crate::segment::scan::{self, FrameAt, Position};
use crate::seq::{Seq, TreeSize};

/// Where every 32nd record of a segment stands.
///
/// Of a segment that recovery entered in the middle, at a mark, the lower part is made
/// on first use by walking the frames below.
#[derive(Debug)]
pub struct Waypoints {
    /// Records of this segment below the mark where recovery began.
    skipped: u64,
    /// The position of that mark.
    mark: Option<Position>,
    upper: RwLock<Vec<Waypoint>>,
    lower: OnceLock<Vec<Waypoint>>,
}

impl Waypoints {
    /// Those of a segment that is seen from its first record on.
    pub fn new() -> Self {
        Waypoints::above(0, None)
    }

    /// Those of a segment that is seen from a mark on, `skipped` records into it.
    pub fn above(skipped: u64, mark: Option<Position>) -> Self {
        let upper = RwLock::new(Rank::Waypoints, Vec::new());
        Waypoints { skipped, mark, upper, lower: OnceLock::new() }
    }

    /// Those of a sealed segment.
    pub fn from_table(table: Vec<Waypoint>) -> Self {
        let waypoints = Waypoints::new();
        *waypoints.upper.write() = table;
        waypoints
    }

    /// Notes where a record stands; called for every record in order.
    pub fn note(&self, index: u64, frame: u64, record: u64) {
        if index.is_multiple_of(STRIDE) {
            self.upper.write().push(Waypoint::at(frame, record));
        }
    }

    /// How many were noted, for [`Waypoints::forget_since`].
    pub fn noted(&self) -> usize {
        self.upper.read().len()
    }

    /// Forgets those that were noted since: their records were not written.
    pub fn forget_since(&self, noted: usize) {
        self.upper.write().truncate(noted);
    }

    /// All of them.
    ///
    /// # Errors
    /// I/O or damage below the mark.
    pub fn all(&self, segment: &SegmentFile) -> Result<Vec<Waypoint>> {
        let mut all = self.lower(segment)?.to_vec();
        all.extend_from_slice(&self.upper.read());
        Ok(all)
    }

    /// The waypoint at or before the record with this index, and the index it stands at.
    fn before(&self, segment: &SegmentFile, index: u64) -> Result<Option<(Waypoint, u64)>> {
        let wanted = index / STRIDE;
        let below = self.skipped.div_ceil(STRIDE);
        let position = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let found = match wanted.checked_sub(below) {
            Some(above) => self.upper.read().get(position(above)).copied(),
            None => self.lower(segment)?.get(position(wanted)).copied(),
        };
        Ok(found.map(|waypoint| (waypoint, wanted * STRIDE)))
    }

    fn lower(&self, segment: &SegmentFile) -> Result<&[Waypoint]> {
        let Some(mark) = self.mark else { return Ok(&[]) };
        if let Some(lower) = self.lower.get() {
            return Ok(lower);
        }
        let lower = structure(segment, mark)?;
        Ok(self.lower.get_or_init(|| lower))
    }
}

/// The waypoints of the frames up to a mark, by the lengths of frames and records alone:
/// a damaged record must not hide the others, nor keep its segment from being sealed. Where
/// the lengths are damaged too, the waypoint leads to the damage.
fn structure(segment: &SegmentFile, mark: Position) -> Result<Vec<Waypoint>> {
    let first = segment.header.first;
    let mut at = Position { offset: segment.header.first_frame(), size: first };
    let (mut head, mut waypoints) = (Scratch::new(), Vec::new());
    let mut note = |seq: u64, frame, record| {
        if (seq - first.get()).is_multiple_of(STRIDE) {
            waypoints.push(Waypoint::at(frame, record));
        }
    };
    while at.offset < mark.offset {
        if let Ok(frame) = scan::frame_at(segment, at, &mut head)? {
            records_of(segment, &frame, &mut note)?;
            at = frame.next(segment.header.frame_align);
            continue;
        }
        let next = scan::next_frame(segment, at, mark.offset)?.unwrap_or(mark);
        let lost = at.size.get()..next.size.get().min(mark.size.get());
        lost.for_each(|seq| note(seq, at.offset, at.offset));
        at = next;
    }
    Ok(waypoints)
}

/// Gives the places of the records of a frame.
fn records_of(
    segment: &SegmentFile,
    frame: &FrameAt,
    note: &mut impl FnMut(u64, u64, u64),
) -> Result<()> {
    let mut scratch = Scratch::new();
    let bytes = scan::body(segment, frame, &mut scratch)?;
    let mut at = 0;
    for n in 0..u64::from(frame.header.count) {
        note(frame.header.first.get() + n, frame.offset, frame.body() + at as u64);
        let rest = bytes.get(at..).unwrap_or_default();
        // Behind a damaged length all waypoints of the frame lead to it.
        at += record::stored_len(rest).ok().filter(|len| *len <= rest.len()).unwrap_or(0);
    }
    Ok(())
}

impl Default for Waypoints {
    fn default() -> Self {
        Waypoints::new()
    }
}

/// Smallest window that is read of a file that is not mapped.
const WINDOW: usize = 16 << 10;
/// Largest window: what a long walk reads at once.
const WINDOW_MAX: usize = 1 << 20;

/// Walks the records of a segment upwards, checking each.
#[derive(Debug)]
pub struct RecordCursor {
    segment: Arc<SegmentFile>,
    frame: FrameAt,
    /// Offset and Seq of the next record.
    at: u64,
    next: Seq,
    /// Not to be read: the log may still be writing there.
    end: TreeSize,
    window: Scratch,
    window_at: u64,
    window_len: usize,
    trail: Trail,
}

/// Where the records since the last waypoint were met, so that a walk downwards need not
/// begin at the waypoint for each.
#[derive(Debug, Default)]
struct Trail {
    first: u64,
    places: Vec<(FrameAt, u64)>,
}

impl RecordCursor {
    /// A cursor at the record with this Seq, which the segment holds below `end`.
    ///
    /// # Errors
    /// I/O or damage on the way there.
    pub fn at(
        segment: Arc<SegmentFile>,
        waypoints: &Waypoints,
        seq: Seq,
        end: TreeSize,
    ) -> Result<Self> {
        let first = segment.header.first.get();
        let index = seq.get().checked_sub(first);
        let found = match index {
            Some(index) if end.covers(seq) => waypoints.before(&segment, index)?,
            _ => None,
        };
        let Some((waypoint, from)) = found else {
            let expected = format!("record {seq} in this segment");
            return Err(Error::corrupt(&segment.path, 0, expected, "no waypoint to it"));
        };
        let mut cursor = RecordCursor::start(segment, waypoint, first + from, end)?;
        while cursor.next < seq {
            cursor.skip()?;
        }
        Ok(cursor)
    }

    fn start(
        segment: Arc<SegmentFile>,
        waypoint: Waypoint,
        seq: u64,
        end: TreeSize,
    ) -> Result<Self> {
        let mut scratch = Scratch::new();
        let offset = u64::from(waypoint.frame);
        let bytes = segment.read(offset, frame::LEN, &mut scratch)?;
        let frame = decode_header(&segment, offset, bytes)?;
        let at = u64::from(waypoint.record);
        let (first, past) = (frame.header.first.get(), frame.header.end().get());
        if !(first..past).contains(&seq) || at < frame.body() {
            let found = format!("one of {first}..{past}");
            let expected = format!("the frame of record {seq}");
            return Err(Error::corrupt(&segment.path, offset, expected, found));
        }
        let next = Seq::new(seq);
        let (window, window_at, window_len) = (Scratch::new(), 0, WINDOW);
        let trail = Trail { first: seq, places: Vec::new() };
        Ok(RecordCursor { segment, frame, at, next, end, window, window_at, window_len, trail })
    }

    /// Moves to a record of the segment, below the cursor's end; cheap where it is near.
    ///
    /// # Errors
    /// I/O or damage on the way there.
    pub fn seek(&mut self, waypoints: &Waypoints, seq: Seq) -> Result<()> {
        let first = self.segment.header.first.get();
        if self.next == seq {
            return Ok(());
        }
        if !self.end.covers(seq) || seq.get() < first {
            let expected = format!("record {seq} in this segment");
            return Err(Error::corrupt(&self.segment.path, 0, expected, "an end before it"));
        }
        let group = first + (seq.get() - first) / STRIDE * STRIDE;
        if self.trail.first != group || self.trail.places.is_empty() {
            let mut there =
                RecordCursor::at(Arc::clone(&self.segment), waypoints, Seq::new(group), self.end)?;
            (there.window, there.window_at) = (std::mem::take(&mut self.window), self.window_at);
            there.window_len = self.window_len;
            there.trail = Trail { first: group, places: std::mem::take(&mut self.trail.places) };
            there.trail.places.clear();
            *self = there;
        }
        self.return_to(seq);
        while self.next < seq {
            self.skip()?;
        }
        Ok(())
    }

    /// Goes back to where the record was met, or the last one before it.
    fn return_to(&mut self, seq: Seq) {
        let known = self.trail.places.len().checked_sub(1);
        let wanted = usize::try_from(seq.get() - self.trail.first).unwrap_or(usize::MAX);
        let Some(at) = known.map(|known| known.min(wanted)) else { return };
        (self.frame, self.at) = self.trail.places[at];
        self.next = Seq::new(self.trail.first + at as u64);
    }

    /// The Seq of the next record.
    pub fn next_seq(&self) -> Seq {
        self.next
    }

    /// Whether the next record is this one, and within the cursor's end.
    pub fn is_at(&self, seq: Seq) -> bool {
        self.next == seq && self.end.covers(seq)
    }

    /// The next record and its offset; `None` at the end.
    ///
    /// # Errors
    /// I/O; `Corrupt` at a damaged record.
    pub fn next_record(&mut self) -> Result<Option<(u64, CheckedRecord<'_>)>> {
        if !self.end.covers(self.next) {
            return Ok(None);
        }
        self.enter_frame()?;
        let (offset, seq) = (self.at, self.next);
        let len = self.record_len()?;
        self.advance(len);
        let place = Error::format(&self.segment.path, offset);
        let bytes = slice(&self.segment, &self.window, self.window_at, offset, len);
        let checked =
            RawRecord::take(bytes).and_then(|raw| raw.check(&self.segment.context(), seq));
        checked.map(|record| Some((offset, record))).map_err(place)
    }

    fn skip(&mut self) -> Result<()> {
        self.enter_frame()?;
        let len = self.record_len()?;
        self.advance(len);
        Ok(())
    }

    fn advance(&mut self, len: usize) {
        self.remember();
        self.at += len as u64;
        self.next = Seq::new(self.next.get() + 1);
    }

    /// Notes where the record at the cursor stands, if the trail has come up to it.
    fn remember(&mut self) {
        let from_trail = self.next.get().wrapping_sub(self.trail.first);
        if from_trail == self.trail.places.len() as u64 && from_trail < STRIDE {
            self.trail.places.push((self.frame, self.at));
        }
    }

    /// Moves into the next frame that has records, when this one is used up.
    fn enter_frame(&mut self) -> Result<()> {
        while self.next.get() >= self.frame.header.end().get() {
            let next = self.frame.next(self.segment.header.frame_align);
            self.hold(next.offset, frame::LEN)?;
            let bytes = slice(&self.segment, &self.window, self.window_at, next.offset, frame::LEN);
            let frame = decode_header(&self.segment, next.offset, bytes)?;
            if frame.header.first != next.size {
                let (path, found) = (&self.segment.path, frame.header.first.to_string());
                let expected = format!("a frame that begins with record {}", next.size);
                return Err(Error::corrupt(path, next.offset, expected, found));
            }
            self.frame = frame;
            self.at = frame.body();
        }
        Ok(())
    }

    /// Length of the record at the cursor; its bytes are in the map or the window then.
    fn record_len(&mut self) -> Result<usize> {
        let frame_end = self.frame.offset + self.frame.header.frame_len();
        let left = usize::try_from(frame_end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        self.hold(self.at, record::PREFIX_LEN.min(left))?;
        let bytes = slice(&self.segment, &self.window, self.window_at, self.at, left);
        let len = record::stored_len(bytes).map_err(Error::format(&self.segment.path, self.at))?;
        if len > left {
            let expected = format!("{len} bytes of record");
            let found = format!("{left} bytes left in the frame");
            return Err(Error::corrupt(&self.segment.path, self.at, expected, found));
        }
        self.hold(self.at, len)?;
        Ok(len)
    }

    /// Has `len` bytes at `at` in the window, unless the segment is mapped. What is below
    /// the cursor's end was written before the cursor was made, so a window never goes stale.
    fn hold(&mut self, at: u64, len: usize) -> Result<()> {
        if self.segment.is_mapped() || in_window(&self.window, self.window_at, at, len) {
            return Ok(());
        }
        // Larger and larger only on a walk: a jump needs the record it leads to and no more.
        let walked = self.window_at..=self.window_at + self.window.len() as u64;
        if !walked.contains(&at) {
            self.window_len = WINDOW;
        }
        let want = self.window_len.max(len);
        let mut window = std::mem::take(&mut self.window);
        let got = self.segment.read_up_to(at, want, &mut window)?.len();
        window.truncate(got);
        (self.window, self.window_at) = (window, at);
        self.window_len = (self.window_len * 2).min(WINDOW_MAX);
        if got >= len {
            return Ok(());
        }
        let found = format!("the end of the file after {got}");
        Err(Error::corrupt(&self.segment.path, at, format!("{len} bytes"), found))
    }
}

fn in_window(window: &[u8], window_at: u64, at: u64, len: usize) -> bool {
    at >= window_at && at + len as u64 <= window_at + window.len() as u64
}

/// Up to `len` bytes at `at`, of the map or of the window.
fn slice<'a>(
    segment: &'a SegmentFile,
    window: &'a [u8],
    window_at: u64,
    at: u64,
    len: usize,
) -> &'a [u8] {
    if let Some(bytes) = segment.mapped_up_to(at, len) {
        return bytes;
    }
    let start = usize::try_from(at.saturating_sub(window_at)).unwrap_or(usize::MAX);
    let rest = window.get(start..).unwrap_or_default();
    &rest[..rest.len().min(len)]
}

fn decode_header(segment: &SegmentFile, offset: u64, bytes: &[u8]) -> Result<FrameAt> {
    let Some(bytes) = bytes.first_chunk::<{ frame::LEN }>() else {
        return Err(Error::corrupt(&segment.path, offset, "a frame header", "fewer bytes"));
    };
    let decoded = FrameHeader::decode(bytes, &segment.header.nonce, offset);
    let header = decoded.map_err(Error::format(&segment.path, offset))?;
    Ok(FrameAt { offset, header })
}
