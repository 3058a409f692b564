//! What happens between the end of a segment and its seal: its records cannot be read, or another
//! process sets a policy.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use bulla::disk::sim::SimDisk;
use bulla::disk::{Disk, DiskFile, Map, Open, Protection};
use bulla::{Error, ExpireOptions, Log, Period, Policy, VerifyOptions, verify};

use crate::catalog::{DAY, Hook, asked, event, options};
use crate::support::{clock, dir};

/// What is to happen to segment 1.
#[derive(Default)]
struct Plan {
    /// Whether reading it fails.
    unreadable: AtomicBool,
    /// What is done right after its footer was written.
    after_footer: Mutex<Option<Hook>>,
}

struct PlannedDisk {
    disk: SimDisk,
    plan: Arc<Plan>,
}

struct PlannedFile {
    file: Arc<dyn DiskFile>,
    plan: Arc<Plan>,
}

impl std::fmt::Debug for PlannedDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PlannedDisk")
    }
}

impl std::fmt::Debug for PlannedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PlannedFile")
    }
}

impl Disk for PlannedDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.disk.open(path, how)?;
        // Also under the name that it is made with.
        let name = path.strip_prefix(dir().join("segments")).unwrap_or(Path::new(""));
        if !name.to_string_lossy().starts_with("00000001.seg") {
            return Ok(file);
        }
        Ok(Arc::new(PlannedFile { file, plan: Arc::clone(&self.plan) }))
    }
    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.disk.exists(path)
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.create_dir(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.disk.list(dir)
    }
    fn real_path(&self, path: &Path) -> io::Result<PathBuf> {
        self.disk.real_path(path)
    }
    fn is_private(&self, path: &Path) -> io::Result<bool> {
        self.disk.is_private(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_file(path)
    }
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_dir(path)
    }
    fn protect(&self, path: &Path, wanted: Protection) -> io::Result<Protection> {
        self.disk.protect(path, wanted)
    }
    fn unprotect(&self, path: &Path) -> io::Result<()> {
        self.disk.unprotect(path)
    }
    fn protection(&self, path: &Path) -> io::Result<Protection> {
        self.disk.protection(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.sync_dir(dir)
    }
}

impl DiskFile for PlannedFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        if self.plan.unreadable.load(Ordering::Relaxed) {
            return Err(io::Error::other("a bad sector"));
        }
        self.file.read_at(buf, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_at(bytes, offset)?;
        if bytes.windows(8).any(|window| window == b"BULLAEND") {
            let hook = self.plan.after_footer.lock().unwrap().take();
            hook.into_iter().for_each(|hook| hook());
        }
        Ok(())
    }
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }
    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        self.file.allocate(offset, len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }
    fn drop_cache(&self, offset: u64, len: u64) -> io::Result<()> {
        self.file.drop_cache(offset, len)
    }
    fn map(&self, len: u64) -> io::Result<Option<Map>> {
        self.file.map(len)
    }
    fn try_lock(&self) -> io::Result<bool> {
        self.file.try_lock()
    }
    fn lock(&self) -> io::Result<()> {
        self.file.lock()
    }
    fn unlock(&self) -> io::Result<()> {
        self.file.unlock()
    }
}

fn is_sealed(log: &Log) -> bool {
    log.snapshot().segments().unwrap()[0].sealed
}

#[test]
fn rotating_says_why_a_segment_is_not_sealed() {
    let (disk, clock, plan) = (SimDisk::new(1), clock(), Arc::new(Plan::default()));
    let planned = PlannedDisk { disk: disk.clone(), plan: Arc::clone(&plan) };
    let log = options(&disk, &clock).disk(Arc::new(planned)).create(dir()).unwrap();
    for n in 0..5 {
        log.append(&event(n)).unwrap();
    }
    plan.unreadable.store(true, Ordering::Relaxed);
    for _ in 0..2 {
        let rotated = log.rotate();
        assert!(!is_sealed(&log));
        assert!(matches!(rotated, Err(Error::Io { .. })), "{rotated:?}");
    }
    log.append(&event(5)).unwrap();
    plan.unreadable.store(false, Ordering::Relaxed);
    log.rotate().unwrap();
    assert!(is_sealed(&log));
    log.close().unwrap();
    let options = VerifyOptions::new().disk(Arc::new(disk));
    assert!(verify(&dir(), &options, &mut |_| ()).unwrap().is_clean());
}

#[test]
fn a_segment_is_sealed_by_a_policy_that_is_set_meanwhile_before_rotating_returns() {
    let (disk, clock, plan) = (SimDisk::new(1), clock(), Arc::new(Plan::default()));
    let planned = PlannedDisk { disk: disk.clone(), plan: Arc::clone(&plan) };
    let log = options(&disk, &clock).disk(Arc::new(planned)).create(dir()).unwrap();
    log.append(&event(0)).unwrap();
    let admin = options(&disk, &clock).administer(dir()).unwrap();
    let hook: Hook = Box::new(move || {
        admin.set_policy(&Policy::keep(Period::from_days(30)), &asked()).unwrap();
    });
    *plan.after_footer.lock().unwrap() = Some(hook);
    log.rotate().unwrap();
    assert!(is_sealed(&log));
    log.append(&event(1)).unwrap();
    clock.advance(DAY * 29);
    log.append(&event(2)).unwrap();
    let steps = log.snapshot().plan_expiry(&ExpireOptions::new()).unwrap().steps;
    assert!(steps[0].verdict.to_string().starts_with("too young"), "{steps:?}");
    assert!(steps[0].segment.keep_until.is_some(), "fixed by its seal");
    log.close().unwrap();
}
