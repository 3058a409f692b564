//! What is appended once is in the log once: whatever is repeated, by whom, and whatever crashes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

mod protected;
mod threads;
mod window;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bulla::event::EventId;
use bulla::time::ManualClock;
use bulla::{
    Actor, Durability, Error, Event, Housekeeping, Log, LogOptions, Resource, Seq, Signer,
};

use crate::support::{self, ORIGIN};

/// The n-th id.
fn id(n: u64) -> EventId {
    let mut id = [0x80; 16];
    id[8..].copy_from_slice(&n.to_le_bytes());
    EventId(id)
}

/// The n-th event, with the n-th id.
fn event(n: u64) -> Event {
    Event::new(Actor::new("user", "al"), "invoice.read", Resource::new("invoice", n.to_string()))
        .id(id(n))
        .details(serde_json::json!({ "n": n }))
}

/// The n-th event, with something changed.
fn changed(n: u64, change: impl FnOnce(&mut Event)) -> Event {
    let mut event = event(n);
    change(&mut event);
    event
}

fn options() -> LogOptions {
    LogOptions::new().origin(ORIGIN).durability(Durability::Os).housekeeping(Housekeeping::Inline)
}

fn with_clock(clock: &Arc<ManualClock>) -> LogOptions {
    options().clock(Arc::clone(clock) as _)
}

fn in_dir(dir: &tempfile::TempDir) -> std::path::PathBuf {
    dir.path().join("audit")
}

fn conflict(result: Result<impl std::fmt::Debug, Error>) -> Seq {
    match result {
        Err(Error::Conflict { seq, .. }) => seq,
        other => panic!("{other:?}"),
    }
}

/// Each event of the log has an id of its own; gives how many there are.
fn all_different(path: &Path) -> usize {
    let log = Log::open_read_only(path).unwrap();
    let records = log.snapshot().records_from(Seq::new(0));
    let mut ids: Vec<EventId> = records.filter_map(|record| record.unwrap().event.id).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "an id twice");
    count
}

#[test]
fn the_same_event_gives_the_first_receipt_again() {
    let dir = tempfile::tempdir().unwrap();
    let clock = support::clock();
    let log = with_clock(&clock).create(in_dir(&dir)).unwrap();
    let first = log.append_once(&event(1)).unwrap();
    clock.advance(Duration::from_secs(60));
    let second = log.append_once(&event(2)).unwrap();
    assert_eq!(log.append_once(&event(1)).unwrap(), first);
    assert_eq!(log.find_once(&event(2)).unwrap(), Some(second));
    assert_eq!(log.find_once(&event(3)).unwrap(), None);
    assert_eq!((log.size().get(), first.seq, second.seq), (2, Seq::new(0), Seq::new(1)));
    log.close().unwrap();
    let log = with_clock(&clock).open(in_dir(&dir)).unwrap();
    assert_eq!(log.append_once(&event(2)).unwrap(), second);
    assert_eq!(log.append_once(&event(1)).unwrap(), first);
    assert_eq!(log.size().get(), 2);
}

#[test]
fn another_event_with_the_id_is_a_conflict_that_names_the_record() {
    let dir = tempfile::tempdir().unwrap();
    let log = options().create(in_dir(&dir)).unwrap();
    log.append(&event(7)).unwrap();
    log.append_once(&event(1)).unwrap();
    let others = [
        event(1).reason("because"),
        event(1).details(serde_json::json!({ "n": 2 })),
        changed(1, |event| event.action = "invoice.write".to_owned()),
        changed(1, |event| event.tenant = Some("acme".to_owned())),
        event(1).occurred_at(bulla::Timestamp::from_nanos(1)),
    ];
    for other in others {
        assert_eq!(conflict(log.append_once(&other)), Seq::new(1), "{other:?}");
        assert_eq!(conflict(log.find_once(&other)), Seq::new(1));
        assert_eq!(conflict(log.enqueue_once(&other)), Seq::new(1));
        assert_eq!(conflict(log.append_batch_once(&[event(9), other])), Seq::new(1));
    }
    let message = log.append_once(&event(1).reason("because")).unwrap_err().to_string();
    assert!(message.contains(&id(1).to_string()) && message.contains("record 1"), "{message}");
    assert_eq!(log.size().get(), 2, "nothing was appended");
}

#[test]
fn a_time_that_the_log_gave_is_not_compared() {
    let dir = tempfile::tempdir().unwrap();
    let clock = support::clock();
    let log = with_clock(&clock).create(in_dir(&dir)).unwrap();
    let receipt = log.append_once(&event(1)).unwrap();
    let given = log.snapshot().get(receipt.seq).unwrap().event.occurred_at.unwrap();
    clock.advance(Duration::from_secs(1));
    assert_eq!(log.append_once(&event(1)).unwrap(), receipt);
    assert_eq!(log.append_once(&event(1).occurred_at(given)).unwrap(), receipt);
    let later = given.saturating_add(Duration::from_nanos(1));
    conflict(log.append_once(&event(1).occurred_at(later)));
    let receipt = log.append_once(&event(2).occurred_at(later)).unwrap();
    assert_eq!(log.append_once(&event(2)).unwrap(), receipt);
    conflict(log.append_once(&event(2).occurred_at(given)));
}

#[test]
fn an_event_without_an_id_is_refused_with_advice() {
    let dir = tempfile::tempdir().unwrap();
    let log = options().create(in_dir(&dir)).unwrap();
    let event = changed(1, |event| event.id = None);
    for refused in [
        log.append_once(&event).map(drop),
        log.enqueue_once(&event).map(drop),
        log.append_batch_once(std::slice::from_ref(&event)).map(drop),
        log.find_once(&event).map(drop),
    ] {
        let Err(Error::Invalid(invalid)) = refused else { panic!("{refused:?}") };
        assert_eq!(invalid.field, "id");
        assert!(invalid.to_string().contains("append"), "{invalid}");
    }
    assert!(matches!(log.append_batch_once(&[]), Err(Error::InvalidBatch { .. })));
    assert_eq!(log.size().get(), 0);
}

#[test]
fn a_batch_appends_what_is_new_as_one_frame() {
    let dir = tempfile::tempdir().unwrap();
    let log = options().create(in_dir(&dir)).unwrap();
    let old = log.append_once(&event(2)).unwrap();
    let batch = [event(3), event(2), event(4), event(3), event(2)];
    let receipts = log.append_batch_once(&batch).unwrap();
    let found: Vec<(u64, bool)> =
        receipts.iter().map(|once| (once.receipt.seq.get(), once.is_new)).collect();
    assert_eq!(found, [(1, true), (0, false), (2, true), (1, false), (0, false)]);
    assert_eq!(receipts[1].receipt, old);
    for (once, given) in receipts.iter().zip(&batch) {
        let record = log.snapshot().get(once.receipt.seq).unwrap();
        assert_eq!(record.event.id, given.id);
        assert_eq!(record.leaf_hash, once.receipt.leaf_hash);
        assert_eq!(record.recorded_at, once.receipt.recorded_at);
        assert_eq!(log.append_once(given).unwrap(), once.receipt);
    }
    let again = log.append_batch_once(&batch).unwrap();
    assert!(again.iter().all(|once| !once.is_new));
    let both = log.append_batch_once(&[event(5), event(5).reason("other")]);
    let Err(Error::InvalidBatch { reason }) = both else { panic!("{both:?}") };
    assert!(reason.contains("events 0 and 1"), "{reason}");
    assert_eq!(log.size().get(), 3);
}

#[test]
fn plain_appends_and_anchors_of_the_log_count_too() {
    let dir = tempfile::tempdir().unwrap();
    let log = options().create(in_dir(&dir)).unwrap();
    let signer = Signer::generate(&dir.path().join("key"), ORIGIN, log.algorithm()).unwrap();
    let mut receipts = Vec::new();
    for n in 0..40 {
        match n % 4 {
            0 => receipts.push(log.append(&event(n)).unwrap()),
            1 => receipts.push(log.append_once(&event(n)).unwrap()),
            2 => receipts.push(log.enqueue(&event(n)).unwrap().wait().unwrap()),
            _ => {
                log.checkpoint(&signer).unwrap();
                receipts.push(log.append_batch_once(&[event(n)]).unwrap()[0].receipt);
            }
        }
        if n % 7 == 0 {
            log.rotate().unwrap();
        }
        assert_eq!(log.append_once(&event(n)).unwrap(), receipts[receipts.len() - 1]);
    }
    let size = log.size();
    log.close().unwrap();
    let log = options().open(in_dir(&dir)).unwrap();
    for (n, receipt) in (0..).zip(&receipts) {
        assert_eq!(log.append_once(&event(n)).unwrap(), *receipt, "{n}");
    }
    assert_eq!(log.size(), size);
}

#[test]
fn of_records_that_share_an_id_the_one_with_the_content_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let log = options().create(in_dir(&dir)).unwrap();
    let event = |n: u64| event(1).reason(n.to_string());
    for n in 0..6 {
        log.append(&event(n)).unwrap();
    }
    for n in 0..6 {
        assert_eq!(log.append_once(&event(n)).unwrap().seq.get(), n);
    }
    assert_eq!(conflict(log.append_once(&event(6))), Seq::new(0));
    // Of more than eight the newest eight are compared.
    for n in 6..20 {
        log.append(&event(n)).unwrap();
    }
    assert_eq!(log.append_once(&event(12)).unwrap().seq.get(), 12);
    assert_eq!(conflict(log.append_once(&event(11))), Seq::new(12));
}

#[test]
fn a_log_that_takes_no_events_or_is_closed_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let log = options().create(in_dir(&dir)).unwrap();
    log.append_once(&event(1)).unwrap();
    log.close().unwrap();
    for result in [log.append_once(&event(1)).map(drop), log.append_once(&event(2)).map(drop)] {
        assert!(matches!(result, Err(Error::Closed)), "{result:?}");
    }
    assert!(matches!(log.enqueue_once(&event(1)), Err(Error::Closed)));
    let log = options().without_events().open(in_dir(&dir)).unwrap();
    assert!(matches!(log.append_once(&event(1)), Err(Error::InvalidOption { .. })));
    let refused = options().once_ids(0).open(in_dir(&dir));
    assert!(matches!(refused, Err(Error::InvalidOption { name: "once_ids", .. })), "{refused:?}");
}
