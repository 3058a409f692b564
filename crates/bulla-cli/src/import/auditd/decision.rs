//! What security modules and filters decided: one table each of the words that they write.
//!
//! A word that is in no table lets nothing pass: it is a refusal where the module has one way
//! to say that it passed, and is not understood elsewhere.

use super::fields::Parsed;

/// A decision, as a record has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Passed,
    /// It would have been refused, but was only noted.
    Noted(String),
    Refused(String),
    /// What was asked for is in error.
    Failed,
    NotUnderstood(String),
}

/// What a word means.
#[derive(Clone, Copy)]
enum Meaning {
    Passes,
    Notes,
    Refuses,
    Fails,
}

use Meaning::{Fails, Notes, Passes, Refuses};

type Words = &'static [(&'static str, Meaning)];

const GRANTED: &str = "granted";

/// The first word behind `avc:`. The last two begin reports of the module about itself.
const SELINUX: Words =
    &[("denied", Refuses), (GRANTED, Passes), ("received", Passes), ("op", Passes)];

/// `apparmor=`
const APPARMOR: Words = &[
    ("ALLOWED", Notes),
    ("AUDIT", Passes),
    ("HINT", Passes),
    ("STATUS", Passes),
    ("DENIED", Refuses),
    ("KILLED", Refuses),
    ("ERROR", Fails),
];

/// The types of old AppArmor records, behind `APPARMOR_`.
const APPARMOR_TYPES: Words = &[
    ("ALLOWED", Notes),
    ("AUDIT", Passes),
    ("HINT", Passes),
    ("STATUS", Passes),
    ("DENIED", Refuses),
    ("KILL", Refuses),
    ("ERROR", Fails),
];

/// `action=` of Smack.
const SMACK: Words = &[("granted", Passes), ("denied", Refuses)];

/// `action=` at the end of `rule=`.
const IPE: Words = &[("ALLOW", Passes), ("DENY", Refuses)];

/// `resp=`; a denial may hold an error number too.
const FANOTIFY: Words = &[("1", Passes)];

/// `code=`: what is only logged or allowed.
const SECCOMP: Words = &[("0x7ffc0000", Passes), ("0x7fff0000", Passes)];

/// `action=` of the old records of packets: accepted, dropped, rejected.
const NETFILTER: Words = &[("0", Passes), ("1", Refuses), ("2", Refuses)];

const REFUSED: &str = "denied";

/// What is not understood of a message that is cut short.
pub(super) const CUT_SHORT: &str = "message cut short";

/// What the record decides, if it is one that does.
pub(super) fn of(record: &Parsed<'_>) -> Option<Decision> {
    let decision = said_by(record)?;
    // Of other words the error or the result may be what is missing.
    let passed = decision == Decision::Passed && !head(record).contains(GRANTED);
    Some(if passed && record.is_cut() {
        Decision::NotUnderstood(CUT_SHORT.to_owned())
    } else {
        decision
    })
}

fn said_by(record: &Parsed<'_>) -> Option<Decision> {
    let field = |name: &str| record.all(name).next();
    let kind = record.kind();
    Some(match kind {
        "AVC" | "USER_AVC" => access_vector(record),
        "USER_MAC_POLICY_LOAD" | "USER_MAC_STATUS" if head(record).starts_with("avc:") => {
            selinux(record)
        }
        "SELINUX_ERR" | "USER_SELINUX_ERR" => selinux_error(record),
        "LANDLOCK_ACCESS" => Decision::Refused(REFUSED.to_owned()),
        "IPE_ACCESS" => ipe(record),
        "FANOTIFY" => read(FANOTIFY, field("resp"), "resp=").or_refused(),
        "SECCOMP" => read(SECCOMP, field("code"), "code=").or_refused(),
        "NETFILTER_PKT" => {
            let action = field("action")?;
            read(NETFILTER, Some(action), "action=")
        }
        _ => {
            let kind = kind
                .strip_prefix("APPARMOR")
                .filter(|kind| kind.is_empty() || kind.starts_with('_'))?;
            apparmor(record, kind.strip_prefix('_'))
        }
    })
}

fn access_vector(record: &Parsed<'_>) -> Decision {
    let has = |name: &str| record.all(name).next().is_some();
    if head(record).contains("avc:") {
        selinux(record)
    } else if has("apparmor") {
        apparmor(record, None)
    } else if has("lsm") || has("action") {
        read(SMACK, record.all("action").next(), "action=")
    } else {
        Decision::NotUnderstood("no decision".to_owned())
    }
}

/// What stands before the first field: behind it are the texts of subjects.
fn head<'a>(record: &Parsed<'a>) -> &'a str {
    let text = text(record);
    text.split(['=', '{']).next().unwrap_or(text).trim_start()
}

fn text<'a>(record: &Parsed<'a>) -> &'a str {
    record.message().unwrap_or(record.record.body())
}

/// `avc:  denied  { read } for  …`
fn selinux(record: &Parsed<'_>) -> Decision {
    let words = || head(record).split_ascii_whitespace();
    let denied = words().find(|word| *word == "denied");
    let word = denied.or_else(|| words().find(|word| *word != "avc:"));
    match read(SELINUX, word, "decision") {
        Decision::Refused(_) => {
            let rights = text(record).split_once('{').and_then(|(_, rest)| rest.split_once('}'));
            let words = match rights {
                Some((rights, _)) => format!("{REFUSED} {{ {} }}", rights.trim()),
                None => REFUSED.to_owned(),
            };
            if is_permissive(record) { Decision::Noted(words) } else { Decision::Refused(words) }
        }
        other => other,
    }
}

/// SELinux writes `permissive=` directly behind `tclass=`, and both behind the texts of
/// subjects: so if the end is missing, what is found is not SELinux's.
fn is_permissive(record: &Parsed<'_>) -> bool {
    if record.is_cut() {
        return false;
    }
    let fields: Vec<(&str, &str)> = record.names_and_values().collect();
    match fields.iter().rposition(|(name, _)| *name == "tclass") {
        Some(at) => fields.get(at + 1) == Some(&("permissive", "1")),
        None => {
            let mut said = record.all("permissive").peekable();
            said.peek().is_some() && said.all(|value| value == "1")
        }
    }
}

/// All of these are errors: a transition that is not allowed, or a context that is none.
fn selinux_error(record: &Parsed<'_>) -> Decision {
    let denied = head(record).split_ascii_whitespace().any(|word| word == "denied");
    match record.all("seresult").next() {
        Some(said) => read(&[("denied", Refuses)], Some(said), "seresult="),
        None if denied => Decision::Refused(REFUSED.to_owned()),
        None => Decision::Failed,
    }
}

/// `apparmor="DENIED"`, or a type that says so.
fn apparmor(record: &Parsed<'_>, kind: Option<&str>) -> Decision {
    let by_type = kind.map(|kind| read(APPARMOR_TYPES, Some(kind), "decision"));
    let by_word = record.all("apparmor").next().map(|word| read(APPARMOR, Some(word), "apparmor="));
    let decision = match (by_type, by_word) {
        (Some(Decision::Passed | Decision::Noted(_)) | None, Some(by_word)) => by_word,
        (Some(by_type), _) => by_type,
        (None, None) => Decision::NotUnderstood("no apparmor=".to_owned()),
    };
    // A profile could not be loaded, for instance.
    let in_error = record.all("error").any(|error| error != "0");
    if decision == Decision::Passed && in_error { Decision::Failed } else { decision }
}

/// `rule="DEFAULT action=DENY"`
fn ipe(record: &Parsed<'_>) -> Decision {
    let rule = record.all("rule").last();
    let action = rule.and_then(|rule| rule.split_ascii_whitespace().next_back());
    let action = action.and_then(|word| word.strip_prefix("action="));
    let decision = read(IPE, action, "action=");
    let enforces = record.all("enforcing").next() != Some("0");
    match decision {
        Decision::Refused(words) if !enforces => Decision::Noted(words),
        decision => decision,
    }
}

/// What a word means; `what` is its name, for when it is not there.
fn read(words: Words, word: Option<&str>, what: &str) -> Decision {
    let Some(word) = word else { return Decision::NotUnderstood(format!("no {what}")) };
    let found = words.iter().find(|(known, _)| known.eq_ignore_ascii_case(word));
    match found.map(|(_, meaning)| *meaning) {
        Some(Passes) => Decision::Passed,
        Some(Notes) => Decision::Noted(REFUSED.to_owned()),
        Some(Refuses) => Decision::Refused(REFUSED.to_owned()),
        Some(Fails) => Decision::Failed,
        None => Decision::NotUnderstood(word.to_owned()),
    }
}

impl Decision {
    /// What is not known to pass is refused.
    fn or_refused(self) -> Self {
        match self {
            Decision::NotUnderstood(_) => Decision::Refused(REFUSED.to_owned()),
            decision => decision,
        }
    }
}
