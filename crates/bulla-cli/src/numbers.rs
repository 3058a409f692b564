//! Whole numbers as people type them: what is none is refused with the range that is wanted.

use bulla::Seq;

/// Reads a whole number from `least` to `most`.
pub(crate) fn within(
    least: u64,
    most: u64,
) -> impl Fn(&str) -> Result<u64, String> + Clone + Send + Sync + 'static {
    move |text| match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(expected(least, most, text)),
    }
}

/// Reads a whole number from 0 on.
pub(crate) fn any(text: &str) -> Result<u64, String> {
    within(0, u64::MAX)(text)
}

/// Reads a whole number from 1 on.
pub(crate) fn positive(text: &str) -> Result<u64, String> {
    within(1, u64::MAX)(text)
}

/// Reads how many of something at most.
pub(crate) fn at_most(text: &str) -> Result<usize, String> {
    Ok(usize::try_from(any(text)?).unwrap_or(usize::MAX))
}

/// Reads the position of a record.
pub(crate) fn seq(text: &str) -> Result<Seq, String> {
    let seq = any(text).map(Seq::new);
    seq.map_err(|_| format!("expected the position of a record, 0 or more, found {text:?}"))
}

fn expected(least: u64, most: u64, found: &str) -> String {
    match most {
        u64::MAX => format!("expected a whole number, {least} or more, found {found:?}"),
        _ => format!("expected a whole number from {least} to {most}, found {found:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_range_is_refused_with_the_range() {
        assert_eq!(within(1, 9)("9"), Ok(9));
        assert_eq!(any("0"), Ok(0));
        for bad in ["-5", "10", "0", "x", "", "1.5", "99999999999999999999", "--count"] {
            let told = within(1, 9)(bad).unwrap_err();
            assert_eq!(told, format!("expected a whole number from 1 to 9, found {bad:?}"));
        }
        assert_eq!(positive("0").unwrap_err(), "expected a whole number, 1 or more, found \"0\"");
        assert!(seq("-1").unwrap_err().contains("0 or more"));
    }
}
