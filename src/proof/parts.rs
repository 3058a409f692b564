//! A record inside a proof: whole, or with its payload withheld.
//!
//! It travels in a proof's `extra` line or in a bundle, where nothing authenticates it by
//! itself: its bytes are hashed into the leaf, and the leaf is what the proof is about.
//!
//! ```text
//! "bulla-record/v1\0" ‖ form (1 byte) ‖ head (40 bytes) ‖ envelope ‖ rest
//! form 1: rest = salt (16 bytes) ‖ payload        the whole record
//! form 2: rest = C (32 bytes)                     the payload withheld
//! form 3: rest = D (32 bytes) ‖ salt ‖ payload    the whole record, stored encrypted
//! form 4: rest = C ‖ D                            the payload withheld, stored encrypted
//! ```

use crate::event::{Anchor, PayloadState, Record, RecordKind};
use crate::format::LogId;
use crate::format::body;
use crate::format::digests::{Digests, SALT_LEN};
use crate::format::record::{self, CheckedRecord, HEAD_LEN, Head};
use crate::hash::{Hash, HashAlgorithm};
use crate::proof::malformed::MalformedProof;
use crate::proof::verify_error::VerifyProofError;
use crate::seq::Seq;

const MAGIC: &[u8; 16] = b"bulla-record/v1\0";
const WHOLE: u8 = 1;
const WITHHELD: u8 = 2;
const WHOLE_ENCRYPTED: u8 = 3;
const WITHHELD_ENCRYPTED: u8 = 4;

/// How much of a record a proof shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Disclosure {
    /// Everything.
    #[default]
    Whole,
    /// Head and envelope; of the payload only its commitment. All that can be shown of a
    /// payload that was erased.
    WithholdPayload,
}

/// The bytes of a record for a proof's `extra` line. A payload that is stored encrypted is
/// withheld: [`disclose_decrypted`] shows it.
#[cfg(feature = "engine")]
pub(crate) fn disclose(record: &CheckedRecord<'_>, disclosure: Disclosure) -> Vec<u8> {
    let Digests { payload, encrypted } = record.digests();
    let payload = payload.as_bytes().as_slice();
    match (encrypted, disclosure) {
        (Some(digest), _) => bytes_of(record, WITHHELD_ENCRYPTED, &[payload, digest.as_bytes()]),
        (None, Disclosure::Whole) => bytes_of(record, WHOLE, &[record.stored_payload]),
        (None, Disclosure::WithholdPayload) => bytes_of(record, WITHHELD, &[payload]),
    }
}

/// The same, of a whole record whose payload is stored encrypted, with its salt and payload
/// as they were decrypted.
#[cfg(feature = "engine")]
pub(crate) fn disclose_decrypted(record: &CheckedRecord<'_>, salted_payload: &[u8]) -> Vec<u8> {
    match record.digests().encrypted {
        Some(digest) => {
            bytes_of(record, WHOLE_ENCRYPTED, &[digest.as_bytes().as_slice(), salted_payload])
        }
        None => disclose(record, Disclosure::Whole),
    }
}

fn bytes_of(record: &CheckedRecord<'_>, form: u8, rest: &[&[u8]]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.push(form);
    out.extend_from_slice(&record.hashed);
    out.extend_from_slice(record.envelope);
    rest.iter().for_each(|part| out.extend_from_slice(part));
    out
}

/// Whether these bytes set out to be a record.
pub(super) fn is_record(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// What stands behind the envelope: salt and payload, if they are shown, and the digests
/// that the leaf covers. The flags of the head say which forms may be.
fn split_payload(flags: u8, form: u8, rest: &[u8]) -> Result<(Option<&[u8]>, Digests), String> {
    let expected = |what: &str| Err(format!("expected {what}"));
    let digest_len = if form == WHOLE_ENCRYPTED { Hash::LEN } else { 0 };
    if rest.len().saturating_sub(digest_len) > record::MAX_PAYLOAD_LEN {
        let found = rest.len();
        return expected(&format!("salt and payload of at most 4 MiB + 16 bytes, found {found}"));
    }
    match (flags & record::ENCRYPTED != 0, form) {
        (false, WHOLE) if rest.len() >= SALT_LEN => Ok((Some(rest), Digests::of_plain(rest))),
        (false, WITHHELD) => match Hash::from_slice(rest) {
            Some(payload) => Ok((None, Digests { payload, encrypted: None })),
            None => expected("a commitment of 32 bytes"),
        },
        (true, WHOLE_ENCRYPTED) => match rest.split_first_chunk::<{ Hash::LEN }>() {
            Some((digest, salted)) if salted.len() >= SALT_LEN => {
                let encrypted = Some(Hash::from_bytes(*digest));
                let payload = record::payload_commitment(salted);
                Ok((Some(salted), Digests { payload, encrypted }))
            }
            _ => expected("a digest of 32 bytes, salt and payload"),
        },
        (true, WITHHELD_ENCRYPTED) => match rest.split_first_chunk::<{ Hash::LEN }>() {
            Some((payload, digest)) if digest.len() == Hash::LEN => {
                let payload = Hash::from_bytes(*payload);
                Ok((None, Digests { payload, encrypted: Hash::from_slice(digest) }))
            }
            _ => expected("a commitment and a digest of 32 bytes each"),
        },
        (false, WHOLE) => expected("more bytes"),
        (encrypted, other) => {
            let forms = if encrypted { "3 or 4, as its payload is encrypted" } else { "1 or 2" };
            Err(format!("expected form {forms}, found {other}"))
        }
    }
}

/// Why a proof does not prove its record.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyRecordError {
    /// The proof carries no record: only its position is shown.
    #[error("expected a record in the proof, found none")]
    NoRecord,
    /// What it carries is not a record.
    #[error("the record in the proof: {0}")]
    NotARecord(String),
    /// What it carries besides is not as it must be.
    #[error("what the proof carries: {0}")]
    Extra(#[source] MalformedProof),
    /// The record is of another position than the proof.
    #[error("expected the record at {expected}, found the one of {found}")]
    OtherPosition {
        /// The position in the proof.
        expected: u64,
        /// The position in the record.
        found: u64,
    },
    /// The proof itself does not hold.
    #[error(transparent)]
    Proof(VerifyProofError),
}

/// The parts of a record's bytes, **not checked**.
pub(super) struct Parts<'a> {
    hashed: [u8; HEAD_LEN],
    pub(super) head: Head,
    pub(super) log_id: LogId,
    pub(super) envelope: &'a [u8],
    /// Salt and payload, if they are shown.
    pub(super) payload: Option<&'a [u8]>,
    digests: Digests,
}

impl<'a> Parts<'a> {
    pub(super) fn split(bytes: &'a [u8]) -> Result<Self, String> {
        let refuse = str::to_owned;
        let short = || refuse("expected more bytes");
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| refuse("expected bulla-record/v1"))?;
        let (form, rest) = rest.split_first().ok_or_else(short)?;
        let (hashed, rest) = rest.split_first_chunk::<HEAD_LEN>().ok_or_else(short)?;
        let (head, log_id) = Head::decode(hashed).map_err(|error| refuse(&error.to_string()))?;
        let envelope_len = usize::from(head.envelope_len);
        let (envelope, rest) = rest.split_at_checked(envelope_len).ok_or_else(short)?;
        let (payload, digests) = split_payload(head.flags, *form, rest)?;
        Ok(Parts { hashed: *hashed, head, log_id, envelope, payload, digests })
    }

    pub(super) fn leaf(&self, algorithm: HashAlgorithm) -> Hash {
        record::leaf(algorithm, &self.hashed, self.envelope, &self.digests)
    }

    pub(super) fn disclosure(&self) -> Disclosure {
        match self.payload {
            Some(_) => Disclosure::Whole,
            None => Disclosure::WithholdPayload,
        }
    }

    /// The record must name the position that it was proved at.
    pub(super) fn check_position(&self, expected: Seq) -> Result<(), VerifyRecordError> {
        let (expected, found) = (expected.get(), self.head.seq.get());
        match expected == found {
            true => Ok(()),
            false => Err(VerifyRecordError::OtherPosition { expected, found }),
        }
    }

    /// All records of one proof are of one log.
    pub(super) fn check_log(&self, expected: Option<LogId>) -> Result<(), VerifyProofError> {
        match expected {
            Some(expected) if expected != self.log_id => Err(VerifyProofError::Other {
                what: "log id",
                expected: expected.to_string(),
                found: self.log_id.to_string(),
            }),
            _ => Ok(()),
        }
    }

    pub(super) fn decode(&self, leaf: Hash) -> Result<Record, String> {
        let refuse = |error: body::BodyError| error.to_string();
        let (seq, recorded_at) = (self.head.seq, self.head.recorded_at);
        match RecordKind::from_code(self.head.kind) {
            Some(RecordKind::Event) => {
                let schema = self.head.schema;
                let envelope =
                    body::decode_envelope_strict(schema, self.envelope).map_err(refuse)?;
                let payload = match self.payload {
                    Some(salted) => {
                        let payload = salted.get(SALT_LEN..).unwrap_or_default();
                        Some(body::decode_payload_strict(schema, payload).map_err(refuse)?)
                    }
                    None => None,
                };
                let state = match (&payload, self.digests.encrypted) {
                    (Some(_), None) => PayloadState::Plain,
                    (Some(_), Some(_)) => PayloadState::Decrypted,
                    (None, _) => PayloadState::Withheld,
                };
                let event = body::to_event(&envelope, payload.as_ref());
                Ok(Record::of_event(seq, recorded_at, leaf, event).with_payload(state))
            }
            Some(RecordKind::Anchor) => {
                Ok(Record::of_anchor(seq, recorded_at, leaf, self.anchor()?))
            }
            None => Err(format!("a record of kind {}", self.head.kind)),
        }
    }

    /// What the record says as an anchor, which has no payload.
    pub(super) fn anchor(&self) -> Result<Anchor, String> {
        if let Some(len) = self.payload.map(<[u8]>::len).filter(|len| *len > SALT_LEN) {
            let found = len - SALT_LEN;
            return Err(format!("the payload of the anchor: expected none, found {found} bytes"));
        }
        body::decode_anchor_strict(self.envelope).map_err(|error| error.to_string())
    }
}
