//! Power loss at every operation of an expiry, and of what changes holds and policy: each
//! segment is there whole or gone whole with its certificate, and a hold that was placed before
//! a file is gone brings its segment back. Then the same race without a crash.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::support;
use crate::support::hang::{EndOnDrop, Watchdog};
use crate::support::{Shape, clock, dir, signer};
use bulla::disk::Disk;
use bulla::disk::sim::{Fault, FaultKind, SimDisk};
use bulla::time::ManualClock;
use bulla::{
    Actor, Attribution, Disclosure, Error, Event, ExpireOptions, GapVerdict, Hold, HoldScope, Log,
    LogOptions, Period, Policy, Resource, Seq, UnverifiedCheckpoint, VerifyOptions, verify,
};

const DAY: Duration = Duration::from_secs(86_400);
/// Events of a day, which is a segment with one actor.
const EVENTS: u64 = 4;
const DAYS: u64 = 6;
/// The actor of this day is held from the start.
const HELD: u64 = 2;

fn asked() -> Attribution {
    Attribution::by("carol").because("retention")
}

fn event(day: u64, n: u64) -> Event {
    let resource = Resource::new("file", n.to_string());
    Event::new(Actor::new("user", format!("a{day}")), "file.read", resource)
}

fn hold_on(day: u64) -> Hold {
    Hold::new(format!("case {day}"), HoldScope::new().actor(format!("a{day}")))
}

/// A log of some days, closed, of which those before the last may go, but for one.
struct Scene {
    disk: SimDisk,
    clock: Arc<ManualClock>,
    checkpoints: Vec<UnverifiedCheckpoint>,
    /// The first record of each day's events, the first day first.
    firsts: Vec<u64>,
}

impl Scene {
    fn new(seed: u64) -> Self {
        let (disk, clock) = (SimDisk::new(seed), clock());
        let mut scene = Scene { disk, clock, checkpoints: Vec::new(), firsts: Vec::new() };
        let log = scene.options().create(dir()).unwrap();
        let signer = signer(&scene.disk, Shape::PLAIN.algorithm).unwrap();
        log.retention().set_policy(&Policy::keep(Period::from_days(1)), &asked()).unwrap();
        log.retention().place_hold(&hold_on(HELD), &asked()).unwrap();
        for day in 1..=DAYS {
            let events: Vec<Event> = (0..EVENTS).map(|n| event(day, n)).collect();
            scene.firsts.push(log.append_batch(&events).unwrap().first.get());
            if day % 2 == 0 {
                scene.checkpoints.push(log.checkpoint(&signer).unwrap().into_unverified());
            }
            log.rotate().unwrap();
            if day < DAYS {
                scene.clock.advance(DAY); // the last one stays
            }
        }
        log.close().unwrap();
        scene
    }

    fn options(&self) -> LogOptions {
        Shape::PLAIN.options(&self.disk, &self.clock).segment_age(DAY * 10_000)
    }

    fn open(&self) -> Log {
        self.options().open(dir()).unwrap()
    }

    fn file(day: u64) -> PathBuf {
        dir().join("segments").join(format!("{day:08}.seg"))
    }

    fn is_there(&self, day: u64) -> bool {
        self.disk.read_file(&Scene::file(day)).is_ok()
    }

    fn seqs(&self, day: u64) -> impl Iterator<Item = Seq> {
        let first = self.firsts[usize::try_from(day).unwrap() - 1];
        (first..first + EVENTS).map(Seq::new)
    }

    /// The power fails now.
    fn crash(&self, log: Option<Log>) {
        if !self.disk.stopped() {
            self.disk.crash_after(0);
        }
        drop(log);
        self.disk.crash();
    }

    /// Every segment is there whole, or gone whole with a certificate and without its file;
    /// gives the days that are gone.
    fn check(&self, log: &Log) -> Vec<u64> {
        let certificates = log.snapshot().catalog().drop_certificates().unwrap();
        let mut gone = Vec::new();
        for day in 1..=DAYS {
            let certificate = certificates.iter().find(|found| found.ordinal == day);
            assert_eq!(self.is_there(day), certificate.is_none(), "the file of day {day}");
            for seq in self.seqs(day) {
                match (log.snapshot().get(seq), certificate) {
                    (Ok(record), None) => {
                        assert_eq!(record.event.actor.id, format!("a{day}"));
                        let checkpoint = self.checkpoints.last().unwrap();
                        log.snapshot().prove(seq, checkpoint, Disclosure::Whole).unwrap();
                    }
                    (Err(Error::Expired { certificate: found, .. }), Some(certificate)) => {
                        assert_eq!(*found, *certificate);
                    }
                    (found, certificate) => panic!("record {seq}: {found:?}, {certificate:?}"),
                }
            }
            gone.extend(certificate.map(|_| day));
        }
        let newest = self.checkpoints.last().unwrap();
        for checkpoint in &self.checkpoints {
            log.snapshot().prove_consistency(checkpoint, newest).unwrap();
        }
        self.check_verify(&gone);
        gone
    }

    fn check_verify(&self, gone: &[u64]) {
        let options = VerifyOptions::new().disk(Arc::new(self.disk.clone()));
        let report = verify(&dir(), &options, &mut |_| ()).unwrap();
        assert!(report.findings.is_empty(), "{:#?}", report.findings);
        let gaps: Vec<u64> = report.gaps.iter().map(|gap| gap.ordinal).collect();
        assert_eq!(gaps, gone);
        assert!(report.gaps.iter().all(|gap| gap.verdict == GapVerdict::Checked));
    }

    /// The segments of which a verification says that their drop is not done.
    fn warned_of_drops(&self) -> Vec<u64> {
        let options = VerifyOptions::new().disk(Arc::new(self.disk.clone())).at_rest();
        let report = verify(&dir(), &options, &mut |_| ()).unwrap();
        let of_drops = report.warnings.iter().filter(|warning| warning.what == "drop");
        let named = of_drops.map(|warning| {
            let day = warning.segment.unwrap();
            assert_eq!(warning.file, Scene::file(day));
            assert!(warning.found.contains("the next opening for writing ends the drop"));
            day
        });
        named.collect()
    }

    /// Both copies of the catalog hold the same bytes, apart from space made ready.
    fn check_copies(&self) {
        let [a, b] = ["a", "b"].map(|copy| {
            let dir = dir().join("catalog").join(copy);
            let mut names = self.disk.list(&dir).unwrap();
            names.sort();
            let bytes = names.iter().map(|name| self.disk.read_file(&dir.join(name)).unwrap());
            let cut = |bytes: Vec<u8>| {
                let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
                bytes.get(..end).unwrap().to_vec()
            };
            bytes.map(cut).filter(|bytes| !bytes.is_empty()).collect::<Vec<_>>()
        });
        assert!(a == b, "the copies of the catalog differ");
    }
}

/// Runs with more and more operations before the power fails, until it does not; how many.
fn everywhere(seed: u64, mut run: impl FnMut(u64) -> bool) -> u64 {
    for count in 0.. {
        match catch_unwind(AssertUnwindSafe(|| run(count))) {
            Ok(true) => {}
            Ok(false) => return count,
            Err(panic) => {
                eprintln!("power loss after {count} operations, seed {seed}");
                resume_unwind(panic);
            }
        }
    }
    unreachable!("an expiry ends")
}

/// An expiry that the power cuts short after so many operations; whether it did.
fn expire_cut_at(scene: &Scene, count: u64) -> bool {
    let log = scene.open();
    scene.disk.crash_after(count);
    let expired = log.retention().expire(&ExpireOptions::new(), &asked());
    let stopped = scene.disk.stopped();
    let ended = expired.as_ref().map_or(true, |expiry| expiry.stopped.is_some());
    assert_eq!(ended, stopped, "{expired:?}");
    scene.crash(Some(log));
    stopped
}

const ALL_BUT_HELD: [u64; 4] = [1, 3, 4, 5];

#[test]
fn an_expiry_cut_short_leaves_each_segment_whole_or_gone() {
    for seed in 0..3 {
        let count = everywhere(seed, |count| {
            let scene = Scene::new(seed);
            let stopped = expire_cut_at(&scene, count);
            if seed > 0 {
                // Once more, while that is recovered from.
                scene.disk.crash_after((count * 7 + seed) % 31);
                let opened = scene.options().open(dir());
                scene.crash(opened.ok());
            }
            let log = scene.open();
            let gone = scene.check(&log);
            assert!(stopped || gone == ALL_BUT_HELD, "{gone:?}");
            scene.check_copies();
            log.retention().expire(&ExpireOptions::new(), &asked()).unwrap();
            assert_eq!(scene.check(&log), ALL_BUT_HELD);
            log.close().unwrap();
            scene.disk.remove_file(&dir().join("tree/mark")).unwrap();
            let log = scene.open();
            assert_eq!(scene.check(&log), ALL_BUT_HELD, "also without a mark");
            stopped
        });
        assert!(count > 60, "four drops take more than {count} operations");
    }
}

#[test]
fn a_hold_between_crash_and_opening_saves_what_is_still_there() {
    let mut saved = 0;
    for seed in 10..12 {
        everywhere(seed, |count| {
            let scene = Scene::new(seed);
            let stopped = expire_cut_at(&scene, count);
            let (was_there, begun) = {
                let reader = scene.options().open_read_only(dir()).unwrap();
                let begun: Vec<u64> = reader
                    .snapshot()
                    .catalog()
                    .drop_certificates()
                    .unwrap()
                    .iter()
                    .map(|c| c.ordinal)
                    .collect();
                (scene.is_there(3), begun)
            };
            let admin = scene.options().administer(dir()).unwrap();
            admin.place_hold(&hold_on(3), &asked()).unwrap();
            let before = admin.reader().unwrap().snapshot().segments_held_by("case 3").unwrap();
            let log = scene.open();
            assert_eq!(
                before,
                log.snapshot().segments_held_by("case 3").unwrap(),
                "before and after it came back"
            );
            let gone = scene.check(&log);
            assert_eq!(gone.contains(&3), !was_there, "{begun:?} were begun");
            saved += u64::from(was_there && begun.contains(&3));
            let pinned = log.snapshot().segments_held_by("case 3").unwrap();
            assert_eq!(pinned.segments, if was_there { vec![3] } else { vec![] });
            log.retention().expire(&ExpireOptions::new(), &asked()).unwrap();
            assert_eq!(scene.check(&log).contains(&3), !was_there);
            log.close().unwrap();
            let log = scene.open();
            assert_eq!(scene.check(&log).contains(&3), !was_there);
            log.retention().release_hold("case 3", &asked()).unwrap();
            log.retention().expire(&ExpireOptions::new(), &asked()).unwrap();
            assert_eq!(scene.check(&log), ALL_BUT_HELD);
            stopped
        });
    }
    assert!(saved > 0, "no crash came between a certificate and its deletion");
}

#[test]
fn a_drop_stuck_before_its_end_is_warned_of_and_what_a_hold_brings_back_is_counted() {
    let mut stuck = 0;
    for at in 0.. {
        let scene = Scene::new(20);
        let log = scene.open();
        scene.disk.plan(Fault { at, kind: FaultKind::Eio, stored: false });
        let _ = log.retention().expire(&ExpireOptions::new(), &asked());
        let struck = scene.disk.faults_outstanding() == 0;
        let certificates = log.snapshot().catalog().drop_certificates().unwrap();
        let unfinished: Vec<u64> = certificates
            .iter()
            .map(|certificate| certificate.ordinal)
            .filter(|day| scene.is_there(*day))
            .collect();
        assert_eq!(scene.warned_of_drops(), unfinished, "{at}");
        for day in &unfinished {
            // Not by the log itself, which may be latched.
            let admin = scene.options().administer(dir()).unwrap();
            admin.place_hold(&hold_on(*day), &asked()).unwrap();
            let pinned = log.snapshot().segments_held_by(&hold_on(*day).case).unwrap();
            assert_eq!((pinned.records, &*pinned.segments), (EVENTS, &[*day][..]), "{at}");
            stuck += 1;
        }
        let _ = log.close(); // latched, if the log's own file failed
        drop(log);
        let log = scene.open();
        assert!(scene.warned_of_drops().is_empty(), "{at}");
        assert!(scene.check(&log).iter().all(|day| !unfinished.contains(day)), "{at}");
        log.close().unwrap();
        if !struck {
            break;
        }
    }
    assert!(stuck >= 4, "no failure came between a certificate and the end of its drop");
}

/// What changes holds or policy.
#[derive(Clone, Copy, Debug)]
enum Change {
    Place,
    Release,
    Policy,
}

impl Change {
    fn by_service(self, log: &Log) -> Result<(), Error> {
        match self {
            Change::Place => log.retention().place_hold(&hold_on(4), &asked()),
            Change::Release => log.retention().release_hold(&hold_on(HELD).case, &asked()),
            Change::Policy => log.retention().set_policy(&Change::policy(), &asked()),
        }
    }

    fn by_admin(self, scene: &Scene) -> Result<(), Error> {
        let admin = scene.options().administer(dir())?;
        match self {
            Change::Place => admin.place_hold(&hold_on(4), &asked()),
            Change::Release => admin.release_hold(&hold_on(HELD).case, &asked()),
            Change::Policy => admin.set_policy(&Change::policy(), &asked()),
        }
    }

    fn policy() -> Policy {
        Policy::keep(Period::from_days(400)).compliance(true)
    }

    fn happened(self, log: &Log) -> bool {
        let holds = log.snapshot().catalog().holds().unwrap();
        let in_force = |day| holds.iter().any(|placed| placed.hold == hold_on(day));
        match self {
            Change::Place => in_force(4),
            Change::Release => !in_force(HELD),
            Change::Policy => {
                log.snapshot().catalog().policy().unwrap().unwrap().policy == Change::policy()
            }
        }
    }
}

/// Cuts a change short; afterwards it is in force or not, for good, and drops obey it.
fn change_cut_at(change: Change, by_admin: bool, count: u64, seed: u64) -> bool {
    let scene = Scene::new(seed);
    let log = scene.open();
    scene.disk.crash_after(count);
    let done = if by_admin { change.by_admin(&scene) } else { change.by_service(&log) };
    let stopped = scene.disk.stopped();
    assert!(done.is_ok() || stopped, "{done:?}");
    scene.crash(Some(log));
    let log = scene.open();
    let happened = change.happened(&log);
    assert!(happened || done.is_err(), "{change:?} was reported, and is not in force");
    scene.check_copies();
    log.close().unwrap();
    let log = scene.open();
    assert_eq!(change.happened(&log), happened, "what an opening saw stays so");
    log.retention().expire(&ExpireOptions::new(), &asked()).unwrap();
    let expected: &[u64] = match (change, happened) {
        (_, false) => &ALL_BUT_HELD,
        (Change::Place, true) => &[1, 3, 5],
        (Change::Release, true) => &[1, 2, 3, 4, 5],
        (Change::Policy, true) => &[],
    };
    assert_eq!(scene.check(&log), expected);
    log.retention().place_hold(&hold_on(6), &asked()).unwrap();
    stopped
}

#[test]
fn a_change_cut_short_is_in_force_or_not_and_both_copies_agree() {
    for change in [Change::Place, Change::Release, Change::Policy] {
        for by_admin in [false, true] {
            for seed in 20..23 {
                let count = everywhere(seed, |count| change_cut_at(change, by_admin, count, seed));
                assert!(count >= 4, "{change:?} writes and syncs two copies");
            }
        }
    }
}

/// An administrator who died between the two copies, and a second one who mends them, while
/// the service goes on: what either records later, the others see.
#[test]
fn a_service_sees_every_hold_after_another_process_died_in_the_middle_of_one() {
    use bulla::disk::sim::{Fault, FaultKind};
    for (kind, at) in [FaultKind::Eio, FaultKind::ShortWrite, FaultKind::SyncFailed]
        .into_iter()
        .flat_map(|kind| (0..8).map(move |at| (kind, at)))
    {
        for stored in [false, true] {
            let scene = Scene::new(30);
            let log = scene.open();
            scene.disk.plan(Fault { at, kind, stored });
            let died = Change::Place.by_admin(&scene);
            if scene.disk.faults_outstanding() > 0 {
                continue; // it was done before
            }
            let context = format!("{kind:?} at {at}, stored {stored}: {died:?}");
            let admin = scene.options().administer(dir()).unwrap();
            admin.place_hold(&hold_on(1), &asked()).unwrap();
            let seen = |log: &Log| {
                log.snapshot().catalog().holds().unwrap().iter().any(|held| held.hold == hold_on(1))
            };
            assert!(seen(&log), "{context}");
            log.retention().place_hold(&hold_on(5), &asked()).unwrap();
            assert!(
                admin.catalog().holds().unwrap().iter().any(|held| held.hold == hold_on(5)),
                "{context}"
            );
            log.retention().expire(&ExpireOptions::new(), &asked()).unwrap();
            let gone = scene.check(&log);
            assert!(!gone.contains(&1) && !gone.contains(&5), "{gone:?}: {context}");
            scene.check_copies();
            scene.crash(Some(log));
            let log = scene.open();
            assert_eq!(scene.check(&log), gone, "{context}");
            assert!(seen(&log), "{context}");
            scene.check_copies();
        }
    }
}

/// Two administrators place and release holds while the service appends and expires: what was
/// there when a hold was in force stays until it is released.
#[test]
fn a_hold_that_is_in_force_is_never_overtaken_by_an_expiry() {
    const ROUNDS: u64 = 40;
    let _watched = Watchdog::over("administrators beside an expiry");
    let (disk, clock) = (SimDisk::new(40), clock());
    let options = || Shape::PLAIN.options(&disk, &clock).segment_age(DAY * 10_000);
    let log = options().create(dir()).unwrap();
    log.retention().set_policy(&Policy::keep(Period::ZERO), &asked()).unwrap();
    let (over, kept) = (AtomicBool::new(false), AtomicU64::new(0));
    let administrator = |name: &str| {
        let _end = EndOnDrop(&over);
        let admin = options().administer(dir()).unwrap();
        let mut round = 0;
        while !over.load(Ordering::Acquire) {
            round += 1;
            let case = format!("{name} {round}");
            let actor = format!("a{}", round % 3);
            let hold = Hold::new(&case, HoldScope::new().actor(&actor));
            admin.place_hold(&hold, &asked()).unwrap();
            let size = log.size().get();
            let held: Vec<Seq> = (size.saturating_sub(60)..size)
                .map(Seq::new)
                .filter(|seq| {
                    log.snapshot().get(*seq).is_ok_and(|found| found.event.actor.id == actor)
                })
                .collect();
            for _ in 0..20 {
                for seq in &held {
                    let found = log.snapshot().get(*seq);
                    assert!(found.is_ok(), "{case}: {seq}: {:?}", found.err());
                }
            }
            kept.fetch_add(held.len() as u64, Ordering::Relaxed);
            admin.release_hold(&case, &asked()).unwrap();
        }
    };
    let mut dropped = 0;
    std::thread::scope(|threads| {
        let _end = EndOnDrop(&over);
        let administrators = ["x", "y"].map(|name| {
            let administrator = &administrator;
            threads.spawn(move || administrator(name))
        });
        // As long as it takes until the threads have met.
        for round in 0.. {
            let met = dropped > 0 && kept.load(Ordering::Relaxed) > 0;
            if (round >= ROUNDS && met) || over.load(Ordering::Acquire) {
                break;
            }
            let events: Vec<Event> = (0..3).map(|n| event((round + n) % 3, n)).collect();
            log.append_batch(events.get(..1 + usize::try_from(round % 3).unwrap()).unwrap())
                .unwrap();
            log.rotate().unwrap();
            clock.advance(Duration::from_secs(60));
            dropped +=
                log.retention().expire(&ExpireOptions::new(), &asked()).unwrap().dropped.len();
            std::thread::yield_now();
        }
        over.store(true, Ordering::Release);
        administrators.into_iter().for_each(|thread| thread.join().unwrap());
    });
    log.retention().expire(&ExpireOptions::new(), &asked()).unwrap();
    log.close().unwrap();
    support::verify_clean(&disk);
}
