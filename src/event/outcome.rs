//! The names and codes of [`Outcome`].

use std::fmt;
use std::str::FromStr;

/// With what result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Outcome {
    /// It was done.
    #[default]
    Success,
    /// It was tried and went wrong.
    Failure,
    /// It was not allowed.
    Denied,
    /// Some of it was done.
    Partial,
    /// Nobody said, or what was said was not understood. Never stands for success.
    Unknown,
}

impl Outcome {
    /// All outcomes, in the order of their codes.
    pub const ALL: [Outcome; 5] =
        [Outcome::Success, Outcome::Failure, Outcome::Denied, Outcome::Partial, Outcome::Unknown];

    /// The name in JSON and on the command line: `success`, `failure`, `denied`, `partial`
    /// or `unknown`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Outcome::Success => "success",
            Outcome::Failure => "failure",
            Outcome::Denied => "denied",
            Outcome::Partial => "partial",
            Outcome::Unknown => "unknown",
        }
    }

    /// The code on disk: 0 success, 1 failure, 2 denied, 3 partial, 4 unknown.
    pub const fn code(self) -> u8 {
        match self {
            Outcome::Success => 0,
            Outcome::Failure => 1,
            Outcome::Denied => 2,
            Outcome::Partial => 3,
            Outcome::Unknown => 4,
        }
    }

    /// The outcome with this code, if there is one.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Outcome::Success),
            1 => Some(Outcome::Failure),
            2 => Some(Outcome::Denied),
            3 => Some(Outcome::Partial),
            4 => Some(Outcome::Unknown),
            _ => None,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text was not the name of an outcome.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected success, failure, denied, partial or unknown, found {found:?}")]
pub struct ParseOutcomeError {
    found: String,
}

impl FromStr for Outcome {
    type Err = ParseOutcomeError;

    fn from_str(text: &str) -> Result<Self, ParseOutcomeError> {
        Outcome::ALL
            .into_iter()
            .find(|outcome| outcome.as_str() == text)
            .ok_or_else(|| ParseOutcomeError { found: text.chars().take(64).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codes_lead_back_to_the_outcome() {
        for (code, outcome) in (0..).zip(Outcome::ALL) {
            assert_eq!(outcome.code(), code);
            assert_eq!(Outcome::from_code(code), Some(outcome));
            assert_eq!(outcome.to_string().parse(), Ok(outcome));
        }
        assert_eq!(Outcome::from_code(5), None);
        assert!("Success".parse::<Outcome>().is_err());
    }
}
