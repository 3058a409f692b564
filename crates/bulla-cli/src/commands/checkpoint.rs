//! `bulla checkpoint`: sign what the log holds now, and publish it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
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
        // Opened before signing: what is signed cannot be taken back.
        let output = self.output.as_deref().map(Output::open).transpose()?;
        let signed = match log.checkpoint(&signer) {
            Ok(signed) => signed,
            Err(error) => {
                if let Some(output) = output {
                    output.give_up();
                }
                return Err(error.into());
            }
        };
        log.close()?;
        writeln!(
            io::stderr(),
            "bulla: signed {} as {}",
            cells::counted(signed.head().size.get(), "record"),
            signer.verifying_key().name()
        )?;
        match output {
            Some(output) => output.write(&signed.to_text()).with_context(|| {
                let kept = self.dir.join("checkpoints");
                let size = signed.head().size.get();
                format!("the checkpoint was signed, and is in {} as {size:016}.*", kept.display())
            })?,
            None => {
                let mut out = output::stdout();
                out.write_all(signed.to_text().as_bytes())?;
                out.flush()?;
            }
        }
        Ok(Verdict::Fine)
    }
}

/// The file that a checkpoint goes to, opened but not yet changed.
struct Output {
    file: File,
    path: PathBuf,
    made: bool,
}

impl Output {
    fn open(path: &Path) -> Result<Self> {
        let made = !path.exists();
        let file = File::options().write(true).create(true).truncate(false).open(path);
        let file = file.with_context(|| format!("{}: nothing was signed", path.display()))?;
        Ok(Output { file, path: path.to_owned(), made })
    }

    fn write(mut self, text: &str) -> Result<()> {
        let mut write = || {
            if self.file.metadata()?.is_file() {
                self.file.set_len(0)?;
            }
            self.file.write_all(text.as_bytes())
        };
        write().with_context(|| self.path.display().to_string())
    }

    /// Nothing was signed: leaves no empty file behind.
    fn give_up(self) {
        if self.made {
            let _ = fs::remove_file(&self.path); // an empty file is no harm
        }
    }
}
