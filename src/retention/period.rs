//! [`Period`]: how long something is kept.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A span of time as people and laws write it: `6y`, `18m`, `90d`, `12h`.
///
/// Never shorter than the calendar's: a year counts 365 days and each four years begun one
/// more, a month counts 31 days. At most 250 years, which is less than a [`Timestamp`] spans.
///
/// ```
/// use bulla::retention::Period;
/// let six_years: Period = "6y".parse()?;
/// assert_eq!(six_years.days(), 6 * 365 + 2);
/// # Ok::<(), bulla::retention::InvalidPeriod>(())
/// ```
///
/// [`Timestamp`]: crate::Timestamp
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Period {
    seconds: u64,
}

const DAY: u64 = 24 * 3600;
const MAX: u64 = 250 * 366 * DAY;

impl Period {
    /// No time at all.
    pub const ZERO: Period = Period { seconds: 0 };

    /// So many calendar years, whichever they are; held at 250 years.
    pub const fn from_years(years: u64) -> Self {
        let days = years.saturating_mul(365).saturating_add(years.div_ceil(4));
        Period::from_days(days)
    }

    /// So many days, held at 250 years.
    pub const fn from_days(days: u64) -> Self {
        Period::from_seconds(days.saturating_mul(DAY))
    }

    /// So many seconds, held at 250 years.
    pub const fn from_seconds(seconds: u64) -> Self {
        Period { seconds: if seconds > MAX { MAX } else { seconds } }
    }

    /// In seconds.
    pub const fn seconds(self) -> u64 {
        self.seconds
    }

    /// Whole days in it.
    pub const fn days(self) -> u64 {
        self.seconds / DAY
    }

    /// As a duration.
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Period::ZERO {
            return f.write_str("0s");
        }
        let units = [(DAY, "d"), (3600, "h"), (60, "min"), (1, "s")];
        let unit = units.iter().find(|(length, _)| self.seconds.is_multiple_of(*length));
        let (length, name) = unit.copied().unwrap_or((1, "s"));
        let years = self.days().saturating_mul(4) / 1461;
        let exact =
            [years, years + 1].into_iter().find(|y| *y > 0 && Period::from_years(*y) == *self);
        match exact {
            Some(years) => write!(f, "{years}y ({} days)", self.days()),
            None => write!(f, "{}{name}", self.seconds / length),
        }
    }
}

/// The text is no period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidPeriod {
    /// The text.
    pub found: String,
}

impl fmt::Display for InvalidPeriod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = &self.found;
        write!(f, "expected a period such as 6y, 18m (months), 90d, 12h or 30s, found {found:?}")
    }
}

impl std::error::Error for InvalidPeriod {}

impl FromStr for Period {
    type Err = InvalidPeriod;

    fn from_str(text: &str) -> Result<Self, InvalidPeriod> {
        let invalid = || InvalidPeriod { found: text.to_owned() };
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| invalid())?;
        let period = match unit {
            "y" => Period::from_years(number),
            // Whole years of months are years: 12m is as long as 1y, not 372 days.
            "m" | "mo" if number.is_multiple_of(12) => Period::from_years(number / 12),
            "m" | "mo" => Period::from_days(number.saturating_mul(31)),
            "d" => Period::from_days(number),
            "h" => Period::from_seconds(number.saturating_mul(3600)),
            "min" => Period::from_seconds(number.saturating_mul(60)),
            "s" => Period::from_seconds(number),
            _ => return Err(invalid()),
        };
        Ok(period)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_read_and_never_shorter_than_the_calendar() {
        let days = |text: &str| text.parse::<Period>().unwrap().days();
        assert_eq!((days("1y"), days("4y"), days("6y"), days("7y")), (366, 1461, 2192, 2557));
        assert_eq!((days("12m"), days("3m"), days("90d"), days("48h")), (366, 93, 90, 2));
        for bad in ["", "y", "6", "6 y", "-1d", "1.5y", "99999999999999999999y", "6Y", "6years"] {
            assert!(bad.parse::<Period>().is_err(), "{bad}");
        }
        assert_eq!(days("18446744073709551615y"), 250 * 366);
    }

    #[test]
    fn periods_are_shown_in_their_largest_unit() {
        let shown = |text: &str| text.parse::<Period>().unwrap().to_string();
        assert_eq!((shown("6y").as_str(), shown("90d").as_str()), ("6y (2192 days)", "90d"));
        assert_eq!((shown("36h").as_str(), shown("0s").as_str()), ("36h", "0s"));
    }
}
