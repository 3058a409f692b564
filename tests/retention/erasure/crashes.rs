//! An erasure that is cut short.

use std::path::Path;
use std::sync::Arc;

use bulla::disk::sim::{Fault, FaultKind, SimDisk};
use bulla::{
    Attribution, Error, ExpireOptions, Hold, HoldScope, Housekeeping, KeyStore, Log, LogOptions,
    PayloadState, Period, Policy, Seq,
};

use crate::erasure::{ALICE, event, wrapping};
use crate::support::ORIGIN;

/// A log and its key store on one disk.
fn simulated(disk: &SimDisk, create: bool) -> Result<(Log, KeyStore), Error> {
    let on = || Arc::new(disk.clone());
    let path = Path::new("/keys");
    let store = match create {
        true => KeyStore::create_on(on(), path, &wrapping())?,
        false => KeyStore::open_on(on(), path, &wrapping())?,
    };
    let options = LogOptions::new()
        .origin(ORIGIN)
        .segment_bytes(64 << 10)
        .housekeeping(Housekeeping::Inline)
        .disk(on())
        .key_store(store.clone());
    let log = if create { options.create("/audit")? } else { options.open("/audit")? };
    Ok((log, store))
}

#[test]
fn a_crash_leaves_an_erasure_not_begun_or_finishes_it_on_opening() {
    let prepared = |seed| {
        let disk = SimDisk::new(seed);
        let (log, store) = simulated(&disk, true).unwrap();
        for n in 0..6 {
            log.append(&event(n)).unwrap();
        }
        (disk, log, store)
    };
    let (disk, log, _) = prepared(0);
    let before = disk.operations();
    log.retention().erase(ALICE, &Attribution::default()).unwrap();
    let during = disk.operations() - before;
    assert!(during > 8, "certificate in two copies, store replaced: {during}");
    let (mut kept, mut erased) = (0, 0);
    for count in 0..=during {
        for seed in 0..4 {
            let (disk, log, store) = prepared(seed);
            disk.crash_after(count);
            let done = log.retention().erase(ALICE, &Attribution::default());
            drop((log, store));
            disk.crash();
            let (log, store) = simulated(&disk, false).unwrap();
            let place = format!("crash after {count}, seed {seed}");
            let certified = log
                .snapshot()
                .catalog()
                .history()
                .unwrap()
                .iter()
                .any(|entry| entry.what == "subject erased");
            let (mine, other) = (
                log.snapshot().get(Seq::new(0)).unwrap(),
                log.snapshot().get(Seq::new(1)).unwrap(),
            );
            assert_eq!(other.payload, PayloadState::Decrypted, "{place}");
            assert!(done.is_err() || certified, "{place}");
            if certified {
                erased += 1;
                assert_eq!(mine.payload, PayloadState::Erased, "{place}");
                assert_eq!(store.subject(ALICE), None, "{place}");
            } else {
                kept += 1;
                assert_eq!(mine.payload, PayloadState::Decrypted, "{place}");
                log.retention().erase(ALICE, &Attribution::default()).unwrap();
            }
            let again = log.append(&event(0)).unwrap().seq;
            assert_eq!(
                log.snapshot().get(again).unwrap().payload,
                PayloadState::Decrypted,
                "{place}"
            );
        }
    }
    assert!(kept > 0 && erased > 0, "{kept} {erased}");
}

/// A drop that an error cut short may be called off because of a hold that came since: then
/// what the hold names must not have been erased meanwhile.
#[test]
fn what_a_hold_names_is_not_erased_while_its_drop_may_be_called_off() {
    let by = Attribution::by("carol").because("retention");
    let (mut open, mut gone) = (0, 0);
    for at in 0..60 {
        let disk = SimDisk::new(at);
        let (log, _) = simulated(&disk, true).unwrap();
        log.append(&event(0)).unwrap(); // of alice
        log.rotate().unwrap();
        log.append(&event(1)).unwrap();
        log.retention().set_policy(&Policy::keep(Period::ZERO), &by).unwrap();
        disk.plan(Fault { at, kind: FaultKind::Eio, stored: false });
        let _ = log.retention().expire(&ExpireOptions::new(), &by);
        if disk.faults_outstanding() > 0 || disk.read_file(segment_1()).is_err() {
            continue;
        }
        let hold = Hold::new("case", HoldScope::new().actor("alice"));
        let (Ok(()), read) =
            (log.retention().place_hold(&hold, &by), log.snapshot().get(Seq::new(0)))
        else {
            continue;
        };
        open += 1;
        gone += u64::from(matches!(read, Err(Error::Expired { .. })));
        let erased = log.retention().erase(ALICE, &by);
        assert!(matches!(erased, Err(Error::Held { .. })), "{at}: {erased:?}");
        drop(log);
        let (log, _) = simulated(&disk, false).unwrap();
        assert_eq!(
            log.snapshot().get(Seq::new(0)).unwrap().payload,
            PayloadState::Decrypted,
            "{at}"
        );
    }
    assert!(open > 5 && gone > 0, "{open} {gone}");
}

fn segment_1() -> &'static Path {
    Path::new("/audit/segments/00000001.seg")
}
