//! Reads a file once from its beginning to its end, and takes its digest on the way.

use std::io;
use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::hash::{Hash, TaggedHasher, tag};

/// Bytes that are asked for at a time, at least.
const CHUNK: usize = 1 << 20;

/// Where bytes come from: reads up to the length of the buffer at an offset; 0 at the end.
pub(crate) type Source<'a> = dyn Fn(&mut [u8], u64) -> io::Result<usize> + 'a;

/// A file that is read forwards. Every byte is asked for once and goes into the digest, so
/// that what was looked at and what was digested is the same.
pub(crate) struct Reading<'a> {
    source: &'a Source<'a>,
    path: PathBuf,
    hasher: TaggedHasher,
    window: Vec<u8>,
    /// Where the window begins.
    at: u64,
    ended: bool,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(source: &'a Source<'a>, path: PathBuf) -> Self {
        let hasher = TaggedHasher::new(tag::ARCHIVE_FILE);
        Reading { source, path, hasher, window: Vec::new(), at: 0, ended: false }
    }

    /// Up to `len` bytes at an offset, fewer at the end of the file. The offset is not below
    /// that of any call before.
    pub(crate) fn bytes(&mut self, offset: u64, len: usize) -> Result<&[u8]> {
        self.skip_to(offset)?;
        let from = usize::try_from(offset.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let wanted = from.saturating_add(len);
        while self.window.len() < wanted && !self.ended {
            self.more(wanted - self.window.len())?;
        }
        let to = wanted.min(self.window.len());
        Ok(self.window.get(from..to).unwrap_or_default())
    }

    /// The digest of the whole file, and its length: reads what was not read yet.
    pub(crate) fn finish(mut self) -> Result<(Hash, u64)> {
        while !self.ended {
            self.forget();
            self.more(CHUNK)?;
        }
        self.forget();
        Ok((self.hasher.digest(), self.at))
    }

    /// Drops what lies before an offset.
    fn skip_to(&mut self, offset: u64) -> Result<()> {
        while offset > self.at + self.window.len() as u64 && !self.ended {
            self.forget();
            self.more(CHUNK)?;
        }
        let before = usize::try_from(offset.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let before = before.min(self.window.len());
        // Moving the rest is only worth it once in a while.
        if before >= CHUNK || before == self.window.len() {
            self.window.drain(..before);
            self.at += before as u64;
        }
        Ok(())
    }

    fn forget(&mut self) {
        self.at += self.window.len() as u64;
        self.window.clear();
    }

    fn more(&mut self, wanted: usize) -> Result<()> {
        let from = self.window.len();
        self.window.resize(from.saturating_add(wanted.max(CHUNK)), 0);
        let rest = self.window.get_mut(from..).unwrap_or_default();
        let room = rest.len();
        let read = (self.source)(rest, self.at + from as u64);
        let read = read.map(|read| read.min(room));
        self.window.truncate(from + *read.as_ref().unwrap_or(&0));
        match read.map_err(Error::io("read", &self.path))? {
            0 => self.ended = true,
            _ => self.hasher.update(self.window.get(from..).unwrap_or_default()),
        }
        Ok(())
    }
}
