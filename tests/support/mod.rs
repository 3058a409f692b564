//! A workload that keeps book of what it submitted and what was acknowledged, and the
//! check of a log against that book.

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

pub mod aged;
pub mod backwards;
pub mod hang;
pub mod random;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bulla::disk::sim::SimDisk;
use bulla::disk::{Disk, Open};
use bulla::event::RecordKind;
use bulla::time::ManualClock;
use bulla::{
    Actor, Disclosure, Durability, Error, Event, HashAlgorithm, Housekeeping, Log, LogOptions,
    Receipt, Record, Resource, Seq, Signer, Timestamp, UnverifiedCheckpoint, VerifyOptions, verify,
};

pub const ORIGIN: &str = "example.com/audit";
/// 2026-01-01.
pub const START: i64 = 1_767_225_600_000_000_000;

/// How the logs of a test are made.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub durability: Durability,
    pub frame_align: u32,
    pub algorithm: HashAlgorithm,
}

impl Shape {
    pub const PLAIN: Shape =
        Shape { durability: Durability::Sync, frame_align: 1, algorithm: HashAlgorithm::Sha256 };

    pub fn options(&self, disk: &SimDisk, clock: &Arc<ManualClock>) -> LogOptions {
        LogOptions::new()
            .origin(ORIGIN)
            .hash(self.algorithm)
            .segment_bytes(64 << 10)
            .durability(self.durability)
            .frame_align(self.frame_align)
            .housekeeping(Housekeeping::Inline)
            .disk(Arc::new(disk.clone()))
            .clock(Arc::clone(clock) as _)
    }
}

pub fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_nanos(START)))
}

pub fn dir() -> PathBuf {
    PathBuf::from("/audit")
}

pub fn key() -> PathBuf {
    PathBuf::from("/key")
}

/// The n-th event of a workload; every eighth one is large.
pub fn event(n: u64) -> Event {
    let size = if n % 8 == 5 { 6_000 } else { 40 + n % 300 };
    let filling = "x".repeat(usize::try_from(size).unwrap());
    Event::new(
        Actor::new("user", format!("user-{}", n % 7)),
        "invoice.read",
        Resource::new("invoice", n.to_string()),
    )
    .details_json(&format!("{{\"n\":{n},\"filling\":\"{filling}\"}}"))
    .unwrap()
}

pub fn number(record: &Record) -> u64 {
    record.event.resource.id.as_ref().unwrap().parse().unwrap()
}

/// What a workload did so far.
#[derive(Clone, Debug, Default)]
pub struct Book {
    /// Events 0..submitted were given to the log, in this order.
    pub submitted: u64,
    /// Events 0..acked were acknowledged.
    pub acked: u64,
    /// Events 0..synced were acknowledged before a sync that succeeded.
    pub synced: u64,
    /// Sizes of the frames that were submitted: events up to which one ended.
    pub frames: Vec<u64>,
    pub receipts: Vec<(u64, Receipt)>,
    pub checkpoints: Vec<UnverifiedCheckpoint>,
    pub created: bool,
}

impl Book {
    /// Takes back what a call submitted that was refused with nothing written.
    pub fn refused(&mut self) {
        self.submitted = self.acked;
        self.frames.retain(|end| *end <= self.acked);
    }

    pub fn append(&mut self, log: &Log) -> Result<(), Error> {
        let n = self.submitted;
        self.submitted += 1;
        self.frames.push(self.submitted);
        let receipt = log.append(&event(n))?;
        self.acked = self.submitted;
        self.receipts.push((n, receipt));
        Ok(())
    }

    pub fn append_batch(&mut self, log: &Log, count: u64) -> Result<(), Error> {
        let events: Vec<Event> = (self.submitted..self.submitted + count).map(event).collect();
        self.submitted += count;
        self.frames.push(self.submitted);
        let receipt = log.append_batch(&events)?;
        assert_eq!(receipt.count, count);
        self.acked = self.submitted;
        Ok(())
    }

    pub fn all_synced(&mut self) {
        self.synced = self.acked;
    }

    pub fn checkpoint(&mut self, log: &Log, signer: &Signer) -> Result<(), Error> {
        let signed = log.checkpoint(signer)?;
        self.checkpoints.push(signed.into_unverified());
        self.all_synced();
        Ok(())
    }

    /// What must have survived.
    pub fn floor(&self, durability: Durability) -> u64 {
        if durability == Durability::Sync { self.acked } else { self.synced }
    }

    /// Checks all records of a log, and takes over what of the unacknowledged ones is in it.
    pub fn check(&mut self, log: &Log, durability: Durability) {
        let snapshot = log.snapshot();
        let records: Vec<Record> =
            snapshot.records_from(Seq::new(0)).map(|record| record.unwrap()).collect();
        assert_eq!(records.len() as u64, snapshot.size().get());
        let mut there = 0;
        for (at, record) in records.iter().enumerate() {
            assert_eq!(record.seq.get(), at as u64);
            if record.kind == RecordKind::Anchor {
                continue;
            }
            let given = event(there);
            assert_eq!(number(record), there, "at {at}: in the order submitted, without a hole");
            assert_eq!(record.event.details, given.details);
            assert_eq!(record.event.actor, given.actor);
            there += 1;
        }
        assert!(there <= self.submitted, "{there} recovered of {} submitted", self.submitted);
        let floor = self.floor(durability);
        assert!(there >= floor, "only {there} recovered, {floor} must have survived: {self:?}");
        assert!(
            there == 0 || self.frames.contains(&there),
            "{there}: a frame is kept whole or not at all"
        );
        self.receipts.retain(|(n, _)| *n < there);
        for (n, receipt) in &self.receipts {
            let record = &records[usize::try_from(receipt.seq.get()).unwrap()];
            assert_eq!(number(record), *n);
            assert_eq!(record.leaf_hash, receipt.leaf_hash);
            assert_eq!(record.recorded_at, receipt.recorded_at);
        }
        self.check_checkpoints(log);
        self.frames.retain(|end| *end <= there);
        (self.submitted, self.acked) = (there, there);
        self.synced = self.synced.min(there);
    }

    fn check_checkpoints(&mut self, log: &Log) {
        if let Some(published) = log.checkpoints().latest().unwrap() {
            self.checkpoints.push(published);
        }
        for checkpoint in &self.checkpoints {
            let head = checkpoint.dangerously_unverified().head();
            for seq in [head.size.last_seq().unwrap(), Seq::new(0)] {
                // Proving compares the checkpoint's root with the tree's at that size.
                log.snapshot().prove(seq, checkpoint, Disclosure::Whole).unwrap();
            }
        }
    }
}

/// The key, made if a crash took it.
pub fn signer(disk: &SimDisk, algorithm: HashAlgorithm) -> Result<Signer, Error> {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    if disk.exists(&key()).map_err(unusable)? {
        match Signer::load_on(Arc::clone(&shared), &key()) {
            // Its making was interrupted: the file is useless and was never used.
            Err(Error::Proof { .. } | Error::Key { .. }) => {
                disk.remove_file(&key()).map_err(unusable)?
            }
            loaded => return loaded,
        }
    }
    Signer::generate_on(shared, &key(), ORIGIN, algorithm)
}

fn unusable(error: std::io::Error) -> Error {
    Error::Io { op: "look for", path: key(), source: Arc::new(error) }
}

/// One thing that a workload does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Create,
    Open,
    Key,
    Append,
    Batch(u64),
    Checkpoint,
    Rotate,
    Sync,
    Close,
    Wait(u64),
}

/// The usual workload.
pub fn steps() -> Vec<Step> {
    use Step::*;
    let mut steps = vec![Create];
    steps.extend([Append, Wait(3), Append, Wait(3), Append, Append]);
    steps.extend([Key, Checkpoint, Batch(30)]);
    steps.extend([Append; 6]);
    steps.push(Rotate);
    steps.extend([Append; 3]);
    steps.extend([Close, Open, Append, Batch(60), Checkpoint]);
    for _ in 0..24 {
        steps.extend([Wait(100), Append]);
    }
    steps.extend([Sync, Batch(40), Append, Close]);
    steps
}

/// A log, and the book kept of it.
pub struct Worker {
    pub disk: SimDisk,
    pub shape: Shape,
    pub clock: Arc<ManualClock>,
    pub log: Option<Log>,
    pub signer: Option<Signer>,
    pub book: Book,
}

impl Worker {
    pub fn new(disk: &SimDisk, shape: Shape) -> Self {
        let (disk, clock, book) = (disk.clone(), clock(), Book::default());
        Worker { disk, shape, clock, log: None, signer: None, book }
    }

    pub fn step(&mut self, step: Step) -> Result<(), Error> {
        let options = self.shape.options(&self.disk, &self.clock);
        match step {
            Step::Create => {
                self.log = Some(options.open_or_create(dir())?);
                self.book.created = true;
                return Ok(());
            }
            Step::Open => {
                self.log = Some(options.open(dir())?);
                return Ok(());
            }
            Step::Key => {
                self.signer = Some(signer(&self.disk, self.shape.algorithm)?);
                return Ok(());
            }
            Step::Wait(millis) => {
                self.clock.advance(Duration::from_millis(millis));
                return Ok(());
            }
            _ => {}
        }
        let log = self.log.as_ref().unwrap();
        match step {
            Step::Append => return self.book.append(log),
            Step::Batch(count) => return self.book.append_batch(log, count),
            Step::Checkpoint => {
                return self.book.checkpoint(log, self.signer.as_ref().unwrap());
            }
            Step::Rotate => log.rotate()?,
            Step::Sync => log.sync()?,
            _ => {
                let closed = log.close();
                self.log = None;
                closed?;
            }
        }
        self.book.all_synced();
        Ok(())
    }
}

/// Does the usual workload until it fails.
pub fn work(disk: &SimDisk, shape: Shape, book: &mut Book) -> Result<(), Error> {
    let mut worker = Worker::new(disk, shape);
    let done = steps().into_iter().try_for_each(|step| worker.step(step));
    *book = worker.book;
    done
}

/// Opens the log after a crash; makes it if its creation was never reported.
pub fn reopen(disk: &SimDisk, shape: Shape, book: &Book) -> Result<Log, Error> {
    let options = shape.options(disk, &clock());
    if book.created { options.open(dir()) } else { options.open_or_create(dir()) }
}

/// Opens the log, checks it, works on with it, and verifies it.
pub fn check_and_go_on(disk: &SimDisk, shape: Shape, book: &mut Book) {
    let log = reopen(disk, shape, book).unwrap();
    book.created = true;
    book.check(&log, shape.durability);
    book.append(&log).unwrap();
    let signer = signer(disk, shape.algorithm).unwrap();
    book.checkpoint(&log, &signer).unwrap();
    book.append_batch(&log, 12).unwrap();
    log.rotate().unwrap();
    book.append(&log).unwrap();
    log.close().unwrap();
    book.all_synced();
    let log = reopen(disk, shape, book).unwrap();
    assert!(log.recovery().set_aside.is_empty(), "{:?}", log.recovery());
    book.check(&log, Durability::Sync);
    book.checkpoint(&log, &signer).unwrap();
    log.close().unwrap();
    verify_clean(disk);
}

pub fn verify_clean(disk: &SimDisk) {
    let options = VerifyOptions::new().disk(Arc::new(disk.clone()));
    let report = verify(&dir(), &options, &mut |_| ()).unwrap();
    assert!(report.is_clean(), "{:#?}", report.findings);
}

/// All files of a disk below a directory, with their bytes.
pub fn files_below(disk: &SimDisk, dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for name in disk.list(dir).unwrap() {
        let path = dir.join(name);
        if disk.open(&path, Open::Read).is_ok() {
            files.push((path.clone(), disk.read_file(&path).unwrap()));
        } else {
            files.extend(files_below(disk, &path));
        }
    }
    files
}
