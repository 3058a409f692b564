//! `bulla verify` of an archive in place.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use bulla::Trust;
use bulla::archive::{self, ArchiveFinding, ArchiveReport, DirectoryStore, VerifyArchiveOptions};

use super::Verify;
use crate::failure::Verdict;
use crate::output::{self, Column, Format, Listing, Row};
use crate::{keys, open_log, terminal, text};

/// The archive in a directory, with its folders; `None` if it is none.
pub(super) fn open(dir: &Path) -> Result<Option<(DirectoryStore, Vec<String>)>> {
    // A log is never taken for one.
    if open_log::is_there(&dir.join("catalog"))? || open_log::is_there(&dir.join("segments"))? {
        return Ok(None);
    }
    let store = DirectoryStore::open(dir).with_context(|| format!("read {}", dir.display()))?;
    let folders = archive::folders(&store)?;
    Ok((!folders.is_empty()).then_some((store, folders)))
}

/// A finding, and in which folder.
struct Found<'a> {
    folder: &'a str,
    finding: &'a ArchiveFinding,
}

impl Row for Found<'_> {
    const COLUMNS: &'static [Column] = &[
        Column::fixed("FOLDER"),
        Column::fixed("FILE"),
        Column::number("OFFSET"),
        Column::number("RECORD"),
        Column::fixed("WHAT"),
        Column::fixed("EXPECTED"),
        Column::fixed("FOUND"),
    ];
    const FIELDS: &'static [&'static str] =
        &["folder", "file", "offset", "seq", "what", "expected", "found"];

    fn cells(&self) -> Vec<String> {
        self.fields()
    }

    fn fields(&self) -> Vec<String> {
        let Found { folder, finding } = self;
        let number = |number: Option<u64>| number.map_or(String::new(), |n| n.to_string());
        vec![
            (*folder).to_owned(),
            finding.file.clone(),
            number(finding.offset),
            number(finding.seq.map(|seq| seq.get())),
            finding.what.clone(),
            finding.expected.clone(),
            finding.found.clone(),
        ]
    }

    fn json(&self) -> String {
        let Found { folder, finding } = self;
        serde_json::json!({
            "folder": folder,
            "file": finding.file,
            "offset": finding.offset,
            "seq": finding.seq.map(|seq| seq.get()),
            "what": finding.what,
            "expected": finding.expected,
            "found": finding.found,
        })
        .to_string()
    }
}

impl Verify {
    pub(super) fn run_archive(
        &self,
        store: &DirectoryStore,
        folders: &[String],
    ) -> Result<Verdict> {
        if self.checkpoint.is_some() || self.since.is_some() {
            bail!(
                "{} is an archive: --checkpoint and --since are for a log; each folder has the \
                 checkpoint that it is under, whose signature --pubkey checks",
                self.dir.display()
            );
        }
        let keys = keys::verifying_keys(&self.pubkey)?;
        let mut options = VerifyArchiveOptions::new();
        if !keys.is_empty() {
            options = options.trust(Trust::in_keys(keys));
        }
        let mut reports = Vec::new();
        for folder in folders {
            reports.push(archive::verify(store, folder, &options)?);
        }
        match self.shown.format() {
            Format::Table => self.tell(&reports)?,
            format => list(&reports, format)?,
        }
        let clean = reports.iter().all(ArchiveReport::is_clean);
        Ok(if clean { Verdict::Fine } else { Verdict::Failed })
    }

    fn tell(&self, reports: &[ArchiveReport]) -> Result<()> {
        let mut out = output::stdout();
        for report in reports {
            let name = terminal::plain(name_of(report));
            for finding in &report.findings {
                writeln!(out, "{name}: {}", terminal::plain(&finding.to_string()))?;
            }
            if let Some(manifest) = report.manifest.as_ref().filter(|_| report.is_clean()) {
                writeln!(
                    out,
                    "{name}: clean: segment {} of {}, {}, {}",
                    manifest.facts.ordinal,
                    terminal::plain(&manifest.origin),
                    text::counted(report.records, "record"),
                    terminal::plain(&report.shown.to_string()),
                )?;
            }
        }
        let bad = reports.iter().filter(|report| !report.is_clean()).count() as u64;
        let all = text::counted(reports.len() as u64, "folder");
        let bytes = text::bytes(reports.iter().map(|report| report.bytes).sum());
        match bad {
            0 => writeln!(out, "clean: {all} ({bytes})")?,
            _ => writeln!(
                out,
                "NOT CLEAN: {bad} of {all} ({bytes}); nothing was changed; compare with another \
                 copy"
            )?,
        }
        out.flush()?;
        Ok(())
    }
}

/// For programs: the findings, and in JSON a line for each folder and a last one for all.
fn list(reports: &[ArchiveReport], format: Format) -> Result<()> {
    let mut out = output::stdout();
    let mut listing = Listing::new(&mut out, format);
    for report in reports {
        for finding in &report.findings {
            listing.row(&Found { folder: &report.folder, finding })?;
        }
    }
    listing.finish()?;
    if format == Format::Jsonl {
        for report in reports {
            writeln!(out, "{}", json_summary(report))?;
        }
        writeln!(out, "{}", json_total(reports))?;
    }
    out.flush()?;
    Ok(())
}

fn json_summary(report: &ArchiveReport) -> String {
    let facts = report.manifest.as_ref().map(|manifest| &manifest.facts);
    serde_json::json!({
        "folder": report.folder,
        "clean": report.is_clean(),
        "origin": report.manifest.as_ref().map(|manifest| &manifest.origin),
        "log_id": facts.map(|facts| facts.log_id.to_string()),
        "segment": facts.map(|facts| facts.ordinal),
        "records": report.records,
        "bytes": report.bytes,
        "digest": report.digest.map(|digest| digest.to_string()),
        "shown": report.shown.to_string(),
        "findings": report.findings.len(),
    })
    .to_string()
}

fn json_total(reports: &[ArchiveReport]) -> String {
    let bad = reports.iter().filter(|report| !report.is_clean()).count();
    serde_json::json!({
        "clean": bad == 0,
        "folders": reports.len(),
        "folders_not_clean": bad,
        "records": reports.iter().map(|report| report.records).sum::<u64>(),
        "bytes": reports.iter().map(|report| report.bytes).sum::<u64>(),
        "findings": reports.iter().map(|report| report.findings.len()).sum::<usize>(),
    })
    .to_string()
}

fn name_of(report: &ArchiveReport) -> &str {
    if report.folder.is_empty() { "folder" } else { &report.folder }
}
