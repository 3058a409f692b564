//! Counting the records that match: all of them, by the values of a field, or by time; and
//! the first and the last of them.

use std::collections::HashMap;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::{Result, bail};
use bulla::Snapshot;
use bulla::event::PayloadState;
use bulla::internals::format::body::Payload;
use bulla::log::{Explain, Group, GroupBy};
use bulla::query::Query;
use bulla::seq::Seq;
use bulla::time::Timestamp;
use clap::ValueEnum;

use crate::output::{self, Column, Format, Listing, Row};
use crate::text;

/// More steps than this are refused: nobody reads them.
const STEPS_MAX: i64 = 10_000;
/// The longest bar of a histogram, in characters.
const BAR_MAX: u64 = 40;

/// What to count by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Field {
    Actor,
    ActorType,
    OnBehalfOf,
    Action,
    Resource,
    ResourceType,
    Tenant,
    Outcome,
    Source,
    Ip,
    UserAgent,
    Role,
}

/// Where the values of a field are counted.
enum Source {
    /// In the index; the groups are named by this.
    Index(GroupBy, fn(Group) -> Option<String>),
    /// In the payload of each record.
    Payload(for<'p> fn(&Payload<'p>) -> Option<&'p str>),
}

impl Field {
    fn source(self) -> Source {
        let name: fn(Group) -> Option<String> = |group| group.name;
        match self {
            Field::Actor => Source::Index(GroupBy::Actor, |group| joined(group, ':')),
            Field::ActorType => Source::Index(GroupBy::Actor, |group| group.kind),
            Field::OnBehalfOf => Source::Index(GroupBy::OnBehalfOf, |group| joined(group, ':')),
            Field::Action => Source::Index(GroupBy::Action, name),
            Field::Resource => Source::Index(GroupBy::Resource, |group| joined(group, '/')),
            Field::ResourceType => Source::Index(GroupBy::ResourceType, name),
            Field::Tenant => Source::Index(GroupBy::Tenant, name),
            Field::Outcome => Source::Index(GroupBy::Outcome, name),
            Field::Source => Source::Payload(|payload| payload.source),
            Field::Ip => Source::Payload(|payload| payload.ip),
            Field::UserAgent => Source::Payload(|payload| payload.user_agent),
            Field::Role => Source::Payload(|payload| payload.role),
        }
    }
}

/// Type and id as tables show them; the type alone of what has no id.
fn joined(group: Group, between: char) -> Option<String> {
    match (group.kind, group.name) {
        (Some(kind), Some(name)) => Some(format!("{kind}{between}{name}")),
        (kind, name) => kind.or(name),
    }
}

/// What is counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Value {
    Text(String),
    Absent,
    /// It is in a payload that cannot be read here.
    Sealed,
    /// It was in a payload whose key was destroyed.
    Erased,
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        text.map_or(Value::Absent, Value::Text)
    }
}

impl Value {
    fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Why its text is not known: as in records in JSON.
    fn payload(&self) -> Option<&'static str> {
        match self {
            Value::Sealed => Some("sealed"),
            Value::Erased => Some("erased"),
            Value::Text(_) | Value::Absent => None,
        }
    }
}

type Counts = HashMap<Value, u64>;

/// Counts what every record that matches has in its payload. The log's own have none.
fn count_payloads(
    snapshot: &Snapshot,
    query: &Query,
    value: for<'p> fn(&Payload<'p>) -> Option<&'p str>,
) -> Result<(Counts, Explain)> {
    let mut counts: HashMap<String, u64> = HashMap::new();
    let mut without = Counts::new();
    let mut failed = None;
    let mut matches = snapshot.query(query)?;
    matches.visit(|view| {
        let (payload, state) = match view.payload().and_then(|p| Ok((p, view.payload_state()?))) {
            Ok(read) => read,
            Err(error) => {
                failed = Some(error);
                return ControlFlow::Break(());
            }
        };
        match payload.as_ref().and_then(value) {
            None => *without.entry(unknown(state)).or_default() += 1,
            // Copied only when it is new.
            Some(value) => match counts.get_mut(value) {
                Some(count) => *count += 1,
                None => {
                    counts.insert(value.to_owned(), 1);
                }
            },
        }
        ControlFlow::Continue(())
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    without.extend(counts.into_iter().map(|(value, n)| (Value::Text(value), n)));
    Ok((without, matches.explain()))
}

/// A value that is absent from the payload, or in a payload that cannot be read.
fn unknown(state: PayloadState) -> Value {
    match state {
        PayloadState::Sealed => Value::Sealed,
        PayloadState::Erased => Value::Erased,
        _ => Value::Absent,
    }
}

/// A value and how often it stands there.
struct Counted {
    value: Value,
    count: u64,
}

impl Row for Counted {
    const COLUMNS: &'static [Column] = &[Column::number("COUNT"), Column::elastic("VALUE")];
    const FIELDS: &'static [&'static str] = &["value", "count", "payload"];

    fn cells(&self) -> Vec<String> {
        let value = match &self.value {
            Value::Text(text) => text.clone(),
            value => format!("({})", value.payload().unwrap_or("absent")),
        };
        vec![text::count(self.count), value]
    }

    fn fields(&self) -> Vec<String> {
        let owned = |text: Option<&str>| text.unwrap_or_default().to_owned();
        vec![owned(self.value.text()), self.count.to_string(), owned(self.value.payload())]
    }

    fn json(&self) -> String {
        let mut json = serde_json::json!({"value": self.value.text(), "count": self.count});
        if let (Some(payload), Some(members)) = (self.value.payload(), json.as_object_mut()) {
            members.insert("payload".to_owned(), payload.into());
        }
        json.to_string()
    }
}

/// Counts by the values of a field; the most frequent first. Gives what was done for it, if
/// records had to be read.
pub(super) fn count_by(
    snapshot: &Snapshot,
    query: &Query,
    field: Field,
    limit: Option<u64>,
    format: Format,
) -> Result<Option<Explain>> {
    let (counts, explain) = match field.source() {
        Source::Index(by, name) => {
            let mut counts = Counts::new();
            for group in snapshot.count_by(query, by)? {
                let count = group.count;
                *counts.entry(Value::from(name(group))).or_default() += count;
            }
            (counts, None)
        }
        Source::Payload(value) => {
            let (counts, explain) = count_payloads(snapshot, query, value)?;
            (counts, Some(explain))
        }
    };
    show(counts, limit, format)?;
    Ok(explain)
}

fn show(counts: Counts, limit: Option<u64>, format: Format) -> Result<()> {
    let mut groups: Vec<Counted> =
        counts.into_iter().map(|(value, count)| Counted { value, count }).collect();
    groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
    let shown = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let mut out = output::stdout();
    let mut listing = Listing::new(&mut out, format);
    for group in groups.iter().take(shown) {
        listing.row(group)?;
    }
    listing.finish()?;
    let left = groups.len().saturating_sub(shown) as u64;
    if left > 0 {
        writeln!(
            output::stderr(),
            "bulla: … and {} more; --limit N shows more of them",
            text::count(left)
        )?;
    }
    Ok(())
}

/// A step of time and how many records occurred in it.
struct Step {
    from: Timestamp,
    count: u64,
    bar: String,
}

impl Row for Step {
    const COLUMNS: &'static [Column] =
        &[Column::fixed("FROM"), Column::number("COUNT"), Column::fixed("")];
    const FIELDS: &'static [&'static str] = &["from", "count"];

    fn cells(&self) -> Vec<String> {
        vec![text::seconds(self.from), text::count(self.count), self.bar.clone()]
    }

    fn fields(&self) -> Vec<String> {
        vec![self.from.to_string(), self.count.to_string()]
    }

    fn json(&self) -> String {
        serde_json::json!({"from": self.from.to_string(), "count": self.count}).to_string()
    }
}

/// Counts by when the records occurred; steps without records are shown too.
pub(super) fn histogram(
    snapshot: &Snapshot,
    query: &Query,
    width: Duration,
    format: Format,
) -> Result<()> {
    let found = snapshot.histogram(query, width)?;
    let width = i64::try_from(width.as_nanos()).unwrap_or(i64::MAX);
    let Some((first, last)) = found.first().zip(found.last()) else { return Ok(()) };
    let number = |step: &bulla::log::Bucket| step.from.as_nanos().div_euclid(width);
    let (first, last) = (number(first), number(last));
    let steps = last.saturating_sub(first).saturating_add(1);
    if steps > STEPS_MAX {
        bail!(
            "expected at most {STEPS_MAX} steps of the histogram, found {steps} from {} on; choose a wider one, or \
             a range with --since and --until",
            Timestamp::from_nanos(first.saturating_mul(width))
        );
    }
    let most = found.iter().map(|step| step.count).max().unwrap_or(1).max(1);
    let mut out = output::stdout();
    let mut listing = Listing::new(&mut out, format);
    let mut found = found.iter().peekable();
    for step in first..=last {
        let counted = found.next_if(|found| number(found) == step);
        let count = counted.map_or(0, |found| found.count);
        let length = count.saturating_mul(BAR_MAX).div_ceil(most);
        let bar = "█".repeat(usize::try_from(length).unwrap_or(0));
        listing.row(&Step {
            from: Timestamp::from_nanos(step.saturating_mul(width)),
            count,
            bar,
        })?;
    }
    listing.finish()?;
    Ok(())
}

/// How many records match.
struct Total(u64);

impl Row for Total {
    const COLUMNS: &'static [Column] = &[]; // shown as a number
    const FIELDS: &'static [&'static str] = &["count"];

    fn cells(&self) -> Vec<String> {
        Vec::new()
    }

    fn fields(&self) -> Vec<String> {
        vec![self.0.to_string()]
    }

    fn json(&self) -> String {
        serde_json::json!({"count": self.0}).to_string()
    }
}

/// Counts the records; in a table the number stands alone.
pub(super) fn count(snapshot: &Snapshot, query: &Query, format: Format) -> Result<()> {
    let total = snapshot.count(query)?;
    let mut out = output::stdout();
    if format == Format::Table {
        writeln!(out, "{total}")?;
        out.flush()?;
        return Ok(());
    }
    let mut listing = Listing::new(&mut out, format);
    listing.row(&Total(total))?;
    listing.finish()?;
    Ok(())
}

/// The first or the last record.
struct End {
    which: &'static str,
    seq: Seq,
    recorded_at: Timestamp,
}

impl Row for End {
    const COLUMNS: &'static [Column] =
        &[Column::fixed(""), Column::number("SEQ"), Column::fixed("RECORDED")];
    const FIELDS: &'static [&'static str] = &["which", "seq", "recorded_at"];

    fn cells(&self) -> Vec<String> {
        self.fields()
    }

    fn fields(&self) -> Vec<String> {
        vec![self.which.to_owned(), self.seq.to_string(), self.recorded_at.to_string()]
    }

    fn json(&self) -> String {
        let recorded_at = self.recorded_at.to_string();
        serde_json::json!({"which": self.which, "seq": self.seq.get(), "recorded_at": recorded_at})
            .to_string()
    }
}

/// Shows where the first and the last record stand, by Seq, and when they were recorded.
pub(super) fn seen(snapshot: &Snapshot, query: &Query, format: Format) -> Result<()> {
    let found = snapshot.extent(query)?;
    let mut out = output::stdout();
    let mut listing = Listing::new(&mut out, format);
    for (which, end) in
        [("first", found.map(|seen| seen.first)), ("last", found.map(|seen| seen.last))]
    {
        if let Some((seq, recorded_at)) = end {
            listing.row(&End { which, seq, recorded_at })?;
        }
    }
    listing.finish()?;
    if found.is_none() && format == Format::Table {
        writeln!(output::stderr(), "bulla: no record matches")?;
    }
    Ok(())
}
