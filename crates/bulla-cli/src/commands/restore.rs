//! `bulla restore`: bring dropped segments back from an archive.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use bulla::archive::{self, DirectoryStore, Shown, VerifyArchiveOptions};
use bulla::checkpoint::VerifyingKey;
use bulla::retention::Attribution;
use bulla::{Log, RestoredSegment, Trust};
use clap::Args;

use crate::attribution::not_blank;
use crate::failure::{NotProved, Verdict};
use crate::outputs::Mark;
use crate::{instead, keys, numbers, open_log, output, terminal, text};

#[derive(Args)]
#[command(after_help = "\
Examples:
  bulla restore ./audit /mnt/archive --who alice --why 'case 7 needs 2020'
  bulla restore ./audit /mnt/archive --segment 3 --segment 4 --who alice --why 'case 7'
  bulla restore ./audit /mnt/archive --pubkey audit.key.pub --who alice --why 'case 7'

Each folder is verified, and compared with what the log's own history says of the segment and
of its copy, before anything changes; with --pubkey its checkpoint must be signed, too. A segment
that was restored is not dropped again by itself. Who and why go into the history of the log. The
log must not be open for writing elsewhere.")]
pub(crate) struct Restore {
    /// The log
    dir: PathBuf,
    /// The archive, or one folder of it
    archive: PathBuf,
    /// The number of a segment; may be repeated [default: all dropped ones that are there]
    #[arg(long, allow_hyphen_values = true, value_name = "N", value_parser = numbers::any)]
    segment: Vec<u64>,
    /// The log's verifying key (NAME+ID+BASE64), or a file with it: the checkpoint in each folder
    /// must be signed by it; may be repeated
    #[arg(long, value_name = "VKEY|FILE")]
    pubkey: Vec<String>,
    /// Who asks for it
    #[arg(long, allow_hyphen_values = true, value_name = "NAME", value_parser = not_blank)]
    who: String,
    /// Why
    #[arg(long, allow_hyphen_values = true, value_name = "TEXT", value_parser = not_blank)]
    why: String,
}

impl Restore {
    pub(crate) fn run(self) -> Result<Verdict> {
        self.check_archive()?;
        let store = DirectoryStore::open(&self.archive)
            .with_context(|| format!("opening the archive {}", self.archive.display()))?;
        let log = open_log::writer(&self.dir)?;
        let done = self.restore(&log, &store);
        let closed = log.close();
        done?;
        closed?;
        Ok(Verdict::Fine)
    }

    /// Refuses what is plainly no archive.
    fn check_archive(&self) -> Result<()> {
        if Mark::of(&self.archive).is_none_or(|mark| matches!(mark, Mark::Archive | Mark::Part)) {
            return Ok(());
        }
        let found = instead::known(&self.archive).unwrap_or_default();
        bail!("{} is not an archive: {found}", self.archive.display());
    }

    fn restore(&self, log: &Log, store: &DirectoryStore) -> Result<()> {
        // One folder each: of a log that changed its name the newer one comes last.
        let there: BTreeMap<u64, String> =
            log.archive().restorable_in(store)?.into_iter().collect();
        let asked_for = match self.segment.as_slice() {
            [] => there.keys().copied().collect(),
            given => given.to_vec(),
        };
        if asked_for.is_empty() {
            bail!(
                "{} has no dropped segment of this log; `bulla history {}` shows what was dropped, \
                 and where its copy is",
                self.archive.display(),
                self.dir.display()
            );
        }
        let asked = Attribution::by(self.who.as_str()).because(self.why.as_str());
        let keys = keys::verifying_keys(&self.pubkey)?;
        let mut out = output::stdout();
        for ordinal in asked_for {
            let Some(folder) = there.get(&ordinal) else { bail!(self.nothing_of(log, ordinal)?) };
            let signed = signed(store, folder, &keys)?;
            let restored = log.archive().restore(store, folder, &asked)?;
            let shown = signed.as_ref().unwrap_or(&restored.shown);
            // Whoever closed the pipe still wants the rest to be done.
            let _ = writeln!(out, "{}", render(&restored, shown)).and_then(|()| out.flush());
        }
        Ok(())
    }

    /// Why there is nothing to restore of a segment.
    fn nothing_of(&self, log: &Log, ordinal: u64) -> Result<String> {
        let known =
            log.snapshot().segments()?.into_iter().find(|segment| segment.ordinal == ordinal);
        let dir = self.dir.display();
        Ok(match known {
            Some(known) if known.status.is_readable() => {
                format!(
                    "segment {ordinal} is live: its records are in {dir}, nothing is to restore"
                )
            }
            Some(_) => format!(
                "segment {ordinal} was dropped, and {} has no copy of it; `bulla history {dir}` \
                 shows where its copy is",
                self.archive.display()
            ),
            None => format!(
                "{dir} has no segment {ordinal}; `bulla segments {dir}` lists what there is"
            ),
        })
    }
}

/// What a folder shows to whoever believes these keys; `None` if there are none.
fn signed(store: &DirectoryStore, folder: &str, keys: &[VerifyingKey]) -> Result<Option<Shown>> {
    if keys.is_empty() {
        return Ok(None);
    }
    let options = VerifyArchiveOptions::new().trust(Trust::in_keys(keys.to_vec()));
    let report = archive::verify(store, folder, &options)?;
    match report.findings.first() {
        None => Ok(Some(report.shown)),
        Some(finding) => {
            let finding = terminal::plain(&finding.to_string());
            Err(NotProved(format!("{folder}: {finding}; it was not restored")).into())
        }
    }
}

fn render(restored: &RestoredSegment, shown: &Shown) -> String {
    let first = restored.first.get();
    let last = first.saturating_add(restored.count).saturating_sub(1);
    format!(
        "segment {} is back, with records {first} to {last} ({}), from {}; the folder showed {}",
        restored.ordinal,
        text::bytes(restored.bytes),
        terminal::plain(&restored.location),
        terminal::plain(&shown.to_string())
    )
}
