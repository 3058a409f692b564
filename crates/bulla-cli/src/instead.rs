//! What a path leads to that was given as a log, an archive or an exported log, and is none: one
//! description for all commands, with what to do.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use anyhow::Result;
use bulla::{UnverifiedCheckpoint, VerifyingKey};

use crate::outputs::{self, Mark};
use crate::{open_log, terminal};

/// How much of a file is looked at, and how many names of a directory.
const LOOKED_AT: u64 = 64 << 10;
const NAMES_MAX: usize = 10_000;

/// What is at the path of a log that is plainly none; `None`: it may be one, or nothing is there.
pub(crate) fn of_log(path: &Path) -> Result<Option<String>> {
    let Ok(found) = fs::metadata(path) else { return Ok(None) };
    if !found.is_dir() {
        return Ok(Some(file(path)));
    }
    for part in ["catalog", "segments"].map(|part| path.join(part)) {
        // An exported log has a file of that name.
        if open_log::is_there(&part)? && !part.is_file() {
            return Ok(None);
        }
    }
    Ok(Some(directory(path).unwrap_or_else(|| other(path))))
}

/// What is at a path, whatever was wanted there, if that is known.
pub(crate) fn known(path: &Path) -> Option<String> {
    if path.is_dir() {
        return directory(path);
    }
    kind_of_file(path).map(|what| format!("it is {what}"))
}

fn directory(dir: &Path) -> Option<String> {
    let shown = dir.display();
    Some(match Mark::of(dir) {
        Some(Mark::Vault) => vault(dir),
        Some(Mark::Log) => format!(
            "it is a log: `bulla verify {shown}` checks it, `bulla export-tiles {shown} OUT` makes \
             an export of it, `bulla retain {shown} --archive DIR` an archive"
        ),
        Some(Mark::Archive) => format!(
            "it is an archive of segments: `bulla verify {shown}` checks it, `bulla restore LOG \
             {shown}` brings its segments back into their log"
        ),
        Some(Mark::WitnessMemory) => "it is the memory of a witness (`bulla witness`)".to_owned(),
        Some(Mark::Export) => export(dir),
        _ if dir.join("tile").is_dir() && dir.join("checkpoint").is_file() => export(dir),
        _ => return inside(dir),
    })
}

fn vault(dir: &Path) -> String {
    let logs = dir.join("logs");
    let within = match first_log(&logs) {
        Some(name) => format!(", such as {}", logs.join(name).display()),
        None => "; there is none yet".to_owned(),
    };
    format!("it is a vault, which has its logs in {}: give one of them{within}", logs.display())
}

fn export(dir: &Path) -> String {
    format!(
        "it is an exported log: `bulla audit {} --pubkey VKEY` checks it; give the log that it was \
         exported from, if that is meant",
        dir.display()
    )
}

/// A directory within a log, or within something else that is known.
fn inside(dir: &Path) -> Option<String> {
    let (around, mark) = outputs::around(&open_log::real(dir))?;
    match mark {
        Mark::Part => None,
        Mark::Log => Some(format!("it is within the log {0}: give {0}", around.display())),
        mark => Some(format!("it is within the {mark} {}", around.display())),
    }
}

fn other(dir: &Path) -> String {
    let there = ["LOCK", "tree", "checkpoints"].map(|name| dir.join(name).exists());
    if Mark::of(dir) == Some(Mark::Part) || there.iter().filter(|there| **there).count() > 1 {
        return "it holds a part of a log, and neither catalog/ nor segments/; give the whole \
                directory of the log, or restore it from a backup"
            .to_owned();
    }
    if fs::read_dir(dir).is_ok_and(|mut names| names.next().is_none()) {
        return format!("it is empty; `bulla init {}` makes a log in it", dir.display());
    }
    let such_as = match first_log(dir) {
        Some(name) => format!(", such as {}", dir.join(name).display()),
        None => String::new(),
    };
    format!(
        "it holds neither catalog/ nor segments/; give the directory that `bulla init` made{such_as}"
    )
}

/// The name of a log in a directory: the first one that there is.
fn first_log(dir: &Path) -> Option<String> {
    let entries = fs::read_dir(dir).ok()?.take(NAMES_MAX);
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| Mark::of(&dir.join(name)) == Some(Mark::Log)).min()
}

fn file(path: &Path) -> String {
    let what = kind_of_file(path).unwrap_or_else(|| "a file".to_owned());
    format!("it is {what}; give the directory that `bulla init` made")
}

fn kind_of_file(path: &Path) -> Option<String> {
    // A pipe or a device is not read: that might wait.
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut file = File::open(path).ok()?;
    let mut found = Vec::new();
    file.by_ref().take(LOOKED_AT).read_to_end(&mut found).ok()?;
    if let Some(what) = outputs::kind_of_file(&found, &mut file) {
        return Some(what.to_owned());
    }
    if UnverifiedCheckpoint::parse(&found).is_ok() {
        return Some("a checkpoint, which `--checkpoint FILE` takes".to_owned());
    }
    if std::str::from_utf8(&found).is_ok_and(|text| text.trim().parse::<VerifyingKey>().is_ok()) {
        return Some("a verifying key, which `--pubkey FILE` takes".to_owned());
    }
    let first = std::str::from_utf8(found.split(|byte| *byte == b'\n').next()?).ok()?;
    let is_proof = first.starts_with("bulla.dev/") || first.starts_with("c2sp.org/");
    is_proof.then(|| format!("a proof ({}): `bulla verify-proof` reads it", terminal::plain(first)))
}
