//! The time that an expiry goes by.

use std::ops::ControlFlow;

use crate::directory::LogDir;
use crate::directory::checkpoints;
use crate::error::{Error, Result};
use crate::query::Query;
use crate::read::records::SegmentSnapshot;
use crate::retention::{NowFrom, Period, Policy, believed_now};
use crate::time::Timestamp;

/// So many of the newest checkpoints are searched for a cosignature.
const SEARCHED: usize = 64;

/// The clock's time, compared with the newest event and with the time that the newest drop
/// went by; in compliance mode not later than the
/// newest cosignature of a published checkpoint, if there is one. Nobody checks who made
/// that: it can only delay what goes, never hasten it.
pub(crate) fn believed(
    snapshot: &SegmentSnapshot,
    (clock, lead): (Timestamp, Period),
    (policy, before): (Option<&Policy>, Option<Timestamp>),
    dir: &LogDir,
) -> Result<(Timestamp, NowFrom)> {
    let Some(policy) = policy else { return Ok((clock, NowFrom::Clock)) };
    // Who let something go a moment ago need not look for the newest event, which lies behind the
    // anchors of all drops before: a newer one leaves the clock no further ahead.
    let now = match before.map(|before| believed_now(clock, Some(before), lead)) {
        Some(Ok(now)) => now,
        _ => believed_now(clock, newest_event(snapshot)?.max(before), lead)
            .map_err(Error::ClockAhead)?,
    };
    if !policy.compliance {
        return Ok((now, NowFrom::Clock));
    }
    match witnessed(dir)?.filter(|witnessed| *witnessed < now) {
        Some(witnessed) => Ok((witnessed, NowFrom::Cosignature)),
        None => Ok((now, NowFrom::Clock)),
    }
}

/// When the newest event was recorded. The log's own records do not count: it writes one with
/// whatever time the clock shows.
fn newest_event(snapshot: &SegmentSnapshot) -> Result<Option<Timestamp>> {
    let mut newest = None;
    snapshot.query(&Query::new().limit(1))?.visit(|record| {
        newest = Some(record.recorded_at());
        ControlFlow::Break(())
    })?;
    Ok(newest)
}

/// The newest time that a cosignature on a published checkpoint claims.
fn witnessed(dir: &LogDir) -> Result<Option<Timestamp>> {
    let files = checkpoints::list(dir)?;
    let newest = files.iter().rev().take(SEARCHED).find_map(|(_, path)| {
        // `verify` reports a file that is not a checkpoint.
        let checkpoint = checkpoints::read(dir.disk(), path).ok()?;
        let signatures = checkpoint.note().signatures().iter();
        signatures.filter_map(|signature| signature.claimed_time()).max()
    });
    let nanos = newest.map(|seconds| seconds.saturating_mul(1_000_000_000));
    Ok(nanos.map(|nanos| Timestamp::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))))
}
