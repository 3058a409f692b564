//! [`TraceId`] and [`SpanId`]: where in a distributed trace an event belongs.
//!
//! W3C Trace Context (<https://www.w3.org/TR/trace-context/>), §3.2.2.3 and §3.2.2.4: so many
//! bytes that are not all zeros, written as lower-case hexadecimal digits.

use std::fmt;
use std::str::FromStr;

/// The text was not the identifier of a trace or a span.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {digits} lower-case hexadecimal digits, not all zeros, found {found:?}")]
pub struct ParseTraceError {
    /// How many digits were expected.
    pub digits: usize,
    /// The beginning of what was found.
    pub found: String,
}

macro_rules! trace_identifier {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// The identifier with these bytes; `None` if all of them are zeros, which the
            /// specification calls invalid.
            pub fn from_bytes(bytes: [u8; $len]) -> Option<Self> {
                let is_valid = bytes.iter().any(|byte| *byte != 0);
                is_valid.then_some($name(bytes))
            }

            /// The bytes, not all of them zeros.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = ParseTraceError;

            fn from_str(text: &str) -> Result<Self, ParseTraceError> {
                let mut bytes = [0; $len];
                let read = read_hex(text, &mut bytes).and_then(|()| Self::from_bytes(bytes));
                read.ok_or_else(|| ParseTraceError {
                    digits: 2 * $len,
                    found: text.chars().take(64).collect(),
                })
            }
        }
    };
}

trace_identifier! {
    /// Identifies a distributed trace: 16 bytes that are not all zeros.
    ///
    /// ```
    /// use bulla::event::TraceId;
    ///
    /// let id: TraceId = "4bf92f3577b34da6a3ce929d0e0e4736".parse()?;
    /// assert_eq!(id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
    /// assert!("0".repeat(32).parse::<TraceId>().is_err());
    /// # Ok::<(), bulla::event::ParseTraceError>(())
    /// ```
    TraceId, 16
}

trace_identifier! {
    /// Identifies an operation within a trace: 8 bytes that are not all zeros.
    SpanId, 8
}

/// Fills the bytes from lower-case hexadecimal digits: as many as there is room for.
fn read_hex(text: &str, bytes: &mut [u8]) -> Option<()> {
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != bytes.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lower_case_digits_that_are_not_all_zeros_are_an_identifier() {
        let good = "00f067aa0ba902b7";
        assert_eq!(good.parse::<SpanId>().unwrap().to_string(), good);
        for bad in
            ["", "0000000000000000", "00F067AA0BA902B7", "00f067aa0ba902b", "00f067aa0ba902b7a"]
        {
            let error = bad.parse::<SpanId>().unwrap_err();
            assert!(error.to_string().contains("16 lower-case"), "{bad}: {error}");
        }
        assert!("é0f067aa0ba902b".parse::<SpanId>().is_err());
        assert_eq!(TraceId::from_bytes([0; 16]), None);
        let one = TraceId::from_bytes([1; 16]).unwrap();
        assert_eq!(format!("{one:?}"), format!("TraceId({})", "01".repeat(16)));
    }
}
