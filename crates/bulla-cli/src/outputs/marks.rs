//! What marks a directory in which nothing else is written.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::content;

/// How many names of a directory are looked at to see what it is.
pub(super) const NAMES_MAX: usize = 10_000;

/// A directory that belongs to something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Log,
    Vault,
    Archive,
    Export,
    WitnessMemory,
    /// Files of a log or an archive, apart from the rest of it.
    Part,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mark::Log => "log",
            Mark::Vault => "vault",
            Mark::Archive => "segment archive",
            Mark::Export => "log export",
            Mark::WitnessMemory => "witness's memory",
            Mark::Part => "part of a log or an archive",
        })
    }
}

impl Mark {
    /// What a directory is, if it is one of these. Damage does not make it something else: a
    /// part of each is enough.
    pub(crate) fn of(dir: &Path) -> Option<Self> {
        if is_vault(dir) {
            Some(Mark::Vault)
        } else if is_log(dir) {
            Some(Mark::Log)
        } else if dir.join("bulla-export").is_file() {
            Some(Mark::Export)
        } else if is_archive(dir) {
            Some(Mark::Archive)
        } else if is_memory(dir) {
            Some(Mark::WitnessMemory)
        } else if names(dir).any(|name| content::is_part(dir, &name)) {
            Some(Mark::Part)
        } else {
            None
        }
    }
}

/// The innermost of them around a path, which has no symbolic links in it: what is whole, if any.
pub(crate) fn around(real: &Path) -> Option<(PathBuf, Mark)> {
    let mut part = None;
    for dir in real.ancestors().skip(1) {
        match Mark::of(dir) {
            None => {}
            Some(Mark::Part) if part.is_some() => {}
            Some(Mark::Part) => part = Some((dir.to_owned(), Mark::Part)),
            Some(mark) => return Some((dir.to_owned(), mark)),
        }
    }
    part
}

fn is_log(dir: &Path) -> bool {
    let (catalog, segments) = (dir.join("catalog"), dir.join("segments"));
    let parts = [&catalog, &segments].into_iter().filter(|part| part.is_dir()).count();
    parts == 2
        || (parts == 1 && dir.join("LOCK").is_file())
        || catalog.join("a").is_file()
        || catalog.join("b").is_file()
}

fn is_vault(dir: &Path) -> bool {
    let logs = dir.join("logs").is_dir();
    is_log(&dir.join("control")) && (logs || dir.join("LOCK").is_file())
        || logs && dir.join("secret").is_file() && dir.join("LOCK").is_file()
}

/// An archive, the folders of one log in it, or one of them.
fn is_archive(dir: &Path) -> bool {
    is_folder(dir)
        || names(dir).any(|name| is_ordinal(&name) && is_folder(&dir.join(name)))
        || names(dir).filter(|name| is_of_log(name)).any(|name| {
            let of_log = dir.join(name);
            names(&of_log).any(|name| is_ordinal(&name) && is_folder(&of_log.join(name)))
        })
}

fn is_folder(dir: &Path) -> bool {
    dir.join("MANIFEST.json").is_file() && dir.join("segment.seg").is_file()
}

fn is_ordinal(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// `NAME-LOGID`.
fn is_of_log(name: &str) -> bool {
    name.rsplit_once('-').is_some_and(|(_, id)| is_hex(id, 8))
}

/// A witness keeps a file for each log, named by a hash.
fn is_memory(dir: &Path) -> bool {
    let of_log = |name: &str| name.strip_suffix(".checkpoint").is_some_and(|id| is_hex(id, 64));
    dir.join("LOCK").is_file() && names(dir).any(|name| of_log(&name))
}

fn is_hex(text: &str, len: usize) -> bool {
    text.len() == len && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn names(dir: &Path) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(dir).into_iter().flatten().take(NAMES_MAX);
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok())
}
