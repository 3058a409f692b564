//! What an expiry does, or did, segment by segment.

use std::io::{self, Write};

use anyhow::Result;
use bulla::retention::{LateSeal, Plan, Step, Verdict};
use bulla::{DropCertificate, Error, Expiry, Policy};

use super::policy;
use crate::output::{self, Column, Format, Listing, Row};
use crate::{certificates, text};

/// Of what came behind the segment that ended it.
const NOT_TRIED: &str = "stayed: not tried, because of what ended it";

/// What became of a segment that was looked at.
struct Told<'a> {
    step: &'a Step,
    became: Became<'a>,
}

enum Became<'a> {
    /// Nothing yet: this is the plan.
    Planned,
    Dropped(&'a DropCertificate),
    Stayed(String),
}

impl Told<'_> {
    fn first(&self) -> u64 {
        self.step.segment.first
    }

    fn last(&self) -> u64 {
        self.first().saturating_add(self.step.segment.count).saturating_sub(1)
    }

    fn became(&self) -> String {
        match &self.became {
            Became::Planned => self.step.to_string(),
            Became::Dropped(certificate) => {
                let archived = match &certificate.archived {
                    Some((location, _)) => format!("; a copy is in {location}"),
                    None => String::new(),
                };
                format!("dropped, by certificate {}{archived}", certificate.catalog_seq)
            }
            Became::Stayed(why) => why.clone(),
        }
    }

    fn kept_until(&self, shown: impl Fn(bulla::Timestamp) -> String) -> String {
        self.step.keep_until.map_or(String::new(), shown)
    }
}

impl Row for Told<'_> {
    const COLUMNS: &'static [Column] = &[
        Column::number("SEGMENT"),
        Column::number("FIRST"),
        Column::number("LAST"),
        Column::number("BYTES"),
        Column::fixed("NEWEST RECORD"),
        Column::fixed("KEPT UNTIL"),
        Column::fixed("WHAT BECOMES OF IT"),
    ];
    const FIELDS: &'static [&'static str] = &[
        "ordinal",
        "first",
        "count",
        "bytes",
        "newest",
        "keep_until",
        "verdict",
        "held_by",
        "why",
        "certificate",
    ];

    fn cells(&self) -> Vec<String> {
        let segment = &self.step.segment;
        vec![
            segment.ordinal.to_string(),
            self.first().to_string(),
            self.last().to_string(),
            text::bytes(segment.bytes),
            text::seconds(segment.newest),
            self.kept_until(text::seconds),
            self.became(),
        ]
    }

    fn fields(&self) -> Vec<String> {
        let segment = &self.step.segment;
        let certificate = match &self.became {
            Became::Dropped(certificate) => certificate.catalog_seq.to_string(),
            _ => String::new(),
        };
        vec![
            segment.ordinal.to_string(),
            self.first().to_string(),
            segment.count.to_string(),
            segment.bytes.to_string(),
            segment.newest.to_string(),
            self.kept_until(|time| time.to_string()),
            self.verdict().to_owned(),
            segment.held_by.join("; "),
            self.became(),
            certificate,
        ]
    }

    fn json(&self) -> String {
        let segment = &self.step.segment;
        let certificate = match &self.became {
            Became::Dropped(certificate) => Some(certificates::json(certificate)),
            _ => None,
        };
        serde_json::json!({
            "ordinal": segment.ordinal,
            "first": segment.first,
            "count": segment.count,
            "bytes": segment.bytes,
            "newest": segment.newest.to_string(),
            "keep_until": self.step.keep_until.map(|time| time.to_string()),
            "verdict": self.verdict(),
            "held_by": segment.held_by,
            "late_seal": segment.late_seal.map(late_seal),
            "why": self.became(),
            "certificate": certificate,
        })
        .to_string()
    }
}

impl Told<'_> {
    /// The verdict in one word, for programs.
    fn verdict(&self) -> &'static str {
        match (&self.became, &self.step.verdict) {
            (Became::Dropped(_), _) => "dropped",
            (Became::Stayed(_), Verdict::Goes { .. }) => "stayed",
            (_, Verdict::NoPolicy) => "no_policy",
            (_, Verdict::TooYoung { .. }) => "too_young",
            (_, Verdict::Held { .. }) => "held",
            (_, Verdict::Newest) => "newest",
            (_, Verdict::AmongNewest { .. }) => "among_newest",
            (_, Verdict::Restored) => "restored",
            (_, Verdict::Unreadable { .. }) => "unreadable",
            (_, Verdict::ContradictingTimes { .. }) => "contradicting_times",
            (_, Verdict::Goes { archive_first: true }) => "goes_archived_first",
            (_, Verdict::Goes { archive_first: false }) => "goes",
            _ => "other",
        }
    }
}

/// Shows a plan. The policy is in force, or would be set.
pub(super) fn plan(
    plan: &Plan,
    (policy, would_be_set): (Option<&Policy>, bool),
    at_most: Option<usize>,
    format: Format,
) -> Result<()> {
    let rows = plan.steps.iter().map(|step| Told { step, became: Became::Planned });
    let going: Vec<&Step> = plan.going().take(at_most.unwrap_or(usize::MAX)).collect();
    let records = going.iter().map(|step| step.segment.count).sum();
    let bytes = going.iter().map(|step| step.segment.bytes).sum();
    let segments = going.len() as u64;
    list(rows, format)?;
    let mut out = output::stdout();
    match format {
        Format::Table => {
            let set = if would_be_set { "would be set to" } else { "in force" };
            let policy =
                policy.map_or("none: nothing expires".to_owned(), |policy| format!("{policy}"));
            writeln!(
                out,
                "dry run at {}, nothing was changed; policy {set}: {policy}",
                text::seconds(plan.now)
            )?;
            writeln!(out, "would go: {}", totals(segments, records, bytes))?;
            nothing_sealed(&mut out, plan)?;
        }
        Format::Jsonl => {
            let summary = serde_json::json!({
                "dry_run": true,
                "now": plan.now.to_string(),
                "policy": policy.map(policy::json_of),
                "would_be_set": would_be_set,
                "segments": segments,
                "records": records,
                "bytes": bytes,
            });
            writeln!(out, "{summary}")?;
        }
        Format::Csv | Format::RawCsv => {}
    }
    Ok(out.flush()?)
}

/// Shows what an expiry did.
pub(super) fn expiry(expiry: &Expiry, format: Format) -> Result<()> {
    list(expiry.plan.steps.iter().map(|step| Told { step, became: became(expiry, step) }), format)?;
    let records = expiry.dropped.iter().map(DropCertificate::count).sum();
    let bytes = expiry.dropped.iter().map(|certificate| certificate.bytes).sum();
    let segments = expiry.dropped.len() as u64;
    let mut out = output::stdout();
    match format {
        Format::Table => {
            writeln!(out, "gone: {}", totals(segments, records, bytes))?;
            nothing_sealed(&mut out, &expiry.plan)?;
        }
        Format::Jsonl => {
            let summary = serde_json::json!({
                "dry_run": false,
                "now": expiry.plan.now.to_string(),
                "segments": segments,
                "records": records,
                "bytes": bytes,
                "stayed": expiry.plan.steps.len().saturating_sub(expiry.dropped.len()),
            });
            writeln!(out, "{summary}")?;
        }
        Format::Csv | Format::RawCsv => {}
    }
    Ok(out.flush()?)
}

/// Why there was nothing to look at.
fn nothing_sealed(out: &mut impl Write, plan: &Plan) -> io::Result<()> {
    if !plan.steps.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "no sealed segment is here, and only sealed ones expire: `bulla checkpoint DIR --key FILE \
         --seal` seals what was appended (a service does it by itself, or with `Log::rotate`)"
    )
}

/// Shows an expiry that let nothing go because the archive refused the first segment.
pub(super) fn not_archived(
    plan: &Plan,
    error: &Error,
    at_most: usize,
    format: Format,
) -> Result<()> {
    let tried: Vec<u64> = plan.going().take(at_most).map(|step| step.segment.ordinal).collect();
    let became = |step: &Step| match (&step.verdict, tried.first() == Some(&step.segment.ordinal)) {
        (Verdict::Goes { .. }, true) => format!("stayed: not archived: {error}"),
        (Verdict::Goes { .. }, false) => NOT_TRIED.to_owned(),
        _ => step.to_string(),
    };
    list(
        plan.steps.iter().map(|step| Told { step, became: Became::Stayed(became(step)) }),
        format,
    )?;
    let mut out = output::stdout();
    match format {
        Format::Table => writeln!(out, "gone: nothing")?,
        Format::Jsonl => {
            let summary = serde_json::json!({
                "dry_run": false,
                "now": plan.now.to_string(),
                "segments": 0,
                "records": 0,
                "bytes": 0,
                "stayed": plan.steps.len(),
            });
            writeln!(out, "{summary}")?;
        }
        Format::Csv | Format::RawCsv => {}
    }
    Ok(out.flush()?)
}

fn became<'a>(expiry: &'a Expiry, step: &Step) -> Became<'a> {
    let ordinal = step.segment.ordinal;
    let certificate = expiry.dropped.iter().find(|certificate| certificate.ordinal == ordinal);
    if let Some(certificate) = certificate {
        return Became::Dropped(certificate);
    }
    let stayed = expiry.stayed.iter().find(|(stayed, _)| *stayed == ordinal);
    match (stayed, &step.verdict) {
        (Some((_, why)), _) => Became::Stayed(format!("stayed: {why}")),
        (None, Verdict::Goes { .. }) if expiry.stopped.is_some() => {
            Became::Stayed(NOT_TRIED.to_owned())
        }
        (None, Verdict::Goes { .. }) => {
            Became::Stayed("goes another time: --at-most was reached".to_owned())
        }
        (None, _) => Became::Stayed(step.to_string()),
    }
}

fn list<'a>(rows: impl Iterator<Item = Told<'a>>, format: Format) -> Result<()> {
    let mut out = output::stdout();
    let mut listing = Listing::new(&mut out, format);
    for row in rows {
        listing.row(&row)?;
    }
    Ok(listing.finish()?)
}

fn late_seal(late: LateSeal) -> serde_json::Value {
    serde_json::json!({
        "segment": late.ordinal,
        "sealed_at": late.sealed_at.to_string(),
        "latest": late.latest.to_string(),
    })
}

/// `2 segments with 20 records, 8.1 KiB`.
fn totals(segments: u64, records: u64, bytes: u64) -> String {
    if segments == 0 {
        return "nothing".to_owned();
    }
    format!(
        "{} with {}, {}",
        text::counted(segments, "segment"),
        text::counted(records, "record"),
        text::bytes(bytes)
    )
}
