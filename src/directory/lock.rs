//! The LOCK file: one process writes a log at a time, and publishes in it how far the log is durable.

use std::sync::Arc;

use crate::directory::LogDir;
use crate::disk::{self, DiskFile, Open, read_exact_at};
use crate::error::{Error, Result};
use crate::format::LogId;
use crate::format::lock::{self, LockFile};
use crate::seq::TreeSize;

/// Locks a log for this process.
///
/// # Errors
/// `Locked` if another process, or another handle of this one, has it; I/O.
pub(crate) fn take(dir: &LogDir) -> Result<Arc<dyn DiskFile>> {
    let (disk, path) = (dir.disk(), dir.lock_file());
    // A copy of a log may come without it.
    let opened = disk::open_lock_file(disk, &path, Open::CreateNew);
    let file = opened.map_err(Error::io("open", &path))?;
    if file.try_lock().map_err(Error::io("lock", &path))? {
        return Ok(file);
    }
    Err(Error::Locked { path: dir.path().to_owned(), pid: read(&*file).map(|lock| lock.pid) })
}

/// What the writer published; `None` if it is half written or damaged.
pub(crate) fn read(file: &dyn DiskFile) -> Option<LockFile> {
    let mut buf = [0; lock::LEN];
    read_exact_at(file, &mut buf, 0).ok()?;
    LockFile::decode(&buf).ok()
}

/// Publishes how far the log is durable, and in which segment it is written. Readers in other
/// processes go by it; recovery never does, so a failure is harmless.
pub(crate) fn publish(file: &dyn DiskFile, log_id: LogId, durable: TreeSize, ordinal: u64) {
    let lock = LockFile { pid: std::process::id(), log_id, durable, ordinal };
    let _ = file.write_at(&lock.encode(), 0);
}
