//! What others put around events: objects with a list of them, and messages that carry
//! some. The list is in `docs/importers.md`.

use serde_json::Value;

use super::Format;
use super::document::Document;

/// Members of objects around events that hold one message, by the services that write them.
const MESSAGES: [&str; 18] = [
    "CloudTrailEvent", // LookupEvents
    "eventJson",       // CloudTrail Lake
    "detail",          // EventBridge
    "Message",         // SNS
    "Sns",             // SNS to Lambda
    "Body",            // SQS
    "body",            // SQS to Lambda
    "message",         // CloudWatch Logs, Fluentd, Filebeat
    "MESSAGE",         // journald
    "log",             // Docker, AKS
    "properties",      // Azure Monitor
    "data",            // CloudEvents, event hooks of Okta
    "event",           // Splunk
    "Event",
    "payload",
    "jsonPayload",
    "record",
    "_raw",
];

/// Members of objects around messages that hold several.
const LISTS: [&str; 8] =
    ["Records", "Events", "logEvents", "Messages", "items", "records", "entries", "events"];

/// Members that hold lists of events in objects around them.
pub(crate) fn lists(format: &Format) -> Vec<String> {
    let names: &[&str] = match format {
        Format::CloudTrail => &["Records", "Events", "logEvents"],
        Format::K8s => &["items", "logEvents"],
        Format::Json(mapping) => return mapping.lists().to_vec(),
        Format::Jsonl | Format::Auditd => &[],
    };
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// What this object, which is no event, carries in one of its members, and in which: a text before
/// an object or a list.
pub(crate) fn message_in(format: &Format, text: &str) -> Option<(String, String)> {
    let doc = Document::parse(text).ok()?;
    let marks = marks(format);
    let of_event = |text: &str| marks.iter().any(|mark| text.contains(mark.as_str()));
    let lists = lists(format);
    let members = || MESSAGES.into_iter().chain(lists.iter().map(String::as_str)).chain(LISTS);
    let text = members().find_map(|member| match doc.member(member)? {
        Value::String(text) if text.trim_start().starts_with(['{', '[']) && of_event(text) => {
            Some((member.to_owned(), text.trim().to_owned()))
        }
        _ => None,
    });
    text.or_else(|| {
        members().find_map(|member| match doc.member(member)? {
            Value::Object(_) | Value::Array(_) => {
                let raw = doc.raw_member(member).filter(|raw| of_event(raw))?;
                Some((member.to_owned(), raw.to_owned()))
            }
            _ => None,
        })
    })
}

/// Names of members of which every event has one: what has none holds no event.
fn marks(format: &Format) -> Vec<String> {
    let names: &[&str] = match format {
        Format::CloudTrail => &["eventName", "eventSource"],
        Format::K8s => &["verb", "audit.k8s.io"],
        Format::Json(mapping) => return mapping.names_of_actions(),
        Format::Jsonl | Format::Auditd => &[],
    };
    names.iter().map(|name| (*name).to_owned()).collect()
}
