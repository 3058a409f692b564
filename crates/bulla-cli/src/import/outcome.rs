//! How an event ended, for every format: one table per format of the places in an event that
//! say so. `docs/importers.md` explains the tables.
//!
//! What is not understood is never success:
//!
//! 1. All places are read, and the worst of what they say is the outcome: `denied`, then
//!    `failure`, then what is not understood, then `partial`, then `success`.
//! 2. What is not understood is `unknown` with the tag [`NOT_UNDERSTOOD`], which holds the words.
//! 3. Only places that the recording product writes are read, never free text: a name, a path
//!    or a user agent that the audited subject chooses changes no outcome.

mod cloudtrail;
mod google;
mod reading;
mod tables;
#[cfg(test)]
mod tests;

use std::str::FromStr;

use bulla::event::{Event, Outcome};
use serde_json::Value;

use super::document::{Document, shown};
use reading::{Place, at, plain};

pub(crate) use cloudtrail::cloudtrail;
pub(crate) use reading::same_number;

/// The tag that holds the words that were not understood.
pub(crate) const NOT_UNDERSTOOD: &str = "outcome_not_understood";
/// The tag of what was let through and would have been denied, had the rule been in force.
const PERMISSIVE: &str = "permissive";

/// What the places of one event say about its outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Evidence {
    denied: bool,
    failure: bool,
    partial: bool,
    success: bool,
    /// A place says that it is not known how the event ended.
    unknown: bool,
    /// The first words that were not understood.
    strange: Option<String>,
    /// What is not there, although every event of this kind has it.
    lacks: Option<String>,
    /// A denial was only noted.
    permissive: bool,
}

impl Evidence {
    /// A place says this outcome.
    pub(crate) fn says(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Denied => self.denied = true,
            Outcome::Partial => self.partial = true,
            Outcome::Success => self.success = true,
            Outcome::Unknown => self.unknown = true,
            Outcome::Failure => self.failure = true,
        }
    }

    /// A place that says the outcome holds words which are not understood.
    pub(crate) fn strange(&mut self, words: &str) {
        self.strange.get_or_insert_with(|| shown(words));
    }

    /// If no place says anything, this is missing: the outcome is unknown.
    pub(crate) fn expects(&mut self, what: &str) {
        self.lacks.get_or_insert_with(|| format!("no {what}"));
    }

    /// A result of an audit record.
    pub(crate) fn auditd(&mut self, words: &str) {
        match reading::find(tables::AUDITD, words) {
            Some(outcome) => self.says(outcome),
            None => self.strange(words),
        }
    }

    /// Adds what other places say.
    pub(crate) fn add(&mut self, other: Evidence) {
        self.denied |= other.denied;
        self.failure |= other.failure;
        self.partial |= other.partial;
        self.success |= other.success;
        self.unknown |= other.unknown;
        self.strange = self.strange.take().or(other.strange);
        self.lacks = self.lacks.take().or(other.lacks);
        self.permissive |= other.permissive;
    }

    /// A denial was only noted, because the rule is being tried: it says nothing of the end.
    fn permits(&mut self) {
        self.permissive = true;
    }

    /// Does any place say anything?
    pub(crate) fn is_silent(&self) -> bool {
        let said = [self.denied, self.failure, self.partial, self.success, self.unknown];
        !said.contains(&true) && self.strange.is_none()
    }

    /// The worst of what was said, and the words if they were not understood.
    pub(crate) fn decide(self) -> Decision {
        let silent = self.is_silent();
        let permissive = self.permissive;
        let (outcome, not_understood) = if self.denied {
            (Outcome::Denied, None)
        } else if self.failure {
            (Outcome::Failure, None)
        } else if let Some(words) = self.strange {
            (Outcome::Unknown, Some(words))
        } else if self.unknown {
            (Outcome::Unknown, None)
        } else if let (true, Some(missing)) = (silent, self.lacks) {
            (Outcome::Unknown, Some(missing))
        } else if self.partial {
            (Outcome::Partial, None)
        } else {
            (Outcome::Success, None)
        };
        Decision { outcome, not_understood, permissive }
    }

    /// Reads every place of a table.
    fn read(&mut self, root: &Value, table: &[Place]) {
        for place in table {
            for value in at(root, place.path) {
                place.reading.read(value, self);
            }
        }
    }
}

/// The outcome of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    /// `unknown` if it was not understood.
    pub(crate) outcome: Outcome,
    /// The words that were not understood.
    pub(crate) not_understood: Option<String>,
    permissive: bool,
}

impl Decision {
    /// Sets the outcome of the event, with the tag if it was not understood.
    pub(crate) fn write_to(self, event: &mut Event) {
        event.outcome = self.outcome;
        if let Some(words) = self.not_understood {
            event.tags.insert(NOT_UNDERSTOOD.to_owned(), words);
        }
        if self.permissive {
            event.tags.insert(PERMISSIVE.to_owned(), "1".to_owned());
        }
    }
}

/// The tables that a mapping can name: `"outcome": {"table": "okta"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    Github,
    Okta,
    Gcp,
    Gworkspace,
}

impl FromStr for Table {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "github" => Ok(Table::Github),
            "okta" => Ok(Table::Okta),
            "gcp" => Ok(Table::Gcp),
            "gworkspace" => Ok(Table::Gworkspace),
            _ => Err(format!("table: expected github, okta, gcp or gworkspace, found {name:?}")),
        }
    }
}

impl Table {
    /// What an event says by this table.
    pub(crate) fn evidence(self, doc: &Document<'_>) -> Evidence {
        let Some(root) = doc.value("") else { return Evidence::default() };
        let mut evidence = Evidence::default();
        match self {
            Table::Github => {
                evidence.read(root, tables::GITHUB);
                for data in at(root, "/data") {
                    evidence.read(data, tables::GITHUB);
                }
            }
            Table::Okta => {
                evidence.read(root, tables::OKTA);
                evidence.expects("outcome.result");
            }
            Table::Gcp => google::cloud(root, &mut evidence),
            Table::Gworkspace => google::workspace(root, &mut evidence),
        }
        evidence
    }
}

/// What a Kubernetes audit event says.
pub(crate) fn k8s(doc: &Document<'_>) -> Decision {
    let mut evidence = Evidence::default();
    if let Some(root) = doc.value("") {
        evidence.read(root, tables::K8S);
        for status in at(root, "/responseStatus") {
            if status.is_object() {
                evidence.read(status, tables::K8S_STATUS);
            } else {
                reading::Reading::Words(tables::K8S_STATUSES).read(status, &mut evidence);
            }
        }
        // An earlier stage has no answer yet.
        if at(root, "/stage").into_iter().any(|stage| plain(stage).starts_with("Response")) {
            evidence.expects("responseStatus");
        }
    }
    evidence.decide()
}
