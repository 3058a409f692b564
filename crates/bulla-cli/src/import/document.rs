//! One JSON event of a stranger: parsed for looking things up, kept as it was.

use std::borrow::Cow;

use serde_json::Value;
use serde_json::value::RawValue;

use super::lenient;
pub(crate) use super::quoting::shown;
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
            .map_err(|error| format!("{NOT_JSON}{}", shown(&error.to_string())))?;
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
        match at {
            Value::Null => None,
            Value::String(text) if text.is_empty() => None,
            Value::Array(items) if items.is_empty() => None,
            Value::Object(members) if members.is_empty() => None,
            value => Some(value),
        }
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

    /// The bytes of the value at a path, exactly as they stand in the text; as they are
    /// looked up, if a name on the way is not one that can be.
    pub(crate) fn raw(&self, path: &str) -> Option<&str> {
        raw(self.text, path).or_else(|| raw(&self.plain, path))
    }
}

fn raw<'t>(text: &'t str, path: &str) -> Option<&'t str> {
    path.split('/').skip(1).try_fold(text, raw_step)
}

/// Undoes the escapes of a JSON pointer (RFC 6901).
fn unescape(token: &str) -> Cow<'_, str> {
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
    let members: std::collections::BTreeMap<Cow<'a, str>, &'a RawValue> =
        serde_json::from_str(at).unwrap_or_default();
    match members.get(unescape(token).as_ref()) {
        Some(value) => Some(value.get()),
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
