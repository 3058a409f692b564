//! Times as the trails of others write them.

use std::borrow::Cow;

use bulla::event::Event;
use bulla::time::Timestamp;

use super::document::{Document, shown};

/// The tag that names the field from which the time was taken, if a better one was passed over.
pub(crate) const TIME_FROM: &str = "time_from";

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
    /// Any of these, by how large the number is: seconds up to the year 5138, and so on.
    Epoch,
}

/// How products write times of which no more is known.
pub(crate) const USUAL: [TimeFormat; 3] =
    [TimeFormat::Rfc3339, TimeFormat::DatetimeUtc, TimeFormat::Epoch];

/// Why a time cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadTime {
    /// It is a time, but of a year that no event can have.
    OutOfRange,
    /// It is not written like a time.
    NotATime,
}

/// The time of an event: of the times it has, in order of preference, the first that is one.
///
/// A time is passed over if it is null, empty, of a year out of range (the zero of many programs
/// is `0001-01-01T00:00:00Z`) or unreadable, and one of zero since 1970 if there is another.
#[derive(Debug, Default)]
pub(crate) struct TimeChoice {
    chosen: Option<(Timestamp, String)>,
    /// The first time that was passed over: its name, its words, what is wrong with it.
    passed: Option<(String, String, BadTime)>,
    /// A time was passed over that is null, empty or no text.
    passed_null: bool,
    /// A time of zero since 1970, which mostly says that there was none.
    zero: Option<(Timestamp, String)>,
}

impl TimeChoice {
    /// Offers a time, under the name of its field.
    pub(crate) fn offer(&mut self, name: &str, text: &str, formats: &[TimeFormat]) {
        if self.chosen.is_some() {
            return;
        }
        // Mostly the first format is the right one.
        let mut read = formats.iter().map(|format| format.read(text));
        if let Some(time) = read.find_map(Result::ok) {
            let place = if time.as_nanos() == 0 { &mut self.zero } else { &mut self.chosen };
            place.get_or_insert_with(|| (time, name.to_owned()));
        } else if self.passed.is_none() {
            let mut read = formats.iter().map(|format| format.read(text));
            let out_of_range = read.any(|read| read == Err(BadTime::OutOfRange));
            let problem = if out_of_range { BadTime::OutOfRange } else { BadTime::NotATime };
            self.passed = Some((name.to_owned(), text.to_owned(), problem));
        }
    }

    /// Offers what a document has at a path; a null there is a time that is passed over.
    pub(crate) fn offer_at(&mut self, doc: &Document<'_>, path: &str, formats: &[TimeFormat]) {
        if self.chosen.is_some() {
            return;
        }
        match doc.text(path) {
            Some(text) => self.offer(&path[1..], &text, formats),
            None => self.passed_null |= doc.raw(path).is_some(),
        }
    }

    /// Sets the time of an event, with the tag [`TIME_FROM`] if a better one was passed over.
    /// `None` if there is no time.
    ///
    /// # Errors
    /// As [`TimeChoice::time`].
    pub(crate) fn set(self, event: &mut Event) -> Result<Option<()>, String> {
        let Some((time, instead)) = self.time()? else { return Ok(None) };
        event.occurred_at = Some(time);
        if let Some(name) = instead {
            event.tags.insert(TIME_FROM.to_owned(), name);
        }
        Ok(Some(()))
    }

    /// The time, and the name of its field if a better one was passed over.
    ///
    /// # Errors
    /// There are times, but none can be used.
    fn time(self) -> Result<Option<(Timestamp, Option<String>)>, String> {
        let passed_zero = self.zero.is_some() && self.chosen.is_some();
        let passed_any = self.passed_null || self.passed.is_some() || passed_zero;
        match (self.chosen.or(self.zero), self.passed) {
            (Some((time, name)), _) => Ok(Some((time, passed_any.then_some(name)))),
            (None, None) => Ok(None),
            (None, Some((name, text, problem))) => {
                let text = shown(&text);
                Err(match problem {
                    BadTime::OutOfRange => {
                        format!("{name}: year out of range (1678 to 2261): {text}")
                    }
                    BadTime::NotATime => format!("{name}: cannot read the time {text}"),
                })
            }
        }
    }
}

impl TimeFormat {
    /// Reads a time that an event can have.
    pub(crate) fn read(self, text: &str) -> Result<Timestamp, BadTime> {
        match self.parse(text) {
            Some(time) if in_range(time) => Ok(time),
            Some(_) => Err(BadTime::OutOfRange),
            None if self.has_another_year(text) => Err(BadTime::OutOfRange),
            None => Err(BadTime::NotATime),
        }
    }

    /// Would it be a time, were it not for its year (or its many digits)?
    fn has_another_year(self, text: &str) -> bool {
        let text = text.trim();
        let unsigned = text.trim_start_matches(['+', '-']);
        let year = unsigned.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = unsigned.split_at(year);
        match self {
            TimeFormat::Rfc3339 | TimeFormat::DatetimeUtc => {
                digits.len() >= 4 && self.parse(&format!("2000{rest}")).is_some()
            }
            _ => digits.len() > 9 && self.parse(&format!("1{rest}")).is_some(),
        }
    }

    /// Reads a time; `None` if it is not written so or is out of range.
    pub(crate) fn parse(self, text: &str) -> Option<Timestamp> {
        let text = text.trim();
        match self {
            TimeFormat::Rfc3339 => with_zone(&to_nanoseconds(text)).parse().ok(),
            TimeFormat::DatetimeUtc => datetime_utc(&to_nanoseconds(text)),
            TimeFormat::EpochS => decimal(text, 9),
            TimeFormat::EpochMs => decimal(text, 6),
            TimeFormat::EpochUs => decimal(text, 3),
            TimeFormat::EpochNs => decimal(text, 0),
            TimeFormat::Epoch => decimal(text, unit(text)?),
        }
    }
}

/// The text without the digits of a second that are finer than a nanosecond.
fn to_nanoseconds(text: &str) -> Cow<'_, str> {
    let Some(point) = text.find(['.', ',']) else { return Cow::Borrowed(text) };
    let (head, fraction) = text.split_at(point + 1);
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    if digits <= 9 {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{head}{}{}", &fraction[..9], &fraction[digits..]))
}

/// The text with its zone as RFC 3339 writes it, if it is UTC and stands behind a blank.
fn with_zone(text: &str) -> Cow<'_, str> {
    let zone = [" UTC", " GMT", " Z"].into_iter().find_map(|zone| text.strip_suffix(zone));
    zone.map_or(Cow::Borrowed(text), |time| Cow::Owned(format!("{time}Z")))
}

fn in_range(time: Timestamp) -> bool {
    // The years that `Event::validate` allows.
    const SECOND: i64 = 1_000_000_000;
    (-9_214_560_000 * SECOND..9_214_646_400 * SECOND).contains(&time.as_nanos())
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

/// A decimal number times ten to the given power, as nanoseconds.
fn decimal(text: &str, power: i32) -> Option<Timestamp> {
    i64::try_from(number(text, power)?).ok().map(Timestamp::from_nanos)
}

/// Ten to which power of nanoseconds a number of an unknown unit counts.
fn unit(text: &str) -> Option<i32> {
    let size = number(text, 0)?.unsigned_abs();
    let units = [(100_000_000_000, 9), (100_000_000_000_000, 6), (100_000_000_000_000_000, 3)];
    Some(units.iter().find(|(end, _)| size < *end).map_or(0, |(_, power)| *power))
}

/// A whole number that is not negative, without the fraction it may have.
pub(crate) fn whole_number(text: &str) -> Option<u64> {
    let text = text.trim();
    u64::try_from(number(text, 0)?).ok().filter(|number| *number == 0 || !text.starts_with('-'))
}

/// A decimal number, as JSON writes them, times ten to the given power, without the fraction that
/// is left.
fn number(text: &str, power: i32) -> Option<i128> {
    /// As many as an `i128` holds in any case.
    const DIGITS_MAX: usize = 38;
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let (digits, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let numeric = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !numeric(whole) || !numeric(fraction) {
        return None;
    }
    // Where the point stands, counted from the first digit.
    let point = i64::try_from(whole.len()).ok()? + i64::from(exponent) + i64::from(power);
    let point = usize::try_from(point).unwrap_or(0);
    let digits = || whole.bytes().chain(fraction.bytes()).take(point);
    let leading = digits().take_while(|digit| *digit == b'0').count();
    let len = point.min(whole.len() + fraction.len());
    if leading == len {
        return Some(0);
    }
    if point - leading > DIGITS_MAX {
        return None;
    }
    let mut number: i128 = 0;
    let zeros = std::iter::repeat_n(b'0', point - len);
    for digit in digits().skip(leading).chain(zeros) {
        number = number.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
    }
    Some(sign * number)
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
            (TimeFormat::EpochNs, "1647958913225000000.9"),
            (TimeFormat::EpochMs, "1.647958913225e12"),
            (TimeFormat::EpochMs, "1.647958913225E+12"),
            (TimeFormat::EpochMs, "1647958913225000e-3"),
            (TimeFormat::Epoch, "1647958913.225"),
            (TimeFormat::Epoch, "1.647958913225e9"),
            (TimeFormat::Epoch, "1647958913225"),
            (TimeFormat::Epoch, "1647958913225.0"),
            (TimeFormat::Epoch, "1647958913225000"),
            (TimeFormat::Epoch, " 1647958913225000000 "),
            (TimeFormat::EpochS, "1647958913.22500000000"),
            (TimeFormat::Rfc3339, "2022-03-22T14:21:53.2250000009Z"),
            (TimeFormat::Rfc3339, " 2022-03-22T14:21:53.225000000000000Z\n"),
            (TimeFormat::Rfc3339, "2022-03-22 14:21:53.225 UTC"),
            (TimeFormat::DatetimeUtc, " 2022-03-22T14:21:53.2250000000000"),
        ] {
            assert_eq!(format.parse(text), Some(expected), "{format:?} {text}");
        }
        assert_eq!(TimeFormat::EpochS.parse("-1.5"), Some(Timestamp::from_nanos(-1_500_000_000)));
    }

    #[test]
    fn a_year_out_of_range_is_told_from_what_is_no_time() {
        for (format, text, problem) in [
            (TimeFormat::Rfc3339, "0001-01-01T00:00:00Z", BadTime::OutOfRange),
            (TimeFormat::Rfc3339, "1677-12-31T23:59:59Z", BadTime::OutOfRange),
            (TimeFormat::Rfc3339, "2262-01-01T00:00:00Z", BadTime::OutOfRange),
            (TimeFormat::Rfc3339, "9999-12-31T23:59:59Z", BadTime::OutOfRange),
            (TimeFormat::Rfc3339, "29999-12-31T23:59:59Z", BadTime::OutOfRange),
            (TimeFormat::DatetimeUtc, "0001-01-01 00:00:00", BadTime::OutOfRange),
            (TimeFormat::EpochS, "99999999999999999999", BadTime::OutOfRange),
            (TimeFormat::Rfc3339, "noon", BadTime::NotATime),
            (TimeFormat::Rfc3339, "2022-13-01T00:00:00Z", BadTime::NotATime),
            (TimeFormat::EpochMs, "soon", BadTime::NotATime),
        ] {
            assert_eq!(format.read(text), Err(problem), "{format:?} {text}");
        }
    }

    #[test]
    fn whole_numbers_lose_their_fraction_and_have_no_sign() {
        for (text, number) in [
            ("12", Some(12)),
            ("12.0", Some(12)),
            ("12.9", Some(12)),
            (" 1e3 ", Some(1000)),
            ("1e-3", Some(0)),
            ("-0", Some(0)),
            ("-1", None),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("1e99", None),
            ("0e99999", Some(0)),
            ("long", None),
            ("", None),
        ] {
            assert_eq!(whole_number(text), number, "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for (format, text) in [
            (TimeFormat::Rfc3339, "2022-03-22 14:21:53"),
            (TimeFormat::DatetimeUtc, "2024-12-17 00:00:00000000"),
            (TimeFormat::DatetimeUtc, "2024-12-17T00:00:00+05:00"),
            (TimeFormat::DatetimeUtc, "2024-12-17"),
            (TimeFormat::DatetimeUtc, "redacted"),
            (TimeFormat::EpochMs, "1e400"),
            (TimeFormat::EpochMs, "1e99999999999"),
            (TimeFormat::EpochMs, "1e"),
            (TimeFormat::EpochMs, "e5"),
            (TimeFormat::EpochMs, ""),
            (TimeFormat::EpochMs, "+5"),
            (TimeFormat::Epoch, "2022-03-22"),
            (TimeFormat::EpochS, "99999999999999999999"),
            (TimeFormat::EpochS, "9".repeat(100).as_str()),
        ] {
            assert_eq!(format.parse(text), None, "{format:?} {text}");
        }
    }
}
