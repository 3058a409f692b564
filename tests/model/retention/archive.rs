//! Segments that go into an archive, and come back.

use std::path::Path;
use std::sync::Arc;

use bulla::archive::{ArchiveStore, DirectoryStore};
use bulla::disk::Disk;
use bulla::retention::Verdict;
use bulla::{Error, SegmentStatus, Timestamp};

use crate::retention::driver::Driver;
use crate::retention::model::{Model, Segment};

const ARCHIVE: &str = "/archive";

impl Model {
    /// Whether the policy keeps a segment until there is a copy of it.
    pub fn waits(&self, ordinal: u64) -> bool {
        self.rules.is_some_and(|rules| rules.archive) && !self.segments[&ordinal].archived
    }

    /// The segments that go, and whether they must be archived before.
    pub fn verdicts(&self, now: Timestamp) -> Vec<(u64, Verdict)> {
        let going = self.going(now).into_iter();
        going
            .map(|ordinal| (ordinal, Verdict::Goes { archive_first: self.waits(ordinal) }))
            .collect()
    }

    /// An expiry archives what it drops, and may be told of an error after.
    pub fn all_may_be_archived(&mut self) {
        for segment in self.segments.values_mut().filter(|segment| segment.sealed) {
            segment.archive_asked |= segment.certificate.is_none();
        }
    }

    /// A log that was opened has finished its restores, or forgotten them.
    pub fn no_restore_is_in_doubt(&mut self) {
        self.segments.values_mut().for_each(|segment| segment.restore_asked = false);
    }
}

impl Segment {
    /// What was restored stays so; what nobody asked for is not.
    pub fn take_status(&mut self, found: SegmentStatus) {
        let restored = found == SegmentStatus::Restored;
        assert!(restored || !self.restored, "{found:?}, and was restored: {self:?}");
        assert!(!restored || self.restored || self.restore_asked, "nobody restored it: {self:?}");
        self.restored = restored;
    }
}

impl Driver {
    /// The archive, opened anew: the disk may have crashed since.
    pub fn store(&self) -> Result<DirectoryStore, Error> {
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        DirectoryStore::open_or_create_on(disk, Path::new(ARCHIVE)).map_err(|error| Error::Io {
            op: "open",
            path: ARCHIVE.into(),
            source: Arc::new(error),
        })
    }

    pub fn archive(&mut self, n: u8) -> Result<(), Error> {
        let sealed = self.model.segments.iter().filter(|(_, segment)| segment.sealed);
        let there: Vec<u64> =
            sealed.filter(|(_, s)| s.certificate.is_none()).map(|(at, _)| *at).collect();
        if there.is_empty() {
            return Ok(());
        }
        let ordinal = there[usize::from(n) % there.len()];
        let store = self.store()?;
        self.model.segments.get_mut(&ordinal).unwrap().archive_asked = true;
        let copy = self.log().archive().copy(ordinal, &store, &self.asked())?;
        assert_eq!(copy.location, store.location());
        self.model.segments.get_mut(&ordinal).unwrap().archived = true;
        self.seen.archived += 1;
        Ok(())
    }

    pub fn restore(&mut self, n: u8) -> Result<(), Error> {
        let store = self.store()?;
        let found = self.log().archive().restorable_in(&store)?;
        if self.unfinished().is_empty() {
            self.check_dropped_in(&found);
        }
        if found.is_empty() {
            return Ok(());
        }
        let (ordinal, folder) = &found[usize::from(n) % found.len()];
        self.model.segments.get_mut(ordinal).unwrap().restore_asked = true;
        let restored = self.log().archive().restore(&store, folder, &self.asked())?;
        let segment = self.model.segments.get_mut(ordinal).unwrap();
        let (first, count) = (segment.rows.start as u64, segment.rows.len() as u64);
        assert_eq!(
            (restored.ordinal, restored.first.get(), restored.count),
            (*ordinal, first, count)
        );
        segment.restored = true;
        self.seen.restored += 1;
        Ok(())
    }

    /// What is gone and was archived can be brought back, and nothing else.
    fn check_dropped_in(&self, found: &[(u64, String)]) {
        let segments = &self.model.segments;
        let found: Vec<u64> = found.iter().map(|(ordinal, _)| *ordinal).collect();
        for ordinal in &found {
            let segment = &segments[ordinal];
            assert!(segment.is_gone() && segment.archive_asked, "{ordinal}: {segment:?}");
        }
        for (ordinal, segment) in segments.iter().filter(|(_, segment)| segment.is_gone()) {
            let certificate = segment.certificate.as_ref();
            let archived = certificate.is_some_and(|drop| drop.archived.is_some());
            assert!(!archived || found.contains(ordinal), "not in the archive: {segment:?}");
        }
    }

    /// Whether a segment was restored, as far as anybody was told.
    pub fn may_be_restored(&self, ordinal: u64) -> bool {
        let known = self.model.segments.get(&ordinal);
        known.is_some_and(|segment| segment.restored || segment.restore_asked)
    }
}
