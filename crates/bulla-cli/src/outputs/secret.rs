//! Recognising a private key, and what stands beside one, by what is in the file.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use bulla::Hash;

use super::content;
use super::inputs::beside;

/// How much of a file is looked at.
pub(super) const LOOKED_AT: u64 = 64 << 10;
/// What stands beside a private key or a key store, under its name and one of these.
const BESIDE: [&str; 5] = [".heads", ".handover", ".pub", ".lock", ".unsynced"];
/// What a signing key reads before it signs.
const NOTES: [&str; 2] = [".heads", ".handover"];

/// Refuses to replace a file that is a secret, belongs to one, or is a log's.
pub(super) fn refuse(path: &Path, real: &Path, is_there: bool) -> Result<()> {
    let shown = path.display();
    if is_there {
        let mut file = File::open(real).with_context(|| shown.to_string())?;
        let mut found = Vec::new();
        file.by_ref().take(LOOKED_AT).read_to_end(&mut found).with_context(|| shown.to_string())?;
        let kept = match kind(&found) {
            Some(what) => Some(what),
            None => content::kind(&found, &mut file).with_context(|| shown.to_string())?,
        };
        if let Some(what) = kept {
            bail!("{shown} is {what}, which is never overwritten; choose another file");
        }
    }
    refuse_beside(path, real)
}

/// Refuses a name that belongs to a key, for a file or a directory.
pub(super) fn refuse_beside(path: &Path, real: &Path) -> Result<()> {
    let given = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if let Some(key) = owner(real).or_else(|| owner(&given)) {
        bail!(
            "{} belongs to the key or key store {}, and is never overwritten; choose another file",
            path.display(),
            key.display()
        );
    }
    Ok(())
}

/// Refuses to make a key where the notes of another one are: it would take them for its own.
pub(super) fn refuse_notes_of_another(path: &Path, real: &Path) -> Result<()> {
    let notes = NOTES.map(|ending| beside(real, ending));
    match notes.iter().find(|notes| notes.symlink_metadata().is_ok()) {
        Some(notes) => bail!(
            "{} is the note of what another key {} has signed, which a new key of this name would \
             take for its own; choose another name for the new one",
            notes.display(),
            path.display()
        ),
        None => Ok(()),
    }
}

/// Which secret a file holds by its beginning: what it is called.
pub(crate) fn secret(found: &[u8]) -> Option<&'static str> {
    let text = beginning(found);
    if text.starts_with("PRIVATE+KEY+wrapping+") {
        Some("a wrapping key")
    } else if text.starts_with("PRIVATE+KEY+") || text.starts_with("AGE-SECRET-KEY-") {
        Some("a private key")
    } else if found.starts_with(b"BULLAKEY") {
        Some("a key store")
    } else if text.lines().any(is_pem_header) {
        Some("a private key")
    } else {
        None
    }
}

/// What a file is by its beginning, if it is a secret or what is remembered beside one.
pub(super) fn kind(found: &[u8]) -> Option<&'static str> {
    let text = beginning(found);
    if let Some(secret) = secret(found) {
        Some(secret)
    } else if text.contains("PRIVATE KEY-----") || text.contains("PRIVATE KEY BLOCK-----") {
        Some("a private key")
    } else if is_heads(&text) {
        Some("the note of what a key has signed")
    } else {
        None
    }
}

fn beginning(found: &[u8]) -> Cow<'_, str> {
    let len = found.len().min(usize::try_from(LOOKED_AT).unwrap_or(usize::MAX));
    let trim = |text: &str| {
        let trimmed = text.trim_start_matches(|c: char| c == '\u{feff}' || c.is_whitespace());
        text.len() - trimmed.len()
    };
    match String::from_utf8_lossy(&found[..len]) {
        Cow::Borrowed(text) => Cow::Borrowed(&text[trim(text)..]),
        Cow::Owned(text) => Cow::Owned(text[trim(&text)..].to_owned()),
    }
}

/// RFC 7468 and its kin. Within a JSON text it never begins a line.
fn is_pem_header(line: &str) -> bool {
    line.starts_with("-----BEGIN ") && line.contains("PRIVATE KEY")
}

/// `SIZE ROOT`, and of a log whose catalog is signed `catalog SIZE ROOT`.
fn is_heads(text: &str) -> bool {
    let head = |line: &str| {
        line.strip_prefix("catalog ").unwrap_or(line).split_once(' ').is_some_and(|(size, root)| {
            size.parse::<u64>().is_ok() && root.trim_end().parse::<Hash>().is_ok()
        })
    };
    let mut lines = text.lines();
    lines.next().is_some_and(head) && lines.all(head)
}

/// The key that a name stands beside.
fn owner(real: &Path) -> Option<PathBuf> {
    let name = real.file_name()?.to_str()?;
    let of = BESIDE.iter().find_map(|ending| name.strip_suffix(ending))?;
    let key = real.with_file_name(of);
    // A key that has handed over is gone, and its notes stay.
    if beside(&key, ".handover").is_file() && !key.exists() {
        return Some(key);
    }
    let mut found = Vec::new();
    File::open(&key).ok()?.take(LOOKED_AT).read_to_end(&mut found).ok()?;
    kind(&found).is_some().then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_beginning() {
        for (text, what) in [
            ("PRIVATE+KEY+ex.example+01234567+AQ", Some("a private key")),
            ("\u{feff}\r\n PRIVATE+KEY+wrapping+00", Some("a wrapping key")),
            ("AGE-SECRET-KEY-1QQ", Some("a private key")),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nAA", Some("a private key")),
            ("Bag Attributes\n-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA", Some("a private key")),
            ("BULLAKEY\u{1}", Some("a key store")),
            ("{\"x\":\"-----BEGIN PRIVATE KEY-----\\nAA\"}", None),
            ("ex.example+01234567+AQ", None),
        ] {
            assert_eq!(secret(text.as_bytes()), what, "{text}");
        }
        let within = b"{\"x\":\"-----BEGIN PRIVATE KEY-----\\nAA\"}";
        assert_eq!(kind(within), Some("a private key"), "it is not replaced all the same");
    }
}
