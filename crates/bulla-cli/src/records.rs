//! Records as rows of a list, and one record shown whole.

use std::io::{self, Write};

use bulla::event::{Actor, Event, Json, PayloadState, Record, Target};
use bulla::seq::Seq;

use crate::output::{Column, Row, facts};
use crate::{terminal, text};

impl Row for Record {
    const COLUMNS: &'static [Column] = &[
        Column::number("SEQ"),
        Column::fixed("OCCURRED"),
        Column::elastic("ACTOR"),
        Column::fixed("ACTION"),
        Column::elastic("RESOURCE"),
        Column::fixed("OUTCOME"),
        Column::spare("TENANT"),
        Column::spare("IP"),
    ];

    const FIELDS: &'static [&'static str] = &[
        "seq",
        "recorded_at",
        "leaf_hash",
        "id",
        "occurred_at",
        "tenant",
        "actor_type",
        "actor_id",
        "actor_email",
        "actor_role",
        "on_behalf_of_type",
        "on_behalf_of_id",
        "on_behalf_of_email",
        "on_behalf_of_role",
        "action",
        "resource_type",
        "resource_id",
        "targets",
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
        "tags",
        "details",
        "redacted",
        "payload",
    ];

    fn cells(&self) -> Vec<String> {
        let event = &self.event;
        vec![
            self.seq.to_string(),
            text::seconds(event.occurred_at.unwrap_or(self.recorded_at)),
            actor(event),
            event.action.clone(),
            resource(event),
            event.outcome.to_string(),
            event.tenant.clone().unwrap_or_default(),
            // Of the payload the table has only this.
            match self.payload.absence() {
                Some(state) => format!("({state})"),
                None => event.ip.clone().unwrap_or_default(),
            },
        ]
    }

    fn fields(&self) -> Vec<String> {
        let event = &self.event;
        let behalf = event.on_behalf_of.as_ref();
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let json = |value: &Option<Json>| value.as_ref().map_or(String::new(), Json::to_string);
        let tags = match event.tags.is_empty() {
            true => String::new(),
            false => serde_json::json!(event.tags).to_string(),
        };
        vec![
            self.seq.to_string(),
            self.recorded_at.to_string(),
            self.leaf_hash.to_string(),
            event.id.map_or(String::new(), |id| id.to_string()),
            event.occurred_at.map_or(String::new(), |time| time.to_string()),
            text(&event.tenant),
            event.actor.kind.clone(),
            event.actor.id.clone(),
            text(&event.actor.email),
            text(&event.actor.role),
            behalf.map_or(String::new(), |actor| actor.kind.clone()),
            behalf.map_or(String::new(), |actor| actor.id.clone()),
            behalf.map_or(String::new(), |actor| text(&actor.email)),
            behalf.map_or(String::new(), |actor| text(&actor.role)),
            event.action.clone(),
            event.resource.kind.clone(),
            text(&event.resource.id),
            event.targets.iter().map(target).collect::<Vec<_>>().join(" "),
            event.outcome.to_string(),
            text(&event.reason),
            text(&event.source),
            text(&event.ip),
            text(&event.user_agent),
            text(&event.session_id),
            text(&event.request_id),
            text(&event.correlation_id),
            event.trace_id.map_or(String::new(), |id| id.to_string()),
            event.span_id.map_or(String::new(), |id| id.to_string()),
            event.duration_ms.map_or(String::new(), |millis| millis.to_string()),
            event.changed_fields.join(" "),
            json(&event.old_values),
            json(&event.new_values),
            tags,
            json(&event.details),
            event.redacted.as_ref().map_or(String::new(), |redacted| redacted.paths.join(" ")),
            payload(self.payload).to_owned(),
        ]
    }

    fn json(&self) -> String {
        self.to_json()
    }
}

/// Whether the fields of the payload are there, in one word.
fn payload(state: PayloadState) -> &'static str {
    match state {
        PayloadState::Plain => "plain",
        PayloadState::Decrypted => "decrypted",
        PayloadState::Sealed => "sealed",
        PayloadState::Erased => "erased",
        PayloadState::Withheld => "withheld",
        _ => "unknown",
    }
}

/// The place of a record that has expired, in a list of records: of the rest nothing is known.
pub(crate) struct Expired(pub(crate) Seq);

impl Row for Expired {
    const COLUMNS: &'static [Column] = &[]; // shown as facts
    const FIELDS: &'static [&'static str] = Record::FIELDS;

    fn cells(&self) -> Vec<String> {
        Vec::new()
    }

    fn fields(&self) -> Vec<String> {
        let value = |field: &&str| match *field {
            "seq" => self.0.to_string(),
            "payload" => "expired".to_owned(),
            _ => String::new(),
        };
        Self::FIELDS.iter().map(value).collect()
    }

    fn json(&self) -> String {
        serde_json::json!({ "expired": true, "seq": self.0.get() }).to_string()
    }
}

/// `type:id`, as `bulla append --actor` takes it.
fn named(actor: &Actor) -> String {
    format!("{}:{}", actor.kind, actor.id)
}

/// The actor, and for whom it acted.
pub(crate) fn actor(event: &Event) -> String {
    match &event.on_behalf_of {
        Some(behalf) => format!("{} for {}", named(&event.actor), named(behalf)),
        None => named(&event.actor),
    }
}

/// `type/id`, and the role in brackets.
fn target(target: &Target) -> String {
    let Target { kind, id, role } = target;
    let role = role.as_ref().map_or(String::new(), |role| format!(" ({role})"));
    format!("{kind}/{id}{role}")
}

/// `type/id`, or `type` alone, as `--resource` takes it.
fn main_resource(event: &Event) -> String {
    match &event.resource.id {
        Some(id) => format!("{}/{id}", event.resource.kind),
        None => event.resource.kind.clone(),
    }
}

/// The resource, and how many targets there are besides.
pub(crate) fn resource(event: &Event) -> String {
    let main = main_resource(event);
    match event.targets.len() {
        0 => main,
        more => format!("{main} and {more} more"),
    }
}

/// Shows a record whole, a field a line, with JSON values spread out.
pub(crate) fn show(out: &mut impl Write, record: &Record) -> io::Result<()> {
    let mut lines = vec![
        ("seq", record.seq.to_string()),
        ("recorded_at", record.recorded_at.to_string()),
        ("leaf_hash", record.leaf_hash.to_string()),
    ];
    lines.extend(record.payload.absence().map(|absence| ("payload", absence.to_owned())));
    facts(out, &lines)?;
    writeln!(out)?;
    show_event(out, &record.event)
}

/// Shows an event whole, a field a line, with JSON values spread out.
pub(crate) fn show_event(out: &mut impl Write, event: &Event) -> io::Result<()> {
    let behalf = event.on_behalf_of.as_ref();
    let mut lines = vec![
        ("id", event.id.map(|id| id.to_string())),
        ("occurred_at", event.occurred_at.map(|time| time.to_string())),
        ("tenant", event.tenant.clone()),
        ("actor", Some(named(&event.actor))),
        ("actor email", event.actor.email.clone()),
        ("actor role", event.actor.role.clone()),
        ("on behalf of", behalf.map(named)),
        ("on behalf of email", behalf.and_then(|actor| actor.email.clone())),
        ("on behalf of role", behalf.and_then(|actor| actor.role.clone())),
        ("action", Some(event.action.clone())),
        ("resource", Some(main_resource(event))),
        ("outcome", Some(event.outcome.to_string())),
        ("reason", event.reason.clone()),
        ("source", event.source.clone()),
        ("ip", event.ip.clone()),
        ("user_agent", event.user_agent.clone()),
        ("session_id", event.session_id.clone()),
        ("request_id", event.request_id.clone()),
        ("correlation_id", event.correlation_id.clone()),
        ("trace_id", event.trace_id.map(|id| id.to_string())),
        ("span_id", event.span_id.map(|id| id.to_string())),
        ("duration_ms", event.duration_ms.map(|millis| millis.to_string())),
    ];
    lines.extend(event.targets.iter().map(|of| ("target", Some(target(of)))));
    if !event.changed_fields.is_empty() {
        lines.push(("changed_fields", Some(event.changed_fields.join(", "))));
    }
    for (key, value) in &event.tags {
        lines.push(("tag", Some(format!("{key}={value}"))));
    }
    let lines: Vec<_> =
        lines.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))).collect();
    facts(out, &lines)?;
    show_json(out, "old_values", event.old_values.as_ref())?;
    show_json(out, "new_values", event.new_values.as_ref())?;
    show_json(out, "details", event.details.as_ref())?;
    let Some(redacted) = &event.redacted else { return Ok(()) };
    let more = match redacted.more {
        0 => String::new(),
        more => format!(" and in {} more", text::counted(more, "place")),
    };
    let redacted = format!("by {}: {}{more}", redacted.rules, redacted.paths.join(", "));
    facts(out, &[("redacted", redacted)])
}

fn show_json(out: &mut impl Write, name: &str, json: Option<&Json>) -> io::Result<()> {
    let Some(json) = json else { return Ok(()) };
    let spread = json.to_value().ok().and_then(|value| serde_json::to_string_pretty(&value).ok());
    let text = spread.unwrap_or_else(|| json.to_string());
    writeln!(out, "{name}")?;
    for line in text.lines() {
        writeln!(out, "  {}", terminal::plain(line))?;
    }
    Ok(())
}
