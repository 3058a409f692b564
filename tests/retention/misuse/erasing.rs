//! Erasure: what a hold pins, and what can still be read after it.

use bulla::Attribution;
use bulla::{Error, Event, Hold, HoldScope, KeyStore, PayloadState, Seq, WrappingKey};
use std::time::Duration;

use crate::misuse::{World, asked, event};

const ALICE: &str = "user:alice";

fn of_alice(action: &str, n: u64) -> Event {
    let mut event = event("alice", n).reason(format!("secret {n}"));
    event.action = action.to_owned();
    event.subject = Some(ALICE.to_owned());
    event
}

fn store(world: &World) -> KeyStore {
    let (path, key) = (world.dir.path().join("keys"), WrappingKey::from_bytes([7; 32]));
    if path.exists() {
        KeyStore::open(&path, &key).unwrap()
    } else {
        KeyStore::create(&path, &key).unwrap()
    }
}

/// Records that a hold pins are encrypted already and not yet written when the subject is erased.
#[test]
fn what_is_queued_is_seen_by_an_erasure() {
    let world = World::new();
    let log = world.options().key_store(store(&world)).create(world.path()).unwrap();
    let hold = Hold::new("case 7", HoldScope::new().action("held.*").unwrap());
    log.retention().place_hold(&hold, &asked()).unwrap();
    for round in 0..40 {
        log.append(&of_alice("free.read", round)).unwrap(); // the subject has keys
        let tickets: Vec<_> =
            (0..100).map(|n| log.enqueue(&of_alice("held.read", n)).unwrap()).collect();
        let erased = log.retention().erase(ALICE, &Attribution::by("dpo"));
        let seqs: Vec<Seq> = tickets.into_iter().map(|ticket| ticket.wait().unwrap().seq).collect();
        let lost = seqs
            .iter()
            .filter(|seq| log.snapshot().get(**seq).unwrap().payload == PayloadState::Erased)
            .count();
        assert_eq!(
            lost,
            0,
            "round {round}: {lost} records that the hold pins were erased: {:?}",
            erased.map(|e| e.records)
        );
        // A new subject state for the next round is only possible once the hold is gone.
        log.retention().release_hold("case 7", &asked()).unwrap();
        let _ = log.retention().erase(ALICE, &Attribution::default());
        log.retention().place_hold(&hold, &asked()).unwrap();
    }
    log.close().unwrap();
}

/// With a thread that appends.
#[test]
fn what_is_being_appended_is_seen_by_an_erasure() {
    let world = World::new();
    let log = world.options().key_store(store(&world)).create(world.path()).unwrap();
    let hold = Hold::new("case 7", HoldScope::new().action("held.*").unwrap());
    log.retention().place_hold(&hold, &asked()).unwrap();
    for round in 0..100 {
        log.append(&of_alice("free.read", round)).unwrap();
        let lost = std::thread::scope(|scope| {
            let appending = scope.spawn(|| log.append(&of_alice("held.read", round)).unwrap().seq);
            std::thread::sleep(Duration::from_micros(20 * round));
            let erased = log.retention().erase(ALICE, &Attribution::default());
            let seq = appending.join().unwrap();
            erased.is_ok() && log.snapshot().get(seq).unwrap().payload == PayloadState::Erased
        });
        assert!(!lost, "round {round}: a record that the hold pins was erased");
        log.retention().release_hold("case 7", &asked()).unwrap();
        let _ = log.retention().erase(ALICE, &Attribution::default());
        log.retention().place_hold(&hold, &asked()).unwrap();
    }
    log.close().unwrap();
}

#[test]
fn after_an_erasure_no_reader_and_no_snapshot_has_the_payload() {
    let world = World::new();
    let log = world.options().key_store(store(&world)).create(world.path()).unwrap();
    let seq = log.append(&of_alice("free.read", 1)).unwrap().seq;
    let snapshot = log.snapshot();
    let mut records = snapshot.records_from(Seq::new(0));
    assert_eq!(log.snapshot().get(seq).unwrap().payload, PayloadState::Decrypted);
    log.retention().erase(ALICE, &Attribution::default()).unwrap();
    assert_eq!(snapshot.get(seq).unwrap().payload, PayloadState::Erased);
    assert_eq!(records.next().unwrap().unwrap().payload, PayloadState::Erased);
    log.close().unwrap();
}

/// A reader elsewhere with its own copy of the keys in memory.
#[test]
fn a_reader_that_has_refreshed_past_an_erasure_reads_nothing_of_it() {
    let world = World::new();
    let log = world.options().key_store(store(&world)).create(world.path()).unwrap();
    let seq = log.append(&of_alice("free.read", 1)).unwrap().seq;
    let keys =
        KeyStore::open_read_only(&world.dir.path().join("keys"), &WrappingKey::from_bytes([7; 32]))
            .unwrap();
    let reader = world.options().key_store(keys).open_read_only(world.path()).unwrap();
    assert_eq!(reader.snapshot().get(seq).unwrap().payload, PayloadState::Decrypted);
    log.retention().erase(ALICE, &Attribution::default()).unwrap();
    reader.refresh().unwrap();
    assert_eq!(reader.snapshot().get(seq).unwrap().payload, PayloadState::Erased);
    log.close().unwrap();
}

/// A drop that could not be settled hides its segment from the check of holds.
#[test]
fn an_erasure_of_what_is_held_in_a_sealed_segment_is_refused() {
    // See odds.rs for the simulated disk; here only that a hold on a live segment is seen.
    let world = World::new();
    let log = world.options().key_store(store(&world)).create(world.path()).unwrap();
    log.append(&of_alice("held.read", 1)).unwrap();
    log.rotate().unwrap();
    let hold = Hold::new("case 7", HoldScope::new().action("held.*").unwrap());
    log.retention().place_hold(&hold, &asked()).unwrap();
    assert!(matches!(
        log.retention().erase(ALICE, &Attribution::default()),
        Err(Error::Held { .. })
    ));
    log.close().unwrap();
}
