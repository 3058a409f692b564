//! One place where a value may come from, and what is done to it.

use bulla::event::Outcome;
use serde_json::Value;

use super::super::document::Document;
use super::super::outcome::{Table, same_number};
use super::super::time::{TimeFormat, USUAL};

/// Where a value may come from.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) origin: Origin,
    /// Values that count as absent.
    ignore: Vec<String>,
    /// Pattern and replacement (or that the value says nothing), the longest pattern first.
    map: Option<Vec<(String, Option<String>)>>,
    /// How a time is written; tried in order.
    pub(super) time: Vec<TimeFormat>,
}

/// Where a value comes from before anything is done to it.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// A JSON pointer.
    At(String),
    /// The same for every event.
    Const(String),
    /// Text with pointers in it.
    Template(Vec<Piece>),
    /// A table of `import/outcome.rs`, which reads the whole event.
    Table(Table),
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    At(String),
}

impl Source {
    /// The field of a source that is looked up in an element of a list, which may be the value.
    pub(super) const OF_ELEMENT: &str = "targets.each";

    /// Reads a source of a field. A string is a pointer.
    pub(super) fn parse(field: &str, value: &Value) -> Result<Self, String> {
        let mut source = Source {
            origin: Origin::Const(String::new()),
            ignore: Vec::new(),
            map: None,
            time: USUAL.to_vec(),
        };
        let at = |path: &str| match path {
            "" if field == Source::OF_ELEMENT => Ok(String::new()),
            path => pointer(path),
        };
        let members = match value {
            Value::String(path) => {
                source.origin = Origin::At(at(path)?);
                return Ok(source);
            }
            Value::Object(members) => members,
            _ => return Err("expected a pointer or an object".to_owned()),
        };
        let mut origins = 0;
        for (key, value) in members {
            match key.as_str() {
                "at" => source.origin = Origin::At(at(text(key, value)?)?),
                "const" => source.origin = Origin::Const(text(key, value)?.to_owned()),
                "template" => source.origin = Origin::Template(template(text(key, value)?)?),
                "table" if field == "outcome" => {
                    source.origin = Origin::Table(text(key, value)?.parse()?);
                }
                "ignore" => source.ignore = strings(key, value)?,
                "map" => source.map = Some(patterns(value)?),
                "time" if field == "occurred_at" => source.time = formats(value)?,
                _ => return Err(format!("{key:?} is not known here")),
            }
            origins += usize::from(matches!(key.as_str(), "at" | "const" | "template" | "table"));
        }
        match origins {
            1 if field == "outcome" => source.check_outcomes(),
            1 => Ok(source),
            _ => {
                Err("expected exactly one of at, const, template and (for outcome) table"
                    .to_owned())
            }
        }
    }

    /// What can become of an outcome is known before the first line.
    fn check_outcomes(self) -> Result<Self, String> {
        let fixed = match &self.origin {
            Origin::Const(text) if self.map.is_none() => Some(text.as_str()),
            _ => None,
        };
        let mapped = self.map.iter().flatten().filter_map(|(_, to)| to.as_deref());
        match fixed.into_iter().chain(mapped).find(|text| text.parse::<Outcome>().is_err()) {
            Some(odd) => {
                Err(format!("expected success, failure, denied, partial or unknown, found {odd:?}"))
            }
            None => Ok(self),
        }
    }

    /// The value of this source in an event, if it has one.
    pub(super) fn text(&self, doc: &Document<'_>) -> Option<String> {
        match self.mapped(doc) {
            Mapped::Value(text) => Some(text),
            Mapped::Nothing | Mapped::Unknown(_) => None,
        }
    }

    /// What this source makes of an event.
    pub(super) fn mapped(&self, doc: &Document<'_>) -> Mapped {
        let Some(text) = self.found(doc) else { return Mapped::Nothing };
        if self.ignore.contains(&text) {
            return Mapped::Nothing;
        }
        let Some(map) = &self.map else { return Mapped::Value(text) };
        match map.iter().find(|(pattern, _)| matches(pattern, &text)) {
            Some((_, Some(to))) => Mapped::Value(to.clone()),
            Some((_, None)) => Mapped::Nothing,
            None => Mapped::Unknown(text),
        }
    }

    /// Its pointer without the slash, for messages and tags.
    pub(super) fn name(&self) -> &str {
        match &self.origin {
            Origin::At(path) => path.strip_prefix('/').unwrap_or(path),
            _ => "template",
        }
    }

    /// The pointers in it.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        let (at, pieces): (_, &[Piece]) = match &self.origin {
            Origin::At(path) => (Some(path), &[]),
            Origin::Template(pieces) => (None, pieces),
            Origin::Const(_) | Origin::Table(_) => (None, &[]),
        };
        let in_pieces = pieces.iter().filter_map(|piece| match piece {
            Piece::At(path) => Some(path),
            Piece::Text(_) => None,
        });
        at.into_iter().chain(in_pieces).map(String::as_str)
    }

    fn found(&self, doc: &Document<'_>) -> Option<String> {
        match &self.origin {
            Origin::At(path) => doc.owned(path),
            Origin::Const(text) => Some(text.clone()),
            Origin::Template(pieces) => {
                let mut out = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Text(text) => out.push_str(text),
                        Piece::At(path) => out.push_str(&doc.text(path)?),
                    }
                }
                Some(out)
            }
            Origin::Table(_) => None,
        }
    }
}

/// What a source makes of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mapped {
    /// Its value.
    Value(String),
    /// There is no value, or one that counts as none.
    Nothing,
    /// There is a value, which fits no pattern.
    Unknown(String),
}

/// Is the text as the pattern says, in which one `*` stands for anything? Whole numbers are
/// compared as numbers: `7` fits `7.0`.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text || same_number(pattern, text),
        Some((head, tail)) => text.strip_prefix(head).is_some_and(|rest| rest.ends_with(tail)),
    }
}

fn pointer(path: &str) -> Result<String, String> {
    match path.starts_with('/') {
        true => Ok(path.to_owned()),
        false => Err(format!(
            "expected a JSON pointer such as \"/actor/id\", found {path:?} \
             (a fixed value is {{\"const\": {path:?}}})"
        )),
    }
}

fn text<'v>(key: &str, value: &'v Value) -> Result<&'v str, String> {
    value.as_str().ok_or_else(|| format!("{key}: expected text"))
}

fn strings(key: &str, value: &Value) -> Result<Vec<String>, String> {
    let items = value.as_array().ok_or_else(|| format!("{key}: expected a list of texts"))?;
    items.iter().map(|item| text(key, item).map(str::to_owned)).collect()
}

fn patterns(value: &Value) -> Result<Vec<(String, Option<String>)>, String> {
    let members = value.as_object().ok_or("map: expected an object of texts")?;
    let mut out = Vec::with_capacity(members.len());
    for (pattern, to) in members {
        if pattern.matches('*').count() > 1 {
            return Err(format!("map: {pattern:?} has more than one *"));
        }
        let to = if to.is_null() { None } else { Some(text("map", to)?.to_owned()) };
        out.push((pattern.clone(), to));
    }
    // Exact ones first, then the longer pattern.
    out.sort_by_key(|(pattern, _)| (pattern.contains('*'), std::cmp::Reverse(pattern.len())));
    Ok(out)
}

fn formats(value: &Value) -> Result<Vec<TimeFormat>, String> {
    let list = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    let format = |name: &Value| {
        serde_json::from_value(name.clone()).map_err(|_| {
            format!(
                "time: expected rfc3339, datetime_utc, epoch, epoch_s, epoch_ms, epoch_us or \
                 epoch_ns, found {name}"
            )
        })
    };
    list.iter().map(format).collect()
}

/// `gcp.{/protoPayload/methodName}`; `{{` and `}}` stand for single braces.
fn template(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, after) = rest.split_at(at);
        plain.push_str(before);
        if let Some(more) = after.strip_prefix("{{").or_else(|| after.strip_prefix("}}")) {
            plain.push_str(&after[..1]);
            rest = more;
            continue;
        }
        let (path, more) = after
            .strip_prefix('{')
            .and_then(|inside| inside.split_once('}'))
            .ok_or("template: a brace without its partner")?;
        if !plain.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut plain)));
        }
        pieces.push(Piece::At(pointer(path)?));
        rest = more;
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_text_and_pointers() {
        let pieces = template("{{a}}.{/b/c}{/d}!").unwrap();
        let at = |path: &str| Piece::At(path.to_owned());
        let text = |text: &str| Piece::Text(text.to_owned());
        assert_eq!(pieces, [text("{a}."), at("/b/c"), at("/d"), text("!")]);
        for bad in ["{/a", "a}", "{a}", "{}"] {
            assert!(template(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_longest_pattern_that_fits_wins() {
        let map =
            patterns(&serde_json::json!({"*": "any", "a*": "short", "ab*z": "long", "ab": "is"}));
        let map = map.unwrap();
        let find = |text: &str| {
            map.iter().find(|(p, _)| matches(p, text)).and_then(|(_, to)| to.as_deref())
        };
        assert_eq!(find("ab"), Some("is"));
        assert_eq!(find("abz"), Some("long"));
        assert_eq!(find("aab"), Some("short"));
        assert_eq!(find(""), Some("any"));
        assert!(!matches("aa*a", "aa"));
    }
}
