//! The catalog read from its first record on, for a deep verification: nothing derived is
//! believed, neither the snapshot nor the hash files.

use std::path::Path;

use crate::catalog::{copies, load};
use crate::disk::{Disk, Open};
use crate::error::Result;
use crate::format::LogId;
use crate::format::catalog_body::{CatalogBody, StateMap};
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::{Frontier, TreeHead};
use crate::segment::bytes::SegmentFile;
use crate::segment::recover;
use crate::segment::scan::Position;
use crate::seq::TreeSize;

/// One copy of the catalog, replayed from its first record.
#[derive(Debug)]
pub struct WholeCatalog {
    /// What is in force.
    pub state: StateMap,
    /// All signed heads of the main log, oldest first.
    pub signed: Vec<TreeHead>,
    /// Roots by size, from size 0 on.
    roots: Vec<Hash>,
}

impl WholeCatalog {
    /// Reads both copies.
    ///
    /// # Errors
    /// For each copy: I/O, damage. A copy that another process is writing to may look
    /// damaged: read again before believing it.
    pub fn read_copies(disk: &dyn Disk, dir: &Path, log_id: LogId) -> [Result<Self>; 2] {
        copies(dir).map(|copy| WholeCatalog::read(disk, &copy, log_id))
    }

    fn read(disk: &dyn Disk, copy: &Path, log_id: LogId) -> Result<Self> {
        let loaded = load::load(disk, copy, log_id, None)?;
        let mut frontier = Frontier::new(HashAlgorithm::Sha256);
        let mut roots = vec![frontier.root()];
        for leaf in &loaded.replayed.leaves {
            frontier.push(*leaf, |_, _| ());
            roots.push(frontier.root());
        }
        let signed = signed_heads(disk, copy, loaded.end.size)?;
        Ok(WholeCatalog { state: loaded.replayed.state, signed, roots })
    }

    /// Records in it.
    pub fn size(&self) -> TreeSize {
        TreeSize::new((self.roots.len() as u64).saturating_sub(1))
    }

    /// Root over its first `size` records; `None` if it has fewer.
    pub fn root_at(&self, size: TreeSize) -> Option<Hash> {
        self.roots.get(usize::try_from(size.get()).ok()?).copied()
    }
}

/// The signed heads among the first `size` records of a copy that was found to be whole.
fn signed_heads(disk: &dyn Disk, copy: &Path, size: TreeSize) -> Result<Vec<TreeHead>> {
    let mut heads = Vec::new();
    for ordinal in load::ordinals(disk, copy)? {
        let path = crate::segment::path(copy, ordinal);
        let Some(segment) = SegmentFile::open(disk, &path, Open::Read)? else { continue };
        let start = Position { offset: segment.header.first_frame(), size: segment.header.first };
        recover::last(&segment, start, |_, _, record| {
            let decoded = CatalogBody::decode(record.head.kind, record.envelope);
            if let Ok((_, CatalogBody::HeadSigned(head))) = decoded
                && size.covers(record.head.seq)
            {
                let root = Hash::from_bytes(head.root);
                heads.push(TreeHead { size: TreeSize::new(head.size), root });
            }
        })?;
    }
    Ok(heads)
}
