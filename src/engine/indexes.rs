//! Writing the index files of sealed segments, and making them again where there is no good one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk;
use crate::engine::core::Core;
use crate::error::{Error, Result};
use crate::format::names;
use crate::hash::Hash;
use crate::index::{self, Tail};
use crate::read::decode;
use crate::read::entry::SegmentEntry;
use crate::read::search::open_index::add;
use crate::segment::locate::RecordCursor;
use crate::seq::{Seq, TreeSize};
use crate::terms::Scope;

/// Index files that are looked at in one round of the housekeeper.
const LOOKED_AT: usize = 16;

/// The path of a segment's index.
pub(crate) fn path(segments_dir: &Path, ordinal: u64) -> PathBuf {
    segments_dir.join(names::index(ordinal))
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
        let scope = Scope { log_id: self.shared.dir.log_id(), first: open.segment.header.first };
        if let Some((position, times)) = open.index.read().collected().goes_back() {
            let seq = Seq::new(scope.first.get().saturating_add(position.into()));
            return Err(decode::goes_back(seq, times, decode::NOT_SEALED));
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
        let path = self.shared.dir.index(ordinal);
        let written = disk::replace_file(self.shared.dir.disk(), &path, bytes);
        written.map_err(Error::io("write", &path))
    }

    /// Wants the indexes that are not there; the others are looked at later.
    pub(crate) fn look_for_indexes(&self) -> Result<()> {
        let dir = self.shared.dir.segments();
        let names = self.shared.dir.disk().list(&dir).map_err(Error::io("list", &dir))?;
        let names: BTreeSet<String> = names.into_iter().collect();
        for entry in self.view.entries().iter().filter(|entry| entry.is_sealed_and_there()) {
            let path = path(&dir, entry.ordinal);
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            match name.is_some_and(|name| names.contains(&name)) {
                true => self.view.indexes().note_unseen(entry.ordinal),
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
        let wanted =
            |entry: &&SegmentEntry| entry.ordinal == ordinal && entry.is_sealed_and_there();
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
        let (some, more) = self.view.indexes().take_unseen(LOOKED_AT);
        let entries = self.view.entries();
        let looked_at =
            |entry: &&SegmentEntry| some.contains(&entry.ordinal) && entry.is_sealed_and_there();
        for entry in entries.iter().filter(looked_at) {
            let _ = self.view.index_of(entry);
        }
        more || !some.is_empty()
    }

    /// Makes the index of a sealed segment anew, if its records lead to the root in its seal.
    fn make_index(&self, entry: &SegmentEntry) -> Result<bool> {
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
        let scope = Scope { log_id: self.shared.dir.log_id(), first: entry.first };
        let (head, bytes) = index::encode(&tail, scope, entry.ordinal);
        let root = Hash::from_bytes(sealed.index_root);
        let fits = root == Hash::ZERO || root == head.root();
        let Some(bytes) = bytes.filter(|_| fits) else { return Ok(false) };
        self.write_index(entry.ordinal, &bytes)?;
        // One that is no good even when it is new would be made again and again.
        Ok(self.view.index_of(entry).is_some())
    }
}
