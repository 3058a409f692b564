//! The catalog of a deep verification: both copies byte by byte, what they say record by
//! record, and what is derived from them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::doubtful::Doubtful;
use super::hashes::{HashFiles, StoredHashes};
use super::records::{KnownRecords, Oddity};
use super::report::{Finding, NOWHERE, finding_of};
use crate::catalog::WholeCatalog;
use crate::directory::LogDir;
use crate::directory::quarantine::DIGEST_MARK;
use crate::disk::{self, Disk, Open};
use crate::error::{Error, Result};
use crate::format::catalog_body::{CatalogBody, RecordedAttribution, Snapshot};
use crate::format::record::CheckedRecord;
use crate::format::{FormatError, LogId, Stream, names};
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::Frontier;
use crate::retention::DropCertificate;
use crate::segment::bytes;
use crate::segment::bytes::{Scratch, SegmentFile};
use crate::segment::scan::{self, Position};
use crate::segment::{self};
use crate::seq::TreeSize;
use crate::tree;

/// A snapshot file is at most this large, in bytes.
const SNAPSHOT_MAX: u64 = 256 << 20;

/// The catalog as it was read.
pub(super) struct ReadCatalog {
    pub(super) whole: WholeCatalog,
    pub(super) facts: Facts,
}

/// What the records of the catalog say beside what is in force.
#[derive(Default)]
pub(super) struct Facts {
    /// State roots by size, from size 1 on.
    pub(super) state_roots: Vec<Hash>,
    /// Signed notes, by the size of the log they sign.
    pub(super) notes: BTreeMap<u64, Vec<String>>,
    pub(super) set_aside: Vec<KeptAside>,
    pub(super) certificates: Vec<DropCertificate>,
    /// Where seals, and ends of drops, are recorded.
    pub(super) known: KnownRecords,
    leaves: Vec<Hash>,
    ends: Vec<End>,
}

/// Segment, nonce and offset behind a record, and the newest signed head there.
type End = (u64, [u8; 16], u64, (u64, [u8; 32]));

/// Bytes that recovery put into `quarantine/`.
#[derive(Clone, Debug)]
pub(super) struct KeptAside {
    pub(super) file: String,
    pub(super) len: u64,
    /// BLAKE3 of the bytes, if it was recorded.
    pub(super) digest: Option<Hash>,
}

/// Reads both copies once.
pub(super) fn read(dir: &LogDir) -> (Option<ReadCatalog>, Doubtful) {
    let (disk, log_id, dir) = (dir.disk(), dir.log_id(), dir.catalog());
    let mut doubtful = Doubtful::default();
    let copies = WholeCatalog::read_copies(disk, &dir, log_id);
    let mut read = Vec::new();
    for (copy, name) in copies.into_iter().zip(names::CATALOG_COPIES) {
        let path = dir.join(name);
        let before = doubtful.findings.len();
        let facts = match walk(disk, &path, &mut doubtful) {
            Ok(facts) => facts,
            Err(error) => {
                doubtful.findings.push(finding_of(&path, error));
                continue;
            }
        };
        match copy {
            Ok(whole) => read.push((path, ReadCatalog { whole, facts })),
            // What is damaged byte by byte was told already.
            Err(Error::Corrupt { .. } | Error::NotALog { .. } | Error::Io { .. })
                if doubtful.findings.len() > before => {}
            Err(Error::NotALog { missing, .. }) => {
                let place = (Some(1), Some(0), None);
                let (path, expected) = (segment::path(&path, 1), "a segment".to_owned());
                doubtful.finding(&path, place, "copy of the catalog", expected, missing);
            }
            Err(error) => doubtful.findings.push(finding_of(&path, error)),
        }
    }
    let mut best = compare_copies(read, &mut doubtful);
    if let Some(catalog) = &mut best {
        check_derived(disk, &dir, log_id, catalog, &mut doubtful);
    }
    (best, doubtful)
}

/// The longer copy; the other one must be its beginning.
fn compare_copies(
    read: Vec<(PathBuf, ReadCatalog)>,
    doubtful: &mut Doubtful,
) -> Option<ReadCatalog> {
    let mut read = read.into_iter();
    let (path_a, a) = read.next()?;
    let Some((path_b, b)) = read.next() else { return Some(a) };
    let (size_a, size_b) = (a.whole.size(), b.whole.size());
    let size = size_a.min(size_b);
    let roots = (a.whole.root_at(size), b.whole.root_at(size));
    if roots.0 != roots.1 {
        let text = |root: Option<Hash>| root.unwrap_or(Hash::ZERO).to_string();
        let what = format!("root of the copy over {size} records");
        doubtful.finding(&path_b, NOWHERE, &what, text(roots.0), text(roots.1));
    }
    if size_a == size_b {
        return Some(a);
    }
    // A crash, or a writer that is at it, comes between the two.
    let (path, behind, longer) = if size_a < size_b { (path_a, a, b) } else { (path_b, b, a) };
    let expected = format!("{} records, as in the other copy", longer.whole.size());
    let (ordinal, offset) = behind.facts.ends.last().map_or((1, 0), |end| (end.0, end.2));
    let place = (Some(ordinal), Some(offset), Some(size.next_seq()));
    let (path, found) = (segment::path(&path, ordinal), format!("{size} records"));
    doubtful.warning(&path, place, "copy of the catalog", expected, found);
    Some(longer)
}

/// Walks all bytes of one copy.
fn walk(disk: &dyn Disk, copy: &Path, doubtful: &mut Doubtful) -> Result<Facts> {
    let mut facts = Facts::default();
    let names = disk.list(copy).map_err(Error::io("list", copy))?;
    let mut ordinals: Vec<u64> =
        names.iter().filter_map(|name| names::parse_segment(name)).collect();
    ordinals.sort_unstable();
    for ordinal in &ordinals {
        let path = segment::path(copy, *ordinal);
        let last = ordinals.last() == Some(ordinal);
        match SegmentFile::open(disk, &path, Open::Read) {
            Ok(Some(segment)) => {
                let stream = segment.header.stream;
                if stream != Stream::Catalog {
                    let place = (Some(*ordinal), Some(0), None);
                    let found = format!("{stream:?}");
                    doubtful.finding(&path, place, "stream", "Catalog".to_owned(), found);
                }
                frames(&segment, last, &mut facts, doubtful)?;
            }
            Ok(None) => {
                let file = disk.open(&path, Open::Read).map_err(Error::io("open", &path))?;
                let used = bytes::used_bytes(&*file, &path, 0)?;
                if used > 0 || !last {
                    let found = format!("{used} bytes that are none");
                    let place = (Some(*ordinal), Some(0), None);
                    doubtful.warning(&path, place, "header", "a header".to_owned(), found);
                }
            }
            Err(error @ Error::Io { .. }) => return Err(error),
            Err(error) => {
                let mut finding = finding_of(copy, error);
                finding.segment = Some(*ordinal);
                doubtful.findings.push(finding);
            }
        }
    }
    Ok(facts)
}

fn frames(
    segment: &SegmentFile,
    last: bool,
    facts: &mut Facts,
    doubtful: &mut Doubtful,
) -> Result<()> {
    let (ordinal, len) = (segment.header.ordinal, segment.file_len()?);
    let mut at = Position { offset: segment.header.first_frame(), size: segment.header.first };
    let (mut head, mut scratch) = (Scratch::new(), Scratch::new());
    loop {
        let why = match whole_frame(segment, at, len, (&mut head, &mut scratch))? {
            Ok((next, body)) => {
                let frame_end = next.offset;
                let walked = scan::records(segment, &body.0, body.1, |offset, record| {
                    let end = (ordinal, segment.header.nonce, frame_end);
                    let place = (Some(ordinal), Some(offset), Some(record.head.seq));
                    let what = (segment.path.as_path(), place);
                    if let Err(error) = facts.add(&record, end, |odd| odd.report(what, doubtful)) {
                        let found = error.to_string();
                        let expected = "those of its kind".to_owned();
                        doubtful.finding(&segment.path, place, "bodies", expected, found);
                    }
                });
                debug_assert!(walked.is_ok(), "checked just now");
                at = next;
                continue;
            }
            Err(why) => why,
        };
        let used = bytes::used_bytes(&**segment.file(), &segment.path, at.offset)?;
        if used == 0 {
            return Ok(());
        }
        let next = scan::next_frame(segment, at, len)?;
        let (place, what) = ((Some(ordinal), Some(at.offset), Some(at.size.next_seq())), "frame");
        let (expected, found) = ("a whole frame, or zeros".to_owned(), why.to_string());
        match next {
            Some(next) => {
                doubtful.finding(&segment.path, place, what, expected, found);
                at = next;
            }
            // The end of the newest segment may be torn.
            None if last => {
                doubtful.warning(&segment.path, place, what, expected, found);
                return Ok(());
            }
            None => {
                doubtful.finding(&segment.path, place, what, expected, found);
                return Ok(());
            }
        }
    }
}

type FrameBody<'a> = (scan::FrameAt, &'a [u8]);

/// A frame all of whose records check, and what follows it; or why there is none.
fn whole_frame<'a>(
    segment: &'a SegmentFile,
    at: Position,
    len: u64,
    (head, scratch): (&mut Scratch, &'a mut Scratch),
) -> Result<std::result::Result<(Position, FrameBody<'a>), FormatError>> {
    let frame = match scan::frame_at(segment, at, head)? {
        Ok(frame) if frame.offset.saturating_add(frame.header.frame_len()) <= len => frame,
        Ok(_) => return Ok(Err(FormatError::mismatch("frame", "its whole body", "the end"))),
        Err(why) => return Ok(Err(why)),
    };
    let body = scan::body(segment, &frame, scratch)?;
    Ok(match scan::records(segment, &frame, body, |_, _| ()) {
        Ok(()) => Ok((frame.next(segment.header.frame_align), (frame, body))),
        Err(bad) => Err(bad.error),
    })
}

impl Facts {
    fn add(
        &mut self,
        record: &CheckedRecord<'_>,
        end: (u64, [u8; 16], u64),
        mut odd: impl FnMut(Oddity),
    ) -> std::result::Result<(), FormatError> {
        self.leaves.push(record.leaf(HashAlgorithm::Sha256));
        let signed = self.ends.last().map_or((0, [0; 32]), |end| end.3);
        self.ends.push((end.0, end.1, end.2, signed));
        let decoded = CatalogBody::decode(record.head.kind, record.envelope);
        let root = decoded.as_ref().map_or(Hash::ZERO, |(root, _)| *root);
        self.state_roots.push(root);
        let body = decoded?.1;
        self.known.check(record.head.seq, &body, &mut odd);
        let because = match &body {
            // What a newer version says beside who and why is not known.
            CatalogBody::Unknown(_) => RecordedAttribution::default(),
            _ => RecordedAttribution::decode(record.head.kind, record.payload())?,
        };
        match body {
            CatalogBody::HeadSigned(head) => {
                if let Some(end) = self.ends.last_mut() {
                    end.3 = (head.size, head.root);
                }
                self.notes.entry(head.size).or_default().push(head.note.to_owned());
            }
            CatalogBody::DropStarted(drop) => {
                let at = (record.head.seq, record.head.recorded_at);
                let asked = (because.who, because.why);
                self.certificates.push(DropCertificate::of(&drop, at, asked));
            }
            CatalogBody::Quarantined(bytes) => {
                let digest = because.why.and_then(|why| why.rsplit_once(DIGEST_MARK));
                self.set_aside.push(KeptAside {
                    file: bytes.file.to_owned(),
                    len: bytes.len,
                    digest: digest.and_then(|(_, digest)| digest.parse().ok()),
                });
            }
            _ => {}
        }
        Ok(())
    }
}

/// The snapshot and the hash files, against the records.
fn check_derived(
    disk: &dyn Disk,
    dir: &Path,
    log_id: LogId,
    catalog: &ReadCatalog,
    doubtful: &mut Doubtful,
) {
    let snapshot = match snapshot(disk, dir, log_id) {
        Ok(snapshot) => snapshot,
        Err(found) => {
            let expected = "a snapshot of this catalog".to_owned();
            doubtful.warning(&dir.join(names::SNAPSHOT), NOWHERE, "snapshot", expected, found);
            None
        }
    };
    // Nothing but a snapshot writes them.
    let hashed = disk.exists(&tree::level_path(&dir.join(names::TREE), 0)).unwrap_or(false);
    let path = dir.join(names::SNAPSHOT);
    if hashed && !disk.exists(&path).unwrap_or(true) {
        let (expected, found) = ("a snapshot, beside its hash files", "no file");
        doubtful.warning(&path, NOWHERE, "snapshot", expected.to_owned(), found.to_owned());
    }
    let wrong = snapshot.as_ref().and_then(|snapshot| contradiction(snapshot, catalog));
    if let (Some(snapshot), Some(what)) = (&snapshot, wrong) {
        let (expected, found) = ("what the records lead to", "something else");
        let what = format!("snapshot: {what}");
        let list = match snapshot.size > catalog.whole.size().get() {
            // The records were copied before it.
            true => &mut doubtful.warnings,
            // Its own checks pass: no crash and no rot leaves that.
            false => &mut doubtful.findings,
        };
        list.push(Finding::at(&path, NOWHERE, &what, expected.to_owned(), found.to_owned()));
    }
    let below = snapshot.filter(|_| wrong.is_none()).map_or(0, |snapshot| snapshot.size);
    if let Err(error) = hash_files(disk, dir, log_id, (catalog, below), doubtful) {
        doubtful.findings.push(finding_of(dir, error));
    }
}

/// The snapshot, if there is one. The error says what is there instead.
fn snapshot(
    disk: &dyn Disk,
    dir: &Path,
    log_id: LogId,
) -> std::result::Result<Option<Snapshot>, String> {
    let path = dir.join(names::SNAPSHOT);
    match disk.exists(&path) {
        Ok(true) => {}
        Ok(false) => return Ok(None),
        Err(error) => return Err(error.to_string()),
    }
    let bytes = disk::read_file(disk, &path, SNAPSHOT_MAX).map_err(|error| error.to_string())?;
    Snapshot::decode(&bytes, log_id).map(Some).map_err(|error| error.to_string())
}

/// What in the snapshot the records do not lead to.
fn contradiction(snapshot: &Snapshot, catalog: &ReadCatalog) -> Option<&'static str> {
    let size = TreeSize::new(snapshot.size);
    let Some(before) = size.last_seq().and_then(|seq| usize::try_from(seq.get()).ok()) else {
        return Some("size");
    };
    let peaks: Vec<Hash> = snapshot.peaks.iter().copied().map(Hash::from_bytes).collect();
    let frontier = Frontier::from_parts(HashAlgorithm::Sha256, size, &peaks).ok();
    let root = frontier.map(|frontier| frontier.root());
    let facts = &catalog.facts;
    if root.is_none() || root != catalog.whole.root_at(size) {
        return Some("size and peaks");
    }
    if facts.state_roots.get(before) != Some(&snapshot.state_map().root()) {
        return Some("state");
    }
    let place = (snapshot.ordinal, snapshot.nonce, snapshot.offset, snapshot.signed);
    let end = facts.ends.get(before)?;
    // The size and root of no head are written as zeros.
    if *end != place { Some("place, or newest signed head") } else { None }
}

/// The hash files of the catalog's tree: those below the snapshot are needed.
fn hash_files(
    disk: &dyn Disk,
    dir: &Path,
    log_id: LogId,
    (catalog, below): (&ReadCatalog, u64),
    doubtful: &mut Doubtful,
) -> Result<()> {
    let (tree, size) = (dir.join(names::TREE), catalog.whole.size());
    let needed = HashFiles::open(disk, &tree, HashAlgorithm::Sha256, TreeSize::new(below))?;
    for bad in needed.bad_headers(log_id) {
        let place = (None, Some(0), None);
        doubtful.finding(&bad.path, place, "hash file header", bad.expected, bad.found);
    }
    // What stands above it need not be there, and is right if it is.
    let there = needed.stored_leaves()?.min(size.get()).max(below);
    let mut stored = StoredHashes::new(HashFiles::open(
        disk,
        &tree,
        HashAlgorithm::Sha256,
        TreeSize::new(there),
    )?);
    let mut frontier = Frontier::new(HashAlgorithm::Sha256);
    let mut wrong = Vec::new();
    for leaf in &catalog.facts.leaves {
        frontier.push(*leaf, |node, hash| {
            wrong.extend(stored.differs(node, &hash).map(|found| (node, hash, found)));
        });
    }
    for (node, expected, found) in wrong {
        let (path, offset) = stored.files.place(node);
        let what = format!("hash {}/{}", node.level, node.index);
        let place = (None, Some(offset), None);
        let covered = (node.index + 1).checked_shl(node.level.into()).unwrap_or(u64::MAX);
        let finding = Finding::at(&path, place, &what, expected.to_string(), found);
        let list = if covered <= below { &mut doubtful.findings } else { &mut doubtful.warnings };
        list.push(finding);
    }
    for (path, offset, len) in needed.surplus(size)? {
        let found = format!("{} bytes", len - offset);
        let place = (None, Some(offset), None);
        doubtful.warning(&path, place, "behind the last hash", "nothing".to_owned(), found);
    }
    Ok(())
}
