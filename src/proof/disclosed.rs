//! Records that were proved to be in a log, from what a proof discloses of them.

use super::catalog::VerifiedStatement;
use super::extra::VerifiedExtra;
use super::parts::{Disclosure, Parts, VerifyRecordError};
use crate::checkpoint::VerifiedCheckpoint;
use crate::event::Record;
use crate::format::LogId;
use crate::proof::extra::Extra;
use crate::proof::inclusion::{TlogProof, VerifiedInclusion};
use crate::proof::malformed::MalformedProof;
use crate::proof::verify_error::VerifyProofError;
use crate::trust::Trust;

/// A record that was proved to be in a log.
#[derive(Clone, Debug)]
pub struct VerifiedRecord {
    record: Record,
    log_id: LogId,
    disclosure: Disclosure,
    inclusion: VerifiedInclusion,
    extra: VerifiedExtra,
}

impl VerifiedRecord {
    /// The record. If the payload was withheld, its event has only the envelope's fields.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The log's identity.
    pub fn log_id(&self) -> LogId {
        self.log_id
    }

    /// How much was shown.
    pub fn disclosure(&self) -> Disclosure {
        self.disclosure
    }

    /// The checkpoint and position under which it was proved.
    pub fn inclusion(&self) -> &VerifiedInclusion {
        &self.inclusion
    }

    /// An earlier checkpoint that the proof's extends and that does not cover the record:
    /// the record was appended after it was signed.
    pub fn appended_after(&self) -> Option<&VerifiedCheckpoint> {
        self.extra.appended_after.as_ref()
    }

    /// What was shown of the catalog under the proof's checkpoint.
    pub fn statement(&self) -> Option<&VerifiedStatement> {
        self.extra.statement.as_ref()
    }
}

impl TlogProof {
    /// What the proof carries: **nothing of it is checked**.
    ///
    /// # Errors
    /// It is not something that bulla wrote.
    pub fn read_extra(&self) -> Result<Extra, MalformedProof> {
        self.extra.as_deref().map_or(Ok(Extra::default()), Extra::parse)
    }

    /// Checks the record that the proof carries: its bytes lead to the leaf, the leaf to
    /// the root, and the root is signed by the log. Needs nothing but the keys. What else
    /// the proof carries must hold as well.
    ///
    /// # Errors
    /// Says what does not hold.
    pub fn verify_record(&self, trust: &Trust) -> Result<VerifiedRecord, VerifyRecordError> {
        let extra = self.read_extra().map_err(VerifyRecordError::Extra)?;
        let bytes = extra.record.as_deref().ok_or(VerifyRecordError::NoRecord)?;
        let parts = Parts::split(bytes).map_err(VerifyRecordError::NotARecord)?;
        parts.check_position(self.inclusion.seq)?;
        let leaf = parts.leaf(self.algorithm);
        let trust = &*extra.extend(trust).map_err(VerifyRecordError::Proof)?;
        let checkpoint = trust.verify(&self.checkpoint).map_err(VerifyProofError::Checkpoint);
        let inclusion = checkpoint.and_then(|checkpoint| self.verify_under(leaf, checkpoint));
        let inclusion = inclusion.map_err(VerifyRecordError::Proof)?;
        // Decoded last: only what the log committed to is worth a look.
        let record = parts.decode(leaf).map_err(VerifyRecordError::NotARecord)?;
        let (seq, log_id) = (Some(inclusion.seq()), Some(parts.log_id));
        let extra = extra
            .check(inclusion.checkpoint(), seq, log_id, trust)
            .map_err(VerifyRecordError::Proof)?;
        let (log_id, disclosure) = (parts.log_id, parts.disclosure());
        Ok(VerifiedRecord { record, log_id, disclosure, inclusion, extra })
    }
}
