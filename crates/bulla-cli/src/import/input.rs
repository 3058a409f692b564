//! Opening an input file: plain, gzip or zstd, seen through a bounded buffer.

mod packed;

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};
use std::path::Path;
use std::rc::Rc;

use memchr::{memchr, memchr_iter};

/// A line longer than this many bytes is rejected unread.
pub const UNIT_BYTES_MAX: usize = 4 << 20;

/// The same for an object of JSON. What a subject sends to a Kubernetes API server may have 3 MiB, is
/// in the event twice, and each `<` in it takes six bytes there.
pub const VALUE_BYTES_MAX: usize = 64 << 20;

/// How much of the start is looked at to tell one kind of file from another.
const MAGIC_BYTES: usize = 8;

/// UTF-8's.
pub(crate) const BYTE_ORDER_MARK: &[u8; 3] = b"\xef\xbb\xbf";

/// The text of a file, unpacked.
pub(crate) type Input = Chain<Cursor<Vec<u8>>, Box<dyn BufRead>>;

/// An opened file, and how far it has been read.
pub(crate) struct Opened {
    pub(crate) input: Input,
    pub(crate) bytes_read: Rc<Cell<u64>>,
}

/// Opens a file.
pub(crate) fn open(path: &Path) -> io::Result<Opened> {
    let named_gzip = path.extension().is_some_and(|name| name == "gz");
    open_reader(File::open(path)?, named_gzip)
}

/// Takes bytes as a file: packed with gzip or zstd as its first bytes say, whatever its
/// name; several members or frames in a row are one text. Other packings and encodings are
/// refused with what to do about them.
pub(crate) fn open_reader(reader: impl Read + 'static, named_gzip: bool) -> io::Result<Opened> {
    let bytes_read = Rc::new(Cell::new(0));
    let mut file = Counting { inner: reader, bytes: Rc::clone(&bytes_read) };
    let magic = read_up_to(&mut file, MAGIC_BYTES)?;
    let packing = Packing::of(&magic, named_gzip)?;
    let whole = BufReader::with_capacity(1 << 16, Cursor::new(magic).chain(file));
    let mut text: Box<dyn BufRead> = match packing {
        Packing::None => Box::new(whole),
        Packing::Gzip => Box::new(BufReader::with_capacity(1 << 16, packed::Gzip::new(whole))),
        Packing::Zstd => Box::new(BufReader::with_capacity(1 << 16, packed::Zstd::new(whole))),
    };
    let peek = read_up_to(&mut text, MAGIC_BYTES)?;
    refuse_wide_text(&peek)?;
    Ok(Opened { input: Cursor::new(peek).chain(text), bytes_read })
}

/// How a file is packed.
enum Packing {
    None,
    Gzip,
    Zstd,
}

impl Packing {
    fn of(magic: &[u8], named_gzip: bool) -> io::Result<Self> {
        const OTHERS: [(&[u8], &str, &str); 7] = [
            (b"BZh", "bzip2", "bunzip2 -k FILE"),
            (b"\xfd7zXZ\0", "xz", "unxz -k FILE"),
            (b"\x04\x22\x4d\x18", "lz4", "unlz4 FILE"),
            (b"\x5d\x00\x00", "lzma", "unlzma -k FILE"),
            (b"\x1f\x9d", "compress", "uncompress FILE"),
            (b"PK\x03\x04", "zip", "unzip FILE"),
            (b"7z\xbc\xaf\x27\x1c", "7-Zip", "7z x FILE"),
        ];
        if let Some((_, name, command)) = OTHERS.iter().find(|other| magic.starts_with(other.0)) {
            return Err(invalid(format!(
                "expected plain text, gzip or zstd, found {name}: unpack it first ({command})"
            )));
        }
        // A gzip file that was cut within its first two bytes is no empty text.
        let cut = named_gzip && b"\x1f\x8b".starts_with(magic);
        Ok(match magic {
            [0x1f, 0x8b, ..] => Packing::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Packing::Zstd,
            _ if cut => Packing::Gzip,
            _ => Packing::None,
        })
    }
}

/// Text of more than one byte a character is none that we read. NULs alone are what a loss of
/// power leaves in a file.
fn refuse_wide_text(start: &[u8]) -> io::Result<()> {
    /// Are all characters ASCII, each as a unit of this length, the byte that is not zero at this
    /// place of it?
    fn ascii(start: &[u8], len: usize, place: usize) -> bool {
        let mut units = start.chunks_exact(len);
        let is = |unit: &[u8]| {
            unit.iter().enumerate().all(|(at, byte)| (*byte == 0) != (at == place))
                && unit[place].is_ascii()
        };
        start.len() >= len && units.all(is)
    }
    let (name, code) = match start {
        [0xff, 0xfe, 0, 0, ..] => ("UTF-32 (little-endian)", "UTF-32LE"),
        [0, 0, 0xfe, 0xff, ..] => ("UTF-32 (big-endian)", "UTF-32BE"),
        [0xff, 0xfe, ..] => ("UTF-16 (little-endian)", "UTF-16LE"),
        [0xfe, 0xff, ..] => ("UTF-16 (big-endian)", "UTF-16BE"),
        start if ascii(start, 4, 0) => ("UTF-32 (little-endian)", "UTF-32LE"),
        start if ascii(start, 4, 3) => ("UTF-32 (big-endian)", "UTF-32BE"),
        start if ascii(start, 2, 0) => ("UTF-16 (little-endian)", "UTF-16LE"),
        start if ascii(start, 2, 1) => ("UTF-16 (big-endian)", "UTF-16BE"),
        _ => return Ok(()),
    };
    Err(invalid(format!(
        "expected UTF-8, found {name}: convert it first (iconv -f {code} -t UTF-8 FILE)"
    )))
}

pub(crate) fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
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

/// A line that may become a record.
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
    /// Where in the buffer a record begins that stands behind NULs.
    next: Option<usize>,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(input: R) -> Self {
        Lines { input, line: 0, blank: 0, buffer: Vec::new(), next: None }
    }

    /// How many blank lines have been passed over.
    pub(crate) fn blank(&self) -> u64 {
        self.blank
    }

    /// The next line that is not blank. A record behind NULs, which a loss of power leaves where a
    /// record was being written, is a line of its own.
    pub(crate) fn next_unit(&mut self) -> io::Result<Option<Unit>> {
        loop {
            let from = match self.next.take() {
                Some(from) => from,
                None => {
                    self.buffer.clear();
                    let Some(whole) = self.read_line()? else { return Ok(None) };
                    self.line += 1;
                    if !whole {
                        let text = Err(too_long(UNIT_BYTES_MAX));
                        return Ok(Some(Unit { line: self.line, text }));
                    }
                    if self.buffer.iter().all(|byte| byte.is_ascii_whitespace() || *byte == 0) {
                        self.blank += 1;
                        continue;
                    }
                    0
                }
            };
            let rest = &self.buffer[from..];
            let end = record_behind_nuls(rest).unwrap_or(rest.len());
            self.next = (end < rest.len()).then_some(from + end);
            let text = text_of(&rest[..end]);
            if !text.is_empty() {
                return Ok(Some(Unit { line: self.line, text: Ok(text) }));
            }
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
            let newline = memchr(b'\n', chunk);
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

pub(crate) fn too_long(max: usize) -> String {
    format!("longer than {max} bytes")
}

/// Where a record begins behind a NUL.
fn record_behind_nuls(line: &[u8]) -> Option<usize> {
    let begins = |rest: &[u8]| rest.starts_with(b"type=") || rest.starts_with(b"node=");
    memchr_iter(0, line).map(|at| at + 1).find(|at| begins(&line[*at..]))
}

/// The bytes as text without a byte order mark, white space and NULs around it. A byte that is
/// not UTF-8 is written as `\xff`, so that it loses nothing.
fn text_of(bytes: &[u8]) -> String {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let inside = |byte: &u8| !byte.is_ascii_whitespace() && *byte != 0;
    let begin = bytes.iter().position(inside).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(inside).map_or(begin, |last| last + 1);
    let bytes = &bytes[begin..end];
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text
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
        assert_eq!(out, [(1, Err(too_long(UNIT_BYTES_MAX))), (2, Ok("ok".to_owned()))]);
        let exact = vec![b'x'; UNIT_BYTES_MAX];
        assert!(units(&exact).0[0].1.is_ok());
    }

    #[test]
    fn a_record_behind_nuls_is_a_line() {
        let (out, blank) = units(b"\0\0type=a\0\n\0\0\ntype=cu\0\0type=b\0\0node=c\ntype=d\0e");
        let texts: Vec<_> =
            out.iter().map(|(line, text)| (*line, text.as_deref().unwrap())).collect();
        assert_eq!(
            texts,
            [(1, "type=a"), (3, "type=cu"), (3, "type=b"), (3, "node=c"), (4, "type=d\0e")]
        );
        assert_eq!(blank, 1);
        let many = b"\0type=".repeat(100_000);
        assert_eq!(units(&many).0.len(), 100_000);
    }

    #[test]
    fn bytes_that_are_not_text_are_written_as_escapes() {
        let (out, _) = units(b"\xef\xbb\xbfab\xff\xc3\xa9\n\xef\xbb\xbfok");
        assert_eq!(out[0].1, Ok("ab\\xffé".to_owned()));
        assert_eq!(out[1].1, Ok("ok".to_owned()));
    }
}
