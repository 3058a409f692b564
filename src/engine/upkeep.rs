//! Housekeeping: seals, marks, space ahead, watermarks, age.
//!
//! One background thread serves all logs of the process; with
//! [`Housekeeping::Inline`] whoever appends does the same steps.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crate::engine::core::{Core, Upkeep};
use crate::error::{Error, Result};
use crate::format::catalog_body::{CatalogBody, ClockStepped, RecordedAttribution, Sealed};
use crate::options::{Durability, Housekeeping};
use crate::read::entry::SegmentEntry;
use crate::retention::Policy;
use crate::segment::active::PreallocatedSegment;
use crate::segment::seal::{self, SealFacts};
use crate::time::Timestamp;
use crate::tree;
use crate::write::housekeeper::Tended;
use crate::write::writer::{MARK_EVERY, UnsealedFull};

/// After this long without an append, a watermark and a mark are written.
const IDLE: Duration = Duration::from_secs(1);
/// What a seal says of how long its segment is kept when there is no policy.
const NO_POLICY: Timestamp = Timestamp::from_nanos(0);

/// How sealing a segment ended.
enum Sealing {
    Done,
    /// Its records cannot be read now, for this reason. Nothing is lost.
    Later(Error),
}

impl Tended for Core {
    fn tend(&self) {
        let _ = self.keep_up(); // a full disk is met again
    }
}

impl Core {
    /// What the housekeeper would do, in the thread of whoever appends.
    pub(crate) fn upkeep_inline(&self) {
        if self.shared.options.housekeeping == Housekeeping::Inline {
            // If another thread is at it, it does this too.
            if let Some(mut upkeep) = self.upkeep.try_lock() {
                let _ = self.keep_up_with(&mut upkeep); // a full disk is met again
            }
        }
    }

    /// Seals what a crash left unsealed, and puts a mark behind a long replay. What there is no
    /// space for is done later: a log on a full disk can be read, and expire.
    pub(crate) fn upkeep_after_open(&self) -> Result<()> {
        let mut upkeep = self.upkeep.lock();
        unless_full(self.seal_retired(&mut upkeep))?;
        self.protect_newest();
        self.look_for_indexes()?;
        if self.recovery.replayed > 0 {
            unless_full(self.write_mark(&mut upkeep))?;
        }
        Ok(())
    }

    /// Does what is due. Any failure but a full disk poisons the log.
    ///
    /// # Errors
    /// `DiskFull`: some of it is left, and done later.
    pub(crate) fn keep_up(&self) -> Result<()> {
        self.keep_up_with(&mut self.upkeep.lock())
    }

    /// The same, for who has to know that what is full is sealed.
    ///
    /// # Errors
    /// Why a segment is not sealed: I/O, `DiskFull`; it is tried again later. `Poisoned`.
    pub(crate) fn keep_up_and_seal(&self) -> Result<()> {
        let mut upkeep = self.upkeep.lock();
        let kept_up = self.keep_up_with(&mut upkeep);
        self.check_poisoned()?;
        // In the same round: another one may have other reasons.
        if let Some(reason) = upkeep.not_sealed.take() {
            return Err(reason);
        }
        let is_sealed = self.writer.lock().retired.is_empty();
        if is_sealed { Ok(()) } else { kept_up }
    }

    fn keep_up_with(&self, upkeep: &mut Upkeep) -> Result<()> {
        if self.poisoned().is_some() || self.writer.lock().closed {
            return Ok(());
        }
        let done = catch_unwind(AssertUnwindSafe(|| self.keep_up_steps(upkeep)));
        match done {
            Ok(Err(full @ Error::DiskFull { .. })) => return Err(full),
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.poison(&error.to_string()),
            Err(_) => self.poison("the housekeeper panicked"),
        }
        Ok(())
    }

    /// One step that finds no space does not keep the others from what is due: a sync, or a seal
    /// that needs none.
    fn keep_up_steps(&self, upkeep: &mut Upkeep) -> Result<()> {
        self.nudge.begin_round();
        let mut full = Ok(());
        let steps: [fn(&Core, &mut Upkeep) -> Result<()>; 6] = [
            |core, upkeep| core.look_at_clock(upkeep),
            |core, _| core.prepare_space(),
            |core, upkeep| core.seal_retired(upkeep),
            |core, _| core.make_ahead(),
            |core, _| core.destroy_keys(),
            |core, upkeep| core.mark_if_due(upkeep),
        ];
        for step in steps {
            match step(self, upkeep) {
                Err(error @ Error::DiskFull { .. }) => full = Err(error),
                done => done?,
            }
        }
        if self.shared.options.housekeeping == Housekeeping::Background {
            self.index_open_segments();
        }
        if self.make_wanted_index() {
            self.nudge.needed(); // there may be more
        }
        full
    }

    fn mark_if_due(&self, upkeep: &mut Upkeep) -> Result<()> {
        let due = self.writer.lock().since_mark >= MARK_EVERY;
        if due || self.tree.pending_bytes() > tree::PENDING_MAX {
            self.write_mark(upkeep)?;
        }
        Ok(())
    }

    /// Takes from the key store's file what an erasure had no space to take.
    fn destroy_keys(&self) -> Result<()> {
        match &self.shared.options.key_store {
            Some(store) => store.finish_destroying(),
            None => Ok(()),
        }
    }

    fn prepare_space(&self) -> Result<()> {
        let space = {
            let writer = self.writer.lock();
            writer
                .active
                .as_ref()
                .map(|active| (Arc::clone(&active.space), active.end.offset, active.last_frame_len))
        };
        match space {
            // At the end of a segment no more is needed.
            Some((space, end, frame_len))
                if space.is_short(end) && space.prepared() < self.shared.options.segment_bytes =>
            {
                space.extend_ahead(frame_len)
            }
            _ => Ok(()),
        }
    }

    fn make_ahead(&self) -> Result<()> {
        let half_full = {
            let writer = self.writer.lock();
            let end = writer.active.as_ref().map_or(0, |active| active.end.offset);
            end > self.shared.options.segment_bytes / 2
        };
        let mut ahead = self.ahead.lock();
        if half_full && ahead.made.is_none() {
            let (disk, dir) = (self.shared.dir.disk(), self.shared.dir.segments());
            ahead.made = Some(PreallocatedSegment::create(disk, &dir, ahead.next_ordinal)?);
        }
        Ok(())
    }

    /// Seals the segments that are full, oldest first, up to one that cannot be read now.
    fn seal_retired(&self, upkeep: &mut Upkeep) -> Result<()> {
        upkeep.not_sealed = None;
        loop {
            let retired = {
                let mut writer = self.writer.lock();
                if writer.retired.is_empty() { None } else { Some(writer.retired.remove(0)) }
            };
            if let Err(error) = self.record_clock_steps() {
                self.writer.lock().retired.splice(0..0, retired);
                return Err(error);
            }
            let Some(retired) = retired else { return Ok(()) };
            match self.seal(&retired) {
                Ok(Sealing::Done) => {}
                Ok(Sealing::Later(reason)) => {
                    upkeep.not_sealed = Some(reason);
                    self.writer.lock().retired.insert(0, retired);
                    return Ok(());
                }
                Err(error) => {
                    self.writer.lock().retired.insert(0, retired);
                    return Err(error);
                }
            }
        }
    }

    fn record_clock_steps(&self) -> Result<()> {
        loop {
            let Some((expected, found, ordinal)) = self.writer.lock().clock_steps.first().copied()
            else {
                return Ok(());
            };
            let (expected, found) = (expected.as_nanos(), found.as_nanos());
            let body = CatalogBody::ClockStepped(ClockStepped { expected, found, ordinal });
            if let Ok(catalog) = self.shared.catalog.lock().good() {
                catalog.append(&body, &RecordedAttribution::default())?;
            }
            self.writer.lock().clock_steps.remove(0);
        }
    }

    /// Seals a segment, unless its records cannot be read now.
    fn seal(&self, retired: &UnsealedFull) -> Result<Sealing> {
        let UnsealedFull { active, facts } = retired;
        let segment = &active.segment;
        // Also if a crash came between the seal and its record: what it left of table and
        // footer may not be whole, or not be durable.
        let waypoints = active.waypoints.all(segment)?;
        let index_root = match self.index_sealed(segment.header.ordinal, active.end.size) {
            Ok(root) => root,
            Err(error @ Error::Tampered { .. }) => return Err(error),
            // Reading failed and nothing was lost: the next round tries again.
            Err(error) => return Ok(Sealing::Later(error)),
        };
        let sealed = loop {
            let sealed_at = self.latest_seen(segment.header.ordinal, facts)?;
            let keep_until = self.keep_until(sealed_at)?;
            let facts = SealFacts { index_root, keep_until, sealed_at, ..facts.clone() };
            let footer = seal::seal(segment, active.end, &waypoints, &facts)?;
            let sealed = seal::catalog_entry(segment, &footer, segment.file_len()?);
            if self.record_seal(&sealed)? {
                break sealed;
            }
        };
        self.view.sealed(sealed);
        self.protect(sealed.ordinal);
        Ok(Sealing::Done)
    }

    /// The latest time that the log has seen when a segment is sealed: by the clock, of its
    /// records, of all before them, and of the seal before. A clock that was behind for a while
    /// makes no record older than those before it.
    fn latest_seen(&self, ordinal: u64, facts: &SealFacts) -> Result<Timestamp> {
        let mut latest = facts.sealed_at.max(facts.times.recorded.1);
        if let Ok(catalog) = self.shared.catalog.lock().good() {
            catalog.refresh()?;
            let known = catalog.state().latest_time_before(ordinal).map(Timestamp::from_nanos);
            latest = known.map_or(latest, |known| known.max(latest));
        }
        let entries = self.view.entries();
        let sealed = |entry: &&SegmentEntry| entry.ordinal < ordinal && entry.is_sealed_and_there();
        let before = entries.iter().rev().find(sealed);
        // What of it cannot be read is found elsewhere.
        let before = before.and_then(|before| self.view.open_sealed(before).ok());
        Ok(before.map_or(latest, |before| before.footer.sealed_at.max(latest)))
    }

    /// Records a seal; false if a policy was set since its footer was written, by which it is
    /// sealed again: another process may have set it.
    fn record_seal(&self, sealed: &Sealed) -> Result<bool> {
        let mut catalog = self.shared.catalog.lock();
        let Ok(catalog) = catalog.good() else { return Ok(true) };
        catalog.transact(|catalog| {
            let fits = catalog.state().is_kept_long_enough(sealed);
            if fits {
                catalog.append(&CatalogBody::Sealed(*sealed), &RecordedAttribution::default())?;
            }
            Ok(fits)
        })
    }

    /// Until when a segment that is sealed now is kept, by the policy in force: whatever the
    /// clock showed in between, counted from the latest time that the log has seen.
    fn keep_until(&self, latest: Timestamp) -> Result<Timestamp> {
        let mut catalog = self.shared.catalog.lock();
        let Ok(catalog) = catalog.good() else { return Ok(NO_POLICY) };
        catalog.refresh()?;
        let Some(in_force) = catalog.state().policy() else { return Ok(NO_POLICY) };
        let policy = Policy::from_body(&in_force.policy);
        Ok(latest.saturating_add(policy.keep.duration()))
    }

    /// Puts hashes and a mark on disk, so that recovery starts here.
    pub(crate) fn write_mark(&self, upkeep: &mut Upkeep) -> Result<()> {
        let (mark, since_mark) = {
            let mut writer = self.writer.lock();
            let since_mark = writer.since_mark;
            (writer.mark()?, since_mark)
        };
        let flushed = self.tree.flush();
        let written = match (flushed, mark) {
            (Ok(_), Some(mark)) => upkeep.marks.write(mark),
            (flushed, _) => flushed.map(|_| ()),
        };
        if written.is_err() {
            self.writer.lock().since_mark += since_mark; // it is due as before
        }
        written
    }

    /// What depends on time: syncs, watermarks, age.
    fn look_at_clock(&self, upkeep: &mut Upkeep) -> Result<()> {
        let now = self.shared.options.clock.monotonic();
        if let Durability::Interval(every) = self.shared.options.durability
            && now.saturating_sub(upkeep.synced_at) >= every
        {
            upkeep.synced_at = now;
            self.sync_in_background()?;
        }
        let size = self.view.size().get();
        if upkeep.seen.0 != size {
            upkeep.seen = (size, now);
        }
        let idle = now.saturating_sub(upkeep.seen.1) >= IDLE;
        if idle && self.writer.lock().unwatermarked {
            self.writer.lock().watermark()?;
            self.write_mark(upkeep)?;
        }
        let mut writer = self.writer.lock();
        // By the wall clock, so that the age goes on counting while the log is closed.
        let (today, age) = (self.shared.options.clock.now(), self.jittered_age());
        let old = writer.active.as_ref().is_some_and(|active| {
            active.count() > 0 && today.saturating_since(active.segment.header.created_at) >= age
        });
        if old {
            writer.retire()?;
        }
        Ok(())
    }

    /// Syncs without keeping the leader waiting.
    fn sync_in_background(&self) -> Result<()> {
        let (segment, space, size) = {
            let writer = self.writer.lock();
            let Some(active) = &writer.active else { return Ok(()) };
            if writer.durable >= writer.size {
                return Ok(());
            }
            (Arc::clone(&active.segment), Arc::clone(&active.space), writer.size)
        };
        space.sync().map_err(Error::sync(&segment.path))?;
        let mut writer = self.writer.lock();
        if writer.durable < size {
            writer.set_durable(size);
        }
        Ok(())
    }

    /// The age at which a segment is sealed, less up to a tenth by the log's identity, so
    /// that the logs of a fleet do not all rotate at once.
    fn jittered_age(&self) -> Duration {
        let age = self.shared.options.segment_age;
        age - age.mul_f64(f64::from(self.shared.dir.log_id().0[0]) / 2560.0)
    }
}

/// What is left undone for want of space is no failure: it is done when there is some.
pub(crate) fn unless_full(done: Result<()>) -> Result<()> {
    match done {
        Err(Error::DiskFull { .. }) => Ok(()),
        done => done,
    }
}
