//! `bulla verify-proof`: check a proof file, offline.

mod told;
mod verdict;

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use bulla::Trust;
use bulla::proof::{
    BUNDLE_LEN_MAX, Bundle, CatalogProof, ConsistencyProof, TlogProof, VerifiedBundle,
    VerifiedCatalogProof, VerifiedConsistency, VerifiedRecord,
};
use bulla::witness::{POLICY_LEN_MAX, Policy};
use clap::Args;

use crate::failure::{NotProved, Verdict};
use crate::output::{self, Format, Shown};
use crate::{keys, places};

#[derive(Args)]
#[command(after_help = "\
Example:
  bulla verify-proof login.tlog-proof --pubkey audit.key.pub

Takes every file that `bulla prove` writes. Needs no log and no network. Get the
verifying key from somebody you trust, not from whoever gave you the proof.")]
pub(crate) struct VerifyProof {
    /// The proof file
    file: PathBuf,
    /// The log's verifying key (NAME+ID+BASE64), or a file with it; more for witnesses
    #[arg(long, value_name = "VKEY|FILE", required = true)]
    pubkey: Vec<String>,
    /// Believe only what this policy's quorum of witnesses cosigned
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
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
        let trust = Trust::in_keys(keys::verifying_keys(&self.pubkey)?);
        let Some(file) = &self.policy else { return Ok(trust) };
        let bytes = places::read_small(file, POLICY_LEN_MAX as u64)?;
        let policy = Policy::parse(&bytes).with_context(|| file.display().to_string())?;
        Ok(trust.with_witnesses(policy))
    }
}

/// Reads the file as what its first line says it is, and checks it.
fn check(bytes: &[u8], trust: &Trust) -> Result<Proved, String> {
    let first_line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let is = |line: &str| first_line == line.as_bytes();
    if is(Bundle::FIRST_LINE) {
        let bundle = Bundle::parse(bytes).map_err(text)?;
        let proved = Box::new(bundle.verify(trust).map_err(text)?);
        return Ok(Proved::Bundle { proved, note: bundle.note });
    }
    if is(ConsistencyProof::FIRST_LINE) {
        let proof = ConsistencyProof::parse(bytes).map_err(text)?;
        return proof.verify(trust).map(Box::new).map(Proved::Consistency).map_err(text);
    }
    if is(CatalogProof::FIRST_LINE) {
        let proof = CatalogProof::parse(bytes).map_err(text)?;
        return proof.verify(trust).map(Box::new).map(Proved::Catalog).map_err(text);
    }
    let proof = TlogProof::parse(bytes).map_err(text)?;
    proof.verify_record(trust).map(Box::new).map(Proved::Record).map_err(text)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
