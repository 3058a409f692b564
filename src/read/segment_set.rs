//! What readers see: the list of segments and the published size.
//!
//! The writer publishes; readers take a [`Snapshot`] and are not disturbed by what
//! comes after.

use std::path::Path;
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::catalog::certificates;
use crate::directory::{self, LogDir};
use crate::error::{Error, Result};
use crate::event::Record;
use crate::format::Stream;
use crate::format::catalog_body::{Sealed, status};
use crate::format::record::CheckedRecord;
use crate::hash::HashAlgorithm;
use crate::index::IndexFile;
use crate::keystore::KeyStore;
use crate::options::LogOptions;
use crate::ranked::{Mutex, Rank, RwLock};
use crate::read::decode;
use crate::read::entry::{OpenSegment, SegmentEntry, check_sealed};
use crate::read::index_cache::Indexes;
use crate::read::payload_reader::PayloadReader;
use crate::read::unknown;
use crate::read::watch::Watch;
use crate::retention::DropCertificate;
use crate::segment::locate::RecordCursor;
use crate::segment::seal::SealedSegment;
use crate::seq::{Seq, TreeSize};

/// Sealed segments that are kept open at a time.
const OPEN_SEGMENTS: usize = 64;

/// Shared between the writer and all snapshots.
#[derive(Debug)]
pub(crate) struct SegmentSet {
    pub(crate) dir: LogDir,
    pub(crate) algorithm: HashAlgorithm,
    mmap: bool,
    /// The catalog that is read when a file is gone, once it was read.
    catalog: Mutex<Option<Box<Catalog>>>,
    /// Published records; grows only after they can be read.
    watch: Watch,
    /// Replaced whole when a segment is begun or sealed.
    entries: RwLock<Arc<Vec<SegmentEntry>>>,
    /// Open sealed segments, the most recently used last.
    cache: Mutex<Vec<Arc<SealedSegment>>>,
    indexes: Indexes,
    opener: PayloadReader,
}

impl SegmentSet {
    pub(crate) fn new(
        dir: LogDir,
        algorithm: HashAlgorithm,
        mmap: bool,
        entries: Vec<SegmentEntry>,
        key_store: Option<KeyStore>,
    ) -> Self {
        SegmentSet {
            algorithm,
            mmap,
            catalog: Mutex::new(Rank::GoneSegments, None),
            watch: Watch::default(),
            entries: RwLock::new(Rank::Entries, Arc::new(entries)),
            cache: Mutex::new(Rank::SegmentCache, Vec::new()),
            indexes: Indexes::default(),
            opener: PayloadReader::new(dir.log_id(), key_store),
            dir,
        }
    }

    /// Of a log that is opened with these options.
    pub(crate) fn with_options(
        options: &LogOptions,
        dir: &LogDir,
        algorithm: HashAlgorithm,
        entries: Vec<SegmentEntry>,
    ) -> Self {
        SegmentSet::new(dir.clone(), algorithm, options.mmap, entries, options.key_store.clone())
    }

    pub(crate) fn size(&self) -> TreeSize {
        self.watch.size()
    }

    pub(crate) fn publish(&self, size: TreeSize) {
        self.watch.publish(size);
    }

    /// A checked record with its event.
    ///
    /// # Errors
    /// `Tampered`: its CRC is right and its body is none, so it was written like that.
    pub(crate) fn decode(&self, record: &CheckedRecord<'_>) -> Result<Record> {
        let decoded = decode::decode(&self.opener, self.algorithm, record);
        decoded.map_err(|reason| decode::damaged(record.head.seq, reason))
    }

    /// What opens payloads.
    pub(crate) fn payload_reader(&self) -> &PayloadReader {
        &self.opener
    }

    /// Who waits for the size to grow.
    pub(crate) fn watch(&self) -> &Watch {
        &self.watch
    }

    pub(crate) fn entries(&self) -> Arc<Vec<SegmentEntry>> {
        Arc::clone(&self.entries.read())
    }

    /// Changes the list of segments.
    pub(crate) fn update(&self, change: impl FnOnce(&mut Vec<SegmentEntry>)) {
        let mut entries = self.entries.write();
        let mut changed = entries.as_ref().clone();
        change(&mut changed);
        *entries = Arc::new(changed);
    }

    /// Notes that a segment was sealed, or what became of it since. What was dropped is let
    /// go of, so that its space is free when the last reader is done.
    pub(crate) fn sealed(&self, sealed: Sealed) {
        self.update(|entries| {
            if let Some(entry) = entries.iter_mut().find(|entry| entry.ordinal == sealed.ordinal) {
                (entry.open, entry.sealed) = (None, Some(sealed));
            }
        });
        if !status::is_readable(sealed.status) {
            self.cache.lock().retain(|open| open.footer.ordinal != sealed.ordinal);
            self.indexes.forget(sealed.ordinal);
        }
    }

    /// A cursor at a record, up to the end of its segment or `size`.
    pub(crate) fn cursor(
        &self,
        entries: &[SegmentEntry],
        seq: Seq,
        size: TreeSize,
    ) -> Result<RecordCursor> {
        let at = entries.partition_point(|entry| entry.first.get() <= seq.get());
        let Some(entry) = at.checked_sub(1).and_then(|at| entries.get(at)) else {
            let path = self.dir.segments();
            return Err(Error::corrupt(&path, 0, format!("a segment with record {seq}"), "none"));
        };
        let end = entries.get(at).map_or(size, |next| next.first.min(size));
        if entry.is_unknown() {
            return Err(unknown::cannot_tell(seq));
        }
        if entry.is_gone() {
            return Err(self.gone(entry, seq));
        }
        if let Some(sealed) = &entry.sealed {
            // A catalog that is damaged does not know of what was dropped.
            if sealed.first.saturating_add(sealed.count) <= seq.get() {
                let expected = format!("a segment with record {seq}");
                return Err(Error::corrupt(&self.dir.segments(), 0, expected, "none"));
            }
        }
        match &entry.open {
            Some(OpenSegment { segment, waypoints, .. }) => {
                RecordCursor::at(Arc::clone(segment), waypoints, seq, end)
            }
            None => {
                let sealed = self.open_sealed(entry)?;
                RecordCursor::at(Arc::clone(&sealed.segment), &sealed.waypoints, seq, end)
            }
        }
    }

    /// Opens a sealed segment, or takes it from those that are open.
    pub(crate) fn open_sealed(&self, entry: &SegmentEntry) -> Result<Arc<SealedSegment>> {
        let mut cache = self.cache.lock();
        let cached = cache.iter().position(|open| open.footer.ordinal == entry.ordinal);
        if let Some(at) = cached {
            let open = cache.remove(at);
            cache.push(Arc::clone(&open));
            return Ok(open);
        }
        drop(cache);
        let path = self.dir.segment(entry.ordinal);
        let opened = SealedSegment::open(self.dir.disk(), &path, self.mmap);
        let Some(opened) = opened.map_err(|error| self.or_gone(error, entry))? else {
            let expected = format!("the footer of sealed segment {}", entry.ordinal);
            return Err(Error::corrupt(&path, 0, expected, "none"));
        };
        self.check(entry, &opened)?;
        let opened = Arc::new(opened);
        let mut cache = self.cache.lock();
        if cache.len() >= OPEN_SEGMENTS {
            cache.remove(0);
        }
        cache.push(Arc::clone(&opened));
        Ok(opened)
    }

    /// Gives a record of a segment that has a certificate and whose file is still there.
    ///
    /// # Errors
    /// `Tampered` if it is not there; damage, I/O.
    pub(crate) fn with_dropped_record<T>(
        &self,
        seq: Seq,
        read: impl FnOnce(&CheckedRecord<'_>) -> T,
    ) -> Result<T> {
        let entries = self.entries();
        let at = entries.partition_point(|entry| entry.first.get() <= seq.get());
        let entry = at.checked_sub(1).and_then(|at| entries.get(at));
        let opened = match entry.map(|entry| self.open_sealed(entry)) {
            Some(Err(Error::Expired { .. } | Error::Corrupt { .. })) | None => None,
            Some(opened) => Some(opened?),
        };
        let missing = || {
            let what = format!("record {seq}, the newest anchor");
            Error::tampered(what, "a record that no drop can take away", "that it was dropped")
        };
        let opened = opened.ok_or_else(missing)?;
        let end = opened.footer.end();
        let segment = Arc::clone(&opened.segment);
        let mut cursor = RecordCursor::at(segment, &opened.waypoints, seq, end)?;
        match cursor.next_record()? {
            Some((_, record)) => Ok(read(&record)),
            None => Err(missing()),
        }
    }

    /// Why a file is not there: what the catalog says by now, whoever wrote it.
    fn or_gone(&self, error: Error, entry: &SegmentEntry) -> Error {
        match &error {
            Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                self.gone(entry, entry.first.next_seq())
            }
            _ => error,
        }
    }

    /// That a segment is gone, with its certificate if there is one.
    fn gone(&self, entry: &SegmentEntry, seq: Seq) -> Error {
        match self.certificate(entry) {
            Ok(Some(certificate)) => Error::expired(seq, certificate),
            Ok(None) => {
                let path = self.dir.segment(entry.ordinal);
                let expected = "the file of a sealed segment, or a certificate that it was dropped";
                Error::corrupt(&path, 0, expected, "neither")
            }
            Err(error) => error,
        }
    }

    /// The certificate by which a segment was dropped, whoever wrote it. The catalog is kept
    /// open for the next one: each time what was added to it since is read.
    fn certificate(&self, entry: &SegmentEntry) -> Result<Option<DropCertificate>> {
        let mut kept = self.catalog.lock();
        if let Some(mut catalog) = kept.take()
            && catalog.refresh().is_ok()
            && let Ok(Some(certificate)) = self.certificate_in(&catalog, entry)
        {
            *kept = Some(catalog);
            return Ok(Some(certificate));
        }
        // One that has none, or cannot be read on, is not believed: the other copy may.
        let (disk, clock) = (self.dir.shared_disk(), self.dir.shared_clock());
        let catalog = Catalog::open_read_only(disk, &self.dir.catalog(), self.dir.log_id(), clock)?;
        let certificate = self.certificate_in(&catalog, entry)?;
        *kept = certificate.is_some().then(|| Box::new(catalog));
        Ok(certificate)
    }

    fn certificate_in(
        &self,
        catalog: &Catalog,
        entry: &SegmentEntry,
    ) -> Result<Option<DropCertificate>> {
        let state = catalog.state();
        let Some(sealed) = state.segment(entry.ordinal) else { return Ok(None) };
        // A snapshot of before a restore still shows the drop. So does the log itself while the
        // restore is recorded and its file is not in its place, as after an I/O error.
        let is_gone = !status::is_readable(sealed.status)
            || entry.is_gone()
            || (sealed.status == status::RESTORED && self.is_on_its_way(entry.ordinal)?);
        let at = state.certificate_of(entry.ordinal).filter(|_| is_gone);
        at.map(|at| certificates::certificate_at(catalog, at)).transpose()
    }

    /// Whether the file of a restored segment, which was missing a moment ago, is beside its place, or
    /// came into it since.
    fn is_on_its_way(&self, ordinal: u64) -> Result<bool> {
        let path = self.dir.segment(ordinal);
        let exists =
            |path: &Path| self.dir.disk().exists(path).map_err(Error::io("look for", path));
        Ok(exists(&directory::restoring(&path))? || exists(&path)?)
    }

    /// The index of a sealed segment; `None` if there is no good one: then it is wanted.
    pub(crate) fn index_of(&self, entry: &SegmentEntry) -> Option<Arc<IndexFile>> {
        self.indexes.get(&self.dir, self.mmap, entry)
    }

    /// Notes that the index of a segment is of no use, and lets go of it.
    pub(crate) fn note_unindexed(&self, ordinal: u64) {
        self.indexes.want(ordinal);
    }

    /// Those segments whose indexes are to be made anew.
    pub(crate) fn indexes(&self) -> &Indexes {
        &self.indexes
    }

    /// A sealed segment must be the one that the catalog knows.
    fn check(&self, entry: &SegmentEntry, opened: &SealedSegment) -> Result<()> {
        let place = (Stream::Main, self.dir.log_id(), entry.ordinal);
        opened.segment.check_is(place, Some(self.algorithm))?;
        entry.sealed.as_ref().map_or(Ok(()), |sealed| check_sealed(sealed, opened))
    }
}
