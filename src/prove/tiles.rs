//! The log as tiles (c2sp.org/tlog-tiles): hashes and entries in the form in which other
//! people's tools fetch them.
//!
//! A tile is one read of a hash file, because the levels that tiles begin at are stored.
//! What is handed out was compared with the hashes above it.

use crate::error::{Error, Result};
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::{ProofPlan, TreeHead};
use crate::read::snapshot::Snapshot;
use crate::seq::{Seq, TreeSize};
use crate::tiles::{BundleId, EntryBundle, TileHashes, TileId};
use crate::tree::proof_error;

/// Reads a log as tiles under one tree head.
///
/// Only what that head covers is given out: take the head of a published checkpoint, so
/// that nobody sees what was not signed.
#[derive(Debug)]
pub struct TileReader {
    snapshot: Snapshot,
    algorithm: HashAlgorithm,
    size: TreeSize,
}

impl Snapshot {
    /// The log as tiles, under its tree head of this size.
    ///
    /// # Errors
    /// `NotWritten` if the snapshot is smaller; I/O, damage.
    pub fn tiles(&self, size: TreeSize) -> Result<TileReader> {
        if size > self.size() {
            let seq = size.last_seq().unwrap_or_default();
            return Err(Error::NotWritten { seq, size: self.size() });
        }
        let algorithm = self.tree()?.algorithm();
        Ok(TileReader { snapshot: self.clone(), algorithm, size })
    }
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
        Ok(TreeHead { size, root: self.snapshot.tree()?.root_at(size)? })
    }

    /// The proof that its tree extends the one of a smaller size (RFC 6962 §2.1.2); verify
    /// it with [`crate::merkle::verify_consistency`].
    ///
    /// # Errors
    /// A larger size; I/O.
    pub fn consistency_from(&self, old: TreeSize) -> Result<Vec<Hash>> {
        let tree = self.snapshot.tree()?;
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
        let tree = self.snapshot.tree()?;
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
    /// As there; `Expired` if a record is gone that the earlier bundle has not; `InvalidOption` if
    /// that is no bundle, or not the beginning of this one; `Tampered` if it holds other entries.
    pub fn entry_bundle_onto(
        &self,
        (earlier, bytes): (BundleId, &[u8]),
        bundle: BundleId,
    ) -> Result<Vec<u8>> {
        if earlier.index() != bundle.index() || earlier.width() > bundle.width() {
            return Err(not_earlier(format!(
                "expected the beginning of {bundle}, found {earlier}"
            )));
        }
        let known = EntryBundle::parse(earlier, bytes);
        let known = known.map_err(|error| not_earlier(error.to_string()))?;
        self.bundle_from(bundle, known.entries().iter().map(|entry| entry.to_vec()).collect())
    }

    /// A bundle of these entries and those behind them, all compared with the tree.
    fn bundle_from(&self, bundle: BundleId, mut entries: Vec<Vec<u8>>) -> Result<Vec<u8>> {
        self.check_covers(bundle.tile())?;
        let tree = self.snapshot.tree()?;
        let first = bundle.tile().first_node();
        let known = u16::try_from(entries.len()).unwrap_or(u16::MAX);
        let next = Seq::new(first.index.saturating_add(known.into()));
        self.snapshot.records().with_records(
            next,
            bundle.width().saturating_sub(known),
            |record| {
                entries.push(record.entry());
            },
        )?;
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

/// What was given as an earlier bundle is none, or is that of other records.
fn not_earlier(reason: String) -> Error {
    Error::InvalidOption { name: "earlier entry bundle", reason }
}
