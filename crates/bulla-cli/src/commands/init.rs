//! `bulla init`: make a new, empty log.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use bulla::Log;
use bulla::checkpoint::KeyName;
use bulla::hash::HashAlgorithm;
use clap::{Args, ValueEnum};

use crate::failure::Verdict;
use crate::output;

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
    /// The hash of its tree
    #[arg(long, value_enum, default_value_t = Hash::Sha256)]
    hash: Hash,
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
    pub(crate) fn create(&self, dir: &Path) -> Result<Log> {
        let origin = self.origin.clone().unwrap_or_else(|| default_origin(dir));
        Ok(Log::options().origin(&origin).hash(self.hash.into()).create(dir)?)
    }
}

impl Init {
    pub(crate) fn run(self) -> Result<Verdict> {
        let log = self.shape.create(&self.dir)?;
        let (origin, hash) = (log.origin().to_owned(), log.algorithm().name());
        log.close()?;
        let mut out = output::stdout();
        writeln!(out, "made an empty log in {}", self.dir.display())?;
        output::facts(&mut out, &[("origin", origin), ("hash", hash.to_owned())])?;
        out.flush()?;
        Ok(Verdict::Fine)
    }
}

/// `bulla.local/` and the directory's name, with what no key name may hold replaced.
fn default_origin(dir: &Path) -> String {
    let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let name = absolute.file_name().map(|name| name.to_string_lossy().into_owned());
    let allowed = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let name: String = name.unwrap_or_default().chars().map(allowed).collect();
    format!("bulla.local/{}", if name.is_empty() { "log" } else { &name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_origin_is_a_key_name_whatever_the_directory() {
        for (dir, expected) in [
            ("/srv/audit", "bulla.local/audit"),
            ("/srv/a b+c\n", "bulla.local/a-b-c-"),
            ("/", "bulla.local/log"),
        ] {
            let origin = default_origin(Path::new(dir));
            assert_eq!(origin, expected);
            assert!(KeyName::new(&origin).is_ok());
        }
    }
}
