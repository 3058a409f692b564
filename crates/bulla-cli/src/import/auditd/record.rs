//! One record: a line such as
//! `type=SYSCALL msg=audit(1492037289.295:58): arch=c000003e syscall=42 …`.

use bulla::time::Timestamp;

use super::super::document::shown;
use super::kinds;

/// What the records of one event have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    /// Everything after the stamp.
    pub(crate) body: String,
}

impl Record {
    /// Takes a line apart; the error says what is missing.
    pub(crate) fn parse(line: &str) -> Result<Self, String> {
        let (before, after) = line
            .split_once("audit(")
            .ok_or_else(|| format!("no audit(SECONDS.MILLIS:SERIAL) in {}", shown(line)))?;
        let (stamp, body) = after.split_once(')').ok_or("audit( without its )")?;
        let words = || before.split_ascii_whitespace();
        let kind = words().filter_map(|word| word.strip_prefix("type=")).next_back();
        let kind = kind.filter(|kind| !kind.is_empty()).ok_or("no type= before audit(")?;
        let (time, serial) = stamp.split_once(':').unwrap_or((stamp, ""));
        let numeric = !serial.is_empty() && serial.bytes().all(|byte| byte.is_ascii_digit());
        let time = numeric.then(|| super::super::time::TimeFormat::EpochS.parse(time)).flatten();
        let time =
            time.ok_or_else(|| format!("audit({}): expected SECONDS.MILLIS:SERIAL", shown(stamp)))?;
        let node = words().find_map(|word| word.strip_prefix("node=")).map(str::to_owned);
        Ok(Record {
            key: Key { node, stamp: stamp.to_owned() },
            time,
            kind: kinds::named(kind),
            body: body.strip_prefix(':').unwrap_or(body).to_owned(),
        })
    }
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
        ] {
            let reason = Record::parse(bad).unwrap_err();
            assert!(!reason.contains(char::is_control), "{reason}");
        }
    }
}
