//! Archiving: a sealed segment, and what makes it verifiable alone, into an archive.
//!
//! Nothing is believed because it was written: the folder is read back from the store, and
//! verified as a stranger would, before anybody counts on it.

use std::io::{self, Read};
use std::path::Path;

use crate::archive::{
    self, ArchiveFinding, ArchiveStore, ArchivedCheckpoint, ArchivedFile, Manifest, SegmentFacts,
    VerifyArchiveOptions, file,
};
use crate::catalog::asked;
use crate::checkpoint::{NOTE_LEN_MAX, UnverifiedCheckpoint};
use crate::directory::checkpoints;
use crate::disk::{DiskFile, Open};
use crate::engine::core::Core;
use crate::error::{Error, Result};
use crate::format::catalog_body::{Archived, CatalogBody, Sealed, status};
use crate::hash::{Hash, tag, tagged};
use crate::keys::KEY_CHAIN_LEN_MAX;
use crate::merkle::{Frontier, root_nodes};
use crate::proof::CatalogClaim;
use crate::read::keys::key_chain;
use crate::retention::Attribution;
use crate::seq::TreeSize;
use crate::tree::proof_error;

/// The longest location of a store, in bytes.
const LOCATION_LEN_MAX: usize = 4096;

/// A copy of a segment in an archive, which was read back and verified.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArchivedCopy {
    /// The archive, as [`ArchiveStore::location`] has it.
    pub location: String,
    /// The folder in it.
    pub folder: String,
    /// Digest of the folder's manifest.
    pub digest: Hash,
    /// Bytes of all files in the folder.
    pub bytes: u64,
}

impl ArchivedCopy {
    /// Archive and folder together, as the catalog records it.
    pub fn place(&self) -> String {
        format!("{}/{}", self.location, self.folder)
    }
}

impl Core {
    /// As [`Archive::copy`](crate::log::Archive::copy).
    pub(crate) fn archive(
        &self,
        ordinal: u64,
        store: &dyn ArchiveStore,
        asked: &Attribution,
    ) -> Result<ArchivedCopy> {
        self.with_writer(|_| Ok(()))?;
        let sealed = self.sealed_segment(ordinal)?;
        if !status::is_readable(sealed.status) {
            let found = "it was dropped, or is about to be";
            return Err(refused(format!("segment {ordinal} is not here to be archived: {found}")));
        }
        let copy = self.archive_segment(&sealed, store)?;
        self.record_archived(ordinal, &copy, asked)?;
        Ok(copy)
    }

    /// What the catalog says of a sealed segment.
    pub(crate) fn sealed_segment(&self, ordinal: u64) -> Result<Sealed> {
        let mut catalog = self.shared.catalog.lock();
        let catalog = catalog.good()?;
        catalog.refresh()?;
        catalog.state().segment(ordinal).ok_or_else(|| {
            refused(format!(
                "expected a sealed segment of this log, found none with number {ordinal}"
            ))
        })
    }

    fn record_archived(
        &self,
        ordinal: u64,
        copy: &ArchivedCopy,
        asked: &Attribution,
    ) -> Result<()> {
        let mut catalog = self.shared.catalog.lock();
        let catalog = catalog.good()?;
        catalog.refresh()?;
        let place = copy.place();
        let archived_at = self.shared.options.clock.now().as_nanos();
        let digest = *copy.digest.as_bytes();
        let before = catalog.state().archived(ordinal);
        if before.is_some_and(|before| (before.location, before.digest) == (&*place, digest)) {
            return Ok(());
        }
        let bytes = copy.bytes;
        let body = Archived { ordinal, location: &place, digest, bytes, archived_at };
        let done = catalog.append(&CatalogBody::Archived(body), &asked::because(asked));
        if let Err(error @ Error::Io { .. }) = &done {
            self.poison(&error.to_string());
        }
        done
    }

    /// Makes the folder of a segment in an archive, reads it back and verifies it. A folder
    /// that a crash left unfinished is finished; one that is there is only verified. Nothing
    /// is recorded. Takes the lock of the catalog for moments, so the caller must not hold it.
    ///
    /// # Errors
    /// As [`Core::archive`].
    pub(crate) fn archive_segment(
        &self,
        sealed: &Sealed,
        store: &dyn ArchiveStore,
    ) -> Result<ArchivedCopy> {
        check_apart(store, self.shared.dir.path())?;
        check_location(store)?;
        let facts = SegmentFacts::of(self.shared.dir.log_id(), sealed, self.tree_before(sealed)?);
        let folder =
            archive::folder_of(&self.shared.origin, self.shared.dir.log_id(), sealed.ordinal);
        match archive::manifest_bytes(store, &folder)? {
            None => self.fill(store, &folder, &facts)?,
            // Who put it there may have failed before it was durable.
            Some(bytes) => {
                let key = archive::key_of(&folder, file::MANIFEST);
                put(store, &key, bytes.len() as u64, &mut &*bytes)?;
            }
        }
        read_back(store, &folder, &facts)
    }

    /// The tree that a segment continues.
    fn tree_before(&self, sealed: &Sealed) -> Result<Frontier> {
        let first = TreeSize::new(sealed.first);
        let peaks: Result<Vec<Hash>> =
            root_nodes(first).iter().map(|node| self.tree.node(*node)).collect();
        Frontier::from_parts(self.shared.algorithm, first, &peaks?).map_err(proof_error)
    }

    /// Puts all files of a folder, the manifest last.
    fn fill(&self, store: &dyn ArchiveStore, folder: &str, facts: &SegmentFacts) -> Result<()> {
        let mut filling = Filling { store, folder, files: Vec::new() };
        let path = self.shared.dir.segment(facts.ordinal);
        let segment =
            self.shared.dir.disk().open(&path, Open::Read).map_err(Error::io("open", &path))?;
        let source = |buf: &mut [u8], offset: u64| segment.read_at(buf, offset);
        // What is damaged here is not archived: there it would look like good.
        let inspected = archive::inspect(&source, path.clone(), facts.bytes, facts)?;
        if let Some(finding) = inspected.findings.first() {
            return Err(damaged(&path, finding));
        }
        let mut bytes = FileReader { file: &*segment, at: 0 };
        filling.put(file::SEGMENT, facts.bytes, inspected.digest, &mut bytes)?;
        if let Some(index) = &inspected.index {
            filling.put_bytes(file::INDEX, index)?;
        }
        let under = match self.checkpoint_over(&filling, facts)? {
            Some(checkpoint) => Some(self.proofs(&mut filling, &checkpoint, facts)?),
            None => None,
        };
        let manifest = Manifest {
            origin: self.shared.origin.clone(),
            facts: facts.clone(),
            checkpoint: under,
            archived_at: self.shared.options.clock.now(),
            files: filling.files.clone(),
        };
        filling.put_bytes(file::MANIFEST, &manifest.to_bytes()?)
    }

    /// The checkpoint that the folder is to show: the newest one that covers the segment. If
    /// a crash left one in the folder it is that, because no other can be put in its place.
    fn checkpoint_over(
        &self,
        filling: &Filling<'_>,
        facts: &SegmentFacts,
    ) -> Result<Option<UnverifiedCheckpoint>> {
        let key = archive::key_of(filling.folder, file::CHECKPOINT);
        if let Some(left) = archive::small(filling.store, &key, NOTE_LEN_MAX as u64)? {
            return match UnverifiedCheckpoint::parse(&left) {
                Ok(left) => Ok(Some(left)),
                Err(_) => Err(other_bytes(filling.store, &key)),
            };
        }
        let published = checkpoints::list(&self.shared.dir)?;
        match published.last() {
            Some((size, path)) if *size >= facts.end().size.get() => {
                checkpoints::read(self.shared.dir.disk(), path).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Puts what ties the segment to a checkpoint.
    fn proofs(
        &self,
        filling: &mut Filling<'_>,
        checkpoint: &UnverifiedCheckpoint,
        facts: &SegmentFacts,
    ) -> Result<ArchivedCheckpoint> {
        let head = checkpoint.dangerously_unverified().head();
        let snapshot = self.snapshot();
        let consistency = snapshot.consistency(facts.end().size, head.size)?;
        let entry = format!("segment/{:016x}", facts.ordinal);
        let state = match snapshot.prove_state_entry(&entry, checkpoint) {
            Ok(state) => Some(state),
            // The anchor in that head was dropped since: the state cannot be shown under it.
            Err(Error::Expired { .. }) => None,
            Err(error) => return Err(error),
        };
        filling.put_bytes(file::CHECKPOINT, checkpoint.to_text().as_bytes())?;
        if let Some(chain) = self.key_chain_for(filling)? {
            filling.put_bytes(file::KEYS, chain.as_bytes())?;
        }
        // Sealed only after the head was signed: there is nothing to show under it.
        if let Some(state) = state
            && matches!(state.statement.claim, CatalogClaim::InForce { .. })
        {
            filling.put_bytes(file::STATE, state.to_text().as_bytes())?;
        }
        Ok(ArchivedCheckpoint { head, consistency })
    }

    /// The log's key chain, if it has one; if a crash left the beginning of it in the folder,
    /// that: it goes as far as the checkpoint beside it, which was put before.
    fn key_chain_for(&self, filling: &Filling<'_>) -> Result<Option<String>> {
        let chain = {
            let mut catalog = self.shared.catalog.lock();
            key_chain(catalog.good()?)?
        };
        if chain.is_empty() {
            return Ok(None);
        }
        let text = chain.to_text();
        let key = archive::key_of(filling.folder, file::KEYS);
        let left = archive::small(filling.store, &key, KEY_CHAIN_LEN_MAX as u64)?;
        let left = left.and_then(|left| String::from_utf8(left).ok());
        Ok(Some(left.filter(|left| text.starts_with(left.as_str())).unwrap_or(text)))
    }
}

/// A folder that is being filled.
struct Filling<'a> {
    store: &'a dyn ArchiveStore,
    folder: &'a str,
    files: Vec<ArchivedFile>,
}

impl Filling<'_> {
    fn put_bytes(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let blake3 = tagged(tag::ARCHIVE_FILE, &[bytes]);
        self.put(name, bytes.len() as u64, blake3, &mut &*bytes)
    }

    fn put(&mut self, name: &str, len: u64, blake3: Hash, bytes: &mut dyn Read) -> Result<()> {
        let key = archive::key_of(self.folder, name);
        put(self.store, &key, len, bytes)?;
        self.files.push(ArchivedFile { name: name.to_owned(), bytes: len, blake3 });
        Ok(())
    }
}

/// A file from its beginning.
struct FileReader<'a> {
    file: &'a dyn DiskFile,
    at: u64,
}

impl Read for FileReader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buf, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// Refuses an archive that would go with the log.
pub(crate) fn check_apart(store: &dyn ArchiveStore, dir: &Path) -> Result<()> {
    store.check_apart(dir).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => {
            Error::InvalidOption { name: "archive", reason: error.to_string() }
        }
        _ => archive::failed("look at", store, "")(error),
    })
}

/// The catalog has to hold it.
fn check_location(store: &dyn ArchiveStore) -> Result<()> {
    let len = store.location().len();
    if len <= LOCATION_LEN_MAX {
        return Ok(());
    }
    let reason = format!("expected a location of at most {LOCATION_LEN_MAX} bytes, found {len}");
    Err(Error::InvalidOption { name: "archive", reason })
}

fn put(store: &dyn ArchiveStore, key: &str, len: u64, bytes: &mut dyn Read) -> Result<()> {
    store.put(key, len, bytes).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => other_bytes(store, key),
        _ => Error::growing("archive to", &archive::path_of(store, key), len)(error),
    })
}

/// Verifies a folder through the store, and that it is of the segment with these facts.
fn read_back(store: &dyn ArchiveStore, folder: &str, facts: &SegmentFacts) -> Result<ArchivedCopy> {
    let report = archive::verify(store, folder, &VerifyArchiveOptions::new())?;
    if let Some(finding) = report.findings.first() {
        let name = archive::key_of(folder, &finding.file);
        return Err(damaged(&archive::path_of(store, &name), finding));
    }
    match (report.manifest, report.digest) {
        (Some(manifest), Some(digest)) if manifest.facts == *facts => Ok(ArchivedCopy {
            location: store.location(),
            folder: folder.to_owned(),
            digest,
            bytes: report.bytes,
        }),
        _ => {
            let what = format!("the archived folder {}", archive::place_of(store, folder));
            let expected = format!("segment {} as this log sealed it", facts.ordinal);
            Err(Error::tampered(what, expected, "another segment"))
        }
    }
}

/// A finding that ends what was to be done.
pub(crate) fn damaged(path: &Path, finding: &ArchiveFinding) -> Error {
    let expected = format!("{}: {}", finding.what, finding.expected);
    Error::corrupt(path, finding.offset.unwrap_or(0), expected, finding.found.clone())
}

fn other_bytes(store: &dyn ArchiveStore, key: &str) -> Error {
    let place = archive::place_of(store, key);
    Error::InvalidOption {
        name: "archive",
        reason: format!(
            "{place} is there already, with other bytes than this segment's; nothing in an \
             archive is replaced: find out what it is, move its folder away, and archive again"
        ),
    }
}

pub(crate) fn refused(reason: String) -> Error {
    Error::InvalidOption { name: "segment", reason }
}
