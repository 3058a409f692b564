//! The hash files, compared with hashes that are computed anew.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, DiskFile, Open, read_exact_at};
use crate::error::{Error, Result};
use crate::format::LogId;
use crate::format::mark::{LEVEL_HEADER_LEN, encode_level_header};
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::{Frontier, NodeId, root_nodes};
use crate::retention::DropCertificate;
use crate::seq::{Seq, TreeSize};
use crate::tree::{Gaps, STORED_EVERY, level_path, node_of};

/// Hashes read at a time.
const WINDOW: usize = 2048;

/// The hash files of one tree, up to a size: beyond it they may not be written yet.
#[derive(Debug)]
pub(super) struct HashFiles {
    dir: PathBuf,
    size: TreeSize,
    algorithm: HashAlgorithm,
    files: Vec<Option<Arc<dyn DiskFile>>>,
    /// What the files do not have of dropped records.
    gaps: Gaps,
}

/// A hash file that does not begin as it should.
pub(super) struct BadHeader {
    pub(super) path: PathBuf,
    pub(super) expected: String,
    pub(super) found: String,
}

impl HashFiles {
    /// The files of the tree in `dir` that should hold the first `size` records.
    pub(super) fn open(
        disk: &dyn Disk,
        dir: &Path,
        algorithm: HashAlgorithm,
        size: TreeSize,
    ) -> Result<Self> {
        let mut files = Vec::new();
        for level in levels() {
            let path = level_path(dir, level);
            let exists = disk.exists(&path).map_err(Error::io("look for", &path))?;
            let open = || disk.open(&path, Open::Read).map_err(Error::io("open", &path));
            files.push(if exists { Some(open()?) } else { None });
        }
        let gaps = Gaps::default();
        Ok(HashFiles { dir: dir.to_owned(), size, algorithm, files, gaps })
    }

    /// Takes what the files do not have from these certificates.
    pub(super) fn with_certificates(self, certificates: Vec<DropCertificate>) -> Self {
        HashFiles { gaps: Gaps::new(certificates), ..self }
    }

    /// The files that should be there and do not begin with the header of their level.
    pub(super) fn bad_headers(&self, log_id: LogId) -> Vec<BadHeader> {
        let mut bad = Vec::new();
        for (level, file) in levels().zip(&self.files) {
            let needed = self.size.get() >> level > 0;
            let path = level_path(&self.dir, level);
            let expected = || format!("the header of level {level} of log {log_id}");
            let Some(file) = file else {
                if needed {
                    let found = "no file".to_owned();
                    bad.push(BadHeader { path, expected: expected(), found });
                }
                continue;
            };
            let mut header = [0; LEVEL_HEADER_LEN];
            let read = read_exact_at(&**file, &mut header, 0);
            if header == encode_level_header(log_id, self.algorithm, level) {
                continue;
            }
            // Above the mark a crash may have left a file without its header.
            if needed {
                let found = if read.is_ok() { "other bytes" } else { "the end of the file" };
                bad.push(BadHeader { path, expected: expected(), found: found.to_owned() });
            }
        }
        bad
    }

    /// Records whose hashes must be there.
    pub(super) fn size(&self) -> TreeSize {
        self.size
    }

    /// Where a hash is stored.
    pub(super) fn place(&self, node: NodeId) -> (PathBuf, u64) {
        (level_path(&self.dir, node.level), offset(node.index))
    }

    /// Whether this hash should be stored.
    pub(super) fn holds(&self, node: NodeId) -> bool {
        let covered = (node.index + 1).checked_shl(node.level.into()).unwrap_or(u64::MAX);
        node.level.is_multiple_of(STORED_EVERY) && covered <= self.size.get()
    }

    /// Whether those of these hashes that should be stored, side by side from `first` on,
    /// are.
    pub(super) fn hold_all(&self, first: NodeId, hashes: &[Hash], scratch: &mut Vec<u8>) -> bool {
        if !first.level.is_multiple_of(STORED_EVERY) {
            return true;
        }
        let complete = self.size.get() >> first.level;
        let count = complete.saturating_sub(first.index).min(hashes.len() as u64);
        let count = usize::try_from(count).unwrap_or(hashes.len());
        if count == 0 {
            return true;
        }
        let file = self.files.get(usize::from(first.level / STORED_EVERY));
        let Some(Some(file)) = file else { return false };
        scratch.resize(count * Hash::LEN, 0);
        if read_exact_at(&**file, scratch, offset(first.index)).is_err() {
            return false;
        }
        let stored = scratch.chunks_exact(Hash::LEN);
        stored.zip(hashes).all(|(stored, hash)| stored == hash.as_bytes())
    }

    /// The tree over the first `size` records by the stored hashes alone; `None` if they
    /// do not reach so far.
    pub(super) fn frontier_at(&self, size: TreeSize) -> Option<Frontier> {
        if size > self.size {
            return None;
        }
        let peaks: Option<Vec<Hash>> =
            root_nodes(size).into_iter().map(|node| self.node(node)).collect();
        Frontier::from_parts(self.algorithm, size, &peaks?).ok()
    }

    /// A complete node, folded from the stored level below it.
    fn node(&self, node: NodeId) -> Option<Hash> {
        let stored = |first, count| Ok(self.run(first, count));
        node_of(self.algorithm, node, Some(&self.gaps), &stored).ok()?
    }

    /// Hashes of a stored level that lie side by side, those that are not known as zeros.
    pub(super) fn run(&self, first: NodeId, count: u64) -> Option<Vec<Hash>> {
        let file = self.files.get(usize::from(first.level / STORED_EVERY))?.as_ref()?;
        let len = usize::try_from(count).ok()?.checked_mul(Hash::LEN)?;
        let last = NodeId { index: first.index.checked_add(count.checked_sub(1)?)?, ..first };
        if !self.holds(last) {
            return None;
        }
        let mut bytes = vec![0; len];
        read_exact_at(&**file, &mut bytes, offset(first.index)).ok()?;
        Some(bytes.chunks_exact(Hash::LEN).filter_map(Hash::from_slice).collect())
    }

    /// The hash of the tree.
    pub(super) fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// Leaves in the file of level 0, whether they must be there or not.
    pub(super) fn stored_leaves(&self) -> Result<u64> {
        let Some(Some(file)) = self.files.first() else { return Ok(0) };
        let len = file.len().map_err(Error::io("stat", &level_path(&self.dir, 0)))?;
        Ok(len.saturating_sub(LEVEL_HEADER_LEN as u64) / Hash::LEN as u64)
    }

    /// What stands behind the last hash that a tree of this size can have: the file, and
    /// where.
    pub(super) fn surplus(&self, size: TreeSize) -> Result<Vec<(PathBuf, u64, u64)>> {
        let mut surplus = Vec::new();
        for (level, file) in levels().zip(&self.files) {
            let Some(file) = file else { continue };
            let path = level_path(&self.dir, level);
            let len = file.len().map_err(Error::io("stat", &path))?;
            let complete = size.get() >> level;
            let end = if complete == 0 { 0 } else { offset(complete) };
            if len > end {
                surplus.push((path, end, len));
            }
        }
        Ok(surplus)
    }
}

fn levels() -> impl Iterator<Item = u8> {
    (0..64).step_by(usize::from(STORED_EVERY))
}

fn offset(index: u64) -> u64 {
    (LEVEL_HEADER_LEN as u64).saturating_add(index.saturating_mul(Hash::LEN as u64))
}

/// Hash files that are read hash by hash, in ascending order.
#[derive(Debug)]
pub(super) struct StoredHashes {
    pub(super) files: Arc<HashFiles>,
    windows: Vec<Window>,
}

#[derive(Debug, Default)]
struct Window {
    bytes: Vec<u8>,
    /// Index of its first hash.
    at: u64,
}

impl StoredHashes {
    pub(super) fn new(files: HashFiles) -> Self {
        let windows = levels().map(|_| Window::default()).collect();
        StoredHashes { files: Arc::new(files), windows }
    }

    /// The leaf of a record, as stored.
    pub(super) fn leaf(&mut self, seq: Seq) -> Option<Hash> {
        if !self.files.size.covers(seq) {
            return None;
        }
        // Zeros stand for one that is not known.
        self.get(NodeId::leaf(seq.get())).filter(|leaf| *leaf != Hash::ZERO)
    }

    /// What is stored instead of this hash, if it should be stored and is not.
    pub(super) fn differs(&mut self, node: NodeId, hash: &Hash) -> Option<String> {
        if !self.files.holds(node) {
            return None;
        }
        match self.get(node) {
            Some(found) if found == *hash => None,
            Some(found) => Some(found.to_string()),
            None => Some("the end of the file".to_owned()),
        }
    }

    fn get(&mut self, node: NodeId) -> Option<Hash> {
        let level = usize::from(node.level / STORED_EVERY);
        let window = self.windows.get_mut(level)?;
        if let Some(hash) = window.get(node.index) {
            return Some(hash);
        }
        let file = self.files.files.get(level)?.as_ref()?;
        window.bytes.resize(WINDOW * Hash::LEN, 0);
        let read = file.read_at(&mut window.bytes, offset(node.index)).unwrap_or(0);
        window.bytes.truncate(read);
        window.at = node.index;
        window.get(node.index)
    }
}

impl Window {
    fn get(&self, index: u64) -> Option<Hash> {
        let start = usize::try_from(index.checked_sub(self.at)?).ok()?.checked_mul(Hash::LEN)?;
        Hash::from_slice(self.bytes.get(start..start.checked_add(Hash::LEN)?)?)
    }
}
