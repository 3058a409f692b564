//! What a proof carries besides position and path: its `extra` line.
//!
//! A record alone stands there as it is ([`super::disclose`]). With anything more it is a
//! container of sections, each at most once, in the order of their tags:
//!
//! ```text
//! extra   = "bulla-extra/v1" ‖ 00 ‖ section…
//! section = tag (1 byte) ‖ length (4 bytes) ‖ bytes
//! tag 1   : the record
//! tag 2   : a key chain, as text
//! tag 3   : an earlier checkpoint of the log that does not cover the record
//!           = hashes up to the proof's checkpoint ‖ the checkpoint, to the end
//! tag 4   : the head in the catalog = catalog record (form 2) behind its length ‖ hashes
//!           in the catalog's tree ‖ a checkpoint of the catalog, to the end
//! tag 5   : a statement about the catalog (see `super::catalog`)
//! hashes  = number (1 byte) ‖ 32 bytes each
//! ```
//!
//! Nothing of it is authenticated until it is checked. Other tools ignore it.

use std::borrow::Cow;

use super::MalformedProof;
use super::catalog::{CatalogStatement, VerifiedStatement};
use super::catalog_record::{CatalogRecord, verify_record};
use super::consistency::check_extends;
use super::disclosed;
use super::fields::{Fields, put_bytes, put_hashes};
use super::inclusion::VerifyProofError;
use crate::checkpoint::{UnverifiedCheckpoint, VerifiedCheckpoint};
use crate::format::LogId;
use crate::format::catalog_body::CatalogBody;
use crate::hash::{Hash, HashAlgorithm};
use crate::keys::KeyChain;
use crate::seq::{Seq, TreeSize};
use crate::time::Timestamp;
use crate::trust::Trust;

const MAGIC: &[u8; 15] = b"bulla-extra/v1\0";
/// The longest key chain that a proof carries, in bytes: 4 MiB.
pub const CARRIED_KEY_CHAIN_LEN_MAX: usize = 4 << 20;
/// What the origin of a log's catalog has behind the origin of the log.
pub const CATALOG_ORIGIN_SUFFIX: &str = "/catalog";

mod tag {
    pub(super) const RECORD: u8 = 1;
    pub(super) const KEY_CHAIN: u8 = 2;
    pub(super) const APPENDED_AFTER: u8 = 3;
    pub(super) const VIA_CATALOG: u8 = 4;
    pub(super) const STATEMENT: u8 = 5;
}

/// What a proof carries: **nothing of it is checked**.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extra {
    /// The record, as [`super::disclose`] writes it.
    pub record: Option<Vec<u8>>,
    /// The text of a key chain, at most [`CARRIED_KEY_CHAIN_LEN_MAX`] bytes.
    pub key_chain: Option<Vec<u8>>,
    /// An earlier checkpoint, which does not cover the record.
    pub appended_after: Option<AppendedAfter>,
    /// The checkpoint's head as the catalog has it.
    pub via_catalog: Option<ViaCatalog>,
    /// What the catalog says, or has in force, under the proof's checkpoint.
    pub statement: Option<CatalogStatement>,
}

impl Extra {
    /// Only a record.
    pub fn of_record(record: Vec<u8>) -> Self {
        Extra { record: Some(record), ..Extra::default() }
    }

    /// The bytes of the `extra` line; none if there is nothing to carry.
    pub fn to_bytes(&self) -> Vec<u8> {
        let sections = [
            (tag::RECORD, self.record.clone()),
            (tag::KEY_CHAIN, self.key_chain.clone()),
            (tag::APPENDED_AFTER, self.appended_after.as_ref().map(AppendedAfter::to_bytes)),
            (tag::VIA_CATALOG, self.via_catalog.as_ref().map(ViaCatalog::to_bytes)),
            (tag::STATEMENT, self.statement.as_ref().map(CatalogStatement::to_bytes)),
        ];
        let mut out = MAGIC.to_vec();
        for (tag, bytes) in sections.iter().filter_map(|(tag, bytes)| Some((tag, bytes.as_ref()?)))
        {
            out.push(*tag);
            put_bytes(&mut out, bytes);
        }
        match &self.record {
            Some(record) if *self == Extra::of_record(record.clone()) => record.clone(),
            _ if out.len() == MAGIC.len() => Vec::new(),
            _ => out,
        }
    }

    /// Reads them, strictly: what is read is written again byte for byte.
    ///
    /// # Errors
    /// Says what is not as it must be; a section of an unknown kind is refused as newer.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedProof> {
        let Some(sections) = bytes.strip_prefix(MAGIC) else {
            if !disclosed::is_record(bytes) {
                let expected = "bulla-record/v1 or bulla-extra/v1";
                return Err(MalformedProof::bytes("extra", expected, "something else"));
            }
            return Ok(Extra::of_record(bytes.to_vec()));
        };
        let (mut extra, mut fields) = (Extra::default(), Fields::of("extra", sections));
        let mut before = 0;
        while !fields.is_empty() {
            let (tag, bytes) = (fields.u8()?, fields.bytes()?);
            if tag <= before {
                let expected = format!("a section of a kind above {before}");
                return Err(MalformedProof::bytes("extra", expected, tag));
            }
            before = tag;
            extra.take(tag, bytes)?;
        }
        if before <= tag::RECORD {
            let expected = "a section other than a record";
            return Err(MalformedProof::bytes("extra", expected, "none"));
        }
        Ok(extra)
    }

    fn take(&mut self, tag: u8, bytes: &[u8]) -> Result<(), MalformedProof> {
        match tag {
            tag::RECORD if disclosed::is_record(bytes) => self.record = Some(bytes.to_vec()),
            tag::RECORD => {
                return Err(MalformedProof::bytes("extra", "bulla-record/v1", "something else"));
            }
            tag::KEY_CHAIN if bytes.len() <= CARRIED_KEY_CHAIN_LEN_MAX => {
                self.key_chain = Some(bytes.to_vec());
            }
            tag::KEY_CHAIN => {
                let (what, max) = ("a key chain", CARRIED_KEY_CHAIN_LEN_MAX);
                return Err(MalformedProof::TooLong { what, max, found: bytes.len() });
            }
            tag::APPENDED_AFTER => self.appended_after = Some(AppendedAfter::parse(bytes)?),
            tag::VIA_CATALOG => self.via_catalog = Some(ViaCatalog::parse(bytes)?),
            tag::STATEMENT => self.statement = Some(CatalogStatement::parse(bytes)?),
            tag => return Err(MalformedProof::Newer { tag }),
        }
        Ok(())
    }

    /// What a verifier trusts who learns the key chain, if there is one.
    pub(super) fn extend<'t>(&self, trust: &'t Trust) -> Result<Cow<'t, Trust>, VerifyProofError> {
        let Some(bytes) = &self.key_chain else { return Ok(Cow::Borrowed(trust)) };
        let refused = |error| VerifyProofError::KeyChain(Box::new(error));
        let chain = KeyChain::parse(bytes).map_err(refused)?;
        if chain.is_empty() {
            let (expected, found) = ("a statement or more".to_owned(), "none".to_owned());
            return Err(VerifyProofError::Other { what: "key chain", expected, found });
        }
        trust.clone().with_key_chain(&chain).map(Cow::Owned).map_err(refused)
    }

    /// Checks the proof's checkpoint. Witnesses know no BLAKE3 heads: such a one needs their
    /// cosignatures under the catalog's checkpoint, if the proof carries that, in place of
    /// its own.
    pub(super) fn verify_checkpoint(
        &self,
        checkpoint: &UnverifiedCheckpoint,
        trust: &Trust,
    ) -> Result<VerifiedCheckpoint, VerifyProofError> {
        if self.via_catalog.is_some() {
            let verified = trust.verify_without_quorum(checkpoint);
            let verified = verified.map_err(VerifyProofError::Checkpoint)?;
            if verified.algorithm() == HashAlgorithm::Blake3 {
                return Ok(verified);
            }
        }
        trust.verify(checkpoint).map_err(VerifyProofError::Checkpoint)
    }

    /// Checks everything but record and key chain against the proof's checkpoint, for
    /// records from `first` on.
    pub(super) fn check(
        &self,
        checkpoint: &VerifiedCheckpoint,
        first: Option<Seq>,
        log_id: Option<LogId>,
        trust: &Trust,
    ) -> Result<VerifiedExtra, VerifyProofError> {
        let place = |section| move |error| VerifyProofError::In { section, error: Box::new(error) };
        let appended_after =
            self.appended_after.as_ref().map(|s| s.verify(checkpoint, first, trust));
        let appended_after = appended_after.transpose().map_err(place("the earlier checkpoint"))?;
        let (algorithm, head) = (checkpoint.algorithm(), checkpoint.head());
        let statement = self.statement.as_ref().map(|statement| {
            statement.claim.check_stands_alone()?;
            statement.check(algorithm, &head, log_id)
        });
        let statement = statement.transpose().map_err(place("the statement about the catalog"))?;
        // Without records the statement alone says which log it is.
        let log_id = log_id.or_else(|| statement.as_ref().map(VerifiedStatement::log_id));
        let via_catalog = self.via_catalog.as_ref().map(|s| s.verify(checkpoint, log_id, trust));
        let via_catalog = via_catalog.transpose().map_err(place("the head in the catalog"))?;
        Ok(VerifiedExtra { appended_after, via_catalog, statement })
    }
}

/// What else a proof was found to show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct VerifiedExtra {
    pub(super) appended_after: Option<VerifiedCheckpoint>,
    pub(super) via_catalog: Option<VerifiedViaCatalog>,
    pub(super) statement: Option<VerifiedStatement>,
}

/// An earlier checkpoint that does not cover the record, and the hashes from it to the
/// proof's checkpoint: the record was appended after it was signed. **Not checked.**
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppendedAfter {
    /// The earlier checkpoint.
    pub checkpoint: UnverifiedCheckpoint,
    /// At most 65 hashes (RFC 6962 §2.1.2).
    pub hashes: Vec<Hash>,
}

impl AppendedAfter {
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_hashes(&mut out, &self.hashes);
        out.extend_from_slice(self.checkpoint.to_text().as_bytes());
        out
    }

    fn parse(bytes: &[u8]) -> Result<Self, MalformedProof> {
        let mut fields = Fields::of("the earlier checkpoint", bytes);
        let hashes = fields.hashes()?;
        Ok(AppendedAfter { hashes, checkpoint: fields.checkpoint()? })
    }

    fn verify(
        &self,
        later: &VerifiedCheckpoint,
        first: Option<Seq>,
        trust: &Trust,
    ) -> Result<VerifiedCheckpoint, VerifyProofError> {
        // Whoever vouches for the later head vouches for all that it extends.
        let earlier = trust.verify_without_quorum(&self.checkpoint);
        let earlier = earlier.map_err(VerifyProofError::Checkpoint)?;
        check_extends(&earlier, later, &self.hashes, trust)?;
        let size = earlier.head().size;
        match first.filter(|first| size.covers(*first)) {
            Some(seq) => Err(VerifyProofError::Covered { seq, size }),
            None => Ok(earlier),
        }
    }
}

/// The proof's head as the catalog recorded it when it was signed, up to a checkpoint of the
/// catalog: its tree is SHA-256 also where the log's is not, so any witness can vouch for
/// it. **Not checked.**
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViaCatalog {
    /// The catalog record, as [`super::disclose`] writes it.
    pub record: Vec<u8>,
    /// From the record up to the catalog's root, at most 64.
    pub hashes: Vec<Hash>,
    /// A checkpoint of the catalog; its origin is the log's, with `/catalog` behind it.
    pub checkpoint: UnverifiedCheckpoint,
}

impl ViaCatalog {
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_bytes(&mut out, &self.record);
        put_hashes(&mut out, &self.hashes);
        out.extend_from_slice(self.checkpoint.to_text().as_bytes());
        out
    }

    fn parse(bytes: &[u8]) -> Result<Self, MalformedProof> {
        let mut fields = Fields::of("the head in the catalog", bytes);
        let (record, hashes) = (fields.bytes()?.to_vec(), fields.hashes()?);
        Ok(ViaCatalog { record, hashes, checkpoint: fields.checkpoint()? })
    }

    fn verify(
        &self,
        main: &VerifiedCheckpoint,
        log_id: Option<LogId>,
        trust: &Trust,
    ) -> Result<VerifiedViaCatalog, VerifyProofError> {
        if main.algorithm() != HashAlgorithm::Blake3 {
            let expected = "BLAKE3, as witnesses read any other head itself".to_owned();
            let found = main.algorithm().to_string();
            return Err(VerifyProofError::Other {
                what: "hash of the log's tree",
                expected,
                found,
            });
        }
        let checkpoint = trust.verify(&self.checkpoint).map_err(VerifyProofError::Checkpoint)?;
        let expected = format!("{}{CATALOG_ORIGIN_SUFFIX}", main.origin());
        if checkpoint.origin() != expected {
            let found = checkpoint.origin().to_owned();
            return Err(VerifyProofError::Origin { expected, found });
        }
        let (expected, found) = (HashAlgorithm::Sha256, checkpoint.algorithm());
        if expected != found {
            return Err(VerifyProofError::Algorithm { expected, found });
        }
        let record = verify_record(&self.record, &self.hashes, &checkpoint.head(), log_id)?;
        check_head_signed(&record, main)?;
        let CatalogRecord { seq, recorded_at, .. } = record;
        Ok(VerifiedViaCatalog { seq, recorded_at, checkpoint })
    }
}

/// The catalog record must be that of the main head, with the note of that.
fn check_head_signed(
    record: &CatalogRecord,
    main: &VerifiedCheckpoint,
) -> Result<(), VerifyProofError> {
    let said =
        |size: TreeSize, root: Hash, origin: &str| format!("size {size}, root {root}, of {origin}");
    let expected = said(main.head().size, main.head().root, main.origin());
    let found = match record.body() {
        Ok((_, CatalogBody::HeadSigned(signed))) => {
            // The record was checked: its note is a checkpoint.
            let note = UnverifiedCheckpoint::parse(signed.note.as_bytes());
            let note = note.map_err(|error| VerifyProofError::NotARecord(error.to_string()))?;
            let (size, root) = (TreeSize::new(signed.size), Hash::from_bytes(signed.root));
            said(size, root, note.dangerously_unverified().origin())
        }
        Ok(_) => format!("a record of kind {}", record.kind),
        Err(error) => return Err(VerifyProofError::NotARecord(error.to_string())),
    };
    if expected == found {
        return Ok(());
    }
    Err(VerifyProofError::Other { what: "signed head", expected, found })
}

/// The proof's head stands in the catalog under a signed checkpoint of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedViaCatalog {
    seq: Seq,
    recorded_at: Timestamp,
    checkpoint: VerifiedCheckpoint,
}

impl VerifiedViaCatalog {
    /// Position of the record in the catalog.
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// When it was recorded there, by the log's clock.
    pub fn recorded_at(&self) -> Timestamp {
        self.recorded_at
    }

    /// The catalog's checkpoint that covers it, and who signed that.
    pub fn checkpoint(&self) -> &VerifiedCheckpoint {
        &self.checkpoint
    }
}
