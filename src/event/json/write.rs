//! Writing events and records as JSON.

use std::fmt::Display;

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::event::fields::{EventField, FIELDS, Part, Value};
use crate::event::members::{Event, Redacted};
use crate::event::record::Record;
use crate::event::target::Target;

/// The fields of an event that stand in these rows, side by side, of [`FIELDS`].
struct Members<'e> {
    event: &'e Event,
    rows: &'static [EventField],
}

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for field in self.rows.iter().filter(|field| field.is_in(self.event)) {
            put_value(&mut map, field.member, field, self.event)?;
        }
        map.end()
    }
}

/// Writes all that an event has, the members of an object as an object.
fn put_event<M: SerializeMap>(map: &mut M, event: &Event) -> Result<(), M::Error> {
    let mut left: &'static [EventField] = &FIELDS;
    while let Some(field) = left.first() {
        let same = |row: &&EventField| field.object.is_some() && row.object == field.object;
        let len = left.iter().take_while(same).count().max(1);
        let (rows, rest) = left.split_at(len);
        left = rest;
        if !rows.iter().any(|row| row.part != Part::Nowhere && row.is_in(event)) {
            continue;
        }
        match field.object {
            Some(object) => map.serialize_entry(object, &Members { event, rows })?,
            None => put_value(map, field.name, field, event)?,
        }
    }
    Ok(())
}

/// Writes the value of a field that the event has.
fn put_value<M: SerializeMap>(
    map: &mut M,
    name: &'static str,
    field: &EventField,
    event: &Event,
) -> Result<(), M::Error> {
    match field.value {
        Value::Text { get, .. } => map.serialize_entry(name, &get(event)),
        Value::Parsed { get, .. } => map.serialize_entry(name, &get(event).map(AsText)),
        Value::Number { get, .. } => map.serialize_entry(name, &get(event)),
        Value::Json { get, .. } => map.serialize_entry(name, &get(event)),
        Value::ChangedFields => map.serialize_entry(name, &event.changed_fields),
        Value::Tags => map.serialize_entry(name, &event.tags),
        Value::Targets => map.serialize_entry(name, &TargetShapes(&event.targets)),
        Value::Redacted => {
            map.serialize_entry(name, &event.redacted.as_ref().map(RedactedShape::from))
        }
    }
}

#[derive(serde::Serialize)]
struct RedactedShape<'a> {
    rules: &'a str,
    paths: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<u64>,
}

struct TargetShapes<'a>(&'a [Target]);

impl Serialize for TargetShapes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(TargetShape::from))
    }
}

#[derive(serde::Serialize)]
struct TargetShape<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
}

/// Written as its text form.
struct AsText<T>(T);

impl<T: Display> Serialize for AsText<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'a> From<&'a Target> for TargetShape<'a> {
    fn from(target: &'a Target) -> Self {
        let Target { kind, id, role } = target;
        TargetShape { kind, id, role: role.as_deref() }
    }
}

impl<'a> From<&'a Redacted> for RedactedShape<'a> {
    fn from(redacted: &'a Redacted) -> Self {
        let Redacted { rules, paths, more } = redacted;
        RedactedShape { rules, paths, more: Some(*more).filter(|more| *more > 0) }
    }
}

/// The JSON shape; only with `serde_json`'s serializers, because of the JSON values
/// that are kept as text.
impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        put_event(&mut map, self)?;
        map.end()
    }
}

/// The JSON shape; only with `serde_json`'s serializers, because of the JSON values
/// that are kept as text.
impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("seq", &self.seq.get())?;
        map.serialize_entry("recorded_at", &AsText(self.recorded_at))?;
        map.serialize_entry("leaf_hash", &AsText(self.leaf_hash))?;
        put_event(&mut map, &self.event)?;
        if let Some(absence) = self.payload.absence() {
            map.serialize_entry("payload", absence)?;
        }
        map.end()
    }
}

/// Raw line breaks can only stand between tokens (in strings they are escaped), so
/// spaces in their place leave the value the same.
pub(super) fn one_line(value: &impl Serialize) -> String {
    // Cannot fail: all keys are text and every `Json` was checked when it was made.
    let text = serde_json::to_string(value);
    debug_assert!(text.is_ok(), "{text:?}");
    let text = text.unwrap_or_default();
    if text.contains(['\n', '\r']) { text.replace(['\n', '\r'], " ") } else { text }
}
