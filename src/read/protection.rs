//! [`RecordedProtection`]: how a log's events are protected, as the catalog has it.

use std::fmt;

use crate::catalog;
use crate::format::catalog_body::ProtectionSet;
use crate::options::SubjectRule;

/// How what is appended to a log is protected, as the catalog has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedProtection {
    /// The [id](crate::KeyStore::store_id) of the key store; `None`: nothing is encrypted.
    pub key_store: Option<[u8; 16]>,
    /// Who is the subject of an event that names none.
    pub subject_rule: SubjectRule,
    /// Whether ids of actors are recorded as aliases.
    pub alias_actors: bool,
    /// Types of resources whose ids are recorded as aliases.
    pub alias_resources: Vec<String>,
    words: String,
}

impl fmt::Display for RecordedProtection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl RecordedProtection {
    pub(crate) fn of(set: ProtectionSet) -> Self {
        let is_actor = set.subject_rule == ProtectionSet::RULE_ACTOR;
        RecordedProtection {
            words: catalog::protection(&set),
            key_store: set.store_id,
            subject_rule: if is_actor { SubjectRule::Actor } else { SubjectRule::None },
            alias_actors: set.alias_actors,
            alias_resources: set.alias_resources,
        }
    }
}
