//! Encoding in the calling thread, outside any lock: bodies, commitments, CRCs.

use std::cell::RefCell;

use crate::error::{Error, Result};
use crate::event::{Anchor, Event, RecordKind};
use crate::format::body;
use crate::format::frame;
use crate::format::record::{self, PREFIX_LEN, SALT_LEN};
use crate::hash::Hash;
use crate::random;
use crate::time::Timestamp;

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
    pub(crate) commitment: Hash,
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
    pub(crate) fn push(&mut self, event: &Event, now: Timestamp) -> Result<()> {
        let at = self.bytes.len();
        self.bytes.resize(at + PREFIX_LEN, 0);
        let encoded = encode_event(event, now, &mut self.bytes);
        let lengths = match encoded {
            Ok(lengths) => lengths,
            Err(error) => {
                self.bytes.truncate(at);
                return Err(error);
            }
        };
        let occurred_at = event.occurred_at.unwrap_or(now);
        let kind = (RecordKind::Event, body::schema_of(event));
        self.finish(at, kind, lengths.envelope, occurred_at);
        Ok(())
    }

    /// Encodes an anchor.
    pub(crate) fn push_anchor(&mut self, anchor: &Anchor, now: Timestamp) -> Result<()> {
        let at = self.bytes.len();
        self.bytes.resize(at + PREFIX_LEN, 0);
        let len = body::encode_anchor(anchor, &mut self.bytes)
            .map_err(|error| Error::Proof { reason: error.to_string() })?;
        let salt = random::random_16().map_err(random_error)?;
        self.bytes.extend_from_slice(&salt);
        self.finish(at, (RecordKind::Anchor, body::SCHEMA), len, now);
        Ok(())
    }

    fn finish(
        &mut self,
        at: usize,
        (kind, schema): (RecordKind, u8),
        envelope: usize,
        occurred_at: Timestamp,
    ) {
        let bodies = &self.bytes[at + PREFIX_LEN..];
        let salted = &bodies[envelope..];
        self.records.push(EncodedRecord {
            at,
            kind,
            schema,
            // Both are below the limits that encoding checked.
            envelope_len: u16::try_from(envelope).unwrap_or(u16::MAX),
            payload_len: u32::try_from(salted.len()).unwrap_or(u32::MAX),
            body_crc: record::body_crc(bodies),
            commitment: record::payload_commitment(salted),
            occurred_at,
        });
    }
}

fn encode_event(event: &Event, now: Timestamp, out: &mut Vec<u8>) -> Result<body::Lengths> {
    let salt: [u8; SALT_LEN] = random::random_16().map_err(random_error)?;
    // The id's random bits are drawn only when the caller gave no id.
    let fallback = match event.id {
        Some(_) => [0; 16],
        None => random::random_16().map_err(random_error)?,
    };
    Ok(body::encode_event(event, now, fallback, salt, out)?)
}

pub(crate) fn random_error(error: random::RandomError) -> Error {
    Error::Io {
        op: "draw random bytes from",
        path: "the operating system".into(),
        source: std::sync::Arc::new(std::io::Error::other(error)),
    }
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
