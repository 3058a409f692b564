//! Where results are written: one rule for every output of every command.
//!
//! - An output is never an input of the same call, by whatever name, and never lies in a
//!   directory that the call reads.
//! - It never lies in a log, a vault, an archive, an exported log or the memory of a witness.
//! - It never replaces a file of one of these, wherever that lies: its content tells.
//! - It never replaces a private key, a key store, or what is remembered beside one, nor takes
//!   the name of what would be.
//! - A file is written beside its place and renamed when it is complete: an error or Ctrl-C
//!   leaves what was there. Until then its bytes are in a file without a name.
//! - Pipes and character devices are written as they are; `-` and `/dev/stdout` are standard
//!   output, unless the command prints something else there. A key or a directory is neither.
//!
//! All of it is looked at before the command begins its work.

mod content;
mod inputs;
mod marks;
mod secret;

use std::fs::{self, File, Permissions};
use std::io::{self, Seek as _, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use tempfile::{Builder, NamedTempFile};

pub(crate) use inputs::Inputs;
pub(crate) use marks::{Mark, around};
pub(crate) use secret::secret;

use crate::{open_log, output};

/// What stands for standard output in place of a file's name.
const STANDARD_OUTPUT: &str = "-";

/// A place for a result that was looked at: nothing of value is lost by writing there.
#[derive(Debug)]
pub(crate) struct Output {
    shown: PathBuf,
    target: Target,
}

#[derive(Debug)]
enum Target {
    /// A regular file, or none yet: where it is without symbolic links, and the permissions of
    /// the one that is there.
    File(PathBuf, Option<Permissions>),
    Stdout,
    Stderr,
    /// A pipe, a character device, or an open file of the shell's.
    Stream(PathBuf),
}

/// An output that is being written.
#[derive(Debug)]
pub(crate) struct Begun {
    shown: PathBuf,
    writing: Writing,
}

#[derive(Debug)]
enum Writing {
    Beside { unnamed: File, path: PathBuf, permissions: Option<Permissions> },
    Stdout(output::Out),
    Stderr,
    Stream(File),
}

impl Output {
    /// Looks at a place for a result.
    ///
    /// # Errors
    /// It is one of those that the rule keeps; it is a directory, or one that cannot be written.
    pub(crate) fn check(path: &Path, inputs: &Inputs) -> Result<Self> {
        let shown = path.display();
        let target = target(path)?;
        let real = open_log::real(path);
        // A file that is open already counts as well, unless standard output is meant as such.
        let is_file = path != Path::new(STANDARD_OUTPUT) && real.is_file();
        if is_file || matches!(target, Target::File(..)) {
            secret::refuse(path, &real, is_file)?;
        }
        refuse_marked(path, &real)?;
        inputs.refuse(path, &real)?;
        if let Target::File(real, there) = &target {
            // A rename would not ask whether the file may be written.
            let writable = there.as_ref().map(|_| File::options().write(true).open(real));
            writable.transpose().with_context(|| shown.to_string())?;
            unnamed_beside(real).with_context(|| shown.to_string())?;
        }
        Ok(Output { shown: path.to_owned(), target })
    }

    /// The same for a command that prints on standard output as well: two results in one stream
    /// would be neither.
    ///
    /// # Errors
    /// As [`Output::check`]; it is standard output.
    pub(crate) fn check_apart(path: &Path, inputs: &Inputs) -> Result<Self> {
        let output = Output::check(path, inputs)?;
        match output.target {
            Target::Stdout => bail!(
                "{} is standard output, where this command prints something else; choose the name \
                 of a file",
                path.display()
            ),
            _ => Ok(output),
        }
    }

    /// Begins to write. What is there stays until [`Begun::finish`].
    pub(crate) fn begin(&self) -> Result<Begun> {
        let writing = match &self.target {
            Target::Stdout => Writing::Stdout(output::stdout()),
            Target::Stderr => Writing::Stderr,
            Target::Stream(path) => {
                let opened = File::options().append(true).open(path);
                Writing::Stream(opened.with_context(|| self.shown.display().to_string())?)
            }
            Target::File(path, permissions) => Writing::Beside {
                unnamed: unnamed_beside(path).with_context(|| self.shown.display().to_string())?,
                path: path.clone(),
                permissions: permissions.clone(),
            },
        };
        Ok(Begun { shown: self.shown.clone(), writing })
    }

    /// Writes the whole result.
    pub(crate) fn write(&self, text: &str) -> Result<()> {
        let mut begun = self.begin()?;
        begun.write(text)?;
        begun.finish()
    }

    /// Its name, as it was given.
    pub(crate) fn shown(&self) -> String {
        self.shown.display().to_string()
    }

    /// Whether a file is there that a result would replace.
    pub(crate) fn replaces(&self) -> bool {
        matches!(self.target, Target::File(_, Some(_)))
    }
}

impl Begun {
    /// Adds to the result.
    pub(crate) fn write(&mut self, text: &str) -> Result<()> {
        let bytes = text.as_bytes();
        let written = match &mut self.writing {
            Writing::Beside { unnamed, .. } => unnamed.write_all(bytes),
            Writing::Stdout(out) => out.write_all(bytes),
            Writing::Stderr => io::stderr().write_all(bytes),
            Writing::Stream(file) => file.write_all(bytes),
        };
        written.with_context(|| self.shown.display().to_string())
    }

    /// The result is complete: it is put in its place.
    pub(crate) fn finish(self) -> Result<()> {
        let finished = match self.writing {
            Writing::Beside { unnamed, path, permissions } => {
                look_again(&self.shown, &path)?;
                put_in_place(unnamed, &path, permissions)
            }
            Writing::Stdout(mut out) => out.flush(),
            Writing::Stderr => io::stderr().flush(),
            Writing::Stream(mut file) => file.flush(),
        };
        finished.with_context(|| self.shown.display().to_string())
    }
}

/// Looks once more before what is there is replaced: the work may have taken hours. Between this
/// look and the rename is a moment that no other process can be kept out of.
fn look_again(shown: &Path, path: &Path) -> Result<()> {
    let again = || {
        secret::refuse(shown, path, path.is_file())?;
        refuse_marked(shown, &open_log::real(path))
    };
    again().context("something was put there while this command ran, and nothing was written")
}

/// Looks at a place for a key or a key store, which is made unless it is there.
///
/// # Errors
/// As [`Output::check`], and where the notes of another key are; that something is there
/// already is for its maker to refuse, or to read.
pub(crate) fn check_new(path: &Path, inputs: &Inputs) -> Result<()> {
    if !matches!(target(path)?, Target::File(..)) {
        bail!(
            "{} is no name of a file: a key or a key store is kept in one; choose another name \
             (./- for a file called -)",
            path.display()
        );
    }
    let real = open_log::real(path);
    secret::refuse_beside(path, &real)?;
    if !real.exists() {
        secret::refuse_notes_of_another(path, &real)?;
    }
    refuse_marked(path, &real)?;
    inputs.refuse(path, &real)
}

/// Looks at a directory that files are written in. It may be such a one already.
///
/// # Errors
/// It is, or lies in, a directory of another kind, or one that the command reads.
pub(crate) fn check_dir(path: &Path, own: Option<Mark>, inputs: &Inputs) -> Result<()> {
    if path == Path::new(STANDARD_OUTPUT) {
        bail!("expected a directory, found -, which stands for standard output (./- is a name)");
    }
    let real = open_log::real(path);
    secret::refuse_beside(path, &real)?;
    refuse_marked(path, &real)?;
    inputs.refuse(path, &real)?;
    match Mark::of(&real).filter(|mark| Some(*mark) != own) {
        Some(mark) => bail!(
            "{} holds a {mark}: nothing else is written there; choose another directory",
            path.display()
        ),
        None => Ok(()),
    }
}

/// Writes a small file that must not be there yet, whole or not at all.
pub(crate) fn write_new(path: &Path, text: &str) -> Result<()> {
    let write = || {
        let mut file = named_beside(path, None)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path).map_err(|failed| failed.error)?;
        Ok::<_, io::Error>(())
    };
    write().with_context(|| path.display().to_string())
}

/// What a file is, if it is a secret or belongs to a log. `found` is its beginning.
pub(crate) fn kind_of_file(found: &[u8], file: &mut File) -> Option<&'static str> {
    secret::kind(found).or_else(|| content::kind(found, file).ok().flatten())
}

fn refuse_marked(path: &Path, real: &Path) -> Result<()> {
    match marks::around(real) {
        Some((dir, mark)) => bail!(
            "{} is inside the {mark} {}: nothing else is written there; choose a place elsewhere",
            path.display(),
            dir.display()
        ),
        None => Ok(()),
    }
}

fn target(path: &Path) -> Result<Target> {
    let shown = path.display();
    if path == Path::new(STANDARD_OUTPUT) {
        return Ok(Target::Stdout);
    }
    match descriptor(path) {
        Some(1) => return Ok(Target::Stdout),
        Some(2) => return Ok(Target::Stderr),
        Some(_) => return Ok(Target::Stream(path.to_owned())),
        None => {}
    }
    let found = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        found => Some(found.with_context(|| shown.to_string())?),
    };
    let real = open_log::real(path);
    match found {
        Some(found) if found.is_file() => Ok(Target::File(real, Some(found.permissions()))),
        Some(found) if found.is_dir() => {
            bail!("{shown} is a directory: expected the name of a file to write")
        }
        Some(found) if is_stream(&found) => Ok(Target::Stream(path.to_owned())),
        Some(_) => bail!("{shown} is neither a file nor a pipe: choose the name of a file"),
        None if path.as_os_str().is_empty() => {
            bail!("expected the name of a file to write, found an empty one")
        }
        None if path.as_os_str().to_string_lossy().ends_with(std::path::MAIN_SEPARATOR) => {
            bail!("{shown} names a directory: expected the name of a file to write")
        }
        None => Ok(Target::File(real, None)),
    }
}

#[cfg(unix)]
fn is_stream(found: &fs::Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    found.file_type().is_char_device() || found.file_type().is_fifo()
}

#[cfg(not(unix))]
fn is_stream(_found: &fs::Metadata) -> bool {
    true // what is neither a file nor a directory
}

/// The number of the open file of this process that a path leads to: `/dev/stdout` is 1.
/// Opened by such a name a file would be written from its beginning, not where the shell is.
fn descriptor(path: &Path) -> Option<u32> {
    let own = fs::canonicalize("/dev/fd").ok();
    let mut path = std::path::absolute(path).ok()?;
    for _ in 0..open_log::LINKS_MAX {
        let number = path.file_name()?.to_str()?.parse();
        let dir = path.parent().and_then(|dir| fs::canonicalize(dir).ok());
        if let (Ok(number), true) = (number, own.is_some() && dir == own) {
            return Some(number);
        }
        let leads_to = fs::read_link(&path).ok()?;
        path = path.parent()?.join(leads_to);
    }
    None
}

fn dir_of(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file beside this one that no other process sees, and that is gone with this process.
fn unnamed_beside(path: &Path) -> io::Result<File> {
    tempfile::tempfile_in(dir_of(path))
}

fn named_beside(path: &Path, permissions: Option<Permissions>) -> io::Result<NamedTempFile> {
    let mut builder = Builder::new();
    builder.prefix(".bulla-").suffix(".tmp");
    let new = new_file();
    if let Some(permissions) = permissions.clone().or(new) {
        // What the umask takes off, of a file that was there, is set once it has a name.
        builder.permissions(permissions);
    }
    let file = builder.tempfile_in(dir_of(path))?;
    if let Some(permissions) = permissions {
        file.as_file().set_permissions(permissions)?;
    }
    Ok(file)
}

/// What a new file may be, before the umask.
#[cfg(unix)]
fn new_file() -> Option<Permissions> {
    use std::os::unix::fs::PermissionsExt as _;
    Some(Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
fn new_file() -> Option<Permissions> {
    None
}

fn put_in_place(
    mut unnamed: File,
    path: &Path,
    permissions: Option<Permissions>,
) -> io::Result<()> {
    unnamed.rewind()?;
    let mut named = named_beside(path, permissions)?;
    io::copy(&mut unnamed, named.as_file_mut())?;
    named.as_file().sync_all()?;
    named.persist(path).map_err(|failed| failed.error)?;
    Ok(())
}

#[cfg(test)]
mod tests;
