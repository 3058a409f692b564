//! The frames of one segment: whole ones in batches, the others one by one.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::event::RecordKind;
use crate::format::footer::{STRIDE, Waypoint};
use crate::format::record::{CheckedRecord, RawRecord, stored_len};
use crate::format::{FormatError, body, header};
use crate::read::decode::decode_anchor;
use crate::segment::bytes;
use crate::segment::bytes::{Scratch, SegmentFile};
use crate::segment::scan::{self, FrameAt, Position};
use crate::segment::seal;
use crate::seq::{Seq, TreeSize};
use crate::time::Timestamp;
use crate::verify::batches::{self, Checked, Part};
use crate::verify::report::{Place, Progress};
use crate::verify::verifier::{MetAnchor, Verifier};

/// So much is walked frame by frame behind damage, before whole frames are taken in batches
/// again.
const AFTER_DAMAGE: u64 = 1 << 20;

/// The frames of a segment that are to be walked.
#[derive(Clone, Copy)]
pub(super) struct Frames<'a> {
    pub(super) segment: &'a SegmentFile,
    /// Offset at which they end; with `exact` they fill the segment up to there.
    pub(super) end: u64,
    pub(super) exact: bool,
    /// Size of the log at their end, if that is known.
    pub(super) size: Option<TreeSize>,
    /// Whether no segment follows.
    pub(super) last: bool,
}

/// What a step along the frames came to.
enum Step {
    On(Position),
    /// The end, and why there is no frame.
    End(Position, FormatError),
    /// The rest cannot be told apart, and was reported.
    Lost,
}

/// The frame at a position, if all of it lies below `end`.
fn frame_below(
    segment: &SegmentFile,
    at: Position,
    end: u64,
) -> Result<std::result::Result<FrameAt, FormatError>> {
    let frame = scan::frame_at(segment, at, &mut Scratch::new())?;
    Ok(frame.and_then(|frame| {
        let fits = frame.offset.checked_add(frame.header.frame_len()).is_some_and(|to| to <= end);
        let beyond = || FormatError::mismatch("frame", "its whole body", "the end");
        if fits { Ok(frame) } else { Err(beyond()) }
    }))
}

/// Whether a whole frame stands here by now.
fn is_whole(segment: &SegmentFile, at: Position) -> Result<bool> {
    let Ok(frame) = frame_below(segment, at, segment.file_len()?)? else { return Ok(false) };
    let mut scratch = Scratch::new();
    let body = scan::body(segment, &frame, &mut scratch)?;
    Ok(scan::records(segment, &frame, body, |_, _| ()).is_ok())
}

impl Verifier<'_> {
    pub(super) fn frames(&mut self, frames: &Frames<'_>) -> Result<()> {
        let Frames { segment, mut end, exact, size, last } = *frames;
        let start = segment.header.first_frame();
        let mut at = Position { offset: start, size: segment.header.first };
        self.padding(segment, header::LEN as u64, at.offset)?;
        let (mut careful_up_to, mut why) = (0, None);
        self.meet_marks(segment, at);
        while at.offset < end && (exact || size.is_none_or(|size| at.size < size)) {
            if at.offset >= careful_up_to && size.is_none_or(|size| at.size < size) {
                at = self.batches(frames, at, end);
                careful_up_to = at.offset + AFTER_DAMAGE;
                continue;
            }
            match self.step(frames, at, &mut end)? {
                Step::On(next) => at = next,
                Step::Lost => return Ok(()),
                Step::End(stopped, reason) => {
                    (at, why) = (stopped, Some(reason));
                    break;
                }
            }
            self.meet_marks(segment, at);
            self.report_progress(at.offset);
        }
        let (expected, marked) = (self.least(size, last), self.marked_end(segment));
        if at.offset < marked && !self.lost && at.size >= expected {
            let place = (Some(segment.header.ordinal), Some(at.offset), None);
            let expected = format!("frames up to {marked}, which a mark says were durable");
            self.finding(&segment.path, place, "segment", expected, "the end");
            self.lost = true;
        }
        if at.size < expected {
            let place = (Some(segment.header.ordinal), Some(at.offset), Some(at.size.next_seq()));
            let found = format!("the end after {}", at.size);
            let expected = format!("{expected} records by its end");
            self.finding(&segment.path, place, "segment", expected, found);
        }
        if !exact && size.is_none() {
            self.rest(segment, at, why.as_ref())?;
        }
        self.substitute(expected);
        Ok(())
    }

    /// Where a mark says that frames were durable up to.
    fn marked_end(&self, segment: &SegmentFile) -> u64 {
        let here = (segment.header.ordinal, segment.header.nonce);
        let marks = self.marks.iter().map(|met| &met.mark);
        let own = marks.filter(|mark| (mark.ordinal, mark.nonce) == here);
        own.map(|mark| mark.offset).max().unwrap_or(0)
    }

    /// Takes whole frames, in as many threads as were asked for.
    fn batches(&mut self, frames: &Frames<'_>, from: Position, end: u64) -> Position {
        let (segment, ordinal) = (frames.segment, frames.segment.header.ordinal);
        let here = self.marks.iter().filter(|mark| mark.mark.ordinal == ordinal);
        let stops: Vec<u64> = here.map(|mark| mark.mark.offset).collect();
        let opener = &*Arc::clone(&self.opener);
        let part = Part { segment, from, end, size: frames.size, stops: &stops, opener };
        let (files, threads) = (self.stored.files.clone(), self.options.thread_count());
        batches::walk(part, &files, threads, |checked| {
            self.take_batch(segment, &checked);
            self.meet_marks(segment, checked.end);
            self.report_progress(checked.end.offset);
            true
        })
    }

    /// What was durable once stays so: a frame says no less than one before it.
    fn check_durable(&mut self, segment: &SegmentFile, offset: u64, durable: TreeSize) {
        if durable < self.said_durable {
            let place = (Some(segment.header.ordinal), Some(offset), None);
            let expected = format!("at least {}, as a frame before it says", self.said_durable);
            let what = "frame header: durable_size";
            self.finding(&segment.path, place, what, expected, durable.to_string());
        }
        self.said_durable = self.said_durable.max(durable);
    }

    fn take_batch(&mut self, segment: &SegmentFile, checked: &Checked) {
        let ordinal = segment.header.ordinal;
        let (least, most) = checked.durable;
        self.check_durable(segment, checked.start.offset, least);
        self.said_durable = self.said_durable.max(most);
        for (seq, anchor) in &checked.anchors {
            self.met_anchor(MetAnchor { ordinal, seq: *seq, anchor: *anchor });
        }
        if let Some(offset) = checked.offsets.first() {
            let (first, last) = checked.times.recorded; // they ascend
            let seq = checked.start.size.next_seq();
            self.check_order(segment, (Some(ordinal), Some(u64::from(*offset)), Some(seq)), first);
            self.recorded_at = Some(last);
            self.times.join(&checked.times);
        }
        self.waypoints.extend_from_slice(&checked.waypoints);
        self.counts.records += checked.leaves.len() as u64;
        self.met += checked.leaves.len() as u64;
        if checked.leaves.is_empty() || self.push_subtrees(checked) {
            return;
        }
        for (n, (leaf, offset)) in checked.leaves.iter().zip(&checked.offsets).enumerate() {
            let seq = Seq::new(checked.start.size.get() + n as u64);
            let place = (Some(ordinal), Some(u64::from(*offset)), Some(seq));
            self.push(*leaf, Some((&segment.path, place)));
        }
    }

    /// One frame, or damage up to the next one.
    fn step(&mut self, frames: &Frames<'_>, at: Position, end: &mut u64) -> Result<Step> {
        let Frames { segment, size, last, exact, .. } = *frames;
        let open = size.is_none();
        let (mut frame, mut next) = (frame_below(segment, at, *end)?, None);
        if frame.is_err() {
            next = scan::next_frame(segment, at, *end)?;
            if open {
                // A writer may have been at it: its frames are whole by now.
                *end = (*end).max(segment.file_len()?);
                frame = frame_below(segment, at, *end)?;
            }
        }
        // Beyond what is durable a writer, or a crash, may have left half a frame.
        let judged =
            !open || at.size < self.durable && last || at.offset < self.marked_end(segment);
        let frame = match frame {
            Ok(frame) => frame,
            // Unsealed segments end where no whole frame follows, unless more was durable.
            Err(damage) if next.is_none() && !judged => return Ok(Step::End(at, damage)),
            Err(damage) => {
                let seq = size.is_none_or(|size| at.size < size).then(|| at.size.next_seq());
                let place = (Some(segment.header.ordinal), Some(at.offset), seq);
                self.damage(&segment.path, place, damage);
                self.lost = true;
                let Some(next) = next else {
                    self.substitute(self.least(size, last));
                    return Ok(Step::Lost);
                };
                self.substitute(next.size);
                return Ok(Step::On(next));
            }
        };
        if let Some(size) = size.filter(|size| frame.header.end() > *size) {
            let place = (Some(segment.header.ordinal), Some(at.offset), None);
            let found = format!("a frame of records up to {}", frame.header.end());
            self.finding(&segment.path, place, "frame", format!("records up to {size}"), found);
            self.substitute(size);
            return Ok(Step::Lost);
        }
        let mut scratch = Scratch::new();
        let body = match scan::body(segment, &frame, &mut scratch) {
            Err(error @ Error::Corrupt { .. }) => {
                self.finding_of(error);
                self.substitute(self.least(size, last));
                return Ok(Step::Lost);
            }
            body => body?,
        };
        let after = frame.next(segment.header.frame_align);
        if !judged
            && let Err(bad) = scan::records(segment, &frame, body, |_, _| ())
            && scan::next_frame(segment, after, *end)?.is_none()
        {
            return Ok(Step::End(at, bad.error));
        }
        self.check_durable(segment, frame.offset, frame.header.durable);
        self.records(segment, &frame, body);
        let padding_end = if exact { after.offset.min(*end) } else { after.offset };
        self.padding(segment, frame.offset + frame.header.frame_len(), padding_end)?;
        Ok(Step::On(after))
    }

    /// What stands behind the last whole frame of a segment that was not sealed: zeros.
    fn rest(
        &mut self,
        segment: &SegmentFile,
        at: Position,
        why: Option<&FormatError>,
    ) -> Result<()> {
        for _ in 0..self.options.readings() {
            let used = bytes::used_bytes(&**segment.file(), &segment.path, at.offset)?;
            if used == 0 || is_whole(segment, at)? {
                return Ok(());
            }
            self.options.wait_for_writer();
        }
        let used = bytes::used_bytes(&**segment.file(), &segment.path, at.offset)?;
        if used == 0 || seal::read_footer(segment, segment.file_len()?)?.is_some() {
            return Ok(());
        }
        let place = (Some(segment.header.ordinal), Some(at.offset), Some(at.size.next_seq()));
        if let Err(contradiction) = scan::frame_at(segment, at, &mut Scratch::new())?
            && scan::is_written_header(segment, at.offset)?
        {
            self.damage(&segment.path, place, contradiction);
            return Ok(());
        }
        let why = why.map_or(String::new(), |why| format!(" ({why})"));
        let found = format!("{used} bytes that are no whole frame{why}");
        let what = "what follows the last whole frame";
        self.warning(&segment.path, place, what, "zeros, or a frame", found);
        Ok(())
    }

    /// Bytes that are not what the format says.
    pub(super) fn damage(&mut self, path: &std::path::Path, place: Place, error: FormatError) {
        let (what, expected, found) = match error {
            FormatError::Mismatch { what, expected, found } => (what, expected, found),
            FormatError::Newer { what, found, newest } => {
                let expected = format!("a version that is known here, at most {newest}");
                let found = format!("version {found}, which is newer: no damage, upgrade bulla");
                (what, expected, found)
            }
        };
        self.finding(path, place, what, expected, found);
    }

    fn records(&mut self, segment: &SegmentFile, frame: &FrameAt, bytes: &[u8]) {
        let context = segment.context();
        let mut at = 0;
        for n in 0..u64::from(frame.header.count) {
            let seq = Seq::new(frame.header.first.get() + n);
            let offset = frame.body() + at as u64;
            let rest = bytes.get(at..).unwrap_or_default();
            let checked = RawRecord::take(rest).and_then(|raw| raw.check(&context, seq));
            let place = (Some(segment.header.ordinal), Some(offset), Some(seq));
            if (seq.get() - segment.header.first.get()).is_multiple_of(STRIDE) {
                self.waypoints.push(Waypoint::at(frame.offset, offset));
            }
            match checked {
                Ok(record) => {
                    self.record(segment, place, &record);
                    let leaf = record.leaf(segment.header.algorithm);
                    self.push(leaf, Some((&segment.path, place)));
                    self.counts.records += 1;
                    self.met += 1;
                }
                Err(error) => {
                    self.damage(&segment.path, place, error);
                    self.lost = true;
                    self.substitute(TreeSize::new(seq.get() + 1));
                }
            }
            match stored_len(rest) {
                Ok(len) if len <= rest.len() => at += len,
                // Its length is damaged: the rest of the frame cannot be told apart.
                _ => return self.substitute(frame.header.end()),
            }
        }
        if at != bytes.len() {
            let place = (Some(segment.header.ordinal), Some(frame.body() + at as u64), None);
            let found = format!("{} more bytes", bytes.len() - at);
            self.finding(&segment.path, place, "frame", "its end", found);
        }
    }

    /// Within a segment `recorded_at` does not decrease: questions for a range of it rely on that.
    fn check_order(&mut self, segment: &SegmentFile, place: Place, recorded_at: Timestamp) {
        let before = self.recorded_at.replace(recorded_at).filter(|before| recorded_at < *before);
        if let Some(before) = before {
            let expected = format!("a time not before that of the record in front of it, {before}");
            self.finding(&segment.path, place, "recorded_at", expected, recorded_at.to_string());
        }
    }

    /// The bodies of a record, and what an anchor binds.
    fn record(&mut self, segment: &SegmentFile, place: Place, record: &CheckedRecord<'_>) {
        self.check_order(segment, place, record.head.recorded_at);
        let decoded = match RecordKind::from_code(record.head.kind) {
            Some(RecordKind::Event) => {
                body::decode_envelope_strict(record.head.schema, record.envelope)
                    .map_err(|error| error.to_string())
                    .and_then(|envelope| {
                        self.times.add(record.head.recorded_at, envelope.occurred_at);
                        batches::check_payload(record, &self.opener)
                    })
            }
            Some(RecordKind::Anchor) => decode_anchor(record).map(|anchor| {
                self.times.add(record.head.recorded_at, record.head.recorded_at);
                let (ordinal, seq) = (segment.header.ordinal, record.head.seq);
                self.met_anchor(MetAnchor { ordinal, seq, anchor });
            }),
            None => Err(format!("record kind {}", record.head.kind)),
        };
        if let Err(found) = decoded {
            self.finding(&segment.path, place, "bodies", "those of an event", found);
        }
    }

    fn met_anchor(&mut self, met: MetAnchor) {
        self.last_anchor = TreeSize::new(met.seq.get().saturating_add(1));
        self.anchors.push(met);
    }

    /// Records that must be there by the end of a segment.
    fn least(&self, size: Option<TreeSize>, last: bool) -> TreeSize {
        size.unwrap_or(if last { self.durable } else { TreeSize::ZERO })
    }

    /// Uses the stored leaves of records that are damaged, so that what follows can still
    /// be checked.
    pub(super) fn substitute(&mut self, up_to: TreeSize) {
        self.lost |= self.tree_lost || self.frontier.size() < up_to;
        while !self.tree_lost && self.frontier.size() < up_to {
            let seq = self.frontier.size().next_seq();
            let Some(leaf) = self.stored.leaf(seq) else {
                self.tree_lost = true;
                let what = "tree above the damage";
                let dir = self.dir.path().to_owned();
                let expected = format!("records {seq} to {}, or their hashes", up_to.get() - 1);
                let found = "neither: no root from here on can be compared";
                self.finding(&dir, (None, None, Some(seq)), what, expected, found);
                return;
            };
            self.push(leaf, None);
        }
    }

    /// What lies between frames is zeros.
    pub(super) fn padding(&mut self, segment: &SegmentFile, from: u64, to: u64) -> Result<()> {
        let len = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
        if len == 0 {
            return Ok(());
        }
        let mut scratch = Scratch::new();
        let bytes = segment.read_up_to(from, len, &mut scratch)?;
        if let Some(at) = bytes.iter().position(|byte| *byte != 0) {
            let place = (Some(segment.header.ordinal), Some(from + at as u64), None);
            let found = bytes.get(at).map_or(String::new(), |byte| format!("{byte:02x}"));
            self.finding(&segment.path, place, "padding between frames", "zeros", found);
        }
        Ok(())
    }

    fn report_progress(&mut self, offset: u64) {
        let bytes_done = self.counts.bytes + offset;
        (self.progress)(Progress { bytes_done, bytes_total: self.bytes_total });
    }
}
