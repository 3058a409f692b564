//! Redaction within JSON text, without touching the rest of it.
//!
//! The text is known to be JSON, so a walk over its brackets, commas and strings is
//! enough. It keeps a stack of its own: no depth is too deep for it. Where the text
//! should not be JSON after all, the walk still ends, and copies what it does not
//! understand.

use std::borrow::Cow;
use std::ops::Range;

use super::edits::{Edits, Renamed};
use super::names::Squeezed;
use super::places::{Places, Walked};
use super::rules::{REDACTED, Rules};
use super::{number, pattern};

/// [`REDACTED`] as JSON.
pub(super) const REDACTED_JSON: &str = "\"[redacted]\"";

/// A name in JSON that is longer than this is not told in a path: each byte of a name that
/// fits takes at most six in JSON.
const NAME_TOLD_MAX: usize = 6 * crate::event::limits::REDACTED_PATH_LEN_MAX;

/// What the text of a JSON value in this field of an event becomes, if it changes.
pub(super) fn redact(
    rules: &Rules,
    field: &'static str,
    text: &str,
    places: &mut Places,
    squeezed: &mut Squeezed,
) -> Option<String> {
    let (edits, renamed) = (Edits::default(), Renamed::default());
    let (levels, path) = (Vec::new(), Walked::from(field));
    Walk { rules, text, at: 0, levels, edits, renamed, path, places, squeezed }.run()
}

struct Walk<'a> {
    rules: &'a Rules,
    text: &'a str,
    /// Where the walk is.
    at: usize,
    /// The arrays and objects around it.
    levels: Vec<Level>,
    /// What changes up to here.
    edits: Edits,
    renamed: Renamed,
    /// The path of as many of `levels` as were told, from the outermost.
    path: Walked,
    places: &'a mut Places,
    squeezed: &'a mut Squeezed,
}

enum Level {
    /// In an array: the number of the element.
    Array(usize),
    /// In an object, before a name.
    Object,
    /// In an object, after the name whose inside stands here in the text.
    Member(Range<usize>),
}

impl Walk<'_> {
    fn run(mut self) -> Option<String> {
        while let Some(byte) = self.byte() {
            match byte {
                b'"' if matches!(self.levels.last(), Some(Level::Object)) => self.name(),
                b'"' => self.string(),
                b'-' | b'0'..=b'9' => self.number(),
                b'{' => self.open(Level::Object),
                b'[' => self.open(Level::Array(0)),
                b'}' | b']' => self.close(),
                b',' => self.next(),
                // Colons, white space, `true`, `false` and `null`.
                _ => self.at += 1,
            }
        }
        self.edits.applied(self.text)
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn open(&mut self, level: Level) {
        self.levels.push(level);
        self.at += 1;
    }

    fn close(&mut self) {
        self.renamed.close(self.levels.len(), &mut self.edits);
        self.levels.pop();
        self.path.back_to(self.levels.len());
        self.at += 1;
    }

    fn next(&mut self) {
        match self.levels.last_mut() {
            Some(Level::Array(element)) => *element += 1,
            Some(level) => *level = Level::Object,
            None => {}
        }
        self.path.back_to(self.levels.len().saturating_sub(1));
        self.at += 1;
    }

    /// At a name: the value behind it goes if a rule matches.
    fn name(&mut self) {
        let inside = self.inside();
        let raw = self.text.get(inside.clone()).unwrap_or_default();
        let name = unescaped(raw);
        let matches = self.rules.names.matches(&name, self.squeezed);
        if let Some(level) = self.levels.last_mut() {
            *level = Level::Member(inside.clone());
        }
        self.path.back_to(self.levels.len().saturating_sub(1));
        self.in_name(&inside, raw, &name);
        if matches {
            self.value();
        }
    }

    /// Redacts what patterns find in a name, so that it stays one of its own.
    fn in_name(&mut self, inside: &Range<usize>, raw: &str, name: &str) {
        let (rules, depth) = (self.rules, self.levels.len());
        if self.patterns(inside, raw, name) {
            let new = rules.in_text(name).unwrap_or_default();
            self.renamed.changed(depth, new, inside.end, &mut self.edits);
        } else if !rules.patterns.is_empty() && name.contains(REDACTED) {
            self.renamed.given(depth, name);
        }
    }

    /// Redacts the value behind a name.
    fn value(&mut self) {
        while self.byte().is_some_and(|byte| matches!(byte, b':' | b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        let start = self.at;
        self.skip_value();
        let value = self.text.get(start..self.at).unwrap_or_default();
        if value != REDACTED_JSON {
            self.note();
            self.edits.replace(start..self.at, REDACTED_JSON);
        }
    }

    /// Goes behind the value that begins here.
    fn skip_value(&mut self) {
        let mut depth = 0_usize;
        while let Some(byte) = self.byte() {
            match byte {
                b'"' => {
                    self.inside();
                }
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                    continue;
                }
                b'}' | b']' if depth == 0 => return,
                b'}' | b']' => {
                    depth -= 1;
                    self.at += 1;
                }
                b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' => {
                    self.at += 1;
                    continue;
                }
                _ => self.at = self.scalar_end(),
            }
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        let inside = self.inside();
        if self.rules.patterns.is_empty() {
            return;
        }
        let raw = self.text.get(inside.clone()).unwrap_or_default();
        self.patterns(&inside, raw, &unescaped(raw));
    }

    /// A number in which something is found is replaced whole: the rest of it would be none.
    fn number(&mut self) {
        let start = self.at;
        self.at = self.scalar_end();
        let number = self.text.get(start..self.at).unwrap_or_default();
        let patterns = &self.rules.patterns;
        let finds = |text: &str| !pattern::found(patterns, text).is_empty();
        if finds(number) || number::written_out(number).is_some_and(|digits| finds(&digits)) {
            self.note();
            self.edits.replace(start..self.at, REDACTED_JSON);
        }
    }

    /// Redacts what patterns find in a string, given where its inside is, as it stands
    /// there and unescaped. Gives whether they find anything.
    fn patterns(&mut self, inside: &Range<usize>, raw: &str, text: &str) -> bool {
        let found = pattern::found(&self.rules.patterns, text);
        if found.is_empty() {
            return false;
        }
        let places = if raw.len() == text.len() { Vec::new() } else { raw_places(raw) };
        let raw_at = |at: usize| if places.is_empty() { Some(at) } else { places.get(at).copied() };
        self.note();
        for range in found {
            if let (Some(start), Some(end)) = (raw_at(range.start), raw_at(range.end)) {
                self.edits.replace(inside.start + start..inside.start + end, REDACTED);
            }
        }
        true
    }

    /// Goes behind the string that begins here, and gives what is between its quotes.
    fn inside(&mut self) -> Range<usize> {
        let bytes = self.text.as_bytes();
        let start = self.at + 1;
        let mut end = start;
        while let Some(byte) = bytes.get(end) {
            match byte {
                b'"' => break,
                b'\\' => end += 2,
                _ => end += 1,
            }
        }
        let end = end.min(bytes.len());
        self.at = (end + 1).min(bytes.len());
        start.min(end)..end
    }

    /// Behind a number or word.
    fn scalar_end(&self) -> usize {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
        self.at + rest.iter().position(ends).unwrap_or(rest.len())
    }

    /// Notes the place where the walk is.
    fn note(&mut self) {
        let (text, rules, levels, path) = (self.text, self.rules, &self.levels, &mut self.path);
        self.places.add(move || {
            for level in levels.iter().skip(path.steps()) {
                if path.is_cut() {
                    break;
                }
                match level {
                    Level::Array(element) => path.element(*element),
                    Level::Member(inside) => member(path, text, inside, rules),
                    Level::Object => path.stay(),
                }
            }
            path.told()
        });
    }
}

/// A step to a member. What patterns find in its name is not told either.
fn member(path: &mut Walked, text: &str, inside: &Range<usize>, rules: &Rules) {
    if inside.len() > NAME_TOLD_MAX {
        return path.cut();
    }
    let name = unescaped(text.get(inside.clone()).unwrap_or_default());
    match rules.in_text(&name) {
        Some(redacted) => path.member(&redacted),
        None => path.member(&name),
    }
}

/// The text of a JSON string, from what is between its quotes.
fn unescaped(raw: &str) -> Cow<'_, str> {
    if !raw.as_bytes().contains(&b'\\') {
        return Cow::Borrowed(raw);
    }
    let mut text = String::with_capacity(raw.len());
    characters(raw, |c, _| text.push(c));
    Cow::Owned(text)
}

/// For each byte of the unescaped text, and for its end, where its character stands in
/// the raw text.
fn raw_places(raw: &str) -> Vec<usize> {
    let mut places = Vec::with_capacity(raw.len() + 1);
    characters(raw, |c, at| places.extend(std::iter::repeat_n(at, c.len_utf8())));
    places.push(raw.len());
    places
}

/// Gives each character of a JSON string, and where it begins between the quotes. Half
/// of a surrogate pair, which is no character, becomes U+FFFD.
fn characters(raw: &str, mut give: impl FnMut(char, usize)) {
    let mut rest = raw;
    while let Some(first) = rest.chars().next() {
        let at = raw.len() - rest.len();
        let (c, len) = match first {
            '\\' => escape(rest),
            c => (c, c.len_utf8()),
        };
        give(c, at);
        rest = rest.get(len..).unwrap_or_default();
    }
}

/// The character of the escape at the start of this text, and its length.
fn escape(text: &str) -> (char, usize) {
    let c = match text.as_bytes().get(1) {
        Some(b'n') => '\n',
        Some(b't') => '\t',
        Some(b'r') => '\r',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'u') => return unicode_escape(text),
        Some(byte) if byte.is_ascii() => char::from(*byte),
        _ => return ('\\', 1),
    };
    (c, 2)
}

fn unicode_escape(text: &str) -> (char, usize) {
    let unit = |at: usize| {
        let hex = text.get(at..)?.strip_prefix("\\u")?.get(..4)?;
        u16::from_str_radix(hex, 16).ok()
    };
    let Some(high) = unit(0) else { return ('\\', 1) };
    if let Some(c) = char::from_u32(high.into()) {
        return (c, 6);
    }
    let pair = unit(6).and_then(|low| char::decode_utf16([high, low]).next()?.ok());
    pair.map_or((char::REPLACEMENT_CHARACTER, 6), |c| (c, 12))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_unescaped_as_serde_does_it() {
        for raw in [
            r#""#,
            r#"plain é 😀"#,
            r#"\"\\\/\b\f\n\r\t"#,
            r#"\u0041\u00e9\ud83d\ude00x"#,
            r#"a\ud83d\ude00\ud83d\ude00"#,
        ] {
            let expected: String = serde_json::from_str(&format!("\"{raw}\"")).unwrap();
            assert_eq!(unescaped(raw), expected);
            let places = raw_places(raw);
            assert_eq!(places.len(), expected.len() + 1);
            assert!(places.is_sorted());
        }
        assert_eq!(unescaped(r"\ud83dx\ude00\ud83d\u0041"), "\u{fffd}x\u{fffd}\u{fffd}A");
        // Not JSON, but no reason to panic.
        for bad in [r"\", r"\u", r"\u12", r"\uzzzz", r"\é", r"\u+123"] {
            assert_eq!(raw_places(bad).len(), unescaped(bad).len() + 1, "{bad}");
        }
    }
}
