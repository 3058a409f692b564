//! A file as JSON values, one after another, wherever they stand: one a line, several
//! lines each, without anything between them, or as elements of an array, which may be a
//! member of an object around it (`{"Records":[…]}`).
//!
//! The splitter finds where each value ends without building anything, so memory is
//! bounded by the longest value kept, and the bytes stay as they were. Outside of arrays
//! a line that begins with `{` always begins a value: a value before it that has not
//! ended is broken, and its lines are taken one by one, so that one bad line loses only
//! itself. So does a `{` behind a NUL (a file after a loss of power) or a record separator
//! (RFC 7464).

use std::io::{self, BufRead};

use memchr::{memchr2, memchr3};

use super::input::{BYTE_ORDER_MARK, UNIT_BYTES_MAX, VALUE_BYTES_MAX, fill, too_long};

/// Most arrays and wrappers inside one another that are looked into.
const LISTS_OPEN_MAX: usize = 16;

/// Most elements and members of a value that is longer than [`UNIT_BYTES_MAX`]: a shorter one cannot
/// have more, so that none takes more memory than its texts do.
const ELEMENTS_MAX: u64 = UNIT_BYTES_MAX as u64 / 2;

/// What begins a record of RFC 7464.
const RECORD_SEPARATOR: u8 = 0x1e;

/// What may stand between values besides ASCII.
const BETWEEN: [&[u8]; 5] = [
    BYTE_ORDER_MARK,
    "\u{85}".as_bytes(),
    "\u{a0}".as_bytes(),
    "\u{2028}".as_bytes(),
    "\u{2029}".as_bytes(),
];

/// One value that may become an event, or what stands where one is expected.
pub(crate) struct Found {
    /// The line on which it begins, from 1.
    pub(crate) line: u64,
    /// Which element of the arrays of the file it is, from 1, if it is one.
    pub(crate) element: Option<u64>,
    /// Its bytes, or why there are none.
    pub(crate) bytes: Result<Vec<u8>, String>,
}

/// What is open around the next value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum List {
    Array,
    /// An object one member of which was an array of events.
    Wrapper,
}

/// How the scan of a value ended.
enum End {
    /// The value is whole.
    Whole,
    /// It is an object around an array of events, which begins here.
    List,
    /// A line within it begins with `{`; or it is one of several lines that are taken one by
    /// one.
    Broken,
    /// The file ends inside it.
    Cut,
}

/// A file as its values.
pub(crate) struct Values<R> {
    input: R,
    /// Bytes that are read again.
    again: Vec<u8>,
    again_from: usize,
    /// How many of the bytes to come belong to lines that are taken one by one.
    alone: usize,
    lists: Vec<List>,
    /// Names of members that hold arrays of events.
    names: Vec<String>,
    line: u64,
    blank: u64,
    line_is_blank: bool,
    ordinal: u64,
    buffer: Vec<u8>,
    /// How many elements and members the value in the buffer has.
    elements: u64,
    /// Longest value that is kept.
    value_max: usize,
}

impl<R: BufRead> Values<R> {
    pub(crate) fn new(input: R, names: Vec<String>) -> Self {
        Values {
            input,
            again: Vec::new(),
            again_from: 0,
            alone: 0,
            lists: Vec::new(),
            names,
            line: 1,
            blank: 0,
            line_is_blank: true,
            ordinal: 0,
            buffer: Vec::new(),
            elements: 0,
            value_max: VALUE_BYTES_MAX,
        }
    }

    /// How many blank lines between values have been passed over.
    pub(crate) fn blank(&self) -> u64 {
        self.blank
    }

    /// The next value.
    pub(crate) fn next_value(&mut self) -> io::Result<Option<Found>> {
        loop {
            let Some(byte) = self.peek_value()? else {
                if self.lists.is_empty() {
                    return Ok(None);
                }
                self.lists.clear();
                return Ok(Some(self.refused("the file ends inside the array")));
            };
            match (self.lists.last(), byte) {
                (Some(List::Wrapper), _) => {
                    if let Some(found) = self.rest_of_wrapper()? {
                        return Ok(Some(found));
                    }
                }
                (Some(List::Array), b']') => {
                    self.take()?;
                    self.lists.pop();
                }
                (_, b'[') if self.lists.len() < LISTS_OPEN_MAX => {
                    self.take()?;
                    self.lists.push(List::Array);
                }
                (_, b'{') => {
                    if let Some(found) = self.object()? {
                        return Ok(Some(found));
                    }
                }
                _ => return self.other().map(Some),
            }
        }
    }

    fn refused(&self, reason: &str) -> Found {
        let reason = format!("after element {}: {reason}", self.ordinal);
        Found { line: self.line, element: None, bytes: Err(reason) }
    }

    /// Passes white space, commas, NULs, record separators and byte order marks; the byte that
    /// follows, still unread.
    fn peek_value(&mut self) -> io::Result<Option<u8>> {
        while let Some(byte) = self.peek()? {
            if !byte.is_ascii() && self.skip_between()? {
                continue;
            }
            if !byte.is_ascii_whitespace() && !matches!(byte, b',' | 0x0b) && !separates(byte) {
                return Ok(Some(byte));
            }
            if byte == b'\n' && self.line_is_blank && self.lists.is_empty() {
                self.blank += 1;
            }
            self.take()?;
        }
        Ok(None)
    }

    /// Passes one of [`BETWEEN`], if it stands here.
    fn skip_between(&mut self) -> io::Result<bool> {
        let mut seen = Vec::with_capacity(3);
        while let Some(byte) = self.peek()? {
            seen.push(byte);
            if !BETWEEN.iter().any(|mark| mark.starts_with(&seen)) {
                seen.pop();
                break;
            }
            self.take()?;
            if BETWEEN.contains(&seen.as_slice()) {
                return Ok(true);
            }
        }
        self.read_again(&seen, 0);
        Ok(false)
    }

    /// The object that begins here; none if it is a wrapper, whose array has been entered.
    fn object(&mut self) -> io::Result<Option<Found>> {
        let line = self.line;
        let inside = !self.lists.is_empty();
        let blind = self.lists.len() >= LISTS_OPEN_MAX;
        let (end, length) = self.scan(Scan { blind, ..Scan::default() }, !inside)?;
        self.line_is_blank = false;
        if matches!(end, End::List) {
            self.lists.extend([List::Wrapper, List::Array]);
            return Ok(None);
        }
        let bytes = self.scanned(&end, length, inside);
        if inside {
            self.ordinal += 1;
        }
        Ok(Some(Found { line, element: inside.then_some(self.ordinal), bytes }))
    }

    /// The bytes of a value whose scan ended so.
    fn scanned(&mut self, end: &End, length: usize, inside: bool) -> Result<Vec<u8>, String> {
        let mut bytes = std::mem::take(&mut self.buffer);
        if length > self.value_max {
            return Err(too_long(self.value_max));
        }
        if length > UNIT_BYTES_MAX && self.elements > ELEMENTS_MAX {
            return Err(too_long(UNIT_BYTES_MAX));
        }
        if matches!(end, End::Cut) && inside {
            self.lists.clear();
            return Err("the file ends inside it".to_owned());
        }
        if matches!(end, End::Broken | End::Cut) {
            let first = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
            let rest = bytes.split_off(first);
            self.line -= rest.iter().filter(|byte| **byte == b'\n').count() as u64;
            self.read_again(&rest, rest.len());
        }
        Ok(bytes)
    }

    /// Passes the other members of a wrapper, up to its end or its next array of events.
    fn rest_of_wrapper(&mut self) -> io::Result<Option<Found>> {
        let (end, _) = self.scan(Scan::inside_object(), false)?;
        self.line_is_blank = false;
        self.buffer.clear();
        self.lists.pop();
        Ok(match end {
            End::List => {
                self.lists.extend([List::Wrapper, List::Array]);
                None
            }
            End::Cut => {
                self.lists.clear();
                Some(self.refused("the file ends inside the object around the array"))
            }
            End::Whole | End::Broken => None,
        })
    }

    /// What is neither an object nor an array: in an array up to the next comma, else up to
    /// the end of the line.
    fn other(&mut self) -> io::Result<Found> {
        let line = self.line;
        let inside = !self.lists.is_empty();
        let (mut bytes, mut length, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
        let mut after_separator = false;
        while let Some(byte) = self.peek()? {
            let ends = if inside {
                !quoted && length > 0 && matches!(byte, b',' | b']' | b'}' | b'\n')
            } else {
                byte == b'\n' || (byte == b'{' && after_separator)
            };
            if ends {
                break;
            }
            after_separator = separates(byte);
            (quoted, escaped) = match byte {
                _ if escaped => (quoted, false),
                b'\\' => (quoted, quoted),
                b'"' => (!quoted, false),
                _ => (quoted, false),
            };
            length += 1;
            if length <= UNIT_BYTES_MAX {
                bytes.push(byte);
            }
            self.take()?;
        }
        if inside {
            self.ordinal += 1;
        }
        let bytes = if length > UNIT_BYTES_MAX { Err(too_long(UNIT_BYTES_MAX)) } else { Ok(bytes) };
        Ok(Found { line, element: inside.then_some(self.ordinal), bytes })
    }

    /// Reads into the buffer until the value ends. Only outside of arrays does a line tell
    /// anything. Gives the length, which may be more than is in the buffer.
    fn scan(&mut self, mut scan: Scan, by_line: bool) -> io::Result<(End, usize)> {
        self.buffer.clear();
        self.elements = 0;
        // Half, so that what is held can be read again when a value turns out to be broken.
        let lines_max = self.value_max / 2;
        let (mut length, mut may_begin) = (0, false);
        loop {
            let alone = self.alone;
            let chunk = match self.again.get(self.again_from..) {
                Some(again) if !again.is_empty() => again,
                _ => fill(&mut self.input)?,
            };
            if chunk.is_empty() {
                self.elements = scan.elements;
                return Ok((End::Cut, length));
            }
            let (mut used, mut newlines, mut end) = (0, 0, None);
            while used < chunk.len() {
                let plain = if may_begin { 0 } else { scan.plain(&chunk[used..]) };
                used += plain;
                let Some(&byte) = chunk.get(used) else { break };
                if by_line && byte == b'{' && may_begin {
                    end = Some(End::Broken);
                    break;
                }
                if by_line && byte == b'\n' && (used < alone || length + used > lines_max) {
                    end = Some(End::Broken);
                    break;
                }
                may_begin = byte == b'\n' || separates(byte);
                newlines += u64::from(byte == b'\n');
                used += 1;
                end = scan.take(byte, &self.names);
                if end.is_some() {
                    break;
                }
            }
            let room = self.value_max.saturating_sub(length);
            self.buffer.extend_from_slice(&chunk[..used.min(room)]);
            length += used;
            self.line += newlines;
            self.consume(used);
            if let Some(end) = end {
                self.elements = scan.elements;
                return Ok((end, length));
            }
        }
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        match self.again.get(self.again_from) {
            Some(byte) => Ok(Some(*byte)),
            None => Ok(fill(&mut self.input)?.first().copied()),
        }
    }

    fn take(&mut self) -> io::Result<Option<u8>> {
        let byte = self.peek()?;
        if let Some(byte) = byte {
            self.line += u64::from(byte == b'\n');
            self.line_is_blank = byte == b'\n' || self.line_is_blank && byte.is_ascii_whitespace();
            self.consume(1);
        }
        Ok(byte)
    }

    fn consume(&mut self, count: usize) {
        self.alone = self.alone.saturating_sub(count);
        if self.again_from < self.again.len() {
            self.again_from += count;
        } else {
            self.input.consume(count);
        }
    }

    /// Puts bytes back that were read last; of so many of them each line stands alone.
    fn read_again(&mut self, bytes: &[u8], alone: usize) {
        self.alone = if alone > 0 { alone } else { self.alone + bytes.len() };
        match self.again_from.checked_sub(bytes.len()) {
            // They came from here, and what follows them must not be moved for each line.
            Some(from) => {
                self.again[from..self.again_from].copy_from_slice(bytes);
                self.again_from = from;
            }
            None => {
                let rest = self.again.split_off(self.again_from);
                self.again = [bytes, &rest].concat();
                self.again_from = 0;
            }
        }
    }
}

/// Does a `{` behind this byte begin a value, wherever it stands? JSON has neither.
fn separates(byte: u8) -> bool {
    matches!(byte, 0 | RECORD_SEPARATOR)
}

/// Finds where an object ends, and the arrays that are members of it. Brackets are only
/// counted: whether they match is for the JSON parser to say.
#[derive(Default)]
struct Scan {
    depth: u64,
    quoted: bool,
    escaped: bool,
    /// The name of the member that comes or has come, at the first level.
    name: Vec<u8>,
    /// At the first level: before the value of a member.
    value_next: bool,
    /// Whether arrays of events are passed over.
    blind: bool,
    /// How many elements and members there are, about.
    elements: u64,
}

/// A name of a member that is longer is none that we know.
const NAME_LEN_MAX: usize = 64;

impl Scan {
    fn inside_object() -> Self {
        Scan { depth: 1, ..Scan::default() }
    }

    /// How many bytes from here on are within a text, and say nothing.
    fn plain(&self, bytes: &[u8]) -> usize {
        if !self.quoted || self.escaped || self.in_name() {
            return 0;
        }
        let plain = memchr3(b'"', b'\\', b'\n', bytes).unwrap_or(bytes.len());
        memchr2(0, RECORD_SEPARATOR, &bytes[..plain]).unwrap_or(plain)
    }

    /// Whether this text may be a name that we know.
    fn in_name(&self) -> bool {
        self.depth == 1 && !self.value_next
    }

    /// Takes the next byte; says so if it ends the value.
    fn take(&mut self, byte: u8, names: &[String]) -> Option<End> {
        if self.quoted {
            if self.in_name() && self.name.len() <= NAME_LEN_MAX {
                self.name.push(byte);
            }
            (self.quoted, self.escaped) =
                (self.escaped || byte != b'"', !self.escaped && byte == b'\\');
            return None;
        }
        self.elements += u64::from(matches!(byte, b',' | b'{' | b'['));
        match byte {
            b'"' => {
                self.quoted = true;
                if !self.value_next {
                    self.name.clear();
                }
            }
            b':' if self.depth == 1 => self.value_next = true,
            b',' if self.depth == 1 => self.value_next = false,
            b'[' if self.depth == 1 && self.value_next && self.names_a_list(names) => {
                return Some(End::List);
            }
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 {
                    return Some(End::Whole);
                }
            }
            _ => {}
        }
        None
    }

    fn names_a_list(&self, names: &[String]) -> bool {
        let name = self.name.strip_suffix(b"\"").unwrap_or_default();
        !self.blind && names.iter().any(|known| known.as_bytes() == name)
    }
}

#[cfg(test)]
mod tests;
