//! `bulla checkpoint`: sign what the log holds now, and publish it.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use bulla::{Log, Query, Seq, Signer, UnverifiedCheckpoint};
use clap::Args;

use crate::cosigning::{self, Cosigning};
use crate::failure::Verdict;
use crate::outputs::{Begun, Inputs, Output};
use crate::{keys, open_log, output, text};

#[derive(Args)]
#[command(after_help = "\
Examples:
  bulla checkpoint ./audit --key ./audit.key -o audit.checkpoint
  bulla checkpoint ./audit --key ./audit.key --policy witnesses.policy
  bulla checkpoint ./audit --policy witnesses.policy
  bulla checkpoint ./audit --key ./audit.key --seal

The checkpoint is kept in the log and printed (or written to FILE). Keep copies where
whoever can alter the log cannot reach them: they are what an alteration is measured by.

With --policy, its witnesses are asked to cosign, and their cosignatures are kept with the
checkpoint; the exit status is 1 if the policy's quorum is not reached. Without --key this
is done for the newest published checkpoint, also while a service writes to the log. What is
printed (or written to FILE) is always the log's newest checkpoint. Witnesses cosign the
checkpoints of SHA-256 logs only: with a BLAKE3 log, --policy is refused before anything is
signed.

Answers are proved complete as far as the log was sealed when it was signed. With --seal the
segment that is being written is sealed first, so that all that was appended so far can be.")]
pub(crate) struct Checkpoint {
    /// The log; to sign, no other process may be writing to it
    dir: PathBuf,
    /// The private key, as made by `bulla keygen`
    #[arg(long, value_name = "FILE", required_unless_present = "policy")]
    key: Option<PathBuf>,
    /// Seal the segment that is being written first, so that answers from all records so far
    /// can be proved complete (`bulla query --prove`)
    #[arg(long, requires = "key")]
    seal: bool,
    /// Write the checkpoint here instead of printing it
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Ask the witnesses of this policy to cosign (the form of C2SP tlog-policy)
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Where a witness of the policy is, if not where the policy says; may be repeated
    #[arg(long, value_name = "NAME=URL", requires = "policy", value_parser = cosigning::place)]
    witness: Vec<(String, String)>,
}

impl Checkpoint {
    pub(crate) fn run(self) -> Result<Verdict> {
        let output = self.output()?;
        let policy = match &self.policy {
            Some(path) => Some(Cosigning::read(path, &self.witness)?),
            None => None,
        };
        let Some(key) = &self.key else {
            let Some(policy) = policy else { bail!("expected --key FILE or --policy FILE") };
            let output = output.as_ref().map(Output::begin).transpose()?;
            let cosigned = policy.ask(&self.dir, None)?;
            self.show(output, &cosigned.text)?;
            return Ok(cosigned.verdict);
        };
        let signer = Signer::load(&keys::private_key(key)?)?;
        if policy.is_some()
            && let Some(found) = signer.verifying_key().kind().head_algorithm()
        {
            cosigning::check_algorithm(key, found).context("nothing was signed")?;
        }
        // Begun before signing: what is signed cannot be taken back.
        let output =
            output.as_ref().map(Output::begin).transpose().context("nothing was signed")?;
        let signed = self.sign(key, &signer)?;
        let text = signed.to_text();
        let Some(policy) = policy else {
            self.show(output, &text)?;
            return Ok(Verdict::Fine);
        };
        let cosigned = policy.ask(&self.dir, Some((signed, signer.verifying_key())));
        // Signed it is, whatever the witnesses do.
        let shown = cosigned.as_ref().map_or(&text, |cosigned| &cosigned.text);
        self.show(output, shown)?;
        Ok(cosigned?.verdict)
    }

    /// Where the checkpoint goes, if not to standard output.
    fn output(&self) -> Result<Option<Output>> {
        let inputs = Inputs::of(&self.dir).keys(&self.key).files(&self.policy);
        let check = |file| Output::check(file, &inputs).context("nothing was signed");
        self.output.as_deref().map(check).transpose()
    }

    fn sign(&self, key: &Path, signer: &Signer) -> Result<UnverifiedCheckpoint> {
        let log = open_log::writer(&self.dir)?;
        let name = signer.verifying_key().name().as_str();
        if name != log.origin() {
            bail!(
                "{}: expected a key of {}, the origin of this log, found one of {name}; make one \
                 with `bulla keygen FILE --log {}`",
                key.display(),
                log.origin(),
                self.dir.display()
            );
        }
        let sealed = if self.seal { seal(&log)? } else { None };
        let signed = log.checkpoint(signer)?;
        log.close()?;
        match sealed {
            Some(records) => writeln!(output::stderr(), "bulla: sealed {records}")?,
            None if self.seal => {
                writeln!(
                    output::stderr(),
                    "bulla: nothing to seal: no event came since the last seal"
                )?;
            }
            None => {}
        }
        let records = text::counted(signed.head().size.get(), "record");
        writeln!(output::stderr(), "bulla: signed {records} as {name}")?;
        Ok(signed.into_unverified())
    }

    fn show(&self, output: Option<Begun>, text: &str) -> Result<()> {
        match output {
            Some(mut output) => {
                output.write(text).and_then(|()| output.finish()).with_context(|| {
                    let kept = self.dir.join("checkpoints");
                    format!("the checkpoint was signed, and is in {}", kept.display())
                })
            }
            None => {
                let mut out = output::stdout();
                out.write_all(text.as_bytes())?;
                Ok(out.flush()?)
            }
        }
    }
}

/// Seals the segment that is being written, if an event is in it: a checkpoint adds a record
/// of the log's own, and those alone are no reason. Says what was sealed.
fn seal(log: &Log) -> Result<Option<String>> {
    let Some(active) = log.snapshot().segments()?.pop().filter(|segment| !segment.sealed) else {
        return Ok(None);
    };
    let events = Query::new().oldest_first();
    let before = active.first.get().checked_sub(1).map(Seq::new);
    let events = match before.and_then(|before| events.cursor_after(before)) {
        Some(cursor) => events.after(cursor),
        None => events,
    };
    if log.snapshot().query(&events)?.next().transpose()?.is_none() {
        return Ok(None);
    }
    log.rotate()?;
    let count = text::counted(active.count, "record");
    Ok(Some(format!("segment {} of {count}, from record {} on", active.ordinal, active.first)))
}
