//! The index of a segment that is being written: in memory, and behind the records.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::Result;
use crate::event::RecordKind;
use crate::format::body;
use crate::format::record::CheckedRecord;
use crate::index::{SegmentIndex, Tail};
use crate::query::Subject;
use crate::ranked::{Rank, ReadGuard, RwLock};
use crate::read::decode;
use crate::segment::bytes::SegmentFile;
use crate::segment::locate::{RecordCursor, Waypoints};
use crate::seq::{Seq, TreeSize};

/// Records taken in under one lock, so that nobody waits for it long.
const PORTION: u32 = 1024;
/// To take a record in costs as much as reading so many.
const INDEX_COST_READS: u64 = 4;

/// The index of an open segment, as far as its records were taken in. The housekeeper takes
/// them in; a query reads those that are left, unless reading has cost as much by now.
#[derive(Debug)]
pub(crate) struct OpenIndex {
    taken: RwLock<Taken>,
    /// Records that queries read because they were not taken in.
    scanned: AtomicU64,
}

/// What was taken in.
#[derive(Debug, Default)]
struct Taken {
    tail: Tail,
    /// Offset and length in the segment, of each record.
    places: Vec<(u32, u32)>,
}

/// The index while it is read.
pub(crate) struct Reading<'a>(ReadGuard<'a, Taken>);

impl Deref for Reading<'_> {
    type Target = Tail;

    fn deref(&self) -> &Tail {
        &self.0.tail
    }
}

impl Default for OpenIndex {
    fn default() -> Self {
        let taken = RwLock::new(Rank::OpenIndex, Taken::default());
        OpenIndex { taken, scanned: AtomicU64::new(0) }
    }
}

impl OpenIndex {
    /// The index, which nobody extends meanwhile.
    pub(crate) fn read(&self) -> Reading<'_> {
        Reading(self.taken.read())
    }

    /// Offset and length of a record that was taken in.
    pub(super) fn place(&self, position: u32) -> Option<(u64, usize)> {
        let taken = self.taken.read();
        let (offset, len) = *taken.places.get(position as usize)?;
        Some((offset.into(), len as usize))
    }

    /// Notes that a query had to read so many records.
    pub(super) fn note_scanned(&self, records: u64) {
        self.scanned.fetch_add(records, Ordering::Relaxed);
    }

    /// Whether taking in so many records pays by now.
    pub(crate) fn pays(&self, records: u64) -> bool {
        self.scanned.load(Ordering::Relaxed) > records.saturating_mul(INDEX_COST_READS)
    }

    /// Takes in the records below a size, which are published.
    ///
    /// # Errors
    /// I/O; a damaged record: the index ends before it.
    pub(crate) fn take_in(
        &self,
        segment: &Arc<SegmentFile>,
        waypoints: &Waypoints,
        size: TreeSize,
    ) -> Result<()> {
        let first = segment.header.first.get();
        let mut cursor: Option<RecordCursor> = None;
        loop {
            let mut taken = self.taken.write();
            let next = Seq::new(first + u64::from(taken.tail.records()));
            if !size.covers(next) {
                return Ok(());
            }
            let walk = match cursor.take().filter(|cursor| cursor.is_at(next)) {
                Some(cursor) => cursor,
                None => RecordCursor::at(Arc::clone(segment), waypoints, next, size)?,
            };
            cursor = Some(portion(&mut taken, walk)?);
        }
    }
}

fn portion(taken: &mut Taken, mut cursor: RecordCursor) -> Result<RecordCursor> {
    for _ in 0..PORTION {
        let Some((offset, record)) = cursor.next_record()? else { break };
        add(&mut taken.tail, &record)?;
        // A segment is smaller than 4 GiB, the options see to that.
        let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        taken.places.push((narrow(offset), narrow(record.stored_len() as u64)));
    }
    Ok(cursor)
}

/// Takes a record into an index.
pub(crate) fn add(tail: &mut Tail, record: &CheckedRecord<'_>) -> Result<()> {
    let damaged = |reason: String| decode::damaged(record.head.seq, reason);
    let recorded_at = record.head.recorded_at;
    match RecordKind::from_code(record.head.kind) {
        Some(kind @ RecordKind::Event) => {
            let envelope = body::decode_envelope(record.head.schema, record.envelope);
            let envelope = envelope.map_err(|error| damaged(error.to_string()))?;
            tail.add(kind, recorded_at, &envelope.subject());
        }
        Some(kind) => tail.add(kind, recorded_at, &Subject::of_anchor(recorded_at)),
        None => return Err(damaged(format!("record kind {}", record.head.kind))),
    }
    Ok(())
}
