//! A seal that was made by a clock that was ahead.

use std::fmt;
use std::time::Duration;

use crate::time::Timestamp;

/// A seal may be later by this much than what was recorded after it: clocks are put right by a
/// little all the time, and a log that is opened after a crash seals what had ended before.
pub(crate) const LATE_BY: Duration = Duration::from_secs(24 * 3_600);

/// A segment that was sealed at a time later than everything that was recorded before and behind
/// it: the clock was ahead then. What is sealed later is kept by that time as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LateSeal {
    /// The segment whose seal has this time first.
    pub ordinal: u64,
    /// The time of its seal.
    pub sealed_at: Timestamp,
    /// The latest time in the log, or that of the clock now, if nothing is behind the segment.
    pub latest: Timestamp,
}

impl LateSeal {
    /// Compares a seal with the latest time up to its segment, and with that behind it (`None`:
    /// nothing is) or now. A day is no difference.
    pub fn find(
        (ordinal, sealed_at): (u64, Timestamp),
        up_to: Timestamp,
        behind: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<Self> {
        let latest = up_to.max(behind.unwrap_or(now));
        let is_late = sealed_at.saturating_since(latest) > LATE_BY;
        is_late.then_some(LateSeal { ordinal, sealed_at, latest })
    }
}

impl fmt::Display for LateSeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LateSeal { ordinal, sealed_at, latest } = self;
        write!(
            f,
            "segment {ordinal} was sealed at {sealed_at} by the clock, and the log has no later time \
             than {latest}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_late_if_nothing_before_or_behind_it_is_nearly_as_late() {
        let day = |n: i64| Timestamp::from_nanos(n * 86_400_000_000_000);
        let find = |up_to, behind: Option<i64>, now| {
            LateSeal::find((2, day(100)), day(up_to), behind.map(day), day(now))
        };
        let late = |latest| Some(LateSeal { ordinal: 2, sealed_at: day(100), latest: day(latest) });
        assert_eq!(find(10, Some(98), 1_000), late(98));
        assert_eq!(find(10, None, 98), late(98));
        for (up_to, behind, now) in [(99, Some(11), 12), (10, Some(99), 12), (10, None, 99)] {
            assert_eq!(find(up_to, behind, now), None, "{up_to} {behind:?} {now}");
        }
    }
}
