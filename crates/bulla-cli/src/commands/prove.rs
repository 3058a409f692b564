//! `bulla prove`: write a file that proves something of the log to a stranger.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use bulla::checkpoint::UnverifiedCheckpoint;
use bulla::proof::{CARRIED_KEY_CHAIN_LEN_MAX, CatalogClaim, Disclosure};
use bulla::seq::{Seq, TreeSize};
use bulla::{Error, LogReader};
use clap::Args;

use crate::failure::{NotProved, Verdict, although};
use crate::output;
use crate::outputs::{Inputs, Output};
use crate::secrets::Secrets;
use crate::{keys, numbers, terminal, text};

#[derive(Args)]
#[command(after_help = "\
Examples:
  bulla prove ./audit 41 -o login.tlog-proof --withhold-payload
  bulla prove ./audit 41 57 60 -o logins.bulla-bundle
  bulla prove ./audit 57 -o login.tlog-proof --after monday.checkpoint
  bulla prove ./audit --from monday.checkpoint -o since-monday.bulla-consistency
  bulla prove ./audit --state segment/0000000000000001 -o sealed.bulla-catalog-proof

The file holds the record, the hashes that lead from it to a checkpoint, and the
checkpoint; several records share them in a bundle. With --withhold-payload it shows who
did what to what and when, but not the address, user agent, e-mail, values and details.")]
pub(crate) struct Prove {
    /// The log
    dir: PathBuf,
    /// The positions of the records, from 0; of several, a bundle is made
    #[arg(allow_negative_numbers = true, value_parser = numbers::seq,
          required_unless_present_any = ["from", "catalog", "state"])]
    seqs: Vec<Seq>,
    /// The proof file to write; - is standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    secrets: Secrets,
    /// Prove without showing payloads
    #[arg(long)]
    withhold_payload: bool,
    /// Prove it against this checkpoint [default: the latest published one]
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Prove also that the records came after this checkpoint
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "catalog", "state"])]
    after: Option<PathBuf>,
    /// Prove that nothing was altered since this checkpoint: its file, or the size of one
    /// that was published
    #[arg(long, allow_hyphen_values = true, value_name = "SIZE|FILE", conflicts_with_all = ["seqs", "catalog", "state"])]
    from: Option<String>,
    /// Prove this record of the log's own history
    #[arg(long, allow_hyphen_values = true, value_name = "N", value_parser = numbers::seq, conflicts_with_all = ["seqs", "state"])]
    catalog: Option<Seq>,
    /// Prove what is in force under this key of the log's state, or that nothing is: `log`,
    /// `keys`, `policy`, `protection`, `key/VKEY`, `hold/CASE`, `segment/ORDINAL`, `drop/ORDINAL` or
    /// `archive/ORDINAL` with the ordinal in 16 hexadecimal digits, `erased/KEYID`
    #[arg(long, allow_hyphen_values = true, value_name = "KEY", conflicts_with = "seqs")]
    state: Option<String>,
}

/// What was written.
struct Written {
    what: String,
    text: String,
}

impl Prove {
    pub(crate) fn run(self) -> Result<Verdict> {
        let output = Output::check(&self.output, &self.inputs())?;
        let reader = self.secrets.reader(&self.dir)?;
        let checkpoint = match &self.checkpoint {
            Some(file) => own_checkpoint(&reader, file)?,
            None => self.latest(&reader)?,
        };
        let size = checkpoint.dangerously_unverified().head().size;
        if let Some(seq) = self.seqs.iter().find(|seq| !size.covers(**seq)) {
            bail!(
                "record {seq} came after the checkpoint, which covers {}; run `bulla checkpoint {} \
                 --key FILE` first",
                text::counted(size.get(), "record"),
                self.dir.display()
            );
        }
        let proved = self.prove(&reader, &checkpoint);
        let Written { what, text } =
            proved.map_err(|error| with_advice(error, &self.dir, &self.seqs))?;
        output.write(&text)?;
        writeln!(
            output::stderr(),
            "bulla: proved {what} under the checkpoint of {} in {} ({})",
            text::counted(size.get(), "record"),
            self.output.display(),
            text::counted(text.len() as u64, "byte")
        )?;
        Ok(Verdict::Fine)
    }

    fn inputs(&self) -> Inputs {
        let from = self.from.as_deref().map(Path::new);
        let kept = [self.checkpoint.as_deref(), self.after.as_deref(), from];
        Inputs::of(&self.dir).files(kept.into_iter().flatten()).files(self.secrets.files())
    }

    fn prove(&self, reader: &LogReader, checkpoint: &UnverifiedCheckpoint) -> Result<Written> {
        let disclosure = match self.withhold_payload {
            true => Disclosure::WithholdPayload,
            false => Disclosure::Whole,
        };
        if let Some(from) = &self.from {
            let older = self.older(reader, from)?;
            let size = older.dangerously_unverified().head().size.get();
            let what = format!("that the first {} are unaltered", text::counted(size, "record"));
            let text = reader.snapshot().prove_consistency(&older, checkpoint)?.to_text();
            return Ok(Written { what, text });
        }
        if let Some(seq) = self.catalog {
            let text =
                reader.snapshot().prove_catalog_record(seq, checkpoint, disclosure)?.to_text();
            return Ok(Written { what: format!("record {seq} of the catalog"), text });
        }
        if let Some(key) = &self.state {
            check_state_key(key)?;
            let proof = reader.snapshot().prove_state_entry(key, checkpoint)?;
            let what = match proof.statement.claim {
                CatalogClaim::NotInForce { .. } => {
                    format!("that nothing is in force under {key:?}")
                }
                _ => format!("what is in force under {key:?}"),
            };
            return Ok(Written { what, text: proof.to_text() });
        }
        self.records(reader, checkpoint, disclosure)
    }

    fn records(
        &self,
        reader: &LogReader,
        checkpoint: &UnverifiedCheckpoint,
        disclosure: Disclosure,
    ) -> Result<Written> {
        let snapshot = reader.snapshot();
        let appended_after = match &self.after {
            Some(file) => {
                let earlier = own_checkpoint(reader, file)?;
                self.check_comes_after(file, &earlier)?;
                Some(snapshot.appended_after(&earlier, checkpoint)?)
            }
            None => None,
        };
        if let [seq] = self.seqs[..] {
            let mut proof = snapshot.prove(seq, checkpoint, disclosure)?;
            let mut extra = proof.read_extra()?;
            extra.appended_after = appended_after;
            extra.key_chain = key_chain(reader)?;
            proof.set_extra(&extra);
            return Ok(Written { what: format!("record {seq}"), text: proof.to_text() });
        }
        let mut bundle = snapshot.prove_many(&self.seqs, checkpoint, disclosure)?;
        bundle.extra.appended_after = appended_after;
        bundle.extra.key_chain = key_chain(reader)?;
        let what = text::counted(bundle.records.len() as u64, "record");
        Ok(Written { what, text: bundle.to_text() })
    }

    fn check_comes_after(&self, file: &Path, earlier: &UnverifiedCheckpoint) -> Result<()> {
        let size = earlier.dangerously_unverified().head().size;
        match self.seqs.iter().find(|seq| size.covers(**seq)) {
            Some(seq) => bail!(
                "{}: this checkpoint covers record {seq} already, so it cannot show that the \
                 record came after it",
                file.display()
            ),
            None => Ok(()),
        }
    }

    /// The checkpoint that `--from` names.
    fn older(&self, reader: &LogReader, from: &str) -> Result<UnverifiedCheckpoint> {
        if from.parse::<i64>().is_ok_and(|size| size < 0) {
            bail!("--from: expected a size, 0 or more, or the file of a checkpoint, found {from}");
        }
        let Ok(size) = from.parse::<TreeSize>() else {
            return own_checkpoint(reader, Path::new(from));
        };
        match reader.checkpoints().of_size(size)? {
            Some(checkpoint) => Ok(checkpoint),
            None => bail!(
                "no checkpoint of {} was published; {}/checkpoints holds those that were",
                text::counted(size.get(), "record"),
                self.dir.display()
            ),
        }
    }

    /// The latest published checkpoint: it covers more than every earlier one.
    fn latest(&self, reader: &LogReader) -> Result<UnverifiedCheckpoint> {
        if let Some(seq) = self.seqs.iter().find(|seq| !reader.size().covers(**seq)) {
            reader.snapshot().get(*seq)?; // says how many there are
        }
        latest_checkpoint(reader, &self.dir)
    }
}

/// What to do where records have expired that a proof needs.
pub(super) fn with_advice(error: anyhow::Error, dir: &Path, asked_for: &[Seq]) -> anyhow::Error {
    let Some(Error::Expired { certificate, .. }) = error.downcast_ref() else { return error };
    let (first, end) = (certificate.start.size.next_seq(), certificate.end.size);
    let dir = dir.display();
    let advice = match asked_for.iter().any(|seq| first <= *seq && end.covers(*seq)) {
        true => format!(
            "what expired cannot be proved, but that it went can: sign a head (`bulla checkpoint \
             {dir} --key FILE`), then `bulla prove {dir} --state drop/{:016x} -o FILE`; `bulla \
             restore` brings the segment back from an archive",
            certificate.ordinal
        ),
        false => format!(
            "the checkpoint was signed before that, so it does not cover the drop: `bulla \
             checkpoint {dir} --key FILE --seal` signs a head that does; prove under that one"
        ),
    };
    although(error, advice)
}

/// Refuses a key that no entry can have: the proof that it is not in force would be true, and an
/// answer to another question than the one that was meant.
fn check_state_key(key: &str) -> Result<()> {
    let digits = |text: &str, count| {
        text.len() == count && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let known = match key.split_once('/') {
        None => matches!(key, "log" | "keys" | "policy" | "protection"),
        Some(("segment" | "drop" | "archive", ordinal)) => digits(ordinal, 16),
        Some(("erased", id)) => digits(id, 32),
        Some(("key" | "hold", name)) => !name.is_empty(),
        Some(_) => false,
    };
    if known {
        return Ok(());
    }
    bail!(
        "--state {}: no entry has such a key; expected log, keys, policy, protection, \
         segment/N, drop/N or archive/N with N as 16 lower-case hexadecimal digits \
         (segment 1 is segment/{:016x}), key/VKEY, hold/CASE, or erased/ and 32 hexadecimal digits",
        terminal::plain(key),
        1
    )
}

/// The latest published checkpoint; says how to make one if there is none.
pub(super) fn latest_checkpoint(reader: &LogReader, dir: &Path) -> Result<UnverifiedCheckpoint> {
    match reader.checkpoints().latest()? {
        Some(checkpoint) => Ok(checkpoint),
        None => bail!(
            "no checkpoint was published yet; run `bulla checkpoint {} --key FILE` first",
            dir.display()
        ),
    }
}

/// Reads a checkpoint that was kept elsewhere, which must be of this log, and within it.
pub(super) fn own_checkpoint(reader: &LogReader, file: &Path) -> Result<UnverifiedCheckpoint> {
    let checkpoint = keys::checkpoint(file)?;
    let claim = checkpoint.dangerously_unverified();
    let (origin, own) = (claim.origin(), reader.origin());
    let chain = reader.snapshot().catalog().key_chain()?;
    let is_former = || chain.dangerously_unverified().any(|former| former.origin == origin);
    if origin != own && !is_former() {
        bail!("{} is a checkpoint of {origin}, this log is {own}", file.display());
    }
    let (covers, holds) = (claim.head().size, reader.size());
    if covers > holds {
        return Err(NotProved(format!(
            "{} covers {}, the log holds {}: rolled back, forked, or another log; keep {}, it is \
             the evidence",
            file.display(),
            text::counted(covers.get(), "record"),
            text::count(holds.get()),
            file.display(),
        ))
        .into());
    }
    Ok(checkpoint)
}

/// The log's changes of keys, so that whoever trusts its first key believes a later one.
pub(super) fn key_chain(reader: &LogReader) -> Result<Option<Vec<u8>>> {
    let chain = reader.snapshot().catalog().key_chain()?;
    if chain.is_empty() {
        return Ok(None);
    }
    let text = chain.to_text().into_bytes();
    if text.len() > CARRIED_KEY_CHAIN_LEN_MAX {
        writeln!(
            output::stderr(),
            "bulla: the key chain ({}) is too long for a proof to carry: give verifiers the one of \
             `bulla key chain`, for --keys",
            text::counted(text.len() as u64, "byte")
        )?;
        return Ok(None);
    }
    Ok(Some(text))
}
