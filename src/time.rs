//! [`Timestamp`] (nanoseconds since 1970, UTC) and [`Clock`].
//!
//! This is the only module that asks the system for the time. A log takes its
//! clock as a parameter, so tests set it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A point in time: nanoseconds since 1970-01-01T00:00:00Z, leap seconds ignored.
///
/// Range: years 1677 to 2262 (what 64 bits of nanoseconds hold). Displays as
/// RFC 3339 in UTC with nine fractional digits, and parses any RFC 3339 time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest representable time.
    pub const MIN: Timestamp = Timestamp(i64::MIN);
    /// The latest representable time.
    pub const MAX: Timestamp = Timestamp(i64::MAX);

    /// From nanoseconds since 1970.
    pub const fn from_nanos(nanos: i64) -> Self {
        Timestamp(nanos)
    }

    /// From milliseconds since 1970; `None` outside the range.
    pub fn from_millis(millis: i64) -> Option<Self> {
        millis.checked_mul(1_000_000).map(Timestamp)
    }

    /// Nanoseconds since 1970.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since 1970, rounded down.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This time plus a duration, held at [`Timestamp::MAX`].
    pub fn saturating_add(self, duration: Duration) -> Self {
        let nanos = i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
        Timestamp(self.0.saturating_add(nanos))
    }

    /// So much before; the earliest time if that is out of range.
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        let nanos = i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
        Timestamp(self.0.saturating_sub(nanos))
    }

    /// The time by the system's clock. A log takes its time from its own [`Clock`].
    #[cfg(feature = "engine")]
    pub fn now() -> Self {
        SystemClock::new().now()
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn saturating_since(self, earlier: Timestamp) -> Duration {
        Duration::from_nanos(u64::try_from(i128::from(self.0) - i128::from(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(time) => write!(f, "{time:.9}"),
            Err(_) => Err(fmt::Error), // unreachable: jiff's range contains ours
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text was not an RFC 3339 time, or not one of the years 1677 to 2262.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an RFC 3339 time such as 2026-11-21T20:56:01Z: {reason}")]
pub struct ParseTimestampError {
    reason: String,
}

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    fn from_str(text: &str) -> Result<Self, ParseTimestampError> {
        let refuse = |reason: String| ParseTimestampError { reason };
        let time: jiff::Timestamp =
            text.parse().map_err(|error: jiff::Error| refuse(error.to_string()))?;
        i64::try_from(time.as_nanosecond())
            .map(Timestamp)
            .map_err(|_| refuse("the year is outside 1677 to 2262".to_owned()))
    }
}

/// Where a log gets its time from.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The wall clock; may jump either way.
    fn now(&self) -> Timestamp;
    /// Time since some fixed point; never runs backwards, does not jump.
    fn monotonic(&self) -> Duration;
}

/// The system's clocks.
#[cfg(feature = "engine")]
#[derive(Debug)]
pub struct SystemClock {
    start: std::time::Instant,
}

#[cfg(feature = "engine")]
impl SystemClock {
    /// The system's clocks, with the monotonic one starting now.
    pub fn new() -> Self {
        SystemClock { start: std::time::Instant::now() }
    }
}

#[cfg(feature = "engine")]
impl Default for SystemClock {
    fn default() -> Self {
        SystemClock::new()
    }
}

#[cfg(feature = "engine")]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        use std::time::SystemTime;
        let nanos = match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => i128::try_from(after.as_nanos()).unwrap_or(i128::MAX),
            Err(before) => -i128::try_from(before.duration().as_nanos()).unwrap_or(i128::MAX),
        };
        Timestamp(i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX }))
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

/// A clock that stands still until it is set: for tests.
#[derive(Debug, Default)]
pub struct ManualClock {
    nanos: std::sync::atomic::AtomicI64,
    monotonic_nanos: std::sync::atomic::AtomicU64,
}

impl ManualClock {
    /// A clock that shows this time.
    pub fn at(time: Timestamp) -> Self {
        ManualClock { nanos: time.0.into(), monotonic_nanos: 0.into() }
    }

    /// Lets time pass: both clocks move on.
    pub fn advance(&self, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.monotonic_nanos.fetch_add(nanos, std::sync::atomic::Ordering::SeqCst);
        self.set(self.now().saturating_add(by));
    }

    /// Sets the wall clock alone, as an operator or a time server would.
    pub fn set(&self, time: Timestamp) {
        self.nanos.store(time.0, std::sync::atomic::Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.nanos.load(std::sync::atomic::Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.monotonic_nanos.load(std::sync::atomic::Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_round_trip_through_text() {
        for nanos in [0, 1, -1, i64::MIN, i64::MAX, 1_763_758_561_123_456_789] {
            let time = Timestamp::from_nanos(nanos);
            assert_eq!(time.to_string().parse(), Ok(time), "{time}");
        }
        assert_eq!(Timestamp::from_nanos(0).to_string(), "1970-01-01T00:00:00.000000000Z");
    }

    #[test]
    fn offsets_are_read_and_nonsense_is_refused() {
        assert_eq!("1970-01-01T01:00:00+01:00".parse(), Ok(Timestamp::from_nanos(0)));
        for bad in ["", "yesterday", "2026-11-21", "9999-01-01T00:00:00Z"] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad}");
        }
    }

    #[test]
    fn differences_saturate() {
        assert_eq!(Timestamp::MIN.saturating_since(Timestamp::MAX), Duration::ZERO);
        assert_eq!(Timestamp::MAX.saturating_since(Timestamp::MIN), Duration::from_nanos(u64::MAX));
    }
}
