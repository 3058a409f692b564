//! One segment of a deep verification.

use std::path::Path;

use crate::disk::Open;
use crate::error::{Error, Result};
use crate::format::Stream;
use crate::format::catalog_body::Sealed;
use crate::format::footer::{SegmentFooter, TimeRange, Waypoint};
use crate::format::header::SegmentHeader;
use crate::hash::Hash;
use crate::segment::bytes::{Scratch, SegmentFile};
use crate::segment::seal;
use crate::seq::TreeSize;
use crate::time::Timestamp;
use crate::verify::frames::Frames;
use crate::verify::report::finding_of;
use crate::verify::verifier::Verifier;

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
        previous: Option<Hash>,
    ) -> Result<Option<SegmentHeader>> {
        let (ordinal, path) = file;
        let segment = match SegmentFile::open(self.dir.disk(), path, Open::Read) {
            Ok(Some(segment)) => segment,
            Ok(None) if last => return Ok(None), // made ahead
            Ok(None) => {
                self.finding(path, (Some(ordinal), Some(0), None), "header", "a header", "zeros");
                return Ok(None);
            }
            Err(error @ Error::Io { .. }) => return Err(error),
            Err(error) => {
                let mut finding = finding_of(self.dir.path(), error);
                finding.segment = Some(ordinal);
                self.findings.push(finding);
                self.lossy.push(ordinal);
                self.fill_up_to(ordinal);
                return Ok(None);
            }
        };
        self.counts.segments += 1;
        if !self.check_header(&segment, ordinal, previous) {
            self.lossy.push(ordinal);
            self.fill_up_to(ordinal);
            return Ok(None);
        }
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
        self.recorded_at = None;
        (self.times, self.met, self.lost) = (TimeRange::EMPTY, 0, false);
        let exact = footer.is_some();
        self.frames(&Frames { segment: &segment, end, exact, size, last })?;
        if self.lost {
            self.lossy.push(ordinal);
        }
        let sealed_at = footer.as_ref().map(|footer| footer.sealed_at);
        self.seals.note(ordinal, sealed_at, (self.met > 0).then_some(self.times.recorded.1));
        self.check_end(&segment, footer.as_ref(), sealed.as_ref());
        self.check_facts(&segment, bytes, footer.as_ref(), sealed.as_ref());
        if let Some(footer) = &footer {
            self.check_table(&segment, footer)?;
            self.padding(&segment, footer.frames_end, footer.table_offset)?;
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

    /// Whether its records can be taken for those that should be here.
    fn check_header(
        &mut self,
        segment: &SegmentFile,
        ordinal: u64,
        previous: Option<Hash>,
    ) -> bool {
        let header = &segment.header;
        let place = (Some(ordinal), Some(0), None);
        let own = (header.log_id, header.ordinal) == (self.dir.log_id(), ordinal);
        // What should be here and is not may still be known by its hashes.
        let sealed = self.sealed.iter().find(|sealed| sealed.ordinal == ordinal);
        let first = TreeSize::new(sealed.map_or(header.first.get(), |sealed| sealed.first));
        if own && self.frontier.size() < first {
            self.substitute(first);
        }
        let text = |value: &dyn std::fmt::Display| value.to_string();
        let mut pairs = vec![
            ("log id", text(&self.dir.log_id()), text(&header.log_id)),
            ("ordinal", text(&ordinal), text(&header.ordinal)),
            ("stream", text(&Stream::Main.code()), text(&header.stream.code())),
            ("hash", text(&self.frontier.algorithm()), text(&header.algorithm)),
        ];
        if !self.tree_lost {
            let (size, root) = (self.frontier.size(), self.frontier.root());
            pairs.push(("first record", text(&size), text(&header.first)));
            pairs.push(("root at the start", text(&root), text(&header.start_root)));
        }
        if let Some(previous) = previous {
            pairs.push(("predecessor", text(&previous), text(&header.previous)));
        } else if ordinal == 1 {
            pairs.push(("predecessor", text(&Hash::ZERO), text(&header.previous)));
        }
        self.newest_anchors.insert(ordinal, header.last_anchor);
        // What lies before was not read, or is not there any more.
        let unread = self.not_read.is_some_and(|not_read| not_read.segments + 1 == ordinal);
        if std::mem::take(&mut self.anchor_unknown) || unread {
            self.last_anchor = header.last_anchor;
        }
        // Anchors in damaged segments before it were not met.
        if self.lossy.is_empty() && !self.tree_lost {
            pairs.push(("newest anchor", text(&self.last_anchor), text(&header.last_anchor)));
        }
        for (what, expected, found) in pairs {
            if expected != found {
                self.finding(&segment.path, place, what, expected, found);
            }
        }
        let follows = self.tree_lost || self.frontier.size() == header.first;
        own && follows && header.algorithm == self.frontier.algorithm()
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
                if self.lossy.is_empty() && !self.tree_lost {
                    numbers.push(("newest anchor in the footer", expected, found));
                }
            } else if !self.lost {
                numbers.push(("records in the footer", met, footer.count));
            }
        }
        if let Some(sealed) = sealed {
            if let Some(footer) = footer {
                let roots = (footer.index_root, Hash::from_bytes(sealed.index_root));
                if roots.0 != roots.1 {
                    let (expected, found) = (roots.1.to_string(), roots.0.to_string());
                    let place = (Some(segment.header.ordinal), Some(footer.table_offset), None);
                    self.finding(&segment.path, place, "index root", expected, found);
                }
                if footer.keep_until.as_nanos() != sealed.keep_until {
                    let expected = Timestamp::from_nanos(sealed.keep_until).to_string();
                    let place = (Some(segment.header.ordinal), Some(footer.table_offset), None);
                    let found = footer.keep_until.to_string();
                    self.finding(&segment.path, place, "time to keep it", expected, found);
                }
            }
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
            self.resolve(roots.contains(&Some(root)));
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
