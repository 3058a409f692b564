//! The fields of an event, in one table.
//!
//! [`FIELDS`] has a row for each field, in the order of its JSON. The row says where the field is
//! recorded, what it may hold, how a search finds it, and how it is read from and put into an
//! [`Event`]; [`limits`](super::limits), [`json`](super::json) and [`redact`](crate::redact) go
//! through the rows. `docs/format.md` has the same table (“Fields of an event”), and a test
//! compares the two.
//!
//! A new field of one of the kinds in `Value` is a member of [`Event`] with its setter, a row
//! here, and its place in the bytes of the body (`format/body.rs`).

use std::fmt::{self, Display};

use super::json_text::Json;
use super::maxima::{
    CHANGED_FIELD_LEN_MAX, CHANGED_FIELDS_MAX, ID_LEN_MAX, IP_LEN_MAX, JSON_DEPTH_MAX,
    JSON_LEN_MAX, LABEL_LEN_MAX, NAME_LEN_MAX, REASON_LEN_MAX, REDACTED_PATH_LEN_MAX,
    REDACTED_PATHS_MAX, SUBJECT_LEN_MAX, TAG_KEY_LEN_MAX, TAG_VALUE_LEN_MAX, TAGS_MAX,
    TARGETS_LEN_MAX, TARGETS_MAX, USER_AGENT_LEN_MAX,
};
use super::members::Event;

/// A field of an event.
#[derive(Clone, Copy, Debug)]
pub struct EventField {
    /// The name, as in JSON: of a member of an object its path, e.g. `actor.id`.
    pub name: &'static str,
    /// The object that it is a member of, e.g. `actor`; `None`: it stands in the event itself.
    pub object: Option<&'static str>,
    /// Its name within the object, or in the event.
    pub member: &'static str,
    /// Where it is recorded.
    pub part: Part,
    /// What it may hold.
    pub limit: Limit,
    /// How a search finds it.
    pub found_by: FoundBy,
    /// Whether [redaction](crate::redact) looks at it.
    pub redactable: bool,
    /// Whether an event has it always. A member of an object that may be absent: whether that
    /// object has it always.
    pub required: bool,
    pub(crate) value: Value,
}

/// Where a field is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// In the envelope, which stays readable as long as the record is kept.
    Envelope,
    /// In the payload, which can be withheld or erased.
    Payload,
    /// Nowhere: it tells the log what to do.
    Nowhere,
}

/// What a field may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// What its type can hold: in words.
    OfType(&'static str),
    /// A time from [`OCCURRED_AT_MIN`](super::limits::OCCURRED_AT_MIN) to
    /// [`OCCURRED_AT_MAX`](super::limits::OCCURRED_AT_MAX).
    Time,
    /// Text of 1 to so many bytes, without control characters.
    Identifier(usize),
    /// The same, which does not start with
    /// [`RESERVED_ACTION_PREFIX`](super::limits::RESERVED_ACTION_PREFIX).
    Action(usize),
    /// Text of up to so many bytes, without control characters.
    Line(usize),
    /// Text of up to so many bytes, without control characters but tabs and line feeds.
    Prose(usize),
    /// JSON of up to so many bytes, nested up to so many levels.
    Json(usize, usize),
    /// Up to so many texts of up to so many bytes.
    Names(usize, usize),
    /// Up to so many pairs of texts of up to so many bytes.
    Tags(usize, usize, usize),
    /// Up to so many targets, whose texts have up to so many bytes together.
    Targets(usize, usize),
    /// A name of rules, and up to so many paths of up to so many bytes.
    Redacted(usize, usize),
}

/// How a search finds a field. See `docs/format.md`, “Logical index” and “Index file”.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundBy {
    /// No index has it.
    Nothing,
    /// It is a term of the logical index, or part of one: proofs of completeness rest on it.
    Term,
    /// Its fingerprint stands in the index file.
    Fingerprint,
    /// It stands in the times of the logical index.
    Time,
}

/// How a field is read from an event and put into one. Putting replaces.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value {
    /// Text.
    Text { get: fn(&Event) -> Option<&str>, put: fn(&mut Event, String) },
    /// A value with a text form.
    Parsed {
        get: fn(&Event) -> Option<&dyn Display>,
        /// The error says what was expected, and what was found.
        put: fn(&mut Event, &str) -> Result<(), String>,
    },
    /// An integer.
    Number { get: fn(&Event) -> Option<u64>, put: fn(&mut Event, u64) },
    /// JSON, kept as it is.
    Json { get: fn(&Event) -> Option<&Json>, put: fn(&mut Event, Json) },
    /// [`Event::changed_fields`].
    ChangedFields,
    /// [`Event::tags`].
    Tags,
    /// [`Event::targets`].
    Targets,
    /// [`Event::redacted`].
    Redacted,
}

/// A text that every event has.
macro_rules! given {
    ($($at:ident).+) => {
        Value::Text { get: |e| Some(&e.$($at).+), put: |e, text| e.$($at).+ = text }
    };
}

/// A text that may be absent.
macro_rules! text {
    ($($at:ident).+) => {
        Value::Text { get: |e| e.$($at).+.as_deref(), put: |e, text| e.$($at).+ = Some(text) }
    };
}

/// A text that an actor has always, of the actor on whose behalf it was done.
macro_rules! behalf_given {
    ($at:ident) => {
        Value::Text {
            get: |e| e.on_behalf_of.as_ref().map(|actor| &*actor.$at),
            put: |e, text| e.on_behalf_of.get_or_insert_default().$at = text,
        }
    };
}

/// A text that an actor may lack, likewise.
macro_rules! behalf_text {
    ($at:ident) => {
        Value::Text {
            get: |e| e.on_behalf_of.as_ref().and_then(|actor| actor.$at.as_deref()),
            put: |e, text| e.on_behalf_of.get_or_insert_default().$at = Some(text),
        }
    };
}

/// A value with a text form, which may be absent.
macro_rules! parsed {
    ($at:ident) => {
        Value::Parsed {
            get: |e| e.$at.as_ref().map(|value| value as &dyn Display),
            put: |e, text| text.parse().map(|value| e.$at = Some(value)).map_err(in_words),
        }
    };
}

macro_rules! json {
    ($at:ident) => {
        Value::Json { get: |e| e.$at.as_ref(), put: |e, json| e.$at = Some(json) }
    };
}

const OUTCOME: Value = Value::Parsed {
    get: |e| Some(&e.outcome as &dyn Display),
    put: |e, text| text.parse().map(|outcome| e.outcome = outcome).map_err(in_words),
};
const DURATION: Value =
    Value::Number { get: |e| e.duration_ms, put: |e, millis| e.duration_ms = Some(millis) };

const JSON: Limit = Limit::Json(JSON_LEN_MAX, JSON_DEPTH_MAX);
const CHANGED: Limit = Limit::Names(CHANGED_FIELDS_MAX, CHANGED_FIELD_LEN_MAX);
const TAGS: Limit = Limit::Tags(TAGS_MAX, TAG_KEY_LEN_MAX, TAG_VALUE_LEN_MAX);
const TARGETS: Limit = Limit::Targets(TARGETS_MAX, TARGETS_LEN_MAX);
const REDACTED: Limit = Limit::Redacted(REDACTED_PATHS_MAX, REDACTED_PATH_LEN_MAX);
const TRACE: Limit = Limit::OfType("16 bytes, not all zeros");
const SPAN: Limit = Limit::OfType("8 bytes, not all zeros");
const NAME: Limit = Limit::Identifier(NAME_LEN_MAX);
const ID: Limit = Limit::Identifier(ID_LEN_MAX);
const LABEL: Limit = Limit::Line(LABEL_LEN_MAX);

/// All fields, in the order of the JSON of an event. The members of an object stand side by side.
pub static FIELDS: [EventField; ROWS.len()] = ROWS;

const ROWS: [EventField; 33] = [
    envelope("id", Limit::OfType("a UUID"), parsed!(id)).by(FoundBy::Fingerprint),
    envelope("occurred_at", Limit::Time, parsed!(occurred_at)).by(FoundBy::Time),
    envelope("tenant", NAME, text!(tenant)).by(FoundBy::Term),
    envelope("actor.type", NAME, given!(actor.kind)).by(FoundBy::Term).required(),
    envelope("actor.id", ID, given!(actor.id)).by(FoundBy::Term).required(),
    payload("actor.email", LABEL, text!(actor.email)),
    payload("actor.role", LABEL, text!(actor.role)),
    envelope("on_behalf_of.type", NAME, behalf_given!(kind)).by(FoundBy::Term).required(),
    envelope("on_behalf_of.id", ID, behalf_given!(id)).by(FoundBy::Term).required(),
    payload("on_behalf_of.email", LABEL, behalf_text!(email)),
    payload("on_behalf_of.role", LABEL, behalf_text!(role)),
    envelope("action", Limit::Action(NAME_LEN_MAX), given!(action)).by(FoundBy::Term).required(),
    envelope("resource.type", NAME, given!(resource.kind)).by(FoundBy::Term).required(),
    envelope("resource.id", ID, text!(resource.id)).by(FoundBy::Term),
    envelope("targets", TARGETS, Value::Targets).by(FoundBy::Term),
    envelope("outcome", Limit::OfType("one of its names"), OUTCOME).by(FoundBy::Term),
    payload("reason", Limit::Prose(REASON_LEN_MAX), text!(reason)),
    payload("source", LABEL, text!(source)),
    payload("ip", Limit::Line(IP_LEN_MAX), text!(ip)),
    payload("user_agent", Limit::Prose(USER_AGENT_LEN_MAX), text!(user_agent)),
    payload("session_id", LABEL, text!(session_id)),
    envelope("request_id", LABEL, text!(request_id)).by(FoundBy::Fingerprint),
    envelope("correlation_id", LABEL, text!(correlation_id)).by(FoundBy::Fingerprint),
    envelope("trace_id", TRACE, parsed!(trace_id)).by(FoundBy::Fingerprint),
    payload("span_id", SPAN, parsed!(span_id)).not_redactable(),
    payload("duration_ms", Limit::OfType("milliseconds"), DURATION).not_redactable(),
    payload("changed_fields", CHANGED, Value::ChangedFields),
    payload("old_values", JSON, json!(old_values)),
    payload("new_values", JSON, json!(new_values)),
    payload("tags", TAGS, Value::Tags),
    payload("details", JSON, json!(details)),
    payload("redacted", REDACTED, Value::Redacted).not_redactable(),
    EventField {
        part: Part::Nowhere,
        ..envelope("subject", Limit::Identifier(SUBJECT_LEN_MAX), text!(subject))
    },
];

/// How many fields a part has.
pub(crate) const fn fields_of(part: Part) -> usize {
    let (mut count, mut row) = (0, 0);
    while row < ROWS.len() {
        count += (ROWS[row].part as u8 == part as u8) as usize;
        row += 1;
    }
    count
}

/// How many bytes the texts of a part may have together, if each is as long as it may be.
pub(crate) const fn text_len_max(part: Part) -> usize {
    let (mut sum, mut row) = (0, 0);
    while row < ROWS.len() {
        if ROWS[row].part as u8 == part as u8 {
            sum += ROWS[row].limit.text_len_max();
        }
        row += 1;
    }
    sum
}

impl Limit {
    const fn text_len_max(self) -> usize {
        match self {
            Limit::OfType(_) | Limit::Time => 0,
            Limit::Identifier(max) | Limit::Action(max) | Limit::Line(max) | Limit::Prose(max) => {
                max
            }
            Limit::Json(max, _) | Limit::Targets(_, max) => max,
            Limit::Names(most, max) | Limit::Redacted(most, max) => most * max,
            Limit::Tags(most, key, value) => most * (key + value),
        }
    }
}

/// A field of the envelope: never redacted, because it identifies the event.
const fn envelope(name: &'static str, limit: Limit, value: Value) -> EventField {
    let dot = first_dot(name);
    EventField {
        name,
        object: match dot {
            Some(at) => Some(name.split_at(at).0),
            None => None,
        },
        member: match dot {
            Some(at) => name.split_at(at + 1).1,
            None => name,
        },
        part: Part::Envelope,
        limit,
        found_by: FoundBy::Nothing,
        redactable: false,
        required: false,
        value,
    }
}

/// Where the member's name begins, less one. At compile time: every record that is written as JSON asks
/// for the names of all its fields.
const fn first_dot(name: &str) -> Option<usize> {
    let bytes = name.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'.' {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// A field of the payload.
const fn payload(name: &'static str, limit: Limit, value: Value) -> EventField {
    EventField { part: Part::Payload, redactable: true, ..envelope(name, limit, value) }
}

impl EventField {
    const fn by(self, found_by: FoundBy) -> Self {
        EventField { found_by, ..self }
    }

    const fn required(self) -> Self {
        EventField { required: true, ..self }
    }

    const fn not_redactable(self) -> Self {
        EventField { redactable: false, ..self }
    }

    /// Whether the event has it. What is empty and may be absent is absent.
    pub fn is_in(&self, event: &Event) -> bool {
        match self.value {
            Value::Text { get, .. } => get(event).is_some(),
            Value::Parsed { get, .. } => get(event).is_some(),
            Value::Number { get, .. } => get(event).is_some(),
            Value::Json { get, .. } => get(event).is_some(),
            Value::ChangedFields => !event.changed_fields.is_empty(),
            Value::Tags => !event.tags.is_empty(),
            Value::Targets => !event.targets.is_empty(),
            Value::Redacted => event.redacted.is_some(),
        }
    }

    /// Its text; `None` if the event has none, or if it is no text.
    pub fn text<'e>(&self, event: &'e Event) -> Option<&'e str> {
        match self.value {
            Value::Text { get, .. } => get(event),
            _ => None,
        }
    }

    /// Gives it another text; a field that is no text stays as it is.
    pub fn set_text(&self, event: &mut Event, text: String) {
        if let Value::Text { put, .. } = self.value {
            put(event, text);
        }
    }
}

fn in_words(error: impl Display) -> String {
    error.to_string()
}

/// As in the table of `docs/format.md`.
impl Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Envelope => "envelope",
            Part::Payload => "payload",
            Part::Nowhere => "nowhere",
        })
    }
}

/// As in the table of `docs/format.md`.
impl Display for FoundBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FoundBy::Nothing => "",
            FoundBy::Term => "term",
            FoundBy::Fingerprint => "fingerprint",
            FoundBy::Time => "time",
        })
    }
}

/// As in the table of `docs/format.md`.
impl Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = grouped;
        match *self {
            Limit::OfType(words) => f.write_str(words),
            Limit::Time => f.write_str("the years 1678 to 2261"),
            Limit::Identifier(max) => write!(f, "1 to {} bytes", n(max)),
            Limit::Action(max) => write!(f, "1 to {} bytes, not `bulla.…`", n(max)),
            Limit::Line(max) => write!(f, "up to {} bytes", n(max)),
            Limit::Prose(max) => write!(f, "up to {} bytes, with tabs and line feeds", n(max)),
            Limit::Json(max, levels) => write!(f, "up to {} bytes, {levels} levels", n(max)),
            Limit::Names(most, max) => write!(f, "up to {} of up to {} bytes", n(most), n(max)),
            Limit::Tags(most, key, value) => write!(
                f,
                "up to {} of key (up to {} bytes) and value (up to {})",
                n(most),
                n(key),
                n(value)
            ),
            Limit::Targets(most, max) => {
                write!(f, "up to {} of up to {} bytes together", n(most), n(max))
            }
            Limit::Redacted(most, max) => {
                write!(f, "rules, and up to {} paths of up to {} bytes", n(most), n(max))
            }
        }
    }
}

/// A number with a comma before each three digits.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let (head, tail) = digits.split_at(first);
    let groups = tail.as_bytes().chunks(3).map(|group| String::from_utf8_lossy(group).into_owned());
    let all = Some(head.to_owned()).filter(|head| !head.is_empty()).into_iter().chain(groups);
    all.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Actor, Outcome, Redacted, Resource, SpanId, Target, TraceId};
    use crate::event::{EventId, limits};
    use crate::time::Timestamp;

    fn full() -> Event {
        let actor = || Actor::new("t", "i").email("e").role("r");
        let mut event = Event::new(actor(), "a", Resource::new("t", "i"))
            .id(EventId([1; 16]))
            .occurred_at(Timestamp::from_nanos(7))
            .on_behalf_of(actor())
            .target(Target::new("t", "i").role("r"))
            .outcome(Outcome::Unknown)
            .duration_ms(1)
            .changed_fields(["f"])
            .tag("k", "v")
            .trace_id(TraceId::from_bytes([1; 16]).unwrap())
            .span_id(SpanId::from_bytes([1; 8]).unwrap());
        for field in FIELDS.iter().filter(|field| !field.is_in(&event)).collect::<Vec<_>>() {
            match field.value {
                Value::Json { put, .. } => put(&mut event, Json::parse("1").unwrap()),
                Value::Redacted => event.redacted = Some(Redacted::default()),
                _ => field.set_text(&mut event, "x".to_owned()),
            }
        }
        event
    }

    #[test]
    fn the_document_has_the_same_table() {
        let document = include_str!("../../docs/format.md");
        let section = document.split("\n### Fields of an event\n").nth(1).unwrap();
        let section = section.split("\n### ").next().unwrap();
        let is_row = |line: &&str| line.starts_with("| `");
        let documented: Vec<&str> = section.lines().filter(is_row).collect();
        let rows = FIELDS.iter().map(|field| {
            let EventField { name, part, limit, found_by, .. } = field;
            let redactable = if field.redactable { "yes" } else { "" };
            let required = if field.required { "yes" } else { "" };
            let row =
                format!("| `{name}` | {required} | {part} | {limit} | {found_by} | {redactable} |");
            row.replace("  ", " ")
        });
        assert_eq!(documented, rows.collect::<Vec<_>>());
    }

    #[test]
    fn every_field_of_an_event_has_a_row_and_is_read_and_put_where_it_stands() {
        let event = full();
        // As many members as the JSON of the event has, one by one.
        let all_but_one: Vec<&EventField> =
            FIELDS.iter().filter(|field| field.part != Part::Nowhere).collect();
        for field in &all_but_one {
            assert!(field.is_in(&event), "{}", field.name);
        }
        for field in FIELDS.iter().filter(|field| field.text(&event).is_some()) {
            let mut other = event.clone();
            field.set_text(&mut other, "other".to_owned());
            assert_eq!(field.text(&other), Some("other"), "{}", field.name);
            let differ = FIELDS.iter().filter(|field| field.text(&other) != field.text(&event));
            assert_eq!(differ.count(), 1, "{}", field.name);
        }
        assert_eq!(
            Event::from_json(&event.to_json()).map(|read| read.to_json()).unwrap(),
            event.to_json()
        );
    }

    #[test]
    fn names_are_told_apart_and_members_of_an_object_stand_side_by_side() {
        let objects: Vec<_> = FIELDS.iter().map(|field| field.object).collect();
        for name in ["actor", "on_behalf_of", "resource"] {
            let places: Vec<usize> =
                (0..objects.len()).filter(|n| objects[*n] == Some(name)).collect();
            assert!(places.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{name}");
        }
        let names: std::collections::BTreeSet<_> = FIELDS.iter().map(|field| field.name).collect();
        assert_eq!(names.len(), FIELDS.len());
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(limits::REASON_LEN_MAX), "65,536");
        assert_eq!([grouped(0), grouped(999)], ["0", "999"]);
    }
}
