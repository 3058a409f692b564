//! Expiry: plans what goes, and lets it go, one segment at a time.
//!
//! Each segment is a transaction under the catalog's lock, so that no other process can
//! place a hold between the check and the deletion:
//!
//! 1. read the catalog to its end: holds and policy as they are now;
//! 2. read the records: none may match a hold, and their hashes must be those that stay;
//! 3. sync those hashes;
//! 4. the drop certificate, durable;
//! 5. an anchor in the main log, durable: who puts an older catalog back contradicts it;
//! 6. let readers know, then unlink segment and index, sync the directory;
//! 7. the record that it is done.
//!
//! A process that dies before 4 has done nothing. After 4 the next opening goes on at 5, or
//! calls the drop off if a hold came in between (see `settle`).

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::asked::{because, check_asked};
use crate::catalog::certificates;
use crate::catalog::{Catalog, CatalogTransaction};
use crate::directory::LogDir;
use crate::engine::core::Core;
use crate::engine::retain::expiry::{ExpireOptions, Expiry};
use crate::engine::retain::now;
use crate::engine::retain::pins;
use crate::engine::retain::pins::Counted;
use crate::engine::retain::scan::{self, Scanned};
use crate::engine::retain::seals::{LateSeals, RecordedSeals};
use crate::error::{Error, Result};
use crate::event::Anchor;
use crate::format::catalog_body::{
    ArchivedAt, CatalogBody, DropCompleted, DropStarted, Sealed, StateMap, status,
};
use crate::keystore::KeyStore;
use crate::options::LogOptions;
use crate::read::entry::SegmentEntry;
use crate::read::recorded;
use crate::read::records::SegmentSnapshot;
use crate::read::shared::Shared;
use crate::read::snapshot::Snapshot;
use crate::retention::{
    Attribution, Candidate, Contradiction, DropCertificate, Hold, NowFrom, Plan, PlanOptions,
    Policy, Verdict, plan,
};
use crate::seq::Seq;
use crate::time::Timestamp;
use crate::write::writer::Writer;

impl Snapshot {
    /// What an expiry would do now, segment by segment: the dry run. Which segments are held
    /// is told by the indexes; an expiry looks at the records themselves.
    ///
    /// # Errors
    /// `ClockAhead`; `CatalogDamaged`, damage, I/O.
    pub fn plan_expiry(&self, options: &ExpireOptions) -> Result<Plan> {
        self.plan_of(self.facts()?, options)
    }

    /// As [`Snapshot::plan_expiry`], by a policy that is not in force: what it would let go.
    ///
    /// # Errors
    /// As [`Snapshot::plan_expiry`].
    pub fn plan_expiry_by(&self, policy: &Policy, options: &ExpireOptions) -> Result<Plan> {
        self.plan_of(Facts { policy: Some(policy.clone()), ..self.facts()? }, options)
    }

    fn facts(&self) -> Result<Facts> {
        let store = self.shared().options.key_store.as_ref();
        self.shared().with_catalog(|catalog| Facts::of(catalog, store))
    }

    fn plan_of(&self, facts: Facts, options: &ExpireOptions) -> Result<Plan> {
        let Shared { dir, options: of, .. } = self.shared();
        facts.plan_now(self.records(), of, dir, options)
    }
}

impl Core {
    /// As [`Retention::expire`](crate::log::Retention::expire).
    pub(crate) fn expire(&self, options: &ExpireOptions, asked: &Attribution) -> Result<Expiry> {
        check_asked(asked)?;
        self.check_poisoned()?;
        // Nothing is deleted on the word of a snapshot.
        self.shared.catalog.lock().good()?.transact(|catalog| catalog.check_whole())?;
        super::settle::finish_interrupted(self)?;
        let planned = self.snapshot().plan_expiry(options)?;
        let going: Vec<u64> = planned.going().map(|step| step.segment.ordinal).collect();
        let mut known = Known::default();
        let mut expiry =
            Expiry { plan: planned, dropped: Vec::new(), stayed: Vec::new(), stopped: None };
        for ordinal in going {
            if expiry.dropped.len() >= options.at_most {
                break;
            }
            let archived = match &options.archive {
                Some(store) => self.archive(ordinal, &**store, asked).map(|_| ()),
                None => Ok(()),
            };
            let dropped =
                archived.and_then(|()| self.drop_segment(ordinal, options, asked, &mut known));
            match dropped {
                Ok(certificate) => expiry.dropped.push(certificate),
                Err(error) if stays(&error) => expiry.stayed.push((ordinal, error)),
                Err(error) if expiry.dropped.is_empty() => return Err(error),
                Err(error) => {
                    expiry.stopped = Some(error);
                    break;
                }
            }
        }
        Ok(expiry)
    }
}

/// Whether an error is about one segment, so that others may still go.
fn stays(error: &Error) -> bool {
    matches!(
        error,
        Error::Held { .. }
            | Error::Corrupt { .. }
            | Error::Tampered { .. }
            | Error::Retention { .. }
            | Error::InvalidOption { .. }
    )
}

/// What is looked up once in an expiry, and not again for each segment that goes.
#[derive(Default)]
struct Known {
    counted: Counted,
    seals: RecordedSeals,
}

/// What a plan is made of, from the catalog.
struct Facts {
    policy: Option<Policy>,
    holds: Vec<Hold>,
    /// Ascending by ordinal.
    sealed: Vec<Sealed>,
    archived: BTreeSet<u64>,
    /// How the times of those segments stand to those of all others.
    times: BTreeMap<u64, Times>,
    /// When the seals of those segments were recorded whose `keep_until` is not fixed.
    seals: BTreeMap<u64, Timestamp>,
    /// The time that the newest drop went by: it was believed then.
    believed: Option<Timestamp>,
}

/// The times of a segment among those of the others, dropped ones included.
struct Times {
    /// The latest time up to its end, and before it.
    up_to: Timestamp,
    before: Option<Timestamp>,
    /// The newest of each segment behind it, but not of one that is not sealed yet.
    behind: Vec<Timestamp>,
}

impl Times {
    fn of(state: &StateMap, sealed: &Sealed) -> Self {
        let (newest, ordinal) = (sealed.times[1], sealed.ordinal);
        let up_to = state.latest_time(ordinal).map_or(newest, |latest| latest.max(newest));
        // One that is no earlier says that this one is not later than all of them.
        let mut earlier = true;
        let behind = state
            .newest_times_behind(ordinal)
            .take_while(|time| std::mem::replace(&mut earlier, *time < newest));
        Times {
            up_to: Timestamp::from_nanos(up_to),
            before: state.latest_time_before(ordinal).map(Timestamp::from_nanos),
            behind: behind.map(Timestamp::from_nanos).collect(),
        }
    }
}

impl Facts {
    fn of(catalog: &Catalog, store: Option<&KeyStore>) -> Result<Self> {
        let holds = recorded::scopes(catalog, store)?;
        let sealed = catalog.state().segments().collect();
        Ok(Facts { holds, ..Facts::about(catalog, sealed, &mut RecordedSeals::default())? })
    }

    /// Those of some segments, ascending, without the holds.
    fn about(catalog: &Catalog, sealed: Vec<Sealed>, known: &mut RecordedSeals) -> Result<Self> {
        let state = catalog.state();
        let mut seals = BTreeMap::new();
        for one in sealed.iter().filter(|one| one.keep_until == 0) {
            seals.insert(one.ordinal, known.of(catalog, one.ordinal)?);
        }
        let archived = sealed.iter().map(|sealed| sealed.ordinal);
        Ok(Facts {
            policy: state.policy().map(|in_force| Policy::from_body(&in_force.policy)),
            holds: Vec::new(),
            archived: archived.filter(|ordinal| state.archived(*ordinal).is_some()).collect(),
            times: sealed.iter().map(|one| (one.ordinal, Times::of(state, one))).collect(),
            seals,
            believed: certificates::newest_certificate(catalog)?
                .map(|certificate| certificate.now.0),
            sealed,
        })
    }

    fn plan_now(
        &self,
        snapshot: &SegmentSnapshot,
        of: &LogOptions,
        dir: &LogDir,
        options: &ExpireOptions,
    ) -> Result<Plan> {
        let clock = (of.clock.now(), options.clock_lead);
        let (now, _) = now::believed(snapshot, clock, (self.policy.as_ref(), self.believed), dir)?;
        let holds = pins::as_found(snapshot, self.holds.clone());
        let sealed = snapshot.entries().iter().filter(|entry| self.is_readable(entry.ordinal));
        let active = newest_of_active(snapshot)?;
        let policy = self.policy.as_ref();
        let mut seals = LateSeals::new(snapshot, policy, (&self.sealed, active), clock.0);
        let judged = |entry: &SegmentEntry| {
            let candidate = self.candidate(snapshot, entry, &holds, dir);
            let late_seal = seals.of(entry, &candidate, self.up_to(entry.ordinal));
            let allowed = options.contradicting.contains(&entry.ordinal);
            let found = self.contradiction(entry.ordinal, active, of).filter(|_| !allowed);
            Candidate { contradiction: found, late_seal, ..candidate }
        };
        let candidates: Vec<Candidate> = sealed.map(judged).collect();
        let newest_may_go = goes_on(snapshot);
        let options = PlanOptions { drop_restored: options.drop_restored, newest_may_go };
        let kept_from = pins::kept_from(snapshot, policy, &mut Counted::default())?;
        Ok(plan(&candidates, policy, kept_from, now, options))
    }

    fn known(&self, ordinal: u64) -> Option<&Sealed> {
        let at = self.sealed.binary_search_by_key(&ordinal, |sealed| sealed.ordinal);
        at.ok().and_then(|at| self.sealed.get(at))
    }

    fn is_readable(&self, ordinal: u64) -> bool {
        self.known(ordinal).is_some_and(|sealed| status::is_readable(sealed.status))
    }

    /// The latest time up to the end of a segment.
    fn up_to(&self, ordinal: u64) -> Timestamp {
        self.times.get(&ordinal).map_or(Timestamp::MIN, |times| times.up_to)
    }

    /// How the times of a segment contradict those of others; `active`: the time of the newest
    /// record that is in no sealed segment.
    fn contradiction(
        &self,
        ordinal: u64,
        active: Option<Timestamp>,
        of: &LogOptions,
    ) -> Option<Contradiction> {
        let newest = Timestamp::from_nanos(self.known(ordinal)?.times[1]);
        let Times { before, behind, .. } = self.times.get(&ordinal)?;
        let behind = behind.iter().copied().chain(active);
        Contradiction::find(newest, *before, behind, of.clock_tolerance)
    }

    fn candidate(
        &self,
        snapshot: &SegmentSnapshot,
        entry: &SegmentEntry,
        holds: &[Hold],
        dir: &LogDir,
    ) -> Candidate {
        let held_by =
            check_there(dir, entry.ordinal).and_then(|()| pins::held_by(snapshot, entry, holds));
        let (held_by, unreadable) = match held_by {
            Ok(cases) => (cases, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        // What the catalog says by now: the snapshot may be older.
        let sealed = self.known(entry.ordinal);
        let times = sealed.map_or([0; 4], |sealed| sealed.times);
        let keep_until = sealed.map_or(0, |sealed| sealed.keep_until);
        // With a policy the seal fixed this already. Without one the later of two times counts: the
        // catalog's, and the footer's, which may come from an earlier seal by a clock that was ahead.
        // A footer that cannot be read is found when the records are compared with the holds.
        let recorded_at = self.seals.get(&entry.ordinal).copied();
        let footer = recorded_at.and_then(|_| snapshot.segment_set().open_sealed(entry).ok());
        let sealed_at = recorded_at.max(footer.map(|of| of.footer.sealed_at));
        Candidate {
            ordinal: entry.ordinal,
            first: entry.first.get(),
            count: sealed.map_or(0, |sealed| sealed.count),
            bytes: sealed.map_or(0, |sealed| sealed.bytes),
            newest: Timestamp::from_nanos(times[1]),
            counted_from: self.up_to(entry.ordinal).max(sealed_at.unwrap_or(Timestamp::MIN)),
            contradiction: None,
            late_seal: None,
            keep_until: (keep_until != 0).then_some(Timestamp::from_nanos(keep_until)),
            archived: self.archived.contains(&entry.ordinal),
            restored: sealed.is_some_and(|sealed| sealed.status == status::RESTORED),
            held_by,
            unreadable,
        }
    }
}

/// The time of the newest record that is in no sealed segment.
fn newest_of_active(snapshot: &SegmentSnapshot) -> Result<Option<Timestamp>> {
    let Some(last) = snapshot.size().last_seq().filter(|_| goes_on(snapshot)) else {
        return Ok(None);
    };
    snapshot.with_record(last, |_, record| Some(record.head.recorded_at))
}

/// Whether a segment that is being written is behind all sealed ones: newer than these, once it
/// has a record.
fn goes_on(snapshot: &SegmentSnapshot) -> bool {
    let last = snapshot.entries().last();
    last.is_some_and(|last| last.sealed.is_none() && last.first < snapshot.size())
}

/// The newest segment that is sealed and there, by a state that may be newer than the snapshot.
fn newest(snapshot: &SegmentSnapshot, state: &StateMap) -> Option<u64> {
    let is_there = |entry: &&SegmentEntry| {
        let sealed = state.segment(entry.ordinal);
        sealed.is_some_and(|sealed| status::is_readable(sealed.status))
    };
    snapshot.entries().iter().rev().find(is_there).map(|entry| entry.ordinal)
}

/// That a segment's file is there. Whether it is whole is seen when it is read.
fn check_there(dir: &LogDir, ordinal: u64) -> Result<()> {
    let path = dir.segment(ordinal);
    match dir.disk().exists(&path).map_err(Error::io("look for", &path))? {
        true => Ok(()),
        false => Err(Error::corrupt(&path, 0, "the file of a live segment", "no file")),
    }
}

impl Core {
    /// Lets one segment go; see the head of this file.
    fn drop_segment(
        &self,
        ordinal: u64,
        options: &ExpireOptions,
        asked: &Attribution,
        known: &mut Known,
    ) -> Result<DropCertificate> {
        // Nobody signs, seals or makes an index meanwhile.
        let _signing = self.signing.lock();
        let _upkeep = self.upkeep.lock();
        let mut catalog = self.shared.catalog.lock();
        catalog.good()?.transact(|catalog| {
            let going = self.may_go(catalog, ordinal, options, known)?;
            let holds =
                recorded::scopes(catalog.catalog(), self.shared.options.key_store.as_ref())?;
            let scanned = scan::scan(self, &going.sealed, &holds)?;
            self.tree.flush()?;
            let seq = begin(catalog, &going, &scanned, holds.len(), asked)?;
            let begun = catalog.state().segment(ordinal).unwrap_or(going.sealed);
            self.finish_drop(catalog, begun)?;
            certificates::certificate_at(catalog.catalog(), seq)
        })
    }

    /// Whether a segment may still go, by the catalog as it is now. Its holds are looked at
    /// when its records are read. The others are planned when an expiry begins: for each of
    /// thousands of drops to plan them all again would take longer than the drops.
    fn may_go(
        &self,
        catalog: &CatalogTransaction<'_>,
        ordinal: u64,
        options: &ExpireOptions,
        known: &mut Known,
    ) -> Result<Going> {
        let stays =
            |verdict: String| Error::Retention { reason: format!("segment {ordinal} {verdict}") };
        let state = catalog.state();
        let sealed = state.segment(ordinal).into_iter().collect();
        let facts = Facts::about(catalog.catalog(), sealed, &mut known.seals)?;
        let snapshot = self.view.snapshot();
        let policy = facts.policy.as_ref();
        let clock = (self.shared.options.clock.now(), options.clock_lead);
        let now = now::believed(&snapshot, clock, (policy, facts.believed), &self.shared.dir)?;
        let entries = snapshot.entries();
        let at = entries.binary_search_by_key(&ordinal, |entry| entry.ordinal).ok();
        let entry = at.and_then(|at| entries.get(at)).filter(|_| facts.is_readable(ordinal));
        let found =
            facts.contradiction(ordinal, newest_of_active(&snapshot)?, &self.shared.options);
        let contradiction = found.filter(|_| !options.contradicting.contains(&ordinal));
        let candidate = entry.map(|entry| {
            let candidate = facts.candidate(&snapshot, entry, &[], &self.shared.dir);
            Candidate { contradiction, ..candidate }
        });
        let newest_may_go = goes_on(&snapshot) || newest(&snapshot, state) != Some(ordinal);
        let kept_from = pins::kept_from(&snapshot, policy, &mut known.counted)?;
        let options = PlanOptions { drop_restored: options.drop_restored, newest_may_go };
        let planned = plan(candidate.as_slice(), policy, kept_from, now.0, options);
        let step = planned.steps.into_iter().next();
        let step = step.ok_or_else(|| stays("is gone already".to_owned()))?;
        match step.verdict {
            Verdict::Goes { archive_first: false } => {}
            Verdict::Goes { archive_first: true } => {
                return Err(stays("must be archived first, as the policy asks".to_owned()));
            }
            verdict => return Err(stays(verdict.to_string())),
        }
        let fixed = state.segment(ordinal).zip(state.policy()).zip(step.keep_until);
        let ((sealed, policy), keep_until) =
            fixed.ok_or_else(|| stays("stays: no policy is set".to_owned()))?;
        Ok(Going { sealed, policy: policy.seq, keep_until, now, allowed: found })
    }

    /// Steps 5 to 7 of a drop whose certificate is durable.
    pub(crate) fn finish_drop(
        &self,
        catalog: &mut CatalogTransaction<'_>,
        sealed: Sealed,
    ) -> Result<()> {
        let certificate = certificates::certificate_for(catalog.catalog(), &sealed)?;
        self.anchor(catalog)?;
        self.view.sealed(sealed);
        self.unlink(&certificate)?;
        let done_at = self.shared.options.clock.now().as_nanos();
        let body = CatalogBody::DropCompleted(DropCompleted { ordinal: sealed.ordinal, done_at });
        catalog.append(&body, &Default::default())?;
        self.view.sealed(Sealed { status: status::DROPPED, ..sealed });
        Ok(())
    }

    /// Takes the files of a segment away, durably: nothing goes but what a certificate covers.
    pub(crate) fn unlink(&self, certificate: &DropCertificate) -> Result<()> {
        let ordinal = certificate.ordinal;
        let disk = self.shared.dir.disk();
        for path in [self.shared.dir.index(ordinal), self.shared.dir.segment(ordinal)] {
            if disk.exists(&path).map_err(Error::io("look for", &path))? {
                disk.unprotect(&path).map_err(Error::io("unprotect", &path))?;
                disk.remove_file(&path).map_err(Error::io("remove", &path))?;
            }
        }
        self.shared.dir.sync_segments()
    }

    /// Appends the leaf that binds the catalog as it is, durably.
    fn anchor(&self, catalog: &CatalogTransaction<'_>) -> Result<()> {
        let size = catalog.catalog().size();
        let anchor = Anchor {
            catalog_size: size,
            catalog_root: catalog.catalog().root_at(size)?,
            state_root: catalog.state().root(),
        };
        self.commit_anchor(&anchor)?;
        self.with_writer(Writer::sync)
    }
}

/// A segment whose time is over.
struct Going {
    sealed: Sealed,
    /// The catalog record that set the policy.
    policy: u64,
    keep_until: Timestamp,
    now: (Timestamp, NowFrom),
    /// How its times contradict those of others, if somebody said that it may go all the same.
    allowed: Option<Contradiction>,
}

impl Going {
    /// Who asked and why, with what was allowed.
    fn asked(&self, asked: &Attribution) -> Attribution {
        let Some(contradiction) = &self.allowed else { return asked.clone() };
        let allowed = format!("its contradicting times were allowed: {contradiction}");
        let why = asked.why.iter().cloned().chain([allowed]).collect::<Vec<_>>().join("; ");
        Attribution { why: Some(why), ..asked.clone() }
    }
}

/// Writes the certificate.
fn begin(
    catalog: &mut CatalogTransaction<'_>,
    going: &Going,
    scanned: &Scanned,
    holds: usize,
    asked: &Attribution,
) -> Result<Seq> {
    let sealed = &going.sealed;
    let archived = catalog.state().archived(sealed.ordinal);
    let archived = archived.map(|copy| (copy.location.to_owned(), copy.digest));
    let seq = catalog.catalog().size().next_seq();
    let body = DropStarted {
        ordinal: sealed.ordinal,
        first: sealed.first,
        count: sealed.count,
        bytes: sealed.bytes,
        times: sealed.times,
        start_root: *scanned.start_root.as_bytes(),
        end_root: sealed.end_root,
        range: scanned.range.iter().map(|hash| *hash.as_bytes()).collect(),
        header: sealed.header,
        index_root: sealed.index_root,
        keep_until: going.keep_until.as_nanos(),
        policy: going.policy,
        now: going.now.0.as_nanos(),
        now_from: going.now.1.code(),
        holds: holds as u64,
        scanned: scanned.records,
        archived: archived
            .as_ref()
            .map(|(location, digest)| ArchivedAt { location, digest: *digest }),
    };
    let asked = going.asked(asked);
    catalog.append(&CatalogBody::DropStarted(body), &because(&asked))?;
    Ok(seq)
}
