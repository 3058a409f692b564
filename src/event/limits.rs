//! What an event may hold, and [`Event::validate`].
//!
//! Lengths are in bytes of UTF-8. The limits are generous for honest events, and
//! bound what a hostile one costs. Text holds no control characters (U+0000 to
//! U+001F, U+007F to U+009F), so that a listing cannot drive a terminal; only
//! `reason` and `user_agent` may hold tabs and line feeds. Other invisible
//! characters are let through: to refuse an event is to lose evidence.

use super::{Event, Json, Redacted};
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
/// Longest `redacted.rules`.
pub const REDACTED_RULES_LEN_MAX: usize = 256;
/// Most `redacted.paths`.
pub const REDACTED_PATHS_MAX: usize = 256;
/// Longest path in `redacted.paths`.
pub const REDACTED_PATH_LEN_MAX: usize = 512;
/// Longest `subject`: an actor's type, a colon and an actor's id.
pub const SUBJECT_LEN_MAX: usize = NAME_LEN_MAX + 1 + ID_LEN_MAX;
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
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub struct InvalidEvent {
    /// The field, as in JSON, e.g. `actor.id`.
    pub field: &'static str,
    /// What was expected of it, and what was found.
    pub problem: Problem,
}

/// What is wrong with a field of an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// It is the empty text.
    #[error("is empty: give it a value")]
    Empty,
    /// It is not there, and what was asked for needs it.
    #[error("is missing: {advice}")]
    Missing {
        /// What to do.
        advice: &'static str,
    },
    /// It has more bytes than it may.
    #[error("is too long: at most {max} bytes, found {found}")]
    TooLong {
        /// Most bytes.
        max: usize,
        /// Bytes found.
        found: usize,
    },
    /// It has more entries than it may.
    #[error("has too many entries: at most {max}, found {found}")]
    TooMany {
        /// Most entries.
        max: usize,
        /// Entries found.
        found: usize,
    },
    /// It holds a control character.
    #[error(
        "holds the control character U+{:04X} at byte {offset}: escape or remove it",
        u32::from(*.found)
    )]
    ControlCharacter {
        /// The character.
        found: char,
        /// Its place, in bytes from the start of the text.
        offset: usize,
    },
    /// Its arrays and objects are nested too deeply.
    #[error("is nested too deeply: at most {max} levels, found {found}")]
    TooDeep {
        /// Most levels.
        max: usize,
        /// Levels found.
        found: usize,
    },
    /// It starts with [`RESERVED_ACTION_PREFIX`].
    #[error(
        "starts with {RESERVED_ACTION_PREFIX:?}, which is kept for the log's own records: choose \
         another name"
    )]
    Reserved,
    /// The time is outside [`OCCURRED_AT_MIN`] to [`OCCURRED_AT_MAX`].
    #[error("must be in the years 1678 to 2261, found {found}")]
    TimeOutOfRange {
        /// The time found.
        found: Timestamp,
    },
}

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
        if let Some(subject) = &self.subject {
            identifier("subject", subject, SUBJECT_LEN_MAX)?;
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
        self.redacted.as_ref().map_or(Ok(()), Redacted::validate)
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
            + self.redacted.as_ref().map_or(0, Redacted::text_len)
    }
}

impl Redacted {
    fn validate(&self) -> Result<(), InvalidEvent> {
        identifier("redacted.rules", &self.rules, REDACTED_RULES_LEN_MAX)?;
        at_most_entries("redacted.paths", REDACTED_PATHS_MAX, self.paths.len())?;
        self.paths.iter().try_for_each(|path| line("redacted.paths", path, REDACTED_PATH_LEN_MAX))
    }

    fn text_len(&self) -> usize {
        self.rules.len() + self.paths.iter().map(String::len).sum::<usize>()
    }
}

/// Text that names something: not empty, on one line.
#[inline]
fn identifier(field: &'static str, text: &str, max: usize) -> Result<(), InvalidEvent> {
    if text.is_empty() {
        return Err(InvalidEvent { field, problem: Problem::Empty });
    }
    line(field, text, max)
}

#[inline]
fn label(field: &'static str, text: &Option<String>, max: usize) -> Result<(), InvalidEvent> {
    text.as_ref().map_or(Ok(()), |text| line(field, text, max))
}

#[inline]
fn line(field: &'static str, text: &str, max: usize) -> Result<(), InvalidEvent> {
    // This test alone runs for nearly every text of nearly every event.
    if text.len() <= max && !may_hold_control(text.as_bytes()) {
        return Ok(());
    }
    look_closely(field, text, max, &[])
}

fn prose(field: &'static str, text: &Option<String>, max: usize) -> Result<(), InvalidEvent> {
    let Some(text) = text else { return Ok(()) };
    look_closely(field, text, max, &['\t', '\n'])
}

fn look_closely(
    field: &'static str,
    text: &str,
    max: usize,
    allowed: &[char],
) -> Result<(), InvalidEvent> {
    at_most(field, max, text.len())?;
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

fn json(field: &'static str, json: &Option<Json>) -> Result<(), InvalidEvent> {
    let Some(json) = json else { return Ok(()) };
    at_most(field, JSON_LEN_MAX, json.as_str().len())?;
    if json.depth() > JSON_DEPTH_MAX {
        let problem = Problem::TooDeep { max: JSON_DEPTH_MAX, found: json.depth() };
        return Err(InvalidEvent { field, problem });
    }
    Ok(())
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

/// Whether any byte may belong to a control character: below 0x20, 0x7F, or 0xC2
/// (which leads U+0080 to U+00BF). Eight bytes at a time, because it sees every
/// byte of every event on its way in.
#[inline]
fn may_hold_control(text: &[u8]) -> bool {
    let Some(last) = text.last_chunk::<8>() else {
        return text.iter().any(|&byte| byte < 0x20 || byte == 0x7f || byte == 0xc2);
    };
    let (words, _) = text.as_chunks::<8>();
    // The last eight bytes may overlap with the last whole word.
    let hits = words.iter().fold(control_bits(*last), |hits, word| hits | control_bits(*word));
    hits != 0
}

/// A bit for each byte that may belong to a control character, by the word tricks
/// of Bit Twiddling Hacks ("has a byte less than n", "has a zero byte"). A borrow
/// from one byte to the next can only follow a true hit.
#[inline]
fn control_bits(bytes: [u8; 8]) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_le_bytes(bytes);
    let below = |word: u64, n: u64| word.wrapping_sub(EACH * n) & !word;
    let hits = below(word, 0x20) | below(word ^ (EACH * 0x7f), 1) | below(word ^ (EACH * 0xc2), 1);
    hits & (EACH * 0x80)
}

#[cfg(test)]
mod tests;
