//! `bulla verify`: re-read and re-hash the whole log, or an archive.

mod archived;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;
use bulla::{Finding, Gap, GapVerdict, Report, VerifyOptions};
use clap::Args;
use indicatif::ProgressBar;

use crate::failure::Verdict;
use crate::output::{self, Column, Format, Listing, Row, Shown};
use crate::secrets::Secrets;
use crate::{keys, numbers, open_log, progress, terminal, text};

#[derive(Args)]
#[command(after_help = "\
Examples:
  bulla verify ./audit
  bulla verify ./audit --checkpoint kept-elsewhere.checkpoint --pubkey audit.key.pub
  bulla verify ./audit --since verified-last-month.checkpoint --pubkey audit.key.pub
  bulla verify /mnt/archive --pubkey audit.key.pub

Changes nothing, works while a service has the log open, and goes on after a finding.
Without --checkpoint the log is checked against itself and the checkpoints in it: whoever
holds the key could have rewritten all of them. A checkpoint that was kept elsewhere shows
that too. With --since only what came after such a checkpoint is read; that the older bytes
have not rotted since is then not looked at.

With a key store encrypted payloads are opened, too, and must be those that the log committed
to. Hashes and proofs are checked without it as well.

Of an archive, or of one folder of it, every folder is verified by itself, without the log; the
output says what it shows: digests only, under which checkpoint, and with --pubkey who signed it.

A warning is something that a crash may leave as well, or damage of a file that the next
opening makes anew; it does not change the exit status.

Records that expired are named with a verdict: checked (the drop certificate and the hashes that
stay agree), asserted (there is a certificate, and the hashes to compare it with are lost), or
unexplained (nothing says where they went), which is a finding.")]
pub(crate) struct Verify {
    /// The log, an archive, or one folder of an archive
    dir: PathBuf,
    /// A checkpoint that was kept elsewhere: the log must still be what it says
    #[arg(long, value_name = "FILE", requires = "pubkey")]
    checkpoint: Option<PathBuf>,
    /// The log's verifying key (NAME+ID+BASE64), or a file with it: signatures are checked; may
    /// be repeated
    #[arg(long, value_name = "VKEY|FILE")]
    pubkey: Vec<String>,
    /// A checkpoint that was kept when everything before it had been verified: only what
    /// came later is read
    #[arg(long, value_name = "FILE", requires = "pubkey")]
    since: Option<PathBuf>,
    /// Check in so many threads [default: as many as the machine runs at a time]
    #[arg(long, allow_hyphen_values = true, value_name = "N", value_parser = numbers::within(1, 65_535))]
    threads: Option<u64>,
    #[command(flatten)]
    secrets: Secrets,
    /// Show no progress bar (there is none either when standard error is no terminal)
    #[arg(long)]
    no_progress: bool,
    #[command(flatten)]
    shown: Shown,
}

/// A line of the list for programs: a finding, or what the log dropped.
enum Line<'a> {
    Finding(&'a Finding),
    Gap(&'a Gap),
}

impl Row for Line<'_> {
    const COLUMNS: &'static [Column] = &[
        Column::fixed("FILE"),
        Column::number("OFFSET"),
        Column::number("RECORD"),
        Column::fixed("WHAT"),
        Column::fixed("EXPECTED"),
        Column::fixed("FOUND"),
    ];
    const FIELDS: &'static [&'static str] =
        &["file", "segment", "offset", "seq", "what", "expected", "found", "kind"];

    fn cells(&self) -> Vec<String> {
        let [file, _, offset, seq, what, expected, found] = self.values();
        vec![file, offset, seq, what, expected, found]
    }

    fn fields(&self) -> Vec<String> {
        let kind = match self {
            Line::Finding(_) => "finding",
            Line::Gap(_) => "gap",
        };
        let mut fields = Vec::from(self.values());
        fields.push(kind.to_owned());
        fields
    }

    fn json(&self) -> String {
        match self {
            Line::Finding(finding) => serde_json::json!({
                "file": finding.file,
                "segment": finding.segment,
                "offset": finding.offset,
                "seq": finding.seq.map(|seq| seq.get()),
                "what": finding.what,
                "expected": finding.expected,
                "found": finding.found,
            })
            .to_string(),
            Line::Gap(gap) => json_gap(gap).to_string(),
        }
    }
}

impl Line<'_> {
    fn values(&self) -> [String; 7] {
        match self {
            Line::Finding(finding) => values(finding),
            Line::Gap(gap) => of_gap(gap),
        }
    }
}

/// A gap among findings: where it begins, the verdict, and how many records that are gone.
fn of_gap(gap: &Gap) -> [String; 7] {
    [
        String::new(),
        gap.ordinal.to_string(),
        String::new(),
        gap.first.to_string(),
        "expired".to_owned(),
        String::new(),
        format!("{}: {}", text::counted(gap.count, "record"), gap.verdict),
    ]
}

fn values(finding: &Finding) -> [String; 7] {
    let number = |number: Option<u64>| number.map_or(String::new(), |number| number.to_string());
    [
        finding.file.display().to_string(),
        number(finding.segment),
        number(finding.offset),
        number(finding.seq.map(|seq| seq.get())),
        finding.what.clone(),
        finding.expected.clone(),
        finding.found.clone(),
    ]
}

impl Verify {
    pub(crate) fn run(self) -> Result<Verdict> {
        if self.dir.is_dir()
            && let Some((store, folders)) = archived::open(&self.dir)?
        {
            return self.run_archive(&store, &folders);
        }
        open_log::check(&self.dir)?;
        let mut options = VerifyOptions::new();
        for key in keys::verifying_keys(&self.pubkey)? {
            options = options.key(key);
        }
        if let Some(file) = &self.checkpoint {
            options = options.checkpoint(keys::checkpoint(file)?);
        }
        if let Some(file) = &self.since {
            options = options.since(keys::checkpoint(file)?);
        }
        if let Some(threads) = self.threads {
            options = options.threads(usize::try_from(threads).unwrap_or(usize::MAX));
        }
        if let Some(store) = self.secrets.to_read()? {
            options = options.key_store(store);
        }
        let bar = if self.no_progress {
            progress::hidden()
        } else {
            progress::over_bytes("verifying", 0)
        };
        progress::clear_on_interrupt(&bar);
        let from = Instant::now();
        let report = verify_with(&bar, &self.dir, &options)?;
        self.show(&report, from.elapsed())?;
        Ok(if report.is_clean() { Verdict::Fine } else { Verdict::Failed })
    }

    fn show(&self, report: &Report, took: Duration) -> Result<()> {
        let mut out = output::stdout();
        if self.shown.format() != Format::Table {
            let mut listing = Listing::new(&mut out, self.shown.format());
            for finding in &report.findings {
                listing.row(&Line::Finding(finding))?;
            }
            // In JSON the last line has them.
            let gaps = if self.shown.format().is_csv() { &*report.gaps } else { &[] };
            for gap in gaps {
                listing.row(&Line::Gap(gap))?;
            }
            listing.finish()?;
            if self.shown.format() == Format::Jsonl {
                writeln!(out, "{}", json_summary(report, took))?;
            }
            out.flush()?;
            return warn(report);
        }
        for finding in &report.findings {
            writeln!(out, "{}", terminal::plain(&finding.to_string()))?;
        }
        for warning in &report.warnings {
            writeln!(out, "warning: {}", terminal::plain(&warning.to_string()))?;
        }
        for run in report.gaps.chunk_by(is_one_run) {
            writeln!(out, "{}", told_gap(run))?;
        }
        writeln!(out, "{}", self.summary(report, took))?;
        out.flush()?;
        Ok(())
    }

    fn summary(&self, report: &Report, took: Duration) -> String {
        let read = format!(
            "{} in {} ({}, {}), {}{}, root {}",
            text::counted(report.records, "record"),
            text::counted(report.segments, "segment"),
            text::bytes(report.bytes),
            rate(report, took),
            if report.given > 0 { "the given checkpoint and " } else { "" },
            self.checkpoints(report),
            report.head.root,
        );
        let warned = match u64::try_from(report.warnings.len()).unwrap_or(u64::MAX) {
            0 => String::new(),
            warnings => format!(", {}", text::counted(warnings, "warning")),
        };
        let skipped = report.not_read.map_or(String::new(), |not_read| {
            format!(
                "; not read again: {} in {}, verified before, which may have rotted since",
                text::counted(not_read.records, "record"),
                text::counted(not_read.segments, "segment"),
            )
        });
        let gone = match report.gaps.iter().map(|gap| gap.count).sum::<u64>() {
            0 => String::new(),
            records => format!("; {} expired before", text::counted(records, "record")),
        };
        let read = format!("{read}{skipped}{gone}");
        if report.is_clean() {
            let against = match report.given {
                0 => {
                    "consistent with itself; give --checkpoint to compare with one kept \
                         elsewhere"
                }
                _ => "consistent with the checkpoint you gave",
            };
            return format!("clean{warned}: {read}; {against}");
        }
        let found = u64::try_from(report.findings.len()).unwrap_or(u64::MAX);
        format!(
            "NOT CLEAN: {}{warned} in {read}; nothing was changed; keep this directory as it is and \
             compare it with a backup",
            text::counted(found, "finding")
        )
    }

    fn checkpoints(&self, report: &Report) -> String {
        let counted = text::counted(published(report), "published checkpoint");
        let signed = match (report.checkpoints, report.signatures) {
            (0, _) => String::new(),
            (_, 0) if self.pubkey.is_empty() => {
                " (signatures not checked; --pubkey does)".to_owned()
            }
            (_, 0) => " (none signed by the given key or its successors)".to_owned(),
            (_, checked) => {
                let checked = text::count(checked);
                let all = text::count(report.checkpoints);
                format!(" ({checked} of {all} signed by the given key or its successors)")
            }
        };
        format!("{counted}{signed}")
    }
}

/// Whether two gaps are told as one: neighbours of which the same is known.
fn is_one_run(one: &Gap, next: &Gap) -> bool {
    (one.verdict, one.signed) == (next.verdict, next.signed)
        && one.first.get().saturating_add(one.count) == next.first.get()
}

/// Dropped segments that follow each other, and what is known of them.
fn told_gap(run: &[Gap]) -> String {
    let (Some(first), Some(last)) = (run.first(), run.last()) else { return String::new() };
    let segments = match run.len() {
        1 => format!("segment {}", first.ordinal),
        _ => format!("segments {} to {}", first.ordinal, last.ordinal),
    };
    let end = last.first.get().saturating_add(last.count).saturating_sub(1);
    let what = match first.verdict {
        GapVerdict::Checked => "the certificates and the hashes that stay agree",
        GapVerdict::Asserted => "there are certificates, and nothing to compare them with",
        GapVerdict::Unexplained => "no certificate explains it",
        _ => "of a verdict that this version does not know",
    };
    let count = text::counted(run.iter().map(|gap| gap.count).sum(), "record");
    let (from, verdict) = (first.first, first.verdict);
    let signed = match first.signed {
        true => "under a signed head",
        false => "under no signed head yet",
    };
    format!("expired: {segments}, records {from} to {end} ({count}): {verdict}: {what}; {signed}")
}

fn json_gap(gap: &Gap) -> serde_json::Value {
    serde_json::json!({
        "ordinal": gap.ordinal,
        "first": gap.first.get(),
        "count": gap.count,
        "verdict": gap.verdict.to_string(),
        "signed": gap.signed,
        "certificate": gap.certificate.as_ref().map(|certificate| certificate.catalog_seq.get()),
    })
}

/// The last line for programs: how it ended, whatever was found.
fn json_summary(report: &Report, took: Duration) -> String {
    let not_read = report.not_read.map(|not_read| {
        serde_json::json!({ "segments": not_read.segments, "records": not_read.records })
    });
    serde_json::json!({
        "clean": report.is_clean(),
        "segments": report.segments,
        "records": report.records,
        "bytes": report.bytes,
        "root": report.head.root.to_string(),
        "size": report.head.size.get(),
        "checkpoints": published(report),
        "given_checkpoints": report.given,
        "signatures": report.signatures,
        "findings": report.findings.len(),
        "warnings": report.warnings.len(),
        "not_read": not_read,
        "gaps": report.gaps.iter().map(json_gap).collect::<Vec<_>>(),
        "seconds": took.as_secs_f64(),
    })
    .to_string()
}

fn published(report: &Report) -> u64 {
    report.checkpoints.saturating_sub(report.given)
}

/// Warnings, where findings alone are listed.
fn warn(report: &Report) -> Result<()> {
    for warning in &report.warnings {
        writeln!(output::stderr(), "warning: {}", terminal::plain(&warning.to_string()))?;
    }
    Ok(())
}

/// How fast the segments were checked.
fn rate(report: &Report, took: Duration) -> String {
    #[allow(clippy::cast_precision_loss)] // for people
    let bytes = report.bytes as f64;
    format!("{:.2} GB/s", bytes / took.as_secs_f64().max(1e-9) / 1e9)
}

/// Verifies a log, with a progress bar.
pub(super) fn verify_with_bar(dir: &Path, options: &VerifyOptions) -> Result<Report> {
    verify_with(&progress::over_bytes("verifying", 0), dir, options)
}

fn verify_with(bar: &ProgressBar, dir: &Path, options: &VerifyOptions) -> Result<Report> {
    let report = bulla::verify(dir, options, &mut |at| {
        bar.set_length(at.bytes_total);
        bar.set_position(at.bytes_done);
    });
    bar.finish_and_clear();
    Ok(report?)
}
