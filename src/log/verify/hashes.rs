//! The hash files, compared with hashes that are computed anew.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, DiskFile, Open};
use crate::error::{Error, Result};
use crate::format::LogId;
use crate::format::mark::LEVEL_HEADER_LEN;
use crate::hash::{Hash, HashAlgorithm};
use crate::log::core::tree_dir;
use crate::merkle::NodeId;
use crate::seq::{Seq, TreeSize};
use crate::tree::mark::MarkFile;
use crate::tree::{STORED_EVERY, level_path};

/// Hashes read at a time.
const WINDOW: usize = 2048;

/// The stored hashes below the newest mark: above it they may not be written yet.
pub(super) struct StoredHashes {
    dir: PathBuf,
    size: TreeSize,
    levels: Vec<StoredLevel>,
}

struct StoredLevel {
    file: Option<Arc<dyn DiskFile>>,
    window: Vec<u8>,
    /// Index of the first hash in the window.
    at: u64,
}

impl StoredHashes {
    pub(super) fn open(
        disk: &dyn Disk,
        dir: &Path,
        log_id: LogId,
        algorithm: HashAlgorithm,
    ) -> Result<Self> {
        let dir = tree_dir(dir);
        let mark = MarkFile::read(disk, &dir, log_id);
        let mark = mark.filter(|mark| mark.frontier.algorithm() == algorithm);
        let size = mark.map_or(TreeSize::ZERO, |mark| mark.frontier.size());
        let mut levels = Vec::new();
        for level in (0..64).step_by(usize::from(STORED_EVERY)) {
            let path = level_path(&dir, level);
            let exists = disk.exists(&path).map_err(Error::io("look for", &path))?;
            let file = if exists {
                Some(disk.open(&path, Open::Read).map_err(Error::io("open", &path))?)
            } else {
                None
            };
            levels.push(StoredLevel { file, window: Vec::new(), at: 0 });
        }
        Ok(StoredHashes { dir, size, levels })
    }

    /// Records below the newest mark, which were durable when it was written.
    pub(super) fn size(&self) -> TreeSize {
        self.size
    }

    /// Where a hash is stored.
    pub(super) fn place(&self, node: NodeId) -> (PathBuf, u64) {
        let offset = LEVEL_HEADER_LEN as u64 + node.index.saturating_mul(Hash::LEN as u64);
        (level_path(&self.dir, node.level), offset)
    }

    /// The leaf of a record, as stored.
    pub(super) fn leaf(&mut self, seq: Seq) -> Option<Hash> {
        if !self.size.covers(seq) {
            return None;
        }
        self.levels.first_mut()?.get(seq.get())
    }

    /// Whether this hash should be stored.
    pub(super) fn holds(&self, node: NodeId) -> bool {
        let covered = (node.index + 1).checked_shl(node.level.into()).unwrap_or(u64::MAX);
        node.level.is_multiple_of(STORED_EVERY) && covered <= self.size.get()
    }

    /// What is stored instead of this hash, if it should be stored and is not.
    pub(super) fn differs(&mut self, node: NodeId, hash: &Hash) -> Option<String> {
        if !self.holds(node) {
            return None;
        }
        let level = self.levels.get_mut(usize::from(node.level / STORED_EVERY))?;
        match level.get(node.index) {
            Some(found) if found == *hash => None,
            Some(found) => Some(found.to_string()),
            None => Some("the end of the file".to_owned()),
        }
    }
}

impl StoredLevel {
    fn get(&mut self, index: u64) -> Option<Hash> {
        let in_window = |at: u64, window: &[u8]| {
            let start = usize::try_from(index.checked_sub(at)?).ok()?.checked_mul(Hash::LEN)?;
            Hash::from_slice(window.get(start..start.checked_add(Hash::LEN)?)?)
        };
        if let Some(hash) = in_window(self.at, &self.window) {
            return Some(hash);
        }
        let file = self.file.as_ref()?;
        self.window.resize(WINDOW * Hash::LEN, 0);
        let offset = (LEVEL_HEADER_LEN as u64).checked_add(index.checked_mul(Hash::LEN as u64)?)?;
        let read = file.read_at(&mut self.window, offset).unwrap_or(0);
        self.window.truncate(read);
        self.at = index;
        in_window(self.at, &self.window)
    }
}
