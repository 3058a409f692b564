//! The files of a catalog: its two copies, and the snapshot of its state.

use std::path::{Path, PathBuf};

use crate::disk::Disk;
use crate::format::catalog_body::Snapshot;
use crate::format::{LogId, names};

pub(super) fn copies(dir: &Path) -> [PathBuf; 2] {
    names::CATALOG_COPIES.map(|copy| dir.join(copy))
}

pub(super) fn read_snapshot(disk: &dyn Disk, dir: &Path, log_id: LogId) -> Option<Snapshot> {
    let bytes = crate::disk::read_file(disk, &dir.join(names::SNAPSHOT), 256 << 20).ok()?;
    Snapshot::decode(&bytes, log_id).ok()
}
