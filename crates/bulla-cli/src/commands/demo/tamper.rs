//! The villain: copies a log and alters one byte of a record in it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use bulla::Log;

/// What was altered.
pub(super) struct Flipped {
    file: PathBuf,
    offset: usize,
    /// The segment it is in.
    pub(super) ordinal: u64,
}

impl Flipped {
    /// Where, in words.
    pub(super) fn place(&self) -> String {
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        format!("byte {} of {name}", self.offset)
    }
}

/// Copies the log and flips the lowest bit of the last letter of a word, where it stands
/// last before that text in the first segment.
pub(super) fn copy_and_flip(log: &Path, copy: &Path, word: &str, before: &str) -> Result<Flipped> {
    copy_tree(log, copy)?;
    let segments = Log::open_read_only(copy)?.snapshot().segments()?;
    let Some(segment) = segments.first() else { bail!("expected a segment to alter") };
    let file = segment.path.clone();
    let mut bytes = fs::read(&file).with_context(|| file.display().to_string())?;
    let text = format!("{word}{before}");
    let found = bytes.windows(text.len()).rposition(|window| window == text.as_bytes());
    let Some(found) = found else { bail!("expected {text:?} in {}", file.display()) };
    let offset = found + word.len() - 1;
    bytes[offset] ^= 1;
    fs::write(&file, bytes).with_context(|| file.display().to_string())?;
    Ok(Flipped { file, offset, ordinal: segment.ordinal })
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry.with_context(|| from.display().to_string())?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_tree(&source, &target)?;
        } else {
            // Only what is in it: sealed files are read-only, and their copies would be.
            let bytes = fs::read(&source).with_context(|| source.display().to_string())?;
            fs::write(&target, bytes).with_context(|| target.display().to_string())?;
        }
    }
    Ok(())
}
