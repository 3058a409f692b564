//! Reads a whole segment against what is known of it.

use std::path::PathBuf;

use super::finding::ArchiveFinding;
use super::manifest::SegmentFacts;
use super::reading::{Reading, Source};
use crate::error::{Error, Result};
use crate::event::{Anchor, RecordKind};
use crate::format::footer::{self, STRIDE, SegmentFooter, TimeRange, Waypoint};
use crate::format::frame::{self, FrameHeader};
use crate::format::header::{self, SegmentHeader};
use crate::format::layout::waypoint;
use crate::format::record::{CheckedRecord, RawRecord, stored_len};
use crate::format::{FormatError, Stream, body};
use crate::hash::Hash;
use crate::index::{self, Tail};
use crate::merkle::Frontier;
use crate::query::Subject;
use crate::segment::scan::align_up;
use crate::seq::{Seq, TreeSize};
use crate::terms::Scope;
use crate::time::Timestamp;

/// Findings of one segment that are told; behind them one says that there are more.
const TOLD: usize = 100;
/// Waypoints that are compared at a time.
const WAYPOINTS: usize = 8192;

/// What reading a segment came to.
#[derive(Debug)]
pub(crate) struct Inspected {
    /// Digest and length of its file.
    pub(crate) digest: Hash,
    pub(crate) len: u64,
    /// What is not as it should be.
    pub(crate) findings: Vec<ArchiveFinding>,
    /// Records whose CRC was right.
    pub(crate) records: u64,
    /// Its index, if all records were read; `None` if it has none.
    pub(crate) index: Option<Vec<u8>>,
}

/// Reads a segment of this length, and compares all of it with the facts.
///
/// # Errors
/// I/O. What is wrong with the bytes is a finding.
pub(crate) fn inspect(
    source: &Source<'_>,
    path: PathBuf,
    len: u64,
    facts: &SegmentFacts,
) -> Result<Inspected> {
    let mut walk = Walk {
        facts,
        frontier: facts.start.clone(),
        tail: Tail::default(),
        times: TimeRange::EMPTY,
        waypoints: Vec::new(),
        last_anchor: TreeSize::ZERO,
        records: 0,
        newest: None,
        whole: false,
        findings: Vec::new(),
    };
    let mut footer = vec![0; footer::LEN];
    let footer_at = len.saturating_sub(footer::LEN as u64);
    let filled = fill(source, &mut footer, footer_at).map_err(Error::io("read", &path))?;
    let footer = footer.first_chunk().filter(|_| filled == footer::LEN);
    let footer = footer.ok_or_else(|| FormatError::mismatch("segment", "a footer", "its end"));
    let footer = footer.and_then(|bytes| SegmentFooter::decode(bytes, len));
    let mut reading = Reading::new(source, path);
    match footer {
        Ok(footer) => walk.segment(&mut reading, &footer)?,
        Err(error) => walk.damage(footer_at, None, error),
    }
    let (digest, read) = reading.finish()?;
    let index = walk.index();
    let Walk { mut findings, records, .. } = walk;
    if findings.len() > TOLD {
        let more = findings.split_off(TOLD).len();
        let found = format!("{more} more findings");
        findings.push(ArchiveFinding::new("segment.seg", "segment", "no more findings", found));
    }
    Ok(Inspected { digest, len: read, findings, records, index })
}

fn fill(source: &Source<'_>, buf: &mut [u8], offset: u64) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buf.len() {
        let rest = buf.get_mut(filled..).unwrap_or_default();
        match source(rest, offset + filled as u64)? {
            0 => break,
            more => filled = filled.saturating_add(more).min(buf.len()),
        }
    }
    Ok(filled)
}

struct Walk<'a> {
    facts: &'a SegmentFacts,
    frontier: Frontier,
    tail: Tail,
    times: TimeRange,
    waypoints: Vec<Waypoint>,
    last_anchor: TreeSize,
    records: u64,
    /// `recorded_at` of the record before.
    newest: Option<Timestamp>,
    /// Whether every record was read.
    whole: bool,
    findings: Vec<ArchiveFinding>,
}

impl Walk<'_> {
    fn finding(&mut self, what: &str, expected: impl ToString, found: impl ToString) {
        let (expected, found) = (expected.to_string(), found.to_string());
        if expected != found {
            self.findings.push(ArchiveFinding::new("segment.seg", what, expected, found));
        }
    }

    fn damage(&mut self, offset: u64, seq: Option<Seq>, error: FormatError) {
        if self.findings.len() > TOLD {
            return; // counted no further: it is enough to be told
        }
        let (what, expected, found) = match error {
            FormatError::Mismatch { what, expected, found } => (what, expected, found),
            FormatError::Newer { what, found, newest } => {
                (what, format!("a version known here, at most {newest}"), found.to_string())
            }
        };
        let finding = ArchiveFinding::new("segment.seg", what, expected, found);
        self.findings.push(ArchiveFinding { offset: Some(offset), seq, ..finding });
    }

    fn segment(&mut self, reading: &mut Reading<'_>, footer: &SegmentFooter) -> Result<()> {
        let bytes = reading.bytes(0, header::LEN)?;
        let bytes = bytes.first_chunk();
        let short = || FormatError::mismatch("segment header", "512 bytes", "fewer");
        let header = match bytes.ok_or_else(short).and_then(SegmentHeader::decode) {
            Ok(header) => header,
            Err(error) => {
                self.damage(0, None, error);
                return Ok(());
            }
        };
        if !self.check_header(&header) {
            return Ok(()); // its records cannot be those that should be here
        }
        self.last_anchor = header.last_anchor;
        self.zeros(reading, header::LEN as u64, header.first_frame())?;
        let Some(end) = self.frames(reading, &header, footer)? else { return Ok(()) };
        self.finding("end of the frames", footer.frames_end, end);
        self.zeros(reading, footer.frames_end, footer.table_offset)?;
        self.check_table(reading, footer)?;
        self.check_footer(footer);
        Ok(())
    }

    fn check_header(&mut self, header: &SegmentHeader) -> bool {
        let facts = self.facts;
        let before = self.findings.len();
        self.finding("log id", facts.log_id, header.log_id);
        self.finding("stream", Stream::Main.code(), header.stream.code());
        self.finding("hash", facts.start.algorithm(), header.algorithm);
        self.finding("ordinal", facts.ordinal, header.ordinal);
        self.finding("first record", facts.start.size(), header.first);
        let fits = self.findings.len() == before;
        self.finding("root at the start", facts.start.root(), header.start_root);
        self.finding("header", facts.header, header.digest());
        fits
    }

    /// Walks the frames; gives where they end, unless there is damage that hides that.
    fn frames(
        &mut self,
        reading: &mut Reading<'_>,
        header: &SegmentHeader,
        footer: &SegmentFooter,
    ) -> Result<Option<u64>> {
        let mut at = header.first_frame();
        let mut next = header.first;
        let mut lost = false;
        while at < footer.frames_end {
            let bytes = reading.bytes(at, frame::LEN)?;
            let short = || FormatError::mismatch("frame header", "32 bytes", "the end");
            let decoded = bytes.first_chunk().ok_or_else(short);
            let decoded = decoded.and_then(|bytes| FrameHeader::decode(bytes, &header.nonce, at));
            let frame = match decoded {
                Ok(frame) if frame.first == next => frame,
                Ok(frame) => {
                    let error = FormatError::mismatch("frame: first_seq", next, frame.first);
                    self.damage(at, None, error);
                    return Ok(None);
                }
                Err(error) => {
                    self.damage(at, Some(next.next_seq()), error);
                    return Ok(None);
                }
            };
            let body_len = usize::try_from(frame.body_len).unwrap_or(usize::MAX);
            let body = reading.bytes(at + frame::LEN as u64, body_len)?;
            if body.len() < body_len || frame.end() > self.facts.end().size {
                let expected = format!("records up to {}, whole", self.facts.end().size);
                let error = FormatError::mismatch("frame", expected, "another");
                self.damage(at, None, error);
                return Ok(None);
            }
            lost |= !self.records(body, header, &frame, at);
            let end = at + frame.frame_len();
            (at, next) = (align_up(end, header.frame_align), frame.end());
            self.zeros(reading, end, at.min(footer.frames_end))?;
        }
        self.finding("records", self.facts.end().size, next);
        self.whole = !lost && next == self.facts.end().size;
        Ok(Some(at))
    }

    /// The records of a frame; whether all of them are whole.
    fn records(
        &mut self,
        bytes: &[u8],
        header: &SegmentHeader,
        frame: &FrameHeader,
        offset: u64,
    ) -> bool {
        let context = crate::format::record::Context {
            log_id: header.log_id,
            nonce: header.nonce,
            algorithm: header.algorithm,
        };
        let (mut at, mut whole) = (0, true);
        for n in 0..u64::from(frame.count) {
            let seq = Seq::new(frame.first.get().saturating_add(n));
            let place = offset + (frame::LEN + at) as u64;
            let position = seq.get().saturating_sub(header.first.get());
            if position.is_multiple_of(STRIDE) {
                self.waypoints.push(Waypoint::at(offset, place));
            }
            let rest = bytes.get(at..).unwrap_or_default();
            let checked = RawRecord::take(rest).and_then(|raw| raw.check(&context, seq));
            match checked {
                Ok(record) => whole &= self.record(&record, place),
                Err(error) => {
                    self.damage(place, Some(seq), error);
                    whole = false;
                }
            }
            match stored_len(rest) {
                Ok(len) if len <= rest.len() => at += len,
                _ => return false, // the rest of the frame cannot be told apart
            }
        }
        if at != bytes.len() {
            let found = format!("{} more bytes", bytes.len() - at);
            let error = FormatError::mismatch("frame body", "its end", found);
            self.damage(offset, None, error);
        }
        whole
    }

    fn record(&mut self, record: &CheckedRecord<'_>, place: u64) -> bool {
        let at = record.head.recorded_at;
        if let Some(before) = self.newest.replace(at).filter(|before| at < *before) {
            let expected = format!("not before {before}, that of the record in front of it");
            let error = FormatError::mismatch("record: recorded_at", expected, at);
            self.damage(place, Some(record.head.seq), error);
        }
        let leaf = record.leaf(self.facts.start.algorithm());
        self.frontier.push(leaf, |_, _| ());
        self.records += 1;
        match self.bodies(record) {
            Ok(()) => true,
            Err(found) => {
                let error = FormatError::mismatch("record: bodies", "those of its kind", found);
                self.damage(place, Some(record.head.seq), error);
                false
            }
        }
    }

    /// The bodies, into the index and the times.
    fn bodies(&mut self, record: &CheckedRecord<'_>) -> Result<(), String> {
        let at = record.head.recorded_at;
        match RecordKind::from_code(record.head.kind) {
            Some(kind @ RecordKind::Event) => {
                let envelope = body::decode_envelope_strict(record.head.schema, record.envelope);
                let envelope = envelope.map_err(|error| error.to_string())?;
                self.times.add(at, envelope.occurred_at);
                self.tail.add(kind, at, &envelope.subject());
                if record.encrypted().is_some() {
                    return Ok(()); // its hashes are checked, and nobody here has the key
                }
                let payload = body::decode_payload_strict(record.head.schema, record.payload());
                payload.map(|_| ()).map_err(|error| error.to_string())
            }
            Some(kind @ RecordKind::Anchor) => {
                let anchor: Result<Anchor, _> = body::decode_anchor_strict(record.envelope);
                anchor.map_err(|error| error.to_string())?;
                self.times.add(at, at);
                self.tail.add(kind, at, &Subject::of_anchor(at));
                self.last_anchor = record.head.seq.covering_size().unwrap_or_default();
                Ok(())
            }
            None => Err(format!("record kind {}", record.head.kind)),
        }
    }

    fn check_footer(&mut self, footer: &SegmentFooter) {
        let facts = self.facts;
        let own = format!("segment {} of log {}", facts.ordinal, facts.log_id);
        let found = format!("segment {} of log {}", footer.ordinal, footer.log_id);
        self.finding("footer", own, found);
        self.finding("first record in the footer", facts.start.size(), footer.first);
        self.finding("records in the footer", facts.count, footer.count);
        self.finding("root in the footer", facts.end_root, footer.end_root);
        self.finding("index root in the footer", facts.index_root, footer.index_root);
        self.finding("time to keep it in the footer", facts.keep_until, footer.keep_until);
        let times = |recorded: (Timestamp, Timestamp), occurred: (Timestamp, Timestamp)| {
            let ((a, b), (c, d)) = (recorded, occurred);
            format!("recorded {a} to {b}, occurred {c} to {d}")
        };
        let expected = times(facts.recorded, facts.occurred);
        let in_footer = times(footer.times.recorded, footer.times.occurred);
        self.finding("times in the footer", &expected, in_footer);
        if !self.whole {
            return; // what is not known of damaged records is not compared
        }
        self.finding("times of the records", &expected, {
            times(self.times.recorded, self.times.occurred)
        });
        self.finding("root at the end", facts.end_root, self.frontier.root());
        self.finding("newest anchor in the footer", self.last_anchor, footer.last_anchor);
    }

    fn check_table(&mut self, reading: &mut Reading<'_>, footer: &SegmentFooter) -> Result<()> {
        let entries = usize::try_from(footer.table_count).unwrap_or(usize::MAX);
        let (mut crc, mut same) = (crc32fast::Hasher::new(), entries == self.waypoints.len());
        let (mut done, mut at) = (0, footer.table_offset);
        while done < entries {
            let count = WAYPOINTS.min(entries - done);
            let bytes = reading.bytes(at, count * waypoint::LEN)?;
            if bytes.is_empty() {
                break; // the end of the file, which the digest tells
            }
            crc.update(bytes);
            let met = self.waypoints.get(done..done + count);
            same &= met.is_some_and(|met| Waypoint::decode_table(bytes) == met);
            (done, at) = (done + count, at + bytes.len() as u64);
        }
        let found = crc.finalize();
        self.finding("waypoint table", crc_text(footer.table_crc), crc_text(found));
        if self.whole && !same {
            self.finding("waypoint table", "the places of the records", "others");
        }
        Ok(())
    }

    /// What lies between frames is zeros.
    fn zeros(&mut self, reading: &mut Reading<'_>, from: u64, to: u64) -> Result<()> {
        let mut at = from;
        while at < to {
            let wanted = usize::try_from(to - at).unwrap_or(usize::MAX).min(1 << 16);
            let bytes = reading.bytes(at, wanted)?;
            if bytes.is_empty() {
                return Ok(()); // the end of the file, which the digest tells
            }
            let (read, odd) = (bytes.len() as u64, bytes.iter().position(|byte| *byte != 0));
            if let Some(odd) = odd {
                let error = FormatError::mismatch("padding", "zeros", "other bytes");
                self.damage(at + odd as u64, None, error);
                return Ok(());
            }
            at += read;
        }
        Ok(())
    }

    /// Makes the index anew, and compares its root.
    fn index(&mut self) -> Option<Vec<u8>> {
        let facts = self.facts;
        if !self.whole || facts.index_root == Hash::ZERO {
            return None;
        }
        let scope = Scope { log_id: facts.log_id, first: facts.start.size() };
        let (head, bytes) = index::encode(&self.tail, scope, facts.ordinal);
        self.finding("index root of the records", facts.index_root, head.root());
        bytes
    }
}

fn crc_text(crc: u32) -> String {
    format!("crc {crc:08x}")
}
