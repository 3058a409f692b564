//! Which segment files there are, and what their headers say.

use std::path::{Path, PathBuf};

use super::Failure::NotFitting;
use super::{Failure, TornBytes, Walk};
use crate::disk::Open;
use crate::error::{Error, Result};
use crate::format::catalog_body::{Sealed, status};
use crate::format::header::SegmentHeader;
use crate::format::mark::RecoveryPoint;
use crate::format::{Stream, names};
use crate::segment::bytes;
use crate::segment::bytes::SegmentFile;
use crate::segment::recover;

impl Walk<'_> {
    /// The numbers of the files that are part of the log, ascending.
    pub(super) fn ordinals(&mut self) -> Result<Vec<u64>> {
        let dir = self.dir.segments();
        let names = self.disk().list(&dir).map_err(Error::io("list", &dir))?;
        let mut ordinals: Vec<u64> =
            names.iter().filter_map(|name| names::parse_segment(name)).collect();
        ordinals.sort_unstable();
        // A file that somebody put back is no part of the log: see `Archive::restore`.
        let dropped = |ordinal: &u64| {
            let mut sealed = self.sealed.iter();
            sealed.any(|s| s.ordinal == *ordinal && s.status == status::DROPPED)
        };
        ordinals.retain(|ordinal| !dropped(ordinal));
        let there = self.sealed.iter().filter(|sealed| status::is_readable(sealed.status));
        let there = there.map(|sealed| sealed.ordinal);
        self.recovery.missing_segments =
            there.filter(|ordinal| ordinals.binary_search(ordinal).is_err()).collect();
        Ok(ordinals)
    }

    /// The segments from the mark on, without those at the end that were made ahead and
    /// are not used. Their files are opened one at a time: there may be thousands.
    pub(super) fn headers(
        &mut self,
        ordinals: &[u64],
        mark: Option<&RecoveryPoint>,
    ) -> Result<Vec<SegmentHeader>, Failure> {
        let from = mark.map_or(0, |mark| mark.ordinal);
        let mut headers: Vec<SegmentHeader> = Vec::new();
        for ordinal in ordinals.iter().copied().filter(|ordinal| *ordinal >= from) {
            let path = self.dir.segment(ordinal);
            let sealed = self.sealed.iter().find(|sealed| sealed.ordinal == ordinal);
            if sealed.is_none() {
                // The header, too, must be what the device holds.
                let file = self.disk().open(&path, Open::ReadWrite);
                recover::sync_and_forget(&*file.map_err(Error::io("open", &path))?, &path, 0)?;
            }
            let opened = match self.open(ordinal) {
                // Nothing above the mark is in it: whoever reads it is told.
                Err(Error::Corrupt { .. }) if ends_at(sealed, mark) => continue,
                Ok(None) if ends_at(sealed, mark) => continue,
                opened => opened?,
            };
            let Some(segment) = opened else {
                if sealed.is_some() {
                    return Err(no_header(ordinal, &path).into());
                }
                self.note_unused(ordinal, path)?;
                continue;
            };
            if let Some(unused) = self.leftovers.first() {
                return Err(no_header(unused.ordinal, &unused.path).into());
            }
            let place = (Stream::Main, self.dir.log_id(), ordinal);
            segment.check_is(place, Some(self.tree.algorithm()))?;
            headers.push(segment.header);
        }
        let Some(mark) = mark else { return Ok(headers) };
        if headers.first().is_some_and(|first| first.nonce == mark.nonce) {
            return Ok(headers);
        }
        let sealed = self.sealed.iter().find(|sealed| sealed.ordinal == mark.ordinal);
        let gone = headers.first().is_none_or(|first| first.ordinal > mark.ordinal);
        if gone && ends_at(sealed, Some(mark)) {
            return Ok(headers);
        }
        let why = format!("the mark names segment {}, which is not there", mark.ordinal);
        Err(NotFitting(why))
    }

    /// A segment, for writing if it is not sealed; `None` if it is unused.
    pub(super) fn open(&self, ordinal: u64) -> Result<Option<SegmentFile>> {
        let sealed = self.sealed.iter().any(|sealed| sealed.ordinal == ordinal);
        let how = if sealed { Open::Read } else { Open::ReadWrite };
        SegmentFile::open(self.disk(), &self.dir.segment(ordinal), how)
    }

    /// A file made ahead, with what a torn first frame may have left in it.
    fn note_unused(&mut self, ordinal: u64, path: PathBuf) -> Result<()> {
        let file = self.disk().open(&path, Open::ReadWrite).map_err(Error::io("open", &path))?;
        let len = bytes::used_bytes(&*file, &path, 0)?;
        let reason = "the header of its segment was never written".to_owned();
        self.leftovers.push(TornBytes {
            ordinal,
            path,
            file,
            offset: 0,
            len,
            reason,
            remove: true,
        });
        Ok(())
    }
}

/// Whether a segment is sealed and ends where the mark stands.
fn ends_at(sealed: Option<&Sealed>, mark: Option<&RecoveryPoint>) -> bool {
    sealed.zip(mark).is_some_and(|(sealed, mark)| {
        let end = sealed.first.saturating_add(sealed.count);
        (sealed.ordinal, end) == (mark.ordinal, mark.frontier.size().get())
    })
}

fn no_header(ordinal: u64, path: &Path) -> Error {
    Error::corrupt(path, 0, format!("the header of segment {ordinal}"), "an unused file")
}
