//! Deep verification: re-reads every byte, re-hashes every record, and compares all
//! that commits to them. Reports every finding and never stops at the first.
//!
//! It needs no open log: it works on a log that will not open, on a copy, and on a log
//! that another process is writing.

mod doubts;
mod hashes;
mod heads;
mod keys;
mod reading;
mod segments;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::catalog::WholeCatalog;
use crate::checkpoint::{UnverifiedCheckpoint, VerifyingKey};
use crate::disk::{Disk, Open, RealDisk};
use crate::error::{Error, Result};
use crate::event::Anchor;
use crate::format::LogId;
use crate::format::catalog_body::Sealed;
use crate::format::footer::{TimeRange, Waypoint};
use crate::hash::HashAlgorithm;
use crate::log::core::{lock_path, segments_dir};
use crate::log::open::{check_is_log, read_lock};
use crate::merkle::{Frontier, NodeId, TreeHead};
use crate::segment;
use crate::seq::{Seq, TreeSize};
use doubts::Doubt;
use hashes::StoredHashes;

/// What to compare the log with.
#[derive(Clone, Debug)]
#[must_use]
pub struct VerifyOptions {
    checkpoints: Vec<UnverifiedCheckpoint>,
    keys: Vec<VerifyingKey>,
    disk: Arc<dyn Disk>,
}

impl VerifyOptions {
    /// The log against itself: its own hashes, catalog and published checkpoints.
    pub fn new() -> Self {
        VerifyOptions { checkpoints: Vec::new(), keys: Vec::new(), disk: Arc::new(RealDisk) }
    }

    /// Also against a checkpoint that was kept elsewhere: this is what shows that history
    /// was not rewritten by somebody who has the key.
    pub fn checkpoint(mut self, checkpoint: UnverifiedCheckpoint) -> Self {
        self.checkpoints.push(checkpoint);
        self
    }

    /// Checks the signatures of all checkpoints by this key, too.
    pub fn key(mut self, key: VerifyingKey) -> Self {
        self.keys.push(key);
        self
    }

    /// On another disk than the file system.
    pub fn disk(mut self, disk: Arc<dyn Disk>) -> Self {
        self.disk = disk;
        self
    }
}

impl Default for VerifyOptions {
    fn default() -> Self {
        VerifyOptions::new()
    }
}

/// How far a verification has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Bytes of segments read.
    pub bytes_done: u64,
    /// Bytes of segments there are.
    pub bytes_total: u64,
}

/// One thing that is not as it was written or committed to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The file.
    pub file: PathBuf,
    /// The segment, if it is in one.
    pub segment: Option<u64>,
    /// Where in the file.
    pub offset: Option<u64>,
    /// The record, if it is about one.
    pub seq: Option<Seq>,
    /// What was looked at.
    pub what: String,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file.display())?;
        if let Some(segment) = self.segment {
            write!(f, "segment {segment}, ")?;
        }
        if let Some(offset) = self.offset {
            write!(f, "offset {offset}, ")?;
        }
        if let Some(seq) = self.seq {
            write!(f, "record {seq}, ")?;
        }
        write!(f, "{}: expected {}, found {}", self.what, self.expected, self.found)
    }
}

/// What a verification found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// Everything that is not as it should be; empty: the log is as it was written.
    pub findings: Vec<Finding>,
    /// Segments read.
    pub segments: u64,
    /// Records that were hashed again.
    pub records: u64,
    /// Bytes of segments read.
    pub bytes: u64,
    /// The tree head that the records lead to; of damaged ones the stored hash counts.
    pub head: TreeHead,
    /// Checkpoints that were compared with it, published and given ones.
    pub checkpoints: u64,
    /// Those of them that were given in the options.
    pub given: u64,
    /// Those of them whose signature by a given key was checked and is right.
    pub signatures: u64,
    /// Anchors that were compared with the catalog.
    pub anchors: u64,
}

impl Report {
    /// Whether nothing was found.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Verifies the log in a directory.
///
/// # Errors
/// There is no log; I/O. Damage is not an error but a finding.
pub fn verify(
    dir: &Path,
    options: &VerifyOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report> {
    let log_id = check_is_log(&*options.disk, dir)?;
    let mut verifier = Verifier::new(dir, options, log_id, progress)?;
    verifier.collect_heads()?;
    verifier.segments()?;
    verifier.settle_doubts(false);
    verifier.compare_catalog();
    Ok(verifier.report())
}

/// Segment, offset and record of a finding, as far as they are known.
type Place = (Option<u64>, Option<u64>, Option<Seq>);

/// Of a finding that is about a whole file.
const NOWHERE: Place = (None, None, None);

/// The state of one verification.
struct Verifier<'a> {
    dir: &'a Path,
    options: &'a VerifyOptions,
    log_id: LogId,
    progress: &'a mut dyn FnMut(Progress),
    findings: Vec<Finding>,
    catalog: Option<WholeCatalog>,
    sealed: Vec<Sealed>,
    stored: StoredHashes,
    frontier: Frontier,
    /// Set when neither records nor stored hashes tell how the tree goes on.
    tree_lost: bool,
    /// Heads to be met, by size, the next one last.
    heads: Vec<(PathBuf, TreeHead)>,
    signers: keys::Signers,
    anchors: Vec<(PathBuf, Seq, Anchor)>,
    /// Where every 32nd record of the present segment was met.
    waypoints: Vec<Waypoint>,
    /// Times of the records of the present segment, how many were met, and the newest
    /// anchor so far.
    times: TimeRange,
    met: u64,
    /// Whether records of the present segment could not be met.
    lost: bool,
    last_anchor: TreeSize,
    doubts: Vec<Doubt>,
    /// Leaves of altered records.
    altered: Vec<NodeId>,
    /// Records below this must be there; a writer may be busy with those beyond.
    durable: TreeSize,
    bytes_total: u64,
    counts: Counts,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    segments: u64,
    records: u64,
    bytes: u64,
    checkpoints: u64,
    given: u64,
    signatures: u64,
}

impl<'a> Verifier<'a> {
    fn new(
        dir: &'a Path,
        options: &'a VerifyOptions,
        log_id: LogId,
        progress: &'a mut dyn FnMut(Progress),
    ) -> Result<Self> {
        let mut findings = Vec::new();
        // First what says how far the log goes, then what must go that far.
        let durable = durable_size(dir, options, log_id);
        let (catalog, damage) = reading::catalog(dir, options, log_id);
        findings.extend(damage);
        let sealed = catalog.as_ref().map(|catalog| catalog.state.segments().collect());
        let algorithm = algorithm(dir, options, catalog.as_ref())?;
        let stored = StoredHashes::open(&*options.disk, dir, log_id, algorithm)?;
        let durable = durable.max(stored.size());
        Ok(Verifier {
            dir,
            options,
            log_id,
            progress,
            findings,
            catalog,
            sealed: sealed.unwrap_or_default(),
            stored,
            frontier: Frontier::new(algorithm),
            tree_lost: false,
            heads: Vec::new(),
            signers: keys::Signers::default(),
            anchors: Vec::new(),
            waypoints: Vec::new(),
            times: TimeRange::EMPTY,
            met: 0,
            lost: false,
            last_anchor: TreeSize::ZERO,
            doubts: Vec::new(),
            altered: Vec::new(),
            durable,
            bytes_total: 0,
            counts: Counts::default(),
        })
    }

    fn compare_catalog(&mut self) {
        let (size, marked) = (self.frontier.size(), self.stored.size());
        if size < marked && !self.tree_lost {
            let dir = segments_dir(self.dir);
            let expected = format!("{marked} records, which the mark says were durable");
            self.finding(&dir, NOWHERE, "records", expected, format!("{size} records"));
        }
        for (path, head) in std::mem::take(&mut self.heads) {
            if self.tree_lost {
                break; // reported where it was lost
            }
            let expected = format!("{} records, root {}", head.size, head.root);
            let found = format!("only {} records", self.frontier.size());
            self.finding(&path, NOWHERE, "signed head", expected, found);
        }
        let anchors = std::mem::take(&mut self.anchors);
        if let Some(newest) = anchors.iter().map(|(_, _, anchor)| anchor.catalog_size).max() {
            self.refresh_catalog(newest);
        }
        for (path, seq, anchor) in &anchors {
            let Some(catalog) = &self.catalog else { break };
            let root = catalog.root_at(anchor.catalog_size);
            if root == Some(anchor.catalog_root) {
                continue;
            }
            let found = match root {
                Some(root) => root.to_string(),
                None => format!("a catalog of {} records", catalog.size()),
            };
            let expected = format!("root {} at size {}", anchor.catalog_root, anchor.catalog_size);
            self.finding(path, (None, None, Some(*seq)), "anchored catalog", expected, found);
        }
        self.anchors = anchors;
    }

    fn finding(
        &mut self,
        file: &Path,
        place: Place,
        what: &str,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) {
        let (segment, offset, seq) = place;
        let (file, what) = (file.to_owned(), what.to_owned());
        let (expected, found) = (expected.into(), found.into());
        self.findings.push(Finding { file, segment, offset, seq, what, expected, found });
    }

    fn finding_of(&mut self, error: Error) {
        self.findings.push(finding_of(self.dir, error));
    }

    fn report(self) -> Report {
        Report {
            findings: self.findings,
            segments: self.counts.segments,
            records: self.counts.records,
            bytes: self.counts.bytes,
            head: self.frontier.head(),
            checkpoints: self.counts.checkpoints,
            given: self.counts.given,
            signatures: self.counts.signatures,
            anchors: self.anchors.len() as u64,
        }
    }
}

/// An error as a finding.
fn finding_of(dir: &Path, error: Error) -> Finding {
    let (file, offset, what, expected, found) = match error {
        Error::Corrupt { path, offset, expected, found } => {
            (path, Some(offset), "damage".to_owned(), expected, found)
        }
        Error::Tampered { what, expected, found } => (dir.to_owned(), None, what, expected, found),
        other => {
            (dir.to_owned(), None, "log".to_owned(), "to be readable".into(), other.to_string())
        }
    };
    Finding { file, segment: None, offset, seq: None, what, expected, found }
}

/// Records that the writer says are durable: they must be there, and whole.
fn durable_size(dir: &Path, options: &VerifyOptions, log_id: LogId) -> TreeSize {
    let file = options.disk.open(&lock_path(dir), Open::Read).ok();
    let lock = file.and_then(|file| read_lock(&*file)).filter(|lock| lock.log_id == log_id);
    lock.map_or(TreeSize::ZERO, |lock| lock.durable)
}

fn algorithm(
    dir: &Path,
    options: &VerifyOptions,
    catalog: Option<&WholeCatalog>,
) -> Result<HashAlgorithm> {
    let created = catalog.and_then(|catalog| catalog.state.created());
    let known = created.and_then(|created| HashAlgorithm::from_code(created.hash_algorithm));
    if let Some(known) = known {
        return Ok(known);
    }
    let header = segment::identify(&*options.disk, &segments_dir(dir))?;
    Ok(header.map_or(HashAlgorithm::Sha256, |header| header.algorithm))
}
