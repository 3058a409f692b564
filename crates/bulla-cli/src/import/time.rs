//! Times as the trails of others write them.

use bulla::time::Timestamp;

/// A way to write a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TimeFormat {
    /// RFC 3339, e.g. `2026-11-21T20:56:01.5Z`.
    Rfc3339,
    /// Date and time without a zone, taken for UTC, e.g. `2022-03-22 14:21:53.225`
    /// (or with a `T`).
    DatetimeUtc,
    /// Seconds since 1970, with or without a fraction.
    EpochS,
    /// Milliseconds since 1970.
    EpochMs,
    /// Microseconds since 1970.
    EpochUs,
    /// Nanoseconds since 1970.
    EpochNs,
}

impl TimeFormat {
    /// Reads a time; `None` if it is not written so or is out of range.
    pub(crate) fn parse(self, text: &str) -> Option<Timestamp> {
        match self {
            TimeFormat::Rfc3339 => text.parse().ok(),
            TimeFormat::DatetimeUtc => datetime_utc(text),
            TimeFormat::EpochS => decimal(text, 9),
            TimeFormat::EpochMs => decimal(text, 6),
            TimeFormat::EpochUs => decimal(text, 3),
            TimeFormat::EpochNs => decimal(text, 0),
        }
    }
}

fn datetime_utc(text: &str) -> Option<Timestamp> {
    let time: jiff::civil::DateTime = text.parse().ok()?;
    // A zone after the time would be read over in silence.
    let plain = |byte: u8| byte.is_ascii_digit() || b"-:. T".contains(&byte);
    if !text.bytes().all(plain) || !text.contains(':') {
        return None;
    }
    let time = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    i64::try_from(time.as_nanosecond()).ok().map(Timestamp::from_nanos)
}

/// A decimal number times ten to the given power, as nanoseconds. Digits finer
/// than a nanosecond are refused unless they are zero.
fn decimal(text: &str, power: usize) -> Option<Timestamp> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let numeric = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !numeric(whole) || !numeric(fraction) {
        return None;
    }
    let cut = fraction.trim_end_matches('0');
    if cut.len() > power {
        return None;
    }
    let nanos: i128 = format!("{whole}{cut:0<power$}").parse().ok()?;
    i64::try_from(sign * nanos).ok().map(Timestamp::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_instant_in_every_way_of_writing() {
        let expected = Timestamp::from_nanos(1_647_958_913_225_000_000);
        for (format, text) in [
            (TimeFormat::Rfc3339, "2022-03-22T14:21:53.225Z"),
            (TimeFormat::Rfc3339, "2022-03-22T16:21:53.225+02:00"),
            (TimeFormat::DatetimeUtc, "2022-03-22 14:21:53.225"),
            (TimeFormat::DatetimeUtc, "2022-03-22T14:21:53.225000000"),
            (TimeFormat::EpochS, "1647958913.225"),
            (TimeFormat::EpochMs, "1647958913225"),
            (TimeFormat::EpochUs, "1647958913225000"),
            (TimeFormat::EpochNs, "1647958913225000000"),
            (TimeFormat::EpochNs, "1647958913225000000.0"),
        ] {
            assert_eq!(format.parse(text), Some(expected), "{format:?} {text}");
        }
        assert_eq!(TimeFormat::EpochS.parse("-1.5"), Some(Timestamp::from_nanos(-1_500_000_000)));
    }

    #[test]
    fn nonsense_is_refused() {
        for (format, text) in [
            (TimeFormat::Rfc3339, "2022-03-22 14:21:53"),
            (TimeFormat::DatetimeUtc, "2024-12-17 00:00:00000000"),
            (TimeFormat::DatetimeUtc, "2024-12-17T00:00:00+05:00"),
            (TimeFormat::DatetimeUtc, "2024-12-17"),
            (TimeFormat::DatetimeUtc, "redacted"),
            (TimeFormat::EpochMs, "1e12"),
            (TimeFormat::EpochMs, ""),
            (TimeFormat::EpochMs, "+5"),
            (TimeFormat::EpochNs, "1.5"),
            (TimeFormat::EpochS, "99999999999999999999"),
            (TimeFormat::EpochS, "9".repeat(100).as_str()),
        ] {
            assert_eq!(format.parse(text), None, "{format:?} {text}");
        }
    }
}
