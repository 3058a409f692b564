//! Making an event with a mapping.

use std::collections::BTreeMap;

use bulla::event::{Actor, Event, Json, Resource, Target};
use serde_json::Value;

use super::super::document::Document;
use super::super::fit::{self, LEFT_OUT, add_tag};
use super::super::outcome::{Decision, Evidence};
use super::super::reasons::is_of_another_kind;
use super::super::split::{self, Split};
use super::super::targets::Targets;
use super::super::time::{TimeChoice, whole_number};
use super::super::{UNKNOWN, ids, original, trace};
use super::Mapping;
use super::source::{Mapped, Origin, Source};

/// The tag that says which of the events of an object it is.
const ELEMENT: &str = "element";

/// One of several events of an object.
#[derive(Clone, Copy)]
struct Part {
    /// From 1.
    number: usize,
    of: usize,
}

impl Mapping {
    /// Maps one JSON object: to one event, or to several that it holds. An object that holds
    /// no event of the product is rejected as one.
    pub(crate) fn apply_all(
        &self,
        doc: &Document<'_>,
    ) -> Result<Vec<Result<Event, String>>, String> {
        let member = self.split.as_deref().unwrap_or_default();
        let parts = match split::split(doc, member) {
            Split::Whole => return Ok(vec![Ok(self.apply(doc)?)]),
            Split::TooLarge => {
                let mut event = self.apply(doc)?;
                fit::add_name(&mut event, LEFT_OUT, member);
                return Ok(vec![Ok(event)]);
            }
            Split::Parts(parts) => parts,
        };
        let mapped = (1..).zip(&parts).map(|(number, text)| {
            let part = Part { number, of: parts.len() };
            Document::parse(text).and_then(|doc| self.apply_part(&doc, part))
        });
        let mapped: Vec<_> = mapped.collect();
        let is_none = |event: &Result<Event, String>| {
            event.as_ref().is_err_and(|reason| is_of_another_kind(reason))
        };
        if mapped.iter().all(is_none) {
            return Ok(vec![Ok(self.apply(doc)?)]);
        }
        let located = (1..).zip(mapped).map(|(number, event): (u32, _)| {
            event.map_err(|reason| format!("element {number}: {reason}"))
        });
        Ok(located.collect())
    }

    /// Maps one of several events of an object. Their id is that of the object and their number.
    fn apply_part(&self, doc: &Document<'_>, part: Part) -> Result<Event, String> {
        let mut event = self.apply(doc)?;
        let id = self.text("id", doc).map(|id| format!("{id} {}", part.number));
        event.id = id.map(|id| ids::event_id(&self.name, &id));
        add_tag(&mut event, ELEMENT, format!("{} of {}", part.number, part.of));
        Ok(event)
    }

    /// Maps one JSON object to one event.
    pub(crate) fn apply(&self, doc: &Document<'_>) -> Result<Event, String> {
        let get = |field: &str| self.text(field, doc);
        let resource = Resource { kind: self.need("resource.type", doc)?, id: get("resource.id") };
        let mut event = Event::new(self.actor(doc), self.need("action", doc)?, resource);
        event.on_behalf_of = self.on_behalf_of(doc, &event.actor);
        event.targets = self.targets(doc, &event);
        event.trace_id = self.first("trace_id", doc, trace::trace_id);
        event.span_id = self.first("span_id", doc, trace::span_id);
        event.id = get("id").map(|id| ids::event_id(&self.name, &id));
        event.tenant = get("tenant");
        event.reason = get("reason");
        event.source = get("source");
        event.ip = get("ip");
        event.user_agent = get("user_agent");
        event.session_id = get("session_id");
        event.request_id = get("request_id");
        event.correlation_id = get("correlation_id");
        event.changed_fields = self.changed_fields(doc);
        event.old_values = self.json("old_values", doc)?;
        event.new_values = self.json("new_values", doc)?;
        event.tags = self.tags(doc);
        if let Some(text) = get("duration_ms") {
            event.duration_ms = whole_number(&text);
            if event.duration_ms.is_none() {
                fit::add_name(&mut event, LEFT_OUT, "duration_ms");
            }
        }
        self.set_time(doc, &mut event)?;
        self.outcome(doc).write_to(&mut event);
        event.details = Some(original(doc.whole())?);
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

    /// Who acted. An event that names no one is kept, with an unknown actor: never with another
    /// account that it names for another reason.
    fn actor(&self, doc: &Document<'_>) -> Actor {
        let or_unknown = |field| self.text(field, doc).unwrap_or_else(|| UNKNOWN.to_owned());
        let id = or_unknown("actor.id");
        // An address without a name may be that of another account too.
        let email = if id == UNKNOWN { None } else { self.text("actor.email", doc) };
        let kind = or_unknown("actor.type");
        Actor { kind, id, email, role: self.text("actor.role", doc) }
    }

    /// In whose name the actor acted, if the event says who that is and of which type.
    fn on_behalf_of(&self, doc: &Document<'_>, actor: &Actor) -> Option<Actor> {
        let get = |field: &str| self.text(field, doc);
        let found = Actor {
            kind: get("on_behalf_of.type")?,
            id: get("on_behalf_of.id")?,
            email: get("on_behalf_of.email"),
            role: get("on_behalf_of.role"),
        };
        (found.as_actor_ref() != actor.as_actor_ref()).then_some(found)
    }

    /// All that any source of targets finds, but for the one in whose name it was done.
    fn targets(&self, doc: &Document<'_>, event: &Event) -> Vec<Target> {
        let mut targets = Targets::besides(&event.resource);
        self.targets.iter().for_each(|source| source.add_to(&mut targets, doc));
        let mut targets = targets.into_vec();
        if let Some(actor) = &event.on_behalf_of {
            targets.retain(|target| target.kind != actor.kind || target.id != actor.id);
        }
        targets
    }

    /// The first value of a field that can be read.
    fn first<T>(
        &self,
        field: &str,
        doc: &Document<'_>,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let values = self.sources(field).iter().filter_map(|source| source.text(doc));
        values.into_iter().find_map(|text| read(&text))
    }

    /// The first time that can be used. Times that are there, but none of which can be used,
    /// are an error: the event must not get the time of its import instead.
    fn set_time(&self, doc: &Document<'_>, event: &mut Event) -> Result<(), String> {
        let mut choice = TimeChoice::default();
        for source in self.sources("occurred_at") {
            match (&source.origin, source.mapped(doc)) {
                (_, Mapped::Value(text)) => choice.offer(source.name(), &text, &source.time),
                (Origin::At(path), _) => choice.offer_at(doc, path, &source.time),
                _ => {}
            }
        }
        choice.set(event).map(|_| ()).map_err(|problem| format!("occurred_at: {problem}"))
    }

    /// The worst of what all sources say. A value that fits no pattern, or is no outcome, is
    /// not understood; a constant counts if no other source says anything.
    fn outcome(&self, doc: &Document<'_>) -> Decision {
        let mut evidence = Evidence::default();
        let mut otherwise = None;
        for source in self.sources("outcome") {
            match (&source.origin, source.mapped(doc)) {
                (Origin::Table(table), _) => evidence.add(table.evidence(doc)),
                (Origin::Const(_), Mapped::Value(text)) => {
                    otherwise = otherwise.or_else(|| text.parse().ok());
                }
                (_, Mapped::Value(text)) => match text.trim().to_ascii_lowercase().parse() {
                    Ok(outcome) => evidence.says(outcome),
                    Err(_) => evidence.strange(&text),
                },
                (_, Mapped::Unknown(text)) => evidence.strange(&text),
                (Origin::At(path), Mapped::Nothing) => {
                    // An array or an object is there, but no text.
                    if let (Some(_), None) = (doc.value(path), doc.text(path)) {
                        evidence.strange(doc.raw(path).unwrap_or(path));
                    }
                }
                (_, Mapped::Nothing) => {}
            }
        }
        if let (true, Some(outcome)) = (evidence.is_silent(), otherwise) {
            evidence.says(outcome);
        }
        evidence.decide()
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
