//! `bulla verify-proof`: check a proof file, offline.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Result, bail};
use bulla::disclosure::{self, PayloadShown, VerifiedRecord};
use bulla::proof::{PROOF_LEN_MAX, TlogProof};
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
        let keys = keys::verifying_keys(&self.pubkey)?;
        let bytes = places::read_small(&self.file, PROOF_LEN_MAX as u64)?;
        let not_proved = |reason: &dyn std::fmt::Display| {
            NotProved(format!("{}: {reason}", self.file.display()))
        };
        let proof = TlogProof::parse(&bytes).map_err(|error| not_proved(&error))?;
        let proved = disclosure::verify(&proof, &keys).map_err(|error| not_proved(&error))?;
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
pub(crate) fn explain(out: &mut impl Write, proved: &VerifiedRecord) -> io::Result<()> {
    let head = proved.checkpoint.head();
    writeln!(out, "PROVED: the log holds this record, unaltered since the checkpoint was signed.")?;
    writeln!(out)?;
    records::show_event(out, &proved.event)?;
    writeln!(out)?;
    let mut lines = vec![
        ("log", proved.checkpoint.origin().to_owned()),
        (
            "position",
            format!(
                "record {} of the first {}",
                proved.seq,
                cells::counted(head.size.get(), "record")
            ),
        ),
        ("recorded at", format!("{}, as the log claims", proved.recorded_at)),
        ("leaf hash", proved.leaf_hash.to_string()),
        ("checkpoint", format!("size {}, root {} ({})", head.size, head.root, algorithm(proved))),
    ];
    for key in proved.checkpoint.signers() {
        lines.push(("signed by", format!("{} (key id {})", key.name(), key.id())));
    }
    lines.push(("payload", payload(proved).to_owned()));
    output::facts(out, &lines)
}

fn algorithm(proved: &VerifiedRecord) -> &'static str {
    proved.checkpoint.algorithm().name()
}

fn payload(proved: &VerifiedRecord) -> &'static str {
    match proved.payload {
        PayloadShown::Shown => "shown, and part of what was proved",
        PayloadShown::Withheld => {
            "withheld: address, user agent, e-mail, values and details are not in this file"
        }
        #[allow(unreachable_patterns)]
        _ => "of a kind this version does not know",
    }
}

fn json(proved: &VerifiedRecord) -> String {
    let head = proved.checkpoint.head();
    let signers: Vec<String> =
        proved.checkpoint.signers().iter().map(ToString::to_string).collect();
    let event: serde_json::Value =
        serde_json::from_str(&proved.event.to_json()).unwrap_or_default();
    serde_json::json!({
        "proved": true,
        "origin": proved.checkpoint.origin(),
        "seq": proved.seq.get(),
        "recorded_at": proved.recorded_at.to_string(),
        "leaf_hash": proved.leaf_hash.to_string(),
        "payload": if proved.payload == PayloadShown::Shown { "shown" } else { "withheld" },
        "checkpoint": {
            "size": head.size.get(),
            "root": head.root.to_string(),
            "hash": algorithm(proved),
            "signers": signers,
        },
        "event": event,
    })
    .to_string()
}
