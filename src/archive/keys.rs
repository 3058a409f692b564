//! Names of archived files, and reading small ones.

use std::io;
use std::path::PathBuf;

use super::manifest::{LEN_MAX, Manifest, file};
use super::store::ArchiveStore;
use crate::error::{Error, Result};
use crate::format::LogId;

/// Bytes of an origin in the name of a folder, at most.
const NAME_LEN_MAX: usize = 64;

/// The folder that a segment has in an archive: one for each log, in which there is one for
/// each segment.
pub fn folder_of(origin: &str, log_id: LogId, ordinal: u64) -> String {
    let kept = |(at, byte): (usize, u8)| match byte {
        b'.' if at == 0 => '_',
        byte if byte.is_ascii_alphanumeric() || b".-_".contains(&byte) => char::from(byte),
        _ => '_',
    };
    let name: String = origin.bytes().take(NAME_LEN_MAX).enumerate().map(kept).collect();
    let log_id = log_id.to_string();
    format!("{name}-{}/{ordinal:08}", log_digits(&log_id))
}

/// The folders of a store, ascending: also those that were not finished, or have lost their
/// manifest.
///
/// # Errors
/// I/O.
pub fn folders(store: &dyn ArchiveStore) -> Result<Vec<String>> {
    let keys = store.list("").map_err(failed("list", store, ""))?;
    let is_ours = |name: &str| name == file::MANIFEST || file::ALL.contains(&name);
    let folder = |key: &String| {
        let (folder, name) = key.rsplit_once('/').unwrap_or(("", key));
        is_ours(name).then(|| folder.to_owned())
    };
    let mut folders: Vec<String> = keys.iter().filter_map(folder).collect();
    folders.sort_unstable();
    folders.dedup();
    Ok(folders)
}

/// The manifest of a folder, of which nothing but its own check was compared.
///
/// # Errors
/// `Corrupt` if it is none, or there is none; `Unsupported` if it is newer; I/O.
pub fn manifest(store: &dyn ArchiveStore, folder: &str) -> Result<Manifest> {
    let bytes = manifest_bytes(store, folder)?;
    let path = path_of(store, &key_of(folder, file::MANIFEST));
    let bytes = bytes.ok_or_else(|| Error::corrupt(&path, 0, "a manifest", "none"))?;
    Manifest::parse(&bytes).map_err(Error::format(&path, 0))
}

/// The bytes of a folder's manifest; `None` if there is none. One that is too long is cut
/// short, and so is none.
pub(crate) fn manifest_bytes(store: &dyn ArchiveStore, folder: &str) -> Result<Option<Vec<u8>>> {
    small(store, &key_of(folder, file::MANIFEST), LEN_MAX)
}

/// A small object; of one that is longer than `max` one byte more than that.
pub(crate) fn small(store: &dyn ArchiveStore, key: &str, max: u64) -> Result<Option<Vec<u8>>> {
    let Some(len) = store.len(key).map_err(failed("stat", store, key))? else { return Ok(None) };
    let wanted = usize::try_from(len.min(max.saturating_add(1))).unwrap_or(0);
    let (mut bytes, mut filled) = (vec![0; wanted], 0);
    while filled < wanted {
        let rest = bytes.get_mut(filled..).unwrap_or_default();
        let read = store.read_at(key, rest, filled as u64);
        match read.map_err(failed("read", store, key))? {
            0 => break,
            more => filled = wanted.min(filled.saturating_add(more)),
        }
    }
    bytes.truncate(filled);
    Ok(Some(bytes))
}

/// The key of a file in a folder; the folder "" is the store itself.
pub(crate) fn key_of(folder: &str, name: &str) -> String {
    match folder {
        "" => name.to_owned(),
        folder => format!("{folder}/{name}"),
    }
}

/// Where an object is, for people.
pub(crate) fn path_of(store: &dyn ArchiveStore, key: &str) -> PathBuf {
    let location = store.location();
    PathBuf::from(if key.is_empty() { location } else { format!("{location}/{key}") })
}

/// Where a folder is, for people and for the catalog.
pub(crate) fn place_of(store: &dyn ArchiveStore, folder: &str) -> String {
    path_of(store, folder).display().to_string()
}

/// Names what was tried of a store, and on which object.
pub(crate) fn failed(
    op: &'static str,
    store: &dyn ArchiveStore,
    key: &str,
) -> impl FnOnce(io::Error) -> Error {
    let path = path_of(store, key);
    move |source| Error::io(op, &path)(source)
}

/// The digits of a log id that stand in the names of folders.
pub(super) fn log_digits(log_id: &str) -> &str {
    log_id.get(..8).unwrap_or(log_id)
}
