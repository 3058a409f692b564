//! What a file of JSON holds, found in another way than the importer's: with a parser, whole.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A value that may be an event.
pub(crate) struct Unit<'t> {
    /// The line on which it begins, from 1.
    pub(crate) line: u64,
    pub(crate) text: &'t str,
}

/// What a file holds.
pub(crate) struct Stream<'t> {
    pub(crate) units: Vec<Unit<'t>>,
    /// Blank lines between values.
    pub(crate) blank: u64,
}

impl Unit<'_> {
    pub(crate) fn is_object(&self) -> bool {
        self.text.starts_with('{')
    }
}

/// Most arrays in one another; a list in an object around it counts as two.
const LISTS_MAX: usize = 16;

/// The values of a file that is a stream of JSON (RFC 8259), as `docs/importers.md` says where they
/// stand, and of lines that are none; `None` of a file with broken values. `lists` are the members
/// that hold lists of events in objects around them.
pub(crate) fn of_stream<'t>(text: &'t str, lists: &[String]) -> Option<Stream<'t>> {
    let mut found = Vec::new();
    // What is outside of values.
    let (mut outside, mut at) = (String::new(), 0);
    loop {
        let value = text[at..].trim_start_matches(is_between);
        let begin = text.len() - value.len();
        outside += &text[at..begin];
        if value.is_empty() {
            break;
        }
        outside += "{}";
        at = begin
            + if value.starts_with(['{', '[']) {
                let value = first_value(value)?;
                add(text, value, lists, 0, &mut found)?;
                value.len()
            } else {
                let line = other(value);
                found.push(Unit { line: line_at(text, begin), text: line });
                line.len()
            };
    }
    let lines = outside.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let blank = lines.filter(|line| line.trim_ascii().is_empty()).count() as u64;
    Some(Stream { units: found, blank })
}

/// What is passed over between values.
fn is_between(found: char) -> bool {
    found.is_ascii_whitespace()
        || matches!(found, ',' | '\0' | '\x0b' | '\x1e' | '\u{85}' | '\u{a0}' | '\u{feff}')
        || matches!(found, '\u{2028}' | '\u{2029}')
}

fn first_value(text: &str) -> Option<&str> {
    let value: &RawValue = serde_json::Deserializer::from_str(text).into_iter().next()?.ok()?;
    // Outside of arrays a line that begins with `{` begins a value.
    let value = value.get();
    (value.starts_with('[') || !value.contains("\n{")).then_some(value)
}

/// What stands in place of a value: up to the end of the line, or a value behind a NUL or a record
/// separator.
fn other(text: &str) -> &str {
    let line = text.split('\n').next().unwrap_or(text);
    let end = ["\0{", "\x1e{"].iter().filter_map(|end| line.find(end)).min();
    &line[..end.map_or(line.len(), |end| end + 1)]
}

fn line_at(text: &str, at: usize) -> u64 {
    1 + text[..at].matches('\n').count() as u64
}

/// The values of lines that are one object each, if all lines begin with one and no other line
/// opens a list: then each is imported or rejected for itself, whatever stands in the others.
pub(crate) fn of_lines<'t>(bytes: &'t [u8], lists: &[String]) -> Option<Vec<(u64, Vec<Unit<'t>>)>> {
    let mut found = Vec::new();
    for (line, bytes) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let text = std::str::from_utf8(bytes).ok().map(str::trim_ascii);
        match text {
            Some("") => {}
            Some(text) if bytes[0] == b'{' && is_object(text) => {
                let mut units = Vec::new();
                add(text, text, lists, 0, &mut units)?;
                units.iter_mut().for_each(|unit| unit.line = line);
                found.push((line, units));
            }
            _ if bytes[0] == b'{' && !bytes.contains(&b'[') => {}
            _ => return None,
        }
    }
    Some(found)
}

fn add<'t>(
    whole: &'t str,
    value: &'t str,
    lists: &[String],
    open: usize,
    found: &mut Vec<Unit<'t>>,
) -> Option<()> {
    if value.starts_with('[') {
        if open >= LISTS_MAX {
            return None;
        }
        let items: Vec<&RawValue> = serde_json::from_str(value).ok()?;
        return items.iter().try_for_each(|item| add(whole, item.get(), lists, open + 1, found));
    }
    if value.starts_with('{') && open < LISTS_MAX {
        let members = members(value)?;
        let mut around = members.iter().filter(|member| holds_events(member, lists)).peekable();
        if around.peek().is_some() {
            return around.try_for_each(|(_, list)| of_list(whole, list.get(), lists, open, found));
        }
    }
    let line = line_at(whole, value.as_ptr() as usize - whole.as_ptr() as usize);
    found.push(Unit { line, text: value });
    Some(())
}

fn of_list<'t>(
    whole: &'t str,
    list: &'t str,
    lists: &[String],
    open: usize,
    found: &mut Vec<Unit<'t>>,
) -> Option<()> {
    let items: Vec<&RawValue> = serde_json::from_str(list).ok()?;
    items.iter().try_for_each(|item| add(whole, item.get(), lists, open + 2, found))
}

fn is_object(text: &str) -> bool {
    text.starts_with('{') && serde_json::from_str::<&RawValue>(text).is_ok()
}

fn holds_events((name, value): &(&RawValue, &RawValue), lists: &[String]) -> bool {
    value.get().starts_with('[') && lists.iter().any(|list| name.get() == format!("\"{list}\""))
}

/// The members of an object, in order, names as they are spelled.
pub(crate) fn members(text: &str) -> Option<Vec<(&RawValue, &RawValue)>> {
    struct Members<'t>(Vec<(&'t RawValue, &'t RawValue)>);
    struct Each;

    impl<'t> Visitor<'t> for Each {
        type Value = Members<'t>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Members<'t>, A::Error> {
            let mut members = Vec::new();
            while let Some(member) = map.next_entry()? {
                members.push(member);
            }
            Ok(Members(members))
        }
    }

    impl<'t> Deserialize<'t> for Members<'t> {
        fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_map(Each)
        }
    }

    serde_json::from_str::<Members<'_>>(text).ok().map(|members| members.0)
}
