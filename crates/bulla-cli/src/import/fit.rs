//! Fitting a foreign event into the limits of a log ([`bulla::event::limits`]).
//!
//! Whoever is being audited chooses the length, the depth and the characters of much of
//! an event, and must not keep it out of the log that way. So nothing here refuses:
//!
//! 1. [`escaped`] writes control characters as escapes;
//! 2. redaction, if any, sees the event whole, so that no secret is cut in two;
//! 3. [`fitted`] shortens what is too long. A shortened text is its beginning, `…`
//!    and 16 hex digits of BLAKE3 of the whole, so two long names that begin alike
//!    stay two names. A JSON value that is too large or too deep becomes its size,
//!    its depth, its digest and its beginning. The tag [`SHORTENED`] names the fields.

mod targets;

use bulla::event::limits::{
    CHANGED_FIELD_LEN_MAX, CHANGED_FIELDS_MAX, ID_LEN_MAX, IP_LEN_MAX, JSON_DEPTH_MAX,
    JSON_LEN_MAX, LABEL_LEN_MAX, NAME_LEN_MAX, REASON_LEN_MAX, RESERVED_ACTION_PREFIX,
    SUBJECT_LEN_MAX, TAG_KEY_LEN_MAX, TAG_VALUE_LEN_MAX, TAGS_MAX, USER_AGENT_LEN_MAX,
};
use bulla::event::{Actor, Event, Json};

/// The tag that names the fields that were shortened.
pub const SHORTENED: &str = "shortened";
/// The tag that says what the importer had to change for the event to be one.
pub const MENDED: &str = "mended";
/// The tag that names the fields whose values are none: they are in `details` alone.
pub(crate) const LEFT_OUT: &str = "left_out";
/// How much of a JSON value that is too large is kept as text.
const BEGINNING_LEN_MAX: usize = 64 << 10;
/// What stands for a name that is required and empty.
const UNKNOWN: &str = "unknown";
/// What an action gets in front that would be one of the log's own.
const FOREIGN_ACTION_PREFIX: &str = "imported.";
const DIGEST_HEX_LEN: usize = 16;
const MARK: &str = "…";
/// No control character is allowed.
const ONE_LINE: &[char] = &[];
/// Those that texts of several lines have.
const PROSE: &[char] = &['\t', '\n'];

/// Makes the event one that is within all limits on length, number and depth.
pub(crate) fn fitted(mut event: Event) -> Event {
    let mut shortened = Shortened::default();
    name_what_is_empty(&mut event);
    free_reserved_action(&mut event);
    shorten_texts(&mut event, &mut shortened);
    shorten_lists(&mut event, &mut shortened);
    shorten_json(&mut event, &mut shortened);
    if let Some(names) = shortened.names() {
        add_tag(&mut event, SHORTENED, names);
    }
    shorten_payload(event)
}

/// Adds the name of a field to a tag that holds such names.
pub(crate) fn add_name(event: &mut Event, key: &str, name: &str) {
    let before = event.tags.get(key).cloned();
    let names = before.into_iter().chain([name.to_owned()]).collect::<Vec<_>>().join(",");
    add_tag(event, key, names);
}

/// Adds a tag of the importer's own, also where there are as many as there may be.
pub(crate) fn add_tag(event: &mut Event, key: &str, value: String) {
    while event.tags.len() >= TAGS_MAX && !event.tags.contains_key(key) {
        event.tags.pop_last();
    }
    event.tags.insert(key.to_owned(), value);
}

/// The fields shortened so far, each once, in the order met.
#[derive(Default)]
struct Shortened(Vec<&'static str>);

impl Shortened {
    fn note(&mut self, field: &'static str) {
        if !self.0.contains(&field) {
            self.0.push(field);
        }
    }

    fn text(&mut self, field: &'static str, text: &mut String, max: usize) {
        if text.len() > max || is_short_form(text) {
            *text = short(text, max);
            self.note(field);
        }
    }

    /// There are less than thirty names, so they fit into a tag.
    fn names(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.0.join(","))
    }
}

/// The longest beginning of a text that has at most so many bytes and ends between characters.
fn start_of(text: &str, bytes_max: usize) -> &str {
    let mut end = bytes_max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The beginning of a text that is too long, a mark, and a digest of the whole.
fn short(text: &str, max: usize) -> String {
    let digest = blake3::hash(text.as_bytes()).to_hex();
    let room = max.saturating_sub(MARK.len() + DIGEST_HEX_LEN);
    let beginning = start_of(text, room);
    format!("{beginning}{MARK}{}", &digest[..DIGEST_HEX_LEN])
}

/// Whether a text looks as if it had been shortened. It is given a digest of its own then: a name
/// that was chosen to equal the shortened form of another does not.
fn is_short_form(text: &str) -> bool {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let split = text.as_bytes().split_last_chunk::<DIGEST_HEX_LEN>();
    split.is_some_and(|(before, digest)| {
        digest.iter().all(|byte| hex(*byte)) && before.ends_with(MARK.as_bytes())
    })
}

/// An identifier that is there and empty identifies nothing.
fn name_what_is_empty(event: &mut Event) {
    let required =
        [&mut event.actor.kind, &mut event.actor.id, &mut event.action, &mut event.resource.kind];
    for text in required {
        if text.is_empty() {
            UNKNOWN.clone_into(text);
        }
    }
    for text in [&mut event.tenant, &mut event.resource.id, &mut event.subject] {
        text.take_if(|text| text.is_empty());
    }
    event.on_behalf_of.take_if(|actor| actor.id.is_empty());
    if let Some(actor) = event.on_behalf_of.as_mut().filter(|actor| actor.kind.is_empty()) {
        UNKNOWN.clone_into(&mut actor.kind);
    }
    targets::name_what_is_empty(event);
}

/// The actions of the log itself are not for others: a Kubernetes resource may well be
/// called `bulla`.
fn free_reserved_action(event: &mut Event) {
    if event.action.starts_with(RESERVED_ACTION_PREFIX) {
        event.action.insert_str(0, FOREIGN_ACTION_PREFIX);
        add_tag(event, MENDED, "action".to_owned());
    }
}

fn shorten_texts(event: &mut Event, shortened: &mut Shortened) {
    for (name, text, max) in [
        ("actor.type", &mut event.actor.kind, NAME_LEN_MAX),
        ("actor.id", &mut event.actor.id, ID_LEN_MAX),
        ("action", &mut event.action, NAME_LEN_MAX),
        ("resource.type", &mut event.resource.kind, NAME_LEN_MAX),
    ] {
        shortened.text(name, text, max);
    }
    if let Some(actor) = &mut event.on_behalf_of {
        shortened.text("on_behalf_of.type", &mut actor.kind, NAME_LEN_MAX);
        shortened.text("on_behalf_of.id", &mut actor.id, ID_LEN_MAX);
        for (name, text) in
            [("on_behalf_of.email", &mut actor.email), ("on_behalf_of.role", &mut actor.role)]
        {
            if let Some(text) = text {
                shortened.text(name, text, LABEL_LEN_MAX);
            }
        }
    }
    for (name, text, max) in [
        ("tenant", &mut event.tenant, NAME_LEN_MAX),
        ("actor.email", &mut event.actor.email, LABEL_LEN_MAX),
        ("actor.role", &mut event.actor.role, LABEL_LEN_MAX),
        ("resource.id", &mut event.resource.id, ID_LEN_MAX),
        ("reason", &mut event.reason, REASON_LEN_MAX),
        ("source", &mut event.source, LABEL_LEN_MAX),
        ("ip", &mut event.ip, IP_LEN_MAX),
        ("user_agent", &mut event.user_agent, USER_AGENT_LEN_MAX),
        ("session_id", &mut event.session_id, LABEL_LEN_MAX),
        ("request_id", &mut event.request_id, LABEL_LEN_MAX),
        ("correlation_id", &mut event.correlation_id, LABEL_LEN_MAX),
        ("subject", &mut event.subject, SUBJECT_LEN_MAX),
    ] {
        if let Some(text) = text {
            shortened.text(name, text, max);
        }
    }
}

fn shorten_lists(event: &mut Event, shortened: &mut Shortened) {
    targets::shorten(event, shortened);
    if event.changed_fields.len() > CHANGED_FIELDS_MAX {
        event.changed_fields.truncate(CHANGED_FIELDS_MAX);
        shortened.note("changed_fields");
    }
    for name in &mut event.changed_fields {
        shortened.text("changed_fields", name, CHANGED_FIELD_LEN_MAX);
    }
    for (mut key, mut value) in std::mem::take(&mut event.tags) {
        shortened.text("tags", &mut key, TAG_KEY_LEN_MAX);
        shortened.text("tags", &mut value, TAG_VALUE_LEN_MAX);
        if event.tags.len() < TAGS_MAX {
            event.tags.insert(key, value);
        } else {
            shortened.note("tags");
        }
    }
}

fn shorten_json(event: &mut Event, shortened: &mut Shortened) {
    let too_large =
        |json: &Json| json.as_str().len() > JSON_LEN_MAX || json.depth() > JSON_DEPTH_MAX;
    for (name, json) in [
        ("details", &mut event.details),
        ("old_values", &mut event.old_values),
        ("new_values", &mut event.new_values),
    ] {
        let Some(json) = json else { continue };
        if too_large(json) {
            *json = beginning_of(json);
            shortened.note(name);
        }
    }
}

/// Size, depth, digest and beginning of a JSON value, as one.
fn beginning_of(json: &Json) -> Json {
    let text = json.as_str();
    Json::from_value(&serde_json::json!({"original": {
        "bytes": text.len(),
        "levels": json.depth(),
        "blake3": blake3::hash(text.as_bytes()).to_hex().to_string(),
        "beginning": start_of(text, BEGINNING_LEN_MAX),
    }}))
}

/// Each field may be as long as it may be, but not all of them at once: the largest JSON
/// value gives way first.
fn shorten_payload(mut event: Event) -> Event {
    while event.validate().is_err_and(|invalid| invalid.field == "payload") {
        let mut shortened = Shortened::default();
        let largest = [
            ("details", &mut event.details),
            ("old_values", &mut event.old_values),
            ("new_values", &mut event.new_values),
        ]
        .into_iter()
        .max_by_key(|(_, json)| json.as_ref().map_or(0, |json| json.as_str().len()));
        let Some((name, Some(json))) = largest else { return event };
        if json.as_str().len() <= 6 * BEGINNING_LEN_MAX {
            return event;
        }
        *json = beginning_of(json);
        shortened.note(name);
        let before = event.tags.get(SHORTENED).cloned();
        let names = before.into_iter().chain(shortened.names()).collect::<Vec<_>>().join(",");
        add_tag(&mut event, SHORTENED, names);
    }
    event
}

/// Writes the control characters in all fields copied from a foreign event as escapes;
/// `details` has the original whole.
pub(crate) fn escaped(mut event: Event) -> Event {
    let resource = &mut event.resource;
    for text in [&mut event.actor.kind, &mut event.actor.id, &mut event.action, &mut resource.kind]
    {
        escape(text, ONE_LINE);
    }
    let optional = [
        (&mut event.tenant, ONE_LINE),
        (&mut event.actor.email, ONE_LINE),
        (&mut event.actor.role, ONE_LINE),
        (&mut resource.id, ONE_LINE),
        (&mut event.reason, PROSE),
        (&mut event.source, ONE_LINE),
        (&mut event.ip, ONE_LINE),
        (&mut event.user_agent, PROSE),
        (&mut event.session_id, ONE_LINE),
        (&mut event.request_id, ONE_LINE),
        (&mut event.correlation_id, ONE_LINE),
    ];
    for (text, allowed) in optional {
        if let Some(text) = text {
            escape(text, allowed);
        }
    }
    if let Some(Actor { kind, id, email, role }) = &mut event.on_behalf_of {
        let texts = [Some(kind), Some(id), email.as_mut(), role.as_mut()];
        texts.into_iter().flatten().for_each(|text| escape(text, ONE_LINE));
    }
    targets::escape_targets(&mut event);
    event.changed_fields.iter_mut().for_each(|name| escape(name, ONE_LINE));
    event.tags = std::mem::take(&mut event.tags)
        .into_iter()
        .map(|(mut key, mut value)| {
            escape(&mut key, ONE_LINE);
            escape(&mut value, ONE_LINE);
            (key, value)
        })
        .collect();
    event
}

/// Writes control characters as `\u{1b}`, but for those allowed. A text that has one of them, or such
/// an escape already, has each backslash twice, so that no two texts become the same; but `\t`,
/// `\r` and `\n` as two characters stay, since paths of Windows are full of them.
fn escape(text: &mut String, allowed: &[char]) {
    let bad = |found: char| found.is_control() && !allowed.contains(&found);
    let escaped = text.contains('\\') && text.contains("\\u{");
    if !escaped && !text.contains(bad) {
        return;
    }
    let mut out = String::with_capacity(text.len() + 16);
    for found in text.chars() {
        if found == '\\' {
            out.push_str("\\\\");
        } else if bad(found) {
            out.extend(found.escape_default());
        } else {
            out.push(found);
        }
    }
    *text = out;
}

#[cfg(test)]
mod tests;
