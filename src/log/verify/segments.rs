//! One segment of a deep verification.

use std::path::Path;

use crate::disk::Open;
use crate::error::{Error, Result};
use crate::event::RecordKind;
use crate::format::body;
use crate::format::catalog_body::Sealed;
use crate::format::footer::{STRIDE, SegmentFooter, TimeRange, Waypoint};
use crate::format::header::{self, SegmentHeader};
use crate::format::record::{CheckedRecord, RawRecord, stored_len};
use crate::format::{FORMAT_VERSION, FormatError};
use crate::log::read::decode_anchor;
use crate::log::verify::{Progress, Verifier};
use crate::segment::bytes::{Scratch, SegmentFile};
use crate::segment::scan::{self, FrameAt, Position};
use crate::segment::seal;
use crate::seq::{Seq, TreeSize};
use crate::time::Timestamp;

/// Progress is reported at least every so many bytes.
const REPORT_EVERY: u64 = 4 << 20;

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

fn time_text(times: [i64; 4]) -> String {
    let [recorded, last_recorded, occurred, last_occurred] = times.map(Timestamp::from_nanos);
    format!("recorded {recorded} to {last_recorded}, occurred {occurred} to {last_occurred}")
}

impl Verifier<'_> {
    /// Reads one segment; gives its header for the next one's chain.
    pub(super) fn segment(
        &mut self,
        file: (u64, &Path),
        last: bool,
        previous: Option<&SegmentHeader>,
    ) -> Result<Option<SegmentHeader>> {
        let (ordinal, path) = file;
        let segment = match SegmentFile::open(&*self.options.disk, path, Open::Read) {
            Ok(Some(segment)) => segment,
            Ok(None) if last => return Ok(None), // made ahead
            Ok(None) => {
                self.finding(path, (Some(ordinal), Some(0), None), "header", "a header", "zeros");
                return Ok(None);
            }
            Err(error @ Error::Io { .. }) => return Err(error),
            Err(error) => {
                let mut finding = super::finding_of(self.dir, error);
                finding.segment = Some(ordinal);
                self.findings.push(finding);
                self.fill_up_to(ordinal);
                return Ok(None);
            }
        };
        self.counts.segments += 1;
        self.check_header(&segment, ordinal, previous);
        // Only now: a seal cuts off what was made ready and not used.
        let bytes = segment.file_len()?;
        let footer = match seal::read_footer(&segment, bytes) {
            Ok(footer) => footer,
            Err(error) => {
                self.finding_of(error);
                None
            }
        };
        let sealed = self.sealed.iter().find(|sealed| sealed.ordinal == ordinal).copied();
        let end = match (&footer, &sealed) {
            (Some(footer), _) => footer.frames_end,
            _ => bytes,
        };
        // Where it must end, if that is known.
        let size = match (&sealed, &footer) {
            (Some(sealed), _) => Some(TreeSize::new(sealed.first.saturating_add(sealed.count))),
            (None, Some(footer)) => Some(footer.end()),
            (None, None) => None,
        };
        if sealed.is_some() && footer.is_none() {
            let place = (Some(ordinal), Some(bytes.saturating_sub(256)), None);
            self.finding(path, place, "footer", "the footer of a sealed segment", "none");
        }
        self.waypoints.clear();
        (self.times, self.met, self.lost) = (TimeRange::EMPTY, 0, false);
        self.frames(&segment, end, size, last)?;
        self.check_end(&segment, footer.as_ref(), sealed.as_ref());
        self.check_facts(&segment, bytes, footer.as_ref(), sealed.as_ref());
        if let Some(footer) = &footer {
            self.check_table(&segment, footer)?;
        }
        Ok(Some(segment.header))
    }

    /// Stands in for the records of a segment that cannot be read.
    fn fill_up_to(&mut self, ordinal: u64) {
        let sealed = self.sealed.iter().find(|sealed| sealed.ordinal == ordinal);
        if let Some(end) = sealed.map(|sealed| sealed.first.saturating_add(sealed.count)) {
            self.substitute(TreeSize::new(end));
        }
    }

    fn check_header(
        &mut self,
        segment: &SegmentFile,
        ordinal: u64,
        previous: Option<&SegmentHeader>,
    ) {
        let header = &segment.header;
        let place = (Some(ordinal), Some(0), None);
        let mut check = |what: &str, expected: String, found: String| {
            if expected != found {
                self.findings.push(super::Finding {
                    file: segment.path.clone(),
                    segment: place.0,
                    offset: place.1,
                    seq: place.2,
                    what: what.to_owned(),
                    expected,
                    found,
                });
            }
        };
        check("log id", self.log_id.to_string(), header.log_id.to_string());
        check("ordinal", ordinal.to_string(), header.ordinal.to_string());
        if !self.tree_lost {
            let (size, root) = (self.frontier.size(), self.frontier.root());
            check("first record", size.to_string(), header.first.to_string());
            check("root at the start", root.to_string(), header.start_root.to_string());
        }
        if let Some(previous) = previous {
            check("predecessor", previous.digest().to_string(), header.previous.to_string());
        }
    }

    fn frames(
        &mut self,
        segment: &SegmentFile,
        end: u64,
        size: Option<TreeSize>,
        last: bool,
    ) -> Result<()> {
        let align = segment.header.frame_align;
        let (open, mut end) = (size.is_none(), end);
        let mut at = Position { offset: segment.header.first_frame(), size: segment.header.first };
        let (mut scratch, mut reported) = (Scratch::new(), 0);
        self.padding(segment, header::LEN as u64, at.offset)?;
        while at.offset < end && size.is_none_or(|size| at.size < size) {
            let mut frame = frame_below(segment, at, end)?;
            let mut next = None;
            if frame.is_err() {
                next = scan::next_frame(segment, at, end)?;
                if open {
                    // A writer may have been at it: its frames are whole by now.
                    end = end.max(segment.file_len()?);
                    frame = frame_below(segment, at, end)?;
                }
            }
            // Beyond what is durable a writer, or a crash, may have left half a frame.
            let judged = !open || at.size < self.durable && last;
            match frame {
                Ok(frame) => {
                    let body = match scan::body(segment, &frame, &mut scratch) {
                        Err(error @ Error::Corrupt { .. }) => {
                            self.finding_of(error);
                            return self.substitute_to(size, last);
                        }
                        body => body?,
                    };
                    let after = frame.next(align);
                    let whole = judged || scan::records(segment, &frame, body, |_, _| ()).is_ok();
                    if !whole && scan::next_frame(segment, after, end)?.is_none() {
                        break;
                    }
                    self.records(segment, &frame, body);
                    at = after;
                    self.padding(segment, frame.offset + frame.header.frame_len(), at.offset)?;
                }
                Err(damage) => {
                    // Unsealed segments end where no whole frame follows, unless more
                    // was durable.
                    if next.is_none() && !judged {
                        break;
                    }
                    self.damaged_frame(segment, at, &damage);
                    let Some(next) = next else { return self.substitute_to(size, last) };
                    self.substitute(next.size);
                    at = next;
                }
            }
            if at.offset - reported >= REPORT_EVERY {
                reported = at.offset;
                let bytes_done = self.counts.bytes + at.offset;
                (self.progress)(Progress { bytes_done, bytes_total: self.bytes_total });
            }
        }
        let expected = self.least(size, last);
        if at.size < expected {
            let place = (Some(segment.header.ordinal), Some(at.offset), Some(at.size.next_seq()));
            let found = format!("the end after {}", at.size);
            let expected = format!("{expected} records by its end");
            self.finding(&segment.path, place, "segment", expected, found);
        }
        self.substitute_to(size, last)
    }

    /// What footer and catalog say of a sealed segment, against its records.
    fn check_facts(
        &mut self,
        segment: &SegmentFile,
        bytes: u64,
        footer: Option<&SegmentFooter>,
        sealed: Option<&Sealed>,
    ) {
        let nanos = |times: &TimeRange| {
            let (recorded, occurred) = (times.recorded, times.occurred);
            [recorded.0, recorded.1, occurred.0, occurred.1].map(Timestamp::as_nanos)
        };
        let (first, met) = (segment.header.first.get(), self.met);
        // What is not known of damaged records is not compared.
        let whole = |count: u64| met == count;
        let mut pairs: Vec<(&str, [i64; 4], [i64; 4])> = Vec::new();
        let mut numbers: Vec<(&str, u64, u64)> = Vec::new();
        if let Some(footer) = footer {
            if whole(footer.count) {
                pairs.push(("times in the footer", nanos(&self.times), nanos(&footer.times)));
                let (found, expected) = (footer.last_anchor.get(), self.last_anchor.get());
                // Anchors in damaged segments before it were not met.
                if self.findings.is_empty() {
                    numbers.push(("newest anchor in the footer", expected, found));
                }
            } else if !self.lost {
                numbers.push(("records in the footer", met, footer.count));
            }
        }
        if let Some(sealed) = sealed {
            numbers.push(("first record in the catalog", first, sealed.first));
            numbers.push(("bytes in the catalog", bytes, sealed.bytes));
            if whole(sealed.count) {
                pairs.push(("times in the catalog", nanos(&self.times), sealed.times));
            } else if !self.lost {
                numbers.push(("records in the catalog", met, sealed.count));
            }
        }
        let place = (Some(segment.header.ordinal), None, None);
        for (what, expected, found) in numbers {
            if expected != found {
                self.finding(&segment.path, place, what, expected.to_string(), found.to_string());
            }
        }
        for (what, expected, found) in pairs {
            if expected != found {
                let (expected, found) = (time_text(expected), time_text(found));
                self.finding(&segment.path, place, what, expected, found);
            }
        }
    }

    /// Records that must be there by the end of a segment.
    fn least(&self, size: Option<TreeSize>, last: bool) -> TreeSize {
        size.unwrap_or(if last { self.durable } else { TreeSize::ZERO })
    }

    fn substitute_to(&mut self, size: Option<TreeSize>, last: bool) -> Result<()> {
        self.substitute(self.least(size, last));
        Ok(())
    }

    /// What lies between frames is zeros.
    fn padding(&mut self, segment: &SegmentFile, from: u64, to: u64) -> Result<()> {
        let len = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
        if len == 0 {
            return Ok(());
        }
        let mut scratch = Scratch::new();
        let bytes = segment.read_up_to(from, len, &mut scratch)?;
        if let Some(at) = bytes.iter().position(|byte| *byte != 0) {
            let place = (Some(segment.header.ordinal), Some(from + at as u64), None);
            let found = format!("{:02x}", bytes[at]);
            self.finding(&segment.path, place, "padding between frames", "zeros", found);
        }
        Ok(())
    }

    /// The waypoint table, against where the records were met.
    fn check_table(&mut self, segment: &SegmentFile, footer: &SegmentFooter) -> Result<()> {
        let len = footer.table_count as usize * crate::format::layout::waypoint::LEN;
        let mut scratch = Scratch::new();
        let table = segment.read(footer.table_offset, len, &mut scratch)?;
        let crc = crc32fast::hash(table);
        let same = Waypoint::decode_table(table) == self.waypoints;
        if crc == footer.table_crc && (same || self.waypoints.len() != footer.table_count as usize)
        {
            return Ok(()); // if records were not met, that was reported
        }
        let place = (Some(segment.header.ordinal), Some(footer.table_offset), None);
        let expected = format!("crc {:08x}, and the places of the records", footer.table_crc);
        self.finding(&segment.path, place, "waypoint table", expected, format!("crc {crc:08x}"));
        Ok(())
    }

    fn damaged_frame(&mut self, segment: &SegmentFile, at: Position, damage: &FormatError) {
        let seq = at.size.next_seq();
        let place = (Some(segment.header.ordinal), Some(at.offset), Some(seq));
        self.damage(&segment.path, place, damage.clone());
    }

    /// Bytes that are not what the format says.
    fn damage(&mut self, path: &Path, place: super::Place, error: FormatError) {
        let (what, expected, found) = match error {
            FormatError::Mismatch { what, expected, found } => (what, expected, found),
            FormatError::Newer { what, found } => {
                (what, format!("format version {FORMAT_VERSION}"), found.to_string())
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

    /// The bodies of a record, and what an anchor binds.
    fn record(&mut self, segment: &SegmentFile, place: super::Place, record: &CheckedRecord<'_>) {
        let decoded = match RecordKind::from_code(record.head.kind) {
            Some(RecordKind::Event) => body::decode_envelope_strict(record.envelope)
                .and_then(|envelope| {
                    self.times.add(record.head.recorded_at, envelope.occurred_at);
                    body::decode_payload_strict(record.payload()).map(|_| ())
                })
                .map_err(|error| error.to_string()),
            Some(RecordKind::Anchor) => decode_anchor(record).map(|anchor| {
                self.times.add(record.head.recorded_at, record.head.recorded_at);
                self.last_anchor = TreeSize::new(record.head.seq.get().saturating_add(1));
                self.anchors.push((segment.path.clone(), record.head.seq, anchor));
            }),
            None => Err(format!("record kind {}", record.head.kind)),
        };
        if let Err(found) = decoded {
            self.finding(&segment.path, place, "bodies", "those of an event", found);
        }
    }

    /// Uses the stored leaves of records that are damaged, so that what follows can still
    /// be checked.
    fn substitute(&mut self, up_to: TreeSize) {
        self.lost |= self.tree_lost || self.frontier.size() < up_to;
        while !self.tree_lost && self.frontier.size() < up_to {
            let seq = self.frontier.size().next_seq();
            let Some(leaf) = self.stored.leaf(seq) else {
                self.tree_lost = true;
                let what = "tree above the damage";
                let dir = self.dir.to_owned();
                let expected = format!("records {seq} to {}, or their hashes", up_to.get() - 1);
                let found = "neither: no root from here on can be compared";
                self.finding(&dir, (None, None, Some(seq)), what, expected, found);
                return;
            };
            self.push(leaf, None);
        }
    }

    fn check_end(
        &mut self,
        segment: &SegmentFile,
        footer: Option<&SegmentFooter>,
        sealed: Option<&Sealed>,
    ) {
        let root = self.frontier.root();
        let ordinal = Some(segment.header.ordinal);
        if self.tree_lost {
            return;
        }
        let roots = [
            footer.map(|footer| footer.end_root),
            sealed.map(|sealed| crate::hash::Hash::from_bytes(sealed.end_root)),
        ];
        if roots.iter().any(Option::is_some) {
            self.settle_doubts(roots.contains(&Some(root)));
        }
        if let Some(footer) = footer.filter(|footer| footer.end_root != root) {
            let expected = footer.end_root.to_string();
            let found = root.to_string();
            self.finding(&segment.path, (ordinal, None, None), "root at the end", expected, found);
        }
        let Some(sealed) = sealed else { return };
        let expected = crate::hash::Hash::from_bytes(sealed.end_root);
        if expected != root {
            let what = "root at the end, as the catalog recorded it";
            let (expected, found) = (expected.to_string(), root.to_string());
            self.finding(&segment.path, (ordinal, None, None), what, expected, found);
        }
        let digest = segment.header.digest();
        if *digest.as_bytes() != sealed.header {
            let expected = crate::hash::Hash::from_bytes(sealed.header).to_string();
            let what = "header, as the catalog recorded it";
            self.finding(
                &segment.path,
                (ordinal, Some(0), None),
                what,
                expected,
                digest.to_string(),
            );
        }
    }
}
