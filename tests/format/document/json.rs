//! “JSON of a record” in `docs/format.md` is what the library writes: the table of members, and
//! a writer made from the text of the section alone.

use std::collections::BTreeMap;
use std::fmt;

use bulla::event::fields::{EventField, FIELDS, Part};
use bulla::event::{Anchor, Json, PayloadState, Redacted, SpanId, Target, TraceId};
use bulla::{
    Actor, Event, EventId, Hash, Outcome, Query, Record, Resource, Seq, Timestamp, TreeSize, Vault,
};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{DOCUMENT, counting, time};

/// A row of the table of members.
struct Row {
    member: &'static str,
    value: &'static str,
    written: &'static str,
}

fn rows() -> Vec<Row> {
    let section = DOCUMENT.split("\n## JSON of a record\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, number, member, value, _, written, _] = cells.as_slice() else { return None };
        number.parse::<u32>().ok()?;
        Some(Row { member: member.trim_matches('`'), value, written })
    });
    rows.collect()
}

fn names(wanted: impl Fn(&Row) -> bool) -> Vec<&'static str> {
    rows().iter().filter(|row| wanted(row)).map(|row| row.member).collect()
}

/// The members of an object in the order of its text.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

/// The members that a text has, in its order, those of inner objects too, and of the first target.
fn members(text: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (name, value) in serde_json::from_str::<Members>(text).unwrap().0 {
        all.push((name.clone(), value.get().to_owned()));
        if ["actor", "on_behalf_of", "resource", "redacted", "targets"].contains(&name.as_str()) {
            let first: Vec<Box<RawValue>> = match name.as_str() {
                "targets" => serde_json::from_str(value.get()).unwrap(),
                _ => vec![value],
            };
            let inner: Members = serde_json::from_str(first[0].get()).unwrap();
            let inner = inner.0.into_iter();
            all.extend(inner.map(|(of, value)| (format!("{name}.{of}"), value.get().to_owned())));
        }
    }
    all
}

fn member_names(text: &str) -> Vec<String> {
    members(text).into_iter().map(|(name, _)| name).collect()
}

/// As a log records it: with what is always written, and nothing else.
fn smallest() -> Event {
    Event::new(Actor::new("user", "alice"), "user.login", Resource::kind_only("session"))
        .id(EventId(counting(0x40)))
        .occurred_at(time())
}

fn with_redacted(mut event: Event, more: u64) -> Event {
    let paths = vec!["details/password".to_owned()];
    event.redacted = Some(Redacted { rules: "bulla/1".to_owned(), paths, more });
    event
}

/// The first target is this one.
fn with_targets(mut event: Event, target: Target) -> Event {
    event.targets = vec![target, Target::new("file", "/etc/hosts")];
    event
}

/// What sets one member that need not be written.
type Setter = fn(Event) -> Event;

const SETTERS: &[(&str, Setter)] = &[
    ("tenant", |event| event.tenant("acme")),
    ("actor.email", |mut event| {
        event.actor = event.actor.email("a@example.com");
        event
    }),
    ("actor.role", |mut event| {
        event.actor = event.actor.role("clerk");
        event
    }),
    ("on_behalf_of", |event| event.on_behalf_of(Actor::new("user", "carol"))),
    ("on_behalf_of.email", |event| {
        event.on_behalf_of(Actor::new("user", "carol").email("c@example.com"))
    }),
    ("on_behalf_of.role", |mut event| {
        let actor = event.on_behalf_of.take().unwrap_or(Actor::new("user", "carol"));
        event.on_behalf_of(actor.role("owner"))
    }),
    ("resource.id", |mut event| {
        event.resource.id = Some("42".to_owned());
        event
    }),
    ("targets", |event| with_targets(event, Target::new("user", "u\"1"))),
    ("targets.role", |event| with_targets(event, Target::new("user", "u-1").role("payer"))),
    ("reason", |event| event.reason("")),
    ("source", |event| event.source("api")),
    ("ip", |event| event.ip("203.0.113.9")),
    ("user_agent", |event| event.user_agent("curl/8")),
    ("session_id", |event| event.session_id("s")),
    ("request_id", |event| event.request_id("q")),
    ("correlation_id", |event| event.correlation_id("c")),
    ("trace_id", |event| event.trace_id(TraceId::from_bytes(counting(0xa0)).unwrap())),
    ("span_id", |event| event.span_id(SpanId::from_bytes([0xab; 8]).unwrap())),
    ("duration_ms", |event| event.duration_ms(u64::MAX)),
    ("changed_fields", |event| event.changed_fields(["b", "a"])),
    ("old_values", |event| event.old_values(json("null"))),
    ("new_values", |event| event.new_values(json("{\"z\": 1.00,\r\n\"a\":1e999}"))),
    ("tags", |event| event.tag("é", "1").tag("z", "2").tag("Z", "/")),
    ("details", |event| event.details(json("[\"\\ud800\\u0041\"]"))),
    ("redacted", |event| with_redacted(event, 0)),
    ("redacted.more", |event| with_redacted(event, 3)),
];

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

fn record(event: Event) -> Record {
    Record::of_event(Seq::new(u64::MAX), time(), Hash::from_bytes([0xab; 32]), event)
}

fn full() -> Record {
    record(SETTERS.iter().fold(smallest(), |event, (_, set)| set(event)))
}

fn anchor() -> Record {
    let anchor = Anchor {
        catalog_size: TreeSize::new(9),
        catalog_root: Hash::from_bytes([1; 32]),
        state_root: Hash::from_bytes([2; 32]),
    };
    Record::of_anchor(Seq::new(3), time(), Hash::from_bytes([0xab; 32]), anchor)
}

#[test]
fn the_table_names_the_members_that_the_code_writes() {
    let source = include_str!("../../../src/event/json/write.rs");
    let mut coded = vec!["seq".to_owned(), "recorded_at".to_owned(), "leaf_hash".to_owned()];
    let mut before = None;
    for field in FIELDS.iter().filter(|field| field.part != Part::Nowhere) {
        let object = field.object.filter(|object| before != Some(*object));
        coded.extend(object.map(str::to_owned));
        coded.push(field.name.to_owned());
        before = field.object;
        let shape_of = [("targets", "TargetShape"), ("redacted", "RedactedShape")];
        let inner = shape_of.into_iter().filter(|(name, _)| *name == field.name);
        let inner = inner.flat_map(|(name, inner)| {
            shape(source, inner).into_iter().map(move |inner| format!("{name}.{inner}"))
        });
        coded.extend(inner);
    }
    coded.push("payload".to_owned());
    assert_eq!(names(|_| true), coded);
}

#[test]
fn what_is_always_written_is_what_an_event_must_have() {
    let always = names(|row| row.written == "always");
    // Times, outcome and id are filled in; objects are named by their members.
    let must = |field: &&EventField| field.required && field.object != Some("on_behalf_of");
    for field in FIELDS.iter().filter(must) {
        assert!(always.contains(&field.name), "{}", field.name);
    }
}

/// The fields of a shape in the code, by their names in JSON.
fn shape(source: &str, name: &str) -> Vec<String> {
    let body = source.split(&format!("struct {name}<'a> {{")).nth(1).unwrap();
    let body = body.split("\n}").next().unwrap();
    let mut renamed = None;
    let mut fields = Vec::new();
    for line in body.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("#[serde(rename = \"") {
            renamed = name.split('"').next();
        } else if let Some((name, _)) = line.split_once(": ") {
            fields.push(renamed.take().unwrap_or(name).to_owned());
        }
    }
    fields
}

#[test]
fn members_are_written_in_the_order_of_the_table() {
    let shown = member_names(&full().to_json());
    assert_eq!(shown, names(|row| row.member != "payload"));
    let sealed = member_names(&record(smallest()).with_payload(PayloadState::Sealed).to_json());
    assert_eq!(sealed, names(|row| is_always(row) || row.member == "payload"));
}

fn is_always(row: &Row) -> bool {
    row.written == "always" || row.member == "id"
}

#[test]
fn a_member_is_absent_when_the_table_says_so() {
    assert_eq!(member_names(&record(smallest()).to_json()), names(is_always));
    let optional = names(|row| !row.written.starts_with("always") && row.member != "payload");
    assert_eq!(optional, SETTERS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for (name, set) in SETTERS {
        let of = name.split('.').next().unwrap();
        let inner = |row: &Row| {
            let is_inner = row.member.starts_with(of) && row.written.starts_with("always in");
            row.member == *name || is_inner
        };
        let expected = names(|row| is_always(row) || inner(row) || row.member == of);
        assert_eq!(member_names(&record(set(smallest())).to_json()), expected, "{name}");
    }
}

#[test]
fn an_anchor_has_the_members_of_an_event_of_the_log_but_no_id() {
    let expected = names(|row| row.written == "always" || row.member == "details");
    assert_eq!(member_names(&anchor().to_json()), expected);
    let shown = anchor().to_json().replace(&time().to_string(), "T");
    let shown = [[0xab; 32], [1; 32], [2; 32]]
        .iter()
        .fold(shown, |text, hash| text.replace(&Hash::from_bytes(*hash).to_string(), "HASH"));
    let shown = shown.replace(":3,", ":SEQ,").replace(":9,", ":INTEGER,");
    assert!(DOCUMENT.replace(",\n\"", ",\"").contains(&shown), "docs/format.md: {shown}");
}

#[test]
fn values_have_the_types_of_the_table() {
    let mut values: BTreeMap<String, String> = members(&full().to_json()).into_iter().collect();
    values.insert("payload".to_owned(), "\"sealed\"".to_owned());
    for Row { member, value, .. } in rows() {
        let text = &values[member];
        let parsed = serde_json::from_str::<serde_json::Value>(text).ok();
        let is = |of: fn(&serde_json::Value) -> bool| parsed.as_ref().is_some_and(of);
        let fits = match value {
            "integer" => is(serde_json::Value::is_u64),
            "text" => is(serde_json::Value::is_string),
            "time" => text.len() == 32 && text.ends_with("Z\"") && is(serde_json::Value::is_string),
            "hex" => {
                [66, 34, 18].contains(&text.len())
                    && text.bytes().all(|b| b"\"0123456789abcdef".contains(&b))
            }
            "UUID" => text.len() == 38 && text.matches('-').count() == 4,
            "object" => text.starts_with('{'),
            "list of objects" => is(|list| list.as_array().unwrap().iter().all(|v| v.is_object())),
            "list of texts" => is(|list| list.as_array().unwrap().iter().all(|v| v.is_string())),
            "object of texts" => is(|map| map.as_object().unwrap().values().all(|v| v.is_string())),
            "JSON" => true,
            other => panic!("{member}: a value of the kind {other}"),
        };
        assert!(fits, "{member} is {value} in the document: {text}");
    }
}

#[test]
fn a_writer_made_from_the_document_makes_the_same_bytes() {
    let controls: String = (0..=0x20_u8).chain([0x7f]).map(char::from).collect();
    let nasty = format!("\"\\/{controls}é\u{2028}\u{fffd}\u{1f512}</script>");
    let mut strange = full();
    for text in [&mut strange.event.actor.id, &mut strange.event.action] {
        text.push_str(&nasty);
    }
    strange.event.tags.insert(nasty.clone(), nasty.clone());
    strange.event.changed_fields.push(nasty.clone());
    strange.event.redacted = Some(Redacted { rules: nasty, paths: Vec::new(), more: 0 });
    let early = Timestamp::from_nanos(i64::MIN);
    let mut records = vec![strange, full(), anchor(), record(smallest())];
    records.push(Record { recorded_at: early, seq: Seq::new(0), ..record(smallest()) });
    records.extend(Outcome::ALL.map(|outcome| record(smallest().outcome(outcome))));
    records.extend(SETTERS.iter().map(|(_, set)| record(set(smallest()))));
    for state in [
        PayloadState::Plain,
        PayloadState::Decrypted,
        PayloadState::Sealed,
        PayloadState::Erased,
        PayloadState::Withheld,
    ] {
        records.push(record(smallest()).with_payload(state));
    }
    for record in records {
        assert_eq!(record.to_json(), by_the_document(&record));
        let event = members(&record.event.to_json());
        let rest = |(name, _): &(String, String)| {
            !["seq", "recorded_at", "leaf_hash", "payload"].contains(&name.as_str())
        };
        let of_record: Vec<_> = members(&record.to_json()).into_iter().filter(rest).collect();
        assert_eq!(event, of_record, "an event has the rest of the members");
    }
}

/// A record as the section says it is written.
fn by_the_document(record: &Record) -> String {
    let event = &record.event;
    let mut line = Object::default();
    line.add("seq", Some(record.seq.get().to_string()));
    line.add("recorded_at", Some(quoted(&record.recorded_at.to_string())));
    line.add("leaf_hash", Some(quoted(&record.leaf_hash.to_string())));
    line.add("id", event.id.map(|id| quoted(&id.to_string())));
    line.add("occurred_at", event.occurred_at.map(|time| quoted(&time.to_string())));
    line.text("tenant", event.tenant.as_ref());
    let mut actor = Object::default();
    actor.text("type", Some(&event.actor.kind));
    actor.text("id", Some(&event.actor.id));
    actor.text("email", event.actor.email.as_ref());
    actor.text("role", event.actor.role.as_ref());
    line.add("actor", Some(actor.end()));
    if let Some(behalf) = &event.on_behalf_of {
        let mut actor = Object::default();
        actor.text("type", Some(&behalf.kind));
        actor.text("id", Some(&behalf.id));
        actor.text("email", behalf.email.as_ref());
        actor.text("role", behalf.role.as_ref());
        line.add("on_behalf_of", Some(actor.end()));
    }
    line.text("action", Some(&event.action));
    let mut resource = Object::default();
    resource.text("type", Some(&event.resource.kind));
    resource.text("id", event.resource.id.as_ref());
    line.add("resource", Some(resource.end()));
    let targets = event.targets.iter().map(|target| {
        let mut object = Object::default();
        object.text("type", Some(&target.kind));
        object.text("id", Some(&target.id));
        object.text("role", target.role.as_ref());
        object.end()
    });
    let targets: Vec<String> = targets.collect();
    line.add("targets", (!targets.is_empty()).then(|| format!("[{}]", targets.join(","))));
    line.text("outcome", Some(&event.outcome.to_string()));
    line.text("reason", event.reason.as_ref());
    line.text("source", event.source.as_ref());
    line.text("ip", event.ip.as_ref());
    line.text("user_agent", event.user_agent.as_ref());
    line.text("session_id", event.session_id.as_ref());
    line.text("request_id", event.request_id.as_ref());
    line.text("correlation_id", event.correlation_id.as_ref());
    line.add("trace_id", event.trace_id.map(|id| quoted(&id.to_string())));
    line.add("span_id", event.span_id.map(|id| quoted(&id.to_string())));
    line.add("duration_ms", event.duration_ms.map(|millis| millis.to_string()));
    let changed = Some(&event.changed_fields).filter(|fields| !fields.is_empty());
    line.add("changed_fields", changed.map(|fields| list(fields)));
    line.json("old_values", event.old_values.as_ref());
    line.json("new_values", event.new_values.as_ref());
    let mut tags = Object::default();
    let mut sorted: Vec<_> = event.tags.iter().collect();
    sorted.sort_by_key(|(key, _)| key.as_bytes());
    sorted.into_iter().for_each(|(key, value)| tags.text(key, Some(value)));
    line.add("tags", (!event.tags.is_empty()).then(|| tags.end()));
    line.json("details", event.details.as_ref());
    line.add("redacted", event.redacted.as_ref().map(redacted_by_the_document));
    line.add("payload", absence(record.payload).map(quoted));
    line.end()
}

fn redacted_by_the_document(redacted: &Redacted) -> String {
    let mut object = Object::default();
    object.text("rules", Some(&redacted.rules));
    object.add("paths", Some(list(&redacted.paths)));
    object.add("more", (redacted.more > 0).then(|| redacted.more.to_string()));
    object.end()
}

fn absence(state: PayloadState) -> Option<&'static str> {
    match state {
        PayloadState::Sealed => Some("sealed"),
        PayloadState::Erased => Some("erased"),
        PayloadState::Withheld => Some("withheld"),
        _ => None,
    }
}

#[derive(Default)]
struct Object(Vec<String>);

impl Object {
    fn add(&mut self, name: &str, value: Option<String>) {
        self.0.extend(value.map(|value| format!("{}:{value}", quoted(name))));
    }

    fn text(&mut self, name: &str, text: Option<&String>) {
        self.add(name, text.map(|text| quoted(text)));
    }

    fn json(&mut self, name: &str, json: Option<&Json>) {
        self.add(name, json.map(|json| json.as_str().replace(['\n', '\r'], " ")));
    }

    fn end(self) -> String {
        format!("{{{}}}", self.0.join(","))
    }
}

fn list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", texts.join(","))
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\0'..' ' => out.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}

#[test]
fn a_tenant_sees_the_same_members_with_a_reference_in_front() {
    let dir = tempfile::tempdir().unwrap();
    let vault = Vault::create(dir.path().join("vault")).unwrap();
    let tenant = vault.tenant("acme").unwrap();
    let mut event = full().event;
    // Places without a path come behind as many paths as fit.
    let paths = (0..256).map(|n| format!("details/{n}")).collect();
    event.redacted = Some(Redacted { rules: "bulla/1".to_owned(), paths, more: 3 });
    let receipt = tenant.append(&event).unwrap();
    let shown = tenant.get(&receipt.reference).unwrap();
    let mut expected = vec!["reference"];
    expected.extend(names(|row| !["seq", "leaf_hash", "payload"].contains(&row.member)));
    assert_eq!(member_names(&shown.to_json()), expected);
    let found = tenant.query(&Query::new()).unwrap().next().unwrap().unwrap();
    assert_eq!(member_names(&found.to_json()), expected);
}

#[test]
fn the_record_of_the_worked_example_is_shown_in_json() {
    let leaf = super::example().leaf;
    let record = Record::of_event(Seq::new(0), time(), leaf, super::event());
    let shown = format!("```text\n{}\n```\n", record.to_json());
    assert_eq!(record.to_json(), by_the_document(&record));
    assert!(DOCUMENT.contains(&shown), "docs/format.md should show:\n{shown}");
}
