//! Frames checked in batches, by as many threads as there are: what is whole is taken from
//! here, and whatever is not is left to the walk in `frames`, which says what is wrong.
//!
//! One after the other, the threads take the next batch of bytes from the segment; they
//! check, decode and hash its records at the same time; the verifier takes the results in
//! order. So the report does not depend on the number of threads.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::thread;

use parking_lot::{Condvar, Mutex};

use super::hashes::HashFiles;
use crate::event::{Anchor, RecordKind};
use crate::format::body;
use crate::format::footer::{STRIDE, TimeRange, Waypoint};
use crate::format::frame::{self, FrameHeader};
use crate::format::record::{CheckedRecord, RawRecord};
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::NodeId;
use crate::read::decode::decode_anchor;
use crate::read::payload_reader::PayloadReader;
use crate::segment::bytes::{Scratch, SegmentFile};
use crate::segment::scan::{FrameAt, Position};
use crate::seq::{Seq, TreeSize};

/// Most bytes of a batch, unless one frame is larger.
const BATCH_MAX: usize = 512 << 10;
/// Fewer are not worth another thread.
const BATCH_MIN: usize = 8 << 10;
/// Batches under way for each thread.
const AHEAD: u64 = 3;

/// Which part of a segment is to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<'a> {
    pub(super) segment: &'a SegmentFile,
    pub(super) from: Position,
    /// Offset at which frames end.
    pub(super) end: u64,
    /// Size of the log at which the records end, if that is known.
    pub(super) size: Option<TreeSize>,
    /// Offsets at which a batch shall end, if a frame does.
    pub(super) stops: &'a [u64],
    /// Opens encrypted payloads, as far as keys are at hand.
    pub(super) opener: &'a PayloadReader,
}

/// Frames that follow each other, whose headers checked.
#[derive(Debug, Default)]
struct Batch {
    number: u64,
    frames: Vec<FrameAt>,
    /// From the first frame's offset on.
    bytes: Scratch,
}

/// What whole frames hold.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) start: Position,
    pub(super) end: Position,
    pub(super) leaves: Vec<Hash>,
    /// Offsets of the records in the segment.
    pub(super) offsets: Vec<u32>,
    /// Levels and roots of the largest complete subtrees that the leaves make up.
    pub(super) subtrees: Vec<(u8, Hash)>,
    /// Whether all these hashes are what is stored.
    pub(super) stored: bool,
    pub(super) waypoints: Vec<Waypoint>,
    pub(super) times: TimeRange,
    pub(super) anchors: Vec<(Seq, Anchor)>,
    /// What its first and its last frame say to be durable; between them it does not fall.
    pub(super) durable: (TreeSize, TreeSize),
}

/// Reads a segment in batches, as far as the frame headers check.
struct Source<'a> {
    part: Part<'a>,
    at: Position,
    /// Bytes from `at` on that were read with the batch before.
    carry: Scratch,
    batch_bytes: usize,
    next: u64,
    taken: u64,
    ended: bool,
}

impl<'a> Source<'a> {
    fn new(part: Part<'a>, batch_bytes: usize) -> Self {
        let (at, carry) = (part.from, Scratch::new());
        Source { part, at, carry, batch_bytes, next: 0, taken: 0, ended: false }
    }

    /// The next batch; false at the end, or where a frame header does not check.
    fn fill(&mut self, batch: &mut Batch) -> bool {
        if self.ended {
            return false;
        }
        batch.number = self.next;
        self.next += 1;
        batch.frames.clear();
        let start = self.at;
        batch.bytes.clear();
        std::mem::swap(&mut batch.bytes, &mut self.carry);
        self.ended = !self.read_to(batch, start.offset, self.batch_bytes);
        while !self.ended && self.take_frame(batch, start.offset) {}
        let used = usize::try_from(self.at.offset - start.offset).unwrap_or(usize::MAX);
        let rest = batch.bytes.get(used..).unwrap_or_default();
        self.carry.clear();
        self.carry.extend_from_slice(rest);
        batch.bytes.truncate(used);
        !batch.frames.is_empty()
    }

    /// Takes one more frame into the batch; false if it is full, or ends here.
    fn take_frame(&mut self, batch: &mut Batch, start: u64) -> bool {
        let Part { segment, end, size, stops, .. } = self.part;
        let at = self.at;
        let stopped = stops.contains(&at.offset) && !batch.frames.is_empty();
        if stopped || batch.frames.len() >= self.batch_bytes {
            return false;
        }
        if at.offset >= end || size.is_some_and(|size| at.size >= size) {
            self.ended = true;
            return false;
        }
        let Ok(used) = usize::try_from(at.offset - start) else { return false };
        let full = used >= self.batch_bytes && !batch.frames.is_empty();
        let Some(header) = header_at(batch, used, segment, at.offset) else {
            let more = full || batch.bytes.len() < used + frame::LEN && !batch.frames.is_empty();
            self.ended = !more;
            return false;
        };
        let frame = FrameAt { offset: at.offset, header };
        let next = frame.next(segment.header.frame_align);
        let to = at.offset.checked_add(header.frame_len());
        let fits = to.is_some_and(|to| to <= end);
        if header.first != at.size || !fits || size.is_some_and(|size| next.size > size) {
            self.ended = true;
            return false;
        }
        let next = Position { offset: next.offset.min(end), ..next };
        let Ok(len) = usize::try_from(next.offset - start) else { return false };
        if batch.bytes.len() < len {
            if !batch.frames.is_empty() {
                return false;
            }
            // One that is larger than a batch.
            self.ended = !self.read_to(batch, start, len);
            if self.ended {
                return false;
            }
        }
        batch.frames.push(frame);
        self.at = next;
        true
    }

    /// Reads on until the batch has so many bytes, or to the end; false if it cannot be
    /// read.
    fn read_to(&self, batch: &mut Batch, start: u64, len: usize) -> bool {
        let left = usize::try_from(self.part.end.saturating_sub(start)).unwrap_or(usize::MAX);
        let (have, len) = (batch.bytes.len(), len.min(left));
        if have >= len {
            return true;
        }
        batch.bytes.resize(len, 0);
        let (mut filled, file) = (have, self.part.segment.file());
        while let Some(free) = batch.bytes.get_mut(filled..).filter(|free| !free.is_empty()) {
            match file.read_at(free, start + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(_) => return false, // the walk meets it again, and says so
            }
        }
        batch.bytes.truncate(filled);
        filled == len
    }
}

fn header_at(
    batch: &Batch,
    used: usize,
    segment: &SegmentFile,
    offset: u64,
) -> Option<FrameHeader> {
    let bytes = batch.bytes.get(used..)?.first_chunk::<{ frame::LEN }>()?;
    FrameHeader::decode(bytes, &segment.header.nonce, offset).ok()
}

/// Checks and hashes all records; `None` if anything in the batch is not as it was written.
fn check(batch: &Batch, part: &Part<'_>, files: &HashFiles) -> Option<Checked> {
    let (first, last) = (batch.frames.first()?, batch.frames.last()?);
    let start = Position { offset: first.offset, size: first.header.first };
    let next = last.next(part.segment.header.frame_align);
    let end = Position { offset: start.offset + batch.bytes.len() as u64, ..next };
    let mut checked = Checked {
        start,
        end,
        leaves: Vec::new(),
        offsets: Vec::new(),
        subtrees: Vec::new(),
        stored: true,
        waypoints: Vec::new(),
        times: TimeRange::EMPTY,
        anchors: Vec::new(),
        durable: (first.header.durable, last.header.durable),
    };
    if !batch.frames.is_sorted_by_key(|frame| frame.header.durable) {
        return None;
    }
    let count: usize = batch.frames.iter().map(|frame| frame.header.count as usize).sum();
    checked.leaves.reserve_exact(count);
    checked.offsets.reserve_exact(count);
    for (n, frame) in batch.frames.iter().enumerate() {
        let begin = usize::try_from(frame.offset - start.offset).ok()?;
        let to = batch.frames.get(n + 1).map_or(end.offset, |next| next.offset);
        let bytes = batch.bytes.get(begin..usize::try_from(to - start.offset).ok()?)?;
        let len = usize::try_from(frame.header.frame_len()).ok()?;
        let (framed, padding) = bytes.split_at_checked(len)?;
        if padding.iter().any(|byte| *byte != 0) {
            return None;
        }
        checked.frame((part.segment, part.opener), frame, framed.get(frame::LEN..)?)?;
    }
    checked.fold(part.segment.header.algorithm, files);
    Some(checked)
}

impl Checked {
    fn frame(
        &mut self,
        (segment, opener): (&SegmentFile, &PayloadReader),
        frame: &FrameAt,
        body: &[u8],
    ) -> Option<()> {
        let (context, header) = (segment.context(), &segment.header);
        let mut rest = body;
        for n in 0..u64::from(frame.header.count) {
            let seq = Seq::new(frame.header.first.get() + n);
            let raw = RawRecord::take(rest).ok()?;
            let record = raw.check(&context, seq).ok()?;
            self.record(&record, opener)?;
            let offset = frame.body() + (body.len() - rest.len()) as u64;
            if (seq.get() - header.first.get()).is_multiple_of(STRIDE) {
                self.waypoints.push(Waypoint::at(frame.offset, offset));
            }
            self.offsets.push(u32::try_from(offset).ok()?);
            self.leaves.push(record.leaf(header.algorithm));
            rest = rest.get(raw.stored_len()..)?;
        }
        rest.is_empty().then_some(())
    }

    fn record(&mut self, record: &CheckedRecord<'_>, opener: &PayloadReader) -> Option<()> {
        let recorded_at = record.head.recorded_at;
        if self.times != TimeRange::EMPTY && recorded_at < self.times.recorded.1 {
            return None; // the walk names it
        }
        let occurred_at = match RecordKind::from_code(record.head.kind)? {
            RecordKind::Event => {
                let envelope =
                    body::decode_envelope_strict(record.head.schema, record.envelope).ok()?;
                check_payload(record, opener).ok()?;
                envelope.occurred_at
            }
            RecordKind::Anchor => {
                self.anchors.push((record.head.seq, decode_anchor(record).ok()?));
                recorded_at
            }
        };
        self.times.add(recorded_at, occurred_at);
        Some(())
    }

    /// Hashes the leaves together as far as they go, and compares what is stored.
    fn fold(&mut self, algorithm: HashAlgorithm, files: &HashFiles) {
        let (mut nodes, mut first) = (self.leaves.clone(), NodeId::leaf(self.start.size.get()));
        let (mut right, mut scratch) = (Vec::new(), Scratch::new());
        while !nodes.is_empty() {
            self.stored = self.stored && files.hold_all(first, &nodes, &mut scratch);
            let mut from = 0;
            if first.index % 2 == 1 {
                self.subtrees.extend(nodes.first().map(|node| (first.level, *node)));
                from = 1;
            }
            if (first.index + nodes.len() as u64) % 2 == 1 && nodes.len() > from {
                right.extend(nodes.pop().map(|node| (first.level, node)));
            }
            let mut paired = 0;
            for pair in (from..nodes.len()).step_by(2) {
                if let (Some(one), Some(two)) = (nodes.get(pair), nodes.get(pair + 1)) {
                    let above = algorithm.node(one, two);
                    if let Some(slot) = nodes.get_mut(paired) {
                        *slot = above;
                        paired += 1;
                    }
                }
            }
            nodes.truncate(paired);
            first = NodeId { level: first.level + 1, index: first.index.div_ceil(2) };
        }
        self.subtrees.extend(right.into_iter().rev());
    }
}

/// A payload must be one of its schema. Of an encrypted one whose key is not at hand only
/// the hashes are known.
pub(super) fn check_payload(
    record: &CheckedRecord<'_>,
    opener: &PayloadReader,
) -> Result<(), String> {
    let opened = opener.open(record)?;
    let schema = record.head.schema;
    match opened.payload().map(|bytes| body::decode_payload_strict(schema, bytes)) {
        Some(Err(error)) => Err(error.to_string()),
        Some(Ok(_)) | None => Ok(()),
    }
}

/// Gives whole frames from the start of the part on, in order, until one is not whole, the
/// part ends, or `each` has enough. Gives where that is.
pub(super) fn walk(
    part: Part<'_>,
    files: &HashFiles,
    threads: usize,
    mut each: impl FnMut(Checked) -> bool,
) -> Position {
    let len = usize::try_from(part.end.saturating_sub(part.from.offset)).unwrap_or(usize::MAX);
    let batch_bytes = (len / (threads * 4)).clamp(BATCH_MIN, BATCH_MAX);
    let mut at = part.from;
    let mut take = |checked: Checked| {
        at = checked.end;
        each(checked)
    };
    if threads < 2 || len < 2 * batch_bytes {
        let (mut source, mut batch) = (Source::new(part, batch_bytes), Batch::default());
        while source.fill(&mut batch) {
            if !check(&batch, &part, files).is_some_and(&mut take) {
                break;
            }
        }
        return at;
    }
    let source = (Mutex::new(Source::new(part, batch_bytes)), Condvar::new());
    thread::scope(|scope| {
        let (results, received) = mpsc::channel();
        for _ in 0..threads {
            let (source, results) = (&source, results.clone());
            scope.spawn(move || work(source, (&part, files), threads, &results));
        }
        drop(results);
        in_order(&source, &received, take);
    });
    at
}

type Shared<'a> = (Mutex<Source<'a>>, Condvar);

/// Ends the others when one of them panics, so that nobody waits for it.
struct EndOnPanic<'a>(&'a Shared<'a>);

impl Drop for EndOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            let (source, changed) = self.0;
            source.lock().ended = true;
            changed.notify_all();
        }
    }
}

/// One thread: takes batches and checks them until there are no more.
fn work<'a>(
    source: &'a Shared<'a>,
    (part, files): (&Part<'_>, &HashFiles),
    threads: usize,
    results: &mpsc::Sender<(u64, Option<Checked>)>,
) {
    let (mut batch, _guard) = (Batch::default(), EndOnPanic(source));
    loop {
        {
            let mut shared = source.0.lock();
            // So much is under way at most, however long one batch takes.
            while !shared.ended && shared.next >= shared.taken + AHEAD * threads as u64 {
                source.1.wait(&mut shared);
            }
            if !shared.fill(&mut batch) {
                source.1.notify_all();
                return;
            }
        }
        let checked = check(&batch, part, files);
        if results.send((batch.number, checked)).is_err() {
            return;
        }
    }
}

/// Takes the results in the order of the batches.
fn in_order<'a>(
    source: &'a Shared<'a>,
    received: &mpsc::Receiver<(u64, Option<Checked>)>,
    mut take: impl FnMut(Checked) -> bool,
) {
    let (mut early, mut next, _guard) = (BTreeMap::new(), 0, EndOnPanic(source));
    while let Ok((number, checked)) = received.recv() {
        early.insert(number, checked);
        while let Some(checked) = early.remove(&next) {
            next += 1;
            let goes_on = checked.is_some_and(&mut take);
            let mut shared = source.0.lock();
            shared.taken = next;
            shared.ended |= !goes_on;
            drop(shared);
            source.1.notify_all();
            if !goes_on {
                return;
            }
        }
    }
}
