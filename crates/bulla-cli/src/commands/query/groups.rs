//! Counting the records that match: by the values of a field, or by time.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write as _};
use std::time::Duration;

use anyhow::{Result, bail};
use bulla::LogReader;
use bulla::event::{Event, Record};
use bulla::query::Query;
use bulla::time::Timestamp;
use clap::ValueEnum;

use crate::output::{self, Column, Format, Listing, Row};
use crate::{cells, records};

/// More steps than this are refused: nobody reads them.
const STEPS_MAX: i64 = 10_000;
/// The longest bar of a histogram, in characters.
const BAR_MAX: u64 = 40;

/// What to count by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Field {
    Actor,
    ActorType,
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

impl Field {
    fn of(self, event: &Event) -> Option<String> {
        match self {
            Field::Actor => Some(records::actor(event)),
            Field::ActorType => Some(event.actor.kind.clone()),
            Field::Action => Some(event.action.clone()),
            Field::Resource => Some(records::resource(event)),
            Field::ResourceType => Some(event.resource.kind.clone()),
            Field::Tenant => event.tenant.clone(),
            Field::Outcome => Some(event.outcome.to_string()),
            Field::Source => event.source.clone(),
            Field::Ip => event.ip.clone(),
            Field::UserAgent => event.user_agent.clone(),
            Field::Role => event.actor.role.clone(),
        }
    }
}

/// A value and how often it stands there; `None` is absence.
struct Group {
    value: Option<String>,
    count: u64,
}

impl Row for Group {
    const COLUMNS: &'static [Column] = &[Column::number("COUNT"), Column::elastic("VALUE")];
    const FIELDS: &'static [&'static str] = &["value", "count"];

    fn cells(&self) -> Vec<String> {
        let value = self.value.clone().unwrap_or_else(|| "(absent)".to_owned());
        vec![cells::count(self.count), value]
    }

    fn fields(&self) -> Vec<String> {
        vec![self.value.clone().unwrap_or_default(), self.count.to_string()]
    }

    fn json(&self) -> String {
        serde_json::json!({"value": self.value, "count": self.count}).to_string()
    }
}

/// Counts by the values of a field; the most frequent first.
pub(super) fn count_by(
    reader: &LogReader,
    query: &Query,
    field: Field,
    limit: Option<u64>,
    format: Format,
) -> Result<()> {
    let mut counts: HashMap<Option<String>, u64> = HashMap::new();
    for record in reader.query(query)? {
        *counts.entry(field.of(&record?.event)).or_default() += 1;
    }
    let mut groups: Vec<Group> =
        counts.into_iter().map(|(value, count)| Group { value, count }).collect();
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
            io::stderr(),
            "bulla: … and {} more; --limit N shows more of them",
            cells::count(left)
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
        vec![cells::seconds(self.from), cells::count(self.count), self.bar.clone()]
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
    reader: &LogReader,
    query: &Query,
    width: Duration,
    format: Format,
) -> Result<()> {
    let width = i64::try_from(width.as_nanos()).unwrap_or(i64::MAX);
    let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
    for record in reader.query(query)? {
        let record: Record = record?;
        let time = record.event.occurred_at.unwrap_or(record.recorded_at);
        *counts.entry(time.as_nanos().div_euclid(width)).or_default() += 1;
    }
    let ends = counts.first_key_value().zip(counts.last_key_value());
    let Some(((&first, _), (&last, _))) = ends else { return Ok(()) };
    let steps = last.saturating_sub(first).saturating_add(1);
    if steps > STEPS_MAX {
        bail!(
            "expected at most {STEPS_MAX} steps, found {steps} from {} on; choose a wider one, or \
             a range with --since and --until",
            Timestamp::from_nanos(first.saturating_mul(width))
        );
    }
    let most = counts.values().copied().max().unwrap_or(1).max(1);
    let mut out = output::stdout();
    let mut listing = Listing::new(&mut out, format);
    for step in first..=last {
        let count = counts.get(&step).copied().unwrap_or(0);
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
