//! One segment of a deep verification.

use std::path::Path;

use crate::disk::Open;
use crate::error::{Error, Result};
use crate::event::RecordKind;
use crate::format::body;
use crate::format::record::{CheckedRecord, RawRecord, stored_len};
use crate::format::{FormatError, header::SegmentHeader};
use crate::log::read::decode_anchor;
use crate::log::verify::{Progress, Verifier};
use crate::segment::bytes::{Scratch, SegmentFile};
use crate::segment::scan::{self, FrameAt, Position};
use crate::segment::seal::{self, SealedSegment};
use crate::seq::{Seq, TreeSize};

/// Progress is reported at least every so many bytes.
const REPORT_EVERY: u64 = 4 << 20;

impl Verifier<'_> {
    /// Reads one segment; gives its header for the next one's chain.
    pub(super) fn segment(
        &mut self,
        file: (u64, &Path, u64),
        last: bool,
        previous: Option<SegmentHeader>,
    ) -> Result<Option<SegmentHeader>> {
        let (ordinal, path, bytes) = file;
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
        self.check_header(&segment, ordinal, previous.as_ref());
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
        let size = match (&sealed, &footer) {
            (Some(sealed), _) => TreeSize::new(sealed.first.saturating_add(sealed.count)),
            (None, Some(footer)) => footer.end(),
            (None, None) => self.limit,
        };
        if footer.is_some()
            && let Err(error) = SealedSegment::open(&*self.options.disk, path, false)
        {
            self.finding_of(error);
        }
        if sealed.is_some() && footer.is_none() {
            let place = (Some(ordinal), Some(bytes.saturating_sub(256)), None);
            self.finding(path, place, "footer", "the footer of a sealed segment", "none");
        }
        self.frames(&segment, end, size, sealed.is_some() || footer.is_some() || !last)?;
        self.check_end(&segment, footer.as_ref(), sealed.as_ref());
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
        size: TreeSize,
        complete: bool,
    ) -> Result<()> {
        let header = &segment.header;
        let mut at = Position { offset: header.first_frame(), size: header.first };
        let (mut head, mut scratch, mut reported) = (Scratch::new(), Scratch::new(), 0);
        while at.offset < end && at.size < size {
            match scan::frame_at(segment, at, &mut head)? {
                Ok(frame) if frame.offset + frame.header.frame_len() <= end => {
                    let body = scan::body(segment, &frame, &mut scratch)?;
                    self.records(segment, &frame, body);
                    at = frame.next(header.frame_align);
                }
                // The end of a log that is being written, or was killed.
                _ if !complete && self.limit.get() == u64::MAX => break,
                damaged => match self.step_over(segment, at, end, damaged)? {
                    Some(next) => at = next,
                    None => break,
                },
            }
            if at.offset - reported >= REPORT_EVERY {
                reported = at.offset;
                let bytes_done = self.counts.bytes + at.offset;
                (self.progress)(Progress { bytes_done, bytes_total: self.bytes_total });
            }
        }
        if size.get() != u64::MAX {
            self.substitute(size);
        }
        Ok(())
    }

    /// Reports a damaged frame and finds the next whole one.
    fn step_over(
        &mut self,
        segment: &SegmentFile,
        at: Position,
        end: u64,
        damaged: std::result::Result<FrameAt, FormatError>,
    ) -> Result<Option<Position>> {
        let found = match damaged {
            Ok(_) => "a frame that reaches beyond the end".to_owned(),
            Err(error) => error.to_string(),
        };
        let seq = at.size.next_seq();
        let place = (Some(segment.header.ordinal), Some(at.offset), Some(seq));
        self.finding(&segment.path, place, "frame", format!("the frame of record {seq}"), found);
        let next = scan::next_frame(segment, at, end)?;
        if let Some(next) = next {
            self.substitute(next.size);
        }
        Ok(next)
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
            match checked {
                Ok(record) => {
                    self.record(segment, place, &record);
                    self.push(record.leaf(segment.header.algorithm));
                    self.counts.records += 1;
                }
                Err(error) => {
                    let found = error.to_string();
                    self.finding(&segment.path, place, "record", "the bytes written", found);
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
    fn record(
        &mut self,
        segment: &SegmentFile,
        place: (Option<u64>, Option<u64>, Option<Seq>),
        record: &CheckedRecord<'_>,
    ) {
        let decoded = match RecordKind::from_code(record.head.kind) {
            Some(RecordKind::Event) => body::decode_envelope_strict(record.envelope)
                .and_then(|_| body::decode_payload_strict(record.payload()).map(|_| ()))
                .map_err(|error| error.to_string()),
            Some(RecordKind::Anchor) => decode_anchor(record).map(|anchor| {
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
            self.push(leaf);
        }
    }

    fn check_end(
        &mut self,
        segment: &SegmentFile,
        footer: Option<&crate::format::footer::SegmentFooter>,
        sealed: Option<&crate::format::catalog_body::Sealed>,
    ) {
        let root = self.frontier.root();
        let ordinal = Some(segment.header.ordinal);
        if self.tree_lost {
            return;
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
            self.finding(&segment.path, (ordinal, Some(0), None), what, expected, digest.to_string());
        }
    }
}
