//! Where a segment's bytes come from: positional reads, or a map of a sealed file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, DiskFile, Map, Open, read_exact_at};
use crate::error::{Error, Result};
use crate::format::header::{self, SegmentHeader};
use crate::format::record::Context;
use crate::format::{FormatError, LogId, Stream};
use crate::hash::HashAlgorithm;

/// An open segment.
#[derive(Debug)]
pub struct SegmentFile {
    /// Its path, for errors.
    pub path: PathBuf,
    /// Its checked header.
    pub header: SegmentHeader,
    file: Arc<dyn DiskFile>,
    map: Option<Map>,
}

/// Bytes of a segment: borrowed from a map, or read into the caller's buffer.
pub type Scratch = Vec<u8>;

impl SegmentFile {
    /// Opens a segment and checks its header; `None` if it was made ahead and is unused, or
    /// if its header was never written whole and so no frame either.
    ///
    /// # Errors
    /// I/O, a damaged header, a newer version.
    pub fn open(disk: &dyn Disk, path: &Path, how: Open) -> Result<Option<Self>> {
        let file = disk.open(path, how).map_err(Error::io("open", path))?;
        let Some(header) = read_header(&*file, path)? else { return Ok(None) };
        Ok(Some(SegmentFile { path: path.to_owned(), header, file, map: None }))
    }

    /// Refuses one that is not the segment which its place says: of this stream and log, with
    /// this number, and, if that is known, of a tree with this hash.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn check_is(
        &self,
        (stream, log_id, ordinal): (Stream, LogId, u64),
        algorithm: Option<HashAlgorithm>,
    ) -> Result<()> {
        let name = |stream, ordinal: u64, log_id: LogId| match stream {
            Stream::Main => format!("segment {ordinal} of log {log_id}"),
            Stream::Catalog => format!("catalog segment {ordinal} of log {log_id}"),
        };
        let header = &self.header;
        if (header.stream, header.log_id, header.ordinal) != (stream, log_id, ordinal) {
            let found = name(header.stream, header.ordinal, header.log_id);
            return Err(Error::corrupt(&self.path, 0, name(stream, ordinal, log_id), found));
        }
        match algorithm.filter(|algorithm| *algorithm != header.algorithm) {
            None => Ok(()),
            Some(expected) => {
                let expected = format!("a segment of a tree with {expected}");
                let found = format!("one with {}", header.algorithm);
                Err(Error::corrupt(&self.path, 0, expected, found))
            }
        }
    }

    /// A segment that was just begun.
    pub fn begun(path: PathBuf, header: SegmentHeader, file: Arc<dyn DiskFile>) -> Self {
        SegmentFile { path, header, file, map: None }
    }

    /// Maps the whole file, which has `len` bytes, where that is possible, and lets go of its
    /// handle then. Only for sealed segments: they never shrink.
    pub fn map(&mut self, len: u64) -> Result<()> {
        self.map = self.file.map(len).map_err(Error::io("map", &self.path))?;
        if let Some(map) = &self.map {
            self.file = map.as_file();
        }
        Ok(())
    }

    /// The file.
    pub fn file(&self) -> &Arc<dyn DiskFile> {
        &self.file
    }

    /// What its records share.
    pub fn context(&self) -> Context {
        Context {
            log_id: self.header.log_id,
            nonce: self.header.nonce,
            algorithm: self.header.algorithm,
        }
    }

    /// Size in bytes.
    pub fn file_len(&self) -> Result<u64> {
        self.file.len().map_err(Error::io("stat", &self.path))
    }

    /// The `len` bytes at `offset`, all of them.
    ///
    /// # Errors
    /// I/O; `Corrupt` if the file ends before.
    pub fn read<'a>(
        &'a self,
        offset: u64,
        len: usize,
        scratch: &'a mut Scratch,
    ) -> Result<&'a [u8]> {
        if let Some(bytes) = self.mapped(offset, len) {
            return Ok(bytes);
        }
        scratch.resize(len, 0);
        match read_exact_at(&*self.file, scratch, offset) {
            Ok(()) => Ok(scratch),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                let found = format!("the end of the file at {}", self.file_len()?);
                Err(Error::corrupt(&self.path, offset, format!("{len} bytes"), found))
            }
            Err(error) => Err(Error::io("read", &self.path)(error)),
        }
    }

    /// Up to `len` bytes at `offset`, fewer at the end of the file.
    ///
    /// # Errors
    /// I/O.
    pub fn read_up_to<'a>(
        &'a self,
        offset: u64,
        len: usize,
        scratch: &'a mut Scratch,
    ) -> Result<&'a [u8]> {
        if let Some(bytes) = self.mapped(offset, len) {
            return Ok(bytes);
        }
        scratch.resize(len, 0);
        let mut filled = 0;
        while filled < len {
            let read = self.file.read_at(&mut scratch[filled..], offset + filled as u64);
            match read.map_err(Error::io("read", &self.path))? {
                0 => break,
                more => filled += more,
            }
        }
        Ok(&scratch[..filled])
    }

    /// Whether it is mapped.
    pub fn is_mapped(&self) -> bool {
        self.map.is_some()
    }

    /// Up to `len` bytes at `offset` of the map; `None` if there is no map.
    pub fn mapped_up_to(&self, offset: u64, len: usize) -> Option<&[u8]> {
        let map: &[u8] = self.map.as_ref()?;
        let start = usize::try_from(offset).map_or(map.len(), |start| start.min(map.len()));
        let end = start.saturating_add(len).min(map.len());
        Some(&map[start..end])
    }

    fn mapped(&self, offset: u64, len: usize) -> Option<&[u8]> {
        let start = usize::try_from(offset).ok()?;
        self.map.as_ref()?.get(start..start.checked_add(len)?)
    }
}

/// Reads and checks a header; `None` if the segment is unused.
fn read_header(file: &dyn DiskFile, path: &Path) -> Result<Option<SegmentHeader>> {
    let mut buf = [0; header::LEN];
    match read_exact_at(file, &mut buf, 0) {
        Ok(()) => {}
        // Made ahead, and the crash came before its size was durable.
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            return if header::is_unused(&buf) {
                Ok(None)
            } else {
                Err(Error::corrupt(path, 0, "512 bytes of header", "a shorter file"))
            };
        }
        Err(error) => return Err(Error::io("read", path)(error)),
    }
    if header::is_unused(&buf) {
        return Ok(None);
    }
    match SegmentHeader::decode(&buf) {
        Ok(header) => Ok(Some(header)),
        // The first write into a segment holds its header and its first frame: a header that
        // does not check and nothing behind it is what is left of a write that was cut short.
        Err(FormatError::Mismatch { .. }) if used_bytes(file, path, header::LEN as u64)? == 0 => {
            Ok(None)
        }
        Err(error) => Err(Error::format(path, 0)(error)),
    }
}

/// Bytes of a file up to the last one that is not zero, from an offset on.
///
/// # Errors
/// I/O.
pub fn used_bytes(file: &dyn DiskFile, path: &Path, from: u64) -> Result<u64> {
    let len = file.len().map_err(Error::io("stat", path))?;
    let (mut at, mut used, mut chunk) = (from, 0, vec![0; 1 << 18]);
    while at < len {
        let read = file.read_at(&mut chunk, at).map_err(Error::io("read", path))?;
        if read == 0 {
            break;
        }
        if let Some(last) = chunk[..read].iter().rposition(|byte| *byte != 0) {
            used = at + last as u64 + 1 - from;
        }
        at += read as u64;
    }
    Ok(used)
}
