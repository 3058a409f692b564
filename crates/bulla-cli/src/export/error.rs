//! Why an export was not made.

use std::io;
use std::path::{Path, PathBuf};

use bulla::{Error, HashAlgorithm};

/// Why an export was not made. What was exported before is untouched and valid.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The log could not be read, or contradicts itself.
    #[error("{0}")]
    Log(#[from] Error),
    /// The file system refused.
    #[error("{op} {path}: {source}{}", way_forward(.source))]
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
    #[error(
        "{what}: expected {expected}, found {found}; nothing was published: a fork, a tampering or \
         a damaged disk. Keep both directories as they are, and run `bulla verify`; if it is the \
         export that was altered, `bulla export-tiles --repair` replaces what was"
    )]
    Conflict {
        /// What does not fit: a file of the export, or of the log.
        what: String,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The directory is not one to export this log to.
    #[error("{path}: {reason}")]
    Place {
        /// The directory.
        path: PathBuf,
        /// Why not, and what to do.
        reason: String,
    },
    /// Another export to the directory is running.
    #[error("{path}: another export to this directory is running; wait for its end")]
    Busy {
        /// The directory.
        path: PathBuf,
    },
    /// No checkpoint was published: there is nothing that others could verify.
    #[error(
        "no checkpoint was published yet, and only what is signed is exported; run `bulla \
         checkpoint DIR --key FILE` first"
    )]
    NoCheckpoint,
    /// A log whose tree the readers of tiles cannot check.
    #[error(
        "{path}: expected a SHA-256 log, found a {found} log: tools that read tiles (C2SP) know no \
         other hash. Create a log that is to be exported with `bulla init --hash sha256`; of this \
         one `bulla verify` checks all records, and `bulla prove` shows some to others"
    )]
    NotSha256 {
        /// The log.
        path: PathBuf,
        /// Its hash.
        found: HashAlgorithm,
    },
    /// Entries of records that have expired, and that were not exported while they were there.
    #[error(
        "{bundle} cannot be made: {error}. No earlier bundle of it in this directory has that \
         entry, and of a record that went only the hashes are left; export to the directory of an \
         export that was made before. Nothing was published"
    )]
    Gone {
        /// The entry bundle that has them.
        bundle: String,
        /// The first of them.
        #[source]
        error: Error,
    },
    /// Broken off by whoever watched.
    #[error("stopped: what is served is unchanged; export again to continue")]
    Stopped,
}

impl ExportError {
    pub(super) fn io(op: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ExportError {
        move |source| ExportError::Io { op, path: path.to_owned(), source }
    }
}

fn way_forward(source: &io::Error) -> &'static str {
    if source.kind() == io::ErrorKind::StorageFull {
        "; what is served is unchanged, free some space and export again"
    } else {
        ""
    }
}
