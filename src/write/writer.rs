//! Writing: what the leader of a commit does, alone, with the group it took.

use std::sync::Arc;
use std::time::Duration;

use crate::directory::{LogDir, lock};
use crate::disk::DiskFile;
use crate::error::{Error, Result};
use crate::event::RecordKind;
use crate::format::footer::TimeRange;
use crate::format::frame::{self, FrameHeader};
use crate::format::header::SegmentHeader;
use crate::format::mark::RecoveryPoint;
use crate::format::record::{self, Head, PREFIX_LEN};
use crate::format::{FORMAT_VERSION, Stream};
use crate::hash::{Hash, HashAlgorithm};
use crate::options::Durability;
use crate::random;
use crate::ranked::Mutex;
use crate::read::entry::{OpenSegment, SegmentEntry};
use crate::read::segment_set::SegmentSet;
use crate::segment::active::{Active, PreallocatedSegment};
use crate::segment::bytes::SegmentFile;
use crate::segment::scan::Position;
use crate::segment::seal::SealFacts;
use crate::seq::{Seq, TreeSize};
use crate::time::Timestamp;
use crate::tree::TreeStore;
use crate::write::encode::Encoded;
use crate::write::group_commit::Committed;
use crate::write::housekeeper::Nudge;

/// Bytes of frames between two marks.
pub(crate) const MARK_EVERY: u64 = 4 << 20;

/// The end of the newest segment, where a mark can stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogEnd {
    pub(crate) ordinal: u64,
    pub(crate) nonce: [u8; 16],
    pub(crate) offset: u64,
    pub(crate) times: TimeRange,
}

impl LogEnd {
    pub(crate) fn at_end_of(segment: &SegmentFile, end: Position, times: TimeRange) -> Self {
        let SegmentHeader { ordinal, nonce, .. } = segment.header;
        LogEnd { ordinal, nonce, offset: end.offset, times }
    }
}

/// The segment after the active one.
#[derive(Debug)]
pub(crate) struct Ahead {
    pub(crate) next_ordinal: u64,
    pub(crate) made: Option<PreallocatedSegment>,
}

/// What the writer writes to, and whom it tells.
#[derive(Debug)]
pub(crate) struct Outlet {
    pub(crate) dir: LogDir,
    pub(crate) algorithm: HashAlgorithm,
    pub(crate) durability: Durability,
    pub(crate) clock_tolerance: Duration,
    pub(crate) segment_bytes: u64,
    pub(crate) frame_align: u32,
    /// The LOCK file, where other processes read how far the log is durable.
    pub(crate) lock: Arc<dyn DiskFile>,
    /// What readers of this process see.
    pub(crate) view: Arc<SegmentSet>,
    pub(crate) tree: Arc<TreeStore>,
    /// Shared with the housekeeper, which makes the segment ahead.
    pub(crate) ahead: Arc<Mutex<Ahead>>,
    pub(crate) upkeep: Arc<Nudge>,
}

/// Where a writer starts: what recovery found.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) active: Option<Active>,
    pub(crate) resting: Option<LogEnd>,
    pub(crate) retired: Vec<UnsealedFull>,
    pub(crate) previous: Hash,
    /// Records; all of them are durable.
    pub(crate) size: TreeSize,
    pub(crate) last_anchor: TreeSize,
    pub(crate) last_recorded_at: Timestamp,
    pub(crate) clock_offset: i128,
    pub(crate) unwatermarked: bool,
}

/// The state of writing. Owned by the leader of a commit, through a lock.
#[derive(Debug)]
pub(crate) struct Writer {
    out: Outlet,
    /// `None` until the first record after a seal.
    pub(crate) active: Option<Active>,
    /// The end of the segment before, while there is no active one.
    pub(crate) resting: Option<LogEnd>,
    /// Full segments that are not sealed yet, oldest first.
    pub(crate) retired: Vec<UnsealedFull>,
    /// Digest of the newest segment's header.
    pub(crate) previous: Hash,
    /// Records, and those of them that are on disk.
    pub(crate) size: TreeSize,
    pub(crate) durable: TreeSize,
    /// Size of the newest tree that ends in an anchor.
    pub(crate) last_anchor: TreeSize,
    pub(crate) last_recorded_at: Timestamp,
    /// Monotonic minus wall clock, in nanoseconds, when they were last compared.
    pub(crate) clock_offset: i128,
    /// Bytes of frames since the last mark.
    pub(crate) since_mark: u64,
    /// Records above the last watermark that later frames do not vouch for.
    pub(crate) unwatermarked: bool,
    /// Set when the log was closed: nothing may be written after that.
    pub(crate) closed: bool,
    /// Of the segment that was ended last by this process: when, and the time of its newest record.
    pub(crate) ended: Option<(Timestamp, Timestamp)>,
    /// Clock steps that are not in the catalog yet: expected, found, ordinal.
    pub(crate) clock_steps: Vec<(Timestamp, Timestamp, u64)>,
}

/// A segment that is full and not sealed yet.
#[derive(Debug)]
pub(crate) struct UnsealedFull {
    pub(crate) active: Active,
    pub(crate) facts: SealFacts,
}

impl Writer {
    pub(crate) fn new(start: Start, out: Outlet) -> Self {
        Writer {
            out,
            active: start.active,
            resting: start.resting,
            retired: start.retired,
            previous: start.previous,
            size: start.size,
            durable: start.size,
            last_anchor: start.last_anchor,
            last_recorded_at: start.last_recorded_at,
            clock_offset: start.clock_offset,
            since_mark: 0,
            unwatermarked: start.unwatermarked,
            closed: false,
            ended: None,
            clock_steps: Vec::new(),
        }
    }

    /// Commits a group: one frame, written, synced as the durability asks, published.
    ///
    /// # Errors
    /// `DiskFull`: nothing happened, no Seq was used. Any other one: poison the log.
    pub(crate) fn commit(&mut self, group: &mut Encoded) -> Result<Committed> {
        let recorded_at = self.observe_clock()?;
        let frame_len = group.bytes.len() as u64;
        self.make_room(frame_len)?;
        let Some(active) = &mut self.active else {
            return Err(Error::Closed); // unreachable: room was made
        };
        let (times, noted) = (active.times, active.waypoints.noted());
        let header = seal_frame(active, group, self.durable, recorded_at);
        if let Err(error) = active.write(&group.bytes, &header) {
            active.times = times;
            active.waypoints.forget_since(noted);
            return Err(error);
        }
        if self.out.durability == Durability::Sync {
            active.sync()?;
        }
        self.publish(&header, group, recorded_at);
        let leaf = group.leaves.first().copied().unwrap_or(Hash::ZERO);
        Ok(Committed { first: header.first.next_seq(), recorded_at, leaf })
    }

    fn publish(&mut self, header: &FrameHeader, group: &Encoded, at: Timestamp) {
        self.out.tree.extend(&group.leaves);
        self.size = header.end();
        self.last_recorded_at = at;
        self.since_mark += group.bytes.len() as u64;
        self.unwatermarked = true;
        if let Some(anchor) = group.records.iter().rposition(|r| r.kind == RecordKind::Anchor) {
            self.last_anchor = TreeSize::new(header.first.get() + anchor as u64 + 1);
        }
        self.out.view.publish(self.size);
        if self.out.durability == Durability::Sync {
            self.set_durable(self.size);
        }
    }

    /// Notes that everything up to `size` is on disk, and tells other processes.
    pub(crate) fn set_durable(&mut self, size: TreeSize) {
        self.durable = size;
        let ordinal = self.active.as_ref().map_or(0, |active| active.segment.header.ordinal);
        lock::publish(&*self.out.lock, self.out.dir.log_id(), size, ordinal);
    }

    /// Makes everything durable that was written.
    pub(crate) fn sync(&mut self) -> Result<()> {
        if self.durable < self.size {
            if let Some(active) = &self.active {
                active.sync()?;
            }
            self.set_durable(self.size);
        }
        Ok(())
    }

    /// The time for the next frame. A jump of the wall clock rotates.
    fn observe_clock(&mut self) -> Result<Timestamp> {
        let (now, monotonic) = (self.out.dir.clock().now(), self.out.dir.clock().monotonic());
        let monotonic = i128::try_from(monotonic.as_nanos()).unwrap_or(i128::MAX);
        let offset = monotonic - i128::from(now.as_nanos());
        let tolerance = self.out.clock_tolerance.as_nanos();
        let back = now < self.last_recorded_at
            && self.last_recorded_at.saturating_since(now).as_nanos() > tolerance;
        let jumped = (offset - self.clock_offset).unsigned_abs() > tolerance;
        // From commit to commit, so that slow drift never adds up to a jump.
        let expected = monotonic - std::mem::replace(&mut self.clock_offset, offset);
        if !back && !jumped {
            return Ok(now.max(self.last_recorded_at));
        }
        let expected = i64::try_from(expected).map_or(self.last_recorded_at, Timestamp::from_nanos);
        // Of what passed between two runs the monotonic clock knows nothing: it was not before
        // the newest record in any case.
        let expected = expected.max(self.last_recorded_at);
        if self.active.as_ref().is_some_and(|active| active.count() > 0) {
            self.retire()?;
        }
        self.clock_steps.push((expected, now, self.out.ahead.lock().next_ordinal));
        self.out.upkeep.needed();
        self.last_recorded_at = now;
        Ok(now)
    }

    /// Sees to an active segment with space for a frame.
    fn make_room(&mut self, frame_len: u64) -> Result<()> {
        if let Some(active) = &self.active {
            let full = active.end.offset + frame_len > self.out.segment_bytes;
            if full && active.count() > 0 {
                self.retire()?;
            }
        }
        if self.active.is_none() {
            self.begin()?;
        }
        let Some(active) = &self.active else { return Err(Error::Closed) };
        active.prepare(frame_len)?;
        if active.space.is_short(active.end.offset + frame_len) {
            self.out.upkeep.needed();
        }
        Ok(())
    }

    /// Ends the active segment: it is synced here and sealed by the housekeeper.
    pub(crate) fn retire(&mut self) -> Result<()> {
        self.sync()?;
        let Some(active) = self.active.take() else { return Ok(()) };
        let facts = SealFacts {
            times: active.times,
            end_root: self.out.tree.root_at(self.size)?,
            index_root: Hash::ZERO,           // known when it is sealed
            keep_until: Timestamp::default(), // the same
            last_anchor: self.last_anchor,
            sealed_at: self.out.dir.clock().now(),
        };
        self.resting = Some(LogEnd::at_end_of(&active.segment, active.end, active.times));
        self.ended = Some((facts.sealed_at, facts.times.recorded.1));
        self.retired.push(UnsealedFull { active, facts });
        self.out.upkeep.needed();
        Ok(())
    }

    fn begin(&mut self) -> Result<()> {
        // Held while the file is made, so that the housekeeper does not make it too.
        let mut ahead = self.out.ahead.lock();
        let ordinal = ahead.next_ordinal;
        let made = match ahead.made.take() {
            Some(made) => made,
            None => {
                PreallocatedSegment::create(self.out.dir.disk(), &self.out.dir.segments(), ordinal)?
            }
        };
        let header = SegmentHeader {
            format_version: FORMAT_VERSION,
            stream: Stream::Main,
            algorithm: self.out.algorithm,
            frame_align: self.out.frame_align,
            log_id: self.out.dir.log_id(),
            ordinal,
            first: self.size,
            created_at: self.out.dir.clock().now(),
            nonce: random::random_16()?,
            start_root: self.out.tree.root_at(self.size)?,
            previous: self.previous,
            last_anchor: self.last_anchor,
        };
        self.previous = header.digest();
        let active = Active::begin(made, header);
        ahead.next_ordinal += 1;
        drop(ahead);
        self.compare_with_seal(&active.segment.header);
        self.enter(active);
        Ok(())
    }

    /// Notes a clock step if a segment begins before the seal in front of it was made, by the
    /// clock: no record has the time of that seal, so nothing else shows that the clock was ahead.
    fn compare_with_seal(&mut self, header: &SegmentHeader) {
        let noted = self.clock_steps.last().is_some_and(|step| step.2 == header.ordinal);
        let Some((sealed_at, newest)) = self.ended.or_else(|| newest_seal(&self.out.view)) else {
            return;
        };
        let tolerance = self.out.clock_tolerance;
        let is_ahead = |of: Timestamp| sealed_at.saturating_since(of) > tolerance;
        if !noted && is_ahead(header.created_at) && is_ahead(newest) {
            self.clock_steps.push((sealed_at, header.created_at, header.ordinal));
            self.out.upkeep.needed();
        }
    }

    /// Makes a segment the active one, for readers too.
    pub(crate) fn enter(&mut self, active: Active) {
        let entry = SegmentEntry {
            ordinal: active.segment.header.ordinal,
            first: active.segment.header.first,
            open: Some(OpenSegment::new(
                Arc::clone(&active.segment),
                Arc::clone(&active.waypoints),
            )),
            sealed: None,
        };
        self.out.view.update(|entries| {
            entries.retain(|known| known.ordinal != entry.ordinal);
            entries.push(entry);
        });
        self.active = Some(active);
    }

    /// Writes a frame without records that vouches for all before it.
    pub(crate) fn watermark(&mut self) -> Result<()> {
        self.sync()?;
        if !self.unwatermarked {
            return Ok(());
        }
        let Some(active) = &mut self.active else { return Ok(()) };
        if active.count() > 0 {
            active.prepare(frame::LEN as u64)?;
            let header = FrameHeader::watermark(self.size);
            let bytes = header.encode(&active.segment.header.nonce, active.end.offset);
            active.write(&bytes, &header)?;
            active.sync()?;
        }
        self.unwatermarked = false;
        Ok(())
    }

    /// Where recovery may start once the hashes up to here are on disk; everything below
    /// is durable. `None` in an empty log.
    pub(crate) fn mark(&mut self) -> Result<Option<RecoveryPoint>> {
        self.sync()?;
        // The header of an empty one is not on disk yet.
        let active = self.active.as_ref().filter(|active| active.count() > 0);
        let here =
            active.map(|active| LogEnd::at_end_of(&active.segment, active.end, active.times));
        let Some(here) = here.or(self.resting) else { return Ok(None) };
        self.since_mark = 0;
        Ok(Some(RecoveryPoint {
            log_id: self.out.dir.log_id(),
            generation: 0,
            frontier: self.out.tree.frontier(),
            ordinal: here.ordinal,
            nonce: here.nonce,
            offset: here.offset,
            last_anchor: self.last_anchor,
            // Of a commit that failed, the writer may know a later or an earlier time.
            last_recorded_at: here.times.recorded.1,
            recorded_min: here.times.recorded.0,
            occurred: here.times.occurred,
        }))
    }
}

/// Finishes the records of a group at the end of a segment: heads, CRCs, leaves, and
/// the frame header.
fn seal_frame(
    active: &mut Active,
    group: &mut Encoded,
    durable: TreeSize,
    recorded_at: Timestamp,
) -> FrameHeader {
    let segment = Arc::clone(&active.segment);
    let context = segment.context();
    let (offset, first) = (active.end.offset, active.end.size.get());
    let in_segment = first - segment.header.first.get();
    group.leaves.clear();
    for (n, encoded) in group.records.iter().enumerate() {
        let n = n as u64;
        let head = Head {
            schema: encoded.schema,
            kind: encoded.kind.code(),
            flags: if encoded.digests.encrypted.is_some() { record::ENCRYPTED } else { 0 },
            seq: Seq::new(first + n),
            recorded_at,
            envelope_len: encoded.envelope_len,
        };
        let (slot, bodies) = group.bytes[encoded.at..].split_at_mut(PREFIX_LEN);
        let envelope = &bodies[..usize::from(encoded.envelope_len)];
        let sealed = (encoded.body_crc, encoded.payload_len, &encoded.digests);
        group.leaves.push(record::seal(&context, &head, sealed, slot, envelope));
        let occurred_at = match encoded.kind {
            RecordKind::Event => encoded.occurred_at,
            RecordKind::Anchor => recorded_at,
        };
        active.times.add(recorded_at, occurred_at);
        active.waypoints.note(in_segment + n, offset, offset + encoded.at as u64);
    }
    let body_len = u32::try_from(group.body_len()).unwrap_or(u32::MAX);
    let count = u32::try_from(group.records.len()).unwrap_or(u32::MAX);
    let header = active.frame_header(body_len, count, durable);
    group.bytes[..frame::LEN].copy_from_slice(&header.encode(&context.nonce, offset));
    header
}

/// When the newest sealed segment was sealed, and the latest time before that: of its newest
/// record, or of the seal before, which it takes over if the clock is behind that.
fn newest_seal(view: &SegmentSet) -> Option<(Timestamp, Timestamp)> {
    let entries = view.entries();
    let mut sealed = entries.iter().rev().filter(|entry| entry.is_sealed_and_there());
    // What cannot be read is found elsewhere.
    let mut footer = || Some(view.open_sealed(sealed.next()?).ok()?.footer.clone());
    let newest = footer()?;
    let before = footer().map_or(Timestamp::MIN, |before| before.sealed_at);
    Some((newest.sealed_at, newest.times.recorded.1.max(before)))
}
