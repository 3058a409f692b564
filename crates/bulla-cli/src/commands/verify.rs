//! `bulla verify`: re-read and re-hash the whole log.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use bulla::{Finding, Report, VerifyOptions};
use clap::Args;

use crate::failure::Verdict;
use crate::output::{self, Column, Format, Listing, Row, Shown};
use crate::{cells, keys, progress};

#[derive(Args)]
#[command(after_help = "\
Examples:
  bulla verify ./audit
  bulla verify ./audit --checkpoint kept-elsewhere.checkpoint --pubkey audit.key.pub

Changes nothing, works while a service has the log open, and goes on after a finding.
Without --checkpoint the log is checked against itself and the checkpoints in it: whoever
holds the key could have rewritten all of them. A checkpoint that was kept elsewhere shows
that too.")]
pub(crate) struct Verify {
    /// The log
    dir: PathBuf,
    /// A checkpoint that was kept elsewhere: the log must still be what it says
    #[arg(long, value_name = "FILE", requires = "pubkey")]
    checkpoint: Option<PathBuf>,
    /// The log's verifying key (NAME+ID+BASE64), or a file with it: signatures are checked
    #[arg(long, value_name = "VKEY|FILE")]
    pubkey: Vec<String>,
    #[command(flatten)]
    shown: Shown,
}

impl Row for Finding {
    const COLUMNS: &'static [Column] = &[
        Column::fixed("FILE"),
        Column::number("OFFSET"),
        Column::number("RECORD"),
        Column::fixed("WHAT"),
        Column::fixed("EXPECTED"),
        Column::fixed("FOUND"),
    ];
    const FIELDS: &'static [&'static str] =
        &["file", "segment", "offset", "seq", "what", "expected", "found"];

    fn cells(&self) -> Vec<String> {
        let [file, _, offset, seq, what, expected, found] = values(self);
        vec![file, offset, seq, what, expected, found]
    }

    fn fields(&self) -> Vec<String> {
        values(self).into()
    }

    fn json(&self) -> String {
        serde_json::json!({
            "file": self.file,
            "segment": self.segment,
            "offset": self.offset,
            "seq": self.seq.map(|seq| seq.get()),
            "what": self.what,
            "expected": self.expected,
            "found": self.found,
        })
        .to_string()
    }
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
        let mut options = VerifyOptions::new();
        for key in keys::verifying_keys(&self.pubkey)? {
            options = options.key(key);
        }
        if let Some(file) = &self.checkpoint {
            options = options.checkpoint(keys::checkpoint(file)?);
        }
        if !self.dir.is_dir() {
            bail!("there is no log at {}: not a directory; check the path", self.dir.display());
        }
        let report = verify_with_bar(&self.dir, &options)?;
        self.show(&report)?;
        Ok(if report.is_clean() { Verdict::Fine } else { Verdict::Failed })
    }

    fn show(&self, report: &Report) -> Result<()> {
        let mut out = output::stdout();
        if self.shown.output != Format::Table {
            let mut listing = Listing::new(&mut out, self.shown.output);
            for finding in &report.findings {
                listing.row(finding)?;
            }
            listing.finish()?;
            if self.shown.output == Format::Jsonl {
                writeln!(out, "{}", json_summary(report))?;
            }
            out.flush()?;
            return Ok(());
        }
        for finding in &report.findings {
            writeln!(out, "{}", cells::plain(&finding.to_string()))?;
        }
        writeln!(out, "{}", self.summary(report))?;
        out.flush()?;
        Ok(())
    }

    fn summary(&self, report: &Report) -> String {
        let read = format!(
            "{} in {} ({}), {}{}, root {}",
            cells::counted(report.records, "record"),
            cells::counted(report.segments, "segment"),
            cells::bytes(report.bytes),
            if report.given > 0 { "the given checkpoint and " } else { "" },
            self.checkpoints(report),
            report.head.root,
        );
        if report.is_clean() {
            let against = match self.checkpoint {
                Some(_) => "consistent with the checkpoint you gave",
                None => {
                    "consistent with itself; give --checkpoint to compare with one kept \
                         elsewhere"
                }
            };
            return format!("clean: {read}; {against}");
        }
        let found = u64::try_from(report.findings.len()).unwrap_or(u64::MAX);
        format!(
            "NOT CLEAN: {} in {read}; nothing was changed; keep this directory as it is and \
             compare it with a backup",
            cells::counted(found, "finding")
        )
    }

    fn checkpoints(&self, report: &Report) -> String {
        let counted = cells::counted(published(report), "published checkpoint");
        let signed = match (report.checkpoints, report.signatures) {
            (0, _) => String::new(),
            (_, 0) if self.pubkey.is_empty() => {
                " (signatures not checked; --pubkey does)".to_owned()
            }
            (_, 0) => " (none signed by the given key)".to_owned(),
            (_, checked) => {
                let checked = cells::count(checked);
                format!(" ({checked} of {} signed by the given key)", report.checkpoints)
            }
        };
        format!("{counted}{signed}")
    }
}

/// The last line for programs: how it ended, whatever was found.
fn json_summary(report: &Report) -> String {
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
    })
    .to_string()
}

fn published(report: &Report) -> u64 {
    report.checkpoints.saturating_sub(report.given)
}

/// Verifies a log, with a progress bar.
pub(super) fn verify_with_bar(dir: &Path, options: &VerifyOptions) -> Result<Report> {
    let bar = progress::over_bytes("verifying", 0);
    let report = bulla::verify(dir, options, &mut |at| {
        bar.set_length(at.bytes_total);
        bar.set_position(at.bytes_done);
    });
    bar.finish_and_clear();
    Ok(report?)
}
