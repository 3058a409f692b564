//! What a call reads, so that no output of it takes its place.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::places;

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
        if let Some(dir) = self.dirs.iter().find(|dir| real.starts_with(places::real(dir))) {
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

/// Whether two names lead to one file. Of what is not there yet, the names decide.
fn is_same(input: &Path, output: &Path, real_output: &Path) -> bool {
    match (Identity::of(input), Identity::of(output)) {
        (Some(Identity::Terminal), _) | (_, Some(Identity::Terminal)) => false,
        (Some(input), Some(output)) => input == output,
        _ => places::real(input) == real_output,
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
