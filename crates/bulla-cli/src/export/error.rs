//! Why an export was not made.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use bulla::{Error, HashAlgorithm};

/// Why an export was not made. What was exported before is untouched and valid.
#[derive(Debug)]
#[non_exhaustive]
pub enum ExportError {
    /// The log could not be read, or contradicts itself.
    Log(Error),
    /// The file system refused.
    Io {
        /// What was tried, e.g. `write`.
        op: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something says otherwise than the log: somebody altered one of the two, or the log
    /// forked, or a disk rots.
    Conflict {
        /// What does not fit: a file of the export, or of the log.
        what: String,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The directory is not one to export this log to.
    Place {
        /// The directory.
        path: PathBuf,
        /// Why not, and what to do.
        reason: String,
    },
    /// Another export to the directory is running.
    Busy {
        /// The directory.
        path: PathBuf,
    },
    /// No checkpoint was published: there is nothing that others could verify.
    NoCheckpoint,
    /// A log whose tree the readers of tiles cannot check.
    NotSha256 {
        /// The log.
        path: PathBuf,
        /// Its hash.
        found: HashAlgorithm,
    },
    /// Entries of records that have expired, and that were not exported while they were there.
    Gone {
        /// The entry bundle that has them.
        bundle: String,
        /// The first of them.
        error: Error,
    },
    /// Broken off by whoever watched.
    Stopped,
}

impl ExportError {
    pub(super) fn io(op: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ExportError {
        move |source| ExportError::Io { op, path: path.to_owned(), source }
    }
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExportError::Log(error) => error.fmt(f),
            ExportError::Io { op, path, source } => {
                write!(f, "{op} {}: {source}", path.display())?;
                if source.kind() == io::ErrorKind::StorageFull {
                    f.write_str("; what is served is unchanged, free some space and export again")?;
                }
                Ok(())
            }
            ExportError::Conflict { what, expected, found } => write!(
                f,
                "{what}: expected {expected}, found {found}; nothing was published: a fork, a \
                 tampering or a damaged disk. Keep both directories as they are, and run \
                 `bulla verify`; if it is the export that was altered, `bulla export-tiles \
                 --repair` replaces what was"
            ),
            ExportError::Place { path, reason } => write!(f, "{}: {reason}", path.display()),
            ExportError::Busy { path } => write!(
                f,
                "{}: another export to this directory is running; wait for its end",
                path.display()
            ),
            ExportError::NoCheckpoint => f.write_str(
                "no checkpoint was published yet, and only what is signed is exported; run \
                 `bulla checkpoint DIR --key FILE` first",
            ),
            ExportError::NotSha256 { path, found } => write!(
                f,
                "{}: expected a SHA-256 log, found a {found} log: tools that read tiles (C2SP) \
                 know no other hash. Create a log that is to be exported with `bulla init --hash \
                 sha256`; of this one `bulla verify` checks all records, and `bulla prove` shows \
                 some to others",
                path.display()
            ),
            ExportError::Gone { bundle, error } => write!(
                f,
                "{bundle} cannot be made: {error}. No earlier bundle of it in this directory has \
                 that entry, and of a record that went only the hashes are left; export to the \
                 directory of an export that was made before. Nothing was published"
            ),
            ExportError::Stopped => {
                f.write_str("broken off; what is served is unchanged, export again to go on")
            }
        }
    }
}

impl std::error::Error for ExportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ExportError::Log(error) | ExportError::Gone { error, .. } => Some(error),
            ExportError::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl From<Error> for ExportError {
    fn from(error: Error) -> Self {
        ExportError::Log(error)
    }
}
