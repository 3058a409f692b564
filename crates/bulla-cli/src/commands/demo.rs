//! `bulla demo`: the whole story on sample data; ends by catching a tampering.

mod appending;
mod tamper;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use bulla::Trust;
use bulla::event::Record;
use bulla::proof::{Disclosure, TlogProof};
use bulla::query::Query;
use bulla::seq::Seq;
use bulla::{Log, Report, Signer, VerifyOptions};
use bulla_cli::import::Format;
use clap::Args;

use super::import::{Done, Rejects, Source, import_file};
use super::keygen::public_file;
use super::verify::verify_with_bar;
use crate::failure::{NotProved, Verdict};
use crate::output::{self, Out, Row};
use crate::outputs::{self, Inputs};
use crate::{keys, records, redacting, terminal, text, time_args};

/// Hand-written events in the format of AWS CloudTrail.
const SAMPLE: &str = include_str!("../../samples/cloudtrail.jsonl");
/// The actor whose doings are looked into.
const SUSPECT: &str = "arn:aws:iam::111122223333:user/mallory";
/// Where results that belong to the line above begin.
const INDENT: &str = "            ";

#[derive(Args)]
#[command(after_help = "\
Example:
  bulla demo

Makes a log, fills it, queries it, signs it, proves a record, and then alters one byte in a
copy to show that `verify` names the place. Takes a few seconds and leaves its files to look
at; delete the directory when you are done.")]
pub(crate) struct Demo {
    /// A new directory [default: a fresh one under the system's temporary directory]
    dir: Option<PathBuf>,
}

/// Where the story takes place.
struct Stage {
    log: PathBuf,
    key: PathBuf,
    sample: PathBuf,
    copy: PathBuf,
    dir: PathBuf,
}

impl Demo {
    pub(crate) fn run(self) -> Result<Verdict> {
        let stage = Stage::new(self.dir)?;
        let mut out = output::stdout();
        let log = Log::options().origin("bulla.demo/audit").create(&stage.log)?;
        tell(
            &mut out,
            "created",
            &format!("{} (hash {})", stage.log.display(), log.algorithm().name()),
        )?;
        fill(&log, &stage, &mut out)?;
        segments(&log, &mut out)?;
        let chosen = ask(&log, &mut out)?;
        let proof = prove(&log, &stage, chosen, &mut out)?;
        verify_offline(&stage, &proof, &mut out)?;
        log.close()?;
        let verdict = tampering(&stage, chosen, &mut out)?;
        out.flush()?;
        Ok(verdict)
    }
}

impl Stage {
    fn new(dir: Option<PathBuf>) -> Result<Self> {
        let dir = dir.unwrap_or_else(|| {
            let name =
                format!("bulla-demo-{}-{}", std::process::id(), time_args::now().as_millis());
            std::env::temp_dir().join(name)
        });
        if dir.exists() && !dir.is_dir() {
            bail!("{} is a file: the demo wants a new directory", dir.display());
        }
        outputs::check_dir(&dir, None, &Inputs::default())?;
        let making = || format!("making the directory {} for the demo", dir.display());
        fs::create_dir_all(&dir).with_context(making)?;
        if fs::read_dir(&dir).with_context(|| dir.display().to_string())?.next().is_some() {
            bail!("{} is not empty: the demo wants a new directory", dir.display());
        }
        Ok(Stage {
            log: dir.join("log"),
            key: dir.join("audit.key"),
            sample: dir.join("cloudtrail.jsonl"),
            copy: dir.join("tampered-copy"),
            dir,
        })
    }
}

fn tell(out: &mut Out, what: &str, text: &str) -> Result<()> {
    writeln!(out, "{what:<11} {text}")?;
    out.flush()?; // the next step may take a second
    Ok(())
}

/// Imports the sample and appends generated events, in three segments.
fn fill(log: &Log, stage: &Stage, out: &mut Out) -> Result<()> {
    outputs::write_new(&stage.sample, SAMPLE)?;
    let redactor = Some(redacting::redactor());
    let sample = Source { format: Format::CloudTrail, redactor, has_key_store: false, once: true };
    let mut done = Done::default();
    let mut input = sample.read(&stage.sample, None, None)?;
    let rejects = &mut Rejects::new(None);
    import_file(log, &stage.sample, &mut input, &sample, rejects, &mut 0, &mut done)?;
    tell(
        out,
        "imported",
        &format!(
            "{}: {} of {}, {} rejected",
            text::counted(done.events, "CloudTrail event"),
            text::count(done.imported),
            text::counted(done.lines, "line"),
            text::count(done.rejected)
        ),
    )?;
    log.rotate()?;
    tell(out, "appended", &appending::one_by_one(log)?.render())?;
    log.rotate()?;
    tell(out, "appended", &appending::together(log)?.render())
}

fn segments(log: &Log, out: &mut Out) -> Result<()> {
    let segments = log.snapshot().segments()?;
    let sealed = segments.iter().filter(|segment| segment.sealed).count();
    let bytes = segments.iter().map(|segment| segment.bytes).sum();
    tell(
        out,
        "segments",
        &format!(
            "{} ({sealed} sealed), {} in {}",
            segments.len(),
            text::counted(log.size().get(), "record"),
            text::bytes(bytes)
        ),
    )
}

/// Asks what one actor did; returns the newest of it, to be proved.
fn ask(log: &Log, out: &mut Out) -> Result<Seq> {
    let by_suspect = Query::new().actor(SUSPECT);
    let start = Instant::now();
    let found = log.snapshot().query(&by_suspect)?.collect::<Result<Vec<Record>, _>>()?;
    let took = start.elapsed();
    let Some(newest) = found.first() else { bail!("the sample holds nothing by {SUSPECT}") };
    let all = text::counted(log.size().get(), "record");
    tell(
        out,
        "queried",
        &format!(
            "what did {SUSPECT} do? {} of {all}, in {:.1} ms; the newest three:",
            found.len(),
            took.as_secs_f64() * 1e3
        ),
    )?;
    for record in found.iter().take(3) {
        let cells = Row::cells(record);
        let [seq, occurred, _, action, resource, outcome, ..] = &cells[..] else { continue };
        let text = format!("{seq:>4}  {occurred}  {action}  {resource}  {outcome}");
        writeln!(out, "{INDENT}{}", terminal::plain(&text))?;
    }
    Ok(newest.seq)
}

/// Signs a checkpoint with a new key and writes a proof file under it.
fn prove(log: &Log, stage: &Stage, seq: Seq, out: &mut Out) -> Result<PathBuf> {
    let signer = Signer::generate(&stage.key, log.origin(), log.algorithm())?;
    let public = public_file(&stage.key);
    outputs::write_new(&public, &format!("{}\n", signer.verifying_key()))?;
    let signed = log.checkpoint(&signer)?;
    tell(
        out,
        "signed",
        &format!(
            "a checkpoint of {}, root {}…, with {}, which is outside the log",
            text::counted(signed.head().size.get(), "record"),
            &signed.head().root.to_string()[..16],
            name(&stage.key)
        ),
    )?;
    let proof = log.snapshot().prove(seq, &signed.into_unverified(), Disclosure::Whole)?;
    let file =
        stage.dir.join(format!("record-{seq}.{}", TlogProof::file_extension(log.algorithm())));
    let text = proof.to_text();
    outputs::write_new(&file, &text)?;
    tell(
        out,
        "proved",
        &format!("record {seq} in {} ({})", name(&file), text::counted(text.len() as u64, "byte")),
    )?;
    Ok(file)
}

/// Checks the proof as a stranger would: from the two files alone.
fn verify_offline(stage: &Stage, proof: &Path, out: &mut Out) -> Result<()> {
    let key = keys::verifying_keys(&[public_file(&stage.key).display().to_string()])?;
    let bytes = fs::read(proof).with_context(|| proof.display().to_string())?;
    let proof = TlogProof::parse(&bytes).map_err(|error| NotProved(error.to_string()))?;
    let proved =
        proof.verify_record(&Trust::in_keys(key)).map_err(|error| NotProved(error.to_string()))?;
    let event = &proved.record().event;
    tell(
        out,
        "verified",
        &format!(
            "offline, with the public key alone: {} did {} on {}: {}",
            terminal::plain(&records::actor(event)),
            terminal::plain(&event.action),
            terminal::plain(&records::resource(event)),
            event.outcome
        ),
    )
}

/// Flips a byte in a copy and shows that verify finds it, and nothing in the original.
fn tampering(stage: &Stage, seq: Seq, out: &mut Out) -> Result<Verdict> {
    let clean = verify_with_bar(&stage.log, &VerifyOptions::new())?;
    tell(out, "verify", &format!("the log: {}", render(&clean)))?;
    let flipped = tamper::copy_and_flip(&stage.log, &stage.copy, "mallory", "\",\"accountId")?;
    let copy = name(&stage.copy);
    tell(
        out,
        "tampered",
        &format!("{copy}: in record {seq}, mallory is now mallorx: {}", flipped.place()),
    )?;
    let report = verify_with_bar(&stage.copy, &VerifyOptions::new())?;
    tell(out, "verify", &format!("{copy}: {}", render(&report)))?;
    let place = format!("{}/", stage.copy.display());
    for finding in &report.findings {
        let text = finding.to_string().replace(&place, "");
        writeln!(out, "{INDENT}{}", terminal::plain(&text))?;
    }
    let caught = report
        .findings
        .iter()
        .any(|finding| (finding.segment, finding.seq) == (Some(flipped.ordinal), Some(seq)));
    if !clean.is_clean() || !caught {
        tell(out, "FAILED", "the log should be clean, and the alteration should be found")?;
        return Ok(Verdict::Failed);
    }
    tell(out, "caught", &format!("as it should be. All files are in {}", stage.dir.display()))?;
    Ok(Verdict::Fine)
}

/// A file's name without the directory that all of the demo is in.
fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn render(report: &Report) -> String {
    let read = format!(
        "{} in {} re-read and re-hashed",
        text::counted(report.records, "record"),
        text::counted(report.segments, "segment")
    );
    match report.findings.len() {
        0 => format!("clean, {read}"),
        found => format!("NOT CLEAN, {}, {read}", text::counted(found as u64, "finding")),
    }
}
