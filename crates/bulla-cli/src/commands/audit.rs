//! `bulla audit`: recompute the index roots of an exported log from its entries, and sign
//! what was found.

mod checkpoints;
mod recomputed;
mod tiles;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use bulla::checkpoint::{
    NOTE_LEN_MAX, SignatureKind, SigningKey, UnverifiedCheckpoint, VerifiedCheckpoint,
};
use bulla::proof::{AuditedSegment, IndexAudit};
use bulla::{HashAlgorithm, TreeHead, TreeSize, Trust};
use bulla_cli::export::{ListedSegment, SegmentList};
use clap::Args;

use crate::failure::{NotProved, Verdict};
use crate::outputs::{Inputs, Mark, Output};
use crate::trust_args::{Trusted, with_hint};
use crate::{instead, keys, open_log, output, progress, terminal, text};
use checkpoints::Checkpoints;
use recomputed::Recomputed;

#[derive(Args)]
#[command(after_help = "\
Examples:
  bulla keygen auditor.key --origin auditor.example/ann
  bulla audit ./public --pubkey audit.key.pub --key auditor.key -o audit.index-audit
  bulla audit ./public --pubkey audit.key.pub

Reads a directory that `bulla export-tiles` wrote, or a copy of one; needs no log and no payload.
Every entry is hashed, all together must lead to the root of the signed checkpoint, and every tile
of its tree must have the hashes that they lead to. Earlier checkpoints must have the roots that
the first entries lead to, and no wrong signature by a given key; their partial tiles are not read.
Then the index of each sealed segment is computed again from its entries and compared with the root
that the log recorded. If all is as it must be, the audit is signed with a key of the auditor's own,
and `bulla verify-proof --audit` shows that an answer rests on nothing else. Without --key nothing
is signed. A BLAKE3 log has no such export: on its machine `bulla verify` compares the same.")]
pub(crate) struct Audit {
    /// The exported directory
    dir: PathBuf,
    #[command(flatten)]
    trusted: Trusted,
    /// The auditor's own private key, as made by `bulla keygen`; not the log's
    #[arg(long, value_name = "FILE", requires = "output")]
    key: Option<PathBuf>,
    /// The audit to write
    #[arg(short, long, value_name = "FILE", requires = "key")]
    output: Option<PathBuf>,
    /// Show no progress bar
    #[arg(long)]
    no_progress: bool,
}

impl Audit {
    pub(crate) fn run(self) -> Result<Verdict> {
        let inputs = Inputs::of(&self.dir).files(self.trusted.files()).keys(&self.key);
        let output =
            self.output.as_deref().map(|file| Output::check_apart(file, &inputs)).transpose()?;
        let trust = self.trusted.trust()?;
        // Before the checkpoint, which is replaced first: so it covers what is listed.
        let list = self.list()?;
        let checkpoint = self.checkpoint()?;
        let verified = trust.verify(&checkpoint).map_err(|error| {
            let path = self.dir.join("checkpoint");
            let reason = with_hint(&error, trust.epochs().is_some());
            NotProved(format!("{}: {reason}", path.display()))
        })?;
        let list = list.map_or_else(|| bail!(self.no_list()), Ok)?;
        self.check_list(&list, &verified)?;
        let key =
            self.key.as_deref().map(|file| auditors_key(file, &trust, &verified)).transpose()?;
        let head = verified.head();
        let checkpoints = Checkpoints::read(&self.dir, &list.origin, &trust, head)?;
        let segments = self.recompute(&list, head, checkpoints)?;
        let audit = IndexAudit {
            origin: list.origin,
            log_id: segments.log_id,
            main: head,
            segments: segments.audited,
        };
        let signed = match (&key, &output) {
            (Some(key), Some(output)) => {
                let note = audit.sign(key).with_context(|| output.shown())?;
                output.write(&note.to_string())?;
                format!("signed as {} in {}", key_name(key), output.shown())
            }
            _ => "nothing was signed, as no --key was given".to_owned(),
        };
        let mut out = output::stdout();
        writeln!(out, "{}", terminal::plain(&format!("clean: {}; {signed}", render(&audit))))?;
        out.flush()?;
        Ok(Verdict::Fine)
    }

    fn list(&self) -> Result<Option<SegmentList>> {
        let path = self.dir.join(SegmentList::NAME);
        // A log has a directory of that name.
        if !path.is_file() {
            return Ok(None);
        }
        let bytes = open_log::read_small(&path, SegmentList::LEN_MAX)?;
        let list = SegmentList::parse(&bytes)
            .map_err(|reason| NotProved(format!("{}: {reason}", path.display())))?;
        Ok(Some(list))
    }

    fn checkpoint(&self) -> Result<UnverifiedCheckpoint> {
        let path = self.dir.join("checkpoint");
        if !path.is_file() {
            bail!("{} is not an exported log: {}", self.dir.display(), self.no_export());
        }
        let bytes = open_log::read_small(&path, NOTE_LEN_MAX as u64)?;
        let checkpoint = UnverifiedCheckpoint::parse(&bytes);
        checkpoint.map_err(|error| NotProved(format!("{}: {error}", path.display())).into())
    }

    /// Why there is no checkpoint.
    fn no_export(&self) -> String {
        let is_export = Mark::of(&self.dir) == Some(Mark::Export);
        let known = instead::known(&self.dir).filter(|_| !is_export);
        let otherwise = || match fs::metadata(&self.dir) {
            Ok(found) if found.is_dir() => "it holds no checkpoint".to_owned(),
            Ok(_) => "it is a file".to_owned(),
            Err(_) => "there is nothing of that name".to_owned(),
        };
        known.unwrap_or_else(otherwise)
    }

    fn no_list(&self) -> String {
        let dir = self.dir.display();
        format!(
            "{dir} has no list of {}: run `bulla export-tiles` of this version again, which adds \
             it",
            SegmentList::NAME
        )
    }

    fn check_list(&self, list: &SegmentList, checkpoint: &VerifiedCheckpoint) -> Result<()> {
        let path = self.dir.join(SegmentList::NAME);
        let refuse = |expected: String, found: String| {
            NotProved(format!("{}: expected {expected}, found {found}", path.display()))
        };
        if list.origin != checkpoint.origin() {
            let expected = format!("the origin {}", checkpoint.origin());
            return Err(refuse(expected, format!("{:?}", list.origin)).into());
        }
        if checkpoint.algorithm() != HashAlgorithm::Sha256 {
            let found = format!("a {} one", checkpoint.algorithm());
            return Err(refuse("a SHA-256 log".to_owned(), found).into());
        }
        let size = checkpoint.head().size;
        match list.segments.last().map(ListedSegment::end) {
            Some(end) if end > size => {
                let expected = format!(
                    "segments below the checkpoint of {}",
                    text::counted(size.get(), "record")
                );
                Err(refuse(expected, format!("one that ends at {end}")).into())
            }
            Some(_) => Ok(()),
            None => bail!(
                "{}: no sealed segment is listed, so there is nothing to audit; seal and sign \
                 (`bulla checkpoint DIR --key FILE --seal`), then export again",
                path.display()
            ),
        }
    }

    fn recompute(
        &self,
        list: &SegmentList,
        head: TreeHead,
        checkpoints: Checkpoints,
    ) -> Result<Recomputed> {
        let bar = match self.no_progress {
            true => progress::hidden(),
            false => progress::over_count("auditing", head.size.get()),
        };
        progress::clear_on_interrupt(&bar);
        let made = recomputed::recompute(&self.dir, list, head, checkpoints, &mut |size| {
            bar.set_position(size.get());
        });
        bar.finish_and_clear();
        made
    }
}

/// Reads the auditor's key, which must not pass for the log's.
fn auditors_key(file: &Path, trust: &Trust, checkpoint: &VerifiedCheckpoint) -> Result<SigningKey> {
    // Any private key is in a file of that form.
    let key = bulla::load_recovery_key(&keys::private_key(file)?)?;
    let (name, kind) = (key_name(&key), key.verifying_key().kind());
    let make = "make one with `bulla keygen FILE --origin NAME`, with a name of the auditor's";
    if name == checkpoint.origin() || trust.is_key_of(checkpoint, key.verifying_key()) {
        bail!(
            "{}: expected a key of the auditor's own, found one of {}, the log that is audited, \
             named {name}; {make}",
            file.display(),
            checkpoint.origin()
        );
    }
    if kind != SignatureKind::Ed25519 {
        bail!(
            "{}: expected an ordinary Ed25519 key, found one of another kind; {make}",
            file.display()
        );
    }
    Ok(key)
}

fn key_name(key: &SigningKey) -> String {
    key.verifying_key().name().to_string()
}

/// What was found, in a sentence.
fn render(audit: &IndexAudit) -> String {
    let records: u64 = audit.segments.iter().map(|segment| segment.count).sum();
    let first = audit.segments.first().map_or(0, |segment| segment.first.get());
    let size = audit.main.size;
    let behind = size.get().saturating_sub(audit.segments.last().map_or(TreeSize::ZERO, end).get());
    let not_sealed = match behind {
        0 => String::new(),
        1 => "; 1 record behind them is in no sealed segment".to_owned(),
        _ => format!("; {} records behind them are in no sealed segment", text::count(behind)),
    };
    format!(
        "{} lead to the checkpoint of {}, root {}, and so do its tiles; the index roots of {} ({} from record {first} \
         on) are those of their records{not_sealed}",
        text::counted(size.get(), "record"),
        audit.origin,
        audit.main.root,
        text::counted(audit.segments.len() as u64, "segment"),
        text::counted(records, "record"),
    )
}

fn end(segment: &AuditedSegment) -> TreeSize {
    TreeSize::new(segment.first.get().saturating_add(segment.count))
}
