//! What an event may hold, and [`Event::validate`].
//!
//! Lengths are in bytes of UTF-8. The limits are generous for honest events, and
//! bound what a hostile one costs. Text holds no control characters (U+0000 to
//! U+001F, U+007F to U+009F), so that a listing cannot drive a terminal; only
//! `reason` and `user_agent` may hold tabs and line feeds. Other invisible
//! characters are let through: to refuse an event is to lose evidence.

use std::fmt;

use super::{Event, Json};
use crate::time::Timestamp;

/// Longest `tenant`, `actor.type`, `action` and `resource.type`.
pub const NAME_LEN_MAX: usize = 256;
/// Longest `actor.id` and `resource.id`.
pub const ID_LEN_MAX: usize = 4096;
/// Longest `request_id`, `correlation_id`, `session_id`, `source`, `actor.email`
/// and `actor.role`.
pub const LABEL_LEN_MAX: usize = 1024;
/// Longest `ip` (which may be the name of a service).
pub const IP_LEN_MAX: usize = 256;
/// Longest `user_agent`.
pub const USER_AGENT_LEN_MAX: usize = 8192;
/// Longest `reason`.
pub const REASON_LEN_MAX: usize = 65_536;
/// Most `changed_fields`.
pub const CHANGED_FIELDS_MAX: usize = 1024;
/// Longest name in `changed_fields`.
pub const CHANGED_FIELD_LEN_MAX: usize = 256;
/// Most `tags`.
pub const TAGS_MAX: usize = 256;
/// Longest key of a tag.
pub const TAG_KEY_LEN_MAX: usize = 256;
/// Longest value of a tag.
pub const TAG_VALUE_LEN_MAX: usize = 4096;
/// Longest text of `old_values`, `new_values` and `details`.
pub const JSON_LEN_MAX: usize = 1 << 20;
/// Deepest nesting of arrays and objects in a JSON value. `serde_json` reads 127
/// levels, and a value is one level down in the JSON of its record.
pub const JSON_DEPTH_MAX: usize = 126;
/// Longest text of all fields of the payload together (`docs/format.md`): with the
/// lengths and marks between them they stay within 4 MiB.
pub const PAYLOAD_TEXT_LEN_MAX: usize = (4 << 20) - (8 << 10);
/// Actions that start with this are the log's own.
pub const RESERVED_ACTION_PREFIX: &str = "bulla.";
/// Earliest `occurred_at`: 1678-01-01T00:00:00Z.
pub const OCCURRED_AT_MIN: Timestamp = Timestamp::from_nanos(-9_214_560_000_000_000_000);
/// Latest `occurred_at`: the last nanosecond of the year 2261.
pub const OCCURRED_AT_MAX: Timestamp = Timestamp::from_nanos(9_214_646_400_000_000_000 - 1);

/// The event is not one that a log takes: which field, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidEvent {
    /// The field, as in JSON, e.g. `actor.id`.
    pub field: &'static str,
    /// What was expected of it, and what was found.
    pub problem: Problem,
}

/// What is wrong with a field of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// It is the empty text.
    Empty,
    /// It has more bytes than it may.
    TooLong {
        /// Most bytes.
        max: usize,
        /// Bytes found.
        found: usize,
    },
    /// It has more entries than it may.
    TooMany {
        /// Most entries.
        max: usize,
        /// Entries found.
        found: usize,
    },
    /// It holds a control character.
    ControlCharacter {
        /// The character.
        found: char,
        /// Its place, in bytes from the start of the text.
        offset: usize,
    },
    /// Its arrays and objects are nested too deeply.
    TooDeep {
        /// Most levels.
        max: usize,
        /// Levels found.
        found: usize,
    },
    /// It starts with [`RESERVED_ACTION_PREFIX`].
    Reserved,
    /// The time is outside [`OCCURRED_AT_MIN`] to [`OCCURRED_AT_MAX`].
    TimeOutOfRange {
        /// The time found.
        found: Timestamp,
    },
}

impl fmt::Display for InvalidEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = self.field;
        match &self.problem {
            Problem::Empty => write!(f, "{field} is empty: give it a value"),
            Problem::TooLong { max, found } => {
                write!(f, "{field} is too long: at most {max} bytes, found {found}")
            }
            Problem::TooMany { max, found } => {
                write!(f, "{field} has too many entries: at most {max}, found {found}")
            }
            Problem::ControlCharacter { found, offset } => write!(
                f,
                "{field} holds the control character U+{:04X} at byte {offset}: escape or remove it",
                u32::from(*found)
            ),
            Problem::TooDeep { max, found } => {
                write!(f, "{field} is nested too deeply: at most {max} levels, found {found}")
            }
            Problem::Reserved => write!(
                f,
                "{field} starts with {RESERVED_ACTION_PREFIX:?}, which is kept for the log's own \
                 records: choose another name"
            ),
            Problem::TimeOutOfRange { found } => {
                write!(f, "{field} must be in the years 1678 to 2261, found {found}")
            }
        }
    }
}

impl std::error::Error for InvalidEvent {}

impl Event {
    /// Whether a log takes this event: all fields within the limits of
    /// [`limits`](self).
    ///
    /// # Errors
    /// Names the first field that is not, what was expected and what was found.
    pub fn validate(&self) -> Result<(), InvalidEvent> {
        self.validate_envelope()?;
        self.validate_texts()?;
        self.validate_lists()?;
        json("old_values", &self.old_values)?;
        json("new_values", &self.new_values)?;
        json("details", &self.details)?;
        at_most("payload", PAYLOAD_TEXT_LEN_MAX, self.payload_text_len())
    }

    fn validate_envelope(&self) -> Result<(), InvalidEvent> {
        if let Some(time) = self.occurred_at
            && !(OCCURRED_AT_MIN..=OCCURRED_AT_MAX).contains(&time)
        {
            let problem = Problem::TimeOutOfRange { found: time };
            return Err(InvalidEvent { field: "occurred_at", problem });
        }
        if let Some(tenant) = &self.tenant {
            identifier("tenant", tenant, NAME_LEN_MAX)?;
        }
        identifier("actor.type", &self.actor.kind, NAME_LEN_MAX)?;
        identifier("actor.id", &self.actor.id, ID_LEN_MAX)?;
        identifier("action", &self.action, NAME_LEN_MAX)?;
        if self.action.starts_with(RESERVED_ACTION_PREFIX) {
            return Err(InvalidEvent { field: "action", problem: Problem::Reserved });
        }
        identifier("resource.type", &self.resource.kind, NAME_LEN_MAX)?;
        if let Some(id) = &self.resource.id {
            identifier("resource.id", id, ID_LEN_MAX)?;
        }
        label("request_id", &self.request_id, LABEL_LEN_MAX)?;
        label("correlation_id", &self.correlation_id, LABEL_LEN_MAX)
    }

    fn validate_texts(&self) -> Result<(), InvalidEvent> {
        label("actor.email", &self.actor.email, LABEL_LEN_MAX)?;
        label("actor.role", &self.actor.role, LABEL_LEN_MAX)?;
        prose("reason", &self.reason, REASON_LEN_MAX)?;
        label("source", &self.source, LABEL_LEN_MAX)?;
        label("ip", &self.ip, IP_LEN_MAX)?;
        prose("user_agent", &self.user_agent, USER_AGENT_LEN_MAX)?;
        label("session_id", &self.session_id, LABEL_LEN_MAX)
    }

    fn validate_lists(&self) -> Result<(), InvalidEvent> {
        at_most_entries("changed_fields", CHANGED_FIELDS_MAX, self.changed_fields.len())?;
        for name in &self.changed_fields {
            line("changed_fields", name, CHANGED_FIELD_LEN_MAX)?;
        }
        at_most_entries("tags", TAGS_MAX, self.tags.len())?;
        for (key, value) in &self.tags {
            line("tags (key)", key, TAG_KEY_LEN_MAX)?;
            line("tags (value)", value, TAG_VALUE_LEN_MAX)?;
        }
        Ok(())
    }

    fn payload_text_len(&self) -> usize {
        let text = |field: &Option<String>| field.as_ref().map_or(0, String::len);
        let json = |field: &Option<Json>| field.as_ref().map_or(0, |json| json.as_str().len());
        text(&self.actor.email)
            + text(&self.actor.role)
            + text(&self.reason)
            + text(&self.source)
            + text(&self.ip)
            + text(&self.user_agent)
            + text(&self.session_id)
            + self.changed_fields.iter().map(String::len).sum::<usize>()
            + json(&self.old_values)
            + json(&self.new_values)
            + self.tags.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>()
            + json(&self.details)
    }
}

/// Text that names something: not empty, on one line.
fn identifier(field: &'static str, text: &str, max: usize) -> Result<(), InvalidEvent> {
    if text.is_empty() {
        return Err(InvalidEvent { field, problem: Problem::Empty });
    }
    line(field, text, max)
}

fn label(field: &'static str, text: &Option<String>, max: usize) -> Result<(), InvalidEvent> {
    text.as_ref().map_or(Ok(()), |text| line(field, text, max))
}

fn prose(field: &'static str, text: &Option<String>, max: usize) -> Result<(), InvalidEvent> {
    let Some(text) = text else { return Ok(()) };
    at_most(field, max, text.len())?;
    refuse_control(field, text, &['\t', '\n'])
}

fn json(field: &'static str, json: &Option<Json>) -> Result<(), InvalidEvent> {
    let Some(json) = json else { return Ok(()) };
    at_most(field, JSON_LEN_MAX, json.as_str().len())?;
    if json.depth() > JSON_DEPTH_MAX {
        let problem = Problem::TooDeep { max: JSON_DEPTH_MAX, found: json.depth() };
        return Err(InvalidEvent { field, problem });
    }
    Ok(())
}

fn line(field: &'static str, text: &str, max: usize) -> Result<(), InvalidEvent> {
    at_most(field, max, text.len())?;
    refuse_control(field, text, &[])
}

fn at_most(field: &'static str, max: usize, found: usize) -> Result<(), InvalidEvent> {
    if found > max {
        return Err(InvalidEvent { field, problem: Problem::TooLong { max, found } });
    }
    Ok(())
}

fn at_most_entries(field: &'static str, max: usize, found: usize) -> Result<(), InvalidEvent> {
    if found > max {
        return Err(InvalidEvent { field, problem: Problem::TooMany { max, found } });
    }
    Ok(())
}

fn refuse_control(field: &'static str, text: &str, allowed: &[char]) -> Result<(), InvalidEvent> {
    if !may_hold_control(text.as_bytes()) {
        return Ok(());
    }
    match text.char_indices().find(|(_, found)| found.is_control() && !allowed.contains(found)) {
        None => Ok(()),
        Some((offset, found)) => {
            Err(InvalidEvent { field, problem: Problem::ControlCharacter { found, offset } })
        }
    }
}

/// Whether any byte may belong to a control character: below 0x20, 0x7F, or 0xC2
/// (which leads U+0080 to U+00BF). Eight bytes at a time, because it sees every
/// byte of every event on its way in.
fn may_hold_control(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks::<8>();
    if words.iter().any(|word| word_may_hold_control(u64::from_le_bytes(*word))) {
        return true;
    }
    match text.last_chunk::<8>() {
        Some(last) => word_may_hold_control(u64::from_le_bytes(*last)),
        None => rest.iter().any(|&byte| byte < 0x20 || byte == 0x7f || byte == 0xc2),
    }
}

/// The word tricks of Bit Twiddling Hacks ("has a byte less than n", "has a zero
/// byte"); a borrow between bytes can only follow a true hit.
fn word_may_hold_control(word: u64) -> bool {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let below = |word: u64, n: u64| word.wrapping_sub(EACH * n) & !word;
    let hits = below(word, 0x20) | below(word ^ (EACH * 0x7f), 1) | below(word ^ (EACH * 0xc2), 1);
    hits & (EACH * 0x80) != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Actor, Resource};
    use proptest::prelude::*;

    fn event() -> Event {
        Event::new(Actor::new("user", "alice"), "user.login", Resource::kind_only("session"))
    }

    fn problem(event: &Event) -> (&'static str, Problem) {
        let invalid = event.validate().unwrap_err();
        assert!(invalid.to_string().contains(invalid.field));
        (invalid.field, invalid.problem)
    }

    #[test]
    fn required_fields_must_not_be_empty() {
        type Change = fn(&mut Event);
        let cases: [(&str, Change); 6] = [
            ("actor.type", |e| e.actor.kind.clear()),
            ("actor.id", |e| e.actor.id.clear()),
            ("action", |e| e.action.clear()),
            ("resource.type", |e| e.resource.kind.clear()),
            ("resource.id", |e| e.resource.id = Some(String::new())),
            ("tenant", |e| e.tenant = Some(String::new())),
        ];
        for (field, change) in cases {
            let mut event = event();
            assert_eq!(event.validate(), Ok(()));
            change(&mut event);
            assert_eq!(problem(&event), (field, Problem::Empty));
        }
    }

    #[test]
    fn each_text_may_be_as_long_as_its_limit_and_no_longer() {
        type Fill = fn(Event, String) -> Event;
        let cases: [(&str, usize, Fill); 16] = [
            ("tenant", NAME_LEN_MAX, |e, t| e.tenant(t)),
            ("actor.type", NAME_LEN_MAX, |mut e, t| (e.actor.kind = t, e).1),
            ("actor.id", ID_LEN_MAX, |mut e, t| (e.actor.id = t, e).1),
            ("actor.email", LABEL_LEN_MAX, |mut e, t| (e.actor.email = Some(t), e).1),
            ("actor.role", LABEL_LEN_MAX, |mut e, t| (e.actor.role = Some(t), e).1),
            ("action", NAME_LEN_MAX, |mut e, t| (e.action = t, e).1),
            ("resource.type", NAME_LEN_MAX, |mut e, t| (e.resource.kind = t, e).1),
            ("resource.id", ID_LEN_MAX, |mut e, t| (e.resource.id = Some(t), e).1),
            ("reason", REASON_LEN_MAX, |e, t| e.reason(t)),
            ("source", LABEL_LEN_MAX, |e, t| e.source(t)),
            ("ip", IP_LEN_MAX, |e, t| e.ip(t)),
            ("user_agent", USER_AGENT_LEN_MAX, |e, t| e.user_agent(t)),
            ("session_id", LABEL_LEN_MAX, |e, t| e.session_id(t)),
            ("request_id", LABEL_LEN_MAX, |e, t| e.request_id(t)),
            ("correlation_id", LABEL_LEN_MAX, |e, t| e.correlation_id(t)),
            ("changed_fields", CHANGED_FIELD_LEN_MAX, |e, t| e.changed_fields([t])),
        ];
        for (field, max, fill) in cases {
            assert_eq!(fill(event(), "x".repeat(max)).validate(), Ok(()), "{field}");
            let found = max + 1;
            let too_long = fill(event(), "x".repeat(found));
            assert_eq!(problem(&too_long), (field, Problem::TooLong { max, found }));
            for bad in ["\0", "\r", "\u{1b}[2J", "ab\u{7f}", "12345678\u{85}", "1234567\u{9f}"] {
                let (found_field, problem) = problem(&fill(event(), bad.to_owned()));
                assert_eq!(found_field, field);
                assert!(matches!(problem, Problem::ControlCharacter { .. }), "{field} {bad:?}");
            }
            let broken = fill(event(), "two\tparts\nand lines".to_owned()).validate();
            assert_eq!(broken.is_ok(), matches!(field, "reason" | "user_agent"), "{field}");
            assert_eq!(fill(event(), "£ é 漢 \u{a0}".to_owned()).validate(), Ok(()));
        }
    }

    #[test]
    fn lists_are_bounded_in_number_and_length() {
        let names = |n: usize| event().changed_fields(vec!["f"; n]);
        assert_eq!(names(1024).validate(), Ok(()));
        let problem_found = Problem::TooMany { max: 1024, found: 1025 };
        assert_eq!(problem(&names(1025)), ("changed_fields", problem_found));

        let tags = |n: usize| (0..n).fold(event(), |e, i| e.tag(i.to_string(), "v"));
        assert_eq!(tags(256).validate(), Ok(()));
        assert_eq!(problem(&tags(257)), ("tags", Problem::TooMany { max: 256, found: 257 }));
        assert_eq!(problem(&event().tag("k".repeat(257), "")).0, "tags (key)");
        assert_eq!(problem(&event().tag("k", "v".repeat(4097))).0, "tags (value)");
        assert_eq!(problem(&event().tag("k", "\u{8}")).0, "tags (value)");
    }

    #[test]
    fn json_is_bounded_in_length_and_depth() {
        let nested =
            |n: usize| Json::parse(&format!("{}{}", "[".repeat(n), "]".repeat(n))).unwrap();
        let deepest = nested(JSON_DEPTH_MAX);
        let deepest = event().details(deepest);
        assert_eq!(deepest.validate(), Ok(()));
        assert!(serde_json::from_str::<serde_json::Value>(&deepest.to_json()).is_ok());
        let deeper = nested(JSON_DEPTH_MAX + 1);
        let too_deep = Problem::TooDeep { max: 126, found: 127 };
        assert_eq!(problem(&event().new_values(deeper)), ("new_values", too_deep));

        let long = |n: usize| Json::parse(&"1".repeat(n)).unwrap();
        assert_eq!(event().old_values(long(JSON_LEN_MAX)).validate(), Ok(()));
        let too_long = Problem::TooLong { max: 1 << 20, found: (1 << 20) + 1 };
        let found = problem(&event().old_values(long(JSON_LEN_MAX + 1)));
        assert_eq!(found, ("old_values", too_long));
        let big = long(JSON_LEN_MAX);
        let mut full = event().old_values(big.clone()).new_values(big.clone()).details(big);
        assert_eq!(full.validate(), Ok(()));
        for i in 0..256 {
            full = full.tag(i.to_string(), "v".repeat(4096));
        }
        assert_eq!(problem(&full).0, "payload");
    }

    #[test]
    fn actions_of_the_log_are_reserved() {
        let mut event = event();
        event.action = "bulla.anchor".to_owned();
        assert_eq!(problem(&event), ("action", Problem::Reserved));
        event.action = "bullae.count".to_owned();
        assert_eq!(event.validate(), Ok(()));
    }

    #[test]
    fn times_are_of_the_years_1678_to_2261() {
        assert_eq!(OCCURRED_AT_MIN.to_string(), "1678-01-01T00:00:00.000000000Z");
        assert_eq!(OCCURRED_AT_MAX.to_string(), "2261-12-31T23:59:59.999999999Z");
        assert_eq!(event().occurred_at(OCCURRED_AT_MIN).validate(), Ok(()));
        assert_eq!(event().occurred_at(OCCURRED_AT_MAX).validate(), Ok(()));
        for found in [Timestamp::MIN, Timestamp::MAX] {
            let problem_found = Problem::TimeOutOfRange { found };
            assert_eq!(problem(&event().occurred_at(found)), ("occurred_at", problem_found));
        }
    }

    proptest! {
        #[test]
        fn the_fast_scan_finds_what_the_slow_one_finds(text in "[\\PC\u{0}\u{1f} \u{7e}\u{7f}\u{80}\u{9f}\u{a0}é]{0,40}") {
            let slow = text.chars().any(char::is_control);
            prop_assert_eq!(refuse_control("f", &text, &[]).is_err(), slow);
        }
    }
}
