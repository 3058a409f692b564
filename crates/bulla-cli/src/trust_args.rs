//! Whom a verifier believes, as it is given on the command line.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use bulla::Trust;
use bulla::checkpoint::{CheckpointError, VerifyNoteError};
use bulla::trust::TrustError;
use clap::Args;

use crate::failure::NotProved;
use crate::keys;

/// The options that say whom to believe.
#[derive(Args)]
pub(crate) struct Trusted {
    /// The log's verifying key (NAME+ID+BASE64), or a file with it; may be repeated, also for
    /// witnesses
    #[arg(long, value_name = "VKEY|FILE", required_unless_present = "policy")]
    pubkey: Vec<String>,
    /// Believe only what this policy's quorum of witnesses cosigned; without --pubkey, the
    /// policy's logs are those that are believed
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The log's changes of keys, as `bulla key chain` writes them
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
}

impl Trusted {
    /// The files that may be given; a key that is given itself is the name of no file.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        let keys = self.pubkey.iter().map(Path::new);
        keys.chain(self.policy.as_deref()).chain(self.keys.as_deref())
    }

    /// What was given, with the key chain learnt.
    pub(crate) fn trust(&self) -> Result<Trust> {
        let trust = self.pinned()?;
        let Some(file) = &self.keys else { return Ok(trust) };
        let learned = trust.with_key_chain(&keys::key_chain(file)?);
        Ok(learned.map_err(|error| NotProved(format!("{}: {error}", file.display())))?)
    }

    fn pinned(&self) -> Result<Trust> {
        let keys = keys::verifying_keys(&self.pubkey)?;
        let Some(file) = &self.policy else { return Ok(Trust::in_keys(keys)) };
        let policy = keys::policy(file)?;
        if !keys.is_empty() {
            return Ok(Trust::in_keys(keys).with_witnesses(policy));
        }
        if policy.logs().is_empty() {
            bail!("{}: this policy names no log; give the log's key with --pubkey", file.display());
        }
        Ok(Trust::in_policy(policy))
    }
}

/// What was not proved, and what may help if no signature is by a key that is trusted.
pub(crate) fn with_hint(error: &(dyn std::error::Error + 'static), has_chain: bool) -> String {
    let hint = match has_chain {
        true => "a key makes known those that came after it: give an earlier key of the log",
        false => {
            "if the log changed its keys, give its key chain with --keys (`bulla key chain DIR`)"
        }
    };
    let mut cause = Some(error);
    while let Some(found) = cause {
        if found.downcast_ref().is_some_and(is_by_unknown_key) {
            return format!("{error}; {hint}");
        }
        cause = found.source();
    }
    error.to_string()
}

/// Whether no signature is by a key that is trusted.
fn is_by_unknown_key(error: &TrustError) -> bool {
    matches!(
        error,
        TrustError::Checkpoint(
            CheckpointError::LogDidNotSign { .. }
                | CheckpointError::Signature(VerifyNoteError::NoKnownSigner { .. })
        )
    )
}
