//! `bulla retain`: set the policy, and let go of what it no longer keeps.

pub(super) mod policy;
mod told;

use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use bulla::archive::{ArchiveStore as _, DirectoryStore};
use bulla::retention::{self, Plan, Step};
use bulla::{Attribution, Error, ExpireOptions, Expiry, LogReader, Period, Policy};
use clap::Args;

use crate::attribution::not_blank;
use crate::failure::Verdict;
use crate::output;
use crate::output::Shown;
use crate::outputs::{self, Inputs, Mark};
use crate::secrets::Secrets;
use crate::{numbers, open_log, terminal};
use policy::Wanted;

/// How much is written to see whether an archive takes anything, in bytes.
const PROBE_LEN: usize = 4096;

#[derive(Args)]
#[command(after_help = "\
Examples:
  bulla retain ./audit --keep 6y --dry-run
  bulla retain ./audit --preset hipaa --who carol --why 'policy 12'
  bulla retain ./audit --who cron --why nightly
  bulla retain ./audit --archive /mnt/archive --who cron --why nightly

With --keep or --preset the policy is set, if it is not the one in force; what is not given with
it is off. --archive-first, --compliance, --min-age and --min-records alone make the policy in
force stricter. What is looser than before is said. The policy is set last: if the archive cannot
be used, or the clock is not believed, it stays as it was. Then the sealed segments whose time is
over and that no legal hold pins are dropped, the oldest first, each with a certificate that
stays. The dry run changes nothing.

A period is a number and y, mo (months), w, d, h, min or s, at most 250 years, and never shorter
than by the calendar. A segment is kept for it from its newest record, or from its seal if that is
later. What a seal has fixed a shorter policy does not touch; segments that were sealed before the
first policy have nothing fixed, and go by the one in force. The newest segment always stays.
A record counts as no older than any record before it, whatever the clock showed. A segment whose
times contradict those of the segments before or behind it, or are before 2016, stays until it is
named with --allow-contradicting-times.

The status is 1 if something that was to go stayed: held by a hold that came in between, damaged,
or not archived; the reason is shown. An archive that cannot be used at all is refused before
anything is done, with status 2. In a log that records actors under aliases give the key store, so
that holds on their names count.

The policy can be set while a service has the log open. Expiring needs the log: then the service
does it (`log.retention().expire`).")]
pub(crate) struct Retain {
    /// The log
    dir: PathBuf,
    #[command(flatten)]
    wanted: Wanted,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Expire only if the clock is not further ahead of the newest event than this
    #[arg(long, allow_hyphen_values = true, value_name = "PERIOD", default_value = "7d")]
    max_clock_lead: Period,
    /// Copy each segment into this directory first, read the copy back and verify it; made if it
    /// is missing. Needed if the policy asks for an archive
    #[arg(long, value_name = "DIR")]
    archive: Option<PathBuf>,
    /// Let restored segments go again, too
    #[arg(long)]
    drop_restored: bool,
    /// Let this segment go although its times contradict those of the segments before or behind
    /// it; may be given several times, and is recorded with the reason
    #[arg(long, allow_hyphen_values = true, value_name = "ORDINAL", value_parser = numbers::any)]
    allow_contradicting_times: Vec<u64>,
    /// Let at most so many segments go this time
    #[arg(long, allow_hyphen_values = true, value_name = "N", value_parser = numbers::at_most)]
    at_most: Option<usize>,
    /// Who asks for it
    #[arg(long, allow_hyphen_values = true, value_name = "NAME", value_parser = not_blank, required_unless_present = "dry_run")]
    who: Option<String>,
    /// Why
    #[arg(long, allow_hyphen_values = true, value_name = "TEXT", value_parser = not_blank, required_unless_present = "dry_run")]
    why: Option<String>,
    /// Do not ask before compliance mode is switched on
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    secrets: Secrets,
    #[command(flatten)]
    shown: Shown,
}

/// The policy before, if there was one, and the one that is set.
type Next<'a> = (Option<&'a Policy>, &'a Policy);

impl Retain {
    pub(crate) fn run(self) -> Result<Verdict> {
        let reader = self.secrets.reader(&self.dir)?;
        let in_force = reader.snapshot().catalog().policy()?.map(|recorded| recorded.policy);
        let wanted = self.wanted.policy(in_force.as_ref())?;
        let changed = wanted.filter(|wanted| Some(wanted) != in_force.as_ref());
        if let Some((next, before)) = changed.as_ref().zip(in_force.as_ref()) {
            next_is_no_looser(before, next)?;
        }
        if self.dry_run {
            return self.plan(&reader, in_force, changed);
        }
        let Some(policy) = changed.as_ref().or(in_force.as_ref()) else {
            bail!(
                "the log has no policy, so nothing expires: give one with --keep 6y or --preset \
                 hipaa"
            );
        };
        // What can fail, fails while the policy is as it was.
        let options = self.options_with_archive()?;
        let planned = reader.snapshot().plan_expiry_by(policy, &options)?;
        if policy.compliance && !in_force.as_ref().is_some_and(|before| before.compliance) {
            self.confirm(reader.origin(), policy)?;
        }
        let next = changed.as_ref().map(|next| (in_force.as_ref(), next));
        drop(reader);
        self.apply(next, &options, &planned)
    }

    /// Sets the policy and expires by it. A policy is set beside a service, too, which then expires.
    fn apply(
        &self,
        next: Option<Next<'_>>,
        options: &ExpireOptions,
        planned: &Plan,
    ) -> Result<Verdict> {
        let asked = Attribution { who: self.who.clone(), why: self.why.clone() };
        let log = match self.secrets.writer(&self.dir) {
            Err(error) if is_locked(&error) => {
                self.set(next, &asked)?;
                return Err(error).context("the policy is in force; to expire by it");
            }
            log => log?,
        };
        let done = self.set(next, &asked).map(|()| log.retention().expire(options, &asked));
        let closed = log.close();
        let verdict = self.tell(done?, planned)?;
        closed?;
        Ok(verdict)
    }

    /// Sets the policy, if it is another than the one in force. As beside a service: the log's own
    /// way appends a record, and the segment that was the newest might go for it.
    fn set(&self, next: Option<Next<'_>>, asked: &Attribution) -> Result<()> {
        let Some((before, next)) = next else { return Ok(()) };
        self.secrets.admin(&self.dir)?.set_policy(next, asked)?;
        let compared = before.map_or(String::new(), |before| compared(before, next));
        // Whoever closed standard error still wants the rest to be done.
        let _ = writeln!(output::stderr(), "bulla: the policy is now: {next}");
        let _ = output::stderr().write_all(compared.as_bytes());
        Ok(())
    }

    /// Shows what went and what stayed. A segment that the archive did not take stays, as one
    /// that is held does.
    fn tell(&self, done: bulla::Result<Expiry>, planned: &Plan) -> Result<Verdict> {
        let format = self.shown.format();
        let expiry = match done {
            Ok(expiry) => expiry,
            Err(error) if self.is_of_archive(&error) => {
                told::not_archived(planned, &error, self.at_most.unwrap_or(usize::MAX), format)?;
                return Ok(Verdict::Failed);
            }
            Err(error) => return Err(error.into()),
        };
        told::expiry(&expiry, format)?;
        if self.archive.is_none() && planned.going().any(is_archived_first) {
            let _ = writeln!(
                output::stderr(),
                "bulla: the policy lets go of what has a copy alone: give --archive DIR, the \
                 directory that the copies go to"
            );
        }
        let all_went = expiry.stayed.is_empty() && expiry.stopped.is_none();
        match expiry.stopped {
            Some(error) if !self.is_of_archive(&error) => {
                Err(error).context("what is shown as dropped went, then")
            }
            Some(error) => {
                let _ = writeln!(output::stderr(), "bulla: not archived: {error}");
                Ok(Verdict::Failed)
            }
            // What was to go and could not is for somebody to look at.
            None => Ok(if all_went { Verdict::Fine } else { Verdict::Failed }),
        }
    }

    /// Whether it is the archive that refused, and not the log's own disk.
    fn is_of_archive(&self, error: &Error) -> bool {
        let archive = self.archive.as_deref().map(open_log::real);
        let (Error::Io { path, .. } | Error::DiskFull { path, .. }) = error else { return false };
        archive.is_some_and(|archive| path.starts_with(archive))
    }

    fn options(&self) -> ExpireOptions {
        ExpireOptions::new()
            .clock_lead(self.max_clock_lead)
            .drop_restored(self.drop_restored)
            .allow_contradicting_times(self.allow_contradicting_times.iter().copied())
            .at_most(self.at_most.unwrap_or(usize::MAX))
    }

    fn options_with_archive(&self) -> Result<ExpireOptions> {
        let Some(dir) = &self.archive else {
            self.wanted.check_archive_is_given()?;
            return Ok(self.options());
        };
        // Before it is made: what is in a log's directory is taken for a file of the log.
        if open_log::real(dir).starts_with(open_log::real(&self.dir)) {
            bail!(
                "the archive {} lies in the log's own directory: give one elsewhere, best on \
                 another disk",
                dir.display()
            );
        }
        let inputs = Inputs::default().files(self.secrets.files());
        outputs::check_dir(dir, Some(Mark::Archive), &inputs)?;
        let store = DirectoryStore::open_or_create(dir)
            .with_context(|| format!("open the archive {}", dir.display()))?;
        store.check_apart(&self.dir)?;
        check_writable(dir)
            .with_context(|| format!("the archive {} cannot be written to", dir.display()))?;
        Ok(self.options().archive_to(Arc::new(store)))
    }

    /// Says what would be done.
    fn plan(
        &self,
        reader: &LogReader,
        in_force: Option<Policy>,
        changed: Option<Policy>,
    ) -> Result<Verdict> {
        let plan = match &changed {
            None => reader.snapshot().plan_expiry(&self.options())?,
            Some(policy) => reader.snapshot().plan_expiry_by(policy, &self.options())?,
        };
        let policy = changed.as_ref().or(in_force.as_ref());
        if let Some((next, before)) = changed.as_ref().zip(in_force.as_ref()) {
            let _ = output::stderr().write_all(compared(before, next).as_bytes());
        }
        told::plan(&plan, (policy, changed.is_some()), self.at_most, self.shown.format())?;
        Ok(Verdict::Fine)
    }

    /// Compliance mode cannot be ended: whoever switches it on says so twice.
    fn confirm(&self, origin: &str, policy: &Policy) -> Result<()> {
        if self.yes {
            return Ok(());
        }
        let mut err = output::stderr();
        if !io::stdin().is_terminal() {
            bail!(
                "compliance mode can never be ended, and there is no terminal to ask on: give \
                 --yes if it is meant"
            );
        }
        writeln!(err, "The policy is to be: {policy}.")?;
        writeln!(
            err,
            "Compliance mode can never be ended, by no call and no command: the policy can only \
             be made stricter from then on."
        )?;
        write!(err, "Type the log's origin ({}) to go on: ", terminal::plain(origin))?;
        err.flush()?;
        let mut line = String::new();
        io::stdin().read_line(&mut line)?;
        if line.trim() != origin {
            bail!("expected {origin:?}, found {:?}: nothing was changed", line.trim());
        }
        Ok(())
    }
}

/// The policy before, and what is looser than it was.
fn compared(before: &Policy, next: &Policy) -> String {
    let looser = match policy::loosened(before, next) {
        looser if looser.is_empty() => String::new(),
        looser => format!("bulla: LOOSER than before: {}\n", looser.join("; ")),
    };
    format!("bulla: the policy before: {before}\n{looser}")
}

fn is_archived_first(step: &Step) -> bool {
    matches!(step.verdict, retention::Verdict::Goes { archive_first: true })
}

/// Whether another process has the log open.
fn is_locked(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| matches!(cause.downcast_ref(), Some(Error::Locked { .. })))
}

/// Writes a file beside the folders of an archive, as much as shows that there is room at all,
/// and takes it away. The archive passes over names that end so.
fn check_writable(dir: &Path) -> io::Result<()> {
    let probe = dir.join(format!("bulla-{}.tmp", std::process::id()));
    let written = fs::File::create_new(&probe).and_then(|mut file| {
        file.write_all(&[0; PROBE_LEN])?;
        file.sync_all()
    });
    let removed = fs::remove_file(&probe);
    written.and(removed)
}

/// Says what the engine would refuse, before anything is done.
fn next_is_no_looser(before: &Policy, next: &Policy) -> Result<()> {
    before.check_successor(next).map_err(|looser| {
        let missing = [
            (before.compliance && !next.compliance, " --compliance"),
            (before.archive && !next.archive, " --archive-first"),
        ];
        let add: String =
            missing.iter().filter(|(missing, _)| *missing).map(|(_, option)| *option).collect();
        let add = if add.is_empty() { add } else { format!("; add{add}, to leave it on") };
        anyhow::anyhow!(
            "the policy is in compliance mode and can only be made stricter: {looser}; in force: \
             {before}{add}"
        )
    })
}
