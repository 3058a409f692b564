//! Records, decoded from their checked bytes.

use crate::error::Error;
use crate::event::{Anchor, Record, RecordKind};
use crate::format::body;
use crate::format::record::CheckedRecord;
use crate::hash::HashAlgorithm;
use crate::read::payload_reader::PayloadReader;
use crate::seq::Seq;
use crate::time::Timestamp;

/// A record whose CRC is right and whose body is none: it was written so.
pub(crate) fn damaged(seq: Seq, reason: String) -> Error {
    Error::tampered(format!("record {seq}"), "a body of its schema", reason)
}

/// What to do about a segment that is being written and has a record that goes back.
pub(crate) const NOT_SEALED: &str = "the segment is not sealed and the log not written on; it can be read (read-only) and \
     verified: keep a copy of its directory, and restore it from a backup or begin another log";

/// A record whose `recorded_at` is before that of the record in front of it, in one segment: no
/// log writes that.
pub(crate) fn goes_back(seq: Seq, times: [Timestamp; 2], then: &str) -> Error {
    let [before, found] = times;
    let expected = format!("a time not before that of the record in front of it, {before}");
    let found = format!("{found}; {then}");
    Error::tampered(format!("recorded_at of record {seq}"), expected, found)
}

/// Decodes a checked record.
pub(crate) fn decode(
    opener: &PayloadReader,
    algorithm: HashAlgorithm,
    record: &CheckedRecord<'_>,
) -> std::result::Result<Record, String> {
    let (seq, recorded_at) = (record.head.seq, record.head.recorded_at);
    let leaf = record.leaf(algorithm);
    match RecordKind::from_code(record.head.kind) {
        Some(RecordKind::Event) => {
            let envelope = body::decode_envelope(record.head.schema, record.envelope)
                .map_err(|e| e.to_string())?;
            let opened = opener.open(record)?;
            let payload = opened.payload();
            let payload = payload.map(|bytes| body::decode_payload(record.head.schema, bytes));
            let payload = payload.transpose();
            let payload = payload.map_err(|e| e.to_string())?;
            let event = body::to_event(&envelope, payload.as_ref());
            let state = opened.state();
            Ok(Record::of_event(seq, recorded_at, leaf, event).with_payload(state))
        }
        Some(RecordKind::Anchor) => {
            let anchor = decode_anchor(record)?;
            Ok(Record::of_anchor(seq, recorded_at, leaf, anchor))
        }
        None => Err(format!("record kind {}", record.head.kind)),
    }
}

/// An anchor, in the one spelling that it has: it has no payload.
pub(crate) fn decode_anchor(record: &CheckedRecord<'_>) -> std::result::Result<Anchor, String> {
    match record.payload().len() {
        0 => body::decode_anchor_strict(record.envelope).map_err(|error| error.to_string()),
        len => Err(format!("an anchor: expected no payload, found one of {len} bytes")),
    }
}
