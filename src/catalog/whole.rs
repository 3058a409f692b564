//! The catalog read from its first record on, for a deep verification: nothing derived is
//! believed, neither the snapshot nor the hash files.

use std::path::Path;

use super::files::copies;
use super::load;
use crate::disk::{Disk, Open};
use crate::error::Result;
use crate::format::LogId;
use crate::format::catalog_body::{CatalogBody, StateMap};
use crate::format::record::CheckedRecord;
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::{Frontier, TreeHead};
use crate::segment::bytes::SegmentFile;
use crate::segment::recover;
use crate::segment::scan::Position;
use crate::seq::{Seq, TreeSize};

/// One copy of the catalog, replayed from its first record.
#[derive(Debug)]
pub struct WholeCatalog {
    /// What is in force.
    pub state: StateMap,
    /// All signed heads of the main log, oldest first.
    pub signed: Vec<TreeHead>,
    /// The statements about the log's keys, oldest first.
    pub statements: Vec<RecordedStatement>,
    /// Roots by size, from size 0 on.
    roots: Vec<Hash>,
}

/// A statement about keys, and what the catalog's record around it says.
#[derive(Clone, Debug)]
pub struct RecordedStatement {
    /// The record's position in the catalog.
    pub seq: Seq,
    /// The statement's number.
    pub number: u64,
    /// SHA-256 of its text.
    pub digest: Hash,
    /// The key that it closes.
    pub key: String,
    /// The key that it introduces.
    pub introduced: String,
    /// The signed note.
    pub note: String,
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
        let state = loaded.replayed.state;
        let mut whole = WholeCatalog { state, signed: Vec::new(), statements: Vec::new(), roots };
        whole.collect(disk, copy)?;
        Ok(whole)
    }

    /// Records in it.
    pub fn size(&self) -> TreeSize {
        TreeSize::new((self.roots.len() as u64).saturating_sub(1))
    }

    /// Root over its first `size` records; `None` if it has fewer.
    pub fn root_at(&self, size: TreeSize) -> Option<Hash> {
        self.roots.get(usize::try_from(size.get()).ok()?).copied()
    }

    /// Collects signed heads and statements from a copy that was found to be whole, up to
    /// the size that it had then.
    fn collect(&mut self, disk: &dyn Disk, copy: &Path) -> Result<()> {
        let size = self.size();
        for ordinal in load::ordinals(disk, copy)? {
            let path = crate::segment::path(copy, ordinal);
            let Some(segment) = SegmentFile::open(disk, &path, Open::Read)? else { continue };
            let start =
                Position { offset: segment.header.first_frame(), size: segment.header.first };
            recover::last(&segment, start, |_, _, record| {
                if size.covers(record.head.seq) {
                    self.collect_record(&record);
                }
            })?;
        }
        Ok(())
    }

    fn collect_record(&mut self, record: &CheckedRecord<'_>) {
        match CatalogBody::decode(record.head.kind, record.envelope) {
            Ok((_, CatalogBody::HeadSigned(head))) => {
                let root = Hash::from_bytes(head.root);
                self.signed.push(TreeHead { size: TreeSize::new(head.size), root });
            }
            Ok((_, CatalogBody::KeysChanged(changed))) => self.statements.push(RecordedStatement {
                seq: record.head.seq,
                number: changed.number,
                digest: Hash::from_bytes(changed.statement),
                key: changed.key.to_owned(),
                introduced: changed.introduced.to_owned(),
                note: changed.note.to_owned(),
            }),
            _ => {}
        }
    }
}
