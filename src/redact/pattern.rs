//! Patterns: what is redacted wherever it stands in a text.

use std::ops::Range;
use std::sync::Arc;

/// Finds what must not be kept in a text.
///
/// A closure is one too:
///
/// ```
/// use bulla::redact::Redactor;
///
/// let redactor = Redactor::empty("acme/1").pattern("badge", |text: &str| {
///     text.match_indices("badge-").map(|(at, found)| at..at + found.len() + 4).collect()
/// });
/// # let _ = redactor;
/// ```
pub trait Pattern: Send + Sync {
    /// The parts of this text that are redacted, as ranges of bytes in any order. Parts
    /// that overlap count as one; what is beyond the text, or within a character, is moved
    /// to include whole characters of it. It is called in the thread that appends, for each
    /// text of each event.
    ///
    /// What it finds in a text that has been redacted is redacted again, so it should not
    /// find [`REDACTED`](super::REDACTED).
    fn find(&self, text: &str) -> Vec<Range<usize>>;
}

impl<F: Fn(&str) -> Vec<Range<usize>> + Send + Sync> Pattern for F {
    fn find(&self, text: &str) -> Vec<Range<usize>> {
        self(text)
    }
}

/// What all patterns find, as ranges of whole characters that ascend and do not touch.
pub(super) fn found(patterns: &[(String, Arc<dyn Pattern>)], text: &str) -> Vec<Range<usize>> {
    let mut all = Vec::new();
    for (_, pattern) in patterns {
        all.extend(pattern.find(text).into_iter().filter_map(|range| whole(text, range)));
    }
    if all.len() < 2 {
        return all;
    }
    all.sort_by_key(|range| range.start);
    let mut joined: Vec<Range<usize>> = Vec::with_capacity(all.len());
    for range in all {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

/// The range widened to whole characters of the text; `None` if it is empty.
fn whole(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let (mut start, mut end) = (range.start, range.end.min(text.len()));
    if start >= end {
        return None;
    }
    while !text.is_char_boundary(start) {
        start = start.saturating_sub(1);
    }
    while !text.is_char_boundary(end) {
        end = end.saturating_add(1);
    }
    Some(start..end)
}

/// Payment card numbers: 13 to 19 digits that begin as those of a card network do, are as
/// many as there, and satisfy the Luhn check (ISO/IEC 7812-1); in one piece, or in groups
/// of four to seven with a space or a hyphen between them.
///
/// Not within longer words, numbers or decimal fractions, and no negative numbers. One in ten numbers of that form
/// that is no card satisfies the check too.
pub fn card_numbers() -> impl Pattern {
    find_cards as fn(&str) -> Vec<Range<usize>>
}

const CARD_DIGITS_MAX: usize = 19;

fn find_cards(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(byte) = bytes.get(at) {
        if !byte.is_ascii_digit() {
            at += 1;
            continue;
        }
        let group = digits(bytes, at);
        match card_at(bytes, at) {
            Some(end) => {
                found.push(at..end);
                at = end;
            }
            None => at += group,
        }
    }
    found
}

/// How many digits stand here.
fn digits(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// Where the longest card number that begins here ends.
fn card_at(bytes: &[u8], start: usize) -> Option<usize> {
    if !border_before(bytes, start) {
        return None;
    }
    let lengths = lengths_of(bytes.get(start..start + 4)?);
    let (mut end, mut count, mut best) = (start, 0, None);
    let mut separator = None;
    loop {
        let group = digits(bytes, end);
        count += group;
        end += group;
        if count > CARD_DIGITS_MAX {
            return best;
        }
        let checked = |end: usize| luhn(bytes.get(start..end).unwrap_or_default());
        if lengths.contains(&count) && border_after(bytes, end) && checked(end) {
            best = Some(end);
        }
        let next = bytes.get(end).copied().filter(|byte| matches!(byte, b' ' | b'-'));
        // A number in groups is written like one: none of its groups is longer, only the
        // last shorter. That leaves UUIDs, dates and telephone numbers alone.
        if next.is_none() || next != *separator.get_or_insert(next) || !(4..=7).contains(&group) {
            return best;
        }
        end += 1;
        if !(1..=7).contains(&digits(bytes, end)) {
            return best;
        }
    }
}

/// How many digits the numbers of the card network have whose begin so: Visa, Mastercard,
/// Discover and RuPay, American Express, Diners Club, JCB, UnionPay, Maestro.
fn lengths_of(first: &[u8]) -> &'static [usize] {
    match first {
        [b'4', ..] => &[13, 16, 19],
        [b'5', b'1'..=b'5', ..] | [b'2', b'2'..=b'7', ..] | [b'6', b'0', ..] => &[16],
        [b'3', b'4' | b'7', ..] => &[15],
        [b'3', b'0' | b'6' | b'8' | b'9', ..] => &[14, 15, 16, 17, 18, 19],
        [b'3', b'5', ..] | [b'6', b'2' | b'4' | b'5', ..] => &[16, 17, 18, 19],
        [b'5', b'0' | b'6'..=b'8', ..] | [b'6', b'3' | b'7', ..] => &[13, 14, 15, 16, 17, 18, 19],
        _ => &[],
    }
}

/// Whether no word or decimal fraction goes on before this place, and no sign stands there.
fn border_before(bytes: &[u8], at: usize) -> bool {
    let back = |by| at.checked_sub(by).and_then(|place| bytes.get(place));
    match back(1) {
        None => true,
        Some(b'.') => !back(2).is_some_and(u8::is_ascii_digit),
        // A hyphen behind a word, or else a minus sign.
        Some(b'-') => back(2).is_some_and(|byte| in_word(*byte) || matches!(byte, b'-' | 0x80..)),
        Some(byte) => !in_word(*byte),
    }
}

/// Whether no word or decimal fraction goes on at this place.
fn border_after(bytes: &[u8], at: usize) -> bool {
    match bytes.get(at) {
        None => true,
        Some(b'.') => !bytes.get(at + 1).is_some_and(u8::is_ascii_digit),
        Some(byte) => !in_word(*byte),
    }
}

fn in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The check of ISO/IEC 7812-1 annex B over the digits in here: from the right every
/// second one is doubled, and the sum of all their digits is a multiple of ten.
fn luhn(bytes: &[u8]) -> bool {
    let digits = bytes.iter().rev().filter(|byte| byte.is_ascii_digit());
    let sum: u32 = digits
        .enumerate()
        .map(|(at, digit)| match (at % 2, u32::from(digit - b'0')) {
            (0, digit) => digit,
            (_, digit) => digit * 2 / 10 + digit * 2 % 10,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Bearer tokens (RFC 6750 §2.1): what stands behind the word `Bearer`, if it has 16
/// characters or more.
pub fn bearer_tokens() -> impl Pattern {
    find_bearers as fn(&str) -> Vec<Range<usize>>
}

const BEARER: &[u8] = b"bearer ";
const BEARER_LEN_MIN: usize = 16;

fn find_bearers(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(rest) = bytes.get(at..).filter(|rest| rest.len() > BEARER.len()) {
        // Its first letter is looked for before the whole word.
        let Some(skip) = rest.iter().position(|byte| matches!(byte, b'b' | b'B')) else { break };
        at += skip;
        let word = bytes.get(at..at + BEARER.len());
        if !word.is_some_and(|word| word.eq_ignore_ascii_case(BEARER)) {
            at += 1;
            continue;
        }
        let spaces = |byte: &u8| *byte == b' ';
        let start = at + BEARER.len() + count(bytes, at + BEARER.len(), spaces);
        let end = start + count(bytes, start, in_token);
        if end - start >= BEARER_LEN_MIN {
            found.push(start..end);
        }
        // What stands there may be the word itself: a client that was given the whole header as
        // its token sends `Bearer Bearer …`.
        at = start;
    }
    found
}

fn count(bytes: &[u8], at: usize, which: impl Fn(&u8) -> bool) -> usize {
    bytes.get(at..).unwrap_or_default().iter().take_while(|byte| which(byte)).count()
}

/// `b64token` of RFC 6750.
fn in_token(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte)
}

/// Private keys as text (RFC 7468 and its kin): from `-----BEGIN … PRIVATE KEY-----` to
/// its end, or to the end of the text if that is missing. Also the keys of this library and of
/// other C2SP signers (`PRIVATE+KEY+…`), and those of age (`AGE-SECRET-KEY-1…`), which are one word.
pub fn private_keys() -> impl Pattern {
    find_private_keys as fn(&str) -> Vec<Range<usize>>
}

const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";
/// Longest label of a private key that is looked for.
const LABEL_LEN_MAX: usize = 64;

fn find_private_keys(text: &str) -> Vec<Range<usize>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(start) = text.get(at..).and_then(|rest| rest.find(BEGIN)).map(|skip| at + skip) {
        let label_at = start + BEGIN.len();
        let label = label(text.get(label_at..).unwrap_or_default());
        let Some(label) = label.filter(|label| label.contains("PRIVATE KEY")) else {
            at = label_at;
            continue;
        };
        let end = format!("-----END {label}{DASHES}");
        let rest = text.get(label_at..).unwrap_or_default();
        at = rest.find(&end).map_or(text.len(), |skip| label_at + skip + end.len());
        found.push(start..at);
    }
    for begin in KEY_WORDS {
        found.extend(text.match_indices(begin).map(|(at, _)| at..at + word_len(&text[at..])));
    }
    found
}

/// What a private key of one word begins with.
const KEY_WORDS: [&str; 2] = ["PRIVATE+KEY+", "AGE-SECRET-KEY-1"];

/// How long the word is that a text begins with. What quotes it ends it.
fn word_len(text: &str) -> usize {
    let ends =
        |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '\\' | '`');
    text.find(ends).unwrap_or(text.len())
}

/// The label at the start of this text, up to its dashes.
fn label(text: &str) -> Option<&str> {
    let near = text.char_indices().nth(LABEL_LEN_MAX).map_or(text, |(end, _)| &text[..end]);
    near.find(DASHES).and_then(|end| near.get(..end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(pattern: &dyn Pattern, text: &str) -> String {
        let mut text = text.to_owned();
        for range in pattern.find(&text).into_iter().rev() {
            text.replace_range(range, "#");
        }
        text
    }

    #[test]
    fn card_numbers_are_found_in_their_spellings() {
        for (text, expected) in [
            ("4111111111111111", "#"),
            ("pay 4111 1111 1111 1111 now", "pay # now"),
            ("4111-1111-1111-1111,378282246310005;", "#,#;"),
            ("3782 822463 10005.", "#."),
            ("4222222222222 12/27", "# 12/27"),
            ("card=6304000000000000;x", "card=#;x"),
            ("no.5555555555554444", "no.#"),
            ("a-2223003122003222", "a-#"),
            ("--4111111111111111é-4111111111111111", "--#é-#"),
            ("30569309025904 4111111111111111", "# #"),
            ("(6011000990139424)é", "(#)é"),
            ("4111 1111 1111 1111 12", "# 12"),
            ("3530111333300000 6759 6498 2643 8453", "# #"),
            ("6212345678901234567", "6212345678901234567"),
        ] {
            assert_eq!(cut(&card_numbers(), text), expected, "{text}");
        }
    }

    #[test]
    fn other_numbers_are_left_alone() {
        for text in [
            "4111111111111112",
            "2111111111111115",
            "55555555555544440",
            "41111111111111113",
            "411111111111",
            "x4111111111111111",
            "4111111111111111x",
            "_4111111111111111",
            "0.4111111111111111",
            "-4111111111111111",
            "n -4111111111111111",
            "4111111111111111.5",
            "41111111111111111111111",
            "1763758561123456789",
            "4111 1111-1111 1111",
            "4111",
            "4111  1111 1111 1111",
            "41111111-1111-4111-8111-111111111111",
            "2026-11-22 09:10:34",
            "1111111111111117",
            "",
        ] {
            assert_eq!(cut(&card_numbers(), text), text);
        }
    }

    #[test]
    fn luhn_is_that_of_the_standard() {
        assert!(luhn(b"79927398713") && luhn(b"0") && luhn(b""));
        for wrong in 0..10_u8 {
            let text = format!("7992739871{wrong}");
            assert_eq!(luhn(text.as_bytes()), wrong == 3, "{text}");
        }
    }

    #[test]
    fn bearer_tokens_are_found_and_their_word_is_kept() {
        for (text, expected) in [
            ("Authorization: Bearer abcdefghijklmnop.q-_~+/==", "Authorization: Bearer #"),
            ("bearer   abcdefghijklmnop, BEARER abcdefghijklmnopq", "bearer   #, BEARER #"),
            ("Bearer short", "Bearer short"),
            ("the bearer of this", "the bearer of this"),
            ("bbearer abcdefghijklmnop", "bbearer #"),
            ("Bearer Bearer abcdefghijklmnop", "Bearer Bearer #"),
            ("bearer bearer  bearer abcdefghijklmnop", "bearer bearer  bearer #"),
            ("bearer abcdefghijklmnopbearer abcdefghijklmnop", "bearer # #"),
            ("Bearer ", "Bearer "),
            ("b", "b"),
        ] {
            assert_eq!(cut(&bearer_tokens(), text), expected, "{text}");
        }
    }

    #[test]
    fn private_keys_are_found_whole_and_cut_short() {
        let rsa = "-----BEGIN RSA PRIVATE KEY-----\nAAA\n-----END RSA PRIVATE KEY-----";
        let plain = "-----BEGIN PRIVATE KEY-----\nAAA";
        let public = "-----BEGIN PUBLIC KEY-----\nAAA\n-----END PUBLIC KEY-----";
        let text = format!("a {rsa} b {public} c {rsa}{rsa} {plain}");
        assert_eq!(cut(&private_keys(), &text), format!("a # b {public} c ## #"));
        assert_eq!(cut(&private_keys(), "-----BEGIN "), "-----BEGIN ");
        assert_eq!(cut(&private_keys(), &format!("-----BEGIN {}", "é".repeat(99))).len(), 11 + 198);
        let words = r#"{"a":"PRIVATE+KEY+ex.example+01234567+AQ/+==","b":"AGE-SECRET-KEY-1QQ"} x"#;
        assert_eq!(cut(&private_keys(), words), r##"{"a":"#","b":"#"} x"##);
    }

    #[test]
    #[allow(clippy::single_range_in_vec_init)] // ranges, not their numbers
    fn ranges_of_any_kind_become_whole_characters_in_order() {
        let wild = |ranges: Vec<Range<usize>>| {
            let pattern: Arc<dyn Pattern> = Arc::new(move |_: &str| ranges.clone());
            found(&[("wild".to_owned(), pattern)], "aéb")
        };
        #[allow(clippy::reversed_empty_ranges)] // that is what is tested
        let backwards = 3..1;
        assert_eq!(
            wild(vec![backwards, 9..12, 2..2, usize::MAX..usize::MAX]),
            Vec::<Range<usize>>::new()
        );
        assert_eq!(wild(vec![2..3]), [1..3]);
        assert_eq!(wild(vec![1..2]), [1..3]);
        assert_eq!(wild(vec![3..usize::MAX, 0..1]), [0..1, 3..4]);
        assert_eq!(wild(vec![3..4, 0..2, 1..2]), [0..4]);
    }
}
