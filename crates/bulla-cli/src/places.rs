//! Opening the log that a command was given.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context as _, Result};
use bulla::{Log, LogReader};

/// Opens a log for reading; works while a service writes to it.
pub(crate) fn reader(dir: &Path) -> Result<LogReader> {
    Ok(Log::open_read_only(dir)?)
}

/// Opens a log for writing, and says what opening had to set aside.
pub(crate) fn writer(dir: &Path) -> Result<Log> {
    let log = Log::open(dir)?;
    for aside in &log.recovery().quarantined {
        writeln!(
            io::stderr(),
            "bulla: {} bytes at the end of segment {} were set aside in {}: {}; no acknowledged \
             record is affected",
            aside.len,
            aside.ordinal,
            aside.file,
            aside.reason
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
