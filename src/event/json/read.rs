//! Reading events from JSON, strictly, with errors that name the field.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Display;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, Visitor};

use crate::event::entity::{Actor, Resource};
use crate::event::fields::{EventField, FIELDS, Value};
use crate::event::members::{Event, Redacted};
use crate::event::target::Target;
use crate::hash::Hash;
use crate::time::Timestamp;

/// An object whose fields are known by name.
trait Fields: Default {
    /// What the object is, for messages.
    const WHAT: &'static str;

    /// Reads the value of the field `name`; an unknown name is an error.
    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error>;
}

fn read_object<'de, F: Fields, D: Deserializer<'de>>(deserializer: D) -> Result<F, D::Error> {
    struct Object<F>(PhantomData<F>);

    impl<'de, F: Fields> Visitor<'de> for Object<F> {
        type Value = F;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{} as a JSON object", F::WHAT)
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<F, A::Error> {
            let mut fields = F::default();
            while let Some(name) = map.next_key::<Cow<'_, str>>()? {
                fields.read(&name, &mut map)?;
            }
            Ok(fields)
        }
    }

    deserializer.deserialize_map(Object(PhantomData))
}

/// A field: `None` until it has been read once.
type Slot<T> = Option<T>;

/// Reads one field into its slot; all errors name it.
fn fill<'de, A: MapAccess<'de>, T: Deserialize<'de>>(
    slot: &mut Slot<T>,
    name: &str,
    map: &mut A,
) -> Result<(), A::Error> {
    if slot.is_some() {
        return Err(twice(name));
    }
    match map.next_value() {
        Ok(value) => *slot = Some(value),
        Err(error) => return Err(A::Error::custom(format_args!("`{name}`: {error}"))),
    }
    Ok(())
}

fn required<T, E: Error>(slot: Slot<T>, name: &str) -> Result<T, E> {
    slot.ok_or_else(|| missing(name))
}

fn missing<E: Error>(name: &str) -> E {
    E::custom(format_args!("`{name}` is missing: it is required"))
}

fn twice<E: Error>(name: &str) -> E {
    E::custom(format_args!("`{name}` is given twice"))
}

fn unknown<E: Error>(name: &str, prefix: &str) -> E {
    let name: String = name.chars().take(64).collect();
    E::custom(format_args!(
        "`{prefix}{name}` is not a field: correct its name, or put it into `details` or `tags`"
    ))
}

/// The JSON shape, read strictly; only with `serde_json`'s deserializers, because
/// of the JSON values that are kept as text.
impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_object::<EventFields, D>(deserializer)?.finish()
    }
}

/// An event, and which rows of [`FIELDS`] were read into it.
struct EventFields {
    event: Event,
    seen: Seen,
}

/// The rows of [`FIELDS`] that were read: bit n for row n.
#[derive(Clone, Copy, Default)]
struct Seen(u64);

const _: () = assert!(FIELDS.len() <= 64, "a bit for each row");

impl Seen {
    fn has(self, row: usize) -> bool {
        self.0 >> row & 1 == 1
    }

    fn note(&mut self, row: usize) {
        self.0 |= 1 << row;
    }
}

impl Default for EventFields {
    fn default() -> Self {
        let event = Event::new(Actor::default(), "", Resource::default());
        EventFields { event, seen: Seen::default() }
    }
}

impl Fields for EventFields {
    const WHAT: &'static str = "an event";

    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        let is_named = |row: &usize| FIELDS[*row].name == name;
        if let Some(row) = (0..FIELDS.len()).find(is_named) {
            return self.read_field(row, name, map);
        }
        let is_member = |row: &usize| FIELDS[*row].object == Some(name);
        if let Some(first) = (0..FIELDS.len()).find(is_member) {
            return self.read_members(first, name, map);
        }
        match name {
            "seq" | "recorded_at" | "leaf_hash" | "payload" => Err(A::Error::custom(format_args!(
                "`{name}` is given by the log to a record: leave it out of an event"
            ))),
            _ => Err(unknown(name, "")),
        }
    }
}

impl EventFields {
    fn read_field<'de, A: MapAccess<'de>>(
        &mut self,
        row: usize,
        name: &str,
        map: &mut A,
    ) -> Result<(), A::Error> {
        if self.seen.has(row) {
            return Err(twice(name));
        }
        self.seen.note(row);
        put_value(&FIELDS[row], &mut self.event, map)
            .map_err(|error| A::Error::custom(format_args!("`{name}`: {error}")))
    }

    /// Reads an object whose members are rows from `first` on.
    fn read_members<'de, A: MapAccess<'de>>(
        &mut self,
        first: usize,
        name: &str,
        map: &mut A,
    ) -> Result<(), A::Error> {
        if self.seen.has(first) {
            return Err(twice(name));
        }
        self.seen.note(first);
        let members = Members { event: &mut self.event, object: name, seen: Seen::default() };
        map.next_value_seed(members)
            .map_err(|error| A::Error::custom(format_args!("`{name}`: {error}")))
    }

    fn finish<E: Error>(self) -> Result<Event, E> {
        for (row, field) in FIELDS.iter().enumerate() {
            // The members of an object were asked for where it was read.
            let is_first = row.checked_sub(1).is_none_or(|before| {
                field.object.is_none() || FIELDS[before].object != field.object
            });
            let is_needed = field.required && !is_optional(field.object);
            if is_first && is_needed && !self.seen.has(row) {
                return Err(missing(field.object.unwrap_or(field.name)));
            }
        }
        Ok(self.event)
    }
}

/// Whether an object may be left out.
fn is_optional(object: Option<&str>) -> bool {
    object == Some("on_behalf_of")
}

/// Reads the value of a field into an event. `null` counts as absent where the field may be.
fn put_value<'de, A: MapAccess<'de>>(
    field: &EventField,
    event: &mut Event,
    map: &mut A,
) -> Result<(), A::Error> {
    match field.value {
        Value::Text { put, .. } if field.required => put(event, map.next_value()?),
        Value::Text { put, .. } => {
            if let Some(text) = map.next_value::<Option<String>>()? {
                put(event, text);
            }
        }
        Value::Parsed { put, .. } => {
            if let Some(text) = map.next_value::<Option<String>>()? {
                put(event, &text).map_err(A::Error::custom)?;
            }
        }
        Value::Number { put, .. } => {
            if let Some(number) = map.next_value::<Option<u64>>()? {
                put(event, number);
            }
        }
        Value::Json { put, .. } => put(event, map.next_value()?),
        Value::ChangedFields => event.changed_fields = or_none(map)?,
        Value::Tags => event.tags = or_none::<Tags, A>(map)?.0,
        Value::Targets => event.targets = or_none(map)?,
        Value::Redacted => event.redacted = map.next_value()?,
    }
    Ok(())
}

fn or_none<'de, T: Deserialize<'de> + Default, A: MapAccess<'de>>(
    map: &mut A,
) -> Result<T, A::Error> {
    map.next_value::<Option<T>>().map(Option::unwrap_or_default)
}

/// Reads the members of an object of an event.
struct Members<'e, 'n> {
    event: &'e mut Event,
    object: &'n str,
    seen: Seen,
}

impl<'de> DeserializeSeed<'de> for Members<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match is_optional(Some(self.object)) {
            true => deserializer.deserialize_option(self),
            false => deserializer.deserialize_map(self),
        }
    }
}

impl<'de> Visitor<'de> for Members<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.object == "resource" { "a resource" } else { "an actor" };
        write!(f, "{what} as a JSON object")
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let object = self.object;
        let is_member = move |field: &EventField| field.object == Some(object);
        while let Some(name) = map.next_key::<Cow<'_, str>>()? {
            let row = FIELDS.iter().position(|field| is_member(field) && field.member == name);
            let row = row.ok_or_else(|| unknown(&name, &format!("{object}.")))?;
            if self.seen.has(row) {
                return Err(twice(&name));
            }
            self.seen.note(row);
            put_value(&FIELDS[row], self.event, &mut map)
                .map_err(|error| A::Error::custom(format_args!("`{name}`: {error}")))?;
        }
        for (row, field) in FIELDS.iter().enumerate() {
            if is_member(field) && field.required && !self.seen.has(row) {
                return Err(missing(field.member));
            }
        }
        Ok(())
    }
}

/// An event with what a log gave to its record.
pub(super) struct Recorded {
    pub(super) event: Event,
    pub(super) payload: Option<String>,
}

#[derive(Default)]
struct RecordFields {
    event: EventFields,
    seq: Slot<u64>,
    recorded_at: Slot<Text<Timestamp>>,
    leaf_hash: Slot<Text<Hash>>,
    payload: Slot<String>,
}

impl Fields for RecordFields {
    const WHAT: &'static str = "an event";

    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "seq" => fill(&mut self.seq, name, map),
            "recorded_at" => fill(&mut self.recorded_at, name, map),
            "leaf_hash" => fill(&mut self.leaf_hash, name, map),
            "payload" => fill(&mut self.payload, name, map),
            _ => self.event.read(name, map),
        }
    }
}

impl<'de> Deserialize<'de> for Recorded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = read_object::<RecordFields, D>(deserializer)?;
        let payload = fields.payload;
        if let Some(state) = payload.as_deref()
            && !matches!(state, "sealed" | "erased" | "withheld")
        {
            return Err(D::Error::custom("`payload`: expected sealed, erased or withheld"));
        }
        Ok(Recorded { event: fields.event.finish()?, payload })
    }
}

#[derive(Default)]
struct TargetFields {
    kind: Slot<String>,
    id: Slot<String>,
    role: Slot<Option<String>>,
}

impl Fields for TargetFields {
    const WHAT: &'static str = "a target";

    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "type" => fill(&mut self.kind, name, map),
            "id" => fill(&mut self.id, name, map),
            "role" => fill(&mut self.role, name, map),
            _ => Err(unknown(name, "targets.")),
        }
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = read_object::<TargetFields, D>(deserializer)?;
        Ok(Target {
            kind: required(fields.kind, "type")?,
            id: required(fields.id, "id")?,
            role: fields.role.flatten(),
        })
    }
}

#[derive(Default)]
struct RedactedFields {
    rules: Slot<String>,
    paths: Slot<Vec<String>>,
    more: Slot<Option<u64>>,
}

impl Fields for RedactedFields {
    const WHAT: &'static str = "what was redacted";

    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "rules" => fill(&mut self.rules, name, map),
            "paths" => fill(&mut self.paths, name, map),
            "more" => fill(&mut self.more, name, map),
            _ => Err(unknown(name, "redacted.")),
        }
    }
}

impl<'de> Deserialize<'de> for Redacted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = read_object::<RedactedFields, D>(deserializer)?;
        Ok(Redacted {
            rules: required(fields.rules, "rules")?,
            paths: required(fields.paths, "paths")?,
            more: fields.more.flatten().unwrap_or(0),
        })
    }
}

/// Tags; a repeated key is an error.
#[derive(Default)]
struct Tags(BTreeMap<String, String>);

impl Fields for Tags {
    const WHAT: &'static str = "tags";

    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        let mut slot = self.0.remove(name);
        fill(&mut slot, name, map)?;
        self.0.extend(slot.map(|value| (name.to_owned(), value)));
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_object(deserializer)
    }
}

/// Read from its text form.
struct Text<T>(T);

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Text).map_err(D::Error::custom)
    }
}
