//! Restoring: a dropped segment comes back from an archive.
//!
//! The order of effects, and what a crash behind each leaves:
//!
//! 1. The folder is verified, and compared with what the catalog says of the segment.
//!    *Nothing has changed.*
//! 2. Its files are copied to `segments/NNNNNNNN.seg.restoring` and `.idx.restoring`, each is
//!    synced, then the directory. *The segment is dropped, and two files are there that nobody
//!    reads: opening removes them.*
//!    Its hashes are written to `tree/`, over the same, or over nothing if they were lost there:
//!    what they are the certificate says. *They are there, or not yet.*
//! 3. The catalog records the restore, durably. *It is restored: opening renames the files,
//!    which are durable since step 2.*
//! 4. They are renamed, the index first, and the directory is synced. *It is restored; names
//!    that the crash took back are there as `.restoring` again, and opening renames them.*
//! 5. Readers see it.
//!
//! So at every moment the segment is dropped, and the archive as it was, or it is restored.
//! While the catalog's record may or may not be durable (its write failed), the files stay:
//! whoever opens the log next knows.

use std::path::Path;

use crate::archive::{
    self, ArchiveStore, ArchivedFile, Manifest, Shown, VerifyArchiveOptions, file,
};
use crate::catalog::Catalog;
use crate::catalog::asked;
use crate::directory::{LogDir, restoring};
use crate::disk::{Disk, Open};
use crate::engine::archiving::{check_apart, damaged, refused};
use crate::engine::core::Core;
use crate::error::{Error, Result};
use crate::format::catalog_body::{CatalogBody, Restored, Sealed, StateMap, status};
use crate::format::names;
use crate::hash::{Hash, TaggedHasher, tag};
use crate::merkle::TreeHead;
use crate::read::entry::{SegmentEntry, check_sealed};
use crate::retention::Attribution;
use crate::segment::locate::RecordCursor;
use crate::segment::seal::SealedSegment;
use crate::seq::{Seq, TreeSize};

/// Bytes that are copied at a time.
const PIECE: usize = 1 << 20;

/// A segment that was brought back.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RestoredSegment {
    /// The segment.
    pub ordinal: u64,
    /// Its first record.
    pub first: Seq,
    /// Records in it.
    pub count: u64,
    /// Size of its file in bytes.
    pub bytes: u64,
    /// Where it came from: the archive, and the folder in it.
    pub location: String,
    /// Digest of the folder's manifest.
    pub digest: Hash,
    /// What the folder showed by itself. That it is this log's segment the catalog said.
    pub shown: Shown,
}

impl Core {
    /// As [`Archive::restorable_in`](crate::log::Archive::restorable_in).
    pub(crate) fn restorable_in(&self, store: &dyn ArchiveStore) -> Result<Vec<(u64, String)>> {
        let mut found = Vec::new();
        for folder in archive::folders(store)? {
            if archive::manifest_bytes(store, &folder)?.is_none() {
                continue; // not finished
            }
            // Of another log, or damaged: `archive::verify` says so of it, and the others are
            // there all the same.
            let Ok(archive::Manifest { facts, .. }) = archive::manifest(store, &folder) else {
                continue;
            };
            let own = facts.log_id == self.shared.dir.log_id();
            let dropped = |sealed: Sealed| sealed.status == status::DROPPED;
            if own && self.sealed_segment(facts.ordinal).is_ok_and(dropped) {
                found.push((facts.ordinal, folder));
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// As [`Archive::restore`](crate::log::Archive::restore).
    pub(crate) fn restore(
        &self,
        store: &dyn ArchiveStore,
        folder: &str,
        asked: &Attribution,
    ) -> Result<RestoredSegment> {
        self.with_writer(|_| Ok(()))?;
        check_apart(store, self.shared.dir.path())?;
        let report = archive::verify(store, folder, &VerifyArchiveOptions::new())?;
        if let Some(finding) = report.findings.first() {
            let key = archive::key_of(folder, &finding.file);
            return Err(damaged(&archive::path_of(store, &key), finding));
        }
        let (Some(manifest), Some(digest)) = (&report.manifest, report.digest) else {
            return Err(refused(format!("expected an archived segment, found none in {folder:?}")));
        };
        let location = archive::place_of(store, folder);
        // One restore at a time, and none while the segments' directory is looked after.
        let _upkeep = self.upkeep.lock();
        self.with_writer(|_| Ok(()))?; // it may have been closed meanwhile
        let sealed = self.check_dropped(manifest, digest, &location)?;
        let sealed = if sealed.status == status::RESTORED {
            sealed // recorded before; only the renaming failed
        } else {
            self.copy_all(store, folder, manifest)?;
            self.fill_tree(&sealed)?;
            let body = Restored {
                ordinal: sealed.ordinal,
                location: &location,
                digest: *digest.as_bytes(),
                restored_at: self.shared.options.clock.now().as_nanos(),
            };
            self.record_restored(&body, asked)?
        };
        settle_one(&self.shared.dir, sealed.ordinal)?;
        self.protect(sealed.ordinal);
        self.show_restored(sealed, manifest.file(file::INDEX).is_some());
        drop(_upkeep);
        self.bind_catalog();
        Ok(RestoredSegment {
            ordinal: sealed.ordinal,
            first: Seq::new(sealed.first),
            count: sealed.count,
            bytes: sealed.bytes,
            location,
            digest,
            shown: report.shown,
        })
    }

    /// What the catalog says of the segment in a folder, which must be what the folder holds.
    fn check_dropped(&self, manifest: &Manifest, digest: Hash, place: &str) -> Result<Sealed> {
        let facts = &manifest.facts;
        let mut catalog = self.shared.catalog.lock();
        let catalog = catalog.good()?;
        catalog.refresh()?;
        let what = || format!("the archived folder {place}");
        if facts.log_id != self.shared.dir.log_id() {
            let (expected, found) = (self.shared.dir.log_id(), facts.log_id);
            let (expected, found) = (format!("log {expected}"), format!("log {found}"));
            return Err(Error::tampered(what(), expected, found));
        }
        if !catalog.state().had_origin(&manifest.origin) {
            let own = catalog.state().origin().unwrap_or_default();
            let (expected, found) = (format!("origin {own:?}"), format!("{:?}", manifest.origin));
            return Err(Error::tampered(what(), expected, found));
        }
        let ordinal = facts.ordinal;
        let Some(sealed) = catalog.state().segment(ordinal) else {
            let expected = "a segment that this log sealed";
            return Err(Error::tampered(what(), expected, format!("segment {ordinal}")));
        };
        if sealed != facts.sealed(sealed.status) {
            let expected = format!("segment {ordinal} as the catalog recorded its seal");
            return Err(Error::tampered(what(), expected, "another segment of that number"));
        }
        match sealed.status {
            status::DROPPED => {}
            status::RESTORED if self.is_unfinished(ordinal)? => return Ok(sealed),
            // The renaming was done, but not known to be durable: it is finished now.
            status::RESTORED if !self.is_shown(ordinal) => return Ok(sealed),
            dropping if status::is_dropping(dropping) => {
                return Err(refused(format!(
                    "segment {ordinal} is about to be dropped: open the log again, which finishes \
                     that, then restore it"
                )));
            }
            _ => {
                return Err(refused(format!(
                    "segment {ordinal} is here already: there is nothing to restore"
                )));
            }
        }
        let known = known_digests(catalog, ordinal)?;
        if known.is_empty() || known.contains(&digest) {
            return Ok(sealed);
        }
        let expected = known.iter().map(Hash::to_string).collect::<Vec<_>>().join(" or ");
        Err(Error::tampered(what(), format!("a manifest of digest {expected}"), digest))
    }

    /// Whether readers see the segment.
    fn is_shown(&self, ordinal: u64) -> bool {
        let entries = self.view.entries();
        entries.iter().any(|entry| entry.ordinal == ordinal && !entry.is_gone())
    }

    fn is_unfinished(&self, ordinal: u64) -> Result<bool> {
        let path = restoring(&self.shared.dir.segment(ordinal));
        self.shared.dir.disk().exists(&path).map_err(Error::io("look for", &path))
    }

    /// Writes the hashes of its records to `tree/`, durably: they may have been lost there, and
    /// nobody could prove the records then.
    fn fill_tree(&self, sealed: &Sealed) -> Result<()> {
        let path = restoring(&self.shared.dir.segment(sealed.ordinal));
        let missing = || Error::corrupt(&path, 0, "the footer of a sealed segment", "none");
        let opened =
            SealedSegment::open(self.shared.dir.disk(), &path, false)?.ok_or_else(missing)?;
        let size = TreeSize::new(sealed.first.saturating_add(sealed.count));
        let first = TreeSize::new(sealed.first);
        let from = first.next_seq();
        let mut cursor = RecordCursor::at(opened.segment, &opened.waypoints, from, size)?;
        let mut leaves = Vec::new();
        while let Some((_, record)) = cursor.next_record()? {
            leaves.push(record.leaf(self.shared.algorithm));
        }
        let end = TreeHead { size, root: Hash::from_bytes(sealed.end_root) };
        let filled = self.tree.fill(first, &leaves, end);
        if let Err(error @ Error::Io { .. }) = &filled {
            self.poison(&error.to_string()); // nobody knows what is stored
        }
        filled
    }

    /// Copies segment and index beside their places, durably.
    fn copy_all(&self, store: &dyn ArchiveStore, folder: &str, manifest: &Manifest) -> Result<()> {
        let ordinal = manifest.facts.ordinal;
        let places = [
            (file::SEGMENT, self.shared.dir.segment(ordinal)),
            (file::INDEX, self.shared.dir.index(ordinal)),
        ];
        for (name, to) in places {
            let to = restoring(&to);
            // What an earlier attempt left is not known to be durable, or whole.
            remove(self.shared.dir.disk(), &to)?;
            if let Some(listed) = manifest.file(name)
                && let Err(error) = self.copy(store, &archive::key_of(folder, name), listed, &to)
            {
                let _ = remove(self.shared.dir.disk(), &to); // else opening does it
                return Err(error);
            }
        }
        self.shared.dir.sync_segments()
    }

    fn copy(
        &self,
        store: &dyn ArchiveStore,
        key: &str,
        listed: &ArchivedFile,
        to: &Path,
    ) -> Result<()> {
        let full = |op| Error::growing(op, to, listed.bytes);
        let file = self.shared.dir.disk().open(to, Open::CreateNew).map_err(full("create"))?;
        let (mut hasher, mut at) = (TaggedHasher::new(tag::ARCHIVE_FILE), 0);
        let mut piece = vec![0; PIECE];
        while at < listed.bytes {
            let read = store.read_at(key, &mut piece, at);
            let read = read.map_err(archive::failed("read", store, key))?;
            let bytes = piece.get(..read).filter(|bytes| !bytes.is_empty());
            let Some(bytes) = bytes.filter(|_| at + read as u64 <= listed.bytes) else { break };
            file.write_at(bytes, at).map_err(full("write"))?;
            hasher.update(bytes);
            at += bytes.len() as u64;
        }
        // Read for the second time: a store may give other bytes than when it was verified.
        if at != listed.bytes || hasher.digest() != listed.blake3 {
            let path = archive::path_of(store, key);
            let expected = format!("{} bytes of digest {}", listed.bytes, listed.blake3);
            let found = format!("{at} bytes of digest {}", hasher.digest());
            return Err(Error::corrupt(&path, 0, expected, found));
        }
        file.sync_data().map_err(full("sync"))
    }

    /// From here on the segment is restored.
    fn record_restored(&self, body: &Restored<'_>, asked: &Attribution) -> Result<Sealed> {
        let appended = {
            let mut catalog = self.shared.catalog.lock();
            let catalog = catalog.good()?;
            let appended =
                catalog.append(&CatalogBody::Restored(body.clone()), &asked::because(asked));
            appended.map(|()| catalog.state().segment(body.ordinal))
        };
        match appended {
            Ok(Some(sealed)) => Ok(sealed),
            Ok(None) => Err(refused(format!("segment {} is not in the catalog", body.ordinal))),
            Err(error) => {
                match &error {
                    // Nothing was written.
                    Error::DiskFull { .. } => {
                        let _ = self.remove_unfinished(body.ordinal);
                    }
                    Error::Io { .. } => self.poison(&error.to_string()),
                    _ => {}
                }
                Err(error)
            }
        }
    }

    fn remove_unfinished(&self, ordinal: u64) -> Result<()> {
        remove(self.shared.dir.disk(), &restoring(&self.shared.dir.segment(ordinal)))?;
        remove(self.shared.dir.disk(), &restoring(&self.shared.dir.index(ordinal)))
    }

    /// Readers see the segment from here on.
    fn show_restored(&self, sealed: Sealed, has_index: bool) {
        let first = TreeSize::new(sealed.first);
        let entry =
            SegmentEntry { ordinal: sealed.ordinal, first, open: None, sealed: Some(sealed) };
        self.view.update(|entries| {
            let at = entries.partition_point(|known| known.ordinal < entry.ordinal);
            match entries.get_mut(at).filter(|known| known.ordinal == entry.ordinal) {
                Some(known) => *known = entry,
                None => entries.insert(at, entry),
            }
        });
        if !has_index {
            self.view.note_unindexed(sealed.ordinal);
            self.nudge.needed();
        }
    }
}

/// Digests of the folders that the catalog knows of a dropped segment: that of its newest
/// copy, and that in its certificate.
fn known_digests(catalog: &Catalog, ordinal: u64) -> Result<Vec<Hash>> {
    let newest = catalog.state().archived(ordinal).map(|archived| archived.digest);
    let certified = match catalog.state().certificate_of(ordinal) {
        Some(seq) => catalog.with_record(seq, |record| {
            match CatalogBody::decode(record.head.kind, record.envelope) {
                Ok((_, CatalogBody::DropStarted(drop))) => drop.archived.map(|copy| copy.digest),
                _ => None,
            }
        })?,
        None => None,
    };
    let mut known: Vec<Hash> = newest.into_iter().chain(certified).map(Hash::from_bytes).collect();
    known.dedup();
    Ok(known)
}

fn remove(disk: &dyn Disk, path: &Path) -> Result<()> {
    match disk.exists(path).map_err(Error::io("look for", path))? {
        true => disk.remove_file(path).map_err(Error::io("remove", path)),
        false => Ok(()),
    }
}

/// Puts the copies of a restored segment into their places, durably.
fn settle_one(dir: &LogDir, ordinal: u64) -> Result<()> {
    let disk = dir.disk();
    for to in [dir.index(ordinal), dir.segment(ordinal)] {
        let from = restoring(&to);
        if disk.exists(&from).map_err(Error::io("look for", &from))? {
            disk.rename(&from, &to).map_err(Error::io("rename", &from))?;
        }
    }
    dir.sync_segments()
}

/// Whether what is beside the place of a segment is that segment, or there is its index only.
fn is_copy_of(dir: &LogDir, ordinal: u64, state: &StateMap) -> Result<bool> {
    let path = restoring(&dir.segment(ordinal));
    if !dir.disk().exists(&path).map_err(Error::io("look for", &path))? {
        return Ok(true);
    }
    match (SealedSegment::open(dir.disk(), &path, false), state.segment(ordinal)) {
        (Ok(Some(copy)), Some(sealed)) => Ok(check_sealed(&sealed, &copy).is_ok()),
        (Err(error @ Error::Io { .. }), _) => Err(error),
        _ => Ok(false),
    }
}

/// Finishes the restores that a crash interrupted: what the catalog says is restored gets its
/// files into place, what is dropped loses the copies that were being made of it. Nothing
/// else is touched.
///
/// # Errors
/// I/O.
pub(crate) fn settle_restores(dir: &LogDir, state: &StateMap) -> Result<()> {
    let (disk, segments) = (dir.disk(), dir.segments());
    if !disk.exists(&segments).map_err(Error::io("look for", &segments))? {
        return Ok(());
    }
    let names = disk.list(&segments).map_err(Error::io("list", &segments))?;
    let ordinals = names.iter().filter_map(|name| names::parse_restoring(name));
    let mut ordinals: Vec<u64> = ordinals.collect();
    ordinals.dedup(); // sorted by name, so the two of a segment are neighbours
    for ordinal in ordinals {
        match state.segment(ordinal).map(|sealed| sealed.status) {
            // A copy of another file takes no place: the segment that is there stays.
            Some(status::RESTORED) if is_copy_of(dir, ordinal, state)? => {
                settle_one(dir, ordinal)?;
            }
            Some(status::DROPPED) => {
                remove(disk, &restoring(&dir.segment(ordinal)))?;
                remove(disk, &restoring(&dir.index(ordinal)))?;
                dir.sync_segments()?;
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
