//! Identifiers under aliases, and whose a key store is.

use bulla::keystore::Identifier;
use bulla::query::Query;
use bulla::retention::{Attribution, Hold, HoldScope, Period, Policy};
use bulla::{Actor, Error, Event, ExpireOptions, HashAlgorithm, KeyStore, Resource, Seq, Target};

use crate::erasure::{Place, event, on_disk, wrapping};

#[test]
fn aliases_are_found_by_query_and_lose_their_meaning_with_the_keys() {
    let place = Place::new(HashAlgorithm::Sha256);
    let store = KeyStore::create(&place.at("keys"), &wrapping()).unwrap();
    let options = place.options().key_store(store.clone()).alias_actors(true);
    let log = options.alias_resources(["patient"]).create(place.at("audit")).unwrap();
    let read = |patient: &str| {
        Event::new(Actor::new("user", "alice"), "file.read", Resource::new("patient", patient))
            .subject(format!("patient:{patient}"))
    };
    log.append_batch(&[read("patient-0001"), read("patient-0002"), read("patient-0001")]).unwrap();
    log.append(&Event::new(Actor::new("user", "alice"), "a.b", Resource::new("room", "7")))
        .unwrap();
    log.close().unwrap();
    for name in ["alice", "patient-0001", "patient-0002"] {
        assert!(!on_disk(&place.at("audit"), name.as_bytes()), "{name}");
    }
    drop(log);
    let log = place.options().key_store(store.clone()).alias_actors(true);
    let log = log.alias_resources(["patient"]).open(place.at("audit")).unwrap();
    let alice = store.alias(Identifier::Actor, "user", "alice").unwrap();
    let p1 = store.alias(Identifier::Resource, "patient", "patient-0001").unwrap();
    let count = |query| log.snapshot().count(&query).unwrap();
    assert_eq!(count(Query::new().actor(&alice)), 4);
    assert_eq!(count(Query::new().actor("alice")), 0);
    assert_eq!(count(Query::new().resource("patient", &p1)), 2);
    assert_eq!(count(Query::new().resource("room", "7")), 1);
    let record = log.snapshot().get(Seq::new(0)).unwrap();
    assert_eq!((record.event.actor.id, record.event.resource.id), (alice, Some(p1.clone())));

    log.retention().erase("patient:patient-0001", &Attribution::default()).unwrap();
    assert_eq!(store.alias(Identifier::Resource, "patient", "patient-0001"), None);
    let seq = log.append(&read("patient-0001")).unwrap().seq;
    assert_ne!(log.snapshot().get(seq).unwrap().event.resource.id, Some(p1.clone()));
    assert_eq!(log.snapshot().count(&Query::new().resource("patient", &p1)).unwrap(), 2);
    drop(log);
    place.check_deeply(Some(store));
}

#[test]
fn targets_and_on_whose_behalf_stand_under_aliases_too() {
    let place = Place::new(HashAlgorithm::Sha256);
    let store = KeyStore::create(&place.at("keys"), &wrapping()).unwrap();
    let options = place.options().key_store(store.clone()).alias_actors(true);
    let log = options.alias_resources(["patient"]).create(place.at("audit")).unwrap();
    let event = |n: u64| {
        let event =
            Event::new(Actor::new("user", "alice"), "bed.assign", Resource::new("bed", "7"))
                .target(Target::new("ward", "ward-plain"))
                .target(Target::new("patient", "patient-0001").role("new"))
                .on_behalf_of(Actor::new("user", "doctor-dave"));
        if n == 0 { event } else { event.target(Target::new("patient", "patient-0002")) }
    };
    log.append(&event(0)).unwrap();
    log.append_batch(&[event(1), event(1)]).unwrap();
    log.rotate().unwrap();
    for hidden in ["alice", "doctor-dave", "patient-0001", "patient-0002"] {
        assert!(!on_disk(&place.at("audit"), hidden.as_bytes()), "{hidden}");
    }
    assert!(on_disk(&place.at("audit"), b"ward-plain"));
    let dave = store.alias(Identifier::Actor, "user", "doctor-dave").unwrap();
    let p1 = store.alias(Identifier::Resource, "patient", "patient-0001").unwrap();
    let p2 = store.alias(Identifier::Resource, "patient", "patient-0002").unwrap();
    let count = |query: Query| log.snapshot().count(&query).unwrap();
    assert_eq!(count(Query::new().on_behalf_of_type_id("user", &dave)), 3);
    assert_eq!(count(Query::new().actor(&dave)), 0);
    assert_eq!(count(Query::new().resource("patient", &p1)), 3);
    assert_eq!(count(Query::new().resource("patient", &p2)), 2);
    assert_eq!(count(Query::new().resource("ward", "ward-plain")), 3);
    // A hold that names the patient finds what is under the alias, by the store.
    let hold = Hold::new("case 9", HoldScope::new().resource("patient", "patient-0002"));
    log.retention().place_hold(&hold, &Attribution::default()).unwrap();
    assert_eq!(log.snapshot().segments_held_by("case 9").unwrap().records, 2);
    // Without the store, nobody can tell whose alias it is: all are pinned.
    log.close().unwrap();
    let without = place.options().open_read_only(place.at("audit")).unwrap();
    assert_eq!(without.snapshot().segments_held_by("case 9").unwrap().records, 3);
    place.check_deeply(Some(place.reading_store()));
}

#[test]
fn a_hold_pins_what_is_under_an_alias_where_nobody_can_tell_whose_it_is() {
    let place = Place::new(HashAlgorithm::Sha256);
    let audit = place.at("audit");
    let create = || place.options().create(&audit).unwrap();
    drop(create());
    // Placed before there is any alias, by somebody who does not have the store.
    let scope = HoldScope::new().actor("alice");
    let asked = Attribution::by("carol");
    let admin = place.options().administer(&audit).unwrap();
    admin.place_hold(&Hold::new("case 7", scope), &asked).unwrap();
    admin.set_policy(&Policy::keep(Period::ZERO), &asked).unwrap();
    drop(admin);
    let store = KeyStore::create(&place.at("keys"), &wrapping()).unwrap();
    let log = place.options().key_store(store).alias_actors(true).open(&audit).unwrap();
    for (name, kind) in [("alice", "file.read"), ("bob", "file.read"), ("bob", "user.login")] {
        let event = Event::new(Actor::new("user", name), kind, Resource::new("doc", "1"));
        log.append(&event).unwrap();
        log.rotate().unwrap();
    }
    log.append(&event(2)).unwrap();
    drop(log);

    let log = place.options().without_events().open(&audit).unwrap();
    let pinned = log.snapshot().segments_held_by("case 7").unwrap();
    assert_eq!((pinned.records, &*pinned.segments), (4, &[1, 2, 3, 4][..]));
    let expiry = log.retention().expire(&ExpireOptions::new(), &asked).unwrap();
    assert!(expiry.dropped.is_empty(), "{expiry:?}");
    drop(log);
    let reader = place.options().open_read_only(&audit).unwrap();
    assert_eq!(reader.snapshot().plan_expiry(&ExpireOptions::new()).unwrap().going().count(), 0);

    // Who has the store can tell.
    let store = KeyStore::open(&place.at("keys"), &wrapping()).unwrap();
    let log = place.options().key_store(store).without_events().open(&audit).unwrap();
    assert_eq!(log.snapshot().segments_held_by("case 7").unwrap().segments, [1]);
    let expiry = log.retention().expire(&ExpireOptions::new(), &asked).unwrap();
    let gone: Vec<u64> = expiry.dropped.iter().map(|gone| gone.ordinal).collect();
    assert_eq!(gone, [2, 3]);
    drop(log);
    place.check_deeply(Some(place.reading_store()));
}

#[test]
fn a_key_store_is_of_one_log() {
    let place = Place::new(HashAlgorithm::Sha256);
    let log = place.create(3);
    let log_id = log.snapshot().stats().unwrap().log_id;
    drop(log);
    assert_eq!(place.reading_store().log_id(), Some(log_id));
    drop(place.options().create(place.at("other")).unwrap());
    for store in [
        KeyStore::open(&place.at("keys"), &wrapping()).unwrap(),
        KeyStore::open_read_only(&place.at("keys"), &wrapping()).unwrap(),
    ] {
        let options = || place.options().key_store(store.clone());
        let refused = [
            options().open(place.at("other")).map(drop),
            options().open_read_only(place.at("other")).map(drop),
            options().administer(place.at("other")).map(drop),
        ];
        for refused in refused {
            let error = refused.unwrap_err();
            assert!(matches!(error, Error::KeyStore { .. }), "{error}");
            assert!(error.to_string().contains(&log_id.to_string()), "{error}");
        }
    }
    // Without keys it is nobody's yet.
    let store = KeyStore::create(&place.at("unused"), &wrapping()).unwrap();
    drop(place.options().key_store(store.clone()).create(place.at("third")).unwrap());
    assert!(place.options().key_store(store).open(place.at("other")).is_err(), "still in use");
    let store = KeyStore::open(&place.at("unused"), &wrapping()).unwrap();
    drop(place.options().key_store(store).open(place.at("other")).unwrap());
    place.open();
}

/// Aliases of which the store at hand does not know whose they are: of a subject that was erased,
/// or that an older copy of the store does not have yet. Those it knows are of others.
#[test]
fn a_hold_pins_what_is_under_an_alias_that_the_store_does_not_know() {
    for erased in [true, false] {
        let place = Place::new(HashAlgorithm::Sha256);
        let (audit, keys) = (place.at("audit"), place.at("keys"));
        let store = KeyStore::create(&keys, &wrapping()).unwrap();
        let log = place.options().key_store(store).alias_actors(true).create(&audit).unwrap();
        let append = |name: &str| {
            let event =
                Event::new(Actor::new("user", name), "file.read", Resource::new("doc", "1"));
            log.append(&event.subject(format!("user:{name}"))).unwrap();
            log.rotate().unwrap();
        };
        append("bob");
        let older = std::fs::read(&keys).unwrap();
        append("alice");
        append("bob");
        let asked = Attribution::by("carol");
        if erased {
            log.retention().erase("user:alice", &asked).unwrap();
        }
        drop(log);
        if !erased {
            std::fs::write(&keys, older).unwrap();
        }
        let store = KeyStore::open(&keys, &wrapping()).unwrap();
        let log = place.options().key_store(store).without_events().open(&audit).unwrap();
        log.retention()
            .place_hold(&Hold::new("case 7", HoldScope::new().actor("alice")), &asked)
            .unwrap();
        log.retention().set_policy(&Policy::keep(Period::ZERO), &asked).unwrap();
        assert_eq!(
            log.snapshot().segments_held_by("case 7").unwrap().segments,
            [2],
            "erased: {erased}"
        );
        assert!(log.snapshot().plan_expiry(&ExpireOptions::new()).unwrap().going().count() > 0);
        log.retention().expire(&ExpireOptions::new(), &asked).unwrap();
        assert!(log.snapshot().get(Seq::new(0)).is_err(), "bob's, erased: {erased}");
        assert!(log.snapshot().get(Seq::new(1)).is_ok(), "alice's, erased: {erased}");
    }
}
