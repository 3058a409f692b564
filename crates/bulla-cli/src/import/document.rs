//! One JSON event of a stranger: parsed for looking things up, kept as it was.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::{Deserialize, Deserializer, Error};
use serde_json::Value;
use serde_json::value::RawValue;

use super::lenient;
pub(crate) use super::quoting::{json_error, shown};
use super::reasons::{NOT_AN_OBJECT, NOT_JSON};

/// A JSON object and its text.
pub(crate) struct Document<'a> {
    text: &'a str,
    /// The text as far as a value can hold it.
    plain: Cow<'a, str>,
    root: Value,
}

impl<'a> Document<'a> {
    /// Parses a text. The error says what is wrong and at which column.
    pub(crate) fn parse(text: &'a str) -> Result<Self, String> {
        Document::of(text, lenient::mend(text.as_bytes()).plain)
    }

    /// The same for a text of which it is known how far a value can hold it.
    pub(crate) fn of(text: &'a str, plain: Cow<'a, str>) -> Result<Self, String> {
        let root: Value = serde_json::from_str(&plain)
            .map_err(|error| format!("{NOT_JSON}{}", json_error(error)))?;
        if !root.is_object() {
            return Err(format!("{NOT_AN_OBJECT}{}", shown(text)));
        }
        Ok(Document { text, plain, root })
    }

    /// Reads members that some collectors keep as texts of JSON as the objects they were.
    pub(crate) fn unfold(&mut self, members: &[&str]) {
        for name in members {
            let Some(place) = self.root.get_mut(*name) else { continue };
            let inner = place.as_str().filter(|text| text.trim_start().starts_with('{'));
            let inner = inner.map(|text| lenient::mend(text.as_bytes()).plain.into_owned());
            if let Some(Ok(object)) = inner.map(|text| serde_json::from_str::<Value>(&text)) {
                *place = object;
            }
        }
    }

    /// The text, as it was.
    pub(crate) fn whole(&self) -> &'a str {
        self.text
    }

    /// The value at a path, unless it is absent, null or empty.
    pub(crate) fn value(&self, path: &str) -> Option<&Value> {
        let mut at = &self.root;
        for token in path.split('/').skip(1) {
            at = step(at, token)?;
        }
        Some(at).filter(|value| !is_empty(value))
    }

    /// The member of this name, unless it is absent, null or empty.
    pub(crate) fn member(&self, name: &str) -> Option<&Value> {
        self.root.get(name).filter(|value| !is_empty(value))
    }

    /// The bytes of the member of this name, exactly as they stand in the text.
    pub(crate) fn raw_member(&self, name: &str) -> Option<&str> {
        raw_member(self.text, name)
    }

    /// The plain value (text, number, truth value) at a path as text.
    pub(crate) fn text(&self, path: &str) -> Option<Cow<'_, str>> {
        match self.value(path)? {
            Value::String(text) => Some(Cow::Borrowed(text)),
            Value::Bool(value) => Some(Cow::Borrowed(if *value { "true" } else { "false" })),
            // Digits as they were written: a 20-digit identifier must not become a float.
            Value::Number(number) if number.is_f64() => {
                let written = self.raw(path).map(Cow::Borrowed);
                Some(written.unwrap_or_else(|| Cow::Owned(number.to_string())))
            }
            Value::Number(number) => Some(Cow::Owned(number.to_string())),
            _ => None,
        }
    }

    /// The same, owned.
    pub(crate) fn owned(&self, path: &str) -> Option<String> {
        self.text(path).map(Cow::into_owned)
    }

    /// The first of several paths that has a plain value.
    pub(crate) fn first(&self, paths: &[&str]) -> Option<String> {
        paths.iter().find_map(|path| self.owned(path))
    }

    /// The elements of the list at a path, each by itself. One thing is a list of one.
    pub(crate) fn elements(&self, path: &str) -> impl Iterator<Item = Document<'_>> {
        let value = self.value(path);
        let values = match value {
            Some(Value::Array(items)) => items.as_slice(),
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        let text = value.and_then(|_| self.raw(path)).unwrap_or_default();
        let texts = match value {
            Some(Value::Array(_)) => elements_of(text).unwrap_or_default(),
            _ => vec![text],
        };
        let texts = texts.into_iter().chain(std::iter::repeat(""));
        values.iter().zip(texts).map(|(value, text)| Document {
            text,
            plain: Cow::Borrowed(text),
            root: value.clone(),
        })
    }

    /// The elements of the list that is the member of this name, and what stands around it, exactly
    /// as they are in the text.
    pub(crate) fn elements_of_member(&self, name: &str) -> Option<(Around<'_>, Vec<&str>)> {
        self.member(name)?.as_array()?;
        let list = self.raw_member(name)?;
        // The list is a part of the text.
        let begin = (list.as_ptr() as usize).checked_sub(self.text.as_ptr() as usize)?;
        let before = self.text.get(..begin)?;
        let behind = self.text.get(begin + list.len()..)?;
        Some((Around { before, behind }, elements_of(list)?))
    }

    /// The bytes of the value at a path, exactly as they stand in the text; as they are
    /// looked up, if a name on the way is not one that can be.
    pub(crate) fn raw(&self, path: &str) -> Option<&str> {
        raw(self.text, path).or_else(|| raw(&self.plain, path))
    }
}

/// What stands before and behind a member.
pub(crate) struct Around<'t> {
    pub(crate) before: &'t str,
    pub(crate) behind: &'t str,
}

/// The elements of a list, exactly as they stand in its text.
fn elements_of(list: &str) -> Option<Vec<&str>> {
    let items: Vec<&RawValue> = serde_json::from_str(list).ok()?;
    Some(items.into_iter().map(RawValue::get).collect())
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn raw<'t>(text: &'t str, path: &str) -> Option<&'t str> {
    path.split('/').skip(1).try_fold(text, raw_step)
}

/// A member of an object, exactly as it stands in the text; of several with this name the last, as
/// in a value.
fn raw_member<'t>(object: &'t str, name: &str) -> Option<&'t str> {
    let members: BTreeMap<Name<'t>, &'t RawValue> = serde_json::from_str(object).ok()?;
    members.get(&Name(Cow::Borrowed(name))).map(|value| value.get())
}

/// The name of a member. One that is no text, because it holds half of a surrogate pair, is read as
/// everywhere else, and does not hide the others.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Name<'t>(Cow<'t, str>);

impl<'de: 't, 't> Deserialize<'de> for Name<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = <&RawValue>::deserialize(deserializer)?.get();
        let inside = written.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        match inside.filter(|inside| !inside.contains('\\')) {
            Some(plain) => Ok(Name(Cow::Borrowed(plain))),
            None => {
                let mended = lenient::mend(written.as_bytes()).plain;
                serde_json::from_str(&mended)
                    .map(|name| Name(Cow::Owned(name)))
                    .map_err(D::Error::custom)
            }
        }
    }
}

/// Undoes the escapes of a JSON pointer (RFC 6901).
pub(super) fn unescape(token: &str) -> Cow<'_, str> {
    match token.contains('~') {
        true => Cow::Owned(token.replace("~1", "/").replace("~0", "~")),
        false => Cow::Borrowed(token),
    }
}

/// The last element of an array.
const LAST: &str = "[last]";

/// `[member=text]` and `[last]` are our extensions to JSON pointers: the first element of an
/// array whose member has that text, and the last element.
fn selector(token: &str) -> Option<(&str, &str)> {
    token.strip_prefix('[')?.strip_suffix(']')?.split_once('=')
}

fn step<'v>(at: &'v Value, token: &str) -> Option<&'v Value> {
    match at {
        Value::Array(items) => items.get(position(items, token)?),
        one if is_first(one, token) => Some(one),
        Value::Object(members) => members.get(unescape(token).as_ref()),
        _ => None,
    }
}

/// Some exporters write a list of one thing as the thing: is it the one asked for?
fn is_first(one: &Value, token: &str) -> bool {
    match one {
        Value::Null | Value::Array(_) => false,
        Value::Object(members) if members.contains_key(unescape(token).as_ref()) => false,
        one => {
            token == "0" || token == LAST || position(std::slice::from_ref(one), token) == Some(0)
        }
    }
}

fn position(items: &[Value], token: &str) -> Option<usize> {
    if token == LAST {
        return items.len().checked_sub(1);
    }
    match selector(token) {
        Some((member, text)) => items
            .iter()
            .position(|item| item.get(member).and_then(Value::as_str).is_some_and(|is| is == text)),
        None => token.parse().ok(),
    }
}

fn raw_step<'a>(at: &'a str, token: &str) -> Option<&'a str> {
    if at.starts_with('[') {
        let values: Vec<Value> = match selector(token) {
            Some(_) => serde_json::from_str(at).ok()?,
            None => Vec::new(),
        };
        let items: Vec<&'a RawValue> = serde_json::from_str(at).ok()?;
        let place = match token {
            LAST => items.len().checked_sub(1)?,
            token => position(&values, token)?,
        };
        return items.get(place).map(|item| item.get());
    }
    match raw_member(at, unescape(token).as_ref()) {
        Some(value) => Some(value),
        None => is_first(&serde_json::from_str(at).ok()?, token).then_some(at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"a":{"b/c":["x",{"name":"k","value":12345678901234567890123}]},
        "t":true,"n":null,"e":"","z":1.50,"i":18446744073709551615,"o":{"k": [ 1 ]}}"#;

    #[test]
    fn paths_reach_members_elements_and_named_elements() {
        let doc = Document::parse(TEXT).unwrap();
        assert_eq!(doc.owned("/a/b~1c/0").as_deref(), Some("x"));
        assert_eq!(doc.owned("/a/b~1c/[name=k]/name").as_deref(), Some("k"));
        assert_eq!(doc.owned("/t").as_deref(), Some("true"));
        for absent in ["/n", "/e", "/a/b~1c/2", "/a/b~1c/[name=x]/name", "/a/b~1c/-1", "/o", "/t/x"]
        {
            assert_eq!(doc.text(absent), None, "{absent}");
        }
    }

    #[test]
    fn one_thing_is_a_list_of_one() {
        let doc =
            Document::parse(r#"{"events":{"name":"x","v":{"a":[1.50]}},"ips":"::1"}"#).unwrap();
        assert_eq!(doc.owned("/events/0/name").as_deref(), Some("x"));
        assert_eq!(doc.owned("/events/[name=x]/v/a/0").as_deref(), Some("1.50"));
        assert_eq!(doc.raw("/events/0/v"), Some(r#"{"a":[1.50]}"#));
        assert_eq!(doc.owned("/ips/0").as_deref(), Some("::1"));
        assert_eq!(doc.owned("/ips/[last]").as_deref(), Some("::1"));
        for absent in ["/events/1/name", "/events/[name=y]/v", "/ips/1", "/ips/x"] {
            assert_eq!(doc.text(absent), None, "{absent}");
        }
    }

    #[test]
    fn the_last_element_has_a_name() {
        let doc = Document::parse(r#"{"ips":["1",{"a":2.50}],"none":[]}"#).unwrap();
        assert_eq!(doc.owned("/ips/[last]/a").as_deref(), Some("2.50"));
        assert_eq!(doc.text("/ips/[last]"), None);
        assert_eq!(doc.text("/none/[last]"), None);
    }

    #[test]
    fn numbers_keep_every_digit() {
        let doc = Document::parse(TEXT).unwrap();
        assert_eq!(doc.owned("/i").as_deref(), Some("18446744073709551615"));
        assert_eq!(doc.owned("/z").as_deref(), Some("1.50"));
        let long = doc.owned("/a/b~1c/[name=k]/value");
        assert_eq!(long.as_deref(), Some("12345678901234567890123"));
        assert_eq!(doc.raw("/o"), Some(r#"{"k": [ 1 ]}"#));
    }

    #[test]
    fn a_name_that_is_no_text_hides_no_other() {
        let doc =
            Document::parse(r#"{"\ud800":1,"a\u0062":{"c":1e400},"d":{"\udfff":1,"e":1e400}}"#);
        let doc = doc.unwrap();
        assert_eq!(doc.raw_member("ab"), Some(r#"{"c":1e400}"#));
        assert_eq!(doc.raw("/ab"), Some(r#"{"c":1e400}"#));
        assert_eq!(doc.raw("/d/e"), Some("1e400"));
        assert_eq!(doc.raw("/\u{fffd}"), Some("1"));
    }

    #[test]
    fn lines_that_are_not_objects_are_refused() {
        for bad in ["", "{", "[]", "1", "{} {}", "\u{1b}[31m"] {
            let reason = Document::parse(bad).err().unwrap();
            assert!(!reason.chars().any(char::is_control), "{reason}");
        }
        for mended in ["{\"a\":\"\\ud800\"}", "{\"a\":1e400}", "{\"a\":\"\t\"}"] {
            assert!(Document::parse(mended).is_ok(), "{mended}");
        }
        let deep = "[".repeat(100_000);
        assert!(Document::parse(&format!("{{\"a\":{deep}")).is_err());
    }
}
