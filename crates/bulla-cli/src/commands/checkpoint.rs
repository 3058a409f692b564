//! `bulla checkpoint`: sign what the log holds now, and publish it.

use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::{Result, bail};
use bulla::Signer;
use clap::Args;

use crate::failure::Verdict;
use crate::{cells, keys, output, places};

#[derive(Args)]
#[command(after_help = "\
Example:
  bulla checkpoint ./audit --key ./audit.key -o audit.checkpoint

The checkpoint is kept in the log and printed (or written to FILE). Keep copies where
whoever can alter the log cannot reach them: they are what an alteration is measured by.")]
pub(crate) struct Checkpoint {
    /// The log; no other process may be writing to it
    dir: PathBuf,
    /// The private key, as made by `bulla keygen`
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Write the checkpoint here instead of printing it
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Checkpoint {
    pub(crate) fn run(self) -> Result<Verdict> {
        let signer = Signer::load(&keys::private_key(&self.key)?)?;
        let log = places::writer(&self.dir)?;
        let name = signer.verifying_key().name().as_str();
        if name != log.origin() {
            bail!(
                "{}: expected a key of {}, the origin of this log, found one of {name}; make one \
                 with `bulla keygen FILE --log {}`",
                self.key.display(),
                log.origin(),
                self.dir.display()
            );
        }
        let signed = log.checkpoint(&signer)?;
        log.close()?;
        writeln!(
            io::stderr(),
            "bulla: signed {} as {}",
            cells::counted(signed.head().size.get(), "record"),
            signer.verifying_key().name()
        )?;
        match &self.output {
            Some(file) => places::write_file(file, &signed.to_text())?,
            None => {
                let mut out = output::stdout();
                out.write_all(signed.to_text().as_bytes())?;
                out.flush()?;
            }
        }
        Ok(Verdict::Fine)
    }
}
