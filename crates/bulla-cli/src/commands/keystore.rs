//! `bulla keystore`: the keys of those whose payloads are encrypted.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use bulla::KeyStore;
use bulla::keystore::StoredSubject;
use clap::{Args, Subcommand};

use crate::failure::Verdict;
use crate::output::{self, Column, Listing, Row, Shown};
use crate::outputs::{self, Inputs};
use crate::secrets::wrapping_key;
use crate::{open_log, terminal, text};

#[derive(Args)]
#[command(after_help = "\
Examples:
  bulla keygen /secrets/wrapping.key --wrapping
  bulla keystore create /var/lib/audit.keys --wrapping-key /secrets/wrapping.key
  bulla append ./audit --actor user:alice --action profile.edit --resource profile/1 \\
      --subject user:alice --key-store /var/lib/audit.keys --wrapping-key /secrets/wrapping.key
  bulla erase ./audit user:alice --key-store /var/lib/audit.keys \\
      --wrapping-key /secrets/wrapping.key --who dpo@example.com --why 'request 17'

The store holds a key for each subject. `bulla erase` destroys one, and with it every payload
that it encrypts, in the log and in all its copies. So the store stays out of the log's
backups: back it up by itself, and for no longer than an erasure may take. The wrapping key
encrypts the store; keep the two apart. Who loses either loses the payloads.")]
pub(crate) struct Keystore {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Make an empty key store
    Create(Create),
    /// List the subjects that have keys
    List(List),
    /// Encrypt the store under another wrapping key
    Rewrap(Rewrap),
}

impl Keystore {
    pub(crate) fn run(self) -> Result<Verdict> {
        match self.verb {
            Verb::Create(args) => args.run(),
            Verb::List(args) => args.run(),
            Verb::Rewrap(args) => args.run(),
        }
    }
}

#[derive(Args)]
#[command(after_help = "\
Example:
  bulla keystore create /var/lib/audit.keys --wrapping-key /secrets/wrapping.key")]
struct Create {
    /// The store to make; must not exist, and not be inside a log
    file: PathBuf,
    /// The key that it is encrypted under (`bulla keygen FILE --wrapping`)
    #[arg(long, value_name = "FILE")]
    wrapping_key: PathBuf,
}

impl Create {
    fn run(self) -> Result<Verdict> {
        outputs::check_new(&self.file, &Inputs::default().files([&self.wrapping_key]))
            .context("a key store stays out of backups of the log")?;
        KeyStore::create(&self.file, &wrapping_key(&self.wrapping_key)?)?;
        let mut out = output::stdout();
        writeln!(out, "{}: an empty key store; keep it out of the log's backups", {
            terminal::path(&self.file)
        })?;
        out.flush()?;
        Ok(Verdict::Fine)
    }
}

#[derive(Args)]
#[command(after_help = "\
Example:
  bulla keystore list /var/lib/audit.keys --wrapping-key /secrets/wrapping.key")]
struct List {
    /// The store; works while a service has it open
    file: PathBuf,
    /// The key that it is encrypted under
    #[arg(long, value_name = "FILE")]
    wrapping_key: PathBuf,
    #[command(flatten)]
    shown: Shown,
}

/// A subject in a listing.
struct Listed(StoredSubject);

impl Row for Listed {
    const COLUMNS: &'static [Column] =
        &[Column::elastic("SUBJECT"), Column::fixed("KEY"), Column::fixed("SINCE")];
    const FIELDS: &'static [&'static str] = &["subject", "key_id", "created_at"];

    fn cells(&self) -> Vec<String> {
        let since = text::seconds(self.0.created_at);
        vec![self.0.subject.clone(), self.0.key_id.to_string(), since]
    }

    fn fields(&self) -> Vec<String> {
        let since = self.0.created_at.to_string();
        vec![self.0.subject.clone(), self.0.key_id.to_string(), since]
    }

    fn json(&self) -> String {
        serde_json::json!({
            "subject": self.0.subject,
            "key_id": self.0.key_id.to_string(),
            "created_at": self.0.created_at.to_string(),
        })
        .to_string()
    }
}

impl List {
    fn run(self) -> Result<Verdict> {
        let key = wrapping_key(&self.wrapping_key)?;
        let store = KeyStore::open_read_only(&self.file, &key)?;
        let mut out = output::stdout();
        let mut listing = Listing::new(&mut out, self.shown.format());
        for subject in store.subjects() {
            listing.row(&Listed(subject))?;
        }
        listing.finish()?;
        Ok(Verdict::Fine)
    }
}

#[derive(Args)]
#[command(after_help = "\
Example:
  bulla keystore rewrap /var/lib/audit.keys --wrapping-key old.key --new-wrapping-key new.key

Only the store is encrypted again, no payload. The old wrapping key still opens old copies of
the store: destroy them, or it.")]
struct Rewrap {
    /// The store; no other process may have it open for writing
    file: PathBuf,
    /// The key that it is encrypted under
    #[arg(long, value_name = "FILE")]
    wrapping_key: PathBuf,
    /// The key that it shall be encrypted under
    #[arg(long, value_name = "FILE")]
    new_wrapping_key: PathBuf,
}

impl Rewrap {
    fn run(self) -> Result<Verdict> {
        if open_log::real(&self.wrapping_key) == open_log::real(&self.new_wrapping_key) {
            bail!("--new-wrapping-key: expected another key than --wrapping-key, found the same");
        }
        let store = KeyStore::open(&self.file, &wrapping_key(&self.wrapping_key)?)?;
        store.rewrap(&wrapping_key(&self.new_wrapping_key)?)?;
        let mut out = output::stdout();
        let subjects = u64::try_from(store.subjects().len()).unwrap_or(u64::MAX);
        writeln!(
            out,
            "{}: keys of {} are encrypted under the new key",
            terminal::path(&self.file),
            text::counted(subjects, "subject")
        )?;
        out.flush()?;
        Ok(Verdict::Fine)
    }
}
