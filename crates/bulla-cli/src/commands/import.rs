//! `bulla import`: bring in audit events from files.

mod batch;
mod rejects;
mod resuming;
mod writing;

use std::fs::{self, File};
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, bail};
use bulla::Log;
use bulla_cli::import::{Format, Item, Mapping};
use clap::{Args, ValueEnum};

use super::init::Shape;
use crate::failure::{Verdict, although};
use crate::outputs::{Inputs, Output};
use crate::redacting::Redacting;
use crate::secrets::{Encryption, ONCE_IDS, tell_recorded};
use crate::{open_log, output, terminal, text};
pub(crate) use rejects::Rejects;
use resuming::Prints;
pub(crate) use writing::{Done, Source, import_file};

/// How much of a file is looked at to see whether it is a secret.
const BEGINNING_LEN: u64 = 64 << 10;

#[derive(Args)]
#[command(after_help = "\
Examples:
  bulla import ./audit trail.jsonl.gz --format cloudtrail
  bulla import ./audit events.json --format json --map okta
  bulla import ./audit *.log --format auditd --rejects rejected.txt
  bulla import ./audit *.log --format auditd --resume

Every line is imported or rejected with its reason: imported + rejected = read. The
original event is kept in the details of its record, but for values under names such as
password, token or cookie, and card numbers, bearer tokens and private keys: --no-redact keeps
those too. Files may be packed with gzip or zstd.
Ends with status 1 if nothing was imported and something rejected, or anything with --strict.
An event that has an id in its source (cloudtrail, k8s, jsonl; okta, github, gcp, gworkspace) is
imported once: a file that is imported again, also after an import that was killed, adds nothing.
Events without one (auditd) would be there twice: after an import that was killed or failed, the
same command with --resume continues where it stopped.
What an event names besides its main resource becomes targets, found by query --resource too, and
in whose name it was done on_behalf_of. How an event ended that is not understood is unknown.
Mappings that come with the tool: gcp, github, gworkspace, okta. A mapping of your own fills id,
occurred_at, tenant, actor.*, on_behalf_of.*, action, resource.*, targets, outcome, reason, source,
ip, user_agent, session_id, request_id, correlation_id, trace_id, span_id, duration_ms,
changed_fields, old_values, new_values and tags.NAME; docs/importers.md says how.")]
pub(crate) struct Import {
    /// The log
    dir: PathBuf,
    /// The files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What their lines mean
    #[arg(long, value_enum)]
    format: Name,
    /// For json: a mapping file, or one that comes with the tool: gcp, github, gworkspace, okta
    #[arg(long, value_name = "FILE|NAME", required_if_eq("format", "json"))]
    map: Option<String>,
    /// Import nothing unless every line of every file can be imported
    #[arg(long)]
    strict: bool,
    /// Go on behind the events of these files that the log ends with: give the same files and
    /// options as to the import that was broken off
    #[arg(long)]
    resume: bool,
    /// Import events also if the log has them, as their ids say
    #[arg(long)]
    duplicates: bool,
    /// Write all rejected lines here, as FILE:LINE: REASON; nothing is written if there are none
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    #[command(flatten)]
    redacting: Redacting,
    /// Make the log first, if there is none, or only an empty directory
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
        let source = Source {
            format: self.source_format()?,
            redactor: self.redacting.redactor(),
            has_key_store: self.encryption.secrets.are_given(),
            once: !self.duplicates,
        };
        self.check_files()?;
        let mut rejects = Rejects::new(self.rejects_file()?);
        let mut prints = self.resume.then(|| Prints::new(&self.encryption));
        if !self.read_first(&source, &mut rejects, prints.as_mut())? {
            rejects.finish()?;
            return Ok(Verdict::Failed);
        }
        let log = self.log()?;
        self.shape.check(&log)?;
        let there = prints.map_or(Ok(0), |prints| prints.in_log(&log, source.once))?;
        let mut done = Total::default();
        let imported = self.import_files(&log, &source, &mut rejects, there, &mut done);
        // What was rejected of what is in the log is known from here only.
        let listed = match imported.is_ok() || done.imported > 0 {
            true => rejects.finish(),
            false => Ok(()),
        };
        let in_log = there + done.events + done.found;
        imported.and(listed).map_err(|error| although(error, self.going_on(in_log)))?;
        tell_reach(&log, &done)?;
        log.close()?;
        if done.imported == 0 && done.there == 0 && done.rejected > 0 {
            writeln!(
                output::stderr(),
                "bulla: nothing was imported: every line was rejected; is --format right?"
            )?;
            return Ok(Verdict::Failed);
        }
        Ok(if self.strict && done.rejected > 0 { Verdict::Failed } else { Verdict::Fine })
    }

    fn create(&self) -> Result<Log> {
        let log = self.shape.create(&self.dir, self.encryption.options(Log::options())?)?;
        tell_recorded(None, &log)?;
        Ok(log)
    }

    /// Imports the files in their order, but for the first events of them, which are there.
    fn import_files(
        &self,
        log: &Log,
        source: &Source,
        rejects: &mut Rejects,
        there: u64,
        total: &mut Total,
    ) -> Result<()> {
        let mut out = output::stdout();
        let mut left = there;
        let mut before = None;
        for (at, file) in self.files.iter().enumerate() {
            let mut done = Done::default();
            let mut input = source.read(file, before.take(), self.files.get(at + 1))?;
            let imported =
                import_file(log, file, &mut input, source, rejects, &mut left, &mut done);
            before = Some(input);
            total.add(&done);
            imported?;
            writeln!(out, "{}: {}", terminal::path(file), done.render(source))?;
            out.flush()?;
        }
        Ok(())
    }

    /// How to continue an import that stopped after this many events were in the log.
    fn going_on(&self, events: u64) -> String {
        let in_log = match events {
            0 => "no event of these files is in the log".to_owned(),
            _ => format!(
                "the first {} of these files are in the log, durably",
                text::counted(events, "event")
            ),
        };
        match self.files.iter().find(|file| !file.is_file()) {
            Some(file) => format!(
                "{in_log}; to go on behind them, save {} to a file and import that with --resume",
                terminal::path(file)
            ),
            None => format!("{in_log}; to go on: {}", resuming::command(self.resume)),
        }
    }

    /// Where rejected lines go, if that is wanted.
    fn rejects_file(&self) -> Result<Option<Output>> {
        let inputs = Inputs::of(&self.dir)
            .files(&self.files)
            .files(&self.map)
            .files(self.encryption.secrets.files());
        self.rejects.as_deref().map(|file| Output::check_apart(file, &inputs)).transpose()
    }

    /// The log that is there, or a new one: also where a creation was interrupted.
    fn log(&self) -> Result<Log> {
        if self.create {
            let created = self.create();
            let exists = |error: &anyhow::Error| {
                matches!(error.downcast_ref(), Some(bulla::Error::Exists { .. }))
            };
            if !created.as_ref().is_err_and(exists) {
                return created;
            }
        }
        self.encryption.writer(&self.dir)
    }

    /// Says which files cannot be read, before anything is done.
    fn check_files(&self) -> Result<()> {
        let twice = match (self.strict, self.resume) {
            (true, _) => Some("--strict"),
            (_, true) => Some("--resume"),
            _ => None,
        };
        let wrong: Vec<String> =
            self.files.iter().filter_map(|file| unreadable(file, twice)).collect();
        match wrong.is_empty() {
            true => Ok(()),
            false => bail!("nothing was imported: {}", wrong.join("; ")),
        }
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
            (Name::Json, Some(map)) => {
                let file = Path::new(map);
                if file.is_file() {
                    open_log::refuse_secret(file, &beginning(file)?)?;
                }
                Format::Json(Arc::new(Mapping::open(map)?))
            }
            (Name::Json, None) => bail!("--format json needs --map FILE"),
        })
    }

    /// Reads all files once without importing anything, if that is asked for. Whether all lines
    /// can be imported that must be.
    fn read_first(
        &self,
        source: &Source,
        rejects: &mut Rejects,
        mut prints: Option<&mut Prints>,
    ) -> Result<bool> {
        if !self.strict && prints.is_none() {
            return Ok(true);
        }
        let mut rejected = 0;
        let mut before = None;
        for (at, file) in self.files.iter().enumerate() {
            rejects.begin(file);
            let mut input = source.read(file, before.take(), self.files.get(at + 1))?;
            for item in input.by_ref() {
                match source.prepared(item?) {
                    Item::Rejected { line, lines, reason } if self.strict => {
                        rejects.tell(line, &reason)?;
                        rejected += lines;
                    }
                    Item::Event { event, .. } => {
                        prints.iter_mut().for_each(|prints| prints.add(&event));
                    }
                    Item::Rejected { .. } => {}
                }
            }
            before = Some(input);
            rejects.end()?;
        }
        if rejected > 0 {
            writeln!(
                output::stderr(),
                "bulla: nothing was imported: --strict, and {} cannot be imported",
                text::counted(rejected, "line")
            )?;
        }
        Ok(rejected == 0)
    }
}

/// Why a file cannot be read. Pipes and devices are not opened: that might wait.
fn unreadable(file: &Path, twice: Option<&str>) -> Option<String> {
    let shown = terminal::path(file);
    match fs::metadata(file) {
        Err(error) => Some(format!("{shown}: {error}")),
        Ok(found) if found.is_dir() => Some(format!("{shown}: expected a file, found a directory")),
        Ok(found) if found.is_file() => match beginning(file) {
            Err(error) => Some(format!("{shown}: {error}")),
            Ok(found) => open_log::refuse_secret(file, &found).err().map(|error| error.to_string()),
        },
        Ok(_) => twice.map(|option| {
            format!(
                "{shown}: expected a regular file, because {option} reads it twice; save it first"
            )
        }),
    }
}

fn beginning(file: &Path) -> io::Result<Vec<u8>> {
    let mut found = Vec::new();
    File::open(file)?.take(BEGINNING_LEN).read_to_end(&mut found)?;
    Ok(found)
}

/// Says how far back ids were looked for, if that is not the whole log.
fn tell_reach(log: &Log, done: &Total) -> Result<()> {
    let size = log.size().get();
    if done.with_ids > 0 && size > ONCE_IDS {
        writeln!(
            output::stderr(),
            "bulla: ids were looked for among the newest {} of {} records: older events may be in \
             the log twice now",
            text::count(ONCE_IDS),
            text::count(size)
        )?;
    }
    Ok(())
}

/// Where the lines of all files went.
#[derive(Default)]
struct Total {
    events: u64,
    with_ids: u64,
    found: u64,
    imported: u64,
    there: u64,
    rejected: u64,
}

impl Total {
    fn add(&mut self, done: &Done) {
        self.events += done.events;
        self.with_ids += done.with_ids;
        self.found += done.found;
        self.imported += done.imported;
        self.there += done.there;
        self.rejected += done.rejected;
    }
}
