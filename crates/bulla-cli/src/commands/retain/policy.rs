//! The policy that the options ask for.

use anyhow::{Result, bail};
use bulla::log::RecordedPolicy;
use bulla::{Period, Policy, Preset};
use clap::Args;

use crate::{numbers, text};

/// What is asked for.
#[derive(Args)]
pub(super) struct Wanted {
    /// Keep records for this period, such as 6y, 18mo, 90d
    #[arg(long, allow_hyphen_values = true, value_name = "PERIOD", conflicts_with = "preset")]
    keep: Option<Period>,
    /// Keep records as a framework asks for: hipaa (6y), pci-dss (1y), soc2 (1y), sox (7y)
    #[arg(long, value_name = "NAME")]
    preset: Option<Preset>,
    /// Drop only what has a copy in an archive that was read back; needs --archive, but in a dry run
    #[arg(long)]
    archive_first: bool,
    /// From now on the policy can only be made stricter; this can never be ended
    #[arg(long)]
    compliance: bool,
    /// Keep every segment at least this long after its newest record
    #[arg(long, allow_hyphen_values = true, value_name = "PERIOD")]
    min_age: Option<Period>,
    /// Keep so many of the newest records in any case
    #[arg(long, allow_hyphen_values = true, value_name = "N", value_parser = numbers::any)]
    min_records: Option<u64>,
}

impl Wanted {
    /// Refuses what needs an archive where none is given: the policy would be set, and nothing
    /// could go by it.
    pub(super) fn check_archive_is_given(&self) -> Result<()> {
        if self.archive_first {
            bail!(
                "--archive-first: expected --archive DIR too, the directory that the copies go to, \
                 found no --archive; nothing was changed"
            );
        }
        Ok(())
    }

    /// The policy that is asked for; `None` if none is.
    pub(super) fn policy(&self, in_force: Option<&Policy>) -> Result<Option<Policy>> {
        let Wanted { keep, preset, archive_first, compliance, min_age, min_records } = self;
        let stricter = *archive_first || *compliance || min_age.is_some() || min_records.is_some();
        let base = match (keep, preset, in_force) {
            (Some(keep), _, _) => Policy::keep(*keep),
            (None, Some(preset), _) => Policy::preset(*preset),
            (None, None, _) if !stricter => return Ok(None),
            (None, None, Some(in_force)) => in_force.clone(),
            (None, None, None) => bail!(
                "the log has no policy to make stricter: give one with --keep 6y or --preset hipaa"
            ),
        };
        let (archive, mode) = (base.archive || *archive_first, base.compliance || *compliance);
        let base = base.archive(archive).compliance(mode);
        let min_age = min_age.unwrap_or(base.min_age);
        let min_records = min_records.unwrap_or(base.min_records);
        Ok(Some(base.min_age(min_age).min_records(min_records)))
    }
}

/// What a policy switches off or shortens of the one before it, in words.
pub(super) fn loosened(before: &Policy, next: &Policy) -> Vec<String> {
    let mut looser = Vec::new();
    for (name, was, is) in
        [("the period", before.keep, next.keep), ("the minimum age", before.min_age, next.min_age)]
    {
        match is {
            _ if is >= was => {}
            Period::ZERO => looser.push(format!("{name} of {was} is off")),
            _ => looser.push(format!("{name} is shortened from {was} to {is}")),
        }
    }
    let (was, is) = (before.min_records, next.min_records);
    match is {
        _ if is >= was => {}
        0 => looser.push(format!("that the newest {} stay is off", text::counted(was, "record"))),
        _ => looser.push(format!("{is} instead of {was} of the newest records stay")),
    }
    if before.archive && !next.archive {
        looser.push("archiving first is off".to_owned());
    }
    looser
}

/// A policy for programs.
pub(in crate::commands) fn json_of(policy: &Policy) -> serde_json::Value {
    serde_json::json!({
        "keep_seconds": policy.keep.seconds(),
        "preset": policy.preset.map(Preset::name),
        "archive_first": policy.archive,
        "compliance": policy.compliance,
        "min_age_seconds": policy.min_age.seconds(),
        "min_records": policy.min_records,
        "in_words": policy.to_string(),
    })
}

/// The policy in force for programs, and who set it.
pub(in crate::commands) fn json(recorded: &RecordedPolicy) -> serde_json::Value {
    let mut value = json_of(&recorded.policy);
    value["set_at"] = recorded.set_at.to_string().into();
    value["catalog_seq"] = recorded.catalog_seq.get().into();
    value["who"] = recorded.who.clone().into();
    value["why"] = recorded.why.clone().into();
    value
}
