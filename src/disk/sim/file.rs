//! An open simulated file.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::shared::Shared;
use super::state::Handle;
use crate::disk::files::{DiskFile, Open};
use crate::disk::map::{Map, too_short};

pub(super) struct SimFile {
    shared: Arc<Shared>,
    handle: Handle,
}

impl SimFile {
    pub(super) fn open(
        shared: &Arc<Shared>,
        path: &std::path::Path,
        how: Open,
    ) -> io::Result<SimFile> {
        let handle = shared.state.lock().open(path, how)?;
        Ok(SimFile { shared: Arc::clone(shared), handle })
    }

    /// Takes the lock if it is free; whether it did.
    fn take_lock(&self, state: &mut super::state::State) -> io::Result<bool> {
        let lock = &mut state.file(&self.handle)?.lock;
        let holder = *lock.get_or_insert(self.handle.id);
        Ok(holder == self.handle.id)
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.shared.state.lock();
        let data = state.file(&self.handle)?.node.data();
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(data.len());
        let rest = &data[from..];
        let read = rest.len().min(buf.len());
        buf[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.shared.state.lock().write(&self.handle, bytes, offset)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.shared.state.lock().file(&self.handle)?.node.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.shared.state.lock().set_len(&self.handle, len)
    }

    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        if len == 0 {
            return Ok(());
        }
        self.shared.state.lock().allocate(&self.handle, offset, len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.shared.state.lock().sync_data(&self.handle)
    }

    fn drop_cache(&self, offset: u64, len: u64) -> io::Result<()> {
        self.shared.state.lock().drop_cache(&self.handle, offset, len)
    }

    fn map(&self, len: u64) -> io::Result<Option<Map>> {
        let mut state = self.shared.state.lock();
        let node = &state.file(&self.handle)?.node;
        match usize::try_from(len) {
            Ok(wanted) if len <= node.len() => {
                Ok(Some(Map::of_memory(Arc::clone(node.data()), wanted)))
            }
            _ => Err(too_short(len, node.len())),
        }
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.take_lock(&mut self.shared.state.lock())
    }

    fn lock(&self) -> io::Result<()> {
        let mut state = self.shared.state.lock();
        while !self.take_lock(&mut state)? {
            self.shared.unlocked.wait(&mut state);
        }
        Ok(())
    }

    fn unlock(&self) -> io::Result<()> {
        let mut state = self.shared.state.lock();
        let file = state.file(&self.handle)?;
        file.lock = file.lock.filter(|holder| *holder != self.handle.id);
        self.shared.unlocked.notify_all();
        Ok(())
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        self.shared.state.lock().close(&self.handle);
        self.shared.unlocked.notify_all();
    }
}

impl fmt::Debug for SimFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimFile({})", self.handle.path.display())
    }
}
