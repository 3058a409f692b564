//! Foreign text in a message, which is read and kept where the log is not: what would be taken out
//! of an event is taken out of it, before it is cut, so that no secret is cut in two and missed.

use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;

use bulla::event::{Actor, Event, Resource};
use bulla::redact::{REDACTED, Redactor};

use crate::redaction::redactor;

/// How much of a text is shown, and how much of it is looked at before.
const CHARS_MAX: usize = 120;
const LOOKED_AT: usize = 4096;
/// How far names of secrets are looked for: what is shown ends before.
const NAMES_WITHIN: usize = 4 * CHARS_MAX;

/// Foreign text made fit for a message: one line, no control characters, short, without secrets.
pub(crate) fn shown(text: &str) -> String {
    let near = start_of(text, LOOKED_AT);
    let kept = without_secrets(near);
    let mut out: String = kept.chars().take(CHARS_MAX).flat_map(char::escape_debug).collect();
    if near.len() < text.len() || kept.chars().nth(CHARS_MAX).is_some() {
        out.push('…');
    }
    out
}

/// What is wrong with JSON, fit for a message that names the line of the file before it: a value
/// on one line has columns only.
pub(crate) fn json_error(error: impl fmt::Display) -> String {
    shown(&without_line(&error.to_string()))
}

/// The message of a JSON reader about a text that begins within something else: its first line is
/// not the first line of that, so it is left out, and the others are said to be the text's own.
pub fn without_line(message: &str) -> String {
    let Some((problem, place)) = message.rsplit_once(" at line ") else {
        return message.to_owned();
    };
    let Some((line, column)) = place.split_once(" column ") else { return message.to_owned() };
    match line {
        "1" => format!("{problem} at column {column}"),
        _ => format!("{problem} in line {line} of it, column {column}"),
    }
}

/// A message without the secrets that it quotes: what the patterns find, and values behind names
/// such as `password` near its beginning.
pub fn without_secrets(text: &str) -> String {
    let event = probe().reason(text);
    let redacted = rules().apply(&event).reason.clone().unwrap_or_default();
    without_named(&redacted)
}

fn rules() -> &'static Redactor {
    static RULES: OnceLock<Redactor> = OnceLock::new();
    RULES.get_or_init(redactor)
}

fn probe() -> Event {
    Event::new(Actor::new("a", "a"), "a.a", Resource::kind_only("a"))
}

fn is_secret(name: &str) -> bool {
    let event = probe().tag(name, "x");
    rules().apply(&event).redacted.is_some()
}

/// The text without what stands behind the name of a secret and a `:` or `=`, whatever the form of
/// the text.
fn without_named(text: &str) -> String {
    let (mut out, mut copied) = (String::new(), 0);
    for (at, _) in start_of(text, NAMES_WITHIN).match_indices([':', '=']) {
        let name = name_before(&text[..at]);
        if at < copied || name.is_empty() || !is_secret(name) {
            continue;
        }
        let value = value_from(text, at + 1);
        out.push_str(&text[copied..value.start]);
        out.push_str(REDACTED);
        copied = value.end;
    }
    out + &text[copied..]
}

/// The word, or the words in quotation marks, at the end of a text.
fn name_before(text: &str) -> &str {
    let text = text.trim_end();
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_suffix(quote) {
            let inner = inner.strip_suffix('\\').unwrap_or(inner);
            return inner.rsplit(quote).next().unwrap_or_default();
        }
    }
    let ends = |c: char| c.is_whitespace() || "{}[](),;&?\"'`<>".contains(c);
    text.rsplit(ends).next().unwrap_or_default()
}

/// Where the value ends that begins here, behind white space. Of a list or an object, or of one
/// that does not end, nothing is shown.
fn value_from(text: &str, at: usize) -> Range<usize> {
    let rest = &text[at..];
    let skipped = |c: char| c.is_whitespace() || matches!(c, ':' | '=' | '>');
    let value = rest.trim_start_matches(skipped);
    let start = at + rest.len() - value.len();
    let len = match value.chars().next() {
        _ if value.starts_with(REDACTED) => REDACTED.len(),
        Some('{' | '[') => value.len(),
        Some('\\') if value.starts_with("\\\"") => {
            value[2..].find("\\\"").map_or(value.len(), |end| end + 4)
        }
        Some(quote @ ('"' | '\'')) => quoted_len(value, quote),
        _ => value.find([',', ';', '&', '}', '"', '\n']).unwrap_or(value.len()),
    };
    start..start + len
}

fn quoted_len(value: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in value.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    value.len()
}

fn start_of(text: &str, bytes_max: usize) -> &str {
    let mut end = bytes_max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_message_quotes_a_secret() {
        for text in [
            "Bearer hunter2hunter2hunter2",
            "password: hunter2",
            "password=hunter2 hunter2",
            r#"{"a":1, "requestObject": {"password":"hunter2"}, broken"#,
            r#"{"pass word" : "a\"hunter2"}"#,
            r#"{"x":"{\"password\": \"hunter2\"}"}"#,
            "{'token': 'hunter2'}",
            r#"{"secret": ["a", "hunter2"]}"#,
            r#"{"password": {"value": "hunter2"}}"#,
            "Authorization: Basic hunter2",
            "GET https://x.example/?access_token=hunter2&x=1",
            "x PRIVATE+KEY+ex.example+01234567+hunter2",
            r#"{"password":"hunter2"#,
        ] {
            let shown = shown(text);
            assert!(!shown.contains("hunter2") && shown.contains(REDACTED), "{shown}");
        }
        // Whatever the cut would leave of it.
        for at in 60..130 {
            let text = format!("{} Bearer ABCDEFGHIJKLMNOPQRSTUVWXYZ", "x".repeat(at));
            assert!(!shown(&text).contains("ABC"), "{at}");
            let text =
                format!("{}-----BEGIN PRIVATE KEY-----MIIE{}", "x".repeat(at), "A".repeat(9999));
            assert!(!shown(&text).contains("MIIE"), "{at}");
        }
    }

    #[test]
    fn what_is_no_secret_is_shown() {
        for (text, expected) in [
            ("type=USER_CMD pid=1", "type=USER_CMD pid=1"),
            ("a: b, c=d", "a: b, c=d"),
            ("x\u{1b}\n", "x\\u{1b}\\n"),
            ("::==", "::=="),
            ("", ""),
            ("password: x, user: y", "password: [redacted], user: y"),
        ] {
            assert_eq!(shown(text), expected);
        }
        assert_eq!(shown(&"é".repeat(5000)), format!("{}…", "é".repeat(CHARS_MAX)));
    }
}
