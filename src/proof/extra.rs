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
//! tag 4   : not used; early versions showed the head of a BLAKE3 log in its catalog there
//! tag 5   : a statement about the catalog (see `super::catalog`)
//! hashes  = number (1 byte) ‖ 32 bytes each
//! ```
//!
//! Nothing of it is authenticated until it is checked. Other tools ignore it.

use std::borrow::Cow;

use super::catalog::{CatalogStatement, VerifiedStatement};
use super::consistency::check_extends;
use super::fields::{Fields, put_bytes, put_hashes};
use super::parts;
use crate::checkpoint::{UnverifiedCheckpoint, VerifiedCheckpoint};
use crate::format::LogId;
use crate::hash::Hash;
use crate::keys::KeyChain;
use crate::proof::malformed::MalformedProof;
use crate::proof::verify_error::VerifyProofError;
use crate::seq::Seq;
use crate::trust::Trust;

const MAGIC: &[u8; 15] = b"bulla-extra/v1\0";
/// The longest key chain that a proof carries, in bytes: 4 MiB.
pub const CARRIED_KEY_CHAIN_LEN_MAX: usize = 4 << 20;

mod tag {
    pub(super) const RECORD: u8 = 1;
    pub(super) const KEY_CHAIN: u8 = 2;
    pub(super) const APPENDED_AFTER: u8 = 3;
    /// Of early versions. A new section never gets this number.
    pub(super) const HEAD_IN_CATALOG: u8 = 4;
    pub(super) const STATEMENT: u8 = 5;
}

/// What a proof carries: **nothing of it is checked**.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extra {
    /// The record, in the form that proofs disclose.
    pub record: Option<Vec<u8>>,
    /// The text of a key chain, at most [`CARRIED_KEY_CHAIN_LEN_MAX`] bytes.
    pub key_chain: Option<Vec<u8>>,
    /// An earlier checkpoint, which does not cover the record.
    pub appended_after: Option<AppendedAfter>,
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
            if !parts::is_record(bytes) {
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
            tag::RECORD if parts::is_record(bytes) => self.record = Some(bytes.to_vec()),
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
            tag::HEAD_IN_CATALOG => {
                let expected = "a section of kind 1, 2, 3 or 5";
                let found = "kind 4, the head of a BLAKE3 log in its catalog, which proofs no \
                             longer carry; prove it again with this version";
                return Err(MalformedProof::bytes("extra", expected, found));
            }
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
        Ok(VerifiedExtra { appended_after, statement })
    }
}

/// What else a proof was found to show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct VerifiedExtra {
    pub(super) appended_after: Option<VerifiedCheckpoint>,
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
