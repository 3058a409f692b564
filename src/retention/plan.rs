//! The plan of an expiry: what becomes of each segment, and why. Pure: no files, no clock.

use std::fmt;
use std::time::Duration;

use super::late_seal::LateSeal;
use super::period::Period;
use super::policy::Policy;
use crate::seq::counted;
use crate::time::Timestamp;

/// What is known of a sealed segment before it is decided about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its number.
    pub ordinal: u64,
    /// Records before it.
    pub first: u64,
    /// Records in it.
    pub count: u64,
    /// Size of its file in bytes.
    pub bytes: u64,
    /// The time of its newest record, by the log's clock.
    pub newest: Timestamp,
    /// The latest time that the log recorded up to its end: what its age counts from, as no
    /// record is older than one before it, whatever the clock showed.
    pub counted_from: Timestamp,
    /// How its times contradict those of other segments, unless somebody said that it may go.
    pub contradiction: Option<Contradiction>,
    /// The seal by a clock that was ahead that keeps it longer than its records ask for.
    pub late_seal: Option<LateSeal>,
    /// Fixed when it was sealed; `None`: there was no policy then.
    pub keep_until: Option<Timestamp>,
    /// Whether a copy is in an archive.
    pub archived: bool,
    /// Whether it was brought back from an archive.
    pub restored: bool,
    /// The cases of the holds that pin a record in it.
    pub held_by: Vec<String>,
    /// Why its records cannot be compared with the holds, if they cannot.
    pub unreadable: Option<String>,
}

/// How the times of a segment contradict those of the segments before or behind it: the clock was
/// wrong when one of them was recorded, and the log cannot tell when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Contradiction {
    /// Even its newest record is earlier than what was recorded before the segment.
    EarlierThanBefore {
        /// The time of its newest record.
        newest: Timestamp,
        /// The latest time before it.
        before: Timestamp,
    },
    /// Even its newest record is earlier than any log of this format: a clock that was never set,
    /// such as one that begins at 1970.
    EarlierThanAnyLog {
        /// The time of its newest record.
        newest: Timestamp,
    },
    /// Its newest record is later than everything that was recorded behind the segment.
    LaterThanBehind {
        /// The time of its newest record.
        newest: Timestamp,
        /// The latest time behind it.
        behind: Timestamp,
    },
}

/// 2016-01-01: nothing was recorded by this program before, whatever a clock showed.
const EARLIEST: Timestamp = Timestamp::from_nanos(1_451_606_400_000_000_000);

impl Contradiction {
    /// Compares the newest record of a segment with the latest time before it, and with those of
    /// the segments behind it. Differences up to the tolerance are none. A time before 2016 is
    /// wrong by itself.
    pub fn find(
        newest: Timestamp,
        before: Option<Timestamp>,
        behind: impl IntoIterator<Item = Timestamp>,
        tolerance: Duration,
    ) -> Option<Self> {
        let exceeds = |late: Timestamp, early: Timestamp| late.saturating_since(early) > tolerance;
        if let Some(before) = before.filter(|before| exceeds(*before, newest)) {
            return Some(Contradiction::EarlierThanBefore { newest, before });
        }
        if newest < EARLIEST {
            return Some(Contradiction::EarlierThanAnyLog { newest });
        }
        let mut latest = None;
        for time in behind {
            if !exceeds(newest, time) {
                return None;
            }
            latest = latest.max(Some(time));
        }
        latest.map(|behind| Contradiction::LaterThanBehind { newest, behind })
    }
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Contradiction::EarlierThanBefore { newest, before } => {
                write!(f, "its newest record is of {newest}, and one before it of {before}")
            }
            Contradiction::EarlierThanAnyLog { newest } => {
                write!(f, "its newest record is of {newest}, before any log of this format")
            }
            Contradiction::LaterThanBehind { newest, behind } => {
                write!(f, "its newest record is of {newest}, and the newest behind it of {behind}")
            }
        }
    }
}

/// What becomes of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It stays: the log has no policy.
    NoPolicy,
    /// It stays: not before this time.
    TooYoung {
        /// When it may go.
        until: Timestamp,
    },
    /// It stays: these holds pin it.
    Held {
        /// Their cases.
        cases: Vec<String>,
    },
    /// It stays: the chain of segments goes on from the newest.
    Newest,
    /// It stays: with records among the newest that the policy keeps.
    AmongNewest {
        /// How many records that are.
        min_records: u64,
    },
    /// It stays: it was restored, and is not dropped again by itself.
    Restored,
    /// It stays: nobody can tell whether a hold pins it.
    Unreadable {
        /// Why.
        reason: String,
    },
    /// It stays until somebody says that it may go: its times contradict those of others.
    ContradictingTimes {
        /// How.
        contradiction: Contradiction,
        /// It does not go before this either way.
        until: Timestamp,
    },
    /// It goes.
    Goes {
        /// Whether a copy must be made first.
        archive_first: bool,
    },
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::NoPolicy => write!(f, "stays: no policy is set"),
            Verdict::TooYoung { until } => write!(f, "too young: kept until {until}"),
            Verdict::Held { cases } => write!(f, "held by {}", cases.join(", ")),
            Verdict::Newest => write!(f, "stays: the newest segment"),
            Verdict::AmongNewest { min_records } => {
                write!(f, "stays: among the newest {}", counted(*min_records, "record"))
            }
            Verdict::Restored => write!(f, "stays: restored from an archive"),
            Verdict::Unreadable { reason } => {
                write!(f, "stays: cannot be compared with the holds: {reason}")
            }
            Verdict::ContradictingTimes { contradiction, until } => write!(
                f,
                "stays: the clock was wrong when it was recorded: {contradiction}; kept until \
                 somebody says that it may go (`--allow-contradicting-times`), and not before \
                 {until}"
            ),
            Verdict::Goes { archive_first: true } => write!(f, "goes, archived first"),
            Verdict::Goes { archive_first: false } => write!(f, "goes"),
        }
    }
}

/// A segment and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The segment.
    pub segment: Candidate,
    /// Before this it does not go, by the policy; `None` without one.
    pub keep_until: Option<Timestamp>,
    /// What becomes of it.
    pub verdict: Verdict,
}

impl fmt::Display for Step {
    /// The verdict, and why the segment is kept longer than its records ask for, if it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.verdict)?;
        match (&self.verdict, &self.segment.late_seal) {
            (Verdict::TooYoung { .. } | Verdict::ContradictingTimes { .. }, Some(late)) => {
                write!(f, ": {late}")
            }
            _ => Ok(()),
        }
    }
}

/// What an expiry does, segment by segment, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[must_use]
pub struct Plan {
    /// The time that it was made for.
    pub now: Timestamp,
    /// One for every sealed segment that is there.
    pub steps: Vec<Step>,
}

impl Plan {
    /// The segments that go.
    pub fn going(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| matches!(step.verdict, Verdict::Goes { .. }))
    }
}

/// What is asked beside the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct PlanOptions {
    /// Whether restored segments may go again.
    pub drop_restored: bool,
    /// Whether a newer segment, not sealed yet, is behind all of them: the newest one of a log
    /// always stays.
    pub newest_may_go: bool,
}

/// Plans an expiry at a time. `segments` are those that are sealed and can be read, ascending;
/// records from `kept_from` on are among the newest that the policy keeps in any case
/// (`u64::MAX`: none is).
pub fn plan(
    segments: &[Candidate],
    policy: Option<&Policy>,
    kept_from: u64,
    now: Timestamp,
    options: PlanOptions,
) -> Plan {
    let newest = segments.iter().map(|segment| segment.ordinal).max();
    let newest = newest.filter(|_| !options.newest_may_go);
    let steps = segments.iter().map(|segment| {
        let keep_until = policy.map(|policy| keep_until(segment, policy));
        let verdict = match policy {
            None => Verdict::NoPolicy,
            Some(policy) if newest == Some(segment.ordinal) => last(segment, policy, now),
            Some(policy) => verdict(segment, policy, kept_from, now, options),
        };
        Step { segment: segment.clone(), keep_until, verdict }
    });
    Plan { now, steps: steps.collect() }
}

/// The newest segment stays; if it would go but for that, that is what is said.
fn last(segment: &Candidate, policy: &Policy, now: Timestamp) -> Verdict {
    let until = keep_until(segment, policy);
    match segment.contradiction {
        Some(contradiction) => Verdict::ContradictingTimes { contradiction, until },
        None if now < until => Verdict::TooYoung { until },
        None => Verdict::Newest,
    }
}

fn verdict(
    segment: &Candidate,
    policy: &Policy,
    kept_from: u64,
    now: Timestamp,
    options: PlanOptions,
) -> Verdict {
    let until = keep_until(segment, policy);
    let end = segment.first.saturating_add(segment.count);
    if !segment.held_by.is_empty() {
        return Verdict::Held { cases: segment.held_by.clone() };
    }
    if let Some(reason) = &segment.unreadable {
        return Verdict::Unreadable { reason: reason.clone() };
    }
    if let Some(contradiction) = segment.contradiction {
        return Verdict::ContradictingTimes { contradiction, until };
    }
    // Beyond the last time that there is, a period never ends.
    if now < until || until == Timestamp::MAX {
        return Verdict::TooYoung { until };
    }
    if end > kept_from {
        return Verdict::AmongNewest { min_records: policy.min_records };
    }
    if segment.restored && !options.drop_restored {
        return Verdict::Restored;
    }
    Verdict::Goes { archive_first: policy.archive && !segment.archived }
}

/// The time before which a segment stays: what its seal fixed, or more if the policy was
/// lengthened since, and never less than the minimum age.
pub(crate) fn keep_until(segment: &Candidate, policy: &Policy) -> Timestamp {
    let from = segment.newest.max(segment.counted_from);
    let after = |period: Period| from.saturating_add(period.duration());
    let fixed = segment.keep_until.unwrap_or(Timestamp::MIN);
    fixed.max(after(policy.keep)).max(after(policy.min_age))
}

/// The clock is ahead of the newest event by more than is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the clock shows {now}, more than {limit} after the newest event, of {newest}: nothing expires \
     by a clock that may have jumped. If it is right, append an event, or allow more \
     (`--max-clock-lead`)"
)]
pub struct ClockAhead {
    /// What the clock shows.
    pub now: Timestamp,
    /// The newest record.
    pub newest: Timestamp,
    /// How far ahead is believed.
    pub limit: Period,
}

/// The time to expire by: the clock's, if it is not too far ahead of the newest record. One
/// that is behind it is taken as it is: it lets less go.
///
/// # Errors
/// The clock is more than `limit` ahead.
pub fn believed_now(
    now: Timestamp,
    newest: Option<Timestamp>,
    limit: Period,
) -> Result<Timestamp, ClockAhead> {
    match newest {
        Some(newest) if now.saturating_since(newest) > limit.duration() => {
            Err(ClockAhead { now, newest, limit })
        }
        _ => Ok(now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000_000;

    /// Days since 2016: see [`EARLIEST`].
    fn at(day: i64) -> Timestamp {
        Timestamp::from_nanos(EARLIEST.as_nanos() + day * DAY)
    }

    fn segment(ordinal: u64, newest: i64) -> Candidate {
        Candidate {
            ordinal,
            first: (ordinal - 1) * 10,
            count: 10,
            bytes: 1,
            newest: at(newest),
            counted_from: at(newest),
            contradiction: None,
            late_seal: None,
            keep_until: None,
            archived: false,
            restored: false,
            held_by: Vec::new(),
            unreadable: None,
        }
    }

    fn kept_from(policy: &Policy) -> u64 {
        1_000 - policy.min_records
    }

    fn verdicts(segments: &[Candidate], policy: &Policy, now: i64) -> Vec<Verdict> {
        let planned =
            plan(segments, Some(policy), kept_from(policy), at(now), PlanOptions::default());
        planned.steps.into_iter().map(|step| step.verdict).collect()
    }

    const GOES: Verdict = Verdict::Goes { archive_first: false };

    #[test]
    fn a_segment_goes_when_its_time_is_over_and_nothing_pins_it() {
        let held = Candidate { held_by: vec!["case 7".to_owned()], ..segment(2, 20) };
        let segments = [segment(1, 10), held, segment(3, 30), segment(4, 40)];
        let policy = Policy::keep(Period::from_days(10));
        let cases = vec!["case 7".to_owned()];
        let young = Verdict::TooYoung { until: at(40) };
        let last = Verdict::TooYoung { until: at(50) };
        assert_eq!(
            verdicts(&segments, &policy, 39),
            [GOES, Verdict::Held { cases: cases.clone() }, young, last]
        );
        assert_eq!(
            verdicts(&segments, &policy, 999),
            [GOES, Verdict::Held { cases }, GOES, Verdict::Newest]
        );
    }

    #[test]
    fn what_a_seal_fixed_is_not_shortened_but_lengthened() {
        let fixed = Candidate { keep_until: Some(at(100)), ..segment(1, 10) };
        let segments = [fixed, segment(2, 40)];
        let verdict = |days, now| verdicts(&segments, &Policy::keep(Period::from_days(days)), now);
        assert_eq!(verdict(1, 99)[0], Verdict::TooYoung { until: at(100) });
        assert_eq!(verdict(1, 100)[0], GOES);
        assert_eq!(verdict(200, 100)[0], Verdict::TooYoung { until: at(210) });
    }

    #[test]
    fn the_newest_records_restored_and_unreadable_segments_stay() {
        let restored = Candidate { restored: true, ..segment(1, 1) };
        let damaged = Candidate { unreadable: Some("crc".to_owned()), ..segment(2, 1) };
        let segments = [restored, damaged, segment(3, 1), segment(4, 1)];
        let policy = Policy::keep(Period::ZERO).archive(true).min_records(970);
        let reason = "crc".to_owned();
        assert_eq!(
            verdicts(&segments, &policy, 50)[..3],
            [
                Verdict::Restored,
                Verdict::Unreadable { reason },
                Verdict::Goes { archive_first: true }
            ]
        );
        let policy = policy.min_records(971);
        assert_eq!(verdicts(&segments, &policy, 50)[2], Verdict::AmongNewest { min_records: 971 });
        let again = PlanOptions { drop_restored: true, ..PlanOptions::default() };
        let planned = plan(&segments, Some(&policy), kept_from(&policy), at(50), again);
        assert_eq!(planned.steps[0].verdict, Verdict::Goes { archive_first: true });
        assert_eq!(plan(&segments, None, 9, at(50), again).going().count(), 0);
    }

    #[test]
    fn age_counts_from_the_latest_time_before_a_segment_and_not_from_a_clock_that_was_behind() {
        // Recorded while the clock stood at day 0, behind a record of day 40.
        let behind = Candidate { counted_from: at(40), ..segment(2, 0) };
        let segments = [segment(1, 40), behind, segment(3, 41), segment(4, 42)];
        let policy = Policy::keep(Period::ZERO).min_age(Period::from_days(10));
        assert_eq!(verdicts(&segments, &policy, 49)[1], Verdict::TooYoung { until: at(50) });
        assert_eq!(verdicts(&segments, &policy, 50)[1], GOES);
    }

    #[test]
    fn a_segment_whose_times_contradict_those_of_others_stays_until_somebody_says_otherwise() {
        let find = |newest, before: Option<i64>, behind: &[i64]| {
            let behind = behind.iter().map(|day| at(*day));
            Contradiction::find(at(newest), before.map(at), behind, Duration::from_secs(5))
        };
        let (newest, before, behind) = (at(0), at(40), at(41));
        let earlier = Contradiction::EarlierThanBefore { newest, before };
        assert_eq!(find(0, Some(40), &[41]), Some(earlier));
        let later = Contradiction::LaterThanBehind { newest: at(90), behind };
        assert_eq!(find(90, Some(40), &[1, 41, 3]), Some(later));
        for (newest, before, behind) in
            [(40, Some(40), &[0, 41][..]), (40, None, &[]), (40, Some(39), &[40])]
        {
            assert_eq!(find(newest, before, behind), None, "{newest} {before:?} {behind:?}");
        }
        let flagged = Candidate { contradiction: Some(earlier), ..segment(1, 0) };
        let policy = Policy::keep(Period::from_days(10));
        let stays = Verdict::ContradictingTimes { contradiction: earlier, until: at(10) };
        assert_eq!(verdicts(&[flagged, segment(2, 1)], &policy, 999)[0], stays);
        assert_eq!(verdicts(&[segment(1, 0), segment(2, 1)], &policy, 999)[0], GOES);
    }

    #[test]
    fn a_clock_that_jumped_ahead_is_not_believed_and_one_behind_is() {
        let limit = Period::from_days(7);
        assert_eq!(believed_now(at(17), Some(at(10)), limit), Ok(at(17)));
        assert!(believed_now(at(18), Some(at(10)), limit).is_err());
        assert_eq!(believed_now(at(3), Some(at(10)), limit), Ok(at(3)));
        assert_eq!(believed_now(at(18), None, limit), Ok(at(18)));
    }
}
