//! One record: a line such as
//! `type=SYSCALL msg=audit(1492037289.295:58): arch=c000003e syscall=42 …`.

use bulla::time::Timestamp;

use super::super::document::shown;

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
    /// E.g. `SYSCALL`.
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
        let kind = word_after(before, "type=").ok_or("no type= before audit(")?;
        let (time, serial) = stamp.split_once(':').unwrap_or((stamp, ""));
        let numeric = !serial.is_empty() && serial.bytes().all(|byte| byte.is_ascii_digit());
        let time = numeric.then(|| super::super::time::TimeFormat::EpochS.parse(time)).flatten();
        let time =
            time.ok_or_else(|| format!("audit({}): expected SECONDS.MILLIS:SERIAL", shown(stamp)))?;
        let node = word_after(before, "node=").map(str::to_owned);
        Ok(Record {
            key: Key { node, stamp: stamp.to_owned() },
            time,
            kind: kind.to_owned(),
            body: body.strip_prefix(':').unwrap_or(body).to_owned(),
        })
    }
}

/// A record with its fields.
pub(crate) struct Parsed<'a> {
    pub(crate) record: &'a Record,
    fields: Vec<(&'a str, Value<'a>)>,
}

impl<'a> Parsed<'a> {
    /// Finds the fields, those inside `msg='…'` included.
    pub(crate) fn new(record: &'a Record) -> Self {
        let mut found = Vec::with_capacity(32);
        fields(&record.body, &mut found);
        Parsed { record, fields: found }
    }

    /// The type, e.g. `SYSCALL`.
    pub(crate) fn kind(&self) -> &'a str {
        &self.record.kind
    }

    /// The value of a field; of several with that name the last one, because old
    /// records say `old auid=… new auid=…`.
    pub(crate) fn get(&self, name: &str) -> Option<Value<'a>> {
        let found = self.fields.iter().rfind(|(key, _)| *key == name);
        found.map(|(_, value)| *value).filter(|value| !value.is_none())
    }

    /// The text of a field whose value the kernel writes in hex if it is unsafe.
    pub(crate) fn decoded(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| value.decoded())
    }
}

fn word_after<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = text.split_once(name)?;
    after.split_ascii_whitespace().next()
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Value<'a> {
    pub(crate) text: &'a str,
    quoted: bool,
}

impl Value<'_> {
    /// Says that there is none, in one of the ways auditd has for it.
    fn is_none(&self) -> bool {
        self.text.is_empty() || matches!(self.text, "?" | "(null)" | "(none)")
    }

    /// The text, with hex undone if it is not quoted and its bytes are plain text;
    /// otherwise as it stands.
    pub(crate) fn decoded(&self) -> String {
        let bytes = if self.quoted { None } else { hex(self.text) };
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        match text {
            Some(text) if !text.is_empty() && !text.contains(char::is_control) => text,
            _ => self.text.to_owned(),
        }
    }
}

/// Bytes written as upper-case hex digits.
pub(super) fn hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F')) {
        return None;
    }
    let digit = |byte: u8| if byte <= b'9' { byte - b'0' } else { byte - b'A' + 10 };
    Some(pairs.iter().map(|[high, low]| digit(*high) << 4 | digit(*low)).collect())
}

fn fields<'a>(text: &'a str, out: &mut Vec<(&'a str, Value<'a>)>) {
    // What auditd adds in its enriched format is set off by a group separator.
    let blank = |found: char| found.is_ascii_whitespace() || found == '\u{1d}';
    let mut rest = text.trim_start_matches(blank);
    while !rest.is_empty() {
        let end = rest.find(|found: char| blank(found) || found == '=').unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let Some(after) = after.strip_prefix('=') else {
            rest = after.trim_start_matches(blank);
            continue;
        };
        let name = name.trim_start_matches(['(', ',']);
        let (value, quoted, remaining) = value(after, blank);
        if quoted && name == "msg" {
            fields(value, out);
        } else if !name.is_empty() {
            out.push((name, Value { text: value, quoted }));
        }
        rest = remaining.trim_start_matches(blank);
    }
}

/// The value at the start of the text, whether it was quoted, and what follows.
fn value(text: &str, blank: impl Fn(char) -> bool) -> (&str, bool, &str) {
    for quote in ['\'', '"'] {
        if let Some(inside) = text.strip_prefix(quote) {
            return match inside.split_once(quote) {
                Some((value, after)) => (value, true, after),
                None => (inside, true, ""),
            };
        }
    }
    let (value, after) = text.split_at(text.find(blank).unwrap_or(text.len()));
    // Old records write `(hostname=?, addr=?, res=success)'`.
    let value = value.trim_end_matches([',', '\'']);
    let value = if value.starts_with('(') { value } else { value.trim_end_matches(')') };
    (value, false, after)
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
        assert_eq!(Parsed::new(&found).get("b").unwrap().text, "c d");
        let kernel = record(
            "Jan  1 00:00:00 h kernel: audit: type=1400 audit(1.000:2): apparmor=\"DENIED\"",
        );
        assert_eq!((kernel.kind.as_str(), kernel.key.node), ("1400", None));
    }

    #[test]
    fn fields_inside_a_message_count() {
        let found = record(
            "type=USER_START msg=audit(1.344:297): user pid=1 auid=0 \
             msg='PAM: session open acct=root : exe=\"/usr/sbin/crond\" (hostname=?, addr=?, \
             terminal=cron res=success)'",
        );
        assert_eq!(Parsed::new(&found).decoded("acct").as_deref(), Some("root"));
        assert_eq!(Parsed::new(&found).decoded("exe").as_deref(), Some("/usr/sbin/crond"));
        assert_eq!(Parsed::new(&found).get("addr"), None);
        assert_eq!(Parsed::new(&found).get("res").unwrap().text, "success");
        let login =
            record("type=LOGIN msg=audit(1.3:2): login pid=1 old auid=4294967295 new auid=0");
        assert_eq!(Parsed::new(&login).get("auid").unwrap().text, "0");
        let enriched =
            record("type=SYSCALL msg=audit(1.3:2): uid=0\u{1d}SYSCALL=openat UID=\"root\"");
        assert_eq!(Parsed::new(&enriched).get("SYSCALL").unwrap().text, "openat");
        assert_eq!(Parsed::new(&enriched).get("UID").unwrap().text, "root");
    }

    #[test]
    fn hex_is_undone_where_the_result_is_plain_text() {
        let exe = |value: &str| {
            Parsed::new(&record(&format!("type=X msg=audit(1.0:1): exe={value}"))).decoded("exe")
        };
        assert_eq!(exe("2F746D702F6120622063").as_deref(), Some("/tmp/a b c"));
        assert_eq!(exe("\"ABCD\"").as_deref(), Some("ABCD"));
        assert_eq!(exe("C3A9").as_deref(), Some("é"));
        for kept in ["FF", "0A41", "ABC", "cafe", "/bin/sh"] {
            assert_eq!(exe(kept).as_deref(), Some(kept));
        }
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
        for odd in
            ["=", "==", "a='", "a=\"b", "'", "msg='msg='x", "msg='", "a=,", "\u{1d}", "é=ü ="]
        {
            Parsed::new(&record(&format!("type=X msg=audit(1.0:1):{odd}")));
        }
    }
}
