//! Segments: files of frames. One is active, the others are sealed and immutable.
//!
//! - [`bytes`]: where a segment's bytes come from, a file or a map;
//! - [`scan`]: walks frames and records, checking each;
//! - [`recover`]: finds the end of a segment that was not sealed;
//! - [`active`]: the one that is written;
//! - [`seal`]: turns an active one into a sealed one;
//! - [`locate`]: finds a record by its Seq.
//!
//! The main log and the catalog use the same code.

pub mod active;
pub mod bytes;
pub mod locate;
pub mod recover;
pub mod scan;
pub mod seal;

use std::path::{Path, PathBuf};

use crate::disk::{Disk, Open};
use crate::error::{Error, Result};
use crate::format::header::SegmentHeader;
use crate::format::names;

/// The path of the segment with this ordinal.
pub fn path(dir: &Path, ordinal: u64) -> PathBuf {
    dir.join(names::segment(ordinal))
}

/// The header of the first readable segment in a directory.
///
/// # Errors
/// I/O, a newer version.
pub fn identify(disk: &dyn Disk, dir: &Path) -> Result<Option<SegmentHeader>> {
    if !disk.exists(dir).map_err(Error::io("look for", dir))? {
        return Ok(None);
    }
    let names = disk.list(dir).map_err(Error::io("list", dir))?;
    for ordinal in names.iter().filter_map(|name| names::parse_segment(name)) {
        match bytes::SegmentFile::open(disk, &path(dir, ordinal), Open::Read) {
            Ok(Some(segment)) => return Ok(Some(segment.header)),
            Err(error @ Error::Unsupported { .. }) => return Err(error),
            Ok(None) | Err(_) => {}
        }
    }
    Ok(None)
}
