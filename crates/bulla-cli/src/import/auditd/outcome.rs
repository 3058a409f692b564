//! How an event ended, as its records say. The words are in the table of the formats.

use bulla::event::{Event, Outcome};

use super::super::outcome::Evidence;
use super::decision::{self, Decision};
use super::fields::Parsed;
use super::kinds;

/// The tag of an event that a security module would have denied, but only noted.
const PERMISSIVE: &str = "permissive";

/// EPERM and EACCES, also as `ausearch -i` writes them.
const REFUSALS: [&str; 4] = ["-1", "-13", "EPERM", "EACCES"];

/// Records of the kernel and of auditd that always have `res=`.
const WITH_RESULT: [&str; 9] = [
    "DAEMON_ABORT",
    "DAEMON_ERR",
    "INTEGRITY_DATA",
    "INTEGRITY_METADATA",
    "INTEGRITY_STATUS",
    "INTEGRITY_HASH",
    "INTEGRITY_PCR",
    "INTEGRITY_EVM_XATTR",
    "INTEGRITY_POLICY_RULE",
];

/// What the records of an event say about its end.
#[derive(Debug, Default)]
pub(super) struct Ending {
    evidence: Evidence,
    denial: Option<String>,
    /// A denial that was only noted.
    noted: Option<String>,
    exit: Option<String>,
}

impl Ending {
    pub(super) fn of(records: &[Parsed<'_>]) -> Self {
        let mut ending = Ending::default();
        for record in records {
            ending.add(record);
        }
        // The record that says how it ended is not there.
        if records.iter().all(|record| super::ADDING.contains(&record.kind())) {
            ending.evidence.strange("no SYSCALL");
        }
        ending
    }

    fn add(&mut self, record: &Parsed<'_>) {
        let decision = decision::of(record);
        let decides = decision.is_some();
        match decision {
            Some(Decision::Refused(words)) => {
                self.evidence.says(Outcome::Denied);
                self.denial.get_or_insert(words);
            }
            Some(Decision::Noted(words)) => {
                self.noted.get_or_insert(words);
            }
            Some(Decision::Failed) => self.evidence.says(Outcome::Failure),
            Some(Decision::NotUnderstood(words)) => self.evidence.strange(&words),
            Some(Decision::Passed) | None => {}
        }
        if let Some(exit) = record.get("exit") {
            self.exit.get_or_insert_with(|| exit.text.to_owned());
        }
        for words in record.ends() {
            self.evidence.auditd(words);
        }
        if !decides && record.ends().next().is_none() {
            self.miss(record);
        }
    }

    /// A record that says nothing of an end: some types always do, and if one does not, it was
    /// cut short or changed.
    fn miss(&mut self, record: &Parsed<'_>) {
        match record.kind() {
            // Keystrokes.
            "USER_TTY" => {}
            _ if record.is_cut() => self.evidence.strange(decision::CUT_SHORT),
            kind if record.message().is_none() && super::ADDING.contains(&kind) => {}
            "SYSCALL" | "URINGOP" => self.evidence.strange("no success="),
            kind if record.message().is_some()
                || kinds::is_of_a_program(kind)
                || WITH_RESULT.contains(&kind) =>
            {
                self.evidence.strange("no res=");
            }
            // It may be of a security module that is newer than this program.
            kind if kinds::is_unknown(kind) => self.evidence.expects("res="),
            _ => {}
        }
    }

    pub(super) fn write(self, event: &mut Event) {
        self.evidence.decide().write_to(event);
        let exit = self.exit.as_deref().map(|exit| exit.split('(').next().unwrap_or(exit));
        let refused = exit.is_some_and(|exit| REFUSALS.contains(&exit));
        // What was not understood, and so is unknown, is no refusal of the kernel.
        if refused && event.outcome == Outcome::Failure {
            event.outcome = Outcome::Denied;
        }
        if self.noted.is_some() {
            event.tags.insert(PERMISSIVE.to_owned(), "1".to_owned());
        }
        let exit = exit.filter(|_| event.outcome != Outcome::Success);
        let exit = exit.map(|exit| format!("exit {exit}"));
        event.reason = self.denial.or(exit).or(self.noted);
    }
}
