//! JSON with single wrong characters, made into JSON.
//!
//! One bad escape in a text that a subject chose must not lose the event it stands in.
//! [`mend`] goes over the text once, without recursion, and gives two readings of it:
//! one to keep, which is the text byte for byte if that is JSON (RFC 8259), and one to
//! look things up in, which is within what `serde_json::Value` can hold.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr2;

/// Deepest level that `serde_json` reads into a value.
const VALUE_DEPTH_MAX: usize = 127;

/// A text of which single characters may have been replaced.
pub(crate) struct Mended<'a> {
    /// Bytes that are not UTF-8 are written as `\udc80` to `\udcff` (as Python's
    /// `surrogateescape` does), so that they can be had back; control characters and
    /// backslashes that begin no escape are escaped; a value that is none is a text.
    pub(crate) kept: Cow<'a, str>,
    /// The same, and halves of surrogate pairs and bytes that are not UTF-8 are U+FFFD,
    /// numbers beyond an `f64` are texts, and what is deeper than 127 levels is `null`.
    pub(crate) plain: Cow<'a, str>,
    /// What was replaced in `kept`, by kind.
    pub(crate) kinds: Vec<&'static str>,
}

/// Reads JSON leniently. What is not JSON in its structure is not mended.
pub(crate) fn mend(bytes: &[u8]) -> Mended<'_> {
    let text = std::str::from_utf8(bytes).ok();
    let mut mender = Mender {
        bytes,
        valid: text.is_some(),
        has_controls: bytes.iter().any(|byte| *byte < 0x20),
        at: 0,
        depth: 0,
        deep_from: 0,
        kept: Edits::default(),
        plain: Edits::default(),
        kinds: Vec::new(),
    };
    mender.run();
    let Mender { kept, plain, kinds, .. } = mender;
    let applied = |edits: Edits| match text {
        Some(text) if !edits.any => Cow::Borrowed(text),
        _ => Cow::Owned(edits.applied(bytes)),
    };
    Mended { kept: applied(kept), plain: applied(plain), kinds }
}

/// Replacements in ascending order, applied as they come.
#[derive(Default)]
struct Edits {
    out: Vec<u8>,
    done: usize,
    any: bool,
}

impl Edits {
    fn replace(&mut self, bytes: &[u8], range: Range<usize>, with: &str) {
        self.out.extend_from_slice(&bytes[self.done..range.start]);
        self.out.extend_from_slice(with.as_bytes());
        self.done = range.end;
        self.any = true;
    }

    fn applied(mut self, bytes: &[u8]) -> String {
        self.out.extend_from_slice(&bytes[self.done..]);
        String::from_utf8(self.out)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }
}

struct Mender<'a> {
    bytes: &'a [u8],
    /// Whether all of it is UTF-8.
    valid: bool,
    /// Whether there are control characters, white space among them.
    has_controls: bool,
    at: usize,
    depth: usize,
    /// Where the value began that is too deep to look into.
    deep_from: usize,
    kept: Edits,
    plain: Edits,
    kinds: Vec<&'static str>,
}

impl Mender<'_> {
    fn run(&mut self) {
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b'"' => self.string(),
                b'{' | b'[' => {
                    self.depth += 1;
                    if self.depth == VALUE_DEPTH_MAX + 1 {
                        self.deep_from = self.at;
                    }
                    self.at += 1;
                }
                b'}' | b']' => {
                    self.at += 1;
                    if self.depth == VALUE_DEPTH_MAX + 1 {
                        self.plain.replace(self.bytes, self.deep_from..self.at, "null");
                    }
                    self.depth = self.depth.saturating_sub(1);
                }
                b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                _ => self.token(),
            }
        }
    }

    fn both(&mut self, kind: &'static str, range: Range<usize>, kept: &str, plain: &str) {
        self.kept.replace(self.bytes, range.clone(), kept);
        self.only_plain(range, plain);
        if !self.kinds.contains(&kind) {
            self.kinds.push(kind);
        }
    }

    fn only_plain(&mut self, range: Range<usize>, with: &str) {
        if self.depth <= VALUE_DEPTH_MAX {
            self.plain.replace(self.bytes, range, with);
        }
    }

    fn string(&mut self) {
        self.at += 1;
        loop {
            if self.valid && !self.has_controls {
                // Nothing else can be wrong.
                let rest = self.bytes.get(self.at..).unwrap_or_default();
                self.at += memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
            }
            let at = self.at;
            let Some(&byte) = self.bytes.get(at) else { return };
            match byte {
                b'"' => {
                    self.at += 1;
                    return;
                }
                b'\\' => self.escape(),
                0..0x20 => {
                    self.at += 1;
                    let escape = format!("\\u{byte:04x}");
                    self.both("control_characters", at..self.at, &escape, &escape);
                }
                0x80.. if !self.valid => match character_len(&self.bytes[at..]) {
                    Some(len) => self.at += len,
                    None => {
                        self.at += 1;
                        self.both("bytes", at..self.at, &format!("\\udc{byte:02x}"), "\u{fffd}");
                    }
                },
                _ => self.at += 1,
            }
        }
    }

    fn escape(&mut self) {
        let at = self.at;
        match self.bytes.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => match (self.unit(at), self.unit(at + 6)) {
                (Some(0xd800..0xdc00), Some(0xdc00..0xe000)) => self.at += 12,
                (Some(0xd800..0xe000), _) => {
                    self.at += 6;
                    self.only_plain(at..self.at, "\u{fffd}");
                }
                (Some(_), _) => self.at += 6,
                (None, _) => self.backslash(),
            },
            _ => self.backslash(),
        }
    }

    /// The UTF-16 unit that is escaped here, if one is.
    fn unit(&self, at: usize) -> Option<u16> {
        let escape = self.bytes.get(at..at + 6)?;
        let digits = escape.strip_prefix(b"\\u")?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    }

    /// A backslash that begins no escape.
    fn backslash(&mut self) {
        let at = self.at;
        self.at += 1;
        self.both("escapes", at..self.at, "\\\\", "\\\\");
    }

    /// A number, `true`, `false` or `null`, or what stands in place of one.
    fn token(&mut self) {
        let start = self.at;
        let ends = |byte: &u8| b"{}[],:\" \t\n\r".contains(byte);
        let rest = &self.bytes[start..];
        self.at += rest.iter().position(ends).unwrap_or(rest.len()).max(1);
        let token = &self.bytes[start..self.at];
        if matches!(token, b"true" | b"false" | b"null") {
            return;
        }
        let harmless = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-._".contains(byte);
        if !token.iter().all(harmless) {
            return;
        }
        let quoted = format!("\"{}\"", String::from_utf8_lossy(token));
        if !is_number(token) {
            self.both("values", start..self.at, &quoted, &quoted);
        } else if is_beyond_f64(token) {
            self.only_plain(start..self.at, &quoted);
        }
    }
}

/// How long the character is that begins here, if one does.
fn character_len(bytes: &[u8]) -> Option<usize> {
    let len = match bytes.first()? {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    std::str::from_utf8(bytes.get(..len)?).ok().map(str::len)
}

/// Is it a number as RFC 8259 writes them?
fn is_number(token: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut rest = token.strip_prefix(b"-").unwrap_or(token);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest[0] == b'0') {
        return false;
    }
    rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let count = digits(fraction);
        if count == 0 {
            return false;
        }
        rest = &fraction[count..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = match exponent {
            [b'+' | b'-', digits @ ..] => digits,
            digits => digits,
        };
        return !exponent.is_empty() && digits(exponent) == exponent.len();
    }
    rest.is_empty()
}

/// Is it more than a value can hold? The parser of values says so, which rounds in its own way.
fn is_beyond_f64(number: &[u8]) -> bool {
    let may_be = number.len() > 18 || number.iter().any(|byte| matches!(byte, b'e' | b'E'));
    may_be && serde_json::from_slice::<serde_json::Number>(number).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mended(text: &[u8]) -> (String, String, Vec<&'static str>) {
        let mended = mend(text);
        (mended.kept.into_owned(), mended.plain.into_owned(), mended.kinds)
    }

    #[test]
    fn what_is_json_is_kept_byte_for_byte() {
        for (text, plain) in [
            (r#"{"a":"x\ud83d\ude00é","b":[1e3,-0.5,true,null]}"#, None),
            (r#"{"a":"x\ud800"}"#, Some("{\"a\":\"x\u{fffd}\"}")),
            (
                r#"{"a":"\udc00\ud800\ud800\udc00"}"#,
                Some("{\"a\":\"\u{fffd}\u{fffd}\\ud800\\udc00\"}"),
            ),
            (r#"{"a":1e400,"b":-1E999}"#, Some(r#"{"a":"1e400","b":"-1E999"}"#)),
        ] {
            let (kept, looked, kinds) = mended(text.as_bytes());
            assert_eq!((kept.as_str(), looked.as_str()), (text, plain.unwrap_or(text)));
            assert_eq!(kinds, Vec::<&str>::new());
            assert!(serde_json::from_str::<serde_json::Value>(&looked).is_ok(), "{looked}");
        }
    }

    #[test]
    fn single_wrong_characters_are_mended() {
        for (text, kept, kind) in [
            (&b"{\"a\":\"x\xffy\xc3\xa9\"}"[..], "{\"a\":\"x\\udcffyé\"}", "bytes"),
            (b"{\"a\":\"\xed\xa0\x80\"}", r#"{"a":"\udced\udca0\udc80"}"#, "bytes"),
            (b"{\"a\":\"x\x1b\ty\"}", r#"{"a":"x\u001b\u0009y"}"#, "control_characters"),
            (br#"{"a":"C:\x41\u12"}"#, r#"{"a":"C:\\x41\\u12"}"#, "escapes"),
            (
                br#"{"a":NaN,"b":-Infinity,"c":007,"d":1.}"#,
                r#"{"a":"NaN","b":"-Infinity","c":"007","d":"1."}"#,
                "values",
            ),
        ] {
            let (found, plain, kinds) = mended(text);
            assert_eq!((found.as_str(), kinds.as_slice()), (kept, [kind].as_slice()));
            assert!(bulla::event::Json::parse(&found).is_ok(), "{found}");
            assert!(serde_json::from_str::<serde_json::Value>(&plain).is_ok(), "{plain}");
        }
    }

    #[test]
    fn depth_is_no_obstacle() {
        for depth in [126, 127, 128, 129, 1_000_000] {
            let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
            let text = format!("{{\"b\":1,\"a\":{open}\"\\ud800\"{close},\"c\":\"\\ud800\"}}");
            let (kept, plain, _) = mended(text.as_bytes());
            assert_eq!(kept, text);
            let value: serde_json::Value = serde_json::from_str(&plain).unwrap();
            assert_eq!((&value["b"], &value["c"]), (&1.into(), &"\u{fffd}".into()));
        }
    }

    #[test]
    fn what_is_broken_in_its_structure_stays_broken() {
        for bad in ["{", "x", "{\"a\":}", "{\"a\" 1}", "]", "{\"a\":\"", "\u{feff}\u{feff}{", "{é}"]
        {
            let (kept, _, _) = mended(bad.as_bytes());
            assert!(
                !kept.starts_with('{') || serde_json::from_str::<serde_json::Value>(&kept).is_err()
            );
        }
    }
}
