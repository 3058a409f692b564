//! `bulla verify-proof`: check a proof file, offline.

mod told;
mod verdict;
mod wrong_kind;

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Result, bail};
use bulla::Trust;
use bulla::checkpoint::{CheckpointError, VerifyNoteError};
use bulla::proof::{
    BUNDLE_LEN_MAX, Bundle, CatalogProof, ConsistencyProof, TlogProof, VerifiedBundle,
    VerifiedCatalogProof, VerifiedConsistency, VerifiedRecord, VerifyRecordError,
};
use bulla::trust::TrustError;
use clap::Args;

use crate::failure::{NotProved, Verdict};
use crate::output::{self, Format, Shown};
use crate::{keys, places};

#[derive(Args)]
#[command(after_help = "\
Example:
  bulla verify-proof login.tlog-proof --pubkey audit.key.pub

  bulla verify-proof login.tlog-proof --policy trusted.policy
  bulla verify-proof since.bulla-consistency --pubkey audit.key.pub --keys audit.keys

Takes every file that `bulla prove` writes. Needs no log and no network. Get the
verifying key from somebody you trust, not from whoever gave you the proof.

Any key that the log once had will do: proofs of records carry its changes of keys. Other
proofs do not: give them with --keys, as `bulla key chain DIR` writes them. That file needs
no trust, it counts as far as a key that you trust signed it.")]
pub(crate) struct VerifyProof {
    /// The proof file
    file: PathBuf,
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
    #[command(flatten)]
    shown: Shown,
}

/// What a file was found to prove.
enum Proved {
    Record(Box<VerifiedRecord>),
    Bundle { proved: Box<VerifiedBundle>, note: Option<String> },
    Consistency(Box<VerifiedConsistency>),
    Catalog(Box<VerifiedCatalogProof>),
}

impl VerifyProof {
    pub(crate) fn run(self) -> Result<Verdict> {
        let trust = self.trust()?;
        let bytes = places::read_small(&self.file, BUNDLE_LEN_MAX as u64)?;
        let proved = check(&bytes, &trust)
            .map_err(|reason| NotProved(format!("{}: {reason}", self.file.display())))?;
        let mut out = output::stdout();
        match self.shown.output {
            Format::Table => told::tell(&mut out, &proved)?,
            Format::Jsonl => verdict::write(&mut out, &proved)?,
            Format::Csv => bail!("a verdict has no CSV: choose table or jsonl"),
        }
        out.flush()?;
        Ok(Verdict::Fine)
    }

    fn trust(&self) -> Result<Trust> {
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

/// Reads the file as what its first line says it is, and checks it.
fn check(bytes: &[u8], trust: &Trust) -> Result<Proved, String> {
    let first_line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let is = |line: &str| first_line == line.as_bytes();
    let has_chain = trust.epochs().is_some();
    if is(Bundle::FIRST_LINE) {
        let bundle = Bundle::parse(bytes).map_err(text)?;
        let has_chain = has_chain || bundle.extra.key_chain.is_some();
        let proved = bundle.verify(trust).map_err(|error| with_hint(&error, has_chain))?;
        return Ok(Proved::Bundle { proved: Box::new(proved), note: bundle.note });
    }
    if is(ConsistencyProof::FIRST_LINE) {
        let proof = ConsistencyProof::parse(bytes).map_err(text)?;
        let proved = proof.verify(trust).map_err(|error| with_hint(&error, has_chain))?;
        return Ok(Proved::Consistency(Box::new(proved)));
    }
    if is(CatalogProof::FIRST_LINE) {
        let proof = CatalogProof::parse(bytes).map_err(text)?;
        let proved = proof.verify(trust).map_err(|error| with_hint(&error, has_chain))?;
        return Ok(Proved::Catalog(Box::new(proved)));
    }
    if let Some(kind) = wrong_kind::of(bytes) {
        return Err(kind.to_owned());
    }
    let proof = TlogProof::parse(bytes).map_err(text)?;
    let has_chain = has_chain || proof.read_extra().is_ok_and(|extra| extra.key_chain.is_some());
    let proved = proof.verify_record(trust).map_err(|error| with_hint(&error, has_chain))?;
    Ok(Proved::Record(Box::new(proved)))
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// What does not hold, and what may help if nobody signed whom the verifier knows.
fn with_hint(error: &(dyn std::error::Error + 'static), has_chain: bool) -> String {
    let hint = match has_chain {
        true => "a key makes known those that came after it: give an earlier key of the log",
        false => {
            "if the log changed its keys, give its key chain with --keys (`bulla key chain DIR`)"
        }
    };
    let mut cause = Some(error);
    while let Some(found) = cause {
        if let Some(VerifyRecordError::Proof(error)) = found.downcast_ref() {
            cause = Some(error); // it names no source
            continue;
        }
        if found.downcast_ref().is_some_and(is_by_unknown_key) {
            return format!("{error}; {hint}");
        }
        cause = found.source();
    }
    error.to_string()
}

/// Whether nobody signed whom the verifier knows.
fn is_by_unknown_key(error: &TrustError) -> bool {
    matches!(
        error,
        TrustError::Checkpoint(
            CheckpointError::LogDidNotSign { .. }
                | CheckpointError::Signature(VerifyNoteError::NoKnownSigner { .. })
        )
    )
}
