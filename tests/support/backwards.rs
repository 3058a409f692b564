//! A log whose records were given other times by who can write its files: all CRCs, hashes and
//! roots are right, and only `recorded_at` is not as a log writes it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bulla::disk::{Open, RealDisk};
use bulla::event::RecordKind;
use bulla::internals::catalog::Catalog;
use bulla::internals::format::body;
use bulla::internals::format::catalog_body::{CatalogBody, RecordedAttribution};
use bulla::internals::format::footer::{STRIDE, TimeRange, Waypoint};
use bulla::internals::format::frame::{self, FrameHeader};
use bulla::internals::format::record::{self, PREFIX_LEN, RawRecord};
use bulla::internals::index::{self, Tail};
use bulla::internals::segment::bytes::SegmentFile;
use bulla::internals::segment::recover;
use bulla::internals::segment::scan::Position;
use bulla::internals::segment::seal::{self, SealFacts};
use bulla::internals::terms::{IndexHead, Scope};
use bulla::merkle::Frontier;
use bulla::query::Subject;
use bulla::time::{Clock, ManualClock};
use bulla::{Event, Hash, HashAlgorithm, Housekeeping, Log, LogOptions, Timestamp, TreeSize};

/// The first and only segment of a log.
fn first_segment(log: &Path) -> PathBuf {
    bulla::internals::segment::path(&log.join("segments"), 1)
}

fn clock(at: Timestamp) -> Arc<dyn Clock> {
    Arc::new(ManualClock::at(at))
}

/// A log by a clock that stands at a time.
pub(crate) fn options(at: Timestamp) -> LogOptions {
    Log::options().clock(clock(at)).housekeeping(Housekeeping::Inline)
}

/// Makes a log with one event for each of these times, in one segment that is not sealed, and
/// closes it.
pub(crate) fn unsealed(
    options: LogOptions,
    log: &Path,
    times: &[Timestamp],
    event: impl Fn(u64) -> Event,
) {
    let made = options.create(log).unwrap();
    for n in 0..times.len() as u64 {
        made.append(&event(n)).unwrap();
    }
    made.close().unwrap();
    drop(made);
    let path = first_segment(log);
    let mut bytes = std::fs::read(&path).unwrap();
    let segment = SegmentFile::open(&RealDisk, &path, Open::Read).unwrap().unwrap();
    let mut at = usize::try_from(segment.header.first_frame()).unwrap();
    let mut times = times.iter();
    while let Some(front) = bytes.get(at..).and_then(|rest| rest.first_chunk::<{ frame::LEN }>()) {
        let Ok(header) = FrameHeader::decode(front, &segment.header.nonce, at as u64) else {
            break;
        };
        if header.count > 0 {
            let (body, seq) = (at + frame::LEN, header.first.next_seq());
            set_time(&mut bytes[body..], &segment, seq, *times.next().unwrap());
        }
        at += usize::try_from(header.frame_len()).unwrap();
    }
    std::fs::write(&path, bytes).unwrap();
    // Derived, and of the times before.
    std::fs::remove_dir_all(log.join("tree")).unwrap();
}

/// Gives the record at the beginning of some bytes another time.
fn set_time(bytes: &mut [u8], segment: &SegmentFile, seq: bulla::Seq, time: Timestamp) {
    let context = segment.context();
    let (head, digests, lens) = {
        let record = RawRecord::take(bytes).unwrap().check(&context, seq).unwrap();
        let lens = (record.envelope.len(), record.stored_payload.len(), record.stored_len());
        (record::Head { recorded_at: time, ..record.head }, record.digests(), lens)
    };
    let (envelope_len, payload_len, len) = lens;
    let crc = record::body_crc(&bytes[PREFIX_LEN..len]);
    let (slot, rest) = bytes.split_at_mut(PREFIX_LEN);
    let sealed = (crc, u32::try_from(payload_len).unwrap(), &digests);
    record::seal(&context, &head, sealed, slot, &rest[..envelope_len]);
}

/// As [`unsealed`], and seals the segment: footer, index and catalog say what its records are.
/// Gives what the root of its index is the hash of.
pub(crate) fn sealed(
    options: LogOptions,
    log: &Path,
    times: &[Timestamp],
    event: impl Fn(u64) -> Event,
) -> IndexHead {
    sealed_as(options, log, times, event, |subject| subject)
}

/// The same, with the index of what `seen` makes of the records.
pub(crate) fn sealed_as(
    options: LogOptions,
    log: &Path,
    times: &[Timestamp],
    event: impl Fn(u64) -> Event,
    seen: for<'a> fn(Subject<'a>) -> Subject<'a>,
) -> IndexHead {
    unsealed(options, log, times, event);
    let path = first_segment(log);
    let segment = SegmentFile::open(&RealDisk, &path, Open::ReadWrite).unwrap().unwrap();
    let header = &segment.header;
    let (mut tail, mut range, mut waypoints) = (Tail::default(), TimeRange::EMPTY, Vec::new());
    let mut frontier = Frontier::new(HashAlgorithm::Sha256);
    let from = Position { offset: header.first_frame(), size: TreeSize::ZERO };
    let end = recover::last(&segment, from, |frame, offset, record| {
        if record.head.seq.get().is_multiple_of(STRIDE) {
            waypoints.push(Waypoint::at(frame.offset, offset));
        }
        let envelope = body::decode_envelope(record.head.schema, record.envelope).unwrap();
        let recorded_at = record.head.recorded_at;
        tail.add(RecordKind::Event, recorded_at, &seen(envelope.subject()));
        range.add(recorded_at, envelope.occurred_at);
        frontier.push(record.leaf(HashAlgorithm::Sha256), |_, _| ());
    })
    .unwrap();
    assert!(end.torn.is_none());
    let scope = Scope { log_id: header.log_id, first: TreeSize::ZERO };
    let (head, index) = index::encode(&tail, scope, 1);
    std::fs::write(path.with_extension("idx"), index.unwrap()).unwrap();
    let facts = SealFacts {
        times: range,
        end_root: frontier.root(),
        index_root: head.root(),
        last_anchor: TreeSize::ZERO,
        keep_until: Timestamp::from_nanos(0),
        sealed_at: range.recorded.1,
    };
    assert_ne!(facts.end_root, Hash::ZERO);
    let footer = seal::seal(&segment, end.end, &waypoints, &facts).unwrap();
    let entry = seal::catalog_entry(&segment, &footer, segment.file_len().unwrap());
    let place = (log.join("catalog"), log.join("quarantine"));
    let (id, clock) = (header.log_id, clock(range.recorded.1));
    let opened = Catalog::open(Arc::new(RealDisk), &place.0, id, clock, &place.1);
    let (mut catalog, _) = opened.unwrap();
    catalog.append(&CatalogBody::Sealed(entry), &RecordedAttribution::default()).unwrap();
    head
}
