//! How an event ended: the table of auditd.
//!
//! Every record that says something counts, and the worst of it: `denied`, `failure`, what
//! is not understood, `success`. What is not understood is `failure`, and a tag holds the words.

use bulla::event::{Event, Outcome};

use super::fields::Parsed;

/// The tag that holds the words that were not understood.
const NOT_UNDERSTOOD: &str = "outcome_not_understood";
/// The tag of an event that a security module would have denied, but only noted.
const PERMISSIVE: &str = "permissive";

/// Words for an end, in lower case.
const SUCCESS: [&str; 5] = ["yes", "success", "successful", "succeeded", "1"];
const FAILURE: [&str; 6] = ["no", "failed", "fail", "failure", "authentication failure", "0"];
const DENIED: [&str; 2] = ["denied", "permission denied"];
/// EPERM and EACCES, also as `ausearch -i` writes them.
const REFUSALS: [&str; 4] = ["-1", "-13", "EPERM", "EACCES"];
/// Types whose records exist only because something was refused.
const REFUSING: [&str; 3] = ["APPARMOR_DENIED", "APPARMOR_KILL", "LANDLOCK_ACCESS"];

/// What the records of an event say about its end.
#[derive(Debug, Default)]
pub(super) struct Ending {
    denial: Option<String>,
    failed: bool,
    exit: Option<String>,
    /// A denial that was only noted.
    noted: Option<String>,
    strange: Option<String>,
}

impl Ending {
    pub(super) fn of(records: &[Parsed<'_>]) -> Self {
        let mut ending = Ending::default();
        for record in records {
            ending.add(record);
        }
        ending
    }

    fn add(&mut self, record: &Parsed<'_>) {
        match denial(record) {
            Some(Denial { words, permissive: false }) => {
                self.denial.get_or_insert(words);
            }
            Some(Denial { words, permissive: true }) => {
                self.noted.get_or_insert(words);
            }
            None => {}
        }
        if let Some(exit) = record.get("exit") {
            self.exit.get_or_insert_with(|| exit.text.to_owned());
        }
        for words in record.ends() {
            self.hear(words);
        }
        // Programs always say how it ended; a message without it was cut short.
        let silent = record.ends().next().is_none();
        if record.message().is_some() && !record.kind().contains("AVC") && silent {
            self.strange.get_or_insert_with(|| "no res=".to_owned());
        }
    }

    fn hear(&mut self, words: &str) {
        let lower = words.to_ascii_lowercase();
        let is = |table: &[&str]| table.contains(&lower.as_str());
        if is(&DENIED) {
            self.denial.get_or_insert(lower);
        } else if is(&FAILURE) {
            self.failed = true;
        } else if !is(&SUCCESS) {
            self.strange.get_or_insert_with(|| words.to_owned());
        }
    }

    pub(super) fn write(self, event: &mut Event) {
        let exit = self.exit.as_deref().map(|exit| exit.split('(').next().unwrap_or(exit));
        let refused = self.failed && exit.is_some_and(|exit| REFUSALS.contains(&exit));
        event.outcome = match (&self.denial, self.failed, &self.strange) {
            (Some(_), ..) => Outcome::Denied,
            (None, true, _) if refused => Outcome::Denied,
            (None, true, _) | (None, false, Some(_)) => Outcome::Failure,
            (None, false, None) => Outcome::Success,
        };
        if let Some(words) = self.strange.filter(|_| self.denial.is_none() && !self.failed) {
            event.tags.insert(NOT_UNDERSTOOD.to_owned(), words);
        }
        if self.noted.is_some() {
            event.tags.insert(PERMISSIVE.to_owned(), "1".to_owned());
        }
        let exit = exit.filter(|_| event.outcome != Outcome::Success);
        event.reason = self.denial.or_else(|| exit.map(|exit| format!("exit {exit}")));
        event.reason = event.reason.take().or(self.noted);
    }
}

struct Denial {
    words: String,
    /// Whether the security module let it pass all the same.
    permissive: bool,
}

/// SELinux writes `avc:  denied  { read }`, AppArmor `apparmor="DENIED"`. Only what stands
/// before the first field counts: behind it are the texts of subjects.
fn denial(record: &Parsed<'_>) -> Option<Denial> {
    let text = record.message().unwrap_or(&record.record.body);
    let head = text.split(['=', '{']).next().unwrap_or(text);
    let by_selinux =
        record.kind().contains("AVC") && head.split_ascii_whitespace().any(|word| word == "denied");
    let of_a_module = record.kind().contains("AVC") || record.kind().starts_with("APPARMOR");
    let refusing = REFUSING.contains(&record.kind())
        || of_a_module && record.get("apparmor").is_some_and(|value| value.text == "DENIED")
        || record.kind() == "FANOTIFY" && record.get("resp").is_some_and(|value| value.text == "2")
        || record.kind() == "SECCOMP" && record.get("code").is_some_and(|code| blocks(code.text));
    if !by_selinux {
        return refusing.then(|| Denial { words: "denied".to_owned(), permissive: false });
    }
    let rights = text.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
    let words = match rights {
        Some((rights, _)) => format!("denied {{ {} }}", rights.trim()),
        None => "denied".to_owned(),
    };
    let mut permissive = record.all("permissive").peekable();
    let noted = permissive.peek().is_some() && permissive.all(|value| value == "1");
    Some(Denial { words, permissive: noted && !refusing })
}

/// Whether seccomp did more than note or let pass the call.
fn blocks(code: &str) -> bool {
    !matches!(code, "0x7ffc0000" | "0x7fff0000")
}
