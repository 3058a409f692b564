//! `bulla keygen`: make a key that signs checkpoints.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use bulla::Signer;
use bulla::hash::HashAlgorithm;
use clap::Args;

use super::init::{Hash, origin};
use crate::failure::Verdict;
use crate::{keys, output, places};

#[derive(Args)]
#[command(after_help = "\
Example:
  bulla keygen ./audit.key --log ./audit

FILE is the private key, readable by its owner only: keep it outside the log's directory.
FILE.pub holds the verifying key, which is also printed: give it to whoever shall check
proofs. What the key signs is noted in FILE.heads, so that it never signs two histories.")]
pub(crate) struct Keygen {
    /// Where to write the private key; must not exist
    file: PathBuf,
    /// The log it is for: its origin and hash are read there
    #[arg(long, value_name = "DIR", conflicts_with_all = ["origin", "hash"])]
    log: Option<PathBuf>,
    /// The origin of the log it is for
    #[arg(long, value_name = "NAME", value_parser = origin, required_unless_present = "log")]
    origin: Option<String>,
    /// The hash of the tree of the log it is for
    #[arg(long, value_enum, default_value_t = Hash::Sha256)]
    hash: Hash,
}

impl Keygen {
    pub(crate) fn run(self) -> Result<Verdict> {
        let (origin, algorithm) = match (&self.log, self.origin) {
            (Some(dir), _) => of_log(dir, &self.file)?,
            (None, Some(origin)) => (origin, self.hash.into()),
            (None, None) => bail!("expected --origin NAME or --log DIR"),
        };
        let public = public_file(&self.file);
        if public.exists() {
            bail!("{} exists already: choose another name for the key", public.display());
        }
        let signer = Signer::generate(&keys::private_key(&self.file)?, &origin, algorithm)?;
        let vkey = signer.verifying_key().to_string();
        places::write_file(&public, &format!("{vkey}\n"))?;
        let mut out = output::stdout();
        writeln!(out, "{vkey}")?;
        out.flush()?;
        Ok(Verdict::Fine)
    }
}

/// `FILE.pub`.
pub(crate) fn public_file(key: &Path) -> PathBuf {
    let mut name = key.as_os_str().to_owned();
    name.push(".pub");
    PathBuf::from(name)
}

fn of_log(dir: &Path, key: &Path) -> Result<(String, HashAlgorithm)> {
    keys::outside(dir, key)?;
    let reader = places::reader(dir)?;
    Ok((reader.origin().to_owned(), reader.algorithm()))
}
