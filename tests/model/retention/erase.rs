//! Actors whose payloads are erased.

use std::path::Path;
use std::sync::Arc;

use bulla::Attribution;
use bulla::disk::Disk;
use bulla::{Error, KeyStore, Log, LogOptions, SubjectRule, WrappingKey};

use crate::retention::driver::Driver;
use crate::retention::model::{Model, Row, Segment};
use crate::retention::steps::Deed;

const KEYS: &str = "/keys";

/// An actor: its number, and whether it is a service.
pub type Subject = (u8, bool);

/// An erasure that may have happened.
#[derive(Clone, Debug)]
pub struct Erasing {
    subject: Subject,
    why: String,
}

pub fn subject_of(deed: &Deed) -> Subject {
    (deed.actor, deed.service)
}

fn wrapping() -> WrappingKey {
    WrappingKey::from_bytes([7; 32])
}

fn is_of(row: &Row, subject: Subject) -> bool {
    row.deed.as_ref().is_some_and(|(_, deed)| subject_of(deed) == subject) && !row.erased
}

impl Model {
    fn erase(&mut self, subject: Subject) {
        self.subjects.remove(&subject);
        let rows = self.rows.iter_mut().filter(|row| is_of(row, subject));
        rows.for_each(|row| row.erased = true);
    }

    /// The records that are there and whose payloads an erasure would erase: those of a drop
    /// that was not finished, too, as it may be called off.
    fn to_erase(&self, subject: Subject, unfinished: &[u64]) -> Vec<&Row> {
        let is_there = |(ordinal, segment): &(&u64, &Segment)| {
            !segment.is_gone() || unfinished.contains(ordinal)
        };
        let there = self.segments.iter().filter(is_there);
        let rows = there.flat_map(|(_, segment)| &self.rows[segment.rows.clone()]);
        rows.filter(|row| is_of(row, subject)).collect()
    }
}

impl Driver {
    fn shared_disk(&self) -> Arc<dyn Disk> {
        Arc::new(self.disk.clone())
    }

    pub fn create_keys(&self) -> KeyStore {
        KeyStore::create_on(self.shared_disk(), Path::new(KEYS), &wrapping()).unwrap()
    }

    pub fn open_keys(&self) -> Result<KeyStore, Error> {
        KeyStore::open_on(self.shared_disk(), Path::new(KEYS), &wrapping())
    }

    /// The options of the service: only it has the keys.
    pub fn options_with(&self, keys: KeyStore) -> LogOptions {
        self.options().key_store(keys).subject_rule(SubjectRule::Actor)
    }

    pub fn erase(&mut self, subject: Subject) -> Result<(), Error> {
        let (kind, why) = (if subject.1 { "service" } else { "user" }, self.why());
        let name = format!("{kind}:a{}", subject.0);
        let rows = self.model.to_erase(subject, &self.unfinished());
        let in_force = || self.model.holds.iter().filter(|placed| placed.in_force());
        let held = in_force().any(|hold| rows.iter().any(|row| Model::pins(&hold.scope, row)));
        let records = rows.len() as u64;
        // What went has its keys still.
        let has_keys = self.model.rows.iter().any(|row| is_of(row, subject));
        let may_have_keys = self.model.subjects.contains(&subject);
        self.model.erasing = Some(Erasing { subject, why: why.clone() });
        match self.log().retention().erase(&name, &Attribution::by("carol").because(&why)) {
            Ok(certificate) => {
                assert!(!held && may_have_keys, "{name}: {certificate:?}");
                assert_eq!(certificate.records, records, "{name}");
                assert_eq!(certificate.size.get(), self.model.rows.len() as u64);
                self.model.erase(subject);
                self.seen.erased += u64::from(records > 0);
            }
            Err(Error::Held { cases, .. }) => {
                assert!(held, "{name}: nothing of it is held by {cases:?}");
                self.seen.not_erased += 1;
            }
            Err(Error::KeyStore { reason, .. }) => assert!(!has_keys, "{name}: {reason}"),
            Err(error) => return Err(error),
        }
        self.model.erasing = None;
        Ok(())
    }

    /// Learns what became of an erasure: it is whole, or it did not happen.
    pub fn resolve_erasure(&mut self, log: &Log) {
        let Some(Erasing { subject, why }) = self.model.erasing.take() else { return };
        let history = log.snapshot().catalog().history().unwrap();
        let mut erased = history.iter().filter(|entry| entry.what == "subject erased");
        if erased.any(|entry| entry.why.as_ref() == Some(&why)) {
            self.model.erase(subject);
        }
    }
}
