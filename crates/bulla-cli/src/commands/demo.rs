//! `bulla demo`: the whole story on sample data; ends by catching a tampering.

mod tamper;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use bulla::event::Event;
use bulla::proof::{Disclosure, TlogProof};
use bulla::query::Query;
use bulla::seq::Seq;
use bulla::time::Timestamp;
use bulla::{Log, Report, Signer, VerifyOptions};
use bulla_cli::generate::Generator;
use bulla_cli::import::Format;
use clap::Args;

use super::import::{Rejects, import_file};
use super::keygen::public_file;
use crate::failure::{NotProved, Verdict};
use crate::output::{self, Listing, Out};
use crate::{cells, places, progress, records, when};

/// Hand-written events in the format of AWS CloudTrail.
const SAMPLE: &str = include_str!("../../samples/cloudtrail.jsonl");
/// Events appended by one thread, each durable before the next.
const ONE_BY_ONE: usize = 1_000;
/// It stops after this time on a slow disk.
const ONE_BY_ONE_MAX: Duration = Duration::from_secs(2);
/// Events appended by all threads together.
const TOGETHER: usize = 4_000;
const THREADS: usize = 16;
const SEED: u64 = 2_026;

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
        let verdict = tampering(&stage, &mut out)?;
        out.flush()?;
        Ok(verdict)
    }
}

impl Stage {
    fn new(dir: Option<PathBuf>) -> Result<Self> {
        let dir = dir.unwrap_or_else(|| {
            let name = format!("bulla-demo-{}-{}", std::process::id(), when::now().as_millis());
            std::env::temp_dir().join(name)
        });
        fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
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
    places::write_file(&stage.sample, SAMPLE)?;
    let done = import_file(log, &stage.sample, &Format::CloudTrail, &mut Rejects::new(None)?)?;
    tell(
        out,
        "imported",
        &format!(
            "{} CloudTrail events: {} of {} lines, {} rejected",
            done.events, done.imported, done.lines, done.rejected
        ),
    )?;
    log.rotate()?;
    let (count, took) = one_by_one(log)?;
    tell(out, "appended", &rate(count, took, "one thread, each durable before the next"))?;
    log.rotate()?;
    let (count, took) = together(log)?;
    tell(
        out,
        "appended",
        &rate(count, took, &format!("{THREADS} threads, each waiting for its own")),
    )
}

fn rate(count: u64, took: Duration, how: &str) -> String {
    format!(
        "{} durably, {} events/s ({how})",
        cells::counted(count, "event"),
        cells::count(cells::per_second(count, took))
    )
}

fn one_by_one(log: &Log) -> Result<(u64, Duration)> {
    let events: Vec<Event> = generated(SEED).take(ONE_BY_ONE).collect();
    let bar = progress::over_count("appending", ONE_BY_ONE as u64);
    let start = Instant::now();
    let mut count = 0;
    for event in &events {
        log.append(event)?;
        count += 1;
        bar.inc(1);
        if start.elapsed() > ONE_BY_ONE_MAX {
            break;
        }
    }
    let took = start.elapsed();
    bar.finish_and_clear();
    Ok((count, took))
}

fn together(log: &Log) -> Result<(u64, Duration)> {
    let each = TOGETHER / THREADS;
    let mut events = generated(SEED + 1);
    let parts: Vec<Vec<Event>> =
        (0..THREADS).map(|_| events.by_ref().take(each).collect()).collect();
    let bar = progress::over_count("appending", TOGETHER as u64);
    let count = AtomicU64::new(0);
    let start = Instant::now();
    std::thread::scope(|scope| {
        let append = |events: &Vec<Event>| -> Result<()> {
            for event in events {
                log.append(event)?;
                bar.set_position(count.fetch_add(1, Ordering::Relaxed) + 1);
            }
            Ok(())
        };
        let threads: Vec<_> =
            parts.iter().map(|events| scope.spawn(move || append(events))).collect();
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(result) => result,
            Err(_) => bail!("an appending thread ended early"),
        })
    })?;
    let took = start.elapsed();
    bar.finish_and_clear();
    Ok((count.into_inner(), took))
}

fn generated(seed: u64) -> Generator {
    Generator::new(seed, Timestamp::from_nanos(1_795_219_200_000_000_000)) // 2026-11-21
}

fn segments(log: &Log, out: &mut Out) -> Result<()> {
    let segments = log.segments()?;
    let sealed = segments.iter().filter(|segment| segment.sealed).count();
    let bytes = segments.iter().map(|segment| segment.bytes).sum();
    tell(
        out,
        "segments",
        &format!(
            "{} ({sealed} sealed), {} in {}",
            segments.len(),
            cells::counted(log.size().get(), "record"),
            cells::bytes(bytes)
        ),
    )
}

/// Asks what one actor was denied; returns the record to be proved.
fn ask(log: &Log, out: &mut Out) -> Result<Seq> {
    let newest = log.query(&Query::new().outcome(bulla::event::Outcome::Denied).limit(1))?.next();
    let Some(newest) = newest.transpose()? else { bail!("the sample data hold no denied event") };
    let actor = newest.event.actor.id.clone();
    let by_actor = Query::new().actor(&actor);
    let start = Instant::now();
    let total = log.query(&by_actor)?.count();
    let took = start.elapsed();
    tell(
        out,
        "queried",
        &format!(
            "actor {actor}: {total} of {} ({:.1} ms); the newest three:",
            cells::counted(log.size().get(), "record"),
            took.as_secs_f64() * 1e3
        ),
    )?;
    let mut indented = Indented { out, at_start: true };
    let mut listing = Listing::new(&mut indented, output::Format::Table);
    for record in log.query(&by_actor.limit(3))? {
        listing.row(&record?)?;
    }
    listing.finish()?;
    Ok(newest.seq)
}

/// Signs a checkpoint with a new key and writes a proof file under it.
fn prove(log: &Log, stage: &Stage, seq: Seq, out: &mut Out) -> Result<PathBuf> {
    let signer = Signer::generate(&stage.key, log.origin(), log.algorithm())?;
    let public = public_file(&stage.key);
    places::write_file(&public, &format!("{}\n", signer.verifying_key()))?;
    let signed = log.checkpoint(&signer)?;
    tell(
        out,
        "signed",
        &format!(
            "a checkpoint of {}, root {}…, with {} (outside the log)",
            cells::counted(signed.head().size.get(), "record"),
            &signed.head().root.to_string()[..16],
            stage.key.display()
        ),
    )?;
    let proof = log.prove(seq, &signed.into_unverified(), Disclosure::Whole)?;
    let file =
        stage.dir.join(format!("record-{seq}.{}", TlogProof::file_extension(log.algorithm())));
    let text = proof.to_text();
    places::write_file(&file, &text)?;
    tell(out, "proved", &format!("record {seq} in {} ({} bytes)", file.display(), text.len()))?;
    Ok(file)
}

/// Checks the proof as a stranger would: from the two files alone.
fn verify_offline(stage: &Stage, proof: &Path, out: &mut Out) -> Result<()> {
    let key = crate::keys::verifying_keys(&[public_file(&stage.key).display().to_string()])?;
    let bytes = fs::read(proof).with_context(|| proof.display().to_string())?;
    let proof = TlogProof::parse(&bytes).map_err(|error| NotProved(error.to_string()))?;
    let proved = proof.verify_record(&key).map_err(|error| NotProved(error.to_string()))?;
    let event = &proved.record().event;
    tell(
        out,
        "verified",
        &format!(
            "offline, with the public key alone: {} did {} on {}: {}",
            cells::plain(&records::actor(event)),
            cells::plain(&event.action),
            cells::plain(&records::resource(event)),
            event.outcome
        ),
    )
}

/// Flips a byte in a copy and shows that verify finds it, and nothing in the original.
fn tampering(stage: &Stage, out: &mut Out) -> Result<Verdict> {
    let clean = verify(&stage.log)?;
    tell(out, "verify", &format!("the log: {}", told(&clean)))?;
    let flipped = tamper::copy_and_flip(&stage.log, &stage.copy)?;
    tell(out, "tampered", &flipped.told())?;
    let report = verify(&stage.copy)?;
    tell(out, "verify", &format!("the copy: {}", told(&report)))?;
    for finding in &report.findings {
        writeln!(out, "              {}", cells::plain(&finding.to_string()))?;
    }
    let caught = report.findings.iter().any(|finding| finding.segment == Some(flipped.ordinal));
    if !clean.is_clean() || !caught {
        tell(out, "FAILED", "the log should be clean, and the alteration should be found")?;
        return Ok(Verdict::Failed);
    }
    tell(out, "caught", &format!("as it should be. All files are in {}", stage.dir.display()))?;
    Ok(Verdict::Fine)
}

fn verify(dir: &Path) -> Result<Report> {
    let bar = progress::over_bytes("verifying", 0);
    let report = bulla::verify(dir, &VerifyOptions::new(), &mut |at| {
        bar.set_length(at.bytes_total);
        bar.set_position(at.bytes_done);
    });
    bar.finish_and_clear();
    Ok(report?)
}

fn told(report: &Report) -> String {
    let read = format!(
        "{} in {} re-read and re-hashed",
        cells::counted(report.records, "record"),
        cells::counted(report.segments, "segment")
    );
    match report.findings.len() {
        0 => format!("clean, {read}"),
        found => format!("NOT CLEAN, {}, {read}", cells::counted(found as u64, "finding")),
    }
}

/// Moves every line to the right.
struct Indented<'o> {
    out: &'o mut Out,
    at_start: bool,
}

impl Write for Indented<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.at_start {
                self.out.write_all(b"              ")?;
            }
            self.out.write_all(line)?;
            self.at_start = line.ends_with(b"\n");
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}
