//! How an event ended, as its records say. The words are in the table of the formats.

use bulla::event::{Event, Outcome};

use super::super::outcome::{Evidence, NOT_UNDERSTOOD};
use super::fields::Parsed;

/// The tag of an event that a security module would have denied, but only noted.
const PERMISSIVE: &str = "permissive";

/// EPERM and EACCES, also as `ausearch -i` writes them.
const REFUSALS: [&str; 4] = ["-1", "-13", "EPERM", "EACCES"];
/// Types whose records exist only because something was refused.
const REFUSING: [&str; 3] = ["APPARMOR_DENIED", "APPARMOR_KILL", "LANDLOCK_ACCESS"];

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
        ending
    }

    fn add(&mut self, record: &Parsed<'_>) {
        match denial(record) {
            Some(Denial { words, permissive: false }) => {
                self.evidence.says(Outcome::Denied);
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
            self.evidence.auditd(words);
        }
        // Programs always say how it ended; a message without it was cut short.
        let silent = record.ends().next().is_none();
        if record.message().is_some() && !record.kind().contains("AVC") && silent {
            self.evidence.strange("no res=");
        }
    }

    pub(super) fn write(self, event: &mut Event) {
        self.evidence.decide().write_to(event);
        // What was not understood is no refusal of the kernel.
        let understood = !event.tags.contains_key(NOT_UNDERSTOOD);
        let exit = self.exit.as_deref().map(|exit| exit.split('(').next().unwrap_or(exit));
        let refused = exit.is_some_and(|exit| REFUSALS.contains(&exit));
        if refused && understood && event.outcome == Outcome::Failure {
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
