//! The window of an open log: read from its segments when it is first needed, and caught up with
//! what was appended since whenever it is asked.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use super::window::Window;
use crate::error::{Error, Result};
use crate::event::{EventId, RecordKind};
use crate::format::body;
use crate::options::LogOptions;
use crate::ranked::{Mutex, Rank};
use crate::read::entry::SegmentEntry;
use crate::read::records::SegmentSnapshot;
use crate::read::segment_set::SegmentSet;
use crate::seq::Seq;
use crate::time::Timestamp;
use crate::write::group_commit::Committed;

/// Which ids the newest records have.
#[derive(Debug)]
pub(crate) struct Known {
    /// `None` until it is needed: a log that is never asked for an id keeps none. Held while
    /// records are read, so that two callers do not read the same; appends do not take it.
    window: Mutex<Option<Filled>>,
    /// Drawn for each opening: nobody can choose ids whose fingerprints are alike.
    hashing: RandomState,
}

#[derive(Debug)]
struct Filled {
    window: Window,
    /// `recorded_at` of the newest record.
    newest: Timestamp,
}

/// Records that may have an id.
pub(crate) struct Candidates {
    pub(crate) seqs: Vec<u64>,
    /// A record of before this is not in the window.
    pub(crate) not_before: Timestamp,
    /// Holds all of them.
    pub(crate) snapshot: SegmentSnapshot,
}

impl Default for Known {
    fn default() -> Self {
        Known { window: Mutex::new(Rank::OnceWindow, None), hashing: RandomState::new() }
    }
}

impl Known {
    /// The records that may have an id, of all that are published by now.
    ///
    /// # Errors
    /// Damage in the segments of the window, I/O: whether the log has the id is unknown then.
    pub(crate) fn candidates(
        &self,
        view: &Arc<SegmentSet>,
        options: &LogOptions,
        id: EventId,
    ) -> Result<Candidates> {
        let mut window = self.window.lock();
        // Taken with the lock held: no other caller is ahead of it then.
        let snapshot = view.snapshot();
        let filled = match window.take() {
            Some(filled) => filled,
            None => self.fill(&snapshot, options)?,
        };
        let filled = window.insert(filled);
        self.catch_up(&snapshot, filled)?;
        let not_before = before(filled.newest, options);
        Ok(Candidates {
            seqs: filled.window.candidates(self.fingerprint(id)),
            not_before,
            snapshot,
        })
    }

    /// Takes in records that the caller has committed, unless there are others before them that
    /// were not taken in: then they are read with those.
    pub(crate) fn note(&self, ids: &[EventId], committed: &Committed) {
        let mut window = self.window.lock();
        let Some(filled) = &mut *window else { return };
        if filled.window.end() == committed.first.get() {
            for (id, seq) in ids.iter().zip(committed.first.get()..) {
                filled.window.insert(self.fingerprint(*id), seq);
            }
            filled.newest = committed.recorded_at;
        }
    }

    fn fingerprint(&self, id: EventId) -> u64 {
        self.hashing.hash_one(id.0)
    }

    /// Reads the newest records, the newest segment first, as far back as the options say. By the
    /// times in their seals whole segments are left out, which a clock that was set back may have
    /// put between others.
    fn fill(&self, snapshot: &SegmentSnapshot, options: &LogOptions) -> Result<Filled> {
        let mut filled = Filled { window: Window::new(options.once_ids), newest: Timestamp::MIN };
        filled.window.pass(snapshot.size().get());
        let mut newest = None;
        for entry in snapshot.entries().iter().rev() {
            if snapshot.end_of(entry).get() <= filled.window.start() {
                break;
            }
            let sealed = entry.sealed.as_ref().filter(|_| !entry.is_gone());
            let last = sealed.map(|sealed| Timestamp::from_nanos(sealed.times[1]));
            let too_old = |last: Timestamp| last < before(newest.unwrap_or(last), options);
            if last.is_some_and(too_old) {
                continue;
            }
            let from = filled.window.start();
            let last = self.take_in(snapshot, entry, from, &mut filled.window)?;
            newest = newest.or(last);
        }
        filled.newest = newest.unwrap_or(Timestamp::MIN);
        Ok(filled)
    }

    fn catch_up(&self, snapshot: &SegmentSnapshot, filled: &mut Filled) -> Result<()> {
        let size = snapshot.size().get();
        if filled.window.end() >= size {
            return Ok(());
        }
        let from = filled.window.end().max(size.saturating_sub(filled.window.ids_max()));
        let entries = snapshot.entries();
        let first = entries.partition_point(|entry| snapshot.end_of(entry).get() <= from);
        for entry in &entries[first..] {
            if let Some(newest) = self.take_in(snapshot, entry, from, &mut filled.window)? {
                filled.newest = newest;
            }
        }
        filled.window.pass(size);
        Ok(())
    }

    /// Takes in the records of a segment, from this one on. Gives the time of the last one.
    fn take_in(
        &self,
        snapshot: &SegmentSnapshot,
        entry: &SegmentEntry,
        from: u64,
        window: &mut Window,
    ) -> Result<Option<Timestamp>> {
        let size = snapshot.size();
        let first = entry.first.get().max(from);
        if first >= snapshot.end_of(entry).get() || entry.is_gone() || entry.is_unknown() {
            return Ok(None);
        }
        let mut cursor =
            match snapshot.segment_set().cursor(snapshot.entries(), Seq::new(first), size) {
                // It was dropped since the snapshot was taken.
                Err(Error::Expired { .. }) => return Ok(None),
                cursor => cursor?,
            };
        let mut last = None;
        while let Some((_, record)) = cursor.next_record()? {
            last = Some(record.head.recorded_at);
            let is_event = record.head.kind == RecordKind::Event.code();
            if let Some(id) = body::id_of(record.envelope).filter(|_| is_event) {
                window.insert(self.fingerprint(id), record.head.seq.get());
            }
        }
        Ok(last)
    }
}

/// The oldest time in the window, if this is the newest.
fn before(newest: Timestamp, options: &LogOptions) -> Timestamp {
    let age = i64::try_from(options.once_age.as_nanos()).unwrap_or(i64::MAX);
    Timestamp::from_nanos(newest.as_nanos().saturating_sub(age))
}
