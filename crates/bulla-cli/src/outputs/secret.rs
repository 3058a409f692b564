//! Recognising a private key, and what stands beside one, by what is in the file.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use bulla::Hash;

use super::inputs::beside;

/// How much of a file is looked at.
const LOOKED_AT: u64 = 64 << 10;
/// What stands beside a private key or a key store, under its name and one of these.
const BESIDE: [&str; 5] = [".heads", ".handover", ".pub", ".lock", ".unsynced"];

/// Refuses to replace a secret, or what belongs to one.
pub(super) fn refuse(path: &Path, real: &Path, is_there: bool) -> Result<()> {
    let shown = path.display();
    if is_there {
        let mut found = Vec::new();
        let file = File::open(real).with_context(|| shown.to_string())?;
        file.take(LOOKED_AT).read_to_end(&mut found).with_context(|| shown.to_string())?;
        if let Some(what) = kind(&found) {
            bail!("{shown} is {what}, which is never overwritten; choose another file");
        }
    }
    if let Some(key) = owner(real, is_there) {
        bail!(
            "{shown} belongs to the key or key store {}, and is never overwritten; choose another \
             file",
            key.display()
        );
    }
    Ok(())
}

/// What a file is by its beginning, if it is none that may be replaced.
fn kind(found: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(found);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if text.starts_with("PRIVATE+KEY+wrapping+") {
        Some("a wrapping key")
    } else if is_private(text) {
        Some("a private key")
    } else if found.starts_with(b"BULLAKEY") {
        Some("a key store")
    } else if is_heads(text) {
        Some("the note of what a key has signed")
    } else {
        None
    }
}

/// Our own form, and those of other tools.
fn is_private(text: &str) -> bool {
    text.starts_with("PRIVATE+KEY+")
        || text.starts_with("AGE-SECRET-KEY-")
        || text.contains("PRIVATE KEY-----")
        || text.contains("PRIVATE KEY BLOCK-----")
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

/// The key that a file stands beside.
fn owner(real: &Path, is_there: bool) -> Option<PathBuf> {
    let name = real.file_name()?.to_str()?;
    let of = BESIDE.iter().find_map(|ending| name.strip_suffix(ending))?;
    let key = real.with_file_name(of);
    // A key that has handed over is gone, and its notes stay.
    if is_there && beside(&key, ".handover").is_file() {
        return Some(key);
    }
    let mut found = Vec::new();
    File::open(&key).ok()?.take(LOOKED_AT).read_to_end(&mut found).ok()?;
    kind(&found).is_some().then_some(key)
}
