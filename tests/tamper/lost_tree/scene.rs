//! A log of ten days, of which those that are not held went, and what is asked of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bulla::archive::DirectoryStore;
use bulla::disk::sim::SimDisk;
use bulla::disk::{Disk, Open};
use bulla::time::ManualClock;
use bulla::{
    Actor, Attribution, Disclosure, Error, Event, ExpireOptions, GapVerdict, HashAlgorithm, Hold,
    HoldScope, Log, LogOptions, Period, Policy, Report, Resource, Seq, Signer,
    UnverifiedCheckpoint, VerifyOptions, verify,
};

use crate::support::{clock, dir, signer};

pub(crate) const DAY: Duration = Duration::from_secs(86_400);
/// Events of a day, which is a segment: with its anchors no power of two.
const EVENTS: u64 = 27;
const DAYS: u64 = 10;

pub(crate) fn asked() -> Attribution {
    Attribution::by("carol").because("retention")
}

fn event(day: u64, n: u64) -> Event {
    let resource = Resource::new("file", n.to_string());
    Event::new(Actor::new("user", format!("a{day}")), "file.read", resource)
}

/// What is lost.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lost {
    Tree,
    RecoveryPoint,
    Levels,
    Level(u8),
    LevelAndMark(u8),
    /// The second half of a file.
    Cut(u8),
    /// A byte of a file, and the mark: else nobody looks.
    Flipped(u8, usize),
}

impl Lost {
    pub(crate) fn level(level: u8) -> PathBuf {
        dir().join("tree").join(format!("level-{level:02}.hashes"))
    }

    pub(crate) fn from(self, disk: &SimDisk) {
        let tree = dir().join("tree");
        let remove = |path: &Path| {
            if disk.exists(path).unwrap() {
                disk.remove_file(path).unwrap();
            }
        };
        match self {
            Lost::Tree | Lost::Levels => {
                for name in disk.list(&tree).unwrap() {
                    if matches!(self, Lost::Tree) || name != "mark" {
                        remove(&tree.join(name));
                    }
                }
            }
            Lost::RecoveryPoint => remove(&tree.join("mark")),
            Lost::Level(level) => remove(&Lost::level(level)),
            Lost::LevelAndMark(level) => {
                remove(&Lost::level(level));
                remove(&tree.join("mark"));
            }
            Lost::Cut(level) => {
                let file = disk.open(&Lost::level(level), Open::ReadWrite).unwrap();
                file.set_len(file.len().unwrap() / 2).unwrap();
                file.sync_data().unwrap();
            }
            Lost::Flipped(level, at) => {
                remove(&tree.join("mark"));
                let path = Lost::level(level);
                let mut bytes = disk.read_file(&path).unwrap();
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 0x40;
                }
                let file = disk.open(&path, Open::ReadWrite).unwrap();
                file.write_at(&bytes, 0).unwrap();
                file.sync_data().unwrap();
            }
        }
        disk.sync_dir(&tree).unwrap();
    }
}

pub(crate) struct Scene {
    pub(crate) disk: SimDisk,
    pub(crate) clock: Arc<ManualClock>,
    algorithm: HashAlgorithm,
    pub(crate) signer: Signer,
    /// Each with the day in whose middle it lies; `None`: between two days.
    pub(crate) checkpoints: Vec<(Option<u64>, UnverifiedCheckpoint)>,
    /// The first record of each day's events, and the one behind the last.
    firsts: Vec<(u64, u64)>,
    pub(crate) dropped: Vec<u64>,
}

impl Scene {
    /// With copies of all segments in an archive; the days of `held` stay, and the last one.
    pub(crate) fn new(seed: u64, algorithm: HashAlgorithm, held: &[u64]) -> Self {
        Scene::with(seed, algorithm, held, DAYS)
    }

    /// Nothing was signed after the second day.
    pub(crate) fn signed_long_ago(seed: u64) -> Self {
        Scene::with(seed, HashAlgorithm::Sha256, &[1], 2)
    }

    fn with(seed: u64, algorithm: HashAlgorithm, held: &[u64], signed: u64) -> Self {
        let (disk, clock) = (SimDisk::new(seed), clock());
        let signer = signer(&disk, algorithm).unwrap();
        let (checkpoints, firsts, dropped) = (Vec::new(), Vec::new(), Vec::new());
        let mut scene = Scene { disk, clock, algorithm, signer, checkpoints, firsts, dropped };
        let log = scene.options().create(dir()).unwrap();
        for day in held {
            let scope = HoldScope::new().actor(format!("a{day}"));
            log.retention().place_hold(&Hold::new(format!("case {day}"), scope), &asked()).unwrap();
        }
        for day in 1..=DAYS {
            let first = log.size().get();
            for n in 0..EVENTS {
                log.append(&event(day, n)).unwrap();
                if n == EVENTS / 2 && day <= signed {
                    let checkpoint = log.checkpoint(&scene.signer).unwrap();
                    scene.checkpoints.push((Some(day), checkpoint.into_unverified()));
                }
            }
            if day < signed {
                let checkpoint = log.checkpoint(&scene.signer).unwrap();
                scene.checkpoints.push((None, checkpoint.into_unverified()));
            }
            scene.firsts.push((first, log.size().get()));
            log.rotate().unwrap();
            log.archive().copy(day, &scene.store(), &asked()).unwrap();
            scene.clock.advance(DAY);
        }
        log.append(&event(0, 0)).unwrap();
        scene.expire(&log, 2);
        log.close().unwrap();
        assert!((1..DAYS - 1).all(|day| scene.dropped.contains(&day) != held.contains(&day)));
        scene
    }

    pub(crate) fn expire(&mut self, log: &Log, days: u64) {
        log.retention().set_policy(&Policy::keep(Period::from_days(days)), &asked()).unwrap();
        let expiry = log.retention().expire(&ExpireOptions::new(), &asked()).unwrap();
        assert!(expiry.stayed.is_empty(), "{:?}", expiry.stayed);
        self.dropped.extend(expiry.dropped.iter().map(|certificate| certificate.ordinal));
    }

    fn store(&self) -> DirectoryStore {
        DirectoryStore::open_or_create_on(Arc::new(self.disk.clone()), Path::new("/archive"))
            .unwrap()
    }

    pub(crate) fn options(&self) -> LogOptions {
        crate::lost_tree::options(&self.disk, &self.clock).hash(self.algorithm)
    }

    pub(crate) fn open(&self) -> Log {
        self.options().open(dir()).unwrap()
    }

    pub(crate) fn put(&self, path: &Path, bytes: &[u8]) {
        self.disk.remove_file(path).unwrap();
        let file = self.disk.open(path, Open::CreateNew).unwrap();
        file.write_at(bytes, 0).unwrap();
        file.sync_data().unwrap();
        self.disk.sync_dir(path.parent().unwrap()).unwrap();
    }

    pub(crate) fn seqs(&self, day: u64) -> impl Iterator<Item = Seq> + use<> {
        let (first, end) = self.firsts[usize::try_from(day).unwrap() - 1];
        (first..end).map(Seq::new)
    }

    pub(crate) fn restore(&self, log: &Log, ordinal: u64) {
        self.try_restore(log, ordinal).unwrap();
    }

    pub(crate) fn try_restore(&self, log: &Log, ordinal: u64) -> Result<(), Error> {
        let store = self.store();
        let dropped = log.archive().restorable_in(&store)?;
        let (_, folder) = dropped.into_iter().find(|(n, _)| *n == ordinal).unwrap();
        log.archive().restore(&store, &folder, &asked()).map(|_| ())
    }

    /// The same log on a disk of its own.
    pub(crate) fn fork(&self, seed: u64) -> Self {
        let disk = self.disk.fork(seed);
        let signer = signer(&disk, self.algorithm).unwrap();
        Scene {
            disk,
            clock: Arc::clone(&self.clock),
            algorithm: self.algorithm,
            signer,
            checkpoints: self.checkpoints.clone(),
            firsts: self.firsts.clone(),
            dropped: self.dropped.clone(),
        }
    }

    pub(crate) fn newest(&self) -> UnverifiedCheckpoint {
        self.checkpoints.last().unwrap().1.clone()
    }

    pub(crate) fn inside(&self, day: u64) -> UnverifiedCheckpoint {
        self.checkpoints.iter().find(|(of, _)| *of == Some(day)).unwrap().1.clone()
    }

    /// What [`Scene::check`] does, with fewer proofs.
    pub(crate) fn check_some(&self, log: &Log, lacking: &[u64]) {
        let newest = self.newest();
        for (day, checkpoint) in &self.checkpoints {
            match (day, log.snapshot().prove_consistency(checkpoint, &newest)) {
                (_, Ok(_)) => {}
                (Some(day), Err(Error::HashesLost { .. })) if lacking.contains(day) => {}
                (day, other) => panic!("{day:?}: {other:?}"),
            }
        }
        for seq in (1..=DAYS).flat_map(|day| self.seqs(day).step_by(7)) {
            match log.snapshot().prove(seq, &newest, Disclosure::WithholdPayload) {
                Ok(_) | Err(Error::Expired { .. }) => {}
                Err(Error::HashesLost { .. }) if log.snapshot().get(seq).is_err() => {}
                other => {
                    assert!(!newest.dangerously_unverified().head().size.covers(seq), "{other:?}")
                }
            }
        }
        self.check_verify(lacking);
    }

    pub(crate) fn verify(&self) -> Report {
        let options = VerifyOptions::new().disk(Arc::new(self.disk.clone()));
        verify(&dir(), &options, &mut |_| ()).unwrap()
    }

    /// Records, proofs, consistency and a whole verification, where hashes of these segments are
    /// lacking; gives how many checkpoints within segments that went are good for proofs.
    pub(crate) fn check(&self, log: &Log, lacking: &[u64]) -> usize {
        let reader = log.snapshot();
        let mut inside = 0;
        let newest = &self.checkpoints.last().unwrap().1;
        let gone = |day: u64| {
            let seq = self.seqs(day).next().unwrap();
            matches!(reader.get(seq), Err(Error::Expired { .. }))
        };
        for (day, checkpoint) in &self.checkpoints {
            let head = checkpoint.dangerously_unverified().head();
            let proved = log.snapshot().prove_consistency(checkpoint, newest);
            let good = match &proved {
                Ok(proof) => {
                    assert_eq!(proof.old, *checkpoint);
                    true
                }
                Err(Error::HashesLost { reason }) => {
                    let day = day.expect("between two segments all is known");
                    assert!(lacking.contains(&day), "day {day}: {reason}");
                    assert!(reason.contains("restore the segment"), "{reason}");
                    false
                }
                Err(other) => panic!("{other:?}"),
            };
            inside += usize::from(good && day.is_some_and(gone));
            for day in 1..=DAYS {
                for seq in self.seqs(day).step_by(9).filter(|seq| head.size.covers(*seq)) {
                    match log.snapshot().prove(seq, checkpoint, Disclosure::Whole) {
                        Ok(_) => assert!(good && !gone(day)),
                        Err(Error::Expired { .. }) => assert!(gone(day)),
                        Err(Error::HashesLost { reason }) => {
                            assert!(!good || gone(day), "record {seq}: {reason}");
                        }
                        Err(other) => panic!("record {seq} of day {day}: {other:?}"),
                    }
                }
            }
        }
        self.check_verify(lacking);
        inside
    }

    pub(crate) fn check_verify(&self, lacking: &[u64]) {
        let report = self.verify();
        assert!(report.findings.is_empty(), "{:#?}", report.findings);
        assert!(report.gaps.iter().all(|gap| gap.verdict == GapVerdict::Checked));
        let unfinished = |warning: &&bulla::Finding| warning.to_string().contains(".hashes.tmp");
        assert!(!report.warnings.iter().any(|w| unfinished(&w)), "{:#?}", report.warnings);
        let told = report.warnings.iter().map(ToString::to_string);
        let told = told.filter(|warning| warning.contains("not known")).count();
        assert_eq!(told, lacking.len(), "{lacking:?}: {:#?}", report.warnings);
    }

    /// A reader proves what is there, also where nobody made the hashes anew.
    pub(crate) fn check_reader(&self) {
        let reader = self.options().open_read_only(dir()).unwrap();
        let newest = &self.checkpoints.last().unwrap().1;
        for day in (1..=DAYS).filter(|day| !self.dropped.contains(day)) {
            let seq = self.seqs(day).nth(5).unwrap();
            reader.snapshot().prove(seq, newest, Disclosure::Whole).unwrap();
        }
        for (day, checkpoint) in &self.checkpoints {
            match (day, reader.snapshot().prove_consistency(checkpoint, newest)) {
                (None, proved) => drop(proved.unwrap()),
                (Some(_), Ok(_)) => {}
                (Some(day), Err(Error::HashesLost { .. })) => assert!(self.dropped.contains(day)),
                (day, other) => panic!("{day:?}: {other:?}"),
            }
        }
    }

    /// Appends, signs, opens again, drops more, and loses the tree once more.
    pub(crate) fn goes_on(mut self, log: Log, lacking: &[u64]) {
        for n in 0..5 {
            log.append(&event(0, n)).unwrap();
        }
        let checkpoint = log.checkpoint(&self.signer).unwrap().into_unverified();
        self.checkpoints.push((None, checkpoint));
        log.close().unwrap();
        drop(log);
        let log = self.open();
        assert_eq!(log.recovery().rebuilt, None);
        assert!(log.recovery().lost_hashes.is_empty());
        let before = self.check(&log, lacking);
        self.clock.advance(DAY * 3);
        log.rotate().unwrap();
        log.append(&event(0, 9)).unwrap();
        let known = self.dropped.len();
        self.expire(&log, 1);
        assert!(self.dropped.len() > known);
        self.check(&log, lacking);
        log.close().unwrap();
        drop(log);
        Lost::RecoveryPoint.from(&self.disk);
        let log = self.open();
        assert_eq!(log.recovery().lost_hashes, lacking);
        assert!(self.check(&log, lacking) > before, "the new gaps have all their hashes");
        log.close().unwrap();
    }
}
