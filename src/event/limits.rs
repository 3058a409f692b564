//! What an event may hold, and [`Event::validate`].
//!
//! Lengths are in bytes of UTF-8. The limits are generous for honest events, and
//! bound what a hostile one costs. Text holds no control characters (U+0000 to
//! U+001F, U+007F to U+009F), so that a listing cannot drive a terminal; only
//! `reason` and `user_agent` may hold tabs and line feeds. Other invisible
//! characters are let through: to refuse an event is to lose evidence.

use std::collections::BTreeMap;

use super::fields::{EventField, FIELDS, Limit, Part, Value};
use super::json_text::Json;
use super::maxima::TARGET_TEXTS;
use super::members::{Event, Redacted};
use super::target::Target;

pub(crate) use super::maxima::ENTRIES_MAX;
pub use super::maxima::*;
use crate::time::Timestamp;

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
        self.checked().map(drop)
    }

    /// The same, and how long its texts are.
    pub(crate) fn checked(&self) -> Result<TextLengths, InvalidEvent> {
        let mut lengths = TextLengths::default();
        for field in &FIELDS {
            let len = field.check(self)?;
            match field.part {
                Part::Envelope => lengths.envelope += len,
                Part::Payload => lengths.payload += len,
                Part::Nowhere => {}
            }
        }
        at_most("payload", PAYLOAD_TEXT_LEN_MAX, lengths.payload)?;
        let paths = self.redacted.as_ref().map_or(0, |redacted| redacted.paths.len());
        let in_pairs = 2 * self.tags.len() + TARGET_TEXTS * self.targets.len();
        lengths.targets = self.targets.len();
        lengths.entries = self.changed_fields.len() + in_pairs + paths;
        Ok(lengths)
    }
}

/// How long the texts of an event are, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TextLengths {
    /// Of the envelope.
    pub(crate) envelope: usize,
    /// Of the payload.
    pub(crate) payload: usize,
    /// How many texts its lists have: those of a pair are two, those of a target three.
    pub(crate) entries: usize,
    /// How many targets it has.
    pub(crate) targets: usize,
}

impl EventField {
    /// Checks the field of an event. Gives how long its texts are together, in bytes.
    fn check(&self, event: &Event) -> Result<usize, InvalidEvent> {
        match self.value {
            Value::Text { get, .. } => {
                let Some(text) = get(event) else { return Ok(0) };
                self.check_text(text)?;
                Ok(text.len())
            }
            Value::Parsed { .. } => self.check_time(event).map(|()| 0),
            Value::Number { .. } => Ok(0),
            Value::Json { get, .. } => get(event).map_or(Ok(0), |value| json(self.name, value)),
            Value::ChangedFields => changed_fields(&event.changed_fields),
            Value::Tags => tags(&event.tags),
            Value::Targets => targets(&event.targets),
            Value::Redacted => event.redacted.as_ref().map_or(Ok(0), Redacted::check),
        }
    }

    #[inline]
    fn check_text(&self, text: &str) -> Result<(), InvalidEvent> {
        match self.limit {
            Limit::Identifier(max) => identifier(self.name, text, max),
            Limit::Line(max) => line(self.name, text, max),
            Limit::Prose(max) => look_closely(self.name, text, max, &['\t', '\n']),
            Limit::Action(max) => {
                identifier(self.name, text, max)?;
                if text.starts_with(RESERVED_ACTION_PREFIX) {
                    return Err(InvalidEvent { field: self.name, problem: Problem::Reserved });
                }
                Ok(())
            }
            _ => Ok(()), // no limit of a text
        }
    }

    /// The values of other types keep to their limits by themselves.
    fn check_time(&self, event: &Event) -> Result<(), InvalidEvent> {
        if self.limit == Limit::Time
            && let Some(time) = event.occurred_at
            && !(OCCURRED_AT_MIN..=OCCURRED_AT_MAX).contains(&time)
        {
            let problem = Problem::TimeOutOfRange { found: time };
            return Err(InvalidEvent { field: self.name, problem });
        }
        Ok(())
    }
}

fn changed_fields(names: &[String]) -> Result<usize, InvalidEvent> {
    at_most_entries("changed_fields", CHANGED_FIELDS_MAX, names.len())?;
    let mut len = 0;
    for name in names {
        line("changed_fields", name, CHANGED_FIELD_LEN_MAX)?;
        len += name.len();
    }
    Ok(len)
}

fn tags(tags: &BTreeMap<String, String>) -> Result<usize, InvalidEvent> {
    at_most_entries("tags", TAGS_MAX, tags.len())?;
    let mut len = 0;
    for (key, value) in tags {
        line("tags (key)", key, TAG_KEY_LEN_MAX)?;
        line("tags (value)", value, TAG_VALUE_LEN_MAX)?;
        len += key.len() + value.len();
    }
    Ok(len)
}

fn targets(targets: &[Target]) -> Result<usize, InvalidEvent> {
    at_most_entries("targets", TARGETS_MAX, targets.len())?;
    let mut len = 0;
    for target in targets {
        identifier("targets (type)", &target.kind, NAME_LEN_MAX)?;
        identifier("targets (id)", &target.id, ID_LEN_MAX)?;
        if let Some(role) = &target.role {
            identifier("targets (role)", role, NAME_LEN_MAX)?;
        }
        len += target.kind.len() + target.id.len() + target.role.as_ref().map_or(0, String::len);
    }
    at_most("targets (together)", TARGETS_LEN_MAX, len)?;
    Ok(len)
}

impl Redacted {
    fn check(&self) -> Result<usize, InvalidEvent> {
        identifier("redacted.rules", &self.rules, REDACTED_RULES_LEN_MAX)?;
        at_most_entries("redacted.paths", REDACTED_PATHS_MAX, self.paths.len())?;
        let mut len = self.rules.len();
        for path in &self.paths {
            line("redacted.paths", path, REDACTED_PATH_LEN_MAX)?;
            len += path.len();
        }
        Ok(len)
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
fn line(field: &'static str, text: &str, max: usize) -> Result<(), InvalidEvent> {
    // This test alone runs for nearly every text of nearly every event.
    if text.len() <= max && !may_hold_control(text.as_bytes()) {
        return Ok(());
    }
    look_closely(field, text, max, &[])
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

fn json(field: &'static str, json: &Json) -> Result<usize, InvalidEvent> {
    at_most(field, JSON_LEN_MAX, json.as_str().len())?;
    if json.depth() > JSON_DEPTH_MAX {
        let problem = Problem::TooDeep { max: JSON_DEPTH_MAX, found: json.depth() };
        return Err(InvalidEvent { field, problem });
    }
    Ok(json.as_str().len())
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
