//! Text for people: numbers, sizes, times, and cells that no spreadsheet takes for formulas.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use bulla::time::Timestamp;

use crate::terminal;

/// A value for a spreadsheet, which takes a cell that begins like a formula for one, also behind
/// white space and characters without width: an apostrophe in front makes it text. What other
/// programs take for the end of a cell or a line may be within the value: there, too.
pub(crate) fn no_formula(value: &str) -> Cow<'_, str> {
    let ends_cell = |c: char| {
        matches!(c, ';' | '|' | '\u{85}' | '\u{2028}' | '\u{2029}') || c.is_ascii_control()
    };
    let mut out = String::new();
    let mut copied = 0;
    if value.starts_with(['\t', '\r', '\n']) || begins_formula(value) {
        out.push('\'');
    }
    for (at, c) in value.char_indices().filter(|(_, c)| ends_cell(*c)) {
        let rest_at = at + c.len_utf8();
        let rest = value.get(rest_at..).unwrap_or_default();
        // Behind several of them in a row one apostrophe is enough.
        if !rest.starts_with(ends_cell) && begins_formula(rest) {
            out.push_str(value.get(copied..rest_at).unwrap_or_default());
            out.push('\'');
            copied = rest_at;
        }
    }
    match out.is_empty() {
        true => Cow::Borrowed(value),
        false => Cow::Owned(out + value.get(copied..).unwrap_or_default()),
    }
}

/// Signs that begin a formula, in their usual width and in others.
const FORMULA_SIGNS: [char; 13] =
    ['=', '+', '-', '@', '＝', '＋', '－', '＠', '﹦', '﹢', '﹣', '﹫', '−'];
/// How far a formula is looked for behind characters without width.
const SKIPPED_MAX: usize = 256;

fn begins_formula(text: &str) -> bool {
    let skipped = |c: &char| c.is_whitespace() || terminal::is_unseen(*c) || *c == '"';
    let first = text.chars().take(SKIPPED_MAX).find(|c| !skipped(c));
    // What hides behind so many of them is no text of a person.
    first.map_or(text.chars().nth(SKIPPED_MAX).is_some(), |c| FORMULA_SIGNS.contains(&c))
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
        for bad in ["=1", "+1", "-2+3", "@SUM(1)", "  =1", "\rx", "\u{feff}=1", "＝1"] {
            assert_eq!(no_formula(bad), format!("'{bad}"));
        }
        let fine = ["", "a=b", "1-2", "'=1", "arn:aws:iam", "2026-01-01", " a", "a; b", "x;y|z"];
        for fine in fine {
            assert_eq!(no_formula(fine), fine);
        }
        for unseen in ['\u{2060}', '\u{ad}', '\u{61c}', '\u{2066}', '\u{180e}', '\u{200b}', '"'] {
            assert_eq!(no_formula(&format!("{unseen}=1")), format!("'{unseen}=1"));
        }
        for sign in FORMULA_SIGNS {
            assert_eq!(no_formula(&format!("{sign}1")), format!("'{sign}1"));
        }
    }

    #[test]
    fn what_begins_like_a_formula_for_another_delimiter_is_made_text() {
        for (bad, text) in [
            ("x;=cmd|' /C calc'!A0;y", "x;'=cmd|' /C calc'!A0;y"),
            ("a\t=1", "a\t'=1"),
            ("a\r\n@b\nc\n-d", "a\r\n'@b\nc\n'-d"),
            ("a; \u{200b}\"+1", "a;' \u{200b}\"+1"),
            ("=1;=2|=3", "'=1;'=2|'=3"),
            ("\t\t=1", "'\t\t'=1"),
        ] {
            assert_eq!(no_formula(bad), text, "{bad:?}");
        }
        // To look at each of them takes no longer than the value is long.
        let many = ";".repeat(1 << 20);
        assert_eq!(no_formula(&many), many);
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
