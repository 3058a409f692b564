//! Making an event with a mapping.

use std::collections::BTreeMap;

use bulla::event::{Actor, Event, Json, Outcome, Resource};
use bulla::time::Timestamp;
use serde_json::Value;

use super::super::document::{Document, shown};
use super::super::original;
use super::Mapping;
use super::source::{Origin, Source};

impl Mapping {
    /// Maps one JSON object.
    pub(crate) fn apply(&self, text: &str) -> Result<Event, String> {
        let doc = Document::parse(text)?;
        let get = |field: &str| self.text(field, &doc);
        let actor = Actor {
            kind: self.need("actor.type", &doc)?,
            id: self.need("actor.id", &doc)?,
            email: get("actor.email"),
            role: get("actor.role"),
        };
        let resource = Resource { kind: self.need("resource.type", &doc)?, id: get("resource.id") };
        let mut event = Event::new(actor, self.need("action", &doc)?, resource);
        // An id of another shape stays in `details`, and the log makes one.
        event.id = get("id").and_then(|id| id.parse().ok());
        event.occurred_at = self.time(&doc)?;
        event.tenant = get("tenant");
        event.outcome = self.outcome(&doc)?;
        event.reason = get("reason");
        event.source = get("source");
        event.ip = get("ip");
        event.user_agent = get("user_agent");
        event.session_id = get("session_id");
        event.request_id = get("request_id");
        event.correlation_id = get("correlation_id");
        event.duration_ms = self.duration(&doc)?;
        event.changed_fields = self.changed_fields(&doc);
        event.old_values = self.json("old_values", &doc)?;
        event.new_values = self.json("new_values", &doc)?;
        event.tags = self.tags(&doc);
        event.details = Some(original(text)?);
        Ok(event)
    }

    fn sources(&self, field: &str) -> &[Source] {
        self.fields.get(field).map_or(&[], Vec::as_slice)
    }

    /// The value of the first source that has one.
    fn text(&self, field: &str, doc: &Document<'_>) -> Option<String> {
        self.sources(field).iter().find_map(|source| source.text(doc))
    }

    fn need(&self, field: &str, doc: &Document<'_>) -> Result<String, String> {
        self.text(field, doc).ok_or_else(|| format!("nothing found for {field}"))
    }

    /// The first time that can be read. Times that are there, but none of which can
    /// be read, are an error: the event must not get the time of its import instead.
    fn time(&self, doc: &Document<'_>) -> Result<Option<Timestamp>, String> {
        let mut unreadable = None;
        for source in self.sources("occurred_at") {
            let Some(text) = source.text(doc) else { continue };
            match source.time.iter().find_map(|format| format.parse(&text)) {
                Some(time) => return Ok(Some(time)),
                None => unreadable = unreadable.or(Some(text)),
            }
        }
        match unreadable {
            Some(text) => Err(format!("occurred_at: cannot read the time {}", shown(&text))),
            None => Ok(None),
        }
    }

    fn outcome(&self, doc: &Document<'_>) -> Result<Outcome, String> {
        match self.text("outcome", doc) {
            None => Ok(Outcome::Success),
            Some(text) => text.parse().map_err(|_| {
                let text = shown(&text);
                format!("outcome: expected success, failure, denied or partial, found {text}")
            }),
        }
    }

    fn duration(&self, doc: &Document<'_>) -> Result<Option<u64>, String> {
        let number = |text: String| {
            let problem = || format!("duration_ms: expected milliseconds, found {}", shown(&text));
            text.parse().map_err(|_| problem())
        };
        self.text("duration_ms", doc).map(number).transpose()
    }

    /// Texts of an array, or the names of an object's members, or one text.
    fn changed_fields(&self, doc: &Document<'_>) -> Vec<String> {
        let found = self.sources("changed_fields").iter().find_map(|source| match &source.origin {
            Origin::At(path) => doc.value(path),
            _ => None,
        });
        match found {
            Some(Value::Array(items)) => {
                items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            Some(Value::Object(members)) => members.keys().cloned().collect(),
            Some(Value::String(name)) => vec![name.clone()],
            _ => Vec::new(),
        }
    }

    /// The value at the first pointer that has one, byte for byte.
    fn json(&self, field: &str, doc: &Document<'_>) -> Result<Option<Json>, String> {
        let found = self.sources(field).iter().find_map(|source| match &source.origin {
            Origin::At(path) => doc.value(path).and_then(|_| doc.raw(path)),
            _ => None,
        });
        found.map(original).transpose()
    }

    fn tags(&self, doc: &Document<'_>) -> BTreeMap<String, String> {
        let named = self.fields.iter().filter_map(|(field, sources)| {
            let name = field.strip_prefix("tags.")?;
            let value = sources.iter().find_map(|source| source.text(doc))?;
            Some((name.to_owned(), value))
        });
        named.collect()
    }
}
