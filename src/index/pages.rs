//! [`Pages`]: the bytes of an index file, each page checked before it is believed.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use super::damaged::Damaged;
use super::sections::{CRC, PAGE, Sections};
use crate::disk::Map;
use crate::format::FormatError;
use crate::format::index_header;

/// Where the bytes of an index file are.
pub(super) enum Bytes {
    Mapped(Map),
    Read(Vec<u8>),
}

impl Bytes {
    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            Bytes::Mapped(map) => map,
            Bytes::Read(bytes) => bytes,
        }
    }
}

/// The bytes in front of the table of pages, and the table.
pub(super) struct Pages {
    bytes: Bytes,
    /// Where the table begins.
    table: usize,
    /// A bit for each page: whether it was found good.
    good: Box<[AtomicU64]>,
}

impl Pages {
    /// Checks that the file is as long as its sections together, and the table.
    pub(super) fn new(bytes: Bytes, sections: &Sections, crc: u32) -> Result<Self, FormatError> {
        let all = bytes.as_slice();
        if all.len() as u64 != sections.end {
            let expected = format!("{} bytes", sections.end);
            return Err(FormatError::mismatch("index file: length", expected, all.len()));
        }
        let table = usize::try_from(sections.pages).unwrap_or(usize::MAX);
        let found = crc32fast::hash(all.get(table..).unwrap_or_default());
        if found != crc {
            let (expected, found) = (format!("crc {crc:08x}"), format!("{found:08x}"));
            return Err(FormatError::mismatch("index file: pages", expected, found));
        }
        let words = page_count(table).div_ceil(64);
        Ok(Pages { bytes, table, good: (0..words).map(|_| AtomicU64::new(0)).collect() })
    }

    /// The `len` bytes at `offset`, in front of the table of pages.
    ///
    /// # Errors
    /// They are not all there, or a page of them does not check.
    #[inline]
    pub(super) fn slice(&self, offset: u64, len: u64) -> Result<&[u8], Damaged> {
        let range = usize::try_from(offset).ok().zip(usize::try_from(len).ok());
        let range = range.and_then(|(start, len)| Some(start..start.checked_add(len)?));
        let Some(range) = range.filter(|range| range.end <= self.table) else {
            return Err(Damaged { offset, expected: "a place within the sections" });
        };
        let pages = range.start / PAGE_LEN..range.end.div_ceil(PAGE_LEN);
        for page in pages {
            let bit = 1 << (page % 64);
            let good = self.good.get(page / 64).map_or(0, |word| word.load(Ordering::Relaxed));
            if good & bit == 0 {
                self.check(page)?;
            }
        }
        Ok(&self.bytes.as_slice()[range])
    }

    /// Checks every page.
    pub(super) fn check_all(&self) -> Result<(), Damaged> {
        (0..page_count(self.table)).try_for_each(|page| self.check(page))
    }

    /// Where the header, the table or a page that its CRC fits has other bytes than `good`.
    pub(super) fn believed_difference(&self, good: &[u8]) -> Option<u64> {
        let all = self.bytes.as_slice();
        let checks = |page: &usize| self.check(*page).is_ok();
        let pages = (0..page_count(self.table)).filter(checks);
        let header = 0..index_header::LEN.min(self.table);
        let parts = std::iter::once(header)
            .chain(pages.map(|page| page_range(self.table, page)))
            .chain(std::iter::once(self.table..all.len()));
        let differs = |range: Range<usize>| {
            let found = all.get(range.clone())?;
            let good = good.get(range.clone()).unwrap_or_default();
            let same = found.iter().zip(good).take_while(|(found, good)| found == good).count();
            (same < found.len()).then_some((range.start + same) as u64)
        };
        parts.filter_map(differs).next()
    }

    #[cold]
    fn check(&self, page: usize) -> Result<(), Damaged> {
        let all = self.bytes.as_slice();
        let stored = all.get(self.table + page * CRC_LEN..).and_then(<[u8]>::first_chunk);
        let stored = u32::from_le_bytes(*stored.unwrap_or(&[0; 4]));
        if page_crc(&all[..self.table], page) != stored {
            let offset = (page * PAGE_LEN) as u64;
            return Err(Damaged { offset, expected: "a page that its CRC fits" });
        }
        if let Some(word) = self.good.get(page / 64) {
            word.fetch_or(1 << (page % 64), Ordering::Relaxed);
        }
        Ok(())
    }
}

/// The widths of [`sections`](super::sections), as lengths of slices.
const PAGE_LEN: usize = 4096;
const CRC_LEN: usize = 4;
const _: () = assert!(PAGE == 4096 && CRC == 4);

fn page_count(sections: usize) -> usize {
    sections.div_ceil(PAGE_LEN)
}

/// The bytes of a page of a file whose table begins at `table`. The header is in none.
fn page_range(table: usize, page: usize) -> Range<usize> {
    let end = table.min((page + 1) * PAGE_LEN);
    (page * PAGE_LEN).clamp(index_header::LEN.min(end), end)..end
}

/// The CRC of a page of a file without its table.
fn page_crc(sections: &[u8], page: usize) -> u32 {
    crc32fast::hash(&sections[page_range(sections.len(), page)])
}

/// The table of pages of a file that ends before it.
pub(super) fn table(sections: &[u8]) -> Vec<u8> {
    let pages = 0..page_count(sections.len());
    pages.flat_map(|page| page_crc(sections, page).to_le_bytes()).collect()
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pages({} bytes)", self.bytes.as_slice().len())
    }
}
