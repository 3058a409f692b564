//! `bulla import`: bring in audit events from files.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use bulla::event::{Event, Json};
use bulla::{Log, Redactor};
use bulla_cli::import::{self, Format, Item, Mapping};
use clap::{Args, ValueEnum};
use indicatif::ProgressBar;

use super::init::Shape;
use crate::failure::Verdict;
use crate::redacting::Redacting;
use crate::secrets::Encryption;
use crate::{cells, output, progress};

/// A batch is one commit: at most so many events…
const BATCH_EVENTS_MAX: usize = 1_000;
/// … and about so many bytes.
const BATCH_BYTES_MAX: usize = 8 << 20;
/// How many rejected lines of a file are told one by one.
const REJECTS_SHOWN: u64 = 5;

#[derive(Args)]
#[command(after_help = "\
Examples:
  bulla import ./audit trail.jsonl.gz --format cloudtrail
  bulla import ./audit events.json --format json --map okta
  bulla import ./audit *.log --format auditd --rejects rejected.txt

Every line is imported or rejected with its reason: imported + rejected = read. The
original event is kept in the details of its record, but for values under names such as
password, token or cookie, and card numbers, bearer tokens and private keys: --no-redact keeps
those too. Files may be packed with gzip.
Ends with status 1 if nothing was imported and something rejected, or anything with --strict.
What is imported again is there twice; docs/importers.md tells how to resume.
Mappings that come with the tool: gcp, github, gworkspace, okta.")]
pub(crate) struct Import {
    /// The log
    dir: PathBuf,
    /// The files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What their lines mean
    #[arg(long, value_enum)]
    format: Name,
    /// For json: a mapping file, or the name of one that comes with the tool
    #[arg(long, value_name = "FILE|NAME", required_if_eq("format", "json"))]
    map: Option<String>,
    /// Import nothing unless every line of every file can be mapped
    #[arg(long)]
    strict: bool,
    /// Write all rejected lines here, as FILE:LINE: REASON
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    #[command(flatten)]
    redacting: Redacting,
    /// Make the log first, if there is none
    #[arg(long)]
    create: bool,
    #[command(flatten)]
    encryption: Encryption,
    #[command(flatten)]
    shape: Shape,
}

/// A format by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Name {
    /// AWS CloudTrail.
    Cloudtrail,
    /// Kubernetes audit events.
    K8s,
    /// Linux audit records.
    Auditd,
    /// This tool's own JSON lines.
    Jsonl,
    /// Any other JSON, through a mapping.
    Json,
}

impl Import {
    pub(crate) fn run(self) -> Result<Verdict> {
        let source = Source { format: self.source_format()?, redactor: self.redacting.redactor() };
        let mut rejects = Rejects::new(self.rejects.as_deref())?;
        if self.strict && !self.all_can_be_mapped(&source, &mut rejects)? {
            return Ok(Verdict::Failed);
        }
        let log = match self.create && !self.dir.exists() {
            true => self.shape.create(&self.dir, self.encryption.options(Log::options())?)?,
            false => self.encryption.writer(&self.dir)?,
        };
        let mut out = output::stdout();
        let (mut imported, mut rejected) = (0, 0);
        for file in &self.files {
            let done = import_file(&log, file, &source, &mut rejects)?;
            writeln!(out, "{}: {}", file.display(), done.told(&source))?;
            out.flush()?;
            imported += done.imported;
            rejected += done.rejected;
        }
        log.close()?;
        if imported == 0 && rejected > 0 {
            writeln!(
                io::stderr(),
                "bulla: nothing was imported: every line was rejected; is --format right?"
            )?;
            return Ok(Verdict::Failed);
        }
        Ok(if self.strict && rejected > 0 { Verdict::Failed } else { Verdict::Fine })
    }

    fn source_format(&self) -> Result<Format> {
        if self.map.is_some() && self.format != Name::Json {
            bail!("--map belongs to --format json: the other formats have their own mapping");
        }
        Ok(match (self.format, &self.map) {
            (Name::Cloudtrail, _) => Format::CloudTrail,
            (Name::K8s, _) => Format::K8s,
            (Name::Auditd, _) => Format::Auditd,
            (Name::Jsonl, _) => Format::Jsonl,
            (Name::Json, Some(map)) => Format::Json(Arc::new(Mapping::open(map)?)),
            (Name::Json, None) => bail!("--format json needs --map FILE"),
        })
    }

    /// Reads all files once without importing anything.
    fn all_can_be_mapped(&self, source: &Source, rejects: &mut Rejects) -> Result<bool> {
        let mut rejected = 0;
        for file in &self.files {
            if !fs::metadata(file).with_context(|| file.display().to_string())?.is_file() {
                bail!(
                    "{}: expected a regular file, because --strict reads it twice; save it first",
                    file.display()
                );
            }
            rejects.begin(file);
            for item in import::read(file, &source.format)?.redacting(source.redactor.clone()) {
                if let Item::Rejected { line, lines, reason } = item? {
                    rejects.tell(line, &reason)?;
                    rejected += lines;
                }
            }
            rejects.end()?;
        }
        if rejected > 0 {
            writeln!(
                io::stderr(),
                "bulla: nothing was imported: --strict, and {} cannot be mapped",
                cells::counted(rejected, "line")
            )?;
        }
        Ok(rejected == 0)
    }
}

/// How files are read.
pub(crate) struct Source {
    /// What their lines mean.
    pub(crate) format: Format,
    /// What their events are redacted with, if they are.
    pub(crate) redactor: Option<Redactor>,
}

/// What became of the lines of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Done {
    /// Lines read, without blank ones.
    pub(crate) lines: u64,
    /// Lines that are in the log.
    pub(crate) imported: u64,
    /// Lines that are not.
    pub(crate) rejected: u64,
    /// The events that the imported lines made.
    pub(crate) events: u64,
    /// Those of them of which something was redacted.
    pub(crate) redacted: u64,
}

impl Done {
    fn imported(&mut self, origin: &Origin) {
        self.events += 1;
        self.imported += origin.lines;
        self.redacted += u64::from(origin.redacted);
    }

    fn told(&self, source: &Source) -> String {
        let events = match self.events == self.imported {
            true => String::new(),
            false => format!(" (as {})", cells::counted(self.events, "event")),
        };
        let redacted = match source.redactor {
            Some(_) => format!(", {} with values redacted", cells::counted(self.redacted, "event")),
            None => String::new(),
        };
        format!(
            "{} read, {} imported{events}, {} rejected{redacted}",
            cells::counted(self.lines, "line"),
            cells::count(self.imported),
            cells::count(self.rejected)
        )
    }
}

/// Imports one file, batch by batch.
pub(crate) fn import_file(
    log: &Log,
    file: &Path,
    source: &Source,
    rejects: &mut Rejects,
) -> Result<Done> {
    let bar = bar_for(file);
    let mut input = import::read(file, &source.format)?.redacting(source.redactor.clone());
    let mut batch = Batch::default();
    let mut done = Done::default();
    rejects.begin(file);
    while let Some(item) = input.next() {
        let item = match item {
            Ok(item) => item,
            Err(error) => {
                batch.append(log, &mut done, rejects)?;
                bar.finish_and_clear();
                bail!("{error}; what was read before is in the log: {}", done.told(source));
            }
        };
        match item {
            Item::Event { event, line, lines, redacted } => {
                batch.add(event, Origin { line, lines, redacted });
            }
            Item::Rejected { line, lines, reason } => {
                rejects.tell(line, &reason)?;
                done.lines += lines;
                done.rejected += lines;
            }
        }
        if batch.is_full() {
            batch.append(log, &mut done, rejects)?;
            bar.set_position(input.bytes_read());
        }
    }
    batch.append(log, &mut done, rejects)?;
    bar.finish_and_clear();
    rejects.end()?;
    Ok(done)
}

fn bar_for(file: &Path) -> ProgressBar {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
    let size = fs::metadata(file).map_or(0, |metadata| metadata.len());
    progress::over_bytes(&name.unwrap_or_default(), size)
}

/// Where an event comes from: its first line, how many there are, and whether something
/// of them was redacted.
#[derive(Clone, Copy)]
struct Origin {
    line: u64,
    lines: u64,
    redacted: bool,
}

/// Events that become durable together, with the lines they come from.
#[derive(Default)]
struct Batch {
    events: Vec<Event>,
    origins: Vec<Origin>,
    bytes: usize,
}

impl Batch {
    fn add(&mut self, event: Event, origin: Origin) {
        self.bytes += weight(&event);
        self.events.push(event);
        self.origins.push(origin);
    }

    fn is_full(&self) -> bool {
        self.events.len() >= BATCH_EVENTS_MAX || self.bytes >= BATCH_BYTES_MAX
    }

    /// Appends what is held; an event that only the log refuses is rejected here.
    fn append(&mut self, log: &Log, done: &mut Done, rejects: &mut Rejects) -> Result<()> {
        if self.events.is_empty() {
            return Ok(());
        }
        let Batch { events, origins, .. } = std::mem::take(self);
        done.lines += origins.iter().map(|origin| origin.lines).sum::<u64>();
        match log.append_batch(&events) {
            Ok(_) => {
                origins.iter().for_each(|origin| done.imported(origin));
            }
            Err(bulla::Error::Invalid(_) | bulla::Error::InvalidBatch { .. }) => {
                for (event, origin) in events.iter().zip(origins) {
                    match log.append(event) {
                        Err(bulla::Error::Invalid(reason)) => {
                            rejects.tell(origin.line, &reason.to_string())?;
                            done.rejected += origin.lines;
                        }
                        result => {
                            result?;
                            done.imported(&origin);
                        }
                    }
                }
            }
            Err(error) => {
                let next = origins.first().map_or(1, |origin| origin.line);
                return Err(anyhow::Error::from(error).context(format!(
                    "the log refused; imported before: {}; go on at line {next}",
                    cells::counted(done.imported, "line")
                )));
            }
        }
        Ok(())
    }
}

/// About how many bytes an event takes, without encoding it.
fn weight(event: &Event) -> usize {
    let json = [&event.details, &event.old_values, &event.new_values];
    let json: usize =
        json.iter().map(|json| json.as_ref().map_or(0, |j: &Json| j.as_str().len())).sum();
    let text = [&event.reason, &event.user_agent, &event.resource.id];
    let text: usize = text.iter().map(|text| text.as_ref().map_or(0, String::len)).sum();
    let tags: usize = event.tags.iter().map(|(key, value)| key.len() + value.len()).sum();
    1_024 + json + text + tags
}

/// Where rejected lines are told: all of them in a file, the first ones on standard
/// error.
pub(crate) struct Rejects {
    all: Option<(PathBuf, io::BufWriter<File>)>,
    file: PathBuf,
    told: u64,
}

impl Rejects {
    /// Tells rejected lines; all of them go to `all`, if that is given.
    pub(crate) fn new(all: Option<&Path>) -> Result<Self> {
        let open = |path: &Path| -> Result<_> {
            let file = File::create(path).with_context(|| path.display().to_string())?;
            Ok((path.to_owned(), io::BufWriter::new(file)))
        };
        Ok(Rejects { all: all.map(open).transpose()?, file: PathBuf::new(), told: 0 })
    }

    fn begin(&mut self, file: &Path) {
        file.clone_into(&mut self.file);
        self.told = 0;
    }

    fn tell(&mut self, line: u64, reason: &str) -> Result<()> {
        let text = format!("{}:{line}: {}", self.file.display(), cells::plain(reason));
        if let Some((path, all)) = &mut self.all {
            writeln!(all, "{text}").with_context(|| path.display().to_string())?;
        }
        if self.told < REJECTS_SHOWN {
            writeln!(io::stderr(), "bulla: rejected {text}")?;
        }
        self.told += 1;
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        if let Some((path, all)) = &mut self.all {
            all.flush().with_context(|| path.display().to_string())?;
        }
        if self.told > REJECTS_SHOWN {
            let more = cells::count(self.told - REJECTS_SHOWN);
            let place = match &self.all {
                Some((path, _)) => format!("all are in {}", path.display()),
                None => "--rejects FILE lists all".to_owned(),
            };
            writeln!(io::stderr(), "bulla: … and {more} more in {}; {place}", self.file.display())?;
        }
        Ok(())
    }
}
