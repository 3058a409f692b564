//! How what is appended is protected: the record that says it, and what it sets in the state.

use bincode::{Decode, Encode};

use super::codec::{encode, whole};
use super::map::{Changes, StateMap};
use crate::format::FormatError;

/// How payloads are encrypted and identifiers recorded: from here on, or as an exception.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct ProtectionSet {
    /// The key store's id; `None`: no key store, so nothing is encrypted.
    pub store_id: Option<[u8; 16]>,
    /// Who is the subject of an event that names none: 0 nobody, 1 its actor.
    pub subject_rule: u8,
    /// Whether ids of actors are recorded as aliases.
    pub alias_actors: bool,
    /// Types of resources whose ids are recorded as aliases, ascending.
    pub alias_resources: Vec<String>,
    /// Whether one opening went by this, and what is in force stays so.
    pub exception: bool,
    /// When, in nanoseconds since 1970.
    pub set_at: i64,
}

/// What decoding may claim: of a whole envelope each byte could be a text, which takes the size of a
/// `String` besides.
const CLAIM_MAX: usize = (1 << 16) * (1 + size_of::<String>());

impl ProtectionSet {
    /// The subject of an event that names none is its actor.
    pub const RULE_ACTOR: u8 = 1;

    /// Most types of resources that a log is opened with.
    pub const ALIASED_MAX: usize = 1024;
    /// Most bytes that their names have together.
    pub const ALIASED_BYTES_MAX: usize = 32 << 10;

    /// Reads one, which allocates no more than the texts in an envelope take.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let limited = bincode::config::standard().with_limit::<CLAIM_MAX>();
        let set: ProtectionSet = whole(bincode::decode_from_slice(bytes, limited), bytes)?;
        set.check()?;
        Ok(set)
    }

    fn check(&self) -> Result<(), FormatError> {
        let refuse = |expected: &str, found: &dyn std::fmt::Display| {
            Err(FormatError::mismatch("protection set", expected, found))
        };
        if self.subject_rule > ProtectionSet::RULE_ACTOR {
            return refuse("subject rule 0 or 1", &self.subject_rule);
        }
        if !self.alias_resources.is_sorted_by(|one, next| one < next) {
            return refuse("types of resources, ascending", &"others");
        }
        if self.store_id.is_none() && self.asks_for_keys() {
            return refuse("a key store for rule and aliases", &"none");
        }
        Ok(())
    }

    fn asks_for_keys(&self) -> bool {
        self.subject_rule != 0 || self.alias_actors || !self.alias_resources.is_empty()
    }

    /// Whether what is appended by this is protected as much as by `required`.
    pub fn covers(&self, required: &ProtectionSet) -> bool {
        let aliased = |kind: &String| self.alias_resources.contains(kind);
        (required.store_id.is_none() || self.store_id == required.store_id)
            && self.subject_rule >= required.subject_rule
            && self.alias_actors >= required.alias_actors
            && required.alias_resources.iter().all(aliased)
    }
}

/// What it changes: an exception nothing.
pub(super) fn set(protection: &ProtectionSet) -> Result<Changes, FormatError> {
    protection.check()?;
    if protection.exception {
        return Ok(Changes::default());
    }
    Ok(Changes(vec![(PROTECTION.to_owned(), Some(encode(protection)?))]))
}

impl StateMap {
    /// How what is appended is protected; `None`: nothing was ever recorded of it.
    pub fn protection(&self) -> Option<ProtectionSet> {
        self.entries.get(PROTECTION).and_then(|value| ProtectionSet::decode(value).ok())
    }
}

/// The entry of the protection in force.
const PROTECTION: &str = "protection";
