//! Files that are one JSON array of events instead of lines: `[…]`, or
//! `{"Records":[…]}` as AWS delivers CloudTrail (often a single huge line).
//!
//! The splitter finds where each element ends without building anything, so
//! memory is bounded by the longest element kept, and the bytes stay as they were.

use std::io::{self, BufRead};

use super::input::{UNIT_BYTES_MAX, Unit, fill, text_of, too_long};

/// Does a file that starts so hold an array of events?
pub(crate) fn begins_array(peek: &[u8]) -> bool {
    let text = peek.trim_ascii_start();
    if text.starts_with(b"[") {
        return true;
    }
    let mut rest = text;
    for token in [b"{".as_slice(), b"\"Records\"", b":", b"["] {
        match rest.trim_ascii_start().strip_prefix(token) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    true
}

enum Place {
    /// Before an array.
    Outside,
    /// Between elements.
    Inside,
    /// After something that is not an array: nothing more can be read.
    Lost,
}

/// A file as the elements of its array, or of several arrays in a row.
pub(crate) struct Elements<R> {
    input: R,
    place: Place,
    /// Newlines passed so far, plus one.
    line: u64,
    ordinal: u64,
    /// Has an array ended? Then the brace of its wrapper may follow.
    ended: bool,
    buffer: Vec<u8>,
}

impl<R: BufRead> Elements<R> {
    pub(crate) fn new(input: R) -> Self {
        Elements {
            input,
            place: Place::Outside,
            line: 1,
            ordinal: 0,
            ended: false,
            buffer: Vec::new(),
        }
    }

    /// The next element. Its line is where it begins; reasons name its ordinal,
    /// because all of them may stand on one line.
    pub(crate) fn next_unit(&mut self) -> io::Result<Option<Unit>> {
        loop {
            match self.place {
                Place::Lost => return Ok(None),
                Place::Outside => {
                    if !self.enter()? {
                        return Ok(None);
                    }
                    if matches!(self.place, Place::Lost) {
                        return Ok(Some(self.refuse(self.line, "expected an array of events")));
                    }
                }
                Place::Inside => match self.skip_between()? {
                    None => {
                        self.place = Place::Lost;
                        return Ok(Some(self.refuse(self.line, "the file ends inside the array")));
                    }
                    Some(b']') => {
                        self.advance()?;
                        (self.place, self.ended) = (Place::Outside, true);
                    }
                    Some(_) => return self.element().map(Some),
                },
            }
        }
    }

    fn refuse(&self, line: u64, reason: &str) -> Unit {
        Unit { line, text: Err(format!("after element {}: {reason}", self.ordinal)) }
    }

    /// Passes what stands before an array; false at the end of the file.
    fn enter(&mut self) -> io::Result<bool> {
        let mut wrapper: &[u8] = b"{\"Records\":[";
        let mut begun = false;
        while let Some(byte) = self.peek()? {
            self.advance()?;
            if byte == b'[' && (!begun || wrapper == b"[") {
                self.place = Place::Inside;
                return Ok(true);
            }
            // The brace that closes the wrapper of the array before.
            let closing = !begun && self.ended && byte == b'}';
            if byte.is_ascii_whitespace() || closing {
                continue;
            }
            match wrapper.strip_prefix(&[byte]) {
                Some(rest) => (wrapper, begun) = (rest, true),
                None => {
                    self.place = Place::Lost;
                    return Ok(true);
                }
            }
        }
        if begun {
            self.place = Place::Lost;
        }
        Ok(begun)
    }

    /// Passes white space and commas; the byte that follows, still unread.
    fn skip_between(&mut self) -> io::Result<Option<u8>> {
        while let Some(byte) = self.peek()? {
            if !byte.is_ascii_whitespace() && byte != b',' {
                return Ok(Some(byte));
            }
            self.advance()?;
        }
        Ok(None)
    }

    /// Reads the element that begins here.
    fn element(&mut self) -> io::Result<Unit> {
        let line = self.line;
        self.ordinal += 1;
        self.buffer.clear();
        let (mut scan, mut length, mut ended) = (Scan::default(), 0, false);
        while !ended {
            let chunk = fill(&mut self.input)?;
            if chunk.is_empty() {
                break;
            }
            let end = chunk.iter().position(|byte| scan.ends_before(*byte));
            ended = end.is_some();
            let part = &chunk[..end.unwrap_or(chunk.len())];
            let room = UNIT_BYTES_MAX - self.buffer.len();
            self.buffer.extend_from_slice(&part[..part.len().min(room)]);
            self.line += part.iter().filter(|byte| **byte == b'\n').count() as u64;
            let used = part.len();
            length += used;
            self.input.consume(used);
        }
        let text = match ended {
            false => {
                self.place = Place::Lost;
                Err("the file ends inside it".to_owned())
            }
            true if length > UNIT_BYTES_MAX => Err(too_long()),
            true => text_of(&self.buffer),
        };
        let named = |reason| format!("element {}: {reason}", self.ordinal);
        Ok(Unit { line, text: text.map_err(named) })
    }

    /// The ordinal of the element last returned, from 1.
    pub(crate) fn ordinal(&self) -> u64 {
        self.ordinal
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        Ok(fill(&mut self.input)?.first().copied())
    }

    fn advance(&mut self) -> io::Result<()> {
        if self.peek()? == Some(b'\n') {
            self.line += 1;
        }
        self.input.consume(1);
        Ok(())
    }
}

/// Finds where a JSON value ends. Brackets are only counted: whether they match is
/// for the JSON parser to say.
#[derive(Default)]
struct Scan {
    begun: bool,
    depth: u64,
    quoted: bool,
    escaped: bool,
}

impl Scan {
    /// Takes the next byte, unless the value ended before it.
    fn ends_before(&mut self, byte: u8) -> bool {
        if self.quoted {
            (self.quoted, self.escaped) =
                (self.escaped || byte != b'"', !self.escaped && byte == b'\\');
            return false;
        }
        if self.begun && self.depth == 0 && matches!(byte, b',' | b']' | b' ' | b'\t'..=b'\r') {
            return true;
        }
        self.begun = true;
        match byte {
            b'"' => self.quoted = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements(text: &str) -> Vec<(u64, Result<String, String>)> {
        let mut elements = Elements::new(text.as_bytes());
        let mut out = Vec::new();
        while let Some(unit) = elements.next_unit().unwrap() {
            out.push((unit.line, unit.text));
            assert!(out.len() < 1_000, "no end: {text}");
        }
        out
    }

    fn texts(text: &str) -> Vec<String> {
        elements(text).into_iter().map(|(_, text)| text.unwrap()).collect()
    }

    #[test]
    fn elements_keep_their_bytes() {
        let one = r#"{"a":"]},[\"\\","b":[{},[ ]]}"#;
        let file = format!("{{\"Records\" : [\n{one} ,\n {one},7]}}\n");
        assert_eq!(texts(&file), [one, one, "7"]);
        assert_eq!(elements(&file).iter().map(|unit| unit.0).collect::<Vec<_>>(), [2, 3, 3]);
        assert_eq!(texts(&format!("[{one}]")), [one]);
    }

    #[test]
    fn several_arrays_in_a_row_are_one() {
        assert_eq!(texts("{\"Records\":[1,2]}\n{\"Records\":[3]} [4]"), ["1", "2", "3", "4"]);
        assert_eq!(texts("{\"Records\":[]}"), Vec::<String>::new());
    }

    #[test]
    fn damage_is_reported_once_and_ends() {
        for (file, good) in
            [("[1,{\"a\":", 1), ("[1,", 1), ("{\"Records\":[1], \"more\": 2}", 1), ("[1] x", 1)]
        {
            let found = elements(file);
            let bad = found.iter().filter(|unit| unit.1.is_err()).count();
            assert_eq!((found.len() - bad, bad), (good, 1), "{file}: {found:?}");
        }
    }

    #[test]
    fn an_element_that_is_too_long_is_skipped() {
        let file = format!("[\"{}\",2]", "x".repeat(UNIT_BYTES_MAX));
        let found = elements(&file);
        assert_eq!(found[0].1, Err(format!("element 1: {}", too_long())));
        assert_eq!(found[1].1, Ok("2".to_owned()));
    }

    #[test]
    fn only_arrays_are_taken_for_arrays() {
        assert!(begins_array(b" {\n \"Records\" : [ {"));
        assert!(begins_array(b"\n[{"));
        for other in ["", "{\"Records\":{", "{\"eventVersion\":\"1.08\"", "{\"Records\"", "x"] {
            assert!(!begins_array(other.as_bytes()), "{other}");
        }
    }
}
