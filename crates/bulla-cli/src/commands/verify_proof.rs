//! `bulla verify-proof`: check a proof file, offline.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Result, bail};
use bulla::Trust;
use bulla::checkpoint::VerifiedCheckpoint;
use bulla::proof::{Disclosure, PROOF_LEN_MAX, TlogProof, VerifiedRecord};
use clap::Args;

use crate::failure::{NotProved, Verdict};
use crate::output::{self, Format, Shown};
use crate::{cells, keys, places, records};

#[derive(Args)]
#[command(after_help = "\
Example:
  bulla verify-proof login.tlog-proof --pubkey audit.key.pub

Needs no log and no network. Get the verifying key from somebody you trust, not from
whoever gave you the proof.")]
pub(crate) struct VerifyProof {
    /// The proof file
    file: PathBuf,
    /// The log's verifying key (NAME+ID+BASE64), or a file with it; more for witnesses
    #[arg(long, value_name = "VKEY|FILE", required = true)]
    pubkey: Vec<String>,
    #[command(flatten)]
    shown: Shown,
}

impl VerifyProof {
    pub(crate) fn run(self) -> Result<Verdict> {
        let trust = Trust::in_keys(keys::verifying_keys(&self.pubkey)?);
        let bytes = places::read_small(&self.file, PROOF_LEN_MAX as u64)?;
        let not_proved = |reason: &dyn std::fmt::Display| {
            NotProved(format!("{}: {reason}", self.file.display()))
        };
        let proof = TlogProof::parse(&bytes).map_err(|error| not_proved(&error))?;
        let proved = proof.verify_record(&trust).map_err(|error| not_proved(&error))?;
        let mut out = output::stdout();
        match self.shown.output {
            Format::Table => explain(&mut out, &proved)?,
            Format::Jsonl => writeln!(out, "{}", json(&proved))?,
            Format::Csv => bail!("a verdict has no CSV: choose table or jsonl"),
        }
        out.flush()?;
        Ok(Verdict::Fine)
    }
}

/// Says in plain words what was proved, and what was not.
fn explain(out: &mut impl Write, proved: &VerifiedRecord) -> io::Result<()> {
    let (record, checkpoint) = (proved.record(), proved.inclusion().checkpoint());
    let head = checkpoint.head();
    writeln!(out, "PROVED: the log holds this record, unaltered since the checkpoint was signed.")?;
    writeln!(out)?;
    records::show_event(out, &record.event)?;
    writeln!(out)?;
    let hash = checkpoint.algorithm().name();
    let records = cells::counted(head.size.get(), "record");
    let mut lines = vec![
        ("log", format!("{} (id {})", checkpoint.origin(), proved.log_id())),
        ("position", format!("record {} of the first {records}", record.seq)),
        ("recorded at", format!("{}, as the log claims", record.recorded_at)),
        ("leaf hash", record.leaf_hash.to_string()),
        ("checkpoint", format!("size {}, root {} ({hash})", head.size, head.root)),
    ];
    for key in checkpoint.signers() {
        lines.push(("signed by", format!("{} (key id {})", key.name(), key.id())));
    }
    lines.push(("payload", payload(proved.disclosure()).to_owned()));
    output::facts(out, &lines)
}

fn payload(disclosure: Disclosure) -> &'static str {
    match disclosure {
        Disclosure::Whole => "shown, and part of what was proved",
        Disclosure::WithholdPayload => {
            "withheld: other fields than those above (address, user agent, e-mail, reason, tags, \
             values, details) are not in this file"
        }
    }
}

fn json(proved: &VerifiedRecord) -> String {
    let checkpoint: &VerifiedCheckpoint = proved.inclusion().checkpoint();
    let head = checkpoint.head();
    let signers: Vec<String> = checkpoint.signers().iter().map(ToString::to_string).collect();
    let verdict = serde_json::json!({
        "proved": true,
        "origin": checkpoint.origin(),
        "log_id": proved.log_id().to_string(),
        "payload": match proved.disclosure() {
            Disclosure::Whole => "shown",
            Disclosure::WithholdPayload => "withheld",
        },
        "checkpoint": {
            "size": head.size.get(),
            "root": head.root.to_string(),
            "hash": checkpoint.algorithm().name(),
            "signers": signers,
        },
    });
    // The record as it is, byte for byte: not through a parsed value.
    let verdict = verdict.to_string();
    let open = verdict.strip_suffix('}').unwrap_or(&verdict);
    format!("{open},\"record\":{}}}", proved.record().to_json())
}
