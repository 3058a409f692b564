//! [`SimDisk`]: a disk in memory that forgets on a crash what was not synced.
//!
//! For tests: crash safety is proved on it. What a crash may do is the list in
//! `docs/durability.md`, and it is chosen by a seed, so that every run replays.
//!
//! ```
//! use bulla::disk::{Disk, Open, sim::SimDisk};
//! use std::path::Path;
//!
//! let disk = SimDisk::new(7);
//! let file = disk.open(Path::new("a"), Open::CreateNew)?;
//! file.write_at(b"kept", 0)?;
//! file.sync_data()?;
//! disk.sync_dir(Path::new("/"))?;
//! file.write_at(b"perhaps", 4096)?;
//! disk.crash();
//! assert!(disk.read_file(Path::new("a"))?.starts_with(b"kept"));
//! # Ok::<(), std::io::Error>(())
//! ```

mod fault;
#[cfg(test)]
mod fault_laws;
mod file;
#[cfg(test)]
mod laws;
mod names;
mod node;
mod prng;
mod ranges;
mod shared;
mod state;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use super::{Disk, DiskFile, Open, Protection};
use shared::Shared;
use state::State;

pub use fault::{Fault, FaultKind};

/// A simulated disk. Clones are handles to the same disk; [`SimDisk::fork`] copies it.
///
/// It starts with an empty root directory, which `/`, `.` and the empty path name.
#[derive(Clone)]
pub struct SimDisk {
    shared: Arc<Shared>,
}

impl SimDisk {
    /// An empty disk without a limit, whose crashes are chosen by the seed.
    pub fn new(seed: u64) -> SimDisk {
        SimDisk::from_state(State::new(seed))
    }

    fn from_state(state: State) -> SimDisk {
        SimDisk { shared: Arc::new(Shared { state: Mutex::new(state), unlocked: Condvar::new() }) }
    }

    /// An independent copy of the disk as it is, unsynced changes, planned faults
    /// and stop included, whose crashes are chosen by another seed: so one workload
    /// can be crashed in many ways. Open files belong to the original.
    pub fn fork(&self, seed: u64) -> SimDisk {
        SimDisk::from_state(self.shared.state.lock().fork(seed))
    }

    /// The power goes and comes back: what was not synced is decided, what is there
    /// now is durable, open files are dead (each later call on them fails), locks are
    /// free, planned faults and stops are forgotten. The capacity stays.
    pub fn crash(&self) {
        self.shared.state.lock().crash();
        self.shared.unlocked.notify_all();
    }

    /// Stops the machine after `count` more changing operations: those are done, the
    /// next one is done in part or whole or not at all, and it and everything after
    /// it, reads too, fail until [`SimDisk::crash`].
    pub fn crash_after(&self, count: u64) {
        self.shared.state.lock().schedule.stop_after(count);
    }

    /// Whether the machine stopped, as planned by [`SimDisk::crash_after`].
    pub fn stopped(&self) -> bool {
        self.shared.state.lock().schedule.stopped()
    }

    /// Plans a failure.
    pub fn plan(&self, fault: Fault) {
        self.shared.state.lock().schedule.plan(fault);
    }

    /// How many planned failures have not struck yet.
    pub fn faults_outstanding(&self) -> usize {
        self.shared.state.lock().schedule.outstanding()
    }

    /// Limits the space for file data, in bytes, counted in sectors of 512: what does not
    /// fit is `StorageFull`. May be raised and lowered; `u64::MAX` is no limit.
    pub fn set_capacity(&self, bytes: u64) {
        self.shared.state.lock().capacity = bytes;
    }

    /// Limits how many files may be open at a time, as `ulimit -n` does: one more is `EMFILE`.
    /// May be raised and lowered; `u64::MAX` is no limit.
    pub fn set_open_limit(&self, files: u64) {
        self.shared.state.lock().open_limit = files;
    }

    /// How many files are open.
    pub fn open_files(&self) -> u64 {
        self.shared.state.lock().open_files()
    }

    /// Space that files take up, in bytes.
    pub fn used_bytes(&self) -> u64 {
        self.shared.state.lock().used_bytes()
    }

    /// How many changing operations were asked for so far, failed ones included:
    /// creations, renames, removals, writes, reservations, resizings and syncs.
    pub fn operations(&self) -> u64 {
        self.shared.state.lock().schedule.operations
    }

    /// How many syncs of files and directories were asked for so far.
    pub fn syncs(&self) -> u64 {
        self.shared.state.lock().syncs
    }

    /// The last thousand operations, oldest first: number, what, on what, its fate.
    pub fn trace(&self) -> Vec<String> {
        self.shared.state.lock().trace.iter().cloned().collect()
    }

    /// A file as a reader sees it now; works on a stopped machine too.
    ///
    /// # Errors
    /// `NotFound`, or `IsADirectory`.
    pub fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        let state = self.shared.state.lock();
        let id = state.names.file(path)?;
        Ok(state.files.get(&id).map(|file| file.node.data().to_vec()).unwrap_or_default())
    }

    /// Puts a file there, or in the place of its bytes, durable at once together
    /// with the names in its directory. Not counted as an operation.
    ///
    /// # Errors
    /// `NotFound` if the directory is missing, `IsADirectory`.
    pub fn write_file(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.shared.state.lock().plant(path, bytes.to_vec())
    }

    /// Inverts the bits of `mask` in one byte of a file, durably.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file ends before it; else as [`SimDisk::read_file`].
    pub fn flip_byte(&self, path: &Path, offset: u64, mask: u8) -> io::Result<()> {
        let mut state = self.shared.state.lock();
        let id = state.names.file(path)?;
        match state.files.get_mut(&id).map(|file| file.node.flip(offset, mask)) {
            Some(true) => Ok(()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl Disk for SimDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.shared.state.lock().create_dir(path)
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(file::SimFile::open(&self.shared, path, how)?))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.shared.state.lock();
        state.running()?;
        state.names.list(dir)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        let state = self.shared.state.lock();
        state.running()?;
        match state.names.get(path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn real_path(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }

    fn is_private(&self, path: &Path) -> io::Result<bool> {
        // There is nobody else.
        self.shared.state.lock().names.get(path).map(|_| true)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.shared.state.lock().rename(from, to)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.shared.state.lock().remove_dir(path)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.shared.state.lock().remove_file(path)
    }

    fn protect(&self, path: &Path, wanted: Protection) -> io::Result<Protection> {
        self.shared.state.lock().set_protection(path, wanted).map(|()| wanted)
    }

    fn unprotect(&self, path: &Path) -> io::Result<()> {
        self.shared.state.lock().set_protection(path, Protection::None)
    }

    fn protection(&self, path: &Path) -> io::Result<Protection> {
        let state = self.shared.state.lock();
        state.running()?;
        let id = state.names.file(path)?;
        Ok(state.files.get(&id).map_or(Protection::None, |file| file.protection))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.shared.state.lock().sync_dir(dir)
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.state.lock();
        write!(f, "SimDisk({} operations, {} syncs)", state.schedule.operations, state.syncs)
    }
}
