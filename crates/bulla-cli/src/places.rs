//! Opening the log that a command was given.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use bulla::{Log, LogReader};

/// Refuses what is plainly no log, in words for somebody who mistyped a path; one that is
/// not there at all is told by the engine.
pub(crate) fn check(dir: &Path) -> Result<()> {
    let no_log = |found: &str| {
        format!(
            "{} is not a log directory: {found}; give the directory that `bulla init` made",
            dir.display()
        )
    };
    match fs::metadata(dir) {
        Ok(found) if !found.is_dir() => bail!(no_log("it is a file")),
        Ok(_) if !dir.join("catalog").exists() && !dir.join("segments").exists() => {
            bail!(no_log("it holds neither catalog/ nor segments/"))
        }
        _ => Ok(()),
    }
}

/// Opens a log for reading; works while a service writes to it.
pub(crate) fn reader(dir: &Path) -> Result<LogReader> {
    check(dir)?;
    Ok(Log::open_read_only(dir)?)
}

/// Opens a log for writing, and says what opening found to be out of order.
pub(crate) fn writer(dir: &Path) -> Result<Log> {
    check(dir)?;
    let log = Log::open(dir)?;
    let found = log.recovery();
    let mut err = io::stderr();
    for aside in &found.set_aside {
        writeln!(
            err,
            "bulla: {} bytes at offset {} of segment {} were not part of the log and were set \
             aside in {}: {}; no acknowledged record is affected",
            aside.len, aside.offset, aside.ordinal, aside.file, aside.reason
        )?;
    }
    for ordinal in &found.missing_segments {
        writeln!(
            err,
            "bulla: the file of segment {ordinal} is missing; restore it from a backup, then run \
             `bulla verify {}`",
            dir.display()
        )?;
    }
    if let Some(damage) = &found.catalog_damage {
        writeln!(
            err,
            "bulla: both copies of the catalog are damaged, so nothing can be signed until one \
             is restored from a backup: {damage}"
        )?;
    }
    Ok(log)
}

/// Reads a file that is held in memory whole, refusing one that is too large to be
/// what was asked for.
pub(crate) fn read_small(path: &Path, bytes_max: u64) -> Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let file = fs::File::open(path).with_context(|| path.display().to_string())?;
    file.take(bytes_max.saturating_add(1))
        .read_to_end(&mut bytes)
        .with_context(|| path.display().to_string())?;
    if bytes.len() as u64 > bytes_max {
        anyhow::bail!("{}: expected at most {bytes_max} bytes, found more", path.display());
    }
    Ok(bytes)
}

/// Writes a result file, saying which one could not be written.
pub(crate) fn write_file(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| path.display().to_string())
}
