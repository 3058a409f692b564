//! The earlier checkpoints of an exported log, compared with the tree that its entries lead to.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bulla::checkpoint::{CheckpointError, NOTE_LEN_MAX, VerifyNoteError};
use bulla::trust::TrustError;
use bulla::{Hash, TreeHead, Trust, UnverifiedCheckpoint};

use crate::open_log;

/// Those in `checkpoints/` that the entries below the head can be compared with.
pub(super) struct Checkpoints {
    /// Descending by size.
    waiting: Vec<(TreeHead, PathBuf)>,
    first_wrong: Option<String>,
    wrong: u64,
}

impl Checkpoints {
    /// Reads all that are there, and checks what does not need the entries.
    pub(super) fn read(dir: &Path, origin: &str, trust: &Trust, newest: TreeHead) -> Result<Self> {
        let mut checkpoints = Checkpoints { waiting: Vec::new(), first_wrong: None, wrong: 0 };
        let mut sizes = sizes(&dir.join("checkpoints"))?;
        // One that is not covered yet was published while this one is read, or not to its end.
        sizes.retain(|size| *size <= newest.size.get());
        for size in sizes.into_iter().rev() {
            let path = dir.join("checkpoints").join(size.to_string());
            match read(&path, (origin, size), trust) {
                Ok(head) => checkpoints.waiting.push((head, path)),
                Err(reason) => checkpoints.note(&path, &reason),
            }
        }
        Ok(checkpoints)
    }

    /// Takes in a record: the size that it makes, and the root of the tree then.
    pub(super) fn record(&mut self, size: u64, root: impl FnOnce() -> Hash) {
        let Some((head, path)) = self.waiting.pop_if(|(head, _)| head.size.get() == size) else {
            return;
        };
        let root = root();
        if root != head.root {
            let reason = format!(
                "expected root {root}, as the first {size} entries lead to it, found {}",
                head.root
            );
            self.note(&path, &reason);
        }
    }

    fn note(&mut self, path: &Path, reason: &str) {
        self.wrong += 1;
        self.first_wrong.get_or_insert_with(|| format!("{}: {reason}", path.display()));
    }

    /// What is wrong, if anything is.
    pub(super) fn finish(self) -> Option<String> {
        let more = match self.wrong {
            0 | 1 => String::new(),
            wrong => format!(" (and {} more)", wrong - 1),
        };
        self.first_wrong.map(|first| format!("{first}{more}"))
    }
}

/// The sizes that files are named by, ascending.
fn sizes(dir: &Path) -> Result<Vec<u64>> {
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let mut sizes = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let name = entry.with_context(|| dir.display().to_string())?.file_name();
        let size = name.to_str().and_then(|name| name.parse::<u64>().ok());
        sizes.extend(size.filter(|size| size.to_string() == name.to_string_lossy()));
    }
    sizes.sort_unstable();
    Ok(sizes)
}

/// The head that a file states. A signature by a trusted key must be right; whether there is one
/// is not asked: earlier heads may be by earlier keys.
fn read(path: &Path, (origin, size): (&str, u64), trust: &Trust) -> Result<TreeHead, String> {
    let bytes =
        open_log::read_small(path, NOTE_LEN_MAX as u64).map_err(|error| error.to_string())?;
    let parsed = UnverifiedCheckpoint::parse(&bytes).map_err(|error| error.to_string())?;
    let said = parsed.dangerously_unverified();
    if (said.origin(), said.head().size.get()) != (origin, size) {
        let (found, of) = (said.head().size, said.origin());
        return Err(format!("expected size {size} of {origin}, found size {found} of {of}"));
    }
    match trust.verify(&parsed) {
        Err(
            error @ (TrustError::OutsideEpoch(_)
            | TrustError::Checkpoint(CheckpointError::Signature(
                VerifyNoteError::BadSignature { .. },
            ))),
        ) => Err(error.to_string()),
        _ => Ok(said.head()),
    }
}
