//! One record: a line such as
//! `type=SYSCALL msg=audit(1492037289.295:58): arch=c000003e syscall=42 …`.

use bulla::time::Timestamp;

use super::super::document::shown;
use super::{kinds, prefix};

/// What the records of one event have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    /// The machine (`node=`), if the line names one.
    pub(crate) node: Option<String>,
    /// `SECONDS.MILLIS:SERIAL` as written.
    pub(crate) stamp: String,
}

/// A record, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) key: Key,
    pub(crate) time: Timestamp,
    /// E.g. `SYSCALL`, also where the line has its number.
    pub(crate) kind: String,
    /// The line as it was.
    pub(crate) line: String,
    /// Where in it begins what follows the stamp.
    body_at: usize,
}

impl Record {
    /// Takes a line apart; the error says what is missing.
    pub(crate) fn parse(line: &str) -> Result<Self, String> {
        let (before, after) = line
            .split_once("audit(")
            .ok_or_else(|| format!("no audit(SECONDS.MILLIS:SERIAL) in {}", shown(line)))?;
        let (stamp, body) = after.split_once(')').ok_or("audit( without its )")?;
        let head = Head::of(before)?;
        let (time, serial) = stamp.split_once(':').unwrap_or((stamp, ""));
        let numeric = !serial.is_empty() && serial.bytes().all(|byte| byte.is_ascii_digit());
        let time = numeric.then(|| super::super::time::TimeFormat::EpochS.parse(time)).flatten();
        let time =
            time.ok_or_else(|| format!("audit({}): expected SECONDS.MILLIS:SERIAL", shown(stamp)))?;
        let body = body.strip_prefix(':').unwrap_or(body);
        Ok(Record {
            key: Key { node: head.node.map(str::to_owned), stamp: stamp.to_owned() },
            time,
            kind: kinds::named(head.kind),
            line: line.to_owned(),
            body_at: line.len() - body.len(),
        })
    }

    /// Everything after the stamp.
    pub(crate) fn body(&self) -> &str {
        self.line.get(self.body_at..).unwrap_or_default()
    }
}

/// What stands before the stamp.
struct Head<'a> {
    node: Option<&'a str>,
    kind: &'a str,
}

impl<'a> Head<'a> {
    /// Takes `node=NAME type=KIND msg=` apart, and refuses lines of syslog that programs wrote
    /// which do not write records.
    fn of(before: &'a str) -> Result<Self, String> {
        let head = before.strip_suffix("msg=").unwrap_or(before);
        let (head, kind) = last_word(head);
        let kind = kind.strip_prefix("type=").filter(|kind| !kind.is_empty());
        let kind = kind.ok_or("no type= before audit(")?;
        let (prefix, node) = match last_word(head) {
            (prefix, word) if word.starts_with("node=") => (prefix, word.strip_prefix("node=")),
            _ => (head, None),
        };
        if !prefix::is_trusted(prefix) {
            return Err(format!(
                "before type= expected nothing, or the syslog tag of the kernel or of auditd \
                 (kernel:, audit:, audispd:, audisp-syslog:), found {}",
                shown(prefix.trim())
            ));
        }
        Ok(Head { node, kind })
    }
}

/// The last word of a text, and what stands before it.
fn last_word(text: &str) -> (&str, &str) {
    let text = text.trim_end_matches(|found: char| found.is_ascii_whitespace());
    let before = text.rfind(|found: char| found.is_ascii_whitespace()).map_or(0, |at| at + 1);
    text.split_at(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(line: &str) -> Record {
        Record::parse(line).unwrap()
    }

    #[test]
    fn a_line_is_taken_apart() {
        let found = record(r#"node=web-1 type=SYSCALL msg=audit(1492037289.295:58): a=1 b="c d""#);
        assert_eq!(
            found.key,
            Key { node: Some("web-1".to_owned()), stamp: "1492037289.295:58".to_owned() }
        );
        assert_eq!(found.kind, "SYSCALL");
        assert_eq!(found.time, Timestamp::from_nanos(1_492_037_289_295_000_000));
        let kernel = record(
            "Jan  1 00:00:00 h kernel: audit: type=1400 audit(1.000:2): apparmor=\"DENIED\"",
        );
        assert_eq!((kernel.kind.as_str(), kernel.key.node), ("AVC", None));
        let odd = record("node=prototype=1 type=1300 msg=audit(1.000:2): a=type=X");
        assert_eq!((odd.kind.as_str(), odd.key.node.as_deref()), ("SYSCALL", Some("prototype=1")));
    }

    #[test]
    fn hostile_lines_are_refused_or_read_without_harm() {
        for bad in [
            "",
            "----",
            "type=UNKNOWN[1329] msg=?",
            "type=X msg=audit(1.0:2",
            "msg=audit(1.0:2): a=1",
            "type=X msg=audit(): a",
            "type=X msg=audit(1.0): a",
            "type=X msg=audit(1.0:x): a",
            "type=X msg=audit(99999999999999999999.0:1): a",
            "type=X msg=audit(\u{1b}:1): a",
            "type=X y msg=audit(1.0:1): a",
            "x type=X msg=audit(1.0:1): a",
            "Nov 14 22:13:20 h sshd[7]: Invalid user \u{1b} type=X audit(1.0:1): a",
            "Nov 14 22:13:20 h sshd[7]: node=x type=X msg=audit(1.0:1): a",
        ] {
            let reason = Record::parse(bad).unwrap_err();
            assert!(!reason.contains(char::is_control), "{reason}");
        }
    }
}
