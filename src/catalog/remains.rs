//! What a catalog that is damaged in both copies still shows of how events are protected.
//!
//! It takes no part in what is in force: it only says that a log was protected, so that an opening
//! which forgets it is refused.

use std::path::Path;

use super::files::{copies, read_snapshot};
use super::load;
use crate::disk::{Disk, Open};
use crate::error::Result;
use crate::format::LogId;
use crate::format::catalog_body::{CatalogBody, ProtectionSet, kind};
use crate::segment::bytes::{Scratch, SegmentFile};
use crate::segment::scan::{self, Position};
use crate::seq::Seq;

/// How events are protected, as far as a damaged catalog shows it.
#[derive(Clone, Debug, Default)]
pub struct ProtectionRemains {
    /// The newest protection that can be read.
    pub protection: Option<ProtectionSet>,
    /// Whether there is a segment of the version that only a record of protection needs, readable
    /// or not.
    pub was_set: bool,
    newest: Option<Seq>,
}

impl ProtectionRemains {
    /// Reads what can be read of both copies, behind damage too, and the snapshot if there is
    /// nothing else.
    pub fn of(disk: &dyn Disk, dir: &Path, log_id: LogId) -> Self {
        let mut remains = ProtectionRemains::default();
        for copy in copies(dir) {
            for ordinal in load::ordinals(disk, &copy).unwrap_or_default() {
                let path = crate::segment::path(&copy, ordinal);
                if let Ok(Some(segment)) = SegmentFile::open(disk, &path, Open::Read)
                    && segment.header.log_id == log_id
                    && segment.header.format_version >= kind::segment_version(kind::PROTECTION_SET)
                {
                    remains.was_set = true;
                    // What cannot be read shows nothing.
                    let _ = remains.look_through(&segment);
                }
            }
        }
        if remains.protection.is_none() {
            let snapshot = read_snapshot(disk, dir, log_id);
            remains.protection = snapshot.and_then(|snapshot| snapshot.state_map().protection());
        }
        remains
    }

    fn look_through(&mut self, segment: &SegmentFile) -> Result<()> {
        let end = segment.file_len()?;
        let mut at = Position { offset: segment.header.first_frame(), size: segment.header.first };
        let (mut head, mut scratch) = (Scratch::new(), Scratch::new());
        while at.offset < end {
            if let Ok(frame) = scan::frame_at(segment, at, &mut head)? {
                if let Ok(body) = scan::body(segment, &frame, &mut scratch) {
                    let each = |_, record| self.look_at(&record);
                    // A record that is damaged is left out.
                    let _ = scan::records(segment, &frame, body, each);
                }
                at = frame.next(segment.header.frame_align);
                continue;
            }
            let Some(next) = scan::next_frame(segment, at, end)? else { break };
            at = next;
        }
        Ok(())
    }

    fn look_at(&mut self, record: &crate::format::record::CheckedRecord<'_>) {
        let seq = Some(record.head.seq);
        if let Ok((_, CatalogBody::ProtectionSet(set))) =
            CatalogBody::decode(record.head.kind, record.envelope)
            && !set.exception
            && self.newest <= seq
        {
            (self.protection, self.newest) = (Some(set), seq);
        }
    }
}
