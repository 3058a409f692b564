//! `bulla tail`: show the last records, and follow a log that is being written.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use bulla::event::Record;
use bulla::seq::Seq;
use bulla::{Error, LogReader, Snapshot};
use clap::Args;

use crate::failure::Verdict;
use crate::numbers;
use crate::output::{self, Listing, Out, Shown};
use crate::secrets::Secrets;

/// How often the log is looked at for new records.
const POLL_EVERY: Duration = Duration::from_millis(100);

#[derive(Args)]
#[command(after_help = "\
Example:
  bulla tail ./audit -n 100 -f --output jsonl

Shows every record, the log's own included, oldest first. A record is shown once it is
durable, and once only. Where records have expired, that is told on standard error, and the
next one that is there follows.")]
pub(crate) struct Tail {
    /// The log
    dir: PathBuf,
    /// How many of the last records to begin with
    #[arg(short = 'n', long = "lines", allow_hyphen_values = true, value_name = "N", default_value_t = 10,
          value_parser = numbers::any)]
    lines: u64,
    /// Begin with this record instead
    #[arg(long, allow_hyphen_values = true, value_name = "SEQ", value_parser = numbers::seq, conflicts_with = "lines")]
    from: Option<Seq>,
    /// Go on as records are appended, until stopped or until nothing reads the output
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
        let mut out = output::stdout_while_read();
        let mut listing = Listing::new(&mut out, self.shown.format());
        let snapshot = reader.snapshot();
        let last = Seq::new(snapshot.size().get().saturating_sub(self.lines));
        let mut next = print(&snapshot, self.from.unwrap_or(last), &mut listing)?;
        if self.follow {
            while let Some(snapshot) = wait_for(&reader, next)? {
                next = print(&snapshot, next, &mut listing)?;
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
    let (mut next, mut gap) = (from, None);
    while let Some(end) = print_run(snapshot, next, &mut gap, listing)? {
        listing.flush()?;
        let (first, _) = gap.unwrap_or((next, end));
        gap = Some((first, end));
        next = end;
    }
    tell_expired(&mut gap)?;
    listing.flush()?;
    Ok(snapshot.size().next_seq())
}

/// Records that have expired: the first of them, and the next one that may be there.
type Gap = Option<(Seq, Seq)>;

/// Prints the records from this one on; returns where to go on if the next ones have expired.
fn print_run(
    snapshot: &Snapshot,
    from: Seq,
    gap: &mut Gap,
    listing: &mut Listing<'_, Record, Out>,
) -> Result<Option<Seq>> {
    for record in snapshot.records_from(from) {
        match record {
            // Their end lies behind `from`, so this comes to an end.
            Err(Error::Expired { seq, certificate }) if certificate.end.size.covers(from) => {
                gap.get_or_insert((seq, seq));
                return Ok(Some(certificate.end.size.next_seq()));
            }
            record => {
                let record = record?;
                tell_expired(gap)?;
                listing.row(&record)?;
            }
        }
    }
    Ok(None)
}

/// Names the records that have expired, once.
fn tell_expired(gap: &mut Gap) -> Result<()> {
    let Some((first, end)) = gap.take() else { return Ok(()) };
    let last = end.get().saturating_sub(1);
    writeln!(
        output::stderr(),
        "bulla: records {first} to {last} have expired; `bulla get` of one of them shows the \
         certificate"
    )?;
    Ok(())
}

/// Waits until a record is there. `None`: whoever read what is shown has left.
fn wait_for(reader: &LogReader, next: Seq) -> Result<Option<Snapshot>> {
    while !reader.refresh()?.covers(next) {
        if !output::is_read_for(POLL_EVERY)? {
            return Ok(None);
        }
    }
    Ok(Some(reader.snapshot()))
}
