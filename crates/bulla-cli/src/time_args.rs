//! Points in time and lengths of time as people type them.

use std::time::Duration;

use bulla::Period;
use bulla::retention::InvalidPeriod;
use bulla::time::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::text;

/// A point in time from the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct When {
    /// That time.
    pub(crate) time: Timestamp,
    /// Whether it was given as "so long ago", so that it moves on with every call.
    pub(crate) relative: bool,
}

/// Reads an RFC 3339 time, a date (its first moment, UTC) or so long ago (`7d`).
pub(crate) fn when(text: &str) -> Result<When, String> {
    when_from(text, now())
}

/// The time of this machine.
pub(crate) fn now() -> Timestamp {
    of_jiff(jiff::Timestamp::now()).unwrap_or(Timestamp::MAX)
}

/// Reads a length of time, as a [`Period`] is written, and longer than none.
pub(crate) fn length(text: &str) -> Result<Duration, String> {
    let length: Period = text.parse().map_err(|error: InvalidPeriod| error.to_string())?;
    match length > Period::ZERO {
        true => Ok(length.duration()),
        false => Err(format!("expected a length above zero, such as 15min or 24h, found {text:?}")),
    }
}

/// Reads a time to come: one that was given as "so long ago" is none.
pub(crate) fn to_come(text: &str) -> Result<When, String> {
    match when(text) {
        Ok(when) if !when.relative => Ok(when),
        _ => Err(format!(
            "expected a date to come such as 2027-01-01, or a time such as 2027-01-01T09:00:00Z, \
             found {text:?}"
        )),
    }
}

/// Refuses a range in which no time lies: `since` is in it, `until` is not. Each with its option.
pub(crate) fn check_order(
    (since_option, since): (&str, Option<When>),
    (until_option, until): (&str, Option<When>),
) -> anyhow::Result<()> {
    match since.zip(until) {
        Some((since, until)) if since.time >= until.time => anyhow::bail!(
            "expected {until_option} later than {since_option}, found {since_option} {} and \
             {until_option} {}: nothing can be between them ({until_option} itself is left out)",
            text::seconds(since.time),
            text::seconds(until.time)
        ),
        _ => Ok(()),
    }
}

fn when_from(text: &str, now: Timestamp) -> Result<When, String> {
    let fixed = |time| Ok(When { time, relative: false });
    if let Ok(time) = text.parse::<Timestamp>() {
        return fixed(time);
    }
    if let Ok(date) = text.parse::<Date>()
        && text.len() == "2026-11-21".len()
    {
        let midnight = date.to_zoned(TimeZone::UTC).ok().and_then(|day| of_jiff(day.timestamp()));
        return midnight.map_or_else(|| Err("the year is outside 1677 to 2262".to_owned()), fixed);
    }
    let length = length(text);
    if text.starts_with(|c: char| c.is_ascii_digit()) && text.ends_with('m') {
        length.as_ref().map_err(String::clone)?; // which m it is, must be said
    }
    let ago = length.ok().and_then(|length| i64::try_from(length.as_nanos()).ok());
    match ago.and_then(|ago| now.as_nanos().checked_sub(ago)) {
        Some(nanos) => Ok(When { time: Timestamp::from_nanos(nanos), relative: true }),
        None => Err(format!(
            "expected a time such as 2026-11-21T20:56:01Z, a date such as 2026-11-21, or so long \
             ago such as 6mo, 7d, 24h or 15min, found {text:?}"
        )),
    }
}

fn of_jiff(time: jiff::Timestamp) -> Option<Timestamp> {
    i64::try_from(time.as_nanosecond()).ok().map(Timestamp::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        when_from(text, now).map(|when| when.time.to_string()[..19].to_owned())
    }

    #[test]
    fn times_dates_and_lengths_are_read() {
        assert_eq!(read("2026-11-20T01:02:03+01:00").unwrap(), "2026-11-20T00:02:03");
        assert_eq!(read("2026-11-20").unwrap(), "2026-11-20T00:00:00");
        assert_eq!(read("24h").unwrap(), "2026-11-20T12:00:00");
        assert_eq!(read("1w").unwrap(), "2026-11-14T12:00:00");
        assert_eq!(read("15min").unwrap(), "2026-11-21T11:45:00");
        assert_eq!(read("2mo").unwrap(), "2026-09-20T12:00:00");
    }

    #[test]
    fn what_is_neither_is_refused() {
        for bad in ["", "yesterday", "d", "-1d", "0d", "1Y", "2026-13-01", "999999999999999w", "é"]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert!(length("h1").is_err());
        assert!(read("6m").unwrap_err().contains("mo for months"), "a dangerous spelling");
    }
}
