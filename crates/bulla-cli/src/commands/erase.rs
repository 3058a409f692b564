//! `bulla erase`: destroy the keys of a subject.

use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::{Result, bail};
use bulla::Attribution;
use bulla::log::ErasureCertificate;
use clap::Args;

use crate::attribution::not_blank;
use crate::failure::{Verdict, although};
use crate::secrets::Secrets;
use crate::{output, text};

#[derive(Args)]
#[command(after_help = "\
Example:
  bulla erase ./audit user:alice --key-store /var/lib/audit.keys \\
      --wrapping-key /secrets/wrapping.key --who dpo@example.com --why 'request 17'

A certificate goes into the log's own history (`bulla history`), then the subject's key is
destroyed. What it encrypted is gone in the log and in all its copies; the records stay, with
who, what and when, and so do their hashes and proofs: `bulla verify` finds nothing amiss.
It cannot be undone. It reaches neither what was appended without a subject, nor identifiers
that were not recorded as aliases, nor copies of the key store: see docs/erasure.md.
Every record is read once, to count those that are erased.")]
pub(crate) struct Erase {
    /// The log; no other process may be writing to it
    dir: PathBuf,
    /// Whose payloads: the subject that they were appended with, such as user:alice
    subject: String,
    #[command(flatten)]
    secrets: Secrets,
    /// Who asks for it; goes into the certificate
    #[arg(long, allow_hyphen_values = true, value_name = "NAME", value_parser = not_blank)]
    who: String,
    /// Why; goes into the certificate. Do not name the subject here
    #[arg(long, allow_hyphen_values = true, value_name = "TEXT", value_parser = not_blank)]
    why: String,
}

impl Erase {
    pub(crate) fn run(self) -> Result<Verdict> {
        if !self.secrets.are_given() {
            bail!(
                "expected --key-store FILE and --wrapping-key FILE: the keys are destroyed there"
            );
        }
        let log = self.secrets.writer(&self.dir)?;
        let done =
            log.retention().erase(&self.subject, &Attribution::by(&self.who).because(&self.why))?;
        let told = tell(&done);
        log.close()?;
        told.map_err(|error| {
            let seq = done.catalog_seq;
            although(error, format!("the keys are destroyed, by certificate {seq}"))
        })?;
        Ok(Verdict::Fine)
    }
}

/// Says what was destroyed.
fn tell(done: &ErasureCertificate) -> io::Result<()> {
    let mut out = output::stdout();
    let ids: Vec<String> = done.key_ids.iter().map(ToString::to_string).collect();
    let erased = match done.records {
        0 => "erased no payload that is in the log".to_owned(),
        records => format!("erased {}", text::counted(records, "payload")),
    };
    writeln!(
        out,
        "{erased}: key {} is destroyed; certificate {} in `bulla history`",
        ids.join(", "),
        done.catalog_seq
    )?;
    writeln!(
        out,
        "what it encrypted in copies, such as archived segments, is unreadable from now on, too"
    )?;
    if done.of_other_keys > 0 {
        writeln!(
            out,
            "{} encrypted with keys that this key store does not have: if the log had another \
             store before, erase the subject with that one, too",
            match done.of_other_keys {
                1 => "1 payload in the log is".to_owned(),
                payloads => format!("{} in the log are", text::counted(payloads, "payload")),
            }
        )?;
    }
    out.flush()
}
