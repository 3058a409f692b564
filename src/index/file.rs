//! [`IndexFile`]: an open index file of a sealed segment.

use std::io;
use std::path::Path;
use std::sync::OnceLock;

use super::damaged::Damaged;
use super::pages::{Bytes, Pages};
use super::sections::{Sections, TERM};
use crate::disk::{Disk, Open, read_exact_at};
use crate::error::{Error, Result};
use crate::format::index_header::{self, IndexHeader};
use crate::format::{FormatError, LogId};
use crate::terms::{Field, IndexHead, Scope, Term, take_varint};

/// Longest index file, in bytes: 1 GiB.
pub const MAX_LEN: u64 = 1 << 30;

/// Bytes that are looked at first in an entry of the heap; nearly all spellings are shorter.
const ENTRY_GLANCE: u64 = 128;

/// The index of a sealed segment, in its file.
///
/// Opening checks the header and nothing else; each page of the file is checked when it is
/// first looked at. Whatever the bytes are, an answer is that of the file as it was
/// written, or [`Damaged`].
#[derive(Debug)]
pub struct IndexFile {
    header: IndexHeader,
    sections: Sections,
    pages: Pages,
    /// Once it was looked at.
    pub(super) recorded_ascends: OnceLock<bool>,
}

/// A term's entry in the heap.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub(super) spelling: &'a [u8],
    /// Where its list begins.
    pub(super) list: u64,
    /// Where its list ends.
    pub(super) end: u64,
}

impl IndexFile {
    /// Opens an index file; `None` if there is none. Maps it if `map` says so and the disk
    /// can, else reads it whole. That it is the index of a segment its caller checks: see
    /// [`log_id`](Self::log_id), [`ordinal`](Self::ordinal) and the root of
    /// [`CommittedIndex::head`](super::CommittedIndex::head).
    ///
    /// # Errors
    /// I/O; `Corrupt` if header, length or table of pages are not what they must be, or it
    /// is longer than [`MAX_LEN`]; `Unsupported` if it is newer.
    pub fn open(disk: &dyn Disk, path: &Path, map: bool) -> Result<Option<Self>> {
        let file = match disk.open(path, Open::Read) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("open", path)(error)),
        };
        let len = file.len().map_err(Error::io("stat", path))?;
        let Some(size) = usize::try_from(len).ok().filter(|_| len <= MAX_LEN) else {
            let expected = format!("an index of at most {MAX_LEN} bytes");
            return Err(Error::corrupt(path, 0, expected, format!("{len} bytes")));
        };
        let mapped = if map { file.map(len).map_err(Error::io("map", path))? } else { None };
        let bytes = match mapped {
            Some(mapped) => Bytes::Mapped(mapped),
            None => {
                let mut bytes = vec![0; size];
                read_exact_at(&*file, &mut bytes, 0).map_err(Error::io("read", path))?;
                Bytes::Read(bytes)
            }
        };
        IndexFile::of(bytes).map(Some).map_err(Error::format(path, 0))
    }

    /// An index file from its bytes, as [`encode`](super::encode) makes them.
    ///
    /// # Errors
    /// As of [`IndexFile::open`].
    pub fn from_bytes(bytes: Vec<u8>) -> std::result::Result<Self, FormatError> {
        IndexFile::of(Bytes::Read(bytes))
    }

    fn of(bytes: Bytes) -> std::result::Result<Self, FormatError> {
        let all = bytes.as_slice();
        let Some(first) = all.first_chunk::<{ index_header::LEN }>() else {
            let expected = format!("at least {} bytes", index_header::LEN);
            return Err(FormatError::mismatch("index file: length", expected, all.len()));
        };
        let header = IndexHeader::decode(first)?;
        let sections = Sections::of(&header);
        let pages = Pages::new(bytes, &sections, header.pages_crc)?;
        Ok(IndexFile { header, sections, pages, recorded_ascends: OnceLock::new() })
    }

    /// The log it says it is of.
    pub fn log_id(&self) -> LogId {
        self.header.log_id
    }

    /// The number of the segment it says it is of.
    pub fn ordinal(&self) -> u64 {
        self.header.ordinal
    }

    /// Length of the file in bytes.
    pub fn file_len(&self) -> u64 {
        self.sections.end
    }

    /// Checks all pages of the file.
    ///
    /// # Errors
    /// The first page that its CRC does not fit.
    pub fn check_pages(&self) -> std::result::Result<(), Damaged> {
        self.pages.check_all()
    }

    /// Where a reader believes of this file what is not in `good`, the file as it should be: in
    /// the header, the table of pages, or a page that its CRC fits. `None` if it differs at most
    /// in pages that no reader believes.
    pub fn believed_difference(&self, good: &[u8]) -> Option<u64> {
        self.pages.believed_difference(good)
    }

    /// What the header says that the index root is the hash of.
    pub(super) fn index_head(&self) -> IndexHead {
        IndexHead {
            spec: self.header.spec,
            scope: Scope { log_id: self.header.log_id, first: self.header.first },
            records: self.header.records.into(),
            events: self.header.events.into(),
            terms: self.header.terms().into(),
            terms_root: self.header.terms_root,
            occurred_root: self.header.occurred_root,
            recorded_root: self.header.recorded_root,
        }
    }

    pub(super) fn header(&self) -> &IndexHeader {
        &self.header
    }

    pub(super) fn sections(&self) -> &Sections {
        &self.sections
    }

    pub(super) fn pages(&self) -> &Pages {
        &self.pages
    }

    /// The places of the terms of a field.
    pub(super) fn places_of(&self, field: Field) -> std::ops::Range<u32> {
        let code = usize::from(field.code());
        self.header.field_starts[code - 1]..self.header.field_starts[code]
    }

    /// The entry of the term at a place below the number of terms.
    pub(super) fn entry(&self, place: u32) -> std::result::Result<Entry<'_>, Damaged> {
        let at = self.sections.terms + u64::from(place) * TERM;
        let is_last = place + 1 >= self.header.terms();
        let slots = self.pages.slice(at, if is_last { TERM } else { 2 * TERM })?;
        let offset = |slot: Option<&[u8; 8]>| slot.map_or(0, |slot| u64::from(numbers(slot).1));
        let (slots, _) = slots.as_chunks();
        let start = self.sections.heap + offset(slots.first());
        let end = match is_last {
            true => self.sections.heap_end,
            false => self.sections.heap + offset(slots.get(1)),
        };
        let damaged = |expected| Damaged { offset: at, expected };
        if start >= end || end > self.sections.heap_end {
            return Err(damaged("offsets in the heap that ascend"));
        }
        let glance = self.pages.slice(start, (end - start).min(ENTRY_GLANCE))?;
        let mut rest = glance;
        let spelling_len = take_varint(&mut rest).filter(|len| *len < end - start);
        let spelling_len = spelling_len.ok_or(damaged("a spelling within its entry"))?;
        let spelling_at = start + (glance.len() - rest.len()) as u64;
        let list = spelling_at + spelling_len;
        if list >= end {
            return Err(damaged("a list behind the spelling"));
        }
        let glanced = usize::try_from(spelling_len).ok().and_then(|len| rest.get(..len));
        let spelling = match glanced {
            Some(spelling) => spelling,
            None => self.pages.slice(spelling_at, spelling_len)?,
        };
        Ok(Entry { spelling, list, end })
    }

    /// The term at a place of a field, and its entry.
    pub(super) fn term(
        &self,
        field: Field,
        place: u32,
    ) -> std::result::Result<(Term<'_>, Entry<'_>), Damaged> {
        let entry = self.entry(place)?;
        let term = Term::unspell(field, entry.spelling);
        let offset = entry.list - entry.spelling.len() as u64;
        Ok((term.ok_or(Damaged { offset, expected: "the spelling of a term" })?, entry))
    }

    /// Fingerprints, in the slots of the table, of these places.
    pub(super) fn slots(
        &self,
        places: std::ops::Range<u32>,
    ) -> std::result::Result<&[[u8; 8]], Damaged> {
        let at = self.sections.terms + u64::from(places.start) * TERM;
        let len = u64::from(places.end.saturating_sub(places.start)) * TERM;
        Ok(self.pages.slice(at, len)?.as_chunks().0)
    }
}

/// Fingerprint and offset of a slot of the table of terms.
pub(super) fn numbers(slot: &[u8; 8]) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = *slot;
    (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]))
}
