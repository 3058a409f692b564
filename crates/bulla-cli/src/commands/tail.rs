//! `bulla tail`: show the last records, and follow a log that is being written.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use bulla::event::Record;
use bulla::seq::Seq;
use bulla::{LogReader, Snapshot};
use clap::Args;

use crate::failure::Verdict;
use crate::output::{self, Listing, Out, Shown};
use crate::secrets::Secrets;

/// How often the log is looked at for new records.
const POLL_EVERY: Duration = Duration::from_millis(100);

#[derive(Args)]
#[command(after_help = "\
Example:
  bulla tail ./audit -n 100 -f --output jsonl

Shows every record, the log's own included, oldest first. A record is shown once it is
durable, and once only.")]
pub(crate) struct Tail {
    /// The log
    dir: PathBuf,
    /// How many of the last records to begin with
    #[arg(short = 'n', long = "lines", value_name = "N", default_value_t = 10)]
    lines: u64,
    /// Begin with this record instead
    #[arg(long, value_name = "SEQ", conflicts_with = "lines")]
    from: Option<Seq>,
    /// Go on as records are appended, until stopped
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    secrets: Secrets,
    #[command(flatten)]
    shown: Shown,
}

impl Tail {
    pub(crate) fn run(self) -> Result<Verdict> {
        let reader = self.secrets.reader(&self.dir)?;
        let mut out = output::stdout();
        let mut listing = Listing::new(&mut out, self.shown.output);
        let snapshot = reader.snapshot();
        let last = Seq::new(snapshot.size().get().saturating_sub(self.lines));
        let mut next = print(&snapshot, self.from.unwrap_or(last), &mut listing)?;
        if self.follow {
            loop {
                next = print(&wait_for(&reader, next)?, next, &mut listing)?;
            }
        }
        listing.finish()?;
        Ok(Verdict::Fine)
    }
}

/// Prints the records from this one on; returns the first that is not there yet.
fn print(snapshot: &Snapshot, from: Seq, listing: &mut Listing<'_, Record, Out>) -> Result<Seq> {
    if !snapshot.size().covers(from) {
        return Ok(from);
    }
    for record in snapshot.records_from(from) {
        listing.row(&record?)?;
    }
    listing.flush()?;
    Ok(snapshot.size().next_seq())
}

fn wait_for(reader: &LogReader, next: Seq) -> Result<Snapshot> {
    while !reader.refresh()?.covers(next) {
        thread::sleep(POLL_EVERY);
    }
    Ok(reader.snapshot())
}
