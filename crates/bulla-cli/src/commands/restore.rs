//! `bulla restore`: bring dropped segments back from an archive.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use bulla::archive::DirectoryStore;
use bulla::retention::Asked;
use bulla::{Log, Restoration};
use clap::Args;

use crate::failure::Verdict;
use crate::{cells, output, places};

#[derive(Args)]
#[command(after_help = "\
Examples:
  bulla restore ./audit /mnt/archive --who alice --why 'case 7 needs 2020'
  bulla restore ./audit /mnt/archive --segment 3 --segment 4 --who alice --why 'case 7'

Each folder is verified, and compared with what the log's own history says of the segment and
of its copy, before anything changes. A segment that was restored is not dropped again by
itself. Who and why go into the history of the log. The log must not be open for writing
elsewhere.")]
pub(crate) struct Restore {
    /// The log
    dir: PathBuf,
    /// The archive, or one folder of it
    archive: PathBuf,
    /// The number of a segment; may be repeated [default: all dropped ones that are there]
    #[arg(long, value_name = "N")]
    segment: Vec<u64>,
    /// Who asks for it
    #[arg(long, value_name = "NAME")]
    who: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    why: String,
}

impl Restore {
    pub(crate) fn run(self) -> Result<Verdict> {
        let store = DirectoryStore::open(&self.archive)
            .with_context(|| format!("opening the archive {}", self.archive.display()))?;
        let log = places::writer(&self.dir)?;
        let done = self.restore(&log, &store);
        let closed = log.close();
        done?;
        closed?;
        Ok(Verdict::Fine)
    }

    fn restore(&self, log: &Log, store: &DirectoryStore) -> Result<()> {
        // One folder each: of a log that changed its name the newer one comes last.
        let there: BTreeMap<u64, String> = log.dropped_in(store)?.into_iter().collect();
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
        let asked = Asked::by(self.who.as_str()).because(self.why.as_str());
        let mut out = output::stdout();
        for ordinal in asked_for {
            let Some(folder) = there.get(&ordinal) else {
                bail!(
                    "segment {ordinal}: expected a dropped segment of this log that {} has, found \
                     none; `bulla segments {}` lists what is here",
                    self.archive.display(),
                    self.dir.display()
                );
            };
            let restored = log.restore(store, folder, &asked)?;
            // Whoever closed the pipe still wants the rest to be done.
            let _ = writeln!(out, "{}", told(&restored)).and_then(|()| out.flush());
        }
        Ok(())
    }
}

fn told(restored: &Restoration) -> String {
    let first = restored.first.get();
    let last = first.saturating_add(restored.count).saturating_sub(1);
    format!(
        "segment {} is back, with records {first} to {last} ({}), from {}; the folder showed {}",
        restored.ordinal,
        cells::bytes(restored.bytes),
        cells::plain(&restored.location),
        cells::plain(&restored.shown.to_string())
    )
}
