//! Redaction on the way in: what must not be kept is taken out of an event before
//! anything of it is hashed or written.
//!
//! A [`Redactor`] knows *names* (`password`, `api key`, …), under which every value
//! becomes [`REDACTED`], and *patterns* ([`Pattern`], e.g. [`card_numbers`]), which
//! find parts of texts that become [`REDACTED`]. It looks at all of the payload:
//!
//! - `details`, `old_values` and `new_values`: names at any depth, patterns in texts,
//!   numbers and names. A whole number is looked at as its digits too, however it is written
//!   (`4.1e3`). Members whose names become the same are numbered (`[redacted]~2`), as keys of
//!   tags are. JSON inside of a text is a text.
//! - `tags`: their keys are names; patterns in keys and values.
//! - `reason`, `source`, `ip`, `user_agent`, `session_id`, and `email` and `role` of `actor` and
//!   `on_behalf_of`: each has its own name, so that `.field("email")` redacts it; patterns.
//! - `changed_fields`: patterns only.
//!
//! What identifies the event is never altered: tenant, type and id of the actor and of whom it
//! acted for, action, resource, targets, request, correlation and trace id, outcome, times. Those
//! stay readable for as long as the record is kept; put nothing secret there. Which fields are
//! looked at the table [`FIELDS`] says.
//!
//! All else stays byte for byte. The event then says in [`Event::redacted`] where
//! something was taken out and by which rules, and nothing of what it was: a digest of a
//! password would let anybody check a guess.
//!
//! # Names
//!
//! A rule is one word or several, and the case of letters and what stands between
//! words do not count: `api key` is `apiKey`, `API_KEY` and `api-key` too. A rule matches
//! a name that *ends* in it: `userPassword`, `x-api-key`, `aws_session_token`, but not
//! `token_count`, `secretary`, `secretId` or `authorizationInfo`. Digits, a plural `s`
//! and words that only tell the form of a value do not count at the end: `password2`,
//! `cookies`, `password_hash`, `cardNumberText` match. A rule of less than five letters
//! must be words of the name (`user_ssn`, not `lossn`); a longer one also matches where
//! nothing tells the words apart (`accesstoken`).
//!
//! Not found by any of this: secrets under harmless names (`"key": "q"`,
//! `{"name": "password", "value": "q"}`), in texts without a pattern for them, and in
//! JSON that was put into a text.

mod edits;
mod json;
mod names;
mod number;
mod pattern;
mod places;
mod rules;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::event::fields::{EventField, FIELDS, Value};
use crate::event::{Event, Json};
use names::{Names, Squeezed};
use places::{Path, Places};
use rules::{Rules, extend};

pub use pattern::{Pattern, bearer_tokens, card_numbers, private_keys};
pub use rules::REDACTED;

/// Name and version of [`Redactor::standard`].
pub const STANDARD: &str = "bulla/1";

/// The names of [`Redactor::standard`]. A change of them is a new version.
pub const STANDARD_NAMES: [&str; 20] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "secret key",
    "secret access key",
    "token",
    "api key",
    "authorization",
    "cookie",
    "ssn",
    "social security number",
    "credit card",
    "card number",
    "cvv",
    "cvc",
    "bank account",
    "routing number",
    "private key",
];

/// Takes out of events what must not be kept. Immutable once built, cheap to clone.
///
/// ```
/// use bulla::redact::{Redactor, card_numbers};
/// use bulla::{Actor, Event, Resource};
///
/// let redactor = Redactor::standard()
///     .field("passport no")
///     .pattern("card_numbers", card_numbers());
/// let event = Event::new(Actor::new("user", "alice"), "user.update", Resource::new("user", "7"))
///     .reason("paid with 4111 1111 1111 1111")
///     .details_json(r#"{"user": {"name": "Al", "newPassword": "hunter2"}}"#)?;
///
/// let kept = redactor.apply(&event);
/// assert_eq!(kept.reason.as_deref(), Some("paid with [redacted]"));
/// let details = kept.details.as_ref().map(|json| json.as_str());
/// assert_eq!(details, Some(r#"{"user": {"name": "Al", "newPassword": "[redacted]"}}"#));
/// let redacted = kept.redacted.as_ref().expect("something was");
/// assert_eq!(redacted.rules, "bulla/1+passport no+card_numbers");
/// assert_eq!(redacted.paths, ["reason", "details/user/newPassword"]);
/// # Ok::<(), bulla::event::json::InvalidJson>(())
/// ```
#[derive(Clone)]
pub struct Redactor {
    rules: Arc<Rules>,
}

impl Redactor {
    /// The rule set [`STANDARD`]: the names [`STANDARD_NAMES`], no patterns. What is added
    /// to it is told in [`Redactor::rules`].
    ///
    /// `pwd` is not among them, because it mostly is a working directory.
    pub fn standard() -> Self {
        let mut names = Names::default();
        STANDARD_NAMES.iter().for_each(|name| names.add(name));
        let title = STANDARD.to_owned();
        Redactor { rules: Arc::new(Rules { title, told: true, names, patterns: Vec::new() }) }
    }

    /// A rule set of the caller's own, without rules yet. Records say `name` for all that
    /// is added: give it a version, and change that when the rules change. A name beyond
    /// [`REDACTED_RULES_LEN_MAX`](crate::event::limits::REDACTED_RULES_LEN_MAX) bytes is cut, control characters are escaped, and an
    /// empty one becomes `unnamed`.
    pub fn empty(name: &str) -> Self {
        let mut title = String::new();
        extend(&mut title, if name.is_empty() { "unnamed" } else { name });
        let (names, patterns) = (Names::default(), Vec::new());
        Redactor { rules: Arc::new(Rules { title, told: false, names, patterns }) }
    }

    /// Redacts the values under this name; see [the module](self) for what it matches. A
    /// name without a letter or digit matches nothing.
    #[must_use]
    pub fn field(mut self, name: &str) -> Self {
        let rules = Arc::make_mut(&mut self.rules);
        rules.names.add(name);
        rules.tell(name);
        self
    }

    /// Redacts what this pattern finds; `name` is told in [`Redactor::rules`].
    #[must_use]
    pub fn pattern(mut self, name: &str, pattern: impl Pattern + 'static) -> Self {
        let rules = Arc::make_mut(&mut self.rules);
        rules.patterns.push((name.to_owned(), Arc::new(pattern)));
        rules.tell(name);
        self
    }

    /// Name and version of the rules, as records tell them: `bulla/1`, and behind a `+`
    /// each what was added to it; at most [`REDACTED_RULES_LEN_MAX`](crate::event::limits::REDACTED_RULES_LEN_MAX) bytes, cut with `…`.
    pub fn rules(&self) -> &str {
        &self.rules.title
    }

    /// The event without what the rules take out; borrowed if that is nothing. To apply
    /// it again changes nothing. [`Event::redacted`] of an event that has been redacted
    /// before, by others perhaps, is kept, and what is found now added to it.
    ///
    /// Takes time linear in the event's texts: a look at each name and, for each pattern, at
    /// each byte. Copies the event only if something is taken out. The group `redact` of
    /// `cargo bench -p bulla` measures it, beside what it costs to encode the same event.
    ///
    /// An event may be longer after it: a value becomes ten bytes. So one that is a few bytes
    /// below a limit can be refused.
    pub fn apply<'e>(&self, event: &'e Event) -> Cow<'e, Event> {
        let mut pass = Pass {
            rules: &self.rules,
            places: Places::default(),
            squeezed: Squeezed::default(),
            event: Cow::Borrowed(event),
        };
        for field in FIELDS.iter().filter(|field| field.redactable) {
            if let Some(new) = field.text(event).and_then(|text| pass.field(field, text)) {
                field.set_text(pass.event.to_mut(), new);
            }
        }
        pass.changed_fields(event);
        pass.tags(event);
        for field in FIELDS.iter().filter(|field| field.redactable) {
            let Value::Json { get, put } = field.value else { continue };
            if let Some(new) = get(event).and_then(|json| pass.json(field.name, json)) {
                put(pass.event.to_mut(), new);
            }
        }
        pass.finish()
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({})", self.rules.title)
    }
}

/// The standard rules.
impl Default for Redactor {
    fn default() -> Self {
        Redactor::standard()
    }
}

/// One event being redacted.
struct Pass<'r, 'e> {
    rules: &'r Rules,
    places: Places,
    squeezed: Squeezed,
    event: Cow<'e, Event>,
}

impl<'e> Pass<'_, 'e> {
    /// What a text field becomes, if it changes.
    fn field(&mut self, field: &EventField, text: &str) -> Option<String> {
        let new = self.value(field.member, text)?;
        self.places.add(|| match field.object {
            Some(object) => Path::of(object).member(field.member).end(),
            None => Path::of(field.name).end(),
        });
        Some(new)
    }

    /// What a text under a name becomes, if it changes.
    fn value(&mut self, name: &str, text: &str) -> Option<String> {
        if self.rules.names.matches(name, &mut self.squeezed) {
            return (text != REDACTED).then(|| REDACTED.to_owned());
        }
        self.rules.in_text(text)
    }

    fn changed_fields(&mut self, event: &Event) {
        for (at, name) in event.changed_fields.iter().enumerate() {
            let Some(new) = self.rules.in_text(name) else { continue };
            if let Some(slot) = self.event.to_mut().changed_fields.get_mut(at) {
                *slot = new;
            }
            self.places.add(|| Path::of("changed_fields").element(at).end());
        }
    }

    fn tags(&mut self, event: &Event) {
        let mut changed = Vec::new();
        for (key, value) in &event.tags {
            let (new_key, new_value) = (self.rules.in_text(key), self.value(key, value));
            if new_key.is_none() && new_value.is_none() {
                continue;
            }
            let shown = new_key.as_deref().unwrap_or(key);
            self.places.add(|| Path::of("tags").member(shown).end());
            changed.push((key, new_key, new_value.unwrap_or_else(|| value.clone())));
        }
        if changed.is_empty() {
            return;
        }
        let tags = &mut self.event.to_mut().tags;
        for (key, ..) in &changed {
            tags.remove(*key);
        }
        for (number, (key, new_key, value)) in changed.into_iter().enumerate() {
            insert(tags, new_key.unwrap_or_else(|| key.clone()), number, value);
        }
    }

    fn json(&mut self, name: &'static str, json: &Json) -> Option<Json> {
        if self.rules.names.matches(name, &mut self.squeezed) {
            let new = Json::from_checked(json::REDACTED_JSON);
            if new == *json {
                return None;
            }
            self.places.add(|| Path::of(name).end());
            return Some(new);
        }
        let new =
            json::redact(self.rules, name, json.as_str(), &mut self.places, &mut self.squeezed)?;
        Some(Json::from_checked(&new))
    }

    fn finish(self) -> Cow<'e, Event> {
        let Pass { rules, places, mut event, .. } = self;
        if !places.is_empty() {
            let event = event.to_mut();
            event.redacted = Some(places.merged(event.redacted.take(), &rules.title));
        }
        event
    }
}

/// Keys that are redacted may become the same: then the later ones are numbered.
fn insert(tags: &mut BTreeMap<String, String>, key: String, number: usize, value: String) {
    let mut free = key.clone();
    // Each try has a number of its own, so this ends after as many as there are tags.
    for suffix in number.saturating_add(2).. {
        if !tags.contains_key(&free) {
            break;
        }
        free = format!("{key}~{suffix}");
    }
    tags.insert(free, value);
}

#[cfg(test)]
mod tests;
