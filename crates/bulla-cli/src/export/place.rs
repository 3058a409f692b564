//! The directory that an export goes to.
//!
//! Files come into it whole: they are written under another name, synced, and renamed.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use bulla::checkpoint::{NOTE_LEN_MAX, UnverifiedCheckpoint};
use bulla::tiles::{BundleId, ENTRY_LEN_MAX, EntryBundle, TileHashes};
use bulla::{HashAlgorithm, TreeSize};

use super::{ExportError, MainLog};

/// Says whose export a directory is.
const MARKER: &str = "bulla-export";
const MARKER_TITLE: &str = "bulla tiles export, version 1\n";
const MARKER_LEN_MAX: u64 = 4096;
/// 256 entries of 65,535 bytes, each behind its length.
const BUNDLE_LEN_MAX: usize = 256 * (2 + ENTRY_LEN_MAX);
/// Files that are written before the first of them is synced: the later syncs then find
/// little left to do.
const BATCH: usize = 128;

/// The directory, claimed for one log and locked.
#[derive(Debug)]
pub(super) struct Place {
    root: PathBuf,
    /// Holds the lock.
    _marker: Marker,
    /// Written under another name, and not yet synced.
    unfinished: Vec<Unfinished>,
    /// Directories with new names in them.
    unsynced: BTreeSet<PathBuf>,
    bytes: u64,
    /// Whether altered files are replaced, and those that were.
    repair: bool,
    repaired: Vec<String>,
}

/// The file that says whose export this is, locked.
#[derive(Debug)]
struct Marker(File);

/// Closing it would not do: a child process that is being started has a copy of the descriptor, and the
/// lock with it, until it runs its program.
impl Drop for Marker {
    fn drop(&mut self) {
        let _ = self.0.unlock(); // closing releases it at the latest
    }
}

#[derive(Debug)]
struct Unfinished {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
}

impl Place {
    /// Takes the directory for this log: makes it, or goes on with an earlier export.
    pub(super) fn claim(out: &Path, source: &MainLog) -> Result<Self, ExportError> {
        refuse_nesting(out, source.dir())?;
        let made = !out.exists();
        fs::create_dir_all(out).map_err(ExportError::io("create", out))?;
        let path = out.join(MARKER);
        if !path.exists() && !holds_nothing_but(out, MARKER)? {
            return Err(ExportError::Place {
                path: out.to_owned(),
                reason: format!(
                    "expected an empty directory or an earlier export of this log, found other \
                     files and no {MARKER}; give another directory"
                ),
            });
        }
        let marker = claim_marker(&path, out, source.origin())?;
        let mut place = Place {
            root: out.to_owned(),
            _marker: marker,
            unfinished: Vec::new(),
            unsynced: BTreeSet::from([out.to_owned()]),
            bytes: 0,
            repair: false,
            repaired: Vec::new(),
        };
        if made && let Some(parent) = out.parent() {
            place.unsynced.insert(parent.to_owned());
        }
        place.sync()?;
        Ok(place)
    }

    /// Whether tiles and bundles that are others than the log has are replaced.
    pub(super) fn repair(&mut self, repair: bool) {
        self.repair = repair;
    }

    /// Those that were.
    pub(super) fn repaired(&self) -> Vec<String> {
        self.repaired.clone()
    }

    /// Whether a bundle is there whole: its entries lead to these hashes, which the log has of
    /// them. Then the records need not be read.
    pub(super) fn has_entries(&self, bundle: BundleId, hashes: &[u8]) -> Result<bool, ExportError> {
        let path = self.root.join(bundle.to_string());
        let Some(bytes) = read_if_there(&path, BUNDLE_LEN_MAX)? else { return Ok(false) };
        let entries = EntryBundle::parse(bundle, &bytes);
        let leaves = entries.map(|entries| entries.leaf_hashes(HashAlgorithm::Sha256));
        let hashes = TileHashes::parse(bundle.tile(), hashes);
        Ok(matches!((leaves, hashes), (Ok(leaves), Ok(hashes)) if leaves == hashes.hashes()))
    }

    /// Bytes written so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The checkpoint that is served, and its path.
    pub(super) fn published(
        &mut self,
    ) -> Result<Option<(PathBuf, UnverifiedCheckpoint)>, ExportError> {
        let path = self.root.join("checkpoint");
        match read_if_there(&path, NOTE_LEN_MAX)? {
            Some(bytes) => Ok(Some((path.clone(), parse_checkpoint(&path, &bytes)?))),
            None => Ok(None),
        }
    }

    /// Puts a file that never changes; whether it had to be written. It is sure to be on
    /// disk only after [`Place::sync`].
    pub(super) fn put(&mut self, name: &str, bytes: &[u8]) -> Result<bool, ExportError> {
        let path = self.root.join(name);
        match read_if_there(&path, bytes.len())? {
            Some(found) if found == bytes => return Ok(false),
            Some(_) if self.repair => self.repaired.push(path.display().to_string()),
            Some(found) => {
                return Err(ExportError::Conflict {
                    what: path.display().to_string(),
                    expected: format!("the {} bytes that the log has there", bytes.len()),
                    found: difference(bytes, &found),
                });
            }
            None => {}
        }
        self.begin(path, bytes)?;
        if self.unfinished.len() >= BATCH {
            self.finish()?;
        }
        Ok(true)
    }

    /// The widest form of a bundle that was exported, up to the width of this one: its path, its
    /// name and its bytes. Nobody has checked them.
    pub(super) fn widest(
        &self,
        bundle: BundleId,
    ) -> Result<Option<(PathBuf, BundleId, Vec<u8>)>, ExportError> {
        for width in (1..=bundle.width()).rev() {
            let Ok(earlier) = BundleId::new(bundle.index(), width) else { continue };
            let path = self.root.join(earlier.to_string());
            if let Some(bytes) = read_if_there(&path, BUNDLE_LEN_MAX)? {
                return Ok(Some((path, earlier, bytes)));
            }
        }
        Ok(None)
    }

    /// Keeps a checkpoint under its size; whether something had to be written. Of the same
    /// head the log's own copy stands, because cosignatures are added there.
    pub(super) fn keep_checkpoint(
        &mut self,
        size: TreeSize,
        checkpoint: &UnverifiedCheckpoint,
    ) -> Result<bool, ExportError> {
        let path = self.root.join("checkpoints").join(size.to_string());
        let text = checkpoint.to_text();
        if let Some(found) = read_if_there(&path, NOTE_LEN_MAX)? {
            if found == text.as_bytes() {
                return Ok(false);
            }
            match check_same_head(&path, &found, checkpoint) {
                Err(_) if self.repair => self.repaired.push(path.display().to_string()),
                same => same?,
            }
        }
        self.begin(path, text.as_bytes())?;
        Ok(true)
    }

    /// Replaces a file in one step, on disk when this returns.
    pub(super) fn replace(&mut self, name: &str, bytes: &[u8]) -> Result<(), ExportError> {
        let path = self.root.join(name);
        if read_if_there(&path, bytes.len())?.is_some_and(|found| found == bytes) {
            return Ok(());
        }
        self.begin(path, bytes)?;
        self.sync()
    }

    /// Has everything that was put on disk.
    pub(super) fn sync(&mut self) -> Result<(), ExportError> {
        self.finish()?;
        while let Some(dir) = self.unsynced.pop_last() {
            sync_dir(&dir).map_err(ExportError::io("sync", &dir))?;
        }
        Ok(())
    }

    /// Removes the partial forms of a tile or bundle, given the path of one of them. How
    /// many there were.
    pub(super) fn remove_partial(&mut self, name: &str) -> Result<u64, ExportError> {
        let path = self.root.join(name);
        let Some(dir) = path.parent() else { return Ok(0) };
        // A link in place of the directory leads to files that are none of ours.
        match fs::symlink_metadata(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(ExportError::io("list", dir)(io::ErrorKind::NotADirectory.into())),
            Err(error) => return Err(ExportError::io("look at", dir)(error)),
        }
        let mut removed = 0;
        for name in fs::read_dir(dir).map_err(ExportError::io("list", dir))? {
            let path = name.map_err(ExportError::io("list", dir))?.path();
            if is_partial_name(&path) {
                fs::remove_file(&path).map_err(ExportError::io("remove", &path))?;
                removed += 1;
            }
        }
        match fs::remove_dir(dir) {
            // Somebody else's file is in it.
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(removed),
            done => done.map(|()| removed).map_err(ExportError::io("remove", dir)),
        }
    }

    /// Writes a file under another name.
    fn begin(&mut self, path: PathBuf, bytes: &[u8]) -> Result<(), ExportError> {
        self.make_dir_of(&path)?;
        let mut temporary = path.clone().into_os_string();
        temporary.push(".tmp");
        let temporary = PathBuf::from(temporary);
        let written = create_anew(&temporary).and_then(|mut file| {
            file.write_all(bytes)?;
            Ok(file)
        });
        let file = written.map_err(ExportError::io("write", &path))?;
        self.bytes += bytes.len() as u64;
        self.unfinished.push(Unfinished { file, temporary, path });
        Ok(())
    }

    /// Syncs what was written and gives it its name.
    fn finish(&mut self) -> Result<(), ExportError> {
        for Unfinished { file, path, .. } in &self.unfinished {
            file.sync_data().map_err(ExportError::io("sync", path))?;
        }
        for Unfinished { temporary, path, .. } in self.unfinished.drain(..) {
            fs::rename(&temporary, &path).map_err(ExportError::io("rename", &path))?;
            if let Some(dir) = path.parent() {
                self.unsynced.insert(dir.to_owned());
            }
        }
        Ok(())
    }

    fn make_dir_of(&mut self, path: &Path) -> Result<(), ExportError> {
        let Some(dir) = path.parent() else { return Ok(()) };
        let mut missing = dir;
        // Every directory that is new has its name in the one above.
        while missing.starts_with(&self.root) && !missing.exists() {
            let Some(above) = missing.parent() else { break };
            self.unsynced.insert(above.to_owned());
            missing = above;
        }
        fs::create_dir_all(dir).map_err(ExportError::io("create", dir))
    }
}

/// A log directory holds payloads: it must not come under what is served, nor the other
/// way round.
fn refuse_nesting(out: &Path, log: &Path) -> Result<(), ExportError> {
    let real = |path: &Path| {
        // Of a path that is not there yet, the part that is decides.
        let mut at = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let mut behind = PathBuf::new();
        loop {
            if let Ok(real) = fs::canonicalize(&at) {
                return if behind.as_os_str().is_empty() { real } else { real.join(behind) };
            }
            let Some(name) = at.file_name().map(PathBuf::from) else { return at.join(behind) };
            behind = if behind.as_os_str().is_empty() { name } else { name.join(behind) };
            if !at.pop() {
                return behind;
            }
        }
    };
    let (out_real, log_real) = (real(out), real(log));
    let reason = if out_real.starts_with(&log_real) {
        "inside the log's directory"
    } else if log_real.starts_with(&out_real) {
        "above the log's directory, whose payloads would be served"
    } else {
        return Ok(());
    };
    Err(ExportError::Place {
        path: out.to_owned(),
        reason: format!("the export must not go {reason}; give another directory"),
    })
}

fn holds_nothing_but(dir: &Path, name: &str) -> Result<bool, ExportError> {
    for entry in fs::read_dir(dir).map_err(ExportError::io("list", dir))? {
        if entry.map_err(ExportError::io("list", dir))?.file_name() != name {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Locks the marker, and writes it if it is new.
fn claim_marker(path: &Path, out: &Path, origin: &str) -> Result<Marker, ExportError> {
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(ExportError::io("open", path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(ExportError::Busy { path: out.to_owned() }),
        Err(TryLockError::Error(error)) => return Err(ExportError::io("lock", path)(error)),
    }
    let mut marker = Marker(file);
    let mut found = Vec::new();
    let mut reader = Read::by_ref(&mut marker.0).take(MARKER_LEN_MAX);
    reader.read_to_end(&mut found).map_err(ExportError::io("read", path))?;
    let expected = format!("{MARKER_TITLE}{origin}\n");
    if found == expected.as_bytes() {
        return Ok(marker);
    }
    // A claim that a crash cut short: nothing was exported under it.
    if expected.as_bytes().starts_with(&found) && holds_nothing_but(out, MARKER)? {
        let rest = expected.as_bytes().get(found.len()..).unwrap_or_default();
        let written = marker.0.write_all(rest).and_then(|()| marker.0.sync_data());
        written.map_err(ExportError::io("write", path))?;
        return Ok(marker);
    }
    let found = String::from_utf8_lossy(&found);
    let reason = match found.strip_prefix(MARKER_TITLE) {
        Some(other) => format!(
            "expected an export of {origin}, found one of {}; give another directory",
            other.trim_end()
        ),
        None => format!("{MARKER} is not one that this version writes; give another directory"),
    };
    Err(ExportError::Place { path: out.to_owned(), reason })
}

/// What a file holds, of one that is expected to have at most this many bytes: one byte more
/// shows that it has more.
fn read_if_there(path: &Path, len_max: usize) -> Result<Option<Vec<u8>>, ExportError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(ExportError::io("open", path))?,
    };
    let mut found = Vec::new();
    file.take(len_max as u64 + 1).read_to_end(&mut found).map_err(ExportError::io("read", path))?;
    Ok(Some(found))
}

/// That a kept checkpoint is of the head that the log has at its size.
fn check_same_head(
    path: &Path,
    found: &[u8],
    own: &UnverifiedCheckpoint,
) -> Result<(), ExportError> {
    let found = parse_checkpoint(path, found)?;
    let (found, own) = (found.dangerously_unverified(), own.dangerously_unverified());
    if found == own {
        return Ok(());
    }
    Err(ExportError::Conflict {
        what: path.display().to_string(),
        expected: format!("size {} with root {}", own.head().size, own.head().root),
        found: format!("size {} with root {}", found.head().size, found.head().root),
    })
}

fn parse_checkpoint(path: &Path, bytes: &[u8]) -> Result<UnverifiedCheckpoint, ExportError> {
    UnverifiedCheckpoint::parse(bytes).map_err(|error| ExportError::Conflict {
        what: path.display().to_string(),
        expected: "a checkpoint of this log".to_owned(),
        found: error.to_string(),
    })
}

fn difference(expected: &[u8], found: &[u8]) -> String {
    match expected.iter().zip(found).position(|(expected, found)| expected != found) {
        Some(at) => format!("others from byte {at} on"),
        None if found.len() > expected.len() => "more".to_owned(),
        None => format!("only {} of them", found.len()),
    }
}

#[cfg(unix)]
fn sync_dir(dir: &Path) -> io::Result<()> {
    // The empty path is the parent of a name without directories.
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    File::open(dir)?.sync_all()
}

#[cfg(not(unix))]
fn sync_dir(_dir: &Path) -> io::Result<()> {
    Ok(()) // directories cannot be opened; renames are ordered by the file system
}

/// The width of a partial tile or bundle, or one that a crash left behind.
fn is_partial_name(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let width = name.strip_suffix(".tmp").unwrap_or(name);
    width.parse::<u8>().is_ok_and(|number| number > 0 && number.to_string() == width)
}

/// Makes a new file, in place of one that a crash left; never through a link.
fn create_anew(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    File::options().write(true).create_new(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A copy of the descriptor, as a child process has one until it starts another program.
    #[test]
    fn an_export_that_ended_leaves_no_lock_though_a_copy_of_its_descriptor_is_open() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(MARKER);
        let claim = || claim_marker(&path, dir.path(), "example.com/audit");
        let marker = claim().unwrap();
        let copy = marker.0.try_clone().unwrap();
        assert!(matches!(claim(), Err(ExportError::Busy { .. })));
        drop(marker);
        claim().unwrap();
        drop(copy);
    }
}
