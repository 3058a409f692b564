//! A record of the catalog in a proof: that it is there, and that it is one that a log writes.

use super::parts::Parts;
use crate::checkpoint::checkpoint_of;
use crate::event::Anchor;
use crate::format::catalog_body::{CatalogBody, RecordedAttribution};
use crate::format::digests::SALT_LEN;
use crate::format::{FormatError, LogId};
use crate::hash::{Hash, HashAlgorithm};
use crate::merkle::{TreeHead, verify_inclusion};
use crate::proof::verify_error::VerifyProofError;
use crate::seq::Seq;
use crate::time::Timestamp;

/// A record of the catalog that was proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogRecord {
    /// Its position in the catalog.
    pub seq: Seq,
    /// When it was recorded, by the log's clock.
    pub recorded_at: Timestamp,
    /// Its leaf in the catalog's tree.
    pub leaf_hash: Hash,
    /// What it is about: a code of [`kind`](crate::proof::catalog_body::kind).
    pub kind: u8,
    envelope: Vec<u8>,
    because: Option<Vec<u8>>,
}

impl CatalogRecord {
    /// The state root after it, and what happened.
    ///
    /// # Errors
    /// None for one that was proved: it was read then.
    pub fn body(&self) -> Result<(Hash, CatalogBody<'_>), crate::format::FormatError> {
        CatalogBody::decode(self.kind, &self.envelope)
    }

    /// Who asked and why; `None` if that was withheld.
    pub fn because(&self) -> Option<RecordedAttribution<'_>> {
        self.because.as_deref().and_then(|bytes| RecordedAttribution::decode(self.kind, bytes).ok())
    }
}

/// A record of the catalog, under a head of that, is one that a log writes as far as it shows by
/// itself.
pub(super) fn verify_record(
    record: &[u8],
    hashes: &[Hash],
    head: &TreeHead,
    log_id: Option<LogId>,
) -> Result<CatalogRecord, VerifyProofError> {
    let parts = Parts::split(record).map_err(VerifyProofError::NotARecord)?;
    parts.check_log(log_id)?;
    let (algorithm, seq) = (HashAlgorithm::Sha256, parts.head.seq);
    let leaf_hash = parts.leaf(algorithm);
    verify_inclusion(algorithm, &leaf_hash, seq, head, hashes)
        .map_err(VerifyProofError::Inclusion)?;
    let because = parts.payload.map(|salted| salted.get(SALT_LEN..).unwrap_or_default());
    let record = CatalogRecord {
        seq,
        recorded_at: parts.head.recorded_at,
        leaf_hash,
        kind: parts.head.kind,
        envelope: parts.envelope.to_vec(),
        because: because.map(<[u8]>::to_vec),
    };
    if let Some(bytes) = &record.because {
        RecordedAttribution::decode(record.kind, bytes)
            .map_err(|error| VerifyProofError::NotARecord(error.to_string()))?;
    }
    record.check_alone()?;
    Ok(record)
}

impl CatalogRecord {
    /// What shows without the records before it: a log is created by its first record and by no
    /// other, what it seals is live, and what it signed is what it says it signed.
    fn check_alone(&self) -> Result<(), VerifyProofError> {
        let wrong = |error: FormatError| VerifyProofError::NotARecord(error.to_string());
        let (_, body) = self.body().map_err(wrong)?;
        body.check_alone(self.seq).map_err(wrong)?;
        match &body {
            CatalogBody::HeadSigned(signed) => checkpoint_of(signed).map(|_| ()).map_err(wrong),
            _ => Ok(()),
        }
    }

    /// The last record that an anchor covers leads to the state that the anchor names.
    pub(super) fn check_anchored(&self, anchor: &Anchor) -> Result<(), VerifyProofError> {
        let root = self.body().map(|(root, _)| root);
        let root = root.map_err(|error| VerifyProofError::NotARecord(error.to_string()))?;
        let is_last = self.seq.covering_size() == Some(anchor.catalog_size);
        if !is_last || root == anchor.state_root {
            return Ok(());
        }
        let (what, expected) = ("state root of the last record", anchor.state_root.to_string());
        Err(VerifyProofError::Other { what, expected, found: root.to_string() })
    }
}
