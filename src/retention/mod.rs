//! What is kept, for how long, and what is held: pure rules, no files and no clock.
//!
//! - [`Policy`], [`Period`], [`Preset`]: how long;
//! - [`Hold`], [`HoldScope`]: what must not go;
//! - [`plan()`]: what becomes of each segment, and why;
//! - [`DropCertificate`]: what is said of what went.
//!
//! The engine asks the plan, and looks at the records themselves before it deletes.

mod certificate;
mod hold;
mod late_seal;
mod period;
mod plan;
mod policy;

pub use certificate::{DropCertificate, GapError, NowFrom};
#[cfg(feature = "engine")]
pub(crate) use hold::Named;
pub use hold::{CASE_LEN_MAX, Hold, HoldScope, InvalidScope, SCOPE_LEN_MAX};
#[cfg(feature = "engine")]
pub(crate) use late_seal::LATE_BY;
pub use late_seal::LateSeal;
pub use period::{InvalidPeriod, Period};
#[cfg(feature = "engine")]
pub(crate) use plan::keep_until;
pub use plan::{
    Candidate, ClockAhead, Contradiction, Plan, PlanOptions, Step, Verdict, believed_now, plan,
};
pub use policy::{Policy, Preset, UnknownPreset};

/// Who asked for something, and why: kept with the record of it, in the catalog or in the own
/// log of a vault. There, `user:carol` is an actor of the type `user`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Attribution {
    /// Who.
    pub who: Option<String>,
    /// Why.
    pub why: Option<String>,
}

impl Attribution {
    /// Who asked for a change, and why; empty if nobody said.
    pub fn by(who: impl Into<String>) -> Self {
        Attribution { who: Some(who.into()), why: None }
    }

    /// Gives the reason.
    #[must_use]
    pub fn because(self, why: impl Into<String>) -> Self {
        Attribution { why: Some(why.into()), ..self }
    }
}
