//! `bulla keygen`: make a key that signs checkpoints.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use bulla::hash::HashAlgorithm;
use bulla::{Signer, WrappingKey};
use bulla_witness::Cosigner;
use clap::Args;

use super::init::{Hash, origin};
use crate::failure::{Verdict, although};
use crate::outputs::{self, Inputs};
use crate::{keys, open_log, output};

#[derive(Args)]
#[command(after_help = "\
Examples:
  bulla keygen ./audit.key --log ./audit
  bulla keygen w1.key --witness --name witness.example/w1
  bulla keygen wrapping.key --wrapping

FILE is the private key, readable by its owner only: keep it outside the log's directory.
FILE.pub holds the verifying key, which is also printed: give it to whoever shall check
proofs. What a log's key signs is noted in FILE.heads, so that it never signs two histories.")]
pub(crate) struct Keygen {
    /// Where to write the private key; must not exist
    file: PathBuf,
    /// The log it is for: its origin and hash are read there
    #[arg(long, value_name = "DIR", conflicts_with_all = ["origin", "hash"])]
    log: Option<PathBuf>,
    /// The origin of the log it is for
    #[arg(long, value_name = "NAME", value_parser = origin, required_unless_present_any = ["log", "witness", "wrapping"])]
    origin: Option<String>,
    /// The hash of the tree of the log it is for
    #[arg(long, value_enum, default_value_t = Hash::Sha256)]
    hash: Hash,
    /// Make a key for a witness, which cosigns logs (see `bulla witness`)
    #[arg(long, requires = "name", conflicts_with_all = ["log", "origin", "hash"])]
    witness: bool,
    /// Make a wrapping key, which a key store is encrypted under (see `bulla keystore`)
    #[arg(long, conflicts_with_all = ["log", "origin", "hash", "witness", "name"])]
    wrapping: bool,
    /// The name of the witness: a URL without its scheme, such as witness.example/w1
    #[arg(long, value_name = "NAME", value_parser = origin, requires = "witness")]
    name: Option<String>,
}

impl Keygen {
    pub(crate) fn run(self) -> Result<Verdict> {
        if self.wrapping {
            outputs::check_new(&self.file, &Inputs::default())?;
            WrappingKey::generate()?.write_new(&keys::private_key(&self.file)?)?;
            return Ok(Verdict::Fine);
        }
        if let (true, Some(name)) = (self.witness, &self.name) {
            return self.of_witness(name);
        }
        let (origin, algorithm) = match (&self.log, self.origin) {
            (Some(dir), _) => of_log(dir, &self.file)?,
            (None, Some(origin)) => (origin, self.hash.into()),
            (None, None) => bail!("expected --origin NAME or --log DIR"),
        };
        let public = free_public_file(&self.file)?;
        let signer = Signer::generate(&keys::private_key(&self.file)?, &origin, algorithm)?;
        show(&public, &signer.verifying_key().to_string())
    }

    fn of_witness(&self, name: &str) -> Result<Verdict> {
        let public = free_public_file(&self.file)?;
        let cosigner = Cosigner::generate(&keys::private_key(&self.file)?, name)?;
        show(&public, &cosigner.verifying_key().to_string())
    }
}

fn free_public_file(key: &Path) -> Result<PathBuf> {
    outputs::check_new(key, &Inputs::default())?;
    let public = public_file(key);
    if public.symlink_metadata().is_ok() {
        bail!("{} exists already: choose another name for the key", public.display());
    }
    Ok(public)
}

/// Writes the verifying key to its file, and prints it.
fn show(public: &Path, vkey: &str) -> Result<Verdict> {
    let written = outputs::write_new(public, &format!("{vkey}\n"));
    written.map_err(|error| {
        although(error, format!("the private key was made; its verifying key is {vkey}"))
    })?;
    let mut out = output::stdout();
    let told = writeln!(out, "{vkey}").and_then(|()| out.flush());
    told.map_err(|error| {
        although(error, format!("the key was made; its verifying key is in {}", public.display()))
    })?;
    Ok(Verdict::Fine)
}

/// `FILE.pub`.
pub(crate) fn public_file(key: &Path) -> PathBuf {
    let mut name = key.as_os_str().to_owned();
    name.push(".pub");
    PathBuf::from(name)
}

fn of_log(dir: &Path, key: &Path) -> Result<(String, HashAlgorithm)> {
    keys::outside(dir, key)?;
    let reader = open_log::reader(dir)?;
    Ok((reader.origin().to_owned(), reader.algorithm()))
}
