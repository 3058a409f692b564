//! Does the steps, on the log and on the model.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bulla::disk::sim::{Fault, SimDisk};
use bulla::disk::{Disk, Open};
use bulla::retention::Verdict;
use bulla::time::{Clock, ManualClock};
use bulla::{
    Actor, Attribution, Error, Event, ExpireOptions, Expiry, Hold, Log, LogAdmin, LogOptions,
    Period, Resource, SegmentStatus, Timestamp,
};

use crate::retention::erase::subject_of;
use crate::retention::model::{Doubt, Model, Placed, case};
use crate::retention::steps::{
    Act, By, Deed, End, HOUR, Lost, Meanwhile, Mishap, Rules, Scope, Step,
};
use crate::support::{self, Shape, dir};

pub struct Driver {
    pub disk: SimDisk,
    pub clock: Arc<ManualClock>,
    pub log: Option<Log>,
    pub model: Model,
    /// Steps done so far.
    pub steps: u64,
    /// That the steps do meet what they are for.
    pub seen: Seen,
}

/// How often something worth meeting was met.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    pub dropped: u64,
    /// Drops that an opening called off, because of a hold, and those that it finished.
    pub undone: u64,
    pub finished: u64,
    pub held: u64,
    pub ahead: u64,
    pub restarts: u64,
    pub refused: u64,
    pub archived: u64,
    /// Not dropped, because the policy wants an archive and none was given.
    pub stayed: u64,
    pub restored: u64,
    /// Erasures with a record, and those that a hold prevented.
    pub erased: u64,
    pub not_erased: u64,
}

/// Whether an error is the log's answer, not a failure.
fn is_refusal(error: &Error) -> bool {
    matches!(error, Error::Retention { .. })
}

pub fn segment_path(ordinal: u64) -> PathBuf {
    dir().join("segments").join(format!("{ordinal:08}.seg"))
}

impl Driver {
    pub fn new(seed: u64) -> Self {
        let (disk, clock) = (SimDisk::new(seed), support::clock());
        let mut driver = Driver {
            disk,
            clock,
            log: None,
            model: Model::default(),
            steps: 0,
            seen: Seen::default(),
        };
        driver.model.created = driver.now();
        driver.log = Some(driver.options_with(driver.create_keys()).create(dir()).unwrap());
        support::signer(&driver.disk, Shape::PLAIN.algorithm).unwrap();
        driver
    }

    pub fn options(&self) -> LogOptions {
        // Segments end by steps, by their size and by jumps of the clock.
        let age = Duration::from_secs(100_000 * 86_400);
        Shape::PLAIN.options(&self.disk, &self.clock).segment_age(age)
    }

    pub fn log(&self) -> &Log {
        self.log.as_ref().unwrap()
    }

    fn admin(&self) -> Result<LogAdmin, Error> {
        self.options().administer(dir())
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Why the present step asks for something: names it for ever.
    pub fn why(&self) -> String {
        format!("step {}", self.steps)
    }

    pub fn asked(&self) -> Attribution {
        Attribution::by("carol").because(self.why())
    }

    pub fn step(&mut self, step: Step) {
        match step {
            Step::Do(act) => self.act(act).unwrap(),
            // One doubt at a time.
            Step::DoWith(_, act, _) if self.model.doubt.is_some() => self.act(act).unwrap(),
            Step::DoWith(Mishap::Power(after), act, meanwhile) => {
                self.disk.crash_after(after.into());
                let done = self.act(act);
                assert!(done.is_ok() || self.disk.stopped(), "{done:?}");
                self.power_fails();
                self.open_after(meanwhile, None);
            }
            Step::DoWith(Mishap::Fault(kind, at, stored), act, meanwhile) => {
                self.disk.plan(Fault { at: at.into(), kind, stored });
                self.act_with_fault(act, meanwhile);
            }
            Step::DoWith(Mishap::Full(room), act, meanwhile) => {
                self.disk.set_capacity(self.disk.used_bytes() + u64::from(room));
                self.act_with_fault(act, meanwhile);
            }
            Step::Reopen { end, lost, meanwhile, again } => {
                self.end(end);
                self.lose(lost);
                self.open_after(meanwhile, again);
            }
            Step::Day(deeds, hours) => {
                self.append(&deeds).unwrap();
                self.log().rotate().unwrap();
                self.clock.advance(Duration::from_secs(u64::from(hours) * 3_600));
            }
            Step::Wait(hours) => self.clock.advance(Duration::from_secs(u64::from(hours) * 3_600)),
            Step::Jump(hours) => {
                let to = self.now().as_nanos() + i64::from(hours) * HOUR;
                self.clock.set(Timestamp::from_nanos(to));
            }
        }
        self.check();
        self.steps += 1;
    }

    /// Does something while one operation of the disk may fail.
    fn act_with_fault(&mut self, act: Act, meanwhile: Meanwhile) {
        let by_admin = matches!(
            act,
            Act::Hold(By::Admin, ..) | Act::Release(By::Admin, _) | Act::SetPolicy(By::Admin, _)
        );
        let done = self.act(act);
        self.disk.set_capacity(u64::MAX);
        if self.disk.faults_outstanding() > 0 {
            done.unwrap();
            self.power_fails(); // it forgets what was planned
            return self.open_after(meanwhile, None);
        }
        let log_is_good = match done {
            // What fails in housekeeping is told to the next call.
            Ok(()) => !matches!(self.log().sync(), Err(Error::Poisoned { .. })),
            // The same log goes on.
            Err(Error::DiskFull { .. }) => {
                !matches!(self.log().sync(), Err(Error::Poisoned { .. }))
            }
            Err(_) => by_admin,
        };
        if !log_is_good {
            self.end(End::Kill);
            self.open_after(meanwhile, None);
        }
    }

    fn act(&mut self, act: Act) -> Result<(), Error> {
        match act {
            Act::Append(deed) => self.append(&[deed]),
            Act::Batch(deeds) => self.append(&deeds),
            Act::Rotate => self.log().rotate(),
            Act::Checkpoint => {
                let signer = support::signer(&self.disk, Shape::PLAIN.algorithm)?;
                let signed = self.log().checkpoint(&signer)?;
                self.model.checkpoints.push(signed.into_unverified());
                Ok(())
            }
            Act::Hold(by, case, scope) => self.place(by, case, scope),
            Act::Release(by, case) => self.release(by, case),
            Act::SetPolicy(by, rules) => self.set_policy(by, rules),
            Act::Expire { at_most, lead_days, to_archive } => {
                self.expire(at_most, lead_days, to_archive)
            }
            Act::Archive(n) => self.archive(n),
            Act::Restore(n) => self.restore(n),
            Act::Erase(actor, service) => self.erase((actor, service)),
        }
    }

    fn append(&mut self, deeds: &[Deed]) -> Result<(), Error> {
        let now = self.now();
        let first = self.model.numbers;
        let given: Vec<(u64, Deed, Timestamp)> =
            (first..).zip(deeds).map(|(n, deed)| (n, *deed, occurred(deed, now))).collect();
        let events: Vec<Event> = given.iter().map(|(n, deed, at)| event(*n, deed, *at)).collect();
        self.model.numbers += events.len() as u64;
        (self.model.given, self.model.acked) = (given, false);
        self.model.subjects.extend(deeds.iter().map(subject_of));
        let at = match events.as_slice() {
            [one] => self.log().append(one).map(|receipt| receipt.seq),
            all => self.log().append_batch(all).map(|receipt| receipt.first),
        };
        if let Err(Error::DiskFull { .. }) = at {
            self.model.given.clear(); // nothing was written
        }
        assert!(at?.get() >= self.model.rows.len() as u64);
        self.model.acked = true;
        Ok(())
    }

    /// Notes how a change of the catalog ended; gives whether it happened.
    fn ended(
        &mut self,
        done: Result<(), Error>,
        allowed: bool,
        doubt: Doubt,
    ) -> Result<bool, Error> {
        match done {
            Ok(()) => assert!(allowed, "refused by the model: {doubt:?}"),
            Err(error) if is_refusal(&error) => {
                self.seen.refused += 1;
                assert!(!allowed, "{error}: {doubt:?}");
            }
            Err(error) => {
                // On a full disk nothing was written.
                let full = matches!(error, Error::DiskFull { .. });
                self.model.doubt =
                    Some(doubt).filter(|_| allowed && !full).or(self.model.doubt.take());
                return Err(error);
            }
        }
        // Whoever writes makes sure of what it read first.
        self.model.doubt = None;
        Ok(allowed)
    }

    fn placed(&self, case: u8, scope: Scope) -> Placed {
        Placed { case, scope, at: self.now(), why: self.why(), seq: None, released: None }
    }

    fn place(&mut self, by: By, number: u8, scope: Scope) -> Result<(), Error> {
        let hold = Hold::new(case(number), scope.to_scope());
        let allowed = self.model.in_force(number).is_none();
        let done = match by {
            By::Service => self.log().retention().place_hold(&hold, &self.asked()),
            By::Admin => self.admin().and_then(|admin| admin.place_hold(&hold, &self.asked())),
        };
        let placed = self.placed(number, scope);
        if self.ended(done, allowed, Doubt::Placed(placed.clone()))? {
            self.model.holds.push(placed);
        }
        Ok(())
    }

    fn release(&mut self, by: By, number: u8) -> Result<(), Error> {
        let at = self.model.in_force(number);
        let name = case(number);
        let done = match by {
            By::Service => self.log().retention().release_hold(&name, &self.asked()),
            By::Admin => self.admin().and_then(|a| a.release_hold(&name, &self.asked())),
        };
        let (now, why) = (self.now(), self.why());
        let doubt = Doubt::Released(at.unwrap_or(usize::MAX), now, why.clone());
        if self.ended(done, at.is_some(), doubt)? {
            self.model.holds[at.unwrap()].released = Some((now, why));
        }
        Ok(())
    }

    fn set_policy(&mut self, by: By, after: Rules) -> Result<(), Error> {
        let before = self.model.rules;
        let bound = before.filter(|before| before.compliance);
        let allowed = bound.is_none_or(|before| !after.is_looser_than(before));
        let policy = after.to_policy();
        let done = match by {
            By::Service => self.log().retention().set_policy(&policy, &self.asked()),
            By::Admin => self.admin().and_then(|a| a.set_policy(&policy, &self.asked())),
        };
        if self.ended(done, allowed, Doubt::Rules { before, after })? {
            self.model.rules = Some(after);
        }
        Ok(())
    }

    /// Expires, after a dry run: both say the same as the model, if no drop was left in the
    /// middle.
    fn expire(&mut self, at_most: usize, lead_days: u16, to_archive: bool) -> Result<(), Error> {
        let mut options =
            ExpireOptions::new().clock_lead(Period::from_days(lead_days.into())).at_most(at_most);
        let now = self.now();
        // Mostly, so that enough goes, and not always.
        self.model.allowed = now.as_nanos().div_euclid(HOUR) % 4 != 0;
        if self.model.allowed {
            options = options.allow_contradicting_times(0..10_000);
        }
        if to_archive {
            options = options.archive_to(Arc::new(self.store()?));
            self.model.all_may_be_archived();
        }
        let (ahead, whole) = (self.model.is_ahead(now, lead_days), self.unfinished().is_empty());
        let planned = self.log().snapshot().plan_expiry(&options);
        let done = self.log().retention().expire(&options, &self.asked());
        if ahead && whole {
            self.seen.ahead += 1;
            assert!(matches!(planned, Err(Error::ClockAhead(_))), "{planned:?}");
            assert!(matches!(done, Err(Error::ClockAhead(_))), "{done:?}");
            return Ok(());
        }
        if whole {
            let planned: Vec<(u64, Verdict)> =
                planned?.going().map(|step| (step.segment.ordinal, step.verdict.clone())).collect();
            assert_eq!(planned, self.model.verdicts(now), "the dry run, and the model");
        }
        let expiry = match done {
            Err(Error::ClockAhead(_)) if !whole => return Ok(()),
            done => done?,
        };
        if let Some(error) = expiry.stopped {
            return Err(error);
        }
        if whole {
            self.check_expiry(&expiry, at_most, to_archive);
        }
        Ok(())
    }

    fn check_expiry(&mut self, expiry: &Expiry, at_most: usize, to_archive: bool) {
        // The limit is of those that went: what has to stay takes no other's place.
        let (mut going, mut stays) = (Vec::new(), Vec::new());
        for ordinal in self.model.going(self.now()) {
            match to_archive || !self.model.waits(ordinal) {
                _ if going.len() == at_most => break,
                true => going.push(ordinal),
                false => stays.push(ordinal),
            }
        }
        let dropped: Vec<u64> = expiry.dropped.iter().map(|gone| gone.ordinal).collect();
        assert_eq!(dropped, going, "the expiry, and the dry run");
        let stayed: Vec<u64> = expiry.stayed.iter().map(|(ordinal, _)| *ordinal).collect();
        let as_asked = expiry.stayed.iter().all(|(_, why)| is_refusal(why));
        assert!(stayed == stays && as_asked, "{:?}, and the model: {stays:?}", expiry.stayed);
        self.seen.stayed += stays.len() as u64;
        if to_archive {
            for ordinal in &dropped {
                self.model.segments.get_mut(ordinal).unwrap().archived = true;
            }
        }
        let held = self.model.holds.iter().filter(|placed| placed.in_force()).count() as u64;
        for certificate in &expiry.dropped {
            assert_eq!(certificate.holds, held);
            let (why, own) = (certificate.why.as_deref().unwrap(), self.why());
            let allowed = format!("{own}; its contradicting times were allowed: ");
            assert!(why == own || self.model.allowed && why.starts_with(&allowed), "{why}: {own}");
        }
        self.seen.held += u64::from(held > 0 && !dropped.is_empty());
    }

    /// Segments with a certificate whose file is there, because the drop was cut short.
    pub fn unfinished(&self) -> Vec<u64> {
        self.gone_and_there(SegmentStatus::Dropping)
    }

    /// Segments that were dropped and whose files are there: a failed sync forgot the removal,
    /// and the power took it back.
    pub fn came_back(&self) -> Vec<u64> {
        self.gone_and_there(SegmentStatus::Dropped)
    }

    fn gone_and_there(&self, status: SegmentStatus) -> Vec<u64> {
        let begun = self.model.segments.iter().filter(|(_, segment)| segment.is_gone());
        let there: Vec<u64> =
            begun.map(|(ordinal, _)| *ordinal).filter(|ordinal| self.is_there(*ordinal)).collect();
        if there.is_empty() {
            return there;
        }
        let known = self.options().open_read_only(dir()).unwrap().snapshot().segments().unwrap();
        let is = |ordinal: &u64| known.iter().any(|s| s.ordinal == *ordinal && s.status == status);
        there.into_iter().filter(is).collect()
    }

    pub fn is_there(&self, ordinal: u64) -> bool {
        self.disk.read_file(&segment_path(ordinal)).is_ok()
    }

    fn end(&mut self, end: End) {
        self.seen.restarts += 1;
        match end {
            End::Close => {
                self.log().close().unwrap();
                self.log = None;
            }
            End::Kill => {
                // What the dying handle still writes goes to a disk that nobody looks at.
                self.disk = self.disk.fork(self.steps);
                self.log = None;
            }
            End::Power => self.power_fails(),
        }
    }

    fn power_fails(&mut self) {
        if !self.disk.stopped() {
            self.disk.crash_after(0);
        }
        self.log = None;
        self.disk.crash();
    }

    fn lose(&self, lost: Lost) {
        let segments = dir().join("segments");
        let indexes = || {
            let names = self.disk.list(&segments).unwrap().into_iter();
            names.filter(|name| name.ends_with(".idx")).map(|name| segments.join(name))
        };
        let remove = |path: &Path| {
            if self.disk.open(path, Open::Read).is_ok() {
                self.disk.remove_file(path).unwrap();
            }
        };
        match lost {
            Lost::Nothing => {}
            Lost::RecoveryPoint => remove(&dir().join("tree/mark")),
            Lost::CatalogSnapshot => remove(&dir().join("catalog/snapshot")),
            Lost::Indexes => indexes().for_each(|path| remove(&path)),
            Lost::DamagedIndexes(n) => {
                for path in indexes() {
                    let len = self.disk.read_file(&path).unwrap().len().max(1) as u64;
                    let _ = self.disk.flip_byte(&path, u64::from(n) % len, 0x55);
                }
            }
        }
    }

    /// Opens the log after another process placed a hold: what it pins, and was there, stays.
    fn open_after(&mut self, meanwhile: Meanwhile, again: Option<u8>) {
        let spared = meanwhile.map_or(Vec::new(), |(case, scope)| self.hold(case, scope));
        let begun = self
            .options()
            .open_read_only(dir())
            .unwrap()
            .snapshot()
            .catalog()
            .drop_certificates()
            .unwrap();
        for begun in begun.iter().map(|begun| begun.ordinal) {
            match spared.contains(&begun) {
                _ if self.may_be_restored(begun) => {}
                _ if !self.is_there(begun) => {}
                true => self.seen.undone += 1,
                false => self.seen.finished += 1,
            }
        }
        self.open_in_vain(again);
        self.open();
        for ordinal in spared {
            let segment = &self.model.segments[&ordinal];
            assert_eq!(segment.certificate, None, "segment {ordinal} was held in time");
        }
    }

    /// Places a hold while the log is not open. Gives the segments whose drop was begun, which
    /// it pins and whose files are still there.
    fn hold(&mut self, number: u8, scope: Scope) -> Vec<u64> {
        let mut admin = self.admin().unwrap();
        self.resolve_by(&mut admin);
        let hold = Hold::new(case(number), scope.to_scope());
        let allowed = self.model.in_force(number).is_none();
        let done = admin.place_hold(&hold, &self.asked());
        let placed = self.placed(number, scope.clone());
        if !self.ended(done, allowed, Doubt::Placed(placed.clone())).unwrap() {
            return Vec::new();
        }
        self.model.holds.push(placed);
        // Also those of drops that began in the step before, of which nobody was told.
        let there = self.model.segments.keys().filter(|ordinal| self.is_there(**ordinal));
        let dropped = there.filter(|ordinal| !self.may_be_restored(**ordinal));
        // What was dropped whole before was not there for anybody, and is not brought back.
        let known = self.options().open_read_only(dir()).unwrap().snapshot().segments().unwrap();
        let whole = |ordinal: u64| {
            let mut known = known.iter().filter(|segment| segment.ordinal == ordinal);
            known.all(|segment| segment.status != SegmentStatus::Dropped)
        };
        let dropped = dropped.filter(|ordinal| whole(**ordinal));
        dropped.filter(|ordinal| self.model.pins_segment(&scope, **ordinal)).copied().collect()
    }

    fn resolve_by(&mut self, admin: &mut LogAdmin) {
        let (holds, policy) =
            (admin.catalog().hold_history().unwrap(), admin.catalog().policy().unwrap());
        self.model.resolve(&holds, policy.as_ref().map(|recorded| &recorded.policy));
        self.model.doubt = None;
    }

    /// Opens the log on a machine whose power fails soon.
    fn open_in_vain(&mut self, again: Option<u8>) {
        let Some(after) = again else { return };
        self.disk.crash_after(after.into());
        let opened = self.open_keys().and_then(|keys| self.options_with(keys).open(dir()));
        assert!(opened.is_ok() || self.disk.stopped(), "{:?}", opened.err());
        self.log = opened.ok();
        self.power_fails();
    }

    /// Opens the log, and looks at everything.
    pub fn open(&mut self) {
        let opened = self.open_keys().and_then(|keys| self.options_with(keys).open(dir()));
        self.log = Some(opened.unwrap_or_else(|error| panic!("{error}\n{error:?}")));
        self.check();
        self.model.doubt = None;
        self.model.no_restore_is_in_doubt();
        if !self.model.acked {
            self.model.given.clear();
        }
        let left = self.unfinished();
        let newest = || {
            self.log()
                .snapshot()
                .catalog()
                .history()
                .unwrap()
                .into_iter()
                .rev()
                .take(6)
                .collect::<Vec<_>>()
        };
        assert!(
            left.is_empty(),
            "opening finishes drops, or calls them off: {left:?} {:?} {:?}",
            newest(),
            self.disk.trace().iter().rev().take(45).rev().collect::<Vec<_>>()
        );
        // A file that came back is not touched while a hold pins it.
        let back = self.came_back();
        assert!(back.iter().all(|ordinal| self.model.is_held(*ordinal)), "{back:?}");
        self.check_all();
    }
}

fn occurred(deed: &Deed, now: Timestamp) -> Timestamp {
    Timestamp::from_nanos(now.as_nanos() - i64::from(deed.hours_ago) * HOUR)
}

/// The n-th event of a run.
pub fn event(n: u64, deed: &Deed, occurred: Timestamp) -> Event {
    let (kind, resource) = deed.resource();
    let size = if deed.large { 9_000 } else { 30 };
    let filling = "x".repeat(size);
    let event = Event::new(
        Actor::new(deed.actor_type(), deed.actor()),
        deed.action(),
        Resource::new(kind, resource),
    )
    .details_json(&format!("{{\"n\":{n},\"filling\":\"{filling}\"}}"))
    .unwrap()
    .occurred_at(occurred);
    match deed.tenant() {
        Some(tenant) => event.tenant(tenant),
        None => event,
    }
}
