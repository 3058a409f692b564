//! Segments that go into an archive.

use std::path::Path;
use std::sync::Arc;

use bulla::archive::{ArchiveStore, DirectoryStore};
use bulla::disk::Disk;
use bulla::retention::Verdict;
use bulla::{Error, Timestamp};

use crate::driver::Driver;
use crate::model::Model;

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
        let copy = self.log().archive(ordinal, &store, &self.asked())?;
        assert_eq!(copy.location, store.location());
        self.model.segments.get_mut(&ordinal).unwrap().archived = true;
        self.seen.archived += 1;
        Ok(())
    }
}
