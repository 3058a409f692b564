//! Mapping files: how the JSON of others becomes events. The reference with a
//! worked example is `docs/importers.md`.
//!
//! A mapping is read whole and checked before the first line, so that a slip in it
//! is one message, not a rejection per line.

mod apply;
mod source;
mod targets;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::document::unescape;
use source::Source;
use targets::TargetSource;

/// How the JSON of one product becomes events: for each field of ours, where to
/// find its value.
#[derive(Clone, Debug)]
pub struct Mapping {
    name: String,
    /// Keys are names out of [`FIELDS`], or `tags.` and more.
    fields: BTreeMap<String, Vec<Source>>,
    /// Where the field `targets` comes from: from all of these.
    targets: Vec<TargetSource>,
    /// The member that holds several events, of an object that says once what they have in common.
    split: Option<String>,
    /// Members that hold lists of events.
    lists: Vec<String>,
}

/// The fields that a mapping may fill, besides `tags.NAME`.
pub const FIELDS: [&str; 29] = [
    "id",
    "occurred_at",
    "tenant",
    "actor.type",
    "actor.id",
    "actor.email",
    "actor.role",
    "on_behalf_of.type",
    "on_behalf_of.id",
    "on_behalf_of.email",
    "on_behalf_of.role",
    "action",
    "resource.type",
    "resource.id",
    TARGETS,
    "outcome",
    "reason",
    "source",
    "ip",
    "user_agent",
    "session_id",
    "request_id",
    "correlation_id",
    "trace_id",
    "span_id",
    "duration_ms",
    "changed_fields",
    "old_values",
    "new_values",
];

/// The field that is a list.
const TARGETS: &str = "targets";

/// The fields without which no event is made.
const REQUIRED: [&str; 4] = ["actor.type", "actor.id", "action", "resource.type"];

/// The fields that belong together: a mapping with one of these has both.
const TOGETHER: [&str; 2] = ["on_behalf_of.type", "on_behalf_of.id"];

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
        let known = |key: &str| matches!(key, "name" | "fields" | "lists" | "split");
        if let Some(key) = members.keys().find(|key| !known(key)) {
            return Err(MappingError::new(format!(
                "expected name, fields, lists and split, found {key:?}"
            )));
        }
        let name = members.get("name").and_then(Value::as_str).unwrap_or("json").to_owned();
        let listed = members
            .get("fields")
            .and_then(Value::as_object)
            .ok_or_else(|| MappingError::new("expected an object under fields"))?;
        let mut mapping = Mapping {
            name,
            fields: BTreeMap::new(),
            targets: Vec::new(),
            split: split(members.get("split"))?,
            lists: lists(members.get("lists"))?,
        };
        for (field, value) in listed {
            if field == TARGETS {
                mapping.targets = each_of(field, value, TargetSource::parse)?;
            } else {
                mapping.fields.insert(field.clone(), sources(field, value)?);
            }
        }
        mapping.check_required()?;
        Ok(mapping)
    }

    fn check_required(&self) -> Result<(), MappingError> {
        let has = |field: &&str| self.fields.contains_key(*field);
        if let Some(field) = REQUIRED.iter().find(|field| !has(field)) {
            return Err(MappingError::new(format!("fields.{field} is required")));
        }
        let of_another = self.fields.keys().any(|field| field.starts_with("on_behalf_of."));
        match TOGETHER.iter().find(|field| of_another && !has(field)) {
            Some(field) => Err(MappingError::new(format!(
                "fields.{field} is required, because there is another of on_behalf_of"
            ))),
            None => Ok(()),
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

fn split(value: Option<&Value>) -> Result<Option<String>, MappingError> {
    let Some(value) = value else { return Ok(None) };
    match value.as_str().filter(|name| !name.is_empty()) {
        Some(name) => Ok(Some(name.to_owned())),
        None => Err(MappingError::new("split: expected the name of a member")),
    }
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
    each_of(field, value, |value| Source::parse(field, value))
}

/// What stands under a field: one thing, or a list of them.
fn each_of<T>(
    field: &str,
    value: &Value,
    parse: impl Fn(&Value) -> Result<T, String>,
) -> Result<Vec<T>, MappingError> {
    let list = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    let place = |at: usize| match value.is_array() {
        true => format!("fields.{field}[{at}]"),
        false => format!("fields.{field}"),
    };
    let parsed = list.iter().enumerate().map(|(at, value)| {
        parse(value).map_err(|problem| MappingError::new(format!("{}: {problem}", place(at))))
    });
    parsed.collect()
}

#[cfg(test)]
mod tests;
