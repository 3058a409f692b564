//! Opening the log that a command was given.

use std::fs;
use std::io::{Read as _, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use bulla::{Log, LogAdmin, LogOptions, LogReader};

use crate::{instead, output, outputs, text};

/// How many symbolic links in a row are followed; the system follows as many.
pub(crate) const LINKS_MAX: usize = 40;

/// Refuses what is plainly no log, in words for somebody who mistyped a path; one that is
/// not there at all is told by the engine.
pub(crate) fn check(dir: &Path) -> Result<()> {
    match instead::of_log(dir)? {
        Some(found) => bail!("{} is not a log directory: {found}", dir.display()),
        None => Ok(()),
    }
}

/// Whether there is something, also if it may not be read. What may not even be looked for is
/// not missing.
pub(crate) fn is_there(path: &Path) -> Result<bool> {
    path.try_exists().with_context(|| format!("look for {}", path.display()))
}

/// Opens a log for reading; works while a service writes to it.
pub(crate) fn reader(dir: &Path) -> Result<LogReader> {
    check(dir)?;
    let reader = Log::open_read_only(dir)?;
    tell_damage(&reader)?;
    Ok(reader)
}

/// Says that the catalog is damaged, so that nobody takes what is shown for all there is.
pub(crate) fn tell_damage(reader: &LogReader) -> Result<()> {
    if let Some(damage) = reader.catalog_damage() {
        writeln!(
            output::stderr(),
            "bulla: both copies of the catalog are damaged: whether records that are not there \
             were dropped is unknown, `bulla segments` shows where they are missing; restore a \
             copy from a backup: {damage}"
        )?;
    }
    Ok(())
}

/// Opens policy and holds, also while a service writes the log, and says what was mended.
pub(crate) fn admin(dir: &Path, options: LogOptions) -> Result<LogAdmin> {
    let admin = options.administer(dir)?;
    for aside in admin.set_aside() {
        writeln!(output::stderr(), "bulla: {aside}")?;
    }
    Ok(admin)
}

/// Opens a log for all but events, and says what opening found to be out of order. It takes no key
/// store, whatever the log's events are protected by.
pub(crate) fn writer(dir: &Path) -> Result<Log> {
    writer_with(dir, || Ok(Log::options().without_events()))
}

/// The same with options, which are made once the directory was seen to be a log.
pub(crate) fn writer_with(dir: &Path, options: impl FnOnce() -> Result<LogOptions>) -> Result<Log> {
    check(dir)?;
    let log = options()?.open(dir)?;
    let found = log.recovery();
    let mut err = output::stderr();
    for aside in &found.set_aside {
        writeln!(err, "bulla: {aside}")?;
    }
    for ordinal in &found.missing_segments {
        writeln!(
            err,
            "bulla: the file of segment {ordinal} is missing; restore it from a backup, then run \
             `bulla verify {}`",
            dir.display()
        )?;
    }
    if let [first, rest @ ..] = &found.lost_hashes[..] {
        let which = rest.last().map_or(first.to_string(), |last| format!("{first} to {last}"));
        writeln!(
            err,
            "bulla: tree/ was made anew, and hashes of {} ({which}) are lost: what needs them is \
             refused until the segment is restored from an archive, or tree/ from a backup; \
             records that are there are proved as ever",
            text::counted(found.lost_hashes.len() as u64, "dropped segment"),
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
/// what was asked for, and a secret: what reads it would show what it cannot read.
pub(crate) fn read_small(path: &Path, bytes_max: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).with_context(|| path.display().to_string())?;
    file.take(bytes_max.saturating_add(1))
        .read_to_end(&mut bytes)
        .with_context(|| path.display().to_string())?;
    if bytes.len() as u64 > bytes_max {
        bail!(
            "{}: expected at most {}, found more",
            path.display(),
            text::counted(bytes_max, "byte")
        );
    }
    refuse_secret(path, &bytes)?;
    Ok(bytes)
}

/// Refuses a file that holds a secret, where something else is read.
pub(crate) fn refuse_secret(path: &Path, beginning: &[u8]) -> Result<()> {
    match outputs::secret(beginning) {
        Some(what) => bail!(
            "{0}: found {what}, which this command does not read; give another file (the \
             verifying key of a private key is in {0}.pub), and do not show the secret to anyone",
            path.display()
        ),
        None => Ok(()),
    }
}

/// Where a path leads, whether or not there is something already.
pub(crate) fn real(path: &Path) -> PathBuf {
    let mut path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    // What a link leads to need not exist yet.
    for _ in 0..LINKS_MAX {
        let Ok(target) = fs::read_link(&path) else { break };
        path = path.parent().map_or_else(|| target.clone(), |parent| parent.join(&target));
    }
    let there = path.ancestors().find_map(|above| Some((above, fs::canonicalize(above).ok()?)));
    match there {
        Some((above, real)) => match path.strip_prefix(above) {
            Ok(rest) if !rest.as_os_str().is_empty() => real.join(rest),
            _ => real,
        },
        None => path,
    }
}
