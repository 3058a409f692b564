//! `bulla verify-proof`: check a proof file, offline.

mod answer;
mod audit;
mod told;
mod verdict;
mod wrong_kind;

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Result, bail};
use bulla::Trust;
use bulla::proof::{
    ANSWER_LEN_MAX, Answer, BUNDLE_LEN_MAX, Bundle, CatalogProof, ConsistencyProof, TlogProof,
    VerifiedAnswer, VerifiedBundle, VerifiedCatalogProof, VerifiedConsistency, VerifiedRecord,
};
use clap::Args;

use self::audit::Audit;
use crate::failure::{NotProved, Verdict};
use crate::open_log;
use crate::output::{self, Format, Shown};
use crate::trust_args::{Trusted, with_hint};

#[derive(Args)]
#[command(after_help = "\
Examples:
  bulla verify-proof login.tlog-proof --pubkey audit.key.pub
  bulla verify-proof login.tlog-proof --policy trusted.policy
  bulla verify-proof since.bulla-consistency --pubkey audit.key.pub --keys audit.keys
  bulla verify-proof alice.bulla-answer --pubkey audit.key.pub
  bulla verify-proof alice.bulla-answer --pubkey audit.key.pub \\
    --audit audit.index-audit --auditor auditor.key.pub

Takes every file that `bulla prove` and `bulla query --prove` write. Needs no log and no network.
Get the verifying key from a person you trust, not from the person who gave you the proof.

The key that signed will do, and so will any that the log had before it: proofs of records carry
the changes of keys. Other proofs do not: give them with --keys, as `bulla key chain DIR` writes
them. That file needs no trust, it counts as far as a key that you trust signed it. A key that came
after the one that signed does not show that one: for a proof under an older checkpoint, pin a key
of that time or an older one.

Of an answer, the records that match are listed; the question and the verdict are told with
them, or on standard error if --output is not table. The question is what the file says: it must
be the one that you asked. The verdict's first line names the records that the log had dropped:
nothing is said of them. If those are all that the answer covers, or it covers no record, nothing is
proved, and the status is 1. An audit counts only if its key is none of the log's own.")]
pub(crate) struct VerifyProof {
    /// The proof file
    file: PathBuf,
    #[command(flatten)]
    trusted: Trusted,
    /// Of an answer: an audit of the log's indexes, as `bulla audit` writes it, which must
    /// cover all that the answer rests on
    #[arg(long, value_name = "FILE", requires = "auditor")]
    audit: Option<PathBuf>,
    /// The auditor's verifying key, or a file with it
    #[arg(long, value_name = "VKEY|FILE", requires = "audit")]
    auditor: Vec<String>,
    #[command(flatten)]
    shown: Shown,
}

/// No proof is longer.
const FILE_LEN_MAX: usize =
    if ANSWER_LEN_MAX > BUNDLE_LEN_MAX { ANSWER_LEN_MAX } else { BUNDLE_LEN_MAX };

/// What a file was found to prove.
enum Proved {
    Record(Box<VerifiedRecord>),
    Bundle { proved: Box<VerifiedBundle>, note: Option<String> },
    Consistency(Box<VerifiedConsistency>),
    Catalog(Box<VerifiedCatalogProof>),
    Answer(Box<VerifiedAnswer>),
}

impl VerifyProof {
    pub(crate) fn run(self) -> Result<Verdict> {
        let trust = self.trusted.trust()?;
        let audit =
            self.audit.as_deref().map(|file| Audit::read(file, &self.auditor)).transpose()?;
        let bytes = open_log::read_small(&self.file, FILE_LEN_MAX as u64)?;
        let proved = check(&bytes, &trust)
            .map_err(|reason| NotProved(format!("{}: {reason}", self.file.display())))?;
        if let Proved::Answer(proved) = &proved {
            return answer::tell(proved, audit.as_ref(), self.shown.format());
        }
        if audit.is_some() {
            bail!(
                "--audit goes with the answer to a query; nothing else rests on an index, and {} \
                 is no answer",
                self.file.display()
            );
        }
        let mut out = output::stdout();
        match self.shown.format() {
            Format::Table => told::tell(&mut out, &proved)?,
            Format::Jsonl => verdict::write(&mut out, &proved)?,
            Format::Csv | Format::RawCsv => bail!("a verdict has no CSV: choose table or jsonl"),
        }
        out.flush()?;
        Ok(Verdict::Fine)
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
    if is(Answer::FIRST_LINE) {
        let answer = Answer::parse(bytes).map_err(text)?;
        let has_chain = has_chain || answer.bundle.extra.key_chain.is_some();
        let proved = answer.verify(trust).map_err(|error| with_hint(&error, has_chain))?;
        return Ok(Proved::Answer(Box::new(proved)));
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
