//! [`RecordView`]: a record that matched, borrowed.

use crate::error::{Error, Result};
use crate::event::{Record, RecordKind};
use crate::format::body::{self, Envelope, Payload};
use crate::format::record::CheckedRecord;
use crate::hash::{Hash, HashAlgorithm};
use crate::log::read;
use crate::query::{Query, Subject};
use crate::seq::Seq;
use crate::time::Timestamp;

/// A record that matched, as it stands in its segment: nothing of it was copied.
#[derive(Debug)]
pub struct RecordView<'a> {
    record: CheckedRecord<'a>,
    kind: RecordKind,
    /// Of an event.
    envelope: Option<Envelope<'a>>,
    algorithm: HashAlgorithm,
}

impl<'a> RecordView<'a> {
    /// Decodes the envelope of a record; the payload stays as it is.
    pub(super) fn of(record: CheckedRecord<'a>, algorithm: HashAlgorithm) -> Result<Self> {
        let damaged = |reason: String| read::damaged(record.head.seq, reason);
        let Some(kind) = RecordKind::from_code(record.head.kind) else {
            return Err(damaged(format!("record kind {}", record.head.kind)));
        };
        let envelope = match kind {
            RecordKind::Event => {
                let decoded = body::decode_envelope(record.envelope);
                Some(decoded.map_err(|error| damaged(error.to_string()))?)
            }
            RecordKind::Anchor => None,
        };
        Ok(RecordView { record, kind, envelope, algorithm })
    }

    pub(super) fn matches(&self, query: &Query) -> bool {
        query.matches(self.recorded_at(), self.kind, &self.subject())
    }

    /// Its position in the log.
    pub fn seq(&self) -> Seq {
        self.record.head.seq
    }

    /// When the log took it.
    pub fn recorded_at(&self) -> Timestamp {
        self.record.head.recorded_at
    }

    /// Whether it is an event or one of the log's own.
    pub fn kind(&self) -> RecordKind {
        self.kind
    }

    /// What identifies the event: everything that queries filter by.
    pub fn subject(&self) -> Subject<'a> {
        match &self.envelope {
            Some(envelope) => envelope.subject(),
            None => Subject::of_anchor(self.recorded_at()),
        }
    }

    /// The rest of the event; `None` for the log's own records.
    ///
    /// # Errors
    /// `Tampered` if it is not one.
    pub fn payload(&self) -> Result<Option<Payload<'a>>> {
        if self.kind != RecordKind::Event {
            return Ok(None);
        }
        let decoded = body::decode_payload(self.record.head.schema, self.record.payload());
        decoded.map(Some).map_err(|error| read::damaged(self.seq(), error.to_string()))
    }

    /// Its leaf hash, computed from the stored bytes.
    pub fn leaf_hash(&self) -> Hash {
        self.record.leaf(self.algorithm)
    }

    /// A copy of all of it.
    ///
    /// # Errors
    /// As [`RecordView::payload`].
    pub fn to_record(&self) -> Result<Record> {
        read::decode(self.algorithm, &self.record)
            .map_err(|reason: String| -> Error { read::damaged(self.seq(), reason) })
    }
}
