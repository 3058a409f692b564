//! Reads an archived folder back, and checks all of it.

use super::finding::ArchiveFinding;
use std::fmt;

use super::manifest::{ArchivedFile, Manifest, file};
use super::reading::Reading;
use super::segment::{Inspected, inspect};
use super::store::ArchiveStore;
use crate::archive::keys::{failed, folder_of, key_of, manifest_bytes, path_of, small};
use crate::checkpoint::{NOTE_LEN_MAX, UnverifiedCheckpoint, VerifyingKey};
use crate::error::{Error, Result};
use crate::format::FormatError;
use crate::format::catalog_body::{CatalogBody, kind};
use crate::hash::{Hash, TaggedHasher, tag};
use crate::keys::{Change, KEY_CHAIN_LEN_MAX, KeyChain};
use crate::merkle::{TreeHead, verify_consistency};
use crate::proof::{CATALOG_PROOF_LEN_MAX, CatalogProof, ProvenClaim};
use crate::trust::{Trust, TrustError};

/// What to compare an archived folder with.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct VerifyArchiveOptions {
    trust: Option<Trust>,
    digest: Option<Hash>,
}

impl VerifyArchiveOptions {
    /// The folder against itself.
    pub fn new() -> Self {
        VerifyArchiveOptions::default()
    }

    /// Also the signatures of its checkpoint: without one that is trusted there is a finding.
    pub fn trust(self, trust: Trust) -> Self {
        VerifyArchiveOptions { trust: Some(trust), ..self }
    }

    /// Also the digest of its manifest, as a drop certificate or the catalog has it.
    pub fn digest(self, digest: Hash) -> Self {
        VerifyArchiveOptions { digest: Some(digest), ..self }
    }
}

/// What a folder shows, as far as nothing was found against it. Each says more than the one
/// before.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shown {
    /// Nothing: there are findings.
    Nothing,
    /// That its bytes are what was archived, and are in themselves a segment. There is no
    /// checkpoint in it: whoever could write the folder could have made all of it.
    DigestsOnly,
    /// That its records are under the head that this checkpoint states. Its signatures were
    /// not checked: no key was given.
    UnderCheckpoint {
        /// The log's name, as the checkpoint states it.
        origin: String,
        /// The head.
        head: TreeHead,
        /// Whether the catalog under it has the segment as it was sealed, index root included.
        in_force: bool,
    },
    /// The same, and the checkpoint is one that is trusted.
    Signed {
        /// The log's name.
        origin: String,
        /// The head.
        head: TreeHead,
        /// As above.
        in_force: bool,
        /// The trusted keys that signed it, witnesses included.
        signers: Vec<VerifyingKey>,
    },
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sealed = |in_force: &bool| match in_force {
            true => ", and in its catalog as sealed",
            false => "; its seal was recorded later and is not shown",
        };
        match self {
            Shown::Nothing => f.write_str("nothing: it does not hold"),
            Shown::DigestsOnly => f.write_str(
                "digests only: no checkpoint is in the folder, so whoever could write it could \
                 have made all of it; compare its digest with the log's catalog",
            ),
            Shown::UnderCheckpoint { origin, head, in_force } => write!(
                f,
                "under the checkpoint of {origin} of size {}{}; signatures not checked, no key \
                 was given",
                head.size,
                sealed(in_force)
            ),
            Shown::Signed { origin, head, in_force, signers } => {
                let names: Vec<String> = signers.iter().map(|key| key.name().to_string()).collect();
                write!(
                    f,
                    "under the checkpoint of {origin} of size {}, signed by {}{}",
                    head.size,
                    names.join(", "),
                    sealed(in_force)
                )
            }
        }
    }
}

/// What verifying a folder came to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ArchiveReport {
    /// The folder.
    pub folder: String,
    /// Everything that is not as it should be; empty: it holds.
    pub findings: Vec<ArchiveFinding>,
    /// What the folder says of itself, if that could be read.
    pub manifest: Option<Manifest>,
    /// Digest of the manifest's bytes.
    pub digest: Option<Hash>,
    /// What it shows.
    pub shown: Shown,
    /// Records that were hashed again.
    pub records: u64,
    /// Bytes of all its files.
    pub bytes: u64,
}

impl ArchiveReport {
    /// Whether nothing was found.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Verifies a folder of an archive; see `docs/format.md`, “Archive”. The folder "" is the
/// store itself.
///
/// # Errors
/// `Unsupported` if it was written by a newer version; I/O. What is wrong with the bytes, or
/// missing, is a finding.
pub fn verify(
    store: &dyn ArchiveStore,
    folder: &str,
    options: &VerifyArchiveOptions,
) -> Result<ArchiveReport> {
    let report = ArchiveReport {
        folder: folder.to_owned(),
        findings: Vec::new(),
        manifest: None,
        digest: None,
        shown: Shown::Nothing,
        records: 0,
        bytes: 0,
    };
    let mut verifier = Verifier { store, folder, options, report };
    if let Some(manifest) = verifier.manifest()? {
        verifier.check_name(&manifest);
        verifier.segment(&manifest)?;
        let shown = verifier.shown(&manifest)?;
        verifier.report.manifest = Some(manifest);
        if verifier.report.is_clean() {
            verifier.report.shown = shown;
        }
    }
    Ok(verifier.report)
}

struct Verifier<'a> {
    store: &'a dyn ArchiveStore,
    folder: &'a str,
    options: &'a VerifyArchiveOptions,
    report: ArchiveReport,
}

impl Verifier<'_> {
    fn finding(&mut self, file: &str, what: &str, expected: impl ToString, found: impl ToString) {
        let (expected, found) = (expected.to_string(), found.to_string());
        self.report.findings.push(ArchiveFinding::new(file, what, expected, found));
    }

    fn manifest(&mut self) -> Result<Option<Manifest>> {
        let Some(bytes) = manifest_bytes(self.store, self.folder)? else {
            let found = "none: this is no archived folder, or one that was not finished";
            self.finding(file::MANIFEST, "manifest", "a manifest", found);
            return Ok(None);
        };
        let digest = Manifest::digest(&bytes);
        self.report.digest = Some(digest);
        self.report.bytes = bytes.len() as u64;
        if let Some(expected) = self.options.digest.filter(|expected| *expected != digest) {
            self.finding(file::MANIFEST, "digest", expected, digest);
        }
        match Manifest::parse(&bytes) {
            Ok(manifest) => Ok(Some(manifest)),
            Err(error @ FormatError::Newer { .. }) => {
                let path = path_of(self.store, &key_of(self.folder, file::MANIFEST));
                Err(Error::format(&path, 0)(error))
            }
            Err(FormatError::Mismatch { expected, found, .. }) => {
                self.finding(file::MANIFEST, "manifest", expected, found);
                Ok(None)
            }
        }
    }

    /// A folder that is named as an archive names them holds what it is named for.
    fn check_name(&mut self, manifest: &Manifest) {
        let facts = &manifest.facts;
        let own = folder_of(&manifest.origin, facts.log_id, facts.ordinal);
        let named = self.folder.contains('/');
        if named && self.folder != own && !self.folder.ends_with(&format!("/{own}")) {
            self.finding(file::MANIFEST, "folder", own, self.folder);
        }
    }

    /// The segment and its index.
    fn segment(&mut self, manifest: &Manifest) -> Result<()> {
        let Some(listed) = self.listed(manifest, file::SEGMENT)? else { return Ok(()) };
        let key = key_of(self.folder, file::SEGMENT);
        let source = |buf: &mut [u8], offset: u64| self.store.read_at(&key, buf, offset);
        let path = path_of(self.store, &key);
        let inspected = inspect(&source, path, listed.bytes, &manifest.facts)?;
        let Inspected { digest, len, findings, records, index } = inspected;
        self.report.records = records;
        self.check_digest(listed, digest, len);
        self.report.findings.extend(findings);
        self.index(manifest, index)
    }

    fn index(&mut self, manifest: &Manifest, good: Option<Vec<u8>>) -> Result<()> {
        if manifest.file(file::INDEX).is_none() && good.is_some() {
            let expected = "the index that the records lead to";
            self.finding(file::MANIFEST, "files", expected, "none");
        }
        let Some(listed) = self.listed(manifest, file::INDEX)? else { return Ok(()) };
        let key = key_of(self.folder, file::INDEX);
        let source = |buf: &mut [u8], offset: u64| self.store.read_at(&key, buf, offset);
        let mut reading = Reading::new(&source, path_of(self.store, &key));
        let (good, mut at, mut differs) = (good.unwrap_or_default(), 0, None);
        for piece in good.chunks(1 << 20) {
            let read = reading.bytes(at, piece.len())?;
            let odd = read.iter().zip(piece).position(|(found, good)| found != good);
            let odd = odd.or((read.len() < piece.len()).then_some(read.len()));
            differs = differs.or(odd.map(|odd| at + odd as u64));
            at += piece.len() as u64;
        }
        let (digest, len) = reading.finish()?;
        self.check_digest(listed, digest, len);
        if differs.is_some() || len != good.len() as u64 {
            let expected = "what the records lead to";
            let finding = ArchiveFinding::new(file::INDEX, "index", expected, "other bytes");
            self.report.findings.push(ArchiveFinding { offset: differs, ..finding });
        }
        Ok(())
    }

    /// What the manifest says of a file, if it is there and as long.
    fn listed<'m>(
        &mut self,
        manifest: &'m Manifest,
        name: &str,
    ) -> Result<Option<&'m ArchivedFile>> {
        let Some(listed) = manifest.file(name) else { return Ok(None) };
        let key = key_of(self.folder, name);
        let len = self.store.len(&key).map_err(failed("stat", self.store, &key))?;
        self.report.bytes = self.report.bytes.saturating_add(len.unwrap_or(0));
        if len == Some(listed.bytes) {
            return Ok(Some(listed));
        }
        let found = len.map_or("no file".to_owned(), |len| format!("{len} bytes"));
        self.finding(name, "file", format!("{} bytes", listed.bytes), found);
        Ok(None)
    }

    fn check_digest(&mut self, listed: &ArchivedFile, digest: Hash, len: u64) {
        if len != listed.bytes {
            let (expected, found) = (format!("{} bytes", listed.bytes), format!("{len} bytes"));
            self.finding(&listed.name, "file", expected, found);
        } else if digest != listed.blake3 {
            self.finding(&listed.name, "digest", listed.blake3, digest);
        }
    }

    /// The bytes of a small file, of which digest and length are checked.
    fn small(&mut self, manifest: &Manifest, name: &str, max: usize) -> Result<Option<Vec<u8>>> {
        let Some(listed) = self.listed(manifest, name)? else { return Ok(None) };
        if listed.bytes > max as u64 {
            let found = format!("{} bytes", listed.bytes);
            self.finding(name, "file", format!("at most {max} bytes"), found);
            return Ok(None);
        }
        let bytes = small(self.store, &key_of(self.folder, name), max as u64)?.unwrap_or_default();
        let mut hasher = TaggedHasher::new(tag::ARCHIVE_FILE);
        hasher.update(&bytes);
        self.check_digest(listed, hasher.digest(), bytes.len() as u64);
        Ok(Some(bytes))
    }

    /// What the proofs show.
    fn shown(&mut self, manifest: &Manifest) -> Result<Shown> {
        let keys = self.keys(manifest)?;
        let state = self.small(manifest, file::STATE, CATALOG_PROOF_LEN_MAX)?;
        let Some(under) = &manifest.checkpoint else {
            if self.options.trust.is_some() {
                let found = "none: nobody signed what is in this folder";
                self.finding(file::CHECKPOINT, "checkpoint", "one that is trusted", found);
            }
            return Ok(Shown::DigestsOnly);
        };
        let bytes = self.small(manifest, file::CHECKPOINT, NOTE_LEN_MAX)?;
        let Some(bytes) = bytes else { return Ok(Shown::Nothing) };
        let checkpoint = match UnverifiedCheckpoint::parse(&bytes) {
            Ok(checkpoint) => checkpoint,
            Err(error) => {
                self.finding(file::CHECKPOINT, "checkpoint", "a signed checkpoint", error);
                return Ok(Shown::Nothing);
            }
        };
        let claimed = checkpoint.dangerously_unverified();
        let (origin, head) = (claimed.origin().to_owned(), claimed.head());
        if head != under.head {
            let text = |head: &TreeHead| format!("size {} with root {}", head.size, head.root);
            self.finding(file::CHECKPOINT, "head", text(&under.head), text(&head));
        }
        if !is_succeeded_by(&origin, &manifest.origin, keys.as_ref()) {
            let expected = format!("{:?}, or one that was retired for it", manifest.origin);
            self.finding(file::CHECKPOINT, "origin", expected, format!("{origin:?}"));
        }
        let (algorithm, end) = (manifest.facts.start.algorithm(), manifest.facts.end());
        if let Err(error) = verify_consistency(algorithm, &end, &head, &under.consistency) {
            let expected = "the segment's end under the checkpoint";
            self.finding(file::MANIFEST, "consistency", expected, error);
        }
        let in_force = match state {
            Some(bytes) => self.in_force(manifest, &checkpoint, &bytes),
            None => false,
        };
        let Some(signers) = self.signers(&checkpoint, manifest, keys.as_ref()) else {
            return Ok(Shown::UnderCheckpoint { origin, head, in_force });
        };
        Ok(Shown::Signed { origin, head, in_force, signers })
    }

    fn keys(&mut self, manifest: &Manifest) -> Result<Option<KeyChain>> {
        let bytes = self.small(manifest, file::KEYS, KEY_CHAIN_LEN_MAX)?;
        let Some(bytes) = bytes else { return Ok(None) };
        match KeyChain::parse(&bytes) {
            Ok(chain) => Ok(Some(chain)),
            Err(error) => {
                self.finding(file::KEYS, "key chain", "a key chain", error);
                Ok(None)
            }
        }
    }

    /// The state proof; whether it shows the segment as the manifest has it.
    fn in_force(
        &mut self,
        manifest: &Manifest,
        checkpoint: &UnverifiedCheckpoint,
        bytes: &[u8],
    ) -> bool {
        let facts = &manifest.facts;
        let proof = match CatalogProof::parse(bytes) {
            Ok(proof) => proof,
            Err(error) => {
                self.finding(file::STATE, "state proof", "a catalog proof", error);
                return false;
            }
        };
        if proof.checkpoint != *checkpoint {
            let expected = "one under the checkpoint in this folder";
            self.finding(file::STATE, "state proof", expected, "one under another");
            return false;
        }
        let head = checkpoint.dangerously_unverified().head();
        let statement = proof.statement.check(facts.start.algorithm(), &head, Some(facts.log_id));
        let shown = match &statement {
            Ok(statement) => statement.shown(),
            Err(error) => {
                self.finding(file::STATE, "state proof", "one that holds", error);
                return false;
            }
        };
        let entry = format!("segment/{:016x}", facts.ordinal);
        let same = match shown {
            ProvenClaim::InForce(shown) if shown.key == entry => {
                let envelope = [Hash::ZERO.as_bytes().as_slice(), &shown.value].concat();
                match CatalogBody::decode(kind::SEGMENT_SEALED, &envelope) {
                    Ok((_, CatalogBody::Sealed(sealed))) => sealed == facts.sealed(sealed.status),
                    _ => false,
                }
            }
            _ => false,
        };
        if !same {
            let expected = format!("the entry {entry} with what the manifest says");
            self.finding(file::STATE, "state proof", expected, "another");
        }
        same
    }

    /// Who signed the checkpoint; `None` if nobody was trusted, or nobody trusted did.
    fn signers(
        &mut self,
        checkpoint: &UnverifiedCheckpoint,
        manifest: &Manifest,
        keys: Option<&KeyChain>,
    ) -> Option<Vec<VerifyingKey>> {
        let mut trust = self.options.trust.clone()?;
        let mut unlearned = String::new();
        if let Some(chain) = keys {
            // A verifier may have pinned a key that the chain is not about.
            match trust.clone().with_key_chain(chain) {
                Ok(learned) => trust = learned,
                Err(error) => unlearned = format!(" (and of the key chain: {error})"),
            }
        }
        let expected = "a signature that is trusted";
        match trust.verify(checkpoint) {
            Ok(verified) if verified.algorithm() == manifest.facts.start.algorithm() => {
                Some(verified.signers().to_vec())
            }
            Ok(verified) => {
                let found = format!("one of a head with hash {}", verified.algorithm());
                self.finding(file::CHECKPOINT, "signature", expected, found);
                None
            }
            Err(error) => {
                let found = format!("{}{unlearned}", said(&error));
                self.finding(file::CHECKPOINT, "signature", expected, found);
                None
            }
        }
    }
}

/// Whether a log goes on under the second origin: it is the first one, or was retired for it.
fn is_succeeded_by(origin: &str, successor: &str, keys: Option<&KeyChain>) -> bool {
    let statements = keys.map(KeyChain::dangerously_unverified).into_iter().flatten();
    let last = statements.fold(origin.to_owned(), |named, statement| match &statement.change {
        Change::Retire { next, .. } if statement.origin == named => next.name().to_string(),
        _ => named,
    });
    origin == successor || last == successor
}

/// What an error says that names what was expected, too.
fn said(error: &TrustError) -> String {
    let error = error.to_string();
    let found = error.strip_prefix("expected ").and_then(|rest| rest.split_once(", found "));
    found.map_or_else(|| error.clone(), |(_, found)| found.to_owned())
}
