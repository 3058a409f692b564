//! The two encodings that lines of C2SP texts are made of: decimal and base64.
//!
//! Both are read strictly: every value has exactly one text, so a text that
//! parses is the text that would be written again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::hash::Hash;

/// "ASCII decimal with no leading zeroes (unless it is 0)"; no sign either.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    // What parses and prints the same was canonical.
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

/// Base64 of RFC 4648 §4 with its padding; stray bits in the last digit are refused.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// The base64 of exactly 32 bytes.
pub(crate) fn base64_hash(text: &str) -> Option<Hash> {
    Hash::from_slice(&base64(text)?)
}

/// Base64 of RFC 4648 §4.
pub(crate) fn to_base64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// The control character that a signed note must not contain, with its offset:
/// one below U+0020 other than newline.
pub(crate) fn control_character(text: &str) -> Option<(usize, u8)> {
    text.bytes().enumerate().find(|&(_, byte)| byte < 0x20 && byte != b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_decimals_are_read() {
        assert_eq!(decimal("0"), Some(0));
        assert_eq!(decimal("18446744073709551615"), Some(u64::MAX));
        for bad in ["", "00", "01", "+1", "-1", " 1", "1 ", "1_0", "0x1", "18446744073709551616"] {
            assert_eq!(decimal(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn only_canonical_base64_is_read() {
        assert_eq!(base64("AQ=="), Some(vec![1]));
        for bad in ["AQ", "AQ=", "AR==", "AQ==\n", " AQ==", "A-==", "AQ==AQ=="] {
            assert_eq!(base64(bad), None, "{bad:?}");
        }
    }
}
