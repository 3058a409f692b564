//! Encoding in the calling thread, outside any lock: bodies, commitments, CRCs.

use std::cell::RefCell;

use crate::cipher;
use crate::error::{Error, Result};
use crate::event::{Anchor, Event, RecordKind};
use crate::format::LogId;
use crate::format::body;
use crate::format::encrypted::NONCE_LEN;
use crate::format::frame;
use crate::format::record::{self, Digests, PREFIX_LEN, SALT_LEN};
use crate::hash::Hash;
use crate::random;
use crate::time::Timestamp;
use crate::write::protect::Protection;

/// Records on their way into a frame: room for the frame header, then for each record
/// room for its prefix, and its bodies.
#[derive(Debug, Default)]
pub(crate) struct Encoded {
    pub(crate) bytes: Vec<u8>,
    pub(crate) records: Vec<EncodedRecord>,
    /// Filled by the commit: the leaf of each record.
    pub(crate) leaves: Vec<Hash>,
}

/// One record of [`Encoded`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct EncodedRecord {
    /// Where its prefix goes.
    pub(crate) at: usize,
    pub(crate) kind: RecordKind,
    pub(crate) schema: u8,
    pub(crate) envelope_len: u16,
    pub(crate) payload_len: u32,
    pub(crate) body_crc: u32,
    pub(crate) digests: Digests,
    pub(crate) occurred_at: Timestamp,
}

/// Buffers larger than this are not kept for the next use.
const KEEP_BYTES: usize = 4 << 20;

impl Encoded {
    /// Empty, with room for the frame header.
    pub(crate) fn clear(&mut self) {
        if self.bytes.capacity() > KEEP_BYTES {
            self.bytes = Vec::new();
        }
        self.bytes.clear();
        self.bytes.resize(frame::LEN, 0);
        self.records.clear();
        self.leaves.clear();
    }

    /// Bytes of records, without the room for the frame header.
    pub(crate) fn body_len(&self) -> usize {
        self.bytes.len().saturating_sub(frame::LEN)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Appends the records of another one behind its own.
    pub(crate) fn append(&mut self, other: &Encoded) {
        let shift = self.bytes.len() - frame::LEN;
        self.bytes.extend_from_slice(&other.bytes[frame::LEN..]);
        let moved =
            other.records.iter().map(|record| EncodedRecord { at: record.at + shift, ..*record });
        self.records.extend(moved);
    }

    /// Encodes an event.
    pub(crate) fn push(
        &mut self,
        event: &Event,
        now: Timestamp,
        log_id: LogId,
        protection: &Protection,
    ) -> Result<()> {
        let at = self.bytes.len();
        self.bytes.resize(at + PREFIX_LEN, 0);
        let encoded = encode_event(event, now, protection, &mut self.bytes).and_then(|lengths| {
            let digests = self.encrypt(at, lengths.envelope, log_id, protection)?;
            Ok((lengths, digests))
        });
        let (lengths, digests) = match encoded {
            Ok(encoded) => encoded,
            Err(error) => {
                self.bytes.truncate(at);
                return Err(error);
            }
        };
        let occurred_at = event.occurred_at.unwrap_or(now);
        let kind = (RecordKind::Event, body::schema_of(event));
        self.finish(at, kind, (lengths.envelope, occurred_at), digests);
        Ok(())
    }

    /// Encrypts the payload of the record at `at`, if it has a subject.
    fn encrypt(
        &mut self,
        at: usize,
        envelope_len: usize,
        log_id: LogId,
        protection: &Protection,
    ) -> Result<Option<Digests>> {
        let Some(keys) = &protection.keys else { return Ok(None) };
        let mut nonce = [0; NONCE_LEN];
        let (one, two) = (random::random_16(), random::random_16());
        nonce[..16].copy_from_slice(&one?);
        nonce[16..].copy_from_slice(&two?[..NONCE_LEN - 16]);
        let place = (at + PREFIX_LEN, envelope_len);
        let digests = cipher::encrypt_payload(keys, log_id, &nonce, &mut self.bytes, place);
        let refused = || Error::InvalidBatch { reason: "the payload was not encrypted".to_owned() };
        digests.map(Some).ok_or_else(refused)
    }

    /// Encodes an anchor.
    pub(crate) fn push_anchor(&mut self, anchor: &Anchor, now: Timestamp) -> Result<()> {
        let at = self.bytes.len();
        self.bytes.resize(at + PREFIX_LEN, 0);
        let len = body::encode_anchor(anchor, &mut self.bytes)
            .map_err(|error| Error::InvalidBatch { reason: error.to_string() })?;
        let salt = random::random_16()?;
        self.bytes.extend_from_slice(&salt);
        self.finish(at, (RecordKind::Anchor, body::SCHEMA), (len, now), None);
        Ok(())
    }

    /// `digests` are those of a payload that was encrypted.
    fn finish(
        &mut self,
        at: usize,
        (kind, schema): (RecordKind, u8),
        (envelope, occurred_at): (usize, Timestamp),
        digests: Option<Digests>,
    ) {
        let bodies = &self.bytes[at + PREFIX_LEN..];
        let stored = &bodies[envelope..];
        self.records.push(EncodedRecord {
            at,
            kind,
            schema,
            // Both are below the limits that encoding checked.
            envelope_len: u16::try_from(envelope).unwrap_or(u16::MAX),
            payload_len: u32::try_from(stored.len()).unwrap_or(u32::MAX),
            body_crc: record::body_crc(bodies),
            digests: digests.unwrap_or_else(|| Digests::of_plain(stored)),
            occurred_at,
        });
    }
}

fn encode_event(
    event: &Event,
    now: Timestamp,
    protection: &Protection,
    out: &mut Vec<u8>,
) -> Result<body::Lengths> {
    let salt: [u8; SALT_LEN] = random::random_16()?;
    // The id's random bits are drawn only when the caller gave no id.
    let fallback = match event.id {
        Some(_) => [0; 16],
        None => random::random_16()?,
    };
    Ok(body::encode_event_as(event, protection.pseudonyms(), now, fallback, salt, out)?)
}

/// The encoded form of what a caller appends must fit one frame.
pub(crate) fn check_frame(encoded: &Encoded) -> Result<()> {
    let max = usize::try_from(frame::MAX_BODY_LEN).unwrap_or(usize::MAX);
    let reason = match (encoded.is_empty(), encoded.body_len()) {
        (true, _) => "expected at least one event, found none".to_owned(),
        (false, len) if len > max => {
            format!("expected at most {max} bytes when encoded, found {len}: split the batch")
        }
        _ => return Ok(()),
    };
    Err(Error::InvalidBatch { reason })
}

thread_local! {
    static SCRATCH: RefCell<Encoded> = RefCell::default();
}

/// Lends the thread's buffer, so that an append allocates nothing.
pub(crate) fn with_scratch<T>(use_it: impl FnOnce(&mut Encoded) -> T) -> T {
    SCRATCH.with(|scratch| match scratch.try_borrow_mut() {
        Ok(mut scratch) => {
            scratch.clear();
            use_it(&mut scratch)
        }
        // Reached only if a caller's Event drops into an append: use a fresh one.
        Err(_) => {
            let mut fresh = Encoded::default();
            fresh.clear();
            use_it(&mut fresh)
        }
    })
}
