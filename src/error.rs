//! The one error of the engine: a variant for each thing a caller does differently.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::event::{EventId, InvalidEvent};
use crate::format::FormatError;
use crate::random::RandomError;
use crate::retention::{ClockAhead, DropCertificate};
use crate::seq::{Seq, TreeSize};

/// The result of an operation on a log.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation on a log did not succeed.
///
/// Cloneable, because one failed commit answers many callers.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system refused. On a write path the log is [`Error::Poisoned`] after it.
    #[error("{op} {path}: {source}")]
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
    #[error(
        "disk full: {}; nothing was written, free some space and try again",
        space_for(.path, .needed)
    )]
    DiskFull {
        /// The file that could not grow.
        path: PathBuf,
        /// Bytes that were asked for; 0: a few, it is not known how many.
        needed: u64,
    },
    /// Bytes on disk are not what was written: suspect the disk. Nothing was changed.
    #[error(
        "{path} is damaged at offset {offset}: expected {expected}, found {found}; nothing was \
         changed, restore the file from a backup or see docs/durability.md"
    )]
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
    #[error("tampered: {what}: expected {expected}, found {found}")]
    Tampered {
        /// What was contradicted.
        what: String,
        /// What was committed to.
        expected: String,
        /// What is there.
        found: String,
    },
    /// Written by a newer version: upgrade this crate.
    #[error("{path}: {what} {found}, newest known here is {newest}: upgrade bulla")]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The structure and the number that tells its versions apart, e.g.
        /// `segment header version`, `record schema`, `catalog record kind`.
        what: &'static str,
        /// The number found.
        found: u16,
        /// The newest one of this structure that is known here.
        newest: u16,
    },
    /// Another process is writing to this log.
    #[error("{path} is being written by {}", writer(.pid))]
    Locked {
        /// The log.
        path: PathBuf,
        /// That process, if its lock file could be read.
        pid: Option<u32>,
    },
    /// An earlier write or sync failed, so what is on disk is unknown: reopen the log,
    /// which reads it again. Acknowledged records are not affected.
    #[error("the log stopped writing after a failure, reopen it: {cause}")]
    Poisoned {
        /// The first failure.
        cause: String,
    },
    /// There is a log at this path already.
    #[error("there is a log at {path} already")]
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// There is no log at this path.
    #[error("there is no log at {path}: {missing}")]
    NotALog {
        /// The path.
        path: PathBuf,
        /// What is missing.
        missing: String,
    },
    /// The log that was opened is no longer at its path: its directory was moved away or deleted,
    /// or another log is there. Open it where it is now.
    #[error(
        "the log that was opened is no longer at {path}: {found}; its directory was moved, deleted \
         or replaced: open the log where it is now"
    )]
    Replaced {
        /// The path.
        path: PathBuf,
        /// Which log was expected there, and what was found.
        found: String,
    },
    /// The caller's event breaks a limit.
    #[error("invalid event: {0}")]
    Invalid(#[from] InvalidEvent),
    /// The log has another event with this id: what [`Log::append_once`](crate::Log::append_once)
    /// was given differs from it. Nothing was appended.
    #[error(
        "event {id} is in the log with other content, as record {seq}: expected the same content \
         for the same id; give another event an id of its own, or append it with `append`"
    )]
    Conflict {
        /// The id of both.
        id: EventId,
        /// The record that has it.
        seq: Seq,
    },
    /// The batch is too large for one frame, or empty.
    #[error("invalid batch: {reason}")]
    InvalidBatch {
        /// What is wrong with it.
        reason: String,
    },
    /// An option or argument out of its range.
    #[error("{name}: {reason}")]
    InvalidOption {
        /// Which one.
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The queue of unwritten tickets is full: wait for one, then try again.
    #[error("too many unwritten tickets: wait for one and try again")]
    Busy,
    /// The log was closed.
    #[error("the log is closed")]
    Closed,
    /// All logs of a vault that may be open at a time are in use, and none was let go: let go
    /// of some, or allow more.
    #[error(
        "all {max} logs that may be open at a time are in use: let go of some, or allow more \
         (max_open_logs)"
    )]
    TooManyOpenLogs {
        /// How many may be open.
        max: usize,
    },
    /// A [`CancelToken`](crate::log::CancelToken) ended the search.
    #[error("the search was cancelled")]
    Cancelled,
    /// No record has this Seq yet.
    #[error("no record {seq} yet: the log holds {}, from 0", .size.in_words())]
    NotWritten {
        /// The Seq asked for.
        seq: Seq,
        /// Records there are.
        size: TreeSize,
    },
    /// The record was dropped by the log's policy: gone, not missing. The certificate says
    /// what went, when and why; the next record that may be there is the one at its end.
    #[error(
        "record {seq} has expired: {certificate}; the next record that may be there is {}",
        .certificate.end.size
    )]
    Expired {
        /// The Seq asked for.
        seq: Seq,
        /// What the log says of the segment it was in.
        certificate: Arc<DropCertificate>,
    },
    /// A legal hold pins it.
    #[error("{what}: held by {}: release the hold first, if that is allowed", .cases.join(", "))]
    Held {
        /// What was to go.
        what: String,
        /// The cases of the holds.
        cases: Vec<String>,
    },
    /// The clock is not believed, so nothing expires by it.
    #[error("{0}")]
    ClockAhead(#[source] ClockAhead),
    /// A policy, a hold or an expiry that is not to be.
    #[error("{reason}")]
    Retention {
        /// What is in the way, and what to do.
        reason: String,
    },
    /// More than a proof or file holds: ask for less.
    #[error("expected at most {limit} {what}, found {found}: {advice}")]
    TooLarge {
        /// What was counted, e.g. `bytes of an answer`.
        what: &'static str,
        /// Most of it.
        limit: u64,
        /// How much there is, or at least so much.
        found: u64,
        /// What to do.
        advice: &'static str,
    },
    /// Hashes of the tree over dropped records were lost with its files, and nothing else has
    /// them: restore the segments that were archived, or the files from a backup.
    #[error("{reason}")]
    HashesLost {
        /// Which hash, what was dropped and when, and what helps.
        reason: String,
    },
    /// A proof that cannot be made of what there is, or a checkpoint that does not hold.
    #[error("not proved: {reason}")]
    Proof {
        /// What was expected and found.
        reason: String,
    },
    /// A key that cannot sign for this log, or a change of keys that does not hold.
    #[error("key: {reason}")]
    Key {
        /// What was expected and found.
        reason: String,
    },
    /// The log will not sign this head: it is not consistent with the last signed one.
    #[error("refused to sign: {reason}")]
    WouldFork {
        /// What was signed, what is there, and the way forward.
        reason: String,
    },
    /// A key store that cannot be used, or that lacks what was asked of it.
    #[error("key store {path}: {reason}")]
    KeyStore {
        /// The store's file.
        path: PathBuf,
        /// What was expected, what was found, and the way forward.
        reason: String,
    },
    /// The log's events are encrypted, or recorded under aliases, and it was opened to append with
    /// less: what is appended would be stored in plain text. Nothing was changed.
    #[error("{path}: {}", less_protected(.expected, .found, *.is_other_store))]
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
    #[error(
        "the payload of record {seq} is encrypted and its key is not at hand: open the log with \
         its key store, or withhold the payload"
    )]
    PayloadSealed {
        /// The record.
        seq: Seq,
    },
    /// The catalog is damaged in both copies: appending and reading go on, signing and
    /// deleting do not. Of a record that is in no segment it is unknown whether it was dropped.
    #[error(
        "the catalog is damaged in both copies, so this is refused until it is restored: {reason}"
    )]
    CatalogDamaged {
        /// The damage.
        reason: String,
    },
}

impl From<RandomError> for Error {
    fn from(error: RandomError) -> Self {
        Error::Io {
            op: "draw random bytes from",
            path: "the operating system".into(),
            source: Arc::new(io::Error::other(error)),
        }
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
            FormatError::Newer { what, found, newest } => {
                Error::Unsupported { path: path.to_owned(), what, found, newest }
            }
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

    /// That a record is gone, with the certificate of the drop that took it.
    #[cfg(feature = "engine")]
    pub(crate) fn expired(seq: Seq, certificate: DropCertificate) -> Error {
        Error::Expired { seq, certificate: Arc::new(certificate) }
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

fn space_for(path: &Path, needed: &u64) -> String {
    match needed {
        0 => format!("there is no space for {}", path.display()),
        needed => format!("{} needs {needed} more bytes", path.display()),
    }
}

fn writer(pid: &Option<u32>) -> String {
    match pid {
        Some(pid) => format!("process {pid}"),
        None => "another process".to_owned(),
    }
}

fn less_protected(expected: &str, found: &str, is_other_store: bool) -> String {
    if is_other_store {
        format!(
            "expected {expected}; found {found}, which has none of the log's keys. Open it with \
             what is expected; if the other one is to take its place, say so (change_protection), \
             which is put on record: what is encrypted by now is read and erased only with the one \
             it was encrypted with"
        )
    } else {
        format!(
            "what is appended would be less protected than the log's events are: expected \
             {expected}; found {found}. Open it with what is expected, or without events \
             (without_events); if less is meant, say so (allow_plaintext for this opening, \
             change_protection for good), which is put on record"
        )
    }
}
