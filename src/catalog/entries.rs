//! Records and hashes of the catalog by their position, to show them to others.

use crate::catalog::{Catalog, load};
use crate::disk::Open;
use crate::error::{Error, Result};
use crate::format::record::CheckedRecord;
use crate::segment::bytes::SegmentFile;
use crate::segment::scan::Position;
use crate::seq::Seq;
use crate::tree::TreeStore;

impl Catalog {
    /// Its tree, always SHA-256.
    pub(crate) fn tree(&self) -> &TreeStore {
        &self.tree
    }

    /// Gives the checked bytes of `count` records from `first` on. Reads the segments that
    /// hold them, each at most 1 MiB, from their beginning.
    pub(crate) fn with_records(
        &self,
        first: Seq,
        count: u16,
        mut read: impl FnMut(CheckedRecord<'_>),
    ) -> Result<()> {
        let past = first.get().saturating_add(count.into());
        let mut next = first.get();
        for segment in self.segments_from(first)? {
            let start =
                Position { offset: segment.header.first_frame(), size: segment.header.first };
            crate::segment::recover::last(&segment, start, |_, _, record| {
                if record.head.seq.get() == next && next < past {
                    read(record);
                    next += 1;
                }
            })?;
            if next == past {
                return Ok(());
            }
        }
        let (path, expected) = (&self.segment.path, format!("record {next} of the catalog"));
        Err(Error::corrupt(path, 0, expected, "the end of its records"))
    }

    /// The segment with a record, and those after it.
    fn segments_from(&self, seq: Seq) -> Result<Vec<SegmentFile>> {
        let dir = self.segment.path.parent().unwrap_or(&self.dir);
        let mut found = Vec::new();
        for ordinal in load::ordinals(&*self.disk, dir)?.into_iter().rev() {
            let path = crate::segment::path(dir, ordinal);
            let Some(segment) = SegmentFile::open(&*self.disk, &path, Open::Read)? else {
                continue;
            };
            let first = segment.header.first.get();
            found.push(segment);
            if first <= seq.get() {
                break;
            }
        }
        found.reverse();
        Ok(found)
    }
}
