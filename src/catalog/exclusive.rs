//! The catalog while this process alone writes it.
//!
//! Who deletes must know every hold, and must go on knowing until what it deletes is gone:
//! under the lock the catalog is read to its end, and no other process adds to it.

use std::path::Path;

use super::files::copies;
use super::store::Catalog;
use crate::disk::{self, Disk, DiskFile, Open};
use crate::error::{Error, Result};
use crate::format::catalog_body::{CatalogBody, RecordedAttribution, StateMap};
use crate::format::names;
use crate::hash::Hash;
use crate::seq::TreeSize;

/// The catalog, locked against other processes and read to its end.
#[derive(Debug)]
pub struct CatalogTransaction<'a> {
    catalog: &'a mut Catalog,
}

impl CatalogTransaction<'_> {
    /// What is in force.
    pub fn state(&self) -> &StateMap {
        self.catalog.state()
    }

    /// The catalog, to read from.
    pub fn catalog(&self) -> &Catalog {
        self.catalog
    }

    /// Replays the whole catalog, unless this was done since it was opened, and compares what it
    /// leads to with what is believed: a snapshot, from which opening a large catalog goes on, is a
    /// derived file that anybody may have written. What comes later is checked as it is read.
    ///
    /// # Errors
    /// `Tampered`, `Corrupt` if the records lead to something else; I/O.
    pub fn check_whole(&mut self) -> Result<()> {
        self.catalog.check_whole()
    }

    /// As [`Catalog::write_snapshot`].
    ///
    /// # Errors
    /// As [`Catalog::write_snapshot`].
    pub fn write_snapshot(&mut self) -> Result<()> {
        self.catalog.write_snapshot()
    }

    /// As [`Catalog::append`].
    ///
    /// # Errors
    /// As [`Catalog::append`].
    pub fn append(
        &mut self,
        body: &CatalogBody<'_>,
        because: &RecordedAttribution<'_>,
    ) -> Result<()> {
        self.catalog.append_locked(body, because)
    }
}

impl Catalog {
    /// Does something while no other process writes the catalog, which was read to its end.
    /// What it reads of others' records is durable, in both copies.
    ///
    /// # Errors
    /// What `act` says; I/O; `CatalogDamaged` after a failed write, or if the catalog was
    /// opened for reading.
    pub fn transact<T>(
        &mut self,
        act: impl FnOnce(&mut CatalogTransaction<'_>) -> Result<T>,
    ) -> Result<T> {
        if let Some(cause) = &self.broken {
            return Err(Error::CatalogDamaged { reason: cause.clone() });
        }
        let Some(lock) = self.lock.clone() else {
            return Err(Error::CatalogDamaged { reason: "it was opened for reading".to_owned() });
        };
        let path = self.dir.join(names::LOCK);
        lock.lock().map_err(Error::io("lock", &path))?;
        let done = self.catch_up().and_then(|()| act(&mut CatalogTransaction { catalog: self }));
        lock.unlock().map_err(Error::io("unlock", &path))?;
        done
    }

    /// Reads what others wrote, and makes sure of it: who wrote it may have died between the
    /// two copies, or before a sync.
    fn catch_up(&mut self) -> Result<()> {
        self.read_new()?;
        let (ordinal, offset) = self.durable_until;
        let now = (self.segment.header.ordinal, self.end.offset);
        if now == self.durable_until {
            return Ok(());
        }
        for shared in ordinal..=now.0 {
            let from = if shared == ordinal { offset } else { 0 };
            let end = (shared == now.0).then_some(now.1);
            self.mirror_range(shared, from, end)?;
        }
        self.active = super::begin::resume(&*self.disk, &self.dir, &self.segment, self.end)?;
        self.durable_until = now;
        Ok(())
    }

    /// As [`CatalogTransaction::check_whole`]; reads to the catalog's end first, unless it is known whole.
    ///
    /// # Errors
    /// As [`CatalogTransaction::check_whole`], and as [`Catalog::transact`].
    pub fn make_sure(&mut self) -> Result<()> {
        match self.is_replayed {
            true => self.refresh(),
            false => self.transact(|catalog| catalog.check_whole()),
        }
    }

    /// This process alone writes, and has read to the end.
    pub(super) fn check_whole(&mut self) -> Result<()> {
        if !self.is_replayed {
            self.compare_replay()?;
            self.is_replayed = true;
        }
        Ok(())
    }

    /// From a copy that is good: the next opening mends the other.
    fn compare_replay(&self) -> Result<()> {
        let [a, b] = copies(&self.dir);
        let load = |copy: &Path| super::load::load(&*self.disk, copy, self.log_id, None);
        let loaded = match load(&a) {
            Err(newer @ Error::Unsupported { .. }) => return Err(newer),
            // Only then: the copies were compared when the catalog was opened.
            Err(error) => match load(&b) {
                Err(newer @ Error::Unsupported { .. }) => return Err(newer),
                second => second.map_err(|_| error)?,
            },
            Ok(first) => first,
        };
        let (expected, found) = (loaded.replayed.state.root(), self.state.root());
        if expected != found {
            return Err(Error::tampered("the catalog's snapshot", expected, found));
        }
        if loaded.replayed.signed != self.signed {
            let text = |(size, root): (TreeSize, Hash)| format!("size {size}, root {root}");
            let (expected, found) = (text(loaded.replayed.signed), text(self.signed));
            let what = "the newest signed head in the catalog's snapshot";
            return Err(Error::tampered(what, expected, found));
        }
        let (expected, found) = (loaded.replayed.frontier.root(), self.tree.frontier().root());
        match expected == found {
            true => Ok(()),
            false => Err(Error::tampered("the catalog's hash files", expected, found)),
        }
    }

    /// Makes a segment the same in both copies from an offset on, durably.
    fn mirror_range(&self, ordinal: u64, from: u64, end: Option<u64>) -> Result<()> {
        let read_from = self.segment.path.parent().unwrap_or(&self.dir).to_owned();
        let source_path = crate::segment::path(&read_from, ordinal);
        let source = open(&*self.disk, &source_path)?;
        let end = match end {
            Some(end) => end,
            None => source.len().map_err(Error::io("stat", &source_path))?,
        };
        let bytes = read_range(&*source, &source_path, from, end)?;
        // Written again: after somebody's sync failed another one says nothing of these bytes.
        source.write_at(&bytes, from).map_err(Error::io("write", &source_path))?;
        source.sync_data().map_err(Error::sync(&source_path))?;
        for copy in copies(&self.dir).iter().filter(|copy| **copy != read_from) {
            let path = crate::segment::path(copy, ordinal);
            let file = open(&*self.disk, &path)?;
            file.write_at(&bytes, from).map_err(Error::io("write", &path))?;
            file.sync_data().map_err(Error::sync(&path))?;
            self.disk.sync_dir(copy).map_err(Error::sync(copy))?;
        }
        self.disk.sync_dir(&read_from).map_err(Error::sync(&read_from))
    }
}

fn open(disk: &dyn Disk, path: &Path) -> Result<std::sync::Arc<dyn DiskFile>> {
    let there = disk.exists(path).map_err(Error::io("look for", path))?;
    let how = if there { Open::ReadWrite } else { Open::CreateNew };
    disk.open(path, how).map_err(Error::io("open", path))
}

fn read_range(file: &dyn DiskFile, path: &Path, from: u64, end: u64) -> Result<Vec<u8>> {
    let len = usize::try_from(end.saturating_sub(from)).unwrap_or(0);
    let mut bytes = vec![0; len];
    disk::read_exact_at(file, &mut bytes, from).map_err(Error::io("read", path))?;
    Ok(bytes)
}
