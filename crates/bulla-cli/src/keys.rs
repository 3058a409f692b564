//! Verifying keys and checkpoints as arguments: the text itself, or a file of it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use bulla::checkpoint::{NOTE_LEN_MAX, UnverifiedCheckpoint, VerifyingKey};
use bulla::keys::{KEY_CHAIN_LEN_MAX, KeyChain};
use bulla::witness::{POLICY_LEN_MAX, Policy};

use crate::open_log;
use crate::outputs::{self, Inputs};

const KEY_FILE_LEN_MAX: u64 = 64 * 1024;

/// Reads `--pubkey`: a verifying key (`NAME+ID+BASE64`), or a file with one a line.
pub(crate) fn verifying_keys(given: &[String]) -> Result<Vec<VerifyingKey>> {
    verifying_keys_of("--pubkey", given)
}

/// The same for an option of another name.
pub(crate) fn verifying_keys_of(option: &str, given: &[String]) -> Result<Vec<VerifyingKey>> {
    let mut keys = Vec::new();
    for text in given {
        match text.parse::<VerifyingKey>() {
            Ok(key) => keys.push(key),
            Err(error) if Path::new(text).exists() => {
                let _ = error; // it is a file's name, not a key
                keys.extend(keys_of_file(Path::new(text))?);
            }
            Err(error) => bail!("{option} {text}: neither a file nor a verifying key: {error}"),
        }
    }
    Ok(keys)
}

fn keys_of_file(path: &Path) -> Result<Vec<VerifyingKey>> {
    let bytes = open_log::read_small(path, KEY_FILE_LEN_MAX)?;
    let text = String::from_utf8(bytes).with_context(|| path.display().to_string())?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let keys: Vec<VerifyingKey> = lines
        .map(|line| line.parse().with_context(|| path.display().to_string()))
        .collect::<Result<_>>()?;
    if keys.is_empty() {
        bail!("{}: expected a verifying key on a line, found none", path.display());
    }
    Ok(keys)
}

/// Reads a checkpoint from a file; its signatures are not checked here.
pub(crate) fn checkpoint(path: &Path) -> Result<UnverifiedCheckpoint> {
    let bytes = open_log::read_small(path, NOTE_LEN_MAX as u64)?;
    let parsed = UnverifiedCheckpoint::parse(&bytes);
    if parsed.is_err()
        && let Some(line) = first_line_of_proof(&bytes)
    {
        bail!(
            "{}: expected a checkpoint (`bulla checkpoint` makes them), found a proof ({line})",
            path.display()
        );
    }
    parsed.with_context(|| path.display().to_string())
}

/// What a proof begins with.
fn first_line_of_proof(bytes: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(bytes).ok()?.lines().next()?;
    let is_proof = line.starts_with("bulla.dev/") || line.starts_with("c2sp.org/");
    is_proof.then_some(line)
}

/// Reads a policy of witnesses.
pub(crate) fn policy(path: &Path) -> Result<Policy> {
    let bytes = open_log::read_small(path, POLICY_LEN_MAX as u64)?;
    Policy::parse(&bytes).with_context(|| path.display().to_string())
}

/// The path of a private key, from the root: the note of what it signs is written beside
/// it, and a bare file name has no directory to write in.
pub(crate) fn private_key(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| path.display().to_string())
}

/// Refuses a key inside the log's directory, or where nothing but a log and the like is written.
pub(crate) fn outside(dir: &Path, key: &Path) -> Result<()> {
    if open_log::real(key).starts_with(open_log::real(dir)) {
        bail!(
            "{} is inside the log: keep the key elsewhere, so that whoever copies the log does \
             not get it, and restoring the log does not forget what was signed",
            key.display()
        );
    }
    outputs::check_new(key, &Inputs::of(dir))
}

/// Reads a key chain; its signatures are not checked here.
pub(crate) fn key_chain(path: &Path) -> Result<KeyChain> {
    let bytes = open_log::read_small(path, KEY_CHAIN_LEN_MAX as u64)?;
    KeyChain::parse(&bytes).with_context(|| path.display().to_string())
}
