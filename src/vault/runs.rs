//! Runs: stretches of a log in which `recorded_at` does not decrease.
//!
//! Within a segment it never does (what is read is compared), and a clock that was set back begins another segment. So a
//! log is nearly always one run, and never more than it has segments.

use crate::error::Result;
use crate::log::{Log, SegmentInfo};
use crate::seq::Seq;
use crate::time::Timestamp;

/// A stretch of a log, oldest first, in the order of `recorded_at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) first: Seq,
    /// The record behind it.
    pub(super) end: Seq,
    /// Smallest and largest `recorded_at`: of its first and its last record.
    pub(super) recorded: (Timestamp, Timestamp),
}

/// The runs of a log, oldest first; none if it is empty.
pub(super) fn of(log: &Log) -> Result<Vec<Run>> {
    let end = log.size().next_seq();
    let mut runs: Vec<Run> = Vec::new();
    for segment in log.snapshot().segments()? {
        let first = segment.first.next_seq();
        let until = Seq::new(first.get().saturating_add(segment.count)).min(end);
        if until <= first {
            continue;
        }
        let recorded = recorded(log, &segment, first, until)?;
        match runs.last_mut() {
            Some(run) if run.recorded.1 <= recorded.0 => {
                (run.end, run.recorded.1) = (until, recorded.1);
            }
            _ => runs.push(Run { first, end: until, recorded }),
        }
    }
    Ok(runs)
}

/// The times of the first and the last record of a segment, as far as the log goes.
fn recorded(
    log: &Log,
    segment: &SegmentInfo,
    first: Seq,
    until: Seq,
) -> Result<(Timestamp, Timestamp)> {
    if let Some(recorded) = segment.recorded {
        return Ok(recorded);
    }
    let last = Seq::new(until.get().saturating_sub(1));
    Ok((log.snapshot().get(first)?.recorded_at, log.snapshot().get(last)?.recorded_at))
}
