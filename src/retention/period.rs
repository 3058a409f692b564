//! [`Period`]: how long something is kept.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A span of time as people and laws write it: `6y`, `18mo`, `90d`, `12h`.
///
/// A whole number and one of `y`, `mo` (months), `w`, `d`, `h`, `min` and `s`. A bare `m` is none:
/// to some it is months, to others minutes.
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

const fn years_in_days(years: u64) -> u64 {
    years.saturating_mul(365).saturating_add(years.div_ceil(4))
}

impl Period {
    /// No time at all.
    pub const ZERO: Period = Period { seconds: 0 };

    /// So many calendar years, whichever they are; held at 250 years.
    pub const fn from_years(years: u64) -> Self {
        Period::from_days(years_in_days(years))
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
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {wrong}{found:?}")]
#[non_exhaustive]
pub struct InvalidPeriod {
    /// The text.
    pub found: String,
    wrong: Wrong,
}

/// What was expected, up to the text that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Wrong {
    #[error(
        "a whole number and one of y, mo (months), w, d, h, min (minutes) and s, such as 6y, \
         18mo, 90d or 15min, found "
    )]
    Form,
    #[error("mo for months or min for minutes, found the m of ")]
    BareM,
    #[error("at most 250 years (250y), found ")]
    TooLong,
}

impl FromStr for Period {
    type Err = InvalidPeriod;

    fn from_str(text: &str) -> Result<Self, InvalidPeriod> {
        let invalid = |wrong| InvalidPeriod { found: text.to_owned(), wrong };
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        if number.is_empty() {
            return Err(invalid(Wrong::Form));
        }
        // A number that no u64 holds is too long in every unit.
        let number: u64 = number.parse().unwrap_or(u64::MAX);
        let days = match unit {
            "y" => years_in_days(number),
            // Whole years of months are years: 12mo is as long as 1y, not 372 days.
            "mo" if number.is_multiple_of(12) => years_in_days(number / 12),
            "mo" => number.saturating_mul(31),
            "w" => number.saturating_mul(7),
            "d" => number,
            "h" | "min" | "s" => 0,
            "m" => return Err(invalid(Wrong::BareM)),
            _ => return Err(invalid(Wrong::Form)),
        };
        let seconds = match unit {
            "h" => number.saturating_mul(3600),
            "min" => number.saturating_mul(60),
            "s" => number,
            _ => days.saturating_mul(DAY),
        };
        match seconds <= MAX {
            true => Ok(Period { seconds }),
            false => Err(invalid(Wrong::TooLong)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_read_and_never_shorter_than_the_calendar() {
        let days = |text: &str| text.parse::<Period>().unwrap().days();
        assert_eq!((days("1y"), days("4y"), days("6y"), days("7y")), (366, 1461, 2192, 2557));
        assert_eq!((days("12mo"), days("3mo"), days("90d"), days("48h")), (366, 93, 90, 2));
        assert_eq!((days("2w"), days("1440min"), days("250y")), (14, 1, 91_313));
        for bad in ["", "y", "6", "6 y", "-1d", "1.5y", "6Y", "6years", "6M"] {
            assert!(bad.parse::<Period>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_bare_m_and_more_than_250_years_are_refused_by_name() {
        let refused = |text: &str| text.parse::<Period>().unwrap_err().to_string();
        assert!(refused("6m").contains("mo for months or min for minutes"), "{}", refused("6m"));
        for long in ["251y", "3001mo", "91501d", "18446744073709551615y", "99999999999999999999s"] {
            assert!(refused(long).contains("at most 250 years"), "{}", refused(long));
        }
    }

    #[test]
    fn periods_are_shown_in_their_largest_unit() {
        let shown = |text: &str| text.parse::<Period>().unwrap().to_string();
        assert_eq!((shown("6y").as_str(), shown("90d").as_str()), ("6y (2192 days)", "90d"));
        assert_eq!((shown("36h").as_str(), shown("0s").as_str()), ("36h", "0s"));
    }
}
