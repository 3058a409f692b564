//! `bulla export-tiles`: a directory that a static file server serves as a C2SP log.

use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::Result;
use bulla::{Trust, VerifyingKey};
use bulla_cli::export::{self, MainLog, Options, Summary};
use clap::Args;

use crate::failure::{NotProved, Verdict};
use crate::outputs::{self, Inputs, Mark};
use crate::{keys, open_log, output, progress, terminal, text};

#[derive(Args)]
#[command(after_help = "\
Examples:
  bulla export-tiles ./audit ./public
  bulla export-tiles ./audit ./public --pubkey audit.key.pub

Writes what the newest checkpoint covers in the form of c2sp.org/tlog-tiles: hashes,
entries and checkpoints, for any static file server. Entries show who did what to what and
when, and only the digest of each payload. Run it again to add what is new: what was
exported never changes, and the checkpoint is replaced last, so that the directory is a
valid log at any moment. It is refused when the directory contradicts the log. What was exported
before is read and compared each time: 32 bytes and an entry for each record.
A BLAKE3 log is refused: who reads tiles knows SHA-256 only.")]
pub(crate) struct ExportTiles {
    /// The log; a service may be writing to it
    dir: PathBuf,
    /// The directory to serve: empty, or an earlier export of this log
    out: PathBuf,
    /// Publish no checkpoint that neither this verifying key (NAME+ID+BASE64, or a file) nor one
    /// before or after it in the log's key chain signed; may be repeated
    #[arg(long, value_name = "VKEY|FILE")]
    pubkey: Vec<String>,
    /// Only add what is new: what was exported before is not looked at. Else all of it is read and
    /// compared with the log's hashes, what is missing is written again, and what is altered named
    #[arg(long)]
    no_recheck: bool,
    /// Replace tiles, entries and earlier checkpoints that were altered by what the log has, once `bulla verify` says
    /// that it is the log which is right
    #[arg(long, conflicts_with = "no_recheck")]
    repair: bool,
    /// What is done anyhow
    #[arg(long, hide = true, conflicts_with = "no_recheck")]
    recheck: bool,
}

impl ExportTiles {
    pub(crate) fn run(self) -> Result<Verdict> {
        let keys = keys::verifying_keys(&self.pubkey)?;
        open_log::check(&self.dir)?;
        outputs::check_dir(&self.out, Some(Mark::Export), &Inputs::of(&self.dir))?;
        let trust = (!keys.is_empty()).then(|| self.trust(keys)).transpose()?;
        let options = Options { trust, recheck: !self.no_recheck, repair: self.repair };
        let source = MainLog::open(&self.dir)?;
        let bar = progress::over_count("exporting", 0);
        let summary = export::export(&source, &self.out, &options, &mut |at| {
            bar.set_length(at.total);
            bar.set_position(at.done);
            ControlFlow::Continue(())
        });
        bar.finish_and_clear();
        let mut out = output::stdout();
        let summary = summary?;
        writeln!(out, "{}", self.render(&summary))?;
        for name in &summary.repaired {
            writeln!(out, "replaced {}, which was altered", terminal::plain(name))?;
        }
        out.flush()?;
        Ok(Verdict::Fine)
    }

    /// Trust in the given keys, and in those before and after them in the log's key chain.
    fn trust(&self, mut keys: Vec<VerifyingKey>) -> Result<Trust> {
        let chain = open_log::reader(&self.dir)?.snapshot().catalog().key_chain()?;
        let told = |error| NotProved(format!("{}: {error}", self.dir.display()));
        // Each statement is signed by the key that it introduces, and names the one before
        // by its hash: a given key of this chain vouches for the chain from its beginning.
        if !chain.is_empty() {
            chain.verify(&keys, None).map_err(told)?;
            keys.extend(chain.dangerously_unverified().next().map(|first| first.key.clone()));
        }
        Ok(Trust::in_keys(keys).with_key_chain(&chain).map_err(told)?)
    }

    fn render(&self, summary: &Summary) -> String {
        let Summary { head, before, tiles, bundles, checkpoints, bytes, restored, .. } = *summary;
        let place = terminal::path(&self.out);
        let records = text::counted(head.size.get(), "record");
        let written = format!(
            "wrote {}, {} and {} ({})",
            text::counted(tiles, "tile"),
            text::counted(bundles, "entry bundle"),
            text::counted(checkpoints, "checkpoint"),
            text::bytes(bytes)
        );
        let written = match restored {
            0 => written,
            _ => format!(
                "{written}; {} of them had been there and were missing",
                text::count(restored)
            ),
        };
        match before.get() {
            0 => format!("{place} serves {records}, root {}: {written}", head.root),
            before => format!(
                "{place} serves {records} (before: {}), root {}: {written}",
                text::count(before),
                head.root
            ),
        }
    }
}
