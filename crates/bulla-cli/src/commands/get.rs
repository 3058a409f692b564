//! `bulla get`: show one record whole.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Result;
use bulla::seq::Seq;
use clap::Args;

use crate::failure::Verdict;
use crate::output::{self, Format, Listing, Shown};
use crate::records;
use crate::secrets::Secrets;

#[derive(Args)]
#[command(after_help = "Example:\n  bulla get ./audit 41 --output jsonl")]
pub(crate) struct Get {
    /// The log
    dir: PathBuf,
    /// The position of the record, from 0
    seq: Seq,
    #[command(flatten)]
    secrets: Secrets,
    #[command(flatten)]
    shown: Shown,
}

impl Get {
    pub(crate) fn run(self) -> Result<Verdict> {
        let record = self.secrets.reader(&self.dir)?.get(self.seq)?;
        let mut out = output::stdout();
        if self.shown.output == Format::Table {
            records::show(&mut out, &record)?;
            out.flush()?;
        } else {
            let mut listing = Listing::new(&mut out, self.shown.output);
            listing.row(&record)?;
            listing.finish()?;
        }
        Ok(Verdict::Fine)
    }
}
