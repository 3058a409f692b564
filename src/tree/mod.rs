//! The hashes of a tree: packed append-only files, one per stored level.
//!
//! Stored are level 0 (the leaves) and every fourth level above it; what lies between
//! is computed from at most eight of the level below (`docs/decisions/0002`). New
//! hashes stay in memory until [`TreeStore::flush`], which the marks call.

mod gap;
mod level;
pub mod mark;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use crate::disk::{Disk, DiskFile, Open};
use crate::error::{Error, Result};
use crate::format::LogId;
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::{Frontier, NodeId, TreeHead, range_nodes, root_from, root_nodes};
use crate::ranked::{Mutex, Rank, RwLock};
use crate::retention::DropCertificate;
use crate::seq::TreeSize;
use level::Level;

pub use gap::Certificates;
pub(crate) use gap::{Below, Gaps, node as node_of};
pub use level::path as level_path;

/// Hashes in memory beyond this many bytes are worth a mark of their own.
pub const PENDING_MAX: usize = 2 << 20;
/// Hashes of dropped records that are taken at a time.
const CROSSED_AT_ONCE: usize = 1 << 16;
pub use level::STORED_EVERY;

/// Levels 0, 4, …, 60.
fn stored_levels() -> impl Iterator<Item = u8> {
    (0..64).step_by(usize::from(STORED_EVERY))
}

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
    /// Whether a rebuild has ended: its files take their places with the next flush.
    is_rebuilt: AtomicBool,
    certificates: Option<Arc<dyn Certificates>>,
    /// Read when the first hash is met that the files do not have.
    gaps: OnceLock<Gaps>,
    /// The hash files as they were found, while gaps are crossed.
    found: Mutex<Option<Arc<Found>>>,
}

/// Hash files by level, whether they are whole or not.
type Found = Vec<Option<Arc<dyn DiskFile>>>;

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
    /// rebuild from an empty frontier then. What they do not have of dropped records comes from
    /// the certificates.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        log_id: LogId,
        frontier: Frontier,
        read_only: bool,
        certificates: Option<Arc<dyn Certificates>>,
    ) -> Result<Self> {
        let algorithm = frontier.algorithm();
        let size = frontier.size().get();
        let mut levels = Vec::new();
        for level in stored_levels() {
            let count = size >> level;
            levels.push(Level::open(&*disk, dir, level, (log_id, algorithm), count)?);
        }
        let state = State { frontier, levels };
        let mut store = TreeStore::of(disk, dir, log_id, state, read_only);
        store.certificates = certificates;
        store.check_frontier()?;
        Ok(store)
    }

    /// Makes the hash files anew, from the first record on. What is there stays as it is until
    /// [`TreeStore::put_in_place`], so whatever interrupts this can be followed by another.
    pub fn rebuild(
        disk: Arc<dyn Disk>,
        dir: &Path,
        log_id: LogId,
        algorithm: HashAlgorithm,
        certificates: Arc<dyn Certificates>,
    ) -> Self {
        let levels = stored_levels().map(|level| Level::rebuilt(dir, level)).collect();
        let state = State { frontier: Frontier::new(algorithm), levels };
        let mut store = TreeStore::of(disk, dir, log_id, state, false);
        store.certificates = Some(certificates);
        store
    }

    fn of(disk: Arc<dyn Disk>, dir: &Path, log_id: LogId, state: State, read_only: bool) -> Self {
        TreeStore {
            dir: dir.to_owned(),
            disk,
            log_id,
            algorithm: state.frontier.algorithm(),
            state: RwLock::new(Rank::Tree, state),
            flushing: Mutex::new(Rank::TreeFlush, ()),
            read_only,
            is_rebuilt: AtomicBool::new(false),
            certificates: None,
            gaps: OnceLock::new(),
            found: Mutex::new(Rank::TreeDamage, None),
        }
    }

    /// The peaks of the frontier that are stored must be what the files hold.
    fn check_frontier(&self) -> Result<()> {
        let frontier = self.frontier();
        for (node, peak) in root_nodes(frontier.size()).iter().zip(frontier.peaks()) {
            let Some(found) = self.known(*node)? else {
                match self.unknown(*node) {
                    // Of dropped records, and lost: there is nothing to compare.
                    Error::HashesLost { .. } => continue,
                    damage => return Err(damage),
                }
            };
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
            frontier.push(*leaf, |node, hash| store(levels, node, hash));
        }
    }

    /// Puts records on the tree that were dropped: what the files have of them, as far as that
    /// leads to the hashes of the certificate, and these. Gives whether nothing is missing.
    ///
    /// # Errors
    /// `Tampered` if the certificate does not lead from this tree to the one that it names; I/O.
    pub fn cross(&self, gap: &DropCertificate) -> Result<bool> {
        if gap.count() == 0 {
            let what = format!("the drop certificate of segment {}", gap.ordinal);
            return Err(Error::tampered(what, "one of some records", "none"));
        }
        gap.extend(&self.frontier()).map_err(|error| {
            let what = format!("the drop certificate of segment {}", gap.ordinal);
            Error::tampered(what, "hashes that lead from one head to the other", error)
        })?;
        let found = self.found()?;
        let stored = |first: NodeId, count: u64| {
            let file = found.get(usize::from(first.level / STORED_EVERY));
            let Some(Some(file)) = file else { return Ok(None) };
            let read = level::read_file(&**file, first.index, count);
            read.map_err(Error::io("read", &level_path(&self.dir, first.level)))
        };
        let below = Below { algorithm: self.algorithm, stored: &stored };
        let (mut whole, anew) = (true, self.is_anew());
        let full = || !self.read_only && self.pending_bytes() > PENDING_MAX;
        let nodes = range_nodes(gap.start.size.get(), gap.end.size.get());
        for (node, hash) in nodes.into_iter().zip(&gap.range) {
            let mut inner = Vec::new();
            below.each(node, *hash, &mut |node, hash| {
                whole &= hash != Hash::ZERO;
                inner.push((node, hash));
                if inner.len() < CROSSED_AT_ONCE {
                    return Ok(());
                }
                self.store_all(&mut inner);
                // A file that is written on has not less afterwards.
                match (whole || anew) && full() {
                    true => self.flush().map(|_| ()),
                    false => Ok(()),
                }
            })?;
            self.store_all(&mut inner);
            let mut state = self.state.write();
            let State { frontier, levels } = &mut *state;
            if !frontier.push_subtree(node.level, *hash, |node, hash| store(levels, node, hash)) {
                let what = format!("the drop certificate of segment {}", gap.ordinal);
                let expected = format!("hashes that follow the tree of {}", frontier.size());
                return Err(Error::tampered(what, expected, node));
            }
        }
        Ok(whole)
    }

    /// Takes nodes of stored levels to their levels.
    fn store_all(&self, nodes: &mut Vec<(NodeId, Hash)>) {
        let mut state = self.state.write();
        nodes.drain(..).for_each(|(node, hash)| store(&mut state.levels, node, hash));
    }

    /// Whether it is being made anew.
    pub fn is_anew(&self) -> bool {
        self.state.read().levels.iter().any(Level::is_anew)
    }

    /// The files that are in their places.
    fn found(&self) -> Result<Arc<Found>> {
        let mut found = self.found.lock();
        if let Some(found) = &*found {
            return Ok(Arc::clone(found));
        }
        let mut files = Vec::new();
        for level in stored_levels() {
            let path = level_path(&self.dir, level);
            files.push(match self.disk.open(&path, Open::Read) {
                Ok(file) => Some(file),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                Err(error) => return Err(Error::io("open", &path)(error)),
            });
        }
        Ok(Arc::clone(found.insert(Arc::new(files))))
    }

    /// Writes the hashes of records that were brought back over what the files have of them,
    /// which may be nothing, durably.
    ///
    /// # Errors
    /// `Tampered` if the leaves do not lead from the tree before the first one to `end`; I/O.
    pub fn fill(&self, first: TreeSize, leaves: &[Hash], end: TreeHead) -> Result<()> {
        let peaks: Result<Vec<Hash>> = root_nodes(first).iter().map(|n| self.node(*n)).collect();
        let frontier = Frontier::from_parts(self.algorithm, first, &peaks?);
        let mut frontier = frontier.map_err(proof_error)?;
        let mut levels: Vec<(Option<NodeId>, Vec<Hash>)> =
            stored_levels().map(|_| (None, Vec::new())).collect();
        for leaf in leaves {
            frontier.push(*leaf, |node, hash| {
                if node.level.is_multiple_of(STORED_EVERY)
                    && let Some((first, hashes)) =
                        levels.get_mut(usize::from(node.level / STORED_EVERY))
                {
                    first.get_or_insert(node);
                    hashes.push(hash);
                }
            });
        }
        if frontier.head() != end {
            let (size, root) = (frontier.size(), frontier.root());
            let expected = format!("{} records, root {}", end.size, end.root);
            let found = format!("{size} records, root {root}");
            return Err(Error::tampered("the records that come back", expected, found));
        }
        self.flush()?;
        let _one = self.flushing.lock();
        // From above: what a crash leaves is known as far as it leads up to the certificate.
        for (first, hashes) in levels.into_iter().rev() {
            let Some(first) = first else { continue };
            let path = level_path(&self.dir, first.level);
            level::overwrite(&*self.disk, &path, first.index, &hashes)?;
        }
        Ok(())
    }

    /// The hash of a complete subtree of the first `size` records.
    ///
    /// # Errors
    /// I/O, or a hash file that is shorter than it should be; `HashesLost` if only the files had
    /// it, and they were lost.
    pub fn node(&self, node: NodeId) -> Result<Hash> {
        self.known(node)?.ok_or_else(|| self.unknown(node))
    }

    /// The same; `None` if nobody knows it any more.
    fn known(&self, node: NodeId) -> Result<Option<Hash>> {
        let gaps = self.gaps.get();
        let found = self.state.read().node(node, self.algorithm, gaps)?;
        if found.is_some() || gaps.is_some() {
            return Ok(found);
        }
        let Some(certificates) = &self.certificates else { return Ok(None) };
        let gaps = Gaps::new(certificates.all()?);
        let gaps = self.gaps.get_or_init(|| gaps);
        self.state.read().node(node, self.algorithm, Some(gaps))
    }

    /// Why a hash is not known, and what helps.
    fn unknown(&self, node: NodeId) -> Error {
        let around = self.gaps.get().and_then(|gaps| gaps.around(node));
        let Some(gap) = around else {
            let stored = node.level - node.level % STORED_EVERY;
            let index = node.index << (node.level - stored);
            let state = self.state.read();
            return match state.levels.get(usize::from(stored / STORED_EVERY)) {
                Some(level) => level.no_hash(index),
                None => no_level(node.level),
            };
        };
        let helps = match gap.archived {
            Some(_) => "restore the segment from there, or `tree/` from a backup",
            None => "no copy of it is on record, so only a backup of `tree/` has it",
        };
        let reason = format!(
            "{node} is not known any more: {gap}, then the hashes of its records in {} were lost; \
             {helps}",
            self.dir.display()
        );
        Error::HashesLost { reason }
    }

    /// The hashes of `count` complete subtrees, of a level that is stored, side by side.
    ///
    /// # Errors
    /// As [`TreeStore::node`]; a level between the stored ones.
    pub fn run(&self, first: NodeId, count: u16) -> Result<Vec<Hash>> {
        let hashes = self.run_as_stored(first, count)?;
        match hashes.iter().zip(first.index..).find(|(hash, _)| **hash == Hash::ZERO) {
            // Says why, or finds it in a certificate.
            Some(_) => (first.index..)
                .take(count.into())
                .map(|index| self.node(NodeId { index, ..first }))
                .collect(),
            None => Ok(hashes),
        }
    }

    /// The same, with zeros for what the files do not have.
    ///
    /// # Errors
    /// As [`TreeStore::run`].
    pub(crate) fn run_as_stored(&self, first: NodeId, count: u16) -> Result<Vec<Hash>> {
        let state = self.state.read();
        match state.levels.get(usize::from(first.level / STORED_EVERY)) {
            Some(level) if first.level.is_multiple_of(STORED_EVERY) => {
                level.run(first.index, count)
            }
            _ => Err(no_level(first.level)),
        }
    }

    /// The root over the first `size` records.
    ///
    /// # Errors
    /// `NotWritten` beyond the present size; as [`TreeStore::node`].
    pub fn root_at(&self, size: TreeSize) -> Result<Hash> {
        let (now, root) = self.head();
        if size == now {
            return Ok(root);
        }
        self.check_covers(size, now)?;
        let hashes: Result<Vec<Hash>> = root_nodes(size).iter().map(|n| self.node(*n)).collect();
        root_from(self.algorithm, size, &hashes?).map_err(proof_error)
    }

    /// The same; `None` if it takes a hash that nobody knows any more.
    ///
    /// # Errors
    /// As [`TreeStore::root_at`].
    pub fn known_root_at(&self, size: TreeSize) -> Result<Option<Hash>> {
        let (now, root) = self.head();
        if size == now {
            return Ok(Some(root));
        }
        self.check_covers(size, now)?;
        let mut hashes = Vec::new();
        for node in root_nodes(size) {
            match self.known(node)? {
                Some(hash) => hashes.push(hash),
                // Zeros where nothing was dropped are damage.
                None => match self.unknown(node) {
                    Error::HashesLost { .. } => return Ok(None),
                    damage => return Err(damage),
                },
            }
        }
        root_from(self.algorithm, size, &hashes).map(Some).map_err(proof_error)
    }

    fn head(&self) -> (TreeSize, Hash) {
        let state = self.state.read();
        (state.frontier.size(), state.frontier.root())
    }

    fn check_covers(&self, size: TreeSize, now: TreeSize) -> Result<()> {
        match size > now {
            true => Err(Error::NotWritten { seq: size.next_seq(), size: now }),
            false => Ok(()),
        }
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

    /// Lets go of the hashes in memory that the files have as well, of a tree of all records that
    /// was opened empty: level by level those of the first `size` records, which are compared. A
    /// level whose file has other ones stays in memory, and is written by the next
    /// [`TreeStore::flush`].
    ///
    /// # Errors
    /// I/O.
    pub(crate) fn adopt_files(&self, size: TreeSize) -> Result<()> {
        let mut state = self.state.write();
        for (level, of) in stored_levels().zip(&mut state.levels) {
            of.adopt_file(&*self.disk, (self.log_id, self.algorithm), size.get() >> level)?;
        }
        Ok(())
    }

    /// Writes what is in memory to the files and syncs them; afterwards everything up to
    /// the returned frontier is on disk. Files of a rebuild that has ended take their places.
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
        if self.is_rebuilt.load(Ordering::Acquire) {
            state.levels.iter_mut().try_for_each(|level| level.put_in_place(&*self.disk))?;
            self.is_rebuilt.store(false, Ordering::Release);
        }
        Ok(frontier)
    }

    /// Ends a rebuild: what was made anew takes the place of what was there, durably, each
    /// file whole or not at all. Without one, only what an earlier one left goes.
    ///
    /// # Errors
    /// `DiskFull`: the hashes stay in memory, and a later [`TreeStore::flush`] does it. I/O: some
    /// files are new and some old. Each is what the records say, or as it was.
    pub fn put_in_place(&self) -> Result<()> {
        *self.found.lock() = None;
        if self.read_only {
            return Ok(());
        }
        if self.is_anew() {
            self.is_rebuilt.store(true, Ordering::Release);
            self.flush()?;
        }
        // What a rebuild that did not end left.
        let names = self.disk.list(&self.dir).map_err(Error::io("list", &self.dir))?;
        for name in names.iter().filter(|name| level::is_unfinished(name)) {
            let _ = self.disk.remove_file(&self.dir.join(name)); // else the next opening does it
        }
        Ok(())
    }
}

/// Takes a node to the level it is stored in, if it is.
fn store(levels: &mut [Level], node: NodeId, hash: Hash) {
    if node.level.is_multiple_of(STORED_EVERY)
        && let Some(level) = levels.get_mut(usize::from(node.level / STORED_EVERY))
    {
        level.push(hash);
    }
}

impl State {
    /// `None` if it is not known.
    fn node(
        &self,
        node: NodeId,
        algorithm: HashAlgorithm,
        gaps: Option<&Gaps>,
    ) -> Result<Option<Hash>> {
        node_of(algorithm, node, gaps, &|first, count| match self
            .levels
            .get(usize::from(first.level / STORED_EVERY))
        {
            Some(level) => level.range(first.index, count).map(Some),
            None => Err(no_level(first.level)),
        })
    }
}

/// An error of the arithmetic, on hashes of our own.
pub(crate) fn proof_error(error: impl std::fmt::Display) -> Error {
    Error::Proof { reason: error.to_string() }
}

fn no_level(level: u8) -> Error {
    let reason = format!("expected a level that is stored, found {level}");
    Error::InvalidOption { name: "tree level", reason }
}
