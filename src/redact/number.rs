//! JSON numbers in other spellings.

/// More digits than this are not written out.
const DIGITS_MAX: usize = 64;

/// The digits of a whole number, not negative, that is written in another way: with a point, or
/// with an exponent. A reader of the JSON sees the same number.
pub(super) fn written_out(number: &str) -> Option<String> {
    if number.starts_with('-') || !number.contains(['.', 'e', 'E']) {
        return None;
    }
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i64 = exponent.parse().ok()?;
    let exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let digits = [whole, fraction].concat();
    let significant = digits.trim_end_matches('0');
    let zeros = i64::try_from(digits.len() - significant.len()).ok()?.checked_add(exponent)?;
    let significant = significant.trim_start_matches('0');
    // Fewer than none: something stands behind the point.
    let zeros = usize::try_from(zeros).ok().filter(|zeros| *zeros <= DIGITS_MAX)?;
    (significant.len() + zeros <= DIGITS_MAX).then(|| significant.to_owned() + &"0".repeat(zeros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_written_out() {
        for (number, expected) in [
            ("12.0", "12"),
            ("12e0", "12"),
            ("120e-1", "12"),
            ("1.2E+1", "12"),
            ("0.012e3", "12"),
            ("1200.00e-002", "12"),
            ("12e3", "12000"),
        ] {
            assert_eq!(written_out(number).as_deref(), Some(expected), "{number}");
        }
    }

    #[test]
    fn others_are_not() {
        let long = format!("1{}.0", "2".repeat(DIGITS_MAX));
        for number in [
            "12",
            "12.5",
            "1e-1",
            "12e-1",
            "-12.0",
            "-12e0",
            "1e64",
            "1e99999999999999999999",
            "1e-9223372036854775808",
            "1.0e-9223372036854775808",
            "1e",
            "e",
            "1.2.3e1x",
            &long,
        ] {
            assert_eq!(written_out(number), None, "{number}");
        }
    }
}
