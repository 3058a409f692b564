//! [`Policy`]: how long a log keeps its records, and what the law books ask for.

use std::fmt;
use std::str::FromStr;

use super::period::Period;
use crate::format::catalog_body::PolicySet;
use crate::seq::counted;
use crate::time::Timestamp;

/// How long a log keeps its records. A log without one keeps them for ever.
///
/// Every seal fixes the time before which its segment is not dropped; a policy that is
/// shortened later does not touch it, one that is lengthened does.
///
/// ```
/// use bulla::retention::{Period, Policy, Preset};
/// let policy = Policy::keep(Period::from_years(6)).archive(true);
/// assert!(policy.archive);
/// assert_eq!(Policy::preset(Preset::Hipaa).keep, Period::from_years(6));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// The preset that it began as.
    pub preset: Option<Preset>,
    /// How long after its newest record a segment is kept, at least.
    pub keep: Period,
    /// Whether a segment must be archived, and its copy read back, before it is dropped.
    pub archive: bool,
    /// Whether it can only be made stricter: periods longer, never shorter, archiving on,
    /// never off. No call and no command ends this.
    pub compliance: bool,
    /// No segment is dropped before this long after its newest record, whatever its
    /// `keep_until` says.
    pub min_age: Period,
    /// So many of the newest records are never dropped.
    pub min_records: u64,
}

impl Policy {
    /// Keeps records for a period.
    pub fn keep(period: Period) -> Self {
        Policy {
            preset: None,
            keep: period,
            archive: false,
            compliance: false,
            min_age: Period::ZERO,
            min_records: 0,
        }
    }

    /// What a framework asks for; see [`Preset`].
    pub fn preset(preset: Preset) -> Self {
        let keep = Policy::keep(preset.period());
        Policy { preset: Some(preset), min_age: preset.online(), ..keep }
    }

    /// Whether segments are archived before they are dropped.
    #[must_use]
    pub fn archive(self, archive: bool) -> Self {
        Policy { archive, ..self }
    }

    /// Whether the policy can only be made stricter from now on. It cannot be undone.
    #[must_use]
    pub fn compliance(self, compliance: bool) -> Self {
        Policy { compliance, ..self }
    }

    /// How long a segment stays in any case.
    #[must_use]
    pub fn min_age(self, min_age: Period) -> Self {
        Policy { min_age, ..self }
    }

    /// How many of the newest records stay in any case.
    #[must_use]
    pub fn min_records(self, min_records: u64) -> Self {
        Policy { min_records, ..self }
    }

    /// Whether another policy may follow this one.
    ///
    /// # Errors
    /// In compliance mode: what would be looser, and what is in force.
    pub fn check_successor(&self, next: &Policy) -> Result<(), String> {
        self.to_body(Timestamp::MIN).check_successor(&next.to_body(Timestamp::MIN))
    }

    pub(crate) fn to_body(&self, set_at: Timestamp) -> PolicySet<'static> {
        PolicySet {
            preset: self.preset.map_or("", Preset::name),
            keep: self.keep.seconds(),
            archive: self.archive,
            compliance: self.compliance,
            min_age: self.min_age.seconds(),
            min_records: self.min_records,
            set_at: set_at.as_nanos(),
        }
    }

    #[cfg(feature = "engine")]
    pub(crate) fn from_body(body: &PolicySet<'_>) -> Self {
        Policy {
            preset: body.preset.parse().ok(),
            keep: Period::from_seconds(body.keep),
            archive: body.archive,
            compliance: body.compliance,
            min_age: Period::from_seconds(body.min_age),
            min_records: body.min_records,
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "keep {}", self.keep)?;
        if let Some(preset) = self.preset {
            write!(f, ", preset {}", preset.name())?;
        }
        if self.min_age > Period::ZERO {
            write!(f, ", at least {} old", self.min_age)?;
        }
        if self.min_records > 0 {
            let stay = if self.min_records == 1 { "stays" } else { "stay" };
            write!(f, ", the newest {} {stay}", counted(self.min_records, "record"))?;
        }
        if self.archive {
            write!(f, ", archived before they are dropped")?;
        }
        if self.compliance {
            write!(f, ", compliance mode")?;
        }
        Ok(())
    }
}

/// What a framework asks for, as it is commonly read; `docs/compliance.md` names the
/// sources. Which one binds you is a question for your counsel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Preset {
    /// 45 CFR 164.316(b)(2)(i): documentation is kept for 6 years.
    Hipaa,
    /// PCI DSS v4.0, 10.5.1: 12 months, of which the newest 3 at hand at once.
    PciDss,
    /// SOC 2 names no period; a year covers the period of a usual Type II report.
    Soc2,
    /// 17 CFR 210.2-06: audit records for 7 years.
    Sox,
}

impl Preset {
    /// All of them.
    pub const ALL: [Preset; 4] = [Preset::Hipaa, Preset::PciDss, Preset::Soc2, Preset::Sox];

    /// Its name: `hipaa`, `pci-dss`, `soc2`, `sox`.
    pub const fn name(self) -> &'static str {
        match self {
            Preset::Hipaa => "hipaa",
            Preset::PciDss => "pci-dss",
            Preset::Soc2 => "soc2",
            Preset::Sox => "sox",
        }
    }

    /// How long it keeps.
    pub const fn period(self) -> Period {
        match self {
            Preset::Hipaa => Period::from_years(6),
            Preset::PciDss | Preset::Soc2 => Period::from_years(1),
            Preset::Sox => Period::from_years(7),
        }
    }

    /// How long records stay in the log itself in any case.
    pub const fn online(self) -> Period {
        match self {
            Preset::PciDss => Period::from_days(93),
            Preset::Hipaa | Preset::Soc2 | Preset::Sox => Period::ZERO,
        }
    }
}

/// The text names no preset.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected one of {}, found {found:?}", Preset::ALL.map(Preset::name).join(", "))]
pub struct UnknownPreset {
    /// The text.
    pub found: String,
}

impl FromStr for Preset {
    type Err = UnknownPreset;

    fn from_str(text: &str) -> Result<Self, UnknownPreset> {
        let found = || UnknownPreset { found: text.to_owned() };
        Preset::ALL.into_iter().find(|preset| preset.name() == text).ok_or_else(found)
    }
}
