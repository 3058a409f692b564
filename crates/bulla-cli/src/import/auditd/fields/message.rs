//! Where a message, `msg='…'`, ends, and what sets off the fields that auditd adds.

use std::collections::HashSet;

use super::{Part, is_blank, value};

/// The group separator as it is, and as syslog daemons, viewers and copies of logs write it.
const SEPARATORS: [&str; 11] = [
    "\u{1d}", "#035", "\\035", "^]", "\\x1d", "\\x1D", "\\u001d", "\\u001D", "<0x1d>", "<0x1D>",
    "\u{241d}",
];

/// Whether a separator begins with this byte of the text.
pub(super) fn is_separator(text: &str, at: usize, byte: u8) -> bool {
    // The first byte of `\u{241d}` is one of a character, too.
    matches!(byte, 0x1d | b'#' | b'\\' | b'^' | b'<' | 0xe2)
        && text.get(at..).is_some_and(|rest| behind_separator(rest).is_some())
}

/// What follows the separator at the start of the text.
pub(super) fn behind_separator(text: &str) -> Option<&str> {
    // Most texts begin with none of these.
    if !text.starts_with(['\u{1d}', '#', '\\', '^', '<', '\u{241d}']) {
        return None;
    }
    SEPARATORS.iter().find_map(|separator| text.strip_prefix(separator))
}

/// What is a message of this many bytes is cut short by the kernel, which closes its quote all the
/// same: `AUDIT_MESSAGE_TEXT_MAX`.
const BYTES_MAX: usize = 8_560;

/// A message, `msg='…'`.
pub(super) struct Message<'a> {
    pub(super) text: &'a str,
    /// What follows it.
    pub(super) behind: &'a str,
    /// Whether its end is missing, and with it what its writer put behind the texts of subjects.
    pub(super) is_cut: bool,
}

/// The message at the start of the text. The kernel writes `'`; some collectors make a `"` of it.
pub(super) fn at(text: &str) -> Option<Message<'_>> {
    let inside = text.strip_prefix("msg=")?;
    let quote = if inside.starts_with('"') { '"' } else { '\'' };
    let inside = inside.strip_prefix(quote)?;
    let written = written_end(inside, quote);
    let end = written.unwrap_or_else(|| end_of_cut(inside));
    Some(Message {
        text: &inside[..end],
        behind: inside[end..].strip_prefix(quote).unwrap_or(""),
        is_cut: written.is_none() || end >= BYTES_MAX,
    })
}

/// Where a message ends. The kernel writes it last and only enriched fields follow, so the
/// end is the quote behind which is nothing else: a subject can write a quote, but what the
/// program writes follows it.
fn written_end(inside: &str, quote: char) -> Option<usize> {
    let text = inside.trim_end_matches(is_blank);
    // An enriched value may end with a `"`.
    if quote == '\'' && text.ends_with(quote) {
        return Some(text.len() - 1);
    }
    first_before_enriched(inside, quote)
}

/// Where a message that is cut short, or what follows it, most likely ends. A subject may have
/// chosen the place: nothing in it is believed that the subject's texts stand before.
fn end_of_cut(inside: &str) -> usize {
    let before_separator = inside.rfind("'\u{1d}");
    before_separator.or_else(|| end_outside_quotes(inside)).unwrap_or(inside.len())
}

/// The first quote behind which is nothing but fields that auditd adds.
fn first_before_enriched(inside: &str, quote: char) -> Option<usize> {
    // A place from which the rest is not enriched is looked at once, whatever leads to it: so
    // many quotes cost no more than few.
    let mut refuted = HashSet::new();
    let mut quotes = inside.match_indices(quote).map(|(at, _)| at);
    quotes.find(|at| is_enriched(&inside[at + 1..], &mut refuted))
}

/// Whether the text is a separator, which may be lost, and nothing but fields that auditd adds.
fn is_enriched(text: &str, refuted: &mut HashSet<usize>) -> bool {
    let mut rest = behind_separator(text).unwrap_or(text);
    loop {
        rest = rest.trim_start_matches(is_blank);
        if rest.is_empty() {
            return true;
        }
        if !refuted.insert(rest.len()) {
            return false;
        }
        let name = rest.find(|found| !is_of_added_name(found)).unwrap_or(rest.len());
        let (name, after) = rest.split_at(name);
        let Some(after) = after.strip_prefix('=').filter(|_| !name.is_empty()) else {
            return false;
        };
        // auditd puts names in quotes. What is not, or does not end, may be a subject's text.
        let (value, behind) = value(after, Part::Enriched);
        if !value.quoted {
            return false;
        }
        rest = behind;
    }
}

/// Names that auditd adds are in upper case.
fn is_of_added_name(found: char) -> bool {
    found.is_ascii_uppercase() || matches!(found, '_' | '-')
}

/// The last `'` that stands before a blank or a separator and outside all values in double
/// quotes.
fn end_outside_quotes(inside: &str) -> Option<usize> {
    let mut end = None;
    let mut at = 0;
    while let Some(found) = inside[at..].find(['"', '\'']) {
        let (here, behind) = (at + found, &inside[at + found + 1..]);
        let opens = inside[here..].starts_with('"') && inside[..here].ends_with('=');
        let closing = if opens { behind.find('"') } else { None };
        if inside[here..].starts_with('\'')
            && (behind.starts_with(is_blank) || behind_separator(behind).is_some())
        {
            end = Some(here);
        }
        at = here + 1 + closing.map_or(0, |closing| closing + 1);
    }
    end
}

/// Where a value without quotes ends: at a blank, and outside of messages at a separator or,
/// where the separator was lost, at a name that auditd adds (`res=1UID="root"`). What is behind
/// the end is not looked at, so that a long line costs no more than its length.
pub(super) fn end_of_value(text: &str, part: Part) -> usize {
    let mut may_be_glued = part == Part::Outer;
    for (at, byte) in text.bytes().enumerate() {
        if byte.is_ascii_whitespace() || part != Part::Message && is_separator(text, at, byte) {
            return at;
        }
        if byte == b'=' && may_be_glued {
            may_be_glued = false;
            let kept = text[..at].trim_end_matches(is_of_added_name).len();
            if kept > 0 && at - kept >= 2 {
                return kept;
            }
        }
    }
    text.len()
}
