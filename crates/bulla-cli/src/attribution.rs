//! Who asks, and why: what is recorded for good.

/// Reads a name or a reason. Blank text would be on record, and name nobody.
pub(crate) fn not_blank(text: &str) -> Result<String, String> {
    match text.trim().is_empty() {
        false => Ok(text.to_owned()),
        true => Err(format!("expected a name or a reason in words, found blank text {text:?}")),
    }
}
