//! `bulla append`: append one event, or events as JSON lines from standard input.

use std::io::{self, BufRead as _, Write};
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use bulla::event::json::InvalidJson;
use bulla::event::{Actor, Event, EventId, Outcome, Resource, SpanId, Target, TraceId};
use bulla::{Error, Log, Receipt, Redactor};
use bulla_cli::import::{without_line, without_secrets};
use clap::Args;

use crate::failure::{Verdict, although};
use crate::output::{self, Column, Format, Listing, Row, Shown};
use crate::redacting::{Redacting, kept};
use crate::secrets::{Encryption, SUBJECT_WITHOUT_KEYS};
use crate::time_args::{When, when};

#[derive(Args)]
#[command(after_help = "\
Examples:
  bulla append ./audit --actor user:alice --action user.login --resource session/s-1 \\
      --outcome denied --tenant acme --details '{\"attempt\": 3}'
  my-service | bulla append ./audit --stdin --output jsonl

A line is printed when its event is durable, not before. With --stdin a line that is no event is
named on standard error and skipped, and the status is 1; if the reader of standard output leaves,
appending continues. Values under names such as password, token or cookie are taken out before, and
card numbers, bearer tokens and private keys.")]
pub(crate) struct Append {
    /// The log
    dir: PathBuf,
    /// Read events as JSON lines from standard input instead of from options
    #[arg(long, conflicts_with_all = ["actor", "action", "resource"])]
    stdin: bool,
    #[command(flatten)]
    given: Box<Given>,
    #[command(flatten)]
    redacting: Redacting,
    #[command(flatten)]
    encryption: Encryption,
    #[command(flatten)]
    shown: Shown,
}

/// An event as options.
#[derive(Args)]
struct Given {
    /// Who did it: type and id
    #[arg(long, allow_hyphen_values = true, value_name = "T:ID", value_parser = actor, required_unless_present = "stdin")]
    actor: Option<Actor>,
    /// For whom the actor did it, if not for itself: type and id
    #[arg(long, allow_hyphen_values = true, value_name = "T:ID", value_parser = actor)]
    on_behalf_of: Option<Actor>,
    /// What was done, as noun.verb
    #[arg(long, allow_hyphen_values = true, value_name = "A", required_unless_present = "stdin")]
    action: Option<String>,
    /// To what it was done: type, and id if it is a single one
    #[arg(long, allow_hyphen_values = true, value_name = "T/ID", value_parser = resource, required_unless_present = "stdin")]
    resource: Option<Resource>,
    /// To what else it was done: type and id, with the part it had in front, as in
    /// source=volume/v-1; up to 64 times
    #[arg(long = "target", allow_hyphen_values = true, value_name = "[ROLE=]T/ID", value_parser = target)]
    targets: Vec<Target>,
    /// With what result: success, failure, denied, partial or unknown
    #[arg(long, value_name = "O", default_value = "success")]
    outcome: Outcome,
    /// On whose behalf
    #[arg(long, allow_hyphen_values = true, value_name = "T")]
    tenant: Option<String>,
    /// Anything else, as JSON
    #[arg(long, allow_hyphen_values = true, value_name = "JSON")]
    details: Option<String>,
    /// The event's own identifier, a UUID [default: a new UUIDv7]
    #[arg(long, allow_hyphen_values = true, value_name = "UUID")]
    id: Option<EventId>,
    /// When it happened [default: now]
    #[arg(long, allow_hyphen_values = true, value_name = "TIME", value_parser = when)]
    occurred_at: Option<When>,
    /// Why, in words
    #[arg(long, allow_hyphen_values = true, value_name = "TEXT")]
    reason: Option<String>,
    /// Which service or channel it came through
    #[arg(long, allow_hyphen_values = true, value_name = "NAME")]
    source: Option<String>,
    /// Network address of the actor
    #[arg(long, allow_hyphen_values = true, value_name = "ADDRESS")]
    ip: Option<String>,
    /// The actor's user agent
    #[arg(long, allow_hyphen_values = true, value_name = "TEXT")]
    user_agent: Option<String>,
    /// The actor's session
    #[arg(long, allow_hyphen_values = true, value_name = "ID")]
    session_id: Option<String>,
    /// The request that caused it
    #[arg(long, allow_hyphen_values = true, value_name = "ID")]
    request_id: Option<String>,
    /// What groups several requests
    #[arg(long, allow_hyphen_values = true, value_name = "ID")]
    correlation_id: Option<String>,
    /// The distributed trace: the W3C trace id
    #[arg(long, value_name = "HEX")]
    trace_id: Option<TraceId>,
    /// The operation within the trace: the W3C parent id
    #[arg(long, value_name = "HEX")]
    span_id: Option<SpanId>,
    /// The actor's e-mail address
    #[arg(long, allow_hyphen_values = true, value_name = "ADDRESS")]
    email: Option<String>,
    /// The role in which the actor acted
    #[arg(long, allow_hyphen_values = true, value_name = "ROLE")]
    role: Option<String>,
    /// Whose personal data it holds, such as user:alice: the payload is encrypted with that
    /// subject's key
    #[arg(long, allow_hyphen_values = true, value_name = "NAME", requires = "key_store")]
    subject: Option<String>,
    /// A label; may be given several times
    #[arg(long = "tag", allow_hyphen_values = true, value_name = "KEY=VALUE", value_parser = tag)]
    tags: Vec<(String, String)>,
}

fn actor(text: &str) -> Result<Actor, String> {
    match text.split_once(':') {
        Some((kind, id)) if !kind.is_empty() && !id.is_empty() => Ok(Actor::new(kind, id)),
        _ => Err("expected type and id, such as user:alice".to_owned()),
    }
}

fn resource(text: &str) -> Result<Resource, String> {
    match text.split_once('/') {
        None if !text.is_empty() => Ok(Resource::kind_only(text)),
        Some((kind, id)) if !kind.is_empty() && !id.is_empty() => Ok(Resource::new(kind, id)),
        _ => Err("expected type and id, such as session/s-1, or a type alone".to_owned()),
    }
}

/// `TYPE/ID`, or `ROLE=TYPE/ID`. A `=` behind the first `/` is of the id.
fn target(text: &str) -> Result<Target, String> {
    const EXPECTED: &str = "expected type and id, such as instance/i-1, with a role before them \
                            if there is one, such as source=volume/v-1";
    let (named, id) = text.split_once('/').ok_or(EXPECTED)?;
    let (role, kind) = match named.split_once('=') {
        Some((role, kind)) => (Some(role), kind),
        None => (None, named),
    };
    if kind.is_empty() || id.is_empty() || role.is_some_and(str::is_empty) {
        return Err(EXPECTED.to_owned());
    }
    Ok(Target { role: role.map(str::to_owned), ..Target::new(kind, id) })
}

fn tag(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

impl Given {
    fn event(self) -> Result<Event> {
        let (Some(mut actor), Some(action), Some(resource)) =
            (self.actor, self.action, self.resource)
        else {
            bail!("--actor, --action and --resource are required, or --stdin");
        };
        actor.email = self.email;
        actor.role = self.role;
        let mut event = Event::new(actor, action, resource).outcome(self.outcome);
        event.id = self.id;
        event.occurred_at = self.occurred_at.map(|when| when.time);
        event.tenant = self.tenant;
        event.reason = self.reason;
        event.source = self.source;
        event.ip = self.ip;
        event.user_agent = self.user_agent;
        event.session_id = self.session_id;
        event.request_id = self.request_id;
        event.correlation_id = self.correlation_id;
        event.on_behalf_of = self.on_behalf_of;
        event.targets = self.targets;
        event.trace_id = self.trace_id;
        event.span_id = self.span_id;
        event.subject = self.subject;
        event.tags.extend(self.tags);
        match self.details {
            None => Ok(event),
            Some(text) => event.details_json(&text).map_err(|error| {
                let problem = without_secrets(&without_line(&error.to_string()));
                anyhow::anyhow!("--details is not JSON: {problem}")
            }),
        }
    }
}

/// The acknowledgement of one event.
struct Ack(Receipt);

impl Row for Ack {
    const COLUMNS: &'static [Column] =
        &[Column::number("SEQ"), Column::fixed("RECORDED AT"), Column::fixed("LEAF HASH")];
    const FIELDS: &'static [&'static str] = &["seq", "recorded_at", "leaf_hash"];

    fn cells(&self) -> Vec<String> {
        let Receipt { seq, recorded_at, leaf_hash, .. } = &self.0;
        vec![seq.to_string(), recorded_at.to_string(), leaf_hash.to_string()]
    }

    fn fields(&self) -> Vec<String> {
        self.cells()
    }

    fn json(&self) -> String {
        let Receipt { seq, recorded_at, leaf_hash, .. } = &self.0;
        format!("{{\"seq\":{seq},\"recorded_at\":\"{recorded_at}\",\"leaf_hash\":\"{leaf_hash}\"}}")
    }
}

impl Append {
    pub(crate) fn run(self) -> Result<Verdict> {
        let redactor = self.redacting.redactor();
        if self.stdin {
            let log = self.encryption.writer(&self.dir)?;
            let has_keys = self.encryption.secrets.are_given();
            let done = from_stdin(&log, redactor.as_ref(), has_keys, self.shown.format());
            close(&log)?;
            return done;
        }
        let (event, _) = kept(redactor.as_ref(), self.given.event()?);
        let log = self.encryption.writer(&self.dir)?;
        let receipt = log.append(&event)?;
        // Whatever closing meets, the record is in the log, and that is told first.
        let seq = receipt.seq;
        let shown = show(receipt, self.shown.format());
        close(&log)?;
        shown.map_err(|error| although(error, format!("the event is in the log, record {seq}")))?;
        Ok(Verdict::Fine)
    }
}

fn show(receipt: Receipt, format: Format) -> io::Result<()> {
    let mut out = output::stdout();
    let mut listing = Listing::new(&mut out, format);
    listing.row(&Ack(receipt))?;
    listing.finish()?;
    out.flush()
}

/// Closes the log. What was acknowledged is safe however that ends: who takes a failure for
/// one of appending appends twice.
fn close(log: &Log) -> Result<()> {
    match log.close() {
        Ok(()) => Ok(()),
        Err(error) => Ok(writeln!(output::stderr(), "bulla: {}", closing_failed(&error))?),
    }
}

fn closing_failed(error: &Error) -> String {
    let what = match error {
        // Its own words are about an append, which would be tried again.
        Error::DiskFull { path, needed: 0 } => {
            format!("disk full: there is no space for {}", path.display())
        }
        Error::DiskFull { path, needed } => {
            format!("disk full: {} needs {needed} more bytes", path.display())
        }
        error => error.to_string(),
    };
    format!(
        "warning: every record that was acknowledged is in the log, do not append it again; but \
         the log could not be closed in order ({what}), so that opening it next takes longer"
    )
}

/// Appends line by line; each is acknowledged before the next one is read.
fn from_stdin(
    log: &Log,
    redactor: Option<&Redactor>,
    has_keys: bool,
    format: Format,
) -> Result<Verdict> {
    let mut out = output::stdout();
    let mut listing = Listing::new(&mut out, format);
    let mut verdict = Verdict::Fine;
    for (line, number) in io::stdin().lock().lines().zip(1_u64..) {
        let line = line.with_context(|| format!("standard input, line {number}"))?;
        // Files that were joined have a byte order mark wherever one of them began.
        let line = line.strip_prefix('\u{feff}').unwrap_or(&line);
        if line.trim().is_empty() {
            continue;
        }
        match appended(log, redactor, has_keys, line) {
            Err(reason) => {
                writeln!(output::stderr(), "bulla: standard input, line {number}: {reason}")?;
                verdict = Verdict::Failed;
            }
            Ok(result) => {
                let receipt = result.with_context(|| format!("standard input, line {number}"))?;
                let told = listing.row(&Ack(receipt)).and_then(|()| listing.flush());
                told.map_err(|error| although(error, in_log_up_to(number)))?;
            }
        }
    }
    listing.finish()?;
    Ok(verdict)
}

/// What is in the log when an acknowledgement cannot be written, and how to go on.
fn in_log_up_to(line: u64) -> String {
    format!(
        "every event up to line {line} of standard input is in the log, but for the lines that \
         were named as none; go on behind it: `tail -n +{}` of what was given",
        line.saturating_add(1)
    )
}

/// Appends the event of a line. `Err`: the line is none that can be appended, and why.
fn appended(
    log: &Log,
    redactor: Option<&Redactor>,
    has_keys: bool,
    line: &str,
) -> Result<bulla::Result<Receipt>, String> {
    let problem = |error: InvalidJson| without_secrets(&without_line(&error.to_string()));
    let event = Event::from_json(line).map_err(problem)?;
    if event.subject.is_some() && !has_keys {
        return Err(SUBJECT_WITHOUT_KEYS.to_owned());
    }
    match log.append(&kept(redactor, event).0) {
        Err(Error::Invalid(reason)) => Err(reason.to_string()),
        result => Ok(result),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_that_fails_suggests_no_second_append() {
        let error = Error::DiskFull { path: PathBuf::from("/x/segments/1"), needed: 42 };
        let told = closing_failed(&error);
        assert!(told.starts_with("warning: ") && told.contains("is in the log"), "{told}");
        assert!(told.contains("/x/segments/1 needs 42 more bytes"), "{told}");
        assert!(!told.contains("try again") && !told.contains("nothing was written"), "{told}");
    }

    #[test]
    fn actors_resources_and_tags_are_split_at_the_first_mark() {
        assert_eq!(actor("role:arn:aws:x").unwrap(), Actor::new("role", "arn:aws:x"));
        assert_eq!(resource("file/a/b").unwrap(), Resource::new("file", "a/b"));
        assert_eq!(resource("file").unwrap(), Resource::kind_only("file"));
        assert_eq!(tag("k=a=b").unwrap(), ("k".to_owned(), "a=b".to_owned()));
        for bad in ["", "alice", ":alice", "user:"] {
            assert!(actor(bad).is_err(), "{bad}");
        }
        for bad in ["", "/x", "x/"] {
            assert!(resource(bad).is_err(), "{bad}");
        }
        assert!(tag("k").is_err());
    }

    #[test]
    fn a_role_stands_before_its_target() {
        assert_eq!(target("host/h/1").unwrap(), Target::new("host", "h/1"));
        let volume = Target::new("volume", "v-1").role("source");
        assert_eq!(target("source=volume/v-1").unwrap(), volume);
        // What has a `=` in its id needs no other spelling.
        assert_eq!(target("entry/cn=ann").unwrap(), Target::new("entry", "cn=ann"));
        for bad in
            ["", "host", "/h", "host/", "=host/h", "source=/h", "source=host", "source=host/"]
        {
            assert!(target(bad).unwrap_err().contains("source=volume/v-1"), "{bad}");
        }
    }
}
