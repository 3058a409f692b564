//! What a call reads, so that no output of it takes its place.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::marks::NAMES_MAX;
use crate::open_log;

/// How deep the directories of a vault's log lie in it, and how many are looked at.
const DEPTH_MAX: usize = 4;
const DIRS_MAX: usize = 10_000;

/// What is remembered beside a private key.
const BESIDE_KEYS: [&str; 3] = [".heads", ".handover", ".pub"];

/// The files and directories that a call reads.
#[derive(Debug, Default)]
pub(crate) struct Inputs {
    files: Vec<PathBuf>,
    dirs: Vec<PathBuf>,
}

impl Inputs {
    /// Those of a command that works on this directory.
    pub(crate) fn of(dir: &Path) -> Self {
        Inputs { files: Vec::new(), dirs: vec![dir.to_owned()] }
    }

    /// Files, or none.
    pub(crate) fn files(mut self, files: impl IntoIterator<Item: AsRef<Path>>) -> Self {
        self.files.extend(files.into_iter().map(|file| file.as_ref().to_owned()));
        self
    }

    /// Private keys, and what stands beside them.
    pub(crate) fn keys(mut self, keys: impl IntoIterator<Item: AsRef<Path>>) -> Self {
        for key in keys {
            let key = key.as_ref();
            self.files.extend(BESIDE_KEYS.map(|ending| beside(key, ending)));
            self.files.push(key.to_owned());
        }
        self
    }

    /// Refuses an output that is one of them, or lies in one.
    pub(super) fn refuse(&self, path: &Path, real: &Path) -> Result<()> {
        let shown = path.display();
        if let Some(input) = self.files.iter().find(|input| is_same(input, path, real)) {
            let also = match **input == *path {
                true => String::new(),
                false => format!(" as {}", input.display()),
            };
            bail!(
                "{shown} is read by this command{also}, and is not overwritten; choose another \
                 name for what is written"
            );
        }
        if let Some(dir) = self.dirs.iter().find(|dir| is_inside(real, dir)) {
            bail!(
                "{shown} is inside {}, which this command works on: nothing else is written \
                 there; choose a place elsewhere",
                dir.display()
            );
        }
        Ok(())
    }
}

pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Whether a path leads into a directory or one below it: by its name, and by what the
/// directories on its way are, because a bind mount has another name.
fn is_inside(real: &Path, dir: &Path) -> bool {
    if real.starts_with(open_log::real(dir)) {
        return true;
    }
    let on_its_way: Vec<Identity> = real.ancestors().filter_map(Identity::of).collect();
    let mut left = DIRS_MAX;
    holds_any(dir, &on_its_way, DEPTH_MAX, &mut left)
}

/// Whether a directory, or one below it, is one of these.
fn holds_any(dir: &Path, these: &[Identity], depth: usize, left: &mut usize) -> bool {
    if Identity::of(dir).is_some_and(|dir| these.contains(&dir)) {
        return true;
    }
    let Some(depth) = depth.checked_sub(1) else { return false };
    let entries = fs::read_dir(dir).into_iter().flatten().take(NAMES_MAX).flatten();
    let mut below = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    below.any(|entry| {
        *left = left.saturating_sub(1);
        *left > 0 && holds_any(&entry.path(), these, depth, left)
    })
}

/// Whether two names lead to one file. Of what is not there yet, the names decide.
fn is_same(input: &Path, output: &Path, real_output: &Path) -> bool {
    match (Identity::of(input), Identity::of(output)) {
        (Some(Identity::Terminal), _) | (_, Some(Identity::Terminal)) => false,
        (Some(input), Some(output)) => input == output,
        _ => open_log::real(input) == real_output,
    }
}

/// A file by whatever name.
#[derive(Debug, PartialEq, Eq)]
enum Identity {
    /// A character device: what is read from it is not what is written to it.
    Terminal,
    #[cfg(unix)]
    Inode(u64, u64),
    #[cfg(not(unix))]
    Path(PathBuf),
}

impl Identity {
    #[cfg(unix)]
    fn of(path: &Path) -> Option<Self> {
        use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
        let found = fs::metadata(path).ok()?;
        match found.file_type().is_char_device() {
            true => Some(Identity::Terminal),
            false => Some(Identity::Inode(found.dev(), found.ino())),
        }
    }

    #[cfg(not(unix))]
    fn of(path: &Path) -> Option<Self> {
        fs::canonicalize(path).ok().map(Identity::Path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_the_same_by_whatever_name() {
        let dir = tempfile::tempdir().unwrap();
        let (log, other) = (dir.path().join("log"), dir.path().join("other"));
        fs::create_dir_all(log.join("segments")).unwrap();
        fs::create_dir_all(&other).unwrap();
        let way = |dir: &Path| Identity::of(dir).into_iter().collect::<Vec<_>>();
        let holds = |these: &[Identity]| holds_any(&log, these, DEPTH_MAX, &mut 100);
        assert!(holds(&way(&log)));
        // As a bind mount of it would be.
        assert!(holds(&way(&log.join("segments"))));
        assert!(!holds(&way(&other)) && !holds(&way(dir.path())));
        assert!(is_inside(&fs::canonicalize(&log).unwrap().join("x/y"), &log));
        assert!(!is_inside(&fs::canonicalize(&other).unwrap().join("x"), &log));
    }
}
