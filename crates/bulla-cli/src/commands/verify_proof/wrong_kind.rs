//! Files that are given in place of a proof.

use bulla::checkpoint::{UnverifiedCheckpoint, VerifyingKey};
use bulla::keys::KeyChain;
use bulla::proof::IndexAudit;

/// What the file is, if it is plainly another one than a proof, and what to do.
pub(super) fn of(bytes: &[u8]) -> Option<&'static str> {
    if bytes.is_empty() {
        return Some("expected a proof, found an empty file");
    }
    let first_line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if first_line.ends_with(b"\r") {
        return Some(
            "expected lines that end in a line feed, found CRLF: something rewrote the file's \
             line ends on its way (mail, git, an editor); have it sent again, as it is",
        );
    }
    if bytes.starts_with(IndexAudit::FIRST_LINE.as_bytes()) {
        return Some(
            "expected a proof, found an audit of indexes; give that with --audit, beside the \
             answer that it is about",
        );
    }
    if KeyChain::parse(bytes).is_ok() {
        return Some("expected a proof, found a key chain; give that with --keys");
    }
    if UnverifiedCheckpoint::parse(bytes).is_ok() {
        return Some(
            "expected a proof, found a checkpoint; `bulla prove` makes a proof under it, and \
             `bulla verify --checkpoint` compares a log with it",
        );
    }
    let key = |text: &str| text.trim().parse::<VerifyingKey>().is_ok();
    if std::str::from_utf8(bytes).is_ok_and(key) {
        return Some("expected a proof, found a verifying key; give that with --pubkey");
    }
    None
}
