//! `bulla prove`: write a file that proves one record to a stranger.

use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::{Result, bail};
use bulla::LogReader;
use bulla::checkpoint::UnverifiedCheckpoint;
use bulla::proof::Disclosure;
use bulla::seq::Seq;
use clap::Args;

use crate::failure::Verdict;
use crate::{cells, keys, places};

#[derive(Args)]
#[command(after_help = "\
Example:
  bulla prove ./audit 41 -o login.tlog-proof --withhold-payload

The file holds the record, the hashes that lead from it to a checkpoint, and the
checkpoint. With --withhold-payload it shows who did what to what and when, but not the
address, user agent, e-mail, values and details.")]
pub(crate) struct Prove {
    /// The log
    dir: PathBuf,
    /// The position of the record, from 0
    seq: Seq,
    /// The proof file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Prove the record without showing its payload
    #[arg(long)]
    withhold_payload: bool,
    /// Prove it against this checkpoint [default: the latest published one]
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
}

impl Prove {
    pub(crate) fn run(self) -> Result<Verdict> {
        let reader = places::reader(&self.dir)?;
        let checkpoint = match &self.checkpoint {
            Some(file) => keys::checkpoint(file)?,
            None => self.latest(&reader)?,
        };
        let size = checkpoint.dangerously_unverified().head().size;
        if !size.covers(self.seq) {
            bail!(
                "record {} came after the checkpoint, which covers {}; run `bulla checkpoint {} \
                 --key FILE` first",
                self.seq,
                cells::counted(size.get(), "record"),
                self.dir.display()
            );
        }
        let disclosure = match self.withhold_payload {
            true => Disclosure::WithholdPayload,
            false => Disclosure::Whole,
        };
        let text = reader.prove(self.seq, &checkpoint, disclosure)?.to_text();
        places::write_file(&self.output, &text)?;
        writeln!(
            io::stderr(),
            "bulla: record {} proved under the checkpoint of {} in {} ({} bytes)",
            self.seq,
            cells::counted(size.get(), "record"),
            self.output.display(),
            text.len()
        )?;
        Ok(Verdict::Fine)
    }

    /// The latest published checkpoint: it covers more than every earlier one.
    fn latest(&self, reader: &LogReader) -> Result<UnverifiedCheckpoint> {
        if !reader.size().covers(self.seq) {
            reader.get(self.seq)?; // says how many there are
        }
        match reader.latest_checkpoint()? {
            Some(checkpoint) => Ok(checkpoint),
            None => bail!(
                "no checkpoint was published yet; run `bulla checkpoint {} --key FILE` first",
                self.dir.display()
            ),
        }
    }
}
