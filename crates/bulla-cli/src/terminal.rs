//! What is shown to a person: text that a stranger may have chosen reaches no terminal as it is,
//! and no secret does at all.

use std::borrow::Cow;
use std::path::Path;

/// Text that a stranger may have chosen, safe to print on one line: characters that control a
/// terminal, turn the direction of writing, end a line or are not seen are shown as escapes.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut marks = 0;
    for c in text.chars() {
        marks = if is_mark(c) { marks + 1 } else { 0 };
        if is_unseen(c) || marks > MARKS_MAX {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// A path, safe to print.
pub(crate) fn path(path: &Path) -> String {
    plain(&path.to_string_lossy())
}

/// More combining marks than this on one letter cover the lines above and below it.
const MARKS_MAX: usize = 4;

/// Combining marks of all scripts.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// Whether a character has an effect, but no shape of its own: control and format characters, ends
/// of lines and paragraphs, blanks other than the space, letters and marks without ink, tags,
/// and what is not assigned or private.
pub(crate) fn is_unseen(c: char) -> bool {
    if c.is_ascii() {
        return c.is_control();
    }
    let without_ink = matches!(c, '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}'
        | '\u{1d159}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}');
    // The blank of Japanese and Chinese text is as wide as a letter.
    c != '\u{3000}' && (without_ink || !is_printable(c))
}

/// Behind a letter, `Debug` escapes what is not printable, and no combining mark.
fn is_printable(c: char) -> bool {
    let mut buffer = [b'a'; 5];
    c.encode_utf8(&mut buffer[1..]);
    let behind_a = std::str::from_utf8(&buffer[..=c.len_utf8()]).unwrap_or_default();
    behind_a.escape_debug().nth(1) == Some(c)
}

/// What a private key looks like, ours and those of other tools.
const SECRETS: [&str; 4] =
    ["PRIVATE+KEY+", "AGE-SECRET-KEY-", "PRIVATE KEY-----", "PRIVATE KEY BLOCK-----"];
/// The forms of private keys, as errors name them.
const FORMS: [&str; 2] =
    ["PRIVATE+KEY+NAME+ID+BASE64", "PRIVATE+KEY+wrapping+ and 64 hexadecimal digits"];

/// A message without the private key that it quotes, and without what follows it there: a key may
/// have been cut, escaped or broken into lines.
pub(crate) fn without_secret(text: &str) -> Cow<'_, str> {
    let harmless = |at: usize| {
        text.get(at..).is_some_and(|rest| FORMS.iter().any(|form| rest.starts_with(form)))
    };
    let found = SECRETS
        .iter()
        .flat_map(|secret| text.match_indices(secret).map(|(at, _)| at))
        .filter(|at| !harmless(*at))
        .min();
    match found {
        Some(at) => Cow::Owned(format!("{}[a private key, which is not shown]", &text[..at])),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_reach_no_terminal() {
        assert_eq!(plain("a\u{1b}[31m\u{202e}b"), "a\\u{1b}[31m\\u{202e}b");
        assert_eq!(plain("a\tb\nc"), "a\\tb\\nc");
        for fine in ["é ✓", "e\u{301}", "ไม่ใช่", "日本\u{3000}語", "עִבְרִית", "हिन्दी", "…–“”", "🙂"]
        {
            assert_eq!(plain(fine), fine);
        }
    }

    #[test]
    fn what_is_not_seen_is_shown_as_an_escape() {
        let unseen = [
            0x7f, 0x85, 0x9b, 0xa0, 0xad, 0x34f, 0x61c, 0x115f, 0x1680, 0x180e, 0x200b, 0x200c,
            0x200d, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202e, 0x202f, 0x2060, 0x2066, 0x2069,
            0x206a, 0x2800, 0x3164, 0xe000, 0xfe0f, 0xfeff, 0xffa0, 0xfff9, 0xe0001, 0xe0041,
            0xe007f, 0xe0100, 0xf0000, 0x10_fffd,
        ];
        for code in unseen {
            let c = char::from_u32(code).unwrap();
            assert_eq!(plain(&format!("a{c}b")), format!("a\\u{{{code:x}}}b"));
        }
        let heap = format!("e{}", "\u{301}".repeat(100));
        assert_eq!(plain(&heap), format!("e{}{}", &heap[1..9], "\\u{301}".repeat(96)));
    }

    #[test]
    fn a_private_key_is_not_shown() {
        for key in ["PRIVATE+KEY+a+0+AQ", "AGE-SECRET-KEY-1Q", "-----BEGIN PRIVATE KEY-----\nAA"] {
            let shown = without_secret(key).into_owned();
            assert!(shown.ends_with("[a private key, which is not shown]"), "{shown}");
            let shown = without_secret(&format!("x: found \"{key}\"; y")).into_owned();
            assert!(shown.starts_with("x: found ") && !shown.contains("AQ"), "{shown}");
        }
        for form in FORMS {
            assert_eq!(without_secret(form), form);
        }
        let key = without_secret("PRIVATE+KEY+wrapping+0123").into_owned();
        assert!(!key.contains("0123"), "{key}");
    }
}
