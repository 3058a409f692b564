//! JSON: the [`Json`] values that an event carries, and the JSON shape of events
//! and records.
//!
//! The shape is one for all purposes (listings, imports, proofs): the fields of
//! [`Event`], with `type` for the `kind` of an actor or a resource; absent fields
//! are left out; times are RFC 3339 in UTC with nanoseconds. A record has `seq`,
//! `recorded_at` and `leaf_hash` in front, which an event must not have, and, if its
//! payload is not shown, `payload`, which says why: `sealed` (encrypted, and its key is
//! not at hand), `erased` or `withheld` (by the proof that it comes from). The order and the
//! spelling of the members are in `docs/format.md`, “JSON of a record”. `subject` is read in
//! an event and never written. Reading ignores nothing: an unknown or repeated field is an
//! error, because a misspelt one must not vanish. `null` counts as absent, except in `old_values`,
//! `new_values` and `details`, where it is a value.

mod read;
mod write;

use super::members::Event;
use super::record::Record;

pub(crate) use super::json_text::is_json;
pub use super::json_text::{InvalidJson, Json};

impl Event {
    /// Reads an event from its JSON shape. Limits are not checked here:
    /// see [`Event::validate`].
    ///
    /// ```
    /// use bulla::event::Event;
    ///
    /// let event = Event::from_json(
    ///     r#"{"actor": {"type": "user", "id": "alice"}, "action": "user.login",
    ///         "resource": {"type": "session"}}"#,
    /// )?;
    /// assert_eq!(event.actor.id, "alice");
    ///
    /// let typo = r#"{"actor": {"type": "user", "id": "alice"}, "akction": "user.login"}"#;
    /// assert!(Event::from_json(typo).unwrap_err().to_string().contains("`akction`"));
    /// # Ok::<(), bulla::event::json::InvalidJson>(())
    /// ```
    ///
    /// # Errors
    /// The text is not JSON; a required field is missing; a field is unknown,
    /// repeated, of the wrong type, or one that only the log gives.
    pub fn from_json(text: &str) -> Result<Self, InvalidJson> {
        serde_json::from_str(text).map_err(InvalidJson)
    }

    /// Reads the event of a record from the JSON shape of either. `seq`, `recorded_at` and
    /// `leaf_hash` are checked and left out, because only the log that gave them can vouch
    /// for them. Besides, why the payload is absent, if the record says so: `sealed`,
    /// `erased` or `withheld`.
    ///
    /// # Errors
    /// As [`Event::from_json`].
    pub fn from_record_json(text: &str) -> Result<(Self, Option<String>), InvalidJson> {
        let recorded: read::Recorded = serde_json::from_str(text).map_err(InvalidJson)?;
        Ok((recorded.event, recorded.payload))
    }

    /// The JSON shape, on one line.
    pub fn to_json(&self) -> String {
        write::one_line(self)
    }
}

impl Record {
    /// The JSON shape, on one line. Line breaks between the tokens of a JSON value
    /// of the event become spaces; all else of it stays byte for byte.
    pub fn to_json(&self) -> String {
        write::one_line(self)
    }
}

#[cfg(test)]
mod tests;
