//! `bulla get`: show one record whole.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Result;
use bulla::seq::Seq;
use bulla::{DropCertificate, Error};
use clap::Args;

use crate::failure::Verdict;
use crate::output::{self, Format, Listing, Shown};
use crate::secrets::Secrets;
use crate::{certificates, numbers, records};

#[derive(Args)]
#[command(after_help = "\
Example:
  bulla get ./audit 41 --output jsonl

Of a record that has expired the drop certificate is shown, and the status is 1. In CSV the column
payload says plain, decrypted, sealed (its key is not here), erased, or expired.")]
pub(crate) struct Get {
    /// The log
    dir: PathBuf,
    /// The position of the record, from 0
    #[arg(allow_negative_numbers = true, value_parser = numbers::seq)]
    seq: Seq,
    #[command(flatten)]
    secrets: Secrets,
    #[command(flatten)]
    shown: Shown,
}

impl Get {
    pub(crate) fn run(self) -> Result<Verdict> {
        let record = match self.secrets.reader(&self.dir)?.snapshot().get(self.seq) {
            Err(Error::Expired { seq, certificate }) if !self.shown.format().is_csv() => {
                self.expired(seq, &certificate)?;
                return Ok(Verdict::Failed);
            }
            Err(error @ Error::Expired { .. }) => {
                // The columns have no room for the certificate: it is told beside them.
                let mut out = output::stdout();
                let mut listing = Listing::new(&mut out, self.shown.format());
                listing.row(&records::Expired(self.seq))?;
                listing.finish()?;
                return Err(error.into());
            }
            found => found?,
        };
        let mut out = output::stdout();
        if self.shown.format() == Format::Table {
            records::show(&mut out, &record)?;
            out.flush()?;
        } else {
            let mut listing = Listing::new(&mut out, self.shown.format());
            listing.row(&record)?;
            listing.finish()?;
        }
        Ok(Verdict::Fine)
    }

    /// What the log says of a record that it no longer has.
    fn expired(&self, seq: Seq, certificate: &DropCertificate) -> Result<()> {
        let mut out = output::stdout();
        if self.shown.format() == Format::Table {
            writeln!(out, "EXPIRED: record {seq} went by the log's policy, with its segment")?;
            writeln!(out)?;
            output::facts(&mut out, &certificates::facts(certificate))?;
        } else {
            let certificate = certificates::json(certificate);
            let line = serde_json::json!({
                "expired": true, "seq": seq.get(), "certificate": certificate,
            });
            writeln!(out, "{line}")?;
        }
        Ok(out.flush()?)
    }
}
