//! `bulla hold`: place, release and list legal holds.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Result, bail};
use bulla::log::{HeldSegments, RecordedHold};
use bulla::retention::CASE_LEN_MAX;
use bulla::{Attribution, Hold, HoldScope, KeyStore, Log, LogAdmin, LogReader, Timestamp};
use clap::{Args, Subcommand};

use crate::attribution::not_blank;
use crate::failure::{Verdict, although};
use crate::output::{self, Column, Format, Listing, Row, Shown};
use crate::secrets::{Secrets, actor_aliases};
use crate::time_args::{self, When, check_order, to_come, when};
use crate::{open_log, terminal, text};

#[derive(Args)]
#[command(after_help = "\
Examples:
  bulla hold place ./audit case-2026-117 --actor alice --custodian legal@example.com \\
      --review-by 2027-01-01 --who carol --why 'litigation, Smith v. Example'
  bulla hold list ./audit
  bulla hold release ./audit case-2026-117 --who carol --why 'settled'

A hold pins every record that it matches, those still to come as well: no segment with one of
them expires until the hold is released. It is in force when the command has returned, also if
a service has the log open. Placing and releasing stay on record (`bulla history`).")]
pub(crate) struct HoldCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Place a hold
    Place(Box<Place>),
    /// Release the hold of a case
    Release(Release),
    /// List the holds in force, and what each of them pins
    List(List),
}

impl HoldCommand {
    pub(crate) fn run(self) -> Result<Verdict> {
        match self.what {
            What::Place(args) => args.run(),
            What::Release(args) => args.run(),
            What::List(args) => args.run(),
        }
    }
}

/// Who asks for it, and why.
#[derive(Args)]
struct AttributionArgs {
    /// Who asks for it
    #[arg(long, allow_hyphen_values = true, value_name = "NAME", value_parser = not_blank)]
    who: String,
    /// Why
    #[arg(long, allow_hyphen_values = true, value_name = "TEXT", value_parser = not_blank)]
    why: String,
}

impl AttributionArgs {
    fn asked(&self) -> Attribution {
        Attribution::by(&self.who).because(&self.why)
    }
}

#[derive(Args)]
#[command(after_help = "\
Example:
  bulla hold place ./audit case-2026-117 --actor alice --since 2026-01-01 --who carol --why audit

Different conditions must all hold; of one condition given several times any may. A time holds
whatever happened or was recorded then: RFC 3339, a date (UTC), or so long ago (6mo, 2w, 7d, 24h,
15min; mo is months, min is minutes). In a log that records actors under aliases, give the key
store: then what they did under their aliases is held too. Without it name the alias itself.
Names and reasons are kept in the part of the log's history that can be erased.")]
struct Place {
    /// The log; a service may have it open
    dir: PathBuf,
    /// What the hold is for; no two holds in force share it
    #[arg(value_parser = case)]
    case: String,
    #[command(flatten)]
    conditions: Conditions,
    /// Who answers for what is held
    #[arg(long, allow_hyphen_values = true, value_name = "NAME", value_parser = not_blank)]
    custodian: Option<String>,
    /// When somebody means to look at it again; it stays in force after that
    #[arg(long, allow_hyphen_values = true, value_name = "DATE", value_parser = to_come)]
    review_by: Option<When>,
    #[command(flatten)]
    because: AttributionArgs,
    #[command(flatten)]
    secrets: Secrets,
}

#[derive(Args)]
struct Conditions {
    /// What the actor with this id did, of whatever type; user:alice is also taken as type and id
    #[arg(long, allow_hyphen_values = true, value_name = "[T:]ID")]
    actor: Vec<String>,
    /// What the actor of this type with this id did
    #[arg(long, allow_hyphen_values = true, value_name = "T:ID")]
    actor_type_id: Vec<String>,
    /// What was done to this type of resource, or to this one
    #[arg(long, allow_hyphen_values = true, value_name = "T[/ID]")]
    resource: Vec<String>,
    /// What was done on behalf of this tenant
    #[arg(long, allow_hyphen_values = true, value_name = "T")]
    tenant: Vec<String>,
    /// Events with this action, or with one that begins so: user.*
    #[arg(long, allow_hyphen_values = true, value_name = "GLOB")]
    action: Vec<String>,
    /// What happened or was recorded at this time or later
    #[arg(long, allow_hyphen_values = true, value_name = "TIME", value_parser = when)]
    since: Option<When>,
    /// What happened or was recorded before this time
    #[arg(long, allow_hyphen_values = true, value_name = "TIME", value_parser = when)]
    until: Option<When>,
    /// The whole log
    #[arg(long, conflicts_with_all = [
        "actor", "actor_type_id", "resource", "tenant", "action", "since", "until",
    ])]
    everything: bool,
}

impl Conditions {
    /// The scope, with the aliases that a key store has of the actors in it: who expires later may
    /// not have the store.
    fn scope(&self, store: Option<&KeyStore>) -> Result<HoldScope> {
        check_order(("--since", self.since), ("--until", self.until))?;
        let mut scope = HoldScope::new();
        for actor in &self.actor {
            // As `query` does: an id may have a colon in it, too.
            scope = scope.actor(actor);
            if let Some((kind, id)) = actor.split_once(':')
                && !kind.is_empty()
                && !id.is_empty()
            {
                scope = scope.actor_type_id(kind, id);
            }
        }
        for actor in &self.actor_type_id {
            scope = match actor.split_once(':') {
                Some((kind, id)) if !kind.is_empty() && !id.is_empty() => {
                    scope.actor_type_id(kind, id)
                }
                _ => bail!("--actor-type-id: expected type and id, such as user:alice"),
            };
        }
        let typed = self.actor.iter().chain(&self.actor_type_id);
        for (kind, alias) in typed.flat_map(|actor| actor_aliases(store, None, actor)) {
            scope = scope.actor_type_id(kind, alias);
        }
        for resource in &self.resource {
            scope = match resource.split_once('/') {
                Some((kind, id)) => scope.resource(kind, id),
                None => scope.resource_type(resource),
            };
        }
        scope = self.tenant.iter().fold(scope, |scope, tenant| scope.tenant(tenant));
        for glob in &self.action {
            scope = scope.action(glob).map_err(|error| anyhow::anyhow!("--action: {error}"))?;
        }
        if let Some(when) = self.since {
            scope = scope.since(when.time);
        }
        if let Some(when) = self.until {
            scope = scope.until(when.time);
        }
        if scope.is_everything() && !self.everything {
            bail!(
                "a hold needs a condition, or it would pin the whole log for ever: give --actor, \
                 --resource, --tenant, --action, --since or --until; if the whole log is meant, \
                 --everything"
            );
        }
        Ok(scope)
    }
}

impl Place {
    fn run(self) -> Result<Verdict> {
        let mut hold =
            Hold::new(&self.case, self.conditions.scope(self.secrets.to_read()?.as_ref())?);
        hold.custodian = self.custodian;
        hold.review_by = self.review_by.map(|when| when.time);
        let admin = self.secrets.admin(&self.dir)?;
        admin.place_hold(&hold, &self.because.asked())?;
        warn_if_past(hold.review_by);
        let mut out = output::stdout();
        let case = terminal::plain(&hold.case);
        let shown = writeln!(out, "held: {case} pins {}", words(&hold.scope));
        // It is in force, whatever comes of counting.
        let shown = shown.and_then(|()| out.flush());
        shown.map_err(|error| although(error, "the hold is in force"))?;
        let pinned =
            admin.reader().and_then(|reader| reader.snapshot().segments_held_by(&hold.case));
        match pinned {
            Ok(pinned) => {
                writeln!(
                    out,
                    "at present that is {}; and all that is still to come",
                    render(&pinned)
                )?;
                out.flush()?;
                if pinned.records == 0 {
                    writeln!(
                        output::stderr(),
                        "bulla: nothing in the log matches: check the spelling, and the key store if \
                         actors are recorded under aliases"
                    )?;
                }
            }
            Err(error) => writeln!(output::stderr(), "bulla: what it pins is unknown: {error}")?,
        }
        Ok(Verdict::Fine)
    }
}

#[derive(Args)]
#[command(after_help = "\
Example:
  bulla hold release ./audit case-2026-117 --who carol --why 'settled'

What only this hold pinned may go with the next expiry. That the hold was placed, and who
released it, stays on record.")]
struct Release {
    /// The log; a service may have it open
    dir: PathBuf,
    /// The case
    case: String,
    #[command(flatten)]
    because: AttributionArgs,
}

impl Release {
    fn run(self) -> Result<Verdict> {
        let admin = admin(&self.dir)?;
        admin.release_hold(&self.case, &self.because.asked())?;
        let left = admin.catalog().holds()?.len() as u64;
        let mut out = output::stdout();
        let left = text::counted(left, "hold");
        let case = terminal::plain(&self.case);
        let told = writeln!(out, "released: {case}; {left} in force").and_then(|()| out.flush());
        told.map_err(|error| although(error, "the hold is released"))?;
        Ok(Verdict::Fine)
    }
}

#[derive(Args)]
#[command(after_help = "\
Example:
  bulla hold list ./audit --all --output jsonl

What a hold pins is counted by the indexes: the records that it matches, and the segments with
one of them, which stay whole.")]
struct List {
    /// The log
    dir: PathBuf,
    /// Those that were released, too
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    secrets: Secrets,
    #[command(flatten)]
    shown: Shown,
}

impl List {
    fn run(self) -> Result<Verdict> {
        let reader = self.secrets.reader(&self.dir)?;
        let placed = if self.all {
            reader.snapshot().catalog().hold_history()?
        } else {
            reader.snapshot().catalog().holds()?
        };
        let mut out = output::stdout();
        if self.shown.format() == Format::Table {
            for (at, placed) in placed.iter().enumerate() {
                if at > 0 {
                    writeln!(out)?;
                }
                output::facts(&mut out, &Listed::of(&reader, placed).facts())?;
            }
            out.flush()?;
            if placed.is_empty() {
                let which = if self.all { "was ever placed" } else { "is in force" };
                writeln!(output::stderr(), "bulla: no hold {which}")?;
            }
            return Ok(Verdict::Fine);
        }
        let mut listing = Listing::new(&mut out, self.shown.format());
        for placed in &placed {
            listing.row(&Listed::of(&reader, placed))?;
        }
        listing.finish()?;
        Ok(Verdict::Fine)
    }
}

/// A hold, and what it pins if it is in force.
struct Listed<'a> {
    placed: &'a RecordedHold,
    pinned: Option<HeldSegments>,
    /// Why that is not known, of one in force.
    unknown: Option<String>,
}

impl<'a> Listed<'a> {
    /// A damaged log has its holds all the same.
    fn of(reader: &LogReader, placed: &'a RecordedHold) -> Self {
        let pinned = placed
            .released
            .is_none()
            .then(|| reader.snapshot().segments_held_by(&placed.hold.case));
        let (pinned, unknown) = match pinned {
            Some(Err(error)) => (None, Some(error.to_string())),
            Some(Ok(pinned)) => (Some(pinned), None),
            None => (None, None),
        };
        Listed { placed, pinned, unknown }
    }

    /// Whether somebody meant to have looked at it by now.
    fn review_is_due(&self) -> bool {
        let due = self.placed.hold.review_by.is_some_and(|time| time <= time_args::now());
        due && self.placed.released.is_none()
    }

    /// What it pins, in words; of one that cannot be read why.
    fn pins(&self) -> String {
        match &self.placed.unreadable {
            Some(error) => format!("unknown, so nothing is dropped: {error}"),
            None => words(&self.placed.hold.scope),
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let RecordedHold { hold, placed_at, who, why, released, .. } = self.placed;
        let mut facts = vec![
            ("case", hold.case.clone()),
            ("pins", self.pins()),
            ("placed", by(text::seconds(*placed_at), who.as_deref(), why.as_deref())),
        ];
        facts.extend(hold.custodian.clone().map(|custodian| ("custodian", custodian)));
        if let Some(time) = hold.review_by {
            let due = if self.review_is_due() { ": review is due" } else { "" };
            facts.push(("review by", format!("{}{due}", text::seconds(time))));
        }
        if let Some(pinned) = &self.pinned {
            facts.push(("at present", render(pinned)));
        }
        if let Some(reason) = &self.unknown {
            facts.push(("at present", format!("unknown: {reason}")));
        }
        if let Some(release) = released {
            let (who, why) = (release.who.as_deref(), release.why.as_deref());
            facts.push(("released", by(text::seconds(release.at), who, why)));
        }
        facts
    }
}

impl Row for Listed<'_> {
    const COLUMNS: &'static [Column] = &[]; // shown as facts
    const FIELDS: &'static [&'static str] = &[
        "case",
        "scope",
        "catalog_seq",
        "placed_at",
        "who",
        "why",
        "custodian",
        "review_by",
        "review_is_due",
        "segments",
        "records",
        "bytes",
        "released_at",
        "released_by",
        "released_why",
    ];

    fn cells(&self) -> Vec<String> {
        Vec::new()
    }

    fn fields(&self) -> Vec<String> {
        let RecordedHold { hold, placed_at, who, why, released, catalog_seq, .. } = self.placed;
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let number = |of: fn(&HeldSegments) -> u64| {
            self.pinned.as_ref().map_or(String::new(), |pinned| of(pinned).to_string())
        };
        let release = released.as_ref();
        vec![
            hold.case.clone(),
            words(&hold.scope),
            catalog_seq.to_string(),
            placed_at.to_string(),
            text(who),
            text(why),
            text(&hold.custodian),
            hold.review_by.map_or(String::new(), |time| time.to_string()),
            self.review_is_due().to_string(),
            number(|pinned| pinned.segments.len() as u64),
            number(|pinned| pinned.records),
            number(|pinned| pinned.bytes),
            release.map_or(String::new(), |release| release.at.to_string()),
            release.map_or(String::new(), |release| text(&release.who)),
            release.map_or(String::new(), |release| text(&release.why)),
        ]
    }

    fn json(&self) -> String {
        let RecordedHold { hold, placed_at, who, why, released, catalog_seq, .. } = self.placed;
        let pinned = self.pinned.as_ref().map(|pinned| {
            serde_json::json!({
                "segments": pinned.segments, "records": pinned.records, "bytes": pinned.bytes,
            })
        });
        let released = released.as_ref().map(|release| {
            serde_json::json!({
                "at": release.at.to_string(), "who": release.who, "why": release.why,
            })
        });
        serde_json::json!({
            "case": hold.case,
            "scope": words(&hold.scope),
            "catalog_seq": catalog_seq.get(),
            "placed_at": placed_at.to_string(),
            "who": who,
            "why": why,
            "custodian": hold.custodian,
            "review_by": hold.review_by.map(|time| time.to_string()),
            "review_is_due": self.review_is_due(),
            "pinned": pinned,
            "released": released,
        })
        .to_string()
    }
}

/// Opens policy and holds, also while a service writes the log.
fn admin(dir: &std::path::Path) -> Result<LogAdmin> {
    open_log::check(dir)?;
    open_log::admin(dir, Log::options())
}

/// A review that is due at once is seldom meant.
fn warn_if_past(review_by: Option<Timestamp>) {
    if let Some(time) = review_by.filter(|time| *time <= time_args::now()) {
        let past = text::seconds(time);
        // Whoever closed standard error still wants the hold.
        let _ = writeln!(
            output::stderr(),
            "bulla: warning: --review-by {past} is in the past: the review is due at once"
        );
    }
}

/// A scope in words that are safe to print.
fn words(scope: &HoldScope) -> String {
    match scope.is_everything() {
        true => "the whole log".to_owned(),
        false => terminal::plain(&scope.to_string()),
    }
}

/// Reads the name of a case: it stands in one line wherever holds are named.
fn case(text: &str) -> Result<String, String> {
    let len = text.len();
    if !(1..=CASE_LEN_MAX).contains(&len) {
        return Err(format!("expected 1 to {CASE_LEN_MAX} bytes, found {len}"));
    }
    match text.chars().find(|c| c.is_control()) {
        Some(found) => Err(format!("expected no control character, found {found:?}")),
        None => not_blank(text),
    }
}

/// `3 records in 2 segments of 1.2 MiB, kept whole`.
fn render(pinned: &HeldSegments) -> String {
    format!(
        "{} in {} of {}, kept whole",
        text::counted(pinned.records, "record"),
        text::counted(pinned.segments.len() as u64, "segment"),
        text::bytes(pinned.bytes),
    )
}

/// When, by whom and why, as far as that is known.
pub(super) fn by(when: String, who: Option<&str>, why: Option<&str>) -> String {
    let who = who.map_or(String::new(), |who| format!(" by {who}"));
    let why = why.map_or(String::new(), |why| format!(": {why}"));
    format!("{when}{who}{why}")
}
