//! [`Manifest`]: what an archived folder says of itself.

use std::fmt::Display;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Result};
use crate::format::catalog_body::Sealed;
use crate::format::{FormatError, LogId};
use crate::hash::{Hash, HashAlgorithm, tag, tagged};
use crate::merkle::{Frontier, TreeHead};
use crate::seq::TreeSize;
use crate::time::Timestamp;

/// Longest manifest, in bytes.
pub(super) const LEN_MAX: u64 = 256 << 10;
/// Longest `segment.seg` in bytes: offsets in a segment have 32 bits.
const SEGMENT_LEN_MAX: u64 = 1 << 33;

const FORMAT: &str = "bulla-archive";
const VERSION: u16 = 1;
const WHAT: &str = "archive manifest";

/// The names of the files of a folder.
pub(crate) mod file {
    /// The segment.
    pub(crate) const SEGMENT: &str = "segment.seg";
    /// Its index.
    pub(crate) const INDEX: &str = "segment.idx";
    /// The checkpoint that it is under.
    pub(crate) const CHECKPOINT: &str = "checkpoint";
    /// The log's key chain.
    pub(crate) const KEYS: &str = "keys";
    /// That the segment was in force as it was sealed.
    pub(crate) const STATE: &str = "state.bulla-catalog-proof";
    /// The manifest.
    pub(crate) const MANIFEST: &str = "MANIFEST.json";
    /// All but the manifest, in their order.
    pub(crate) const ALL: [&str; 5] = [SEGMENT, INDEX, CHECKPOINT, KEYS, STATE];
}

/// What is known of an archived segment: of which log it is, and what its seal says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SegmentFacts {
    /// The log.
    pub log_id: LogId,
    /// Its number, from 1.
    pub ordinal: u64,
    /// Records in it, at least 1.
    pub count: u64,
    /// Size of its file in bytes.
    pub bytes: u64,
    /// Smallest and largest `recorded_at`.
    pub recorded: (Timestamp, Timestamp),
    /// Smallest and largest `occurred_at`.
    pub occurred: (Timestamp, Timestamp),
    /// Not to be dropped before; the beginning of 1970: there was no policy.
    pub keep_until: Timestamp,
    /// Digest of its header.
    pub header: Hash,
    /// Root of its logical index; zeros: none.
    pub index_root: Hash,
    /// The tree before it.
    pub start: Frontier,
    /// Root of the tree at its end.
    pub end_root: Hash,
}

impl SegmentFacts {
    /// Of a segment as it was sealed, behind this tree.
    pub(crate) fn of(log_id: LogId, sealed: &Sealed, start: Frontier) -> Self {
        let [recorded_min, recorded_max, occurred_min, occurred_max] =
            sealed.times.map(Timestamp::from_nanos);
        SegmentFacts {
            log_id,
            ordinal: sealed.ordinal,
            count: sealed.count,
            bytes: sealed.bytes,
            recorded: (recorded_min, recorded_max),
            occurred: (occurred_min, occurred_max),
            keep_until: Timestamp::from_nanos(sealed.keep_until),
            header: Hash::from_bytes(sealed.header),
            index_root: Hash::from_bytes(sealed.index_root),
            start,
            end_root: Hash::from_bytes(sealed.end_root),
        }
    }

    /// What the catalog says of a segment with these facts, whose status is this.
    pub(crate) fn sealed(&self, status: u8) -> Sealed {
        let times = [self.recorded.0, self.recorded.1, self.occurred.0, self.occurred.1];
        Sealed {
            ordinal: self.ordinal,
            first: self.start.size().get(),
            count: self.count,
            bytes: self.bytes,
            times: times.map(Timestamp::as_nanos),
            end_root: *self.end_root.as_bytes(),
            header: *self.header.as_bytes(),
            index_root: *self.index_root.as_bytes(),
            keep_until: self.keep_until.as_nanos(),
            status,
        }
    }

    /// Size and root of the tree at its end.
    pub fn end(&self) -> TreeHead {
        let size = self.start.size().get().saturating_add(self.count);
        TreeHead { size: TreeSize::new(size), root: self.end_root }
    }
}

/// The checkpoint that a folder's segment is under. **Nothing of it is checked** by reading
/// the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArchivedCheckpoint {
    /// What it states.
    pub head: TreeHead,
    /// From the tree at the segment's end to that head (RFC 6962 §2.1.2).
    pub consistency: Vec<Hash>,
}

/// A file of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArchivedFile {
    /// Its name.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Its digest.
    pub blake3: Hash,
}

/// What an archived folder says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Manifest {
    /// The log's public name when this was archived.
    pub origin: String,
    /// The segment.
    pub facts: SegmentFacts,
    /// The checkpoint that it is under, if there is one.
    pub checkpoint: Option<ArchivedCheckpoint>,
    /// When.
    pub archived_at: Timestamp,
    /// The files, without the manifest.
    pub files: Vec<ArchivedFile>,
}

impl Manifest {
    /// The digest of a manifest's bytes, by which the catalog names the folder.
    pub fn digest(bytes: &[u8]) -> Hash {
        tagged(tag::ARCHIVE_MANIFEST, &[bytes])
    }

    /// The file with this name.
    pub fn file(&self, name: &str) -> Option<&ArchivedFile> {
        self.files.iter().find(|file| file.name == name)
    }

    /// Its bytes.
    ///
    /// # Errors
    /// None that a manifest can cause.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut written = Written::of(self);
        written.check = Text(check_of(&written)?);
        written.to_bytes()
    }

    /// Reads a manifest, strictly: what is read is written again byte for byte.
    ///
    /// # Errors
    /// `Newer`, or what is not as it must be.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        let refused =
            |expected: &str, found: &dyn Display| Err(FormatError::mismatch(WHAT, expected, found));
        if bytes.len() as u64 > LEN_MAX {
            return refused(&format!("at most {LEN_MAX} bytes"), &"more");
        }
        if let Ok(Version { format, version: found @ 2.. }) = serde_json::from_slice(bytes)
            && format == FORMAT
        {
            return Err(FormatError::Newer {
                what: "archive manifest version",
                found,
                newest: VERSION,
            });
        }
        let written: Written = match serde_json::from_slice(bytes) {
            Ok(written) => written,
            Err(error) => return refused("its members", &error),
        };
        if written.to_bytes().ok().as_deref() != Some(bytes) {
            return refused("the one spelling that the format has", &"another");
        }
        let (expected, found) = (check_of(&written).unwrap_or(Hash::ZERO), written.check.0);
        if expected != found {
            return refused(&format!("check {expected}"), &found);
        }
        written.into_manifest()
    }
}

/// The check inside a manifest: over it, with zeros in the check's place.
fn check_of(written: &Written) -> Result<Hash> {
    let zeroed = Written { check: Text(Hash::ZERO), ..written.clone() };
    Ok(tagged(tag::ARCHIVE_CHECK, &[&zeroed.to_bytes()?]))
}

/// What all versions have.
#[derive(Deserialize)]
struct Version {
    format: String,
    version: u16,
}

/// A value as its text.
#[derive(Clone, Debug)]
struct Text<T>(T);

impl<T: Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Text).map_err(serde::de::Error::custom)
    }
}

/// A manifest as it is spelled.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: String,
    version: u16,
    log_id: String,
    origin: String,
    hash: String,
    ordinal: u64,
    first: u64,
    count: u64,
    bytes: u64,
    recorded: [Text<Timestamp>; 2],
    occurred: [Text<Timestamp>; 2],
    keep_until: Text<Timestamp>,
    header: Text<Hash>,
    index_root: Text<Hash>,
    end_root: Text<Hash>,
    start_peaks: Vec<Text<Hash>>,
    checkpoint: Option<WrittenCheckpoint>,
    archived_at: Text<Timestamp>,
    files: Vec<WrittenFile>,
    check: Text<Hash>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCheckpoint {
    size: u64,
    root: Text<Hash>,
    consistency: Vec<Text<Hash>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFile {
    name: String,
    bytes: u64,
    blake3: Text<Hash>,
}

fn texts(hashes: &[Hash]) -> Vec<Text<Hash>> {
    hashes.iter().copied().map(Text).collect()
}

fn hashes(texts: &[Text<Hash>]) -> Vec<Hash> {
    texts.iter().map(|text| text.0).collect()
}

impl Written {
    /// With zeros as the check.
    fn of(manifest: &Manifest) -> Self {
        let Manifest { origin, facts, checkpoint, archived_at, files } = manifest;
        let checkpoint = checkpoint.as_ref().map(|under| WrittenCheckpoint {
            size: under.head.size.get(),
            root: Text(under.head.root),
            consistency: texts(&under.consistency),
        });
        let files = files.iter().map(|file| WrittenFile {
            name: file.name.clone(),
            bytes: file.bytes,
            blake3: Text(file.blake3),
        });
        Written {
            format: FORMAT.to_owned(),
            version: VERSION,
            log_id: facts.log_id.to_string(),
            origin: origin.clone(),
            hash: facts.start.algorithm().name().to_owned(),
            ordinal: facts.ordinal,
            first: facts.start.size().get(),
            count: facts.count,
            bytes: facts.bytes,
            recorded: [Text(facts.recorded.0), Text(facts.recorded.1)],
            occurred: [Text(facts.occurred.0), Text(facts.occurred.1)],
            keep_until: Text(facts.keep_until),
            header: Text(facts.header),
            index_root: Text(facts.index_root),
            end_root: Text(facts.end_root),
            start_peaks: texts(facts.start.peaks()),
            checkpoint,
            archived_at: Text(*archived_at),
            files: files.collect(),
            check: Text(Hash::ZERO),
        }
    }

    fn to_bytes(&self) -> Result<Vec<u8>> {
        let written = serde_json::to_vec_pretty(self);
        let mut bytes = written
            .map_err(|error| Error::InvalidOption { name: WHAT, reason: error.to_string() })?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    fn into_manifest(self) -> Result<Manifest, FormatError> {
        if (self.format.as_str(), self.version) != (FORMAT, VERSION) {
            let found = format!("{} version {}", self.format, self.version);
            return Err(FormatError::mismatch(WHAT, format!("{FORMAT} version {VERSION}"), found));
        }
        self.check_ranges()?;
        let facts = self.facts()?;
        let checkpoint = self.checkpoint.as_ref().map(|under| ArchivedCheckpoint {
            head: TreeHead { size: TreeSize::new(under.size), root: under.root.0 },
            consistency: hashes(&under.consistency),
        });
        let files = self.files.into_iter().map(|file| ArchivedFile {
            name: file.name,
            bytes: file.bytes,
            blake3: file.blake3.0,
        });
        Ok(Manifest {
            origin: self.origin,
            facts,
            checkpoint,
            archived_at: self.archived_at.0,
            files: files.collect(),
        })
    }

    fn facts(&self) -> Result<SegmentFacts, FormatError> {
        let algorithms = [HashAlgorithm::Sha256, HashAlgorithm::Blake3];
        let algorithm = algorithms.into_iter().find(|algorithm| algorithm.name() == self.hash);
        let unknown = || FormatError::mismatch(WHAT, "hash sha256 or blake3", &self.hash);
        let algorithm = algorithm.ok_or_else(unknown)?;
        let (first, peaks) = (TreeSize::new(self.first), hashes(&self.start_peaks));
        let start = Frontier::from_parts(algorithm, first, &peaks)
            .map_err(|error| FormatError::mismatch(WHAT, "peaks of the tree before", error))?;
        let [recorded, occurred] = [&self.recorded, &self.occurred].map(|[a, b]| (a.0, b.0));
        Ok(SegmentFacts {
            log_id: parse_log_id(&self.log_id)?,
            ordinal: self.ordinal,
            count: self.count,
            bytes: self.bytes,
            recorded,
            occurred,
            keep_until: self.keep_until.0,
            header: self.header.0,
            index_root: self.index_root.0,
            start,
            end_root: self.end_root.0,
        })
    }

    /// What no type says.
    fn check_ranges(&self) -> Result<(), FormatError> {
        let size = self.files.iter().find(|file| file.name == file::SEGMENT).map(|f| f.bytes);
        let mut names = file::ALL.into_iter();
        let in_order = self.files.iter().all(|file| names.any(|name| name == file.name));
        let has = |name: &str| self.files.iter().any(|file| file.name == name);
        let end = self.first.checked_add(self.count);
        let under = self.checkpoint.as_ref();
        let rules = [
            (self.ordinal >= 1, "an ordinal from 1"),
            (self.count >= 1 && end.is_some(), "a count of records, at least 1"),
            (self.bytes <= SEGMENT_LEN_MAX, "a segment of at most 8 GiB"),
            (size == Some(self.bytes), "a file segment.seg of the segment's size"),
            (in_order, "known files, each once and in their order"),
            (under.is_some() == has(file::CHECKPOINT), "a checkpoint and its file, or neither"),
            (
                under.is_some() || !(has(file::KEYS) || has(file::STATE)),
                "no keys and no state without a checkpoint",
            ),
            (
                under.is_none_or(|under| end.is_some_and(|end| end <= under.size)),
                "a checkpoint that covers the segment",
            ),
        ];
        match rules.into_iter().find(|(kept, _)| !kept) {
            Some((_, expected)) => Err(FormatError::mismatch(WHAT, expected, "another")),
            None => Ok(()),
        }
    }
}

/// Reads 32 hexadecimal digits, which are written again the same (the spelling is compared).
fn parse_log_id(text: &str) -> Result<LogId, FormatError> {
    let refused = || FormatError::mismatch(WHAT, "a log id of 32 hexadecimal digits", text);
    let doubled: Hash = text.repeat(2).parse().map_err(|_| refused())?;
    let first = doubled.as_bytes().first_chunk::<16>();
    first.copied().map(LogId).ok_or_else(refused)
}
