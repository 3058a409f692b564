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

/// The name of the segment with this ordinal.
pub fn file_name(ordinal: u64) -> String {
    format!("{ordinal:08}.seg")
}

/// The ordinal in a segment's name; `None` for any other name.
pub fn parse_file_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".seg")?;
    let ordinal = digits.parse().ok()?;
    (ordinal > 0 && file_name(ordinal) == name).then_some(ordinal)
}

/// The path of the segment with this ordinal.
pub fn path(dir: &Path, ordinal: u64) -> PathBuf {
    dir.join(file_name(ordinal))
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
    for ordinal in names.iter().filter_map(|name| parse_file_name(name)) {
        match bytes::SegmentFile::open(disk, &path(dir, ordinal), Open::Read) {
            Ok(Some(segment)) => return Ok(Some(segment.header)),
            Err(error @ Error::Unsupported { .. }) => return Err(error),
            Ok(None) | Err(_) => {}
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_others_are_ignored() {
        for ordinal in [1, 99_999_999, 123_456_789_012] {
            assert_eq!(parse_file_name(&file_name(ordinal)), Some(ordinal));
        }
        for other in ["1.seg", "00000000.seg", "00000001.idx", "+0000001.seg", "x", ".seg"] {
            assert_eq!(parse_file_name(other), None, "{other}");
        }
    }
}
