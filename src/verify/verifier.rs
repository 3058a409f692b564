//! The state of one verification, on which the passes work.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::catalog::ReadCatalog;
use super::hashes::{HashFiles, StoredHashes};
use super::marks::MetMark;
use super::options::VerifyOptions;
use super::report::{Finding, Gap, NotRead, Place, Progress, Report, finding_of};
use super::seal_times::SealTimes;
use super::settled;
use crate::directory::{LogDir, lock};
use crate::disk::Open;
use crate::error::{Error, Result};
use crate::event::Anchor;
use crate::format::catalog_body::Sealed;
use crate::format::footer::{TimeRange, Waypoint};
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::{Frontier, NodeId, TreeHead};
use crate::read::payload_reader::PayloadReader;
use crate::segment;
use crate::seq::{Seq, TreeSize};
use crate::time::Timestamp;
use crate::trust::Trust;

/// The state of one verification.
pub(super) struct Verifier<'a> {
    pub(super) dir: LogDir,
    pub(super) options: &'a VerifyOptions,
    pub(super) progress: &'a mut dyn FnMut(Progress),
    pub(super) findings: Vec<Finding>,
    pub(super) warnings: Vec<Finding>,
    pub(super) catalog: Option<ReadCatalog>,
    pub(super) sealed: Vec<Sealed>,
    pub(super) stored: StoredHashes,
    pub(super) frontier: Frontier,
    /// Set when neither records nor stored hashes tell how the tree goes on.
    pub(super) tree_lost: bool,
    /// Heads to be met, by size, and how many were.
    pub(super) heads: Vec<(PathBuf, TreeHead)>,
    pub(super) signers: Signers,
    pub(super) heads_met: usize,
    pub(super) anchors: Vec<MetAnchor>,
    pub(super) marks: Vec<MetMark>,
    /// Records below this are not read.
    pub(super) since: TreeSize,
    pub(super) not_read: Option<NotRead>,
    /// Where every 32nd record of the present segment was met.
    pub(super) waypoints: Vec<Waypoint>,
    /// Times of the records of the present segment, how many were met, and the newest
    /// anchor so far.
    pub(super) times: TimeRange,
    /// Of the newest record that was met in the present segment.
    pub(super) recorded_at: Option<Timestamp>,
    pub(super) met: u64,
    /// Whether records of the present segment could not be met.
    pub(super) lost: bool,
    pub(super) last_anchor: TreeSize,
    pub(super) seals: SealTimes,
    /// The newest anchor before each segment, as its header says.
    pub(super) newest_anchors: BTreeMap<u64, TreeSize>,
    /// The most that a frame so far said to be durable.
    pub(super) said_durable: TreeSize,
    /// Whether a gap may have held a newer one.
    pub(super) anchor_unknown: bool,
    /// Segments that were dropped.
    pub(super) gaps: Vec<Gap>,
    /// Segments with such records.
    pub(super) lossy: Vec<u64>,
    pub(super) doubts: Vec<HashMismatch>,
    /// Leaves of altered records.
    pub(super) altered: Vec<NodeId>,
    /// Opens encrypted payloads, as far as keys are at hand.
    pub(super) opener: Arc<PayloadReader>,
    /// Records below this must be there; a writer may be busy with those beyond.
    pub(super) durable: TreeSize,
    pub(super) bytes_total: u64,
    pub(super) counts: Counts,
}

/// An anchor, and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct MetAnchor {
    pub(super) ordinal: u64,
    pub(super) seq: Seq,
    pub(super) anchor: Anchor,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) segments: u64,
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) checkpoints: u64,
    pub(super) given: u64,
    pub(super) signatures: u64,
}

/// A stored hash that is another one than was computed.
#[derive(Clone, Debug)]
pub(super) struct HashMismatch {
    pub(super) node: NodeId,
    pub(super) computed: Hash,
    pub(super) stored: String,
    /// Where the record stands, for a leaf.
    pub(super) record: Option<(PathBuf, Place)>,
}

/// By whom checkpoints may be signed.
#[derive(Default)]
pub(super) struct Signers {
    /// Whom the auditor trusts, with the log's key chain if it is about one of them.
    pub(super) given: Trust,
    /// Whom the log itself names.
    pub(super) recorded: Trust,
    /// Whether the log was asked again whom it names.
    pub(super) asked_again: bool,
}

impl<'a> Verifier<'a> {
    pub(super) fn new(
        dir: LogDir,
        options: &'a VerifyOptions,
        progress: &'a mut dyn FnMut(Progress),
    ) -> Result<Self> {
        // First what says how far the log goes, then what must go that far.
        let durable = durable_size(&dir);
        let (catalog, doubtful) = settled::catalog(&dir, options);
        let (findings, mut warnings) = (doubtful.findings, doubtful.warnings);
        let sealed = catalog.as_ref().map(|catalog| catalog.whole.state.segments().collect());
        let opener = PayloadReader::new(dir.log_id(), options.key_store.clone());
        if let Some(catalog) = &catalog {
            opener.note_erased(&catalog.whole.state);
        }
        let algorithm = algorithm(&dir, catalog.as_ref())?;
        let marks = settled::marks(&dir, options)?;
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
            signers: Signers::default(),
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
            seals: SealTimes::default(),
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

    pub(super) fn finding(
        &mut self,
        file: &Path,
        place: Place,
        what: &str,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) {
        self.findings.push(Finding::at(file, place, what, expected.into(), found.into()));
    }

    pub(super) fn warning(
        &mut self,
        file: &Path,
        place: Place,
        what: &str,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) {
        self.warnings.push(Finding::at(file, place, what, expected.into(), found.into()));
    }

    pub(super) fn finding_of(&mut self, error: Error) {
        self.findings.push(finding_of(self.dir.path(), error));
    }

    pub(super) fn report(self) -> Report {
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

/// Records that the writer says are durable: they must be there, and whole.
pub(super) fn durable_size(dir: &LogDir) -> TreeSize {
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
