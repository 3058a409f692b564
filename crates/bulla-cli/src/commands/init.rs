//! `bulla init`: make a new, empty log.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use bulla::checkpoint::KeyName;
use bulla::hash::HashAlgorithm;
use bulla::{Log, LogOptions};
use clap::{Args, ValueEnum};

use crate::failure::Verdict;
use crate::outputs::{self, Inputs, Mark};
use crate::{output, terminal};

#[derive(Args)]
#[command(after_help = "Example:\n  bulla init ./audit --origin example.com/audit")]
pub(crate) struct Init {
    /// The directory to make; it must not hold a log yet
    dir: PathBuf,
    #[command(flatten)]
    shape: Shape,
}

/// What is chosen once, when a log is made.
#[derive(Args, Default)]
pub(crate) struct Shape {
    /// The hash of its tree [default: sha256]
    #[arg(long, value_enum)]
    hash: Option<Hash>,
    /// Its name in checkpoints, world-wide, without spaces and plus signs
    /// [default: bulla.local/ and the name of the directory]
    #[arg(long, value_name = "NAME", value_parser = origin)]
    origin: Option<String>,
}

/// The hash of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Hash {
    /// What C2SP tools, witnesses and verifiers read.
    #[default]
    Sha256,
    /// Faster where the processor has no SHA instructions.
    Blake3,
}

impl From<Hash> for HashAlgorithm {
    fn from(hash: Hash) -> Self {
        match hash {
            Hash::Sha256 => HashAlgorithm::Sha256,
            Hash::Blake3 => HashAlgorithm::Blake3,
        }
    }
}

/// Checks `--origin`.
pub(crate) fn origin(name: &str) -> Result<String, String> {
    KeyName::new(name).map(|name| name.as_str().to_owned()).map_err(|error| error.to_string())
}

impl Shape {
    /// Makes the log.
    pub(crate) fn create(&self, dir: &Path, options: LogOptions) -> Result<Log> {
        if dir.exists() && !dir.is_dir() {
            bail!("{} is a file: choose another path for the log", dir.display());
        }
        outputs::check_dir(dir, Some(Mark::Log), &Inputs::default())?;
        let options = options.hash(self.hash.unwrap_or_default().into());
        let options = match &self.origin {
            Some(origin) => options.origin(origin),
            None => options,
        };
        Ok(options.create(dir)?)
    }
}

impl Shape {
    /// Refuses what was given and is not what the log was made with: it would not count.
    pub(crate) fn check(&self, log: &Log) -> Result<()> {
        let fixed = "which was chosen when it was made; leave the option out";
        if let Some(origin) = self.origin.as_ref().filter(|origin| *origin != log.origin()) {
            bail!("--origin {origin}: the log has the origin {}, {fixed}", log.origin());
        }
        let hash = self.hash.map(HashAlgorithm::from);
        if let Some(hash) = hash.filter(|hash| *hash != log.algorithm()) {
            bail!("--hash {}: the log has {}, {fixed}", hash.name(), log.algorithm().name());
        }
        Ok(())
    }
}

impl Init {
    pub(crate) fn run(self) -> Result<Verdict> {
        let log = self.shape.create(&self.dir, Log::options())?;
        let (origin, hash) = (log.origin().to_owned(), log.algorithm().name());
        log.close()?;
        let mut out = output::stdout();
        writeln!(out, "made an empty log in {}", terminal::path(&self.dir))?;
        output::facts(&mut out, &[("origin", origin), ("hash", hash.to_owned())])?;
        out.flush()?;
        Ok(Verdict::Fine)
    }
}
