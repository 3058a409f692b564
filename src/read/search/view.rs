//! [`RecordView`]: a record that matched, borrowed.

use std::cell::OnceCell;

use crate::error::Result;
use crate::event::{PayloadState, Record, RecordKind};
use crate::format::body::{self, Envelope, Payload};
use crate::format::record::CheckedRecord;
use crate::hash::Hash;
use crate::query::{Query, Subject};
use crate::read::decode;
use crate::read::payload_reader::PayloadAccess;
use crate::read::segment_set::SegmentSet;
use crate::seq::Seq;
use crate::time::Timestamp;

/// A record that matched, as it stands in its segment: nothing of it was copied.
#[derive(Debug)]
pub struct RecordView<'a> {
    record: CheckedRecord<'a>,
    kind: RecordKind,
    /// Of an event.
    envelope: Option<Envelope<'a>>,
    view: &'a SegmentSet,
    /// Salt and payload, once they were asked for.
    opened: OnceCell<PayloadAccess<'a>>,
}

impl<'a> RecordView<'a> {
    /// Decodes the envelope of a record; the payload stays as it is.
    pub(super) fn of(record: CheckedRecord<'a>, view: &'a SegmentSet) -> Result<Self> {
        let damaged = |reason: String| decode::damaged(record.head.seq, reason);
        let Some(kind) = RecordKind::from_code(record.head.kind) else {
            return Err(damaged(format!("record kind {}", record.head.kind)));
        };
        let envelope = match kind {
            RecordKind::Event => {
                let decoded = body::decode_envelope(record.head.schema, record.envelope);
                Some(decoded.map_err(|error| damaged(error.to_string()))?)
            }
            RecordKind::Anchor => None,
        };
        Ok(RecordView { record, kind, envelope, view, opened: OnceCell::new() })
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
    pub fn subject(&self) -> Subject<'_> {
        match &self.envelope {
            Some(envelope) => envelope.subject(),
            None => Subject::of_anchor(self.recorded_at()),
        }
    }

    /// The rest of the event; `None` for the log's own records, and if it cannot be read:
    /// [`RecordView::payload_state`] says why.
    ///
    /// # Errors
    /// `Tampered` if it is not one.
    pub fn payload(&self) -> Result<Option<Payload<'_>>> {
        if self.kind != RecordKind::Event {
            return Ok(None);
        }
        let schema = self.record.head.schema;
        let payload = self.opened()?.payload();
        let decoded = payload.map(|bytes| body::decode_payload(schema, bytes)).transpose();
        decoded.map_err(|error| decode::damaged(self.seq(), error.to_string()))
    }

    /// Whether the payload can be read.
    ///
    /// # Errors
    /// As [`RecordView::payload`].
    pub fn payload_state(&self) -> Result<PayloadState> {
        Ok(self.opened()?.state())
    }

    fn opened(&self) -> Result<&PayloadAccess<'a>> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened);
        }
        let opened = self.view.payload_reader().open(&self.record);
        let opened = opened.map_err(|reason| decode::damaged(self.seq(), reason))?;
        Ok(self.opened.get_or_init(|| opened))
    }

    /// Its leaf hash, computed from the stored bytes.
    pub fn leaf_hash(&self) -> Hash {
        self.record.leaf(self.view.algorithm)
    }

    /// A copy of all of it.
    ///
    /// # Errors
    /// As [`RecordView::payload`].
    pub fn to_record(&self) -> Result<Record> {
        self.view.decode(&self.record)
    }
}
