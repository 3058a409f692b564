//! The fields of a record, and who may say what.
//!
//! A record has up to three parts, written by three writers:
//!
//! - the *outer* fields, from the kernel: who (`pid`, `uid`, `auid`, `ses`) and, of a
//!   system call, what and how it ended. They always win;
//! - the *message*, `msg='…'`, from a program such as sshd or sudo. Programs put texts in
//!   it that the audited subject chose, not always encoded, so it only adds the fields of
//!   [`OF_A_MESSAGE`];
//! - the *enriched* fields, from auditd, behind a group separator (`#035` where syslog
//!   escaped it): names for numbers, in upper case.
//!
//! Texts of subjects are in double quotes or, if they hold a blank, a `"`, a control
//! character or one beyond ASCII, in hex.

use super::record::Record;

/// What a message may say. Not who acted: that says the kernel.
const OF_A_MESSAGE: [&str; 18] = [
    "acct",
    "addr",
    "apparmor",
    "cmd",
    "comm",
    "cwd",
    "data",
    "exe",
    "grp",
    "hostname",
    "id",
    "new_group",
    "op",
    "res",
    "result",
    "terminal",
    "unit",
    "vm",
];

/// What libaudit writes behind the texts that a subject chooses, so that the last one is
/// the true one. Of all other fields it is the first.
const AT_THE_END: [&str; 3] = ["addr", "res", "result"];

/// Fields whose values kernel and libaudit write in hex if they are unsafe, as the
/// dictionary of audit fields has them. All others, `id` among them, are never hex.
const ENCODED: [&str; 38] = [
    "acct",
    "apparmor",
    "cgroup",
    "cmd",
    "comm",
    "cwd",
    "data",
    "denied_mask",
    "device",
    "dir",
    "exe",
    "file",
    "grp",
    "info",
    "invalid_context",
    "key",
    "name",
    "new-chardev",
    "new-disk",
    "new-fs",
    "new-net",
    "new-rng",
    "new_group",
    "ocomm",
    "old-chardev",
    "old-disk",
    "old-fs",
    "old-net",
    "old-rng",
    "operation",
    "path",
    "proctitle",
    "profile",
    "requested_mask",
    "root_dir",
    "sw",
    "vm",
    "watch",
];

/// Sets off what auditd adds in its enriched format.
const SEPARATOR: char = '\u{1d}';
/// The separator as syslog daemons escape it.
const ESCAPED_SEPARATOR: &str = "#035";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Outer,
    Message,
    Enriched,
}

/// A record with its fields.
pub(crate) struct Parsed<'a> {
    pub(crate) record: &'a Record,
    /// What stands in `msg='…'`.
    message: Option<&'a str>,
    fields: Vec<(Part, &'a str, Value<'a>)>,
}

impl<'a> Parsed<'a> {
    pub(crate) fn new(record: &'a Record) -> Self {
        let mut parsed = Parsed { record, message: None, fields: Vec::with_capacity(32) };
        parsed.read();
        parsed
    }

    /// The type, e.g. `SYSCALL`.
    pub(crate) fn kind(&self) -> &'a str {
        &self.record.kind
    }

    /// What a program wrote, if it was one.
    pub(crate) fn message(&self) -> Option<&'a str> {
        self.message
    }

    /// The value of a field, unless it is one of the words for none.
    pub(crate) fn get(&self, name: &str) -> Option<Value<'a>> {
        let outer = self.in_part(Part::Outer, name).filter(|value| !value.is_none());
        outer.or_else(|| {
            let in_message = self.in_part(Part::Message, name);
            in_message.filter(|value| !value.is_none() && OF_A_MESSAGE.contains(&name))
        })
    }

    /// What the record says of its end: all that the kernel wrote, and of a message the
    /// last, because texts of subjects stand before it.
    pub(crate) fn ends(&self) -> impl Iterator<Item = &'a str> {
        let says = |name: &str| matches!(name, "res" | "result");
        let outer = self.fields.iter().filter(move |(part, name, _)| {
            *part == Part::Outer && (says(name) || *name == "success")
        });
        let of_message =
            |field: &&(Part, &str, Value<'_>)| field.0 == Part::Message && says(field.1);
        outer.chain(self.fields.iter().rfind(of_message)).map(|(_, _, value)| value.text)
    }

    /// All values of a field in the message if there is one, else in the outer part.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let part = if self.message.is_some() { Part::Message } else { Part::Outer };
        let of_name = self.fields.iter().filter(move |field| field.0 == part && field.1 == name);
        of_name.map(|(_, _, value)| value.text)
    }

    /// A name that auditd added. Some collectors write a blank for the separator.
    pub(crate) fn enriched(&self, name: &str) -> Option<&'a str> {
        let added = self.in_part(Part::Enriched, name);
        added.or_else(|| self.in_part(Part::Outer, name)).map(|value| value.text)
    }

    /// The text of a field, with hex undone if it is one that may be in hex.
    pub(crate) fn decoded(&self, name: &str) -> Option<String> {
        let value = self.get(name)?;
        Some(if ENCODED.contains(&name) { value.decoded() } else { value.text.to_owned() })
    }

    fn in_part(&self, part: Part, name: &str) -> Option<Value<'a>> {
        // `old auid=… new auid=…`
        let new_one = self.kind() == "LOGIN" && matches!(name, "auid" | "ses");
        let mut found = self.fields.iter().filter(|field| field.0 == part && field.1 == name);
        let field =
            if new_one || AT_THE_END.contains(&name) { found.next_back() } else { found.next() };
        field.map(|(_, _, value)| *value)
    }

    fn read(&mut self) {
        let mut part = Part::Outer;
        let mut rest = self.record.body.as_str();
        loop {
            rest = rest.trim_start_matches(is_blank);
            let behind = rest.strip_prefix(SEPARATOR);
            if let Some(behind) = behind.or_else(|| rest.strip_prefix(ESCAPED_SEPARATOR)) {
                (part, rest) = (Part::Enriched, behind);
                continue;
            }
            if rest.is_empty() {
                return;
            }
            let message = if part == Part::Outer { message_at(rest) } else { None };
            if let Some((message, behind)) = message {
                self.read_message(message);
                // Nothing but enriched fields follows a message.
                (part, rest) = (Part::Enriched, behind);
                continue;
            }
            rest = self.read_field(part, rest);
        }
    }

    fn read_message(&mut self, message: &'a str) {
        self.message = Some(message);
        let mut rest = message.trim_start_matches(is_blank);
        while !rest.is_empty() {
            rest = self.read_field(Part::Message, rest).trim_start_matches(is_blank);
        }
    }

    /// Reads a word, which is a field if it has a `=`; gives what follows.
    fn read_field(&mut self, part: Part, text: &'a str) -> &'a str {
        let separates = |found| part != Part::Message && found == SEPARATOR;
        let end = text.find(|found| is_blank(found) || separates(found) || found == '=');
        let (name, after) = text.split_at(end.unwrap_or(text.len()));
        let Some(after) = after.strip_prefix('=') else { return after };
        let name = name.trim_start_matches(['(', ',']);
        let (mut value, behind) = value(after, part);
        if matches!(name, "res" | "result") && !value.quoted {
            value.text = words(&after[..after.find(SEPARATOR).unwrap_or(after.len())], value.text);
        }
        self.fields.push((part, name, value));
        behind
    }
}

fn is_blank(found: char) -> bool {
    found.is_ascii_whitespace()
}

/// The message at the start of the text, and what follows it.
fn message_at(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix("msg='")?;
    let end = end_of_message(inside);
    Some((&inside[..end], inside[end..].strip_prefix('\'').unwrap_or("")))
}

/// Where a message ends. The kernel writes it last and only enriched fields follow, so the
/// end is the `'` behind which is nothing else: a subject can write a `'`, but what the
/// program writes follows it.
fn end_of_message(inside: &str) -> usize {
    let text = inside.trim_end_matches(is_blank);
    if text.ends_with('\'') {
        return text.len() - 1;
    }
    let mut quotes = inside.match_indices('\'').map(|(at, _)| at);
    quotes
        .find(|at| is_enriched(&inside[at + 1..]))
        .or_else(|| inside.rfind("'\u{1d}"))
        .or_else(|| end_outside_quotes(inside))
        .unwrap_or(inside.len())
}

/// Whether the text is a separator and nothing but fields that auditd adds.
fn is_enriched(text: &str) -> bool {
    let behind = text.strip_prefix(SEPARATOR).or_else(|| text.strip_prefix(ESCAPED_SEPARATOR));
    let Some(mut rest) = behind.or_else(|| text.strip_prefix(is_blank)) else { return false };
    loop {
        rest = rest.trim_start_matches(is_blank);
        if rest.is_empty() {
            return true;
        }
        let Some((name, after)) = rest.split_once('=') else { return false };
        let letters = |byte: u8| byte.is_ascii_uppercase() || matches!(byte, b'_' | b'-');
        if name.is_empty() || !name.bytes().all(letters) {
            return false;
        }
        rest = value(after, Part::Enriched).1;
    }
}

/// The last `'` that stands before a blank or an escaped separator and outside all values
/// in double quotes.
fn end_outside_quotes(inside: &str) -> Option<usize> {
    let mut end = None;
    let mut at = 0;
    while let Some(found) = inside[at..].find(['"', '\'']) {
        let (here, behind) = (at + found, &inside[at + found + 1..]);
        let opens = inside[here..].starts_with('"') && inside[..here].ends_with('=');
        let closing = if opens { behind.find('"') } else { None };
        if inside[here..].starts_with('\'')
            && (behind.starts_with(is_blank) || behind.starts_with(ESCAPED_SEPARATOR))
        {
            end = Some(here);
        }
        at = here + 1 + closing.map_or(0, |closing| closing + 1);
    }
    end
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Value<'a> {
    pub(crate) text: &'a str,
    quoted: bool,
}

impl Value<'_> {
    /// Says that there is none, in one of the ways auditd has for it.
    fn is_none(&self) -> bool {
        matches!(self.text, "" | "?") || (!self.quoted && matches!(self.text, "(null)" | "(none)"))
    }

    /// The text with hex undone, if it is hex and makes text. Digits alone may also be a
    /// number that an old program wrote plainly: they are hex only if they are a text
    /// that had to be encoded.
    fn decoded(&self) -> String {
        let bytes = if self.quoted { None } else { hex(self.text) };
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let number = self.text.bytes().all(|byte| byte.is_ascii_digit());
        match text {
            Some(text) if !text.is_empty() && (!number || plain_with_blanks(&text)) => text,
            _ => self.text.to_owned(),
        }
    }
}

fn plain_with_blanks(text: &str) -> bool {
    text.contains([' ', '"']) && !text.contains(char::is_control)
}

/// Bytes written as upper-case hex digits.
pub(super) fn hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F')) {
        return None;
    }
    let digit = |byte: u8| if byte <= b'9' { byte - b'0' } else { byte - b'A' + 10 };
    Some(pairs.iter().map(|[high, low]| digit(*high) << 4 | digit(*low)).collect())
}

/// The value at the start of the text, and what follows. A `"` that is not closed opens
/// nothing.
fn value(text: &str, part: Part) -> (Value<'_>, &str) {
    let closed = text.strip_prefix('"').and_then(|inside| inside.split_once('"'));
    if let Some((text, behind)) = closed {
        return (Value { text, quoted: true }, behind);
    }
    let mut end = text.find(is_blank).unwrap_or(text.len());
    if part != Part::Message {
        end = text[..end].find(SEPARATOR).unwrap_or(end);
        end = text[..end].find(ESCAPED_SEPARATOR).unwrap_or(end);
    }
    let (value, behind) = text.split_at(end);
    // Old programs write `(hostname=?, addr=?, res=success)`.
    let value = value.trim_end_matches([',', '\'']);
    let value = if value.starts_with('(') { value } else { value.trim_end_matches(')') };
    (Value { text: value, quoted: false }, behind)
}

/// A result may be of several words: `result=Authentication failure)`. It ends where a
/// comma or a parenthesis closes it or the next field begins.
fn words<'a>(text: &'a str, first: &'a str) -> &'a str {
    let mut end = first.len();
    for word in text[first.len()..].split_inclusive(is_blank) {
        if word.contains('=') || word.starts_with([',', ')', '\'', '#']) {
            break;
        }
        end += word.len();
        if word.trim_end_matches(is_blank).ends_with([',', ')', '\'']) {
            break;
        }
    }
    text[..end].trim_end_matches(|found| is_blank(found) || matches!(found, ',' | ')' | '\''))
}

#[cfg(test)]
mod tests;
