//! `bulla retain`: set the policy, and let go of what it no longer keeps.

pub(super) mod policy;
mod told;

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use bulla::archive::DirectoryStore;
use bulla::{Asked, ExpireOptions, LogReader, Period, Policy};
use clap::Args;

use crate::cells;
use crate::failure::Verdict;
use crate::output::Shown;
use crate::secrets::Secrets;
use policy::Wanted;

#[derive(Args)]
#[command(after_help = "\
Examples:
  bulla retain ./audit --keep 6y --dry-run
  bulla retain ./audit --preset hipaa --who carol --why 'policy 12'
  bulla retain ./audit --who cron --why nightly
  bulla retain ./audit --archive /mnt/archive --who cron --why nightly

With --keep or --preset the policy is set, if it is not the one in force; what is not given with
it is off. --archive-first, --compliance, --min-age and --min-records alone make the policy in
force stricter. Then the sealed segments whose time is over and that no legal hold pins are
dropped, the oldest first, each with a certificate that stays. The dry run changes nothing.

A period is a number and y, m (months), d, h, min or s, and never shorter than by the calendar. A
segment is kept for it from its newest record, or from its seal if that is later. What a seal has
fixed a shorter policy does not touch; segments that were sealed before the first policy have
nothing fixed, and go by the one in force. The newest segment always stays.

The status is 1 if something that was to go stayed: held by a hold that came in between, damaged,
or not archived. In a log that records actors under aliases give the key store, so that holds on
their names count.

The policy can be set while a service has the log open. Expiring needs the log: then the service
does it (`Log::expire`).")]
pub(crate) struct Retain {
    /// The log
    dir: PathBuf,
    #[command(flatten)]
    wanted: Wanted,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Expire only if the clock is not further ahead of the newest event than this
    #[arg(long, value_name = "PERIOD", default_value = "7d")]
    max_clock_lead: Period,
    /// Copy each segment into this directory first, read the copy back and verify it; made if it
    /// is missing. Needed if the policy asks for an archive
    #[arg(long, value_name = "DIR")]
    archive: Option<PathBuf>,
    /// Let restored segments go again, too
    #[arg(long)]
    drop_restored: bool,
    /// Let at most so many segments go this time
    #[arg(long, value_name = "N")]
    at_most: Option<usize>,
    /// Who asks for it
    #[arg(long, value_name = "NAME", required_unless_present = "dry_run")]
    who: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT", required_unless_present = "dry_run")]
    why: Option<String>,
    /// Do not ask before compliance mode is switched on
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    secrets: Secrets,
    #[command(flatten)]
    shown: Shown,
}

impl Retain {
    pub(crate) fn run(self) -> Result<Verdict> {
        let reader = self.secrets.reader(&self.dir)?;
        let in_force = reader.policy()?.map(|recorded| recorded.policy);
        let wanted = self.wanted.policy(in_force.as_ref())?;
        let changed = wanted.filter(|wanted| Some(wanted) != in_force.as_ref());
        if let Some((next, before)) = changed.as_ref().zip(in_force.as_ref()) {
            next_is_no_looser(before, next)?;
        }
        if self.dry_run {
            return self.plan(&reader, in_force, changed);
        }
        let asked = Asked { who: self.who.clone(), why: self.why.clone() };
        if let Some(policy) = &changed {
            if policy.compliance && !in_force.as_ref().is_some_and(|before| before.compliance) {
                self.confirm(reader.origin(), policy)?;
            }
            self.secrets.admin(&self.dir)?.set_policy(policy, &asked)?;
            // Whoever closed standard error still wants the rest to be done.
            let _ = writeln!(io::stderr(), "bulla: the policy is now: {policy}");
        } else if in_force.is_none() {
            bail!(
                "the log has no policy, so nothing expires: give one with --keep 6y or --preset \
                 hipaa"
            );
        }
        drop(reader);
        self.expire(&asked)
    }

    fn expire(&self, asked: &Asked) -> Result<Verdict> {
        let log =
            self.secrets.writer(&self.dir).context("the policy is in force; to expire by it")?;
        let done = self.options_with_archive().and_then(|options| Ok(log.expire(&options, asked)?));
        let closed = log.close();
        let expiry = done?;
        told::expiry(&expiry, self.shown.output)?;
        if let Some(error) = expiry.stopped {
            return Err(error).context("what is shown as dropped went, then");
        }
        closed?;
        // What was to go and could not is for somebody to look at.
        Ok(if expiry.stayed.is_empty() { Verdict::Fine } else { Verdict::Failed })
    }

    fn options(&self) -> ExpireOptions {
        ExpireOptions::new()
            .clock_lead(self.max_clock_lead)
            .drop_restored(self.drop_restored)
            .at_most(self.at_most.unwrap_or(usize::MAX))
    }

    fn options_with_archive(&self) -> Result<ExpireOptions> {
        let Some(dir) = &self.archive else { return Ok(self.options()) };
        // Before it is made: what is in a log's directory is taken for a file of the log.
        if let (Ok(log), Ok(archive)) = (self.dir.canonicalize(), std::path::absolute(dir))
            && archive.starts_with(&log)
        {
            bail!(
                "the archive {} lies in the log's own directory: give one elsewhere, best on \
                 another disk",
                dir.display()
            );
        }
        let store = DirectoryStore::open_or_create(dir)
            .with_context(|| format!("open the archive {}", dir.display()))?;
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
            None => reader.plan_expiry(&self.options())?,
            Some(policy) => reader.plan_expiry_by(policy, &self.options())?,
        };
        let policy = changed.as_ref().or(in_force.as_ref());
        told::plan(&plan, (policy, changed.is_some()), self.at_most, self.shown.output)?;
        Ok(Verdict::Fine)
    }

    /// Compliance mode cannot be ended: whoever switches it on says so twice.
    fn confirm(&self, origin: &str, policy: &Policy) -> Result<()> {
        if self.yes {
            return Ok(());
        }
        let mut err = io::stderr();
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
        write!(err, "Type the log's origin ({}) to go on: ", cells::plain(origin))?;
        err.flush()?;
        let mut line = String::new();
        io::stdin().read_line(&mut line)?;
        if line.trim() != origin {
            bail!("expected {origin:?}, found {:?}: nothing was changed", line.trim());
        }
        Ok(())
    }
}

/// Says what the engine would refuse, before anything is done.
fn next_is_no_looser(before: &Policy, next: &Policy) -> Result<()> {
    before.check_successor(next).map_err(|looser| {
        anyhow::anyhow!(
            "the policy is in compliance mode and can only be made stricter: {looser}; in force: \
             {before}"
        )
    })
}
