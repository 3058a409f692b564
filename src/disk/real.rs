//! [`RealDisk`]: the file system of the operating system.
//!
//! Files are made with mode 0640 and directories with 0750 (both less the umask):
//! an audit log is read by its service and the group of its auditors, not by
//! everybody. What is particular to one system is in [`system`].

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::disk::files::{Disk, DiskFile, Open, Protection};
use crate::disk::map::Map;

/// The file system of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        system::shared_dir(&mut builder);
        builder.create(path).map_err(full)
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(how != Open::Read);
        match how {
            Open::Read | Open::ReadWrite => {}
            Open::CreateNew => system::shared_file(options.create_new(true)),
            Open::CreateNewPrivate => system::private_file(options.create_new(true)),
        }
        // A pipe put in a file's place must not keep us waiting for its other end.
        system::never_wait(&mut options);
        let file = options.open(path).map_err(full)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "expected a regular file"));
        }
        Ok(Arc::new(RealFile::new(file)))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            names.extend(entry?.file_name().into_string().ok());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        std::fs::exists(path)
    }

    fn real_path(&self, path: &Path) -> io::Result<PathBuf> {
        std::fs::canonicalize(path)
    }

    fn is_private(&self, path: &Path) -> io::Result<bool> {
        system::is_private(&std::fs::metadata(path)?)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to).map_err(full)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_dir(path)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn protect(&self, path: &Path, wanted: Protection) -> io::Result<Protection> {
        if self.protection(path)? >= wanted {
            return Ok(wanted);
        }
        let file = File::open(path)?;
        if wanted >= Protection::ReadOnly {
            let mut permissions = file.metadata()?.permissions();
            permissions.set_readonly(true);
            file.set_permissions(permissions)?;
        }
        if wanted == Protection::Immutable && system::set_immutable(&file, true).is_err() {
            return Ok(Protection::ReadOnly);
        }
        Ok(wanted)
    }

    fn unprotect(&self, path: &Path) -> io::Result<()> {
        match self.protection(path)? {
            Protection::Immutable => system::set_immutable(&File::open(path)?, false),
            Protection::None | Protection::ReadOnly => Ok(()),
        }
    }

    fn protection(&self, path: &Path) -> io::Result<Protection> {
        let file = File::open(path)?;
        if system::is_immutable(&file) {
            return Ok(Protection::Immutable);
        }
        match file.metadata()?.permissions().readonly() {
            true => Ok(Protection::ReadOnly),
            false => Ok(Protection::None),
        }
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        system::sync_dir(dir).map_err(full)
    }
}

#[derive(Debug)]
struct RealFile {
    file: File,
    /// Whether this handle has taken the file's lock.
    is_locked: AtomicBool,
}

/// Closing a file releases its lock only when the last copy of the descriptor is closed, and a child
/// process has copies of all descriptors from its creation until it starts another program. So the
/// lock is released here: whoever opens the file next does not find it taken by a closed handle.
impl Drop for RealFile {
    fn drop(&mut self) {
        if *self.is_locked.get_mut() {
            let _ = self.file.unlock(); // closing releases it at the latest
        }
    }
}

impl DiskFile for RealFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buf.len() {
            match system::read_at(&self.file, &mut buf[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        system::write_all_at(&self.file, bytes, offset).map_err(full)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len).map_err(full)
    }

    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        if len == 0 {
            return Ok(());
        }
        let done = system::allocate(&self.file, offset, len).map_err(full)?;
        if done { Ok(()) } else { self.append_zeros(offset.saturating_add(len)) }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data().map_err(full)
    }

    fn drop_cache(&self, offset: u64, len: u64) -> io::Result<()> {
        system::drop_cache(&self.file, offset, len)
    }

    fn map(&self, len: u64) -> io::Result<Option<Map>> {
        Map::of_file(&self.file, len).map(Some)
    }

    fn try_lock(&self) -> io::Result<bool> {
        let locked = match retry(|| match self.file.try_lock() {
            Err(TryLockError::Error(error)) => Err(error),
            Err(TryLockError::WouldBlock) => Ok(false),
            Ok(()) => Ok(true),
        }) {
            // Some systems say it in the error's kind.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            outcome => outcome,
        }?;
        self.is_locked.fetch_or(locked, Ordering::Relaxed);
        Ok(locked)
    }

    fn lock(&self) -> io::Result<()> {
        retry(|| self.file.lock())?;
        self.is_locked.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn unlock(&self) -> io::Result<()> {
        self.file.unlock()?;
        self.is_locked.store(false, Ordering::Relaxed);
        Ok(())
    }
}

impl RealFile {
    fn new(file: File) -> Self {
        RealFile { file, is_locked: AtomicBool::new(false) }
    }

    /// Grows the file to `end` by writing zeros, where space cannot be reserved
    /// otherwise. Bytes that are there stay; holes in them are not filled.
    fn append_zeros(&self, end: u64) -> io::Result<()> {
        const ZEROS: &[u8] = &[0; 64 * 1024];
        let mut at = self.len()?;
        while at < end {
            let step = (end - at).min(ZEROS.len() as u64);
            self.write_at(&ZEROS[..usize::try_from(step).unwrap_or(ZEROS.len())], at)?;
            at += step;
        }
        Ok(())
    }
}

/// Repeats a call that a signal interrupted.
fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

/// A used-up quota is a full disk too, and so is the limit on a file's size: the caller makes
/// space, or has the limit raised, and tries again.
fn full(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            io::Error::new(io::ErrorKind::StorageFull, error)
        }
        _ => error,
    }
}

/// Unix, with Linux calls where there are any.
#[cfg(unix)]
mod system {
    use std::fs::{DirBuilder, File, OpenOptions};
    use std::io;
    use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
    use std::path::Path;

    pub(super) fn shared_dir(builder: &mut DirBuilder) {
        builder.mode(0o750);
    }

    pub(super) fn shared_file(options: &mut OpenOptions) {
        options.mode(0o640);
    }

    pub(super) fn private_file(options: &mut OpenOptions) {
        options.mode(0o600);
    }

    pub(super) fn never_wait(options: &mut OpenOptions) {
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }

    pub(super) fn is_private(metadata: &std::fs::Metadata) -> io::Result<bool> {
        use std::os::unix::fs::PermissionsExt as _;
        Ok(metadata.permissions().mode() & 0o077 == 0)
    }

    pub(super) fn read_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        file.read_at(buf, offset)
    }

    pub(super) fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        file.write_all_at(bytes, offset)
    }

    pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    /// Reserves space and grows the file; `false` if the file system cannot.
    #[cfg(target_os = "linux")]
    pub(super) fn allocate(file: &File, offset: u64, len: u64) -> io::Result<bool> {
        use rustix::fs::{FallocateFlags, fallocate};
        use rustix::io::Errno;
        loop {
            match fallocate(file, FallocateFlags::empty(), offset, len) {
                Ok(()) => return Ok(true),
                Err(Errno::INTR) => {}
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn allocate(_file: &File, _offset: u64, _len: u64) -> io::Result<bool> {
        Ok(false)
    }

    #[cfg(target_os = "linux")]
    pub(super) fn drop_cache(file: &File, offset: u64, len: u64) -> io::Result<()> {
        // To the system a length of nothing means "to the end"; to us it means nothing.
        let Some(len) = std::num::NonZeroU64::new(len) else { return Ok(()) };
        Ok(rustix::fs::fadvise(file, offset, Some(len), rustix::fs::Advice::DontNeed)?)
    }

    /// File systems without the attribute, and whoever may not set it, say so.
    #[cfg(target_os = "linux")]
    pub(super) fn set_immutable(file: &File, immutable: bool) -> io::Result<()> {
        use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};
        let mut flags = ioctl_getflags(file)?;
        flags.set(IFlags::IMMUTABLE, immutable);
        Ok(ioctl_setflags(file, flags)?)
    }

    #[cfg(target_os = "linux")]
    pub(super) fn is_immutable(file: &File) -> bool {
        use rustix::fs::{IFlags, ioctl_getflags};
        ioctl_getflags(file).is_ok_and(|flags| flags.contains(IFlags::IMMUTABLE))
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn set_immutable(_file: &File, _immutable: bool) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn is_immutable(_file: &File) -> bool {
        false
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn drop_cache(_file: &File, _offset: u64, _len: u64) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A copy of the descriptor, as a child process has one until it starts another program.
    #[test]
    fn a_dropped_handle_releases_its_lock_though_a_copy_of_its_descriptor_is_open() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("LOCK");
        let opened =
            || File::options().read(true).write(true).create(true).truncate(false).open(&path);
        for wait in [false, true] {
            let first = RealFile::new(opened().unwrap());
            let copy = first.file.try_clone().unwrap();
            if wait {
                first.lock().unwrap();
            } else {
                assert!(first.try_lock().unwrap());
            }
            let second = RealFile::new(opened().unwrap());
            assert!(!second.try_lock().unwrap());
            drop(second); // it has no lock, and releases none
            let second = RealFile::new(opened().unwrap());
            assert!(!second.try_lock().unwrap());
            drop(first);
            assert!(second.try_lock().unwrap());
            drop(copy);
        }
    }

    #[cfg(unix)]
    #[test]
    fn files_are_not_for_everybody_and_keys_for_their_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let mode = |name: &str| {
            std::fs::metadata(dir.path().join(name)).unwrap().permissions().mode() & 0o777
        };
        RealDisk.create_dir(&dir.path().join("d")).unwrap();
        RealDisk.open(&dir.path().join("f"), Open::CreateNew).unwrap();
        RealDisk.open(&dir.path().join("k"), Open::CreateNewPrivate).unwrap();
        assert_eq!(mode("d") & 0o007, 0);
        assert_eq!(mode("f") & 0o007, 0);
        assert_eq!(mode("k"), 0o600);
    }

    #[test]
    fn zeros_are_written_where_space_cannot_be_reserved() {
        let file = RealFile::new(tempfile::tempfile().unwrap());
        file.write_at(b"kept", 0).unwrap();
        file.append_zeros(100_000).unwrap();
        let mut bytes = vec![1; 100_001];
        assert_eq!(file.read_at(&mut bytes, 0).unwrap(), 100_000);
        assert_eq!(&bytes[..6], b"kept\0\0");
        assert_eq!(bytes[100_000], 1);
    }

    #[test]
    fn a_used_up_quota_is_a_full_disk() {
        let quota = io::Error::from(rustix::io::Errno::DQUOT);
        assert_eq!(full(quota).kind(), io::ErrorKind::StorageFull);
        let space = io::Error::from(rustix::io::Errno::NOSPC);
        assert_eq!(full(space).kind(), io::ErrorKind::StorageFull);
        let limit = io::Error::from(rustix::io::Errno::FBIG);
        assert_eq!(full(limit).kind(), io::ErrorKind::StorageFull);
    }
}
