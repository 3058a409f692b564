//! Mapping files: how the JSON of others becomes events. The reference with a
//! worked example is `docs/importers.md`.
//!
//! A mapping is read whole and checked before the first line, so that a slip in it
//! is one message, not a rejection per line.

mod apply;
mod source;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::document::unescape;
use source::Source;

/// How the JSON of one product becomes events: for each field of ours, where to
/// find its value.
#[derive(Clone, Debug)]
pub struct Mapping {
    name: String,
    /// Keys are names out of [`FIELDS`], or `tags.` and more.
    fields: BTreeMap<String, Vec<Source>>,
    /// Members that hold lists of events.
    lists: Vec<String>,
}

/// The fields that a mapping may fill, besides `tags.NAME`.
pub const FIELDS: [&str; 22] = [
    "id",
    "occurred_at",
    "tenant",
    "actor.type",
    "actor.id",
    "actor.email",
    "actor.role",
    "action",
    "resource.type",
    "resource.id",
    "outcome",
    "reason",
    "source",
    "ip",
    "user_agent",
    "session_id",
    "request_id",
    "correlation_id",
    "duration_ms",
    "changed_fields",
    "old_values",
    "new_values",
];

/// The fields without which no event is made.
const REQUIRED: [&str; 4] = ["actor.type", "actor.id", "action", "resource.type"];

/// The mappings that come with the tool: name and text.
const SHIPPED: [(&str, &str); 4] = [
    ("github", include_str!("../../mappings/github.json")),
    ("okta", include_str!("../../mappings/okta.json")),
    ("gcp", include_str!("../../mappings/gcp.json")),
    ("gworkspace", include_str!("../../mappings/gworkspace.json")),
];

/// The mapping cannot be used: where in it, what was expected, what was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct MappingError {
    message: String,
}

impl MappingError {
    fn new(message: impl Into<String>) -> Self {
        MappingError { message: message.into() }
    }
}

impl Mapping {
    /// The names of the mappings that come with the tool.
    pub fn names() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(|(name, _)| *name)
    }

    /// The mapping that `--map` names: one that comes with the tool, or a file.
    ///
    /// # Errors
    /// It is neither, or the file is not a mapping.
    pub fn open(name: &str) -> Result<Self, MappingError> {
        if let Some((_, text)) = SHIPPED.iter().find(|(shipped, _)| *shipped == name) {
            return Mapping::parse(text);
        }
        let text = std::fs::read_to_string(Path::new(name)).map_err(|error| {
            let names: Vec<_> = Mapping::names().collect();
            MappingError::new(format!(
                "{name}: not one of the mappings {}, and not a file: {error}",
                names.join(", ")
            ))
        })?;
        Mapping::parse(&text).map_err(|error| MappingError::new(format!("{name}: {error}")))
    }

    /// Reads a mapping from its text.
    ///
    /// # Errors
    /// It is not JSON of the shape that `docs/importers.md` describes, names a field
    /// that we do not have, or leaves out a required one.
    pub fn parse(text: &str) -> Result<Self, MappingError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let value: Value = serde_json::from_str(text)
            .map_err(|error| MappingError::new(format!("not JSON: {error}")))?;
        let members = value
            .as_object()
            .ok_or_else(|| MappingError::new("expected an object with name and fields"))?;
        if let Some(key) =
            members.keys().find(|key| !matches!(key.as_str(), "name" | "fields" | "lists"))
        {
            return Err(MappingError::new(format!(
                "expected name, fields and lists, found {key:?}"
            )));
        }
        let name = members.get("name").and_then(Value::as_str).unwrap_or("json").to_owned();
        let listed = members
            .get("fields")
            .and_then(Value::as_object)
            .ok_or_else(|| MappingError::new("expected an object under fields"))?;
        let mut fields = BTreeMap::new();
        for (field, value) in listed {
            fields.insert(field.clone(), sources(field, value)?);
        }
        match REQUIRED.iter().find(|field| !fields.contains_key(**field)) {
            Some(field) => Err(MappingError::new(format!("fields.{field} is required"))),
            None => Ok(Mapping { name, fields, lists: lists(members.get("lists"))? }),
        }
    }

    /// Names of members that hold lists of events, in objects around them.
    pub(crate) fn lists(&self) -> &[String] {
        &self.lists
    }

    /// Names of the members that actions are read from: the last name in each path.
    pub(crate) fn names_of_actions(&self) -> Vec<String> {
        let sources = self.fields.get("action").into_iter().flatten();
        sources.flat_map(Source::paths).map(last_name).collect()
    }

    /// Its name, as it gives it itself.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// The last step of a path that is a name, not a place in a list; empty if there is none.
fn last_name(path: &str) -> String {
    let is_place = |step: &&str| step.starts_with('[') || step.parse::<usize>().is_ok();
    let name = path.rsplit('/').find(|step| !is_place(step));
    name.map(|name| unescape(name).into_owned()).unwrap_or_default()
}

fn lists(value: Option<&Value>) -> Result<Vec<String>, MappingError> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let names = value.as_array().and_then(|names| {
        names.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
    });
    names.ok_or_else(|| MappingError::new("lists: expected a list of names of members"))
}

/// One source, or a list of them to be tried in order.
fn sources(field: &str, value: &Value) -> Result<Vec<Source>, MappingError> {
    let tag = field.strip_prefix("tags.").is_some_and(|name| !name.is_empty());
    if !tag && !FIELDS.contains(&field) {
        return Err(MappingError::new(format!(
            "fields.{field}: no such field; there are {} and tags.NAME",
            FIELDS.join(", ")
        )));
    }
    let list = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    let place = |at: usize| match value.is_array() {
        true => format!("fields.{field}[{at}]"),
        false => format!("fields.{field}"),
    };
    list.iter()
        .enumerate()
        .map(|(at, value)| {
            Source::parse(field, value)
                .map_err(|problem| MappingError::new(format!("{}: {problem}", place(at))))
        })
        .collect()
}

#[cfg(test)]
mod tests;
