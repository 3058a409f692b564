//! The two copies of the catalog: the good one mends the other.

use std::path::{Path, PathBuf};

use super::load::{self, Loaded};
use crate::disk::{Disk, Open};
use crate::error::{Error, Result};
use crate::format::catalog_body::Snapshot;
use crate::format::{LogId, Stream, names};
use crate::segment::{self, recover};

/// What opening had to do to the catalog, to be recorded in it.
#[derive(Clone, Debug)]
pub struct Mended {
    /// The segment concerned.
    pub ordinal: u64,
    /// Where in it the bytes stood.
    pub offset: u64,
    /// How many were set aside.
    pub len: u64,
    /// The file in `quarantine/`.
    pub file: String,
    /// Why.
    pub reason: String,
    /// Whether they are a whole file of one copy, which was made equal to the other.
    pub is_copy: bool,
    /// Whether writing must go on in a new segment.
    pub(super) rotate: bool,
}

/// Reads both copies, takes the longer good one, and makes the other equal to it. Bytes
/// that are replaced are set aside first.
pub(super) fn load_and_mend(
    disk: &dyn Disk,
    copies: &[PathBuf; 2],
    log_id: LogId,
    snapshot: Option<&Snapshot>,
    quarantine: &Path,
) -> Result<(Loaded, Vec<Mended>)> {
    for copy in copies {
        sync_and_forget(disk, copy)?;
    }
    // Damage below the snapshot is not met when the replay begins there; comparing is cheap.
    let snapshot = if newest_are_equal(disk, copies)? { snapshot } else { None };
    let read = [0, 1].map(|n| load::load(disk, &copies[n], log_id, snapshot));
    let (good, loaded, other) = choose(read)?;
    let mut mended = Vec::new();
    if let Some(torn) = &loaded.torn {
        mended.push(cut_torn(disk, &loaded, torn, quarantine)?);
    }
    let why = match other {
        Ok(other) => difference(&loaded, &other),
        Err(error) => Some(damage(error)),
    };
    if let Some(reason) = why {
        let bad = &copies[1 - good];
        mended.extend(copy_over(disk, &copies[good], bad, quarantine, &reason)?);
    }
    Ok((loaded, mended))
}

/// Whether the newest segments of both copies hold the same bytes.
fn newest_are_equal(disk: &dyn Disk, copies: &[PathBuf; 2]) -> Result<bool> {
    let mut newest = Vec::new();
    for copy in copies {
        if !disk.exists(copy).map_err(Error::io("look for", copy))? {
            return Ok(false);
        }
        let Some(ordinal) = load::ordinals(disk, copy)?.pop() else { return Ok(false) };
        newest.push((ordinal, read(disk, &segment::path(copy, ordinal)).ok()));
    }
    Ok(newest[0].1.is_some() && newest[0] == newest[1])
}

/// What is read of a copy is what the device holds.
fn sync_and_forget(disk: &dyn Disk, copy: &Path) -> Result<()> {
    if !disk.exists(copy).map_err(Error::io("look for", copy))? {
        return Ok(());
    }
    let Some(newest) = load::ordinals(disk, copy)?.pop() else { return Ok(()) };
    let path = segment::path(copy, newest);
    let file = disk.open(&path, Open::ReadWrite).map_err(Error::io("open", &path))?;
    recover::sync_and_forget(&*file, &path, 0)
}

/// The longer of the good copies, which one it is, and the other.
fn choose(read: [Result<Loaded>; 2]) -> Result<(usize, Loaded, Result<Loaded>)> {
    match read {
        // What a newer version wrote is no damage that the other copy could mend.
        [Err(newer @ Error::Unsupported { .. }), _]
        | [_, Err(newer @ Error::Unsupported { .. })] => Err(newer),
        [Ok(a), Ok(b)] if b.end.size > a.end.size => Ok((1, b, Ok(a))),
        [Ok(a), b] => Ok((0, a, b)),
        [a, Ok(b)] => Ok((1, b, a)),
        [Err(a), Err(_)] => Err(a),
    }
}

/// Why the other copy is not equal to the good one, if it is not.
fn difference(good: &Loaded, other: &Loaded) -> Option<String> {
    let same = good.end == other.end
        && good.segment.header == other.segment.header
        && good.replayed.frontier.root() == other.replayed.frontier.root();
    if same && other.torn.is_none() {
        return None;
    }
    let (sizes, torn) = ((good.end.size, other.end.size), other.torn.as_ref());
    Some(match torn {
        Some(torn) => format!("torn behind record {}: {}", sizes.1, torn.reason),
        None if sizes.0 == sizes.1 => "the other copy holds other records".to_owned(),
        None => format!("the other copy holds {} records, this one {}", sizes.0, sizes.1),
    })
}

/// What is wrong with a copy. What to do is no part of it, as the other copy mends it.
fn damage(error: Error) -> String {
    match error {
        Error::Corrupt { path, offset, expected, found } => {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            let name = name.unwrap_or_default();
            format!("expected {expected} at offset {offset} of {name}, found {found}")
        }
        other => other.to_string(),
    }
}

fn cut_torn(
    disk: &dyn Disk,
    loaded: &Loaded,
    torn: &recover::Torn,
    quarantine: &Path,
) -> Result<Mended> {
    let (ordinal, offset) = (loaded.segment.header.ordinal, loaded.end.offset);
    let name = names::torn(Stream::Catalog, ordinal, offset);
    let path = loaded.segment.path.as_path();
    let file = disk.open(path, Open::ReadWrite).map_err(Error::io("open", path))?;
    let kept = recover::copy_aside(disk, quarantine, &name, (&*file, path), (offset, torn.len))?;
    file.set_len(offset).map_err(Error::io("cut", path))?;
    file.sync_data().map_err(Error::sync(path))?;
    let file = kept;
    let reason = torn.reason.to_string();
    Ok(Mended { ordinal, offset, len: torn.len, file, reason, is_copy: false, rotate: true })
}

/// Makes one copy equal to the other, file by file; what differs is set aside whole.
fn copy_over(
    disk: &dyn Disk,
    good: &Path,
    bad: &Path,
    quarantine: &Path,
    reason: &str,
) -> Result<Vec<Mended>> {
    if !disk.exists(bad).map_err(Error::io("look for", bad))? {
        crate::disk::make_dir(disk, bad).map_err(Error::io("create", bad))?;
    }
    let mut mended = Vec::new();
    let good_ordinals = load::ordinals(disk, good)?;
    for ordinal in load::ordinals(disk, bad)? {
        let path = segment::path(bad, ordinal);
        let old = read(disk, &path)?;
        let same =
            good_ordinals.contains(&ordinal) && read(disk, &segment::path(good, ordinal))? == old;
        if same || old.iter().all(|byte| *byte == 0) {
            continue;
        }
        let file = recover::keep(disk, quarantine, &names::replaced_copy(ordinal), &old)?;
        let (len, reason) = (old.len() as u64, reason.to_owned());
        mended.push(Mended { ordinal, offset: 0, len, file, reason, is_copy: true, rotate: false });
    }
    for ordinal in good_ordinals {
        let (from, to) = (segment::path(good, ordinal), segment::path(bad, ordinal));
        let bytes = read(disk, &from)?;
        if read(disk, &to).ok().as_ref() != Some(&bytes) {
            overwrite(disk, &to, &bytes)?;
        }
    }
    Ok(mended)
}

/// Puts bytes into a file, durably: into the one that is there, not beside it and renamed. A
/// service may have it open, and would go on writing to a file that has no name any more. A crash
/// in between leaves what the good copy mends again.
fn overwrite(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<()> {
    if !disk.exists(path).map_err(Error::io("look for", path))? {
        return crate::disk::replace_file(disk, path, bytes).map_err(Error::io("mend", path));
    }
    let file = disk.open(path, Open::ReadWrite).map_err(Error::io("open", path))?;
    let len = file.len().map_err(Error::io("stat", path))?;
    if len > bytes.len() as u64 {
        file.set_len(bytes.len() as u64).map_err(Error::io("cut", path))?;
    }
    file.write_at(bytes, 0).map_err(Error::io("mend", path))?;
    file.sync_data().map_err(Error::sync(path))
}

/// A catalog segment is about a megabyte; anything much larger is not one.
pub(super) const MAX_SEGMENT: u64 = 64 << 20;

fn read(disk: &dyn Disk, path: &Path) -> Result<Vec<u8>> {
    crate::disk::read_file(disk, path, MAX_SEGMENT).map_err(Error::io("read", path))
}
