//! Deep verification: re-reads every byte, re-hashes every record, and compares all
//! that commits to them. Reports every finding and never stops at the first.
//!
//! It needs no open log: it works on a log that will not open, on a copy, and on a log
//! that another process is writing.

mod batches;
mod catalog;
mod doubts;
mod files;
mod frames;
mod gaps;
mod hashes;
mod heads;
mod indexes;
mod keys;
mod marks;
mod options;
mod reading;
mod records;
mod report;
mod seals;
mod segments;
mod since;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::directory::LogDir;
use crate::directory::identity::check_is_log;
use crate::directory::lock;
use crate::disk::Open;
use crate::error::{Error, Result};
use crate::event::Anchor;
use crate::format::catalog_body::Sealed;
use crate::format::footer::{TimeRange, Waypoint};
use crate::hash::HashAlgorithm;
use crate::log::opener::Opener;
use crate::merkle::{Frontier, NodeId, TreeHead};
use crate::segment;
use crate::seq::{Seq, TreeSize};
use crate::time::Timestamp;
use catalog::ReadCatalog;
use doubts::Doubt;
use hashes::{HashFiles, StoredHashes};
use marks::{Marks, MetMark};
use report::{NOWHERE, Place, finding_of};

pub use gaps::{Gap, GapVerdict};
pub use options::VerifyOptions;
pub use report::{Finding, NotRead, Progress, Report};

/// Verifies the log in a directory.
///
/// # Errors
/// There is no log; the key store is that of another one; I/O. Damage is not an error but a
/// finding.
pub fn verify(
    dir: &Path,
    options: &VerifyOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report> {
    let dir = options.dir(dir, check_is_log(&*options.disk, dir)?);
    if let Some(store) = &options.key_store {
        store.check_is_of(dir.log_id())?;
    }
    let mut verifier = Verifier::new(dir, options, progress)?;
    if let Some(checkpoint) = &options.since {
        verifier.begin_since(checkpoint);
    }
    verifier.collect_heads()?;
    verifier.segments()?;
    verifier.leave_doubts();
    verifier.check_marks_met();
    verifier.sign_gaps();
    verifier.compare_catalog();
    verifier.warn_of_unfinished_drops()?;
    verifier.warn_of_late_seals();
    verifier.indexes()?;
    verifier.other_files()?;
    Ok(verifier.report())
}

/// The state of one verification.
struct Verifier<'a> {
    dir: LogDir,
    options: &'a VerifyOptions,
    progress: &'a mut dyn FnMut(Progress),
    findings: Vec<Finding>,
    warnings: Vec<Finding>,
    catalog: Option<ReadCatalog>,
    sealed: Vec<Sealed>,
    stored: StoredHashes,
    frontier: Frontier,
    /// Set when neither records nor stored hashes tell how the tree goes on.
    tree_lost: bool,
    /// Heads to be met, by size, and how many were.
    heads: Vec<(PathBuf, TreeHead)>,
    signers: keys::Signers,
    heads_met: usize,
    anchors: Vec<MetAnchor>,
    marks: Vec<MetMark>,
    /// Records below this are not read.
    since: TreeSize,
    not_read: Option<NotRead>,
    /// Where every 32nd record of the present segment was met.
    waypoints: Vec<Waypoint>,
    /// Times of the records of the present segment, how many were met, and the newest
    /// anchor so far.
    times: TimeRange,
    /// Of the newest record that was met in the present segment.
    recorded_at: Option<Timestamp>,
    met: u64,
    /// Whether records of the present segment could not be met.
    lost: bool,
    last_anchor: TreeSize,
    seals: seals::SealTimes,
    /// The newest anchor before each segment, as its header says.
    newest_anchors: BTreeMap<u64, TreeSize>,
    /// The most that a frame so far said to be durable.
    said_durable: TreeSize,
    /// Whether a gap may have held a newer one.
    anchor_unknown: bool,
    /// Segments that were dropped.
    gaps: Vec<Gap>,
    /// Segments with such records.
    lossy: Vec<u64>,
    doubts: Vec<Doubt>,
    /// Leaves of altered records.
    altered: Vec<NodeId>,
    /// Opens encrypted payloads, as far as keys are at hand.
    opener: Arc<Opener>,
    /// Records below this must be there; a writer may be busy with those beyond.
    durable: TreeSize,
    bytes_total: u64,
    counts: Counts,
}

/// An anchor, and where it stands.
#[derive(Clone, Copy, Debug)]
struct MetAnchor {
    ordinal: u64,
    seq: Seq,
    anchor: Anchor,
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
        dir: LogDir,
        options: &'a VerifyOptions,
        progress: &'a mut dyn FnMut(Progress),
    ) -> Result<Self> {
        // First what says how far the log goes, then what must go that far.
        let durable = durable_size(&dir);
        let (catalog, doubtful) = reading::catalog(&dir, options);
        let (findings, mut warnings) = (doubtful.findings, doubtful.warnings);
        let sealed = catalog.as_ref().map(|catalog| catalog.whole.state.segments().collect());
        let opener = Opener::new(dir.log_id(), options.key_store.clone());
        if let Some(catalog) = &catalog {
            opener.note_erased(&catalog.whole.state);
        }
        let algorithm = algorithm(&dir, catalog.as_ref())?;
        let marks = reading::marks(&dir, options)?;
        warnings.extend(marks.oddities());
        let newest = marks.newest().filter(|mark| mark.frontier.algorithm() == algorithm);
        let marked = newest.map_or(TreeSize::ZERO, |mark| mark.frontier.size());
        let certificates = catalog.as_ref().map(|read| read.facts.certificates.clone());
        let files = HashFiles::open(dir.disk(), &dir.tree(), algorithm, marked)?
            .with_certificates(certificates.unwrap_or_default());
        let durable = durable.max(marked);
        Ok(Verifier {
            dir,
            options,
            progress,
            findings,
            warnings,
            catalog,
            sealed: sealed.unwrap_or_default(),
            stored: StoredHashes::new(files),
            frontier: Frontier::new(algorithm),
            tree_lost: false,
            heads: Vec::new(),
            signers: keys::Signers::default(),
            heads_met: 0,
            anchors: Vec::new(),
            marks: marks.marks,
            since: TreeSize::ZERO,
            not_read: None,
            waypoints: Vec::new(),
            times: TimeRange::EMPTY,
            recorded_at: None,
            met: 0,
            lost: false,
            last_anchor: TreeSize::ZERO,
            seals: seals::SealTimes::default(),
            newest_anchors: BTreeMap::new(),
            said_durable: TreeSize::ZERO,
            anchor_unknown: false,
            gaps: Vec::new(),
            lossy: Vec::new(),
            doubts: Vec::new(),
            altered: Vec::new(),
            opener: Arc::new(opener),
            durable,
            bytes_total: 0,
            counts: Counts::default(),
        })
    }

    fn compare_catalog(&mut self) {
        let (size, marked) = (self.frontier.size(), self.stored.files.size());
        if size < marked && !self.tree_lost {
            let newest = self.marks.iter().max_by_key(|met| met.mark.generation);
            let ordinal = newest.map_or(1, |met| met.mark.ordinal);
            let path = self.dir.segment(ordinal);
            let expected = format!("{marked} records, which the mark says were durable");
            let place = (Some(ordinal), None, None);
            self.finding(&path, place, "records", expected, format!("{size} records"));
        }
        for (path, head) in self.heads.split_off(self.heads_met) {
            if self.tree_lost {
                break; // reported where it was lost
            }
            let expected = format!("{} records, root {}", head.size, head.root);
            let found = format!("only {} records", self.frontier.size());
            self.finding(&path, NOWHERE, "signed head", expected, found);
        }
        self.check_heads_anchored();
        self.check_drops_anchored();
        self.check_anchors_ascend();
        let anchors = std::mem::take(&mut self.anchors);
        if let Some(newest) = anchors.iter().map(|met| met.anchor.catalog_size).max() {
            self.refresh_catalog(newest);
        }
        for MetAnchor { ordinal, seq, anchor } in &anchors {
            let Some(catalog) = &self.catalog else { break };
            let root = catalog.whole.root_at(anchor.catalog_size);
            let path = self.dir.segment(*ordinal);
            let place = (Some(*ordinal), None, Some(*seq));
            if root == Some(anchor.catalog_root) {
                let before = anchor.catalog_size.last_seq().map(Seq::get).and_then(to_index);
                let state = before.and_then(|at| catalog.facts.state_roots.get(at)).copied();
                if state != Some(anchor.state_root) {
                    let expected = state.map_or("none".to_owned(), |root| root.to_string());
                    let found = anchor.state_root.to_string();
                    self.finding(&path, place, "anchored state", expected, found);
                }
                continue;
            }
            let found = match root {
                Some(root) => root.to_string(),
                None => format!("a catalog of {} records", catalog.whole.size()),
            };
            let expected = format!("root {} at size {}", anchor.catalog_root, anchor.catalog_size);
            self.finding(&path, place, "anchored catalog", expected, found);
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
        self.findings.push(Finding::at(file, place, what, expected.into(), found.into()));
    }

    fn warning(
        &mut self,
        file: &Path,
        place: Place,
        what: &str,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) {
        self.warnings.push(Finding::at(file, place, what, expected.into(), found.into()));
    }

    fn finding_of(&mut self, error: Error) {
        self.findings.push(finding_of(self.dir.path(), error));
    }

    fn report(self) -> Report {
        Report {
            findings: self.findings,
            warnings: self.warnings,
            segments: self.counts.segments,
            records: self.counts.records,
            bytes: self.counts.bytes,
            head: self.frontier.head(),
            checkpoints: self.counts.checkpoints,
            given: self.counts.given,
            signatures: self.counts.signatures,
            anchors: self.anchors.len() as u64,
            not_read: self.not_read,
            gaps: self.gaps,
        }
    }
}

fn to_index(number: u64) -> Option<usize> {
    usize::try_from(number).ok()
}

/// Records that the writer says are durable: they must be there, and whole.
fn durable_size(dir: &LogDir) -> TreeSize {
    let file = dir.disk().open(&dir.lock_file(), Open::Read).ok();
    let lock = file.and_then(|file| lock::read(&*file)).filter(|lock| lock.log_id == dir.log_id());
    lock.map_or(TreeSize::ZERO, |lock| lock.durable)
}

fn algorithm(dir: &LogDir, catalog: Option<&ReadCatalog>) -> Result<HashAlgorithm> {
    let created = catalog.and_then(|catalog| catalog.whole.state.created());
    let known = created.and_then(|created| HashAlgorithm::from_code(created.hash_algorithm));
    if let Some(known) = known {
        return Ok(known);
    }
    let header = segment::identify(dir.disk(), &dir.segments())?;
    Ok(header.map_or(HashAlgorithm::Sha256, |header| header.algorithm))
}
