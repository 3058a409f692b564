//! A record inside a proof: whole, or with its payload withheld.
//!
//! It travels in the proof's `extra` line, which nothing authenticates by itself: its
//! bytes are hashed into the leaf, and the leaf is what the proof is about.
//!
//! ```text
//! "bulla-record/v1\0" ‖ form (1 byte) ‖ head (40 bytes) ‖ envelope ‖ rest
//! form 1: rest = salt (16 bytes) ‖ payload        the whole record
//! form 2: rest = C (32 bytes)                     the payload withheld
//! ```

use std::fmt;

use super::{TlogProof, VerifiedInclusion, VerifyProofError};
use crate::event::{Record, RecordKind};
use crate::format::LogId;
use crate::format::body;
use crate::format::record::{self, CheckedRecord, HEAD_LEN, Head, SALT_LEN};
use crate::hash::{Hash, HashAlgorithm};
use crate::trust::Trust;

const MAGIC: &[u8; 16] = b"bulla-record/v1\0";
const WHOLE: u8 = 1;
const WITHHELD: u8 = 2;

/// How much of a record a proof shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Disclosure {
    /// Everything.
    #[default]
    Whole,
    /// Head and envelope; of the payload only its commitment.
    WithholdPayload,
}

/// The bytes of a record for a proof's `extra` line.
pub fn disclose(record: &CheckedRecord<'_>, disclosure: Disclosure) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    let commitment = record::payload_commitment(record.salted_payload);
    let (form, rest) = match disclosure {
        Disclosure::Whole => (WHOLE, record.salted_payload),
        Disclosure::WithholdPayload => (WITHHELD, commitment.as_bytes().as_slice()),
    };
    out.push(form);
    out.extend_from_slice(&record.hashed);
    out.extend_from_slice(record.envelope);
    out.extend_from_slice(rest);
    out
}

/// A record that was proved to be in a log.
#[derive(Clone, Debug)]
pub struct VerifiedRecord {
    record: Record,
    log_id: LogId,
    disclosure: Disclosure,
    inclusion: VerifiedInclusion,
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
}

/// Why a proof does not prove its record.
#[derive(Clone, Debug)]
pub enum VerifyRecordError {
    /// The proof carries no record: only its position is shown.
    NoRecord,
    /// What it carries is not a record.
    NotARecord(String),
    /// The record is of another position than the proof.
    OtherPosition {
        /// The position in the proof.
        expected: u64,
        /// The position in the record.
        found: u64,
    },
    /// The proof itself does not hold.
    Proof(VerifyProofError),
}

impl fmt::Display for VerifyRecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            VerifyRecordError::NoRecord => write!(f, "expected a record in the proof, found none"),
            VerifyRecordError::NotARecord(why) => write!(f, "the record in the proof: {why}"),
            VerifyRecordError::OtherPosition { expected, found } => {
                write!(f, "expected the record at {expected}, found the one of {found}")
            }
            VerifyRecordError::Proof(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for VerifyRecordError {}

impl TlogProof {
    /// Checks the record that the proof carries: its bytes lead to the leaf, the leaf to
    /// the root, and the root is signed by the log. Needs nothing but the keys.
    ///
    /// # Errors
    /// Says what does not hold.
    pub fn verify_record(&self, trust: &Trust) -> Result<VerifiedRecord, VerifyRecordError> {
        let extra = self.extra.as_deref().ok_or(VerifyRecordError::NoRecord)?;
        let parts = Parts::split(extra)?;
        let expected = self.inclusion.seq.get();
        let found = parts.head.seq.get();
        if found != expected {
            return Err(VerifyRecordError::OtherPosition { expected, found });
        }
        let leaf = parts.leaf(self.algorithm);
        let inclusion = self.verify(leaf, trust).map_err(VerifyRecordError::Proof)?;
        // Decoded last: only what the log committed to is worth a look.
        let record = parts.decode(leaf)?;
        let disclosure = match parts.payload {
            Ok(_) => Disclosure::Whole,
            Err(_) => Disclosure::WithholdPayload,
        };
        Ok(VerifiedRecord { record, log_id: parts.log_id, disclosure, inclusion })
    }
}

struct Parts<'a> {
    hashed: [u8; HEAD_LEN],
    head: Head,
    log_id: LogId,
    envelope: &'a [u8],
    /// Salt and payload, or the commitment to them.
    payload: Result<&'a [u8], Hash>,
}

impl<'a> Parts<'a> {
    fn split(extra: &'a [u8]) -> Result<Self, VerifyRecordError> {
        let refuse = |why: &str| VerifyRecordError::NotARecord(why.to_owned());
        let short = || refuse("expected more bytes");
        let rest = extra.strip_prefix(MAGIC).ok_or_else(|| refuse("expected bulla-record/v1"))?;
        let (form, rest) = rest.split_first().ok_or_else(short)?;
        let (hashed, rest) = rest.split_first_chunk::<HEAD_LEN>().ok_or_else(short)?;
        let (head, log_id) = Head::decode(hashed).map_err(|error| refuse(&error.to_string()))?;
        let envelope_len = usize::from(head.envelope_len);
        let (envelope, rest) = rest.split_at_checked(envelope_len).ok_or_else(short)?;
        let payload = match *form {
            WHOLE if rest.len() >= SALT_LEN => Ok(rest),
            WHOLE => return Err(short()),
            WITHHELD => {
                let commitment = Hash::from_slice(rest);
                Err(commitment.ok_or_else(|| refuse("expected a commitment of 32 bytes"))?)
            }
            other => return Err(refuse(&format!("expected form 1 or 2, found {other}"))),
        };
        Ok(Parts { hashed: *hashed, head, log_id, envelope, payload })
    }

    fn leaf(&self, algorithm: HashAlgorithm) -> Hash {
        let commitment = match self.payload {
            Ok(salted) => record::payload_commitment(salted),
            Err(commitment) => commitment,
        };
        record::leaf(algorithm, &self.hashed, self.envelope, &commitment)
    }

    fn decode(&self, leaf: Hash) -> Result<Record, VerifyRecordError> {
        let refuse = |error: body::BodyError| VerifyRecordError::NotARecord(error.to_string());
        let (seq, recorded_at) = (self.head.seq, self.head.recorded_at);
        match RecordKind::from_code(self.head.kind) {
            Some(RecordKind::Event) => {
                let envelope = body::decode_envelope_strict(self.envelope).map_err(refuse)?;
                let payload = match self.payload {
                    Ok(salted) => {
                        let payload = salted.get(SALT_LEN..).unwrap_or_default();
                        Some(body::decode_payload_strict(payload).map_err(refuse)?)
                    }
                    Err(_) => None,
                };
                let event = body::to_event(&envelope, payload.as_ref());
                Ok(Record::of_event(seq, recorded_at, leaf, event))
            }
            Some(RecordKind::Anchor) => {
                let anchor = body::decode_anchor_strict(self.envelope).map_err(refuse)?;
                Ok(Record::of_anchor(seq, recorded_at, leaf, anchor))
            }
            None => {
                let why = format!("a record of kind {}", self.head.kind);
                Err(VerifyRecordError::NotARecord(why))
            }
        }
    }
}
