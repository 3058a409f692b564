//! What others put around events: objects with a list of them, and messages that carry
//! one each. The list is in `docs/importers.md`.

use bulla::event::Json;
use serde_json::Value;

use super::Format;
use super::document::{Document, shown};
use super::lenient::{self, Mended};
use super::reasons::MESSAGE_NOT_JSON;

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

/// Most messages inside one another that are looked into.
const MESSAGES_MAX: usize = 4;

/// The event that a message carries, or the bytes themselves: EventBridge has it under `detail`,
/// LookupEvents as text under `CloudTrailEvent`, CloudWatch Logs and SNS as text under
/// `message` and `Message`. One service may have passed on the message of another.
///
/// # Errors
/// The text in a message is not JSON.
pub(crate) fn carried<'t>(format: &Format, bytes: &'t [u8]) -> Result<Mended<'t>, String> {
    let mut whole = lenient::mend(bytes);
    for _ in 0..MESSAGES_MAX {
        let Some((member, inner)) = message_in(format, &whole.kept) else { break };
        let mut inner = lenient::mend(inner.as_bytes()).into_owned();
        Json::parse(&inner.kept).map_err(|error| {
            format!("{MESSAGE_NOT_JSON}{}: {}", &member[1..], shown(&error.to_string()))
        })?;
        inner.kinds.extend(whole.kinds);
        inner.kinds.sort_unstable();
        inner.kinds.dedup();
        whole = inner;
    }
    Ok(whole)
}

/// What this object carries in one of its members, and in which, unless it is itself an event.
fn message_in(format: &Format, text: &str) -> Option<(&'static str, String)> {
    let (mark, members): (_, &[&'static str]) = match format {
        Format::CloudTrail => {
            ("/eventName", &["/detail", "/CloudTrailEvent", "/message", "/Message"])
        }
        Format::K8s => ("/verb", &["/message"]),
        _ => return None,
    };
    // Nearly every event is none of these: look before parsing.
    if !members.iter().any(|member| text.contains(&format!("\"{}\"", &member[1..]))) {
        return None;
    }
    let doc = Document::parse(text).ok()?;
    if doc.value(mark).is_some() {
        return None;
    }
    members.iter().find_map(|member| match doc.value(member)? {
        Value::Object(_) => Some((*member, doc.raw(member)?.to_owned())),
        Value::String(text) if text.trim_start().starts_with('{') => {
            Some((*member, text.trim().to_owned()))
        }
        _ => None,
    })
}
