//! What stands in wrappers and messages, as `docs/importers.md` lists them, found in another way
//! than the importer's: with a parser, whole, from the outside to the inside.

use std::collections::BTreeMap;

use bulla_cli::import::{Format, Item, Mapping, SHORTENED, reason_of};
use serde_json::Value;

use super::units::{self, Unit};

/// What this knows of a format.
pub(crate) struct Rules {
    pub(crate) format: Format,
    /// Members that hold lists of events in objects around them.
    pub(crate) lists: Vec<String>,
    /// Names of which a message has one.
    marks: Vec<String>,
    /// The member that holds several events, of an object that says once what they have in common.
    split: Option<String>,
    /// Whether an object is an event of the format, as far as this can tell.
    is_event: fn(&Value) -> Option<bool>,
}

/// Members that hold a message, the first before the others.
const MESSAGES: [&str; 18] = [
    "CloudTrailEvent",
    "eventJson",
    "detail",
    "Message",
    "Sns",
    "Body",
    "body",
    "message",
    "MESSAGE",
    "log",
    "properties",
    "data",
    "event",
    "Event",
    "payload",
    "jsonPayload",
    "record",
    "_raw",
];

/// Members that hold lists, of which a message may be one.
const LISTS: [&str; 8] =
    ["Records", "Events", "logEvents", "Messages", "items", "records", "entries", "events"];

/// Most messages in one another.
const MESSAGES_MAX: usize = 6;

/// Reasons that say of an object that it is no event of the format.
const OF_ANOTHER_KIND: [&str; 5] = [
    "expected a CloudTrail record, found neither eventSource nor eventName",
    "no eventTime",
    "expected kind Event of audit.k8s.io, found ",
    "no verb",
    "nothing found for ",
];

impl Rules {
    pub(crate) fn cloudtrail() -> Self {
        let lists = &["Records", "Events", "logEvents"];
        Rules::new(Format::CloudTrail, lists, &["eventName", "eventSource"], is_of_cloudtrail)
    }

    pub(crate) fn k8s() -> Self {
        Rules::new(Format::K8s, &["items", "logEvents"], &["verb", "audit.k8s.io"], is_of_k8s)
    }

    pub(crate) fn github(format: Format) -> Self {
        Rules::new(format, &[], &["action"], |event| Some(has(event, "/action")))
    }

    pub(crate) fn okta(format: Format) -> Self {
        Rules::new(format, &["events"], &["eventType", "eventtype"], |event| {
            let hook = event["eventType"] == "com.okta.event_hook";
            Some(has(event, "/eventType") && !hook || has(event, "/eventtype"))
        })
    }

    pub(crate) fn gcp(format: Format) -> Self {
        let marks = &["methodName", "permission"];
        Rules::new(format, &["entries"], marks, |event| {
            let payloads = || ["protoPayload", "protopayload"].map(|name| &event[name]).into_iter();
            let permits =
                |payload: &Value| has(first(&payload["authorizationInfo"]), "/permission");
            let calls = |payload: &Value| has(payload, "/methodName");
            Some(has(event, "/methodName") || payloads().any(calls) || payloads().any(permits))
        })
    }

    pub(crate) fn gworkspace(format: Format) -> Self {
        let marks = &["applicationName", "name", "type"];
        let rules = Rules::new(format, &["items"], marks, |event| {
            let of_type = has(event, "/id/applicationName") && has(event, "/type");
            Some(of_type || has(event, "/name") || has(first(&event["events"]), "/name"))
        });
        Rules { split: Some("events".to_owned()), ..rules }
    }

    /// Any mapping: what is an event of it is not known here.
    pub(crate) fn of_mapping(text: &str, mapping: Mapping) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let value: Value = serde_json::from_str(text).expect("it was read");
        let names = value["lists"].as_array().into_iter().flatten();
        Rules {
            format: Format::Json(mapping.into()),
            lists: names.filter_map(Value::as_str).map(str::to_owned).collect(),
            marks: marks_of(&value["fields"]["action"]),
            split: value["split"].as_str().map(str::to_owned),
            is_event: |_| None,
        }
    }

    fn new(
        format: Format,
        lists: &[&str],
        marks: &[&str],
        is_event: fn(&Value) -> Option<bool>,
    ) -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Rules { format, lists: owned(lists), marks: owned(marks), split: None, is_event }
    }

    fn is_event(&self, object: &str) -> Option<bool> {
        (self.is_event)(&serde_json::from_str(object).ok()?)
    }

    /// The events that an object holds, if it holds several. Each is an event, or an element that
    /// is none.
    fn parts<'t>(&self, object: &'t str) -> Option<Vec<Part<'t>>> {
        let name = self.split.as_deref()?;
        let members = units::members(object)?;
        // Of several of a name the last counts.
        let at = members.iter().rposition(|(member, _)| is_name(member.get(), name))?;
        let list: Vec<&serde_json::value::RawValue> =
            serde_json::from_str(members[at].1.get()).ok()?;
        let raw =
            |(name, value): &(&'t serde_json::value::RawValue, &'t serde_json::value::RawValue)| {
                (name.get(), value.get())
            };
        let parts = list.iter().map(|element| {
            let mut members: Vec<_> = members.iter().map(raw).collect();
            members[at].1 = element.get();
            let alone = members.iter().enumerate().map(|(place, (name, value))| {
                if place == at { format!("{name}:[{value}]") } else { format!("{name}:{value}") }
            });
            let alone = format!("{{{}}}", alone.collect::<Vec<_>>().join(","));
            Some(Part { is_event: self.is_event(&alone)?, members, at })
        });
        parts.collect::<Option<Vec<_>>>().filter(|parts| parts.len() > 1)
    }

    /// The message in an object: the first text that may be one, else the first object or list.
    fn message_in(&self, object: &str) -> Carried {
        let Some(members) = units::members(object) else { return Carried::Unclear };
        let named = |(name, value): &(&serde_json::value::RawValue, _)| {
            let name: String = serde_json::from_str(name.get()).ok()?;
            Some((name, *value))
        };
        // Of several of a name the last counts.
        let members: BTreeMap<String, &serde_json::value::RawValue> =
            members.iter().filter_map(named).collect();
        let lists = self.lists.iter().map(String::as_str).chain(LISTS);
        let found: Vec<&str> = MESSAGES
            .into_iter()
            .chain(lists)
            .filter_map(|name| members.get(name))
            .map(|value| value.get())
            .collect();
        for text in found.iter().filter(|value| value.starts_with('"')) {
            match serde_json::from_str::<String>(text) {
                Ok(text) if text.trim_start().starts_with(['{', '[']) && self.has_mark(&text) => {
                    return Carried::Message(text.trim().to_owned());
                }
                Ok(_) => {}
                // Half of a surrogate pair.
                Err(_) => return Carried::Unclear,
            }
        }
        let objects = found.iter().filter(|value| value.starts_with(['{', '[']));
        match objects.into_iter().find(|value| self.has_mark(value)) {
            Some(value) => Carried::Message((*value).to_owned()),
            None => Carried::Nothing,
        }
    }

    fn has_mark(&self, text: &str) -> bool {
        self.marks.iter().any(|mark| text.contains(mark.as_str()))
    }
}

/// One of several events of an object.
struct Part<'t> {
    is_event: bool,
    /// The members of the object; the one that holds the events has this one alone.
    members: Vec<(&'t str, &'t str)>,
    at: usize,
}

impl Part<'_> {
    /// Whether this is the object with that event alone, each member as it was.
    fn is(&self, details: &str) -> bool {
        let Some(found) = units::members(details) else { return false };
        let same = |(place, (name, value)): (usize, &(&str, &str))| {
            let (its_name, its_value) = (found[place].0.get(), found[place].1.get());
            let its_value = if place == self.at {
                its_value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'))
            } else {
                Some(its_value)
            };
            *name == its_name && its_value == Some(*value)
        };
        found.len() == self.members.len() && self.members.iter().enumerate().all(same)
    }
}

/// Whether a name, as it stands in the text, is this one.
fn is_name(written: &str, name: &str) -> bool {
    serde_json::from_str::<String>(written).is_ok_and(|written| written == name)
}

/// What an object may hold.
enum Carried {
    Nothing,
    Message(String),
    /// This cannot tell.
    Unclear,
}

fn is_of_cloudtrail(event: &Value) -> Option<bool> {
    let inside = match &event["insightDetails"] {
        Value::String(text) if text.trim_start().starts_with('{') => {
            serde_json::from_str(text).ok()?
        }
        value => value.clone(),
    };
    let named = ["/eventSource", "/eventName"].iter().any(|at| has(event, at) || has(&inside, at));
    let timed = ["/eventTime", "/EventTime", "/time"].iter().any(|at| has(event, at));
    Some(named && timed)
}

fn is_of_k8s(event: &Value) -> Option<bool> {
    let kind = !has(event, "/kind") || event["kind"] == "Event";
    let api = &event["apiVersion"];
    let versioned = api.as_str().is_some_and(|api| api.starts_with("audit.k8s.io/"));
    let known = if has(event, "/apiVersion") { versioned } else { has(event, "/verb") };
    Some(kind && known)
}

/// Whether a text, a number or a truth value stands there.
fn has(value: &Value, pointer: &str) -> bool {
    match value.pointer(pointer) {
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Number(_) | Value::Bool(_)) => true,
        _ => false,
    }
}

/// The first element of a list; one thing counts as a list of one.
fn first(value: &Value) -> &Value {
    match value {
        Value::Array(items) => items.first().unwrap_or(&Value::Null),
        Value::Object(members) => members.get("0").unwrap_or(value),
        one => one,
    }
}

/// The last name in each path of the sources of `action`.
fn marks_of(sources: &Value) -> Vec<String> {
    let sources = sources.as_array().map_or(std::slice::from_ref(sources), Vec::as_slice);
    let mut paths: Vec<String> = Vec::new();
    for source in sources {
        let at = source.as_str().or_else(|| source["at"].as_str());
        paths.extend(at.map(str::to_owned));
        let template = source["template"].as_str().unwrap_or_default();
        let template = template.replace("{{", "").replace("}}", "");
        let pieces = template.split('{').skip(1).filter_map(|piece| piece.split_once('}'));
        paths.extend(pieces.map(|(path, _)| path.to_owned()));
    }
    let name = |path: &String| {
        let mut steps: Vec<&str> = path.split('/').collect();
        let is_place = |step: &&str| step.starts_with('[') || step.parse::<usize>().is_ok();
        while steps.pop_if(|step| is_place(&&**step)).is_some() {}
        steps.last().map_or(String::new(), |step| step.replace("~1", "/").replace("~0", "~"))
    };
    paths.iter().map(name).collect()
}

/// Goes through what was read from a file beside what stands in it.
pub(crate) struct Follower<'a> {
    rules: &'a Rules,
    items: &'a [Item],
}

impl<'a> Follower<'a> {
    pub(crate) fn new(rules: &'a Rules, items: &'a [Item]) -> Self {
        Follower { rules, items }
    }

    /// Everything that stands in a file, and nothing else, was read from it.
    pub(crate) fn whole(mut self, units: &[Unit<'_>]) {
        let mut unclear = None;
        for unit in units {
            if unclear == Some(unit.line) {
                continue;
            }
            if self.unit(unit, 0).is_none() {
                unclear = Some(unit.line);
                let alone = units.iter().filter(|other| other.line == unit.line).count() == 1;
                self.pass(unit, alone);
            }
        }
        assert!(self.items.is_empty(), "read, and does not stand there: {:?}", self.items[0]);
    }

    /// Passes over what was read from a line of which it is not clear what stands in it.
    fn pass(&mut self, unit: &Unit<'_>, alone: bool) {
        while let Some((item, rest)) = self.items.split_first() {
            if super::line_of(item) != unit.line {
                break;
            }
            if let Item::Rejected { reason, .. } = item {
                let of_objects = reason_of(reason).is_some_and(|known| known.of_objects);
                assert!(of_objects || !alone || !unit.is_object(), "of a JSON object: {reason}");
            }
            self.items = rest;
        }
    }

    /// A value: an event, several, none, or one around others. None if it is not clear which.
    fn unit(&mut self, unit: &Unit<'_>, depth: usize) -> Option<()> {
        if let Some(parts) = self.rules.parts(unit.text)
            && parts.iter().any(|part| part.is_event)
        {
            self.several(unit, &parts);
            return Some(());
        }
        if self.holds_several() {
            // Of a mapping of which it is not known here what an event is.
            return None;
        }
        let is_event = if unit.is_object() { self.rules.is_event(unit.text) } else { None };
        let carried = if depth < MESSAGES_MAX && unit.is_object() && is_event != Some(true) {
            self.rules.message_in(unit.text)
        } else {
            Carried::Nothing
        };
        match carried {
            Carried::Nothing => {
                self.one(unit, is_event);
                Some(())
            }
            Carried::Unclear => None,
            Carried::Message(_) if is_event.is_none() && self.takes(unit)? => {
                self.one(unit, is_event);
                Some(())
            }
            Carried::Message(text) => {
                for inner in units::of_stream(&text, &self.rules.lists)?.units {
                    self.unit(&Unit { line: unit.line, text: inner.text }, depth + 1)?;
                }
                Some(())
            }
        }
    }

    /// Is the next thing that was read one of several events of an object?
    fn holds_several(&self) -> bool {
        let is_unknown = self.rules.is_event("{}").is_none();
        let of_several = |item: &Item| match item {
            Item::Event { event, .. } => event.tags.contains_key("element"),
            Item::Rejected { reason, .. } => reason.contains("element "),
        };
        is_unknown && self.rules.split.is_some() && self.items.first().is_some_and(of_several)
    }

    /// The next things that were read are the events of this object, each of them.
    fn several(&mut self, unit: &Unit<'_>, parts: &[Part<'_>]) {
        for (number, part) in (1..).zip(parts) {
            let (item, rest) = self.items.split_first().expect("every event is read");
            self.items = rest;
            assert_eq!(super::line_of(item), unit.line, "{}", unit.text);
            match item {
                Item::Event { event, .. } => {
                    assert!(part.is_event, "no event: element {number} of {}", unit.text);
                    let which = format!("{number} of {}", parts.len());
                    assert_eq!(event.tags.get("element"), Some(&which), "{}", unit.text);
                    let names = event.tags.get(SHORTENED).map_or("", String::as_str);
                    let is_whole = names.split(',').all(|name| name != "details");
                    let details = event.details.as_ref().expect("the original");
                    assert!(
                        !is_whole || part.is(details.as_str()),
                        "{} {}",
                        unit.text,
                        details.as_str()
                    );
                }
                Item::Rejected { reason, .. } => {
                    assert!(reason.contains(&format!("element {number}: ")), "{reason}");
                    assert_ne!(part.is_event, says_another_kind(reason), "{reason}: {}", unit.text);
                }
            }
        }
    }

    /// The next thing that was read is this one.
    fn one(&mut self, unit: &Unit<'_>, is_event: Option<bool>) {
        let (item, rest) = self.items.split_first().expect("every value is read");
        self.items = rest;
        assert_eq!(super::line_of(item), unit.line, "{}", unit.text);
        super::check_unit(item, unit.text);
        match item {
            Item::Event { .. } => assert_ne!(is_event, Some(false), "no event: {}", unit.text),
            Item::Rejected { reason, .. } => {
                let agrees = is_event.is_none_or(|is_event| is_event != says_another_kind(reason));
                assert!(agrees || reason.contains("longer than "), "{reason}: {}", unit.text);
            }
        }
    }

    /// Was an object that may be an event, or one around others, taken for an event?
    fn takes(&self, unit: &Unit<'_>) -> Option<bool> {
        match self.items.first()? {
            Item::Event { event, .. } => {
                let names = event.tags.get(SHORTENED).map_or("", String::as_str);
                let is_whole = names.split(',').all(|name| name != "details");
                let details = event.details.as_ref().map(|details| details.as_str());
                is_whole.then_some(details == Some(unit.text))
            }
            Item::Rejected { reason, .. } if says_another_kind(reason) => Some(false),
            Item::Rejected { .. } => None,
        }
    }
}

fn says_another_kind(reason: &str) -> bool {
    reason_of(reason).is_some_and(|known| OF_ANOTHER_KIND.contains(&known.begins))
}
