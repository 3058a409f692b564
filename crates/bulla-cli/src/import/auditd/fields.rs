//! The fields of a record, and who may say what.
//!
//! A record has up to three parts, written by three writers:
//!
//! - the *outer* fields, from the kernel: who (`pid`, `uid`, `auid`, `ses`) and, of a
//!   system call, what and how it ended. They always win;
//! - the *message*, `msg='…'`, from a program such as sshd or sudo. Programs put texts in
//!   it that the audited subject chose, not always encoded, so it only adds the fields of
//!   [`OF_A_MESSAGE`];
//! - the *enriched* fields, from auditd, behind a group separator: names for numbers, in
//!   upper case.
//!
//! Texts of subjects are in double quotes or, if they hold a blank, a `"`, a control
//! character or one beyond ASCII, in hex.

mod message;

use memchr::memmem;

use super::record::Record;
use message::{Message, behind_separator, end_of_value, is_separator};

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
const AT_THE_END: [&str; 2] = ["res", "result"];

/// What programs fill with words of their own. Of a message that is cut short a result counts only
/// if nothing but these stands before it: behind others it may be a subject's text, and the true
/// one lost.
const OF_PROGRAMS: [&str; 6] = ["enforcing", "grantors", "lsm", "op", "res", "result"];

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

/// Most addresses of one record that are told apart.
const ADDRESSES_MAX: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Outer,
    Message,
    Enriched,
}

/// A record with its fields.
pub(crate) struct Parsed<'a> {
    pub(crate) record: &'a Record,
    message: Option<Message<'a>>,
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
        self.message.as_ref().map(|message| message.text)
    }

    /// Whether the end of the message is missing. What stands there is then a subject's text, where
    /// it would be the program's otherwise.
    pub(crate) fn is_cut(&self) -> bool {
        self.message.as_ref().is_some_and(|message| message.is_cut)
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
    /// last, because texts of subjects stand before it. If it is cut short, only what no such
    /// text stands before.
    pub(crate) fn ends(&self) -> impl Iterator<Item = &'a str> {
        let says = |name: &str| matches!(name, "res" | "result");
        let outer = self.fields.iter().filter(move |(part, name, _)| {
            *part == Part::Outer && (says(name) || *name == "success")
        });
        let of_message = self.fields.iter().filter(|(part, _, _)| *part == Part::Message);
        let is_cut = self.is_cut();
        let sure = of_message.take_while(move |(_, name, _)| !is_cut || OF_PROGRAMS.contains(name));
        let last = sure.filter(move |(_, name, _)| says(name)).last();
        outer.chain(last).map(|(_, _, value)| value.text)
    }

    /// The addresses that the record names, each once. Programs write hosts and terminals as
    /// they are, before and behind `addr=`, so that a subject can add an address, and put
    /// quotes around the true one: each word that begins so counts, quoted or not.
    pub(crate) fn addresses(&self) -> Vec<&'a str> {
        let mut found = Vec::new();
        let text = self.message().unwrap_or(self.record.body());
        // Most records name none.
        if memmem::find(text.as_bytes(), b"addr=").is_none() {
            return found;
        }
        let words = text.split(is_blank);
        for after in words.filter_map(|word| word.strip_prefix("addr=")) {
            let address = value(after, Part::Outer).0.text.trim_end_matches('"');
            if found.len() < ADDRESSES_MAX && !found.contains(&address) {
                found.push(address);
            }
        }
        found
    }

    /// The names of the fields of the message if there is one, else of the outer part.
    pub(crate) fn names_and_values(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let part = if self.message.is_some() { Part::Message } else { Part::Outer };
        let of_part = self.fields.iter().filter(move |field| field.0 == part);
        of_part.map(|(_, name, value)| (*name, value.text))
    }

    /// All values of a field in the message if there is one, else in the outer part.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let of_name = self.names_and_values().filter(move |field| field.0 == name);
        of_name.map(|(_, value)| value)
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
        let mut rest = self.record.body();
        loop {
            rest = rest.trim_start_matches(is_blank);
            if let Some(behind) = behind_separator(rest) {
                (part, rest) = (Part::Enriched, behind);
                continue;
            }
            if rest.is_empty() {
                return;
            }
            let message = if part == Part::Outer { message::at(rest) } else { None };
            if let Some(message) = message {
                self.read_message(message.text);
                // Nothing but enriched fields follows a message.
                (part, rest) = (Part::Enriched, message.behind);
                self.message = Some(message);
                continue;
            }
            rest = self.read_field(part, rest);
        }
    }

    fn read_message(&mut self, message: &'a str) {
        let mut rest = message.trim_start_matches(is_blank);
        while !rest.is_empty() {
            rest = self.read_field(Part::Message, rest).trim_start_matches(is_blank);
        }
    }

    /// Reads a word, which is a field if it has a `=`; gives what follows.
    fn read_field(&mut self, part: Part, text: &'a str) -> &'a str {
        let ends = |(at, byte): &(usize, u8)| {
            byte.is_ascii_whitespace()
                || *byte == b'='
                || part != Part::Message && is_separator(text, *at, *byte)
        };
        let end = text.bytes().enumerate().find(ends).map_or(text.len(), |(at, _)| at);
        let (name, after) = text.split_at(end);
        let Some(after) = after.strip_prefix('=') else { return after };
        let name = name.trim_start_matches(['(', ',']);
        let (mut value, behind) = value(after, part);
        if matches!(name, "res" | "result") && !value.quoted {
            value.text = words(after, value.text);
        }
        self.fields.push((part, name, value));
        behind
    }
}

fn is_blank(found: char) -> bool {
    found.is_ascii_whitespace()
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
    /// that had to be encoded, of visible characters and blanks, tabs or quotes.
    fn decoded(&self) -> String {
        let bytes = if self.quoted { None } else { hex(self.text) };
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let number = self.text.bytes().all(|byte| byte.is_ascii_digit());
        match text {
            Some(text) if !text.is_empty() && (!number || had_to_be_encoded(&text)) => text,
            _ => self.text.to_owned(),
        }
    }
}

fn had_to_be_encoded(text: &str) -> bool {
    const ENCODED: [char; 3] = [' ', '\t', '"'];
    text.contains(ENCODED)
        && text.contains(|found: char| found.is_ascii_graphic() && found != '"')
        && !text.contains(|found: char| found.is_control() && found != '\t')
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
    let (value, behind) = text.split_at(end_of_value(text, part));
    // Old programs write `(hostname=?, addr=?, res=success)`.
    let value = value.trim_end_matches([',', '\'']);
    let value = if value.starts_with('(') { value } else { value.trim_end_matches(')') };
    (Value { text: value, quoted: false }, behind)
}

/// A result may be of several words: `result=Authentication failure)`. It ends where a
/// comma or a parenthesis closes it, at a separator, or before the name of the next field.
fn words<'a>(text: &'a str, first: &'a str) -> &'a str {
    let rest = &text[first.len()..];
    let stops =
        |(at, found): &(usize, char)| *found == '=' || behind_separator(&rest[*at..]).is_some();
    let mut behind = rest;
    if let Some((at, found)) = rest.char_indices().find(stops) {
        behind = &rest[..at];
        if found == '=' {
            behind = &behind[..behind.rfind(is_blank).map_or(0, |at| at + 1)];
        }
    }
    let mut end = first.len();
    for word in behind.split_inclusive(is_blank) {
        if word.starts_with([',', ')', '\'']) {
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
