//! A map as a file to read from.

use std::io;
use std::sync::Arc;

use crate::disk::files::DiskFile;
use crate::disk::map::Map;

/// See [`Map::as_file`].
#[derive(Debug)]
struct MappedFile(Map);

impl Map {
    /// The same bytes as a file that is only read, and that needs no handle of the system: so
    /// how many files are open does not grow with how many are mapped.
    pub fn as_file(&self) -> Arc<dyn DiskFile> {
        Arc::new(MappedFile(self.clone()))
    }
}

impl DiskFile for MappedFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.0.len());
        let rest = &self.0[from..];
        let read = rest.len().min(buf.len());
        buf[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        Err(read_only())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(read_only())
    }

    fn allocate(&self, _: u64, _: u64) -> io::Result<()> {
        Err(read_only())
    }

    fn sync_data(&self) -> io::Result<()> {
        Err(read_only())
    }

    fn drop_cache(&self, _: u64, _: u64) -> io::Result<()> {
        Ok(()) // advice
    }

    fn map(&self, len: u64) -> io::Result<Option<Map>> {
        Ok(Some(self.0.clone()).filter(|map| map.len() as u64 == len))
    }

    fn try_lock(&self) -> io::Result<bool> {
        Err(read_only())
    }

    fn lock(&self) -> io::Result<()> {
        Err(read_only())
    }

    fn unlock(&self) -> io::Result<()> {
        Err(read_only())
    }
}

fn read_only() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "expected an open file, found a map of one")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_like_the_file_and_never_written() {
        let map = Map::of_memory(Arc::new((0..10).collect()), 8).as_file();
        let mut buf = [0xff; 4];
        assert_eq!(map.read_at(&mut buf, 2).unwrap(), 4);
        assert_eq!(buf, [2, 3, 4, 5]);
        assert_eq!(map.read_at(&mut buf, 6).unwrap(), 2);
        assert_eq!(map.read_at(&mut buf, 8).unwrap(), 0);
        assert_eq!(map.read_at(&mut buf, u64::MAX).unwrap(), 0);
        assert_eq!(map.len().unwrap(), 8);
        assert!(map.write_at(&[1], 0).is_err() && map.set_len(1).is_err());
        assert!(map.sync_data().is_err() && map.lock().is_err());
        assert!(map.map(9).unwrap().is_none() && map.map(8).unwrap().is_some());
    }
}
