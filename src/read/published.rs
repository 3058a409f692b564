//! [`Checkpoints`]: what was published, and the cosignatures on it.
//!
//! Witnesses answer after a checkpoint was published, and some process other than the
//! log's writer may be the one that asked them: a service holds the log's lock for years.
//! So whoever replaces a file in `checkpoints/` takes the catalog's short lock (as whoever
//! writes to the catalog from another process does), reads what is there, adds to it, and
//! puts the whole in its place: no signature that was published is lost, whoever writes at
//! the same time and wherever a crash strikes.

use std::path::{Path, PathBuf};

use crate::checkpoint::{
    Checkpoint, CheckpointError, NOTE_LEN_MAX, NOTE_SIGNATURES_MAX, NoteError, NoteSignature,
    UnverifiedCheckpoint,
};
use crate::directory::checkpoints;
use crate::error::{Error, Result};
use crate::hash::HashAlgorithm;
use crate::read::shared::Shared;
use crate::seq::TreeSize;

/// The published checkpoints of a log, with their cosignatures: what stands in `checkpoints/`.
///
/// [`Log::checkpoint`](crate::Log::checkpoint) signs and publishes one.
#[derive(Clone, Copy, Debug)]
pub struct Checkpoints<'a> {
    shared: &'a Shared,
}

impl<'a> Checkpoints<'a> {
    pub(crate) fn new(shared: &'a Shared) -> Self {
        Checkpoints { shared }
    }

    /// The newest one; `None` if none was published.
    ///
    /// # Errors
    /// I/O; a file that is not a checkpoint.
    pub fn latest(&self) -> Result<Option<UnverifiedCheckpoint>> {
        checkpoints::latest(&self.shared.dir)
    }

    /// The sizes of all of them, smallest first.
    ///
    /// # Errors
    /// I/O.
    pub fn sizes(&self) -> Result<Vec<TreeSize>> {
        let files = checkpoints::list(&self.shared.dir)?;
        Ok(files.into_iter().map(|(size, _)| TreeSize::new(size)).collect())
    }

    /// The one of this size; `None` if none was published.
    ///
    /// # Errors
    /// I/O; a file that is not a checkpoint.
    pub fn of_size(&self, size: TreeSize) -> Result<Option<UnverifiedCheckpoint>> {
        let Shared { dir, algorithm, .. } = self.shared;
        let (disk, path) = (dir.disk(), dir.checkpoint(*algorithm, size));
        if disk.exists(&path).map_err(Error::io("look for", &path))? {
            checkpoints::read(disk, &path).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Adds signature lines, such as witnesses answer, to a published checkpoint of this
    /// SHA-256 log, and gives what is published then. Lines that it has already stay once.
    /// **The lines are not checked here**: check them before.
    ///
    /// This works while another process writes to the log, and is all that a reader ever writes to
    /// the log's directory.
    ///
    /// # Errors
    /// A BLAKE3 log, whose heads witnesses do not cosign; no checkpoint with this very text is
    /// published; too many signatures; I/O. What was published stands then.
    pub fn add_cosignatures(
        &self,
        checkpoint: &UnverifiedCheckpoint,
        lines: &[NoteSignature],
    ) -> Result<UnverifiedCheckpoint> {
        let disk = self.shared.dir.disk();
        let path = self.path_of(checkpoint.dangerously_unverified())?;
        let _lock = checkpoints::CheckpointsLock::take(&self.shared.dir)
            .map_err(Error::io("lock", &path))?;
        if !disk.exists(&path).map_err(Error::io("look for", &path))? {
            let reason = format!("expected a published checkpoint in {}", path.display());
            return Err(Error::Proof { reason });
        }
        let published = checkpoints::read(disk, &path)?;
        let text = |of: &UnverifiedCheckpoint| of.note().dangerously_unverified_text().to_owned();
        if text(&published) != text(checkpoint) {
            let reason = format!(
                "expected cosignatures of the text in {}, found some of {:?}",
                path.display(),
                text(checkpoint)
            );
            return Err(Error::Proof { reason });
        }
        let merged = published.with_signatures(lines).map_err(|error| refused(&path, error))?;
        // Also if it has all of them: who wrote them may have met an error, or died, before
        // they were durable, and nobody knows that but the disk.
        let text = merged.to_text();
        checkpoints::replace(disk, &path, &text).map_err(Error::growing(
            "publish",
            &path,
            text.len() as u64,
        ))?;
        Ok(merged)
    }

    fn path_of(&self, checkpoint: &Checkpoint) -> Result<PathBuf> {
        if self.shared.algorithm != HashAlgorithm::Sha256 {
            let found = self.shared.algorithm;
            let error = CheckpointError::NotForWitnesses { found };
            return Err(Error::Proof {
                reason: format!("{}: {error}", self.shared.dir.path().display()),
            });
        }
        let (origin, found) = (&self.shared.origin, checkpoint.origin());
        if found != origin {
            let reason = format!("expected a checkpoint of {origin}, found one of {found:?}");
            return Err(Error::Proof { reason });
        }
        Ok(self.shared.dir.checkpoint(self.shared.algorithm, checkpoint.head().size))
    }
}

/// Why a checkpoint with more signatures is not published.
fn refused(path: &Path, error: CheckpointError) -> Error {
    let too_large = |what, limit: usize, found: usize| Error::TooLarge {
        what,
        limit: limit as u64,
        found: found as u64,
        advice: "add fewer cosignatures",
    };
    match error {
        CheckpointError::Note(NoteError::TooManySignatures { found }) => {
            too_large("signatures of a checkpoint", NOTE_SIGNATURES_MAX, found)
        }
        CheckpointError::Note(NoteError::TooLong { found }) => {
            too_large("bytes of a checkpoint", NOTE_LEN_MAX, found)
        }
        error => Error::Proof { reason: format!("{}: {error}", path.display()) },
    }
}
