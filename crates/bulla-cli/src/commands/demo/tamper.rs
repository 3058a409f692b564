//! The villain: copies a log and alters one byte of a record in it.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use bulla::Log;

/// What was altered.
pub(super) struct Flipped {
    file: PathBuf,
    offset: u64,
    before: u8,
    /// The segment it is in.
    pub(super) ordinal: u64,
}

impl Flipped {
    /// In words.
    pub(super) fn told(&self) -> String {
        format!(
            "with a copy: byte {} of {}, 0x{:02x} → 0x{:02x}",
            self.offset,
            self.file.display(),
            self.before,
            self.before ^ 1
        )
    }
}

/// Copies the log and flips the lowest bit of a byte in the middle of its second
/// segment.
pub(super) fn copy_and_flip(log: &Path, copy: &Path) -> Result<Flipped> {
    copy_tree(log, copy)?;
    let segments = Log::open_read_only(copy)?.segments()?;
    let Some(segment) = segments.get(1) else { bail!("expected more than one segment") };
    let offset = segment.bytes / 2;
    let file = segment.path.clone();
    let opened = OpenOptions::new().read(true).write(true).open(&file);
    let opened = opened.with_context(|| file.display().to_string())?;
    let mut byte = [0];
    opened.read_exact_at(&mut byte, offset).with_context(|| file.display().to_string())?;
    opened.write_all_at(&[byte[0] ^ 1], offset).with_context(|| file.display().to_string())?;
    Ok(Flipped { file, offset, before: byte[0], ordinal: segment.ordinal })
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry.with_context(|| from.display().to_string())?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_tree(&source, &target)?;
        } else {
            fs::copy(&source, &target).with_context(|| source.display().to_string())?;
        }
    }
    Ok(())
}
