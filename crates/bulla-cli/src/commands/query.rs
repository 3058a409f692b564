//! `bulla query`: find records, or count them.

mod account;
mod groups;
mod proving;

use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use bulla::event::{EventId, Outcome, TraceId};
use bulla::keystore::Identifier;
use bulla::log::Explain;
use bulla::query::{self, Cursor};
use bulla::{KeyStore, Log, LogOptions, LogReader, Matches, SegmentInfo, Snapshot, Timestamp};
use clap::Args;

use crate::failure::Verdict;
use crate::output::{self, Format, Listing, Shown};
use crate::secrets::{Secrets, actor_aliases};
use crate::time_args::{When, check_order, length, when};
use crate::{numbers, open_log, text};
use groups::Field;
use proving::Proving;

/// How many records a table shows unless it is told otherwise.
const TABLE_LIMIT: u64 = 50;

#[derive(Args)]
#[command(after_help = "\
Examples:
  bulla query ./audit --actor alice --since 7d
  bulla query ./audit --action 'user.*' --not-outcome success --output jsonl
  bulla query ./audit --resource invoice/2026-0017 --oldest-first
  bulla query ./audit --on-behalf-of alice --since 7d
  bulla query ./audit --actor alice --action user.delete --count
  bulla query ./audit --since 2026-11-21 --count-by actor
  bulla query ./audit --tenant acme --histogram 1h
  bulla query ./audit --resource invoice/2026-0017 --seen
  bulla query ./audit --actor alice --outcome denied --explain
  bulla query ./audit --actor alice --since 7d --prove alice.bulla-answer

Different filters must all hold; of one filter given several times any may. Times are
RFC 3339, a date (UTC) or so long ago (1y, 6mo, 2w, 7d, 24h, 15min, 30s; mo is months, min is
minutes); since is included, until is not. The log's own records are left out unless --system is
given.

Searches and counts are answered from indexes, except that --count-by source, ip, user-agent
and role read every record that matches.

--prove writes a file from which a stranger sees that nothing was left out (`bulla verify-proof`).
It covers the segments that were sealed when the checkpoint was signed, and only what it covers is
shown: `bulla checkpoint --seal` first. The limit is part of the question; a table has one of 50.")]
pub(crate) struct Query {
    /// The log
    dir: PathBuf,
    #[command(flatten)]
    filters: Box<Filters>,
    /// Show at most so many, 1 or more [default: 50 in a table, all otherwise]
    #[arg(long, allow_hyphen_values = true, value_name = "N", value_parser = numbers::positive)]
    limit: Option<u64>,
    /// Begin with the oldest instead of the newest
    #[arg(long)]
    oldest_first: bool,
    /// Go on where an earlier answer was cut; with the same filters
    #[arg(long, allow_hyphen_values = true, value_name = "CURSOR")]
    after: Option<Cursor>,
    #[command(flatten)]
    instead: Instead,
    /// Tell on standard error what was searched to find the answer
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    proving: Proving,
    #[command(flatten)]
    secrets: Secrets,
    #[command(flatten)]
    shown: Shown,
}

/// What is shown instead of the records.
#[derive(Args)]
#[group(multiple = false, conflicts_with = "after")]
struct Instead {
    /// Count the records instead of showing them
    #[arg(long)]
    count: bool,
    /// Count the records by the values of a field instead of showing them
    #[arg(long, value_enum, value_name = "FIELD")]
    count_by: Option<Field>,
    /// Count the records by when they occurred, in steps of this length, such as 1h or 15min
    #[arg(long, allow_hyphen_values = true, value_name = "WIDTH", value_parser = length)]
    histogram: Option<Duration>,
    /// Show the first and the last of the records: where they stand and when they were recorded
    #[arg(long)]
    seen: bool,
}

#[derive(Args)]
struct Filters {
    /// By this actor: its id, or its type and id as tables show them; with a key store also what
    /// it did under its aliases
    #[arg(long, allow_hyphen_values = true, value_name = "[T:]ID")]
    actor: Vec<String>,
    /// By an actor of this type; with --actor
    #[arg(long, allow_hyphen_values = true, value_name = "T")]
    actor_type: Option<String>,
    /// On behalf of this actor, given as for --actor: somebody else did it for them
    #[arg(long, allow_hyphen_values = true, value_name = "[T:]ID")]
    on_behalf_of: Vec<String>,
    /// On this type of resource, or on this one: as the main one or among the targets
    #[arg(long, allow_hyphen_values = true, value_name = "T[/ID]")]
    resource: Vec<String>,
    /// On behalf of this tenant
    #[arg(long, allow_hyphen_values = true, value_name = "T")]
    tenant: Vec<String>,
    /// With this action, or with one that begins so: user.*
    #[arg(long, allow_hyphen_values = true, value_name = "GLOB")]
    action: Vec<String>,
    /// With this outcome
    #[arg(long, value_name = "O")]
    outcome: Vec<Outcome>,
    /// With any other outcome
    #[arg(long, value_name = "O")]
    not_outcome: Vec<Outcome>,
    /// Caused by this request
    #[arg(long, allow_hyphen_values = true, value_name = "ID")]
    request: Vec<String>,
    /// Of this operation
    #[arg(long, allow_hyphen_values = true, value_name = "ID")]
    correlation: Vec<String>,
    /// Of this distributed trace: the W3C trace id
    #[arg(long, value_name = "HEX")]
    trace: Vec<TraceId>,
    /// With this identifier
    #[arg(long, allow_hyphen_values = true, value_name = "UUID")]
    id: Vec<EventId>,
    /// Occurred at this time or later
    #[arg(long, allow_hyphen_values = true, value_name = "TIME", value_parser = when)]
    since: Option<When>,
    /// Occurred before this time
    #[arg(long, allow_hyphen_values = true, value_name = "TIME", value_parser = when)]
    until: Option<When>,
    /// Recorded at this time or later
    #[arg(long, allow_hyphen_values = true, value_name = "TIME", value_parser = when)]
    recorded_since: Option<When>,
    /// Recorded before this time
    #[arg(long, allow_hyphen_values = true, value_name = "TIME", value_parser = when)]
    recorded_until: Option<When>,
    /// The log's own records too
    #[arg(long)]
    system: bool,
}

impl Filters {
    /// With a key store, identifiers are looked for by their aliases as well.
    fn query(&self, aliases: Option<&KeyStore>) -> Result<query::Query> {
        let mut query = query::Query::new().system(self.system);
        if self.actor_type.is_some() && self.actor.is_empty() {
            bail!(
                "--actor-type goes with --actor ID; to see which actors there are, use \
                 --count-by actor"
            );
        }
        query = self.actor.iter().fold(query, |query, actor| match &self.actor_type {
            Some(kind) => query.actor_type_id(kind, actor),
            None => by_actor(query, actor),
        });
        let kind = self.actor_type.as_deref();
        let recorded = self.actor.iter().flat_map(|actor| actor_aliases(aliases, kind, actor));
        query = recorded.fold(query, |query, (kind, alias)| query.actor_type_id(kind, alias));
        for actor in &self.on_behalf_of {
            query = by_behalf(query, actor);
            let recorded = actor_aliases(aliases, None, actor).into_iter();
            query = recorded
                .fold(query, |query, (kind, alias)| query.on_behalf_of_type_id(kind, alias));
        }
        for resource in &self.resource {
            query = match resource.split_once('/') {
                Some((kind, id)) => {
                    let alias = aliases.and_then(|keys| keys.alias(Identifier::Resource, kind, id));
                    let query = query.resource(kind, id);
                    alias.into_iter().fold(query, |query, alias| query.resource(kind, alias))
                }
                None => query.resource_type(resource),
            };
        }
        query = self.tenant.iter().fold(query, |query, tenant| query.tenant(tenant));
        query = self.request.iter().fold(query, |query, id| query.request_id(id));
        query = self.correlation.iter().fold(query, |query, id| query.correlation_id(id));
        query = self.trace.iter().fold(query, |query, id| query.trace_id(*id));
        query = self.id.iter().fold(query, |query, id| query.event_id(*id));
        query = self.outcome.iter().fold(query, |query, outcome| query.outcome(*outcome));
        query = self.not_outcome.iter().fold(query, |query, outcome| query.not_outcome(*outcome));
        for glob in &self.action {
            query = query.action(glob).map_err(|error| anyhow::anyhow!("--action: {error}"))?;
        }
        Ok(self.times(query))
    }

    fn check_times(&self) -> Result<()> {
        check_order(("--since", self.since), ("--until", self.until))?;
        let (since, until) = (self.recorded_since, self.recorded_until);
        check_order(("--recorded-since", since), ("--recorded-until", until))
    }

    fn times(&self, mut query: query::Query) -> query::Query {
        if let Some(when) = self.since {
            query = query.occurred_since(when.time);
        }
        if let Some(when) = self.until {
            query = query.occurred_until(when.time);
        }
        if let Some(when) = self.recorded_since {
            query = query.recorded_since(when.time);
        }
        if let Some(when) = self.recorded_until {
            query = query.recorded_until(when.time);
        }
        query
    }

    /// Whether a segment has records of the times that are asked for.
    fn may_match(&self, segment: &SegmentInfo) -> bool {
        let meets = |times: Option<(Timestamp, Timestamp)>, since: Option<When>, until| {
            let Some((first, last)) = times else { return true };
            let until: Option<When> = until;
            since.is_none_or(|since| last >= since.time)
                && until.is_none_or(|until| first < until.time)
        };
        meets(segment.occurred, self.since, self.until)
            && meets(segment.recorded, self.recorded_since, self.recorded_until)
    }

    /// The times that were given as "so long ago", as they must be given with a cursor.
    fn fixed_times(&self) -> String {
        let times = [
            ("--since", self.since),
            ("--until", self.until),
            ("--recorded-since", self.recorded_since),
            ("--recorded-until", self.recorded_until),
        ];
        let relative = times.iter().filter_map(|(name, when)| {
            when.filter(|when| when.relative).map(|when| format!(" {name} {}", when.time))
        });
        relative.collect()
    }
}

/// `user:alice` may be a type and an id, as `append` takes them, or an id with a colon in
/// it, as in an ARN: both are looked for.
fn by_actor(query: query::Query, actor: &str) -> query::Query {
    let query = query.actor(actor);
    match actor.split_once(':') {
        Some((kind, id)) if !kind.is_empty() && !id.is_empty() => query.actor_type_id(kind, id),
        _ => query,
    }
}

/// As [`by_actor`].
fn by_behalf(query: query::Query, actor: &str) -> query::Query {
    let query = query.on_behalf_of(actor);
    match actor.split_once(':') {
        Some((kind, id)) if !kind.is_empty() && !id.is_empty() => {
            query.on_behalf_of_type_id(kind, id)
        }
        _ => query,
    }
}

/// Whether it is known of each record that is not there why it is not.
fn is_whole(reader: &LogReader) -> Result<bool> {
    let missing = |segment: &bulla::SegmentInfo| segment.status == bulla::SegmentStatus::Missing;
    Ok(reader.catalog_damage().is_none() || !reader.snapshot().segments()?.iter().any(missing))
}

/// Says that an answer has a gap, so that nobody takes it for all there was.
fn tell_expired(segments: u64) -> Result<()> {
    if segments > 0 {
        writeln!(
            output::stderr(),
            "bulla: {} that the question reaches expired, and nothing is said of what was in \
             there; `bulla segments` shows which",
            text::counted(segments, "segment"),
        )?;
    }
    Ok(())
}

impl Query {
    pub(crate) fn run(self) -> Result<Verdict> {
        self.filters.check_times()?;
        open_log::check(&self.dir)?;
        let proof_file = self.proof_file()?;
        let keys = self.secrets.to_read()?;
        let mut query = self.filters.query(keys.as_ref())?;
        if self.oldest_first {
            query = query.oldest_first();
        }
        let options = keys.into_iter().fold(Log::options(), LogOptions::key_store);
        let reader = options.open_read_only(&self.dir)?;
        open_log::tell_damage(&reader)?;
        let expired = self.expired(&reader)?;
        let explain = match &proof_file {
            Some(file) => Some(self.prove(file, &reader, query)?),
            None => self.answer(&reader.snapshot(), &query)?,
        };
        // What was counted took in everything; a list ends at its limit.
        let touched = match (&explain, self.is_list()) {
            (Some(explain), true) => explain.expired.min(expired),
            _ => expired,
        };
        tell_expired(touched)?;
        if let Some(explain) = explain.filter(|_| self.explain) {
            writeln!(output::stderr(), "bulla: {}", account::render(&explain))?;
        }
        // Told above. Whoever only looks at the status must not take it for all there is.
        Ok(if is_whole(&reader)? { Verdict::Fine } else { Verdict::Failed })
    }

    fn is_list(&self) -> bool {
        let Instead { count, count_by, histogram, seen } = &self.instead;
        !count && count_by.is_none() && histogram.is_none() && !seen
    }

    /// Segments that are gone, and had records of the times that are asked for.
    fn expired(&self, reader: &LogReader) -> Result<u64> {
        // A damaged catalog knows of none, and does not keep anybody from searching.
        if reader.snapshot().catalog().drop_certificates().unwrap_or_default().is_empty() {
            return Ok(0);
        }
        let gone = reader.snapshot().segments()?.into_iter().filter(|segment| {
            !segment.status.is_readable() && segment.status != bulla::SegmentStatus::Missing
        });
        let asked = gone.filter(|segment| self.filters.may_match(segment));
        Ok(asked.count() as u64)
    }

    /// Prints the answer. Gives what was done for it, if that was wanted.
    fn answer(&self, snapshot: &Snapshot, query: &query::Query) -> Result<Option<Explain>> {
        let (instead, format) = (&self.instead, self.shown.format());
        let counted = || -> Result<Option<Explain>> {
            Ok(self.explain.then(|| snapshot.explain_count(query)).transpose()?)
        };
        if let Some(field) = instead.count_by {
            let read = groups::count_by(snapshot, query, field, self.limit(), format)?;
            return match read {
                Some(read) => Ok(Some(read)),
                None => counted(),
            };
        }
        if let Some(width) = instead.histogram {
            groups::histogram(snapshot, query, width, format)?;
        } else if instead.count {
            groups::count(snapshot, query, format)?;
        } else if instead.seen {
            groups::seen(snapshot, query, format)?;
            return self.explain.then(|| account::of_seen(snapshot, query)).transpose();
        } else {
            return self.list(snapshot, query).map(Some);
        }
        counted()
    }

    fn limit(&self) -> Option<u64> {
        self.limit.or((self.shown.format() == Format::Table).then_some(TABLE_LIMIT))
    }

    fn list(&self, snapshot: &Snapshot, query: &query::Query) -> Result<Explain> {
        let mut query = query.clone();
        if let Some(cursor) = self.after {
            query = query.after(cursor);
        }
        let mut matches = snapshot.query(&query)?;
        let limit = self.limit().and_then(|limit| usize::try_from(limit).ok());
        let mut out = output::stdout_while_read();
        let mut listing = Listing::new(&mut out, self.shown.format());
        let mut listed = 0;
        for record in matches.by_ref().take(limit.unwrap_or(usize::MAX)) {
            listing.row(&record?)?;
            listed += 1;
        }
        listing.finish()?;
        let explain = matches.explain();
        if limit.is_some_and(|limit| listed >= limit) {
            self.tell_rest(&mut matches, listed)?;
        } else if listed == 0 && self.shown.format() == Format::Table {
            writeln!(output::stderr(), "bulla: no record matches")?;
        }
        Ok(explain)
    }

    /// Says how to go on behind the records that were listed, if more of them match.
    fn tell_rest(&self, matches: &mut Matches, listed: usize) -> Result<()> {
        let Some(cursor) = matches.cursor().filter(|_| listed > 0) else { return Ok(()) };
        let mut more = false;
        matches.visit(|_| {
            more = true;
            ControlFlow::Break(())
        })?;
        if more {
            let times = self.filters.fixed_times();
            writeln!(
                output::stderr(),
                "bulla: there are more; go on with --after {cursor}{times}"
            )?;
        }
        Ok(())
    }
}
