//! Whether the times of what is shown of a segment agree with each other.

use super::error::VerifyAnswerError;
use super::evidence::{SegmentEvidence, TimeEvidence};
use crate::event::{Record, RecordKind};
use crate::format::catalog_body::Sealed;
use crate::query::Subject;
use crate::time::Timestamp;

/// The times of a segment, while its records are gone through.
pub(super) struct TimesOf<'a> {
    pub(super) sealed: &'a Sealed,
    occurred: Option<&'a TimeEvidence>,
    recorded: Option<&'a TimeEvidence>,
    /// Of the record before.
    before: Option<Timestamp>,
}

impl<'a> TimesOf<'a> {
    pub(super) fn of(sealed: &'a Sealed, shown: &'a SegmentEvidence) -> Self {
        let (occurred, recorded) = match shown {
            SegmentEvidence::Index(index) => (index.occurred.as_ref(), index.recorded.as_ref()),
            _ => (None, None),
        };
        TimesOf { sealed, occurred, recorded, before: None }
    }

    /// The next record, by position: recorded no earlier than the one before, within the times
    /// of the segment, and when the index says.
    pub(super) fn check(
        &mut self,
        record: &Record,
        position: u64,
    ) -> Result<(), VerifyAnswerError> {
        let recorded = record.recorded_at;
        let occurred = Subject::of_record(record).occurred_at;
        if let Some(before) = self.before.replace(recorded).filter(|before| recorded < *before) {
            let what = "when the records were recorded";
            let expected = format!("record {} no earlier than {before}", record.seq);
            return Err(VerifyAnswerError::other(what, expected, recorded));
        }
        let [recorded_min, recorded_max, occurred_min, occurred_max] =
            self.sealed.times.map(Timestamp::from_nanos);
        within("when a record was recorded", recorded, (recorded_min, recorded_max))?;
        within("when an event occurred", occurred, (occurred_min, occurred_max))?;
        if record.kind != RecordKind::Event {
            return Ok(()); // in no list of times
        }
        as_shown("when a record was recorded", self.recorded, position, recorded)?;
        as_shown("when an event occurred", self.occurred, position, occurred)
    }
}

fn within(
    what: &'static str,
    time: Timestamp,
    (min, max): (Timestamp, Timestamp),
) -> Result<(), VerifyAnswerError> {
    match min <= time && time <= max {
        true => Ok(()),
        false => {
            let expected = format!("from {min} to {max}, as the segment's entry says");
            Err(VerifyAnswerError::other(what, expected, time))
        }
    }
}

/// An event is disclosed because its position is shown, or for something else; with its position
/// its time is shown.
fn as_shown(
    what: &'static str,
    shown: Option<&TimeEvidence>,
    position: u64,
    time: Timestamp,
) -> Result<(), VerifyAnswerError> {
    let Some(shown) = shown else { return Ok(()) };
    let nanos = time.as_nanos();
    // They ascend by time, then by position.
    let from = shown.entries.partition_point(|entry| entry.time < nanos);
    let at_that_time = shown.entries.get(from..).unwrap_or_default();
    let mut at_that_time = at_that_time.iter().take_while(|entry| entry.time == nanos);
    match at_that_time.any(|entry| u64::from(entry.position) == position) {
        true => Ok(()),
        false => {
            let expected = format!("position {position} at {time} in the times that are shown");
            Err(VerifyAnswerError::other(what, expected, "not there"))
        }
    }
}
