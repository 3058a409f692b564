//! What there is: segments, sizes, figures.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::directory::LogDir;
use crate::disk::{Disk, Open, Protection};
use crate::error::{Error, Result};
use crate::format::catalog_body::status;
use crate::format::{LogId, names};
use crate::hash::{Hash, HashAlgorithm};
use crate::read::entry::SegmentEntry;
use crate::read::segment_set::SegmentSet;
use crate::read::shared::CatalogSizes;
use crate::read::snapshot::Snapshot;
use crate::segment;
use crate::seq::TreeSize;
use crate::time::Timestamp;

/// What became of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SegmentStatus {
    /// Its records are there.
    Live,
    /// Its drop certificate is written; the next opening or expiry finishes the drop.
    Dropping,
    /// Its records went by the policy.
    Dropped,
    /// It was dropped, and its records were brought back from an archive.
    Restored,
    /// Its file is not there, and nothing says that it was dropped; or records are missing of
    /// which a damaged catalog would tell what became: see `bulla verify`.
    Missing,
}

impl SegmentStatus {
    fn of(entry: &SegmentEntry) -> Self {
        match entry.sealed.as_ref().map_or(status::LIVE, |sealed| sealed.status) {
            status::DROPPING | status::DROPPING_AGAIN => SegmentStatus::Dropping,
            status::DROPPED => SegmentStatus::Dropped,
            status::RESTORED => SegmentStatus::Restored,
            _ => SegmentStatus::Live,
        }
    }

    /// Whether its records can be read.
    pub fn is_readable(self) -> bool {
        matches!(self, SegmentStatus::Live | SegmentStatus::Restored)
    }
}

impl fmt::Display for SegmentStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SegmentStatus::Live => "live",
            SegmentStatus::Dropping => "dropping",
            SegmentStatus::Dropped => "dropped",
            SegmentStatus::Restored => "restored",
            SegmentStatus::Missing => "missing",
        })
    }
}

/// One segment of a log.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SegmentInfo {
    /// Its number, from 1.
    pub ordinal: u64,
    /// Records before it.
    pub first: TreeSize,
    /// Records in it.
    pub count: u64,
    /// Size of its file in bytes; of an active one with the space made ready, of one that was
    /// dropped or is missing as it was.
    pub bytes: u64,
    /// Whether it is sealed.
    pub sealed: bool,
    /// What became of it.
    pub status: SegmentStatus,
    /// Not dropped before; `None`: there was no policy when it was sealed.
    pub keep_until: Option<Timestamp>,
    /// Smallest and largest `recorded_at`, once it is sealed.
    pub recorded: Option<(Timestamp, Timestamp)>,
    /// Smallest and largest `occurred_at`, once it is sealed.
    pub occurred: Option<(Timestamp, Timestamp)>,
    /// Its file.
    pub path: PathBuf,
    /// Size of its index file in bytes; `None` if there is none, so that queries read its
    /// records: of an active segment always, as its index is in memory.
    pub index_bytes: Option<u64>,
    /// Root of its logical index, once it is sealed; `None` if its seal has none.
    pub index_root: Option<Hash>,
}

/// Figures of a log.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stats {
    /// The log's public name.
    pub origin: String,
    /// Its identity.
    pub log_id: LogId,
    /// The hash of its tree.
    pub algorithm: HashAlgorithm,
    /// Records.
    pub size: TreeSize,
    /// Segments whose records are there, the active one included.
    pub segments: u64,
    /// Those of them that are sealed.
    pub sealed_segments: u64,
    /// Segments whose records went by the policy.
    pub dropped_segments: u64,
    /// Records in those.
    pub dropped_records: u64,
    /// Segments that should be there, and whose files are not.
    pub missing_segments: u64,
    /// Bytes of all segment files.
    pub segment_bytes: u64,
    /// Bytes of all index files.
    pub index_bytes: u64,
    /// Sealed segments that have no index file: queries read all their records.
    pub segments_without_index: u64,
    /// Sealed segments whose files the operating system keeps from being changed: read-only,
    /// and of those the immutable ones.
    pub protected: (u64, u64),
    /// Bytes of all hash files.
    pub tree_bytes: u64,
    /// Records in the catalog; `None` if it is damaged.
    pub catalog_records: Option<u64>,
    /// Records under the newest signed head; `None` if none was signed.
    pub signed_size: Option<TreeSize>,
}

impl Snapshot {
    /// The segments as they are now, oldest first.
    ///
    /// # Errors
    /// I/O.
    pub fn segments(&self) -> Result<Vec<SegmentInfo>> {
        segments(self.records().segment_set())
    }

    /// Figures of the log as it is now.
    ///
    /// # Errors
    /// I/O.
    pub fn stats(&self) -> Result<Stats> {
        let shared = self.shared();
        stats(self.records().segment_set(), &shared.origin, shared.catalog_sizes())
    }
}

fn segments(view: &SegmentSet) -> Result<Vec<SegmentInfo>> {
    let size = view.size();
    let entries = view.entries();
    let ends = entries.iter().skip(1).map(|entry| entry.first).chain([size]);
    // Listed after the entries: what was sealed by then is there.
    let dir = &view.dir.segments();
    let names = view.dir.disk().list(dir).map_err(Error::io("list", dir))?;
    let files: BTreeSet<u64> = names.iter().filter_map(|name| names::parse_segment(name)).collect();
    let is_missing = |entry: &SegmentEntry| {
        entry.is_unknown() || entry.is_sealed_and_there() && !files.contains(&entry.ordinal)
    };
    let each = entries.iter().zip(ends).map(|(entry, end)| {
        let mut info = segment_info(view, entry, end)?;
        if is_missing(entry) {
            (info.status, info.sealed) = (SegmentStatus::Missing, true);
        }
        Ok(info)
    });
    each.collect()
}

fn segment_info(view: &SegmentSet, entry: &SegmentEntry, end: TreeSize) -> Result<SegmentInfo> {
    let path = view.dir.segment(entry.ordinal);
    let bytes = match (&entry.open, &entry.sealed) {
        (Some(open), _) => open.segment.file_len()?,
        (None, sealed) => sealed.as_ref().map_or(0, |sealed| sealed.bytes),
    };
    let times = entry.sealed.as_ref().map(|sealed| sealed.times.map(Timestamp::from_nanos));
    let index_bytes = match entry.is_sealed_and_there() {
        true => index_bytes(view, entry.ordinal)?,
        false => None,
    };
    let keep_until = entry.sealed.as_ref().map(|sealed| sealed.keep_until);
    let keep_until = keep_until.filter(|until| *until != 0).map(Timestamp::from_nanos);
    let index_root = entry.sealed.as_ref().map(|sealed| Hash::from_bytes(sealed.index_root));
    Ok(SegmentInfo {
        ordinal: entry.ordinal,
        first: entry.first,
        count: end.get().saturating_sub(entry.first.get()),
        bytes,
        sealed: entry.sealed.is_some(),
        status: SegmentStatus::of(entry),
        keep_until,
        recorded: times.map(|times| (times[0], times[1])),
        occurred: times.map(|times| (times[2], times[3])),
        path,
        index_bytes,
        index_root: index_root.filter(|root| *root != Hash::ZERO),
    })
}

/// Size of a segment's index file, if there is one.
fn index_bytes(view: &SegmentSet, ordinal: u64) -> Result<Option<u64>> {
    let path = view.dir.index(ordinal);
    if !view.dir.disk().exists(&path).map_err(Error::io("stat", &path))? {
        return Ok(None);
    }
    let file = view.dir.disk().open(&path, Open::Read).map_err(Error::io("open", &path))?;
    file.len().map(Some).map_err(Error::io("stat", &path))
}

fn stats(view: &SegmentSet, origin: &str, catalog: Option<CatalogSizes>) -> Result<Stats> {
    let (segments, gone): (Vec<SegmentInfo>, Vec<SegmentInfo>) =
        segments(view)?.into_iter().partition(|segment| segment.status.is_readable());
    let (missing, gone): (Vec<SegmentInfo>, Vec<SegmentInfo>) =
        gone.into_iter().partition(|segment| segment.status == SegmentStatus::Missing);
    Ok(Stats {
        origin: origin.to_owned(),
        log_id: view.dir.log_id(),
        algorithm: view.algorithm,
        size: view.size(),
        segments: segments.len() as u64,
        sealed_segments: segments.iter().filter(|segment| segment.sealed).count() as u64,
        dropped_segments: gone.len() as u64,
        dropped_records: gone.iter().map(|segment| segment.count).sum(),
        missing_segments: missing.len() as u64,
        segment_bytes: segments.iter().map(|segment| segment.bytes).sum(),
        index_bytes: segments.iter().filter_map(|segment| segment.index_bytes).sum(),
        protected: protected(view, &segments)?,
        segments_without_index: segments
            .iter()
            .filter(|segment| segment.sealed && segment.index_bytes.is_none())
            .count() as u64,
        tree_bytes: bytes_in(view.dir.disk(), &view.dir.tree())?,
        catalog_records: catalog.as_ref().map(|sizes| sizes.records.get()),
        signed_size: catalog.map(|sizes| sizes.signed).filter(|signed| signed.get() > 0),
    })
}

/// How many of the sealed segments are protected, and how many of those wholly.
fn protected(view: &SegmentSet, segments: &[SegmentInfo]) -> Result<(u64, u64)> {
    let (mut read_only, mut immutable) = (0, 0);
    for segment in segments.iter().filter(|segment| segment.sealed) {
        match view.dir.disk().protection(&segment.path) {
            Ok(protection) => {
                read_only += u64::from(protection >= Protection::ReadOnly);
                immutable += u64::from(protection == Protection::Immutable);
            }
            // A missing file is told by `verify`.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io("stat", &segment.path)(error)),
        }
    }
    Ok((read_only, immutable))
}

/// Bytes of all files in a directory.
fn bytes_in(disk: &dyn Disk, dir: &Path) -> Result<u64> {
    let names = disk.list(dir).map_err(Error::io("list", dir))?;
    let mut bytes = 0;
    for name in names {
        let path = dir.join(name);
        let file = disk.open(&path, Open::Read).map_err(Error::io("open", &path))?;
        bytes += file.len().map_err(Error::io("stat", &path))?;
    }
    Ok(bytes)
}

/// All segment files of a log, with their sizes, whatever is in them.
pub(crate) fn segment_files(dir: &LogDir) -> Result<Vec<(u64, PathBuf, u64)>> {
    let (disk, dir) = (dir.disk(), dir.segments());
    let names = disk.list(&dir).map_err(Error::io("list", &dir))?;
    let mut files = Vec::new();
    for ordinal in names.iter().filter_map(|name| names::parse_segment(name)) {
        let path = segment::path(&dir, ordinal);
        let file = disk.open(&path, Open::Read).map_err(Error::io("open", &path))?;
        let bytes = file.len().map_err(Error::io("stat", &path))?;
        files.push((ordinal, path, bytes));
    }
    files.sort_unstable();
    Ok(files)
}
