//! What others put around events: objects with a list of them, and messages that carry
//! one each. The list is in `docs/importers.md`.

use std::borrow::Cow;

use serde_json::Value;

use super::Format;
use super::document::Document;

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

/// The event that a message carries, or the text itself: EventBridge has it under `detail`,
/// LookupEvents as text under `CloudTrailEvent`, CloudWatch Logs and SNS as text under
/// `message` and `Message`.
pub(crate) fn carried<'t>(format: &Format, text: &'t str) -> Cow<'t, str> {
    let (mark, members): (_, &[&str]) = match format {
        Format::CloudTrail => {
            ("/eventName", &["/detail", "/CloudTrailEvent", "/message", "/Message"])
        }
        Format::K8s => ("/verb", &["/message"]),
        _ => return Cow::Borrowed(text),
    };
    // Nearly every event is none of these: look before parsing.
    if !members.iter().any(|member| text.contains(&format!("\"{}\"", &member[1..]))) {
        return Cow::Borrowed(text);
    }
    let Ok(doc) = Document::parse(text) else { return Cow::Borrowed(text) };
    if doc.value(mark).is_some() {
        return Cow::Borrowed(text);
    }
    let inner = members.iter().find_map(|member| match doc.value(member)? {
        Value::Object(_) => doc.raw(member).map(str::to_owned),
        Value::String(text) if text.trim_start().starts_with('{') => Some(text.trim().to_owned()),
        _ => None,
    });
    inner.map_or(Cow::Borrowed(text), Cow::Owned)
}
