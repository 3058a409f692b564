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

/// Most lists in one another of which this can tell.
const DEPTH_MAX: usize = 6;

/// The values of a file that is a stream of JSON objects and arrays of them (RFC 8259), as
/// `docs/importers.md` says where they stand; `None` of any other file. `lists` are the members
/// that hold lists of events in objects around them.
pub(crate) fn of_stream<'t>(text: &'t str, lists: &[&str]) -> Option<Stream<'t>> {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut found = Vec::new();
    // What is outside of values.
    let (mut outside, mut end) = (String::new(), 0);
    for value in serde_json::Deserializer::from_str(body).into_iter::<&RawValue>() {
        let value = value.ok()?.get();
        // Outside of arrays a line that begins with `{` begins a value.
        let indented = value.starts_with('[') || value.starts_with('{') && !value.contains("\n{");
        if !indented {
            return None;
        }
        add(text, value, lists, DEPTH_MAX, &mut found)?;
        let begin = value.as_ptr() as usize - text.as_ptr() as usize;
        outside = outside + &text[end..begin] + "{}";
        end = begin + value.len();
    }
    outside += &text[end..];
    let lines = outside.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let blank = lines.filter(|line| line.trim_ascii().is_empty()).count() as u64;
    Some(Stream { units: found, blank })
}

/// The lines that are one object each, if all lines begin with one and no other line opens a
/// list: then each is imported or rejected for itself, whatever stands in the others.
pub(crate) fn of_lines<'t>(bytes: &'t [u8], lists: &[&str]) -> Option<Vec<Unit<'t>>> {
    let mut found = Vec::new();
    for (line, bytes) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let text = std::str::from_utf8(bytes).ok().map(str::trim_ascii);
        match text {
            Some("") => {}
            Some(text) if bytes[0] == b'{' && is_object(text) => {
                if members(text)?.iter().all(|member| !holds_events(member, lists)) {
                    found.push(Unit { line, text });
                }
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
    lists: &[&str],
    depth: usize,
    found: &mut Vec<Unit<'t>>,
) -> Option<()> {
    if value.starts_with('[') {
        let items: Vec<&RawValue> = serde_json::from_str(value).ok()?;
        let depth = depth.checked_sub(1)?;
        return items.iter().try_for_each(|item| add(whole, item.get(), lists, depth, found));
    }
    if value.starts_with('{') {
        let members = members(value)?;
        let mut around = members.iter().filter(|member| holds_events(member, lists)).peekable();
        if around.peek().is_some() {
            return around.try_for_each(|(_, list)| add(whole, list.get(), lists, depth, found));
        }
    }
    let before = &whole[..value.as_ptr() as usize - whole.as_ptr() as usize];
    let line = 1 + before.matches('\n').count() as u64;
    found.push(Unit { line, text: value });
    Some(())
}

fn is_object(text: &str) -> bool {
    text.starts_with('{') && serde_json::from_str::<&RawValue>(text).is_ok()
}

fn holds_events((name, value): &(&RawValue, &RawValue), lists: &[&str]) -> bool {
    value.get().starts_with('[') && lists.iter().any(|list| name.get() == format!("\"{list}\""))
}

/// The members of an object, in order, names as they are spelled.
fn members(text: &str) -> Option<Vec<(&RawValue, &RawValue)>> {
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
