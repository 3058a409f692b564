//! The hashes of a tree: packed append-only files, one per stored level.
//!
//! Stored are level 0 (the leaves) and every fourth level above it; what lies between
//! is computed from at most eight of the level below (`docs/decisions/0002`). New
//! hashes stay in memory until [`TreeStore::flush`], which the marks call.

mod level;
pub mod mark;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::format::LogId;
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::{Frontier, NodeId};
use crate::seq::TreeSize;
use level::Level;

pub use level::path as level_path;

/// Hashes in memory beyond this many bytes are worth a mark of their own.
pub const PENDING_MAX: usize = 2 << 20;
/// A level is stored if it is a multiple of this.
pub const STORED_EVERY: u8 = 4;
/// Levels 0, 4, …, 60.
const STORED_LEVELS: usize = 16;

/// The hashes of one tree.
#[derive(Debug)]
pub struct TreeStore {
    dir: PathBuf,
    disk: Arc<dyn Disk>,
    log_id: LogId,
    algorithm: HashAlgorithm,
    state: RwLock<State>,
    /// Held while flushing, so that one does it at a time.
    flushing: Mutex<()>,
    read_only: bool,
}

/// Guarded: the writer extends it, readers read nodes, the housekeeper flushes.
#[derive(Debug)]
struct State {
    frontier: Frontier,
    levels: Vec<Level>,
}

impl TreeStore {
    /// Opens the hash files as they stand at a frontier: what they hold beyond it is
    /// overwritten by and by. Files that are missing are made when first needed.
    ///
    /// # Errors
    /// I/O; `Corrupt` if the files hold less than the frontier says, or other hashes:
    /// rebuild from an empty frontier then.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        log_id: LogId,
        frontier: Frontier,
        read_only: bool,
    ) -> Result<Self> {
        let algorithm = frontier.algorithm();
        let size = frontier.size().get();
        let mut levels = Vec::with_capacity(STORED_LEVELS);
        for n in 0..STORED_LEVELS {
            let level = STORED_EVERY * u8::try_from(n).unwrap_or(0);
            let count = size >> level;
            levels.push(Level::open(&*disk, dir, level, (log_id, algorithm), count)?);
        }
        let flushing = Mutex::new(());
        let dir = dir.to_owned();
        let state = RwLock::new(State { frontier, levels });
        let store = TreeStore { dir, disk, log_id, algorithm, state, flushing, read_only };
        store.check_frontier()?;
        Ok(store)
    }

    /// The peaks of the frontier that are stored must be what the files hold.
    fn check_frontier(&self) -> Result<()> {
        let state = self.state.read();
        let size = state.frontier.size();
        for (node, peak) in crate::merkle::root_nodes(size).iter().zip(state.frontier.peaks()) {
            let found = state.node(*node, self.algorithm)?;
            if found != *peak {
                let path = level::path(&self.dir, node.level - node.level % STORED_EVERY);
                let what = format!("node {}/{} {peak}", node.level, node.index);
                return Err(Error::corrupt(&path, 0, what, found.to_string()));
            }
        }
        Ok(())
    }

    /// The hash of the tree.
    pub fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// Records in the tree.
    pub fn size(&self) -> TreeSize {
        self.state.read().frontier.size()
    }

    /// The compact range over all its records.
    pub fn frontier(&self) -> Frontier {
        self.state.read().frontier.clone()
    }

    /// Appends leaves.
    pub fn extend(&self, leaves: &[Hash]) {
        let mut state = self.state.write();
        let State { frontier, levels } = &mut *state;
        for leaf in leaves {
            frontier.push(*leaf, |node, hash| {
                if node.level.is_multiple_of(STORED_EVERY)
                    && let Some(level) = levels.get_mut(usize::from(node.level / STORED_EVERY))
                {
                    level.push(hash);
                }
            });
        }
    }

    /// The hash of a complete subtree of the first `size` records.
    ///
    /// # Errors
    /// I/O, or a hash file that is shorter than it should be.
    pub fn node(&self, node: NodeId) -> Result<Hash> {
        self.state.read().node(node, self.algorithm)
    }

    /// The hashes of `count` complete subtrees, of a level that is stored, side by side.
    ///
    /// # Errors
    /// As [`TreeStore::node`]; a level between the stored ones.
    pub fn run(&self, first: NodeId, count: u16) -> Result<Vec<Hash>> {
        let state = self.state.read();
        match state.levels.get(usize::from(first.level / STORED_EVERY)) {
            Some(level) if first.level.is_multiple_of(STORED_EVERY) => {
                level.run(first.index, count)
            }
            _ => Err(Error::Proof { reason: format!("level {} is not stored", first.level) }),
        }
    }

    /// The root over the first `size` records.
    ///
    /// # Errors
    /// `NotWritten` beyond the present size; I/O.
    pub fn root_at(&self, size: TreeSize) -> Result<Hash> {
        let state = self.state.read();
        let now = state.frontier.size();
        if size == now {
            return Ok(state.frontier.root());
        }
        if size > now {
            return Err(Error::NotWritten { seq: size.next_seq(), size: now });
        }
        let nodes = crate::merkle::root_nodes(size);
        let hashes: Result<Vec<Hash>> =
            nodes.iter().map(|node| state.node(*node, self.algorithm)).collect();
        crate::merkle::root_from(self.algorithm, size, &hashes?).map_err(proof_error)
    }

    /// That a stored node is not what the nodes below it fold to.
    pub(crate) fn contradiction(&self, node: NodeId, stored: Hash, folded: Hash) -> Error {
        let path = level::path(&self.dir, node.level - node.level % STORED_EVERY);
        let found = format!("{folded}, folded from the level below");
        Error::corrupt(&path, 0, format!("{node} to be {stored}"), found)
    }

    /// Hashes in memory that no file holds yet, in bytes.
    pub fn pending_bytes(&self) -> usize {
        self.state.read().levels.iter().map(|level| level.pending_len() * Hash::LEN).sum()
    }

    /// Writes what is in memory to the files and syncs them; afterwards everything up to
    /// the returned frontier is on disk.
    ///
    /// # Errors
    /// I/O; nothing is forgotten, it can be tried again.
    pub fn flush(&self) -> Result<Frontier> {
        let _one = self.flushing.lock();
        let (frontier, batches) = {
            let state = self.state.read();
            let batches: Vec<_> = state.levels.iter().map(Level::batch).collect();
            (state.frontier.clone(), batches)
        };
        if self.read_only {
            return Ok(frontier);
        }
        let mut files = Vec::with_capacity(batches.len());
        for batch in &batches {
            files.push(batch.write(&*self.disk, &self.dir, (self.log_id, self.algorithm))?);
        }
        let mut state = self.state.write();
        for ((level, batch), file) in state.levels.iter_mut().zip(&batches).zip(files) {
            level.flushed(batch, file);
        }
        Ok(frontier)
    }
}

impl State {
    fn node(&self, node: NodeId, algorithm: HashAlgorithm) -> Result<Hash> {
        let above = node.level % STORED_EVERY;
        let Some(level) = self.levels.get(usize::from(node.level / STORED_EVERY)) else {
            return Err(Error::Proof { reason: format!("no level {} in any tree", node.level) });
        };
        if above == 0 {
            return level.get(node.index);
        }
        // At most eight hashes of the stored level below, folded pairwise.
        let first = node.index << above;
        let mut hashes = level.range(first, 1 << above)?;
        while hashes.len() > 1 {
            hashes =
                hashes.chunks_exact(2).map(|pair| algorithm.node(&pair[0], &pair[1])).collect();
        }
        hashes.pop().ok_or_else(|| Error::Proof { reason: "an empty subtree".to_owned() })
    }
}

/// An error of the arithmetic, on hashes of our own.
pub(crate) fn proof_error(error: impl std::fmt::Display) -> Error {
    Error::Proof { reason: error.to_string() }
}
