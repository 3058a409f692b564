//! Who asked for something and why, as it is recorded.

use crate::error::{Error, Result};
use crate::format::catalog_body::RecordedAttribution;
use crate::retention::Attribution;

/// The longest name or reason that is recorded, in bytes.
const TEXT_MAX: usize = 4_096;

/// What of it is recorded.
pub(crate) fn because(asked: &Attribution) -> RecordedAttribution<'_> {
    RecordedAttribution { who: asked.who.as_deref(), why: asked.why.as_deref(), custodian: None }
}

/// Names and reasons must fit a record beside everything else in it.
pub(crate) fn check_asked(asked: &Attribution) -> Result<()> {
    check_text("who", asked.who.as_deref())?;
    check_text("why", asked.why.as_deref())
}

pub(crate) fn check_text(name: &'static str, text: Option<&str>) -> Result<()> {
    match text.map_or(0, str::len) {
        0..=TEXT_MAX => Ok(()),
        found => {
            let reason = format!("expected at most {TEXT_MAX} bytes, found {found}");
            Err(Error::InvalidOption { name, reason })
        }
    }
}
