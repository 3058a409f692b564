//! Text for people: numbers, sizes, times, and strangers' text made harmless.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use bulla::time::Timestamp;

/// Text that a stranger may have chosen, safe to print: control characters and those
/// that turn the direction of writing are shown as escapes.
pub(crate) fn plain(text: &str) -> String {
    let bad = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if bad(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// A value for a spreadsheet, which takes what begins like a formula for one, also behind white
/// space and characters without width: an apostrophe in front makes it text.
pub(crate) fn no_formula(value: &str) -> Cow<'_, str> {
    let begins = |c: char| matches!(c, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠');
    let skipped = |c: char| {
        c.is_whitespace() || c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{feff}')
    };
    let control = value.starts_with(['\t', '\r', '\n']);
    match control || value.trim_start_matches(skipped).starts_with(begins) {
        true => Cow::Owned(format!("'{value}")),
        false => Cow::Borrowed(value),
    }
}

/// A time to the second, as RFC 3339.
pub(crate) fn seconds(time: Timestamp) -> String {
    let text = time.to_string();
    match text.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => text,
    }
}

/// A whole number with a comma every three digits.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 record`, `2,000 records`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A size in binary units.
pub(crate) fn bytes(size: u64) -> String {
    let mut out = String::new();
    let _ = write!(out, "{}", indicatif::BinaryBytes(size));
    out
}

/// How many a second, rounded to a whole number.
pub(crate) fn per_second(events: u64, took: Duration) -> u64 {
    whole(events as f64 / took.as_secs_f64().max(1e-9))
}

/// The nearest whole number that is not negative.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped before
pub(crate) fn whole(value: f64) -> u64 {
    value.round().clamp(0.0, 1e15) as u64
}

/// Shortens text to so many characters, leaving out its middle.
pub(crate) fn elided(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return text.to_owned();
    }
    let kept = width.saturating_sub(1);
    let (head, tail) = (kept.div_ceil(2), kept / 2);
    let mut out: String = text.chars().take(head).collect();
    out.push('…');
    out.extend(text.chars().skip(length - tail));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(12_345_678), "12,345,678");
        assert_eq!(counted(1, "record"), "1 record");
        assert_eq!(counted(2_000, "record"), "2,000 records");
    }

    #[test]
    fn what_begins_like_a_formula_is_made_text() {
        for bad in ["=1", "+1", "-2+3", "@SUM(1)", "  =1", "\t=1", "\rx", "\u{feff}=1", "＝1"] {
            assert_eq!(no_formula(bad), format!("'{bad}"));
        }
        for fine in ["", "a=b", "1-2", "'=1", "arn:aws:iam", "2026-01-01", " a"] {
            assert_eq!(no_formula(fine), fine);
        }
    }

    #[test]
    fn escapes_reach_no_terminal() {
        assert_eq!(plain("a\u{1b}[31m\u{202e}b"), "a\\u{1b}[31m\\u{202e}b");
        assert_eq!(plain("é ✓"), "é ✓");
    }

    #[test]
    fn the_middle_is_left_out() {
        assert_eq!(elided("abcdefgh", 8), "abcdefgh");
        assert_eq!(elided("abcdefgh", 5), "ab…gh");
        assert_eq!(elided("abcdefgh", 4), "ab…h");
        assert_eq!(elided("abc", 1), "…");
    }

    #[test]
    fn times_are_cut_to_seconds() {
        assert_eq!(seconds(Timestamp::from_nanos(1)), "1970-01-01T00:00:00Z");
    }
}
