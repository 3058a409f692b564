//! The log as tiles (c2sp.org/tlog-tiles): hashes and entries in the form in which other
//! people's tools fetch them.
//!
//! A tile is one read of a hash file, because the levels that tiles begin at are stored.
//! What is handed out was compared with the hashes above it.

use std::path::PathBuf;
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::checkpoint::UnverifiedCheckpoint;
use crate::error::{Error, Result};
use crate::format::record::CheckedRecord;
use crate::hash::{Hash, HashAlgorithm};
use crate::log::core::{catalog_dir, checkpoints_dir};
use crate::log::follow::LogReader;
use crate::log::open::{catalog_checkpoint_files, checkpoint_files};
use crate::log::read::Snapshot;
use crate::log::sign;
use crate::merkle::{ProofPlan, TreeHead};
use crate::seq::{Seq, TreeSize};
use crate::tiles::{BundleId, EntryBundle, TileHashes, TileId};
use crate::tree::{TreeStore, proof_error};

/// Reads a log, or its catalog, as tiles under one tree head.
///
/// Only what that head covers is given out: take the head of a published checkpoint, so
/// that nobody sees what was not signed.
#[derive(Debug)]
pub struct TileReader {
    of: Source,
    algorithm: HashAlgorithm,
    size: TreeSize,
}

#[derive(Debug)]
enum Source {
    Main(Snapshot),
    Catalog(Box<Catalog>),
}

impl Source {
    fn tree(&self) -> Result<&TreeStore> {
        match self {
            Source::Main(snapshot) => snapshot.tree().map(Arc::as_ref),
            Source::Catalog(catalog) => Ok(catalog.tree()),
        }
    }

    fn with_records(
        &self,
        first: Seq,
        count: u16,
        read: impl FnMut(CheckedRecord<'_>),
    ) -> Result<()> {
        match self {
            Source::Main(snapshot) => snapshot.with_records(first, count, read),
            Source::Catalog(catalog) => catalog.with_records(first, count, read),
        }
    }
}

impl Snapshot {
    /// The log as tiles, under its tree head of this size.
    ///
    /// # Errors
    /// `NotWritten` if the snapshot is smaller; a snapshot without its tree.
    pub fn tiles(&self, size: TreeSize) -> Result<TileReader> {
        if size > self.size() {
            let seq = size.last_seq().unwrap_or_default();
            return Err(Error::NotWritten { seq, size: self.size() });
        }
        let algorithm = self.tree()?.algorithm();
        Ok(TileReader { of: Source::Main(self.clone()), algorithm, size })
    }
}

impl LogReader {
    /// The catalog as tiles, under its tree head of this size. Always SHA-256.
    ///
    /// # Errors
    /// `NotWritten` if the catalog is smaller; both its copies are damaged; I/O.
    pub fn catalog_tiles(&self, size: TreeSize) -> Result<TileReader> {
        let (disk, clock) = (Arc::clone(&self.options.disk), Arc::clone(&self.options.clock));
        let catalog = Catalog::open_read_only(disk, &catalog_dir(&self.dir), self.log_id, clock)?;
        if size > catalog.size() {
            let seq = size.last_seq().unwrap_or_default();
            return Err(Error::NotWritten { seq, size: catalog.size() });
        }
        let algorithm = catalog.tree().algorithm();
        Ok(TileReader { of: Source::Catalog(Box::new(catalog)), algorithm, size })
    }

    /// The sizes of the published checkpoints, smallest first.
    ///
    /// # Errors
    /// I/O.
    pub fn checkpoint_sizes(&self) -> Result<Vec<TreeSize>> {
        checkpoint_files(&*self.options.disk, &self.dir).map(sizes)
    }

    /// The published checkpoint of this size, with its cosignatures, as it stands in
    /// `checkpoints/`; `None` if none was published.
    ///
    /// # Errors
    /// I/O; a file that is not a checkpoint.
    pub fn checkpoint_of(&self, size: TreeSize) -> Result<Option<UnverifiedCheckpoint>> {
        self.read_checkpoint(&sign::checkpoint_name(self.algorithm(), size))
    }

    /// The sizes of the published checkpoints of the catalog, smallest first. Only BLAKE3
    /// logs publish any.
    ///
    /// # Errors
    /// I/O.
    pub fn catalog_checkpoint_sizes(&self) -> Result<Vec<TreeSize>> {
        catalog_checkpoint_files(&*self.options.disk, &self.dir).map(sizes)
    }

    /// The published checkpoint of the catalog of this size; `None` if none was published.
    ///
    /// # Errors
    /// I/O; a file that is not a checkpoint.
    pub fn catalog_checkpoint_of(&self, size: TreeSize) -> Result<Option<UnverifiedCheckpoint>> {
        self.read_checkpoint(&sign::catalog_checkpoint_name(size))
    }

    fn read_checkpoint(&self, name: &str) -> Result<Option<UnverifiedCheckpoint>> {
        let (disk, path) = (&*self.options.disk, checkpoints_dir(&self.dir).join(name));
        match disk.exists(&path).map_err(Error::io("look for", &path))? {
            true => sign::read(disk, &path).map(Some),
            false => Ok(None),
        }
    }
}

fn sizes(files: Vec<(u64, PathBuf)>) -> Vec<TreeSize> {
    files.into_iter().map(|(size, _)| TreeSize::new(size)).collect()
}

impl TileReader {
    /// How many records its head covers.
    pub fn size(&self) -> TreeSize {
        self.size
    }

    /// The hash of its tree. C2SP tools read SHA-256 only.
    pub fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// The tree head at its size or at a smaller one.
    ///
    /// # Errors
    /// `NotWritten` for a larger one; I/O.
    pub fn head_at(&self, size: TreeSize) -> Result<TreeHead> {
        if size > self.size {
            let seq = size.last_seq().unwrap_or_default();
            return Err(Error::NotWritten { seq, size: self.size });
        }
        Ok(TreeHead { size, root: self.of.tree()?.root_at(size)? })
    }

    /// The proof that its tree extends the one of a smaller size (RFC 6962 §2.1.2); verify
    /// it with [`crate::merkle::verify_consistency`].
    ///
    /// # Errors
    /// A larger size; I/O.
    pub fn consistency_from(&self, old: TreeSize) -> Result<Vec<Hash>> {
        let tree = self.of.tree()?;
        let plan = ProofPlan::consistency(old, self.size).map_err(proof_error)?;
        let hashes: Result<Vec<_>> = plan.nodes().iter().map(|node| tree.node(*node)).collect();
        plan.assemble(self.algorithm, &hashes?).map_err(proof_error)
    }

    /// The bytes of a tile.
    ///
    /// # Errors
    /// `NotWritten` if the tree has not all of it; `Corrupt` if the hash files contradict
    /// each other; I/O.
    pub fn tile(&self, tile: TileId) -> Result<Vec<u8>> {
        self.check_covers(tile)?;
        let tree = self.of.tree()?;
        let hashes = tree.run(tile.first_node(), tile.width())?;
        let hashes = TileHashes::new(tile, hashes).map_err(proof_error)?;
        for (node, folded) in hashes.peaks(self.algorithm) {
            let stored = tree.node(node)?;
            if stored != folded {
                return Err(tree.contradiction(node, stored, folded));
            }
        }
        Ok(hashes.to_bytes())
    }

    /// The bytes of an entry bundle: for each record head ‖ envelope ‖ payload digest, and
    /// no payload.
    ///
    /// # Errors
    /// `NotWritten` if the tree has not all of it; `Tampered` if a record is not the one
    /// that the tree has; `Corrupt` if one is damaged; I/O.
    pub fn entry_bundle(&self, bundle: BundleId) -> Result<Vec<u8>> {
        self.bundle_from(bundle, Vec::new())
    }

    /// As [`TileReader::entry_bundle`], where records have expired since an earlier export: the
    /// first entries are those of the bundle that was exported then, no wider than this one. They,
    /// too, are compared with the leaf hashes, which stay.
    ///
    /// # Errors
    /// As there; `Expired` if a record is gone that the earlier bundle has not; `Proof` if that
    /// is not the beginning of this one; `Tampered` if it holds other entries.
    pub fn entry_bundle_onto(
        &self,
        (earlier, bytes): (BundleId, &[u8]),
        bundle: BundleId,
    ) -> Result<Vec<u8>> {
        if earlier.index() != bundle.index() || earlier.width() > bundle.width() {
            let reason = format!("expected the beginning of {bundle}, found {earlier}");
            return Err(Error::Proof { reason });
        }
        let known = EntryBundle::parse(earlier, bytes).map_err(proof_error)?;
        self.bundle_from(bundle, known.entries().iter().map(|entry| entry.to_vec()).collect())
    }

    /// A bundle of these entries and those behind them, all compared with the tree.
    fn bundle_from(&self, bundle: BundleId, mut entries: Vec<Vec<u8>>) -> Result<Vec<u8>> {
        self.check_covers(bundle.tile())?;
        let tree = self.of.tree()?;
        let first = bundle.tile().first_node();
        let known = u16::try_from(entries.len()).unwrap_or(u16::MAX);
        let next = Seq::new(first.index.saturating_add(known.into()));
        self.of.with_records(next, bundle.width().saturating_sub(known), |record| {
            entries.push(record.entry());
        })?;
        let entries = EntryBundle::new(entries.iter().map(Vec::as_slice).collect());
        let entries = entries.map_err(proof_error)?;
        let expected = tree.run(first, bundle.width())?;
        let found = entries.leaf_hashes(self.algorithm);
        let differs = expected.iter().zip(&found).position(|(expected, found)| expected != found);
        if let Some(at) = differs {
            let what = format!("record {}", first.index.saturating_add(at as u64));
            let expected = format!("leaf {}, as in the tree", expected[at]);
            return Err(Error::tampered(what, expected, format!("leaf {}", found[at])));
        }
        Ok(entries.to_bytes())
    }

    fn check_covers(&self, tile: TileId) -> Result<()> {
        let needs = tile.covering_size();
        if needs <= self.size {
            return Ok(());
        }
        Err(Error::NotWritten { seq: needs.last_seq().unwrap_or_default(), size: self.size })
    }
}
