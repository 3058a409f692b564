//! The one error of the engine: a variant for each thing a caller does differently.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::event::InvalidEvent;
use crate::format::FormatError;
use crate::retention::{ClockAhead, DropCertificate};
use crate::seq::{Seq, TreeSize};

/// The result of an operation on a log.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation on a log did not succeed.
///
/// Cloneable, because one failed commit answers many callers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The file system refused. On a write path the log is [`Error::Poisoned`] after it.
    Io {
        /// What was tried, e.g. `sync`.
        op: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// No space left on the disk, in the quota, or below the limit on a file's size. Nothing was
    /// written and no Seq was used: free some space and call again, the log is still good.
    DiskFull {
        /// The file that could not grow.
        path: PathBuf,
        /// Bytes that were asked for; 0: a few, it is not known how many.
        needed: u64,
    },
    /// Bytes on disk are not what was written: suspect the disk. Nothing was changed.
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The log contradicts something it signed or committed to: call security.
    Tampered {
        /// What was contradicted.
        what: String,
        /// What was committed to.
        expected: String,
        /// What is there.
        found: String,
    },
    /// Written by a newer version: upgrade this crate.
    Unsupported {
        /// The file.
        path: PathBuf,
        /// Its format version.
        found: u16,
        /// The newest version known here.
        newest: u16,
    },
    /// Another process is writing to this log.
    Locked {
        /// The log.
        path: PathBuf,
        /// That process, if its lock file could be read.
        pid: Option<u32>,
    },
    /// An earlier write or sync failed, so what is on disk is unknown: reopen the log,
    /// which reads it again. Acknowledged records are not affected.
    Poisoned {
        /// The first failure.
        cause: String,
    },
    /// There is a log at this path already.
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// There is no log at this path.
    NotALog {
        /// The path.
        path: PathBuf,
        /// What is missing.
        missing: String,
    },
    /// The log that was opened is no longer at its path: its directory was moved away or deleted,
    /// or another log is there. Open it where it is now.
    Replaced {
        /// The path.
        path: PathBuf,
        /// Which log was expected there, and what was found.
        found: String,
    },
    /// The caller's event breaks a limit.
    Invalid(InvalidEvent),
    /// The batch is too large for one frame, or empty.
    InvalidBatch {
        /// What is wrong with it.
        reason: String,
    },
    /// An option or argument out of its range.
    InvalidOption {
        /// Which one.
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The queue of unwritten tickets is full: wait for one, then try again.
    Busy,
    /// The log was closed.
    Closed,
    /// All logs of a vault that may be open at a time are in use, and none was let go: let go
    /// of some, or allow more.
    TooManyOpenLogs {
        /// How many may be open.
        max: usize,
    },
    /// A [`CancelToken`](crate::log::CancelToken) ended the search.
    Cancelled,
    /// No record has this Seq yet.
    NotWritten {
        /// The Seq asked for.
        seq: Seq,
        /// Records there are.
        size: TreeSize,
    },
    /// The record was dropped by the log's policy: gone, not missing. The certificate says
    /// what went, when and why; the next record that may be there is the one at its end.
    Expired {
        /// The Seq asked for.
        seq: Seq,
        /// What the log says of the segment it was in.
        certificate: Arc<DropCertificate>,
    },
    /// A legal hold pins it.
    Held {
        /// What was to go.
        what: String,
        /// The cases of the holds.
        cases: Vec<String>,
    },
    /// The clock is not believed, so nothing expires by it.
    ClockAhead(ClockAhead),
    /// A policy, a hold or an expiry that is not to be.
    Retention {
        /// What is in the way, and what to do.
        reason: String,
    },
    /// A proof, checkpoint or key that does not hold.
    Proof {
        /// What was expected and found.
        reason: String,
    },
    /// A key that cannot sign for this log, or a change of keys that does not hold.
    Key {
        /// What was expected and found.
        reason: String,
    },
    /// The log will not sign this head: it is not consistent with the last signed one.
    WouldFork {
        /// What was signed, what is there, and the way forward.
        reason: String,
    },
    /// A key store that cannot be used, or that lacks what was asked of it.
    KeyStore {
        /// The store's file.
        path: PathBuf,
        /// What was expected, what was found, and the way forward.
        reason: String,
    },
    /// The log's events are encrypted, or recorded under aliases, and it was opened to append with
    /// less: what is appended would be stored in plain text. Nothing was changed.
    Unprotected {
        /// The log.
        path: PathBuf,
        /// What is on record.
        expected: String,
        /// What the options have.
        found: String,
        /// Whether it is a key store that is not the log's: it has none of the keys, so this is not
        /// taken for one opening (`allow_plaintext`), only for good (`change_protection`).
        is_other_store: bool,
    },
    /// The payload of a record is encrypted, and its key is not at hand.
    PayloadSealed {
        /// The record.
        seq: Seq,
    },
    /// The catalog is damaged in both copies: appending and reading go on, signing and
    /// deleting do not. Of a record that is in no segment it is unknown whether it was dropped.
    CatalogDamaged {
        /// The damage.
        reason: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io { op, path, source } => write!(f, "{op} {}: {source}", path.display()),
            Error::DiskFull { path, needed: 0 } => write!(
                f,
                "disk full: there is no space for {}; nothing was written, free some space and \
                 try again",
                path.display()
            ),
            Error::DiskFull { path, needed } => write!(
                f,
                "disk full: {} needs {needed} more bytes; nothing was written, free some space \
                 and try again",
                path.display()
            ),
            Error::Corrupt { path, offset, expected, found } => write!(
                f,
                "{} is damaged at offset {offset}: expected {expected}, found {found}; nothing \
                 was changed, restore the file from a backup or see docs/durability.md",
                path.display()
            ),
            Error::Tampered { what, expected, found } => {
                write!(f, "tampered: {what}: expected {expected}, found {found}")
            }
            Error::Unsupported { path, found, newest } => write!(
                f,
                "{} has format version {found}, newest known here is {newest}: upgrade bulla",
                path.display()
            ),
            Error::Locked { path, pid: Some(pid) } => {
                write!(f, "{} is being written by process {pid}", path.display())
            }
            Error::Locked { path, pid: None } => {
                write!(f, "{} is being written by another process", path.display())
            }
            Error::Poisoned { cause } => {
                write!(f, "the log stopped writing after a failure, reopen it: {cause}")
            }
            Error::Exists { path } => write!(f, "there is a log at {} already", path.display()),
            Error::NotALog { path, missing } => {
                write!(f, "there is no log at {}: {missing}", path.display())
            }
            Error::Replaced { path, found } => write!(
                f,
                "the log that was opened is no longer at {}: {found}; its directory was moved, \
                 deleted or replaced: open the log where it is now",
                path.display()
            ),
            Error::Invalid(invalid) => write!(f, "invalid event: {invalid}"),
            Error::InvalidBatch { reason } => write!(f, "invalid batch: {reason}"),
            Error::InvalidOption { name, reason } => write!(f, "{name}: {reason}"),
            Error::Busy => write!(f, "too many unwritten tickets: wait for one and try again"),
            Error::Closed => write!(f, "the log is closed"),
            Error::TooManyOpenLogs { max } => write!(
                f,
                "all {max} logs that may be open at a time are in use: let go of some, or allow \
                 more (max_open_logs)"
            ),
            Error::Cancelled => write!(f, "the search was cancelled"),
            Error::NotWritten { seq, size } => {
                let size = size.in_words();
                write!(f, "no record {seq} yet: the log holds {size}, from 0")
            }
            Error::Expired { seq, certificate } => {
                let end = certificate.end.size;
                write!(f, "record {seq} has expired: {certificate}; records go on from {end}")
            }
            Error::Held { what, cases } => write!(
                f,
                "{what}: held by {}: release the hold first, if it may be",
                cases.join(", ")
            ),
            Error::ClockAhead(ahead) => write!(f, "{ahead}"),
            Error::Retention { reason } => write!(f, "{reason}"),
            Error::Proof { reason } => write!(f, "not proved: {reason}"),
            Error::Key { reason } => write!(f, "key: {reason}"),
            Error::WouldFork { reason } => write!(f, "refused to sign: {reason}"),
            Error::KeyStore { path, reason } => {
                write!(f, "key store {}: {reason}", path.display())
            }
            Error::Unprotected { path, expected, found, is_other_store: true } => write!(
                f,
                "{}: expected {expected}; found {found}, which has none of the log's keys. Open it \
                 with what is expected; if the other one is to take its place, say so \
                 (change_protection), which is put on record: what is encrypted by now is read and \
                 erased only with the one it was encrypted with",
                path.display()
            ),
            Error::Unprotected { path, expected, found, is_other_store: false } => write!(
                f,
                "{}: what is appended would be less protected than the log's events are: expected \
                 {expected}; found {found}. Open it with what is expected, or without events \
                 (without_events); if less is meant, say so (allow_plaintext for this opening, \
                 change_protection for good), which is put on record",
                path.display()
            ),
            Error::PayloadSealed { seq } => write!(
                f,
                "the payload of record {seq} is encrypted and its key is not at hand: open the \
                 log with its key store, or withhold the payload"
            ),
            Error::CatalogDamaged { reason } => write!(
                f,
                "the catalog is damaged in both copies, so this is refused until it is \
                 restored: {reason}"
            ),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { source, .. } => Some(source),
            Error::Invalid(invalid) => Some(invalid),
            Error::ClockAhead(ahead) => Some(ahead),
            _ => None,
        }
    }
}

impl From<InvalidEvent> for Error {
    fn from(invalid: InvalidEvent) -> Self {
        Error::Invalid(invalid)
    }
}

impl Error {
    /// Names the operation and the file of an I/O error. One for want of space is `DiskFull`: what
    /// fails so is undone, or done from its beginning when it is tried again.
    pub(crate) fn io(op: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        Error::growing(op, path, 0)
    }

    /// The same, of something that takes so many bytes.
    pub(crate) fn growing(
        op: &'static str,
        path: &Path,
        needed: u64,
    ) -> impl FnOnce(io::Error) -> Error {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Error::DiskFull { path: path.to_owned(), needed },
            _ => Error::Io { op, path: path.to_owned(), source: Arc::new(source) },
        }
    }

    /// Names the file or directory whose sync failed. It is never `DiskFull`, whatever the system
    /// gives as the reason: what it was to store may be lost, and a later sync proves nothing.
    pub(crate) fn sync(path: &Path) -> impl FnOnce(io::Error) -> Error {
        Error::unknown_state("sync", path)
    }

    /// Names the operation and the file of an error after which it is unknown what is on disk,
    /// whatever the system gives as the reason.
    pub(crate) fn unknown_state(op: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::Io { op, path: path.to_owned(), source: Arc::new(source) }
    }

    /// Places a format error in a file.
    pub(crate) fn format(path: &Path, offset: u64) -> impl FnOnce(FormatError) -> Error {
        move |error| match error {
            FormatError::Newer { found, .. } => Error::Unsupported {
                path: path.to_owned(),
                found,
                newest: crate::format::header::SEGMENT_VERSION,
            },
            FormatError::Mismatch { what, expected, found } => Error::Corrupt {
                path: path.to_owned(),
                offset,
                expected: format!("{what} {expected}"),
                found,
            },
        }
    }

    pub(crate) fn corrupt(
        path: &Path,
        offset: u64,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Error {
        let (expected, found) = (expected.into(), found.into());
        Error::Corrupt { path: path.to_owned(), offset, expected, found }
    }

    pub(crate) fn tampered(
        what: impl Into<String>,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Error {
        let (expected, found) = (expected.to_string(), found.to_string());
        Error::Tampered { what: what.into(), expected, found }
    }
}
