//! Opening an input file: plain or gzip, seen through a bounded buffer.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};
use std::path::Path;
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;

/// A line or array element longer than this many bytes is rejected unread.
pub const UNIT_BYTES_MAX: usize = 4 << 20;

/// How much of the start is looked at to tell one shape of file from another.
const PEEK_BYTES: usize = 512;

/// The text of a file, unpacked, from its first byte after a byte order mark.
pub(crate) type Input = Chain<Cursor<Vec<u8>>, Box<dyn BufRead>>;

/// An opened file, the first bytes of its text, and how far it has been read.
pub(crate) struct Opened {
    pub(crate) input: Input,
    pub(crate) peek: Vec<u8>,
    pub(crate) bytes_read: Rc<Cell<u64>>,
}

/// Opens a file. It is taken for gzip if it starts with gzip's magic bytes or its
/// name ends in `.gz`; several gzip members in a row are one text.
pub(crate) fn open(path: &Path) -> io::Result<Opened> {
    let bytes_read = Rc::new(Cell::new(0));
    let mut file = Counting { inner: File::open(path)?, bytes: Rc::clone(&bytes_read) };
    let magic = read_up_to(&mut file, 2)?;
    let packed = magic == [0x1f, 0x8b] || path.extension().is_some_and(|name| name == "gz");
    let whole = BufReader::with_capacity(1 << 16, Cursor::new(magic).chain(file));
    let mut text: Box<dyn BufRead> = if packed {
        Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(whole)))
    } else {
        Box::new(whole)
    };
    let mut peek = read_up_to(&mut text, PEEK_BYTES)?;
    if peek.starts_with(b"\xef\xbb\xbf") {
        peek.drain(..3);
    }
    Ok(Opened { input: Cursor::new(peek.clone()).chain(text), peek, bytes_read })
}

fn read_up_to(reader: &mut impl Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(limit);
    reader.by_ref().take(limit as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Counts what is read from a file, for a progress bar.
struct Counting<R> {
    inner: R,
    bytes: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.bytes.set(self.bytes.get() + count as u64);
        Ok(count)
    }
}

/// One piece of input that may become an event: a line, or an element of an array.
pub(crate) struct Unit {
    /// The line on which it begins, from 1.
    pub(crate) line: u64,
    /// Its text without surrounding white space, or why it has none.
    pub(crate) text: Result<String, String>,
}

/// A file as lines. Memory is bounded by [`UNIT_BYTES_MAX`].
pub(crate) struct Lines<R> {
    input: R,
    line: u64,
    blank: u64,
    buffer: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(input: R) -> Self {
        Lines { input, line: 0, blank: 0, buffer: Vec::new() }
    }

    /// How many blank lines have been passed over.
    pub(crate) fn blank(&self) -> u64 {
        self.blank
    }

    /// The next line that is not blank.
    pub(crate) fn next_unit(&mut self) -> io::Result<Option<Unit>> {
        loop {
            self.buffer.clear();
            let Some(whole) = self.read_line()? else { return Ok(None) };
            self.line += 1;
            if !whole {
                return Ok(Some(Unit { line: self.line, text: Err(too_long()) }));
            }
            if self.buffer.iter().all(|byte| byte.is_ascii_whitespace()) {
                self.blank += 1;
                continue;
            }
            return Ok(Some(Unit { line: self.line, text: text_of(&self.buffer) }));
        }
    }

    /// Reads one line into the buffer: `Some(true)` if all of it is there,
    /// `Some(false)` if it was too long and was skipped, `None` at the end.
    fn read_line(&mut self) -> io::Result<Option<bool>> {
        let (mut any, mut whole) = (false, true);
        loop {
            let chunk = fill(&mut self.input)?;
            if chunk.is_empty() {
                return Ok(any.then_some(whole));
            }
            any = true;
            let newline = chunk.iter().position(|byte| *byte == b'\n');
            let part = &chunk[..newline.unwrap_or(chunk.len())];
            if self.buffer.len() + part.len() > UNIT_BYTES_MAX {
                whole = false;
                self.buffer.clear();
            }
            if whole {
                self.buffer.extend_from_slice(part);
            }
            let used = newline.map_or(chunk.len(), |at| at + 1);
            self.input.consume(used);
            if newline.is_some() {
                return Ok(Some(whole));
            }
        }
    }
}

/// The bytes at hand, at least one unless the input has ended.
pub(crate) fn fill(input: &mut impl BufRead) -> io::Result<&[u8]> {
    while let Err(error) = input.fill_buf() {
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    input.fill_buf()
}

pub(crate) fn too_long() -> String {
    format!("longer than {UNIT_BYTES_MAX} bytes")
}

/// The bytes as text without surrounding white space.
pub(crate) fn text_of(bytes: &[u8]) -> Result<String, String> {
    match std::str::from_utf8(bytes.trim_ascii()) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => Err(format!("not UTF-8: wrong byte at offset {}", error.valid_up_to())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Read = (u64, Result<String, String>);

    fn units(text: &[u8]) -> (Vec<Read>, u64) {
        let mut lines = Lines::new(text);
        let mut out = Vec::new();
        while let Some(unit) = lines.next_unit().unwrap() {
            out.push((unit.line, unit.text));
        }
        (out, lines.blank())
    }

    #[test]
    fn blank_lines_are_counted_apart_and_line_ends_are_dropped() {
        let (out, blank) = units(b"\n a\r\n\r\n  \nb");
        assert_eq!(out, [(2, Ok("a".to_owned())), (5, Ok("b".to_owned()))]);
        assert_eq!(blank, 3);
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped_and_the_next_one_is_read() {
        let mut text = vec![b'x'; UNIT_BYTES_MAX + 1];
        text.extend_from_slice(b"\nok\n");
        let (out, _) = units(&text);
        assert_eq!(out, [(1, Err(too_long())), (2, Ok("ok".to_owned()))]);
        let exact = vec![b'x'; UNIT_BYTES_MAX];
        assert!(units(&exact).0[0].1.is_ok());
    }

    #[test]
    fn bytes_that_are_not_text_are_refused_with_their_offset() {
        let (out, _) = units(b"ab\xff\nok");
        assert_eq!(out[0].1, Err("not UTF-8: wrong byte at offset 2".to_owned()));
        assert_eq!(out[1].1, Ok("ok".to_owned()));
    }
}
