//! The index files of sealed segments: kept open, and made anew where there is no good one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::directory::LogDir;
use crate::disk;
use crate::error::{Error, Result};
use crate::format::{LogId, names};
use crate::hash::Hash;
use crate::index::{self, IndexFile, Lookup, Places, Tail};
use crate::log::core::Core;
use crate::log::read;
use crate::log::search::add;
use crate::log::view::Entry;
use crate::ranked::{Mutex, Rank};
use crate::segment::locate::RecordCursor;
use crate::seq::{Seq, TreeSize};
use crate::terms::Scope;

/// Index files that are kept open at a time.
const OPEN_INDEXES: usize = 256;

/// Index files that are looked at in one round of the housekeeper.
const LOOKED_AT: usize = 16;

/// The index files of a log.
#[derive(Debug)]
pub(crate) struct Indexes {
    /// Open ones, the most recently used last.
    open: Mutex<Vec<Arc<IndexFile>>>,
    /// Segments without a good one.
    wanted: Mutex<Wanted>,
    /// Segments whose files nobody has opened since the log was.
    unseen: Mutex<Vec<u64>>,
}

#[derive(Debug, Default)]
struct Wanted {
    ordinals: BTreeSet<u64>,
    /// Those whose records do not lead to the root in their seal: not tried again.
    refused: BTreeSet<u64>,
}

/// The path of a segment's index.
pub(crate) fn path(segments_dir: &Path, ordinal: u64) -> PathBuf {
    segments_dir.join(names::index(ordinal))
}

impl Default for Indexes {
    fn default() -> Self {
        Indexes {
            open: Mutex::new(Rank::IndexCache, Vec::new()),
            wanted: Mutex::new(Rank::IndexesWanted, Wanted::default()),
            unseen: Mutex::new(Rank::IndexesUnseen, Vec::new()),
        }
    }
}

impl Indexes {
    /// The index of a sealed segment, if there is a good one; else it is wanted.
    pub(crate) fn get(&self, dir: &LogDir, mmap: bool, entry: &Entry) -> Option<Arc<IndexFile>> {
        if let Some(open) = self.cached(entry.ordinal) {
            return Some(open);
        }
        let path = dir.index(entry.ordinal);
        let opened = match dir.disk().exists(&path) {
            Ok(true) => IndexFile::open(dir.disk(), &path, mmap).ok().flatten(),
            _ => None,
        };
        let Some(opened) = opened.filter(|opened| is_of(opened, dir.log_id(), entry)) else {
            self.want(entry.ordinal);
            return None;
        };
        let opened = Arc::new(opened);
        let mut open = self.open.lock();
        if open.len() >= OPEN_INDEXES {
            open.remove(0);
        }
        open.push(Arc::clone(&opened));
        Some(opened)
    }

    fn cached(&self, ordinal: u64) -> Option<Arc<IndexFile>> {
        let mut open = self.open.lock();
        let at = open.iter().position(|open| open.ordinal() == ordinal)?;
        let found = open.remove(at);
        open.push(Arc::clone(&found));
        Some(found)
    }

    /// Notes that the index of a segment is missing or of no use, and lets go of it.
    pub(crate) fn want(&self, ordinal: u64) {
        self.open.lock().retain(|open| open.ordinal() != ordinal);
        let mut wanted = self.wanted.lock();
        if !wanted.refused.contains(&ordinal) {
            wanted.ordinals.insert(ordinal);
        }
    }

    /// Lets go of the index of a segment that is gone.
    pub(crate) fn forget(&self, ordinal: u64) {
        self.open.lock().retain(|open| open.ordinal() != ordinal);
        let mut wanted = self.wanted.lock();
        wanted.ordinals.remove(&ordinal);
        wanted.refused.remove(&ordinal);
    }

    fn next_wanted(&self) -> Option<u64> {
        self.wanted.lock().ordinals.pop_first()
    }

    fn refuse(&self, ordinal: u64) {
        self.wanted.lock().refused.insert(ordinal);
    }
}

/// Whether an index says that it is of this segment.
fn is_of(index: &IndexFile, log_id: LogId, entry: &Entry) -> bool {
    let Some(sealed) = &entry.sealed else { return false };
    let head = index.head();
    let root = Hash::from_bytes(sealed.index_root);
    (index.ordinal(), head.scope.log_id, head.scope.first) == (entry.ordinal, log_id, entry.first)
        && u64::from(index.records()) == sealed.count
        // A segment that was sealed before there were indexes has no root.
        && (root == Hash::ZERO || root == head.root())
        // The times in the seal decide what is not looked at: they must be those of the records.
        && index.fits_times(sealed.times)
}

impl Core {
    /// Takes the records of open segments into their indexes.
    pub(crate) fn index_open_segments(&self) {
        let size = self.view.size();
        for entry in self.view.entries().iter() {
            if let Some(open) = &entry.open {
                // A damaged record is found by whoever reads it.
                let _ = open.take_in(size);
            }
        }
    }

    /// The root of a full segment's index, whose file is written; zeros if a record is
    /// damaged, because then there is no whole index. A file that cannot be written is made
    /// later.
    ///
    /// # Errors
    /// The records cannot be read now: the seal has to wait, as its root is for good.
    pub(crate) fn index_sealed(&self, ordinal: u64, size: TreeSize) -> Result<Hash> {
        let entries = self.view.entries();
        let entry = entries.iter().find(|entry| entry.ordinal == ordinal);
        let Some(open) = entry.and_then(|entry| entry.open.as_ref()) else {
            return Ok(Hash::ZERO);
        };
        match open.take_in(size) {
            Ok(()) => {}
            Err(error @ Error::Io { .. }) => return Err(error),
            Err(_) => return Ok(Hash::ZERO),
        }
        let scope = Scope { log_id: self.dir.log_id(), first: open.segment.header.first };
        if let Some((position, times)) = open.index.read().collected().goes_back() {
            let seq = Seq::new(scope.first.get().saturating_add(position.into()));
            return Err(read::goes_back(seq, times, read::NOT_SEALED));
        }
        let (head, bytes) = index::encode(&open.index.read(), scope, ordinal);
        match bytes {
            Some(bytes) if self.write_index(ordinal, &bytes).is_err() => {
                self.view.indexes().want(ordinal);
            }
            Some(_) => {}
            None => self.view.indexes().refuse(ordinal),
        }
        Ok(head.root())
    }

    fn write_index(&self, ordinal: u64, bytes: &[u8]) -> Result<()> {
        let path = self.dir.index(ordinal);
        let written = disk::replace_file(self.dir.disk(), &path, bytes);
        written.map_err(Error::io("write", &path))
    }

    /// Wants the indexes that are not there; the others are looked at later.
    pub(crate) fn look_for_indexes(&self) -> Result<()> {
        let dir = self.dir.segments();
        let names = self.dir.disk().list(&dir).map_err(Error::io("list", &dir))?;
        let names: BTreeSet<String> = names.into_iter().collect();
        for entry in self.view.entries().iter().filter(|entry| entry.is_sealed_and_there()) {
            let path = path(&dir, entry.ordinal);
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            match name.is_some_and(|name| names.contains(&name)) {
                true => self.view.indexes().unseen.lock().push(entry.ordinal),
                false => self.view.indexes().want(entry.ordinal),
            }
        }
        Ok(())
    }

    /// Makes one index anew that is wanted; whether there may be more to do at once. What
    /// cannot be made because of the disk is tried again next time; what cannot be made at
    /// all is left, and the segment scanned.
    pub(crate) fn make_wanted_index(&self) -> bool {
        let Some(ordinal) = self.view.indexes().next_wanted() else { return self.look_at_some() };
        let entries = self.view.entries();
        let wanted = |entry: &&Entry| entry.ordinal == ordinal && entry.is_sealed_and_there();
        let Some(entry) = entries.iter().find(wanted) else {
            return true;
        };
        match self.make_index(entry) {
            Ok(true) => true,
            Err(Error::Io { .. } | Error::DiskFull { .. }) => {
                self.view.indexes().want(ordinal);
                false
            }
            _ => {
                self.view.indexes().refuse(ordinal);
                true
            }
        }
    }

    /// Opens a few index files that nobody has opened yet, so that one that is cut short, or of
    /// another segment, is wanted. Whether there are more.
    fn look_at_some(&self) -> bool {
        let mut unseen = self.view.indexes().unseen.lock();
        let from = unseen.len().saturating_sub(LOOKED_AT);
        let some = unseen.split_off(from);
        let more = !unseen.is_empty();
        drop(unseen);
        let entries = self.view.entries();
        let looked_at =
            |entry: &&Entry| some.contains(&entry.ordinal) && entry.is_sealed_and_there();
        for entry in entries.iter().filter(looked_at) {
            let _ = self.view.index_of(entry);
        }
        more || !some.is_empty()
    }

    /// Makes the index of a sealed segment anew, if its records lead to the root in its seal.
    fn make_index(&self, entry: &Entry) -> Result<bool> {
        let Some(sealed) = &entry.sealed else { return Ok(true) };
        let open = self.view.open_sealed(entry)?;
        let end = TreeSize::new(sealed.first.saturating_add(sealed.count));
        let mut cursor = RecordCursor::at(
            Arc::clone(&open.segment),
            &open.waypoints,
            Seq::new(sealed.first),
            end,
        )?;
        let mut tail = Tail::default();
        while let Some((_, record)) = cursor.next_record()? {
            add(&mut tail, &record)?;
        }
        let scope = Scope { log_id: self.dir.log_id(), first: entry.first };
        let (head, bytes) = index::encode(&tail, scope, entry.ordinal);
        let root = Hash::from_bytes(sealed.index_root);
        let fits = root == Hash::ZERO || root == head.root();
        let Some(bytes) = bytes.filter(|_| fits) else { return Ok(false) };
        self.write_index(entry.ordinal, &bytes)?;
        // One that is no good even when it is new would be made again and again.
        Ok(self.view.index_of(entry).is_some())
    }
}
